"""The operations of a step: time by operation, and as tables."""

from __future__ import annotations

from wallviz import units
from wallviz.figures.axes import Axis
from wallviz.figures.bars import bars, value
from wallviz.figures.style import Drawing
from wallviz.i18n import N_, _
from wallviz.rooms.roofline.job_on_chip import Workload

PHASE_NAMES = {"prefill": N_("Prefill"), "decode": N_("Decode"), "train": N_("Training")}
BOUNDS = {"compute": N_("compute"), "bandwidth": N_("memory bandwidth")}


def by_operation(now: Workload) -> Drawing:
    """Time of each operation of a step as bars."""
    phase = now.view.phase if now.view.phase in now.steps else next(iter(now.steps))
    step = now.steps[phase]
    rows = []
    for timed in step.operations:
        share = float(timed.time_s) / float(step.time_s)
        time = units.si(float(timed.time_s), "s")
        work, moved = units.si(float(timed.operation.flop), "FLOP"), units.si(float(timed.operation.bytes), "B")
        hover = (_("{flop} over {bytes}").format(flop=work, bytes=moved), _("bound by {bound}").format(bound=_(BOUNDS[str(timed.bound)])))
        end = f"{time} · {units.percent(share, 1)}"
        rows.append(value("", _(timed.operation.name), role(str(timed.bound)), 1e3 * float(timed.time_s), end, hover=hover))
    name = _("{phase}: milliseconds of each operation, at least").format(phase=_(PHASE_NAMES[phase]))
    return bars(rows, Axis(name, "{:,.10g}".format, log=False), revision=f"time-{phase}")


def operations_said(now: Workload) -> tuple[dict[str, object], ...]:
    """Every operation of every phase, to read: three digits and a prefix."""
    return tuple(
        {
            _("phase"): _(PHASE_NAMES[phase]),
            _("operation"): _(timed.operation.name),
            _("work"): units.si(float(timed.operation.flop), "FLOP"),
            _("bytes moved"): units.si(float(timed.operation.bytes), "B"),
            "FLOP/B": units.significant(float(timed.operation.intensity)),
            _("time"): units.si(float(timed.time_s), "s"),
            _("share"): units.percent(float(timed.time_s) / float(step.time_s), 1),
            _("bound by"): _(BOUNDS[str(timed.bound)]),
        }
        for phase, step in now.steps.items()
        for timed in step.operations
    )


def operations_table(now: Workload) -> tuple[dict[str, object], ...]:
    """Every operation of every phase."""
    return tuple(
        {
            _("phase"): _(PHASE_NAMES[phase]),
            _("operation"): _(timed.operation.name),
            "FLOP": float(timed.operation.flop),
            _("bytes"): float(timed.operation.bytes),
            "FLOP/B": float(timed.operation.intensity),
            _("seconds"): float(timed.time_s),
            _("share of the time"): float(timed.time_s) / float(step.time_s),
            _("bound by"): _(BOUNDS[str(timed.bound)]),
            _("precision"): timed.operation.precision,
        }
        for phase, step in now.steps.items()
        for timed in step.operations
    )


def role(bound: str) -> str:
    """The role whose colour a bound has."""
    return "compute" if bound == "compute" else "bandwidth"
