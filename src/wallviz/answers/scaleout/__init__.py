"""The scale-out page's answers: how many chips still help, what they send, what was measured, and what a run costs."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from wallviz.answers import Action, Answer
from wallviz.answers.scaleout import curve, doubt, others
from wallviz.answers.scaleout.choices import PARAMS, View, chips, gpu_options, groups, words
from wallviz.answers.scaleout.study import best, study
from wallviz.case import Case
from wallviz.errors import InputError
from wallviz.i18n import _, language

__all__ = ["PARAMS", "View", "answer", "best_layouts", "evidence_table", "gpu_options", "groups", "words"]

_ANSWERS = {
    "curve": curve.answer,
    "wire": others.wire,
    "frontier": others.against,
    "sweeps": others.sweeps,
    "published": others.published,
    "bill": others.bill,
    "rules": others.rules_of,
    "fewest": others.fewest,
}
evidence_table = doubt.table


def answer(case: Case, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, view, language())


@lru_cache(maxsize=512)
def _answer(case: Case, view: View, _language: str) -> Answer:
    try:
        return _ANSWERS[view.show](case, view).with_spec()
    except InputError as error:
        return Answer("scaleout", str(error), None, sure=_("cannot run"), trust="red", actions=_ways_out(case, view))


#: Parallelism beside copies of the model.
SPLITS = ("tensor_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel")


def _ways_out(case: Case, view: View) -> tuple[Action, ...]:
    """Changes after which the job can run, at most three, the mildest first."""
    gpus = chips(case, view)
    alone: dict[str, Any] = dict.fromkeys(SPLITS, 1)
    asked: list[tuple[str, str, dict[str, Any]]] = []
    if (shared := gpus // view.sequences) > 1:
        more = _("{n} sequences a step").format(n=f"{gpus:,}")
        asked.append((more, _("One for each chip: a larger batch"), {"sequences": gpus}))
        split = _("Split each sequence over {n} chips").format(n=f"{shared:,}")
        asked.append((split, _("Context parallelism: the same batch on more chips"), {"context_parallel": shared * view.context_parallel}))
    asked += [
        (_("Set the parallelism back to 1"), _("Tensor, pipeline, context and expert parallelism"), alone),
        (_("64 chips, one copy on each"), _("With 256 sequences a step"), alone | {"gpus": 64, "sequences": 256}),
        (_("Join them by PCIe 4"), _("32 GB/s of one direction and chip inside a node"), {"inside_gb": 32}),
        (_("On H100 instead"), _("The chip of the case"), {"chip": "h100-sxm5"}),
    ]
    return tuple(Action(label, help, sets) for label, help, sets in asked if _runs(case, view, sets))[:3]


def _runs(case: Case, view: View, sets: dict[str, Any]) -> bool:
    try:
        study(
            replace(case, **{name: value for name, value in sets.items() if hasattr(case, name)}),
            replace(view, **{name: value for name, value in sets.items() if hasattr(view, name)}),
        )
    except InputError:
        return False
    return True


def best_layouts(case: Case, view: View) -> tuple[dict[str, object], ...]:
    """The fastest splits that fit, as rows; empty where none does or the job cannot run."""
    try:
        found = best(case, view)
    except InputError:
        return ()
    return tuple(
        {
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
            _("computing"): f"{one.efficiency:.0%}",
            "GiB": one.peak_bytes / 2**30,
        }
        for one in found.best
    )
