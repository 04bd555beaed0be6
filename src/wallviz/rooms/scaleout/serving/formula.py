"""Why serving goes so fast and no faster, with the reader's numbers, and how sure that is."""

from __future__ import annotations

from wallviz import units
from wallviz.engine.scaleout.serving_job import NOT_MODELLED_SERVING
from wallviz.engine.scaleout.traffic import traffic
from wallviz.i18n import _, followed, labelled
from wallviz.rooms.scaleout import certainty, formula
from wallviz.rooms.scaleout.over_chips import Served
from wallviz.units import duration


def why(now: Served) -> str:
    """A token as a sum, each term with its formula and its numbers, as Markdown."""
    job, one, model = now.job, now.job.step, traffic(now.arch, decoding=True)
    t, p, e = (job.layout[name] for name in ("tensor_parallel", "pipeline_parallel", "expert_parallel"))
    bandwidth, reads, peak = now.chip.memory_bytes_per_s or 0.0, float(one.moved_bytes), now.chip.peak("bf16")
    lines = [
        followed(
            _("A token takes the longer of reading and arithmetic, operation by operation: {time}; waiting and bubble come on top.").format(
                time=duration(float(one.busy_s))
            ),
            _("Each chip reads its part of the weights and of the cache for every token."),
        ),
        "",
        labelled(f"- **{_('reading')}**", "")
        + f"(P·w + b·KV) / (t·p) / (BW · {units.percent(job.bandwidth_efficiency)}) = {units.si(reads, 'B')} / "
        + f"({units.si(bandwidth, 'B/s')} × {units.percent(job.bandwidth_efficiency)}) = {duration(float(one.read_s))}",
        labelled(f"- **{_('arithmetic')}**", "")
        + f"(2·P + {_('attention')})·b / (t·p) = {units.si(float(one.flop), 'FLOP')} → {duration(float(one.compute_s))}"
        + ("" if peak is None else f" ({units.si(peak, 'FLOP/s')} × {units.percent(job.efficiency)})"),
    ]
    if t > 1:
        starts = float(one.start_s) / float(one.waiting_s) if float(one.waiting_s) else 0.0
        lines += [
            labelled(f"- **{_('waiting')}**", "")
            + _("{sums} sums over {t} chips for each token: {time}, {share} of it messages starting, whatever their size").format(
                sums=f"{model.sums:,}", t=f"{t:,}", time=duration(float(one.waiting_s)), share=units.percent(starts)
            ),
            "- "
            + _("a sum goes round a ring in 2(t−1) = {steps} steps of {inside} inside a node; across nodes a tree adds {across} a level").format(
                steps=2 * (min(t, now.view.per_node) - 1), inside=duration(job.fabric.inside_latency_s), across=duration(job.fabric.across_latency_s)
            ),
        ]
    if e > 1:
        lines.append(
            "- " + _("tokens go to their experts and back: {bytes} a chip").format(bytes=units.si(float(one.bytes_on_wire["expert_parallel"]), "B"))
        )
    if p > 1:
        lines.append(
            labelled(f"- **{_('bubble')}**", "")
            + _("a token passes {p} stages one after the other; {m} of them are at work: {time}").format(
                p=p, m=min(-(-job.batch // e), p), time=duration(float(one.bubble_s))
            )
        )
    sent = float(one.sent_bytes)
    lines += ["", *formula.links_of(job.fabric, t)]
    if sent:
        lines.append(
            "- "
            + _("a chip does {flop} for each byte that it sends, and reads {bytes} from memory: the wire is not full, it is late").format(
                flop=units.si(float(one.flop) / sent, "FLOP"), bytes=units.si(reads / sent, "B")
            )
        )
    stop = job.stops_paying
    lines += [
        "",
        _("Doubling stops paying at {n} chips: from there on it brings less than 1.5 times the speed.").format(n=f"{stop:,}")
        if stop is not None
        else _("Up to {n} chips, as many as share its heads, every doubling brings at least 1.5 times the speed.").format(n=f"{job.pays_up_to:,}"),
        _("More chips shorten the reading, not the starts of messages: what a chip has to do for each message shrinks until it only waits."),
        "",
        _("Scale-out suits work with much arithmetic and little traffic: decoding and small batches have the opposite."),
    ]
    return "\n".join(lines)


def how_sure() -> str:
    """What was compared, and what is left out, as Markdown."""
    return "\n".join([certainty.decoding(), "", certainty.labelled_list(NOT_MODELLED_SERVING)])
