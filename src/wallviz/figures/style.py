"""The chart grammar in one place: roles and their colours and shapes, axes, bands, line-end labels, hover.

The colours are the same in light and dark, at least 3:1 on every ground of ``.streamlit/config.toml`` (tests/test_style.py measures it),
and far apart for colour-blind readers; in greyscale they are not, which is why every role has a shape and every line a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any

import orjson
import plotly.graph_objects as go

from wallviz import units

HEIGHT = 470
GRID = "rgba(128,128,128,0.22)"
FAINT = "rgba(128,128,128,0.55)"


@dataclass(frozen=True, slots=True)
class Role:
    """What a series is about: its colour (hex), its marker's shape and that shape's open twin."""

    colour: str
    symbol: str
    glyph: str

    def rgba(self, alpha: float) -> str:
        """The colour with opacity `alpha`, as plotly reads it."""
        red, green, blue = (int(self.colour[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({red},{green},{blue},{alpha:g})"


ROLES: dict[str, Role] = {
    "compute": Role("#D55E00", "circle", "●"),
    "memory": Role("#0670D1", "square", "■"),
    "bandwidth": Role("#009F74", "diamond", "◆"),
    "network": Role("#C372A0", "triangle-up", "▲"),
    "reference": Role("#808080", "line-ew", "–"),
}

# The parts of one footprint are parts of one thing: lightness steps of the memory blue, dark to light.
PARTS: dict[str, str] = {"weights": "#0670D1", "optimizer": "#4E99E0", "activations": "#9CC6EF", "gradients": "#2A85D8", "kv_cache": "#C4DDF6"}


def glyph(role: str) -> str:
    """The coloured shape that stands before a label of `role`: the label itself keeps the text colour."""
    return f"<span style='color:{ROLES[role].colour}'>{ROLES[role].glyph}</span>"


def text(value: object) -> str:
    """`value` made harmless: plotly draws a small HTML subset, so nothing from data or a reader goes in unescaped."""
    return escape(str(value), quote=False)


def tick_text(kind: str, value: float) -> str:
    """A tick label for `value` of `kind`: ``times``, ``flop``, ``flop_per_s``, ``bytes_per_s``, ``bytes``, ``count``,
    ``flop_per_byte``, ``byte_s_per_flop``, ``rate`` (FLOP or bytes per second on one axis)."""
    if kind == "times":
        if value < 1 or not _is_power(value):
            return f"{units.significant(value, 1)}{units.TIMES}"
        return f"{value:,.0f}{units.TIMES}" if value < 1e6 else f"{_power(value)}{units.TIMES}"
    if kind == "flop":
        return _power(value) if _is_power(value) else f"{round(value / 10 ** floor(log10(value)))}·{_power(10 ** floor(log10(value)))}"
    if kind == "count":
        return units.count(value)
    if kind == "byte_s_per_flop":
        return units.significant(value * 1e3, 1)
    unit = {"flop_per_s": "FLOP/s", "bytes_per_s": "B/s", "bytes": "B", "flop_per_byte": "", "rate": "/s"}[kind]
    return units.si(value, unit, digits=1 if value >= 1 else 3)


def _is_power(value: float) -> bool:
    return abs(log10(value) - round(log10(value))) < 1e-9


def _power(value: float) -> str:
    exponent = round(log10(value))
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def value_text(kind: str, value: float) -> str:
    """One value of `kind` as hover and table show it."""
    if kind == "times":
        return units.times(value)
    if kind == "flop":
        return f"{value:.2e}".replace("e+", "·10^").replace("·10^", "·10<sup>") + "</sup>" + f"{units.THIN}FLOP"
    if kind == "count":
        return units.count(value)
    if kind in ("flop_per_byte", "byte_s_per_flop"):
        return units.ratio(kind, value)
    return units.si(value, {"flop_per_s": "FLOP/s", "bytes_per_s": "B/s", "bytes": "B", "rate": "/s"}[kind])


def value_axis(kind: str, low: float, high: float, *, log: bool, room: float = 0.04) -> dict[str, Any]:
    """The y axis from `low` to `high` (both positive): one gridline per factor of ten on a log scale, a few round ones on a linear one."""
    axis: dict[str, Any] = {"gridcolor": GRID, "zeroline": False, "showline": False, "ticks": "", "fixedrange": False}
    if not log:
        top = high * (1 + room)
        step = _round_step(top / 5)
        values = [step * i for i in range(int(top / step) + 1)]
        return axis | {
            "type": "linear",
            "range": [0, top],
            "tickvals": values,
            "ticktext": ["0" if v == 0 else tick_text(kind, v) if kind != "flop" else value_text(kind, v).split(units.THIN)[0] for v in values],
        }
    first, last = floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9)
    margin = (log10(high) - log10(low)) * room or 0.3
    decades = list(range(first, last + 1))
    every = max(1, ceil(len(decades) / 8))
    values, texts = [10.0**d for d in decades], [tick_text(kind, 10.0**d) if (d - last) % every == 0 else "" for d in decades]
    if high / low < 100:  # under two factors of ten, lines at 1, 2 and 5 tell more than one lonely ten
        steps = [step * 10.0**d for d in range(first - 1, last + 1) for step in (1.0, 2.0, 5.0)]
        values = [v for v in steps if log10(low) - margin <= log10(v) <= log10(high) + margin]
        texts = [tick_text(kind, v) for v in values]
    return axis | {
        "type": "log",
        "range": [log10(low) - margin, log10(high) + margin],
        "tickvals": values,
        "ticktext": texts,
        "minorloglabels": "none",
    }


def _round_step(step: float) -> float:
    scale: float = 10.0 ** floor(log10(step))
    steps: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0)
    return next(s * scale for s in steps if s * scale >= step * 0.999)


def layout(
    *,
    name: str,
    yaxis: dict[str, Any],
    xaxis: dict[str, Any],
    revision: str,
    right: int = 120,
    narrow: Mapping[str, Any] | None = None,
    height: int = HEIGHT,
    **more: Any,
) -> dict[str, Any]:
    """The common layout. `name` is the y quantity in words, shown top left and horizontal; `revision` changes when zoom would lose its meaning;
    `narrow` is what changes on a phone, by path."""
    annotations = [
        {
            "text": name,
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "xshift": -52,
            "yref": "paper",
            "y": 1,
            "yanchor": "bottom",
            "yshift": 8,
            "showarrow": False,
            "align": "left",
        }
    ]
    return {
        "height": height,
        "margin": {"l": 62, "r": right, "t": 44, "b": 36},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": "zoom",
        "uirevision": revision,
        "xaxis": {
            "gridcolor": "rgba(0,0,0,0)",
            "zeroline": False,
            "ticks": "outside",
            "tickangle": 0,
            "tickcolor": GRID,
            "linecolor": GRID,
            "showline": True,
            "uirevision": revision.split("|")[0],
        }
        | xaxis,
        "yaxis": yaxis,
        "meta": {
            "narrow": {
                "margin.l": 54,
                "margin.r": min(right, 108),
                "margin.t": 58,
                "annotations.0.text": name.replace(" (", "<br>(").replace(" · ", "<br>"),
                "xaxis.nticks": 5,
                **(narrow or {}),
            }
        },
        "annotations": annotations + more.pop("annotations", []),
    } | more


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished figure as plain data: what plotly.js draws.

    Plotly's own figure object checks and copies every property, which takes ten times as long as everything else; it is made where
    somebody wants it (`figure`: a notebook, an export, the stock chart), and the tests make it of every drawing.
    """

    data: list[dict[str, Any]]
    layout: dict[str, Any]

    @property
    def spec(self) -> str:
        """The figure as JSON."""
        return orjson.dumps({"data": self.data, "layout": self.layout}).decode()

    def figure(self) -> go.Figure:
        """The figure as plotly's object, validated."""
        return go.Figure({"data": self.data, "layout": self.layout})


@dataclass(frozen=True, slots=True)
class End:
    """A label where a line ends: at value `y`, in `role`'s glyph, saying `label` and under it the lines of `rate`."""

    y: float
    role: str
    label: str
    rate: str = ""


def end_labels(ends: Sequence[End], axis: dict[str, Any], *, lines: int = 3) -> list[dict[str, Any]]:
    """Labels at line ends, kept apart: moved by the least that leaves each its room (`lines` of text in a chart of `HEIGHT`).
    A browser moves them further where its chart is lower (ui/chart.js)."""
    if not ends:
        return []
    log = axis["type"] == "log"
    low, high = (float(end) for end in axis["range"])
    gap = (high - low) * 0.052 * lines

    def place(y: float) -> float:
        return min(max(log10(y) if log else y, low), high)

    order = sorted(ends, key=lambda end: end.y)
    spots = [place(end.y) for end in order]
    for _pass in range(60):
        moved = False
        for i in range(len(spots) - 1):
            if (overlap := gap - (spots[i + 1] - spots[i])) > 1e-9:
                spots[i] -= overlap / 2
                spots[i + 1] += overlap / 2
                moved = True
        spots = [min(max(s, low + gap / 2), high - gap / 2) if gap * len(spots) < high - low else s for s in spots]
        if not moved:
            break
    return [
        beside(spot, f"{glyph(end.role)} {text(end.label)}" + "".join(f"<br>{text(line)}" for line in end.rate.splitlines()))
        for end, spot in zip(order, spots, strict=True)
    ]


def beside(y: float, label: str) -> dict[str, Any]:
    """A label right of the plot at `y` (on a log axis: its logarithm); `label` is markup of ours, its texts escaped."""
    return {
        "name": "end",
        "text": label,
        "xref": "paper",
        "x": 1,
        "xanchor": "left",
        "xshift": 6,
        "yref": "y",
        "y": y,
        "yanchor": "middle",
        "showarrow": False,
        "align": "left",
    }


def band(x: Sequence[Any], low: Iterable[float], high: Iterable[float], role: str, alpha: float) -> dict[str, Any]:
    """A filled band between `low` and `high`, without an outline and without a hover of its own."""
    return {
        "type": "scatter",
        "x": [*x, *reversed(x)],
        "y": [*high, *reversed([*low])],
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": ROLES[role].rgba(alpha),
        "hoverinfo": "skip",
    }


HOVER = "<b>%{customdata[1]}</b> (%{customdata[2]})<br>%{customdata[3]}<br>%{customdata[4]}<br>%{customdata[5]}<extra></extra>"
