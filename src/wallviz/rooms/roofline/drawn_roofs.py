"""The plane of the roofline: attainable FLOP/s over FLOP per byte, with what lies under the roofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wallviz import units
from wallviz.figures.axes import Axis, said
from wallviz.figures.plane import Dot, Line, Note, Region, plane
from wallviz.figures.style import DASHES, FAINT, Drawing
from wallviz.i18n import _, labelled

SMALLEST, BIGGEST = 7.0, 26.0
"""Sizes of the markers of an operation that takes no time and of one that takes all of it, pixels."""


@dataclass(frozen=True, slots=True)
class RoofLine:
    """One roof: its label, its peak, its bandwidth; `main` roofs are drawn strong, others muted."""

    label: str
    peak_flop_per_s: float
    bytes_per_s: float
    main: bool = True
    level: bool = False
    """The roof of another memory level: its slope alone."""

    @property
    def ridge(self) -> float:
        """FLOP per byte at which both limits meet."""
        return self.peak_flop_per_s / self.bytes_per_s


@dataclass(frozen=True, slots=True)
class RoofSpot:
    """One point under the roof: an operation, a whole step or a measurement; `lines` are what the hover says under its name."""

    id: str
    label: str
    intensity: float
    flop_per_s: float
    role: str
    lines: tuple[str, str, str]
    share: float = 0.0
    """Share of the time of its step: the size of the marker."""
    measured: bool = False
    named: bool = False
    """Its label stands beside it."""


def roofline(roofs: Sequence[RoofLine], spots: Sequence[RoofSpot], climb: Sequence[tuple[float, float, str]], *, revision: str) -> Drawing:
    """The roofs with what lies under them, both axes logarithmic; the first roof shades what is bound by bandwidth and what by compute.

    `climb` is a path of points with their words.
    """
    first = roofs[0]
    shown = [spot for spot in spots if spot.intensity > 0 and spot.flop_per_s > 0]
    low = min([0.5, *(spot.intensity / 1.6 for spot in shown)])
    high = max([first.ridge * 12, *(spot.intensity * 1.6 for spot in shown)])
    top = max(line.peak_flop_per_s for line in roofs) * 2.6
    bottom = min([first.bytes_per_s * low, *(spot.flop_per_s / 1.6 for spot in shown)])
    lines = [piece for i, line in enumerate(roofs) for piece in _roof(line, low, high, DASHES[min(i, len(DASHES) - 1)])]
    if len(climb) > 1:
        lines.append(Line("reference", "", [x for x, _y, _said in climb], [y for _x, y, _said in climb], dash="dot", width=1.2))
    steps = [Dot(x, y, "reference", name=said, side="top left", colour=FAINT, size=5, open=True, thick=1.5) for x, y, said in climb if len(climb) > 1]
    groups = [[_dot(spot) for spot in sorted(shown, key=lambda spot: -spot.share) if spot.measured is measured] for measured in (True, False)]
    flats = [_peak(line, high) for line in roofs if not line.level]
    levels = [line for line in roofs if line.level]
    return plane(
        lines,
        [*groups, steps],
        across=Axis(_("FLOP per byte moved"), said("flop_per_byte"), low=low, high=high, room=0.002),
        up=Axis(_("Attainable FLOP/s (log scale: each line is ×10)"), said("flop_per_s"), low=bottom, high=top),
        regions=[
            Region("bandwidth", low, first.ridge, _("bandwidth-bound:<br>arithmetic waits for memory"), _("bandwidth-<br>bound")),
            Region("compute", first.ridge, high, _("compute-bound:<br>memory keeps up"), _("compute-<br>bound")),
        ],
        notes=[_slope(first, low), *(_level(line, first.peak_flop_per_s, i) for i, line in enumerate(levels)), *flats],
        revision=revision,
        right=20,
    )


def _roof(line: RoofLine, low: float, high: float, dash: str) -> list[Line]:
    bend = min(line.ridge, high)
    style = {"dash": dash, "width": 3.0 if line.main else 1.8, "alpha": 1.0 if line.main else 0.55}
    slope = Line("bandwidth", "", [low, bend], [line.bytes_per_s * low, line.bytes_per_s * bend], **style)  # type: ignore[arg-type]
    flat = Line("compute", "", [line.ridge, max(high, line.ridge)], [line.peak_flop_per_s] * 2, **style)  # type: ignore[arg-type]
    return [slope] if line.level else [slope, flat]


def _slope(line: RoofLine, low: float) -> Note:
    """The bandwidth, left of the slope a third of the way up."""
    at = low * (line.ridge / low) ** 0.35
    return Note(at, line.bytes_per_s * at, units.si(line.bytes_per_s, "B/s"), "bandwidth", side="right", dx=-6)


def _level(line: RoofLine, peak: float, place: int) -> Note:
    """The name of a memory level where its slope meets the peak."""
    return Note(peak / line.bytes_per_s, peak, f"{line.label} {units.si(line.bytes_per_s, 'B/s')}", side="right", dy=9 + 17 * (place % 2))


def _peak(line: RoofLine, high: float) -> Note:
    """The chip, its precision and its peak, over the right end of its roof."""
    said = labelled(line.label, units.si(line.peak_flop_per_s, "FLOP/s"))
    return Note(high, line.peak_flop_per_s, said, "compute", side="right", dy=9)


def _dot(spot: RoofSpot) -> Dot:
    return Dot(
        spot.intensity,
        spot.flop_per_s,
        spot.role,
        (spot.id, spot.label, *spot.lines),
        name=spot.label if spot.named else "",
        side="bottom left" if spot.role == "compute" else "bottom right",
        strong=True,
        open=not spot.measured,
        size=SMALLEST if spot.measured else SMALLEST + (BIGGEST - SMALLEST) * spot.share**0.5,
        alpha=0.55 if spot.measured else 1.0,
        thick=0.5 if spot.measured else 2.4,
    )
