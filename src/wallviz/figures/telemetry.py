"""The last minutes of the GPUs: a panel for each quantity over one axis of time, a line for each GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wallviz.figures import style

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""GPUs, in their order: one colour for all, told apart by dashes and the names at their ends."""
MOST_NAMES = 4
"""Names that a panel has room for at the ends of its lines; of more GPUs only the highest and the lowest are named."""
PANEL = 96
"""Height of a panel with its name, in pixels."""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU at `seconds` before now (negative). `value` None leaves a gap; `said` goes to the hover; `marked` stands out."""

    seconds: float
    value: float | None
    said: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class GpuReadings:
    """One GPU's points, oldest first."""

    label: str
    points: tuple[GpuReading, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity of every GPU, from 0 to `top`, which `top_said` names on the axis; `role` colours it."""

    name: str
    role: str
    series: tuple[GpuReadings, ...]
    top: float
    top_said: str


def history(panels: Sequence[Panel], *, span_s: float, ticks: Sequence[tuple[float, str]], revision: str) -> style.Drawing:
    """Panels under each other over the last `span_s` seconds; `ticks` are seconds before now and their words."""
    axes = {"y" if i == 0 else f"y{i + 1}": _axis(panel, i, len(panels)) for i, panel in enumerate(panels)}
    first, *others = axes.items()
    data: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for (name, axis), panel in zip(axes.items(), panels, strict=True):
        for dash, series in zip(DASHES * len(panel.series), panel.series, strict=False):
            data += [_line(series, panel.role, dash, name)]
        data += [_marks(panel, name)] if any(point.marked for series in panel.series for point in series.points) else []
        annotations += _names(panel, axis, name)
        annotations += [_title(panel.name, axis["domain"][1])] if panel is not panels[0] else []
    drawn = style.layout(
        name=style.text(panels[0].name),
        yaxis=first[1],
        xaxis={
            "type": "linear",
            "range": [-span_s, span_s * 0.01],
            "tickvals": [seconds for seconds, _words in ticks],
            "ticktext": [words for _seconds, words in ticks],
            "anchor": [*axes][-1],
            "fixedrange": True,
        },
        revision=revision,
        right=64,
        height=70 + PANEL * len(panels),
        narrow={"margin.r": 58, "margin.t": 44, **{f"yaxis{name[1:]}.ticktext.0": "" for name in [*axes][:-1]}},
        annotations=annotations,
        **{f"yaxis{name[1:]}": axis for name, axis in others},
    )
    return style.Drawing(data, drawn)


def _axis(panel: Panel, place: int, count: int) -> dict[str, Any]:
    top = 1 - place / count
    return {
        "type": "linear",
        "domain": [top - 0.62 / count, top] if count > 1 else [0, 1],
        "range": [0, panel.top * 1.12],
        "tickvals": [0, panel.top],
        "ticktext": ["0", panel.top_said],
        "gridcolor": style.GRID,
        "zeroline": True,
        "zerolinecolor": style.GRID,
        "showline": False,
        "ticks": "",
        "fixedrange": True,
    }


def _line(series: GpuReadings, role: str, dash: str, axis: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [point.seconds for point in series.points],
        "y": [point.value for point in series.points],
        "yaxis": axis,
        "connectgaps": False,
        "line": {"color": style.ROLES[role].colour, "width": 2, "dash": dash},
        "customdata": [["", style.text(series.label), style.text(point.said)] for point in series.points],
        "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<extra></extra>",
        "cliponaxis": False,
    }


def _marks(panel: Panel, axis: str) -> dict[str, Any]:
    marked = [point for series in panel.series for point in series.points if point.marked and point.value is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [point.seconds for point in marked],
        "y": [point.value for point in marked],
        "yaxis": axis,
        "marker": {"symbol": "triangle-down", "size": 6, "color": style.ROLES["compute"].colour},
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def _names(panel: Panel, axis: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The GPUs at the ends of their lines, where there are several; apart, as much as the height of a panel allows."""
    ends = [style.End(point.value, panel.role, series.label) for series in panel.series if (point := _last(series)) and point.value is not None]
    if len(panel.series) < 2:
        return []
    if len(ends) > MOST_NAMES:
        ordered = sorted(ends, key=lambda end: end.y)
        ends = [ordered[0], ordered[-1]]
    return [label | {"name": "gpu", "yref": name} for label in style.end_labels(ends, axis, lines=5)]


def _last(series: GpuReadings) -> GpuReading | None:
    return series.points[-1] if series.points else None


def _title(name: str, top: float) -> dict[str, Any]:
    return {
        "text": style.text(name), "xref": "paper", "x": 0, "xanchor": "left", "xshift": -52, "yref": "paper", "y": top, "yanchor": "bottom",
        "yshift": 2, "showarrow": False, "align": "left",
    }  # fmt: skip
