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

    def peak(self, precision: str) -> float | None:
        """Dense peak at `precision` (a key of `PRECISIONS`), FLOP/s (operations per second for int8); None if not published.

        >>> from datetime import date
        >>> Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), fp16_flop_per_s=989.4e12).peak("bf16")
        989400000000000.0
        """
        try:
            attribute = PRECISIONS[precision.lower()]
        except KeyError:
            raise InputError(N_("unknown precision {precision}: use one of {known}"), precision=precision, known=", ".join(PRECISIONS)) from None
        value: float | None = getattr(self, attribute)
        return value

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
