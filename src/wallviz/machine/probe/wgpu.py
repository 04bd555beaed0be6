"""Any local GPU through the package wgpu (extra ``gpu``: Vulkan, Metal, Direct3D 12): the kernels of `wgsl`, the staircase, the latency.

Nothing here holds the device long: one dispatch lasts 50 ms at most and one submission 100 ms, below what operating systems take for a hang.
Everything that was made is destroyed in the end, whatever happens.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wallviz.machine.probe import limits, negative_control, wgsl
from wallviz.machine.probe.cpu import sizes
from wallviz.machine.probe.kernels import KERNELS, SEEDS, Kernel
from wallviz.machine.probe.samples import bimodal, measured
from wallviz.machine.reasons import Flag, NotMeasured, Reason
from wallviz.machine.record import Device, Failure, KernelRun, Latency, Measured, Record, Stair, failure, plain_text

Progress: TypeAlias = Callable[[float, str], None]

MIB = 2**20
BUDGET_S = 8.0
QUICK_BUDGET_S = 3.0
ARRAY_BYTES = 256 * MIB
"""Each of the three arrays, unless four times the last-level cache is more."""
SMALLEST_ARRAY_BYTES = 4 * MIB
LARGEST_CHAIN_BYTES = 256 * MIB
MEMORY_SHARE = {"gpu": 0.25, "host": 0.2}
"""The most that one array may take of what is free: in a memory of the GPU's own, or in the one that it shares with the processor."""
DISPATCH_S = 0.05
"""The longest dispatch; what would take longer is cut into slices of half of it."""
SAMPLE_S = 0.02
WARM_UP_S = 0.3
LEAST_ROUNDS = 3
CROWD_S = 1e-4
"""How long each workgroup of a crowd must stay before their number at once counts: none leaves before the device is full."""
LONGEST_CHASE = wgsl.LONGEST_LOOP // 2
"""Loads of one dispatch; twice as many are the most."""
SHORTEST_LOAD_S = 1e-10
"""Less than one clock of any processor: the noise was longer than the chase."""
TIMERS_AGREE = (0.5, 1.1)
"""GPU time over wall time of one sample: outside, the timestamps do not count nanoseconds (some drivers give unscaled ticks)."""
PAGE_BYTES = 4096
_BACKENDS = ("Metal", "Vulkan", "D3D12", "OpenGL")
_KINDS = ("DiscreteGPU", "IntegratedGPU", "Unknown", "CPU")
_SOFTWARE = ("llvmpipe", "swiftshader", "softpipe", "basic render", "warp")
AMD = 0x1002


# --------------------------------------------------------------------------------------------------------------- adapters


def devices(*, allow_software: bool = False) -> tuple[Device, ...]:
    """The GPUs that can be measured, discrete ones first. Raises `NotMeasured` where there is none."""
    return tuple(described(adapter) for adapter in _adapters(allow_software=allow_software))


def is_software(info: Mapping[str, Any]) -> bool:
    """Whether an adapter is a program on the CPU.

    >>> is_software({"adapter_type": "CPU"}), is_software({"adapter_type": "DiscreteGPU", "device": "GeForce RTX 2070"})
    (True, False)
    """
    named = f"{info.get('device', '')} {info.get('vendor', '')} {info.get('description', '')}".lower()
    return info.get("adapter_type") == "CPU" or any(word in named for word in _SOFTWARE)


def described(adapter: Any) -> Device:
    """What the adapter tells of itself; serial numbers are not among it."""
    info = adapter.info
    return Device(
        name=plain_text(info.get("device", "")),
        kind="software" if is_software(info) else "gpu",
        vendor=plain_text(info.get("vendor", "")),
        architecture=plain_text(info.get("architecture", "")),
        driver=plain_text(info.get("description", "")),
        backend=plain_text(info.get("backend_type", "")),
        system=plain_text(platform.system()),
    )


def _adapters(*, allow_software: bool) -> list[Any]:
    """Every GPU once: those of the first interface that offers any, discrete ones first."""
    try:
        import wgpu
    except ImportError as error:
        raise NotMeasured(Reason.NO_PACKAGE, str(error), extra="gpu") from None
    logging.getLogger("wgpu").setLevel(logging.CRITICAL)  # it would print what a record says
    try:
        offered = list(wgpu.gpu.enumerate_adapters_sync())
    except Exception as error:
        raise NotMeasured(Reason.NO_DRIVER, f"{type(error).__name__}: {error}") from None
    if not offered:
        raise NotMeasured(Reason.NO_ADAPTER)
    usable = [adapter for adapter in offered if allow_software or not is_software(adapter.info)]
    if not usable:
        raise NotMeasured(Reason.SOFTWARE, str(offered[0].info.get("device", "")))

    def place(adapter: Any) -> tuple[int, int]:
        backend, kind = adapter.info.get("backend_type"), adapter.info.get("adapter_type")
        return _place(_BACKENDS, backend), _place(_KINDS, kind)

    usable.sort(key=place)
    return [adapter for adapter in usable if place(adapter)[0] == place(usable[0])[0]]


def _place(names: tuple[str, ...], name: object) -> int:
    return names.index(name) if isinstance(name, str) and name in names else len(names)


def free_bytes(info: Mapping[str, Any], drm: Path = Path("/sys/class/drm")) -> int | None:
    """Memory that the adapter can still give: the computer's own where they share it, or what Linux tells of an AMD card. None: not known."""
    if _shared(info):
        return limits.memory_bytes()
    found = []
    for card in drm.glob("card*/device") if info.get("vendor_id") == AMD else ():
        with suppress(OSError, ValueError):
            if int((card / "device").read_text(), 16) == info.get("device_id"):
                found.append(int((card / "mem_info_vram_total").read_text()) - int((card / "mem_info_vram_used").read_text()))
    return min(found, default=None)


def _shared(info: Mapping[str, Any]) -> bool:
    return info.get("adapter_type") in ("IntegratedGPU", "CPU")


# ----------------------------------------------------------------------------------------------------------------- device


class WgpuGpu:
    """An open device: it runs entry points of `wgsl` on three arrays and says how long they took."""

    def __init__(self, adapter: Any) -> None:
        self._made: list[Any] = []
        self.timestamps = "timestamp-query" in adapter.features
        self.agreed = False
        """Whether the device's timestamps are used; see `WgpuGpu.trust`."""
        self.most_bytes: int = min(adapter.limits["max-storage-buffer-binding-size"], adapter.limits["max-buffer-size"])
        self.most_groups: int = min(65535, adapter.limits["max-compute-workgroups-per-dimension"])
        self._device = adapter.request_device_sync(
            required_features=["timestamp-query"] if self.timestamps else [],
            required_limits={
                "max-storage-buffer-binding-size": adapter.limits["max-storage-buffer-binding-size"],
                "max-buffer-size": adapter.limits["max-buffer-size"],
            },
        )
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        device = self._device
        self._queue = device.queue
        self.parameters = self.buffer(wgsl.PARAMETER_BYTES, "UNIFORM | COPY_DST")
        self.found = self.buffer(16, "STORAGE | COPY_DST | COPY_SRC")
        if self.timestamps:
            self._queries = device.create_query_set(type="timestamp", count=2)
            self._made.append(self._queries)
            self._ticks = self.buffer(16, "QUERY_RESOLVE | COPY_SRC")
        self._layout = device.create_bind_group_layout(
            entries=[{"binding": place, "visibility": "COMPUTE", "buffer": {"type": kind}} for place, kind in enumerate(wgsl.BINDINGS)]
        )
        self._module = device.create_shader_module(code=wgsl.source())
        self._pipelines: dict[str, Any] = {}
        self._groups: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}

    def close(self) -> None:
        """Destroys everything, the device last."""
        for each in [*self._made, self._device]:
            with suppress(Exception):
                each.destroy()
        self._made.clear()

    def buffer(self, size: int, usage: str) -> Any:
        """A buffer that is destroyed with the device. Raises MemoryError where there is no room."""
        made = self._device.create_buffer(size=size, usage=usage)
        self._made.append(made)
        return made

    def allot(self, wanted_bytes: int, smallest_bytes: int) -> int:
        """Makes the three arrays of `wanted_bytes`, or half of them, and again, until they fit; answers with what they got."""
        size = wanted_bytes
        while size > self.most_bytes:
            size //= 2
        while size >= smallest_bytes:
            before = len(self._made)
            try:
                self.arrays = {name: self.buffer(size, "STORAGE | COPY_DST | COPY_SRC") for name in "abc"}
                for name, seed in SEEDS.items():
                    self._fill(name, size, seed)  # what was promised and is not there is noticed here
            except MemoryError:
                self._groups.clear()
                while len(self._made) > before:
                    self._made.pop().destroy()
                size //= 2
            else:
                return size
        raise NotMeasured(Reason.MEMORY, f"3 x {size * 2} bytes")

    def _fill(self, name: str, size: int, seed: int) -> None:
        others = "".join(other for other in "abc" if other != name)
        elements, most = size // wgsl.VECTOR_BYTES, 64 * MIB // wgsl.VECTOR_BYTES
        for first in range(0, elements, most):
            last = min(first + most, elements)
            self.run("fill", groups=self.groups(last - first), bind=name + others, first=first, last=last, seed=seed)

    def refill(self) -> None:
        """Gives `b` its values again."""
        self._fill("b", self.arrays["b"].size, SEEDS["b"])

    def clear(self, name: str) -> None:
        """Sets an array to zero, which no kernel writes."""
        encoder = self._device.create_command_encoder()
        encoder.clear_buffer(self.arrays[name])
        self._queue.submit([encoder.finish()])

    def groups(self, elements: int, most: int = 4096) -> int:
        """Workgroups for so many vectors: never more than have something to do."""
        return max(1, min(most, self.most_groups, elements // wgsl.WORKGROUP))

    def run(self, entry: str, *, groups: int, repeats: int = 1, bind: str = "abc", **values: Any) -> tuple[float, float | None]:
        """Runs `entry` so often in one submission, the arrays of `bind` as its a, b and c: seconds by the wall, and by the device."""
        self._queue.write_buffer(self.parameters, 0, wgsl.parameters(**values))
        pipeline, group = self._pipeline(entry), self._bound(bind)
        encoder = self._device.create_command_encoder()
        stamps = {"query_set": self._queries, "beginning_of_pass_write_index": 0, "end_of_pass_write_index": 1} if self.timestamps else None
        compute = encoder.begin_compute_pass(timestamp_writes=stamps)
        compute.set_pipeline(pipeline)
        compute.set_bind_group(0, group)
        for _ in range(repeats):
            compute.dispatch_workgroups(groups)
        compute.end()
        if self.timestamps:
            encoder.resolve_query_set(self._queries, 0, 2, self._ticks, 0)
        commands = encoder.finish()
        start = time.perf_counter()
        self._queue.submit([commands])
        # Reading a few bytes is how to wait: in wgpu 0.32, queue.on_submitted_work_done_sync raises.
        read = bytes(self._queue.read_buffer(self._ticks if self.timestamps else self.found))
        wall = time.perf_counter() - start
        if not self.timestamps:
            return wall, None
        begin, end = np.frombuffer(read, np.uint64)
        return wall, float(end - begin) * 1e-9 if end > begin else None

    def seconds(self, entry: str, **values: Any) -> float:
        """The time of `run`, by the device where its timestamps are trusted."""
        wall, gpu = self.run(entry, **values)
        return max(1e-9, gpu if self.agreed and gpu is not None else wall)

    def trust(self, entry: str, **values: Any) -> bool:
        """Decides whether the device's timestamps are used: they must agree with the wall on runs that are long against its overhead."""
        pairs = [self.run(entry, **values) for _ in range(3)]
        shares = [gpu / wall for wall, gpu in pairs if gpu is not None]
        self.agreed = len(shares) == len(pairs) and TIMERS_AGREE[0] < median(shares) < TIMERS_AGREE[1]
        return self.agreed

    def counted(self, place: int = 0) -> int:
        """A counter of `found`."""
        return int(np.frombuffer(bytes(self._queue.read_buffer(self.found, 4 * place, 4)), np.uint32)[0])

    def count(self, value: int, place: int = 0) -> None:
        """Sets a counter of `found`."""
        self._queue.write_buffer(self.found, 4 * place, np.array([value], np.uint32))

    def damage(self, name: str, place: int, amount: float) -> None:
        """Adds `amount` to the f32 at `place` of an array."""
        before = np.frombuffer(bytes(self._queue.read_buffer(self.arrays[name], 4 * place, 4)), np.float32)
        self._queue.write_buffer(self.arrays[name], 4 * place, (before + np.float32(amount)).astype(np.float32))

    def write(self, name: str, values: NDArray[np.uint32]) -> None:
        """Writes `values` to the start of an array."""
        self._queue.write_buffer(self.arrays[name], 0, values)

    def _pipeline(self, entry: str) -> Any:
        if entry not in self._pipelines:
            layout = self._device.create_pipeline_layout(bind_group_layouts=[self._layout])
            self._pipelines[entry] = self._device.create_compute_pipeline(layout=layout, compute={"module": self._module, "entry_point": entry})
        return self._pipelines[entry]

    def _bound(self, bind: str) -> Any:
        if bind not in self._groups:
            buffers = [*(self.arrays[name] for name in bind), self.parameters, self.found]
            entries = [{"binding": place, "resource": {"buffer": buffer}} for place, buffer in enumerate(buffers)]
            self._groups[bind] = self._device.create_bind_group(layout=self._layout, entries=entries)
        return self._groups[bind]


@contextmanager
def opened(adapter: Any) -> Iterator[WgpuGpu]:
    """The adapter's device until the block ends. Everything that goes wrong in it becomes a `NotMeasured`."""
    import wgpu

    gpu = None
    try:
        gpu = WgpuGpu(adapter)
        yield gpu
    except NotMeasured:
        raise
    except MemoryError as error:
        raise NotMeasured(Reason.MEMORY, str(error)) from None
    except wgpu.GPUValidationError as error:
        lost = "lost" in str(error).lower()  # once a device is lost, everything that it made is called invalid
        raise NotMeasured(Reason.LOST if lost else Reason.UNSUPPORTED, str(error)) from None
    except wgpu.GPUError as error:
        raise NotMeasured(Reason.LOST, str(error)) from None
    except Exception as error:
        raise NotMeasured(Reason.UNSUPPORTED, f"{type(error).__name__}: {error}") from None
    finally:
        if gpu is not None:
            gpu.close()


# -------------------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True, slots=True)
class WgpuPass:
    """How one pass of a kernel over the arrays is run: in `slices` dispatches that end in time, or `repeats` times in one submission."""

    entry: str
    elements: int
    slices: int
    groups: int
    repeats: int = 1

    def spans(self) -> Iterator[tuple[int, int]]:
        """The slices, in vectors."""
        size = ceil(self.elements / self.slices)
        return ((first, min(first + size, self.elements)) for first in range(0, self.elements, size))

    def seconds(self, gpu: WgpuGpu) -> float:
        """Time of one pass."""
        total = sum(
            gpu.seconds(self.entry, groups=gpu.groups(last - first, self.groups), repeats=self.repeats, first=first, last=last)
            for first, last in self.spans()
        )
        return total / self.repeats


def planned(gpu: WgpuGpu, entry: str, elements: int, groups: int = 4096) -> WgpuPass:
    """A pass whose dispatches last half of `DISPATCH_S` at most, repeated to fill `SAMPLE_S`. Starts small: nothing is known of the device yet."""
    part = min(elements, MIB // wgsl.VECTOR_BYTES)
    gpu.seconds(entry, groups=1, last=1)  # compiles
    while (seconds := gpu.seconds(entry, groups=gpu.groups(part, groups), last=part)) < DISPATCH_S / 16 and part < elements:
        part = min(elements, 4 * part)
    slices = ceil(seconds * elements / part / (DISPATCH_S / 2))
    found = WgpuPass(entry, elements, slices, groups)
    for _ in range(2):  # twice: the first count stands on a time that is mostly overhead
        once = found.seconds(gpu)
        found = WgpuPass(entry, elements, slices, groups, max(1, min(4096, round(SAMPLE_S / once))) if slices == 1 else 1)
    return found


def stands(gpu: WgpuGpu, kernel: Kernel, way: WgpuPass) -> bool:
    """Whether one pass gives the closed form everywhere (`negative_control`)."""

    def wrong(damaged: int | None) -> int:
        gpu.count(0)
        for first, last in way.spans():
            span: dict[str, Any] = {"groups": gpu.groups(last - first, way.groups), "first": first, "last": last}
            gpu.run(way.entry, above=-1.0, **span)
            if damaged is not None and first <= damaged // 4 < last:
                gpu.damage("a", damaged, negative_control.DAMAGE)
            gpu.run(f"check_{kernel.name}", **span)
        return gpu.counted()

    return negative_control.stands(gpu, kernel, way.elements, wrong)


def kernels(gpu: WgpuGpu, array_bytes: int, until: float, tell: Callable[[str], None]) -> tuple[dict[str, Measured], bool, bool]:
    """Every kernel in turns until the clock says `until`; whether any sat in two modes; and whether the device's timestamps were of use."""
    elements = array_bytes // wgsl.VECTOR_BYTES
    tell("copy")
    grids = [groups for groups in wgsl.GROUPS if groups <= min(gpu.most_groups, max(wgsl.GROUPS[0], elements // wgsl.WORKGROUP))]
    first = planned(gpu, "kernel_copy", elements)
    span = next(first.spans())
    gpu.trust(first.entry, groups=gpu.groups(span[1] - span[0]), repeats=first.repeats, first=span[0], last=span[1])
    tried = {groups: WgpuPass(first.entry, elements, first.slices, groups, first.repeats) for groups in grids}
    best = min(grids, key=lambda groups: min(tried[groups].seconds(gpu) for _ in range(2)))
    ways = {name: planned(gpu, f"kernel_{name}", elements, best) for name in KERNELS}
    warm = time.perf_counter() + min(WARM_UP_S, max(0.0, (until - time.perf_counter()) / 4))
    while time.perf_counter() < warm:
        ways["copy"].seconds(gpu)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    rounds = 0
    while rounds < LEAST_ROUNDS or time.perf_counter() < until:
        for name, way in ways.items():
            tell(name)
            seconds[name].append(way.seconds(gpu))
        rounds += 1
    tell("check")
    found = {name: measured(seconds[name], KERNELS[name].words * array_bytes, valid=stands(gpu, KERNELS[name], way)) for name, way in ways.items()}
    return found, any(bimodal(times) for times in seconds.values()), gpu.agreed


def resident(gpu: WgpuGpu) -> int:
    """Workgroups of the walk that the device runs at once. WebGPU does not tell: a crowd of them counts itself."""
    blocks = int(gpu.arrays["b"].size) // wgsl.BLOCK_BYTES
    crowd = min(wgsl.CROWD, gpu.most_groups, max(1, blocks // 2))
    gpu.run("walk", groups=crowd, mask=blocks - 1, loops=1)  # compiles
    gpu.count(0, 3)
    for power in range(wgsl.LONGEST_LOOP.bit_length()):
        gpu.count(0, 2)
        seconds = gpu.seconds("walk", groups=crowd, mask=blocks - 1, step=crowd, loops=2**power)
        if seconds > DISPATCH_S / 4 or seconds * gpu.counted(3) / crowd > CROWD_S:
            break
    return max(1, min(gpu.counted(3), crowd))


def covers(gpu: WgpuGpu, size_bytes: int, walkers: int) -> bool:
    """Whether one round of the walk reads all of a working set (`negative_control`)."""
    way: dict[str, Any] = walking(size_bytes, walkers)

    def wrong() -> int:
        gpu.count(0)
        gpu.clear("a")
        gpu.run("walk", groups=walkers, above=-1.0, **way)
        gpu.run("check_walk", groups=walkers, **way)
        return gpu.counted()

    return negative_control.covers(gpu, wrong, wgsl.BLOCK_BYTES, size_bytes // wgsl.BLOCK_BYTES, walkers, way["loops"])


def walking(size_bytes: int, walkers: int) -> dict[str, int]:
    """The parameters of a walk in which `walkers` workgroups read a working set once."""
    blocks = size_bytes // wgsl.BLOCK_BYTES
    return {"mask": blocks - 1, "step": walkers, "loops": ceil(blocks / walkers)}


def staircase(gpu: WgpuGpu, at: list[int], rate: float, until: float) -> list[Stair]:
    """The rate at which the whole GPU reads working sets of these sizes: best of the rounds that fit before `until`, of two at least.

    `rate` is the one of the read kernel, in bytes/s: it says how long a round through a working set may take. Raises `NotMeasured` (invalid)
    where the walk does not read its whole set.
    """
    # All workgroups run at once, or a working set would be as small as those that do. Their number is odd: a step that shares a factor with the
    # number of blocks in the set leads each of them to the same few blocks again, which its own cache then holds, and to few memory channels.
    walkers = (resident(gpu) - 1) | 1
    ways: dict[int, dict[str, int]] = {}
    for size in at:
        way = walking(size, walkers)
        rounds = way["loops"]
        if rounds * walkers * wgsl.BLOCK_BYTES / rate > DISPATCH_S or rounds > wgsl.LONGEST_LOOP:
            continue
        for _ in range(2):
            once = gpu.seconds("walk", groups=walkers, **way) / way["loops"]
            way["loops"] = rounds * max(1, min(wgsl.LONGEST_LOOP // rounds, round(SAMPLE_S / 2 / once / rounds)))
        ways[size] = way
    if ways and not covers(gpu, max(ways), walkers):
        raise NotMeasured(Reason.INVALID, f"walk over {max(ways)} bytes")
    best = dict.fromkeys(ways, float("inf"))
    done = 0
    while ways and (done < 2 or time.perf_counter() < until):
        for size, way in ways.items():
            best[size] = min(best[size], gpu.seconds("walk", groups=walkers, **way) / way["loops"])
        done += 1
    return [Stair(size, walkers * wgsl.BLOCK_BYTES / seconds) for size, seconds in best.items()]


def ring(size_bytes: int, order: str, random: np.random.Generator) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """A closed chain through every line of `size_bytes`: element i holds the index of the one to load next; and the indices in that order.

    A shuffled order, closed, is one of Sattolo's rings. ``page`` visits all lines of a page before the next page.
    """
    lines = size_bytes // wgsl.LINE_BYTES
    per_page = min(lines, PAGE_BYTES // wgsl.LINE_BYTES) if order == "page" else lines
    pages = random.permutation(lines // per_page)[:, None]
    within = random.permuted(np.tile(np.arange(per_page), (len(pages), 1)), axis=1)
    visited = ((pages * per_page + within).ravel() * (wgsl.LINE_BYTES // 4)).astype(np.uint32)
    links = np.zeros(size_bytes // 4, np.uint32)
    links[visited] = np.roll(visited, -1)
    return links, visited


def latency(gpu: WgpuGpu, size_bytes: int, order: str, random: np.random.Generator) -> float | None:
    """The time of one dependent load of one invocation, in a chain over `size_bytes`. None where a load takes longer than can be waited for.

    The difference of two lengths leaves out what a dispatch costs. Raises `NotMeasured` (invalid) where the chase does not end up where so many
    steps lead.
    """
    links, visited = ring(size_bytes, order, random)
    gpu.write("c", links)
    gpu.count(int(visited[0]), 1)
    done = 0

    def seconds(steps: int, repeats: int) -> float:
        nonlocal done
        done += steps * repeats
        return gpu.seconds("chase", groups=1, bind="acb", loops=steps, repeats=repeats)

    seconds(1024, 1)
    once = min(seconds(1024, 1) for _ in range(2))
    steps = 1024
    while steps < LONGEST_CHASE and once * (2 * steps / 1024) < DISPATCH_S / 4:
        steps *= 2
    if once * (2 * steps / 1024) > DISPATCH_S:
        return None
    repeats = max(1, min(1024, round(SAMPLE_S / 4 / min(seconds(steps, 1) for _ in range(2)))))
    pairs = [(seconds(steps, repeats), seconds(2 * steps, repeats)) for _ in range(5)]
    if gpu.counted(1) != visited[done % visited.size]:
        raise NotMeasured(Reason.INVALID, f"chain over {size_bytes} bytes")
    each = (min(long for _, long in pairs) - min(short for short, _ in pairs)) / (steps * repeats)
    return each if each > SHORTEST_LOAD_S else None


def latencies(gpu: WgpuGpu, at: list[int], until: float) -> tuple[list[Latency], bool]:
    """The latency in chains over these sizes, in both orders; and whether the time ran out before the last of them."""
    random = np.random.default_rng(1)
    found: list[Latency] = []
    for order in ("random", "page"):
        for size in at:
            if found and time.perf_counter() > until:
                return found, True
            each = latency(gpu, size, order, random)
            found += [Latency(size, each, order)] if each else []
    return found, False


def measure(
    *,
    index: int = 0,
    quick: bool = False,
    budget_s: float | None = None,
    progress: Progress = lambda share, part: None,
    allow_software: bool = False,
    array_bytes: int | None = None,
    last_level_bytes: int | None = None,
) -> Record:
    """The GPU at place `index` of `devices`: about `budget_s` seconds. Raises `NotMeasured` where nothing can be measured.

    `last_level_bytes` is the size of its last cache where that is known. `allow_software` lets a program on the CPU stand in for a GPU, and the
    record says so.
    """
    adapters = _adapters(allow_software=allow_software)
    if not 0 <= index < len(adapters):
        raise NotMeasured(Reason.NO_DEVICE, f"gpu {index} of {len(adapters)}")
    adapter = adapters[index]
    device = described(adapter)
    wanted = array_bytes or max(ARRAY_BYTES, 2 ** (4 * (last_level_bytes or 1) - 1).bit_length())
    room = free_bytes(adapter.info)
    fits = wanted
    while room is not None and fits > room * MEMORY_SHARE["host" if _shared(adapter.info) else "gpu"]:
        fits //= 2
    smallest = min(wanted, SMALLEST_ARRAY_BYTES)
    if fits < smallest:
        raise NotMeasured(Reason.MEMORY, f"{room} bytes free")
    budget = budget_s or (QUICK_BUDGET_S if quick else BUDGET_S)
    begun = start = time.perf_counter()

    def telling(low: float, high: float) -> Callable[[str], None]:
        return lambda part: progress(min(high, max(low, (time.perf_counter() - start) / budget)), part)

    flags = [Flag.SOFTWARE] if device.kind == "software" else []
    failures: list[Failure] = []
    progress(0.0, "memory")
    with opened(adapter) as gpu:
        size = gpu.allot(fits, smallest)
        start = time.perf_counter()  # wgpu has its types parsed by now, which takes a second or more and is no measuring
        flags += [Flag.HALVED] if size < wanted else []
        found, two_modes, agreed = kernels(gpu, size, start + 0.55 * budget, telling(0.02, 0.55))
        failures += [failure(NotMeasured(Reason.INVALID), name) for name, each in found.items() if not each.valid]
        at = sizes(size, quick=quick)
        progress(0.55, "sweep")
        rate = found["read"].best_bytes_per_s or found["copy"].best_bytes_per_s
        steps: list[Stair] = []
        try:
            steps = staircase(gpu, at, rate, start + 0.75 * budget) if rate else []
        except NotMeasured as error:
            failures.append(failure(error, "sweep"))
        progress(0.75, "latency")
        times: list[Latency] = []
        cut = False
        try:
            times, cut = latencies(gpu, [each for each in at[::2] if each <= LARGEST_CHAIN_BYTES], start + budget)
        except NotMeasured as error:
            failures.append(failure(error, "latency"))
    flags += [Flag.BIMODAL] if two_modes else []
    flags += [Flag.TIMER] if gpu.timestamps and not agreed else []
    flags += [Flag.CUT_SHORT] if cut else []
    progress(1.0, "done")
    return Record(
        "wgpu",
        device,
        kernels=found,
        runs=(KernelRun("wgsl", None, size, found),),
        sweep=tuple(steps),
        latency=tuple(times),
        array_bytes=size,
        memory_limit_bytes=3 * fits,
        seconds=time.perf_counter() - begun,
        timer="timestamp-query" if agreed else "time.perf_counter",
        flags=tuple(flag.value for flag in flags),
        errors=tuple(failures),
    )
