"""The machine page: consent, a measurement that is only played, records that are opened and compared, and nothing that a hostile one can do."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests import fake_nvml
from tests.conftest import PATIENCE_S
from wallviz import catalog
from wallviz.errors import InputError
from wallviz.job import Job
from wallviz.machine import promised
from wallviz.machine.as_chip import reach_bytes
from wallviz.machine.probe import cpu, nvml
from wallviz.machine.reasons import Flag, NotMeasured, Reason
from wallviz.machine.record import Cache, Device, KernelRun, Latency, Measured, Record, Stair, blank, read
from wallviz.rooms import machine, roofline
from wallviz.rooms.machine import consent, formula, speed, tables
from wallviz.rooms.machine.choices import FIGURES, MOST_BESIDE
from wallviz.rooms.machine.published import published_machines
from wallviz.ui import machine as bench
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).parent.parent
MIB = 2**20
DRAWERS = ("why", "sure", "settings")


def rates(best: float) -> Measured:
    return Measured(best, best * 0.95, best * 0.01, 20, valid=True)


CPU = Record(
    "cpu",
    Device("A CPU", processors=2, system="Linux", memory_bytes=32 * 2**30, caches=(Cache(1, 32768, 1), Cache(2, MIB, 1), Cache(3, 32 * MIB, 2))),
    created="2026-01-02T03:04:05+00:00",
    kernels={"read": rates(60e9), "copy": rates(66e9), "add": rates(68e9)},
    threads=2,
    runs=(KernelRun("numpy", 2, 128 * MIB, {"add": rates(68e9)}),),
    sweep=(Stair(16384, 200e9), Stair(MIB, 110e9), Stair(32 * MIB, 80e9), Stair(256 * MIB, 34e9)),
    sweep_threads=1,
    latency=(Latency(16384, 1.4e-9), Latency(256 * MIB, 165e-9), Latency(256 * MIB, 90e-9, "page")),
    array_bytes=128 * MIB,
    memory_limit_bytes=480 * MIB,
    seconds=9.0,
)
GPU = Record(
    "cuda",
    Device("NVIDIA GeForce RTX 2070", kind="gpu", vendor="NVIDIA", memory_bytes=8 * 2**30, memory_clock_hz=7001e6, bus_bits=256),
    created="2026-01-03T03:04:05+00:00",
    theoretical_bytes_per_s=448e9,
    theoretical_source="driver",
    kernels={"copy": rates(400e9), "triad": rates(418e9)},
    transfers={"h2d_pinned": Measured(12e9, 12e9, 1e8, 10, valid=None), "d2d": rates(390e9)},
    sweep=(Stair(MIB, 1.2e12), Stair(256 * MIB, 410e9)),
    array_bytes=256 * MIB,
)
BAD = [
    "{",
    "[]",
    "9" * 5000,
    json.dumps(CPU.as_dict() | {"schema": 99}),
    json.dumps(CPU.as_dict() | {"seconds": -1}),
    CPU.as_json().replace("68000000000.0", "NaN"),
    CPU.as_json().replace("A CPU", "<script>alert(1)</script>"),
    "x" * 1_000_001,
]


class Played:
    """Stands in for a measurement: ends when it is told to."""

    record: Record = CPU
    started: list[tuple[str, int]] = []  # noqa: RUF012 - the tests' own record of what was asked for
    over = False

    def __init__(self, path: str = "cpu", *, index: int = 0) -> None:
        self.started.append((path, index))
        self.progress = (0.42, "sweep")

    @property
    def done(self) -> bool:
        return type(self).over

    def result(self) -> Record:
        return type(self).record

    def cancel(self) -> None:
        type(self).record, type(self).over = blank("cpu", Reason.CANCELLED), True


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> type[Played]:
    """No test measures, asks a driver, or depends on this machine."""
    Played.record, Played.over = CPU, False
    Played.started.clear()
    monkeypatch.setattr(bench, "Measurement", Played)
    monkeypatch.setattr(
        cpu, "plan", lambda: cpu.CpuPlan(2, 128 * MIB, 128 * MIB, halved=False, ceiling_bytes=480 * MIB, budget_s=8.0, engines=("numpy",))
    )
    monkeypatch.setattr(consent, "find_spec", lambda _name: None)
    monkeypatch.delenv(consent.VARIABLE, raising=False)
    return Played


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that may measure itself."""
    monkeypatch.setattr(bench, "refused", lambda: "")


def open_page(*, drawers: tuple[str, ...] = (), mine: Record | None = None, opened: tuple[Record, ...] = (), **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.switch_page(ROOMS["machine"].file)
    for name, value in query.items():
        app.query_params[name] = value
    for name in drawers:
        app.session_state[f"machine_drawer_{name}"] = True
    app.session_state["_machine"] = bench.Bench(mine=mine, opened=opened)
    return app.run()


def takeaway(app: AppTest) -> str:
    (sentence,) = [m.value.removeprefix("#### ") for m in app.markdown if m.value.startswith("#### ")]
    return sentence.replace("\u202f", " ").replace("\\", "")


def said(app: AppTest) -> str:
    """Every sentence of the page, without Markdown's escapes."""
    kinds = (app.markdown, app.info, app.warning, app.error, app.caption)
    return "\n".join(element.value for elements in kinds for element in elements).replace("\\", "").replace("\u202f", " ").replace("\u2060", "")


def sentence(record: Record | None, show: str = "staircase", **case: Any) -> str:
    return machine.answer(Job(**case), machine.View(show=show), record).sentence.replace("\u202f", " ")


# -- what is said -------------------------------------------------------------------------------------------------------------


def test_the_sentence_says_the_rate_and_what_it_means() -> None:
    """68 GB/s cannot write more than 4.2 tokens/s of an 8B model; 418 of 448 GB/s are 93 % and 26 tokens/s."""
    assert sentence(CPU) == "This machine moves 68.0 GB/s: about 4.2 tokens/s at most with Llama 3.1 8B (BF16), whatever its FLOP/s."
    assert sentence(GPU) == "This machine moves 418 GB/s, 93% of 448 GB/s: about 26 tokens/s at most with Llama 3.1 8B (BF16), whatever its FLOP/s."


@pytest.mark.parametrize(
    ("median", "flags", "trust"),
    [
        (0.95, (), "green"),
        (0.91, (Flag.NUMPY_ONLY,), "green"),
        (0.89, (), "orange"),
        (0.95, (Flag.OTHERS_BUSY,), "orange"),
        (0.51, (), "orange"),
        (0.49, (), "red"),
        (0.49, (Flag.BIMODAL,), "red"),
    ],
)
def test_the_badge_says_how_far_the_median_lies_below_the_best(median: float, flags: tuple[Flag, ...], trust: str) -> None:
    """Green within a tenth where nothing disturbed the measurement, orange within a half, red beyond."""
    record = replace(CPU, kernels={"add": Measured(100e9, median * 100e9, 1e9, 20, valid=True)}, flags=tuple(flag.value for flag in flags))
    found = machine.answer(Job(), machine.View(), record)
    assert (found.trust, found.sure) == (trust, f"best of 20, median {100 - 100 * median:.0f}% lower")


def test_the_bound_is_that_of_reading_where_reading_is_faster() -> None:
    """Decoding reads weights: a machine that reads faster than it copies may write more tokens."""
    fast = replace(CPU, kernels=CPU.kernels | {"read": rates(80.3e9)})
    assert "5.0 tokens/s" in sentence(fast)
    assert "80.3 GB/s" in formula.why(Job(), fast).replace("\u202f", " ")
    step = roofline.workload(Job(), roofline.View()).main
    assert speed.tokens_per_s(Job(), step.roof.bytes_per_s) == pytest.approx(float(step.tokens_per_s))


@pytest.mark.parametrize("record", [None, CPU, GPU], ids=["none", "cpu", "gpu"])
@pytest.mark.parametrize("show", FIGURES)
def test_every_figure_has_its_answer(show: str, record: Record | None) -> None:
    """With a record and without, every figure draws under a sentence of at most 25 words, with rows and words behind it."""
    found = machine.answer(Job(), machine.View(show=show), record, CPU if record is GPU else None)
    assert found.figure is not None
    assert 0 < len(found.sentence.split()) <= 25
    assert found.table
    assert found.why
    assert found.how_sure
    assert set(found.sources) <= set(catalog.sources())


def test_the_formula_shows_the_readers_numbers() -> None:
    """Why: bandwidth over weights, and clock times width where that is what the memory promises."""
    why = formula.why(Job(), GPU).replace("\u202f", " ")
    assert "418 GB/s / 16.1 GB = 26.0 tokens/s" in why
    assert "2 × 7,001 MHz × 256 bits / 8 = 448 GB/s" in why
    assert "MHz" not in formula.why(Job(), replace(GPU, theoretical_bytes_per_s=300e9, theoretical_source="data_sheet"))


def test_levels_stand_beside_the_staircase() -> None:
    """The lines of H100, A100, MI300X and an EPYC fall at their capacities to their published bandwidth; caches of the machine are marked."""
    drawn = machine.answer(Job(), machine.View(), CPU).drawing
    assert drawn is not None
    names = [trace["customdata"][0][1] for trace in drawn.data]
    assert names == ["this machine", "H100 SXM5 80GB", "A100 80GB", "MI300X", "AMD EPYC Zen 5", "add, 2 threads"]
    h100 = drawn.data[1]
    assert h100["y"][-1] == 3.352e12
    assert 52_428_800.0 in h100["x"]
    marked = [shape["x0"] for shape in drawn.layout["shapes"]]
    assert marked == [32768.0, MIB, 32.0 * MIB]


def test_a_cache_counts_every_instance_that_the_threads_reach() -> None:
    """Four threads on caches that two share reach two of them; what is not known counts once."""
    assert reach_bytes(Cache(2, MIB, 2), 4) == 2 * MIB
    assert reach_bytes(Cache(2, MIB, None), 4) == reach_bytes(Cache(2, MIB, 2), None) == MIB


def test_shares_are_measured_over_promised() -> None:
    """A published share is a measured bandwidth over that of the data sheet; a derived one has none."""
    assert published_machines()["a100-80gb"].share == pytest.approx(1759e9 / 2039e9, rel=0.01)
    assert published_machines()["h100-sxm5-80gb"].share is None
    assert "reaches 93% of what its memory promises" in sentence(GPU, "share")


def test_kernels_stand_against_the_promise_and_other_machines() -> None:
    """Bars of the device's memory carry an open mark at its promise, transfers over PCIe do not; the range of published machines is shaded."""
    drawn = machine.answer(Job(), machine.View(show="kernels"), GPU).drawing
    assert drawn is not None
    bars, marks = drawn.data
    assert [row[1] for row in bars["customdata"]] == ["copy", "triad", "copy engine", "host to device, pinned"]
    assert marks["x"] == [448e9] * 3
    assert set(marks["marker"]["symbol"]) == {"diamond-open"}
    (band,) = drawn.layout["shapes"]
    assert (band["x0"], band["x1"]) == (pytest.approx(0.6675 * 448e9, rel=1e-3), pytest.approx(0.92 * 448e9))


def test_a_software_adapter_stands_among_no_gpus() -> None:
    """A GPU that a program imitates is said to be one, beside processors alone."""
    soft = replace(GPU, path="wgpu", device=Device("llvmpipe", kind="software"), theoretical_bytes_per_s=None, flags=(Flag.SOFTWARE.value,))
    found = machine.answer(Job(), machine.View(), soft)
    assert found.drawing is not None
    assert not [trace for trace in found.drawing.data if "H100" in trace["customdata"][0][1]]
    assert any("imitated" in line for line in found.problems)


@pytest.mark.parametrize("show", FIGURES)
def test_a_record_of_extremes_is_drawn(show: str) -> None:
    """Whatever `read` lets through is drawn: sizes and rates at the ends of their ranges, two hundred kernels, nothing but a name."""
    wild = replace(
        CPU,
        device=Device("", kind="software", memory_bytes=1, caches=tuple(Cache(8, 10**16, 1) for _ in range(200))),
        kernels={f"k{i}": rates(1e17) for i in range(199)} | {"add": Measured(1.0, 1.0, 0.0, 1, valid=True)},
        theoretical_bytes_per_s=1.0,
        sweep=(Stair(10**16, 1e17), Stair(1, 1.0)),
        latency=(Latency(10**16, 1.0), Latency(1, 1e-12)),
        flags=tuple(flag.value for flag in Flag),
    )
    bare = Record("browser", Device("", kind="software"), kernels={"copy": rates(1e9)})
    for record in (wild, bare, replace(bare, kernels={"read": rates(1e9)}, errors=())):
        found = machine.answer(Job(), machine.View(show=show, beside=("h100-sxm5-80gb",)), read(record.as_json()), bare, opened=True)
        assert found.figure is not None
        assert found.problems
        assert tables.samples(record)
        assert tables.facts(record)


def test_numpys_limits_are_stated_at_the_chart() -> None:
    """A record of numpy alone says under its figure what numpy hides."""
    assert "numpy" in machine.answer(Job(), machine.View(), replace(CPU, flags=(Flag.NUMPY_ONLY.value,))).caption


def test_what_does_not_fit_is_said() -> None:
    """An 8B model in bf16 needs 16 GB, which an 8 GiB card does not have."""
    assert any("does not fit" in line for line in machine.answer(Job(), machine.View(), GPU).problems)
    assert not machine.answer(Job(), machine.View(), CPU).problems


def test_a_record_without_figures_is_a_reason() -> None:
    """A measurement that failed leaves the published machines, and says why."""
    found = machine.answer(Job(), machine.View(), blank("cpu", Reason.TIMEOUT))
    assert found.drawing is not None
    assert "time limit" in found.problems[0]


@pytest.mark.parametrize("beside", [("nope",), ("<script>",), tuple(f"m{i}" for i in range(50)), tuple(published_machines())])
def test_machines_that_do_not_exist_are_a_sentence(beside: tuple[str, ...]) -> None:
    """Names that nobody published, and more than one figure can hold, are answered with a sentence."""
    assert len(published_machines()) > MOST_BESIDE
    found = machine.answer(Job(), machine.View(beside=beside), CPU)
    assert found.drawing is None
    assert found.sentence


def test_every_number_has_its_command() -> None:
    """A CPU's numbers are confirmed by STREAM and the system's tools, an NVIDIA GPU's by nvidia-smi and nvbandwidth, others' by what there is."""
    cpus = " ".join(str(row["command"]) for row in machine.commands(CPU))
    gpus = " ".join(str(row["command"]) for row in machine.commands(GPU))
    assert "DSTREAM_ARRAY_SIZE=16777216" in cpus
    assert "lscpu -C" in cpus
    assert "nvidia-smi -i 0 --query-gpu=clocks.max.memory" in gpus
    assert "nvbandwidth" in gpus
    assert machine.commands(replace(GPU, path="browser", device=Device("Apple", kind="gpu", vendor="apple")))
    assert not machine.commands(None)


def test_the_earlier_record_is_compared_with_the_later_one() -> None:
    """Records are set side by side in the order in which they were made, with or without a time zone."""
    then = replace(CPU, created="2025-12-31T00:00:00", kernels={"add": rates(34e9)})
    assert machine.in_time([CPU, then]) == (then, CPU)
    said, rows = machine.compared(then, CPU)
    assert "2.00×" in said
    assert {"add", "copy", "read"} <= {row["what"] for row in rows}
    assert len(rows) == 3 + len(CPU.sweep) + 2


# -- the page --------------------------------------------------------------------------------------------------------------------


def test_the_page_is_never_empty() -> None:
    """Without a record, published machines are drawn under a question."""
    app = open_page()
    assert not app.exception
    assert takeaway(app).endswith("How fast is yours?")
    assert len(app.get("plotly_chart")) == 1


@pytest.mark.parametrize("show", FIGURES)
@pytest.mark.parametrize("record", [None, CPU, GPU], ids=["none", "cpu", "gpu"])
def test_every_figure_opens_with_every_drawer(show: str, record: Record | None) -> None:
    """Each figure stands over its drawers, all open, without an exception."""
    app = open_page(drawers=DRAWERS, mine=record, show=show)
    assert not app.exception
    assert takeaway(app)
    assert len(app.get("plotly_chart")) == 1


def test_a_hosted_page_measures_nothing_and_says_why() -> None:
    """Where the variable is not set there is no button, but a sentence and the browser's GPU."""
    app = open_page()
    assert not [button for button in app.button if button.key == "machine_measure"]
    assert "wallviz run --host 127.0.0.1" in said(app)


@pytest.mark.parametrize(
    ("address", "value", "allowed"),
    [
        ("127.0.0.1", "1", True),
        ("localhost", "1", True),
        ("::1", "1", True),
        ("0.0.0.0", "1", False),
        (None, "1", False),
        ("", "1", False),
        ("127.0.0.1", "0", False),
        ("127.0.0.1", "yes", False),
        ("127.0.0.1", None, False),
        ("127.0.0.1.example.org", "1", False),
    ],
)
def test_the_server_is_measured_only_on_loopback_and_on_request(address: str | None, value: str | None, allowed: bool) -> None:
    """Both are needed: the variable, set to 1, and a server that only this machine reaches."""
    assert (consent.refused(address, {} if value is None else {consent.VARIABLE: value}) == "") is allowed


def test_a_start_that_is_not_allowed_starts_nothing(played: type[Played], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends the button's message to a hosted page measures nothing."""
    monkeypatch.setattr(bench, "bench", bench.Bench)
    bench.start("cpu", 0)
    assert not played.started


@pytest.mark.usefixtures("local")
def test_consent_says_how_long_and_how_much(played: type[Played]) -> None:
    """Before anything is measured the page says what, how long and how much memory; nothing starts by itself."""
    app = open_page()
    assert "About 10 seconds, at most 480 MiB of memory" in said(app)
    assert [button.label for button in app.button if button.key == "machine_measure"] == ["Measure this computer"]
    assert not played.started


@pytest.mark.usefixtures("local")
def test_too_little_memory_is_a_sentence_and_no_button(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the smallest test does not fit, the button cannot be pressed."""

    def refuse() -> cpu.CpuPlan:
        raise NotMeasured(Reason.MEMORY)

    monkeypatch.setattr(cpu, "plan", refuse)
    app = open_page()
    assert "not enough free memory" in said(app)
    assert app.button(key="machine_measure").disabled


@pytest.mark.usefixtures("local")
def test_one_press_measures_and_answers(played: type[Played]) -> None:
    """A press starts one measurement; its progress shows; when it ends, its record is the page's."""
    app = open_page()
    app.button(key="machine_measure").click().run()
    assert played.started == [("cpu", 0)]
    assert app.button(key="machine_cancel")
    assert takeaway(app).endswith("How fast is yours?")
    played.over = True
    app.run()
    assert not app.exception
    assert takeaway(app).startswith("This machine moves 68.0 GB/s")
    assert app.button(key="machine_measure").label == "Measure again"
    assert "created" not in app.query_params


@pytest.mark.usefixtures("local")
def test_cancel_leaves_the_page_as_it_was(played: type[Played]) -> None:
    """A cancelled measurement keeps the record of before, and says that it was cancelled."""
    app = open_page(mine=GPU)
    app.button(key="machine_measure").click().run()
    app.button(key="machine_cancel").click().run()
    assert takeaway(app).startswith("This machine moves 418 GB/s")
    assert "was cancelled" in said(app)
    assert app.button(key="machine_measure")


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("reason", [Reason.BUSY, Reason.LOST, Reason.TIMEOUT])
def test_a_measurement_that_failed_leaves_a_usable_page(played: type[Played], reason: Reason) -> None:
    """Busy, killed or too slow: the reason stands there, the example machines too, and the button is back."""
    app = open_page()
    app.button(key="machine_measure").click().run()
    played.record, played.over = blank("cpu", reason, "![x](http://example.org/x.png)"), True
    app.run()
    assert not app.exception
    assert reason.sentence in said(app)
    assert not [element.value for element in app.warning if "![x](" in element.value]
    assert not app.button(key="machine_measure").disabled


@pytest.mark.usefixtures("local")
def test_gpus_are_offered_where_their_packages_are(played: type[Played], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a GPU package installed its path and number can be chosen; without one only the CPU is there."""
    assert list(consent.paths()) == ["cpu"]
    monkeypatch.setattr(consent, "find_spec", lambda name: name == "wgpu" or None)
    app = open_page()
    app.button_group(key="machine_path").set_value("wgpu").run()
    app.number_input(key="machine_gpu").set_value(1).run()
    assert "free memory" in said(app)
    app.button(key="machine_measure").click().run()
    assert played.started == [("wgpu", 1)]


def test_a_record_that_is_opened_becomes_the_answer() -> None:
    """A file from another machine is drawn; a second one stands beside it, earlier against later."""
    app = open_page(drawers=("settings",))
    app.file_uploader(key="machine_files").upload("a.json", CPU.as_json().encode(), "application/json").run()
    assert takeaway(app).startswith("This machine moves 68.0 GB/s")
    assert "A record that was opened: A CPU, cpu" in said(app)
    app.file_uploader(key="machine_files").set_value(
        [("a.json", CPU.as_json().encode(), "application/json"), ("b.json", GPU.as_json().encode(), "application/json")]
    ).run()
    assert not app.exception
    assert takeaway(app).startswith("This machine moves 418 GB/s")
    assert "The later record (B) moves 418 GB/s, the earlier one (A) 68.0 GB/s" in said(app)


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_hostile_record_is_refused_with_a_sentence(text: str) -> None:
    """What is no record, or lies out of range, is refused; the page keeps what it had."""
    app = open_page(drawers=("settings",), mine=GPU)
    app.file_uploader(key="machine_files").upload("<b>x</b>.json", text.encode(), "application/json").run()
    assert not app.exception
    assert len(app.error) == 1
    assert "<script" not in app.error[0].value
    assert takeaway(app).startswith("This machine moves 418 GB/s")


def test_a_records_words_are_shown_as_they_are() -> None:
    """A name that would be an image, a link or a formula in Markdown is text on the page."""
    evil = "![x](http://example.org/x.png) [y](http://example.org) $a$ www.example.org"
    record = replace(CPU, device=replace(CPU.device, name=evil), runs=(KernelRun(evil, 2, None, {"`k`": rates(1e9)}),))
    app = open_page(drawers=("sure", "settings"), mine=record, opened=(GPU,))
    assert not app.exception
    assert not [element.value for element in app.markdown if "![x](" in element.value or "](http://example" in element.value]
    drawn = machine.answer(Job(), machine.View(), record).drawing
    assert drawn is not None
    assert "example.org" not in drawn.spec


def test_records_can_be_forgotten() -> None:
    """One button takes the records away, and the page shows published machines again."""
    app = open_page(drawers=("settings",), mine=CPU, opened=(GPU,))
    app.button(key="machine_forget").click().run()
    assert takeaway(app).endswith("How fast is yours?")


def test_a_browsers_record_becomes_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the visitor's browser measured is taken once, however often it is sent; what is no record is a sentence."""
    record = replace(GPU, path="browser", theoretical_bytes_per_s=None)
    monkeypatch.setattr(bench, "browser_probe", lambda: replace(record, created="2026-05-05T00:00:00+00:00"))
    app = open_page(drawers=("settings",))
    assert takeaway(app).startswith("This machine moves 418 GB/s")
    app.session_state["_machine"].mine = CPU
    app.run()
    assert takeaway(app).startswith("This machine moves 68.0 GB/s")

    def hostile() -> Record:
        raise InputError("what the browser sent is not a record: measure again")

    monkeypatch.setattr(bench, "browser_probe", hostile)
    assert "not a record" in said(open_page(drawers=("settings",)))


@pytest.mark.usefixtures("local")
def test_telemetry_tells_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks, what holds them back, heat and power of each GPU stand side by side; where there is no driver, the reason."""
    hot = nvml.Sample(0, 1.98e9, 2.619e9, (nvml.Throttle.HEAT,), 91.0, 690.0, 700.0, 1.0, 0.8, 2**30, 80 * 2**30, 1e9, 2e9, 5, 16)
    lost = nvml.Sample(1, missing={"": nvml.Missing.GPU_IS_LOST})
    monkeypatch.setattr(nvml.TELEMETRY, "latest", lambda: (hot, lost))
    app = open_page(drawers=("settings",))
    assert not app.exception
    text = app.table[0].value.to_string().replace("\\", "").replace("\u202f", " ")
    assert all(each in text for each in ("1.98 GHz", "690 of 700 W", "91 °C", "PCIe 5 x16", "too hot"))
    assert "fell off the bus" in said(app)
    assert any("nvidia-smi" in code.value for code in app.code)

    def none() -> tuple[nvml.Sample, ...]:
        raise NotMeasured(Reason.NO_DRIVER)

    monkeypatch.setattr(nvml.TELEMETRY, "latest", none)
    assert "driver is not installed" in said(open_page(drawers=("settings",)))


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("gpus", [1, 3])
def test_telemetry_draws_the_last_minutes(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    """The drawer shows the table and the figure of the last minutes with its takeaway, one GPU failing or not, and asks the shared sampler alone."""
    made = fake_nvml.module(*[fake_nvml.FakeGpu(reasons=0x20) for _ in range(gpus - 1)], fake_nvml.FakeGpu(lost_after=9, reasons=0x20))
    clock = [0.0]
    sampler = nvml.Sampler(clock=lambda: clock[0])
    monkeypatch.setitem(sys.modules, "pynvml", made)
    monkeypatch.setattr(nvml, "TELEMETRY", sampler)
    app = open_page(drawers=("settings",))
    clock[0] = 1.0
    app.run()
    assert not app.exception
    assert "Held back by heat or power in the last 1 s: GPU 0" in said(app)
    assert "fell off the bus" in said(app)
    assert app.table
    assert made.calls["nvmlDeviceGetCount"] == 2


@pytest.mark.usefixtures("local")
def test_telemetry_without_a_gpu_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server may be measured and has no NVIDIA driver, or no such GPU, or not the package, the drawer says so in a sentence."""
    for module, sentence in (
        (fake_nvml.module(init="LibraryNotFound"), "driver is not installed"),
        (fake_nvml.module(), "no such device is visible"),
        (None, "wallviz[nvidia]"),
    ):
        monkeypatch.setitem(sys.modules, "pynvml", module)
        monkeypatch.setattr(nvml, "TELEMETRY", nvml.Sampler())
        app = open_page(drawers=("settings",))
        assert not app.exception
        assert sentence in said(app)
        assert not app.table


def test_a_hosted_page_asks_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server may not be measured its GPUs are not asked."""
    monkeypatch.setattr(nvml.TELEMETRY, "latest", lambda: pytest.fail("asked"))
    assert not open_page(drawers=("settings",)).exception


@pytest.mark.parametrize(
    "query",
    [
        {"show": "<script>"},
        {"beside": "nope"},
        {"beside": "x" * 3000},
        {"model": "../../etc"},
        {"record": "{}"},
        {"show": "kernels", "beside": ",,,"},
    ],
)
def test_a_hostile_link_gets_a_sentence(query: dict[str, str]) -> None:
    """No address makes an exception, and none carries a record."""
    app = open_page(**query)
    assert not app.exception
    assert takeaway(app)
    assert "[](" not in takeaway(app)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("2 x DDR5-5600", 89.6e9),
        ("2xddr4-3200", 51.2e9),
        ("12 × DDR5-6000", 576e9),
        ("4 x LPDDR5X-8533", 273.056e9),
        ("448 GB/s", 448e9),
        ("3.35 TB/s", 3.35e12),
        ("h100-sxm5", 3.35e12),
        ("", 0.0),
    ],
)
def test_a_promise_is_modules_a_card_or_a_rate(text: str, rate: float) -> None:
    """Channels times transfers times eight bytes, the data sheet of a card, or a rate: what no driver states, the reader may say."""
    assert promised.bytes_per_s(text, catalog.chips()) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["fast", "0 x DDR5-5600", "2 x DDR5", "-3 GB/s", "0 GB/s", "1e9 GB/s", "nan GB/s", "<b>", "9" * 500, "own.abc"])
def test_another_promise_is_one_sentence_and_nothing_is_lost(text: str) -> None:
    """What promises nothing is said over the figure, which stays."""
    with pytest.raises(InputError, match="promises no bandwidth"):
        promised.bytes_per_s(text, catalog.chips())
    found = machine.answer(Job(), machine.View(promised=text), CPU)
    assert "promises no bandwidth" in found.problems[0]
    assert found.drawing is not None


def test_with_a_promise_the_sentence_has_the_share() -> None:
    """The reader's modules give the share of what is promised, and how it comes about."""
    found = machine.answer(Job(), machine.View(promised="2 x DDR5-5600"), CPU)
    assert "% of" in found.sentence
    assert "2 channels × 5600 MT/s × 8 bytes" in found.why
