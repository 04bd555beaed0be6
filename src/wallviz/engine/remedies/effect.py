"""What each remedy does to a setup, which come first, and what several do one after another.

Savings do not add: every combination is computed anew, in the order in which it was chosen. Which set makes it fit is asked of `engine.advice`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from wallviz.checks import said
from wallviz.engine.advice import price
from wallviz.engine.memory.capacity import holds
from wallviz.engine.remedies.remedy import ALIASES, REMEDIES, Remedy
from wallviz.engine.remedies.setup import Draft, Outcome, Setup, outcome
from wallviz.errors import InputError
from wallviz.i18n import N_

#: A remedy that saves less than this share of the memory and of the time does not matter to the case.
MATTERS = 0.005


@dataclass(frozen=True, slots=True)
class Effect:
    """One remedy on one setup. What cannot be applied has no `after` but a `reason`."""

    remedy: Remedy
    before: Outcome
    after: Outcome | None
    setup: Setup
    """With the remedy; as before where it cannot be applied."""
    gpus_before: int
    reason: str = ""
    """Why there is no `after`, a sentence in the language in use."""

    @property
    def saves_bytes(self) -> float:
        """Per GPU; negative where it takes more."""
        return 0.0 if self.after is None else self.before.bytes - self.after.bytes

    @property
    def saves_s(self) -> float:
        """Per step of training or token; negative where it takes longer."""
        return 0.0 if self.after is None else self.before.time_s - self.after.time_s

    @property
    def time_factor(self) -> float:
        """Time of a step with it over that without."""
        return 1.0 if self.after is None else self.after.time_s / self.before.time_s

    @property
    def time(self) -> float:
        """Time for as many tokens with it over that without, on all GPUs."""
        return 1.0 if self.after is None else self.before.tokens_per_s / self.after.tokens_per_s

    @property
    def work_factor(self) -> float:
        """GPU-seconds of a token with it over those without: more GPUs are a price too."""
        if self.after is None:
            return 1.0
        return (self.after.time_s * self.setup.gpus / self.after.tokens) / (self.before.time_s * self.gpus_before / self.before.tokens)

    @property
    def gpus_factor(self) -> float:
        """GPUs with it over those without."""
        return self.setup.gpus / self.gpus_before

    @property
    def moved_factor(self) -> float:
        """Bytes between chip and memory with it over those without."""
        return 1.0 if self.after is None else self.after.moved_bytes / self.before.moved_bytes

    @property
    def same_line(self) -> bool:
        """The bandwidth line is where it was: true of everything but hardware."""
        return self.remedy.section != "hardware"

    def fits(self, capacity_bytes: float | None) -> bool:
        """It fits with this alone (on hardware: the capacity that it has then)."""
        capacity = self.setup.chip.memory_bytes if self.remedy.section == "hardware" else capacity_bytes
        return self.after is not None and capacity is not None and bool(holds(self.after.bytes, self.after.error_band, capacity))

    def loses(self, losses: Mapping[str, float]) -> float:
        """The share of quality lost, published (`losses`, by remedy) or judged."""
        return price.quality(self.setup, (self.remedy.id,), losses)

    def price(self, losses: Mapping[str, float]) -> tuple[float, ...]:
        """What it costs, what is better first (`advice.price.key`)."""
        return price.key(self.setup.gpus, self.time, self.loses(losses))


def find(name: str) -> Remedy:
    """The remedy that `name` means: its id, a short name, or the beginning of exactly one id, in any case.

    >>> find("Selective").id, find("full").id, find("kv-f").id
    ('selective', 'full-recompute', 'kv-fp8')

    Raises InputError, with those that there are.
    """
    if not isinstance(name, str):
        raise InputError(N_("a remedy is named by text, not by {value}: choose from {choices}"), value=said(name), choices=", ".join(REMEDIES))
    wanted = name.strip().casefold()
    wanted = ALIASES.get(wanted, wanted)
    if wanted in REMEDIES:
        return REMEDIES[wanted]
    beginning = [remedy for id, remedy in REMEDIES.items() if wanted and id.startswith(wanted)]
    if len(beginning) == 1:
        return beginning[0]
    raise InputError(
        N_("no remedy is called “{name}”: choose from {choices}"), name=name[:40], choices=", ".join(r.id for r in beginning) or ", ".join(REMEDIES)
    )


def of_job(job: str) -> tuple[Remedy, ...]:
    """The remedies that go with a job."""
    return tuple(remedy for remedy in REMEDIES.values() if job in remedy.jobs)


@lru_cache(maxsize=4096)
def _try(setup: Setup, id: str) -> Setup | InputError:
    remedy = REMEDIES[id]
    if setup.job not in remedy.jobs:
        return InputError(N_("{name} is for another job: choose from {choices}"), name=id, choices=", ".join(r.id for r in of_job(setup.job)))
    if remedy.change is None:
        return InputError(N_("It changes no step that could be computed: what was published about it, or the whole run, is all there is."))
    try:
        changed = remedy.change(setup)
        if changed == setup:
            return InputError(N_("It is in use already."))
        outcome(changed)
    except InputError as error:
        return error
    return changed


def apply(setup: Setup, remedy: Remedy) -> Setup:
    """The setup with one more remedy; raises InputError where it does not go."""
    found = _try(setup, remedy.id)
    if isinstance(found, InputError):
        raise found
    return found


def effect(setup: Setup, remedy: Remedy, draft: Draft | None = None) -> Effect:
    """What one remedy does to a setup; `draft` is what speculative decoding would use, where it is not the usual one."""
    before = outcome(setup)
    try:
        changed = apply(setup, remedy)
        if draft is not None and setup.draft is None and changed.draft is not None:
            changed = replace(changed, draft=draft)
    except InputError as error:
        return Effect(remedy, before, None, setup, setup.gpus, str(error))
    return Effect(remedy, before, outcome(changed), changed, setup.gpus)


def effects(setup: Setup, draft: Draft | None = None) -> tuple[Effect, ...]:
    """What every remedy of the job does to a setup, each alone."""
    return tuple(effect(setup, remedy, draft) for remedy in of_job(setup.job))


# ---------------------------------------------------------------- which first


def ranked(found: Iterable[Effect], capacity_bytes: float | None, losses: Mapping[str, float], goal: str = "fit") -> tuple[Effect, ...]:
    """Those that matter, the best first by their price; those that train another model last.

    To ``fit``: those that suffice alone first, then by bytes saved. To be ``faster``: without a loss of quality before with one, visible losses
    after all others.
    """
    if goal == "fit":
        matter = [e for e in found if e.saves_bytes > MATTERS * e.before.bytes]

        def key(e: Effect) -> tuple[float, ...]:
            enough = e.fits(capacity_bytes)
            return (e.remedy.retrains, not enough, *(e.price(losses) if enough else (-e.saves_bytes,)))

        return tuple(sorted(matter, key=key))
    matter = [e for e in found if e.saves_s > MATTERS * e.before.time_s]
    return tuple(
        sorted(matter, key=lambda e: (e.remedy.retrains, e.loses(losses) > price.VISIBLE, e.loses(losses) >= price.LOSSLESS, e.price(losses)))
    )


def waterfall(setup: Setup, remedies: Iterable[Remedy], draft: Draft | None = None) -> tuple[Effect, ...]:
    """What several remedies do one after another, in this order; raises InputError, naming the remedy, where one does not go with those before it."""
    found: list[Effect] = []
    current = setup
    for remedy in remedies:
        step = effect(current, remedy, draft)
        if step.after is None:
            raise InputError(N_("{remedy} cannot be applied here: {reason}"), remedy=remedy.id, reason=step.reason)
        found.append(step)
        current = step.setup
    return tuple(found)
