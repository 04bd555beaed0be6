"""The latency curve: models by year against a wall, and what was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from wallviz import units
from wallviz.figures import style
from wallviz.figures.amounts import PLOTS


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


#: Where the words of a horizontal line may stand, the liked places first: at its left or right end, above or below it.
_CORNERS: tuple[dict[str, Any], ...] = tuple(
    {"x": x, "xanchor": side, "yanchor": over} for over in ("bottom", "top") for x, side in ((0.01, "left"), (0.99, "right"))
)


def _clear(words: str, at: float, drawn: Sequence[tuple[float, float]], xs: Sequence[float], ys: Sequence[float]) -> dict[str, Any]:
    """The corner for `words` at the height `at` that the fewest `drawn` points pass through, in the coordinates of the axes."""
    (plot, letter), height = PLOTS[0], 340.0
    wide, high = min(0.9, len(words) * letter / plot) * (xs[1] - xs[0]), 22.0 / height * (ys[1] - ys[0])

    def hit(corner: dict[str, Any]) -> int:
        left = xs[0] if corner["xanchor"] == "left" else xs[1] - wide
        low = at if corner["yanchor"] == "bottom" else at - high
        return sum(left <= x <= left + wide and low <= y <= low + high for x, y in drawn) + 1000 * (low < ys[0])

    return min(_CORNERS, key=hit)
