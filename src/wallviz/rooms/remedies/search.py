"""Trials of a search: what successive halving spares."""

from __future__ import annotations

import numpy as np

from wallviz import units
from wallviz.engine.remedies import search
from wallviz.figures import remedies as figures
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.remedies.choices import View


def answer(case: Job, view: View) -> Answer:
    """Full runs that so many trials cost, with and without successive halving."""
    n = np.unique(np.round(np.geomspace(1, max(1000, view.trials), 60)))
    halving = np.asarray(search.halving_runs(n, view.eta))
    cost = float(search.halving_runs(view.trials, view.eta))
    sentence = _("{n} trials cost {full} full runs, or {cost} with successive halving by {eta}: {share} of the bytes need never move.").format(
        n=f"{view.trials:,}",
        full=f"{view.trials:,}",
        cost=units.significant(cost),
        eta=view.eta,
        share=units.percent(float(search.saved_share(view.trials, view.eta))),
    )
    text = [f"{int(a):,} → {units.significant(float(b))}" for a, b in zip(n, halving, strict=True)]
    series = [
        figures.LabelledLine(_("every trial to its end"), n.tolist(), n.tolist(), "reference", [f"{int(a):,}" for a in n], dash="dash"),
        figures.LabelledLine(_("successive halving"), n.tolist(), halving.tolist(), "compute", text, dash="dash"),
        figures.LabelledLine(_("your search"), [view.trials], [cost], "compute", [units.significant(cost)], symbol="circle-open", lines=False),
    ]
    drawing = figures.lines(
        series, name=_("Full runs' worth of work and of bytes moved (log scale; a model of ours)"), across=_("Trials at the start (log scale)"),
        kind="times", ticks={1.0: "1", 10.0: "10", 100.0: "100", 1000.0: "1,000"}, revision="search",
    )  # fmt: skip
    rows = tuple({_("trials"): float(a), _("all to the end"): float(a), _("halving"): float(b)} for a, b in zip(n, halving, strict=True))
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows)
