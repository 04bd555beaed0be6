"""What the answer of a further figure about serving carries."""

from __future__ import annotations

from functools import partial

from wallviz.rooms import Answer
from wallviz.rooms.scaleout.curve import (
    doubtful,
)
from wallviz.rooms.scaleout.over_chips import Served
from wallviz.rooms.scaleout.serving.curve import SOURCES
from wallviz.rooms.scaleout.serving.formula import how_sure, why


def answered(now: Served, **more: object) -> Answer:
    """The answer of a further figure about serving, with its sources, why and how sure."""
    sources = tuple(dict.fromkeys([*SOURCES, *(s for s in now.chip.source.split(";") if s)]))
    return Answer("scaleout", explain=partial(why, now), doubt=how_sure, sources=sources, **doubtful(now.job.runs_out), **more)  # type: ignore[arg-type]
