"""The sources of a figure that the catalog holds."""

from __future__ import annotations

from wallviz import catalog


def cited(*ids: str) -> tuple[str, ...]:
    """Those of `ids` that are in the registry of sources."""
    return tuple(id for id in ids if id in catalog.sources())
