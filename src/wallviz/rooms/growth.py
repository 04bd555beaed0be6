"""The growth page's answers: the published curves, refitted on what the reader keeps, beside what was claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial

import plotly.graph_objects as go

from wallviz import catalog, curves, units
from wallviz.curves import Curve
from wallviz.engine import growth as domain
from wallviz.engine.growth import Point, Trend
from wallviz.errors import InputError
from wallviz.figures import growth as figures
from wallviz.i18n import N_, _, labelled, language
from wallviz.machine import own as own_machine
from wallviz.rooms import Answer, Card
from wallviz.settings import choice, flag, names, number, years

METHODS = {"ols": ("ols", "t"), "bootstrap": ("ols", "bootstrap"), "theil-sen": ("theil-sen", "rank")}
TRUST = ((1.7, "green", N_("well determined")), (10.0, "orange", N_("rough")), (float("inf"), "red", N_("barely determined")))


@dataclass(frozen=True, slots=True)
class Fitted:
    """One curve with the reader's choices applied: what is kept, what was taken out, the trend (or why there is none)."""

    curve: Curve
    kept: tuple[Point, ...]
    left_out: tuple[Point, ...]
    trend: Trend | None
    problem: str = ""


WORDS: dict[str, dict[str, str]] = {
    "figure": {"gap": N_("The gap"), "compute": N_("Training compute"), "size": N_("Model size"), "training": N_("Training memory")},
    "data": {"2021": N_("2021 blog"), "2024": N_("2024 paper"), "today": N_("Today")},
    "hold": {"published": N_("Nothing"), "window": N_("Same window"), "precision": N_("Same precision")},
    "scale": {"log": N_("Log"), "linear": N_("Linear")},
    "domain": {
        "all": N_("All domains"), "language": N_("Language"), "vision": N_("Vision"), "speech": N_("Speech"), "multimodal": N_("Multimodal"),
        "recommendation": N_("Recommendation"), "image generation": N_("Image generation"), "video": N_("Video"), "biology": N_("Biology"),
        "games": N_("Games"), "robotics": N_("Robotics"),
    },
    "show": {"curves": N_("All lines"), "ratio": N_("FLOP per byte"), "capacity": N_("GB per TFLOP/s")},
    "unit": {"normalised": N_("As published"), "real": N_("Per device")},
    "unit of size": {"normalised": N_("As published"), "real": N_("In bytes")},
    "fit": {"ols": N_("Least squares"), "bootstrap": N_("Bootstrap interval"), "theil-sen": N_("Theil–Sen")},
    "band": {"fit": N_("Of the fit"), "prediction": N_("Of one more point")},
    "peaks": {"fp16": "FP16 / BF16", "fp32": "FP32", "tf32": "TF32", "fp8": "FP8", "fp4": "FP4", "int8": "INT8", "fp64": "FP64"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """What the reader chose."""

    figure: str = choice("gap", WORDS["figure"])
    data: str = choice("2024", WORDS["data"])
    hold: str = choice("published", WORDS["hold"])
    scale: str = choice("log", WORDS["scale"])
    domain: str = choice("all", WORDS["domain"])
    show: str = choice("curves", WORDS["show"])
    unit: str = choice("normalised", WORDS["unit"])
    peaks: str = choice("fp16", WORDS["peaks"], old={"precision": None})
    """Number format of the peaks."""
    frontier: bool = flag(default=False)
    window: tuple[int, int] = years(curves.FIRST_YEAR, curves.LAST_YEAR)
    records: bool = flag(default=False)
    fit: str = choice("ols", WORDS["fit"], old={"method": None})
    """How a trend is fitted."""
    band: str = choice("fit", WORDS["band"])
    extend: int = number(curves.LAST_YEAR, curves.LAST_YEAR, 2040)
    without: tuple[str, ...] = names()

    @property
    def curved(self) -> bool:
        """Whether the figure shows curves over time, rather than the bars of training memory."""
        return self.figure != "training"


def answer(view: View, *, chip: str = "") -> Answer:
    """The answer to `view`, in the language in use; `chip` (an id of the catalog) is named first where it is shown."""
    return _answer(view, chip, language())


@lru_cache(maxsize=512)
def _answer(view: View, chip: str, _language: str) -> Answer:
    found = _breakdown() if view.figure == "training" else _curves(view, chip)
    return found.with_spec()


# -- curves ------------------------------------------------------------------------------------------------------------------------


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
        problems.append(_("The link takes out points that do not exist: {names}.").format(names=", ".join(n[:40] for n in strangers[:5])))
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


def _curves(view: View, chip: str) -> Answer:
    fitted, problems = fits(view)
    ratio = view.figure == "gap" and view.show != "curves"
    normalised = view.figure == "gap" and (view.unit == "normalised") and not ratio
    until = date(view.extend, 12, 31) if view.extend > curves.LAST_YEAR else None
    if ratio:
        fitted, more = _ratio(fitted, view)
        problems = (*problems, *more)
    series = [_series(f, normalised=normalised, chip=chip, mine=_mine(f.curve, view, chip)) for f in fitted]
    if own_machine.is_own(chip) and not any(s.mine for s in series):
        problems = (*problems, _("Your machine is not in this figure, whose points are no single devices: choose “Today” or “Same precision”."))
    drawn = [s for s in series if s.kept or s.left_out]
    kind = "times" if normalised else fitted[0].curve.kind if fitted else "times"
    drawing = (
        figures.lines(
            drawn,
            name=_axis(view.scale, kind, from_line=not any(f.curve.claims for f in fitted)),
            kind="rate" if kind == "flop_per_s" else kind,
            log=view.scale == "log",
            revision="-".join((view.figure, view.data, view.hold, view.show, view.unit, view.domain)),
            until=until,
            prediction=view.band == "prediction",
        )
        if drawn
        else None
    )
    sentence, problems = (_sentence(view, fitted), problems) if fitted or not problems else (problems[0], problems[1:])
    sure, trust = _sure(view, fitted)
    return Answer(
        name="growth",
        sentence=sentence,
        drawing=drawing,
        sure=sure,
        trust=trust,
        caption=_caption(fitted, view, until),
        cards=tuple(card for f in fitted for card in _cards(f)),
        explain=partial(_why, fitted, view),
        doubt=partial(_how_sure, fitted, view),
        problems=problems,
        rows=partial(_table, fitted),
        sources=_sources(fitted),
        options={p.id: f"{p.name} ({p.date.year})" for f in fitted for p in f.curve.points},
    )


def _series(f: Fitted, *, normalised: bool, chip: str, mine: Point | None) -> figures.DrawnCurve:
    base = _base(f) if normalised else 1.0
    named = tuple(dict.fromkeys([*([chip] if any(p.id == chip for p in f.curve.points) else []), *f.curve.named]))
    return figures.DrawnCurve(
        role=f.curve.role,
        label=_(f.curve.label),
        kind="times" if normalised else f.curve.kind,
        kept=f.kept,
        left_out=f.left_out,
        trend=f.trend,
        rate=rate(f.trend, break_line=True),
        base=base,
        vendor=f.curve.vendor,
        named=named,
        how={p.id: _how(f.curve, p) for p in f.curve.points},
        origin={p.source: _origin(p.source) for p in f.curve.points},
        mine=mine,
    )


def _mine(curve: Curve, view: View, chip: str) -> Point | None:
    """The reader's own machine as a point of `curve`, where its values are those of one device; None for any other chip."""
    if not own_machine.is_own(chip) or (view.figure == "gap" and curve.claims):  # the published curves are factors of mixed series
        return None
    machine = own_machine.read(chip)
    memory = None if machine.memory_bytes is None else machine.memory_bytes * (1 if curve.kind == "bytes" else 1 / curves.BYTES_PER_PARAMETER_DRAWN)
    value = {
        "peak_compute": machine.fp16_flop_per_s or machine.fp32_flop_per_s, "memory_bandwidth": machine.bytes_per_s, "accelerator_memory": memory,
    }.get(curve.id)  # fmt: skip
    return None if value is None else Point(chip, labelled(_("your machine"), machine.name), machine.measured, value)


def _base(f: Fitted) -> float:
    """What the curve is divided by: its first point, as the authors do; on today's chips the line's own start, for any chip may come first."""
    if f.curve.claims or f.trend is None:
        return f.curve.points[0].value
    return float(f.trend.at(f.trend.first))


def _ratio(fitted: Sequence[Fitted], view: View) -> tuple[tuple[Fitted, ...], tuple[str, ...]]:
    """Per chip, where both are known of the same device: FLOP per byte of bandwidth, or bytes of memory per FLOP/s."""
    by_id = {f.curve.id: f for f in fitted}
    compute, bandwidth = by_id.get("peak_compute"), by_id.get("memory_bandwidth")
    if not compute or not bandwidth:
        return (), ()
    if view.show == "ratio":
        moved = {p.id: p.value for p in (*bandwidth.kept, *bandwidth.left_out)}
        every = {p.id: replace(p, value=p.value / moved[p.id]) for p in (*compute.kept, *compute.left_out) if p.id in moved}
        points = tuple(every.values())
        curve = Curve("ridge", "compute", N_("FLOP per byte"), "flop_per_byte", points, vendor=True, named=tuple(p.id for p in reversed(points)))
    else:
        held = {chip.id: chip.memory_bytes for chip in catalog.chips().values() if chip.memory_bytes}
        every = {p.id: replace(p, value=held[p.id] / p.value) for p in (*compute.kept, *compute.left_out) if p.id in held}
        points = tuple(every.values())
        curve = Curve("capacity", "memory", N_("GB per TFLOP/s"), "byte_s_per_flop", points, vendor=True, named=tuple(p.id for p in reversed(points)))
    if not points:
        return (), (_("The published points are different devices, without a ratio of their own: choose “Same precision”, or “Today”."),)
    kept = tuple(every[p.id] for p in compute.kept if p.id in every)
    left_out = tuple(every[p.id] for p in compute.left_out if p.id in every)
    method, interval = METHODS[view.fit]
    try:
        return (Fitted(curve, kept, left_out, domain.fit(kept, method=method, interval=interval)),), ()
    except InputError as error:
        return (Fitted(curve, kept, left_out, None),), (str(error),)


def rate(trend: Trend | None, *, break_line: bool = False) -> str:
    """A trend's growth in words: "doubles every 15 months", the time on a line of its own where it stands at a line's end."""
    if trend is None:
        return ""
    every = trend.doubling_years
    if not abs(every) < 200:
        return _("does not grow")
    template = _("doubles every {time}") if every > 0 else _("halves every {time}")
    return template.format(time=("\n" if break_line else "") + duration(abs(every))).replace(" \n", "\n")


def duration(years_: float) -> str:
    """A span of time in the unit that a reader would choose: months below two years."""
    if years_ < 2:
        return _("{n} months").format(n=units.significant(years_ * 12, 2))
    return _("{n} years").format(n=units.significant(years_, 2))


def _how(curve: Curve, point: Point) -> str:
    parts = [point.precision, _(point.note) if point.note else ""]
    if not point.identified:
        parts.append(_("device inferred from date and value"))
    elif curve.vendor:
        parts.append(_("data sheet"))
    return " · ".join(p for p in parts if p)


@lru_cache(maxsize=512)
def _origin(source: str) -> str:
    return "; ".join(catalog.sources()[s].title for s in source.split(";") if s)


def _axis(scale: str, kind: str, *, from_line: bool = False) -> str:
    names_ = {
        "times": _("Times larger than where the line starts") if from_line else _("Times larger than the first point"),
        "flop": _("Training compute, FLOP"),
        "count": _("Parameters; memory as parameters at 6 bytes each"),
        "bytes": _("Bytes: 16-bit weights, and memory of one device"),
        "flop_per_byte": _("FLOP per byte of memory bandwidth"),
        "flop_per_s": _("Per device: FLOP/s, or bytes per second"),
        "byte_s_per_flop": _("GB of memory per TFLOP/s of peak compute"),
    }
    if scale != "log":
        return names_[kind]
    return f"{names_[kind]} " + _("(log scale: each line is ×10)")


def refit_figure(fitted: domain.Refit, *, log: bool = True) -> go.Figure:
    """One refitted claim as a figure; raises `InputError` where the claim has no points."""
    claim = fitted.claim
    if not claim.points:
        raise InputError(N_("{claim} has no points to draw: {reason}"), claim=claim.id, reason=_(claim.no_points_reason))
    role, kind = _QUANTITIES.get(claim.quantity, ("compute", "times"))
    normalised = kind == "times"
    kept = {p.id for p in fitted.points}
    series = figures.DrawnCurve(
        role=role,
        label=_(claim.what),
        kind=kind,
        kept=fitted.points,
        left_out=tuple(p for p in claim.points if p.id not in kept),
        trend=fitted.trend,
        rate=rate(fitted.trend, break_line=True),
        base=claim.points[0].value if normalised else 1.0,
        named=tuple(p.id for p in claim.points),
        how={p.id: _(p.note) for p in claim.points},
        origin={p.source: _origin(p.source) for p in claim.points},
    )
    drawing = figures.lines([series], name=_axis("log" if log else "linear", kind), kind=kind, log=log, revision=claim.id)
    return drawing.figure()


#: Role and kind of value by the quantity of a claim; hardware series are drawn as factors, as the authors do.
_QUANTITIES = {
    "training_compute": ("compute", "flop"),
    "parameters": ("compute", "count"),
    "accelerator_memory": ("memory", "bytes"),
    "peak_compute": ("compute", "times"),
    "memory_bandwidth": ("bandwidth", "times"),
    "interconnect_bandwidth": ("network", "times"),
}


# -- words -------------------------------------------------------------------------------------------------------------------------


def _two(trend: Trend | None) -> str:
    return units.times(trend.multiplier(2.0)) if trend else "–"


@lru_cache(maxsize=1)
def fixed_precision() -> tuple[Trend, Trend, float]:
    """NVIDIA's 16-bit flagships: the trend of peak, of bandwidth, and what FLOP per byte grows per two years."""
    compute, bandwidth = curves.curves("gap", "today", hold="precision")
    a, b = domain.fit(compute.points), domain.fit(bandwidth.points)
    return a, b, domain.divergence(a, b, 2.0).ratio


def _sentence(view: View, fitted: Sequence[Fitted]) -> str:
    trends = {f.curve.id: f.trend for f in fitted}
    if not any(trends.values()):
        return _("Too few points are left for a line: put some back, or widen the window.")
    figure = view.figure
    if figure == "gap" and (trend := trends.get("ridge") or trends.get("capacity")):
        curve = fitted[0].curve
        template = (
            _("FLOP per byte of memory bandwidth grew {ratio} per two years: {first} in {from_year}, {last} in {to_year}.")
            if curve.id == "ridge"
            else _("Memory per peak compute became {ratio} per two years: {first} in {from_year}, {last} in {to_year}.")
        )
        return template.format(
            ratio=_two(trend),
            first=units.ratio(curve.kind, float(trend.at(trend.first))),
            from_year=trend.first.year,
            last=units.ratio(curve.kind, float(trend.at(trend.last))),
            to_year=trend.last.year,
        )
    if figure == "gap":
        compute, memory = trends.get("peak_compute"), trends.get("memory_bandwidth")
        a, b = _two(compute), _two(memory)
        if view.hold == "precision" and compute and memory:
            grown = units.times(domain.divergence(compute, memory, 2.0).ratio)
            return _("At fixed 16 bits, NVIDIA's flagships gained {a} FLOP/s and {b} bandwidth per two years: FLOP per byte grew only {c}.").format(
                a=a, b=b, c=grown
            )
        if view.hold == "window" and compute and memory and view.data != "today":
            return _("Since {year} chips gained {a} FLOP/s and {b} DRAM bandwidth per two years: {c} against {d} over twenty.").format(
                year=min(t.first.year for t in trends.values() if t),
                a=a,
                b=b,
                c=units.times(compute.multiplier(20)),
                d=units.times(memory.multiplier(20)),
            )
        if not compute:
            return _("Per two years memory bandwidth gained {b}; for FLOP/s there is no line here.").format(b=b)
        if not memory:
            return _("Per two years chips gained {a} FLOP/s; for bandwidth there is no line here.").format(a=a)
        return _(
            "Per two years chips gained {a} FLOP/s and {b} DRAM bandwidth: their ratio grew {c}, at fixed 16-bit precision (since 2017) only {d}."
        ).format(a=a, b=b, c=units.times(domain.divergence(compute, memory, 2.0).ratio), d=units.times(fixed_precision()[2]))
    if figure == "compute":
        transformers, every = trends.get("transformers"), trends.get("all")
        if transformers and every:
            return _("Training compute of Transformers grew {a} per two years; of all models together, {b}.").format(
                a=_two(transformers), b=_two(every)
            )
        trend = next(t for t in trends.values() if t)
        if trend.multiplier(2.0) < 1:
            return _("Training compute shrank to {a} per two years on these points.").format(a=_two(trend))
        template = _("Training compute of Transformers grew {a} per two years.") if transformers else _("Training compute grew {a} per two years.")
        return template.format(a=_two(trend))
    size, memory = trends.get("parameters"), trends.get("accelerator_memory")
    if size and memory:
        template = (
            _("Notable models of all sizes grew {a} per two years, the memory of one accelerator {b}.")
            if view.data == "today" and not view.frontier
            else _("Models grew {a} per two years, the memory of one accelerator {b}.")
        )
        return template.format(a=_two(size), b=_two(memory))
    template = _("Models grew {a} per two years.") if size else _("The memory of one accelerator grew {a} per two years.")
    return template.format(a=_two(size or memory))


def _sure(view: View, fitted: Sequence[Fitted]) -> tuple[str, str]:
    """How sure the takeaway's first number is: its quantity, its interval, and a word for how wide that is."""
    shown: Sequence[Fitted] = fitted
    if view.figure == "gap" and view.hold == "precision" and view.show == "curves":
        shown, _problems = _ratio(fitted, replace(view, show="ratio"))  # there the takeaway ends on the ratio
    found = next((f for f in shown if f.trend), None)
    if found is None or found.trend is None:
        return "", "gray"
    low, high = found.trend.multiplier_interval(2.0)
    if low <= 1.0 <= high:
        colour, words = "red", N_("direction uncertain")
    else:
        spread = high / low if low > 0 else float("inf")
        _limit, colour, words = next(t for t in TRUST if spread <= t[0])
    return labelled(_(words), f"{_(found.curve.label)}, {interval(found.trend)}"), colour


def interval(trend: Trend, period_years: float = 2.0) -> str:
    """The 95 % interval of a trend's multiplier in words: "95 % interval 2.68–3.41×"."""
    low, high = trend.multiplier_interval(period_years)
    return _("95 % interval {low}–{high}").format(low=units.times(low).rstrip(units.TIMES + "倍" + units.THIN), high=units.times(high))


def _caption(fitted: Sequence[Fitted], view: View, until: date | None) -> str:
    parts = [
        labelled(_(f.curve.label), f"n = {f.trend.n}, R² = {f.trend.r_squared:.2f}, {f.trend.first.year}–{f.trend.last.year}")
        for f in fitted
        if f.trend
    ]
    if parts:
        parts.append(_("bands: 50 % and 90 % of the fit") if view.band == "fit" else _("bands: where 50 % and 90 % of new points would fall"))
    parts += [labelled(_(f.curve.label), _("shown, not fitted")) for f in fitted if not f.curve.fitted]
    parts.append(_("open markers: data sheet or inferred"))
    if view.figure == "gap" and view.hold == "precision":
        parts.append(_("NVIDIA's flagships at 16 bits, whichever data is chosen"))
    if until:
        parts.append(_("dashed: extrapolated, not measured"))
    return " · ".join(parts)


def _cards(f: Fitted) -> list[Card]:
    if f.trend is None:
        return []
    claims = [catalog.claims()[c] for c in f.curve.claims]
    if not claims:
        return [Card(f.curve.role, _(f.curve.label), "", units.times(f.trend.multiplier(2)), f"{interval(f.trend)} · {rate(f.trend)}")]
    first, *later = claims
    note = " · ".join(
        _("in {n} years: published {a}, your fit {b}").format(
            n=f"{c.period_years:g}", a=units.claimed(c.multiplier), b=units.times(f.trend.multiplier(c.period_years))
        )
        for c in later
    )
    return [
        Card(
            f.curve.role,
            _(first.what),
            units.claimed(first.multiplier),
            units.times(f.trend.multiplier(first.period_years)),
            f"{interval(f.trend, first.period_years)} · {rate(f.trend)}",
            note,
        )
    ]


def _why(fitted: Sequence[Fitted], view: View) -> str:
    robust = view.fit == "theil-sen"
    lines = [
        _("The median of the slopes between all pairs of points, through the logarithm of each value (Theil–Sen):")
        if robust
        else _("A straight line through the logarithm of each value by ordinary least squares, as the authors drew theirs:"),
        "",
        r"$$\log_{10} y = a + b\,t \qquad\Rightarrow\qquad y(t + 2) = 10^{\,2b}\, y(t)$$",
        "",
        _("A year is 365.25 days here; the authors take two years as 730 days, which gives up to 0.5 % less."),
        "",
    ]
    for f in fitted:
        if f.trend:
            b = f.trend.slope_log10_per_year
            lines.append(
                _("- **{label}**: b = {b} per year, so 10^(2b) = {m} per two years; it {rate}.").format(
                    label=_(f.curve.label), b=f"{b:.4f}", m=units.times(f.trend.multiplier(2)), rate=rate(f.trend)
                )
            )
    if view.figure == "size" and view.unit == "normalised":
        lines.append(_("- Memory is drawn as the parameters that it holds at 6 bytes each, as in the authors' figure."))
    by_id = {f.curve.id: f.trend for f in fitted}
    for fast, slow, period, template in (
        ("peak_compute", "memory_bandwidth", 10.0, N_("- The gap between the first two lines grows **{gap} per decade** (95 %: {low} to {high}).")),
        ("parameters", "accelerator_memory", 2.0, N_("- The gap between the two lines grows **{gap} per two years** (95 %: {low} to {high}).")),
    ):
        a, c = by_id.get(fast), by_id.get(slow)
        pairs, _problems = _ratio(fitted, replace(view, show="ratio")) if fast == "peak_compute" else ((), ())
        if pairs and (paired := pairs[0].trend):
            lines.append(
                _("- FLOP per byte, chip by chip, grows **{gap} per decade** ({interval}).").format(
                    gap=units.times(paired.multiplier(10)), interval=interval(paired, 10)
                )
            )
        elif a and c:
            gap = domain.divergence(a, c, period)
            low, high = gap.ratio_interval
            lines.append(_(template).format(gap=units.times(gap.ratio), low=units.times(low), high=units.times(high)))
    return "\n".join(lines)


def _how_sure(fitted: Sequence[Fitted], view: View) -> str:
    lines = [
        _("The interval says where the slope may lie if the points scatter at random about one line; it does not know which points were chosen."),
        "",
    ]
    for f in fitted:
        if f.trend is None:
            continue
        method = METHODS[view.fit][0]
        ranked = sorted(domain.influence(f.kept, method=method), key=lambda i: -abs((i.change or 1.0) - 1.0))[:3] if len(f.kept) <= 120 else []
        lines.append(
            f"- **{_(f.curve.label)}**: {units.times(f.trend.multiplier(2))}, {interval(f.trend)}, n = {f.trend.n}, R² = {f.trend.r_squared:.2f}"
        )
        lines += [
            _("  - without {name}: {m}").format(name=i.point.name, m=units.times(i.multiplier_without))
            for i in ranked
            if i.multiplier_without is not None
        ]
    errata = [e for s in _sources(fitted) for e in catalog.sources()[s].errata]
    if errata:
        lines += ["", _("Known errors of these sources:"), "", *(f"- {_(e)}" for e in errata)]
    return "\n".join(lines)


def _sources(fitted: Sequence[Fitted]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s for f in fitted for p in f.curve.points for s in p.source.split(";")))


def _table(fitted: Sequence[Fitted]) -> tuple[dict[str, object], ...]:
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
            _("note"): _how(f.curve, p),
            _("source"): _origin(p.source),
            "id": p.id,
        }
        for p in f.curve.points
    ]


# -- training memory ---------------------------------------------------------------------------------------------------------------


def _breakdown() -> Answer:
    rows = catalog.memory_breakdown()
    bars = [
        figures.TrainingMemory(
            r.name, r.year, r.weights_bytes, r.optimizer_bytes, r.activations_bytes, r.gpu_memory_limit_bytes, _(r.note) if r.note else ""
        )
        for r in rows.values()
    ]
    last = bars[-1]
    total = last.weights_bytes + last.optimizer_bytes + last.activations_bytes
    sentence = _("By the authors' count, training {name} ({year}) takes {total} without gradients; its weights are only {share} % of that.").format(
        name=last.name, total=units.si(total, "B"), year=last.year, share=round(100 * last.weights_bytes / total)
    )
    return Answer(
        name="growth",
        sentence=sentence,
        drawing=figures.breakdown(bars, name=_("Training memory as the authors count it, bytes")),
        sure=_("as published, with known errors"),
        trust="orange",
        caption=_(
            "Activations are counted, not measured; gradients are missing from the published table; batches differ, so bars compare only roughly."
        ),
        explain=_breakdown_why,
        doubt=_breakdown_errors,
        rows=_breakdown_table,
        sources=tuple(dict.fromkeys(s for r in rows.values() for s in r.source.split(";"))),
    )


def _breakdown_why() -> str:
    return _(
        "Weights, optimizer state and activations add up; the line is the largest GPU of the year. The batch differs from model to model: "
        "it stands in the table."
    )


def _breakdown_errors() -> str:
    return "\n".join(f"- {_(e)}" for s in ("gholami_memory_figure", "gholami_readme") for e in catalog.sources()[s].errata)


def _breakdown_table() -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("name"): r.name,
            _("year"): r.year,
            _("input"): r.input,
            _("micro-batch"): r.micro_batch,
            _("optimizer"): r.optimizer,
            _("weights, bytes"): r.weights_bytes,
            _("optimizer, bytes"): r.optimizer_bytes,
            _("activations, bytes"): r.activations_bytes,
            _("one GPU, bytes"): r.gpu_memory_limit_bytes,
            _("note"): _(r.note) if r.note else "",
        }
        for r in catalog.memory_breakdown().values()
    )


# -- choices, in words -------------------------------------------------------------------------------------------------------------


def toggled(without: tuple[str, ...], point: str) -> tuple[str, ...]:
    """`without` with `point` taken out, or put back if it was out."""
    return tuple(p for p in without if p != point) if point in without else (*without, point)


def words(param: str) -> dict[str, str]:
    """The options of choice `param`, by id, in the language in use."""
    return {option: _(text) for option, text in WORDS[param].items()}
