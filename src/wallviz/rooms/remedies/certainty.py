"""How sure: the band of the bytes, and every published point of the job's remedies."""

from __future__ import annotations

from wallviz import catalog
from wallviz.engine.remedies.plan import Plan
from wallviz.engine.remedies.published import GRADES
from wallviz.errors import InputError
from wallviz.i18n import _, bracketed
from wallviz.job import Job
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.steps import plain, planned
from wallviz.units import percent


def how_sure(found: Plan) -> str:
    """How sure bytes and times are, and how many published cases stand behind the remedies."""
    band = found.now.error_band
    count = sum(len(found.evidence.get(e.remedy.id, ())) for e in found.every)
    failed = sum(case.failed for e in found.every for case in found.evidence.get(e.remedy.id, ()))
    return "\n\n".join(
        (
            _(
                "Bytes: within {band} of measured runs (accuracy page). Times: bounds of the hardware, not predictions; compare them with each other."
            ).format(band=percent(band)),
            _(
                "{n} published cases stand behind the remedies of this job, {failed} of them failures (quality down by a fifth or more: our line). "
                "The quality given is their median."
            ).format(n=count, failed=failed),
        )
    )


def evidence_rows(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """Each published point of the job's remedies: what was tested, what it saved and cost, who measured it."""
    try:
        found = planned(case, plain(view))
    except InputError:
        return ()
    return tuple(
        {
            _("remedy"): _(e.remedy.name),
            _("tested on"): _(point.setting),
            _("saved"): _share(point.saved) if point.how_saved == "published" else bracketed(_share(point.saved), _("counted")),
            _("time"): _signed(point.time),
            _("quality lost"): bracketed(_signed(point.quality), _(point.metric)) if point.metric else _signed(point.quality),
            _("traffic"): _signed(point.traffic),
            _("failed"): _("yes") if point.failed else "",
            _("who"): _(GRADES[point.grade]),
            _("source"): ", ".join(catalog.sources()[s].title for s in point.source.split(";") if s in catalog.sources()),
        }
        for e in found.every
        for point in found.evidence.get(e.remedy.id, ())
    )


def _share(value: float | None) -> str:
    return "" if value is None else percent(value, 1)


def _signed(value: float | None) -> str:
    return "" if value is None else percent(value, 1, signed=True)
