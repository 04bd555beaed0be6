"""Gemma 1 to 4: wide heads that are stated, GeGLU, four norms a layer from Gemma 2 on, and in 3n and 4 per-layer embeddings and shared caches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from wallviz.engine.transformer import blocks
from wallviz.engine.transformer.blocks import Tensors
from wallviz.engine.transformer.config import EXPERT_LIMIT, EXPERT_WIDTH, EXPERTS, FFN, TOP_K, Config, each
from wallviz.engine.transformer.families.llama import FOUR_NORMS, Style, decoder, finish, windows
from wallviz.engine.transformer.parts import Architecture, Attention, Dense, Experts, Layer, Tensor
from wallviz.errors import InputError
from wallviz.i18n import N_

GEMMA = Style(qkv_bias="attention_bias", out_bias="attention_bias")
GEMMA2 = Style(qkv_bias="attention_bias", out_bias="attention_bias", norms=FOUR_NORMS, window="2")
GEMMA3 = Style(qkv_bias="attention_bias", out_bias="attention_bias", norms=FOUR_NORMS, qk_norm="head", window="6")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells two layers of Gemma 3n or 4 apart."""

    window: int | None
    full: bool
    width: int
    shares: bool


def _widths(c: Config, layers: int) -> list[int]:
    """Feed-forward width of each layer: one number, or a list in Gemma 3n."""
    if isinstance(c.data.get("intermediate_size"), (list, tuple)):
        return [c.checked("intermediate_size", width) for width in c.numbers("intermediate_size", layers=layers) or ()]
    return [c.integer(*FFN)] * layers


def _kinds(c: Config, layers: int, every: str, *, last_is_full: bool) -> list[_Kind]:
    slides = windows(c, layers, every)
    if last_is_full:
        slides[-1] = None
    shared = c.integer("num_kv_shared_layers", default=0, least=0)
    if shared >= layers:
        raise InputError(
            N_("num_kv_shared_layers {shared} must be less than the {layers} layers, the first of which fill the cache: correct it"),
            shared=shared,
            layers=layers,
        )
    widths = _widths(c, layers)
    return [_Kind(slides[i], slides[i] is None, widths[i], i >= layers - shared) for i in range(layers)]


def _per_layer(c: Config, hidden: int, layers: int) -> tuple[int, Tensors, Tensors]:
    """Per-layer embeddings: their width, the tensors outside the layers, the tensors in each."""
    width = c.integer("hidden_size_per_layer_input", default=0, least=0)
    if not width:
        return 0, [], []
    outer = blocks.table("embed_tokens_per_layer", c.integer("vocab_size_per_layer_input"), layers * width)
    outer += blocks.linear("per_layer_model_projection", layers * width, hidden, "embedding") + blocks.norm("per_layer_projection_norm", width)
    inner = blocks.linear("per_layer_input_gate", width, hidden, "other") + blocks.linear("per_layer_projection", hidden, width, "other")
    return width, outer, inner + blocks.norm("post_per_layer_input_norm", hidden)


def _attention(c: Config, of: Attention, hidden: int, *, key_is_value: bool = False) -> Tensors:
    """Projections and norms; a layer that reads another's cache has neither keys nor values."""
    bias = c.flag("attention_bias")
    found = blocks.projections(hidden, of, qkv_bias=bias, out_bias=bias, keys=not of.shares_cache, values=not key_is_value)
    return found + blocks.norm("q_norm", of.head_dim) + ([] if of.shares_cache else blocks.norm("k_norm", of.head_dim))


def gemma3n(c: Config) -> Architecture:
    """Gemma 3n: four residual streams mixed by AltUp, low-rank LAuReL branches, per-layer embeddings, the last layers without a cache."""
    hidden, layers, heads = c.hidden, c.layers, c.heads
    kv_heads, dim = c.kv_heads(heads), c.head_dim(hidden, heads)
    streams, rank = c.integer("altup_num_inputs", most=64), c.integer("laurel_rank")
    _width, outer, per_layer = _per_layer(c, hidden, layers)

    def layer(kind: _Kind) -> Layer:
        of = Attention(heads, kv_heads, dim, dim, kind.window, qk_norm=True, shares_cache=kind.shares)
        mlp, feed = blocks.gated_mlp(hidden, kind.width)
        found = _attention(c, of, hidden) + feed
        for name in FOUR_NORMS:
            found += blocks.norm(name, hidden)
        found.append(Tensor("altup.correct_output_scale", (hidden,), "other"))
        found += blocks.linear("altup.correction_coefs", streams, streams, "other")
        found += blocks.linear("altup.prediction_coefs", streams**2, streams, "other")
        found += blocks.linear("altup.modality_router", streams, hidden, "other") + blocks.norm("altup.router_norm", hidden)
        found += blocks.linear("laurel.linear_left", rank, hidden, "other") + blocks.linear("laurel.linear_right", hidden, rank, "other")
        return Layer(of, mlp, tuple(found + blocks.norm("laurel.post_laurel_norm", hidden) + per_layer))

    for i in range(1, streams):
        outer += blocks.linear(f"altup_projections.{i - 1}", hidden, hidden, "other")
        outer += blocks.linear(f"altup_unembed_projections.{i - 1}", hidden, hidden, "other")
    return finish(c, each(_kinds(c, layers, "5", last_is_full=False), layer), GEMMA3, outer)


def gemma4(c: Config) -> Architecture:
    """Gemma 4: full layers have wider heads (and in some sizes one vector for key and value), experts beside the dense layer, shared caches."""
    hidden, layers, heads = c.hidden, c.layers, c.heads
    both = c.flag("attention_k_eq_v")
    _width, outer, per_layer = _per_layer(c, hidden, layers)
    moe, doubled = c.flag("enable_moe_block"), c.flag("use_double_wide_mlp")

    def layer(kind: _Kind) -> Layer:
        dim, kv_heads = c.head_dim(hidden, heads), c.kv_heads(heads)
        if kind.full:
            dim = c.integer("global_head_dim", default=512)
            kv_heads = c.integer("num_global_key_value_heads", default=kv_heads) if both else kv_heads
        of = Attention(heads, kv_heads, dim, dim, kind.window, qk_norm=True, shares_cache=kind.shares, key_is_value=False)
        mlp: Dense | Experts
        mlp, feed = blocks.gated_mlp(hidden, kind.width * (2 if doubled and kind.shares else 1))
        found = _attention(c, of, hidden, key_is_value=both and kind.full) + feed
        for name in FOUR_NORMS:
            found += blocks.norm(name, hidden)
        if moe:
            dense = mlp.width
            count = c.integer(*EXPERTS, most=EXPERT_LIMIT)
            mlp = Experts(count, c.integer(*TOP_K, most=count), c.integer(*EXPERT_WIDTH), dense)
            found += blocks.routed_mlp(hidden, Experts(mlp.count, mlp.top_k, mlp.width))
            found += [Tensor("router.scale", (hidden,), "router"), Tensor("router.per_expert_scale", (mlp.count,), "router")]
            for name in ("post_feedforward_layernorm_1", "post_feedforward_layernorm_2", "pre_feedforward_layernorm_2"):
                found += blocks.norm(name, hidden)
        return Layer(of, mlp, tuple(found + per_layer))

    return finish(c, each(_kinds(c, layers, "6", last_is_full=True), layer), GEMMA3, outer)


FAMILIES: Mapping[str, Callable[[Config], Architecture]] = {
    "gemma": partial(decoder, style=GEMMA),
    "gemma2": partial(decoder, style=GEMMA2),
    "gemma3_text": partial(decoder, style=GEMMA3),
    "gemma3n_text": gemma3n,
    "gemma4_text": gemma4,
}
