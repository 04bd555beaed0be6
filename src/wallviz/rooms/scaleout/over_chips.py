"""One case and one view as numbers: training on so many chips beside three other jobs and the split that fits, or serving over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np

from wallviz.engine.advice.search import Fix
from wallviz.engine.advice.splits import Layout, Search
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.capacity import Verdict
from wallviz.engine.memory.run import Run
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.scaleout import scaling, serving_job, training_job
from wallviz.engine.scaleout.budget import Budget, budget
from wallviz.engine.scaleout.decode import Decode, decode
from wallviz.engine.scaleout.fabric import Fabric, inside_bytes_per_s
from wallviz.engine.scaleout.scaling import ScalingCurve
from wallviz.engine.scaleout.serving_job import ServingOnChips
from wallviz.engine.scaleout.training_job import TrainingOnChips
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.job import Job, changed, sequences_of, serving_options, serving_split, training_run
from wallviz.rooms.advice import changes, fixes
from wallviz.rooms.job import architecture, chip
from wallviz.rooms.scaleout.choices import View, across_links, tokens

#: How much shorter the sequences of the small job are: the same chips with little work each.
SMALL = 16
#: Sequences of a training step that is drawn beside serving.
TRAINED = 256
#: Sequences at once of the busy server that is drawn beside one with fewer.
BUSY = 64


@dataclass(frozen=True)
class Study:
    """A training job on so many chips, and what the same chips do with other work."""

    case: Job
    view: View
    job: TrainingOnChips
    weak: ScalingCurve
    """The same batch per copy, as far as the figure goes: four times the chips, and to where doubling no longer pays."""
    small: ScalingCurve
    """One sequence on each copy at a time and a step, `SMALL` times shorter."""
    decoding: Decode | None
    """One sequence, split over up to as many chips as there are heads; None where the model has none."""

    @property
    def arch(self) -> Architecture:
        """The model."""
        return self.job.arch

    @property
    def chip(self) -> Accelerator:
        """The chip."""
        return self.job.chip

    @property
    def gpus(self) -> int:
        """How many chips."""
        return int(self.job.step.gpus)

    @property
    def start(self) -> int:
        """Chips to compare with: a node where there are more, else one copy of the model."""
        counts = [int(n) for n in self.job.strong.chips if n < self.gpus]
        node = [n for n in counts if n <= self.view.per_node]
        return node[-1] if node and self.gpus > self.view.per_node else counts[0] if counts else self.gpus

    @property
    def tokens_per_chip(self) -> float:
        """Of one step of the small job."""
        run = self.small.steps.run
        return float(run.sequence) / scaling.unit(run)

    @property
    def flop_per_byte(self) -> float | None:
        """FLOP of a chip for each byte that it sends; None where it sends nothing."""
        sent = sum(map(float, self.job.step.bytes_on_wire.values()))
        return float(self.job.step.flop) / sent if sent else None

    @property
    def small_flop_per_byte(self) -> float | None:
        """The same of the small job."""
        at, one = self.small.at(self.gpus), self.small.steps
        if at < 0:
            return None
        sent, flop = (float(np.broadcast_to(value, self.small.chips.shape)[at]) for value in (sum(one.bytes_on_wire.values()), one.flop))
        return flop / sent if sent else None

    @cached_property
    def fix(self) -> Fix | None:
        """What makes it fit, where it does not: the first advice of every room."""
        return fix_of(self.case, self.job.runs_out)

    @cached_property
    def fitting(self) -> TrainingOnChips | None:
        """The same job as that advice has it on as many chips; None where it fits as it is, or more chips are needed."""
        if self.fix is None or self.fix.gpus != self.gpus:
            return None
        return _training(self.case, self.view, self.arch, self.chip, self.fix.setup.run)

    def bill(self, tokens_per_s: Quantity, gpus: Quantity) -> Budget:
        """What the run's tokens take at such a speed."""
        return bill(self.case, self.view, self.chip, tokens_per_s, gpus)


@dataclass(frozen=True)
class Served:
    """Serving over so many chips, beside a busier server and training on the same chips."""

    case: Job
    view: View
    job: ServingOnChips
    busy: ServingOnChips | None
    """`job` with `BUSY` sequences at once; None where the case has as many, or hardly any number of chips holds so many."""
    training: ScalingCurve | None
    """The same model in training, on the same chips; None where it cannot run."""

    @property
    def arch(self) -> Architecture:
        """The model."""
        return self.job.arch

    @property
    def chip(self) -> Accelerator:
        """The chip."""
        return self.job.chip

    @property
    def gpus(self) -> int:
        """How many chips."""
        return int(self.job.step.chips)

    @property
    def start(self) -> int:
        """Chips to compare with: the fewest that hold it, or those of one tensor parallel rank."""
        return self.job.fewest or int(np.atleast_1d(self.job.curve.chips)[0])

    @cached_property
    def fix(self) -> Fix | None:
        """What makes it fit, where it does not: the first advice of every room."""
        return fix_of(self.case, self.job.runs_out)

    @cached_property
    def fitting(self) -> Served | None:
        """The same requests as that advice has them; None where they fit as they are, or nothing does."""
        sets = None if self.fix is None else changes(self.case, self.fix)
        return None if sets is None else served(changed(self.case, **sets), self.view)

    def tokens_per_s(self, n: int) -> float:
        """On `n` chips of the curve."""
        at = np.flatnonzero(np.atleast_1d(self.job.curve.chips) == n)[0]
        return float(np.atleast_1d(self.job.curve.tokens_per_s)[at])

    def bill(self, tokens_per_s: Quantity, gpus: Quantity) -> Budget:
        """What the run's tokens take at such a speed."""
        return bill(self.case, self.view, self.chip, tokens_per_s, gpus)


def fix_of(case: Job, runs_out: Verdict) -> Fix | None:
    """The first advice that makes a job fit; None where it does, or nothing would."""
    found = fixes(case) if runs_out.doubtful else ()
    return found[0] if found and found[0].fits else None


def bill(case: Job, view: View, chip: Accelerator, tokens_per_s: Quantity, gpus: Quantity) -> Budget:
    """What the run's tokens take at such a speed on so many chips."""
    return budget(tokens(case, view), tokens_per_s, gpus, **_prices(view), tdp_w=chip.tdp_w)


def _prices(view: View) -> dict[str, Any]:
    return {"pue": view.pue_percent / 100, "price_per_hour": view.price_cents / 100 if view.price_cents else None}


def fabric_of(chip: Accelerator, view: View) -> Fabric:
    """The links that the view says."""
    inside = view.inside_gb * 1e9 if view.inside_gb else inside_bytes_per_s(chip)
    across = view.across_gb * 1e9 if view.across_gb else across_links()[view.across][1]
    return Fabric(inside, min(across, inside), view.per_node, view.link_percent / 100)  # by its slot a chip leaves its node no faster


def _training(case: Job, view: View, arch: Architecture, chip: Accelerator, run: Run) -> TrainingOnChips:
    options: dict[str, Any] = {
        "overlap": view.overlap,
        "efficiency": view.gemm_percent / 100,
        "global_batch": sequences_of(case),
        "half_square": True,
    }
    return training_job.training(arch, chip, fabric_of(chip, view), run, tokens=tokens(case, view), **options, **_prices(view))


@lru_cache(maxsize=256)
def study(case: Job, view: View) -> Study:
    """Training or fine-tuning as `view` says; raises InputError, one sentence, for what cannot run."""
    arch, card = architecture(case), chip(case)
    found = _training(case, view, arch, card, training_run(case))
    run = found.step.run
    short = max(int(run.context_parallel), case.context // SMALL // int(run.context_parallel) * int(run.context_parallel))
    few = replace(run, sequence=short, accumulation=1, micro_batch=1)
    most = max(4 * int(found.step.gpus), min(2 * found.pays_up_to, int(found.reach.chips[-1])))
    shown = scaling.counts(run, min(most, scaling.MOST_GPUS), int(found.step.gpus))
    weak, small = (scaling.weak(arch, one, card, found.fabric, shown, **found.options) for one in (run, few))
    return Study(case, view, found, weak, small, _decoding(found, case))


def _decoding(found: TrainingOnChips, case: Job) -> Decode | None:
    """Serving one sequence on up to as many chips; None where the model writes nothing, or the chip's bandwidth is not known."""
    heads = min((getattr(block.mixer, "heads", 0) for block, _n in found.arch.groups), default=0)
    most = int(found.strong.chips[-1])
    counts = np.array([2**i for i in range(20) if 2**i <= min(most, max(heads, 1)) and heads % 2**i == 0])
    if not heads or found.chip.memory_bytes_per_s is None or all(layer.encoder for layer in found.arch.layers):
        return None
    return decode(found.arch, found.chip, found.fabric, tensor_parallel=counts, batch=1, context=case.context)


@lru_cache(maxsize=256)
def served(case: Job, view: View) -> Served:
    """Serving as `view` says; raises InputError, one sentence, for what cannot run."""
    arch, card = architecture(case), chip(case)
    fabric, split = fabric_of(card, view), serving_split(case, arch)
    apart = {name: n for name, n in split.items() if name != "tensor_parallel"}
    asked = serving_options(case, arch)
    apart |= {name: asked[name] for name in serving_job.ENGINE}
    options: dict[str, Any] = {"context": case.context, "weights": case.format, "kv": case.kv, **apart}
    found = serving_job.serving(arch, card, fabric, prod(split.values()), batch=case.batch, **options, tokens=tokens(case, view), **_prices(view))
    busy = None if case.batch >= BUSY else serving_job.serving(arch, card, fabric, prod(split.values()), batch=BUSY, **options)
    held = busy if busy is not None and busy.holding.sum() > 1 else None
    return Served(case, view, found, held, _trained(case, view, int(np.atleast_1d(found.curve.chips)[-1])))


def _trained(case: Job, view: View, most: int) -> ScalingCurve | None:
    """Training the same model, a copy on each chip, `TRAINED` sequences a step; None where that cannot run."""
    plain = View(across=view.across, inside_gb=view.inside_gb, across_gb=view.across_gb, per_node=view.per_node, link_percent=view.link_percent)
    try:
        found = study(
            Job(model=case.model, config=case.config, chip=case.chip, job="train", context=case.context, chips=min(most, 256), sequences=TRAINED),
            plain,
        ).job.strong
    except InputError:
        return None
    kept = found.chips <= most
    return found if kept.all() else replace(found, chips=found.chips[kept], steps=_some(found, kept))


def _some(curve: ScalingCurve, kept: np.ndarray[Any, Any]) -> Any:
    """The steps of a curve at some of its chips."""
    one, shape = curve.steps, curve.chips.shape

    def cut(value: Any) -> Any:
        return np.broadcast_to(value, shape)[kept]

    return replace(
        one,
        gpus=cut(one.gpus),
        tokens=cut(one.tokens),
        model_flop=cut(one.model_flop),
        compute_s=cut(one.compute_s),
        wire_s={kind: cut(value) for kind, value in one.wire_s.items()},
        bytes_on_wire={kind: cut(value) for kind, value in one.bytes_on_wire.items()},
        waiting_s=cut(one.waiting_s),
        bubble_s=cut(one.bubble_s),
        bound_s=cut(one.bound_s),
        flop=cut(one.flop),
        moved_bytes=cut(one.moved_bytes),
    )


@lru_cache(maxsize=64)
def best(case: Job, view: View) -> Search:
    """The fastest layouts of a training job that fit."""
    return study(case, view).job.search()


@dataclass(frozen=True, slots=True)
class ServingWay:
    """One way to serve over the chips."""

    job: ServingOnChips

    @property
    def holds(self) -> bool:
        """It fits, the error band included."""
        return not self.job.runs_out.doubtful


@lru_cache(maxsize=64)
def ways(case: Job, view: View) -> tuple[ServingWay, ...]:
    """Every split of the chips in powers of two over tensor (within a node), pipeline and expert ranks and copies.

    Those that fit come first, of these the most tokens per second.
    """
    now = served(case, view)
    found = []
    asked = serving_options(case, now.arch)
    stored: dict[str, Any] = {"context": case.context, "weights": case.format, "kv": case.kv, **{name: asked[name] for name in serving_job.ENGINE}}
    powers = [2**i for i in range(18) if now.gpus % 2**i == 0]
    for p in (n for n in powers if n <= min(len(now.arch.layers), 16)):
        for e in (n for n in powers if now.gpus % (n * p) == 0):
            for t in (n for n in powers if n <= view.per_node and now.gpus % (n * p * e) == 0):
                options: dict[str, Any] = {"pipeline_parallel": p, "expert_parallel": e, "replicas": now.gpus // (t * p * e)}
                try:
                    one = serving_job.serving(now.arch, now.chip, now.job.fabric, now.gpus, batch=case.batch, **stored, **options, beyond=False)
                except InputError:
                    continue
                found.append(ServingWay(one))
    return tuple(sorted(found, key=lambda way: (not way.holds, -float(way.job.step.tokens_per_s))))


def layouts(found: Search) -> tuple[Layout, ...]:
    """The split to choose before the fastest ones."""
    return () if found.chosen is None else (found.chosen, *(one for one in found.best if one != found.chosen))
