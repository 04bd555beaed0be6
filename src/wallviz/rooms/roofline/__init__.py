"""The roofline page's answers: what holds a workload back on a chip, and the evidence around it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from math import ceil

from wallviz import units
from wallviz.engine.memory import quantization
from wallviz.engine.memory.capacity import Verdict
from wallviz.errors import InputError
from wallviz.i18n import _, language
from wallviz.job import Job
from wallviz.machine import own as own_machine
from wallviz.rooms import Action, Answer
from wallviz.rooms.bound import tokens_per_s, too_small
from wallviz.rooms.footprint.need import estimate
from wallviz.rooms.roofline import certainty, export, formula, further, kv_share
from wallviz.rooms.roofline.certainty import measured_here
from wallviz.rooms.roofline.choices import View, chips, groups, moves, roofs
from wallviz.rooms.roofline.job_on_chip import Workload, first_prompt, held_bytes, holders, most_sequences, workload
from wallviz.rooms.roofline.own_numbers import miss, targets
from wallviz.rooms.roofline.time_by_operation import PHASE_NAMES, operations_said, operations_table
from wallviz.rooms.roofline.under_roofs import drawn

__all__ = ["View", "answer", "chips", "document", "groups", "measured_here", "miss", "moves", "operations", "pressed", "roofs", "targets", "workload"]

SOURCES = ("williams_2009_roofline", "kim_2023", "scaling_book")


def answer(case: Job, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, _only_what_counts(view), language())


def _only_what_counts(view: View) -> View:
    """Without what the first view does not show."""
    return replace(view, reported=None, tpot=View().tpot)


@lru_cache(maxsize=512)
def _answer(case: Job, view: View, _language: str) -> Answer:
    if view.show in further.FIGURES and view.show != "kv":
        return replace(further.answer(case, view), actions=(_back(),))
    try:
        now = workload(case, view)
        if view.show == "kv":
            return replace(kv_share.kv_share(now), actions=(_back(),))
        drawing, rows = drawn(now)
    except InputError as error:
        return Answer("roofline", str(error), None, sure=_("cannot run"), trust="red", actions=_ways_out(case, view))
    sure, trust = _badge(now)
    return Answer(
        name="roofline",
        sentence=sentence(now),
        drawing=drawing,
        sure=sure,
        trust=trust,
        caption=_caption(now),
        actions=_actions(now),
        facts={"bound_tokens_per_s": tokens_per_s(case, now.main)},
        explain=partial(formula.why, now),
        doubt=partial(certainty.how_sure, now),
        problems=_problems(now),
        rows=rows,
        sources=tuple(dict.fromkeys([*SOURCES, *certainty.measured_sources(now), *(s for s in now.chip.source.split(";") if s)])),
    ).with_spec()


def _back() -> Action:
    return Action(_("Back to the roof"), _("Your own case under its chip's roof"), {"show": "roofline"})


def _ways_out(case: Job, view: View) -> tuple[Action, ...]:
    if case.tensor_parallel != 1:
        return (Action(_("Set the parallelism back to 1"), _("Tensor parallel"), {"tensor_parallel": 1}),)
    return (Action(_("Use an H100"), _("A chip whose bandwidth and peak are known"), {"chip": Job().chip}),) if case.chip != Job().chip else ()


# ---------------------------------------------------------------- the takeaway


def sentence(now: Workload) -> str:
    """What holds the work back, with its numbers: at most 25 words."""
    if now.view.show == "time":
        return _longest(now)
    step = now.main
    said = {
        "batch": f"{now.case.batch:,}",
        "has": units.significant(float(step.arithmetic_intensity)),
        "chip": now.name,
        "needs": units.significant(step.ridge),
        "rate": units.significant(tokens_per_s(now.case, step)),
    }
    bandwidth = str(step.bound) == "bandwidth"
    said["rate"] = (_("{rate} tokens/s per chip") if step.phase == "train" and now.case.chips > 1 else _("{rate} tokens/s")).format(**said)
    named = {
        "decode": _("Decode at batch {batch} does {has} FLOP per byte, {chip} needs {needs}"),
        "train": _("Training at batch {batch} does {has} FLOP per byte, {chip} needs {needs}"),
    }.get(step.phase, _("Reading at batch {batch} does {has} FLOP per byte, {chip} needs {needs}"))
    if bandwidth == (step.arithmetic_intensity < step.ridge):
        template = (
            _("{step}: at most {rate}, whatever its FLOP/s.")
            if bandwidth and step.phase == "decode"
            else _("{step}: memory sets the pace, at most {rate}.")
            if bandwidth
            else _("{step}: arithmetic sets the pace, at most {rate}.")
        )
    else:  # operations differ: those that take most of the time stand on the other side of the ridge than their mean
        template = _("{step}, but memory takes longest: at most {rate}.") if bandwidth else _("{step}, but arithmetic takes longest: at most {rate}.")
    return template.format(step=named.format(**said), **said)


def _longest(now: Workload) -> str:
    """Which operation takes most of the step whose bars are drawn."""
    phase = now.view.phase if now.view.phase in now.steps else next(iter(now.steps))
    step = now.steps[phase]
    most = max(step.operations, key=lambda timed: float(timed.time_s))
    template = (
        _("{operation} takes {share} of the {whole} that {phase} needs at least, and waits for memory.")
        if str(most.bound) == "bandwidth"
        else _("{operation} takes {share} of the {whole} that {phase} needs at least, and arithmetic is its limit.")
    )
    return template.format(
        operation=_(most.operation.name),
        share=units.percent(float(most.time_s) / float(step.time_s)),
        whole=units.duration(float(step.time_s)),
        phase=_(PHASE_NAMES[phase]).lower(),
    )


def _caption(now: Workload) -> str:
    found = []
    if "prefill" in now.steps:
        one = first_prompt(now)
        template = _("prompt of {n} tokens in {time} at least")
        found.append(template.format(n=f"{now.case.prompt or now.case.context:,}", time=units.duration(float(one.time_s))))
        if now.case.batch > 1:
            every = units.duration(float(now.steps["prefill"].time_s))
            found.append(_("all {n} prompts in {time}").format(n=f"{now.case.batch:,}", time=every))
    if "decode" in now.steps:
        found.append(_("each further token {time} at least").format(time=units.duration(float(now.steps["decode"].time_s))))
    if "train" in now.steps:
        found.append(_("forward and backward {time} at least").format(time=units.duration(float(now.steps["train"].time_s))))
        if now.case.chips > 1:
            found.append(_("drawn: one of {n} chips, each with a batch of its own, links left out").format(n=f"{now.case.chips:,}"))
    if now.tensor_parallel > 1:
        found.append(_("each layer over {n} GPUs, their links left out").format(n=f"{now.tensor_parallel:,}"))
    found.append(_("open: computed, filled: measured"))
    return " · ".join(found)


def _badge(now: Workload) -> tuple[str, str]:
    runs_out = verdict(now)
    if runs_out.doubtful:
        return (_("does not fit"), "red") if runs_out == "yes" else (_("may not fit"), "orange")
    if own_machine.is_own(now.chip.id):
        return _("as good as the measurement"), "orange"
    if now.least:
        return _("a bound: never faster"), "green"
    return _("counted as chosen: no strict bound"), "orange"


def verdict(now: Workload) -> Verdict:
    """Whether the job runs out of memory, as the footprint page has it."""
    return estimate(now.case).verdict


def _problems(now: Workload) -> tuple[str, ...]:
    found = [_(note) for note in now.main.notes]
    if now.weights_bytes > held_bytes(now):
        found.append(
            _("These weights need {need}; the memory of {n} × {chip} is {have}: shown as if they fit.").format(
                need=units.si(now.weights_bytes, "B", 4), n=f"{holders(now):,}", chip=now.name, have=units.si(held_bytes(now), "B", 4)
            )
        )
    elif "decode" in now.steps and now.case.batch > (most := most_sequences(now)):
        template = (
            _("Beside the weights {n} × {chip} can hold the cache of {most} such sequences, not of {batch}: shown as if they could.")
            if most >= 1
            else _("Beside the weights {n} × {chip} cannot hold even one such sequence: shown as if they could.")
        )
        found.append(template.format(n=f"{holders(now):,}", chip=now.name, most=f"{int(most):,}", batch=f"{now.case.batch:,}"))
    elif verdict(now).doubtful:
        found.append(too_small(estimate(now.case)))
    return tuple(found)


def _actions(now: Workload) -> tuple[Action, ...]:
    """Changes that move the point: the batch at which weights turn, fewer bits, a longer context."""
    if "decode" not in now.steps:
        return ()
    step = now.steps["decode"]
    found = []
    turn, most = ceil(step.critical_batch), most_sequences(now)
    if most < min(turn, 65_536) and 1 <= most != now.case.batch:
        there = _rate(replace(now.case, batch=int(most)), now.view)
        found.append(
            Action(
                _("Batch {n}").format(n=f"{int(most):,}"),
                _("The largest batch whose cache fits (compute-bound from {turn}): {there}.").format(turn=f"{turn:,}", there=there),
                {"batch": int(most)},
            )
        )
    elif now.case.batch < turn <= 65_536 and most >= turn:
        there = _rate(replace(now.case, batch=turn), now.view)
        found.append(
            Action(
                _("Batch {n}").format(n=f"{turn:,}"),
                _("From here the matrix products are bound by arithmetic; the KV cache is not. Then {there}.").format(there=there),
                {"batch": turn},
            )
        )
    if quantization.weights_bytes(now.arch, now.case.format) > quantization.weights_bytes(now.arch, "nf4"):
        there = _rate(replace(now.case, format="nf4"), now.view)
        found.append(
            Action(
                _("Weights in 4 bits"), _("Fewer bytes a token; arithmetic stays in 16 bits. Then {there}.").format(there=there), {"format": "nf4"}
            )
        )
    if now.case.context < 131_072:
        there = _rate(replace(now.case, context=131_072), now.view)
        found.append(Action(_("Context 131,072"), _("The KV cache takes over. Then {there}.").format(there=there), {"context": 131_072}))
    return tuple(found)


def _rate(case: Job, view: View) -> str:
    try:
        there = workload(case, view)
    except InputError as error:
        return str(error)
    template = _("at most {rate} tokens/s, if it fitted") if verdict(there).doubtful else _("at most {rate} tokens/s")
    return template.format(rate=units.significant(tokens_per_s(case, there.main)))


# ---------------------------------------------------------------- the drawers


def operations(case: Job, view: View, *, exact: bool = False) -> tuple[dict[str, object], ...]:
    """Every operation of every phase: FLOP, bytes, intensity, time, share, bound; to read, or `exact` to compute with."""
    try:
        return (operations_table if exact else operations_said)(workload(case, _only_what_counts(view)))
    except InputError:
        return ()


def pressed(point: str) -> dict[str, object]:
    """A point of the figure as the parameters that it stands for: an operation opens the bars of its phase.

    >>> pressed("decode/mlp"), pressed("gemm-time/001")
    ({'show': 'time', 'phase': 'decode'}, {})
    """
    phase, slash, _operation = point.partition("/")
    return {"show": "time", "phase": phase} if slash and phase in ("decode", "prefill") else {}


def document(case: Job, view: View) -> str:
    """Every number of the page as JSON."""
    return export.document(case, view)
