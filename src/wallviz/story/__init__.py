"""The story: the argument of the memory wall in nine steps, as data.

A step is a file of this package, named for it. It says what it claims and how it asks for a guess; its figure and its numbers come from the
rooms' own functions, so that a step can never say another number than the room to which its "try it" leads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wallviz.rooms import Answer


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose: its words (marked for translation) and whether it is the right one."""

    words: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """What the reader is asked before the figure is shown: skippable, never scored, never in an address.

    Either a choice among `options`, or a number from `low` to `high` on a slider whose steps are factors (`unit` stands behind it) that is
    compared with `truth`, the name of a fact of the step.
    """

    question: str
    options: tuple[Choice, ...] = ()
    truth: str = ""
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
    """One screen of the story. Texts are marked for translation and may hold ``{name}`` of a fact.

    `facts` gives the numbers of the texts as they are printed, in the language in use, computed by the engines at that moment; `figure` is the
    answer of a room whose drawing is shown and whose sentence is the takeaway (`takeaway` where the step says it in its own words).
    """

    id: str
    title: str
    standfirst: str
    """The claim in one plain sentence."""
    guess: Guess
    figure: Callable[[], Answer]
    facts: Callable[[], Mapping[str, str]]
    explain: tuple[str, ...]
    """Paragraphs, conversational first, precise second."""
    caveat: str
    """What this does not say."""
    try_it: tuple[Try, ...]
    notes: Notes
    takeaway: str = ""
    term: str = ""
    """The one new term of the step: an id of the glossary."""
    claims: tuple[str, ...] = ()
    """Claims of the article that stand on this screen, by id (``content/article.yml``)."""
    sources: tuple[str, ...] = field(default=())
    """Ids of sources beside those of the figure."""
