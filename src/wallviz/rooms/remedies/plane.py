"""Published trade-offs on one plane: memory saved against the price paid."""

from __future__ import annotations

from wallviz import catalog, units
from wallviz.engine.remedies import published
from wallviz.engine.remedies.published import GRADES, Published
from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.figures import remedies as figures
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.advice import known
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.cited import cited
from wallviz.rooms.remedies.steps import plain, planned

#: What a published case saved.
SAVED = {"memory": N_("memory"), "traffic": N_("memory traffic")}


def answer(case: Job, view: View) -> Answer:
    """Every published case with a saving and a price, the failures marked."""
    found = planned(case, plain(view))
    points = [point for cases in known().values() for point in cases if point.saved is not None and point.has_price]
    # of each remedy one success and one failure is named, the one that saved most, and the dearest; 8 and 5 bits stand among the 4
    by_remedy = {(p.remedy, p.failed): p for p in sorted(points, key=lambda p: p.price if p.failed else p.saved or 0.0)}
    named = [p for (id, _failed), p in by_remedy.items() if id not in ("weights-int8", "weights-q4km")]
    spots = [_spot(point, named=any(point is p for p in named)) for point in points]
    computed = [e for e in found.ranked[:6] if e.saves_bytes > 0]
    spots += [
        figures.TradeSpot(
            _(e.remedy.name),
            e.saves_bytes / e.before.bytes,
            max(0.0, e.time_factor - 1.0),
            "time",
            computed=True,
            hover=(_("computed for your case"),),
        )
        for e in computed
    ]
    failed = [point for point in points if point.failed]
    worst = max(failed, key=lambda p: p.quality or 0.0)
    sentence = _("{n} published cases: memory saved against the price paid; {failed} are failures, the worst {worst} ({metric} {lost}).").format(
        n=len(points),
        failed=len(failed),
        worst=_(worst.setting),
        metric=_(worst.metric),
        lost=units.percent((worst.quality or 0.0) * (1 if worst.metric in published.LOWER else -1), digits=2, signed=True),
    )
    drawing = figures.plane(
        spots,
        name=_("Memory saved, share (open and red: quality fell by a fifth or more; grey: your case)"),
        across=_("Price paid, log scale: ● time, ■ quality, ▲ traffic"),
    )
    rows = tuple(
        {
            _("remedy"): _(REMEDIES[p.remedy].name), _("tested on"): _(p.setting), _("saved"): p.saved, _("of what"): _(SAVED[p.saved_what]),
            _("time"): p.time, _("quality lost"): p.quality, _("traffic"): p.traffic,
            _("failed"): p.failed, _("who"): _(GRADES[p.grade]), _("source"): catalog.titles(p.source),
        }
        for p in points
    )  # fmt: skip
    used = dict.fromkeys(source for p in points for source in p.source.split(";"))
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows, sources=cited(*used))


def _spot(point: Published, *, named: bool) -> figures.TradeSpot:
    price = units.percent(point.price, digits=2)
    lines = (
        _(point.setting),
        _("saved {saved} of the {what}, price {price} of {kind}").format(
            saved=units.percent(point.saved or 0.0),
            what=_(SAVED[point.saved_what]),
            price=price,
            kind=_(figures.PRICES[point.kind][0]),
        ),
        f"{_(GRADES[point.grade])} · {catalog.titles(point.source)}",
    )
    return figures.TradeSpot(
        _(REMEDIES[point.remedy].name), point.saved or 0.0, point.price, point.kind, failed=point.failed, named=named, hover=lines
    )
