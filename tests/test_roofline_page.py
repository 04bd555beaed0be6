"""The roofline page and command: they answer, keep their budget, say what is wrong, and their JSON holds every number."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

import wallviz
from tests.conftest import PATIENCE_S
from wallviz import catalog, i18n, units
from wallviz.cli import app as command
from wallviz.errors import InputError
from wallviz.job import JOBS, Job
from wallviz.rooms import roofline
from wallviz.rooms.job import words
from wallviz.rooms.roofline import View
from wallviz.settings import of
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).parent.parent
FIGURES, EVIDENCE, RATIOS = (of(View)[name].words for name in ("show", "evidence", "ratio"))
DRAWERS = ("why", "sure", "settings")
KEYS = {"time_s", "bound", "tokens_per_s", "ttft_s", "tpot_s", "arithmetic_intensity", "ridge", "critical_batch", "operations"}


def open_page(*drawers: str, **query: str) -> AppTest:
    """The page as its address opens it, with some drawers open."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.switch_page(ROOMS["roofline"].file)
    for name, value in query.items():
        app.query_params[name] = value
    for name in drawers:
        app.session_state[f"roofline_drawer_{name}"] = True
    return app.run()


def run(*arguments: str) -> Any:
    """One call of the command line."""
    return CliRunner().invoke(command, ["roofline", *arguments])


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("show", FIGURES)
def test_every_figure_opens_for_every_job_with_every_drawer(job: str, show: str) -> None:
    """Each figure draws without an exception, whatever the job, with all drawers open."""
    app = open_page(*DRAWERS, job=job, show=show)
    assert not app.exception
    assert len(app.get("plotly_chart")) == (0 if show == "kv" and job != "infer" else 1)


CASES = [
    Job(), Job(batch=1024, context=16), Job(job="train"), Job(model="bert-base"), Job(model="deepseek-v3", chips=8), Job(chip="h20", batch=64),
    Job(model="mamba-2.8b"), Job(model="t5-base"), Job(chip="apple-m1"), Job(chip="groqchip-1"), Job(model="llama-3.1-405b", job="finetune"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.model}-{c.chip}-{c.job}")
def test_the_takeaway_says_what_bounds_within_its_budget(case: Job) -> None:
    """One sentence of at most 25 words, with the two numbers that are compared, or why there is none."""
    answer = roofline.answer(case, View())
    assert len(answer.sentence.split()) <= 25
    if answer.drawing is not None:
        assert re.search(r"does [\d,.]+ FLOP per byte, .+ needs [\d,.]+", answer.sentence)
        answer.figure  # noqa: B018 - plotly checks every property


#: What a sentence says of memory and of arithmetic, in both languages.
PACE = {
    "en": {"bandwidth": ("memory sets the pace", "whatever its FLOP/s"), "compute": ("arithmetic sets the pace",)},
    "zh": {"bandwidth": ("受限于访存", "算力再高"), "compute": ("受限于计算",)},
}
PACED = [
    Job(model=model, chip=chip, job=job, batch=batch, context=1024)
    for model in ("llama-3.1-8b", "qwen3-30b-a3b", "mamba-2.8b", "t5-base")
    for chip in ("h100-sxm5", "h20", "geforce-rtx-4090")
    for job, batch in (("infer", 1), ("infer", 1024), ("train", 1), ("train", 16))
] + [Job(model="bert-base", batch=batch, context=context) for batch, context in ((1, 1), (64, 512))]


@pytest.mark.parametrize("language", PACE)
def test_the_sentence_says_what_sets_the_pace(language: str) -> None:
    """Over 50 cases it says memory exactly where moving the bytes takes longer than computing, and its numbers are those of the step."""
    i18n.use(language)
    try:
        said = {case: roofline.answer(case, View()).sentence.replace(",", "") for case in PACED}
    finally:
        i18n.use("en")
    bounds = set()
    for case, sentence in said.items():
        step = roofline.workload(case, View()).main
        moving = float(step.bytes) / step.roof.bytes_per_s
        computing = sum(float(timed.operation.flop) / timed.roof.peak_flop_per_s for timed in step.operations)
        bound = "compute" if computing > moving else "bandwidth"
        bounds.add((step.phase, bound))
        assert {word: any(words in sentence for words in PACE[language][word]) for word in PACE[language]} == {
            word: word == bound for word in PACE[language]
        }, sentence
        needs, rate = step.roof.peak_flop_per_s / step.roof.bytes_per_s, float(step.tokens) / float(step.time_s)
        numbers = [units.significant(value).replace(",", "") for value in (float(step.flop) / float(step.bytes), needs, rate)]
        assert re.findall(r"(?<![\w.-])[\d.]+(?![\w-])", sentence.replace(catalog.chip(case.chip).name.partition(" (")[0], ""))[1:] == numbers
    assert bounds == {(phase, bound) for phase in ("prefill", "decode", "train") for bound in ("bandwidth", "compute")}


@pytest.mark.parametrize(
    "view",
    [View(show="measured", evidence=e) for e in EVIDENCE] + [View(show="capacity", ratio=r) for r in RATIOS] + [View(show=s) for s in FIGURES],
    ids=lambda v: f"{v.show}-{v.evidence}-{v.ratio}",
)
def test_every_figure_has_a_takeaway_a_table_and_sources(view: View) -> None:
    """Each figure has a sentence with a number, rows behind it, and sources that exist."""
    answer = roofline.answer(Job(), view)
    assert len(answer.sentence.split()) <= 25
    assert re.search(r"\d", answer.sentence)
    assert answer.table
    assert set(answer.sources) <= set(catalog.sources())
    answer.figure  # noqa: B018 - plotly checks every property


def test_the_first_takeaway_is_the_lecturers() -> None:
    """Llama 3.1 8B on one H100: about one FLOP per byte, the chip needs 295, about 208 tokens/s."""
    said = roofline.answer(Job(), View()).sentence
    assert "1.20 FLOP per byte" in said
    assert "295" in said
    assert "208 tokens/s" in said


def test_measured_points_stand_under_the_roof_with_their_miss() -> None:
    """On an H100 the figure holds measured matmuls, filled, whose hover says how far below the roof they are."""
    data = json.loads(roofline.answer(Job(), View()).spec)["data"]
    filled = [t for t in data if "markers" in t["mode"] and "customdata" in t and not str(t["marker"]["symbol"][0]).endswith("-open")]
    assert len(filled) == 1
    assert len(filled[0]["x"]) >= 20
    assert all("below it" in row[2] for row in filled[0]["customdata"])


def test_a_larger_batch_climbs() -> None:
    """Intensity and rate grow with the batch until arithmetic is the limit; a long context stops the climb."""
    one, many = (roofline.workload(Job(batch=b, context=128), View()).main for b in (1, 512))
    assert float(many.arithmetic_intensity) > 100 * float(one.arithmetic_intensity)
    long = roofline.workload(Job(batch=512, context=131_072), View()).main
    assert float(long.arithmetic_intensity) < 10


def test_a_chip_by_its_numbers_takes_the_place_of_the_case() -> None:
    """Peak and bandwidth typed in the expert drawer are the roof."""
    said = roofline.answer(Job(), View(peak=100, bandwidth=1000)).sentence
    assert "needs 100:" in said


def test_a_typed_rate_gives_its_utilization_or_says_that_it_cannot_be() -> None:
    """A rate below the bound is split into its shares; one above it is told to be of another configuration."""
    assert "% of the bound" in roofline.miss(Job(), View(reported=150)).replace("\u202f", " ")
    assert "not those of your measurement" in roofline.miss(Job(), View(reported=100_000))
    assert roofline.miss(Job(), View()) == ""


def test_the_address_reopens_the_view() -> None:
    """Batch, format, figure and further chips come from the address; a bad one is told and the rest is used."""
    app = open_page(batch="64", format="nf4", others="h20")
    assert "batch 64" in next(m.value for m in app.markdown if m.value.startswith("#### "))
    bad = open_page(show="nothing", format="<b>x</b>", tpot="-1")
    assert not bad.exception
    assert len(bad.warning) == 1


@pytest.mark.parametrize("phase", ["prefill", "decode", "train"])
def test_the_command_prints_the_contracts_keys(phase: str) -> None:
    """Every phase has every key of the contract, operations sum to the step, and what is null has its reason."""
    result = run("llama-3.1-8b", "H100", "--phase", phase, "--batch", "2", "--context", "2048", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found.keys() >= KEYS
    assert sum(op["time_s"] for op in found["operations"]) == pytest.approx(found["time_s"])
    assert sum(op["bytes"] for op in found["operations"]) == pytest.approx(found["bytes"], abs=len(found["operations"]))
    assert all(op.keys() >= {"name", "flop", "bytes", "intensity", "time_s", "bound"} for op in found["operations"])
    assert (found["ttft_s"] is None) == (phase == "train")
    assert found["reason"]


def test_the_command_and_the_api_say_the_same() -> None:
    """One number from the terminal is the number of the function."""
    found = json.loads(run("mixtral-8x7b", "h200", "--weights", "fp8", "--kv", "fp8", "--tensor-parallel", "2", "--json").stdout)
    same = wallviz.roofline("mixtral-8x7b", "h200", weights="fp8", kv="fp8", tensor_parallel=2)
    assert found["time_s"] == pytest.approx(float(same.step.time_s))
    assert found["critical_batch"] == pytest.approx(same.step.critical_batch)


def test_the_command_gives_utilization_and_the_largest_batch_on_request() -> None:
    """A measured rate gives MFU and bandwidth utilization, a target the largest batch, an own chip its ridge."""
    found = json.loads(run("llama-3.1-8b", "H100", "--measured", "150", "--tpot", "0.02", "--json").stdout)
    assert 0 < found["mfu"] < 0.01 < found["bandwidth_utilization"] < 1
    assert found["largest_batch"]["batch"] > 1
    own = json.loads(run("llama-3.1-8b", "own", "--flop-per-s", "1e14", "--bytes-per-s", "1e12", "--json").stdout)
    assert own["ridge"] == 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("llama-3.1-8b", "no such chip"), "no chip is called"),
        (("llama-3.1-8b", "own"), "--flop-per-s"),
        (("llama-3.1-8b", "H100", "--batch", "0"), "--batch"),
        (("llama-3.1-8b", "H100", "--phase", "rest"), "choose one of prefill"),
        (("llama-3.1-8b", "H100", "--tensor-parallel", "5"), "--tensor-parallel"),
        (("llama-3.1-8b", "H100", "--tpot", "-1"), "--tpot"),
        (("bert-base", "H100"), "ask for prefill"),
        (("llama-3.1-8b", "groqchip-1"), "choose another chip"),
        (("llama-3.1-8b", "H100", "--weights", "int3"), "no weight format"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments: tuple[str, ...], words: str) -> None:
    """What is wrong, where, and what to do, on one line of stderr."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_the_api_refuses_what_cannot_run() -> None:
    """The function raises the sentence that the command prints."""
    with pytest.raises(InputError, match="no chip is called"):
        wallviz.roofline("llama-3.1-8b", "no such chip")


def test_the_document_holds_every_phase() -> None:
    """The JSON of the page is the record of each phase, as the command prints it."""
    found = json.loads(roofline.document(Job(), View(reported=150)))
    assert set(found["steps"]) == {"prefill", "decode"}
    assert found["steps"]["decode"]["mfu"] > 0
    assert found["steps"]["decode"].keys() >= KEYS


def test_the_time_of_the_page_is_the_least() -> None:
    """By default half of the causal square and nothing elementwise is counted, so that the badge may say never faster; with more it may not."""
    least = roofline.workload(Job(), View())
    papers = roofline.workload(Job(), View(half_square=False, elementwise=True))
    assert float(least.steps["prefill"].time_s) < 0.9 * float(papers.steps["prefill"].time_s)
    assert roofline.answer(Job(), View()).trust == "green"
    assert roofline.answer(Job(), View(half_square=False)).trust == "orange"


def test_a_batch_whose_cache_does_not_fit_is_red_and_the_button_offers_one_that_does() -> None:
    """296 sequences of 8,192 tokens do not fit an H100: the badge, a sentence and a button say what does."""
    case = Job(batch=296)
    found = roofline.answer(case, View())
    assert (found.sure, found.trust) == ("does not fit", "red")
    assert "50 such sequences, not of 296" in found.problems[-1]
    assert found.actions[0].sets == {"batch": 50}
    fifty = roofline.answer(replace(case, batch=50), View())  # what the pool holds, but for the error of the estimate
    assert (fifty.sure, fifty.trust) == ("may not fit", "orange")
    assert roofline.answer(replace(case, batch=32), View()).trust == "green"
    assert roofline.answer(Job(), View()).actions[0].sets == {"batch": 50}


def test_one_prompt_is_said_and_all_of_them() -> None:
    """What a sequence waits for is its own prompt; all prompts of a batch have their own time, in minutes where it is minutes."""
    alone, many = (roofline.answer(Job(batch=batch), View()).caption for batch in (1, 1024))
    assert alone.partition(" at least")[0] == many.partition(" at least")[0]
    assert "all 1,024 prompts in 2.29\u202fmin" in many


def test_training_on_many_chips_is_of_one_of_them() -> None:
    """The figure is of one chip, its rate is per chip, and states that the chips share raise no alarm."""
    case = Job(model="llama-3.1-70b", job="train", chip="h200-sxm", chips=64, zero=3, recompute="full")
    found = roofline.answer(case, View())
    assert found.sentence.endswith("tokens/s per chip.")
    assert "one of 64 chips" in found.caption
    assert not found.problems
    assert "shown as if they fit" in roofline.answer(replace(case, chips=1), View()).problems[-1]


@pytest.mark.parametrize("param", ["format", "kv"])
def test_no_two_formats_have_one_name(param: str) -> None:
    """A list tells its options apart by what they are called: two of one name would choose for the reader."""
    names = list(words(param).values())
    assert len(names) == len(set(names))
