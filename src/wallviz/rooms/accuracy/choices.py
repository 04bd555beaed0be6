"""What a reader can choose on the accuracy page, and which cases belong to a choice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from wallviz import catalog
from wallviz.catalog import Case
from wallviz.i18n import N_
from wallviz.settings import choice
from wallviz.validation import cases
from wallviz.validation.cases import Prediction

WORDS: dict[str, dict[str, str]] = {
    "group": {
        "all": N_("All criteria"),
        "peaks": N_("Training peaks"),
        "activations": N_("Activations"),
        "parameters": N_("Parameters"),
        "cache": N_("KV cache"),
        "weights": N_("Weights and files"),
        "forms": N_("Closed forms"),
        "calibration": N_("Calibration"),
        "tools": N_("Other tools"),
    },
}
GROUPS = tuple(WORDS["group"])

PEAKS = ("peak_allocated_bytes", "peak_bytes_training_step")

RUNS = tuple(id for id, case in catalog.cases().items() if case.quantity == "peak_allocated_bytes")


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows."""

    group: str = choice(
        "all",
        WORDS["group"],
        N_("Which cases"),
        help=N_("The cases that are set against our predictions: all by which we are judged, or one kind of them."),
    )
    show: str = choice(
        "errors", {"errors": N_("Errors"), "scatter": N_("Predicted against expected"), "tools": N_("Why tools disagree")}, N_("Figure")
    )
    run: str = choice("S-b200-70b-tp2", RUNS, N_("Measured run"), help=N_("The measured training run that every tool was asked to estimate."))


def group(case: Case) -> str:
    """The group of `GROUPS` that a case belongs to: by what agreement would prove, then by what it is about."""
    if case.kind in ("reference", "peer-output"):
        return "calibration" if case.kind == "reference" else "tools"
    if case.quantity in PEAKS:
        return "peaks"
    if case.quantity == "activation_bytes_end_of_forward":
        return "activations"
    return {"A": "activations", "P": "parameters", "K": "cache", "V": "cache", "H": "weights", "G": "weights", "Q": "weights"}.get(
        case.id[0], "forms"
    )


@lru_cache(maxsize=1)
def _groups() -> dict[str, tuple[Prediction, ...]]:
    found: dict[str, list[Prediction]] = {name: [] for name in GROUPS}
    for prediction in cases.predictions().values():
        name = group(prediction.case)
        found[name].append(prediction)
        if name not in ("calibration", "tools"):
            found["all"].append(prediction)
    return {name: tuple(members) for name, members in found.items()}


def members(name: str) -> tuple[Prediction, ...]:
    """The cases of a group; ``all`` are those by which this project is judged, so neither calibration nor what other tools print."""
    return _groups()[name]
