"""Activations of a GPT in the symbols of Korthikanti et al. 2022, "Reducing activation recomputation in large transformer models" (2205.05198).

a heads, b micro-batch, h hidden size, L layers, p pipeline stages, m chunks per stage, s sequence, t tensor-parallel ranks. 16-bit numbers,
dropout, no fused attention: what later kernels changed is counted elsewhere, in `engine.memory.activations`.
"""

from __future__ import annotations

import numpy as np

from wallviz.engine.memory.terms import Quantity
from wallviz.errors import InputError
from wallviz.i18n import N_

TECHNIQUES = ("none", "tensor", "sequence", "selective", "sequence+selective", "full")
"""Rows of table 2: no parallelism, tensor parallelism alone, with sequence parallelism, with selective recomputation, with both, all recomputed."""


def attention_term(a: Quantity, s: Quantity, h: Quantity) -> Quantity:
    """What the attention matrix adds per token and hidden unit: 5·a·s/h (section 5: 80 for GPT-3, 64 for MT-NLG).

    >>> attention_term(96, 2048, 12288), attention_term(128, 2048, 20480)
    (80.0, 64.0)
    """
    return 5.0 * a * s / h


def bytes_per_unit(technique: str, a: Quantity, s: Quantity, h: Quantity, t: Quantity = 1.0) -> Quantity:
    """Activations of one layer on one rank, bytes per token and hidden unit (equations 1 to 4 and 6, table 2).

    >>> [bytes_per_unit(name, 96, 2048, 12288, 8) for name in TECHNIQUES]
    [114.0, 23.0, 14.25, 13.0, 4.25, 2.0]
    """
    core = attention_term(a, s, h)
    if technique == "none":
        return 34.0 + core
    if technique == "tensor":
        return 10.0 + 24.0 / t + core / t
    if technique == "sequence":
        return (34.0 + core) / t
    if technique == "selective":
        return 10.0 + 24.0 / t
    if technique == "sequence+selective":
        return 34.0 / t
    if technique == "full":
        return 2.0
    raise InputError(N_("no technique is called {name}: use one of {known}"), name=technique, known=", ".join(TECHNIQUES))


def layer_bytes(technique: str, a: Quantity, s: Quantity, h: Quantity, b: Quantity, t: Quantity = 1.0) -> Quantity:
    """Activations of one layer on one rank, bytes.

    >>> layer_bytes("none", 96, 2048, 12288, 1)
    2868903936.0
    """
    return s * b * h * bytes_per_unit(technique, a, s, h, t)


def first_stage_layers(L: Quantity, p: Quantity, m: Quantity = 1.0) -> Quantity:
    """Layers' worth of activations on the first pipeline stage: L with 1F1B, L(1 + (p-1)/(p·m)) interleaved (section 4.2.3).

    >>> float(first_stage_layers(96, 8, 3)), float(first_stage_layers(128, 64))
    (124.0, 128.0)
    """
    return L * np.where(np.asarray(m) > 1, 1.0 + (p - 1.0) / (p * m), 1.0)


def stage_bytes(
    technique: str, L: Quantity, a: Quantity, s: Quantity, h: Quantity, b: Quantity, t: Quantity = 1.0, p: Quantity = 1.0, m: Quantity = 1.0
) -> Quantity:
    """Activations of the layers of the first stage on one rank, bytes; embedding and head are left out (figure 1: 66.8 GiB for 175B).

    >>> round(float(stage_bytes("tensor", 96, 96, 2048, 12288, 1, 8, 8, 3)) / 2**30, 1)
    66.8
    """
    return layer_bytes(technique, a, s, h, b, t) * first_stage_layers(L, p, m)


def share_of_tensor_parallel(technique: str, a: Quantity, s: Quantity, h: Quantity, t: Quantity) -> Quantity:
    """Activations over those under tensor parallelism alone (figure 7).

    >>> round(share_of_tensor_parallel("sequence+selective", 64, 2048, 6144, 8), 4)
    0.1614
    """
    return bytes_per_unit(technique, a, s, h, t) / bytes_per_unit("tensor", a, s, h, t)


def selective_saving(a: Quantity, s: Quantity, h: Quantity) -> Quantity:
    """The share of a layer's activations that selective recomputation drops (section 5: 70 % for GPT-3, 65 % for MT-NLG).

    >>> round(selective_saving(96, 2048, 12288), 2), round(selective_saving(128, 2048, 20480), 2)
    (0.7, 0.65)
    """
    core = attention_term(a, s, h)
    return core / (34.0 + core)


def selective_overhead(h: Quantity, s: Quantity) -> Quantity:
    """The share of work that selective recomputation adds (section 5: 2.7 % for GPT-3, 1.6 % for MT-NLG).

    72·b·L·s·h²(1 + s/3h) over 72·b·L·s·h²(1 + s/6h), less one (appendix A, the output layer left out).

    >>> round(selective_overhead(12288, 2048), 3), round(selective_overhead(20480, 2048), 3)
    (0.027, 0.016)
    """
    return (1.0 + s / (3.0 * h)) / (1.0 + s / (6.0 * h)) - 1.0


def shard_state_bytes(L: Quantity, h: Quantity, t: Quantity, p: Quantity, k: Quantity = 18.0) -> Quantity:
    """Weights, gradients and optimizer of one rank: k bytes for each of 12·L·h² parameters, embedding left out (figure 1: 45.6 GiB for 22B).

    >>> shard_state_bytes(48, 6144, 8, 1) / 2**30
    45.5625
    """
    return k * 12.0 * L * h**2 / (t * p)
