"""The landing figure: how fast one chip could write if arithmetic alone counted, and how fast its memory lets it."""

from __future__ import annotations

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import _


def speed(memory_tokens_per_s: float, compute_tokens_per_s: float) -> style.Drawing:
    """Two bars to the same scale, tokens per second: the bound of arithmetic and the bound of memory."""
    rows = [
        (_("Arithmetic would allow"), compute_tokens_per_s, "compute"),
        (_("Memory allows"), memory_tokens_per_s, "bandwidth"),
    ]
    top = max(value for _label, value, _role in rows)
    return style.Drawing(
        [
            {
                "type": "bar",
                "orientation": "h",
                "x": [value for _label, value, _role in rows],
                "y": [0, 1],
                "width": 0.42,
                "marker": {"color": [style.ROLES[role].colour for _label, _value, role in rows]},
                "customdata": [[label, units.significant(value)] for label, value, _role in rows],
                "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]} " + _("tokens/s") + "<extra></extra>",
            }
        ],
        {
            "height": 250,
            "margin": {"l": 12, "r": 12, "t": 8, "b": 40},
            "showlegend": False,
            "uirevision": "speed",
            "bargap": 0.5,
            "xaxis": {
                "range": [0, top * 1.04],
                "gridcolor": style.GRID,
                "zeroline": False,
                "nticks": 5,
                "tickformat": ",",
                "title": {"text": _("Tokens per second, at most"), "font": {"size": 14}, "standoff": 8},
                "fixedrange": True,
            },
            "yaxis": {"range": [-0.4, 1.75], "visible": False, "fixedrange": True},
            "annotations": [
                {
                    "text": f"{style.glyph(role)} {label}: <b>{units.significant(value)}</b> {_('tokens/s')}",
                    "x": 0,
                    "xanchor": "left",
                    "y": i + 0.24,
                    "yanchor": "bottom",
                    "showarrow": False,
                }
                for i, (label, value, role) in enumerate(rows)
            ],
        },
    )
