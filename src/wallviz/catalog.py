"""The only reader of ``data/``: tidy CSV files in, frozen domain objects out, and the check of every file against its schema.

The codebook is ``data/README.md``. Everything is read once and kept; nothing here writes but `write_checksums`.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from math import isclose, isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import yaml

from wallviz.errors import DataError, InputError
from wallviz.growth import Claim, Point
from wallviz.hardware import PRECISIONS, Accelerator, ListedChip
from wallviz.i18n import N_, _


def _locate() -> Path:
    """``data/`` inside an installed package, else of the checkout."""
    installed = Path(__file__).parent / "_app" / "data"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "data"


DATA = _locate()

# --------------------------------------------------------------------------------------------------------------- objects


@dataclass(frozen=True, slots=True)
class Source:
    """Where numbers come from, as ``sources.yml`` states it."""

    id: str
    """What the `source` column of a row names."""
    title: str
    """Title of the page, paper or table."""
    producer: str
    """Who made it."""
    url: str
    """Where it stands, empty where it has no page."""
    date: str
    """Date of publication, ISO, as precise as known."""
    retrieved: str
    """When it was read, ISO, as precise as known."""
    licence: str
    """Terms of use, or that facts alone are cited."""
    citation: str
    """One line to cite it by."""
    errata: tuple[str, ...] = ()
    """What is wrong in it, a sentence each."""
    notes: str = ""
    """How it was read, what it means."""
    verified: bool = True
    """False: not read again at its origin."""


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV file of ``data/``."""

    name: str
    """File name without ``.csv``."""
    sha256: str
    """Checksum of the file with newline line ends."""
    rows: int
    """Number of rows below the header."""
    description: str
    """What it holds, in one line."""
    sources: tuple[str, ...] = ()
    """Ids of its main sources."""


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """One model of one published figure or table."""

    id: str
    """Unique slug, ``dataset/name``."""
    dataset: str
    """Figure or table it stands in."""
    name: str
    """Name as published."""
    date: dt.date
    """Publication date."""
    domain: str
    """Main domain: language, vision, multimodal ..."""
    domains: tuple[str, ...] = ()
    """All domains listed, the main one first."""
    series: str = ""
    """transformer, cv, recsys or other in the authors' figures, else empty."""
    parameters: float | None = None
    """Number of parameters."""
    training_flop: float | None = None
    """Work of the training run, FLOP."""
    inference_flop: float | None = None
    """Work of one forward pass, FLOP, as published."""
    organization: tuple[str, ...] = ()
    """Who trained it."""
    confidence: str = ""
    """confident, likely, speculative or empty: of the estimate."""
    frontier: bool = False
    """Flagged by Epoch AI as a frontier model at its date."""
    open_weights: bool | None = None
    """Weights can be downloaded; None where not stated."""
    note: str = ""
    """What is wrong or special."""
    source: str = ""
    """Source ids, separated by ``;``."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One model that every page offers."""

    id: str
    """Unique slug."""
    name: str
    """Name of the model."""
    parameters: int
    """All parameters."""
    active_parameters: int
    """Parameters that one token passes through, embeddings included: all of them in a dense model."""
    note: str = ""
    """What is special."""
    source: str = ""
    """Source ids, separated by ``;``."""


@dataclass(frozen=True, slots=True)
class MemoryBreakdown:
    """Training memory of one model in the authors' table: bytes as plotted, and as printed where the two differ."""

    id: str
    """Unique slug."""
    name: str
    """Name of the model."""
    year: int
    """Year of the model."""
    input: str
    """Size of one input: pixels or tokens."""
    printed_input: str
    """The same as the table prints it."""
    micro_batch: int
    """Inputs in a batch."""
    optimizer: str
    """Optimizer of the training run."""
    weights_bytes: float
    """Weights, bytes, as plotted; so are the next three."""
    optimizer_bytes: float
    """Optimizer state."""
    activations_bytes: float
    """Activations."""
    total_bytes: float
    """Height of the bar."""
    printed_weights_bytes: float
    """Weights, bytes, as printed; so are the next three."""
    printed_optimizer_bytes: float
    """Optimizer state."""
    printed_activations_bytes: float
    """Activations."""
    printed_total_bytes: float
    """The printed total."""
    gpu_memory_limit_bytes: float
    """Memory of the largest GPU of the year, as drawn."""
    note: str = ""
    """The slip, where there is one."""
    source: str = ""
    """Source ids, separated by ``;``."""

    @property
    def activations_per_weight(self) -> float:
        """Activations over weights: the blog says three to four, its table says otherwise."""
        return self.activations_bytes / self.weights_bytes


# ---------------------------------------------------------------------------------------------------------------- schema

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


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of a table may hold."""

    type: str = "text"
    """text, number, integer, year, date, flag (true or false), list (of choices, ``;``), columns (names of this table) or source."""
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
        "parameters": Column("integer", required=True),
        "active_parameters": Column("integer", required=True),
        "note": _text,
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

# --------------------------------------------------------------------------------------------------------------- reading

Row = dict[str, str]


def _read(name: str, directory: Path) -> Iterator[tuple[int, Row]]:
    """Line number and cells of each row of one table."""
    with (directory / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield reader.line_num, row


@cache
def _rows(name: str) -> tuple[Row, ...]:
    if name not in SCHEMAS:
        raise InputError(N_("no table is called {name}: use one of {known}"), name=name, known=", ".join(SCHEMAS))
    try:
        return tuple(row for _line, row in _read(name, DATA))
    except FileNotFoundError:
        raise DataError(N_("{file} is missing: restore it from the repository"), file=f"data/{name}.csv") from None


class _Index(NamedTuple):
    """``sources.yml`` as it stands."""

    sources: list[dict[str, Any]]
    tables: dict[str, dict[str, Any]]


def _load_index(directory: Path) -> _Index:
    try:
        with (directory / "sources.yml").open(encoding="utf-8") as file:
            index = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise DataError(N_("{file} is missing: restore it from the repository"), file="data/sources.yml") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DataError(
            N_("{file}:{line}: this is not valid YAML: correct the line"), file="data/sources.yml", line=mark.line + 1 if mark else "?"
        ) from None
    if not isinstance(index, dict) or not isinstance(index.get("sources"), list) or not isinstance(index.get("tables"), dict):
        raise DataError(N_("{file} must hold a list `sources` and a mapping `tables`: see data/README.md"), file="data/sources.yml")
    return _Index(index["sources"], index["tables"])


@cache
def _index() -> _Index:
    return _load_index(DATA)


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(";") if part.strip())


def _typed(table: str, row: Row) -> dict[str, Any]:
    """The cells of a row as its schema types them: numbers, dates and flags are None where empty, lists are tuples, column names a set."""
    cells: dict[str, Any] = dict(row)
    for name, rule in SCHEMAS[table].items():
        cell = row[name]
        if rule.type in _READERS:
            cells[name] = _READERS[rule.type](cell) if cell else None
        elif rule.type == "list":
            cells[name] = _parts(cell)
        elif rule.type == "columns":
            cells[name] = frozenset(_parts(cell))
    return cells


_READERS: Mapping[str, Callable[[str], object]] = {
    "number": float,
    "integer": int,
    "year": int,
    "date": dt.date.fromisoformat,
    "flag": lambda cell: cell == "true",
}


@cache
def sources() -> Mapping[str, Source]:
    """Every source by id, in the order of ``sources.yml``."""
    found = {}
    for entry in _index().sources:
        text = {key: str(entry.get(key) or "") for key in ("id", "title", "producer", "url", "date", "retrieved", "licence", "citation")}
        found[text["id"]] = Source(
            **text,
            errata=tuple(entry.get("errata") or ()),
            notes=str(entry.get("notes") or "").strip(),
            verified=bool(entry.get("verified", True)),
        )
    return MappingProxyType(found)


@cache
def tables() -> Mapping[str, Table]:
    """Every table by name, as ``sources.yml`` lists them."""
    return MappingProxyType(
        {
            file.removesuffix(".csv"): Table(
                file.removesuffix(".csv"), str(entry["sha256"]), int(entry["rows"]), str(entry["description"]), tuple(entry["sources"])
            )
            for file, entry in _index().tables.items()
        }
    )


@cache
def claims() -> Mapping[str, Claim]:
    """Every published growth claim by id, with the points it was drawn through where they ship."""
    return MappingProxyType(
        {
            row["claim_id"]: Claim(
                id=row["claim_id"],
                what=row["what"],
                quantity=row["quantity"],
                edition=row["edition"],
                producer=row["producer"],
                multiplier=float(row["multiplier"]),
                period_years=float(row["period_years"]),
                first=row["first"],
                last=row["last"],
                status=row["status"],
                note=row["note"],
                source=row["source"],
                points=points(row["points_table"], row["points_dataset"], row["points_series"], row["points_column"]) if row["points_table"] else (),
                no_points_reason=row["no_points_reason"],
            )
            for row in _rows("claims")
        }
    )


_UNITS = {
    "parameters": "parameters",
    "training_flop": "FLOP",
    "inference_flop": "FLOP",
    "memory_bytes": "B",
    "tdp_w": "W",
}


def _unit(column: str) -> str:
    for ending, unit in (("_flop_per_s", "FLOP/s"), ("_op_per_s", "OP/s"), ("bytes_per_s", "B/s"), ("bytes_per_s_bidir", "B/s")):
        if column.endswith(ending):
            return unit
    return _UNITS.get(column, "")


@cache
def points(table: str, dataset: str = "", series: str = "", column: str = "value") -> tuple[Point, ...]:
    """The dated values of one column of one table, by date; rows without a date or a value are left out, wrong ones are kept.

    `dataset` is an edition (``2021``, ``2023``) in the tables that have editions. Empty `dataset` or `series` mean all. A column that is
    empty for all of them gives no points (memory interfaces have no value per device).
    """
    rows = _rows(table)
    edition = "dataset" if "dataset" in SCHEMAS[table] else "edition"
    for name, value, known in (
        ("dataset", dataset, {row.get(edition, "") for row in rows}),
        ("series", series, {row.get("series", "") for row in rows}),
        ("column", column, {name for name, rule in SCHEMAS[table].items() if rule.type == "number"}),
    ):
        if value and value not in known:
            raise InputError(
                N_("table {table} has no {name} {value}: use one of {known}"), table=table, name=name, value=value, known=", ".join(sorted(known))
            )
    return tuple(
        sorted(
            (
                _point(table, row, column)
                for row in rows
                if dataset in ("", row.get(edition)) and series in ("", row.get("series")) and row[column] and row["date"]
            ),
            key=lambda point: (point.date, point.id),
        )
    )


def _point(table: str, row: Row, column: str) -> Point:
    note, unit, group, precision, identified = row["note"], _unit(column), row.get("vendor", ""), "", True
    if table == "models":
        group = row["series"] if row["series"] == "transformer" else row["domain"]
    elif table == "hardware_scaling":
        group, precision, identified = row["group"], row["precision"], row["identified"] == "true"
        unit = row["value_device_unit"] if column == "value_device" else row["unit"] if column == "value" else ""
        if column == "value_device" and row["device_note"]:
            note = row["device_note"]
        elif not identified and not note:
            note = row["name_basis"]
    elif table == "ml_hardware":
        precision = row["fastest_precision"] if column == "fastest_flop_per_s" else column.partition("_flop")[0] if "_flop" in column else ""
    return Point(
        id=row["id"],
        name=row["name"],
        date=dt.date.fromisoformat(row["date"]),
        value=float(row[column]),
        group=group,
        precision=precision,
        unit=unit,
        identified=identified,
        note=note,
        source=row["source"],
    )


@cache
def models(dataset: str | None = None) -> Mapping[str, PublishedModel]:
    """Models by id, of one dataset (`MODEL_DATASETS`) or of all."""
    if dataset is not None and dataset not in MODEL_DATASETS:
        raise InputError(N_("no dataset is called {name}: use one of {known}"), name=dataset, known=", ".join(MODEL_DATASETS))
    found = {}
    for row in _rows("models"):
        if dataset in (None, row["dataset"]):
            cells = _typed("models", row)
            cells |= {"organization": _parts(row["organization"]), "frontier": row["frontier"] == "true"}
            found[row["id"]] = PublishedModel(**cells)
    return MappingProxyType(found)


def model_points(
    dataset: str = "epoch_notable_2026", column: str = "training_flop", domain: str | None = None, frontier: bool | None = None
) -> tuple[Point, ...]:
    """Points of one column (``parameters``, ``training_flop``, ``inference_flop``), of models that list `domain` or carry the flag."""
    chosen = models(dataset)
    return tuple(
        point
        for point in points("models", dataset, "", column)
        if (domain is None or domain in chosen[point.id].domains) and (frontier is None or chosen[point.id].frontier == frontier)
    )


@cache
def memory_breakdown() -> Mapping[str, MemoryBreakdown]:
    """The authors' table of training memory, by id, oldest first."""
    return MappingProxyType({row["id"]: MemoryBreakdown(**_typed("memory_breakdown", row)) for row in _rows("memory_breakdown")})


@cache
def presets() -> Mapping[str, Preset]:
    """The models that every page offers, by id, smallest first."""
    return MappingProxyType({row["id"]: Preset(**_typed("presets", row)) for row in _rows("presets")})


@cache
def chips() -> Mapping[str, Accelerator]:
    """Accelerators and processors by id, oldest first."""
    found = {}
    for row in _rows("chips"):
        cells = _typed("chips", row)
        cells |= {"aliases": _parts(row["aliases"]), "source_urls": tuple(row["source_urls"].split())}
        found[row["id"]] = Accelerator(**cells)
    return MappingProxyType(found)


#: What `chip_points` can plot, to the attribute of `Accelerator`; ``peak_compute`` takes its attribute from the precision.
CHIP_QUANTITIES: dict[str, str] = {
    "peak_compute": "",
    "memory_bandwidth": "memory_bytes_per_s",
    "accelerator_memory": "memory_bytes",
    "interconnect_bandwidth": "interconnect_bytes_per_s_bidir",
}


def chip_points(quantity: str, precision: str | None = None, where: Callable[[Accelerator], bool] | None = None) -> tuple[Point, ...]:
    """Today's chips as points of one quantity (`CHIP_QUANTITIES`), by date: dense peaks at `precision` (``fp16`` if not given).

    `where` keeps the chips it holds true for: ``where=lambda chip: chip.flagship``. SRAM on the chip is no memory beside it, so it is
    left out of memory and bandwidth.
    """
    if quantity not in CHIP_QUANTITIES:
        raise InputError(N_("no quantity is called {name}: use one of {known}"), name=quantity, known=", ".join(CHIP_QUANTITIES))
    precision = (precision or "fp16").lower() if quantity == "peak_compute" else ""
    if precision and precision not in PRECISIONS:
        raise InputError(N_("unknown precision {precision}: use one of {known}"), precision=precision, known=", ".join(PRECISIONS))
    attribute = CHIP_QUANTITIES[quantity] or PRECISIONS[precision]
    found = []
    for chip in chips().values():
        value: float | None = getattr(chip, attribute)
        if value is None or (where is not None and not where(chip)):
            continue
        if chip.memory_is_sram and quantity in ("memory_bandwidth", "accelerator_memory"):
            continue
        found.append(
            Point(
                chip.id,
                chip.name,
                chip.release_date,
                value,
                group=chip.vendor,
                precision=precision,
                unit=_unit(attribute),
                identified=attribute not in chip.single_source,
                note=chip.notes,
                source=chip.source,
            )
        )
    return tuple(sorted(found, key=lambda point: (point.date, point.id)))


@cache
def listed_chips(dataset: str | None = None, *, unmasked: bool = False) -> Mapping[str, ListedChip]:
    """Chips as other collections list them, by id; values known to be wrong are left out unless `unmasked`."""
    numbers = [name for name, rule in SCHEMAS["ml_hardware"].items() if rule.type == "number"]
    found = {}
    for row in _rows("ml_hardware"):
        if dataset in (None, row["dataset"]):
            cells = _typed("ml_hardware", row)
            hidden = frozenset() if unmasked else cells["masked"]
            values = {name: value for name in numbers if (value := cells.pop(name)) is not None and name not in hidden}
            if "date" in hidden:
                cells["date"] = None
            found[row["id"]] = ListedChip(**cells, values=MappingProxyType(values))
    return MappingProxyType(found)


def listed_points(dataset: str, column: str, *, unmasked: bool = False) -> tuple[Point, ...]:
    """Points of one column of `listed_chips`, by date; what is known to be wrong is left out unless `unmasked`."""
    kept = listed_chips(dataset, unmasked=unmasked)
    return tuple(point for point in points("ml_hardware", dataset, "", column) if kept[point.id].date is not None and column in kept[point.id].values)


# --------------------------------------------------------------------------------------------------------------- finding


class _Named(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Named)

#: What can be looked up by name; the word stands in the message.
FINDABLE = (N_("chip"), N_("model"), N_("claim"), N_("point"), N_("source"), N_("dataset"))


def _handles(item: object) -> set[str]:
    """Everything an object answers to, lower case."""
    names = [getattr(item, "id", ""), getattr(item, "name", ""), *getattr(item, "aliases", ())]
    return {" ".join(name.casefold().split()) for name in names if name}


def find(name: str, candidates: Mapping[str, T] | Iterable[T], kind: str = "chip") -> T:
    """The one candidate that `name` means: its id, name or alias in full, in any case, or the beginning of exactly one.

    An id wins over a name. Several matches, or none, raise `InputError` with the candidates to choose from.
    """
    items = list(candidates.values()) if isinstance(candidates, Mapping) else list(candidates)
    wanted = " ".join(name.casefold().split())
    for matches in (
        [item for item in items if item.id.casefold() == wanted],
        [item for item in items if wanted in _handles(item)],
        [item for item in items if wanted and any(handle.startswith(wanted) for handle in _handles(item))],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            shown = ", ".join(item.id for item in matches[:12]) + (", ..." if len(matches) > 12 else "")
            raise InputError(N_("{kind} “{name}” is ambiguous: use one of {candidates}"), kind=_(kind), name=name, candidates=shown)
    handles = {handle: item for item in items for handle in sorted(_handles(item))}
    close = dict.fromkeys(handles[handle].id for handle in get_close_matches(wanted, handles, n=5, cutoff=0.5))
    if close:
        raise InputError(N_("no {kind} is called “{name}”: did you mean {candidates}?"), kind=_(kind), name=name, candidates=", ".join(close))
    raise InputError(
        N_("no {kind} is called “{name}”: {count} are known, such as {candidates}"),
        kind=_(kind),
        name=name,
        count=len(items),
        candidates=", ".join(item.id for item in items[:5]),
    )


# -------------------------------------------------------------------------------------------------------------- checking


def _digest(path: Path) -> str:
    """Checksum that is the same whatever line ends a checkout writes."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _count(path: Path) -> int:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return max(0, sum(1 for _row in csv.reader(file)) - 1)


@dataclass(slots=True)
class _Problems:
    """Sentences about one file, ``file:line: what is wrong, and what to do``."""

    file: str
    found: list[str] = field(default_factory=list)

    def add(self, line: int, template: str, **values: object) -> None:
        self.found.append(f"{self.file}:{line}: " + _(template).format(**values))


def check(directory: Path | None = None) -> list[str]:
    """Every broken rule of the codebook, a sentence each, with file, line and what to do; an empty list means all is well."""
    directory = directory or DATA
    try:
        index = _load_index(directory)
    except DataError as error:
        return [str(error)]
    known, found = _check_sources(index.sources)
    for file in sorted({path.name for path in directory.glob("*.csv")} | {f"{name}.csv" for name in SCHEMAS} | set(index.tables)):
        problems = _Problems(file)
        path, schema = directory / file, SCHEMAS.get(file.removesuffix(".csv"))
        if not path.exists():
            problems.add(1, N_("the file is missing: restore it or take it out of sources.yml"))
        elif schema is None:
            problems.add(1, N_("the file has no schema: describe its columns in SCHEMAS of catalog.py"))
        else:
            _check_table(path, schema, known, problems)
            _check_entry(path, index.tables.get(file), known, problems)
        found += problems.found
    return found if found else _check_across(directory)


def _check_sources(entries: list[Any]) -> tuple[frozenset[str], list[str]]:
    """The ids of ``sources.yml``, and what is wrong with its entries."""
    problems = _Problems("sources.yml")
    ids: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        name = str(entry.get("id") or f"#{number}") if isinstance(entry, dict) else f"#{number}"
        missing = [key for key in ("id", "title", "producer", "licence", "citation") if not isinstance(entry, dict) or not entry.get(key)]
        if missing:
            problems.add(1, N_("source {name} lacks {keys}: add them"), name=name, keys=", ".join(missing))
        if name in ids:
            problems.add(1, N_("source {name} comes twice: give each its own id"), name=name)
        url = str(entry.get("url") or "") if isinstance(entry, dict) else ""
        if url and not url.startswith("https://"):
            problems.add(1, N_("source {name} has the address {url}: write it as https://..."), name=name, url=url)
        ids.add(name)
    return frozenset(ids), problems.found


def _check_entry(path: Path, entry: object, known: frozenset[str], problems: _Problems) -> None:
    """The table's entry in ``sources.yml`` against the file."""
    if not isinstance(entry, dict):
        problems.add(1, N_("the file is not listed under tables in sources.yml: add it"))
        return
    for source in entry.get("sources") or ():
        if source not in known:
            problems.add(1, N_("sources.yml names the unknown source {source} for this table: add the source or correct the id"), source=source)
    rows = _count(path)
    if entry.get("rows") != rows:
        problems.add(
            1,
            N_("the file has {rows} rows, sources.yml says {listed}: run wallviz check-data --write-checksums after a deliberate change"),
            rows=rows,
            listed=entry.get("rows"),
        )
    elif entry.get("sha256") != _digest(path):
        problems.add(1, N_("the checksum differs from sources.yml: run wallviz check-data --write-checksums after a deliberate change"))


def _check_table(path: Path, schema: Mapping[str, Column], known: frozenset[str], problems: _Problems) -> None:
    """Header and cells of one file against its schema."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, cells) for cells in reader]
    except UnicodeDecodeError as error:
        problems.add(1, N_("byte {position} is not UTF-8: save the file as UTF-8"), position=error.start)
        return
    header = lines[0][1] if lines else []
    missing, unknown = [name for name in schema if name not in header], [name for name in header if name not in schema]
    if missing:
        problems.add(1, N_("columns are missing: {names}; add them"), names=", ".join(missing))
    if unknown:
        problems.add(1, N_("unknown columns: {names}; remove them or describe them in SCHEMAS of catalog.py"), names=", ".join(unknown))
    if missing or unknown:
        return
    seen: dict[str, dict[str, int]] = {name: {} for name, rule in schema.items() if rule.unique}
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            problems.add(line, N_("the row has {found} cells, the header {wanted}: check commas and quotes"), found=len(cells), wanted=len(header))
            continue
        for name, cell in zip(header, cells, strict=True):
            _check_cell(line, name, cell, schema, known, problems)
            if name in seen and cell:
                first = seen[name].setdefault(cell, line)
                if first != line:
                    problems.add(
                        line, N_("{column} {value} stands in line {first} already: give each row its own"), column=name, value=cell, first=first
                    )


def _check_cell(line: int, name: str, cell: str, schema: Mapping[str, Column], known: frozenset[str], problems: _Problems) -> None:
    """One cell against the rule of its column."""
    rule = schema[name]
    if cell != cell.strip() or "\n" in cell:
        problems.add(line, N_("{column} has spaces around it or a line break in it: remove them"), column=name)
    elif not cell:
        if rule.required:
            problems.add(line, N_("{column} is empty: every row needs one"), column=name)
    elif rule.type == "source":
        for source in _parts(cell):
            if source not in known:
                problems.add(line, N_("source {source} is not in sources.yml: add it or correct the id"), source=source)
    elif rule.type in ("number", "integer", "year"):
        _check_number(line, name, cell, rule, problems)
    elif rule.type == "date":
        try:
            if dt.date.fromisoformat(cell).isoformat() != cell:
                raise ValueError
        except ValueError:
            problems.add(line, N_("{column} must be a date like 2020-05-14, not {value}"), column=name, value=cell)
    else:
        allowed = {"flag": ("true", "false"), "columns": tuple(schema)}.get(rule.type, rule.choices)
        for value in _parts(cell) if rule.type in ("list", "columns") else (cell,):
            if allowed and value not in allowed:
                problems.add(line, N_("{column} must be one of {choices}, not {value}"), column=name, choices=", ".join(allowed), value=value)


def _check_number(line: int, name: str, cell: str, rule: Column, problems: _Problems) -> None:
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        problems.add(line, N_("{column} must be a plain number, not {value}"), column=name, value=cell)
    elif number < 0 or (number == 0 and not rule.zero):
        problems.add(line, N_("{column} must be above 0, not {value}: leave it empty if it is not known"), column=name, value=cell)
    elif rule.type != "number" and not number.is_integer():
        problems.add(line, N_("{column} must be a whole number, not {value}"), column=name, value=cell)


def _check_across(directory: Path) -> list[str]:
    """Rules that span columns, rows or files; run once every file is sound by itself."""
    found: list[str] = []
    for file, rule in (("chips.csv", _check_chip_names), ("chips.csv", _check_labels), ("accelerator_memory.csv", _check_labels)):
        problems = _Problems(file)
        rule(_read(file.removesuffix(".csv"), directory), problems)
        found += problems.found
    problems = _Problems("claims.csv")
    for line, row in _read("claims", directory):
        table, column = row["points_table"], row["points_column"]
        if bool(table) == bool(row["no_points_reason"]):
            problems.add(line, N_("a claim names its points or says why it has none: fill points_table or no_points_reason, not both"))
        elif table and column not in SCHEMAS[table]:
            problems.add(line, N_("points_column {column} is no column of {table}.csv: correct it"), column=column, table=table)
        elif table and not _has_points(directory, row):
            problems.add(line, N_("{table}.csv has no points for this claim: correct points_dataset, points_series or points_column"), table=table)
    return found + problems.found


def _has_points(directory: Path, claim: Row) -> bool:
    table = claim["points_table"]
    kind_column = "dataset" if "dataset" in SCHEMAS[table] else "edition"
    return any(
        row[kind_column] == claim["points_dataset"] and claim["points_series"] in ("", row.get("series")) and row[claim["points_column"]]
        for _line, row in _read(table, directory)
    )


def _check_chip_names(rows: Iterable[tuple[int, Row]], problems: _Problems) -> None:
    """Id, name and aliases of all chips: no two rows answer to the same word."""
    owner: dict[str, str] = {}
    for line, row in rows:
        for handle in sorted({row["id"].casefold(), row["name"].casefold(), *(alias.casefold() for alias in _parts(row["aliases"]))}):
            other = owner.setdefault(handle, row["id"])
            if other != row["id"]:
                problems.add(line, N_("“{name}” also means {other}: an id, name or alias belongs to one row"), name=handle, other=other)


def _check_labels(rows: Iterable[tuple[int, Row]], problems: _Problems) -> None:
    """The bytes of a memory are its printed GB times 10**9."""
    for line, row in rows:
        label, size = row["memory_gb_label"], row["memory_bytes"]
        printed = re.fullmatch(r"([0-9.]+) GB", label)
        if bool(label) != bool(size) or (label and (not printed or not isclose(float(printed[1]) * 1e9, float(size), rel_tol=1e-9))):
            problems.add(
                line, N_("memory_bytes {size} does not match the label {label}: write the printed GB times 1e9"), size=size or "–", label=label or "–"
            )


def write_checksums(directory: Path | None = None) -> list[str]:
    """Writes sha256 and rows of every table into ``sources.yml``; returns the files whose entry changed. Nothing else is touched."""
    directory = directory or DATA
    path = directory / "sources.yml"
    text = path.read_text(encoding="utf-8")
    changed = []
    for file in sorted(item.name for item in directory.glob("*.csv")):
        entry = re.compile(rf'(?m)^(  {re.escape(file)}:\n    sha256: )"?[0-9a-f]*"?(\n    rows: )\d*$')
        if not entry.search(text):
            raise DataError(N_("{file} has no entry under tables in sources.yml: add one with sha256 and rows as its first lines"), file=file)
        before = text
        text = entry.sub(rf'\g<1>"{_digest(directory / file)}"\g<2>{_count(directory / file)}', text)
        if text != before:
            changed.append(file)
    path.write_text(text, encoding="utf-8", newline="\n")
    return changed
