"""Latency by working set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from wallviz import units
from wallviz.i18n import _, qualified
from wallviz.machine.reasons import Flag
from wallviz.rooms import Answer
from wallviz.rooms.machine.published import published_machines
from wallviz.rooms.machine.shown import Shown, row_of
from wallviz.rooms.machine.working_set import LARGEST_BYTES, MachineLine, SetSpot, at, flat_steps, over_working_set, walls


def latency(given: Shown) -> Answer:
    """Time of one dependent load against the working set."""
    record = given.record
    timed = [(each, label, filled) for each, label, filled in given.records if each.latency]
    largest = max([LARGEST_BYTES, *(wait.bytes for each, _label, _filled in timed for wait in each.latency)])
    lines = [
        MachineLine(
            _("page by page") if order == "page" else label,
            tuple(SetSpot(wait.bytes, wait.seconds, at(wait.bytes, units.si(wait.seconds, "s"))) for wait in found),
            own=True,
            said=units.si(found[-1].seconds, "s"),
            filled=filled and order == "random",
        )
        for each, label, filled in timed
        for order in ("random", "page")
        if (found := sorted((wait for wait in each.latency if wait.order == order), key=lambda wait: wait.bytes))
    ]
    lines += [flat_steps(other, other.latencies(), largest, "s") for other in given.beside if other.latencies()]
    waits = sorted((wait for wait in record.latency if wait.order == "random"), key=lambda wait: wait.bytes) if record else []
    if waits:
        near, far = waits[0].seconds, waits[-1].seconds
        sentence = _("A load that waits for the one before takes {near} from the first cache and {far} from memory: {times}.").format(
            near=units.si(near, "s", digits=2), far=units.si(far, "s", digits=2), times=units.times(far / near)
        )
    elif record:
        sentence = _("This record holds no latency: these are other machines'.")
        if Flag.NUMPY_ONLY in record.flags:
            sentence = _("Latency takes numba (pip install wallviz[fast]): these are other machines'.")
    else:
        sentence = _("From memory a load takes {h100} on an H100 and {epyc} on an EPYC: a GPU waits longer, with more loads under way.").format(
            h100=units.si(published_machines()["h100-sxm5-80gb"].memory.latency_s or 0.0, "s"),
            epyc=units.si(published_machines()["amd-epyc-zen-5-2-vcpus"].memory.latency_s or 0.0, "s"),
        )
    return Answer(
        name="machine",
        sentence=sentence,
        drawing=over_working_set(
            lines,
            walls(record),
            [],
            kind="time",
            name=_("Time of one load (log scale)"),
            revision=f"latency{record.created if record else ''}",
        ),
        caption=_("Each load takes its address from the one before (pointer chase). Steps: published levels."),
        rows=partial(_latency_rows, given),
    )


def _latency_rows(given: Shown) -> tuple[Mapping[str, object], ...]:
    rows: list[Mapping[str, object]] = [
        row_of(label, qualified(units.binary(wait.bytes), wait.order), wait.bytes, wait.seconds, _("measured"), "s")
        for each, label, _filled in given.records
        for wait in each.latency
    ]
    for other in given.beside:
        rows += [row_of(other.name, level.level, level.capacity_bytes, value, _(level.latency_kind), "s") for level, value in other.latencies()]
    return tuple(rows)
