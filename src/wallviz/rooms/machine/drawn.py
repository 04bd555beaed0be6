"""The figures of the machine page with their sentences: bandwidth and latency by working set, kernels, and shares of what is promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from wallviz import units
from wallviz.engine.hardware import MemoryLevel
from wallviz.engine.memory import quantization
from wallviz.errors import InputError
from wallviz.figures import hierarchy as rows_figures
from wallviz.figures import machine as figures
from wallviz.figures.machine import MachineLine, SetSpot, Wall
from wallviz.i18n import _, bracketed, labelled, qualified
from wallviz.job import Job
from wallviz.machine.as_chip import reach_bytes
from wallviz.machine.probe.reasons import Flag
from wallviz.machine.probe.record import Record
from wallviz.rooms import Answer
from wallviz.rooms.job import architecture, said
from wallviz.rooms.machine import told
from wallviz.rooms.machine.choices import View, beside
from wallviz.rooms.machine.others import Other, others, published_shares
from wallviz.rooms.machine.promised import with_promise
from wallviz.rooms.machine.told import KERNELS, named

MOST_BARS = 24
"""Bars of one figure; a record may hold two hundred kernels, a measurement has six and a few transfers."""
SMALLEST_BYTES, LARGEST_BYTES = 2.0**14, 2.0**30
"""The size axis where no record needs more of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is drawn: the reader's `record`, another one to hold against it (`against`), and the published machines `beside` them."""

    case: Job
    record: Record | None
    against: Record | None
    beside: tuple[Other, ...]

    @property
    def records(self) -> tuple[tuple[Record, str, bool], ...]:
        """Records with their label at the line's end and whether their markers are filled."""
        named = ((self.record, self.label, True), (self.against, _("the other record"), False))
        return tuple((record, label, filled) for record, label, filled in named if record is not None)

    @property
    def label(self) -> str:
        """What the reader's record is called."""
        return _("this machine")

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the origins of what is drawn beside the record."""
        levels = [level for other in self.beside for level in (*other.caches, other.memory)]
        return tuple(dict.fromkeys(source for level in levels for source in level.source.split(";") if source))


def shown(case: Job, view: View, record: Record | None, against: Record | None) -> Shown:
    """What `view` draws. A software adapter is no GPU: it stands among processors only. Raises `InputError` for machines that do not exist."""
    chosen = [others()[id] for id in beside(view)]
    measured = record if record is not None and record.headline else None
    if measured is not None and measured.device.kind == "software":
        chosen = [other for other in chosen if other.is_cpu]
    return Shown(case, measured, against if against is not None and against.headline else None, tuple(chosen))


def answer(case: Job, view: View, record: Record | None, against: Record | None, *, opened: bool) -> Answer:
    """The answer for a record, or for published machines where there is none; one that was `opened` is said to be."""
    refused: list[str] = []
    try:
        record = with_promise(record, view.promised)
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
        explain=partial(told.why, case, given.record, view.promised),
        doubt=partial(told.how_sure, given.record),
        sources=given.sources,
    )


def _problems(record: Record | None, given: Shown, *, opened: bool) -> tuple[str, ...]:
    """What is said over the answer: why there is no figure, or what makes it doubtful enough to be said at once."""
    if record is None:
        return ()
    if given.record is None:
        return told.failures(record) or (_("This record holds no rate of triad, add or copy: there is nothing to draw."),)
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
    said = _("best of {n}, median {share} % lower").format(n=headline[1].samples, share=f"{below * 100:.0f}")
    return said, "green" if below < 0.1 and not doubtful else "orange" if below < 0.5 else "red"


# --------------------------------------------------------------------------------------------------- by working set


def staircase(given: Shown) -> Answer:
    """Bandwidth against the working set, cache sizes marked."""
    record = given.record
    largest = max([LARGEST_BYTES, *(step.bytes for each, _label, _filled in given.records for step in each.sweep)])
    lines = [
        MachineLine(
            label,
            tuple(SetSpot(step.bytes, step.bytes_per_s, _at(step.bytes, units.si(step.bytes_per_s, "B/s"))) for step in steps),
            own=True,
            said=units.si(steps[-1].bytes_per_s, "B/s"),
            filled=filled,
        )
        for each, label, filled in given.records
        if (steps := sorted(each.sweep, key=lambda step: step.bytes))
    ]
    lines += [_steps(other, other.rates(), largest, "B/s") for other in given.beside if other.rates()]
    points = []
    if record is not None and record.headline and record.headline[1].best_bytes_per_s and record.array_bytes:
        name, best = record.headline
        rate = best.best_bytes_per_s or 0.0
        kernel = named(name)
        label = _("{kernel}, {n} threads").format(kernel=kernel, n=record.threads) if record.threads else kernel
        points.append((label, SetSpot(min(largest, 3.0 * record.array_bytes), rate, _at(3.0 * record.array_bytes, units.si(rate, "B/s")))))
    return Answer(
        name="machine",
        sentence=told.sentence(given.case, record) if record else _example(),
        drawing=figures.staircase(
            lines,
            _walls(record),
            points,
            kind="bytes_per_s",
            name=_("Bandwidth (log scale)"),
            across=_("Working set: all the data that is touched again and again"),
            revision=f"staircase{record.created if record else ''}",
        ),
        caption=_caption(record),
        rows=partial(_stair_rows, given),
    )


def _at(size: float, said: str) -> str:
    return _("{value} at {size}").format(value=said, size=units.binary(size))


def _steps(other: Other, values: Sequence[tuple[MemoryLevel, float]], largest: float, unit: str) -> MachineLine:
    """Published levels as flat steps, each as wide as its capacity; memory goes on to the edge."""
    spots: list[SetSpot] = []
    start = SMALLEST_BYTES
    for level, value in values:
        end = largest if level is other.memory else min(largest, level.capacity_bytes or 0.0)
        if not spots and level is other.memory:  # no cache is published: a short line at the edge
            start = largest / 16
        how = qualified(level.level, units.si(value, unit), _(level.kind if unit == "B/s" else level.latency_kind))
        spots += [SetSpot(start, value, how), SetSpot(end, value, how)]
        start = end
    return MachineLine(other.name, tuple(spots), said=units.si(spots[-1].value, unit))


def _walls(record: Record | None) -> list[Wall]:
    if record is None:
        return []
    sizes = [(cache, reach_bytes(cache, record.sweep_threads)) for cache in record.device.caches]
    return [Wall(size, f"L{cache.level} {units.binary(size, 2)}") for cache, size in sizes]


def _caption(record: Record | None) -> str:
    if record is None:
        return _("Steps: levels as published. One thread read the caches of the EPYC, all of them its memory.")
    said = []
    if record.sweep_threads:
        said.append(_("Line: one thread.") if record.sweep_threads == 1 else _("Line: {n} threads.").format(n=record.sweep_threads))
    if Flag.NUMPY_ONLY in record.flags:
        said.append(_("With numpy alone the first-level cache stays hidden, and calls cost half a microsecond each."))
    said.append(_("Steps: published levels of other machines."))
    return " ".join(said)


def _example() -> str:
    h100, epyc = others()["h100-sxm5-80gb"].rates(), others()["amd-epyc-zen-5-2-vcpus"].rates()
    first, last = (units.si(h100[place][1], "B/s", digits=2) for place in (0, -1))
    near, far = (units.si(epyc[place][1], "B/s", digits=2) for place in (0, -1))
    return _("From cache to memory an H100 falls from {first} to {last}, an EPYC from {near} to {far}. And yours?").format(
        first=first, last=last, near=near, far=far
    )


def _stair_rows(given: Shown) -> tuple[Mapping[str, object], ...]:
    rows: list[Mapping[str, object]] = [
        _row(label, units.binary(step.bytes), step.bytes, step.bytes_per_s, _("measured"))
        for each, label, _filled in given.records
        for step in each.sweep
    ]
    for other in given.beside:
        rows += [_row(other.name, level.level, level.capacity_bytes, value, _(level.kind)) for level, value in other.rates()]
    return tuple(rows)


def _row(machine: str, level: str, size: float | None, value: float | None, how: str, unit: str = "B/s") -> Mapping[str, object]:
    said = _("bandwidth, B/s") if unit == "B/s" else _("latency, s")
    return {_("machine"): machine, _("level"): level, _("bytes"): size, said: value, _("how"): how}


# ----------------------------------------------------------------------------------------------------------- latency


def latency(given: Shown) -> Answer:
    """Time of one dependent load against the working set."""
    record = given.record
    timed = [(each, label, filled) for each, label, filled in given.records if each.latency]
    largest = max([LARGEST_BYTES, *(wait.bytes for each, _label, _filled in timed for wait in each.latency)])
    lines = [
        MachineLine(
            _("page by page") if order == "page" else label,
            tuple(SetSpot(wait.bytes, wait.seconds, _at(wait.bytes, units.si(wait.seconds, "s"))) for wait in found),
            own=True,
            said=units.si(found[-1].seconds, "s"),
            filled=filled and order == "random",
        )
        for each, label, filled in timed
        for order in ("random", "page")
        if (found := sorted((wait for wait in each.latency if wait.order == order), key=lambda wait: wait.bytes))
    ]
    lines += [_steps(other, other.latencies(), largest, "s") for other in given.beside if other.latencies()]
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
            h100=units.si(others()["h100-sxm5-80gb"].memory.latency_s or 0.0, "s"),
            epyc=units.si(others()["amd-epyc-zen-5-2-vcpus"].memory.latency_s or 0.0, "s"),
        )
    return Answer(
        name="machine",
        sentence=sentence,
        drawing=figures.staircase(
            lines,
            _walls(record),
            [],
            kind="time",
            name=_("Time of one load (log scale)"),
            across=_("Working set: all the data that is touched again and again"),
            revision=f"latency{record.created if record else ''}",
        ),
        caption=_("Each load takes its address from the one before (pointer chase). Steps: published levels."),
        rows=partial(_latency_rows, given),
    )


def _latency_rows(given: Shown) -> tuple[Mapping[str, object], ...]:
    rows: list[Mapping[str, object]] = [
        _row(label, qualified(units.binary(wait.bytes), wait.order), wait.bytes, wait.seconds, _("measured"), "s")
        for each, label, _filled in given.records
        for wait in each.latency
    ]
    for other in given.beside:
        rows += [_row(other.name, level.level, level.capacity_bytes, value, _(level.latency_kind), "s") for level, value in other.latencies()]
    return tuple(rows)


# ------------------------------------------------------------------------------------------------------------- bars


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
        sentence = _("An H100's memory moves {times} as much as this EPYC's. And yours?").format(
            times=units.times((others()["h100-sxm5-80gb"].memory.bytes_per_s or 0.0) / (others()["amd-epyc-zen-5-2-vcpus"].memory.bytes_per_s or 1.0))
        )
    peak = record.theoretical_bytes_per_s if record else None
    caption = _("Best run of each kernel.") if record else _("Pale: from a data sheet or derived. Solid: measured.")
    drawing = rows_figures.bars(
        rows,
        name=_("Bandwidth (read and written bytes, each counted once)"),
        kind="bytes_per_s",
        log=False,
        revision=f"kernels{record.created if record else ''}",
        line=(peak, _("what the memory promises")) if peak else None,
    )
    if peak:
        (_best, high), (_worst, low) = published_shares()[0], published_shares()[-1]
        drawing = figures.shaded(drawing, low * peak, high * peak)
        caption = _("Filled: measured. Open diamonds and dashed line: promised. Shaded: the {low} to {high} % that published machines reach.").format(
            low=f"{low * 100:.0f}", high=f"{high * 100:.0f}"
        )
    return Answer(name="machine", sentence=sentence, drawing=drawing, caption=caption, rows=partial(_kernel_rows, given))


def _kernel_bars(given: Shown) -> list[rows_figures.ValueBar]:
    bars = []
    for each, label, filled in given.records:
        peak = each.theoretical_bytes_per_s
        marks = (rows_figures.Mark(peak, _("promised: {peak}").format(peak=units.si(peak, "B/s")), filled=False),) if peak else ()
        within = {**each.kernels} | {name: found for name, found in each.transfers.items() if name == "d2d"}
        for group, measured in (("memory", within), ("peers", {name: found for name, found in each.transfers.items() if name != "d2d"})):
            for name, found in measured.items():
                rate = found.best_bytes_per_s
                said = units.si(rate, "B/s") if rate else _("no figure: failed its check")
                if rate and peak and group == "memory":
                    said = bracketed(said, f"{rate / peak * 100:.0f} %")
                bars.append(
                    rows_figures.ValueBar(
                        f"{label}/{group}/{name}",
                        named(name) if len(given.records) == 1 else qualified(named(name), label),
                        group,
                        rate,
                        said,
                        strong=filled,
                        marks=marks if group == "memory" else (),
                        how=_("median {median}, {n} samples").format(median=units.si(found.median_bytes_per_s or 0.0, "B/s"), n=found.samples),
                    )
                )
    return bars[:MOST_BARS]


def _memory_bars(given: Shown) -> list[rows_figures.ValueBar]:
    return [
        rows_figures.ValueBar(
            other.id,
            f"{other.name}: {other.memory.level}",
            "memory",
            other.memory.bytes_per_s,
            units.si(other.memory.bytes_per_s or 0.0, "B/s"),
            strong=other.memory.kind == "measured",
            how=_(other.memory.kind),
        )
        for other in given.beside
    ]


def _kernel_rows(given: Shown) -> tuple[Mapping[str, object], ...]:
    if not given.records:
        return tuple(_row(other.name, other.memory.level, None, other.memory.bytes_per_s, _(other.memory.kind)) for other in given.beside)
    return tuple(row for each, label, _filled in given.records for row in told.samples(each, label))


def share(given: Shown) -> Answer:
    """What memories reach of what they promise: the reader's, and every published machine with both numbers."""
    record, published = given.record, published_shares()
    low, high = (f"{published[place][1] * 100:.0f}" for place in (-1, 0))
    mine = record.fraction if record else None
    if mine is not None:
        sentence = _("This machine reaches {mine} % of what its memory promises; published machines reach {low} to {high} %.")
    elif record:
        sentence = _("Published machines reach {low} to {high} % of what their memory promises; nobody says what this one's promises.")
    else:
        sentence = _("Published machines reach {low} to {high} % of what their memory promises. And yours?")
    rows = [
        rows_figures.ValueBar(
            "mine", label, "chip", each.fraction * 100, f"{each.fraction * 100:.0f} %", strong=filled, how=_promised(each.theoretical_bytes_per_s)
        )
        for each, label, filled in given.records
        if each.fraction is not None
    ]
    rows += [
        rows_figures.ValueBar(
            other.id, other.name, "memory", value * 100, f"{value * 100:.0f} %", how=_promised(other.promised_bytes_per_s), source=other.memory.source
        )
        for other, value in published
    ]
    return Answer(
        name="machine",
        sentence=sentence.format(mine=f"{(mine or 0.0) * 100:.0f}", low=low, high=high),
        drawing=rows_figures.bars(rows, name=_("Measured over promised, %"), kind="number", log=False, revision="share", line=(100.0, "100 %")),
        caption=_("Promised: clock times width, as on the data sheet. The dashed line is 100 %."),
        rows=lambda: tuple(
            {
                _("machine"): other.name,
                _("measured, B/s"): other.memory.bytes_per_s,
                _("promised, B/s"): other.promised_bytes_per_s,
                _("share"): value,
            }
            for other, value in published
        ),
    )


def _promised(rate: float | None) -> str:
    return _("promised: {peak}").format(peak=units.si(rate, "B/s")) if rate else ""


_FIGURES = {"staircase": staircase, "kernels": kernels, "share": share, "latency": latency}
