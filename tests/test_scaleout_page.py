"""The scale-out page and its figures: one sentence, the grammar of charts, links that reopen a view, answers in time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from wallviz import catalog
from wallviz.answers import scaleout
from wallviz.answers.scaleout import View
from wallviz.answers.scaleout.choices import FIGURES, PARAMS, gpu_options
from wallviz.case import Case
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).parent.parent
DRAWERS = ("figure", "why", "sure", "layouts", "expert")


def open_page(*drawers: str, **query: str) -> AppTest:
    """The page as its address opens it, with some drawers open."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page(ROOMS["scaleout"].file)
    for name, value in query.items():
        app.query_params[name] = value
    for name in drawers:
        app.session_state[f"scaleout_drawer_{name}"] = True
    return app.run()


def takeaway(app: AppTest) -> str:
    """The sentence of the page."""
    (sentence,) = [m.value.removeprefix("#### ") for m in app.markdown if m.value.startswith("#### ")]
    return sentence


@pytest.mark.parametrize("show", FIGURES)
def test_a_figure_is_valid_and_keeps_the_grammar(show: str) -> None:
    """Every figure passes plotly's validation, has no title and no legend, ends its hovers as ours do, and brings a table and sources."""
    answer = scaleout.answer(Case(), View(show=show))
    assert answer.figure is not None
    spec = json.loads(answer.spec)
    assert spec["layout"]["showlegend"] is False
    assert not spec["layout"].get("title")
    assert {t["hovertemplate"][-15:] for t in spec["data"] if "hovertemplate" in t} == {"<extra></extra>"}
    assert answer.table
    assert set() < set(answer.sources) <= catalog.sources().keys()
    assert 5 <= len(answer.sentence.split()) <= 25
    assert any(letter.isdigit() for letter in answer.sentence)
    assert answer.why
    assert answer.how_sure


@pytest.mark.parametrize("model", ["llama-3.1-405b", "deepseek-v3", "mixtral-8x7b", "gpt2", "mamba-2.8b", "t5-small"])
@pytest.mark.parametrize("show", ["curve", "wire", "frontier", "bill"])
def test_any_model_has_an_answer(model: str, show: str) -> None:
    """Experts, latent attention, no attention, an encoder: a figure, or one sentence that says why not."""
    if model not in catalog.presets():
        pytest.skip("not among the presets")
    answer = scaleout.answer(Case(model=model, context=512), View(show=show))
    assert answer.sentence
    assert answer.drawing is None or answer.figure is not None


def test_the_split_bar_is_the_step() -> None:
    """The parts of the bar under the curves sum to the step that the sentence names."""
    answer = scaleout.answer(Case(), View(across="ethernet/10-gbe"))
    spec = json.loads(answer.spec)
    parts = [t["x"][0] for t in spec["data"] if t["type"] == "bar"]
    row = next(r for r in answer.table if r["chips"] == 64)
    assert sum(parts) == pytest.approx(row["step (s)"])
    assert "waits on the wire" in answer.sentence


def test_little_work_and_decoding_lose_where_training_does_not() -> None:
    """On the same 16 chips a large batch keeps nine tenths of the ideal speed, little work per chip and decoding less than half."""
    rows = {row["what"]: row["share of the ideal"] for row in scaleout.answer(Case(), View()).table if row["chips"] == 16}
    assert rows["this job"] > 0.9
    assert rows["batch grows with the chips"] > 0.9
    assert rows["16 times less work per chip"] < 0.5
    assert rows["writing one answer"] < 0.5


def test_faster_links_wait_less() -> None:
    """Each faster network leaves a shorter step on 64 chips."""
    steps = [
        next(row["step (s)"] for row in scaleout.answer(Case(), View(across=name)).table if row["chips"] == 64) for name in scaleout.words("across")
    ]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) == len(steps)


def test_what_does_not_fit_comes_with_a_split_that_does() -> None:
    """70 billion parameters on one chip each do not fit: the button splits them, and then they do."""
    case = Case(model="llama-3.1-70b", job="train")
    answer = scaleout.answer(case, View())
    assert any("does not fit" in problem for problem in answer.problems)
    fix = next(action for action in answer.actions if action.enough)
    sets = dict(fix.sets)
    again = scaleout.answer(Case(model="llama-3.1-70b", job="train", batch=int(str(sets.pop("batch")))), View(**sets))  # type: ignore[arg-type]
    assert not any("does not fit" in problem for problem in again.problems)


def test_what_cannot_run_is_one_sentence_with_a_way_out() -> None:
    """Heads that do not divide, more ranks than sequences: a sentence, no figure, and a button that leads back."""
    for view in (View(tensor_parallel=3), View(gpus=512, sequences=256)):
        answer = scaleout.answer(Case(), view)
        assert answer.drawing is None
        assert answer.sentence
        assert scaleout.answer(Case(), View(**dict(answer.actions[0].sets))).drawing is not None  # type: ignore[arg-type]


def test_every_chip_has_an_answer_or_a_way_out() -> None:
    """A chip without links or without 16-bit arithmetic is answered with a sentence and a button."""
    for chip in catalog.chips():
        answer = scaleout.answer(Case(chip=chip), View())
        assert answer.drawing is not None or answer.actions, chip


def test_every_choice_has_a_parameter_and_a_label() -> None:
    """Fields of the view, parameters and settings are the same; the number of chips in a link is among the options."""
    assert {param.name for param in PARAMS} == set(View.__dataclass_fields__)
    assert all(param.default == getattr(View(), param.name) for param in PARAMS)
    assert gpu_options(Case(), View(gpus=48))[48] == "48"
    assert gpu_options(Case(chips=96), View())[0] == "96"
    assert {setting.name for group in scaleout.groups(View()) for setting in group.settings} | {
        "show", "gpus", "across", "overlap", "sequences", "sweep",
    } == {param.name for param in PARAMS}  # fmt: skip


def test_the_evidence_shows_every_miss() -> None:
    """Each published number stands beside its prediction with a signed miss, the model's before the formulas."""
    rows = scaleout.evidence_table()
    assert len(rows) >= 100
    assert all(str(row["miss"])[0] in "+−" for row in rows)


@pytest.mark.parametrize("show", FIGURES)
def test_every_figure_opens_with_every_drawer(show: str) -> None:
    """Each figure is drawn over its drawers, all open, without an exception, and at most four controls stand before them."""
    assert len(open_page(*DRAWERS, show=show).get("plotly_chart")) == 1
    app = open_page(show=show)
    assert not app.exception
    assert takeaway(app)
    assert len([*app.selectbox, *app.number_input, *app.slider, *app.toggle, *app.get("button_group")]) <= 5  # and the language


def test_the_best_splits_are_listed() -> None:
    """Rows from the fastest on, each within the memory of the chip."""
    rows = scaleout.best_layouts(Case(), View())
    assert [row["step (s)"] for row in rows] == sorted(float(str(row["step (s)"])) for row in rows)
    assert all(float(str(row["GiB"])) < 80e9 / 2**30 for row in rows)


def test_a_link_reopens_its_view() -> None:
    """Chips, links and figure come from the address; what does not exist is said and the rest is kept."""
    assert "to 128 chips" in takeaway(open_page(gpus="128", across="infiniband/hdr"))
    app = open_page(gpus="128", across="carrier-pigeon")
    assert any("carrier" in warning.value for warning in app.warning)
    assert "to 128 chips" in takeaway(app)


def test_a_button_breaks_it() -> None:
    """Pressing the last button slows the links, and the address says so."""
    app = open_page()
    before = takeaway(app)
    app.button(key=f"scaleout_action_{len(scaleout.answer(Case(), View()).actions) - 1}").click().run()
    assert takeaway(app) != before
    assert "ethernet/10-gbe" in app.query_params["across"]
