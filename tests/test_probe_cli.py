"""``wallviz probe`` on the command line: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.test_probe_record import FULL
from wallviz.cli import app
from wallviz.machine.probe import run
from wallviz.machine.reasons import Reason
from wallviz.machine.record import Record, blank
from wallviz.machine.record import read as read_record
from wallviz.units import THIN

GPU = replace(FULL, path="cuda", device=replace(FULL.device, name="RTX", kind="gpu"), errors=())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command asks to be measured; two GPUs answer at once, as does the CPU."""
    calls: list[dict[str, Any]] = []

    def measure(path: str | None = None, **options: Any) -> Record:
        calls.append({"path": path} | options)
        if options.get("gpu") is None:
            return FULL
        return GPU if options["gpu"] < 2 else blank(path or "cuda", Reason.NO_DEVICE)

    monkeypatch.setattr(run, "measure", measure)
    return calls


def called(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = app(list(arguments), standalone_mode=False)
    printed = capsys.readouterr()
    return code, printed.out.replace(THIN, " "), printed.err


def test_by_default_it_measures_the_cpu(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """Without options the CPU is measured, and a table says rates, working sets, latency, and what was not measured."""
    code, out, err = called(capsys, "probe")
    assert (code, err) == (0, "")
    assert [call["path"] for call in asked] == ["cpu"]
    said = ("AMD EPYC", "40.0 GB/s", "50% of 80.0 GB/s", "16.0 KiB", "1.20 ns", "wallviz[fast]")
    assert [text for text in said if text not in " ".join(out.split())] == []


def test_json_is_the_record_and_nothing_else(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints one record that reads back as what was measured."""
    code, out, err = called(capsys, "probe", "--json", "--quick")
    assert (code, err) == (0, "")
    assert asked[0]["quick"] is True
    assert read_record(out) == FULL


def test_the_cpu_and_every_gpu_are_a_list(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """--cpu --gpu all measures the CPU and each GPU until there is no next one; each record goes to a file of its own."""
    code, out, err = called(capsys, "probe", "--cpu", "--gpu", "all", "--json", "-o", str(tmp_path / "mine.json"))
    assert code == 0
    assert [found["path"] for found in json.loads(out)] == ["cpu", "cuda", "cuda"]
    written = sorted(file.name for file in tmp_path.iterdir())
    assert written == ["mine-cpu-0.json", "mine-cuda-1.json", "mine-cuda-2.json"]
    assert all(name in err for name in written)


def test_the_path_can_be_named(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """--path with --gpu measures that GPU in that way, and --path alone its first."""
    called(capsys, "probe", "--path", "wgpu", "--gpu", "1")
    called(capsys, "probe", "--path", "cuda")
    assert [(call["path"], call["gpu"]) for call in asked] == [("wgpu", 1), ("cuda", 0)]


def test_a_machine_without_a_gpu_gets_a_reason(asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """A GPU that is not there is an answer with a reason and a next step, not a failure."""
    code, out, err = called(capsys, "probe", "--gpu", "7")
    assert (code, err) == (0, "")
    assert "no such device is visible" in out


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.LOST, Reason.BUSY, Reason.INVALID])
def test_a_measurement_that_failed_is_our_failure(reason: Reason, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the machine could be measured and was not, the exit code is 1 and the record says why."""
    monkeypatch.setattr(run, "measure", lambda *_, **__: blank("cpu", reason))
    code, out, _ = called(capsys, "probe", "--json")
    assert code == 1
    assert json.loads(out)["errors"][0]["reason"] == reason.value


@pytest.mark.parametrize(
    "arguments",
    [
        ["--gpu", "first"],
        ["--gpu", "-1"],
        ["--gpu", "9999"],
        ["--gpu", "64"],
        ["--path", "printer"],
        ["--path", "cpu", "--gpu", "0"],
        ["--size", "3"],
        ["-o", "/nowhere/at/all.json"],
        ["-o", "."],
        ["compare"],
        ["compare", "nowhere.json", "nowhere.json"],
        ["contrast"],
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be asked ends with exit code 2 and one line, before anything is measured."""

    def measured(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(run, "Measurement", measured)
    code, out, err = called(capsys, "probe", *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_two_records_are_compared(tmp_path: Path, asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """A record written with -o is compared with another, as a table and as JSON."""
    a, b = str(tmp_path / "a.json"), str(tmp_path / "b.json")
    assert called(capsys, "probe", "-o", a)[0] == called(capsys, "probe", "-o", b)[0] == 0
    code, out, err = called(capsys, "probe", "compare", a, b)
    assert (code, err) == (0, "")
    assert "1.00×" in out
    code, out, err = called(capsys, "probe", "compare", a, b, "--json")
    assert json.loads(out)["kernels"]["copy"] == {"a": 40e9, "b": 40e9, "ratio": 1.0}


def test_a_hostile_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no record is refused by name in one line."""
    file = tmp_path / "bad.json"
    for text in (b"", b"\x00\xff", b"{" * 2_000_000, b'{"schema": 99}'):
        file.write_bytes(text)
        code, out, err = called(capsys, "probe", "compare", str(file), str(file))
        assert (code, out) == (2, "")
        assert "bad.json" in err
        assert len(err.splitlines()) == 1
