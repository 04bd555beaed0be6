"""The same model with another attention or another feed-forward: what if it had been built so. Its weights would have to be trained anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wallviz.engine.transformer import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Tensor
from wallviz.engine.transformer.blocks import latent, projections, routed_mlp
from wallviz.errors import InputError
from wallviz.i18n import N_


def grouped_queries(arch: Architecture, kv_heads: int) -> Architecture:
    """`arch` with `kv_heads` heads of keys and values in each attention layer that has more: GQA, or MQA with one (arXiv 2305.13245).

    The cache shrinks by heads over `kv_heads`: with 8 of 32 heads to a quarter.

    >>> from wallviz.engine.memory.kv_cache import bytes_per_token
    >>> from wallviz.engine.transformer import custom
    >>> llama = custom(layers=32, hidden_size=4096, heads=32, ffn=11008, vocab=32000)
    >>> bytes_per_token(llama) / bytes_per_token(grouped_queries(llama, 8))
    4.0
    """

    def change(layer: Layer) -> Layer | None:
        mixer = layer.mixer
        if not isinstance(mixer, Attention) or layer.encoder or mixer.kv_heads <= kv_heads or mixer.heads % kv_heads:
            return None
        fewer = replace(mixer, kv_heads=kv_heads)
        return replace(layer, mixer=fewer, tensors=_attention(layer, projections(arch.hidden_size, fewer, qkv_bias=_biased(layer))))

    return _each(arch, change, N_("No layer of {model} has more than {n} heads of keys and values: there is nothing to group."), n=kv_heads)


def latent_attention(arch: Architecture) -> Architecture:
    """`arch` with multi-head latent attention as DeepSeek-V2 sizes it: a latent of 4·d and a rotary key of d/2 per token (arXiv 2405.04434, 2.1).

    With 128 heads of 128 that is 576 elements a token and layer instead of 32,768:

    >>> from wallviz.engine.memory.kv_cache import bytes_per_token
    >>> from wallviz.engine.transformer import custom
    >>> mha = custom(layers=1, hidden_size=5120, heads=128, head_dim=128, ffn=12288, vocab=1000)
    >>> bytes_per_token(mha) / 2, bytes_per_token(latent_attention(mha)) / 2
    (32768.0, 576.0)
    """

    def change(layer: Layer) -> Layer | None:
        mixer = layer.mixer
        if not isinstance(mixer, Attention) or layer.encoder or mixer.cross or mixer.head_dim % 2:
            return None
        d = mixer.head_dim
        other = LatentAttention(mixer.heads, None, 4 * d, d, d // 2, mixer.value_dim)
        if other.kv_rank + other.rope_dim >= mixer.kv_heads * (d + mixer.value_dim):
            return None  # a latent no smaller than the keys and values it would replace
        return replace(layer, mixer=other, tensors=_attention(layer, latent(arch.hidden_size, other)))

    return _each(arch, change, N_("No layer of {model} keeps more per token than a latent would: there is nothing to compress."))


def routed(arch: Architecture, count: int = 8, top_k: int = 2) -> Architecture:
    """`arch` with each dense feed-forward layer of width f as `count` experts of width f/`top_k`, of which a token uses `top_k`.

    As many active parameters and FLOP a token as before (and a router's), `count`/`top_k` times the feed-forward weights.

    >>> from wallviz.engine.transformer import custom
    >>> dense = custom(layers=2, hidden_size=512, heads=8, ffn=2048, vocab=1000)
    >>> sparse = routed(dense)
    >>> sparse.components["routed_experts"] / dense.components["mlp"], sparse.active_parameters - dense.active_parameters
    (4.0, 8192)
    """

    def change(layer: Layer) -> Layer | None:
        mlp = layer.mlp
        if not isinstance(mlp, Dense) or layer.encoder or mlp.width % top_k:
            return None
        experts = Experts(count, top_k, mlp.width // top_k, gated=mlp.gated)
        kept = tuple(tensor for tensor in layer.tensors if tensor.component != "mlp")
        return replace(layer, mlp=experts, tensors=(*kept, *routed_mlp(arch.hidden_size, experts)))

    return _each(arch, change, N_("No layer of {model} has a dense feed-forward that could become experts."))


def _attention(layer: Layer, tensors: list[Tensor]) -> tuple[Tensor, ...]:
    return (*tensors, *(tensor for tensor in layer.tensors if tensor.component != "attention"))


def _biased(layer: Layer) -> bool:
    return any(tensor.component == "attention" and len(tensor.shape) == 1 for tensor in layer.tensors)


def _each(arch: Architecture, change: Callable[[Layer], Layer | None], otherwise: str, **values: object) -> Architecture:
    """Every layer as `change` makes it (None: as it is); InputError where none changes."""
    made: dict[int, Layer] = {}
    for layer in arch.layers:
        if id(layer) not in made:
            made[id(layer)] = change(layer) or layer
    if all(made[id(layer)] is layer for layer in arch.layers):
        raise InputError(otherwise, model=arch.name or arch.family, **values)
    return replace(arch, layers=tuple(made[id(layer)] for layer in arch.layers))
