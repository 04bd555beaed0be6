"""``wallviz footprint train|finetune|infer``: where the bytes of a run go, on one GPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from wallviz.i18n import N_, _, qualified

if TYPE_CHECKING:
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
@takes(*options.TRAINING)
def train(source: Source, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says where the bytes of training go."""
    arch = read(source)
    with as_options():
        found = wallviz.train(arch, **given)
    _say_training(arch, found, as_json=as_json)


@group.command("finetune", help=N_("Peak memory of a fine-tuning step: every weight, LoRA (default) or QLoRA."))
@takes(*options.FINETUNING)
def finetune(source: Source, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says where the bytes of fine-tuning go."""
    arch = read(source)
    with as_options():
        found = wallviz.finetune(arch, **given)
    _say_training(arch, found, as_json=as_json)


@group.command("infer", help=N_("Memory of serving, and how many sequences fit an accelerator."))
@takes(*options.SERVING, *options.POOL)
def infer(source: Source, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says where the bytes of serving go."""
    arch = read(source)
    if "hardware" in given:
        given["hardware"] = chip_of(given["hardware"])
    with as_options():
        found = wallviz.infer(arch, **given)
    if as_json:
        from wallviz.engine.memory import record

        say_json(record.serving(found))
    else:
        say(_served(arch, found))


def both(value_bytes: Any) -> tuple[str, str]:
    """Bytes by 2^30 and by 10^9."""
    value = float(value_bytes)
    return units.binary(value), units.si(value, "B")


def amount(value_bytes: Any) -> str:
    """The same in one cell: ``76.4 GiB (82.0 GB)``."""
    return "{} ({})".format(*both(value_bytes))


def _say_training(arch: Architecture, found: Training, *, as_json: bool) -> None:
    if as_json:
        from wallviz.engine.memory import record

        say_json(record.training(found))
    else:
        say(_trained(arch, found))


def _trained(arch: Architecture, found: Training) -> str:
    run = found.run
    facts = [
        (_("model"), title(arch)),
        (_("peak"), qualified(amount(found.peak_allocated_bytes), _(PHASES[found.peak_phase]))),
        (_("reserved"), amount(found.peak_reserved_bytes)),
        (_("in all"), qualified(amount(found.peak_total_bytes), f"±{units.percent(found.error_band)}")),
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


def _served(arch: Architecture, found: Serving) -> str:
    from wallviz.engine.memory import record

    facts = [
        (_("model"), title(arch)),
        (_("in all"), qualified(amount(found.peak_total_bytes), f"±{units.percent(found.error_band)}")),
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
