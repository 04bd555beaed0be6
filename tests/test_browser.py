"""What a reader sees and does, in a real browser: links, charts, languages, keyboards, phones, hostile addresses.

`visit` (tests/conftest.py) also fails a test whose pages log an error, run into one, or ask for anything outside this server.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import Visit, settled
from playwright.sync_api import Locator, Page, expect

from benchmarks.sessions import Server
from wallviz.i18n import LANGUAGES
from wallviz.rooms import growth
from wallviz.settings import of
from wallviz.story.path import STEPS
from wallviz.ui.frame import ROOMS

pytestmark = pytest.mark.browser

LOCALES = {"en": "en-US", "zh": "zh-CN"}
FIGURES = [*of(growth.View)["figure"].words]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
DRAWN = "JSON.stringify(wallvizCharts.growth.root.data.map((t) => [t.type, t.mode, t.x, t.y, t.customdata]))"
RANGES = "(({ xaxis, yaxis }) => ({ x: xaxis.range, y: yaxis.range, scale: yaxis.type }))(wallvizCharts.growth.root.layout)"
#: The drawn point that is farthest from every other one, so that a click there is a click on it.
LONELIEST = """() => {
  const root = document.querySelector(".js-plotly-plot"), area = root.querySelector(".nsewdrag").getBoundingClientRect();
  const { xaxis, yaxis } = root._fullLayout;
  const points = root.data.flatMap((t) => (t.customdata ?? []).map(([id], i) => ({ id, x: xaxis.d2p(t.x[i]), y: yaxis.d2p(t.y[i]) })))
    .filter(({ x, y }) => x > 20 && y > 20 && x < area.width - 20 && y < area.height - 20);
  const room = (p) => Math.min(...points.filter((q) => q !== p).map((q) => Math.hypot(p.x - q.x, p.y - q.y)));
  const { id, x, y } = points.reduce((a, b) => (room(a) > room(b) ? a : b));
  return { id, x: area.left + x, y: area.top + y };
}"""


def address(room: str) -> str:
    return "/" if room == next(iter(ROOMS)) else f"/{room}"


def takeaway(page: Page) -> Locator:
    return page.locator("[class*=_answer] h4")


def chart(page: Page) -> Locator:
    return page.locator(".wallviz-chart")


def option(page: Page, key: str, n: int) -> Locator:
    """The `n`-th segment of the control with `key`, whatever the language."""
    return page.locator(f".st-key-{key} [role=radio]").nth(n)


def choose(page: Page, key: str, n: int) -> None:
    option(page, key, n).click()
    expect(option(page, key, n)).to_have_attribute("aria-checked", "true")


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query, keep_blank_values=True).items()}


def has(**wanted: str) -> Callable[[str], bool]:
    """Says whether an address holds these parameters and no others."""
    return lambda url: {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} == wanted


def zoom(page: Page, *, height: float) -> dict[str, object]:
    """Drags over two thirds of the chart's width and `height` of its height; returns the ranges that it shows then."""
    before = page.evaluate(RANGES)
    area = page.locator(".wallviz-chart .nsewdrag")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box
    left, top = box["x"] + box["width"] * 0.15, box["y"] + box["height"] * (0.5 - height / 2)
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + box["width"] * 0.66, top + box["height"] * height, steps=4)
    page.mouse.up()
    page.wait_for_function(f"(before) => JSON.stringify({RANGES}) !== JSON.stringify(before)", arg=before)
    return page.evaluate(RANGES)


def click(page: Page, point: dict[str, float]) -> None:
    """One click: Plotly takes what follows a press by less than 300 ms for a double click, which resets the zoom."""
    page.wait_for_timeout(400)
    page.mouse.click(point["x"], point["y"])


def mark(page: Page) -> None:
    """Remembers the chart's node, to recognise it later."""
    page.evaluate("() => { wallvizCharts.growth.root.mine = true; }")


def is_marked(page: Page) -> bool:
    return page.evaluate("() => document.querySelector('.wallviz-chart').mine === true")


def open_drawer(page: Page, name: str, room: str = "growth") -> None:
    page.locator(f".st-key-{room}_drawer_{name} summary").click()
    expect(page.locator(f".st-key-{room}_drawer_{name} details[open] [data-testid=stExpanderDetails]")).not_to_be_empty()
    settled(page)
    still(page)  # it grows for a while: a list in it would move with it, and close when the page scrolls


def still(page: Page) -> None:
    """Waits until everything that moves or fades for a moment has done so."""
    page.wait_for_function(
        """() => document.getAnimations()
          .every(({ playState, effect }) => playState !== "running" || effect.getComputedTiming().endTime === Infinity)"""
    )


# -- arriving ----------------------------------------------------------------------------------------------------------------------


def test_cold_server_opens_a_deep_link(fresh_server: Callable[..., Server], visit: Visit) -> None:
    """The very first visitor of a server gets the page that the link names, at the view that it names, and no dialog."""
    page = visit("/growth?figure=size", server=fresh_server())
    expect(option(page, "growth_figure", FIGURES.index("size"))).to_have_attribute("aria-checked", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("Page not found")).to_have_count(0)
    expect(page.locator("nav [aria-current=page]")).to_have_attribute("href", re.compile("/growth$"))


def test_cold_server_opens_a_step_for_the_projector(fresh_server: Callable[..., Server], visit: Visit) -> None:
    """The very first visitor of a server gets the step, the language and the view that the link names."""
    page = visit("/story?step=6&lang=zh&present=true", server=fresh_server())
    expect(page.locator("h4").first).to_have_text(CHINESE)
    expect(page.locator("h1")).to_have_count(0)
    expect(page.locator(".st-key-story_roof_skip")).to_be_visible()
    assert query(page) == {"step": "6", "lang": "zh", "present": "true"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("room", ROOMS)
def test_page_is_accessible(visit: Visit, room: str, language: str) -> None:
    """Every page, in both themes: every figure is named by its takeaway, and axe finds nothing serious that is ours."""
    page = visit(address(room), locale=LOCALES[language])
    expect(page.locator("h1")).to_be_visible()
    for figure in page.locator("[role=figure]").all():
        expect(figure).to_have_attribute("aria-label", takeaway(page).inner_text())
    assert page.locator(".js-plotly-plot").count() == page.locator("[role=figure] > .plot-container").count()
    assert not serious(page)
    dark(page)
    assert not serious(page)
    for view in ("present", "embed"):
        bare = visit(f"{address(room)}?{view}=true", locale=LOCALES[language])
        expect(bare.locator("h1")).to_have_count(0)
        assert not serious(bare)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_of_the_story_is_accessible(visit: Visit, language: str) -> None:
    """Each step, asked and shown, reached by the keyboard alone, has nothing that axe calls serious."""
    page = visit(f"/story?lang={language}")
    expect(page.locator(".wallviz-path[aria-valuenow]")).to_be_attached()
    for n in range(1, len(STEPS) + 1):
        page.wait_for_url(re.compile(f"step={n}"))
        settled(page)
        assert not serious(page)
        page.keyboard.press("ArrowRight")
        expect(chart(page)).to_be_visible()
        settled(page)
        assert not serious(page)
        page.keyboard.press("ArrowRight")


#: Rules that Streamlit 1.67 itself breaks, each where it does: nothing else may break them.
STREAMLITS_OWN = {
    "list": "[data-testid=stSidebarNavItems]",  # the navigation's sections are <div> in <ul>
    "listitem": "[data-testid=stSidebarNavItems] li",  # the other side of the same
}


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical, without what Streamlit does itself."""
    still(page)
    return [
        f"{rule['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
        if not (rule["id"] in STREAMLITS_OWN and page.locator(node["target"][0]).and_(page.locator(STREAMLITS_OWN[rule["id"]])).count())
    ]


def dark(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".stApp")).to_have_css("background-color", "rgb(23, 22, 20)")


def test_open_page_is_accessible(visit: Visit) -> None:
    """With its drawers and its menu open the growth page has nothing serious either, in both themes."""
    page = visit("/growth")
    for name in ("why", "sure", "settings"):
        open_drawer(page, name)
    page.locator(".st-key-growth_menu button").first.click()
    expect(page.get_by_role("button", name="PNG")).to_be_visible()
    assert not serious(page)
    dark(page)
    assert not serious(page)


# -- links -------------------------------------------------------------------------------------------------------------------------


def test_shared_link_reopens_the_view(visit: Visit) -> None:
    """What was clicked together reopens from its address in another browser: the same sentence, the same points, the same axes."""
    page = visit("/growth")
    choose(page, "growth_data", 0)
    page.wait_for_url(has(data="2021"))
    choose(page, "growth_hold", 1)
    page.wait_for_url(has(data="2021", hold="window"))
    choose(page, "growth_scale", 1)
    page.wait_for_url(has(data="2021", hold="window", scale="linear"))
    page.wait_for_function(f"{RANGES}.scale === 'linear'")
    gap = page.url, takeaway(page).inner_text(), page.evaluate(DRAWN)
    choose(page, "growth_figure", FIGURES.index("size"))
    page.wait_for_url(has(data="2021", hold="window", scale="linear", figure="size"))
    expect(chart(page)).not_to_have_attribute("aria-label", gap[1])
    size = page.url, takeaway(page).inner_text(), page.evaluate(DRAWN)
    assert size != gap

    other = visit.tab(own=True)
    for url, sentence, drawn in (size, gap):
        other.goto(url)
        settled(other)
        expect(takeaway(other)).to_have_text(sentence)
        expect(chart(other)).to_have_attribute("aria-label", sentence)
        assert other.evaluate(DRAWN) == drawn
        assert other.evaluate(RANGES)["scale"] == "linear"
        assert other.url == url


WRONG = {
    "window": "2020-2003",
    "data": "\0",
    "unit": "x" * 5_000,
    "extend": "٢٠٣٠",  # digits, but not ours
    "without": ",".join(f"no-such-point-{n}" for n in range(200)),
    "batch": "-1",
    "chips": "1e9",
}
MARKUP = {
    "figure": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "window": "![x](http://example.org/x)",
    "data": "http://example.org/x",
    "hold": "www.example.org/x",
    "unit": "[x](//example.org) a@example.org",
    "without": "![x](http://example.org/x),[x](//example.org)",
}


@pytest.mark.parametrize("hostile", [WRONG, MARKUP], ids=["wrong", "markup"])
def test_hostile_address_gets_sentences(visit: Visit, hostile: dict[str, str]) -> None:
    """Each thing in an address that cannot be gets a sentence; the rest is kept, and nothing is run, fetched or made a link."""
    page = visit.tab()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(f"{visit.server.url}/growth?scale=linear&{'&'.join(f'{name}={quote(value)}' for name, value in hostile.items())}&context=4096")
    settled(page)
    sentences = [line for alert in page.get_by_test_id("stAlert").all() for line in alert.inner_text().splitlines() if " " in line]
    assert len(sentences) == len(hostile), sentences
    assert all(len(sentence) < 400 for sentence in sentences)
    expect(page.get_by_test_id("stAlert").locator("img, script, a")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert {"scale": "linear", "context": "4096"}.items() <= query(page).items()
    assert page.evaluate(RANGES)["scale"] == "linear"
    assert not dialogs


@pytest.mark.parametrize("path", ["/nosuchpage", "/growth/extra", "/start/"])
def test_unknown_address_opens_start(visit: Visit, path: str) -> None:
    """An address of no page opens Start, with a sentence of ours and no dialog of Streamlit's; Start's own name opens it without one."""
    page = visit(f"{path}?lang=zh&batch=2")
    expect(page.locator("nav [aria-current=page]")).to_have_attribute("href", re.compile("/$"))
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_have_count(0 if path == "/start/" else 1)
    if path != "/start/":
        expect(page.get_by_test_id("stAlert")).to_contain_text(path.strip("/"))
    page.wait_for_url(has(lang="zh", batch="2"))


def test_unknown_language_is_ignored(visit: Visit) -> None:
    """A link in a language that does not exist opens in the reader's own, with the rest of the link kept."""
    page = visit("/growth?lang=xx&scale=linear")
    expect(page.locator("h1")).not_to_have_text(CHINESE)
    assert query(page)["scale"] == "linear"


# -- a model of the reader's own ---------------------------------------------------------------------------------------------------

GPT2 = '{"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}'
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def own_model(page: Page, *, pasted: str | None = None, file: bytes | None = None) -> None:
    """Gives the page a config.json and presses the button, as soon as the page has taken it in."""
    if pasted is not None:
        page.locator(".st-key-config_text textarea").fill(pasted)
    else:
        page.locator(".st-key-config_file input[type=file]").set_input_files(
            {"name": "config.json", "mimeType": "application/json", "buffer": file or b""}
        )
        expect(page.get_by_test_id("stFileChip")).to_contain_text("config.json")
        expect(page.get_by_test_id("stFileChipIconSpinner")).to_have_count(0)  # before, it is still on its way
        settled(page)
    page.locator(".st-key-config_use button").click()


def test_own_model_is_pasted_or_uploaded(visit: Visit) -> None:
    """What cannot be read gets one sentence and changes nothing, however large; what can be read becomes the model, and no name runs."""
    page = visit("/footprint?job=train&batch=3")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    asked = takeaway(page).inner_text()
    page.locator(".st-key-job_bar button").first.click()
    page.locator(".st-key-job_own summary").click()
    settled(page)
    wrong = {"[" * 100_000: "nested too deeply", "x" * 2_000_000: "this text has 2000000", '{"a": NaN}': "NaN", GPT2.replace("768", "-1"): "not -1"}
    for pasted, said in wrong.items():
        own_model(page, pasted=pasted)
        expect(page.get_by_test_id("stAlert")).to_contain_text(said)
        expect(page.get_by_test_id("stAlert")).to_have_count(1)
        settled(page)
    own_model(page, file=b"PK\x03\x04\x14\0\0\0")
    expect(page.get_by_test_id("stAlert")).to_contain_text("not text")
    expect(takeaway(page)).to_have_text(asked)
    assert query(page) == {"job": "train", "batch": "3"}

    own_model(page, pasted=GPT2.replace("{", f'{{"_name_or_path": "{SCRIPT}", ', 1))
    page.wait_for_url(lambda url: "config=" in url)
    expect(page.get_by_role("button", name=SCRIPT[:24])).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    expect(takeaway(page)).not_to_have_text(asked)
    assert {"job": "train", "batch": "3"}.items() <= query(page).items()
    assert not dialogs


# -- charts ------------------------------------------------------------------------------------------------------------------------


def test_click_takes_a_point_out_and_puts_it_back(visit: Visit) -> None:
    """A click on a point refits without it and says so in the address; zoom and node survive; a second click puts it back."""
    page = visit("/growth")
    whole = takeaway(page).inner_text()
    mark(page)
    ranges = zoom(page, height=0.6)
    point = page.evaluate(LONELIEST)

    click(page, point)
    page.wait_for_url(has(without=point["id"]))
    expect(takeaway(page)).not_to_have_text(whole)
    expect(chart(page)).to_have_attribute("aria-label", takeaway(page).inner_text())
    assert page.evaluate(RANGES) == ranges
    assert is_marked(page)

    click(page, point)
    page.wait_for_url(has())
    expect(takeaway(page)).to_have_text(whole)
    expect(chart(page)).to_have_attribute("aria-label", whole)
    assert page.evaluate(RANGES) == ranges
    assert is_marked(page)


def test_point_is_taken_out_by_name(visit: Visit) -> None:
    """A point chosen by name leaves the fit as a clicked one does, and the page goes on from there."""
    page = visit("/growth")
    whole = takeaway(page).inner_text()
    taken_out, name = next(iter(growth.answer(growth.View()).options.items()))
    open_drawer(page, "settings")
    points = page.locator(".st-key-growth_without input")
    points.click()
    points.fill(name)
    expect(page.get_by_role("option")).to_have_count(1)  # the list has followed the typing
    expect(page.get_by_role("option")).to_have_text(name)
    points.press("ArrowDown")
    expect(points).to_have_attribute("aria-activedescendant", re.compile("."))
    points.press("Enter")
    page.wait_for_url(has(without=taken_out))
    expect(takeaway(page)).not_to_have_text(whole)
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)  # it fades for a while over the controls, and takes the click on them
    choose(page, "growth_fit", 1)
    page.wait_for_url(has(without=taken_out, fit="bootstrap"))
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_chart_is_changed_in_place(visit: Visit) -> None:
    """Changing the scale or the method keeps the chart's node and the years that the reader zoomed into."""
    page = visit("/growth")
    mark(page)
    years = zoom(page, height=0)["x"]
    choose(page, "growth_scale", 1)
    page.wait_for_function(f"{RANGES}.scale === 'linear'")
    assert page.evaluate(RANGES)["x"] == years
    open_drawer(page, "settings")
    drawn = page.evaluate(DRAWN)
    choose(page, "growth_fit", 2)
    page.wait_for_function(f"(before) => {DRAWN} !== before", arg=drawn)
    assert page.evaluate(RANGES)["x"] == years
    assert is_marked(page)


def test_chart_falls_back_without_plotly_js(visit: Visit) -> None:
    """Where plotly.js cannot be fetched, the same figure appears as Streamlit's own chart under the same name."""
    visit.expected.append("/wallviz/plotly-")
    page = visit.tab()
    page.route("**/wallviz/plotly-*.js", lambda route: route.abort())
    page.goto(f"{visit.server.url}/growth")
    is_stock(page)


def test_stock_chart_can_be_chosen(fresh_server: Callable[..., Server], visit: Visit) -> None:
    """WALLVIZ_CHART=stock draws every figure as Streamlit's own chart; a click there takes a point out too."""
    page = visit("/growth", server=fresh_server(WALLVIZ_CHART="stock"))
    is_stock(page)
    point = page.evaluate(LONELIEST)
    click(page, point)
    page.wait_for_url(has(without=point["id"]))


def is_stock(page: Page) -> None:
    figure = page.locator("[data-testid=stPlotlyChart] .js-plotly-plot")
    expect(figure.locator(".main-svg").first).to_be_visible()
    expect(chart(page)).to_have_count(0)
    expect(page.locator(f"[aria-label={quoted(takeaway(page).inner_text())}]")).to_have_count(1)


def quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


# -- languages ---------------------------------------------------------------------------------------------------------------------

WORDS = ("h1", "[class*=_answer] h4", "nav", ".ytitle, .wallviz-chart .annotation", ".st-key-growth_controls", ".st-key-growth_foot", "summary")


def speaks(page: Page, language: str) -> None:
    """The title, the takeaway, the navigation, the figure, the controls, the caption and the drawers are in `language`."""
    for words in WORDS:
        texts = expect(page.locator(words).first)
        if language == "zh":
            texts.to_contain_text(CHINESE)
        else:
            texts.not_to_contain_text(CHINESE)
    expect(page.locator("html")).to_have_attribute("lang", re.compile(f"^{language}"))


def test_language_follows_the_browser_and_the_switch(visit: Visit) -> None:
    """A Chinese browser is spoken to in Chinese; the switch changes everything and says so in the address, and other pages follow it."""
    page = visit("/growth", locale="zh-CN")
    speaks(page, "zh")
    local = {"model": "qwen3-8b", "chip": "h20"}
    assert query(page) == local
    choose(page, "language", 0)
    page.wait_for_url(has(lang="en", **local))
    speaks(page, "en")
    page.locator("nav a[href*='/sources']").click()
    page.wait_for_url(re.compile("/sources"))
    expect(page.locator("h1")).to_have_text("Where do the numbers come from?")
    page.wait_for_url(has(lang="en"))


def test_language_of_a_link_wins(visit: Visit) -> None:
    """A link that names a language opens in it, whatever the browser prefers."""
    speaks(visit("/growth?lang=en", locale="zh-CN"), "en")
    speaks(visit("/growth?lang=zh"), "zh")


# -- embedded, with a keyboard, on a phone -----------------------------------------------------------------------------------------


def test_embedded_page_is_bare(visit: Visit) -> None:
    """Embedded, a page is takeaway, figure and controls, and it stays embedded when a control changes."""
    page = visit("/growth?embed=true")
    for kept in (takeaway(page), chart(page), page.locator(".st-key-growth_controls")):
        expect(kept).to_be_visible()
    for dropped in ("[data-testid=stSidebar]", "h1", "details", "nav", ".st-key-growth_menu", ".st-key-job_bar"):
        expect(page.locator(dropped)).to_have_count(0)
    choose(page, "growth_scale", 1)
    page.wait_for_url(has(embed="true", scale="linear"))
    expect(page.locator("h1")).to_have_count(0)


def test_keyboard_reaches_everything(visit: Visit) -> None:
    """Tab reaches every control in reading order, arrows and Space choose a segment, Enter opens a drawer."""
    page = visit("/growth")
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        key = page.evaluate("() => document.activeElement.closest('[class*=st-key-]')?.className.match(/st-key-(\\S+)/)[1] ?? ''")
        if key and key not in reached:
            reached.append(key)
    controls = ["figure", "data", "hold", "scale", "menu", "drawer_why", "drawer_sure", "drawer_settings"]
    wanted = ["language", "job_bar", *(f"growth_{name}" for name in controls)]
    assert [key for key in reached if key in wanted] == wanted

    option(page, "growth_scale", 0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.wait_for_url(has(scale="linear"))
    page.wait_for_function(f"{RANGES}.scale === 'linear'")
    page.locator(".st-key-growth_drawer_why summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-growth_drawer_why details[open] [data-testid=stExpanderDetails]")).not_to_be_empty()


@pytest.mark.parametrize("room", ROOMS)
def test_page_fits_a_phone(visit: Visit, room: str) -> None:
    """On a phone of 390 pixels nothing has to be scrolled sideways, and the figure is on the screen from edge to edge."""
    page = visit(address(room), width=390)
    wide = page.evaluate("() => [document.documentElement, document.querySelector('.stMain')].map((n) => n.scrollWidth - n.clientWidth)")
    assert wide == [0, 0]
    for figure in chart(page).all():
        box = figure.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert figure.locator(".main-svg").first.evaluate("(svg) => svg.getBoundingClientRect().right") <= 390


def test_a_table_on_a_phone_has_columns_that_can_be_read(visit: Visit) -> None:
    """In Chinese, which may break between any two 汉字, a column is four of them wide on a phone, and the table scrolls, not the page."""
    page = visit("/roofline?lang=zh&chip=h100-sxm5", width=390)
    page.locator(".st-key-roofline_drawer_sure summary").click()
    heading = page.locator("[data-testid=stTable] th").first
    expect(heading).to_be_visible()
    assert heading.evaluate("(th) => th.getBoundingClientRect().width") > 4 * 14
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390


def test_a_download_has_the_language_of_the_page(visit: Visit, tmp_path: Path) -> None:
    """The columns of a CSV are Chinese where the page is, though the server makes it in a thread without a session."""
    page = visit("/growth?figure=size&lang=zh")
    page.locator(".st-key-growth_menu button").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("CSV$")).click()
    download.value.save_as(tmp_path / "csv")
    assert "日期" in (tmp_path / "csv").read_text("utf-8").splitlines()[0]


# -- taking it along ---------------------------------------------------------------------------------------------------------------


def test_downloads_rerun_nothing(visit: Visit, tmp_path: Path) -> None:
    """CSV, PNG, SVG and HTML come from the figure's menu without another run; the rows, the picture and the sentence are in them."""
    page = visit("/growth?figure=size")
    page.locator(".st-key-growth_menu button").first.click()
    expect(page.get_by_role("button", name="PNG")).to_be_visible()
    still(page)
    drawn = chart(page).get_attribute("data-drawn")
    saved: dict[str, Path] = {}
    for kind in ("CSV", "PNG", "SVG", "HTML"):
        with page.expect_download() as download:
            page.get_by_role("button", name=re.compile(rf"(^|: ){kind}$")).click()
        saved[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[kind])
    assert {path.name for path in saved.values()} == {f"wallviz-growth.{kind.lower()}" for kind in saved}
    assert chart(page).get_attribute("data-drawn") == drawn

    table = growth.answer(growth.View(figure="size")).table
    rows = list(csv.DictReader(io.StringIO(saved["CSV"].read_text(encoding="utf-8"))))
    assert [list(row) for row in rows] == [list(row) for row in table]
    assert saved["PNG"].read_bytes().startswith(b"\x89PNG")
    assert saved["SVG"].read_text(encoding="utf-8").startswith("<svg")

    alone = visit.tab()
    alone.goto(saved["HTML"].as_uri())
    expect(alone.locator(".main-svg").first).to_be_visible()
    expect(alone.locator("h1")).to_have_text(takeaway(page).inner_text())
