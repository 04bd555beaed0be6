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
    across: str = choice(
        "work",
        {"work": N_("Batch and context"), "layout": N_("GPUs and sharding")},
        N_("Map of"),
        help=N_("What the map varies: how much you ask of each GPU, or how many GPUs share the job and how they divide it."),
    )
    against: str = text()
    """The job to compare with, as the query of its own link; empty for none."""
    reported: int | None = number(
        None,
        1,
        100_000_000,
        N_("Your run reported (MiB)"),
        help=N_("The peak memory that your own run reported, in MiB: set against the estimate, it shows how far off we are."),
    )
    meter: str = choice(
        "allocated",
        {"allocated": "max_memory_allocated", "reserved": "max_memory_reserved", "device": "nvidia-smi"},
        N_("Read from"),
        help=N_("Which number you read: what PyTorch's tensors took, what PyTorch had reserved, or all that the GPU held."),
    )
    fragment: str = choice(
        "deepspeed",
        {"deepspeed": "DeepSpeed", "fsdp": "Accelerate, FSDP"},
        N_("Configuration for"),
        help=N_("The program that you train with: what it needs to be told of this job stands below."),
    )
