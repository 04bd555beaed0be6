"""The remedies page's answers: what can be done about a job that does not fit or is too slow, what it costs, who measured it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

from wallviz import catalog
from wallviz.engine.remedies.effect import find
from wallviz.engine.remedies.plan import Plan
from wallviz.engine.remedies.remedy import Remedy
from wallviz.errors import InputError
from wallviz.i18n import _, labelled, language
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.advice import changes
from wallviz.rooms.remedies import certainty, formula, takeaway, waterfall
from wallviz.rooms.remedies.certainty import evidence_rows
from wallviz.rooms.remedies.choices import OF_THE_JOB, View, groups
from wallviz.rooms.remedies.offer import RemedyCard, cards, every, offered
from wallviz.rooms.remedies.steps import capacity_bytes, chosen_steps, plain, planned

__all__ = ["OF_THE_JOB", "RemedyCard", "View", "answer", "cards", "every", "evidence_rows", "groups", "offered"]

SOURCES = {
    "train": ("zero_2020", "korthikanti_2022", "chen_2016", "flash_attention_2022", "fp8_lm_2023"),
    "finetune": ("zero_2020", "korthikanti_2022", "chen_2016", "qlora_2023"),
    "infer": ("llama_cpp", "awq_2023", "sparsegpt_2023", "wanda_2023", "kivi_2024", "gear_2024", "gqa_2023", "leviathan_2022", "gpt_fast"),
}


def answer(case: Job, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, replace(view, figure="waterfall"), language())


@lru_cache(maxsize=512)
def _answer(case: Job, view: View, _language: str) -> Answer:
    try:
        found = planned(case, plain(view))
    except InputError as error:
        return Answer("remedies", str(error), None, sure=_("cannot run"), trust="red")
    chosen = chosen_steps(found, view)
    last = chosen.steps[-1].after if chosen.steps and not chosen.proposed else found.now
    holds = capacity_bytes(found, chosen) if not chosen.proposed else found.capacity_bytes
    trust, verdict = (
        ("gray", _("capacity unknown"))
        if holds is None
        else ("green", _("fits"))
        if (last or found.now).bytes * (1.0 + (last or found.now).error_band) <= holds
        else ("orange", _("may not fit"))
        if (last or found.now).bytes <= holds
        else ("red", _("does not fit"))
    )
    return Answer(
        name="remedies",
        sentence=takeaway.sentence(found, chosen),
        drawing=waterfall.drawn(found, chosen, view, f"{view.show}-{case.job}"),
        sure=verdict,
        trust=trust,
        caption=takeaway.caption(found, chosen),
        actions=_actions(case, found, view),
        advice=found.fixes[0].changes if found.fixes else (),
        facts={"bytes": found.now.bytes, "tokens_per_s": found.now.tokens_per_s},
        explain=partial(formula.why, found, chosen),
        doubt=partial(certainty.how_sure, found),
        problems=chosen.problems,
        rows=partial(waterfall.rows, found, chosen),
        sources=tuple(source for source in SOURCES[case.job] if source in catalog.sources()),
    ).with_spec()


def _actions(case: Job, found: Plan, view: View) -> tuple[Action, ...]:
    made = []
    if found.way is not None:
        ids = tuple(step.remedy.id for step in found.way.steps)
        if ids != view.apply:
            made.append(
                Action(
                    labelled(_("Apply the cheapest way"), takeaway.joined(found.way.steps)),
                    _("Chooses these remedies"),
                    {"apply": ids, "order": "chosen"},
                    enough=True,
                )
            )
        if (sets := changes(case, found.way.fix)) is not None:
            made.append(Action(_("Run it so"), _("Changes your case: every page follows"), {**sets, "apply": ()}))
    for remedy in _with_figures(view):
        made.append(Action(labelled(_("Its figure"), _(remedy.name)), _(remedy.formula), {"figure": remedy.figure}))
    if view.apply:
        made.append(Action(_("Start again"), _("Takes every remedy off"), {"apply": ()}))
        if len(view.apply) > 1 and view.order == "chosen":
            moved = (*view.apply[1:], view.apply[0])
            made.append(Action(_("Move the first to the end"), _("The order matters: savings do not add"), {"apply": moved}))
    return tuple(made)


def _with_figures(view: View) -> list[Remedy]:
    """The chosen remedies that change no step, but the whole run: a figure shows them."""
    found = []
    for name in view.apply:
        try:
            remedy = find(name)
        except InputError:
            continue
        found += [remedy] if remedy.figure else []
    return found
