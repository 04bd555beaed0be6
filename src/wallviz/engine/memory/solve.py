"""For the footprint room until it asks `engine.advice` itself: its old questions, handed on. Nothing else belongs here.

`fixes` and `serving_fixes` become `advice.search.Advice(setup, losses).fixes`, `sentence` becomes `advice.record.change`, `Fix` becomes
`advice.search.Fix`, `largest` becomes `advice.fit.largest_batch`, `on_gpus` becomes `memory.jobs.on_gpus`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.jobs import on_gpus
from wallviz.engine.memory.run import Run
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.transformer import Architecture

if TYPE_CHECKING:
    from wallviz.engine.remedies.setup import Setup

__all__ = ["Fix", "fixes", "largest", "on_gpus", "sentence", "serving_fixes"]


@dataclass(frozen=True)
class Fix:
    """One fix as the room reads it."""

    change: str
    sets: Mapping[str, object]
    saves_bytes: float
    price: str
    cost: float
    fits: bool
    needs_bytes: float = 0.0


def largest(need: Callable[[Any], Quantity], capacity_bytes: float, most: int, step: int = 1) -> int:
    """The largest multiple of `step` whose need is within the capacity."""
    from wallviz.engine.advice import fits

    return fits.largest(lambda n: need(n) <= capacity_bytes, most, step)


def fixes(arch: Architecture, run: Run, capacity_bytes: float, *, adapters: bool = False) -> tuple[Fix, ...]:
    """What makes a run fit, on a chip of which nothing but its memory is known."""
    from wallviz.engine.remedies.setup import Setup

    return _handed_on(Setup(arch, _chip(capacity_bytes), "finetune" if adapters else "train", run))


def serving_fixes(arch: Architecture, capacity_bytes: float, **options: Any) -> tuple[Fix, ...]:
    """The same for serving."""
    from wallviz.engine.remedies.setup import Setup

    given = {name: value for name, value in options.items() if name not in ("utilization", "hardware_bytes")}
    return _handed_on(Setup(arch, _chip(capacity_bytes), "infer").with_options(**given))


def _chip(capacity_bytes: float) -> Accelerator:
    return Accelerator("", "", "", "gpu", dt.date(2020, 1, 1), memory_bytes=capacity_bytes)


#: What the room cannot set: another split than data parallel ranks, weights in host memory.
#: Nor has its sentence room for more words.
_WORDS = 9
_UNKNOWN = {"tensor_parallel", "pipeline_parallel", "context_parallel", "expert_parallel", "host_weights"}


def _handed_on(setup: Setup) -> tuple[Fix, ...]:
    from wallviz.engine.advice import record
    from wallviz.engine.advice.search import Advice

    unknown = _UNKNOWN - {"tensor_parallel"} if setup.serves else _UNKNOWN
    known = [fix for fix in Advice(setup, {}).fixes if not unknown & set(fix.sets) and len(record.change(fix).split()) <= _WORDS]
    return tuple(Fix(record.change(f), f.sets, f.saves_bytes, record.price(f), 0.0, f.fits, f.bytes) for f in known)


def sentence(fix: Fix) -> str:
    """The change of `fix`, already in the language in use."""
    return fix.change
