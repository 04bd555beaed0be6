"""Predicted against expected for every case of a group: the errors, or one over the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from math import ceil

from wallviz.figures.axes import Axis
from wallviz.figures.axes import said as tick
from wallviz.figures.plane import Dot, Line, plane
from wallviz.figures.strips import Spot, Strip, strips
from wallviz.figures.style import Drawing
from wallviz.i18n import _, followed, labelled, language
from wallviz.rooms import Answer
from wallviz.rooms.accuracy.choices import GROUPS, PEAKS, RUNS, WORDS, View, group, members
from wallviz.rooms.accuracy.labels import KINDS, SUBJECTS, origin, printed, quantity, short, signed, title, tolerance, tolerance_text
from wallviz.rooms.accuracy.other_tools import disagree
from wallviz.validation import cases
from wallviz.validation.cases import Prediction

SINGLE_ROWS = 24  # more cases than this share rows

MOST_ROWS = 8


def answer(view: View) -> Answer:
    """The answer to `view`, in the language in use."""
    return disagree(view.run) if view.show == "tools" else _answer(view.group, view.show, language())


@lru_cache(maxsize=64)
def _answer(name: str, show: str, _language: str) -> Answer:
    found = members(name)
    predicted = [p for p in found if p.value is not None]
    trust, sure = _sure(name, predicted)
    return Answer(
        name="accuracy",
        sentence=_sentence(name, predicted),
        drawing=_scatter(name, predicted) if show == "scatter" else _errors(name, predicted),
        sure=sure,
        trust=trust,
        caption=_caption(name, show, found),
        rows=partial(table, name),
        sources=tuple(dict.fromkeys(source for p in found for source in p.case.source.split(";"))),
    ).with_spec()


def _largest(found: Sequence[Prediction]) -> str:
    """The largest error of some predictions in percent, rounded up: what they all stay within."""
    worst = max((abs(p.error) for p in found if p.error is not None), default=0.0)
    decimals = 1 if worst > 0.001 else 3
    return f"{ceil(worst * 10 ** (decimals + 2) - 1e-9) / 10**decimals:g}%"


def _exact(found: Sequence[Prediction]) -> int:
    return sum(p.error is not None and abs(p.error) < 1e-12 for p in found)


def _sentence(name: str, found: Sequence[Prediction]) -> str:
    if name in ("all", "peaks"):
        peaks = [p for p in found if p.case.quantity in PEAKS]
        measured = sum(p.case.id in RUNS for p in peaks)
        template = _("Training peaks come out within {error} on {n} runs measured on GPUs and {m} counted by PyTorch; here is every case.")
        return template.format(error=_largest(peaks), n=measured, m=len(peaks) - measured)
    if name == "calibration":
        misses = [p.error for p in found if p.error is not None]
        return _("{n} figures whose origins leave something open come out between {low} and {high}: calibration, never a criterion.").format(
            n=len(misses), low=signed(min(misses), 0), high=signed(max(misses), 0)
        )
    if name == "tools":
        return _("All {n} numbers that other tools print come out of their own formulas, within {error}.").format(n=len(found), error=_largest(found))
    exact = _exact(found)
    if exact == len(found):
        return _("{group}: all {n} cases come out exactly.").format(group=_(WORDS["group"][name]), n=len(found))
    return _("{group}: {exact} of {n} cases come out exactly, the others within {error}.").format(
        group=_(WORDS["group"][name]), exact=exact, n=len(found), error=_largest(found)
    )


def _sure(name: str, found: Sequence[Prediction]) -> tuple[str, str]:
    outside = sum(p.holds is False for p in found)
    if name == "calibration":
        return "gray", _("not a criterion")
    if outside:
        return "orange", _("{n} of {all} outside their tolerance").format(n=outside, all=len(found))
    return "green", _("all {n} within their tolerance").format(n=len(found))


def _caption(name: str, show: str, found: Sequence[Prediction]) -> str:
    parts = [_("filled: measured; open: published, counted or derived")]
    parts.append(_("on the dotted line a prediction is right") if show == "scatter" else _("band: the widest tolerance stated in the row"))
    if show == "scatter":
        parts.append(_("cases in one unit"))
    if missing := sum(p.value is None for p in found):
        parts.append(_("{n} cases have no prediction: the table says why").format(n=missing))
    if name == "all":
        parts.append(_("calibration and other tools' numbers are groups of their own"))
    return " · ".join(parts)


def _errors(name: str, found: Sequence[Prediction]) -> Drawing:
    if name == "all":
        rows = [_row(_(WORDS["group"][one]), [p for p in members(one) if p.value is not None]) for one in GROUPS[1:7]]
    elif len(found) <= SINGLE_ROWS:
        rows = [Strip(title(p.case), (_spot(p),), short=short(p.case), band=_band([p])) for p in found]
    else:
        # one row for each quantity; for each subject where there are many quantities
        by_quantity = len({p.case.quantity for p in found}) <= MOST_ROWS
        subjects: dict[str, list[Prediction]] = {}
        for p in found:
            subjects.setdefault(quantity(p.case.quantity) if by_quantity else _(SUBJECTS[p.case.id[0]]), []).append(p)
        rows = [_row(label, some) for label, some in subjects.items()]
    edges = [100 * tolerance(p.case) for p in found] + [100 * abs(p.error or 0.0) for p in found]
    limit = 1.08 * max(0.2, *edges)
    axis = Axis(_("Error of the prediction"), lambda percent: f"{percent:g}%".replace("-", "−"), log=False, low=-limit, high=limit)
    return strips(rows, axis, line=0.0, beside=True, revision=name)


def _row(label: str, found: Sequence[Prediction]) -> Strip:
    exact = _exact(found)
    if exact == len(found):
        template = _("all {n} exact") if exact > 1 else _("one case, exact")
    elif len(found) == 1:
        template = _("one case, within {error}")
    else:
        template = _("{n} cases, {exact} exact, within {error}") if exact else _("{n} cases, within {error}")
    remark = template.format(n=len(found), exact=exact, error=_largest(found))
    return Strip(label, tuple(map(_spot, found)), remark, band=_band(found))


def _band(found: Sequence[Prediction]) -> tuple[float, float]:
    """The widest tolerance that is stated for some cases, in percent."""
    widest = 100 * max(tolerance(p.case) for p in found)
    return -widest, widest


def _spot(p: Prediction) -> Spot:
    return Spot(100 * (p.error or 0.0), "memory", _hover(p), filled=p.case.kind == "measured")


def _scatter(name: str, found: Sequence[Prediction]) -> Drawing:
    """The cases in the commoner of the two units that span decades, bytes and parameters."""
    unit, _n = Counter(p.case.unit for p in found if p.case.unit in ("bytes", "parameters")).most_common(1)[0]
    kind, up, across = {
        "bytes": ("bytes", _("Predicted, bytes (log scale)"), _("Measured or published, bytes")),
        "parameters": ("count", _("Predicted, parameters (log scale)"), _("Counted or published, parameters")),
    }[unit]
    dots = [
        Dot(p.case.expected, p.value or 0.0, "memory", _hover(p), open=p.case.kind != "measured", alpha=0.9, thick=1.4)
        for p in found
        if p.case.unit == unit and p.case.expected > 0 and (p.value or 0.0) > 0
    ]
    ends = [min(min(dot.x, dot.y) for dot in dots), max(max(dot.x, dot.y) for dot in dots)]
    right = Line("reference", "", ends, ends, dash="dot")
    return plane([right], [dots], across=Axis(across, tick(kind)), up=Axis(up, tick(kind)), right=24, revision=f"{name}|scatter")


def _hover(p: Prediction) -> tuple[str, ...]:
    case, value = p.case, p.value or 0.0
    return (
        case.id,
        title(case),
        _("predicted {value}, expected {expected}").format(value=printed(case, value), expected=printed(case, case.expected)),
        _("error {error}, tolerance {tolerance}").format(error=signed(p.error or 0.0, 3), tolerance=tolerance_text(case)),
        f"{quantity(case.quantity)} · {_(KINDS[case.kind])}",
        origin(case),
    )


def table(name: str) -> tuple[Mapping[str, object], ...]:
    """Every case of a group with its inputs, its source and its conditions, predicted or not; ``all`` is the whole file."""
    return tuple(
        {
            _("case"): p.case.id,
            _("group"): _(WORDS["group"][group(p.case)]),
            _("quantity"): quantity(p.case.quantity),
            _("expected"): printed(p.case, p.case.expected),
            _("predicted"): "–" if p.value is None else printed(p.case, p.value),
            _("error"): "–" if p.error is None else signed(p.error, 3),
            _("tolerance"): tolerance_text(p.case),
            _("holds"): "–" if p.holds is None else _("yes") if p.holds else _("no"),
            _("kind"): _(KINDS[p.case.kind]),
            _("inputs"): ", ".join(f"{key} = {value}" for key, value in p.case.inputs.items()),
            _("conditions"): followed(_(p.case.note), _(p.reason)),
            _("source"): origin(p.case),
        }
        for p in (cases.predictions().values() if name == "all" else members(name))
    )


def described(name: str) -> str:
    """What the table of a group holds, for who cannot see it."""
    return labelled(_(WORDS["group"][name]), _("every case with its inputs, its source and its error"))
