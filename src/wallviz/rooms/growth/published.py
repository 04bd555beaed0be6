"""What was published beside the reader's own fit."""

from __future__ import annotations

from wallviz import catalog, units
from wallviz.i18n import _
from wallviz.rooms import Card
from wallviz.rooms.growth.fitted import Fitted
from wallviz.rooms.growth.rates import interval, rate


def cards(f: Fitted) -> list[Card]:
    """The card of a curve: what was claimed and what the reader's fit gives; none without a trend."""
    if f.trend is None:
        return []
    claims = [catalog.claims()[c] for c in f.curve.claims]
    if not claims:
        return [Card(f.curve.role, _(f.curve.label), "", units.times(f.trend.multiplier(2)), f"{interval(f.trend)} · {rate(f.trend)}")]
    first, *later = claims
    note = " · ".join(
        _("in {n} years: published {a}, your fit {b}").format(
            n=f"{c.period_years:g}", a=units.claimed(c.multiplier), b=units.times(f.trend.multiplier(c.period_years))
        )
        for c in later
    )
    return [
        Card(
            f.curve.role,
            _(first.what),
            units.claimed(first.multiplier),
            units.times(f.trend.multiplier(first.period_years)),
            f"{interval(f.trend, first.period_years)} · {rate(f.trend)}",
            note,
        )
    ]
