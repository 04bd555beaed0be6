"""The ladder of one machine: its levels and links from registers to disk, and how long a number of bytes takes at each.

time = latency + bytes / bandwidth, the first term of every communication model (Hockney 1994, The communication challenge for MPP, equation 1);
a missing latency counts as nothing and is said to be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wallviz.checks import said
from wallviz.engine.hardware import Accelerator, Link, MemoryLevel
from wallviz.engine.memory.terms import Quantity
from wallviz.errors import InputError
from wallviz.i18n import N_, _

BASES = ("peak", "measured")
#: The transfers that Gholami et al. name (2021, "AI and Memory Wall"): inside a chip, between a chip and its DRAM, between sockets; then
#: between machines, and to what keeps its content without power.
TRANSFERS: dict[str, str] = {
    "chip": N_("Logic to on-chip memory"),
    "memory": N_("Logic to DRAM"),
    "peers": N_("Socket to socket"),
    "machines": N_("Machine to machine"),
    "storage": N_("Machine to disk"),
}
#: The kinds of a figure, surest first where peaks are asked for, and where measurements are.
_ORDER = {"peak": ("vendor", "theoretical", "derived", "measured", "model"), "measured": ("measured", "vendor", "theoretical", "derived", "model")}


def move_s(size_bytes: Quantity, bytes_per_s: Quantity, latency_s: Quantity = 0.0) -> Quantity:
    """Seconds to move `size_bytes`: latency + size / bandwidth. All may be arrays.

    One GiB at the 3.35 TB/s of an H100, in milliseconds:

    >>> round(move_s(2**30, 3.35e12) * 1e3, 2)
    0.32
    """
    return latency_s + size_bytes / bytes_per_s


def half_performance_bytes(bytes_per_s: Quantity, latency_s: Quantity) -> Quantity:
    """The size at which a transfer reaches half of its bandwidth: latency x bandwidth (Hockney's n 1/2); smaller ones wait, larger ones flow.

    >>> round(half_performance_bytes(3.35e12, 436.4e-9) / 1e6, 2)  # MB in flight to keep an H100's HBM busy (Little's law)
    1.46
    """
    return bytes_per_s * latency_s


@dataclass(frozen=True, slots=True)
class Reading:
    """One source's bandwidth of a rung."""

    bytes_per_s: float
    kind: str
    """vendor, theoretical, derived, measured or model."""
    device: str = ""
    """The device it was read on."""
    note: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rung:
    """One level or link of a machine. What no source says is None."""

    name: str
    transfer: str
    """Which transfer it serves: one of `TRANSFERS`."""
    order: float
    """Its place, from the arithmetic outwards; one rung a place."""
    capacity_bytes: float | None = None
    """What it holds; None for a link, which holds nothing, and where no source says."""
    latency_s: float | None = None
    energy_j_per_byte: float | None = None
    readings: tuple[Reading, ...] = ()
    """Bandwidth as every source has it, the one that counts first."""
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    is_link: bool = False
    expert: bool = False
    """Beside the main ladder: what a machine may have, and few have (CXL)."""

    @property
    def id(self) -> str:
        """Its name in small letters, for links and JSON."""
        return "-".join(self.name.casefold().replace(",", "").split())

    @property
    def bytes_per_s(self) -> float | None:
        """Bandwidth, one direction; None where no source says."""
        return self.readings[0].bytes_per_s if self.readings else None

    @property
    def promised_bytes_per_s(self) -> float | None:
        """The highest bandwidth that a data sheet states or a clock and a width give; None where no source does."""
        return max((r.bytes_per_s for r in self.readings if r.kind != "measured"), default=None)

    @property
    def measured_bytes_per_s(self) -> float | None:
        """The highest bandwidth that somebody reached: what a slower tool finds says less of the level; None where nobody measured."""
        return max((r.bytes_per_s for r in self.readings if r.kind == "measured"), default=None)

    @property
    def kind(self) -> str:
        """How its bandwidth was obtained."""
        return self.readings[0].kind if self.readings else ""

    def time_s(self, size_bytes: float) -> float | None:
        """Seconds to move `size_bytes`; None without a bandwidth."""
        return None if self.bytes_per_s is None else float(move_s(size_bytes, self.bytes_per_s, self.latency_s or 0.0))

    def holds(self, size_bytes: float) -> bool | None:
        """Whether `size_bytes` fits; None for a link, and where the capacity is unknown."""
        return None if self.capacity_bytes is None else size_bytes <= self.capacity_bytes

    @property
    def missing(self) -> tuple[str, ...]:
        """What no source says of it."""
        absent = {
            N_("capacity"): self.capacity_bytes is None and not self.is_link,
            N_("bandwidth"): self.bytes_per_s is None,
            N_("latency"): self.latency_s is None,
            N_("energy"): self.energy_j_per_byte is None,
        }
        return tuple(name for name, is_absent in absent.items() if is_absent)


@dataclass(frozen=True, slots=True)
class Machine:
    """Which rows of the data make one ladder: the levels of a `chip` of the catalogue and of other `devices`, links by family and generation."""

    id: str
    name: str
    devices: tuple[str, ...] = ()
    chip: str = ""
    links: tuple[tuple[str, str], ...] = ()
    year: int | None = None
    """When its processor came out, for the latency curve."""
    aliases: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ladder:
    """A machine's rungs, nearest to the arithmetic first, and the `size_bytes` that is moved."""

    machine: Machine
    rungs: tuple[Rung, ...]
    size_bytes: float
    basis: str = "peak"

    @property
    def times_s(self) -> dict[str, float | None]:
        """Seconds for the size at each rung, by id."""
        return {rung.id: rung.time_s(self.size_bytes) for rung in self.rungs}

    @property
    def nearest_home(self) -> Rung | None:
        """The first rung that holds the size."""
        return next((rung for rung in self.rungs if rung.holds(self.size_bytes)), None)

    @property
    def main_memory(self) -> Rung | None:
        """The DRAM of the machine, or what stands in its place."""
        timed = [rung for rung in self.rungs if rung.bytes_per_s]
        beside = [rung for rung in timed if rung.transfer == "memory"]
        return beside[0] if beside else next((rung for rung in reversed(timed) if rung.transfer == "chip"), None)

    def as_dict(self) -> dict[str, Any]:
        """Every number, in base units; what is missing is None, with its reason."""
        memory = self.main_memory
        return {
            "machine": self.machine.id,
            "name": self.machine.name,
            "size_bytes": int(self.size_bytes) if float(self.size_bytes).is_integer() else self.size_bytes,
            "basis": self.basis,
            "fits_first": self.nearest_home.id if self.nearest_home else None,
            "main_memory": memory.id if memory else None,
            "rungs": [self._rung(rung, memory) for rung in self.rungs],
        }

    def _rung(self, rung: Rung, memory: Rung | None) -> dict[str, Any]:
        time = rung.time_s(self.size_bytes)
        base = memory.time_s(self.size_bytes) if memory else None
        return {
            "level": rung.name,
            "id": rung.id,
            "transfer": rung.transfer,
            "capacity_bytes": None if rung.capacity_bytes is None else int(rung.capacity_bytes),
            "fits": rung.holds(self.size_bytes),
            "bytes_per_s": rung.bytes_per_s,
            "kind": rung.kind or None,
            "promised_bytes_per_s": rung.promised_bytes_per_s,
            "measured_bytes_per_s": rung.measured_bytes_per_s,
            "latency_s": rung.latency_s,
            "energy_j_per_byte": rung.energy_j_per_byte,
            "time_s": time,
            "times_main_memory": time / base if time and base else None,
            "energy_j": None if rung.energy_j_per_byte is None else rung.energy_j_per_byte * self.size_bytes,
            "readings": [{"bytes_per_s": r.bytes_per_s, "kind": r.kind, "device": r.device, "source": r.source.split(";")} for r in rung.readings],
            "reason": _("no source gives its {figures}").format(figures=", ".join(_(name) for name in rung.missing)) if rung.missing else None,
            "source": list(rung.sources),
        }


#: How levels and links are called in the data: how a name begins, the transfer that it serves, its place from the arithmetic outwards.
_PLACES: tuple[tuple[str, str, float], ...] = (
    ("register", "chip", 0), ("shared", "chip", 1), ("lds", "chip", 1), ("l1", "chip", 2), ("vmem", "chip", 3), ("l2", "chip", 4),
    ("l3", "chip", 5), ("infinity cache", "chip", 5), ("sram", "chip", 6), ("on-chip", "chip", 6), ("on-wafer", "chip", 6),
    ("hbm", "memory", 10), ("gddr", "memory", 10), ("lpddr", "memory", 10), ("ddr", "memory", 10), ("dram", "memory", 10), ("cpu dram", "memory", 10),
    ("cxl", "memory", 14),
    ("nvlink-c2c", "peers", 20), ("ici link", "peers", 20), ("pcie", "peers", 25),
    ("infiniband", "machines", 30), ("ethernet", "machines", 30), ("network", "machines", 30), ("nic", "machines", 30),
    ("data-center", "machines", 30),
    ("nvme", "storage", 40),
)  # fmt: skip
_SOCKETS = ("peers", 21.0)
"""Every other link joins sockets: NVLink, Infinity Fabric, ICI, QPI, UPI."""
_LINKS = ("peers", "machines")
_HOST = 12.0
"""The place of a processor's memory, which an accelerator has beside its own."""


def place(name: str) -> tuple[str, float]:
    """The transfer that a level or link called `name` serves, and its place on a ladder.

    >>> place("L2"), place("HBM3"), place("NVLink 4"), place("PCIe 5.0 x16")
    (('chip', 4), ('memory', 10), ('peers', 21.0), ('peers', 25))
    """
    found = [entry for entry in _PLACES if name.casefold().startswith(entry[0])]
    if not found:
        return _SOCKETS
    _start, transfer, order = max(found, key=lambda entry: len(entry[0]))
    return transfer, order


def ladder(
    machine: Machine,
    size_bytes: float,
    levels: Iterable[MemoryLevel],
    links: Iterable[Link],
    chips: Mapping[str, Accelerator],
    *,
    basis: str = "peak",
) -> Ladder:
    """The ladder of `machine` out of the `levels`, `links` and `chips` that are known.

    Several sources of one rung stay beside each other as its `readings`; `basis` says which of them counts: the rate that a vendor
    promises (``peak``), or what somebody saw (``measured``), where there is one.
    """
    if str(basis) not in BASES:  # an array is no word
        raise InputError(N_("{name} “{value}” does not exist: choose one of {known}."), name="basis", value=said(basis), known=", ".join(BASES))
    found: dict[float, Rung] = {}
    for level in levels:
        if level.device in machine.devices or (machine.chip and level.chip == machine.chip):
            _add(found, _of_level(level))
    chip, joined = chips.get(machine.chip), list(links)
    wanted = [*machine.links, *([("PCIe", f"{chip.pcie_gen}.0")] if chip and chip.pcie_gen else [])]
    for link in joined:
        if (link.family, link.generation) in wanted:
            _add(found, _of_link(link))
    for rung in _of_chip(chip) if chip else ():
        _add(found, rung)
    rungs = tuple(replace(found[order], readings=_sorted(found[order].readings, basis)) for order in sorted(found))
    return Ladder(machine, rungs, size_bytes, basis)


def _sorted(readings: tuple[Reading, ...], basis: str) -> tuple[Reading, ...]:
    order = _ORDER[basis]
    # Of one kind the highest comes first: a bandwidth that was reached is one that the level has, and a slower tool proves nothing against it.
    return tuple(sorted(readings, key=lambda one: (order.index(one.kind) if one.kind in order else len(order), -one.bytes_per_s)))


def _add(found: dict[float, Rung], rung: Rung) -> None:
    """Puts `rung` on its place, or what it knows beside what is known there."""
    before = found.get(rung.order)
    if before is None:
        found[rung.order] = rung
        return

    def first(name: str) -> Any:
        known = getattr(before, name)
        return getattr(rung, name) if known is None else known

    # A data sheet names the generation ("HBM3") where a measurement says "HBM".
    finer = rung.transfer == "memory" and (before.name == "DRAM" or rung.name.casefold().startswith(before.name.casefold()))
    found[rung.order] = replace(
        before,
        name=rung.name if finer else before.name,
        capacity_bytes=rung.capacity_bytes if finer and rung.capacity_bytes else first("capacity_bytes"),
        latency_s=first("latency_s"),
        energy_j_per_byte=first("energy_j_per_byte"),
        readings=(*before.readings, *(r for r in rung.readings if (r.bytes_per_s, r.kind) not in {(b.bytes_per_s, b.kind) for b in before.readings})),
        notes=tuple(dict.fromkeys((*before.notes, *rung.notes))),
        sources=tuple(dict.fromkeys((*before.sources, *rung.sources))),
    )


def _of_level(level: MemoryLevel) -> Rung:
    transfer, order = place(level.level)
    return Rung(
        name=level.level,
        transfer=transfer,
        order=_HOST if level.place == "host memory" else order,
        capacity_bytes=level.capacity_bytes,
        latency_s=level.latency_s,
        energy_j_per_byte=level.energy_j_per_byte,
        readings=(Reading(level.bytes_per_s, level.kind, level.device, level.note, level.source),) if level.bytes_per_s else (),
        notes=(level.note,) if level.note else (),
        sources=_ids(level.source),
        is_link=transfer in _LINKS,
    )


def _of_link(link: Link) -> Rung:
    transfer, order = place(link.family)
    # "InfiniBand NDR", but "UPI 16" names itself, and where a generation is a product, the machine says it already.
    whole = f"{link.family} {link.generation}"
    name = {"QPI and UPI": link.generation, "TPU ICI": link.family, "AMD Infinity Fabric": link.family}.get(link.family, whole)
    return Rung(
        name=name,
        transfer=transfer,
        order=order,
        readings=(Reading(link.bytes_per_s, "vendor", link.scope, link.note, link.source),),
        notes=(link.note,) if link.note else (),
        sources=_ids(link.source),
        is_link=True,
        expert=link.family == "CXL",
    )


#: What a data sheet calls the last level on the chip.
_LAST_LEVEL = {"cpu": "L3", "tpu": "VMEM"}


def _of_chip(chip: Accelerator) -> list[Rung]:
    """The rungs that a data sheet knows: the last level on the chip, its memory, the links to its peers."""
    found = []
    sources = _ids(chip.source)

    def add(name: str, capacity_bytes: float | None, bytes_per_s: float | None) -> None:
        transfer, order = place(name)
        order = _HOST if transfer == "memory" and chip.kind == "cpu" else order
        readings = (Reading(bytes_per_s, "vendor", chip.name, "", chip.source),) if bytes_per_s else ()
        found.append(Rung(name, transfer, order, capacity_bytes, readings=readings, sources=sources, is_link=transfer in _LINKS))

    if chip.memory_is_sram:
        add(chip.memory_type, chip.l2_or_sram_bytes or chip.memory_bytes, chip.memory_bytes_per_s)
    else:
        if chip.l2_or_sram_bytes:
            add(_LAST_LEVEL.get(chip.kind, "L2"), chip.l2_or_sram_bytes, None)
        if chip.memory_bytes_per_s:
            kind = chip.memory_type if place(chip.memory_type)[0] == "memory" else "DRAM"
            add(kind, chip.memory_bytes, chip.memory_bytes_per_s)
    if chip.interconnect_bytes_per_s:
        name = chip.interconnect_name or "links to peers"
        add(name if place(name)[1] == _SOCKETS[1] else "links to peers", None, chip.interconnect_bytes_per_s)
    return found


def _ids(source: str) -> tuple[str, ...]:
    return tuple(part for part in source.split(";") if part)
