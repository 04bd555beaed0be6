"""The machines whose ladders are drawn: which rows of the tables of levels, chips and links belong together.

The network and the disk are those that such a node is sold with; a ladder shows what the sources have of each, and every other chip of
the catalogue has a ladder of what its data sheet says (`with_chips`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wallviz.engine.hardware import Accelerator
from wallviz.engine.hierarchy.ladder import Machine
from wallviz.i18n import N_

_NIC, _DISK = "ConnectX-7", "Samsung PM1743"
_NDR, _HDR = ("InfiniBand", "NDR"), ("InfiniBand", "HDR")
_CXL = ("CXL", "2.0 (PCIe 5)")
ONE_THREAD = N_("One thread read the caches, all of them the memory: compare latencies here, and rates with care.")

MACHINES: dict[str, Machine] = {
    machine.id: machine
    for machine in (
        Machine("h100", "H100 SXM5", (_NIC, _DISK), "h100-sxm5", (("NVLink", "4"), _NDR), aliases=("H100 SXM", "DGX H100")),
        Machine("h200", "H200 SXM", (_NIC, _DISK), "h200-sxm", (("NVLink", "4"), _NDR), aliases=("DGX H200",)),
        Machine("b200", "B200 SXM", (_NIC, _DISK), "b200-sxm", (("NVLink", "5"), _NDR), aliases=("DGX B200",)),
        Machine("gh200", "GH200", (_NIC, _DISK), "gh200", (("NVLink", "4"), _NDR), note=N_("Its processor's memory is reached over NVLink-C2C.")),
        Machine("h100-pcie", "H100 PCIe", (_NIC, _DISK), "h100-pcie", (_NDR,)),
        Machine("a100", "A100 80GB", (_DISK,), "a100-sxm4-80gb", (("NVLink", "3"), _HDR), aliases=("A100", "DGX A100")),
        Machine("a100-40gb", "A100 40GB", (), "a100-sxm4-40gb", (("NVLink", "3"), _HDR), note=N_("As the FlashAttention paper draws its ladder.")),
        Machine("mi300x", "MI300X", (_NIC, _DISK), "instinct-mi300x", (("AMD Infinity Fabric", "MI300X / MI325X"), _NDR)),
        Machine("tpu-v5e", "TPU v5e", (), "tpu-v5e", (("TPU ICI", "TPU v5e"),)),
        Machine("wse-3", "Cerebras WSE-3", (), "wse-3"),
        Machine("groqchip", "GroqChip", (), "groqchip-1"),
        Machine("l40", "L40", (_DISK,), "l40"),
        Machine("rtx-4090", "RTX 4090", (_DISK,), "geforce-rtx-4090"),
        Machine("rtx-5060", "RTX 5060", ("RTX 5060 8GB", _DISK)),
        Machine("apple-m1-pro", "Apple M1 Pro", (), "apple-m1-pro", year=2021, aliases=("laptop", "MacBook"), note=ONE_THREAD),
        Machine("apple-m4-max", "Apple M4 Max", (), "apple-m4-max", year=2024),
        Machine("epyc-zen-5", "AMD EPYC Zen 5, 2 vCPUs", ("AMD EPYC Zen 5, 2 vCPUs",), year=2024, aliases=("EPYC",), note=ONE_THREAD),
        Machine("threadripper-3955wx", "Threadripper PRO 3955WX", ("Threadripper PRO 3955WX",), year=2020, note=ONE_THREAD),
        Machine(
            "xeon-8480", N_("Xeon 8480+, two sockets"), (_DISK,), "intel-xeon-platinum-8480-plus", (("QPI and UPI", "UPI 16 (2.0)"), _NDR, _CXL),
            note=N_("One link between the sockets is shown; a processor has several."), aliases=("Sapphire Rapids",),
        ),
        Machine(
            "xeon-e5-v4", N_("Xeon E5 v4, two sockets"), ("Xeon E5-2690 v4",), "intel-xeon-e5-2699-v4", (("QPI and UPI", "QPI 9.6"),), year=2016,
            aliases=("Broadwell",),
        ),
    )
}  # fmt: skip


def with_chips(chips: Mapping[str, Accelerator]) -> dict[str, Machine]:
    """Every machine by id: those drawn in full, which answer to their chip's names too, then every other chip of the catalogue."""
    drawn = {machine.chip for machine in MACHINES.values()}
    named = {
        id: replace(machine, aliases=(*machine.aliases, machine.chip, *chips[machine.chip].aliases)) if machine.chip in chips else machine
        for id, machine in MACHINES.items()
    }
    return named | {
        chip.id: Machine(chip.id, chip.name, (), chip.id, aliases=chip.aliases) for chip in chips.values() if chip.id not in drawn | MACHINES.keys()
    }
