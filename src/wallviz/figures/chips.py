"""The chips figure: capacity against bandwidth, arithmetic as size, and lines of equal time to read all of the memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10, sqrt
from typing import Any

from wallviz import units
from wallviz.figures import style

#: Seconds to read the whole memory once: the time per token of a model that fills it.
READS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
LARGEST, SMALLEST = 34.0, 8.0
NEAR = 4.0
"""What the work takes is drawn where it lies within this factor of the chips' memories."""


@dataclass(frozen=True, slots=True)
class ChipSpot:
    """One chip: capacity, bandwidth, peak (None if not published), whether a drawn figure has one source alone."""

    id: str
    name: str
    year: int
    memory_bytes: float
    bytes_per_s: float
    flop_per_s: float | None
    single_source: bool
    how: str = ""
    source: str = ""
    own: bool = False
    """The reader's chip: ringed, its name in bold."""
    holds: bool = True
    """The work fits; a chip that cannot hold it is grey."""


def plane(
    spots: Sequence[ChipSpot], *, name: str, across: str, every: str, log: bool, revision: str, need: tuple[str, float] | None = None
) -> style.Drawing:
    """Chips as circles: `name` says the y axis, `across` the x axis, `every` a line of equal reading time ("all of it in {time}").

    `need` is what the work takes, in words and in bytes: a line that chips left of it cannot reach over.
    """
    xs, ys = [s.memory_bytes for s in spots], [s.bytes_per_s for s in spots]
    drawn = need if need and min(xs) / NEAR <= need[1] <= max(xs) * NEAR else None
    xs += [drawn[1]] if drawn else []
    yaxis = style.value_axis("bytes_per_s", min(ys), max(ys), log=log, room=0.3)
    xaxis = style.value_axis("bytes", min(xs), max(xs), log=log, room=0.14)
    top = max((s.flop_per_s or 0.0 for s in spots), default=0.0) or 1.0
    role = style.ROLES["compute"]
    ordered = sorted(spots, key=lambda s: (not s.own, -s.bytes_per_s))
    sizes = [max(SMALLEST, LARGEST * sqrt((s.flop_per_s or 0.0) / top)) for s in ordered]
    lines, labels = _reads(xaxis, yaxis, every, log=log)
    colours = [role.colour if s.holds else style.FAINT for s in ordered]
    rings = [style.ROLES["memory"].colour if s.own else colour for s, colour in zip(ordered, colours, strict=True)]
    shapes: list[dict[str, Any]] = []
    if drawn:
        at = {"x0": drawn[1], "x1": drawn[1], "yref": "paper", "y0": 0, "y1": 0.92}  # below the names of the lines of equal time
        shapes.append({"type": "line", **at, "line": {"color": style.ROLES["memory"].colour, "width": 1.5, "dash": "dot"}, "layer": "below"})
        labels.append(
            {
                "text": style.text(drawn[0]), "x": log10(drawn[1]) if log else drawn[1], "y": 0, "yref": "paper", "xanchor": "left",
                "yanchor": "bottom", "xshift": 4, "yshift": 2, "showarrow": False,
            }
        )  # fmt: skip
    data: list[dict[str, Any]] = [
        *lines,
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [s.memory_bytes for s in ordered],
            "y": [s.bytes_per_s for s in ordered],
            "text": [f"<b>{style.text(s.name)}</b>" if s.own else style.text(s.name) for s in ordered],
            "textposition": _places(ordered, sizes, xaxis, yaxis, log=log),
            "cliponaxis": False,
            "marker": {
                "symbol": [role.symbol + ("-open" if s.single_source else "") for s in ordered],
                "size": sizes,
                "color": colours,
                "opacity": 0.85,
                "line": {"width": [4 if s.own else 2 for s in ordered], "color": rings},
            },
            "customdata": [
                [
                    s.id,
                    style.text(s.name),
                    str(s.year),
                    " · ".join(
                        [units.si(s.memory_bytes, "B"), units.si(s.bytes_per_s, "B/s"), units.si(s.flop_per_s, "FLOP/s") if s.flop_per_s else "–"]
                    ),
                    style.text(s.how),
                    style.text(s.source),
                ]
                for s in ordered
            ],
            "hovertemplate": style.HOVER,
        },
    ]
    return style.Drawing(
        data,
        style.layout(
            name=name,
            yaxis=yaxis,
            xaxis=xaxis | {"title": {"text": across, "font": {"size": 14}, "standoff": 8}},
            revision=f"{revision}|{'log' if log else 'linear'}",
            right=64,
            annotations=labels,
            shapes=shapes,
            margin={"l": 66, "r": 64, "t": 44, "b": 56},
            narrow={"margin.r": 44, "margin.b": 60},
        ),
    )


#: Where a name may stand, the liked places first: Plotly's word, then which way from the circle's middle, across and up.
_BESIDE = {
    "top center": (0, 1), "bottom center": (0, -1), "middle right": (1, 0), "middle left": (-1, 0), "top right": (1, 1), "top left": (-1, 1),
    "bottom right": (1, -1), "bottom left": (-1, -1),
}  # fmt: skip
PLOT = (700.0, 320.0)
"""Width and height, in pixels, that names are placed for: the plot on a laptop."""
LETTER, LINE = 7.4, 17.0
"""A letter's width and a line's height in pixels at the size of the names."""
_Box = tuple[float, float, float, float]


def _places(spots: Sequence[ChipSpot], sizes: Sequence[float], xaxis: dict[str, Any], yaxis: dict[str, Any], *, log: bool) -> list[str]:
    """Where each name stands so that it touches no circle, no other name and, where it can, no line of equal reading time."""

    def pixel(value: float, axis: dict[str, Any], length: float) -> float:
        low, high = (float(end) for end in axis["range"])
        return ((log10(value) if log else value) - low) / (high - low) * length

    middles = [(pixel(s.memory_bytes, xaxis, PLOT[0]), pixel(s.bytes_per_s, yaxis, PLOT[1])) for s in spots]
    circles: list[_Box] = [(x - size / 2, y - size / 2, x + size / 2, y + size / 2) for (x, y), size in zip(middles, sizes, strict=True)]
    low, high = (float(end) for end in xaxis["range"])
    along = [low + (high - low) * i / 120 for i in range(121)]
    crossed = [
        (pixel(x, xaxis, PLOT[0]), pixel(x / seconds, yaxis, PLOT[1])) for seconds in READS for x in ([10.0**v for v in along] if log else along)
    ]
    taken: list[_Box] = []
    found = []
    for number, (spot, size) in enumerate(zip(spots, sizes, strict=True)):
        others = [*(circle for i, circle in enumerate(circles) if i != number), *taken]

        def cost(place: str, number: int = number, spot: ChipSpot = spot, size: float = size, others: Sequence[_Box] = others) -> float:
            box = _box(middles[number], size, spot.name, *_BESIDE[place])
            outside = box[0] < 0 or box[1] < 0 or box[2] > PLOT[0] + 40 or box[3] > PLOT[1]
            through = sum(box[0] < x < box[2] and box[1] < y < box[3] for x, y in crossed)
            return 1000.0 * sum(_overlap(box, other) > 0 for other in others) + 500.0 * outside + through + 0.1 * list(_BESIDE).index(place)

        best = min(_BESIDE, key=cost)
        taken.append(_box(middles[number], size, spot.name, *_BESIDE[best]))
        found.append(best)
    return found


def _box(middle: tuple[float, float], size: float, name: str, across: int, up: int) -> _Box:
    """The rectangle of a name beside a circle, as Plotly puts it: clear of the circle by a quarter of its radius."""
    (x, y), clear = middle, size / 2 / 0.8 + 1
    width = LETTER * len(name)
    left = x + across * clear - (width / 2 if not across else width if across < 0 else 0.0)
    bottom = y + up * clear - (LINE / 2 if not up else LINE if up < 0 else 0.0)
    return left, bottom, left + width, bottom + LINE


def _overlap(a: _Box, b: _Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _reads(xaxis: dict[str, Any], yaxis: dict[str, Any], every: str, *, log: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Lines on which the whole memory takes equally long to read, with their names where they leave the plot."""
    low_x, high_x = (10.0**v if log else float(v) for v in xaxis["range"])
    low_y, high_y = (10.0**v if log else float(v) for v in yaxis["range"])
    lines: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for seconds in READS:
        start = max(low_x, low_y * seconds) if log else 0.0
        end = min(high_x, high_y * seconds)
        if end <= start * 1.05:
            continue
        x = [start, end]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": [v / seconds for v in x],
                "line": {"width": 1, "dash": "dash", "color": style.FAINT},
                "hoverinfo": "skip",
            }
        )
        at_right = end >= high_x * 0.999
        labels.append(
            {
                "text": every.format(time=units.si(seconds, "s", digits=1)) if not labels else units.si(seconds, "s", digits=1),
                "x": log10(end) if log else end,
                "y": log10(end / seconds) if log else end / seconds,
                "xanchor": "left" if at_right else "right",
                "yanchor": "middle" if at_right else "top",
                "xshift": 4 if at_right else -12,
                "showarrow": False,
            }
        )
    return lines, labels
