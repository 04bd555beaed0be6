"""The fastest way to split one job over so many chips that also fits their memory: every layout asked at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from wallviz.errors import InputError
from wallviz.footprint import peak
from wallviz.footprint.run import Run, whole
from wallviz.hardware import Accelerator
from wallviz.i18n import N_
from wallviz.scaleout.fabric import Fabric
from wallviz.scaleout.step import EFFICIENCY, step
from wallviz.transformer import Architecture, Attention, Experts, LatentAttention

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
    """The best layouts, fastest first, and how many were asked."""

    best: tuple[Layout, ...]
    asked: int
    fit: int


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
    most: int = 5,
) -> Search:
    """Every tensor (within a node), pipeline, virtual stage, context and expert split, ZeRO stage, micro-batch and recomputation of `run` on `gpus`.

    Precision, optimizer, kernels and sequence length stay as `run` says; sequence parallelism is on wherever tensor parallelism is. Raises
    InputError where the chip's memory is not known.
    """
    whole("gpus", gpus, 1, 1_000_000)
    whole("global_batch", global_batch, 1, 100_000_000)
    if chip.memory_bytes is None:
        raise InputError(N_("the memory of {chip} is not known: choose another chip"), chip=chip.name)
    table = _every(arch, run, fabric, gpus, global_batch)
    asked, fit, found = 0, 0, []
    for recompute in ("none", "selective", "full"):
        if not len(table):
            break
        numbers: dict[str, Any] = {name: table[:, i] for i, name in enumerate(FIELDS)}
        one = replace(run, recompute=recompute, sequence_parallel=True, stage="worst", **numbers)
        steps = step(arch, one, chip, fabric, overlap=overlap, efficiency=efficiency, global_batch=global_batch)
        one = replace(one, accumulation=steps.run.accumulation, micro_batch=steps.run.micro_batch)
        need = np.broadcast_to(peak.train(arch, one).peak_total_bytes, (len(table),))
        seconds = np.broadcast_to(steps.step_s, (len(table),))
        asked += len(table)
        fit += int(np.sum(need <= chip.memory_bytes))
        order = np.flatnonzero(need <= chip.memory_bytes)
        for i in order[np.argsort(seconds[order], kind="stable")][:most]:
            chosen: dict[str, Any] = {name: int(np.broadcast_to(getattr(one, name), (len(table),))[i]) for name in FIELDS}
            chosen["sequence_parallel"] = chosen["tensor_parallel"] > 1
            found.append(
                Layout(replace(one, **chosen), float(seconds[i]), float(np.broadcast_to(steps.efficiency, (len(table),))[i]), float(need[i]))
            )
    return Search(tuple(sorted(found, key=lambda layout: layout.step_s)[:most]), asked, fit)


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
    return np.array(rows, dtype=np.int64).reshape(-1, len(FIELDS))


def _powers(most: int) -> list[int]:
    return [2**i for i in range(int(most).bit_length())]
