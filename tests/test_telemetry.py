"""The telemetry of NVIDIA's GPUs as it is shown: this moment in words, the last minutes as a figure, by a stand-in for the driver."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fake_nvml import FakeGpu, module, on_a_vgpu
from wallviz import units
from wallviz.figures import panels as figures
from wallviz.figures.axes import Axis
from wallviz.figures.plane import Line
from wallviz.machine.probe import nvml
from wallviz.machine.probe.nvml import Missing, Sampler
from wallviz.machine.reasons import NotMeasured, Reason
from wallviz.rooms import machine  # noqa: F401 - the package before its parts
from wallviz.rooms.machine import telemetry as told

COOL, HOT = 0x0, 0x20


class Watched:
    """A sampler over stand-ins, whose clock goes on when it is told to."""

    def __init__(self, made: Any, sampler: Sampler, clock: list[float]) -> None:
        self.made = made
        self.sampler = sampler
        self._clock = clock

    def after(self, seconds: float) -> told.Telemetry:
        self._clock[0] += seconds
        return told.telemetry()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watched]:
    """Puts these GPUs in the place of the machine's."""

    def install(*gpus: FakeGpu, **more: Any) -> Watched:
        made = module(*gpus, **more)
        clock = [1000.0]
        sampler = Sampler(clock=lambda: clock[0])
        monkeypatch.setitem(__import__("sys").modules, "pynvml", made)
        monkeypatch.setattr(nvml, "TELEMETRY", sampler)
        return Watched(made, sampler, clock)

    return install


def panels(shown: told.Telemetry) -> dict[str, list[dict[str, Any]]]:
    """The lines of the figure by the name of their panel."""
    assert shown.answer is not None
    assert shown.answer.drawing is not None
    assert shown.answer.figure is not None  # plotly finds it valid
    spec = json.loads(shown.answer.spec)
    lines = [trace for trace in spec["data"] if trace["mode"] == "lines"]
    axes = list(dict.fromkeys(trace["yaxis"] for trace in lines))
    titles = [note["text"] for note in spec["layout"]["annotations"] if note.get("name") is None]
    assert len(titles) == len(axes)
    return {title: [trace for trace in lines if trace["yaxis"] == axis] for title, axis in zip(titles, axes, strict=True)}


def sentence(shown: told.Telemetry) -> str:
    assert shown.answer is not None
    assert len(shown.answer.sentence.split()) <= 25
    return shown.answer.sentence.replace(units.THIN, " ")


def test_the_last_minutes_are_drawn(watch: Callable[..., Watched]) -> None:
    """Clocks, power, heat and the link have a panel each and every GPU a line in it, from the first look to now."""
    watched = watch(FakeGpu(reasons=COOL), FakeGpu(reasons=COOL))
    for _second in range(5):
        shown = watched.after(1.0)
    found = panels(shown)
    assert [title.split(" (")[0] for title in found] == [
        "graphics clock",
        "memory clock",
        "power, up to its limit",
        "temperature",
        "to and from the host over PCIe",
    ]
    for lines in found.values():
        assert len(lines) == 2
        assert all(line["x"] == [-4, -3, -2, -1, 0] for line in lines)
    assert found["memory clock"][0]["y"] == [2619e6] * 5
    assert found["power, up to its limit"][1]["y"] == [pytest.approx(512.345)] * 5
    assert found["to and from the host over PCIe"][0]["y"] == [pytest.approx(1.25e6 + 48e9)] * 5
    assert shown.answer is not None
    assert sentence(shown) == "No GPU was held back by heat or power in the last 4 s."


def test_the_driver_is_asked_once_a_second_whoever_looks(watch: Callable[..., Watched]) -> None:
    """Drawing asks the shared sampler, and however many draw, the driver answers once a second."""
    watched = watch(FakeGpu(), FakeGpu())
    for _look in range(50):
        watched.after(0.1)
    assert watched.made.calls["nvmlDeviceGetPowerUsage"] <= 2 * 6
    assert watched.made.calls["nvmlInit"] == 1


def test_what_holds_a_gpu_back_is_marked(watch: Callable[..., Watched]) -> None:
    """Moments in which heat or power held a GPU back have a mark and their reason, and the sentence names the GPU; rest is no such moment."""
    hot, idle = FakeGpu(reasons=COOL), FakeGpu(reasons=0x1)
    watched = watch(idle, hot)
    watched.after(1.0)
    hot.reasons = HOT
    shown = watched.after(1.0)
    assert shown.answer is not None
    marks = [trace for trace in json.loads(shown.answer.spec)["data"] if trace["mode"] == "markers"]
    assert [trace["x"] for trace in marks] == [[0]]
    line = next(lines for title, lines in panels(shown).items() if title.startswith("graphics clock"))[1]
    assert "too hot" in line["customdata"][-1][2]
    assert "too hot" not in line["customdata"][0][2]
    hot.reasons = HOT | 0x4
    row = next(row for row in watched.after(1.0).rows if row["what"] == "what decides the clocks")
    assert row["GPU 1"] == f"{nvml.Throttle.POWER_CAP.sentence} {nvml.Throttle.HEAT.sentence}"
    assert sentence(shown) == "Held back by heat or power in the last 1 s: GPU 1."


def test_many_gpus_are_counted(watch: Callable[..., Watched]) -> None:
    """With eight GPUs the sentence counts them and stays short, and a panel names the highest and the lowest alone."""
    watched = watch(*[FakeGpu(reasons=HOT, milliwatts=400_000 + 10_000 * i) for i in range(8)])
    watched.after(1.0)
    shown = watched.after(1.0)
    assert shown.answer is not None
    assert sentence(shown) == "Held back by heat or power in the last 1 s: 8 of 8 GPUs."
    spec = json.loads(shown.answer.spec)
    names = [note for note in spec["layout"]["annotations"] if note.get("name") == "gpu"]
    power = [note["text"] for note in names if note["yref"] == "y3"]
    assert [text[-5:] for text in power] == ["GPU 0", "GPU 7"]
    assert max(map(len, spec["layout"]["annotations"])) < 20
    assert len(names) <= 2 * 5


def test_one_gpu_that_fails_leaves_the_others(watch: Callable[..., Watched]) -> None:
    """A GPU without an answer has a reason and no line to be seen; the others are drawn."""
    watched = watch(
        FakeGpu(), FakeGpu(errors={"nvmlDeviceGetHandleByIndex": "GpuIsLost"}), FakeGpu(errors={"nvmlDeviceGetPowerUsage": "NotSupported"})
    )
    watched.after(1.0)
    shown = watched.after(1.0)
    found = panels(shown)
    assert [line["y"] for line in found["temperature"]] == [[61, 61], [None, None], [61, 61]]
    assert [line["y"] for line in found["power, up to its limit"]][2] == [None, None]
    assert shown.remarks == [f"GPU 1: {Missing.GPU_IS_LOST.sentence}", f"GPU 2: {Missing.NOT_SUPPORTED.sentence}"]
    assert next(row for row in shown.rows if row["what"] == "power") == {"what": "power", "GPU 0": "512 of 700 W", "GPU 1": "–", "GPU 2": "–"}


@pytest.mark.parametrize("answered", range(12))
def test_lost_in_mid_read(watch: Callable[..., Watched], answered: int) -> None:
    """A GPU that goes at any question of a sample keeps what it had said before, its line ends there, and nothing fails."""
    going = FakeGpu(reasons=COOL)
    watched = watch(FakeGpu(reasons=COOL), going)
    watched.after(1.0)
    going.lost_after = answered
    shown = watched.after(1.0)
    assert any(Missing.GPU_IS_LOST.sentence in remark for remark in shown.remarks)
    assert [line["y"][0] for line in panels(shown)["temperature"]] == [61, 61]
    shown = watched.after(1.0)
    assert [line["y"][-1] for line in panels(shown)["temperature"]] == [61, None]


def test_a_gap_where_nobody_looked(watch: Callable[..., Watched]) -> None:
    """A line does not cross the time in which nobody looked, and what is older than the figure is not drawn."""
    watched = watch(FakeGpu())
    watched.after(1.0)
    watched.after(1.0)
    shown = watched.after(60.0)
    (line,) = panels(shown)["temperature"]
    assert line["x"] == [-61, -60, -60, 0]
    assert line["y"] == [61, 61, None, 61]
    assert line["connectgaps"] is False
    assert panels(watched.after(told.SPAN_S + 1))["temperature"][0]["x"] == [0]


def test_what_no_gpu_tells_has_no_panel(watch: Callable[..., Watched]) -> None:
    """A part of a GPU in a virtual machine tells none of it: no figure, and the table with its reasons remains."""
    shown = watch(on_a_vgpu()).after(1.0)
    assert shown.answer is None
    assert shown.rows
    assert shown.remarks


def test_a_driver_without_reasons_says_so(watch: Callable[..., Watched]) -> None:
    """Where the driver does not tell what decides the clocks, the sentence does not say that nothing did."""
    unsaid = {f"nvmlDeviceGetCurrentClocks{name}Reasons": "NotSupported" for name in ("Event", "Throttle")}
    shown = watch(FakeGpu(errors=unsaid)).after(1.0)
    assert shown.answer is not None
    assert sentence(shown) == "The driver does not tell what decides the clocks."


def test_zero_everywhere_is_drawn(watch: Callable[..., Watched]) -> None:
    """A GPU at rest whose every figure is 0 is drawn on axes that exist."""
    shown = watch(FakeGpu(clocks={0: 0, 1: 0, 2: 405, 3: 0}, milliwatts=0, limit_milliwatts=0, kilobytes=(0, 0), temperature=0)).after(1.0)
    assert shown.answer is not None
    layout = json.loads(shown.answer.spec)["layout"]
    assert all(axis["range"][1] > 0 for name, axis in layout.items() if name.startswith("yaxis"))


def test_nothing_that_names_a_device_is_shown(watch: Callable[..., Watched]) -> None:
    """Neither serial numbers nor UUIDs nor processes are asked of the driver."""
    watched = watch(FakeGpu())
    watched.after(1.0)
    assert not [name for name in watched.made.calls if any(word in name.lower() for word in ("serial", "uuid", "process"))]


def test_the_rows_are_what_is_drawn(watch: Callable[..., Watched]) -> None:
    """The table behind the figure holds every moment of every GPU in base units."""
    watched = watch(FakeGpu(reasons=HOT), FakeGpu())
    watched.after(1.0)
    shown = watched.after(1.0)
    assert shown.answer is not None
    rows = shown.answer.table
    assert [(row["seconds"], row["gpu"]) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert rows[0]["power_limit_w"] == 700
    assert rows[0]["throttle_reasons"] == "heat"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"init": "LibraryNotFound"}, Reason.NO_DRIVER),
        ({"init": "DriverNotLoaded"}, Reason.NO_DRIVER),
        ({"init": "LibRmVersionMismatch"}, Reason.NO_DRIVER),
        ({"count": "GpuIsLost"}, Reason.LOST),
        ({}, Reason.NO_DEVICE),
    ],
)
def test_without_a_gpu_there_is_a_reason(watch: Callable[..., Watched], more: dict[str, str], reason: Reason) -> None:
    """Without a driver, or without a GPU, there is one reason with a sentence."""
    with pytest.raises(NotMeasured) as raised:
        watch(**more).after(1.0)
    assert raised.value.reason is reason
    assert len(str(raised.value).split(". ")) >= 2


def test_a_name_is_no_markup() -> None:
    """What a label holds is drawn as text."""
    panel = figures.Panel("<b>x</b>", (Line("compute", "<i>GPU</i>", [0.0], [1.0], ["<s>"]),) * 2, 1.0, "1")
    spec = figures.panels([panel], across=Axis("", str, log=False, low=-60, high=1, lines=(0.0,)), revision="x").spec
    assert "<i>" not in spec
    assert "<s>" not in spec
    assert "<b>x" not in spec
