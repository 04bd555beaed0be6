"""The footprint page: it answers, offers what would fit, says what is wrong, and its link and its JSON hold everything."""

import codecs
import json
import re
from dataclasses import fields, replace
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE_S
from wallviz import catalog, settings
from wallviz.cli import options
from wallviz.engine.memory import jobs
from wallviz.engine.memory.run import FIELDS
from wallviz.engine.memory.serve import infer
from wallviz.engine.transformer import custom
from wallviz.errors import InputError
from wallviz.job import JOBS, MAX_BATCH, MAX_CONTEXT, SETTINGS, Job, pack, serving_options, training_run
from wallviz.rooms import footprint, own_model
from wallviz.rooms.advice import changes, fixes
from wallviz.rooms.footprint import View, export
from wallviz.rooms.footprint.need import estimate
from wallviz.rooms.job import groups, unpack
from wallviz.settings import MAX_LENGTH
from wallviz.ui.frame import ROOMS
from wallviz.units import binary

ROOT = Path(__file__).parent.parent
TRAIN = Job(job="train")
LLAMA = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128, "vocab_size": 99}
FIGURES = settings.of(View)["show"].words
DRAWERS = ("why", "sure", "settings", "own", "menu")


def open_page(*drawers: str, **query: str) -> AppTest:
    """The page as its address opens it, with some drawers open."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.switch_page(ROOMS["footprint"].file)
    for name, value in query.items():
        app.query_params[name] = value
    keys = {"own": ("job_bar", "job_own"), "menu": ("footprint_menu",)}
    for key in (key for name in drawers for key in keys.get(name, (f"footprint_drawer_{name}",))):
        app.session_state[key] = True
    return app.run()


def takeaway(app: AppTest) -> str:
    """The sentence of the page."""
    (sentence,) = [m.value.removeprefix("#### ") for m in app.markdown if m.value.startswith("#### ")]
    return sentence.replace("\\", "")  # an error's sentence is escaped


def gib(sentence: str) -> float:
    """The first size of a sentence, GiB."""
    number, unit = re.search(r"([\d,.]+)\s([GT])iB", sentence).groups()  # type: ignore[union-attr]
    return float(number.replace(",", "")) * (1024 if unit == "T" else 1)


@pytest.mark.parametrize("show", FIGURES)
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
    assert set(app.query_params) > {"job"}


def test_a_control_of_the_case_changes_the_answer() -> None:
    """Twice the context needs more memory, and the address carries it."""
    app = open_page(job="train")
    before = gib(takeaway(app))
    app.number_input(key="footprint_context").set_value(16_384).run()
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
        '{"hidden_size": ' + "9" * 5000 + "}",
        '{"hidden_size": ' * 900 + "1" + "}" * 900,
        r'{"model_type": "\ud800"}',
        json.dumps(LLAMA | {"_name_or_path": "\ud800"}),
        json.dumps(LLAMA | {"layer_types": ["full_attention"] * 20_000}),
        json.dumps(LLAMA | {"num_hidden_layers": 1e30}),
        json.dumps(LLAMA | {f"k{i}": "v" * 20 for i in range(10_000)}),
        json.dumps(LLAMA | {f"k{i}": 10**30 for i in range(300)}),
        json.dumps(LLAMA | {f"k{i}": i for i in range(300)} | {"deep": json.loads("[" * 300 + "]" * 300)}),
    ],
    ids=lambda text: text[:24] or "nothing",
)
def test_a_hostile_paste_gets_a_sentence(text: str) -> None:
    """Whatever is pasted, one sentence says what is wrong; nothing else happens."""
    with pytest.raises(InputError) as caught:
        own_model.pack(text)
    assert 10 < len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (json.dumps(LLAMA).encode(), ""),
        (json.dumps(LLAMA).encode("utf-8-sig"), ""),
        (json.dumps(LLAMA).encode("utf-16"), ""),
        (codecs.BOM_UTF16_BE + json.dumps(LLAMA).encode("utf-16-be"), ""),
        (b"", "empty"),
        (bytes(range(256)), "not text"),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "not text"),
        (codecs.BOM_UTF16_LE + b"\0\xd8x", "not text"),
        (b"{", "not valid JSON"),
    ],
    ids=["utf-8", "utf-8 marked", "utf-16", "utf-16 big-endian", "empty", "binary", "archive", "broken utf-16", "cut off"],
)
def test_an_uploaded_file_is_read_or_refused_with_a_sentence(file: bytes, said: str) -> None:
    """A config.json is read however an editor saved it; what is none gets one sentence, and the answer stays."""
    app = open_page("own", job="train")
    before = takeaway(app)
    app.file_uploader(key="config_file").set_value(("config.json", file, "application/json")).run()
    app.button(key="config_use").click().run()
    assert not app.exception
    assert [said in w.value.replace("\\", "") for w in app.warning] == ([True] if said else [])
    assert (takeaway(app) == before) == bool(said)


def test_the_latest_of_paste_and_file_is_used() -> None:
    """After a file that cannot be read a pasted text is tried, not the file again; a text without end leaves the box."""
    app = open_page("own", job="train")
    app.button(key="config_use").click().run()
    assert "there is no config.json yet" in app.warning[0].value.replace("\\", "")
    app.file_uploader(key="config_file").set_value(("config.json", b"PK\0", "application/json")).run()
    app.text_area(key="config_text").set_value("x" * 2_000_000).run()
    app.button(key="config_use").click().run()
    assert "1000000" in app.warning[0].value
    assert app.text_area(key="config_text").value == ""
    app.text_area(key="config_text").set_value(json.dumps(LLAMA)).run()
    app.button(key="config_use").click().run()
    assert not app.warning
    assert "config" in app.query_params


def test_what_is_wrong_with_a_model_is_said_in_the_language_of_the_page() -> None:
    """An error made in a callback, which runs before the page knows its language, is shown in that language and follows the switch."""
    app = open_page("own", job="train", lang="zh")
    app.button(key="config_use").click().run()
    assert "请粘贴" in app.warning[0].value
    app.text_area(key="config_text").set_value("{").run()
    app.button(key="config_use").click().run()
    assert "不是合法的 JSON" in app.warning[0].value
    app.session_state["_language"] = "en"
    app.run()
    assert "not valid JSON" in app.warning[0].value


def test_an_own_model_cannot_write_markup() -> None:
    """A name, a class or a value from a pasted file is shown as text: no image, no link, no HTML of its own_model."""
    evil = "![x](http://example.org/x.png) <img src=x> [y](http://example.org)"
    config = dict(catalog.config("llama-3.1-8b")) | {"_name_or_path": evil, "architectures": [evil + "ForCausalLM"], "vision_config": {"a": 1}}
    packed = own_model.pack(json.dumps(config))
    app = open_page(*DRAWERS, config=packed, against="job=train")
    broken = open_page(config=own_model._packed({"config": {"model_type": "llama", "hidden_size": evil}}))
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
        {"model": "gpt2-xl", "chips": "8", "tensor_parallel": "8"},
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
    assert app.number_input(key="footprint_batch") is not None


def test_what_cannot_run_offers_a_way_out() -> None:
    """Eight chips asked to share each layer cannot share 25 heads: one button sets a split that can."""
    app = open_page(model="gpt2-xl", chips="8", tensor_parallel="8")
    assert "25 % 8" in takeaway(app)
    app.button(key="footprint_action_0").click().run()
    assert " fits " in takeaway(app)


def test_one_pipeline_stage_can_be_asked_about() -> None:
    """A stage by its number answers for that stage: the first holds the embedding, the second neither it nor the head."""
    first, second = (gib(takeaway(open_page("settings", job="train", pipeline_parallel="4", chips="4", stage=str(n)))) for n in (0, 1))
    assert first > second


def test_a_kept_configuration_comes_back_from_its_text() -> None:
    """What is kept to compare holds every setting that decides a number."""
    case = Job(
        model="gpt2-xl", job="finetune", batch=3, context=2048, chip="b200-sxm", chips=4,
        zero=2, kv="fp8", dropout=True, sequence_parallel=True, optimizer="lion", weights="fp32",
    )  # fmt: skip
    assert unpack(pack(case)) == case
    assert unpack(pack(Job())) == Job()


def test_two_configurations_stand_side_by_side() -> None:
    """The comparison lists the settings that differ, and the parts of both."""
    rows = footprint.compared(replace(TRAIN, chips=8, zero=3), View(against=pack(TRAIN)))
    told = {row["what"]: (row["kept"], row["now"]) for row in rows}
    assert told["ZeRO sharding"] == ("none", "3: and weights")
    assert told["How many chips"] == ("1", "8")
    assert all("GiB" in size for size in told["in all, per GPU"])
    assert not footprint.compared(TRAIN, View())


#: What a run, an engine and the command line call otherwise than the page: the case's own words, and one `weights` for each job.
SAME = {"micro_batch": "batch", "sequence": "context", "data_parallel": "chips", "hardware": "chip", "hardware_bytes": "chip", "count": "chips"}
SERVED = SAME | {"weights": "format", "tensor_parallel": "chips", "arch": "model"}
#: Settings that others bring to light.
REVEALING: tuple[dict[str, Any], ...] = (
    {"model": "t5-base", "batch": 2, "optimizer": "galore", "loss": "chunked", "format": "gguf:IQ4_NL", "tensor_parallel": 2, "pipeline_parallel": 2},
    {"method": "full"},
)
#: What the page asks outside the expert's drawer.
ASKED = {"model", "job", "batch", "context", "chip", "chips"}


def settings_of(job: str) -> set[str]:
    """Every setting that the page offers for a job."""
    return ASKED | {setting.name for others in REVEALING for group in groups(Job(job=job, **others)) for setting in group.settings}


@pytest.mark.parametrize(
    ("job", "wanted", "names"),
    [
        ("train", {*(set(FIELDS) - set(jobs.ADAPTERS)), *(o.field for o in (*options.TRAINING, *options.HARDWARE))}, SAME),
        ("finetune", {*FIELDS, *(o.field for o in (*options.FINETUNING, *options.HARDWARE))}, SAME),
        ("infer", {*signature(infer).parameters, *(o.field for o in (*options.SERVING, *options.POOL, *options.HARDWARE))}, SERVED),
    ],
    ids=["train", "finetune", "infer"],
)
def test_every_option_of_a_run_is_on_the_page_and_in_its_link(job: str, wanted: set[str], names: dict[str, str]) -> None:
    """Whatever the functions and the command line take, the page takes: a control in its drawer, a parameter in its link."""
    needed = {names.get(name, name) for name in wanted}
    assert needed - settings_of(job) == set()
    assert needed - {*SETTINGS, *settings.of(View)} == set()


def test_every_option_reaches_the_formulas() -> None:
    """What the page hands on is every argument of the engine and every field of a run, as chosen."""
    asked = {"pipeline_parallel": 2, "prompt": 512, "prefix": 64, "encoder_context": 1500, "sparsity": "0.3", "imatrix": True, "utilization": 87.5}
    handed = serving_options(Job(chips=8, replicas=2, format="gguf:Q4_K_M", **asked), catalog.architecture("llama-3.1-8b"))
    assert handed.keys() == signature(infer).parameters.keys() - {"arch", "hardware_bytes"}
    expected = {"tensor_parallel": 2, "prompt": 512, "encoder_context": 1500, "sparsity": "0.3", "imatrix": True, "utilization": 0.875}
    assert {name: handed[name] for name in expected} == expected
    run = training_run(Job(job="finetune", batch=3, context=2048, chips=4, galore_rank=7, loss_chunks=3, stage="first", rank=5))
    assert (run.micro_batch, run.sequence, run.data_parallel, run.galore_rank, run.loss_chunks, run.stage, run.rank) == (3, 2048, 4, 7, 3, "first", 5)
    assert set(FIELDS) - {SAME.get(f.name, f.name) for f in fields(Job)} == {"micro_batch", "sequence", "data_parallel"}


def test_every_number_of_a_model_can_be_entered() -> None:
    """The form asks for whatever describes a model without a config.json, and a link carries it."""
    assert own_model.labels().keys() == signature(custom).parameters.keys()
    sizes = {"layers": 2, "hidden_size": 64, "heads": 4, "ffn": 128, "vocab": 99}
    wide = own_model.read(own_model.pack_numbers(**sizes, kv_heads=2, head_dim=32, name="mine"))
    assert (wide, wide.name) == (custom(**sizes, kv_heads=2, head_dim=32, name="mine"), "mine")
    assert own_model.read(own_model.pack_numbers(**sizes, head_dim=None, name="")) == custom(**sizes)


def test_numbers_typed_into_the_form_become_the_model() -> None:
    """Wider heads need a larger KV cache, and the address carries them."""
    app = open_page("own")
    app.number_input(key="config_head_dim").set_value(256)
    app.button(key="FormSubmitter:config_numbers-Use these numbers").click().run()
    assert not app.exception
    assert "config" in app.query_params
    assert gib(takeaway(app)) > gib(takeaway(open_page()))


@pytest.mark.parametrize(("name", "value"), [("prompt", 512), ("encoder_context", 1500), ("prefix", 64), ("replicas", 2)])
def test_a_request_is_set_in_the_drawer(name: str, value: int) -> None:
    """A number of the expert's drawer stands in the address."""
    app = open_page("settings", chips="2", batch="2", model="whisper-small", context="448" if name == "encoder_context" else "8192")
    app.number_input(key=f"footprint_{name}").set_value(value).run()
    assert not app.exception
    assert app.query_params[name] in (str(value), [str(value)])


@pytest.mark.parametrize("sparsity", ["2:4", "0.3", "0.50", "0.333", ".7"])
def test_any_fraction_can_be_pruned(sparsity: str) -> None:
    """A link may ask for every fraction that the command line takes; the drawer shows it among its options."""
    app = open_page("settings", sparsity=sparsity, utilization="87.5")
    assert not app.exception
    assert not app.warning
    parsed = SETTINGS["sparsity"].parse(sparsity)
    assert app.selectbox(key="footprint_sparsity").value == parsed
    assert estimate(Job(sparsity=parsed)).total_bytes == infer(catalog.architecture("llama-3.1-8b"), context=8192, sparsity=sparsity).peak_total_bytes


@pytest.mark.parametrize("query", [{"sparsity": "1"}, {"sparsity": "0"}, {"sparsity": "1e-3"}, {"utilization": "101"}, {"utilization": "nan"}])
def test_a_share_that_cannot_be_gets_a_sentence(query: dict[str, str]) -> None:
    """Shares outside their range are answered with a sentence and the default."""
    app = open_page("settings", **query)
    assert not app.exception
    assert app.warning


@pytest.mark.parametrize("show", ["timeline", "map"])
def test_a_prompt_shorter_than_the_context_has_every_figure(show: str) -> None:
    """A short prompt needs no more than the whole context at once, in figures over other contexts too."""
    whole = Job(context=8192, engine="hf")
    short = replace(whole, prompt=2048, prefix=100)
    assert estimate(short).total_bytes < estimate(whole).total_bytes
    assert footprint.answer(short, View(show=show)).drawing is not None
    assert footprint.answer(short, View(show=show)).table


def test_chips_beyond_the_split_serve_as_replicas() -> None:
    """Two replicas on eight chips are two engines of four: each needs what one on four chips needs, and the page says so."""
    both, one = estimate(Job(chips=8, replicas=2)), estimate(Job(chips=4))
    assert both.total_bytes == one.total_bytes
    assert (both.gpus, one.gpus) == (8, 4)
    assert "2 replicas of 4 GPUs" in footprint.answer(Job(chips=8, replicas=2), View()).caption
    assert "--data-parallel-size 2" in export.fragment(Job(chips=8, replicas=2), View())
    case = Job(chips=2, model="llama-3.1-70b", replicas=2)
    assert all((changes(case, fix) or {}).get("chips", 2) % 2 == 0 for fix in fixes(case))


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
    case, view = Job(job=job), View(show=show, reported=70_000)
    found = json.loads(export.document(case, view, footprint.answer(case, view).sentence))
    known = {round(n) for n in numbers(found)}
    shown = {round(float(row["bytes"])) for row in footprint.answer(case, view).table}  # type: ignore[arg-type]
    shown |= {round(float(row["GB"]) * 1e9) for row in footprint.terms(case, view)}  # type: ignore[arg-type]
    assert {n for n in shown if not any(abs(n - k) <= 1 for k in known)} == set()
    assert found["case"]["job"] == job
    assert found["per_gpu"]["runs_out_of_memory"] in ("yes", "likely", "no")


SIZE = re.compile(r"(−?[\d,]+\.?\d*)\u202f([KMGTP]i?|)B\b")
PREFIXES = ("", "K", "M", "G", "T", "P")


def sizes(text: str) -> list[tuple[float, float]]:
    """Every size in a text, bytes, and how far off its rounding may be."""
    found = []
    for digits, prefix in SIZE.findall(text):
        unit = float(1024 if "i" in prefix else 1000) ** PREFIXES.index(prefix[:1])
        decimals = len(digits.partition(".")[2])
        found.append((float(digits.replace(",", "").replace("−", "-")) * unit, 0.51 * unit * 10.0**-decimals))
    return found


@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3", "jamba-v0.1"])
@pytest.mark.parametrize("job", JOBS)
def test_every_size_in_words_is_a_number_of_the_json(job: str, model: str) -> None:
    """Each size of the sentence, the caption, the buttons, both drawers, the comparison and the miss is a number there, to its last digit."""
    case = Job(job=job, model=model, chips=8, offload="optimizer", zero=2)
    view = View(reported=70_000, against=pack(Job(job=job, zero=1)))
    page = footprint.answer(case, view)
    document = json.loads(export.document(case, view, page.sentence))
    known = numbers(document)
    told = [page.sentence, page.caption, page.why, page.how_sure, footprint.miss(case, view)]
    told += [f"{action.label} {action.help}" for action in page.actions]
    told += [str(value) for row in footprint.compared(case, view) for value in row.values()]
    shown = [size for text in told for size in sizes(text)]
    assert len(shown) > 15
    assert [size for size, off in shown if not any(abs(abs(size) - abs(k)) <= off for k in known)] == []
    assert document["sentence"] == page.sentence
    assert document["figure"]["caption"] == page.caption


@pytest.mark.parametrize("job", ["train", "finetune"])
@pytest.mark.parametrize("show", ["bar", "timeline", "map"])
def test_amounts_beyond_64_bits_are_exported(job: str, show: str) -> None:
    """The largest batch of the longest context that a link may ask for is a document like any other."""
    case, view = Job(model="llama-3.1-405b", job=job, batch=MAX_BATCH, context=MAX_CONTEXT), View(show=show)
    document = json.loads(export.document(case, view, footprint.answer(case, view).sentence))
    assert document["case"]["batch"] == MAX_BATCH
    assert max(numbers(document)) > 2**64


@pytest.mark.parametrize("job", JOBS)
def test_amounts_stand_in_both_units(job: str) -> None:
    """The JSON says each amount of the case, and each term, by 2^30 and by 10^9."""
    document = json.loads(export.document(Job(job=job), View(), ""))
    amounts = [amount for amount in document["in_both_units"].values() if amount]
    assert document["in_both_units"]["in_all"]["bytes"] == estimate(Job(job=job)).total_bytes
    assert all(a["GiB"] * 2**30 == pytest.approx(a["bytes"]) and a["GB"] * 1e9 == pytest.approx(a["bytes"]) for a in amounts)
    assert sum(row["GiB"] for row in document["terms"]) == pytest.approx(document["in_both_units"]["in_all"]["GiB"])


@pytest.mark.parametrize("show", FIGURES)
def test_the_rows_of_the_figure_are_in_the_json(show: str) -> None:
    """Whatever the figure shows, the article's table too, its rows are in the document."""
    case, view = Job(job="train"), View(show=show)
    rows = footprint.answer(case, view).table
    assert rows
    assert len(json.loads(export.document(case, view, ""))["figure"]["rows"]) == len(rows)


def test_terms_sum_to_the_takeaway() -> None:
    """The table of terms adds up to what the sentence says, for every job."""
    for job in JOBS:
        case = Job(job=job)
        assert sum(float(row["GiB"]) for row in footprint.terms(case, View())) == pytest.approx(estimate(case).total_bytes / 2**30, rel=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize(("capacity", "verdict"), [(1.04, "no"), (1.02, "likely"), (0.98, "likely"), (0.96, "yes")])
def test_the_error_band_decides_between_no_likely_and_yes(capacity: float, verdict: str) -> None:
    """Within the band of 3 % nobody can say; outside it the answer is no or yes."""
    now = estimate(TRAIN)
    assert replace(now, capacity_bytes=now.total_bytes * capacity).verdict == verdict


def test_a_reported_peak_is_answered_with_the_miss() -> None:
    """A run that reported 5 % less than predicted is told so, with its sign."""
    now = estimate(TRAIN)
    reported = round(float(now.result.peak_allocated_bytes) / 1.05 / 2**20)  # type: ignore[union-attr]
    assert "+5.0%" in footprint.miss(TRAIN, View(reported=reported))
    assert not footprint.miss(TRAIN, View())


@pytest.mark.parametrize("model", ["llama-3.1-8b", "mixtral-8x7b", "gpt2-xl", "deepseek-v3"])
@pytest.mark.parametrize("job", JOBS)
def test_a_fix_delivers_what_it_promises(model: str, job: str) -> None:
    """Applying a fix needs the bytes that its button names."""
    case = Job(model=model, job=job, batch=2)
    for fix in fixes(case):
        there = estimate(replace(case, **(changes(case, fix) or {})))
        assert there.total_bytes == pytest.approx(fix.bytes, rel=1e-9)
        assert (there.verdict == "no") == fix.fits
    assert [action.sets for action in footprint.answer(case, View()).actions] == [changes(case, fix) for fix in fixes(case)[:3]]


def test_the_takeaway_keeps_its_budget() -> None:
    """At most 25 words, whatever the model, the job and the chip."""
    for model in catalog.presets():
        for job in JOBS:
            assert len(footprint.answer(Job(model=model, job=job), View()).sentence.split()) <= 25


@pytest.mark.parametrize(
    ("case", "view", "expected"),
    [
        (
            replace(TRAIN, zero=3, offload="optimizer", accumulation=4),
            View(),
            ['"stage": 3', '"gradient_accumulation_steps": 4', "offload_optimizer"],
        ),
        (replace(TRAIN, zero=3, recompute="full"), View(fragment="fsdp"), ["FULL_SHARD", "fsdp_activation_checkpointing: true"]),
        (Job(kv="fp8", utilization=80), View(), ["--max-model-len 8192", "--kv-cache-dtype fp8", "--gpu-memory-utilization 0.8"]),
    ],
)
def test_a_configuration_says_what_was_chosen(case: Job, view: View, expected: list[str]) -> None:
    """The configuration file starts with the reader's own settings."""
    text = export.fragment(case, view)
    assert [line for line in expected if line not in text] == []


def test_an_own_model_too_large_for_a_link_is_said() -> None:
    """What a link cannot carry stays out of the address, and the page says so."""
    packed = own_model.pack(
        json.dumps(
            {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128, "vocab_size": 99}
        )
    )
    assert own_model.fits_link(packed)
    assert not own_model.fits_link(packed + "A" * MAX_LENGTH)
    assert parse_qs(urlencode({"config": packed}))["config"] == [packed], "its alphabet needs no escapes"


def test_what_is_not_alive_at_the_peak_is_named_beside_the_bar() -> None:
    """Training 8B in mixed precision peaks at the loss: two bytes of gradients per parameter come after it, and the bar has none of them."""
    said = footprint.answer(Job(job="train"), View()).caption
    gradients = binary(2.0 * catalog.architecture("llama-3.1-8b").parameters)
    assert f"Gradients: not alive at this peak, {gradients} at another (backward pass, at its end)" in said
    assert "not alive" not in footprint.answer(Job(), View()).caption
