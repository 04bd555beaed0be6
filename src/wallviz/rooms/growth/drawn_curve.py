"""Fitted lines with their bands over the points that they were fitted to, by date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from wallviz import units
from wallviz.engine.growth import Point, Trend
from wallviz.figures.axes import Axis, said, value_text
from wallviz.figures.plane import Band, Bracket, Dot, Line, plane
from wallviz.figures.style import FAINT, Drawing
from wallviz.i18n import _

SAMPLES = 48
"""Points along a fitted line: straight on a log axis, smooth enough on a linear one."""
MANY = 60
"""From so many points on they are small and pale."""


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    """One curve as it is drawn.

    `kept` are the points of the fit and `left_out` those taken out of it; values are divided by `base` (1 for real units). `rate` is
    said under the label at the line's end; `kind` is what a value is in the hover. `vendor` says that the values are peaks from data
    sheets (open markers). `named` are the ids whose names stand beside their points, in order of priority. `how` tells how a value was
    obtained, `origin` names its source.
    """

    role: str
    label: str
    kind: str
    kept: tuple[Point, ...]
    left_out: tuple[Point, ...] = ()
    trend: Trend | None = None
    rate: str = ""
    base: float = 1.0
    vendor: bool = False
    named: tuple[str, ...] = ()
    how: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    mine: Point | None = None
    """The reader's own machine, beside the fit and not in it."""


def curves_over_time(
    series: Sequence[DrawnCurve],
    *,
    name: str,
    kind: str,
    log: bool,
    revision: str,
    until: date | None = None,
    prediction: bool = False,
    apart: tuple[DrawnCurve, DrawnCurve] | None = None,
) -> Drawing:
    """Curves over time with their fits: points, fitted lines (solid in the data's years, dashed beyond), 50 % and 90 % bands of the fit.

    `kind` is what is measured (see `axes.said`), `name` says it in words; `until` extends the lines as an extrapolation; `prediction` widens the
    bands to where one more point may fall. A bracket says how far the lines of the two curves `apart` are from each other in the end.
    """
    groups: list[list[Dot]] = []
    drawn: set[tuple[str, float]] = set()
    for one in series:
        # named points come first: where two names would touch, the browser keeps the earlier one
        rank = {name: i for i, name in enumerate(one.named)}
        for points in (one.kept, one.left_out):
            mine = [point for point in points if (point.id, point.value) not in drawn]  # a point may belong to two fits and is shown once
            ranked = sorted(((rank.get(point.id, len(rank)), point.date, i) for i, point in enumerate(mine)))
            groups.append([_dot(one, mine[i]) for _rank, _date, i in ranked])
        drawn |= {(point.id, point.value) for point in (*one.kept, *one.left_out)}
    groups += [[_mine(one, one.mine)] for one in series if one.mine]
    return plane(
        [line for one in series for line in _lines(one, until)],
        groups,
        bands=[band for one in series for band in _bands(one, until, prediction=prediction)],
        across="",
        up=Axis(name, said(kind), log=log),
        revision=revision,
        brackets=_gap(*apart) if apart else (),
    )


def _gap(above: DrawnCurve, below: DrawnCurve) -> tuple[Bracket, ...]:
    """How far two lines are apart where the first of them ends."""
    if above.trend is None or below.trend is None:
        return ()
    day = min(above.trend.last, below.trend.last)
    high, low = (float(one.trend.at([day])[0]) / one.base for one in (above, below) if one.trend)
    words = _("{times} apart\nin {year}").format(times=units.times(high / low), year=day.year)
    return (Bracket(day.isoformat(), low, high, words),) if high > low else ()


def _short(name: str) -> str:
    """A name as it stands beside its point: without the remark in brackets, which the hover has."""
    return name.partition(" (")[0].removeprefix("NVIDIA ").removeprefix("Google ").removeprefix("Microsoft ")


def _dot(one: DrawnCurve, point: Point) -> Dot:
    """A point of the curve; one that is taken out of its fit is a grey cross."""
    out, many = point in one.left_out, len(one.kept) > MANY
    dot = Dot(
        point.date.isoformat(),
        point.value / one.base,
        one.role,
        _hover(one, point),
        name=_short(point.name) if point.id in one.named and not out else "",
        open=one.vendor or not point.identified,
        size=6 if many else 9,
        alpha=0.45 if many else 0.95,
    )
    return replace(dot, symbol="x-thin", colour=FAINT, open=True) if out else dot


def _mine(one: DrawnCurve, point: Point) -> Dot:
    """The reader's machine: a filled star in the curve's colour, named."""
    place = (point.date.isoformat(), point.value / one.base)
    return Dot(*place, one.role, _hover(one, point), name=point.name, side="middle left", symbol="star", size=14, ring=FAINT, thick=1)


def _hover(one: DrawnCurve, point: Point) -> tuple[str, ...]:
    value = value_text(one.kind, point.value / one.base)
    return point.id, f"{point.name} ({point.date.year})", value, one.how.get(point.id, ""), one.origin.get(point.source, point.source)


def _sample(first: date, last: date) -> list[date]:
    days = max((last - first).days, 1)
    return [first + timedelta(days=round(days * i / (SAMPLES - 1))) for i in range(SAMPLES)]


def _bands(one: DrawnCurve, until: date | None, *, prediction: bool) -> Iterable[Band]:
    if one.trend is None:
        return
    days = _sample(one.trend.first, max(one.trend.last, until or one.trend.last))
    for level, alpha in ((0.9, 0.10), (0.5, 0.16)):
        low, high = (one.trend.prediction_band if prediction else one.trend.confidence_band)(days, level=level)
        yield Band(one.role, [day.isoformat() for day in days], [float(v) / one.base for v in low], [float(v) / one.base for v in high], alpha)


def _lines(one: DrawnCurve, until: date | None) -> Iterable[Line]:
    """The fitted line in the years of the data, and dashed beyond them; the last piece is named."""
    if one.trend is None:
        return
    beyond = until is not None and until > one.trend.last
    pieces = [(one.trend.first, one.trend.last, "solid"), *([(one.trend.last, until, "dash")] if until and beyond else [])]
    for i, (first, last, dash) in enumerate(pieces, start=1):
        days = _sample(first, last)
        y = [float(v) / one.base for v in one.trend.at(days)]
        yield Line(one.role, one.label if i == len(pieces) else "", [day.isoformat() for day in days], y, dash=dash, width=2.6, rate=one.rate)
