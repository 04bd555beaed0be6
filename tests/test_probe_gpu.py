"""The kernels as WGSL, on a GPU that this machine has or on a program that imitates one (``make test`` installs it), and every way to fail."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from wallviz.probe import wgpu as path
from wallviz.probe import wgsl
from wallviz.probe.isolated import Measurement
from wallviz.probe.kernels import KERNELS, MEAN_READ, SCALAR, SEEDS, TOLERANCE, hashed
from wallviz.probe.reasons import Flag, NotMeasured, Reason
from wallviz.probe.record import Record, read

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
def gpu(adapter: Any) -> Iterator[path.Gpu]:
    """An open device with small arrays."""
    with path.opened(adapter) as gpu:
        gpu.allot(SIZE, SIZE)
        yield gpu


def values(gpu: path.Gpu, name: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(bytes(gpu._queue.read_buffer(gpu.arrays[name])), np.float32)


# -------------------------------------------------------------------------------------------------------------- the text


def test_the_text_is_always_the_same() -> None:
    """The module is text made from the table alone, letter for letter the same each time."""
    assert wgsl.source() == wgsl.source() == wgsl.module()["source"]


def test_every_kernel_has_its_check() -> None:
    """For each kernel of the table there are two entry points, one that runs it and one that checks it."""
    entries = re.findall(r"^fn (\w+)\(@builtin", wgsl.source(), re.MULTILINE)
    assert {name.removeprefix("kernel_") for name in entries if name.startswith("kernel_")} == set(KERNELS)
    assert {name.removeprefix("check_") for name in entries if name.startswith("check_")} == set(KERNELS)


def test_parameters_have_the_layout_of_the_text() -> None:
    """The bytes of the parameters follow the order in which the text declares them."""
    declared = re.search(r"struct Parameters \{(.*)\}", wgsl.source())
    assert declared
    assert re.findall(r"(\w+): ", declared[1]) == wgsl.module()["parameters"]
    given = wgsl.parameters(first=1, last=2, mask=3, step=4, loops=5, seed=6, s=7.0, above=8.0)
    assert [*np.frombuffer(given[:24], np.uint32), *np.frombuffer(given[24:], np.float32)] == [1, 2, 3, 4, 5, 6, 7, 8]


# --------------------------------------------------------------------------------------------------------------- kernels


def test_arrays_hold_the_hashed_values(gpu: path.Gpu) -> None:
    """The device fills b and c with the very values that every other path uses."""
    for name, seed in SEEDS.items():
        assert np.array_equal(values(gpu, name), hashed(0, SIZE // 4, seed))


@pytest.mark.parametrize("name", [name for name, kernel in KERNELS.items() if not kernel.reduces])
def test_kernels_write_the_closed_form(gpu: path.Gpu, name: str) -> None:
    """What a kernel leaves in the array is what the table says, computed on the host."""
    gpu.run(f"kernel_{name}", groups=8, last=ELEMENTS)
    expected = KERNELS[name].expected(hashed(0, SIZE // 4, SEEDS["b"]), hashed(0, SIZE // 4, SEEDS["c"]), SCALAR)
    assert np.max(np.abs(values(gpu, "a") - expected)) <= TOLERANCE["f32"]


def test_read_adds_up_everything(gpu: path.Gpu) -> None:
    """The sums that read keeps, when it is told to keep them, add up to that of the whole array."""
    gpu.clear("a")
    gpu.run("kernel_read", groups=4, last=ELEMENTS, above=-1.0)
    sums = values(gpu, "a")[: 4 * 4 * wgsl.WORKGROUP]
    assert sums.sum(dtype=np.float64) == pytest.approx(np.sum(hashed(0, SIZE // 4, SEEDS["b"]).astype(np.float64) ** 2), rel=1e-6)
    assert sums.sum(dtype=np.float64) / (SIZE // 4) == pytest.approx(MEAN_READ, abs=4 * 0.869 / (SIZE // 4) ** 0.5)


def test_a_timed_read_writes_nothing(gpu: path.Gpu) -> None:
    """Without that order, read leaves the other array alone."""
    gpu.clear("a")
    gpu.run("kernel_read", groups=4, last=ELEMENTS)
    gpu.run("walk", groups=4, mask=ELEMENTS // wgsl.WORKGROUP - 1, step=4, loops=32)
    assert not values(gpu, "a").any()


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("slices", [1, 3])
def test_results_stand_and_damage_is_caught(gpu: path.Gpu, name: str, slices: int) -> None:
    """Each kernel passes its check, in one piece and in slices, and the arrays are whole again after the negative control."""
    assert path.stands(gpu, KERNELS[name], path.Pass(f"kernel_{name}", ELEMENTS, slices, 8))
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
        standing = {name: path.stands(gpu, kernel, path.Pass(f"kernel_{name}", ELEMENTS, 1, 8)) for name, kernel in KERNELS.items()}
    assert {name for name, stands in standing.items() if not stands} == failing


def test_a_chain_is_followed_link_by_link(gpu: path.Gpu) -> None:
    """After n loads the chase stands where n steps along the ring lead."""
    links, visited = path.ring(16 * KIB, "random", np.random.default_rng(1))
    gpu.write("c", links)
    gpu.count(int(visited[5]), 1)
    gpu.run("chase", groups=1, bind="acb", loops=77)
    assert gpu.counted(1) == visited[82]


def test_a_chase_that_stops_early_is_noticed(adapter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that ends long loops before their time gives no latency."""
    text = wgsl.source()
    monkeypatch.setattr(wgsl, "source", lambda: text.replace("k < p.loops; k++) { at", "k < min(p.loops, 1500u); k++) { at"))
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
def record() -> Record:
    return path.measure(index=software(), allow_software=True, array_bytes=MIB, budget_s=0.5)


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
    measurement = Measurement("wgpu", quick=True, budget_s=0.2)
    record = measurement.wait(120)
    assert record is not None
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
    assert path.Gpu.trust(device, "kernel_copy") is trusted  # type: ignore[arg-type]
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

    make = path.Gpu.buffer

    def give(room: int) -> None:
        def buffer(self: path.Gpu, size: int, usage: str) -> Any:
            if size > room:
                raise wgpu.GPUOutOfMemoryError("no room")
            return make(self, size, usage)

        monkeypatch.setattr(path.Gpu, "buffer", buffer)

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
