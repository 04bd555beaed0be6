"""Reading against waiting over chips: where the lines cross, a token waits longer than it is worked on."""

from __future__ import annotations

from functools import partial

import numpy as np

from wallviz.figures.axes import Axis
from wallviz.figures.plane import CrossLine, Line, plane
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.over_chips import served
from wallviz.rooms.scaleout.serving.curve import caption, reads, rows
from wallviz.rooms.scaleout.serving.figure import answered
from wallviz.units import duration


def answer(case: Job, view: View) -> Answer:
    """Reading and waiting of a token over chips: where the lines cross, a token waits longer than it is worked on."""
    now = served(case, view)
    curve = now.job.curve
    chips = np.atleast_1d(curve.chips)
    busy, waits = np.atleast_1d(curve.busy_s), np.broadcast_to(curve.waiting_s, chips.shape)
    some = waits > 0
    name, role = (_("reading\nmemory"), "bandwidth") if reads(now.job.step) else (_("compute"), "compute")
    lines = [Line(role, name, chips.tolist(), busy.tolist(), [duration(float(v)) for v in busy], mode="lines+markers", strong=True)]
    if some.any():
        said = [duration(float(v)) for v in waits[some]]
        lines.append(Line("network", _("waiting for\nthe wire"), chips[some].tolist(), waits[some].tolist(), said, mode="lines+markers", strong=True))
    over = np.flatnonzero(waits > busy)
    if len(over):
        text = _("From {n} chips on, waiting for the wire takes longer per token than a chip's work.").format(n=f"{int(chips[over[0]]):,}")
    else:
        text = _("Up to {n} chips, a chip's work per token takes longer than the wait: {busy} against {waits}.").format(
            n=f"{int(chips[-1]):,}", busy=duration(float(busy[-1])), waits=duration(float(waits[-1]))
        )
    return answered(
        now,
        sentence=text,
        drawing=plane(
            lines,
            across=Axis(_("Chips that share each token"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Time per token (log scale)"), duration),
            marks=(CrossLine(now.gpus, _("{n} chips").format(n=f"{now.gpus:,}")),) if now.gpus in chips else (),
            revision="scaleout-frontier",
        ),
        rows=partial(rows, now),
        caption=caption(now),
    )
