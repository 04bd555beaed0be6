"""What one point does to a trend: the growth without it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from wallviz.engine.growth.demands import check_enough, check_method, log10_values
from wallviz.engine.growth.points import Point
from wallviz.engine.growth.slopes import ols_slope, theil_sen_slope
from wallviz.engine.growth.trend import power_of_ten


@dataclass(frozen=True, slots=True)
class Influence:
    """What one point does to a trend.

    `multiplier` is the growth per `period_years` with every point and `multiplier_without` without this `point`: None where the points
    that are left all lie on one date, because then there is no slope.
    """

    point: Point
    period_years: float
    multiplier: float
    multiplier_without: float | None

    @property
    def change(self) -> float | None:
        """The factor by which leaving the point out changes the multiplier; None where `multiplier_without` is."""
        return None if self.multiplier_without is None else self.multiplier_without / self.multiplier


def influence(points: Iterable[Point], *, method: str = "ols", period_years: float = 2.0) -> tuple[Influence, ...]:
    """What the multiplier becomes without each point, in the order of the points.

    Least squares has it in closed form, slope - run * residual / (Sxx * (1 - leverage)) (Cook & Weisberg 1982);
    Theil-Sen is refitted.
    """
    everything = tuple(points)
    check_method(method, None)
    x, y = log10_values(everything)
    check_enough(x, "t", 0.95)
    alone = np.array([np.unique(np.delete(x, i)).size == 1 for i in range(len(x))])
    if method == "ols":
        run = x - x.mean()
        rise = y - y[0]
        sxx = float(run @ run)
        slope = ols_slope(run, rise)
        residual = rise - rise.mean() - slope * run
        spare = np.where(alone, 1.0, 1.0 - 1.0 / len(x) - run**2 / sxx)
        without = slope - run * residual / (sxx * spare)
    else:
        slope = theil_sen_slope(x, y)
        without = np.array([slope if alone[i] else theil_sen_slope(np.delete(x, i), np.delete(y, i)) for i in range(len(x))])
    multiplier = float(power_of_ten(slope * period_years))
    return tuple(
        Influence(point, period_years, multiplier, None if lonely else float(value))
        for point, lonely, value in zip(everything, alone, power_of_ten(without * period_years), strict=True)
    )
