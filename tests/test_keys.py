"""What a lecturer's keys and clicker do, and what a projector shows, in a real browser."""

from __future__ import annotations

import re

import pytest
from conftest import Visit, settled
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def ready(page: Page) -> None:
    """Waits until the page listens to keys."""
    expect(page.locator(".wallviz-path[aria-valuenow]")).to_be_attached()


def test_keys_walk_the_path_and_back_goes_back_a_step(visit: Visit) -> None:
    """Arrows and Page Down show what was asked, then go on; a digit guesses; "back" returns to the step before, Page Up to the one before that."""
    page = visit("/")
    ready(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("/story"))
    settled(page)
    for n in (2, 3):
        page.keyboard.press("ArrowRight" if n == 2 else "2")  # shows what was asked, or takes the second guess
        expect(page.locator(".wallviz-chart")).to_be_visible()
        settled(page)
        page.keyboard.press("ArrowRight")
        page.wait_for_url(re.compile(f"step={n}$"))
        settled(page)
    page.go_back()
    expect(page.locator("h1")).to_have_text("Demand explodes")
    settled(page)
    page.keyboard.press("PageUp")
    expect(page.locator("h1")).to_have_text("One token")


def test_keys_leave_a_control_its_own(visit: Visit) -> None:
    """In a field, arrows and letters are the field's."""
    page = visit("/glossary")
    page.get_by_role("textbox").first.press_sequentially("pn")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(500)
    assert page.url.endswith("/glossary")


def _shares(page: Page) -> dict[str, float]:
    """Of the screen's height: the smallest text of the takeaway and the figure, and the figure."""
    return page.evaluate(
        """() => {
          const size = (node) => parseFloat(getComputedStyle(node).fontSize) / innerHeight;
          const texts = [...document.querySelectorAll("[class*=_answer] h4, .wallviz-chart svg text")].filter((node) => node.textContent.trim());
          return { text: Math.min(...texts.map(size)), figure: document.querySelector(".wallviz-chart").clientHeight / innerHeight };
        }"""
    )


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (3840, 2160)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("room", ["growth", "footprint", "roofline", "scaleout"])
def test_a_projector_shows_it_large(visit: Visit, room: str, size: tuple[int, int]) -> None:
    """To an audience the figure has 85 % of the height and no letter is under a fortieth of it, whatever the projector."""
    page = visit(f"/{room}?present=true")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_function("() => Math.abs(document.querySelector('.wallviz-chart .main-svg').clientHeight / innerHeight - 0.85) < 0.005")
    shares = _shares(page)
    assert shares["figure"] >= 0.845
    assert shares["text"] >= 1 / 40.5


def test_the_notes_follow_in_a_window_of_their_own(visit: Visit) -> None:
    """N opens the lecturer's notes beside the projector, and they follow to the next step."""
    page = visit("/story?present=true")
    ready(page)
    with page.expect_popup() as opened:
        page.keyboard.press("n")
    notes = opened.value
    expect(notes.locator("h1")).to_have_text("One token")
    page.bring_to_front()
    page.keyboard.press("PageDown")  # shows what was asked
    expect(page.locator(".wallviz-chart")).to_be_visible()
    settled(page)
    page.keyboard.press("PageDown")
    expect(notes.locator("h1")).to_have_text("Demand explodes")
