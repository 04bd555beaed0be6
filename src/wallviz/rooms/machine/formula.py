"""Why: the bound with the reader's numbers, and where the promised rate comes from."""

from __future__ import annotations

from wallviz import units
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.machine.probe.nvml import Basis
from wallviz.machine.promised import READER
from wallviz.machine.record import Record
from wallviz.rooms.bound import moved_bytes
from wallviz.rooms.job import model_name, said
from wallviz.rooms.machine import promised
from wallviz.rooms.machine.speed import headline_bytes_per_s, reading_bytes_per_s, tokens_per_s, writing


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
        source = promised.said(promise, record.theoretical_bytes_per_s) if record.theoretical_source == READER else _promised(record)
        lines += [f"- {source}"] if source else []
        lines.append(
            "- "
            + _("share: {rate} / {peak} = {share}%").format(
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
