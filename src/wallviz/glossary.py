"""Every term that a page uses, in both languages: ``content/glossary.yml`` as domain objects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import yaml

from wallviz.i18n import CONTENT


@dataclass(frozen=True, slots=True)
class GlossaryTerm:
    """One term: its name and one line in each language, its unit, other names that a reader may look for, and the pages that use it."""

    id: str
    en: str
    zh: str
    unit: str
    line_en: str
    line_zh: str
    synonyms: tuple[str, ...]
    used: tuple[str, ...]


@cache
def terms() -> dict[str, GlossaryTerm]:
    """Every term by id, in the order of the file ``content/glossary.yml``."""
    with (CONTENT / "glossary.yml").open(encoding="utf-8") as file:
        raw = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {
        t["id"]: GlossaryTerm(
            t["id"], t["en"], t["zh"], t.get("unit", ""), t["line_en"], t["line_zh"], tuple(str(s) for s in t.get("synonyms", ())), tuple(t["used"])
        )
        for t in raw
    }
