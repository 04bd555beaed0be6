"""The only reader of ``data/``: tidy CSV files in, frozen domain objects out.

The codebook is ``data/README.md``; `rows` declare it (`cells` are their vocabulary), `read` reads by it, `rules` check it, `files` opens the files.
Everything is read once and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, get_args

from msgspec import convert

from wallviz import checks
from wallviz.catalog import read
from wallviz.catalog.cells import columns
from wallviz.catalog.files import CONFIGS, DATA, Index, load_index, read_config
from wallviz.catalog.rows import (
    ROWS,
    Case,
    Dataset,
    Evidence,
    HardwareCase,
    LevelKind,
    ListedChipRow,
    MemoryBreakdown,
    Preset,
    PublishedModel,
    Quantity,
    ScalingRow,
    edition,
)
from wallviz.catalog.rules import check, extent, write_checksums
from wallviz.engine.growth import Claim, Point
from wallviz.engine.hardware import PRECISIONS, Accelerator, Link, ListedChip, MemoryLevel, MemoryTechnology
from wallviz.engine.transformer import Architecture
from wallviz.engine.transformer import architecture as read_architecture
from wallviz.engine.transformer.config import parse as parse_config
from wallviz.errors import DataError, InputError
from wallviz.i18n import N_, _
from wallviz.machine import own as own_machine

__all__ = [
    "CHIP_QUANTITIES",
    "CLAIM_QUANTITIES",
    "DATA",
    "FINDABLE",
    "LEVEL_KINDS",
    "MODEL_DATASETS",
    "ROWS",
    "Case",
    "Evidence",
    "HardwareCase",
    "MemoryBreakdown",
    "Preset",
    "PublishedModel",
    "Source",
    "Table",
    "architecture",
    "cases",
    "check",
    "chip_points",
    "chips",
    "claims",
    "config",
    "evidence",
    "extent",
    "find",
    "levels",
    "links",
    "listed_chips",
    "listed_points",
    "memory_breakdown",
    "memory_technologies",
    "model_points",
    "models",
    "points",
    "presets",
    "read_config",
    "roofline_cases",
    "scaling_cases",
    "sources",
    "tables",
    "write_checksums",
]

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


# ------------------------------------------------------------------------------------------------------------------- reading

CLAIM_QUANTITIES: tuple[str, ...] = get_args(Quantity)
LEVEL_KINDS: tuple[str, ...] = get_args(LevelKind)
MODEL_DATASETS: tuple[str, ...] = get_args(Dataset)
#: Tables whose rows are dated values.
DATED = ("models", "hardware_scaling", "accelerator_memory", "ml_hardware")


@cache
def _index() -> Index:
    return load_index(DATA)


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
    found = {}
    for id, row in read.rows("claims").items():
        claim = convert(row, Claim, from_attributes=True)
        where = (row.points_table, row.points_dataset, row.points_series, row.points_column)
        found[id] = replace(claim, points=points(*where)) if row.points_table else claim
    return MappingProxyType(found)


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
    if table not in DATED:
        raise InputError(N_("no table is called {name}: use one of {known}"), name=table, known=", ".join(DATED))
    found = read.rows(table).values()
    for name, value, known in (
        ("dataset", dataset, {edition(row) for row in found}),
        ("series", series, {getattr(row, "series", "") for row in found} - {""}),
        ("column", column, {column.name for column in columns(ROWS[table]).values() if column.base is float}),
    ):
        if value and value not in known:
            raise InputError(
                N_("table {table} has no {name} {value}: use one of {known}"), table=table, name=name, value=value, known=", ".join(sorted(known))
            )
    return tuple(
        sorted(
            (
                _point(row, column)
                for row in found
                if dataset in ("", edition(row)) and series in ("", getattr(row, "series", "")) and getattr(row, column) and row.date
            ),
            key=lambda point: (point.date, point.id),
        )
    )


def _point(row: Any, column: str) -> Point:
    note, unit, group, precision, identified = row.note, _unit(column), getattr(row, "vendor", ""), "", True
    match row:
        case PublishedModel():
            group = row.series if row.series == "transformer" else row.domain
        case ScalingRow():
            group, precision, identified = row.group, row.precision, row.identified
            unit = {"value": row.unit, "value_device": row.value_device_unit}.get(column, "")
            if column == "value_device" and row.device_note:
                note = row.device_note
            elif not identified and not note:
                note = row.name_basis
        case ListedChipRow():
            precision = row.fastest_precision if column == "fastest_flop_per_s" else column.partition("_flop")[0] if "_flop" in column else ""
    return Point(row.id, row.name, row.date, getattr(row, column), group, precision, unit, identified, note, row.source)


@cache
def models(dataset: str | None = None) -> Mapping[str, PublishedModel]:
    """Models by id, of one dataset (`MODEL_DATASETS`) or of all."""
    if dataset is None:
        return read.rows("models")
    if dataset not in MODEL_DATASETS:
        raise InputError(N_("no dataset is called {name}: use one of {known}"), name=dataset, known=", ".join(MODEL_DATASETS))
    return MappingProxyType({id: row for id, row in read.rows("models").items() if row.dataset == dataset})


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


def memory_breakdown() -> Mapping[str, MemoryBreakdown]:
    """The authors' table of training memory, by id, oldest first."""
    return read.rows("memory_breakdown")


def presets() -> Mapping[str, Preset]:
    """The models that every page offers, by id, smallest first."""
    return read.rows("presets")


@cache
def config(preset: str) -> Mapping[str, Any]:
    """The ``config.json`` of a preset, by its id."""
    if preset not in presets():
        raise InputError(N_("no model has the id {name}: use one of {known}"), name=preset, known=", ".join(presets()))
    file = presets()[preset].config
    try:
        return MappingProxyType(dict(parse_config(read_config(DATA / CONFIGS / file))))
    except InputError as error:
        raise DataError(N_("{file}: {problem}"), file=f"data/{CONFIGS}/{file}", problem=error) from None


@cache
def architecture(preset: str) -> Architecture:
    """What the preset of this id is made of."""
    return read_architecture(config(preset), name=presets()[preset].name)


def chips() -> Mapping[str, Accelerator]:
    """Accelerators and processors by id, oldest first."""
    return read.rows("chips")


def titles(source: str) -> str:
    """What the origins are called whose ids `source` holds, separated by ``;``; an id that is no origin is left out."""
    return "; ".join(sources()[id].title for id in source.split(";") if id in sources())


def chip(id: str) -> Accelerator:
    """The chip that `id` means (`find`), or the reader's own machine that the id holds (`wallviz.machine.own`).

    Raises InputError, one sentence, for neither.
    """
    if own_machine.is_own(str(id)):  # an array is no word
        return own_machine.read(id).chip
    return chips().get(str(id)) or find(id, chips())


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
    numbers = [column.name for column in columns(ROWS["ml_hardware"]).values() if column.base is float]
    found = {}
    for id, row in read.rows("ml_hardware").items():
        if dataset in (None, row.dataset):
            hidden = frozenset() if unmasked else row.masked
            found[id] = ListedChip(
                id,
                row.dataset,
                row.name,
                row.vendor,
                row.kind,
                None if "date" in hidden else row.date,
                MappingProxyType({name: value for name in numbers if name not in hidden and (value := getattr(row, name)) is not None}),
                row.memory_type,
                row.fastest_precision,
                row.note,
                row.masked,
                row.source,
            )
    return MappingProxyType(found)


def listed_points(dataset: str, column: str, *, unmasked: bool = False) -> tuple[Point, ...]:
    """Points of one column of `listed_chips`, by date; what is known to be wrong is left out unless `unmasked`."""
    kept = listed_chips(dataset, unmasked=unmasked)
    return tuple(point for point in points("ml_hardware", dataset, "", column) if kept[point.id].date is not None and column in kept[point.id].values)


def levels() -> Mapping[str, MemoryLevel]:
    """Levels of memory by id, devices together; origins that disagree are several rows."""
    return read.rows("levels")


def links() -> Mapping[str, Link]:
    """Links by id, families together, oldest generation first."""
    return read.rows("links")


def memory_technologies() -> Mapping[str, MemoryTechnology]:
    """Memory technologies by id, families together, oldest first."""
    return read.rows("memory_technologies")


def cases() -> Mapping[str, Case]:
    """Every case of the footprint by id, in the order of the file."""
    return read.rows("cases")


def roofline_cases() -> Mapping[str, HardwareCase]:
    """Intensities, matrix products, layers and decoding, by id, in the order of the file."""
    return read.rows("roofline_cases")


def scaling_cases() -> Mapping[str, HardwareCase]:
    """Collectives, efficiencies and memory over many devices, by id, in the order of the file."""
    return read.rows("scaling_cases")


def evidence() -> Mapping[str, Evidence]:
    """Published trade-offs by id, remedies together."""
    return read.rows("remedies")


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
    if not isinstance(name, str):
        raise InputError(
            N_("a {kind} is named by text, not by {value}: use an id such as {id}"), kind=_(kind), value=checks.said(name), id=items[0].id
        )
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
            raise InputError(N_("{kind} “{name}” is ambiguous: use one of {candidates}"), kind=_(kind), name=checks.said(name), candidates=shown)
    handles = {handle: item for item in items for handle in sorted(_handles(item))}
    close = dict.fromkeys(handles[handle].id for handle in get_close_matches(wanted, handles, n=5, cutoff=0.5))
    if close:
        raise InputError(
            N_("no {kind} is called “{name}”: did you mean {candidates}?"), kind=_(kind), name=checks.said(name), candidates=", ".join(close)
        )
    raise InputError(
        N_("no {kind} is called “{name}”: {count} are known, such as {candidates}"),
        kind=_(kind),
        name=checks.said(name),
        count=len(items),
        candidates=", ".join(item.id for item in items[:5]),
    )
