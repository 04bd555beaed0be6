"""Serving over more chips: tokens per second, and the delay of one."""

from __future__ import annotations

from functools import partial

import numpy as np

from wallviz import units
from wallviz.engine.advice.record import briefly
from wallviz.engine.scaleout.decode import Decode
from wallviz.engine.scaleout.phrases import rate, served_split
from wallviz.figures.bars import Bar
from wallviz.figures.plane import CrossLine, Line
from wallviz.i18n import _, bracketed
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.job import words
from wallviz.rooms.scaleout.choices import View, across_links
from wallviz.rooms.scaleout.curve import (
    badge,
    chips_plane,
    chips_said,
    hover,
    links,
    memory,
    served_line,
    served_rows,
    split_bar,
    table,
    to_fit,
)
from wallviz.rooms.scaleout.over_chips import BUSY, Served, served
from wallviz.rooms.scaleout.serving.formula import how_sure, why
from wallviz.units import duration

SOURCES = ("gpt_fast", "nccl_tests", "ml_engineering")


def answer(case: Job, view: View) -> Answer:
    """Speed per chip over chips: these requests, more at once, and training beside them."""
    now = served(case, view)
    sure, trust = _badge(now)
    return Answer(
        name="scaleout",
        sentence=sentence(now),
        drawing=chips_plane(case, _lines(now), _marks(now), _split(now)),
        sure=sure,
        trust=trust,
        caption=caption(now),
        actions=_actions(now),
        advice=now.fix.changes if now.fix else (),
        facts={"bytes": now.job.peak_bytes, "tokens_per_s": float(now.job.step.tokens_per_s)},
        explain=partial(why, now),
        doubt=how_sure,
        rows=partial(rows, now),
        sources=tuple(dict.fromkeys([*SOURCES, *(s for s in now.chip.source.split(";") if s)])),
    )


def _badge(now: Served) -> tuple[str, str]:
    """Whether it fits, then the share of the time per token in which a chip reads or computes."""
    share = float(now.job.step.efficiency)
    if now.job.runs_out.doubtful:
        return badge(now.job.runs_out, share)
    if now.gpus > 1 and float(now.job.step.start_s) > 0.5 * float(now.job.step.waiting_s):
        return _("an estimate: small messages as NCCL's ring sends them"), "orange"
    said = _("{share} reading memory") if reads(now.job.step) else _("{share} computing")
    return said.format(share=units.percent(share)), badge("no", share)[1]


def reads(one: Decode) -> bool:
    """A chip reads for longer than it computes."""
    return bool(float(one.read_s) >= float(one.compute_s))


def sentence(now: Served) -> str:
    """Up to how many chips doubling pays, the rates, and what a token waits for; first of all whether it fits."""
    job, one, start = now.job, now.job.step, now.start
    said = {"stop": f"{job.pays_up_to:,}", "n": f"{now.gpus:,}", "start": f"{start:,}", "rate": rate(float(one.tokens_per_s))}
    if job.runs_out.doubtful:
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
        alone = _("One chip generates {rate} tokens/s, {step} per token; doubling pays up to {stop} chips.")
        return (alone if job.pays_up_to > 1 else _("One chip generates {rate} tokens/s, {step} per token; a second one does not pay.")).format(**said)
    if now.gpus <= start:
        return _("Doubling pays up to {stop} chips; {n} generate {rate} tokens/s, {step} per token.").format(**said)
    rates, counts = np.atleast_1d(job.curve.tokens_per_s), np.atleast_1d(job.curve.chips)
    best = int(np.argmax(np.where(job.holding, rates, 0.0)))
    if float(rates[best]) > 1.02 * float(one.tokens_per_s):
        said |= {"best": f"{int(counts[best]):,}", "most": rate(float(rates[best]))}
        return _("{best} chips are fastest ({most} tokens/s); {n} reach {rate}, because {idle} of the {step} per token is waiting.").format(**said)
    first = _("Doubling pays up to {stop} chips: {slow} tokens/s on {start}, {rate} on {n}; ").format(**said)
    if float(one.bubble_s) > float(one.waiting_s):
        return first + _("{idle} of the {step} per token is pipeline bubble.").format(**said)
    return first + _("{idle} of the {step} per token is waiting.").format(**said)


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
        links(job.fabric) if now.view.across_gb else bracketed(links(job.fabric), name),
        _("generation alone: the prompt is read before"),
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
                      open=job.runs_out.doubtful))  # fmt: skip
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


def _split(now: Served) -> Bar:
    one = now.job.step
    title = _("One token in {step} on {chips}: {split} · {rate} tokens/s, {each} per chip").format(
        step=duration(float(one.step_s)),
        chips=chips_said(now.gpus),
        split=served_split(now.job.layout),
        rate=rate(float(one.tokens_per_s)),
        each=rate(float(one.tokens_per_s_and_chip)),
    )
    parts = {"reading" if reads(one) else "compute": float(one.busy_s), "waiting": float(one.waiting_s), "bubble": float(one.bubble_s)}
    return split_bar(title, parts)


def _actions(now: Served) -> tuple[Action, ...]:
    found = []
    job = now.job
    if job.runs_out.doubtful:
        found += to_fit(now.case, now.fix)
    elif now.gpus > now.start and job.layout["replicas"] == 1 and job.layout["pipeline_parallel"] * job.layout["expert_parallel"] == 1:
        copies = now.gpus // now.start
        if now.gpus % now.start == 0 and copies > 1:
            text = _("{n} copies of {each}, each with its own requests").format(n=f"{copies:,}", each=chips_said(now.start))
            found.append(Action(text, _("Copies send each other nothing: more answers, none of them sooner"), {"replicas": copies}))
    if now.busy is not None and not now.busy.runs_out.doubtful:
        found.append(Action(_("{n} answers at once").format(n=BUSY), _("Weights are read once for all of them"), {"batch": BUSY}))
    if float(job.fabric.inside_bytes_per_s) > 64e9:
        found.append(Action(_("Break it: PCIe alone"), _("32 GB/s of one direction and chip inside a node"), {"inside_gb": 32}))
    return tuple(found)


def rows(now: Served) -> tuple[dict[str, object], ...]:
    """The table under a figure about serving: a row for each number of chips."""
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
