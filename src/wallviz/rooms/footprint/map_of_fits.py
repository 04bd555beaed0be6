"""A map of what fits: the bytes of one GPU over batch and context, or over chips and sharding."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from wallviz import units
from wallviz.figures.heat import Cell, heat
from wallviz.figures.style import Drawing
from wallviz.i18n import _
from wallviz.rooms.footprint.choices import View
from wallviz.rooms.footprint.need import Estimate, Map, layout_map, work_map
from wallviz.rooms.footprint.parts import Rows, both
from wallviz.rooms.job import label


def drawn(now: Estimate, view: View) -> tuple[Drawing, Rows]:
    """The map, and the rows of its table."""
    grid = work_map(now) if view.across == "work" else layout_map(now)
    where = {name: getattr(now.case, name) for name in (grid.row, grid.column)} | {"chips": now.gpus}
    known = [value for value in grid.bytes.flat if np.isfinite(value)]
    limit = now.capacity_bytes
    drawing = heat(
        [_tick(grid.column, value) for value in grid.columns],
        [_tick(grid.row, value) for value in grid.rows],
        [[_cell(grid, i, j, limit, float(max(known, default=1.0))) for j in range(len(grid.columns))] for i in range(len(grid.rows))],
        name=_("{row} · in each cell GiB per GPU; uncoloured: does not fit").format(row=label(grid.row)),
        across=label(grid.column),
        revision=f"map-{view.across}-{now.case.job}",
        here=(grid.rows.index(where[grid.row]), grid.columns.index(where[grid.column])) if _inside(grid, where) else None,
    )
    return drawing, partial(_table, grid)


def _cell(grid: Map, i: int, j: int, limit: float | None, most: float) -> Cell:
    """One cell, coloured by how full the chip is; where its memory is unknown, by the largest cell."""
    value = float(grid.bytes[i][j])
    runs = bool(np.isfinite(value))
    fits = runs and (limit is None or value <= limit)
    said = (" = ".join(both(value)) if runs else _("cannot run"), _("fits") if fits else _("does not fit"))
    name = f"{_tick(grid.column, grid.columns[j])} · {_tick(grid.row, grid.rows[i])}"
    return Cell(value / (limit or most) if runs else None, _short(value) if runs else "–", (_id(grid, i, j), name, *said))


def _id(grid: Map, i: int, j: int) -> str:
    return f"{grid.column}={grid.columns[j]}&{grid.row}={grid.rows[i]}"


def _short(value_bytes: float) -> str:
    """A cell's text: GiB without the unit, which the figure's name has; TiB spelled out."""
    gib = value_bytes / units.GIB
    return units.significant(gib, 2) if gib < 1000 else f"{units.significant(gib / 1024, 2)}{units.THIN}Ti"


def _inside(grid: Map, where: Mapping[str, Any]) -> bool:
    return where[grid.row] in grid.rows and where[grid.column] in grid.columns


def _tick(name: str, value: Any) -> str:
    if name in ("zero", "format"):
        return f"ZeRO {value}" if name == "zero" else str(value)
    return f"{value // 1024:,}k" if name == "context" and value % 1024 == 0 else f"{value:,}"


def pick(cell: str) -> dict[str, Any]:
    """A cell of the map as the parameters that it stands for.

    >>> pick("batch=4&context=8192")
    {'batch': 4, 'context': 8192}
    """
    pairs = (part.partition("=") for part in cell.split("&"))
    return {name: int(value) if value.isdigit() else value for name, _is, value in pairs if name in ("batch", "context", "chips", "zero", "format")}


def _table(grid: Map) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            label(grid.row): row,
            label(grid.column): column,
            "GiB": float(grid.bytes[i][j]) / units.GIB,
            "GB": float(grid.bytes[i][j]) / units.GB,
            _("bytes"): float(grid.bytes[i][j]),
            "id": _id(grid, i, j),
        }
        for i, row in enumerate(grid.rows)
        for j, column in enumerate(grid.columns)
    )
