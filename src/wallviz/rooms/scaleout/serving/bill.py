"""What a million tokens cost over chips: chip hours, energy, money."""

from __future__ import annotations

import numpy as np

from wallviz import units
from wallviz.figures.axes import Axis
from wallviz.figures.plane import Line, plane
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.curve import (
    chips_said,
)
from wallviz.rooms.scaleout.over_chips import served
from wallviz.rooms.scaleout.serving.figure import answered
from wallviz.units import duration


def answer(case: Job, view: View) -> Answer:
    """Chip hours of a million tokens over chips, with energy and, at the reader's price, cost."""
    now = served(case, view)
    chips = np.atleast_1d(now.job.curve.chips)
    speed = np.atleast_1d(now.job.curve.tokens_per_s)
    one = now.bill(float(now.job.step.tokens_per_s), now.gpus)
    hours = chips / speed * 1e6 / 3600.0
    here = float(now.gpus / float(now.job.step.tokens_per_s) * 1e6 / 3600.0)
    said = {
        "tokens": units.count(one.tokens),
        "chips": chips_said(now.gpus),
        "time": duration(float(one.seconds)),
        "energy": units.si(float(one.energy_j) / 3600.0, "Wh") if one.energy_j is not None else "–",
    }
    text = _("{tokens} tokens on {chips}: {time} and {energy} at most.").format(**said)
    if one.cost is not None:
        price = units.significant(float(one.cost) / one.tokens * 1e6)
        text = _("{tokens} tokens on {chips}: {time}, {energy} at most, {price} a million at your price.").format(**said, price=price)
    hovers = [
        _("{n} chips: {hours} chip hours").format(n=f"{int(n):,}", hours=units.significant(float(h))) for n, h in zip(chips, hours, strict=True)
    ]
    bills = now.bill(speed, chips)
    return answered(
        now,
        sentence=text,
        drawing=plane(
            [
                Line("bandwidth", _("this job"), chips.tolist(), hours.tolist(), hovers, mode="lines+markers", strong=True),
                Line("bandwidth", _("this job"), [now.gpus], [here], mode="markers", named=False),
            ],
            across=Axis(_("Chips"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Chip hours for a million tokens (log scale)"), lambda v: units.significant(v)),
            revision="scaleout-bill",
        ),
        rows=lambda: tuple(
            {
                _("chips"): int(n), _("tokens/s"): float(r), _("days"): float(s) / 86_400.0, _("chip hours"): float(h),
                _("energy (kWh)"): None if bills.energy_j is None else float(np.broadcast_to(bills.energy_j, chips.shape)[i]) / 3.6e6,
                _("cost (your price)"): None if bills.cost is None else float(np.broadcast_to(bills.cost, chips.shape)[i]),
            }
            for i, (n, r, s, h) in enumerate(
                zip(chips, speed, np.broadcast_to(bills.seconds, chips.shape), np.broadcast_to(bills.chip_hours, chips.shape), strict=True)
            )
        ),
        caption=_("Energy: every chip at its design power times the data centre's overhead, hosts and network left out"),
    )  # fmt: skip
