"""The sizes of the processor's caches, from the operating system itself; nothing is guessed from the processor's name."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from math import ceil
from pathlib import Path

from wallviz.machine.record import Cache

SYSFS = Path("/sys/devices/system/cpu")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def caches() -> tuple[Cache, ...]:
    """The data caches as this process's first processor sees them, nearest first; empty where the system does not tell."""
    try:
        if sys.platform == "darwin":
            found = _sysctl()
        elif sys.platform == "win32":
            found = _windows()
        else:
            found = from_sysfs(SYSFS, min(os.sched_getaffinity(0), default=0))
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError):
        return ()
    return tuple(sorted(found, key=lambda cache: (cache.level, cache.bytes)))


def last_level_bytes(found: Sequence[Cache], threads: int) -> int | None:
    """All instances of the last level that `threads` processors reach together: a server chip has several. None where it is not known.

    >>> last_level_bytes([Cache(1, 32768, 2), Cache(3, 32 * 2**20, 16)], 64) // 2**20
    128
    """
    if not found:
        return None
    last = max(found, key=lambda cache: cache.level)
    return last.bytes * ceil(threads / last.shared_by) if last.shared_by else last.bytes


def from_sysfs(root: Path, cpu: int) -> list[Cache]:
    """Linux: ``cpu<N>/cache/index*`` under `root`; an entry that cannot be read is left out."""
    found = []
    for index in sorted((root / f"cpu{cpu}" / "cache").glob("index*")):
        try:
            if (index / "type").read_text().strip() not in ("Data", "Unified"):
                continue
            size = re.fullmatch(r"(\d+)([KMG]?)", (index / "size").read_text().strip())
            level = int((index / "level").read_text())
            shared = count_list((index / "shared_cpu_list").read_text())
        except (OSError, ValueError):
            continue
        if size and int(size[1]):
            found.append(Cache(level, int(size[1]) * _UNITS[size[2]], shared))
    return found


def count_list(text: str) -> int:
    """How many processors a list of the kernel names.

    >>> count_list("0-3,8"), count_list("5")
    (5, 1)
    """
    spans = (span.partition("-") for span in text.strip().split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in spans)


def _sysctl() -> list[Cache]:
    """macOS: the performance cores' caches (perflevel0), or those of a machine with one kind of core."""
    found = []
    for level, names in (
        (1, ("hw.perflevel0.l1dcachesize", "hw.l1dcachesize")),
        (2, ("hw.perflevel0.l2cachesize", "hw.l2cachesize")),
        (3, ("hw.l3cachesize",)),
    ):
        sizes = [int(text) for name in names if (text := _asked(name)).isdigit()]
        if sizes and sizes[0]:
            sharing = _asked("hw.perflevel0.cpusperl2") if level == 2 else ""
            found.append(Cache(level, sizes[0], int(sharing) if sharing.isdigit() and int(sharing) else None))
    return found


def _asked(name: str) -> str:
    return subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False).stdout.strip()


def _windows() -> list[Cache]:
    """Windows: GetLogicalProcessorInformationEx(RelationCache = 2)."""
    ask = ctypes.windll.kernel32.GetLogicalProcessorInformationEx  # type: ignore[attr-defined, unused-ignore]
    size = ctypes.c_uint32(0)
    ask(2, None, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    return from_windows(buffer.raw[: size.value]) if ask(2, buffer, ctypes.byref(size)) else []


def from_windows(data: bytes) -> list[Cache]:
    """SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX records with a CACHE_RELATIONSHIP: u32 relation, u32 size, u8 level, u8 associativity, u16 line,
    u32 bytes, u32 type (0 unified, 2 data), 18 reserved bytes, u16 groups, then a u64 mask and u16 group for each.

    One of each level is kept, the largest.
    """
    found: dict[int, Cache] = {}
    at = 0
    while at + 52 <= len(data):
        relation, size = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4))
        level, kind = data[at + 8], int.from_bytes(data[at + 16 : at + 20], "little")
        bytes_ = int.from_bytes(data[at + 12 : at + 16], "little")
        if relation == 2 and kind in (0, 2) and bytes_ and (level not in found or found[level].bytes < bytes_):
            mask = int.from_bytes(data[at + 40 : at + 48], "little")
            found[level] = Cache(level, bytes_, mask.bit_count() or None)
        if size <= 0:
            break
        at += size
    return list(found.values())
