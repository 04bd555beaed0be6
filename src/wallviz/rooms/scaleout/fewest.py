"""The fewest chips that hold the largest model of each year."""

from __future__ import annotations

import datetime as dt
from functools import cache

from wallviz import catalog, units
from wallviz.engine.scaleout import frontier
from wallviz.engine.scaleout.frontier import Dated
from wallviz.figures.axes import Axis
from wallviz.figures.plane import Line, plane
from wallviz.i18n import _, bracketed, labelled, qualified
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.figure import answered


@cache
def by_year() -> tuple[frontier.FewestChips, ...]:
    """The largest language model of each year on NVIDIA's flagship with the most memory."""
    models = [
        Dated(model.name, model.date, model.parameters, model.source)
        for model in catalog.models("epoch_notable_2026").values()
        if model.parameters
        and model.frontier
        and "language" in model.domains
        and model.confidence in ("confident", "likely")
        and model.date >= dt.date(2017, 1, 1)
    ]
    chips = [
        Dated(chip.name, chip.release_date, chip.memory_bytes, chip.source)
        for chip in catalog.chips().values()
        if chip.flagship and chip.memory_bytes and not chip.announced
    ]
    return frontier.fewest_chips(models, chips)


def answer(_case: Job, _view: View) -> Answer:
    """Chips that hold the largest model of each year, to serve and to train."""
    held = by_year()
    first, last = held[0], held[-1]
    text = _("The largest model of {first} took {a} of its year's flagships to hold, that of {last} takes {b}; to train it {c}.").format(
        first=first.year, a=_chips(first.serving_chips), last=last.year, b=_chips(last.serving_chips), c=_chips(last.training_chips)
    )
    years = [float(one.year) for one in held]
    hover = [
        "\n".join(
            (
                labelled(str(one.year), bracketed(one.model.name, units.count(one.model.size))),
                qualified(one.chip.name, units.si(one.chip.size, "B")),
                f"{one.serving_chips:,} / {one.training_chips:,}",
            )
        )
        for one in held
    ]
    return answered(
        "fewest",
        sentence=text,
        drawing=plane(
            [
                Line("memory", _("to serve it"), years, [float(one.serving_chips) for one in held], hover, mode="lines+markers", strong=True),
                Line("compute", _("to train it"), years, [float(one.training_chips) for one in held], hover, mode="lines+markers", strong=True),
            ],
            across=Axis(_("Year"), lambda v: f"{v:.0f}", log=False, low=years[0] - 0.3, high=years[-1] + 0.1),
            up=Axis(_("Fewest flagship chips that hold the largest model (log scale)"), lambda v: f"{v:,.0f}"),
            revision="scaleout-fewest",
        ),
        rows=lambda: tuple(
            {
                _("year"): one.year, _("model"): one.model.name, _("parameters"): one.model.size, _("chip"): one.chip.name,
                _("bytes"): one.chip.size, _("chips to serve"): one.serving_chips, _("chips to train"): one.training_chips,
            }
            for one in held
        ),
        caption=_("2 bytes a parameter to serve, 16 to train; cache and activations come on top. Parameters as Epoch AI estimates them"),
        explain=lambda: _(
            "⌈bytes per parameter × parameters / memory of one chip⌉: 2 bytes in 16 bits, 16 with gradients, master copy and Adam's moments."
        ),
    )  # fmt: skip


def _chips(n: int) -> str:
    return f"{n:,}"
