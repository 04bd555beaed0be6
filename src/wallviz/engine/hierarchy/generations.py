"""Every level over time: bandwidth by generation of each family of memories and links, for a line through each at its own rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from wallviz.engine.growth import Point
from wallviz.engine.hardware import Link, MemoryTechnology
from wallviz.i18n import N_


@dataclass(frozen=True, slots=True)
class Family:
    """One family: what a generation's bandwidth is counted per (`per`), and its generations as dated points, announced ones apart."""

    id: str
    name: str
    role: str
    per: str
    points: tuple[Point, ...]
    announced: tuple[Point, ...] = ()


#: Families that are generations of one thing: id, name, colour by role, what a value is counted per. Others are products side by side.
MEMORIES: Mapping[str, tuple[str, str]] = {
    "DDR": ("DDR", N_("module of 64 bits")),
    "LPDDR": ("LPDDR", N_("64 bits")),
    "GDDR": ("GDDR", N_("device of 32 bits")),
    "HBM": ("HBM", N_("stack")),
}
LINKS: Mapping[str, tuple[str, str]] = {
    "PCIe": ("PCIe", N_("slot of 16 lanes, one way")),
    "NVLink": ("NVLink", N_("GPU, one way")),
    "InfiniBand": ("InfiniBand", N_("port of 4 lanes, one way")),
    "Ethernet": ("Ethernet", N_("port, one way")),
    "QPI and UPI": (N_("QPI and UPI"), N_("link, one way")),
}
#: Families whose generations are numbers and codes that say nothing alone.
_NUMBERED = ("PCIe", "NVLink", "InfiniBand")


def families(technologies: Iterable[MemoryTechnology], links: Iterable[Link], *, until: int) -> tuple[Family, ...]:
    """Memory and link families with their generations; those dated after `until` are announced, not fitted.

    A year is drawn at its beginning: no slope depends on it.
    """
    found = []
    rows = [(t.family, t.name, t.year, t.bytes_per_s, t.note, t.confidence, t.source) for t in technologies]
    for id, (name, per) in MEMORIES.items():
        found.append(_family(id, name, "bandwidth", per, [row for row in rows if row[0] == id], until))
    rows = [(k.family, k.generation, k.year, k.bytes_per_s, k.note, k.confidence, k.source) for k in links]
    for id, (name, per) in LINKS.items():
        found.append(_family(id, name, "network", per, [row for row in rows if row[0] == id], until))
    return tuple(family for family in found if family.points)


_Row = tuple[str, str, int, float | None, str, str, str]


def _family(id: str, name: str, role: str, per: str, rows: Iterable[_Row], until: int) -> Family:
    points: list[Point] = []
    announced: list[Point] = []
    for _family, generation, year, bytes_per_s, note, confidence, source in rows:
        if bytes_per_s is None:
            continue
        label = f"{name} {generation}" if id in _NUMBERED else generation
        point = Point(
            id=f"{id}/{generation}".replace(" ", "-").casefold(),
            name=label,
            date=date(year, 1, 1),
            value=bytes_per_s,
            unit="B/s",
            identified=confidence == "high",
            note=note,
            source=source,
        )
        (points if year <= until else announced).append(point)
    return Family(id, name, role, per, tuple(sorted(points, key=lambda p: p.date)), tuple(announced))
