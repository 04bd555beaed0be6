"""The four published growth figures as data: which curves each has, through which points, in which edition or on today's data.

figure    2021, 2024 (as published)                          today
gap       peak FLOP/s, DRAM and interconnect bandwidth       accelerators with HBM since 2017 (the chip catalogue)
compute   training compute                                   notable models since 2010 (Epoch AI)
size      parameters against memory of one accelerator       the same, and the chip catalogue
training  training memory of eight models, by part           (eight rows are what they are)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from wallviz import catalog
from wallviz.engine.growth import Point
from wallviz.engine.hardware import Accelerator
from wallviz.errors import InputError
from wallviz.i18n import N_

FIGURES = ("gap", "compute", "size", "training")
EDITIONS = ("2021", "2024", "today")
HOLDS = ("published", "window", "precision")
UNITS = ("normalised", "real")
PRECISIONS = ("fp16", "fp32", "tf32", "fp8", "fp4", "int8", "fp64")
FIRST_YEAR, LAST_YEAR = 1995, 2026
#: Bytes per parameter at which the authors draw accelerator memory beside model size.
BYTES_PER_PARAMETER_DRAWN = 6
#: Bytes of one parameter in 16 bits.
BYTES_PER_PARAMETER_16 = 2


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: what it measures (`kind`: see `figures.style.tick_text`), its points, and the claims that were drawn through them.

    `claims` are ids: the two-year claim first, its twenty-year form after it. `vendor` marks peaks from data sheets. `named` are the points
    whose names stand beside them, in order of priority. `fitted` is False for points that are shown without a line. `label` and `note`
    are English, for the catalogs.
    """

    id: str
    role: str
    label: str
    kind: str
    points: tuple[Point, ...]
    claims: tuple[str, ...] = ()
    vendor: bool = False
    named: tuple[str, ...] = ()
    fitted: bool = True
    note: str = ""


_EDITION_YEAR = {"2021": "2021", "2024": "2023"}  # the 2024 paper prints figures of 2023
_PREFIX = {"2021": "blog", "2024": "paper"}
#: The 2021 memory points are single interfaces: how many a device had is not stated.
_NO_DEVICE_VALUES = {("2021", "memory_bandwidth")}
_COMPUTE, _MEMORY, _LINK = N_("Peak compute"), N_("DRAM bandwidth"), N_("Interconnect")


@cache
def curves(
    figure: str,
    edition: str,
    *,
    hold: str = "published",
    unit: str = "normalised",
    precision: str = "fp16",
    domain: str = "all",
    frontier: bool = False,
) -> tuple[Curve, ...]:
    """The curves of `figure` (one of `FIGURES`, but ``training``) in `edition`.

    gap: `hold` fixes what the comparison holds fixed: nothing (``published``), the ``window`` that all its series share, or the window and
    the 16-bit ``precision`` (NVIDIA's flagships of the catalogue). `unit` is ``normalised`` or ``real`` (per device). `precision` is the
    number format of today's peaks. compute and size: `domain` and `frontier` choose models on today's data.

    Raises InputError for a name that does not exist.
    """
    for name, value, known in (("figure", figure, FIGURES[:3]), ("data", edition, EDITIONS), ("hold", hold, HOLDS), ("unit", unit, UNITS)):
        if value not in known:
            raise InputError(N_("{name} “{value}” does not exist: choose one of {known}."), name=name, value=value, known=", ".join(known))
    if figure == "gap":
        return _gap(edition, hold, unit, precision)
    if figure == "compute":
        return _compute(edition, domain, frontier)
    return _size(edition, unit, domain, frontier)


def _gap(edition: str, hold: str, unit: str, precision: str) -> tuple[Curve, ...]:
    if hold == "precision":
        return _chips(lambda chip: chip.flagship, "fp16", link=False)
    if edition == "today":
        return _chips(lambda chip: chip.has_hbm and chip.release_date >= date(2017, 1, 1), precision)
    year, prefix = _EDITION_YEAR[edition], _PREFIX[edition]
    column = "value" if unit == "normalised" else "value_device"
    found = []
    for id, role, label, claim, kind in (
        ("peak_compute", "compute", _COMPUTE, "hw_flops", "flop_per_s"),
        ("memory_bandwidth", "bandwidth", _MEMORY, "dram_bw", "bytes_per_s"),
        ("interconnect_bandwidth", "network", _LINK, "interconnect_bw", "bytes_per_s"),
    ):
        has_values = column == "value" or (year, id) not in _NO_DEVICE_VALUES
        points = catalog.points("hardware_scaling", year, id, column) if has_values else ()
        names = (f"{prefix}_{claim}", f"{prefix}_{claim}_20y") if unit == "normalised" else ()
        note = "" if points else N_("The 2021 points are single memory interfaces: there is no value per device.")
        found.append(Curve(id, role, label, kind, points, names, vendor=True, named=_labelled(points), note=note))
    if hold == "window":
        since = max(min(p.date for p in c.points) for c in found if c.points)
        found = [replace(c, points=tuple(p for p in c.points if p.date >= since)) for c in found]
    return tuple(found)


def _labelled(points: tuple[Point, ...]) -> tuple[str, ...]:
    """Names worth printing: identified points, the last and the first before the rest."""
    known = [p.id for p in points if p.identified]
    return tuple(dict.fromkeys([*known[-1:], *known[:1], *known[-2::-1]]))


def _chips(chosen: Callable[[Accelerator], bool], precision: str, *, link: bool = True) -> tuple[Curve, ...]:
    def where(chip: Accelerator) -> bool:
        return chosen(chip) and not chip.announced and not chip.memory_is_sram

    points = catalog.chip_points("peak_compute", precision, where)
    bandwidth = catalog.chip_points("memory_bandwidth", where=lambda chip: where(chip) and chip.peak(precision) is not None)
    found = [
        Curve("peak_compute", "compute", _COMPUTE, "flop_per_s", points, vendor=True, named=_records(points)),
        Curve("memory_bandwidth", "bandwidth", _MEMORY, "bytes_per_s", bandwidth, vendor=True),
    ]
    if link:
        links = catalog.chip_points("interconnect_bandwidth", where=where)
        found.append(Curve("interconnect_bandwidth", "network", _LINK, "bytes_per_s", links, vendor=True))
    return tuple(found)


def _records(points: tuple[Point, ...]) -> tuple[str, ...]:
    best, names = 0.0, []
    for point in points:
        if point.value > best:
            best = point.value
            names.append(point.id)
    return tuple(reversed(names))


def _compute(edition: str, domain: str, frontier: bool) -> tuple[Curve, ...]:
    if edition == "today":
        points = _models("training_flop", domain, frontier)
        return (Curve("training_compute", "compute", N_("Training compute"), "flop", points, named=_records(points)),)
    dataset, prefix = f"gholami_compute_{_EDITION_YEAR[edition]}", _PREFIX[edition]
    every = catalog.model_points(dataset, "training_flop", domain=None if domain == "all" else domain)
    transformers = tuple(p for p in every if p.group == "transformer")
    others = tuple(p for p in every if p.group != "transformer")
    found = []
    if transformers:
        claim = (f"{prefix}_compute_transformer",)
        found.append(Curve("transformers", "compute", N_("Transformers"), "flop", transformers, claim, named=_labelled(transformers)))
    if edition == "2021" and others:
        whole = domain == "all"
        label = N_("All models") if whole else N_("All of this domain")
        found.append(Curve("all", "memory", label, "flop", every, ("blog_compute_all",) if whole else (), named=_labelled(others)))
    elif others:
        found.append(Curve("others", "memory", N_("Other models"), "flop", others, named=_labelled(others), fitted=not transformers))
    return tuple(found)


def _size(edition: str, unit: str, domain: str, frontier: bool) -> tuple[Curve, ...]:
    real = unit == "real"
    kind = "bytes" if real else "count"
    if edition == "today":
        models = _models("parameters", domain, frontier)
        memory = catalog.chip_points("accelerator_memory", where=lambda c: c.has_hbm and not c.announced and c.release_date >= date(2016, 1, 1))
        claims: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        named = _records(models)
    else:
        year, prefix = _EDITION_YEAR[edition], _PREFIX[edition]
        every = catalog.model_points(f"gholami_params_{year}", "parameters", domain=None if domain == "all" else domain)
        models = tuple(p for p in every if p.group == "transformer") or every
        memory = catalog.points("accelerator_memory", year, "", "memory_bytes")
        whole = models != every or domain == "all"
        claims = ((f"{prefix}_params",) if whole else (), (f"{prefix}_accel_memory",))
        named = _labelled(models)
    scale = BYTES_PER_PARAMETER_16 if real else 1 / BYTES_PER_PARAMETER_DRAWN
    if real:
        models = tuple(replace(p, value=p.value * BYTES_PER_PARAMETER_16) for p in models)
    else:
        memory = tuple(replace(p, value=p.value * scale) for p in memory)
    return (
        Curve("parameters", "compute", N_("Model size"), kind, models, claims[0], named=named),
        Curve("accelerator_memory", "memory", N_("Device memory"), kind, memory, claims[1], vendor=True, named=_records(memory)),
    )


def _models(column: str, domain: str, frontier: bool) -> tuple[Point, ...]:
    points = catalog.model_points("epoch_notable_2026", column, domain=None if domain == "all" else domain, frontier=True if frontier else None)
    return tuple(p for p in points if p.date >= date(2010, 1, 1))


def warm_up() -> None:
    """Reads every file and builds the curves that a first visitor sees."""
    catalog.sources()
    for figure in FIGURES[:3]:
        for edition in EDITIONS:
            curves(figure, edition)
    catalog.memory_breakdown()
