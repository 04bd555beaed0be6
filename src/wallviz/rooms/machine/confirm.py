"""The command that shows a number of a record without wallviz."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.i18n import _, listing
from wallviz.machine.probe import nvml
from wallviz.machine.record import Record

_CACHES = {"Linux": "lscpu -C", "Darwin": "sysctl -a | grep cachesize", "Windows": "Get-CimInstance Win32_CacheMemory"}
_MODULES = {
    "Linux": "sudo dmidecode -t memory",
    "Darwin": "system_profiler SPMemoryDataType",
    "Windows": "Get-CimInstance Win32_PhysicalMemory",
}
_MEMORY = {"Linux": "free -b", "Darwin": "sysctl hw.memsize", "Windows": "(Get-CimInstance Win32_ComputerSystem).TotalPhysicalMemory"}


def commands(record: Record | None) -> tuple[Mapping[str, object], ...]:
    """What was measured or stated, its value, and the command; a record of a processor names the tools of its own system."""
    if record is None:
        return ()
    found = _cpu(record) if record.path == "cpu" else _gpu(record)
    return tuple({_("what"): what, _("value"): value, _("command"): command} for what, value, command in found if value)


def _rate(record: Record) -> str:
    rate = record.headline[1].best_bytes_per_s if record.headline else None
    return units.si(rate, "B/s") if rate else ""


def _cpu(record: Record) -> list[tuple[str, str, str]]:
    system = record.device.system if record.device.system in _CACHES else "Linux"
    elements = (record.array_bytes or 2**27) // 8
    stream = f"gcc -O3 -fopenmp -mcmodel=medium -DSTREAM_ARRAY_SIZE={elements} stream.c -o stream && OMP_NUM_THREADS={record.threads or 1} ./stream"
    waits = [wait for wait in record.latency if wait.order == "random"]
    last = f"{max(1, waits[-1].bytes >> 20)} 64" if waits else ""
    return [
        (_("bandwidth: McCalpin's STREAM"), _rate(record), stream),
        (_("caches"), listing(f"L{cache.level} {units.binary(cache.bytes)}" for cache in record.device.caches), _CACHES[system]),
        (_("latency of memory: lmbench"), units.si(waits[-1].seconds, "s") if waits else "", f"lat_mem_rd -t {last}"),
        (_("memory"), units.binary(record.device.memory_bytes) if record.device.memory_bytes else "", _MEMORY[system]),
        (_("what the memory promises: modules × MT/s × 8 bytes"), _peak(record) or _("not known"), _MODULES[system]),
    ]


def _peak(record: Record) -> str:
    return units.si(record.theoretical_bytes_per_s, "B/s") if record.theoretical_bytes_per_s else ""


def _gpu(record: Record) -> list[tuple[str, str, str]]:
    device = record.device
    nvidia = record.path == "cuda" or "nvidia" in f"{device.vendor} {device.name}".lower()
    if not nvidia:
        local = f"wallviz probe --path {record.path} --gpu 0" if record.path == "wgpu" else "wallviz probe --gpu 0"
        return [(_("bandwidth, by another way to the same GPU"), _rate(record), local), (_("device"), device.name, "vulkaninfo --summary")]
    clock = units.si(device.memory_clock_hz, "Hz") if device.memory_clock_hz else ""
    memory = units.binary(device.memory_bytes) if device.memory_bytes else ""
    link = f"PCIe {device.pcie_generation} x{device.pcie_width}" if device.pcie_generation and device.pcie_width else ""
    moved = ", ".join(
        units.si(each.best_bytes_per_s, "B/s") for name, each in record.transfers.items() if name.startswith(("h2d", "d2h")) and each.best_bytes_per_s
    )
    held = (
        _("none")
        if record.after is not None and not record.after.throttle_reasons
        else ", ".join(record.after.throttle_reasons if record.after else ())
    )
    return [
        (_("bandwidth: nvbandwidth counts a copy once, so half of ours"), _rate(record), "nvbandwidth -t device_local_copy"),
        (_("host and device"), moved, "nvbandwidth -t host_to_device_memcpy_ce device_to_host_memcpy_ce"),
        (_("highest memory clock"), clock, nvml.confirming("memory_clock_hz")),
        (_("memory"), memory, nvml.confirming("memory_bytes")),
        (_("driver"), device.driver, nvml.confirming("driver")),
        (_("link, while it is busy"), link, nvml.confirming("pcie_generation")),
        (_("what holds the clocks back"), held, nvml.confirming("throttles")),
    ]
