"""Activations kept for the backward pass, bytes per token, by what a layer is made of and which kernels run it.

Every figure is a count of the tensors that autograd saves: of Hugging Face classes (``eager``, ``flash``; measured), of fused kernels
(``fused``, ``transformer-engine``; within 3 % of measured B200 runs), of Korthikanti et al. 2022 (arXiv 2205.05198) where dropout is on.
A norm keeps its input and what its weight multiplies, a linear layer its input, an activation function its input; a tensor that two of
them keep counts once. Symbols: h hidden size, a query heads, g KV heads, d head dimension, f feed-forward width, k experts per token,
E experts, s tokens per sequence, t tensor parallel ranks, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wallviz.engine.memory.lora import adapted
from wallviz.engine.memory.run import Run
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.transformer import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Recurrent, Tensor

#: A scan layer keeps about twelve bytes per element of its inner stream: x, z, the convolution's output, dt, the scan's output and the gate, in
#: 16 bits (arXiv 2312.00752, section 3.3: states are recomputed). An estimate, not measured.
SCAN_BYTES = 12.0
#: Families whose RMSNorm multiplies by 1 + weight in fp32, so that the normalized values are kept in fp32 too (measured: Gemma 1 to 3).
FP32_NORMS = ("gemma", "qwen3_next", "qwen3_5")
#: Families whose eager attention computes its softmax in the run's own format; others go through fp32 and keep both (measured).
PLAIN_SOFTMAX = ("gpt2", "bert", "falcon", "whisper")
#: One projection for queries, keys and values: after rotation only the values are still a part of it, and keep all of it alive (measured).
ROTATED_FUSED = ("qkv_proj", "query_key_value")
#: What classes call the output projection of attention.
OUTPUT_NAMES = ("o_proj", "out_proj", "dense", "c_proj", "wo", "o", "output")


@dataclass(frozen=True, slots=True)
class Piece:
    """`coefficient` bytes per token for each unit of `size`, which the field writes as `symbol`.

    `where` says how it is shared: ``split`` over t, ``whole`` on every tensor rank but for sequence parallelism, ``core`` split too and dropped
    by selective recomputation (arXiv 2205.05198, section 5).
    """

    coefficient: float
    symbol: str
    size: Quantity
    where: str = "split"

    @property
    def bytes(self) -> Quantity:
        """Bytes per token before any split."""
        return self.coefficient * self.size


Pieces = tuple[Piece, ...]


def per_rank(pieces: Pieces, run: Run) -> Quantity:
    """Bytes per token on one rank."""
    split = sum((p.bytes for p in pieces if p.where != "whole"), 0.0)
    whole = sum((p.bytes for p in pieces if p.where == "whole"), 0.0)
    return split / run.t + whole / (run.t if run.sequence_parallel else 1.0)


@dataclass(frozen=True, slots=True)
class Kernels:
    """How a run's kernels keep things."""

    e: float
    """Bytes of one activation: 2 in 16 bits and under autocast, 4 in fp32."""
    fp32: bool
    autocast: bool
    fused: bool
    eager: bool
    frozen: bool
    """Base weights are not trained: linear layers keep no input, norms no normalized values."""
    rms: bool
    fp32_norm: bool
    """RMSNorm keeps its normalized values in fp32."""
    fp32_softmax: bool
    """Eager attention keeps its softmax in fp32 and in the run's format."""

    @classmethod
    def of(cls, arch: Architecture, run: Run) -> Kernels:
        """The kernels of `run` on `arch`."""
        formats = run.formats
        fp32 = formats.weights == "fp32" and not formats.autocast
        return cls(
            e=4.0 if fp32 else 2.0,
            fp32=fp32,
            autocast=formats.autocast,
            fused=run.kernels in ("fused", "transformer-engine"),
            eager=run.kernels == "eager",
            frozen=not run.trains_all,
            rms=arch.norm == "rms",
            fp32_norm=arch.family.startswith(FP32_NORMS),
            fp32_softmax=not arch.family.startswith(PLAIN_SOFTMAX),
        )

    def norm(self, symbol: str, width: float, where: str = "whole", times: float = 1.0) -> Pieces:
        """Norms of `width`: their input, the normalized values where their weight is trained, their statistics.

        Unfused RMSNorm computes in fp32: a copy of its input (4 bytes; the input itself where that is fp32) and the normalized values in the
        stream's format. LayerNorm and fused kernels keep the input alone.
        """
        stream = 4.0 if self.fp32 or self.autocast else 2.0
        if self.fused:
            return (Piece(times * stream, symbol, width, where),)
        if not self.rms:
            return (Piece(times * stream, symbol, width, where), Piece(times * (8.0 if self.fp32 or self.autocast else 4.0), "", 1.0, where))
        normalized = 0.0 if self.frozen else 4.0 if self.fp32_norm else stream
        return (Piece(times * (4.0 + normalized), symbol, width, where), Piece(times * 4.0, "", 1.0, where))

    def rotated_fused(self, block: Layer) -> bool:
        """Whether the output of a fused projection stays alive because the values are a part of it."""
        return not (self.fused or self.eager) and any(t.name in ROTATED_FUSED for t in block.tensors)

    def linear_input(self, symbol: str, width: float, readers: int = 1) -> Pieces:
        """The input of linear layers that read the same `width` values; autocast makes a 16-bit copy for each of the `readers`."""
        if self.frozen or not readers:
            return ()
        return (Piece(self.e * (readers if self.autocast and not self.fused else 1), symbol, width, "whole"),)


def layer(arch: Architecture, block: Layer, run: Run) -> Pieces:
    """What one layer keeps per token.

    For a Llama layer in bf16 with flash attention: 16h + 4ad + 4gd + 8f + 4a + 8 (measured).
    """
    kernels, h = Kernels.of(arch, run), float(arch.hidden_size)
    norms = norms_of(block, arch.hidden_size)
    branches = (block.mixer is not None) + (block.mlp is not None)
    readers = [_readers(block, name) for name, there in (("attention", block.mixer), ("mlp", block.mlp)) if there is not None]
    if norms == 1 and branches == 2:  # parallel attention and feed-forward read one norm
        readers = [sum(readers)]
    # A norm after a branch feeds the residual stream, which keeps nothing: linear inputs go by branch, not by norm.
    pieces = kernels.norm("h", h, times=norms)
    for n in readers:
        pieces += kernels.linear_input("h", h, n)
    pieces += _mixer(block, run, kernels) + _mlp(arch, block, kernels)
    if run.dropout:
        pieces += (Piece(branches, "h", h, "whole"),)  # one byte of mask after each branch
    return pieces if run.trains_all else pieces + adapters(arch, block, run)


def kept(arch: Architecture, block: Layer, run: Run) -> Pieces:
    """What of a layer waits for the backward pass under the run's recomputation: all, all but the attention core, or its input alone."""
    if run.recompute == "full":
        return (Piece(4.0 if run.formats.weights == "fp32" else 2.0, "h", float(arch.hidden_size), "whole"),)
    return tuple(p for p in layer(arch, block, run) if p.where != "core" or run.recompute == "none")


def feed_forward_gradients(arch: Architecture, block: Layer, run: Run) -> float:
    """Gradients alive while the backward pass is in a feed-forward layer, per token: of the product, the activation and the gate."""
    mlp = block.mlp
    if mlp is None:
        return 0.0
    each = Kernels.of(arch, run).e * mlp.width * (3.0 if mlp.gated else 2.0)
    return each * mlp.top_k if isinstance(mlp, Experts) else each


def norms_of(block: Layer, hidden_size: int) -> int:
    """How many norms of the residual stream a layer has: two in most, four in Gemma 2 and 3, one where both branches share it."""
    found = sum(t.component == "norm" and t.shape == (hidden_size,) and not t.name.endswith("bias") for t in block.tensors)
    return found or (block.mixer is not None) + (block.mlp is not None)


def _readers(block: Layer, component: str) -> int:
    """Linear layers that read the norm's output: all of the branch but its last."""
    found = sum(t.linear and t.component == component and len(t.shape) == 2 for t in block.tensors)
    return max(1, found - 1)


def _mixer(block: Layer, run: Run, kernels: Kernels) -> Pieces:
    e, mixer = kernels.e, block.mixer
    if isinstance(mixer, Attention):
        a, d, dv = float(mixer.heads), float(mixer.head_dim), float(mixer.value_dim)
        g = np.maximum(float(mixer.kv_heads), np.minimum(run.tensor_parallel, a))  # at least one KV head a rank
        kv, symbol = (a, "a") if kernels.eager else (g, "g")  # eager attention repeats keys and values for every query head
        times = 2.0 if mixer.cross else 1.0
        wide = "d" if dv == d else "dv"
        pieces: Pieces = (
            Piece(times * e, "a·d", a * d),
            Piece(times * e, f"{symbol}·d", kv * d),
            Piece(times * e, f"{symbol}·{wide}", kv * dv),
            Piece(times * e, f"a·{wide}", a * dv),
            *_scores(a, run, kernels, times),
        )
        if kernels.rotated_fused(block):
            pieces += (Piece(e, "a·d", a * d), Piece(e, "g·d", g * d))
        if mixer.qk_norm:
            for name, heads in (("a", a), ("g", g)):
                each = kernels.norm(f"{name}·d", heads * d, "split")[0]
                pieces += (each, Piece(4.0, name, heads))
        return pieces
    if isinstance(mixer, LatentAttention):
        a, d, dv = float(mixer.heads), float(mixer.nope_dim + mixer.rope_dim), float(mixer.value_dim)
        pieces = (*kernels.norm("kv", mixer.kv_rank), *kernels.linear_input("kv", mixer.kv_rank), Piece(e, "dr", mixer.rope_dim, "whole"))
        if mixer.q_rank:
            pieces += (*kernels.norm("q", mixer.q_rank), *kernels.linear_input("q", mixer.q_rank))
        heads = (Piece(2.0 * e, "a·d", a * d), Piece(2.0 * e, "a·dv", a * dv))  # queries and keys; values and the output
        return pieces + heads + _scores(a, run, kernels)
    if isinstance(mixer, Recurrent):
        return (Piece(SCAN_BYTES * e / 2.0, "n", float(mixer.inner)),)
    return ()


def _scores(a: float, run: Run, kernels: Kernels, times: float = 1.0) -> Pieces:
    """Flash attention keeps one fp32 number per query and head; eager attention the softmax, in fp32 too where the class computes it so."""
    if not kernels.eager:
        return (Piece(4.0 * times, "a", a),)
    softmax = 4.0 if kernels.fp32 else 6.0 if kernels.fp32_softmax else 2.0
    dropped = (1.0 + kernels.e) if run.dropout else 0.0  # a byte of mask and the output after it
    return (Piece(times * (softmax + dropped), "a·s", a * np.asarray(run.sequence, float), "core"),)


def _mlp(arch: Architecture, block: Layer, kernels: Kernels) -> Pieces:
    e, mlp = kernels.e, block.mlp
    if isinstance(mlp, Dense):
        return (Piece(_feed_forward(arch, mlp.gated, kernels), "f", float(mlp.width)),)
    if isinstance(mlp, Experts):
        h = float(mlp.input_width or arch.hidden_size)
        each = _feed_forward(arch, mlp.gated, kernels)
        pieces: Pieces = (
            Piece(each, "k·f", mlp.top_k * float(mlp.width)),
            Piece(2.0 * e, "k·h", mlp.top_k * h, "whole"),
            Piece(8.0, "E", float(mlp.count), "whole"),
        )
        return pieces + ((Piece(each, "f_s", float(mlp.shared_width)),) if mlp.shared_width else ())
    return ()


def _feed_forward(arch: Architecture, gated: bool, kernels: Kernels) -> float:
    """Bytes per token and per unit of width: gate, its activation, up and their product; the fused kernel recomputes the activation.

    Without a gate: the input and the output of the activation function; gelu_new is written in steps and keeps three more (measured),
    a ReLU its output alone.
    """
    last = 0.0 if kernels.frozen else 1.0  # the input of the last linear layer
    if gated:
        return kernels.e * ((2.0 if kernels.fused else 3.0) + last)
    if arch.activation == "relu" and not kernels.fused:
        return kernels.e
    steps = 3.0 if arch.activation in ("gelu_new", "gelu_fast") and not kernels.fused else 0.0
    return kernels.e * (1.0 + steps + last)


def adapters(arch: Architecture, block: Layer, run: Run) -> Pieces:
    """What LoRA adapters keep per token (PEFT, measured): with fp32 adapters a copy of every target's input and the r inner values, 4 d_in + 4r
    each; with bf16 adapters every distinct input once (flash attention keeps that of the output projection anyway) and 2r each."""
    targets = adapted(block, run.targets)
    if run.adapter_dtype == "fp32":
        return (Piece(4.0, "Σ d_in", float(sum(t.shape[1] for t in targets))), Piece(4.0 * len(targets), "r", run.rank))
    e = 4.0 if Kernels.of(arch, run).fp32 else 2.0
    inputs = {(t.component, t.shape[1]) for t in targets if not is_output(t)}
    return (Piece(e, "Σ d_in", float(sum(width for _component, width in inputs))), Piece(2.0 * len(targets), "r", run.rank))


def is_output(tensor: Tensor) -> bool:
    """Whether a linear layer is the output projection of attention, whose input attention keeps anyway."""
    return tensor.component == "attention" and tensor.name in OUTPUT_NAMES


def final(arch: Architecture, run: Run) -> Pieces:
    """The last norm and the input of the head: 8h + 4 in bf16, 4h for LayerNorm and fused kernels, 12h + 4 in fp32."""
    kernels = Kernels.of(arch, run)
    return kernels.norm("h", arch.hidden_size) + kernels.linear_input("h", arch.hidden_size)


def logits(arch: Architecture, run: Run) -> tuple[Quantity, Quantity, Quantity]:
    """Logits per token: saved, more of them at the peak of the loss, and still alive afterwards; bytes, before the split over t.

    Plain cross-entropy: V in the run's format and V in fp32 are saved (6V in bf16, 8V in fp32), 8V more hold gradients at the peak. Fused: 6V in
    all. Chunked: the logits of one chunk. A frozen head changes nothing: its output needs a gradient all the same.
    """
    e, V = Kernels.of(arch, run).e, float(arch.vocab) if has_head(arch) else 0.0
    if run.loss == "plain":
        return (e + 4.0) * V, 8.0 * V, e * V
    if run.loss == "fused":
        return (e + 4.0) * V, 0.0, 0.0
    return e * V / run.loss_chunks, 0.0, 0.0


def has_head(arch: Architecture) -> bool:
    """Whether the model ends in logits over its vocabulary."""
    return arch.tied or any(t.component == "lm_head" for t in arch.outer)
