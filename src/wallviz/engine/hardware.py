"""Accelerators and processors as domain objects: what one device computes, holds and moves, in base units."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from wallviz.errors import InputError
from wallviz.i18n import N_

#: Number format, as a reader names it, to the attribute that holds its dense peak.
PRECISIONS: dict[str, str] = {
    "fp64": "fp64_flop_per_s",
    "fp32": "fp32_flop_per_s",
    "tf32": "tf32_flop_per_s",
    "fp16": "fp16_flop_per_s",
    "bf16": "fp16_flop_per_s",
    "fp8": "fp8_flop_per_s",
    "fp4": "fp4_flop_per_s",
    "int8": "int8_op_per_s",
}


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One device as sold. An absent figure is None: nobody published it, or the device has no such thing."""

    id: str
    """Unique slug, as in ``h100-sxm5``."""
    name: str
    """Name of the product."""
    vendor: str
    """Who sells it."""
    kind: str
    """gpu, cpu, apu (graphics and processor in one memory), tpu, accelerator (any other AI chip) or wafer."""
    release_date: dt.date
    """Release, the first of the month where only the month is known (`date_precision`)."""
    aliases: tuple[str, ...] = ()
    """Short names that people type."""
    variant: str = ""
    """What tells this part from its siblings: ``10-core GPU``, ``2 sockets``."""
    date_precision: str = "day"
    """day or month."""
    announced: bool = False
    """Announced, availability not confirmed in the sources."""
    flagship: bool = False
    """One of NVIDIA's 16-bit flagships, V100 to B300: the series at fixed precision."""
    memory_gb_label: str = ""
    """Capacity as the vendor prints it: ``80 GB``."""
    memory_bytes: float | None = None
    """Capacity in bytes, the vendor's GB read as 10**9 bytes: a floor."""
    memory_type: str = ""
    """HBM3, GDDR6X, DDR5, on-chip SRAM ..."""
    memory_is_sram: bool = False
    """The memory is SRAM on the chip: not comparable with DRAM beside it."""
    memory_bytes_per_s: float | None = None
    """Theoretical memory bandwidth, bytes per second."""
    fp64_flop_per_s: float | None = None
    """Dense peak in 64-bit floats, FLOP/s, vector units."""
    fp32_flop_per_s: float | None = None
    """Dense peak in 32-bit floats, FLOP/s, vector units."""
    tf32_flop_per_s: float | None = None
    """Dense peak in TF32, FLOP/s, matrix units."""
    fp16_flop_per_s: float | None = None
    """Dense peak in 16-bit floats (FP16 or BF16), FLOP/s, matrix units where the chip has them."""
    fp16_accumulate: bool = False
    """The 16-bit peak accumulates in 16 bits; accumulating in 32 bits runs at half of it."""
    fp8_flop_per_s: float | None = None
    """Dense peak in FP8, FLOP/s."""
    fp4_flop_per_s: float | None = None
    """Dense peak in FP4, FLOP/s."""
    int8_op_per_s: float | None = None
    """Dense peak in INT8, operations per second."""
    l2_or_sram_bytes: float | None = None
    """Last on-chip level: L2 or last-level cache, or the SRAM, bytes (a printed MB is 2**20)."""
    interconnect_name: str = ""
    """The link to its peers."""
    interconnect_bytes_per_s_bidir: float | None = None
    """All links to peers, both directions added, bytes per second."""
    pcie_gen: int | None = None
    """Generation of its PCI Express slot."""
    tdp_w: float | None = None
    """Thermal design power, watts."""
    confidence: str = ""
    """high: several sources agree on the main figures; low: draw with an open marker."""
    single_source: frozenset[str] = field(default_factory=frozenset)
    """Attributes that one source alone states, or that were not read again at their origin."""
    n_sources: int = 0
    """Number of independent sources of the row."""
    notes: str = ""
    """What to know before comparing it."""
    source: str = ""
    """Source ids, separated by ``;``."""
    source_urls: tuple[str, ...] = ()
    """The pages of this very chip, where known."""

    def peak(self, precision: str, *, accumulate: str = "fp32") -> float | None:
        """Dense peak at `precision` (a key of `PRECISIONS`), FLOP/s (operations per second for int8); None if not published.

        GeForce cards quote 16-bit and FP8 matrix rates that add up in 16 bits (`fp16_accumulate`); adding in 32 bits, as training and every
        common library do, runs at half of that (NVIDIA, Ada and Blackwell RTX architecture white papers, tables "with FP32 Accumulate").

        >>> from datetime import date
        >>> Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), fp16_flop_per_s=989.4e12).peak("bf16")
        989400000000000.0
        >>> geforce = Accelerator("4090", "RTX 4090", "NVIDIA", "gpu", date(2022, 9, 20), fp16_flop_per_s=330.3e12, fp16_accumulate=True)
        >>> geforce.peak("bf16"), geforce.peak("bf16", accumulate="fp16")
        (165150000000000.0, 330300000000000.0)
        """
        try:
            attribute = PRECISIONS[precision.lower()]
        except KeyError:
            raise InputError(N_("unknown precision {precision}: use one of {known}"), precision=precision, known=", ".join(PRECISIONS)) from None
        value: float | None = getattr(self, attribute)
        halved = value and self.fp16_accumulate and accumulate == "fp32" and attribute in ("fp16_flop_per_s", "fp8_flop_per_s")
        return value / 2.0 if value and halved else value

    def ridge(self, precision: str) -> float | None:
        """Arithmetic intensity where compute and bandwidth balance, FLOP per byte: peak / bandwidth (Williams et al. 2009, section 3).

        >>> from datetime import date
        >>> h100 = Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), fp16_flop_per_s=989.4e12, memory_bytes_per_s=3.35e12)
        >>> round(h100.ridge("fp16"))
        295
        """
        peak = self.peak(precision)
        return None if peak is None or not self.memory_bytes_per_s else peak / self.memory_bytes_per_s

    @property
    def interconnect_bytes_per_s(self) -> float | None:
        """All links to peers, one direction, bytes per second."""
        return None if self.interconnect_bytes_per_s_bidir is None else self.interconnect_bytes_per_s_bidir / 2

    @property
    def has_hbm(self) -> bool:
        """Its memory is a stack of the HBM family."""
        return self.memory_type.startswith("HBM")


@dataclass(frozen=True, slots=True)
class ListedChip:
    """One row of a chip table that others publish, kept as they print it; `masked` names what is known to be wrong in it."""

    id: str
    """Unique slug, ``dataset/name``."""
    dataset: str
    """Which table: ``epoch_ml_hardware_2026`` or ``rpelke_2026``."""
    name: str
    """Name as listed."""
    vendor: str
    """Who sells it."""
    kind: str
    """gpu, tpu, accelerator, or empty where the table does not say."""
    date: dt.date | None
    """Release as listed."""
    values: Mapping[str, float]
    """Column name to value in base units, absent where the table has none."""
    memory_type: str = ""
    """Memory family as listed."""
    fastest_precision: str = ""
    """Number format of ``fastest_flop_per_s``."""
    note: str = ""
    """What is wrong or special."""
    masked: frozenset[str] = field(default_factory=frozenset)
    """Columns known to be wrong (``date`` among them)."""
    source: str = ""
    """Source ids, separated by ``;``."""


@dataclass(frozen=True, slots=True)
class MemoryLevel:
    """One level of one device's memory, as one origin measures or states it. An absent figure is None: this origin has none.

    Origins that disagree are several rows of the same device and level.
    """

    id: str
    """Unique slug, ``device/level``."""
    device: str
    """What the origin looked at: ``H100 SXM5 80GB``, ``45 nm, 0.9 V`` for energies."""
    level: str
    """registers, L1, L2, HBM, NVLink 4, PCIe 5.0 x16, NVMe SSD ..."""
    place: str
    """on chip, device memory, host memory, link, network, storage, or arithmetic for the energy of one operation."""
    chip: str = ""
    """Id of the chip in the catalog, empty where the device is none of its rows."""
    capacity_bytes: float | None = None
    """What it holds, all units of the chip together."""
    bytes_per_s: float | None = None
    """Bandwidth, all units of the chip together; links one way."""
    latency_s: float | None = None
    """Time to the first byte."""
    energy_j_per_byte: float | None = None
    """Energy of moving one byte, joule."""
    energy_j_per_operation: float | None = None
    """Energy of one operation, joule, for the rows of `place` arithmetic."""
    energy_per_mac: float | None = None
    """Energy of one access over that of one multiply-accumulate, where the origin gives the ratio alone."""
    kind: str = ""
    """measured, derived, vendor or model: where capacity and bandwidth come from."""
    latency_kind: str = ""
    """The same of the latency, empty without one."""
    energy_kind: str = ""
    """The same of the energy, empty without one."""
    confidence: str = ""
    """high, or low: not read again at its origin, or taken from a slower relative."""
    note: str = ""
    """What to know before comparing it."""
    source: str = ""
    """Source ids, separated by ``;``."""


@dataclass(frozen=True, slots=True)
class Link:
    """One generation of one kind of link between chips, nodes or sockets."""

    id: str
    """Unique slug, ``family/generation``."""
    family: str
    """PCIe, NVLink, TPU ICI, InfiniBand, Ethernet, QPI and UPI ..."""
    generation: str
    """As people say it: ``5.0``, ``TPU v6e``, ``NDR``."""
    year: int
    """Year of the standard or of its first product, in the future where announced."""
    bytes_per_s: float
    """Bandwidth of the whole `scope` one way, bytes per second."""
    bytes_per_s_bidir: float
    """Both ways added; the same number where both share the wires (PCI, AGP)."""
    scope: str
    """What the bandwidth belongs to: ``x16 slot``, ``per GPU (H100/H200)``, ``per port``."""
    transfers_per_s_per_lane: float | None = None
    """Signalling rate of one lane, transfers per second."""
    lanes: str = ""
    """Lanes or links as printed."""
    confidence: str = ""
    """high or low."""
    note: str = ""
    """What to know."""
    source: str = ""
    """Source ids, separated by ``;``."""


@dataclass(frozen=True, slots=True)
class MemoryTechnology:
    """One generation of one family of memory."""

    id: str
    """Unique slug."""
    family: str
    """DRAM, DDR, LPDDR, GDDR, HBM ..."""
    name: str
    """As people say it: ``HBM3E``."""
    year: int
    """Year of the first product."""
    bytes_per_s: float
    """Bandwidth of one `per`."""
    per: str
    """What bandwidth and capacity belong to: module, stack, 32-bit device ..."""
    capacity_bytes: float | None = None
    """The largest capacity of one `per`."""
    bits_per_s_per_pin_min: float | None = None
    """Rate of one pin, slowest product."""
    bits_per_s_per_pin_max: float | None = None
    """Rate of one pin, fastest product, or the standard's."""
    width_bits: int | None = None
    """Pins for data."""
    product: str = ""
    """First or typical product."""
    confidence: str = ""
    """high or low."""
    note: str = ""
    """What to know."""
    source: str = ""
    """Source ids, separated by ``;``."""
