"""What each remedy does to a setup, which come first, the cheapest way to fit, and what several do one after another.

Savings do not add: every combination is computed anew, in the order in which it was chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

from wallviz.checks import said
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
        holds = self.setup.chip.memory_bytes if self.remedy.section == "hardware" else capacity_bytes
        return self.after is not None and holds is not None and self.after.bytes <= holds

    def cost(self, losses: Mapping[str, float]) -> float:
        """Its price as one number, for ranking: more GPU time, more GPUs, and quality, published (`losses`, by remedy) or judged."""
        more_time = max(0.0, self.work_factor - 1.0, self.time_factor - 1.0)
        return more_time + max(0.0, self.gpus_factor - 1.0) + max(0.0, losses.get(self.remedy.id, self.remedy.toll))


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

#: Savings do not add; a set that would leave this many times the memory if they did is not tried.
FAR = 1.5


def ranked(found: Iterable[Effect], capacity_bytes: float | None, losses: Mapping[str, float], goal: str = "fit") -> tuple[Effect, ...]:
    """Those that matter, the best first.

    To ``fit``: those that suffice alone first, the cheapest of them first, then by bytes saved per price paid. To be ``faster``: by time saved,
    the published loss of quality taken off (weighted five to one, judged by us: nobody doubles speed for a fifth of the quality).
    """
    if goal == "fit":
        matter = [e for e in found if e.saves_bytes > MATTERS * e.before.bytes]

        def key(e: Effect) -> tuple[bool, bool, float]:
            cost = e.cost(losses)
            return (e.remedy.retrains, not e.fits(capacity_bytes), cost if e.fits(capacity_bytes) else -e.saves_bytes / (cost + 0.01))

        return tuple(sorted(matter, key=key))
    matter = [e for e in found if e.saves_s > MATTERS * e.before.time_s]
    return tuple(sorted(matter, key=lambda e: (e.remedy.retrains, e.time_factor + 5.0 * max(0.0, losses.get(e.remedy.id, e.remedy.toll)))))


@dataclass(frozen=True, slots=True)
class Way:
    """Remedies that together make it fit, and what they cost."""

    steps: tuple[Effect, ...]
    cost: float

    @property
    def after(self) -> Outcome:
        """What it takes then."""
        last = self.steps[-1].after
        return last if last is not None else self.steps[-1].before

    @property
    def saves_bytes(self) -> float:
        """All steps together."""
        return self.steps[0].before.bytes - self.after.bytes

    @property
    def time_factor(self) -> float:
        """Time of a step with all of them."""
        return self.after.time_s / self.steps[0].before.time_s


def cheapest(setup: Setup, capacity_bytes: float, losses: Mapping[str, float], most: int = 4) -> Way | None:
    """The cheapest remedies of different kinds that make it fit: up to three, else step by step the best by bytes per price; None if nothing does.

    Sets are tried by the sum of what their remedies cost alone, the smallest first, until that sum reaches what a way was found to cost: where
    costs add or grow together, no other set of three is cheaper. Sets whose savings, added, leave it far from fitting are passed over.
    """
    alone = [e for e in ranked(effects(setup), capacity_bytes, losses) if not e.remedy.retrains]
    before = outcome(setup).bytes
    sets = [
        (sum(e.cost(losses) for e in chosen), chosen)
        for size in (1, 2, 3)
        for chosen in combinations(alone, size)
        if len({e.remedy.group for e in chosen}) == size and before - sum(e.saves_bytes for e in chosen) <= FAR * capacity_bytes
    ]
    best: Way | None = None
    for cost, chosen in sorted(sets, key=lambda each: (each[0], len(each[1]))):
        if best is not None and cost >= best.cost:
            break
        try:
            steps = waterfall(setup, [e.remedy for e in chosen])
        except InputError:
            continue
        if steps[-1].fits(capacity_bytes) and (best is None or _way_cost(steps, losses) < best.cost):
            best = Way(steps, _way_cost(steps, losses))
    return best or _greedy(setup, capacity_bytes, losses, most)


def _way_cost(steps: Sequence[Effect], losses: Mapping[str, float]) -> float:
    return sum(step.cost(losses) for step in steps)


def _greedy(setup: Setup, capacity_bytes: float, losses: Mapping[str, float], most: int) -> Way | None:
    steps: list[Effect] = []
    current = setup
    while len(steps) < most:
        used = {step.remedy.group for step in steps}
        open_ = [e for e in ranked(effects(current), capacity_bytes, losses) if not e.remedy.retrains and e.remedy.group not in used]
        if not open_:
            return None
        steps.append(open_[0])
        current = open_[0].setup
        if open_[0].fits(capacity_bytes):
            return _without_idle(setup, steps, capacity_bytes, losses)
    return None


def _without_idle(setup: Setup, steps: list[Effect], capacity_bytes: float, losses: Mapping[str, float]) -> Way:
    """The same way without the steps that it does not need, the dearest left out first."""
    kept = [step.remedy for step in steps]
    for dear in sorted(steps, key=lambda step: -step.cost(losses)):
        fewer = [remedy for remedy in kept if remedy is not dear.remedy]
        try:
            tried = waterfall(setup, fewer) if fewer else ()
        except InputError:
            continue
        if tried and tried[-1].fits(capacity_bytes):
            kept = fewer
    found = waterfall(setup, kept)
    return Way(found, _way_cost(found, losses))


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
