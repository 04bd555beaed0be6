"""The least that a job's step must do and how long that takes at least: what start, roofline, memory levels, chips and your machine say alike.

Nothing elementwise goes through memory, and attention is the half that a causal mask keeps (docs/decisions/0016-roofline.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wallviz.engine import work
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.run import DTYPES
from wallviz.engine.roofline.step import Step, step
from wallviz.engine.transformer import Architecture
from wallviz.job import Job, serving_split, training_run
from wallviz.rooms import job as shared

#: How work is counted: the least that must be done (docs/decisions/0016-roofline.md).
LEAST: dict[str, Any] = {"kernels": "fused", "half_square": True}


def options(job: Job, arch: Architecture) -> dict[str, Any]:
    """How the job's work is counted: formats, ranks, what is trained; arguments of `engine.roofline.step.step`."""
    if job.serves:
        return {"weights": job.format, "kv": job.kv, "tensor_parallel": serving_split(job, arch)["tensor_parallel"], **LEAST}
    run = training_run(job)
    weights, activations = work.formats(run)
    found = {"weights": weights, "activations": activations, "tensor_parallel": job.tensor_parallel, "recompute": job.recompute, **LEAST}
    return found if run.trains_all else found | {"adapters": work.Adapters(run.rank, run.targets, DTYPES[run.adapter_dtype])}


def phase(job: Job, arch: Architecture) -> str:
    """What a step of the job is: writing a token, reading a prompt where nothing is written, or training."""
    if not job.serves:
        return "train"
    return "prefill" if arch.layers and all(layer.encoder for layer in arch.layers) else "decode"


def bound(job: Job, chip: Accelerator | None = None) -> Step:
    """One step of the job under the roof of its chip, or of another one; raises InputError for what cannot run."""
    arch = shared.architecture(job)
    return step(arch, chip or shared.chip(job), phase=phase(job, arch), batch=job.batch, context=job.context, **options(job, arch))


def tokens_per_s(job: Job, one: Step) -> float:
    """Tokens per second: of every copy together in serving, of one chip in training."""
    return float(one.tokens_per_s) * (serving_split(job, shared.architecture(job))["replicas"] if job.serves else 1)


def moved_bytes(job: Job) -> float:
    """Bytes that one chip moves in such a step; raises InputError for what cannot run."""
    return _summed(job, "bytes")


def flop(job: Job) -> float:
    """FLOP that one chip does in it."""
    return _summed(job, "flop")


def _summed(job: Job, what: str) -> float:
    arch = shared.architecture(job)
    found = work.operations(arch, phase(job, arch), job.batch, job.context, **options(job, arch))
    return float(sum(np.sum(getattr(operation, what)) for operation in found))
