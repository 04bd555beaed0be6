"""One training step on many chips: compute, what the wires carry, what of that nobody sees, and the pipeline's bubble.

step = compute + waiting + bubble. Compute is what every chip does by itself (`engine.work`, operation by operation under its roof), waiting is the
part of the communication that no compute hides, the bubble is (p-1)/(v·m) of the time that a micro-batch's work takes. Not modelled: stragglers,
failures and restarts, the input pipeline, the optimizer's own update, launches of kernels, traffic of other jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from wallviz import checks
from wallviz.engine import work
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import lora
from wallviz.engine.memory.jobs import of_step
from wallviz.engine.memory.ranks import held
from wallviz.engine.memory.run import DTYPES, Run
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.roofline.roof import roof
from wallviz.engine.scaleout import collectives, volumes
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY, busy
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.traffic import Traffic, traffic
from wallviz.engine.transformer import Architecture

OVERLAPS = ("none", "partial", "full")
#: Kinds of parallelism in the order in which they fill a node: the first stays inside, the last crosses nodes.
KINDS = ("tensor_parallel", "context_parallel", "expert_parallel", "pipeline_parallel", "data_parallel")
#: What compute can hide with "partial": gradients and gathered weights behind the layers, keys and values behind attention. Sums of tensor
#: parallelism and tokens on their way to experts are needed at once.
HIDDEN = ("context_parallel", "data_parallel")


@dataclass(frozen=True)
class TrainingStep:
    """One training step; arrays where the run had arrays."""

    run: Run
    gpus: Quantity
    """t·p·c·N_d."""
    tokens: Quantity
    """Tokens that the step trains on, all GPUs."""
    model_flop: Quantity
    """6 P T and attention (4 P T where adapters alone are trained, and theirs), all GPUs: what MFU counts (`model_flop`)."""
    compute_s: Quantity
    """What one GPU computes, alone."""
    wire_s: Mapping[str, Quantity]
    """Seconds on the wire by kind of parallelism (`KINDS`)."""
    bytes_on_wire: Mapping[str, Quantity]
    """Bytes that one GPU sends per step, by kind."""
    waiting_s: Quantity
    """Communication that no compute hides."""
    bubble_s: Quantity
    bound_s: Quantity
    """The step on links that take no time and chips that reach all of their roof: no such split is faster."""
    flop: Quantity
    """FLOP that one GPU does: what MFU counts, and what is recomputed."""
    moved_bytes: Quantity
    """Bytes between one GPU and its memory."""
    peak_flop_per_s: float
    """Of the precision of its matrix products."""

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
        """Model FLOP utilisation: `model_flop` over what the chips' peak would do in that time (arXiv 2204.02311, appendix B)."""
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
    bandwidth_efficiency: Quantity = BANDWIDTH_EFFICIENCY,
    half_square: bool = False,
    global_batch: Quantity | None = None,
) -> TrainingStep:
    """A step of `run` (its numbers may be arrays) on `chip`, wired as `fabric`.

    What a chip computes is `engine.work`'s, at `efficiency` of its peak and `bandwidth_efficiency` of its bandwidth; attention counts the whole
    square, with `half_square` what a causal mask keeps. `global_batch`: sequences a step; micro-batches follow from it, the last one may be
    partly empty. Without it the run's accumulation counts. Raises InputError for what cannot run.
    """
    run.check(arch)
    checks.one_of("overlap", overlap, OVERLAPS)
    checks.share("efficiency", efficiency)
    checks.share("bandwidth_efficiency", bandwidth_efficiency)
    checks.switch("half_square", half_square)
    run, sequences = _batches(run, global_batch)
    model = traffic(arch)
    d, t, p, c, m = (np.asarray(getattr(run, n), float) for n in ("data_parallel", *_SPLITS, "accumulation"))
    gpus = d * t * p * c
    each, at = _each(run)
    one = busy(arch, work.training(arch, each, half_square=half_square), chip, efficiency, bandwidth_efficiency)
    # of the fullest rank: `tokens` may be a little less
    compute, bound, flop, moved = (m / p * np.asarray(value)[at] for value in (one.seconds, one.bound_s, one.flop, one.bytes))
    sent, wire = _wires(arch, model, run, fabric, _parameters(arch, run))
    passes = 2.0 + run.trains_all + (run.recompute == "full")
    backward = (passes - 1.0) / passes * compute
    behind = np.where(np.asarray(run.zero) >= 3, compute, np.where(np.asarray(run.zero) == 2, backward, backward / m))
    waiting, inner = _waiting(compute, behind, wire, overlap)
    idle = volumes.bubble_fraction(p, m, np.asarray(run.virtual_stages, float))
    return TrainingStep(
        run=run,
        gpus=gpus[()],
        tokens=sequences * np.asarray(run.sequence, float),
        model_flop=sequences * model_flop(arch, run, half_square=half_square),
        compute_s=compute,
        wire_s=wire,
        bytes_on_wire=sent,
        waiting_s=waiting,
        bubble_s=idle * (compute + inner),
        bound_s=(1.0 + idle) * bound,
        flop=flop,
        moved_bytes=moved,
        peak_flop_per_s=roof(chip, work.compute_precision(*work.formats(run))).peak_flop_per_s,
    )


#: What a micro-batch on a rank depends on; a pipeline's stages share it.
_DECIDES = ("micro_batch", "sequence", "tensor_parallel", "context_parallel", "expert_parallel", "rank")


def _each(run: Run) -> tuple[Run, Any]:
    """The run with every different micro-batch on a rank once, all stages together, and which of them each entry of its arrays has."""
    alone: dict[str, Any] = {"pipeline_parallel": 1}
    several: dict[str, Any] = {}
    shape = run.shape
    code: Any = np.zeros(shape, int)
    for name in _DECIDES:
        if np.ndim(value := getattr(run, name)):
            each, at = np.unique(value, return_inverse=True)
            alone[name] = each[0]
            if len(each) > 1:
                code = code * len(each) + at.reshape(np.shape(value))
                several[name] = np.broadcast_to(value, shape)
    if not several:
        return replace(run, **alone), ...
    _codes, first, at = np.unique(code, return_index=True, return_inverse=True)
    return replace(run, **alone | {name: value.ravel()[first] for name, value in several.items()}), at.reshape(shape)


def model_flop(arch: Architecture, run: Run, *, half_square: bool = False) -> Quantity:
    """FLOP that training on one sequence needs, whoever does them: what MFU counts.

    Every weight matrix that multiplies a token, head included, three times (forward, and both products of the backward pass; frozen ones twice),
    attention's scores and sums over the whole square (half of it with `half_square`), recurrences and adapters. Not counted: what is
    recomputed, keys and values that several ranks make, elementwise work and look-ups (arXiv 2204.02311, appendix B).

    >>> from wallviz.engine.transformer import custom
    >>> llama = custom(layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn=14336, vocab=128256)
    >>> P, attention = llama.parameters - 128256 * 4096 - 65 * 4096, 12 * 32 * 4096 * 8192
    >>> model_flop(llama, Run(sequence=8192)) == 8192 * (6 * P + attention)
    True
    """
    alone = Run(sequence=run.sequence, method=run.method, rank=run.rank, targets=run.targets)
    return cast("Quantity", sum(op.flop for op in work.training(arch, alone, half_square=half_square) if op.id not in work.VECTORS))


_SPLITS = ("tensor_parallel", "pipeline_parallel", "context_parallel")


def _batches(run: Run, global_batch: Quantity | None) -> tuple[Run, Quantity]:
    """The run with the micro-batches that `global_batch` takes, and the sequences of a step."""
    if global_batch is None:
        return run, cast("Quantity", np.asarray(run.micro_batch, float) * run.accumulation * run.data_parallel)
    return of_step(run, global_batch), global_batch


def _parameters(arch: Architecture, run: Run) -> tuple[Quantity, Quantity]:
    """Dense and expert parameters of one rank, the mean of its pipeline's stages."""
    parts = [(held(arch, block, block.tensors, run), count) for block, count in arch.groups]
    outside = held(arch, None, arch.outer, run)
    dense = outside.dense + sum(part.dense * count for part, count in parts)
    experts = sum(part.experts * count for part, count in parts)
    return dense / run.pipeline_parallel, cast("Quantity", experts / run.pipeline_parallel)


def _wires(
    arch: Architecture, model: Traffic, run: Run, fabric: Fabric, parameters: tuple[Quantity, Quantity]
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
    sent["tensor_parallel"] = count * collectives.all_reduce_bytes(own * arch.hidden_size * q, t)
    wire["tensor_parallel"] = fabric.ring_s(sent["tensor_parallel"], t, fabric.members(t), 2.0 * count)

    ring = volumes.context_parallel_bytes(b, s, 1.0, model.kv_elements / 2.0 / p / np.minimum(t, model.kv_heads), c, q)
    sent["context_parallel"] = m * (forwards + 2.0) * ring
    wire["context_parallel"] = fabric.ring_s(sent["context_parallel"], c, fabric.members(c, t), m * (forwards + 2.0) * model.layers / p)

    sent["expert_parallel"] = wire["expert_parallel"] = 0.0 * own
    if model.expert_layers:
        calls = 2.0 * m * (forwards + 1.0) * model.expert_layers / p
        sent["expert_parallel"] = m * (forwards + 1.0) * volumes.expert_parallel_bytes(own / shared, 1.0, model.routed_elements / p, 1.0, e, q)
        wire["expert_parallel"] = fabric.all_to_all_s(sent["expert_parallel"], e, fabric.members(e, t), calls)

    sent["pipeline_parallel"] = np.where(p > 1, volumes.pipeline_bytes(1.0, own / shared, arch.hidden_size, m, v, q), 0.0)
    wire["pipeline_parallel"] = fabric.hop_s(sent["pipeline_parallel"], t * inner, p, 2.0 * m * v)

    (dense, experts), stage = parameters, np.asarray(run.zero)
    ranks, expert_ranks, stride = c * d, c * d / e, t * inner * p
    gathers = np.where(stage >= 3, m * 3.0 * model.layers / p, 2.0)  # ZeRO-3 gathers layer by layer
    near = np.minimum(ranks, fabric.members(inner, t) * fabric.members(ranks, stride))
    if run.trains_all:
        of_dense = volumes.accumulated_data_parallel_bytes(dense, weight, gradient, ranks, stage, m)
        of_experts = volumes.accumulated_data_parallel_bytes(experts, weight, gradient, expert_ranks, stage, m) if model.expert_layers else 0.0
    else:  # adapters have gradients; frozen weights are gathered where they are sharded
        adapters, q = lora.trainable(arch, run.targets, run.rank) / (t * p), DTYPES[run.adapter_dtype]
        of_dense = volumes.accumulated_data_parallel_bytes(adapters, q, q, ranks, np.minimum(stage, 2), m)
        of_dense = of_dense + volumes.gathered_bytes(dense, weight, ranks, stage, m)
        of_experts = volumes.gathered_bytes(experts, weight, expert_ranks, stage, m) if model.expert_layers else 0.0
    sent["data_parallel"], wire["data_parallel"] = of_dense, fabric.ring_s(of_dense, ranks, near, gathers)
    if model.expert_layers:
        sent["data_parallel"] = of_dense + of_experts
        far = fabric.members(expert_ranks, np.maximum(stride, t * e))
        wire["data_parallel"] = wire["data_parallel"] + fabric.ring_s(of_experts, expert_ranks, far, gathers)
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
