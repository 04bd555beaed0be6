"""A lecture opens the link at once: twenty sessions on a server that nobody has visited, by the server's own protocol."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.sessions import PATIENCE_S, Run, Server, Visitor, serving
from wallviz.ui.frame import ROOMS

VISITORS = 20
LOCALES = ("en-US", "zh-CN")


async def arrive(server: Server) -> list[tuple[str, Run, Run]]:
    """Twenty visitors open the rooms, in both languages, in the same moment; then each changes something that its page has."""

    async def visit(n: int) -> tuple[str, Run, Run]:
        room = list(ROOMS)[n % len(ROOMS)]
        async with Visitor(server, "" if n % len(ROOMS) == 0 else room, locale=LOCALES[n // len(ROOMS) % 2]) as visitor:
            first = await visitor.open()
            language = "简体中文" if LOCALES[n // len(ROOMS) % 2] == "en-US" else "English"
            return room, first, await visitor.set("language", language)

    return await asyncio.gather(*(visit(n) for n in range(VISITORS)))


def test_twenty_sessions_arrive_at_once(tmp_path: Path) -> None:
    """Everyone gets the page that was asked for, in both languages, without an error; the server logs none and stays healthy."""
    with serving("app.py", tmp_path / "log") as server:
        served = asyncio.run(asyncio.wait_for(arrive(server), PATIENCE_S))
        assert server.healthy()
        assert not server.errors()
    assert len(served) == VISITORS
    sentences: dict[str, set[str]] = {}
    charts: dict[str, set[int]] = {}
    for room, *runs in served:
        for run in runs:
            assert run.finished == "FINISHED_SUCCESSFULLY"
            assert not run.exceptions
            assert not run.page_not_found
            sentences.setdefault(room, set()).update(text for text in run.texts if text.startswith("#### "))
            charts.setdefault(room, set()).add(run.charts)
    assert {*sentences} == {*ROOMS}
    one, both = len(LOCALES), 2 * len(LOCALES)  # a takeaway in each language, of the case that the visitors of each language meet
    assert {len(said) for said in sentences.values()} <= {one, both}
    assert len(sentences["growth"]) == len(sentences["sources"]) == one
    assert charts["growth"] == {1}
    assert all(len(drawn) == 1 for drawn in charts.values())
