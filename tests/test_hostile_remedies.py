"""Remedies against bad input: whatever stands where a name, a number or a draft belongs gets one sentence, never another exception."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

import wallviz
from wallviz import catalog
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.jobs import OPTIONS
from wallviz.engine.remedies import checks, plan
from wallviz.engine.remedies.setup import Draft
from wallviz.errors import InputError

LLAMA = "llama-3.1-8b"
H100 = catalog.chip("h100")

#: What is no name, no number, no switch, no draft and no list of names.
NOTHING: tuple[Any, ...] = (
    [1, 2], [[1], [1, 2]], {}, {"a": 1}, {1, 2}, (), b"x", object(), 1 + 2j, type(None), ..., lambda: 1,
    np.array([1, 2]), np.array([1.0, np.nan]), np.array(["a"]), np.array([]), math.nan, math.inf, 1e99, 10**400, "\x00", "9" * 400,
)  # fmt: skip


def asked(name: str = LLAMA, chip: str | Accelerator = "h100", **options: Any) -> plan.Plan:
    """What can be done, with everything that JSON would carry of it."""
    found = wallviz.remedies(name, chip, **options)
    plan.record(found)
    plan.waterfall_record(found)
    plan.way_record(found)
    return found


def refused(ask: Callable[[], object]) -> None:
    """It raises InputError, a short sentence on one line."""
    with pytest.raises(InputError) as error:
        ask()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 800


@pytest.mark.parametrize("value", NOTHING, ids=lambda value: f"{type(value).__name__} {value!s:.12}")
def test_what_is_no_such_value_is_an_input_error(value: Any) -> None:
    """Model, chip, job, count, remedies, drafts and every option of every job are refused in a sentence where they make no sense."""
    refused(lambda: asked(value))
    refused(lambda: asked(chip=value))
    refused(lambda: asked(job=value))
    refused(lambda: asked(apply=[value]))
    refused(lambda: asked(draft=value))
    for name in ("acceptance", "length", "cost"):
        refused(lambda name=name: asked(job="infer", apply="speculative", draft=Draft(**{name: value})))
    for job, options in OPTIONS.items():
        for name in ("count", "nonsense", *sorted(options)):
            refused(lambda job=job, name=name: asked(job=job, **{name: value}))


@pytest.mark.parametrize(
    "value", [None, 5, 2.5, True, {"zero-2"}, {"zero-2": 1}, b"zero-2", object(), np.array(4), [None], [5], [["zero-2"]], "x", "zero-2,x"]
)
def test_remedies_are_named_in_order(value: Any) -> None:
    """What lists no names, keeps no order, or names no remedy is refused in a sentence."""
    refused(lambda: asked(count=8, apply=value))


@pytest.mark.parametrize("value", [[1, 2], {}, "x", b"x", -1.0, 0.0, math.nan, math.inf, 1e99, 10**400, 1 + 2j, object(), np.array([1e12, 2e12])])
def test_a_chip_by_hand_has_numbers(value: Any) -> None:
    """Figures of a chip that are no positive numbers are refused, whatever the job."""
    for name in (*checks.RATES, "pcie_gen", "fp16_accumulate"):
        for job in OPTIONS:
            refused(lambda name=name, job=job: asked(chip=replace(H100, **{name: value}), job=job))


def test_a_chip_by_hand_has_single_values() -> None:
    """A list where a chip has a name, a date or a source is refused in a sentence."""
    for field in fields(Accelerator):
        refused(lambda name=field.name: asked(chip=replace(H100, **{name: [1, 2]})))


def test_every_chip_of_the_catalogue_passes() -> None:
    """The figures of no chip that is shipped are refused."""
    for chip in catalog.chips().values():
        checks.chip(chip)


def test_numbers_of_numpy_are_numbers() -> None:
    """A number out of an array counts like any other."""
    assert asked(job="infer", context=np.int64(8192), batch=np.array(4)).now == asked(job="infer", context=8192, batch=4).now
    assert asked(count=np.int64(8), sequence=np.array(8192)).now == asked(count=8, sequence=8192).now
    drafts = [Draft(np.float64(0.8), np.array(4), 0.1), Draft(0.8, 4, 0.1)]  # type: ignore[arg-type]
    first, second = (asked(job="infer", apply="speculative", draft=draft).waterfall[-1].after for draft in drafts)
    assert first == second


def test_pipeline_stages_that_outnumber_the_gpus_are_told() -> None:
    """Serving on fewer GPUs than it has stages is refused, and stages that are no number too."""
    for stages in (0, -1, 16, 2.5, "x", None, [1, 2]):
        refused(lambda stages=stages: asked(job="infer", count=8, pipeline_parallel=stages))
