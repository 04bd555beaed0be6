"""From which batch on adding chips pays: where compute takes longer than communication (The Scaling Book, training and GPUs).

C FLOP/s of one chip, W bytes per second of one direction of its links, all axes of a torus that share the work added up.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from wallviz.engine.memory.terms import Quantity


def tokens_per_chip(C: Quantity, W: Quantity, axes: Quantity = 1.0, experts: Quantity = 1.0, top_k: Quantity = 1.0) -> Quantity:
    """Tokens per chip and step above which data parallelism (and FSDP) waits for nothing: C/(axes·W), times E/k with experts.

    A matrix of DF parameters costs 4·DF·T FLOP in its backward pass and moves 2 x 2·DF bytes in 16 bits (an all-reduce): compute is longer
    where T > C/W. FSDP moves as much per pass and computes as much. With experts E/k times the parameters are moved for the same FLOP.

    >>> round(tokens_per_chip(4.59e14, 1.8e11, 3)), tokens_per_chip(990e12, 450e9), tokens_per_chip(990e12, 450e9, 1, 128, 4) / 32
    (850, 2200.0, 2200.0)
    """
    return C / (axes * W) * experts / top_k


def tensor_parallel_limit(F: Quantity, C: Quantity, W: Quantity, axes: Quantity = 1.0) -> Quantity:
    """Tensor parallel ranks up to which communication is shorter than compute: F·axes·W/C, F the width of the feed-forward layer.

    Two products of T x D by D x F take 4·T·D·F/(t·C); gathering and scattering T x D in 16 bits moves 4·T·D bytes: t < F·W/C, whatever the batch.

    >>> int(tensor_parallel_limit(28000, 990e12, 400e9))
    11
    """
    return F * axes * W / C


def optimal_sharding(B: Quantity, N: Quantity, F: Quantity, data_axes: Quantity = 2.0, tensor_axes: Quantity = 1.0) -> Quantity:
    """FSDP ranks X of N chips that move the fewest bytes beside tensor parallelism over N/X: sqrt(B/F · M_X/M_Y · N), B tokens in all.

    Per layer FSDP moves 4·D·F·X/(N·M_X) and tensor parallelism 4·B·D/(X·M_Y): least where the two are equal.

    >>> round(float(optimal_sharding(4.19e6, 8960, 28672)))
    1618
    """
    return cast("Quantity", np.sqrt(B / F * data_axes / tensor_axes * N))


def mixed_tokens_per_chip(F: Quantity, C: Quantity, W: Quantity, data_axes: Quantity = 2.0, tensor_axes: Quantity = 1.0) -> Quantity:
    """Tokens per chip above which FSDP and tensor parallelism together, split best, wait for nothing: 4 (C/W)²/(M_X·M_Y·F).

    >>> round(mixed_tokens_per_chip(30000, 2550.0, 1.0))
    434
    """
    return 4.0 * (C / W) ** 2 / (data_axes * tensor_axes * F)
