"""One case and one view as numbers: the step on so many chips, how it scales beside three other jobs, and the best layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from wallviz import catalog
from wallviz.answers.scaleout.choices import View, across_links, chips
from wallviz.case import Case
from wallviz.footprint import peak
from wallviz.footprint.run import Run
from wallviz.hardware import Accelerator
from wallviz.scaleout import scaling
from wallviz.scaleout.budget import Budget, budget
from wallviz.scaleout.decode import Decode, decode
from wallviz.scaleout.fabric import Fabric, inside_bytes_per_s
from wallviz.scaleout.job import MOST_GPUS, Training, copied
from wallviz.scaleout.layout import Search
from wallviz.scaleout.scaling import Curve
from wallviz.scaleout.step import Step, step
from wallviz.transformer import Architecture

#: How much shorter the sequences of the small job are: the same chips with little work each.
SMALL = 16


@dataclass(frozen=True)
class Study:
    """A training job on so many chips, and what the same chips do with other work."""

    case: Case
    view: View
    job: Training
    small: Curve
    """The batch of each chip as in `job.weak`, sequences `SMALL` times shorter."""
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

    def bill(self, gpus_step: Step) -> Budget:
        """What the run's tokens take at the speed of a step."""
        view = self.view
        price = view.price_cents / 100 if view.price_cents else None
        return budget(
            view.tokens_bn * 1e9, gpus_step.tokens_per_s, gpus_step.gpus, tdp_w=self.chip.tdp_w, pue=view.pue_percent / 100, price_per_hour=price
        )


def run_of(case: Case, view: View) -> Run:
    """One copy of the job."""
    return Run(
        micro_batch=case.batch,
        sequence=case.context,
        precision=view.precision,
        zero=view.zero,
        tensor_parallel=view.tensor_parallel,
        sequence_parallel=view.sequence_parallel,
        pipeline_parallel=view.pipeline_parallel,
        virtual_stages=view.virtual_stages,
        context_parallel=view.context_parallel,
        expert_parallel=view.expert_parallel,
        recompute=view.recompute,
    )


def fabric_of(chip: Accelerator, view: View) -> Fabric:
    """The links that the view says."""
    inside = view.inside_gb * 1e9 if view.inside_gb else inside_bytes_per_s(chip)
    across = view.across_gb * 1e9 if view.across_gb else across_links()[view.across][1]
    return Fabric(inside, across, view.per_node, view.link_percent / 100)


@lru_cache(maxsize=256)
def study(case: Case, view: View) -> Study:
    """The numbers of `case` as `view` says; raises InputError, one sentence, for what cannot run."""
    arch, chip = catalog.architecture(case.model), catalog.chips()[case.chip]
    fabric, gpus = fabric_of(chip, view), chips(case, view)
    options: dict[str, Any] = {"overlap": view.overlap, "efficiency": view.gemm_percent / 100}
    run = copied(run_of(case, view), gpus)
    one = step(arch, run, chip, fabric, global_batch=view.sequences, **options)
    each = scaling.unit(run)
    counts = scaling.counts(run, min(max(4 * gpus, 16 * each), MOST_GPUS), gpus)
    job = Training(
        arch,
        chip,
        fabric,
        view.overlap,
        view.gemm_percent / 100,
        one,
        scaling.strong(arch, run, chip, fabric, counts, view.sequences, **options),
        scaling.weak(arch, one.run, chip, fabric, counts, **options),
        float(peak.train(arch, one.run).peak_total_bytes),
        None,
    )
    short = max(int(run.context_parallel), case.context // SMALL // int(run.context_parallel) * int(run.context_parallel))
    few = replace(one.run, sequence=short, accumulation=1, micro_batch=1)
    small = scaling.weak(arch, few, chip, fabric, counts, **options)
    return Study(case, view, job, small, _decoding(arch, chip, fabric, case, int(counts[-1])))


def _decoding(arch: Architecture, chip: Accelerator, fabric: Fabric, case: Case, most: int) -> Decode | None:
    heads = min((getattr(block.mixer, "heads", 0) for block, _n in arch.groups), default=0)
    counts = np.array([2**i for i in range(20) if 2**i <= min(most, max(heads, 1)) and heads % 2**i == 0])
    if not heads or chip.memory_bytes_per_s is None:
        return None
    return decode(arch, chip, fabric, tensor_parallel=counts, batch=1, context=case.context)


@lru_cache(maxsize=64)
def best(case: Case, view: View) -> Search:
    """The fastest layouts of the job that fit."""
    return study(case, view).job.search()
