"""How sure: what others reached of such roofs, and the reader's own measurement."""

from __future__ import annotations

from statistics import median

from wallviz.engine.roofline.efficiency import by, leave_one_out
from wallviz.i18n import N_, _, bracketed
from wallviz.job import Job
from wallviz.rooms.accuracy.labels import signed
from wallviz.rooms.roofline.choices import View
from wallviz.rooms.roofline.job_on_chip import Workload, chip_of
from wallviz.rooms.roofline.measured_points import fractions
from wallviz.units import percent
from wallviz.validation.roofline_cases import measurements, predictions

WORK_NAMES = {
    "gemm": N_("matrix products"),
    "largest gemm": N_("the best matrix product of many"),
    "decode": N_("decoding"),
    "prefill": N_("prefill"),
    "layer": N_("one layer, operation by operation"),
    "vector": N_("vector operations"),
}

ZONE_NAMES = {
    "bandwidth": N_("bandwidth-bound"),
    "knee": N_("near the ridge (×4)"),
    "compute": N_("compute-bound"),
    "short": N_("over within 50 µs"),
}


def how_sure(now: Workload) -> str:
    """What others measured of such roofs, as Markdown: on this chip, by kind of work, and how well that can be predicted."""
    found = measurements()
    above = max(one.fraction for one in found)
    lines = [
        _("It is a bound: none of {n} rates that others measured is above its roof (the highest reaches {most}). It is no forecast:").format(
            n=f"{len(found):,}", most=percent(above, 1)
        ),
        "",
    ]
    here = fractions(now.chip.id)
    if here:
        lines.append(
            _("- **{chip}**: {n} measurements reach {low} to {high} of their roof, {median} at the median: {miss} below it.").format(
                chip=now.name,
                n=f"{len(here):,}",
                low=percent(min(here)),
                high=percent(max(here)),
                median=percent(median(here)),
                miss=percent(1 - median(here)),
            )
        )
    else:
        lines.append(_("- **{chip}**: we have no published measurement of it.").format(chip=now.name))
    for (what, zone), spread in by([m for m in found if m.what in ("gemm", "decode", "prefill")], lambda m: (m.what, m.zone)).items():
        lines.append(
            _("- **{work}**, {zone}: {median} at the median, {low} to {high}, {n} cases").format(
                work=_(WORK_NAMES[what]), zone=_(ZONE_NAMES[zone]), median=percent(spread.median), low=percent(spread.low), high=percent(spread.high),
                n=f"{spread.n:,}",
            )
        )  # fmt: skip
    lines += ["", *_models()]
    misses = [p for p in predictions().values() if p.case.kind != "measured" and p.value is not None and not p.case.holds(p.value)]
    published = [p for p in predictions().values() if p.case.kind != "measured" and p.value is not None]
    lines.append(
        _("Of {n} published numbers {ok} come out within their tolerance. The others, with the reason:").format(
            n=f"{len(published):,}", ok=f"{len(published) - len(misses):,}"
        )
    )
    for reason in dict.fromkeys(p.reason for p in misses):
        those = sorted(p.error or 0.0 for p in misses if p.reason == reason)
        span = signed(those[0], 1) if len(those) == 1 else _("{n} numbers, {low} to {high}").format(
            n=len(those), low=signed(those[0], 1), high=signed(those[-1], 1)
        )  # fmt: skip
        lines.append(f"- {bracketed(_(reason).rstrip('.。'), span)}")
    return "\n".join(lines)


def measured_here(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """Every measurement on the chip of the case: what, what was reached, its roof, and how far below it."""
    found = [one for one in measurements() if predictions()[one.case].case.chip == chip_of(case, view).id]
    return tuple(
        {
            _("work"): _(WORK_NAMES[one.what]),
            _("what"): one.label,
            _("engine"): _(one.engine),
            _("where"): _(ZONE_NAMES[one.zone]),
            _("share of the roof"): percent(one.fraction, 1),
            _("miss"): signed(one.fraction - 1.0, 1),
        }
        for one in found
    )


def _models() -> list[str]:
    found = []
    for work in ("gemm", "decode"):
        checked = leave_one_out(m for m in measurements() if m.what == work)
        if checked is not None:
            found.append(
                _("Expecting of a device what others reach at such work ({work}) is off by {median} at the median, {worst} in one case of ten, "
                  "on {devices} devices left out in turn.").format(
                    work=_(WORK_NAMES[work]), median=percent(checked.median_error), worst=percent(checked.p90_error), devices=checked.devices
                )
            )  # fmt: skip
    return [*found, ""]


def measured_sources(now: Workload) -> tuple[str, ...]:
    """Where the measurements on the chip come from."""
    cases = (predictions()[m.case].case for m in measurements())
    return tuple(dict.fromkeys(source for case in cases if case.chip == now.chip.id for source in case.source.split(";")))
