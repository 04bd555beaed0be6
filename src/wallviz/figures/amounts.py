"""An axis of amounts, such as times or energies: its colours, its lines as people say them, a line across it, its name on a phone."""

from __future__ import annotations

import re
from math import ceil, floor, log10
from typing import Any

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import _

#: Colour by transfer: on-chip memory, DRAM, links, disks.
ROLES = {"chip": "memory", "memory": "bandwidth", "peers": "network", "machines": "network", "storage": "reference", "compute": "compute"}
#: Seconds at which a time axis has its lines, for people.
HUMAN = (1e-9, 1e-6, 1e-3, 1.0, 60.0, 3600.0, 86_400.0, 31_557_600.0, 31_557_600e2, 31_557_600e4)
NO_SHORTER = 0.06
"""The part of the plot that the shortest bar takes on a log scale, where no bar has a natural beginning."""
#: Pixels of a plot, and of one letter in it: on a laptop, on a phone.
PLOTS = ((640, 7.6), (322, 6.3))


def amount_axis(kind: str, low: float, high: float, *, log: bool) -> dict[str, Any]:
    """An axis from `low` to `high`, its ticks written as `kind` says (`tick`)."""
    if not log:
        axis = style.value_axis("times", low, high, log=False, room=0.04)
        axis["ticktext"] = ["0" if not v else tick(kind, v) for v in axis["tickvals"]]
        return axis | {"gridcolor": style.GRID, "zeroline": False}
    first, last = log10(low), log10(high)
    span = max(last - first, 1.0)
    start, end = first - span * NO_SHORTER - 0.1, last + span * 0.04
    if kind == "human":
        ticks = [v for v in HUMAN if start <= log10(v) <= end + span * 0.6]
    elif end - start < 2:  # under two factors of ten, lines at 1, 2 and 5 tell more than one lonely ten
        ticks = [m * 10.0**d for d in range(floor(start), ceil(end) + 2) for m in (1.0, 2.0, 5.0) if start <= log10(m * 10.0**d)]
    else:
        every = max(1, ceil((end - start) / 8))
        ticks = [10.0**d for d in range(ceil(start), ceil(end + span * 0.6)) if d % every == 0]
    return {
        "type": "log",
        "range": [start, end],
        "tickvals": ticks,
        "ticktext": [tick(kind, v) for v in ticks],
        "minorloglabels": "none",
        "gridcolor": style.GRID,
        "zeroline": False,
    }


def tick(kind: str, value: float) -> str:
    """A tick of a time or an energy axis; other kinds as everywhere."""
    if kind == "time":
        return units.si(value, "s", digits=1)
    if kind == "human":
        return human(value, digits=1)
    if kind == "energy":
        return units.si(value, "J", digits=1)
    if kind == "number":
        return units.significant(value, 1)
    return style.tick_text(kind, value)


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


def vertical(x: float) -> dict[str, Any]:
    """A dashed line at `x` from the bottom of the plot to its top."""
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 1.5, "dash": "dash", "color": style.FAINT}}


def narrow_title(name: str) -> dict[str, Any]:
    """What a phone changes for a long name under the plot: its last remark in brackets stands in a second line."""
    found = re.search(r"\s*([(（][^(（]*)$", name)
    if found is None or len(name) < 40:
        return {}
    return {"xaxis.title.text": f"{name[: found.start()]}<br>{found[1]}", "margin.b": 66}
