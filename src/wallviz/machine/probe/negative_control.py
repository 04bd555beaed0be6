"""Whether a GPU's kernels do what they say: a pass gives the closed form everywhere, and its check catches one damaged value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wallviz.machine.probe.kernels import TOLERANCE, Kernel

DAMAGE = 2.0**-16
"""What is added to one element: the smallest power of two that is clearly above the tolerance of f32."""
READ_DAMAGE = 2.0**-4
"""The same for a sum, whose tolerance grows with its length; it is added to one element of `b`."""


class Gpu(Protocol):
    """Arrays that can be changed from outside of the kernels."""

    def clear(self, name: str) -> None:
        """Sets an array to zero, which no kernel writes."""

    def damage(self, name: str, place: int, amount: float) -> None:
        """Adds `amount` to the f32 at `place` of an array."""

    def refill(self) -> None:
        """Gives `b` its values again."""


def stands(gpu: Gpu, kernel: Kernel, vectors: int, wrong: Callable[[int | None], int]) -> bool:
    """Whether a pass of `kernel` over so many `vectors` stands.

    `wrong` makes a pass and counts the vectors, or the sums, that differ; given the place of an f32 in `a`, it adds `DAMAGE` there before the check.
    """
    place = 4 * (vectors * 2 // 3) + 1
    gpu.clear("a")
    if kernel.reduces:
        return _sees(gpu, lambda: wrong(None), place, READ_DAMAGE, 1)
    return wrong(None) == 0 and wrong(place) == 1


def covers(gpu: Gpu, wrong: Callable[[], int], block_bytes: int, blocks: int, walkers: int, loops: int) -> bool:
    """Whether a round of the walk reads all `blocks` of a working set: the sums stand, and one damaged value is seen by the walkers that come by
    it (one, unless there are more of them than blocks) and no other."""
    middle = blocks * 2 // 3
    by = len({place % walkers for place in range(middle, walkers * loops, blocks)})
    return _sees(gpu, wrong, middle * block_bytes // 4 + 1, max(READ_DAMAGE, 4 * TOLERANCE["f32"] * loops), by)


def _sees(gpu: Gpu, wrong: Callable[[], int], place: int, amount: float, by: int) -> bool:
    """Whether nothing is wrong, and so many sums are once one element of `b` is damaged."""
    if wrong():
        return False
    gpu.damage("b", place, amount)
    caught = wrong() == by
    gpu.refill()
    return caught
