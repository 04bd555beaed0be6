"""The CPU's memory, measured: kernels on pinned threads, the staircase, and the latency of a dependent load.

numpy alone always works. numba, where it is installed (extra ``fast``), compiles the same kernels and adds triad in one pass, the first-level
cache and the latency. Run it in a process of its own (`isolated`): it holds large arrays and all processors for some seconds.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wallviz.machine.probe import limits
from wallviz.machine.probe.caches import caches, last_level_bytes
from wallviz.machine.probe.kernels import KERNELS, SCALAR, SEEDS, TOLERANCE, Kernel, hashed
from wallviz.machine.probe.samples import bimodal, measured
from wallviz.machine.reasons import Flag, NotMeasured, Reason
from wallviz.machine.record import Arithmetic, Cache, Device, Failure, KernelRun, Latency, Measured, Record, Stair, failure, plain_text

Array: TypeAlias = NDArray[np.float64]
Single: TypeAlias = NDArray[np.float32]
Pass: TypeAlias = Callable[[Array, Array, Array, float], Any]
"""One pass of a kernel over a, b, c with s; the sum, where the kernel reduces."""
Progress: TypeAlias = Callable[[float, str], None]

MIB = 2**20
BUDGET_S = 8.0
QUICK_BUDGET_S = 3.0
SAMPLE_S = 0.02
"""How long one timed sample lasts: long against the clock and the start of the threads, short against the modes of a shared host."""
WARM_UP_S = 0.3
LEAST_ROUNDS = 3
SMALLEST_ARRAY_BYTES = 4 * MIB
LARGEST_ARRAY_BYTES = 1024 * MIB
MEMORY_SHARE = 0.2
"""The most that one array may take of the memory that is free to this process."""
ENGINE_BYTES = {"numpy": 96 * MIB, "numba": 256 * MIB}
"""What the interpreter and its libraries take beside the arrays (measured: 35 and 155 MiB)."""
SMALLEST_PRODUCT, LARGEST_PRODUCT = 64, 1024
"""Rows of the matrices: from 512 on the product is bound by arithmetic."""
LINE_BYTES = 64
PAGE_BYTES = 4096
HUGE_PAGE_BYTES = 2 * MIB
_CHUNK = 8192
"""Elements that are filled or checked at a time: they and what is made of them stay in the second-level cache."""


@dataclass(frozen=True, slots=True)
class CpuPlan:
    """What a measurement will do, said before it starts: three arrays of `array_bytes` on `threads` threads, never more than `ceiling_bytes`.

    `single_array_bytes` is the size for one thread, which reaches one instance of the last-level cache only. `halved`: smaller than four
    times the caches, because the memory is.
    """

    threads: int
    array_bytes: int
    single_array_bytes: int
    halved: bool
    ceiling_bytes: int
    budget_s: float
    engines: tuple[str, ...]


def plan(*, quick: bool = False, budget_s: float | None = None, threads: int | None = None, array_bytes: int | None = None) -> CpuPlan:
    """What `measure` will take on this machine. Raises `NotMeasured` where the memory is too small.

    Arrays hold four times the last-level caches, as STREAM asks, and 64 MiB at least; a fifth of the free memory at most.
    """
    threads = min(threads or len(limits.processors()), len(limits.processors()))
    found = caches()
    engines = ("numpy", "numba") if find_spec("numba") else ("numpy",)
    base_bytes = ENGINE_BYTES[engines[-1]]
    wanted, single = (max(64 * MIB, min(LARGEST_ARRAY_BYTES, 4 * (last_level_bytes(found, n) or 32 * MIB))) for n in (threads, 1))
    free_bytes = limits.memory_bytes()
    room = wanted if free_bytes is None else min(free_bytes * MEMORY_SHARE, (free_bytes - base_bytes) / 3)
    size = wanted
    while size > room and size >= SMALLEST_ARRAY_BYTES:
        size //= 2
    if array_bytes is None and size < SMALLEST_ARRAY_BYTES:
        raise NotMeasured(Reason.MEMORY, f"{free_bytes} bytes free")
    size = array_bytes or size
    return CpuPlan(
        threads,
        size,
        min(single, size),
        size < 4 * (last_level_bytes(found, threads) or 0),
        3 * size + base_bytes,
        budget_s or (QUICK_BUDGET_S if quick else BUDGET_S),
        engines,
    )


def devices() -> tuple[Device, ...]:
    """The processor, as the system describes it."""
    return (device(),)


def device() -> Device:
    """The processor: name, threads that may be used, memory, caches."""
    return Device(
        name=plain_text(_name()),
        kind="cpu",
        architecture=plain_text(platform.machine()),
        system=plain_text(platform.system()),
        driver=plain_text(f"numpy {np.__version__}"),
        processors=len(limits.processors()),
        memory_bytes=limits.total_memory_bytes(),
        caches=caches(),
    )


def _name() -> str:
    """What the maker calls the processor, from wherever the system keeps it."""
    with suppress(OSError, StopIteration):
        if sys.platform == "win32":
            import winreg

            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:  # type: ignore[attr-defined, unused-ignore]
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0])  # type: ignore[attr-defined, unused-ignore]
        if sys.platform == "darwin":
            import subprocess

            asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2] for line in lines if line.startswith(("model name", "Model")))
    return platform.processor() or platform.machine()


# ---------------------------------------------------------------------------------------------------------------- threads


class Workers:
    """Threads that stay on one processor each, so that what one touches first lies near it, and no two share a processor.

    Left to the system they do not spread: with an OpenMP library loaded and OMP_PROC_BIND set, all inherit the first processor.
    """

    def __init__(self, processors: Sequence[int], clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self._inboxes: list[SimpleQueue[Callable[[int], Any] | None]] = [SimpleQueue() for _ in processors]
        self._outbox: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, args=(number, cpu), daemon=True) for number, cpu in enumerate(processors)]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._threads)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for inbox in self._inboxes:
            inbox.put(None)
        for thread in self._threads:
            thread.join()

    def run(self, task: Callable[[int], Any]) -> list[Any]:
        """What `task` answers to each worker's number, on all workers at once. Raises what a worker raised."""
        for inbox in self._inboxes:
            inbox.put(task)
        answers = sorted((self._outbox.get() for _ in self._threads), key=lambda answer: answer[0])
        for _, _, error in answers:
            if error is not None:
                raise error
        return [answer for _, answer, _ in answers]

    def seconds(self, task: Callable[[int], object], passes: int) -> float:
        """Time of one of `passes` of `task`, from the first worker's start to the last one's end."""

        def timed(number: int) -> tuple[float, float]:
            start = self.clock()
            for _ in range(passes):
                task(number)
            return start, self.clock()

        starts, ends = zip(*self.run(timed), strict=True)
        lasted: float = max(1e-9, max(ends) - min(starts))
        return lasted / passes

    def _work(self, number: int, cpu: int) -> None:
        with suppress(AttributeError, OSError):
            os.sched_setaffinity(0, {cpu})  # 0: this thread
        while (task := self._inboxes[number].get()) is not None:
            answer, error = None, None
            try:
                answer = task(number)
            except BaseException as raised:  # handed to the caller
                error = raised
            self._outbox.put((number, answer, error))
            del task, answer, error  # an idle worker holds no array


def aligned(n: int) -> Array:
    """An array of `n` float64 that starts with a page, a huge one where it fills one.

    With its first page alone before a huge page, a set of 16 KiB was read at 154 instead of 222 GB/s.
    """
    page_bytes = HUGE_PAGE_BYTES if n * 8 >= HUGE_PAGE_BYTES else PAGE_BYTES
    raw = np.empty(n + page_bytes // 8)
    start = (-raw.ctypes.data % page_bytes) // 8
    return raw[start : start + n]


def fill(array: Array, seed: int, first: int = 0) -> None:
    """Fills `array`, which starts with element `first`, with the hashed values of `seed`."""
    for start in range(0, array.size, _CHUNK):
        part = array[start : start + _CHUNK]
        part[:] = hashed(first + start, part.size, seed, "f64")


# ---------------------------------------------------------------------------------------------------------------- engines


def _numpy_passes() -> dict[str, Pass]:
    """The kernels that numpy does in one pass; it has no triad. np.dot reads at memory speed, np.sum is bound by its additions.

    Copy is +b, vector loads and stores as C's loop compiles to: np.copyto is memmove, a fifth slower here at these sizes.
    """
    return {
        "read": lambda a, b, c, s: float(np.dot(b, b)),
        "write": lambda a, b, c, s: a.fill(s),
        "copy": lambda a, b, c, s: np.positive(b, out=a),
        "scale": lambda a, b, c, s: np.multiply(b, s, out=a),
        "add": lambda a, b, c, s: np.add(b, c, out=a),
    }


_COMPILED = """
def {name}(a, b, c, s):
    total = 0.0
    for i in range(a.size):
        {statement}
    return total
"""


def _compile(function: Callable[..., Any], signature: str) -> Any:
    """`function` compiled by numba for one signature; it lets other threads run meanwhile. Sums may be taken in any order, as C's -ffast-math."""
    from numba import njit

    return njit(signature, nogil=True, fastmath=True, error_model="numpy")(function)


def _numba_passes() -> dict[str, Pass]:
    """Every kernel of the table, compiled. Our own pinned threads run them rather than prange, whose threads cannot be pinned one by one."""
    passes: dict[str, Pass] = {}
    for kernel in KERNELS.values():
        statement = f"total += {kernel.source()}" if kernel.reduces else f"a[i] = {kernel.source()}"
        made: dict[str, Any] = {}
        exec(_COMPILED.format(name=kernel.name, statement=statement), made)  # text of the table above, no input
        passes[kernel.name] = _compile(made[kernel.name], "float64(float64[::1], float64[::1], float64[::1], float64)")
    return passes


_ENGINES: Mapping[str, Callable[[], dict[str, Pass]]] = {"numpy": _numpy_passes, "numba": _numba_passes}


def _walk(b: Array, passes: int) -> float:
    """The read kernel over one working set, again and again; halving keeps each pass from being the last one's copy."""
    total = 0.0
    for _ in range(passes):
        squares = 0.0
        for i in range(b.size):
            squares += b[i] * b[i]
        total = total * 0.5 + squares
    return total


def _numpy_walk(b: Array, passes: int) -> float:
    total = 0.0
    for _ in range(passes):
        total = total * 0.5 + float(np.dot(b, b))
    return total


def _chase(links: NDArray[np.uint64], start: int, steps: int) -> int:
    """`steps` loads, each of which needs the one before."""
    at = start
    for _ in range(steps):
        at = links[at]
    return at


# --------------------------------------------------------------------------------------------------------------- checking


def wrong(kernel: Kernel, a: Array, b: Array, c: Array, total: float) -> bool:
    """Whether anything in `a`, or the sum of a kernel that reduces, differs from the closed form."""
    expected_total = 0.0
    for start in range(0, a.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        expected = kernel.expected(b[part], c[part], SCALAR)
        if kernel.reduces:
            expected_total += float(np.sum(expected))
        elif not bool(np.all(np.abs(a[part] - expected) <= TOLERANCE["f64"])):  # not ... <=: what is no number is wrong too
            return True
    return kernel.reduces and not abs(total - expected_total) <= 1e-9 * expected_total


def stands(kernel: Kernel, run: Pass, a: Array, b: Array, c: Array) -> bool:
    """Whether one pass over `a` gives the closed form everywhere, and the check catches one damaged value (the negative control)."""
    a.fill(-1.0)
    if wrong(kernel, a, b, c, run(a, b, c, SCALAR)):
        return False
    at = a.size * 2 // 3
    near = slice(at // _CHUNK * _CHUNK, at // _CHUNK * _CHUNK + _CHUNK)
    a, b, c = a[near], b[near], c[near]
    at -= near.start
    if not kernel.reduces:
        a[at] += 2.0**-20
        return wrong(kernel, a, b, c, 0.0)
    damaged = b.copy()
    damaged[at] += 2.0**-20 * b.size
    return wrong(kernel, a, b, c, run(a, damaged, c, SCALAR))


# -------------------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True, slots=True)
class ThreadRuns:
    """The kernels on so many threads: a run for each engine, whether any sat in two modes, and what failed its check."""

    runs: tuple[KernelRun, ...]
    two_modes: bool
    failures: tuple[Failure, ...]


def stage(
    engines: Mapping[str, Mapping[str, Pass]],
    workers: Workers,
    array_bytes: int,
    budget_s: float,
    report: Callable[[str], None] = lambda part: None,
) -> ThreadRuns:
    """Every kernel of every engine on all `workers`, in turns for `budget_s` after the warm-up, so that each sees every mood of the machine.

    Raises MemoryError where the arrays do not fit.
    """
    n = array_bytes // 8
    a, b, c = (aligned(n) for _ in range(3))
    edges = [n * number // len(workers) // 512 * 512 for number in range(len(workers))] + [n]
    mine = [slice(low, high) for low, high in pairwise(edges)]

    def first_touch(number: int) -> None:
        part = mine[number]
        a[part].fill(0.0)
        fill(b[part], SEEDS["b"], part.start)
        fill(c[part], SEEDS["c"], part.start)

    workers.run(first_touch)

    views = [(a[part], b[part], c[part]) for part in mine]

    def task(run: Pass) -> Callable[[int], object]:
        return lambda number: run(*views[number], SCALAR)

    def checked(engine: str, name: str) -> bool:
        return all(workers.run(lambda number: stands(KERNELS[name], engines[engine][name], *views[number])))

    tasks = {(engine, name): task(run) for engine, passes in engines.items() for name, run in passes.items()}
    once = {key: min(workers.seconds(each, 1) for _ in range(2)) for key, each in tasks.items()}
    warm = workers.clock() + min(WARM_UP_S, budget_s / 4)
    while workers.clock() < warm:
        for each in tasks.values():
            workers.seconds(each, 1)
    passes_of = {key: max(1, round(SAMPLE_S / seconds)) for key, seconds in once.items()}
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in tasks}
    until = workers.clock() + budget_s
    rounds = 0
    while rounds < LEAST_ROUNDS or workers.clock() < until:
        for key, each in tasks.items():
            report(key[1])
            seconds[key].append(workers.seconds(each, passes_of[key]))
        rounds += 1

    valid = {key: checked(*key) for key in tasks}
    intact = all(workers.run(lambda number: _intact(b[mine[number]], "b", mine[number].start) and _intact(c[mine[number]], "c", mine[number].start)))
    found = {
        (engine, name): measured(
            seconds[engine, name],
            KERNELS[name].words * n * 8,
            valid=valid[engine, name] and intact,
            bus_bytes=KERNELS[name].bus_words * n * 8,
        )
        for engine, name in tasks
    }
    return ThreadRuns(
        tuple(
            KernelRun(engine, len(workers), n * 8, {name: found[engine, name] for name in KERNELS if name in engines[engine]}) for engine in engines
        ),
        any(bimodal(times) for times in seconds.values()),
        tuple(failure(NotMeasured(Reason.INVALID), f"{engine} {name}") for (engine, name), each in found.items() if not each.valid),
    )


def _intact(array: Array, name: str, first: int) -> bool:
    """Whether `array` still holds the values that it was filled with: a sample from every chunk."""
    return all(
        bool(np.array_equal(array[start : start + 64], hashed(first + start, min(64, array.size - start), SEEDS[name], "f64")))
        for start in range(0, array.size, _CHUNK)
    )


def sizes(largest_bytes: int, *, quick: bool = False) -> list[int]:
    """Working sets from 16 KiB upward in octaves (quick: every second one).

    >>> [size // 1024 for size in sizes(128 * 1024)]
    [16, 32, 64, 128]
    """
    return [2**power for power in range(14, largest_bytes.bit_length(), 2 if quick else 1) if 2**power <= largest_bytes]


def staircase(walk: Callable[[Array, int], float], workers: Workers, at: Iterable[int], until: float) -> tuple[Stair, ...]:
    """The rate at which one thread reads working sets of these sizes, best of the rounds that fit before `until`."""
    working_sets = list(at)
    data = aligned(max(working_sets) // 8)
    workers.run(lambda _: fill(data, SEEDS["b"]))

    def seconds(size: int, passes: int) -> float:
        view = data[: size // 8]
        return workers.seconds(lambda _: walk(view, passes), 1) / passes

    def filling(seconds: float) -> int:
        return max(1, round(SAMPLE_S / 4 / seconds))

    # Counted twice: the first pass over a small set is slow, and its count too low.
    passes = {size: filling(seconds(size, filling(seconds(size, 1)))) for size in working_sets}
    best = dict.fromkeys(working_sets, float("inf"))
    rounds = 0
    while rounds < 3 or workers.clock() < until:
        for size in working_sets:
            seconds(size, 1)  # brings the set into its cache again
            best[size] = min(best[size], seconds(size, passes[size]))
        rounds += 1
    return tuple(Stair(size, size / best[size]) for size in working_sets)


def ring(size_bytes: int, order: str, random: np.random.Generator) -> NDArray[np.uint64]:
    """A chain through every line of `size_bytes`, closed: element i holds the index of the one to load next.

    A random order closed into a ring is uniform among the rings, as Sattolo's algorithm makes it. ``page`` visits the pages in random order
    and every line of a page, in random order, before the next page: translations are rarely missed, and a prefetcher still finds no stride.
    """
    lines = size_bytes // LINE_BYTES
    if order == "page":
        per_page = PAGE_BYTES // LINE_BYTES
        pages = random.permutation(max(1, lines // per_page))[:, None]
        within = np.argsort(random.random((len(pages), per_page)), axis=1)
        visited = (pages * per_page + within).ravel()
        visited = visited[visited < lines]
    else:
        visited = random.permutation(lines)
    links = np.zeros(lines * (LINE_BYTES // 8), dtype=np.uint64)
    step = LINE_BYTES // 8
    links[visited * step] = np.roll(visited, -1) * step
    return links


def _latency(chase: Callable[..., int], workers: Workers, size_bytes: int, order: str, random: np.random.Generator) -> float:
    """The best of five chases, each from where the last one ended, so that a large ring is always met cold."""
    links = workers.run(lambda _: ring(size_bytes, order, random))[0]
    at = 0

    def seconds(steps: int) -> float:
        def follow(_: int) -> None:
            nonlocal at
            at = int(chase(links, at, steps))

        return workers.seconds(follow, 1) / steps

    once = seconds(max(1000, min(size_bytes // LINE_BYTES, 20_000)))
    steps = max(1000, min(int(SAMPLE_S / 4 / once), 10_000_000))
    return min(seconds(steps) for _ in range(5))


def latencies(chase: Callable[..., int], workers: Workers, at: Iterable[int], until: float) -> tuple[tuple[Latency, ...], bool]:
    """The time of one dependent load in chains over these sizes, in both orders, and whether the time ran out before the last of them."""
    random = np.random.default_rng(1)
    found: list[Latency] = []
    for size in at:
        for order in ("random", "page"):
            if found and workers.clock() > until:
                return tuple(found), True
            found.append(Latency(size, _latency(chase, workers, size, order, random), order))
    return tuple(found), False


def product(workers: Workers, ceiling_bytes: int, until: float) -> Arithmetic:
    """The fp32 rate of numpy's matrix product on all `workers`, each with matrices of its own that take `ceiling_bytes` together at most.

    2·n³ FLOP a product of n x n. Checked as Freivalds does (1977, Probabilistic machines can use less running time): C·x = A·(B·x) for a
    vector x, which one doubled element of C must break.
    """
    n = min(LARGEST_PRODUCT, int((ceiling_bytes / len(workers) / 12) ** 0.5) // 64 * 64)
    if n < SMALLEST_PRODUCT:
        raise MemoryError
    shape = (n, n)

    def filled(number: int) -> tuple[Single, Single, Single]:
        b, c = (hashed(number * n * n, n * n, SEEDS[name], "f64").astype(np.float32).reshape(shape) for name in "bc")
        return b, c, np.zeros(shape, dtype=np.float32)

    matrices: list[tuple[Single, Single, Single]] = workers.run(filled)

    def multiply(number: int) -> None:
        b, c, product = matrices[number]
        np.matmul(b, c, out=product)

    once = min(workers.seconds(multiply, 1) for _ in range(2))
    passes = max(1, round(SAMPLE_S / once))
    seconds: list[float] = []
    while len(seconds) < LEAST_ROUNDS or workers.clock() < until:
        seconds.append(workers.seconds(multiply, passes))
    if not all(workers.run(lambda number: _product_stands(*matrices[number]))):
        return Arithmetic(None, None, 0, valid=False)
    rates = 2.0 * n**3 * len(workers) / np.asarray(seconds[1:])
    return Arithmetic(float(rates.max()), float(np.median(rates)), rates.size, valid=True)


def _product_stands(a: Single, b: Single, c: Single) -> bool:
    """Whether `c` is a·b, and the check catches one doubled element (the negative control)."""
    x = hashed(0, len(c), SEEDS["b"], "f64")
    expected = a.astype(np.float64) @ (b.astype(np.float64) @ x)

    def wrong(found: Single) -> bool:
        return not bool(np.all(np.abs(found.astype(np.float64) @ x - expected) <= 1e-5 * expected))

    damaged = c.copy()
    damaged[len(c) * 2 // 3, len(c) // 3] *= 2.0
    return not wrong(c) and wrong(damaged)


def measure(
    *,
    index: int = 0,
    quick: bool = False,
    budget_s: float | None = None,
    threads: int | None = None,
    array_bytes: int | None = None,
    engines: Sequence[str] | None = None,
    cap: bool = False,
    progress: Progress = lambda share, part: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Record:
    """This machine's CPU, in about `budget_s` seconds, and a few more to fill and to check the arrays.

    Raises `NotMeasured` where nothing can be measured.

    `cap` makes the system refuse this process more memory than `plan` says: for a process of its own. `engines` and `array_bytes` are chosen by
    `plan` where they are not given; `index` is there because the other paths have it.
    """
    if index:
        raise NotMeasured(Reason.NO_DEVICE, f"cpu {index}")
    planned = plan(quick=quick, budget_s=budget_s, threads=threads, array_bytes=array_bytes)
    start, before = clock(), limits.Usage.now()
    progress(0.0, "compile")
    compiled, failures = _engines(engines or planned.engines)
    compiler = "numba" in compiled
    if cap:
        # Beside the arrays: the checks' chunks, the workers' stacks (8 MiB) and their arenas (64 MiB of addresses each).
        limits.cap_address_space(3 * planned.array_bytes + 64 * MIB + planned.threads * 72 * MIB)
    left = max(planned.budget_s / 2, planned.budget_s - (clock() - start))
    flags: list[Flag] = [Flag.HALVED] if planned.halved else []
    stages: list[ThreadRuns] = []
    cpus = limits.processors()

    def telling(low: float, high: float) -> Callable[[str], None]:
        begun, lasts = clock(), left * (high - low)

        def tell(part: str) -> None:
            progress(low + (high - low) * min(1.0, (clock() - begun) / lasts), part)

        return tell

    bounds = ((1, 0.0, 0.3), (planned.threads, 0.3, 0.65)) if planned.threads > 1 else ((1, 0.0, 0.65),)
    for n, low, high in bounds:
        wanted_bytes = planned.array_bytes if n == planned.threads else planned.single_array_bytes
        with Workers(cpus[:n], clock) as workers:
            found, halved = _fitting(compiled, workers, wanted_bytes, left * (high - low), telling(low, high))
        stages.append(found)
        flags += [Flag.HALVED] if halved else []
    failures += [each for found in stages for each in found.failures]
    progress(0.65, "arithmetic")
    arithmetic: dict[str, Arithmetic] = {}
    with Workers(cpus[: planned.threads], clock) as workers, suppress(MemoryError):
        arithmetic["fp32"] = product(workers, planned.array_bytes, clock() + left * 0.05)
    if any(found.valid is False for found in arithmetic.values()):
        failures.append(failure(NotMeasured(Reason.INVALID), "arithmetic"))

    largest = stages[0].runs[0].array_bytes or SMALLEST_ARRAY_BYTES
    at = sizes(largest, quick=quick)
    steps: tuple[Stair, ...] = ()
    times: tuple[Latency, ...] = ()
    with Workers(cpus[:1], clock) as workers:
        progress(0.7, "sweep")
        walk = _compile(_walk, "float64(float64[::1], int64)") if compiler else _numpy_walk
        steps = staircase(walk, workers, at, clock() + left * 0.15)
        if compiler:
            progress(0.85, "latency")
            chase = _compile(_chase, "uint64(uint64[::1], uint64, int64)")
            times, cut = latencies(chase, workers, at, clock() + left * 0.15)
            flags += [Flag.CUT_SHORT] if cut else []
    progress(1.0, "done")

    others = limits.others_share(before, limits.Usage.now(), os.cpu_count() or 1)
    flags += [Flag.NUMPY_ONLY] if not compiler else []
    flags += [Flag.OTHERS_BUSY] if others is not None and others > 0.05 else []
    flags += [Flag.BIMODAL] if any(found.two_modes for found in stages) else []
    last = stages[-1].runs
    return Record(
        "cpu",
        device(),
        kernels=best_of(last),
        threads=planned.threads,
        runs=tuple(run for found in stages for run in found.runs),
        sweep=steps,
        sweep_threads=1,
        latency=times,
        arithmetic=arithmetic,
        array_bytes=last[0].array_bytes,
        memory_limit_bytes=planned.ceiling_bytes,
        seconds=clock() - start,
        timer="time.perf_counter",
        others_busy=others,
        flags=tuple(dict.fromkeys(flag.value for flag in flags)),
        errors=tuple(failures),
    )


def _engines(names: Iterable[str]) -> tuple[dict[str, dict[str, Pass]], list[Failure]]:
    """The engines that can be had, compiled, and why another cannot."""
    found: dict[str, dict[str, Pass]] = {}
    failures = []
    for name in names:
        try:
            found[name] = _ENGINES[name]()
        except ImportError as error:
            failures.append(failure(NotMeasured(Reason.NO_PACKAGE, str(error), extra="fast"), name))
        except Exception as error:  # a compiler that fails on this processor leaves numpy
            failures.append(failure(NotMeasured(Reason.UNSUPPORTED, f"{type(error).__name__}: {error}"), name))
    return found, failures


def _fitting(
    engines: Mapping[str, Mapping[str, Pass]], workers: Workers, wanted_bytes: int, budget_s: float, report: Callable[[str], None]
) -> tuple[ThreadRuns, bool]:
    """A stage with arrays of `wanted_bytes`, or half of them, and again, until they fit; and whether they were halved."""
    size = wanted_bytes
    while True:
        try:
            return stage(engines, workers, size, budget_s, report), size < wanted_bytes
        except MemoryError:
            size //= 2
            if size < SMALLEST_ARRAY_BYTES:
                raise NotMeasured(Reason.MEMORY, f"{size} bytes") from None


def best_of(runs: Sequence[KernelRun]) -> dict[str, Measured]:
    """Each kernel's best run, whichever the engine; a kernel that no engine got right stays, without a figure."""
    return {
        name: max((run.kernels[name] for run in runs if name in run.kernels), key=lambda each: each.best_bytes_per_s or 0.0)
        for name in KERNELS
        if any(name in run.kernels for run in runs)
    }


def marks(found: Sequence[Cache], threads: int) -> dict[int, int]:
    """Where the staircase of `threads` threads steps down: bytes of each cache level that they reach together."""
    return {cache.level: last_level_bytes([cache], threads) or cache.bytes for cache in found}
