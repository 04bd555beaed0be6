"""``wallviz model``: the presets, and what a model is made of. SOURCE is read here for every command that takes one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import wallviz
from wallviz import catalog, units
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.engine.transformer import Architecture, architecture
from wallviz.errors import InputError
from wallviz.i18n import N_, _

Source = Annotated[str, typer.Argument(metavar="SOURCE", help=N_("A preset's name, the path of a config.json, or - to read one from stdin."))]

COMPONENTS = {
    "embedding": N_("embedding"),
    "attention": N_("attention"),
    "mlp": N_("feed-forward"),
    "routed_experts": N_("routed experts"),
    "router": N_("router"),
    "norm": N_("norms"),
    "state_space": N_("state-space"),
    "lm_head": N_("output head"),
    "vision": N_("vision tower"),
    "other": N_("other"),
}


def answer(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help=N_("A preset's name, the path of a config.json, or - to read one from stdin."))
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    """Lists the presets, or says what one model is made of."""
    if source is None:
        if as_json:
            say_json([_listed(preset) for preset in catalog.presets().values()])
        else:
            say(_listing())
        return
    arch = read(source)
    if as_json:
        from wallviz.engine.memory import record

        say_json(record.model(arch))
    else:
        say(_described(arch))


def read(source: str) -> Architecture:
    """The model that SOURCE names; ``-`` is a config.json on stdin."""
    if source != "-":
        return wallviz.model(source)
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(N_("stdin is not UTF-8: pipe the text of a config.json into wallviz")) from None
    return architecture(text)


def title(arch: Architecture) -> str:
    """The name of a model and its size."""
    return _("{name}, {parameters} parameters").format(name=arch.name or arch.family, parameters=units.count(arch.parameters))


def _listed(preset: catalog.Preset) -> dict[str, object]:
    return {
        "id": preset.id,
        "name": preset.name,
        "parameters": preset.parameters,
        "active_parameters": preset.active_parameters,
        "note": _(preset.note) or None,
        "source": preset.source.split(";"),
    }


def _listing() -> str:
    columns = ((_("preset"), "whole"), (_("name"), "left"), (_("parameters"), "right"), (_("active"), "right"), (_("note"), "left"))
    return table(
        columns,
        (
            (preset.id, preset.name, f"{preset.parameters:,}", f"{preset.active_parameters:,}", _(preset.note))
            for preset in catalog.presets().values()
        ),
    )


def _described(arch: Architecture) -> str:
    from wallviz.engine.memory import record

    found = record.model(arch)
    facts = [
        (_("model"), title(arch)),
        (_("family"), arch.family),
        (_("parameters"), f"{arch.parameters:,}"),
        (_("active"), f"{arch.active_parameters:,}"),
    ]
    if arch.vision_parameters:
        facts.append((_("language model"), f"{arch.language_model_parameters:,}"))
    if arch.router_bias:
        facts.append((_("router bias"), f"{arch.router_bias:,}"))
    facts.append((_("layers"), f"{found['layers']:,} × {found['hidden_size']:,}"))
    if found["heads"] is not None:
        shape = _("{heads} heads of {width}, {kv_heads} of keys and values")
        facts.append((_("attention"), shape.format(heads=found["heads"], width=found["head_dim"], kv_heads=found["kv_heads"])))
    facts.append((_("vocabulary"), f"{found['vocab']:,}"))
    facts += [(_("assumed"), sentence) for sentence in arch.assumptions]
    rows = [
        (_(COMPONENTS[name]), f"{size:,}", units.percent(size / max(1, arch.parameters), 1), units.binary(2 * size), units.si(2 * size, "B"))
        for name, size in arch.components.items()
        if size
    ]
    columns = ((_("component"), "whole"), (_("parameters"), "right"), (_("share"), "right"), (_("in 16 bits"), "right"), ("", "right"))
    return f"{table(FACTS, facts, header=False)}\n\n{table(columns, rows)}"
