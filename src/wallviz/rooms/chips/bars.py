"""One figure of every chip as bars, the best first."""

from __future__ import annotations

from collections.abc import Sequence

from wallviz import catalog
from wallviz.figures.axes import Axis, said
from wallviz.figures.bars import bars, value
from wallviz.figures.style import Drawing
from wallviz.i18n import N_, _, listing
from wallviz.rooms.chips.metrics import METRICS, ComparedChip, Metric, View, short, single_source

#: What keeps a dense model from being larger.
LIMITS = {"memory": N_("memory is full"), "tpot": N_("reading the weights"), "compute": N_("arithmetic"), "ttft": N_("reading the prompt")}


def drawn(columns: Sequence[ComparedChip], view: View) -> tuple[Drawing | None, tuple[str, ...]]:
    """The bars, and a sentence on the chips that have no figure."""
    metric = METRICS[view.show]
    found = sorted(
        ((column, size) for column in columns if (size := metric.value(column, view)) is not None), key=lambda one: one[1], reverse=metric.best
    )
    lacking = [short(column.chip) for column in columns if column not in [c for c, _v in found]]
    more = (_("Without a figure: {chips}.").format(chips=listing(lacking)),) if lacking and found else ()
    if not found:
        return None, more
    alone = {column.chip.id for column, _size in found if single_source(column.chip, metric, view)}
    rows = [
        value(
            column.chip.id,
            column.chip.name,
            metric.role,
            size,
            _value(metric, column, size, view),
            solid=column.chip.id not in alone,
            hover=(_("one source alone"),) if column.chip.id in alone else (),
        )
        for column, size in found
    ]
    return bars(rows, Axis(_(metric.name), said(metric.kind), log=view.scale == "log"), revision=f"chips-{view.show}"), more


def _value(metric: Metric, column: ComparedChip, value: float, view: View) -> str:
    if view.show == "largest" and column.largest:
        return f"{metric.said(value)} · {catalog.presets()[column.largest[0]].name}"
    if view.show == "dense" and column.dense:
        return f"{metric.said(value)} · {_(LIMITS[str(column.dense.bound)])}"
    return metric.said(value)
