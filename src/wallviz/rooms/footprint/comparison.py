"""The kept configuration beside this one, as a table."""

from __future__ import annotations

from wallviz import units
from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.job import SETTINGS, Job
from wallviz.rooms.footprint.choices import View
from wallviz.rooms.footprint.need import estimate
from wallviz.rooms.footprint.parts import PARTS, both, part_name
from wallviz.rooms.job import label, said, unpack

#: Will it run out of memory: the badge and its colour.
VERDICTS = {
    "yes": ("red", N_("out of memory: yes")),
    "likely": ("orange", N_("out of memory: likely")),
    "no": ("green", N_("out of memory: no")),
    "unknown": ("gray", N_("capacity unknown")),
}


def compared(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """The kept configuration and this one side by side: the settings that differ, then the bytes of each part; empty where none is kept."""
    if not view.against:
        return ()
    try:
        other = unpack(view.against)
        now, kept = estimate(case), estimate(other)
    except InputError:
        return ()
    first, second, what = _("kept"), _("now"), _("what")
    rows: list[dict[str, object]] = [
        {what: label(name), first: said(name, other), second: said(name, case)} for name in SETTINGS if getattr(case, name) != getattr(other, name)
    ]
    every = [part for part in PARTS if now.parts.get(part) or kept.parts.get(part)]
    rows += [{what: part_name(p), first: units.binary(kept.parts.get(p, 0.0)), second: units.binary(now.parts.get(p, 0.0))} for p in every]
    rows.append({what: _("in all, per GPU"), first: " = ".join(both(kept.total_bytes)), second: " = ".join(both(now.total_bytes))})
    rows.append({what: _("runs out of memory"), first: _(VERDICTS[kept.verdict][1]), second: _(VERDICTS[now.verdict][1])})
    return tuple(rows)
