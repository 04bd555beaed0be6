"""Every page runs, in both languages, within the first view's budget, and survives whatever its address says."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import JOB_ROOMS, PATIENCE_S
from wallviz import glossary
from wallviz.job import SETTINGS, Job, pack
from wallviz.rooms.job import unpack
from wallviz.ui import server
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).parent.parent
CONTROLS = ("button_group", "selectbox", "toggle", "slider", "text_input", "number_input", "multiselect", "checkbox", "radio")
COLLAPSED = 2  # LabelVisibilityMessage
JARGON = ("alpha-beta", "MFU", "busbw", "SHARP", "critical batch", "Theil", "foreach", "1F1B", "bootstrap", "R²", "OLS")


def open_page(room: str, **query: str) -> AppTest:
    """The page as a visitor opens it by its address."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.switch_page(ROOMS[room].file) if room != "start" else None
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def main_blocks(app: AppTest) -> list[Any]:
    """Everything in the main area that is visible at once: nothing from drawers and menus."""
    found = []

    def walk(block: Any) -> None:
        for child in block.children.values():
            kind = getattr(child, "type", "")
            if kind in ("expander", "popover", "expandable", "status"):
                continue
            if getattr(child, "children", None):
                walk(child)
            else:
                found.append(child)

    walk(app.main)
    return found


def controls(app: AppTest) -> list[Any]:
    """The controls of the first view: not the names of the figures above the picture, whose label is not seen."""
    return [e for e in main_blocks(app) if e.type in CONTROLS and e.proto.label_visibility.value != COLLAPSED]


def charts(app: AppTest) -> list[Any]:
    """The figures of the first view."""
    return [e for e in main_blocks(app) if e.type == "plotly_chart"]


def sentences(app: AppTest) -> list[str]:
    """The takeaways of the first view."""
    return [e.value.removeprefix("#### ") for e in main_blocks(app) if e.type == "markdown" and e.value.startswith("#### ")]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("room", ROOMS)
def test_a_page_runs(room: str, language: str) -> None:
    """Every page draws without an exception in both languages, with a question as its title; a step of the story has a title of its own."""
    app = open_page(room, lang=language)
    assert not app.exception
    assert room == "story" or re.search(r"[?？]$", app.title[0].value)
    assert bool(re.search(r"[一-鿿]", app.title[0].value)) == (language == "zh")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("room", ROOMS)
def test_the_first_view_keeps_its_budget(room: str, language: str) -> None:
    """One sentence of at most 25 words or 40 汉字, at most one figure, at most four controls, no jargon."""
    app = open_page(room, lang=language)
    (sentence,) = sentences(app)
    if room != "story":  # which asks first
        assert len(re.findall(r"[一-鿿]", sentence)) <= 40 if language == "zh" else len(sentence.split()) <= 25
    assert len(charts(app)) <= 1
    found = controls(app)
    assert len(found) <= 4
    seen = [sentence, *(c.label for c in found), *(o for c in found for o in getattr(c, "options", [])[:8])]
    assert [(word, text) for text in seen for word in JARGON if word in str(text)] == []


@pytest.mark.parametrize("figure", ["gap", "compute", "size", "training"])
def test_every_figure_keeps_the_budget(figure: str) -> None:
    """Whatever figure is chosen, the first view has one chart and at most four controls."""
    app = open_page("growth", figure=figure)
    assert len(charts(app)) == 1
    assert len(controls(app)) <= 4


def test_the_terms_of_the_first_view_are_in_the_glossary() -> None:
    """The technical words of takeaways and controls are explained."""
    known = " ".join(f"{t.en} {t.zh} {' '.join(t.synonyms)}" for t in glossary.terms().values()).casefold()
    text = " ".join(s for room in ("start", "growth") for s in sentences(open_page(room)))
    words = set(re.findall(r"FLOP/s|FLOP|DRAM|HBM|GPU|bandwidth|precision|Transformers?|tokens?|accelerator|memory|interconnect", text))
    assert words
    assert [w for w in words if w.casefold().rstrip("s") not in known] == []


def test_a_link_sets_every_control() -> None:
    """The address decides figure, data and scale; the drawer's choices apply while the drawer is closed."""
    app = open_page("growth", figure="size", data="2021", scale="linear", without="gholami-params-2021/gshard")
    assert "83.3×" in sentences(app)[0]
    assert json.loads(charts(app)[0].proto.spec)["layout"]["yaxis"]["type"] == "linear"


def test_a_control_changes_the_answer_and_the_address() -> None:
    """Choosing an edition changes the takeaway, and the address carries only what differs from the default."""
    app = open_page("growth")
    before = sentences(app)[0]
    app.button_group(key="growth_data").set_value("2021").run()
    assert sentences(app)[0] != before
    assert app.query_params.get("data") in ("2021", ["2021"])
    assert "figure" not in app.query_params


@pytest.mark.parametrize(
    "query",
    [
        {"figure": "<script>alert(1)</script>"},
        {"window": "2020-2003"},
        {"window": "abc", "data": "2021"},
        {"data": "\x00"},
        {"without": ",".join(map(str, range(200)))},
        {"without": "no-such-point"},
        {"scale": "x" * 5000},
        {"batch": "-1"},
        {"chips": "1e9"},
        {"chip": "no-such-chip", "model": "../../etc/passwd"},
        {"extend": "99999999999999999999"},
        {"window": "1995-1996"},
        {"domain": "robotics", "figure": "compute", "data": "2021"},
        {"unit": "real", "data": "2021"},
        {"method": "theil-sen", "window": "2020-2021"},
    ],
    ids=lambda q: "-".join(f"{k}={v[:14]!r}" for k, v in q.items()),
)
def test_a_hostile_address_gets_a_sentence(query: dict[str, str]) -> None:
    """No address makes an exception; each is answered with a sentence or used."""
    app = open_page("growth", **query)
    assert not app.exception
    (takeaway,) = sentences(app)
    said = [e.value for e in (*app.warning, *app.info)]
    assert said or "choose" in takeaway
    assert all("Traceback" not in text for text in said)


def test_a_bad_parameter_costs_nothing_else() -> None:
    """One parameter that cannot be read leaves the others as they were asked for."""
    app = open_page("growth", figure="size", data="2021", scale="cubic")
    assert len(app.warning) == 1
    assert "Models grew 241×" in sentences(app)[0]


def test_what_a_page_does_not_know_is_named() -> None:
    """Parameters that do not exist are named in one sentence and cost nothing else; those that trackers add are let through."""
    app = open_page("growth", figure="size", data="2021", fgure="gap", lang="en", utm_source="x", fbclid="y", chip="h100-sxm", zero="3", zeros="3")
    (warning,) = app.warning
    assert "“fgure”, “zeros”," in warning.value.replace("\\", "")
    assert "Models grew 241×" in sentences(app)[0]
    many = open_page("growth", **{f"no{i}{'x' * 300}": "1" for i in range(50)})
    assert len(many.warning) == 1
    assert len(many.warning[0].value) < 500
    assert not open_page("sources", chip="h100-sxm", batch="4", zero="3", gpus="8", lang="zh").warning


@pytest.mark.parametrize("language", ["en", "zh"])
def test_start_names_the_page_that_does_not_exist(language: str) -> None:
    """Whoever comes from the address of no page is told so, in one sentence, and nothing of the rest of that address is complained about."""
    app = open_page("start", missing="no<such>/page", figure="gap", lang=language)
    (warning,) = app.warning
    assert "no<such>/page" in warning.value.replace("\\", "")
    assert "missing" not in app.query_params
    assert not app.exception


HTML = ("200", "text/html; charset=utf-8")


def through(asked: str, query: str, answer: tuple[str, str]) -> list[Any]:
    """What a browser that asks for `asked` is sent where Streamlit answers with a status and a type of content."""
    sent: list[Any] = []

    async def streamlit(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": int(answer[0]), "headers": [(b"content-type", answer[1].encode())]})
        await send({"type": "http.response.body", "body": b"streamlit"})

    async def send(message: Any) -> None:
        sent.append(message)

    app = server.KnownPages(streamlit, ROOMS, "start")
    asyncio.run(app({"type": "http", "method": "GET", "path": asked, "query_string": query.encode(), "headers": []}, None, send))  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize(
    ("asked", "query", "answer", "location"),
    [
        ("/", "", HTML, None),
        ("/growth", "figure=size", HTML, None),
        ("/start", "lang=zh", HTML, "./?lang=zh"),
        ("/start", "", HTML, "./"),
        ("/nosuchpage", "", HTML, "./?missing=nosuchpage"),
        ("/nosuchpage", "lang=zh&missing=x", HTML, "./?lang=zh&missing=nosuchpage"),
        ("/growth/extra", "figure=size", HTML, "../?figure=size&missing=growth%2Fextra"),
        ("/空\r\nSet-Cookie: x", "", HTML, "./?missing=%E7%A9%BA%0D%0ASet-Cookie%3A+x"),
        ("/" + "x" * 50_000, "", HTML, "./?missing=" + "x" * 100),
        ("/_stcore/health", "", ("200", "text/plain"), None),
        ("/no/_stcore/health", "", ("404", "text/plain"), None),
        ("/static/x.js", "", ("200", "text/javascript"), None),
        ("/media/0123abcd.html", "title=x", HTML, None),
        ("/component/x/index.html", "", HTML, None),
        ("/mediator", "", HTML, "./?missing=mediator"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_unknown_address_leads_to_start(asked: str, query: str, answer: tuple[str, str], location: str | None) -> None:
    """HTML under an address that is no page's turns into a way to Start that keeps the query; everything else passes."""
    start, body = through(asked, query, answer)
    headers = dict(start["headers"])
    if location is None:
        assert (str(start["status"]), body["body"]) == (answer[0], b"streamlit")
    else:
        assert (start["status"], headers[b"location"].decode()) == (303, location)


@pytest.mark.parametrize(
    ("asked", "location"), [("/wall", None), ("/wall/", None), ("/wall/growth", None), ("/wall/wallow/x", "../?missing=wallow%2Fx")]
)
def test_a_prefix_is_no_page(asked: str, location: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under server.baseUrlPath pages are known by what follows it, and the way to Start stays under it."""
    monkeypatch.setattr(server.config, "get_option", {"server.baseUrlPath": "/wall/"}.get)
    (start, *_rest) = through(asked, "", HTML)
    assert dict(start["headers"]).get(b"location", b"").decode() == (location or "")


OLD_LINKS = [
    ("growth", {"data": "today", "precision": "fp8"}, {"data": "today", "peaks": "fp8"}),
    ("growth", {"method": "theil-sen"}, {"fit": "theil-sen"}),
    ("chips", {"precision": "fp64", "weights": "fp8"}, {"peaks": "fp64", "format": "fp8"}),
    ("start", {"weights": "16", "chip": "b200-sxm"}, {"chip": "b200-sxm"}),
    ("start", {"weights": "8"}, {"format": "fp8"}),
    ("start", {"weights": "4"}, {"format": "awq-4"}),
    ("scaleout", {"gpus": "48"}, {"chips": "48"}),
    ("scaleout", {"gpus": "48", "chips": "8"}, {"chips": "8"}),
    ("roofline", {"kernels": "flash"}, {"elementwise": "1"}),
    ("roofline", {"kernels": "eager", "job": "train"}, {"kernels": "eager", "job": "train"}),
]


@pytest.mark.parametrize(("room", "old", "new"), OLD_LINKS, ids=[f"{room}-{'-'.join(old)}" for room, old, _new in OLD_LINKS])
def test_an_old_link_opens_what_it_did(room: str, old: dict[str, str], new: dict[str, str]) -> None:
    """Names and values of older addresses stand for today's, without a word; with the new name beside it the new one counts."""
    app = open_page(room, **old)
    assert not app.exception
    assert not app.warning
    assert {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()} == new


JOBS = (
    Job(model="gpt2-xl", batch=2, context=512, chip="b200-sxm", chips=4, format="fp8", kv="fp8", sparsity="0.3", utilization=87.5, prompt=100),
    Job(job="train", chips=8, zero=3, precision="fp32", kernels="fused", recompute="full", sequences=16, weights="fp32"),
    Job(job="train", weights="fp8", kernels="eager", pipeline_parallel=2, chips=2, stage="last"),
    Job(job="finetune", method="qlora", rank=8, chips=2, tensor_parallel=2),
)


@pytest.mark.parametrize("job", JOBS, ids=pack)
@pytest.mark.parametrize("room", JOB_ROOMS)
def test_a_job_is_the_same_in_every_room(room: str, job: Job) -> None:
    """The link that a room writes of a job is that job in every other room, old names or not, and what it writes again."""
    app = open_page(room, **dict(parse_qsl(pack(job))))
    assert not app.exception
    assert not app.warning
    assert Job(**app.session_state["_chosen"]["job"]) == job
    again = {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items() if name in SETTINGS}
    assert unpack(urlencode(again)) == job


@pytest.mark.parametrize(
    "query",
    [
        {"config": "not-a-model"},
        {"job": "train", "chips": "7", "tensor_parallel": "2"},
        {"job": "train", "chips": "512", "sequences": "256"},
        {"job": "train", "chips": "64", "batch": "2", "zero": "1", "sequences": "1000000"},
        {"chips": "8", "replicas": "3"},
        {"prompt": "100", "context": "50"},
        {"model": "vit-base", "chip": "groqchip-1"},
    ],
    ids=urlencode,
)
@pytest.mark.parametrize("room", JOB_ROOMS)
def test_a_job_that_cannot_run_is_a_sentence_in_every_room(room: str, query: dict[str, str]) -> None:
    """Whatever cannot run, no room fails over it, with all of its drawers open."""
    app = open_page(room, **query)
    for name in re.findall(r'page\.drawer\("(\w+)"', (ROOT / ROOMS[room].file).read_text(encoding="utf-8")):
        app.session_state[f"{room}_drawer_{name}"] = True
    app.run()
    assert not app.exception
    assert len(sentences(app)) == 1


def test_the_case_travels_through_the_address() -> None:
    """The case of the address is the case of the page."""
    app = open_page("start", model="llama-3.1-70b", chip="b200-sxm")
    assert "Llama 3.1 70B" in sentences(app)[0]
    assert "B200" in sentences(app)[0]


def test_a_search_finds_synonyms_in_both_languages() -> None:
    """The glossary finds a term by another name, in either language; nothing found is said."""
    for query, term in (("存储墙", "memory wall"), ("VRAM", "accelerator memory"), ("confidence interval", "95% interval")):
        app = open_page("glossary", find=query)
        assert any(term in m.value for m in app.markdown), query
    assert open_page("glossary", find="zzzz").info


def test_every_source_is_listed() -> None:
    """The sources page shows each origin with its licence."""
    from wallviz import catalog

    app = open_page("sources")
    text = " ".join(m.value for m in app.markdown)
    assert all(source.title in text for source in catalog.sources().values())
    assert text.count("Licence") >= len(catalog.sources())


@pytest.mark.parametrize("drawer", ["why", "sure", "settings"])
@pytest.mark.parametrize("figure", ["gap", "compute", "size"])
def test_a_drawer_opens_and_stays_usable(figure: str, drawer: str) -> None:
    """Each drawer of each figure opens without an exception and survives the next choice."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.switch_page(ROOMS["growth"].file)
    app.query_params["figure"] = figure
    app.run()
    app.session_state[f"growth_drawer_{drawer}"] = True
    app.run()
    assert not app.exception
    app.button_group(key="growth_data").set_value("today").run()
    assert not app.exception
    assert sentences(app)


def test_points_taken_out_in_the_drawer_leave_the_fit() -> None:
    """The list under the settings does what a click in the figure does."""
    app = open_page("growth", figure="size", data="2021")
    app.session_state["growth_drawer_settings"] = True
    app.run()
    app.multiselect(key="growth_without").set_value(["gholami-params-2021/gshard"]).run()
    assert not app.exception
    assert "83.3×" in sentences(app)[0]
    assert app.query_params["without"] in ("gholami-params-2021/gshard", ["gholami-params-2021/gshard"])


def test_the_menu_of_a_figure_opens() -> None:
    """Table, downloads and sources appear when the menu is opened."""
    app = open_page("growth")
    app.session_state["growth_menu"] = True
    app.run()
    assert not app.exception
    assert len(app.dataframe) == 1
