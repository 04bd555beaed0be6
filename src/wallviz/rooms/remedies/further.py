"""Further figures of the remedies page, by what the view shows: published trade-offs, and the models behind single remedies."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from wallviz.errors import InputError
from wallviz.i18n import _, language
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.remedies import answer as remedies_answer
from wallviz.rooms.remedies import batch, formats, line, plane, quality, search
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.steps import plain


def answer(case: Job, view: View) -> Answer:
    """The figure that `view` asks for, instead of the steps of the case."""
    if view.figure == "waterfall":
        return remedies_answer(case, view)
    return _answer(case, replace(plain(view), **{n: getattr(view, n) for n in _NEEDS.get(view.figure, ())}, figure=view.figure), language())


_NEEDS = {"search": ("trials", "eta"), "batch": ("critical",), "formats": ("median", "spread", "scale")}


@lru_cache(maxsize=128)
def _answer(case: Job, view: View, _language: str) -> Answer:
    try:
        make = {
            "plane": plane.answer,
            "quality": quality.answer,
            "line": line.answer,
            "search": search.answer,
            "batch": batch.answer,
            "formats": formats.answer,
        }[view.figure]
        return replace(make(case, view).with_spec(), actions=(_back(),))
    except InputError as error:
        return Answer("remedies-figure", str(error), None, sure=_("cannot run"), trust="red", actions=(_back(),))


def _back() -> Action:
    return Action(_("Back to your case"), _("What each remedy does to it, step by step"), {"figure": "waterfall"})
