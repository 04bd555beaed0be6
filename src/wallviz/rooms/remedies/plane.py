"""Published trade-offs on one plane: memory saved against the price paid."""

from __future__ import annotations

from wallviz import catalog, units
from wallviz.engine.remedies import published
from wallviz.engine.remedies.effect import Effect
from wallviz.engine.remedies.published import GRADES, Published
from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.figures.axes import Axis
from wallviz.figures.plane import Dot, plane
from wallviz.figures.style import ROLES
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.advice import known
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.cited import cited
from wallviz.rooms.remedies.steps import plain, planned

#: The red of what failed: 3:1 on every ground, and never alone: failures have a shape of their own.
FAILED = "#E5484D"
#: What a price is paid in, and the role whose colour and shape it has.
PRICES = {"time": (N_("time"), "compute"), "quality": (N_("quality"), "memory"), "traffic": (N_("traffic between GPUs"), "network")}
#: Prices below this share are drawn at the left edge: "none, or hardly any".
LEAST = 0.001
#: What a published case saved.
SAVED = {"memory": N_("memory"), "traffic": N_("memory traffic")}


def answer(case: Job, view: View) -> Answer:
    """Every published case with a saving and a price, the failures marked."""
    found = planned(case, plain(view))
    points = [point for cases in known().values() for point in cases if point.saved is not None and point.has_price]
    # of each remedy one success and one failure is named, the one that saved most, and the dearest; 8 and 5 bits stand among the 4
    by_remedy = {(p.remedy, p.failed): p for p in sorted(points, key=lambda p: p.price if p.failed else p.saved or 0.0)}
    named = [p for (id, _failed), p in by_remedy.items() if id not in ("weights-int8", "weights-q4km")]
    groups: dict[tuple[str, bool], list[Dot]] = {}
    for point in points:
        groups.setdefault((point.kind, point.failed), []).append(_dot(point, named=any(point is p for p in named)))
    computed = [e for e in found.ranked[:6] if e.saves_bytes > 0]
    groups["time", False] = groups.get(("time", False), []) + [_computed(e) for e in computed]
    failed = [point for point in points if point.failed]
    worst = max(failed, key=lambda p: p.quality or 0.0)
    sentence = _("{n} published cases: memory saved against the price paid; {failed} are failures, the worst {worst} ({metric} {lost}).").format(
        n=len(points),
        failed=len(failed),
        worst=_(worst.setting),
        metric=_(worst.metric),
        lost=units.percent((worst.quality or 0.0) * (1 if worst.metric in published.LOWER else -1), digits=2, signed=True),
    )
    dearest = max([1.2, *(dot.x * 1.5 for group in groups.values() for dot in group)])
    ticks = {LEAST: f"≤ {units.percent(LEAST, 1)}", 0.01: "1%", 0.1: "10%", 1.0: "100%", 10.0: "1,000%"}
    across = Axis(_("Price paid, log scale: ● time, ■ quality, ▲ traffic"), ticks.__getitem__, low=LEAST, high=dearest, lines=tuple(ticks), room=0.03)
    name = _("Memory saved, share (open and red: quality fell by a fifth or more; grey: your case)")
    up = Axis(name, "{:.0%}".format, log=False, low=-0.06, high=1.06, lines=(0.0, 0.25, 0.5, 0.75, 1.0))
    drawing = plane([], list(groups.values()), across=across, up=up, revision="plane", right=14)
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


def _computed(e: Effect) -> Dot:
    """A remedy for the reader's case."""
    price, saved = max(e.time_factor - 1.0, LEAST), e.saves_bytes / e.before.bytes
    return Dot(price, saved, "compute", ("", _(e.remedy.name), _("computed for your case")), open=True, colour=ROLES["reference"].colour)


def _dot(point: Published, *, named: bool) -> Dot:
    """A published case: filled, or, where it failed, open, red and crossed."""
    price = units.percent(point.price, digits=2)
    lines = (
        _(point.setting),
        _("saved {saved} of the {what}, price {price} of {kind}").format(
            saved=units.percent(point.saved or 0.0),
            what=_(SAVED[point.saved_what]),
            price=price,
            kind=_(PRICES[point.kind][0]),
        ),
        f"{_(GRADES[point.grade])} · {catalog.titles(point.source)}",
    )
    name, role = _(REMEDIES[point.remedy].name), PRICES[point.kind][1]
    symbol = ROLES[role].symbol if point.kind != "traffic" else "diamond"  # no triangle has a crossed form
    return Dot(
        max(point.price, LEAST),
        point.saved or 0.0,
        role,
        ("", name, *lines),
        name=name if named else "",
        side=_beside(point),
        open=point.failed,
        colour=FAILED if point.failed else "",
        symbol=f"{symbol}-x" if point.failed else "",
        size=11,
        thick=1.5,
    )


def _beside(point: Published) -> str:
    """Where the name of a point stands, so that names of points with like prices stay apart."""
    if point.failed or point.kind == "traffic":
        return "top left" if point.failed else "middle right"
    if point.kind == "time" or point.price <= LEAST:
        return "top right" if point.price <= LEAST else "top center"
    return "top left" if point.price > 0.05 else "bottom right"
