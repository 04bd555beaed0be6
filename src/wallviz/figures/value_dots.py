"""Dots of values in rows on one axis: machines side by side, rates of growth with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from wallviz.figures import style
from wallviz.figures.amounts import ROLES, amount_axis, narrow_title, vertical


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
    axis = amount_axis(kind, min(values), max(values), log=log)
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
        shapes.append(vertical(line))
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
            "meta": {"narrow": {"xaxis.nticks": 4} | narrow_title(name)},
        },
    )


def _rule(y: float) -> dict[str, Any]:
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": {"width": 1, "color": style.GRID}, "layer": "below"}
