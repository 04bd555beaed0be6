"""The story: nine steps whose numbers are the engines', whose figures are the rooms', and the article's claims with the screens they stand on."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import date
from math import erf, sqrt
from pathlib import Path

import numpy as np
import pytest

import wallviz
from wallviz import catalog, glossary, i18n, settings, units
from wallviz.job import SETTINGS, Job
from wallviz.rooms import Answer, footprint, growth, hierarchy, remedies, roofline, scaleout, start
from wallviz.rooms.growth import rates
from wallviz.story import Step, Try, address, article
from wallviz.story.path import CLOSING, CLOSING_TITLE, STEPS

ROOT = Path(__file__).resolve().parents[1]
STEP_IDS = ("one-token", "demand", "shelf", "training", "levels", "roof", "chips", "remedies", "wall")
PLACE = re.compile(r"\{[a-z_0-9]*\}")
NUMBER = re.compile(r"\d[\d,.]*")
HAN = re.compile(r"[一-鿿]")
#: Digits that are no quantity: names of chips, models, formats and caches, years, number formats by their bits, confidence, the formula 6·N·D.
NAMES = re.compile(
    r"V100|B200|GPT-\d|Llama-\d-\d+B|LLaMA-7B|E4M3|E5M2|FP\d+|HBM\d|6·N·D|95 ?%|\b(?:19|20)\d\d\b|(?<![\d.])(?:16|32)(?:-bit| bits| to add| 位)"
    r"|1/(?=\{)|with 16\b|(?<![\d.])4(?: bits| 位)|(?<![\d.])1 GB"
)


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each language in turn."""
    i18n.use(request.param)
    yield request.param
    i18n.use("en")


@pytest.fixture(params=STEP_IDS)
def step(request: pytest.FixtureRequest) -> Step:
    """Each step in turn."""
    return STEPS[request.param]


def told(one: Step) -> str:
    """Every text of a step with its numbers, and its takeaway, in the language in use."""
    return "\n".join([*map(one.said, one.texts), one.sentence])


def test_the_path_has_nine_steps() -> None:
    """The steps stand in the order of the argument, each under its own id."""
    assert tuple(STEPS) == STEP_IDS == tuple(one.id for one in STEPS.values())


# ---------------------------------------------------------------- texts


def test_every_text_renders(step: Step, language: str) -> None:
    """A text has all of its numbers in both languages and no brace left, and every number is asked for by some text."""
    facts = step.facts()
    assert all(value and not PLACE.search(value) for value in facts.values())
    assert not re.search(r"[{}]", told(step))
    asked = {name.strip("{}") for text in step.texts for name in PLACE.findall(text)}
    asked |= {name.strip("{}") for one in article.claims().values() if one.id in step.claims for name in PLACE.findall(one.en + one.finding_en)}
    asked |= {name.strip("{}") for one in CLOSING if one.step == step.id for name in PLACE.findall(one.question + one.sentence)}
    assert facts.keys() == asked


def test_every_text_is_translated(step: Step) -> None:
    """A text with words has Chinese words in Chinese."""
    i18n.use("zh")
    try:
        assert not [text for text in step.texts if re.search(r"[a-z]{3}", PLACE.sub("", text)) and not HAN.search(i18n._(text))]
    finally:
        i18n.use("en")


def test_every_number_is_a_fact(step: Step, language: str) -> None:
    """No digit is typed into a text, but those of names and years."""
    typed = {text: NUMBER.findall(PLACE.sub("", NAMES.sub("", i18n._(text)))) for text in step.texts}
    assert {text: digits for text, digits in typed.items() if digits} == {}


def test_a_takeaway_is_short(step: Step, language: str) -> None:
    """A takeaway has at most 25 words, in Chinese 40 汉字, and a number in it."""
    assert len(HAN.findall(step.sentence)) <= 40 if language == "zh" else len(step.sentence.split()) <= 25
    assert NUMBER.search(step.sentence)


def test_a_step_is_complete(step: Step) -> None:
    """A step has a term of its own from the glossary, sources that exist, claims that exist, two or three paragraphs, a way on."""
    assert step.term in glossary.terms()
    assert [one.term for one in STEPS.values()].count(step.term) == 1
    assert not {*step.sources, *step.figure().sources} - catalog.sources().keys()
    assert not set(step.claims) - article.claims().keys()
    assert len(step.explain) in (2, 3)
    assert len(step.try_it) >= 2


# ---------------------------------------------------------------- guesses


def test_one_choice_is_right(step: Step, language: str) -> None:
    """Of three or four choices one is right and each says another number; a number to guess lies on its slider."""
    guess = step.guess
    if guess.options:
        assert [option.right for option in guess.options].count(True) == 1
        assert 3 <= len(guess.options) <= 4
        assert len({step.said(option.words) for option in guess.options}) == len(guess.options)
    else:
        assert guess.value is not None
        assert guess.low < guess.value() < guess.high
        assert step.facts()[guess.truth] == units.claimed(guess.value())


def slope(points: tuple[tuple[date, float], ...], years: float) -> float:
    """The factor in so many years of a least-squares line through log10 of values, worked out by numpy."""
    day = np.array([(when - date(2000, 1, 1)).days / 365.25 for when, _value in points])
    return float(10.0 ** (years * np.polyfit(day - day.mean(), np.log10([value for _when, value in points]), 1)[0]))


def published(id: str) -> tuple[tuple[date, float], ...]:
    """The points of a published claim."""
    return tuple((point.date, point.value) for point in catalog.claims()[id].points)


def printed(id: str) -> str:
    """The factor of a claim as it stands in the file."""
    with (ROOT / "data" / "claims.csv").open(encoding="utf-8", newline="") as file:
        return next(row["multiplier"] for row in csv.DictReader(file) if row["claim_id"] == id)


def token_bytes(context: int) -> float:
    """What one token of Llama 3.1 8B reads: all weights but the rows of its embedding that are not its own, and the cache, in 16 bits."""
    layers, width, vocabulary, kv_heads, head = 32, 4096, 128_256, 8, 128
    return 2.0 * (8_030_261_248 - (vocabulary - 1) * width) + 2.0 * 2 * layers * kv_heads * head * context


def token_flop(context: int) -> float:
    """Its arithmetic: two FLOP for each weight of a matrix, and for each value of keys and values that each of 32 heads meets."""
    layers, width, vocabulary, heads, head = 32, 4096, 128_256, 32, 128
    return 2.0 * (8_030_261_248 - vocabulary * width) + 4.0 * layers * heads * head * context


def decoded(chips: int) -> float:
    """Tokens per second of one answer on so many chips, as the Python interface has it."""
    return float(wallviz.scaleout("llama-3.1-8b", "h100-sxm5", gpus=chips, job="infer", context=8192).step.tokens_per_s)


#: The number of the right choice, worked out in another way than the step does.
HEADLINES: dict[str, Callable[[], str]] = {
    "one-token": lambda: f"{3.35e12 / token_bytes(8192):.0f}",
    "demand": lambda: printed("blog_compute_transformer"),
    "shelf": lambda: printed("blog_accel_memory"),
    "training": lambda: units.binary((2 + 2 + 4 + 4 + 4) * 8_030_261_248),
    "levels": lambda: units.duration(token_bytes(8192) / 63e9),
    "roof": lambda: f"{token_flop(8192) / token_bytes(8192):.1f}",
    "chips": lambda: f"{decoded(8):.0f}",
    "remedies": lambda: f"{16 / (4 + 12 / 64):.2f}",
}


@pytest.mark.parametrize("id", HEADLINES)
def test_the_right_choice_is_true(id: str) -> None:
    """The right choice of a step says the number that comes out when it is worked out in another way, and no other choice does."""
    one = STEPS[id]
    expected = NUMBER.search(HEADLINES[id]())
    assert expected
    said = [expected[0] in NUMBER.findall(one.said(option.words)) for option in one.guess.options]
    assert said == [option.right for option in one.guess.options]


def test_more_chips_write_one_answer_more_slowly() -> None:
    """Four chips write one answer faster than eight, by the Python interface as by the step."""
    facts = STEPS["chips"].facts()
    assert decoded(4) > decoded(8)
    assert (facts["fast"], facts["slow"]) == (f"{decoded(4):.0f}", f"{decoded(8):.0f}")


def test_the_wall_is_as_published_and_as_refitted() -> None:
    """The last step's published factors are those of the article, and its refits come out of numpy's least squares too."""
    facts = STEPS["wall"].facts()
    assert [facts[name] for name in ("compute", "memory", "link")] == ["90,000×", "30×", "30×"]
    assert [facts[f"{name}_2024"] for name in ("compute", "memory", "link")] == ["60,000×", "100×", "30×"]
    for name, id in {"compute_fit": "blog_hw_flops_20y", "memory_fit": "blog_dram_bw_20y", "link_fit": "blog_interconnect_bw_20y"}.items():
        assert facts[name] == units.times(slope(published(id), 20.0))


def without(id: str, *names: str) -> tuple[tuple[date, float], ...]:
    """The points of a published claim but those whose ids end so."""
    kept = tuple((p.date, p.value) for p in catalog.claims()[id].points if not p.id.endswith(tuple(f"/{name}" for name in names)))
    assert len(kept) == len(published(id)) - len(names)
    return kept


def span(points: tuple[tuple[date, float], ...]) -> float:
    """The years from the first point to the last."""
    return (max(points)[0] - min(points)[0]).days / 365.25


def bell(z: float) -> float:
    """The share of a normal distribution below z."""
    return 0.5 * (1.0 + erf(z / sqrt(2.0)))


def batch_bytes(batch: int, context: int) -> float:
    """What one step of so many answers reads: the matrices once, a row of the embedding and a cache each."""
    return token_bytes(0) + (batch - 1) * (token_bytes(context) - token_bytes(0) + 2.0 * 4096) + token_bytes(context) - token_bytes(0)


GPT3_FLOP = 6 * 175e9 * 300e9
#: Numbers of the prose, worked out from data sheets, papers and published points alone.
EXPECTED: dict[tuple[str, str], Callable[[], str]] = {
    ("one-token", "moved"): lambda: units.si(token_bytes(8192), "B"),
    ("one-token", "weights"): lambda: units.si(token_bytes(0), "B"),
    ("one-token", "moving"): lambda: units.duration(token_bytes(8192) / 3.35e12),
    ("demand", "fit"): lambda: units.times(slope(published("blog_compute_transformer"), 2.0)),
    ("demand", "every_fit"): lambda: units.times(slope(published("blog_compute_all"), 2.0)),
    ("demand", "without"): lambda: units.times(slope(without("blog_compute_transformer", "gpt-3"), 2.0)),
    ("demand", "kaplan"): lambda: units.count(1.3e9 * (GPT3_FLOP / 8.64e19) ** 0.73),
    ("demand", "chinchilla"): lambda: units.count(sqrt(GPT3_FLOP / 120)),
    ("demand", "chinchilla_bytes"): lambda: units.si(2 * sqrt(GPT3_FLOP / 120), "B"),
    ("shelf", "fit"): lambda: units.times(slope(published("blog_params"), 2.0)),
    ("shelf", "fit_2024"): lambda: units.times(slope(published("paper_params"), 2.0)),
    ("shelf", "without_gshard"): lambda: units.times(slope(without("blog_params", "gshard"), 2.0)),
    ("shelf", "without_small"): lambda: units.times(slope(without("blog_params", "albert-xxl", "electra-large"), 2.0)),
    ("training", "run_tokens"): lambda: units.count(20 * 8_030_261_248 * (1 + 370e3 / 4e6)),
    ("training", "printed_least"): lambda: units.significant(8.63 / 5.86, 2),
    ("training", "printed_most"): lambda: units.significant(6.04 / 0.07, 2),
    ("levels", "hbm"): lambda: units.duration(token_bytes(8192) / 3.35e12),
    ("levels", "slot_times"): lambda: units.times(3.35e12 / 63e9),
    ("levels", "disk_slow"): lambda: units.duration(3.35e12 / 13e9),
    ("roof", "ridge"): lambda: units.significant(989.4e12 / 3.35e12),
    ("roof", "each"): lambda: f"{3.35e12 / batch_bytes(32, 8192):.0f}",
    ("roof", "longer"): lambda: f"{batch_bytes(32, 8192) / token_bytes(8192):.1f}",
    ("shelf", "drawn"): lambda: "6",
    ("chips", "inside_times"): lambda: units.times(3.35e12 / 450e9),
    ("chips", "across_times"): lambda: units.times(3.35e12 / 50e9),
    ("chips", "tokens_inside"): lambda: f"{989.4e12 / 450e9:,.0f}",
    ("remedies", "lost"): lambda: f"{bell((-24 + 22) / 4):.1%}",
    ("remedies", "magnitude"): lambda: f"{100 * (17.29 / 5.68 - 1):.0f}%",
    ("remedies", "wanda"): lambda: f"{100 * (7.26 / 5.68 - 1):.0f}%",
    ("remedies", "runs"): lambda: "6.0",
    ("remedies", "each_one"): lambda: f"{4 + 12 / 64:.1f}",
    ("wall", "gap"): lambda: "3,000×",
    ("wall", "gap_2024"): lambda: "600×",
    ("wall", "ratio_2024"): lambda: units.times(slope(published("paper_hw_flops_20y"), 2.0) / slope(published("paper_dram_bw_20y"), 2.0)),
    ("wall", "years"): lambda: (
        f"{(max(when for when, _ in published('blog_hw_flops_20y')) - min(when for when, _ in published('blog_hw_flops_20y'))).days / 365.25:.0f}"
    ),
    ("wall", "held_v100"): lambda: units.ratio("byte_s_per_flop", 16e9 / 125e12),
}


@pytest.mark.parametrize(("id", "fact"), EXPECTED)
def test_a_number_comes_out_in_another_way(id: str, fact: str) -> None:
    """A number of the prose is what data sheets, papers and published points give when it is worked out by hand."""
    assert STEPS[id].facts()[fact] == EXPECTED[id, fact]()


def test_training_counts_sixteen_bytes() -> None:
    """States are 2 + 2 + 4 + 8 bytes a parameter, of which 12 are the optimizer's, and eight times the weights in 16 bits."""
    facts = STEPS["training"].facts()
    assert [facts[f"each_{part}"] for part in ("weight", "gradient", "master", "moments", "optimizer")] == ["2", "2", "4", "8", "12"]
    assert (facts["each"], facts["states_times"]) == ("16", "8×")
    total = wallviz.train("llama-3.1-8b", sequence=8192).peak_total_bytes
    assert facts["total"] == units.binary(float(total))
    assert facts["total_times"] == units.times(float(total) / (2 * 8_030_261_248))


def test_zero_shrinks_what_is_shared() -> None:
    """On 64 GPUs stage 1 leaves 4 + 12/64 of 16 bytes and stage 2 2 + 14/64; without end, a fourth and an eighth."""
    facts = STEPS["remedies"].facts()
    assert (facts["one"], facts["two"]) == (f"{16 / (4 + 12 / 64):.2f}", f"{16 / (2 + 14 / 64):.2f}")
    assert (facts["one_limit"], facts["two_limit"]) == ("4", "8")


# ---------------------------------------------------------------- figures and addresses


#: The drawing of each step, asked of its room as the room is called and not by an address.
DRAWN: dict[str, Callable[[], Answer]] = {
    "one-token": lambda: start.answer(Job()),
    "demand": lambda: growth.answer(growth.View(figure="compute", data="2021"), chip=Job().chip),
    "shelf": lambda: growth.answer(growth.View(figure="size", data="2021"), chip=Job().chip),
    "training": lambda: footprint.answer(Job(job="train"), footprint.View(show="timeline")),
    "levels": lambda: hierarchy.answer(Job(), hierarchy.View()),
    "roof": lambda: roofline.answer(Job(), roofline.View()),
    "chips": lambda: scaleout.answer(Job(chips=8), scaleout.View()),
    "remedies": lambda: remedies.answer(Job(job="train", chips=64), remedies.View(apply=("zero-1", "full-recompute"))),
    "wall": lambda: growth.answer(growth.View(figure="gap", data="2021"), chip=Job().chip),
}


def test_a_figure_is_the_rooms(step: Step, language: str) -> None:
    """A step's drawing is what its room draws, and is kept as JSON."""
    assert step.figure().spec == DRAWN[step.id]().spec != ""


def ways() -> list[tuple[str, Try]]:
    """Every way on, of steps and of claims."""
    found = [(one.id, way) for one in STEPS.values() for way in one.try_it]
    return found + [(one.id, Try(screen.room, screen.query, one.id)) for one in article.claims().values() for screen in one.where if screen.room]


@pytest.mark.parametrize(
    ("id", "way"), ways(), ids=lambda value: value if isinstance(value, str) else f"{value.room}-{'-'.join(value.query.values())}"
)
def test_an_address_opens_its_figure(id: str, way: Try) -> None:
    """A link names settings of its room, writes them as the room itself would, and opens a figure without a complaint."""
    kind, _answer = address.ROOMS[way.room]
    known = dict(SETTINGS) | (dict(settings.of(kind)) if kind else {})
    assert {name: known[name].format(known[name].parse(text)) for name, text in way.query.items()} == way.query
    answer = address.opened(way.room, way.query)
    assert answer.problems == ()
    assert answer.drawing is not None


def test_a_name_that_no_room_knows_is_refused() -> None:
    """An address with a setting that its room has not is an error, never a figure of something else."""
    with pytest.raises(wallviz.errors.InputError, match="apply"):
        address.parsed("growth", {"apply": "zero-1"})


def test_an_address_of_the_growth_room_shows_what_changes() -> None:
    """Each way on of a step opens a figure of its own."""
    for one in STEPS.values():
        seen = [(way.room, tuple(sorted(way.query.items()))) for way in one.try_it]
        assert len(set(seen)) == len(seen)


# ---------------------------------------------------------------- the closing


def test_the_closing_is_five_answers(language: str) -> None:
    """Five questions in the order of the argument, each with one sentence that has its numbers, Chinese in Chinese, and no digit typed in."""
    assert [one.step for one in CLOSING] == ["wall", "one-token", "roof", "training", "remedies"]
    for one in CLOSING:
        question, sentence = one.said
        assert not re.search(r"[{}]", question + sentence)
        assert bool(HAN.search(question)) == bool(HAN.search(sentence)) == bool(HAN.search(i18n._(CLOSING_TITLE))) == (language == "zh")
        assert re.findall(r"[.。](?!\d)", sentence) == ["。" if language == "zh" else "."]
        assert NUMBER.search(sentence)
        assert NUMBER.findall(PLACE.sub("", NAMES.sub("", i18n._(one.question) + i18n._(one.sentence)))) == []


# ---------------------------------------------------------------- the article


@pytest.fixture(params=article.claims().values(), ids=lambda claim: claim.id)
def claim(request: pytest.FixtureRequest) -> article.ArticleClaim:
    """Each claim in turn."""
    found: article.ArticleClaim = request.param
    return found


def test_a_claim_is_said_in_both_languages(claim: article.ArticleClaim, language: str) -> None:
    """A claim and its finding have their numbers and no digit that is typed in; Chinese is Chinese and asks for the same facts of the finding."""
    assert not re.search(r"[{}]", claim.claim + claim.finding)
    assert bool(HAN.search(claim.claim)) == bool(HAN.search(claim.finding)) == (language == "zh")
    for text in (claim.en, claim.zh, claim.finding_en, claim.finding_zh):
        assert NUMBER.findall(PLACE.sub("", NAMES.sub("", text))) == []
    assert sorted(PLACE.findall(claim.en)) == sorted(PLACE.findall(claim.zh))
    assert sorted(PLACE.findall(claim.finding_en)) == sorted(PLACE.findall(claim.finding_zh))
    assert claim.verdict in article.VERDICTS


def test_a_claim_is_on_its_step(claim: article.ArticleClaim, language: str) -> None:
    """The step that a claim names lists it, and says every number of its finding."""
    steps = [STEPS[screen.step] for screen in claim.where if screen.step]
    assert [one.id for one in STEPS.values() if claim.id in one.claims] == [one.id for one in steps]
    numbers = {name: claim.facts[name.strip("{}")] for name in PLACE.findall(claim.en + claim.finding_en)}
    assert {name for name, value in numbers.items() if value not in told(steps[0])} == set()


def test_a_claim_is_in_its_rooms(claim: article.ArticleClaim) -> None:
    """Each room that a claim names says a number of it, in its sentence, its caption, its cards or its drawers."""
    wanted = {found for name in PLACE.findall(claim.en + claim.finding_en) for found in NUMBER.findall(claim.facts[name.strip("{}")])}
    for screen in claim.where:
        if screen.room:
            answer = address.opened(screen.room, screen.query)
            said = {*NUMBER.findall(" ".join([answer.sentence, answer.caption, answer.why, answer.how_sure, repr(answer.cards)]))}
            assert {number for number in wanted if len(number) > 1} & {number.rstrip(".,") for number in said}, screen


@pytest.mark.parametrize(
    ("id", "words"),
    {
        "three-transfers": ("on-chip", "片上存储"),
        "communication-bottleneck": ("conversation", "通信瓶颈"),
        "simple-rules": ("scaling rule", "放大规则"),
        "locality": ("locality", "局部性"),
        "low-precision": ("FP8", "损失缩放"),
        "data-efficiency": ("data efficiency", "数据效率"),
        "pruning": ("pruned", "剪枝"),
        "quantization": ("Quantized", "量化"),
        "trials": ("trials", "试错"),
        "scale-out": ("arithmetic for little traffic", "横向扩展"),
        "gap": ("interconnects", "互连"),
    }.items(),
)
def test_a_claim_is_found_by_its_word(id: str, words: tuple[str, str]) -> None:
    """The word by which a reader of the article would look stands on the step of its claim, in each language."""
    for language, word in zip(("en", "zh"), words, strict=True):
        i18n.use(language)
        try:
            assert word in told(next(one for one in STEPS.values() if id in one.claims))
        finally:
            i18n.use("en")


# ---------------------------------------------------------------- how Chinese counts


@pytest.mark.parametrize(
    ("factor", "published", "computed"),
    [
        (30.0, "30 倍", "30.0 倍"),
        (7319.0, "7,319 倍", "7,319 倍"),
        (9999.0, "9,999 倍", "9,999 倍"),
        (10309.0, "1.0309 万倍", "1.03 万倍"),
        (90_000.0, "9 万倍", "9.00 万倍"),
        (91_059.0, "9.1059 万倍", "9.11 万倍"),
    ],
)
def test_chinese_counts_large_factors_in_ten_thousands(factor: float, published: str, computed: str) -> None:
    """From ten thousand on a factor is said in 万, from a hundred million on in 亿, as Chinese counts."""
    i18n.use("zh")
    try:
        assert units.claimed(factor).replace(units.THIN, " ") == published
        assert units.times(factor).replace(units.THIN, " ") == computed
        assert [units.times(large).replace(units.THIN, " ") for large in (2.5e8, 4.1e25)] == ["2.50 亿倍", "4.1·10²⁵ 倍"]
    finally:
        i18n.use("en")


def test_an_interval_says_its_unit_where_its_ends_differ() -> None:
    """The unit stands at both ends where Chinese counts only one of them in 万, else at the last alone."""
    wide = growth.fits(growth.View(figure="size", data="2021"))[0][0].trend
    narrow = growth.fits(growth.View(figure="gap", data="2021"))[0][0].trend
    assert wide
    assert narrow
    assert rates.interval(wide).replace(units.THIN, " ").endswith(" 5.63–10,309×")
    i18n.use("zh")
    try:
        assert rates.interval(wide).replace(units.THIN, " ").endswith(" 5.63 倍–1.03 万倍")
        assert rates.interval(narrow).replace(units.THIN, " ").endswith(" 2.70–3.63 倍")
    finally:
        i18n.use("en")
