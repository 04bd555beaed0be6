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


@dataclass(frozen=True, slots=True)
class Spot:
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


def plane(spots: Sequence[Spot], *, name: str, across: str, every: str, log: bool, revision: str) -> style.Drawing:
    """Chips as circles: `name` says the y axis, `across` the x axis, `every` a line of equal reading time ("all of it in {time}")."""
    xs, ys = [s.memory_bytes for s in spots], [s.bytes_per_s for s in spots]
    yaxis = style.value_axis("bytes_per_s", min(ys), max(ys), log=log, room=0.3)
    xaxis = style.value_axis("bytes", min(xs), max(xs), log=log, room=0.14)
    top = max((s.flop_per_s or 0.0 for s in spots), default=0.0) or 1.0
    role = style.ROLES["compute"]
    ordered = sorted(spots, key=lambda s: -s.bytes_per_s)
    sizes = [max(SMALLEST, LARGEST * sqrt((s.flop_per_s or 0.0) / top)) for s in ordered]
    lines, labels = _reads(xaxis, yaxis, every, log=log)
    data: list[dict[str, Any]] = [
        *lines,
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [s.memory_bytes for s in ordered],
            "y": [s.bytes_per_s for s in ordered],
            "text": [style.text(s.name) for s in ordered],
            "textposition": "top center",
            "cliponaxis": False,
            "marker": {
                "symbol": [role.symbol + ("-open" if s.single_source else "") for s in ordered],
                "size": sizes,
                "color": role.colour,
                "opacity": 0.85,
                "line": {"width": 2, "color": role.colour},
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
            margin={"l": 66, "r": 64, "t": 44, "b": 56},
            narrow={"margin.r": 44, "margin.b": 60},
        ),
    )


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
