"""``wallviz growth``: the published growth claims, and each refitted on the points that the reader keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from wallviz import catalog, units
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.engine import growth
from wallviz.engine.growth import Point, Refit
from wallviz.errors import InputError
from wallviz.i18n import N_, _, bracketed, labelled, qualified


def answer(
    claim: Annotated[str | None, typer.Argument(metavar="CLAIM_ID", help=N_("A claim's id, or the beginning of one only."))] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="POINT", help=N_("Leave out a point, by id or whole name; may be repeated."))
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help=N_("Only points from this day on, YYYY-MM-DD."))] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help=N_("Only points up to this day, YYYY-MM-DD."))] = None,
    method: Annotated[str | None, typer.Option("--method", metavar="ols|theil-sen", help=N_("Least squares (default), or the median slope."))] = None,
    interval: Annotated[
        str | None,
        typer.Option("--interval", metavar="t|bootstrap|rank", help=N_("The 95% interval: t (default) or bootstrap for ols, rank for theil-sen.")),
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    """Lists the claims, or answers for one."""
    claims = catalog.claims()
    if claim is None:
        given = {"--exclude": exclude, "--since": since, "--until": until, "--method": method, "--interval": interval}
        if narrowing := [option for option, value in given.items() if value]:
            raise InputError(N_("{option} needs a claim: write wallviz growth CLAIM_ID {option} ..."), option=narrowing[0])
        fits = [growth.refit(each) for each in claims.values()]
        if as_json:
            say_json([_listed(each) for each in fits])
        else:
            say(_listing(fits))
        return
    fitted = growth.refit(
        catalog.find(claim, claims, "claim"), exclude=exclude or (), since=since, until=until, method=method or "ols", interval=interval
    )
    if as_json:
        answer = fitted.as_dict()
        say_json(answer if fitted.trend else answer | {"reason": _(fitted.reason)})
    else:
        say(_refitted(fitted))


def _listed(fitted: Refit) -> dict[str, object]:
    """A claim in the list: the answer of `growth CLAIM_ID`, and what the claim is."""
    claim, answer = fitted.claim, fitted.as_dict()
    del answer["claim_id"], answer["excluded"]
    if fitted.reason:
        answer["reason"] = _(fitted.reason)
    about = {"id": claim.id, "what": _(claim.what), "quantity": claim.quantity, "edition": claim.edition or None, "producer": claim.producer}
    return about | answer | {"note": _(claim.note) or None, "source": claim.source.split(";")}


def _listing(fits: Sequence[Refit]) -> str:
    notes = [_(each.reason or each.claim.note) for each in fits]
    repeated = list(dict.fromkeys(note for note in notes if note and notes.count(note) > 1))
    mark = {note: f"[{number}]" for number, note in enumerate(repeated, start=1)}
    columns = (
        (_("claim"), "whole"), (_("what"), "left"), (_("published"), "right"), (_("refit"), "right"), ("n", "right"), (_("note"), "left"),
    )  # fmt: skip
    rows = (
        (
            each.claim_id,
            _(each.claim.what),
            f"{units.claimed(each.published_multiplier)} / {_years(each.period_years)}",
            units.times(each.refit_multiplier) if each.refit_multiplier is not None else "–",
            str(each.n) if each.n else "–",
            mark.get(note, note),
        )
        for each, note in zip(fits, notes, strict=True)
    )
    return "\n".join([table(columns, rows), "", *(f"{number} {note}" for note, number in mark.items())])


def _refitted(fitted: Refit) -> str:
    """A claim beside its refit, and below it what each point is and what the refit is without it."""
    claim = fitted.claim
    published = f"{units.claimed(claim.multiplier)} / {_years(claim.period_years)}"
    edition = _("edition {year}").format(year=claim.edition) if claim.edition else ""
    facts = [
        (_("claim"), labelled(claim.id, _(claim.what))),
        (_("published"), bracketed(published, qualified(claim.producer, edition))),
    ]
    trend = fitted.trend
    if trend is None:
        facts.append((_("refit"), "– " + _(fitted.reason)))
    else:
        low, high = trend.multiplier_interval(claim.period_years)
        facts += [
            (
                _("refit"),
                qualified(f"{units.times(trend.multiplier(claim.period_years))} / {_years(claim.period_years)}", _rate(trend.doubling_years)),
            ),
            (_("interval"), labelled("95%", bracketed(f"{units.times(low)} – {units.times(high)}", trend.interval))),
            (
                _("fit"),
                qualified(trend.method, f"n = {trend.n}", f"R² = {trend.r_squared:.3f}", f"{trend.first.isoformat()} – {trend.last.isoformat()}"),
            ),
        ]
    if claim.note:
        facts.append((_("note"), _(claim.note)))
    text = table(FACTS, facts, header=False)
    return f"{text}\n\n{_points(fitted)}" if trend else text


def _points(fitted: Refit) -> str:
    claim, trend = fitted.claim, fitted.trend
    method = trend.method if trend else "ols"
    without = {each.point.id: each.multiplier_without for each in growth.influence(fitted.points, method=method, period_years=claim.period_years)}
    names = [point.name for point in claim.points]

    def effect(point: Point) -> str:
        if point.id not in without:
            return _("left out")
        multiplier = without[point.id]
        return "–" if multiplier is None else units.times(multiplier)

    return table(
        ((_("date"), "whole"), (_("point"), "left"), (_("value"), "right"), (_("refit without it"), "right"), (_("what it is"), "left")),
        (
            (
                point.date.isoformat(),
                point.name if names.count(point.name) == 1 else f"{point.name}: {point.id}",  # what --exclude needs to take this one alone
                units.count(point.value) if point.unit == "parameters" else units.si(point.value, point.unit),
                effect(point),
                _what(point),
            )
            for point in claim.points
        ),
    )


def _what(point: Point) -> str:
    told = point.identified or "inferred" in point.note or "unidentified" in point.note
    inferred = "" if told else _("device inferred from date and value")
    return qualified(point.group, point.precision, inferred, _(point.note).rstrip(".。"))


def _years(years: float) -> str:
    return _("{n} y").format(n=f"{years:g}")


def _rate(doubling_years: float) -> str:
    """Growth in words: "doubles every 15 months"."""
    if not abs(doubling_years) < 200:
        return _("does not grow")
    every = abs(doubling_years)
    time = _("{n} months").format(n=units.significant(every * 12, 2)) if every < 2 else _("{n} years").format(n=units.significant(every, 2))
    return (_("doubles every {time}") if doubling_years > 0 else _("halves every {time}")).format(time=time)
