"""What a model's layers put on the wires, whatever the layout: how many results are added up, and how wide what is passed on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from wallviz.engine.transformer import Architecture, Attention, Experts, LatentAttention, Layer


@dataclass(frozen=True, slots=True)
class Traffic:
    """Sums over the layers of one model."""

    layers: int
    sums: int
    """Matrices split by rows, whose outputs tensor parallel ranks add up: two a layer, attention and feed-forward; a third attends to an encoder."""
    kv_elements: float
    """Keys and values of a token, all layers: what context parallelism passes round."""
    kv_heads: float
    """The fewest KV heads of a layer: more tensor parallel ranks than that hold copies."""
    routed_elements: float
    """k x width summed over the layers with experts: what one token sends to its experts."""
    expert_layers: int


@lru_cache(maxsize=512)
def traffic(arch: Architecture, *, decoding: bool = False) -> Traffic:
    """The sums of one model: all of its layers, or those that write a token, which an encoder does not.

    >>> from wallviz.engine.transformer import architecture
    >>> gpt2 = architecture({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257})
    >>> found = traffic(gpt2)
    >>> found.sums, found.kv_elements / 12
    (24, 1536.0)
    """
    groups = [(layer, count) for layer, count in arch.groups if not (decoding and layer.encoder)]
    return Traffic(
        layers=sum(count for _layer, count in groups),
        sums=sum(count * _sums(layer) for layer, count in groups),
        kv_elements=float(sum(count * _passed(layer) for layer, count in groups)),
        kv_heads=float(min((layer.mixer.kv_heads for layer, _count in groups if isinstance(layer.mixer, Attention)), default=1) or 1),
        routed_elements=float(sum(count * _routed(layer, arch.hidden_size) for layer, count in groups)),
        expert_layers=sum(count for layer, count in groups if isinstance(layer.mlp, Experts)),
    )


def _sums(layer: Layer) -> int:
    return (layer.mixer is not None) + (layer.mlp is not None) + (isinstance(layer.mixer, Attention) and layer.mixer.cross)


def _passed(layer: Layer) -> float:
    mixer = layer.mixer
    if isinstance(mixer, Attention):
        return 0.0 if mixer.shares_cache else mixer.kv_heads * (mixer.head_dim + (0 if mixer.key_is_value else mixer.value_dim))
    return mixer.kv_rank + mixer.rope_dim if isinstance(mixer, LatentAttention) else 0.0


def _routed(layer: Layer, hidden: int) -> float:
    return layer.mlp.top_k * (layer.mlp.input_width or hidden) if isinstance(layer.mlp, Experts) else 0.0
