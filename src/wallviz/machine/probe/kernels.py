"""The kernels that every path runs: one declarative table, from which numpy, numba, WGSL and CUDA code is made.

Three arrays a, b, c of n elements and a scalar s. b and c hold hashed values in [1, 2), because constant data can be compressed on the way
and read faster than the memory is; a is written. The counting is STREAM's (McCalpin, "Memory bandwidth and machine balance", 1995): an array
that is read or written counts once, and the line that a CPU reads before it writes it (write-allocate) is counted apart, in `bus_words`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCALAR = 3.0
"""STREAM's s."""
SEEDS = {"b": 1, "c": 2}
"""Seeds of the hash that fills the arrays that are read."""
TOLERANCE = {"f32": 4e-6, "f64": 1e-14}
"""Largest difference between an element and its closed form: results lie below 8, where half a unit in the last place of f32 is 2.4e-7, and a
fused multiply-add rounds once less."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One pass over the arrays: ``a[i] = expression``, or, where `reduces`, ``sum += expression`` with nothing written.

    `expression` names its operands ``{b}``, ``{c}`` and ``{s}``; filled in, it is valid Python on arrays, C, and WGSL.
    """

    name: str
    expression: str
    reduces: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """The arrays that are read, in order."""
        return tuple(name for name in SEEDS if f"{{{name}}}" in self.expression)

    @property
    def words(self) -> int:
        """Elements moved per index, as STREAM counts."""
        return len(self.reads) + (not self.reduces)

    @property
    def bus_words(self) -> int:
        """Elements moved per index when each line written is read first (write-allocate, the rule on CPUs without streaming stores)."""
        return self.words + (not self.reduces)

    def source(self, *, b: str = "b[i]", c: str = "c[i]", s: str = "s") -> str:
        """The right-hand side with these operands.

        >>> KERNELS["triad"].source(b="B[i]", c="C[i]", s="p.s")
        'B[i] + p.s * C[i]'
        """
        return self.expression.format(b=b, c=c, s=s)

    def expected(self, b: Any, c: Any, s: float = SCALAR) -> Any:
        """The closed form: what must stand in `a` (or, where `reduces`, what is added up), given b and c; floats or arrays alike.

        >>> KERNELS["triad"].expected(1.5, 1.25), KERNELS["read"].expected(1.5, 1.25)
        (5.25, 2.25)
        """
        operands: dict[str, Any] = {"b": b, "c": c, "s": s}
        return _value(self.expression, operands)


def _value(expression: str, operands: dict[str, Any]) -> Any:
    """Sums of products of operands, which is all that the table holds."""
    total: Any = 0.0
    for addend in expression.split("+"):
        product: Any = 1.0
        for name in re.findall(r"{(\w)}", addend):
            product = product * operands[name]
        total = total + product
    return total


KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        Kernel("read", "{b} * {b}", reduces=True),  # a sum of squares: np.dot does it at memory speed, np.sum at less than half (PROBE.md)
        Kernel("write", "{s}"),
        Kernel("copy", "{b}"),
        Kernel("scale", "{s} * {b}"),
        Kernel("add", "{b} + {c}"),
        Kernel("triad", "{b} + {s} * {c}"),
    )
}
MEAN_READ = 7 / 3
"""Mean of the squares of values spread evenly over [1, 2): what `read` adds up to per element, within 4 x 0.869 / sqrt(n)."""


def hashed(first: int, n: int, seed: int, precision: str = "f32") -> NDArray[Any]:
    """The values of elements `first` to `first + n` of the array filled with `seed`: in [1, 2), no pattern, never a denormal.

    The hash is PCG-RXS-M-XS of 32 bits (O'Neill, "PCG", HMC-CS-2014-0905) of ``index ^ seed * 0x9E3779B9`` (modulo 2^32; of an index of 64
    bits the upper half is folded in by xor). f32 takes its upper 23 bits as the mantissa, f64 all 32.

    >>> [float(value) for value in hashed(0, 3, 1)]
    [1.5632566213607788, 1.0842448472976685, 1.4113188982009888]
    """
    index = np.arange(first, first + n, dtype=np.uint64)
    folded = (index ^ (index >> np.uint64(32))).astype(np.uint32) ^ np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
    state = folded * np.uint32(747796405) + np.uint32(2891336453)
    word = ((state >> ((state >> np.uint32(28)) + np.uint32(4))) ^ state) * np.uint32(277803737)
    word = (word >> np.uint32(22)) ^ word
    if precision == "f32":
        mantissa: NDArray[np.uint32] = (word >> np.uint32(9)) | np.uint32(0x3F800000)
        return mantissa.view(np.float32)
    values: NDArray[np.float64] = 1.0 + word * 2.0**-32
    return values
