"""Serving over many chips: how much of its speed each keeps, what the wires carry, reading against waiting, and what tokens cost."""

from __future__ import annotations

from functools import partial

import numpy as np

from wallviz import units
from wallviz.engine.advice.record import briefly
from wallviz.engine.scaleout.decode import Decode
from wallviz.engine.scaleout.job import NOT_MODELLED_SERVING
from wallviz.engine.scaleout.phrases import rate, served_split
from wallviz.engine.scaleout.traffic import traffic
from wallviz.figures import scaleout as figures
from wallviz.figures.scaleout import Axis, CrossLine, LayoutBar, Line, Split
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.job import words
from wallviz.rooms.scaleout import certainty, formula
from wallviz.rooms.scaleout.choices import View, across_links
from wallviz.rooms.scaleout.curve import (
    VERDICTS,
    badge,
    chips_said,
    doubtful,
    hover,
    links,
    memory,
    served_line,
    served_rows,
    share_axis,
    table,
    to_fit,
)
from wallviz.rooms.scaleout.over_chips import BUSY, Served, ServingWay, served, ways
from wallviz.rooms.scaleout.wire import one_sends_nothing
from wallviz.units import duration

SOURCES = ("gpt_fast", "nccl_tests", "ml_engineering")


def answer(case: Job, view: View) -> Answer:
    """Speed per chip over chips: these requests, more at once, and training beside them."""
    now = served(case, view)
    sure, trust = _badge(now)
    return Answer(
        name="scaleout",
        sentence=sentence(now),
        drawing=figures.plane(
            _lines(now),
            across=Axis(_("Chips"), lambda n: f"{n:,.0f}", base=2),
            up=share_axis(),
            marks=_marks(now),
            split=_split(now),
            revision=f"scaleout-{case.model}",
            right=158,
        ),
        sure=sure,
        trust=trust,
        caption=caption(now),
        actions=_actions(now),
        advice=now.fix.changes if now.fix else (),
        facts={"bytes": now.job.peak_bytes, "tokens_per_s": float(now.job.step.tokens_per_s)},
        explain=partial(why, now),
        doubt=how_sure,
        rows=partial(_rows, now),
        sources=tuple(dict.fromkeys([*SOURCES, *(s for s in now.chip.source.split(";") if s)])),
    )


def _badge(now: Served) -> tuple[str, str]:
    """Whether it fits, then the share of the time per token in which a chip reads or computes."""
    share = float(now.job.step.efficiency)
    if now.job.runs_out in VERDICTS:
        return badge(now.job.runs_out, share)
    if now.gpus > 1 and float(now.job.step.start_s) > 0.5 * float(now.job.step.waiting_s):
        return _("an estimate: small messages as NCCL's ring sends them"), "orange"
    said = _("{share} reading memory") if _reads(now.job.step) else _("{share} computing")
    return said.format(share=f"{share:.0%}"), badge("no", share)[1]


def _reads(one: Decode) -> bool:
    """A chip reads for longer than it computes."""
    return bool(float(one.read_s) >= float(one.compute_s))


def sentence(now: Served) -> str:
    """Up to how many chips doubling pays, the rates, and what a token waits for; first of all whether it fits."""
    job, one, start = now.job, now.job.step, now.start
    said = {"stop": f"{job.pays_up_to:,}", "n": f"{now.gpus:,}", "start": f"{start:,}", "rate": rate(float(one.tokens_per_s))}
    if job.runs_out in VERDICTS:
        said |= memory(job.runs_out, job.peak_bytes, now)
        if now.fix is None:
            return _("{need} per chip {fits} {chip} ({holds}), and nothing that was tried makes it fit.").format(**said)
        said["fix"] = briefly(now.fix)
        if (other := now.fitting) is None:
            return _("{need} per chip {fits} {chip} ({holds}). To fit: {fix}.").format(**said)
        said["rate"] = rate(float(other.job.step.tokens_per_s))
        return _("{need} per chip {fits} {chip} ({holds}). To fit: {fix}; then {rate} tokens/s.").format(**said)
    idle, step = float(one.waiting_s + one.bubble_s), float(one.step_s)
    said |= {"idle": duration(idle), "step": duration(step), "slow": rate(now.tokens_per_s(start))}
    if now.gpus == 1:
        alone = _("One chip writes {rate} tokens/s, {step} a token; doubling pays up to {stop} chips.")
        return (alone if job.pays_up_to > 1 else _("One chip writes {rate} tokens/s, {step} a token; a second one does not pay.")).format(**said)
    if now.gpus <= start:
        return _("Doubling pays up to {stop} chips; {n} write {rate} tokens/s, {step} a token.").format(**said)
    rates, counts = np.atleast_1d(job.curve.tokens_per_s), np.atleast_1d(job.curve.chips)
    best = int(np.argmax(np.where(job.holding, rates, 0.0)))
    if float(rates[best]) > 1.02 * float(one.tokens_per_s):
        said |= {"best": f"{int(counts[best]):,}", "most": rate(float(rates[best]))}
        return _("{best} chips write most, {most} tokens/s: {n} only {rate}, for {idle} of each {step} token waits on the wire.").format(**said)
    first = _("Doubling pays up to {stop} chips: {slow} tokens/s on {start}, {rate} on {n}; ").format(**said)
    if float(one.bubble_s) > float(one.waiting_s):
        return first + _("{idle} of each {step} token is lost in the pipeline.").format(**said)
    return first + _("{idle} of each {step} token waits on the wire.").format(**said)


def caption(now: Served) -> str:
    """How the chips are shared and what was assumed, in one line."""
    job, chip = now.job, now.chip
    name, _rate = across_links()[now.view.across]
    holds = "–" if chip.memory_bytes is None else units.binary(chip.memory_bytes)
    parts = [
        _("split {split}").format(split=served_split(job.layout)),
        _("{need} of {holds} per chip").format(need=units.binary(job.peak_bytes), holds=holds),
        _("batch {batch}, context {context}").format(batch=f"{job.batch:,}", context=f"{job.context:,}"),
        _("weights {format}").format(format=words("format")[job.weights]),
        links(job.fabric) + (f" ({name})" if not now.view.across_gb else ""),
        _("writing alone: the prompt is read before"),
        *([_("the line of training: as if each chip held a whole copy")] if now.training is not None else []),
    ]
    return " · ".join(parts)


def _lines(now: Served) -> list[Line]:
    job = now.job
    chips, holding = np.atleast_1d(job.curve.chips), job.holding
    this = served_line(job.curve, "")
    found = []
    if now.training is not None:
        curve = now.training
        label = _("training it:\n256 sequences")
        found.append(
            Line(
                "compute",
                label,
                curve.chips.tolist(),
                curve.efficiency.tolist(),
                hover(curve.chips, curve.efficiency, curve.tokens_per_s),
                dash="dash",
            )
        )
    if now.busy is not None:
        found.append(served_line(now.busy.curve, _("{n} answers\nat once").format(n=BUSY), now.busy.holding, dash="dash"))
    name = _("this job:\n{n} answers at once").format(n=f"{job.batch:,}") if job.batch > 1 else _("this job:\none answer")
    first = int(np.flatnonzero(holding)[0]) if holding.any() else len(chips)
    missing = first + 1 if 0 < first < len(chips) else first  # up to where it fits
    if first > 0:
        x, y = list(this.x[:missing]), list(this.y[:missing])
        found.append(Line("bandwidth", _("were there\nmemory"), x, y, this.hover[:missing], dash="dot", named=first == len(chips)))
    if first < len(chips):
        found.append(Line("bandwidth", name, this.x[first:], this.y[first:], this.hover[first:], strong=True))
    base = float(np.atleast_1d(job.curve.tokens_per_s)[0] / chips[0])
    here = float(job.step.tokens_per_s_and_chip) / base
    found.append(Line("bandwidth", name, [now.gpus], [here], hover([now.gpus], [here], [float(job.step.tokens_per_s)]), mode="markers", named=False,
                      open=job.runs_out in VERDICTS))  # fmt: skip
    return found


def _marks(now: Served) -> list[CrossLine]:
    """Copies that share nothing, the edge of a node, where doubling stops paying."""
    chips = np.atleast_1d(now.job.curve.chips)
    found = [CrossLine(1.0, _("ideal: copies that share nothing"), vertical=False)]
    if chips[0] <= now.view.per_node < chips[-1]:
        found.append(CrossLine(now.view.per_node, _("one node")))
    stop = now.job.stops_paying if now.job.holding.any() else None
    if stop is not None and stop != now.view.per_node:
        found.append(CrossLine(stop, _("doubling stops paying"), raised=True))
    return found


def _split(now: Served) -> Split:
    one = now.job.step
    title = _("One token in {step} on {chips}: {split} · {rate} tokens/s, {each} per chip").format(
        step=duration(float(one.step_s)),
        chips=chips_said(now.gpus),
        split=served_split(now.job.layout),
        rate=rate(float(one.tokens_per_s)),
        each=rate(float(one.tokens_per_s_and_chip)),
    )
    parts = {"reading" if _reads(one) else "compute": float(one.busy_s), "waiting": float(one.waiting_s), "bubble": float(one.bubble_s)}
    return Split(title, {part: (seconds, duration(seconds)) for part, seconds in parts.items()})


def _actions(now: Served) -> tuple[Action, ...]:
    found = []
    job = now.job
    if job.runs_out in VERDICTS:
        found += to_fit(now.case, now.fix)
    elif now.gpus > now.start and job.layout["replicas"] == 1 and job.layout["pipeline_parallel"] * job.layout["expert_parallel"] == 1:
        copies = now.gpus // now.start
        if now.gpus % now.start == 0 and copies > 1:
            text = _("{n} copies of {each}, each with its own requests").format(n=f"{copies:,}", each=chips_said(now.start))
            found.append(Action(text, _("Copies send each other nothing: more answers, none of them sooner"), {"replicas": copies}))
    if now.busy is not None and now.busy.runs_out in ("no", "unknown"):
        found.append(Action(_("{n} answers at once").format(n=BUSY), _("Weights are read once for all of them"), {"batch": BUSY}))
    if float(job.fabric.inside_bytes_per_s) > 64e9:
        found.append(Action(_("Break it: PCI Express alone"), _("32 GB/s of one direction and chip inside a node"), {"inside_gb": 32}))
    return tuple(found)


def _rows(now: Served) -> tuple[dict[str, object], ...]:
    job = now.job
    rows = [
        row | {_("memory per chip (B)"): need, _("holds it"): _("yes") if fine else _("no")}
        for row, need, fine in zip(served_rows(_("this job"), job.curve), job.curve_bytes, job.holding.tolist(), strict=True)
    ]
    rest = {_("memory per chip (B)"): None, _("holds it"): None}
    if now.busy is not None:
        rows += [row | rest for row in served_rows(_("{n} answers at once").format(n=BUSY), now.busy.curve)]
    if (curve := now.training) is not None:
        one = curve.steps
        rows += [
            row | rest
            for row in table(
                _("training it: 256 sequences"), curve.chips, one.step_s, one.compute_s, one.waiting_s, one.bubble_s, one.communication_s,
                one.tokens_per_s, curve.efficiency,
            )
        ]  # fmt: skip
    return tuple(rows)


# -- why and how sure -----------------------------------------------------------------------------------------------------------------


def why(now: Served) -> str:
    """A token as a sum, each term with its formula and its numbers, as Markdown."""
    job, one, model = now.job, now.job.step, traffic(now.arch, decoding=True)
    t, p, e = (job.layout[name] for name in ("tensor_parallel", "pipeline_parallel", "expert_parallel"))
    bandwidth, reads, peak = now.chip.memory_bytes_per_s or 0.0, float(one.moved_bytes), now.chip.peak("bf16")
    lines = [
        _("A token takes the longer of reading and arithmetic, operation by operation: {time}; waiting and bubble come on top.").format(
            time=duration(float(one.busy_s))
        )
        + " "
        + _("Each chip reads its part of the weights and of the cache for every token."),
        "",
        f"- **{_('reading')}**: (P·w + b·KV) / (t·p) / (BW · {job.bandwidth_efficiency:.0%}) = {units.si(reads, 'B')} / "
        + f"({units.si(bandwidth, 'B/s')} × {job.bandwidth_efficiency:.0%}) = {duration(float(one.read_s))}",
        f"- **{_('arithmetic')}**: (2·P + {_('attention')})·b / (t·p) = {units.si(float(one.flop), 'FLOP')} → {duration(float(one.compute_s))}"
        + ("" if peak is None else f" ({units.si(peak, 'FLOP/s')} × {job.efficiency:.0%})"),
    ]
    if t > 1:
        starts = float(one.start_s) / float(one.waiting_s) if float(one.waiting_s) else 0.0
        lines += [
            f"- **{_('waiting')}**: "
            + _("{sums} sums over {t} chips for each token: {time}, {share} of it messages starting, whatever their size").format(
                sums=f"{model.sums:,}", t=f"{t:,}", time=duration(float(one.waiting_s)), share=f"{starts:.0%}"
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
            f"- **{_('bubble')}**: "
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


# -- the other figures ----------------------------------------------------------------------------------------------------------------


def _answer(now: Served, **more: object) -> Answer:
    sources = tuple(dict.fromkeys([*SOURCES, *(s for s in now.chip.source.split(";") if s)]))
    return Answer("scaleout", explain=partial(why, now), doubt=how_sure, sources=sources, **doubtful(now.job.runs_out), **more)  # type: ignore[arg-type]


def wire(case: Job, view: View) -> Answer:
    """Bytes per chip and token as the chips are shared, and by other ways of sharing them."""
    now = served(case, view)
    if now.gpus == 1:
        return one_sends_nothing()
    here = {"tensor_parallel", "pipeline_parallel", "expert_parallel", "replicas"}
    others = [way for way in ways(case, view) if any(way.job.layout[name] == now.gpus for name in here) and way.job.layout != now.job.layout]
    rows = [LayoutBar(_("As you split it"), _sent(now.job.step), _note(now.job.step), here=True)]
    rows += [LayoutBar(_way(way), _sent(way.job.step), _note(way.job.step) + ("" if way.holds else " · " + _("does not fit"))) for way in others]
    most = max((way for way in others if way.holds), key=lambda way: float(way.job.step.tokens_per_s), default=None)
    text = _("A chip sends {sent} a token; {chips} this way: {rate} tokens/s").format(
        sent=units.si(float(now.job.step.sent_bytes), "B"), chips=chips_said(now.gpus), rate=rate(float(now.job.step.tokens_per_s))
    )
    text += (
        _(", as “{way}” {other}.").format(way=_way(most), other=rate(float(most.job.step.tokens_per_s)))
        if most is not None and float(most.job.step.tokens_per_s) > float(now.job.step.tokens_per_s)
        else _(", and no single other way writes more.")
    )
    return _answer(
        now,
        sentence=text,
        drawing=figures.bars(rows, name=_("Bytes that one chip sends per token of each sequence"), revision="scaleout-wire"),
        rows=lambda: tuple(
            {
                _("split"): row.label, _("what"): _(figures.KINDS[kind][0]), _("bytes"): sent, _("note"): row.note,
            }
            for row in rows for kind, sent in (row.parts or {"tensor_parallel": 0.0}).items()
        ),
        caption=_("{chips}, {batch} sequences in each copy").format(chips=chips_said(now.gpus), batch=f"{case.batch:,}"),
    )  # fmt: skip


def _sent(one: Decode) -> dict[str, float]:
    return {kind: float(sent) for kind, sent in one.bytes_on_wire.items() if float(sent)}


def _note(one: Decode) -> str:
    return _("{time} a token, {rate} tokens/s").format(time=duration(float(one.step_s)), rate=rate(float(one.tokens_per_s)))


def _way(way: ServingWay) -> str:
    names = {
        "tensor_parallel": _("Each layer over all (tensor)"),
        "pipeline_parallel": _("Layers in turn (pipeline)"),
        "expert_parallel": _("Experts apart"),
        "replicas": _("A copy on each chip"),
    }
    return next(said for name, said in names.items() if way.job.layout[name] > 1)


def against(case: Job, view: View) -> Answer:
    """Reading and waiting of a token over chips: where the lines cross, a token waits longer than it is worked on."""
    now = served(case, view)
    curve = now.job.curve
    chips = np.atleast_1d(curve.chips)
    busy, waits = np.atleast_1d(curve.busy_s), np.broadcast_to(curve.waiting_s, chips.shape)
    some = waits > 0
    name, role = (_("reading\nmemory"), "bandwidth") if _reads(now.job.step) else (_("compute"), "compute")
    lines = [Line(role, name, chips.tolist(), busy.tolist(), [duration(float(v)) for v in busy], mode="lines+markers", strong=True)]
    if some.any():
        said = [duration(float(v)) for v in waits[some]]
        lines.append(Line("network", _("waiting for\nthe wire"), chips[some].tolist(), waits[some].tolist(), said, mode="lines+markers", strong=True))
    over = np.flatnonzero(waits > busy)
    if len(over):
        text = _("From {n} chips on a token waits longer on the wire than a chip works on it.").format(n=f"{int(chips[over[0]]):,}")
    else:
        text = _("Up to {n} chips a chip works longer on a token than it waits: {busy} against {waits}.").format(
            n=f"{int(chips[-1]):,}", busy=duration(float(busy[-1])), waits=duration(float(waits[-1]))
        )
    return _answer(
        now,
        sentence=text,
        drawing=figures.plane(
            lines,
            across=Axis(_("Chips that share each token"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Time per token (log scale)"), duration),
            marks=(CrossLine(now.gpus, _("{n} chips").format(n=f"{now.gpus:,}")),) if now.gpus in chips else (),
            revision="scaleout-frontier",
        ),
        rows=partial(_rows, now),
        caption=caption(now),
    )


def bill(case: Job, view: View) -> Answer:
    """Chip hours of a million tokens over chips, with energy and, at the reader's price, cost."""
    now = served(case, view)
    chips = np.atleast_1d(now.job.curve.chips)
    speed = np.atleast_1d(now.job.curve.tokens_per_s)
    one = now.bill(float(now.job.step.tokens_per_s), now.gpus)
    hours = chips / speed * 1e6 / 3600.0
    here = float(now.gpus / float(now.job.step.tokens_per_s) * 1e6 / 3600.0)
    said = {
        "tokens": units.count(one.tokens),
        "chips": chips_said(now.gpus),
        "time": duration(float(one.seconds)),
        "energy": units.si(float(one.energy_j) / 3600.0, "Wh") if one.energy_j is not None else "–",
    }
    text = _("{tokens} tokens on {chips}: {time} and {energy} at most.").format(**said)
    if one.cost is not None:
        price = units.significant(float(one.cost) / one.tokens * 1e6)
        text = _("{tokens} tokens on {chips}: {time}, {energy} at most, {price} a million at your price.").format(**said, price=price)
    hovers = [
        _("{n} chips: {hours} chip hours").format(n=f"{int(n):,}", hours=units.significant(float(h))) for n, h in zip(chips, hours, strict=True)
    ]
    bills = now.bill(speed, chips)
    return _answer(
        now,
        sentence=text,
        drawing=figures.plane(
            [
                Line("bandwidth", _("this job"), chips.tolist(), hours.tolist(), hovers, mode="lines+markers", strong=True),
                Line("bandwidth", _("this job"), [now.gpus], [here], mode="markers", named=False),
            ],
            across=Axis(_("Chips"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Chip hours for a million tokens (log scale)"), lambda v: units.significant(v)),
            revision="scaleout-bill",
        ),
        rows=lambda: tuple(
            {
                _("chips"): int(n), _("tokens/s"): float(r), _("days"): float(s) / 86_400.0, _("chip hours"): float(h),
                _("energy (kWh)"): None if bills.energy_j is None else float(np.broadcast_to(bills.energy_j, chips.shape)[i]) / 3.6e6,
                _("cost (your price)"): None if bills.cost is None else float(np.broadcast_to(bills.cost, chips.shape)[i]),
            }
            for i, (n, r, s, h) in enumerate(
                zip(chips, speed, np.broadcast_to(bills.seconds, chips.shape), np.broadcast_to(bills.chip_hours, chips.shape), strict=True)
            )
        ),
        caption=_("Energy: every chip at its design power times the data centre's overhead, hosts and network left out"),
    )  # fmt: skip
