"""NVIDIA's GPUs in the last minutes, in words and as one figure: clocks, what holds them back, heat, power, the link; a column for each GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from wallviz import units
from wallviz.figures.axes import Axis
from wallviz.figures.panels import Panel, panels
from wallviz.figures.plane import Dot, Line
from wallviz.figures.style import DASHES
from wallviz.i18n import N_, _, followed, labelled, listing, qualified
from wallviz.machine.probe import nvml
from wallviz.machine.probe.nvml import Moment, Sample
from wallviz.rooms import Answer

FIELDS = ("graphics_clock_hz", "throttles", "temperature_c", "power_w", "pcie_generation", "memory_used_bytes")
"""Fields whose commands are shown."""
SPAN_S = 180.0
"""What the figure shows: so many seconds, to now."""
GAP_S = 3.0
"""Seconds without a sample that leave a gap in a line: nobody looked."""
MOST_NAMED = 4
"""GPUs that the sentence names; more are counted."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What is shown once a second: a row for each quantity, `remarks` on what the driver did not tell, the figure with its takeaway, and the
    `commands` that show the same. `answer` is None where no GPU tells anything that can be drawn."""

    rows: list[dict[str, str]]
    remarks: list[str]
    commands: list[str]
    answer: Answer | None


def telemetry() -> Telemetry:
    """The GPUs at this moment and before, of the sampler that everybody shares. Raises `NotMeasured` where there is nothing to be had."""
    samples = nvml.TELEMETRY.latest()
    columns = [_told(sample) for sample in samples]
    names = [_name(sample) for sample in samples]
    rows = [{_("what"): what, **{name: column[what] for name, column in zip(names, columns, strict=True)}} for what in columns[0]] if columns else []
    remarks = [
        labelled(_name(sample), followed(*dict.fromkeys(_(why.sentence) for why in sample.missing.values()))) for sample in samples if sample.missing
    ]
    return Telemetry(rows, remarks, [nvml.confirming(field) for field in FIELDS], _history(nvml.TELEMETRY.history()))


def _name(sample: Sample) -> str:
    return f"GPU {sample.index}"


# ------------------------------------------------------------------------------------------------------------- this moment


def _told(sample: Sample) -> dict[str, str]:
    """One GPU; what is not known is a dash."""
    link = f"PCIe {sample.pcie_generation} x{sample.pcie_width}" if sample.pcie_generation and sample.pcie_width else "–"
    power = _watts(sample.power_w)
    if sample.power_w is not None and sample.power_limit_w:
        power = _("{power} of {limit} W").format(power=f"{sample.power_w:.0f}", limit=f"{sample.power_limit_w:.0f}")
    return {
        _("graphics clock"): _si(sample.graphics_clock_hz, "Hz"),
        _("memory clock"): _si(sample.memory_clock_hz, "Hz"),
        _("what decides the clocks"): _held(sample),
        _("temperature"): _celsius(sample.temperature_c),
        _("power"): power,
        _("any kernel runs"): _share(sample.busy),
        _("memory is read or written"): _share(sample.memory_busy),
        _("memory used"): "–" if sample.memory_used_bytes is None else units.binary(sample.memory_used_bytes),
        _("link"): link,
        _("to the host"): _si(sample.pcie_sent_bytes_per_s, "B/s"),
        _("from the host"): _si(sample.pcie_received_bytes_per_s, "B/s"),
    }


def _held(sample: Sample) -> str:
    return "–" if sample.throttles is None else followed(*(_(each.sentence) for each in sample.throttles)) or _("nothing")


def _si(value: float | None, unit: str) -> str:
    return "–" if value is None else units.si(value, unit)


def _watts(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} W"


def _celsius(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} °C"


def _share(value: float | None) -> str:
    return "–" if value is None else units.percent(value)


# ------------------------------------------------------------------------------------------------------------- the minutes before


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A panel: its name in English, its colour, what it draws of a sample and how that is said; `most` is the least that its axis reaches to."""

    name: str
    role: str
    value: Callable[[Sample], float | None]
    say: Callable[[float | None], str]
    most: Callable[[Sample], float | None] = lambda _sample: None
    marks: bool = False


def _both_ways(sample: Sample) -> float | None:
    ways = [rate for rate in (sample.pcie_sent_bytes_per_s, sample.pcie_received_bytes_per_s) if rate is not None]
    return sum(ways) if ways else None


_QUANTITIES = (
    _Quantity(N_("graphics clock (▼ held back by heat or power)"), "reference", lambda s: s.graphics_clock_hz, partial(_si, unit="Hz"), marks=True),
    _Quantity(N_("memory clock"), "bandwidth", lambda s: s.memory_clock_hz, partial(_si, unit="Hz")),
    _Quantity(N_("power, up to its limit"), "compute", lambda s: s.power_w, _watts, lambda s: s.power_limit_w),
    _Quantity(N_("temperature"), "compute", lambda s: s.temperature_c, _celsius, lambda _s: 100.0),
    _Quantity(N_("to and from the host over PCIe"), "network", _both_ways, partial(_si, unit="B/s")),
)


def _history(moments: Sequence[Moment]) -> Answer | None:
    """The figure of the last `SPAN_S` seconds, a panel for each quantity that any GPU tells."""
    now = moments[-1].seconds if moments else 0.0
    recent = [moment for moment in moments if now - moment.seconds <= SPAN_S]
    found = [panel for quantity in _QUANTITIES if (panel := _panel(quantity, recent, now))]
    if not found:
        return None
    ticks = {-60.0 * minutes: _("{minutes} min ago").format(minutes=minutes) for minutes in (3, 2, 1)} | {0.0: _ago(0.0)}
    axis = Axis("", ticks.__getitem__, log=False, low=-SPAN_S, high=0.01 * SPAN_S, lines=tuple(ticks))
    return Answer(
        name="telemetry",
        sentence=_sentence(recent),
        drawing=panels(found, across=axis, revision="telemetry"),
        rows=partial(_rows, tuple(recent)),
    ).with_spec()


def _panel(quantity: _Quantity, moments: Sequence[Moment], now: float) -> Panel | None:
    samples = [sample for moment in moments for sample in moment.samples]
    values = [value for sample in samples if (value := quantity.value(sample)) is not None]
    if not values:
        return None
    top = max([*values, *(most for sample in samples if (most := quantity.most(sample)))]) or 1.0
    gpus = dict.fromkeys(sample.index for sample in samples)
    lines = tuple(_line(quantity, index, moments, now, DASHES[i % len(DASHES)]) for i, index in enumerate(gpus))
    dots = tuple(
        Dot(moment.seconds - now, value, "compute", symbol="triangle-down", size=6)
        for moment in moments
        for sample in moment.samples
        if quantity.marks and _held_back(sample) and (value := quantity.value(sample)) is not None
    )
    return Panel(_(quantity.name), lines, top, quantity.say(top), dots)


def _held_back(sample: Sample) -> bool:
    return any(each.holds_back for each in sample.throttles or ())


def _line(quantity: _Quantity, index: int, moments: Sequence[Moment], now: float, dash: str) -> Line:
    """One GPU, oldest first; None where nobody looked leaves a gap."""
    points: list[tuple[float, float | None, str]] = []
    for moment in moments:
        sample = next((each for each in moment.samples if each.index == index), Sample(index))
        ago = moment.seconds - now
        if points and ago - points[-1][0] > GAP_S:
            points.append((points[-1][0], None, ""))
        value = quantity.value(sample)
        said = qualified(quantity.say(value), _ago(-ago))
        points.append((ago, value, f"{said} · {_held(sample)}" if quantity.marks else said))
    seconds, values, hover = zip(*points, strict=True)
    return Line(quantity.role, f"GPU {index}", seconds, values, hover, dash=dash)


def _ago(seconds: float) -> str:
    return _("{time} ago").format(time=_seconds(seconds))


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f}{units.THIN}s"


def _sentence(moments: Sequence[Moment]) -> str:
    """Who was held back by heat or power meanwhile."""
    samples = [sample for moment in moments for sample in moment.samples]
    told = {_name(sample) for sample in samples if sample.throttles is not None}
    held = sorted({_name(sample) for sample in samples if _held_back(sample)}, key=lambda name: int(name[4:]))
    time = _seconds(moments[-1].seconds - moments[0].seconds)
    if not told:
        return _("The driver does not tell what decides the clocks.")
    if not held:
        return _("No GPU was held back by heat or power in the last {time}.").format(time=time)
    names = listing(held) if len(held) <= MOST_NAMED else _("{held} of {count} GPUs").format(held=len(held), count=len(moments[-1].samples))
    return _("Held back by heat or power in the last {time}: {names}.").format(time=time, names=names)


def _rows(moments: tuple[Moment, ...]) -> tuple[dict[str, object], ...]:
    """Every sample that is drawn, in base units."""
    return tuple(
        {
            "seconds": round(moment.seconds, 3),
            "gpu": sample.index,
            "graphics_clock_hz": sample.graphics_clock_hz,
            "memory_clock_hz": sample.memory_clock_hz,
            "throttle_reasons": " ".join(each.value for each in sample.throttles or ()),
            "power_w": sample.power_w,
            "power_limit_w": sample.power_limit_w,
            "temperature_c": sample.temperature_c,
            "pcie_sent_bytes_per_s": sample.pcie_sent_bytes_per_s,
            "pcie_received_bytes_per_s": sample.pcie_received_bytes_per_s,
        }
        for moment in moments
        for sample in moment.samples
    )
