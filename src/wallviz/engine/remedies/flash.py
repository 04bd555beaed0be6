"""Traffic of exact attention between chip and memory, with and without tiles that stay on the chip (FlashAttention, arXiv 2205.14135).

N tokens, d head width, M elements of on-chip memory; one head of one sequence, in elements, times `heads` times `batch`.
"""

from __future__ import annotations

import numpy as np

from wallviz.engine.memory.terms import Quantity, plain

#: Passes over the N x N matrix, forward and backward, of algorithms 0 and 3: scores written; scores read, probabilities written; probabilities
#: read; then probabilities, dP written, both read and dS written, dS read twice.
PLAIN_PASSES = 11.0
#: The same where scale and mask, and dropout with its mask of bytes, are kernels of their own, as in the Megatron code that the paper measured:
#: 8.5 forward and 11.5 backward. Counted by us.
SEPARATE_PASSES = 20.0
#: On-chip memory of one A100 multiprocessor, 192 KiB, in 16-bit elements.
A100_ELEMENTS = 192 * 1024 / 2


def standard_bytes(
    N: Quantity, d: Quantity, heads: Quantity = 1.0, batch: Quantity = 1.0, *, passes: float = PLAIN_PASSES, element_bytes: float = 2.0
) -> Quantity:
    """Forward and backward pass that write the N x N matrix: (passes·N² + 12·N·d) elements, Θ(Nd + N²) (theorem 2).

    GPT-2 medium, N = 1,024, d = 64, 16 heads, batch 64; the paper measured 40.3 GB (figure 2), between the algorithm and its unfused code:

    >>> [round(standard_bytes(1024, 64, 16, 64, passes=n) / 1e9, 1) for n in (PLAIN_PASSES, SEPARATE_PASSES)]
    [25.2, 44.6]
    """
    return element_bytes * heads * batch * (passes * N**2 + 12.0 * N * d)


def tiles(N: Quantity, d: Quantity, M: Quantity = A100_ELEMENTS) -> Quantity:
    """Blocks of keys and values, T_c = ceil(N/B_c) with B_c = ceil(M/4d) tokens each (algorithm 1, lines 1 and 3).

    >>> tiles(1024, 64)
    3.0
    """
    return plain(np.ceil(N / np.ceil(np.asarray(M, float) / (4.0 * np.asarray(d, float)))))


def tiled_bytes(
    N: Quantity, d: Quantity, heads: Quantity = 1.0, batch: Quantity = 1.0, *, M: Quantity = A100_ELEMENTS, element_bytes: float = 2.0
) -> Quantity:
    """Forward and backward pass in tiles: each block of keys passes by all queries, which are read and whose outputs are written anew.

    Forward 2·N·d + T_c·(3·N·d + 4·N), backward 4·N·d + T_c·(5·N·d + 2·N): 8·T_c·N·d = 32·N²d²/M to leading order, Θ(N²d²/M) (algorithms 1
    and 4, theorem 2). The case of `standard_bytes`, measured at 4.4 GB:

    >>> round(tiled_bytes(1024, 64, 16, 64) / 1e9, 1)
    4.1
    """
    blocks = tiles(N, d, M)
    return element_bytes * heads * batch * (6.0 * N * d + blocks * (8.0 * N * d + 6.0 * N))
