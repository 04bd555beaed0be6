"""Models with an encoder: BERT, T5, Whisper, ViT. An encoder's layers keep no cache; a decoder's that look at it keep a second one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallviz.engine.transformer import blocks
from wallviz.engine.transformer.blocks import Tensors
from wallviz.engine.transformer.config import EXPERT_LIMIT, FFN, LAYER_LIMIT, Config, each
from wallviz.engine.transformer.parts import Architecture, Attention, Dense, Layer, Tensor
from wallviz.i18n import N_


def _dense_heads(heads: int, dim: int, *, cross: bool = False) -> Attention:
    return Attention(heads, heads, dim, dim, cross=cross)


def bert(c: Config) -> Architecture:
    """BERT (arXiv 1810.04805) and RoBERTa: with a pooler, or with a masked-language-model head that reads the embedding table."""
    hidden, vocab = c.hidden, c.vocab
    of = _dense_heads(c.heads, c.per_head(hidden, c.heads))
    mlp, feed = blocks.plain_mlp(hidden, c.integer(*FFN), up="intermediate.dense", down="output.dense", bias=True)
    found = blocks.projections(hidden, of, qkv_bias=True, out_bias=True) + feed
    found += blocks.norm("attention.output.LayerNorm", hidden, bias=True) + blocks.norm("output.LayerNorm", hidden, bias=True)
    outer = blocks.table("word_embeddings", vocab, hidden)
    outer += blocks.table("position_embeddings", c.integer("max_position_embeddings"), hidden)
    if c.kind != "distilbert":
        outer += blocks.table("token_type_embeddings", c.integer("type_vocab_size"), hidden)
    outer += blocks.norm("LayerNorm", hidden, bias=True)
    architectures = c.listing("architectures") or [""]
    of_class = str(architectures[0]) if architectures else ""
    headed = of_class.endswith(("MaskedLM", "LMHeadModel", "PreTraining"))
    tied = c.tied
    if headed:
        outer += blocks.linear("transform.dense", hidden, hidden, "mlp", bias=True) + blocks.norm("transform.LayerNorm", hidden, bias=True)
        outer.append(Tensor("predictions.bias", (vocab,), "other"))
        if not tied:
            outer += blocks.linear("decoder", vocab, hidden, "lm_head", bias=True)
    labels = len(c.mapping("id2label")) or c.integer("num_labels", default=2)
    if of_class.endswith(("SequenceClassification", "TokenClassification", "QuestionAnswering")):
        if c.kind == "bert":
            outer += blocks.linear("classifier", 2 if of_class.endswith("QuestionAnswering") else labels, hidden, "other", bias=True)
        else:
            c.remark(N_("The head of {name} is not counted."), name=of_class[:80])
    pooled = of_class.endswith("PreTraining") or not (headed or of_class.endswith(("TokenClassification", "QuestionAnswering")))
    if c.kind != "distilbert" and pooled:
        outer += blocks.linear("pooler.dense", hidden, hidden, "mlp", bias=True)
    if of_class.endswith("PreTraining"):
        outer += blocks.linear("seq_relationship", 2, hidden, "other", bias=True)
    layer = Layer(of, mlp, tuple(found), encoder=not c.flag("is_decoder"))
    return blocks.architecture(c, [layer] * c.layers, outer, hidden=hidden, norm="layer", tied=tied)


def t5(c: Config) -> Architecture:
    """T5 (arXiv 1910.10683) and mT5; UMT5 has a table of relative positions in every layer."""
    hidden = c.integer("d_model", "hidden_size")
    heads, dim, width = c.integer("num_heads", "num_attention_heads", most=EXPERT_LIMIT), c.integer("d_kv", "head_dim"), c.integer("d_ff", *FFN)
    gated = c.text("feed_forward_proj", default="relu").startswith("gated")
    buckets = c.integer("relative_attention_num_buckets", default=32)
    depth = c.integer("num_layers", "num_hidden_layers", most=LAYER_LIMIT)
    decoder_depth = c.integer("num_decoder_layers", default=depth, most=LAYER_LIMIT)

    def layer(key: tuple[bool, bool]) -> Layer:
        encoder, has_table = key
        of = _dense_heads(heads, dim, cross=not encoder)
        found = blocks.projections(hidden, of) + blocks.norm("layer_norm", hidden)
        if has_table:
            found.append(Tensor("relative_attention_bias", (buckets, heads), "embedding"))
        if not encoder:
            found += [_named("EncDecAttention.", tensor) for tensor in blocks.projections(hidden, of)] + blocks.norm("cross.layer_norm", hidden)
        mlp: Dense
        if gated:
            mlp, feed = blocks.gated_mlp(hidden, width)
        else:
            mlp, feed = blocks.plain_mlp(hidden, width, up="wi", down="wo")
        return Layer(of, mlp, tuple(found + feed + blocks.norm("ff.layer_norm", hidden)), encoder=encoder)

    every = c.kind == "umt5"
    keys = [(True, every or i == 0) for i in range(depth)]
    named = c.listing("architectures") or [""]
    if str(named[0]).endswith("EncoderModel"):
        outer = blocks.embedding(c, hidden, tied=True, name="shared") + blocks.norm("encoder.final_layer_norm", hidden)
        return blocks.architecture(c, each(keys, layer), outer, hidden=hidden, tied=True)
    keys += [(False, every or i == 0) for i in range(decoder_depth)]
    outer = blocks.embedding(c, hidden, name="shared") + blocks.norm("encoder.final_layer_norm", hidden)
    return blocks.architecture(c, each(keys, layer), outer + blocks.norm("decoder.final_layer_norm", hidden), hidden=hidden)


def _named(prefix: str, tensor: Tensor) -> Tensor:
    return Tensor(prefix + tensor.name, tensor.shape, tensor.component, tensor.linear)


def whisper(c: Config) -> Architecture:
    """Whisper (arXiv 2212.04356): two convolutions in front of the encoder; keys have no bias."""
    hidden = c.integer("d_model", "hidden_size")

    def layer(encoder: bool) -> Layer:
        side = "encoder" if encoder else "decoder"
        heads = c.integer(f"{side}_attention_heads", most=EXPERT_LIMIT)
        of = _dense_heads(heads, c.per_head(hidden, heads), cross=not encoder)
        found = _keys_without_bias(hidden, of) + blocks.norm("self_attn_layer_norm", hidden, bias=True)
        if not encoder:
            found += [_named("encoder_attn.", tensor) for tensor in _keys_without_bias(hidden, of)]
            found += blocks.norm("encoder_attn_layer_norm", hidden, bias=True)
        mlp, feed = blocks.plain_mlp(hidden, c.integer(f"{side}_ffn_dim"), up="fc1", down="fc2", bias=True)
        return Layer(of, mlp, tuple(found + feed + blocks.norm("final_layer_norm", hidden, bias=True)), encoder=encoder)

    depth = c.integer("encoder_layers", most=LAYER_LIMIT)
    keys = [True] * depth + [False] * c.integer("decoder_layers", most=LAYER_LIMIT)
    outer = [Tensor("conv1", (hidden, c.integer("num_mel_bins"), 3), "other"), Tensor("conv1.bias", (hidden,), "other")]
    outer += [Tensor("conv2", (hidden, hidden, 3), "other"), Tensor("conv2.bias", (hidden,), "other")]
    outer += blocks.table("encoder.embed_positions", c.integer("max_source_positions"), hidden)
    outer += blocks.embedding(c, hidden) + blocks.table("decoder.embed_positions", c.integer("max_target_positions"), hidden)
    outer += blocks.norm("encoder.layer_norm", hidden, bias=True) + blocks.norm("decoder.layer_norm", hidden, bias=True)
    return blocks.architecture(c, each(keys, layer), outer, hidden=hidden, norm="layer")


def _keys_without_bias(hidden: int, of: Attention) -> Tensors:
    width = of.heads * of.head_dim
    found = blocks.linear("q_proj", width, hidden, "attention", bias=True) + blocks.linear("k_proj", width, hidden, "attention")
    return found + blocks.linear("v_proj", width, hidden, "attention", bias=True) + blocks.linear("o_proj", hidden, width, "attention", bias=True)


def vit(c: Config) -> Architecture:
    """ViT (arXiv 2010.11929): patches, a class token, positions, a pooler or a classifier."""
    hidden = c.hidden
    patch, side = c.integer("patch_size", most=LAYER_LIMIT), c.integer("image_size", most=LAYER_LIMIT)
    bias = c.flag("qkv_bias", default=True)
    of = _dense_heads(c.heads, c.per_head(hidden, c.heads))
    mlp, feed = blocks.plain_mlp(hidden, c.integer(*FFN), up="fc1", down="fc2", bias=True)
    found = blocks.projections(hidden, of, qkv_bias=bias, out_bias=True) + feed
    found += blocks.norm("layernorm_before", hidden, bias=True) + blocks.norm("layernorm_after", hidden, bias=True)
    tokens = (side // patch) ** 2 + 1
    outer = blocks.table("cls_token", 1, hidden) + blocks.table("position_embeddings", tokens, hidden)
    outer += [Tensor("patch_embeddings", (hidden, c.integer("num_channels"), patch, patch), "embedding")]
    outer += [Tensor("patch_embeddings.bias", (hidden,), "embedding"), *blocks.norm("layernorm", hidden, bias=True)]
    architectures = c.listing("architectures") or [""]
    if str(architectures[0]).endswith("ForImageClassification"):
        outer += blocks.linear("classifier", len(c.mapping("id2label")) or c.integer("num_labels", default=2), hidden, "lm_head", bias=True)
    else:
        outer += blocks.linear("pooler.dense", c.integer("pooler_output_size", default=hidden), hidden, "mlp", bias=True)
    layer = Layer(of, mlp, tuple(found), encoder=True)
    return blocks.architecture(c, [layer] * c.layers, outer, hidden=hidden, norm="layer", tied=False, vocab=0)


FAMILIES: Mapping[str, Callable[[Config], Architecture]] = {
    "bert": bert,
    "roberta": bert,
    "xlm-roberta": bert,
    "distilbert": bert,
    "t5": t5,
    "mt5": t5,
    "umt5": t5,
    "whisper": whisper,
    "vit": vit,
}
