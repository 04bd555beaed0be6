"""Peak memory of a training step: the largest of three moments, not the sum of everything that ever lives.

The loss's backward (all activations alive), the end of the backward pass (all gradients alive), the optimizer step. Llama-3-8B at 4,096
tokens in pure bf16: the parts sum to 91.3 GiB, the peak is 76.4 GiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wallviz.engine.memory import activations, states
from wallviz.engine.memory.overheads import COMMUNICATOR_BYTES, CONTEXT_BYTES, RESERVED_RATIO
from wallviz.engine.memory.ranks import PipelineStage, has_experts, stage
from wallviz.engine.memory.run import DTYPES, NUMBERS, Run
from wallviz.engine.memory.terms import Condition, Quantity, Term, Terms, largest, only, plain, total
from wallviz.engine.transformer import Architecture, Recurrent
from wallviz.errors import InputError
from wallviz.i18n import N_

PARTS = ("weights", "gradients", "optimizer", "activations", "loss", "workspace")
PHASES = ("loss_backward", "end_of_backward", "optimizer_step")
HOST = "host"
"""Where offloading puts what is never on the GPU."""


@dataclass(frozen=True)
class Training:
    """Bytes of one training step on one GPU; arrays where the run had arrays."""

    arch: Architecture
    run: Run
    stage: Any
    """Pipeline stage that this is about, from 0."""
    alive: Mapping[str, Terms]
    """By phase (`PHASES`): the terms that are alive; empty where a sweep is over several pipeline stages, each of which has its own."""
    phase_parts: Mapping[str, Mapping[str, Quantity]]
    """By phase: what is alive, by part (`PARTS`); sums of the terms."""
    overhead_terms: Terms
    """On top of what the allocator hands out; empty where `alive` is."""
    overheads: Mapping[str, Quantity]
    """The same by part: context, communicators, fragmentation."""
    host_parts: Mapping[str, Quantity]
    """Host memory that offloading takes, per GPU, by part."""
    checkpoint_bytes: Quantity
    """A checkpoint on disk, of the whole model: weights, master copy and optimizer state."""
    error_band: float
    """Relative error that the measured runs stay within."""

    @property
    def terms(self) -> Terms:
        """Every term that is alive at the peak, then the overheads, for one run (no arrays); they sum to `peak_total_bytes`."""
        return tuple(term for term in (*self.alive[self._phase], *self.overhead_terms) if term.bytes)

    @property
    def elsewhere(self) -> dict[str, tuple[str, float]]:
        """Parts that are nothing at the peak but exist in the run, for one run: the phase at which they take most, and that many bytes.

        What never is on the GPU is in ``host`` memory.
        """
        found = {}
        for part in PARTS:
            amounts = {phase: float(parts[part]) for phase, parts in self.phase_parts.items()}
            if not any(amounts.values()):
                amounts[HOST] = float(self.host_parts.get(part, 0.0))
            place = max(amounts, key=amounts.__getitem__)
            if amounts[place] and not amounts[self._phase]:
                found[part] = (place, amounts[place])
        return found

    @property
    def _phase(self) -> str:
        if self.run.shape:
            raise InputError(N_("A sweep has terms for each of its runs: ask about one of them, without arrays."))
        return str(self.peak_phase)

    @property
    def host_bytes(self) -> Quantity:
        """Host memory that offloading takes, per GPU."""
        return sum(self.host_parts.values(), _shaped(0.0, self.run))

    @property
    def phases(self) -> dict[str, Quantity]:
        """Total bytes of each phase."""
        return {phase: sum(parts.values(), 0.0) for phase, parts in self.phase_parts.items()}

    @property
    def peak_allocated_bytes(self) -> Quantity:
        """What ``torch.cuda.max_memory_allocated`` would report."""
        return largest(*self.phases.values())

    @property
    def peak_reserved_bytes(self) -> Quantity:
        """What the allocator holds: allocated and fragmentation. This is what runs out."""
        return self.peak_allocated_bytes + self.overheads["fragmentation"]

    @property
    def peak_total_bytes(self) -> Quantity:
        """What the device shows: reserved, and what stands beside the allocator: the CUDA context, the communicators."""
        return self.peak_reserved_bytes + sum((size for part, size in self.overheads.items() if part != "fragmentation"), 0.0)

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


def train(arch: Architecture, run: Run | None = None, **changes: Any) -> Training:
    """The footprint of training or fine-tuning `arch` as `run` says; `changes` replace fields of it.

    Raises InputError for what cannot run.
    """
    run = replace(run or Run(), **changes)
    run.check(arch)
    if not run.shape:
        return _worst(arch, run, int(run.pipeline_parallel), int(run.virtual_stages))
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
    groups = {**answer.phase_parts, "overheads": answer.overheads, "host": answer.host_parts}
    flat: dict[tuple[str, ...], Any] = {(group, name): value for group, parts in groups.items() for name, value in parts.items()}
    return flat | {("checkpoint",): answer.checkpoint_bytes, ("stage",): answer.stage}


def _unflat(like: Training, flat: Mapping[tuple[str, ...], Any], run: Run) -> Training:
    return replace(
        like,
        run=run,
        stage=flat["stage",],
        alive={},
        overhead_terms=(),
        phase_parts={phase: {part: flat[phase, part] for part in PARTS} for phase in PHASES},
        overheads={name: flat["overheads", name] for name in like.overheads},
        host_parts={part: flat["host", part] for part in like.host_parts},
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


# ---------------------------------------------------------------- one stage


def _on(arch: Architecture, run: Run, current: PipelineStage, chunks: int) -> Training:
    """One stage of a pipeline: its terms, by when they are alive."""
    kept = states.of_rank(arch, run, current)
    logits, logit_gradients, logits_after = activations.losses(arch, run) if current.last else ((), (), ())
    working = (*kept.buffers, *kept.gathered)

    # Two moments compete at the end of the backward pass: the embedding's own (its gradient completes them all), and, with full recomputation,
    # that of the layer before it, whose activations were just made again and whose feed-forward gradients are alive.
    ended = (*kept.gradients, activations.stream_gradient(arch, run))
    if run.recompute == "full":
        present = (*only(kept.gradients, kept.static), *only(kept.early_gradients, _not(kept.static)))
        in_layer = (*present, *activations.recomputed(arch, run, current))
        at_layer = total(in_layer) > total(ended)
        ended = (*only(in_layer, at_layer), *only(ended, _not(at_layer)))
    alive = {
        "loss_backward": (
            *(*kept.weights, *only(kept.gradients, kept.static), *kept.optimizer),
            *(*activations.of_stage(arch, run, current, chunks), *logits, *logit_gradients, *working, *kept.casts),
        ),
        "end_of_backward": (*kept.weights, *kept.optimizer, *ended, *logits_after, *working),
        "optimizer_step": (*kept.weights, *kept.gradients, *kept.optimizer, *logits_after, *kept.buffers, *kept.updated),
    }
    phase_parts = {phase: {part: _shaped(total(terms, part), run) for part in PARTS} for phase, terms in alive.items()}
    overheads = _overheads(run, largest(*(sum(parts.values(), 0.0) for parts in phase_parts.values())))
    return Training(
        arch,
        run,
        current.index,
        alive,
        phase_parts,
        overheads,
        {part: _shaped(total(overheads, part), run) for part in dict.fromkeys(term.part for term in overheads)},
        {part: _shaped(total(kept.host, part), run) for part in PARTS[:3] if run.offload != "none"},
        _shaped(_checkpoint(arch, run), run),
        0.15 if any(isinstance(block.mixer, Recurrent) for block, _n in arch.groups) else 0.05 if has_experts(arch) else 0.03,
    )


def _shaped(value: Quantity, run: Run) -> Quantity:
    """Bytes in the shape of the run's numbers."""
    return value if np.shape(value) == run.shape else np.broadcast_to(np.asarray(value, float), run.shape)


def _not(condition: Condition) -> Condition:
    return not condition if isinstance(condition, bool) else ~condition


def _overheads(run: Run, allocated: Quantity) -> Terms:
    degrees = (run.data_parallel, run.tensor_parallel, run.pipeline_parallel, run.context_parallel, run.expert_parallel)
    groups = sum((plain(np.asarray(degree) > 1) for degree in degrees), 0.0)
    return (
        Term(N_("CUDA context"), "context", "constant", {"constant": CONTEXT_BYTES}, N_("estimate: about 0.3 GB on every GPU")),
        Term(
            N_("communicators"),
            "communicators",
            "n·communicator",
            {"n": groups, "communicator": COMMUNICATOR_BYTES},
            N_("estimate: 0.5 to 0.7 GB per NCCL communicator"),
        ),
        Term(
            N_("reserved, not in use"),
            "fragmentation",
            f"({RESERVED_RATIO} − 1)·allocated",
            {"allocated": allocated},
            N_("measured: reserved over allocated, SimuMax on B200"),
        ),
    )


# ---------------------------------------------------------------- on disk


def _checkpoint(arch: Architecture, run: Run) -> Quantity:
    """The whole model on disk: weights, master copy, optimizer state; adapters and their state alone under LoRA."""
    formats = run.formats
    if not run.trains_all:
        adapters = states.adapters(replace(run, tensor_parallel=1), stage(arch, 0, 1))
        return DTYPES[run.adapter_dtype] * adapters["P_adapter"] + total(states.adapter_optimizer(run, adapters))
    rank = plain(run.galore_rank)
    tensors = [(block.tensors, count) for block, count in arch.groups] + [(arch.outer, 1)]
    state = sum((count * states.optimizer_state(these, run.optimizer, formats.optimizer_state, rank) for these, count in tensors), 0.0)
    return arch.parameters * (DTYPES[formats.weights] + DTYPES[formats.master]) + state
