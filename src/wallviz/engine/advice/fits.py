"""What fits: the need with its error band above it is within the capacity. Everything that says "fits" asks here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wallviz.engine.memory.peak import train
from wallviz.engine.memory.serve import infer
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.remedies.setup import Setup, outcome, serving_parts, training_parts

#: What an estimate says about running out of memory.
VERDICTS = ("no", "likely", "yes", "unknown")
#: Host memory that a GPU may take of its node: 2 TB beside eight H100 (DGX H100 user guide, hardware overview).
HOST_BYTES = 256e9


def holds(need_bytes: Quantity, band: float, capacity_bytes: float) -> Any:
    """Whether `capacity_bytes` surely hold what is needed, `band` more included: for arrays an array.

    >>> bool(holds(77.0, 0.03, 80.0)), bool(holds(78.0, 0.03, 80.0))
    (True, False)
    """
    return np.asarray(need_bytes) * (1.0 + band) <= capacity_bytes


def verdict(need_bytes: float, band: float, capacity_bytes: float | None) -> str:
    """Will `need_bytes`, `band` more or less, run out of the memory: ``no``, ``yes``, ``likely`` in between; ``unknown`` where its size is.

    >>> [verdict(need, 0.03, 80.0) for need in (77.0, 78.0, 82.0, 83.0)]
    ['no', 'likely', 'likely', 'yes']
    """
    if capacity_bytes is None:
        return "unknown"
    if holds(need_bytes, band, capacity_bytes):
        return "no"
    return "likely" if need_bytes * (1.0 - band) <= capacity_bytes else "yes"


@dataclass(frozen=True, slots=True)
class Needs:
    """What one GPU needs for a setup at its peak."""

    bytes: float
    band: float
    """Relative error to expect."""
    parts: Mapping[str, float]
    """The same by part."""
    host_bytes: float
    """Host memory that offloading takes for one GPU."""


@lru_cache(maxsize=4096)
def needs(setup: Setup) -> Needs:
    """The bytes of `setup`, without a time. Raises InputError for what cannot run."""
    if setup.host_weights or setup.draft is not None:  # known to the outcome alone
        found = outcome(setup)
        host = float(infer(setup.arch, **dict(setup.options)).weights_bytes) if setup.host_weights else 0.0
        return Needs(found.bytes, found.error_band, found.parts, host)
    if setup.serves:
        served = infer(setup.arch, **dict(setup.options))
        return Needs(float(np.max(served.peak_total_bytes)), served.error_band, serving_parts(served), 0.0)
    trained = train(setup.arch, setup.run)
    return Needs(float(trained.peak_total_bytes), trained.error_band, training_parts(trained), float(trained.host_bytes))


def fits(setup: Setup) -> bool:
    """Whether the chip holds `setup`; nothing fits a chip of unknown memory."""
    if setup.chip.memory_bytes is None:
        return False
    found = needs(setup)
    return bool(holds(found.bytes, found.band, setup.chip.memory_bytes))


#: What may differ between setups that are asked at once.
_NUMBERS = ("zero", "micro_batch", "accumulation")


def fit_together(setups: Sequence[Setup]) -> NDArray[np.bool_]:
    """Which of several setups of one chip fit, what is kept in host memory included (`HOST_BYTES`), asked in one call; they differ in their
    ZeRO stage, micro-batch and accumulation alone, or, serving, in batch and context. Raises InputError for what cannot run."""
    first = setups[0]
    if len(setups) == 1 or first.host_weights or first.draft is not None:
        return np.array([fits(setup) and needs(setup).host_bytes <= HOST_BYTES for setup in setups])
    if first.serves:
        asked = dict(first.options) | {name: np.array([setup.option(name, 1) for setup in setups]) for name in ("batch", "context")}
        served = infer(first.arch, **asked)
        need, band, host = served.peak_total_bytes, served.error_band, np.asarray(0.0)
    else:
        trained = train(first.arch, first.run, **{name: np.array([int(getattr(setup.run, name)) for setup in setups]) for name in _NUMBERS})
        need, band, host = trained.peak_total_bytes, trained.error_band, np.asarray(trained.host_bytes)
    return np.broadcast_to(holds(need, band, first.chip.memory_bytes or 0.0) & (host <= HOST_BYTES), (len(setups),))


def largest(fine: Callable[[Any], Any], most: int, step: int = 1) -> int:
    """The largest multiple of `step`, up to `most`, for which `fine` is true of it and all below; 0 where it is of none.

    >>> largest(lambda n: 10.0 * n <= 95.0, 100)
    9
    """
    top = max(1, most // step)
    powers = np.unique(np.minimum(2 ** np.arange(top.bit_length() + 1), top))
    found = np.broadcast_to(fine(powers * step), powers.shape)
    if not found[0]:
        return 0
    if found.all():
        return top * step
    high = int(powers[np.argmin(found)])
    low = int(powers[np.argmin(found) - 1])
    while high - low > 1:
        between = np.unique(np.linspace(low, high, min(1025, high - low + 1)).astype(int))
        found = np.broadcast_to(fine(between * step), between.shape)
        at = len(found) if found.all() else int(np.argmin(found))
        low, high = int(between[at - 1]), int(between[min(at, len(between) - 1)])
        if at == len(between):
            break
    return low * step
