"""The parts of a footprint, and bars of them against the memory of one chip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from wallviz import units
from wallviz.figures import style
from wallviz.figures.axes import Axis
from wallviz.figures.bars import Bar, Limit, Segment, bars
from wallviz.i18n import N_, _, labelled
from wallviz.rooms.footprint.need import Estimate

Rows = Callable[[], tuple[dict[str, object], ...]]

#: Every part of a footprint in the order in which it is stacked: its name and its step of the memory hue, dark to light.
PARTS: dict[str, tuple[str, str]] = {
    "weights": (N_("Weights"), style.PARTS["weights"]),
    "gradients": (N_("Gradients"), style.PARTS["gradients"]),
    "optimizer": (N_("Optimizer"), style.PARTS["optimizer"]),
    "kv_cache": (N_("KV cache"), style.PARTS["optimizer"]),
    "activations": (N_("Activations"), style.PARTS["activations"]),
    "loss": (N_("Loss"), style.PARTS["kv_cache"]),
    "workspace": (N_("Workspace"), style.PARTS["workspace"]),
    "overhead": (N_("Overhead"), style.PARTS["overhead"]),
}
EDGE = style.PARTS["weights"]
#: Steps dark enough to stand in front of their name; lighter ones are drawn as an outline there.
STRONG = (style.PARTS["weights"], style.PARTS["gradients"], style.PARTS["optimizer"])


@dataclass(frozen=True, slots=True)
class MemoryBar:
    """One bar: what it is, its bytes by part, a word about it, and by how much the total may be off (bytes)."""

    label: str
    parts: Mapping[str, float]
    note: str = ""
    off_bytes: float = 0.0

    @property
    def bytes(self) -> float:
        """Its length."""
        return sum(self.parts.values())


def part_name(part: str) -> str:
    """The name of a part, in the language in use."""
    return _(PARTS[part][0])


def both(value_bytes: float) -> tuple[str, str]:
    """Bytes as GiB and as GB, each with its unit."""
    return units.binary(value_bytes), units.si(value_bytes, "B")


def holds(now: Estimate) -> tuple[str, float] | None:
    """The chip with its memory in words, and in bytes; None where that is unknown."""
    if now.capacity_bytes is None:
        return None
    return labelled(now.chip.name.partition(" (")[0], units.binary(now.capacity_bytes)), now.capacity_bytes


def stacked(found: Sequence[MemoryBar], *, name: str, capacity: tuple[str, float] | None, revision: str) -> tuple[style.Drawing, Rows]:
    """Bars of GiB by part, the first with its parts named, against the capacity of one chip (in words and in bytes); and their rows."""
    rows = [
        Bar(
            bar.label,
            tuple(_segment(part, bar.parts[part], bar.label) for part in PARTS if bar.parts.get(part)),
            note=bar.note,
            strong=not i,
            said=units.binary(bar.bytes),
            off=bar.off_bytes / units.GIB,
            tall=not i,
        )
        for i, bar in enumerate(found)
    ]
    axis = Axis(name, "{:,.10g}".format, log=False, base=2)
    limit = Limit(capacity[0], capacity[1] / units.GIB) if capacity else None
    return bars(rows, axis, revision=revision, limit=limit), partial(_table, tuple(found))


def _segment(part: str, size: float, label: str) -> Segment:
    colour = PARTS[part][1]
    said = units.binary(size)
    hover = (part_name(part), " = ".join(both(size)), label)
    return Segment(size / units.GIB, colour, EDGE, hover, name=part_name(part), said=said, bright=colour == EDGE, dark=colour in STRONG)


def _table(rows: tuple[MemoryBar, ...]) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("configuration"): row.label,
            _("part"): part_name(part),
            "GiB": size / units.GIB,
            "GB": size / units.GB,
            _("bytes"): size,
        }
        for row in rows
        for part, size in row.parts.items()
        if size
    )
