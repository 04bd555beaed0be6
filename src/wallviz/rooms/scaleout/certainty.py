"""How sure: every published number beside its prediction, and how far off they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wallviz import catalog, units
from wallviz.engine.scaleout.training_job import NOT_MODELLED
from wallviz.i18n import N_, _, listing
from wallviz.units import duration
from wallviz.validation import scaling_cases


def how_sure() -> str:
    """What was compared and how far off it is, as Markdown."""
    found = scaling_cases.runs()
    misses = np.array([abs(one.miss) for one in found])
    formulas = [one for one in scaling_cases.compared() if one.row.case not in scaling_cases.MODELLED]
    lines = [
        _("{n} published runs are predicted with one efficiency of matrix products: half of them within {median}, the worst off by {worst}.").format(
            n=len(found), median=units.percent(float(np.median(misses))), worst=units.percent(float(misses.max()))
        ),
        "",
        _("Large models split over tensor and pipeline ranks come within a quarter, most of them too fast: what is not modelled only costs time."),
        _("ZeRO-3 across nodes is missed by a factor of up to five: the model lets gathers use every adapter at once, the runs of 2021 did not."),
        decoding(),
        "",
        _("{n} formulas and worked answers agree with what was printed; they stand in the table of the figure “Published runs”.").format(
            n=len(formulas)
        ),
        "",
        labelled_list(NOT_MODELLED),
    ]
    return "\n".join(lines)


def decoding() -> str:
    """How far decoding over chips is off, in a sentence."""
    found = [one for one in scaling_cases.runs() if one.row.case == "tensor_parallel_decode_rate"]
    worst = max(abs(one.miss) for one in found)
    return _("{n} measured rates of decoding over one to eight A100 are predicted within {worst}: one share of the bandwidth, 69%, for all.").format(
        n=len(found), worst=units.percent(worst)
    )


def labelled_list(texts: Sequence[str]) -> str:
    """What the model leaves out, as a Markdown list."""
    return "\n".join([_("Not modelled:"), "", *(f"- {_(text)}" for text in texts)])


def table(*, formulas: bool = True, serves: bool = False) -> tuple[dict[str, object], ...]:
    """Every published run and, with `formulas`, worked answer with its prediction and miss; those of the model first, the largest miss first.

    Where the case `serves`, decoding comes before all.
    """
    found = (*scaling_cases.runs(), *(one for one in scaling_cases.compared() if formulas and one.row.case not in scaling_cases.MODELLED))
    first = "tensor_parallel_decode_rate" if serves else ""
    every = sorted(found, key=lambda one: (one.row.case != first, one.row.case not in scaling_cases.MODELLED, -abs(one.miss)))
    return tuple(
        {
            _("case"): _(scaling_cases.MODELLED.get(one.row.case) or _FORMULA_NAMES.get(one.row.case) or one.row.case.replace("_", " ")),
            _("inputs"): _inputs(one.row.inputs),
            _("published"): _said_of(one, one.row.expected),
            _("predicted"): _said_of(one, one.predicted),
            _("miss"): units.percent(one.miss, 1, signed=True),
            _("source"): catalog.sources()[one.row.source.partition(";")[0]].title,
        }
        for one in every
    )


_FORMULA_NAMES = {
    "busbw_factor": N_("Factor of a collective's bus bandwidth"),
    "allreduce_time_ddp": N_("Time of the all-reduce of data parallelism"),
    "allgather_time": N_("Time of an all-gather"),
    "allgather_time_latency_bound": N_("Time of an all-gather bound by latency"),
    "p2p_time": N_("Time of a transfer between two chips"),
    "step_time": N_("Time of a step from its arithmetic"),
    "fsdp_critical_batch_per_chip": N_("Least tokens a chip that hide FSDP's gathers"),
    "dcn_critical_batch_per_pod": N_("Least tokens a pod that hide the network between pods"),
    "dp_critical_batch_per_gpu": N_("Least tokens a GPU that hide the gradients"),
    "optimal_fsdp_ways": N_("Best number of chips for FSDP"),
    "tensor_parallel_limit": N_("Most chips for tensor parallelism"),
    "parameter_count": N_("Number of parameters"),
    "time_for_300e9_tokens": N_("Time for 300 billion tokens"),
    "training_time": N_("Time of a training run"),
    "activation_share": N_("Share of the activations that stays"),
    "activations_per_gpu": N_("Activations per GPU"),
    "states_per_gpu": N_("Model states per GPU"),
    "zero_states_per_gpu": N_("Model states per GPU under ZeRO"),
    "zero_communication": N_("Traffic of ZeRO"),
    "pipeline_bubble": N_("Pipeline bubble"),
    "critical_batch_exponent": N_("Exponent of the critical batch"),
}
"""What is checked by a formula alone, in words."""

_SHOWN = {
    "scheme": "{value}",
    "model": "{value}",
    "parameters": "{value}",
    "gpus": N_("{value} GPUs"),
    "tensor_parallel": N_("tensor parallel {value}"),
    "pipeline_parallel": N_("pipeline parallel {value}"),
    "context_parallel": N_("context parallel {value}"),
    "micro_batch": N_("micro-batch {value}"),
    "recompute": N_("recomputation: {value}"),
    "technique": N_("recomputation: {value}"),
    "stage": "{value}",
    "message_bytes": N_("messages of {value}"),
}

_VALUES = {
    "none": N_("none"),
    "full": N_("full"),
    "True": N_("full"),
    "selective": N_("selective"),
    "sequence parallel": N_("none, sequence parallel"),
    "seq+selective": N_("selective, sequence parallel"),
    "selective + sequence parallel": N_("selective, sequence parallel"),
    "baseline DP": N_("data parallelism alone"),
    "P_os": "ZeRO-1",
    "P_os+g": "ZeRO-2",
    "P_os+g+p": "ZeRO-3",
}

_UNITS = {"chips": N_("{n} chips"), "tokens": N_("{n} tokens"), "tokens/s": N_("{n} tokens/s"), "elements/parameter": N_("{n} elements a parameter")}


def _inputs(inputs: Mapping[str, Any]) -> str:
    def written(name: str) -> str:
        value = inputs[name]
        if name == "parameters":
            return units.count(value)
        if name == "message_bytes":
            return units.si(value, "B")
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{value:,}"
        return _(_VALUES.get(str(value), str(value)))

    return listing(_(template).format(value=written(name)) for name, template in _SHOWN.items() if name in inputs)


def _said_of(one: scaling_cases.ScalingPrediction, value: float) -> str:
    """A number of a row: rates of runs per GPU, shares of the peak in percent."""
    if one.row.case == "weak_scaling_rate":
        value /= one.row.inputs["gpus"]
    if one.row.case in scaling_cases.MODELLED and one.row.unit == "ratio":
        return _("{share} of the peak").format(share=units.percent(value))
    return said(value, one.row.unit)


def said(value: float, unit: str) -> str:
    """A number with its unit, as the table shows it."""
    if unit == "s":
        return duration(value)
    if unit in ("bytes", "FLOP/s", "bytes/s"):
        return units.si(value, {"bytes": "B", "bytes/s": "B/s"}.get(unit, unit))
    if unit == "parameters":
        return units.count(value)
    return _(_UNITS[unit]).format(n=units.significant(value)) if unit in _UNITS else units.significant(value)
