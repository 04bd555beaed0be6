"""Show a figure: in place through plotly.js where this server serves it, through ``st.plotly_chart`` otherwise.

Why not ``st.plotly_chart`` alone: it builds a new node on every change, so zoom and selection are lost and a key press takes about
twice as long to reach the chart (docs/decisions/0006-charts-in-place.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from wallviz.rooms import Answer
from wallviz.ui import server
from wallviz.ui.component import component
from wallviz.ui.frame import presents

_CSS = """
.wallviz-chart { width: 100%; position: relative; contain: layout style; }
.wallviz-chart .modebar-btn path { fill: var(--st-text-color) !important; }
.wallviz-chart .modebar-group { background: transparent !important; }
.wallviz-chart[data-present] .modebar { display: none; }
"""
_SAVE_CSS = """
.wallviz-save { display: flex; flex-wrap: wrap; gap: .5rem; }
.wallviz-save button { font: inherit; color: var(--st-text-color); background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: .3rem .8rem; }
.wallviz-save button:hover, .wallviz-save button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
"""


def _nothing() -> None:
    """Streamlit returns a component's state only for names that have a callback."""


def chart(answer: Answer, *, on_click: Callable[[str], None] | None = None) -> None:
    """Draw the figure of `answer` under its takeaway as accessible name; `on_click` is called before the next run with a clicked point's id."""
    name, alt = answer.name, answer.sentence
    key = f"chart_{name}"
    failed = bool(getattr(st.session_state.get(key), "failed", False))
    if failed or not server.serves_plotly() or os.environ.get("WALLVIZ_CHART") == "stock":
        _stock(answer.figure, key=f"{key}_stock", alt=alt, on_click=on_click)
        return

    def clicked() -> None:
        point = st.session_state[key].clicked
        if on_click and isinstance(point, str):
            on_click(point)

    component("chart", "<div class='wallviz-chart' role='figure'></div>", _CSS)(
        key=key,
        data={
            "spec": answer.spec,
            "alt": alt,
            "name": name,
            "clickable": on_click is not None,
            "present": presents(),
            "height": answer.drawing.layout["height"] if answer.drawing else 0,
            "plotly": server.PLOTLY_PATH.lstrip("/"),
        },
        on_clicked_change=clicked,
        on_failed_change=_nothing,
    )


def _stock(figure: go.Figure | None, *, key: str, alt: str, on_click: Callable[[str], None] | None) -> None:
    config = {"displaylogo": False}
    if on_click is None:
        st.plotly_chart(figure, key=key, alt=alt, config=config)
        return

    def selected() -> None:
        points = st.session_state[key]["selection"]["points"]
        if points and points[0].get("customdata"):
            on_click(str(points[0]["customdata"][0]))

    st.plotly_chart(figure, key=key, alt=alt, config=config, on_select=selected, selection_mode="points")


def save_buttons(*, name: str, file: str, **labels: str) -> None:
    """Buttons that save the chart `name` as PNG or SVG and copy its address: all in the browser, nothing reruns.

    `labels` are the words on them: ``png``, ``svg``, ``link``, ``embed``, and ``done`` for a moment after.
    """
    data = {"name": name, "file": file, **labels}
    component("save", "<div class='wallviz-save'></div>", _SAVE_CSS)(key=f"save_{name}", data=data)
