"""Why a step takes as long as it does: the sum with the reader's numbers, and the links that it counts with."""

from __future__ import annotations

from wallviz import catalog, units
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.phrases import rate
from wallviz.i18n import _, labelled, listing
from wallviz.rooms.scaleout.kinds import KINDS
from wallviz.rooms.scaleout.over_chips import Study
from wallviz.units import duration


def why(now: Study) -> str:
    """The step as a sum, each term with its formula and its numbers, as Markdown; the rates and where they come from."""
    job, one, run = now.job, now.job.step, now.job.step.run
    peak, share = one.peak_flop_per_s, job.efficiency
    lines = [
        _("A step is compute + waiting + bubble. Each chip computes by itself; it waits for what no compute hides; a pipeline idles at its ends."),
        "",
        labelled(f"- **{_('compute')}**", labelled(f"{'6' if run.trains_all else '4'}·P·T/n + {_('attention')}", ""))
        + _(
            "{flop} at {peak} × {share} and {bytes} at {bandwidth} × {read}; the longer of the two, operation by operation, is {time}, "
            "recomputation included"
        ).format(
            flop=units.si(float(one.flop), "FLOP"), peak=units.si(peak, "FLOP/s"), share=units.percent(share),
            bytes=units.si(float(one.moved_bytes), "B"), bandwidth=units.si(now.chip.memory_bytes_per_s or 0.0, "B/s"),
            read=units.percent(job.bandwidth_efficiency),
            time=duration(float(one.compute_s)),
        ),
    ]  # fmt: skip
    for kind, (name, _colour) in KINDS.items():
        sent = float(one.bytes_on_wire[kind])
        if sent:
            lines.append(labelled(f"- **{_(name)}**", f"{_FORMULAS[kind]} = {units.si(sent, 'B')} → {duration(float(one.wire_s[kind]))}"))
    lines += [
        labelled(f"- **{_('waiting')}**", f"{duration(float(one.waiting_s))} ")
        + _("of {wire} on the wire").format(wire=duration(float(one.communication_s))),
        labelled(
            f"- **{_('bubble')}**",
            f"(p−1)/(v·m) = {run.pipeline_parallel - 1}/{run.virtual_stages * run.accumulation} → {duration(float(one.bubble_s))}",
        ),
        "",
        _("The rates:"),
        "",
        _("- a chip computes at {peak} × {share} = {rate}: its dense 16-bit peak ({source}), and what a layer's own matrix products reach").format(
            peak=units.si(peak, "FLOP/s"), share=units.percent(share), rate=units.si(peak * share, "FLOP/s"), source=_titles(now.chip.source)
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
    share = units.percent(float(fabric.efficiency))
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
