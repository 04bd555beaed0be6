"""A rate or a latency over the working set: measured lines, a published machine's steps, the caches as walls, the caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wallviz import units
from wallviz.engine.hardware import MemoryLevel
from wallviz.figures.axes import Axis
from wallviz.figures.axes import said as tick
from wallviz.figures.plane import CrossLine, Dot, Line, plane
from wallviz.figures.style import DASHES, Drawing
from wallviz.i18n import _, followed, qualified
from wallviz.machine.as_chip import reach_bytes
from wallviz.machine.reasons import Flag
from wallviz.machine.record import Record
from wallviz.rooms.machine.published import PublishedMachine

SMALLEST_BYTES, LARGEST_BYTES = 2.0**14, 2.0**30
"""The size axis where no record needs more of it."""


@dataclass(frozen=True, slots=True)
class SetSpot:
    """One value at a working set of `bytes`; `how` is what the hover says of it."""

    bytes: float
    value: float
    how: str = ""


@dataclass(frozen=True, slots=True)
class MachineLine:
    """One machine: measured spots joined (`own`), or the flat steps of its published levels. `said` stands under its name at the end."""

    label: str
    spots: tuple[SetSpot, ...]
    own: bool = False
    said: str = ""
    filled: bool = True
    """Its markers are filled: measured on this machine; open: another record."""


EMPTY = (SetSpot(SMALLEST_BYTES, 1.0), SetSpot(LARGEST_BYTES, 10.0))
"""The axes of a figure without a line."""


def over_working_set(
    lines: Sequence[MachineLine], caches: Sequence[CrossLine], points: Sequence[tuple[str, SetSpot]], *, kind: str, name: str, revision: str
) -> Drawing:
    """`kind` (``bytes_per_s`` or ``time``) over the working set, both logarithmic; `points` stand alone, each with its words.

    Other machines have one colour, told apart by dashes and the names at their ends.
    """
    spots = [spot for line in lines for spot in line.spots] + [spot for _label, spot in points] or list(EMPTY)
    low, high = min(spot.bytes for spot in spots), max(spot.bytes for spot in spots)
    others = iter(DASHES[1:] * len(lines))
    return plane(
        [_line(line, ("solid" if line.filled else "dot") if line.own else next(others)) for line in lines],
        [[_dot(label, spot) for label, spot in points]],
        across=Axis(
            _("Working set: all the data that is touched again and again"), lambda size: units.binary(size, 1), base=2, low=low, high=high, room=0.01
        ),
        up=Axis(name, tick(kind), room=0.1),
        marks=[cache for cache in caches if low <= cache.at <= high],
        revision=revision,
        right=150,
    )


def _line(line: MachineLine, dash: str) -> Line:
    return Line(
        "bandwidth" if line.own else "reference",
        line.label,
        [spot.bytes for spot in line.spots],
        [spot.value for spot in line.spots],
        [spot.how for spot in line.spots],
        mode="lines+markers" if line.own else "lines",
        open=not line.filled,
        dash=dash,
        strong=line.own,
        rate=line.said,
    )


def _dot(label: str, spot: SetSpot) -> Dot:
    hover = ("", label, spot.how)
    return Dot(spot.bytes, spot.value, "bandwidth", hover, name=label, strong=True, symbol="star-diamond", size=13)


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


def walls(record: Record | None) -> list[CrossLine]:
    """The caches of the reader's machine, where each ends."""
    if record is None:
        return []
    sizes = [(cache, reach_bytes(cache, record.sweep_threads)) for cache in record.device.caches]
    return [CrossLine(size, f"L{cache.level} {units.binary(size, 2)}") for cache, size in sizes]


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
