"""Records as tables: every sample, the device, matrix products, and two records side by side."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.i18n import _, listing
from wallviz.machine.record import Comparison, Record, compare
from wallviz.rooms.machine.words import named


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
        (_("caches"), listing(f"L{cache.level} {units.binary(cache.bytes)}" for cache in found.caches)),
        (_("arrays"), _("three of {size}").format(size=units.binary(record.array_bytes)) if record.array_bytes else ""),
        (_("measured"), record.created),
        (_("made by"), f"wallviz {record.version}"),
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
