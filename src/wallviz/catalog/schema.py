"""What may stand in every column of every table: the codebook (``data/README.md``) as a declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLAIM_QUANTITIES = (
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
)
SERIES = ("peak_compute", "memory_bandwidth", "interconnect_bandwidth")
MODEL_DATASETS = (
    "gholami_compute_2021",
    "gholami_compute_2023",
    "gholami_params_2021",
    "gholami_params_2023",
    "gholami_readme",
    "epoch_notable_2026",
)
DOMAINS = (
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
)
KINDS = ("gpu", "cpu", "apu", "tpu", "accelerator", "wafer")
CASE_KINDS = ("published", "measured", "computed", "derived", "published-unverified", "reference", "peer-output")
CASE_UNITS = (
    "bytes",
    "bytes/token",
    "bytes/parameter",
    "bits/parameter",
    "elements/parameter",
    "parameters",
    "tokens",
    "s",
    "FLOP/B",
    "ratio",
)
#: How a case's origin prints a number: its unit there, to the base unit and what one of it may be in base units. GB are printed for both.
PRINTED_UNITS: Mapping[str, tuple[str, tuple[float, ...]]] = {
    **{unit: (unit, (1.0,)) for unit in CASE_UNITS if unit not in ("s", "ratio")},
    "MB": ("bytes", (1e6, 2.0**20)),
    "GB": ("bytes", (1e9, 2.0**30)),
    "MiB": ("bytes", (2.0**20,)),
    "GiB": ("bytes", (2.0**30,)),
    "TiB": ("bytes", (2.0**40,)),
    "billion parameters": ("parameters", (1e9,)),
    "ms": ("s", (1e-3,)),
    "us": ("s", (1e-6,)),
    "x": ("ratio", (1.0,)),
    "%": ("ratio", (0.01,)),
    "": ("ratio", (1.0,)),
}


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of a table may hold."""

    type: str = "text"
    """text, number, integer, year, date, released (a date, a month or a year), flag (true or false), json (an object), list (of choices, ``;``),
    columns (of this table) or source."""
    required: bool = False
    """No cell is empty."""
    unique: bool = False
    """No value comes twice."""
    choices: tuple[str, ...] = ()
    """The only values allowed."""
    zero: bool = False
    """A number may be 0; without it, numbers are above 0."""


_id = Column(required=True, unique=True)
_text = Column()
_name = Column(required=True)
_number = Column("number")
_value = Column("number", required=True)
_from_zero = Column("number", required=True, zero=True)
_flag = Column("flag")
_date = Column("date", required=True)
_source = Column("source", required=True)


def _one_of(*choices: str, required: bool = True) -> Column:
    return Column(required=required, choices=choices)


#: File name without ``.csv`` to column name to rule, in the order of the file.
SCHEMAS: Mapping[str, Mapping[str, Column]] = {
    "claims": {
        "claim_id": _id,
        "quantity": _one_of(*CLAIM_QUANTITIES),
        "edition": _one_of("2021", "2024", required=False),
        "producer": _name,
        "what": _name,
        "multiplier": _value,
        "period_years": _value,
        "first": _text,
        "last": _text,
        "status": _one_of("seen", "seen_secondary", "computed"),
        "note": _text,
        "points_table": _one_of("models", "hardware_scaling", "accelerator_memory", "ml_hardware", required=False),
        "points_dataset": _text,
        "points_series": _text,
        "points_column": _text,
        "no_points_reason": _text,
        "source": _source,
    },
    "models": {
        "id": _id,
        "dataset": _one_of(*MODEL_DATASETS),
        "name": _name,
        "date": _date,
        "domain": _one_of(*DOMAINS),
        "domains": Column("list", required=True, choices=DOMAINS),
        "series": _one_of("transformer", "cv", "recsys", "other", required=False),
        "parameters": _number,
        "training_flop": _number,
        "inference_flop": _number,
        "organization": _text,
        "confidence": _one_of("confident", "likely", "speculative", required=False),
        "frontier": _flag,
        "open_weights": _flag,
        "note": _text,
        "source": _source,
    },
    "hardware_scaling": {
        "id": _id,
        "edition": _one_of("2021", "2023"),
        "series": _one_of(*SERIES),
        "name": _name,
        "group": _name,
        "date": _date,
        "value": _value,
        "unit": _one_of("FLOP/s", "B/s", "bit/s per lane", "transfer/s per lane"),
        "normalised_value": _value,
        "precision": _text,
        "name_basis": _name,
        "identified": Column("flag", required=True),
        "value_device": _number,
        "value_device_unit": _one_of("FLOP/s", "B/s", required=False),
        "device_note": _text,
        "note": _text,
        "source": _source,
    },
    "presets": {
        "id": _id,
        "name": Column(required=True, unique=True),
        "family": _name,
        "date": Column("released", required=True),
        "parameters": Column("integer", required=True),
        "active_parameters": Column("integer", required=True),
        "config": Column(required=True, unique=True),
        "note": _text,
        "source": _source,
    },
    "cases": {
        "case_id": _id,
        "quantity": _name,
        "inputs": Column("json", required=True),
        "expected": _from_zero,
        "unit": _one_of(*CASE_UNITS),
        "printed": _from_zero,
        "printed_unit": _one_of(*filter(None, PRINTED_UNITS), required=False),
        "relative_tolerance": _from_zero,
        "absolute_tolerance": _from_zero,
        "kind": _one_of(*CASE_KINDS),
        "note": _text,
        "where": _text,
        "source": _source,
    },
    "accelerator_memory": {
        "id": _id,
        "edition": _one_of("2021", "2023"),
        "name": _name,
        "vendor": _name,
        "date": _date,
        "memory_gb_label": _name,
        "memory_bytes": _value,
        "plotted_parameters": _value,
        "note": _text,
        "source": _source,
    },
    "memory_breakdown": {
        "id": _id,
        "name": _name,
        "year": Column("year", required=True),
        "input": _name,
        "printed_input": _name,
        "micro_batch": Column("integer", required=True),
        "optimizer": _name,
        "weights_bytes": _value,
        "optimizer_bytes": _value,
        "activations_bytes": _value,
        "total_bytes": _value,
        "printed_weights_bytes": _value,
        "printed_optimizer_bytes": _value,
        "printed_activations_bytes": _value,
        "printed_total_bytes": _value,
        "gpu_memory_limit_bytes": _value,
        "note": _text,
        "source": _source,
    },
    "chips": {
        "id": _id,
        "name": Column(required=True, unique=True),
        "aliases": _text,
        "vendor": _name,
        "kind": _one_of(*KINDS),
        "variant": _text,
        "release_date": _date,
        "date_precision": _one_of("day", "month"),
        "announced": Column("flag", required=True),
        "flagship": Column("flag", required=True),
        "memory_gb_label": _text,
        "memory_bytes": _number,
        "memory_type": _name,
        "memory_is_sram": Column("flag", required=True),
        "memory_bytes_per_s": _number,
        "fp64_flop_per_s": _number,
        "fp32_flop_per_s": _number,
        "tf32_flop_per_s": _number,
        "fp16_flop_per_s": _number,
        "fp16_accumulate": Column("flag", required=True),
        "fp8_flop_per_s": _number,
        "fp4_flop_per_s": _number,
        "int8_op_per_s": _number,
        "l2_or_sram_bytes": _number,
        "interconnect_name": _text,
        "interconnect_bytes_per_s_bidir": _number,
        "pcie_gen": Column("integer"),
        "tdp_w": _number,
        "confidence": _one_of("high", "low"),
        "single_source": Column("columns"),
        "n_sources": Column("integer", required=True, zero=True),
        "notes": _text,
        "source": _source,
        "source_urls": _text,
    },
    "ml_hardware": {
        "id": _id,
        "dataset": _one_of("epoch_ml_hardware_2026", "rpelke_2026"),
        "name": _name,
        "vendor": _name,
        "kind": _one_of(*KINDS, required=False),
        "date": Column("date"),
        "memory_bytes": _number,
        "memory_type": _text,
        "memory_bytes_per_s": _number,
        "fp64_flop_per_s": _number,
        "fp32_flop_per_s": _number,
        "tf32_flop_per_s": _number,
        "fp16_flop_per_s": _number,
        "tensor_fp16_flop_per_s": _number,
        "fp8_flop_per_s": _number,
        "fp4_flop_per_s": _number,
        "int8_op_per_s": _number,
        "fastest_flop_per_s": _number,
        "fastest_precision": _text,
        "interconnect_bytes_per_s": _number,
        "tdp_w": _number,
        "note": _text,
        "masked": Column("columns"),
        "source": _source,
    },
}
