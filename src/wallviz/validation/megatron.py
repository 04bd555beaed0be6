"""The closed forms of Narayanan et al. 2021 (arXiv 2104.04473): parameters, work and training time of a GPT in its symbols, the layers l as L."""

from __future__ import annotations

from wallviz.engine.memory.terms import Quantity

DAY_S = 86_400.0


def parameters(L: Quantity, h: Quantity, V: Quantity, s: Quantity) -> Quantity:
    """P = 12 L h^2 (1 + 13/(12h) + (V+s)/(12 L h)), equation 2: L layers, hidden size h, vocabulary V, sequence s.

    Biases, a tied embedding and learned positions. GPT-3, and the trillion-parameter row of table 1:

    >>> round(parameters(96, 12288, 51200, 2048) / 1e9, 1)
    174.6
    >>> round(parameters(128, 25600, 51200, 2048) / 1e9, 1)
    1008.0
    """
    return 12.0 * L * h**2 * (1.0 + 13.0 / (12.0 * h) + (V + s) / (12.0 * L * h))


def flop_per_iteration(B: Quantity, s: Quantity, L: Quantity, h: Quantity, V: Quantity) -> Quantity:
    """F = 96 B s L h^2 (1 + s/(6h) + V/(16 L h)), equation 3: matrix products of one step of B sequences, activations recomputed.

    >>> round(flop_per_iteration(1536, 2048, 96, 12288, 51200) / 1e18, 2)
    4.51
    """
    return 96.0 * B * s * L * h**2 * (1.0 + s / (6.0 * h) + V / (16.0 * L * h))


def training_s(P: Quantity, T: Quantity, n: Quantity, X: Quantity) -> Quantity:
    """Seconds to train P parameters on T tokens with n GPUs at X FLOP/s each, activations recomputed: 8 T P/(n X), equation 4.

    GPT-3 on 1,024 A100 at 140 TFLOP/s: the paper says 34 days.

    >>> round(training_s(175e9, 300e9, 1024, 140e12) / 86400)
    34
    """
    return 8.0 * T * P / (n * X)


def training_days(P: Quantity, T: Quantity, n: Quantity, X: Quantity) -> Quantity:
    """The same in days, as the paper prints it.

    >>> round(training_days(1e12, 450e9, 3072, 163e12))
    83
    """
    return training_s(P, T, n, X) / DAY_S
