"""What the figures over time say, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from wallviz import catalog, curves, units
from wallviz.engine import growth as domain
from wallviz.engine.growth import Trend
from wallviz.i18n import _
from wallviz.rooms.growth.choices import View
from wallviz.rooms.growth.fitted import Fitted

TWENTY = 20.0
"""Years of the article's best-known sentence."""


def takeaway(view: View, fitted: Sequence[Fitted]) -> str:
    """The takeaway of `view`: what grew how much per two years."""
    trends = {f.curve.id: f.trend for f in fitted}
    by_id = {f.curve.id: f for f in fitted}
    if not any(trends.values()):
        return _("Too few points are left for a line: put some back, or widen the window.")
    figure = view.figure
    if trend := trends.get("ridge") or trends.get("capacity"):
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
            return _("Per two years memory bandwidth gained {b}; no FLOP/s trend for this selection.").format(b=b)
        if not memory:
            return _("Per two years chips gained {a} FLOP/s; no bandwidth trend for this selection.").format(a=a)
        pair = (by_id["peak_compute"], by_id["memory_bandwidth"])
        published = [_published(f, view) for f in pair]
        twenty = (
            [units.claimed(one) for one in published if one]
            if all(published)
            else [units.times(trend.multiplier(TWENTY)) for trend in (compute, memory)]
        )
        template = (
            _("At this rate twenty years bring {a} the FLOP/s and {b} the bandwidth; at fixed 16 bits FLOP per byte grew {d} per two years.")
            if view.data == "today"
            else _("As published, FLOP/s grew {a} in twenty years and DRAM bandwidth {b}; at fixed 16 bits FLOP per byte grew {d} per two years.")
            if all(published)
            else _("By these points FLOP/s grew {a} in twenty years and DRAM bandwidth {b}; at fixed 16 bits FLOP per byte grew {d} per two years.")
        )
        return template.format(a=twenty[0], b=twenty[1], d=units.times(fixed_precision()[2]))
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


def _published(f: Fitted, view: View) -> float | None:
    """The claim about twenty years, while its points and its line are those that it was made of."""
    if f.left_out or len(f.kept) != len(f.curve.points) or view.fit == "theil-sen":
        return None
    claims = catalog.claims()
    return next((claims[id].multiplier for id in f.curve.claims if claims[id].period_years == TWENTY), None)


def _two(trend: Trend | None) -> str:
    return units.times(trend.multiplier(2.0)) if trend else "–"


@lru_cache(maxsize=1)
def fixed_precision() -> tuple[Trend, Trend, float]:
    """NVIDIA's 16-bit flagships: the trend of peak, of bandwidth, and what FLOP per byte grows per two years."""
    compute, bandwidth = curves.curves("gap", "today", hold="precision")
    a, b = domain.fit(compute.points), domain.fit(bandwidth.points)
    return a, b, domain.divergence(a, b, 2.0).ratio
