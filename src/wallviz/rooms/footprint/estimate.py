"""One case and one view as numbers: what one GPU needs, by part, against what it holds, and what would make it fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from wallviz import catalog
from wallviz.case import Case
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import solve
from wallviz.engine.memory.peak import PHASES, Training, train
from wallviz.engine.memory.run import FIELDS, Run
from wallviz.engine.memory.serve import Serving, infer
from wallviz.engine.memory.terms import Quantity, Term
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_
from wallviz.rooms.footprint import own
from wallviz.rooms.footprint.choices import DENSE, PRESET, View

GPUS = tuple(2**n for n in range(1, 13))
"""Data parallel ranks that the last resort, sharding everything and recomputing every layer, is tried on."""
BATCHES = tuple(2**n for n in range(8))
CONTEXTS = tuple(1024 * 2**n for n in range(9))
RANKS = tuple(2**n for n in range(11))
SPLITS = (1, 2, 4, 8)
MAP_FORMATS = ("bf16", "fp8", "awq-4")


@dataclass(frozen=True)
class Fix:
    """One way to need less: the change as a sentence marked for translation, what it costs, and what is needed then, by part."""

    change: solve.Fix
    sets: Mapping[str, Any]
    """By parameter of the page or the case."""
    parts: Mapping[str, float]
    also: solve.Fix | None = None
    """A second change that goes with it."""

    @property
    def bytes(self) -> float:
        """What one GPU needs then."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Estimate:
    """What one GPU needs for a case, by part, against what it holds."""

    case: Case
    view: View
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
    def safe_bytes(self) -> float:
        """What may be asked for without running out at the upper end of the error band; 0 where the capacity is unknown."""
        return (self.capacity_bytes or 0.0) / (1.0 + self.band)

    @property
    def verdict(self) -> str:
        """Will it run out of memory: ``yes``, ``likely``, ``no``, or ``unknown`` where the chip's capacity is."""
        if self.capacity_bytes is None:
            return "unknown"
        if self.total_bytes <= self.safe_bytes:
            return "no"
        return "likely" if self.total_bytes * (1.0 - self.band) <= self.capacity_bytes else "yes"

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
        options = serving_options(self.case, self.view)
        prompt, prefix = self.view.prompt or self.case.context, self.view.prefix
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
def estimate(case: Case, view: View) -> Estimate:
    """The numbers of `case` as `view` says; raises InputError, one sentence, for what cannot run."""
    arch = own.read(view.config) if view.config else catalog.architecture(case.model)
    chip = catalog.chip(case.chip)
    if case.job == "infer":
        options = serving_options(case, view)
        gpus = options["tensor_parallel"] * options["pipeline_parallel"] * view.replicas
        return Estimate(case, view, arch, chip, gpus, infer(arch, **options, hardware_bytes=chip.memory_bytes), chip.memory_bytes)
    run = training_run(case, view)
    return Estimate(case, view, arch, chip, world(run), train(arch, run), chip.memory_bytes)


def world(run: Run) -> int:
    """How many GPUs `run` takes: t·p·c·N_d."""
    return int(run.tensor_parallel * run.pipeline_parallel * run.context_parallel * run.data_parallel)


def training_run(case: Case, view: View) -> Run:
    """The run that a case and a view describe; the case's chips beyond its parallelism are data parallel ranks."""
    names = [name for name in FIELDS if hasattr(view, name)]
    chosen: dict[str, Any] = {name: None if (value := getattr(view, name)) == PRESET else value for name in names}
    chosen["method"] = view.method if case.job == "finetune" else "full"
    run = Run(micro_batch=case.batch, sequence=case.context, **chosen)
    return run if case.chips < world(run) else solve.on_gpus(run, case.chips)


def serving_options(case: Case, view: View) -> dict[str, Any]:
    """The same for serving: the case's chips are tensor parallel ranks, beside what the pipeline and the replicas take."""
    apart = view.pipeline_parallel * view.replicas
    if case.chips % apart and case.chips > apart:
        raise InputError(
            N_("{count} GPUs cannot be shared by {world} ranks: give a multiple of {world}, or change the parallelism."),
            count=case.chips,
            world=apart,
        )
    return {
        "batch": case.batch,
        "context": case.context,
        "weights": view.format,
        "kv": view.kv,
        "tensor_parallel": max(1, case.chips // apart),
        "pipeline_parallel": view.pipeline_parallel,
        "utilization": view.utilization / 100,
        "block": view.block,
        "prompt": view.prompt,
        "prefix": view.prefix,
        "encoder_context": view.encoder_context,
        "engine": view.engine,
        "chunk": view.chunk,
        "sparsity": None if view.sparsity == DENSE else view.sparsity,
        "graphs": view.graphs,
        "imatrix": view.imatrix,
    }


# -- what would make it fit -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def fixes(found: Case, view: View, most: int = 3) -> tuple[Fix, ...]:
    """The best changes, those that suffice first; nothing where there is no capacity to fit into."""
    now = estimate(found, view)
    if now.capacity_bytes is None:
        return ()
    if isinstance(now.result, Serving):
        return _serving_fixes(now, most)
    run = now.result.run
    ranked = solve.fixes(now.arch, run, now.safe_bytes, adapters=found.job == "finetune")
    result = [_training_fix(now, run, fix) for fix in _distinct(ranked)[:most]]
    if now.verdict != "no" and not any(fix.change.fits for fix in result) and (last := _last_resort(now, run, ranked)):
        result = [last, *result[: most - 1]]
    return tuple(result)


def _distinct(ranked: tuple[solve.Fix, ...]) -> list[solve.Fix]:
    """The best of each kind: two GPU counts for the same change are one choice."""
    kinds: dict[frozenset[str], solve.Fix] = {}
    for fix in ranked:
        kinds.setdefault(frozenset(fix.sets), fix)
    return list(kinds.values())


def _training_fix(now: Estimate, run: Run, fix: solve.Fix, also: solve.Fix | None = None) -> Fix:
    sets = dict(fix.sets) | (dict(also.sets) if also else {})
    return Fix(fix, _as_parameters(run, sets), parts(train(now.arch, run, **sets)), also)


def _as_parameters(run: Run, sets: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of a run as changes of the page: the micro-batch is the case's batch, data parallel ranks are its chips."""
    names = {"micro_batch": "batch", "sequence": "context"}
    changed = {names.get(name, name): PRESET if value is None else value for name, value in sets.items() if name != "data_parallel"}
    if "data_parallel" in sets:
        changed["chips"] = world(replace(run, data_parallel=sets["data_parallel"]))
    return changed


def _last_resort(now: Estimate, run: Run, ranked: tuple[solve.Fix, ...]) -> Fix | None:
    """Every layer recomputed and all model states sharded over the fewest ranks that do, where no single change suffices."""
    capacity = now.safe_bytes
    held = int(run.data_parallel)
    counts = np.array([n for n in GPUS if n > held or (n == held and not run.zero)] or [held])
    try:
        need = np.broadcast_to(np.asarray(train(now.arch, run, recompute="full", zero=3, data_parallel=counts).peak_total_bytes), counts.shape)
    except InputError:
        return None
    enough = counts[need <= capacity]
    if not len(enough):
        return None
    gpus = int(enough[0])
    now_bytes, then = now.total_bytes, float(need[list(counts).index(gpus)])
    shard = solve.Fix(N_("ZeRO stage 3 over {gpus} GPUs"), {"zero": 3, "data_parallel": gpus}, now_bytes - then, "", 0.0, True, then)  # noqa: FBT003
    full = next((fix for fix in ranked if fix.sets == {"recompute": "full"}), None)
    return _training_fix(now, run, replace(shard, price=full.price if full else N_("1.5 times the traffic")), full)


def _serving_fixes(now: Estimate, most: int) -> tuple[Fix, ...]:
    options = serving_options(now.case, now.view)
    names = {"weights": "format"}
    found = []
    for fix in _distinct(solve.serving_fixes(now.arch, now.safe_bytes, **options))[:most]:
        sets = {names.get(name, name): value for name, value in fix.sets.items() if name != "tensor_parallel"}
        if "tensor_parallel" in fix.sets:
            sets["chips"] = int(fix.sets["tensor_parallel"]) * now.view.pipeline_parallel * now.view.replicas  # type: ignore[call-overload]
        found.append(Fix(fix, sets, parts(infer(now.arch, **options | dict(fix.sets)))))
    return tuple(found)


def largest_batch(now: Estimate) -> int:
    """Training: the largest micro-batch that fits; 0 where none does or nothing is known of the chip."""
    if now.capacity_bytes is None or not isinstance(now.result, Training):
        return 0
    run, arch = now.result.run, now.arch
    return solve.largest(lambda n: train(arch, run, micro_batch=n).peak_total_bytes, now.safe_bytes, 4096)


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
        contexts = tuple(n for n in contexts if n > now.view.prefix and n >= (now.view.prompt or 1))
        b, s = np.array(batches)[None, :], np.array(contexts)[:, None]
        need = infer(now.arch, **serving_options(now.case, now.view) | {"batch": b, "context": s}).peak_total_bytes
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
    apart = now.view.pipeline_parallel * now.view.replicas
    formats = tuple(dict.fromkeys((*MAP_FORMATS, now.view.format)))
    table = [[_needs(replace(now.case, chips=t * apart), replace(now.view, format=name)) for t in SPLITS] for name in formats]
    return Map(tuple(t * apart for t in SPLITS), formats, "chips", "format", np.array(table))


def _needs(case: Case, view: View) -> float:
    try:
        return estimate(case, view).total_bytes
    except InputError:
        return float("nan")
