"""Number formats: what of a tensor each loses below and above."""

from __future__ import annotations

import numpy as np

from wallviz.engine.remedies import low_precision
from wallviz.figures.axes import Axis
from wallviz.figures.bars import Bar, Segment, Zone, bars
from wallviz.figures.style import ROLES
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.remedies.choices import View
from wallviz.units import percent


def answer(case: Job, view: View) -> Answer:
    """What each number format loses of values so spread, below what it can hold and above."""
    median, spread, scale = 2.0**view.median, float(view.spread), 2.0**view.scale
    made, rows = [], []
    for format in low_precision.FORMATS.values():
        under, over = (float(lost(format, median, spread, scale)) for lost in (low_precision.underflow, low_precision.overflow))
        best = low_precision.best_scale(format, median, spread)
        note = _("lost below {under}, above {over}; best scale 2^{best}").format(under=percent(under, 1), over=percent(over, 1), best=best)
        smallest, normal, largest = (float(np.log2(v)) for v in (format.smallest, format.smallest_normal, format.largest))
        made.append(_bar(format.name, smallest, normal, largest, note))
        rows.append(
            {
                _("format"): format.name,
                _("smallest"): format.smallest,
                _("largest"): format.largest,
                _("underflow"): under,
                _("overflow"): over,
                _("best scale, 2^"): best,
            }
        )
    fp16 = low_precision.FORMATS["fp16"]
    before, after = (float(low_precision.underflow(fp16, median, spread, s)) for s in (1.0, scale))
    best = low_precision.best_scale(fp16, median, spread)
    lost = _("FP16 loses {before} of these gradients below its smallest value").format(before=percent(before, 1))
    end = (
        _("scaling the loss by 2^{n} leaves {after}.").format(n=view.scale, after=percent(after, 1))
        if view.scale
        else _("scaling the loss by 2^{n} would leave {after}.").format(
            n=best, after=percent(float(low_precision.underflow(fp16, median, spread, 2.0**best)), 1)
        )
    )
    zones = _bell(float(view.median), spread, "reference" if view.scale else "compute", _("gradients (log-normal, a model)"))
    if view.scale:
        zones += _bell(float(view.median + view.scale), spread, "compute", _("scaled by 2^{n}").format(n=view.scale))
    name = _("What each format can hold, in powers of two (light: fewer digits)")
    axis = Axis(name, lambda power: f"2<sup>{power:.0f}</sup>".replace("-", "−"), log=False, low=-44, high=20, lines=range(-40, 25, 8))
    drawing = bars(made, axis, zones=zones, revision="formats")
    return Answer("remedies-figure", _("{text}; {more}").format(text=lost, more=end), drawing, rows=lambda: tuple(rows))


def _bar(name: str, smallest: float, normal: float, largest: float, note: str) -> Bar:
    """What a format spans: pale where it has fewer digits."""
    role = ROLES["memory"]
    spans = ((smallest, normal, role.rgba(0.25), _("subnormal: fewer digits")), (normal, largest, role.colour, _("all digits")))
    segments = [Segment(end - start, fill, role.colour, (name, word, note), start=start) for start, end, fill, word in spans]
    return Bar(name, tuple(segments), strong=True, note=note)


def _bell(middle: float, spread: float, role: str, label: str) -> list[Zone]:
    """Where values stand: a band of one standard deviation to either side in one of two."""
    return [Zone(middle - n * spread, middle + n * spread, role, label if n == 1 else "") for n in (2, 1)]
