"""What the server does beside running pages: serve plotly.js compressed, warm up before it is healthy, send security headers.

``app.py`` hands these to ``st.App``; ``streamlit run app.py`` finds that object by itself (docs/decisions/0007-one-entry.md).
"""

from __future__ import annotations

import gzip
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

PLOTLY_PATH = f"/wallviz/plotly-{version('plotly')}.min.js"
MISSING = "missing"
"""The parameter that tells Start which page does not exist."""
LONGEST_NAME = 100
STREAMLITS_OWN = frozenset({"_stcore", "app", "component", "media", "static"})
"""Folders of Streamlit's that hold no pages but may hold HTML: a download, for one."""
_serving = False


def serves_plotly() -> bool:
    """True when this process serves plotly.js itself (it does not under AppTest or in a foreign host)."""
    return _serving


@cache
def _plotly_js() -> tuple[bytes, bytes]:
    """plotly.js from the plotly wheel, plain and gzipped once: Streamlit itself never compresses static files."""
    plain = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return plain, gzip.compress(plain, 6)


async def _plotly(request: Request) -> Response:
    plain, packed = _plotly_js()
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"})
    return Response(plain, media_type="text/javascript", headers=headers)


class SecurityHeaders:
    """Adds the headers that do no harm to lectures: pages may be framed anywhere, nothing is sniffed, no referrer leaves."""

    headers = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on, with the headers in every HTTP response."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in self.headers if h[0] not in present)]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class PromptFrames:
    """Sends every frame at once (TCP_NODELAY): Streamlit's own socket waits for acknowledgements, up to 40 ms a rerun over a network."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; a websocket's connection is told first, where the server shows it."""
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        connection = transport.get_extra_info("socket") if scope["type"] == "websocket" and transport is not None else None
        if connection is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self.app(scope, receive, send)


class KnownPages:
    """Sends whoever asks for a page that does not exist to Start, which says so.

    Streamlit answers every unknown address with its own script, whose dialog speaks English; two folders deep the script stays blank.
    """

    def __init__(self, app: ASGIApp, pages: Iterable[str], start: str) -> None:
        self.app = app
        self.pages = {"", *pages} - {start}
        self.start = start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on but HTML under another address than a page's."""
        base = (scope.get("root_path") or f"/{config.get_option('server.baseUrlPath') or ''}").strip("/")
        asked = f"{scope['path'].strip('/')}/".removeprefix(f"{base}/").strip("/") if scope["type"] == "http" else ""
        if asked in self.pages or asked.partition("/")[0] in STREAMLITS_OWN:
            await self.app(scope, receive, send)
            return
        turned = False

        async def or_turn(message: Message) -> None:
            nonlocal turned
            if message["type"] == "http.response.start" and message["status"] == 200 and _is_html(message):
                turned = True
                query = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != MISSING]
                query += [(MISSING, asked[:LONGEST_NAME])] if asked != self.start else []
                there = "../" * asked.count("/") or "./"  # from where the reader stands, whatever a proxy has put before it
                await RedirectResponse(there + (f"?{urlencode(query)}" if query else ""), 303, {"Cache-Control": "no-store"})(scope, receive, send)
            elif not turned:
                await send(message)

        await self.app(scope, receive, or_turn)


def _is_html(message: Message) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])


@asynccontextmanager
async def _warm(_app: Any) -> AsyncIterator[None]:
    """Everything that a first visitor would wait for, before the health check says ok."""
    global _serving
    _plotly_js()
    warm_up()
    _serving = True
    yield


def warm_up() -> None:
    """Import what Streamlit and plotly import lazily (concurrent first sessions would crash in half-imported pandas), read the data,
    draw one figure, and freeze the heap so that the garbage collector does not walk it on every rerun."""
    import gc

    import numpy  # noqa: F401, ICN001 - imported for its side effect: it is loaded before the first session
    import pandas  # noqa: F401, ICN001
    import plotly.graph_objects as go
    from streamlit.runtime.pages_manager import PagesManager

    from wallviz import curves, i18n
    from wallviz.job import Job
    from wallviz.rooms import footprint

    # Streamlit learns only from the first st.navigation that pages/ is not the old automatic folder; until then a deep link runs
    # the page without app.py, or answers "page not found". Say it before anyone asks.
    PagesManager.uses_pages_directory = False
    go.Figure(layout_template="plotly_white").to_json()
    for language in i18n.LANGUAGES:
        i18n.catalog(language)
    curves.warm_up()
    footprint.answer(Job(), footprint.View())
    gc.collect()
    gc.freeze()


def settings() -> dict[str, Any]:
    """The keyword arguments of ``st.App``."""
    from wallviz.ui.frame import ROOMS

    known = Middleware(KnownPages, pages=ROOMS, start=next(iter(ROOMS)))
    return {"routes": [Route(PLOTLY_PATH, _plotly)], "middleware": [Middleware(PromptFrames), Middleware(SecurityHeaders), known], "lifespan": _warm}
