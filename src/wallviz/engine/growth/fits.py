"""The trend through points, by least squares or Theil-Sen, with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np

from wallviz.engine.growth.demands import check_confidence, check_enough, check_method, log10_values
from wallviz.engine.growth.moments import FloatArray, Moments, date_at
from wallviz.engine.growth.points import Point
from wallviz.engine.growth.slopes import bootstrap_interval, ols_slope, rank_interval, theil_sen_slope
from wallviz.engine.growth.student import student_t
from wallviz.engine.growth.trend import Trend
from wallviz.errors import InputError
from wallviz.i18n import N_


def fit(
    data: Iterable[Point] | tuple[Moments, Sequence[float] | FloatArray],
    *,
    method: str = "ols",
    interval: str | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Trend:
    """The trend through `data`: points, or a pair (dates or decimal years, values).

    ``method="ols"`` is ordinary least squares of log10(value) on the date, as Gholami et al. (2021, 2024) draw their lines. Its interval is
    Student's t with n - 2 degrees of freedom, or a studentised residual bootstrap (Efron & Tibshirani 1993, sections 9.4 and 12.5):
    residuals corrected for leverage and centred, drawn `resamples` times from a fixed `seed`. ``method="theil-sen"`` is the median of the
    slopes between all pairs of dates (Sen 1968), which a few odd points cannot bend, with the interval of the ranks of those slopes
    (normal approximation, corrected for ties).

    How often a 95 % interval holds the true slope, in % of 20,000 simulated sets of points with dates spread evenly at random over five
    years and 2,000 resamples (binomial standard error 0.15). The scatter is normal; skewed (exponential); heavy-tailed (Student's t, 3
    degrees of freedom); or normal and 7.7 times as wide at the end as at the beginning:

    ========= ==============  ==============  ==============  ==============
    scatter   normal          skewed          heavy-tailed    widening
    n         6    10   20    6    10   20    6    10   20    6    10   20
    ========= ==============  ==============  ==============  ==============
    t         95.0 94.8 95.1  95.0 95.2 95.4  94.9 95.5 95.2  93.0 93.0 93.2
    bootstrap 95.0 94.9 95.1  94.9 95.2 95.0  94.9 95.4 95.0  92.5 92.7 93.3
    rank      98.4 95.3 95.4  98.4 95.1 95.4  98.2 95.4 95.1  98.2 95.3 95.0
    ========= ==============  ==============  ==============  ==============

    So the bootstrap agrees with t, also for odd scatter, and neither knows of a scatter that widens. For ranks the coverage without ties
    can be counted exactly: 98.3 % at 6 points (708 of 720 orders), 95.3 % at 10 and at 20. Pairs and wild bootstraps were tried and left:
    at 6 points of normal scatter they hold the truth in 98.7 % (but three and a half times as wide as t) and 91 to 92 % of 1,500 sets.

    Fewest points: 3; for a bootstrap 5, because fewer residuals repeat themselves; for ranks as many as bring 1 - 2 / n! to the
    confidence, which are 5 at 95 %.

    The six accelerators of the 2021 edition, "2x every two years":

    >>> days = ["2016-06-20", "2017-05-17", "2017-06-21", "2018-05-08", "2020-05-14", "2020-11-16"]
    >>> trend = fit((days, [12e9, 16e9, 32e9, 32e9, 40e9, 80e9]))
    >>> round(trend.multiplier(2), 2), [round(end, 2) for end in trend.multiplier_interval(2)]
    (1.99, [1.24, 3.17])
    """
    check_confidence(confidence)
    interval = check_method(method, interval)
    x, y = log10_values(data)
    check_enough(x, interval, confidence)
    if interval == "bootstrap" and resamples < 2.0 / (1.0 - confidence):
        raise InputError(
            N_("resamples must be at least {least} for an interval at {confidence}: got {resamples}"),
            least=int(np.ceil(2.0 / (1.0 - confidence))),
            confidence=confidence,
            resamples=resamples,
        )
    n = len(x)
    centre = float(x.mean())
    run, rise = x - centre, y - y[0]  # taken from the first value, equal values are exactly level
    sxx = float(run @ run)
    slope = ols_slope(run, rise) if method == "ols" else theil_sen_slope(x, y)
    sloped = rise - slope * run
    offset = float(sloped.mean()) if method == "ols" else float(np.median(sloped))
    residual = sloped - offset
    sse = float(residual @ residual)
    sst = float(((rise - rise.mean()) ** 2).sum())
    sd = sqrt(sse / (n - 2))
    if method == "theil-sen":
        low, high = rank_interval(x, y, confidence)
        se = (high - low) / 2 / NormalDist().inv_cdf((1.0 + confidence) / 2)
    else:
        se = sd / sqrt(sxx)
        if interval == "t":
            half = student_t((1.0 + confidence) / 2, n - 2) * se
            low, high = slope - half, slope + half
        else:
            low, high = bootstrap_interval(run, residual, slope, se, confidence, resamples, seed)
    return Trend(
        method=method,
        interval=interval,
        confidence=confidence,
        n=n,
        first=date_at(float(x.min())),
        last=date_at(float(x.max())),
        slope_log10_per_year=slope,
        slope_low=low,
        slope_high=high,
        slope_se=se,
        centre_year=centre,
        level_log10=float(y[0]) + offset,
        residual_sd_log10=sd,
        r_squared=1.0 - sse / sst if sst > 0.0 else 0.0,
        years_sum_of_squares=sxx,
    )
