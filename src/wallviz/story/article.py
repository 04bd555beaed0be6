"""The claims of the source article, each with what wallviz finds and the screens it stands on: ``content/article.yml`` as domain objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

import yaml

from wallviz.i18n import CONTENT, N_, language
from wallviz.story.path import STEPS

VERDICTS: Mapping[str, str] = MappingProxyType({"true": N_("true"), "condition": N_("true with a condition"), "false": N_("not so")})
"""What is found of a claim, in words marked for translation."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a claim stands: a step of the story, or a room and the address that opens it."""

    step: str = ""
    room: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArticleClaim:
    """One claim or open question of the article in our own words, and what is found of it. Texts may hold ``{name}`` of a fact of its step."""

    id: str
    en: str
    zh: str
    verdict: str
    """A key of `VERDICTS`."""
    finding_en: str
    finding_zh: str
    where: tuple[Screen, ...]

    @property
    def facts(self) -> Mapping[str, str]:
        """The numbers of its step in the language in use."""
        return STEPS[next(screen.step for screen in self.where if screen.step)].facts()

    @property
    def claim(self) -> str:
        """What the article says, in the language in use."""
        return (self.zh if language() == "zh" else self.en).format(**self.facts)

    @property
    def finding(self) -> str:
        """What wallviz finds, in the language in use."""
        return (self.finding_zh if language() == "zh" else self.finding_en).format(**self.facts)


@cache
def claims() -> Mapping[str, ArticleClaim]:
    """Every claim by id, in the order of the file ``content/article.yml``."""
    with (CONTENT / "article.yml").open(encoding="utf-8") as file:
        raw = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return MappingProxyType({one["id"]: ArticleClaim(**one | {"where": tuple(Screen(**screen) for screen in one["where"])}) for one in raw})
