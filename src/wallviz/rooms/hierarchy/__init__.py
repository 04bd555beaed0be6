"""The hierarchy page's answers: how long a size takes at each level of a machine, in seconds, in human time and in energy, and how levels grew."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache

from wallviz import __version__
from wallviz.errors import InputError
from wallviz.i18n import _, language
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.hierarchy import choices, energy, generations, latency, times
from wallviz.rooms.hierarchy.choices import View, families, groups, machine_names, size_options

__all__ = ["View", "answer", "document", "families", "groups", "machine_names", "rung_table", "size_options"]

_ANSWERS = {
    "ladder": times.answer,
    "human": times.slowed,
    "machines": times.machines,
    "energy": energy.answer,
    "rates": generations.rates,
    "years": generations.years,
    "latency": latency.answer,
}
rung_table = times.rung_table


def answer(case: Job, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, choices.resolved(case, view), language())


@lru_cache(maxsize=512)
def _answer(case: Job, view: View, _language: str) -> Answer:
    try:
        return _ANSWERS[view.show](case, view).with_spec()
    except InputError as error:
        return Answer("hierarchy", str(error), None, sure=_("cannot be drawn"), trust="red")


def document(case: Job, view: View) -> str:
    """Everything that the page shows as JSON, in base units."""
    found = answer(case, view)
    try:
        ladder = times.of(choices.resolved(case, view), choices.size_bytes(case, view.size)).as_dict()
    except InputError as error:
        ladder = {"reason": str(error)}
    return json.dumps(  # not orjson: a size may be more than 64 bits
        {
            "wallviz": __version__,
            "case": asdict(case),
            "view": asdict(view),
            "sentence": found.sentence,
            "problems": found.problems,
            "ladder": ladder,
            "rows": found.table,
            "sources": found.sources,
        },
        ensure_ascii=False,
        indent=2,
        allow_nan=False,
    )
