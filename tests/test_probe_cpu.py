"""The CPU path: what it plans, that it checks what it measures, and that its record says what the machine was like. No test asks for speed."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wallviz.machine.probe import caches, cpu, limits
from wallviz.machine.probe.cpu import Workers, aligned, fill, latencies, ring, stage, staircase, stands, wrong
from wallviz.machine.probe.kernels import KERNELS, SCALAR, hashed
from wallviz.machine.probe.limits import Usage
from wallviz.machine.reasons import Flag, NotMeasured, Reason
from wallviz.machine.record import Cache, read

MIB = 2**20
NUMPY = cpu._numpy_passes()


def ticking(step_s: float = 1e-3) -> Callable[[], float]:
    """A clock that goes on by `step_s` whenever it is asked."""
    ticks = itertools.count()
    lock = threading.Lock()

    def now() -> float:
        with lock:
            return next(ticks) * step_s

    return now


def of_its_own(step_s: float) -> Callable[[], float]:
    """A clock that every thread has for itself, and that goes on by `step_s` whenever that thread asks: whatever it times lasts one step."""
    mine = threading.local()

    def now() -> float:
        mine.ticks = getattr(mine, "ticks", -1) + 1
        return float(mine.ticks * step_s)

    return now


def arrays(n: int) -> tuple[cpu.Array, cpu.Array, cpu.Array]:
    a, b, c = (aligned(n) for _ in range(3))
    fill(b, 1)
    fill(c, 2)
    return a, b, c


# ------------------------------------------------------------------------------------------------------------- the machine


def sysfs(root: Path, *entries: tuple[str, ...]) -> None:
    for number, entry in enumerate(entries):
        folder = root / "cpu3" / "cache" / f"index{number}"
        folder.mkdir(parents=True)
        for name, text in zip(("level", "type", "size", "shared_cpu_list"), entry, strict=False):
            (folder / name).write_text(text + "\n")


def test_caches_come_from_the_kernel(tmp_path: Path) -> None:
    """Data and unified caches are read as the kernel lists them; instructions, and entries that cannot be read, are left out."""
    sysfs(
        tmp_path,
        ("1", "Data", "48K", "3"),
        ("1", "Instruction", "32K", "3"),
        ("2", "Unified", "2M", "2-3"),
        ("3", "Unified", "?", "0-3"),
        ("4", "Data"),
    )
    assert caches.from_sysfs(tmp_path, 3) == [Cache(1, 48 * 1024, 1), Cache(2, 2 * MIB, 2)]
    assert caches.from_sysfs(tmp_path, 0) == []


def test_caches_are_read_from_the_answer_of_windows() -> None:
    """The largest cache of each level is taken from the records that Windows answers with."""

    def entry(level: int, kind: int, size: int, mask: int) -> bytes:
        head = (2).to_bytes(4, "little") + (56).to_bytes(4, "little") + bytes([level, 8]) + (64).to_bytes(2, "little")
        rest = size.to_bytes(4, "little") + kind.to_bytes(4, "little") + bytes(18) + (1).to_bytes(2, "little")
        return head + rest + mask.to_bytes(8, "little") + bytes(8)

    data = entry(1, 2, 32768, 3) + entry(1, 1, 65536, 3) + entry(3, 0, 32 * MIB, 255) + entry(1, 2, 49152, 12)
    assert sorted(caches.from_windows(data), key=lambda cache: cache.level) == [Cache(1, 49152, 2), Cache(3, 32 * MIB, 8)]
    assert caches.from_windows(data[:30]) == []


def test_all_instances_of_the_last_level_count() -> None:
    """Threads that reach several last-level caches reach all of their bytes; one thread reaches one."""
    found = (Cache(1, 32768, 2), Cache(3, 32 * MIB, 16))
    assert [caches.last_level_bytes(found, threads) for threads in (1, 16, 17, 128)] == [32 * MIB, 32 * MIB, 64 * MIB, 256 * MIB]
    assert caches.last_level_bytes((), 4) is None


@pytest.mark.parametrize(
    ("lines", "files", "room", "processors"),
    [
        ("0::/app", {"app/memory.max": "1000", "app/memory.current": "300", "app/cpu.max": "150000 100000"}, 700, 1.5),
        ("0::/app", {"app/memory.max": "max", "memory.max": "5000", "memory.current": "1000", "app/cpu.max": "max 100000"}, 4000, None),
        ("0::/not/mounted/here", {"memory.max": "900"}, 900, None),
        (
            "5:cpu,cpuacct:/x\n4:memory:/x",
            {
                "memory/x/memory.limit_in_bytes": "800",
                "memory/x/memory.usage_in_bytes": "500",
                "memory/memory.limit_in_bytes": str(2**63 - 4096),
                "cpu/x/cpu.cfs_quota_us": "50000",
                "cpu/x/cpu.cfs_period_us": "100000",
            },
            300,
            0.5,
        ),
        ("4:memory:/x", {"memory/x/memory.limit_in_bytes": str(2**63 - 4096)}, None, None),
        ("0::/", {}, None, None),
    ],
)
def test_limits_of_containers_are_kept(tmp_path: Path, lines: str, files: dict[str, str], room: int | None, processors: float | None) -> None:
    """The smallest limit of the cgroups above the process counts, of both versions."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(lines + "\n")
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    assert limits.cgroup_memory_bytes(tmp_path / "cgroup", tmp_path / "proc") == room
    assert limits.cgroup_processors(tmp_path / "cgroup", tmp_path / "proc") == processors


def test_the_work_of_others_is_what_is_not_ours() -> None:
    """The share of others is the machine's work without our own, over all processors; not known where the system does not tell."""
    assert limits.others_share(Usage(100.0, 0.0, 0.0), Usage(108.0, 6.0, 10.0), 2) == 0.1
    assert limits.others_share(Usage(None, 0.0, 0.0), Usage(8.0, 6.0, 10.0), 2) is None


# ---------------------------------------------------------------------------------------------------------------- the plan


def on_machine(monkeypatch: pytest.MonkeyPatch, free_bytes: int | None, found: tuple[Cache, ...], processors: int = 4) -> None:
    monkeypatch.setattr(limits, "memory_bytes", lambda: free_bytes)
    monkeypatch.setattr(limits, "processors", lambda: tuple(range(processors)))
    monkeypatch.setattr(cpu, "caches", lambda: found)


def test_arrays_hold_four_times_the_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each array holds four times the last-level caches that its threads reach, and 64 MiB at least."""
    on_machine(monkeypatch, 2**40, (Cache(3, 32 * MIB, 2),))
    planned = cpu.plan()
    assert (planned.array_bytes, planned.single_array_bytes, planned.halved) == (256 * MIB, 128 * MIB, False)
    on_machine(monkeypatch, None, (Cache(2, MIB, 1),))
    assert cpu.plan().array_bytes == 64 * MIB


def test_arrays_are_halved_to_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """An array takes a fifth of the free memory at most, and the plan says that it was halved."""
    on_machine(monkeypatch, 600 * MIB, (Cache(3, 32 * MIB, 4),))
    planned = cpu.plan()
    assert planned.halved
    assert planned.array_bytes == 64 * MIB
    assert planned.ceiling_bytes < 600 * MIB


def test_too_little_memory_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the smallest arrays fit there is a reason, not a crash."""
    on_machine(monkeypatch, 20 * MIB, (Cache(3, 32 * MIB, 4),))
    with pytest.raises(NotMeasured) as refused:
        cpu.plan()
    assert refused.value.reason is Reason.MEMORY


# ------------------------------------------------------------------------------------------------------------- the kernels


def test_filling_in_parts_is_filling_at_once() -> None:
    """Threads that fill their parts make the array that one thread makes."""
    whole, parts = aligned(20_000), aligned(20_000)
    fill(whole, 1)
    fill(parts[:4096], 1)
    fill(parts[4096:], 1, 4096)
    assert np.array_equal(whole, parts)
    assert np.array_equal(whole, hashed(0, 20_000, 1, "f64"))
    assert whole.ctypes.data % 4096 == 0


@pytest.mark.parametrize("name", NUMPY)
def test_kernels_of_numpy_stand(name: str) -> None:
    """Each numpy kernel gives the closed form, on sizes that fill a chunk and that do not."""
    for n in (100, 8192, 20_001):
        assert stands(KERNELS[name], NUMPY[name], *arrays(n))


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_of_numba_stand(name: str) -> None:
    """Each compiled kernel gives the closed form, where numba is installed."""
    pytest.importorskip("numba")
    assert stands(KERNELS[name], cpu._numba_passes()[name], *arrays(20_001))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("at", [0, 8191, 8192, 20_000])
def test_one_damaged_value_is_caught(name: str, at: int) -> None:
    """A single value that is off by a millionth, or is no number, is found wherever it stands."""
    kernel = KERNELS[name]
    a, b, c = arrays(20_001)
    a[:] = kernel.expected(b, c, SCALAR)
    total = float(np.sum(kernel.expected(b, c, SCALAR)))
    assert not wrong(kernel, a, b, c, total)
    for damage in (2.0**-20, float("nan")):
        damaged = a.copy()
        damaged[at] += damage
        assert wrong(kernel, damaged, b, c, total + damage * 2**20)


def test_a_kernel_that_does_nothing_does_not_stand() -> None:
    """A kernel that writes nothing, writes the wrong thing or stops early is found out."""
    b_only = {"nothing": lambda a, b, c, s: None, "wrong": lambda a, b, c, s: np.copyto(a, c), "half": lambda a, b, c, s: np.copyto(a[:99], b[:99])}
    assert not any(stands(KERNELS["copy"], run, *arrays(8192)) for run in b_only.values())
    assert not stands(KERNELS["read"], lambda a, b, c, s: 0.0, *arrays(8192))
    constant = float(np.sum(hashed(0, 8192, 1, "f64") ** 2))
    assert not stands(KERNELS["read"], lambda a, b, c, s: constant, *arrays(8192))  # right, without reading: the control finds it


def test_workers_stay_on_their_processors() -> None:
    """Each worker runs on the one processor it was given, and answers come in the order of the workers."""
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot tell")
    processors = sorted(os.sched_getaffinity(0))[:2]
    with Workers(processors) as workers:
        assert workers.run(lambda number: (number, os.sched_getaffinity(0))) == [(n, {processor}) for n, processor in enumerate(processors)]
    assert os.sched_getaffinity(0) >= set(processors)


def test_what_a_worker_raises_reaches_the_caller() -> None:
    """An error in a worker is raised where its answer is waited for, and the workers go on."""
    with Workers((0,)) as workers:
        with pytest.raises(MemoryError):
            workers.run(lambda number: (_ for _ in ()).throw(MemoryError()))
        assert workers.run(lambda number: number) == [0]


def test_a_stage_measures_and_checks_every_kernel() -> None:
    """Every kernel of every engine is measured on all threads, in turns, and checked; a kernel that is wrong has no figure but a reason."""
    engines = {"numpy": NUMPY, "broken": {"copy": lambda a, b, c, s: None}}
    with Workers((0, 0), ticking()) as workers:
        found = stage(engines, workers, MIB, budget_s=0.2)
    good, broken = found.runs
    assert list(good.kernels) == [name for name in KERNELS if name in NUMPY]
    assert all(each.valid and each.best_bytes_per_s and each.samples >= 2 for each in good.kernels.values())
    assert good.kernels["copy"].bus_bytes_per_s == pytest.approx(1.5 * (good.kernels["copy"].best_bytes_per_s or 0))
    assert broken.kernels["copy"].valid is False
    assert [(error.reason, error.part) for error in found.failures] == [("invalid", "broken copy")]


def test_rates_follow_the_clock() -> None:
    """A rate is the bytes that STREAM counts over the time that the clock says."""
    with Workers((0,), ticking(0.5)) as workers:
        found = stage({"numpy": {"add": NUMPY["add"]}}, workers, MIB, budget_s=0.0)
    assert found.runs[0].kernels["add"].best_bytes_per_s == pytest.approx(3 * MIB / 0.5)


@pytest.mark.parametrize("order", ["random", "page"])
def test_a_ring_visits_every_line_once(order: str) -> None:
    """The chain goes through every line and comes back to its start; page by page it leaves a page when all of it was seen."""
    links = ring(64 * 1024, order, np.random.default_rng(3))
    at, seen = 0, []
    for _ in range(1024):
        seen.append(at)
        at = int(links[at])
    assert at == 0
    assert sorted(seen) == list(range(0, 8192, 8))
    pages = [index // 512 for index, _ in itertools.groupby(seen[i] // 512 * 512 for i in range(1024))]
    assert (len(pages) <= 17) == (order == "page")


def test_the_staircase_and_the_latency_cover_every_size() -> None:
    """Each working set has a rate, and each chain a time in both orders; where the time runs out, that is told."""
    at = cpu.sizes(128 * 1024)
    with Workers((0,), ticking()) as workers:
        assert [step.bytes for step in staircase(cpu._numpy_walk, workers, at, 0.0)] == at
    with Workers((0,), ticking(1e-6)) as workers:
        found, cut = latencies(lambda links, start, steps: start, workers, at, until=1.0)
        assert [(each.bytes, each.order) for each in found] == [(size, order) for size in at for order in ("random", "page")]
        assert not cut
        assert latencies(lambda links, start, steps: start, workers, at, until=0.0)[1]


def test_a_whole_measurement_is_a_record() -> None:
    """A measurement with numpy alone gives a record with its kernels, its staircase, its limits, and numpy's flag; and tells its progress."""
    told: list[tuple[float, str]] = []
    record = cpu.measure(
        budget_s=0.05, threads=2, array_bytes=MIB, engines=("numpy",), progress=lambda share, part: told.append((share, part)), clock=ticking()
    )
    assert read(record.as_json()) == record
    assert set(record.kernels) == set(NUMPY)
    assert all(each.valid for each in record.kernels.values())
    assert Flag.NUMPY_ONLY in record.flags
    assert {run.threads for run in record.runs} == {1, record.threads}
    assert record.sweep[-1].bytes == MIB
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_with_numba_there_is_triad_and_latency() -> None:
    """Where numba is installed the record has triad and the latency, and not numpy's flag."""
    pytest.importorskip("numba")
    record = cpu.measure(budget_s=0.05, array_bytes=MIB)
    assert record.kernels["triad"].valid
    assert record.latency
    assert Flag.NUMPY_ONLY not in record.flags


def test_an_engine_that_is_not_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that is missing or fails leaves numpy, with the reason in the record."""

    def broken() -> dict[str, cpu.Pass]:
        raise RuntimeError("no such target")

    def missing() -> dict[str, cpu.Pass]:
        raise ImportError("numba")

    for engine, reason in ((broken, "unsupported"), (missing, "no_package")):
        monkeypatch.setattr(cpu, "_ENGINES", {"numpy": cpu._numpy_passes, "numba": engine})
        found, failures = cpu._engines(("numpy", "numba"))
        assert list(found) == ["numpy"]
        assert [(error.reason, error.part) for error in failures] == [(reason, "numba")]


def test_arrays_that_do_not_fit_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives less memory than it said, the arrays are halved until they fit, and at the smallest there is a reason."""

    def small(n: int) -> cpu.Array:
        if n * 8 > 5 * MIB:
            raise MemoryError
        return np.empty(n)

    monkeypatch.setattr(cpu, "aligned", small)
    with Workers((0,), ticking()) as workers:
        found, halved = cpu._fitting({"numpy": {"copy": NUMPY["copy"]}}, workers, 16 * MIB, 0.0, lambda part: None)
        assert halved
        assert found.runs[0].array_bytes == 4 * MIB
        monkeypatch.setattr(cpu, "aligned", lambda n: small(2**40))
        with pytest.raises(NotMeasured):
            cpu._fitting({"numpy": {"copy": NUMPY["copy"]}}, workers, 16 * MIB, 0.0, lambda part: None)


def test_there_is_one_cpu() -> None:
    """A second CPU does not exist."""
    with pytest.raises(NotMeasured) as refused:
        cpu.measure(index=1)
    assert refused.value.reason is Reason.NO_DEVICE


def test_the_matrix_product_is_checked() -> None:
    """numpy's product stands against a vector, a doubled element does not, and a product that does nothing has no figure."""
    b, c = (hashed(0, 96 * 96, seed, "f64").astype(np.float32).reshape(96, 96) for seed in (1, 2))
    assert cpu._product_stands(b, c, b @ c)
    damaged = b @ c
    damaged[50, 7] *= 2.0
    assert not cpu._product_stands(b, c, damaged)
    assert not cpu._product_stands(b, c, np.zeros_like(b))


def test_the_matrix_product_is_a_rate_on_every_thread() -> None:
    """2·n³ FLOP for each worker's product in the time that the clock says, within the memory given; too little of that is a MemoryError."""
    with Workers([0, 0], of_its_own(0.5)) as workers:
        found = cpu.product(workers, 2 * 12 * 128**2, 0.0)
        assert found.valid
        assert found.best_flop_per_s == found.median_flop_per_s == 2 * 2 * 128**3 / 0.5
        with pytest.raises(MemoryError):
            cpu.product(workers, 1000, 0.0)


def test_a_wrong_product_has_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product that fails its check is reported without a figure."""
    monkeypatch.setattr(cpu, "_product_stands", lambda *matrices: False)
    with Workers([0]) as workers:
        assert cpu.product(workers, 12 * 64**2, 0.0) == cpu.Arithmetic(None, None, 0, valid=False)
