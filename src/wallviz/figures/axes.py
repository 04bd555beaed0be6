"""One axis, whatever it shows: where it begins and ends, where its lines stand, and how they are said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, floor, log, log10
from typing import Any

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import _

#: Seconds at which an axis of human time has its lines.
HUMAN = (1e-9, 1e-6, 1e-3, 1.0, 60.0, 3600.0, 86_400.0, 31_557_600.0, 31_557_600e2, 31_557_600e4)
MOST_LABELS = 8
"""Lines of a logarithmic axis that carry a label."""
_UNITS = {"flop_per_s": "FLOP/s", "bytes_per_s": "B/s", "bytes": "B", "flop_per_byte": "", "rate": "/s", "time": "s", "energy": "J"}


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows.

    `name` says it in words and `said` one of its lines; `log` or linear; lines stand at powers of `base` (of ten, under about two of them at 1, 2
    and 5 too; of two: every so many octaves, on a linear axis at multiples of a power of two), or at `lines`. It begins at `low` (None: where
    the values do, a linear one at 0) and ends at `high`, with `room` at both ends as a share of what the values span. `backwards` puts
    small values to the right.
    """

    name: str
    said: Callable[[float], str]
    log: bool = True
    base: int = 10
    low: float | None = None
    high: float | None = None
    lines: Sequence[float] = ()
    room: float = 0.04
    backwards: bool = False

    def at(self, value: float) -> float:
        """Where a value stands, as plotly counts places of words and ranges: on a log axis at its logarithm."""
        return log10(value) if self.log else value

    def ends(self, low: float, high: float) -> tuple[float, float]:
        """Where the axis begins and ends, as places, for values from `low` to `high`."""
        first = self.at(low if self.low is None else self.low) if self.log else self.low or 0.0
        last = self.at(high if self.high is None else self.high)
        if not self.log:
            return first, last + (0.0 if self.high is not None else (last - first) * self.room)
        margin = (last - first) * self.room or 0.3
        return first - margin, last + margin

    def drawn(self, low: float, high: float) -> dict[str, Any]:
        """The axis for values from `low` to `high` (positive on a log axis)."""
        first, last = self.ends(low, high)
        return self.between(first, last)

    def between(self, first: float, last: float) -> dict[str, Any]:
        """The axis from the place `first` to the place `last`."""
        values = list(self.lines) or self._values(first, last)
        powers = len(values) if self.log and all(_is_power(value) for value in values) and not self.lines else 0
        every = max(1, ceil(powers / MOST_LABELS)) if self.base == 10 else 1
        shown = [every == 1 or (round(log10(v)) - round(log10(values[-1]))) % every == 0 for v in values]
        return {
            "type": "log" if self.log else "linear",
            "range": [last, first] if self.backwards else [first, last],
            "tickvals": values,
            "ticktext": [self.said(value) if said else "" for value, said in zip(values, shown, strict=True)],
            "minorloglabels": "none",
            "gridcolor": style.GRID,
            "zeroline": False,
            "showline": False,
            "ticks": "",
            "ticklabelstandoff": 4,
        }

    def _values(self, first: float, last: float) -> list[float]:
        """The lines: few, round, all inside."""
        if not self.log:
            step = 2.0 ** ceil(log((last - first) / 7, 2)) if self.base == 2 else _round_step((last - first) / 8)
            return [step * i for i in range(ceil(first / step - 1e-9), floor(last / step + 1e-9) + 1)]
        exponents = range(ceil(first / log10(self.base) - 1e-9), floor(last / log10(self.base) + 1e-9) + 1)
        if self.base == 2:
            every = max(1, ceil(len(exponents) / 11))
            return [2.0**n for n in exponents if n % every == exponents[0] % every]
        if last - first < 2.3:  # under about two factors of ten, lines at 1, 2 and 5 tell more than one lonely ten
            return [m * 10.0**n for n in range(floor(first), ceil(last)) for m in (1.0, 2.0, 5.0) if first <= log10(m * 10.0**n) <= last]
        return [10.0**n for n in exponents]


def _is_power(value: float) -> bool:
    return value > 0 and abs(log10(value) - round(log10(value))) < 1e-9


def _round_step(step: float) -> float:
    scale: float = 10.0 ** floor(log10(step))
    return next(s * scale for s in (1.0, 2.0, 5.0, 10.0) if s * scale >= step * 0.999)


def said(kind: str) -> Callable[[float], str]:
    """How the lines of an axis of `kind` are said: ``times``, ``flop``, ``flop_per_s``, ``bytes_per_s``, ``bytes``, ``count``,
    ``flop_per_byte``, ``byte_s_per_flop``, ``rate`` (FLOP or bytes per second on one axis), ``time``, ``human``, ``energy``, ``number``."""
    return partial(tick_text, kind)


def tick_text(kind: str, value: float) -> str:
    """The label of a line at `value` of an axis of `kind` (`said`)."""
    if not value:
        return "0"
    if kind == "times":
        if value < 1 or not _is_power(value):
            return f"{units.significant(value, 1)}{units.TIMES}"
        return f"{value:,.0f}{units.TIMES}" if value < 1e6 else f"{power(value)}{units.TIMES}"
    if kind == "flop":
        scale = 10.0 ** floor(log10(value) + 1e-9)
        return power(value) if _is_power(value) else f"{value / scale:.2g}·{power(scale)}"
    if kind == "count":
        return units.count(value)
    if kind == "human":
        return human(value, digits=1)
    if kind == "number":
        return units.significant(value, 1)
    if kind == "byte_s_per_flop":
        return units.significant(value * 1e3, 1)
    return units.si(value, _UNITS[kind], digits=1 if value >= 1 or kind in ("time", "energy") else 3)


def value_text(kind: str, value: float) -> str:
    """One value of `kind` as hover and table show it."""
    if kind == "times":
        return units.times(value)
    if kind == "flop":
        scale = 10.0 ** floor(log10(value))
        return f"{value / scale:.2f}·{power(scale)}{units.THIN}FLOP"
    if kind == "count":
        return units.count(value)
    if kind in ("flop_per_byte", "byte_s_per_flop"):
        return units.ratio(kind, value)
    return units.si(value, _UNITS[kind])


def power(value: float) -> str:
    """A power of ten.

    >>> power(1e21)
    '10²¹'
    """
    return "10" + str(round(log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def human(seconds: float, digits: int = 2) -> str:
    """A time as people say it: seconds below a minute in SI, then minutes, hours, days, years.

    >>> [human(s).replace(units.THIN, " ") for s in (0.0032, 37, 258, 7200, 3e6, 3.2e8)]
    ['3.2 ms', '37 s', '4.3 min', '2.0 hours', '35 days', '10 years']
    """
    for size, words in ((31_557_600.0, _("1 year")), (86_400.0, _("1 day")), (3600.0, _("1 hour"))):
        if digits == 1 and abs(seconds / size - 1) < 1e-3:
            return words
    if seconds < 60:
        return units.si(seconds, "s", digits=digits)
    for size, words in ((31_557_600.0, _("{n} years")), (86_400.0, _("{n} days")), (3600.0, _("{n} hours")), (60.0, _("{n} min"))):
        if seconds >= size * 0.9995:
            return words.format(n=units.significant(seconds / size, digits)).replace(" ", units.THIN)
    return units.si(seconds, "s", digits=digits)
