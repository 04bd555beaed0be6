"""``wallviz roofline``: what holds a workload back on a chip, operation by operation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

import wallviz
from wallviz import checks, units
from wallviz.cli.chip import chip as chip_of
from wallviz.cli.model import Source, read, title
from wallviz.cli.options import STORED, Given, Option, as_options, takes
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.run import RECOMPUTE
from wallviz.engine.roofline.roof import ACCUMULATE
from wallviz.engine.work import ACTIVATIONS, KERNELS, PHASES
from wallviz.errors import InputError
from wallviz.i18n import N_, _

if TYPE_CHECKING:
    from wallviz.engine.roofline.report import Report

OWN = "own"
Hardware = Annotated[str, typer.Argument(metavar="HARDWARE", help=N_("An accelerator's name, a record's file, or `own`, with the options below."))]
WORK = (
    Option("phase", "|".join(PHASES), N_("Reading prompts, generating tokens, or training (default: decode).")),
    Option("batch", "N", N_("Sequences at once (default: 1).")),
    Option("context", "N", N_("Tokens of the prompt, in the cache, or of a training sequence (default: 4096).")),
    *(option for option in STORED if option.field in ("weights", "kv")),
    Option(
        "activations", "|".join(ACTIVATIONS), N_("Format of the activations (default: bf16). With fp8 or int8 weights too, matmuls run at that peak.")
    ),
    Option("tensor_parallel", "N", N_("GPUs that share each layer.")),
)
KERNEL = (
    Option(
        "kernels",
        "|".join(KERNELS),
        N_("Whether scores (eager) or elementwise values (flash) go through memory, or neither (fused) (default: flash)."),
    ),
    Option("half_square", "", N_("Count the half of causal attention that a mask keeps; papers count the whole square.")),
    Option("recompute", "|".join(RECOMPUTE), N_("Activations made again in the backward pass (default: none).")),
    Option("accumulate", "|".join(ACCUMULATE), N_("How matrix units accumulate; fp32, which halves the printed rate of GeForce cards.")),
    Option("encoder_context", "N", N_("Tokens of the encoder's sequence, for models that have one.")),
)
ASKED = (
    Option("measured", "N", N_("Tokens per second that you measured: gives MFU and bandwidth utilization.")),
    Option("tpot", "F", N_("Seconds per output token that must be met: gives the largest batch.")),
)
CHIP = (
    Option("flop_per_s", "F", N_("Peak of an own chip, or instead of the listed one, FLOP/s.")),
    Option("bytes_per_s", "F", N_("Bandwidth of an own chip, or instead of the listed one, bytes per second.")),
    Option("memory_bytes", "F", N_("Memory of an own chip, bytes.")),
)
_ALL = (*WORK, *KERNEL, *ASKED, *CHIP)


@takes(*_ALL)
def answer(source: Source, hardware: Hardware, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says what bounds a workload."""
    arch = read(source)
    chip = _chip(hardware, {option.field: given.pop(option.field, None) for option in CHIP})
    asked = {"measured": "measured_tokens_per_s", "tpot": "tpot_target_s"}
    for option in (*ASKED, *CHIP):
        _positive(option, given.get(option.field))
    options: dict[str, Any] = {asked.get(name, name): value for name, value in given.items()}
    with as_options(*_ALL):
        found = wallviz.roofline(arch, hardware=chip, **options)
    if as_json:
        from wallviz.engine.roofline.report import record

        say_json(record(found))
    else:
        say(_described(found))


def _positive(option: Option, value: object) -> None:
    if value is not None:
        checks.above_zero(option.name, value, 1e-12)


def _chip(name: str, numbers: dict[str, Any]) -> Accelerator:
    """The accelerator called `name`, or one of its numbers alone; numbers that are given stand in for listed ones."""
    for option in CHIP:
        _positive(option, numbers[option.field])
    if name.casefold() == OWN:
        from wallviz.engine.roofline.roof import own_chip

        if numbers["flop_per_s"] is None or numbers["bytes_per_s"] is None:
            raise InputError(N_("an own chip needs its numbers: add --flop-per-s and --bytes-per-s"))
        return own_chip(numbers["flop_per_s"], numbers["bytes_per_s"], numbers["memory_bytes"])
    chip = chip_of(name)
    fields = {"flop_per_s": "fp16_flop_per_s", "bytes_per_s": "memory_bytes_per_s", "memory_bytes": "memory_bytes"}
    instead: dict[str, Any] = {field: float(numbers[key]) for key, field in fields.items() if numbers[key] is not None}
    if "fp16_flop_per_s" in instead:  # as typed: not halved for how a GeForce card accumulates
        instead["fp16_accumulate"] = False
    return replace(chip, **instead)


def _described(found: Report) -> str:
    step, used, largest = found.step, found.measured, found.largest
    bounds = {"compute": _("arithmetic"), "bandwidth": _("memory bandwidth")}
    facts = [
        (_("model"), title(found.architecture)),
        (_("hardware"), found.chip.name),
        (_("bound by"), bounds[str(step.bound)]),
        (_("time of the step"), _("{time}, at least {overlap} with perfect overlap").format(time=_s(step.time_s), overlap=_s(step.overlap_time_s))),
        (_("tokens/s"), units.significant(float(step.tokens_per_s))),
        (_("time to first token"), "–" if found.prefill is None else _s(found.prefill.time_s)),
        (_("time per output token"), "–" if found.decode is None else _s(found.decode.time_s)),
        (_("arithmetic intensity"), _("{has}, the chip needs {ridge}").format(
            has=units.significant(float(step.arithmetic_intensity)), ridge=units.significant(step.ridge))),
        (_("critical batch"), _("{n} tokens").format(n=units.significant(step.critical_batch))),
    ]  # fmt: skip
    if used is not None:
        facts.append((_("MFU"), units.percent(float(used.mfu), 1)))
        facts.append((_("bandwidth used"), units.percent(float(used.bandwidth), 1)))
    if largest is not None:
        facts.append((_("largest batch"), f"{largest.batch:,}"))
    columns = (
        (_("operation"), "left"), (_("FLOP"), "right"), (_("bytes"), "right"), (_("FLOP/B"), "right"), (_("time"), "right"), (_("bound by"), "left"),
    )  # fmt: skip
    rows = [
        (
            _(timed.operation.name),
            units.si(float(timed.operation.flop)),
            units.si(float(timed.operation.bytes), "B"),
            units.significant(float(timed.operation.intensity)),
            _s(timed.time_s),
            bounds[str(timed.bound)],
        )
        for timed in step.operations
    ]
    notes = "\n".join(_(note) for note in step.notes)
    return f"{table(FACTS, facts, header=False)}\n\n{table(columns, rows)}" + (f"\n\n{notes}" if notes else "")


def _s(seconds: Any) -> str:
    return units.si(float(seconds), "s")
