"""What a whole run costs over chips: days, energy, money."""

from __future__ import annotations

from functools import partial

import numpy as np

from wallviz import units
from wallviz.engine.scaleout.phrases import rate
from wallviz.figures.axes import Axis
from wallviz.figures.plane import CrossLine, Line, plane
from wallviz.i18n import _, labelled
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout.choices import View, tokens
from wallviz.rooms.scaleout.curve import chips_said, doubtful
from wallviz.rooms.scaleout.figure import answered
from wallviz.rooms.scaleout.over_chips import Study, study
from wallviz.units import DAY_S, duration


def answer(case: Job, view: View) -> Answer:
    """Days of a training run over chips, with energy and, at the reader's price, cost."""
    now = study(case, view)
    curve = now.job.strong
    bills = now.bill(curve.tokens_per_s, curve.chips.astype(float))
    days = np.broadcast_to(np.asarray(bills.seconds) / DAY_S, curve.chips.shape)
    one = now.bill(float(now.job.step.tokens_per_s), now.gpus)
    words = {
        "tokens": units.count(one.tokens),
        "chips": chips_said(now.gpus),
        "days": duration(float(one.seconds)),
        "energy": units.si(float(one.energy_j) / 3600.0, "Wh") if one.energy_j is not None else "–",
    }
    if one.cost is not None:
        text = _("{tokens} tokens on {chips}: {days}, {energy} at most, {cost} at your price.").format(**words, cost=units.count(float(one.cost)))
    else:
        text = _("{tokens} tokens on {chips}: {days} and {energy} at most.").format(**words)
    ideal = float(days[0]) * curve.chips[0] / curve.chips
    hover = [labelled(f"{int(n):,}", duration(float(d) * DAY_S)) for n, d in zip(curve.chips, days, strict=True)]
    return answered(
        "bill",
        **doubtful(now.job.runs_out),
        sentence=text,
        drawing=plane(
            [
                Line("reference", _("ideal"), curve.chips.tolist(), ideal.tolist(), dash="dot", named=False),
                Line("compute", _("this job"), curve.chips.tolist(), days.tolist(), hover, mode="lines+markers", strong=True),
            ],
            across=Axis(_("Chips"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Days for {tokens} tokens (log scale; dotted: no chip waits)").format(tokens=words["tokens"]), lambda v: units.significant(v)),
            marks=(CrossLine(now.gpus, _("{n} chips").format(n=f"{now.gpus:,}")),) if now.gpus in curve.chips else (),
            revision="scaleout-bill",
        ),
        rows=partial(_bill_rows, now),
        caption=_("Energy: every chip at its design power times the data centre's overhead, hosts and network left out"),
        explain=partial(_why_bill, now),
    )


def _bill_rows(now: Study) -> tuple[dict[str, object], ...]:
    chips = now.job.strong.chips
    bills = now.bill(now.job.strong.tokens_per_s, chips.astype(float))
    return tuple(
        {
            _("chips"): int(n),
            _("days"): float(np.broadcast_to(bills.seconds, chips.shape)[i]) / DAY_S,
            _("chip hours"): float(np.broadcast_to(bills.chip_hours, chips.shape)[i]),
            _("energy (kWh)"): None if bills.energy_j is None else float(np.broadcast_to(bills.energy_j, chips.shape)[i]) / 3.6e6,
            _("cost (your price)"): None if bills.cost is None else float(np.broadcast_to(bills.cost, chips.shape)[i]),
        }
        for i, n in enumerate(chips)
    )


def _why_bill(now: Study) -> str:
    one = now.job.step
    tdp = "–" if now.chip.tdp_w is None else units.si(now.chip.tdp_w, "W")
    return "\n".join(
        [
            labelled(f"- {_('time')}", f"T / (tokens/s) = {units.count(tokens(now.case, now.view))} / {rate(float(one.tokens_per_s))}"),
            labelled(f"- {_('energy')}", f"n · TDP · PUE · t = {now.gpus:,} · {tdp} · {now.view.pue_percent / 100:g}"),
            "- " + _("cost: chip hours times your price; type it under Settings"),
        ]
    )
