"""``wallviz remedies``: what can be done about a job that does not fit or is too slow, at which price, and when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

import wallviz
from wallviz import units
from wallviz.cli.chip import chip as chip_of
from wallviz.cli.footprint import amount
from wallviz.cli.model import Source, read, title
from wallviz.cli.options import HARDWARE, Given, Hardware, Option, as_options, of_every_job, takes
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.engine.remedies.setup import Draft
from wallviz.errors import InputError
from wallviz.i18n import N_, _, bracketed, labelled, listing, qualified

if TYPE_CHECKING:
    from wallviz.engine.remedies.effect import Effect
    from wallviz.engine.remedies.plan import Plan

APPLY = (Option("apply", "NAME,NAME,...", N_("Remedies to apply one after another, in this order; their names are listed below.")),)
DRAFT = (
    Option("acceptance", "F", N_("Share of drafted tokens that are accepted, for speculative decoding (default: 0.72).")),
    Option("draft_length", "N", N_("Tokens drafted at once (default: 4).")),
    Option("draft_cost", "F", N_("Time of one drafted token over one pass of the model (default: 0.128).")),
)
_COUNT = tuple(option for option in HARDWARE if option.field != "hardware")
_DRAFT_FIELDS = {"acceptance": "acceptance", "draft_length": "length", "draft_cost": "cost"}


class WithNames(TyperCommand):
    """The command, whose help ends with the name of every remedy beside what it is."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Writes the names, in the order of the catalogue."""
        from wallviz.engine.remedies.remedy import REMEDIES

        with formatter.section(_("Remedies")):
            formatter.write_dl([(id, _(remedy.name)) for id, remedy in REMEDIES.items()])


@takes(*_COUNT, *APPLY, *DRAFT, *of_every_job())
def answer(source: Source, hardware: Hardware, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says what can be done about it."""
    arch = read(source)
    chip = chip_of(hardware)
    draft = {_DRAFT_FIELDS[name]: given.pop(name) for name in tuple(given) if name in _DRAFT_FIELDS}
    for name, value in draft.items():
        if isinstance(value, str):
            raise InputError(N_("{name} cannot be {value}: give a number."), name=name, value=value[:40])
    with as_options():
        found = wallviz.remedies(arch, chip, draft=Draft(**draft) if draft else None, **given)
    if as_json:
        from wallviz.engine.remedies import plan

        listed = plan.record(found)
        asked = "apply" in given
        say_json({"remedies": listed, "waterfall": plan.waterfall_record(found), "cheapest": plan.way_record(found)} if asked else listed)
    else:
        say(_described(found))


def _described(found: Plan) -> str:
    setup, now = found.setup, found.now
    capacity = found.capacity_bytes
    verdict = _("capacity unknown") if capacity is None else _("fits") if found.fits else _("does not fit")
    facts = [
        (_("model"), title(setup.arch)),
        (_("hardware"), qualified(f"{setup.gpus:,} × {setup.chip.name}", amount(capacity) if capacity else "")),
        (_("needs"), labelled(amount(now.bytes), verdict)),
        (_("time"), _time(found, now.time_s)),
    ]
    if found.way is not None:
        names = listing(step.remedy.id for step in found.way.steps)
        saved = qualified(f"−{units.binary(found.way.saves_bytes)}", f"× {found.way.time_factor:.2f}")
        facts.append((_("cheapest way to fit"), labelled(names, saved)))
    blocks = [table(FACTS, facts, header=False)]
    if found.waterfall:
        blocks.append(_waterfall(found))
    columns = (
        (_("name"), "whole"),
        (_("remedy"), "left"),
        (_("saves"), "right"),
        (_("time"), "right"),
        (_("fits then"), "whole"),
        (_("price"), "left"),
        (_("fails when"), "left"),
    )
    blocks.append(table(columns, (_row(e, found) for e in found.every if e.after is not None)))
    left_out = [(e.remedy.id, e.reason) for e in found.others if e.after is None]
    if left_out:
        blocks.append(table(((_("not here"), "whole"), (_("why"), "left")), left_out))
    blocks.append(_("Times are what the roofline allows, with nothing hidden behind them: bounds. Only hardware moves the bandwidth line itself."))
    return "\n\n".join(blocks)


def _time(found: Plan, seconds: float) -> str:
    per = _("per token") if found.setup.serves else _("per step")
    return f"{units.si(seconds, 's')} {per}"


def _row(e: Effect, found: Plan) -> tuple[Any, ...]:
    quality = found.losses.get(e.remedy.id)
    costs = _(e.remedy.costs)
    if quality:
        costs = _("{text}; {more}").format(text=costs, more=bracketed(f"{_('quality')} −{units.percent(quality, 1)}", _("published")))
    fits = _("yes") if e.fits(found.capacity_bytes) else _("no")
    return e.remedy.id, _(e.remedy.name), units.binary(e.saves_bytes), f"× {e.time_factor:.2f}", fits, costs, _(e.remedy.fails)


def _waterfall(found: Plan) -> str:
    columns = ((_("one after another"), "whole"), (_("saves"), "right"), (_("then"), "right"), (_("time"), "right"), (_("fits then"), "whole"))
    rows = [("–", "–", units.binary(found.now.bytes), _time(found, found.now.time_s), _("yes") if found.fits else _("no"))]
    for e in found.waterfall:
        then = e.after or e.before
        fits = _("yes") if e.fits(found.capacity_bytes) else _("no")
        rows.append((e.remedy.id, units.binary(e.saves_bytes), units.binary(then.bytes), _time(found, then.time_s), fits))
    return table(columns, rows)
