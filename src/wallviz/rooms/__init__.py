"""What a page, a terminal and a notebook say alike: one sentence, how sure it is, one figure, the rows behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from wallviz.checks import halfwidth
from wallviz.figures.style import Drawing, Figure
from wallviz.settings import Setting, of


@dataclass(frozen=True, slots=True)
class Card:
    """A claim beside its refit: the `quantity`, the `published` factor, what the reader's points give and its interval.

    `leads` is what the address of the growth room says where the claim is drawn; None: it is drawn here.
    """

    role: str
    quantity: str
    published: str
    refit: str
    interval: str
    note: str = ""
    leads: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A change that the reader can make with one button: its words, what it costs, the parameters that it sets, whether it is `enough`."""

    label: str
    help: str
    sets: Mapping[str, object]
    enough: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that belong together, and what was `chosen` (a job or a view), on which their options may depend."""

    title: str
    settings: tuple[Setting, ...]
    chosen: Any = None


def _no_rows() -> tuple[Mapping[str, object], ...]:
    return ()


def _nothing() -> str:
    return ""


def grouped(view: Any, titles: Mapping[str, Sequence[str]]) -> tuple[Group, ...]:
    """Settings of a view by title, in the language in use."""
    kind: Any = type(view)
    known = of(kind)
    return tuple(Group(title, tuple(known[name] for name in names), view) for title, names in titles.items() if names)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, in the language in use.

    `sentence` is the takeaway and the figure's accessible name (at most 25 words or 40 汉字); `sure` is the badge's text and `trust`
    its colour (``green``, ``orange``, ``red`` or ``gray``). `problems` are sentences about input that could not be used. `actions` are
    changes to offer as buttons, the best first. `facts` are numbers that other rooms say too, in base units by name: ``bytes`` (of one
    chip at the peak), ``bound_tokens_per_s`` (the roofline's) and ``tokens_per_s`` (with links and what kernels reach); `advice` is what makes the
    job fit, or faster, first: ids of remedies, the same in every room. `options` are the
    points that can be taken out, by id; `sources` the ids of the origins; `spec` the drawing as JSON. What is not seen at once is worked
    out when it is asked for: `why` and `how_sure` (Markdown for the drawers) and `table` (the rows behind the figure).
    """

    name: str
    sentence: str
    drawing: Drawing | None
    sure: str = ""
    trust: str = "gray"
    caption: str = ""
    cards: tuple[Card, ...] = ()
    actions: tuple[Action, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    explain: Callable[[], str] = _nothing
    doubt: Callable[[], str] = _nothing
    problems: tuple[str, ...] = ()
    rows: Callable[[], tuple[Mapping[str, object], ...]] = _no_rows
    sources: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    spec: str = ""

    def with_spec(self) -> Answer:
        """The same answer with its drawing as JSON, made once and kept beside it: drawing again costs nothing."""
        return replace(self, spec=self.drawing.spec) if self.drawing is not None else self

    @property
    def figure(self) -> Figure | None:
        """The figure as plotly's object, which shows by itself in a notebook."""
        return self.drawing.figure() if self.drawing is not None else None

    @property
    def why(self) -> str:
        """The formula with the reader's numbers, as Markdown."""
        return self.explain()

    @property
    def how_sure(self) -> str:
        """Intervals, influence and known errors, as Markdown."""
        return self.doubt()

    @property
    def table(self) -> tuple[Mapping[str, object], ...]:
        """The rows behind the figure."""
        return self.rows()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list to look things up in: a title (linked where `url` is given), Markdown lines, the rooms that use it.

    `hidden` is text that a search finds and nobody sees.
    """

    id: str
    title: str
    url: str = ""
    lines: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    def matches(self, find: str) -> bool:
        """Whether every word of `find` stands somewhere in the entry, case and accents aside."""
        text = " ".join((self.id, self.title, *self.lines, *self.hidden)).casefold()
        return all(word in text for word in halfwidth(find).casefold().split())


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def names(items: Mapping[str, _Named]) -> dict[str, str]:
    """The names of catalog entries by id: the options of a control."""
    return {id: item.name for id, item in items.items()}
