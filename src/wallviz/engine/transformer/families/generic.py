"""A ``model_type`` that is not known: read by the keys that are there, and every assumption is said."""

from __future__ import annotations

from wallviz.engine.transformer.config import EXPERT_WIDTH, EXPERTS, HEADS, KV_HEADS, Config
from wallviz.engine.transformer.families.deepseek import deepseek
from wallviz.engine.transformer.families.llama import Style, decoder
from wallviz.engine.transformer.parts import Architecture
from wallviz.i18n import N_

_UNGATED = ("gelu", "gelu_new", "gelu_fast", "relu", "relu2", "squared_relu", "gelu_pytorch_tanh")


def read(c: Config) -> Architecture:
    """The nearest reading: latent attention where its ranks are stated, else grouped attention; experts where their number is."""
    if c.kind:
        c.remark(N_("model_type {kind} is not known: the config is read by its keys, as a decoder like Llama."), kind=c.kind)
    else:
        c.remark(N_("model_type is not stated: the config is read by its keys, as a decoder like Llama."))
    if c.has("kv_lora_rank"):
        _say_head(c)
        return deepseek(c)
    routed = c.has(*EXPERTS)
    layer_norm = not c.has("rms_norm_eps", "norm_eps", "layernorm_epsilon") and c.has("layer_norm_eps", "layer_norm_epsilon")
    gated = not (layer_norm and c.activation in _UNGATED)
    if not c.has(*KV_HEADS):
        c.remark(N_("{field} is not stated; as many as query heads are taken."), field="num_key_value_heads")
    if not c.has("head_dim", "attention_head_dim", "kv_channels"):
        c.remark(N_("{field} is not stated; hidden_size over {heads} is taken."), field="head_dim", heads=c.stated(*HEADS) or HEADS[0])
    bias = next((key for key in ("attention_bias", "qkv_bias", "add_qkv_bias", "use_qkv_bias", "use_bias", "bias") if c.has(key)), None)
    if bias is None:
        c.remark(N_("{field} is not stated; no bias is taken."), field="attention_bias")
    out_bias = bias if bias in ("attention_bias", "use_bias", "bias") else False
    mlp_bias = next((key for key in ("mlp_bias", "use_bias", "bias") if c.has(key)), False)
    if gated:
        c.remark(N_("The feed-forward layers are taken to be gated, with three matrices."))
    else:
        c.remark(N_("The feed-forward layers are taken to be plain, with two matrices."))
    if not routed:
        pass
    elif not c.has(*EXPERT_WIDTH):
        c.remark(N_("{field} is not stated; experts are taken to be as wide as intermediate_size."), field="moe_intermediate_size")
    _say_head(c)
    shared = next(
        (
            key
            for key in ("shared_expert_intermediate_size", "n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert")
            if c.has(key)
        ),
        "",
    )
    normed = next((key for key in ("use_qk_norm", "qk_layernorm", "qk_norm") if isinstance(c.data.get(key), bool)), None)
    style = Style(
        qkv_bias=bias or False,
        out_bias=out_bias or False,
        mlp_bias=mlp_bias,
        gated=gated,
        norm="layer" if layer_norm else "rms",
        norm_bias=layer_norm,
        qk_norm="head" if normed else "",
        qk_norm_if=normed or False,
        experts=routed,
        shared=shared,
        window="switch" if c.has("use_sliding_window") else "all" if c.has("sliding_window") else "",
    )
    return decoder(c, style)


def _say_head(c: Config) -> None:
    if c.data.get("tie_word_embeddings") is None and c.outer.get("tie_word_embeddings") is None:
        c.remark(N_("{field} is not stated; a head of its own is taken."), field="tie_word_embeddings")
