"""Bandwidth by kernel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from wallviz import units
from wallviz.figures.axes import Axis
from wallviz.figures.axes import said as tick
from wallviz.figures.bars import Bar, Mark, Zone, bars, value
from wallviz.i18n import _, bracketed, labelled, qualified
from wallviz.rooms import Answer
from wallviz.rooms.machine import tables
from wallviz.rooms.machine.published import published_machines, published_shares
from wallviz.rooms.machine.shown import Shown, row_of
from wallviz.rooms.machine.words import KERNELS, named

MOST_BARS = 24
"""Bars of one figure; a record may hold two hundred kernels, a measurement has six and a few transfers."""


def kernels(given: Shown) -> Answer:
    """Every kernel's rate against what the memory promises; without a record, the memories of published machines."""
    record = given.record
    rows = _kernel_bars(given) if record else _memory_bars(given)
    if record and record.headline:
        rates = {name: each.best_bytes_per_s for name, each in record.kernels.items() if each.best_bytes_per_s}
        fast, slow = max(rates, key=lambda name: rates[name]), min(rates, key=lambda name: rates[name])
        sentence = _("Of {n} kernels {fast} is the fastest at {best}, {slow} the slowest at {least}.").format(
            n=len(rates),
            fast=named(fast) if fast in KERNELS else _("another"),
            best=units.si(rates[fast], "B/s"),
            slow=named(slow) if slow in KERNELS else _("another"),
            least=units.si(rates[slow], "B/s"),
        )
    else:
        sentence = _("An H100's memory moves {times} as much as this EPYC's. How fast is yours?").format(
            times=units.times(
                (published_machines()["h100-sxm5-80gb"].memory.bytes_per_s or 0.0)
                / (published_machines()["amd-epyc-zen-5-2-vcpus"].memory.bytes_per_s or 1.0)
            )
        )
    peak = record.theoretical_bytes_per_s if record else None
    caption = _("Best run of each kernel.") if record else _("Pale: from a data sheet or derived. Solid: measured.")
    zones = []
    if peak:
        (_best, high), (_worst, low) = published_shares()[0], published_shares()[-1]
        zones = [Zone(low * peak, high * peak)]
        caption = _("Filled: measured. Open diamonds: promised. Shaded: the {low} to {high}% that published machines reach.").format(
            low=f"{low * 100:.0f}", high=f"{high * 100:.0f}"
        )
    axis = Axis(_("Bandwidth (read and written bytes, each counted once)"), tick("bytes_per_s"), log=False)
    drawing = bars(rows, axis, zones=zones, revision=f"kernels{record.created if record else ''}")
    return Answer(name="machine", sentence=sentence, drawing=drawing, caption=caption, rows=partial(_kernel_rows, given))


def _kernel_bars(given: Shown) -> list[Bar]:
    rows = []
    for each, label, filled in given.records:
        peak = each.theoretical_bytes_per_s
        marks = (Mark(peak, _("promised: {peak}").format(peak=units.si(peak, "B/s")), filled=False),) if peak else ()
        within = {**each.kernels} | {name: found for name, found in each.transfers.items() if name == "d2d"}
        for role, measured in (("bandwidth", within), ("network", {name: found for name, found in each.transfers.items() if name != "d2d"})):
            for name, found in measured.items():
                rate = found.best_bytes_per_s
                said = units.si(rate, "B/s") if rate else _("no figure: failed its check")
                if rate and peak and role == "bandwidth":
                    said = bracketed(said, units.percent(rate / peak))
                how = _("median {median}, {n} samples").format(median=units.si(found.median_bytes_per_s or 0.0, "B/s"), n=found.samples)
                rows.append(
                    value(
                        f"{label}/{role}/{name}",
                        named(name) if len(given.records) == 1 else qualified(named(name), label),
                        role,
                        rate,
                        said,
                        solid=filled,
                        marks=marks if role == "bandwidth" else (),
                        hover=(how,),
                    )
                )
    return rows[:MOST_BARS]


def _memory_bars(given: Shown) -> list[Bar]:
    return [
        value(
            other.id,
            labelled(other.name, other.memory.level),
            "bandwidth",
            other.memory.bytes_per_s,
            units.si(other.memory.bytes_per_s or 0.0, "B/s"),
            solid=other.memory.kind == "measured",
            hover=(_(other.memory.kind),),
        )
        for other in given.beside
    ]


def _kernel_rows(given: Shown) -> tuple[Mapping[str, object], ...]:
    if not given.records:
        return tuple(row_of(other.name, other.memory.level, None, other.memory.bytes_per_s, _(other.memory.kind)) for other in given.beside)
    return tuple(row for each, label, _filled in given.records for row in tables.samples(each, label))
