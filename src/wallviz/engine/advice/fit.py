"""Whether a job fits, how much of it would, on how few GPUs, and what would make it fit or faster: the answer of ``fit``, in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wallviz.engine.advice.fits import largest, needs
from wallviz.engine.advice.search import Advice, Fix
from wallviz.engine.memory.capacity import Verdict, headroom_bytes, holds
from wallviz.engine.memory.peak import train
from wallviz.engine.memory.serve import infer
from wallviz.engine.remedies.setup import Setup
from wallviz.errors import InputError
from wallviz.i18n import N_

LARGEST_BATCH = 1_000_000
LARGEST_CONTEXT = 100_000_000
#: Fields of a split.
TRAINING_SPLIT = ("tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel", "zero")
SERVING_SPLIT = ("tensor_parallel", "pipeline_parallel")


@dataclass(frozen=True)
class Fit:
    """Whether a job fits and what would fit. Everything that fits does with the error band of the estimate added."""

    fits: bool
    runs_out: Verdict
    """Whether it runs out of memory: no, likely or yes."""
    needs_bytes: float
    error_band: float
    capacity_bytes: float
    largest_micro_batch: int | None
    largest_context: int | None
    fewest: Fix | None
    """What changes on the fewest GPUs that hold it, with switches that cost no quality and take at most a third of the time."""
    fewest_gpus_as_set: int | None
    """How many without them: split otherwise, and sharded."""
    goal: str
    """What `fixes` are for: ``fit``, or ``faster`` where it fits."""
    fixes: tuple[Fix, ...]
    """No more GPUs first, then less time, then less quality lost; where fewer GPUs do than there are, that first."""
    reason: str = ""
    """Why something above is None."""

    @property
    def fewest_gpus(self) -> int | None:
        """How many the fewest GPUs are."""
        return None if self.fewest is None else self.fewest.gpus

    @property
    def layout(self) -> Mapping[str, int] | None:
        """How to split it over the fewest GPUs: fields of `Run`, or of serving."""
        return None if self.fewest is None else split_of(self.fewest.setup)

    @property
    def fewest_sets(self) -> Mapping[str, object]:
        """Everything that changes on the fewest GPUs, switches included."""
        return {} if self.fewest is None else self.fewest.sets

    @property
    def headroom_bytes(self) -> float:
        """What is left at the upper end of the error band; negative where it does not fit."""
        return headroom_bytes(self.needs_bytes, self.error_band, self.capacity_bytes)


def fit(setup: Setup, losses: Mapping[str, float] | None = None) -> Fit:
    """What fits the chip of `setup`; `losses` are the published losses of quality by remedy (`published.losses`). Raises InputError for a chip
    of unknown memory."""
    capacity = setup.chip.memory_bytes
    if capacity is None:
        raise InputError(N_("the memory of {chip} is not known: choose another chip"), chip=setup.chip.name)
    advice, now = Advice(setup, losses or {}), needs(setup)
    few, as_set, on_few = advice.fewest, advice.fewest_as_set, None if advice.fits else advice.on_few
    batch, context = largest_batch(setup), largest_context(setup)
    fixes = advice.fixes
    if on_few is not None and on_few.gpus < min((fix.gpus for fix in fixes if fix.fits), default=0):
        fixes = (on_few, *fixes)
    return Fit(
        advice.fits,
        advice.verdict,
        now.bytes,
        now.band,
        capacity,
        batch or None,
        context or None,
        few,
        None if as_set is None else as_set.gpus,
        advice.goal,
        fixes,
        _reason(batch, context, few, as_set),
    )


def split_of(setup: Setup) -> dict[str, int]:
    """How a setup is split, by field; experts where they are."""
    names = (*(SERVING_SPLIT if setup.serves else TRAINING_SPLIT), "expert_parallel")
    ranks = {name: int(setup.option(name, 1) if setup.serves else getattr(setup.run, name)) for name in names}
    return {name: n for name, n in ranks.items() if n > 1 or name != "expert_parallel"}


def largest_batch(setup: Setup, most: int = LARGEST_BATCH) -> int:
    """The largest micro-batch, or batch of serving, that fits; 0 where none does."""
    return largest(lambda n: _fits_with(setup, "batch" if setup.serves else "micro_batch", n), most)


def largest_context(setup: Setup, most: int = LARGEST_CONTEXT) -> int:
    """The longest sequence that fits; 0 where none does."""
    if setup.serves:  # no context is shorter than its prompt and prefix
        shortest = max(int(setup.option("prompt") or 1), int(setup.option("prefix", 0)) + 1)
        return largest(lambda n: _fits_with(setup, "context", np.maximum(n, shortest)), most)
    return largest(lambda n: _fits_with(setup, "sequence", n), most, int(setup.run.context_parallel))


def _fits_with(setup: Setup, name: str, values: Any) -> Any:
    if setup.serves:
        served = infer(setup.arch, **dict(setup.options) | {name: values})
        return holds(served.peak_total_bytes, served.error_band, setup.chip.memory_bytes or 0.0)
    trained = train(setup.arch, setup.run, **{name: values})
    return holds(trained.peak_total_bytes, trained.error_band, setup.chip.memory_bytes or 0.0)


def _reason(batch: int, context: int, few: Fix | None, as_set: Setup | None) -> str:
    """Why something is None."""
    if few is None:
        return N_("No split over up to 65,536 GPUs that was tried holds it.")
    if not batch:
        return N_("Not even one sequence of this length fits on the GPUs that are there.")
    if not context:
        return N_("Not even one token per sequence fits on the GPUs that are there.")
    return "" if as_set is not None else N_("As it is set, no split over up to 65,536 GPUs that was tried holds it.")
