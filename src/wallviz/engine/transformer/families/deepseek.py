"""DeepSeek and those with its latent attention: V2, V3, V3.2, V4, Kimi K2, GLM-4.7-Flash, GLM-5, Mistral Small 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallviz.engine.transformer import blocks
from wallviz.engine.transformer.blocks import Tensors
from wallviz.engine.transformer.config import EXPERT_LIMIT, EXPERT_WIDTH, EXPERTS, FFN, TOP_K, Config, each, shown
from wallviz.engine.transformer.families.llama import Style, experts, finish, norms, routed
from wallviz.engine.transformer.parts import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Tensor
from wallviz.errors import InputError
from wallviz.i18n import N_

DEEPSEEK = Style(experts=True, shared="n_shared_experts", router_bias=True)
DEEPSEEK_V2 = Style(experts=True, shared="n_shared_experts")


def latent_of(c: Config, index_dim: int = 0) -> LatentAttention:
    """Latent attention as the config states it; a null query rank means queries without a latent (V2-Lite)."""
    rank = c.optional("q_lora_rank", least=0)
    return LatentAttention(
        c.heads,
        rank or None,
        c.integer("kv_lora_rank"),
        c.integer("qk_nope_head_dim", least=0),
        c.integer("qk_rope_head_dim", least=0),
        c.integer("v_head_dim"),
        index_dim,
    )


def indexer(c: Config, hidden: int, query_rank: int) -> Tensors:
    """The lightning indexer of sparse attention (DeepSeek-V3.2): small queries per head, one shared key, a weight per head."""
    heads, dim = c.integer("index_n_heads", most=EXPERT_LIMIT), c.integer("index_head_dim")
    found = blocks.linear("indexer.wq_b", heads * dim, query_rank, "attention") + blocks.linear("indexer.wk", dim, hidden, "attention")
    return found + blocks.norm("indexer.k_norm", dim, bias=True) + blocks.linear("indexer.weights_proj", heads, hidden, "attention")


def has_indexer(c: Config, layers: int) -> list[bool] | None:
    """Which layers have an indexer of their own (GLM-5.2 shares one over several); None where the model has none at all."""
    if c.kind not in ("deepseek_v32", "glm_moe_dsa"):
        return None
    if c.kind == "deepseek_v32":
        return [True] * layers
    types = c.words("indexer_types", layers=layers)
    if types is None and isinstance(pattern := c.data.get("index_topk_pattern"), str) and len(pattern) >= layers:
        types = ["full" if letter == "F" else "shared" for letter in pattern[:layers]]
    if types is not None:
        return [kind == "full" for kind in types]
    every, offset = c.integer("index_topk_freq", default=1, least=0) or 1, c.integer("index_skip_topk_offset", default=2, least=0)
    return [max(i - offset + 1, 0) % every == 0 for i in range(layers)]


def deepseek(c: Config) -> Architecture:
    """DeepSeek-V2 (arXiv 2405.04434), V3 (2412.19437), V3.2, Kimi K2, GLM-5: latent attention, dense layers first, then experts."""
    hidden, layers = c.hidden, c.layers
    style = DEEPSEEK_V2 if c.kind == "deepseek_v2" else DEEPSEEK
    bias, mlp_bias = c.flag("attention_bias"), c.kind == "deepseek_v2" and c.flag("mlp_bias")
    indexed = has_indexer(c, layers)
    sparse = routed(c, layers) if c.knows(*EXPERTS) else [False] * layers

    def layer(key: tuple[bool, bool]) -> Layer:
        has_experts, own_index = key
        of = latent_of(c, c.integer("index_head_dim") if own_index else 0)
        found = blocks.latent(hidden, of, bias=bias)
        if own_index:
            found += indexer(c, hidden, of.q_rank or hidden)
        mlp: Dense | Experts
        if has_experts:
            mlp = experts(c, hidden, style)
            feed = blocks.routed_mlp(hidden, mlp, shared_bias=mlp_bias)
        else:
            mlp, feed = blocks.gated_mlp(hidden, c.integer(*FFN), bias=mlp_bias)
        return Layer(of, mlp, tuple(found + feed + norms(c, hidden, style)))

    return finish(c, each(list(zip(sparse, indexed or [False] * layers, strict=True)), layer), style)


# ------------------------------------------------------------------------------------------------------------------- V4

SLIDING, SPARSE, HEAVY = "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"


def compressions(c: Config, layers: int) -> list[int]:
    """Tokens per cached entry of each layer beside its window: 0 (window only), 4 (sparse) or 128 (heavy)."""
    rates = Config(c.mapping("compress_rates"), "")
    rate = {SLIDING: 0, SPARSE: rates.integer(SPARSE, default=4), HEAVY: rates.integer(HEAVY, default=128)}
    rate |= {"full_attention": 0}
    types = c.words("layer_types", layers=layers)
    if types is not None:
        unknown = next((kind for kind in types if kind not in rate), None)
        if unknown is not None:
            raise InputError(
                N_("layer_types holds {value}, which {family} does not know: use one of {known}"),
                value=shown(unknown),
                family=c.kind,
                known=", ".join(rate),
            )
        return [rate[kind] for kind in types]
    listed = c.numbers("compress_ratios", layers=layers)
    if listed is not None:
        return listed
    return [rate[SPARSE] if i > 2 and i % 2 else rate[HEAVY] for i in range(layers)]


def deepseek_v4(c: Config) -> Architecture:
    """DeepSeek-V4: one vector per token is key and value of every head, compressed over time; four residual streams (hyper-connections)."""
    hidden, layers, heads = c.hidden, c.layers, c.heads
    dim, rank = c.integer("head_dim"), c.integer("q_lora_rank")
    groups, out_rank = c.integer("o_groups"), c.integer("o_lora_rank")
    window = c.optional("sliding_window", least=1, most=1_000_000_000)
    streams = c.integer("hc_mult", most=64)
    width, count = c.integer(*EXPERT_WIDTH, *FFN), c.integer(*EXPERTS, most=EXPERT_LIMIT)
    mlp = Experts(count, c.integer(*TOP_K, most=count), width, width if c.integer("n_shared_experts", default=1, least=0) else 0)
    index_heads, index_dim = c.integer("index_n_heads", most=EXPERT_LIMIT), c.integer("index_head_dim")

    def hyper(name: str, component: str) -> Tensors:
        """Mixing of the residual streams: pre, post and a square matrix, from all streams."""
        mixes = (2 + streams) * streams
        shapes = {"fn": (mixes, streams * hidden), "base": (mixes,), "scale": (3,)}
        return [Tensor(f"{name}.{part}", shape, component) for part, shape in shapes.items()]

    def compressor(name: str, rate: int, width: int, overlap: int) -> Tensors:
        wide = width * overlap
        found = [Tensor(f"{name}.position_bias", (rate, wide), "attention")]
        found += blocks.linear(f"{name}.kv_proj", wide, hidden, "attention") + blocks.linear(f"{name}.gate_proj", wide, hidden, "attention")
        return found + blocks.norm(f"{name}.kv_norm", width)

    sparse_rate = Config(c.mapping("compress_rates"), "").integer(SPARSE, default=4)

    def layer(rate: int) -> Layer:
        indexed = rate == sparse_rate
        of = Attention(heads, 1, dim, dim, window, qk_norm=True, key_is_value=True, compression=rate or 1, index_dim=index_dim if indexed else 0)
        found = [Tensor("sinks", (heads,), "attention")]
        found += blocks.linear("q_a_proj", rank, hidden, "attention") + blocks.norm("q_a_norm", rank)
        found += blocks.linear("q_b_proj", heads * dim, rank, "attention")
        found += blocks.linear("kv_proj", dim, hidden, "attention") + blocks.norm("kv_norm", dim)
        found += blocks.linear("o_a_proj", groups * out_rank, heads * dim // groups, "attention")
        found += blocks.linear("o_b_proj", hidden, groups * out_rank, "attention")
        if rate:  # sparse layers compress overlapping pairs of blocks: two streams of keys
            found += compressor("compressor", rate, dim, 2 if indexed else 1)
        if indexed:
            found += compressor("indexer", rate, index_dim, 2)
            found += blocks.linear("indexer.q_b_proj", index_heads * index_dim, rank, "attention")
            found += blocks.linear("indexer.weights_proj", index_heads, hidden, "attention")
        found += blocks.routed_mlp(hidden, mlp, shared_bias=c.flag("mlp_bias")) + norms(c, hidden, DEEPSEEK)
        return Layer(of, mlp, tuple(found + hyper("attn_hc", "attention") + hyper("ffn_hc", "mlp")))

    shapes = {"fn": (streams, streams * hidden), "base": (streams,), "scale": (1,)}
    head = [Tensor(f"hc_head.{part}", shape, "other") for part, shape in shapes.items()]
    found = finish(c, each(compressions(c, layers), layer), Style(), head)
    hashed = min(c.integer("num_hash_layers", default=3, least=0), layers)  # their experts are looked up by token: no bias
    types = c.words("mlp_layer_types", layers=layers)
    biased = sum(kind != "hash_moe" for kind in types) if types is not None else layers - hashed
    return blocks.architecture(c, found.layers, found.outer, hidden=hidden, tied=found.tied, router_bias=biased * count)


FAMILIES: Mapping[str, Callable[[Config], Architecture]] = {
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "deepseek_v32", "glm_moe_dsa", "glm4_moe_lite", "mistral4"), deepseek),
    "deepseek_v4": deepseek_v4,
}
