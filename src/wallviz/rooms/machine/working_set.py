"""What the figures over the working set share: a published machine's steps, the caches as walls, the caption."""

from __future__ import annotations

from collections.abc import Sequence

from wallviz import units
from wallviz.engine.hardware import MemoryLevel
from wallviz.figures.machine import MachineLine, SetSpot, Wall
from wallviz.i18n import _, followed, qualified
from wallviz.machine.as_chip import reach_bytes
from wallviz.machine.reasons import Flag
from wallviz.machine.record import Record
from wallviz.rooms.machine.published import PublishedMachine

SMALLEST_BYTES, LARGEST_BYTES = 2.0**14, 2.0**30
"""The size axis where no record needs more of it."""


def at(size: float, said: str) -> str:
    """A value at a working set, in words."""
    return _("{value} at {size}").format(value=said, size=units.binary(size))


def flat_steps(other: PublishedMachine, values: Sequence[tuple[MemoryLevel, float]], largest: float, unit: str) -> MachineLine:
    """Published levels as flat steps, each as wide as its capacity; memory goes on to the edge."""
    spots: list[SetSpot] = []
    start = SMALLEST_BYTES
    for level, value in values:
        end = largest if level is other.memory else min(largest, level.capacity_bytes or 0.0)
        if not spots and level is other.memory:  # no cache is published: a short line at the edge
            start = largest / 16
        how = qualified(level.level, units.si(value, unit), _(level.kind if unit == "B/s" else level.latency_kind))
        spots += [SetSpot(start, value, how), SetSpot(end, value, how)]
        start = end
    return MachineLine(other.name, tuple(spots), said=units.si(spots[-1].value, unit))


def walls(record: Record | None) -> list[Wall]:
    """The caches of the reader's machine, where each ends."""
    if record is None:
        return []
    sizes = [(cache, reach_bytes(cache, record.sweep_threads)) for cache in record.device.caches]
    return [Wall(size, f"L{cache.level} {units.binary(size, 2)}") for cache, size in sizes]


def caption(record: Record | None) -> str:
    """How the lines came about."""
    if record is None:
        return _("Steps: levels as published. One thread read the caches of the EPYC, all of them its memory.")
    said = []
    if record.sweep_threads:
        said.append(_("Line: one thread.") if record.sweep_threads == 1 else _("Line: {n} threads.").format(n=record.sweep_threads))
    if Flag.NUMPY_ONLY in record.flags:
        said.append(_("With numpy alone the first-level cache stays hidden, and calls cost half a microsecond each."))
    said.append(_("Steps: published levels of other machines."))
    return followed(*said)
