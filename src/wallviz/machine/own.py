"""A reader's own machine as a chip: what a measurement found, small enough to travel in the link of every page.

The text is ``own.`` and base64url of a JSON list; it comes from an address, so it is hostile until `read` has parsed it.
"""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any

from wallviz.engine.hardware import Accelerator, MemoryLevel
from wallviz.engine.hierarchy.ladder import Machine
from wallviz.engine.hierarchy.machines import ONE_THREAD
from wallviz.errors import InputError
from wallviz.i18n import N_, _, labelled

PREFIX = "own."
NAME_LENGTH = 40
MOST_LEVELS = 6
KINDS = ("cpu", "gpu")
LONGEST = 1500
"""Characters of the text."""
#: What a number may be: from a microcontroller to a thousand racks.
_RANGES = {
    "memory_bytes": (1e6, 1e15), "bytes_per_s": (1e6, 1e17), "fp32_flop_per_s": (1e6, 1e20), "fp16_flop_per_s": (1e6, 1e20),
    "capacity_bytes": (1e3, 1e15), "latency_s": (1e-12, 1.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OwnLevel:
    """One measured level, nearest first; a level without `capacity_bytes` is the memory itself."""

    name: str
    capacity_bytes: float | None
    bytes_per_s: float | None
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class OwnMachine:
    """What a measurement found of one machine; what is not known is None."""

    name: str
    kind: str
    measured: dt.date
    bytes_per_s: float
    """The rate that stands for its memory."""
    memory_bytes: float | None = None
    fp32_flop_per_s: float | None = None
    fp16_flop_per_s: float | None = None
    levels: tuple[OwnLevel, ...] = ()

    @property
    def id(self) -> str:
        """The machine as the chip of a link."""
        fields: list[Any] = [
            self.name[:NAME_LENGTH], self.kind, self.measured.isoformat(), _digits(self.bytes_per_s), _whole(self.memory_bytes),
            _digits(self.fp32_flop_per_s), _digits(self.fp16_flop_per_s),
            [[one.name, _whole(one.capacity_bytes), _digits(one.bytes_per_s), _digits(one.latency_s)] for one in self.levels[:MOST_LEVELS]],
        ]  # fmt: skip
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return PREFIX + urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @property
    def chip(self) -> Accelerator:
        """The machine as an accelerator: its measured rate is the bandwidth of its roof."""
        return Accelerator(
            self.id, self.name, "", self.kind, self.measured,
            memory_bytes=self.memory_bytes, memory_bytes_per_s=self.bytes_per_s, fp32_flop_per_s=self.fp32_flop_per_s,
            fp16_flop_per_s=self.fp16_flop_per_s, notes=N_("Your machine: its bandwidth was measured, not promised."),
        )  # fmt: skip

    @property
    def machine(self) -> Machine:
        """The machine as one that has a ladder, of its `memory_levels`."""
        return Machine(self.id, labelled(_("your machine"), self.name), (self.name,), note=ONE_THREAD if self.kind == "cpu" else "")

    def memory_levels(self) -> tuple[MemoryLevel, ...]:
        """Its levels as rows of the table of levels."""
        return tuple(
            MemoryLevel(
                f"{self.id}/{number}", self.name, one.name, "on chip" if one.capacity_bytes else _MEMORY[self.kind], chip=self.id,
                capacity_bytes=one.capacity_bytes or self.memory_bytes, bytes_per_s=one.bytes_per_s, latency_s=one.latency_s, kind="measured",
                latency_kind="measured" if one.latency_s else "",
            )
            for number, one in enumerate(self.levels)
        )  # fmt: skip


_MEMORY = {"cpu": "host memory", "gpu": "device memory"}


def is_own(id: str) -> bool:
    """Whether `id` holds a machine rather than naming a chip of the catalogue."""
    return id.startswith(PREFIX)


@lru_cache(maxsize=256)
def read(text: str) -> OwnMachine:
    """The machine in `text`, whoever wrote it; raises InputError, one sentence, for anything that `OwnMachine.id` does not write.

    >>> mine = OwnMachine("Ryzen 7", "cpu", dt.date(2026, 11, 25), 41e9, 32e9, levels=(OwnLevel("L1", 32768.0, 2e11),))
    >>> read(mine.id) == mine
    True
    """
    try:
        if not is_own(text) or len(text) > LONGEST:
            raise ValueError
        packed = text.removeprefix(PREFIX)
        fields = json.loads(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), parse_constant=_refuse)
        name, kind, measured, rate, memory, fp32, fp16, levels = fields
        if kind not in KINDS or not isinstance(levels, list) or len(levels) > MOST_LEVELS:
            raise ValueError
        bytes_per_s = _number(rate, "bytes_per_s")
        if bytes_per_s is None:
            raise ValueError
        return OwnMachine(
            _name(name), kind, dt.date.fromisoformat(measured), bytes_per_s, _number(memory, "memory_bytes"), _number(fp32, "fp32_flop_per_s"),
            _number(fp16, "fp16_flop_per_s"), tuple(_level(one) for one in levels),
        )  # fmt: skip
    except (ValueError, TypeError, RecursionError):
        raise InputError(N_("The link's own machine cannot be read: measure it again, or open its record on the page Your machine.")) from None


def _level(given: Sequence[Any]) -> OwnLevel:
    name, capacity, rate, latency = given
    return OwnLevel(_name(name), _number(capacity, "capacity_bytes"), _number(rate, "bytes_per_s"), _number(latency, "latency_s"))


def _name(given: Any) -> str:
    """A short plain text: no markup, no control or direction characters."""
    if not isinstance(given, str) or not 0 < len(given.strip()) <= NAME_LENGTH:
        raise ValueError
    if any(unicodedata.category(char)[0] == "C" or char in "<>`$[]|\\" for char in given):
        raise ValueError
    return given


def _number(given: Any, name: str) -> float | None:
    low, high = _RANGES[name]
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not isfinite(given) or not low <= given <= high:
        raise ValueError
    return float(given)


def _digits(value: float | None) -> float | int | None:
    """Four digits: more is noise, and makes the link long."""
    rounded = None if value is None else float(f"{value:.4g}")
    return int(rounded) if rounded is not None and rounded >= 1.0 else rounded


def _whole(value: float | None) -> int | None:
    """Bytes are whole, every digit of them."""
    return None if value is None else int(value)


def _refuse(name: str) -> float:
    raise ValueError(name)
