"""The waterfall: memory or time after each step, as bars and as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wallviz import units
from wallviz.engine.remedies.plan import Plan
from wallviz.figures import remedies as figures
from wallviz.figures.style import Drawing
from wallviz.i18n import _, labelled
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.steps import Chosen, capacity_bytes


def drawn(found: Plan, chosen: Chosen, view: View, revision: str) -> Drawing:
    """The waterfall of the steps, under the line of what the chip holds where it shows memory."""
    return figures.waterfall(
        _bars(found, chosen, view),
        name=_("GiB per GPU at the peak")
        if view.show == "memory"
        else (_("{unit} per token, at least") if found.setup.serves else _("{unit} per step, at least")),
        role="memory" if view.show == "memory" else "compute",
        unit="GiB" if view.show == "memory" else "s",
        limit=_limit(found, capacity_bytes(found, chosen) if not chosen.proposed else found.capacity_bytes) if view.show == "memory" else None,
        revision=revision,
    )


def _limit(found: Plan, holds: float | None) -> tuple[str, float] | None:
    return None if holds is None else (labelled(found.setup.chip.name.partition(" (")[0], units.binary(holds)), holds)


def _bars(found: Plan, chosen: Chosen, view: View) -> list[figures.WaterfallBar]:
    memory = view.show == "memory"

    def said(value: float) -> str:
        return units.binary(value) if memory else units.duration(value)

    now = found.now.bytes if memory else found.now.time_s
    bars = [figures.WaterfallBar(_("As it is"), 0.0, now, said(now))]
    for step in chosen.steps:
        after = step.after or step.before
        start, end = (step.before.bytes, after.bytes) if memory else (step.before.time_s, after.time_s)
        sign = "−" if end <= start else "+"
        bars.append(
            figures.WaterfallBar(_(step.remedy.name), start, end, f"{sign}{said(abs(end - start))} · {_(step.remedy.costs)}", _(step.remedy.formula))
        )
    if chosen.steps:
        last = chosen.steps[-1].after or chosen.steps[-1].before
        end = last.bytes if memory else last.time_s
        bars.append(figures.WaterfallBar(_("Then"), 0.0, end, said(end)))
    return bars


def rows(found: Plan, chosen: Chosen) -> tuple[Mapping[str, object], ...]:
    """The same as a table: the case as it is, and each step."""

    def row(name: str, o: Any, saved: float, saved_s: float) -> dict[str, object]:
        return {
            _("remedy"): name, "GiB": o.bytes / units.GIB, _("saves, GiB"): saved / units.GIB, _("seconds"): o.time_s, _("saves, seconds"): saved_s,
            _("moved, bytes"): o.moved_bytes, _("sent over links, bytes"): o.sent_bytes, _("over PCIe, bytes"): o.slot_bytes,
            _("tokens/s"): o.tokens_per_s,
        }  # fmt: skip

    steps = [row(_(s.remedy.name), s.after or s.before, s.saves_bytes, s.saves_s) for s in chosen.steps]
    return (row(_("As it is"), found.now, 0.0, 0.0), *steps)
