"""What is offered: the remedies that can be switched on, the cards of those that matter most, and the list of all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from wallviz import catalog, units
from wallviz.engine.remedies import published
from wallviz.engine.remedies.effect import Effect, find
from wallviz.engine.remedies.plan import Plan
from wallviz.engine.remedies.published import GRADES
from wallviz.engine.remedies.remedy import SECTIONS
from wallviz.errors import InputError
from wallviz.i18n import _, bracketed, labelled, qualified
from wallviz.job import Job
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.steps import plain, planned
from wallviz.rooms.remedies.takeaway import changed, quality_lost

MOST = 6
"""Remedies that are offered at first."""


def offered(case: Job, view: View) -> dict[str, str]:
    """The remedies that can be switched on, by id: those that matter most, and what is switched on; all of the job where every one is asked for."""
    try:
        found = planned(case, plain(view))
    except InputError:
        return {}
    most = [e for e in found.every if e.after is not None or e.remedy.figure] if view.every else list(found.ranked[:MOST])
    chosen = []
    for name in view.apply:
        try:
            chosen.append(find(name).id)
        except InputError:
            continue
    ids = dict.fromkeys([*(e.remedy.id for e in most), *chosen])
    return {id: _(find(id).name) for id in ids}


@dataclass(frozen=True, slots=True)
class RemedyCard:
    """One remedy of the list: what it buys, what it costs, when it fails, who measured it. Texts in the language in use."""

    name: str
    buys: str
    costs: str
    fails: str
    measured: str
    on: bool = False


def cards(case: Job, view: View) -> tuple[RemedyCard, ...]:
    """The remedies that matter most to the case, at most six."""
    try:
        found = planned(case, plain(view))
    except InputError:
        return ()
    return tuple(_card(e, found, on=e.remedy.id in view.apply) for e in found.ranked[:MOST])


def _card(e: Effect, found: Plan, *, on: bool) -> RemedyCard:
    size = f"{'−' if e.saves_bytes >= 0 else '+'}{units.binary(abs(e.saves_bytes))}"
    moved = "" if abs(e.moved_factor - 1.0) < 0.005 else _("{share} bytes moved").format(share=changed(e.moved_factor))
    slower = e.time_factor - 1.0
    time = "" if abs(slower) < 0.005 else _("{share} time").format(share=changed(e.time_factor))
    lost = found.losses.get(e.remedy.id)
    gains = [(size, e.saves_bytes > 0), (time, slower < 0), (moved, e.moved_factor < 1.0)]
    prices = [(size, e.saves_bytes < 0), (time, slower >= 0), (moved, e.moved_factor >= 1.0)]
    buys = qualified(*(said for said, counts in gains if counts)) or _("nothing here")
    more = [*(said for said, counts in prices if counts and said), _(e.remedy.costs), *([quality_lost(lost)] if lost else [])]
    costs = reduce(lambda text, next_: _("{text}; {more}").format(text=text, more=next_), more)
    cases = found.evidence.get(e.remedy.id, ())
    measured = labelled(_(GRADES[cases[0].grade]), _(cases[0].setting)) if cases else alone(e.remedy.id)
    if e.remedy.default_on:
        measured += f" · {_(e.remedy.default_on)}"
    return RemedyCard(_(e.remedy.name), buys, costs, _(e.remedy.fails), measured, on)


def alone(id: str) -> str:
    """What was published of a remedy without a case of its own, in words: its metric before and after, and where."""
    rows = published.alone(id, catalog.evidence().values())
    if not rows:
        return _("nothing published in our table: computed")
    row = rows[0]
    values = " → ".join(_quantity(value, row.unit) for value in (row.baseline, row.value) if value is not None)
    said = f"{_(row.metric)} {values}"
    return labelled(_(GRADES[published.grade(row)]), bracketed(said, _(row.setting)) if row.setting else said)


#: How the units of the table are written; a ratio has none.
_UNITS = {"bytes/s": "B/s", "bytes": "B", "ratio": ""}


def _quantity(value: float, unit: str) -> str:
    if unit == "parameters":
        return units.count(value)
    return units.significant(value) if unit in ("ratio", "chips", "tokens/GPU") else units.si(value, _UNITS.get(unit, unit))


def every(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """Every remedy of the job, grouped: what it does here, its price as a formula, where it is on by default, or why it is not for this case."""
    try:
        found = planned(case, plain(view))
    except InputError:
        return ()
    order = list(SECTIONS)
    return tuple(
        {
            _("group"): _(SECTIONS[e.remedy.section]),
            _("remedy"): _(e.remedy.name),
            _("saves"): units.binary(e.saves_bytes) if e.after is not None else "–",
            _("time"): changed(e.time_factor) if e.after is not None else "–",
            _("moved"): changed(e.moved_factor) if e.after is not None else "–",
            _("price"): _(e.remedy.formula),
            _("fails when"): _(e.remedy.fails),
            _("by default"): _(e.remedy.default_on),
            _("not here"): e.reason,
        }
        for e in sorted(found.every, key=lambda e: order.index(e.remedy.section))
    )
