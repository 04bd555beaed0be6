"""What the maker promises of a memory that no driver states: the reader's card, or channels and transfers of the modules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from wallviz.checks import halfwidth
from wallviz.engine.hardware import Accelerator
from wallviz.errors import InputError
from wallviz.i18n import N_
from wallviz.machine.record import Record

READER = "reader"
"""The source of a rate that the reader gave."""
CHANNEL_BYTES = 8
"""A channel moves 64 bits a transfer; the two halves of a DDR5 module count as one channel (JEDEC JESD79-5)."""
MODULES = re.compile(r"([1-9]\d?)\s*[x×*]\s*(?:LP)?DDR\d?X?[- ]?(\d{3,5})", re.IGNORECASE)
_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,4})?)\s*(GB/s|TB/s)", re.IGNORECASE)


def bytes_per_s(text: str, chips: Mapping[str, Accelerator]) -> float:
    """The rate that `text` promises: an id of `chips`, modules, or a rate; 0 for an empty one. Raises InputError for any other.

    >>> bytes_per_s("2 x DDR5-5600", {}) / 1e9, bytes_per_s("448 GB/s", {}) / 1e9
    (89.6, 448.0)
    """
    text = halfwidth(text).strip()
    if not text:
        return 0.0
    chip = chips.get(text)
    if chip is not None and chip.memory_bytes_per_s:
        return chip.memory_bytes_per_s
    if modules := MODULES.fullmatch(text):
        return float(int(modules[1]) * int(modules[2]) * 1_000_000 * CHANNEL_BYTES)
    if (rate := _RATE.fullmatch(text)) and float(rate[1]) > 0:
        return float(rate[1]) * (1e12 if rate[2].casefold() == "tb/s" else 1e9)
    raise InputError(
        N_("“{text}” promises no bandwidth: choose a card, or write channels and modules such as 2 x DDR5-5600, or a rate such as 448 GB/s"),
        text=text[:40],
    )


def with_promise(record: Record | None, text: str, chips: Mapping[str, Accelerator]) -> Record | None:
    """`record` with the rate that the reader says its memory should have."""
    rate = bytes_per_s(text, chips)
    return replace(record, theoretical_bytes_per_s=rate, theoretical_source=READER) if record is not None and rate else record
