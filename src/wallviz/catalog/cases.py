"""What the walls are checked against: one published, measured or counted number a case, with its inputs and its tolerance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from wallviz.catalog.files import DATA, read_table
from wallviz.catalog.read import rows as table_rows
from wallviz.catalog.read import typed
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


@dataclass(frozen=True, slots=True)
class HardwareCase:
    """One number that somebody measured or printed of the roofline or of scale-out, with the bound that holds for it."""

    id: str
    """Unique slug, ``case/number``."""
    case: str
    """What the number is: ``gemm_throughput``, ``decode_rate``, ``allreduce_time``."""
    inputs: Mapping[str, Any]
    """By name, in base units."""
    expected: float
    """The number in `unit`."""
    unit: str
    """A base unit: FLOP/s, bytes/s, s, bytes, tokens/s, FLOP/B, ratio."""
    printed: float
    """The number as its origin prints it."""
    printed_unit: str
    """The unit that stands there."""
    relative_tolerance: float | None
    """Allowed distance over `expected`; None where there is no criterion or the absolute one counts."""
    absolute_tolerance: float | None
    """Allowed distance in `unit`; 0 is exact."""
    bound: float | None
    """What the roofline allows at best, in `unit`, as the origin or the gatherer of the case worked it out."""
    fraction_of_bound: float | None
    """How much of the bound is reached: bound over time, or rate over bound."""
    kind: str
    """measured, published, worked (the answer of an exercise) or derived (by definition)."""
    confidence: str
    """high, or low: not read again at its origin."""
    chip: str = ""
    """Id of the chip in the catalog; empty where it is none of its rows, or where several are meant."""
    preset: str = ""
    """Id of the model among the presets; empty where it is none of them."""
    note: str = ""
    """What to know."""
    where: str = ""
    """Table, section or file within the source."""
    source: str = ""
    """Source ids, separated by ``;``."""

    @property
    def has_criterion(self) -> bool:
        """Whether somebody states a tolerance; without one the miss is shown and nothing is passed or failed."""
        return self.relative_tolerance is not None or self.absolute_tolerance is not None

    def error(self, value: float) -> float:
        """How far `value` is off, relative to what was expected."""
        return (value - self.expected) / self.expected

    def holds(self, value: float) -> bool:
        """Whether `value` agrees within the tolerance; True for any value where there is no criterion."""
        allowed = max(self.absolute_tolerance or 0.0, max(self.relative_tolerance or 0.0, ROUNDING) * abs(self.expected))
        return not self.has_criterion or abs(value - self.expected) <= allowed


def _hardware_cases(table: str) -> Mapping[str, HardwareCase]:
    return MappingProxyType({row["id"]: HardwareCase(**typed(table, row)) for row in table_rows(table)})


@cache
def roofline_cases() -> Mapping[str, HardwareCase]:
    """Intensities, matrix products, layers and decoding, by id, in the order of the file."""
    return _hardware_cases("roofline_cases")


@cache
def scaling_cases() -> Mapping[str, HardwareCase]:
    """Collectives, efficiencies and memory over many devices, by id, in the order of the file."""
    return _hardware_cases("scaling_cases")
