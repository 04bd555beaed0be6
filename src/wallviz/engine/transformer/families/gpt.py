"""GPT-2 and its siblings: LayerNorm with shifts, plain feed-forward layers of 4 h, biases: GPT-2, GPT-Neo, GPT-J, GPT-NeoX, OPT, BLOOM, Falcon."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallviz.engine.transformer import blocks
from wallviz.engine.transformer.blocks import Tensors
from wallviz.engine.transformer.config import FFN, Config, each
from wallviz.engine.transformer.parts import Architecture, Attention, Layer, Tensor
from wallviz.errors import InputError
from wallviz.i18n import N_


def _heads(c: Config, hidden: int, kv_heads: int = 0, window: int | None = None, *, cross: bool = False) -> Attention:
    heads = c.heads
    dim = c.per_head(hidden, heads)
    return Attention(heads, kv_heads or heads, dim, dim, window, cross=cross)


def _width(c: Config, hidden: int) -> int:
    return c.integer(*FFN, default=4 * hidden)


def _positions(c: Config, hidden: int, name: str = "wpe", extra: int = 0) -> Tensors:
    return blocks.table(name, c.integer("n_positions", "max_position_embeddings", "n_ctx") + extra, hidden)


def gpt2(c: Config) -> Architecture:
    """GPT-2 (and StarCoder 1, which has one key and value head): 12 h^2 + 13 h per layer."""
    hidden = c.hidden
    single = c.kind == "gpt_bigcode" and c.flag("multi_query", default=True)
    cross = c.flag("add_cross_attention")
    of = _heads(c, hidden, 1 if single else 0, cross=cross)
    mlp, feed = blocks.plain_mlp(hidden, _width(c, hidden), up="c_fc", down="c_proj", bias=True)
    found = blocks.norm("ln_1", hidden, bias=True) + blocks.fused_projections(hidden, of, "c_attn", "c_proj", bias=True, out_bias=True)
    if cross:
        found += blocks.norm("ln_cross_attn", hidden, bias=True) + blocks.linear("crossattention.c_attn", 2 * hidden, hidden, "attention", bias=True)
        found += blocks.linear("crossattention.q_attn", hidden, hidden, "attention", bias=True)
        found += blocks.linear("crossattention.c_proj", hidden, hidden, "attention", bias=True)
    layer = Layer(of, mlp, tuple(found + blocks.norm("ln_2", hidden, bias=True) + feed))
    outer = blocks.embedding(c, hidden, name="wte") + _positions(c, hidden) + blocks.norm("ln_f", hidden, bias=True)
    return blocks.architecture(c, [layer] * c.layers, outer, hidden=hidden, norm="layer")


def gpt_neo(c: Config) -> Architecture:
    """GPT-Neo: GPT-2 with apart projections, and every other layer local."""
    hidden, layers = c.hidden, c.layers
    kinds = c.words("attention_layers", layers=layers) or _expanded(c, layers)

    def layer(kind: str) -> Layer:
        of = _heads(c, hidden, window=c.integer("window_size", default=256) if kind == "local" else None)
        mlp, feed = blocks.plain_mlp(hidden, _width(c, hidden), up="c_fc", down="c_proj", bias=True)
        found = blocks.projections(hidden, of, out_bias=True) + feed + blocks.norm("ln_1", hidden, bias=True) + blocks.norm("ln_2", hidden, bias=True)
        return Layer(of, mlp, tuple(found))

    outer = blocks.embedding(c, hidden, name="wte") + _positions(c, hidden) + blocks.norm("ln_f", hidden, bias=True)
    return blocks.architecture(c, each(kinds, layer), outer, hidden=hidden, norm="layer")


def _expanded(c: Config, layers: int) -> list[str]:
    """``[[["global", "local"], 12]]`` as one word per layer."""
    found: list[str] = []
    for entry in c.listing("attention_types") or ():
        if not (isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[0], (list, tuple)) and entry[0]):
            raise InputError(N_('attention_types must look like [[["global", "local"], 12]]: correct it'))
        times = c.checked("attention_types", entry[1], least=0, most=layers)
        found += [str(kind) for kind in entry[0][:layers]] * times
        if len(found) > layers:
            break
    return (found or ["global", "local"] * layers)[:layers] + ["global"] * max(0, layers - len(found or ["global"] * layers))


def gptj(c: Config) -> Architecture:
    """GPT-J: attention and feed-forward in parallel behind one norm, a head with a bias."""
    hidden, tied = c.hidden, c.tied
    of = _heads(c, hidden)
    mlp, feed = blocks.plain_mlp(hidden, _width(c, hidden), up="fc_in", down="fc_out", bias=True)
    layer = Layer(of, mlp, tuple(blocks.norm("ln_1", hidden, bias=True) + blocks.projections(hidden, of) + feed))
    outer = [*blocks.embedding(c, hidden, tied=tied, name="wte"), Tensor("lm_head.bias", (c.vocab,), "lm_head")]
    return blocks.architecture(c, [layer] * c.layers, outer + blocks.norm("ln_f", hidden, bias=True), hidden=hidden, norm="layer", tied=tied)


def gpt_neox(c: Config) -> Architecture:
    """GPT-NeoX and Pythia (arXiv 2204.06745)."""
    hidden = c.hidden
    bias = c.flag("attention_bias", default=True)
    of = _heads(c, hidden)
    mlp, feed = blocks.plain_mlp(hidden, c.integer(*FFN), up="dense_h_to_4h", down="dense_4h_to_h", bias=True)
    found = blocks.norm("input_layernorm", hidden, bias=True) + blocks.norm("post_attention_layernorm", hidden, bias=True)
    found += blocks.fused_projections(hidden, of, "query_key_value", "dense", bias=bias, out_bias=bias)
    outer = blocks.embedding(c, hidden, name="embed_in") + blocks.norm("final_layer_norm", hidden, bias=True)
    return blocks.architecture(c, [Layer(of, mlp, tuple(found + feed))] * c.layers, outer, hidden=hidden, norm="layer")


def opt(c: Config) -> Architecture:
    """OPT (arXiv 2205.01068): learned positions with two spare rows; the 350m model has narrower embeddings and post-norm."""
    hidden = c.hidden
    bias, affine = c.flag("enable_bias", default=True), c.flag("layer_norm_elementwise_affine", default=True)
    word = c.integer("word_embed_proj_dim", default=hidden)
    of = _heads(c, hidden)
    mlp, feed = blocks.plain_mlp(hidden, _width(c, hidden), up="fc1", down="fc2", bias=bias)
    found = blocks.projections(hidden, of, qkv_bias=bias, out_bias=bias) + feed
    outer = blocks.embedding(c, word) + _positions(c, hidden, "embed_positions", 2)
    if word != hidden:
        outer += blocks.linear("project_in", hidden, word, "embedding") + blocks.linear("project_out", word, hidden, "embedding")
    if affine:
        found += blocks.norm("self_attn_layer_norm", hidden, bias=True) + blocks.norm("final_layer_norm", hidden, bias=True)
    if c.flag("do_layer_norm_before", default=True) and not c.flag("_remove_final_layer_norm"):
        outer += blocks.norm("final_layer_norm", hidden, bias=True) if affine else []
    return blocks.architecture(c, [Layer(of, mlp, tuple(found))] * c.layers, outer, hidden=hidden, norm="layer")


def bloom(c: Config) -> Architecture:
    """BLOOM (arXiv 2211.05100): ALiBi, a norm behind the embedding."""
    hidden = c.hidden
    of = _heads(c, hidden)
    mlp, feed = blocks.plain_mlp(hidden, 4 * hidden, up="dense_h_to_4h", down="dense_4h_to_h", bias=True)
    found = blocks.fused_projections(hidden, of, "query_key_value", "dense", bias=True, out_bias=True) + feed
    found += blocks.norm("input_layernorm", hidden, bias=True) + blocks.norm("post_attention_layernorm", hidden, bias=True)
    outer = blocks.embedding(c, hidden, name="word_embeddings") + blocks.norm("word_embeddings_layernorm", hidden, bias=True)
    outer += blocks.norm("ln_f", hidden, bias=True)
    return blocks.architecture(c, [Layer(of, mlp, tuple(found))] * c.layers, outer, hidden=hidden, norm="layer")


def falcon(c: Config) -> Architecture:
    """Falcon (arXiv 2311.16867): one key and value head in the 7b, a few in the 40b and 180b, parallel layers with one or two norms."""
    hidden, bias = c.hidden, c.flag("bias")
    new = c.flag("new_decoder_architecture")
    parallel = c.flag("parallel_attn", default=True)
    kv_heads = c.kv_heads(c.heads) if new or not c.flag("multi_query", default=True) else 1
    if not new and kv_heads != 1:
        kv_heads = c.heads  # without the new decoder it is one or all
    of = _heads(c, hidden, kv_heads)
    mlp, feed = blocks.plain_mlp(hidden, _width(c, hidden), up="dense_h_to_4h", down="dense_4h_to_h", bias=bias)
    found = blocks.fused_projections(hidden, of, "query_key_value", "dense", bias=bias, out_bias=bias) + feed
    two = (c.integer("num_ln_in_parallel_attn", default=2) == 2) if new else False
    names = ("ln_attn", "ln_mlp") if two else ("input_layernorm",) if parallel or new else ("input_layernorm", "post_attention_layernorm")
    if new and not two and not parallel:
        names = ("input_layernorm", "post_attention_layernorm")
    for name in names:
        found += blocks.norm(name, hidden, bias=True)
    outer = blocks.embedding(c, hidden, name="word_embeddings") + blocks.norm("ln_f", hidden, bias=True)
    return blocks.architecture(c, [Layer(of, mlp, tuple(found))] * c.layers, outer, hidden=hidden, norm="layer")


FAMILIES: Mapping[str, Callable[[Config], Architecture]] = {
    "gpt2": gpt2,
    "gpt_bigcode": gpt2,
    "gpt_neo": gpt_neo,
    "gptj": gptj,
    "gpt_neox": gpt_neox,
    "opt": opt,
    "bloom": bloom,
    "falcon": falcon,
}
