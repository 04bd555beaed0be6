"""The share of what is promised that was measured."""

from __future__ import annotations

from wallviz import units
from wallviz.figures.axes import Axis, said
from wallviz.figures.bars import Limit, bars, value
from wallviz.i18n import _
from wallviz.rooms import Answer
from wallviz.rooms.machine.published import published_shares
from wallviz.rooms.machine.shown import Shown


def share(given: Shown) -> Answer:
    """What memories reach of what they promise: the reader's, and every published machine with both numbers."""
    record, published = given.record, published_shares()
    low, high = (f"{published[place][1] * 100:.0f}" for place in (-1, 0))
    mine = record.fraction if record else None
    if mine is not None:
        sentence = _("This machine reaches {mine}% of what its memory promises; published machines reach {low} to {high}%.")
    elif record:
        sentence = _("Published machines reach {low} to {high}% of what their memory promises; nobody says what this one's promises.")
    else:
        sentence = _("Published machines reach {low} to {high}% of what their memory promises. How much does yours?")
    rows = [
        value("mine", label, "memory", *_share(each.fraction), solid=filled, hover=(_promised(each.theoretical_bytes_per_s),))
        for each, label, filled in given.records
        if each.fraction is not None
    ]
    rows += [
        value(other.id, other.name, "bandwidth", *_share(part), hover=(_promised(other.promised_bytes_per_s), other.memory.source))
        for other, part in published
    ]
    return Answer(
        name="machine",
        sentence=sentence.format(mine=f"{(mine or 0.0) * 100:.0f}", low=low, high=high),
        drawing=bars(
            rows,
            Axis(_("Measured over promised, %"), said("number"), log=False),
            revision="share",
            limit=Limit(units.percent(1.0), 100.0, role="reference"),
        ),
        caption=_("Promised: clock times width, as on the data sheet. The thick line is 100%."),
        rows=lambda: tuple(
            {
                _("machine"): other.name,
                _("measured, B/s"): other.memory.bytes_per_s,
                _("promised, B/s"): other.promised_bytes_per_s,
                _("share"): value,
            }
            for other, value in published
        ),
    )


def _share(part: float) -> tuple[float, str]:
    return part * 100, units.percent(part)


def _promised(rate: float | None) -> str:
    return _("promised: {peak}").format(peak=units.si(rate, "B/s")) if rate else ""
