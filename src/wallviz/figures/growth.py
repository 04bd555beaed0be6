"""The growth figures: fitted lines with their bands over published points, and the training-memory breakdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from wallviz.engine.growth import Point, Trend
from wallviz.figures import style
from wallviz.i18n import _

SAMPLES = 48  # points along a fitted line: straight on a log axis, smooth enough on a linear one


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


def _sample(first: date, last: date) -> list[date]:
    days = max((last - first).days, 1)
    return [first + timedelta(days=round(days * i / (SAMPLES - 1))) for i in range(SAMPLES)]


def _hover(points: Iterable[Point], series: DrawnCurve) -> list[list[str]]:
    return [
        [
            point.id,
            style.text(point.name),
            str(point.date.year),
            style.value_text(series.kind, point.value / series.base),
            style.text(series.how.get(point.id, "")),
            style.text(series.origin.get(point.source, point.source)),
        ]
        for point in points
    ]


def _short(name: str) -> str:
    """A name as it stands beside its point: without the remark in brackets, which the hover has."""
    return name.partition(" (")[0].removeprefix("NVIDIA ").removeprefix("Google ").removeprefix("Microsoft ")


def _markers(series: DrawnCurve, drawn: set[tuple[str, float]]) -> list[dict[str, Any]]:
    """The markers of the points that no earlier series has `drawn`: a point may belong to two fits and is shown once."""
    role = style.ROLES[series.role]
    rank = {name: i for i, name in enumerate(series.named)}
    many = len(series.kept) > 60
    traces = []
    for every, left_out in ((series.kept, False), (series.left_out, True)):
        points = [p for p in every if (p.id, p.value) not in drawn]
        if not points:
            continue
        # Named points come first: where two names would touch, the browser keeps the earlier one.
        ordered = sorted(points, key=lambda p: (rank.get(p.id, len(rank)), p.date))
        symbol = [role.symbol + ("-open" if series.vendor or not p.identified else "") for p in ordered]
        traces.append(
            {
                "type": "scatter",
                "x": [p.date.isoformat() for p in ordered],
                "y": [p.value / series.base for p in ordered],
                "mode": "markers+text" if series.named and not left_out else "markers",
                "text": [style.text(_short(p.name)) if p.id in rank else "" for p in ordered],
                "textposition": "top center",
                "cliponaxis": False,
                "marker": {
                    "symbol": "x-thin-open" if left_out else symbol,
                    "color": style.FAINT if left_out else role.colour,
                    "size": 6 if many else 9,
                    "opacity": (0.45 if many else 0.95),
                    "line": {"width": 1.6, "color": style.FAINT if left_out else role.colour},
                },
                "customdata": _hover(ordered, series),
                "hovertemplate": style.HOVER,
            }
        )
    return traces


def _mine(series: DrawnCurve) -> list[dict[str, Any]]:
    """The reader's machine: a filled star in the curve's colour, named."""
    if series.mine is None:
        return []
    return [
        {
            "type": "scatter",
            "x": [series.mine.date.isoformat()],
            "y": [series.mine.value / series.base],
            "mode": "markers+text",
            "text": [style.text(series.mine.name)],
            "textposition": "middle left",
            "cliponaxis": False,
            "marker": {"symbol": "star", "color": style.ROLES[series.role].colour, "size": 14, "line": {"width": 1, "color": style.FAINT}},
            "customdata": _hover([series.mine], series),
            "hovertemplate": style.HOVER,
        }
    ]


def _line(series: DrawnCurve, until: date | None, prediction: bool) -> list[dict[str, Any]]:
    trend = series.trend
    if trend is None:
        return []
    role = style.ROLES[series.role]
    inside = _sample(trend.first, trend.last)
    traces: list[dict[str, Any]] = []
    end = max(trend.last, until) if until else trend.last
    whole = _sample(trend.first, end)
    x = [d.isoformat() for d in whole]
    for level, alpha in ((0.9, 0.10), (0.5, 0.16)):
        low, high = (trend.prediction_band if prediction else trend.confidence_band)(whole, level=level)
        traces.append(style.band(x, [float(v) / series.base for v in low], [float(v) / series.base for v in high], series.role, alpha))
    pieces = [(inside, "solid")]
    if until and until > trend.last:
        pieces.append((_sample(trend.last, until), "dash"))
    for days, dash in pieces:
        traces.append(
            {
                "type": "scatter",
                "x": [d.isoformat() for d in days],
                "y": [float(v) / series.base for v in trend.at(days)],
                "mode": "lines",
                "line": {"color": role.colour, "width": 2.6, "dash": dash},
                "hoverinfo": "skip",
            }
        )
    return traces


def lines(
    series: Sequence[DrawnCurve], *, name: str, kind: str, log: bool, revision: str, until: date | None = None, prediction: bool = False
) -> style.Drawing:
    """Curves over time with their fits: points, fitted lines (solid in the data's years, dashed beyond), 50 % and 90 % bands of the fit.

    `kind` is what is measured (see `style.tick_text`), `name` says it in words; `until` extends the lines as an extrapolation;
    `prediction` widens the bands to where one more point may fall.
    """
    every = [(s, p) for s in series for p in (*s.kept, *s.left_out, *([s.mine] if s.mine else []))]
    shown = [p.value / s.base for s, p in every]
    dates = [p.date for _s, p in every]
    ends = []
    for s in series:
        if s.trend is None:
            continue
        last = max(s.trend.last, until) if until else s.trend.last
        value = float(s.trend.at([last])[0]) / s.base
        shown += [value, float(s.trend.at([s.trend.first])[0]) / s.base]
        dates += [s.trend.first, last]
        ends.append(style.End(value, s.role, s.label, s.rate))
    axis = style.value_axis(kind, min(shown), max(shown), log=log)
    span = max((max(dates) - min(dates)).days, 365)
    left, right = min(dates) - timedelta(days=span // 25), max(dates) + timedelta(days=span // 40)
    data = [t for s in series for t in _line(s, until, prediction)]
    drawn: set[tuple[str, float]] = set()
    for s in series:
        data += _markers(s, drawn)
        drawn |= {(p.id, p.value) for p in (*s.kept, *s.left_out)}
    data += [trace for s in series for trace in _mine(s)]
    return style.Drawing(
        data,
        style.layout(
            name=name,
            yaxis=axis,
            xaxis={"type": "date", "range": [left.isoformat(), right.isoformat()], "tickformat": "%Y", "nticks": 9},
            revision=f"{revision}|{'log' if log else 'linear'}",
            annotations=style.end_labels(ends, axis),
        ),
    )


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """One model's training memory in bytes, by part, beside the memory of the GPU of its time."""

    name: str
    year: int
    weights_bytes: float
    optimizer_bytes: float
    activations_bytes: float
    capacity_bytes: float
    note: str = ""


def breakdown(bars: Sequence[TrainingMemory], *, name: str) -> style.Drawing:
    """Training memory by part, with the capacity of one GPU as a step line over the bars.

    Parts of a whole are stacked on a linear scale: on a log scale their lengths would lie.
    """
    x = [style.text(b.name) for b in bars]
    parts = (
        ("weights", _("Weights"), "weights_bytes"),
        ("optimizer", _("Optimizer"), "optimizer_bytes"),
        ("activations", _("Activations"), "activations_bytes"),
    )
    totals = [b.weights_bytes + b.optimizer_bytes + b.activations_bytes for b in bars]
    data = [_bar_trace(x, [getattr(b, field_name) for b in bars], label, style.PARTS[part], bars) for part, label, field_name in parts]
    data.append(
        {
            "type": "scatter",
            "x": x,
            "y": [b.capacity_bytes for b in bars],
            "mode": "lines",
            "line": {"shape": "hvh", "color": style.ROLES["compute"].colour, "width": 3},
            "customdata": [["", style.text(_("Memory of one GPU")), str(b.year), style.value_text("bytes", b.capacity_bytes), "", ""] for b in bars],
            "hovertemplate": "<b>%{customdata[1]}</b> (%{customdata[2]})<br>%{customdata[3]}<extra></extra>",
        }
    )
    axis = style.value_axis("bytes", 1.0, max(*totals, *(b.capacity_bytes for b in bars)), log=False, room=0.08)
    last = bars[-1]
    middles = (last.weights_bytes / 2, last.weights_bytes + last.optimizer_bytes / 2, totals[-1] - last.activations_bytes / 2)
    capacity = f"<span style='color:{style.ROLES['compute'].colour}'>━</span> {_('One GPU holds')}"
    annotations = [style.beside(last.capacity_bytes, capacity)]
    annotations += [
        style.beside(y, f"<span style='color:{style.PARTS[part]}'>■</span> {label}") for y, (part, label, _name) in zip(middles, parts, strict=True)
    ]
    return style.Drawing(
        data,
        style.layout(
            name=name,
            yaxis=axis,
            xaxis={
                "type": "category",
                "automargin": True,
                "tickvals": x,
                "ticktext": ["<br>".join([*style.text(_short(b.name)).split(), str(b.year)]) for b in bars],
            },
            revision="training",
            barmode="stack",
            bargap=0.35,
            annotations=annotations,
            narrow={"xaxis.tickangle": -90, "xaxis.ticktext": [f"{style.text(_short(b.name))} {b.year}" for b in bars]},
        ),
    )


def _bar_trace(x: list[str], values: list[float], label: str, colour: str, bars: Sequence[TrainingMemory]) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": x,
        "y": values,
        "marker": {"color": colour, "line": {"width": 0}},
        "customdata": [
            ["", style.text(b.name), str(b.year), f"{style.text(label)}: {style.value_text('bytes', v)}", style.text(b.note), ""]
            for b, v in zip(bars, values, strict=True)
        ],
        "hovertemplate": "<b>%{customdata[1]}</b> (%{customdata[2]})<br>%{customdata[3]}<br>%{customdata[4]}<extra></extra>",
    }
