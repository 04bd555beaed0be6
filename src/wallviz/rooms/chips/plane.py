"""Every chip on the plane of its memory and its bandwidth, with lines of equal time to read all of it, beside what the case needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from wallviz import catalog, units
from wallviz.engine.hardware import PRECISIONS
from wallviz.figures.axes import Axis, said
from wallviz.figures.plane import CrossLine, Dot, Line, Note, plane
from wallviz.figures.style import FAINT, ROLES, Drawing
from wallviz.i18n import _, listing
from wallviz.job import Job
from wallviz.rooms.chips.metrics import ComparedChip, View, short
from wallviz.rooms.job import model_name

#: Seconds to read the whole memory once: the time per token of a model that fills it.
READS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
LARGEST, SMALLEST = 34.0, 8.0
"""Sizes of circles, in pixels."""
NEAR = 4.0
"""What the work takes is drawn where it lies within this factor of the chips' memories."""


def drawn(case: Job, columns: Sequence[ComparedChip], view: View) -> tuple[Drawing | None, tuple[str, ...]]:
    """The plane, and a sentence on the chips that have no figure."""
    shown = [column for column in columns if column.chip.memory_bytes and column.chip.memory_bytes_per_s]
    lacking = [short(column.chip) for column in columns if column not in shown]
    more = (_("Without a figure: {chips}.").format(chips=listing(lacking)),) if lacking else ()
    if not shown:
        return None, more
    top = max((column.chip.peak(view.peaks) or 0.0 for column in shown), default=0.0) or 1.0
    dots = sorted((_dot(case, column, view, top) for column in shown), key=lambda dot: (not dot.strong, -dot.y))
    need, log = _need(case, columns), view.scale == "log"
    sizes = [dot.x for dot in dots]
    marks = [need] if need and min(sizes) / NEAR <= need.at <= max(sizes) * NEAR else []
    across = Axis(_("Memory of one chip"), said("bytes"), log=log, room=0.14)
    up = Axis(_("Memory bandwidth · circles grow with peak {precision}").format(precision=view.peaks.upper()), said("bytes_per_s"), log=log, room=0.3)
    lines, notes = equal_times(across, up, [*sizes, *(mark.at for mark in marks)], [dot.y for dot in dots])
    return plane(lines, [dots], across=across, up=up, marks=marks, notes=notes, revision="chips", right=64), more


def _dot(case: Job, column: ComparedChip, view: View, top: float) -> Dot:
    """One chip: the arithmetic as its size, ringed and bold where it is the reader's, grey where the work does not fit."""
    chip, peak = column.chip, column.chip.peak(view.peaks)
    own, holds = chip.id == case.chip, column.served is None or column.served.fits is not False
    alone = bool({"memory_bytes", "memory_bytes_per_s", PRECISIONS[view.peaks]} & chip.single_source)
    memory, rate = chip.memory_bytes or 0.0, chip.memory_bytes_per_s or 0.0
    figures = " · ".join([units.si(memory, "B"), units.si(rate, "B/s"), units.si(peak, "FLOP/s") if peak else "–"])
    how = _("one source alone") if chip.single_source else _("data sheet")
    titles = "; ".join(catalog.sources()[source].title for source in chip.source.split(";")[:3] if source)
    return Dot(
        memory,
        rate,
        "compute",
        (chip.id, f"{short(chip)} ({chip.release_date.year})", figures, how, titles),
        name=short(chip),
        side="",
        open=alone,
        strong=own,
        colour=ROLES["compute"].colour if holds else FAINT,
        size=max(SMALLEST, LARGEST * sqrt((peak or 0.0) / top)),
        alpha=0.85,
        ring=ROLES["memory"].colour if own else "",
        thick=4 if own else 2,
    )


def equal_times(across: Axis, up: Axis, xs: Sequence[float], ys: Sequence[float]) -> tuple[list[Line], list[Note]]:
    """Lines on which the whole memory takes equally long to read, with their names where they leave the plot."""
    (low_x, high_x), (low_y, high_y) = (
        tuple(10.0**end if axis.log else end for end in axis.ends(min(values), max(values))) for axis, values in ((across, xs), (up, ys))
    )
    lines: list[Line] = []
    notes: list[Note] = []
    for seconds in READS:
        start, end = max(low_x, low_y * seconds) if across.log else 0.0, min(high_x, high_y * seconds)
        if end <= start * 1.05:
            continue
        lines.append(Line("reference", "", [start, end], [start / seconds, end / seconds], dash="dash", width=1))
        time = units.si(seconds, "s", digits=1)
        place = {"side": "left", "over": "middle", "dx": 4} if end >= high_x * 0.999 else {"side": "right", "over": "top", "dx": -12}
        notes.append(Note(end, end / seconds, time if notes else _("all of it read in {time}").format(time=time), **place))  # type: ignore[arg-type]
    return lines, notes


def _need(case: Job, columns: Sequence[ComparedChip]) -> CrossLine | None:
    """What the case takes on one chip: a line that chips left of it cannot reach over; None where it cannot be served."""
    served = next((column.served for column in columns if column.served), None)
    if served is None:
        return None
    template = _("{model} over {n} chips: {bytes} each") if case.chips > 1 else _("{model} needs {bytes}")
    return CrossLine(served.bytes, template.format(model=model_name(case), n=f"{case.chips:,}", bytes=units.binary(served.bytes)), role="memory")
