"""Measured all-reduces by size, and the latency and bandwidth fitted to them."""

from __future__ import annotations

from functools import partial

import numpy as np

from wallviz import units
from wallviz.engine.scaleout import collectives
from wallviz.engine.scaleout.alpha_beta import AlphaBeta
from wallviz.errors import InputError
from wallviz.figures.axes import Axis
from wallviz.figures.plane import CrossLine, Line, plane
from wallviz.i18n import N_, _, followed, labelled
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout.choices import WIRES, View
from wallviz.rooms.scaleout.figure import answered
from wallviz.validation import scaling_cases


def answer(_case: Job, view: View) -> Answer:
    """One measured all-reduce sweep as bus bandwidth over message size, with the alpha-beta pair fitted to it and the rate of the links."""
    found = scaling_cases.sweeps().get(view.sweep)
    if found is None:
        raise InputError(N_("no sweep of {name} ships: choose another one"), name=view.sweep)
    sizes = np.asarray(found.sizes_bytes)
    measured = found.factor * sizes / np.asarray(found.measured_s)
    fine = np.geomspace(sizes[0], sizes[-1], 60)
    fitted = found.factor * fine / found.seconds(fine)
    text = _("{name}: {alpha} to start, then {beta}; the worst of {n} points is off by {worst}.").format(
        name=view.sweep,
        alpha=units.si(found.alpha_s, "s"),
        beta=units.si(found.beta_bytes_per_s, "B/s"),
        n=len(sizes),
        worst=units.percent(found.worst),
    )
    wire_rate = next((rate for letter, rate in WIRES.items() if f"× {letter}" in view.sweep), None)
    hover = [
        labelled(units.si(float(s), "B"), f"{units.si(float(t), 's')} = {units.si(float(m), 'B/s')}\n")
        + _("predicted {miss}").format(miss=units.percent(miss, signed=True))
        for s, t, m, miss in zip(sizes, found.measured_s, measured, found.misses, strict=True)
    ]
    return answered(
        "sweeps",
        sentence=text,
        drawing=plane(
            [
                Line("network", _("α + bytes/β"), fine.tolist(), fitted.tolist(), [units.si(float(v), "B/s") for v in fitted]),
                Line("network", _("measured"), sizes.tolist(), measured.tolist(), hover, mode="markers", named=False),
            ],
            across=Axis(_("Size of the message (log scale)"), lambda v: units.si(v, "B", digits=1)),
            up=Axis(_("Bus bandwidth of an all-reduce (log scale)"), lambda v: units.si(v, "B/s", digits=1)),
            marks=(CrossLine(wire_rate, _("the links of one chip, one direction: {rate}").format(rate=units.si(wire_rate, "B/s")), vertical=False),)
            if wire_rate
            else (),
            revision="scaleout-sweeps",
        ),
        rows=partial(_sweep_rows, found),
        caption=_("Fitted by least squares of relative misses; bus bandwidth counts what a ring would send."),
        explain=partial(_why_sweep, found),
        sure=_("mean miss {mean}").format(mean=units.percent(found.mean)),
        trust="green" if found.mean < 0.1 else "orange",
    )


def _sweep_rows(found: AlphaBeta) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("bytes"): size, _("measured (s)"): seconds, _("predicted (s)"): float(found.seconds(size)),
            _("miss"): units.percent(miss, 1, signed=True),
        }
        for size, seconds, miss in zip(found.sizes_bytes, found.measured_s, found.misses, strict=True)
    )  # fmt: skip


def _why_sweep(found: AlphaBeta) -> str:
    ratio = float(collectives.all_reduce_bytes(1.0, 8) / collectives.in_network_all_reduce_bytes(1.0, 8))
    return "\n".join(
        [
            f"t = α + 2(n−1)/n · S/β = {units.si(found.alpha_s, 's')} + {units.significant(found.factor)} · S / "
            + units.si(found.beta_bytes_per_s, "B/s"),
            "",
            _("A message of {size} takes as long to start as to travel.").format(size=units.si(found.half_bytes, "B")),
            "",
            followed(
                _("With SHARP the switch adds up: a chip sends (n+1)/n · S and not 2(n−1)/n · S."),
                _("Benchmarks still multiply by the ring's factor, so eight full links report up to {ratio} times their rate.").format(
                    ratio=units.significant(ratio)
                ),
            ),
            "",
            _("The knee is the least true part: algorithms and protocols change with size, one pair of numbers does not."),
        ]
    )
