"""A dated value, the points that set a record, and values as multiples of one of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite

from wallviz.errors import InputError
from wallviz.i18n import N_


@dataclass(frozen=True, slots=True)
class Point:
    """One dated value of a published growth curve.

    `id` is unique within its claim, `name` may be shared by several unidentified points. `value` is positive and in base units (parameters,
    FLOP, bytes, bytes per second), or in what `unit` says. `precision` is the number format of a rate.
    """

    id: str
    name: str
    date: dt.date
    value: float
    group: str = ""
    precision: str = ""
    unit: str = ""
    identified: bool = True
    note: str = ""
    source: str = ""


def record_setters(points: Iterable[Point]) -> tuple[Point, ...]:
    """Only the points that exceed every earlier one, by date; of several on one day the largest counts.

    >>> [p.name for p in record_setters([Point("a", "T-NLG", dt.date(2020, 2, 13), 17e9), Point("b", "ELECTRA", dt.date(2020, 3, 23), 3.4e8)])]
    ['T-NLG']
    """
    records: list[Point] = []
    for point in sorted(points, key=lambda point: (point.date, -point.value)):
        if not records or point.value > records[-1].value:
            records.append(point)
    return tuple(records)


def normalise(points: Iterable[Point], to: Point | None = None) -> tuple[Point, ...]:
    """The points as multiples of the value of `to` (default: the earliest point), in the order given and without a unit."""
    everything = tuple(points)
    if not everything:
        return ()
    reference = to or min(everything, key=lambda point: point.date)
    if not (reference.value > 0.0 and isfinite(reference.value)):
        raise InputError(
            N_("values can only be compared with a positive, finite one: {name} has {value}; choose another point"),
            name=reference.name or reference.id,
            value=reference.value,
        )
    return tuple(replace(point, value=point.value / reference.value, unit="") for point in everything)
