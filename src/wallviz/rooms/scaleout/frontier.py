"""Compute against communication over chips: where the lines cross, chips stop helping."""

from __future__ import annotations

from functools import partial

import numpy as np

from wallviz.figures.axes import Axis
from wallviz.figures.plane import CrossLine, Line, plane
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout import formula
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.curve import doubtful
from wallviz.rooms.scaleout.figure import answered
from wallviz.rooms.scaleout.over_chips import study
from wallviz.units import duration


def answer(case: Job, view: View) -> Answer:
    """Seconds of compute and of communication per step over chips: where the lines cross, chips stop helping."""
    now = study(case, view)
    curve = now.job.strong
    chips = curve.chips.tolist()
    compute = np.broadcast_to(curve.steps.compute_s, curve.chips.shape)
    wire_s = np.broadcast_to(curve.steps.communication_s, curve.chips.shape)
    lines = [
        Line("compute", _("compute"), chips, compute.tolist(), [duration(float(v)) for v in compute], mode="lines+markers", strong=True),
    ]
    busy = wire_s > 0
    if busy.any():
        kept = [float(v) for v in wire_s[busy]]
        lines.append(
            Line("network", _("communication"), curve.chips[busy].tolist(), kept, [duration(v) for v in kept], mode="lines+markers", strong=True)
        )
    over = np.flatnonzero(wire_s > compute)
    if len(over):
        text = _("From {n} chips on a step spends longer on the wire than computing: more chips share the work, not the gradients.").format(
            n=f"{int(curve.chips[over[0]]):,}"
        )
    else:
        last = int(curve.chips[-1])
        text = _("Up to {n} chips compute takes longer than the wire: {compute} against {wire} a step.").format(
            n=f"{last:,}", compute=duration(float(compute[-1])), wire=duration(float(wire_s[-1]))
        )
    return answered(
        "frontier",
        **doubtful(now.job.runs_out),
        sentence=text,
        drawing=plane(
            lines,
            across=Axis(_("Chips that share one batch"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Time per step (log scale)"), duration),
            marks=(CrossLine(now.gpus, _("{n} chips").format(n=f"{now.gpus:,}")),) if now.gpus in chips else (),
            revision="scaleout-frontier",
        ),
        rows=lambda: tuple(
            {_("chips"): int(n), _("compute (s)"): float(c), _("on the wire (s)"): float(w)} for n, c, w in zip(chips, compute, wire_s, strict=True)
        ),
        explain=partial(formula.why, now),
    )
