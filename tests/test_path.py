"""One path through everything: its order, its keys, the story's steps, the view for a projector, the lecturer's window."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE_S
from streamlit.testing.v1 import AppTest

from wallviz.i18n import use
from wallviz.story.path import STEPS
from wallviz.ui import path, terms
from wallviz.ui.frame import ROOMS, SECTIONS

ROOT = Path(__file__).parent.parent


def open_page(room: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.switch_page(ROOMS[room].file) if room != "start" else None
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def links(app: AppTest) -> list[Any]:
    return [link.proto for link in app.get("page_link")]


def ways(app: AppTest) -> list[str]:
    """What the ways to the neighbours say."""
    return [link.label for link in links(app) if re.match(r"(Back|Next|上一页|下一步)[:：]", link.label)]


def test_the_path_goes_through_every_step_and_every_room_in_the_order_of_the_menu() -> None:
    """Start, the nine steps, then each room once, section by section as the menu has them."""
    stops = path.stops()
    assert [stop.room.name for stop in stops if not stop.step] == [name for name in ROOMS if name != "story"]
    assert [stop.step for stop in stops if stop.step] == list(range(1, 10))
    assert [stop.room.name for stop in stops[:2]] == ["start", "story"]
    sections = list(dict.fromkeys(stop.room.section for stop in stops))
    assert sections == list(SECTIONS)


@pytest.mark.parametrize("n", range(len(path.stops())))
def test_every_stop_names_its_neighbours(n: int) -> None:
    """Each stop has a way back and a way on that say where they lead; the first and the last have one."""
    use("en")
    stop = path.stops()[n]
    app = open_page(stop.room.name, **stop.query)
    assert not app.exception
    expected = [f"Back: {path.stops()[n - 1].title}"] if n else []
    expected += [f"Next: {path.stops()[n + 1].title}"] if n + 1 < len(path.stops()) else []
    assert ways(app) == expected


def test_the_case_goes_along_the_path() -> None:
    """The ways of a room carry the job, as a link of the menu's session would."""
    app = open_page("footprint", model="llama-3.1-70b", job="train")
    for link in links(app):
        if link.label.startswith(("Back", "Next")):
            assert "model=llama-3.1-70b" in link.query_string
            assert "job=train" in link.query_string


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("n", range(1, len(STEPS) + 1))
def test_a_step_asks_then_shows(n: int, language: str) -> None:
    """A step asks before it shows; what was chosen stands beside the truth and never in the address."""
    app = open_page("story", step=str(n), lang=language)
    assert not app.exception
    assert not app.get("plotly_chart")
    step = [*STEPS.values()][n - 1]
    if step.guess.options:
        wrong = next(i for i, option in enumerate(step.guess.options) if not option.right)
        app.button(key=f"story_{step.id}_{wrong}").click().run()
    else:
        next(button for button in app.button if button.label in ("Lock it in", "就猜这个")).click().run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 1
    said = " ".join(m.value for m in app.markdown)
    assert ("You said" in said) == (language == "en")
    assert bool(re.search("你(猜|选)", said)) == (language == "zh")
    assert set(app.query_params) <= {"step", "lang"}


def test_a_step_may_be_shown_without_a_guess() -> None:
    """The way past the question shows the figure and says nothing about a guess."""
    app = open_page("story")
    app.button(key="story_one-token_skip").click().run()
    assert len(app.get("plotly_chart")) == 1
    assert "You said" not in " ".join(m.value for m in app.markdown)


@pytest.mark.parametrize("query", [{"step": "0"}, {"step": "10"}, {"step": "x" * 3000}, {"step": "<script>"}, {"present": "x"}])
def test_a_hostile_address_opens_the_first_step(query: dict[str, str]) -> None:
    """A step that does not exist is answered with a sentence and the first step."""
    app = open_page("story", **query)
    assert not app.exception
    assert app.title[0].value == "One token"
    assert bool(app.warning) == ("step" in query)


@pytest.mark.parametrize("room", [name for name in ROOMS if name not in ("sources", "glossary")])
def test_a_projector_sees_the_takeaway_the_figure_and_the_controls(room: str) -> None:
    """With ?present=true a page has neither title, drawers, menu nor case bar, and every link keeps it so."""
    app = open_page(room, present="true")
    assert not app.exception
    assert not app.title
    assert not app.get("expander")
    assert not app.get("popover")
    assert all("present=true" in link.query_string for link in links(app))


def test_the_terms_of_prose_are_linked_to_the_glossary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use of a term is a link with the glossary's line; code, formulas, links and the second use stay as they are."""
    monkeypatch.setattr(terms, "carried", dict)
    use("en")
    said = terms.linked("The `weights` of [weights](x): $weights$ and weights, weights; all-reduces of GPUs.")
    assert said.startswith("The `weights` of [weights](x): $weights$ and [weights](glossary?find=weights ")
    assert said.count("glossary?find=") == 3
    assert '[all-reduces](glossary?find=all-reduce "' in said
    use("zh")
    assert '[权重](glossary?find=%E6%9D%83%E9%87%8D "' in terms.linked("每个 token 都要读一遍权重。")
    use("en")


def test_a_visitor_meets_what_is_run_where_the_language_is_spoken() -> None:
    """Who opens Chinese without naming anything meets the local case, and its address says so; a link that names its view is that view."""
    app = open_page("start", lang="zh")
    assert {name: app.query_params[name] for name in ("model", "chip")} == {"model": "qwen3-8b", "chip": "h20"}
    assert "Qwen3 8B" in next(m.value for m in app.markdown if m.value.startswith("####"))
    app = open_page("footprint", lang="zh", job="train")
    assert "model" not in app.query_params
    assert "chip" not in open_page("start").query_params
