"""The figures of the accuracy page: errors case by case, predicted against expected, and what several tools say about one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

from wallviz import units
from wallviz.figures import style

MEMORY = style.ROLES["memory"]
LANES = 11  # dots that stand over each other before a row moves on
HOVER = "<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<br>%{customdata[4]}<br>%{customdata[5]}<extra></extra>"


@dataclass(frozen=True, slots=True)
class CaseDot:
    """One case: what was expected and predicted, in its unit; `measured` fills the marker; `lines` are what the hover says under the name."""

    id: str
    name: str
    expected: float
    predicted: float
    error: float
    measured: bool
    lines: tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class CasesRow:
    """Cases on one line: a label (a short one for phones), a remark under it, the widest tolerance that is stated for them."""

    label: str
    short: str
    remark: str
    tolerance: float
    dots: tuple[CaseDot, ...]


def _custom(dots: Sequence[CaseDot]) -> list[list[str]]:
    return [[dot.id, style.text(dot.name), *(style.text(line) for line in dot.lines)] for dot in dots]


def _markers(dots: Sequence[CaseDot], x: Sequence[float], y: Sequence[float], size: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(x),
        "y": list(y),
        "cliponaxis": False,
        "marker": {
            "symbol": [MEMORY.symbol + ("" if dot.measured else "-open") for dot in dots],
            "color": MEMORY.colour,
            "size": size,
            "opacity": 0.9,
            "line": {"width": 1.4, "color": MEMORY.colour},
        },
        "customdata": _custom(dots),
        "hovertemplate": HOVER,
    }


def _lanes(row: CasesRow) -> list[tuple[CaseDot, float]]:
    """The dots of a row from the lowest error to the highest, spread over its height so that equal errors do not hide each other."""
    ordered = sorted(row.dots, key=lambda dot: (dot.error, dot.id))
    if len(ordered) == 1:
        return [(ordered[0], 0.0)]
    lanes = min(LANES, len(ordered))
    return [(dot, 0.62 * ((i * 7 % lanes) / (lanes - 1) - 0.5)) for i, dot in enumerate(ordered)]


def errors(rows: Sequence[CasesRow], *, name: str, revision: str) -> style.Drawing:
    """Each case at its relative error, a row for each group or case; the band behind a row is the widest tolerance stated for it."""
    placed = [(dot, i + shift) for i, row in enumerate(rows) for dot, shift in _lanes(row)]
    dots = [dot for dot, _y in placed]
    limit = max(0.002, *(row.tolerance for row in rows), *(abs(dot.error) for dot in dots)) * 108
    single = all(len(row.dots) == 1 for row in rows)
    data = [_markers(dots, [100 * dot.error for dot in dots], [y for _dot, y in placed], 10 if single else 8)]
    bands = [
        {
            "type": "rect",
            "x0": -100 * row.tolerance,
            "x1": 100 * row.tolerance,
            "y0": i - 0.42,
            "y1": i + 0.42,
            "fillcolor": MEMORY.rgba(0.14),
            "line": {"width": 0},
            "layer": "below",
        }
        for i, row in enumerate(rows)
    ]
    small = "<br><span style='font-size:0.85em;opacity:0.8'>{}</span>"
    return style.Drawing(
        data,
        {
            "height": max(300, 66 + len(rows) * (23 if single else 66)),
            "margin": {"l": 12, "r": 20, "t": 8, "b": 58},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": "zoom",
            "uirevision": revision,
            "shapes": bands,
            "xaxis": {
                "range": [-limit, limit],
                "gridcolor": style.GRID,
                "zeroline": True,
                "zerolinecolor": style.FAINT,
                "zerolinewidth": 2,
                "title": {"text": name, "standoff": 8},
                "nticks": 9,
                "ticksuffix": f"{units.THIN}%",
                "tickangle": 0,
            },
            "yaxis": {
                "range": [len(rows) - 0.45, -0.55],
                "tickvals": list(range(len(rows))),
                "ticktext": [style.text(row.label) + (small.format(style.text(row.remark)) if row.remark else "") for row in rows],
                "automargin": True,
                "showgrid": False,
                "zeroline": False,
                "ticks": "",
                "ticklabelstandoff": 8,
            },
            "meta": {
                "narrow": {
                    "xaxis.nticks": 4,
                    "yaxis.ticktext": [style.text(row.short) for row in rows],
                }
            },
        },
    )


def scatter(dots: Sequence[CaseDot], *, kind: str, name: str, across: str, revision: str) -> style.Drawing:
    """Predicted over expected on two log axes: on the line a prediction is right; `kind` is what both are (see `style.tick_text`)."""
    values = [value for dot in dots for value in (dot.expected, dot.predicted) if value > 0]
    low, high = min(values), max(values)
    shown = [dot for dot in dots if dot.expected > 0 and dot.predicted > 0]
    y = style.value_axis(kind, low, high, log=True)
    ends = [10 ** y["range"][0], 10 ** y["range"][1]]
    x = {key: y[key] for key in ("type", "range", "tickvals", "minorloglabels")}
    every = max(1, -(-len(y["tickvals"]) // 6))
    spaced = [
        text if floor(log10(value) + 0.5) % every == 0 or high / low < 100 else "" for value, text in zip(y["tickvals"], y["ticktext"], strict=True)
    ]
    line = {"type": "scatter", "mode": "lines", "x": ends, "y": ends, "line": {"color": style.FAINT, "width": 2, "dash": "dot"}, "hoverinfo": "skip"}
    return style.Drawing(
        [line, _markers(shown, [dot.expected for dot in shown], [dot.predicted for dot in shown], 9)],
        style.layout(
            name=name,
            yaxis=y,
            xaxis=x | {"ticktext": spaced, "title": {"text": across, "standoff": 8}, "gridcolor": style.GRID},
            revision=revision,
            right=24,
            margin={"l": 74, "r": 24, "t": 44, "b": 58},
        ),
    )


@dataclass(frozen=True, slots=True)
class ToolEstimate:
    """What one tool says about a run: `kind` is ``measured``, ``ours`` or ``other``."""

    label: str
    bytes: float
    kind: str
    note: str = ""


def estimates(said: Sequence[ToolEstimate], *, name: str) -> style.Drawing:
    """One run as measured and as every tool estimates it, bytes on one GPU, with a line at what was measured."""
    colours = {"measured": MEMORY.colour, "ours": style.PARTS["optimizer"], "other": style.ROLES["reference"].colour}
    measured = next(one.bytes for one in said if one.kind == "measured")
    top = max(one.bytes for one in said)
    gib = [one.bytes / units.GIB for one in said]
    labels = [
        f"{style.text(one.label)}: <b>{units.binary(one.bytes)}</b>" + (f" ({_miss(one.bytes / measured - 1)})" if one.kind != "measured" else "")
        for one in said
    ]
    return style.Drawing(
        [
            {
                "type": "bar",
                "orientation": "h",
                "x": gib,
                "y": list(range(len(said))),
                "width": 0.36,
                "marker": {"color": [colours[one.kind] for one in said]},
                "customdata": [[style.text(one.label), units.binary(one.bytes), style.text(one.note)] for one in said],
                "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
            }
        ],
        {
            "height": 66 + 56 * len(said),
            "margin": {"l": 12, "r": 24, "t": 8, "b": 58},
            "showlegend": False,
            "uirevision": "estimates",
            "xaxis": {
                "range": [0, top / units.GIB * 1.04],
                "gridcolor": style.GRID,
                "zeroline": False,
                "title": {"text": name, "standoff": 8},
                "nticks": 6,
                "ticksuffix": f"{units.THIN}GiB",
            },
            "yaxis": {"range": [len(said) - 0.6, -0.75], "visible": False, "fixedrange": True},
            "shapes": [
                {
                    "type": "line",
                    "x0": measured / units.GIB,
                    "x1": measured / units.GIB,
                    "y0": -0.3,
                    "y1": len(said) - 0.7,
                    "line": {"color": MEMORY.colour, "width": 2, "dash": "dot"},
                    "layer": "below",
                }
            ],
            "annotations": [
                {"text": label, "x": 0, "xanchor": "left", "y": i - 0.24, "yanchor": "bottom", "showarrow": False, "align": "left"}
                for i, label in enumerate(labels)
            ],
        },
    )


def _miss(share: float) -> str:
    return signed(share, 1 if abs(share) < 0.1 else 0)


def signed(share: float, decimals: int = 2) -> str:
    """A relative error in percent with its sign.

    >>> signed(0.0224).replace(units.THIN, " "), signed(-0.004, 1).replace(units.THIN, " "), signed(0.0).replace(units.THIN, " ")
    ('+2.24 %', '−0.4 %', '0 %')
    """
    if abs(share) < 5e-13:
        return f"0{units.THIN}%"
    text = f"{100 * share:+.{decimals}f}"
    return (text if float(text) else text[1:]).replace("-", "−") + f"{units.THIN}%"
