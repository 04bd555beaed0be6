"""The growth page's answers: the published curves, refitted on what the reader keeps, beside what was claimed."""

from __future__ import annotations

from functools import lru_cache

from wallviz.i18n import language
from wallviz.rooms import Answer
from wallviz.rooms.growth import over_time, training
from wallviz.rooms.growth.choices import View, toggled
from wallviz.rooms.growth.fitted import fits
from wallviz.rooms.growth.rates import interval, rate
from wallviz.rooms.growth.refitted import refit_figure
from wallviz.rooms.growth.takeaway import fixed_precision

__all__ = ["View", "answer", "fits", "fixed_precision", "interval", "rate", "refit_figure", "toggled"]


def answer(view: View, *, chip: str = "") -> Answer:
    """The answer to `view`, in the language in use; `chip` (an id of the catalog) is named first where it is shown."""
    return _answer(view, chip, language())


@lru_cache(maxsize=512)
def _answer(view: View, chip: str, _language: str) -> Answer:
    found = training.answer() if view.figure == "training" else over_time.answer(view, chip)
    return found.with_spec()
