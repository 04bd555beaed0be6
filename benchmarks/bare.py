"""The page that the dashboard is measured against: Streamlit's own slider and chart, as many traces and points as the growth page draws."""

import math

import pandas  # noqa: F401, ICN001 - Streamlit imports it lazily, and twenty first visitors at once would find it half-imported
import plotly.graph_objects as go
import streamlit as st

st.title("One chart")
years = st.slider("Doubles every", 1.0, 40.0, 20.0, 0.5, key="years")
days = [f"{1996 + i // 2}-{1 + 6 * (i % 2):02}-15" for i in range(48)]
data = []
for n, name in enumerate(("compute", "memory", "network")):
    line = [math.exp((i / 2) / (years / 10 + n)) for i in range(48)]
    for width in (1.5, 1.2):
        band = [y * width for y in line] + [y / width for y in reversed(line)]
        data.append({"type": "scatter", "x": days + days[::-1], "y": band, "fill": "toself", "mode": "lines", "hoverinfo": "skip"})
    data.append({"type": "scatter", "x": days, "y": line, "mode": "lines", "hoverinfo": "skip"})
    told = [[f"{name}/{i}", f"{name} point {i}", days[i], f"{line[i]:.3g}", "as measured", "somewhere"] for i in range(20)]
    points = {"x": days[:20], "y": [y * (1 + 0.3 * math.sin(i)) for i, y in enumerate(line[:20])], "text": [row[1] for row in told]}
    data.append({"type": "scatter", "mode": "markers+text", "customdata": told, "hovertemplate": "%{customdata[1]}<br>%{customdata[3]}", **points})
st.plotly_chart(go.Figure({"data": data, "layout": {"yaxis": {"type": "log"}, "height": 470, "showlegend": False}}), key="chart")
