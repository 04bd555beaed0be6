"""Measure this machine: what the command line, the pages and ``wallviz.probe(...)`` call. Every measurement has a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from wallviz.errors import InputError
from wallviz.i18n import N_
from wallviz.machine.probe.isolated import Measurement
from wallviz.machine.reasons import Reason
from wallviz.machine.record import Record

PATHS = ("cpu", "wgpu", "cuda")
"""Paths that a process can measure; the browser measures the fourth."""
MOST_GPUS = 64
_NOT_HERE = {Reason.UNSUPPORTED, Reason.NO_PACKAGE, Reason.NO_DRIVER, Reason.NO_DEVICE, Reason.DRIVER_TOO_OLD}


def measure(
    path: str | None = None,
    *,
    gpu: int | None = None,
    quick: bool = False,
    budget_s: float | None = None,
    time_limit_s: float | None = None,
    on_progress: Callable[[float, str], None] | None = None,
) -> Record:
    """The record of this machine's CPU, or of a GPU by its place: `path` is ``"cpu"``, ``"wgpu"`` or ``"cuda"``.

    Without a path, the CPU, or for a `gpu` CUDA where it is there and wgpu where it is not. What cannot be measured is a record with a reason.
    Raises `InputError` for a path that does not exist.
    """
    if path is not None and path not in PATHS:
        raise InputError(N_("no path is called {name}: choose from {choices}"), name=path, choices=", ".join(PATHS))
    if path == "cpu" and gpu is not None:
        raise InputError(N_("the path cpu measures no GPU: leave --gpu out, or choose the path wgpu or cuda"))
    if gpu is not None and not 0 <= gpu < MOST_GPUS:
        raise InputError(N_("GPUs are numbered from 0 to {last}: {gpu} is none"), last=MOST_GPUS - 1, gpu=gpu)
    *rather, last = (path,) if path else ("cpu",) if gpu is None else gpu_paths()

    def run(each: str) -> Record:
        measurement = Measurement(each, index=gpu or 0, quick=quick, budget_s=budget_s, time_limit_s=time_limit_s, on_progress=on_progress)
        try:
            return measurement.result()
        except BaseException:  # Ctrl-C reaches this process only: the other one leads a session of its own
            measurement.cancel()
            raise

    for each in rather:
        record = run(each)
        if not (nothing(record) and record.errors[0].reason in _NOT_HERE):
            return record
    return run(last)


def nothing(record: Record) -> bool:
    """Whether a measurement gave no figure at all, and says why."""
    return not record.kernels and bool(record.errors)


def measure_gpus(path: str | None = None, *, quick: bool = False, on_progress: Callable[[float, str], None] | None = None) -> list[Record]:
    """Every GPU, one after the other, until there is no next one; one record with a reason where there is none."""
    found: list[Record] = []
    while len(found) < MOST_GPUS:
        record = measure(path, gpu=len(found), quick=quick, on_progress=on_progress)
        if found and nothing(record) and record.errors[0].reason in (Reason.NO_DEVICE, Reason.NO_ADAPTER):
            break
        found.append(record)
        path = record.path  # numbers of one path only
        if nothing(record):
            break
    return found


def gpu_paths() -> tuple[str, ...]:
    """The paths to a GPU, the deeper one first where its package is installed."""
    try:
        bindings = find_spec("cuda.bindings")
    except (ImportError, ValueError):  # no package cuda, or somebody else's: the name is shared by several
        bindings = None
    return ("cuda", "wgpu") if bindings else ("wgpu",)
