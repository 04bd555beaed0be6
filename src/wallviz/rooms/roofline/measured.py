"""Measured against the roof: matrix products over their size, and shares of the roof by what was measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median

from wallviz import catalog
from wallviz.engine.roofline.efficiency import MeasuredRate
from wallviz.figures.axes import Axis, said
from wallviz.figures.plane import CrossLine, Dot, Line, plane
from wallviz.figures.strips import Spot, Strip
from wallviz.figures.strips import strips as drawn_strips
from wallviz.figures.style import DASHES, Drawing
from wallviz.i18n import _, labelled, qualified
from wallviz.rooms import Answer
from wallviz.rooms.roofline.certainty import WORK_NAMES, ZONE_NAMES
from wallviz.units import percent
from wallviz.validation.roofline_cases import measurements, predictions


def _hover(one: MeasuredRate) -> tuple[str, ...]:
    return (
        "",
        labelled(one.device, one.label),
        _("measured: {share} of its roof, {miss} below it").format(share=percent(one.fraction, 1), miss=percent(1 - one.fraction, 1)),
        f"{_(one.engine)} {one.precision}",
        catalog.titles(predictions()[one.case].case.source),
    )


def _rows(found: list[MeasuredRate]) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("case"): one.case,
            _("device"): one.device,
            _("engine"): _(one.engine),
            _("work"): _(WORK_NAMES.get(one.what, one.what)),
            _("precision"): one.precision,
            _("what"): one.label,
            _("measured"): one.measured,
            _("bound"): one.bound,
            _("share of the roof"): one.fraction,
            _("distance from the ridge"): None if one.intensity is None or not one.ridge else one.intensity / one.ridge,
            _("where"): _(ZONE_NAMES[one.zone]),
            _("source"): one.source,
        }
        for one in found
    )


def _measured_answer(sentence: str, drawing: Drawing, found: list[MeasuredRate], caption: str) -> Answer:
    return Answer(
        name="roofline",
        sentence=sentence,
        drawing=drawing,
        sure=_("measured"),
        trust="green",
        caption=caption,
        rows=partial(_rows, found),
        sources=tuple(dict.fromkeys(source for one in found for source in one.source.split(";"))),
    ).with_spec()


def matmuls() -> Answer:
    """Sweeps of one matrix product over the number of tokens: the corner is the least true part of the picture."""
    found = [m for m in measurements() if m.what == "gemm" and m.intensity and m.ridge]
    sweeps: dict[str, list[MeasuredRate]] = {}
    for one in found:
        sweeps.setdefault(f"{one.device}|{one.label.rpartition('× ')[2] if 'vidur' in one.source else _sweep(one)}", []).append(one)
    longest = sorted((sweep for sweep in sweeps.values() if len(sweep) > 3), key=len, reverse=True)
    best = {sweep[0].device: sweep for sweep in reversed(longest)}
    drawn = [(device, sorted(sweep, key=_place), dash) for (device, sweep), dash in zip(sorted(best.items()), DASHES, strict=False)]
    zones = {zone: median([m.fraction for m in found if m.zone == zone]) for zone in ("bandwidth", "knee", "compute")}
    sentence = _("Measured matrix products reach {flat} of the roof where bandwidth-bound, {knee} near the ridge, {top} where compute-bound.").format(
        flat=percent(zones["bandwidth"]), knee=percent(zones["knee"]), top=percent(zones["compute"])
    )
    drawing = plane(
        [Line("bandwidth", device, [_place(one) for one in sweep], [one.fraction for one in sweep], dash=dash) for device, sweep, dash in drawn],
        [[Dot(_place(one), one.fraction, "bandwidth", _hover(one), size=8) for one in sweep] for _device, sweep, _dash in drawn],
        across=Axis(_("FLOP per byte over the ridge (1: both limits meet)"), said("times")),
        up=Axis(_("Share of the roof that was reached"), percent, log=False, high=1.04 * max(1.0, *(m.fraction for m in found))),
        marks=[CrossLine(1.0, "", vertical=False)],
        revision="matmuls",
    )
    return _measured_answer(sentence, drawing, found, _("one sweep for each device; every case is in the table"))


def _sweep(one: MeasuredRate) -> str:
    """Sweeps over m keep k and n, sweeps over k and n keep m."""
    return one.label.rpartition("× ")[2] if not one.label.startswith("[8,192,") else "m = 8,192"


def _place(one: MeasuredRate) -> float:
    return (one.intensity or 0.0) / (one.ridge or 1.0)


def strips(evidence: str) -> Answer:
    """Shares of the roof that were reached, a strip for each kind of work, engine or format."""
    if evidence == "decode":
        found = [m for m in measurements() if m.what == "decode"]
        key: Callable[[MeasuredRate], tuple[str, str]] = lambda m: (m.device, _(m.engine))  # noqa: E731 - one line that says what a row is
    elif evidence == "formats":
        found = [m for m in measurements() if m.precision]
        key = lambda m: (qualified(_(WORK_NAMES[m.what]), m.precision), "")  # noqa: E731 - the same
    else:
        found = list(measurements())
        key = lambda m: (_(WORK_NAMES[m.what]), _(m.engine))  # noqa: E731 - the same
    groups: dict[tuple[str, str], list[MeasuredRate]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    ordered = sorted(groups.items(), key=lambda one: -median(m.fraction for m in one[1]))[:24]
    rows = [
        Strip(
            label,
            tuple(Spot(100 * one.fraction, _strip_role(group[0]), _hover(one)) for one in group),
            _("{engine}, {n} cases").format(engine=engine, n=len(group)) if engine else _("{n} cases").format(n=len(group)),
            median=100 * median(m.fraction for m in group),
        )
        for (label, engine), group in ordered
    ]
    low, high = (percent((row.median or 0.0) / 100) for row in (rows[-1], rows[0]))
    if evidence == "decode":
        sentence = _("Decoding at batch 1 reaches {low} to {high} of the bandwidth bound, by device: {best} the most, {worst} the least.").format(
            low=low, high=high, best=rows[0].label, worst=rows[-1].label
        )
    else:
        template = (
            _("How much of the roof is reached depends on the work and the number format: medians from {low} to {high}.")
            if evidence == "formats"
            else _("How much of the roof is reached depends on the work and the engine: medians from {low} to {high}.")
        )
        sentence = template.format(low=low, high=high)
    axis = Axis(_("Share of the roof that was reached"), lambda share: f"{share:.0f}%", log=False, high=106)
    drawing = drawn_strips(rows, axis, line=100, role="compute", beside=True, revision=f"strips-{evidence}")
    return _measured_answer(sentence, drawing, found, _("bar: median; dotted line: the roof"))


def _strip_role(one: MeasuredRate) -> str:
    return "compute" if one.zone == "compute" else "bandwidth"
