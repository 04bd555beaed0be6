"""Where the memory wall got its name: the average access time of a cache in front of a DRAM that falls behind (Wulf and McKee 1995).

Wm. A. Wulf and Sally A. McKee, Hitting the Memory Wall: Implications of the Obvious, ACM SIGARCH Computer Architecture News 23(1), 1995.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from wallviz.engine.memory.terms import Quantity
from wallviz.errors import InputError
from wallviz.i18n import N_


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the paper assumes, in 1995: each is the reader's to move."""

    miss_rate: float = 0.01
    """1 - p: compulsory misses of a perfect cache, "1 % or less"."""
    processor_growth: float = 0.80
    """Processors get faster by 80 % a year (Baskett's estimate)."""
    dram_growth: float = 0.07
    """DRAM gets faster by 7 % a year (Hennessy and Patterson)."""
    miss_cycles: float = 4.0
    """A miss takes 4 cycles in `first_year`, a hit always 1."""
    instructions_per_access: float = 5.0
    """Every 5th instruction touches memory: 20 % do at least."""
    first_year: float = 1995.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("miss rate", self.miss_rate, 0.0, 1.0),
            ("processor growth", self.processor_growth, -0.99, 10.0),
            ("DRAM growth", self.dram_growth, -0.99, 10.0),
            ("cost of a miss", self.miss_cycles, 1.0, 1e6),
            ("instructions per access", self.instructions_per_access, 1.0, 1e6),
        ):
            if not low <= value <= high:
                raise InputError(N_("The {name} must be from {low} to {high}: got {value}."), name=name, low=low, high=high, value=value)


WULF_MCKEE_1995 = Assumptions()


def average_access(p: Quantity, t_c: Quantity, t_m: Quantity) -> Quantity:
    """t_avg = p·t_c + (1 - p)·t_m: a hit rate `p`, the access times of cache and memory in one unit (the paper's first equation).

    >>> round(average_access(0.99, 1.0, 4.0), 2)
    1.03
    """
    return p * t_c + (1.0 - p) * t_m


def memory_cycles(year: Quantity, given: Assumptions = WULF_MCKEE_1995) -> Quantity:
    """t_m in cycles: miss_cycles · ((1 + processor growth) / (1 + DRAM growth)) ** (year - first_year)."""
    return given.miss_cycles * ((1.0 + given.processor_growth) / (1.0 + given.dram_growth)) ** (year - given.first_year)


def average_cycles(year: Quantity, given: Assumptions = WULF_MCKEE_1995) -> Quantity:
    """Cycles of an average access in `year`, t_c being one cycle.

    The paper prints 1.52 in 2000, 8.25 in 2005 and 98.8 in 2010 (the first is cut, not rounded: 1.529):

    >>> [round(average_cycles(year), 2) for year in (2000, 2005, 2010)]
    [1.53, 8.25, 98.8]
    """
    return average_access(1.0 - given.miss_rate, 1.0, memory_cycles(year, given))


def wall_year(given: Assumptions = WULF_MCKEE_1995) -> float | None:
    """The year in which an average access takes as long as the instructions between two accesses; None where that never comes.

    From there on memory alone sets the pace. The paper: "less than a decade away".

    >>> round(wall_year(), 1)
    2003.9
    """
    if given.miss_rate <= 0:
        return None
    needed = (given.instructions_per_access - (1.0 - given.miss_rate)) / given.miss_rate
    growth = (1.0 + given.processor_growth) / (1.0 + given.dram_growth)
    if needed <= given.miss_cycles:
        return given.first_year
    if growth <= 1.0:
        return None
    return given.first_year + log(needed / given.miss_cycles) / log(growth)


def implied_growth(cycles: float, year: float, given: Assumptions = WULF_MCKEE_1995) -> float:
    """By how much the cost of a miss really grew a year, if it takes `cycles` hits in `year`: (cycles / miss_cycles) ** (1 / years) - 1.

    A memory access of 100 L1 hits in 2020:

    >>> round(implied_growth(100.0, 2020.0), 3)
    0.137
    """
    return float((cycles / given.miss_cycles) ** (1.0 / (year - given.first_year)) - 1.0)
