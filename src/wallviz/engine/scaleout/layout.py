"""The fastest way to split one job over so many chips that also fits their memory: every layout asked at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, product
from typing import Any

import numpy as np

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import peak
from wallviz.engine.memory.run import RECOMPUTE, Run, whole
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.step import step
from wallviz.engine.transformer import Architecture, Attention, Experts, LatentAttention
from wallviz.errors import InputError
from wallviz.i18n import N_

FIELDS = (
    "tensor_parallel",
    "pipeline_parallel",
    "virtual_stages",
    "context_parallel",
    "expert_parallel",
    "data_parallel",
    "zero",
    "micro_batch",
    "accumulation",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to split the job."""

    run: Run
    step_s: float
    efficiency: float
    peak_bytes: float


@dataclass(frozen=True, slots=True)
class Search:
    """The best layouts that fit, fastest first, the one to choose, and how many were asked."""

    best: tuple[Layout, ...]
    chosen: Layout | None
    """The simplest within `CLOSE` of the fastest: the least model parallelism, then the lowest ZeRO stage, then the least recomputed."""
    asked: int
    fit: int


#: Two layouts this close are as fast as each other: the model of a step is not that exact.
CLOSE = 0.02


def search(
    arch: Architecture,
    run: Run,
    chip: Accelerator,
    fabric: Fabric,
    gpus: int,
    global_batch: int,
    *,
    overlap: str = "partial",
    efficiency: float = EFFICIENCY,
    bandwidth_efficiency: float = BANDWIDTH_EFFICIENCY,
    half_square: bool = False,
    most: int = 5,
) -> Search:
    """Every tensor (within a node), pipeline, virtual stage, context and expert split, ZeRO stage, micro-batch and recomputation of `run` on `gpus`.

    Precision, optimizer, kernels and sequence length stay as `run` says; sequence parallelism is on wherever tensor parallelism is. A layout
    fits where the upper end of the error band of its memory does. Sequences are split (context parallelism) only where nothing fits without.
    Selective recomputation is asked about with eager kernels alone: flash attention keeps no scores that it could drop (`memory.activations`).
    Raises InputError where the chip's memory is not known.
    """
    whole("gpus", gpus, 1, 1_000_000)
    whole("global_batch", global_batch, 1, 100_000_000)
    if chip.memory_bytes is None:
        raise InputError(N_("the memory of {chip} is not known: choose another chip"), chip=chip.name)
    table = _every(arch, run, fabric, gpus, global_batch)
    if not len(table):
        return Search((), None, 0, 0)
    options: dict[str, Any] = {"overlap": overlap, "efficiency": efficiency, "bandwidth_efficiency": bandwidth_efficiency, "half_square": half_square}
    ways = [way for way in RECOMPUTE if way != "selective" or run.kernels == "eager"]
    found = []
    for recompute in ways:
        numbers: dict[str, Any] = {name: table[:, i] for i, name in enumerate(FIELDS)}
        one = replace(run, recompute=recompute, sequence_parallel=True, stage="worst", **numbers)
        steps = step(arch, one, chip, fabric, global_batch=global_batch, **options)
        one = replace(one, accumulation=steps.run.accumulation, micro_batch=steps.run.micro_batch)
        needs = peak.train(arch, one)
        values = (steps.step_s, steps.efficiency, needs.peak_total_bytes, needs.peak_total_bytes * (1.0 + needs.error_band) <= chip.memory_bytes)
        found.append([np.broadcast_to(value, (len(table),)) for value in (*values, *(getattr(one, name) for name in FIELDS))])
    time, efficiencies, need, fits, *columns = (np.concatenate(each) for each in zip(*found, strict=True))
    fields = dict(zip(FIELDS, columns, strict=True))
    again = np.repeat(np.arange(len(ways)), len(table))
    plain = fits & (fields["context_parallel"] == 1)
    kept = np.flatnonzero(plain if plain.any() else fits)
    kept = kept[np.argsort(time[kept], kind="stable")]

    def layout(i: int) -> Layout:
        chosen: dict[str, Any] = {name: int(column[i]) for name, column in fields.items()}
        chosen |= {"sequence_parallel": chosen["tensor_parallel"] > 1, "recompute": ways[again[i]], "stage": "worst"}
        return Layout(replace(run, **chosen), float(time[i]), float(efficiencies[i]), float(need[i]))

    close = kept[time[kept] <= time[kept[:1]] * (1.0 + CLOSE)]
    apart = fields["tensor_parallel"] * fields["pipeline_parallel"] * fields["context_parallel"]
    # what a layout asks for, least first: model parallelism, then experts, ZeRO, recomputation, chunks; time among equals.
    effort = (apart, fields["expert_parallel"], fields["zero"], again, fields["virtual_stages"], fields["micro_batch"], time)
    simplest = close[np.lexsort([each[close] for each in reversed(effort)])[:1]]
    return Search(tuple(layout(i) for i in kept[:most]), next(map(layout, simplest), None), len(time), int(fits.sum()))


def _every(arch: Architecture, run: Run, fabric: Fabric, gpus: int, global_batch: int) -> np.ndarray[Any, Any]:
    """Every split of `gpus` that divides what it has to, a row each, columns as `FIELDS`."""
    heads = min((b.mixer.heads for b, _n in arch.groups if isinstance(b.mixer, Attention | LatentAttention)), default=0)
    experts = min((b.mlp.count for b, _n in arch.groups if isinstance(b.mlp, Experts)), default=1)
    layers, sequence = len(arch.layers), int(run.sequence)
    tensors = [t for t in _powers(min(gpus, fabric.per_node)) if heads % t == 0]
    pipelines = [p for p in range(1, min(gpus, layers, 64) + 1) if layers % p == 0 and gpus % p == 0]
    contexts = [c for c in _powers(min(gpus, 64)) if sequence % c == 0 and sequence // c >= 1024]
    rows = []
    for t, p, c in product(tensors, pipelines, contexts):
        ranks, rest = divmod(gpus, t * p * c)
        if rest or not ranks or ranks > global_batch:
            continue
        chunks = [v for v in (1, 2, 4) if v == 1 or (p > 1 and layers % (p * v) == 0)]
        shared = [e for e in _powers(min(experts, 64)) if experts % e == 0 and c * ranks % e == 0]
        batches = [b for b in (1, 2, 4, 8) if b * ranks <= global_batch] or [1]
        stages = (0, 1, 2, 3) if c * ranks > 1 else (0,)
        rows += [(t, p, v, c, e, ranks, z, b, 1) for v, e, z, b in product(chunks, shared, stages, batches)]
    return np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * len(FIELDS)).reshape(-1, len(FIELDS))


def _powers(most: int) -> list[int]:
    return [2**i for i in range(int(most).bit_length())]
