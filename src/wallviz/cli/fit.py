"""``wallviz fit``: whether a job fits, how much of it, on how few accelerators, and what would make it fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wallviz
from wallviz import units
from wallviz.cli.chip import chip as chip_of
from wallviz.cli.footprint import amount
from wallviz.cli.model import Source, read, title
from wallviz.cli.options import HARDWARE, Given, as_options, of_every_job, takes
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.errors import InputError
from wallviz.i18n import N_, _, bracketed, listing, qualified

if TYPE_CHECKING:
    from wallviz.engine.hardware import Accelerator
    from wallviz.engine.memory.solve import Fit
    from wallviz.engine.transformer import Architecture

#: How a job is split, by the field of `Fit.layout`.
LAYOUT = {
    "tensor_parallel": N_("tensor parallel {n}"),
    "pipeline_parallel": N_("pipeline parallel {n}"),
    "context_parallel": N_("context parallel {n}"),
    "data_parallel": N_("data parallel {n}"),
    "zero": "ZeRO-{n}",
}


@takes(*HARDWARE, *of_every_job())
def answer(source: Source, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says whether a job fits."""
    if not given.get("hardware"):
        raise InputError(N_("say which accelerator it should fit: add --hardware H100"))
    arch = read(source)
    chip = chip_of(given.pop("hardware"))
    with as_options():
        found = wallviz.fit(arch, hardware=chip, **given)
    if as_json:
        from wallviz.engine.memory import record

        say_json(record.fit(found))
    else:
        say(_fitted(arch, chip, given, found))


def _fitted(arch: Architecture, chip: Accelerator, given: Given, found: Fit) -> str:
    from wallviz.engine.memory import solve

    capacity = found.needs_bytes + found.headroom_bytes
    verdict = _("fits, {room} to spare") if found.fits else _("does not fit, {room} are missing")
    facts = [
        (_("model"), title(arch)),
        (_("hardware"), qualified(f"{given.get('count', 1)} × {chip.name}", amount(capacity))),
        (_("needs"), amount(found.needs_bytes)),
        ("", verdict.format(room=amount(abs(found.headroom_bytes)))),
        (_("largest batch"), _number(found.largest_micro_batch)),
        (_("largest context"), _number(found.largest_context)),
        (_("fewest GPUs"), _shared(found)),
    ]
    if found.reason:
        facts.append(("", _(found.reason)))
    if not found.fixes:
        return table(FACTS, facts, header=False)
    columns = ((_("what would help"), "left"), (_("saves"), "right"), (_("fits then"), "whole"), (_("price"), "left"))
    rows = [(solve.sentence(each), units.binary(each.saves_bytes), _("yes") if each.fits else _("no"), _(each.price)) for each in found.fixes]
    return f"{table(FACTS, facts, header=False)}\n\n{table(columns, rows)}"


def _shared(found: Fit) -> str:
    """The fewest GPUs, and how they share the job."""
    layout = listing(_(LAYOUT[name]).format(n=n) for name, n in (found.layout or {}).items() if n > 1 or name == "zero")
    return bracketed(_number(found.fewest_gpus), layout) if layout else _number(found.fewest_gpus)


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
