"""The blocks that layers are built from, each as its exact tensors: linear, norm, attention, feed-forward, experts, state space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wallviz.engine.transformer.config import Config
from wallviz.engine.transformer.parts import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Recurrent, Tensor

Tensors = list[Tensor]


def linear(name: str, out: int, into: int, component: str, *, bias: bool = False) -> Tensors:
    """A linear layer: (out, in), and its bias."""
    weight = Tensor(name, (out, into), component, linear=True)
    return [weight, Tensor(f"{name}.bias", (out,), component)] if bias else [weight]


def norm(name: str, width: int, *, bias: bool = False, component: str = "norm") -> Tensors:
    """A norm: RMSNorm has a scale, LayerNorm (`bias`) a shift too."""
    scale = Tensor(name, (width,), component)
    return [scale, Tensor(f"{name}.bias", (width,), component)] if bias else [scale]


def table(name: str, rows: int, width: int, component: str = "embedding") -> Tensors:
    """A table of vectors: tokens, positions."""
    return [Tensor(name, (rows, width), component)]


# ------------------------------------------------------------------------------------------------------------------- attention


def projections(
    hidden: int, of: Attention, *, qkv_bias: bool = False, out_bias: bool = False, query_factor: int = 1, keys: bool = True, values: bool = True
) -> Tensors:
    """q, k, v and o of softmax attention: (a d, h), (g d, h), (g d_v, h), (h, a d_v). A gated query (`query_factor` 2) has its gate in q."""
    found = linear("q_proj", of.heads * of.head_dim * query_factor, hidden, "attention", bias=qkv_bias)
    if keys:
        found += linear("k_proj", of.kv_heads * of.head_dim, hidden, "attention", bias=qkv_bias)
        if values:
            found += linear("v_proj", of.kv_heads * of.value_dim, hidden, "attention", bias=qkv_bias)
    return found + linear("o_proj", hidden, of.heads * of.value_dim, "attention", bias=out_bias)


def fused_projections(hidden: int, of: Attention, name: str, out: str, *, bias: bool = False, out_bias: bool = False) -> Tensors:
    """The same with one matrix for q, k and v: ((a + 2 g) d, h)."""
    width = of.heads * of.head_dim + of.kv_heads * (of.head_dim + of.value_dim)
    return linear(name, width, hidden, "attention", bias=bias) + linear(out, hidden, of.heads * of.value_dim, "attention", bias=out_bias)


def latent(hidden: int, of: LatentAttention, *, bias: bool = False) -> Tensors:
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1), queries with or without a latent of their own.

    DeepSeek-V2 has h = 5120, a = 128, query rank 1536, latent 512 + 64:

    >>> sum(t.size for t in latent(5120, LatentAttention(128, 1536, 512, 128, 64, 128)))
    149227520
    """
    width = of.heads * (of.nope_dim + of.rope_dim)
    found = (
        linear("q_proj", width, hidden, "attention")
        if of.q_rank is None
        else linear("q_a_proj", of.q_rank, hidden, "attention", bias=bias)
        + norm("q_a_layernorm", of.q_rank)
        + linear("q_b_proj", width, of.q_rank, "attention")
    )
    found += linear("kv_a_proj_with_mqa", of.kv_rank + of.rope_dim, hidden, "attention", bias=bias) + norm("kv_a_layernorm", of.kv_rank)
    found += linear("kv_b_proj", of.heads * (of.nope_dim + of.value_dim), of.kv_rank, "attention")
    return found + linear("o_proj", hidden, of.heads * of.value_dim, "attention", bias=bias)


# ------------------------------------------------------------------------------------------------------------------- feed-forward


def gated_mlp(hidden: int, width: int, *, bias: bool = False, fused: bool = False) -> tuple[Dense, Tensors]:
    """SwiGLU or GeGLU: gate and up (f, h), down (h, f)."""
    if fused:
        found = linear("gate_up_proj", 2 * width, hidden, "mlp", bias=bias)
    else:
        found = linear("gate_proj", width, hidden, "mlp", bias=bias) + linear("up_proj", width, hidden, "mlp", bias=bias)
    return Dense(width, gated=True), found + linear("down_proj", hidden, width, "mlp", bias=bias)


def plain_mlp(hidden: int, width: int, *, up: str = "up_proj", down: str = "down_proj", bias: bool = False) -> tuple[Dense, Tensors]:
    """Two matrices: up (f, h), down (h, f)."""
    return Dense(width, gated=False), linear(up, width, hidden, "mlp", bias=bias) + linear(down, hidden, width, "mlp", bias=bias)


def routed_mlp(hidden: int, of: Experts, *, shared_gate: bool = False, bias: bool = False, shared_bias: bool = False) -> Tensors:
    """Mixture of experts: a router (E, h), E experts as stacked matrices, and the shared ones that every token passes."""
    into, up = of.input_width or hidden, 2 * of.width if of.gated else of.width
    name = "gate_up_proj" if of.gated else "up_proj"
    found = linear("router", of.count, hidden, "router", bias=bias)
    found.append(Tensor(name, (of.count, up, into), "routed_experts", linear=True))
    found.append(Tensor("down_proj", (of.count, into, of.width), "routed_experts", linear=True))
    if bias:
        found += [Tensor(f"{name}.bias", (of.count, up), "routed_experts"), Tensor("down_proj.bias", (of.count, into), "routed_experts")]
    if of.shared_width:
        found += (gated_mlp if of.gated else plain_mlp)(hidden, of.shared_width, bias=shared_bias)[1]
    if shared_gate:
        found += linear("shared_expert_gate", 1, hidden, "router")
    return found


# ------------------------------------------------------------------------------------------------------------------- state space


def mamba(hidden: int, inner: int, state: int, kernel: int, rank: int, *, conv_bias: bool, bias: bool, norms: bool) -> tuple[Recurrent, Tensors]:
    """Mamba (arXiv 2312.00752, section 3.4): in (2 n, h), convolution, dt and B, C from x, A (n, N), D, out (h, n).

    A state of n N elements and a window of n w, per sequence: the 2.8b model has n = 5120, N = 16, w = 4.

    >>> mixer, _tensors = mamba(2560, 5120, 16, 4, 160, conv_bias=True, bias=False, norms=False)
    >>> mixer.state_elements, mixer.conv_elements
    (81920, 20480)
    """
    found = linear("in_proj", 2 * inner, hidden, "state_space", bias=bias)
    found += convolution(inner, kernel, bias=conv_bias)
    found += linear("x_proj", rank + 2 * state, inner, "state_space") + linear("dt_proj", inner, rank, "state_space", bias=True)
    found += [Tensor("A_log", (inner, state), "state_space"), Tensor("D", (inner,), "state_space")]
    if norms:
        found += norm("dt_layernorm", rank) + norm("b_layernorm", state) + norm("c_layernorm", state)
    found += linear("out_proj", hidden, inner, "state_space", bias=bias)
    return Recurrent("mamba", inner, inner * state, inner * kernel), found


def mamba2(
    hidden: int,
    heads: int,
    head_dim: int,
    state: int,
    groups: int,
    kernel: int,
    *,
    conv_bias: bool,
    bias: bool,
) -> tuple[Recurrent, Tensors]:
    """Mamba-2 (arXiv 2405.21060, section 7): one projection for z, x, B, C and dt, a scalar A per head."""
    inner = heads * head_dim
    mixed = inner + 2 * groups * state
    found = linear("in_proj", inner + mixed + heads, hidden, "state_space", bias=bias) + convolution(mixed, kernel, bias=conv_bias)
    found += [Tensor(name, (heads,), "state_space") for name in ("dt_bias", "A_log", "D")]
    found += norm("norm", inner) + linear("out_proj", hidden, inner, "state_space", bias=bias)
    return Recurrent("mamba2", inner, inner * state, mixed * kernel), found


def convolution(channels: int, kernel: int, *, bias: bool = False, component: str = "state_space") -> Tensors:
    """A causal convolution with one kernel per channel."""
    weight = Tensor("conv1d", (channels, 1, kernel), component)
    return [weight, Tensor("conv1d.bias", (channels,), component)] if bias else [weight]


# ------------------------------------------------------------------------------------------------------------------- the whole


def embedding(c: Config, hidden: int, *, tied: bool | None = None, name: str = "embed_tokens") -> Tensors:
    """The table of tokens, and the head unless it reads that table."""
    vocab = c.vocab
    tied = c.tied if tied is None else tied
    return table(name, vocab, hidden) + ([] if tied else linear("lm_head", vocab, hidden, "lm_head"))


def architecture(
    c: Config,
    layers: Sequence[Layer],
    outer: Iterable[Tensor],
    *,
    hidden: int,
    norm: str = "rms",
    tied: bool | None = None,
    vocab: int | None = None,
    router_bias: int = 0,
) -> Architecture:
    """The parts of a language model put together."""
    return Architecture(
        name="",
        family=c.kind,
        hidden_size=hidden,
        vocab=c.vocab if vocab is None else vocab,
        layers=tuple(layers),
        outer=tuple(outer),
        tied=c.tied if tied is None else tied,
        norm=norm,
        activation=c.activation,
        dropout=c.dropout,
        max_positions=c.positions,
        router_bias=router_bias,
    )
