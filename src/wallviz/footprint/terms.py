"""One term of a footprint: what it is, the formula, the formula with the reader's numbers, the bytes, the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Quantity: TypeAlias = float | NDArray[np.float64]
"""One number, or an array of them: every formula here takes and gives either."""


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a footprint, shown as it was computed."""

    name: str
    """What the bytes are: "weights", "KV cache"."""
    formula: str
    """In the field's notation: ``2·L·g·d·s·b·bytes``."""
    values: str
    """The same with the reader's numbers: ``2·32·8·128·8,192·1·2``."""
    bytes: Quantity
    """The result; an array where an input was one."""
    source: str
    """Where the formula stands: ``arXiv 2309.06180, section 3``."""


def written(value: Quantity) -> str:
    """A number as it stands in `Term.values`: thousands grouped, no unit, nothing rounded that a reader could type; a sweep as its ends.

    >>> written(131072), written(0.5625), written(np.array([1.0, 4096.0]))
    ('131,072', '0.5625', '1…4,096')
    """
    ends = sorted({float(np.min(value)), float(np.max(value))})
    return "…".join(f"{end:,.10g}" if end % 1 else f"{end:,.0f}" for end in ends)


def plain(value: ArrayLike) -> Quantity:
    """A float where there is one number, the array where there are several."""
    numbers = np.asarray(value, dtype=np.float64)
    return float(numbers) if numbers.ndim == 0 else numbers
