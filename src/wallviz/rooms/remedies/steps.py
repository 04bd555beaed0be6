"""The steps of a case: its plan, and the remedies that are drawn one after another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from wallviz.engine.remedies.effect import Effect, find, waterfall
from wallviz.engine.remedies.plan import Plan, plan, way_of
from wallviz.engine.remedies.remedy import Remedy
from wallviz.errors import InputError
from wallviz.i18n import _, labelled
from wallviz.job import Job
from wallviz.rooms.advice import fixes, known, setup
from wallviz.rooms.remedies.choices import View, draft


@lru_cache(maxsize=256)
def planned(case: Job, view: View) -> Plan:
    """Everything about a case but what was chosen to be applied; raises InputError for what cannot run."""
    return plan(setup(case), published=known(), draft=draft(view), fixes=fixes(case))


def plain(view: View) -> View:
    """Without what does not change the plan."""
    return replace(
        view, apply=(), show="memory", order="chosen", every=False, figure="waterfall", trials=81, eta=3, median=-22, spread=4, scale=0, critical=4000
    )


@dataclass(frozen=True)
class Chosen:
    """The steps that are drawn: those that were chosen, or as long as nothing was, those that are proposed."""

    steps: tuple[Effect, ...]
    proposed: bool
    problems: tuple[str, ...] = ()


def chosen_steps(found: Plan, view: View) -> Chosen:
    """What `view` applies, one after another, and what of it cannot be applied; what is proposed where it applies nothing."""
    if not view.apply:
        way = found.way or (way_of(found.fixes[0]) if found.fixes else None)
        return Chosen(way.steps if way is not None else found.ranked[:1], proposed=True)
    remedies: list[Remedy] = []
    problems: list[str] = []
    for name in view.apply:
        try:
            remedy = find(name)
        except InputError as error:
            problems.append(str(error))
            continue
        if remedy.figure:
            why = _("published, not computed: its cases stand in a figure") if remedy.figure == "plane" else _("it changes the whole run, not a step")
            problems.append(labelled(_(remedy.name), why))
        else:
            for old in [one for one in remedies if one.group == remedy.group]:  # two formats of the same weights, two stages of ZeRO
                problems.append(_("{new} takes the place of {old}: both change the same thing.").format(new=_(remedy.name), old=_(old.name)))
                remedies.remove(old)
            remedies.append(remedy)
    if view.order != "chosen":
        alone = {e.remedy.id: e for e in found.every}

        def worth(remedy: Remedy) -> tuple[float, ...]:
            effect = alone.get(remedy.id)
            return () if effect is None else (-effect.saves_bytes,) if view.order == "largest" else effect.price(found.losses)

        remedies.sort(key=worth)
    done: tuple[Effect, ...] = ()
    for remedy in remedies:
        try:
            done = (*done, *waterfall(done[-1].setup if done else found.setup, [remedy], draft(view)))
        except InputError as error:
            problems.append(str(error))
    return Chosen(done, proposed=False, problems=tuple(problems))


def capacity_bytes(found: Plan, chosen: Chosen) -> float | None:
    """What the chip holds after the steps; None where no source says."""
    return chosen.steps[-1].setup.chip.memory_bytes if chosen.steps else found.capacity_bytes
