"""The footprint figures: bytes by part against the capacity of a chip, and a map of what fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import N_, _

#: Every part of a footprint in the order in which it is stacked: its name and its step of the memory hue, dark to light.
PARTS: dict[str, tuple[str, str]] = {
    "weights": (N_("Weights"), style.PARTS["weights"]),
    "gradients": (N_("Gradients"), style.PARTS["gradients"]),
    "optimizer": (N_("Optimizer"), style.PARTS["optimizer"]),
    "kv_cache": (N_("KV cache"), style.PARTS["optimizer"]),
    "activations": (N_("Activations"), style.PARTS["activations"]),
    "loss": (N_("Loss"), style.PARTS["kv_cache"]),
    "workspace": (N_("Workspace"), "#D6E7F8"),
    "overhead": (N_("Overhead"), "#E6F0FA"),
}
EDGE = style.PARTS["weights"]
#: Steps dark enough to stand in front of their name; lighter ones are drawn as an outline there.
STRONG = (style.PARTS["weights"], style.PARTS["gradients"], style.PARTS["optimizer"])
LIGHT, DARK = "#FFFFFF", "#141312"
_WIDE, _NARROW = (800, 7.6), (300, 6.4)
"""Pixels of a plot, and of one letter in it: on a laptop, on a phone."""


@dataclass(frozen=True, slots=True)
class MemoryBar:
    """One bar: what it is, its bytes by part, a word about it, and by how much the total may be off (bytes)."""

    label: str
    parts: Mapping[str, float]
    note: str = ""
    off_bytes: float = 0.0

    @property
    def bytes(self) -> float:
        """Its length."""
        return sum(self.parts.values())


def part_name(part: str) -> str:
    """The name of a part, in the language in use."""
    return _(PARTS[part][0])


def stack(rows: Sequence[MemoryBar], *, name: str, capacity: tuple[str, float] | None, revision: str) -> style.Drawing:
    """Bars of bytes by part, the first with its parts named, against the line of one chip's capacity (its name and its bytes).

    Linear, because parts add up; ticks stand at multiples of a power of two.
    """
    longest = max(*(row.bytes + row.off_bytes for row in rows), capacity[1] if capacity else 0.0, 1.0)
    top = longest / units.GIB * 1.2
    step = 2.0 ** ceil(log2(top / 7))
    ticks = [step * i for i in range(int(top / step) + 1)]
    places = [FIRST * (i > 0) + NEXT * max(0, i - 1) for i in range(len(rows))]
    used = [part for part in PARTS if any(row.parts.get(part) for row in rows)]
    data: list[dict[str, Any]] = [_segments(part, rows, places) for part in used]
    data.append(_error(rows[0], places[0]))
    inside, narrow = _names(rows[0], top)
    annotations = [*inside, *(_above(row, y, first=not i) for i, (row, y) in enumerate(zip(rows, places, strict=True)))]
    annotations += [_end(row, y, top, capacity) for row, y in zip(rows, places, strict=True)]
    shapes: list[dict[str, Any]] = []
    if capacity:
        shapes, line = _capacity(capacity[0], capacity[1] / units.GIB, places, top)
        annotations.append(line)
    low, high = places[-1] - (0.5 if len(rows) > 1 else 1.05), 0.86
    return style.Drawing(
        data,
        {
            "height": round(86 + 69 * (high - low)),
            "margin": {"l": 12, "r": 12, "t": 34, "b": 52},
            "showlegend": False,
            "barmode": "stack",
            "hovermode": "closest",
            "dragmode": "zoom",
            "uirevision": revision,
            "xaxis": {
                "range": [0, top],
                "tickvals": ticks,
                "ticktext": [f"{t:,.10g}" for t in ticks],
                "gridcolor": style.GRID,
                "zeroline": False,
                "title": {"text": name, "font": {"size": 14}, "standoff": 8},
            },
            "yaxis": {"range": [low, high], "visible": False, "fixedrange": True, "type": "linear"},
            "shapes": shapes,
            "annotations": annotations,
            "meta": {"narrow": narrow | {"margin.l": 6, "margin.r": 6, "xaxis.nticks": 5}},
        },
    )


#: Heights in units of the y axis: half of the first bar and of the others, from the first bar to the second, from one to the next.
HALF, HALF_OTHER, FIRST, NEXT = 0.44, 0.15, -1.63, -0.82


def _segments(part: str, rows: Sequence[MemoryBar], places: Sequence[float]) -> dict[str, Any]:
    name, colour = PARTS[part]
    return {
        "type": "bar",
        "orientation": "h",
        "x": [row.parts.get(part, 0.0) / units.GIB for row in rows],
        "y": list(places),
        "width": [2 * HALF, *([2 * HALF_OTHER] * (len(rows) - 1))],
        "marker": {"color": colour, "line": {"width": 1, "color": EDGE}},
        "customdata": [["", style.text(row.label), _(name), *both(row.parts.get(part, 0.0))] for row in rows],
        "hovertemplate": "<b>%{customdata[2]}</b><br>%{customdata[3]} = %{customdata[4]}<br>%{customdata[1]}<extra></extra>",
    }


def both(value_bytes: float) -> tuple[str, str]:
    """Bytes as GiB and as GB, each with its unit."""
    return units.binary(value_bytes), units.si(value_bytes, "B")


def _error(row: MemoryBar, y: float) -> dict[str, Any]:
    """How far the total may be off, as a whisker."""
    return {
        "type": "scatter",
        "x": [row.bytes / units.GIB],
        "y": [y],
        "mode": "markers",
        "marker": {"size": 0.1, "color": style.ROLES["reference"].colour},
        "error_x": {"type": "data", "array": [row.off_bytes / units.GIB], "thickness": 2, "width": 5, "color": style.ROLES["reference"].colour},
        "hoverinfo": "skip",
    }


def _names(row: MemoryBar, top: float) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Names of the parts inside their segments, those without room in a line below; and what of this a phone changes, by path."""
    found: list[dict[str, Any]] = []
    narrow: dict[str, str] = {}
    below: list[str] = []
    below_narrow: list[str] = []
    start = 0.0
    for part, (name, colour) in PARTS.items():
        size = row.parts.get(part, 0.0)
        if not size:
            continue
        lines, share = (_(name), units.binary(size)), size / units.GIB / top
        outside = f"<span style='color:{colour if colour in STRONG else EDGE}'>{'■' if colour in STRONG else '□'}</span> {lines[0]} {lines[1]}"
        if not _room(lines, share, *_NARROW):
            below_narrow.append(outside)
        if not _room(lines, share, *_WIDE):
            below.append(outside)
        else:
            if not _room(lines, share, *_NARROW):
                narrow[f"annotations.{len(found)}.text"] = ""
            ink = LIGHT if colour == EDGE else DARK
            found.append(
                {
                    "text": f"<span style='color:{ink}'>{lines[0]}<br>{lines[1]}</span>",
                    "x": (start + size / 2) / units.GIB,
                    "y": 0,
                    "xanchor": "center",
                    "yanchor": "middle",
                    "showarrow": False,
                }
            )
        start += size
    narrow[f"annotations.{len(found)}.text"] = _lines(below_narrow, 3)
    found.append(
        {
            "text": _lines(below, 8),
            "x": 0,
            "xanchor": "left",
            "y": -HALF,
            "yanchor": "top",
            "yshift": -1,
            "showarrow": False,
            "align": "left",
        }
    )
    return found, narrow


def _lines(texts: Sequence[str], most: int) -> str:
    return "<br>".join("  ".join(texts[i : i + most]) for i in range(0, len(texts), most))


def _room(lines: Sequence[str], share: float, pixels: float, letter: float) -> bool:
    longest = max(sum(2.0 if ord(c) > 0x2E80 else 1.0 for c in line) for line in lines)
    return longest * letter + 6 <= share * pixels


def _above(row: MemoryBar, y: float, *, first: bool) -> dict[str, Any]:
    label = style.text(row.label)
    return {
        "text": (f"<b>{label}</b>" if first else label) + (f" · {style.text(row.note)}" if row.note else ""),
        "x": 0,
        "xanchor": "left",
        "y": y + (HALF if first else HALF_OTHER),
        "yanchor": "bottom",
        "yshift": 1,
        "showarrow": False,
        "align": "left",
    }


def _end(row: MemoryBar, y: float, top: float, capacity: tuple[str, float] | None) -> dict[str, Any]:
    """The total at the end of a bar, or beyond the capacity line where that would cross it."""
    end, line = (row.bytes + row.off_bytes) / units.GIB, capacity[1] / units.GIB if capacity else 0.0
    return {
        "text": f"<b>{units.binary(row.bytes)}</b>",
        "x": max(end, line) if end < line + 0.02 * top and line < end + 0.14 * top else end,
        "xanchor": "left",
        "xshift": 6,
        "y": y,
        "yanchor": "middle",
        "showarrow": False,
    }


def _capacity(chip: str, at: float, places: Sequence[float], top: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    colour = style.ROLES["compute"].colour
    common = {"type": "line", "x0": at, "x1": at, "yref": "y", "line": {"color": colour, "width": 1.5, "dash": "dot"}, "layer": "below"}
    shapes: list[dict[str, Any]] = [common | {"yref": "paper", "y0": 0, "y1": 1}]
    for i, y in enumerate(places):
        half = (HALF_OTHER if i else HALF) + 0.05
        shapes.append(common | {"y0": y - half, "y1": y + half, "line": {"color": colour, "width": 4}, "layer": "above"})
    left = at > top / 2
    return shapes, {
        "text": f"<span style='color:{colour}'>┃</span> {style.text(chip)}",
        "x": at,
        "xanchor": "right" if left else "left",
        "xshift": 4 if left else -4,
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
        "yshift": 6,
        "showarrow": False,
    }


#: Cividis from light (little of the memory is used) to dark (all of it).
SCALE = ("#FEE838", "#E1CC55", "#C3B369", "#A69D75", "#8A8678", "#707173", "#575D6D", "#3B496C", "#123570")
CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of bytes: labels of its columns and rows, the bytes (None: cannot run), and the cell where the reader is."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    bytes: tuple[tuple[float | None, ...], ...]
    ids: tuple[tuple[str, ...], ...]
    here: tuple[int, int] | None = None
    """Row and column."""


def heat(grid: Grid, *, name: str, across: str, capacity: tuple[str, float] | None, revision: str) -> style.Drawing:
    """What fits is coloured by how full one chip is; what does not fit has its size in words alone."""
    limit = capacity[1] if capacity else float("inf")
    text = [[_short(v) if v is not None else "–" for v in row] for row in grid.bytes]
    # What does not fit stays hoverable under the one transparent step at the end of the scale.
    most = limit if capacity else max([1.0, *(v for row in grid.bytes for v in row if v is not None)])
    fits = [[v is not None and v <= limit for v in row] for row in grid.bytes]
    z = [[None if v is None else min(v, most * 1.01) / units.GIB for v in row] for row in grid.bytes]
    hover = [
        [
            [
                grid.ids[i][j],
                style.text(row),
                style.text(column),
                *(both(value) if value is not None else (_("cannot run"), "–")),
                _("fits") if value is not None and value <= limit else _("does not fit"),
            ]
            for j, (column, value) in enumerate(zip(grid.columns, grid.bytes[i], strict=True))
        ]
        for i, row in enumerate(grid.rows)
    ]
    columns, rows = range(len(grid.columns)), range(len(grid.rows))
    outside = [(i, j) for i in rows for j in columns if not fits[i][j]]
    data: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "x": list(columns),
            "y": list(rows),
            "z": z,
            "text": [[text[i][j] if fits[i][j] else "" for j in columns] for i in rows],
            "texttemplate": "%{text}",
            "colorscale": [*([i / len(SCALE) * 0.99, colour] for i, colour in enumerate(SCALE)), [0.99, SCALE[-1]], [0.9901, CLEAR], [1, CLEAR]],
            "zmin": 0,
            "zmax": most * 1.01 / units.GIB,
            "showscale": False,
            "xgap": 2,
            "ygap": 2,
            "hoverongaps": False,
            "customdata": hover,
            "hovertemplate": "<b>%{customdata[2]} · %{customdata[1]}</b><br>%{customdata[3]} = %{customdata[4]}<br>%{customdata[5]}<extra></extra>",
        },
        {
            "type": "scatter",
            "x": [j for _i, j in outside],
            "y": [i for i, _j in outside],
            "mode": "text",
            "text": [text[i][j] for i, j in outside],
            "textfont": {"color": style.ROLES["reference"].colour},
            "hoverinfo": "skip",
        },
    ]
    shapes = []
    if grid.here is not None:
        i, j = grid.here
        colour = style.ROLES["compute"].colour
        shapes = [{"type": "rect", "x0": j - 0.5, "x1": j + 0.5, "y0": i - 0.5, "y1": i + 0.5, "line": {"color": colour, "width": 3}}]
    return style.Drawing(
        data,
        style.layout(
            name=name,
            yaxis={
                "range": [-0.5, len(grid.rows) - 0.5],
                "tickvals": list(rows),
                "ticktext": [style.text(row) for row in grid.rows],
                "showgrid": False,
                "zeroline": False,
                "type": "linear",
                "automargin": True,
            },
            xaxis={
                "range": [-0.5, len(grid.columns) - 0.5],
                "tickvals": list(columns),
                "ticktext": [style.text(column) for column in grid.columns],
                "showgrid": False,
                "title": {"text": across, "font": {"size": 14}, "standoff": 6},
            },
            revision=revision,
            right=12,
            shapes=shapes,
            margin={"l": 72, "r": 12, "t": 44, "b": 56},
            narrow={"margin.r": 6},
        ),
    )


def _short(value_bytes: float) -> str:
    """A cell's text: GiB without the unit, which the figure's name has; TiB spelled out."""
    gib = value_bytes / units.GIB
    return units.significant(gib, 2) if gib < 1000 else f"{units.significant(gib / 1024, 2)}{units.THIN}Ti"
