"""``wallviz footprint train|finetune|infer``: where the bytes of a run go, on one GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import typer

import wallviz
from wallviz import units
from wallviz.cli import options
from wallviz.cli.chip import chip as chip_of
from wallviz.cli.model import Source, read, title
from wallviz.cli.options import Given, as_options, takes
from wallviz.cli.shell import FACTS, CommandGroup, Debug, Json, Lang, ask_for_one, say, say_json, table
from wallviz.engine.memory.capacity import Verdict, headroom_bytes, verdict
from wallviz.errors import InputError
from wallviz.i18n import N_, _, qualified

if TYPE_CHECKING:
    from wallviz.engine.hardware import Accelerator
    from wallviz.engine.memory.peak import Training
    from wallviz.engine.memory.serve import Serving
    from wallviz.engine.memory.terms import Term
    from wallviz.engine.transformer import Architecture

PHASES = {
    "loss_backward": N_("start of the backward pass"),
    "end_of_backward": N_("end of the backward pass"),
    "optimizer_step": N_("optimizer step"),
}
WORDS = {
    "weights": N_("weights"),
    "gradients": N_("gradients"),
    "optimizer": N_("optimizer"),
    "activations": N_("activations"),
    "loss": N_("logits and loss"),
    "workspace": N_("workspace"),
    "context": N_("CUDA context"),
    "communicators": N_("communicators"),
    "fragmentation": N_("fragmentation"),
    "graphs": N_("captured graphs"),
    "other": N_("communicators and workspaces"),
}

group = typer.Typer(cls=CommandGroup)


@group.callback(invoke_without_command=True)
def _footprint(ctx: typer.Context, lang: Lang = None, debug: Debug = False) -> None:
    ask_for_one(ctx)


@group.command("train", help=N_("Peak memory of a training step."))
@takes(*options.CHIP, *options.TRAINING, *options.BATCH_OF_STEP)
def train(source: Source, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says where the bytes of training go."""
    _say_training(wallviz.train, source, given, as_json=as_json)


@group.command("finetune", help=N_("Peak memory of a fine-tuning step: every weight, LoRA (default) or QLoRA."))
@takes(*options.CHIP, *options.FINETUNING, *options.BATCH_OF_STEP)
def finetune(source: Source, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says where the bytes of fine-tuning go."""
    _say_training(wallviz.finetune, source, given, as_json=as_json)


@group.command("infer", help=N_("Memory of serving, and how many sequences fit an accelerator."))
@takes(*options.CHIP, *options.SERVING, *options.POOL)
def infer(source: Source, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says where the bytes of serving go."""
    arch, chip = read(source), _held_against(given)
    with as_options():
        found = wallviz.infer(arch, hardware=chip, **given)
    if as_json:
        from wallviz.engine.memory import record

        say_json(record.serving(found))
    else:
        say(_served(arch, found, chip))


def both(value_bytes: Any) -> tuple[str, str]:
    """Bytes by 2^30 and by 10^9."""
    value = float(value_bytes)
    return units.binary(value), units.si(value, "B")


def amount(value_bytes: Any) -> str:
    """The same in one cell: ``76.4 GiB (82.0 GB)``."""
    return "{} ({})".format(*both(value_bytes))


def _held_against(given: Given) -> Accelerator | None:
    """The accelerator that was given, whose memory is known; its number becomes that of the functions. Takes both out of `given`."""
    if "count" in given:
        given["chips"] = given.pop("count")
    chip = chip_of(given.pop("hardware")) if "hardware" in given else None
    if chip is not None and chip.memory_bytes is None:
        raise InputError(N_("the memory of {chip} is not known: choose another chip"), chip=chip.name)
    return chip


def _say_training(ask: Callable[..., Training], source: str, given: Given, *, as_json: bool) -> None:
    arch, chip = read(source), _held_against(given)
    with as_options():
        found = ask(arch, **given)
    if as_json:
        from wallviz.engine.memory import record

        say_json(record.training(found, None if chip is None else chip.memory_bytes))
    else:
        say(_trained(arch, found, chip))


def verdict_said(runs_out: Verdict, headroom: float) -> str:
    """Whether it fits, and how much is left or missing at the upper end of the error band."""
    words = {
        Verdict.NO: N_("fits, {room} to spare"),
        Verdict.LIKELY: N_("may not fit, {room} are missing"),
        Verdict.YES: N_("does not fit, {room} are missing"),
    }
    return _(words[runs_out]).format(room=amount(abs(headroom)))


def _against(chip: Accelerator | None, found: Training | Serving) -> list[tuple[str, str]]:
    """Rows about the accelerator that was asked about, and whether it holds what one of them needs."""
    if chip is None or chip.memory_bytes is None:
        return []
    asked = float(found.peak_total_bytes), found.error_band, chip.memory_bytes
    return [(_("hardware"), qualified(chip.name, amount(chip.memory_bytes))), ("", verdict_said(verdict(*asked), headroom_bytes(*asked)))]


def _trained(arch: Architecture, found: Training, chip: Accelerator | None) -> str:
    run = found.run
    facts = [
        (_("model"), title(arch)),
        (_("peak"), qualified(amount(found.peak_allocated_bytes), _(PHASES[found.peak_phase]))),
        (_("reserved"), amount(found.peak_reserved_bytes)),
        (_("in all"), qualified(amount(found.peak_total_bytes), f"±{units.percent(found.error_band)}")),
        *_against(chip, found),
    ]
    if run.pipeline_parallel > 1:
        facts.append((_("stage"), _("{stage} of 0 to {last}").format(stage=int(found.stage), last=run.pipeline_parallel - 1)))
    if float(found.host_bytes):
        facts.append((_("host memory"), amount(found.host_bytes)))
    facts.append((_("checkpoint"), amount(found.checkpoint_bytes)))
    return "\n\n".join(
        (
            table(FACTS, facts, header=False),
            _parts(_("part at the peak"), found.parts, float(found.peak_allocated_bytes)),
            _parts(_("on top"), found.overheads),
            _parts(_("phase"), {_(PHASES[phase]): value for phase, value in found.phases.items()}),
            _terms(found.terms),
        )
    )


def _served(arch: Architecture, found: Serving, chip: Accelerator | None) -> str:
    from wallviz.engine.memory import record

    facts = [
        (_("model"), title(arch)),
        (_("in all"), qualified(amount(found.peak_total_bytes), f"±{units.percent(found.error_band)}")),
        *_against(chip, found),
        (_("per token"), _("{size} of KV cache for each token of each sequence").format(size=units.binary(found.kv_bytes_per_token))),
    ]
    if found.pool_bytes is not None:
        facts.append((_("room for cache"), amount(found.pool_bytes)))
    if found.max_concurrency is not None:
        sequences = float(found.max_concurrency)
        limit = _("{n} sequences of this length").format(n=f"{sequences:,.2f}") if isfinite(sequences) else _(record.UNLIMITED)
        facts.append((_("at once"), limit))
    if found.max_concurrency_reason:
        facts.append((_("at once") if found.max_concurrency is None else "", _(found.max_concurrency_reason)))
    facts += [(_("note"), _(note)) for note in found.notes]
    held = {_("weights"): found.weights_bytes, _("KV cache"): found.kv_cache_bytes, _("forward pass"): found.activation_bytes}
    parts = held | {_(WORDS[name]): value for name, value in found.overheads.items()}
    return "\n\n".join((table(FACTS, facts, header=False), _parts(_("part"), parts, float(found.peak_total_bytes)), _terms(found.terms)))


def _parts(what: str, parts: Mapping[str, Any], total: float = 0.0) -> str:
    columns = [(what, "whole"), ("", "right"), ("", "right"), *([(_("share"), "right")] if total else [])]
    rows: Iterable[Sequence[str]] = (
        (_(WORDS.get(name, name)), *both(value), *([units.percent(float(value) / total, 1)] if total else [])) for name, value in parts.items()
    )
    return table(columns, rows)


def _terms(terms: Iterable[Term]) -> str:
    from wallviz.engine.memory.terms import worded

    columns = ((_("term"), "left"), (_("formula"), "left"), (_("with your numbers"), "left"), ("", "right"), (_("source"), "left"))
    return table(columns, ((_(each.name), worded(each.formula), each.values, units.binary(float(each.bytes)), _(each.source)) for each in terms))
