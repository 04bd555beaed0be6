"""What a setup needs, which setups a chip holds, and the largest number that it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wallviz.engine.memory.capacity import HOST_BYTES, holds
from wallviz.engine.memory.peak import train
from wallviz.engine.memory.serve import infer
from wallviz.engine.remedies.setup import Setup, outcome, serving_parts, training_parts


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
