"""The first figure: how much of its ideal speed each number of chips keeps, and how one step is spent."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from wallviz import units
from wallviz.answers import Action, Answer
from wallviz.answers.scaleout import doubt
from wallviz.answers.scaleout.choices import View, across_links
from wallviz.answers.scaleout.study import SMALL, Study, best, study
from wallviz.case import Case
from wallviz.figures import scaleout as figures
from wallviz.figures.scaleout import Axis, Line, Mark, Split
from wallviz.i18n import _

SOURCES = ("megatron_sc21", "zero_2020", "nccl_tests", "ml_engineering")


def answer(case: Case, view: View) -> Answer:
    """Efficiency over chips, for the job, for a batch that grows, for little work per chip, and for decoding."""
    now = study(case, view)
    share = float(now.job.step.efficiency)
    return Answer(
        name="scaleout",
        sentence=sentence(now),
        drawing=figures.plane(
            _lines(now),
            across=Axis(_("Chips"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Share of the ideal speed per chip · 100 %: no chip ever waits"), lambda v: f"{v:.0%}", log=False, low=0.0, high=1.1),
            marks=_marks(now),
            split=_split(now),
            revision=f"scaleout-{case.model}",
        ),
        sure=_("{share} computing").format(share=f"{share:.0%}"),
        trust="green" if share >= 0.8 else "orange" if share >= 0.5 else "red",
        caption=caption(now),
        actions=_actions(now),
        explain=partial(doubt.why, now),
        doubt=doubt.how_sure,
        problems=tuple(_problems(now)),
        rows=partial(_rows, now),
        sources=tuple(dict.fromkeys([*SOURCES, *(s for s in now.chip.source.split(";") if s)])),
    )


def sentence(now: Study) -> str:
    """From a node (or one copy) to the chips asked about: what that brings, and what it waits for."""
    one, gpus, start = now.job.step, now.gpus, now.start
    idle = float(one.waiting_s + one.bubble_s)
    words = {"n": f"{gpus:,}", "idle": units.si(idle, "s"), "step": units.si(float(one.step_s), "s")}
    if start == gpus:
        return (
            _("{n} chips: {idle} of each {step} step waits.").format(**words)
            if gpus > 1
            else _("One chip waits for nobody: {step} a step, all of it compute.").format(**words)
        )
    gain = now.job.strong.speedup(gpus, start)
    words |= {"start": f"{start:,}", "gain": f"{gain:.3g}", "ideal": f"{gpus / start:.3g}"}
    if idle < 0.005 * float(one.step_s):
        return _("{start} to {n} chips gives {gain}× of {ideal}×: compute hides the wire, as long as each chip has this much to do.").format(**words)
    if float(one.bubble_s) > float(one.waiting_s):
        return _("{start} to {n} chips gives {gain}×, not {ideal}×: {idle} of each {step} step is lost, most of it in the pipeline.").format(**words)
    return _("{start} to {n} chips gives {gain}×, not {ideal}×: {idle} of each {step} step waits on the wire.").format(**words)


def caption(now: Study) -> str:
    """What was assumed, in one line."""
    name, _rate = across_links()[now.view.across]
    rate = float(now.job.fabric.across_bytes_per_s)
    parts = [
        _("training {model}, {n} tokens a step").format(model=now.arch.name, n=units.count(float(now.job.step.tokens))),
        _("{inside} inside a node, {across} per chip across").format(
            inside=units.si(float(now.job.fabric.inside_bytes_per_s), "B/s"), across=units.si(rate, "B/s")
        )
        + (f" ({name})" if not now.view.across_gb else ""),
        _("not modelled: stragglers, failures, input pipeline"),
    ]
    return " · ".join(parts)


def _lines(now: Study) -> list[Line]:
    strong, weak, small = now.job.strong, now.job.weak, now.small
    lines = [
        Line(
            "compute",
            _("batch grows\nwith the chips"),
            weak.chips.tolist(),
            weak.efficiency.tolist(),
            _hover(now, weak.chips, weak.efficiency),
            dash="dash",
        ),
        Line(
            "network",
            _("{n} times less\nwork per chip").format(n=SMALL),
            small.chips.tolist(),
            small.efficiency.tolist(),
            _hover(now, small.chips, small.efficiency),
            dash="dash",
        ),
    ]
    if now.decoding is not None and np.size(now.decoding.chips) > 1:
        chips = np.asarray(now.decoding.chips)
        rate = np.asarray(now.decoding.tokens_per_s) / chips
        lines.append(
            Line("bandwidth", _("writing\none answer"), chips.tolist(), (rate / rate[0]).tolist(), _hover(now, chips, rate / rate[0]), dash="dash")
        )
    lines.append(
        Line("compute", _("this job"), strong.chips.tolist(), strong.efficiency.tolist(), _hover(now, strong.chips, strong.efficiency), strong=True)
    )
    at = strong.at(now.gpus)
    if at >= 0:
        share = float(strong.efficiency[at])
        lines.append(
            Line("compute", _("this job"), [now.gpus], [share], _hover(now, np.array([now.gpus]), np.array([share])), mode="markers", named=False)
        )
    return lines


def _hover(now: Study, chips: np.ndarray, share: np.ndarray) -> list[str]:
    return [_("{n} chips: {share} of the ideal speed").format(n=f"{int(n):,}", share=f"{float(s):.1%}") for n, s in zip(chips, share, strict=True)]


def _marks(now: Study) -> list[Mark]:
    """The ideal, the edge of a node, and where doubling stops paying."""
    found = [Mark(1.0, _("ideal"), vertical=False)]
    first, last = int(now.job.weak.chips[0]), int(now.job.weak.chips[-1])
    if first <= now.view.per_node < last:
        found.append(Mark(now.view.per_node, _("one node")))
    stop = now.job.stops_paying
    if stop is not None and stop != now.view.per_node:
        found.append(Mark(stop, _("doubling stops paying"), top=True))
    return found


def _split(now: Study) -> Split:
    one = now.job.step
    return Split(
        _("One step of {step} on {n} chips").format(step=units.si(float(one.step_s), "s"), n=f"{now.gpus:,}"),
        {"compute": float(one.compute_s), "waiting": float(one.waiting_s), "bubble": float(one.bubble_s)},
    )


def _actions(now: Study) -> tuple[Action, ...]:
    found = []
    if now.job.fits is False and now.chip.memory_bytes is not None:
        layouts = best(now.case, now.view)
        if layouts.best:
            run = layouts.best[0].run
            names = ("tensor_parallel", "sequence_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel", "zero")
            sets = {name: getattr(run, name) for name in names} | {"recompute": run.recompute, "batch": run.micro_batch}
            text = _("The fastest split that fits: {step} a step").format(step=units.si(layouts.best[0].step_s, "s"))
            found.append(Action(text, _("Best of {n} splits").format(n=f"{layouts.asked:,}"), sets, enough=True))
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


def _problems(now: Study) -> list[str]:
    found = []
    if now.job.fits is False and now.chip.memory_bytes is not None:
        found.append(
            _("{need} per chip does not fit {chip} ({holds}): times hold, memory does not.").format(
                need=units.binary(now.job.peak_bytes), chip=now.chip.name.partition(" (")[0], holds=units.binary(now.chip.memory_bytes)
            )
        )
    return found


def _rows(now: Study) -> tuple[dict[str, object], ...]:
    rows: list[dict[str, object]] = []
    for name, curve in (
        (_("this job"), now.job.strong),
        (_("batch grows with the chips"), now.job.weak),
        (_("{n} times less work per chip").format(n=SMALL), now.small),
    ):
        steps = curve.steps
        rows += _table(
            name,
            curve.chips,
            steps.step_s,
            steps.compute_s,
            steps.waiting_s,
            steps.bubble_s,
            steps.communication_s,
            steps.tokens_per_s,
            curve.efficiency,
        )
    if (found := now.decoding) is not None:
        rate = np.asarray(found.tokens_per_s / found.chips)
        rows += _table(
            _("writing one answer"),
            found.chips,
            found.step_s,
            found.read_s,
            found.waiting_s,
            0.0,
            found.waiting_s,
            found.tokens_per_s,
            rate / rate[0],
        )
    return tuple(rows)


def _table(name: str, chips: Any, *columns: Any) -> list[dict[str, object]]:
    """Rows of one line: its name, chips, and the columns in the order of the titles below."""
    titles = (_("step (s)"), _("compute (s)"), _("waiting (s)"), _("bubble (s)"), _("on the wire (s)"), _("tokens/s"), _("share of the ideal"))
    full = [np.broadcast_to(np.asarray(column, float), np.shape(chips)) for column in columns]
    return [
        {_("what"): name, _("chips"): int(n)} | {title: float(column[i]) for title, column in zip(titles, full, strict=True)}
        for i, n in enumerate(chips)
    ]
