"""What a figure of the machine page draws: the reader's record, another one, and published machines beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wallviz.i18n import _
from wallviz.job import Job
from wallviz.machine.record import Record
from wallviz.rooms.machine.choices import View, beside
from wallviz.rooms.machine.published import PublishedMachine, published_machines


@dataclass(frozen=True, slots=True)
class Shown:
    """What is drawn: the reader's `record`, another one to hold against it (`against`), and the published machines `beside` them."""

    case: Job
    record: Record | None
    against: Record | None
    beside: tuple[PublishedMachine, ...]

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
    chosen = [published_machines()[id] for id in beside(view)]
    measured = record if record is not None and record.headline else None
    if measured is not None and measured.device.kind == "software":
        chosen = [other for other in chosen if other.is_cpu]
    return Shown(case, measured, against if against is not None and against.headline else None, tuple(chosen))


def row_of(machine: str, level: str, size: float | None, value: float | None, how: str, unit: str = "B/s") -> Mapping[str, object]:
    """A row of the table under a figure."""
    said = _("bandwidth, B/s") if unit == "B/s" else _("latency, s")
    return {_("machine"): machine, _("level"): level, _("bytes"): size, said: value, _("how"): how}
