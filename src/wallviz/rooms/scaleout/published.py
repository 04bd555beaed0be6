"""Published runs on many chips beside their prediction."""

from __future__ import annotations

from functools import cache

import numpy as np

from wallviz import catalog, units
from wallviz.figures.axes import Axis
from wallviz.figures.plane import Line, plane
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout import certainty
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.figure import answered
from wallviz.validation import scaling_cases

_GROUPS: tuple[tuple[str, str, str], ...] = (
    ("weak", N_("Megatron,\nmodel grows"), "compute"),
    ("PTD", N_("Megatron,\nsame model"), "memory"),
    ("ZeRO-3", N_("ZeRO-3,\nsame model"), "network"),
    ("llama", N_("Llama 3 405B"), "bandwidth"),
)


def answer(_case: Job, _view: View) -> Answer:
    """Share of the peak of published runs, predicted over published."""
    groups = _shares()
    lines = [
        Line(
            role,
            _(name),
            [p for p, _q, _text in points],
            [q for _p, q, _text in points],
            [text for _p, _q, text in points],
            mode="markers",
        )
        for key, name, role in _GROUPS
        if (points := groups.get(key, ()))
    ]
    misses = np.array([q / p - 1 for points in groups.values() for p, q, _text in points])
    large = np.array([q / p - 1 for key in ("weak", "PTD", "llama") for p, q, _text in groups.get(key, ())])
    text = _("{n} published runs: the model is {median} too fast at the median; ZeRO-3 across nodes is missed by up to {worst} times.").format(
        n=len(misses), median=units.percent(float(np.median(large))), worst=units.significant(float(misses.max() + 1), 2)
    )
    return answered(
        "published",
        sentence=text,
        drawing=plane(
            [Line("reference", _("as published"), [0.1, 0.75], [0.1, 0.75], named=False, dash="dot"), *lines],
            across=Axis(_("Share of the peak as published"), units.percent, log=False, low=0.1, high=0.75),
            up=Axis(_("Share of the peak as predicted · on the dotted line: right"), units.percent, log=False, low=0.1, high=0.75),
            revision="scaleout-published",
        ),
        rows=certainty.table,
        caption=_("One efficiency of matrix products, 70% of the peak, for all; recomputed work counts as the papers count it"),
        explain=_why_published,
    )


_HOW = N_(
    "Nothing of the model is fitted to these runs. All are predicted with one efficiency of matrix products, one of the bandwidth and one of links, "
    "partial overlap, "
    "micro-batches of one sequence where none is named, and adapters of 200 Gbit/s for each A100 and 400 Gbit/s for each H100, as NVIDIA's "
    "machines of the time had them."
)


def _why_published() -> str:
    return "\n".join(
        [_("Predicted share = FLOP of a chip, recomputed work included, over what its peak would do in the time of the step."), "", _(_HOW)]
    )


@cache
def _shares() -> dict[str, tuple[tuple[float, float, str], ...]]:
    """Published and predicted share of the peak and what to say, by group; a run that several rows tell of stands once."""
    found: dict[str, dict[object, tuple[float, float, str]]] = {}
    for one in scaling_cases.runs():
        i, case = one.row.inputs, one.row.case
        peak = catalog.chips()[one.row.chip].peak("bf16") if one.row.chip else None
        if case not in _PER_GPU or not peak:
            continue
        scale = 1.0 if one.row.unit == "ratio" else 1.0 / peak / (i["gpus"] if case == "weak_scaling_rate" else 1.0)
        group = "llama" if "model" in i else i.get("scheme", "weak")
        size = units.count(i["parameters"]) if "parameters" in i else i["model"]
        shares = f"{units.percent(one.row.expected * scale)} → {units.percent(one.predicted * scale)}"
        text = _("{size} on {n} chips").format(size=size, n=f"{i['gpus']:,}") + f"\n{shares}"
        key = (group, i.get("parameters"), i["gpus"], i.get("sequence_length"))
        found.setdefault(group, {}).setdefault(key, (one.row.expected * scale, one.predicted * scale, text))
    return {group: tuple(sorted(points.values())) for group, points in found.items()}


_PER_GPU = ("weak_scaling_rate_per_gpu", "weak_scaling_share_of_peak", "weak_scaling_rate", "strong_scaling_rate_per_gpu", "mfu", "rate_per_gpu")
