"""What is read before wallviz runs: the README and the lecturer's pages are true, in both languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

import pytest
import typer

from wallviz import catalog, i18n, units
from wallviz.cli import app
from wallviz.settings import of
from wallviz.story import address
from wallviz.story.path import STEPS
from wallviz.ui import story
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).resolve().parents[1]
READMES = {"en": "README.md", "zh": "README.zh.md"}
LECTURES = {"en": "docs/lecturing.md", "zh": "docs/lecturing.zh.md"}
DOCUMENTS = (*READMES.values(), *LECTURES.values())
#: An address of the dashboard: on this machine, on a host to be named, or as code.
ADDRESS = re.compile(r"(?:(?:http://localhost:8501|https://your\.host)/|`/(?=\w*\?))(\w*)\??([^)\"`\s]*)")
#: What every page's address may say, which changes no figure.
FRAME = {"lang": set(i18n.LANGUAGES), "present": {"true"}, "embed": {"true"}}
#: Digits that are no quantity of the engines: code and addresses, names, formats, minutes, the 1 of a fraction, screens, and which step it is.
NAMES = re.compile(
    r"`[^`]*`|\]\([^)]*\)|Llama 3\.1 8B|Qwen3 8B|H100|H20|GPT-3|FP32|F11|(?<![\d.])\d+ (?:min|分钟)|(?<!\d)1/(?=\d)"
    r"|(?<![\d.])(?:4|16|32)(?: bits| 位)|1280 × 720|3840 × 2160|(?<!\d)(?:85|125|150) ?%|^\| \[\d|^\d\. |\[step \d|\[第 \d 步",
    re.MULTILINE,
)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


class Link(NamedTuple):
    """A deep link: its page ("" is Start) and what its address says of the view."""

    room: str
    query: Mapping[str, str]


def links(name: str) -> list[Link]:
    """Every deep link of a document, in its order, without what only frames the view."""
    found = [(room, dict(parse_qsl(query, strict_parsing=True))) for room, query in ADDRESS.findall(text(name))]
    assert all(query[key] in FRAME[key] for _room, query in found for key in FRAME.keys() & query.keys())
    return [Link(room, {key: value for key, value in query.items() if key not in FRAME}) for room, query in found]


def said(step: int, language: str) -> set[str]:
    """Every number of a step as it is printed."""
    i18n.use(language)
    try:
        return {value.replace(units.THIN, " ") for value in [*STEPS.values()][step - 1].facts().values()}
    finally:
        i18n.use("en")


def unsaid(block: str, language: str) -> list[str]:
    """Numbers of a paragraph that none of the steps it links to says."""
    steps = {int(query["step"]) for query in (dict(parse_qsl(q)) for room, q in ADDRESS.findall(block) if room == "story")}
    rest = NAMES.sub("", " ".join(block.split()))
    for value in sorted({value for step in steps for value in said(step, language)}, key=len, reverse=True):
        rest = re.sub(rf"(?<![\d.,]){re.escape(value)}(?!\d|[.,]\d)", "", rest)
    return re.findall(r"\d[\d.,]*", rest)


# ---------------------------------------------------------------- the READMEs


@pytest.mark.parametrize("language", READMES)
def test_a_readme_names_every_page(language: str) -> None:
    """The table of pages is the menu: every page by its title, in its order."""
    i18n.use(language)
    try:
        titles = [i18n._(room.title) for room in ROOMS.values()]
    finally:
        i18n.use("en")
    rows = re.findall(r"^\| ([^|]+?) \|", text(READMES[language]), re.MULTILINE)
    assert rows[1 : len(titles) + 1] == titles


def code(name: str) -> list[str]:
    """The lines of a document's blocks of code, without their comments."""
    return [line.split("#")[0].rstrip() for block in re.findall(r"```\w*\n(.*?)```", text(name), re.DOTALL) for line in block.split("\n")]


def test_the_readmes_say_the_same_commands() -> None:
    """Every line of code of one README, and every command in its prose, stands in the other, apart from comments."""
    assert code(READMES["en"]) == code(READMES["zh"])
    assert {*re.findall(r"`(?:make|pip|docker|wallviz) [^`]*`", text(READMES["en"]))} <= {*re.findall(r"`[^`]*`", text(READMES["zh"]))}


def test_the_commands_of_the_readme_exist() -> None:
    """Each command of wallviz in the README exists, and has the options that stand behind it."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group
    lines = [line.split()[2:] for line in code(READMES["en"]) if line.startswith("$ wallviz ")]
    assert len(lines) > 8
    for name, *rest in lines:
        both = [commands[name], *getattr(commands[name], "commands", {}).values()]
        known = {option for one in both for parameter in one.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known


@pytest.mark.parametrize("language", READMES)
def test_a_readme_counts_the_models(language: str) -> None:
    """The number of models in the README is that of the catalogue."""
    assert re.findall(r"(\d+)(?= models| 个模型)", text(READMES[language])) == [str(len(catalog.presets()))]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_leads_to_its_other_language(name: str) -> None:
    """Every file that a document links to or shows exists, its other language among them in the first lines, and a picture is small."""
    files = [ROOT / name / ".." / file for file in re.findall(r"\]\((?!https?:)([^)#]+)\)", text(name))]
    assert [file for file in files if not file.resolve().exists()] == []
    other = Path(name).name.replace(".zh.md", ".md") if ".zh" in name else Path(name).name.replace(".md", ".zh.md")
    assert f"]({other})" in "".join(text(name).split("\n")[:4])
    assert [file for file in files if file.suffix == ".png" and file.resolve().stat().st_size > 200_000] == []


# ---------------------------------------------------------------- the lecturer's pages


@pytest.mark.parametrize(
    "link",
    {f"{room}?{query}": Link(room, query) for name in DOCUMENTS for room, query in links(name)}.values(),
    ids=lambda link: f"{link.room}-{link.query}",
)
def test_a_deep_link_opens(link: Link) -> None:
    """A deep link names a step that exists, or settings of its page that open a figure without a complaint."""
    if link.room == "story":
        assert link.query.keys() == {"step"}
        assert of(story.View)["step"].parse(link.query["step"]) in range(1, len(STEPS) + 1)
        return
    answer = address.opened(link.room or "start", link.query)
    assert answer.problems == ()
    assert answer.drawing is not None


def test_both_languages_prepare_the_same_links() -> None:
    """The lecturer's pages lead to the same views in the same order."""
    assert links(LECTURES["en"]) == links(LECTURES["zh"])
    assert len(links(LECTURES["en"])) > 30


@pytest.mark.parametrize("language", LECTURES)
def test_a_number_is_the_engines(language: str) -> None:
    """Every number of the lecturer's pages is one that a step linked beside it prints at this moment, in that language."""
    blocks = re.split(r"\n\n|\n(?=\||- |\d\. )", text(LECTURES[language]))
    assert {block: numbers for block in blocks if (numbers := unsaid(block, language))} == {}
    assert unsaid("[9](http://localhost:8501/story?step=1) 209, 208 tokens/s", language) == ["9", "209,"]


@pytest.mark.parametrize("language", LECTURES)
def test_a_step_is_called_as_on_its_screen(language: str) -> None:
    """A step has its number and its title in the table, in the list and in the answers."""
    i18n.use(language)
    try:
        titles = [step.said(step.title) for step in STEPS.values()]
    finally:
        i18n.use("en")
    named = re.findall(r"^(?:\| \[(\d) |(\d)\. \*\*\[)([^\]]+)\]\(\S*?/story\?step=(\d)", text(LECTURES[language]), re.MULTILINE)
    assert [(int(row or item), title, int(step)) for row, item, title, step in named] == [(n, titles[n - 1], n) for n in range(1, 10)] * 2
    told = re.findall(r"\[(?:step |第 )(\d)(?: 步)?\]\(\S*?/story\?step=(\d)", text(LECTURES[language]))
    assert [one for one, other in told if one == other] == ["9", "1", "6", "4", "8"] == [one for one, _other in told]


@pytest.mark.parametrize("language", LECTURES)
def test_a_plan_takes_its_minutes(language: str) -> None:
    """The minutes of each plan sum to what its column promises."""
    rows = [line.split("|")[2:4] for line in text(LECTURES[language]).split("\n") if line.startswith("|") and "---" not in line]
    minutes = [[int(number[0]) if (number := re.findall(r"\d+", cell)) else 0 for cell in row] for row in rows]
    assert minutes[0] == [20, 50] == [sum(row[i] for row in minutes[1:]) for i in (0, 1)]
