"""A stand-in for the package pynvml: the same functions, error classes and structures, over GPUs that a test describes.

`tests/test_probe_nvml.py` compares it with the installed package, name by name.
"""

# ruff: noqa: N802 - the functions have the package's own names

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

GIB = 2**30

ERRORS = {
    "Uninitialized": (1, "Uninitialized"),
    "InvalidArgument": (2, "Invalid Argument"),
    "NotSupported": (3, "Not Supported"),
    "NoPermission": (4, "Insufficient Permissions"),
    "NotFound": (6, "Not Found"),
    "DriverNotLoaded": (9, "Driver Not Loaded"),
    "Timeout": (10, "Timeout"),
    "LibraryNotFound": (12, "NVML Shared Library Not Found"),
    "FunctionNotFound": (13, "Function Not Found"),
    "GpuIsLost": (15, "GPU is lost"),
    "ResetRequired": (16, "GPU requires restart"),
    "LibRmVersionMismatch": (18, "RM has detected an NVML/RM version mismatch."),
    "ArgumentVersionMismatch": (25, None),
    "Unknown": (999, "Unknown Error"),
}


class c_nvmlMemory_t(ctypes.Structure):  # noqa: N801 - the package's own names
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class c_nvmlMemory_v2_t(ctypes.Structure):  # noqa: N801
    _fields_ = [("version", ctypes.c_uint), *((name, ctypes.c_ulonglong) for name in ("total", "reserved", "free", "used"))]


class c_nvmlUtilization_t(ctypes.Structure):  # noqa: N801
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


@dataclass(eq=False)
class FakeGpu:
    """One GPU. `errors` names functions that fail, and how; `lost_after` is how many calls it answers before it is lost."""

    name: str = "NVIDIA H100 80GB HBM3"
    total: int = 85_520_809_984
    reserved: int = 511 * 2**20
    used: int = 12 * GIB
    max_clocks: dict[int, int] = field(default_factory=lambda: {0: 1980, 1: 1980, 2: 2619, 3: 1545})
    clocks: dict[int, int] = field(default_factory=lambda: {0: 1755, 1: 1755, 2: 2619, 3: 1365})
    bus_bits: int = 5120
    capability: tuple[int, int] = (9, 0)
    reasons: int = 0x4
    temperature: int = 61
    milliwatts: int = 512_345
    limit_milliwatts: int = 700_000
    busy: tuple[int, int] = (97, 64)
    kilobytes: tuple[int, int] = (1_250, 48_000_000)
    pcie_now: tuple[int, int] = (1, 16)
    pcie_most: tuple[int, int] = (5, 16)
    links: tuple[int, ...] = (1,) * 18
    ecc: tuple[int, int] | None = (1, 1)
    mig: tuple[int, int] | None = (0, 0)
    virtualization: int = 0
    bus_id: str = "00000000:18:00.0"
    slices: tuple[FakeGpu, ...] = ()
    errors: dict[str, str] = field(default_factory=dict)
    lost_after: int | None = None


def module(
    *gpus: FakeGpu,
    driver: str = "580.95.05",
    cuda: int = 13000,
    init: str | None = None,
    count: str | None = None,
    without: tuple[str, ...] = (),
    speaks_bytes: bool = False,
) -> Any:
    """The package over these GPUs. `init` and `count` name errors of the start and of counting; `without` the functions that this version does
    not have; `speaks_bytes`: text comes as bytes, as versions before 11.5 gave it. ``calls`` counts every call.
    """
    made: Any = ModuleType("pynvml")
    made.calls = Counter()
    made.asked = []
    state = {"open": 0}

    class NVMLError(Exception):
        _valClassMapping: dict[int, type] = {}  # noqa: N815, RUF012
        value: int

        def __new__(cls, value: int | None = None) -> Any:
            kind = NVMLError._valClassMapping.get(value or 0, cls) if cls is NVMLError else cls
            error = Exception.__new__(kind)
            error.value = kind.number if hasattr(kind, "number") else value
            return error

        def __str__(self) -> str:
            return next((text for number, text in ERRORS.values() if number == self.value and text), f"NVML Error with code {self.value}")

        def __eq__(self, other: object) -> bool:  # and no hash, as there
            return bool(self.value == other.value)  # type: ignore[attr-defined]

    made.NVMLError = NVMLError
    for kind, (number, _) in ERRORS.items():
        each = type(f"NVMLError_{kind}", (NVMLError,), {"number": number})
        NVMLError._valClassMapping[number] = each
        setattr(made, each.__name__, each)

    def error(kind: str) -> Exception:
        found: Exception = getattr(made, f"NVMLError_{kind}")()
        return found

    def text(value: str) -> Any:
        return value.encode() if speaks_bytes else value

    def function(call: Callable[..., Any]) -> Callable[..., Any]:
        """Adds `call` to the package, counted, and failing as the driver and the GPU say."""
        name = call.__name__

        def answering(*arguments: Any, **keywords: Any) -> Any:
            made.calls[name] += 1
            made.asked.append((name, arguments[1:] if arguments and isinstance(arguments[0], FakeGpu) else arguments))
            if name != "nvmlInit" and not state["open"]:
                raise error("Uninitialized")
            gpu = arguments[0] if arguments and isinstance(arguments[0], FakeGpu) else None
            if gpu is not None:
                if gpu.lost_after is not None:
                    gpu.lost_after -= 1
                    if gpu.lost_after < 0:
                        raise error("GpuIsLost")
                if name in gpu.errors:
                    raise error(gpu.errors[name])
            return call(*arguments, **keywords)

        answering.__wrapped__ = call  # type: ignore[attr-defined]
        answering.__name__ = name
        if name not in without:
            setattr(made, name, answering)
        return answering

    @function
    def nvmlInit() -> None:
        if init:
            raise error(init)
        state["open"] += 1

    @function
    def nvmlShutdown() -> None:
        state["open"] -= 1

    @function
    def nvmlSystemGetDriverVersion() -> Any:
        return text(driver)

    @function
    def nvmlSystemGetCudaDriverVersion() -> int:
        return cuda

    @function
    def nvmlDeviceGetCount() -> int:
        if count:
            raise error(count)
        return len(gpus)

    @function
    def nvmlDeviceGetHandleByIndex(index: int) -> FakeGpu:
        if not 0 <= index < len(gpus):
            raise error("InvalidArgument")
        if kind := gpus[index].errors.get("nvmlDeviceGetHandleByIndex"):
            raise error(kind)
        return gpus[index]

    @function
    def nvmlDeviceGetHandleByPciBusId(pciBusId: Any) -> FakeGpu:
        if isinstance(pciBusId, str) and speaks_bytes:
            raise TypeError("bytes or integer address expected instead of str instance")
        given = pciBusId.decode() if isinstance(pciBusId, bytes) else pciBusId
        for gpu in gpus:
            if gpu.bus_id.lower().endswith(given.lower().lstrip("0")):
                return gpu
        raise error("NotFound")

    @function
    def nvmlDeviceGetName(handle: FakeGpu) -> Any:
        return text(handle.name)

    @function
    def nvmlDeviceGetMemoryInfo(handle: FakeGpu, version: int | None = None) -> Any:
        if not version:
            return c_nvmlMemory_t(handle.total, handle.total - handle.used - handle.reserved, handle.used + handle.reserved)
        if "nvmlDeviceGetMemoryInfo_v2" in handle.errors:
            raise error(handle.errors["nvmlDeviceGetMemoryInfo_v2"])
        if version != made.nvmlMemory_v2:
            raise error("ArgumentVersionMismatch")
        return c_nvmlMemory_v2_t(version, handle.total, handle.reserved, handle.total - handle.used - handle.reserved, handle.used)

    @function
    def nvmlDeviceGetMemoryBusWidth(device: FakeGpu) -> int:
        return device.bus_bits

    @function
    def nvmlDeviceGetMaxClockInfo(handle: FakeGpu, type: int) -> int:
        return handle.max_clocks[type]

    @function
    def nvmlDeviceGetClockInfo(handle: FakeGpu, type: int) -> int:
        return handle.clocks[type]

    @function
    def nvmlDeviceGetCudaComputeCapability(handle: FakeGpu) -> tuple[int, int]:
        return handle.capability

    @function
    def nvmlDeviceGetCurrentClocksEventReasons(handle: FakeGpu) -> int:
        return handle.reasons

    @function
    def nvmlDeviceGetCurrentClocksThrottleReasons(handle: FakeGpu) -> int:
        return handle.reasons

    @function
    def nvmlDeviceGetTemperatureV(handle: FakeGpu, sensor: int, version: int = 0x100000C) -> int:
        return handle.temperature

    @function
    def nvmlDeviceGetTemperature(handle: FakeGpu, sensor: int) -> int:
        return handle.temperature

    @function
    def nvmlDeviceGetPowerUsage(handle: FakeGpu) -> int:
        return handle.milliwatts

    @function
    def nvmlDeviceGetEnforcedPowerLimit(handle: FakeGpu) -> int:
        return handle.limit_milliwatts

    @function
    def nvmlDeviceGetUtilizationRates(handle: FakeGpu) -> Any:
        return c_nvmlUtilization_t(*handle.busy)

    @function
    def nvmlDeviceGetPcieThroughput(device: FakeGpu, counter: int) -> int:
        return device.kilobytes[counter]

    @function
    def nvmlDeviceGetCurrPcieLinkGeneration(handle: FakeGpu) -> int:
        return handle.pcie_now[0]

    @function
    def nvmlDeviceGetCurrPcieLinkWidth(handle: FakeGpu) -> int:
        return handle.pcie_now[1]

    @function
    def nvmlDeviceGetMaxPcieLinkGeneration(handle: FakeGpu) -> int:
        return handle.pcie_most[0]

    @function
    def nvmlDeviceGetMaxPcieLinkWidth(handle: FakeGpu) -> int:
        return handle.pcie_most[1]

    @function
    def nvmlDeviceGetNvLinkState(device: FakeGpu, link: int) -> int:
        if not device.links:
            raise error("NotSupported")
        if link >= len(device.links):
            raise error("InvalidArgument")
        return device.links[link]

    @function
    def nvmlDeviceGetEccMode(handle: FakeGpu) -> list[int]:
        if handle.ecc is None:
            raise error("NotSupported")
        return [*handle.ecc]

    @function
    def nvmlDeviceGetMigMode(device: FakeGpu) -> list[int]:
        if device.mig is None:
            raise error("NotSupported")
        return [*device.mig]

    @function
    def nvmlDeviceGetMaxMigDeviceCount(device: FakeGpu) -> int:
        return 7

    @function
    def nvmlDeviceGetMigDeviceHandleByIndex(device: FakeGpu, index: int) -> FakeGpu:
        if index >= len(device.slices):
            raise error("NotFound")
        return device.slices[index]

    @function
    def nvmlDeviceGetVirtualizationMode(handle: FakeGpu) -> int:
        return handle.virtualization

    made.nvmlMemory_v2 = 0x02000028
    made.NVML_CLOCK_GRAPHICS, made.NVML_CLOCK_SM, made.NVML_CLOCK_MEM, made.NVML_CLOCK_VIDEO = 0, 1, 2, 3
    made.NVML_TEMPERATURE_GPU = 0
    made.NVML_PCIE_UTIL_TX_BYTES, made.NVML_PCIE_UTIL_RX_BYTES = 0, 1
    made.NVML_NVLINK_MAX_LINKS = 36
    return made


def on_a_vgpu(**more: Any) -> FakeGpu:
    """A part of a GPU in a virtual machine: most questions are not supported there."""
    unanswered = (
        "MaxClockInfo ClockInfo CurrentClocksEventReasons CurrentClocksThrottleReasons TemperatureV Temperature PowerUsage EnforcedPowerLimit "
        "PcieThroughput CurrPcieLinkGeneration CurrPcieLinkWidth MaxPcieLinkGeneration MaxPcieLinkWidth MemoryBusWidth"
    )
    errors = {f"nvmlDeviceGet{name}": "NotSupported" for name in unanswered.split()}
    return FakeGpu("GRID A100-10C", total=10 * GIB, links=(), mig=None, virtualization=2, errors=errors, **more)
