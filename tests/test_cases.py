"""The cases that the footprint is checked against: complete, in base units, each with its origin, and guarded by rules."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from wallviz import catalog
from wallviz.catalog import Case
from wallviz.validation import cases

CASES = catalog.cases()


def test_the_table_is_complete() -> None:
    """At least 553 cases ship, at least so many of each kind and of each group."""
    assert len(CASES) == catalog.tables()["cases"].rows
    assert Counter(case.kind for case in CASES.values()) >= Counter(
        {
            "published": 187,
            "computed": 96,
            "derived": 83,
            "peer-output": 62,
            "measured": 58,
            "reference": 51,
            "published-unverified": 16,
        }
    )
    assert Counter(key[0] for key in CASES) >= Counter(
        {
            "P": 119,
            "K": 33,
            "V": 3,
            "Z": 76,
            "R": 35,
            "D": 17,
            "H": 8,
            "G": 57,
            "Q": 20,
            "L": 22,
            "A": 29,
            "T": 16,
            "S": 14,
            "C": 6,
            "F": 15,
            "X": 40,
            "E": 28,
            "M": 15,
        }
    )


def test_every_case_says_where_it_comes_from() -> None:
    """The sources of a case are known, and what was not read again at its origin stands apart by its kind."""
    assert {source for case in CASES.values() for source in case.source.split(";")} <= set(catalog.sources())
    unread = {case.source for case in CASES.values() if case.kind == "published-unverified"}
    assert unread >= {"megatron_sc21", "zero_infinity_2021", "thebloke_gptq"}


def test_units_are_base_units() -> None:
    """What Megatron-LM prints as MB are 2**20 bytes, what ZeRO prints as GB 10**9, and a share is no percentage."""
    megatron, zero, share = CASES["M-22B-total"], CASES["Z-fig1-stage1"], CASES["R-fig7-22B-full"]
    assert (megatron.printed, megatron.printed_unit, megatron.expected) == (57373.47, "MB", pytest.approx(57373.47 * 2**20))
    assert (zero.printed, zero.printed_unit, zero.expected, zero.absolute_tolerance) == (31.4, "GB", 31.4e9, 0.06e9)
    assert (share.printed, share.printed_unit, share.expected, share.absolute_tolerance) == (7.64, "%", pytest.approx(0.0764), 0.003)


def test_parameter_counts_name_an_architecture() -> None:
    """A count of a model class names the architecture that it counts; vision networks stay, marked and as reference only."""
    counts = [case for case in CASES.values() if case.kind == "computed"]
    assert all(isinstance(case.inputs["arch"], str) for case in counts)
    vision = [case for case in CASES.values() if str(case.inputs.get("arch", "")).startswith("torchvision")]
    assert vision
    assert all(case.kind == "reference" and "vision network" in case.note for case in vision)


def test_a_case_holds_within_its_tolerance_and_no_further() -> None:
    """Exact means equal but for rounding; otherwise the distance is relative or absolute, measured from what was expected."""

    def case(expected: float, relative: float = 0.0, absolute: float = 0.0) -> Case:
        return replace(CASES["P-gpt2"], expected=expected, relative_tolerance=relative, absolute_tolerance=absolute)

    assert case(1e11).exact
    assert case(1e11).holds(1e11 * (1 + 1e-15))
    assert not case(1e11).holds(1e11 + 1)
    assert case(100, relative=0.03).holds(103)
    assert not case(100, relative=0.03).holds(103.05)
    assert case(100, absolute=2).holds(98)
    assert not case(100, absolute=2).holds(97.9)
    assert case(0).holds(0)
    assert not case(0).holds(1e-9)
    assert case(200).error(190) == pytest.approx(-0.05)
    assert case(0).error(0) == 0


@pytest.mark.parametrize(("size", "parameters"), [("qwen7b", 7_721_324_544), ("qwen14b", 14_167_290_880), ("qwen72b", 72_287_920_128)])
def test_the_first_qwen_models_have_the_parameters_of_their_checkpoints(size: str, parameters: int) -> None:
    """Those of the files that Qwen released, biases of queries, keys and values among them, which the Llama of the same shape has not."""
    layers, hidden = cases._QWEN[size][:2]
    assert cases._llama(*cases._QWEN[size]).parameters + layers * 3 * hidden == parameters


def test_inputs_cannot_be_changed() -> None:
    """A case is frozen, its inputs too: no page can spoil it for another."""
    with pytest.raises(TypeError):
        CASES["Z-fig1-stage0"].inputs["P"] = 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("inputs", "{'P': 1}", "inputs must be a JSON object"),
        ("inputs", "[1, 2]", "inputs must be a JSON object"),
        ("inputs", "", "inputs is empty"),
        ("expected", "31.4", "expected 31.4 bytes is not the printed 31.4 GB: write the printed value in base units"),
        ("expected", "-1", "expected must be above 0"),
        ("unit", "GB", "unit must be one of"),
        ("printed_unit", "gigabytes", "printed_unit must be one of"),
        ("relative_tolerance", "1%", "relative_tolerance must be a plain number"),
        ("relative_tolerance", "0.01", "a relative or an absolute tolerance, not both"),
        ("kind", "guessed", "kind must be one of"),
        ("source", "nobody_2020", "source nobody_2020 is not in sources.yml"),
        ("case_id", "Z-fig1-stage0", "case_id Z-fig1-stage0 stands in line"),
    ],
)
def test_a_bad_row_is_reported(tmp_path: Path, column: str, value: str, expected: str) -> None:
    """A row that breaks the codebook is reported with file, line and remedy."""
    copy = Path(shutil.copytree(catalog.DATA, tmp_path / "data"))
    path = copy / "cases.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    row = next(row for row in rows if row["case_id"] == "Z-fig1-stage1")
    row[column] = value
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    catalog.write_checksums(copy)
    assert any(problem.startswith("cases.csv:") and expected in problem for problem in catalog.check(copy)), catalog.check(copy)
