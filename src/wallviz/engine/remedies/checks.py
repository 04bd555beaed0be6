"""What may be asked about: a chip whose figures are numbers, options of one value each, one draft. One sentence for what cannot be used."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields
from typing import Any

import numpy as np

from wallviz import checks
from wallviz.engine.hardware import PRECISIONS, Accelerator
from wallviz.engine.memory.run import whole
from wallviz.engine.remedies.setup import Draft
from wallviz.errors import InputError
from wallviz.i18n import N_

#: Figures of a chip that a setup computes with.
RATES = ("memory_bytes", "memory_bytes_per_s", *dict.fromkeys(PRECISIONS.values()), "interconnect_bytes_per_s_bidir")
NEWEST_SLOT = 8
"""Generation of PCI Express: none after it has a specification."""
LONGEST_DRAFT = 64


def plain(name: str, value: Any) -> Any:
    """`value` as it is, out of an array without dimensions; raises InputError unless it is one number, one word, a switch or None.

    >>> plain("batch", 4), int(plain("batch", np.array(4)))
    (4, 4)
    """
    checks.single(name, value)
    return value[()] if isinstance(value, np.ndarray) else value


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """`value` as one whole number from `low` to `high`; raises InputError for any other."""
    one = plain(name, value)
    whole(name, one, low, high)
    return int(one)


def chip(chip: Accelerator) -> None:
    """Raises InputError unless the figures of a chip, one made by hand too, are positive numbers or None."""
    for name in RATES:
        if (rate := getattr(chip, name)) is not None:
            checks.single(name, rate)
            checks.above_zero(name, rate)
    checks.switch("fp16_accumulate", chip.fp16_accumulate)
    if chip.pcie_gen is not None:
        whole_number("pcie_gen", chip.pcie_gen, 1, NEWEST_SLOT)
    for field in fields(chip):
        if not isinstance(value := getattr(chip, field.name), Hashable):  # what was computed for a chip is found again by all that it is
            raise InputError(N_("{name} cannot be {value}: give one value."), name=field.name, value=checks.said(value))


def draft(draft: Draft | None) -> Draft | None:
    """`draft` in plain numbers; raises InputError unless it is a Draft of shares from 0 to 1 and a whole length, or None."""
    if draft is None:
        return None
    if not isinstance(draft, Draft):
        raise InputError(
            N_("draft cannot be {value}: give a Draft of acceptance, length and cost, such as Draft(0.72, 4, 0.128)."), value=checks.said(draft)
        )
    length = whole_number("draft_length", draft.length, 1, LONGEST_DRAFT)
    return Draft(_share("acceptance", draft.acceptance), length, _share("draft_cost", draft.cost))


def _share(name: str, value: Any) -> float:
    one = plain(name, value)
    if not checks.is_number(one, 0.0, 1.0):
        raise InputError(N_("{name} cannot be {value}: give a share from 0 to 1."), name=name, value=checks.said(one))
    return float(one)
