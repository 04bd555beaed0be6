"""Accelerators answer for their peaks, ridge and links in base units."""

from __future__ import annotations

from datetime import date

import pytest

from wallviz import catalog
from wallviz.errors import InputError


@pytest.mark.parametrize(
    ("name", "ridge"),
    [
        ("V100", 139),
        ("A100", 153),
        ("H100", 295),
        ("H200", 206),
        ("B200", 281),
        ("MI300X", 247),
        ("TPU v6e", 560),
        ("TPU v7", 313),
        ("Trainium3", 137),
        ("H20", 37),
        ("Rubin", 182),
    ],
)
def test_ridges_of_known_chips(name: str, ridge: int) -> None:
    """Dense 16-bit peak over bandwidth, FLOP per byte."""
    assert round(catalog.find(name, catalog.chips()).ridge("fp16") or 0) == ridge


def test_ridge_depends_on_the_number_format() -> None:
    """Rubin balances at 182 FLOP per byte in 16 bits and at 1,591 in FP4."""
    rubin = catalog.find("Rubin", catalog.chips())
    assert rubin.announced
    assert round(rubin.ridge("bf16") or 0) == 182
    assert round(rubin.ridge("FP4") or 0) == 1591


def test_absent_figures_are_none() -> None:
    """A peak that nobody published has no ridge either, and is None, not 0."""
    v100 = catalog.find("V100", catalog.chips())
    assert v100.peak("fp8") is None
    assert v100.ridge("fp8") is None
    assert catalog.find("Dojo", catalog.chips()).ridge("fp16") is None


def test_unknown_precision_lists_the_known() -> None:
    """A number format that does not exist is refused with those that do."""
    with pytest.raises(InputError, match="unknown precision fp7: use one of fp64, fp32"):
        catalog.find("H100", catalog.chips()).peak("fp7")


def test_links_count_one_way() -> None:
    """The links of an H100 carry 900 GB/s both ways, 450 one way; a chip without links has None."""
    assert catalog.find("H100", catalog.chips()).interconnect_bytes_per_s == 450e9
    assert catalog.find("P40", catalog.chips()).interconnect_bytes_per_s is None


def test_flagships_are_eight_modules() -> None:
    """The series at fixed precision is NVIDIA's SXM modules from V100 to B300."""
    flagships = [chip.id for chip in catalog.chips().values() if chip.flagship]
    assert flagships == [
        "tesla-v100-sxm2-16gb",
        "tesla-v100-sxm2-32gb",
        "a100-sxm4-40gb",
        "a100-sxm4-80gb",
        "h100-sxm5",
        "b200-sxm",
        "h200-sxm",
        "b300-sxm",
    ]


def test_announced_chips_are_flagged() -> None:
    """What counts as announced is dated July 2026 or later, and month-only dates say so."""
    announced = {chip.id: chip.release_date for chip in catalog.chips().values() if chip.announced}
    assert {"rubin-r200-sxm", "instinct-mi455x", "ascend-950dt", "rubin-cpx"} <= announced.keys()
    assert min(announced.values()) >= date(2026, 7, 1)
    assert catalog.find("Rubin", catalog.chips()).date_precision == "month"


def test_memory_label_and_bytes_agree() -> None:
    """The vendor's GB is kept as text and read as 10**9 bytes."""
    h100 = catalog.find("H100", catalog.chips())
    assert (h100.memory_gb_label, h100.memory_bytes) == ("80 GB", 80e9)
