"""What the wires carry: bytes that each chip sends in a step, by the way in which the job is split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from wallviz import units
from wallviz.engine.memory.run import Run
from wallviz.engine.scaleout.fabric import PER_NODE
from wallviz.engine.scaleout.step import TrainingStep, step
from wallviz.errors import InputError
from wallviz.figures.axes import Axis
from wallviz.figures.axes import said as tick
from wallviz.figures.bars import Bar, Segment, bars
from wallviz.figures.style import Drawing
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.scaleout import formula
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.curve import chips_said, doubtful
from wallviz.rooms.scaleout.figure import answered
from wallviz.rooms.scaleout.kinds import EDGE, KINDS
from wallviz.rooms.scaleout.over_chips import Study, study
from wallviz.units import duration

#: Ways to split one model over eight chips, from one chip's view.
_WAYS: tuple[tuple[str, dict[str, object]], ...] = (
    (N_("Data parallel"), {"zero": 0}),
    (N_("Data parallel, weights sharded (ZeRO-3)"), {"zero": 3}),
    (N_("Tensor parallel 8"), {"tensor_parallel": 8}),
    (N_("Pipeline 8"), {"pipeline_parallel": 8}),
    (N_("Context parallel 8"), {"context_parallel": 8, "zero": 0}),
    (N_("Expert parallel 8"), {"expert_parallel": 8, "zero": 0}),
)

_ALONE = {"tensor_parallel": 1, "pipeline_parallel": 1, "virtual_stages": 1, "context_parallel": 1, "expert_parallel": 1, "sequence_parallel": False}


def wire_bar(label: str, sent: Mapping[str, float], note: str, *, here: bool = False) -> Bar:
    """Bytes that a chip sends by kind of parallelism, split in one way."""
    parts = {kind: sent[kind] for kind in KINDS if sent.get(kind)}
    segments = [Segment(size, KINDS[kind][1], EDGE, (label, _(KINDS[kind][0]), units.si(size, "B"))) for kind, size in parts.items()]
    return Bar(label, tuple(segments), note=note, strong=here, said=units.si(sum(parts.values()), "B"))


def wires(rows: Sequence[Bar], name: str) -> Drawing:
    """The bars over each other; linear, because parts add up."""
    fills = {part.fill for row in rows for part in row.segments}
    swatches = [(colour, _(word)) for word, colour in KINDS.values() if colour in fills]
    return bars(rows, Axis(name, tick("bytes"), log=False), swatches=swatches, revision="scaleout-wire")


def one_sends_nothing() -> Answer:
    """Instead of an empty figure: there is no wire."""
    more = Action(_("{n} chips").format(n=PER_NODE), _("A node of them"), {"chips": PER_NODE})
    return Answer("scaleout", _("One chip sends nothing to anybody: choose more of them."), None, actions=(more,))


def answer(case: Job, view: View) -> Answer:
    """Bytes per chip and step as the job is split, and were it split in one other way."""
    now = study(case, view)
    if now.gpus == 1:
        return one_sends_nothing()
    found = [(_("As you split it"), now.job.step)]
    for name, sets in _WAYS:
        one = _split_like(now, sets)
        if one is not None:
            found.append((_(name), one))
    rows = [wire_bar(name, {k: float(v) for k, v in one.bytes_on_wire.items()}, _waits(one), here=not i) for i, (name, one) in enumerate(found)]
    most = max(found, key=lambda pair: float(pair[1].step_s))
    sent = units.si(sum(map(float, now.job.step.bytes_on_wire.values())), "B")
    if len(found) == 1:
        text = _("A chip sends {sent} a step; no other single way divides over {chips}.").format(sent=sent, chips=chips_said(now.gpus))
    elif most is found[0]:
        least = min(found, key=lambda pair: float(pair[1].step_s))
        text = _("A chip sends {sent} a step; split another way (“{way}”) a step takes {times} of the time.").format(
            sent=sent, way=least[0], times=units.percent(float(least[1].step_s / now.job.step.step_s))
        )
    else:
        text = _("A chip sends {sent} a step; split as “{way}” it sends {other} and a step takes {times} as long.").format(
            sent=sent,
            way=most[0],
            other=units.si(sum(map(float, most[1].bytes_on_wire.values())), "B"),
            times=units.times(float(most[1].step_s / now.job.step.step_s)),
        )
    return answered(
        "wire",
        **doubtful(now.job.runs_out),
        sentence=text,
        drawing=wires(rows, _("Bytes that one chip sends per step")),
        rows=partial(_wire_rows, tuple(found)),
        caption=_("{chips}, {batch} sequences of {s} tokens a step").format(
            chips=chips_said(now.gpus), batch=f"{now.job.global_batch:,}", s=f"{case.context:,}"
        ),
        explain=partial(formula.why, now),
    )


def _split_like(now: Study, sets: Mapping[str, object]) -> TrainingStep | None:
    """The job split in one way alone; None where that does not divide."""
    job = now.job
    run: Run = replace(job.step.run, **(_ALONE | {"data_parallel": 1, "accumulation": 1, "micro_batch": now.case.batch} | dict(sets)))  # type: ignore[arg-type]
    unit = int(run.tensor_parallel * run.pipeline_parallel * run.context_parallel)
    if now.gpus % unit:
        return None
    run = replace(run, data_parallel=now.gpus // unit, sequence_parallel=run.tensor_parallel > 1)
    try:
        return step(now.arch, run, now.chip, job.fabric, global_batch=job.global_batch, **job.options)
    except InputError:
        return None


def _waits(one: TrainingStep) -> str:
    return _("{time} a step, {share} computing").format(time=duration(float(one.step_s)), share=units.percent(float(one.efficiency)))


def _wire_rows(found: tuple[tuple[str, TrainingStep], ...]) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("split"): name, _("what"): _(KINDS[kind][0]), _("bytes"): float(sent), _("on the wire (s)"): float(one.wire_s[kind]),
            _("step (s)"): float(one.step_s),
        }
        for name, one in found
        for kind, sent in one.bytes_on_wire.items()
        if float(sent)
    )  # fmt: skip
