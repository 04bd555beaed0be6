"""The fewest chips that hold the largest model of each year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

#: Weights in 16 bits; while training, with gradients, master copy and Adam's moments (arXiv 1910.02054, section 3.1). Activations come on top.
SERVING_BYTES, TRAINING_BYTES = 2.0, 16.0


@dataclass(frozen=True, slots=True)
class Dated:
    """Something with a date and a size: a model with its parameters, a chip with its bytes."""

    name: str
    date: dt.date
    size: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class FewestChips:
    """The largest model up to the end of a year, the chip with the most memory by then, and how many of those hold it."""

    year: int
    model: Dated
    chip: Dated
    serving_chips: int
    training_chips: int


def fewest_chips(models: Iterable[Dated], chips: Iterable[Dated]) -> tuple[FewestChips, ...]:
    """By year, from the first in which there is both a model and a chip.

    >>> gpt3 = Dated("GPT-3", dt.date(2020, 5, 28), 175e9)
    >>> a100 = Dated("A100", dt.date(2020, 5, 14), 40e9)
    >>> [(held.year, held.serving_chips, held.training_chips) for held in fewest_chips([gpt3], [a100])]
    [(2020, 9, 70)]
    """
    models, chips = list(models), list(chips)
    if not models or not chips:
        return ()
    first = max(min(m.date for m in models), min(c.date for c in chips)).year
    last = max(*(m.date for m in models), *(c.date for c in chips)).year
    found = []
    for year in range(first, last + 1):
        model = max((m for m in models if m.date.year <= year), key=lambda m: m.size)
        chip = max((c for c in chips if c.date.year <= year), key=lambda c: (c.size, c.date))
        found.append(FewestChips(year, model, chip, ceil(SERVING_BYTES * model.size / chip.size), ceil(TRAINING_BYTES * model.size / chip.size)))
    return tuple(found)
