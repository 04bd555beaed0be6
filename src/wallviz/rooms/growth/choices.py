"""What a reader can choose on the growth page: the figure, its data, how trends are fitted, and which points are taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wallviz import curves
from wallviz.i18n import N_, _
from wallviz.settings import choice, flag, names, number, years

METHODS = {"ols": ("ols", "t"), "bootstrap": ("ols", "bootstrap"), "theil-sen": ("theil-sen", "rank")}
WORDS: dict[str, dict[str, str]] = {
    "figure": {
        "gap": N_("The gap"), "ratio": N_("FLOP per byte"), "capacity": N_("GB per TFLOP/s"), "compute": N_("Training compute"),
        "size": N_("Model size"), "training": N_("Training memory"),
    },
    "data": {"2021": N_("2021 blog"), "2024": N_("2024 paper"), "today": N_("Today")},
    "hold": {"published": N_("Nothing"), "window": N_("Same window"), "precision": N_("Same precision")},
    "scale": {"log": N_("Log"), "linear": N_("Linear")},
    "domain": {
        "all": N_("All domains"), "language": N_("Language"), "vision": N_("Vision"), "speech": N_("Speech"), "multimodal": N_("Multimodal"),
        "recommendation": N_("Recommendation"), "image generation": N_("Image generation"), "video": N_("Video"), "biology": N_("Biology"),
        "games": N_("Games"), "robotics": N_("Robotics"),
    },
    "unit": {"normalised": N_("As published"), "real": N_("Per device")},
    "unit of size": {"normalised": N_("As published"), "real": N_("In bytes")},
    "fit": {"ols": N_("Least squares"), "bootstrap": N_("Bootstrap interval"), "theil-sen": N_("Theil–Sen")},
    "band": {"fit": N_("Of the fit"), "prediction": N_("Of one more point")},
    "peaks": {"fp16": "FP16 / BF16", "fp32": "FP32", "tf32": "TF32", "fp8": "FP8", "fp4": "FP4", "int8": "INT8", "fp64": "FP64"},
}  # fmt: skip


def _units(view: Any) -> dict[str, str]:
    """Models have bytes where chips have devices."""
    return {option: _(said) for option, said in WORDS["unit of size" if view.figure == "size" else "unit"].items()}


@dataclass(frozen=True, slots=True)
class View:
    """What the reader chose."""

    figure: str = choice("gap", WORDS["figure"], N_("Figure"), old={"show": {"curves": "gap", "ratio": "ratio", "capacity": "capacity"}})
    data: str = choice(
        "2024",
        WORDS["data"],
        N_("Data"),
        help=N_("Whose points are drawn and fitted: those of the 2021 blog, those of the 2024 paper, or everything up to today."),
    )
    hold: str = choice(
        "published",
        WORDS["hold"],
        N_("Hold fixed"),
        help=N_("Compare chips and memory over the same years, or at the same number format, and see how much of the gap is left."),
    )
    scale: str = choice(
        "log",
        WORDS["scale"],
        N_("Scale"),
        help=N_("On a log scale steady growth is a straight line; a linear one shows how the latest values tower over the earlier ones."),
    )
    domain: str = choice("all", WORDS["domain"], N_("Domain"), help=N_("Which models are drawn and fitted, by what they work on."))
    unit: str = choice(
        "normalised",
        WORDS["unit"],
        N_("Basis"),
        more=_units,
        help=N_("Values as the source prints them, or real ones: those of one device, for models in bytes."),
    )
    peaks: str = choice(
        "fp16",
        WORDS["peaks"],
        N_("Number format"),
        old={"precision": None},
        help=N_("The number format whose peak FLOP/s are drawn: fewer bits are faster and coarser."),
    )
    """Number format of the peaks."""
    frontier: bool = flag(
        default=False, label=N_("Frontier models only"), help=N_("Keep the models alone that were trained with the most compute of their day.")
    )
    window: tuple[int, int] = years(
        curves.FIRST_YEAR, curves.LAST_YEAR, N_("Window"), help=N_("The years whose points are fitted: what lies outside leaves the fit.")
    )
    records: bool = flag(
        default=False, label=N_("Record-setters only"), help=N_("Keep the points alone that lie above every earlier one: the best of their time.")
    )
    fit: str = choice(
        "ols",
        WORDS["fit"],
        N_("Method"),
        old={"method": None},
        help=N_("How the line and its interval are found: least squares, the same with a bootstrap, or Theil–Sen, which odd points cannot bend."),
    )
    """How a trend is fitted."""
    band: str = choice(
        "fit", WORDS["band"], N_("Bands"), help=N_("What the bands show: how uncertain the line is, or how far from it one more point may lie.")
    )
    extend: int = number(
        curves.LAST_YEAR,
        curves.LAST_YEAR,
        2040,
        N_("Extrapolate to"),
        help=N_("The year up to which the lines are drawn on beyond their data; nothing was measured there."),
    )
    without: tuple[str, ...] = names(
        N_("Points to take out (or click them in the figure)"),
        help=N_("These points leave the fit, so that you see how much the line rests on them."),
    )

    @property
    def gap(self) -> bool:
        """Whether the figure is about peaks against what feeds them: as lines, or as the ratio of two."""
        return self.figure in ("gap", "ratio", "capacity")

    @property
    def divides(self) -> bool:
        """Whether the figure is a ratio, chip by chip."""
        return self.figure in ("ratio", "capacity")

    @property
    def curved(self) -> bool:
        """Whether the figure shows curves over time, rather than the bars of training memory."""
        return self.figure != "training"


def toggled(without: tuple[str, ...], point: str) -> tuple[str, ...]:
    """`without` with `point` taken out, or put back if it was out."""
    return tuple(p for p in without if p != point) if point in without else (*without, point)
