"""A room as an address opens it: the job and the view that a query stands for, and the room's answer to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wallviz import settings
from wallviz.errors import InputError
from wallviz.i18n import N_
from wallviz.job import SETTINGS, Job
from wallviz.rooms import Answer, accuracy, chips, footprint, growth, hierarchy, machine, remedies, roofline, scaleout, start
from wallviz.rooms.remedies import further

#: By room: what it asks beside the job (None: nothing), and how it answers.
ROOMS: Mapping[str, tuple[Any, Callable[[Job, Any], Answer]]] = {
    "start": (None, lambda job, _view: start.answer(job)),
    "growth": (growth.View, lambda job, view: growth.answer(view, chip=job.chip)),
    "footprint": (footprint.View, footprint.answer),
    "roofline": (roofline.View, roofline.answer),
    "hierarchy": (hierarchy.View, hierarchy.answer),
    "scaleout": (scaleout.View, scaleout.answer),
    "remedies": (remedies.View, further.answer),
    "chips": (chips.View, chips.answer),
    "machine": (machine.View, machine.answer),
    "accuracy": (accuracy.View, lambda _job, view: accuracy.answer(view)),
}


def parsed(room: str, query: Mapping[str, str]) -> tuple[Job, Any]:
    """The job and the room's view that `query` stands for, read as the pages read an address; raises InputError for what is no setting.

    >>> job, view = parsed("scaleout", {"chips": "64", "show": "rules"})
    >>> job.chips, view.show
    (64, 'rules')
    """
    kind, _answer = ROOMS[room]
    own = settings.of(kind) if kind else {}
    if strangers := [name for name in query if name not in own and name not in SETTINGS]:
        raise InputError(N_("The link names {names}, which this page does not know: check the spelling; the rest is used."), names=strangers[0])
    chosen = {name: own[name].parse(text) for name, text in query.items() if name in own}
    asked = {name: SETTINGS[name].parse(text) for name, text in query.items() if name not in own}
    return Job(**asked), kind(**chosen) if kind else None


def opened(room: str, query: Mapping[str, str]) -> Answer:
    """What the room answers at this address, in the language in use."""
    return ROOMS[room][1](*parsed(room, query))
