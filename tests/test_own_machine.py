"""A measured machine as the chip of every page: carried by the link, hostile until parsed."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import wallviz
from wallviz import catalog, cli, i18n
from wallviz.errors import InputError
from wallviz.job import Job
from wallviz.machine import own as own_machine
from wallviz.machine.as_chip import own_machine as made
from wallviz.machine.driver_names import sheet
from wallviz.machine.own import OwnLevel, OwnMachine
from wallviz.machine.record import Arithmetic, Cache, Device, Latency, Measured, Record, Stair
from wallviz.rooms import chips, footprint, growth, hierarchy, roofline, start
from wallviz.rooms import job as shared
from wallviz.rooms.machine.own import chip_id

KIB, MIB, GIB = 2**10, 2**20, 2**30


def rate(value: float) -> Measured:
    """A measured rate."""
    return Measured(value, value, 1e6, 9, valid=True)


CPU = Record(
    "cpu",
    Device("Ryzen 7 7700", caches=(Cache(1, 32 * KIB, 2), Cache(2, MIB, 2), Cache(3, 32 * MIB, 16)), memory_bytes=64 * GIB),
    created="2026-11-25T06:00:00+00:00",
    kernels={"add": rate(41e9), "read": rate(50e9)},
    arithmetic={"fp32": Arithmetic(800e9, 790e9, 9, valid=True)},
    sweep=(Stair(16 * KIB, 200e9), Stair(512 * KIB, 110e9), Stair(4 * MIB, 90e9), Stair(16 * MIB, 95e9), Stair(128 * MIB, 30e9)),
    sweep_threads=1,
    latency=(Latency(16 * KIB, 1e-9), Latency(512 * KIB, 4e-9), Latency(128 * MIB, 90e-9), Latency(128 * MIB, 30e-9, "page")),
)
H100 = Record(
    "cuda",
    Device("NVIDIA H100 80GB HBM3", kind="gpu", memory_bytes=85_000_000_000),
    created="2026-11-25T06:00:00+00:00",
    kernels={"copy": rate(3.0e12)},
    theoretical_bytes_per_s=3.352e12,
)


def test_a_record_becomes_a_chip_with_its_levels() -> None:
    """Bandwidth is the best rate at which weights are read, every cache has the rate of the sets that fit it, latency is that of random loads."""
    machine = made(CPU, catalog.chips())
    assert (machine.bytes_per_s, machine.memory_bytes, machine.fp32_flop_per_s) == (50e9, 64 * GIB, 800e9)
    assert [(one.name, one.bytes_per_s, one.latency_s) for one in machine.levels] == [
        ("L1", 200e9, 1e-9),
        ("L2", 110e9, 4e-9),
        ("L3", 95e9, None),
        ("DRAM", 50e9, 90e-9),
    ]
    assert machine.levels[-1].capacity_bytes is None


def test_a_set_that_fills_a_cache_is_not_in_it() -> None:
    """A cache's rate and latency are those of sets up to four fifths of it: what else is held there takes the rest."""
    sets = {16 * KIB: (200e9, 1e-9), 768 * KIB: (110e9, 4e-9), MIB: (300e9, 0.1e-9), 25 * MIB: (95e9, 9e-9), 30 * MIB: (400e9, 0.2e-9)}
    record = replace(
        CPU,
        sweep=tuple(Stair(size, bytes_per_s) for size, (bytes_per_s, _wait) in sets.items()),
        latency=tuple(Latency(size, wait) for size, (_rate, wait) in sets.items()),
    )
    levels = made(record, catalog.chips()).levels
    assert [(one.bytes_per_s, one.latency_s) for one in levels] == [(200e9, 1e-9), (110e9, 4e-9), (95e9, 9e-9), (50e9, None)]


def test_numpy_alone_hides_the_small_levels() -> None:
    """With numpy alone a call costs more than a small cache: it has no rate rather than a wrong one."""
    assert [one.bytes_per_s for one in made(replace(CPU, flags=("numpy_only",)), catalog.chips()).levels] == [None, None, 95e9, 50e9]


def test_a_gpu_of_the_catalogue_has_its_arithmetic() -> None:
    """Measured bandwidth, data-sheet arithmetic: an H100's ridge is 989.4e12 over what was measured."""
    assert round(wallviz.chip(H100).ridge("bf16") or 0) == round(989.4e12 / 3.0e12)


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-sxm5"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H200", "h200-sxm"),
        ("NVIDIA B200", "b200-sxm"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm4-80gb"),
        ("Tesla T4", "tesla-t4"),
        ("Tesla V100-SXM2-16GB", "tesla-v100-sxm2-16gb"),
        ("NVIDIA GeForce RTX 4090", "geforce-rtx-4090"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("llvmpipe", None),
        ("", None),
    ],
)
def test_what_a_driver_calls_a_gpu(name: str, id: str | None) -> None:
    """A driver's name finds the chip of the catalogue, and a laptop's or a slice's finds none: they have fewer units."""
    found = sheet(name, catalog.chips())
    assert (found.id if found else None) == id


def test_the_link_holds_the_machine() -> None:
    """What a link carries reads back the same, is short, and is a chip wherever a chip is asked for."""
    text = chip_id(CPU)
    assert len(text) < 600
    assert own_machine.read(text).id == text
    assert own_machine.read(text) == made(CPU, catalog.chips())
    assert catalog.chip(text).memory_bytes_per_s == 50e9
    assert shared.SETTINGS["chip"].parse(text) == text
    assert wallviz.roofline("llama-3.1-8b", text).step.bound == "bandwidth"


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each language, and English again."""
    i18n.use(request.param)
    yield request.param
    i18n.use("en")


@pytest.mark.usefixtures("language")
def test_every_room_answers_for_it() -> None:
    """Roofline, memory levels, footprint, growth, chips and the start page show the machine, in both languages."""
    case = Job(chip=chip_id(CPU))
    for answer in (roofline.answer(case, roofline.View()), hierarchy.answer(case, hierarchy.View()), footprint.answer(case, footprint.View())):
        assert answer.drawing is not None
    assert "Ryzen 7 7700" in roofline.answer(case, roofline.View()).sentence
    assert chips.answer(case, chips.View()).drawing is not None
    shown = growth.answer(growth.View(data="today"), chip=case.chip)
    assert "Ryzen 7 7700" in shown.spec
    assert not shown.problems
    assert growth.answer(growth.View(), chip=case.chip).problems
    assert start.answer(case).drawing is not None
    assert "Ryzen 7 7700" in shared.chips(case)[case.chip]


def test_the_published_points_stay_as_they_are() -> None:
    """The reader's point stands beside the fit, never in it."""
    with_it, without = (growth.answer(growth.View(data="today"), chip=chip) for chip in (chip_id(CPU), ""))
    assert with_it.sentence == without.sentence


def packed(fields: Any) -> str:
    """`fields` as a link would hold them."""
    return own_machine.PREFIX + base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


GOOD: list[Any] = ["x", "cpu", "2026-11-25", 1e10, None, None, None, []]


@pytest.mark.parametrize(
    "text",
    [
        "own.",
        "own.abc",
        "own.%%%",
        "own." + "A" * 5000,
        "own.é",
        packed({}),
        packed([]),
        packed([[[[]]]] * 8),
        packed([*GOOD, 1]),
        packed(["<b>x</b>", *GOOD[1:]]),
        packed(["x" * 41, *GOOD[1:]]),
        packed(["x\u202e", *GOOD[1:]]),
        packed(["x", "toaster", *GOOD[2:]]),
        packed(["x", "cpu", "yesterday", *GOOD[3:]]),
        packed([*GOOD[:3], None, *GOOD[4:]]),
        packed([*GOOD[:3], -1.0, *GOOD[4:]]),
        packed([*GOOD[:3], True, *GOOD[4:]]),
        packed([*GOOD[:3], 1e300, *GOOD[4:]]),
        packed([*GOOD[:3], "1e10", *GOOD[4:]]),
        own_machine.PREFIX + base64.urlsafe_b64encode(b'["x","cpu","2026-11-25",NaN,null,null,null,[]]').decode(),
        packed([*GOOD[:7], [["L1", 1e6, 1e9, 1e-9]] * 7]),
        packed([*GOOD[:7], [["L1", 1e6]]]),
        packed([*GOOD[:7], "levels"]),
        own_machine.PREFIX + base64.urlsafe_b64encode(b"[" * 900).decode(),
    ],
)
def test_a_hostile_text_is_one_sentence(text: str) -> None:
    """Whatever an address holds is a machine or one sentence that says what to do."""
    with pytest.raises(InputError, match=r"measure it again"):
        catalog.chip(text)


def test_a_record_without_a_rate_is_no_chip() -> None:
    """Nothing measured, or a software adapter: no chip, and no link to one."""
    assert chip_id(Record("cpu", Device("x"))) == chip_id(None) == ""
    assert chip_id(replace(CPU, device=Device("llvmpipe", kind="software"))) == ""
    with pytest.raises(InputError, match="no bandwidth"):
        wallviz.chip(Record("cpu", Device("x")))


def ask(*arguments: str) -> Result:
    """What the command line answers."""
    return CliRunner().invoke(cli.app, list(arguments))


def test_a_command_takes_the_record(tmp_path: Path) -> None:
    """`wallviz roofline MODEL machine.json` asks about the machine that the record measured; a file that is none is one line."""
    file = tmp_path / "machine.json"
    file.write_text(CPU.as_json(), encoding="utf-8")
    found = json.loads(ask("roofline", "llama-3.1-8b", str(file), "--json").stdout)
    assert (found["hardware"], found["bandwidth_bytes_per_s"]) == ("Ryzen 7 7700", 50e9)
    assert json.loads(ask("fit", "llama-3.1-8b", "--hardware", str(file), "--job", "infer", "--json").stdout)["fits"]
    assert json.loads(ask("hardware", str(file), "--json").stdout)["memory_bytes"] == 64 * GIB
    assert json.loads(ask("footprint", "infer", "llama-3.1-8b", "--hardware", str(file), "--json").stdout)["max_concurrency"] > 1
    ladder = json.loads(ask("hierarchy", str(file), "--size", "16 MiB", "--json").stdout)
    assert [rung["measured_bytes_per_s"] for rung in ladder["rungs"]] == [200e9, 110e9, 95e9, 50e9]
    assert (ladder["fits_first"], wallviz.hierarchy(CPU).machine.name) == ("l3", "your machine: Ryzen 7 7700")
    assert all(text in ask("hierarchy", str(file)).stdout for text in ("your machine: Ryzen 7 7700", "DRAM", "50.0"))
    for text in ("{}", "not json", CPU.as_json().replace("4100", "-4100")):
        file.write_text(text, encoding="utf-8")
        answer = ask("roofline", "llama-3.1-8b", str(file))
        assert answer.exit_code == 2
        assert len(answer.stderr.splitlines()) == 1
        assert ask("hierarchy", str(file)).exit_code == 2
    assert ask("roofline", "llama-3.1-8b", str(tmp_path / "nothing.json")).exit_code == 2
    assert ask("hierarchy", str(tmp_path / "nothing.json")).exit_code == 2


@pytest.mark.parametrize(
    "machine",
    [
        OwnMachine("Raspberry Pi Zero", "cpu", dt.date(2026, 1, 1), 0.3e9, 512e6, 0.2e9),
        OwnMachine("H100 SXM5", "gpu", dt.date(2026, 1, 1), 3.35e12, 80e9, 66.9e12, 989.4e12, (OwnLevel("L2", 5e7, 5.5e12, 2.7e-7),)),
        OwnMachine("100 racks of GB200 NVL72", "gpu", dt.date(2026, 1, 1), 5.76e16, 1.34e15 / 2, 5.76e17, 1.8e19),
    ],
    ids=lambda machine: machine.name,
)
def test_machines_of_every_size_are_read_back(machine: OwnMachine) -> None:
    """From a single-board computer over one accelerator to a hall of racks, what its data sheet says fits a link."""
    assert own_machine.read(machine.id) == machine


def test_levels_are_rounded_where_they_are_measured_and_whole_where_they_are_counted() -> None:
    """Rates have four digits in a link, capacities all of theirs."""
    machine = OwnMachine("x", "cpu", dt.date(2026, 1, 1), 1.23456789e10, levels=(OwnLevel("L1", 32769.0, 1.98765e11, 1.23456e-9),))
    read = own_machine.read(machine.id)
    assert (read.bytes_per_s, read.levels[0]) == (1.235e10, OwnLevel("L1", 32769.0, 1.988e11, 1.235e-9))
