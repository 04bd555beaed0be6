"""One term of a footprint: what it is, the formula, the formula with the reader's numbers, the bytes, the source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wallviz.i18n import N_, _

Quantity: TypeAlias = float | NDArray[np.float64]
"""One number, or an array of them: every formula here takes and gives either."""


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a footprint, shown as it was computed."""

    name: str
    """What the bytes are, marked for translation: "weights", "KV cache"."""
    formula: str
    """In the field's notation: ``2·L·g·d·s·b·bytes``; `worded` says its words in the language in use."""
    values: str
    """The same with the reader's numbers: ``2·32·8·128·8,192·1·2``."""
    bytes: Quantity
    """The result; an array where an input was one."""
    source: str
    """Where the formula stands, marked for translation: ``arXiv 2309.06180, section 3``."""


#: The words that stand as symbols inside of formulas, for the catalogs; a phrase is marked where it is written.
SYMBOLS = (
    N_("allocated"), N_("bits"), N_("bytes"), N_("chunk"), N_("convolution"), N_("elements"), N_("indexer"), N_("scales"), N_("size"), N_("state"),
    N_("tokens"),
)  # fmt: skip
_PHRASE = re.compile(r"(?<!\w)[A-Za-z][a-z']+(?:,? [a-z']+)*")


def worded(formula: str) -> str:
    """A `Term.formula` with its words in the language in use; symbols and their indices are alike in every language.

    >>> worded("2·w·largest unit + 2·P_linear")
    '2·w·largest unit + 2·P_linear'
    """
    return _PHRASE.sub(lambda phrase: _(phrase[0]), formula)


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
