"""What a fit asks of its points, its method and its interval: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import factorial, isfinite, prod

import numpy as np

from wallviz.engine.growth.moments import FloatArray, Moments, date_at, decimal_years, years
from wallviz.engine.growth.points import Point
from wallviz.errors import InputError
from wallviz.i18n import N_

INTERVALS: dict[str, tuple[str, ...]] = {"ols": ("t", "bootstrap"), "theil-sen": ("rank",)}
"""The intervals that go with each method, the default first."""
FEWEST = {"t": 3, "bootstrap": 5, "rank": 3}
"""The fewest points for each interval; a rank interval may ask for more, see `fit`."""


def log10_values(data: Iterable[Point] | tuple[Moments, Sequence[float] | FloatArray]) -> tuple[FloatArray, FloatArray]:
    """The dates of `data` in decimal years and log10 of its values, which must be positive and finite."""
    if isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], Point):
        moments, numbers = data
        x, values = np.atleast_1d(decimal_years(moments)), np.atleast_1d(np.asarray(numbers, dtype=np.float64))
        names = [f"#{i}" for i in range(1, values.size + 1)]
        if x.shape != values.shape or x.ndim != 1:
            raise InputError(N_("every date needs one value: got {dates} dates and {values} values"), dates=x.size, values=values.size)
    else:
        points: list[Point] = list(data)
        x = np.array([years(point.date) for point in points], dtype=np.float64)
        values = np.array([point.value for point in points], dtype=np.float64)
        names = [point.name or point.id for point in points]
    for name, value in zip(names, values, strict=True):
        if not (value > 0.0 and isfinite(value)):
            raise InputError(
                N_("a trend on a log scale needs positive, finite values: {name} has {value}; exclude it or correct it"),
                name=name,
                value=float(value),
            )
    for name, year in zip(names, x, strict=True):
        if not 2.0 <= year < 9999.0:
            raise InputError(
                N_("every point needs a date between the years 2 and 9998: {name} has {value}; exclude it or correct it"),
                name=name,
                value=float(year),
            )
    return x, np.log10(values)


def check_confidence(confidence: float) -> None:
    """Refuses a confidence that is no share between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise InputError(N_("confidence must lie between 0 and 1: got {confidence}; write 95% as 0.95"), confidence=confidence)


def check_method(method: str, interval: str | None) -> str:
    """The interval to use with `method`."""
    if method not in tuple(INTERVALS):  # a tuple: what cannot be hashed is unknown too
        raise InputError(N_("unknown method {method}: choose from {choices}"), method=method, choices=", ".join(INTERVALS))
    if interval is None:
        return INTERVALS[method][0]
    if interval not in tuple(FEWEST):
        raise InputError(N_("unknown interval {interval}: choose from {choices}"), interval=interval, choices=", ".join(FEWEST))
    if interval not in INTERVALS[method]:
        raise InputError(
            N_("the {interval} interval does not go with {method}: choose from {choices}"),
            interval=interval,
            method=method,
            choices=", ".join(INTERVALS[method]),
        )
    return interval


def check_enough(x: FloatArray, interval: str, confidence: float) -> None:
    """Refuses points too few, or on too few dates, for `interval` at `confidence`."""
    n = len(x)
    if n == 0:
        raise InputError(N_("there is no point to fit: keep at least 3"))
    if n == 1:
        raise InputError(N_("one point has no slope: keep at least 3"))
    if n == 2:
        raise InputError(N_("two points always lie on a line: keep at least 3"))
    if (x == x[0]).all():
        raise InputError(N_("all {n} points lie on {date}: growth needs at least two dates"), n=n, date=date_at(float(x[0])).isoformat())
    if n < FEWEST[interval]:
        raise InputError(N_("a bootstrap of {n} points repeats itself: keep at least {fewest}, or use the t interval"), n=n, fewest=FEWEST[interval])
    if interval == "rank":
        # All slopes together miss the true one only when every pair of dates errs on the same side.
        orders = factorial(n) // prod(factorial(int(k)) for k in np.unique(x, return_counts=True)[1])
        if orders < 2.0 / (1.0 - confidence) / (1.0 + 1e-9):  # the factorial of 171 is beyond a float, and Python compares it all the same
            raise InputError(
                N_("the ranks of {n} points cannot give an interval at {confidence}: keep more points, or use method ols"), n=n, confidence=confidence
            )
