"""The figures of the roofline page: the roof with operations and measured points under it, time by operation, and what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import _

HOVER = "<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<br>%{customdata[4]}<extra></extra>"
BIGGEST = 26.0
"""Size of the marker of an operation that takes all of the time, pixels."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


@dataclass(frozen=True, slots=True)
class RoofLine:
    """One roof: its label, its peak, its bandwidth; `main` roofs are drawn strong, others muted."""

    label: str
    peak_flop_per_s: float
    bytes_per_s: float
    main: bool = True
    level: bool = False
    """The roof of another memory level: its slope alone."""


@dataclass(frozen=True, slots=True)
class RoofSpot:
    """One point under the roof: an operation, a whole step or a measurement; `lines` are what the hover says under its name."""

    id: str
    label: str
    intensity: float
    flop_per_s: float
    role: str
    lines: tuple[str, str, str]
    share: float = 0.0
    """Share of the time of its step: the size of the marker."""
    measured: bool = False
    named: bool = False
    """Its label stands beside it."""


def roofline(
    roofs: Sequence[RoofLine],
    spots: Sequence[RoofSpot],
    paths: Sequence[Sequence[tuple[float, float, str]]],
    *,
    name: str,
    across: str,
    revision: str,
) -> style.Drawing:
    """Attainable FLOP/s over FLOP per byte, both logarithmic; the first roof shades what is bound by bandwidth and what by compute."""
    first = roofs[0]
    ridge = first.peak_flop_per_s / first.bytes_per_s
    shown = [spot for spot in spots if spot.intensity > 0 and spot.flop_per_s > 0]
    low = min([0.5, *(spot.intensity / 1.6 for spot in shown)])
    high = max([ridge * 12, *(spot.intensity * 1.6 for spot in shown)])
    top = max(line.peak_flop_per_s for line in roofs)
    bottom = min([first.bytes_per_s * low, *(spot.flop_per_s / 1.6 for spot in shown)])
    y, x = style.value_axis("flop_per_s", bottom, top * 2.6, log=True), style.value_axis("flop_per_byte", low, high, log=True, room=0.002)
    data: list[dict[str, Any]] = [trace for i, line in enumerate(roofs) for trace in _roof(line, low, high, DASHES[min(i, 5)])]
    data += [_spots([s for s in shown if s.measured], measured=True), _spots([s for s in shown if not s.measured], measured=False)]
    data += [_path(path) for path in paths if len(path) > 1]
    regions = [
        {
            "type": "rect", "x0": x0, "x1": x1, "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 0}, "layer": "below",
            "fillcolor": style.ROLES[role].rgba(0.07),
        }
        for role, x0, x1 in (("bandwidth", low, ridge), ("compute", ridge, high))
    ]  # fmt: skip
    words = (
        ("bandwidth", (low * ridge) ** 0.5, _("bandwidth-bound:<br>arithmetic waits for memory"), _("bandwidth-<br>bound")),
        ("compute", (ridge * high) ** 0.5, _("compute-bound:<br>memory keeps up"), _("compute-<br>bound")),
    )
    said = [
        {
            "text": text, "x": log10(at), "xanchor": "center", "yref": "paper", "y": 0.015, "yanchor": "bottom", "showarrow": False,
            "opacity": 0.85,
        }
        for _role, at, text, _short in words
    ]  # fmt: skip
    flats = [_flat(line, high) for line in roofs if not line.level]
    slopes = [_slope(first, low), *(_level(line, first.peak_flop_per_s, i) for i, line in enumerate(each for each in roofs if each.level))]
    return style.Drawing(
        [trace for trace in data if trace.get("x")],
        style.layout(
            name=name,
            yaxis=y,
            xaxis={key: x[key] for key in ("type", "range", "tickvals", "ticktext", "minorloglabels")}
            | {"title": {"text": across, "standoff": 8}, "gridcolor": style.GRID},
            revision=revision,
            right=20,
            annotations=[*said, *slopes, *flats],
            shapes=regions,
            margin={"l": 78, "r": 20, "t": 44, "b": 58},
            narrow={
                "margin.l": 66,
                "annotations.1.font.size": 11,
                "annotations.2.font.size": 11,
                "annotations.1.text": words[0][3],
                "annotations.2.text": words[1][3],
            },
        ),
    )


def _roof(line: RoofLine, low: float, high: float, dash: str) -> list[dict[str, Any]]:
    ridge = line.peak_flop_per_s / line.bytes_per_s
    strong = {"width": 3.0} if line.main else {"width": 1.8}
    opacity = 1.0 if line.main else 0.55
    common = {"type": "scatter", "mode": "lines", "opacity": opacity, "hoverinfo": "skip"}
    slope = {"x": [low, min(ridge, high)], "y": [line.bytes_per_s * low, line.bytes_per_s * min(ridge, high)]}
    found = [common | slope | {"line": {"color": style.ROLES["bandwidth"].colour, "dash": dash} | strong}]
    if not line.level:
        flat = {"x": [ridge, max(high, ridge)], "y": [line.peak_flop_per_s] * 2}
        found.append(common | flat | {"line": {"color": style.ROLES["compute"].colour, "dash": dash} | strong})
    return found


def _slope(line: RoofLine, low: float) -> dict[str, Any]:
    """The bandwidth, left of the slope a third of the way up."""
    at = low * (line.peak_flop_per_s / line.bytes_per_s / low) ** 0.35
    return {
        "text": f"{style.glyph('bandwidth')} {units.si(line.bytes_per_s, 'B/s')}", "x": log10(at), "y": log10(line.bytes_per_s * at),
        "xanchor": "right", "yanchor": "bottom", "showarrow": False, "xshift": -6,
    }  # fmt: skip


def _level(line: RoofLine, peak: float, place: int) -> dict[str, Any]:
    """The name of a memory level where its slope meets the peak."""
    return {
        "text": f"{style.text(line.label)} {units.si(line.bytes_per_s, 'B/s')}", "x": log10(peak / line.bytes_per_s), "y": log10(peak),
        "xanchor": "right", "yanchor": "bottom", "showarrow": False, "yshift": 9 + 17 * (place % 2),
    }  # fmt: skip


def _flat(line: RoofLine, high: float) -> dict[str, Any]:
    """The chip, its precision and its peak, over the right end of its roof."""
    return {
        "text": f"{style.glyph('compute')} {style.text(line.label)}: {units.si(line.peak_flop_per_s, 'FLOP/s')}", "x": log10(high),
        "y": log10(line.peak_flop_per_s), "xanchor": "right", "yanchor": "bottom", "showarrow": False, "yshift": 9,
    }  # fmt: skip


def _path(path: Sequence[tuple[float, float, str]]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers+text",
        "x": [x for x, _y, _text in path],
        "y": [y for _x, y, _text in path],
        "text": [style.text(text) for _x, _y, text in path],
        "textposition": "top left",
        "line": {"color": style.FAINT, "width": 1.2, "dash": "dot"},
        "marker": {"size": 5, "symbol": "line-ew-open", "color": style.FAINT, "line": {"width": 1.5, "color": style.FAINT}},
        "hoverinfo": "skip",
    }


def _spots(spots: Sequence[RoofSpot], *, measured: bool) -> dict[str, Any]:
    ordered = sorted(spots, key=lambda spot: (not spot.named, -spot.share))  # the browser keeps the names that come first
    colours = [style.ROLES[spot.role].colour for spot in ordered]
    sizes = [7.0 if measured else 7.0 + (BIGGEST - 7.0) * spot.share**0.5 for spot in ordered]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [spot.intensity for spot in ordered],
        "y": [spot.flop_per_s for spot in ordered],
        "text": [f"<b>{style.text(spot.label)}</b>" if spot.named else "" for spot in ordered],
        "textposition": ["bottom left" if spot.role == "compute" else "bottom right" for spot in ordered],
        "cliponaxis": False,
        "marker": {
            "symbol": [style.ROLES[spot.role].symbol + ("" if measured else "-open") for spot in ordered],
            "size": sizes,
            "color": colours,
            "opacity": 0.55 if measured else 1.0,
            "line": {"width": 0.5 if measured else 2.4, "color": colours},
        },
        "customdata": [[style.text(spot.id), style.text(spot.label), *(style.text(line) for line in spot.lines)] for spot in ordered],
        "hovertemplate": HOVER,
    }


# ---------------------------------------------------------------- bars and lines beside the roof


@dataclass(frozen=True, slots=True)
class RoleBar:
    """One bar with its label and the role that colours it; `lines` for the hover."""

    label: str
    value: float
    role: str
    text: str
    lines: tuple[str, str, str] = ("", "", "")


def bars(rows: Sequence[RoleBar], *, name: str, revision: str) -> style.Drawing:
    """Horizontal bars from zero, each under its label: parts of one thing, in their order."""
    top = max(row.value for row in rows) or 1.0
    places = list(range(len(rows)))
    return style.Drawing(
        [
            {
                "type": "bar",
                "orientation": "h",
                "x": [row.value for row in rows],
                "y": places,
                "width": 0.34,
                "marker": {"color": [style.ROLES[row.role].colour for row in rows]},
                "customdata": [["", style.text(row.label), *(style.text(line) for line in row.lines)] for row in rows],
                "hovertemplate": HOVER,
            }
        ],
        {
            "height": max(260, 66 + 44 * len(rows)),
            "margin": {"l": 12, "r": 24, "t": 8, "b": 58},
            "showlegend": False,
            "uirevision": revision,
            "xaxis": {
                "range": [0, top * 1.04], "gridcolor": style.GRID, "zeroline": False, "nticks": 6, "title": {"text": name, "standoff": 8},
            },
            "yaxis": {"range": [len(rows) - 0.5, -0.75], "visible": False, "fixedrange": True},
            "annotations": [
                {
                    "text": f"{style.glyph(row.role)} {style.text(row.label)}: <b>{style.text(row.text)}</b>",
                    "x": 0, "xanchor": "left", "y": i - 0.2, "yanchor": "bottom", "showarrow": False, "align": "left",
                }
                for i, row in zip(places, rows, strict=True)
            ],
        },
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeriesDot:
    """One point of a series: where it stands and what the hover says."""

    x: float | str
    y: float
    label: str
    lines: tuple[str, str, str] = ("", "", "")
    named: bool = False
    measured: bool = False


@dataclass(frozen=True, slots=True)
class DotSeries:
    """Points that belong together, joined by a line where `joined`."""

    label: str
    role: str
    dots: tuple[SeriesDot, ...]
    joined: bool = False
    dash: str = "solid"


def lines(
    series: Sequence[DotSeries],
    *,
    name: str,
    across: str,
    kind: str,
    revision: str,
    log_x: bool = False,
    log_y: bool = True,
    percent: bool = False,
    across_kind: str = "flop_per_byte",
    line_at: float | None = None,
) -> style.Drawing:
    """Series over a date, a count or an intensity, each labelled at its end; `percent` draws shares from 0 to 100 %."""
    values = [dot.y for one in series for dot in one.dots]
    if percent:
        top = max(1.0, *values)
        y: dict[str, Any] = {
            "type": "linear", "range": [0, 100 * top * 1.04], "gridcolor": style.GRID, "zeroline": False, "ticksuffix": f"{units.THIN}%",
        }  # fmt: skip
    else:
        y = style.value_axis(kind, min(values), max(values), log=log_y, room=0.08)
    scale = 100.0 if percent else 1.0
    data: list[dict[str, Any]] = []
    for one in series:
        role = style.ROLES[one.role]
        dots = sorted(one.dots, key=lambda dot: not dot.named) if not one.joined else list(one.dots)
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers+text" if one.joined else "markers+text",
                "x": [dot.x for dot in dots],
                "y": [dot.y * scale for dot in dots],
                "text": [style.text(dot.label) if dot.named else "" for dot in dots],
                "textposition": "top center",
                "cliponaxis": False,
                "line": {"color": role.colour, "width": 2.0, "dash": one.dash},
                "marker": {
                    "symbol": [role.symbol + ("" if dot.measured else "-open") for dot in dots],
                    "color": role.colour,
                    "size": 8,
                    "line": {"width": 1.6, "color": role.colour},
                },
                "customdata": [["", style.text(dot.label), *(style.text(line) for line in dot.lines)] for dot in dots],
                "hovertemplate": HOVER,
            }
        )
    x: dict[str, Any] = {"title": {"text": across, "standoff": 8}}
    if log_x:
        places = [float(dot.x) for one in series for dot in one.dots]
        axis = style.value_axis(across_kind, min(places), max(places), log=True)
        x |= {key: axis[key] for key in ("type", "range", "tickvals", "ticktext", "minorloglabels")} | {"gridcolor": style.GRID}
    ends = [style.End(one.dots[-1].y * scale, one.role, one.label) for one in series if one.dots and one.label]
    shapes = []
    if line_at is not None:
        shapes = [
            {
                "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": line_at * scale, "y1": line_at * scale, "layer": "below",
                "line": {"color": style.FAINT, "width": 2, "dash": "dot"},
            }
        ]  # fmt: skip
    return style.Drawing(
        data,
        style.layout(
            name=name,
            yaxis=y,
            xaxis=x,
            revision=revision,
            annotations=style.end_labels(ends, y, lines=1),
            shapes=shapes,
            margin={"l": 74, "r": 130, "t": 44, "b": 58},
        ),
    )


@dataclass(frozen=True, slots=True)
class Strip:
    """Fractions of one group on a line, with their median."""

    label: str
    remark: str
    role: str
    dots: tuple[SeriesDot, ...]
    median: float


def strips(rows: Sequence[Strip], *, name: str, revision: str) -> style.Drawing:
    """Measured over bound, a row for each device or engine: every case a dot, the median a bar; 100 % is the roof."""
    data: list[dict[str, Any]] = []
    for i, row in enumerate(rows):
        role = style.ROLES[row.role]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [100 * dot.y for dot in row.dots],
                "y": [i + 0.3 * ((k * 5 % 7) / 6 - 0.5) for k in range(len(row.dots))],
                "cliponaxis": False,
                "marker": {"symbol": role.symbol, "size": 6, "color": role.colour, "opacity": 0.5},
                "customdata": [["", style.text(dot.label), *(style.text(line) for line in dot.lines)] for dot in row.dots],
                "hovertemplate": HOVER,
            }
        )
    shapes: list[dict[str, Any]] = [
        {
            "type": "line", "x0": 100 * row.median, "x1": 100 * row.median, "y0": i - 0.36, "y1": i + 0.36,
            "line": {"color": style.ROLES[row.role].colour, "width": 4},
        }
        for i, row in enumerate(rows)
    ]  # fmt: skip
    shapes.append(
        {
            "type": "line", "x0": 100, "x1": 100, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"color": style.ROLES["compute"].colour, "width": 1.5, "dash": "dot"},
        }
    )  # fmt: skip
    small = "<br><span style='font-size:0.85em;opacity:0.8'>{}</span>"
    remarked = len(rows) < 14
    return style.Drawing(
        data,
        {
            "height": max(300, 66 + (46 if remarked else 21) * len(rows)),
            "margin": {"l": 12, "r": 20, "t": 8, "b": 58},
            "showlegend": False,
            "hovermode": "closest",
            "uirevision": revision,
            "shapes": shapes,
            "xaxis": {
                "range": [0, 106], "gridcolor": style.GRID, "zeroline": False, "ticksuffix": f"{units.THIN}%", "nticks": 8, "tickangle": 0,
                "title": {"text": name, "standoff": 8},
            },
            "yaxis": {
                "range": [len(rows) - 0.45, -0.55], "tickvals": list(range(len(rows))), "automargin": True, "showgrid": False, "zeroline": False,
                "ticktext": [style.text(row.label) + (small.format(style.text(row.remark)) if row.remark and remarked else "") for row in rows],
                "ticks": "", "ticklabelstandoff": 8,
            },
            "meta": {"narrow": {"xaxis.nticks": 4}},
        },
    )  # fmt: skip
