"""A trend in words: how often it doubles, and its interval."""

from __future__ import annotations

from wallviz import units
from wallviz.engine.growth import Trend
from wallviz.i18n import _


def rate(trend: Trend | None, *, break_line: bool = False) -> str:
    """A trend's growth in words: "doubles every 15 months", the time on a line of its own where it stands at a line's end."""
    if trend is None:
        return ""
    every = trend.doubling_years
    if not abs(every) < 200:
        return _("does not grow")
    template = _("doubles every {time}") if every > 0 else _("halves every {time}")
    return template.format(time=("\n" if break_line else "") + duration(abs(every))).replace(" \n", "\n")


def duration(years: float) -> str:
    """A span of time in the unit that a reader would choose: months below two years."""
    if years < 2:
        return _("{n} months").format(n=units.significant(years * 12, 2))
    return _("{n} years").format(n=units.significant(years, 2))


def interval(trend: Trend, period_years: float = 2.0) -> str:
    """The 95 % interval of a trend's multiplier in words: "95 % interval 2.68–3.41×"."""
    low, high = (units.times(end) for end in trend.multiplier_interval(period_years))
    unit = units.THIN + high.partition(units.THIN)[2] if units.THIN in high else units.TIMES
    return _("95% interval {low}–{high}").format(low=low.removesuffix(unit), high=high)  # said twice where Chinese counts one end in 万
