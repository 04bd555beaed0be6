"""The measurement of the visitor's GPU, in headless Chromium with its software adapter: results that stand, and every way to fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from benchmarks.sessions import Server, serving
from tests.conftest import Visit
from wallviz.errors import InputError
from wallviz.machine.probe import wgsl
from wallviz.machine.probe.browser import QUICK, REASONS, BrowserPlan, from_browser, request
from wallviz.machine.probe.kernels import KERNELS
from wallviz.machine.reasons import Flag, Reason, explained
from wallviz.machine.record import SCHEMA, Record, read

ELSEWHERE = "insecure.example"
CHROMIUM_FLAGS = (
    "--enable-unsafe-webgpu",  # the software adapter too
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
MIB = 2**20
HIDE = "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' }); document.dispatchEvent(new Event('visibilitychange'));"
SLOW = "GPUBuffer.prototype.mapAsync = function () { return new Promise(() => {}); };"
"""A device that never answers."""


def around(method: str, body: str) -> str:
    """A script that puts `body` in the place of a method of the browser; it gets `given`, and the method as ``original``."""
    return f"{{ const before = {method}; {method} = function (...given) {{ const original = (...how) => before.apply(this, how); {body} }}; }}"


KEEP = "window.devices = [];" + around(
    "GPUAdapter.prototype.requestDevice", "return original(...given).then((device) => { devices.push(device); return device; });"
)
COMPILE = "GPUDevice.prototype.createShaderModule"
MAKE = "GPUDevice.prototype.createBuffer"


def scarce(room: int) -> str:
    """A browser that refuses buffers above so many bytes, as WebGPU does: an error in the scope, and a buffer of no use."""
    refuse = f"if (given[0].size <= {room}) return original(...given); window.refused = true; return original({{ ...given[0], size: 16 }});"
    tell = "const mine = window.refused; window.refused = false; return original().then((error) => (mine ? new GPUOutOfMemoryError('') : error));"
    return around(MAKE, refuse) + around("GPUDevice.prototype.popErrorScope", tell)


@pytest.fixture(scope="module")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the page with the measurement alone, which may be called by a name that is not this machine's."""
    log = tmp_path_factory.mktemp("probe") / "log"
    with serving("tests/browser_probe_page.py", log, STREAMLIT_BROWSER_SERVER_ADDRESS=ELSEWHERE) as running:
        yield running


class Probe:
    """The page with the measurement in a new tab."""

    def __init__(self, visit: Visit, server: Server, *, script: str = "", host: str = "", **asked: object) -> None:
        self.page: Page = visit.tab(server=server)
        if script:
            self.page.add_init_script(script)
        address = server.url.replace("127.0.0.1", host) if host else server.url
        self.page.goto(f"{address}/?{urlencode({'software': 'yes', **asked})}")
        self.root = self.page.locator(".wallviz-probe")
        self.start = self.root.get_by_role("button", name="Measure", exact=False)

    def measured(self) -> Record:
        """The record that Python shows after the button was pressed."""
        self.start.click()
        return self.shown()

    def shown(self) -> Record:
        expect(self.page.get_by_test_id("stCode")).to_be_visible(timeout=120_000)
        return read(self.page.get_by_test_id("stCode").inner_text())

    def status(self) -> str:
        return self.root.get_by_role("status").inner_text()


@pytest.fixture
def probe(visit: Visit, page_server: Server) -> Any:
    """Opens `Probe`."""
    visit.expected.append("WebGPU")  # Chromium remarks on experimental flags
    return lambda **options: Probe(visit, page_server, **options)


# ---------------------------------------------------------------------------------------------------------------- results


@pytest.mark.browser
def test_the_whole_path(probe: Any) -> None:
    """A press on the button gives Python a record: every kernel valid, a staircase, a latency, and what was measured called software."""
    found = probe(sweep="yes", script=KEEP)
    record = found.measured()
    assert record.path == "browser"
    assert not record.errors
    assert list(record.kernels) == list(KERNELS)
    assert all(each.valid and each.best_bytes_per_s and each.samples >= 2 for each in record.kernels.values())
    assert record.sweep[0].bytes == 16 * 1024
    assert record.array_bytes == 4 * MIB
    assert record.device.kind == "software"
    assert Flag.SOFTWARE in record.flags
    assert record.device.backend == "WebGPU"
    assert found.status() == "Measured."
    assert (
        found.page.evaluate("Promise.race([devices[0].lost.then((info) => info.reason), new Promise((no) => setTimeout(no, 5000))])") == "destroyed"
    )


@pytest.mark.browser
def test_the_text_is_the_one_that_the_local_path_runs(probe: Any) -> None:
    """The browser compiles the text that the local path compiles, letter for letter."""
    found = probe(script=around(COMPILE, "window.code = given[0].code; return original(...given);"), array=MIB, budget=0.05)
    found.measured()
    assert found.page.evaluate("code") == wgsl.source()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("right", "wrong", "failing"),
    [
        ("a[i] = b[i] + vec4<f32>(p.s) * c[i];", "if (i != 77u) { a[i] = b[i] + vec4<f32>(p.s) * c[i]; }", ["triad"]),
        ("atomicAdd(&found[0], 1u);", "", list(KERNELS)),  # a check that finds nothing: the negative control catches it
    ],
)
def test_what_is_wrong_has_no_figure(probe: Any, right: str, wrong: str, failing: list[str]) -> None:
    """One wrong element, or a check that would not see it, leaves a reason in place of the figure."""
    assert right in wgsl.source()
    change = around(COMPILE, f"return original({{ code: given[0].code.replaceAll({json.dumps(right)}, {json.dumps(wrong)}) }});")
    record = probe(script=change, array=MIB, budget=0.05).measured()
    assert [name for name, each in record.kernels.items() if not each.valid] == failing
    assert [(error.reason, error.detail) for error in record.errors] == [(Reason.INVALID, name) for name in failing]
    assert all(record.kernels[name].best_bytes_per_s is None for name in failing)


@pytest.mark.browser
def test_a_walk_that_leaves_something_out_has_no_staircase(probe: Any) -> None:
    """A walk with an even step, which would come to half of its set only, leaves a reason and no staircase; the kernels and the latency stay."""
    change = around(COMPILE, 'return original({ code: given[0].code.replace("block += p.step;", "block += p.step + (p.step & 1u);") });')
    record = probe(script=change, array=MIB, budget=0.05, sweep="yes").measured()
    assert [(error.reason, error.part) for error in record.errors] == [(Reason.INVALID, "sweep")]
    assert not record.sweep
    assert record.latency
    assert all(each.valid for each in record.kernels.values())


@pytest.mark.browser
def test_the_page_may_rerun_meanwhile(probe: Any) -> None:
    """A rerun of the page neither stops a measurement nor takes the result away afterwards."""
    found = probe(budget=2)
    found.start.click()
    expect(found.root.get_by_role("progressbar")).to_be_visible()
    found.page.get_by_role("button", name="Rerun").click()
    expect(found.root.get_by_role("progressbar")).to_be_visible()
    record = found.shown()
    found.page.get_by_role("button", name="Rerun").click()
    assert found.shown() == record or found.shown().kernels == record.kernels


@pytest.mark.browser
def test_arrays_are_halved(probe: Any) -> None:
    """A browser that is out of memory gets smaller arrays, and the record says so."""
    record = probe(script=scarce(2 * MIB), budget=0.05).measured()
    assert record.array_bytes == 2 * MIB
    assert Flag.HALVED in record.flags
    assert all(each.valid for each in record.kernels.values())


@pytest.mark.browser
def test_it_takes_no_more_memory_than_it_says(probe: Any) -> None:
    """All buffers together hold what the visitor agreed to, three arrays, and a few counters."""
    found = probe(script="window.taken = 0;" + around(MAKE, "taken += given[0].size; return original(...given);"), sweep="yes", budget=0.05)
    record = found.measured()
    assert record.memory_limit_bytes == 12 * MIB
    assert 12 * MIB <= found.page.evaluate("taken") <= 12 * MIB + 4096


@pytest.mark.browser
def test_consent_is_asked_in_the_readers_language(probe: Any) -> None:
    """Before anything is measured the page says how long it takes, how much memory, and what leaves the device; nothing has been asked of it yet."""
    found = probe(
        script="window.asked = 0;" + around("GPU.prototype.requestAdapter", "asked++; return original(...given);"),
        array=64 * MIB,
        budget=8,
    )
    consent = found.root.locator("p").first.inner_text().replace("\u202f", " ")
    assert "about 8 seconds" in consent
    assert "192 MiB" in consent
    assert "Nothing leaves the device" in consent
    assert found.page.evaluate("asked") == 0


# ---------------------------------------------------------------------------------------------------------------- failing


def failed(found: Probe, reason: Reason) -> Record:
    """The record of a measurement that has failed, of which the page says why."""
    record = found.shown()
    assert [error.reason for error in record.errors] == [reason]
    assert not record.kernels
    assert found.status() == explained(reason, extra="gpu")
    expect(found.start).to_be_enabled()  # the page stays usable
    return record


@pytest.mark.browser
@pytest.mark.parametrize(
    ("reason", "options"),
    [
        (Reason.UNSUPPORTED, {"script": "Object.defineProperty(navigator, 'gpu', { value: undefined });"}),
        (Reason.NO_ADAPTER, {"script": "GPU.prototype.requestAdapter = async () => null;"}),
        (Reason.SOFTWARE, {"software": "no"}),
        (Reason.MEMORY, {"script": scarce(MIB), "smallest": 2 * MIB}),
        (Reason.MEMORY, {"script": around(MAKE, "if (given[0].size > 1e6) throw new RangeError(); return original(...given);")}),
        (Reason.HIDDEN, {"script": HIDE}),
        (Reason.TIMEOUT, {"script": SLOW, "limit": 1}),
    ],
)
def test_a_reason_instead_of_a_figure(probe: Any, reason: Reason, options: dict[str, Any]) -> None:
    """What keeps a browser from measuring becomes a record with that reason, and its sentence stands on the page."""
    found = probe(**options)
    found.start.click()
    failed(found, reason)


@pytest.mark.browser
def test_an_insecure_page(probe: Any, visit: Visit) -> None:
    """A page over plain http from another machine is told that browsers keep their GPU to secure pages."""
    visit.expected.append(ELSEWHERE)
    found = probe(host=ELSEWHERE)
    assert found.page.evaluate("isSecureContext") is False
    found.start.click()
    failed(found, Reason.INSECURE)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("reason", "act"),
    [
        (Reason.CANCELLED, lambda found: found.root.get_by_role("button", name="Cancel").click()),
        (Reason.HIDDEN, lambda found: found.page.evaluate(HIDE)),
        (Reason.LOST, lambda found: found.page.evaluate("devices[0].destroy()")),
    ],
)
def test_stopped_in_the_middle(probe: Any, reason: Reason, act: Any) -> None:
    """Cancelled, sent to the background, or left by its device in the middle, it stops, says so, and destroys the device."""
    found = probe(script=KEEP, budget=60)
    found.start.click()
    expect(found.root.locator(".wallviz-probe-part")).to_contain_text("Bandwidth")
    act(found)
    failed(found, reason)
    assert found.page.evaluate("devices[0].lost.then((info) => info.reason)") == "destroyed"


@pytest.mark.browser
def test_leaving_the_page_ends_it(probe: Any) -> None:
    """A reader who goes to another page takes no measurement along: the device is destroyed."""
    found = probe(script=KEEP, budget=60)
    found.start.click()
    expect(found.root.locator(".wallviz-probe-part")).to_contain_text("Bandwidth")
    found.page.get_by_role("button", name="Leave").click()
    expect(found.root).to_have_count(0)
    assert found.page.evaluate("devices[0].lost.then((info) => info.reason)") == "destroyed"


@pytest.mark.browser
def test_again_after_a_failure(probe: Any) -> None:
    """After a cancelled measurement the next one gives figures."""
    found = probe(budget=2)
    found.start.click()
    found.root.get_by_role("button", name="Cancel").click()
    failed(found, Reason.CANCELLED)
    found.start.click()
    expect(found.page.get_by_test_id("stCode")).to_contain_text('"triad"', timeout=120_000)
    assert found.status() == "Measured."


# ------------------------------------------------------------------------------------------------------- hostile results


def test_the_request_is_plain_json() -> None:
    """What the script is told survives JSON unchanged."""
    for plan in (BrowserPlan(), QUICK):
        assert json.loads(json.dumps(request(plan))) == request(plan)


def answer(**changes: Any) -> dict[str, Any]:
    """What an honest browser sends, with `changes`."""
    kernels = {name: {"best_bytes_per_s": 2e11, "median_bytes_per_s": 1.9e11, "iqr": 1e9, "samples": 20, "valid": True} for name in KERNELS}
    honest = {
        "schema": SCHEMA,
        "path": "browser",
        "device": {"name": "nvidia turing", "kind": "gpu", "vendor": "nvidia", "architecture": "turing", "backend": "WebGPU", "system": "Linux"},
        "array_bytes": 256 * MIB,
        "memory_limit_bytes": 768 * MIB,
        "kernels": kernels,
        "runs": [{"engine": "wgsl", "threads": None, "array_bytes": 256 * MIB, "kernels": kernels}],
        "sweep": [{"bytes": 16384, "bytes_per_s": 1e12}],
        "latency": [{"bytes": 16384, "seconds": 3e-8, "order": "random"}],
        "timer": "timestamp-query",
        "seconds": 8.1,
        "flags": [],
        "errors": [],
    }
    return honest | changes


def nested(depth: int) -> Any:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    return deep


def damaged(**changes: Any) -> dict[str, Any]:
    """One kernel with `changes`."""
    return {"kernels": {"copy": answer()["kernels"]["copy"] | changes}}


def test_an_honest_answer_is_a_record() -> None:
    """An honest answer becomes a record; its date and version are the server's own, and what the memory could carry is not the browser's to say."""
    record = from_browser(answer(version="<9>".strip("<>"), created="1999-01-01T00:00:00+00:00", theoretical_bytes_per_s=1e12))
    assert record.headline
    assert record.headline[0] == "triad"
    assert record.theoretical_bytes_per_s is None
    assert not record.created.startswith("1999")
    assert record.version != "9"
    assert read(record.as_json()) == record


@pytest.mark.parametrize(
    "payload",
    [
        *([], "record", 7, True, {}, {"schema": SCHEMA}),
        answer(schema=SCHEMA + 1),
        answer(schema="1"),
        answer(path="cuda"),
        answer(path="cpu"),
        answer(device={"name": "x", "kind": "cpu"}),
        answer(device={"name": "<img src=x onerror=alert(1)>", "kind": "gpu"}),
        answer(device={"name": "x" * 10_000, "kind": "gpu"}),
        answer(device="x"),
        answer(timer="<script>"),
        answer(**damaged(best_bytes_per_s=float("nan"))),
        answer(**damaged(best_bytes_per_s=float("inf"))),
        answer(**damaged(best_bytes_per_s=-1.0)),
        answer(**damaged(best_bytes_per_s=1e300)),
        answer(**damaged(best_bytes_per_s=10**400)),
        answer(**damaged(best_bytes_per_s="2e11")),
        answer(**damaged(samples=1.5)),
        answer(**damaged(valid=False)),
        answer(kernels={"<b>": answer()["kernels"]["copy"]}),
        answer(kernels={"memcpy": answer()["kernels"]["copy"]}),
        answer(sweep=[{"bytes": 16384, "bytes_per_s": 1e12}] * 100_000),
        answer(sweep=[{"bytes": -1, "bytes_per_s": 1e12}]),
        answer(latency=[{"bytes": 16384, "seconds": 0.0, "order": "random"}]),
        answer(errors=[{"reason": "because"}]),
        answer(flags=["great"]),
        answer(more=nested(100_000)),
        answer(more=object()),
    ],
    ids=lambda payload: str(payload)[:40] if not isinstance(payload, dict) else "",
)
def test_hostile_answers_are_refused(payload: Any) -> None:
    """What no browser of ours sends is refused with a sentence, whatever it is."""
    with pytest.raises(InputError) as raised:
        from_browser(payload)
    assert len(str(raised.value)) < 300
    assert not set("<>") & set(str(raised.value))


@pytest.mark.browser
def test_a_hostile_answer_on_the_page(probe: Any) -> None:
    """An answer that is forged in the browser is a sentence on the page, which stays as it is."""
    replaced = "{ ...given[0], record: { ...given[0].record, timer: '<b>now</b>' } }"
    forge = around("JSON.stringify", f"return given[0]?.record ? original({replaced}) : original(...given);")
    found = probe(script=forge, software="no")
    found.start.click()
    expect(found.page.get_by_role("alert")).to_contain_text("record.timer")
    expect(found.start).to_be_enabled()


def test_every_reason_of_the_browser_has_its_words() -> None:
    """The ten reasons are those of the one list, and each has its sentence."""
    assert len(set(REASONS)) == len(REASONS) == 10
    assert all(explained(reason, extra="gpu") for reason in REASONS)
