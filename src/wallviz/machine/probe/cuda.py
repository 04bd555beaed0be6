"""NVIDIA GPUs in depth (extra ``cuda``: cuda-bindings and NVRTC, no toolkit): the kernels of `cuda_source`, the staircase, the latency, and how fast
bytes come and go: the copy engine, the host in both directions, another GPU.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wallviz.machine.probe import cuda_source, limits, negative_control, nvml
from wallviz.machine.probe.cpu import sizes
from wallviz.machine.probe.cuda_device import Chip, CudaGpu, Launch, Refused, described, explained, opened, started
from wallviz.machine.probe.kernels import KERNELS, SEEDS, Kernel, hashed
from wallviz.machine.probe.samples import bimodal, measured
from wallviz.machine.reasons import Flag, NotMeasured, Reason
from wallviz.machine.record import HEADLINE, Device, Failure, KernelRun, Latency, Measured, Record, Stair, State, failure

Progress: TypeAlias = Callable[[float, str], None]

MIB = 2**20
BUDGET_S = 8.0
QUICK_BUDGET_S = 3.0
ARRAY_BYTES = 256 * MIB
"""Each of the three arrays, unless four times the second-level cache is more."""
SMALLEST_ARRAY_BYTES = 4 * MIB
LARGEST_CHAIN_BYTES = 256 * MIB
TRANSFER_BYTES = 128 * MIB
GPU_SHARE = 0.25
"""The most that one array may take of the GPU's free memory."""
HOST_SHARE = 0.2
"""The same of the computer's, where the GPU shares it, and of a buffer on the host."""
SAMPLE_S = 0.02
WARM_UP_S = 0.3
LEAST_ROUNDS = 3
MOST_REPEATS = 4096
LONGEST_CHASE = 2**20
"""Loads of one launch; twice as many are the most."""
CHASE_S = 0.02
SHORTEST_LOAD_S = 1e-10
"""Less than one clock of any processor: the noise was longer than the chase."""
ABOVE, FAR_BELOW = 1.05, 0.2
"""Shares of the theoretical bandwidth outside which a rate is doubtful."""
CHECKED_BYTES = MIB
"""What is compared on the host at either end of a buffer that came from the device."""
FATAL = {Reason.LOST, Reason.TIMEOUT}
"""After these nothing can be asked of the device any more."""


def devices() -> tuple[Device, ...]:
    """The GPUs that can be measured, in CUDA's order. Raises `NotMeasured` where there is none."""
    driver = started()
    return tuple(described(driver, place).device for place in range(driver("cuDeviceGetCount")))


# -------------------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True, slots=True)
class CudaPass:
    """One way over the arrays that is timed: `repeats` launches fill one sample."""

    launch: Launch
    repeats: int = 1

    def seconds(self, gpu: CudaGpu) -> float:
        """Time of one pass."""
        return gpu.seconds(self.launch, self.repeats)


def planned(gpu: CudaGpu, launch: Launch) -> CudaPass:
    """A pass, repeated so often that a sample lasts `SAMPLE_S`."""
    gpu.once(launch)
    repeats = 1
    for _ in range(2):  # twice: the first count stands on a time that is mostly overhead
        repeats = max(1, min(MOST_REPEATS, round(SAMPLE_S / gpu.seconds(launch, repeats))))
    return CudaPass(launch, repeats)


def kernel_launch(gpu: CudaGpu, name: str, blocks: int) -> Launch:
    """One pass of a kernel."""
    return gpu.launcher(f"kernel_{name}", gpu.blocks(blocks), n=gpu.elements)


def fastest_grid(gpu: CudaGpu, repeats: int) -> int:
    """Blocks with which a copy is fastest: as many as run at once, or several times as many."""
    grids = sorted({gpu.blocks(gpu.resident("kernel_copy") * waves) for waves in (1, 2, 4, 16)})
    return min(grids, key=lambda blocks: min(gpu.seconds(kernel_launch(gpu, "copy", blocks), repeats) for _ in range(3)))


def stands(gpu: CudaGpu, kernel: Kernel, blocks: int, launch: Launch | None = None) -> bool:
    """Whether one pass gives the closed form everywhere (`negative_control`).

    `launch` is something else that must give what the kernel gives: a copy by the copy engine.
    """
    blocks = gpu.blocks(blocks)
    launch = launch or gpu.launcher(f"kernel_{kernel.name}", blocks, n=gpu.elements, above=-1.0)
    check = gpu.launcher(f"check_{kernel.name}", blocks, n=gpu.elements)

    def wrong(damaged: int | None) -> int:
        gpu.count(0)
        launch()
        if damaged is not None:
            gpu.damage("a", damaged, negative_control.DAMAGE)
        check()
        return gpu.counted()

    return negative_control.stands(gpu, kernel, gpu.elements, wrong)


def kernels(gpu: CudaGpu, until: float, tell: Callable[[str], None]) -> tuple[dict[str, Measured], bool]:
    """Every kernel in turns until the clock says `until`, and whether any sat in two modes."""
    tell("copy")
    first = planned(gpu, kernel_launch(gpu, "copy", gpu.resident("kernel_copy")))
    warm = time.perf_counter() + min(WARM_UP_S, max(0.0, (until - time.perf_counter()) / 4))
    while time.perf_counter() < warm:
        first.seconds(gpu)
    gpu.trust(first.launch, first.repeats)
    best = fastest_grid(gpu, first.repeats)
    ways = {name: planned(gpu, kernel_launch(gpu, name, best)) for name in KERNELS}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    rounds = 0
    while rounds < LEAST_ROUNDS or time.perf_counter() < until:
        for name, way in ways.items():
            tell(name)
            seconds[name].append(way.seconds(gpu))
        rounds += 1
    tell("check")
    found = {name: measured(seconds[name], KERNELS[name].words * gpu.array_bytes, valid=stands(gpu, KERNELS[name], best)) for name in KERNELS}
    return found, any(bimodal(times) for times in seconds.values())


def walking(size_bytes: int, walkers: int) -> dict[str, int]:
    """The parameters of a walk in which `walkers` blocks read a working set once."""
    blocks = size_bytes // cuda_source.BLOCK_BYTES
    return {"mask": blocks - 1, "step": walkers, "loops": -(-blocks // walkers)}


def covers(gpu: CudaGpu, size_bytes: int, walkers: int) -> bool:
    """Whether one round of the walk reads all of a working set (`negative_control`)."""
    way: dict[str, Any] = walking(size_bytes, walkers)

    def wrong() -> int:
        gpu.count(0)
        gpu.clear("a")
        gpu.launcher("walk", walkers, above=-1.0, **way)()
        gpu.launcher("check_walk", walkers, **way)()
        return gpu.counted()

    return negative_control.covers(gpu, wrong, cuda_source.BLOCK_BYTES, size_bytes // cuda_source.BLOCK_BYTES, walkers, way["loops"])


def staircase(gpu: CudaGpu, at: list[int], until: float) -> list[Stair]:
    """The rate at which the whole GPU reads working sets of these sizes: best of the rounds that fit before `until`, of two at least.

    Raises `NotMeasured` (invalid) where the walk does not read its whole set.
    """
    # All blocks run at once, or a working set would be as small as those that do. Their number is odd: a step that shares a factor with the
    # number of blocks in the set leads each of them to the same few blocks again, which its own cache then holds.
    walkers = (max(1, min(gpu.resident("walk"), gpu.elements // cuda_source.BLOCK // 2)) - 1) | 1
    ways: dict[int, tuple[Launch, int]] = {}
    for size in at:
        way = walking(size, walkers)
        rounds = way["loops"]

        def walk(loops: int, way: dict[str, int] = way) -> Launch:
            return gpu.launcher("walk", walkers, mask=way["mask"], step=way["step"], loops=loops)

        loops = 2 * rounds
        for _ in range(2):
            once = gpu.seconds(walk(loops)) / loops
            loops = rounds * max(1, min(2**20, round(SAMPLE_S / 2 / once / rounds)))
        ways[size] = walk(loops), loops
    if ways and not covers(gpu, max(ways), walkers):
        raise NotMeasured(Reason.INVALID, f"walk over {max(ways)} bytes", extra="cuda")
    best = dict.fromkeys(ways, float("inf"))
    done = 0
    while ways and (done < 2 or time.perf_counter() < until):
        for size, (launch, loops) in ways.items():
            best[size] = min(best[size], gpu.seconds(launch) / loops)
        done += 1
    return [Stair(size, walkers * cuda_source.BLOCK_BYTES / seconds) for size, seconds in best.items()]


def ring(address: int, size_bytes: int, random: np.random.Generator) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """A closed chain through every line of `size_bytes` at `address`: each line begins with the address of the next; and these in that order.

    A shuffled order, closed, is one of Sattolo's rings.
    """
    lines = size_bytes // cuda_source.LINE_BYTES
    order = random.permutation(lines)
    visited = np.uint64(address) + order.astype(np.uint64) * np.uint64(cuda_source.LINE_BYTES)
    words = cuda_source.LINE_BYTES // 8
    links = np.zeros(lines * words, np.uint64)
    links[order * words] = np.roll(visited, -1)
    return links, visited


def latency(gpu: CudaGpu, size_bytes: int, random: np.random.Generator) -> float | None:
    """The time of one dependent load of one thread, in a chain over `size_bytes`. None where noise was longer than the chase.

    The difference of two lengths leaves out what a launch costs. Raises `NotMeasured` (invalid) where the chase does not end up where so many
    steps lead.
    """
    links, visited = ring(int(gpu.arrays["c"]), size_bytes, random)
    gpu.write(gpu.arrays["c"], links)
    place = int(gpu.found) + 8
    gpu.write(place, visited[:1])
    walkers, blocks = gpu.resident("walk"), size_bytes // cuda_source.BLOCK_BYTES
    gpu.once(gpu.launcher("walk", walkers, bind="acb", mask=blocks - 1, step=walkers, loops=blocks // walkers + 1))  # into the caches
    done = 0

    def seconds(steps: int) -> float:
        nonlocal done
        done += steps
        return gpu.seconds(gpu.launcher("chase", 1, block=1, loops=steps))

    seconds(min(len(visited), 4096))
    steps = 1024
    while steps < LONGEST_CHASE and seconds(steps) < CHASE_S / 4:
        steps *= 2
    pairs = [(seconds(steps), seconds(2 * steps)) for _ in range(5)]
    if int(gpu.read(place, np.zeros(1, np.uint64))[0]) != visited[done % visited.size]:
        raise NotMeasured(Reason.INVALID, f"chain over {size_bytes} bytes", extra="cuda")
    each = (min(long for _, long in pairs) - min(short for short, _ in pairs)) / steps
    return each if each > SHORTEST_LOAD_S else None


def latencies(gpu: CudaGpu, at: list[int], until: float) -> tuple[list[Latency], bool]:
    """The latency in random chains over these sizes; and whether the time ran out before the last of them. The largest comes first: it tells
    most.
    """
    random = np.random.default_rng(1)
    found: dict[int, float | None] = {}
    for size in (*at[-1:], *at[:-1]):
        if found and time.perf_counter() > until:
            break
        found[size] = latency(gpu, size, random)
    return [Latency(size, each) for size, each in sorted(found.items()) if each], len(found) < len(at)


# -------------------------------------------------------------------------------------------------------------- transfers


def device_copy(gpu: CudaGpu, until: float) -> Measured:
    """The copy engine within the device, counted as read and write, and checked like the copy kernel."""
    launch = gpu.copying("cuMemcpyDtoDAsync", gpu.arrays["a"], gpu.arrays["b"], gpu.array_bytes)
    seconds = _sampled(gpu, [planned(gpu, launch)], until)[0]
    return measured(seconds, 2 * gpu.array_bytes, valid=stands(gpu, KERNELS["copy"], gpu.resident("kernel_copy"), launch))


def _sampled(gpu: CudaGpu, ways: list[CudaPass], until: float, *, wall: bool = False) -> list[list[float]]:
    """Times of passes in turns; by the wall where the host takes part in them."""
    found: list[list[float]] = [[] for _ in ways]
    while len(found[0]) < LEAST_ROUNDS or time.perf_counter() < until:
        for way, seconds in zip(ways, found, strict=True):
            seconds.append(gpu.timed(way.launch, way.repeats)[0] / way.repeats if wall else way.seconds(gpu))
    return found


def host_copies(gpu: CudaGpu, kind: str, until: float, during: Callable[[], object]) -> dict[str, Measured]:
    """Both ways between the device and memory of the host: ``pinned`` (never moved away, so that the device reads it itself) or ``pageable``.

    `during` is called while a copy is under way.
    """
    size = min(TRANSFER_BYTES, gpu.array_bytes)
    room = limits.memory_bytes()
    while room is not None and size > HOST_SHARE * room:
        size //= 2
    if size < MIB:
        raise NotMeasured(Reason.MEMORY, f"{room} bytes free on the host", extra="cuda")
    with ExitStack() as stack:
        if kind == "pinned":
            address = int(gpu.take("cuMemFreeHost", "cuMemHostAlloc", size, 0, stack=stack))
            host = np.ctypeslib.as_array((ctypes.c_float * (size // 4)).from_address(address))
        else:
            host = np.zeros(size // 4, np.float32)
        stack.callback(_quiet, gpu.wait)  # before the memory goes
        host[:] = 0
        there = gpu.copying("cuMemcpyDtoHAsync", host.ctypes.data, gpu.arrays["b"], size)
        back = gpu.copying("cuMemcpyHtoDAsync", gpu.arrays["a"], host.ctypes.data, size)
        ways = [planned(gpu, there), planned(gpu, back)]
        gpu.timed(ways[1].launch, ways[1].repeats, during)
        down, up = _sampled(gpu, ways, until, wall=kind == "pageable")
        host[:] = 0
        gpu.once(there)
        part = min(CHECKED_BYTES, size) // 4
        last = host.size - part
        arrived = all(np.array_equal(host[first : first + part], hashed(first, part, SEEDS["b"])) for first in (0, last))
        gpu.clear("a")
        gpu.count(0)
        gpu.once(back)
        vectors = size // cuda_source.VECTOR_BYTES
        gpu.launcher("check_copy", gpu.blocks(gpu.resident("check_copy")), n=vectors)()
        returned = arrived and gpu.counted() == 0
        return {f"h2d_{kind}": measured(up, size, valid=returned), f"d2h_{kind}": measured(down, size, valid=arrived)}


def _quiet(call: Callable[[], object]) -> None:
    with suppress(Exception):
        call()


def peer_copy(gpu: CudaGpu, place: int, other: int, until: float) -> Measured:
    """From this device to another one, directly. Raises `NotMeasured` where neither can reach the other's memory."""
    driver = gpu.driver
    here, there = driver("cuDeviceGet", place), driver("cuDeviceGet", other)
    if not driver("cuDeviceCanAccessPeer", here, there):
        raise NotMeasured(Reason.UNSUPPORTED, f"no direct way from GPU {place} to {other}", extra="cuda")
    size = min(TRANSFER_BYTES, gpu.array_bytes)
    with ExitStack() as stack:
        context = driver("cuDevicePrimaryCtxRetain", there)
        gpu.later("cuDevicePrimaryCtxRelease", there, stack=stack)
        driver("cuCtxPushCurrent", context)
        with ExitStack() as pushed:
            gpu.later("cuCtxPopCurrent", stack=pushed)
            if size > GPU_SHARE * gpu.free_bytes():
                raise NotMeasured(Reason.MEMORY, f"GPU {other}", extra="cuda")
            target_array = gpu.take("cuMemFree", "cuMemAlloc", size, stack=stack)
        try:
            driver("cuCtxEnablePeerAccess", context, 0)
            gpu.later("cuCtxDisablePeerAccess", context, stack=stack)
        except Refused as error:
            if error.code != "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED":
                raise
        stack.callback(_quiet, gpu.wait)

        def launch() -> None:
            driver("cuMemcpyPeerAsync", target_array, context, gpu.arrays["b"], gpu.context, size, gpu.stream)

        seconds = _sampled(gpu, [planned(gpu, launch)], until)[0]
        part = min(CHECKED_BYTES, size) // 4
        arrived = gpu.read(target_array, np.zeros(part, np.float32))  # addresses of all devices are one space
        return measured(seconds, size, valid=bool(np.array_equal(arrived, hashed(0, part, SEEDS["b"]))))


# ------------------------------------------------------------------------------------------------------------------ record


class Watch:
    """What NVML tells of the device while it is measured; nothing where NVML is not there."""

    def __init__(self, chip: Chip, stack: ExitStack) -> None:
        self._gpu: nvml.NvmlGpu | None = None
        self.facts: nvml.Facts | None = None
        self.samples: list[nvml.Sample] = []
        with suppress(NotMeasured):
            library = stack.enter_context(nvml.opened())
            gpu = library.at(chip.bus_id)
            if gpu.handle is not None:
                self._gpu, self.facts = gpu, nvml.described(library, gpu)

    def look(self) -> State | None:
        """The state of this moment."""
        if self._gpu is None:
            return None
        self.samples.append(nvml.sampled(self._gpu, pcie_rates=False))
        return self.samples[-1].state()

    def theoretical(self, chip: Chip) -> nvml.Theoretical:
        """What the memory can carry: by NVML's facts, or by CUDA's where there are none."""
        if self.facts is not None:
            whole = self.facts.theoretical
            return nvml.of_slice(whole, chip.device.memory_bytes, self.facts.memory_bytes) if chip.is_slice else whole
        if chip.is_slice:
            return nvml.Theoretical(None, nvml.Basis.NOT_KNOWN)
        device = chip.device
        return nvml.theoretical(device.name, device.memory_clock_hz, device.bus_bits, board=nvml.board_name())

    @property
    def throttled(self) -> bool:
        """Whether heat or power held the clocks back whenever somebody looked."""
        return any(each.holds_back for sample in self.samples for each in sample.throttles or ())


def doubts(found: dict[str, Measured], theoretical_bytes_per_s: float | None) -> list[Flag]:
    """What the theoretical bandwidth says against the rates.

    >>> doubts({"copy": Measured(600e9, 590e9, 1e9, 9, valid=True)}, 448e9)
    [<Flag.ABOVE_THEORETICAL: 'above_theoretical'>]
    """
    rates = {name: each.best_bytes_per_s for name, each in found.items() if each.best_bytes_per_s}
    if not rates or not theoretical_bytes_per_s:
        return []
    headline = next((rates[name] for name in HEADLINE if name in rates), None)
    return [
        *([Flag.ABOVE_THEORETICAL] if max(rates.values()) > ABOVE * theoretical_bytes_per_s else []),
        *([Flag.FAR_BELOW] if headline is not None and headline < FAR_BELOW * theoretical_bytes_per_s else []),
    ]


def wanted_bytes(chip: Chip) -> int:
    """Bytes of each array: a power of two, four times the second-level cache at least."""
    return max(ARRAY_BYTES, 1 << (4 * max(1, chip.l2_bytes) - 1).bit_length())


class Parts:
    """What is measured after the kernels, part by part; what one part cannot do leaves the others as they are."""

    def __init__(self, gpu: CudaGpu, place: int, watch: Watch, at: list[int]) -> None:
        self._gpu = gpu
        self._place = place
        self._watch = watch
        self._at = at
        self.loaded: State | None = None
        self.link: nvml.Sample | None = None
        self.sweep: list[Stair] = []
        self.latency: list[Latency] = []
        self.transfers: dict[str, Measured] = {}
        self.failures: list[Failure] = []
        self.cut = False

    def run(self, start: float, budget_s: float, progress: Progress) -> None:
        """All of them in turn, until the device is lost."""
        plan: list[tuple[float, float, str, Callable[[float], object]]] = [
            (0.5, 0.5, "state", self._state),
            (0.5, 0.65, "sweep", self._sweep),
            (0.65, 0.8, "latency", self._latency),
            (0.8, 0.85, "d2d", self._device_copy),
            (0.85, 0.92, "h2d_pinned", lambda until: self._host("pinned", until)),
            (0.92, 0.98, "h2d_pageable", lambda until: self._host("pageable", until)),
            *((0.98, 1.0, f"p2p_{self._place}_{other}", self._peer(other)) for other in range(self._gpu.driver("cuDeviceGetCount"))),
        ]
        for share, last, part, measure_part in plan:
            progress(share, part)
            try:
                measure_part(start + last * budget_s)
            except Exception as error:
                why = explained(error)
                if why.reason is Reason.CANCELLED:
                    raise
                self.failures.append(failure(why, part))
                if why.reason in FATAL:
                    return

    def _state(self, until: float) -> None:
        busy = planned(self._gpu, kernel_launch(self._gpu, "copy", self._gpu.resident("kernel_copy")))

        def look() -> None:
            self.loaded = self._watch.look()

        self._gpu.timed(busy.launch, 2 * busy.repeats, look)

    def _sweep(self, until: float) -> None:
        self.sweep = staircase(self._gpu, self._at, until)

    def _latency(self, until: float) -> None:
        largest = min(LARGEST_CHAIN_BYTES, HOST_SHARE * (limits.memory_bytes() or LARGEST_CHAIN_BYTES / HOST_SHARE))  # made on the host
        self.latency, cut = latencies(self._gpu, [size for size in self._at[::2] if size <= largest], until)
        self.cut |= cut

    def _device_copy(self, until: float) -> None:
        self.transfers["d2d"] = device_copy(self._gpu, until)

    def _host(self, kind: str, until: float) -> None:
        def look() -> None:
            if self._watch.look() is not None:
                self.link = self._watch.samples[-1]

        self.transfers |= host_copies(self._gpu, kind, until, look)

    def _peer(self, other: int) -> Callable[[float], None]:
        def measure_peer(until: float) -> None:
            if other == self._place:
                return
            if time.perf_counter() > until and any(name.startswith("p2p") for name in self.transfers):
                self.cut = True
                return
            self.transfers[f"p2p_{self._place}_{other}"] = peer_copy(self._gpu, self._place, other, until)

        return measure_peer


def measure(
    *,
    index: int = 0,
    quick: bool = False,
    budget_s: float | None = None,
    progress: Progress = lambda share, part: None,
    array_bytes: int | None = None,
) -> Record:
    """The GPU at place `index` of `devices`: about `budget_s` seconds. Raises `NotMeasured` where nothing can be measured.

    What fails after the kernels is left out, with its reason; a device that is lost ends the measurement there.
    """
    begun = time.perf_counter()
    budget = budget_s or (QUICK_BUDGET_S if quick else BUDGET_S)
    progress(0.0, "compile")
    with opened(index) as gpu, ExitStack() as stack:
        watch = Watch(gpu.chip, stack)
        before = watch.look()
        progress(0.01, "memory")
        wanted = array_bytes or wanted_bytes(gpu.chip)
        smallest = min(wanted, SMALLEST_ARRAY_BYTES)
        fits = _fitting(gpu, wanted, smallest)
        size = gpu.allot(fits, smallest)
        start = time.perf_counter()
        found, two_modes = kernels(gpu, start + 0.5 * budget, lambda part: progress(min(0.5, 0.02 + (time.perf_counter() - start) / budget), part))
        parts = Parts(gpu, index, watch, sizes(size, quick=quick))
        parts.run(start, budget, progress)
        theoretical = watch.theoretical(gpu.chip)
    invalid = [name for name, each in (found | parts.transfers).items() if each.valid is False]
    flags = [
        *([Flag.HALVED] if size < wanted else []),
        *([Flag.BIMODAL] if two_modes else []),
        *([] if gpu.agreed else [Flag.TIMER]),
        *([Flag.CUT_SHORT] if parts.cut else []),
        *([Flag.THROTTLED] if watch.throttled else []),
        *doubts(found, theoretical.bytes_per_s),
    ]
    progress(1.0, "done")
    return Record(
        "cuda",
        replace(
            gpu.chip.device,
            driver=watch.facts.driver if watch.facts else "",
            pcie_generation=parts.link.pcie_generation if parts.link else None,
            pcie_width=parts.link.pcie_width if parts.link else None,
        ),
        theoretical_bytes_per_s=theoretical.bytes_per_s,
        theoretical_source=theoretical.basis.value,
        kernels=found,
        runs=(KernelRun("cuda", None, size, found),),
        sweep=tuple(parts.sweep),
        latency=tuple(parts.latency),
        transfers=parts.transfers,
        array_bytes=size,
        memory_limit_bytes=3 * fits,
        seconds=time.perf_counter() - begun,
        timer="cuEventElapsedTime" if gpu.agreed else "time.perf_counter",
        before=before,
        after=parts.loaded,
        flags=tuple(flag.value for flag in flags),
        errors=(*(failure(NotMeasured(Reason.INVALID), name) for name in invalid), *parts.failures),
    )


def _fitting(gpu: CudaGpu, wanted: int, smallest: int) -> int:
    """`wanted`, or half of it, and again, until it is a small part of the memory that is free."""
    room = GPU_SHARE * gpu.free_bytes()
    host = limits.memory_bytes() if gpu.chip.shares_memory else None
    room = room if host is None else min(room, HOST_SHARE * host)
    fits = wanted
    while fits > room:
        fits //= 2
    if fits < smallest:
        raise NotMeasured(Reason.MEMORY, f"{gpu.free_bytes()} bytes free", extra="cuda")
    return fits
