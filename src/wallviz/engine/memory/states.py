"""Model states: weights, gradients, optimizer state, and what ZeRO leaves of them on one rank (arXiv 1910.02054)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wallviz.engine.memory.run import DTYPES
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.transformer import Tensor

#: bitsandbytes keeps one fp32 scale per block of 256 eight-bit values (arXiv 2110.02861, section 2).
INT8_STATE_BYTES = 1 + 4 / 256


def state_bytes_per_element(dtype: str) -> float:
    """Bytes of one element of optimizer state, its block scale included.

    >>> 2 * state_bytes_per_element("int8"), 2 * state_bytes_per_element("fp32")
    (2.03125, 8.0)
    """
    return INT8_STATE_BYTES if dtype == "int8" else DTYPES[dtype]


def optimizer_bytes(shape: tuple[int, ...], optimizer: str, dtype: str, *, linear: bool = True, galore_rank: int = 128) -> float:
    """Optimizer state of one tensor, master copy not included, bytes.

    sgd 0; momentum and lion one value per weight; adamw two; muon one for the 2-D weights of linear layers, adamw's two for the rest
    (Jordan 2024); adafactor a row and a column sum of 4 bytes per matrix (arXiv 1804.04235, section 3); galore the projection r·m and
    two moments r·n for a matrix m x n, m the shorter side (arXiv 2403.03507, table 1), adamw for the rest. A stack of experts is one matrix per
    expert.

    >>> optimizer_bytes((4096, 11008), "adafactor", "fp32")
    60416.0
    >>> optimizer_bytes((100, 100), "adamw", "bf16")
    40000.0
    """
    size = float(np.prod(shape, dtype=float))
    each = state_bytes_per_element(dtype)
    if optimizer == "sgd":
        return 0.0
    if optimizer in ("momentum", "lion"):
        return each * size
    matrix = len(shape) >= 2
    stack, rows, columns = (float(np.prod(shape[:-2], dtype=float)), shape[-2], shape[-1]) if matrix else (1.0, 1, int(size))
    if optimizer == "adafactor":
        return stack * 4.0 * (rows + columns) if matrix else 4.0 * size
    if optimizer == "muon" and linear and matrix:
        return each * size
    if optimizer == "galore" and linear and matrix:
        short, long = min(rows, columns), max(rows, columns)
        rank = min(galore_rank, short)
        return stack * each * (rank * short + 2 * rank * long)
    return 2.0 * each * size


@lru_cache(maxsize=4096)
def optimizer_bytes_of(tensors: tuple[Tensor, ...], optimizer: str, dtype: str, galore_rank: int) -> float:
    """Optimizer state of several tensors, bytes."""
    return sum(optimizer_bytes(t.shape, optimizer, dtype, linear=t.linear, galore_rank=galore_rank) for t in tensors)


def sharded(full: Quantity, ranks: Quantity, applies: NDArray[np.bool_]) -> Quantity:
    """What one of `ranks` keeps of `full` bytes where ZeRO `applies` (a flag or an array of them); all of it elsewhere."""
    return np.where(applies, full / ranks, full)


def gathered(unit: Quantity, full: Quantity, ranks: Quantity) -> Quantity:
    """ZeRO-3's working set: the largest unit gathered twice (one prefetched), never more than what the shard lacks of the whole.

    `unit` and `full` are weights in bytes.
    """
    return np.minimum(2.0 * unit, full - full / ranks)


def total(values: Iterable[Quantity]) -> Quantity:
    """Sum of bytes; 0.0 for none."""
    return sum(values, 0.0)
