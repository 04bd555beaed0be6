"""The chips page's answers: a few chips side by side, which is best at what, and the largest model that each serves in time."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache, partial

import orjson

from wallviz import __version__
from wallviz.i18n import _, language
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.chips import bars, certainty, formula, plane, takeaway
from wallviz.rooms.chips.metrics import RENAMED, SHORTLISTS, View, chip_names, compared, groups
from wallviz.rooms.chips.table import rows, side_by_side

__all__ = ["RENAMED", "View", "answer", "chip_names", "document", "groups", "rows", "side_by_side"]


def answer(case: Job, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, view, language())


@lru_cache(maxsize=256)
def _answer(case: Job, view: View, _language: str) -> Answer:
    columns, problems = compared(case, view)
    if not columns:
        return Answer("chips", _("No chip is left to compare: choose some."), None, actions=shortlists(), problems=problems)
    drawing, more = plane.drawn(case, columns, view) if view.show == "plane" else bars.drawn(columns, view)
    return Answer(
        name="chips",
        sentence=takeaway.sentence(case, view, columns),
        drawing=drawing,
        sure=_("bounds from data sheets"),
        trust="orange",
        caption=takeaway.caption(view) if drawing else "",
        actions=shortlists(),
        facts=next(
            ({"bytes": c.served.bytes, "bound_tokens_per_s": c.served.tokens_per_s} for c in columns if c.chip.id == case.chip and c.served), {}
        ),
        explain=partial(formula.why, case, view, columns),
        doubt=partial(certainty.how_sure, columns),
        problems=(*problems, *takeaway.of_one_chip(case), *more),
        rows=partial(rows, case, view),
        sources=tuple(dict.fromkeys(s for column in columns for s in column.chip.source.split(";") if s)),
    ).with_spec()


def shortlists() -> tuple[Action, ...]:
    """Lists to start from, as buttons."""
    return tuple(Action(_(label), _(help), {"compare": ids}) for label, help, ids in SHORTLISTS.values())


def document(case: Job, view: View) -> str:
    """Everything that the page shows as JSON, in base units."""
    found = answer(case, view)
    return orjson.dumps(
        {
            "wallviz": __version__,
            "case": asdict(case),
            "view": asdict(view),
            "sentence": found.sentence,
            "problems": found.problems,
            "chips": rows(case, view),
            "sources": found.sources,
        },
        option=orjson.OPT_INDENT_2,
    ).decode()
