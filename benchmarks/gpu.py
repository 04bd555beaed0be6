"""Our figures of an NVIDIA GPU against a plain CUDA C++ STREAM and chase of our own, and against torch's copy: read the ratios.

    .venv/bin/python -m benchmarks.gpu                   # about a minute; extra cuda is needed, torch is used where it is installed
    .venv/bin/python -m benchmarks.gpu --gpu 1 --rounds 40

Passes follow each other in turns on the same arrays, so that all see the same clocks; the best of each counts. The plain text is what anybody would
write: one double for each thread, 1024 threads a block; NVRTC compiles it. Targets: device copy and triad 0.95 of the faster of the others, latency
within 10 % of the plain chase, copies from and to the host near what PCIe carries, second-level cache and memory to be seen in the staircase. Where
nvbandwidth or BabelStream is installed, its figures are printed too. Without a GPU the reason is all that is printed.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from wallviz.machine.probe import cuda, cuda_device, nvml
from wallviz.machine.probe.cpu import sizes
from wallviz.machine.probe.cuda_device import CudaGpu, Launch
from wallviz.machine.probe.kernels import SCALAR
from wallviz.machine.reasons import NotMeasured, Reason

MIB = 2**20
WORDS = {"copy": 2, "scale": 2, "add": 3, "triad": 3}
THREADS = 1024
BUDGET_S = 12.0
"""Of the whole measurement at the end."""
ENOUGH = 0.95
CLOSE = 0.10
PCIE_LANE_BYTES_PER_S = {1: 0.25e9, 2: 0.5e9, 3: 0.985e9, 4: 1.969e9, 5: 3.938e9, 6: 7.563e9}
"""One lane, one way, by generation (PCI-SIG; line code counted, packets not)."""

PLAIN = r"""
#define AT const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; if (i < n)
#define GIVEN double* a, const double* b, const double* c, double s, size_t n
extern "C" __global__ void copy(GIVEN) { AT a[i] = b[i]; }
extern "C" __global__ void scale(GIVEN) { AT a[i] = s * b[i]; }
extern "C" __global__ void add(GIVEN) { AT a[i] = b[i] + c[i]; }
extern "C" __global__ void triad(GIVEN) { AT a[i] = b[i] + s * c[i]; }
extern "C" __global__ void chase(void** at, size_t steps, void** last) {
  for (size_t k = 0; k < steps; k++) at = (void**)*at;
  *last = at;
}
"""


class Plain:
    """The plain text on the device that the probe has opened, with the probe's own arrays."""

    def __init__(self, gpu: CudaGpu, held: ExitStack) -> None:
        self._gpu = gpu
        module = gpu.take("cuModuleUnload", "cuModuleLoadData", cuda_device.compiled(gpu.architecture, text=PLAIN), stack=held)
        self._functions = {name: gpu.driver("cuModuleGetFunction", module, name.encode()) for name in (*WORDS, "chase")}

    def pass_over(self, kernel: str) -> Launch:
        """One pass of a kernel over the arrays."""
        n = self._gpu.array_bytes // 8
        given = [*(ctypes.c_uint64(int(self._gpu.arrays[name])) for name in "abc"), ctypes.c_double(SCALAR), ctypes.c_size_t(n)]
        return self._launch(kernel, given, -(-n // THREADS), THREADS)

    def chase(self, first: int, steps: int) -> Launch:
        """So many dependent loads from `first` on; the last address goes to the counters."""
        last = int(self._gpu.found)
        return self._launch("chase", [ctypes.c_uint64(first), ctypes.c_size_t(steps), ctypes.c_uint64(last)], 1, 1)

    def _launch(self, name: str, given: list[Any], blocks: int, threads: int) -> Launch:
        table = (ctypes.c_void_p * len(given))(*(ctypes.addressof(each) for each in given))

        def launch(_kept: Any = given) -> None:  # the table points into them
            self._gpu.driver("cuLaunchKernel", self._functions[name], blocks, 1, 1, threads, 1, 1, 0, self._gpu.stream, ctypes.addressof(table), 0)

        return launch


Timed = Callable[[], float]
"""One sample: the time of one pass, in seconds."""


def ours_and_plain(gpu: CudaGpu, plain: Plain) -> dict[str, dict[str, Timed]]:
    """What is timed, by kernel and by who made it."""
    grid = cuda.fastest_grid(gpu, cuda.planned(gpu, cuda.kernel_launch(gpu, "copy", gpu.resident("kernel_copy"))).repeats)
    ways: dict[str, dict[str, Timed]] = {}
    for name in WORDS:
        mine, theirs = cuda.planned(gpu, cuda.kernel_launch(gpu, name, grid)), cuda.planned(gpu, plain.pass_over(name))
        ways[name] = {"ours": partial(mine.seconds, gpu), "plain": partial(theirs.seconds, gpu)}
    engine = cuda.planned(gpu, gpu.copying("cuMemcpyDtoDAsync", gpu.arrays["a"], gpu.arrays["b"], gpu.array_bytes))
    ways["copy"]["copy engine"] = partial(engine.seconds, gpu)
    return ways


def with_torch(size: int, index: int) -> dict[str, Timed]:
    """torch's copy and triad on arrays of `size` bytes; empty where torch, or its CUDA, is not there."""
    try:
        torch = import_module("torch")
    except ImportError:
        print("torch: not installed")
        return {}
    if not torch.cuda.is_available():
        print("torch: sees no GPU")
        return {}
    torch.cuda.set_device(index)
    a, b, c = (torch.rand(size // 4, device="cuda") for _ in range(3))

    def timed(act: Callable[[], object], repeats: int = 20) -> float:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            act()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) * 1e-3 / repeats

    return {"copy": lambda: timed(lambda: a.copy_(b)), "triad": lambda: timed(lambda: torch.add(b, c, alpha=SCALAR, out=a))}


def best_of(ways: Mapping[str, Timed], rounds: int) -> dict[str, float]:
    """The shortest time of each, in turns; the first turn warms up."""
    found: dict[str, list[float]] = {who: [] for who in ways}
    for _ in range(rounds + 1):
        for who, way in ways.items():
            found[who].append(way())
    return {who: min(times[1:]) for who, times in found.items()}


def kernels(gpu: CudaGpu, plain: Plain, rounds: int, index: int) -> None:
    """Rates of every kernel, and ours over the best of the others."""
    ways = ours_and_plain(gpu, plain)
    for name, timed in with_torch(gpu.array_bytes, index).items():
        ways[name]["torch"] = timed
    print(f"\nthree arrays of {gpu.array_bytes // MIB} MiB, best of {rounds} turns, GB/s")
    for name, makers in ways.items():
        seconds = best_of(makers, rounds)
        rates = {who: WORDS[name] * gpu.array_bytes / each for who, each in seconds.items()}
        ratio = rates["ours"] / max(rate for who, rate in rates.items() if who not in ("ours", "copy engine"))
        said = "  ".join(f"{who} {rate / 1e9:8.1f}" for who, rate in rates.items())
        print(f"{name:6} {said}   ours / best {ratio:.3f}{_verdict(ratio >= ENOUGH) if name in ('copy', 'triad') else ''}")


def latency(gpu: CudaGpu, plain: Plain) -> None:
    """One dependent load by working set: ours, and the plain chase on the same ring."""
    print("\nlatency of a dependent load, ns")
    random = np.random.default_rng(1)
    for size in [each for each in sizes(gpu.array_bytes)[::2] if each <= cuda.LARGEST_CHAIN_BYTES]:
        try:
            mine = cuda.latency(gpu, size, random)
        except NotMeasured as error:
            print(f"{size // 1024:8} KiB  {error.reason}: {error.detail}")
            continue
        links, visited = cuda.ring(int(gpu.arrays["c"]), size, random)
        gpu.write(gpu.arrays["c"], links)
        steps = max(2**14, min(2**20, 4 * len(visited)))
        theirs = min(gpu.seconds(plain.chase(int(visited[0]), steps)) for _ in range(5)) / steps
        if mine is None:
            print(f"{size // 1024:8} KiB  ours     –  plain {theirs * 1e9:8.1f}")
        else:
            said = f"{size // 1024:8} KiB  ours {mine * 1e9:8.1f}  plain {theirs * 1e9:8.1f}  ratio {mine / theirs:.3f}"
            print(said + _verdict(abs(mine / theirs - 1) <= CLOSE))


def link_bytes_per_s(record: Any) -> float | None:
    """What the link of the record carries one way."""
    lane = PCIE_LANE_BYTES_PER_S.get(record.device.pcie_generation)
    return lane * record.device.pcie_width if lane and record.device.pcie_width else None


def whole(index: int) -> None:
    """The probe's own record: fractions of what was promised, transfers against the link, and the staircase."""
    record = cuda.measure(index=index, budget_s=BUDGET_S)
    promised = record.theoretical_bytes_per_s
    print(f"\n{record.device.name}, driver {record.device.driver}, {record.timer}, flags: {', '.join(record.flags) or 'none'}")
    print(f"theoretical {promised / 1e9:.0f} GB/s ({record.theoretical_source})" if promised else "theoretical: not known")
    for name, each in record.kernels.items():
        rate = each.best_bytes_per_s
        share = f"  {rate / promised:.2f} of theoretical" if rate and promised else ""
        print(f"{name:14} " + ("not valid" if rate is None else f"{rate / 1e9:8.1f} GB/s{share}"))
    link = link_bytes_per_s(record)
    for name, each in record.transfers.items():
        rate = each.best_bytes_per_s
        host = name.startswith(("h2d", "d2h"))
        share = f"  {rate / link:.2f} of PCIe {record.device.pcie_generation} x{record.device.pcie_width}" if rate and link and host else ""
        print(f"{name:14} " + ("not valid" if rate is None else f"{rate / 1e9:8.1f} GB/s{share}"))
    for failure in record.errors:
        print(f"{failure.part or 'all'}: {failure.reason} {failure.detail}")
    print("staircase, GB/s:", ", ".join(f"{step.bytes // 1024} KiB {step.bytes_per_s / 1e9:.0f}" for step in record.sweep))
    print("latency, ns:", ", ".join(f"{each.bytes // 1024} KiB {each.seconds * 1e9:.0f}" for each in record.latency))


def _verdict(good: bool) -> str:
    return "" if good else "  << below the target"


def others() -> None:
    """Tools that are there anyway. nvbandwidth counts a copy within the device once, where we count read and write."""
    tools: tuple[tuple[str, list[str]], ...] = (
        ("nvbandwidth", ["-t", "device_local_copy", "host_to_device_memcpy_ce", "device_to_host_memcpy_ce"]),
        ("cuda-stream", []),
        ("BabelStream", []),
    )
    for name, arguments in tools:
        if found := shutil.which(name):
            print(f"\n{name}:\n{subprocess.run([found, *arguments], capture_output=True, text=True, check=False).stdout}")
        else:
            print(f"{name}: not installed")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Our figures of an NVIDIA GPU against plain CUDA C++ and torch.")
    parser.add_argument("--gpu", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=30)
    asked = parser.parse_args(arguments)
    try:
        with cuda_device.opened(asked.gpu) as gpu, ExitStack() as held:
            print(f"{gpu.chip.device.name}, compiled for {gpu.architecture}, {gpu.chip.l2_bytes / MIB:.0f} MiB of L2; NVML: {_nvml()}")
            gpu.allot(cuda.wanted_bytes(gpu.chip), cuda.SMALLEST_ARRAY_BYTES)
            plain = Plain(gpu, held)
            first = cuda.planned(gpu, cuda.kernel_launch(gpu, "copy", gpu.resident("kernel_copy")))
            gpu.trust(first.launch, first.repeats)
            kernels(gpu, plain, asked.rounds, asked.gpu)
            latency(gpu, plain)
        whole(asked.gpu)
    except NotMeasured as error:
        print(f"No GPU was measured: {error} ({error.reason}: {error.detail})")
        if error.reason is not Reason.NO_PACKAGE:
            print("Nothing here says how fast a GPU is.")
        return
    others()


def _nvml() -> str:
    try:
        return f"{len(nvml.facts())} GPUs"
    except NotMeasured as error:
        return error.detail


if __name__ == "__main__":
    main()
