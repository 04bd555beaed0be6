"""The story: the argument of the memory wall in nine steps, as data.

A step is a file of this package, named for it. It says what it claims and how it asks for a guess; its figure is a room's answer at the address
to which its first "try it" leads, and its numbers come from the engines at that moment, so that a step can never say another number than the
room. The steps in their order are `wallviz.story.path.STEPS`, the article's claims `wallviz.story.article.claims`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from wallviz.i18n import LANGUAGES, _, language
from wallviz.rooms import Answer
from wallviz.story.address import opened

Facts = Callable[[], Mapping[str, str]]
"""Numbers as they are printed in the language in use, by the name that texts call them by."""


def once_a_language(facts: Facts) -> Facts:
    """The same facts, worked out once in each language."""
    kept = lru_cache(maxsize=len(LANGUAGES))(lambda _language: facts())
    return lambda: kept(language())


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose: its words (marked for translation) and whether it is the right one."""

    words: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """What the reader is asked before the figure is shown: skippable, never scored, never in an address.

    Either a choice among `options`, or a number from `low` to `high` on a slider whose steps are factors (`unit` stands behind it) that is
    compared with `value`, which texts call by the fact `truth`.
    """

    question: str
    options: tuple[Choice, ...] = ()
    truth: str = ""
    value: Callable[[], float] | None = None
    low: float = 0.0
    high: float = 0.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Try:
    """Where the reader goes on alone: a room, what its address says, and the words of the link (marked for translation)."""

    room: str
    query: Mapping[str, str]
    words: str


@dataclass(frozen=True, slots=True)
class Notes:
    """For the lecturer: what the step is for, a question for the room, what is commonly misunderstood and how to answer it."""

    goal: str
    ask: str
    misconception: str


@dataclass(frozen=True, slots=True)
class Step:
    """One screen of the story. Texts are marked for translation and may hold ``{name}`` of a fact: `said` puts the numbers in."""

    id: str
    title: str
    standfirst: str
    """The claim in one plain sentence."""
    guess: Guess
    facts: Facts
    explain: tuple[str, ...]
    """Paragraphs, conversational first, precise second."""
    caveat: str
    """What this does not say."""
    try_it: tuple[Try, ...]
    """The first is the room and the address of the step's own figure."""
    notes: Notes
    takeaway: str = ""
    """The step's own sentence under its figure; empty: the room's."""
    term: str = ""
    """The one new term of the step: an id of the glossary."""
    claims: tuple[str, ...] = ()
    """Claims of the article that stand on this screen, by id (``content/article.yml``)."""
    sources: tuple[str, ...] = ()
    """Ids of sources beside those of the figure."""

    def figure(self) -> Answer:
        """The room's answer whose drawing is shown, in the language in use; rooms keep it."""
        return opened(self.try_it[0].room, self.try_it[0].query)

    def said(self, text: str) -> str:
        """A text of the step in the language in use, with its numbers."""
        return _(text).format(**self.facts())

    @property
    def sentence(self) -> str:
        """The takeaway, in the language in use."""
        return self.said(self.takeaway) if self.takeaway else self.figure().sentence

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text of the step, as it is marked for translation."""
        guess, notes = self.guess, self.notes
        asked = (guess.question, *(option.words for option in guess.options), guess.unit)
        told = (self.title, self.standfirst, self.takeaway, *self.explain, self.caveat, *(one.words for one in self.try_it))
        return tuple(text for text in (*asked, *told, notes.goal, notes.ask, notes.misconception) if text)
