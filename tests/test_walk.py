"""Walking through the menu, as a visitor does: every page shows the case that the address shows, and a cold reload of it shows the same."""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from conftest import JOB_ROOMS, Visit, settled
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

#: What a page shows: every control of its main part by label, and the takeaway.
SHOWN = r"""() => {
  const shown = {}, main = document.querySelector('[data-testid=stMain]');
  const say = (box, value) => { shown[box.querySelector('label, [data-testid=stWidgetLabel]')?.innerText.trim() ?? '?'] = value; };
  for (const box of main.querySelectorAll('[data-testid=stSelectbox], [data-testid=stNumberInput], [data-testid=stTextInput]'))
    say(box, box.querySelector('input').value || box.querySelector('[data-baseweb=select]')?.innerText.trim() || '');
  for (const box of main.querySelectorAll('[data-testid=stButtonGroup]'))
    say(box, [...box.querySelectorAll('[aria-checked=true], [aria-pressed=true]')].map((one) => one.innerText.trim()).join());
  for (const box of main.querySelectorAll('[data-testid=stSlider]')) say(box, box.innerText.trim().replace(/\s+/g, ' '));
  shown['the case'] = main.querySelector('.st-key-job_line')?.innerText.trim().replace(/\s+/g, ' ') ?? '';
  shown['the takeaway'] = main.querySelector('[class*=_answer] h4').innerText.trim();
  return shown;
}"""
#: On each page a control to change: its key and what is typed or pressed there.
CHANGES = {
    "start": ("start_format", "8 bits"),
    "footprint": ("footprint_batch", "3"),
    "roofline": ("roofline_context", "4096"),
    "scaleout": ("scaleout_chips", "16"),
    "remedies": ("remedies_show", "Time"),
    "chips": ("chips_show", "Memory"),
    "hierarchy": ("hierarchy_scale", "Linear"),
}


def shown(page: Page) -> dict[str, str]:
    """What the page shows once it has come to rest: the same twice, with nothing running in between."""
    settled(page)
    last: dict[str, str] = {}
    while (now := dict(page.evaluate(SHOWN))) != last:
        last = now
        page.wait_for_timeout(300)
        settled(page)
    return now


def pick(page: Page, box: Locator, name: re.Pattern[str]) -> None:
    """Chooses from a list, which closes when the page scrolls: it stands still first."""
    box.evaluate("(node) => node.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(500)
    box.locator("input").click()
    page.get_by_role("option", name=name).first.click()


def go(page: Page, room: str) -> None:
    """Through the menu."""
    link = page.locator("[data-testid=stSidebarNavLink]").nth(_place(page, room))
    link.click()
    page.wait_for_function("(path) => location.pathname === path", arg="/" if room == "start" else f"/{room}")
    expect(page.locator(f".st-key-{room}_controls, .st-key-{room}_answer").first).to_be_visible()


def _place(page: Page, room: str) -> int:
    hrefs = [link.get_attribute("href") or "" for link in page.locator("[data-testid=stSidebarNavLink]").all()]
    return next(i for i, href in enumerate(hrefs) if urlsplit(href).path.rstrip("/").rsplit("/", 1)[-1] == ("" if room == "start" else room))


def circuit() -> list[str]:
    """A walk over every ordered pair of pages, each move once (Hierholzer)."""
    left = {room: [other for other in JOB_ROOMS if other != room] for room in JOB_ROOMS}
    stack, found = [JOB_ROOMS[0]], []
    while stack:
        if left[stack[-1]]:
            stack.append(left[stack[-1]].pop())
        else:
            found.append(stack.pop())
    return found[::-1]


#: A case that differs from the defaults in every field that a control shows.
CASE = "model=llama-3.1-70b&batch=3&context=4096&chip=h200-sxm&chips=4&format=fp8"


def test_every_move_through_the_menu_shows_what_the_address_shows(visit: Visit) -> None:
    """Whatever page a reader comes from, the next one shows the case in its controls, its case bar and its sentence as its own address does."""
    truth = {room: shown(visit(f"/{'' if room == 'start' else room}?{CASE}&lang=en")) for room in JOB_ROOMS}
    for page in visit.pages:
        page.close()
    visit.pages.clear()
    page = visit(f"/?{CASE}&lang=en")
    wrong = []
    walk = circuit()
    for before, room in pairwise(walk):
        go(page, room)
        if (here := shown(page)) != truth[room]:
            told = {name: (here.get(name), value) for name, value in truth[room].items() if here.get(name) != value}
            wrong.append(f"{before} -> {room}: {told}")
    assert not wrong, "\n".join(wrong)
    assert len(walk) == len(JOB_ROOMS) * (len(JOB_ROOMS) - 1) + 1


@pytest.mark.parametrize("room", list(CHANGES))
def test_what_is_changed_on_a_page_is_carried_and_reopened(visit: Visit, room: str) -> None:
    """A control is changed, the menu is clicked, and each page's address, opened cold, shows the same controls and the same sentence."""
    page = visit(f"/{'' if room == 'start' else room}?{CASE}&lang=en")
    key, value = CHANGES[room]
    box = page.locator(f".st-key-{key}")
    if box.locator("[role=radio]").count():
        box.get_by_role("radio", name=re.compile(value)).click()
    elif box.locator("[data-testid=stNumberInputField], input[type=number]").count():
        box.locator("input").fill(value)
        box.locator("input").press("Enter")
    else:
        pick(page, box, re.compile(f"^{value}"))
    settled(page)
    for there in (room, "footprint", "roofline"):
        if there != room:
            go(page, there)
        here = shown(page)
        address = urlsplit(page.url)
        cold = visit(f"{address.path}?{address.query}")
        assert shown(cold) == here, (room, there, page.url)
        cold.close()
        visit.pages.remove(cold)


def test_the_case_bar_stays_open_while_several_things_are_changed(visit: Visit) -> None:
    """One opens it once and changes job, chips and context; there is one number of chips, on every page."""
    page = visit("/remedies?lang=en")
    page.locator(".st-key-job_bar button").first.click()
    job = page.locator(".st-key-remedies_job")
    expect(job).to_be_visible()
    job.get_by_role("radio", name="Train").click()
    settled(page)
    chips = page.locator(".st-key-remedies_chips input")
    expect(chips).to_be_visible()
    chips.fill("64")
    chips.press("Enter")
    settled(page)
    context = page.locator(".st-key-remedies_context input")
    expect(context).to_be_visible()
    context.fill("2048")
    context.press("Enter")
    settled(page)
    expect(page.locator(".st-key-job_line")).to_contain_text("Train Llama 3.1 8B · batch 1 · context 2,048 · 64 × H100 SXM5")
    page.wait_for_function("() => location.search.includes('chips=64') && location.search.includes('context=2048')")
    page.keyboard.press("Escape")
    go(page, "scaleout")
    assert shown(page)["How many chips"] == "64"
    pick(page, page.locator(".st-key-scaleout_chips"), re.compile("^128$"))
    settled(page)
    page.wait_for_function("() => location.search.includes('chips=128') && !location.search.includes('gpus')")
    expect(page.locator(".st-key-job_line")).to_contain_text("128 × H100 SXM5")
