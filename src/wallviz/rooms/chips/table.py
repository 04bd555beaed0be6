"""The comparison as tables: side by side as it is read, and a row a chip in base units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wallviz import catalog, units
from wallviz.engine.hardware import PRECISIONS
from wallviz.i18n import _, bracketed, listing
from wallviz.job import Job
from wallviz.rooms.chips.certainty import single_sourced
from wallviz.rooms.chips.metrics import METRICS, PEAKS, ComparedChip, View, compared, rate, short, single_source

#: The lines of the table: what the data sheet says, per watt, what it serves, per unit of money.
READING_ORDER = (
    "memory", "bandwidth", "peak", "ridge", "link", "power", "bandwidth_power", "peak_power", "tokens", "joule", "ttft", "largest", "dense",
    "memory_price", "bandwidth_price", "peak_price", "tokens_price",
)  # fmt: skip


def rows(case: Job, view: View) -> tuple[Mapping[str, object], ...]:
    """One row a chip, every figure in base units."""
    columns, _problems = compared(case, view)
    return tuple(
        {
            _("chip"): column.chip.name,
            _("id"): column.chip.id,
            _("year"): column.chip.release_date.year,
            _("memory type"): column.chip.memory_type,
            _("memory (B)"): column.chip.memory_bytes,
            _("bandwidth (B/s)"): column.chip.memory_bytes_per_s,
            **{f"{name} (FLOP/s)": column.chip.peak(name) for name in PEAKS},
            _("links one way (B/s)"): column.chip.interconnect_bytes_per_s,
            _("power (W)"): column.chip.tdp_w,
            **{
                _(metric.name): metric.value(column, view)
                for id, metric in METRICS.items()
                if id not in ("memory", "bandwidth", "peak", "link", "power")
            },
            _("largest model in time"): catalog.presets()[column.largest[0]].name if column.largest else None,
            _("your price"): column.price,
            _("one source alone"): listing(single_sourced(column.chip)),
            _("source"): catalog.titles(column.chip.source),
        }
        for column in columns
    )


def side_by_side(case: Job, view: View) -> tuple[Mapping[str, object], ...]:
    """The comparison as it is read: a line for each figure, a column for each chip; a star where one source alone says it."""
    columns, _problems = compared(case, view)
    heads = [short(column.chip) for column in columns]
    names_ = [head if heads.count(head) == 1 else column.chip.name for head, column in zip(heads, columns, strict=True)]

    def line(what: str, cells: Sequence[str]) -> dict[str, object]:
        return {" ": what, **dict(zip(names_, cells, strict=True))}

    found = [
        line(_("Released"), [f"{c.chip.release_date.year}" + (" " + _("(announced)") if c.chip.announced else "") for c in columns]),
        line(_("Memory type"), [c.chip.memory_type or "–" for c in columns]),
    ]
    for id in READING_ORDER:
        metric = METRICS[id]
        if id == "peak":
            found += _peaks(columns, line)
        elif not metric.priced or view.prices:
            found.append(line(_(metric.name), [_in_table(id, column, view) for column in columns]))
    return tuple(found)


def _in_table(id: str, column: ComparedChip, view: View) -> str:
    metric = METRICS[id]
    value = metric.value(column, view)
    if id == "largest" and column.largest and value:
        return bracketed(catalog.presets()[column.largest[0]].name, units.count(value))
    return _cell(value, metric.said, single_source(column.chip, metric, view))


def _peaks(columns: Sequence[ComparedChip], line: Callable[[str, Sequence[str]], dict[str, object]]) -> list[dict[str, object]]:
    """A line for each number format that any of the chips has."""
    found = []
    for precision in PEAKS:
        said, attribute = rate("OP/s" if precision == "int8" else "FLOP/s"), PRECISIONS[precision]
        cells = [_cell(c.chip.peak(precision), said, attribute in c.chip.single_source) for c in columns]
        if any(cell != "–" for cell in cells):
            found.append(line(_("Peak {precision}").format(precision=precision.upper()), cells))
    return found


def _cell(value: float | None, said: Callable[[float], str], single: bool) -> str:
    return "–" if value is None else said(value) + (" *" if single else "")
