"""One step of a model on one chip under the roof: how long each operation takes, what bounds it, how many tokens come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wallviz import checks
from wallviz.engine import work
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.terms import Quantity, plain
from wallviz.engine.roofline.batch import critical_batch
from wallviz.engine.roofline.roof import Roof, roof, word
from wallviz.engine.transformer import Architecture, Experts
from wallviz.engine.work import Operation, operations
from wallviz.errors import InputError
from wallviz.i18n import N_


@dataclass(frozen=True, slots=True)
class Timed:
    """An operation with the time that the roof allows it."""

    operation: Operation
    roof: Roof
    time_s: Quantity
    bound: str | NDArray[np.str_]
    """``compute`` or ``bandwidth``."""

    @property
    def flop_per_s(self) -> Quantity:
        """The rate that the roof allows."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return plain(np.where(np.asarray(self.time_s) > 0, np.asarray(self.operation.flop) / self.time_s, 0.0))


@dataclass(frozen=True, slots=True)
class StepBound:
    """A step of `phase` on one GPU (of `tensor_parallel`), as a bound: no chip is faster, real ones are slower. Arrays where the input was one."""

    phase: str
    operations: tuple[Timed, ...]
    """In the order in which a token meets them."""
    tokens: Quantity
    """Tokens that the step reads (prefill, training) or writes (decode)."""
    time_s: Quantity
    """Sum over operations of max(FLOP / peak, bytes / bandwidth): one after another."""
    compute_s: Quantity
    """Sum of FLOP / peak: what arithmetic alone takes."""
    memory_s: Quantity
    """Sum of bytes / bandwidth: what moving them alone takes."""
    flop: Quantity
    bytes: Quantity
    bound: str | NDArray[np.str_]
    """What takes longer over the whole step: ``compute`` or ``bandwidth``."""
    roof: Roof
    """The roof of the matmuls' precision."""
    critical_batch: float
    """Tokens at once from which every weight matmul is bound by compute: peak x bytes a weight / (2 x bandwidth), times E/k with experts."""
    notes: tuple[str, ...] = ()
    """What to know: sentences marked for translation."""

    @property
    def overlap_time_s(self) -> Quantity:
        """The longer of both: had every transfer hidden behind arithmetic, the lowest bound."""
        return plain(np.maximum(self.compute_s, self.memory_s))

    @property
    def tokens_per_s(self) -> Quantity:
        """Tokens per second of all sequences."""
        return plain(self.tokens / np.asarray(self.time_s))

    @property
    def arithmetic_intensity(self) -> Quantity:
        """FLOP per byte of the whole step."""
        return plain(np.asarray(self.flop) / self.bytes)

    @property
    def ridge(self) -> float:
        """FLOP per byte that the chip needs to be bound by compute."""
        return self.roof.ridge

    @property
    def attention_bytes(self) -> Quantity:
        """Bytes that attention and recurrent states move: in decoding, the KV cache."""
        found = [t.operation.bytes for t in self.operations if t.operation.id in (*work.CORE, "state_space")]
        return plain(np.sum(np.broadcast_arrays(0.0, *found), axis=0))

    @property
    def kv_share(self) -> Quantity:
        """Share of the bytes that attention and states move."""
        return plain(np.asarray(self.attention_bytes) / self.bytes)

    @property
    def mfu_bound(self) -> Quantity:
        """The most that model FLOP utilization can be: FLOP / (time x peak)."""
        return plain(np.asarray(self.flop) / (np.asarray(self.time_s) * self.roof.peak_flop_per_s))


def step(
    architecture: Architecture,
    chip: Accelerator,
    *,
    phase: str = "decode",
    batch: Quantity = 1,
    context: Quantity = 4096,
    weights: str = "bf16",
    kv: str = "bf16",
    activations: str = "bf16",
    tensor_parallel: int = 1,
    accumulate: str = "fp32",
    bytes_per_s: float | None = None,
    **options: Any,
) -> StepBound:
    """The roofline of one step: `operations` (whose arguments `options` are) on `chip`, with `bytes_per_s` instead of its memory's where given.

    Tensor parallelism divides the work of a GPU; its communication is on the scale-out page and not in here.

    >>> from datetime import date
    >>> from wallviz.engine.transformer import custom
    >>> h100 = Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), fp16_flop_per_s=989.4e12, memory_bytes_per_s=3.35e12)
    >>> llama = custom(layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn=14336, vocab=128256)
    >>> one = step(llama, h100, phase="decode", batch=1, context=8192)
    >>> one.bound, round(one.tokens_per_s), round(one.arithmetic_intensity, 1), round(one.ridge), round(one.critical_batch)
    ('bandwidth', 208, 1.2, 295, 295)
    >>> step(llama, h100, phase="prefill", context=8192).bound
    'compute'

    Raises InputError as `operations` and `roof` do.
    """
    checks.single("tensor_parallel", tensor_parallel)
    found = operations(
        architecture, phase, batch, context, weights=weights, kv=kv, activations=activations, tensor_parallel=tensor_parallel, **options
    )
    if not found:
        raise InputError(N_("{model} has no layers: nothing is computed."), model=architecture.name)
    precision = work.compute_precision(weights, activations)
    roofs = {p: roof(chip, p, accumulate=accumulate, bytes_per_s=bytes_per_s) for p in {precision, *(op.precision for op in found)}}
    timed = tuple(
        Timed(op, roofs[op.precision], roofs[op.precision].time_s(op.flop, op.bytes), roofs[op.precision].bound(op.flop, op.bytes)) for op in found
    )
    main = roofs[precision]
    compute_s = sum((np.asarray(t.operation.flop) / t.roof.peak_flop_per_s for t in timed), np.asarray(0.0))
    moved = sum((np.asarray(op.bytes) for op in found), np.asarray(0.0))
    memory_s = moved / main.bytes_per_s
    tokens = np.asarray(batch, float) * (1.0 if phase == "decode" else np.asarray(context, float))
    return StepBound(
        phase=phase,
        operations=timed,
        tokens=plain(tokens + 0.0 * moved),
        time_s=plain(sum((np.asarray(t.time_s) for t in timed), np.asarray(0.0))),
        compute_s=plain(compute_s),
        memory_s=plain(memory_s),
        flop=plain(sum((np.asarray(op.flop) for op in found), np.asarray(0.0))),
        bytes=plain(moved),
        bound=word(compute_s > memory_s),
        roof=main,
        critical_batch=_critical(architecture, weights, main),
        notes=_notes(architecture, weights, activations, tensor_parallel, tuple(roofs[p].note for p in roofs if p != "fp32" or p == precision)),
    )


def _critical(arch: Architecture, weights: str, main: Roof) -> float:
    experts = [(layer.mlp.count, layer.mlp.top_k) for layer, _times in arch.groups if isinstance(layer.mlp, Experts)]
    count, top_k = max(experts, key=lambda e: e[0] / e[1], default=(1, 1))
    return float(critical_batch(main.peak_flop_per_s, main.bytes_per_s, work.bytes_per_weight(arch, weights), experts=count, top_k=top_k))


def _notes(arch: Architecture, weights: str, activations: str, tensor_parallel: int, roofs: tuple[str, ...]) -> tuple[str, ...]:
    found = [note for note in dict.fromkeys(roofs) if note]
    if work.compute_precision(weights, activations) == "bf16" and weights.strip().lower() not in ("bf16", "fp16", "gguf:f16", "gguf:bf16"):
        found.append(N_("The weights alone are quantized: they are read in their format and computed with at the 16-bit peak."))
    if tensor_parallel > 1:
        found.append(N_("Time on the links between the GPUs is left out: the scale-out page adds it."))
    if any(getattr(layer.mixer, "index_dim", 0) for layer, _times in arch.groups):
        found.append(N_("Sparse attention is counted as if every cached token were read: an upper bound of its traffic."))
    if arch.vision_parameters:
        found.append(N_("The vision tower is left out: this is the language model."))
    return tuple(found)
