"""A row of every table of ``data/`` as a frozen dataclass: its annotations are the codebook (``data/README.md``), see `cells`.

Where an engine has the object already, the row is that object and says what its cells may hold; what they mean stands there.
"""

# No `from __future__ import annotations` here: msgspec and `cells` read the annotations, and as text each would be compiled twice.
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta

from wallviz.catalog.cells import Chip, Columns, Confidence, Count, FromZero, Id, Inputs, Model, Number, Page, Released, Sources, Unique
from wallviz.engine.hardware import Accelerator, Link, MemoryLevel, MemoryTechnology
from wallviz.i18n import N_

Quantity = Literal[
    "training_compute",
    "parameters",
    "accelerator_memory",
    "peak_compute",
    "memory_bandwidth",
    "interconnect_bandwidth",
    "energy_efficiency",
    "price_performance",
    "fleet_bandwidth",
    "reference_line",
]
Dataset = Literal[
    "gholami_compute_2021", "gholami_compute_2023", "gholami_params_2021", "gholami_params_2023", "gholami_readme", "epoch_notable_2026"
]
Domain = Literal[
    "language",
    "vision",
    "multimodal",
    "speech",
    "audio",
    "image generation",
    "video",
    "recommendation",
    "biology",
    "medicine",
    "mathematics",
    "earth science",
    "games",
    "robotics",
    "other",
]
Kind = Literal["gpu", "cpu", "apu", "tpu", "accelerator", "wafer"]
LevelKind = Literal["measured", "derived", "vendor", "model"]
CaseUnit = Literal["bytes", "bytes/token", "bytes/parameter", "bits/parameter", "elements/parameter", "parameters", "tokens", "s", "FLOP/B", "ratio"]
HardwareUnit = Literal[
    "FLOP", "FLOP/s", "FLOP/B", "bytes", "bytes/s", "s", "tokens", "tokens/s", "parameters", "elements", "elements/parameter", "chips", "ratio"
]
#: How a case's origin prints a number: its unit there, to the base unit and what one of it may be in base units. GB are printed for both.
PRINTED_UNITS: Mapping[str, tuple[str, tuple[float, ...]]] = {
    **{unit: (unit, (1.0,)) for unit in get_args(CaseUnit) if unit not in ("s", "ratio")},
    "MB": ("bytes", (1e6, 2.0**20)),
    "GB": ("bytes", (1e9, 2.0**30)),
    "MiB": ("bytes", (2.0**20,)),
    "GiB": ("bytes", (2.0**30,)),
    "TiB": ("bytes", (2.0**40,)),
    "billion parameters": ("parameters", (1e9,)),
    "us": ("s", (1e-6,)),
    "ms": ("s", (1e-3,)),
    "s": ("s", (1.0,)),
    "min": ("s", (60.0,)),
    "days": ("s", (86400.0,)),
    "GFLOP": ("FLOP", (1e9,)),
    "TFLOP/s": ("FLOP/s", (1e12,)),
    "PFLOP/s": ("FLOP/s", (1e15,)),
    "Gbit/s": ("bytes/s", (0.125e9,)),
    "GB/s": ("bytes/s", (1e9,)),
    "TB/s": ("bytes/s", (1e12,)),
    "tokens/s": ("tokens/s", (1.0,)),
    "elements": ("elements", (1.0,)),
    "chips": ("chips", (1.0,)),
    "s/sample": ("s", (1.0,)),
    **{unit: (unit, (1.0,)) for unit in ("tokens/GPU", "perplexity", "score", "nats/token")},
    "x": ("ratio", (1.0,)),
    "%": ("ratio", (0.01,)),
    "": ("ratio", (1.0,)),
}
PrintedUnit = Annotated[str, Meta(extra={"choices": tuple(filter(None, PRINTED_UNITS))})]
ROUNDING = 1e-12
"""Relative: what the order of additions changes in a number of 64 bits. An exact case allows no more."""

# ---------------------------------------------------------------------------------------------------- claims and their points


@dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=False, repr=False)
class ClaimRow:
    """What somebody published, and where its points stand; becomes an `engine.growth.Claim`."""

    id: Annotated[Id, Meta(extra={"column": "claim_id"})]
    quantity: Quantity
    edition: Literal["", "2021", "2024"] = ""
    producer: str
    what: str
    multiplier: Number
    period_years: Number
    first: str = ""
    last: str = ""
    status: Literal["seen", "seen_secondary", "computed"]
    note: str = ""
    points_table: Literal["", "models", "hardware_scaling", "accelerator_memory", "ml_hardware"] = ""
    points_dataset: str = ""
    points_series: str = ""
    points_column: str = ""
    no_points_reason: str = ""
    source: Sources


@dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=False, repr=False)
class ScalingRow:
    """One device of the authors' hardware figure, as plotted; becomes a `engine.growth.Point`."""

    id: Id
    edition: Literal["2021", "2023"]
    series: Literal["peak_compute", "memory_bandwidth", "interconnect_bandwidth"]
    name: str
    group: str
    date: dt.date
    value: Number
    unit: Literal["FLOP/s", "B/s", "bit/s per lane", "transfer/s per lane"]
    normalised_value: Number
    precision: str = ""
    name_basis: str
    identified: bool
    value_device: Number | None = None
    value_device_unit: Literal["", "FLOP/s", "B/s"] = ""
    device_note: str = ""
    note: str = ""
    source: Sources


@dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=False, repr=False)
class AcceleratorMemoryRow:
    """The memory of one accelerator, as plotted; becomes a `engine.growth.Point`."""

    id: Id
    edition: Literal["2021", "2023"]
    name: str
    vendor: str
    date: dt.date
    memory_gb_label: str
    memory_bytes: Number
    plotted_parameters: Number
    note: str = ""
    source: Sources


@dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=False, repr=False)
class ListedChipRow:
    """One chip as others list it; becomes an `engine.hardware.ListedChip` without what is masked."""

    id: Id
    dataset: Literal["epoch_ml_hardware_2026", "rpelke_2026"]
    name: str
    vendor: str
    kind: Literal["", Kind] = ""
    date: dt.date | None = None
    memory_bytes: Number | None = None
    memory_type: str = ""
    memory_bytes_per_s: Number | None = None
    fp64_flop_per_s: Number | None = None
    fp32_flop_per_s: Number | None = None
    tf32_flop_per_s: Number | None = None
    fp16_flop_per_s: Number | None = None
    tensor_fp16_flop_per_s: Number | None = None
    fp8_flop_per_s: Number | None = None
    fp4_flop_per_s: Number | None = None
    int8_op_per_s: Number | None = None
    fastest_flop_per_s: Number | None = None
    fastest_precision: str = ""
    interconnect_bytes_per_s: Number | None = None
    tdp_w: Number | None = None
    note: str = ""
    masked: Columns = frozenset()
    source: Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """One model of one published figure or table."""

    id: Id
    """Unique slug, ``dataset/name``."""
    dataset: Dataset
    """Figure or table it stands in."""
    name: str
    """Name as published."""
    date: dt.date
    """Publication date."""
    domain: Domain
    """Main domain: language, vision, multimodal ..."""
    domains: tuple[Domain, ...]
    """All domains listed, the main one first."""
    series: Literal["", "transformer", "cv", "recsys", "other"] = ""
    """transformer, cv, recsys or other in the authors' figures, else empty."""
    parameters: Number | None = None
    """Number of parameters."""
    training_flop: Number | None = None
    """Work of the training run, FLOP."""
    inference_flop: Number | None = None
    """Work of one forward pass, FLOP, as published."""
    organization: tuple[str, ...] = ()
    """Who trained it."""
    confidence: Literal["", "confident", "likely", "speculative"] = ""
    """confident, likely, speculative or empty: of the estimate."""
    frontier: bool = False
    """Flagged by Epoch AI as a frontier model at its date."""
    open_weights: bool | None = None
    """Weights can be downloaded; None where not stated."""
    note: str = ""
    """What is wrong or special."""
    source: Sources
    """Source ids, separated by ``;``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBreakdown:
    """Training memory of one model in the authors' table: bytes as plotted, and as printed where the two differ."""

    id: Id
    """Unique slug."""
    name: str
    """Name of the model."""
    year: Count
    """Year of the model."""
    input: str
    """Size of one input: pixels or tokens."""
    printed_input: str
    """The same as the table prints it."""
    micro_batch: Count
    """Inputs in a batch."""
    optimizer: str
    """Optimizer of the training run."""
    weights_bytes: Number
    """Weights, bytes, as plotted; so are the next three."""
    optimizer_bytes: Number
    """Optimizer state."""
    activations_bytes: Number
    """Activations."""
    total_bytes: Number
    """Height of the bar."""
    printed_weights_bytes: Number
    """Weights, bytes, as printed; so are the next three."""
    printed_optimizer_bytes: Number
    """Optimizer state."""
    printed_activations_bytes: Number
    """Activations."""
    printed_total_bytes: Number
    """The printed total."""
    gpu_memory_limit_bytes: Number
    """Memory of the largest GPU of the year, as drawn."""
    note: str = ""
    """The slip, where there is one."""
    source: Sources
    """Source ids, separated by ``;``."""

    @property
    def activations_per_weight(self) -> float:
        """Activations over weights: the blog says three to four, its table says otherwise."""
        return self.activations_bytes / self.weights_bytes


# -------------------------------------------------------------------------------------------------------- models and hardware


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One model that every page offers."""

    id: Id
    """Unique slug."""
    name: Unique
    """Name of the model."""
    family: str
    """Family it belongs to."""
    date: Released
    """Date of release, ISO, as precise as known."""
    parameters: Count
    """All parameters."""
    active_parameters: Count
    """Parameters of the language model that one token passes through, embeddings included: all of them in a dense model."""
    config: Unique
    """File in ``data/configs/`` that it is computed from."""
    note: str = ""
    """What is special."""
    source: Sources
    """Source ids, separated by ``;``."""


@dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=False, repr=False)
class ChipRow(Accelerator):
    """A row of chips.csv."""

    id: Id
    name: Unique
    kind: Kind
    date_precision: Literal["day", "month"]
    announced: bool
    flagship: bool
    memory_bytes: Number | None = None
    memory_type: str
    memory_is_sram: bool
    memory_bytes_per_s: Number | None = None
    fp64_flop_per_s: Number | None = None
    fp32_flop_per_s: Number | None = None
    tf32_flop_per_s: Number | None = None
    fp16_flop_per_s: Number | None = None
    fp16_accumulate: bool
    fp8_flop_per_s: Number | None = None
    fp4_flop_per_s: Number | None = None
    int8_op_per_s: Number | None = None
    l2_or_sram_bytes: Number | None = None
    interconnect_bytes_per_s_bidir: Number | None = None
    pcie_gen: Count | None = None
    tdp_w: Number | None = None
    confidence: Confidence
    single_source: Columns = frozenset()
    n_sources: Annotated[int, Meta(ge=0)]
    source: Sources
    source_urls: Annotated[tuple[Page, ...], Meta(extra={"separator": " "})] = ()


@dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=False, repr=False)
class LevelRow(MemoryLevel):
    """A row of levels.csv."""

    id: Id
    place: Literal["on chip", "device memory", "host memory", "link", "network", "storage", "arithmetic"]
    chip: Chip = ""
    capacity_bytes: Number | None = None
    bytes_per_s: Number | None = None
    latency_s: Number | None = None
    energy_j_per_byte: Number | None = None
    energy_j_per_operation: Number | None = None
    energy_per_mac: Number | None = None
    kind: LevelKind
    latency_kind: Literal["", LevelKind] = ""
    energy_kind: Literal["", LevelKind] = ""
    confidence: Confidence
    source: Sources


@dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=False, repr=False)
class LinkRow(Link):
    """A row of links.csv."""

    id: Id
    year: Count
    bytes_per_s: Number
    bytes_per_s_bidir: Number
    transfers_per_s_per_lane: Number | None = None
    confidence: Confidence
    source: Sources


@dataclass(frozen=True, slots=True, kw_only=True, init=False, eq=False, repr=False)
class MemoryTechnologyRow(MemoryTechnology):
    """A row of memory_technologies.csv."""

    id: Id
    year: Count
    bytes_per_s: Number
    capacity_bytes: Number | None = None
    bits_per_s_per_pin_min: Number | None = None
    bits_per_s_per_pin_max: Number | None = None
    width_bits: Count | None = None
    confidence: Confidence
    source: Sources


# ---------------------------------------------------------------------------------------------- what the walls are checked against


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One number that somebody else printed or measured, and what it was computed from."""

    id: Annotated[
        Unique,
        Meta(
            pattern=r"^[A-Z]-\S+$",
            description=N_("{column} must be a capital for its group, a hyphen and no spaces, like P-gpt2, not {value}"),
            extra={"column": "case_id"},
        ),
    ]
    """Unique; the letter before the first hyphen is its group, as in `data/README.md`."""
    quantity: str
    """What the number is: ``parameter_count``, ``peak_allocated_bytes``."""
    inputs: Inputs
    """By name, in base units; published closed forms under the symbols of their paper."""
    expected: FromZero
    """The number in `unit`."""
    unit: CaseUnit
    """A base unit: bytes, never GiB."""
    printed: FromZero
    """The number as its origin prints it."""
    printed_unit: PrintedUnit = ""
    """The unit that stands there; ``GB`` may mean 10^9 or 2^30 bytes, `expected` says which."""
    relative_tolerance: FromZero
    """Allowed distance over `expected`; 0 where the absolute one counts, or where the case is exact."""
    absolute_tolerance: FromZero
    """Allowed distance in `unit`."""
    kind: Literal["published", "measured", "computed", "derived", "published-unverified", "reference", "peer-output"]
    """What agreement proves: ``peer-output`` is never a target, ``reference`` never a criterion."""
    note: str = ""
    """What to know."""
    where: str = ""
    """Table, section or file within the source."""
    source: Sources
    """Source ids, separated by ``;``."""

    @property
    def exact(self) -> bool:
        """Whether nothing but rounding is allowed."""
        return not self.relative_tolerance and not self.absolute_tolerance

    def error(self, value: float) -> float:
        """How far `value` is off, relative to what was expected; where nothing was expected, 0 for nothing and infinity for anything."""
        if not self.expected:
            return float("inf") if value else 0.0
        return (value - self.expected) / self.expected

    def holds(self, value: float) -> bool:
        """Whether `value` agrees within the tolerance of the case."""
        allowed = max(self.absolute_tolerance, max(self.relative_tolerance, ROUNDING) * abs(self.expected))
        return abs(value - self.expected) <= allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareCase:
    """One number that somebody measured or printed of the roofline or of scale-out, with the bound that holds for it."""

    id: Id
    """Unique slug, ``case/number``."""
    case: str
    """What the number is: ``gemm_throughput``, ``decode_rate``, ``allreduce_time``."""
    inputs: Inputs
    """By name, in base units."""
    expected: Number
    """The number in `unit`."""
    unit: HardwareUnit
    """A base unit: FLOP/s, bytes/s, s, bytes, tokens/s, FLOP/B, ratio."""
    printed: Number
    """The number as its origin prints it."""
    printed_unit: PrintedUnit = ""
    """The unit that stands there."""
    relative_tolerance: FromZero | None = None
    """Allowed distance over `expected`; None where there is no criterion or the absolute one counts."""
    absolute_tolerance: FromZero | None = None
    """Allowed distance in `unit`; 0 is exact."""
    bound: Number | None = None
    """What the roofline allows at best, in `unit`, as the origin or the gatherer of the case worked it out."""
    fraction_of_bound: Number | None = None
    """How much of the bound is reached: bound over time, or rate over bound."""
    kind: Literal["measured", "published", "worked", "derived"]
    """measured, published, worked (the answer of an exercise) or derived (by definition)."""
    confidence: Confidence
    """high, or low: not read again at its origin."""
    chip: Chip = ""
    """Id of the chip in the catalog; empty where it is none of its rows, or where several are meant."""
    preset: Model = ""
    """Id of the model among the presets; empty where it is none of them."""
    note: str = ""
    """What to know."""
    where: str = ""
    """Table, section or file within the source."""
    source: Sources
    """Source ids, separated by ``;``."""

    @property
    def has_criterion(self) -> bool:
        """Whether somebody states a tolerance; without one the miss is shown and nothing is passed or failed."""
        return self.relative_tolerance is not None or self.absolute_tolerance is not None

    def error(self, value: float) -> float:
        """How far `value` is off, relative to what was expected."""
        return (value - self.expected) / self.expected

    def holds(self, value: float) -> bool:
        """Whether `value` agrees within the tolerance; True for any value where there is no criterion."""
        allowed = max(self.absolute_tolerance or 0.0, max(self.relative_tolerance or 0.0, ROUNDING) * abs(self.expected))
        return not self.has_criterion or abs(value - self.expected) <= allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One published trade-off of one remedy: a metric without it and with it."""

    id: Id
    """Unique slug, ``remedy/number``."""
    remedy: str
    """Slug of the remedy: ``zero-3``, ``flash-attention``, ``weight-quantization``."""
    metric: str
    """What was counted: memory, perplexity, decode speed ..."""
    baseline: FromZero | None = None
    """Without the remedy, in `unit`; None where it is not stated or a formula (`baseline_formula`)."""
    value: FromZero | None = None
    """With it, in `unit`; the low end where the origin gives a range."""
    value_max: Number | None = None
    """The high end of a range."""
    unit: Literal["", HardwareUnit, "tokens/GPU", "perplexity", "score", "nats/token"] = ""
    """A base unit, perplexity or score; empty where both are formulas."""
    printed_unit: str = ""
    """The unit as its origin prints it."""
    baseline_formula: str = ""
    """Where the origin gives an order or a formula instead of a number."""
    value_formula: str = ""
    """The same of the value."""
    setting: str = ""
    """Model, device and variant it holds for."""
    inputs: Inputs | None = None
    """Parts of the setting by name, in base units: ``format``, ``weights_bytes``, ``bits_per_weight``."""
    preset: Model = ""
    """Id of the model among the presets; empty where it is none of them."""
    confidence: Confidence
    """high, or low: not read again at its origin."""
    where: str = ""
    """Table, section or file within the source."""
    source: Sources
    """Source ids, separated by ``;``."""


def edition(row: Any) -> str:
    """The dataset or edition that a row with a date belongs to."""
    return str(getattr(row, "dataset", "") or row.edition)


#: What a row of each table is, by the file's name without ``.csv``.
ROWS: Mapping[str, type] = {
    "accelerator_memory": AcceleratorMemoryRow,
    "cases": Case,
    "chips": ChipRow,
    "claims": ClaimRow,
    "hardware_scaling": ScalingRow,
    "levels": LevelRow,
    "links": LinkRow,
    "memory_breakdown": MemoryBreakdown,
    "memory_technologies": MemoryTechnologyRow,
    "ml_hardware": ListedChipRow,
    "models": PublishedModel,
    "presets": Preset,
    "remedies": Evidence,
    "roofline_cases": HardwareCase,
    "scaling_cases": HardwareCase,
}
