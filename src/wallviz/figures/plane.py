"""A plane of lines and points, labelled at their ends and beside them, with bands, lines across and words; and panels of lines under each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from textwrap import wrap
from typing import Any

from wallviz.figures import style
from wallviz.figures.axes import Axis
from wallviz.figures.bars import Bar, listed, stretch
from wallviz.figures.places import sides
from wallviz.figures.style import ROLES

MOST_LETTERS = 17
"""Letters of a line of a label at the end of a line."""
SHARE, PHONE_SHARE = 0.62, 0.54
"""Part of the figure's height that a plane has above a bar: on a laptop, on a phone."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its role, what stands at its end (lines of text; `named` False: nothing), its points, what each says (lines of a hover).

    `faint` draws it grey and thin and without a hover; `alpha` makes it pale; `open` markers are promised or predicted; `at` is the point beside
    which its label stands where the plane puts labels of short lines into the plot.
    """

    role: str
    label: str
    x: Sequence[Any]
    y: Sequence[float | None]
    hover: Sequence[str] = ()
    dash: str = "solid"
    strong: bool = False
    mode: str = "lines"
    """lines, markers or lines+markers."""
    open: bool = False
    named: bool = True
    at: int = -1
    width: float = 0.0
    alpha: float = 1.0
    symbol: str = ""
    rate: str = ""
    """Stands under the label."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A point: its place, role, what the pointer finds (id, name, lines), and the name beside it at `side` ("": where it touches nothing).

    `colour`, `symbol`, `size` and `alpha` are those of the role and of the plane unless said; `ring` is its outline.
    """

    x: Any
    y: float
    role: str
    hover: tuple[str, ...] = ()
    name: str = ""
    side: str = "top center"
    open: bool = False
    strong: bool = False
    """Its name is bold."""
    colour: str = ""
    symbol: str = ""
    size: float = 9
    alpha: float = 1.0
    ring: str = ""
    thick: float = 1.6
    """Width of its outline."""


@dataclass(frozen=True, slots=True)
class Band:
    """A filled band between `low` and `high` over `x`."""

    role: str
    x: Sequence[Any]
    low: Sequence[float]
    high: Sequence[float]
    alpha: float


@dataclass(frozen=True, slots=True)
class CrossLine:
    """A line across the plot at `at`, vertical or horizontal, and its label."""

    at: float
    label: str
    vertical: bool = True
    raised: bool = False
    """A vertical line's label stands above the place of the others, which are at its foot."""
    role: str = ""
    """Its colour: grey and dotted without."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """A vertical bracket at `x` from `low` to `high`, and its words left of it."""

    x: Any
    low: float
    high: float
    label: str


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the plane with words at its foot, and their shorter form for phones."""

    role: str
    low: float
    high: float
    label: str
    short: str


@dataclass(frozen=True, slots=True)
class Note:
    """Words at a place of the plane, after the shape of their `role`."""

    x: float
    y: float
    label: str
    role: str = ""
    side: str = "left"
    over: str = "bottom"
    dx: float = 0
    dy: float = 0


def plane(
    lines: Sequence[Line],
    dots: Sequence[Sequence[Dot]] = (),
    *,
    across: Axis | str,
    up: Axis,
    revision: str,
    marks: Sequence[CrossLine] = (),
    bands: Sequence[Band] = (),
    regions: Sequence[Region] = (),
    notes: Sequence[Note] = (),
    brackets: Sequence[Bracket] = (),
    right: int = 120,
    inside: bool = False,
    below: Bar | None = None,
) -> style.Drawing:
    """Lines and groups of dots in one plane; where `across` is words alone, they stand over dates.

    `right` is the room for labels at line ends; `inside`, those of lines that end before the edge stand in the plot. `below` stands under the
    plane as a bar of its own, from end to end.
    """
    xs, ys = _values(lines, dots, marks)
    yaxis = up.drawn(min(ys), max(ys))
    xaxis = _dates(xs, across) if isinstance(across, str) else across.drawn(min(xs), max(xs))
    shapes = [style.zone(ROLES[region.role].rgba(0.07), region.low, region.high) for region in regions]
    shapes += [*(_line_across(mark) for mark in marks), *(piece for bracket in brackets for piece in _bracket(bracket))]
    said: list[dict[str, Any]] = []
    narrow: dict[str, Any] = {}
    if isinstance(across, Axis):
        for region in regions:
            narrow |= {f"annotations.{len(said) + 1}.text": region.short, f"annotations.{len(said) + 1}.font.size": 11}
            middle = (across.at(region.low) + across.at(region.high)) / 2
            long = max(map(style.length, region.label.split("<br>"))) * style.PLOTS[0][1]
            wide = (across.at(region.high) - across.at(region.low)) / (xaxis["range"][1] - xaxis["range"][0]) * style.PLOTS[0][0]
            said.append(style.words(region.label if long < wide else region.short, middle, 0.015, side="center", yref="paper", opacity=0.85))
        drawn = _places(lines, dots, across, up)
        for mark in marks:
            if not mark.vertical:  # a phone has no room for more than the first clause, and the drawers say the rest
                narrow[f"annotations.{len(said) + 1}.text"] = style.text(re.split(r"[:：]", mark.label)[0])
            said.append(_upright(mark, across, xaxis) if mark.vertical else _lying(mark, up.at(mark.at), drawn, xaxis["range"], yaxis["range"]))
        said += [_note(note, across, up) for note in notes]
    for one in brackets:
        middle = (up.at(one.low) + up.at(one.high)) / 2
        said.append(style.words(f"<b>{style.text(one.label)}</b>", one.x, middle, side="right", over="middle", dx=-8))
    said += _labels([line for line in lines if line.named and line.label], xaxis, yaxis, inside=inside)
    data = [_band(band) for band in bands] + [trace(line) for line in lines] + [dotted(group, lines, xaxis, yaxis) for group in dots if group]
    height, more = style.HEIGHT, {}
    margin = {"r": right} | ({"b": 14} if below else {})
    if below:
        height += 56
        bar, axes, words, phone = _below(below)
        data.append(bar)
        narrow |= {f"annotations.{len(said) + 1 + i}.text": text for i, text in enumerate(phone)}
        said += words
        yaxis |= {"domain": [1.0 - SHARE, 1.0]}
        xaxis |= {"anchor": "y"}
        narrow |= {"yaxis.domain": [1.0 - PHONE_SHARE, 1.0], "yaxis2.domain": [0.12, 0.18]}
        more = axes
    return style.Drawing(
        data,
        style.layout(
            name=up.name,
            across=across if isinstance(across, str) else across.name,
            xaxis=xaxis,
            yaxis=yaxis,
            revision=f"{revision}|{yaxis['type']}",
            height=height,
            margin=margin,
            narrow=narrow,
            shapes=shapes,
            annotations=said,
            **more,
        ),
    )


def _values(lines: Sequence[Line], dots: Sequence[Sequence[Dot]], marks: Sequence[CrossLine]) -> tuple[list[Any], list[float]]:
    """Everything that the axes have to show."""
    every = [dot for group in dots for dot in group]
    xs = [*(x for line in lines for x in line.x), *(dot.x for dot in every), *(mark.at for mark in marks if mark.vertical)]
    ys = [*(y for line in lines for y in line.y if y is not None), *(dot.y for dot in every), *(mark.at for mark in marks if not mark.vertical)]
    return xs or [1.0, 10.0], ys or [1.0, 10.0]


def _dates(values: Iterable[str], across: str) -> dict[str, Any]:
    """An axis of years, with some room at both ends."""
    days = sorted(date.fromisoformat(value) for value in values)
    span = max((days[-1] - days[0]).days, 365)
    ends = [(days[0] - timedelta(days=span // 25)).isoformat(), (days[-1] + timedelta(days=span // 40)).isoformat()]
    grid = {"gridcolor": style.CLEAR, "showline": True, "linecolor": style.GRID, "ticks": "outside", "tickcolor": style.GRID}
    return grid | {"type": "date", "range": ends, "tickformat": "%Y", "nticks": 9}


def _band(band: Band) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [*band.x, *reversed(band.x)],
        "y": [*band.high, *reversed([*band.low])],
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": ROLES[band.role].rgba(band.alpha),
        "hoverinfo": "skip",
    }


def trace(line: Line, yaxis: str = "y") -> dict[str, Any]:
    """A line on the axis `yaxis`."""
    role = ROLES[line.role]
    colour = role.rgba(line.alpha) if line.alpha < 1 else style.FAINT if line.role == "reference" and not line.label else role.colour
    name = line.label.replace("\n", " ")
    hover = line.hover or ([""] * len(line.x) if name and not line.named else [])  # a line without a label says what it is
    marker = {
        "symbol": [(line.symbol or role.symbol) + ("-open" if line.open else "")] * len(line.x),
        "color": colour,
        "size": 8,
        "line": {"width": 1.6, "color": colour},
    }
    return {
        "type": "scatter",
        "mode": line.mode,
        "x": list(line.x),
        "y": list(line.y),
        "yaxis": yaxis,
        "connectgaps": False,
        "line": {"color": colour, "width": line.width or (3.0 if line.strong else 2.0), "dash": line.dash},
        "cliponaxis": False,
        **({"marker": marker} if "markers" in line.mode else {}),
        **(style.hover(("", name, said) for said in hover) if hover else {"hoverinfo": "skip"}),
    }


def dotted(group: Sequence[Dot], lines: Sequence[Line], xaxis: Mapping[str, Any], yaxis: Mapping[str, Any]) -> dict[str, Any]:
    """A group of dots; those without a side of their own stand clear of the others and of `lines`."""
    group = sorted(group, key=lambda dot: not dot.name)  # where two names would touch, the browser keeps the earlier one
    colours = [dot.colour or ROLES[dot.role].colour for dot in group]
    named = any(dot.name for dot in group)
    bold = [f"<b>{style.text(dot.name)}</b>" if dot.strong and dot.name else style.text(dot.name) for dot in group]
    beside = [dot.side for dot in group] if all(dot.side for dot in group) else sides(group, lines, xaxis, yaxis)
    return {
        "type": "scatter",
        "mode": "markers+text" if named else "markers",
        "x": [dot.x for dot in group],
        "y": [dot.y for dot in group],
        **({"text": bold, "textposition": beside} if named else {}),
        "cliponaxis": False,
        "marker": {
            "symbol": [(dot.symbol or ROLES[dot.role].symbol) + ("-open" if dot.open else "") for dot in group],
            "size": [dot.size for dot in group],
            "color": colours,
            "opacity": [dot.alpha for dot in group],
            "line": {"width": [dot.thick for dot in group], "color": [dot.ring or colour for dot, colour in zip(group, colours, strict=True)]},
        },
        **(style.hover(dot.hover for dot in group) if group[0].hover else {"hoverinfo": "skip"}),
    }


def _bracket(bracket: Bracket) -> list[dict[str, Any]]:
    """The bracket's upright and its two ends, which are as wide on every screen."""
    line, low, high = {"type": "line", "line": {"color": ROLES["reference"].colour, "width": 1.5}}, bracket.low, bracket.high
    ends = [line | {"xsizemode": "pixel", "xanchor": bracket.x, "x0": -5, "x1": 5, "y0": y, "y1": y} for y in (low, high)]
    return [line | {"x0": bracket.x, "x1": bracket.x, "y0": low, "y1": high}, *ends]


def _line_across(mark: CrossLine) -> dict[str, Any]:
    colour = ROLES[mark.role].colour if mark.role else style.FAINT
    line = {"color": colour, "width": 1.5, "dash": "solid" if mark.role and not mark.vertical else "dot"}
    across = {"x0": mark.at, "x1": mark.at, "yref": "y domain", "y0": 0, "y1": 1}
    if not mark.vertical:
        across = {"y0": mark.at, "y1": mark.at, "xref": "x domain", "x0": 0, "x1": 1}
    return {"type": "line", "line": line, "layer": "below"} | across


def _upright(mark: CrossLine, axis: Axis, xaxis: Mapping[str, Any]) -> dict[str, Any]:
    """The label of a vertical line, at its foot; left of it where the right end of the axis is near."""
    first, last = xaxis["range"]
    near = axis.at(mark.at) > first + 0.7 * (last - first)
    place: dict[str, Any] = {"side": "right", "dx": -4} if near else {"side": "left", "dx": 4}
    return style.words(style.text(mark.label), axis.at(mark.at), 0.09 if mark.raised else 0, yref="y domain", **place)


#: Where the words of a horizontal line may stand, the liked places first: at its left or right end, above or below it.
_CORNERS = (("left", "bottom"), ("right", "bottom"), ("left", "top"), ("right", "top"))


def _lying(mark: CrossLine, at: float, drawn: Sequence[tuple[float, float]], xs: Sequence[float], ys: Sequence[float]) -> dict[str, Any]:
    """The label of a horizontal line in the corner that the fewest `drawn` points pass through."""
    (plot, letter), height = style.PLOTS[0], 340.0
    wide, high = min(0.9, style.length(mark.label) * letter / plot) * (xs[1] - xs[0]), 22.0 / height * (ys[1] - ys[0])

    def hit(corner: tuple[str, str]) -> int:
        left = xs[0] if corner[0] == "left" else xs[1] - wide
        low = at if corner[1] == "bottom" else at - high
        return sum(left <= x <= left + wide and low <= y <= low + high for x, y in drawn) + 1000 * (low < ys[0] or low + high > ys[1])

    side, over = min(_CORNERS, key=hit)
    end = {"left": 0.01, "right": 0.99}[side]
    return style.words(style.text(mark.label), end, at, side=side, over=over, xref="x domain")


def _places(lines: Sequence[Line], dots: Sequence[Sequence[Dot]], across: Axis, up: Axis) -> list[tuple[float, float]]:
    """Where lines and dots pass."""
    on_lines = ((x, y) for line in lines for x, y in zip(line.x, line.y, strict=True) if y is not None)
    return [(across.at(x), up.at(y)) for x, y in (*on_lines, *((dot.x, dot.y) for group in dots for dot in group))]


def _note(note: Note, across: Axis, up: Axis) -> dict[str, Any]:
    said = (f"{style.glyph(note.role)} " if note.role else "") + style.text(note.label)
    return style.words(said, across.at(note.x), up.at(note.y), side=note.side, over=note.over, dx=note.dx, dy=note.dy)


#: Labels of points so near each other, as a share of the height, are written together.
CLOSE = 0.2
#: A line of a label, as a share of the height.
TEXT_LINE = 0.12


def _labels(lines: Sequence[Line], xaxis: Mapping[str, Any], yaxis: Mapping[str, Any], *, inside: bool) -> list[dict[str, Any]]:
    """The label of each line where it ends: right of the plot, or, `inside` it, beside the last point of lines that end before its edge."""
    edge = max((line.x[-1] for line in lines), default=0.0)
    beside = [line for line in lines if not inside or line.x[-1] == edge or line.mode == "markers"]
    at_edge = [style.End(last, line.role, _short(line)) for line in beside if (last := line.y[-1]) is not None]
    found = style.end_labels(at_edge, yaxis)  # the browser, which knows the height, keeps them apart
    if len(beside) == len(lines):
        return found
    to_x, to_y = (Axis("", str, log=axis["type"] == "log").at for axis in (xaxis, yaxis))
    first, last = to_x(min(line.x[0] for line in lines)), to_x(edge)
    low, high = yaxis["range"]
    groups: list[tuple[float, float, list[str]]] = []
    for line in (line for line in lines if line not in beside):
        x, y = to_x(line.x[line.at]), (to_y(line.y[line.at] or low) - low) / (high - low)
        text = f"{style.glyph(line.role)} {style.text(line.label)}"
        close = [group for group in groups if group[0] == x and abs(group[1] - y) < CLOSE]
        if close:
            close[0][2].append(text)
        else:
            groups.append((x, y, [text]))
    ends = [(to_y(end.y) - low) / (high - low) for end in at_edge]
    for x, y, texts in groups:
        back = x > first + 0.7 * (last - first) and any(abs(end - y) < CLOSE for end in ends)  # a phone has no room before the labels of the edge
        under = y + TEXT_LINE * "<br>".join(texts).count("<br>") > 0.9  # over the plot stands the name of the figure
        place: dict[str, Any] = {"over": "top" if under else "bottom", "dy": -4 if under else 4 if back else 0}
        place |= {"side": "right"} if back else {"side": "left", "dx": 8}
        found.append(style.words("<br>".join(texts), x, low + y * (high - low), **place) | {"align": "left"})
    return found


def _short(line: Line) -> str:
    """The label of a line with its rate, in lines as long as there is room for right of a plot."""
    return "\n".join(piece for part in (*line.label.splitlines(), *line.rate.splitlines()) for piece in wrap(part, MOST_LETTERS))


def _below(row: Bar) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]], tuple[str, str]]:
    """A bar on axes of its own under the plane, its label above and the names of its parts below it, and both texts as a phone shows them."""
    common: dict[str, Any] = {"xref": "paper", "yref": "y2 domain"}
    words = [
        style.words(f"<b>{style.text(row.label)}</b>", 0, 1, **common),
        style.words(listed(row.segments, style.PLOTS[0]), 0, 0, over="top", name="split", **common),
    ]
    axes = {
        "barmode": "overlay",
        "xaxis2": {"domain": [0, 1], "anchor": "y2", "range": [0, row.end], "visible": False, "fixedrange": True},
        "yaxis2": {"domain": [0.08, 0.15], "anchor": "x2", "range": [-1, 0], "visible": False, "fixedrange": True},
    }
    phone = f"<b>{style.text(row.label).replace(': ', ':<br>').replace('：', '：<br>')}</b>"
    return stretch([row], [0.0], thick=1.0) | {"xaxis": "x2", "yaxis": "y2"}, axes, words, (phone, listed(row.segments, style.PLOTS[1]))
