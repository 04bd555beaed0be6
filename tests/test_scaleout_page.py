"""The scale-out page and its figures: one sentence, the grammar of charts, links that reopen a view, answers in time."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from tests.conftest import PATIENCE_S
from tests.test_footprint_page import REVEALING
from wallviz import catalog, cli
from wallviz.engine.advice.record import briefly, change
from wallviz.job import WHO, Job
from wallviz.rooms import footprint, scaleout
from wallviz.rooms.advice import fixes
from wallviz.rooms.job import SETTINGS
from wallviz.rooms.scaleout import View, chip_options, sequence_options
from wallviz.rooms.scaleout.choices import IDLE, across_links
from wallviz.rooms.scaleout.curve import badge
from wallviz.rooms.scaleout.over_chips import study
from wallviz.settings import of
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).parent.parent
DRAWERS = ("why", "sure", "settings")
FIGURES = of(View)["show"].words
TRAIN = Job(job="train", chips=64, sequences=256)
FITS = replace(TRAIN, zero=3)
"""A copy on each chip does not fit; sharded it does."""
JOBS = ("infer", "train", "finetune")
SHARED = {"infer": {"chips": 8}, "train": {"chips": 64, "sequences": 256}, "finetune": {"chips": 64, "sequences": 256}}
"""As many chips as make each job worth sharing."""


def open_page(*drawers: str, **query: str) -> AppTest:
    """The page as its address opens it, with some drawers open."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
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


@pytest.mark.parametrize("shared", [False, True], ids=["one chip", "many"])
@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("show", FIGURES)
def test_a_figure_is_valid_and_keeps_the_grammar(show: str, job: str, shared: bool) -> None:
    """Every figure passes plotly's validation, has no title and no legend, ends its hovers as ours do, and brings a table and sources."""
    answer = scaleout.answer(Job(job=job, **SHARED[job] if shared else {}), View(show=show))
    if show == "wire" and not shared:  # nobody to send to
        assert answer.figure is None
        assert "One chip" in answer.sentence
        assert answer.actions[0].sets["chips"] > 1  # type: ignore[operator]
        return
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
@pytest.mark.parametrize("job", JOBS)
def test_any_model_has_an_answer(model: str, show: str, job: str) -> None:
    """Experts, latent attention, no attention, an encoder: a figure, or one sentence that says why not."""
    if model not in catalog.presets():
        pytest.skip("not among the presets")
    answer = scaleout.answer(Job(model=model, context=512, job=job, **SHARED[job]), View(show=show))
    assert answer.sentence
    assert len(answer.sentence.split()) <= 25 or answer.drawing is None
    assert answer.drawing is None or answer.figure is not None


@pytest.mark.parametrize("case", [Job(chips=8), Job(batch=8, chips=4), FITS, Job(job="finetune", chips=8, sequences=256, context=2048, zero=3)])
def test_the_split_bar_is_the_step(case: Job) -> None:
    """The parts of the bar under the curves sum to the step, or the token, that its title names."""
    answer = scaleout.answer(case, View())
    (parts,) = [t["x"] for t in json.loads(answer.spec)["data"] if t["type"] == "bar"]
    record = json.loads(scaleout.document(case, View()))["record"]
    assert sum(parts) == pytest.approx(record["step_s"])
    assert "is waiting" in answer.sentence or record["waiting_s"] < 0.005 * record["step_s"]


def test_little_work_and_decoding_lose_where_training_does_not() -> None:
    """On the same 16 chips a large batch keeps nine tenths of the ideal speed, little work per chip and decoding less than half."""
    rows = {row["what"]: row["share of the ideal"] for row in scaleout.answer(TRAIN, View()).table if row["chips"] == 16}
    assert rows["this job"] > 0.9
    assert rows["batch grows with the chips"] > 0.9
    assert rows["512 tokens a chip and step"] < 0.5
    assert rows["generating one answer"] < 0.5


def test_serving_is_about_serving() -> None:
    """The case serves: tokens per second of the case's batch, beside a busier server, and training, which keeps more of its speed."""
    answer = scaleout.answer(Job(batch=4, chips=16), View())
    rows = {row["what"]: row for row in answer.table if row["chips"] == 16}
    assert "tokens/s" in answer.sentence
    assert "batch 4, context 8,192" in answer.caption
    assert rows["training it: 256 sequences"]["share of the ideal"] > 0.9
    assert rows["this job"]["share of the ideal"] < rows["64 answers at once"]["share of the ideal"] < 0.9


def test_the_label_of_the_small_job_says_its_tokens() -> None:
    """The tokens that stand at the small job's line are those that its chips work on."""
    now = study(TRAIN, View())
    assert now.tokens_per_chip == pytest.approx(float(now.small.steps.tokens[-1]) / float(now.small.chips[-1]))


def test_faster_links_wait_less() -> None:
    """Each faster network leaves a shorter step on 64 chips."""
    steps = [json.loads(scaleout.document(TRAIN, View(across=name)))["record"]["step_s"] for name in across_links()]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) == len(steps)


def test_links_inside_a_node_decide_serving() -> None:
    """Eight chips joined by PCI Express write fewer tokens than by NVLink, and wait longer."""
    fast, slow = (json.loads(scaleout.document(Job(batch=64, chips=8), View(inside_gb=rate)))["record"] for rate in (0, 32))
    assert slow["tokens_per_s"] < fast["tokens_per_s"]
    assert slow["waiting_s"] > fast["waiting_s"]


def test_the_badge_says_the_share_in_which_a_chip_works() -> None:
    """Green from four fifths on, orange from a half, red below; whether it fits comes before all of it."""
    shares = {1.0: "green", 0.8: "green", 0.79: "orange", 0.5: "orange", 0.49: "red", 0.0: "red"}
    assert {share: badge("no", share)[1] for share in shares} == shares
    assert badge("no", 0.873)[0] == "87% computing"
    assert [badge(runs_out, 0.9)[1] for runs_out in ("likely", "yes")] == ["orange", "red"]


@pytest.mark.parametrize(
    ("model", "chip", "chips"), [("llama-3.1-70b", "h100-sxm5", 64), ("llama-3.1-70b", "h200-sxm", 64), ("llama-3.1-8b", "h100-sxm5", 8)]
)
def test_what_does_not_fit_comes_with_a_split_that_does(model: str, chip: str, chips: int) -> None:
    """A copy on each chip does not fit: the badge is red, the sentence says so and what would do, the button makes it, and then it fits."""
    case = Job(model=model, job="train", chip=chip, chips=chips, sequences=256)
    answer = scaleout.answer(case, View())
    assert (answer.trust, answer.sure) == ("red", "does not fit memory")
    fix = next(action for action in answer.actions if action.enough)
    again = scaleout.answer(replace(case, **fix.sets), View())
    assert f"To fit: {briefly(fixes(case)[0])}" in answer.sentence
    assert fix.label == f"To fit: {change(fixes(case)[0])}"
    assert "fit" not in again.sure
    assert again.sentence.startswith("Doubling pays up to")


def test_what_is_not_held_by_one_chip_is_by_more() -> None:
    """32 billion parameters do not fit one RTX 4090: red, what would do in the sentence, and the button makes it fit."""
    case = Job(model="qwen3-32b", chip="geforce-rtx-4090")
    answer = scaleout.answer(case, View())
    assert (answer.trust, answer.sure) == ("red", "does not fit memory")
    fix = next(action for action in answer.actions if action.enough)
    assert f"To fit: {briefly(fixes(case)[0])}" in answer.sentence
    assert "fit" not in scaleout.answer(replace(case, **fix.sets), View()).sure


@pytest.mark.parametrize(
    "case",
    [
        Job(model="llama-3.1-70b", job="train", chip="h200-sxm", chips=64),
        Job(job="train", batch=4, context=2048, chips=8),
        Job(job="finetune", chips=8),
        Job(chips=4),
        Job(model="qwen3-32b", chip="geforce-rtx-4090", chips=8, batch=16),
    ],
)
def test_memory_is_that_of_the_footprint_page(case: Job) -> None:
    """The same case as it is opened needs the same bytes per chip here and on the footprint page, with the same verdict."""
    found = footprint.estimate(case)
    record = json.loads(scaleout.document(case, View()))["record"]
    assert record["peak_total_bytes"] == round(found.total_bytes)
    assert record["runs_out_of_memory"] == found.verdict


def test_the_split_stands_beside_the_figure() -> None:
    """The caption says how the job is split, what a chip needs of what it holds, and the batch of a step."""
    caption = scaleout.answer(replace(TRAIN, zero=1, tensor_parallel=8, pipeline_parallel=2), View()).caption
    assert "split TP8×PP2×DP4, ZeRO-1" in caption
    assert "of 74.5\u202fGiB per chip" in caption
    assert "256 sequences of 8,192 tokens a step" in caption
    assert "1,024 sequences" in scaleout.answer(Job(job="train", batch=16, chips=64), View()).caption  # the case's batch on each chip


@pytest.mark.parametrize(
    "case",
    [
        replace(TRAIN, tensor_parallel=3),
        replace(TRAIN, chips=512),
        Job(chips=8, replicas=3),
        Job(chips=8, pipeline_parallel=64),
    ],
)
def test_what_cannot_run_is_one_sentence_with_a_way_out(case: Job) -> None:
    """Heads that do not divide, more ranks than sequences: a sentence, no figure, and a button that leads back."""
    answer = scaleout.answer(case, View())
    assert answer.drawing is None
    assert answer.sentence
    assert scaleout.answer(replace(case, **answer.actions[0].sets), View()).drawing is not None


def test_any_number_of_chips_serves() -> None:
    """More chips than heads become copies: no error, and the split says so."""
    assert "TP32, 2 copies" in scaleout.answer(Job(chips=64), View()).caption


def test_every_chip_has_an_answer_or_a_way_out() -> None:
    """A chip without links or without 16-bit arithmetic is answered with a sentence and a button."""
    for chip in catalog.chips():
        for job in JOBS:
            answer = scaleout.answer(Job(chip=chip, job=job, **SHARED[job]), View())
            assert answer.drawing is not None or answer.actions, (chip, job)


def test_every_choice_has_a_parameter_and_a_label() -> None:
    """Every setting of the view, and of the job where it moves time, is asked somewhere; a link's chips and sequences are among the options."""
    assert chip_options(Job(chips=48))[48] == "48"
    assert sequence_options(replace(TRAIN, chips=96, sequences=0))[0] == "96"
    assert sequence_options(replace(TRAIN, sequences=100))[100] == "100"
    asked = [
        setting
        for job, others, show in product(JOBS, REVEALING, scaleout.OF_THE_JOB)
        for group in scaleout.groups(Job(job=job, **others), View(show=show))
        for setting in group.settings
    ]
    elsewhere = {"show", "across", "overlap", "sequences", "sweep", "format"}
    assert {setting.name for setting in asked} | elsewhere == {*SETTINGS, *of(View)} - {*WHO, *IDLE}
    assert all(setting.label for setting in asked)


def test_a_run_is_one_row() -> None:
    """No published run stands in the table twice, in two units."""
    rows = scaleout.evidence_table(formulas=False)
    assert len({(row["case"], row["inputs"]) for row in rows}) == len(rows) >= 30


def test_the_evidence_shows_every_miss() -> None:
    """Each published number stands beside its prediction with a signed miss, the model's before the formulas."""
    rows = scaleout.evidence_table()
    assert len(rows) >= 90
    assert all(str(row["miss"])[0] in "+−" for row in rows)


@pytest.mark.parametrize("job", JOBS[:2])
@pytest.mark.parametrize("show", FIGURES)
def test_every_figure_opens_with_every_drawer(show: str, job: str) -> None:
    """Each figure is drawn over its drawers, all open, without an exception, and at most four controls stand before them."""
    shared = {name: str(value) for name, value in SHARED[job].items()}
    app = open_page(*DRAWERS, show=show, job=job, **shared)
    assert not app.exception
    assert len(app.get("plotly_chart")) == 1
    app = open_page(show=show, job=job, **shared)
    assert not app.exception
    assert takeaway(app)
    assert len([*app.selectbox, *app.number_input, *app.slider, *app.toggle, *app.get("button_group")]) <= 6  # with figures and language


def test_the_best_splits_are_listed() -> None:
    """The simplest split within 2 % of the fastest, then from the fastest on; each within memory with room for the estimate's error."""
    first, *rest = scaleout.best_layouts(TRAIN, View())
    steps = [float(str(row["step (s)"])) for row in rest]
    assert steps == sorted(steps)
    assert float(str(first["step (s)"])) <= min(steps) * 1.02
    assert first["context"] == 1
    assert all(float(str(row["GiB"])) * 1.03 < 80e9 / 2**30 for row in (first, *rest))
    rows = scaleout.best_layouts(Job(model="llama-3.1-70b", chips=8), View())
    assert all(float(str(row["GiB"])) * 1.15 < 80e9 / 2**30 for row in rows)
    assert len(rows) > 1


@pytest.mark.parametrize(
    ("case", "arguments"),
    [
        (TRAIN, "--half-square --gpus 64 --sequence 8192 --global-batch 256 --tokens 15e12 --search"),
        (Job(batch=4, chips=8), "--gpus 8 --job infer --context 8192 --batch 4 --tokens 1e9"),
        (
            Job(job="finetune", chips=8, sequences=256),
            "--half-square --gpus 8 --job finetune --sequence 8192 --global-batch 256 --tokens 1e9 --search",
        ),
    ],
)
def test_every_number_is_in_the_document(case: Job, arguments: str) -> None:
    """JSON with the sentence, the rows of the figure, the evidence, and the record that the command line prints for the same job."""
    found, page = json.loads(scaleout.document(case, View())), scaleout.answer(case, View())
    assert found["sentence"] == page.sentence
    assert found["figure"]["rows"] == json.loads(json.dumps([dict(row) for row in page.table]))
    assert len(found["evidence"]) == len(scaleout.evidence_table(formulas=False))
    command = ["scaleout", "llama-3.1-8b", "H100", *arguments.split(), "--json"]
    printed = json.loads(CliRunner().invoke(cli.app, command, env={"LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}).stdout)
    assert {key: found["record"][key] for key in printed} == printed


def test_times_are_said_in_human_units() -> None:
    """No kiloseconds, whatever is slow: minutes, hours, days."""
    case, view = Job(model="llama-3.1-405b", job="train", chips=1024, sequences=1024), View(across="ethernet/10-gbe")
    for show in ("curve", "wire", "frontier", "bill"):
        answer = scaleout.answer(case, replace(view, show=show))
        assert "\u202fks" not in answer.sentence + answer.why + answer.spec


def test_the_rates_are_followed_to_their_sources() -> None:
    """The drawer prints the product behind the rate of the links, the peak and its share, and what a byte sent has to be worth."""
    why = scaleout.answer(TRAIN, View()).why.replace("\u202f", " ")
    assert "8 × 50.0 GB/s" in why
    assert "× 80% = 320 GB/s" in why
    assert "989 TFLOP/s × 70% = 693 TFLOP/s" in why
    assert "693 TFLOP/s / 320 GB/s = 2,164 FLOP" in why


def test_a_link_reopens_its_view() -> None:
    """Chips, by either of their names, links and figure come from the address; what does not exist is said and the rest is kept."""
    assert "; 128 are" in takeaway(open_page(chips="128", sequences="256", across="infiniband/hdr", job="train", zero="3"))
    app = open_page(gpus="128", sequences="256", across="carrier-pigeon", job="train", zero="3")
    assert any("carrier" in warning.value for warning in app.warning)
    assert "; 128 are" in takeaway(app)


def test_a_button_breaks_it() -> None:
    """Pressing the last button slows the links, and the address says so."""
    app = open_page(job="train", chips="64", sequences="256", zero="3")
    before = takeaway(app)
    app.button(key=f"scaleout_action_{len(scaleout.answer(FITS, View()).actions) - 1}").click().run()
    assert takeaway(app) != before
    assert "ethernet/10-gbe" in app.query_params["across"]


def labels(case: Job) -> list[dict[str, object]]:
    """The labels of the curve's lines: what starts with a line's mark."""
    drawn = scaleout.answer(case, View()).figure
    assert drawn is not None
    return [each for each in drawn.to_plotly_json()["layout"]["annotations"] if "this job" in each["text"] or "once it fits" in each["text"]]


def test_labels_of_lines_that_end_together_are_one() -> None:
    """8B on 64 chips does not fit as it is: the line as if it did and the one of what fits end close together, and are named in one label."""
    (label,) = labels(Job(job="train", chips=64))
    assert "this job, were" in str(label["text"])
    assert "once it fits" in str(label["text"])
    assert label["yanchor"] == "top"


def test_a_label_stands_before_its_point_where_another_is_at_the_edge() -> None:
    """With states that are shared the batch may grow: that line is named at the edge, this job before its point, over it."""
    (label,) = [each for each in labels(Job(job="train", chips=64, zero=3)) if "this job" in str(each["text"])]
    assert (label["xanchor"], label["yanchor"]) == ("right", "bottom")


def test_one_point_is_no_line() -> None:
    """One sequence on one chip cannot be shared out: what is named is the batch that grows with the chips, of the job as it fits."""
    (label,) = labels(Job(job="train"))
    assert "once it fits" in str(label["text"])
