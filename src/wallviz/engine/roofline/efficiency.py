"""How much of the roof is reached: fractions that others measured, by device, engine, precision and distance from the ridge.

Efficiency is data here, not a knob. `predicted` is the only model of it, a median over other devices, and `leave_one_out` says how wrong it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)

#: Within this factor of the ridge a kernel is "at the knee": both limits are near, and the sharp corner is the least true part of the picture.
KNEE = 4.0
#: Shorter kernels than this are not bound by the roof at all: starting one takes several microseconds.
SHORT_S = 5e-5


@dataclass(frozen=True, slots=True)
class MeasuredRate:
    """One measured rate beside the bound of its roofline."""

    case: str
    """Id of the case."""
    device: str
    engine: str
    """What ran: llama.cpp, gpt-fast, cuBLAS ..."""
    what: str
    """What was measured: gemm, decode, prefill, vector, attention."""
    precision: str
    """Format of the weights as the source names it."""
    measured: float
    bound: float
    """In the unit of `measured`; the larger, the faster."""
    intensity: float | None = None
    """FLOP per byte, where it is known."""
    ridge: float | None = None
    peak_flop_per_s: float | None = None
    time_s: float | None = None
    """The bound as a time, where one kernel was measured."""
    memory: str = ""
    """Family of the device's memory: HBM, GDDR, LPDDR."""
    label: str = ""
    """What tells it from its neighbours: the shape, the model."""
    source: str = ""

    @property
    def fraction(self) -> float:
        """Measured over bound."""
        return self.measured / self.bound

    @property
    def zone(self) -> str:
        """Where it stands: ``bandwidth`` or ``compute``, ``knee`` within a factor of 4 of the ridge, ``short`` where a kernel is over at once."""
        if self.time_s is not None and self.time_s < SHORT_S:
            return "short"
        if self.intensity is None or self.ridge is None:
            return "bandwidth" if self.what in ("decode", "vector") else "compute"
        if self.intensity < self.ridge / KNEE:
            return "bandwidth"
        return "compute" if self.intensity > self.ridge * KNEE else "knee"


@dataclass(frozen=True, slots=True)
class Spread:
    """Fractions of a group."""

    median: float
    low: float
    high: float
    n: int


def spread(fractions: Iterable[float]) -> Spread:
    """Median, smallest and largest.

    >>> spread([0.8, 0.6, 0.7])
    Spread(median=0.7, low=0.6, high=0.8, n=3)
    """
    found = sorted(fractions)
    return Spread(median(found), found[0], found[-1], len(found))


def by(measurements: Iterable[MeasuredRate], key: Callable[[MeasuredRate], Key]) -> dict[Key, Spread]:
    """The spread of each group, in the order in which groups come."""
    groups: dict[Key, list[float]] = defaultdict(list)
    for one in measurements:
        groups[key(one)].append(one.fraction)
    return {name: spread(found) for name, found in groups.items()}


def predicted(one: MeasuredRate, others: Iterable[MeasuredRate]) -> float | None:
    """Fraction to expect of `one`: the median of `others` with the same work, zone, engine, precision and family of memory; if there are none,
    without the memory, then without the precision, then without the engine; None where nobody measured such work."""
    pool = [other for other in others if other.what == one.what and other.zone == one.zone]
    alike = [o for o in pool if o.engine == one.engine and o.precision == one.precision]
    for same in (
        [o for o in alike if o.memory == one.memory],
        alike,
        [o for o in pool if o.engine == one.engine],
        pool,
    ):
        if same:
            return median(o.fraction for o in same)
    return None


@dataclass(frozen=True, slots=True)
class Validation:
    """How far `predicted` is off on devices that it has not seen."""

    median_error: float
    """Median of |predicted / measured - 1|."""
    p90_error: float
    worst_error: float
    n: int
    devices: int


def leave_one_out(measurements: Iterable[MeasuredRate]) -> Validation | None:
    """Every device predicted from all others; None where there are fewer than two devices.

    >>> rows = [MeasuredRate(str(i), d, "e", "gemm", "fp16", m, 1.0) for i, (d, m) in enumerate([("a", 0.8), ("b", 0.4), ("c", 0.8)])]
    >>> found = leave_one_out(rows)
    >>> round(found.median_error, 2), found.worst_error, found.devices
    (0.25, 1.0, 3)
    """
    found = list(measurements)
    devices = {one.device for one in found}
    errors = []
    for device in devices:
        others = [one for one in found if one.device != device]
        for one in found:
            if one.device == device:
                guess = predicted(one, others)
                if guess is not None:
                    errors.append(abs(guess / one.fraction - 1.0))
    if len(devices) < 2 or not errors:
        return None
    errors.sort()
    return Validation(median(errors), errors[min(len(errors) - 1, int(0.9 * len(errors)))], errors[-1], len(errors), len(devices))
