"""Step 2: how fast the compute of training grew, and the simple rules behind it."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import catalog, units
from wallviz.engine.growth import Trend
from wallviz.engine.scaleout import scaling_laws
from wallviz.i18n import N_
from wallviz.rooms import growth
from wallviz.story import Choice, Guess, Notes, Step, Try, once_a_language

#: GPT-3's parameters and tokens (arXiv 2005.14165, table 2.1): the budget that the rules are asked about.
GPT3_PARAMETERS, GPT3_TOKENS = 175e9, 300e9


def trend(curve: str, **chosen: object) -> Trend:
    """The line through one curve of the growth room, as a view of it has it."""
    return next(f.trend for f in growth.fits(growth.View(**chosen))[0] if f.curve.id == curve and f.trend)  # type: ignore[arg-type]


@once_a_language
def _facts() -> Mapping[str, str]:
    claims = catalog.claims()
    fitted, every = (trend(curve, figure="compute", data="2021") for curve in ("transformers", "all"))
    without = trend("transformers", figure="compute", data="2021", without=("gholami-compute-2021/gpt-3",))
    today = trend("training_compute", figure="compute", data="today")
    low, high = fitted.multiplier_interval(2.0)
    C = scaling_laws.training_flop(GPT3_PARAMETERS, GPT3_TOKENS)
    (kaplan, few), (chinchilla, many) = scaling_laws.kaplan(C), scaling_laws.chinchilla(C)
    return {
        "moore": units.claimed(claims["blog_moore"].multiplier),
        "every": units.claimed(claims["blog_compute_all"].multiplier),
        "transformers": units.claimed(claims["blog_compute_transformer"].multiplier),
        "every_fit": units.times(every.multiplier(2.0)),
        "fit": units.times(fitted.multiplier(2.0)),
        "n": f"{fitted.n}",
        "years": units.significant((fitted.last - fitted.first).days / 365.25, 2),
        "first": f"{fitted.first.year}",
        "last": f"{fitted.last.year}",
        "low": units.times(low),
        "high": units.times(high),
        "without": units.times(without.multiplier(2.0)),
        "today": units.times(today.multiplier(2.0)),
        "today_n": f"{today.n:,}",
        "kaplan": units.count(float(kaplan)),
        "kaplan_bytes": units.si(float(scaling_laws.cost(kaplan, few).weights_bytes), "B"),
        "chinchilla": units.count(float(chinchilla)),
        "chinchilla_bytes": units.si(float(scaling_laws.cost(chinchilla, many).weights_bytes), "B"),
    }


STEP = Step(
    id="demand",
    title=N_("Demand explodes"),
    standfirst=N_("Within two years training a large model took hundreds of times more arithmetic; Moore's law promises a doubling."),
    guess=Guess(
        N_(
            "By Moore's law chips double every two years. How fast did the arithmetic to train Transformers, the models behind chatbots, grow "
            "from {first} to {last}, per two years?"
        ),
        (Choice(N_("{moore}, as chips do")), Choice(N_("{every}")), Choice(N_("{transformers}"), right=True)),
    ),
    facts=_facts,
    explain=(
        N_(
            "In 2021 Amir Gholami and colleagues published “AI and Memory Wall” (a paper followed in 2024); this story recomputes the article's "
            "figures. It names two rates per two years: {every} for models of vision, language and speech together, {transformers} for "
            "Transformers. Lines through its own points give {every_fit} and {fit}: the numbers hold."
        ),
        N_(
            "But they stand on little: {n} models in {years} years. With 95% confidence the rate is anything from {low} to {high}. Without GPT-3"
            " it is {without}. For all {today_n} models with known compute since 2010 the rate is {today}."
        ),
        N_(
            "Why always a larger model? By a simple scaling rule its error (the loss) falls steadily with more parameters and training tokens, a"
            " power law: larger was always better. For GPT-3's compute Kaplan's rule takes {kaplan} parameters, the later Chinchilla rule "
            "{chinchilla}; serving them reads {kaplan_bytes} or {chinchilla_bytes} a token. Neither counts bytes; depth, width and data are "
            "still found by trying."
        ),
    ),
    caveat=N_(
        "The points are estimates. The steep line ends with GPT-3, by far its largest point, and so short a time says little about the next years."
    ),
    try_it=(
        Try("growth", {"figure": "compute", "data": "2021"}, N_("Take points out and watch the line turn")),
        Try("growth", {"figure": "compute", "data": "today"}, N_("The same with all models since 2010")),
        Try("scaleout", {"show": "rules"}, N_("What each scaling rule makes of a budget")),
    ),
    notes=Notes(
        N_("The class separates a claim, its refit and its interval, and knows that N parameters and D tokens cost C = 6·N·D FLOP to train."),
        N_("Which single point would you take out to make the claim smaller, and may you?"),
        N_("“A steep line is a sure line.” Its slope is steep and loose at once: {n} points allow anything from {low} to {high}."),
    ),
    term="scaling_law",
    claims=("compute-all", "compute-transformers", "simple-rules"),
    sources=("kaplan_2020", "hoffmann_2022"),
)
