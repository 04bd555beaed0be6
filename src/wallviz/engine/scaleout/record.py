"""Answers as plain dictionaries, the JSON of the command line: base units, bytes as whole numbers, None with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np

from wallviz.engine.advice.splits import Layout, Search
from wallviz.engine.scaleout.budget import Budget
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.scaling import ScalingCurve
from wallviz.engine.scaleout.serving_job import NOT_MODELLED_SERVING, ServingOnChips
from wallviz.engine.scaleout.training_job import NOT_MODELLED, TrainingOnChips, layout
from wallviz.i18n import N_, _


def training(found: TrainingOnChips, best: Search | None = None) -> dict[str, Any]:
    """A training step on so many chips: step = compute + waiting + bubble; communication is all of the time on the wire, hidden or not."""
    one = found.step
    return {
        "step_s": float(one.step_s),
        "compute_s": float(one.compute_s),
        "communication_s": float(one.communication_s),
        "waiting_s": float(one.waiting_s),
        "bubble_s": float(one.bubble_s),
        "efficiency": float(one.efficiency),
        "mfu": float(one.mfu),
        "bytes_on_wire": {kind: round(float(sent)) for kind, sent in one.bytes_on_wire.items()},
        "seconds_on_wire": {kind: float(seconds) for kind, seconds in one.wire_s.items()},
        "tokens_per_s": float(one.tokens_per_s),
        "gpus": round(float(one.gpus)),
        "global_batch": found.global_batch,
        "micro_batch": int(one.run.micro_batch),
        "accumulation": int(one.run.accumulation),
        "tokens_per_step": round(float(one.tokens)),
        "model_flop": float(one.model_flop),
        "layout": dict(layout(one.run)),
        "links": _links(found.fabric),
        "overlap": found.overlap,
        "gemm_efficiency": found.efficiency,
        "bandwidth_efficiency": found.bandwidth_efficiency,
        "half_square": found.half_square,
        "peak_total_bytes": round(found.peak_bytes),
        "error_band": found.error_band,
        "fits": found.fits,
        "runs_out_of_memory": found.runs_out,
        "rates": {
            "peak_flop_per_s": found.step.peak_flop_per_s,
            "gemm_flop_per_s": found.step.peak_flop_per_s * found.efficiency,
            "ring_bytes_per_s": found.ring_bytes_per_s,
            "flop_per_byte_to_hide": found.flop_per_byte_to_hide,
        },
        "tokens_per_gpu": found.tokens_per_gpu,
        "critical_tokens_per_gpu": found.critical_tokens_per_gpu,
        "stops_paying_gpus": found.stops_paying,
        "pays_up_to_gpus": found.pays_up_to,
        "strong_scaling": _curve(found.strong),
        "weak_scaling": _curve(found.weak),
        "run": _budget(found.budget),
        **({} if best is None else {"best_layouts": _best(best)}),
        "not_modelled": [_(text) for text in NOT_MODELLED],
    }


def serving(found: ServingOnChips) -> dict[str, Any]:
    """A decoding step split over so many chips, with the same keys as far as they mean something: compute is reading or arithmetic, by operation."""
    one = found.step
    chips, steps, rates = (np.atleast_1d(each) for each in (found.curve.chips, found.curve.step_s, found.curve.tokens_per_s))
    each = rates[0] / chips[0]
    return {
        "step_s": float(one.step_s),
        "compute_s": float(one.busy_s),
        "reading_s": float(one.read_s),
        "arithmetic_s": float(one.compute_s),
        "communication_s": float(one.waiting_s),
        "waiting_s": float(one.waiting_s),
        "starting_s": float(one.start_s),
        "bubble_s": float(one.bubble_s),
        "efficiency": float(one.efficiency),
        "bytes_on_wire": {kind: round(float(sent)) for kind, sent in one.bytes_on_wire.items()},
        "flop_per_gpu": float(one.flop),
        "tokens_per_s": float(one.tokens_per_s),
        "tokens_per_s_and_gpu": float(one.tokens_per_s_and_chip),
        "gpus": round(float(one.chips)),
        "batch": found.batch,
        "context": found.context,
        "formats": {"weights": found.weights, "kv": found.kv},
        "layout": dict(found.layout),
        "links": _links(found.fabric),
        "gemm_efficiency": found.efficiency,
        "bandwidth_efficiency": found.bandwidth_efficiency,
        "peak_total_bytes": round(found.peak_bytes),
        "error_band": found.error_band,
        "fits": found.fits,
        "runs_out_of_memory": found.runs_out,
        "fewest_gpus": found.fewest,
        "stops_paying_gpus": found.stops_paying,
        "pays_up_to_gpus": found.pays_up_to,
        "strong_scaling": [
            {
                "gpus": int(n),
                "step_s": float(step),
                "tokens_per_s": float(rate),
                "efficiency": float(rate / n / each),
                "peak_total_bytes": round(need),
                "holds": bool(holds),
            }
            for n, step, rate, need, holds in zip(chips, steps, rates, found.curve_bytes, found.holding, strict=True)
        ],
        "run": _budget(found.budget),
        "not_modelled": [_(text) for text in NOT_MODELLED_SERVING],
    }


def _links(fabric: Fabric) -> dict[str, Any]:
    return {
        "gpus_per_node": fabric.per_node,
        "inside_bytes_per_s": float(fabric.inside_bytes_per_s),
        "across_bytes_per_s": float(fabric.across_bytes_per_s),
        "efficiency": float(fabric.efficiency),
    }


def _curve(curve: ScalingCurve) -> list[dict[str, Any]]:
    steps = np.broadcast_to(curve.steps.step_s, curve.chips.shape)
    return [
        {"gpus": int(n), "step_s": float(step), "tokens_per_s": float(rate), "efficiency": float(share)}
        for n, step, rate, share in zip(curve.chips, steps, curve.tokens_per_s, curve.efficiency, strict=True)
    ]


def _budget(found: Budget | None) -> dict[str, Any]:
    if found is None:
        return {"tokens": None, "reason": _(N_("no tokens were given: add --tokens 15e12"))}
    reasons = [
        *([_(N_("the design power of this chip is not known"))] if found.energy_j is None else []),
        *([_(N_("no price was given: add --price-per-hour 2.5"))] if found.cost is None else []),
    ]
    return {
        "tokens": found.tokens,
        "seconds": found.seconds,
        "gpu_hours": found.chip_hours,
        "energy_j": found.energy_j,
        "cost": found.cost,
        **({"reason": "; ".join(reasons)} if reasons else {}),
    }


def _best(found: Search) -> dict[str, Any]:
    return {
        "asked": found.asked,
        "fit": found.fit,
        "chosen": None if found.chosen is None else _layout(found.chosen),
        "layouts": [_layout(one) for one in found.best],
    }


def _layout(one: Layout) -> dict[str, Any]:
    return {
        **layout(one.run),
        "micro_batch": int(one.run.micro_batch),
        "accumulation": int(one.run.accumulation),
        "recompute": one.run.recompute,
        "step_s": one.step_s,
        "efficiency": one.efficiency,
        "peak_total_bytes": round(one.peak_bytes),
    }
