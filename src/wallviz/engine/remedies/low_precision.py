"""What a number format can hold, and how many gradients fall through it.

A format of e exponent bits and m mantissa bits spans from its smallest subnormal 2^(1 - bias - m) to its largest value; below half of that
subnormal a value is rounded to zero. Gradients are taken to be log-normal, a model of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, log2, sqrt

import numpy as np

from wallviz.engine.memory.terms import Quantity, plain


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format."""

    name: str
    exponent_bits: int
    mantissa_bits: int
    has_infinity: bool = True
    """The largest exponent is taken by infinities and NaN; without, all of it but one pattern counts (E4M3), or all of it (E2M1)."""
    has_nan: bool = True
    source: str = ""

    @property
    def bias(self) -> int:
        """2^(e-1) - 1."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def largest(self) -> float:
        """The largest finite value.

        >>> FORMATS["fp16"].largest, FORMATS["e4m3"].largest, FORMATS["e5m2"].largest, FORMATS["e2m1"].largest
        (65504.0, 448.0, 57344.0, 6.0)
        """
        top = (1 << self.exponent_bits) - 1 - self.bias - self.has_infinity
        lost = 2.0 if self.has_nan and not self.has_infinity else 1.0
        return float((2.0 - lost * 2.0**-self.mantissa_bits) * 2.0**top)

    @property
    def smallest_normal(self) -> float:
        """The smallest value with all mantissa bits.

        >>> FORMATS["fp16"].smallest_normal == 2**-14, FORMATS["e4m3"].smallest_normal == 2**-6
        (True, True)
        """
        return float(2.0 ** (1 - self.bias))

    @property
    def smallest(self) -> float:
        """The smallest value above zero, a subnormal.

        >>> [FORMATS[name].smallest == 2.0**n for name, n in (("fp16", -24), ("bf16", -133), ("e4m3", -9), ("e5m2", -16))]
        [True, True, True, True]
        """
        return float(self.smallest_normal * 2.0**-self.mantissa_bits)

    @property
    def powers_of_two(self) -> float:
        """How many factors of two lie between the smallest and the largest value.

        >>> round(FORMATS["fp16"].powers_of_two), round(FORMATS["e4m3"].powers_of_two, 1)
        (40, 17.8)
        """
        return float(np.log2(self.largest) - np.log2(self.smallest))


_OCP = "arXiv 2209.05433, table 1; OCP 8-bit Floating Point Specification"
FORMATS: dict[str, FloatFormat] = {
    "fp32": FloatFormat("FP32", 8, 23, source="IEEE 754"),
    "bf16": FloatFormat("BF16", 8, 7, source="IEEE 754 with 8 exponent bits"),
    "fp16": FloatFormat("FP16", 5, 10, source="IEEE 754"),
    "e5m2": FloatFormat("FP8 E5M2", 5, 2, source=_OCP),
    "e4m3": FloatFormat("FP8 E4M3", 4, 3, has_infinity=False, source=_OCP),
    "e2m1": FloatFormat("FP4 E2M1", 2, 1, has_infinity=False, has_nan=False, source="OCP Microscaling Formats (MX) v1.0, section 5.3.3"),
}


_erf = np.frompyfunc(erf, 1, 1)


def share_below(limit: Quantity, median: Quantity, spread: Quantity) -> Quantity:
    """Share of log-normal values below `limit`: Φ(log2(limit/median)/spread), `spread` being one standard deviation in factors of two.

    >>> share_below(2.0**-24, 2.0**-24, 4.0), round(share_below(2.0**-24, 2.0**-20, 4.0), 3)
    (0.5, 0.159)
    """
    z = (np.log2(limit) - np.log2(median)) / np.asarray(spread, float)
    return plain(0.5 * (1.0 + np.asarray(_erf(z / sqrt(2.0)), float)))


def underflow(format: FloatFormat, median: Quantity, spread: Quantity, scale: Quantity = 1.0) -> Quantity:
    """Share of gradients below the smallest value of `format` after multiplying the loss, and so each of them, by `scale` (arXiv 1710.03740, 3.2).

    >>> fp16 = FORMATS["fp16"]
    >>> [round(underflow(fp16, 2.0**-22, 4.0, scale), 3) for scale in (1, 2**10, 2**15)]
    [0.309, 0.001, 0.0]
    """
    return share_below(format.smallest, np.asarray(median, float) * scale, spread)


def overflow(format: FloatFormat, median: Quantity, spread: Quantity, scale: Quantity = 1.0) -> Quantity:
    """Share of gradients above the largest value of `format` after scaling: infinities, for which the step is skipped.

    >>> round(overflow(FORMATS["fp16"], 2.0**-22, 4.0, 2.0**32), 2)
    0.07
    """
    return plain(1.0 - np.asarray(share_below(format.largest, np.asarray(median, float) * scale, spread)))


def best_scale(format: FloatFormat, median: float, spread: float) -> int:
    """The power of two by which to scale the loss so that the fewest gradients are lost at either end: the exponent.

    In logarithms the fewest are lost where the median stands in the middle of the format's range.

    >>> best_scale(FORMATS["fp16"], 2.0**-22, 4.0)
    18
    """
    return round((log2(format.smallest) + log2(format.largest)) / 2.0 - log2(median))
