"""A table whose cells are coloured by how much of something is used; what is not to be coloured has its words alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wallviz.figures import style

#: Cividis from light (little is used) to dark (all of it).
SCALE = ("#FEE838", "#E1CC55", "#C3B369", "#A69D75", "#8A8678", "#707173", "#575D6D", "#3B496C", "#123570")
COLOURED = 0.99
"""The part of the scale that has a colour: what lies beyond stays hoverable under one transparent step."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: the share that is used (above 1: uncoloured; None: nothing to say), its words, what the pointer finds (id, name, lines)."""

    share: float | None
    said: str
    hover: tuple[str, ...]


def heat(
    columns: Sequence[str],
    rows: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    *,
    name: str,
    across: str,
    revision: str,
    here: tuple[int, int] | None = None,
) -> style.Drawing:
    """The cells by row; `here` is the row and the column of the one that is framed."""
    outside = [(i, j) for i, row in enumerate(cells) for j, cell in enumerate(row) if cell.share is None or cell.share > 1]
    hovers = [style.hover(cell.hover for cell in row) for row in cells]
    data: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "x": list(range(len(columns))),
            "y": list(range(len(rows))),
            "z": [[None if cell.share is None else min(cell.share * COLOURED, 1.0) for cell in row] for row in cells],
            "text": [["" if (i, j) in outside else cell.said for j, cell in enumerate(row)] for i, row in enumerate(cells)],
            "texttemplate": "%{text}",
            "colorscale": [
                *([i / len(SCALE) * COLOURED, colour] for i, colour in enumerate(SCALE)),
                [COLOURED, SCALE[-1]],
                [COLOURED + 1e-4, style.CLEAR],
                [1, style.CLEAR],
            ],
            "zmin": 0,
            "zmax": 1,
            "showscale": False,
            "xgap": 2,
            "ygap": 2,
            "hoverongaps": False,
            "customdata": [row["customdata"] for row in hovers],
            "hovertemplate": hovers[0]["hovertemplate"],
        },
        {
            "type": "scatter",
            "x": [j for _i, j in outside],
            "y": [i for i, _j in outside],
            "mode": "text",
            "text": [cells[i][j].said for i, j in outside],
            "textfont": {"color": style.ROLES["reference"].colour},
            "hoverinfo": "skip",
        },
    ]
    frame = {"line": {"color": style.ROLES["compute"].colour, "width": 3}}
    return style.Drawing(
        data,
        style.layout(
            name=name,
            across=across,
            xaxis=_labels(columns),
            yaxis=_labels(rows) | {"automargin": True},
            revision=revision,
            margin={"l": 72, "r": 12},
            narrow={"margin.r": 6, "margin.l": 54},
            shapes=[{"type": "rect", "x0": here[1] - 0.5, "x1": here[1] + 0.5, "y0": here[0] - 0.5, "y1": here[0] + 0.5} | frame] if here else [],
        ),
    )


def _labels(names: Sequence[str]) -> dict[str, Any]:
    places = {"range": [-0.5, len(names) - 0.5], "tickvals": list(range(len(names))), "ticktext": [style.text(name) for name in names]}
    return places | {"type": "linear", "showgrid": False, "zeroline": False}
