"""The hierarchy figures: bars of time or energy on a ladder, machines side by side, growth rates as dots, and the latency curve."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import _

#: Colour by transfer: on-chip memory, DRAM, links, disks.
ROLES = {"chip": "memory", "memory": "bandwidth", "peers": "network", "machines": "network", "storage": "reference", "compute": "compute"}
#: Seconds at which a time axis has its lines, for people.
HUMAN = (1e-9, 1e-6, 1e-3, 1.0, 60.0, 3600.0, 86_400.0, 31_557_600.0, 31_557_600e2, 31_557_600e4)
NO_SHORTER = 0.06
"""The part of the plot that the shortest bar takes on a log scale, where no bar has a natural beginning."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A further value beside a bar: another source's, or another quantity in the same unit."""

    value: float
    label: str
    filled: bool = True


@dataclass(frozen=True, slots=True)
class ValueBar:
    """One bar: `label` stands above it, `said` at its end; `value` None draws none. `strong` is solid, otherwise pale.

    `group` is its transfer (`ROLES`) and `note` and `source` go to the hover. `outline` draws it open: a vendor's peak.
    """

    id: str
    label: str
    group: str
    value: float | None
    said: str
    strong: bool = True
    marks: tuple[Mark, ...] = ()
    how: str = ""
    source: str = ""


def bars(
    rows: Sequence[ValueBar],
    *,
    name: str,
    kind: str,
    log: bool,
    revision: str,
    groups: Sequence[tuple[str, str]] = (),
    line: tuple[float, str] | None = None,
) -> style.Drawing:
    """Horizontal bars, first on top, to one scale; `kind` of the axis is ``time``, ``human``, ``energy`` or what `style.tick_text` knows.

    `groups` are (group, title): neighbours of one group are outlined together. `line` is a vertical line with its words.
    """
    values = [v for row in rows for v in (row.value, *(mark.value for mark in row.marks)) if v]
    low, high = (min(values), max(values)) if values else (1.0, 10.0)
    axis = _axis(kind, low, high, log=log)
    wide, phone = (_with_room(axis, rows, plot) for plot in _PLOTS)
    axis["range"] = wide
    places = [float(-i) for i in range(len(rows))]
    data = [_bars(rows, places, axis, kind)]
    data += [_marks(rows, places, kind)] if any(row.marks for row in rows) else []
    annotations = [_above(row, y) for row, y in zip(rows, places, strict=True)]
    annotations += [_end(row, y, axis) for row, y in zip(rows, places, strict=True) if row.said]
    shapes, titles = _outlines(rows, places, groups)
    narrow: dict[str, Any] = {"margin.r": 10, "margin.l": 8, "xaxis.range": phone} | _title(name)
    narrow |= {f"annotations.{len(annotations) + i}.text": "" for i in range(len(titles))}
    annotations += titles
    if line:
        shapes.append(_vertical(line[0]))
    return style.Drawing(
        data,
        {
            "height": 80 + 51 * len(rows),
            "margin": {"l": 12, "r": 132 if titles else 16, "t": 8, "b": 52},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": "zoom",
            "uirevision": f"{revision}|{'log' if log else 'linear'}",
            "xaxis": axis | {"title": {"text": name, "font": {"size": 14}, "standoff": 8}},
            "yaxis": {"range": [places[-1] - 0.5, 0.72], "visible": False, "fixedrange": True, "type": "linear"},
            "shapes": shapes,
            "annotations": annotations,
            "meta": {"narrow": narrow},
        },
    )


def _axis(kind: str, low: float, high: float, *, log: bool) -> dict[str, Any]:
    if not log:
        axis = style.value_axis("times", low, high, log=False, room=0.04)
        axis["ticktext"] = ["0" if not v else tick(kind, v) for v in axis["tickvals"]]
        return axis | {"gridcolor": style.GRID, "zeroline": False}
    first, last = log10(low), log10(high)
    span = max(last - first, 1.0)
    start, end = first - span * NO_SHORTER - 0.1, last + span * 0.04
    if kind == "human":
        ticks = [v for v in HUMAN if start <= log10(v) <= end + span * 0.6]
    elif end - start < 2:  # under two factors of ten, lines at 1, 2 and 5 tell more than one lonely ten
        ticks = [m * 10.0**d for d in range(floor(start), ceil(end) + 2) for m in (1.0, 2.0, 5.0) if start <= log10(m * 10.0**d)]
    else:
        every = max(1, ceil((end - start) / 8))
        ticks = [10.0**d for d in range(ceil(start), ceil(end + span * 0.6)) if d % every == 0]
    return {
        "type": "log",
        "range": [start, end],
        "tickvals": ticks,
        "ticktext": [tick(kind, v) for v in ticks],
        "minorloglabels": "none",
        "gridcolor": style.GRID,
        "zeroline": False,
    }


#: Pixels of a plot, and of one letter in it: on a laptop, on a phone.
_PLOTS = ((640, 7.6), (322, 6.3))


def _with_room(axis: dict[str, Any], rows: Sequence[ValueBar], plot: tuple[int, float]) -> list[float]:
    """The range of the axis with room for the words at the end of every bar."""
    start, end = axis["range"]
    for row in rows:
        furthest = max([v for v in (row.value, *(mark.value for mark in row.marks)) if v], default=0.0)
        if furthest:
            at = log10(furthest) if axis["type"] == "log" else furthest
            share = min(0.62, (len(row.said) * plot[1] + 14) / plot[0])
            end = max(end, start + (at - start) / (1 - share))
    return [start, end]


def tick(kind: str, value: float) -> str:
    """A tick of a time or an energy axis; other kinds as everywhere."""
    if kind == "time":
        return units.si(value, "s", digits=1)
    if kind == "human":
        return human(value, digits=1)
    if kind == "energy":
        return units.si(value, "J", digits=1)
    if kind == "number":
        return units.significant(value, 1)
    return style.tick_text(kind, value)


def human(seconds: float, digits: int = 2) -> str:
    """A time as people say it: seconds below a minute in SI, then minutes, hours, days, years.

    >>> [human(s).replace(units.THIN, " ") for s in (0.0032, 37, 258, 7200, 3e6, 3.2e8)]
    ['3.2 ms', '37 s', '4.3 min', '2.0 hours', '35 days', '10 years']
    """
    for size, words in ((31_557_600.0, _("1 year")), (86_400.0, _("1 day")), (3600.0, _("1 hour"))):
        if digits == 1 and abs(seconds / size - 1) < 1e-3:
            return words
    if seconds < 60:
        return units.si(seconds, "s", digits=digits)
    for size, words in ((31_557_600.0, _("{n} years")), (86_400.0, _("{n} days")), (3600.0, _("{n} hours")), (60.0, _("{n} min"))):
        if seconds >= size * 0.9995:
            return words.format(n=units.significant(seconds / size, digits)).replace(" ", units.THIN)
    return units.si(seconds, "s", digits=digits)


def _bars(rows: Sequence[ValueBar], places: Sequence[float], axis: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "x": [row.value for row in rows],
        "y": list(places),
        "width": [0.34] * len(rows),
        "marker": {
            "color": [style.ROLES[ROLES[row.group]].rgba(1.0 if row.strong else 0.22) for row in rows],
            "line": {"width": 1.5, "color": [style.ROLES[ROLES[row.group]].colour for row in rows]},
        },
        "customdata": [[row.id, style.text(row.label), style.text(row.said), style.text(row.how), style.text(row.source)] for row in rows],
        "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<br>%{customdata[4]}<extra></extra>",
        "cliponaxis": True,
    }


def _marks(rows: Sequence[ValueBar], places: Sequence[float], kind: str) -> dict[str, Any]:
    found = [(row, y, mark) for row, y in zip(rows, places, strict=True) for mark in row.marks]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [mark.value for _row, _y, mark in found],
        "y": [y for _row, y, _mark in found],
        "marker": {
            "symbol": ["diamond" if mark.filled else "diamond-open" for _row, _y, mark in found],
            "size": 9,
            "color": "#808080",
            "line": {"width": 1.6, "color": "#808080"},
        },
        "customdata": [[row.id, style.text(row.label), style.text(mark.label)] for row, _y, mark in found],
        "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<extra></extra>",
    }


def _above(row: ValueBar, y: float) -> dict[str, Any]:
    return {
        "text": f"{style.glyph(ROLES[row.group])} {style.text(row.label)}",
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "y": y + 0.15,
        "yanchor": "bottom",
        "showarrow": False,
        "align": "left",
    }


def _end(row: ValueBar, y: float, axis: dict[str, Any]) -> dict[str, Any]:
    log = axis["type"] == "log"
    furthest = max([v for v in (row.value, *(mark.value for mark in row.marks)) if v], default=0.0)
    at = {"xref": "x", "x": log10(furthest) if log else furthest} if furthest else {"xref": "paper", "x": 0}
    return at | {"text": style.text(row.said), "xanchor": "left", "xshift": 8, "y": y, "yanchor": "middle", "showarrow": False}


def _outlines(
    rows: Sequence[ValueBar], places: Sequence[float], groups: Sequence[tuple[str, str]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    shapes, titles = [], []
    for group, title in groups:
        mine = [y for row, y in zip(rows, places, strict=True) if row.group == group]
        if not mine:
            continue
        top, bottom = max(mine) + 0.56, min(mine) - 0.32
        shapes.append(
            {
                "type": "rect",
                "xref": "paper",
                "x0": -0.008,
                "x1": 1,
                "y0": bottom,
                "y1": top,
                "line": {"width": 1, "color": style.FAINT},
                "layer": "below",
            }
        )
        titles.append(
            {
                "text": title,
                "xref": "paper",
                "x": 1,
                "xanchor": "left",
                "xshift": 6,
                "y": (top + bottom) / 2,
                "yanchor": "middle",
                "showarrow": False,
                "align": "left",
            }
        )
    return shapes, titles


def _vertical(x: float) -> dict[str, Any]:
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 1.5, "dash": "dash", "color": style.FAINT}}


# ---------------------------------------------------------------------------------------------------------- dots in rows


@dataclass(frozen=True, slots=True)
class ValueDot:
    """One value in a row: `group` gives its colour and shape, `low` and `high` its interval; `filled` says measured."""

    value: float
    group: str
    label: str
    how: str = ""
    low: float | None = None
    high: float | None = None
    filled: bool = True
    source: str = ""


def dots(
    rows: Sequence[tuple[str, str, Sequence[ValueDot]]],
    *,
    name: str,
    kind: str,
    log: bool,
    revision: str,
    line: float | None = None,
    ends: Sequence[str] = (),
    marked: Sequence[str] = (),
) -> style.Drawing:
    """Rows of dots on one axis: (id, label, dots) each; `ends` are words at the right of each row, `marked` ids in bold."""
    every = [dot for _id, _label, mine in rows for dot in mine]
    values = [v for dot in every for v in (dot.value, dot.low, dot.high) if v]
    axis = _axis(kind, min(values), max(values), log=log)
    if log:
        axis["range"][1] = log10(max(values)) + (log10(max(values)) - log10(min(values)) or 1.0) * 0.05
    places = [float(-i) for i in range(len(rows))]
    data = []
    for group in dict.fromkeys(dot.group for dot in every):
        found = [(id, label, dot, y) for (id, label, mine), y in zip(rows, places, strict=True) for dot in mine if dot.group == group]
        role = style.ROLES[ROLES[group]]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [dot.value for _id, _label, dot, _y in found],
                "y": [y for _id, _label, _dot, y in found],
                "marker": {
                    "symbol": [role.symbol + ("" if dot.filled else "-open") for _id, _label, dot, _y in found],
                    "size": 10,
                    "color": role.colour,
                    "line": {"width": 1.6, "color": role.colour},
                },
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [(dot.high or dot.value) - dot.value for _id, _label, dot, _y in found],
                    "arrayminus": [dot.value - (dot.low or dot.value) for _id, _label, dot, _y in found],
                    "thickness": 2,
                    "width": 4,
                    "color": role.colour,
                },
                "customdata": [
                    [id, style.text(label), style.text(dot.label), style.text(dot.how), style.text(dot.source)] for id, label, dot, _y in found
                ],
                "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<br>%{customdata[4]}<extra></extra>",
                "cliponaxis": False,
            }
        )
    annotations: list[dict[str, Any]] = []
    for (id, label, _mine), y in zip(rows, places, strict=True):
        text = style.text(label)
        annotations.append(
            {
                "text": f"<b>{text}</b>" if id in marked else text,
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "y": y + 0.14,
                "yanchor": "bottom",
                "showarrow": False,
                "align": "left",
            }
        )
    annotations += [
        {
            "text": style.text(end),
            "xref": "paper", "x": 1, "xanchor": "right", "y": y + 0.14, "yanchor": "bottom", "showarrow": False, "align": "right",
        }
        for end, y in zip(ends, places, strict=False)
    ]  # fmt: skip
    shapes = [_rule(y) for y in places]
    if line is not None:
        shapes.append(_vertical(line))
    return style.Drawing(
        data,
        {
            "height": 84 + 36 * len(rows),
            "margin": {"l": 14, "r": 14, "t": 10, "b": 52},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": "zoom",
            "uirevision": f"{revision}|{'log' if log else 'linear'}",
            "xaxis": axis | {"title": {"text": name, "font": {"size": 14}, "standoff": 8}},
            "yaxis": {"range": [places[-1] - 0.45, 0.72], "visible": False, "fixedrange": True, "type": "linear"},
            "shapes": shapes,
            "annotations": annotations,
            "meta": {"narrow": {"xaxis.nticks": 4} | _title(name)},
        },
    )


def _rule(y: float) -> dict[str, Any]:
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": {"width": 1, "color": style.GRID}, "layer": "below"}


# ---------------------------------------------------------------------------------------------------------- lines by year


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model by year: its name at the line's end, colour by `role`, dashed throughout, because a model is no measurement."""

    label: str
    role: str
    years: tuple[float, ...]
    values: tuple[float, ...]
    strong: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A measured point by year."""

    name: str
    year: float
    value: float
    how: str
    source: str = ""


def curve(lines: Sequence[ModelLine], points: Sequence[Seen], *, name: str, wall: tuple[float, str], log: bool, revision: str) -> style.Drawing:
    """Modelled lines and measured points by year against a horizontal wall (its value and its words)."""
    top = max([*(v for line in lines for v in line.values), *(p.value for p in points), wall[0]])
    axis = style.value_axis("times", 1.0, top, log=log)
    axis["ticktext"] = [text.replace(units.TIMES, "") for text in axis["ticktext"]]
    every = [year for line in lines for year in line.years] + [p.year for p in points]
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": list(line.years),
            "y": list(line.values),
            "line": {"color": style.ROLES[line.role].rgba(1.0 if line.strong else 0.45), "width": 2.6, "dash": "dash"},
            "customdata": [["", style.text(line.label), units.significant(v)] for v in line.values],
            "hovertemplate": "<b>%{customdata[1]}</b> (%{x:.0f})<br>%{customdata[2]}<extra></extra>",
        }
        for line in lines
    ]
    role = style.ROLES["bandwidth"]
    data.append(
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [p.year for p in points],
            "y": [p.value for p in points],
            "text": [style.text(p.name) for p in points],
            "textposition": "bottom center",
            "cliponaxis": False,
            "marker": {"symbol": role.symbol, "size": 10, "color": role.colour},
            "customdata": [
                ["", style.text(p.name), f"{p.year:.0f}", units.significant(p.value), style.text(p.how), style.text(p.source)] for p in points
            ],
            "hovertemplate": style.HOVER,
        }
    )
    ends = [style.End(line.values[-1], line.role, line.label) for line in lines]
    at = log10(wall[0]) if log else wall[0]
    span = (min(every) - 1, max(every) + 1)
    drawn = [*((x, y) for line in lines for x, y in zip(line.years, line.values, strict=True)), *((p.year, p.value) for p in points)]
    corner = _clear(wall[1], at, [(x, log10(y) if log else y) for x, y in drawn], span, axis["range"])
    return style.Drawing(
        data,
        style.layout(
            name=name,
            yaxis=axis,
            xaxis={"type": "linear", "range": list(span), "tickformat": "d", "nticks": 8},
            revision=f"{revision}|{'log' if log else 'linear'}",
            annotations=[
                *style.end_labels(ends, axis, lines=2),
                {"text": style.text(wall[1]), "xref": "paper", **corner, "y": at, "showarrow": False},
            ],
            narrow={f"annotations.{len(ends) + 1}.text": _first(style.text(wall[1]))},
            shapes=[{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": wall[0], "y1": wall[0], "line": {"width": 1.5, "color": "#D55E00"}}],
        ),
    )


def _first(text: str) -> str:
    """The first clause of `text`: a phone has no room for more beside a curve, and the drawers say the rest."""
    return re.split(r"[:：]", text)[0]


def _title(name: str) -> dict[str, Any]:
    """What a phone changes for a long name under the plot: its last remark in brackets stands in a second line."""
    found = re.search(r"\s*([(（][^(（]*)$", name)
    if found is None or len(name) < 40:
        return {}
    return {"xaxis.title.text": f"{name[: found.start()]}<br>{found[1]}", "margin.b": 66}


#: Where the words of a horizontal line may stand, the liked places first: at its left or right end, above or below it.
_CORNERS: tuple[dict[str, Any], ...] = tuple(
    {"x": x, "xanchor": side, "yanchor": over} for over in ("bottom", "top") for x, side in ((0.01, "left"), (0.99, "right"))
)


def _clear(words: str, at: float, drawn: Sequence[tuple[float, float]], xs: Sequence[float], ys: Sequence[float]) -> dict[str, Any]:
    """The corner for `words` at the height `at` that the fewest `drawn` points pass through, in the coordinates of the axes."""
    (plot, letter), height = _PLOTS[0], 340.0
    wide, high = min(0.9, len(words) * letter / plot) * (xs[1] - xs[0]), 22.0 / height * (ys[1] - ys[0])

    def hit(corner: dict[str, Any]) -> int:
        left = xs[0] if corner["xanchor"] == "left" else xs[1] - wide
        low = at if corner["yanchor"] == "bottom" else at - high
        return sum(left <= x <= left + wide and low <= y <= low + high for x, y in drawn) + 1000 * (low < ys[0])

    return min(_CORNERS, key=hit)
