"""The points as a table: how each is known, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from wallviz import catalog
from wallviz.curves import Curve
from wallviz.engine.growth import Point
from wallviz.i18n import _
from wallviz.rooms.growth.fitted import Fitted


def table(fitted: Sequence[Fitted]) -> tuple[dict[str, object], ...]:
    """Every point of every curve, kept or taken out, a row each."""
    return tuple(row for f in fitted for row in _rows(f))


def _rows(f: Fitted) -> list[dict[str, object]]:
    kept = {p.id for p in f.kept}
    return [
        {
            _("series"): _(f.curve.label),
            _("name"): p.name,
            _("date"): p.date.isoformat(),
            _("value"): p.value,
            _("unit"): p.unit,
            _("in the fit"): _("yes") if p.id in kept else _("no"),
            _("precision"): p.precision,
            _("note"): how_known(f.curve, p),
            _("source"): origin(p.source),
            "id": p.id,
        }
        for p in f.curve.points
    ]


def how_known(curve: Curve, point: Point) -> str:
    """How a point of `curve` is known: its number format, its note, and whether a data sheet gives it."""
    parts = [point.precision, _(point.note) if point.note else ""]
    if not point.identified:
        parts.append(_("device inferred from date and value"))
    elif curve.vendor:
        parts.append(_("data sheet"))
    return " · ".join(p for p in parts if p)


@lru_cache(maxsize=512)
def origin(source: str) -> str:
    """The titles of the sources that `source` lists."""
    return "; ".join(catalog.sources()[s].title for s in source.split(";") if s)


def sources(fitted: Sequence[Fitted]) -> tuple[str, ...]:
    """The sources of the curves' points, each once."""
    return tuple(dict.fromkeys(s for f in fitted for p in f.curve.points for s in p.source.split(";")))
