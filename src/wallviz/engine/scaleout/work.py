"""What a step of training asks of the chips and of the wires, whatever the layout: sums over a model's layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from wallviz.engine.memory.terms import Quantity
from wallviz.engine.transformer import Architecture, Attention, Experts, LatentAttention, Layer


@dataclass(frozen=True, slots=True)
class Work:
    """Sums over the layers of one model."""

    layers: int
    hidden_size: int
    multiplied_parameters: float
    """Active parameters that are multiplied with every token: all but tables that are only looked up (a tied table is the head)."""
    spans: tuple[tuple[float, float], ...]
    """Attention: heads x (width of a key + width of a value) summed over the layers that see so many tokens (infinity: all before)."""
    sums: int
    """Matrices split by rows, whose outputs tensor parallel ranks add up: two a layer, attention and feed-forward."""
    kv_elements: float
    """Cached elements per token, all layers: what context parallelism passes round."""
    kv_spans: tuple[tuple[float, float], ...]
    """The same elements by how many tokens a layer keeps (infinity: all of them)."""
    kv_heads: float
    """The fewest KV heads of a layer: more tensor parallel ranks than that hold copies."""
    routed_elements: float
    """k x width summed over the layers with experts: what one token sends to its experts."""
    expert_layers: int
    experts: tuple[tuple[float, float], ...]
    """Routed parameters, and the share k/E of them that one token uses."""

    def attention_flop(self, s: Quantity) -> Quantity:
        """FLOP of scores and their sums per token, forward, in sequences of s: 2 a (d_k + d_v) x the tokens it sees, s/2 on average."""
        found: Quantity = 0.0
        for width, span in self.spans:
            found = found + 2.0 * width * np.minimum(np.asarray(s, float) / 2.0, span)
        return found

    def forward_flop(self, s: Quantity) -> Quantity:
        """FLOP per token of a forward pass: 2 P + attention."""
        return 2.0 * self.multiplied_parameters + self.attention_flop(s)

    def cached_elements(self, s: Quantity) -> Quantity:
        """Cached elements of a sequence of s tokens."""
        found: Quantity = 0.0
        for elements, span in self.kv_spans:
            found = found + elements * np.minimum(np.asarray(s, float), span)
        return found

    @property
    def dense_parameters(self) -> float:
        """Parameters that every token multiplies: all but the routed experts."""
        return self.multiplied_parameters - sum(parameters * share for parameters, share in self.experts)

    def touched_experts(self, tokens: Quantity) -> Quantity:
        """Routed parameters that so many tokens multiply between them: of E experts E(1-(1-k/E)^tokens) are touched (where used evenly)."""
        found: Quantity = 0.0
        for parameters, share in self.experts:
            found = found + parameters * (1.0 - (1.0 - share) ** np.asarray(tokens, float))
        return found

    def touched_parameters(self, tokens: Quantity) -> Quantity:
        """Parameters that so many tokens multiply between them."""
        return self.dense_parameters + self.touched_experts(tokens)


@lru_cache(maxsize=512)
def work(arch: Architecture) -> Work:
    """The sums of one model.

    >>> from wallviz.engine.transformer import architecture
    >>> gpt2 = architecture({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257})
    >>> found = work(gpt2)
    >>> found.sums, found.kv_elements / 12
    (24, 1536.0)
    """
    tables = sum(t.size for t in arch.outer if t.component == "embedding")
    head = sum(t.size for t in arch.outer if t.component == "embedding" and t.shape[:1] == (arch.vocab,)) if arch.tied else 0
    spans: dict[float, float] = {}
    kept: dict[float, float] = {}
    for layer, count in arch.groups:
        width, span = _attention(layer)
        spans[span] = spans.get(span, 0.0) + width * count
        kept[span] = kept.get(span, 0.0) + _cached(layer) * count
    return Work(
        len(arch.layers),
        arch.hidden_size,
        float(arch.active_parameters - tables + head),
        tuple((width, span) for span, width in spans.items() if width),
        sum(count * ((layer.mixer is not None) + (layer.mlp is not None)) for layer, count in arch.groups),
        float(sum(kept.values())),
        tuple((elements, span) for span, elements in kept.items() if elements),
        float(min((layer.mixer.kv_heads for layer, _n in arch.groups if isinstance(layer.mixer, Attention)), default=1) or 1),
        float(sum(count * _routed(layer, arch.hidden_size) for layer, count in arch.groups)),
        sum(count for layer, count in arch.groups if isinstance(layer.mlp, Experts)),
        tuple(
            (float(count * sum(t.size for t in layer.tensors if t.component == "routed_experts")), layer.mlp.top_k / layer.mlp.count)
            for layer, count in arch.groups
            if isinstance(layer.mlp, Experts)
        ),
    )


def _attention(layer: Layer) -> tuple[float, float]:
    """Heads x (width of a key + width of a value), and how many tokens one sees."""
    mixer = layer.mixer
    if isinstance(mixer, Attention):
        return mixer.heads * (mixer.head_dim + mixer.value_dim), float(mixer.window or np.inf)
    if isinstance(mixer, LatentAttention):
        return mixer.heads * (mixer.nope_dim + mixer.rope_dim + mixer.value_dim), np.inf
    return 0.0, np.inf


def _cached(layer: Layer) -> float:
    mixer = layer.mixer
    if isinstance(mixer, Attention):
        return 0.0 if mixer.shares_cache else mixer.kv_heads * (mixer.head_dim + (0 if mixer.key_is_value else mixer.value_dim))
    return mixer.kv_rank + mixer.rope_dim if isinstance(mixer, LatentAttention) else 0.0


def _routed(layer: Layer, hidden: int) -> float:
    return layer.mlp.top_k * (layer.mlp.input_width or hidden) if isinstance(layer.mlp, Experts) else 0.0
