"""What a reader can choose on the growth page: the figure, its data, how trends are fitted, and which points are taken out."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class View:
    """What the reader chose."""

    figure: str = choice("gap", WORDS["figure"], old={"show": {"curves": "gap", "ratio": "ratio", "capacity": "capacity"}})
    data: str = choice("2024", WORDS["data"])
    hold: str = choice("published", WORDS["hold"])
    scale: str = choice("log", WORDS["scale"])
    domain: str = choice("all", WORDS["domain"])
    unit: str = choice("normalised", WORDS["unit"])
    peaks: str = choice("fp16", WORDS["peaks"], old={"precision": None})
    """Number format of the peaks."""
    frontier: bool = flag(default=False)
    window: tuple[int, int] = years(curves.FIRST_YEAR, curves.LAST_YEAR, N_("Window"))
    records: bool = flag(default=False)
    fit: str = choice("ols", WORDS["fit"], old={"method": None})
    """How a trend is fitted."""
    band: str = choice("fit", WORDS["band"])
    extend: int = number(curves.LAST_YEAR, curves.LAST_YEAR, 2040, N_("Extrapolate to"))
    without: tuple[str, ...] = names()

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


def words(param: str) -> dict[str, str]:
    """The options of choice `param`, by id, in the language in use."""
    return {option: _(text) for option, text in WORDS[param].items()}
