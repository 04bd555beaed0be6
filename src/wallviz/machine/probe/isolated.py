"""A measurement in a process of its own: it may be stopped at any moment, cannot take this one with it, and there is one at a time.

The process (``python -m wallviz.machine.probe``) prints JSON lines: what it will take (``plan``), its progress, and the record last. It ends by
itself at its time limit, and when whoever started it goes away. `Measurement` starts one and answers with a record whatever happens.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wallviz import errors
from wallviz.errors import InputError
from wallviz.machine.reasons import NotMeasured, Reason
from wallviz.machine.record import Record, blank, plain_text, read

GRACE_S = 3.0
"""From asking the process to end to ending it."""
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}
"""Libraries under numpy start threads of their own, which would compete with the pinned ones; they read this when they are loaded."""


def limit_s(budget_s: float) -> float:
    """The hard time limit of a measurement planned for `budget_s`: a busy machine may take several times as long."""
    return 4 * budget_s + 30


class Measurement:
    """One measurement that is running, or has run. `progress` is its share (0 to 1) and part; `record` the result, None until `done`.

    May be asked from any thread. `on_progress` is called with share and part from a thread of its own.
    """

    def __init__(
        self,
        path: str = "cpu",
        *,
        index: int = 0,
        quick: bool = False,
        budget_s: float | None = None,
        time_limit_s: float | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.progress: tuple[float, str] = (0.0, "start")
        self.plan: dict[str, Any] | None = None
        self.record: Record | None = None
        self._reason: Reason | None = None
        self._on_progress = on_progress
        self._process: subprocess.Popen[bytes] | None = None
        limit = limit_s(budget_s or 8.0) if time_limit_s is None else time_limit_s
        asked = ["--path", path, "--index", str(index), "--limit", str(limit), "--watch", *(["--quick"] if quick else []), *arguments]
        asked += [] if budget_s is None else ["--budget", str(budget_s)]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "wallviz.machine.probe", *asked],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment(),
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            self.record = blank(path, Reason.UNSUPPORTED, str(error))
            self._thread = threading.Thread(target=lambda: None)
        else:
            self._timer = threading.Timer(limit + GRACE_S, self._stop, (Reason.TIMEOUT,))
            self._timer.daemon = True
            self._timer.start()
            self._thread = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether there is a record, and no process any more."""
        return not self._thread.is_alive()

    @property
    def pid(self) -> int | None:
        """The process that measures."""
        return self._process.pid if self._process else None

    def cancel(self) -> None:
        """Stops the measurement; its record says so."""
        if not self.done:
            self._stop(Reason.CANCELLED)

    def wait(self, timeout_s: float | None = None) -> Record | None:
        """The record, after the process has ended; None where `timeout_s` passed first."""
        self._thread.join(timeout_s)
        return self.record if self.done else None

    def result(self) -> Record:
        """The record, however long it takes: the time limit sees to it that it comes."""
        self._thread.join()
        return self.record or blank(self.path, Reason.LOST)

    def _stop(self, reason: Reason) -> None:
        self._reason = self._reason or reason
        if self._process is None:
            return
        end(self._process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        end(self._process, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Takes what the process says until it ends; then there is a record."""
        found: Record | None = None
        try:
            for line in process.stdout or ():
                with suppress(ValueError, TypeError, InputError):  # a library that prints to stdout is not part of the answer
                    said = json.loads(line)
                    if "progress" in said:
                        self.progress = (float(said["progress"]), str(said["part"]))
                        if self._on_progress:
                            self._on_progress(*self.progress)
                    elif "plan" in said:
                        self.plan = dict(said["plan"])
                    elif "schema" in said:
                        found = read(line)
        finally:
            self._timer.cancel()
            end(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
            self._errors.seek(0)
            said_last = self._errors.read()[-2000:].decode(errors="replace").strip().splitlines()
            self._errors.close()
            if self._reason and (found is None or not found.kernels):
                found = blank(self.path, self._reason)
            self.record = found or blank(self.path, Reason.LOST, plain_text(said_last[-1] if said_last else f"exit code {process.returncode}"))


def environment() -> dict[str, str]:
    """The environment of a measuring process: one thread for each library, and this very wallviz."""
    package = str(Path(errors.__file__).resolve().parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def end(process: subprocess.Popen[bytes], how: int) -> None:
    """Sends a signal to a process that `Measurement` started, and to what it may have started."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, how)  # it leads a session of its own
            else:
                process.terminate()


# ----------------------------------------------------------------------------------------------------------- one at a time


@contextmanager
def alone(folder: Path | None = None) -> Iterator[None]:
    """Holds the lock of this user's measurements. Raises `NotMeasured` (busy) where another process holds it.

    The system frees the lock when its process ends, however it ends: a file that is left over is no lock. Where no file can be made, measuring
    goes on without one.
    """
    try:
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
        path = (folder or Path(tempfile.gettempdir())) / f"wallviz-probe-{user}.lock"
        handle = _open_locked(path)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is still locked, so that nobody's new file is taken away
        os.close(handle)


def _open_locked(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        if not _lock(handle):
            holder = os.read(handle, 20).decode("ascii", "replace")
            os.close(handle)
            raise NotMeasured(Reason.BUSY, f"process {holder}" if holder.isdigit() else "")
        with suppress(OSError):
            if os.path.samestat(os.fstat(handle), path.stat()):  # nobody took the file away between opening and locking it
                os.truncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
                return handle
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, 100, os.SEEK_SET)  # behind the number, which others read
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
