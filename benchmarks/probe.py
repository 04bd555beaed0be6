"""Our CPU figures against a C STREAM of our own, compiled here with OpenMP and run in turns with ours: read the ratios.

    .venv/bin/python -m benchmarks.probe                 # about a minute; gcc (or CC) is needed, numba is used where it is installed
    .venv/bin/python -m benchmarks.probe --rounds 30

One C pass and one pass of ours follow each other on arrays of the same size, kernel by kernel, so that both see the same moods of the machine;
the best of each counts. Targets: copy, scale and add 0.93 of C at one thread and 0.90 at all threads; triad with numba 0.95; every level of the
staircase within 15 %. Where nvbandwidth or BabelStream is installed, its figures are printed too.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from wallviz.machine.probe.isolated import ONE_THREAD, environment

if __name__ == "__main__" and any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
    # Threads of OpenMP that wait without spinning do not disturb ours, which run in turns with them.
    os.execve(sys.executable, [sys.executable, "-m", "benchmarks.probe", *sys.argv[1:]], environment() | {"OMP_WAIT_POLICY": "passive"})

import numpy as np  # after the threads of its libraries are switched off

from wallviz.machine.probe import cpu, limits
from wallviz.machine.probe.caches import caches
from wallviz.machine.probe.kernels import KERNELS, SCALAR

MIB = 2**20

C_SOURCE = r"""
#define _GNU_SOURCE
#include <omp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static double *a, *b, *c;
static size_t n;
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }

/* Threads stay on one processor each; each touches first what it uses. */
int prepare(size_t elements, int threads, const int *processors) {
  n = elements; omp_set_dynamic(0); omp_set_num_threads(threads);
  double **all[3] = {&a, &b, &c};
  for (int k = 0; k < 3; k++) {
    if (posix_memalign((void **)all[k], 1 << 21, n * sizeof(double))) return 1;
    madvise(*all[k], n * sizeof(double), MADV_HUGEPAGE);            /* numpy asks for huge pages too */
  }
  #pragma omp parallel
  { cpu_set_t one; CPU_ZERO(&one); CPU_SET(processors[omp_get_thread_num()], &one); sched_setaffinity(0, sizeof one, &one); }
  #pragma omp parallel for schedule(static)
  for (size_t i = 0; i < n; i++) { a[i] = 0; b[i] = 1.0 + (i * 2654435761u % 4096) / 4096.0; c[i] = 1.0 + (i * 40503u % 4096) / 4096.0; }
  return 0;
}
void release(void) { free(a); free(b); free(c); }
static double sink;
double pass(int kernel, double s) {
  double t = now(), total = 0;
  switch (kernel) {
    case 0:
      #pragma omp parallel for simd schedule(static) reduction(+:total)
      for (size_t i = 0; i < n; i++) total += b[i] * b[i];
      break;
    case 1:
      #pragma omp parallel for schedule(static)
      for (size_t i = 0; i < n; i++) a[i] = s;
      break;
    case 2:
      #pragma omp parallel for schedule(static)
      for (size_t i = 0; i < n; i++) a[i] = b[i];
      break;
    case 3:
      #pragma omp parallel for schedule(static)
      for (size_t i = 0; i < n; i++) a[i] = s * b[i];
      break;
    case 4:
      #pragma omp parallel for schedule(static)
      for (size_t i = 0; i < n; i++) a[i] = b[i] + c[i];
      break;
    case 5:
      #pragma omp parallel for schedule(static)
      for (size_t i = 0; i < n; i++) a[i] = b[i] + s * c[i];
      break;
  }
  sink += total;
  return now() - t;
}
/* One working set read again and again, on the calling thread: eight sums side by side, so that the loads set the pace and not the additions. */
typedef double wide __attribute__((vector_size(64)));
double walk(const wide *x, size_t m, int passes) {
  double t = now(), total = 0;
  for (int q = 0; q < passes; q++) {
    wide sum[8] = {0};
    for (size_t i = 0; i < m / 8; i += 8)
      #pragma GCC unroll 8
      for (int k = 0; k < 8; k++) sum[k] += x[i + k] * x[i + k];
    for (int k = 0; k < 8; k++) for (int j = 0; j < 8; j++) total += sum[k][j];
    total *= 0.5;
  }
  sink += total;
  return now() - t;
}
/* Loads of which each needs the one before. */
double chase(const size_t *links, size_t at, size_t steps) {
  double t = now();
  for (size_t i = 0; i < steps; i++) at = links[at];
  sink += at;
  return now() - t;
}
"""


def compiled(folder: Path) -> ctypes.CDLL:
    compiler = os.environ.get("CC", "gcc")
    if not shutil.which(compiler):
        sys.exit(f"{compiler} is not installed: install gcc, or name a C compiler in CC")
    source, library = folder / "stream.c", folder / "stream.so"
    source.write_text(C_SOURCE)
    flags = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(source)], check=True)
    stream = ctypes.CDLL(str(library))
    for name in ("pass", "walk", "chase"):
        getattr(stream, name).restype = ctypes.c_double
    return stream


def kernels(stream: ctypes.CDLL, engines: dict[str, dict[str, cpu.Pass]], processors: tuple[int, ...], rounds: int) -> None:
    """Each kernel: best rate of C, of each engine, and their ratio, from passes in turns."""
    threads = len(processors)
    n = cpu.plan(threads=threads).array_bytes // 8
    allowed = os.sched_getaffinity(0)
    if stream.prepare(ctypes.c_size_t(n), threads, (ctypes.c_int * threads)(*processors)):
        sys.exit("not enough memory for the arrays")
    run_pass = getattr(stream, "pass")
    with cpu.Workers(processors) as workers:
        a, b, c = (cpu.aligned(n) for _ in range(3))
        edges = [n * number // threads // 512 * 512 for number in range(threads)] + [n]
        mine = [slice(low, high) for low, high in pairwise(edges)]
        views = [(a[part], b[part], c[part]) for part in mine]

        def touch(number: int) -> None:
            views[number][0].fill(0.0)
            cpu.fill(views[number][1], 1, mine[number].start)
            cpu.fill(views[number][2], 2, mine[number].start)

        workers.run(touch)
        print(f"\n{threads} thread(s), three arrays of {n * 8 // MIB} MiB, best of {rounds} in turns, GB/s")
        print(f"{'kernel':8}{'C':>8}" + "".join(f"{engine:>10}{'ratio':>7}" for engine in engines) + f"{'target':>8}")
        for place, kernel in enumerate(KERNELS.values()):
            best = dict.fromkeys(["C", *engines], float("inf"))
            for _ in range(rounds):
                best["C"] = min(best["C"], run_pass(place, ctypes.c_double(SCALAR)))
                for engine, passes in engines.items():
                    if kernel.name in passes:
                        run = passes[kernel.name]
                        best[engine] = min(best[engine], workers.seconds(lambda number, run=run: run(*views[number], SCALAR), 1))
            rate = {who: kernel.words * n * 8 / seconds / 1e9 for who, seconds in best.items()}
            ours = "".join(f"{rate[e]:10.1f}{rate[e] / rate['C']:7.2f}" if rate[e] else f"{'–':>10}{'–':>7}" for e in engines)
            target = 0.95 if kernel.name == "triad" else (0.93 if threads == 1 else 0.90) if kernel.name in ("copy", "scale", "add") else None
            print(f"{kernel.name:8}{rate['C']:8.1f}{ours}{target or '':>8}")
    stream.release()
    os.sched_setaffinity(0, allowed)  # C pinned this thread too


def staircase(stream: ctypes.CDLL, numba: bool, rounds: int) -> None:
    """Each working set: C, ours, ratio; and the latency with numba."""
    walks = {"numpy": cpu._numpy_walk}
    if numba:
        walks["numba"] = cpu._compile(cpu._walk, "float64(float64[::1], int64)")
        chase = cpu._compile(cpu._chase, "uint64(uint64[::1], uint64, int64)")
    largest = cpu.plan(threads=1).single_array_bytes
    data = cpu.aligned(largest // 8)
    cpu.fill(data, 1)
    random = np.random.default_rng(1)
    os.sched_setaffinity(0, {limits.processors()[0]})
    print("\none thread, read, GB/s" + (", and latency, ns" if numba else ""))
    print(f"{'KiB':>8}{'C':>8}" + "".join(f"{name:>10}{'ratio':>7}" for name in walks) + (f"{'C':>10}{'numba':>8}{'ratio':>7}" if numba else ""))
    for size in cpu.sizes(largest):
        view = data[: size // 8]
        passes = max(1, round(0.004 * 40e9 / size))
        best = dict.fromkeys(["C", *walks], float("inf"))
        for _ in range(rounds):
            best["C"] = min(best["C"], stream.walk(ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(view.size), passes))
            for name, walk in walks.items():
                start = time.perf_counter()
                walk(view, passes)
                best[name] = min(best[name], time.perf_counter() - start)
        rate = {who: size * passes / seconds / 1e9 for who, seconds in best.items()}
        line = f"{size // 1024:8}{rate['C']:8.1f}" + "".join(f"{rate[name]:10.1f}{rate[name] / rate['C']:7.2f}" for name in walks)
        if numba:
            links = cpu.ring(size, "random", random)
            steps, pair = max(20_000, min(size // 64, 200_000)), [float("inf"), float("inf")]
            for _ in range(max(5, rounds // 2)):
                at = int(random.integers(size // 64)) * 8
                pair[0] = min(pair[0], stream.chase(ctypes.c_void_p(links.ctypes.data), ctypes.c_size_t(at), ctypes.c_size_t(steps)))
                start = time.perf_counter()
                chase(links, at, steps)
                pair[1] = min(pair[1], time.perf_counter() - start)
            line += f"{pair[0] / steps * 1e9:10.2f}{pair[1] / steps * 1e9:8.2f}{pair[1] / pair[0]:7.2f}"
        print(line)


def others() -> None:
    """Tools that are there anyway."""
    for name, arguments in (("nvbandwidth", ["-t", "device_local_copy"]), ("cuda-stream", []), ("omp-stream", [])):
        if found := shutil.which(name):
            print(f"\n{name}:\n{subprocess.run([found, *arguments], capture_output=True, text=True, check=False).stdout}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Our CPU figures against a C STREAM of our own.")
    parser.add_argument("--rounds", type=int, default=30)
    asked = parser.parse_args()
    engines = {name: cpu._ENGINES[name]() for name in cpu.plan().engines}
    before = limits.Usage.now()
    with tempfile.TemporaryDirectory() as folder:
        stream = compiled(Path(folder))
        print(f"{cpu.device().name}, {len(limits.processors())} processors, caches: {[(each.level, each.bytes) for each in caches()]}")
        processors = limits.processors()
        for threads in sorted({1, len(processors)}):
            kernels(stream, engines, processors[:threads], asked.rounds)
        staircase(stream, "numba" in engines, asked.rounds)
        others()
        share = limits.others_share(before, limits.Usage.now(), os.cpu_count() or 1)
        print(
            "\nothers used "
            + ("?" if share is None else f"{share:.0%}")
            + " of the processors meanwhile"
            + (": run it again when it is quiet" if (share or 0) > 0.05 else "")
        )


if __name__ == "__main__":
    main()
