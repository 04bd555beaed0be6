"""One case and one view as numbers: what one GPU needs, by part, against what it holds, and what would make it fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from wallviz.engine.advice import fit
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.capacity import Verdict, verdict
from wallviz.engine.memory.peak import PHASES, Training, train
from wallviz.engine.memory.serve import Serving, infer
from wallviz.engine.memory.terms import Quantity, Term
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.job import Job, serving_options, serving_split, training_run, world
from wallviz.rooms.advice import setup
from wallviz.rooms.job import architecture, chip

BATCHES = tuple(2**n for n in range(8))
CONTEXTS = tuple(1024 * 2**n for n in range(9))
RANKS = tuple(2**n for n in range(11))
SPLITS = (1, 2, 4, 8)
MAP_FORMATS = ("bf16", "fp8", "awq-4")


@dataclass(frozen=True)
class Estimate:
    """What one GPU needs for a case, by part, against what it holds."""

    case: Job
    arch: Architecture
    chip: Accelerator
    gpus: int
    """How many GPUs share it: those of the case, or what its parallelism needs at least."""
    result: Training | Serving
    capacity_bytes: float | None

    @property
    def parts(self) -> dict[str, float]:
        """Bytes at the peak by part, overheads last; they sum to `total_bytes`."""
        return parts(self.result)

    @property
    def total_bytes(self) -> float:
        """What the device shows at the peak."""
        return float(self.result.peak_total_bytes)

    @property
    def band(self) -> float:
        """Relative error to expect."""
        return self.result.error_band

    @property
    def verdict(self) -> Verdict:
        """Will it run out of memory."""
        return verdict(self.total_bytes, self.band, self.capacity_bytes)

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every term with its formula; they sum to `total_bytes`."""
        return self.result.terms

    @property
    def phases(self) -> dict[str, dict[str, float]]:
        """Training: what is alive in each phase, by part, overheads included."""
        if not isinstance(self.result, Training):
            return {}
        fixed = _overheads(self.result)
        return {phase: {**{part: float(b) for part, b in self.result.phase_parts[phase].items()}, **fixed} for phase in PHASES}

    def at_contexts(self) -> dict[int, dict[str, float]]:
        """Serving: what one GPU needs as the sequences grow to the case's context."""
        lengths = sorted({max(1, self.case.context * share // 8) for share in (1, 2, 4, 8)})
        options = serving_options(self.case, self.arch)
        prompt, prefix = self.case.prompt or self.case.context, self.case.prefix
        return {n: parts(infer(self.arch, **options | {"context": n, "prompt": min(prompt, n), "prefix": min(prefix, n - 1)})) for n in lengths}


def parts(result: Training | Serving) -> dict[str, float]:
    """The bytes of a result by part, as the figures name them."""
    if isinstance(result, Serving):
        return {
            "weights": float(result.weights_bytes),
            "kv_cache": float(np.max(result.kv_cache_bytes)),
            "activations": float(np.max(result.activation_bytes)),
            "overhead": float(sum(np.max(v) for v in result.overheads.values())),
        }
    return {**{part: float(value) for part, value in result.parts.items()}, **_overheads(result)}


def _overheads(result: Training) -> dict[str, float]:
    return {"overhead": float(sum(float(v) for v in result.overheads.values()))}


@lru_cache(maxsize=512)
def estimate(case: Job) -> Estimate:
    """The numbers of a job; raises InputError, one sentence, for what cannot run."""
    arch, card = architecture(case), chip(case)
    if case.serves:
        split = serving_split(case, arch)
        gpus = prod(split.values())
        return Estimate(case, arch, card, gpus, infer(arch, **serving_options(case, arch), hardware_bytes=card.memory_bytes), card.memory_bytes)
    run = training_run(case)
    return Estimate(case, arch, card, world(run), train(arch, run), card.memory_bytes)


def largest_batch(now: Estimate) -> int:
    """Training: the largest micro-batch that fits; 0 where none does or nothing is known of the chip."""
    if now.capacity_bytes is None or not isinstance(now.result, Training):
        return 0
    return fit.largest_batch(setup(now.case), 4096)


# -- many configurations at once --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Map:
    """What one GPU needs over two choices: `bytes` by row and column, NaN where it cannot run."""

    columns: tuple[Any, ...]
    rows: tuple[Any, ...]
    column: str
    """Parameter that the columns change."""
    row: str
    bytes: np.ndarray[Any, Any]


def work_map(now: Estimate) -> Map:
    """Batch by context: one call answers for all."""
    batches = tuple(sorted({*BATCHES, now.case.batch}))
    contexts = tuple(sorted({*CONTEXTS, now.case.context}))
    if isinstance(now.result, Training):
        contexts = tuple(n for n in contexts if n % now.result.run.context_parallel == 0)
        b, s = np.array(batches)[None, :], np.array(contexts)[:, None]
        need: Quantity = train(now.arch, now.result.run, micro_batch=b, sequence=s).peak_total_bytes
    else:
        contexts = tuple(n for n in contexts if n > now.case.prefix and n >= (now.case.prompt or 1))
        b, s = np.array(batches)[None, :], np.array(contexts)[:, None]
        need = infer(now.arch, **serving_options(now.case, now.arch) | {"batch": b, "context": s}).peak_total_bytes
    return Map(batches, contexts, "batch", "context", np.broadcast_to(need, (len(contexts), len(batches))))


def layout_map(now: Estimate) -> Map:
    """GPUs by ZeRO stage; serving: GPUs by number format of the weights."""
    if isinstance(now.result, Training):
        run = now.result.run
        apart = world(run) // int(run.data_parallel)
        ranks, stages = np.array(RANKS)[None, :], np.arange(4)[:, None]
        try:
            need: Quantity = train(now.arch, run, data_parallel=ranks, zero=stages).peak_total_bytes
        except InputError:  # expert parallelism divides the ranks: ask for those that it does divide
            fine = np.array([n for n in RANKS if n * run.context_parallel % run.expert_parallel == 0])
            need, ranks = train(now.arch, run, data_parallel=fine[None, :], zero=stages).peak_total_bytes, fine[None, :]
        columns = tuple(int(n) * apart for n in ranks[0])
        return Map(columns, (0, 1, 2, 3), "chips", "zero", np.broadcast_to(need, (4, len(columns))))
    apart = _apart(now)
    formats = tuple(dict.fromkeys((*MAP_FORMATS, now.case.format)))
    table = [[_needs(replace(now.case, chips=t * apart, format=name)) for t in SPLITS] for name in formats]
    return Map(tuple(t * apart for t in SPLITS), formats, "chips", "format", np.array(table))


def _apart(now: Estimate) -> int:
    """Chips that do not share a layer: pipeline stages, expert groups and copies."""
    split = serving_split(now.case, now.arch)
    return now.gpus // split["tensor_parallel"]


def _needs(case: Job) -> float:
    try:
        return estimate(case).total_bytes
    except InputError:
        return float("nan")
