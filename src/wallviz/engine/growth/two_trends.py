"""Two trends: how their ratio grows, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10, sqrt

from wallviz.engine.growth.demands import check_confidence
from wallviz.engine.growth.student import student_t
from wallviz.engine.growth.trend import Trend, power_of_ten


@dataclass(frozen=True, slots=True)
class Divergence:
    """How the ratio of two trends grows: in `period_years` it becomes `ratio` times as large.

    `slope_log10_per_year` is the difference of the slopes, `slope_low` and `slope_high` its interval at `confidence`, `slope_se` its
    standard error and `dof` the degrees of freedom of Student's t behind it.
    """

    period_years: float
    confidence: float
    slope_log10_per_year: float
    slope_low: float
    slope_high: float
    slope_se: float
    dof: float

    @property
    def ratio(self) -> float:
        """The factor by which the gap grows in `period_years`."""
        return float(power_of_ten(self.slope_log10_per_year * self.period_years))

    @property
    def ratio_interval(self) -> tuple[float, float]:
        """The lower and upper end of `ratio`."""
        ends = sorted((float(power_of_ten(self.slope_low * self.period_years)), float(power_of_ten(self.slope_high * self.period_years))))
        return ends[0], ends[1]

    @property
    def doubling_years(self) -> float:
        """Years in which the gap doubles; negative where it closes (then the years to halve), infinite where it stays."""
        return log10(2.0) / self.slope_log10_per_year if self.slope_log10_per_year else inf


def divergence(a: Trend, b: Trend, period_years: float = 10.0, *, confidence: float = 0.95) -> Divergence:
    """How fast `a` outgrows `b`, as a factor per `period_years`.

    The two slopes are independent estimates with scatters of their own, so their difference has se**2 = se_a**2 + se_b**2 and the
    degrees of freedom of Welch (1947) and Satterthwaite (1946). For a Theil-Sen trend, whose standard error is read off its rank
    interval, this is an approximation; a bootstrap's asymmetry is not carried over.
    """
    check_confidence(confidence)
    variance_a, variance_b = a.slope_se**2, b.slope_se**2
    variance = variance_a + variance_b
    parts = (variance_a / variance) ** 2 / (a.n - 2) + (variance_b / variance) ** 2 / (b.n - 2) if variance > 0.0 else 0.0
    dof = 1.0 / parts if parts > 0.0 else float(a.n + b.n - 4)
    slope, se = a.slope_log10_per_year - b.slope_log10_per_year, sqrt(variance)
    half = student_t((1.0 + confidence) / 2, dof) * se
    return Divergence(period_years, confidence, slope, slope - half, slope + half, se, dof)
