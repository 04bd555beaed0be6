"""One workload on one chip, asked all at once: the step, what bounds it, TTFT and TPOT, what a measured rate makes of it, the largest batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wallviz import checks
from wallviz.engine.hardware import Accelerator
from wallviz.engine.roofline.roof import ridges
from wallviz.engine.roofline.serving import LargestBatch, Utilization, largest_batch, utilization
from wallviz.engine.roofline.step import StepBound, step
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_, _, followed

#: Options of `step` that a largest batch does not take.
_ONLY_TRAINING = ("recompute",)
#: What `step` and `engine.work.operations` may be told beside the workload.
OPTIONS = (
    "weights", "kv", "activations", "tensor_parallel", "accumulate", "bytes_per_s", "kernels", "half_square", "recompute", "encoder_context",
    "vectors",
)  # fmt: skip
#: Why something is None.
TRAINS = N_("A training step has no time to first token and none per output token.")
NO_RATE = N_("MFU and bandwidth utilization need a measured rate: give measured tokens/s.")
NO_TARGET = N_("The largest batch needs a target: give a time per output token.")


@dataclass(frozen=True, slots=True)
class Report:
    """What the roofline says about a workload; what cannot be said is None and has its sentence in `reasons`."""

    architecture: Architecture
    chip: Accelerator
    batch: int
    context: int
    step: StepBound
    """The phase that was asked about."""
    prefill: StepBound | None
    """Reading the prompts; its time is the time to first token."""
    decode: StepBound | None
    """Writing one token each; its time is the time per output token."""
    measured: Utilization | None
    """What a measured rate makes of the chip."""
    largest: LargestBatch | None
    """The largest batch within a time per token."""
    reasons: tuple[str, ...]
    """Why something is None: sentences marked for translation."""


def report(
    architecture: Architecture,
    chip: Accelerator,
    *,
    phase: str = "decode",
    batch: int = 1,
    context: int = 4096,
    measured_tokens_per_s: float | None = None,
    tpot_target_s: float | None = None,
    utilization_share: float = 0.9,
    **options: Any,
) -> Report:
    """The report of `phase` on one GPU (of ``tensor_parallel``); `options` are those of `roofline.step.step`.

    >>> from datetime import date
    >>> from wallviz.engine.transformer import custom
    >>> h100 = Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), fp16_flop_per_s=989.4e12, memory_bytes_per_s=3.35e12)
    >>> llama = custom(layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn=14336, vocab=128256)
    >>> found = report(llama, h100, phase="decode", context=8192, measured_tokens_per_s=150)
    >>> round(found.measured.of_bound, 2), found.prefill.bound, found.largest
    (0.72, 'compute', None)
    """
    for name in options:
        if name not in OPTIONS:
            raise InputError(N_("no option is called {name}: choose from {choices}"), name=name[:40], choices=", ".join(OPTIONS))
    asked = step(architecture, chip, phase=phase, batch=batch, context=context, **options)
    reasons: list[str] = []
    phases: dict[str, StepBound | None] = {"prefill": None, "decode": None}
    if phase == "train":
        reasons.append(TRAINS)
    else:
        serving = {name: value for name, value in options.items() if name not in _ONLY_TRAINING}
        for name in phases:
            try:
                phases[name] = asked if name == phase else step(architecture, chip, phase=name, batch=batch, context=context, **serving)
            except InputError as error:
                reasons.append(str(error))
    if measured_tokens_per_s is None:
        reasons.append(NO_RATE)
    found = None
    if tpot_target_s is None:
        reasons.append(NO_TARGET)
    elif phases["decode"] is not None:
        serving = {name: value for name, value in options.items() if name not in _ONLY_TRAINING}
        found = largest_batch(architecture, chip, tpot_s=tpot_target_s, context=context, utilization=utilization_share, **serving)
    used = None if measured_tokens_per_s is None else utilization(asked, measured_tokens_per_s)
    return Report(architecture, chip, batch, context, asked, phases["prefill"], phases["decode"], used, found, tuple(reasons))


def record(report: Report) -> dict[str, Any]:
    """The report as a plain dictionary, the JSON of the command line: base units, bytes as whole numbers, None with its reason."""
    asked, used, largest = report.step, report.measured, report.largest
    rate = None if used is None else used.mfu
    for name, value in (("batch", report.batch), ("context", report.context), ("measured", rate), ("time_s", asked.time_s)):
        checks.single(name, value)
    return {
        "model": report.architecture.name,
        "hardware": report.chip.name,
        "phase": asked.phase,
        "batch": report.batch,
        "context": report.context,
        "time_s": float(asked.time_s),
        "overlap_time_s": float(asked.overlap_time_s),
        "bound": str(asked.bound),
        "tokens_per_s": float(asked.tokens_per_s),
        "ttft_s": None if report.prefill is None else float(report.prefill.time_s),
        "tpot_s": None if report.decode is None else float(report.decode.time_s),
        "flop": float(asked.flop),
        "bytes": round(float(asked.bytes)),
        "arithmetic_intensity": float(asked.arithmetic_intensity),
        "ridge": asked.ridge,
        "ridges": ridges(report.chip),
        "peak_flop_per_s": asked.roof.peak_flop_per_s,
        "bandwidth_bytes_per_s": asked.roof.bytes_per_s,
        "critical_batch": asked.critical_batch,
        "kv_share": float(asked.kv_share),
        "mfu_bound": float(asked.mfu_bound),
        "mfu": None if used is None else float(used.mfu),
        "bandwidth_utilization": None if used is None else float(used.bandwidth),
        "fraction_of_bound": None if used is None else float(used.of_bound),
        "largest_batch": None if largest is None else {"batch": largest.batch, "limit": largest.limit, "by_tpot": largest.by_time},
        "operations": [
            {
                "id": timed.operation.id,
                "name": _(timed.operation.name),
                "flop": float(timed.operation.flop),
                "bytes": round(float(timed.operation.bytes)),
                "intensity": float(timed.operation.intensity),
                "time_s": float(timed.time_s),
                "bound": str(timed.bound),
                "precision": timed.operation.precision,
            }
            for timed in asked.operations
        ],
        "notes": [_(note) for note in asked.notes],
        "reason": followed(*(_(reason) for reason in report.reasons)) or None,
    }
