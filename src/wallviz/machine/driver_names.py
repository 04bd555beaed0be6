"""What drivers call GPUs, and which chip of the catalogue that is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wallviz.engine.hardware import Accelerator

#: What a driver calls a GPU whose name on the data sheet is another: how the driver's name begins, and the chip's id.
DRIVER_NAMES: tuple[tuple[str, str], ...] = (
    (r"H100 80GB HBM3", "h100-sxm5"), (r"H100 PCIe", "h100-pcie"), (r"H100 NVL", "h100-nvl"), (r"H800", "h800-sxm5"), (r"H20\b", "h20"),
    (r"H200\b(?! NVL)", "h200-sxm"), (r"GH200", "gh200"), (r"B200", "b200-sxm"), (r"GB200", "gb200"),
    (r"A100-SXM4-40GB", "a100-sxm4-40gb"), (r"A100-SXM4-80GB", "a100-sxm4-80gb"), (r"A100 80GB PCIe", "a100-pcie-80gb"),
    (r"V100-SXM2-16GB", "tesla-v100-sxm2-16gb"), (r"V100-SXM2-32GB", "tesla-v100-sxm2-32gb"), (r"T4\b", "tesla-t4"),
    (r"RTX A6000", "rtx-a6000"), (r"RTX 6000 Ada", "rtx-6000-ada"), (r"RTX PRO 6000 Blackwell", "rtx-pro-6000-blackwell"),
)  # fmt: skip


def sheet(name: str, chips: Mapping[str, Accelerator]) -> Accelerator | None:
    """The one of `chips`, by id, that a driver calls `name`; None where it is not known for certain.

    >>> from wallviz import catalog
    >>> found = [sheet(name, catalog.chips()) for name in ("NVIDIA H100 80GB HBM3", "GeForce RTX 4090", "NVIDIA GeForce RTX 4090 Laptop GPU")]
    >>> found[0].id, found[1].id, found[2]
    ('h100-sxm5', 'geforce-rtx-4090', None)
    """
    if re.search(r"\b(laptop|mobile|max-q)\b|\bMIG\b", name, re.IGNORECASE):  # fewer units, lower clocks, a part
        return None
    bare = re.sub(r"^(NVIDIA|Tesla|AMD|Intel)\s+", "", re.sub(r"^NVIDIA\s+", "", name.strip()))
    for pattern, id in DRIVER_NAMES:
        if re.match(pattern, bare):
            return chips.get(id)
    wanted = bare.casefold()
    return next((one for one in chips.values() if wanted in {one.name.casefold(), *map(str.casefold, one.aliases)}), None)
