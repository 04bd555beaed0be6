"""The least that a job's step must do and how long that takes at least: what start, roofline, memory levels, chips and your machine say alike.

Nothing elementwise goes through memory, and attention is the half that a causal mask keeps (docs/decisions/0016-roofline.md).
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from wallviz import units
from wallviz.engine import rating, work
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.run import DTYPES
from wallviz.engine.roofline.step import StepBound, step
from wallviz.engine.scaleout.decode import decode
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.transformer import Architecture
from wallviz.i18n import _
from wallviz.job import DENSE, Job, serving_split, training_run
from wallviz.rooms import job as shared
from wallviz.rooms.footprint.need import Estimate, estimate

#: How work is counted: the least that must be done (docs/decisions/0016-roofline.md).
LEAST = rating.LEAST


def options(job: Job, arch: Architecture) -> dict[str, Any]:
    """How the job's work is counted: formats, ranks, what is trained; arguments of `engine.roofline.step.step`."""
    if job.serves:
        stored = {} if job.sparsity == DENSE else {"sparsity": job.sparsity}
        return {"weights": job.format, "kv": job.kv, "tensor_parallel": serving_split(job, arch)["tensor_parallel"], **stored, **LEAST}
    run = training_run(job)
    weights, activations = work.formats(run)
    found: dict[str, Any] = {"weights": weights, "activations": activations, "recompute": job.recompute, **LEAST}
    found |= {name: getattr(run, name) for name in ("tensor_parallel", "context_parallel", "expert_parallel", "pipeline_parallel")}
    found |= {"kernels": "eager"} if run.kernels == "eager" else {}
    return found if run.trains_all else found | {"adapters": work.Adapters(run.rank, run.targets, DTYPES[run.adapter_dtype])}


def phase(job: Job, arch: Architecture) -> str:
    """What a step of the job is: writing a token, reading a prompt where nothing is written, or training."""
    if not job.serves:
        return "train"
    return "prefill" if arch.layers and all(layer.encoder for layer in arch.layers) else "decode"


def bound(job: Job, chip: Accelerator | None = None) -> StepBound:
    """One step of the job under the roof of its chip, or of another one; raises InputError for what cannot run."""
    arch = estimate(job).arch  # what cannot run has no bound
    return step(arch, chip or shared.chip(job), phase=phase(job, arch), batch=job.batch, context=job.context, **options(job, arch))


def tokens_per_s(job: Job, one: StepBound) -> float:
    """Tokens per second: of all chips together in serving, of one chip in training."""
    if not job.serves:
        return float(one.tokens_per_s) / (job.tensor_parallel * job.pipeline_parallel * job.context_parallel)
    split = serving_split(job, shared.architecture(job))
    if one.phase != "decode" or split["pipeline_parallel"] * split["expert_parallel"] == 1:
        return float(one.tokens_per_s) * split["replicas"]
    stages = decode(
        shared.architecture(job), shared.chip(job), Fabric(inf), batch=job.batch, context=job.context, weights=job.format, kv=job.kv, **split, **LEAST
    )
    return float(stages.batch / stages.bound_s)


def moved_bytes(job: Job) -> float:
    """Bytes that one chip moves in such a step; raises InputError for what cannot run."""
    return _summed(job, "bytes")


def flop(job: Job) -> float:
    """FLOP that one chip does in it."""
    return _summed(job, "flop")


def _summed(job: Job, what: str) -> float:
    arch = estimate(job).arch
    found = work.operations(arch, phase(job, arch), job.batch, job.context, **options(job, arch))
    return float(sum(np.sum(getattr(operation, what)) for operation in found))


def too_small(need: Estimate) -> str:
    """What is said below a bound whose job does not surely fit; the memory is known."""
    template = (
        _("It needs {need} per chip, ±{off}; {chip} holds {have}: it may not fit. Memory footprint says what would make it fit.")
        if need.total_bytes <= (need.capacity_bytes or 0.0)
        else _("It needs {need} per chip; {chip} holds {have}: Memory footprint says what would make it fit.")
    )
    return template.format(
        need=units.binary(need.total_bytes),
        off=units.binary(need.total_bytes * need.band),
        chip=need.chip.name.partition(" (")[0],
        have=units.binary(need.capacity_bytes or 0.0),
    )
