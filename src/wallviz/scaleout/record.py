"""Answers as plain dictionaries, the JSON of the command line: base units, bytes as whole numbers, None with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np

from wallviz.i18n import N_, _
from wallviz.scaleout.budget import Budget
from wallviz.scaleout.fabric import Fabric
from wallviz.scaleout.job import NOT_MODELLED, Serving, Training, layout
from wallviz.scaleout.layout import Search
from wallviz.scaleout.scaling import Curve


def training(found: Training, best: Search | None = None) -> dict[str, Any]:
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
        "peak_total_bytes": round(found.peak_bytes),
        "fits": found.fits,
        "tokens_per_gpu": found.tokens_per_gpu,
        "critical_tokens_per_gpu": found.critical_tokens_per_gpu,
        "stops_paying_gpus": found.stops_paying,
        "strong_scaling": _curve(found.strong),
        "weak_scaling": _curve(found.weak),
        "run": _budget(found.budget),
        **({} if best is None else {"best_layouts": _best(best)}),
        "not_modelled": [_(text) for text in NOT_MODELLED],
    }


def serving(found: Serving) -> dict[str, Any]:
    """A decoding step split over so many chips, with the same keys as far as they mean something."""
    one, curve = found.step, found.curve
    counts = np.atleast_1d(curve.chips)
    return {
        "step_s": float(one.step_s),
        "compute_s": float(one.read_s),
        "communication_s": float(one.waiting_s),
        "waiting_s": float(one.waiting_s),
        "bubble_s": 0.0,
        "efficiency": float(one.efficiency),
        "bytes_on_wire": {"tensor_parallel": round(float(one.sent_bytes))},
        "tokens_per_s": float(one.tokens_per_s),
        "gpus": round(float(one.chips)),
        "links": _links(found.fabric),
        "strong_scaling": [
            {"gpus": int(n), "tokens_per_s": float(rate), "efficiency": float(rate / curve.tokens_per_s[0] / n * counts[0])}  # type: ignore[index]
            for n, rate in zip(counts, np.atleast_1d(curve.tokens_per_s), strict=True)
        ],
    }


def _links(fabric: Fabric) -> dict[str, Any]:
    return {
        "gpus_per_node": fabric.per_node,
        "inside_bytes_per_s": float(fabric.inside_bytes_per_s),
        "across_bytes_per_s": float(fabric.across_bytes_per_s),
        "efficiency": float(fabric.efficiency),
    }


def _curve(curve: Curve) -> list[dict[str, Any]]:
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
        "layouts": [
            {
                **layout(one.run),
                "micro_batch": int(one.run.micro_batch),
                "accumulation": int(one.run.accumulation),
                "recompute": one.run.recompute,
                "step_s": one.step_s,
                "efficiency": one.efficiency,
                "peak_total_bytes": round(one.peak_bytes),
            }
            for one in found.best
        ],
    }
