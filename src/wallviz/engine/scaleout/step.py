"""One training step on many chips: compute, what the wires carry, what of that nobody sees, and the pipeline's bubble.

step = compute + waiting + bubble. Compute is what every chip does by itself, waiting is the part of the communication that no compute hides, the
bubble is (p-1)/(v·m) of the time that a micro-batch's work takes. Not modelled: stragglers, failures and restarts, the input pipeline, the
optimizer's own update, kernels other than matrix products and attention (their time is in `efficiency`), traffic of other jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from wallviz import checks
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import lora
from wallviz.engine.memory.ranks import held
from wallviz.engine.memory.run import DTYPES, Run, whole
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.scaleout import collectives, volumes
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.work import Work, work
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

#: Share of the 16-bit peak that a layer's own matrix products reach where compute bounds them: the median of Llama-2-7B's feed-forward products
#: with 1,024 to 4,096 tokens on A100 is 0.70 (vidur's profiles); H100 reaches 0.73 to 0.86.
EFFICIENCY = 0.70
OVERLAPS = ("none", "partial", "full")
#: Kinds of parallelism in the order in which they fill a node: the first stays inside, the last crosses nodes.
KINDS = ("tensor_parallel", "context_parallel", "expert_parallel", "pipeline_parallel", "data_parallel")
#: What compute can hide with "partial": gradients and gathered weights behind the layers, keys and values behind attention. Sums of tensor
#: parallelism and tokens on their way to experts are needed at once.
HIDDEN = ("context_parallel", "data_parallel")


@dataclass(frozen=True)
class Step:
    """One training step; arrays where the run had arrays."""

    run: Run
    gpus: Quantity
    """t·p·c·N_d."""
    tokens: Quantity
    """Tokens that the step trains on, all GPUs."""
    model_flop: Quantity
    """6 P T and attention (4 P T where adapters alone are trained), all GPUs: what MFU counts."""
    compute_s: Quantity
    """What one GPU computes, alone."""
    wire_s: Mapping[str, Quantity]
    """Seconds on the wire by kind of parallelism (`KINDS`)."""
    bytes_on_wire: Mapping[str, Quantity]
    """Bytes that one GPU sends per step, by kind."""
    waiting_s: Quantity
    """Communication that no compute hides."""
    bubble_s: Quantity
    peak_flop_per_s: float

    @property
    def communication_s(self) -> Quantity:
        """Seconds on the wire in all, hidden or not."""
        return cast("Quantity", sum(self.wire_s.values()))

    @property
    def step_s(self) -> Quantity:
        """Seconds of the step."""
        return self.compute_s + self.waiting_s + self.bubble_s

    @property
    def efficiency(self) -> Quantity:
        """The share of the step in which a chip computes: 1 for chips that never wait."""
        return self.compute_s / self.step_s

    @property
    def mfu(self) -> Quantity:
        """Model FLOP utilisation: 6 P T and attention over what the chips' peak would do in that time (arXiv 2204.02311, appendix B)."""
        return self.model_flop / (self.step_s * self.gpus * self.peak_flop_per_s)

    @property
    def tokens_per_s(self) -> Quantity:
        """Tokens per second, all GPUs."""
        return self.tokens / self.step_s


def step(
    arch: Architecture,
    run: Run,
    chip: Accelerator,
    fabric: Fabric,
    *,
    overlap: str = "none",
    efficiency: Quantity = EFFICIENCY,
    global_batch: Quantity | None = None,
) -> Step:
    """A step of `run` (its numbers may be arrays) on `chip`, wired as `fabric`.

    `global_batch`: sequences a step; micro-batches follow from it, the last one may be partly empty. Without it the run's accumulation counts.
    Raises InputError for what cannot run.
    """
    run.check(arch)
    checks.one_of("overlap", overlap, OVERLAPS)
    checks.share("efficiency", efficiency)
    peak = chip.peak("fp32" if run.precision == "fp32" else "bf16")
    if peak is None:
        raise InputError(N_("the 16-bit rate of {chip} is not known: choose another chip"), chip=chip.name)
    run, sequences = _batches(run, global_batch)
    model = work(arch)
    d, t, p, c, m = (np.asarray(getattr(run, n), float) for n in ("data_parallel", *_SPLITS, "accumulation"))
    gpus = d * t * p * c
    s = np.asarray(run.sequence, float)
    tokens = sequences * s
    forward = model.forward_flop(s)
    needed = 3.0 * forward + _adapters_flop(arch, model, run)
    again = {"full": forward, "selective": model.attention_flop(s), "none": 0.0}[run.recompute]
    passes = 2.0 + run.trains_all + (run.recompute == "full")
    here = np.asarray(run.micro_batch, float) * m * d * s / gpus  # what the fullest rank works on; `tokens` may be a little less
    flop = (needed + again) * here
    parameters = _parameters(arch, run)
    arithmetic = flop / (peak * efficiency)
    reads = passes * m * DTYPES[run.formats.weights] * sum(parameters) / (chip.memory_bytes_per_s or np.inf)
    compute = np.maximum(arithmetic, reads)
    sent, wire = _wires(arch, model, run, fabric, parameters)
    backward = (passes - 1.0) / passes * compute
    behind = np.where(np.asarray(run.zero) >= 3, compute, np.where(np.asarray(run.zero) == 2, backward, backward / m))
    waiting, inner = _waiting(compute, behind, wire, overlap)
    bubble = volumes.bubble_fraction(p, m, np.asarray(run.virtual_stages, float)) * (compute + inner)
    return Step(run, gpus[()], tokens, needed * tokens, compute, wire, sent, waiting, bubble, peak)


def _adapters_flop(arch: Architecture, model: Work, run: Run) -> Quantity:
    """FLOP per token of training adapters beside training all: no gradients of frozen weights, 2 P less, and the adapters' own 6 A
    (arXiv 2106.09685, section 4.2)."""
    return 0.0 if run.trains_all else 6.0 * lora.trainable(arch, run.targets, run.rank) - 2.0 * model.multiplied_parameters


_SPLITS = ("tensor_parallel", "pipeline_parallel", "context_parallel")


def _batches(run: Run, global_batch: Quantity | None) -> tuple[Run, Quantity]:
    """The run with the micro-batches that `global_batch` takes, and the sequences of a step.

    Where a rank has fewer sequences than its micro-batch, the micro-batch shrinks to them.
    """
    ranks = np.asarray(run.data_parallel, float)
    if global_batch is None:
        return run, cast("Quantity", np.asarray(run.micro_batch, float) * run.accumulation * ranks)
    whole("global_batch", global_batch, 1, 100_000_000)
    if np.any(np.asarray(global_batch) < ranks):
        raise InputError(
            N_("{batch} sequences a step cannot be shared by {ranks} data parallel ranks: give {ranks} or more, or fewer GPUs."),
            batch=f"{int(np.min(global_batch)):,}",
            ranks=f"{int(np.max(ranks)):,}",
        )
    share = np.ceil(np.asarray(global_batch) / ranks)
    micro = np.minimum(run.micro_batch, share)
    return replace(run, micro_batch=_int(micro), accumulation=_int(np.ceil(share / micro))), global_batch


def _int(value: Any) -> Any:
    return int(value) if np.ndim(value) == 0 else np.asarray(value, int)


def _parameters(arch: Architecture, run: Run) -> tuple[Quantity, Quantity]:
    """Dense and expert parameters of one rank, the mean of its pipeline's stages."""
    parts = [(held(arch, block, block.tensors, run), count) for block, count in arch.groups]
    outside = held(arch, None, arch.outer, run)
    dense = outside.dense + sum(part.dense * count for part, count in parts)
    experts = sum(part.experts * count for part, count in parts)
    return dense / run.pipeline_parallel, cast("Quantity", experts / run.pipeline_parallel)


def _wires(
    arch: Architecture, model: Work, run: Run, fabric: Fabric, parameters: tuple[Quantity, Quantity]
) -> tuple[dict[str, Quantity], dict[str, Quantity]]:
    """Bytes that a rank sends and seconds on the wire, by kind; ranks are numbered tensor first, then context and expert, pipeline, data."""
    d, t, p, c, e, m, v, b, s = (
        np.asarray(getattr(run, n), float)
        for n in ("data_parallel", *_SPLITS, "expert_parallel", "accumulation", "virtual_stages", "micro_batch", "sequence")
    )
    forwards = 2.0 if run.recompute == "full" else 1.0
    formats = run.formats
    q = 4.0 if run.precision == "fp32" else 2.0
    gradient, weight = DTYPES[formats.gradients], DTYPES[formats.weights]
    own = b * s / c  # tokens of a micro-batch on one rank
    shared = t if run.sequence_parallel else 1.0
    inner = np.maximum(c, e)
    sent: dict[str, Quantity] = {}
    wire: dict[str, Quantity] = {}

    count = m * (forwards + 1.0) * model.sums / p
    sent["tensor_parallel"] = count * collectives.all_reduce_bytes(own * model.hidden_size * q, t)
    wire["tensor_parallel"] = fabric.ring_s(sent["tensor_parallel"], t, fabric.members(t), 2.0 * count)

    ring = volumes.context_parallel_bytes(b, s, 1.0, model.kv_elements / 2.0 / p / np.minimum(t, model.kv_heads), c, q)
    sent["context_parallel"] = m * (forwards + 2.0) * ring
    wire["context_parallel"] = fabric.ring_s(sent["context_parallel"], c, fabric.members(c, t), m * (forwards + 2.0) * model.layers / p)

    calls = 2.0 * m * (forwards + 1.0) * model.expert_layers / p
    sent["expert_parallel"] = m * (forwards + 1.0) * volumes.expert_parallel_bytes(own / shared, 1.0, model.routed_elements / p, 1.0, e, q)
    wire["expert_parallel"] = fabric.all_to_all_s(sent["expert_parallel"], e, fabric.members(e, t), calls)

    sent["pipeline_parallel"] = np.where(p > 1, volumes.pipeline_bytes(1.0, own / shared, model.hidden_size, m, v, q), 0.0)
    wire["pipeline_parallel"] = fabric.hop_s(sent["pipeline_parallel"], t * inner, p, 2.0 * m * v)

    (dense, experts), stage = parameters, np.asarray(run.zero)
    ranks, expert_ranks, stride = c * d, c * d / e, t * inner * p
    gathers = np.where(stage >= 3, m * 3.0 * model.layers / p, 2.0)  # ZeRO-3 gathers layer by layer
    near = np.minimum(ranks, fabric.members(inner, t) * fabric.members(ranks, stride))
    if run.trains_all:
        of_dense = volumes.accumulated_data_parallel_bytes(dense, weight, gradient, ranks, stage, m)
        of_experts = volumes.accumulated_data_parallel_bytes(experts, weight, gradient, expert_ranks, stage, m)
    else:  # adapters have gradients; frozen weights are gathered where they are sharded
        adapters, q = lora.trainable(arch, run.targets, run.rank) / (t * p), DTYPES[run.adapter_dtype]
        of_dense = volumes.accumulated_data_parallel_bytes(adapters, q, q, ranks, np.minimum(stage, 2), m)
        of_dense = of_dense + volumes.gathered_bytes(dense, weight, ranks, stage, m)
        of_experts = volumes.gathered_bytes(experts, weight, expert_ranks, stage, m)
    sent["data_parallel"] = of_dense + of_experts
    wire["data_parallel"] = fabric.ring_s(of_dense, ranks, near, gathers) + fabric.ring_s(
        of_experts, expert_ranks, fabric.members(expert_ranks, np.maximum(stride, t * e)), np.where(np.asarray(experts) > 0, gathers, 0.0)
    )
    return {kind: sent[kind] for kind in KINDS}, {kind: wire[kind] for kind in KINDS}


def _waiting(compute: Quantity, behind: Quantity, wire: Mapping[str, Quantity], overlap: str) -> tuple[Quantity, Quantity]:
    """Seconds that no compute hides: in all, and of them those within a micro-batch (which the bubble repeats).

    "partial" hides keys and values behind the layers' compute, and gradients `behind` the backward pass that makes them: that of the last
    micro-batch where they are added up locally first, all of them with ZeRO-2, forward passes too with ZeRO-3. "full" hides everything.
    """
    inside: Quantity = sum(wire[kind] for kind in KINDS if kind != "data_parallel")
    outside = wire["data_parallel"]
    if overlap == "none":
        return inside + outside, inside
    if overlap == "full":
        return np.maximum(0.0, inside + outside - compute), np.maximum(0.0, inside - compute)
    at_once: Quantity = sum(wire[kind] for kind in KINDS if kind not in HIDDEN)
    at_once = at_once + np.maximum(0.0, wire["context_parallel"] - compute)
    return at_once + np.maximum(0.0, outside - behind), at_once
