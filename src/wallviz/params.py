"""The choices that a view is made of, declared as data: a default, how an address spells them, what may stand there.

An address is hostile until parsed: every parser answers with a value of its kind or with a sentence that says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from wallviz.errors import InputError
from wallviz.i18n import N_

MAX_LENGTH = 2000  # characters of one parameter; longer is not a link that this app wrote


@dataclass(frozen=True, slots=True)
class Param:
    """One named choice of a page: its default, and how it is read from and written to an address."""

    name: str
    default: Any
    parse: Callable[[str], Any]
    format: Callable[[Any], str] = str
    longest: int = MAX_LENGTH
    """Characters that an address may give; longer is not an address that a page wrote."""


def choice(name: str, options: Iterable[str], default: str) -> Param:
    """One of `options`."""
    allowed = tuple(options)

    def parse(text: str) -> str:
        if text not in allowed:
            raise InputError(
                N_("The link asks for {name} “{text}”, which does not exist: choose one of {allowed}."),
                name=name,
                text=text[:40],
                allowed=", ".join(allowed) if len(allowed) <= 12 else ", ".join([*(get_close_matches(text[:40], allowed, 5) or allowed[:5]), "…"]),
            )
        return text

    return Param(name, default, parse)


def flag(name: str, default: bool = False) -> Param:
    """On or off, ``1`` or ``0`` in the address."""

    def parse(text: str) -> bool:
        if text not in ("0", "1"):
            raise InputError(N_("The link gives {name} as “{text}”: it must be 0 or 1."), name=name, text=text[:40])
        return text == "1"

    return Param(name, default, parse, lambda value: "1" if value else "0")


def number(name: str, default: int | None, low: int, high: int) -> Param:
    """A whole number from `low` to `high`."""

    def parse(text: str) -> int:
        if not (re.fullmatch(r"-?[0-9]{1,18}", text) and low <= int(text) <= high):
            raise InputError(
                N_("The link gives {name} as “{text}”: it must be a whole number from {low} to {high}."),
                name=name,
                text=text[:40],
                low=low,
                high=high,
            )
        return int(text)

    return Param(name, default, parse)


def names(name: str, limit: int = 1000) -> Param:
    """Any number of ids, separated by commas; whether each exists is for the computation to say."""

    def parse(text: str) -> tuple[str, ...]:
        ids = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if len(ids) > limit:
            raise InputError(
                N_("The link lists {n} entries for {name}: shorten it to {limit}, or choose them on the page."), n=len(ids), name=name, limit=limit
            )
        return ids

    return Param(name, (), parse, ",".join, longest=100_000)


def years(name: str, low: int, high: int) -> Param:
    """A window of whole years from `low` to `high`, both included, as ``2003-2020``; everything by default."""

    def parse(text: str) -> tuple[int, int]:
        first, dash, last = text.partition("-")
        if not (dash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit() and len(first) == len(last) == 4):
            raise InputError(N_("The link gives {name} as “{text}”: write two years, such as 2003-2020."), name=name, text=text[:40])
        start, end = int(first), int(last)
        if start > end:
            raise InputError(N_("The link's {name} “{text}” runs backwards: swap the two years."), name=name, text=text[:40])
        return max(low, min(start, high)), max(low, min(end, high))

    return Param(name, (low, high), parse, lambda value: f"{value[0]}-{value[1]}")


def text(name: str, longest: int = MAX_LENGTH) -> Param:
    """A text of its own alphabet, up to `longest` characters; whether it means something is for the computation to say."""

    def parse(given: str) -> str:
        if len(given) > longest:
            raise InputError(N_("The link's {name} is too long to be read: choose it again on the page."), name=name)
        return given

    return Param(name, "", parse)


def search(name: str) -> Param:
    """Words to look for, as typed; at most a hundred characters."""
    return text(name, longest=100)
