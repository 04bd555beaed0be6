"""Why: every step with its formula and its numbers."""

from __future__ import annotations

from wallviz import units
from wallviz.engine.remedies.plan import Plan
from wallviz.i18n import _, labelled, listing
from wallviz.rooms.remedies.steps import Chosen


def why(found: Plan, chosen: Chosen) -> str:
    """Every step with its formula and its numbers, and what none of them moves."""
    lines = [
        _("Every step is computed anew by the same calculators as the footprint and roofline pages, in this order: savings do not add."),
        "",
        *(
            _("- **{remedy}**: {formula}. {before} → {after} per GPU; {t0} → {t1}; moved {m0} → {m1}.").format(
                remedy=_(s.remedy.name),
                formula=_(s.remedy.formula),
                before=units.binary(s.before.bytes),
                after=units.binary((s.after or s.before).bytes),
                t0=units.duration(s.before.time_s),
                t1=units.duration((s.after or s.before).time_s),
                m0=units.si(s.before.moved_bytes, "B"),
                m1=units.si((s.after or s.before).moved_bytes, "B"),
            )
            for s in chosen.steps
        ),
        "",
        _(
            "**None of these moves the bandwidth line itself.** {chip} moves {rate}, before and after; a remedy only moves fewer bytes, or the same "
            "ones less often. Only hardware moves the line."
        ).format(chip=found.setup.chip.name, rate=units.si(found.setup.chip.memory_bytes_per_s or 0.0, "B/s")),
        "",
        _(
            "time = chip + links + PCIe: the roofline's Σ max(FLOP/peak, bytes/bandwidth) and the optimizer's update; rings over the links; PCIe. "
            "Nothing hides behind anything: an upper bound of the waiting, a lower one of the work."
        ),
    ]
    places = {"chip": _("chip"), "links": _("links"), "slot": _("PCIe"), "bubble": _("pipeline bubble")}
    lines += ["", labelled(_("Now"), listing(f"{places[name]} {units.duration(s)}" for name, s in found.now.seconds.items() if s))]
    return "\n".join(lines)
