"""The remedies figures: a waterfall of bytes or seconds, the plane of savings against prices, and the models behind single remedies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import N_, _

#: The red of what failed: 3:1 on every ground, and never alone: failures have a shape of their own.
FAILED = "#E5484D"
#: What a price is paid in, to the role whose colour and shape it has.
PRICES: dict[str, tuple[str, str, str]] = {
    "time": (N_("time"), "compute", "circle"),
    "quality": (N_("quality"), "memory", "square"),
    "traffic": (N_("traffic between GPUs"), "network", "triangle-up"),
}
#: Prices below this share are drawn at the left edge: "none, or hardly any".
LEAST = 0.001
HALF = 0.3


@dataclass(frozen=True, slots=True)
class WaterfallBar:
    """One step of a waterfall: from `before` to `after` (from 0 for what is there at the beginning and the end), and what to say of it."""

    label: str
    before: float
    after: float
    note: str = ""
    hover: str = ""


def waterfall(bars: Sequence[WaterfallBar], *, name: str, role: str, unit: str, limit: tuple[str, float] | None, revision: str) -> style.Drawing:
    """What is taken now, what each remedy takes off, what is left: bars from the top down; `unit` is ``GiB`` or ``s``."""
    longest = max(*(max(bar.before, bar.after) for bar in bars), limit[1] if limit else 0.0)
    scale, word, step = _scale(longest, unit)
    top = longest / scale * 1.06
    ticks = [step * i for i in range(int(top / step) + 1)]
    places = [-float(i) for i in range(len(bars))]
    colour = style.ROLES[role].colour
    fills = [colour if not bar.before else style.ROLES[role].rgba(0.25) if bar.after <= bar.before else "rgba(128,128,128,0.35)" for bar in bars]
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "x": [abs(bar.after - bar.before) / scale for bar in bars],
            "base": [min(bar.before, bar.after) / scale for bar in bars],
            "y": places,
            "width": [2 * HALF] * len(bars),
            "marker": {"color": fills, "line": {"width": 1.5, "color": colour}},
            "customdata": [[style.text(bar.label), style.text(bar.note), style.text(bar.hover)] for bar in bars],
            "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
        }
    ]
    annotations = []
    for bar, y in zip(bars, places, strict=True):
        said = f"<b>{style.text(bar.label)}</b>" + (f" · {style.text(bar.note)}" if bar.note else "")
        annotations.append(_text(said, 0.0, y + HALF, "left", yanchor="bottom", yshift=1))
    shapes = [
        _line(max(bars[i].after, 0.0) / scale if bars[i].before else bars[i].after / scale, places[i], places[i + 1]) for i in range(len(bars) - 1)
    ]
    if limit:
        at, chip = limit[1] / scale, style.ROLES["compute"].colour
        line = {"type": "line", "x0": at, "x1": at}
        # over the bars alone: between them stand words
        shapes += [line | {"y0": y - HALF, "y1": y + HALF, "line": {"color": chip, "width": 4}, "layer": "above"} for y in places]
        side = "right" if at > top / 2 else "left"
        label = _text(f"<span style='color:{chip}'>┃</span> {style.text(limit[0])}", at, 1.0, side, yanchor="bottom", yshift=6)
        annotations.append(label | {"yref": "paper"})
    low, high = places[-1] - 0.5, 0.75
    return style.Drawing(
        data,
        {
            "height": round(92 + 68 * (high - low)),
            "margin": {"l": 12, "r": 12, "t": 34, "b": 52},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": "zoom",
            "uirevision": revision,
            "xaxis": {
                "range": [0, top],
                "tickvals": ticks,
                "ticktext": [f"{tick:,.10g}" for tick in ticks],
                "gridcolor": style.GRID,
                "zeroline": False,
                "title": {"text": name.format(unit=word), "font": {"size": 14}, "standoff": 8},
            },
            "yaxis": {"range": [low, high], "visible": False, "fixedrange": True, "type": "linear"},
            "shapes": shapes,
            "annotations": annotations,
            "meta": {"narrow": {"margin.l": 6, "margin.r": 6, "xaxis.nticks": 5}, "least": 1.0},  # words stand between the bars
        },
    )


def _scale(longest: float, unit: str) -> tuple[float, str, float]:
    """What to divide by, the unit's word, the distance of ticks: a power of two for bytes, a round number for seconds."""
    if unit == "GiB":
        top = longest / units.GIB * 1.06 or 1.0
        return units.GIB, "GiB", 2.0 ** ceil(log10(top / 7) / log10(2.0))
    power = max(-12, 3 * floor(log10(longest or 1.0) / 3))
    word = {-12: "ps", -9: "ns", -6: "µs", -3: "ms"}.get(power, "s")
    scale = 10.0**power if power < 0 else 1.0
    top = longest / scale * 1.06
    step = 10.0 ** floor(log10(top / 4))
    return scale, word, next(step * k for k in (1.0, 2.0, 5.0, 10.0) if step * k >= top / 8)


def _text(text: str, x: float, y: float, xanchor: str, *, yanchor: str = "middle", xshift: int = 0, yshift: int = 0) -> dict[str, Any]:
    return {
        "text": text, "x": x, "y": y, "xanchor": xanchor, "yanchor": yanchor, "xshift": xshift, "yshift": yshift, "showarrow": False, "align": "left",
    }  # fmt: skip


def _line(x: float, y0: float, y1: float) -> dict[str, Any]:
    """From the end of one bar to the next."""
    colour = style.ROLES["reference"].colour
    return {"type": "line", "x0": x, "x1": x, "y0": y0 - HALF, "y1": y1 + HALF, "line": {"color": colour, "width": 1, "dash": "dot"}}


# ---------------------------------------------------------------- the plane


@dataclass(frozen=True, slots=True)
class TradeSpot:
    """One point of the plane: what was saved and the price, as shares; `kind` a key of `PRICES`."""

    label: str
    saved: float
    price: float
    kind: str
    failed: bool = False
    computed: bool = False
    """Computed for the reader's case, not published."""
    named: bool = False
    """Its label stands in the figure."""
    hover: tuple[str, ...] = ()


def plane(spots: Sequence[TradeSpot], *, name: str, across: str) -> style.Drawing:
    """Memory saved against the price paid: published points filled, failures open, red and crossed, computed ones open and grey."""
    data = []
    groups: dict[tuple[str, bool, bool], list[TradeSpot]] = {}
    for spot in spots:
        groups.setdefault((spot.kind, spot.failed, spot.computed), []).append(spot)
    for (kind, failed, computed), group in groups.items():
        _word, role, symbol = PRICES[kind]
        colour = FAILED if failed else style.ROLES["reference"].colour if computed else style.ROLES[role].colour
        shape = f"{symbol if symbol != 'triangle-up' else 'diamond'}-x-open" if failed else f"{symbol}-open" if computed else symbol
        data.append(
            {
                "type": "scatter",
                "mode": "markers+text",
                "x": [max(spot.price, LEAST) * 100 for spot in group],
                "y": [spot.saved * 100 for spot in group],
                "text": [style.text(spot.label) if spot.named else "" for spot in group],
                "textposition": [_beside(spot) for spot in group],
                "textfont": {"size": 12},
                "cliponaxis": False,
                "marker": {"symbol": shape, "size": 11 if failed or not computed else 9, "color": colour, "line": {"width": 1.5, "color": colour}},
                "customdata": [[style.text(spot.label), *(style.text(line) for line in (*spot.hover, "", "", "")[:3])] for spot in group],
                "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
            }
        )
    ticks = [0.1, 1.0, 10.0, 100.0, 1000.0]
    dearest = max((spot.price for spot in spots), default=1.0) * 100
    xaxis = {
        "type": "log",
        "range": [log10(LEAST * 100) - 0.15, max(2.1, log10(max(dearest, 1.0)) + 0.25)],
        "tickvals": ticks,
        "ticktext": [_("≤ 0.1 %"), "1 %", "10 %", "100 %", "1,000 %"],
        "gridcolor": style.GRID,
        "title": {"text": across, "font": {"size": 14}, "standoff": 6},
    }
    yaxis = {
        "range": [-6, 106],
        "tickvals": [0, 25, 50, 75, 100],
        "ticktext": ["0", "25 %", "50 %", "75 %", "100 %"],
        "gridcolor": style.GRID,
        "zeroline": False,
    }
    return style.Drawing(
        data,
        style.layout(name=name, yaxis=yaxis, xaxis=xaxis, revision="plane", right=14, margin={"l": 62, "r": 14, "t": 44, "b": 60}),
    )


def _beside(spot: TradeSpot) -> str:
    """Where the name of a point stands, so that names of points with like prices stay apart."""
    if spot.failed or spot.kind == "traffic":
        return "top left" if spot.failed else "middle right"
    if spot.kind == "time" or spot.price <= LEAST:
        return "top right" if spot.price <= LEAST else "top center"
    return "top left" if spot.price > 0.05 else "bottom right"


# ---------------------------------------------------------------- lines


@dataclass(frozen=True, slots=True)
class LabelledLine:
    """A line (or points alone) with its label at the end; `x` and `y` as drawn, `hover` one text a point."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    role: str
    hover: Sequence[str]
    dash: str = "solid"
    symbol: str = ""
    """Marker of the points; none without."""
    lines: bool = True
    rate: str = ""


def lines(
    series: Sequence[LabelledLine],
    *,
    name: str,
    across: str,
    kind: str,
    log: bool = True,
    ticks: Mapping[float, str],
    reverse: bool = False,
    span: tuple[float, float] | None = None,
    revision: str,
    shapes: Sequence[dict[str, Any]] = (),
) -> style.Drawing:
    """Lines over a logarithmic x axis with labels at their ends; `reverse` puts small x to the right."""
    values = [y for one in series for y in one.y]
    low, high = span or (min(values), max(values))
    yaxis = style.value_axis(kind, low, high, log=log)
    xs = [x for one in series for x in one.x]
    ends = (log10(min(xs)) - 0.02, log10(max(xs)) + 0.02)
    data = [
        {
            "type": "scatter",
            "mode": ("lines+markers" if one.symbol else "lines") if one.lines else "markers",
            "x": list(one.x),
            "y": list(one.y),
            "line": {"color": style.ROLES[one.role].colour, "width": 2, "dash": one.dash},
            "marker": {"symbol": one.symbol or "circle", "size": 8, "color": style.ROLES[one.role].colour},
            "customdata": [[style.text(one.label), style.text(text)] for text in one.hover],
            "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        }
        for one in series
    ]
    labels = style.end_labels([style.End(one.y[-1], one.role, one.label, one.rate) for one in series if one.lines], yaxis, lines=2)
    xaxis = {
        "type": "log",
        "range": list(reversed(ends)) if reverse else list(ends),
        "tickvals": list(ticks),
        "ticktext": list(ticks.values()),
        "title": {"text": across, "font": {"size": 14}, "standoff": 6},
    }
    return style.Drawing(
        data,
        style.layout(
            name=name,
            yaxis=yaxis,
            xaxis=xaxis,
            revision=revision,
            right=120,
            annotations=labels,
            shapes=list(shapes),
            margin={"l": 62, "r": 120, "t": 44, "b": 60},
        ),
    )


# ---------------------------------------------------------------- ranges of number formats


@dataclass(frozen=True, slots=True)
class Range:
    """A number format: exponents of two of its smallest and smallest normal and largest value, and a word on what is lost."""

    label: str
    smallest: float
    normal: float
    largest: float
    note: str


def ranges(formats: Sequence[Range], *, name: str, bells: Mapping[str, tuple[float, float]], revision: str) -> style.Drawing:
    """What formats span, in powers of two, and where the gradients stand: a band of two standard deviations to either side each, by label."""
    places = [-float(i) for i in range(len(formats))]
    memory = style.ROLES["memory"]
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "x": [end - start for start, end in spans],
            "base": [start for start, _end in spans],
            "y": places,
            "width": [2 * HALF] * len(formats),
            "marker": {"color": fill, "line": {"width": 1, "color": memory.colour}},
            "customdata": [[style.text(f.label), word, style.text(f.note)] for f in formats],
            "hovertemplate": "<b>%{customdata[0]}</b>, %{customdata[1]}<br>%{customdata[2]}<extra></extra>",
        }
        for spans, fill, word in (
            ([(f.smallest, f.normal) for f in formats], memory.rgba(0.25), _("subnormal: fewer digits")),
            ([(f.normal, f.largest) for f in formats], memory.colour, _("all digits")),
        )
    ]
    annotations = [
        _text(f"<b>{style.text(f.label)}</b> · {style.text(f.note)}", -44.0, y + HALF, "left", yanchor="bottom", yshift=1)
        for f, y in zip(formats, places, strict=True)
    ]
    shapes = []
    for i, (label, (middle, spread)) in enumerate(bells.items()):
        role = style.ROLES["reference" if i == 0 and len(bells) > 1 else "compute"]
        for width in (2.0, 1.0):
            shapes.append(
                {
                    "type": "rect", "x0": middle - width * spread, "x1": middle + width * spread, "yref": "paper", "y0": 0, "y1": 1,
                    "fillcolor": role.rgba(0.14), "line": {"width": 0}, "layer": "below",
                }
            )  # fmt: skip
        text = _text(f"<span style='color:{role.colour}'>▎</span>{style.text(label)}", middle, 1.0, "center", yanchor="bottom", yshift=4 + 18 * i)
        annotations.append(text | {"yref": "paper"})
    ticks = list(range(-40, 25, 8))
    return style.Drawing(
        data,
        {
            "height": 470,
            "margin": {"l": 12, "r": 12, "t": 58, "b": 52},
            "showlegend": False,
            "barmode": "overlay",
            "hovermode": "closest",
            "dragmode": "zoom",
            "uirevision": revision,
            "xaxis": {
                "range": [-44, 20],
                "tickvals": ticks,
                "ticktext": [f"2<sup>{tick}</sup>".replace("-", "−") for tick in ticks],
                "gridcolor": style.GRID,
                "zeroline": False,
                "title": {"text": name, "font": {"size": 14}, "standoff": 8},
            },
            "yaxis": {"range": [places[-1] - 0.5, 0.8], "visible": False, "fixedrange": True, "type": "linear"},
            "shapes": shapes,
            "annotations": annotations,
            "meta": {"narrow": {"margin.l": 6, "margin.r": 6, "xaxis.nticks": 5}},
        },
    )
