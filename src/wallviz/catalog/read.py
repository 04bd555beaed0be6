"""Lines of a table into the dataclass of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import DecodeError, convert

from wallviz.catalog.cells import columns
from wallviz.catalog.files import DATA, read_lines
from wallviz.catalog.rows import ROWS
from wallviz.errors import DataError
from wallviz.i18n import N_


def read(name: str, directory: Path) -> Iterator[tuple[int, Any]]:
    """Line number and row of one table; raises DataError where there is no file, and for the first cell that its column does not allow."""
    row, table = ROWS[name], columns(ROWS[name])
    try:
        (_first, header), *lines = read_lines(directory / f"{name}.csv") or [(1, [])]
    except FileNotFoundError:
        raise DataError(N_("{file} is missing: restore it from the repository"), file=f"data/{name}.csv") from None
    special = [column for column in table.values() if column.several or column.base is dict or column.name != column.field]
    for line, cells in lines:
        given: dict[str, object] = {column: cell for column, cell in zip(header, cells, strict=False) if cell}
        try:
            for column in special:
                if column.name in given:
                    given[column.field] = column.value(str(given[column.name]))
            yield line, convert(given, row, strict=False)
        except DecodeError:
            found = dict(zip(header, cells, strict=False))
            problem = next(filter(None, (column.problem(found.get(column.name, "")) for column in table.values())), None)
            raise DataError(N_("{file}:{line}: {problem}"), file=f"data/{name}.csv", line=line, problem=problem) from None


@cache
def rows(name: str) -> Mapping[str, Any]:
    """Every row of one table by id, in the order of the file, read once."""
    return MappingProxyType({row.id: row for _line, row in read(name, DATA)})
