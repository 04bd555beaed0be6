"""A Streamlit server of one's own, and visitors who speak its protocol: a websocket that carries protobuf messages.

A visit is all of the server's work (script runs, serialisation, frames) and none of the browser's (static files, drawing).
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 600.0
"""How long to wait for what must come, on however busy a machine: only what is broken takes so long."""

# -- a server ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its address, what it printed, and how long it took from nothing to healthy."""

    url: str
    log: Path
    start_s: float
    process: subprocess.Popen[bytes]

    def healthy(self) -> bool:
        """Whether the server answers its health check now."""
        return _get(self.url, "/_stcore/health") == (200, b"ok")

    def errors(self) -> list[str]:
        """What went wrong, as the server logged it: readers are never shown a traceback."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return [line for line in text.splitlines() if "Traceback" in line or "Error" in line or "Uncaught" in line]


def _get(url: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


@contextmanager
def serving(script: str, log: Path, **environment: str) -> Iterator[Server]:
    """`script`, run from the repository as its README says (so with its configuration), on a free port, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STREAMLIT_", "WALLVIZ_"))}
    started = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=kept | environment)
    try:
        url = f"http://127.0.0.1:{port}"
        while _get(url, "/_stcore/health")[0] != 200:
            if process.poll() is not None or time.perf_counter() - started > PATIENCE_S:
                raise RuntimeError(f"{script} did not become healthy:\n{log.read_text(encoding='utf-8', errors='replace')}")
            time.sleep(0.02)
        yield Server(url, log, time.perf_counter() - started, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# -- its visitors ------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Run:
    """What one run of the script sent: how long it took, how many elements of each kind, what went wrong."""

    seconds: float = 0.0
    received_bytes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    page_not_found: bool = False
    finished: str = ""

    @property
    def charts(self) -> int:
        """Charts among the elements, Streamlit's own and those drawn in place."""
        return self.kinds["plotly_chart"] + self.kinds["wallviz_chart"]


class Visitor:
    """One browser tab as the server sees it: opens `page` at `query`, then changes widgets by their key."""

    #: Acknowledge what the server sends at once, so that a run's time is the server's own; a browser takes up to 40 ms over it.
    prompt = False

    def __init__(self, server: Server, page: str = "", query: str = "", locale: str = "en-US") -> None:
        self._address = server.url.replace("http", "ws", 1) + "/_stcore/stream"
        self._page, self._query, self._locale = page, query, locale
        self._script = ""
        self._cached: dict[str, ForwardMsg] = {}
        self._touched: dict[str, WidgetState] = {}
        self.widgets: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        """Connects; nothing runs before `open`."""
        self._socket = await websockets.connect(
            self._address, subprotocols=[websockets.Subprotocol("streamlit")], max_size=None, open_timeout=PATIENCE_S, ping_interval=None, proxy=None
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closes the tab."""
        await self._socket.close()

    async def open(self) -> Run:
        """The first run."""
        return await self._rerun()

    async def set(self, key: str, value: str | float | bool) -> Run:
        """Changes the widget with `key`: an option's text, a number on a slider, or open and closed for a drawer."""
        widget = self.widgets[key]
        state = WidgetState(id=widget.id)
        kind = widget.DESCRIPTOR.name
        if kind in ("ButtonGroup", "MultiSelect"):
            state.string_array_value.data.append(str(value))
        elif kind == "Slider":
            state.double_array_value.data.append(float(value))
        elif kind == "Selectbox":
            state.string_value = str(value)
        else:
            state.bool_value = bool(value)
        self._touched[key] = state
        return await self._rerun()

    def options(self, key: str) -> list[str]:
        """What can be chosen in the segmented control with `key`."""
        return [option.content for option in self.widgets[key].options]

    async def _rerun(self) -> Run:
        asked = BackMsg()
        rerun = asked.rerun_script
        rerun.query_string, rerun.page_script_hash = self._query, self._script
        if not self._script:  # a first visit knows the page by its address, later runs by what the server called it
            rerun.page_name = self._page
        rerun.context_info.timezone, rerun.context_info.locale = "UTC", self._locale
        rerun.cached_message_hashes.extend(self._cached)
        rerun.widget_states.widgets.extend(self._touched.values())
        run = Run()
        started = time.perf_counter()
        await self._socket.send(asked.SerializeToString())
        while True:
            if self.prompt and hasattr(socket, "TCP_QUICKACK"):
                self._socket.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            raw = await self._socket.recv(decode=False)
            run.received_bytes += len(raw)
            message = ForwardMsg.FromString(raw)
            if message.WhichOneof("type") == "ref_hash":  # the server knows that this tab has it
                message = self._cached[message.ref_hash]
            elif message.hash and message.metadata.cacheable:
                self._cached[message.hash] = message
            self._read(message, run)
            if run.finished and run.finished != "FINISHED_EARLY_FOR_RERUN":
                run.seconds = time.perf_counter() - started
                return run

    def _read(self, message: ForwardMsg, run: Run) -> None:
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self._script = message.navigation.page_script_hash
        elif kind == "page_not_found":
            run.page_not_found = True
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "script_finished":
            run.finished = ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)
        elif kind == "session_event" and message.session_event.WhichOneof("type") == "script_compilation_exception":
            run.exceptions.append(message.session_event.script_compilation_exception.message)
        elif kind == "delta" and message.delta.WhichOneof("type") == "add_block":
            block = message.delta.add_block
            if (name := block.WhichOneof("type")) and hasattr(inside := getattr(block, name), "id"):
                self._know(inside)
        elif kind == "delta":
            element = message.delta.new_element
            name = element.WhichOneof("type") or ""
            run.kinds[element.bidi_component.component_name if name == "bidi_component" else name] += 1
            if name == "exception":
                run.exceptions.append(element.exception.message)
            elif name in ("heading", "markdown"):
                run.texts.append(getattr(element, name).body)
            elif hasattr(inside := getattr(element, name, None), "id"):
                self._know(inside)

    def _know(self, widget: Any) -> None:
        _mark, _hash, key = [*widget.id.split("-", 2), "", ""][:3]  # $$ID-<hash>-<key>
        if key:
            self.widgets[key] = widget
