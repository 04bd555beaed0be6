"""Why tools disagree: one measured run as each of them estimates it."""

from __future__ import annotations

from functools import lru_cache

from wallviz import catalog, units
from wallviz.figures import style
from wallviz.figures.axes import Axis
from wallviz.figures.bars import Bar, Limit, Segment, bars
from wallviz.i18n import _, bracketed, followed, labelled, language
from wallviz.rooms import Answer
from wallviz.rooms.accuracy.choices import RUNS
from wallviz.rooms.accuracy.labels import origin, signed, title
from wallviz.validation import cases, peers


def runs() -> dict[str, str]:
    """The measured runs that the tools are asked about, by id."""
    return {id: title(catalog.cases()[id]) for id in RUNS}


def disagree(run: str) -> Answer:
    """One measured run as every tool estimates it."""
    return _disagree(run, language())


@lru_cache(maxsize=32)
def _disagree(run: str, _language: str) -> Answer:
    found = cases.predictions()[run]
    measured, ours = found.case.expected, found.value or 0.0
    said = cases.of_peers(found.case)
    shares = [parts["total"] / measured - 1 for _peer, parts in said]
    sentence = _("The run took {measured}; other tools miss it by {low} to {high}, wallviz by {ours}.").format(
        measured=units.binary(measured), low=signed(min(shares), 0), high=signed(max(shares), 0), ours=signed(ours / measured - 1, 1)
    )
    colours = (style.ROLES["memory"].colour, style.PARTS["optimizer"], style.ROLES["reference"].colour)
    estimates = [
        (_("Measured"), measured, colours[0], origin(found.case)),
        ("wallviz", ours, colours[1], ""),
        *((_(peer.name), parts["total"], colours[2], _(peer.producer)) for peer, parts in said),
    ]
    rows = tuple({_("tool"): name, _("bytes"): size, _("error"): signed(size / measured - 1, 1)} for name, size, *_rest in estimates)
    sources = tuple(dict.fromkeys([*found.case.source.split(";"), *(source for peer, _parts in said for source in peer.source.split(";"))]))
    drawing = bars(
        [_bar(*estimate, measured) for estimate in estimates],
        Axis(_("Peak memory of one GPU"), lambda gib: f"{gib:,.10g}{units.THIN}GiB", log=False, base=2),
        limit=Limit("", measured / units.GIB, role="memory"),
        revision="estimates",
    )
    return Answer("tools", sentence, drawing, rows=lambda: rows, sources=sources).with_spec()


def _bar(name: str, size: float, colour: str, note: str, measured: float) -> Bar:
    """What one tool says, and by how much it misses what was measured."""
    miss = size / measured - 1
    said = units.binary(size) + (f" ({signed(miss, 1 if abs(miss) < 0.1 else 0)})" if miss else "")
    return Bar(name, (Segment(size / units.GIB, colour, colour, (name, said, note)),), said=said)


def tools(run: str) -> str:
    """What each tool says about a run and what it leaves out, as Markdown."""
    found = cases.predictions()[run]
    measured = found.case.expected
    said = cases.of_peers(found.case)
    lines = [
        _tool(peer, _("{total}, {error}.").format(total=units.binary(parts["total"]), error=signed(parts["total"] / measured - 1, 0)))
        for peer, parts in said
    ]
    silent = [peer for peer in peers.PEERS if peer not in [one for one, _parts in said]]
    lines += [_tool(peer, _("no answer for such a job.")) for peer in silent]
    lines.append("")
    lines.append(
        _(
            "Each formula is rebuilt from its origin and repeats the numbers that the tool prints (the group “Other tools”). All get the run's "
            "own settings; flash attention, for which none of them has an option, is entered as recomputed attention."
        )
    )
    return "\n".join(lines)


def _tool(peer: peers.Peer, said: str) -> str:
    """One line about a tool: whose it is, what it said, what it leaves out."""
    return "- " + labelled(bracketed(f"**{_(peer.name)}**", _(peer.producer)), followed(said, _(peer.leaves_out)))
