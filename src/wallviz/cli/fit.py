"""``wallviz fit``: whether a job fits, how much of it, on how few accelerators, and what would make it fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wallviz
from wallviz import units
from wallviz.cli.chip import chip as chip_of
from wallviz.cli.footprint import amount, verdict_said
from wallviz.cli.model import Source, read, title
from wallviz.cli.options import HARDWARE, Given, as_options, of_every_job, takes
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.errors import InputError
from wallviz.i18n import N_, _, bracketed, qualified

if TYPE_CHECKING:
    from wallviz.engine.advice.fit import Fit
    from wallviz.engine.hardware import Accelerator
    from wallviz.engine.transformer import Architecture


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
        from wallviz.engine.advice import record

        say_json(record.fit(found))
    else:
        say(_fitted(arch, chip, given, found))


def _fitted(arch: Architecture, chip: Accelerator, given: Given, found: Fit) -> str:
    from wallviz.engine.advice import record

    band = f"±{units.percent(found.error_band)}"
    facts = [
        (_("model"), title(arch)),
        (_("hardware"), qualified(f"{given.get('count', 1)} × {chip.name}", amount(found.capacity_bytes))),
        (_("needs"), bracketed(amount(found.needs_bytes), band)),
        ("", verdict_said(found.runs_out, found.headroom_bytes)),
        (_("largest batch"), _number(found.largest_micro_batch)),
        (_("largest context"), _number(found.largest_context)),
        *_fewest(found),
    ]
    if found.reason:
        facts.append(("", _(found.reason)))
    if not found.fixes:
        return table(FACTS, facts, header=False)
    what = _("what would make it faster") if found.goal == "faster" else _("what would help")
    columns = ((what, "left"), (_("saves"), "right"), (_("fits then"), "whole"), (_("price"), "left"))
    rows = [(record.change(each), units.binary(each.saves_bytes), _("yes") if each.fits else _("no"), record.price(each)) for each in found.fixes]
    return f"{table(FACTS, facts, header=False)}\n\n{table(columns, rows)}"


def _fewest(found: Fit) -> list[tuple[str, str]]:
    """The fewest GPUs, how they share the job, and what counts."""
    from wallviz.engine.advice import record

    split, switches = ("", "") if found.fewest is None else (record.split(found.fewest), record.switches(found.fewest))
    few = _number(found.fewest_gpus)
    return [
        (_("fewest GPUs"), bracketed(few, split) if split else few),
        *([(_("with switches"), switches)] if switches else []),
        (_("without switches"), _number(found.fewest_gpus_as_set)),
        ("", _("Switches count that lose no quality and take at most a third of the time (1.5 times that without them); rows below may cost more.")),
    ]


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
