"""The accuracy page: every case beside its prediction, other tools beside a measured run, and what was decided with the residuals in sight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE_S
from wallviz import catalog
from wallviz.i18n import use
from wallviz.rooms import accuracy
from wallviz.rooms.accuracy.labels import signed
from wallviz.ui.frame import ROOMS
from wallviz.validation import cases as domain

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """What a test says in another language stays in that test."""
    yield
    use("en")


def open_page(*drawers: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.switch_page(ROOMS["accuracy"].file)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    for drawer in drawers:
        app.session_state[f"accuracy_drawer_{drawer}"] = True
        app.run()
    assert not app.exception
    return app


def sentence(app: AppTest) -> str:
    return next(m.value for m in app.markdown if m.value.startswith("#### "))


def dots(drawing: Any) -> list[str]:
    return [custom[0] for trace in drawing.data for custom in trace.get("customdata", [])]


def test_the_sentence_counts_what_was_predicted() -> None:
    """The takeaway names the largest error of all training peaks and how many were measured: it follows from the predictions."""
    peaks = [p for p in domain.predictions().values() if p.case.quantity in accuracy.PEAKS]
    worst = max(abs(p.error or 0.0) for p in peaks)
    said = re.search(r"within ([\d.]+)%.* on (\d+) runs measured on GPUs and (\d+) counted", accuracy.answer(accuracy.View()).sentence)
    assert said
    assert 0 <= float(said[1]) / 100 - worst < 0.001
    assert int(said[2]) + int(said[3]) == len(peaks)


def test_every_case_stands_in_one_group_and_in_the_table() -> None:
    """The groups share out all cases, and the table of all holds each of them with its source, predicted or with the reason why not."""
    shared = [p.case.id for name in accuracy.GROUPS[1:] for p in accuracy.members(name)]
    assert sorted(shared) == sorted(catalog.cases())
    rows = {str(row["case"]): row for row in accuracy.table("all")}
    assert list(rows) == list(catalog.cases())
    assert all(row["source"] for row in rows.values())
    assert all(row["conditions"] for row in rows.values() if row["predicted"] == "–")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("show", ["errors", "scatter"])
@pytest.mark.parametrize("name", accuracy.GROUPS)
def test_every_group_has_a_figure(name: str, show: str, language: str) -> None:
    """Each group is drawn both ways in both languages, every predicted case in the errors, with a sentence that keeps its budget."""
    use(language)
    found = accuracy.answer(accuracy.View(name, show))
    assert found.figure is not None
    assert found.drawing is not None
    if show == "errors":
        assert sorted(dots(found.drawing)) == sorted(p.case.id for p in accuracy.members(name) if p.value is not None)
    assert len(found.sentence.split()) <= 25
    assert len(re.findall(r"[一-鿿]", found.sentence)) <= 40


def test_measured_markers_are_filled() -> None:
    """A measured case has a filled marker, what was published, counted or derived an open one."""
    drawing = accuracy.answer(accuracy.View("all")).drawing
    assert drawing is not None
    symbols = dict(zip(dots(drawing), drawing.data[0]["marker"]["symbol"], strict=True))
    assert {id for id, symbol in symbols.items() if not symbol.endswith("open")} == {id for id in symbols if catalog.cases()[id].kind == "measured"}


def test_the_page_answers_a_link() -> None:
    """The address decides the group and the figure; what it asks for that does not exist is answered with a sentence."""
    assert "Parameters:" in sentence(open_page(group="parameters"))
    chart = next(e for e in open_page(show="scatter").main if e.type == "plotly_chart")
    assert json.loads(chart.proto.spec)["layout"]["yaxis"]["type"] == "log"
    for wrong in ({"group": "<script>"}, {"run": "S-b200-900b"}, {"show": "x" * 3000}):
        assert open_page(**wrong).warning


@pytest.mark.parametrize("drawer", ["why", "sure"])
def test_a_drawer_opens_and_stays_usable(drawer: str) -> None:
    """Each drawer opens without an exception and survives the next choice."""
    app = open_page(drawer)
    app.selectbox(key="accuracy_group").set_value("cache").run()
    assert not app.exception
    assert "KV cache" in sentence(app)


def test_the_table_of_the_drawer_follows_the_group() -> None:
    """The drawer shows the cases of the group that is chosen."""
    app = open_page("why", group="peaks")
    assert len(app.dataframe[0].value) == len(accuracy.members("peaks"))


@pytest.mark.parametrize("run", accuracy.RUNS)
def test_every_tool_is_named_with_what_it_leaves_out(run: str) -> None:
    """Beside a measured run stand all calculators, those without an answer too, each with what it leaves out."""
    from wallviz.validation.peers import PEERS

    found = accuracy.disagree(run)
    assert found.figure is not None
    text = accuracy.tools(run)
    assert all(peer.name in text and peer.leaves_out in text for peer in PEERS)
    assert found.table[0]["bytes"] == catalog.cases()[run].expected


def test_another_run_changes_the_figure() -> None:
    """Choosing another measured run asks the tools about that run."""
    app = open_page(show="tools")
    app.selectbox(key="accuracy_run").set_value("S-b200-70b-tp8").run()
    assert not app.exception
    assert "28.3" in sentence(app)


def test_what_was_chosen_after_seeing_residuals_is_said() -> None:
    """The two terms, the cut models, the constant and the missing option of another calculator are all named, with their effect."""
    text = accuracy.chosen()
    assert all(word in text for word in ("12 layers", "Transformer Engine", "buffer of the loss", "EleutherAI", "1.058", "moments"))
    dense = [domain.predictions()[id].error or 0.0 for id in accuracy.RUNS if id.startswith("S-b200-70b")]
    assert f"instead of {signed(min(dense), 1)} to {signed(max(dense), 1)}" in " ".join(text.split(" "))


def test_an_error_keeps_its_sign_and_no_false_zero() -> None:
    """An exact prediction has error 0, a tiny one 0.000, and a sign stands only before a number."""
    assert [signed(x, 3).replace("\u202f", " ") for x in (0.0, 1e-9, -1e-9, -0.0224)] == ["0 %", "0.000 %", "0.000 %", "−2.240 %"]
