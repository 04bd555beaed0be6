"""Rules of thumb of How to Scale Your Model (Austin et al.): reading a prompt, training, a matmul split over chips, an operation on vectors."""

from __future__ import annotations

import numpy as np

from wallviz.engine.memory.terms import Quantity, plain
from wallviz.engine.work import Operation
from wallviz.i18n import N_


def prefill_s(parameters: Quantity, tokens: Quantity, flop_per_s: Quantity, utilization: Quantity = 1.0) -> Quantity:
    """Time to read a prompt: 2·P·T FLOP, each weight one multiply and one add a token (Kaplan et al. 2020, section 2.1), attention left out.

    Llama 3 70B, 8,192 tokens, 16 TPU v5e at 40 % of their peak (Austin et al., How to Scale Your Model, chapter "Applied inference"):

    >>> round(prefill_s(70.6e9, 8192, 16 * 197e12, 0.4), 2)
    0.92
    """
    return plain(2.0 * np.asarray(parameters, float) * tokens / (np.asarray(flop_per_s, float) * utilization))


def training_s(
    parameters: Quantity, tokens: Quantity, flop_per_s: Quantity, utilization: Quantity = 1.0, *, full_recompute: bool = False
) -> Quantity:
    """Time to train: 6·P·T FLOP (forward 2, backward 4; Kaplan et al. 2020, section 2.1); recomputing every layer does 8·P·T.

    Llama 3 70B, 15 trillion tokens, 8,960 TPU v5p at 40 % (How to Scale Your Model, chapter "Applied training"), in days:

    >>> round(training_s(70.4e9, 15e12, 8960 * 459e12, 0.4) / 86400, 1)
    44.6
    """
    return plain((8.0 if full_recompute else 6.0) * np.asarray(parameters, float) * tokens / (np.asarray(flop_per_s, float) * utilization))


def critical_inner_dimension(flop_per_s: Quantity, link_bytes_per_s: Quantity, chips: Quantity = 2, bytes_per_value: float = 2.0) -> Quantity:
    """Inner dimension D above which a matmul [B, D] x [D, F] split along D over `chips` is bound by compute and not by the link.

    Each chip does 2·B·D·F/n FLOP and sends its B·F partial sums: D >= n·peak·bytes/(2·link) (How to Scale Your Model, chapter "Rooflines").

    >>> round(critical_inner_dimension(197e12, 45e9))
    8756
    """
    return plain(np.asarray(chips, float) * flop_per_s * bytes_per_value / (2.0 * np.asarray(link_bytes_per_s, float)))


def elementwise(values: Quantity, *, reads: int = 2, writes: int = 1, flop_per_value: float = 1.0, bytes_per_value: float = 4.0) -> Operation:
    """An operation on vectors: x + y reads two values and writes one for one FLOP.

    2^30 fp32 values on an H100 take 3.85 ms (How to Scale Your Model, chapter "GPUs", question 7):

    >>> round(elementwise(2**30).bytes / 3.35e12 * 1e3, 2)
    3.85
    """
    count = np.asarray(values, float)
    moved = (reads + writes) * bytes_per_value * count
    return Operation("other", N_("Norms and other elementwise"), plain(flop_per_value * count), plain(moved), "fp32")
