"""How fast the dashboard answers, against a bare one-chart page under the same configuration: python -m benchmarks.dashboard

Prints a Markdown table. Everything is measured in one run, in turns, so that a busy machine slows both sides alike: read the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import chain, islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.sessions import Run, Server, Visitor, serving

BARE, DASHBOARD = "benchmarks/bare.py", "app.py"


def row(what: str, of: list[float], against: list[float], target: str = "", *, at: float = 0.5) -> None:
    """One line of the table, in milliseconds: the dashboard, what it is measured against, and their ratio at the quantile `at`."""
    ours, theirs = (statistics.quantiles(times, n=100, method="inclusive")[round(at * 100) - 1] * 1e3 for times in (of, against))
    print(f"| {what} | {ours:,.0f} ms | {theirs:,.0f} ms | **{ours / theirs:.2f}** | {target} |", flush=True)


def seconds(run: Run) -> float:
    if run.exceptions or run.finished != "FINISHED_SUCCESSFULLY":
        raise RuntimeError(f"{run.finished}: {run.exceptions}")
    return run.seconds


# -- one visitor -------------------------------------------------------------------------------------------------------------------


def walk(visitor: Visitor) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every view of the first row of controls, one change after the other: the control, its option, the view that it leads to."""
    view = {key: visitor.options(f"growth_{key}")[0] for key in ("figure", "data", "hold", "scale")}
    every = visitor.options("growth_figure")
    figures = every[:1] + every[3:5]  # the gap, training compute, model size
    for figure in figures:
        for data in visitor.options("growth_data"):
            for hold in visitor.options("growth_hold") if figure == figures[0] else (view["hold"],):
                scales = visitor.options("growth_scale")
                for scale in scales if view["scale"] == scales[0] else reversed(scales):
                    for key, value in (("figure", figure), ("data", data), ("hold", hold), ("scale", scale)):
                        if view[key] != value:
                            view[key] = value
                            yield f"growth_{key}", value, tuple(view.values())


async def control_changes(bare: Server, dashboard: Server) -> tuple[list[float], list[float], list[float]]:
    """The server's own time for a change: the bare slider, a view of the growth page for the first time, and once more."""
    async with Visitor(bare) as theirs, Visitor(dashboard, "growth") as ours:
        theirs.prompt = ours.prompt = True
        seconds(await theirs.open())
        seconds(await ours.open())
        slider, first, again = [], [], []
        seen: set[tuple[str, ...]] = set()
        moves = list(walk(ours))
        for n, (key, value, view) in enumerate(chain(moves, moves, moves)):
            slider.append(seconds(await theirs.set("years", 1 + n % 70 / 2)))
            (again if view in seen else first).append(seconds(await ours.set(key, value)))
            seen.add(view)
    return slider, first, again


# -- many visitors -----------------------------------------------------------------------------------------------------------------


async def arrive(server: Server, page: str, visitors: int) -> float:
    """How long it takes until everyone of `visitors`, arriving at once, has the page."""

    async def one() -> float:
        async with Visitor(server, page) as visitor:
            return seconds(await visitor.open())

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(visitors)))
    return time.perf_counter() - started


async def under_load(server: Server, page: str, drawer: str, slider: str, low: int, high: int, visitors: int, moves: int) -> list[float]:
    """The time of each slider move of `visitors` who each look for about a second before the next."""
    luck = random.Random(1)
    async with AsyncExitStack() as stack:
        everyone = [await stack.enter_async_context(Visitor(server, page)) for _ in range(visitors)]
        for visitor in everyone:
            seconds(await visitor.open())
            if drawer:
                seconds(await visitor.set(drawer, True))  # noqa: FBT003 - a drawer's value is that it is open

        async def one(visitor: Visitor) -> list[float]:
            await asyncio.sleep(luck.random())
            times = []
            for _ in range(moves):
                times.append(seconds(await visitor.set(slider, luck.randint(low, high))))
                await asyncio.sleep(max(0.1, luck.gauss(1, 0.25)))
            return times

        return list(chain.from_iterable(await asyncio.gather(*(one(visitor) for visitor in everyone))))


# -- a browser ---------------------------------------------------------------------------------------------------------------------

#: From the key press to the first frame with new tick labels on the vertical axis.
TIMED = """(took) => {
  const ticks = () => [...document.querySelectorAll(".js-plotly-plot .ytick text")].map((node) => node.textContent).join();
  const before = ticks();
  window.took = new Promise((done) => addEventListener("keydown", () => {
    const pressed = performance.now();
    const look = () => { const now = ticks(); now && now !== before ? done((performance.now() - pressed) / 1e3) : requestAnimationFrame(look); };
    requestAnimationFrame(look);
  }, { once: true, capture: true }));
}"""


def key_presses(in_place: Server, stock: Server, presses: int) -> tuple[list[float], list[float]]:
    """From the key press on the growth page's scale to the redrawn chart: in place, and with Streamlit's own chart."""
    from playwright.sync_api import Page, sync_playwright

    def ready(page: Page, server: Server) -> Page:
        page.goto(f"{server.url}/growth", timeout=90_000)
        page.locator(".js-plotly-plot .ytick").first.wait_for(timeout=90_000)
        page.locator(".st-key-growth_scale [role=radio]").first.focus()
        return page

    def press(page: Page, n: int) -> float:
        page.keyboard.press("ArrowRight" if n % 2 == 0 else "ArrowLeft")
        page.wait_for_timeout(300)  # the focus has moved and nothing is left to draw
        page.evaluate(TIMED)
        page.keyboard.press("Space")
        return float(page.evaluate("window.took"))

    def block(page: Page, n: int) -> list[float]:
        page.bring_to_front()
        return [press(page, i) for i in range(n + 2)][2:]  # the first after a tab comes forward wait for it

    with sync_playwright() as playwright:
        found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-background-networking"])
        ours, theirs = (ready(browser.new_context(viewport={"width": 1280, "height": 900}).new_page(), server) for server in (in_place, stock))
        times = [(block(ours, 10), block(theirs, 10)) for _ in range(presses // 10)]
        browser.close()
    return [t for a, _ in times for t in a], [t for _, b in times for t in b]


def main() -> None:
    """Runs what `--only` names (everything by default) and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=("control", "key", "cold", "load"), default=["control", "key", "cold", "load"])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="cold starts and loads of each side")
    asked = parser.parse_args()
    print("| what | wallviz | against | ratio | target |\n| --- | --- | --- | --- | --- |", flush=True)
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        if "control" in asked.only:
            with serving(BARE, log) as bare, serving(DASHBOARD, log.with_suffix(".ours")) as dashboard:
                slider, first, again = asyncio.run(control_changes(bare, dashboard))
            row("a control changes, a view seen before (against a slider on the bare page)", again, slider, "≤ 1.5")
            row("a control changes, a view never computed before", first, slider)
        if "key" in asked.only:
            with serving(DASHBOARD, log) as in_place, serving(DASHBOARD, log.with_suffix(".stock"), WALLVIZ_CHART="stock") as stock:
                ours, theirs = key_presses(in_place, stock, 120)
            row("key press to chart in a browser (against Streamlit's own chart on the same page)", ours, theirs, "< 0.7")
        if "cold" in asked.only:
            served: dict[str, list[float]] = {BARE: [], DASHBOARD: []}
            started: dict[str, list[float]] = {BARE: [], DASHBOARD: []}
            for script, page in islice(chain.from_iterable(repeat(((BARE, ""), (DASHBOARD, "growth")))), 2 * asked.rounds):
                with serving(script, log) as server:
                    served[script].append(asyncio.run(arrive(server, page, asked.visitors)))
                    started[script].append(served[script][-1] + server.start_s)
            row(f"{asked.visitors} visitors at once on a cold server, until all are served", served[DASHBOARD], served[BARE])
            row("the same, from the start of the process", started[DASHBOARD], started[BARE])
        if "load" in asked.only:
            times: dict[str, list[float]] = {BARE: [], DASHBOARD: []}
            with serving(BARE, log) as bare, serving(DASHBOARD, log.with_suffix(".ours")) as dashboard:
                for _ in range(asked.rounds):
                    times[BARE] += asyncio.run(under_load(bare, "", "", "years", 1, 40, asked.visitors, 8))
                    times[DASHBOARD] += asyncio.run(
                        under_load(dashboard, "growth", "growth_drawer_settings", "growth_extend", 2026, 2040, asked.visitors, 8)
                    )
            row(f"a slider moved while {asked.visitors} move theirs (in the open expert drawer), median", times[DASHBOARD], times[BARE])
            row("the same, 95th percentile", times[DASHBOARD], times[BARE], at=0.95)


if __name__ == "__main__":
    main()
