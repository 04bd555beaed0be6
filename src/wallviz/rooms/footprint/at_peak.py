"""What one GPU holds at the peak, beside what was kept to compare and what would make it fit."""

from __future__ import annotations

from wallviz.engine.advice.record import change
from wallviz.engine.advice.search import Fix
from wallviz.figures.style import Drawing
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms.footprint.need import Estimate
from wallviz.rooms.footprint.parts import MemoryBar, Rows, holds, stacked
from wallviz.rooms.job import job_names


def drawn(now: Estimate, found: tuple[Fix, ...], kept: Estimate | None) -> tuple[Drawing, Rows]:
    """The bars of the peak, and the rows of their table."""
    gpus = _("{n} GPUs").format(n=f"{now.gpus:,}") if now.gpus > 1 else ""
    rows = [MemoryBar(title(now.case, now.arch.name), now.parts, gpus, now.total_bytes * now.band)]
    if kept is not None:
        rows.append(MemoryBar(title(kept.case, kept.arch.name), kept.parts, _("kept to compare")))
    rows += [MemoryBar(change(fix), fix.parts, _("fits") if fix.fits else "") for fix in found]
    return stacked(rows, name=_("GiB per GPU at the peak"), capacity=holds(now), revision=f"bar-{now.case.job}")


def title(case: Job, name: str) -> str:
    """A case in a few words."""
    return _("{job} {model}, batch {batch} × {context} tokens").format(
        job=job_names()[case.job], model=name, batch=f"{case.batch:,}", context=f"{case.context:,}"
    )
