"""The waterfall: memory or time after each step, as bars and as rows."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Any

from wallviz import units
from wallviz.engine.remedies.plan import Plan
from wallviz.figures.axes import Axis
from wallviz.figures.bars import Bar, Limit, Segment, bars
from wallviz.figures.style import ROLES, Drawing
from wallviz.i18n import _, labelled
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.steps import Chosen, capacity_bytes

#: What is added, not taken off.
ADDED = "rgba(128,128,128,0.35)"


def drawn(found: Plan, chosen: Chosen, view: View, revision: str) -> Drawing:
    """The waterfall of the steps: what is taken now, what each remedy takes off, what is left, against what the chip holds."""
    memory = view.show == "memory"
    rows = _steps(found, chosen, memory=memory)
    holds = (found.capacity_bytes if chosen.proposed else capacity_bytes(found, chosen)) if memory else None
    scale, word = (units.GIB, "GiB") if memory else _unit(max(max(before, after) for _label, before, after, *_rest in rows))
    name = _("GiB per GPU at the peak") if memory else (_("{unit} per token, at least") if found.setup.serves else _("{unit} per step, at least"))
    limit = Limit(labelled(found.setup.chip.name.partition(" (")[0], units.binary(holds)), holds / scale) if holds is not None else None
    made = [_bar(*row, ROLES["memory" if memory else "compute"].colour, scale, last=row is rows[-1]) for row in rows]
    axis = Axis(name.format(unit=word), "{:,.10g}".format, log=False, base=2 if memory else 10, room=0.06)
    return bars(made, axis, revision=revision, limit=limit)


def _unit(longest: float) -> tuple[float, str]:
    """A unit in which so many seconds are a number from 1 to 1,000, and its word."""
    power = min(0, max(-12, 3 * floor(log10(longest or 1.0) / 3)))
    return 10.0**power, {-12: "ps", -9: "ns", -6: "µs", -3: "ms", 0: "s"}[power]


def _bar(label: str, before: float, after: float, note: str, formula: str, colour: str, scale: float, *, last: bool) -> Bar:
    """One step, from `before` to `after` (from 0 for what is there at the beginning and the end); the next begins where it ends."""
    fill = colour if not before else f"{colour}40" if after <= before else ADDED
    segment = Segment(abs(after - before) / scale, fill, colour, (label, note, formula), start=min(before, after) / scale)
    return Bar(label, (segment,), strong=True, note=note, leads=None if last else max(after, 0.0) / scale)


def _steps(found: Plan, chosen: Chosen, *, memory: bool) -> list[tuple[str, float, float, str, str]]:
    """Each step: its name, what was there before and after it, what to say of it, its formula."""

    def said(value: float) -> str:
        return units.binary(value) if memory else units.duration(value)

    def size(outcome: Any) -> float:
        return float(outcome.bytes if memory else outcome.time_s)

    rows = [(_("As it is"), 0.0, size(found.now), said(size(found.now)), "")]
    for step in chosen.steps:
        start, end = size(step.before), size(step.after or step.before)
        sign = "−" if end <= start else "+"
        rows.append((_(step.remedy.name), start, end, f"{sign}{said(abs(end - start))} · {_(step.remedy.costs)}", _(step.remedy.formula)))
    if chosen.steps:
        end = size(chosen.steps[-1].after or chosen.steps[-1].before)
        rows.append((_("Then"), 0.0, end, said(end), ""))
    return rows


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
