"""The first figure: how much of its ideal speed each number of chips keeps, and how one step is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from wallviz import units
from wallviz.engine.advice.record import briefly, change, price
from wallviz.engine.advice.search import Fix
from wallviz.engine.memory.capacity import Verdict
from wallviz.engine.scaleout.decode import Decode
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.phrases import rate, split
from wallviz.engine.scaleout.scaling import ScalingCurve
from wallviz.figures.axes import Axis
from wallviz.figures.bars import Bar, Segment
from wallviz.figures.plane import CrossLine, Line, plane
from wallviz.figures.style import ROLES, Drawing
from wallviz.i18n import N_, _, bracketed, labelled
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.advice import changes
from wallviz.rooms.job import words
from wallviz.rooms.scaleout import certainty, formula
from wallviz.rooms.scaleout.choices import View, across_links
from wallviz.rooms.scaleout.over_chips import Served, Study, study
from wallviz.units import duration
from wallviz.validation import scaling_cases

SOURCES = ("megatron_sc21", "zero_2020", "nccl_tests", "ml_engineering")


#: Will it run out of memory: what the badge says then, and its colour.
VERDICTS = {"yes": (N_("does not fit memory"), "red"), "likely": (N_("may not fit memory"), "orange")}


def answer(case: Job, view: View) -> Answer:
    """Efficiency over chips, for the job, for a batch that grows, for little work per chip, and for decoding."""
    now = study(case, view)
    sure, trust = badge(now.job.runs_out, float(now.job.step.efficiency))
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
        explain=partial(formula.why, now),
        doubt=certainty.how_sure,
        rows=partial(_rows, now),
        sources=tuple(dict.fromkeys([*SOURCES, *(s for s in now.chip.source.split(";") if s)])),
    )


def chips_plane(case: Job, lines: Sequence[Line], marks: Sequence[CrossLine], split: Bar) -> Drawing:
    """The plane of chips and the share that each keeps of its speed, one step's parts below it."""
    across = Axis(_("Chips"), lambda n: f"{n:,.0f}", base=2)
    return plane(lines, across=across, up=share_axis(), marks=marks, below=split, inside=True, revision=f"scaleout-{case.model}", right=158)


#: The parts of a step: name, role.
PARTS: dict[str, tuple[str, str]] = {
    "compute": (N_("Compute"), "compute"),
    "waiting": (N_("Waiting for the wire"), "network"),
    "bubble": (N_("Pipeline bubble"), "reference"),
    "reading": (N_("Reading memory"), "bandwidth"),
}


def split_bar(title: str, parts: Mapping[str, float]) -> Bar:
    """The seconds of one step by part, as one bar under its title."""
    total = sum(parts.values())
    return Bar(title, tuple(_part(part, seconds, total) for part, seconds in parts.items() if seconds > 0))


def _part(part: str, seconds: float, total: float) -> Segment:
    (name, role), share = PARTS[part], seconds / total
    colour, said = ROLES[role].colour, f"{duration(seconds)} ({share:.0%})"
    return Segment(seconds, colour, colour, (_(name), f"{duration(seconds)} · {share:.1%}"), name=_(name), said=said)


def badge(runs_out: str, share: float) -> tuple[str, str]:
    """What the badge says and its colour: first of all whether it fits, then the share of the step in which a chip works."""
    if runs_out in VERDICTS:
        said, trust = VERDICTS[runs_out]
        return _(said), trust
    return _("{share} computing").format(share=units.percent(share)), "green" if share >= 0.8 else "orange" if share >= 0.5 else "red"


def doubtful(runs_out: Verdict) -> dict[str, str]:
    """Badge and colour of a figure whose job does not fit; nothing where it does."""
    return dict(zip(("sure", "trust"), badge(runs_out, 1.0), strict=True)) if runs_out.doubtful else {}


def to_fit(case: Job, fix: Fix | None) -> list[Action]:
    """The first advice of every room as a button; none where there is none."""
    return [] if fix is None else [Action(labelled(_("To fit"), change(fix)), price(fix), changes(case, fix) or {}, enough=True)]


def chips_said(n: int) -> str:
    """So many chips, one of them in words."""
    return _("one chip") if n == 1 else _("{n} chips").format(n=f"{n:,}")


def share_axis() -> Axis:
    """Speed per chip over that of a chip which never waits; the seed's point in its name."""
    name = _("Share of the ideal speed per chip · near 100% when there is much arithmetic per byte sent")
    return Axis(name, units.percent, log=False, low=0.0, high=1.1)


def memory(runs_out: str, need: float, now: Study | Served) -> dict[str, str]:
    """The words of a sentence about memory: what is needed, the chip, what it holds."""
    holds = now.chip.memory_bytes
    return {
        "need": units.binary(need),
        "chip": now.chip.name.partition(" (")[0],
        "holds": "–" if holds is None else units.binary(holds),
        "fits": _("may not fit") if runs_out == "likely" else _("does not fit"),
    }


def sentence(now: Study) -> str:
    """Up to how many chips doubling pays, and what this number brings and waits for; first of all whether it fits."""
    one, gpus, start = now.job.step, now.gpus, now.start
    idle = float(one.waiting_s + one.bubble_s)
    said = {
        "n": f"{gpus:,}",
        "chips": chips_said(gpus),
        "idle": duration(idle),
        "step": duration(float(one.step_s)),
        "stop": f"{now.job.pays_up_to:,}",
    }
    if now.job.runs_out.doubtful:
        said |= memory(now.job.runs_out, now.job.peak_bytes, now)
        if now.fix is None:
            return _("{need} per chip {fits} {chip} ({holds}), and nothing that was tried makes it fit.").format(**said)
        said["fix"] = briefly(now.fix)
        if (other := now.fitting) is None or other.pays_up_to == 1:
            return _("{need} per chip {fits} {chip} ({holds}). To fit: {fix}.").format(**said)
        return _("{need} per chip {fits} {chip} ({holds}). To fit: {fix}; doubling then pays up to {stop}.").format(
            **said | {"stop": f"{other.pays_up_to:,}"}
        )
    if start == gpus:
        if gpus > 1:
            return _("Doubling pays up to {stop} chips; on {n} chips {idle} of each {step} step is waiting.").format(**said)
        return _("One chip has nothing to wait for: {step} a step, all of it compute; doubling pays up to {stop} chips.").format(**said)
    gain = now.job.strong.speedup(gpus, start)
    said |= {"start": f"{start:,}", "gain": f"{gain:.3g}", "ideal": f"{gpus / start:.3g}"}
    first = _("Doubling pays up to {stop} chips; {n} are {gain}× as fast as {start} (ideal {ideal}×); ").format(**said)
    if idle < 0.005 * float(one.step_s):
        return first + _("compute hides the wire.")
    if float(one.bubble_s) > float(one.waiting_s):
        return first + _("{idle} of each {step} step is pipeline bubble.").format(**said)
    return first + _("{idle} of each {step} step is waiting.").format(**said)


def caption(now: Study) -> str:
    """How the job is split and what was assumed, in one line."""
    run, chip = now.job.step.run, now.chip
    name, _rate = across_links()[now.view.across]
    holds = _("{need} per chip").format(need=units.binary(now.job.peak_bytes))
    if chip.memory_bytes is not None:
        holds = _("{need} of {holds} per chip").format(need=units.binary(now.job.peak_bytes), holds=units.binary(chip.memory_bytes))
    here = _("{batch} sequences of {s} tokens a step, {b} at once on a chip").format(
        batch=f"{now.job.global_batch:,}", s=f"{int(run.sequence):,}", b=f"{int(run.micro_batch):,}"
    )
    parts = [
        _("split {split}, recomputed: {recompute}").format(split=split(run), recompute=words("recompute")[run.recompute]),
        holds,
        here if run.trains_all else bracketed(here, words("method")[run.method]),
        links(now.job.fabric) if now.view.across_gb else bracketed(links(now.job.fabric), name),
        _("not modelled: stragglers, failures, input pipeline; half of the published runs took more than {median} longer").format(
            median=_median_miss()
        ),
        *([_("generating one answer: as if memory held it")] if now.decoding is not None else []),
    ]
    return " · ".join(parts)


@cache
def _median_miss() -> str:
    """By how much the median of the published runs exceeds what is predicted for it."""
    return units.percent(float(np.median([one.miss for one in scaling_cases.runs()])))


def links(fabric: Fabric) -> str:
    """Both rates."""
    return _("{inside} inside a node, {across} per chip across").format(
        inside=units.si(float(fabric.inside_bytes_per_s), "B/s"), across=units.si(float(fabric.across_bytes_per_s), "B/s")
    )


def _per_byte(value: float | None) -> str:
    """FLOP for each byte sent, as the second part of a label."""
    return "" if value is None else _(":\n{flop} per byte").format(flop=units.si(value, "FLOP"))


def _lines(now: Study) -> list[Line]:
    strong, weak, small = now.job.reach, now.weak, now.small
    shown = strong.chips <= weak.chips[-1]
    chips, share = strong.chips[shown], strong.efficiency[shown]
    unheld = now.job.runs_out.doubtful
    name = _("this job, were\nthere memory") if unheld else _("this job") + _per_byte(now.flop_per_byte)
    lines = [
        Line(
            "network",
            _("{n} tokens a chip").format(n=f"{now.tokens_per_chip:,.0f}") + _per_byte(now.small_flop_per_byte),
            small.chips.tolist(),
            small.efficiency.tolist(),
            hover(small.chips, small.efficiency, small.tokens_per_s),
            dash="dash",
        ),
    ]
    other = now.fitting if unheld else None
    alone = len(chips) == 1  # one sequence cannot be shared out: there is one point, which the batch that grows starts from
    if not unheld:  # else the split that fits is drawn, and the batch may grow with that
        lines.insert(0, _growing(weak, _("batch grows\nwith the chips"), dash="dash"))
    elif alone and other is not None:
        lines.insert(0, _growing(other.weak, _("once it fits,\nthe batch growing\nwith the chips"), small.chips[-1], dash="dash"))
    if now.decoding is not None and np.size(now.decoding.chips) > 1:
        lines.append(served_line(now.decoding, _("generating one answer:\nwaits twice a layer"), dash="dash"))
    lines.append(
        Line("compute", name, chips.tolist(), share.tolist(), hover(chips, share, strong.tokens_per_s[shown]), dash="dot" if unheld else "solid",
             strong=not unheld, named=not alone)
    )  # fmt: skip
    if other is not None and not alone:
        kept = other.reach.chips <= chips[-1]
        n, fit = other.reach.chips[kept], other.reach.efficiency[kept]
        label = _("once it fits:\n{split}").format(split=split(other.step.run).replace(_(", "), _(", ").strip() + "\n"))
        lines.append(Line("compute", label, n.tolist(), fit.tolist(), hover(n, fit, other.reach.tokens_per_s[kept]), strong=True))
    at = strong.at(now.gpus)
    if at >= 0:
        here = [float(strong.efficiency[at])]
        lines.append(Line("compute", name, [now.gpus], here, hover([now.gpus], here, [strong.tokens_per_s[at]]), mode="markers", named=False))
    return lines


def _growing(found: ScalingCurve, label: str, most: float = np.inf, **style: Any) -> Line:
    """A training curve up to so many chips."""
    kept = found.chips <= most
    chips, share = found.chips[kept], found.efficiency[kept]
    return Line("compute", label, chips.tolist(), share.tolist(), hover(chips, share, found.tokens_per_s[kept]), **style)


def served_line(found: Decode, label: str, kept: np.ndarray | None = None, **style: Any) -> Line:
    """A decoding curve as the share that each chip keeps of the speed of the first; where `kept` says so."""
    chips, speed = np.asarray(found.chips), np.asarray(found.tokens_per_s)
    share = speed / chips / (speed / chips)[0]
    at = np.ones(chips.shape, bool) if kept is None else kept
    beside = int(np.argmin(np.abs(share[at] - 0.6)))  # where it falls steeply and other lines are far
    return Line("bandwidth", label, chips[at].tolist(), share[at].tolist(), hover(chips[at], share[at], speed[at]), at=beside, **style)


def hover(chips: Sequence[int] | np.ndarray, share: Sequence[float] | np.ndarray, tokens_per_s: Sequence[float] | np.ndarray) -> list[str]:
    """What each point says."""
    said = _("{n} chips: {share} of the ideal speed\n{rate} tokens/s, {each} per chip")
    return [
        said.format(n=f"{int(n):,}", share=units.percent(float(s), 1), rate=rate(float(r)), each=rate(float(r) / float(n)))
        for n, s, r in zip(chips, share, tokens_per_s, strict=True)
    ]


def _marks(now: Study) -> list[CrossLine]:
    """The ideal, the edge of a node, and where doubling stops paying."""
    found = [CrossLine(1.0, _("ideal"), vertical=False)]
    first, last = int(now.weak.chips[0]), int(now.weak.chips[-1])
    if first <= now.view.per_node < last:
        found.append(CrossLine(now.view.per_node, _("one node")))
    stop = now.job.stops_paying
    if stop is not None and stop != now.view.per_node:
        found.append(CrossLine(stop, _("doubling stops paying"), raised=True))
    return found


def _split(now: Study) -> Bar:
    one = now.job.step
    title = _("One step of {step} on {chips}: {split}").format(step=duration(float(one.step_s)), chips=chips_said(now.gpus), split=split(one.run))
    parts = {"compute": float(one.compute_s), "waiting": float(one.waiting_s), "bubble": float(one.bubble_s)}
    return split_bar(title, parts)


def _actions(now: Study) -> tuple[Action, ...]:
    found = []
    found += to_fit(now.case, now.fix)
    if now.view.overlap == "none":
        found.append(
            Action(_("Hide gradients behind compute"), _("What frameworks do: send them while the backward pass goes on"), {"overlap": "partial"})
        )
    slow = "ethernet/10-gbe"
    if now.view.across != slow and not now.view.across_gb:
        found.append(
            Action(_("Break it: links of 10 Gbit/s"), _("The same chips in a room without a fast network"), {"across": slow, "show": "curve"})
        )
    return tuple(found)


def _rows(now: Study) -> tuple[dict[str, object], ...]:
    rows: list[dict[str, object]] = []
    curves = [
        (_("this job"), now.job.reach),
        (_("batch grows with the chips"), now.weak),
        (_("{n} tokens a chip and step").format(n=f"{now.tokens_per_chip:,.0f}"), now.small),
    ]
    if now.fitting is not None:
        curves.append((_("once it fits: {split}").format(split=split(now.fitting.step.run)), now.fitting.reach))
    for name, curve in curves:
        one = curve.steps
        rows += table(
            name, curve.chips, one.step_s, one.compute_s, one.waiting_s, one.bubble_s, one.communication_s, one.tokens_per_s, curve.efficiency
        )
    if now.decoding is not None:
        rows += served_rows(_("generating one answer"), now.decoding)
    return tuple(rows)


def served_rows(name: str, found: Decode) -> list[dict[str, object]]:
    """The rows of a decoding curve."""
    each = np.asarray(found.tokens_per_s / found.chips)
    times = (found.step_s, found.busy_s, found.waiting_s, found.bubble_s, found.waiting_s)
    return table(name, found.chips, *times, found.tokens_per_s, each / each[0])


def table(name: str, chips: Any, *columns: Any) -> list[dict[str, object]]:
    """Rows of one line: its name, chips, and the columns in the order of the titles below."""
    titles = (_("step (s)"), _("compute (s)"), _("waiting (s)"), _("bubble (s)"), _("on the wire (s)"), _("tokens/s"), _("share of the ideal"))
    full = [np.broadcast_to(np.asarray(column, float), np.shape(chips)) for column in columns]
    return [
        {_("what"): name, _("chips"): int(n)} | {title: float(column[i]) for title, column in zip(titles, full, strict=True)}
        for i, n in enumerate(np.atleast_1d(chips))
    ]
