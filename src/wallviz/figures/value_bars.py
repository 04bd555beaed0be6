"""Bars of values from one side, with their words above and at their ends: times, energies, rates on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from wallviz.figures import style
from wallviz.figures.amounts import PLOTS, ROLES, amount_axis, narrow_title, vertical


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
    axis = amount_axis(kind, low, high, log=log)
    wide, phone = (_with_room(axis, rows, plot) for plot in PLOTS)
    axis["range"] = wide
    places = [float(-i) for i in range(len(rows))]
    data = [_bars(rows, places, axis, kind)]
    data += [_marks(rows, places, kind)] if any(row.marks for row in rows) else []
    annotations = [_above(row, y) for row, y in zip(rows, places, strict=True)]
    annotations += [_end(row, y, axis) for row, y in zip(rows, places, strict=True) if row.said]
    shapes, titles = _outlines(rows, places, groups)
    narrow: dict[str, Any] = {"margin.r": 10, "margin.l": 8, "xaxis.range": phone} | narrow_title(name)
    narrow |= {f"annotations.{len(annotations) + i}.text": "" for i in range(len(titles))}
    annotations += titles
    if line:
        shapes.append(vertical(line[0]))
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
