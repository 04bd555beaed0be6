"""How many tokens at once it takes to be bound by compute, and how many a time limit and a memory allow."""

from __future__ import annotations

from math import inf

import numpy as np

from wallviz.engine.memory.terms import Quantity, plain


def critical_batch(
    peak_flop_per_s: Quantity, bytes_per_s: Quantity, bytes_per_weight: Quantity = 2.0, *, experts: Quantity = 1, top_k: Quantity = 1
) -> Quantity:
    """Tokens at once from which a weight matmul is bound by compute, activations and KV cache left out: peak·bytes/(2·bandwidth)·E/k.

    2·B FLOP are done with each weight of `bytes_per_weight`: 2·B/peak >= bytes/bandwidth. Of E experts a token uses k, so that each expert
    sees B·k/E tokens while all of them are read (Austin et al., How to Scale Your Model, chapters "Rooflines" and "Inference").

    >>> round(critical_batch(197e12, 820e9)), round(critical_batch(197e12, 820e9, 1)), round(critical_batch(990e12, 3.35e12, experts=256, top_k=8))
    (240, 120, 9457)
    """
    return plain(np.asarray(peak_flop_per_s, float) * bytes_per_weight / (2.0 * np.asarray(bytes_per_s, float)) * experts / top_k)


def critical_batch_exact(
    peak_flop_per_s: float, bytes_per_s: float, k: Quantity, n: Quantity, *, bytes_per_weight: float = 2.0, bytes_per_activation: float = 2.0
) -> Quantity:
    """The same for one [m, k] x [k, n] with its activations: the m at which 2·m·k·n/peak = (k·n·w + m·(k + n)·a)/bandwidth.

    m = k·n·w / (2·k·n·bandwidth/peak - (k + n)·a); infinite where the activations alone keep it bound by bandwidth. int8 [16384, 4096] on a
    TPU v5e is 263; How to Scale Your Model (chapter "TPUs", question 4) prints 271 because it rounds 2·k·n = 1.34e8 to 1.3e8 on the way.

    >>> round(critical_batch_exact(394e12, 810e9, 4096, 16384, bytes_per_weight=1, bytes_per_activation=1))
    263

    """
    weights = np.asarray(k, float) * n
    room = 2.0 * weights * bytes_per_s / peak_flop_per_s - (np.asarray(k, float) + n) * bytes_per_activation
    return plain(np.where(room > 0, weights * bytes_per_weight / np.where(room > 0, room, 1.0), inf))
