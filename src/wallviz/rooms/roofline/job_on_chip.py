"""The case under its roof: which model on which chip, the steps of its phases, and the path that a growing batch takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import quantization
from wallviz.engine.roofline.roof import own_chip
from wallviz.engine.roofline.serving import LargestBatch, fitting, largest_batch
from wallviz.engine.roofline.step import StepBound, step
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.job import Job
from wallviz.rooms import job as shared
from wallviz.rooms.bound import options
from wallviz.rooms.footprint.need import estimate
from wallviz.rooms.roofline.choices import View

PATH: NDArray[np.float64] = 2.0 ** np.arange(0, 17, dtype=np.float64)
"""Batches along the path, 1 to 65,536."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One case as the roofline sees it, on one GPU."""

    case: Job
    view: View
    arch: Architecture
    chip: Accelerator
    tensor_parallel: int
    steps: Mapping[str, StepBound]
    """By phase: prefill and decode, or train."""

    @property
    def name(self) -> str:
        """The chip, without the remark in brackets."""
        return self.chip.name.partition(" (")[0]

    @property
    def main(self) -> StepBound:
        """The step that the takeaway is about."""
        return self.steps.get("decode") or self.steps.get("train") or self.steps["prefill"]

    @property
    def weights_bytes(self) -> float:
        """All weights in their format, on all GPUs that share the layers."""
        return float(quantization.weights_bytes(self.arch, self.weights))

    @property
    def weights(self) -> str:
        """Format of the weights: those that are served, or those that are trained."""
        return str(options(self.case, self.arch)["weights"])

    @property
    def least(self) -> bool:
        """Only what must be done is counted, so that the times are bounds."""
        return self.view.half_square and not self.view.elementwise and (self.case.serves or self.case.kernels != "eager")

    def options(self) -> dict[str, Any]:
        """What every step of the case takes."""
        view, case = self.view, self.case
        return options(case, self.arch) | {
            **({"activations": view.activations} if case.serves else {}),
            "kernels": "eager" if case.kernels == "eager" and not case.serves else "flash" if view.elementwise else "fused",
            "half_square": view.half_square,
            "accumulate": view.accumulate,
        }


def chip_of(case: Job, view: View) -> Accelerator:
    """The chip of the case, or the reader's own by its numbers; one number alone stands in for the chip's."""
    if view.peak and view.bandwidth:
        return own_chip(view.peak * 1e12, view.bandwidth * 1e9, view.memory * 1e9 if view.memory else None, name=f"{view.peak:,} TFLOP/s")
    chip = shared.chip(case)
    given = {"fp16_flop_per_s": (view.peak, 1e12), "memory_bytes_per_s": (view.bandwidth, 1e9), "memory_bytes": (view.memory, 1e9)}
    instead: dict[str, Any] = {field: number * unit for field, (number, unit) in given.items() if number}
    if view.peak or view.bandwidth:  # another roof: nothing that was measured on the chip is under it
        instead |= {"id": "own", "name": f"{view.peak:,} TFLOP/s" if view.peak else f"{view.bandwidth:,} GB/s"}
    if view.peak:  # as typed: not halved for how a GeForce card accumulates
        instead["fp16_accumulate"] = False
    return replace(chip, **instead) if instead else chip


@lru_cache(maxsize=256)
def workload(case: Job, view: View) -> Workload:
    """The steps of `case`; raises InputError, a sentence, for what cannot run."""
    arch = estimate(case).arch  # what cannot run has no roof
    chip = chip_of(case, view)
    empty = Workload(case, view, arch, chip, options(case, arch)["tensor_parallel"], {})
    return replace(empty, steps=_steps(empty, chip))


def _steps(now: Workload, chip: Accelerator) -> dict[str, StepBound]:
    case, options = now.case, now.options()
    if not case.serves:
        return {"train": step(now.arch, chip, phase="train", batch=case.batch, context=case.context, **options)}
    found = {"prefill": step(now.arch, chip, phase="prefill", batch=case.batch, context=case.prompt or case.context, **options)}
    if not all(layer.encoder for layer in now.arch.layers):
        found["decode"] = step(now.arch, chip, phase="decode", batch=case.batch, context=case.context, **options)
    return found


def elsewhere(now: Workload, chip: Accelerator) -> Mapping[str, StepBound]:
    """The same work on another chip."""
    return _steps(now, chip)


def path(now: Workload) -> StepBound | None:
    """The decoding step at every batch of `PATH`."""
    if "decode" not in now.steps:
        return None
    return step(now.arch, now.chip, phase="decode", batch=PATH, context=now.case.context, **now.options())


def first_prompt(now: Workload) -> StepBound:
    """Reading one prompt alone: what its sequence waits for at least."""
    if now.case.batch == 1:
        return now.steps["prefill"]
    return step(now.arch, now.chip, phase="prefill", batch=1, context=now.case.prompt or now.case.context, **now.options())


def holders(now: Workload) -> int:
    """Chips that hold the weights together: those that share each layer in serving; all of them in training, which can shard states."""
    return now.tensor_parallel if now.case.job == "infer" else now.case.chips


def held_bytes(now: Workload) -> float:
    """What those chips hold; infinite where nobody says."""
    return inf if now.chip.memory_bytes is None else now.chip.memory_bytes * holders(now)


@lru_cache(maxsize=256)
def _most_sequences(arch: Architecture, chip: Accelerator, context: int, weights: str, kv: str, tensor_parallel: int) -> float:
    found = fitting(arch, chip, context, weights, kv, tensor_parallel)
    return inf if found is None else found


def most_sequences(now: Workload) -> float:
    """Sequences of the case's context whose cache fits beside the weights; infinite where nothing is cached or the memory is not known."""
    try:
        return _most_sequences(now.arch, now.chip, now.case.context, now.case.format, now.case.kv, now.tensor_parallel)
    except InputError:
        return inf


def across(now: Workload, contexts: NDArray[np.float64], batch: int) -> StepBound:
    """Decoding steps over `contexts`."""
    return step(now.arch, now.chip, phase="decode", batch=batch, context=contexts, **now.options())


def largest(now: Workload) -> LargestBatch | None:
    """The largest batch within the target; None without decoding."""
    if "decode" not in now.steps:
        return None
    try:
        return largest_batch(now.arch, now.chip, tpot_s=now.view.tpot / 1e3, context=now.case.context, **now.options())
    except InputError:
        return None
