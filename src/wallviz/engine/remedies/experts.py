"""Mixture of experts against a dense model of the same active size: the same FLOP a token, more bytes, and a larger critical batch.

E experts, k of which each token uses.
"""

from __future__ import annotations

import numpy as np

from wallviz.engine.memory.terms import Quantity, plain


def critical_batch_factor(E: Quantity, k: Quantity) -> Quantity:
    """By how much more tokens a step needs before compute bounds it, over a dense model: E/k.

    A batch touches all experts, so the weights read grow with E while the FLOP a token grow with k (How to Scale Your Model, chapter "GPUs": with
    E = 128, k = 4 on H100 across nodes 2,475 tokens a GPU become 79,200).

    >>> critical_batch_factor(128, 4) * 2475
    79200.0
    """
    return plain(np.divide(E, k))


def flop_share(total: Quantity, active: Quantity) -> Quantity:
    """FLOP of a token over those of a dense model of as many parameters: active over total.

    DeepSeek-V3, 37 of 671 billion:

    >>> round(flop_share(671e9, 37e9), 3)
    0.055
    """
    return plain(np.divide(active, total))
