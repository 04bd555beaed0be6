"""The sources page: every origin with its licence, its known errors, the files that carry it and what it alone states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from wallviz import catalog
from wallviz.i18n import N_, _, labelled, listing
from wallviz.rooms import Answer, Entry
from wallviz.settings import choice, text


@dataclass(frozen=True, slots=True)
class View:
    """What the page lists, and what it looks for."""

    show: str = choice("origins", {"origins": N_("Origins of the data"), "article": N_("What the article claims")}, N_("List"))
    find: str = text(N_("Search"), longest=100, help=N_("Shows the origins whose title, producer, licence, files or notes hold these words."))
    """Words, as typed."""


def answer() -> Answer:
    """How much data there is and where it comes from, in one sentence."""
    rows = sum(table.rows for table in catalog.tables().values())
    sentence = _("{rows} rows from {sources} origins: every row names its source, every file its licence and its errata.").format(
        rows=f"{rows:,}", sources=len(catalog.sources())
    )
    return Answer("sources", sentence, None)


def entries(find: str = "") -> tuple[Entry, ...]:
    """The origins that mention `find` in their title, producer, licence or files; all where it is empty."""
    used: dict[str, list[str]] = {source: [] for source in catalog.sources()}
    for name, table in catalog.tables().items():
        for source in table.sources:
            used.setdefault(source, []).append(name)
    alone = Counter(c.source for c in catalog.chips().values() if c.n_sources < 2)
    found = []
    for origin in catalog.sources().values():
        lines = [
            f"{origin.producer} · {origin.date}" if origin.date else origin.producer,
            labelled(f"**{_('Licence')}**", _(origin.licence)),
            labelled(f"**{_('Files')}**", listing(f"`{name}`" for name in used[origin.id]) or _("none, cited in the text")),
        ]
        if origin.errata:
            lines.append(labelled(f"**{_('Known errors')}**", "").rstrip() + "\n" + "\n".join(f"- {_(e)}" for e in origin.errata))
        if alone[origin.id]:
            lines.append(_("{n} chips rest on this origin alone: drawn with open markers.").format(n=alone[origin.id]))
        if not origin.verified:
            lines.append(_("Not checked against the original: shown as unconfirmed."))
        if origin.notes:
            lines.append(_(origin.notes))
        lines.append(labelled(f"**{_('Cite')}**", origin.citation))
        entry = Entry(origin.id, origin.title, origin.url, tuple(lines))
        if entry.matches(find):
            found.append(entry)
    return tuple(found)


def single_source() -> tuple[Mapping[str, object], ...]:
    """The values of chips that one source alone states, or that were not read again at their origin: one row a chip."""
    return tuple(
        {
            _("chip"): chip.name,
            _("vendor"): chip.vendor,
            _("values from one source"): ", ".join(sorted(chip.single_source)),
            _("source"): catalog.titles(chip.source),
        }
        for chip in catalog.chips().values()
        if chip.single_source
    )
