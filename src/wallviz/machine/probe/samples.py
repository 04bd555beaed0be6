"""From the times of repeated passes to one figure: best without the first, beside the median, the quartiles and their number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wallviz.machine.record import Measured


def measured(seconds: Sequence[float], moved_bytes: float, *, valid: bool | None = True, bus_bytes: float | None = None) -> Measured:
    """The rate of passes that took `seconds` each and moved `moved_bytes` each; the first is left out, as STREAM does, where there are others.

    What is not valid has no figure. `bus_bytes` are those that crossed the bus, write-allocate included.

    >>> found = measured([9.0, 1.0, 2.0, 4.0], 8.0)
    >>> found.best_bytes_per_s, found.median_bytes_per_s, found.iqr, found.samples
    (8.0, 4.0, 3.0, 3)
    """
    if valid is False:
        return Measured.invalid()
    rates = moved_bytes / np.asarray(seconds[1:] or seconds, dtype=float)
    low, middle, high = (float(value) for value in np.percentile(rates, (25, 50, 75)))
    best = float(rates.max())
    return Measured(best, middle, high - low, rates.size, valid, best * bus_bytes / moved_bytes if bus_bytes else None)


def bimodal(seconds: Sequence[float], *, apart: float = 1.25, least: float = 0.2) -> bool:
    """Whether the passes sat in two modes: the widest gap between neighbours splits them into two groups, each at least `least` of all, whose
    medians lie a factor `apart` from each other and farther than each group is wide.

    >>> bimodal([1.0, 1.01, 1.02, 1.9, 1.91, 1.92]), bimodal([1.0, 1.02, 1.04, 1.06, 1.08, 1.1])
    (True, False)
    """
    ordered = np.sort(np.asarray(seconds[1:], dtype=float))
    if ordered.size < 5:
        return False
    split = int(np.argmax(np.diff(ordered))) + 1
    fast, slow = ordered[:split], ordered[split:]
    if min(fast.size, slow.size) < least * ordered.size:
        return False
    between = float(np.median(slow) - np.median(fast))
    return bool(np.median(slow) >= apart * np.median(fast) and between > max(np.ptp(fast), np.ptp(slow)))
