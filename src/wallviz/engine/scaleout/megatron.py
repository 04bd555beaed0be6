"""The closed forms of Narayanan et al. 2021 (arXiv 2104.04473): parameters, work and training time of a GPT, in the paper's symbols."""

from __future__ import annotations

from wallviz.engine.memory.terms import Quantity

DAY_S = 86_400.0


def parameters(l: Quantity, h: Quantity, V: Quantity, s: Quantity) -> Quantity:  # noqa: E741 - the paper's letter
    """P = 12 l h^2 (1 + 13/(12h) + (V+s)/(12 l h)), equation 2: l layers, hidden size h, vocabulary V, sequence s.

    >>> round(parameters(96, 12288, 51200, 2048) / 1e9, 1)
    174.6
    """
    return 12.0 * l * h**2 * (1.0 + 13.0 / (12.0 * h) + (V + s) / (12.0 * l * h))


def flop_per_iteration(B: Quantity, s: Quantity, l: Quantity, h: Quantity, V: Quantity) -> Quantity:  # noqa: E741 - the paper's letter
    """F = 96 B s l h^2 (1 + s/(6h) + V/(16 l h)), equation 3: matrix products of one step of B sequences, activations recomputed.

    >>> round(flop_per_iteration(1536, 2048, 96, 12288, 51200) / 1e18, 2)
    4.51
    """
    return 96.0 * B * s * l * h**2 * (1.0 + s / (6.0 * h) + V / (16.0 * l * h))


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
