"""What this process may use: memory, processors, and how much of them others use meanwhile."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from dataclasses import dataclass
from math import floor
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
_UNLIMITED = 2**60  # cgroup v1 writes "no limit" as a number near 2^63


def memory_bytes() -> int | None:
    """Memory that this process can still take: free in the machine, in every cgroup above it, and in its own limit. None: not known."""
    found = [_free_memory(), cgroup_memory_bytes(CGROUPS, PROC), _own_limit()]
    return min((each for each in found if each is not None), default=None)


def total_memory_bytes() -> int | None:
    """All the memory there is for this process: the machine's, or what its cgroups allow. None: not known (Windows)."""
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None
    return min(machine, cgroup_memory_bytes(CGROUPS, PROC, free=False) or machine)


def _free_memory() -> int | None:
    if sys.platform == "win32":
        return _windows_free()
    try:
        lines = (PROC / "meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        pass
    try:  # macOS does not say what is available: half of what there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError, AttributeError):
        return None


def _windows_free() -> int | None:
    """GlobalMemoryStatusEx: u32 length, u32 load, then u64 total and available physical memory, and five more."""
    status = (ctypes.c_uint64 * 8)()
    status[0] = ctypes.sizeof(status)
    answered = ctypes.windll.kernel32.GlobalMemoryStatusEx(status)  # type: ignore[attr-defined, unused-ignore]
    return int(status[2]) if answered else None


def cgroup_memory_bytes(root: Path, proc: Path, *, free: bool = True) -> int | None:
    """The smallest room in the cgroups above this process, version 2 or 1: limit less use (`free`), or the limit. None where nothing limits it."""
    rooms = []
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory") and "memory" not in controllers.split(","):
            continue
        base = root if controllers == "" else root / "memory"
        limit, used = ("memory.max", "memory.current") if controllers == "" else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        # In a container the path may name a group of the host that is not mounted here; its own group then stands at the root.
        group = Path(path.strip().lstrip("/"))
        for each in (group, *group.parents):
            numbers = [_number(base / each / name) for name in (limit, used)]
            if numbers[0] is not None and numbers[0] < _UNLIMITED:
                rooms.append(max(0, numbers[0] - (numbers[1] or 0)) if free else numbers[0])
    return min(rooms, default=None)


def _own_limit() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return max(0, limit - (address_space_bytes() or 0)) if limit != resource.RLIM_INFINITY else None


def address_space_bytes() -> int | None:
    """Addresses that this process has mapped. None where the system does not tell."""
    try:
        return int((PROC / "self" / "statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def cap_address_space(more_bytes: int) -> bool:
    """Refuses this process more than `more_bytes` beyond what it has mapped; whether the system could be told so."""
    mapped = address_space_bytes()
    if mapped is None:
        return False
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = mapped + more_bytes
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    except (OSError, ValueError):
        return False
    return True


def processors() -> tuple[int, ...]:
    """The processors that this process may run on, no more of them than its cgroup's quota pays for; numbered from 0 where they cannot be told."""
    try:
        allowed = sorted(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        allowed = list(range(os.cpu_count() or 1))
    quota = cgroup_processors(CGROUPS, PROC)
    return tuple(allowed if quota is None else allowed[: max(1, floor(quota))])


def cgroup_processors(root: Path, proc: Path) -> float | None:
    """Processors that the cgroup's quota pays for, version 2 or 1. None where nothing limits it."""
    found = []
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        group = Path(path.strip().lstrip("/"))
        for each in (group, *group.parents):
            if controllers == "":
                quota, _, period = "".join(_lines(root / each / "cpu.max")[:1]).partition(" ")
                if quota.isdigit() and period.strip().isdigit():
                    found.append(int(quota) / int(period))
            elif "cpu" in controllers.split(","):
                limit, period_us = (_number(root / "cpu" / each / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
                if limit and period_us and limit > 0:
                    found.append(limit / period_us)
    return min(found, default=None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time so far, in seconds: of the whole machine (None: not told) and of this process, at `wall_s`."""

    machine_s: float | None
    own_s: float
    wall_s: float

    @classmethod
    def now(cls) -> Usage:
        """Usage at this moment."""
        return cls(machine_seconds(PROC), sum(os.times()[:2]), time.monotonic())


def machine_seconds(proc: Path) -> float | None:
    """Linux: seconds that all processors worked (user, nice, system, interrupts, and what the host took away); idle and waiting left out."""
    try:
        user, nice, system, _, _, *interrupts_and_steal = (int(word) for word in (proc / "stat").read_text().split("\n", 1)[0].split()[1:9])
        return (user + nice + system + sum(interrupts_and_steal)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None


def others_share(before: Usage, after: Usage, processors: int) -> float | None:
    """The share of all `processors` that other programs used between two moments, 0 to 1.

    >>> others_share(Usage(10.0, 1.0, 0.0), Usage(14.0, 4.0, 5.0), 2)
    0.1
    """
    elapsed = (after.wall_s - before.wall_s) * processors
    if before.machine_s is None or after.machine_s is None or elapsed <= 0:
        return None
    others = (after.machine_s - before.machine_s) - (after.own_s - before.own_s)
    return min(1.0, max(0.0, others / elapsed))
