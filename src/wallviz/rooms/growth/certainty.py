"""How sure: how wide an interval is, what each point does to a line, and the known errors of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wallviz import catalog, units
from wallviz.engine import growth as domain
from wallviz.i18n import N_, _, labelled, qualified
from wallviz.rooms.growth.choices import METHODS, View
from wallviz.rooms.growth.fitted import Fitted
from wallviz.rooms.growth.per_chip import chip_by_chip
from wallviz.rooms.growth.rates import interval
from wallviz.rooms.growth.table import sources

TRUST = ((1.7, "green", N_("well determined")), (10.0, "orange", N_("rough")), (float("inf"), "red", N_("barely determined")))


def at_a_glance(view: View, fitted: Sequence[Fitted]) -> tuple[str, str]:
    """How sure the takeaway's first number is: its quantity, its interval, and a word for how wide that is."""
    shown: Sequence[Fitted] = fitted
    if view.figure == "gap" and view.hold == "precision" and view.show == "curves":
        shown, _problems = chip_by_chip(fitted, replace(view, show="ratio"))  # there the takeaway ends on the ratio
    found = next((f for f in shown if f.trend), None)
    if found is None or found.trend is None:
        return "", "gray"
    low, high = found.trend.multiplier_interval(2.0)
    if low <= 1.0 <= high:
        colour, words = "red", N_("direction uncertain")
    else:
        spread = high / low if low > 0 else float("inf")
        _limit, colour, words = next(t for t in TRUST if spread <= t[0])
    return labelled(_(words), qualified(_(found.curve.label), interval(found.trend))), colour


def how_sure(fitted: Sequence[Fitted], view: View) -> str:
    """What the intervals say and do not, as Markdown, with the points that move each line most."""
    lines = [
        _("The interval says where the slope may lie if the points scatter at random about one line; it does not know which points were chosen."),
        "",
    ]
    for f in fitted:
        if f.trend is None:
            continue
        method = METHODS[view.fit][0]
        ranked = sorted(domain.influence(f.kept, method=method), key=lambda i: -abs((i.change or 1.0) - 1.0))[:3] if len(f.kept) <= 120 else []
        lines.append(
            labelled(
                f"- **{_(f.curve.label)}**",
                qualified(units.times(f.trend.multiplier(2)), interval(f.trend), f"n = {f.trend.n}", f"R² = {f.trend.r_squared:.2f}"),
            )
        )
        lines += [
            _("  - without {name}: {m}").format(name=i.point.name, m=units.times(i.multiplier_without))
            for i in ranked
            if i.multiplier_without is not None
        ]
    errata = [e for s in sources(fitted) for e in catalog.sources()[s].errata]
    if errata:
        lines += ["", _("Known errors of these sources:"), "", *(f"- {_(e)}" for e in errata)]
    return "\n".join(lines)
