"""NVIDIA's path: the text compiles for every architecture, computes what the table says, and the way through the driver holds whatever it answers.

None of this needs a GPU or a driver, and none of it says how fast one is.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import gpu as benchmark
from tests import fake_nvml
from tests.conftest import PATIENCE_S
from tests.fake_cuda import MIB, PAIRS, CUresult, Driver, FakeDevice, compiled_here, compiler
from tests.fake_nvml import FakeGpu
from wallviz.machine.probe import cuda as path
from wallviz.machine.probe import cuda_device, cuda_source, limits, nvml
from wallviz.machine.probe.cuda_device import CudaGpu, compiled, target
from wallviz.machine.probe.isolated import Measurement
from wallviz.machine.probe.kernels import KERNELS, MEAN_READ, SCALAR, SEEDS, TOLERANCE, hashed
from wallviz.machine.reasons import Flag, NotMeasured, Reason
from wallviz.machine.record import Measured, Record, read

SIZE = MIB
ELEMENTS = SIZE // cuda_source.VECTOR_BYTES

# --------------------------------------------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The kernels, compiled for this computer."""
    found = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")
    if found is None:
        pytest.skip("no C++ compiler on this computer (Debian: g++): the arithmetic of the CUDA source is checked with one")
    return compiled_here(found, tmp_path_factory.mktemp("cuda"))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts stand-ins where the packages are imported from; passes are short, and NVML is not there unless it is given."""

    def put(driver: Any, nvrtc: Any = None, smi: Any = None) -> Any:
        monkeypatch.setitem(sys.modules, "cuda.bindings.driver", driver)
        monkeypatch.setitem(sys.modules, "cuda.bindings.nvrtc", nvrtc or compiler())
        monkeypatch.setitem(sys.modules, "pynvml", smi)
        for name in ("SAMPLE_S", "CHASE_S", "WARM_UP_S"):
            monkeypatch.setattr(path, name, 0.001)
        return driver

    return put


@pytest.fixture
def gpu(install: Any, library: ctypes.CDLL) -> Iterator[CudaGpu]:
    """An open device of the stand-in, with small arrays, that computes."""
    driver = install(Driver(FakeDevice(), library=library))
    with cuda_device.opened() as gpu:
        gpu.allot(SIZE, SIZE)
        yield gpu
    assert driver.balanced


def values(gpu: CudaGpu, name: str) -> np.ndarray[Any, Any]:
    return gpu.read(gpu.arrays[name], np.zeros(SIZE // 4, np.float32))


def measured(driver: Driver, **options: Any) -> Record:
    """A short measurement, which a record can hold and which left nothing behind."""
    said: list[tuple[float, str]] = []
    try:
        record = path.measure(budget_s=0.05, array_bytes=SIZE, progress=lambda share, part: said.append((share, part)), **options)
    finally:
        assert driver.balanced, {take: (driver.taken[take], driver.given[give]) for take, give in PAIRS.items()}
    assert [share for share, _ in said] == sorted(share for share, _ in said)
    assert said[-1] == (1.0, "done")
    assert read(record.as_json()).as_json() == record.as_json()
    return record


# ----------------------------------------------------------------------------------------------------------------- the text


def test_the_text_is_always_the_same() -> None:
    """The source is text made from the table alone, and holds a kernel and its check for each entry of it."""
    assert cuda_source.source() == cuda_source.source()
    found = re.findall(r'^extern "C" __global__ void (?:__launch_bounds__\(\d+\) )?(\w+)\(', cuda_source.source(), re.MULTILINE)
    assert tuple(found) == cuda_source.entries()
    assert {name.removeprefix("kernel_") for name in found if name.startswith("kernel_")} == set(KERNELS)
    assert {name.removeprefix("check_") for name in found if name.startswith("check_")} == {*KERNELS, "walk"}


def test_parameters_have_the_layout_of_the_text() -> None:
    """The bytes of the parameters follow the order in which the text declares them."""
    declared = re.search(r"struct Parameters \{ (.*) \}", cuda_source.source())
    assert declared
    assert re.findall(r"\w+(?=[,;])", declared[1]) == ["n", "mask", "step", "loops", "seed", "s", "above"]
    given = cuda_source.parameters(n=1, mask=2, step=3, loops=2**40, seed=5, s=6.0, above=7.0)
    assert len(given) == cuda_source.PARAMETER_BYTES
    assert struct.unpack("<4QI2f", given[:44]) == (1, 2, 3, 2**40, 5, 6.0, 7.0)


def real_compiler() -> cuda_device.Library:
    """NVRTC, where its package is installed."""
    try:
        nvrtc = cuda_device.package("nvrtc", Reason.NO_PACKAGE)
        nvrtc("nvrtcVersion")
    except NotMeasured as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must compile the kernels, and there is no NVRTC: {error} {error.detail}")
        pytest.skip(f"NVRTC is not installed (nvidia-cuda-nvrtc and cuda-bindings): {error.detail}")
    return nvrtc


def test_kernels_compile_for_every_architecture() -> None:
    """NVRTC makes code of the kernels for every architecture that it knows, as the very code and as PTX, without a driver."""
    nvrtc = real_compiler()
    known = list(nvrtc("nvrtcGetSupportedArchs"))
    assert {75, 80, 86, 89, 90, 100, 120} <= set(known)
    for number in known:
        image = compiled(target(divmod(number, 10), known), nvrtc)
        assert image.startswith(b"\x7fELF"), number
        for name in cuda_source.entries():
            assert f".text.{name}\0".encode() in image, (number, name)
    text = compiled(f"compute_{min(known)}", nvrtc)
    assert f".target sm_{min(known)}".encode() in text


def test_the_benchmarks_own_text_compiles() -> None:
    """The plain STREAM and chase, against which ours is held on a machine with a GPU, compile without one for every architecture."""
    pytest.importorskip("cuda.bindings.nvrtc")
    known = list(cuda_device.package("nvrtc", Reason.NO_PACKAGE)("nvrtcGetSupportedArchs"))
    for architecture in known:
        text = compiled(f"compute_{architecture}", text=benchmark.PLAIN).decode()
        assert all(f".entry {name}(" in text for name in (*benchmark.WORDS, "chase"))


def test_the_benchmark_prints_ratios_or_why_not(install: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a stand-in it goes through to the end; without a driver it prints the reason, and claims nothing."""
    monkeypatch.setattr(benchmark.cuda, "latency", lambda *given: 1e-8)
    monkeypatch.setattr(benchmark, "BUDGET_S", 0.05)
    monkeypatch.setitem(sys.modules, "torch", None)
    install(Driver(FakeDevice(free_bytes=64 * MIB)))
    benchmark.main(["--rounds", "2"])
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("ours / best", "latency", "staircase", "torch: not installed", "nvbandwidth"))
    install(Driver())
    benchmark.main([])
    printed = capsys.readouterr().out
    assert "No GPU was measured" in printed
    assert "GB/s" not in printed


def test_memory_is_read_in_vectors() -> None:
    """Compiled, every kernel loads and stores 16 bytes at a time, four times in a row, and keeps loads whose values nobody needs."""
    nvrtc = real_compiler()
    text = compiled("compute_80", nvrtc).decode(errors="replace")
    bodies = {match[1]: match[0] for match in re.finditer(r"\.entry (\w+)\(.*?\n\}", text, re.DOTALL)}
    for name, kernel in KERNELS.items():
        body = bodies[f"kernel_{name}"]
        moves = re.findall(r"(ld|st)\.global(?:\.nc)?\.v4", body)
        ahead, stores = cuda_source.AHEAD * len(kernel.reads), 0 if kernel.reduces else cuda_source.AHEAD
        left = [*["ld"] * len(kernel.reads), "st"]
        assert moves == [*["ld"] * ahead, *["st"] * stores, *left], name
        assert not re.search(r"(ld|st)\.global(\.nc)?\.[fub]\d", body), name
    assert len(re.findall(r"ld\.global\.nc\.v4", bodies["walk"])) >= 8
    assert len(re.findall(r"ld\.global\.nc\.u64", bodies["chase"])) >= 16


def test_a_text_that_does_not_compile_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the compiler says of a text that it refuses stands in the detail."""
    nvrtc = real_compiler()
    monkeypatch.setattr(cuda_source, "source", lambda: "__global__ void broken() { undeclared = 1; }")
    with pytest.raises(NotMeasured) as caught:
        compiled("sm_90", nvrtc)
    assert caught.value.reason is Reason.UNSUPPORTED
    assert "undeclared" in caught.value.detail


@pytest.mark.parametrize(
    ("capability", "known", "expected"),
    [((9, 0), [75, 90], "sm_90"), ((12, 1), [90, 120], "compute_120"), ((8, 7), [75, 80, 86, 89], "compute_86"), ((13, 0), [75, 121], "compute_121")],
)
def test_what_is_compiled_for(capability: tuple[int, int], known: list[int], expected: str) -> None:
    """A device gets code of its own where the compiler knows it, and the newest older PTX otherwise."""
    assert target(capability, known) == expected


@pytest.mark.parametrize("known", [[75, 80], []])
def test_a_gpu_older_than_the_compiler(known: list[int]) -> None:
    """A GPU that is older than everything that the compiler knows cannot be measured by this path."""
    with pytest.raises(NotMeasured) as caught:
        target((6, 1), known)
    assert caught.value.reason is Reason.UNSUPPORTED


# ------------------------------------------------------------------------------------------------------------- arithmetic


def test_arrays_hold_the_hashed_values(gpu: CudaGpu) -> None:
    """The device fills b and c with the very values that every other path uses."""
    for name, seed in SEEDS.items():
        assert np.array_equal(values(gpu, name), hashed(0, SIZE // 4, seed))


@pytest.mark.parametrize("name", [name for name, kernel in KERNELS.items() if not kernel.reduces])
def test_kernels_write_the_closed_form(gpu: CudaGpu, name: str) -> None:
    """What a kernel leaves in the array is what the table says, computed apart from it."""
    gpu.once(path.kernel_launch(gpu, name, 7))
    expected = KERNELS[name].expected(hashed(0, SIZE // 4, SEEDS["b"]), hashed(0, SIZE // 4, SEEDS["c"]), SCALAR)
    assert np.max(np.abs(values(gpu, "a") - expected)) <= TOLERANCE["f32"]


def test_read_adds_up_everything(gpu: CudaGpu) -> None:
    """The sums that read keeps, when it is told to keep them, add up to that of the whole array."""
    gpu.clear("a")
    gpu.once(gpu.launcher("kernel_read", 4, n=ELEMENTS, above=-1.0))
    total = values(gpu, "a")[: 4 * 4 * cuda_source.BLOCK].sum(dtype=np.float64)
    assert total == pytest.approx(np.sum(hashed(0, SIZE // 4, SEEDS["b"]).astype(np.float64) ** 2), rel=1e-6)
    assert total / (SIZE // 4) == pytest.approx(MEAN_READ, abs=4 * 0.869 / (SIZE // 4) ** 0.5)


def test_what_is_timed_writes_nothing_else(gpu: CudaGpu) -> None:
    """Read, the walk and the chase leave the arrays alone when they are timed."""
    gpu.clear("a")
    gpu.once(path.kernel_launch(gpu, "read", 4))
    gpu.once(gpu.launcher("walk", 3, mask=ELEMENTS // cuda_source.BLOCK - 1, step=3, loops=40))
    assert not values(gpu, "a").any()


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("blocks", [1, 7, 100_000])
def test_results_stand_and_damage_is_caught(gpu: CudaGpu, name: str, blocks: int) -> None:
    """Each kernel passes its check, on few blocks and on many, and the arrays are whole again after the negative control."""
    assert path.stands(gpu, KERNELS[name], blocks)
    assert np.array_equal(values(gpu, "b"), hashed(0, SIZE // 4, SEEDS["b"]))


@pytest.mark.parametrize(
    ("right", "wrong", "failing"),
    [
        ("= bs[k] + all(p.s) * cs[k];", "= bs[k] + all(p.s) * bs[k];", {"triad"}),
        ("a[i + k * stride] = bs[k];", "if (i != 77) a[i + k * stride] = bs[k];", {"copy"}),
        ("total = total + bs[k] * bs[k];", "if (i != 77) total = total + bs[k] * bs[k];", {"read"}),
        ("= bs[k] + cs[k];", "= all(__uint_as_float(0x7FC00000u));", {"add"}),
        ("atomicAdd(found, 1u);", "{}", set(KERNELS)),  # a check that finds nothing
        ("atomicAdd(found, 1u);", "*found = 2u;", set(KERNELS)),  # a check that does not count
    ],
)
def test_what_is_wrong_has_no_figure(install: Any, library: Any, tmp_path: Path, right: str, wrong: str, failing: set[str]) -> None:
    """A wrong kernel, one wrong element, what is no number, or a check that is blind: none of them passes, and the others still do."""
    text = cuda_source.source()
    assert right in text
    broken = compiled_here(shutil.which("g++") or shutil.which("clang++") or "c++", tmp_path, text.replace(right, wrong))
    install(Driver(FakeDevice(), library=broken))
    with cuda_device.opened() as gpu:
        gpu.allot(SIZE, SIZE)
        standing = {name: path.stands(gpu, kernel, 8) for name, kernel in KERNELS.items()}
    assert {name for name, stands in standing.items() if not stands} == failing


def test_a_ring_visits_every_line_once(gpu: CudaGpu) -> None:
    """A chain comes back to where it began after as many loads as it has lines, and not before, in an order without a stride."""
    links, visited = path.ring(int(gpu.arrays["c"]), 64 * 1024, np.random.default_rng(2))
    assert len(set(visited.tolist())) == visited.size == 64 * 1024 // cuda_source.LINE_BYTES
    at, seen = int(visited[0]), []
    for _ in range(visited.size):
        seen.append(at)
        at = int(links[(at - int(gpu.arrays["c"])) // 8])
    assert (at, seen) == (int(visited[0]), visited.tolist())
    assert len(set(np.diff(visited.astype(np.int64)).tolist())) > visited.size // 4


def test_the_chase_follows_the_ring(gpu: CudaGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chase ends where so many steps lead; one that is let go early is not believed."""
    monkeypatch.setattr(path, "SHORTEST_LOAD_S", -1.0)
    assert path.latency(gpu, 64 * 1024, np.random.default_rng(3)) is not None
    launcher = gpu.launcher
    monkeypatch.setattr(gpu, "launcher", lambda entry, *given, **more: launcher(entry, *given, **more | ({"loops": 5} if entry == "chase" else {})))
    with pytest.raises(NotMeasured) as caught:
        path.latency(gpu, 64 * 1024, np.random.default_rng(3))
    assert caught.value.reason is Reason.INVALID


@pytest.mark.parametrize("processors", [1, 2, 64, 132])
@pytest.mark.parametrize("size", [2**14, 2**20, 2**23, 2**25])
def test_the_walk_visits_its_whole_set(install: Any, monkeypatch: pytest.MonkeyPatch, processors: int, size: int) -> None:
    """Every walker comes to every block of its working set, on any number of multiprocessors: no cache of one of them holds its share of the set."""
    device = FakeDevice()
    device.attributes["MULTIPROCESSOR_COUNT"] = processors
    install(Driver(device))
    with cuda_device.opened() as gpu:
        gpu.allot(SIZE, SIZE)
        asked: list[dict[str, int]] = []
        gpu.launcher = lambda entry, blocks, **more: asked.append({"walkers": blocks, **more}) or (lambda: None)  # type: ignore[assignment,method-assign]
        monkeypatch.setattr(path, "covers", lambda *given: True)
        path.staircase(gpu, [size], 0.0)
    way = asked[-1]
    blocks = size // cuda_source.BLOCK_BYTES
    assert way["mask"] == blocks - 1
    assert way["walkers"] <= 8 * processors
    assert np.gcd(way["step"], blocks) == 1
    assert len({(k * way["step"]) & way["mask"] for k in range(blocks)}) == blocks


@pytest.mark.parametrize("walkers", [1, 3, 63, 127])
@pytest.mark.parametrize("size", [2**14, SIZE])
def test_the_walk_reads_every_word_once(gpu: CudaGpu, walkers: int, size: int) -> None:
    """Places 0 to n of a working set of n blocks are read once each, whatever the number of walkers, and the last round goes on from the start."""
    way = path.walking(size, walkers)
    blocks = size // cuda_source.BLOCK_BYTES
    read_so_often = np.bincount(np.arange(walkers * way["loops"]) % blocks, minlength=blocks)
    gpu.clear("a")
    gpu.once(gpu.launcher("walk", walkers, above=-1.0, **way))  # type: ignore[arg-type]
    sums = values(gpu, "a")[: walkers * 4 * cuda_source.BLOCK].sum(dtype=np.float64)
    squares = (hashed(0, size // 4, SEEDS["b"]).astype(np.float64) ** 2).reshape(blocks, -1).sum(axis=1)
    assert sums == pytest.approx(squares @ read_so_often, rel=1e-6)
    assert path.covers(gpu, size, walkers)
    assert np.array_equal(values(gpu, "b"), hashed(0, SIZE // 4, SEEDS["b"]))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("block += p.step;", "block += p.step & ~1ull;"),  # an even step
        ("b[(block & p.mask)", "b[(block & (p.mask >> 1))"),  # half of the set
        ("k < p.loops; k++) {\n    const float4 value = b", "k < 4; k++) {\n    const float4 value = b"),  # ends before its time
        ("atomicAdd(found, 1u);", ";"),  # a check that finds nothing
    ],
)
def test_a_walk_that_leaves_something_out_has_no_staircase(install: Any, tmp_path: Path, right: str, wrong: str) -> None:
    """A walk that does not read its whole set, or a check that would not see it, is invalid: no staircase, and a reason in its place."""
    found = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")
    if found is None:
        pytest.skip("no C++ compiler on this computer")
    text = cuda_source.source()
    place = 0 if right.startswith("atomic") else text.index("void __launch_bounds__(256) walk(")
    assert right in text[place:]
    broken = compiled_here(found, tmp_path, text[:place] + text[place:].replace(right, wrong, 1))
    install(Driver(FakeDevice(), library=broken))
    with cuda_device.opened() as gpu:
        gpu.allot(SIZE, SIZE)
        with pytest.raises(NotMeasured) as caught:
            path.staircase(gpu, [2**14, SIZE], 0.0)
    assert (caught.value.reason, caught.value.detail) == (Reason.INVALID, f"walk over {SIZE} bytes")


# ---------------------------------------------------------------------------------------------------- a whole measurement


def test_a_whole_measurement(install: Any, library: ctypes.CDLL) -> None:
    """Everything is in the record, valid, readable, and everything that was taken is given back."""
    driver = install(Driver(FakeDevice(), library=library))
    record = measured(driver)
    assert record.path == "cuda"
    assert {name: each.valid for name, each in record.kernels.items()} == dict.fromkeys(KERNELS, True)
    assert {name: each.valid for name, each in record.transfers.items()} == dict.fromkeys(
        ("d2d", "h2d_pinned", "d2h_pinned", "h2d_pageable", "d2h_pageable"), True
    )
    assert [step.bytes for step in record.sweep] == [2**power for power in range(14, 21)]
    assert {each.order for each in record.latency} <= {"random"}
    assert record.headline
    assert record.headline[0] == "triad"
    device = record.device
    assert (device.vendor, device.backend, device.architecture) == ("NVIDIA", "CUDA 13.0", "compute capability 9.0")
    assert device.name == "NVIDIA H100 80GB HBM3"
    assert [(cache.level, cache.bytes) for cache in device.caches] == [(1, 256 * 1024), (2, 50 * MIB)]
    assert record.theoretical_bytes_per_s == pytest.approx(3.352e12, rel=1e-3)
    assert record.theoretical_source == "driver"
    assert record.runs[0].engine == "cuda"
    assert record.array_bytes == SIZE
    assert record.memory_limit_bytes == 3 * SIZE
    assert Flag.FAR_BELOW in record.flags  # this is no H100
    assert not record.errors
    assert driver.calls["cuMemAlloc"] == 4


def test_facts_and_states_come_from_nvml(install: Any, library: ctypes.CDLL) -> None:
    """With NVML the record knows the driver, clocks, throttling, and the link as it is while something is transferred."""
    smi = fake_nvml.module(FakeGpu("other", bus_id="00000000:01:00.0"), FakeGpu(pcie_now=(5, 8), reasons=0x24))
    record = measured(install(Driver(FakeDevice(), library=library), smi=smi))
    assert (record.device.driver, record.device.pcie_generation, record.device.pcie_width) == ("580.95.05", 5, 8)
    assert record.before == record.after == nvml.State(2619e6, 1755e6, 61.0, pytest.approx(512.345), ("power_cap", "heat"))
    assert Flag.THROTTLED in record.flags
    assert smi.calls["nvmlInit"] == smi.calls["nvmlShutdown"] == 1
    assert smi.calls["nvmlDeviceGetPcieThroughput"] == 0


def test_a_mig_slice(install: Any, library: ctypes.CDLL) -> None:
    """A slice is held against its share of the bandwidth, and against nothing where the whole GPU is not known."""
    device = FakeDevice(b"NVIDIA H100 80GB HBM3 MIG 1g.10gb", memory_bytes=10_200_000_000)
    record = measured(install(Driver(device, library=library), smi=fake_nvml.module(FakeGpu())))
    assert record.theoretical_bytes_per_s == pytest.approx(3.352e12 / 8, rel=1e-3)
    assert record.theoretical_source == "mig_slice"
    assert measured(install(Driver(device, library=library))).theoretical_bytes_per_s is None


def test_boards_that_share_memory(install: Any, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU without memory of its own is held against its data sheet, and takes no more than a part of what the computer has free."""
    board = FakeDevice(b"NVIDIA GB10")
    board.attributes |= {"INTEGRATED": 1, "GLOBAL_MEMORY_BUS_WIDTH": 0, "MEMORY_CLOCK_RATE": 0}
    monkeypatch.setattr(limits, "memory_bytes", lambda: 4 * SIZE)
    monkeypatch.setattr(path, "SMALLEST_ARRAY_BYTES", SIZE // 4)
    monkeypatch.setattr(path, "MIB", SIZE // 4)
    record = measured(install(Driver(board, library=library)))
    assert (record.theoretical_bytes_per_s, record.theoretical_source) == (273e9, "data_sheet")
    assert record.array_bytes == SIZE // 2
    assert Flag.HALVED in record.flags


def test_it_takes_no_more_memory_than_it_says(install: Any, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken of the device holds what the record names as its limit, and a few counters."""
    taken: list[int] = []
    take = CudaGpu.take

    def counting(self: CudaGpu, give_back: str, function: str, *given: Any, **more: Any) -> Any:
        taken.extend(given[:1] if function == "cuMemAlloc" else [])
        return take(self, give_back, function, *given, **more)

    monkeypatch.setattr(CudaGpu, "take", counting)
    record = measured(install(Driver(FakeDevice(), library=library)))
    assert record.memory_limit_bytes == 3 * SIZE
    assert 3 * SIZE <= sum(taken) <= 3 * SIZE + 1024


def test_two_gpus(install: Any, library: ctypes.CDLL) -> None:
    """Between two GPUs that reach each other the copy is measured and checked; where they do not, there is a reason."""
    record = measured(install(Driver(FakeDevice(), FakeDevice(), library=library)), index=1)
    assert record.transfers["p2p_1_0"].valid is True
    record = measured(install(Driver(FakeDevice(), FakeDevice(peers=False), library=library)))
    assert "p2p_0_1" not in record.transfers
    assert [(each.reason, each.part) for each in record.errors] == [("unsupported", "p2p_0_1")]
    full = FakeDevice(free_bytes=SIZE)
    record = measured(install(Driver(FakeDevice(), full, library=library)))
    assert [(each.reason, each.part) for each in record.errors] == [("memory", "p2p_0_1")]
    driver = install(Driver(FakeDevice(), FakeDevice(), library=library))
    driver.fails["cuCtxEnablePeerAccess"] = 0, CUresult.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED
    with cuda_device.opened() as gpu:
        gpu.allot(SIZE, SIZE)
        assert path.peer_copy(gpu, 0, 1, 0.0).valid is True
    assert driver.calls["cuCtxDisablePeerAccess"] == 0  # who had enabled it keeps it


def test_what_comes_back_wrong(install: Any, library: ctypes.CDLL) -> None:
    """A transfer whose bytes do not arrive has no figure, and says so."""
    driver = install(Driver(FakeDevice(), library=library))
    driver.damaged_reads = True
    record = measured(driver)
    assert record.transfers["d2h_pinned"] == record.transfers["h2d_pinned"] == Measured.invalid()
    assert ("invalid", "d2h_pinned") in {(each.reason, each.part) for each in record.errors}
    assert record.transfers["d2d"].valid is True


def test_a_timer_that_disagrees_is_not_used(install: Any, library: ctypes.CDLL) -> None:
    """Events that do not count as the wall clock does are left out of it: by theirs, a copy of 1 MiB would take ages."""
    driver = install(Driver(FakeDevice(), library=library))
    driver.slow_events = 1e15
    record = measured(driver)
    assert Flag.TIMER in record.flags
    assert record.timer == "time.perf_counter"
    assert record.kernels["copy"].best_bytes_per_s
    assert record.kernels["copy"].best_bytes_per_s > 1.0


def test_the_largest_chain_comes_first(gpu: CudaGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the time is short, the latency of the memory itself is there, and the record says that others are not."""
    monkeypatch.setattr(path, "latency", lambda gpu, size, random: size * 1e-12)
    found, cut = path.latencies(gpu, [2**14, 2**16, 2**18], 0.0)
    assert ([each.bytes for each in found], cut) == ([2**18], True)
    found, cut = path.latencies(gpu, [2**14, 2**16, 2**18], float("inf"))
    assert ([each.bytes for each in found], cut) == ([2**14, 2**16, 2**18], False)


def test_a_real_gpu() -> None:
    """Where this machine has a GPU, the same measurement is valid on it; nowhere else is anything said of one."""
    try:
        path.devices()
    except NotMeasured as error:
        pytest.skip(f"no NVIDIA GPU here: {error.detail}")
    record = path.measure(quick=True)
    assert all(each.valid for each in {**record.kernels, **record.transfers}.values())
    assert read(record.as_json()).as_json() == record.as_json()
    assert record.sweep
    assert record.latency


# ------------------------------------------------------------------------------------------------------------------ memory


def test_arrays_are_halved_until_they_fit(install: Any) -> None:
    """Where the driver refuses memory, all three arrays are made again at half the size, and what was made before is given back."""
    driver = install(Driver(FakeDevice(free_bytes=64 * MIB)))
    with cuda_device.opened() as gpu:
        assert gpu.allot(64 * MIB, 4 * MIB) == 16 * MIB
        assert driver.taken["cuMemAlloc"] - driver.given["cuMemFree"] == 4
    assert driver.balanced


def test_a_quarter_of_the_free_memory_at_most(install: Any, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    """No array takes more than a quarter of what is free, and what is halved for it is flagged."""
    monkeypatch.setattr(path, "SMALLEST_ARRAY_BYTES", SIZE // 4)
    monkeypatch.setattr(path, "MIB", SIZE // 4)
    record = measured(install(Driver(FakeDevice(free_bytes=4 * SIZE), library=library)))
    assert record.array_bytes == SIZE // 2  # the counters take a few bytes of the quarter
    assert Flag.HALVED in record.flags


@pytest.mark.parametrize("free", [0, 3 * MIB])
def test_too_little_memory(install: Any, free: int) -> None:
    """Without room for the smallest arrays there is a reason, and nothing stays taken."""
    driver = install(Driver(FakeDevice(free_bytes=free + 16)))
    with pytest.raises(NotMeasured) as caught:
        path.measure(budget_s=0.05)
    assert caught.value.reason is Reason.MEMORY
    assert driver.balanced


def test_arrays_are_four_times_the_cache(install: Any) -> None:
    """Arrays are 256 MiB, or four times the second-level cache where that is more, rounded up to a power of two."""
    found = []
    for l2 in (0, 40 * MIB, 50 * MIB, 96 * MIB, 126 * MIB):
        device = FakeDevice()
        device.attributes["L2_CACHE_SIZE"] = l2
        driver = install(Driver(device))
        with cuda_device.opened() as gpu:
            found.append(path.wanted_bytes(gpu.chip) // MIB)
        assert driver.balanced
    assert found == [256, 256, 256, 512, 512]


# ---------------------------------------------------------------------------------------------------------------- failures


def reason(**options: Any) -> tuple[Reason, str]:
    with pytest.raises(NotMeasured) as caught:
        path.measure(budget_s=0.05, array_bytes=SIZE, **options)
    assert caught.value.extra == "cuda"
    return caught.value.reason, caught.value.detail


def test_no_package(install: Any) -> None:
    """Without the package, or without the compiler that goes with it, the next step names the extra that brings it."""
    install(None)
    assert reason()[0] is Reason.NO_PACKAGE
    with pytest.raises(NotMeasured, match=re.escape('pip install "wallviz[cuda]"')):
        path.devices()
    absent = compiler()

    def missing(*_: Any) -> Any:
        raise RuntimeError("libnvrtc.so.13 is not found")

    absent.nvrtcGetSupportedArchs = missing
    driver = install(Driver(FakeDevice()), absent)
    assert reason() == (Reason.NO_PACKAGE, "nvrtcGetSupportedArchs: libnvrtc.so.13 is not found")
    assert driver.balanced


def test_the_real_package_without_a_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The installed package on a machine without a driver gives the reason, in this process and in one of its own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a lock of its own: somebody may be measuring this machine
    pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")
    if has_driver():
        pytest.skip("this machine has a driver")
    for ask in (path.devices, path.measure):
        with pytest.raises(NotMeasured) as caught:
            ask()  # type: ignore[operator]
        assert caught.value.reason is Reason.NO_DRIVER
    record = Measurement("cuda", budget_s=0.5, time_limit_s=PATIENCE_S).result()
    assert [each.reason for each in record.errors] == ["no_driver"]


def has_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    return True


def test_the_real_package_takes_these_arguments(install: Any, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every function of the driver that is called exists in the installed package and takes what it is given: it fails for want of a driver alone."""
    real: Any = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")
    if has_driver():
        pytest.skip("this machine has a driver, which would do what it is asked")
    driver = install(Driver(FakeDevice(), FakeDevice(), library=library))
    measured(driver)
    assert len(driver.seen) > 30
    stand_in = {"cuModuleGetFunction", "cuLaunchKernel", "cuOccupancyMaxActiveBlocksPerMultiprocessor"}
    for name, arguments in driver.seen.items():
        given = [real.CUdeviceptr(int(each)) if type(each).__name__ == "CUdeviceptr" else each for each in arguments]
        if name == "cuDeviceGetAttribute":
            given[0] = getattr(real.CUdevice_attribute, given[0].name)
            assert int(given[0]) == int(arguments[0])
        if name in stand_in and isinstance(given[0], str):
            given[0] = 0  # a handle
        with pytest.raises(RuntimeError):
            getattr(real, name)(*given)
    for each in CUresult:
        assert getattr(real.CUresult, each.name) == each


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (CUresult.CUDA_ERROR_NO_DEVICE, Reason.NO_DEVICE),
        (CUresult.CUDA_ERROR_STUB_LIBRARY, Reason.NO_DRIVER),
        (CUresult.CUDA_ERROR_SYSTEM_NOT_READY, Reason.NO_DRIVER),
        (CUresult.CUDA_ERROR_UNKNOWN, Reason.NO_DRIVER),
        (CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, Reason.DRIVER_TOO_OLD),
    ],
)
def test_a_driver_that_does_not_start(install: Any, code: CUresult, expected: Reason) -> None:
    """What the driver says at its start is a reason of the list, with the driver's own word in the detail."""
    driver = install(Driver(FakeDevice()))
    driver.fails["cuInit"] = 0, code
    assert reason() == (expected, f"cuInit: {code.name}")


def test_no_device(install: Any) -> None:
    """A driver without a device, and a number that no device has, are reasons; with devices, each is described."""
    install(Driver())
    assert reason()[0] is Reason.NO_DEVICE
    install(Driver(FakeDevice(), FakeDevice(b"NVIDIA GeForce RTX 2070\0rubbish")))
    assert reason(index=2) == (Reason.NO_DEVICE, "gpu 2 of 2")
    assert reason(index=-1)[0] is Reason.NO_DEVICE
    assert [each.name for each in path.devices()] == ["NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 2070"]


@pytest.mark.parametrize(
    ("function", "code", "expected"),
    [
        ("cuDevicePrimaryCtxRetain", CUresult.CUDA_ERROR_DEVICE_UNAVAILABLE, Reason.NO_DEVICE),
        ("cuDevicePrimaryCtxRetain", CUresult.CUDA_ERROR_OUT_OF_MEMORY, Reason.MEMORY),
        ("cuModuleLoadData", CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU, Reason.DRIVER_TOO_OLD),
        ("cuModuleLoadData", CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION, Reason.DRIVER_TOO_OLD),
        ("cuModuleLoadData", CUresult.CUDA_ERROR_INVALID_IMAGE, Reason.DRIVER_TOO_OLD),
        ("cuStreamCreate", CUresult.CUDA_ERROR_NOT_PERMITTED, Reason.UNSUPPORTED),
        ("cuEventCreate", CUresult.CUDA_ERROR_ECC_UNCORRECTABLE, Reason.LOST),
        ("cuMemGetInfo", CUresult.CUDA_ERROR_ECC_UNCORRECTABLE, Reason.LOST),
        ("cuMemAlloc", CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, Reason.LOST),
        ("cuLaunchKernel", CUresult.CUDA_ERROR_LAUNCH_FAILED, Reason.LOST),
        ("cuEventSynchronize", CUresult.CUDA_ERROR_LAUNCH_TIMEOUT, Reason.TIMEOUT),
        ("cuMemcpyDtoH", CUresult.CUDA_ERROR_UNKNOWN, Reason.LOST),
        ("cuMemcpyHtoD", CUresult.CUDA_ERROR_INVALID_VALUE, Reason.UNSUPPORTED),
    ],
)
def test_every_failure_is_a_reason(install: Any, function: str, code: CUresult, expected: Reason) -> None:
    """Whatever the driver answers, at whatever call, is a reason, and what was taken until then is given back."""
    driver = install(Driver(FakeDevice()))
    driver.fails[function] = 0, code
    assert reason() == (expected, f"{function}: {code.name}")
    assert driver.balanced


def test_functions_that_an_old_driver_lacks(install: Any) -> None:
    """A driver that answers, but lacks a function, is too old; a library that cannot be loaded is no driver."""
    driver = install(Driver(FakeDevice()))
    driver.absent = {"cuMemcpyDtoH"}
    assert reason()[0] is Reason.DRIVER_TOO_OLD
    assert driver.balanced
    driver.absent = {"cuInit"}
    assert reason()[0] is Reason.NO_DRIVER


def test_a_compiler_that_says_no(install: Any) -> None:
    """A text that is refused is a reason with what the compiler says, and neither program nor context stays."""
    nvrtc = compiler(fails="error: nothing like this")
    driver = install(Driver(FakeDevice()), nvrtc)
    found, detail = reason()
    assert found is Reason.UNSUPPORTED
    assert "nothing like this" in detail
    assert nvrtc.programs == 0
    assert driver.balanced
    assert driver.calls["cuDevicePrimaryCtxRetain"] == 0


def test_lost_in_mid_run_everywhere(install: Any, library: ctypes.CDLL) -> None:
    """Wherever the device is lost, either there are the kernels that were measured and the reason, or the reason alone, and all is given back."""
    driver = install(Driver(FakeDevice(), library=library))
    measured(driver)
    launches = driver.calls["cuEventRecord"]
    reasons: set[Reason] = set()
    for share in (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95):
        driver = install(Driver(FakeDevice(), library=library))
        driver.fails["cuEventRecord"] = int(share * launches), CUresult.CUDA_ERROR_ECC_UNCORRECTABLE
        try:
            record = measured(driver)
        except NotMeasured as error:
            reasons.add(error.reason)
        else:
            reasons |= {Reason(each.reason) for each in record.errors}
            assert len(record.errors) <= 1
            assert all(each.valid for each in record.kernels.values())
        assert driver.balanced
    assert reasons == {Reason.LOST}
    for name in ("cuMemcpyDtoDAsync", "cuMemHostAlloc", "cuMemcpyDtoHAsync", "cuMemcpyHtoDAsync"):
        driver = install(Driver(FakeDevice(), library=library))
        driver.fails[name] = 0, CUresult.CUDA_ERROR_ECC_UNCORRECTABLE
        record = measured(driver)
        assert [each.reason for each in record.errors] == ["lost"]
        assert record.headline
        assert record.sweep


def test_a_part_that_fails_leaves_the_others(install: Any, library: ctypes.CDLL) -> None:
    """Pinned memory that is refused, or an error of the package itself, costs that part and no other."""
    driver = install(Driver(FakeDevice(), library=library))
    driver.fails["cuMemHostAlloc"] = 0, CUresult.CUDA_ERROR_OUT_OF_MEMORY
    record = measured(driver)
    assert [(each.reason, each.part) for each in record.errors] == [("memory", "h2d_pinned")]
    assert {"d2d", "h2d_pageable", "d2h_pageable"} == set(record.transfers)

    driver = install(Driver(FakeDevice(), library=library))
    driver._cuMemcpyDtoDAsync = lambda *given: (_ for _ in ()).throw(TypeError("no such argument"))  # type: ignore[attr-defined]
    record = measured(driver)
    assert [(each.reason, each.part, each.detail) for each in record.errors] == [("unsupported", "d2d", "TypeError: no such argument")]
    assert "h2d_pinned" in record.transfers


@pytest.mark.parametrize("raised", [NotMeasured(Reason.CANCELLED), KeyboardInterrupt()])
@pytest.mark.parametrize("part", ["compile", "copy", "sweep", "latency", "h2d_pinned"])
def test_cancelled(install: Any, library: ctypes.CDLL, raised: BaseException, part: str) -> None:
    """A measurement that is stopped in any part gives no record, and gives everything back."""
    driver = install(Driver(FakeDevice(), library=library))

    def stop(share: float, now: str) -> None:
        if now == part:
            raise raised

    with pytest.raises(type(raised)):
        path.measure(budget_s=0.05, array_bytes=SIZE, progress=stop)
    assert driver.balanced


def test_doubtful_rates_are_flagged() -> None:
    """More than the memory can carry, and a fifth of it or less, are doubtful; what lies between is not, nor is anything where nobody knows."""

    def rates(triad: float, copy: float) -> dict[str, Measured]:
        return {name: Measured(rate, rate, 0.0, 9, valid=True) for name, rate in (("triad", triad), ("copy", copy))}

    assert path.doubts(rates(400e9, 410e9), 448e9) == []
    assert path.doubts(rates(400e9, 480e9), 448e9) == [Flag.ABOVE_THEORETICAL]
    assert path.doubts(rates(40e9, 400e9), 448e9) == [Flag.FAR_BELOW]
    assert path.doubts(rates(1, 1), None) == []
    assert path.doubts({"copy": Measured.invalid()}, 448e9) == []
