"""What a reader can choose on the footprint page beside the job: the figure, what to compare with, what a run reported."""

from __future__ import annotations

from dataclasses import dataclass

from wallviz.i18n import N_
from wallviz.settings import choice, number, text


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows of a job."""

    show: str = choice(
        "bar", {"bar": N_("At the peak"), "timeline": N_("Over time"), "map": N_("Map"), "article": N_("The article's table")}, N_("Figure")
    )
    across: str = choice("work", {"work": N_("Batch and context"), "layout": N_("GPUs and sharding")}, N_("Map of"))
    against: str = text()
    """The job to compare with, as the query of its own link; empty for none."""
    reported: int | None = number(None, 1, 100_000_000, N_("Your run reported (MiB)"))
    meter: str = choice(
        "allocated", {"allocated": "max_memory_allocated", "reserved": "max_memory_reserved", "device": "nvidia-smi"}, N_("Read from")
    )
    fragment: str = choice("deepspeed", {"deepspeed": "DeepSpeed", "fsdp": "Accelerate, FSDP"}, N_("Configuration for"))
