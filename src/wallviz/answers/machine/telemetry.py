"""NVIDIA's GPUs at this moment, in words: clocks, what holds them back, heat, power, the link; a row for each quantity, a column for each GPU."""

from __future__ import annotations

from wallviz import units
from wallviz.i18n import _, labelled, listing
from wallviz.probe import nvml
from wallviz.probe.nvml import Sample

FIELDS = ("graphics_clock_hz", "throttles", "temperature_c", "power_w", "pcie_generation", "memory_used_bytes")
"""Fields whose commands are shown."""


def telemetry() -> tuple[list[dict[str, str]], list[str], list[str]]:
    """Rows, what the driver did not tell and why, and the commands that show the same. Raises `NotMeasured` where there is nothing to be had."""
    samples = nvml.TELEMETRY.latest()
    columns = [_told(sample) for sample in samples]
    names = [f"GPU {sample.index}" for sample in samples]
    rows = [{_("what"): what, **{name: column[what] for name, column in zip(names, columns, strict=True)}} for what in columns[0]] if columns else []
    remarks = [
        labelled(f"GPU {sample.index}", listing(dict.fromkeys(_(why.sentence) for why in sample.missing.values())))
        for sample in samples
        if sample.missing
    ]
    commands = [nvml.confirming(field) for field in FIELDS]
    return rows, remarks, commands


def _told(sample: Sample) -> dict[str, str]:
    """One GPU; what is not known is a dash."""
    hertz = {_("graphics clock"): sample.graphics_clock_hz, _("memory clock"): sample.memory_clock_hz}
    link = f"PCIe {sample.pcie_generation} x{sample.pcie_width}" if sample.pcie_generation and sample.pcie_width else "–"
    power = "–" if sample.power_w is None else f"{sample.power_w:.0f} W"
    if sample.power_w is not None and sample.power_limit_w:
        power = _("{power} of {limit} W").format(power=f"{sample.power_w:.0f}", limit=f"{sample.power_limit_w:.0f}")
    held = "–" if sample.throttles is None else listing(_(each.sentence) for each in sample.throttles) or _("nothing")
    return {
        **{what: "–" if value is None else units.si(value, "Hz") for what, value in hertz.items()},
        _("what decides the clocks"): held,
        _("temperature"): "–" if sample.temperature_c is None else f"{sample.temperature_c:.0f} °C",
        _("power"): power,
        _("any kernel runs"): _share(sample.busy),
        _("memory is read or written"): _share(sample.memory_busy),
        _("memory used"): "–" if sample.memory_used_bytes is None else units.binary(sample.memory_used_bytes),
        _("link"): link,
        _("to the host"): _rate(sample.pcie_sent_bytes_per_s),
        _("from the host"): _rate(sample.pcie_received_bytes_per_s),
    }


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.0f} %"


def _rate(value: float | None) -> str:
    return "–" if value is None else units.si(value, "B/s")
