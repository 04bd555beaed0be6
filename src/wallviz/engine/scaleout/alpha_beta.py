"""A start-up time and a rate fitted to a measured sweep of one collective (Hockney 1994), and by how much the pair misses every point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wallviz.engine.scaleout.collectives import bus_factor
from wallviz.errors import InputError
from wallviz.i18n import N_


@dataclass(frozen=True, slots=True)
class AlphaBeta:
    """t = alpha + bytes on the wire / beta, beside the points that it was fitted to."""

    alpha_s: float
    """Start-up time of the whole collective: its steps together."""
    beta_bytes_per_s: float
    """Bus bandwidth that it would reach with endless messages."""
    factor: float
    """Bytes on the wire over the size of the message."""
    sizes_bytes: tuple[float, ...]
    measured_s: tuple[float, ...]

    def seconds(self, size_bytes: ArrayLike) -> NDArray[np.float64]:
        """What the pair says for messages of `size_bytes`."""
        return np.asarray(self.alpha_s + self.factor * np.asarray(size_bytes, float) / self.beta_bytes_per_s)

    @property
    def misses(self) -> tuple[float, ...]:
        """Predicted over measured, less one, of every point."""
        return tuple((self.seconds(self.sizes_bytes) / np.asarray(self.measured_s) - 1.0).tolist())

    @property
    def worst(self) -> float:
        """The largest miss, without its sign."""
        return max(map(abs, self.misses))

    @property
    def mean(self) -> float:
        """The mean miss, without its sign."""
        return float(np.mean(np.abs(self.misses)))

    @property
    def half_bytes(self) -> float:
        """The message that reaches half of `beta`: as long on its way as it takes to start."""
        return self.alpha_s * self.beta_bytes_per_s / self.factor


def fit(sizes_bytes: Sequence[float], seconds: Sequence[float], n: int, collective: str = "all-reduce") -> AlphaBeta:
    """The pair with the least sum of squared relative misses; raises InputError for fewer than three points.

    Relative, because a sweep spans six factors of ten: absolute misses would be those of the largest message alone, and alpha would come out
    anywhere. Relative least squares is linear in alpha and 1/beta: each equation is divided by its measured time. Neither may be negative.

    >>> found = fit([1e3, 1e6, 1e9], [10e-6, 14.375e-6, 4385e-6], 8)
    >>> round(found.alpha_s * 1e6, 1), round(found.beta_bytes_per_s / 1e9)
    (10.0, 400)
    """
    size, time = np.asarray(sizes_bytes, float), np.asarray(seconds, float)
    if size.shape != time.shape or size.size < 3 or not (np.all(size > 0) and np.all(time > 0)):
        raise InputError(N_("A fit needs three points or more, each with a size and a time above 0: give more points."))
    factor = float(bus_factor(collective, n))
    wire = factor * size
    design = np.stack([1.0 / time, wire / time], axis=1)
    alpha, slope = np.linalg.lstsq(design, np.ones_like(time), rcond=None)[0]
    if alpha < 0 or slope <= 0:  # the nearest pair on the edge of what can be: no start-up time
        alpha, slope = 0.0, float(np.sum(wire / time) / np.sum((wire / time) ** 2))
    return AlphaBeta(float(alpha), float(1.0 / slope), factor, tuple(size.tolist()), tuple(time.tolist()))
