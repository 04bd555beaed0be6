"""What bounds a workload on a chip: arithmetic or memory traffic (Williams, Waterman and Patterson 2009)."""

from __future__ import annotations

from math import inf


def decode_step_s(weights_bytes: float, kv_bytes: float, bytes_per_s: float, *, flop: float = 0.0, flop_per_s: float = inf) -> float:
    """Shortest time of one decoding step of a batch, seconds: read the KV cache, and read the weights or compute with them, whichever is longer.

    Attention is bound by memory at every batch (each cached value serves one sequence), so its reading adds to the rest:
    T = kv / bandwidth + max(weights / bandwidth, flop / peak) (Austin et al., How to Scale Your Model, chapter "Inference"; `flop` is 2·P·B).

    Llama 2 13B at batch 8 on eight TPU v5e, 12.13 ms there:

    >>> round(decode_step_s(26e9, 8 * 6.7e9, 6.56e12) * 1e3, 2)
    12.13
    """
    return kv_bytes / bytes_per_s + max(weights_bytes / bytes_per_s, flop / flop_per_s)


def decode_attention_intensity(group_size: float, bytes_per_element: float = 2.0) -> float:
    """FLOP per byte of attention in decoding: 4·s·d FLOP per query head for 2·s·d cached elements, which `group_size` query heads share.

    >>> decode_attention_intensity(1), decode_attention_intensity(8)
    (1.0, 8.0)
    """
    return 4.0 * group_size / (2.0 * bytes_per_element)
