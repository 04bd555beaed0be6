"""Where the names of points stand so that they touch no point, no other name and, where they can, no line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log10
from typing import TYPE_CHECKING, Any

from wallviz.figures import style

if TYPE_CHECKING:  # the plane asks here
    from wallviz.figures.plane import Dot, Line

#: Where a name may stand, the liked places first: Plotly's word, then which way from the point's middle, across and up.
BESIDE = {
    "top center": (0, 1), "bottom center": (0, -1), "middle right": (1, 0), "middle left": (-1, 0), "top right": (1, 1), "top left": (-1, 1),
    "bottom right": (1, -1), "bottom left": (-1, -1),
}  # fmt: skip
PLOT = (700.0, 320.0)
"""Width and height, in pixels, that names are placed for: the plot on a laptop."""
LETTER, TEXT = 7.4, 17.0
"""A letter's width and a line's height in pixels at the size of the names."""
STEPS = 40
"""Places that a piece of a line is looked at."""
_Box = tuple[float, float, float, float]


def sides(dots: Sequence[Dot], lines: Sequence[Line], xaxis: Mapping[str, Any], yaxis: Mapping[str, Any]) -> list[str]:
    """Where each name stands, the first dots choosing first."""

    def pixel(value: float, axis: Mapping[str, Any], long: float) -> float:
        low, high = (float(end) for end in axis["range"])
        return ((log10(value) if axis["type"] == "log" else value) - low) / (high - low) * long

    def place(x: float, y: float) -> tuple[float, float]:
        return pixel(x, xaxis, PLOT[0]), pixel(y, yaxis, PLOT[1])

    middles = [place(dot.x, dot.y) for dot in dots]
    circles: list[_Box] = [
        (x - dot.size / 2, y - dot.size / 2, x + dot.size / 2, y + dot.size / 2) for (x, y), dot in zip(middles, dots, strict=True)
    ]
    ends = [[(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None] for line in lines]
    pieces = [(place(*a), place(*b)) for each in ends for a, b in pairwise(each)]
    passed = [(a[0] + (b[0] - a[0]) * i / STEPS, a[1] + (b[1] - a[1]) * i / STEPS) for a, b in pieces for i in range(STEPS + 1)]
    taken: list[_Box] = []
    found = []
    for number, dot in enumerate(dots):
        others = [*(circle for i, circle in enumerate(circles) if i != number), *taken]

        def cost(side: str, number: int = number, dot: Dot = dot, others: Sequence[_Box] = others) -> float:
            box = _box(middles[number], dot, *BESIDE[side])
            outside = box[0] < 0 or box[1] < 0 or box[2] > PLOT[0] + 40 or box[3] > PLOT[1]
            through = sum(box[0] < x < box[2] and box[1] < y < box[3] for x, y in passed)
            return 1000.0 * sum(_overlap(box, other) > 0 for other in others) + 500.0 * outside + through + 0.1 * list(BESIDE).index(side)

        best = min(BESIDE, key=cost)
        taken.append(_box(middles[number], dot, *BESIDE[best]))
        found.append(best)
    return found


def _box(middle: tuple[float, float], dot: Dot, across: int, up: int) -> _Box:
    """The rectangle of a name beside a point, as Plotly puts it: clear of the point by a quarter of its radius."""
    (x, y), clear = middle, dot.size / 2 / 0.8 + 1
    width = LETTER * style.length(dot.name)
    left = x + across * clear - (width / 2 if not across else width if across < 0 else 0.0)
    bottom = y + up * clear - (TEXT / 2 if not up else TEXT if up < 0 else 0.0)
    return left, bottom, left + width, bottom + TEXT


def _overlap(a: _Box, b: _Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
