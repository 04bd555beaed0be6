"""The figures around the roof, by what the view shows."""

from __future__ import annotations

from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.roofline.chips_over_time import capacity, ridge
from wallviz.rooms.roofline.choices import View
from wallviz.rooms.roofline.measured import matmuls, strips
from wallviz.rooms.roofline.study import study

FIGURES = ("measured", "ridge", "capacity", "study")


def answer(case: Job, view: View) -> Answer:
    """The figure that `view` asks for; the chip of the case is named in it."""
    if view.show == "measured":
        return matmuls() if view.evidence == "matmuls" else strips(view.evidence)
    if view.show == "ridge":
        return ridge(case.chip)
    if view.show == "capacity":
        return capacity(case.chip, view.ratio)
    return study()
