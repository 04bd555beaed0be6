"""Prose with its terms linked to the glossary: the first time a text uses a term, its line stands in the hover and its entry behind the link."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import quote

import streamlit as st

from wallviz import units
from wallviz.glossary import GlossaryTerm, terms
from wallviz.i18n import closed, language
from wallviz.ui.frame import carried

#: What is no prose: code, formulas, links and addresses, markup, headings, rows of a table.
_NOT_PROSE = re.compile(r"(`[^`]*`|\$[^$]*\$|!?\[[^\]]*\]\([^)]*\)|https?://\S+|<[^>]*>|^#.*$|^\|.*$)", re.MULTILINE)


def prose(text: str) -> None:
    """Writes Markdown with its terms linked."""
    st.markdown(linked(text))


def linked(text: str) -> str:
    """Markdown with the first use of every term of the glossary linked, in the language in use."""
    pattern, found = _terms(language())
    seen: set[str] = set()

    def link(match: re.Match[str]) -> str:
        said = match[0]
        term = found[_key(said)] if _key(said) in found else found[_key(said).removesuffix("s")]
        if term.id in seen:
            return said
        seen.add(term.id)
        name, line = (term.zh, term.line_zh) if language() == "zh" else (term.en, term.line_en)
        query = "".join(f"&{key}={value}" for key, value in carried().items())
        return f'[{said}](glossary?find={quote(name)}{query} "{_quoted(line)}")'

    return "".join(part if i % 2 else pattern.sub(link, part) for i, part in enumerate(_NOT_PROSE.split(units.tied(closed(text)))))


def _quoted(line: str) -> str:
    """A line inside the quotation marks of a link's title."""
    return line.replace("\\", "").replace('"', "”")


def _key(said: str) -> str:
    return said.casefold()


@cache
def _terms(language: str) -> tuple[re.Pattern[str], dict[str, GlossaryTerm]]:
    """A pattern for every name of a term, longest first, and the terms by name: without the remark in brackets."""
    found: dict[str, GlossaryTerm] = {}
    for term in terms().values():
        found.setdefault(_key(re.split("[（(]", term.zh if language == "zh" else term.en)[0].strip()), term)
    names = "|".join(re.escape(name) for name in sorted(found, key=len, reverse=True))
    around = r"(?<![A-Za-z0-9/-])(?:{})(?![A-Za-z0-9/])" if language == "zh" else r"(?<![\w/-])(?:{})s?(?![\w/])"
    return re.compile(around.format(names), re.IGNORECASE), found
