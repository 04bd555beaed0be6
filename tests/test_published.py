"""The closed forms of papers give what the papers print."""

from __future__ import annotations

import re

import numpy as np
import pytest

from wallviz.errors import InputError
from wallviz.validation import cases, korthikanti, zero
from wallviz.validation.cases import Prediction

#: Megatron-LM's table of models, ZeRO, Korthikanti and others, adapters and optimizers, communication.
PAPERS = re.compile(r"P-megatron|[ZRLC]-")
PRINTED = {id: found for id, found in cases.predictions().items() if PAPERS.match(id) and found.case.kind != "reference"}


@pytest.mark.parametrize("found", PRINTED.values(), ids=PRINTED)
def test_a_closed_form_gives_what_its_paper_prints(found: Prediction) -> None:
    """Every printed number that follows from a paper's own symbols comes out within its tolerance."""
    assert found.holds, (found.value, found.case.expected, found.case.unit)


def test_forms_take_arrays() -> None:
    """A form evaluates a whole axis at once and agrees with itself point by point."""
    ranks = np.array([1.0, 4.0, 64.0, 1024.0])
    for stage in (0, 1, 2, 3):
        many = zero.model_state_bytes(7.5e9, ranks, stage)
        assert list(np.broadcast_to(many, ranks.shape)) == [zero.model_state_bytes(7.5e9, n, stage) for n in ranks]
    assert list(zero.bytes_per_parameter(64.0, np.array([0, 1, 2, 3]))) == [16.0, 4.1875, 2.21875, 0.25]
    chunks = np.array([1.0, 2.0, 3.0])
    assert list(np.asarray(korthikanti.first_stage_layers(96.0, 8.0, chunks))) == [96.0, 138.0, 124.0]


def test_an_unknown_technique_is_refused() -> None:
    """A technique that the paper does not name is refused with those that it does."""
    with pytest.raises(InputError, match=r"no technique is called magic: use one of none, tensor, sequence"):
        korthikanti.bytes_per_unit("magic", 96, 2048, 12288)
