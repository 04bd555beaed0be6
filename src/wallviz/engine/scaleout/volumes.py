"""What each kind of parallel training sends: bytes of one GPU, and the idle share of a pipeline.

Symbols: b sequences of a micro-batch, s tokens each, h hidden size, g KV heads of d elements, k experts a token; n data, t tensor, p pipeline,
c context, e expert parallel ranks; m micro-batches a step, v chunks a stage; P parameters, q bytes of one element.
tests/test_scaleout_volumes.py runs the schemes on arrays and counts what they send.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from wallviz.engine.memory.terms import Quantity
from wallviz.engine.scaleout.collectives import ring_share


def zero_elements_per_parameter(stage: Quantity) -> Quantity:
    """Elements that data parallelism moves per parameter and step: 2, and 3 with sharded weights (arXiv 1910.02054, section 7).

    Gradients are reduced to their owners (1) and summed gradients or updated weights go back (1). Stage 3 gathers the weights for the forward
    pass, again for the backward pass, and reduces gradients: 1.5 times the traffic.

    >>> [zero_elements_per_parameter(stage) for stage in (0, 1, 2, 3)]
    [2.0, 2.0, 2.0, 3.0]
    """
    return cast("Quantity", 2.0 + (stage >= 3))


def data_parallel_bytes(P: Quantity, q: Quantity, n: Quantity, stage: Quantity = 0) -> Quantity:
    """Bytes that one of n GPUs sends per step for P parameters: one all-reduce, or with ZeRO-3 two all-gathers and a reduce-scatter.

    >>> data_parallel_bytes(7e9, 2, 8) / 1e9, data_parallel_bytes(7e9, 2, 8, 3) / 1e9
    (24.5, 36.75)
    """
    return zero_elements_per_parameter(stage) * ring_share(n) * P * q


def accumulated_data_parallel_bytes(P: Quantity, w: Quantity, q: Quantity, n: Quantity, stage: Quantity, m: Quantity) -> Quantity:
    """The same for a step of m micro-batches, weights of w and gradients of q bytes.

    Without sharded gradients they add up locally and are sent once. ZeRO-2 holds only its own part of them, so each micro-batch is reduced;
    ZeRO-3 gathers the weights twice for each micro-batch as well. With m = 1 and w = q these are the 2P and 3P of `data_parallel_bytes`.

    >>> accumulated_data_parallel_bytes(7e9, 2, 2, 8, 3, 1) == data_parallel_bytes(7e9, 2, 8, 3)
    np.True_
    """
    stage = np.asarray(stage)
    reduced = q * np.where(stage >= 2, m, 1.0)
    returned = np.select([stage == 0, stage <= 2], [q, w], 0.0)
    return cast("Quantity", (reduced + returned) * ring_share(n) * P + gathered_bytes(P, w, n, stage, m))


def gathered_bytes(P: Quantity, w: Quantity, n: Quantity, stage: Quantity, m: Quantity) -> Quantity:
    """Bytes of ZeRO-3's gathers: sharded weights of w bytes come together for the forward and for the backward pass of each micro-batch.

    >>> float(gathered_bytes(7e9, 2, 8, 3, 1)) / 1e9, float(gathered_bytes(7e9, 2, 8, 2, 1))
    (24.5, 0.0)
    """
    return cast("Quantity", np.where(np.asarray(stage) >= 3, 2.0 * w * m, 0.0) * ring_share(n) * P)


def tensor_parallel_bytes(b: Quantity, s: Quantity, h: Quantity, t: Quantity, q: Quantity = 2.0) -> Quantity:
    """Bytes that one of t GPUs sends per layer in the forward pass: two all-reduces of b·s·h (arXiv 2205.05198, section 4); backward as many.

    A layer's attention and its feed-forward part each end in a matrix split by rows, whose partial sums add up over the ranks; in the
    backward pass the same happens at their beginnings. Full recomputation makes the forward sums again: six in all.

    >>> tensor_parallel_bytes(1, 4096, 8192, 8)
    234881024.0
    """
    return 2.0 * 2.0 * ring_share(t) * b * s * h * q


def sequence_parallel_bytes(b: Quantity, s: Quantity, h: Quantity, t: Quantity, q: Quantity = 2.0) -> Quantity:
    """The same with sequence parallelism: two all-gathers and two reduce-scatters per layer and pass. An all-reduce is one of each, so the bytes
    are the same (arXiv 2205.05198, section 4.2.2).

    >>> sequence_parallel_bytes(1, 4096, 8192, 8) == tensor_parallel_bytes(1, 4096, 8192, 8)
    True
    """
    return 2.0 * (ring_share(t) + ring_share(t)) * b * s * h * q


def pipeline_bytes(b: Quantity, s: Quantity, h: Quantity, m: Quantity, v: Quantity = 1.0, q: Quantity = 2.0) -> Quantity:
    """Bytes that a stage in the middle sends per step: b·s·h forward to the next and b·s·h of gradient back, for each micro-batch and chunk.

    >>> pipeline_bytes(1, 4096, 8192, 8) / 2**20
    1024.0
    """
    return 2.0 * m * v * b * s * h * q


def context_parallel_bytes(b: Quantity, s: Quantity, g: Quantity, d: Quantity, c: Quantity, q: Quantity = 2.0) -> Quantity:
    """Bytes that one of c GPUs sends per layer in the forward pass of ring attention: its keys and values, 2·b·g·d·s/c, go c-1 times round
    (arXiv 2310.01889, section 3). The backward pass sends twice that: keys, values and their gradients circulate.

    >>> context_parallel_bytes(1, 131072, 8, 128, 16) / 2**20
    480.0
    """
    return 2.0 * b * g * d * (s / c) * (c - 1.0) * q


def expert_parallel_bytes(b: Quantity, s: Quantity, h: Quantity, k: Quantity, e: Quantity, q: Quantity = 2.0) -> Quantity:
    """Bytes that one of e GPUs sends per layer in the forward pass: every token to its k experts and back, 2·k·b·s·h, of which (e-1)/e leave the
    GPU where experts are used evenly. Backward as much: the backward pass of an all-to-all is one of equal size (arXiv 2006.16668).

    >>> expert_parallel_bytes(1, 4096, 7168, 8, 64) / 2**20
    882.0
    """
    return 2.0 * k * b * s * h * q * ring_share(e)


def bubble_fraction(p: Quantity, m: Quantity, v: Quantity = 1.0) -> Quantity:
    """Idle over ideal time of a pipeline of p stages, m micro-batches, v chunks a stage: (p-1)/(v·m) (arXiv 2104.04473, section 2.2).

    The last stage starts p-1 forward passes late and the first ends p-1 backward passes after it; chunks are v times shorter.

    >>> bubble_fraction(8, 32), bubble_fraction(8, 32, 2)
    (0.21875, 0.109375)
    """
    return (p - 1.0) / (v * m)
