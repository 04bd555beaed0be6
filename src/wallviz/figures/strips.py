"""Dots on rules, one row a thing, on one axis: machines side by side, rates with their intervals, errors, shares that were reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from wallviz.figures import style
from wallviz.figures.axes import Axis
from wallviz.figures.style import ROLES

#: Pixels of a row: with its label above its rule, beside it, and beside it with a remark under the label.
ABOVE, BESIDE, REMARKED = 38, 24, 56
PHONE_LABEL = 22
"""Letters of a line of a label beside a row, on a phone."""
LANES = 11
"""Dots that stand over each other before a row moves on."""
MOST_REMARKS = 14
"""Rows from which on remarks are left to the pointer."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One value in a row: its role, what the pointer finds (id, name, lines), its interval; `filled` says measured."""

    value: float
    role: str
    hover: tuple[str, ...]
    low: float | None = None
    high: float | None = None
    filled: bool = True


@dataclass(frozen=True, slots=True)
class Strip:
    """One row: its label (a shorter one for phones; `strong` in bold), its spots, a remark under the label or, above a rule, at the right end.

    `band` is a pale band behind the row, `median` a bar across it.
    """

    label: str
    spots: tuple[Spot, ...]
    remark: str = ""
    short: str = ""
    strong: bool = False
    band: tuple[float, float] | None = None
    median: float | None = None


def strips(rows: Sequence[Strip], axis: Axis, *, revision: str, line: float | None = None, role: str = "", beside: bool = False) -> style.Drawing:
    """The rows, first on top. `line` is a vertical line over all of them (`role`: its colour). Labels stand over the rules, or `beside` them;
    there the spots of one row are spread over its height, so that equal ones do not hide each other."""
    values = [v for row in rows for spot in row.spots for v in (spot.value, spot.low, spot.high) if v is not None]
    values += [edge for row in rows for edge in row.band or ()] + ([line] if line is not None else [])
    crowded = beside and any(len(row.spots) > 1 for row in rows)
    remarked = crowded and len(rows) < MOST_REMARKS
    high = REMARKED if remarked else BESIDE if beside else ABOVE
    places = [-(i + (0.5 if beside else 0.72)) * high for i in range(len(rows))]
    placed = [(spot, y + shift * high) for row, y in zip(rows, places, strict=True) for spot, shift in _lanes(row, spread=crowded)]
    shapes = [
        style.zone(ROLES["memory"].rgba(0.14), *row.band, yref="y", y0=y - 0.44 * high, y1=y + 0.44 * high)
        for row, y in zip(rows, places, strict=True) if row.band
    ]  # fmt: skip
    if not beside:
        rule = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"width": 1, "color": style.GRID}, "layer": "below"}
        shapes += [rule | {"y0": y, "y1": y} for y in places]
    for row, y in zip(rows, places, strict=True):
        if row.median is not None:
            stroke = {"line": {"color": ROLES[row.spots[0].role].colour, "width": 4}}
            shapes.append({"type": "line", "x0": row.median, "x1": row.median, "y0": y - 0.38 * high, "y1": y + 0.38 * high} | stroke)
    if line is not None:
        drawn = {"width": 1.5, "dash": "dot", "color": ROLES[role].colour if role else style.FAINT}
        shapes.append({"type": "line", "x0": line, "x1": line, "yref": "paper", "y0": 0, "y1": 1, "line": drawn})
    xaxis = axis.drawn(min(values), max(values))
    yaxis: dict[str, Any] = {"range": [-high * len(rows), 0], "fixedrange": True, "type": "linear", "visible": False}
    annotations: list[dict[str, Any]] = []
    narrow: dict[str, Any] = {"xaxis.nticks": 4}
    if beside:
        small = "<br><span style='font-size:0.85em;opacity:0.8'>{}</span>"
        said = [style.text(row.label) + (small.format(style.text(row.remark)) if row.remark and remarked else "") for row in rows]
        yaxis |= {"visible": True, "automargin": True, "showgrid": False, "zeroline": False, "ticks": "", "ticklabelstandoff": 8}
        yaxis |= {"tickvals": places, "ticktext": said}
        short = [_wrapped(row.short or row.label) if crowded else [row.short or row.label] for row in rows]
        narrow["yaxis.ticktext"] = ["<br>".join(map(style.text, lines)) for lines in short]
        letters = max(style.length(line) for lines in short for line in lines)
        narrow |= style.fewer(xaxis, style.PHONE - style.EDGE["l"] - style.EDGE["r"] - letters * style.PLOTS[1][1])
    else:
        for row, y in zip(rows, places, strict=True):
            label = f"<b>{style.text(row.label)}</b>" if row.strong else style.text(row.label)
            annotations.append(style.words(label, 0, y, xref="paper", dy=6))
            annotations += [style.words(style.text(row.remark), 1, y, side="right", xref="paper", dy=6)] if row.remark else []
    return style.Drawing(
        [_trace(role, [one for one in placed if one[0].role == role]) for role in dict.fromkeys(spot.role for spot, _y in placed)],
        style.layout(
            name="",
            across=axis.name,
            xaxis=xaxis,
            yaxis=yaxis,
            revision=f"{revision}|{'log' if axis.log else 'linear'}",
            height=max(300, style.EDGE["t"] + style.EDGE["b"] + high * len(rows)),
            margin=style.EDGE,
            narrow={"margin.l": 12, "margin.r": 14} | narrow,
            shapes=shapes,
            annotations=annotations,
        ),
    )


def _wrapped(label: str) -> list[str]:
    """A label in lines that a phone has room for; the name of a program is broken at its underlines."""
    return [line.replace("_ ", "_") for line in wrap(label.replace("_", "_ "), PHONE_LABEL)]


def _lanes(row: Strip, *, spread: bool) -> list[tuple[Spot, float]]:
    """The spots of a row from the lowest to the highest, with how far each stands from the rule as a share of the row."""
    if not spread or len(row.spots) == 1:
        return [(spot, 0.0) for spot in row.spots]
    ordered = sorted(row.spots, key=lambda spot: (spot.value, spot.hover))
    lanes = min(LANES, len(ordered))
    return [(spot, 0.62 * ((i * 7 % lanes) / (lanes - 1) - 0.5)) for i, spot in enumerate(ordered)]


def _trace(role: str, placed: Sequence[tuple[Spot, float]]) -> dict[str, Any]:
    colour = ROLES[role].colour
    error = {
        "type": "data",
        "symmetric": False,
        "array": [(spot.high or spot.value) - spot.value for spot, _y in placed],
        "arrayminus": [spot.value - (spot.low or spot.value) for spot, _y in placed],
        "thickness": 2,
        "width": 4,
        "color": colour,
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [spot.value for spot, _y in placed],
        "y": [y for _spot, y in placed],
        "cliponaxis": False,
        "marker": {
            "symbol": [ROLES[role].symbol + ("" if spot.filled else "-open") for spot, _y in placed],
            "size": 9,
            "color": colour,
            "opacity": 0.85,
            "line": {"width": 1.5, "color": colour},
        },
        **({"error_x": error} if any(spot.low or spot.high for spot, _y in placed) else {}),
        **style.hover(spot.hover for spot, _y in placed),
    }
