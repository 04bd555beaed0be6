"""The points that the reader keeps: without those named, inside a window of days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from wallviz.engine.growth.moments import Day, as_date
from wallviz.engine.growth.points import Point
from wallviz.errors import InputError
from wallviz.i18n import N_


def select(
    points: Iterable[Point],
    *,
    exclude: str | Iterable[str] = (),
    since: Day | None = None,
    until: Day | None = None,
) -> tuple[Point, ...]:
    """The points without those named in `exclude`, from `since` to `until` (both days included; dates or ISO strings), in the order given.

    A name is a point's id or its whole name, in any case. An id takes one point; a name that several points share takes all of them.

    >>> select([Point("a", "GPT-1", dt.date(2018, 6, 11), 1.1e8), Point("b", "GPT-2", dt.date(2019, 2, 14), 1.5e9)], exclude=["gpt-1"])[0].name
    'GPT-2'
    """
    everything = tuple(points)
    window = bounds(since, until)
    taken = excluded_ids(everything, exclude)
    kept = tuple(point for point in everything if point.id not in taken and window[0] <= point.date <= window[1])
    if kept:
        return kept
    if not everything:
        raise InputError(N_("there is no point to select from"))
    inside = [point for point in everything if window[0] <= point.date <= window[1]]
    if inside:
        raise InputError(N_("all {n} points are excluded: keep at least 3"), n=len(inside))
    raise InputError(
        N_("no point lies between {since} and {until}: they run from {first} to {last}; widen the window"),
        since=window[0].isoformat() if since else "…",
        until=window[1].isoformat() if until else "…",
        first=min(point.date for point in everything).isoformat(),
        last=max(point.date for point in everything).isoformat(),
    )


def bounds(since: Day | None, until: Day | None) -> tuple[dt.date, dt.date]:
    """The first and last day of a window, open where `since` or `until` is None."""
    low = dt.date.min if since is None else as_date(since, "since")
    high = dt.date.max if until is None else as_date(until, "until")
    if low > high:
        raise InputError(N_("since ({since}) is later than until ({until}): swap them"), since=low.isoformat(), until=high.isoformat())
    return low, high


def named(exclude: str | Iterable[str]) -> tuple[str, ...]:
    """What `exclude` names, one or several, as a tuple of texts."""
    names = (exclude,) if isinstance(exclude, str) or not isinstance(exclude, Iterable) else tuple(exclude)
    for name in names:
        if not isinstance(name, str):
            raise InputError(N_("exclude names points by text, not by {value}: give ids or names"), value=repr(name)[:40])
    return names


def excluded_ids(points: Sequence[Point], exclude: str | Iterable[str]) -> tuple[str, ...]:
    """The ids of the points that `exclude` names, in the order of the points."""
    found: set[str] = set()
    for wanted in named(exclude):
        key = wanted.strip().casefold()
        hits = {point.id for point in points if point.id.casefold() == key} or {point.id for point in points if point.name.casefold() == key}
        if not hits:
            raise _unknown_point(points, wanted)
        found |= hits
    return tuple(point.id for point in points if point.id in found)


def _unknown_point(points: Sequence[Point], wanted: str) -> InputError:
    labels = {label.casefold(): label for point in points for label in (point.id, point.name) if label}
    key = wanted.strip().casefold()
    near = [label for folded, label in labels.items() if key and key in folded] or [labels[c] for c in get_close_matches(key, list(labels), n=3)]
    if near:
        return InputError(N_("no point is called {name}: did you mean {candidates}?"), name=wanted, candidates=", ".join(near[:8]))
    return InputError(N_("no point is called {name}: choose from {candidates}"), name=wanted, candidates=", ".join(point.id for point in points))
