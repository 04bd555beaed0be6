"""Models with a recurrent state: Mamba, Mamba-2, Jamba, Nemotron-H, Bamba, Granite 4, Qwen3-Next and 3.5, Kimi Linear, MiniMax-Text-01."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallviz.engine.transformer import blocks
from wallviz.engine.transformer.blocks import Tensors
from wallviz.engine.transformer.config import EXPERT_LIMIT, EXPERT_WIDTH, EXPERTS, FFN, HEADS, TOP_K, Config, each, shown
from wallviz.engine.transformer.families.deepseek import DEEPSEEK, latent_of
from wallviz.engine.transformer.families.llama import (
    LLAMA,
    Style,
    attention_of,
    experts,
    finish,
    mixer_tensors,
    norms,
    routed,
)
from wallviz.engine.transformer.parts import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Recurrent, Tensor
from wallviz.errors import InputError
from wallviz.i18n import N_

#: Older names of layer types to those of today.
TYPES = {"mamba": "linear_attention", "attention": "full_attention", "recurrent": "linear_attention", "full": "full_attention"}


def layer_types(c: Config, layers: int, *names: str) -> list[str] | None:
    """One of linear_attention, full_attention, moe, mlp per layer, where the config lists them."""
    found = c.words(*(names or ("layer_types", "layers_block_type")), layers=layers)
    return None if found is None else [_known(c, TYPES.get(kind, kind)) for kind in found]


def _known(c: Config, kind: str) -> str:
    known = ("linear_attention", "full_attention", "sliding_attention", "moe", "mlp")
    if kind not in known:
        raise InputError(
            N_("layer_types holds {value}, which {family} does not know: use one of {known}"),
            value=shown(kind),
            family=c.kind,
            known=", ".join(known),
        )
    return kind


# ------------------------------------------------------------------------------------------------------------------- Mamba


def _rank(c: Config, hidden: int, name: str) -> int:
    """Rank of dt: ceil(h / 16) where it says auto or nothing (arXiv 2312.00752, section 3.6)."""
    return -(-hidden // 16) if c.data.get(name) in ("auto", None) else c.integer(name)


def mamba(c: Config) -> Architecture:
    """Mamba (arXiv 2312.00752) and Falcon-Mamba: every layer is a state-space mixer behind one norm."""
    hidden = c.hidden
    mixer, found = blocks.mamba(
        hidden,
        c.integer("intermediate_size", "d_inner") if c.has("intermediate_size", "d_inner") else c.integer("expand", most=64) * hidden,
        c.integer("state_size"),
        c.integer("conv_kernel", most=1024),
        _rank(c, hidden, "time_step_rank"),
        conv_bias=c.flag("use_conv_bias", default=True),
        bias=c.flag("use_bias"),
        norms=False,
    )
    layer = Layer(mixer, None, tuple(blocks.norm("norm", hidden) + found))
    return finish(c, [layer] * c.layers, Style())


def mamba2(c: Config) -> Architecture:
    """Mamba-2 (arXiv 2405.21060)."""
    hidden = c.hidden
    mixer, found = blocks.mamba2(
        hidden,
        c.integer("num_heads", most=EXPERT_LIMIT),
        c.integer("head_dim"),
        c.integer("state_size"),
        c.integer("n_groups", most=EXPERT_LIMIT),
        c.integer("conv_kernel", most=1024),
        conv_bias=c.flag("use_conv_bias", default=True),
        bias=c.flag("use_bias"),
    )
    layer = Layer(mixer, None, tuple(blocks.norm("norm", hidden) + found))
    return finish(c, [layer] * c.layers, Style())


def jamba(c: Config) -> Architecture:
    """Jamba (arXiv 2403.19887): one attention layer in eight, experts in every other layer."""
    hidden, layers = c.hidden, c.layers
    every, offset = c.integer("attn_layer_period"), c.integer("attn_layer_offset", least=0)
    expert_every, expert_offset = c.integer("expert_layer_period"), c.integer("expert_layer_offset", least=0)
    count = c.integer(*EXPERTS, most=EXPERT_LIMIT)
    listed = layer_types(c, layers)
    attends = [kind != "linear_attention" for kind in listed] if listed else [i % every == offset for i in range(layers)]

    def layer(key: tuple[bool, bool]) -> Layer:
        attention, has_experts = key
        mixer: Attention | Recurrent
        if attention:
            mixer = attention_of(c, hidden)
            found = blocks.projections(hidden, mixer)
        else:
            mixer, found = blocks.mamba(
                hidden,
                c.integer("mamba_expand", most=64) * hidden,
                c.integer("mamba_d_state"),
                c.integer("mamba_d_conv", most=1024),
                _rank(c, hidden, "mamba_dt_rank"),
                conv_bias=c.flag("mamba_conv_bias", default=True),
                bias=c.flag("mamba_proj_bias"),
                norms=True,
            )
        mlp: Dense | Experts
        if has_experts and count > 1:
            mlp = Experts(count, c.integer(*TOP_K, most=count), c.integer(*FFN))
            feed = blocks.routed_mlp(hidden, mlp)
        else:
            mlp, feed = blocks.gated_mlp(hidden, c.integer(*FFN))
        return Layer(mixer, mlp, tuple(found + feed + norms(c, hidden, LLAMA)))

    keys = [(attends[i], i % expert_every == expert_offset) for i in range(layers)]
    return finish(c, each(keys, layer), Style())


def nemotron_h(c: Config) -> Architecture:
    """Nemotron-H (arXiv 2504.03624) and Nemotron 3: a layer is one thing, a mixer or a feed-forward part; experts may work in a latent space."""
    hidden = c.hidden
    letters = {"M": "linear_attention", "E": "moe", "*": "full_attention", "-": "mlp"}
    pattern = c.text("hybrid_override_pattern")
    listed = c.listing("layers_block_type", "layer_types")
    unknown = next((letter for letter in pattern if letter not in letters), None)
    if unknown is not None:
        raise InputError(N_("hybrid_override_pattern holds {value}: use M (Mamba), E (experts), * (attention) and -"), value=shown(unknown))
    kinds = layer_types(c, len(listed), "layers_block_type", "layer_types") if listed else [letters[letter] for letter in pattern]
    if not kinds:
        raise InputError(N_("layers_block_type is missing: a config.json of a {family} model states it; add it"), family=c.kind)

    def layer(kind: str) -> Layer:
        found = blocks.norm("norm", hidden)
        if kind == "linear_attention":
            mixer, tensors = blocks.mamba2(
                hidden,
                c.integer("mamba_num_heads", most=EXPERT_LIMIT),
                c.integer("mamba_head_dim"),
                c.integer("ssm_state_size"),
                c.integer("n_groups", "mamba_n_groups", most=EXPERT_LIMIT),
                c.integer("conv_kernel", "mamba_d_conv", most=1024),
                conv_bias=c.flag("use_conv_bias", "mamba_conv_bias", default=True),
                bias=c.flag("use_bias"),
            )
            return Layer(mixer, None, tuple(found + tensors))
        if kind in ("full_attention", "sliding_attention"):
            window = c.optional("sliding_window", least=1, most=1_000_000_000) if kind == "sliding_attention" else None
            of = attention_of(c, hidden, window)
            return Layer(of, None, tuple(found + blocks.projections(hidden, of)))
        bias = c.flag("mlp_bias")
        if kind == "mlp":
            mlp, tensors = blocks.plain_mlp(hidden, c.integer(*FFN), bias=bias)
            return Layer(None, mlp, tuple(found + tensors))
        inside = c.optional("moe_latent_size", least=0) or 0
        count = c.integer(*EXPERTS, most=EXPERT_LIMIT)
        shared = c.integer("moe_shared_expert_intermediate_size", default=0, least=0)
        of_experts = Experts(count, c.integer(*TOP_K, most=count), c.integer(*EXPERT_WIDTH), shared, gated=False, input_width=inside)
        tensors = blocks.routed_mlp(hidden, of_experts, shared_bias=bias)
        if inside:
            tensors += blocks.linear("fc1_latent_proj", inside, hidden, "mlp", bias=bias)
            tensors += blocks.linear("fc2_latent_proj", hidden, inside, "mlp", bias=bias)
        return Layer(None, of_experts, tuple(found + tensors))

    return finish(c, each(kinds, layer), Style(router_bias=True))


def _mamba2_of(c: Config, hidden: int) -> tuple[Recurrent, Tensors]:
    """The Mamba-2 mixer of Bamba and Granite 4."""
    heads = c.integer("mamba_n_heads", most=EXPERT_LIMIT)
    inner = c.integer("mamba_expand", most=64) * hidden
    if c.data.get("mamba_d_head") in ("auto", None) and inner % heads:
        raise InputError(
            N_("hidden_size {hidden} times mamba_expand is no multiple of mamba_n_heads {heads}: correct one of them"), hidden=hidden, heads=heads
        )
    return blocks.mamba2(
        hidden,
        heads,
        inner // heads if c.data.get("mamba_d_head") in ("auto", None) else c.integer("mamba_d_head"),
        c.integer("mamba_d_state"),
        c.integer("mamba_n_groups", most=EXPERT_LIMIT),
        c.integer("mamba_d_conv", most=1024),
        conv_bias=c.flag("mamba_conv_bias", default=True),
        bias=c.flag("mamba_proj_bias"),
    )


def bamba(c: Config) -> Architecture:
    """Bamba: Mamba-2 layers with attention in those that `attn_layer_indices` lists."""
    hidden, layers = c.hidden, c.layers
    attends = set(c.integers("attn_layer_indices") or ())

    def layer(attention: bool) -> Layer:
        mixer: Attention | Recurrent
        if attention:
            mixer = attention_of(c, hidden)
            found = mixer_tensors(c, hidden, mixer, LLAMA)
        else:
            mixer, found = _mamba2_of(c, hidden)
        mlp, feed = blocks.gated_mlp(hidden, c.integer(*FFN), bias=c.flag("mlp_bias"))
        return Layer(mixer, mlp, tuple(found + feed + norms(c, hidden, LLAMA)))

    return finish(c, each([i in attends for i in range(layers)], layer), Style())


def granite_hybrid(c: Config) -> Architecture:
    """Granite 4: Mamba-2 or attention, then experts (where there are any) beside a shared gated layer."""
    hidden, layers = c.hidden, c.layers
    kinds = layer_types(c, layers) or ["linear_attention"] * layers
    count = c.integer(*EXPERTS, least=0, most=EXPERT_LIMIT)
    shared = c.integer("shared_intermediate_size", least=0)

    def layer(kind: str) -> Layer:
        mixer: Attention | Recurrent
        if kind == "linear_attention":
            mixer, found = _mamba2_of(c, hidden)
        else:
            mixer = attention_of(c, hidden)
            found = mixer_tensors(c, hidden, mixer, Style(qkv_bias="attention_bias", out_bias="attention_bias"))
        mlp: Dense | Experts
        mlp, feed = blocks.gated_mlp(hidden, shared, fused=True)
        if count:
            mlp = Experts(count, c.integer(*TOP_K, most=count), c.integer(*FFN), shared)
            feed += blocks.routed_mlp(hidden, Experts(mlp.count, mlp.top_k, mlp.width))
        return Layer(mixer, mlp, tuple(found + feed + norms(c, hidden, LLAMA)))

    return finish(c, each(kinds, layer), Style())


# ------------------------------------------------------------------------------------------------------------------- linear attention


def gated_delta(c: Config, hidden: int) -> tuple[Recurrent, Tensors]:
    """Gated delta rule (arXiv 2412.06464) of Qwen3-Next and 3.5: a d_k x d_v state per value head, a convolution over q, k and v."""
    k_heads, v_heads = c.integer("linear_num_key_heads", most=EXPERT_LIMIT), c.integer("linear_num_value_heads", most=EXPERT_LIMIT)
    k_dim, v_dim = c.integer("linear_key_head_dim"), c.integer("linear_value_head_dim")
    kernel = c.integer("linear_conv_kernel_dim", most=1024)
    values, mixed = v_heads * v_dim, 2 * k_heads * k_dim + v_heads * v_dim
    if c.kind == "qwen3_next":
        found = blocks.linear("in_proj_qkvz", mixed + values, hidden, "state_space")
        found += blocks.linear("in_proj_ba", 2 * v_heads, hidden, "state_space")
    else:
        found = blocks.linear("in_proj_qkv", mixed, hidden, "state_space") + blocks.linear("in_proj_z", values, hidden, "state_space")
        found += blocks.linear("in_proj_b", v_heads, hidden, "state_space") + blocks.linear("in_proj_a", v_heads, hidden, "state_space")
    found += blocks.convolution(mixed, kernel) + [Tensor(name, (v_heads,), "state_space") for name in ("dt_bias", "A_log")]
    found += blocks.norm("norm", v_dim) + blocks.linear("out_proj", hidden, values, "state_space")
    return Recurrent("delta", values, v_heads * k_dim * v_dim, mixed * kernel), found


def qwen3_next(c: Config) -> Architecture:
    """Qwen3-Next and Qwen3.5: three gated-delta layers, then one of gated attention; dense or with experts."""
    hidden, layers = c.hidden, c.layers
    every = c.integer("full_attention_interval", default=4)
    kinds = layer_types(c, layers) or ["linear_attention" if (i + 1) % every else "full_attention" for i in range(layers)]
    style = Style(
        qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="head", shared="shared_expert_intermediate_size", shared_gate=True, experts=True
    )
    sparse = [False] * layers if c.kind == "qwen3_5_text" else [True] * layers if c.kind == "qwen3_5_moe_text" else routed(c, layers)

    def layer(key: tuple[str, bool]) -> Layer:
        kind, has_experts = key
        mixer: Attention | Recurrent
        if kind == "linear_attention":
            mixer, found = gated_delta(c, hidden)
        else:
            mixer = attention_of(c, hidden, qk_norm=True)
            found = mixer_tensors(c, hidden, mixer, style, query_factor=2)
        mlp: Dense | Experts
        if has_experts:
            mlp = experts(c, hidden, style)
            feed = blocks.routed_mlp(hidden, mlp, shared_gate=True)
        else:
            mlp, feed = blocks.gated_mlp(hidden, c.integer(*FFN))
        return Layer(mixer, mlp, tuple(found + feed + norms(c, hidden, style)))

    return finish(c, each(list(zip(kinds, sparse, strict=True)), layer), style)


def kimi_linear(c: Config) -> Architecture:
    """Kimi Linear (arXiv 2510.26692): three layers of Kimi delta attention, then one of latent attention without positions."""
    hidden, layers = c.hidden, c.layers
    inner = Config(c.mapping("linear_attn_config"), c.kind, remarks=c.remarks) if c.has("linear_attn_config") else c
    heads = inner.integer("num_heads" if inner is not c else "linear_num_heads", "linear_num_heads", most=EXPERT_LIMIT)
    dim = inner.integer("head_dim" if inner is not c else "linear_head_dim", "linear_head_dim")
    kernel = inner.integer("short_conv_kernel_size", "linear_conv_kernel_dim", most=1024)
    full = inner.integers("full_attn_layers")
    kinds = layer_types(c, layers)
    if kinds is None:
        attends = {number - 1 for number in full} if full is not None else {i for i in range(layers) if i and i % 4 == 0}
        kinds = ["full_attention" if i in attends else "linear_attention" for i in range(layers)]
    width = heads * dim
    dense = c.integer("first_k_dense_replace", default=1, least=0)
    sparse = routed(c, layers) if c.has("mlp_layer_types") else [i >= dense for i in range(layers)]

    def delta() -> tuple[Recurrent, Tensors]:
        found: Tensors = []
        for name in ("q_proj", "k_proj", "v_proj"):
            found += blocks.linear(name, width, hidden, "state_space")
        found += blocks.convolution(3 * width, kernel)
        found += [Tensor("dt_bias", (width,), "state_space"), Tensor("A_log", (heads,), "state_space")]
        found += blocks.linear("f_a_proj", dim, hidden, "state_space") + blocks.linear("f_b_proj", width, dim, "state_space")
        found += blocks.linear("b_proj", heads, hidden, "state_space")
        found += blocks.linear("g_a_proj", dim, hidden, "state_space") + blocks.linear("g_b_proj", width, dim, "state_space")
        found += blocks.norm("o_norm", dim) + blocks.linear("o_proj", hidden, width, "state_space")
        return Recurrent("delta", width, heads * dim * dim, 3 * width * kernel), found

    def layer(key: tuple[str, bool]) -> Layer:
        kind, has_experts = key
        mixer: LatentAttention | Recurrent
        if kind == "linear_attention":
            mixer, found = delta()
        else:
            mixer = latent_of(c)
            found = blocks.latent(hidden, mixer, bias=c.flag("attention_bias"))
        mlp: Dense | Experts
        if has_experts:
            mlp = experts(c, hidden, DEEPSEEK)
            feed = blocks.routed_mlp(hidden, mlp)
        else:
            mlp, feed = blocks.gated_mlp(hidden, c.integer(*FFN))
        return Layer(mixer, mlp, tuple(found + feed + norms(c, hidden, DEEPSEEK)))

    return finish(c, each(list(zip(kinds, sparse, strict=True)), layer), DEEPSEEK)


def minimax(c: Config) -> Architecture:
    """MiniMax-Text-01 (arXiv 2501.08313) and M1: lightning attention with a d x d state per head, softmax attention in every eighth layer."""
    hidden, layers, heads = c.hidden, c.layers, c.integer(*HEADS, most=EXPERT_LIMIT)
    kinds = layer_types(c, layers)
    if kinds is None:
        listed = c.numbers("attn_type_list", layers=layers)
        kinds = [("full_attention" if flag else "linear_attention") for flag in (listed or [(i + 1) % 2 for i in range(layers)])]

    def layer(kind: str) -> Layer:
        mixer: Attention | Recurrent
        if kind == "linear_attention":
            dim = c.head_dim(hidden, heads)
            width = heads * dim
            mixer = Recurrent("linear", width, heads * dim * dim, 0)
            found = blocks.norm("norm", width) + blocks.linear("qkv_proj", 3 * width, hidden, "state_space")
            found += blocks.linear("out_proj", hidden, width, "state_space") + blocks.linear("output_gate", width, hidden, "state_space")
        else:
            mixer = attention_of(c, hidden)
            found = blocks.projections(hidden, mixer)
        count = c.integer(*EXPERTS, most=EXPERT_LIMIT)
        mlp = Experts(count, c.integer(*TOP_K, most=count), c.integer(*FFN))
        return Layer(mixer, mlp, tuple(found + blocks.routed_mlp(hidden, mlp) + norms(c, hidden, LLAMA)))

    return finish(c, each(kinds, layer), Style())


FAMILIES: Mapping[str, Callable[[Config], Architecture]] = {
    "mamba": mamba,
    "falcon_mamba": mamba,
    "mamba2": mamba2,
    "jamba": jamba,
    "nemotron_h": nemotron_h,
    "bamba": bamba,
    "granitemoehybrid": granite_hybrid,
    "qwen3_next": qwen3_next,
    "qwen3_5_text": qwen3_next,
    "qwen3_5_moe_text": qwen3_next,
    "kimi_linear": kimi_linear,
    "minimax": minimax,
}
