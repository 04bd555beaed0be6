"""What a model does in one step, operation by operation: the FLOP of each and the bytes that it moves between chip and memory, on one rank.

Every page, command and function takes its work from here: the roofline, scale-out, the remedies, chips side by side.
A matrix multiplication of m tokens with a weight of k inputs and n outputs is 2·m·k·n FLOP and reads and writes m·k + k·n + m·n values
(arXiv 2302.14017, section 2.2). A model's operations are therefore sums over its tensors, so that every architecture that
`wallviz.engine.transformer` reads has them. Symbols: B sequences, s tokens, T = B·s tokens at once, h hidden size, a query heads, g KV heads, d head
width, f feed-forward width, E experts of which a token uses k; t tensor, c context, e expert, p pipeline parallel ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from wallviz import checks
from wallviz.engine.memory import lora, quantization
from wallviz.engine.memory.activations import OUTPUT_NAMES, norms_of
from wallviz.engine.memory.kv_cache import cached_tokens, counted, entry_bytes, state_bytes
from wallviz.engine.memory.run import DTYPES, RECOMPUTE, Run, divides
from wallviz.engine.memory.serve import share
from wallviz.engine.memory.terms import Quantity, plain
from wallviz.engine.transformer import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Recurrent, Tensor
from wallviz.errors import InputError
from wallviz.i18n import N_

PHASES = ("prefill", "decode", "train")
KERNELS = ("flash", "eager", "fused")
#: Why such a model does not decode.
ENCODER_ALONE = N_("{model} has an encoder alone and generates no tokens: ask for prefill, which is one pass over its input.")
#: Bytes of one activation.
ACTIVATIONS: dict[str, float] = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}

#: Every operation by id, in the order in which a token meets them.
NAMES: dict[str, str] = {
    "embedding": N_("Embedding"),
    "projections": N_("Query, key and value projections"),
    "attention_scores": N_("Attention scores"),
    "attention_values": N_("Attention values"),
    "output_projection": N_("Attention output projection"),
    "state_projections": N_("State-space projections"),
    "state_space": N_("State-space scan"),
    "mlp": N_("Feed-forward"),
    "router": N_("Router"),
    "routed_experts": N_("Routed experts"),
    "shared_expert": N_("Shared expert"),
    "adapters": N_("Adapters"),
    "other": N_("Norms and other elementwise"),
    "lm_head": N_("Output head"),
}
#: The attention core: what selective recomputation makes again (arXiv 2205.05198, section 5).
CORE = ("attention_scores", "attention_values")
#: Linear layers, whose weights adapters leave frozen; and what no layer holds, so that recomputing the layers does not repeat it.
_LINEAR = ("projections", "output_projection", "state_projections", "mlp", "router", "routed_experts", "shared_expert", "lm_head")
_OUTSIDE = ("embedding", "lm_head")
#: Elementwise work and look-ups: in time they count by their bytes, and no utilization counts their FLOP.
VECTORS = ("other", "embedding")
#: The softmax of eager kernels, before it is added to the other elementwise work: it is recomputed with the core.
_SOFTMAX = "softmax"
#: The cross-attention of an encoder-decoder model, by the names that its classes use.
_CROSS = ("EncDecAttention.", "encoder_attn.")
#: What reads one position of each sequence: the first.
_POOLED = ("pooler", "classifier", "seq_relationship")
#: Linear layers that write the residual stream: split by rows, so that a rank reads a part of the input and writes all of the output.
_ROW_NAMES = frozenset({*OUTPUT_NAMES, "o_b_proj", "down_proj", "fc2", "fc_out", "wo", "dense_4h_to_h", "output.dense"})
#: Operations per element of the state and token, as a recurrence: decay, outer product, addition, read-out (arXiv 2312.00752, section 3;
#: 2405.21060; 2412.06464, which also reads the state with the key). An estimate: chunked kernels do more arithmetic and move less.
_STATE_FLOP = {"mamba": 6.0, "mamba2": 5.0, "linear": 5.0, "delta": 7.0}


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of work in a step, summed over all layers that do it, on one GPU."""

    id: str
    """A key of `NAMES`."""
    name: str
    """What it is called: a text marked for translation."""
    flop: Quantity
    """FLOP of the step."""
    bytes: Quantity
    """Bytes read and written."""
    precision: str
    """Number format of its arithmetic, a key of `wallviz.engine.hardware.PRECISIONS`."""

    @property
    def intensity(self) -> Quantity:
        """Arithmetic intensity, FLOP per byte; 0 where nothing is moved and nothing done, infinite where something is done and nothing moved."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return plain(np.where(np.asarray(self.flop) == 0, 0.0, np.divide(self.flop, self.bytes)))


def matmul(m: Quantity, k: Quantity, n: Quantity, *, a_bytes: float = 2.0, b_bytes: float | None = None, c_bytes: float | None = None) -> Operation:
    """[m, k] x [k, n]: 2·m·k·n FLOP; m·k + k·n + m·n values of `a_bytes`, `b_bytes` (the weights) and `c_bytes` each (arXiv 2302.14017, section 2.2).

    The projections of BERT-Base over 128 tokens, at one byte a value (table 3), and a per-token vector times a matrix:

    >>> round(matmul(128, 768, 768, a_bytes=1).intensity, 2), round(matmul(128, 768, 3072, a_bytes=1).intensity, 2)
    (192.0, 211.86)
    >>> round(matmul(1, 4096, 4096).intensity, 2)
    1.0
    """
    b = a_bytes if b_bytes is None else b_bytes
    c = a_bytes if c_bytes is None else c_bytes
    return Operation("matmul", N_("Matrix multiplication"), 2.0 * m * k * n, m * k * a_bytes + k * n * b + m * n * c, "bf16")


def distinct_experts(count: Quantity, top_k: Quantity, tokens: Quantity) -> Quantity:
    """Experts whose weights a batch touches, expected: E·(1 - (1 - k/E)^B).

    Each of B tokens picks k of the E experts, so one expert is passed over by a token with probability 1 - k/E and, where tokens choose
    independently and evenly, by all of them with (1 - k/E)^B; E experts miss that many on average. Real routers are uneven: fewer are touched.

    >>> distinct_experts(8, 2, 1), round(distinct_experts(256, 8, 64), 1)
    (2.0, 222.4)
    """
    return plain(count * (1.0 - (1.0 - np.divide(top_k, count)) ** np.asarray(tokens, float)))


def attended(tokens: Quantity, window: int | None = None, *, half: bool = False) -> Quantity:
    """Pairs of query and key of one sequence: s·min(s, w), the whole square, as papers count FLOP; with `half`, those that a causal mask keeps.

    Half the square is sum over i = 1..s of min(i, w) = w'·(w' + 1)/2 + (s - w')·w' with w' = min(s, w).

    >>> attended(4096), attended(4096, half=True), attended(4, 2), attended(4, 2, half=True)
    (16777216.0, 8390656.0, 8.0, 7.0)
    """
    s = np.asarray(tokens, float)
    kept = np.minimum(s, np.inf if window is None else window)
    return plain(kept * (kept + 1.0) / 2.0 + (s - kept) * kept if half else s * kept)


# ---------------------------------------------------------------- the weights, by what they do


@dataclass(slots=True)
class _Matrices:
    """Linear layers that do the same: sums over them, on one rank."""

    elements: Quantity = 0.0
    """Sum of k·n: 2·m of it are the FLOP of m tokens."""
    ends: Quantity = 0.0
    """Sum of k + n: values that each token reads and writes."""
    bytes: Quantity = 0.0
    """The weights as stored."""


@dataclass(slots=True)
class _Weights:
    """All weights of a model on one rank by (operation, side); side is decoder, encoder, cross (keys and values of the encoder's output) or
    once (a sequence)."""

    matrices: dict[tuple[str, str], _Matrices] = field(default_factory=dict)
    experts: dict[tuple[int, int, str], _Matrices] = field(default_factory=dict)
    """By (E, k, side); sums over all E."""
    small: dict[str, Quantity] = field(default_factory=dict)
    """Bytes of norms, biases and kernels, by side."""
    head: _Matrices | None = None
    row_bytes: float = 0.0
    """One row of the embedding table."""


def _operation_of(tensor: Tensor, layer: Layer | None) -> str:
    if tensor.component == "lm_head":
        return "lm_head"
    if tensor.component in ("attention", "other", "embedding"):
        output = tensor.name.rsplit(".", 1)[-1] in OUTPUT_NAMES and tensor.component == "attention"
        return "output_projection" if output else "projections"
    if tensor.component == "state_space":
        return "state_projections"
    if tensor.component == "mlp":
        return "shared_expert" if layer is not None and isinstance(layer.mlp, Experts) else "mlp"
    return tensor.component


def _side(tensor: Tensor, layer: Layer | None) -> str:
    if layer is None and tensor.name.startswith(_POOLED):
        return "once"
    if layer is not None and layer.encoder:
        return "encoder"
    return "cross" if tensor.name.startswith(_CROSS) and tensor.name.rsplit(".", 1)[-1] in ("k_proj", "v_proj", "k", "v") else "decoder"


@lru_cache(maxsize=512)
def _weights(arch: Architecture, format: str, tensor_parallel: int, sparsity: str | float | None = None, imatrix: bool = False) -> _Weights:
    found = _Weights()
    alike, times = (arch, (1,) * len(arch.layers)) if format.lower().startswith(quantization.GGUF) else _alike(arch)
    for one in quantization.stored(alike, format, sparsity=sparsity, imatrix=imatrix):
        tensor, layer = one.tensor, None if one.layer is None else alike.layers[one.layer]
        part = share(tensor, layer, tensor_parallel) * (1 if one.layer is None else times[one.layer])
        if tensor.component == "vision":
            continue
        if _is_table(tensor, arch):
            found.row_bytes = one.bytes / tensor.shape[0]
            if arch.tied:
                found.head = _Matrices(tensor.size * part, arch.hidden_size + arch.vocab * part, one.bytes * part)
        elif not tensor.linear:
            if layer is not None and tensor.component != "embedding":
                found.small[_side(tensor, layer)] = found.small.get(_side(tensor, layer), 0.0) + one.bytes * part
        elif tensor.component == "lm_head":
            found.head = _Matrices(tensor.size * part, tensor.shape[-1] + tensor.shape[-2] * part, one.bytes * part)
        else:
            group = _group(found, tensor, layer)
            outputs, inputs = tensor.shape[-2:]
            copies = 1 if one.layer is None else times[one.layer]
            row = outputs == arch.hidden_size and tensor.name.split(".", 1)[-1 if "." in tensor.name else 0] in _ROW_NAMES
            ends = inputs * part + outputs * copies if row else inputs * copies + outputs * part
            group.elements += tensor.size * part
            group.ends += ends * (1 if tensor.component == "routed_experts" else prod(tensor.shape[:-2]))
            group.bytes += one.bytes * part
    return found


@lru_cache(maxsize=128)
def _alike(arch: Architecture) -> tuple[Architecture, tuple[int, ...]]:
    """The model with equal layers once, and how often each comes: most formats store equal layers alike, a GGUF file does not."""
    return replace(arch, layers=tuple(layer for layer, _times in arch.groups)), tuple(times for _layer, times in arch.groups)


def _held(arch: Architecture, format: str, ranks: Quantity, sparsity: str | float | None, *, imatrix: bool) -> _Weights:
    """`_weights`, for one number of tensor parallel ranks or for each of an array of them."""
    if np.ndim(ranks) == 0:
        return _weights(arch, format, int(ranks), sparsity, imatrix)
    each, at = np.unique(ranks, return_inverse=True)
    held, at = [_weights(arch, format, int(n), sparsity, imatrix) for n in each], at.reshape(np.shape(ranks))

    def sums(of: list[_Matrices]) -> _Matrices:
        return _Matrices(*np.moveaxis(np.array([(one.elements, one.ends, one.bytes) for one in of])[at], -1, 0))

    heads = [one.head for one in held if one.head is not None]
    return _Weights(
        {key: sums([one.matrices[key] for one in held]) for key in held[0].matrices},
        {key: sums([one.experts[key] for one in held]) for key in held[0].experts},
        {side: np.array([one.small[side] for one in held])[at] for side in held[0].small},
        sums(heads) if heads else None,
        held[0].row_bytes,
    )


def _each(ranks: Quantity, of: Callable[[int], float]) -> Quantity:
    """`of` one number of ranks, or of each of an array of them."""
    if np.ndim(ranks) == 0:
        return of(int(ranks))
    each, at = np.unique(ranks, return_inverse=True)
    return np.array([of(int(n)) for n in each])[at.reshape(np.shape(ranks))]


def bytes_per_weight(arch: Architecture, format: str) -> float:
    """Bytes of one weight of the linear layers as stored, scales included, on average; embedding and head apart.

    >>> from wallviz.engine.transformer import custom
    >>> llama = custom(layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn=14336, vocab=128256)
    >>> bytes_per_weight(llama, "bf16"), bytes_per_weight(llama, "nf4")
    (2.0, 0.5625)
    """
    held = _weights(arch, _key(format), 1)
    groups = [*held.matrices.values(), *held.experts.values()]
    return float(sum(group.bytes for group in groups) / max(1.0, sum(group.elements for group in groups)))


def _key(format: str) -> str:
    text = str(format).strip()
    return text if text.lower().startswith(quantization.GGUF) else text.lower()


def _is_table(tensor: Tensor, arch: Architecture) -> bool:
    """The table of tokens."""
    return tensor.component == "embedding" and not tensor.linear and len(tensor.shape) == 2 and tensor.shape == (arch.vocab, arch.hidden_size)


def _group(found: _Weights, tensor: Tensor, layer: Layer | None) -> _Matrices:
    side = _side(tensor, layer)
    if tensor.component == "routed_experts" and layer is not None and isinstance(layer.mlp, Experts):
        return found.experts.setdefault((layer.mlp.count, layer.mlp.top_k, side), _Matrices())
    return found.matrices.setdefault((_operation_of(tensor, layer), side), _Matrices())


# ---------------------------------------------------------------- the operations


@dataclass(slots=True)
class _Sum:
    flop: Quantity = 0.0
    bytes: Quantity = 0.0
    there: bool = False
    """The model has such work."""

    def add(self, flop: Quantity, moved: Quantity) -> None:
        self.flop = self.flop + flop
        self.bytes = self.bytes + moved
        self.there = True

    def times(self, n: float) -> None:
        self.flop = self.flop * n
        self.bytes = self.bytes * n


@dataclass(frozen=True, slots=True)
class Adapters:
    """What fine-tuning trains in place of the weights (LoRA, arXiv 2106.09685)."""

    rank: Quantity = 16
    targets: str = "all"
    """One of `memory.run.TARGETS`."""
    bytes: float = 4.0
    """Of one of their parameters."""


def operations(
    architecture: Architecture,
    phase: str,
    batch: Quantity,
    context: Quantity,
    *,
    weights: str = "bf16",
    kv: str = "bf16",
    activations: str = "bf16",
    tensor_parallel: Quantity = 1,
    kernels: str = "flash",
    half_square: bool = False,
    recompute: str = "none",
    encoder_context: Quantity | None = None,
    vectors: bool = True,
    **options: Any,
) -> tuple[Operation, ...]:
    """The operations of one step of `architecture` on one rank, summed over all layers; those that the model does not have are left out.

    `phase` is ``prefill`` (the prompts of `batch` sequences of `context` tokens at once), ``decode`` (one token for each of `batch` sequences
    that have `context` tokens in the cache) or ``train`` (forward and backward of `batch` sequences of `context` tokens). `weights` is a
    format of `memory.quantization`, `kv` of `memory.kv_cache`, `activations` a key of `ACTIVATIONS`. Numbers may be arrays; `options` are the
    other ranks, the adapters and the pruned weights of `unchecked`.

    Kernels: ``flash`` never writes scores (arXiv 2205.14135); ``eager`` does, and elementwise work reads and writes them once more (2·a·s² a
    layer); ``fused`` also hides norms and activation functions in the matmuls, a lower bound. Elementwise traffic is 10·h + 2·f values a
    token and layer (two norms 4·h, two residual additions 6·h, the activation function 2·f, gated ones 3·f): at f = 4·h the 18·h of arXiv
    2302.14017. Attention over a prompt counts the whole s x s square, as the papers do; `half_square` counts what a causal mask keeps.
    The weights of norms and the biases are read too, unless `vectors` is off, as in the papers' tables.
    Training: the backward pass does both products of every matmul once more, twice the forward work and traffic; ``recompute="full"`` adds a
    forward pass of the layers (the head is none: arXiv 2104.04473, equation 3), ``"selective"`` one of the attention core. The optimizer's step
    is not in it. Logits are computed for the last position of a prompt, in training for all.
    A matmul runs at the precision of its wider operand: 4-bit weights under 16-bit activations are dequantized and computed in 16 bits.

    >>> from wallviz.engine.transformer import custom
    >>> llama = custom(layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn=14336, vocab=128256)
    >>> step = operations(llama, "decode", 1, 8192)
    >>> [op.id for op in step]
    ['embedding', 'projections', 'attention_scores', 'attention_values', 'output_projection', 'mlp', 'other', 'lm_head']
    >>> round(sum(op.bytes for op in step) / 1e9, 1), round(sum(op.flop for op in step) / 1e9, 1)
    (16.1, 19.3)

    Raises InputError for unknown phases, formats and kernels, numbers out of range, and decoding with a model that has no decoder.
    """
    phase, weights, activations = str(phase), str(weights).strip(), str(activations).strip().lower()
    _check(architecture, phase, batch, context, encoder_context, activations, tensor_parallel, kernels, recompute)
    checks.switch("half_square", half_square)
    checks.switch("vectors", vectors)
    return unchecked(
        architecture, phase, batch, context, weights=weights, kv=str(kv), activations=activations, tensor_parallel=tensor_parallel, kernels=kernels,
        half_square=half_square, recompute=recompute, encoder_context=encoder_context, vectors=vectors, **options,
    )  # fmt: skip


def unchecked(
    arch: Architecture, phase: str, batch: Quantity, context: Quantity, *, adapters: Adapters | None = None, **options: Any
) -> tuple[Operation, ...]:
    """`operations` for callers that checked what they ask; `batch` may be the mean of several micro-batches and no whole number.

    Tensor parallel: 1/t of linear layers and heads; norms and the residual stream are on each rank, unless `sequence_parallel` shares them
    (arXiv 2205.05198, section 4.2.2). Context parallel: 1/c of each sequence, whose queries still read all keys (arXiv 2310.01889). Expert
    parallel: E/e experts, which see the tokens of all e ranks: as many as the rank sends away. Pipeline parallel: the mean of the p stages.

    Decoding does `at_once` tokens of each sequence: more than one where drafts are checked; weights and cache are read once for all of them.
    `adapters` train in place of the weights: the backward pass of a frozen linear layer is one product and not two, for nobody asks for the
    weights' gradients; that of attention stays whole; the adapters' own three products come on top (arXiv 2106.09685, section 4.2).
    `sparsity` and `imatrix` are those of `memory.quantization`: of pruned weights only what is stored is read.
    """
    numbers = (batch, context, None if adapters is None else adapters.rank, *options.values())
    count: Callable[..., tuple[Operation, ...]] = _count if any(isinstance(number, np.ndarray) for number in numbers) else _counted
    return count(arch, phase, batch, context, adapters=adapters, **options)


def _count(
    arch: Architecture,
    phase: str,
    batch: Quantity,
    context: Quantity,
    *,
    weights: str = "bf16",
    kv: str = "bf16",
    activations: str = "bf16",
    tensor_parallel: Quantity = 1,
    sequence_parallel: bool = False,
    context_parallel: Quantity = 1,
    expert_parallel: Quantity = 1,
    pipeline_parallel: Quantity = 1,
    kernels: str = "flash",
    half_square: bool = False,
    recompute: str = "none",
    encoder_context: Quantity | None = None,
    vectors: bool = True,
    at_once: Quantity = 1,
    adapters: Adapters | None = None,
    sparsity: str | float | None = None,
    imatrix: bool = False,
) -> tuple[Operation, ...]:
    size, t = ACTIVATIONS[activations], tensor_parallel if np.ndim(tensor_parallel) else float(tensor_parallel)
    found: dict[str, _Sum] = {id: _Sum() for id in (*NAMES, _SOFTMAX)}
    held = _held(arch, _key(weights), t, sparsity, imatrix=imatrix)
    B, s, c, e, p = (np.asarray(n, float) for n in (batch, context, context_parallel, expert_parallel, pipeline_parallel))
    source = s if encoder_context is None else np.asarray(encoder_context, float)
    own = B / c
    tokens = _tokens(arch, phase, own, s, source, at_once)

    for (id, side), group in held.matrices.items():
        m = tokens[side]
        found[id].add(2.0 * m * group.elements, np.where(m > 0, group.bytes, 0.0) + m * group.ends * size)
    for (count, top_k, side), group in held.experts.items():
        m = tokens[side]
        touched = np.asarray(distinct_experts(count, top_k, m * e)) / e
        found["routed_experts"].add(2.0 * m * top_k / count * group.elements, group.bytes * touched / count + m * top_k * group.ends * size)
    stream = t if sequence_parallel else 1.0
    for layer, times in arch.groups:
        m = tokens["encoder" if layer.encoder else "decoder"]
        _attend(found, layer, times, phase, own, c, s, source, at_once, kv, size, t, kernels, half_square=half_square)
        _elementwise(found["other"], arch, layer, times, m, size, t, stream, kernels)
        if adapters is not None:
            _adapt(found["adapters"], layer, times, m, size, t, adapters)
    if vectors:
        for side, small in held.small.items():
            found["other"].add(0.0, np.where(tokens[side] > 0, small, 0.0))
    if held.row_bytes:
        m = tokens["encoder" if _only_encoder(arch) else "decoder"]
        found["embedding"].add(0.0, m * (held.row_bytes + arch.hidden_size * size))
    if held.head is not None:
        m = own * s if phase == "train" or _only_encoder(arch) else tokens["decoder"] if phase == "decode" else own
        found["lm_head"].add(2.0 * m * held.head.elements, held.head.bytes + m * held.head.ends * size)

    if phase == "train":
        for id, one in found.items():
            one.times(_passes(id, recompute, frozen=adapters is not None))
    found["other"].add(found[_SOFTMAX].flop, found[_SOFTMAX].bytes)
    of_stage = 1.0 / p + np.zeros(np.broadcast_shapes(B.shape, s.shape, source.shape, c.shape, e.shape, p.shape, np.shape(t)))
    precision = compute_precision(weights, activations)
    return tuple(
        Operation(id, name, plain(found[id].flop * of_stage), plain(found[id].bytes * of_stage), _precision(id, precision, activations))
        for id, name in NAMES.items()
        if found[id].there
    )


#: The same for single numbers, which pages ask again and again.
_counted = lru_cache(maxsize=2048)(_count)


def training(arch: Architecture, run: Run, *, half_square: bool = False) -> tuple[Operation, ...]:
    """The operations of one micro-batch of a (checked) `run` on one rank, the mean of its pipeline's stages; a step has so many micro-batches."""
    weights, activations = formats(run)
    return unchecked(
        arch, "train", run.micro_batch, run.sequence, weights=weights, activations=activations, tensor_parallel=run.tensor_parallel,
        sequence_parallel=run.sequence_parallel, context_parallel=run.context_parallel, expert_parallel=run.expert_parallel,
        pipeline_parallel=run.pipeline_parallel, kernels="fused" if run.kernels == "transformer-engine" else run.kernels, half_square=half_square,
        recompute=run.recompute, adapters=None if run.trains_all else Adapters(run.rank, run.targets, DTYPES[run.adapter_dtype]),
    )  # fmt: skip


def formats(run: Run) -> tuple[str, str]:
    """What the matmuls of a run read: the format of its weights, and of its activations.

    FP8 weights meet FP8 activations (arXiv 2310.18313); autocast computes on 16-bit copies of fp32 weights, and their cast is left out; QLoRA reads
    its base in NF4 (arXiv 2305.14314).

    >>> [formats(Run(**fields)) for fields in ({}, {"precision": "amp"}, {"weights": "fp8"}, {"method": "qlora"}, {"precision": "fp32"})]
    [('bf16', 'bf16'), ('bf16', 'bf16'), ('fp8', 'fp8'), ('nf4-dq', 'bf16'), ('fp32', 'fp32')]
    """
    stored = "bf16" if run.formats.autocast else run.formats.weights
    if run.method == "qlora":
        return "nf4-dq", "fp32" if stored == "fp32" else "bf16"
    return stored, stored if stored in ("fp8", "fp32") else "bf16"


def _passes(id: str, recompute: str, *, frozen: bool) -> float:
    """How often training does what a forward pass does of an operation."""
    again = (recompute == "full" and id not in _OUTSIDE) or (recompute == "selective" and id in (*CORE, _SOFTMAX))
    backward = 2.0 if not frozen or id not in (*_LINEAR, "embedding") else 1.0 if id in _LINEAR else 0.0
    return 1.0 + backward + again


def compute_precision(weights: str, activations: str = "bf16") -> str:
    """Precision of a matmul whose operands are stored so: that of the wider one, 16 bits for every weight format that only saves bytes.

    >>> compute_precision("bf16"), compute_precision("gptq-4"), compute_precision("fp8"), compute_precision("fp8", "fp8")
    ('bf16', 'bf16', 'bf16', 'fp8')
    >>> compute_precision("int8", "int8"), compute_precision("fp32"), compute_precision("nf4", "int8")
    ('int8', 'fp32', 'int8')
    """
    stored = str(weights).strip().lower().removeprefix(quantization.GGUF)
    if "fp32" in (stored, activations) or stored == "f32":
        return "fp32"
    if activations in ("fp8", "int8") and stored not in ("bf16", "fp16", "f16"):
        return activations
    return "bf16"


def _precision(id: str, matmuls: str, activations: str) -> str:
    """Elementwise work runs on the vector units in fp32; attention and scans in 16 bits whatever the weights are, or in fp32."""
    if id in ("other", "embedding", "state_space"):
        return "fp32"
    if id in (*CORE, "lm_head", "router", "adapters"):
        return "fp32" if activations == "fp32" else "bf16"
    return matmuls


def _check(
    arch: Architecture,
    phase: str,
    batch: Quantity,
    context: Quantity,
    encoder_context: Quantity | None,
    activations: str,
    tensor_parallel: Quantity,
    kernels: str,
    recompute: str,
) -> None:
    for name, value, allowed in (
        ("phase", phase, PHASES),
        ("activations", activations, tuple(ACTIVATIONS)),
        ("kernels", kernels, KERNELS),
        ("recompute", recompute, RECOMPUTE),
    ):
        checks.one_of(name, value, allowed)
    source = context if encoder_context is None else encoder_context
    counted("batch", batch)
    counted("context", context)
    counted("encoder_context", source)
    counted("tensor_parallel", tensor_parallel)
    try:
        np.broadcast_shapes(np.shape(batch), np.shape(context), np.shape(source), np.shape(tensor_parallel))
    except ValueError:
        raise InputError(N_("These arrays do not fit together: give them one shape, or shapes that broadcast.")) from None
    heads = [layer.mixer.heads for layer, _count in arch.groups if isinstance(layer.mixer, Attention | LatentAttention)]
    if heads:
        divides("num_attention_heads", min(heads), "tensor_parallel", tensor_parallel)
    if phase == "decode" and _only_encoder(arch):
        raise InputError(ENCODER_ALONE, model=arch.name)


def _only_encoder(arch: Architecture) -> bool:
    return bool(arch.layers) and all(layer.encoder for layer in arch.layers)


def _has_encoder(arch: Architecture) -> bool:
    return any(layer.encoder for layer in arch.layers)


def _tokens(arch: Architecture, phase: str, own: Quantity, s: Quantity, source: Quantity, at_once: Quantity) -> dict[str, Quantity]:
    """Tokens that the layers of each side see in one step. The decoder of an encoder-decoder model starts with one token; its keys and values
    of the encoder's output are computed once, with the prompt."""
    if phase == "decode":
        return {"decoder": own * at_once, "encoder": 0.0 * own, "cross": 0.0 * own, "once": 0.0 * own}
    both = _has_encoder(arch) and not _only_encoder(arch)
    inside = own * source if both else own * s
    return {"decoder": own if phase == "prefill" and both else own * s, "encoder": inside, "cross": inside, "once": own}


def _attend(
    found: dict[str, _Sum],
    layer: Layer,
    times: int,
    phase: str,
    own: Quantity,
    c: Quantity,
    s: Quantity,
    source: Quantity,
    at_once: Quantity,
    kv: str,
    size: float,
    t: Quantity,
    kernels: str,
    *,
    half_square: bool,
) -> None:
    """Adds the attention core, or the scan of a recurrent mixer, of `times` such layers."""
    mixer = layer.mixer
    if isinstance(mixer, Recurrent):
        tokens = own * (at_once if phase == "decode" else s)
        _scan(found["state_space"], mixer, times, phase, own, tokens, size, t)
        return
    if not isinstance(mixer, Attention | LatentAttention) or (layer.encoder and phase == "decode"):
        return
    for pairs, queries, keys in _spans(mixer, layer, phase, s, source, at_once, half_square=half_square):
        heads, key_width, value_width, read = _widths(mixer, phase, kv, size, t)
        rows = own * queries * heads
        written = own * pairs * heads * size if kernels == "eager" else 0.0
        # the cached keys and values are read half each: scores need the keys, values the values
        read_of_each = own * c * keys * read / 2.0
        found["attention_scores"].add(times * 2.0 * own * pairs * heads * key_width, times * (rows * key_width * size + read_of_each + written))
        found["attention_values"].add(times * 2.0 * own * pairs * heads * value_width, times * (rows * value_width * size + read_of_each + written))
        if kernels == "eager":  # the softmax reads and writes every score; 4 FLOP each reproduce what arXiv 2302.14017 prints as "Other"
            found[_SOFTMAX].add(times * 4.0 * own * pairs * heads, 2.0 * times * written)
            if phase == "decode":  # and copies the new keys and values behind the old: 4·g·d values, GPT-2's 22·d of table 11
                found[_SOFTMAX].add(0.0, times * 2.0 * own * at_once * read)


def _spans(
    mixer: Attention | LatentAttention, layer: Layer, phase: str, s: Quantity, source: Quantity, at_once: Quantity, *, half_square: bool
) -> Iterator[tuple[Quantity, Quantity, Quantity]]:
    """(pairs of query and key, queries, keys) of one sequence: of self-attention, and of attention to an encoder where there is one."""
    window = mixer.window if isinstance(mixer, Attention) else None
    cross = isinstance(mixer, Attention) and mixer.cross
    if phase == "decode":
        compression = mixer.compression if isinstance(mixer, Attention) else 1
        entries = np.asarray(cached_tokens(1.0, s, window=window, compression=compression))
        yield entries * at_once, np.ones_like(entries) * at_once, entries
    else:
        own = source if layer.encoder and phase == "prefill" else s
        own = np.ones_like(own) if cross and phase == "prefill" else own
        yield np.asarray(attended(own, window, half=half_square and not layer.encoder)), own, own
    if cross:
        queries = np.asarray(s if phase == "train" else np.ones_like(s) * at_once)
        yield queries * source, queries, source


def _widths(mixer: Attention | LatentAttention, phase: str, kv: str, size: float, t: Quantity) -> tuple[Quantity, float, float, Quantity]:
    """(query heads, width of a key, of a value, bytes of the keys and values of one token) on one rank.

    Multi-head latent attention decodes on the latent itself: the up-projections move to the query and the output (arXiv 2405.04434,
    section 2.1.2), so that each head multiplies kv + dr and kv values, and all heads share what is read.
    """
    heads = mixer.heads / t
    if phase == "decode":
        read = _each(t, lambda ranks: entry_bytes(mixer, kv, ranks))
        if isinstance(mixer, LatentAttention):
            return heads, mixer.kv_rank + mixer.rope_dim, mixer.kv_rank, read
        return heads, mixer.head_dim, mixer.value_dim, read
    if isinstance(mixer, LatentAttention):
        width = mixer.nope_dim + mixer.rope_dim
        return heads, width, mixer.value_dim, heads * (width + mixer.value_dim) * size
    kv_heads = np.maximum(1.0, mixer.kv_heads / t)
    return heads, mixer.head_dim, mixer.value_dim, kv_heads * (mixer.head_dim + mixer.value_dim) * size


def _scan(found: _Sum, mixer: Recurrent, times: int, phase: str, own: Quantity, tokens: Quantity, size: float, t: Quantity) -> None:
    """The recurrence: decoding reads and writes the state; a prompt keeps it on the chip, reads its input and gate, writes its output."""
    flop = tokens * (_STATE_FLOP[mixer.kind] * mixer.state_elements + 2.0 * mixer.conv_elements) / t
    state = own * state_bytes(mixer) / t * (2.0 if phase == "decode" else 1.0)
    found.add(times * flop, times * (state + tokens * 3.0 * mixer.inner / t * size))


def _elementwise(
    found: _Sum, arch: Architecture, layer: Layer, times: int, tokens: Quantity, size: float, t: Quantity, stream: Quantity, kernels: str
) -> None:
    """Norms, residual additions, activation functions: values moved 10·h + 2·f a token (gated 3·f), FLOP 21·h + 10·f.

    At f = 4·h these are the 18·h values and the 61·h FLOP that reproduce what arXiv 2302.14017 prints as "Other" (5·h a norm, h an
    addition, biases 4·h + f + h, the activation function about 10 a value). A layer with half of the branches has half of it. The stream of h
    values is shared by `stream` ranks, the f inner ones by t.
    """
    branches = ((layer.mixer is not None) + (layer.mlp is not None)) / 2.0
    h = float(arch.hidden_size)
    f, gates = _inner_width(layer, h)
    norms = max(0, norms_of(layer, arch.hidden_size) - 2) * 2.0 * h  # four norms a layer: two more
    moved = (10.0 * h * branches + norms) / stream + (3.0 if gates else 2.0) * f / t if kernels != "fused" else 0.0
    found.add(times * tokens * (21.0 * h * branches / stream + 10.0 * f / t), times * tokens * moved * size)


def _adapt(found: _Sum, layer: Layer, times: int, tokens: Quantity, size: float, t: Quantity, adapters: Adapters) -> None:
    """The adapters of `times` such layers: [m, d_in] x [d_in, r] and [m, r] x [r, d_out] for each target."""
    targets = lora.adapted(layer, adapters.targets)
    ends = float(sum(sum(tensor.shape) for tensor in targets))
    held = adapters.rank * ends / t
    found.add(times * 2.0 * tokens * held, times * (held * adapters.bytes + tokens * (ends / t + 2.0 * adapters.rank * len(targets)) * size))


def _inner_width(layer: Layer, h: float) -> tuple[float, bool]:
    mlp = layer.mlp
    if isinstance(mlp, Dense):
        return float(mlp.width), mlp.gated
    if isinstance(mlp, Experts):
        return float(mlp.top_k * mlp.width + mlp.shared_width), mlp.gated
    return 0.0, False
