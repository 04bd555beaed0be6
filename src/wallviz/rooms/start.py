"""The landing page's answers: how fast a chip can write, and the article's claims as large numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

from wallviz import catalog, units
from wallviz.case import Case
from wallviz.engine import growth
from wallviz.engine.hardware import Accelerator
from wallviz.engine.roofline.decode import DecodeCeiling, decode_ceiling
from wallviz.errors import InputError
from wallviz.figures.speed import speed
from wallviz.i18n import N_, _, bracketed, labelled, language
from wallviz.params import Param, choice
from wallviz.rooms import Answer, Card
from wallviz.rooms.growth import interval, rate

FORMATS: dict[str, tuple[str, float]] = {"16": (N_("16 bits"), 2.0), "8": (N_("8 bits"), 1.0), "4": (N_("4 bits"), 0.5)}
PARAMS: tuple[Param, ...] = (choice("weights", FORMATS, "16"),)

#: The claims of the landing page: role, the claim of the 2024 edition and that of 2021.
HEADLINES = (
    ("compute", "paper_params", ("blog_params",)),
    ("compute", "paper_compute_transformer", ("blog_compute_transformer", "blog_compute_all")),
    ("memory", "paper_accel_memory", ("blog_accel_memory",)),
    ("compute", "paper_hw_flops_20y", ("blog_hw_flops_20y",)),
    ("bandwidth", "paper_dram_bw_20y", ("blog_dram_bw_20y",)),
    ("network", "paper_interconnect_bw_20y", ("blog_interconnect_bw_20y",)),
)


def question(case: Case) -> str:
    """The page's title, with the chip's own bandwidth in it."""
    bandwidth = catalog.chip(case.chip).memory_bytes_per_s
    return _("How fast can {bandwidth} write?").format(bandwidth=units.si(bandwidth, "B/s")) if bandwidth else _("How fast can a chip write?")


def answer(case: Case, view: Mapping[str, object]) -> Answer:
    """The upper bound of one token stream on the case's chip."""
    return _answer(case, str(view["weights"]), language())


@lru_cache(maxsize=512)
def _answer(case: Case, weights: str, _language: str) -> Answer:
    chip, model = catalog.chip(case.chip), catalog.presets()[case.model]
    words, size = FORMATS[weights]
    try:
        ceiling = decode_ceiling(model.active_parameters, chip, bytes_per_parameter=size)
    except InputError as error:
        return Answer("speed", str(error), None)
    fast = units.significant(ceiling.tokens_per_s)
    fits = chip.memory_bytes is None or model.parameters * size <= chip.memory_bytes
    if not fits:
        template = _("If one {chip} could hold {model}, it would write at most {n} tokens/s at batch 1.")
    elif ceiling.memory_tokens_per_s < ceiling.compute_tokens_per_s:
        template = _("{chip} writes at most {n} tokens/s with {model} at batch 1: memory sets the pace, {times} below arithmetic.")
    else:
        template = _("{chip} writes at most {n} tokens/s with {model} at batch 1: arithmetic sets the pace.")
    times = units.times(ceiling.compute_tokens_per_s / ceiling.memory_tokens_per_s)
    sentence = template.format(chip=chip.name.partition(" (")[0], n=fast, model=model.name, times=times)
    problems = (
        ()
        if fits or chip.memory_bytes is None
        else (
            _("These weights need {need}; one {chip} holds {have}. Several chips share both the weights and the reading.").format(
                need=units.si(model.parameters * size, "B", 4), chip=chip.name, have=units.si(chip.memory_bytes, "B", 4)
            ),
        )
    )
    return Answer(
        name="speed",
        sentence=sentence,
        drawing=speed(ceiling),
        sure=_("a rule: bandwidth over weights"),
        trust="green",
        caption=_("Batch 1, {words} a weight, every weight read; embeddings that are only looked up and the KV cache: see the roofline.").format(
            words=_(words)
        ),
        explain=partial(_why, chip, ceiling),
        problems=problems,
        rows=partial(_table, ceiling),
        sources=tuple(dict.fromkeys(one for one in (*chip.source.split(";"), *model.source.split(";")) if one)),
    ).with_spec()


def _why(chip: Accelerator, ceiling: DecodeCeiling) -> str:
    return _(
        "Every token needs every active weight once: {weights} at {bandwidth} takes {time}. Each weight is used for one multiply and one add, "
        "{intensity} FLOP per byte, while the chip could do {ridge}. The KV cache, activations and engine overheads come on top: "
        "this is a bound, not a forecast."
    ).format(
        weights=units.si(ceiling.weights_bytes, "B"),
        bandwidth=units.si(chip.memory_bytes_per_s or 0.0, "B/s"),
        time=units.si(1 / ceiling.memory_tokens_per_s, "s"),
        intensity=units.significant(ceiling.flop_per_byte),
        ridge=units.significant(ceiling.ridge_flop_per_byte),
    )


def _table(ceiling: DecodeCeiling) -> tuple[dict[str, object], ...]:
    return (
        {_("bound"): _("Memory"), _("tokens/s"): ceiling.memory_tokens_per_s},
        {_("bound"): _("Arithmetic"), _("tokens/s"): ceiling.compute_tokens_per_s},
    )


@lru_cache(maxsize=4)
def _headlines(_language: str) -> tuple[Card, ...]:
    cards = []
    for role, late, early in HEADLINES:
        new = catalog.claims()[late]
        trend = growth.fit(new.points)
        period = _("in {n} years").format(n=f"{new.period_years:g}")
        before = [catalog.claims()[c] for c in early]
        said = [units.claimed(old.multiplier) if old.what == new.what else bracketed(units.claimed(old.multiplier), _(old.what)) for old in before]
        cards.append(
            Card(
                role,
                _("{what}, {period}").format(what=_(new.what), period=period),
                units.claimed(new.multiplier),
                units.times(trend.multiplier(new.period_years)),
                f"{interval(trend, new.period_years)} · {rate(trend)}",
                labelled(_("2021 blog"), " · ".join(said)),
            )
        )
    return tuple(cards)


def headlines() -> tuple[Card, ...]:
    """The article's claims beside their refits, in the language in use."""
    return _headlines(language())
