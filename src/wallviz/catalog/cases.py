"""What the footprint is checked against: one published, measured or counted number a case, with its inputs and its tolerance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from wallviz.catalog.files import DATA, read_table
from wallviz.errors import DataError
from wallviz.i18n import N_

ROUNDING = 1e-12
"""Relative: what the order of additions changes in a number of 64 bits. An exact case allows no more."""


@dataclass(frozen=True, slots=True)
class Case:
    """One number that somebody else printed or measured, and what it was computed from."""

    id: str
    """Unique; the letter before the first hyphen is its group, as in `data/README.md`."""
    quantity: str
    """What the number is: ``parameter_count``, ``peak_allocated_bytes``."""
    inputs: Mapping[str, Any]
    """By name, in base units; published closed forms under the symbols of their paper."""
    expected: float
    """The number in `unit`."""
    unit: str
    """A base unit: bytes, never GiB."""
    printed: float
    """The number as its origin prints it."""
    printed_unit: str
    """The unit that stands there; ``GB`` may mean 10^9 or 2^30 bytes, `expected` says which."""
    relative_tolerance: float
    """Allowed distance over `expected`; 0 where the absolute one counts, or where the case is exact."""
    absolute_tolerance: float
    """Allowed distance in `unit`."""
    kind: str
    """One of `CASE_KINDS`: what agreement proves. ``peer-output`` is never a target, ``reference`` never a criterion."""
    note: str = ""
    """What to know."""
    where: str = ""
    """Table, section or file within the source."""
    source: str = ""
    """Source ids, separated by ``;``."""

    @property
    def exact(self) -> bool:
        """Whether nothing but rounding is allowed."""
        return not self.relative_tolerance and not self.absolute_tolerance

    def error(self, value: float) -> float:
        """How far `value` is off, relative to what was expected; where nothing was expected, 0 for nothing and infinity for anything."""
        if not self.expected:
            return float("inf") if value else 0.0
        return (value - self.expected) / self.expected

    def holds(self, value: float) -> bool:
        """Whether `value` agrees within the tolerance of the case."""
        allowed = max(self.absolute_tolerance, max(self.relative_tolerance, ROUNDING) * abs(self.expected))
        return abs(value - self.expected) <= allowed


@cache
def cases() -> Mapping[str, Case]:
    """Every case by id, in the order of the file."""
    try:
        rows = [row for _line, row in read_table("cases", DATA)]
    except FileNotFoundError:
        raise DataError(N_("{file} is missing: restore it from the repository"), file="data/cases.csv") from None
    return MappingProxyType(
        {
            row["case_id"]: Case(
                id=row["case_id"],
                quantity=row["quantity"],
                inputs=MappingProxyType(json.loads(row["inputs"])),
                expected=float(row["expected"]),
                unit=row["unit"],
                printed=float(row["printed"]),
                printed_unit=row["printed_unit"],
                relative_tolerance=float(row["relative_tolerance"]),
                absolute_tolerance=float(row["absolute_tolerance"]),
                kind=row["kind"],
                note=row["note"],
                where=row["where"],
                source=row["source"],
            )
            for row in rows
        }
    )
