"""LoRA adapters (arXiv 2106.09685): which linear layers get one, and how many parameters that trains."""

from __future__ import annotations

from functools import lru_cache

from wallviz.engine.transformer import Architecture, Layer, Tensor

_QV = ("q_proj", "v_proj", "query", "value", "q", "v", "SelfAttention.q", "SelfAttention.v")
_FUSED = ("c_attn", "qkv_proj", "query_key_value", "Wqkv")


@lru_cache(maxsize=4096)
def adapted(block: Layer, targets: str) -> tuple[Tensor, ...]:
    """The linear layers of `block` that get an adapter: ``all``, those of ``attention``, or queries and values (``qv``; a fused projection whole).

    Routed experts and routers get none: PEFT adapts linear modules, and experts are stacked tensors.
    """
    linear = [t for t in block.tensors if t.linear and len(t.shape) == 2 and t.component not in ("routed_experts", "router")]
    if targets == "all":
        return tuple(linear)
    attention = [t for t in linear if t.component == "attention"]
    if targets == "attention":
        return tuple(attention)
    return tuple(t for t in attention if t.name in _QV) or tuple(t for t in attention if t.name in _FUSED) or tuple(attention[:1])


def trainable(arch: Architecture, targets: str, rank: float) -> float:
    """Parameters of the adapters: r(d_in + d_out) for each target."""
    return rank * inner_widths(arch, targets)


@lru_cache(maxsize=512)
def inner_widths(arch: Architecture, targets: str) -> float:
    """Sum of d_in + d_out over all targets."""
    return float(sum(count * sum(sum(t.shape) for t in adapted(block, targets)) for block, count in arch.groups))
