"""How wrong are we: every case of the table has a prediction or a reason, and what is a criterion holds."""

from __future__ import annotations

import pytest

from wallviz import catalog
from wallviz.validation import cases
from wallviz.validation.cases import Prediction

FOUND = cases.predictions()
CRITERIA = {id: found for id, found in FOUND.items() if found.case.kind in ("published", "measured", "computed", "derived")}
UNREAD = {id: found for id, found in FOUND.items() if found.case.kind == "published-unverified"}
DENSE = {id: found for id, found in FOUND.items() if id.startswith("S-b200-70b")}
MIXTURES = {id: found for id, found in FOUND.items() if id.startswith("S-b200-dsv2")}
#: Figures that were not read again at their origin and do not come out: none.
UNREAD_MISSES: dict[str, str] = {}


@pytest.mark.parametrize("found", CRITERIA.values(), ids=CRITERIA)
def test_what_was_printed_measured_or_counted_comes_out(found: Prediction) -> None:
    """Every case that is a criterion holds within its tolerance."""
    assert found.holds, (found.value, found.case.expected, found.error, found.reason)


@pytest.mark.parametrize("found", UNREAD.values(), ids=UNREAD)
def test_what_was_not_read_again_comes_out_or_is_named(found: Prediction) -> None:
    """A figure that was not read again at its origin holds, or stands among the misses with its reason."""
    assert found.holds is (found.case.id not in UNREAD_MISSES)


@pytest.mark.parametrize("found", DENSE.values(), ids=DENSE)
def test_dense_runs_are_within_three_percent(found: Prediction) -> None:
    """The peak of every measured dense run on B200 comes out within 3 %."""
    assert found.error is not None
    assert abs(found.error) < 0.03


@pytest.mark.parametrize("found", MIXTURES.values(), ids=MIXTURES)
def test_mixtures_of_experts_are_within_five_percent(found: Prediction) -> None:
    """The peak of every measured mixture of experts on B200 comes out within 5 %."""
    assert found.error is not None
    assert abs(found.error) < 0.05


def test_every_case_has_a_value_or_a_reason() -> None:
    """No case is passed over in silence, and every criterion has a value."""
    assert list(FOUND) == list(catalog.cases())
    assert all((found.value is None) == bool(found.reason) for found in FOUND.values())
    assert all(found.value is not None for found in CRITERIA.values())


def test_the_measured_runs_are_all_there() -> None:
    """Nine dense runs and two mixtures on B200, eight steps on one GPU."""
    peaks = [found for found in FOUND.values() if found.case.quantity in ("peak_allocated_bytes", "peak_bytes_training_step")]
    assert (len(DENSE), len(MIXTURES), len(peaks)) == (9, 2, 19)


def test_a_model_that_is_not_shipped_is_named_as_such() -> None:
    """A case of an architecture without a configuration is answered with a reason, not with an error."""
    from dataclasses import replace

    stranger = replace(catalog.cases()["P-gpt2"], inputs={"arch": "no-such-model"})
    assert cases.predict(stranger) == Prediction(stranger, None, cases.NOT_SHIPPED)


@pytest.mark.parametrize("id", [*DENSE, *MIXTURES])
def test_other_calculators_are_asked_about_the_same_run(id: str) -> None:
    """What the peers are told about a measured run is that run: its parameters, its ranks, its tokens."""
    case = catalog.cases()[id]
    job = cases.parallel_step(case.inputs)
    asked = cases.peer_inputs(case)
    assert asked.parameters == job.arch.parameters
    assert asked.gpus == case.inputs.get("world", case.inputs["tp"] * case.inputs["pp"] * case.inputs.get("cp", 1) * case.inputs["dp"])
    assert asked.sequence * case.inputs.get("cp", 1) == case.inputs.get("s", case.inputs.get("seq"))


@pytest.mark.parametrize("id", DENSE | MIXTURES)
def test_a_part_left_out_or_added_moves_the_error_by_its_share(id: str) -> None:
    """Without a part of its peak a run's error falls by that part over what was measured; dense buffers are added to mixtures alone."""
    found = FOUND[id]
    assert found.error is not None
    for part in ("workspace", "loss"):
        held = float(cases.parallel_step(found.case.inputs).parts[part])
        expected = pytest.approx(found.error - held / found.case.expected) if held else None
        assert cases.error_without(found, part) == expected
    assert (cases.error_with_buffers(found) > found.error + 1e-3) is (id in MIXTURES)
