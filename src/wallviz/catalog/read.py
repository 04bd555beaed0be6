"""Rows of a table, as text and as its schema types them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from wallviz.catalog.files import DATA, Row, parts, read_table
from wallviz.catalog.schema import SCHEMAS
from wallviz.errors import DataError, InputError
from wallviz.i18n import N_


@cache
def rows(name: str) -> tuple[Row, ...]:
    """Every row of one table, read once."""
    if name not in SCHEMAS:
        raise InputError(N_("no table is called {name}: use one of {known}"), name=name, known=", ".join(SCHEMAS))
    try:
        return tuple(row for _line, row in read_table(name, DATA))
    except FileNotFoundError:
        raise DataError(N_("{file} is missing: restore it from the repository"), file=f"data/{name}.csv") from None


def typed(table: str, row: Row) -> dict[str, Any]:
    """The cells of a row as its schema types them: numbers, dates and flags are None where empty, lists are tuples, column
    names a set, JSON objects mappings."""
    cells: dict[str, Any] = dict(row)
    for name, rule in SCHEMAS[table].items():
        cell = row[name]
        if rule.type in _READERS:
            cells[name] = _READERS[rule.type](cell) if cell else None
        elif rule.type == "list":
            cells[name] = parts(cell)
        elif rule.type == "columns":
            cells[name] = frozenset(parts(cell))
    return cells


_READERS: Mapping[str, Callable[[str], object]] = {
    "number": float,
    "integer": int,
    "year": int,
    "date": dt.date.fromisoformat,
    "flag": lambda cell: cell == "true",
    "json": lambda cell: MappingProxyType(json.loads(cell)),
}
