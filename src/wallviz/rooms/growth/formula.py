"""Why: the line through the logarithms, its slope for each curve, and how fast two of them part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wallviz import units
from wallviz.engine import growth as domain
from wallviz.i18n import N_, _
from wallviz.rooms.growth.choices import View
from wallviz.rooms.growth.fitted import Fitted
from wallviz.rooms.growth.per_chip import chip_by_chip
from wallviz.rooms.growth.rates import interval, rate


def why(fitted: Sequence[Fitted], view: View) -> str:
    """How the lines are fitted and what comes of it, as Markdown."""
    robust = view.fit == "theil-sen"
    lines = [
        _("The median of the slopes between all pairs of points, through the logarithm of each value (Theil–Sen):")
        if robust
        else _("A straight line through the logarithm of each value by ordinary least squares, as the authors drew theirs:"),
        "",
        r"$$\log_{10} y = a + b\,t \qquad\Rightarrow\qquad y(t + 2) = 10^{\,2b}\, y(t)$$",
        "",
        _("A year is 365.25 days here; the authors take two years as 730 days, which gives up to 0.5% less."),
        "",
    ]
    for f in fitted:
        if f.trend:
            b = f.trend.slope_log10_per_year
            lines.append(
                _("- **{label}**: b = {b} per year, so 10^(2b) = {m} per two years; it {rate}.").format(
                    label=_(f.curve.label), b=f"{b:.4f}", m=units.times(f.trend.multiplier(2)), rate=rate(f.trend)
                )
            )
    if view.figure == "size" and view.unit == "normalised":
        lines.append(_("- Memory is drawn as the parameters that it holds at 6 bytes each, as in the authors' figure."))
    by_id = {f.curve.id: f.trend for f in fitted}
    for fast, slow, period, template in (
        ("peak_compute", "memory_bandwidth", 10.0, N_("- The gap between the first two lines grows **{gap} per decade** (95%: {low} to {high}).")),
        ("parameters", "accelerator_memory", 2.0, N_("- The gap between the two lines grows **{gap} per two years** (95%: {low} to {high}).")),
    ):
        a, c = by_id.get(fast), by_id.get(slow)
        pairs, _problems = chip_by_chip(fitted, replace(view, show="ratio")) if fast == "peak_compute" else ((), ())
        if pairs and (paired := pairs[0].trend):
            lines.append(
                _("- FLOP per byte, chip by chip, grows **{gap} per decade** ({interval}).").format(
                    gap=units.times(paired.multiplier(10)), interval=interval(paired, 10)
                )
            )
        elif a and c:
            gap = domain.divergence(a, c, period)
            low, high = gap.ratio_interval
            lines.append(_(template).format(gap=units.times(gap.ratio), low=units.times(low), high=units.times(high)))
    return "\n".join(lines)
