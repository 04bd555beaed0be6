"""The figure that the view asks for, with what is doubtful about it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from wallviz import catalog, units
from wallviz.engine.memory import quantization
from wallviz.errors import InputError
from wallviz.i18n import _, labelled, qualified
from wallviz.job import Job
from wallviz.machine.promised import with_promise
from wallviz.machine.reasons import Flag
from wallviz.machine.record import Record
from wallviz.rooms import Answer
from wallviz.rooms.job import architecture, said
from wallviz.rooms.machine import certainty, formula
from wallviz.rooms.machine.choices import View
from wallviz.rooms.machine.kernels import kernels
from wallviz.rooms.machine.latency import latency
from wallviz.rooms.machine.share import share
from wallviz.rooms.machine.shown import Shown, shown
from wallviz.rooms.machine.staircase import staircase


def answer(case: Job, view: View, record: Record | None, against: Record | None, *, opened: bool) -> Answer:
    """The answer for a record, or for published machines where there is none; one that was `opened` is said to be."""
    refused: list[str] = []
    try:
        record = with_promise(record, view.promised, catalog.chips())
    except InputError as error:  # typed on the page: said, and nothing else is lost
        refused.append(str(error))
    given = shown(case, view, record, against)
    made = _FIGURES[view.show](given)
    sure, trust = _badge(given.record)
    return replace(
        made,
        sure=sure,
        trust=trust,
        problems=(*refused, *_problems(record, given, opened=opened)),
        explain=partial(formula.why, case, given.record, view.promised),
        doubt=partial(certainty.how_sure, given.record),
        sources=given.sources,
    )


def _problems(record: Record | None, given: Shown, *, opened: bool) -> tuple[str, ...]:
    """What is said over the answer: why there is no figure, or what makes it doubtful enough to be said at once."""
    if record is None:
        return ()
    if given.record is None:
        return certainty.failures(record) or (_("This record holds no rate of triad, add or copy: there is nothing to draw."),)
    serious = {Flag.SOFTWARE, Flag.ABOVE_THEORETICAL, Flag.FAR_BELOW, Flag.THROTTLED}
    lines = [labelled(_("A record that was opened"), qualified(record.device.name or "–", record.path, record.created))] if opened else []
    lines += [_(Flag(flag).sentence) for flag in record.flags if flag in serious]
    arch = architecture(given.case)
    need = float(quantization.weights_bytes(arch, given.case.format))
    if record.device.memory_bytes and record.path != "browser" and need > record.device.memory_bytes:
        lines.append(
            _("{model} ({format}) needs {need} and this device has {have}: it does not fit, whatever the speed.").format(
                model=arch.name, format=said("format", given.case), need=units.si(need, "B"), have=units.si(record.device.memory_bytes, "B")
            )
        )
    return tuple(lines)


def _badge(record: Record | None) -> tuple[str, str]:
    """How sure, and its colour: how far the median lies below the best, and whether anything disturbed it."""
    headline = record.headline if record else None
    if record is None or headline is None:
        return _("published machines, not yours"), "gray"
    best, median = headline[1].best_bytes_per_s or 1.0, headline[1].median_bytes_per_s
    below = 1 - median / best if median else 0.0
    doubtful = bool(set(record.flags) - {Flag.NUMPY_ONLY})
    said = _("best of {n}, median {share}% lower").format(n=headline[1].samples, share=f"{below * 100:.0f}")
    return said, "green" if below < 0.1 and not doubtful else "orange" if below < 0.5 else "red"


_FIGURES = {"staircase": staircase, "kernels": kernels, "share": share, "latency": latency}
