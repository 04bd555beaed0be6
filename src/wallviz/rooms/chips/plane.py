"""Every chip on the plane of its memory and its bandwidth, beside what the case needs."""

from __future__ import annotations

from collections.abc import Sequence

from wallviz import catalog, units
from wallviz.engine.hardware import PRECISIONS
from wallviz.figures import chips as figures
from wallviz.figures.style import Drawing
from wallviz.i18n import _, listing
from wallviz.job import Job
from wallviz.rooms.chips.metrics import ComparedChip, View, short
from wallviz.rooms.job import model_name


def drawn(case: Job, columns: Sequence[ComparedChip], view: View) -> tuple[Drawing | None, tuple[str, ...]]:
    """The plane, and a sentence on the chips that have no figure."""
    spots = [
        figures.ChipSpot(
            column.chip.id,
            short(column.chip),
            column.chip.release_date.year,
            column.chip.memory_bytes,
            column.chip.memory_bytes_per_s,
            column.chip.peak(view.peaks),
            bool({"memory_bytes", "memory_bytes_per_s", PRECISIONS[view.peaks]} & column.chip.single_source),
            _("one source alone") if column.chip.single_source else _("data sheet"),
            "; ".join(catalog.sources()[s].title for s in column.chip.source.split(";")[:3] if s),
            own=column.chip.id == case.chip,
            holds=column.served is None or column.served.fits is not False,
        )
        for column in columns
        if column.chip.memory_bytes and column.chip.memory_bytes_per_s
    ]
    lacking = [short(c.chip) for c in columns if not (c.chip.memory_bytes and c.chip.memory_bytes_per_s)]
    more = (_("Without a figure: {chips}.").format(chips=listing(lacking)),) if lacking else ()
    if not spots:
        return None, more
    return (
        figures.plane(
            spots,
            name=_("Memory bandwidth · circles grow with peak {precision}").format(precision=view.peaks.upper()),
            across=_("Memory of one chip"),
            every=_("all of it read in {time}"),
            log=view.scale == "log",
            revision="chips",
            need=_need(case, columns),
        ),
        more,
    )


def _need(case: Job, columns: Sequence[ComparedChip]) -> tuple[str, float] | None:
    """What the case takes on one chip, in words and bytes; None where it cannot be served."""
    served = next((column.served for column in columns if column.served), None)
    if served is None:
        return None
    template = _("{model} over {n} chips: {bytes} each") if case.chips > 1 else _("{model} needs {bytes}")
    return template.format(model=model_name(case), n=f"{case.chips:,}", bytes=units.binary(served.bytes)), served.bytes
