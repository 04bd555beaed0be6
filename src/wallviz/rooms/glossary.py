"""The glossary: every term in both languages, its unit, one line, and the pages that use it."""

from __future__ import annotations

from dataclasses import dataclass

from wallviz.glossary import terms
from wallviz.i18n import N_, _, labelled, language, listing
from wallviz.rooms import Answer, Entry
from wallviz.settings import text


@dataclass(frozen=True, slots=True)
class View:
    """What the page looks for."""

    find: str = text(
        N_("Search"), longest=100, help=N_("Shows the terms whose name, explanation or synonym holds these words, in English or Chinese.")
    )
    """Words, as typed."""


def answer() -> Answer:
    """How many terms there are."""
    return Answer("glossary", _("{n} terms in English and Chinese, each with its unit and where it is used.").format(n=len(terms())), None)


def entries(find: str = "") -> tuple[Entry, ...]:
    """The terms whose name, line or synonym holds `find`, in either language; all where it is empty."""
    found = []
    for term in terms().values():
        own, other, line = (term.zh, term.en, term.line_zh) if language() == "zh" else (term.en, term.zh, term.line_en)
        lines = [line]
        if term.unit:
            lines.append(labelled(f"**{_('Unit')}**", {"years": _("years"), "tokens": _("tokens")}.get(term.unit, term.unit)))
        related = [name for name in (other, *term.synonyms) if name != own]
        if related:
            lines.append(labelled(f"**{_('Related')}**", listing(related)))
        entry = Entry(term.id, own, "", tuple(lines), term.used, (term.en, term.zh, term.line_en, term.line_zh))
        if entry.matches(find):
            found.append(entry)
    return tuple(sorted(found, key=lambda e: e.title.casefold()) if language() == "en" else found)
