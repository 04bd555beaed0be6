"""Why and how sure: the sum of a step with the reader's numbers, and every published number beside its prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wallviz import catalog, units
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.job import NOT_MODELLED
from wallviz.engine.scaleout.phrases import rate
from wallviz.figures.scaleout import KINDS
from wallviz.i18n import N_, _, listing
from wallviz.rooms.scaleout.study import Study
from wallviz.units import duration
from wallviz.validation import scaling_cases


def why(now: Study) -> str:
    """The step as a sum, each term with its formula and its numbers, as Markdown; the rates and where they come from."""
    job, one, run = now.job, now.job.step, now.job.step.run
    peak, share = one.peak_flop_per_s, job.efficiency
    lines = [
        _("A step is compute + waiting + bubble. Each chip computes by itself; it waits for what no compute hides; a pipeline idles at its ends."),
        "",
        f"- **{_('compute')}**: {'6' if run.trains_all else '4'}·P·T/n + {_('attention')}: "
        + _(
            "{flop} at {peak} × {share} and {bytes} at {bandwidth} × {read}; the longer of the two, operation by operation, is {time}, "
            "recomputation included"
        ).format(
            flop=units.si(float(one.flop), "FLOP"), peak=units.si(peak, "FLOP/s"), share=f"{share:.0%}", bytes=units.si(float(one.moved_bytes), "B"),
            bandwidth=units.si(now.chip.memory_bytes_per_s or 0.0, "B/s"), read=f"{job.bandwidth_efficiency:.0%}",
            time=duration(float(one.compute_s)),
        ),
    ]  # fmt: skip
    for kind, (name, _colour) in KINDS.items():
        sent = float(one.bytes_on_wire[kind])
        if sent:
            lines.append(f"- **{_(name)}**: {_FORMULAS[kind]} = {units.si(sent, 'B')} → {duration(float(one.wire_s[kind]))}")
    lines += [
        f"- **{_('waiting')}**: {duration(float(one.waiting_s))} " + _("of {wire} on the wire").format(wire=duration(float(one.communication_s))),
        f"- **{_('bubble')}**: (p−1)/(v·m) = {run.pipeline_parallel - 1}/{run.virtual_stages * run.accumulation} → " + duration(float(one.bubble_s)),
        "",
        _("The rates:"),
        "",
        _("- a chip computes at {peak} × {share} = {rate}: its dense 16-bit peak ({source}), and what a layer's own matrix products reach").format(
            peak=units.si(peak, "FLOP/s"), share=f"{share:.0%}", rate=units.si(peak * share, "FLOP/s"), source=_titles(now.chip.source)
        ),
        *links_of(job.fabric, now.gpus),
        "",
    ]
    if now.flop_per_byte is not None:
        lines += [
            _("{compute} / {wire} = {least} FLOP while a link sends one byte. This job does {here} for each byte that a chip sends.").format(
                compute=units.si(peak * share, "FLOP/s"), wire=units.si(job.ring_bytes_per_s, "B/s"), least=f"{job.flop_per_byte_to_hide:,.0f}",
                here=rate(now.flop_per_byte),
            ),
            _("As tokens: gradients hide behind compute from about {least} tokens per chip and step on; here a chip has {here}.").format(
                least=f"{job.critical_tokens_per_gpu:,.0f}", here=f"{job.tokens_per_gpu:,.0f}"
            ),
        ]  # fmt: skip
    stop = job.stops_paying
    lines += [
        _("Doubling stops paying at {n} chips: from there on it brings less than 1.5 times the speed.").format(n=f"{stop:,}")
        if stop is not None
        else _("Up to {n} chips, one for each sequence of the batch, every doubling brings at least 1.5 times the speed.").format(
            n=f"{job.pays_up_to:,}"
        ),
        "",
        _("Scale-out suits work with much arithmetic and little traffic: decoding and small batches have the opposite."),
    ]
    return "\n".join(lines)


def _titles(sources: str) -> str:
    return listing(catalog.sources()[source].title for source in sources.split(";") if source)


def links_of(fabric: Fabric, gpus: int) -> list[str]:
    """The rates of both kinds of links, and of a ring over all chips."""
    share = f"{float(fabric.efficiency):.0%}"
    inside, across = (units.si(float(each), "B/s") for each in (fabric.inside_bytes_per_s, fabric.across_bytes_per_s))
    members = int(fabric.members(gpus))
    ring = units.si(float(fabric.bytes_per_s(gpus, members)), "B/s")
    found = [
        _("- links reach {share} of their rate with large messages: 235 of 300 GB/s on 8 A100, 370 of 450 on 8 H100 ({source})").format(
            share=share, source=_titles("nccl_tests;ml_engineering")
        )
    ]
    if gpus <= members:
        return [*found, _("- a ring inside the node: {inside} of one direction × {share} = {ring}").format(inside=inside, share=share, ring=ring)]
    text = _("- a ring over {n} chips leaves a node by the slower of {members} × {across} and one chip's {inside}, × {share} = {ring}")
    return [*found, text.format(n=f"{gpus:,}", members=members, across=across, inside=inside, share=share, ring=ring)]


_FORMULAS = {
    "data_parallel": "2 (ZeRO-3: 3) · P/(t·p) · (n−1)/n · 2 B",
    "tensor_parallel": "4 · 2(t−1)/t · b·s·h · L/p · m · 2 B",
    "context_parallel": "3 · 2·b·g·d·(s/c)·(c−1) · L/p · m · 2 B",
    "expert_parallel": "2 · 2·k·b·s·h · (e−1)/e · L/p · m · 2 B",
    "pipeline_parallel": "2 · b·s·h · v·m · 2 B",
}


def how_sure() -> str:
    """What was compared and how far off it is, as Markdown."""
    found = scaling_cases.runs()
    misses = np.array([abs(one.miss) for one in found])
    formulas = [one for one in scaling_cases.compared() if one.row.case not in scaling_cases.MODELLED]
    lines = [
        _("{n} published runs are predicted with one efficiency of matrix products: half of them within {median}, the worst off by {worst}.").format(
            n=len(found), median=f"{float(np.median(misses)):.0%}", worst=f"{float(misses.max()):.0%}"
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
    return _("{n} measured rates of decoding over one to eight A100 are predicted within {worst}: one share of the bandwidth, 69 %, for all.").format(
        n=len(found), worst=f"{worst:.0%}"
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
        return _("{share} of the peak").format(share=f"{value:.0%}")
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
