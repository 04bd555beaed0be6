"""The line that stays: what a remedy of hardware changes of the roof."""

from __future__ import annotations

import numpy as np

from wallviz import units
from wallviz.errors import InputError
from wallviz.figures.axes import Axis, said
from wallviz.figures.plane import Dot, Line, plane
from wallviz.i18n import N_, _, labelled, qualified
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.cited import cited
from wallviz.rooms.remedies.steps import plain, planned

#: Hardware remedies that are drawn as lines of their own, in a word.
HARDWARE = {"more-bandwidth": "HBM3e (H200)", "hbm4": "HBM4 (Rubin)", "in-memory": "HBM-PIM"}


def answer(case: Job, view: View) -> Answer:
    """The roof of the chip of the case, and those of hardware that moves or computes more."""
    found = planned(case, plain(view))
    chip = found.setup.chip
    peak, rate = chip.peak("bf16"), chip.memory_bytes_per_s
    if not peak or not rate:
        raise InputError(N_("No source gives the bandwidth and the 16-bit peak of {chip}: choose another chip."), chip=chip.name)
    x = np.geomspace(0.25, 16 * peak / rate, 60)
    hardware = [e for e in found.others if e.remedy.id in HARDWARE]
    lines = [_roof(chip.name.partition(" (")[0], x, peak, rate, "bandwidth", "solid")]
    for e in hardware:
        changed = e.setup.chip
        lines.append(_roof(_(HARDWARE[e.remedy.id]), x, changed.peak("bf16") or peak, changed.memory_bytes_per_s or rate, "reference", "dash"))
    spots = [(_("As it is"), found.now), *((_(e.remedy.name), e.after) for e in found.ranked[:6] if e.after is not None)]
    points = [(name, o.intensity, o.intensity * o.moved_bytes / o.time_s) for name, o in spots]
    dots = [
        Dot(x, y, "compute", ("", _("your case"), labelled(name, qualified(f"{units.significant(x)} FLOP/B", units.si(y, "FLOP/s")))), size=8)
        for name, x, y in points
    ]
    sentence = _("Every remedy moves the point, none the line: {chip} stays at {rate}; only other hardware (dashed) moves it.").format(
        chip=chip.name.partition(" (")[0], rate=units.si(rate, "B/s")
    )
    up = Axis(_("FLOP/s (log scale; ● your case, now and with each remedy)"), said("flop_per_s"), low=min(p[2] for p in points) / 3, high=peak * 3)
    drawing = plane(lines, [dots], across=Axis(_("FLOP per byte moved (log scale)"), said("flop_per_byte"), room=0.01), up=up, revision="line")
    rows = tuple({_("remedy"): p[0], "FLOP/B": p[1], "FLOP/s": p[2], _("bandwidth, B/s"): rate} for p in points)
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows, sources=cited(*chip.source.split(";")))


def _roof(label: str, x: np.ndarray, peak: float, rate: float, role: str, dash: str) -> Line:
    y = np.minimum(peak, x * rate)
    hover = [f"{units.significant(float(a))} FLOP/B: {units.si(float(b), 'FLOP/s')}" for a, b in zip(x, y, strict=True)]
    return Line(role, label, x.tolist(), y.tolist(), hover, dash=dash)
