"""The roof of a chip: its peak at a precision, its bandwidth, the ridge between them (Williams, Waterman and Patterson 2009).

An operation of F FLOP that moves Q bytes takes at least max(F / peak, Q / bandwidth); below peak / bandwidth FLOP per byte, the ridge, memory
sets the pace.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wallviz import checks
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.terms import Quantity, plain
from wallviz.errors import InputError
from wallviz.i18n import N_

COMPUTE, BANDWIDTH = "compute", "bandwidth"
ACCUMULATE = ("fp32", "fp16")


@dataclass(frozen=True, slots=True)
class Roof:
    """What a chip offers to one precision."""

    precision: str
    """The precision that was asked for."""
    peak_flop_per_s: float
    """Dense peak, FLOP/s (operations per second in int8)."""
    bytes_per_s: float
    """Bandwidth of the memory, or of the level."""
    note: str = ""
    """Where another peak stands in for one that the chip does not have: a sentence marked for translation."""

    @property
    def ridge(self) -> float:
        """FLOP per byte at which both limits meet."""
        return self.peak_flop_per_s / self.bytes_per_s

    def time_s(self, flop: Quantity, bytes: Quantity) -> Quantity:
        """The shortest time, seconds: max(FLOP / peak, bytes / bandwidth).

        [64, 4096] x [4096, 8192] in 16 bits on a B200: 8.6 us (Austin et al., How to Scale Your Model, chapter "GPUs", question 4).

        >>> from wallviz.engine.work import matmul
        >>> op = matmul(64, 4096, 8192)
        >>> round(Roof("fp16", 2250e12, 8e12).time_s(op.flop, op.bytes) * 1e6, 1)
        8.6
        """
        return time_s(flop, bytes, self.peak_flop_per_s, self.bytes_per_s)

    def attainable(self, intensity: Quantity) -> Quantity:
        """FLOP/s under the roof at an arithmetic intensity: min(peak, bandwidth x intensity)."""
        return plain(np.minimum(self.peak_flop_per_s, self.bytes_per_s * np.asarray(intensity, float)))

    def bound(self, flop: Quantity, bytes: Quantity) -> str | NDArray[np.str_]:
        """``compute`` where arithmetic takes longer than moving the bytes, else ``bandwidth``."""
        return word(np.asarray(flop) / self.peak_flop_per_s > np.asarray(bytes) / self.bytes_per_s)


def time_s(flop: Quantity, bytes: Quantity, flop_per_s: Quantity, bytes_per_s: Quantity) -> Quantity:
    """The longer of arithmetic and moving bytes, each at its rate."""
    return plain(np.maximum(np.asarray(flop) / flop_per_s, np.asarray(bytes) / bytes_per_s))


def word(compute: NDArray[np.bool_] | np.bool_) -> str | NDArray[np.str_]:
    """Which of the two limits, in words; an array for an array."""
    if np.ndim(compute) == 0:
        return COMPUTE if compute else BANDWIDTH
    return np.where(compute, COMPUTE, BANDWIDTH)


def roof(chip: Accelerator, precision: str = "bf16", *, accumulate: str = "fp32", bytes_per_s: float | None = None) -> Roof:
    """The roof of `chip` at `precision`; dense rates only. `bytes_per_s` puts another level's bandwidth under it.

    GeForce cards quote their tensor rates with 16-bit accumulation: accumulating in 32 bits, as training and every common library do, runs
    at half of that (16 bits and FP8). A precision that a chip has no units for runs at its 16-bit peak, 16 bits at its fp32 peak; `note` says so.

    >>> from datetime import date
    >>> h100 = Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), fp16_flop_per_s=989.4e12, memory_bytes_per_s=3.35e12)
    >>> round(roof(h100).ridge)
    295
    >>> geforce = Accelerator("4090", "RTX 4090", "NVIDIA", "gpu", date(2022, 9, 20), memory_bytes_per_s=1008e9, fp16_flop_per_s=330.3e12,
    ...     fp16_accumulate=True)
    >>> round(roof(geforce).ridge), round(roof(geforce, accumulate="fp16").ridge)
    (164, 328)

    Raises InputError where no source gives the chip's bandwidth, or any peak that could stand in.
    """
    checks.one_of("accumulate", accumulate, ACCUMULATE)
    if bytes_per_s is not None:
        checks.single("bytes_per_s", bytes_per_s)
        checks.above_zero("bytes_per_s", bytes_per_s)
    bandwidth = chip.memory_bytes_per_s if bytes_per_s is None else bytes_per_s
    peak, note = _peak(chip, str(precision).lower(), accumulate)
    checks.single("memory_bytes_per_s", bandwidth)
    if not peak or not bandwidth:
        raise InputError(N_("No source gives the bandwidth and the 16-bit peak of {chip}: choose another chip."), chip=chip.name)
    checks.above_zero("flop_per_s", peak)
    checks.above_zero("memory_bytes_per_s", bandwidth)
    return Roof(precision, peak, bandwidth, note)


def ridges(chip: Accelerator, *, accumulate: str = "fp32", bytes_per_s: float | None = None) -> dict[str, float]:
    """The ridge at every precision that the chip lists a peak for, against its memory or, with `bytes_per_s`, another level.

    >>> from datetime import date
    >>> rates = {"fp16_flop_per_s": 989.4e12, "fp8_flop_per_s": 1979e12, "memory_bytes_per_s": 3.35e12}
    >>> h100 = Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), **rates)
    >>> {precision: round(ridge) for precision, ridge in ridges(h100).items()}
    {'bf16': 295, 'fp8': 591}
    """
    bandwidth = chip.memory_bytes_per_s if bytes_per_s is None else bytes_per_s
    listed = [precision for precision in ("fp32", "tf32", "bf16", "fp8", "int8", "fp4") if chip.peak(precision)]
    return {p: roof(chip, p, accumulate=accumulate, bytes_per_s=bandwidth).ridge for p in listed} if bandwidth else {}


def _peak(chip: Accelerator, precision: str, accumulate: str) -> tuple[float | None, str]:
    own = chip.peak(precision, accumulate=accumulate)
    if own:
        halved = own != chip.peak(precision, accumulate="fp16")
        return own, N_("Peak halved: this card's tensor rate accumulates in 16 bits.") if halved else ""
    if precision in ("fp16", "bf16"):
        return chip.fp32_flop_per_s, N_("No 16-bit matrix rate is listed for this chip: its fp32 peak stands in.")
    sixteen, _note = _peak(chip, "bf16", accumulate)
    note = N_("This chip lists no peak for these numbers: its 16-bit peak stands in.")
    return sixteen, "" if precision == "fp32" else note


def own_chip(peak_flop_per_s: float, memory_bytes_per_s: float, memory_bytes: float | None = None, *, name: str = "own chip") -> Accelerator:
    """A chip by its numbers alone: 16-bit peak in FLOP/s, bandwidth in bytes per second, capacity in bytes.

    >>> round(roof(own_chip(197e12, 820e9)).ridge)  # TPU v5e in How to Scale Your Model
    240

    Raises InputError for anything but positive numbers.
    """
    given = {"peak_flop_per_s": peak_flop_per_s, "memory_bytes_per_s": memory_bytes_per_s, "memory_bytes": memory_bytes}
    for field, value in given.items():
        if value is not None or field != "memory_bytes":
            checks.single(field, value)
            checks.above_zero(field, value)
    return Accelerator(
        "own", name, "", "accelerator", dt.date.min, fp16_flop_per_s=peak_flop_per_s, memory_bytes_per_s=memory_bytes_per_s, memory_bytes=memory_bytes
    )
