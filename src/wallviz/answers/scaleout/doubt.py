"""Why and how sure: the sum of a step with the reader's numbers, and every published number beside its prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wallviz import catalog, units
from wallviz.answers.scaleout import evidence
from wallviz.answers.scaleout.study import Study
from wallviz.figures.scaleout import KINDS
from wallviz.i18n import N_, _, listing
from wallviz.scaleout.job import NOT_MODELLED


def why(now: Study) -> str:
    """The step as a sum, each term with its formula and its numbers, as Markdown."""
    job, one, run = now.job, now.job.step, now.job.step.run
    peak, share = one.peak_flop_per_s, job.efficiency
    lines = [
        _("A step is compute + waiting + bubble. Each chip computes by itself; it waits for what no compute hides; a pipeline idles at its ends."),
        "",
        f"- **{_('compute')}**: 6·P·T/n / (peak · {share:.0%}) = "
        + _("{flop} / ({n} × {peak} × {share}) = {time}, recomputation and attention included").format(
            flop=units.si(float(one.compute_s) * peak * share * float(one.gpus), "FLOP"), n=f"{now.gpus:,}", peak=units.si(peak, "FLOP/s"),
            share=f"{share:.0%}", time=units.si(float(one.compute_s), "s"),
        ),
    ]  # fmt: skip
    for kind, (name, _colour) in KINDS.items():
        sent = float(one.bytes_on_wire[kind])
        if sent:
            lines.append(f"- **{_(name)}**: {_FORMULAS[kind]} = {units.si(sent, 'B')} → {units.si(float(one.wire_s[kind]), 's')}")
    lines += [
        f"- **{_('waiting')}**: {units.si(float(one.waiting_s), 's')} "
        + _("of {wire} on the wire").format(wire=units.si(float(one.communication_s), "s")),
        f"- **{_('bubble')}**: (p−1)/(v·m) = {run.pipeline_parallel - 1}/{run.virtual_stages * run.accumulation} → "
        + units.si(float(one.bubble_s), "s"),
        "",
        _("Gradients hide behind compute from about {least} tokens per chip on (peak over link rate); here a chip has {here}.").format(
            least=f"{job.critical_tokens_per_gpu:,.0f}", here=f"{job.tokens_per_gpu:,.0f}"
        ),
    ]
    stop = job.stops_paying
    lines.append(
        _("Doubling stops paying at {n} chips: from there on it brings less than 1.5 times the speed.").format(n=f"{stop:,}")
        if stop is not None
        else _("Up to {n} chips, one for each sequence of the batch, every doubling brings at least 1.5 times the speed.").format(
            n=f"{int(job.strong.chips[-1]):,}"
        )
    )
    lines += ["", _("Scale-out suits work with much arithmetic and little traffic: decoding and small batches have the opposite.")]
    return "\n".join(lines)


_FORMULAS = {
    "data_parallel": "2 (ZeRO-3: 3) · P/(t·p) · (n−1)/n · 2 B",
    "tensor_parallel": "4 · 2(t−1)/t · b·s·h · L/p · m · 2 B",
    "context_parallel": "3 · 2·b·g·d·(s/c)·(c−1) · L/p · m · 2 B",
    "expert_parallel": "2 · 2·k·b·s·h · (e−1)/e · L/p · m · 2 B",
    "pipeline_parallel": "2 · b·s·h · v·m · 2 B",
}


def how_sure() -> str:
    """What was compared and how far off it is, as Markdown."""
    found = evidence.modelled()
    misses = np.array([abs(one.miss) for one in found])
    formulas = [one for one in evidence.compared() if one.row.case not in evidence.MODELLED]
    lines = [
        _(
            "{n} published numbers are predicted with one efficiency of matrix products: half of them within {median}, the worst off by {worst}."
        ).format(n=len(found), median=f"{float(np.median(misses)):.0%}", worst=f"{float(misses.max()):.0%}"),
        "",
        _("Large models split over tensor and pipeline ranks come within a quarter, always too fast: what is not modelled only costs time."),
        _("ZeRO-3 across nodes is missed by a factor of up to five: the model lets gathers use every adapter at once, the runs of 2021 did not."),
        "",
        _("{n} formulas and worked answers agree with what was printed; they stand in the table of the figure “Published runs”.").format(
            n=len(formulas)
        ),
        "",
        labelled_list(),
    ]
    return "\n".join(lines)


def labelled_list() -> str:
    """What the model leaves out, as a Markdown list."""
    return "\n".join([_("Not modelled:"), "", *(f"- {_(text)}" for text in NOT_MODELLED)])


def table(*, formulas: bool = True) -> tuple[dict[str, object], ...]:
    """Every published number with its prediction and miss; those of the model first, the largest miss first, then the `formulas`."""
    found = evidence.compared() if formulas else evidence.modelled()
    every = sorted(found, key=lambda one: (one.row.case not in evidence.MODELLED, -abs(one.miss)))
    return tuple(
        {
            _("case"): _(evidence.MODELLED.get(one.row.case) or _FORMULA_NAMES.get(one.row.case) or one.row.case.replace("_", " ")),
            _("inputs"): _inputs(one.row.inputs),
            _("published"): said(one.row.expected, one.row.unit),
            _("predicted"): said(one.predicted, one.row.unit),
            _("miss"): f"{one.miss:+.1%}".replace("-", "−"),
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


def said(value: float, unit: str) -> str:
    """A number with its unit, as the table shows it."""
    if unit in ("s", "bytes", "FLOP/s", "bytes/s"):
        return units.si(value, {"bytes": "B", "bytes/s": "B/s"}.get(unit, unit))
    if unit == "parameters":
        return units.count(value)
    return _(_UNITS[unit]).format(n=units.significant(value)) if unit in _UNITS else units.significant(value)
