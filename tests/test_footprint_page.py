"""The footprint page: it answers, offers what would fit, says what is wrong, and its link and its JSON hold everything."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from streamlit.testing.v1 import AppTest

from wallviz import catalog
from wallviz.answers import footprint
from wallviz.answers.footprint import View, choices, export, own
from wallviz.answers.footprint.estimate import estimate, fixes
from wallviz.case import JOBS, Case
from wallviz.errors import InputError
from wallviz.params import MAX_LENGTH
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).parent.parent
TRAIN = Case(job="train")
DRAWERS = ("why", "sure", "figure", "compare", "expert", "own", "export")


def open_page(*drawers: str, **query: str) -> AppTest:
    """The page as its address opens it, with some drawers open."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page(ROOMS["footprint"].file)
    for name, value in query.items():
        app.query_params[name] = value
    for name in drawers:
        app.session_state[f"footprint_drawer_{name}"] = True
    return app.run()


def takeaway(app: AppTest) -> str:
    """The sentence of the page."""
    (sentence,) = [m.value.removeprefix("#### ") for m in app.markdown if m.value.startswith("#### ")]
    return sentence.replace("\\", "")  # an error's sentence is escaped


def gib(sentence: str) -> float:
    """The first size of a sentence, GiB."""
    number, unit = re.search(r"([\d,.]+)\s([GT])iB", sentence).groups()  # type: ignore[union-attr]
    return float(number.replace(",", "")) * (1024 if unit == "T" else 1)


@pytest.mark.parametrize("show", choices.FIGURES)
@pytest.mark.parametrize("job", JOBS)
def test_every_job_opens_in_every_figure_with_every_drawer(job: str, show: str) -> None:
    """Each job draws one figure over its drawers, all open, without an exception."""
    app = open_page(*DRAWERS, job=job, show=show)
    assert not app.exception
    assert takeaway(app)
    assert len(app.get("plotly_chart")) == 1


def test_a_button_makes_the_change_that_it_names() -> None:
    """Pressing the first fix makes the case fit, and the address says how."""
    app = open_page(job="train")
    assert "does not fit" in takeaway(app)
    app.button(key="footprint_action_0").click().run()
    assert not app.exception
    assert " fits " in takeaway(app) or "may not fit" in takeaway(app)
    assert {"zero", "chips"} <= set(app.query_params)


def test_a_control_of_the_case_changes_the_answer() -> None:
    """Twice the context needs more memory, and the address carries it."""
    app = open_page(job="train")
    before = gib(takeaway(app))
    app.number_input(key="case_context").set_value(16_384).run()
    assert gib(takeaway(app)) > before
    assert app.query_params["context"] in ("16384", ["16384"])


def test_a_pasted_config_is_answered_and_stands_in_the_link() -> None:
    """A pasted config.json becomes the model, and its link reopens the same answer."""
    text = json.dumps(dict(catalog.config("gpt2-xl")))
    app = open_page("own", job="train")
    app.text_area(key="config_text").set_value(text)
    app.button(key="config_use").click().run()
    assert not app.exception
    (packed,) = app.query_params["config"] if isinstance(app.query_params["config"], list) else [app.query_params["config"]]
    assert len(packed) <= MAX_LENGTH
    again = open_page(job="train", config=packed)
    assert takeaway(again) == takeaway(app)
    assert takeaway(again) == takeaway(open_page(job="train", model="gpt2-xl"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        '{"hidden_size": NaN}',
        '{"model_type": "llama", "hidden_size": -1}',
        '{"model_type": "llama", "hidden_size": 0}',
        '{"model_type": "llama", "hidden_size": "4096"}',
        '{"model_type": {"$ref": "x"}}',
        "[" * 100_000,
        "x" * 10_000_000,
        '{"hidden_size": 1e999}',
    ],
    ids=lambda text: text[:24] or "nothing",
)
def test_a_hostile_paste_gets_a_sentence(text: str) -> None:
    """Whatever is pasted, one sentence says what is wrong; nothing else happens."""
    with pytest.raises(InputError) as caught:
        own.pack(text)
    assert 10 < len(str(caught.value)) < 400


def test_an_own_model_cannot_write_markup() -> None:
    """A name, a class or a value from a pasted file is shown as text: no image, no link, no HTML of its own."""
    evil = "![x](http://example.org/x.png) <img src=x> [y](http://example.org)"
    config = dict(catalog.config("llama-3.1-8b")) | {"_name_or_path": evil, "architectures": [evil + "ForCausalLM"], "vision_config": {"a": 1}}
    packed = own.pack(json.dumps(config))
    app = open_page(*DRAWERS, config=packed, against="job=train")
    broken = open_page(config=own._packed({"config": {"model_type": "llama", "hidden_size": evil}}))
    assert not app.exception
    for page in (app, broken):
        shown = (
            [e.value for e in (*page.markdown, *page.warning, *page.info)]
            + [b.label for b in page.button]
            + [str(t.value.values.tolist()) for t in page.table]
        )
        assert not [text for text in shown if "![x](" in text or "[y](" in text]


def test_the_page_keeps_the_rest_after_a_bad_paste() -> None:
    """A config.json that cannot be read is told beside the box; the answer stays."""
    app = open_page("own", job="train")
    before = takeaway(app)
    app.text_area(key="config_text").set_value('{"model_type": "llama", "hidden_size": -5}')
    app.button(key="config_use").click().run()
    assert not app.exception
    assert takeaway(app) == before
    assert any("hidden" in w.value for w in app.warning)


@pytest.mark.parametrize(
    "query",
    [
        {"job": "train", "tensor_parallel": "7"},
        {"job": "train", "chips": "3", "tensor_parallel": "2"},
        {"job": "train", "expert_parallel": "2"},
        {"job": "train", "stage": "9", "pipeline_parallel": "4"},
        {"job": "train", "stage": "middle"},
        {"model": "gpt2-xl", "chips": "8"},
        {"config": "not-a-model"},
        {"config": "eJw="},
        {"against": "zero=9"},
        {"against": "<script>"},
        {"zero": "7"},
        {"batch": "0"},
        {"context": "-5"},
        {"reported": "NaN"},
        {"utilization": "0"},
        {"format": "gguf:Q99"},
        {"chip": "amd-opteron-248"},
        {"prefix": "16777216"},
    ],
    ids=lambda q: "-".join(f"{k}={v[:14]}" for k, v in q.items()),
)
def test_a_bad_link_gets_a_sentence(query: dict[str, str]) -> None:
    """No address makes an exception, with all drawers open; one sentence says what is wrong, and the controls stay."""
    app = open_page(*DRAWERS, **query)
    assert not app.exception
    sentence = takeaway(app)
    said = [e.value for e in (*app.warning, *app.info)]
    assert said or not re.search(r"per GPU", sentence)
    assert app.number_input(key="case_batch") is not None


def test_what_cannot_run_offers_a_way_out() -> None:
    """Eight chips cannot share 25 heads: one button sets a number of chips that can."""
    app = open_page(model="gpt2-xl", chips="8")
    assert "25 % 8" in takeaway(app)
    app.button(key="footprint_action_0").click().run()
    assert " fits " in takeaway(app)


def test_one_pipeline_stage_can_be_asked_about() -> None:
    """A stage by its number answers for that stage: the first holds the embedding, the second neither it nor the head."""
    first, second = (gib(takeaway(open_page("expert", job="train", pipeline_parallel="4", chips="4", stage=str(n)))) for n in (0, 1))
    assert first > second


def test_every_choice_is_in_the_link() -> None:
    """Each field of the view has a parameter of its name and default, and what is not the default comes back from its text."""
    defaults = View()
    by_name = {p.name: p for p in footprint.PARAMS}
    assert by_name.keys() == {f.name for f in fields(View)}
    for name, param in by_name.items():
        assert param.default == getattr(defaults, name)
        if param.default is not None:
            assert param.parse(param.format(param.default)) == param.default


def test_a_kept_configuration_comes_back_from_its_text() -> None:
    """What is kept to compare holds every setting that decides a number."""
    case = Case("gpt2-xl", "finetune", 3, 2048, "b200-sxm", 4)
    view = View(zero=2, kv="fp8", dropout=True, sequence_parallel=True, optimizer="lion", weights="fp32")
    assert choices.unpack(choices.pack(case, view)) == (case, view)
    assert choices.unpack(choices.pack(Case(), View())) == (Case(), View())


def test_two_configurations_stand_side_by_side() -> None:
    """The comparison lists the settings that differ, and the parts of both."""
    rows = footprint.compared(replace(TRAIN, chips=8), View(zero=3, against=choices.pack(TRAIN, View())))
    told = {row["what"]: (row["kept"], row["now"]) for row in rows}
    assert told["ZeRO sharding"] == ("none", "3: and weights")
    assert told["How many chips"] == ("1", "8")
    assert all("GiB" in size for size in told["in all, per GPU"])
    assert not footprint.compared(TRAIN, View())


def numbers(found: object) -> set[float]:
    """Every number in a document."""
    if isinstance(found, dict):
        return set().union(*(numbers(v) for v in found.values())) if found else set()
    if isinstance(found, list):
        return set().union(*(numbers(v) for v in found)) if found else set()
    return {float(found)} if isinstance(found, int | float) and not isinstance(found, bool) else set()


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("show", ["bar", "timeline", "map"])
def test_every_number_of_the_page_is_in_the_json(job: str, show: str) -> None:
    """What stands in the figure, its table and the terms is in the document, to the byte."""
    case, view = Case(job=job), View(show=show, reported=70_000)
    found = json.loads(export.document(case, view, footprint.answer(case, view).sentence))
    known = {round(n) for n in numbers(found)}
    shown = {round(float(row["bytes"])) for row in footprint.answer(case, view).table}  # type: ignore[arg-type]
    shown |= {round(float(row["GB"]) * 1e9) for row in footprint.terms(case, view)}  # type: ignore[arg-type]
    assert {n for n in shown if not any(abs(n - k) <= 1 for k in known)} == set()
    assert found["case"]["job"] == job
    assert found["per_gpu"]["runs_out_of_memory"] in ("yes", "likely", "no")


def test_terms_sum_to_the_takeaway() -> None:
    """The table of terms adds up to what the sentence says, for every job."""
    for job in JOBS:
        case = Case(job=job)
        assert sum(float(row["GiB"]) for row in footprint.terms(case, View())) == pytest.approx(estimate(case, View()).total_bytes / 2**30, rel=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize(("capacity", "verdict"), [(1.04, "no"), (1.02, "likely"), (0.98, "likely"), (0.96, "yes")])
def test_the_error_band_decides_between_no_likely_and_yes(capacity: float, verdict: str) -> None:
    """Within the band of 3 % nobody can say; outside it the answer is no or yes."""
    now = estimate(TRAIN, View())
    assert replace(now, capacity_bytes=now.total_bytes * capacity).verdict == verdict


def test_a_reported_peak_is_answered_with_the_miss() -> None:
    """A run that reported 5 % less than predicted is told so, with its sign."""
    now = estimate(TRAIN, View())
    reported = round(float(now.result.peak_allocated_bytes) / 1.05 / 2**20)  # type: ignore[union-attr]
    assert "+5.0 %" in footprint.miss(TRAIN, View(reported=reported))
    assert not footprint.miss(TRAIN, View())


@pytest.mark.parametrize("model", ["llama-3.1-8b", "mixtral-8x7b", "gpt2-xl", "deepseek-v3"])
@pytest.mark.parametrize("job", JOBS)
def test_a_fix_delivers_what_it_promises(model: str, job: str) -> None:
    """Applying a fix needs the bytes that its button names."""
    case, view = Case(model=model, job=job, batch=2), View()
    for fix in fixes(case, view):
        changed: dict[str, Any] = dict(fix.sets)
        of_case = {name: changed.pop(name) for name in list(changed) if hasattr(case, name)}
        assert estimate(replace(case, **of_case), replace(view, **changed)).total_bytes == pytest.approx(fix.bytes, rel=1e-9)


def test_the_takeaway_keeps_its_budget() -> None:
    """At most 25 words, whatever the model, the job and the chip."""
    for model in catalog.presets():
        for job in JOBS:
            assert len(footprint.answer(Case(model=model, job=job), View()).sentence.split()) <= 25


@pytest.mark.parametrize(
    ("job", "view", "expected"),
    [
        ("train", View(zero=3, offload="optimizer", accumulation=4), ['"stage": 3', '"gradient_accumulation_steps": 4', "offload_optimizer"]),
        ("train", View(zero=3, recompute="full", fragment="fsdp"), ["FULL_SHARD", "fsdp_activation_checkpointing: true"]),
        ("infer", View(kv="fp8", utilization=80), ["--max-model-len 8192", "--kv-cache-dtype fp8", "--gpu-memory-utilization 0.8"]),
    ],
)
def test_a_configuration_says_what_was_chosen(job: str, view: View, expected: list[str]) -> None:
    """The configuration file starts with the reader's own settings."""
    text = export.fragment(Case(job=job), view)
    assert [line for line in expected if line not in text] == []


def test_an_own_model_too_large_for_a_link_is_said() -> None:
    """What a link cannot carry stays out of the address, and the page says so."""
    packed = own.pack(
        json.dumps(
            {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128, "vocab_size": 99}
        )
    )
    assert own.fits_link(packed)
    assert not own.fits_link(packed + "A" * MAX_LENGTH)
    assert parse_qs(urlencode({"config": packed}))["config"] == [packed], "its alphabet needs no escapes"
