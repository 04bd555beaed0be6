"""Values that no option of training or serving can have: one sentence each, whatever their type."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wallviz
from wallviz.engine.memory import serve
from wallviz.engine.memory.run import Run
from wallviz.errors import InputError

BAD: tuple[Any, ...] = (
    [], {}, (1,), set(), object(), b"x", "x", True, -1, float("nan"), float("inf"), np.float64("nan"), np.array(["a", "b"]), np.array([]), 10**400,
)  # fmt: skip
SERVING = tuple(name for name in inspect.signature(serve.infer).parameters if name != "arch")


def refused(ask: Callable[[], object]) -> str:
    """The sentence that it is refused with, empty where it is answered; any other error fails the test."""
    try:
        ask()
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("method", ["train", "finetune"])
@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Run)])
def test_a_field_of_a_run_takes_its_kind_or_a_sentence(method: str, field: str) -> None:
    """Every field with every bad value: an answer, or an InputError of one sentence, and never another error."""
    said = [refused(lambda value=value: getattr(wallviz, method)("llama-3.1-8b", **{field: value})) for value in BAD]
    assert all("\n" not in sentence and len(sentence) < 500 for sentence in said)
    assert sum(map(bool, said)) >= len(BAD) - 2


@pytest.mark.parametrize("option", SERVING)
def test_an_option_of_serving_takes_its_kind_or_a_sentence(option: str) -> None:
    """The same of serving."""
    said = [refused(lambda value=value: wallviz.infer("llama-3.1-8b", **{option: value})) for value in BAD]
    assert all("\n" not in sentence and len(sentence) < 500 for sentence in said)
    assert any(said)


@pytest.mark.parametrize("field", ["sequence_parallel", "dropout"])
def test_a_word_is_no_switch(field: str) -> None:
    """ "no" would count as yes: a switch is True or False."""
    with pytest.raises(InputError, match="True, False"):
        wallviz.train("llama-3.1-8b", **{field: "no"})


def test_what_fits_is_asked_with_single_values() -> None:
    """How many GPUs, which job and which chip are one value each."""
    for option in ("count", "job", "hardware"):
        for value in ([], (1,), np.array(["a", "b"]), None):
            with pytest.raises(InputError):
                wallviz.fit("llama-3.1-8b", **({"hardware": "H100"} | {option: value}))
