"""The slope of a line by either method, and the intervals that need more than Student's t."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

from wallviz.engine.growth.moments import FloatArray


def ols_slope(run: FloatArray, rise: FloatArray) -> float:
    """The least-squares slope of `rise` over `run`, whose mean is 0."""
    return float(run @ rise / (run @ run))


def _pair_slopes(x: FloatArray, y: FloatArray) -> FloatArray:
    """The slopes between all pairs of different dates, ascending."""
    i, j = np.triu_indices(len(x), 1)
    run, rise = x[j] - x[i], y[j] - y[i]
    return np.sort(rise[run != 0.0] / run[run != 0.0])


def theil_sen_slope(x: FloatArray, y: FloatArray) -> float:
    """Sen (1968): the median of the slopes between all pairs of different dates."""
    return float(np.median(_pair_slopes(x, y)))


def rank_interval(x: FloatArray, y: FloatArray, confidence: float) -> tuple[float, float]:
    """Sen (1968): the slopes whose ranks lie z * sigma / 2 to either side of the middle; sigma is Kendall's, corrected for ties."""
    slopes = _pair_slopes(x, y)

    def kendall(k: int) -> int:
        return k * (k - 1) * (2 * k + 5)

    ties = sum(kendall(int(k)) for values in (x, y) for k in np.unique(values, return_counts=True)[1])
    sigma = sqrt(max(kendall(len(x)) - ties, 0) / 18)
    reach = NormalDist().inv_cdf((1.0 + confidence) / 2) * sigma
    low = max(round((len(slopes) - reach) / 2) - 1, 0)
    high = min(round((len(slopes) + reach) / 2), len(slopes) - 1)
    return float(slopes[low]), float(slopes[high])


def bootstrap_interval(
    run: FloatArray, residual: FloatArray, slope: float, se: float, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """The bootstrap-t interval: quantiles of (slope* - slope) / se* over resampled residuals stand in for Student's."""
    n, sxx = len(run), float(run @ run)
    spare = 1.0 - 1.0 / n - run**2 / sxx
    # A point that alone holds one end of the line has leverage 1 and no residual to correct.
    modified = np.where(spare > 1e-12, residual / np.sqrt(np.where(spare > 1e-12, spare, 1.0)), 0.0)
    modified = modified - modified.mean()
    drawn = modified[np.random.default_rng(seed).integers(0, n, (resamples, n))]
    drawn -= drawn.mean(axis=1, keepdims=True)
    shift = drawn @ run / sxx
    drawn -= shift[:, None] * run
    errors = np.sqrt((drawn**2).sum(axis=1) / ((n - 2) * sxx))
    usable = errors > 1e-9 * se  # a draw that repeats one residual lies on the line exactly: 0 / 0
    if not usable.any():
        return slope, slope
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(shift[usable] / errors[usable], [tail, 1.0 - tail], method="weibull")
    return slope - float(high) * se, slope - float(low) * se
