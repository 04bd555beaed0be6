"""``wallviz hierarchy``: the levels of a machine, and how long a size takes at each."""

from __future__ import annotations

from typing import Annotated

import typer

import wallviz
from wallviz import catalog, units
from wallviz.cli.chip import named
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.engine.hierarchy import size as sizes
from wallviz.engine.hierarchy.ladder import TRANSFERS, Ladder
from wallviz.engine.hierarchy.machines import MACHINES, with_chips
from wallviz.errors import InputError
from wallviz.i18n import N_, _, labelled


def answer(
    machine: Annotated[str | None, typer.Argument(metavar="MACHINE", help=N_("A machine, any chip, or a record's file (default: the list)."))] = None,
    size: Annotated[str | None, typer.Option("--size", metavar="SIZE", help=N_("What is moved, such as 64 kB, 16 GB or 1 GiB (default)."))] = None,
    basis: Annotated[
        str | None, typer.Option("--basis", metavar="peak|measured", help=N_("Rates of data sheets (default), or measured where there are any."))
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    """Lists the machines, or answers for one."""
    if machine is None:
        if size is not None or basis is not None:
            option = "--size" if size is not None else "--basis"
            raise InputError(N_("{option} needs a machine: write wallviz hierarchy MACHINE {option} ..."), option=option)
        if as_json:
            say_json([{"id": each.id, "name": each.name, "chip": each.chip or None} for each in with_chips(catalog.chips()).values()])
        else:
            rows = ((each.id, _(each.name)) for each in MACHINES.values())
            say(table(((_("machine"), "whole"), (_("name"), "left")), rows) + "\n" + _("Any chip of wallviz hardware is answered too."))
        return
    found = wallviz.hierarchy(named(machine), "1 GiB" if size is None else size, basis="peak" if basis is None else basis)
    if as_json:
        say_json(found.as_dict())
    else:
        say(_shown(found))


def _shown(found: Ladder) -> str:
    memory = found.main_memory
    base = memory.time_s(found.size_bytes) if memory else None
    facts = [
        (_("machine"), _(found.machine.name)),
        (_("amount of data"), f"{sizes.written(found.size_bytes)} ({found.size_bytes:,.0f} B)"),
        (_("fits first"), _(found.nearest_home.name) if found.nearest_home else _("nowhere that is known")),
    ]
    if found.machine.note:
        facts.append((_("note"), _(found.machine.note)))
    columns = (
        (_("level"), "left"), (_("transfer"), "left"), (_("capacity"), "right"), (_("fits"), "left"), (_("promised"), "right"),
        (_("measured"), "right"), (_("latency"), "right"), (_("time"), "right"), (_(memory.name) if memory else "", "right"),
    )  # fmt: skip
    rows = []
    for rung in found.rungs:
        time, holds = rung.time_s(found.size_bytes), rung.holds(found.size_bytes)
        rows.append(
            (
                _(rung.name),
                _(TRANSFERS[rung.transfer]),
                units.binary(rung.capacity_bytes) if rung.capacity_bytes else "–",
                {True: _("yes"), False: _("no"), None: "–"}[holds],
                *(units.si(rate, "B/s") if rate else "–" for rate in (rung.promised_bytes_per_s, rung.measured_bytes_per_s)),
                units.si(rung.latency_s, "s") if rung.latency_s else "–",
                units.si(time, "s") if time else "–",
                units.times(time / base) if time and base else "–",
            )
        )
    return f"{table(FACTS, facts, header=False)}\n\n{table(columns, rows)}\n{labelled('–', _('no source says'))}"


#: The kinds of a figure, for the catalogs.
KINDS = (N_("vendor"), N_("derived"), N_("measured"), N_("model"))
