"""The probe's tables and its record: reasons, kernels, the schema, and reading it with suspicion."""

from __future__ import annotations

import dataclasses
import json
import pickle
from typing import Any

import numpy as np
import pytest

from wallviz.errors import InputError
from wallviz.machine.probe.kernels import KERNELS, MEAN_READ, SCALAR, TOLERANCE, hashed
from wallviz.machine.probe.samples import bimodal, measured
from wallviz.machine.reasons import Flag, NotMeasured, Reason, explained
from wallviz.machine.record import Cache, Device, Failure, KernelRun, Latency, Measured, Record, Stair, State, blank, compare, plain_text, read

COPY = Measured(40e9, 38e9, 1e9, 30, valid=True, bus_bytes_per_s=60e9)
FULL = Record(
    "cpu",
    Device("AMD EPYC", architecture="x86_64", processors=2, memory_bytes=2**34, caches=(Cache(1, 32768, 1), Cache(3, 2**25))),
    theoretical_bytes_per_s=80e9,
    theoretical_source="data sheet",
    kernels={"copy": COPY, "add": Measured.invalid()},
    threads=2,
    runs=(KernelRun("numpy", 2, 2**27, {"copy": COPY}),),
    sweep=(Stair(16384, 2e11), Stair(2**27, 4e10)),
    latency=(Latency(16384, 1.2e-9), Latency(16384, 1.1e-9, "page")),
    transfers={"h2d_pinned": Measured(25e9, 24e9, 1e8, 9, valid=None)},
    before=State(memory_clock_hz=2.6e9, throttle_reasons=("power",)),
    others_busy=0.2,
    flags=(Flag.OTHERS_BUSY.value,),
    errors=(Failure("no_package", "numba", "latency"),),
)


def changed(**fields: Any) -> str:
    return json.dumps(FULL.as_dict() | fields)


def test_every_reason_has_a_sentence_and_a_next_step() -> None:
    """There are fifteen reasons, each with one sentence and one next step of its own."""
    named = "unsupported, insecure, no_adapter, software, no_package, no_driver, no_device, driver_too_old, memory, cancelled, hidden, lost, "
    assert ", ".join(Reason) == named + "timeout, invalid, busy"
    assert len({reason.sentence for reason in Reason}) == len({reason.next_step for reason in Reason}) == 15
    assert all(explained(reason, extra="gpu").endswith(".") for reason in Reason)


def test_every_flag_has_a_sentence() -> None:
    """What makes a figure doubtful is said in a sentence of its own."""
    assert len({flag.sentence for flag in Flag}) == len(Flag)


def test_a_reason_survives_between_processes() -> None:
    """What was not measured can be sent from one process to another."""
    error = pickle.loads(pickle.dumps(NotMeasured(Reason.NO_PACKAGE, "wgpu", extra="gpu")))
    assert (error.reason, error.detail, error.extra) == (Reason.NO_PACKAGE, "wgpu", "gpu")


def test_kernels_count_as_stream_does() -> None:
    """Words are STREAM's: 2 for copy and scale, 3 for add and triad; on the bus, each written word is read first."""
    assert {name: (kernel.words, kernel.bus_words) for name, kernel in KERNELS.items()} == {
        "read": (1, 1),
        "write": (1, 2),
        "copy": (2, 3),
        "scale": (2, 3),
        "add": (3, 4),
        "triad": (3, 4),
    }


def test_the_closed_form_is_the_source() -> None:
    """What a kernel's text computes is its closed form, for every kernel."""
    b, c = hashed(0, 100, 1, "f64"), hashed(0, 100, 2, "f64")
    for kernel in KERNELS.values():
        computed = eval(kernel.source(b="b", c="c"), {"b": b, "c": c, "s": SCALAR})
        assert np.all(np.abs(computed - kernel.expected(b, c)) <= TOLERANCE["f64"])


def test_filled_values_are_a_hash_of_their_place() -> None:
    """Values are those of PCG's hash, computed here number by number, wherever a part begins."""

    def one(index: int, seed: int) -> int:
        folded = (index ^ (index >> 32)) & 0xFFFFFFFF ^ (seed * 0x9E3779B9 & 0xFFFFFFFF)
        state = (folded * 747796405 + 2891336453) & 0xFFFFFFFF
        word = (((state >> ((state >> 28) + 4)) ^ state) * 277803737) & 0xFFFFFFFF
        return (word >> 22) ^ word

    for first in (0, 8191, 2**32 - 1):
        assert hashed(first, 3, 2, "f64").tolist() == [1 + one(first + i, 2) / 2**32 for i in range(3)]
        assert hashed(first, 3, 2).tolist() == [1 + (one(first + i, 2) >> 9) / 2**23 for i in range(3)]


def test_filled_values_do_not_compress() -> None:
    """Values lie in [1, 2) and are spread evenly: the mean of their squares is that of the uniform distribution."""
    values = hashed(0, 2**17, 1).astype(float)
    assert 1 <= values.min() <= values.max() < 2
    assert abs(float(np.mean(values**2)) - MEAN_READ) < 4 * 0.869 / 2**8.5


def test_best_leaves_the_first_out() -> None:
    """The best is that of the samples without the first, the median and quartiles those of the same ones."""
    assert measured([0.1, 1.0, 2.0, 4.0], 8.0) == Measured(8.0, 4.0, 3.0, 3, valid=True)
    assert measured([0.5], 8.0).samples == 1


def test_what_failed_its_check_has_no_figure() -> None:
    """A kernel whose result is wrong has no rate."""
    assert measured([1.0, 1.0], 8.0, valid=False).best_bytes_per_s is None


def test_two_modes_are_seen() -> None:
    """Times in two groups a quarter apart are two modes; one group with a straggler, or a wide one, is not."""
    assert bimodal([1.0] + [1.0, 1.01] * 5 + [1.8, 1.82] * 3)
    assert not bimodal([1.0] + [1.0, 1.01] * 9 + [2.0])
    assert not bimodal([1.0, *np.linspace(1, 2, 20)])


def test_a_record_comes_back_as_it_was() -> None:
    """A record written and read is the same record."""
    assert read(FULL.as_json()) == FULL
    assert read(FULL.as_json().encode()) == FULL


def test_a_record_has_the_fields_of_the_contract() -> None:
    """The JSON holds what CLI.md names."""
    plain = FULL.as_dict()
    assert list(plain)[:5] == ["schema", "version", "created", "path", "device"]
    assert {"theoretical_bytes_per_s", "kernels", "threads", "sweep", "latency", "flags", "errors"} <= plain.keys()
    assert {"best_bytes_per_s", "median_bytes_per_s", "iqr", "samples", "valid"} <= plain["kernels"]["copy"].keys()
    assert plain["sweep"][0] == {"bytes": 16384, "bytes_per_s": 2e11}


def test_a_later_field_is_left_out() -> None:
    """A field that this version does not know does not keep the record from being read."""
    assert read(changed(colour="blue")) == FULL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        "\ud800",
        b"\xff\xfe\x00",
        '{"schema": 1}',
        "9" * 5000,
        changed(schema=2),
        changed(schema=True),
        changed(schema="<b>1</b>"),
        changed(path="printer"),
        changed(created="yesterday"),
        changed(threads=-1),
        changed(threads=1.5),
        changed(threads=True),
        changed(seconds="8"),
        changed(others_busy=1.1),
        changed(theoretical_bytes_per_s=1e300),
        changed(theoretical_bytes_per_s=int("9" * 400)),
        changed(theoretical_bytes_per_s=float("nan")),
        changed(theoretical_bytes_per_s=float("inf")),
        changed(theoretical_source="x" * 301),
        changed(sweep=[{"bytes": 1, "bytes_per_s": 1.0}] * 201),
        changed(sweep={"bytes": 1}),
        changed(sweep=[{"bytes": 0, "bytes_per_s": 1.0}]),
        changed(sweep=[{"bytes": 1}]),
        changed(latency=[{"bytes": 1, "seconds": -1e-9, "order": "random"}]),
        changed(latency=[{"bytes": 1, "seconds": 1e-9, "order": "sideways"}]),
        changed(flags=["<script>"]),
        changed(flags=["made_up"]),
        changed(errors=[{"reason": "made_up"}]),
        changed(device={"name": "<img src=x onerror=alert(1)>"}),
        changed(device={"name": "safe\u202eexe"}),
        changed(device={"name": "a\x00b"}),
        changed(device={"name": "x", "kind": "toaster"}),
        changed(device=None),
        changed(kernels={"<b>": dataclasses.asdict(COPY)}),
        changed(kernels={"copy": dataclasses.asdict(COPY) | {"best_bytes_per_s": -5.0}}),
        changed(kernels={"copy": dataclasses.asdict(COPY) | {"valid": False}}),
        changed(kernels={"copy": dataclasses.asdict(COPY) | {"valid": "yes"}}),
        changed(kernels={"copy": dataclasses.asdict(COPY) | {"median_bytes_per_s": 50e9}}),
        changed(kernels={str(n): dataclasses.asdict(COPY) for n in range(201)}),
        " " * 1_000_001,
    ],
)
def test_a_hostile_record_is_refused(text: str | bytes) -> None:
    """What is not a record is refused with one short sentence that holds no markup."""
    with pytest.raises(InputError) as refused:
        read(text)
    said = str(refused.value)
    assert len(said) < 300
    assert not {"<", ">", "\n", "\x00", "\u202e"} & set(said)


def test_texts_of_drivers_become_plain() -> None:
    """Whatever a driver says becomes a text that a record may hold."""
    said = plain_text("GPU\x00 <b>\u202e" + "x" * 1000)
    assert read(blank("cuda", Reason.LOST, said).as_json()).errors[0].detail == said


def test_the_headline_is_the_first_measured_of_triad_add_copy() -> None:
    """The headline skips what was not measured and what failed its check, and its fraction is that of the theoretical rate."""
    assert FULL.headline == ("copy", COPY)
    assert FULL.fraction == 0.5


def test_comparison_is_by_kernel_and_size() -> None:
    """Two records are compared where both have a figure; a missing one has no ratio."""
    faster = dataclasses.replace(FULL, kernels={"copy": dataclasses.replace(COPY, best_bytes_per_s=80e9), "triad": COPY}, sweep=(Stair(2**27, 8e10),))
    found = compare(FULL, faster)
    assert {each.what: each.ratio for each in found.kernels} == {"copy": 2.0, "add": None, "triad": None}
    assert {size: each.ratio for size, each in found.sweep.items()} == {2**27: 2.0}
    assert found.as_dict()["kernels"]["copy"] == {"a": 40e9, "b": 80e9, "ratio": 2.0}
