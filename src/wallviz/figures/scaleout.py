"""The scale-out figures: lines over chips, messages, work or years, with the split of one step under them; and bars of what the wires carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log2, log10
from typing import Any

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import N_, _

#: The parts of a step: name, role.
PARTS: dict[str, tuple[str, str]] = {
    "compute": (N_("Compute"), "compute"),
    "waiting": (N_("Waiting for the wire"), "network"),
    "bubble": (N_("Pipeline bubble"), "reference"),
    "reading": (N_("Reading memory"), "bandwidth"),
}
#: Kinds of parallelism in what the wires carry: name, step of the network hue, dark to light.
KINDS: dict[str, tuple[str, str]] = {
    "data_parallel": (N_("Gradients and weights (data parallel)"), "#8F4271"),
    "tensor_parallel": (N_("Sums within layers (tensor parallel)"), "#C372A0"),
    "context_parallel": (N_("Keys and values (context parallel)"), "#D796BA"),
    "expert_parallel": (N_("Tokens to experts (expert parallel)"), "#E7BBD3"),
    "pipeline_parallel": (N_("Activations between stages (pipeline)"), "#F3DDE9"),
}
EDGE = "#8F4271"
PLANE = 0.62
"""Part of the figure's height that the plane has above the split of a step."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its role, what it is (three lines at most, to stand at its end), its points, and what each says (lines of a hover)."""

    role: str
    label: str
    x: Sequence[float]
    y: Sequence[float]
    hover: Sequence[str] = ()
    dash: str = "solid"
    strong: bool = False
    mode: str = "lines"
    """lines, markers or lines+markers."""
    open: bool = False
    """Open markers: predicted or promised, not measured."""
    named: bool = True
    """Its label stands at its end."""
    at: int = -1
    """Where it ends within the plot: the point beside which its label stands."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: what it shows in words, how a value is said there, log or linear, and its ends where they are fixed."""

    name: str
    said: Callable[[float], str]
    log: bool = True
    base: int = 10
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class CrossLine:
    """A line across the plot at `at`, vertical or horizontal, and its label."""

    at: float
    label: str
    vertical: bool = True
    raised: bool = False
    """A vertical line's label stands above the place of the others, which are at its foot."""


@dataclass(frozen=True, slots=True)
class Split:
    """The split of one step, drawn as one bar: seconds by part (`PARTS`) and how they are said, and what is said above it."""

    title: str
    parts: Mapping[str, tuple[float, str]] = field(default_factory=dict)


def _ticks(axis: Axis, low: float, high: float) -> dict[str, Any]:
    """Range and ticks of `axis` for values from `low` to `high`."""
    low, high = axis.low if axis.low is not None else low, axis.high if axis.high is not None else high
    common = {"gridcolor": style.GRID, "zeroline": False, "ticks": ""}
    if not axis.log:
        room = (high - low) * 0.04 if axis.high is None else 0.0
        step = _round((high - low) / 5 or 1.0)
        first = ceil(low / step - 1e-9)
        values = [step * i for i in range(first, floor((high + room) / step + 1e-9) + 1)]
        return common | {"type": "linear", "range": [low, high + room], "tickvals": values, "ticktext": [axis.said(v) for v in values]}
    margin = (log10(high) - log10(low)) * 0.04 or 0.1
    if axis.base == 2:
        exponents = range(ceil(log2(low) - 1e-9), floor(log2(high) + 1e-9) + 1)
        every = max(1, ceil(len(exponents) / 11))
        values = [2.0**e for e in exponents if (e - exponents[0]) % every == 0]
    elif high / low < 300:
        values = [s * 10.0**d for d in range(floor(log10(low)) - 1, ceil(log10(high)) + 1) for s in (1.0, 2.0, 5.0)]
        values = [v for v in values if log10(low) - margin <= log10(v) <= log10(high) + margin]
    else:
        exponents = range(ceil(log10(low) - margin), floor(log10(high) + margin) + 1)
        every = max(1, ceil(len(exponents) / 8))
        values = [10.0**e for e in exponents if (e - exponents[-1]) % every == 0]
    return common | {
        "type": "log",
        "range": [log10(low) - margin, log10(high) + margin],
        "tickvals": values,
        "ticktext": [axis.said(v) for v in values],
        "minorloglabels": "none",
    }


def _round(step: float) -> float:
    scale: float = 10.0 ** floor(log10(step))
    return next(s * scale for s in (1.0, 2.0, 2.5, 5.0, 10.0) if s * scale >= step * 0.999)


def plane(
    lines: Sequence[Line],
    *,
    across: Axis,
    up: Axis,
    revision: str,
    marks: Sequence[CrossLine] = (),
    split: Split | None = None,
    right: int = 120,
) -> style.Drawing:
    """Lines over one another in one plane, each named at its end (`right`: room for that); with `split` one step's parts as a bar below."""
    shown_x = [x for line in lines for x in line.x] + [mark.at for mark in marks if mark.vertical]
    shown_y = [y for line in lines for y in line.y] + [mark.at for mark in marks if not mark.vertical]
    xaxis, yaxis = _ticks(across, min(shown_x), max(shown_x)), _ticks(up, min(shown_y), max(shown_y))
    data = [_trace(line) for line in lines]
    shapes = [_line_shape(mark) for mark in marks]
    annotations = [_mark_label(mark, across if mark.vertical else up, xaxis["range"]) for mark in marks]
    annotations += _ends([line for line in lines if line.named], xaxis, yaxis, PLANE if split else 1.0)
    more: dict[str, Any] = {"shapes": shapes, "annotations": annotations}
    height = style.HEIGHT
    narrow: dict[str, Any] = {"margin.r": 106, "xaxis.nticks": 5}
    if split is not None:
        height += 56
        bar, below, words, phone = _split(split)
        data += bar
        annotations += words
        for back, text in enumerate(reversed(phone)):  # the name of the figure stands before them
            narrow[f"annotations.{len(annotations) - back}.text"] = text
        yaxis |= {"domain": [1.0 - PLANE, 1.0]}
        narrow |= {"yaxis.domain": [0.46, 1.0], "yaxis2.domain": [0.12, 0.18]}
        more |= below
    drawing = style.layout(
        name=up.name,
        yaxis=yaxis,
        xaxis=xaxis | {"gridcolor": "rgba(0,0,0,0)", "title": {"text": across.name, "font": {"size": 14}, "standoff": 6}, "anchor": "y"},
        revision=revision,
        height=height,
        margin={"l": 62, "r": right, "t": 44, "b": 14 if split else 52},
        narrow=narrow,
        **more,
    )
    return style.Drawing(data, drawing)


def _trace(line: Line) -> dict[str, Any]:
    role = style.ROLES[line.role]
    hover = line.hover or [""] * len(line.x)
    return {
        "type": "scatter",
        "x": list(line.x),
        "y": list(line.y),
        "mode": line.mode,
        "line": {"color": role.colour, "width": 3.2 if line.strong else 2.0, "dash": line.dash},
        "marker": {
            "symbol": role.symbol + ("-open" if line.open else ""),
            "color": role.colour,
            "size": 9,
            "line": {"width": 1.6, "color": role.colour},
        },
        "customdata": [["", _flat(line.label), style.text(text).replace("\n", "<br>")] for text in hover],
        "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<extra></extra>",
        "cliponaxis": False,
    }


def _flat(label: str) -> str:
    """A label on one line."""
    return style.text(label.replace("\n", " "))


def _line_shape(mark: CrossLine) -> dict[str, Any]:
    common = {"type": "line", "line": {"color": style.FAINT, "width": 1.5, "dash": "dot"}, "layer": "below"}
    if mark.vertical:
        return common | {"x0": mark.at, "x1": mark.at, "xref": "x", "yref": "y domain", "y0": 0, "y1": 1}
    return common | {"y0": mark.at, "y1": mark.at, "yref": "y", "xref": "x domain", "x0": 0, "x1": 1}


def _mark_label(mark: CrossLine, axis: Axis, ends: Sequence[float]) -> dict[str, Any]:
    """The label of a mark; that of a vertical one stands left of it where the right end of the axis is near."""
    at = log10(mark.at) if axis.log else mark.at
    common = {"text": style.text(mark.label), "showarrow": False, "align": "left"}
    if mark.vertical:
        y, near = 0.09 if mark.raised else 0, at > ends[0] + 0.7 * (ends[1] - ends[0])
        side: dict[str, Any] = {"xanchor": "right", "xshift": -4} if near else {"xanchor": "left", "xshift": 4}
        return common | side | {"x": at, "xref": "x", "y": y, "yref": "y domain", "yanchor": "bottom"}
    return common | {"y": at, "yref": "y", "yanchor": "bottom", "x": 0, "xref": "x domain", "xanchor": "left", "xshift": 4}


#: Labels of points so near each other, as a share of the height, are written together.
CLOSE = 0.2
#: A line of a label, as a share of the height.
LINE = 0.12


def _ends(lines: Sequence[Line], xaxis: Mapping[str, Any], yaxis: Mapping[str, Any], height: float) -> list[dict[str, Any]]:
    """The label of each line where it ends: right of the plot for those that reach its edge and for clouds of points, else beside its last point.

    `height` is the part of the figure that the plot has.
    """
    edge = max((line.x[-1] for line in lines), default=0.0)
    beside = [line for line in lines if line.x[-1] == edge or line.mode == "markers"]
    at_edge = [style.End(line.y[-1], line.role, *line.label.split("\n", 1)) for line in beside]
    found = style.end_labels(at_edge, dict(yaxis), lines=1)  # the browser, which knows the height, keeps them apart
    log_x, log_y = xaxis["type"] == "log", yaxis["type"] == "log"
    first, last = (log10(x) if log_x else x for x in (min((line.x[0] for line in lines), default=1.0), edge or 1.0))
    low, high = yaxis["range"]
    groups: list[tuple[float, float, list[str]]] = []
    for line in lines:
        if line not in beside:
            x = log10(line.x[line.at]) if log_x else line.x[line.at]
            y = ((log10(line.y[line.at]) if log_y else line.y[line.at]) - low) / (high - low)
            text = f"{style.glyph(line.role)} {style.text(line.label).replace(chr(10), '<br>')}"
            close = [group for group in groups if group[0] == x and abs(group[1] - y) < CLOSE]
            if close:
                close[0][2].append(text)
            else:
                groups.append((x, y, [text]))
    ends = [((log10(end.y) if log_y else end.y) - low) / (high - low) for end in at_edge]
    for x, y, texts in groups:
        back = x > first + 0.7 * (last - first) and any(abs(end - y) < CLOSE for end in ends)  # a phone has no room before the labels of the edge
        under = y + LINE * "<br>".join(texts).count("<br>") > 0.9  # over the plot stands the name of the figure
        found.append(
            {
                "text": "<br>".join(texts),
                "x": x,
                "y": low + y * (high - low),
                "xanchor": "right" if back else "left",
                "xshift": 0 if back else 8,
                "yanchor": "top" if under else "bottom",
                "yshift": -4 if under else 4 if back else 0,
                "showarrow": False,
                "align": "left",
            }
        )
    return found


def _split(split: Split) -> tuple[list[dict[str, Any]], dict[str, Any], list[dict[str, Any]], tuple[str, str]]:
    """One stacked bar of seconds on axes of its own under the plane, the names of its parts below it, and both texts as a phone shows them."""
    total = sum(seconds for seconds, _said in split.parts.values())
    used = {part: pair for part, pair in split.parts.items() if pair[0] > 0}
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "xaxis": "x2",
            "yaxis": "y2",
            "x": [seconds],
            "y": [0],
            "width": 0.8,
            "marker": {"color": style.ROLES[PARTS[part][1]].colour},
            "customdata": [["", _(PARTS[part][0]), f"{said} · {seconds / total:.1%}"]],
            "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<extra></extra>",
        }
        for part, (seconds, said) in used.items()
    ]
    names = [f"{style.glyph(PARTS[part][1])} {_(PARTS[part][0])} {said} ({seconds / total:.0%})" for part, (seconds, said) in used.items()]
    common = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "y2 domain", "showarrow": False, "align": "left"}
    words = [
        common | {"text": f"<b>{style.text(split.title)}</b>", "y": 1, "yanchor": "bottom"},
        common | {"text": "   ".join(names), "y": 0, "yanchor": "top", "name": "split"},
    ]
    axes = {
        "barmode": "stack",
        "xaxis2": {"domain": [0, 1], "anchor": "y2", "range": [0, total], "visible": False, "fixedrange": True},
        "yaxis2": {"domain": [0.08, 0.15], "anchor": "x2", "range": [-0.42, 0.42], "visible": False, "fixedrange": True},
    }
    phone = f"<b>{style.text(split.title).replace(': ', ':<br>').replace('：', '：<br>')}</b>"
    return bars, axes, words, (phone, "<br>".join(names))


@dataclass(frozen=True, slots=True)
class LayoutBar:
    """One way to split a job: its name, bytes by kind of parallelism, and what stands at its end."""

    label: str
    parts: Mapping[str, float]
    note: str = ""
    here: bool = False


def bars(rows: Sequence[LayoutBar], *, name: str, revision: str) -> style.Drawing:
    """Bytes that one GPU sends, by kind, a bar for each way to split; linear, because parts add up."""
    top = max(*(sum(row.parts.values()) for row in rows), 1.0) * 1.14
    places = [-float(i) for i in range(len(rows))]
    kinds = [kind for kind in KINDS if any(row.parts.get(kind) for row in rows)]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "x": [row.parts.get(kind, 0.0) for row in rows],
            "y": places,
            "width": 0.42,
            "marker": {"color": KINDS[kind][1], "line": {"width": 1, "color": EDGE}},
            "customdata": [["", style.text(row.label), _(KINDS[kind][0]), units.si(row.parts.get(kind, 0.0), "B")] for row in rows],
            "hovertemplate": "<b>%{customdata[1]}</b><br>%{customdata[2]}<br>%{customdata[3]}<extra></extra>",
        }
        for kind in kinds
    ]
    annotations = [
        {
            "text": (f"<b>{style.text(row.label)}</b>" if row.here else style.text(row.label)) + (f" · {style.text(row.note)}" if row.note else ""),
            "x": 0, "xanchor": "left", "y": y + 0.21, "yanchor": "bottom", "showarrow": False,
        }
        for row, y in zip(rows, places, strict=True)
    ]  # fmt: skip
    annotations += [
        {
            "text": f"<b>{units.si(sum(row.parts.values()), 'B')}</b>",
            "x": sum(row.parts.values()), "xanchor": "left", "xshift": 6, "y": y, "yanchor": "middle", "showarrow": False,
        }
        for row, y in zip(rows, places, strict=True)
    ]  # fmt: skip
    swatches = [f"<span style='color:{KINDS[kind][1]}'>■</span> {_(KINDS[kind][0])}" for kind in kinds]
    annotations.append(
        {
            "text": "<br>".join("   ".join(swatches[i : i + 2]) for i in range(0, len(swatches), 2)), "xref": "paper", "x": 0, "xanchor": "left",
            "yref": "paper", "y": 1, "yanchor": "bottom", "yshift": 6, "showarrow": False, "align": "left",
        }
    )  # fmt: skip
    step = _round(top / 6)
    ticks = [step * i for i in range(int(top / step) + 1)]
    return style.Drawing(
        data,
        {
            "height": 120 + 62 * len(rows),
            "margin": {"l": 12, "r": 12, "t": 24 + 20 * ceil(len(kinds) / 2), "b": 52},
            "showlegend": False,
            "barmode": "stack",
            "hovermode": "closest",
            "dragmode": "zoom",
            "uirevision": revision,
            "xaxis": {
                "range": [0, top],
                "tickvals": ticks,
                "ticktext": [units.si(tick, "B") for tick in ticks],
                "gridcolor": style.GRID,
                "zeroline": False,
                "title": {"text": name, "font": {"size": 14}, "standoff": 8},
            },
            "yaxis": {"range": [places[-1] - 0.5, 0.75], "visible": False, "fixedrange": True, "type": "linear"},
            "annotations": annotations,
            "meta": {
                "narrow": {
                    "margin.l": 6,
                    "margin.r": 6,
                    "margin.t": 20 + 19 * len(kinds),
                    "xaxis.nticks": 4,
                    f"annotations.{len(annotations) - 1}.text": "<br>".join(swatches),
                }
            },
        },
    )
