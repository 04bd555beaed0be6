"""What the wires carry for one token, by the way in which the model is served."""

from __future__ import annotations

from wallviz import units
from wallviz.engine.scaleout.decode import Decode
from wallviz.engine.scaleout.phrases import rate
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.curve import (
    chips_said,
)
from wallviz.rooms.scaleout.kinds import KINDS
from wallviz.rooms.scaleout.over_chips import ServingWay, served, ways
from wallviz.rooms.scaleout.serving.figure import answered
from wallviz.rooms.scaleout.wire import one_sends_nothing, wire_bar, wires
from wallviz.units import duration


def answer(case: Job, view: View) -> Answer:
    """Bytes per chip and token as the chips are shared, and by other ways of sharing them."""
    now = served(case, view)
    if now.gpus == 1:
        return one_sends_nothing()
    here = {"tensor_parallel", "pipeline_parallel", "expert_parallel", "replicas"}
    others = [way for way in ways(case, view) if any(way.job.layout[name] == now.gpus for name in here) and way.job.layout != now.job.layout]
    found = [(_("As you split it"), _sent(now.job.step), _note(now.job.step))]
    found += [(_way(way), _sent(way.job.step), _note(way.job.step) + ("" if way.holds else " · " + _("does not fit"))) for way in others]
    most = max((way for way in others if way.holds), key=lambda way: float(way.job.step.tokens_per_s), default=None)
    text = _("A chip sends {sent} a token; {chips} this way: {rate} tokens/s").format(
        sent=units.si(float(now.job.step.sent_bytes), "B"), chips=chips_said(now.gpus), rate=rate(float(now.job.step.tokens_per_s))
    )
    text += (
        _(", as “{way}” {other}.").format(way=_way(most), other=rate(float(most.job.step.tokens_per_s)))
        if most is not None and float(most.job.step.tokens_per_s) > float(now.job.step.tokens_per_s)
        else _(", and no single other way is faster.")
    )
    return answered(
        now,
        sentence=text,
        drawing=wires([wire_bar(*row, here=row is found[0]) for row in found], _("Bytes that one chip sends per token of each sequence")),
        rows=lambda: tuple(
            {
                _("split"): name, _("what"): _(KINDS[kind][0]), _("bytes"): sent, _("note"): note,
            }
            for name, parts, note in found for kind, sent in (parts or {"tensor_parallel": 0.0}).items()
        ),
        caption=_("{chips}, {batch} sequences in each copy").format(chips=chips_said(now.gpus), batch=f"{case.batch:,}"),
    )  # fmt: skip


def _sent(one: Decode) -> dict[str, float]:
    return {kind: float(sent) for kind, sent in one.bytes_on_wire.items() if float(sent)}


def _note(one: Decode) -> str:
    return _("{time} a token, {rate} tokens/s").format(time=duration(float(one.step_s)), rate=rate(float(one.tokens_per_s)))


def _way(way: ServingWay) -> str:
    names = {
        "tensor_parallel": _("Each layer over all (tensor)"),
        "pipeline_parallel": _("Layers in turn (pipeline)"),
        "expert_parallel": _("Experts apart"),
        "replicas": _("A copy on each chip"),
    }
    return next(said for name, said in names.items() if way.job.layout[name] > 1)
