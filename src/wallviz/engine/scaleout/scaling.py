"""The same job on more and more chips: with the same batch for all of them (strong scaling), or with the same batch for each (weak scaling)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.run import Run
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.step import TrainingStep, step
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

MOST_GPUS = 1_000_000
"""Beyond this a number of chips is a typing error."""


@dataclass(frozen=True)
class ScalingCurve:
    """Steps on several numbers of chips, ascending."""

    chips: NDArray[np.int64]
    steps: TrainingStep
    """Of arrays as long as `chips`."""

    @property
    def tokens_per_s(self) -> NDArray[np.float64]:
        """All chips together."""
        return np.broadcast_to(self.steps.tokens_per_s, self.chips.shape)

    @property
    def efficiency(self) -> NDArray[np.float64]:
        """Tokens per second and chip over those of a chip that never waits: its step without waiting and bubble, at the first count."""
        alone = np.broadcast_to(self.steps.tokens / self.steps.compute_s / self.chips, self.chips.shape)
        share: NDArray[np.float64] = self.tokens_per_s / self.chips / alone[0]
        return share

    def speedup(self, chips: int, over: int) -> float:
        """How many times as fast `chips` are as `over` of them; both must be on the curve."""
        at = dict(zip(self.chips.tolist(), self.tokens_per_s.tolist(), strict=True))
        return float(at[chips] / at[over])

    def at(self, chips: int) -> int:
        """The place of `chips` on the curve; -1 where it is not on it."""
        found = np.flatnonzero(self.chips == chips)
        return int(found[0]) if len(found) else -1


def unit(run: Run) -> int:
    """Chips that hold one copy of the model as `run` splits it: t·p·c."""
    return int(run.tensor_parallel * run.pipeline_parallel * run.context_parallel)


def counts(run: Run, most: int, *also: int) -> NDArray[np.int64]:
    """Powers of two up to `most` and the numbers `also`, those that `run` can be copied over.

    >>> counts(Run(tensor_parallel=4), 64, 24).tolist()
    [4, 8, 16, 24, 32, 64]
    """
    each = unit(run)
    found = np.unique([*(2 ** np.arange(int(most).bit_length())), *(each * 2 ** np.arange(max(1, int(most // each).bit_length()))), *also])
    ranks = found // each
    fits = (found % each == 0) & (found >= each) & (found <= max(most, *also, each)) & (ranks * run.context_parallel % run.expert_parallel == 0)
    kept: NDArray[np.int64] = found[fits]
    return kept


def strong(
    arch: Architecture, run: Run, chip: Accelerator, fabric: Fabric, chips: Sequence[int] | NDArray[np.int64], global_batch: int, **options: Any
) -> ScalingCurve:
    """A batch of `global_batch` sequences shared by each of `chips`; counts with more data parallel ranks than sequences are left out."""
    chosen = np.asarray(chips)
    chosen = chosen[chosen // unit(run) <= global_batch]
    if not len(chosen):
        raise InputError(
            N_("{batch} sequences a step cannot be shared by {ranks} data parallel ranks: give {ranks} or more, or fewer GPUs."),
            batch=f"{global_batch:,}",
            ranks=f"{int(np.min(chips)) // unit(run):,}",
        )
    steps = step(arch, replace(run, data_parallel=chosen // unit(run)), chip, fabric, global_batch=global_batch, **options)
    return ScalingCurve(chosen, steps)


def weak(arch: Architecture, run: Run, chip: Accelerator, fabric: Fabric, chips: Sequence[int] | NDArray[np.int64], **options: Any) -> ScalingCurve:
    """The batch of `run` on each of `chips`: the global batch grows with them."""
    chosen = np.asarray(chips)
    return ScalingCurve(chosen, step(arch, replace(run, data_parallel=chosen // unit(run)), chip, fabric, **options))


def stops_paying(curve: ScalingCurve, gain: float = 1.5) -> int | None:
    """The number of chips on `curve` whose doubling brings less than `gain` times the speed; None where none does (`stop`)."""
    return stop(curve.chips, curve.tokens_per_s, gain)


def stop(chips: ArrayLike, tokens_per_s: ArrayLike, gain: float = 1.5) -> int | None:
    """The first of `chips`, ascending, whose doubling brings less than `gain` times the speed (between counts: that rate of gain).

    `gain` 1.5 asks of each added chip half of what the first ones brought. None where every doubling brings more.

    >>> stop([1, 2, 4, 8], [1.0, 2.0, 3.8, 5.3])
    4
    """
    n, speed = np.asarray(chips, float), np.asarray(tokens_per_s, float)
    if len(n) < 2:
        return None
    rate = np.diff(np.log2(speed)) / np.diff(np.log2(n))
    low = np.flatnonzero(rate < np.log2(gain))
    return int(n[low[0]]) if len(low) else None
