"""What every form shares: roles with their colours and shapes, sizes, harmless text, hovers, words, bands, labels at line ends, the layout.

The colours are the same in light and dark, at least 3:1 on every ground of ``.streamlit/config.toml`` (tests/test_style.py measures it),
and far apart for colour-blind readers; in greyscale they are not, which is why every role has a shape and every line a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import ceil, log10
from typing import Any

import orjson
from plotly.graph_objects import Figure as Figure

from wallviz.i18n import closed, language

HEIGHT = 470
"""A plane, in pixels."""
PLOTS = ((640.0, 7.6), (322.0, 6.3))
"""Width of a plot and of one letter in it, in pixels: on a laptop, on a phone."""
LONGEST = 46
"""Letters of a line under a phone's plot."""
PHONE = 356.0
"""Width of a phone's chart, in pixels."""
TITLE = {"font": {"size": 14}, "standoff": 8}
"""How the name of an axis is set."""
NAME_LEFT, NAME_UP = -52, 8
"""Where the name of an upward axis stands, in pixels from the plot's upper left corner."""
EDGE = {"l": 12, "r": 14, "t": 10, "b": 56}
"""Margins of rows, whose words stand inside the plot."""
GRID = "rgba(128,128,128,0.22)"
FAINT = "rgba(128,128,128,0.55)"
CLEAR = "rgba(0,0,0,0)"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""Lines of one colour, in their order."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a series is about: its colour (hex), its marker's shape and that shape's open twin."""

    colour: str
    symbol: str
    glyph: str

    def rgba(self, alpha: float) -> str:
        """The colour with opacity `alpha`, as plotly reads it."""
        red, green, blue = (int(self.colour[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({red},{green},{blue},{alpha:g})"


ROLES: dict[str, Role] = {
    "compute": Role("#D55E00", "circle", "●"),
    "memory": Role("#0670D1", "square", "■"),
    "bandwidth": Role("#009F74", "diamond", "◆"),
    "network": Role("#C372A0", "triangle-up", "▲"),
    "reference": Role("#808080", "line-ew", "–"),
}

# The parts of one footprint are parts of one thing: lightness steps of the memory blue, dark to light.
PARTS: dict[str, str] = {
    "weights": "#0670D1", "gradients": "#2A85D8", "optimizer": "#4E99E0", "activations": "#9CC6EF", "kv_cache": "#C4DDF6", "workspace": "#D6E7F8",
    "overhead": "#E6F0FA",
}  # fmt: skip


def glyph(role: str) -> str:
    """The coloured shape that stands before a label of `role`: the label itself keeps the text colour."""
    return coloured(ROLES[role].colour, ROLES[role].glyph)


def coloured(colour: str, shape: str = "■") -> str:
    """A shape in a colour, to stand before words."""
    return f"<span style='color:{colour}'>{shape}</span>"


def text(value: object) -> str:
    """`value` made harmless: plotly draws a small HTML subset, so nothing from data or a reader goes in unescaped; lines stay lines."""
    said = closed(str(value)) if language() == "zh" else str(value)  # thousands of hovers: only where there is a space to close
    return escape(said, quote=False).replace("\n", "<br>")


def length(said: str) -> float:
    """How many letters wide words are; a Chinese character is as wide as two."""
    return sum(2.0 if ord(c) > 0x2E80 else 1.0 for c in said)


def hover(points: Iterable[Sequence[str]]) -> dict[str, Any]:
    """What points say under the pointer: each its id (for a click), its name in bold, and lines under it, the empty ones left out."""
    return {
        "customdata": [[one[0], *map(text, one[1:2]), "<br>".join(text(line) for line in one[2:] if line)] for one in points],
        "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<extra></extra>",
    }


def words(said: str, x: float, y: float, *, side: str = "left", over: str = "bottom", dx: float = 0, dy: float = 0, **more: Any) -> dict[str, Any]:
    """Words at a place of the plot; `said` is markup of ours, its texts escaped. `side` and `over` say which end of them stands there."""
    place = {"x": x, "y": y, "xanchor": side, "yanchor": over, "xshift": dx, "yshift": dy}
    return {"text": said, "showarrow": False, "align": "right" if side == "right" else "left"} | place | more


def zone(fill: str, low: float, high: float, **across: Any) -> dict[str, Any]:
    """A pale band behind the plot, from `low` to `high` of the x axis."""
    ends = {"yref": "paper", "y0": 0, "y1": 1} | across
    return {"type": "rect", "x0": low, "x1": high, "fillcolor": fill, "line": {"width": 0}, "layer": "below"} | ends


def layout(
    *,
    name: str,
    xaxis: Mapping[str, Any],
    yaxis: Mapping[str, Any],
    revision: str,
    across: str = "",
    margin: Mapping[str, float] | None = None,
    narrow: Mapping[str, Any] | None = None,
    height: float = HEIGHT,
    **more: Any,
) -> dict[str, Any]:
    """The common layout. `name` is the quantity of the y axis, shown top left and horizontal, `across` that of the x axis; `revision` changes
    when zoom would lose its meaning; `narrow` is what changes on a phone, by path."""
    letters = max(map(length, yaxis.get("ticktext", ("",))), default=0.0) if yaxis.get("visible", True) else 0.0
    sides = {"l": max(62, 10 + 6.4 * letters), "r": 120, "t": 44, "b": 58 if across else 36} | dict(margin or {})
    title = {"title": {"text": across} | TITLE} if across else {}
    named = [words(name, 0, 1, dx=NAME_LEFT, dy=NAME_UP, xref="paper", yref="paper")] if name else []
    left, right = min(sides["l"], max(54, 8 + 5.4 * letters)), min(sides["r"], 106)
    phone: dict[str, Any] = {"margin.l": left, "margin.r": right, "xaxis.nticks": 5} | in_lines(across) | fewer(xaxis, PHONE - left - right)
    if named:
        phone |= {"margin.t": sides["t"] + 14, "annotations.0.text": re.sub(r" (?=\()|(?=（)| · ", "<br>", name)}
    return {
        "height": round(height),
        "margin": sides,
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": "zoom",
        "uirevision": revision,
        "xaxis": {"zeroline": False, "tickangle": 0, "uirevision": revision.split("|")[0], **xaxis, **title},
        "yaxis": yaxis,
        "annotations": named + more.pop("annotations", []),
        "meta": {"narrow": phone | dict(narrow or {})} | more.pop("meta", {}),
    } | more


def in_lines(name: str) -> dict[str, Any]:
    """What a phone changes for a long name under the plot: its last remark in brackets, or what follows its colon, stands in a line of its own,
    and so does an earlier remark where the first line is too long with it."""
    found = re.search(r"\s*([(（][^(（]*)$", name) or re.search(r"(?<=[:：])\s*(.*)$", name)
    if found is None or length(name) < 40:
        return {}
    first, lines = name[: found.start()], [found[1]]
    if length(first) > LONGEST and (remark := re.search(r"\s*(?=[(（])", first)):
        first, lines = first[: remark.start()], [first[remark.end() :], *lines]
    return {"xaxis.title.text": "<br>".join([first, *lines]), "margin.b": 52 + 18 * len(lines)}


def fewer(axis: Mapping[str, Any], plot: float) -> dict[str, Any]:
    """What a phone changes where the lines of an axis stand closer than their labels are wide, in a plot of so many pixels."""
    if not axis.get("tickvals"):
        return {}
    first, last = sorted(axis["range"])
    ticks = zip(axis["tickvals"], axis["ticktext"], strict=True)
    said = [(log10(value) if axis["type"] == "log" else value, value, word) for value, word in ticks if word]
    inside = [one for one in said if first <= one[0] <= last]
    pitch = min((b[0] - a[0] for a, b in pairwise(inside)), default=0.0) / (last - first or 1.0) * plot
    if not pitch or pitch >= (wide := PLOTS[1][1] * max(length(word) for _at, _value, word in inside) + 6):
        return {}
    kept = inside[:: ceil(wide / pitch)]
    return {"xaxis.tickvals": [value for _at, value, _word in kept], "xaxis.ticktext": [word for _at, _value, word in kept]}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished figure as plain data: what plotly.js draws.

    Plotly's own figure object checks and copies every property, which takes ten times as long as everything else; it is made where
    somebody wants it (`figure`: a notebook, an export, the stock chart), and the tests make it of every drawing.
    """

    data: list[dict[str, Any]]
    layout: dict[str, Any]

    @property
    def spec(self) -> str:
        """The figure as JSON."""
        return orjson.dumps({"data": self.data, "layout": self.layout}).decode()

    def figure(self) -> Figure:
        """The figure as plotly's object, validated."""
        return Figure({"data": self.data, "layout": self.layout})


@dataclass(frozen=True, slots=True)
class End:
    """A label where a line ends: at value `y`, in `role`'s glyph, saying `label`, whose lines stand under each other."""

    y: float
    role: str
    label: str


LINE = 0.052
"""A line of text as a share of the height of a plane."""


def end_labels(ends: Sequence[End], axis: Mapping[str, Any], *, line: float = LINE) -> list[dict[str, Any]]:
    """Labels at line ends, kept apart: moved by the least that leaves each its room (its lines, each `line` of the height).
    A browser moves them further where its chart is lower (ui/chart.js)."""
    low, high = (float(end) for end in axis["range"])
    order = sorted(ends, key=lambda end: end.y)
    room = [(high - low) * line * len(end.label.splitlines()) for end in order]
    spots = [min(max(log10(end.y) if axis["type"] == "log" else end.y, low), high) for end in order]
    for _pass in range(60):
        moved = False
        for i in range(len(spots) - 1):
            if (overlap := (room[i] + room[i + 1]) / 2 - (spots[i + 1] - spots[i])) > 1e-9:
                spots[i] -= overlap / 2
                spots[i + 1] += overlap / 2
                moved = True
        if sum(room) < high - low:
            spots = [min(max(spot, low + gap / 2), high - gap / 2) for spot, gap in zip(spots, room, strict=True)]
        if not moved:
            break
    beside: dict[str, Any] = {"side": "left", "over": "middle", "dx": 6, "name": "end", "xref": "paper", "yref": "y"}
    return [words(f"{glyph(end.role)} {text(end.label)}", 1, spot, **beside) for end, spot in zip(order, spots, strict=True)]
