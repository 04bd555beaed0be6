"""Moments as decimal years of 365.25 days: from a date, an ISO day, a number or an array of them, and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wallviz.errors import InputError
from wallviz.i18n import N_

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Day = dt.date | str
Moments = dt.date | np.datetime64 | str | float | Sequence[dt.date] | Sequence[str] | Sequence[float] | NDArray[np.generic]

DAYS_PER_YEAR = 365.25
EPOCH = dt.date(2000, 1, 1)


def years(date: dt.date) -> float:
    """`date` in decimal years of 365.25 days, counted from 1 January 2000.

    Gholami et al. take two years as 730 days; per two years of 365.25 days the same line grows a little more (240.9 for their 240.0), so
    their multipliers are up to 0.5 % lower than ours.

    >>> years(dt.date(2000, 1, 1)), years(dt.date(2020, 1, 1))
    (2000.0, 2020.0)
    """
    return EPOCH.year + (date.toordinal() - EPOCH.toordinal()) / DAYS_PER_YEAR


def date_at(year: float) -> dt.date:
    """The day that holds the decimal `year`: the inverse of `years`.

    >>> date_at(years(dt.date(2017, 12, 6)))
    datetime.date(2017, 12, 6)
    """
    return dt.date.fromordinal(EPOCH.toordinal() + int(np.floor((year - EPOCH.year) * DAYS_PER_YEAR + 1e-6)))


def as_date(when: Day, name: str = "date") -> dt.date:
    """`when` as a day; what is no date is refused under `name`."""
    if isinstance(when, dt.date):
        return dt.date(when.year, when.month, when.day)  # drops the hours of a datetime
    try:
        return dt.date.fromisoformat(when)
    except (TypeError, ValueError):
        raise InputError(N_("{name} must be a date: {value} is not; write it as YYYY-MM-DD, like 2020-05-28"), name=name, value=when) from None


def decimal_years(moments: Moments) -> FloatArray:
    """`moments` in decimal years, in the shape that they have."""
    if isinstance(moments, dt.date | str):
        return np.asarray(years(as_date(moments)), dtype=np.float64)
    array = np.asarray(moments)
    if array.dtype.kind == "M":
        days = (array.astype("datetime64[D]") - np.datetime64(EPOCH)).astype(np.float64)
        return np.asarray(EPOCH.year + days / DAYS_PER_YEAR, dtype=np.float64)
    if array.dtype.kind in "OU":
        flat = [moment if isinstance(moment, int | float) else years(as_date(moment)) for moment in array.ravel().tolist()]
        return np.array(flat, dtype=np.float64).reshape(array.shape)
    return array.astype(np.float64)
