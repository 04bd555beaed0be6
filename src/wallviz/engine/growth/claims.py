"""A published growth claim, and the same claim refitted on the points that the reader keeps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from wallviz.engine.growth.demands import check_method
from wallviz.engine.growth.fits import fit
from wallviz.engine.growth.moments import Day, as_date
from wallviz.engine.growth.points import Point
from wallviz.engine.growth.selection import bounds, excluded_ids, named, select
from wallviz.engine.growth.trend import Trend
from wallviz.errors import InputError
from wallviz.i18n import N_


@dataclass(frozen=True, slots=True)
class Claim:
    """A published growth claim, "`multiplier` times per `period_years`", with the points it was drawn through.

    Editions are separate claims: one never overwrites another. Where no points ship, `points` is empty and `no_points_reason` says why.
    """

    id: str
    what: str
    quantity: str
    edition: str
    producer: str
    multiplier: float
    period_years: float
    first: str
    last: str
    status: str
    note: str
    source: str
    points: tuple[Point, ...] = ()
    no_points_reason: str = ""


@dataclass(frozen=True, slots=True)
class Refit:
    """A claim beside the trend through its own points, after the reader's choice of points.

    `points` are those that were fitted; `excluded` the ids of those left out by name; `since` and `until` the window, None where it is
    open. `trend` is None, and so is every figure that comes from it, where the claim ships without points: `reason` says why.
    """

    claim: Claim
    trend: Trend | None
    points: tuple[Point, ...] = ()
    excluded: tuple[str, ...] = ()
    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def claim_id(self) -> str:
        """Which claim."""
        return self.claim.id

    @property
    def published_multiplier(self) -> float:
        """The factor as published, over `period_years`."""
        return self.claim.multiplier

    @property
    def period_years(self) -> float:
        """The claim's own period."""
        return self.claim.period_years

    @property
    def refit_multiplier(self) -> float | None:
        """Growth over the claim's own period."""
        return self.trend.multiplier(self.claim.period_years) if self.trend else None

    @property
    def ci95_low(self) -> float | None:
        """The lower end of `refit_multiplier`, at 95 %."""
        return self.trend.multiplier_interval(self.claim.period_years)[0] if self.trend else None

    @property
    def ci95_high(self) -> float | None:
        """The upper end of `refit_multiplier`, at 95 %."""
        return self.trend.multiplier_interval(self.claim.period_years)[1] if self.trend else None

    @property
    def doubling_years(self) -> float | None:
        """Years to double on the refitted line; negative where it falls."""
        return self.trend.doubling_years if self.trend else None

    @property
    def n(self) -> int:
        """How many points were fitted."""
        return self.trend.n if self.trend else 0

    @property
    def r_squared(self) -> float | None:
        """The share of the scatter that the line explains."""
        return self.trend.r_squared if self.trend else None

    @property
    def first(self) -> dt.date | None:
        """The date of the first point fitted."""
        return self.trend.first if self.trend else None

    @property
    def last(self) -> dt.date | None:
        """The date of the last point fitted."""
        return self.trend.last if self.trend else None

    @property
    def method(self) -> str | None:
        """``ols`` or ``theil-sen``."""
        return self.trend.method if self.trend else None

    @property
    def reason(self) -> str:
        """Why there is no fit; empty where there is one."""
        return "" if self.trend else self.claim.no_points_reason

    @property
    def published_over_refit(self) -> float | None:
        """The published multiplier over the refitted one: above 1 where the claim is the faster."""
        return self.claim.multiplier / self.refit_multiplier if self.refit_multiplier else None

    @property
    def published_inside(self) -> bool | None:
        """Whether the published multiplier lies in the interval of the refit."""
        return None if self.ci95_low is None or self.ci95_high is None else self.ci95_low <= self.claim.multiplier <= self.ci95_high

    def as_dict(self) -> dict[str, object]:
        """The answer of ``wallviz growth CLAIM_ID --json``, in plain Python types; what is not a finite number is None."""

        def finite(value: float | None) -> float | None:
            return value if value is not None and isfinite(value) else None

        answer: dict[str, object] = {
            "claim_id": self.claim_id,
            "published_multiplier": self.published_multiplier,
            "period_years": self.period_years,
            "refit_multiplier": finite(self.refit_multiplier),
            "ci95_low": finite(self.ci95_low),
            "ci95_high": finite(self.ci95_high),
            "doubling_years": finite(self.doubling_years),
            "n": self.n,
            "r_squared": finite(self.r_squared),
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "excluded": list(self.excluded),
            "method": self.method,
        }
        return answer if self.trend else answer | {"reason": self.reason}


def refit(
    claim: Claim,
    *,
    exclude: str | Iterable[str] = (),
    since: Day | None = None,
    until: Day | None = None,
    method: str = "ols",
    interval: str | None = None,
) -> Refit:
    """`claim` refitted on its own points, without those in `exclude` and outside `since` to `until` (see `select`), at 95 %.

    A claim that ships without points has no trend; its `Refit` says why.
    """
    check_method(method, interval)
    bounds(since, until)
    names = named(exclude)
    if not claim.points:
        if names:
            raise InputError(N_("{claim} has no points to leave out: {reason}"), claim=claim.id, reason=claim.no_points_reason)
        return Refit(claim, None)
    points = select(claim.points, exclude=names, since=since, until=until)
    return Refit(
        claim=claim,
        trend=fit(points, method=method, interval=interval),
        points=points,
        excluded=excluded_ids(claim.points, names),
        since=None if since is None else as_date(since, "since"),
        until=None if until is None else as_date(until, "until"),
    )
