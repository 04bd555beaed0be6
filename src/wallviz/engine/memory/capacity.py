"""Whether a memory holds what is needed: the need with its error band above it is within the capacity. Everything that says "fits" asks here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np

from wallviz.engine.memory.terms import Quantity

#: Host memory that a GPU may take of its node: 2 TB beside eight H100 (DGX H100 user guide, hardware overview).
HOST_BYTES = 256e9


class Verdict(StrEnum):
    """Whether something runs out of memory; its value is what JSON says."""

    NO = "no"
    LIKELY = "likely"
    YES = "yes"
    UNKNOWN = "unknown"

    @property
    def fits(self) -> bool | None:
        """It surely fits; None where the size of the memory is not known."""
        return None if self is Verdict.UNKNOWN else self is Verdict.NO

    @property
    def doubtful(self) -> bool:
        """It runs out of memory, or may."""
        return self in (Verdict.LIKELY, Verdict.YES)


def holds(need_bytes: Quantity, band: float, capacity_bytes: float) -> Any:
    """Whether `capacity_bytes` surely hold what is needed, `band` more included: for arrays an array.

    >>> bool(holds(77.0, 0.03, 80.0)), bool(holds(78.0, 0.03, 80.0))
    (True, False)
    """
    return np.asarray(need_bytes) * (1.0 + band) <= capacity_bytes


def headroom_bytes(need_bytes: float, band: float, capacity_bytes: float) -> float:
    """What is left at the upper end of the error band; negative where it does not surely fit.

    >>> headroom_bytes(50.0, 0.5, 80.0)
    5.0
    """
    return capacity_bytes - need_bytes * (1.0 + band)


def verdict(need_bytes: float, band: float, capacity_bytes: float | None) -> Verdict:
    """Will `need_bytes`, `band` more or less, run out of the memory: no, yes, likely in between; unknown where its size is.

    >>> [verdict(need, 0.03, 80.0).value for need in (77.0, 78.0, 82.0, 83.0)]
    ['no', 'likely', 'likely', 'yes']
    """
    if capacity_bytes is None:
        return Verdict.UNKNOWN
    if holds(need_bytes, band, capacity_bytes):
        return Verdict.NO
    return Verdict.LIKELY if need_bytes * (1.0 - band) <= capacity_bytes else Verdict.YES
