"""The one price of a change: GPUs, time at equal work, quality. Computed by the calculators; quality as published, or judged where nothing was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.engine.remedies.setup import Setup, outcome
from wallviz.errors import InputError

#: Less quality lost than this is none: half a thousandth.
LOSSLESS = 0.0005
#: A change of the time that is printed as none.
FREE_OF_TIME = 0.005
#: More quality lost than this is seen: offered only where nothing that loses less fits on as many GPUs.
VISIBLE = 0.10


@lru_cache(maxsize=4096)
def tokens_per_s(setup: Setup) -> float | InputError:
    """Tokens per second of all GPUs together; the error where the chip's rates are not known, or it cannot run."""
    try:
        return outcome(setup).tokens_per_s
    except InputError as error:
        return error


def time(before: Setup, after: Setup) -> float | None:
    """Time that `after` takes over that of `before` for as many tokens, on all GPUs that each has: 0.5 is twice as fast. None: not known."""
    old, new = tokens_per_s(before), tokens_per_s(after)
    return None if isinstance(old, InputError) or isinstance(new, InputError) else old / new


def quality(setup: Setup, changes: Sequence[str], losses: Mapping[str, float]) -> float:
    """The share of quality that remedies lose together: what was published of each (`losses`), else what is judged (`toll`)."""
    lost = sum(losses.get(id, REMEDIES[id].toll) for id in changes)
    # who trains adapters already has paid for them
    return lost - REMEDIES["lora"].toll if setup.run.method == "lora" and "qlora" in changes else lost


def key(gpus: int, time: float | None, quality: float, bytes: float = 0.0) -> tuple[float, ...]:
    """What is better comes first: fewer GPUs, then less time (as it is printed), then less quality lost; without a time, fewer bytes.

    >>> sorted([key(1, 1.3, 0.0), key(1, 1.0, 0.02), key(2, 0.5, 0.0)])
    [(1, 1.0, 0.02), (1, 1.3, 0.0), (2, 0.5, 0.0)]
    """
    return (gpus, bytes if time is None else round(time, 3), round(quality, 6))
