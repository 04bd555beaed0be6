"""``python -m wallviz.machine.probe``: one measurement in this process, as JSON lines on stdout: the plan, the progress, the record last.

It never raises: whatever happens, the last line is a record, with a reason where there is no figure.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import threading
import time
from importlib import import_module
from typing import Any, NoReturn

from wallviz.machine.probe.isolated import ONE_THREAD, alone, limit_s
from wallviz.machine.reasons import NotMeasured, Reason
from wallviz.machine.record import Record, blank

MODULES = {"cpu": "wallviz.machine.probe.cpu", "wgpu": "wallviz.machine.probe.wgpu", "cuda": "wallviz.machine.probe.cuda"}


class Output:
    """Lines on stdout; after the record there is none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0.0

    def line(self, said: dict[str, Any]) -> None:
        """One JSON line."""
        with self._lock:
            self._write(said)

    def progress(self, share: float, part: str) -> None:
        """A line of progress, twenty a second at most."""
        if share >= 1 or time.monotonic() - self._last > 0.05:
            self._last = time.monotonic()
            self.line({"progress": round(share, 3), "part": part})

    def end(self, record: Record, code: int = 0) -> NoReturn:
        """The record, and the end of the process with every thread in it."""
        with self._lock:
            self._write(record.as_dict())
            os._exit(code)

    def _write(self, said: dict[str, Any]) -> None:
        try:
            sys.stdout.write(json.dumps(said, allow_nan=False) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # nobody listens any more
            os._exit(1)


def main() -> None:
    """Measures what the arguments say."""
    asked = _arguments()
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()) and os.name == "posix":
        # numpy is loaded by now, with threads of its own: start again without them, as the same process.
        os.execve(sys.executable, [sys.executable, "-P", "-m", "wallviz.machine.probe", *sys.argv[1:]], _environment())
    output = Output()
    threading.Thread(target=_time_limit, args=(output, asked), daemon=True).start()
    if asked.watch:
        threading.Thread(target=_until_abandoned, daemon=True).start()
    signal.signal(signal.SIGTERM, _cancelled)
    signal.signal(signal.SIGINT, _cancelled)
    try:
        with alone():
            record = _measure(asked, output)
    except BaseException as error:  # a record says what happened
        record = blank(asked.path, *_why(error))
    output.end(record)


def _environment() -> dict[str, str]:
    from wallviz.machine.probe.isolated import environment

    return environment()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m wallviz.machine.probe", description="One measurement, as JSON lines: plan, progress, record.")
    parser.add_argument("--path", choices=MODULES, default="cpu")
    parser.add_argument("--index", type=int, default=0, help="which device of the path")
    parser.add_argument("--quick", action="store_true", help="about three seconds instead of eight")
    parser.add_argument("--budget", type=float, help="seconds to measure in")
    parser.add_argument("--limit", type=float, help="seconds after which the process ends, whatever it does")
    parser.add_argument("--threads", type=int, help="CPU: threads, instead of all that may be used")
    parser.add_argument("--array-bytes", type=int, help="CPU: bytes of each of the three arrays")
    parser.add_argument("--engine", action="append", choices=("numpy", "numba"), help="CPU: only this engine; may be repeated")
    parser.add_argument("--watch", action="store_true", help="end when stdin is closed")
    asked = parser.parse_args()
    positive = {"--budget": asked.budget, "--limit": asked.limit, "--threads": asked.threads, "--array-bytes": asked.array_bytes}
    for option, value in positive.items():
        if value is not None and not 0 < value < 2**50:
            parser.error(f"{option} must be above 0")
    if asked.array_bytes is not None and asked.array_bytes < 2**16:
        parser.error("--array-bytes must be 65536 or more")
    return asked


def _measure(asked: argparse.Namespace, output: Output) -> Record:
    options: dict[str, Any] = {"index": asked.index, "quick": asked.quick, "progress": output.progress}
    if asked.budget:
        options["budget_s"] = asked.budget
    if asked.path == "cpu":
        from wallviz.machine.probe import cpu

        sizes = {"threads": asked.threads, "array_bytes": asked.array_bytes}
        output.line({"plan": dataclasses.asdict(cpu.plan(quick=asked.quick, budget_s=asked.budget, **sizes))})
        options |= sizes | {"engines": asked.engine, "cap": True}
    try:
        module = import_module(MODULES[asked.path])
    except ModuleNotFoundError as error:
        raise NotMeasured(Reason.UNSUPPORTED, str(error)) from None
    record: Record = module.measure(**options)
    return record


def _why(error: BaseException) -> tuple[Reason, str]:
    """What an exception means to the reader."""
    if isinstance(error, NotMeasured):
        return error.reason, error.detail
    if isinstance(error, MemoryError):
        return Reason.MEMORY, str(error)
    if isinstance(error, KeyboardInterrupt):
        return Reason.CANCELLED, ""
    return Reason.UNSUPPORTED, f"{type(error).__name__}: {error}"


def _cancelled(*_: object) -> NoReturn:
    raise NotMeasured(Reason.CANCELLED)


def _time_limit(output: Output, asked: argparse.Namespace) -> None:
    """Ends the process at its limit."""
    time.sleep(asked.limit or limit_s(asked.budget or 8.0))
    output.end(blank(asked.path, Reason.TIMEOUT))


def _until_abandoned() -> None:
    """Ends the process when whoever started it is gone: the other end of stdin closes with it."""
    while sys.stdin.buffer.read(1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
