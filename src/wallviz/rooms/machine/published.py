"""Machines whose levels others have published: what stands beside a measurement, and what a reader sees before there is one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from wallviz import catalog
from wallviz.engine.hardware import MemoryLevel

_CACHES = ("registers", "shared memory", "LDS")
"""On-chip memory that a program fills itself: no working set lands there by being small."""

_MEMORY = ("device memory", "host memory")


@dataclass(frozen=True, slots=True)
class PublishedMachine:
    """A machine as published: its `caches` from small to large, and its `memory`."""

    id: str
    name: str
    caches: tuple[MemoryLevel, ...]
    memory: MemoryLevel
    promised_bytes_per_s: float | None
    """The memory's bandwidth on the data sheet, None where the catalogue does not have the chip."""

    @property
    def is_cpu(self) -> bool:
        """Its memory is a processor's."""
        return self.memory.place == "host memory" or any(level.level == "L1d" for level in self.caches)

    @property
    def share(self) -> float | None:
        """What was measured over what is promised; None where either is missing."""
        seen = self.memory.bytes_per_s
        return seen / self.promised_bytes_per_s if seen and self.promised_bytes_per_s and self.memory.kind == "measured" else None

    def rates(self) -> tuple[tuple[MemoryLevel, float], ...]:
        """Levels with a bandwidth, bytes/s, nearest first."""
        return tuple((level, level.bytes_per_s) for level in (*self.caches, self.memory) if level.bytes_per_s)

    def latencies(self) -> tuple[tuple[MemoryLevel, float], ...]:
        """Levels with a latency, seconds, nearest first."""
        return tuple((level, level.latency_s) for level in (*self.caches, self.memory) if level.latency_s)


@cache
def published_machines() -> dict[str, PublishedMachine]:
    """Every published machine with a measured or stated memory bandwidth, by id; of origins that disagree, the first."""
    chips = catalog.chips()
    devices: dict[str, list[MemoryLevel]] = {}
    for level in catalog.levels().values():
        devices.setdefault(level.device, []).append(level)
    found = {}
    for device, levels in devices.items():
        memory = next((level for level in levels if level.place in _MEMORY and level.bytes_per_s), None)
        if memory is None or memory.kind not in ("measured", "derived"):
            continue
        once = {level.level: level for level in reversed(levels) if level.place == "on chip" and level.level not in _CACHES}
        caches = tuple(sorted((level for level in once.values() if level.capacity_bytes), key=lambda level: level.capacity_bytes or 0.0))
        id = memory.id.partition("/")[0]
        promised = chips[memory.chip].memory_bytes_per_s if memory.chip in chips else None
        found[id] = PublishedMachine(id, device.partition(",")[0], caches, memory, promised)
    return found


def published_shares() -> tuple[tuple[PublishedMachine, float], ...]:
    """Machines whose measured and promised bandwidths are both published, with their share, the highest first."""
    return tuple(sorted(((other, other.share) for other in published_machines().values() if other.share), key=lambda one: -one[1]))


def beside_names() -> dict[str, str]:
    """The published machines by id."""
    return {id: other.name for id, other in published_machines().items()}
