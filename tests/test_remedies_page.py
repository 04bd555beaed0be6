"""The remedies page, its answers and its figures, and the command that says the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.test_pages import open_page, sentences
from wallviz import catalog
from wallviz.cli import app
from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.job import JOBS, Job
from wallviz.rooms import remedies
from wallviz.rooms.advice import known
from wallviz.rooms.remedies import further, offer
from wallviz.settings import of

FIGURES = of(remedies.View)["figure"].words
CASES = (
    Job(),
    Job(job="train", chips=8),
    Job(job="train"),
    Job(job="finetune", batch=4),
    Job(model="llama-3.1-70b"),
    Job(model="mixtral-8x7b", job="train", chips=64),
)


def run(*arguments: str) -> Any:
    """One call of the command."""
    return CliRunner().invoke(app, ["remedies", *arguments])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "view", [remedies.View(), remedies.View(show="time"), remedies.View(apply=("weights-4bit", "zero-2", "full-recompute", "adam-8bit"))]
)
def test_an_answer_is_short_and_its_figure_valid(case: Job, view: remedies.View) -> None:
    """Any case gets a sentence of at most 25 words, a figure that plotly accepts, a table, and finite numbers."""
    answer = remedies.answer(case, view)
    assert len(answer.sentence.split()) <= 25
    assert answer.figure is not None
    assert answer.table
    assert answer.why
    assert answer.how_sure
    assert all(source in catalog.sources() for source in answer.sources)


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("case", CASES[:3])
def test_every_other_figure(case: Job, figure: str) -> None:
    """Each further figure has a takeaway with a number, is accepted by plotly, and stands on rows."""
    answer = further.answer(case, remedies.View(figure=figure))
    assert answer.figure is not None
    assert any(c.isdigit() for c in answer.sentence)
    assert len(answer.sentence.split()) <= 25
    assert answer.table


def test_the_first_cards_are_six_at_most_and_say_when_they_fail() -> None:
    """At most six remedies that matter, each with what it buys, costs, and when it fails."""
    for case in CASES:
        cards = remedies.cards(case, remedies.View())
        assert 1 <= len(cards) <= 6
        assert all(card.buys and card.costs and card.fails and card.measured for card in cards)
        assert set(remedies.offered(case, remedies.View())) <= set(REMEDIES)


def test_the_order_of_choice_is_kept_or_sorted() -> None:
    """Steps stand in the order in which they were chosen, or the largest first."""
    case = Job(job="train", chips=8)

    def steps(order: str) -> list[object]:
        return [next(iter(row.values())) for row in remedies.answer(case, remedies.View(apply=("adam-8bit", "zero-2"), order=order)).table[1:]]

    assert steps("chosen") == list(reversed(steps("largest")))


def test_the_plane_shows_failures_in_a_shape_of_their_own() -> None:
    """Failures are open, crossed markers; successes are filled."""
    drawing = further.answer(CASES[0], remedies.View(figure="plane")).drawing
    assert drawing is not None
    symbols = {symbol for trace in drawing.data for symbol in trace["marker"]["symbol"]}
    assert {"square", "square-x-open", "triangle-up", "circle"} <= symbols


@pytest.mark.parametrize("job", JOBS)
def test_the_page_opens_with_every_drawer(job: str) -> None:
    """Each job draws its waterfall over its drawers, all open, without an exception."""
    from streamlit.testing.v1 import AppTest

    opened: AppTest = open_page("remedies", job=job, chips="8")
    assert not opened.exception
    assert len(sentences(opened)) == 1
    for name in ("why", "sure", "settings"):
        opened.session_state[f"remedies_drawer_{name}"] = True
    opened.run()
    assert not opened.exception
    assert len(opened.get("plotly_chart")) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"apply": "zero-2,nonsense", "job": "train", "chips": "8"},
        {"apply": "zero-2", "job": "train"},
        {"apply": "x" * 500},
        {"figure": "none"},
        {"acceptance": "900"},
    ],
)
def test_a_hostile_link_is_one_sentence(query: dict[str, str]) -> None:
    """Unknown remedies, remedies that do not go, values out of range: a sentence and the rest of the answer."""
    opened = open_page("remedies", **query)
    assert not opened.exception
    assert opened.info or opened.warning
    assert sentences(opened)


def test_what_cannot_run_is_said() -> None:
    """A model that writes no tokens, and a chip without a bandwidth, are a sentence without a figure."""
    for case in (Job(model="bert-base"), Job(chip="groqchip-1")):
        answer = remedies.answer(case, remedies.View())
        assert answer.drawing is None
        assert len(answer.sentence) > 20
        assert remedies.cards(case, remedies.View()) == ()


def test_the_command_lists_and_applies() -> None:
    """--json is a list of remedies; with --apply also the waterfall, whose numbers are those of the list."""
    listed = json.loads(run("llama-3.1-8b", "H100", "--count", "8", "--sequence", "8192", "--json").stdout)
    zero = next(one for one in listed if one["remedy"] == "zero-2")
    assert {"remedy", "saves_bytes", "saves_time", "price", "quality", "evidence", "fits", "fails_when"} <= set(zero)
    eight = ("llama-3.1-8b", "H100", "--count", "8", "--sequence", "8192")
    applied = json.loads(run(*eight, "--apply", "zero-2,selective", "--json").stdout)
    assert applied["waterfall"]["steps"][0]["saves_bytes"] == zero["saves_bytes"]
    assert applied["cheapest"]["then"]["bytes"] <= 80e9
    assert "zero-2" in run("llama-3.1-8b", "H100", "--count", "8").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense", "H100"), ("llama-3.1-8b", "nonsense"), ("llama-3.1-8b", "H100", "--apply", "nonsense"),
        ("llama-3.1-8b", "H100", "--job", "dream"),
        ("llama-3.1-8b", "H100", "--apply", "zero-2"), ("llama-3.1-8b", "H100", "--job", "infer", "--acceptance", "2"),
        ("llama-3.1-8b", "H100", "--job", "infer", "--draft-length", "x"), ("llama-3.1-8b", "H100", "--sequence", "-1"),
    ],
)  # fmt: skip
def test_bad_calls_are_one_line(arguments: tuple[str, ...]) -> None:
    """What is wrong is one line on stderr and exit 2."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("figure", [name for name in FIGURES if name != "waterfall"])
def test_another_figure_stands_where_the_first_one_stood(figure: str) -> None:
    """A chosen figure replaces the steps, with its own takeaway and a way back: nobody has to scroll for it."""
    answer = further.answer(CASES[0], remedies.View(figure=figure))
    assert answer.sentence != remedies.answer(CASES[0], remedies.View()).sentence
    assert answer.actions[-1].sets == {"figure": "waterfall"}
    opened = open_page("remedies", figure=figure)
    assert not opened.exception
    assert len(opened.get("plotly_chart")) == 1


@pytest.mark.parametrize("case", CASES)
def test_gains_are_bought_and_prices_are_paid(case: Job) -> None:
    """What a remedy takes off stands under what it buys, what it adds under what it costs: never the other way round."""
    for card in remedies.cards(case, remedies.View()):
        assert "+" not in card.buys
        assert "−" not in card.costs


def test_a_card_cites_cases_of_its_own_method() -> None:
    """AWQ's card cites AWQ, GPTQ's GPTQ, INT8's int8: not a neighbour."""
    cases = known()
    for id, word in (("weights-4bit", "AWQ"), ("weights-gptq", "GPTQ"), ("weights-int8", "int8"), ("weights-q8", "q8_0")):
        assert cases[id]
        assert all(word in case.setting.replace("Q8_0", "q8_0") for case in cases[id])


def test_serving_speaks_of_tokens_and_training_of_time() -> None:
    """One way to say speed: tokens per second before and after where tokens are written, percent of time where steps are made."""
    assert "→" in remedies.answer(Job(), remedies.View()).sentence
    trained = remedies.answer(Job(model="llama-3.1-70b", job="train", chip="h200-sxm", chips=64), remedies.View()).sentence
    assert "% time" in trained
    assert "×" not in trained


def test_the_capacity_stands_on_the_bars_alone() -> None:
    """The line of what the chip holds crosses bars and no words."""
    drawing = remedies.answer(Job(), remedies.View()).drawing
    assert drawing is not None
    assert not [shape for shape in drawing.layout["shapes"] if shape.get("yref") == "paper"]


def test_what_changes_the_whole_run_can_be_chosen_and_leads_to_its_figure() -> None:
    """Fewer trials, larger batches and loss scaling are toggles too: they say that they change no step, and open their figure."""
    case = Job(job="train")
    assert {"fewer-trials", "larger-batch", "loss-scaling"} <= set(remedies.offered(case, remedies.View(every=True)))
    found = remedies.answer(case, remedies.View(apply=("fewer-trials", "loss-scaling")))
    assert len(found.problems) == 2
    assert [action.sets for action in found.actions if "figure" in action.sets] == [{"figure": "search"}, {"figure": "formats"}]


def test_faster_without_loss_comes_first() -> None:
    """Where a job fits, what is proposed costs no quality that was published; what costs some stands on the cards."""
    found = remedies.answer(Job(), remedies.View())
    assert "at hardly any loss" in found.sentence
    assert any("published quality loss 2.4" in card.costs for card in remedies.cards(Job(), remedies.View()))


def test_a_row_without_a_saving_is_cited() -> None:
    """What was published of a remedy, if neither a saving nor a price, still stands on its card and is not called unpublished."""
    for remedy in ("offload-optimizer", "experts", "in-network"):
        assert "→" in offer.alone(remedy)
    assert "nothing published" in offer.alone("fused-kernels")


def test_one_format_takes_the_place_of_another() -> None:
    """Two formats of the same weights do not stack: the later one counts, and a sentence says so."""
    found = remedies.answer(Job(), remedies.View(apply=("weights-4bit", "weights-q2k")))
    alone = remedies.answer(Job(), remedies.View(apply=("weights-q2k",)))
    assert found.sentence == alone.sentence
    assert "takes the place of" in found.problems[0]


def test_what_fits_within_the_error_alone_may_not_fit() -> None:
    """A green badge needs room for the error of the estimate."""
    case = Job(model="qwen3-32b", chip="geforce-rtx-4090")
    assert remedies.answer(case, remedies.View(apply=("weights-4bit",))).sure == "may not fit"
    assert remedies.answer(case, remedies.View(apply=("weights-q2k",))).sure == "fits"
