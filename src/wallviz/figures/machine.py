"""The machine page's own figure: a rate or a latency against the working set, caches marked, other machines beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log2, log10
from typing import Any

from wallviz import units
from wallviz.figures import style

DASHES = ("dash", "dot", "dashdot", "longdash", "longdashdot")
"""Other machines, in their order: one colour for all, told apart by dashes and the names at their ends."""


@dataclass(frozen=True, slots=True)
class SetSpot:
    """One value at a working set of `bytes`; `how` is what the hover says of it."""

    bytes: float
    value: float
    how: str = ""


EMPTY = (SetSpot(2.0**14, 1.0), SetSpot(2.0**30, 10.0))
"""The axes of a figure without a line."""


@dataclass(frozen=True, slots=True)
class MachineLine:
    """One machine: measured spots joined (`own`), or the flat steps of its published levels. `said` stands under its name at the end."""

    label: str
    spots: tuple[SetSpot, ...]
    own: bool = False
    said: str = ""
    filled: bool = True
    """Its markers are filled: measured on this machine; open: another record."""


@dataclass(frozen=True, slots=True)
class Wall:
    """The capacity of a cache: a vertical line and its words."""

    bytes: float
    label: str


def staircase(
    lines: Sequence[MachineLine], walls: Sequence[Wall], points: Sequence[tuple[str, SetSpot]], *, kind: str, name: str, across: str, revision: str
) -> style.Drawing:
    """`kind` (``bytes_per_s`` or ``time``) over the working set, both logarithmic; `points` stand alone, each with its words."""
    spots = [spot for line in lines for spot in line.spots] + [spot for _label, spot in points] or list(EMPTY)
    low, high = min(spot.bytes for spot in spots), max(spot.bytes for spot in spots)
    axis = style.value_axis("rate", min(spot.value for spot in spots), max(spot.value for spot in spots), log=True, room=0.1)
    axis["ticktext"] = ["" if not text else _tick(kind, value) for text, value in zip(axis["ticktext"], axis["tickvals"], strict=True)]
    others = iter(DASHES * len(lines))
    data = [_line(line, "solid" if line.own else next(others)) for line in lines]
    data += [_points(points)] if points else []
    ends = [style.End(line.spots[-1].value, "bandwidth" if line.own else "reference", line.label, line.said) for line in lines]
    inside = [wall for wall in walls if low <= wall.bytes <= high]
    return style.Drawing(
        data,
        style.layout(
            name=name,
            yaxis=axis,
            xaxis={
                "type": "log",
                "range": [log10(low) - 0.05, log10(high) + 0.05],
                "minorloglabels": "none",
                "title": {"text": across, "font": {"size": 14}, "standoff": 8},
            }
            | _sizes(low, high),
            revision=revision,
            right=150,
            annotations=[*style.end_labels(ends, axis, lines=2), *map(_words, inside)],
            shapes=[_mark(wall) for wall in inside],
            margin={"l": 74, "r": 150, "t": 44, "b": 58},
            narrow={
                "margin.l": 62,
                "xaxis.title.text": across.partition(":")[0].partition("：")[0],  # the rest of it is in the glossary
                "xaxis.tickvals": _sizes(low, high, every=8)["tickvals"],
                "xaxis.ticktext": _sizes(low, high, every=8)["ticktext"],
            },
        ),
    )


def shaded(drawing: style.Drawing, low: float, high: float) -> style.Drawing:
    """The same bars over a pale band from `low` to `high` of their axis: where others lie."""
    band = {
        "type": "rect", "x0": low, "x1": high, "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0},
        "fillcolor": style.ROLES["reference"].rgba(0.16),
    }  # fmt: skip
    return replace(drawing, layout=drawing.layout | {"shapes": [*drawing.layout["shapes"], band]})


def _tick(kind: str, value: float) -> str:
    return units.si(value, "s" if kind == "time" else "B/s", digits=1)


def _sizes(low: float, high: float, every: int = 4) -> dict[str, Any]:
    """Lines of the size axis: powers of two, `every` octaves."""
    values = [2.0**n for n in range(ceil(log2(low)), floor(log2(high)) + 1) if n % every == 2 % every]
    return {"tickvals": values, "ticktext": [units.binary(value, 1) for value in values]}


def _line(line: MachineLine, dash: str) -> dict[str, Any]:
    role = style.ROLES["bandwidth" if line.own else "reference"]
    return {
        "type": "scatter",
        "mode": "lines+markers" if line.own else "lines",
        "x": [spot.bytes for spot in line.spots],
        "y": [spot.value for spot in line.spots],
        "line": {"color": role.colour, "width": 3.0 if line.own else 1.6, "dash": dash if line.filled else "dot"},
        "marker": {
            "symbol": "diamond" if line.filled else "diamond-open",
            "size": 7,
            "color": role.colour,
            "line": {"width": 1.5, "color": role.colour},
        },
        "customdata": [["", style.text(line.label), style.text(spot.how)] for spot in line.spots],
        "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<extra></extra>",
        "cliponaxis": False,
    }


def _points(points: Sequence[tuple[str, SetSpot]]) -> dict[str, Any]:
    role = style.ROLES["bandwidth"]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [spot.bytes for _label, spot in points],
        "y": [spot.value for _label, spot in points],
        "text": [f"<b>{style.text(label)}</b>" for label, _spot in points],
        "textposition": "top center",
        "marker": {"symbol": "star-diamond", "size": 13, "color": role.colour},
        "customdata": [["", style.text(label), style.text(spot.how)] for label, spot in points],
        "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<extra></extra>",
        "cliponaxis": False,
    }


def _mark(wall: Wall) -> dict[str, Any]:
    return {
        "type": "line", "x0": wall.bytes, "x1": wall.bytes, "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
        "line": {"width": 1.2, "dash": "dot", "color": style.FAINT},
    }  # fmt: skip


def _words(wall: Wall) -> dict[str, Any]:
    return {
        "text": style.text(wall.label), "x": log10(wall.bytes), "xanchor": "left", "xshift": 3, "yref": "paper", "y": 0.01, "yanchor": "bottom",
        "showarrow": False, "align": "left",
    }  # fmt: skip
