"""The least that a job's step must do and how long that takes at least: what start, roofline, memory levels, chips and your machine say alike.

Nothing elementwise goes through memory, and attention is the half that a causal mask keeps (docs/decisions/0016-roofline.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wallviz.engine import work
from wallviz.engine.hardware import Accelerator
from wallviz.engine.roofline.step import Step, step
from wallviz.engine.transformer import Architecture
from wallviz.job import Job, serving_split, training_run
from wallviz.rooms import job as shared


def options(job: Job, arch: Architecture) -> dict[str, Any]:
    """How the job's work is counted: formats, ranks, kernels; arguments of `engine.roofline.step.step`."""
    weights, activations = formats(job)
    ranks = serving_split(job, arch)["tensor_parallel"] if job.serves else job.tensor_parallel
    return {"weights": weights, "kv": job.kv, "activations": activations, "tensor_parallel": ranks, "kernels": "fused", "half_square": True}


def formats(job: Job) -> tuple[str, str]:
    """Formats of the weights and of the activations that are multiplied."""
    if job.serves:
        return job.format, "bf16"
    run = training_run(job)
    stored = run.formats.weights
    if run.method == "qlora":
        return "nf4-dq", "bf16"
    if stored == "fp8":
        return "fp8", "fp8"
    return ("fp32", "fp32") if run.precision == "fp32" and stored == "fp32" else ("bf16", "bf16")


def phase(job: Job, arch: Architecture) -> str:
    """What a step of the job is: writing a token, reading a prompt where nothing is written, or training."""
    if not job.serves:
        return "train"
    return "prefill" if arch.layers and all(layer.encoder for layer in arch.layers) else "decode"


def bound(job: Job, chip: Accelerator | None = None) -> Step:
    """One step of the job under the roof of its chip, or of another one; raises InputError for what cannot run."""
    arch = shared.architecture(job)
    recompute: dict[str, Any] = {"recompute": "full"} if job.recompute == "full" and not job.serves else {}
    what = phase(job, arch)
    return step(arch, chip or shared.chip(job), phase=what, batch=job.batch, context=job.context, **recompute, **options(job, arch))


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
