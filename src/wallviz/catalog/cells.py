"""What a cell may hold: the annotation of a field, which msgspec reads, and the sentence about a cell that breaks it.

A row of a table is a frozen dataclass and each of its fields a column. A field without a default is one that no row leaves empty; an empty cell
is the default, None where nothing is known. What `Meta` has no word for stands in its `extra`:

column     the header's name, where it is not the field's
choices    the only words allowed, where a mapping holds them already
of         the table whose ids the cell names; ``sources`` for those of sources.yml, ``columns`` for the columns of this very table
separator  between the entries of a cell that lists several; ``;`` in tuples and sets
unique     no value comes twice

The `description` of a pattern is the sentence about a text that does not match it.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from math import isfinite
from types import GenericAlias, MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from msgspec import DecodeError, Meta, convert, json

from wallviz.errors import DataError
from wallviz.i18n import N_

_LARGEST = sys.float_info.max  # infinity is no number
_object = json.Decoder(dict[str, Any]).decode

Number = Annotated[float, Meta(gt=0, le=_LARGEST)]
"""Above 0: an unknown number is an empty cell, never 0 or -1."""
FromZero = Annotated[float, Meta(ge=0, le=_LARGEST)]
"""A number that may be 0: a tolerance, an effect."""
Count = Annotated[int, Meta(gt=0)]
"""A whole number above 0."""
Inputs = MappingProxyType[str, Any]
"""A JSON object that nobody can change."""
Unique = Annotated[str, Meta(extra={"unique": True})]
"""A text that belongs to one row."""
Id = Annotated[
    Unique, Meta(pattern=r"^[a-z0-9][a-z0-9._/+-]*$", description=N_("{column} must be lower case without spaces, like h100-sxm5, not {value}"))
]
"""What the row is found by."""
Released = Annotated[
    str, Meta(pattern=r"^\d{4}(-\d\d){0,2}$", description=N_("{column} must be a date like 2020-05-14, a month or a year, not {value}"))
]
"""A date as precise as known."""
Page = Annotated[str, Meta(pattern=r"^https://\S+$", description=N_("{column} must be an address that starts with https://, not {value}"))]
"""Where something can be read."""
Columns = frozenset[Annotated[str, Meta(extra={"of": "columns"})]]
"""Columns of the same table."""
Chip = Annotated[str, Meta(extra={"of": "chips"})]
"""Id of a row of chips.csv."""
Model = Annotated[str, Meta(extra={"of": "presets"})]
"""Id of a row of presets.csv."""
Sources = Annotated[str, Meta(extra={"of": "sources", "separator": ";"})]
"""Ids of sources.yml, separated by ``;``."""
Confidence = Literal["high", "low"]


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a row's dataclass as a column: what `columns` reads off its annotation."""

    name: str
    """In the header."""
    field: str
    """In the dataclass."""
    required: bool
    """No cell is empty."""
    base: Any
    """Type of a cell, or of each entry of one that lists several, without its limits; dict for a JSON object."""
    entry: Any
    """The same with its limits, for msgspec."""
    several: bool
    """The cell becomes a tuple or a set."""
    sentence: str
    """About a text that does not match; empty where anything goes."""
    separator: str
    """Between entries; empty where a cell has one."""
    of: str
    """The table whose ids it names."""
    unique: bool
    """No value comes twice."""

    def entries(self, cell: str) -> tuple[str, ...]:
        """What the cell lists, or the cell; nothing where it is empty."""
        return tuple(filter(None, map(str.strip, cell.split(self.separator)) if self.separator else (cell,)))

    def value(self, cell: str) -> object:
        """The cell as msgspec takes it for the field."""
        if self.base is dict:
            return MappingProxyType(_object(cell))
        return self.entries(cell) if self.several else cell

    def holds(self, entries: Sequence[str]) -> bool:
        """Whether each of these may stand in the column."""
        try:
            if self.base is dict:
                for entry in entries:
                    _object(entry)
            else:
                convert(entries, GenericAlias(list, (self.entry,)), strict=False)
        except DecodeError:
            return False
        return True

    def sound(self, cells: Sequence[str]) -> bool:
        """Whether none of these cells has a `problem`: all at once, hundreds of times as fast."""
        listed = [self.entries(cell) for cell in cells]
        return (
            all(cell == cell.strip() and "\n" not in cell for cell in cells)
            and (all(listed) or not self.required)
            and self.holds([entry for entries in listed for entry in entries])
        )

    def problem(self, cell: str) -> DataError | None:
        """What is wrong with the cell and what to do, None where all is well."""
        if cell != cell.strip() or "\n" in cell:
            return DataError(N_("{column} has spaces around it or a line break in it: remove them"), column=self.name)
        if self.required and not self.entries(cell):
            return DataError(N_("{column} is empty: every row needs one"), column=self.name)
        return next((self._sentence(entry) for entry in self.entries(cell) if not self.holds([entry])), None)

    def _sentence(self, entry: str) -> DataError:
        said = {"column": self.name, "value": entry}
        if get_origin(self.base) is Literal:
            return DataError(N_("{column} must be one of {choices}, not {value}"), choices=", ".join(filter(None, get_args(self.base))), **said)
        if self.base is dict:
            return DataError(N_('{column} must be a JSON object like {{"layers": 32}}, not {value}'), **said)
        if self.base is dt.date:
            return DataError(N_("{column} must be a date like 2020-05-14, not {value}"), **said)
        if self.base is str:
            return DataError(self.sentence, **said)
        try:
            number = convert(entry, float, strict=False)
        except DecodeError:
            number = float("nan")
        if not isfinite(number):
            return DataError(N_("{column} must be a plain number, not {value}"), **said)
        if number <= 0:
            return DataError(N_("{column} must be above 0, not {value}: leave it empty if it is not known"), **said)
        return DataError(N_("{column} must be a whole number, not {value}"), **said)


def _taken_apart(hint: Any) -> tuple[Any, Any, dict[str, Any], str]:
    """An annotation without None, the same without its limits, their `extra`, and the sentence of their pattern."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not NoneType)
    metas = getattr(hint, "__metadata__", ())
    extra = {key: value for meta in metas for key, value in (meta.extra or {}).items()}
    return hint, hint.__origin__ if metas else hint, extra, next((meta.description for meta in metas if meta.description), "")


@cache
def columns(row: type) -> Mapping[str, Column]:
    """The columns of a table by their names in the header, as the dataclass of its rows declares them."""
    hints, one_of, found = get_type_hints(row, include_extras=True), cast(Any, Literal), {}
    for field in fields(row):
        entry, base, extra, sentence = _taken_apart(hints[field.name])
        if several := get_origin(base) in (tuple, frozenset):
            entry, base, inner, sentence = _taken_apart(get_args(base)[0])
            extra = {"separator": ";"} | extra | inner
        if base is bool:
            entry = base = Literal["true", "false"]
        elif get_origin(base) is MappingProxyType:
            entry = base = dict
        elif extra.get("of") == "columns":
            entry = base = one_of[tuple(hints)]
        elif "choices" in extra:
            entry = base = one_of[tuple(extra["choices"])]
        name = extra.get("column", field.name)
        found[name] = Column(
            name=name,
            field=field.name,
            required=field.default is MISSING and field.default_factory is MISSING,
            base=base,
            entry=entry,
            several=several,
            sentence=sentence,
            separator=extra.get("separator", ""),
            of=extra.get("of", ""),
            unique=extra.get("unique", False),
        )
    return MappingProxyType(found)
