"""The machine page's answers: how fast a measured machine moves bytes, beside published ones, and what that means for a model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from wallviz.errors import InputError
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.machine.record import Record
from wallviz.rooms import Answer
from wallviz.rooms.bound import moved_bytes
from wallviz.rooms.machine import figure, speed
from wallviz.rooms.machine.certainty import failures
from wallviz.rooms.machine.choices import View, figure_names
from wallviz.rooms.machine.confirm import commands
from wallviz.rooms.machine.own import ROOMS, chip_id
from wallviz.rooms.machine.promised import options as promises
from wallviz.rooms.machine.published import beside_names
from wallviz.rooms.machine.tables import compared, facts, products, samples

__all__ = [
    "ROOMS",
    "View",
    "answer",
    "beside_names",
    "chip_id",
    "commands",
    "compared",
    "facts",
    "failures",
    "figure_names",
    "in_time",
    "products",
    "promises",
    "samples",
]


def answer(case: Job, view: View, record: Record | None = None, against: Record | None = None, *, opened: bool = False) -> Answer:
    """The answer for `record` as `view` says, `against` another one where there is one; published machines without any.

    `opened`: the record came from a file, and may be another machine's.
    """
    try:
        moved_bytes(speed.writing(case))  # what cannot run has no speed
        return figure.answer(case, view, record, against, opened=opened).with_spec()
    except InputError as error:
        return Answer("machine", str(error), None, sure=_("cannot be drawn"), trust="red")


def in_time(records: Sequence[Record]) -> tuple[Record, ...]:
    """Records by when they were made, the earliest first; a time without a zone is read as UTC."""

    def made(record: Record) -> dt.datetime:
        when = dt.datetime.fromisoformat(record.created)
        return when if when.tzinfo else when.replace(tzinfo=dt.UTC)

    return tuple(sorted(records, key=made))
