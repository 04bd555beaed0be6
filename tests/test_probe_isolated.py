"""The process that measures: it answers whatever happens, ends in time, takes what it said, and there is one at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S
from wallviz.machine.probe import isolated
from wallviz.machine.probe.isolated import Measurement, alone, environment
from wallviz.machine.probe.kernels import KERNELS
from wallviz.machine.reasons import NotMeasured, Reason
from wallviz.machine.record import Record, read

MIB = 2**20
TINY = ("--array-bytes", str(MIB), "--engine", "numpy")
ENDLESS_S = 1e6
"""A budget of days: such a measurement ends only when it is ended."""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lock of the test's own, beside the ones of the machine."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield tmp_path
    monkeypatch.setattr("tempfile.tempdir", None)


def running(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    return True


def reason(record: Record | None) -> str:
    assert record is not None
    return record.errors[0].reason if record.errors else ""


def short() -> Measurement:
    """A measurement that takes no time worth speaking of, where the machine has any to give."""
    return Measurement(budget_s=0.1, time_limit_s=PATIENCE_S, arguments=TINY)


def long() -> Measurement:
    """A measurement that does not end by itself, and has begun to measure."""
    measuring = threading.Event()
    begun = Measurement(budget_s=ENDLESS_S, arguments=TINY, on_progress=lambda share, part: measuring.set() if part in KERNELS else None)
    while not measuring.wait(0.05):
        assert not begun.done, begun.record
    return begun


def test_it_prints_its_plan_its_progress_and_the_record_last() -> None:
    """Every line on stdout is JSON: the plan first, then progress that grows, the record last; and nothing is left behind."""
    command = [sys.executable, "-P", "-m", "wallviz.machine.probe", "--path", "cpu", "--budget", "0.1", "--limit", str(PATIENCE_S), *TINY]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=True, stdin=subprocess.DEVNULL)
    plan, *progress, record = (json.loads(line) for line in done.stdout.splitlines())
    assert plan["plan"]["array_bytes"] == MIB
    shares = [line["progress"] for line in progress]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert read(json.dumps(record)).kernels["copy"].valid
    assert done.stderr == ""


def test_a_measurement_answers_with_its_record(own_lock: Path) -> None:
    """A measurement ends with its record, its progress and no lock; while it runs there is none."""
    told: list[float] = []
    found = Measurement(budget_s=0.1, time_limit_s=PATIENCE_S, arguments=TINY, on_progress=lambda share, part: told.append(share))
    record = found.result()
    assert found.done
    assert not running(found.pid)
    assert record.kernels["add"].valid
    assert record.errors == ()
    assert told[-1] == 1.0
    assert not list(own_lock.glob("wallviz-probe*"))


def test_two_at_once_are_one_result_and_one_busy() -> None:
    """While one measures, another says busy at once, and leaves the first alone."""
    first = long()
    assert reason(short().result()) == "busy"
    assert not first.done
    first.cancel()
    assert reason(first.result()) == "cancelled"
    assert short().result().kernels


def test_killed_in_mid_run_it_leaves_nothing_in_the_way() -> None:
    """A process that is killed is a record with a reason, and the next measurement runs."""
    first = long()
    os.kill(first.pid or 0, signal.SIGKILL)
    assert reason(first.result()) == "lost"
    assert not running(first.pid)
    assert short().result().kernels


def test_it_does_not_outlive_its_time_limit() -> None:
    """At its time limit a process that would go on for days ends, and the record says why."""
    found = Measurement(budget_s=ENDLESS_S, time_limit_s=1.5, arguments=TINY)
    assert reason(found.wait(PATIENCE_S)) == "timeout"
    assert not running(found.pid)


def test_a_process_that_hangs_is_stopped_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that keeps no limit of its own, and does not listen when it is asked to end, is ended by the one that started it."""
    deaf = tmp_path / "deaf"
    deaf.write_text(f"#!/bin/sh\ntrap '' TERM\nexec sleep {ENDLESS_S:.0f}\n")
    deaf.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(deaf))
    monkeypatch.setattr(isolated, "GRACE_S", 0.3)
    found = Measurement(time_limit_s=0.1)
    assert reason(found.wait(PATIENCE_S)) == "timeout"
    assert not running(found.pid)


def test_it_ends_with_the_one_that_started_it() -> None:
    """When the process that started it is killed, the measurement ends by itself."""
    script = (
        "from wallviz.machine.probe.isolated import Measurement; import signal\n"
        f"found = Measurement(budget_s={ENDLESS_S}, arguments={TINY!r})\n"
        "print(found.pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", script], env=environment(), stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline() if parent.stdout else 0)
        assert running(pid)
        parent.kill()
        parent.wait()
    until = time.monotonic() + PATIENCE_S
    while running(pid):
        assert time.monotonic() < until, "its own time limit is days away"
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what this program held, not what the one held that started it")
def test_it_takes_no_more_memory_than_it_said() -> None:
    """The most memory that the process held stays below the ceiling that it named before it began."""
    script = (
        "import json, re\n"
        "from pathlib import Path\n"
        "from wallviz.machine.probe import cpu\n"
        "record = cpu.measure(budget_s=0.1, array_bytes=32 * 2**20, cap=True)\n"
        "held = int(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1]) * 1024\n"
        "print(json.dumps([held, record.memory_limit_bytes]))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    held, said = json.loads(done.stdout)
    assert 96 * MIB < held < said


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is mapped")
def test_the_system_refuses_it_more() -> None:
    """Beyond its ceiling the process gets a MemoryError from the system, whatever the code asks for."""
    script = (
        "import numpy as np\n"
        "from wallviz.machine.probe import limits\n"
        "assert limits.cap_address_space(64 * 2**20)\n"
        "np.empty(2**20)\n"
        "try: np.empty(16 * 2**20)\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stdout == "refused\n"


@pytest.mark.parametrize(("path", "index"), [("cpu", 5), ("wgpu", 60), ("cuda", 60)])
def test_what_is_not_there_is_a_reason(path: str, index: int) -> None:
    """A device or package that is not there is a record with a reason, never an exception."""
    found = Measurement(path, index=index, budget_s=0.1).result()
    assert found.path == path
    assert not found.kernels
    assert reason(found) in set(Reason)


def test_a_process_that_cannot_start_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system starts no process there is a record all the same."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = Measurement(budget_s=0.1)
    assert reason(found.result()) == "unsupported"
    found.cancel()


def test_a_library_that_talks_is_not_part_of_the_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lines on stdout that are no JSON, no record or a hostile one are left out; what was said on stderr tells why there is none."""
    fake = tmp_path / "fake"
    fake.write_text('#!/bin/sh\necho hello\necho 3\necho "[1]"\necho \'{"schema": 1, "path": "<b>"}\'\necho "<i>no driver" >&2\nexit 3\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    record = Measurement(budget_s=0.1).result()
    assert reason(record) == "lost"
    assert record.errors[0].detail == "(i)no driver"


def test_the_lock_is_held_once(tmp_path: Path) -> None:
    """The lock names its process, is refused to a second holder, and is gone afterwards."""
    with alone(tmp_path):
        (file,) = tmp_path.glob("wallviz-probe*")
        assert file.read_text() == str(os.getpid())
        with pytest.raises(NotMeasured) as refused, alone(tmp_path):
            pass
        assert refused.value.reason is Reason.BUSY
        assert str(os.getpid()) in refused.value.detail
    assert not list(tmp_path.glob("wallviz-probe*"))


def test_a_lock_that_was_left_over_is_taken(tmp_path: Path) -> None:
    """A file of a process that is dead, of one that only has its number now, or with nonsense in it, is no lock."""
    for text in ("999999999", str(os.getpid()), "nonsense", ""):
        (tmp_path / f"wallviz-probe-{os.getuid()}.lock").write_text(text)
        with alone(tmp_path):
            pass


def test_without_a_place_for_the_lock_it_measures_all_the_same(tmp_path: Path) -> None:
    """Where no file can be made the measurement runs without a lock."""
    with alone(tmp_path / "nowhere"):
        pass


@pytest.mark.parametrize("arguments", [["--path", "printer"], ["--budget", "0"], ["--budget", "nan"], ["--array-bytes", "5"], ["--limit", "-1"]])
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    """Arguments that make no sense end with exit code 2 before anything is measured."""
    command = [sys.executable, "-P", "-m", "wallviz.machine.probe", *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
