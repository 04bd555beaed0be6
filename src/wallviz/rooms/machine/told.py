"""What the machine page says in words: the sentence, the formula with the reader's numbers, the samples, and what makes them doubtful."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from wallviz import units
from wallviz.i18n import N_, _, bracketed, labelled
from wallviz.job import Job, alone
from wallviz.machine.probe.nvml import Basis
from wallviz.machine.probe.reasons import Flag, Reason, explained
from wallviz.machine.probe.record import Comparison, Record, compare
from wallviz.rooms.bound import moved_bytes
from wallviz.rooms.job import model_name, said
from wallviz.rooms.machine import promised

KERNELS = {"read": N_("read"), "write": N_("write"), "copy": N_("copy"), "scale": N_("scale"), "add": N_("add"), "triad": N_("triad")}
TRANSFERS = {
    "d2d": N_("copy engine"),
    "h2d_pinned": N_("host to device, pinned"),
    "d2h_pinned": N_("device to host, pinned"),
    "h2d_pageable": N_("host to device, pageable"),
    "d2h_pageable": N_("device to host, pageable"),
}


def named(what: str) -> str:
    """A kernel or a transfer in the language in use; what is not known stays as its record spells it.

    >>> named("triad"), named("h2d_pinned"), named("p2p_0_1"), named("other")
    ('triad', 'host to device, pinned', 'GPU 0 to GPU 1', 'other')
    """
    if peers := re.fullmatch(r"p2p_(\d{1,3})_(\d{1,3})", what):
        return _("GPU {a} to GPU {b}").format(a=peers[1], b=peers[2])
    known = KERNELS | TRANSFERS
    return _(known[what]) if what in known else what


def writing(case: Job) -> Job:
    """The case's model writing on one such machine."""
    return replace(alone(case), job="infer")


def tokens_per_s(case: Job, bytes_per_s: float) -> float:
    """Upper bound of the case's sequences on a machine that moves so much: what a step must move, as on the roofline.

    >>> round(tokens_per_s(Job(), 418e9))
    26
    """
    return case.batch * bytes_per_s / moved_bytes(writing(case))


def headline_bytes_per_s(record: Record) -> float:
    """The rate that stands for the machine, bytes/s."""
    return (record.headline[1].best_bytes_per_s if record.headline else None) or 1.0


def reading_bytes_per_s(record: Record) -> float:
    """How fast weights can be read at most: the rate that stands for the machine, or that of reading alone where it is higher."""
    read = record.kernels["read"].best_bytes_per_s if "read" in record.kernels else None
    return max(headline_bytes_per_s(record), read or 0.0)


def sentence(case: Job, record: Record) -> str:
    """The record's answer, at most 25 words."""
    values = {
        "rate": units.si(headline_bytes_per_s(record), "B/s"),
        "n": units.significant(tokens_per_s(case, reading_bytes_per_s(record)), 2),
        "model": model_name(case),
        "format": said("format", case),
    }
    if record.fraction is not None and record.theoretical_bytes_per_s:
        return _("This machine moves {rate}, {share} % of {peak}: about {n} tokens/s at most with {model} ({format}), whatever its FLOP/s.").format(
            share=f"{record.fraction * 100:.0f}", peak=units.si(record.theoretical_bytes_per_s, "B/s"), **values
        )
    return _("This machine moves {rate}: about {n} tokens/s at most with {model} ({format}), whatever its FLOP/s.").format(**values)


def why(case: Job, record: Record | None, promise: str = "") -> str:
    """The formula with the reader's numbers, as Markdown; nothing of a record's own text is in it."""
    moved = moved_bytes(writing(case))
    lines = [
        _("**tokens/s ≤ batch × bandwidth / bytes of a step**: each step reads the weights that its tokens touch, and what is cached for each."),
        "",
        "- "
        + _("a step of {model}, weights {format}, batch {batch}, context {context}: {size}").format(
            model=model_name(case), format=said("format", case), batch=f"{case.batch:,}", context=f"{case.context:,}", size=units.si(moved, "B")
        ),
    ]
    if record is None or not record.headline:
        return "\n".join([*lines, "", _("Measure a machine, or open a record, to see its numbers here.")])
    rate, reading = headline_bytes_per_s(record), reading_bytes_per_s(record)
    if reading > rate:
        lines.append(
            "- "
            + _("the machine moves {rate}; reading alone it reached {reading}, and decoding reads").format(
                rate=units.si(rate, "B/s"), reading=units.si(reading, "B/s")
            )
        )
    lines.append(
        "- "
        + _("{batch} × {rate} / {size} = {n} tokens/s").format(
            batch=f"{case.batch:,}", rate=units.si(reading, "B/s"), size=units.si(moved, "B"), n=units.significant(tokens_per_s(case, reading))
        )
    )
    if record.theoretical_bytes_per_s:
        source = promised.said(promise, record.theoretical_bytes_per_s) if record.theoretical_source == promised.READER else _promised(record)
        lines += [f"- {source}"] if source else []
        lines.append(
            "- "
            + _("share: {rate} / {peak} = {share} %").format(
                rate=units.si(rate, "B/s"), peak=units.si(record.theoretical_bytes_per_s, "B/s"), share=f"{(record.fraction or 0.0) * 100:.1f}"
            )
        )
    lines += [
        "",
        _(
            "Bytes are counted as STREAM does (McCalpin 1995): what is read and what is written, once each. Add reads two arrays and writes one, "
            "values of 8 bytes on a CPU and of 4 on a GPU."
        ),
        "",
        _(
            "Norms, activations and the engine come on top: this is a bound, not a forecast. In a batch one reading of the weights serves "
            "every sequence."
        ),
    ]
    return "\n".join(lines)


def _promised(record: Record) -> str:
    """Where the theoretical rate comes from; the formula only where it gives that rate."""
    clock_hz, bits, peak = record.device.memory_clock_hz, record.device.bus_bits, record.theoretical_bytes_per_s
    if clock_hz and bits and peak and abs(2 * clock_hz * bits / 8 / peak - 1) < 0.005:
        return _("promised: 2 × {clock} MHz × {bits} bits / 8 = {peak}").format(
            clock=units.significant(clock_hz / 1e6, 4), bits=bits, peak=units.si(peak, "B/s")
        )
    return _(Basis(record.theoretical_source).sentence) if record.theoretical_source in set(Basis) else ""


def how_sure(record: Record | None) -> str:
    """The method, what disturbed this record, and why a machine may lie low, as Markdown."""
    lines = []
    if record is not None:
        lines += [f"- {_(Flag(flag).sentence)}" for flag in record.flags]
        if record.others_busy is not None:
            lines.append("- " + _("other programs used {share} % of the processors meanwhile").format(share=f"{record.others_busy * 100:.1f}"))
        if record.seconds:
            lines.append("- " + _("it took {n} s").format(n=f"{record.seconds:.1f}"))
        lines.append("")
    lines += [
        _(
            "Every figure is the best run without the first, beside the median and the distance of the quartiles: the best is what the machine can "
            "do, the median what it did. Each kernel's result is held against its closed form, and a damaged value must be caught: what fails has no "
            "figure."
        ),
        "",
        _("**Why a machine may lie low**"),
        "",
        "- " + _("a CPU with one memory module on a board for two or more has half of its channels, or fewer, and as much less bandwidth"),
        "- " + _("a laptop on battery, a hot chip or a power limit lowers the clocks: see the telemetry"),
        "- " + _("an integrated GPU shares the processor's memory, and its bandwidth"),
        "- " + _("a virtual machine has a part of its host: others there take from the same memory"),
    ]
    return "\n".join(lines)


def failures(record: Record | None) -> tuple[str, ...]:
    """What was not measured and why; a record's own words are among it: show them as they are."""
    if record is None:
        return ()
    said = []
    for error in record.errors:
        text = explained(Reason(error.reason))
        text = bracketed(text, error.detail) if error.detail else text
        said.append(labelled(error.part, text) if error.part else text)
    return tuple(said)


def samples(record: Record | None, label: str = "") -> tuple[Mapping[str, object], ...]:
    """Every kernel of every run and every transfer: best, median, spread and number of samples."""
    if record is None:
        return ()
    runs = [(run.engine, run.threads, run.kernels) for run in record.runs] or [(record.path, record.threads, record.kernels)]
    runs += [(_("transfer"), None, record.transfers)] if record.transfers else []
    first = {_("machine"): label} if label else {}
    return tuple(
        first
        | {
            _("engine"): engine,
            _("threads"): threads or "–",
            _("kernel"): named(name),
            _("best, GB/s"): None if each.best_bytes_per_s is None else each.best_bytes_per_s / 1e9,
            _("median, GB/s"): None if each.median_bytes_per_s is None else each.median_bytes_per_s / 1e9,
            _("quartiles apart, GB/s"): None if each.iqr is None else each.iqr / 1e9,
            _("samples"): each.samples,
            _("check"): _("not checked") if each.valid is None else _("passed") if each.valid else _("failed"),
        }
        for engine, threads, kernels in runs
        for name, each in kernels.items()
    )


def facts(record: Record | None) -> tuple[Mapping[str, object], ...]:
    """The device as its record describes it."""
    if record is None:
        return ()
    found = record.device
    said = [
        (_("device"), found.name),
        (_("maker"), found.vendor),
        (_("architecture"), found.architecture),
        (_("interface"), found.backend or record.path),
        (_("driver"), found.driver),
        (_("system"), found.system),
        (_("processors"), f"{found.processors:,}" if found.processors else ""),
        (_("memory"), units.binary(found.memory_bytes) if found.memory_bytes else ""),
        (_("caches"), ", ".join(f"L{cache.level} {units.binary(cache.bytes)}" for cache in found.caches)),
        (_("arrays"), _("three of {size}").format(size=units.binary(record.array_bytes)) if record.array_bytes else ""),
        (_("measured"), record.created),
        (_("written by"), f"wallviz {record.version}"),
    ]
    return tuple({_("what"): what, _("value"): value} for what, value in said if value)


def products(record: Record | None) -> tuple[Mapping[str, object], ...]:
    """The matrix products by number format: best, median and number of samples."""
    if record is None:
        return ()
    return tuple(
        {
            _("matrix product"): name.upper(),
            _("threads"): record.threads or "–",
            _("best, GFLOP/s"): None if each.best_flop_per_s is None else each.best_flop_per_s / 1e9,
            _("median, GFLOP/s"): None if each.median_flop_per_s is None else each.median_flop_per_s / 1e9,
            _("samples"): each.samples,
            _("check"): _("not checked") if each.valid is None else _("passed") if each.valid else _("failed"),
        }
        for name, each in record.arithmetic.items()
    )


def compared(a: Record, b: Record) -> tuple[str, tuple[Mapping[str, object], ...]]:
    """`b` against `a` as a sentence and rows: kernels, then the staircase and latencies at the sizes that both have."""
    found: Comparison = compare(a, b)
    rows: list[Mapping[str, object]] = []
    series = [
        *((named(each.what), each, "B/s") for each in found.kernels),
        *((_("matrix product, {format}").format(format=each.what.upper()), each, "FLOP/s") for each in found.arithmetic),
        *((_("staircase at {size}").format(size=units.binary(size)), each, "B/s") for size, each in found.sweep.items()),
        *((_("latency at {size}").format(size=units.binary(size)), each, "s") for size, each in found.latency.items()),
    ]
    for what, each, unit in series:
        rows.append(
            {
                _("what"): what,
                _("before (A)"): units.si(each.a, unit) if each.a else "–",
                _("after (B)"): units.si(each.b, unit) if each.b else "–",
                _("B / A"): units.times(each.ratio) if each.ratio else "–",
            }
        )
    rates = [(record.headline[1].best_bytes_per_s if record.headline else None) for record in (a, b)]
    if rates[0] and rates[1]:
        said = _("The later record (B) moves {b}, the earlier one (A) {a}: {times}.").format(
            a=units.si(rates[0], "B/s"), b=units.si(rates[1], "B/s"), times=units.times(rates[1] / rates[0])
        )
    else:
        said = _("One of the two records has no bandwidth: the rest stands below.")
    return said, tuple(rows)
