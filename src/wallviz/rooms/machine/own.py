"""The measured machine as the chip of every other page: what its record says, and what the catalogue has of the same chip."""

from __future__ import annotations

import re

from wallviz import catalog
from wallviz.engine.hardware import Accelerator
from wallviz.errors import InputError
from wallviz.machine.as_chip import own_machine
from wallviz.machine.own import OwnMachine
from wallviz.machine.probe.record import Record

#: What a driver calls a GPU whose name on the data sheet is another: how the driver's name begins, and the chip's id.
DRIVER_NAMES: tuple[tuple[str, str], ...] = (
    (r"H100 80GB HBM3", "h100-sxm5"), (r"H100 PCIe", "h100-pcie"), (r"H100 NVL", "h100-nvl"), (r"H800", "h800-sxm5"), (r"H20\b", "h20"),
    (r"H200\b(?! NVL)", "h200-sxm"), (r"GH200", "gh200"), (r"B200", "b200-sxm"), (r"GB200", "gb200"),
    (r"A100-SXM4-40GB", "a100-sxm4-40gb"), (r"A100-SXM4-80GB", "a100-sxm4-80gb"), (r"A100 80GB PCIe", "a100-pcie-80gb"),
    (r"V100-SXM2-16GB", "tesla-v100-sxm2-16gb"), (r"V100-SXM2-32GB", "tesla-v100-sxm2-32gb"), (r"T4\b", "tesla-t4"),
    (r"RTX A6000", "rtx-a6000"), (r"RTX 6000 Ada", "rtx-6000-ada"), (r"RTX PRO 6000 Blackwell", "rtx-pro-6000-blackwell"),
)  # fmt: skip

#: The rooms that show the machine, and what their addresses say to show it beside others.
ROOMS: dict[str, dict[str, str]] = {
    "roofline": {"others": "h100-sxm5"}, "hierarchy": {}, "footprint": {}, "growth": {"data": "today"}, "chips": {},
}  # fmt: skip


def sheet(name: str) -> Accelerator | None:
    """The chip of the catalogue that a driver calls `name`; None where it is not known for certain.

    >>> sheet("NVIDIA H100 80GB HBM3").id, sheet("NVIDIA GeForce RTX 4090").id, sheet("NVIDIA GeForce RTX 4090 Laptop GPU")
    ('h100-sxm5', 'geforce-rtx-4090', None)
    """
    if re.search(r"\b(laptop|mobile|max-q)\b|\bMIG\b", name, re.IGNORECASE):  # fewer units, lower clocks, a part
        return None
    bare = re.sub(r"^(NVIDIA|Tesla|AMD|Intel)\s+", "", re.sub(r"^NVIDIA\s+", "", name.strip()))
    for pattern, id in DRIVER_NAMES:
        if re.match(pattern, bare):
            return catalog.chips().get(id)
    wanted = bare.casefold()
    return next((one for one in catalog.chips().values() if wanted in {one.name.casefold(), *map(str.casefold, one.aliases)}), None)


def own(record: Record, chosen: str = "") -> OwnMachine:
    """The machine that `record` measured; a GPU has the arithmetic of its data sheet, found by name or `chosen` by the reader (an id).

    Raises InputError without a bandwidth.
    """
    same = (catalog.chips().get(chosen) or sheet(record.device.name)) if record.device.kind == "gpu" else None
    return own_machine(record, same)


def chip_id(record: Record | None, chosen: str = "") -> str:
    """The machine of `record` as the chip of a link; empty where it has no bandwidth."""
    if record is None:
        return ""
    try:
        return own(record, chosen).id
    except InputError:
        return ""
