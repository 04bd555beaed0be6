"""Every level over time: growth rates side by side, and the lines by year, each fitted as the published curves are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial

from wallviz import catalog, curves, units
from wallviz.engine import growth
from wallviz.engine.growth import Trend
from wallviz.engine.hierarchy.generations import Family, families
from wallviz.errors import InputError
from wallviz.figures.axes import Axis, said
from wallviz.figures.strips import Spot, Strip, strips
from wallviz.i18n import N_, _, bracketed, closed, labelled, listing
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.growth import rate
from wallviz.rooms.growth.drawn_curve import DrawnCurve, curves_over_time
from wallviz.rooms.hierarchy.choices import COMPUTE, FEW_FAMILIES, View
from wallviz.rooms.hierarchy.choices import families as family_names
from wallviz.rooms.hierarchy.times import titles


@cache
def every() -> Mapping[str, Family]:
    """The families by id, compute first: NVIDIA's flagships at fixed 16-bit precision."""
    points = catalog.chip_points("peak_compute", "fp16", lambda chip: chip.flagship and not chip.announced)
    compute = Family(COMPUTE, N_("16-bit compute"), "compute", N_("flagship GPU"), points)
    return {COMPUTE: compute} | {
        family.id: family for family in families(catalog.memory_technologies().values(), catalog.links().values(), until=curves.LAST_YEAR)
    }


@cache
def trend(id: str) -> Trend | None:
    """The line through a family's generations; None where there are too few."""
    try:
        return growth.fit(every()[id].points)
    except InputError:
        return None


def _ordered() -> list[tuple[Family, Trend]]:
    found = [(family, fitted) for family in every().values() if (fitted := trend(family.id)) is not None]
    return sorted(found, key=lambda one: -one[1].multiplier(2.0))


def rates(case: Job, view: View) -> Answer:
    """Growth per two years of every family, fastest first, with its interval."""
    found = _ordered()
    rows = []
    for family, fitted in found:
        low, high = fitted.multiplier_interval(2.0)
        text = _("{times} per two years ({low} to {high})").format(
            times=units.times(fitted.multiplier(2.0)), low=units.times(low), high=units.times(high)
        )
        label = bracketed(_name(family), f"{fitted.first.year}–{fitted.last.year}")
        hover = (family.id, label, text, labelled(_("counted per"), _(family.per)))
        role = "compute" if family.id == COMPUTE else "bandwidth" if family.role == "bandwidth" else "network"
        spot = Spot(fitted.multiplier(2.0), role, hover, low, high)
        rows.append(Strip(label, (spot,), remark=units.times(fitted.multiplier(2.0))))
    speeds = {family.id: fitted.multiplier(2.0) for family, fitted in found}
    slowest = min(speeds, key=lambda id: speeds[id])
    sentence = _("Per two years 16-bit compute grew {compute}, HBM stacks {hbm}, PCIe {pcie}; {slowest} only {least}.").format(
        compute=units.times(speeds[COMPUTE]),
        hbm=units.times(speeds["HBM"]),
        pcie=units.times(speeds["PCIe"]),
        slowest=_name(every()[slowest]),
        least=units.times(speeds[slowest]),
    )
    return Answer(
        name="hierarchy",
        sentence=closed(sentence),
        drawing=strips(rows, Axis(_("Growth per two years, 95% interval"), said("times"), log=view.scale == "log"), revision="rates", line=1.0),
        sure=_("few generations each"),
        trust="orange",
        caption=_("Each level is counted per its own unit and over its own years: compare slopes, not heights."),
        explain=_why,
        doubt=_how_sure,
        rows=_table,
        sources=_sources([family for family, _fitted in found]),
    )


def years(case: Job, view: View) -> Answer:
    """The lines of some families by year, each as times its first generation."""
    wanted = [id for id in (view.families or FEW_FAMILIES) if id in every()]
    unknown = [id[:40] for id in view.families if id not in every()]
    problems = (
        (_("There is no family called {names}: choose from {known}.").format(names=listing(unknown[:5]), known=listing(every())),) if unknown else ()
    )
    wanted = wanted or list(FEW_FAMILIES)
    series = []
    for id in wanted:
        family, fitted = every()[id], trend(id)
        series.append(
            DrawnCurve(
                role=family.role,
                label=_name(family),
                kind="times",
                kept=family.points,
                left_out=(),
                trend=fitted,
                rate=rate(fitted, break_line=True),
                base=family.points[0].value,
                vendor=True,
                named=tuple(p.id for p in reversed(family.points)) if len(wanted) == 1 else (),
                how={p.id: labelled(_("counted per"), _(family.per)) for p in family.points},
                origin={p.source: titles(tuple(s for s in p.source.split(";") if s)) for p in family.points},
            )
        )
    drawing = curves_over_time(
        series,
        name=_("Times larger than the first generation") + (" " + _("(log scale: each line is ×10)") if view.scale == "log" else ""),
        kind="times",
        log=view.scale == "log",
        revision="years-" + "-".join(wanted),
    )
    known = [(every()[id], fitted) for id in wanted if (fitted := trend(id)) is not None]
    fast, slow = max(known, key=lambda one: one[1].multiplier(2.0)), min(known, key=lambda one: one[1].multiplier(2.0))
    return Answer(
        name="hierarchy",
        sentence=closed(
            _("{fast} grew {most} per two years since {y0}, {slow} {least} since {y1}: each level falls behind at its own rate.").format(
                y0=fast[0].points[0].date.year,
                y1=slow[0].points[0].date.year,
                fast=_name(fast[0]),
                most=units.times(fast[1].multiplier(2.0)),
                slow=_name(slow[0]),
                least=units.times(slow[1].multiplier(2.0)),
            )
        ),
        drawing=drawing,
        sure=_("few generations each"),
        trust="orange",
        caption=_("Bandwidth of one unit of each family, at its first product or standard; announced generations are left out."),
        explain=_why,
        doubt=_how_sure,
        problems=problems,
        rows=partial(_points, tuple(wanted)),
        sources=_sources([every()[id] for id in wanted]),
    )


def _name(family: Family) -> str:
    return family_names().get(family.id, family.name)


def _sources(found: Sequence[Family]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s for family in found for p in family.points for s in p.source.split(";") if s))


def _why() -> str:
    return _(
        "Each line is least squares of log10(bandwidth) on the year of its first product or standard, as the growth page fits the published "
        "curves; ×{times} per two years is 10^(2·slope). The axis counts from each family's own first generation."
    ).format(times="m")


def _how_sure() -> str:
    lines_ = [f"| {_('family')} | n | R² | {_('per two years')} | 95% | {_('doubles every (years)')} |", "|---|--:|--:|--:|--:|--:|"]
    for family, fitted in _ordered():
        low, high = fitted.multiplier_interval(2.0)
        lines_.append(
            f"| {_name(family)} | {fitted.n} | {fitted.r_squared:.2f} | {units.times(fitted.multiplier(2.0))} | "
            f"{units.times(low)} – {units.times(high)} | {units.significant(fitted.doubling_years, 2)} |"
        )
    lines_ += [
        "",
        _("Bandwidth of an L2 cache by generation is not published, so that line is missing; years of standards and of products are mixed."),
        _("Most rows come from one source (open markers); a generation's year is drawn at its beginning."),
    ]
    return "\n".join(lines_)


def _table() -> tuple[Mapping[str, object], ...]:
    return tuple(
        {
            _("family"): _name(family),
            _("per two years"): fitted.multiplier(2.0),
            _("95% low"): fitted.multiplier_interval(2.0)[0],
            _("95% high"): fitted.multiplier_interval(2.0)[1],
            _("doubles every (years)"): fitted.doubling_years,
            "n": fitted.n,
            _("first"): fitted.first.year,
            _("last"): fitted.last.year,
            _("counted per"): _(family.per),
        }
        for family, fitted in _ordered()
    )


def _points(wanted: tuple[str, ...]) -> tuple[Mapping[str, object], ...]:
    return tuple(
        {
            _("family"): _name(every()[id]),
            _("generation"): point.name,
            _("year"): point.date.year,
            _("value"): point.value,
            _("unit"): "FLOP/s" if id == COMPUTE else "B/s",
            _("counted per"): _(every()[id].per),
            _("announced"): point in every()[id].announced,
            _("source"): titles(tuple(s for s in point.source.split(";") if s)),
        }
        for id in wanted
        for point in (*every()[id].points, *every()[id].announced)
    )
