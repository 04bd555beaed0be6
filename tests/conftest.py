"""What the browser tests stand on: a server of their own, a Chromium, and an eye on everything that a page must not do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from benchmarks.sessions import PATIENCE_S as PATIENCE_S  # what waits without a browser waits that long
from benchmarks.sessions import Server, serving
from wallviz.ui.frame import ROOMS

PATIENCE_MS = 120_000  # a shared machine may be slow; nothing here waits that long for something that has happened
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # whatever a page asks for outside, nothing leaves the machine
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")  # as in the Makefile
#: Streamlit looks for its server beside a deep link's own path before it finds it at the root; browsers log the 404.
STREAMLITS_OWN_404 = ("/_stcore/health", "/_stcore/host-config")


#: Rooms about a job, which their addresses carry: those whose page says so.
JOB_ROOMS = tuple(name for name, room in ROOMS.items() if "job=True" in (Path(__file__).parent.parent / room.file).read_text(encoding="utf-8"))


class Visit:
    """Opens addresses of the dashboard in new tabs, and keeps what goes wrong there.

    `expected` is for the test to fill: a word of a message or an address that it provokes.
    """

    def __init__(
        self, server: Callable[[], Server], context: Callable[[str, int], BrowserContext], unshared: Callable[[str, int], BrowserContext]
    ) -> None:
        self._server, self._context, self._unshared = server, context, unshared
        self._logs: dict[Path, tuple[Server, int]] = {}
        self._seen: list[str] = []
        self.pages: list[Page] = []
        self.expected: list[str] = []

    def __call__(self, path: str = "/", *, server: Server | None = None, locale: str = "en-US", width: int = 1280, own: bool = False) -> Page:
        """The page at `path`, standing still. `own`: in a browser that has never been here, not in one that the tests share."""
        page = self.tab(server=server, locale=locale, width=width, own=own)
        page.goto(f"{(server or self.server).url}{path}")
        settled(page)
        return page

    def tab(self, *, server: Server | None = None, locale: str = "en-US", width: int = 1280, own: bool = False) -> Page:
        """An empty tab, for a test to prepare."""
        served = server or self.server
        self._logs.setdefault(served.log, (served, len(served.errors())))
        page = (self._unshared if own else self._context)(locale, width).new_page()
        self.pages.append(page)
        host = urlsplit(served.url).netloc
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._note(f"script error: {error}"))
        page.on("request", lambda request: self._request(request.url, host))
        page.on("websocket", lambda socket: self._request(socket.url, host))
        return page

    @property
    def server(self) -> Server:
        """The server that is meant where none is named."""
        return self._server()

    def wrong(self) -> list[str]:
        """Errors in a console or a script, requests to anywhere but the server, errors in the server's log."""
        return [*self._seen, *(line for server, before in self._logs.values() for line in server.errors()[before:])]

    def _console(self, message: ConsoleMessage) -> None:
        path = urlsplit(message.location.get("url", "")).path
        if message.type == "error" and not (path.count("/") == 3 and path.endswith(STREAMLITS_OWN_404)):
            self._note(f"console: {message.text} {path}")

    def _request(self, url: str, host: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob", "file") and urlsplit(url).netloc != host:
            self._note(f"outside request: {url}")

    def _note(self, what: str) -> None:
        if not any(word in what for word in self.expected):
            self._seen.append(what)


def settled(page: Page) -> None:
    """Waits until the first run is over and every chart of it is drawn."""
    expect(page.locator(".stApp[data-test-connection-state=CONNECTED][data-test-script-state=notRunning]")).to_be_visible()
    expect(page.locator("h4").first).to_be_visible()
    page.wait_for_function(
        """() => [...document.querySelectorAll("[class*='st-key-chart_']")]
          .every((place) => place.querySelector(".wallviz-chart[data-drawn], .stPlotlyChart .main-svg"))"""
    )


def _executable(playwright: Any) -> str | None:
    for name in (os.environ.get("CHROMIUM"), *NAMES):
        if name and (found := shutil.which(name)):
            return found
    bundled = str(playwright.chromium.executable_path)
    return bundled if Path(bundled).exists() else None


# Playwright keeps an event loop running in this thread for as long as it lives: one module, so that other tests may run theirs.
@pytest.fixture(scope="module")
def chromium(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser for the tests of one module, which may name flags of its own: ``CHROMIUM_FLAGS``."""
    with sync_playwright() as playwright:
        executable = _executable(playwright)
        if executable is None:
            if os.environ.get("CI"):
                pytest.fail("CI must run the browser tests, and there is no Chromium on the PATH (CHROMIUM=/path/to/it names one)")
            pytest.skip("no Chromium on the PATH: install it, or name it with CHROMIUM=/path/to/it")
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *getattr(request.module, "CHROMIUM_FLAGS", ())])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def contexts(chromium: Browser) -> Iterator[Callable[[str, int], BrowserContext]]:
    """One browser profile per language and width: what it has fetched once, the next tab finds in its cache."""
    with ExitStack() as stack:
        made: dict[tuple[str, int], BrowserContext] = {}

        def context(locale: str, width: int) -> BrowserContext:
            if (locale, width) not in made:
                made[locale, width] = stack.enter_context(new_context(chromium, locale, width))
            return made[locale, width]

        yield context


def new_context(browser: Browser, locale: str, width: int) -> BrowserContext:
    context = browser.new_context(
        locale=locale,
        viewport={"width": width, "height": 900},
        color_scheme="light",
        reduced_motion="reduce",
        is_mobile=width < 500,
        has_touch=width < 500,
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE_MS)
    context.set_default_navigation_timeout(PATIENCE_MS)
    return context


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the browser tests share."""
    with serving("app.py", tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server that nobody has visited, with environment variables of its own."""
    with ExitStack() as stack:

        def start(**environment: str) -> Server:
            return stack.enter_context(serving("app.py", tmp_path / "log", **environment))

        yield start


@pytest.fixture
def visit(request: pytest.FixtureRequest, chromium: Browser, contexts: Callable[[str, int], BrowserContext]) -> Iterator[Visit]:
    """See `Visit`. The test fails if anything went wrong on its pages, whatever else it looks at."""
    with ExitStack() as stack:
        visits = Visit(
            lambda: request.getfixturevalue("server"), contexts, lambda locale, width: stack.enter_context(new_context(chromium, locale, width))
        )
        yield visits
        wrong = visits.wrong()
        for page in visits.pages:
            page.close()
        assert not wrong
