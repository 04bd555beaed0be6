"""Horizontal bars, the first on top: parts of a whole or single values, each under its label, with its words at its end.

The y axis counts pixels, so that labels, bars and the gaps between them have one size in every figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from wallviz.figures import style
from wallviz.figures.axes import Axis
from wallviz.figures.style import ROLES

#: Pixels of a row: the label above the bar, the bar (that of a row whose parts are named in it), what follows it.
LABEL, THICK, TALL, GAP = 24, 18, 58, 13
SHORTEST = 0.06
"""The part of the plot that the shortest bar takes on a log scale, where no bar has a natural beginning."""
LIGHT, DARK = "#FFFFFF", "#141312"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: its length, its fill and outline (colours), what the pointer finds; it begins where the one before ends, or at `start`.

    `name` and `said` are the two lines that stand in it where they have room, and under the bar where not; `bright` text stands on a dark fill.
    """

    size: float
    fill: str
    edge: str
    hover: tuple[str, ...]
    start: float | None = None
    name: str = ""
    said: str = ""
    bright: bool = False
    dark: bool = True
    """Its fill is dark enough to stand before its name as a square; a lighter one stands there as an outline."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A further value beside a bar: another source's, or another quantity in the same unit."""

    value: float
    label: str
    filled: bool = True


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: its label above (`strong` in bold, after the shape of its `role`) with a note, its segments, its words at the end.

    `off` is a whisker: by how much the length may be off. `limit` is a stroke across this bar alone; from `leads` a dotted line
    leads down to the next; neighbours of one `group` are outlined together; `tall` gives the names of the parts room inside.
    """

    label: str
    segments: tuple[Segment, ...]
    id: str = ""
    note: str = ""
    strong: bool = False
    role: str = ""
    said: str = ""
    off: float = 0.0
    marks: tuple[Mark, ...] = ()
    limit: float | None = None
    leads: float | None = None
    group: str = ""
    tall: bool = False

    @property
    def end(self) -> float:
        """Where the last of its segments ends."""
        at = 0.0
        for part in self.segments:
            at = (at if part.start is None else part.start) + part.size
        return at

    @property
    def furthest(self) -> float:
        """What lies farthest out: the bar with its whisker, or a mark."""
        starts = (part.start + part.size for part in self.segments if part.start is not None)
        return max([self.end + self.off, *starts, *(mark.value for mark in self.marks)])


@dataclass(frozen=True, slots=True)
class Limit:
    """What a bar is compared with: a stroke across every bar at `at` (None: each bar's own), its words over the first."""

    label: str
    at: float | None = None
    role: str = "compute"


@dataclass(frozen=True, slots=True)
class Zone:
    """A pale band across all rows, with words over it."""

    low: float
    high: float
    role: str = "reference"
    label: str = ""


def value(
    id: str,
    label: str,
    role: str,
    size: float | None,
    said: str,
    *,
    solid: bool = True,
    marks: tuple[Mark, ...] = (),
    hover: Sequence[str] = (),
    group: str = "",
) -> Bar:
    """A row of one value from zero in the colour of `role` (not `solid`: pale); None draws no bar."""
    one = Segment(size, ROLES[role].rgba(1.0 if solid else 0.22), ROLES[role].colour, (label, said, *hover)) if size else None
    return Bar(label, (one,) if one else (), id=id, role=role, said=said, marks=marks, group=group)


def bars(
    rows: Sequence[Bar],
    axis: Axis,
    *,
    revision: str,
    limit: Limit | None = None,
    zones: Sequence[Zone] = (),
    groups: Sequence[tuple[str, str]] = (),
    swatches: Sequence[tuple[str, str]] = (),
) -> style.Drawing:
    """The rows to one scale. `swatches` are (colour, name) of the parts; `groups` are (group, title)."""
    reach = [row.furthest for row in rows if row.furthest > 0]
    most = max([*reach, *(row.limit for row in rows if row.limit), *([limit.at] if limit and limit.at else [])], default=0.0) or 1.0
    start, stop = axis.ends(min(reach, default=0.1), most)
    if axis.log:
        least = min([*reach, *(mark.value for row in rows for mark in row.marks), *(part.size for row in rows for part in row.segments)], default=0.1)
        start = log10(least) - max(log10(most) - log10(least), 1.0) * SHORTEST - 0.1
    ends = [_end_at(row, axis, start, stop, limit) for row in rows]
    wide, phone = (_with_room(rows, ends, start, stop, plot) for plot in style.PLOTS)
    tops, floor = _places(rows, phone - start)
    inside, below, narrow = _names(rows, tops, wide - start, phone - start)
    annotations = [*inside, *below, *(_above(row, top) for row, top in zip(rows, tops, strict=True))]
    named = [(row, top, at) for row, top, at in zip(rows, tops, ends, strict=True) if row.said]
    annotations += [style.words(style.text(row.said), at, _middle(row, top), over="middle", dx=7) for row, top, at in named]
    outlines, titles = _outlines(rows, tops, groups)
    narrow |= {f"annotations.{len(annotations) + i}.text": "" for i in range(len(titles))}
    annotations += titles
    heads = _heads(axis, limit, zones, start, wide)
    annotations += heads
    legend = _legend(swatches, limit)
    if legend:
        narrow |= {f"annotations.{len(annotations)}.text": "<br>".join(map("   ".join, legend[1])), "margin.t": 10 + 19 * len(legend[1])}
        annotations.append(style.words("<br>".join(map("   ".join, legend[0])), 0, 1, xref="paper", yref="paper", dy=4))
    top = max(style.EDGE["t"], 8 + 19 * len(legend[0]) if legend else 0, 8 + 19 * len(heads))
    shapes = [style.zone(ROLES[zone.role].rgba(0.15), zone.low, zone.high) for zone in zones]
    shapes += [*outlines, *_leads(rows, tops), *_strokes(rows, tops, limit)]
    return style.Drawing(
        [stretch(rows, tops), *_whiskers(rows, tops), *_marks(rows, tops)],
        style.layout(
            name="",
            across=axis.name,
            xaxis=axis.between(start, wide),
            yaxis={"range": [floor, 0], "visible": False, "fixedrange": True, "type": "linear"},
            revision=f"{revision}|{'log' if axis.log else 'linear'}",
            height=top + style.EDGE["b"] - floor,
            margin=style.EDGE | {"t": top, "r": 132 if titles else style.EDGE["r"]},
            narrow={"margin.l": 8, "margin.r": 10, "xaxis.range": [start, phone]} | narrow,
            meta={"least": 1.0},  # words stand between the bars
            barmode="overlay",
            shapes=shapes,
            annotations=annotations,
        ),
    )


def _end_at(row: Bar, axis: Axis, start: float, stop: float, limit: Limit | None) -> float:
    """Where the words of a bar stand: at its end, or beyond the limit where that would cross them."""
    at = axis.at(row.furthest) if row.furthest > 0 else start
    line = row.limit or (limit.at if limit else None)
    plot, letter = style.PLOTS[1]  # a phone's words take the larger part of their plot
    crossed = line and at < axis.at(line) < at + (stop - start) * (style.length(row.said) * letter + 16) / plot
    return axis.at(line) if line and crossed else at


def _with_room(rows: Sequence[Bar], ends: Sequence[float], start: float, stop: float, plot: tuple[float, float]) -> float:
    """Where the axis ends so that the words at the end of every bar have their room in a plot of so many pixels."""
    said = [(at, min(0.62, (style.length(row.said) * plot[1] + 16) / plot[0])) for row, at in zip(rows, ends, strict=True) if row.said]
    return max([stop, *(start + (at - start) / (1 - share) for at, share in said)])


def _legend(swatches: Sequence[tuple[str, str]], limit: Limit | None) -> list[list[list[str]]]:
    """The colours with their names, so many in a line as a laptop has room for, then as a phone has; the limit's where each bar has its own."""
    parts = [(colour, "■", name) for colour, name in swatches]
    parts += [(ROLES[limit.role].colour, "┃", limit.label)] if limit and limit.at is None else []
    found = []
    for plot, letter in style.PLOTS if parts else ():
        lines: list[list[str]] = [[]]
        used = 0.0
        for colour, shape, name in parts:
            used += (style.length(name) + 5) * letter
            if lines[-1] and used > plot:
                lines.append([])
                used = (style.length(name) + 5) * letter
            lines[-1].append(f"{style.coloured(colour, shape)} {style.text(name)}")
        found.append(lines)
    return found


def _half(row: Bar) -> float:
    return (TALL if row.tall else THICK) / 2


def _middle(row: Bar, top: float) -> float:
    return top - _half(row)


def _unnamed(row: Bar, span: float, plot: tuple[float, float]) -> list[Segment]:
    """The segments of a tall bar whose names have no room in them."""
    named = [part for part in row.segments if part.name and part.size] if row.tall else []
    return [part for part in named if max(map(style.length, (part.name, part.said))) * plot[1] + 6 > part.size / span * plot[0]]


def _places(rows: Sequence[Bar], span: float) -> tuple[list[float], float]:
    """The upper edge of every bar, and the end of the last row, in pixels below the top."""
    at, tops = 0.0, []
    for row in rows:
        at -= LABEL
        tops.append(at)
        at -= 2 * _half(row) + GAP + (LABEL if _unnamed(row, span, style.PLOTS[1]) else 0)
    return tops, at


def stretch(rows: Sequence[Bar], tops: Sequence[float], thick: float = 0.0) -> dict[str, Any]:
    """Every segment of every row, from its upper edge down; all of one thickness where `thick` says so."""
    every = []
    for row, top in zip(rows, tops, strict=True):
        at, high = 0.0, thick or 2 * _half(row)
        for part in row.segments:
            at = at if part.start is None else part.start
            every.append((row, part, at, top - high / 2, high))
            at += part.size
    based = {"base": [at for _row, _part, at, _y, _high in every]} if any(at for _row, _part, at, _y, _high in every) else {}
    return {
        "type": "bar",
        "orientation": "h",
        "x": [part.size for _row, part, _at, _y, _high in every],
        "y": [y for _row, _part, _at, y, _high in every],
        "width": [high for _row, _part, _at, _y, high in every],
        "marker": {
            "color": [part.fill for _row, part, *_rest in every],
            "line": {"width": 1.2, "color": [part.edge for _row, part, *_rest in every]},
        },
        **style.hover((row.id, *part.hover) for row, part, *_rest in every),
    } | based


def _whiskers(rows: Sequence[Bar], tops: Sequence[float]) -> list[dict[str, Any]]:
    """How far the length of bars may be off."""
    found = [(row, _middle(row, top)) for row, top in zip(rows, tops, strict=True) if row.off]
    colour = ROLES["reference"].colour
    whisker = {"type": "data", "array": [row.off for row, _y in found], "thickness": 2, "width": 5, "color": colour}
    places = {"x": [row.end for row, _y in found], "y": [y for _row, y in found]}
    trace = {"type": "scatter", "mode": "markers", "marker": {"size": 0.1, "color": colour}, "error_x": whisker, "hoverinfo": "skip"}
    return [trace | places] if found else []


def _marks(rows: Sequence[Bar], tops: Sequence[float]) -> list[dict[str, Any]]:
    found = [(row, mark, _middle(row, top)) for row, top in zip(rows, tops, strict=True) for mark in row.marks]
    colour = ROLES["reference"].colour
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [mark.value for _row, mark, _y in found],
        "y": [y for _row, _mark, y in found],
        "marker": {
            "symbol": ["diamond" if mark.filled else "diamond-open" for _row, mark, _y in found],
            "size": 9,
            "color": colour,
            "line": {"width": 1.6, "color": colour},
        },
        **style.hover((row.id, row.label, mark.label) for row, mark, _y in found),
    }
    return [trace] if found else []


def _above(row: Bar, top: float) -> dict[str, Any]:
    label = f"<b>{style.text(row.label)}</b>" if row.strong else style.text(row.label)
    said = (f"{style.glyph(row.role)} " if row.role else "") + label + (f" · {style.text(row.note)}" if row.note else "")
    return style.words(said, 0, top, xref="paper", dy=1)


def _names(
    rows: Sequence[Bar], tops: Sequence[float], wide: float, phone: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Names of the parts inside tall bars, those without room in lines below; and what of this a phone changes, by path."""
    inside: list[dict[str, Any]] = []
    below: list[dict[str, Any]] = []
    narrow: dict[str, Any] = {}
    under: list[str] = []
    for row, top in zip(rows, tops, strict=True):
        if not row.tall:
            continue
        out, out_phone = (_unnamed(row, span, plot) for span, plot in zip((wide, phone), style.PLOTS, strict=True))
        at = 0.0
        for part in row.segments:
            if part.name and part.size and part not in out:
                if part in out_phone:
                    narrow[f"annotations.{len(inside)}.text"] = ""
                ink = LIGHT if part.bright else DARK
                said = f"<span style='color:{ink}'>{style.text(part.name)}<br>{style.text(part.said)}</span>"
                inside.append(style.words(said, at + part.size / 2, _middle(row, top), side="center", over="middle"))
            at += part.size
        floor = top - 2 * _half(row)
        below.append(style.words(listed(out, style.PLOTS[0]), 0, floor, over="top", dy=-1))
        under.append(listed(out_phone, style.PLOTS[1]))
    return inside, below, narrow | {f"annotations.{len(inside) + i}.text": said for i, said in enumerate(under)}


def listed(parts: Sequence[Segment], plot: tuple[float, float]) -> str:
    """Parts by name, each after its colour, in lines as long as the plot is wide."""
    lines: list[list[str]] = [[]]
    used = 0.0
    for part in parts:
        shape = style.coloured(part.fill) if part.dark else style.coloured(part.edge, "□")
        long = (style.length(part.name) + style.length(part.said) + 5) * plot[1]
        used += long
        if lines[-1] and used > plot[0]:
            lines.append([])
            used = long
        lines[-1].append(f"{shape} {style.text(f'{part.name} {part.said}')}")
    return "<br>".join(map("  ".join, lines))


def _leads(rows: Sequence[Bar], tops: Sequence[float]) -> list[dict[str, Any]]:
    """From the end of one bar to the next: what the one leaves, the other begins with."""
    line = {"color": ROLES["reference"].colour, "width": 1, "dash": "dot"}
    return [
        {"type": "line", "x0": row.leads, "x1": row.leads, "y0": top - 2 * _half(row), "y1": below, "line": line}
        for (row, top), below in zip(zip(rows, tops, strict=True), tops[1:], strict=False)
        if row.leads is not None
    ]


def _strokes(rows: Sequence[Bar], tops: Sequence[float], limit: Limit | None) -> list[dict[str, Any]]:
    """Over the bars alone: between them stand words."""
    found = []
    for row, top in zip(rows, tops, strict=True):
        at = row.limit if row.limit is not None else limit.at if limit else None
        if limit and at is not None:
            line = {"color": ROLES[limit.role].colour, "width": 4}
            found.append({"type": "line", "x0": at, "x1": at, "y0": top + 2, "y1": top - 2 * _half(row) - 2, "line": line, "layer": "above"})
    return found


def _heads(axis: Axis, limit: Limit | None, zones: Sequence[Zone], start: float, stop: float) -> list[dict[str, Any]]:
    """The words of the limit and of the bands, over the first row, one line each."""
    found = [(limit.at, limit.role, "┃", limit.label)] if limit and limit.at is not None and limit.label else []
    found += [((zone.low + zone.high) / 2, zone.role, "▎", zone.label) for zone in zones if zone.label]
    heads = []
    for i, (at, role, shape, label) in enumerate(found):
        share = (axis.at(at) - start) / (stop - start)
        mark, words = style.coloured(ROLES[role].colour, shape), style.text(label)
        side, said, dx = ("right", f"{words} {mark}", 4) if share > 0.5 else ("left", f"{mark} {words}", -4)  # the mark stands over its line
        heads.append(style.words(said, axis.at(at), 1, side=side, yref="paper", dy=3 + 18 * i, dx=dx))
    return heads


def _outlines(rows: Sequence[Bar], tops: Sequence[float], groups: Sequence[tuple[str, str]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    shapes, titles = [], []
    for group, title in groups:
        mine = [(row, top) for row, top in zip(rows, tops, strict=True) if row.group == group]
        if not mine:
            continue
        high, low = mine[0][1] + LABEL - 1, mine[-1][1] - 2 * _half(mine[-1][0]) - GAP / 2
        line = {"width": 1, "color": style.FAINT}
        shapes.append({"type": "rect", "xref": "paper", "x0": -0.008, "x1": 1, "y0": low, "y1": high, "line": line, "layer": "below"})
        titles.append(style.words(title, 1, (high + low) / 2, over="middle", dx=6, xref="paper"))
    return shapes, titles
