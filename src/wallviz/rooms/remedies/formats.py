"""Number formats: what of a tensor each loses below and above."""

from __future__ import annotations

import numpy as np

from wallviz.engine.remedies import low_precision
from wallviz.figures import remedies as figures
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
        made.append(figures.Range(format.name, smallest, normal, largest, note))
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
    bells = {_("gradients (log-normal, a model)"): (float(view.median), spread)}
    if view.scale:
        bells[_("scaled by 2^{n}").format(n=view.scale)] = (float(view.median + view.scale), spread)
    drawing = figures.ranges(made, name=_("What each format can hold, in powers of two (light: fewer digits)"), bells=bells, revision="formats")
    return Answer("remedies-figure", _("{text}; {more}").format(text=lost, more=end), drawing, rows=lambda: tuple(rows))
