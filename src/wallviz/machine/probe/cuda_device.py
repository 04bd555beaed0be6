"""An NVIDIA GPU through the driver's own interface (cuda-bindings) and NVRTC: what it is, the kernels compiled for it, and how they are run.

Everything that is taken is given back in the end, last things first, whatever happens: `CudaGpu` hands each of them to an ExitStack as it takes it.
"""

from __future__ import annotations

import ctypes
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wallviz.machine.probe import cuda_source
from wallviz.machine.probe.kernels import SEEDS
from wallviz.machine.reasons import NotMeasured, Reason
from wallviz.machine.record import Cache, Device, plain_text

Launch: TypeAlias = Callable[[], object]
"""Puts one pass into the stream and returns at once."""

TIMERS_AGREE = (0.5, 1.1)
"""Events over wall time of one sample: outside, the events are not used."""
L1_BYTES = {
    (7, 0): 128 * 1024,
    (7, 2): 128 * 1024,
    (7, 5): 96 * 1024,
    (8, 0): 192 * 1024,
    (8, 6): 128 * 1024,
    (8, 7): 192 * 1024,
    (8, 9): 128 * 1024,
    (9, 0): 256 * 1024,
    (10, 0): 256 * 1024,
    (10, 3): 256 * 1024,
    (11, 0): 256 * 1024,
    (12, 0): 128 * 1024,
    (12, 1): 128 * 1024,
}
"""First-level cache and shared memory of a multiprocessor together, by compute capability (CUDA C++ Programming Guide, "Compute capabilities")."""

# ------------------------------------------------------------------------------------------------------------------ errors

_REASONS = {
    "CUDA_ERROR_NO_DEVICE": Reason.NO_DEVICE,
    "CUDA_ERROR_INVALID_DEVICE": Reason.NO_DEVICE,
    "CUDA_ERROR_DEVICE_NOT_LICENSED": Reason.NO_DEVICE,
    "CUDA_ERROR_DEVICE_UNAVAILABLE": Reason.NO_DEVICE,  # somebody has it to themselves
    "CUDA_ERROR_STUB_LIBRARY": Reason.NO_DRIVER,
    "CUDA_ERROR_NOT_INITIALIZED": Reason.NO_DRIVER,
    "CUDA_ERROR_SYSTEM_NOT_READY": Reason.NO_DRIVER,
    "CUDA_ERROR_OPERATING_SYSTEM": Reason.NO_DRIVER,
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": Reason.DRIVER_TOO_OLD,
    "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE": Reason.DRIVER_TOO_OLD,
    "CUDA_ERROR_UNSUPPORTED_PTX_VERSION": Reason.DRIVER_TOO_OLD,
    "CUDA_ERROR_NO_BINARY_FOR_GPU": Reason.DRIVER_TOO_OLD,
    "CUDA_ERROR_INVALID_IMAGE": Reason.DRIVER_TOO_OLD,
    "CUDA_ERROR_INVALID_PTX": Reason.DRIVER_TOO_OLD,
    "CUDA_ERROR_JIT_COMPILER_NOT_FOUND": Reason.DRIVER_TOO_OLD,
    "CUDA_ERROR_OUT_OF_MEMORY": Reason.MEMORY,
    "CUDA_ERROR_LAUNCH_TIMEOUT": Reason.TIMEOUT,
    "CUDA_ERROR_TIMEOUT": Reason.TIMEOUT,
    "NVRTC_ERROR_OUT_OF_MEMORY": Reason.MEMORY,
}
_LOST = re.compile(
    "ECC_UNCORRECTABLE|HARDWARE|LAUNCH_FAILED|ILLEGAL|MISALIGNED|INVALID_PC|ADDRESS_SPACE|DEINITIALIZED|CONTEXT|NVLINK|EXTERNAL_DEVICE|MPS|ASSERT|"
    "UNKNOWN|CONTAINED"
)


class Refused(NotMeasured):
    """A call to the driver or the compiler that failed; `code` is its name for that."""

    def __init__(self, code: str, function: str) -> None:
        otherwise = Reason.LOST if _LOST.search(code) else Reason.UNSUPPORTED
        super().__init__(_REASONS.get(code, otherwise), f"{function}: {code}", extra="cuda")
        self.code = code


class Library:
    """The driver or the compiler, through one place: what a call answers without its status, or why it failed."""

    def __init__(self, module: Any, absent: Reason) -> None:
        self.module = module
        self._absent = absent
        self._answered = False

    def __call__(self, function: str, *arguments: Any) -> Any:
        """Calls `function`. Raises `NotMeasured`."""
        try:
            status, *answer = getattr(self.module, function)(*arguments)
        except RuntimeError as error:  # the library, or this function of it, is not there
            reason = Reason.DRIVER_TOO_OLD if self._answered and self._absent is Reason.NO_DRIVER else self._absent
            raise NotMeasured(reason, f"{function}: {error}", extra="cuda") from None
        self._answered = True
        if int(status) != 0:
            raise Refused(str(getattr(status, "name", status)), function)
        return answer[0] if len(answer) == 1 else tuple(answer)


def package(name: str, absent: Reason) -> Library:
    """A module of cuda-bindings; `absent` is why nothing is measured where what it binds to is not there. Raises `NotMeasured`."""
    try:
        return Library(import_module(f"cuda.bindings.{name}"), absent)
    except (ImportError, RuntimeError) as error:
        raise NotMeasured(Reason.NO_PACKAGE, str(error), extra="cuda") from None


def started() -> Library:
    """The driver, started. Raises `NotMeasured` where there is none, or no device."""
    driver = package("driver", Reason.NO_DRIVER)
    try:
        driver("cuInit", 0)
    except Refused as error:
        if error.reason is Reason.LOST:  # CUDA_ERROR_UNKNOWN: its kernel module is not loaded, or not passed into the container
            raise NotMeasured(Reason.NO_DRIVER, error.detail, extra="cuda") from None
        raise
    if driver("cuDeviceGetCount") == 0:
        raise NotMeasured(Reason.NO_DEVICE, "CUDA counts none", extra="cuda")
    return driver


# ----------------------------------------------------------------------------------------------------------------- devices


@dataclass(frozen=True, slots=True)
class Chip:
    """What the driver tells of a device, as a record holds it, and what a measurement needs besides."""

    device: Device
    capability: tuple[int, int]
    multiprocessors: int
    l2_bytes: int
    shares_memory: bool
    bus_id: str

    @property
    def is_slice(self) -> bool:
        """Whether this is a MIG slice of a GPU."""
        return " MIG " in f"{self.device.name} "


def described(driver: Library, place: int) -> Chip:
    """What the driver tells of the device at `place`; serial numbers are not asked for."""
    handle = driver("cuDeviceGet", place)
    attributes = driver.module.CUdevice_attribute

    def attribute(name: str) -> int:
        try:
            return int(driver("cuDeviceGetAttribute", getattr(attributes, f"CU_DEVICE_ATTRIBUTE_{name}"), handle))
        except Refused:
            return 0

    capability = attribute("COMPUTE_CAPABILITY_MAJOR"), attribute("COMPUTE_CAPABILITY_MINOR")
    processors, l2_bytes = attribute("MULTIPROCESSOR_COUNT"), attribute("L2_CACHE_SIZE")
    version = driver("cuDriverGetVersion")
    caches = [Cache(1, L1_BYTES[capability], 1)] if capability in L1_BYTES else []
    caches += [Cache(2, l2_bytes, processors)] if l2_bytes and processors else []
    device = Device(
        name=plain_text(_text(driver("cuDeviceGetName", 256, handle)), 100),
        kind="gpu",
        vendor="NVIDIA",
        architecture=f"compute capability {capability[0]}.{capability[1]}",
        backend=f"CUDA {version // 1000}.{version % 1000 // 10}",
        system=plain_text(platform.system()),
        processors=processors or None,
        memory_bytes=int(driver("cuDeviceTotalMem", handle)) or None,
        memory_clock_hz=attribute("MEMORY_CLOCK_RATE") * 1e3 or None,  # in kHz, the highest
        bus_bits=attribute("GLOBAL_MEMORY_BUS_WIDTH") or None,
        caches=tuple(caches),
    )
    bus_id = _text(driver("cuDeviceGetPCIBusId", 32, handle))
    return Chip(device, capability, processors or 1, l2_bytes, bool(attribute("INTEGRATED")), bus_id)


def _text(given: Any) -> str:
    return bytes(given).split(b"\0")[0].decode(errors="replace")


# ---------------------------------------------------------------------------------------------------------------- compiler


def target(capability: tuple[int, int], known: list[int]) -> str:
    """What to compile for: the very architecture where NVRTC knows it, or the newest older one, in the form that drivers translate (PTX).

    >>> target((9, 0), [75, 90, 100]), target((8, 8), [75, 86, 90])
    ('sm_90', 'compute_86')
    """
    number = 10 * capability[0] + capability[1]
    if number in known:
        return f"sm_{number}"
    older = [each for each in known if each < number]
    if not older:
        detail = f"compute capability {capability[0]}.{capability[1]}; this NVRTC begins at {min(known) / 10}" if known else "NVRTC knows none"
        raise NotMeasured(Reason.UNSUPPORTED, detail, extra="cuda")
    return f"compute_{max(older)}"


def compiled(architecture: str, nvrtc: Library | None = None, *, text: str = "") -> bytes:
    """The kernels, or another `text`, for `architecture` (``sm_90``: its own code; ``compute_90``: PTX). Needs neither driver nor device.

    Raises `NotMeasured`.
    """
    nvrtc = nvrtc or package("nvrtc", Reason.NO_PACKAGE)
    program = nvrtc("nvrtcCreateProgram", (text or cuda_source.source()).encode(), b"wallviz.cu", 0, [], [])
    try:
        options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17"]
        try:
            nvrtc("nvrtcCompileProgram", program, len(options), options)
        except Refused as error:
            log = _filled(nvrtc, "nvrtcGetProgramLog", program)
            raise NotMeasured(error.reason, f"{error.detail}: {log.decode(errors='replace')}", extra="cuda") from None
        return _filled(nvrtc, "nvrtcGetCUBIN" if architecture.startswith("sm_") else "nvrtcGetPTX", program)
    finally:
        with suppress(Exception):
            nvrtc.module.nvrtcDestroyProgram(program)


def _filled(nvrtc: Library, function: str, program: Any) -> bytes:
    text = bytearray(nvrtc(f"{function}Size", program))
    nvrtc(function, program, text)
    return bytes(text)


# ----------------------------------------------------------------------------------------------------------------- device


class CudaGpu:
    """An open device: it runs entry points of `cuda_source` on three arrays and says how long they took."""

    def __init__(self, driver: Library, nvrtc: Library, place: int, held: ExitStack) -> None:
        self.driver = driver
        self._held = held
        self.chip = described(driver, place)
        self.architecture = target(self.chip.capability, list(nvrtc("nvrtcGetSupportedArchs")))
        image = compiled(self.architecture, nvrtc)
        self.agreed = False
        """Whether the device's events are used; see `CudaGpu.trust`."""
        handle = driver("cuDeviceGet", place)
        self.context = driver("cuDevicePrimaryCtxRetain", handle)
        self.later("cuDevicePrimaryCtxRelease", handle)
        driver("cuCtxPushCurrent", self.context)
        self.later("cuCtxPopCurrent")
        self._module = self.take("cuModuleUnload", "cuModuleLoadData", image)
        self.stream = self.take("cuStreamDestroy", "cuStreamCreate", 1)  # 1: does not wait for the stream that everybody has
        self._begin, self._end = (self.take("cuEventDestroy", "cuEventCreate", 0) for _ in range(2))
        self.found = self.take("cuMemFree", "cuMemAlloc", 16)
        self._functions = {name: driver("cuModuleGetFunction", self._module, name.encode()) for name in cuda_source.entries()}
        self._arrays = held.enter_context(ExitStack())
        self.arrays: dict[str, Any] = {}
        self.array_bytes = 0

    def later(self, function: str, *arguments: Any, stack: ExitStack | None = None) -> None:
        """Calls `function` in the end; what fails then fails because the device is gone, and everything with it."""

        def give_back() -> None:
            with suppress(Exception):
                getattr(self.driver.module, function)(*arguments)

        (stack or self._held).callback(give_back)

    def take(self, give_back: str, function: str, *arguments: Any, stack: ExitStack | None = None) -> Any:
        """What `function` gives, until `give_back` takes it again."""
        taken = self.driver(function, *arguments)
        self.later(give_back, taken, stack=stack)
        return taken

    def free_bytes(self) -> int:
        """Memory of the device that nobody has taken."""
        return int(self.driver("cuMemGetInfo")[0])

    def allot(self, wanted_bytes: int, smallest_bytes: int) -> int:
        """Makes the three arrays of `wanted_bytes`, or half of them, and again, until they fit; answers with what they got."""
        size = wanted_bytes
        while size >= smallest_bytes:
            try:
                self.arrays = {name: self.take("cuMemFree", "cuMemAlloc", size, stack=self._arrays) for name in "abc"}
            except Refused as error:
                self._arrays.close()
                if error.reason is not Reason.MEMORY:
                    raise
                size //= 2
            else:
                self.array_bytes = size
                for name, seed in SEEDS.items():
                    self._fill(name, seed)
                self.wait()
                return size
        raise NotMeasured(Reason.MEMORY, f"3 x {size * 2} bytes", extra="cuda")

    @property
    def elements(self) -> int:
        """Vectors of an array."""
        return self.array_bytes // cuda_source.VECTOR_BYTES

    def _fill(self, name: str, seed: int) -> None:
        others = "".join(other for other in "abc" if other != name)
        self.launcher("fill", self.blocks(self.chip.multiprocessors * 8), bind=name + others, n=self.elements, seed=seed)()

    def refill(self) -> None:
        """Gives `b` its values again."""
        self._fill("b", SEEDS["b"])

    def resident(self, entry: str) -> int:
        """Blocks of `entry` that the device runs at once."""
        per_processor = self.driver("cuOccupancyMaxActiveBlocksPerMultiprocessor", self._functions[entry], cuda_source.BLOCK, 0)
        return max(1, int(per_processor)) * self.chip.multiprocessors

    def blocks(self, wanted: int) -> int:
        """Blocks for a pass over an array: never more than have something to do."""
        return max(1, min(wanted, self.elements // cuda_source.BLOCK))

    def launcher(self, entry: str, blocks: int, *, block: int = cuda_source.BLOCK, bind: str = "abc", **values: Any) -> Launch:
        """Puts `entry` into the stream when it is called, the arrays of `bind` as its a, b and c."""
        pointers = [ctypes.c_uint64(int(self.arrays[name])) for name in bind]
        parameters = ctypes.create_string_buffer(cuda_source.parameters(**values))
        arguments = (*pointers, parameters, ctypes.c_uint64(int(self.found)))
        table = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(each) for each in arguments))
        function, driver = self._functions[entry], self.driver

        def launch(kept: Any = arguments) -> None:  # the table points into the arguments: they must live as long as it
            driver("cuLaunchKernel", function, blocks, 1, 1, block, 1, 1, 0, self.stream, ctypes.addressof(table), 0)

        return launch

    def wait(self) -> None:
        """Until everything in the stream is done."""
        self.driver("cuStreamSynchronize", self.stream)

    def once(self, launch: Launch) -> None:
        """Runs a launch to its end."""
        launch()
        self.wait()

    def timed(self, launch: Launch, repeats: int, during: Callable[[], object] = lambda: None) -> tuple[float, float]:
        """Runs a launch so often: seconds by the wall, and by the device. `during` is called while it works."""
        start = time.perf_counter()
        self.driver("cuEventRecord", self._begin, self.stream)
        for _ in range(repeats):
            launch()
        self.driver("cuEventRecord", self._end, self.stream)
        during()
        self.driver("cuEventSynchronize", self._end)
        wall = time.perf_counter() - start
        return wall, float(self.driver("cuEventElapsedTime", self._begin, self._end)) * 1e-3

    def seconds(self, launch: Launch, repeats: int = 1) -> float:
        """The time of one of `repeats` launches, by the device where its events are trusted."""
        wall, device = self.timed(launch, repeats)
        return max(1e-9, device if self.agreed and device > 0 else wall) / repeats

    def trust(self, launch: Launch, repeats: int) -> bool:
        """Decides whether the device's events are used: they must agree with the wall on runs that are long against its overhead."""
        pairs = [self.timed(launch, repeats) for _ in range(3)]
        self.agreed = TIMERS_AGREE[0] < median(device / wall for wall, device in pairs) < TIMERS_AGREE[1]
        return self.agreed

    def copying(self, function: str, to: Any, source: Any, size: int) -> Launch:
        """Puts one copy into the stream when it is called."""
        return lambda: self.driver(function, to, source, size, self.stream)

    def read(self, source: Any, values: NDArray[Any]) -> NDArray[Any]:
        """Fills `values` from the device, once everything before is done."""
        self.wait()
        self.driver("cuMemcpyDtoH", values.ctypes.data, source, values.nbytes)
        return values

    def write(self, to: Any, values: NDArray[Any]) -> None:
        """Writes `values` to the device, once everything before is done."""
        self.wait()
        self.driver("cuMemcpyHtoD", to, values.ctypes.data, values.nbytes)

    def clear(self, name: str) -> None:
        """Sets an array to zero, which no kernel writes."""
        self.driver("cuMemsetD32Async", self.arrays[name], 0, self.array_bytes // 4, self.stream)

    def damage(self, name: str, place: int, amount: float) -> None:
        """Adds `amount` to the f32 at `place` of an array."""
        at = int(self.arrays[name]) + 4 * place
        self.write(at, self.read(at, np.zeros(1, np.float32)) + np.float32(amount))

    def counted(self) -> int:
        """The counter of what differs."""
        return int(self.read(self.found, np.zeros(1, np.uint32))[0])

    def count(self, value: int) -> None:
        """Sets the counter."""
        self.write(self.found, np.array([value], np.uint32))


@contextmanager
def opened(place: int = 0) -> Iterator[CudaGpu]:
    """The device at `place` until the block ends. Everything that goes wrong in it becomes a `NotMeasured`."""
    driver, nvrtc = started(), package("nvrtc", Reason.NO_PACKAGE)
    count = driver("cuDeviceGetCount")
    if not 0 <= place < count:
        raise NotMeasured(Reason.NO_DEVICE, f"gpu {place} of {count}", extra="cuda")
    try:
        with ExitStack() as held:
            yield CudaGpu(driver, nvrtc, place, held)
    except Exception as error:
        raise explained(error) from None


def explained(error: Exception) -> NotMeasured:
    """Whatever went wrong, as a reason."""
    if isinstance(error, NotMeasured):
        return error
    reason = Reason.MEMORY if isinstance(error, MemoryError) else Reason.UNSUPPORTED
    return NotMeasured(reason, f"{type(error).__name__}: {error}", extra="cuda")
