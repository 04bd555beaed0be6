"""wallviz: the memory wall of AI, in numbers that can be checked.

>>> import wallviz
>>> fit = wallviz.claim("blog_params", exclude=["ALBERT xxl", "ELECTRA Large"])
>>> round(fit.published_multiplier), round(fit.refit_multiplier)
(240, 1004)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wallviz.__about__ import __version__
from wallviz.errors import DataError, InputError, WallvizError
from wallviz.growth import Claim, Point, Refit, Trend, divergence, fit, influence, record_setters

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    import plotly.graph_objects as go

__all__ = [
    "Claim",
    "DataError",
    "InputError",
    "Point",
    "Refit",
    "Trend",
    "WallvizError",
    "__version__",
    "claim",
    "claims",
    "divergence",
    "figure",
    "fit",
    "influence",
    "record_setters",
]


def claims() -> Mapping[str, Claim]:
    """Every published growth claim by id, editions apart."""
    from wallviz import catalog

    return catalog.claims()


def claim(
    name: str,
    *,
    exclude: str | Iterable[str] = (),
    since: dt.date | str | None = None,
    until: dt.date | str | None = None,
    method: str = "ols",
    interval: str | None = None,
) -> Refit:
    """The claim called `name` (its id, or a unique beginning of it) beside its refit on the points you keep.

    `exclude` takes points out by id or exact name; `since` and `until` are dates, both included; `method` is ``"ols"`` or
    ``"theil-sen"``, `interval` ``"t"``, ``"bootstrap"`` or ``"rank"``. A claim without shipped points comes back without a fit, with the
    reason. Raises `InputError` for what does not exist.

    >>> round(claim("paper_hw_flops").refit_multiplier, 2)
    3.03
    """
    from wallviz import catalog
    from wallviz.growth import refit

    return refit(catalog.find(name, catalog.claims(), "claim"), exclude=exclude, since=since, until=until, method=method, interval=interval)


def figure(fitted: Refit, *, log: bool = True) -> go.Figure:
    """A refit as a figure: the points kept and taken out, the line, its bands. It shows by itself in a notebook."""
    from wallviz.answers.growth import refit_figure

    return refit_figure(fitted, log=log)
