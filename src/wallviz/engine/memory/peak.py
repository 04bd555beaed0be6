"""Peak memory of a training step: the largest of three moments, not the sum of everything that ever lives.

The loss's backward (all activations alive), the end of the backward pass (all gradients alive), the optimizer step. Llama-3-8B at 4,096
tokens in pure bf16: the parts sum to 91.3 GiB, the peak is 76.4 GiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from wallviz.engine.memory import activations, lora, states
from wallviz.engine.memory.overheads import COMMUNICATOR_BYTES, CONTEXT_BYTES, RESERVED_RATIO
from wallviz.engine.memory.quantization import bits_per_weight
from wallviz.engine.memory.ranks import Held, Stage, distinct_linear, has_experts, held, stage
from wallviz.engine.memory.run import DTYPES, NUMBERS, Run
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.transformer import Architecture, Recurrent

PARTS = ("weights", "gradients", "optimizer", "activations", "loss", "workspace")
PHASES = ("loss_backward", "end_of_backward", "optimizer_step")


@dataclass(frozen=True)
class Training:
    """Bytes of one training step on one GPU; arrays where the run had arrays."""

    arch: Architecture
    run: Run
    stage: Any
    """Pipeline stage that this is about, from 0."""
    phase_parts: Mapping[str, Mapping[str, Quantity]]
    """By phase (`PHASES`): what is alive, by part (`PARTS`)."""
    overheads: Mapping[str, Quantity]
    """On top of what the allocator hands out: context, communicators, fragmentation."""
    host_bytes: Quantity
    """Host memory that offloading takes, per GPU."""
    checkpoint_bytes: Quantity
    """A checkpoint on disk, of the whole model: weights, master copy and optimizer state."""
    error_band: float
    """Relative error that the measured runs stay within."""

    @property
    def phases(self) -> dict[str, Quantity]:
        """Total bytes of each phase."""
        return {phase: states.total(parts.values()) for phase, parts in self.phase_parts.items()}

    @property
    def peak_allocated_bytes(self) -> Quantity:
        """What ``torch.cuda.max_memory_allocated`` would report."""
        return _largest(*self.phases.values())

    @property
    def peak_reserved_bytes(self) -> Quantity:
        """What the allocator holds: allocated and fragmentation. This is what runs out."""
        return self.peak_allocated_bytes + self.overheads["fragmentation"]

    @property
    def peak_total_bytes(self) -> Quantity:
        """What the device shows: reserved, the CUDA context and the communicators."""
        return self.peak_reserved_bytes + self.overheads["context"] + self.overheads["communicators"]

    @property
    def _peak_index(self) -> Any:
        return np.argmax(np.stack(np.broadcast_arrays(*self.phases.values())), axis=0)

    @property
    def peak_phase(self) -> Any:
        """The phase at which the peak stands (an array of indices into `PHASES` for arrays)."""
        index = self._peak_index
        return PHASES[int(index)] if index.ndim == 0 else index

    @property
    def parts(self) -> dict[str, Quantity]:
        """What is alive at the peak, by part; they sum to `peak_allocated_bytes`."""
        index = self._peak_index
        return {part: np.choose(index, np.broadcast_arrays(*(self.phase_parts[phase][part] for phase in PHASES))) for part in PARTS}


def _largest(*values: Quantity) -> Quantity:
    """The largest of several, element by element."""
    most = values[0]
    for value in values[1:]:
        most = np.maximum(most, value)
    return most


def train(arch: Architecture, run: Run | None = None, **changes: Any) -> Training:
    """The footprint of training or fine-tuning `arch` as `run` says; `changes` replace fields of it.

    Raises InputError for what cannot run.
    """
    run = replace(run or Run(), **changes)
    run.check(arch)
    stages = np.unique(
        np.stack([a.ravel() for a in np.broadcast_arrays(np.asarray(run.pipeline_parallel), np.asarray(run.virtual_stages))], axis=1), axis=0
    )
    if len(stages) == 1:
        return _worst(arch, run, int(stages[0][0]), int(stages[0][1]))
    return _each_pipeline(arch, run, stages)


def _each_pipeline(arch: Architecture, run: Run, stages: np.ndarray[Any, Any]) -> Training:
    """Arrays of pipeline depths: each depth on its own, put back in place."""
    shape = run.shape
    numbers = {name: np.broadcast_to(getattr(run, name), shape) for name in NUMBERS}
    out: dict[tuple[str, ...], Any] = {}
    answer = None
    for depth, chunks in stages:
        mask = (numbers["pipeline_parallel"] == depth) & (numbers["virtual_stages"] == chunks)
        answer = _worst(arch, replace(run, **{name: value[mask] for name, value in numbers.items()}), int(depth), int(chunks))
        for key, value in _flat(answer).items():
            out.setdefault(key, np.zeros(shape))[mask] = value
    assert answer is not None  # noqa: S101 - there is at least one depth
    return _unflat(answer, out, run)


def _flat(answer: Training) -> dict[tuple[str, ...], Any]:
    flat: dict[tuple[str, ...], Any] = {(phase, part): value for phase, parts in answer.phase_parts.items() for part, value in parts.items()}
    flat |= {("overheads", name): value for name, value in answer.overheads.items()}
    return flat | {("host",): answer.host_bytes, ("checkpoint",): answer.checkpoint_bytes, ("stage",): answer.stage}


def _unflat(like: Training, flat: Mapping[tuple[str, ...], Any], run: Run) -> Training:
    return replace(
        like,
        run=run,
        stage=flat["stage",],
        phase_parts={phase: {part: flat[phase, part] for part in PARTS} for phase in PHASES},
        overheads={name: flat["overheads", name] for name in like.overheads},
        host_bytes=flat["host",],
        checkpoint_bytes=flat["checkpoint",],
    )


def _worst(arch: Architecture, run: Run, depth: int, chunks: int) -> Training:
    """The stage that was asked about; the largest peak where that is the worst one."""
    if depth == 1 or run.stage in ("first", "last") or run.stage.isdigit():
        index = {"first": 0, "last": depth - 1, "worst": 0}.get(run.stage)
        return _on(arch, run, stage(arch, int(run.stage) if index is None else index, depth, chunks), chunks)
    if len(arch.groups) == 1:  # equal layers: a stage in between holds no more than the first, whose micro-batches in flight are the most
        asked: Iterable[int] = (0, depth - 1)
    else:
        asked = range(depth) if depth <= 16 else sorted({*range(8), *range(8, depth, max(1, depth // 8)), depth - 2, depth - 1})
    answers = [_on(arch, run, stage(arch, i, depth, chunks), chunks) for i in asked]
    peaks = np.stack(np.broadcast_arrays(*(answer.peak_total_bytes for answer in answers)))
    best = np.argmax(peaks, axis=0)
    if best.ndim == 0:
        return answers[int(best)]
    flats = [_flat(answer) for answer in answers]
    return _unflat(
        answers[0], {key: np.choose(best, np.broadcast_arrays(*(np.broadcast_to(f[key], best.shape) for f in flats))) for key in flats[0]}, run
    )


@dataclass(frozen=True, slots=True)
class _States:
    """Model states of one rank, bytes: what stays, and what a phase adds."""

    weights: Quantity
    gradients: Quantity
    optimizer: Quantity
    gathered: Quantity
    host: Quantity
    updated: Quantity
    """What the optimizer step writes, in the format of its master copy: the size of foreach's temporaries."""
    static_gradients: Quantity
    late_gradients: Quantity
    """Gradients of the embedding and one layer, which do not exist yet while the last layer's backward runs."""


def _on(arch: Architecture, run: Run, current: Stage, chunks: int) -> Training:
    """One stage of a pipeline."""
    tokens, formats = run.tokens(), run.formats
    kept = _states(arch, run, current)
    saved, one_layer, backward = _activations(arch, run, current, chunks)
    loss_saved, loss_peak, loss_alive = (n * tokens / run.tensor_parallel for n in activations.logits(arch, run)) if current.last else (0.0, 0.0, 0.0)
    fused_step = run.optimizer_step == "fused"
    buffers = 2.0 * distinct_linear(current) / run.tensor_parallel if run.kernels == "transformer-engine" and not has_experts(arch) else 0.0
    linear = states.total(held(arch, block, block.tensors, run).linear * count for block, count in current.groups)
    casts = 2.0 * linear if formats.autocast and run.trains_all else 0.0
    dequantized = (
        2.0 * max((t.size for block, _n in current.groups for t in block.tensors if t.linear), default=0) / run.tensor_parallel
        if run.method == "qlora"
        else 0.0
    )
    working = buffers + kept.gathered + dequantized

    stream = (4.0 if formats.weights == "fp32" else 2.0) * arch.hidden_size * tokens
    full = run.recompute == "full"
    # Two moments compete at the end of the backward pass: the embedding's own (its gradient completes them all), and, with full
    # recomputation, that of the last layer, whose activations were just made again and whose feed-forward gradients are alive.
    embedding_moment = kept.gradients + stream
    layer_moment = np.where(kept.static_gradients, kept.gradients, kept.gradients - kept.late_gradients) + one_layer + backward
    at_layer = np.asarray(layer_moment > embedding_moment) if full else np.asarray(False)  # noqa: FBT003
    phase_parts = {
        "loss_backward": {
            "weights": kept.weights,
            "gradients": np.where(kept.static_gradients, kept.gradients, 0.0),
            "optimizer": kept.optimizer,
            "activations": saved,
            "loss": loss_saved + loss_peak,
            "workspace": working + casts,
        },
        "end_of_backward": {
            "weights": kept.weights,
            "gradients": np.where(at_layer & ~np.asarray(kept.static_gradients), kept.gradients - kept.late_gradients, kept.gradients),
            "optimizer": kept.optimizer,
            "activations": np.where(at_layer, one_layer + backward, stream),
            "loss": loss_alive,
            "workspace": working,
        },
        "optimizer_step": {
            "weights": kept.weights,
            "gradients": kept.gradients,
            "optimizer": kept.optimizer,
            "activations": 0.0,
            "loss": loss_alive,
            "workspace": buffers + (0.0 if fused_step else kept.updated),
        },
    }
    shape = run.shape
    phase_parts = {
        phase: {part: np.broadcast_to(np.asarray(value, float), shape) for part, value in parts.items()} for phase, parts in phase_parts.items()
    }
    peak = _largest(*(states.total(parts.values()) for parts in phase_parts.values()))
    degrees = (run.data_parallel, run.tensor_parallel, run.pipeline_parallel, run.context_parallel, run.expert_parallel)
    communicators: Quantity = COMMUNICATOR_BYTES * states.total(np.asarray(np.asarray(n) > 1, float) for n in degrees)
    return Training(
        arch,
        run,
        current.index,
        phase_parts,
        {
            "context": CONTEXT_BYTES + 0.0 * peak,
            "communicators": communicators + 0.0 * peak,
            "fragmentation": (RESERVED_RATIO - 1.0) * peak,
        },
        kept.host + 0.0 * peak,
        _checkpoint(arch, run) + 0.0 * peak,
        0.15 if any(isinstance(block.mixer, Recurrent) for block, _n in arch.groups) else 0.05 if has_experts(arch) else 0.03,
    )


def _states(arch: Architecture, run: Run, current: Stage) -> _States:
    formats, zero = run.formats, np.asarray(run.zero)
    ranks = np.asarray(run.context_parallel, float) * run.data_parallel
    expert_ranks = ranks / run.expert_parallel
    w, q, m = DTYPES[formats.weights], DTYPES[formats.gradients], DTYPES[formats.master]
    blocks = [(held(arch, block, block.tensors, run), count) for block, count in current.groups]
    outside = held(arch, None, current.outer, run)
    dense = outside.dense + states.total(part.dense * count for part, count in blocks)
    experts = states.total(part.experts * count for part, count in blocks)
    base = _Base.of(run, w)
    weights_dense, weights_experts = base.bytes(dense, blocks), base.expert_bytes(experts)

    def shard(of_dense: Quantity, of_experts: Quantity, stage_from: int) -> Quantity:
        return states.sharded(of_dense, ranks, zero >= stage_from) + states.sharded(of_experts, expert_ranks, zero >= stage_from)

    if run.trains_all:
        per_dense, per_experts = _optimizer_totals(run, current, blocks, outside)
        optimizer = shard(per_dense + m * dense, per_experts + m * experts, 1)
        gradients = shard(q * dense, q * experts, 2)
        updated = shard((m or w) * dense, (m or w) * experts, 1)
        weights = shard(weights_dense, weights_experts, 3)
        late = shard(q * _late(arch, run, current), 0.0, 2)
    else:
        adapter = _adapter_parameters(run, current)
        a = DTYPES[run.adapter_dtype]
        optimizer = shard(_adapter_optimizer(run, current) * a, 0.0, 1)
        gradients = shard(a * adapter, 0.0, 2)
        updated = shard(a * adapter, 0.0, 1)
        weights = shard(weights_dense + a * adapter, weights_experts, 3)
        late = np.asarray(0.0)
    unit = _largest(_largest_table(current, run) * w, *(base.bytes(part.dense, [(part, 1)]) for part, _n in blocks))
    routed = _largest(0.0, *(base.expert_bytes(part.experts) for part, _n in blocks))
    lacking = states.gathered(unit, weights_dense, ranks) + states.gathered(routed, weights_experts, expert_ranks)
    gathered = np.where(zero >= 3, lacking, 0.0)
    host: Quantity = 0.0
    if run.offload != "none":
        host = optimizer + np.where(zero >= 2, gradients, 0.0)
        optimizer = np.zeros_like(np.asarray(optimizer, float))
        gradients = np.where(zero >= 2, np.minimum(gradients, shard(late if run.trains_all else gradients, 0.0, 2)), gradients)
    if run.offload == "parameters":
        host = host + weights
        gathered = np.where(zero >= 3, gathered, np.minimum(2.0 * unit, weights))
        weights = np.zeros_like(np.asarray(weights, float))
    static = (np.asarray(run.accumulation) > 1) | (run.kernels == "transformer-engine") | ((ranks > 1) & (zero <= 2))
    return _States(weights, gradients, optimizer, gathered, host, updated, static, np.minimum(late, gradients))


@dataclass(frozen=True, slots=True)
class _Base:
    """Bytes of the base weights: their format, or NF4 with double quantization for linear layers under QLoRA (arXiv 2305.14314, section 3)."""

    w: float
    linear: float

    @classmethod
    def of(cls, run: Run, w: float) -> _Base:
        return cls(w, bits_per_weight("nf4-dq") / 8 if run.method == "qlora" else w)

    def bytes(self, dense: Quantity, blocks: list[tuple[Held, int]]) -> Quantity:
        """Dense weights, of which the linear ones of layers may be quantized."""
        if self.linear == self.w:
            return self.w * dense
        quantized = states.total((part.linear - part.experts) * count for part, count in blocks)
        return self.w * (dense - quantized) + self.linear * quantized

    def expert_bytes(self, experts: Quantity) -> Quantity:
        """Routed experts."""
        return self.linear * experts


def _optimizer_totals(run: Run, current: Stage, blocks: list[tuple[Held, int]], outside: Held) -> tuple[Quantity, Quantity]:
    """Optimizer state of a rank before ZeRO: that of dense tensors and that of experts, scaled as their parameters are split."""
    dtype, rank = run.formats.optimizer_state, int(np.max(run.galore_rank))
    of_dense: Quantity = 0.0
    of_experts: Quantity = 0.0
    pairs = [(block.tensors, part, count) for (block, count), (part, _n) in zip(current.groups, blocks, strict=True)]
    for tensors, part, count in [*pairs, (current.outer, outside, 1)]:
        routed = tuple(t for t in tensors if t.component == "routed_experts")
        others = tuple(t for t in tensors if t.component != "routed_experts")
        for group, mine, dense_group in ((others, part.dense, True), (routed, part.experts, False)):
            size = float(sum(t.size for t in group))
            if not size:
                continue
            got = states.optimizer_bytes_of(group, run.optimizer, dtype, rank) * count * mine / size
            of_dense, of_experts = (of_dense + got, of_experts) if dense_group else (of_dense, of_experts + got)
    return of_dense, of_experts


def _largest_table(current: Stage, run: Run) -> Quantity:
    """The largest tensor outside the layers, parameters on one rank: gathered as a unit of its own."""
    return max((t.size for t in current.outer), default=0) / run.t


def _late(arch: Architecture, run: Run, current: Stage) -> Quantity:
    """Parameters whose gradients complete last: an untied embedding and the first layer."""
    embedding = states.total(t.size for t in current.outer if t.component == "embedding") if current.first and not arch.tied else 0.0
    first = held(arch, current.groups[0][0], current.groups[0][0].tensors, run).dense if current.groups else 0.0
    return embedding / run.t + first


def _adapters(run: Run, current: Stage) -> tuple[int, int]:
    """Adapters of a stage: how many, and the sum of d_in + d_out over them."""
    targets = [(count, tensor) for block, count in current.groups for tensor in lora.adapted(block, run.targets)]
    return sum(count for count, _t in targets), sum(count * sum(tensor.shape) for count, tensor in targets)


def _adapter_parameters(run: Run, current: Stage) -> Quantity:
    """Adapter parameters on one rank; tensor parallelism splits them with the layers that they adapt."""
    return np.asarray(run.rank, float) * _adapters(run, current)[1] / run.t


def _adapter_optimizer(run: Run, current: Stage) -> Quantity:
    """Optimizer state of the adapters over their element size: PyTorch keeps it in the adapters' own format."""
    if run.optimizer == "adafactor":  # a row and a column sum for each of two matrices
        count, widths = _adapters(run, current)
        sums: Quantity = widths + 2.0 * count * np.asarray(run.rank, float)
        return 4.0 * sums / DTYPES[run.adapter_dtype] / run.t
    elements = {"sgd": 0.0, "momentum": 1.0, "lion": 1.0, "muon": 1.0}.get(run.optimizer, 2.0)
    scale = states.INT8_STATE_BYTES / DTYPES[run.adapter_dtype] if run.formats.optimizer_state == "int8" else 1.0
    return elements * scale * _adapter_parameters(run, current)


def _activations(arch: Architecture, run: Run, current: Stage, chunks: int) -> tuple[Quantity, Quantity, Quantity]:
    """Activations of a stage at their most, those of its largest layer, and the feed-forward gradients of that layer; bytes."""
    tokens = run.tokens()
    layers: Quantity = 0.0
    largest: Quantity = 0.0
    gradients: Quantity = 0.0
    for block, count in current.groups:
        layers = layers + count * activations.per_rank(activations.kept(arch, block, run), run) * tokens
        largest = np.maximum(largest, activations.per_rank(activations.layer(arch, block, run), run) * tokens)
        gradients = np.maximum(gradients, activations.feed_forward_gradients(arch, block, run) * tokens / run.t)
    outer: Quantity = 8.0 * tokens if current.first else 0.0  # token ids
    if current.first and run.dropout:
        outer = outer + arch.hidden_size * tokens
    if current.last:
        outer = outer + activations.per_rank(activations.final(arch, run), run) * tokens
    outer = outer + _rotary(arch, run)
    return current.in_flight(np.asarray(run.accumulation, float), chunks) * layers + outer, largest, gradients


def _rotary(arch: Architecture, run: Run) -> Quantity:
    """Tables of cosines and sines, 4ds bytes in 16 bits, where positions are rotary: no table or bias of positions among the tensors."""
    if arch.norm != "rms" or any("position" in t.name or t.name == "wpe" or "relative" in t.name for t in arch.outer):
        return 0.0
    d: float = next(
        (getattr(block.mixer, "rope_dim", 0) or getattr(block.mixer, "head_dim", 0) for block, _n in arch.groups if block.mixer is not None), 0
    )
    each = 2.0 * activations.Kernels.of(arch, run).e
    tokens: Quantity = np.asarray(run.sequence, float) / np.asarray(run.context_parallel, float)
    return each * d * tokens


def _checkpoint(arch: Architecture, run: Run) -> float:
    """The whole model on disk: weights, master copy, optimizer state; adapters and their state alone under LoRA."""
    formats = run.formats
    if not run.trains_all:
        one = replace(run, tensor_parallel=1, pipeline_parallel=1, context_parallel=1, expert_parallel=1, data_parallel=1)
        a, whole = DTYPES[run.adapter_dtype], stage(arch, 0, 1)
        return float(np.max(a * _adapter_parameters(one, whole) + a * _adapter_optimizer(one, whole)))
    state = _optimizer_on_disk(arch, run.optimizer, formats.optimizer_state, int(np.max(run.galore_rank)))
    return arch.parameters * (DTYPES[formats.weights] + DTYPES[formats.master]) + state


@lru_cache(maxsize=1024)
def _optimizer_on_disk(arch: Architecture, optimizer: str, dtype: str, galore_rank: int) -> float:
    layers = sum(count * states.optimizer_bytes_of(block.tensors, optimizer, dtype, galore_rank) for block, count in arch.groups)
    return layers + states.optimizer_bytes_of(arch.outer, optimizer, dtype, galore_rank)
