"""Bandwidth by working set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from wallviz import units
from wallviz.i18n import _
from wallviz.rooms import Answer
from wallviz.rooms.machine import speed
from wallviz.rooms.machine.published import published_machines
from wallviz.rooms.machine.shown import Shown, row_of
from wallviz.rooms.machine.words import named
from wallviz.rooms.machine.working_set import LARGEST_BYTES, MachineLine, SetSpot, at, caption, flat_steps, over_working_set, walls


def staircase(given: Shown) -> Answer:
    """Bandwidth against the working set, cache sizes marked."""
    record = given.record
    largest = max([LARGEST_BYTES, *(step.bytes for each, _label, _filled in given.records for step in each.sweep)])
    lines = [
        MachineLine(
            label,
            tuple(SetSpot(step.bytes, step.bytes_per_s, at(step.bytes, units.si(step.bytes_per_s, "B/s"))) for step in steps),
            own=True,
            said=units.si(steps[-1].bytes_per_s, "B/s"),
            filled=filled,
        )
        for each, label, filled in given.records
        if (steps := sorted(each.sweep, key=lambda step: step.bytes))
    ]
    lines += [flat_steps(other, other.rates(), largest, "B/s") for other in given.beside if other.rates()]
    points = []
    if record is not None and record.headline and record.headline[1].best_bytes_per_s and record.array_bytes:
        name, best = record.headline
        rate = best.best_bytes_per_s or 0.0
        kernel = named(name)
        label = _("{kernel}, {n} threads").format(kernel=kernel, n=record.threads) if record.threads else kernel
        points.append((label, SetSpot(min(largest, 3.0 * record.array_bytes), rate, at(3.0 * record.array_bytes, units.si(rate, "B/s")))))
    return Answer(
        name="machine",
        sentence=speed.sentence(given.case, record) if record else _example(),
        drawing=over_working_set(
            lines,
            walls(record),
            points,
            kind="bytes_per_s",
            name=_("Bandwidth (log scale)"),
            revision=f"staircase{record.created if record else ''}",
        ),
        caption=caption(record),
        rows=partial(_stair_rows, given),
    )


def _example() -> str:
    h100, epyc = published_machines()["h100-sxm5-80gb"].rates(), published_machines()["amd-epyc-zen-5-2-vcpus"].rates()
    first, last = (units.si(h100[place][1], "B/s", digits=2) for place in (0, -1))
    near, far = (units.si(epyc[place][1], "B/s", digits=2) for place in (0, -1))
    return _("From cache to memory an H100 falls from {first} to {last}, an EPYC from {near} to {far}. How fast is yours?").format(
        first=first, last=last, near=near, far=far
    )


def _stair_rows(given: Shown) -> tuple[Mapping[str, object], ...]:
    rows: list[Mapping[str, object]] = [
        row_of(label, units.binary(step.bytes), step.bytes, step.bytes_per_s, _("measured"))
        for each, label, _filled in given.records
        for step in each.sweep
    ]
    for other in given.beside:
        rows += [row_of(other.name, level.level, level.capacity_bytes, value, _(level.kind)) for level, value in other.rates()]
    return tuple(rows)
