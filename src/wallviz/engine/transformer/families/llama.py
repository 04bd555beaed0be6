"""Llama and the many that follow it: pre-norm decoders with grouped attention, gated or plain feed-forward layers, experts in some of them.

A family is a `Style`: what its class always does, and which key of the config decides the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wallviz.engine.transformer import blocks
from wallviz.engine.transformer.blocks import Tensors
from wallviz.engine.transformer.config import EXPERT_LIMIT, EXPERT_WIDTH, EXPERTS, FFN, KV_HEADS, TOP_K, Config, each
from wallviz.engine.transformer.parts import Architecture, Attention, Dense, Experts, Layer, Tensor

Switch = bool | str
"""Always, never, or the key of the config that says so."""


@dataclass(frozen=True, slots=True)
class Style:
    """What sets a family apart from Llama."""

    qkv_bias: Switch = False
    out_bias: Switch = False
    mlp_bias: Switch = False
    head_bias: Switch = False
    fused: bool = False
    """One matrix for q, k and v, one for gate and up."""
    fused_mlp: bool = False
    gated: bool = True
    mlp_names: tuple[str, str] = ("up_proj", "down_proj")
    norm: str = "rms"
    norms: tuple[str, ...] = ("input_layernorm", "post_attention_layernorm")
    """Norms of a layer; a parallel layer has one."""
    norm_bias: Switch = False
    norm_weight: bool = True
    parallel: Switch = False
    """Attention and feed-forward layer side by side behind the first norm alone."""
    qk_norm: str = ""
    """head: one scale of d; width: of all heads; each: one per head; shift: LayerNorm of d."""
    qk_norm_if: Switch = True
    sinks: bool = False
    """One learned sink logit per head."""
    window: str = ""
    """How the config gives windows: see `windows`."""
    experts: Switch = False
    """Whether feed-forward layers may be routed."""
    shared: str = ""
    """Key of the shared experts: a width, or a number of experts."""
    shared_gate: bool = False
    router_bias: bool = False
    """The router has a correction bias, a buffer."""
    expert_bias: bool = False
    head_gate: bool = False
    """One learned gate per query head (Step)."""


def switch(c: Config, by: Switch) -> bool:
    """What a switch says for this config."""
    return by if isinstance(by, bool) else c.flag(by)


# ------------------------------------------------------------------------------------------------------------------- windows


def windows(c: Config, layers: int, rule: str) -> list[int | None]:
    """The sliding window (or chunk) of every layer: a list where the config has one, else the rule of its class."""
    types = c.words("layer_types", layers=layers)
    if types is not None:
        return [window_of(c, kind) for kind in types]
    if rule == "" or (rule == "switch" and not c.flag("use_sliding_window")):
        return [None] * layers
    if rule == "chunk":
        every = c.integer("no_rope_layer_interval", default=4)
        chunk = c.optional("attention_chunk_size", least=1)
        rope = c.numbers("no_rope_layers", layers=layers) if c.data.get("no_rope_layers") else None
        return [chunk if (bool(rope[i]) if rope else (i + 1) % every) else None for i in range(layers)]
    size = c.optional("sliding_window", least=0, most=1_000_000_000) or None
    if rule == "switch":
        first = c.integer("max_window_layers", default=layers, least=0)
        return [size if i >= first else None for i in range(layers)]
    if rule == "from":
        first = c.integer("max_window_layers", default=0, least=0)
        return [size if i >= first else None for i in range(layers)]
    if rule == "all":
        return [size] * layers
    every = (
        c.integer("sliding_window_pattern", "_sliding_window_pattern", default=int(rule)) if not _is_text(c, "sliding_window_pattern") else int(rule)
    )
    return [size if (i + 1) % every else None for i in range(layers)]


def _is_text(c: Config, key: str) -> bool:
    return isinstance(c.data.get(key), str)  # EXAONE writes its pattern as "LLLG"


def window_of(c: Config, kind: str) -> int | None:
    """The window of a layer of this type."""
    if kind == "chunked_attention":
        return c.optional("attention_chunk_size", least=1)
    if "sliding" in kind or "local" in kind:
        return c.optional("sliding_window", "sliding_window_size", least=0, most=1_000_000_000) or None
    return None


# ------------------------------------------------------------------------------------------------------------------- experts


def routed(c: Config, layers: int) -> list[bool]:
    """Which layers have experts, by whatever key the config uses."""
    types = c.words("mlp_layer_types", layers=layers)
    if types is not None:
        return [kind != "dense" for kind in types]
    if c.data.get("moe_layers") is not None and (chosen := c.integers("moe_layers")) is not None:
        known = set(chosen)
        return [i in known for i in range(layers)]
    if isinstance(c.data.get("moe_layer_freq"), (list, tuple)):
        found = c.numbers("moe_layer_freq", layers=layers)
        return [bool(flag) for flag in found or ()]
    if (listed := c.data.get("moe_layers_enum")) is not None and isinstance(listed, str):
        known = {int(part) for part in listed.split(",") if part.strip().isdigit() and len(part) < 9}
        return [i in known for i in range(layers)]
    step = c.integer("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq", "moe_layer_interval", default=1, least=0)
    first = c.integer("first_k_dense_replace", "moe_layer_start_index", default=0, least=0)
    dense = set(c.integers("mlp_only_layers") or ())
    if c.has("first_k_dense_replace", "moe_layer_freq", "moe_layer_interval") and not c.has("decoder_sparse_step"):
        return [step > 0 and i >= first and (i - first if c.has("moe_layer_interval") else i) % step == 0 and i not in dense for i in range(layers)]
    return [step > 0 and i >= first and (i + 1) % step == 0 and i not in dense for i in range(layers)]


def experts(c: Config, hidden: int, style: Style, *, width: int | None = None) -> Experts:
    """The experts of a routed layer."""
    count = c.integer(*EXPERTS, most=EXPERT_LIMIT)
    top_k = c.integer(*TOP_K, most=count)
    width = width or (c.integer(*EXPERT_WIDTH) if c.knows(*EXPERT_WIDTH) else c.integer(*FFN))
    shared = 0
    if style.shared in ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert"):
        shared = width * c.integer("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert", default=0, least=0)
    elif style.shared:
        shared = c.integer(style.shared, default=0, least=0)
    return Experts(count, top_k, width, shared, gated=style.gated)


# ------------------------------------------------------------------------------------------------------------------- layers


def attention_of(c: Config, hidden: int, window: int | None = None, *, qk_norm: bool = False) -> Attention:
    """Grouped softmax attention as the config states it."""
    heads = c.heads
    dim = c.head_dim(hidden, heads)
    return Attention(heads, c.kv_heads(heads), dim, c.optional("v_head_dim", least=1) or dim, window, qk_norm=qk_norm)


def qk_norms(of: Attention, kind: str) -> Tensors:
    """Norms of queries and keys before they meet."""
    if kind == "width":
        return blocks.norm("q_norm", of.heads * of.head_dim) + blocks.norm("k_norm", of.kv_heads * of.head_dim)
    if kind == "each":
        return blocks.norm("q_norm", of.heads * of.head_dim) + blocks.norm("k_norm", of.kv_heads * of.head_dim)
    return [] if not kind else blocks.norm("q_norm", of.head_dim, bias=kind == "shift") + blocks.norm("k_norm", of.head_dim, bias=kind == "shift")


def mixer_tensors(c: Config, hidden: int, of: Attention, style: Style, *, query_factor: int = 1) -> Tensors:
    """Tensors of the attention block, norms of q and k included."""
    bias, out_bias = switch(c, style.qkv_bias), switch(c, style.out_bias)
    if style.fused:
        found = blocks.fused_projections(hidden, of, "qkv_proj", "o_proj", bias=bias, out_bias=out_bias)
    else:
        found = blocks.projections(hidden, of, qkv_bias=bias, out_bias=out_bias, query_factor=query_factor)
    if of.qk_norm:
        found += qk_norms(of, style.qk_norm)
    if style.head_gate:
        found += blocks.linear("g_proj", of.heads, hidden, "attention")
    if style.sinks:
        found += [Tensor("sinks", (of.heads,), "attention")]
    return found


def dense_mlp(c: Config, hidden: int, style: Style, width: int) -> tuple[Dense, Tensors]:
    """The feed-forward layer without experts."""
    bias = switch(c, style.mlp_bias)
    if style.gated:
        return blocks.gated_mlp(hidden, width, bias=bias, fused=style.fused or style.fused_mlp)
    return blocks.plain_mlp(hidden, width, up=style.mlp_names[0], down=style.mlp_names[1], bias=bias)


def norms(c: Config, hidden: int, style: Style) -> Tensors:
    """The norms of one layer."""
    if not style.norm_weight:
        return []
    bias = switch(c, style.norm_bias)
    names = style.norms[:1] if switch(c, style.parallel) else style.norms
    return [tensor for name in names for tensor in blocks.norm(name, hidden, bias=bias)]


def decoder(c: Config, style: Style) -> Architecture:
    """A decoder of this style."""
    hidden, layers = c.hidden, c.layers
    qk_norm = bool(style.qk_norm) and switch(c, style.qk_norm_if)
    sparse = routed(c, layers) if switch(c, style.experts) else [False] * layers

    def layer(key: tuple[int | None, bool]) -> Layer:
        window, has_experts = key
        of = attention_of(c, hidden, window, qk_norm=qk_norm)
        mlp: Dense | Experts
        if has_experts:
            mlp = experts(c, hidden, style)
            feed = blocks.routed_mlp(hidden, mlp, shared_gate=style.shared_gate, bias=style.expert_bias)
        else:
            mlp, feed = dense_mlp(c, hidden, style, dense_width(c))
        return Layer(of, mlp, tuple(mixer_tensors(c, hidden, of, style) + feed + norms(c, hidden, style)))

    stack = each(list(zip(windows(c, layers, style.window), sparse, strict=True)), layer)
    return finish(c, stack, style)


def dense_width(c: Config) -> int:
    """Width of a layer without experts; Llama 4 names it apart."""
    return c.integer("intermediate_size_mlp", *FFN) if c.kind == "llama4_text" else c.integer(*FFN)


def finish(c: Config, stack: Sequence[Layer], style: Style, extra: Sequence[Tensor] = ()) -> Architecture:
    """Embedding, final norm and head around a stack of layers."""
    hidden, tied = c.hidden, c.tied
    outer = blocks.embedding(c, hidden, tied=tied)
    if switch(c, style.head_bias):
        outer.append(Tensor("lm_head.bias", (c.vocab,), "lm_head"))
    if style.norm_weight:
        outer += blocks.norm("norm", hidden, bias=switch(c, style.norm_bias))
    bias = sum(layer.mlp.count for layer in stack if isinstance(layer.mlp, Experts)) if style.router_bias else 0
    return blocks.architecture(c, stack, [*outer, *extra], hidden=hidden, norm=style.norm, tied=tied, router_bias=bias)


FOUR_NORMS = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")
LLAMA = Style(qkv_bias="attention_bias", out_bias="attention_bias", mlp_bias="mlp_bias")
MISTRAL = Style(window="all")
QWEN2 = Style(qkv_bias=True, window="switch")
QWEN3 = Style(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="head", window="switch")
QWEN3_MOE = Style(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="head", experts=True)
GLM = Style(qkv_bias="attention_bias", fused_mlp=True)
GRANITE_MOE = Style(qkv_bias="attention_bias", out_bias="attention_bias", experts=True)

STYLES: Mapping[str, Style] = {
    "llama": LLAMA,
    "arcee": Style(qkv_bias="attention_bias", out_bias="attention_bias", mlp_bias="mlp_bias", gated=False),
    "mistral": MISTRAL,
    "ministral": Style(window="all"),
    "ministral3": Style(window="all"),
    "mixtral": Style(window="all", experts=True),
    "qwen2": QWEN2,
    "qwen2_vl_text": QWEN2,
    "qwen2_5_vl_text": QWEN2,
    "qwen2_moe": Style(qkv_bias="qkv_bias", experts=True, shared="shared_expert_intermediate_size", shared_gate=True, window="switch"),
    "qwen3": QWEN3,
    "qwen3_vl_text": QWEN3,
    "qwen3_moe": QWEN3_MOE,
    "qwen3_vl_moe_text": QWEN3_MOE,
    "smollm3": Style(qkv_bias="attention_bias", out_bias="attention_bias", mlp_bias="mlp_bias"),
    "seed_oss": Style(qkv_bias="attention_bias", out_bias="attention_out_bias", mlp_bias="mlp_bias"),
    "exaone4": Style(qk_norm="head", norms=("post_attention_layernorm", "post_feedforward_layernorm"), window="4"),
    "ernie4_5": Style(qkv_bias="use_bias", out_bias="use_bias", mlp_bias="use_bias"),
    "hunyuan_v1_dense": Style(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="head"),
    "dots1": Style(
        qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="head", experts=True, shared="n_shared_experts", router_bias=True, window="from"
    ),
    "phi": Style(
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
        head_bias=True,
        gated=False,
        mlp_names=("fc1", "fc2"),
        norm="layer",
        norms=("input_layernorm",),
        norm_bias=True,
        qk_norm="shift",
        qk_norm_if="qk_layernorm",
    ),
    "phi3": Style(fused=True, window="all"),
    "phimoe": Style(
        qkv_bias="attention_bias", out_bias="attention_bias", norm="layer", norm_bias=True, head_bias="lm_head_bias", experts=True, window="all"
    ),
    "stablelm": Style(
        qkv_bias="use_qkv_bias", norm="layer", norm_bias=True, qk_norm="each", qk_norm_if="qk_layernorm", parallel="use_parallel_residual"
    ),
    "starcoder2": Style(
        qkv_bias="use_bias",
        out_bias="use_bias",
        mlp_bias="use_bias",
        gated=False,
        mlp_names=("c_fc", "c_proj"),
        norm="layer",
        norm_bias=True,
        window="all",
    ),
    "nemotron": Style(qkv_bias="attention_bias", out_bias="attention_bias", mlp_bias="mlp_bias", gated=False, norm="layer", norm_bias=True),
    "cohere": Style(
        qkv_bias="attention_bias", out_bias="attention_bias", norm="layer", norms=("input_layernorm",), qk_norm="each", qk_norm_if="use_qk_norm"
    ),
    "cohere2": Style(qkv_bias="attention_bias", out_bias="attention_bias", norm="layer", norms=("input_layernorm",), window="4"),
    "olmo": Style(qkv_bias="attention_bias", out_bias="attention_bias", norm="layer", norm_weight=False),
    "olmo2": Style(
        qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="width", norms=("post_attention_layernorm", "post_feedforward_layernorm")
    ),
    "olmo3": Style(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        qk_norm="width",
        norms=("post_attention_layernorm", "post_feedforward_layernorm"),
        window="4",
    ),
    "olmoe": Style(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="width", experts=True),
    "glm": GLM,
    "glm4": Style(
        qkv_bias="attention_bias",
        fused_mlp=True,
        norms=("input_layernorm", "post_attention_layernorm", "post_self_attn_layernorm", "post_mlp_layernorm"),
    ),
    "glm4_moe": Style(qkv_bias="attention_bias", qk_norm="head", qk_norm_if="use_qk_norm", experts=True, shared="n_shared_experts", router_bias=True),
    "granite": LLAMA,
    "granitemoe": GRANITE_MOE,
    "granitemoeshared": Style(qkv_bias="attention_bias", out_bias="attention_bias", experts=True, shared="shared_intermediate_size"),
    "gpt_oss": Style(qkv_bias="attention_bias", out_bias="attention_bias", sinks=True, experts=True, expert_bias=True, window="2"),
    "minimax_m2": Style(qk_norm="width", experts=True, router_bias=True),
    "llama4_text": Style(qkv_bias="attention_bias", out_bias="attention_bias", experts=True, shared="intermediate_size", window="chunk"),
}


def _reader(style: Style) -> Callable[[Config], Architecture]:
    return lambda c: decoder(c, style)


# ------------------------------------------------------------------------------------------------------------------- with their own rules


def mimo(c: Config) -> Architecture:
    """MiMo-V2-Flash: sliding layers have their own heads and sinks, values are narrower than keys."""
    hidden, layers = c.hidden, c.layers
    style = Style(experts=True, router_bias=True)
    pattern = c.numbers("hybrid_layer_pattern", layers=layers)
    types = c.words("layer_types", layers=layers)
    slides = (
        [kind == "sliding_attention" for kind in types]
        if types is not None
        else [bool(flag) for flag in pattern]
        if pattern is not None
        else [i > 0 and (i + 1) % 6 != 0 for i in range(layers)]
    )
    stated = c.optional("sliding_window", least=1, most=1_000_000_000)

    def layer(key: tuple[bool, bool]) -> Layer:
        sliding, has_experts = key
        heads = c.integer("swa_num_attention_heads", default=c.heads) if sliding else c.heads
        kv_heads = c.integer("swa_num_key_value_heads", default=2 * c.kv_heads(c.heads)) if sliding else c.kv_heads(c.heads)
        dim = c.integer("swa_head_dim", default=c.integer("head_dim")) if sliding else c.integer("head_dim")
        value = c.integer("swa_v_head_dim", default=c.integer("v_head_dim")) if sliding else c.integer("v_head_dim")
        of = Attention(heads, kv_heads, dim, value, stated if sliding else None)
        sinks = c.flag("add_swa_attention_sink_bias", default=True) if sliding else c.flag("add_full_attention_sink_bias")
        found = blocks.projections(hidden, of, qkv_bias=c.flag("attention_bias")) + ([Tensor("sinks", (heads,), "attention")] if sinks else [])
        mlp: Dense | Experts
        if has_experts:
            mlp = experts(c, hidden, style)
            feed = blocks.routed_mlp(hidden, mlp)
        else:
            mlp, feed = blocks.gated_mlp(hidden, c.integer(*FFN))
        return Layer(of, mlp, tuple(found + feed + norms(c, hidden, style)))

    return finish(c, each(list(zip(slides, routed(c, layers), strict=True)), layer), style)


def step(c: Config) -> Architecture:
    """Step 3.5 and 3.7: a gate per query head, more heads in sliding layers, and three dense layers before the experts."""
    hidden, layers = c.hidden, c.layers
    style = Style(qk_norm="head", head_gate=True, experts=True, router_bias=True)
    heads, kv_heads, dim = c.heads, c.integer(*KV_HEADS, "num_attention_groups"), c.integer("head_dim")
    other = Config(c.mapping("attention_other_setting"), "")
    sliding_heads = c.integer("num_sliding_attention_heads", default=other.integer("num_attention_heads", default=heads))
    sparse = routed(c, layers) if c.has("mlp_layer_types", "moe_layers_enum") else [i >= 3 for i in range(layers)]

    def layer(key: tuple[int | None, bool]) -> Layer:
        window, has_experts = key
        of = Attention(heads if window is None else sliding_heads, kv_heads, dim, dim, window, qk_norm=True)
        mlp: Dense | Experts
        if has_experts:
            count = c.integer("n_routed_experts", *EXPERTS, most=EXPERT_LIMIT)
            mlp = Experts(
                count,
                c.integer(*TOP_K, most=count),
                c.integer(*EXPERT_WIDTH),
                c.integer("share_expert_dim", "share_expert_dims", default=0, least=0),
            )
            feed = blocks.routed_mlp(hidden, mlp)
        else:
            mlp, feed = blocks.gated_mlp(hidden, c.integer(*FFN))
        return Layer(of, mlp, tuple(mixer_tensors(c, hidden, of, style) + feed + norms(c, hidden, style)))

    return finish(c, each(list(zip(windows(c, layers, ""), sparse, strict=True)), layer), style)


FAMILIES: Mapping[str, Callable[[Config], Architecture]] = {kind: _reader(style) for kind, style in STYLES.items()} | {
    "mimo_v2_flash": mimo,
    "step3p5": step,
}
