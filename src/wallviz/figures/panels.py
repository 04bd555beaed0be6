"""Panels of lines under each other over one axis, a quantity each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wallviz.figures import style
from wallviz.figures.axes import Axis
from wallviz.figures.plane import Dot, Line, dotted, trace

PANEL = 96
"""Height of a panel with its name, in pixels."""
MOST_NAMES = 4
"""Names that a panel has room for at the ends of its lines; of more lines only the highest and the lowest are named."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity over the axis that all panels share, from 0 to `top`, which `top_said` names; `dots` stand out from the lines."""

    name: str
    lines: tuple[Line, ...]
    top: float
    top_said: str
    dots: tuple[Dot, ...] = ()


def panels(found: Sequence[Panel], *, across: Axis, revision: str) -> style.Drawing:
    """Panels under each other, each with its name over it and the names of its lines, where there are several, at their ends."""
    data: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for i, panel in enumerate(found):
        number, top = str(i + 1) if i else "", 1 - i / len(found)
        axis = Axis("", {0.0: "0", panel.top: panel.top_said}.__getitem__, log=False, high=panel.top * 1.12, lines=(0.0, panel.top)).drawn(0, 1)
        domain = [top - 0.62 / len(found), top] if len(found) > 1 else [0, 1]
        axes[f"yaxis{number}"] = axis | {"domain": domain, "fixedrange": True, "zeroline": True, "zerolinecolor": style.GRID}
        data += [trace(line, f"y{number}") for line in panel.lines]
        data += [dotted(panel.dots, (), {}, {}) | {"yaxis": f"y{number}"}] if panel.dots else []
        ends = sorted((style.End(line.y[-1], line.role, line.label) for line in panel.lines if line.y and line.y[-1] is not None), key=lambda e: e.y)
        if len(panel.lines) > 1:
            ends = ends if len(ends) <= MOST_NAMES else [ends[0], ends[-1]]
            said += [label | {"name": "gpu", "yref": f"y{number}"} for label in style.end_labels(ends, axis, line=5 * style.LINE)]
        if i:
            said.append(style.words(style.text(panel.name), 0, top, dx=style.NAME_LEFT, dy=2, xref="paper", yref="paper"))
    bottom = f"y{len(found)}" if len(found) > 1 else "y"
    drawn = style.layout(
        name=style.text(found[0].name),
        xaxis=across.between(across.low or 0.0, across.high or 0.0) | {"gridcolor": style.CLEAR, "anchor": bottom, "fixedrange": True},
        yaxis=axes.pop("yaxis"),
        revision=revision,
        margin={"r": 64},
        height=70 + PANEL * len(found),
        narrow={"margin.r": 58, "margin.t": 44, **{f"{name}.ticktext.0": "" for name in ["yaxis", *axes][:-1]}},
        annotations=said,
        **axes,
    )
    return style.Drawing(data, drawn)
