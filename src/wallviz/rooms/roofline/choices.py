"""What a reader can choose on the roofline page beside the job: the figure, what stands in it, how work is counted, a chip by its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from wallviz import catalog
from wallviz.engine.work import ACTIVATIONS
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms import Group, grouped
from wallviz.rooms import job as shared
from wallviz.settings import choice, flag, names, number

#: Roofs of further precisions.
ROOFS = ("fp32", "tf32", "fp8", "fp4", "int8")


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows of a job, and how it counts."""

    show: str = choice(
        "roofline",
        {
            "roofline": N_("The roof"), "time": N_("Time by operation"), "kv": N_("KV cache's share"), "measured": N_("Measured against the roof"),
            "ridge": N_("Ridge over time"), "capacity": N_("Memory per arithmetic"), "study": N_("The article's case study"),
        },
        N_("Figure"),
    )  # fmt: skip
    drawn: str = choice(
        "steps",
        {"steps": N_("Whole steps"), "operations": N_("Every operation")},
        N_("Show"),
        help=N_("One marker for each step of the job, or one for each operation of its steps."),
    )
    """Under the roof: whole steps, or every operation."""
    phase: str = choice(
        "decode",
        {"decode": N_("Decode"), "prefill": N_("Prefill")},
        N_("Operations of"),
        help=N_("Decode generates the answer token by token, prefill reads the prompt at once: choose whose operations you see."),
    )
    """Whose operations the bars show."""
    evidence: str = choice(
        "matmuls",
        {
            "matmuls": N_("Matrix products"), "decode": N_("Decoding by device"), "engines": N_("By engine and kind of work"),
            "formats": N_("By number format"),
        },
        N_("Measured"),
        help=N_("Which published measurements are set against the roof."),
    )  # fmt: skip
    ratio: str = choice(
        "gb_per_tflop_per_s",
        {"gb_per_tflop_per_s": N_("GB per TFLOP/s"), "bytes_per_flop": N_("Bytes moved per FLOP")},
        N_("Ratio"),
        help=N_("How much memory a chip has per arithmetic, or how many bytes it can move for each FLOP."),
    )
    points: bool = flag(default=True, label=N_("Measured points"), help=N_("Draw what others measured on this chip under its roof."))
    """Measured points on the chip's roof."""
    others: tuple[str, ...] = names(
        N_("Further chips, the same work on each"), limit=4, help=N_("Up to four more chips, under whose roofs the same work is drawn.")
    )
    """Further chips under whose roofs the same work is drawn."""
    roofs: tuple[str, ...] = names(
        N_("Further precisions"), limit=4, help=N_("Up to four more number formats, whose peaks are drawn as roofs of their own.")
    )
    """Further precisions of the chip."""
    levels: bool = flag(
        default=False, label=N_("On-chip memory levels"), help=N_("Draw a roof for each memory on the chip, as for data that never leave it.")
    )
    """The roofs of the chip's on-chip memory levels."""
    activations: str = choice(
        "bf16",
        {name: name.upper() for name in ACTIVATIONS},
        N_("Activations"),
        help=N_("The number format in which layers pass on their results: with fewer bits the chip may compute faster."),
    )
    """Of serving; training has those of its number formats."""
    elementwise: bool = flag(
        default=False,
        label=N_("Norms and activation functions through memory"),
        help=N_("Count the bytes that norms and activation functions move in kernels of their own; without them the time is a bound."),
        old={"kernels": {"flash": "1"}},
    )
    """Count what a kernel need not move: without it the time is a bound."""
    half_square: bool = flag(
        default=True,
        label=N_("Half of causal attention"),
        help=N_("Count only the pairs of tokens that attention looks at; papers often count the whole square."),
    )
    """Only the pairs that a causal mask keeps; papers count the whole square."""
    accumulate: str = choice(
        "fp32",
        {"fp32": N_("in 32 bits"), "fp16": N_("in 16 bits")},
        N_("Matrix units add"),
        help=N_("The width in which products are added up: some graphics cards reach their full peak in 16 bits alone."),
    )
    tpot: int = number(
        50,
        1,
        100_000,
        N_("At most ms per token"),
        help=N_("The longest time per token that you accept, in milliseconds: it limits how many sequences can share the chip."),
    )
    """Milliseconds per output token that must be met."""
    reported: int | None = number(
        None,
        1,
        10_000_000_000,
        N_("You measured (tokens/s)"),
        help=N_("The speed that you measured for this job, in tokens per second: set against the bound, it shows what is lost."),
    )
    """Tokens per second that the reader measured."""
    peak: int | None = number(
        None,
        1,
        1_000_000,
        N_("Own chip: TFLOP/s"),
        help=N_("The peak of a chip that is not in the list, in TFLOP/s; give its bandwidth too, and it takes the place of the chosen one."),
    )
    """TFLOP/s of an own chip."""
    bandwidth: int | None = number(
        None, 1, 10_000_000, N_("Own chip: GB/s"), help=N_("The memory bandwidth of a chip that is not in the list, in GB/s; give its peak too.")
    )
    """GB/s of an own chip."""
    memory: int | None = number(
        None, 1, 1_000_000, N_("Own chip: GB"), help=N_("The memory of a chip that is not in the list, in GB: it decides what fits.")
    )
    """GB of an own chip."""


def chips() -> dict[str, str]:
    """Chips that have a roof, by id."""
    return {id: chip.name for id, chip in catalog.chips().items() if (chip.fp16_flop_per_s or chip.fp32_flop_per_s) and chip.memory_bytes_per_s}


def roofs() -> dict[str, str]:
    """Further precisions by id."""
    return {name: name.upper() for name in ROOFS}


def moves(case: Job, view: View) -> bool:
    """Whether the job moves the figure; the others are the same for every job, and no training has a share of a KV cache."""
    return view.show in ("roofline", "time") or (view.show == "kv" and case.serves)


IDLE = ("engine", "utilization", "graphs", "block", "chunk", "prefix", "optimizer_step", "accumulation")
"""Settings of the job that decide memory and no time."""


def groups(case: Job, view: View) -> tuple[Group, ...]:
    """The job's other settings and how the page counts, grouped."""
    idle = {"time": ("replicas",), "kv": ("replicas", "prompt")}.get(view.show, ())
    counted = (
        *(() if view.show == "kv" else ("half_square",)),
        "elementwise",
        *(("accumulate",) if shared.chip(case).fp16_accumulate else ()),
        *(("activations",) if case.serves else ()),
    )
    own = {
        _("How work is counted"): counted,
        _("A chip by its numbers"): ("peak", "bandwidth", *(() if view.show == "kv" else ("memory",))),
    }
    return (*shared.groups(case, without=("format" if case.serves else "precision", *IDLE, *idle)), *grouped(view, own))
