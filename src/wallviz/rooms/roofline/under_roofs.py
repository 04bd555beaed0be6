"""Steps or operations under the roofs, with what was measured on the same chip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from wallviz import catalog, units
from wallviz.engine.roofline.roof import roof
from wallviz.engine.roofline.step import StepBound
from wallviz.figures.style import Drawing
from wallviz.i18n import _, labelled, qualified
from wallviz.rooms.roofline.choices import ROOFS
from wallviz.rooms.roofline.drawn_roofs import RoofLine, RoofSpot, roofline
from wallviz.rooms.roofline.job_on_chip import PATH, Workload, elsewhere, path
from wallviz.rooms.roofline.measured_points import measured
from wallviz.rooms.roofline.time_by_operation import BOUNDS, PHASE_NAMES, by_operation, operations_table, role

Rows = Callable[[], tuple[dict[str, object], ...]]


def drawn(now: Workload) -> tuple[Drawing, Rows]:
    """The figure of the view, and what makes the rows of its table."""
    if now.view.show == "time":
        return by_operation(now), partial(operations_table, now)
    spots = [*_spots(now), *(measured(now) if now.view.points else ())]
    drawing = roofline(roofs(now), spots, _climb(now), revision=f"roofline-{now.chip.id}-{now.case.job}")
    return drawing, partial(_table, now, tuple(spots))


def roofs(now: Workload) -> list[RoofLine]:
    """The main roof, then other precisions, memory levels and chips."""
    main = now.main.roof
    found = [RoofLine(_name(now.name, main.precision), main.peak_flop_per_s, main.bytes_per_s)]
    for precision in now.view.roofs:
        if precision in ROOFS and now.chip.peak(precision):
            top = roof(now.chip, precision, accumulate=now.view.accumulate)
            found.append(RoofLine(_name(now.name, precision), top.peak_flop_per_s, top.bytes_per_s, main=False))
    if now.view.levels:
        found += [RoofLine(_(level), main.peak_flop_per_s, rate, main=False, level=True) for level, rate in levels(now.chip.id).items()]
    for id in now.view.others:
        if id in catalog.chips() and id != now.chip.id:
            other = elsewhere(now, catalog.chips()[id])
            top = next(iter(other.values())).roof
            found.append(
                RoofLine(_name(catalog.chips()[id].name.partition(" (")[0], top.precision), top.peak_flop_per_s, top.bytes_per_s, main=False)
            )
    return found


def levels(chip: str) -> Mapping[str, float]:
    """Bandwidth of the on-chip levels of a chip, the highest figure of each level, where a source has one."""
    found: dict[str, float] = {}
    for level in catalog.levels().values():
        if level.chip == chip and level.place == "on chip" and level.bytes_per_s:
            found[level.level] = max(found.get(level.level, 0.0), level.bytes_per_s)
    return found


def _name(chip: str, precision: str) -> str:
    return _("{chip}, 16 bits").format(chip=chip) if precision in ("bf16", "fp16") else qualified(chip, precision.upper())


def _spots(now: Workload) -> list[RoofSpot]:
    steps = [(phase, now.name, step, True) for phase, step in now.steps.items()]
    for id in now.view.others:
        if id in catalog.chips() and id != now.chip.id:
            chip = catalog.chips()[id]
            steps += [(phase, chip.name.partition(" (")[0], step, False) for phase, step in elsewhere(now, chip).items()]
    found = []
    for phase, owner, step, main in steps:
        if now.view.drawn == "operations" and main:
            found += _operation_spots(phase, step)
        else:
            found.append(_step_spot(phase, owner, step, main=main))
    return found


def _step_spot(phase: str, chip: str, step: StepBound, *, main: bool) -> RoofSpot:
    rate = float(step.flop) / float(step.time_s)
    return RoofSpot(
        id=f"{phase}/",
        label=_(PHASE_NAMES[phase]) if main else qualified(_(PHASE_NAMES[phase]), chip),
        intensity=float(step.arithmetic_intensity),
        flop_per_s=rate,
        role=role(str(step.bound)),
        lines=(
            _("{has} FLOP/B, {rate}").format(has=units.significant(float(step.arithmetic_intensity)), rate=units.si(rate, "FLOP/s")),
            _("at most {rate} tokens/s, bound by {bound}").format(rate=units.significant(float(step.tokens_per_s)), bound=_(BOUNDS[str(step.bound)])),
            _("computed: a bound"),
        ),
        share=0.3,
        named=True,
    )


def _operation_spots(phase: str, step: StepBound) -> list[RoofSpot]:
    found = []
    for timed in step.operations:
        op, share = timed.operation, float(timed.time_s) / float(step.time_s)
        rate = float(timed.flop_per_s)
        found.append(
            RoofSpot(
                id=f"{phase}/{op.id}",
                label=labelled(_(PHASE_NAMES[phase]), _(op.name)),
                intensity=float(op.intensity) if np.isfinite(op.intensity) else 0.0,
                flop_per_s=rate,
                role=role(str(timed.bound)),
                lines=(
                    _("{has} FLOP/B, {rate}").format(has=units.significant(float(op.intensity)), rate=units.si(rate, "FLOP/s")),
                    _("{share}% of the step, bound by {bound}").format(share=f"{100 * share:.1f}", bound=_(BOUNDS[str(timed.bound)])),
                    _("computed: a bound"),
                ),
                share=share,
                named=share > 0.12,
            )
        )
    return found


def _climb(now: Workload) -> list[tuple[float, float, str]]:
    """Where decoding climbs as the batch doubles."""
    found = path(now)
    if found is None or now.view.drawn == "operations":
        return []
    rate = np.asarray(found.flop) / np.asarray(found.time_s)
    places = zip(PATH, np.asarray(found.arithmetic_intensity), rate, strict=True)
    named = {8, 64, 512, 4096} - {now.case.batch}
    words = {batch: _("batch {batch}").format(batch=f"{batch:,}") for batch in named}
    return [(float(x), float(y), words.get(int(batch), "")) for batch, x, y in places if batch <= 4096]


def _table(now: Workload, spots: tuple[RoofSpot, ...]) -> tuple[dict[str, object], ...]:
    rows: list[dict[str, object]] = [
        {
            _("what"): spot.label,
            "FLOP/B": spot.intensity,
            "FLOP/s": spot.flop_per_s,
            _("how obtained"): _("measured") if spot.measured else _("computed: a bound"),
            _("remark"): spot.lines[1],
        }
        for spot in spots
    ]
    climbing = path(now)
    if climbing is not None and now.view.drawn == "steps":
        rate = np.asarray(climbing.flop) / np.asarray(climbing.time_s)
        rows += [
            {
                _("what"): _("Decode at batch {batch}").format(batch=f"{int(batch):,}"),
                "FLOP/B": float(x),
                "FLOP/s": float(y),
                _("how obtained"): _("computed: a bound"),
                _("remark"): _("the dotted path"),
            }
            for batch, x, y in zip(PATH, np.asarray(climbing.arithmetic_intensity), rate, strict=True)
        ]
    return tuple(rows)
