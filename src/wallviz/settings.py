"""A setting, declared once: its type, default, range or words, label, group and help stand at the field of a frozen dataclass.

What a page draws, how an address spells it, which option the command line has and what JSON calls it are read off that field:

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class View:
...     zero: int = number(0, 0, 3, N_("ZeRO sharding"))
>>> of(View)["zero"].parse("2"), View().zero
(2, 0)

An address is hostile until parsed: every parser answers with a value of its kind or with a sentence that says what to do.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Any

from wallviz.checks import halfwidth
from wallviz.errors import InputError
from wallviz.i18n import N_, _

MAX_LENGTH = 2000  # characters of one value in an address; longer is not a link that this app wrote


def _always(_chosen: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Setting:
    """One choice of a reader."""

    default: Any
    read: Callable[[str, str], Any]
    """The value that a text in an address stands for, of the setting's name and the text; raises InputError, a sentence."""
    label: str = ""
    """What it is called: a text marked for translation."""
    format: Callable[[Any], str] = str
    """How an address spells a value."""
    words: Mapping[Any, str] = dataclasses.field(default_factory=dict)
    """The options by value, in words marked for translation; empty: a number, a text, or on and off."""
    more: Callable[[Any], Mapping[Any, str]] | None = None
    """Options that depend on what else was chosen: of the whole dataclass, in the language in use."""
    low: int = 0
    high: int = 0
    """The range of a whole number; 0 and 0 for anything else."""
    group: str = ""
    """Which of the expert's groups it stands in, marked for translation."""
    jobs: tuple[str, ...] = ()
    """The jobs that it is about; empty: all."""
    when: Callable[[Any], bool] = _always
    """Whether it applies, of the whole dataclass."""
    help: str = ""
    """What it changes and what to choose it for, in one sentence marked for translation: said beside its widget and by the command line."""
    longest: int = MAX_LENGTH
    """Characters that an address may give."""
    old: Mapping[str, Mapping[str, str] | None] = dataclasses.field(default_factory=dict)
    """Names that addresses had for it, each with what their values are called now; None: as they were."""
    name: str = ""
    """The field that declares it."""

    def parse(self, text: str) -> Any:
        """The value that `text` stands for, full-width or not; raises InputError, a sentence."""
        return self.read(self.name, halfwidth(text))

    def options(self, chosen: Any) -> dict[Any, str]:
        """The options in the language in use, where there are any; `chosen` is the dataclass with what else was chosen."""
        if self.more is not None:
            return dict(self.more(chosen))
        return {option: _(said) for option, said in self.words.items()}

    def said(self, value: Any, chosen: Any = None) -> str:
        """A value in words."""
        if value is None:
            return "–"
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        known = self.options(chosen) if self.words or (self.more is not None and chosen is not None) else {}
        return known.get(value, f"{value:,}" if isinstance(value, int) else str(value))

    def applies(self, job: str, chosen: Any) -> bool:
        """Whether it is asked for this job, as everything else was chosen."""
        return (not self.jobs or job in self.jobs) and self.when(chosen)


@cache
def of(kind: Any) -> Mapping[str, Setting]:
    """The settings that a dataclass declares, by name, in their order."""
    found = {field.name: field.metadata["setting"] for field in dataclasses.fields(kind) if "setting" in field.metadata}
    return MappingProxyType({name: dataclasses.replace(setting, name=name) for name, setting in found.items()})


def _field(setting: Setting) -> Any:
    return dataclasses.field(default=setting.default, metadata={"setting": setting})


def setting(default: Any, parse: Callable[[str], Any], label: str = "", **more: Any) -> Any:
    """A field with a parser of its own."""
    return _field(Setting(default, lambda _name, text: parse(text), label, **more))


def choice(default: Any, options: Mapping[Any, str] | Iterable[Any], label: str = "", **more: Any) -> Any:
    """A field for one of `options`: their ids, or a mapping of ids to words marked for translation. An id may be a number."""
    words = dict(options) if isinstance(options, Mapping) else {option: str(option) for option in options}
    spelled = {str(option): option for option in words}

    def read(name: str, text: str) -> Any:
        if text not in spelled:
            raise unknown(name, text, tuple(spelled))
        return spelled[text]

    return _field(Setting(default, read, label, **{"words": words, **more}))


def unknown(name: str, text: str, allowed: Sequence[str]) -> InputError:
    """What is said of an option that does not exist: the options, or those that are spelled like it."""
    shown = allowed if len(allowed) <= 12 else [*(get_close_matches(text[:40], allowed, 5) or allowed[:5]), "…"]
    return InputError(N_("The link asks for {name} “{text}”, which does not exist: choose one of {allowed}."), name=name, text=text[:40],
                      allowed=", ".join(shown))  # fmt: skip


def flag(default: bool, label: str = "", **more: Any) -> Any:
    """A field that is on or off, ``1`` or ``0`` in an address."""

    def read(name: str, text: str) -> bool:
        if text not in ("0", "1"):
            raise InputError(N_("The link gives {name} as “{text}”: it must be 0 or 1."), name=name, text=text[:40])
        return text == "1"

    return _field(Setting(default, read, label, format=lambda value: "1" if value else "0", **more))


def number(default: int | None, low: int, high: int, label: str = "", **more: Any) -> Any:
    """A field for a whole number from `low` to `high`."""

    def read(name: str, text: str) -> int:
        if not (re.fullmatch(r"-?[0-9]{1,18}", text) and low <= int(text) <= high):
            raise InputError(
                N_("The link gives {name} as “{text}”: it must be a whole number from {low} to {high}."),
                name=name,
                text=text[:40],
                low=low,
                high=high,
            )
        return int(text)

    return _field(Setting(default, read, label, low=low, high=high, **more))


def names(label: str = "", limit: int = 1000, **more: Any) -> Any:
    """A field for any number of ids, separated by commas; whether each exists is for the computation to say."""

    def read(name: str, text: str) -> tuple[str, ...]:
        ids = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if len(ids) > limit:
            raise InputError(
                N_("The link lists {n} entries for {name}: shorten it to {limit}, or choose them on the page."), n=len(ids), name=name, limit=limit
            )
        return ids

    return _field(Setting((), read, label, format=",".join, longest=100_000, **more))


def years(low: int, high: int, label: str = "", **more: Any) -> Any:
    """A field for a window of whole years from `low` to `high`, both included, as ``2003-2020``; everything by default."""

    def read(name: str, text: str) -> tuple[int, int]:
        first, dash, last = text.partition("-")
        if not (dash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit() and len(first) == len(last) == 4):
            raise InputError(N_("The link gives {name} as “{text}”: write two years, such as 2003-2020."), name=name, text=text[:40])
        start, end = int(first), int(last)
        if start > end:
            raise InputError(N_("The link's {name} “{text}” runs backwards: swap the two years."), name=name, text=text[:40])
        return max(low, min(start, high)), max(low, min(end, high))

    return _field(Setting((low, high), read, label, format=lambda value: f"{value[0]}-{value[1]}", **more))


def text(label: str = "", longest: int = MAX_LENGTH, default: str = "", **more: Any) -> Any:
    """A field for a text of its own alphabet, up to `longest` characters; whether it means something is for the computation to say."""

    def read(name: str, given: str) -> str:
        if len(given) > longest:
            raise InputError(N_("The link's {name} is too long to be read: choose it again on the page."), name=name)
        return given

    return _field(Setting(default, read, label, longest=longest, **more))
