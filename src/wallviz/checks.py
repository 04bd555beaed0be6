"""What a number or a word that was given may be, asked at the door: one sentence for each that cannot be used."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np

from wallviz.errors import InputError
from wallviz.i18n import N_

MOST = 1e24
"""Rates, tokens and money beyond a yotta are typing errors, and far below what overflows."""


def halfwidth(text: str) -> str:
    """What a reader typed, with the full-width digits, letters, marks and spaces of a Chinese keyboard as their half-width kin (Unicode's NFKC).

    >>> halfwidth("Ｈ１００：２５，０００；Ｈ２０　１２０００")
    'H100:25,000;H20 12000'
    """
    return unicodedata.normalize("NFKC", text)


def one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raises InputError unless `value` is a word and one of `allowed`."""
    known = tuple(allowed)
    if not (isinstance(value, str) and value in known):
        raise InputError(N_("{name} cannot be “{value}”: choose one of {allowed}."), name=name, value=said(value), allowed=", ".join(known))


def switch(name: str, value: Any) -> None:
    """Raises InputError unless `value` is True or False: "no" would count as yes."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(N_("{name} cannot be “{value}”: choose one of {allowed}."), name=name, value=said(value), allowed="True, False")


def single(name: str, value: Any) -> None:
    """Raises InputError unless `value` is one number, one word or nothing: no array, list or anything else that holds several."""
    if not (value is None or isinstance(value, str | int | float | np.number | np.bool_) or (isinstance(value, np.ndarray) and value.ndim == 0)):
        raise InputError(N_("{name} cannot be {value}: give one value."), name=name, value=said(value))


def above_zero(name: str, value: Any, low: float = 1.0, high: float = MOST) -> None:
    """Raises InputError unless `value`, or every entry of it, is a number from `low`, above 0, to `high`.

    >>> above_zero("tokens", float("nan"))
    Traceback (most recent call last):
    wallviz.errors.InputError: tokens cannot be nan: give a number above 0.
    """
    if not within(value, 0.0, np.inf, above=True):
        raise InputError(N_("{name} cannot be {value}: give a number above 0."), name=name, value=said(value))
    if not within(value, low, high):
        raise InputError(N_("The {name} must be from {low} to {high}: got {value}."), name=name, low=f"{low:g}", high=f"{high:g}", value=said(value))


def share(name: str, value: Any, low: float = 1e-6) -> None:
    """Raises InputError unless `value`, or every entry of it, is a part of the whole: from `low`, above 0, to 1."""
    if not within(value, 0.0, 1.0, above=True):
        raise InputError(N_("{name} cannot be {value}: give a number above 0, up to 1."), name=name, value=said(value))
    above_zero(name, value, low, 1.0)


def said(value: Any) -> str:
    """What was given, on one line and short enough for a sentence."""
    try:
        return " ".join(str(value)[:200].split())[:40]
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return type(value).__name__


def is_number(value: Any, low: float, high: float) -> bool:
    """Whether `value` is one number from `low` to `high`."""
    return not isinstance(value, list | tuple) and np.ndim(value) == 0 and within(value, low, high)


def within(value: Any, low: float, high: float, *, above: bool = False) -> bool:
    """Whether `value` is finite numbers, all of them from `low` (or `above` it) to `high`."""
    if isinstance(value, int | float) and not isinstance(value, bool):  # integers of any size
        return (low < value if above else low <= value) and value <= high and value != np.inf
    try:
        numbers = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        return False
    if numbers.dtype.kind not in "iuf" or not numbers.size:
        return False
    inside = (numbers > low if above else numbers >= low) & (numbers <= high) & np.isfinite(numbers)
    return bool(np.all(inside))
