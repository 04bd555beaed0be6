"""What parallel training sends: rings, the volume of each kind of parallelism, the pipeline's bubble.

n ranks, P parameters, q bytes of one element, B bandwidth of one direction of a link, alpha its latency. Bytes are what one GPU sends.
"""

from __future__ import annotations

from typing import cast

from wallviz.footprint.terms import Quantity


def ring_share(n: Quantity) -> Quantity:
    """The part of a tensor that each rank sends in a ring's reduce-scatter or all-gather: (n-1)/n (Patarasuk and Yuan 2009).

    >>> ring_share(8)
    0.875
    """
    return (n - 1.0) / n


def ring_all_reduce_s(S_bytes: Quantity, n: Quantity, B_bytes_per_s: Quantity, alpha_s: Quantity = 0.0) -> Quantity:
    """Seconds of a ring all-reduce of S bytes: 2(n-1) steps of S/n, each with its latency (NCCL tests: bus bandwidth 2(n-1)/n).

    >>> round(ring_all_reduce_s(1e9, 8, 450e9) * 1e3, 3)
    3.889
    """
    return 2.0 * ring_share(n) * S_bytes / B_bytes_per_s + 2.0 * (n - 1.0) * alpha_s


def zero_elements_per_parameter(stage: Quantity) -> Quantity:
    """Elements that data parallelism moves per parameter and step: 2, and 3 with sharded weights (arXiv 1910.02054, section 7).

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


def tensor_parallel_bytes(b: Quantity, s: Quantity, h: Quantity, t: Quantity, q: Quantity = 2.0) -> Quantity:
    """Bytes that one of t GPUs sends per layer in the forward pass: two all-reduces of b·s·h (arXiv 2205.05198, section 4); backward as many.

    >>> tensor_parallel_bytes(1, 4096, 8192, 8)
    234881024.0
    """
    return 2.0 * 2.0 * ring_share(t) * b * s * h * q


def bubble_fraction(p: Quantity, m: Quantity, v: Quantity = 1.0) -> Quantity:
    """Idle over ideal time of a pipeline of p stages, m micro-batches, v chunks a stage: (p-1)/(v·m) (arXiv 2104.04473, section 2.2).

    >>> bubble_fraction(8, 32), bubble_fraction(8, 32, 2)
    (0.21875, 0.109375)
    """
    return (p - 1.0) / (v * m)
