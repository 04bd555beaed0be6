"""ZeRO and ZeRO-Infinity in their papers' own symbols: model states of P parameters on N_d ranks, the largest model that fits, working memories.

Rajbhandari et al., arXiv 1910.02054 and arXiv 2104.07857. Everything is in bytes; GB there are 10^9 in the first and 2^30 in the second.
"""

from __future__ import annotations

from typing import cast

from wallviz.engine.memory.terms import Quantity


def _kept(stage: Quantity, N_d: Quantity, *, sharded_from: int) -> Quantity:
    """The share that one of N_d ranks keeps of what is sharded from some stage on."""
    return cast("Quantity", 1.0 - (stage >= sharded_from) * (1.0 - 1.0 / N_d))


def bytes_per_parameter(N_d: Quantity, stage: Quantity, K: Quantity = 12.0) -> Quantity:
    """Model states on one rank, bytes per parameter: 2 weights, 2 gradients, K optimizer with its 32-bit copies (1910.02054, section 3.1).

    Stage 1 shards the optimizer, 2 the gradients too, 3 the weights too (figure 1: P_os, P_os+g, P_os+g+p).

    >>> [bytes_per_parameter(64, stage) for stage in (0, 1, 2, 3)]
    [16.0, 4.1875, 2.21875, 0.25]
    """
    return 2.0 * _kept(stage, N_d, sharded_from=3) + 2.0 * _kept(stage, N_d, sharded_from=2) + K * _kept(stage, N_d, sharded_from=1)


def model_state_bytes(P: Quantity, N_d: Quantity, stage: Quantity, K: Quantity = 12.0) -> Quantity:
    """Model states of P parameters on one rank, bytes (1910.02054, figure 1: 120, 31.4, 16.6 and 1.9 GB).

    >>> [round(model_state_bytes(7.5e9, 64, stage) / 1e9, 1) for stage in (0, 1, 2, 3)]
    [120.0, 31.4, 16.6, 1.9]
    """
    return P * bytes_per_parameter(N_d, stage, K)


def largest_parameters(M_bytes: Quantity, N_d: Quantity, stage: Quantity, N_m: Quantity = 1.0, K: Quantity = 12.0) -> Quantity:
    """Parameters whose model states alone fill M bytes on each of N_m model-parallel times N_d ranks (1910.02054, table 2).

    >>> [round(largest_parameters(32e9, 64, stage) / 1e9, 1) for stage in (0, 1, 2, 3)]
    [2.0, 7.6, 14.4, 128.0]
    """
    return N_m * M_bytes / bytes_per_parameter(N_d, stage, K)


def activation_bytes(L: Quantity, h: Quantity, s: Quantity, b: Quantity) -> Quantity:
    """Activations of GPT-2-like models, all kept: 12·h·b·s·L elements of 2 bytes (1910.02054, section 3.2 and footnote 3).

    It leaves the attention matrix out. GPT-2 with 1.5 billion parameters at batch 32 is said to take about 60 GB:

    >>> round(activation_bytes(48, 1600, 1024, 32) / 1e9, 1)
    60.4
    """
    return 2.0 * 12.0 * h * b * s * L


def infinity_state_bytes(L: Quantity, h: Quantity) -> Quantity:
    """All model states of a transformer of 12·L·h² parameters at 20 bytes each (2104.07857, section 3, equation 2).

    Weights, gradients and optimizer with 32-bit gradients beside the 16-bit ones. 0.1 trillion parameters, 1.83 TiB:

    >>> round(infinity_state_bytes(80, 10240) / 2**40, 2)
    1.83
    """
    return 240.0 * L * h**2


def infinity_state_working_bytes(h: Quantity) -> Quantity:
    """The largest operator, h to 4h, with its gradient: 4·h·4h bytes (2104.07857, section 3, equation 4).

    >>> round(infinity_state_working_bytes(25600) / 2**30, 2)
    9.77
    """
    return 4.0 * h * 4.0 * h


def infinity_activation_working_bytes(b: Quantity, s: Quantity, a: Quantity, h: Quantity, c_i: Quantity = 1.0) -> Quantity:
    """Activations recomputed between two checkpoints c_i layers apart: b·s·c_i·(16h + 2·a·s) bytes (2104.07857, section 3, equation 5).

    >>> infinity_activation_working_bytes(4, 1024, 512, 65536) / 2**30
    8.0
    """
    return b * s * c_i * (16.0 * h + 2.0 * a * s)
