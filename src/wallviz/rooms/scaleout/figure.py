"""What the answer of a further figure carries: its sources, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallviz.rooms import Answer
from wallviz.rooms.scaleout import certainty

SOURCES: Mapping[str, tuple[str, ...]] = {
    "wire": ("megatron_sc21", "zero_2020", "korthikanti_2022"),
    "frontier": ("megatron_sc21", "zero_2020"),
    "sweeps": ("nccl_tests", "ml_engineering"),
    "published": ("megatron_sc21", "llama3_2024"),
    "bill": ("megatron_sc21",),
    "rules": ("kaplan_2020", "hoffmann_2022"),
    "fewest": ("epoch_notable_models",),
}


def answered(show: str, *, sentence: str, drawing: object, rows: Callable[[], tuple[Mapping[str, object], ...]], **more: object) -> Answer:
    """The answer of the figure `show`, with its sources and how sure all of them are."""
    return Answer("scaleout", sentence, drawing, rows=rows, sources=SOURCES[show], doubt=certainty.how_sure, **more)  # type: ignore[arg-type]
