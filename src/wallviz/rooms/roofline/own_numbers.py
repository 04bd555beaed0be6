"""The reader's own numbers: a measured rate against the bound, and the batch that a target of time allows."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from wallviz import units
from wallviz.engine.roofline.serving import utilization
from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms.roofline.choices import View
from wallviz.rooms.roofline.job_on_chip import Workload, largest, workload

LIMITS = {"tpot": N_("time per output token"), "memory": N_("memory capacity"), "search": N_("the search, which ends at 65,536")}


def miss(case: Job, view: View) -> str:
    """What the reader's own rate makes of the chip, as a sentence; empty where nothing was typed."""
    if view.reported is None:
        return ""
    try:
        now = workload(case, plain(view))
    except InputError:
        return ""
    used = utilization(now.main, float(view.reported))
    if float(used.of_bound) > 1.02:
        return _("{rate} tokens/s is {times} the bound: the model, the formats or the batch are not those of your measurement.").format(
            rate=units.significant(view.reported), times=units.times(float(used.of_bound))
        )
    return _("{rate} tokens/s is {share} of the bound: {bandwidth} of the bandwidth, {mfu} of the arithmetic (MFU).").format(
        rate=units.significant(view.reported),
        share=units.percent(float(used.of_bound)),
        bandwidth=units.percent(float(used.bandwidth), 1),
        mfu=units.percent(float(used.mfu), 1),
    )


def targets(case: Job, view: View) -> str:
    """The largest batch within the time per token, as a sentence."""
    try:
        now = workload(case, plain(view))
    except InputError:
        return ""
    found = largest(Workload(now.case, view, now.arch, now.chip, now.tensor_parallel, now.steps))
    if found is None:
        return _("A time per output token applies only to serving: switch the job.")
    if not found.batch:
        if not found.by_time:
            return _("Not even one sequence comes within {n} ms a token.").format(n=f"{view.tpot:,}")
        return _("The memory holds not even one sequence of {n} tokens beside the weights.").format(n=f"{case.context:,}")
    step = found.step
    rate = float(step.tokens_per_s) if step is not None else 0.0
    fits = _("any number") if found.by_memory == inf else _("unknown") if found.by_memory is None else f"{int(found.by_memory):,}"
    return _(
        "At most {n} sequences within {ms} ms a token, {rate} tokens/s in all: {limit} is the limit (time alone {time}, memory alone {fits})."
    ).format(
        n=f"{found.batch:,}", ms=f"{view.tpot:,}", rate=units.significant(rate), limit=_(LIMITS[found.limit]), time=f"{found.by_time:,}", fits=fits
    )


def plain(view: View) -> View:
    """A view without what only the drawers ask."""
    return replace(view, reported=None, tpot=View().tpot)
