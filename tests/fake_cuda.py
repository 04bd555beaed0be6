"""A stand-in for cuda.bindings: a driver whose devices are memory of this computer, and a compiler that hands the text on.

With `compiled_here`, launches run: the same CUDA source, behind a few definitions that make C++ of it, one thread after the other.
"""

# ruff: noqa: N802, N815 - the functions have the package's own names

from __future__ import annotations

import ctypes
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wallviz.machine.probe import cuda_source

MIB = 2**20

SHIM = """\
#include <cmath>
#include <cstring>
#define __device__
#define __global__
#define __forceinline__ static inline
#define __launch_bounds__(n)
#define __restrict__ __restrict
struct alignas(16) float4 { float x, y, z, w; };
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
struct Place { unsigned x, y, z; };
static Place blockIdx, threadIdx, gridDim, blockDim;
static inline float __uint_as_float(unsigned bits) { float value; memcpy(&value, &bits, 4); return value; }
static inline unsigned atomicAdd(unsigned* at, unsigned value) { unsigned before = *at; *at += value; return before; }
template <class T> static inline T __ldg(const T* at) { return *at; }
#line 1 "wallviz.cu"
"""
LAUNCHER = """
extern "C" void run(void (*entry)(float4*, const float4*, const float4*, const Parameters, u32*), unsigned blocks, unsigned threads, void** given) {
  Parameters parameters;
  memcpy(&parameters, given[3], sizeof parameters);
  gridDim = {blocks, 1, 1};
  blockDim = {threads, 1, 1};
  for (unsigned block = 0; block < blocks; block++)
    for (unsigned thread = 0; thread < threads; thread++) {
      blockIdx = {block, 0, 0};
      threadIdx = {thread, 0, 0};
      entry(*(float4**)given[0], *(const float4**)given[1], *(const float4**)given[2], parameters, *(u32**)given[4]);
    }
}
"""


def compiled_here(compiler: str, folder: Path, source: str | None = None) -> ctypes.CDLL:
    """The CUDA source as a library of this computer."""
    text = SHIM + (source or cuda_source.source()) + LAUNCHER
    (folder / "kernels.cpp").write_text(text, encoding="utf-8")
    library = folder / "kernels.so"
    options = ["-std=c++17", "-O2", "-shared", "-fPIC", "-fno-strict-aliasing"]
    subprocess.run([compiler, *options, "-o", str(library), str(folder / "kernels.cpp")], check=True, capture_output=True, text=True)
    return ctypes.CDLL(str(library))


class CUresult(IntEnum):
    """Those of the driver's answers that the tests use."""

    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NOT_INITIALIZED = 3
    CUDA_ERROR_DEINITIALIZED = 4
    CUDA_ERROR_STUB_LIBRARY = 34
    CUDA_ERROR_DEVICE_UNAVAILABLE = 46
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_INVALID_DEVICE = 101
    CUDA_ERROR_INVALID_IMAGE = 200
    CUDA_ERROR_INVALID_CONTEXT = 201
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209
    CUDA_ERROR_ECC_UNCORRECTABLE = 214
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222
    CUDA_ERROR_ILLEGAL_ADDRESS = 700
    CUDA_ERROR_LAUNCH_TIMEOUT = 702
    CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704
    CUDA_ERROR_LAUNCH_FAILED = 719
    CUDA_ERROR_NOT_PERMITTED = 800
    CUDA_ERROR_NOT_SUPPORTED = 801
    CUDA_ERROR_SYSTEM_NOT_READY = 802
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803
    CUDA_ERROR_UNKNOWN = 999


ATTRIBUTES = {
    "MULTIPROCESSOR_COUNT": 16,
    "INTEGRATED": 18,
    "MEMORY_CLOCK_RATE": 36,
    "GLOBAL_MEMORY_BUS_WIDTH": 37,
    "L2_CACHE_SIZE": 38,
    "COMPUTE_CAPABILITY_MAJOR": 75,
    "COMPUTE_CAPABILITY_MINOR": 76,
}
CUdevice_attribute = IntEnum("CUdevice_attribute", {f"CU_DEVICE_ATTRIBUTE_{name}": value for name, value in ATTRIBUTES.items()})  # type: ignore[misc]


class CUdeviceptr:
    """An address of the device: not a number, but it has one."""

    def __init__(self, address: int) -> None:
        self.address = address

    def __int__(self) -> int:
        return self.address


@dataclass
class FakeDevice:
    """One GPU of the stand-in."""

    name: bytes = b"NVIDIA H100 80GB HBM3"
    memory_bytes: int = 85_029_158_912
    free_bytes: int = 80 * 2**30
    bus_id: bytes = b"0000:18:00.0"
    peers: bool = True
    attributes: dict[str, int] = field(
        default_factory=lambda: {
            "MULTIPROCESSOR_COUNT": 1,
            "MEMORY_CLOCK_RATE": 2_619_000,
            "GLOBAL_MEMORY_BUS_WIDTH": 5120,
            "L2_CACHE_SIZE": 50 * MIB,
            "COMPUTE_CAPABILITY_MAJOR": 9,
        }
    )


PAIRS = {
    "cuMemAlloc": "cuMemFree",
    "cuMemHostAlloc": "cuMemFreeHost",
    "cuStreamCreate": "cuStreamDestroy",
    "cuEventCreate": "cuEventDestroy",
    "cuModuleLoadData": "cuModuleUnload",
    "cuDevicePrimaryCtxRetain": "cuDevicePrimaryCtxRelease",
    "cuCtxPushCurrent": "cuCtxPopCurrent",
    "cuCtxEnablePeerAccess": "cuCtxDisablePeerAccess",
}
"""What takes something, and what gives it back."""


class Driver:
    """The module cuda.bindings.driver. `fails` names functions, each with the call from which on it fails and how; a lost device stays lost.

    `taken` and `given` count what was taken and given back; `seen` keeps the arguments of the first call of each function.
    """

    CUdevice_attribute = CUdevice_attribute

    def __init__(self, *devices: FakeDevice, library: ctypes.CDLL | None = None, version: int = 13000) -> None:
        self.devices = devices
        self.fails: dict[str, tuple[int, CUresult]] = {}
        self.absent: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.seen: dict[str, tuple[Any, ...]] = {}
        self.damaged_reads = False
        self.slow_events = 1.0
        self._library = library
        self._version = version
        self._lost: CUresult | None = None
        self._memory: dict[int, tuple[int, Any, int]] = {}
        self._contexts = [0]
        self._events: dict[int, float] = {}
        self._handle = 1000

    @property
    def balanced(self) -> bool:
        """Whether everything that was taken was given back."""
        return all(self.taken[take] == self.given[give] for take, give in PAIRS.items())

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        if not name.startswith("cu"):
            raise AttributeError(name)
        if name in self.absent:

            def missing(*_: Any) -> Any:
                raise RuntimeError(f'Function "{name}" not found')

            return missing
        work = getattr(self, f"_{name}")

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls[name] += 1
            self.seen.setdefault(name, arguments)
            if name in PAIRS.values():
                self.given[name] += 1
            after, code = self.fails.get(name, (0, None))
            if self._lost is None and code is not None and self.calls[name] > after:
                if code.name.split("_")[2] in ("ECC", "ILLEGAL", "LAUNCH", "UNKNOWN"):
                    self._lost = code
                return self._refused(name, code)
            if self._lost is not None:
                return self._refused(name, self._lost)
            answer = work(*arguments)
            if isinstance(answer, CUresult):
                return self._refused(name, answer)
            if name in PAIRS:
                self.taken[name] += 1
            return (CUresult.CUDA_SUCCESS, *answer)

        return call

    def _refused(self, name: str, code: CUresult) -> tuple[Any, ...]:
        empty = {"cuMemGetInfo": (0, 0)}.get(name, (0,) if name in PAIRS or "Get" in name or "Can" in name else ())
        return (code, *empty)

    def _new(self) -> int:
        self._handle += 1
        return self._handle

    # ------------------------------------------------------------------------------------------------ what the driver does

    def _cuInit(self, flags: int) -> Any:
        return ()

    def _cuDriverGetVersion(self) -> Any:
        return (self._version,)

    def _cuDeviceGetCount(self) -> Any:
        return (len(self.devices),)

    def _cuDeviceGet(self, place: int) -> Any:
        return (place,) if 0 <= place < len(self.devices) else CUresult.CUDA_ERROR_INVALID_DEVICE

    def _cuDeviceGetName(self, length: int, device: int) -> Any:
        return (self.devices[device].name.ljust(length, b"\0"),)

    def _cuDeviceGetPCIBusId(self, length: int, device: int) -> Any:
        return (self.devices[device].bus_id.ljust(length, b"\0"),)

    def _cuDeviceTotalMem(self, device: int) -> Any:
        return (self.devices[device].memory_bytes,)

    def _cuDeviceGetAttribute(self, attribute: Any, device: int) -> Any:
        assert isinstance(attribute, CUdevice_attribute)
        return (self.devices[device].attributes.get(attribute.name.removeprefix("CU_DEVICE_ATTRIBUTE_"), 0),)

    def _cuDevicePrimaryCtxRetain(self, device: int) -> Any:
        return (device + 1,)

    def _cuDevicePrimaryCtxRelease(self, device: int) -> Any:
        return ()

    def _cuCtxPushCurrent(self, context: int) -> Any:
        self._contexts.append(context)
        return ()

    def _cuCtxPopCurrent(self) -> Any:
        return (self._contexts.pop(),)

    def _cuModuleLoadData(self, image: bytes) -> Any:
        assert isinstance(image, bytes)
        return (self._new(),)

    def _cuModuleUnload(self, module: int) -> Any:
        return ()

    def _cuModuleGetFunction(self, module: int, name: bytes) -> Any:
        return (name.decode(),)

    def _cuOccupancyMaxActiveBlocksPerMultiprocessor(self, function: str, threads: int, shared: int) -> Any:
        return (8,)

    def _cuStreamCreate(self, flags: int) -> Any:
        return (self._new(),)

    def _cuStreamDestroy(self, stream: int) -> Any:
        return ()

    def _cuStreamSynchronize(self, stream: int) -> Any:
        return ()

    def _cuEventCreate(self, flags: int) -> Any:
        return (self._new(),)

    def _cuEventDestroy(self, event: int) -> Any:
        return ()

    def _cuEventRecord(self, event: int, stream: int) -> Any:
        self._events[event] = time.perf_counter()
        return ()

    def _cuEventSynchronize(self, event: int) -> Any:
        return ()

    def _cuEventElapsedTime(self, begin: int, end: int) -> Any:
        return ((self._events[end] - self._events[begin]) * 1e3 * self.slow_events,)

    def _current(self) -> int:
        return self._contexts[-1] - 1

    def _cuMemGetInfo(self) -> Any:
        device = self.devices[self._current()]
        return device.free_bytes - sum(size for size, _, at in self._memory.values() if at == self._current()), device.memory_bytes

    def _cuMemAlloc(self, size: int) -> Any:
        if size > self._cuMemGetInfo()[0]:
            return CUresult.CUDA_ERROR_OUT_OF_MEMORY
        return (CUdeviceptr(self._room(size, self._current())),)

    def _room(self, size: int, device: int) -> int:
        room = ctypes.create_string_buffer(size + 256)
        address = (ctypes.addressof(room) + 255) // 256 * 256
        self._memory[address] = size, room, device
        return address

    def _cuMemFree(self, pointer: Any) -> Any:
        return () if self._memory.pop(int(pointer), None) else CUresult.CUDA_ERROR_INVALID_VALUE

    def _cuMemHostAlloc(self, size: int, flags: int) -> Any:
        return (self._room(size, -1),)

    def _cuMemFreeHost(self, address: int) -> Any:
        return self._cuMemFree(address)

    def _copy(self, to: Any, source: Any, size: int, *_: Any) -> Any:
        assert self._inside(int(to), size) or self._inside(int(source), size)
        ctypes.memmove(int(to), int(source), size)
        return ()

    def _inside(self, address: int, size: int) -> bool:
        return any(start <= address and address + size <= start + room for start, (room, _, _) in self._memory.items())

    _cuMemcpyHtoD = _cuMemcpyHtoDAsync = _cuMemcpyDtoDAsync = _copy

    def _cuMemcpyDtoH(self, to: int, source: Any, size: int) -> Any:
        return self._copy(to, source, size)

    def _cuMemcpyDtoHAsync(self, to: int, source: Any, size: int, stream: int) -> Any:
        self._copy(to, source, size)
        if self.damaged_reads:
            ctypes.memset(to + size - 4, 0, 4)
        return ()

    def _cuMemcpyPeerAsync(self, to: Any, to_context: int, source: Any, context: int, size: int, stream: int) -> Any:
        assert to_context != context
        return self._copy(to, source, size)

    def _cuMemsetD32Async(self, to: Any, value: int, n: int, stream: int) -> Any:
        assert value == 0
        ctypes.memset(int(to), 0, 4 * n)
        return ()

    def _cuDeviceCanAccessPeer(self, device: int, peer: int) -> Any:
        return (int(self.devices[device].peers and self.devices[peer].peers),)

    def _cuCtxEnablePeerAccess(self, context: int, flags: int) -> Any:
        return ()

    def _cuCtxDisablePeerAccess(self, context: int) -> Any:
        return ()

    def _cuLaunchKernel(self, function: str, *given: Any) -> Any:
        gx, gy, gz, bx, by, bz, shared, _, parameters, extra = given
        assert (gy, gz, by, bz, shared, extra) == (1, 1, 1, 1, 0, 0)
        assert gx >= 1
        if self._library is not None:
            self._library.run(getattr(self._library, function), gx, bx, ctypes.c_void_p(parameters))
        return ()


def compiler(known: tuple[int, ...] = (75, 80, 90), fails: str = "") -> Any:
    """The module cuda.bindings.nvrtc: it compiles nothing. `fails`: the compiler says no, with this text."""
    ok = IntEnum("nvrtcResult", {"NVRTC_SUCCESS": 0, "NVRTC_ERROR_COMPILATION": 6})  # type: ignore[misc]
    made = SimpleNamespace(programs=0)

    def create(source: bytes, name: bytes, headers: int, texts: list[bytes], names: list[bytes]) -> Any:
        made.programs += 1
        return ok(0), 7

    def destroy(program: int) -> Any:
        made.programs -= 1
        return (ok(0),)

    def fill(program: int, text: bytearray) -> Any:
        text[:] = fails.encode() or b"code"
        return (ok(0),)

    made.nvrtcCreateProgram = create
    made.nvrtcDestroyProgram = destroy
    made.nvrtcGetSupportedArchs = lambda: (ok(0), list(known))
    made.nvrtcCompileProgram = lambda program, n, options: (ok(6 if fails else 0),)
    for what in ("ProgramLog", "CUBIN", "PTX"):
        setattr(made, f"nvrtcGet{what}Size", lambda program: (ok(0), len(fails or "code")))
        setattr(made, f"nvrtcGet{what}", fill)
    return made
