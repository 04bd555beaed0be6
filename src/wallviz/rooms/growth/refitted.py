"""One refitted claim as a figure, for notebooks."""

from __future__ import annotations

from wallviz.engine import growth as domain
from wallviz.errors import InputError
from wallviz.figures.style import Figure
from wallviz.i18n import N_, _
from wallviz.rooms.growth.drawn_curve import DrawnCurve, curves_over_time
from wallviz.rooms.growth.over_time import axis
from wallviz.rooms.growth.rates import rate
from wallviz.rooms.growth.table import origin

#: Role and kind of value by the quantity of a claim; hardware series are drawn as factors, as the authors do.
_QUANTITIES = {
    "training_compute": ("compute", "flop"),
    "parameters": ("compute", "count"),
    "accelerator_memory": ("memory", "bytes"),
    "peak_compute": ("compute", "times"),
    "memory_bandwidth": ("bandwidth", "times"),
    "interconnect_bandwidth": ("network", "times"),
}


def refit_figure(fitted: domain.Refit, *, log: bool = True) -> Figure:
    """One refitted claim as a figure; raises `InputError` where the claim has no points."""
    claim = fitted.claim
    if not claim.points:
        raise InputError(N_("{claim} has no points to draw: {reason}"), claim=claim.id, reason=_(claim.no_points_reason))
    role, kind = _QUANTITIES.get(claim.quantity, ("compute", "times"))
    normalised = kind == "times"
    kept = {p.id for p in fitted.points}
    series = DrawnCurve(
        role=role,
        label=_(claim.what),
        kind=kind,
        kept=fitted.points,
        left_out=tuple(p for p in claim.points if p.id not in kept),
        trend=fitted.trend,
        rate=rate(fitted.trend, break_line=True),
        base=claim.points[0].value if normalised else 1.0,
        named=tuple(p.id for p in claim.points),
        how={p.id: _(p.note) for p in claim.points},
        origin={p.source: origin(p.source) for p in claim.points},
    )
    drawing = curves_over_time([series], name=axis("log" if log else "linear", kind), kind=kind, log=log, revision=claim.id)
    return drawing.figure()
