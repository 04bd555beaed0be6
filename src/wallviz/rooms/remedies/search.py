"""Trials of a search: what successive halving spares."""

from __future__ import annotations

import numpy as np

from wallviz import units
from wallviz.engine.remedies import search
from wallviz.figures.axes import Axis
from wallviz.figures.axes import said as tick
from wallviz.figures.plane import Dot, Line, plane
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
    lines = [
        Line("reference", _("every trial to its end"), n.tolist(), n.tolist(), [f"{int(a):,}" for a in n], dash="dash"),
        Line("compute", _("successive halving"), n.tolist(), halving.tolist(), text, dash="dash"),
    ]
    up = Axis(_("Full runs' worth of work and of bytes moved (log scale; a model of ours)"), tick("times"))
    here = Dot(view.trials, cost, "compute", ("", _("your search"), units.significant(cost)), open=True, size=8)
    drawing = plane(lines, [[here]], across=Axis(_("Trials at the start (log scale)"), "{:,.0f}".format, room=0.01), up=up, revision="search")
    rows = tuple({_("trials"): float(a), _("all to the end"): float(a), _("halving"): float(b)} for a, b in zip(n, halving, strict=True))
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows)
