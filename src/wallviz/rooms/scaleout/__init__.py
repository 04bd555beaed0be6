"""The scale-out page's answers: how many chips still help, what they send, what was measured, and what a run costs."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from wallviz import units
from wallviz.engine.scaleout.phrases import rate
from wallviz.errors import InputError
from wallviz.i18n import _, language
from wallviz.job import SETTINGS, Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.job import words
from wallviz.rooms.scaleout import bill, certainty, curve, export, fewest, frontier, published, rules, serving, sweeps, wire
from wallviz.rooms.scaleout.choices import OF_THE_JOB, View, chip_options, crosses, groups, sequence_options
from wallviz.rooms.scaleout.over_chips import best, layouts, served, study, ways
from wallviz.units import duration

__all__ = ["OF_THE_JOB", "View", "answer", "best_layouts", "chip_options", "crosses", "document", "evidence_table", "groups", "sequence_options"]

_ANSWERS = {
    "curve": curve.answer,
    "wire": wire.answer,
    "frontier": frontier.answer,
    "sweeps": sweeps.answer,
    "published": published.answer,
    "bill": bill.answer,
    "rules": rules.answer,
    "fewest": fewest.answer,
}
#: The same for serving, where the job makes a difference.
_SERVING = {"curve": serving.curve.answer, "wire": serving.wire.answer, "frontier": serving.frontier.answer, "bill": serving.bill.answer}
evidence_table = certainty.table


def answer(case: Job, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, view, language())


@lru_cache(maxsize=512)
def _answer(case: Job, view: View, _language: str) -> Answer:
    try:
        return (_ANSWERS | (_SERVING if case.job == "infer" else {}))[view.show](case, view).with_spec()
    except InputError as error:
        return Answer("scaleout", str(error), None, sure=_("cannot run"), trust="red", actions=_ways_out(case, view))


#: Parallelism beside copies of the model.
SPLITS = ("tensor_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel", "replicas")


def _ways_out(case: Job, view: View) -> tuple[Action, ...]:
    """Changes after which the job can run, at most three, the mildest first."""
    gpus = case.chips
    alone: dict[str, Any] = {name: SETTINGS[name].default for name in SPLITS}
    asked: list[tuple[str, str, dict[str, Any]]] = []
    if case.sequences and (shared := gpus // case.sequences) > 1:
        more = _("{n} sequences a step").format(n=f"{gpus:,}")
        asked.append((more, _("One for each chip: a larger batch"), {"sequences": gpus}))
        split = _("Split each sequence over {n} chips").format(n=f"{shared:,}")
        asked.append((split, _("Context parallelism: the same batch on more chips"), {"context_parallel": shared * case.context_parallel}))
    asked += [
        (_("Set the parallelism back to 1"), _("Tensor, pipeline, context and expert parallelism"), alone),
        (_("64 chips, one copy on each"), _("With 256 sequences a step"), alone | {"chips": 64, "sequences": 256}),
        (_("Join them by PCIe 4"), _("32 GB/s of one direction and chip inside a node"), {"inside_gb": 32}),
        (_("On H100 instead"), _("The chip of the case"), {"chip": "h100-sxm5"}),
    ]
    return tuple(Action(label, help, sets) for label, help, sets in asked if _runs(case, view, sets))[:3]


def _runs(case: Job, view: View, sets: dict[str, Any]) -> bool:
    try:
        (served if case.job == "infer" else study)(
            replace(case, **{name: value for name, value in sets.items() if hasattr(case, name)}),
            replace(view, **{name: value for name, value in sets.items() if hasattr(view, name)}),
        )
    except InputError:
        return False
    return True


def best_layouts(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """The split to choose and the fastest that fit, as rows; empty where none does or the job cannot run."""
    try:
        return _serving_layouts(case, view) if case.job == "infer" else _training_layouts(case, view)
    except InputError:
        return ()


def _training_layouts(case: Job, view: View) -> tuple[dict[str, object], ...]:
    found = best(case, view)
    return tuple(
        {
            _("choice"): _("simplest within 2%") if one == found.chosen else _("fastest") if one == found.best[0] else "",
            _("tensor"): one.run.tensor_parallel,
            _("pipeline"): one.run.pipeline_parallel,
            _("chunks"): one.run.virtual_stages,
            _("context"): one.run.context_parallel,
            _("expert"): one.run.expert_parallel,
            _("data"): one.run.data_parallel,
            "ZeRO": one.run.zero,
            _("micro-batch"): one.run.micro_batch,
            _("recompute"): words("recompute")[one.run.recompute],
            _("step (s)"): one.step_s,
            _("computing"): units.percent(one.efficiency),
            "GiB": one.peak_bytes / 2**30,
        }
        for one in layouts(found)
    )


def _serving_layouts(case: Job, view: View) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("tensor"): way.job.layout["tensor_parallel"],
            _("pipeline"): way.job.layout["pipeline_parallel"],
            _("expert"): way.job.layout["expert_parallel"],
            _("copies"): way.job.layout["replicas"],
            _("sequences"): round(float(way.job.step.batch)),
            _("tokens/s"): rate(float(way.job.step.tokens_per_s)),
            _("tokens/s per chip"): rate(float(way.job.step.tokens_per_s_and_chip)),
            _("time per token"): duration(float(way.job.step.step_s)),
            "GiB": way.job.peak_bytes / 2**30,
        }
        for way in ways(case, view)[:8]
        if way.holds
    )


def document(case: Job, view: View) -> str:
    """Every number of the page as JSON."""
    return export.document(case, view, answer(case, view))
