"""Activations kept for the backward pass, bytes per token, by what a layer is made of and which kernels run it.

Every figure is a count of the tensors that autograd saves: of Hugging Face classes (``eager``, ``flash``; measured), of fused kernels
(``fused``, ``transformer-engine``; within 3 % of measured B200 runs), of Korthikanti et al. 2022 (arXiv 2205.05198) where dropout is on.
A norm keeps its input and what its weight multiplies, a linear layer its input, an activation function its input; a tensor that two of
them keep counts once. Symbols: h hidden size, a query heads, g KV heads, d head dimension, f feed-forward width, k experts per token,
E experts, s tokens per sequence, t tensor parallel ranks, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType

import numpy as np

from wallviz.engine.memory.lora import adapted
from wallviz.engine.memory.ranks import PipelineStage
from wallviz.engine.memory.run import Run
from wallviz.engine.memory.terms import Quantity, Symbols, Term, Terms, above, evaluate, grouped, only, plain
from wallviz.engine.transformer import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Recurrent, Tensor
from wallviz.i18n import N_

_SAVED = N_("tensors that autograd saves; arXiv 2205.05198, section 4")
_LOSS = N_("autograd of cross-entropy, measured")

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
    """`coefficient` bytes per token for each unit of `size`, a product of symbols; an empty one is 1.

    `where` says how it is shared: ``split`` over t, ``whole`` on every tensor rank but for sequence parallelism, ``core`` split too and dropped
    by selective recomputation (arXiv 2205.05198, section 5).
    """

    coefficient: float
    size: str
    where: str = "split"


Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """What is kept per token: pieces, and the numbers that their symbols stand for."""

    pieces: Pieces
    symbols: Symbols

    def formula(self, run: Run) -> str:
        """The sum of the pieces on one rank: ``16·h + (4·a·d + 8·f)/t``."""
        sums: dict[bool, dict[str, float]] = {False: {}, True: {}}
        for piece in self.pieces:
            if piece.coefficient:
                same = sums[above(run.t) and (piece.where != "whole" or run.sequence_parallel)]
                same[piece.size] = same.get(piece.size, 0.0) + piece.coefficient
        whole, split = (" + ".join(f"{n:.12g}·{size}" if size else f"{n:.12g}" for size, n in same.items()) for same in sums.values())
        return " + ".join(part for part in (whole, f"{grouped(split)}/t" if split else "") if part)


def per_rank(saved: Saved, run: Run) -> Quantity:
    """Bytes per token on one rank."""
    return evaluate(saved.formula(run), {**saved.symbols, "t": run.t})


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

    def norm(self, width: str, where: str = "whole", times: float = 1.0) -> Pieces:
        """Norms of `width`: their input, the normalized values where their weight is trained, their statistics.

        Unfused RMSNorm computes in fp32: a copy of its input (4 bytes; the input itself where that is fp32) and the normalized values in the
        stream's format. LayerNorm and fused kernels keep the input alone.
        """
        stream = 4.0 if self.fp32 or self.autocast else 2.0
        if self.fused:
            return (Piece(times * stream, width, where),)
        if not self.rms:
            return (Piece(times * stream, width, where), Piece(times * (8.0 if self.fp32 or self.autocast else 4.0), "", where))
        normalized = 0.0 if self.frozen else 4.0 if self.fp32_norm else stream
        return (Piece(times * (4.0 + normalized), width, where), Piece(times * 4.0, "", where))

    def rotated_fused(self, block: Layer) -> bool:
        """Whether the output of a fused projection stays alive because the values are a part of it."""
        return not (self.fused or self.eager) and any(t.name in ROTATED_FUSED for t in block.tensors)

    def linear_input(self, width: str, readers: int = 1) -> Pieces:
        """The input of linear layers that read the same `width` values; autocast makes a 16-bit copy for each of the `readers`."""
        if self.frozen or not readers:
            return ()
        return (Piece(self.e * (readers if self.autocast and not self.fused else 1), width, "whole"),)


def layer(arch: Architecture, block: Layer, run: Run) -> Saved:
    """What one layer keeps per token.

    For a Llama layer in bf16 with flash attention: 16h + 4ad + 4gd + 8f + 4a + 8 (measured).
    """
    kernels = Kernels.of(arch, run)
    norms = norms_of(block, arch.hidden_size)
    branches = (block.mixer is not None) + (block.mlp is not None)
    readers = [_readers(block, name) for name, there in (("attention", block.mixer), ("mlp", block.mlp)) if there is not None]
    if norms == 1 and branches == 2:  # parallel attention and feed-forward read one norm
        readers = [sum(readers)]
    # A norm after a branch feeds the residual stream, which keeps nothing: linear inputs go by branch, not by norm.
    pieces = kernels.norm("h", times=norms)
    for n in readers:
        pieces += kernels.linear_input("h", n)
    symbols: dict[str, Quantity] = {"h": float(arch.hidden_size)}
    for more in (_mixer(block, run, kernels), _mlp(arch, block, kernels), *(() if run.trains_all else (adapters(arch, block, run),))):
        pieces += more.pieces
        symbols |= more.symbols
    if run.dropout:
        pieces += (Piece(branches, "h", "whole"),)  # one byte of mask after each branch
    return Saved(pieces, symbols)


def kept(arch: Architecture, block: Layer, run: Run) -> Saved:
    """What of a layer waits for the backward pass under the run's recomputation: all, all but the attention core, or its input alone."""
    if run.recompute == "full":
        return Saved((Piece(stream(run), "h", "whole"),), {"h": float(arch.hidden_size)})
    saved = layer(arch, block, run)
    return saved if run.recompute == "none" else Saved(tuple(p for p in saved.pieces if p.where != "core"), saved.symbols)


def stream(run: Run) -> float:
    """Bytes of one element of the residual stream, as a checkpoint of a layer keeps it."""
    return 4.0 if run.formats.weights == "fp32" else 2.0


def feed_forward_gradients(arch: Architecture, block: Layer, run: Run) -> Saved:
    """Gradients alive while the backward pass is in a feed-forward layer, per token: of the product, the activation and the gate."""
    mlp = block.mlp
    if mlp is None:
        return Saved((), {})
    each = Kernels.of(arch, run).e * (3.0 if mlp.gated else 2.0)
    if isinstance(mlp, Experts):
        return Saved((Piece(each, "k·f"),), {"k": float(mlp.top_k), "f": float(mlp.width)})
    return Saved((Piece(each, "f"),), {"f": float(mlp.width)})


def norms_of(block: Layer, hidden_size: int) -> int:
    """How many norms of the residual stream a layer has: two in most, four in Gemma 2 and 3, one where both branches share it."""
    found = sum(t.component == "norm" and t.shape == (hidden_size,) and not t.name.endswith("bias") for t in block.tensors)
    return found or (block.mixer is not None) + (block.mlp is not None)


def _readers(block: Layer, component: str) -> int:
    """Linear layers that read the norm's output: all of the branch but its last."""
    found = sum(t.linear and t.component == component and len(t.shape) == 2 for t in block.tensors)
    return max(1, found - 1)


def _mixer(block: Layer, run: Run, kernels: Kernels) -> Saved:
    e, mixer = kernels.e, block.mixer
    if isinstance(mixer, Attention):
        heads = {"a": float(mixer.heads), "g": float(mixer.kv_heads), "d": float(mixer.head_dim), "d_v": float(mixer.value_dim)}
        g = "max(g, min(t, a))" if above(run.t, mixer.kv_heads) else "g"  # at least one KV head a rank
        kv = "a" if kernels.eager else g  # eager attention repeats keys and values for every query head
        times = 2.0 if mixer.cross else 1.0
        wide = "d" if mixer.value_dim == mixer.head_dim else "d_v"
        pieces: Pieces = (
            Piece(times * e, "a·d"),
            Piece(times * e, f"{kv}·d"),
            Piece(times * e, f"{kv}·{wide}"),
            Piece(times * e, f"a·{wide}"),
            *_scores(run, kernels, times),
        )
        if kernels.rotated_fused(block):
            pieces += (Piece(e, "a·d"), Piece(e, f"{g}·d"))
        if mixer.qk_norm:
            for several in ("a", g):
                each = kernels.norm(f"{several}·d", "split")[0]
                pieces += (each, Piece(4.0, several))
        return Saved(pieces, {**heads, "s": plain(run.sequence)})
    if isinstance(mixer, LatentAttention):
        pieces = (*kernels.norm("kv"), *kernels.linear_input("kv"), Piece(e, "dr", "whole"))
        if mixer.q_rank:
            pieces += (*kernels.norm("q"), *kernels.linear_input("q"))
        pieces += (Piece(2.0 * e, "a·(dn + dr)"), Piece(2.0 * e, "a·d_v"))  # queries and keys; values and the output
        widths = {"q": mixer.q_rank or 0.0, "kv": mixer.kv_rank, "dn": mixer.nope_dim, "dr": mixer.rope_dim, "d_v": mixer.value_dim}
        return Saved((*pieces, *_scores(run, kernels)), {**widths, "a": mixer.heads, "s": plain(run.sequence)})
    if isinstance(mixer, Recurrent):
        return Saved((Piece(SCAN_BYTES * e / 2.0, "n"),), {"n": float(mixer.inner)})
    return Saved((), {})


def _scores(run: Run, kernels: Kernels, times: float = 1.0) -> Pieces:
    """Flash attention keeps one fp32 number per query and head; eager attention the softmax, in fp32 too where the class computes it so."""
    if not kernels.eager:
        return (Piece(4.0 * times, "a"),)
    softmax = 4.0 if kernels.fp32 else 6.0 if kernels.fp32_softmax else 2.0
    dropped = (1.0 + kernels.e) if run.dropout else 0.0  # a byte of mask and the output after it
    return (Piece(times * (softmax + dropped), "a·s", "core"),)


def _mlp(arch: Architecture, block: Layer, kernels: Kernels) -> Saved:
    mlp = block.mlp
    if isinstance(mlp, Dense):
        return Saved((Piece(_feed_forward(arch, mlp.gated, kernels), "f"),), {"f": float(mlp.width)})
    if isinstance(mlp, Experts):
        each, into = _feed_forward(arch, mlp.gated, kernels), "h_in" if mlp.input_width else "h"
        pieces: Pieces = (Piece(each, "k·f"), Piece(2.0 * kernels.e, f"k·{into}", "whole"), Piece(8.0, "E", "whole"))
        if mlp.shared_width:
            pieces += (Piece(each, "f_s"),)
        symbols: dict[str, Quantity] = {"k": mlp.top_k, "f": mlp.width, "h_in": mlp.input_width, "E": mlp.count, "f_s": mlp.shared_width}
        return Saved(pieces, symbols)
    return Saved((), {})


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


def adapters(arch: Architecture, block: Layer, run: Run) -> Saved:
    """What LoRA adapters keep per token (PEFT, measured): with fp32 adapters a copy of every target's input and the r inner values, 4 d_in + 4r
    each; with bf16 adapters every distinct input once (flash attention keeps that of the output projection anyway) and 2r each."""
    targets = adapted(block, run.targets)
    if run.adapter_dtype == "fp32":
        e, inner, inputs = 4.0, 4.0, float(sum(t.shape[1] for t in targets))
    else:
        e, inner = 4.0 if Kernels.of(arch, run).fp32 else 2.0, 2.0
        inputs = float(sum(width for _component, width in {(t.component, t.shape[1]) for t in targets if not is_output(t)}))
    return Saved((Piece(e, "Σ(d_in)"), Piece(inner * len(targets), "r")), {"Σ(d_in)": inputs, "r": plain(run.rank)})


def is_output(tensor: Tensor) -> bool:
    """Whether a linear layer is the output projection of attention, whose input attention keeps anyway."""
    return tensor.component == "attention" and tensor.name in OUTPUT_NAMES


def final(arch: Architecture, run: Run) -> Saved:
    """The last norm and the input of the head: 8h + 4 in bf16, 4h for LayerNorm and fused kernels, 12h + 4 in fp32."""
    kernels = Kernels.of(arch, run)
    return Saved(kernels.norm("h") + kernels.linear_input("h"), {"h": float(arch.hidden_size)})


def logits(arch: Architecture, run: Run) -> tuple[str, str, str]:
    """Logits per token: saved, more of them at the peak of the loss, and still alive afterwards; bytes, before the split over t; empty for none.

    Plain cross-entropy: V in the run's format and V in fp32 are saved (6V in bf16, 8V in fp32), 8V more hold gradients at the peak. Fused: 6V in
    all. Chunked: the logits of one chunk. A frozen head changes nothing: its output needs a gradient all the same.
    """
    e = Kernels.of(arch, run).e
    if not has_head(arch):
        return "", "", ""
    if run.loss == "plain":
        return f"{e + 4:g}·V", "8·V", f"{e:g}·V"
    return (f"{e + 4:g}·V" if run.loss == "fused" else f"{e:g}·V/n"), "", ""


def has_head(arch: Architecture) -> bool:
    """Whether the model ends in logits over its vocabulary."""
    return arch.tied or any(t.component == "lm_head" for t in arch.outer)


# ---------------------------------------------------------------- one stage

_KINDS: dict[tuple[type, type], str] = {
    (Attention, Dense): N_("activations: attention + feed-forward"),
    (Attention, Experts): N_("activations: attention + experts"),
    (Attention, NoneType): N_("activations: attention"),
    (LatentAttention, Dense): N_("activations: latent attention + feed-forward"),
    (LatentAttention, Experts): N_("activations: latent attention + experts"),
    (LatentAttention, NoneType): N_("activations: latent attention"),
    (Recurrent, Dense): N_("activations: state-space + feed-forward"),
    (Recurrent, Experts): N_("activations: state-space + experts"),
    (Recurrent, NoneType): N_("activations: state-space"),
    (NoneType, Dense): N_("activations: feed-forward"),
    (NoneType, Experts): N_("activations: experts"),
    (NoneType, NoneType): N_("activations"),
}


def of_stage(arch: Architecture, run: Run, current: PipelineStage, chunks: int) -> Terms:
    """Activations of a stage at their most, a term for each kind of layer and one for what stands outside of them."""
    symbols: dict[str, Quantity] = {"T": run.tokens(), "m": current.in_flight(plain(run.accumulation), chunks)}
    sets = "" if current.of == 1 else "m·"
    found: Terms = ()
    for block, count in current.groups:
        name = _KINDS[type(block.mixer), type(block.mlp)]
        found += _per_token(name, f"{sets}L·T", kept(arch, block, run), run, symbols | {"L": float(count)})
    outside = ["8·T"] if current.first else []  # token ids
    if current.first and run.dropout:
        outside.append("h·T")
    if current.last:
        outside.append(f"T·{grouped(final(arch, run).formula(run))}")
    if width := _rotary(arch):
        outside.append(f"{2 * Kernels.of(arch, run).e:g}·d·s" + ("/c" if above(plain(run.context_parallel)) else ""))
    if not outside:
        return found
    more = {"h": float(arch.hidden_size), "d": width, "s": plain(run.sequence), "c": plain(run.context_parallel), "t": run.t}
    return (*found, Term(N_("activations outside the layers"), "activations", " + ".join(outside), symbols | more, _SAVED))


def stream_gradient(arch: Architecture, run: Run) -> Term:
    """What is left of activations when the embedding's gradient is made."""
    symbols = {"h": float(arch.hidden_size), "T": run.tokens()}
    return Term(N_("gradient of the embedding's output"), "activations", f"{stream(run):g}·h·T", symbols, _SAVED)


def recomputed(arch: Architecture, run: Run, current: PipelineStage) -> Terms:
    """The largest layer, made again, and the largest gradients inside of a feed-forward layer."""
    made: Terms = ()
    gradients: Terms = ()
    for block, _count in current.groups:
        made += _per_token(N_("one recomputed layer"), "T", layer(arch, block, run), run, {"T": run.tokens()})
        inside = feed_forward_gradients(arch, block, run)
        gradients += _per_token(N_("gradients in one feed-forward layer"), "T", inside, run, {"T": run.tokens()})
    return (*_most(made), *_most(gradients))


def _per_token(name: str, times: str, saved: Saved, run: Run, symbols: Symbols) -> Terms:
    """What is kept of each token, so many `times`; nothing where nothing is kept."""
    formula = saved.formula(run)
    return (Term(name, "activations", f"{times}·{grouped(formula)}", {**saved.symbols, **symbols, "t": run.t}, _SAVED),) if formula else ()


def _most(terms: Terms) -> Terms:
    """The largest of several; in a sweep each where it is the largest."""
    if len(terms) < 2:
        return terms
    index = np.argmax(np.stack(np.broadcast_arrays(*(term.bytes for term in terms))), axis=0)
    if not index.ndim:
        return (terms[int(index)],)
    return tuple(one for number, term in enumerate(terms) for one in only((term,), index == number))


def losses(arch: Architecture, run: Run) -> tuple[Terms, Terms, Terms]:
    """Logits that are saved, their gradients at the peak of the loss, and what is still alive afterwards."""
    symbols = {"V": float(arch.vocab), "T": run.tokens(), "t": run.t, "n": plain(run.loss_chunks)}
    names = (N_("logits and loss"), N_("gradients of the logits"), N_("logits"))
    saved, gradients, after = (
        (Term(name, "loss", f"{each}·T{run.over_t}", symbols, _LOSS),) if each else () for name, each in zip(names, logits(arch, run), strict=True)
    )
    return saved, gradients, after


def _rotary(arch: Architecture) -> float:
    """Width of the tables of cosines and sines where positions are rotary: no table or bias of positions among the tensors."""
    if arch.norm != "rms" or any("position" in t.name or t.name == "wpe" or "relative" in t.name for t in arch.outer):
        return 0.0
    mixers = (block.mixer for block, _n in arch.groups if block.mixer is not None)
    return float(next((getattr(mixer, "rope_dim", 0) or getattr(mixer, "head_dim", 0) for mixer in mixers), 0))
