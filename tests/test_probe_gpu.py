"""The kernels as WGSL, on a GPU that this machine has or on a program that imitates one (``make test`` installs it), and every way to fail."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import PATIENCE_S
from wallviz.machine.probe import run, wgsl
from wallviz.machine.probe import wgpu as path
from wallviz.machine.probe.isolated import Measurement, alone
from wallviz.machine.probe.kernels import KERNELS, MEAN_READ, SCALAR, SEEDS, TOLERANCE, hashed
from wallviz.machine.reasons import Flag, NotMeasured, Reason
from wallviz.machine.record import Record, read

KIB, MIB = 2**10, 2**20
SIZE = 256 * KIB
ELEMENTS = SIZE // wgsl.VECTOR_BYTES


def software() -> int:
    """The place of a software adapter: its figures mean nothing, and its results must be right all the same."""
    try:
        found = path.devices(allow_software=True)
    except NotMeasured as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the kernels, and there is no driver for them: {error} {error.detail}")
        pytest.skip(f"no GPU and no software driver (Debian: mesa-vulkan-drivers): {error}")
    return next((place for place, device in enumerate(found) if device.kind == "software"), 0)


@pytest.fixture(scope="module")
def adapter() -> Any:
    return path._adapters(allow_software=True)[software()]


@pytest.fixture
def gpu(adapter: Any) -> Iterator[path.WgpuGpu]:
    """An open device with small arrays."""
    with path.opened(adapter) as gpu:
        gpu.allot(SIZE, SIZE)
        yield gpu


def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything runs, and lasts by the clock as long as what was asked for: a microsecond for each vector or turn of a loop."""
    run = path.WgpuGpu.run

    def timed(self: path.WgpuGpu, entry: str, *, groups: int, repeats: int = 1, **how: Any) -> tuple[float, None]:
        run(self, entry, groups=groups, repeats=repeats, **how)
        return 1e-6 * (1 + repeats * (how.get("loops") or how.get("last", 0) - how.get("first", 0))), None

    monkeypatch.setattr(path.WgpuGpu, "run", timed)


def values(gpu: path.WgpuGpu, name: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(bytes(gpu._queue.read_buffer(gpu.arrays[name])), np.float32)


# -------------------------------------------------------------------------------------------------------------- the text


def test_the_text_is_always_the_same() -> None:
    """The module is text made from the table alone, letter for letter the same each time."""
    assert wgsl.source() == wgsl.source() == wgsl.module()["source"]


def test_every_kernel_has_its_check() -> None:
    """For each kernel of the table there are two entry points, one that runs it and one that checks it."""
    entries = re.findall(r"^fn (\w+)\(@builtin", wgsl.source(), re.MULTILINE)
    assert {name.removeprefix("kernel_") for name in entries if name.startswith("kernel_")} == set(KERNELS)
    assert {name.removeprefix("check_") for name in entries if name.startswith("check_")} == {*KERNELS, "walk"}


def test_parameters_have_the_layout_of_the_text() -> None:
    """The bytes of the parameters follow the order in which the text declares them."""
    declared = re.search(r"struct Parameters \{(.*)\}", wgsl.source())
    assert declared
    assert re.findall(r"(\w+): ", declared[1]) == wgsl.module()["parameters"]
    given = wgsl.parameters(first=1, last=2, mask=3, step=4, loops=5, seed=6, s=7.0, above=8.0)
    assert [*np.frombuffer(given[:24], np.uint32), *np.frombuffer(given[24:], np.float32)] == [1, 2, 3, 4, 5, 6, 7, 8]


# --------------------------------------------------------------------------------------------------------------- kernels


def test_arrays_hold_the_hashed_values(gpu: path.WgpuGpu) -> None:
    """The device fills b and c with the very values that every other path uses."""
    for name, seed in SEEDS.items():
        assert np.array_equal(values(gpu, name), hashed(0, SIZE // 4, seed))


@pytest.mark.parametrize("name", [name for name, kernel in KERNELS.items() if not kernel.reduces])
def test_kernels_write_the_closed_form(gpu: path.WgpuGpu, name: str) -> None:
    """What a kernel leaves in the array is what the table says, computed on the host."""
    gpu.run(f"kernel_{name}", groups=8, last=ELEMENTS)
    expected = KERNELS[name].expected(hashed(0, SIZE // 4, SEEDS["b"]), hashed(0, SIZE // 4, SEEDS["c"]), SCALAR)
    assert np.max(np.abs(values(gpu, "a") - expected)) <= TOLERANCE["f32"]


def test_read_adds_up_everything(gpu: path.WgpuGpu) -> None:
    """The sums that read keeps, when it is told to keep them, add up to that of the whole array."""
    gpu.clear("a")
    gpu.run("kernel_read", groups=4, last=ELEMENTS, above=-1.0)
    sums = values(gpu, "a")[: 4 * 4 * wgsl.WORKGROUP]
    assert sums.sum(dtype=np.float64) == pytest.approx(np.sum(hashed(0, SIZE // 4, SEEDS["b"]).astype(np.float64) ** 2), rel=1e-6)
    assert sums.sum(dtype=np.float64) / (SIZE // 4) == pytest.approx(MEAN_READ, abs=4 * 0.869 / (SIZE // 4) ** 0.5)


def test_a_timed_read_writes_nothing(gpu: path.WgpuGpu) -> None:
    """Without that order, read leaves the other array alone."""
    gpu.clear("a")
    gpu.run("kernel_read", groups=4, last=ELEMENTS)
    gpu.run("walk", groups=4, mask=ELEMENTS // wgsl.WORKGROUP - 1, step=4, loops=32)
    assert not values(gpu, "a").any()


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("slices", [1, 3])
def test_results_stand_and_damage_is_caught(gpu: path.WgpuGpu, name: str, slices: int) -> None:
    """Each kernel passes its check, in one piece and in slices, and the arrays are whole again after the negative control."""
    assert path.stands(gpu, KERNELS[name], path.WgpuPass(f"kernel_{name}", ELEMENTS, slices, 8))
    assert np.array_equal(values(gpu, "b"), hashed(0, SIZE // 4, SEEDS["b"]))


@pytest.mark.parametrize(
    ("right", "wrong", "failing"),
    [
        ("a[i] = b[i] + vec4<f32>(p.s) * c[i];", "a[i] = b[i] + vec4<f32>(p.s) * b[i];", {"triad"}),
        ("a[i] = b[i];", "if (i != 77u) { a[i] = b[i]; }", {"copy"}),
        ("total += b[i] * b[i];", "if (i != 77u) { total += b[i] * b[i]; }", {"read"}),
        ("a[i] = b[i] + c[i];", "a[i] = bitcast<vec4<f32>>(vec4<u32>(0x7FC00000u | p.seed));", {"add"}),
        ("atomicAdd(&found[0], 1u);", "", set(KERNELS)),  # a check that finds nothing
        ("atomicAdd(&found[0], 1u);", "atomicMax(&found[0], 2u);", set(KERNELS)),  # a check that does not count
    ],
)
def test_what_is_wrong_has_no_figure(adapter: Any, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, failing: set[str]) -> None:
    """A wrong kernel, one wrong element, what is no number, or a check that is blind: none of them passes, and the others still do."""
    text = wgsl.source()
    assert right in text
    monkeypatch.setattr(wgsl, "source", lambda: text.replace(right, wrong))
    with path.opened(adapter) as gpu:
        gpu.allot(SIZE, SIZE)
        standing = {name: path.stands(gpu, kernel, path.WgpuPass(f"kernel_{name}", ELEMENTS, 1, 8)) for name, kernel in KERNELS.items()}
    assert {name for name, stands in standing.items() if not stands} == failing


@pytest.mark.parametrize("walkers", [1, 3, 21, 63])
@pytest.mark.parametrize("size", [16 * KIB, SIZE])
def test_the_walk_reads_every_word_once(gpu: path.WgpuGpu, walkers: int, size: int) -> None:
    """Places 0 to n of a working set of n blocks are read once each, whatever the number of workgroups, and the last round goes on from the start."""
    way = path.walking(size, walkers)
    blocks = size // wgsl.BLOCK_BYTES
    read = np.bincount(np.arange(walkers * way["loops"]) % blocks, minlength=blocks)
    assert read.min() == (walkers * way["loops"]) // blocks
    gpu.clear("a")
    gpu.run("walk", groups=walkers, above=-1.0, **way)
    sums = values(gpu, "a")[: walkers * 4 * wgsl.WORKGROUP].sum(dtype=np.float64)
    squares = (hashed(0, size // 4, SEEDS["b"]).astype(np.float64) ** 2).reshape(blocks, -1).sum(axis=1)
    assert sums == pytest.approx(squares @ read, rel=1e-6)
    assert path.covers(gpu, size, walkers)
    assert np.array_equal(values(gpu, "b"), hashed(0, SIZE // 4, SEEDS["b"]))


@pytest.mark.parametrize("walkers", [1, 15, 1055, 2047])
@pytest.mark.parametrize("size", [16 * KIB, MIB, 16 * MIB, 256 * MIB])
def test_each_workgroup_comes_to_the_whole_set(walkers: int, size: int) -> None:
    """With an odd step no workgroup goes round in a few blocks that its own cache holds: it comes to every block before it comes to one again."""
    way = path.walking(size, walkers)
    blocks = way["mask"] + 1
    assert blocks == size // wgsl.BLOCK_BYTES
    assert len({(k * way["step"]) & way["mask"] for k in range(blocks)}) == blocks


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("block += p.step;", "block += p.step & 0xFFFFFFFEu;"),  # an even step
        ("let value = b[(block & p.mask)", "let value = b[(block & (p.mask >> 1u))"),  # half of the set
        ("k < p.loops; k++) {\n    let value = b", "k < min(p.loops, 4u); k++) {\n    let value = b"),  # ends before its time
        ("atomicAdd(&found[0], 1u);", ""),  # a check that finds nothing
    ],
)
def test_a_walk_that_leaves_something_out_has_no_staircase(adapter: Any, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    """A walk that does not read its whole set, or a check that would not see it, is invalid: no staircase at all."""
    text = wgsl.source()
    assert right in text
    place = text.index("fn walk(")
    changed = text.replace(right, wrong) if right.startswith("atomic") else text[:place] + text[place:].replace(right, wrong, 1)
    monkeypatch.setattr(wgsl, "source", lambda: changed)
    monkeypatch.setattr(path, "resident", lambda gpu: 3)  # on however many processors
    with path.opened(adapter) as gpu:
        gpu.allot(SIZE, SIZE)
        with pytest.raises(NotMeasured) as raised:
            path.staircase(gpu, [16 * KIB, SIZE], 1e9, 0.0)
    assert (raised.value.reason, raised.value.detail) == (Reason.INVALID, f"walk over {SIZE} bytes")


def test_workgroups_count_those_at_once(gpu: path.WgpuGpu) -> None:
    """The crowd counts those of it that run at once: one at least, and when it is over none; a timed walk has an odd number of them."""
    found = path.resident(gpu)
    assert 1 <= found <= ELEMENTS // wgsl.WORKGROUP // 2
    assert gpu.counted(2) == 0
    asked: list[int] = []
    run = gpu.run
    gpu.run = lambda entry, *, groups, **how: asked.append(groups) or run(entry, groups=groups, **how)  # type: ignore[assignment,method-assign]
    gpu.count(0, 3)
    steps = path.staircase(gpu, [16 * KIB, SIZE], 1e9, 0.0)
    assert [step.bytes for step in steps] == [16 * KIB, SIZE]
    assert asked[-1] % 2 == 1
    assert asked[-1] <= max(1, gpu.counted(3))


@pytest.mark.parametrize("rounds", [1, 33, wgsl.LONGEST_LOOP])
def test_no_loop_is_longer_than_software_drivers_allow(rounds: int) -> None:
    """However fast a working set is read, a loop has at most so many rounds as every driver runs to the end."""
    asked: list[int] = []

    def seconds(entry: str, *, groups: int, loops: int = 1, **how: int) -> float:
        asked.append(loops)
        return 1e-12 * loops

    device = SimpleNamespace(
        arrays={"b": SimpleNamespace(size=SIZE)},
        most_groups=65535,
        seconds=seconds,
        run=lambda entry, **how: (1.0, None),
        counted=lambda place=0: 1 if place == 3 else 0,
        count=lambda value, place=0: None,
        clear=lambda name: None,
        damage=lambda name, place, amount: None,
        refill=lambda: None,
    )
    with pytest.raises(NotMeasured):  # a device that does nothing reads nothing
        path.staircase(device, [rounds * wgsl.BLOCK_BYTES], 1e15, 0.0)  # type: ignore[arg-type]
    assert max(asked) <= wgsl.LONGEST_LOOP


def test_a_staircase_that_is_invalid_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the walk is invalid the record has its reason and no staircase, and keeps the kernels and the latency."""
    steady(monkeypatch)
    monkeypatch.setattr(path, "covers", lambda *given: False)
    record = path.measure(index=software(), allow_software=True, array_bytes=MIB, budget_s=0.3)
    assert [(error.reason, error.part) for error in record.errors] == [(Reason.INVALID, "sweep")]
    assert not record.sweep
    assert record.latency
    assert all(found.valid for found in record.kernels.values())


def test_a_chain_is_followed_link_by_link(gpu: path.WgpuGpu) -> None:
    """After n loads the chase stands where n steps along the ring lead."""
    links, visited = path.ring(16 * KIB, "random", np.random.default_rng(1))
    gpu.write("c", links)
    gpu.count(int(visited[5]), 1)
    gpu.run("chase", groups=1, bind="acb", loops=77)
    assert gpu.counted(1) == visited[82]


def test_a_chase_that_stops_early_is_noticed(adapter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that ends long loops before their time gives no latency."""
    steady(monkeypatch)
    text = wgsl.source()
    monkeypatch.setattr(wgsl, "source", lambda: text.replace("k < p.loops; k++) { at", "k < min(p.loops, 1501u); k++) { at"))
    with path.opened(adapter) as gpu:
        gpu.allot(SIZE, SIZE)
        with pytest.raises(NotMeasured) as raised:
            path.latency(gpu, 16 * KIB, "random", np.random.default_rng(1))
    assert raised.value.reason is Reason.INVALID


@pytest.mark.parametrize("order", ["random", "page"])
@pytest.mark.parametrize("size", [1 * KIB, 64 * KIB])
def test_rings_are_closed(order: str, size: int) -> None:
    """A ring visits every line once before it comes back, and in page order all lines of a page together."""
    links, visited = path.ring(size, order, np.random.default_rng(1))
    at = int(visited[0])
    followed = [at := int(links[at]) for _ in visited]
    assert followed == [*visited[1:], visited[0]]
    assert sorted(visited) == list(range(0, size // 4, wgsl.LINE_BYTES // 4))
    if order == "page":
        assert np.count_nonzero(np.diff(visited // (path.PAGE_BYTES // 4))) <= size // path.PAGE_BYTES


# ----------------------------------------------------------------------------------------------------------------- whole


@pytest.fixture(scope="module")
def record() -> Iterator[Record]:
    with pytest.MonkeyPatch.context() as patch:
        steady(patch)
        yield path.measure(index=software(), allow_software=True, array_bytes=MIB, budget_s=0.5)


def test_a_whole_measurement(record: Record) -> None:
    """Every kernel is valid and has its figures, beside a staircase, a latency, and what was measured."""
    assert record.path == "wgpu"
    assert not record.errors
    assert list(record.kernels) == list(KERNELS)
    for found in record.kernels.values():
        assert found.valid
        assert found.best_bytes_per_s
        assert found.samples >= path.LEAST_ROUNDS - 1
    assert record.sweep[0].bytes == 16 * KIB
    assert record.latency
    assert record.array_bytes == MIB
    assert record.runs[0].engine == "wgsl"


def test_software_is_called_so(record: Record) -> None:
    """A program on the CPU is never told from a GPU by its name alone: its kind and a flag say what it is."""
    if record.device.name and "llvmpipe" in record.device.name:
        assert record.device.kind == "software"
    assert (Flag.SOFTWARE in record.flags) == (record.device.kind == "software")


def test_the_record_is_read_back(record: Record) -> None:
    """The record of a GPU passes the suspicion with which records are read."""
    assert read(record.as_json()) == record


def test_it_takes_no_more_memory_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """All buffers together hold what the record names as its limit, and a few counters."""
    taken: list[int] = []
    make = path.WgpuGpu.buffer
    monkeypatch.setattr(path.WgpuGpu, "buffer", lambda self, size, usage: taken.append(size) or make(self, size, usage))
    record = path.measure(index=software(), allow_software=True, array_bytes=SIZE, budget_s=0.1)
    assert record.memory_limit_bytes == 3 * SIZE
    assert 3 * SIZE <= sum(taken) <= 3 * SIZE + 4 * KIB


@pytest.mark.skipif(os.name != "posix", reason="the lock is POSIX's")
def test_a_gpu_waits_for_the_cpu_that_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one path measures, every other path of this machine says busy at once: they would measure each other."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with alone():
        for each in ("wgpu", "cuda"):
            record = Measurement(each, quick=True, time_limit_s=PATIENCE_S).result()
            assert [error.reason for error in record.errors] == [Reason.BUSY]
    monkeypatch.setattr("tempfile.tempdir", None)


def test_progress_grows_and_ends() -> None:
    """Progress starts at nothing, never goes back, names its parts, and ends with all."""
    told: list[tuple[float, str]] = []
    path.measure(index=software(), allow_software=True, array_bytes=SIZE, budget_s=0.1, progress=lambda share, part: told.append((share, part)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert {"memory", "check", "sweep", "latency", *KERNELS} <= {part for _, part in told}


def test_everything_is_destroyed(adapter: Any) -> None:
    """Whatever happens while a device is open, everything that was made of it is destroyed, and the device last."""
    destroyed: list[Any] = []

    def watched(each: Any) -> Any:
        return SimpleNamespace(destroy=lambda: (destroyed.append(each), each.destroy()))

    with pytest.raises(NotMeasured) as raised, path.opened(adapter) as gpu:  # noqa: PT012 - what happens in the block is the subject
        gpu.allot(SIZE, SIZE)
        made = [*gpu._made, gpu._device]
        assert len(made) >= 2 + len(gpu.arrays) + 1
        gpu._made, gpu._device = [watched(each) for each in gpu._made], watched(gpu._device)
        raise RuntimeError("something else")
    assert destroyed == made
    assert (raised.value.reason, raised.value.detail) == (Reason.UNSUPPORTED, "RuntimeError: something else")


def test_an_isolated_process_answers() -> None:
    """In a process of its own, the path answers with a record, and the process is gone."""
    measurement = Measurement("wgpu", quick=True, budget_s=0.2, time_limit_s=PATIENCE_S)
    record = measurement.result()
    assert record.kernels or record.errors[0].reason in set(Reason) - {Reason.LOST, Reason.TIMEOUT}
    assert measurement.done


# --------------------------------------------------------------------------------------------------------------- planning


class Slow:
    """A device of `rate` vectors a second with `overhead_s` for each submission, and no clock: it keeps what it was asked."""

    def __init__(self, rate: float, overhead_s: float = 1e-4) -> None:
        self.rate, self.overhead_s = rate, overhead_s
        self.dispatches: list[float] = []
        self.submissions: list[float] = []

    def groups(self, elements: int, most: int = 4096) -> int:
        return max(1, min(most, elements // wgsl.WORKGROUP))

    def seconds(self, entry: str, *, groups: int, repeats: int = 1, first: int = 0, last: int = 0) -> float:
        self.dispatches.append((last - first) / self.rate)
        self.submissions.append(repeats * self.dispatches[-1] + self.overhead_s)
        return self.submissions[-1]


@pytest.mark.parametrize("bytes_per_s", [5e8, 2e10, 5e11, 8e12])
def test_no_dispatch_holds_the_device(bytes_per_s: float) -> None:
    """From a slow adapter to the fastest, a dispatch lasts 50 ms at most and a submission 100 ms, and a sample is long against its overhead."""
    device = Slow(bytes_per_s / (3 * wgsl.VECTOR_BYTES))
    way = path.planned(device, "kernel_triad", 256 * MIB // wgsl.VECTOR_BYTES)  # type: ignore[arg-type]
    device.submissions.clear()
    assert way.seconds(device) == pytest.approx(3 * 256 * MIB / bytes_per_s, rel=0.1)  # type: ignore[arg-type]
    assert max(device.dispatches) <= path.DISPATCH_S
    assert max(device.submissions) <= 0.1
    assert sum(device.submissions) >= path.SAMPLE_S / 2


@pytest.mark.parametrize(
    ("gpu_s", "trusted"), [(0.0195, True), (0.02 / 52.08, False), (0.02 * 24, False), (None, False)], ids=["ns", "52 ns ticks", "24 x", "none"]
)
def test_timestamps_must_agree_with_the_wall(gpu_s: float | None, trusted: bool) -> None:
    """Timestamps of a device that do not count nanoseconds, or are missing, are not used."""
    device = SimpleNamespace(run=lambda entry, **how: (0.02, gpu_s), agreed=None)
    assert path.WgpuGpu.trust(device, "kernel_copy") is trusted  # type: ignore[arg-type]
    assert device.agreed is trusted


# ---------------------------------------------------------------------------------------------------------------- failing


def adapters(monkeypatch: pytest.MonkeyPatch, *offered: dict[str, Any], error: Exception | None = None) -> None:
    """Makes the package offer these adapters, or fail."""

    def enumerate_adapters_sync() -> list[Any]:
        if error:
            raise error
        return [SimpleNamespace(info=info) for info in offered]

    fake = SimpleNamespace(gpu=SimpleNamespace(enumerate_adapters_sync=enumerate_adapters_sync))
    monkeypatch.setitem(sys.modules, "wgpu", fake)


def info(device: str, kind: str = "DiscreteGPU", backend: str = "Vulkan", **more: Any) -> dict[str, Any]:
    return {"device": device, "adapter_type": kind, "backend_type": backend, "vendor": "", "description": "", **more}


def why(**options: Any) -> NotMeasured:
    with pytest.raises(NotMeasured) as raised:
        path.measure(**options)
    return raised.value


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wgpu the reason names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "wgpu", None)
    assert why().reason is Reason.NO_PACKAGE
    assert 'pip install "wallviz[gpu]"' in str(why())


@pytest.mark.parametrize("layout", ["none", "namespace", "foreign", "bindings"])
def test_cuda_is_a_path_where_its_bindings_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, layout: str) -> None:
    """Whoever else owns a package called cuda, or nobody, makes no path of it: only the bindings do, and asking never fails."""
    files = {"none": None, "namespace": "cuda/other/__init__.py", "foreign": "cuda.py", "bindings": "cuda/bindings/__init__.py"}
    if name := files[layout]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    for known in [module for module in sys.modules if module.split(".")[0] == "cuda"]:
        monkeypatch.delitem(sys.modules, known)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    importlib.invalidate_caches()
    assert run.gpu_paths() == (("cuda", "wgpu") if layout == "bindings" else ("wgpu",))
    for made in [module for module in sys.modules if module.split(".")[0] == "cuda"]:
        monkeypatch.delitem(sys.modules, made)


def test_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that cannot load its library, or finds no driver, is a reason."""
    adapters(monkeypatch, error=RuntimeError("no library"))
    assert (why().reason, why().detail) == (Reason.NO_DRIVER, "RuntimeError: no library")


def test_without_an_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that offers nothing is a reason."""
    adapters(monkeypatch)
    assert why().reason is Reason.NO_ADAPTER


@pytest.mark.parametrize(
    "only", [info("llvmpipe (LLVM 15)", "CPU"), info("Microsoft Basic Render Driver", "Unknown", "D3D12"), info("SwiftShader Device", "Unknown")]
)
def test_software_is_refused(monkeypatch: pytest.MonkeyPatch, only: dict[str, Any]) -> None:
    """A program that imitates a GPU is not measured as one, by whatever sign it shows."""
    adapters(monkeypatch, only)
    assert why().reason is Reason.SOFTWARE


def test_devices_stand_once_and_the_fast_ones_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each GPU has one place, by one interface, discrete ones before those of the processor, and software none."""
    card, chip = "Radeon RX 7900", "Radeon Graphics"
    offered = [
        info(chip, "IntegratedGPU"),
        info(card),
        info(card),
        info("llvmpipe", "CPU"),
        info(card, backend="OpenGL"),
        info(card, backend="D3D12"),
    ]
    adapters(monkeypatch, *offered)
    assert [device.name for device in path.devices()] == [card, card, chip]
    assert why(index=3).reason is Reason.NO_DEVICE


def test_shared_memory_is_the_computers_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A GPU of the processor may take a fifth of the computer's free memory; an AMD card's own is asked of Linux; of others it is not known."""
    monkeypatch.setattr(path.limits, "memory_bytes", lambda: 10 * MIB)
    for place, (device, free) in enumerate([(0x744C, 3), (0x1638, 1)]):
        folder = tmp_path / f"card{place}" / "device"
        folder.mkdir(parents=True)
        for name, text in {"device": hex(device), "mem_info_vram_total": str(8 * MIB), "mem_info_vram_used": str((8 - free) * MIB)}.items():
            (folder / name).write_text(f"{text}\n")
    assert path.free_bytes(info("", "IntegratedGPU"), tmp_path) == 10 * MIB
    assert path.free_bytes(info("", vendor_id=path.AMD, device_id=0x744C), tmp_path) == 3 * MIB
    assert path.free_bytes(info("", vendor_id=0x10DE, device_id=0x744C), tmp_path) is None


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a fifth of the free memory does not hold the smallest array, nothing is tried."""
    place = software()
    monkeypatch.setattr(path.limits, "memory_bytes", lambda: 16 * MIB)
    monkeypatch.setattr(path, "_shared", lambda info: True)
    assert why(index=place, allow_software=True).reason is Reason.MEMORY


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes every device refuse buffers above so many bytes."""
    import wgpu

    make = path.WgpuGpu.buffer

    def give(room: int) -> None:
        def buffer(self: path.WgpuGpu, size: int, usage: str) -> Any:
            if size > room:
                raise wgpu.GPUOutOfMemoryError("no room")
            return make(self, size, usage)

        monkeypatch.setattr(path.WgpuGpu, "buffer", buffer)

    return give


def test_arrays_are_halved_until_they_fit(scarce: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that refuses an array gets half of it, and the record says so."""
    monkeypatch.setattr(path, "SMALLEST_ARRAY_BYTES", 64 * KIB)
    place = software()
    scarce(128 * KIB)
    record = path.measure(index=place, allow_software=True, array_bytes=SIZE, budget_s=0.1)
    assert record.array_bytes == 128 * KIB
    assert Flag.HALVED in record.flags
    assert all(found.valid for found in record.kernels.values())


def test_no_room_for_the_smallest(adapter: Any, scarce: Any) -> None:
    """A device that refuses the smallest array too has too little memory."""
    scarce(16 * KIB)
    with pytest.raises(NotMeasured) as raised, path.opened(adapter) as gpu:
        gpu.allot(SIZE, 64 * KIB)
    assert raised.value.reason is Reason.MEMORY


def test_a_lost_device_is_a_reason(adapter: Any) -> None:
    """A device that goes away in the middle is said to be lost."""
    with pytest.raises(NotMeasured) as raised, path.opened(adapter) as gpu:  # noqa: PT012 - what happens in the block is the subject
        gpu.allot(SIZE, SIZE)
        gpu._device.destroy()
        gpu.run("kernel_copy", groups=1, last=ELEMENTS)
    assert raised.value.reason is Reason.LOST


def test_a_text_that_does_not_compile_is_a_reason(adapter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that cannot compile the kernels does not support them."""
    monkeypatch.setattr(wgsl, "source", lambda: "fn {")
    with pytest.raises(NotMeasured) as raised, path.opened(adapter):
        pass
    assert raised.value.reason is Reason.UNSUPPORTED
