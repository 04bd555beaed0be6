"""What NVIDIA's driver tells of its GPUs, through NVML (package nvidia-ml-py, extra ``nvidia``): facts once, telemetry once a second.

Every call goes through `call`: what the driver does not answer is None, and `missing` says why. Nothing here asks for serial numbers, UUIDs or
processes.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from wallviz.i18n import N_
from wallviz.machine.reasons import NotMeasured, Reason
from wallviz.machine.record import State, plain_text

Call: TypeAlias = tuple[Any, ...]
"""The name of a function of pynvml, and what it is given."""

# Numbers of nvml.h, which pynvml repeats under names that come and go with its versions.
CLOCK_GRAPHICS, CLOCK_MEMORY = 0, 2
TEMPERATURE_GPU = 0
PCIE_SENT, PCIE_RECEIVED = 0, 1
MEMORY_V2 = 0x02000028
MOST_NVLINKS = 36
_NOT_AVAILABLE = (2**32 - 1, 2**64 - 1)
_MHZ = 1e6

# ------------------------------------------------------------------------------------------------------------ what is missing


class Missing(StrEnum):
    """Why the driver did not answer a question."""

    NOT_SUPPORTED = "not_supported"
    FUNCTION_NOT_FOUND = "function_not_found"
    NO_PERMISSION = "no_permission"
    GPU_IS_LOST = "gpu_is_lost"
    UNINITIALIZED = "uninitialized"
    LIBRARY_NOT_FOUND = "library_not_found"
    DRIVER_NOT_LOADED = "driver_not_loaded"
    VERSION_MISMATCH = "version_mismatch"
    PACKAGE_TOO_OLD = "package_too_old"
    ZERO = "zero"
    UNKNOWN = "unknown"

    @property
    def sentence(self) -> str:
        """What happened, in English: marked for translation, looked up where it is shown."""
        return _SAID[self][0]

    @property
    def reason(self) -> Reason:
        """The reason why nothing was measured, where this answer leaves nothing."""
        return _SAID[self][1]


_SAID: dict[Missing, tuple[str, Reason]] = {
    Missing.NOT_SUPPORTED: (N_("This GPU, or this mode of it, does not tell."), Reason.UNSUPPORTED),
    Missing.FUNCTION_NOT_FOUND: (N_("The driver is too old to be asked this."), Reason.DRIVER_TOO_OLD),
    Missing.NO_PERMISSION: (N_("Only an administrator may ask this here."), Reason.UNSUPPORTED),
    Missing.GPU_IS_LOST: (N_("The GPU fell off the bus, or was reset."), Reason.LOST),
    Missing.UNINITIALIZED: (N_("The connection to the driver was closed."), Reason.NO_DRIVER),
    Missing.LIBRARY_NOT_FOUND: (N_("The driver's library NVML is not installed, or not passed into this container."), Reason.NO_DRIVER),
    Missing.DRIVER_NOT_LOADED: (N_("NVIDIA's driver is installed but not running."), Reason.NO_DRIVER),
    Missing.VERSION_MISMATCH: (N_("The driver was updated while it ran: restart the computer."), Reason.NO_DRIVER),
    Missing.PACKAGE_TOO_OLD: (N_("The installed nvidia-ml-py is too old to ask this: update it."), Reason.NO_PACKAGE),
    Missing.ZERO: (N_("The driver answers 0, which cannot be."), Reason.UNSUPPORTED),
    Missing.UNKNOWN: (N_("The driver failed without saying why."), Reason.LOST),
}
_ERRORS = {
    "NVMLError_NotSupported": Missing.NOT_SUPPORTED,
    "NVMLError_NotFound": Missing.NOT_SUPPORTED,
    "NVMLError_InvalidArgument": Missing.NOT_SUPPORTED,
    "NVMLError_ArgumentVersionMismatch": Missing.FUNCTION_NOT_FOUND,
    "NVMLError_Deprecated": Missing.FUNCTION_NOT_FOUND,
    "NVMLError_FunctionNotFound": Missing.FUNCTION_NOT_FOUND,
    "NVMLError_NoPermission": Missing.NO_PERMISSION,
    "NVMLError_GpuIsLost": Missing.GPU_IS_LOST,
    "NVMLError_ResetRequired": Missing.GPU_IS_LOST,
    "NVMLError_GpuNotFound": Missing.GPU_IS_LOST,
    "NVMLError_Uninitialized": Missing.UNINITIALIZED,
    "NVMLError_LibraryNotFound": Missing.LIBRARY_NOT_FOUND,
    "NVMLError_DriverNotLoaded": Missing.DRIVER_NOT_LOADED,
    "NVMLError_LibRmVersionMismatch": Missing.VERSION_MISMATCH,
}


def call(module: Any, function: str, *arguments: Any, **keywords: Any) -> tuple[Any, Missing | None]:
    """The one place where pynvml is called: its answer, or None and why there is none. Text is str, whichever version answers."""
    try:
        answer = getattr(module, function)(*arguments, **keywords)
        if isinstance(answer, bytes):
            answer = answer.decode(errors="replace")
    except (AttributeError, TypeError):  # a function, or a keyword of it, that this version of the package does not have
        return None, Missing.PACKAGE_TOO_OLD
    except Exception as error:  # the driver's own errors, and what ctypes says when the library changes under it
        return None, next((_ERRORS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _ERRORS), Missing.UNKNOWN)
    if isinstance(answer, int) and answer in _NOT_AVAILABLE:
        return None, Missing.NOT_SUPPORTED
    return answer, None


class NvmlGpu:
    """One GPU that is asked; `missing` collects what got no answer, by the name of the field that it was for."""

    def __init__(self, module: Any, index: int, handle: Any, missing: Missing | None = None) -> None:
        self._module = module
        self.index = index
        self.handle = handle
        self.missing: dict[str, Missing] = {"": missing} if missing else {}

    def again(self) -> NvmlGpu:
        """The same GPU with nothing missing yet."""
        return NvmlGpu(self._module, self.index, self.handle, self.missing.get(""))

    def ask(self, what: str, *calls: str | Call, positive: bool = False) -> Any:
        """The answer of the first of `calls` that gives one, or None; `positive`: 0 is no answer. The handle is their first argument."""
        if self.handle is None:
            return None
        silence: Missing | None = None
        for each in calls:
            function, *arguments = (each,) if isinstance(each, str) else each
            keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
            answer, missing = call(self._module, function, self.handle, *arguments, **keywords)
            if missing is None and positive and answer == 0:
                missing = Missing.ZERO
            if missing is None:
                return answer
            if silence is None or silence is Missing.PACKAGE_TOO_OLD:
                silence = missing
        self.missing[what] = silence or Missing.UNKNOWN
        return None

    def scaled(self, what: str, unit: float, *calls: str | Call, positive: bool = False) -> float | None:
        """The answer in base units."""
        answer = self.ask(what, *calls, positive=positive)
        return None if answer is None else float(answer * unit)

    def memory(self) -> Any:
        """Total, free and used bytes; the second version counts what the driver keeps for itself apart."""
        memory = self.ask("memory_bytes", ("nvmlDeviceGetMemoryInfo", {"version": MEMORY_V2}), "nvmlDeviceGetMemoryInfo")
        if memory is not None and not 0 < memory.total < 2**63:
            self.missing["memory_bytes"] = Missing.ZERO if memory.total == 0 else Missing.NOT_SUPPORTED
            return None
        return memory


class Nvml:
    """The open library."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def ask(self, function: str, *arguments: Any) -> Any:
        """A question to the driver as a whole: its answer, or None."""
        return call(self._module, function, *arguments)[0]

    def gpus(self) -> list[NvmlGpu]:
        """Every GPU in the order of its bus; one that does not answer has no handle, and `missing` says why. Raises `NotMeasured`."""
        count, missing = call(self._module, "nvmlDeviceGetCount")
        if missing:
            raise NotMeasured(missing.reason, missing.value, extra="nvidia")
        if not count:
            raise NotMeasured(Reason.NO_DEVICE, "NVML counts none", extra="nvidia")
        return [NvmlGpu(self._module, index, *call(self._module, "nvmlDeviceGetHandleByIndex", index)) for index in range(count)]

    def at(self, bus_id: str) -> NvmlGpu:
        """The GPU on this place of the bus, as CUDA names it: the two count in different orders. Of a MIG slice, the whole GPU."""
        handle, missing = call(self._module, "nvmlDeviceGetHandleByPciBusId", bus_id)
        if missing is Missing.PACKAGE_TOO_OLD:  # versions that want bytes
            handle, missing = call(self._module, "nvmlDeviceGetHandleByPciBusId", bus_id.encode())
        return NvmlGpu(self._module, 0, handle, missing)

    def slices(self, gpu: NvmlGpu) -> Iterator[NvmlGpu]:
        """The MIG slices of a GPU."""
        for place in range(gpu.ask("slices", "nvmlDeviceGetMaxMigDeviceCount") or 0):
            handle, missing = call(self._module, "nvmlDeviceGetMigDeviceHandleByIndex", gpu.handle, place)
            if handle is not None and not missing:
                yield NvmlGpu(self._module, place, handle)


@contextmanager
def opened() -> Iterator[Nvml]:
    """The library until the block ends. Raises `NotMeasured` where there is none."""
    nvml = _open()
    try:
        yield nvml
    finally:
        _close(nvml)


def _open() -> Nvml:
    try:
        module = import_module("pynvml")
    except ImportError as error:
        raise NotMeasured(Reason.NO_PACKAGE, str(error), extra="nvidia") from None
    _, missing = call(module, "nvmlInit")
    if missing:
        raise NotMeasured(missing.reason, missing.value, extra="nvidia")
    return Nvml(module)


def _close(nvml: Nvml) -> None:
    nvml.ask("nvmlShutdown")


# -------------------------------------------------------------------------------------------------------- theoretical bandwidth


class Basis(StrEnum):
    """Where a theoretical bandwidth comes from. The values stand in records."""

    DRIVER = "driver"
    DATA_SHEET = "data_sheet"
    CORRECTED_WIDTH = "corrected_width"
    MIG_SLICE = "mig_slice"
    NOT_KNOWN = ""

    @property
    def sentence(self) -> str:
        """What it means for the reader, in English: marked for translation, looked up where it is shown."""
        return _BASES[self]


_BASES: dict[Basis, str] = {
    Basis.DRIVER: N_("Two transfers per cycle of the highest memory clock, over the whole bus, as the driver states both."),
    Basis.DATA_SHEET: N_("From the maker's data sheet: the driver does not state clock and width of this memory, or states them wrongly."),
    Basis.CORRECTED_WIDTH: N_("From the driver's clock and 7680 bits: drivers before 2026 state 8192 for this GPU."),
    Basis.MIG_SLICE: N_("The slice's share of the whole GPU: its memory slices, of eight."),
    Basis.NOT_KNOWN: N_("Neither the driver nor a data sheet known here states it."),
}


@dataclass(frozen=True, slots=True)
class Theoretical:
    """What a memory can carry at most, in bytes/s (None: not known), and on what that stands."""

    bytes_per_s: float | None
    basis: Basis


DATA_SHEETS: tuple[tuple[str, float], ...] = (
    (r"\bGB10\b", 273e9),  # DGX Spark data sheet; NVML: no memory clock, width 0
    (r"\bThor\b", 273e9),  # Jetson AGX Thor data sheet
    (r"\bAGX Orin\b", 204.8e9),  # Jetson Orin series data sheet: 256 bits of LPDDR5-6400
    (r"\bOrin NX\b", 102.4e9),  # the same: 128 bits
    (r"\bAGX Xavier\b", 136.5e9),  # Jetson AGX Xavier series data sheet: 256 bits of LPDDR4x-4266
)
"""Boards that share the computer's memory, whose drivers answer 0, nothing or something else, by name of the GPU or of the board; bytes/s."""
_B200 = re.compile(r"\bB200\b")
_B200_BITS = 7680
"""The Blackwell data sheet gives a B200 7.7 TB/s, which is 2 x 3996 MHz x 7680 bits; older drivers state 8192 bits (pytorch/ao#4002)."""
_SHARED = re.compile(r"\b(GB10|Thor|Orin|Xavier|Tegra)\b|nvgpu")
_BOARD = Path("/proc/device-tree/model")


def theoretical(name: str, memory_clock_hz: float | None, bus_bits: int | None, *, board: str = "") -> Theoretical:
    """The bandwidth of a GPU's memory: two transfers per cycle of its *highest* clock over every line of its bus.

    The current clock says nothing: it falls when nothing is done. A data sheet wins where the driver is known to be wrong; `board` is the name
    of the computer where that tells more than the GPU's.

    >>> round(theoretical("NVIDIA H100 80GB HBM3", 2619e6, 5120).bytes_per_s / 1e9)
    3352
    >>> theoretical("NVIDIA GB10", None, 0).basis.value, theoretical("Orin (nvgpu)", 1e9, 256).bytes_per_s
    ('data_sheet', None)
    """
    if _SHARED.search(name):
        known = next((rate for pattern, rate in DATA_SHEETS if re.search(pattern, f"{name} {board}")), None)
        return Theoretical(known, Basis.DATA_SHEET if known else Basis.NOT_KNOWN)
    if not memory_clock_hz or not bus_bits:
        return Theoretical(None, Basis.NOT_KNOWN)
    wrong = _B200.search(name) is not None and bus_bits > _B200_BITS
    bits = _B200_BITS if wrong else bus_bits
    return Theoretical(2 * memory_clock_hz * bits / 8, Basis.CORRECTED_WIDTH if wrong else Basis.DRIVER)


def slice_share(slice_bytes: int, gpu_bytes: int) -> float:
    """The share of a GPU's memory, and of the way to it, that a MIG slice of `slice_bytes` has.

    Memory is cut into eighths, of capacity and bandwidth alike (NVIDIA, MIG user guide, "Concepts"); what is kept for the driver makes a slice a
    little smaller than that.

    >>> slice_share(5_100_000_000, 42_400_000_000), slice_share(21_000_000_000, 42_400_000_000)
    (0.125, 0.5)
    """
    return min(8, max(1, round(8 * slice_bytes / gpu_bytes))) / 8


def of_slice(whole: Theoretical, slice_bytes: int | None, gpu_bytes: int | None) -> Theoretical:
    """What of the whole GPU's bandwidth a MIG slice has."""
    if whole.bytes_per_s is None or not slice_bytes or not gpu_bytes:
        return Theoretical(None, Basis.NOT_KNOWN)
    return Theoretical(whole.bytes_per_s * slice_share(slice_bytes, gpu_bytes), Basis.MIG_SLICE)


def board_name(path: Path = _BOARD) -> str:
    """What firmware calls this computer; empty where it does not tell (everywhere but on boards with a device tree)."""
    try:
        return plain_text(path.read_bytes().decode(errors="replace"), 100)
    except OSError:
        return ""


# ---------------------------------------------------------------------------------------------------------------------- facts

VIRTUALIZATION = {0: "none", 1: "passthrough", 2: "vgpu", 3: "host_vgpu", 4: "host_vsga"}
"""Whether a GPU belongs to a virtual machine, in whole or in part (nvml.h)."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One MIG slice of a GPU."""

    name: str
    memory_bytes: int | None
    theoretical: Theoretical


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while a GPU runs. What is not known is None, and `missing` says why, by the name of the field (empty: the GPU itself).

    `memory_clock_hz` is the highest. `nvlinks` counts the links that the GPU has, `nvlinks_active` those that are up.
    """

    index: int
    name: str = ""
    driver: str = ""
    cuda: str = ""
    compute_capability: tuple[int, int] | None = None
    memory_bytes: int | None = None
    memory_clock_hz: float | None = None
    bus_bits: int | None = None
    theoretical: Theoretical = Theoretical(None, Basis.NOT_KNOWN)
    pcie_generation: int | None = None
    pcie_width: int | None = None
    nvlinks: int | None = None
    nvlinks_active: int | None = None
    ecc: bool | None = None
    mig: bool | None = None
    virtualization: str | None = None
    slices: tuple[Slice, ...] = ()
    missing: Mapping[str, Missing] = field(default_factory=dict)


def facts() -> tuple[Facts, ...]:
    """The facts of every GPU. Raises `NotMeasured` where the driver tells of none."""
    with opened() as nvml:
        return tuple(described(nvml, gpu) for gpu in nvml.gpus())


def described(nvml: Nvml, gpu: NvmlGpu, board: str | None = None) -> Facts:
    """The facts of one GPU; `board` is `board_name`'s unless it is given."""
    gpu = gpu.again()
    name = plain_text(gpu.ask("name", "nvmlDeviceGetName") or "", 100)
    memory = gpu.memory()
    total = None if memory is None else int(memory.total)
    clock_hz = gpu.scaled("memory_clock_hz", _MHZ, ("nvmlDeviceGetMaxClockInfo", CLOCK_MEMORY), positive=True)
    bits = gpu.ask("bus_bits", "nvmlDeviceGetMemoryBusWidth", positive=True)
    whole = theoretical(name, clock_hz, bits, board=board_name() if board is None else board)
    ecc = gpu.ask("ecc", "nvmlDeviceGetEccMode")
    mig = gpu.ask("mig", "nvmlDeviceGetMigMode")
    nvlinks = _nvlinks(gpu)
    cuda = nvml.ask("nvmlSystemGetCudaDriverVersion")
    return Facts(
        index=gpu.index,
        name=name,
        driver=plain_text(nvml.ask("nvmlSystemGetDriverVersion") or "", 40),
        cuda=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else "",
        compute_capability=gpu.ask("compute_capability", "nvmlDeviceGetCudaComputeCapability"),
        memory_bytes=total,
        memory_clock_hz=clock_hz,
        bus_bits=bits,
        theoretical=whole,
        pcie_generation=gpu.ask("pcie_generation", "nvmlDeviceGetMaxPcieLinkGeneration", positive=True),
        pcie_width=gpu.ask("pcie_width", "nvmlDeviceGetMaxPcieLinkWidth", positive=True),
        nvlinks=None if nvlinks is None else len(nvlinks),
        nvlinks_active=None if nvlinks is None else sum(nvlinks),
        ecc=None if ecc is None else bool(ecc[0]),
        mig=None if mig is None else bool(mig[0]),
        virtualization=VIRTUALIZATION.get(gpu.ask("virtualization", "nvmlDeviceGetVirtualizationMode")),
        slices=tuple(_slice(each, whole, total) for each in nvml.slices(gpu)) if mig and mig[0] else (),
        missing=dict(gpu.missing),
    )


def _nvlinks(gpu: NvmlGpu) -> list[bool] | None:
    """Whether each NVLink of a GPU is up; None where it has none. Links end where the driver says that there is no such link."""
    states: list[bool] = []
    for link in range(MOST_NVLINKS):
        up = gpu.ask("nvlinks", ("nvmlDeviceGetNvLinkState", link))
        if up is None:
            break
        states.append(bool(up))
    if states:
        gpu.missing.pop("nvlinks", None)
    return states or None


def _slice(gpu: NvmlGpu, whole: Theoretical, gpu_bytes: int | None) -> Slice:
    memory = gpu.memory()
    size = None if memory is None else int(memory.total)
    return Slice(plain_text(gpu.ask("name", "nvmlDeviceGetName") or "", 100), size, of_slice(whole, size, gpu_bytes))


# ------------------------------------------------------------------------------------------------------------------ telemetry


class Throttle(StrEnum):
    """What decides a GPU's clocks at a moment. The values stand in records."""

    IDLE = "idle"
    SET_CLOCKS = "set_clocks"
    POWER_CAP = "power_cap"
    HARDWARE = "hardware"
    SYNC_BOOST = "sync_boost"
    HEAT = "heat"
    HARDWARE_HEAT = "hardware_heat"
    POWER_BRAKE = "power_brake"
    DISPLAY = "display"
    BOARD_LIMIT = "board_limit"
    RELIABILITY = "reliability"
    OTHER = "other"

    @property
    def sentence(self) -> str:
        """What it means for the reader, in English: marked for translation, looked up where it is shown."""
        return _THROTTLES[self][1]

    @property
    def holds_back(self) -> bool:
        """Whether the GPU would be faster if it were cooler or had more power."""
        return self in _HOLDING_BACK


_THROTTLES: dict[Throttle, tuple[int, str]] = {
    Throttle.IDLE: (0x1, N_("Nothing to do: the clocks rest.")),
    Throttle.SET_CLOCKS: (0x2, N_("Somebody set the clocks (nvidia-smi -ac or -lgc).")),
    Throttle.POWER_CAP: (0x4, N_("The power limit is reached.")),
    Throttle.HARDWARE: (0x8, N_("The hardware halves the clocks, or more: heat or power.")),
    Throttle.SYNC_BOOST: (0x10, N_("The clocks follow another GPU of the same group.")),
    Throttle.HEAT: (0x20, N_("The driver lowers the clocks: the GPU or its memory is too hot.")),
    Throttle.HARDWARE_HEAT: (0x40, N_("The hardware lowers the clocks: the GPU is much too hot.")),
    Throttle.POWER_BRAKE: (0x80, N_("The computer's power supply asks for less.")),
    Throttle.DISPLAY: (0x100, N_("The display's clock sets the limit.")),
    Throttle.BOARD_LIMIT: (0x200, N_("The board's limit is reached.")),
    Throttle.RELIABILITY: (0x400, N_("The voltage's limit is reached.")),
    Throttle.OTHER: (0, N_("Something that this version does not know.")),
}
_HOLDING_BACK = {Throttle.POWER_CAP, Throttle.HARDWARE, Throttle.HEAT, Throttle.HARDWARE_HEAT, Throttle.POWER_BRAKE}


def throttles(bits: int) -> tuple[Throttle, ...]:
    """NVML's bits, decoded.

    >>> [each.value for each in throttles(0x24)], throttles(0), [each.value for each in throttles(1 << 40)]
    (['power_cap', 'heat'], (), ['other'])
    """
    known = sum(bit for bit, _ in _THROTTLES.values())
    found = tuple(each for each, (bit, _) in _THROTTLES.items() if bits & bit)
    return (*found, Throttle.OTHER) if bits & ~known else found


@dataclass(frozen=True, slots=True)
class Sample:
    """One GPU at one moment. What is not known is None, and `missing` says why.

    PCIe's generation and width are those of this moment: both fall when nothing is transferred. `busy` and `memory_busy` are shares of the time in
    which any kernel ran, and in which memory was read or written.
    """

    index: int
    graphics_clock_hz: float | None = None
    memory_clock_hz: float | None = None
    throttles: tuple[Throttle, ...] | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    busy: float | None = None
    memory_busy: float | None = None
    memory_used_bytes: int | None = None
    memory_bytes: int | None = None
    pcie_sent_bytes_per_s: float | None = None
    pcie_received_bytes_per_s: float | None = None
    pcie_generation: int | None = None
    pcie_width: int | None = None
    missing: Mapping[str, Missing] = field(default_factory=dict)

    def state(self) -> State:
        """What a record keeps of it."""
        return State(
            memory_clock_hz=self.memory_clock_hz,
            graphics_clock_hz=self.graphics_clock_hz,
            temperature_c=self.temperature_c,
            power_w=self.power_w,
            throttle_reasons=tuple(each.value for each in self.throttles or ()),
        )


def sampled(gpu: NvmlGpu, *, pcie_rates: bool = True) -> Sample:
    """This moment of a GPU. The rates on PCIe take the driver 20 ms each."""
    gpu = gpu.again()
    bits = gpu.ask("throttles", "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
    rates = gpu.ask("busy", "nvmlDeviceGetUtilizationRates")
    memory = gpu.memory()
    kilobyte = 1e3  # NVML says KB/s
    sent, received = (
        gpu.scaled(f"pcie_{way}_bytes_per_s", kilobyte, ("nvmlDeviceGetPcieThroughput", counter)) if pcie_rates else None
        for way, counter in (("sent", PCIE_SENT), ("received", PCIE_RECEIVED))
    )
    return Sample(
        index=gpu.index,
        graphics_clock_hz=gpu.scaled("graphics_clock_hz", _MHZ, ("nvmlDeviceGetClockInfo", CLOCK_GRAPHICS)),
        memory_clock_hz=gpu.scaled("memory_clock_hz", _MHZ, ("nvmlDeviceGetClockInfo", CLOCK_MEMORY), positive=True),
        throttles=None if bits is None else throttles(bits),
        temperature_c=gpu.scaled("temperature_c", 1.0, ("nvmlDeviceGetTemperatureV", TEMPERATURE_GPU), ("nvmlDeviceGetTemperature", TEMPERATURE_GPU)),
        power_w=gpu.scaled("power_w", 1e-3, "nvmlDeviceGetPowerUsage"),
        power_limit_w=gpu.scaled("power_limit_w", 1e-3, "nvmlDeviceGetEnforcedPowerLimit", positive=True),
        busy=None if rates is None else rates.gpu / 100,
        memory_busy=None if rates is None else rates.memory / 100,
        memory_used_bytes=None if memory is None else int(memory.used),
        memory_bytes=None if memory is None else int(memory.total),
        pcie_sent_bytes_per_s=sent,
        pcie_received_bytes_per_s=received,
        pcie_generation=gpu.ask("pcie_generation", "nvmlDeviceGetCurrPcieLinkGeneration", positive=True),
        pcie_width=gpu.ask("pcie_width", "nvmlDeviceGetCurrPcieLinkWidth", positive=True),
        missing=dict(gpu.missing),
    )


@dataclass(frozen=True, slots=True)
class Moment:
    """Every GPU at one moment, `seconds` after the sampler was first asked."""

    seconds: float
    samples: tuple[Sample, ...]


class Sampler:
    """Telemetry for everybody who asks: the driver is asked once in `every_s` at most, however many ask."""

    def __init__(self, *, every_s: float = 1.0, keep: int = 300, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._nvml: Nvml | None = None
        self._first: float | None = None
        self._last = float("-inf")
        self._failed: NotMeasured | None = None
        self._keep = keep
        self._kept: tuple[Moment, ...] = ()

    def latest(self) -> tuple[Sample, ...]:
        """The newest sample of every GPU, at most `every_s` old. Raises `NotMeasured` where there is none to be had.

        While one thread asks the driver, the others are answered with what was before.
        """
        if self._lock.acquire(blocking=not self._kept):
            try:
                if self._clock() - self._last >= self._every_s:
                    self._read()
            finally:
                self._lock.release()
        if self._failed is not None:
            raise NotMeasured(self._failed.reason, self._failed.detail, extra=self._failed.extra)
        return self._kept[-1].samples

    def history(self) -> tuple[Moment, ...]:
        """What was sampled before, oldest first."""
        return self._kept

    def close(self) -> None:
        """Closes the library; the next question opens it again."""
        with self._lock:
            self._shut()

    def _read(self) -> None:
        self._last = self._clock()
        if self._first is None:
            self._first = self._last
        try:
            self._nvml = self._nvml or _open()
            samples = tuple(sampled(gpu) for gpu in self._nvml.gpus())
        except NotMeasured as error:
            self._failed = error
            self._shut()
            return
        self._failed = None
        self._kept = (*self._kept, Moment(self._last - self._first, samples))[-self._keep :]
        if any(Missing.UNINITIALIZED in sample.missing.values() for sample in samples):
            self._shut()

    def _shut(self) -> None:
        if self._nvml is not None:
            _close(self._nvml)
            self._nvml = None


TELEMETRY = Sampler()
"""The sampler that everybody shares."""

CONFIRMED_BY = {
    "memory_clock_hz": "clocks.max.memory",
    "memory_bytes": "memory.total",
    "driver": "driver_version",
    "pcie_generation": "pcie.link.gen.gpucurrent,pcie.link.gen.max",
    "pcie_width": "pcie.link.width.current,pcie.link.width.max",
    "graphics_clock_hz": "clocks.current.graphics",
    "temperature_c": "temperature.gpu",
    "power_w": "power.draw,enforced.power.limit",
    "throttles": "clocks_event_reasons.active",
    "busy": "utilization.gpu,utilization.memory",
    "memory_used_bytes": "memory.used",
    "ecc": "ecc.mode.current",
    "mig": "mig.mode.current",
}
"""What to ask nvidia-smi to see the same figure."""


def confirming(field_name: str, index: int = 0) -> str:
    """The command that shows a figure of a GPU without this program.

    >>> confirming("memory_clock_hz", 1)
    'nvidia-smi -i 1 --query-gpu=clocks.max.memory --format=csv'
    """
    return f"nvidia-smi -i {index} --query-gpu={CONFIRMED_BY[field_name]} --format=csv"
