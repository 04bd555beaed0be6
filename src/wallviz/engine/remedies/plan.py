"""One job and everything that can be done about it: what each remedy does, what makes it fit, and what the chosen ones do in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wallviz.checks import said
from wallviz.engine.advice.fits import needs
from wallviz.engine.advice.search import Advice, Fix, changed
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.capacity import holds
from wallviz.engine.memory.jobs import CONTEXT, MOST_GPUS, OPTIONS, RANKS, of_step, on_gpus
from wallviz.engine.memory.run import Run, whole
from wallviz.engine.remedies import checks, search
from wallviz.engine.remedies.effect import Effect, effects, find, ranked, waterfall
from wallviz.engine.remedies.published import GRADES, Published, losses
from wallviz.engine.remedies.remedy import REMEDIES, SECTIONS
from wallviz.engine.remedies.setup import Draft, Outcome, Setup, outcome
from wallviz.engine.scaleout import serving_job
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_, _

#: Trials of a search, and the factor of successive halving, where nothing is said.
TRIALS, ETA = 81, 3


@dataclass(frozen=True)
class WayToFit:
    """Remedies that together make it fit, and what they cost: the first fix of `engine.advice`, remedy by remedy."""

    steps: tuple[Effect, ...]
    fix: Fix

    @property
    def after(self) -> Outcome:
        """What it takes then."""
        return outcome(self.fix.setup)

    @property
    def saves_bytes(self) -> float:
        """All steps together."""
        return self.fix.saves_bytes

    @property
    def time_factor(self) -> float:
        """Time for as many tokens with all of them over that without."""
        return self.fix.time or 1.0


@dataclass(frozen=True)
class Plan:
    """What can be done about `setup`."""

    setup: Setup
    now: Outcome
    capacity_bytes: float | None
    ranked: tuple[Effect, ...]
    """The remedies that matter here, the best first: those that suffice to fit, or, where it fits, those that make it faster."""
    others: tuple[Effect, ...]
    """All others of the job: too little to matter, not applicable (with the reason), or hardware."""
    way: WayToFit | None
    """The first of `fixes` where it does not fit; None where it does, or nothing would."""
    fixes: tuple[Fix, ...]
    """What makes it fit, or, where it fits, faster (`advice.search.Advice.fixes`)."""
    waterfall: tuple[Effect, ...]
    """What the chosen remedies do, one after another."""
    losses: Mapping[str, float]
    """Published loss of quality by remedy, as a share."""
    evidence: Mapping[str, tuple[Published, ...]]
    """Published cases by remedy."""

    @property
    def fits(self) -> bool:
        """It fits as it is."""
        return _holds(self.now, self.capacity_bytes)

    @property
    def goal(self) -> str:
        """``fit`` where it does not; ``faster`` where it does."""
        return "faster" if self.fits else "fit"

    @property
    def every(self) -> tuple[Effect, ...]:
        """All effects, the ranked ones first."""
        return (*self.ranked, *self.others)


def _holds(found: Outcome, capacity_bytes: float | None) -> bool:
    return capacity_bytes is not None and bool(holds(found.bytes, found.error_band, capacity_bytes))


def setup_of(arch: Architecture, chip: Accelerator, job: str, options: Mapping[str, Any], count: int = 1, *, timed: bool = True) -> Setup:
    """The setup that a job's options (`memory.jobs.OPTIONS`) describe on `count` chips. Raises InputError for others, for what cannot run, and,
    where it is to be `timed`, for a chip whose rates are not known."""
    job = said(job)  # an array is no word
    if job not in OPTIONS:
        raise InputError(N_("no job is called {job}: choose from {choices}"), job=job, choices=", ".join(OPTIONS))
    if unknown := next((name for name in options if name not in OPTIONS[job]), None):
        jobs = ", ".join(each for each, names in OPTIONS.items() if unknown in names)
        if jobs:
            raise InputError(N_("{name} is an option of {jobs}, not of {job}: leave it out, or ask about that job"), name=unknown, jobs=jobs, job=job)
        raise InputError(N_("no option is called {name}: choose from {choices}"), name=unknown, choices=", ".join(sorted(OPTIONS[job])))
    checks.chip(chip)
    given = {name: checks.plain(name, value) for name, value in options.items()}
    count = checks.whole_number("count", count, 1, MOST_GPUS)
    if job == "infer":
        served, copies = serving_job.on_gpus(arch, {"context": CONTEXT} | given, count)
        found = Setup(arch, chip, job, replicas=copies).with_options(**served)
    else:
        method: dict[str, Any] = {"method": "lora"} if job == "finetune" else {}
        sequences = given.pop("global_batch", None)
        run = Run(**method | given)
        for name in RANKS:
            whole(name, getattr(run, name), 1, MOST_GPUS)
        run.check(arch)
        run = on_gpus(run, count)
        found = Setup(arch, chip, job, run if sequences is None else of_step(run, sequences))
    (outcome if timed else needs)(found)  # what cannot run is told before anything is done about it
    return found


def plan(
    setup: Setup,
    *,
    apply: Iterable[str] = (),
    published: Mapping[str, tuple[Published, ...]] | None = None,
    draft: Draft | None = None,
    fixes: tuple[Fix, ...] | None = None,
) -> Plan:
    """Everything about one setup; `apply` names remedies in the order in which they are applied, `published` is what `published.every` made
    of the table of evidence, `draft` what speculative decoding would use, `fixes` the advice where it was asked for before. Raises
    InputError for remedies that do not exist or do not go.
    """
    draft = checks.draft(draft)
    now = outcome(setup)
    capacity = setup.chip.memory_bytes
    known = published or {}
    lost = losses(known)
    goal = "faster" if capacity is None or _holds(now, capacity) else "fit"
    found = effects(setup, draft)
    first = tuple(e for e in ranked(found, capacity, lost, goal) if e.remedy.section != "hardware")
    others = tuple(e for e in found if e not in first)
    if fixes is None:
        fixes = () if capacity is None else Advice(setup, lost).fixes
    way = way_of(fixes[0]) if goal == "fit" and fixes and fixes[0].fits else None
    steps = waterfall(setup, [find(name) for name in apply], draft)
    return Plan(setup, now, capacity, first, others, way, fixes, steps, lost, known)


def way_of(fix: Fix) -> WayToFit:
    """A fix as effects one after another; the last ends where it does."""
    steps: list[Effect] = []
    before = fix.before
    for i, id in enumerate(fix.changes):
        after = fix.setup if i == len(fix.changes) - 1 else changed(before, (id,)) or before
        steps.append(Effect(REMEDIES[id], outcome(before), outcome(after), after, before.gpus))
        before = after
    return WayToFit(tuple(steps), fix)


# ---------------------------------------------------------------- as plain dictionaries


def record(found: Plan) -> list[dict[str, Any]]:
    """Every remedy of the job as JSON, those that matter first."""
    return [_effect(e, found) for e in found.every]


def waterfall_record(found: Plan) -> dict[str, Any]:
    """The chosen remedies in their order: what is needed and how long a step takes after each, from what it was before."""
    last = found.waterfall[-1].after if found.waterfall else found.now
    capacity = found.waterfall[-1].setup.chip.memory_bytes if found.waterfall else found.capacity_bytes
    return {
        "before": _outcome(found.now),
        "steps": [{"remedy": e.remedy.id, **_saved(e), "then": _outcome(e.after or e.before)} for e in found.waterfall],
        "after": _outcome(last or found.now),
        "capacity_bytes": None if capacity is None else round(capacity),
        "fits": None if capacity is None or last is None else _holds(last, capacity),
    }


def way_record(found: Plan) -> dict[str, Any] | None:
    """The cheapest way to fit, None where none is needed or known."""
    if found.way is None:
        return None
    return {
        "remedies": list(found.way.fix.changes),
        "saves_bytes": round(found.way.saves_bytes),
        "time_factor": found.way.time_factor,
        "then": _outcome(found.way.after),
    }


def _outcome(of: Outcome) -> dict[str, Any]:
    return {
        "bytes": round(of.bytes),
        "time_s": of.time_s,
        "tokens_per_s": of.tokens_per_s,
        "moved_bytes": round(of.moved_bytes),
        "sent_bytes": round(of.sent_bytes),
        "slot_bytes": round(of.slot_bytes),
    }


def _saved(e: Effect) -> dict[str, Any]:
    if e.after is None:
        return {"saves_bytes": None, "saves_time": None, "time_factor": None, "gpus_factor": None, "moved_factor": None}
    return {
        "saves_bytes": round(e.saves_bytes),
        "saves_time": e.saves_s,
        "time_factor": e.time_factor,
        "gpus_factor": e.gpus_factor,
        "moved_factor": e.moved_factor,
    }


def _effect(e: Effect, found: Plan) -> dict[str, Any]:
    remedy = e.remedy
    said: dict[str, Any] = {
        "remedy": remedy.id,
        "name": _(remedy.name),
        "section": _(SECTIONS[remedy.section]),
        **_saved(e),
        "price": _(remedy.costs),
        "formula": _(remedy.formula),
        "quality": found.losses.get(remedy.id),
        "evidence": [_published(case) for case in found.evidence.get(remedy.id, ())],
        "fits": e.fits(found.capacity_bytes) if e.after is not None else None,
        "fails_when": _(remedy.fails),
        "default_on": _(remedy.default_on) or None,
        "moves_the_bandwidth_line": not e.same_line,
    }
    if remedy.id == "fewer-trials":
        said["saves_share_of_search"] = float(search.saved_share(TRIALS, ETA))
    return said if e.after is not None else said | {"reason": e.reason}


def _published(case: Published) -> dict[str, Any]:
    return {
        "setting": case.setting,
        "saved": case.saved,
        "saved_what": case.saved_what,
        "how_saved": case.how_saved,
        "time": case.time,
        "quality": case.quality,
        "metric": case.metric or None,
        "traffic": case.traffic,
        "failed": case.failed,
        "grade": case.grade,
        "measured_by": _(GRADES[case.grade]),
        "source": case.source,
    }
