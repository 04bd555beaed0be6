"""The published curves with the reader's choices applied: what is kept, what is taken out, and the line through the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from wallviz import catalog, curves
from wallviz.curves import Curve
from wallviz.engine import growth as domain
from wallviz.engine.growth import Point, Trend
from wallviz.errors import InputError
from wallviz.i18n import _, labelled, listing
from wallviz.rooms.growth.choices import METHODS, View


@dataclass(frozen=True, slots=True)
class Fitted:
    """One curve with the reader's choices applied: what is kept, what was taken out, the trend (or why there is none)."""

    curve: Curve
    kept: tuple[Point, ...]
    left_out: tuple[Point, ...]
    trend: Trend | None
    problem: str = ""


def fits(view: View) -> tuple[tuple[Fitted, ...], tuple[str, ...]]:
    """Every curve of `view` with the reader's window, records and unticked points applied, and what could not be used."""
    figure = view.figure
    found = curves.curves(
        figure,
        view.data,
        hold=view.hold if figure == "gap" else "published",
        unit=view.unit if figure in ("gap", "size") else "normalised",
        precision=view.peaks,
        domain=view.domain,
        frontier=view.frontier,
    )
    since, until = date(view.window[0], 1, 1), date(view.window[1], 12, 31)
    method, interval = METHODS[view.fit]
    result, problems = [], [] if found else [_("No point is left: choose another domain or dataset.")]
    for curve in found:
        if not curve.points:
            problems.append(_(curve.note) if curve.note else _("No point is left: choose another domain or dataset."))
            continue
        inside = tuple(p for p in curve.points if since <= p.date <= until)
        kept = tuple(p for p in inside if p.id not in view.without)
        if view.records:
            kept = domain.record_setters(kept)
        staying = {p.id for p in kept}
        left_out = tuple(p for p in inside if p.id not in staying)
        trend = None
        if curve.fitted:
            try:
                trend = domain.fit(kept, method=method, interval=interval)
            except InputError as error:
                problems.append(labelled(_(curve.label), str(error)))
        result.append(Fitted(curve, kept, left_out, trend))
    known = {p.id for c in found for p in c.points}
    if strangers := [name for name in view.without if name not in known and not _elsewhere(name)]:
        problems.append(_("The link takes out points that do not exist: {names}.").format(names=listing(n[:40] for n in strangers[:5])))
    return tuple(result), tuple(problems)


@lru_cache(maxsize=1)
def _every_id() -> frozenset[str]:
    found = set()
    for figure in curves.FIGURES[:3]:
        for edition in curves.EDITIONS:
            for hold in curves.HOLDS:
                found |= {p.id for c in curves.curves(figure, edition, hold=hold) for p in c.points}
    return frozenset(found)


def _elsewhere(name: str) -> bool:
    """A point of another figure: taken out there, and no error here."""
    return name in _every_id() or name in catalog.chips()
