"""The landing page's answers: how fast a chip can write, and the article's claims as large numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

from wallviz import catalog, units
from wallviz.engine import growth
from wallviz.engine.hardware import Accelerator
from wallviz.engine.roofline.step import StepBound
from wallviz.errors import InputError
from wallviz.figures.axes import Axis
from wallviz.figures.bars import bars, value
from wallviz.figures.style import Drawing
from wallviz.i18n import N_, _, bracketed, labelled, language
from wallviz.job import Job
from wallviz.rooms import Answer, Card
from wallviz.rooms.bound import bound, tokens_per_s, too_small
from wallviz.rooms.footprint.need import estimate
from wallviz.rooms.growth import interval, rate
from wallviz.rooms.job import architecture, chip, chip_name, said

#: Formats that the page offers, and what older links called them.
FORMATS = {"bf16": N_("16 bits"), "fp8": N_("8 bits"), "awq-4": N_("4 bits")}
RENAMED = {"weights": ("format", {"16": "bf16", "8": "fp8", "4": "awq-4"})}

#: The claims of the landing page: role, the claim of the 2024 edition and that of 2021, the figure of the growth room that draws it.
HEADLINES = (
    ("compute", "paper_params", ("blog_params",), "size"),
    ("compute", "paper_compute_transformer", ("blog_compute_transformer", "blog_compute_all"), "compute"),
    ("memory", "paper_accel_memory", ("blog_accel_memory",), "size"),
    ("compute", "paper_hw_flops_20y", ("blog_hw_flops_20y",), "gap"),
    ("bandwidth", "paper_dram_bw_20y", ("blog_dram_bw_20y",), "gap"),
    ("network", "paper_interconnect_bw_20y", ("blog_interconnect_bw_20y",), "gap"),
)


def wall() -> str:
    """The memory wall in one sentence."""
    return _(
        "Arithmetic grows much faster than the memory that feeds it: in **capacity** and in **bandwidth**, at every level from the chip's own "
        "storage to the network. So AI mostly waits for data, not for arithmetic. That is the memory wall."
    )


def article() -> str:
    """Whose claims these are, in one sentence."""
    return _(
        "In 2021 Amir Gholami and colleagues wrote “AI and Memory Wall”, in 2024 the paper of that name: large are the factors of the paper, "
        "below them what a line through its points gives."
    )


def answer(case: Job) -> Answer:
    """The upper bound of the job on its chips, in the language in use: what the roofline page says of it too."""
    return _answer(case, language())


def formats(case: Job) -> dict[str, str]:
    """Formats to choose from: three, and the job's own where it is another."""
    return {id: _(name) for id, name in FORMATS.items()} | ({} if case.format in FORMATS else {case.format: said("format", case)})


@lru_cache(maxsize=512)
def _answer(case: Job, _language: str) -> Answer:
    try:
        arch, card = architecture(case), chip(case)
        one, need = bound(case), estimate(case)
    except InputError as error:
        return Answer("speed", str(error), None, sure=_("cannot run"), trust="red")
    memory, several = str(one.bound) == "bandwidth", case.chips > 1
    if one.phase == "train":
        template = _("{chip} trains {model} with at most {n}: {pace}")
    elif one.phase == "prefill":
        template = (
            _("{chip} read prompts for {model} at no more than {n}: {pace}")
            if several
            else _("{chip} reads prompts for {model} at no more than {n}: {pace}")
        )
    else:
        template = (
            _("{chip} generate at most {n} with {model} at batch {batch}: {pace}")
            if several
            else _("{chip} generates at most {n} with {model} at batch {batch}: {pace}")
        )
    pace = _("memory sets the pace, {times} below arithmetic.") if memory else _("arithmetic sets the pace, {times} below memory.")
    fits = not need.verdict.doubtful
    if not fits:
        template = _("If {chip} could hold {model}: at most {n} at batch {batch}.")
    limits = ceilings(one)
    rate = {"rate": units.significant(tokens_per_s(case, one))}
    name = chip_name(case).partition(" (")[0]
    sentence = template.format(
        chip=f"{case.chips:,} × {name}" if several and case.serves else name,
        n=_("{rate} tokens/s per chip").format(**rate) if case.chips > 1 and not case.serves else _("{rate} tokens/s").format(**rate),
        model=arch.name,
        batch=f"{case.batch:,}",
        pace=pace.format(times=units.times(max(limits.values()) / min(limits.values()))),
    )
    problems: tuple[str, ...] = ()
    if not fits and need.capacity_bytes is not None:
        problems = (too_small(need),)
    return Answer(
        name="speed",
        sentence=sentence,
        drawing=_drawn(one),
        sure=_("a bound: never faster"),
        trust="green",
        caption=_("{moved} to and from memory a step, {flop}; weights {format}, context {context}").format(
            moved=units.si(float(one.bytes), "B"),
            flop=units.si(float(one.flop), "FLOP"),
            format=said("format", case) if case.serves else said("precision", case),
            context=f"{case.context:,}",
        ),
        facts={"bytes": need.total_bytes, "bound_tokens_per_s": tokens_per_s(case, one)},
        explain=partial(_why, one, card),
        problems=problems,
        rows=partial(_table, limits),
        sources=tuple(dict.fromkeys(source for source in card.source.split(";") if source)),
    ).with_spec()


def ceilings(one: StepBound) -> dict[str, float]:
    """Tokens/s that each limit alone would allow: all bytes at the bandwidth, all FLOP at the peak."""
    tokens = float(one.tokens)
    compute_s = sum(float(timed.operation.flop) / timed.roof.peak_flop_per_s for timed in one.operations)
    return {"bandwidth": tokens / (float(one.bytes) / one.roof.bytes_per_s), "compute": tokens / compute_s}


def _drawn(one: StepBound) -> Drawing:
    """Two bars to the same scale: the bound of arithmetic and the bound of memory, each with the rate that it comes from."""
    limits = ceilings(one)
    names = {
        "compute": bracketed(_("Arithmetic would allow"), units.si(one.roof.peak_flop_per_s, "FLOP/s")),
        "bandwidth": bracketed(_("Memory allows"), units.si(one.roof.bytes_per_s, "B/s")),
    }
    rows = [value("", name, role, limits[role], f"{units.significant(limits[role])} {_('tokens/s')}") for role, name in names.items()]
    return bars(rows, Axis(_("Tokens per second, at most"), "{:,.10g}".format, log=False), revision="speed")


def _why(one: StepBound, card: Accelerator) -> str:
    moved_s = float(one.bytes) / one.roof.bytes_per_s
    return _(
        "Each step moves {moved}: at {bandwidth} that takes {time}. It does {intensity} FLOP with each byte, while the chip could do {ridge}. "
        "Operations take the longer of their two times, one after another: {whole}. This is a bound, not a forecast."
    ).format(
        moved=units.si(float(one.bytes), "B"),
        bandwidth=units.si(one.roof.bytes_per_s, "B/s"),
        time=units.duration(moved_s),
        intensity=units.significant(float(one.arithmetic_intensity)),
        ridge=units.significant(one.ridge),
        whole=units.duration(float(one.time_s)),
    )


def _table(limits: Mapping[str, float]) -> tuple[dict[str, object], ...]:
    return (
        {_("bound"): _("Memory"), _("tokens/s"): limits["bandwidth"]},
        {_("bound"): _("Arithmetic"), _("tokens/s"): limits["compute"]},
    )


@lru_cache(maxsize=4)
def _headlines(_language: str) -> tuple[Card, ...]:
    cards = []
    for role, late, early, figure in HEADLINES:
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
                {} if figure == "gap" else {"figure": figure},
            )
        )
    return tuple(cards)


def headlines() -> tuple[Card, ...]:
    """The article's claims beside their refits, in the language in use."""
    return _headlines(language())
