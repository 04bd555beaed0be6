"""The figures over time: peaks against bandwidth, training compute, and model size, each with its fitted lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial

from wallviz import curves, units
from wallviz.curves import Curve
from wallviz.engine.growth import Point
from wallviz.i18n import _, labelled, listing, qualified
from wallviz.machine import own as own_machine
from wallviz.rooms import Answer
from wallviz.rooms.growth.certainty import at_a_glance, how_sure
from wallviz.rooms.growth.choices import View
from wallviz.rooms.growth.drawn_curve import DrawnCurve, curves_over_time
from wallviz.rooms.growth.fitted import Fitted, fits
from wallviz.rooms.growth.formula import why
from wallviz.rooms.growth.per_chip import chip_by_chip
from wallviz.rooms.growth.published import cards
from wallviz.rooms.growth.rates import rate
from wallviz.rooms.growth.table import how_known, origin, sources, table
from wallviz.rooms.growth.takeaway import TWENTY, takeaway


def answer(view: View, chip: str) -> Answer:
    """The curves of `view` over time, with `chip` named first, in the language in use."""
    if view.divides:  # the published points are different devices, without a ratio of their own
        view = replace(view, data="today")
    fitted, problems = fits(view)
    normalised = view.figure == "gap" and view.unit == "normalised"
    until = date(view.extend, 12, 31) if view.extend > curves.LAST_YEAR else None
    if view.divides:
        fitted, more = chip_by_chip(fitted, view)
        problems = (*problems, *more)
    series = [_series(f, normalised=normalised, chip=chip, mine=_mine(f.curve, view, chip)) for f in fitted]
    if own_machine.is_own(chip) and not any(s.mine for s in series):
        problems = (*problems, _("Your machine is not in this figure, whose points are no single devices: choose “Today” or “Same precision”."))
    drawn = [s for s in series if s.kept or s.left_out]
    kind = "times" if normalised else fitted[0].curve.kind if fitted else "times"
    drawing = (
        curves_over_time(
            drawn,
            name=axis(view.scale, kind, from_line=not any(f.curve.claims for f in fitted)),
            kind="rate" if kind == "flop_per_s" else kind,
            log=view.scale == "log",
            revision="-".join((view.figure, view.data, view.hold, view.unit, view.domain)),
            until=until,
            prediction=view.band == "prediction",
            apart=_apart(drawn) if view.figure == "gap" and normalised else None,
        )
        if drawn
        else None
    )
    sentence, problems = (takeaway(view, fitted), problems) if fitted or not problems else (problems[0], problems[1:])
    sure, trust = at_a_glance(view, fitted)
    return Answer(
        name="growth",
        sentence=sentence,
        drawing=drawing,
        sure=sure,
        trust=trust,
        caption=_caption(fitted, view, until),
        cards=tuple(card for f in fitted for card in cards(f)),
        explain=partial(why, fitted, view),
        doubt=partial(how_sure, fitted, view),
        problems=problems,
        rows=partial(table, fitted),
        sources=sources(fitted),
        options={p.id: f"{p.name} ({p.date.year})" for f in fitted for p in f.curve.points},
    )


def _apart(drawn: Sequence[DrawnCurve]) -> tuple[DrawnCurve, DrawnCurve] | None:
    """The curves of compute and of memory bandwidth, between which the wall stands."""
    found = {one.role: one for one in drawn}
    return (found["compute"], found["bandwidth"]) if {"compute", "bandwidth"} <= set(found) else None


def _series(f: Fitted, *, normalised: bool, chip: str, mine: Point | None) -> DrawnCurve:
    base = _base(f) if normalised else 1.0
    named = tuple(dict.fromkeys([*([chip] if any(p.id == chip for p in f.curve.points) else []), *f.curve.named]))
    return DrawnCurve(
        role=f.curve.role,
        label=_(f.curve.label),
        kind="times" if normalised else f.curve.kind,
        kept=f.kept,
        left_out=f.left_out,
        trend=f.trend,
        rate=rate(f.trend, break_line=True),
        base=base,
        vendor=f.curve.vendor,
        named=named,
        how={p.id: how_known(f.curve, p) for p in f.curve.points},
        origin={p.source: origin(p.source) for p in f.curve.points},
        mine=mine,
    )


def _mine(curve: Curve, view: View, chip: str) -> Point | None:
    """The reader's own machine as a point of `curve`, where its values are those of one device; None for any other chip."""
    if not own_machine.is_own(chip) or (view.gap and curve.claims):  # the published curves are factors of mixed series
        return None
    machine = own_machine.read(chip)
    memory = None if machine.memory_bytes is None else machine.memory_bytes * (1 if curve.kind == "bytes" else 1 / curves.BYTES_PER_PARAMETER_DRAWN)
    value = {
        "peak_compute": machine.fp16_flop_per_s or machine.fp32_flop_per_s, "memory_bandwidth": machine.bytes_per_s, "accelerator_memory": memory,
    }.get(curve.id)  # fmt: skip
    return None if value is None else Point(chip, labelled(_("your machine"), machine.name), machine.measured, value)


def _base(f: Fitted) -> float:
    """What the curve is divided by: its first point, as the authors do; on today's chips the line's own start, for any chip may come first."""
    if f.curve.claims or f.trend is None:
        return f.curve.points[0].value
    return float(f.trend.at(f.trend.first))


def axis(scale: str, kind: str, *, from_line: bool = False) -> str:
    """What the axis of values is called."""
    names = {
        "times": _("Times larger than where the line starts") if from_line else _("Times larger than the first point"),
        "flop": _("Training compute, FLOP"),
        "count": _("Parameters; memory as parameters at 6 bytes each"),
        "bytes": _("Bytes: 16-bit weights, and memory of one device"),
        "flop_per_byte": _("FLOP per byte of memory bandwidth"),
        "flop_per_s": _("Per device: FLOP/s, or bytes per second"),
        "byte_s_per_flop": _("GB of memory per TFLOP/s of peak compute"),
    }
    if scale != "log":
        return names[kind]
    return f"{names[kind]} " + _("(log scale: each line is ×10)")


def _caption(fitted: Sequence[Fitted], view: View, until: date | None) -> str:
    parts = [
        labelled(_(f.curve.label), qualified(f"n = {f.trend.n}", f"R² = {f.trend.r_squared:.2f}", f"{f.trend.first.year}–{f.trend.last.year}"))
        for f in fitted
        if f.trend
    ]
    if parts:
        parts.append(_("bands: 50% and 90% of the fit") if view.band == "fit" else _("bands: where 50% and 90% of new points would fall"))
    parts += [labelled(_(f.curve.label), _("shown, not fitted")) for f in fitted if not f.curve.fitted]
    parts.append(_("open markers: data sheet or inferred"))
    if view.figure == "gap" and view.hold == "published" and fitted and fitted[0].curve.claims:
        lines = [f for f in fitted if f.trend and f.curve.id in ("peak_compute", "memory_bandwidth")]
        parts.append(labelled(_("twenty years by these lines"), listing(units.times(f.trend.multiplier(TWENTY)) for f in lines if f.trend)))
    if view.gap and view.hold == "precision":
        parts.append(_("NVIDIA's flagships at 16 bits, whichever data is chosen"))
    if until:
        parts.append(_("dashed: extrapolated, not measured"))
    return " · ".join(parts)
