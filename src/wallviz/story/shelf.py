"""Step 3: models against the memory of one accelerator."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import catalog, units
from wallviz.curves import BYTES_PER_PARAMETER_DRAWN
from wallviz.i18n import N_
from wallviz.rooms.scaleout import fewest
from wallviz.story import Choice, Guess, Notes, Step, Try, once_a_language
from wallviz.story.demand import trend

_SIZE_2021 = {"figure": "size", "data": "2021"}
_SIZE_2024 = {"figure": "size", "data": "2024"}
_SMALL = ("gholami-params-2021/albert-xxl", "gholami-params-2021/electra-large")
_FRONTIER = {"figure": "size", "data": "today", "frontier": True}


@once_a_language
def _facts() -> Mapping[str, str]:
    claims = catalog.claims()
    size, memory = (trend(curve, **_SIZE_2021) for curve in ("parameters", "accelerator_memory"))
    size_2024 = trend("parameters", **_SIZE_2024)
    held = fewest.by_year()
    return {
        "models": units.claimed(claims["blog_params"].multiplier),
        "memory": units.claimed(claims["blog_accel_memory"].multiplier),
        "compute": units.claimed(claims["blog_compute_all"].multiplier),
        "models_2024": units.claimed(claims["paper_params"].multiplier),
        "drawn": units.significant(BYTES_PER_PARAMETER_DRAWN, 1),
        "fit": units.times(size.multiplier(2.0)),
        "memory_fit": units.times(memory.multiplier(2.0)),
        "fit_2024": units.times(size_2024.multiplier(2.0)),
        "first": f"{size.first.year}",
        "last": f"{size.last.year}",
        "n": f"{size.n}",
        "without_small": units.times(trend("parameters", **_SIZE_2021, without=_SMALL).multiplier(2.0)),
        "without_gshard": units.times(trend("parameters", **_SIZE_2021, without=("gholami-params-2021/gshard",)).multiplier(2.0)),
        "boom": units.times(trend("parameters", **_FRONTIER, window=(2018, 2021)).multiplier(2.0)),
        "since": units.times(trend("parameters", **_FRONTIER, window=(2020, 2025)).multiplier(2.0)),
        "year_before": f"{held[0].year}",
        "chips_before": f"{held[0].serving_chips:,}",
        "year_now": f"{held[-1].year}",
        "chips_now": f"{held[-1].serving_chips:,}",
        "chips_training": f"{held[-1].training_chips:,}",
    }


STEP = Step(
    id="shelf",
    title=N_("The shelf barely grows"),
    standfirst=N_("While models became hundreds of times larger in two years, the memory of one chip doubled."),
    guess=Guess(
        N_("From {first} to {last} Transformers grew {models} per two years. And the memory of one accelerator, the chip that they run on?"),
        (Choice(N_("{memory}"), right=True), Choice(N_("{compute}")), Choice(N_("{models}, as it had to"))),
    ),
    facts=_facts,
    explain=(
        N_(
            "Think of a chip's memory as the shelf on which the model has to stand. In the blog post of 2021, drawn here, models grow {models} "
            "per two years and the shelf {memory}; its points give {fit} and {memory_fit}. The paper of 2024, with newer points, says "
            "{models_2024}. The figure draws the shelf as its authors do: as the parameters that fit at {drawn} bytes each."
        ),
        N_(
            "Then ask who stands on the line. Without GShard, which computes with few of its parameters, the rate is {without_gshard}. Without "
            "the two small models, ALBERT and ELECTRA, it is {without_small}. The largest models of their day grew {boom} per two years from "
            "2018 to 2021, then {since} from 2020 to 2025: the hundreds were an episode. The gap stayed."
        ),
        N_(
            "So even putting the largest model to work is hard. The largest of {year_before} fitted on {chips_before} of that year's best "
            "chips; the largest of {year_now} needs {chips_now}, and {chips_training} to train it."
        ),
    ),
    caveat=N_(
        "A line through {n} models mixes dense ones with sparse ones such as GShard. One chip's memory is one shelf: since then models have been"
        " spread over many."
    ),
    try_it=(
        Try("growth", dict(_SIZE_2021), N_("Untick ALBERT, ELECTRA or GShard")),
        Try("growth", dict(_SIZE_2024), N_("The points of the 2024 paper")),
        Try("growth", _SIZE_2021 | {"scale": "linear"}, N_("The same on a linear axis")),
        Try("scaleout", {"show": "fewest"}, N_("The fewest chips that hold the largest model")),
    ),
    notes=Notes(
        N_("The class sees a gap of two growth rates, and that one of the two depends on who is counted."),
        N_("Is a mixture of experts as large as all of its parameters, or as those that it computes with?"),
        N_(
            "“Models still grow {models_2024} per two years.” So say the points of the paper ({fit_2024}); at the frontier it has been {since}"
            " since 2020. What grows now is data and serving."
        ),
    ),
    term="accelerator_memory",
    claims=("size-against-memory", "largest-models"),
    sources=("epoch_notable_models",),
)
