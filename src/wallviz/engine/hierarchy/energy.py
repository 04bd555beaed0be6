"""What moving a byte costs beside computing with it, and which share of an operation's energy is movement.

The table is a model of one process (45 nm, 0.9 V): Mark Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014,
figure 1.1.9. It is old, and its ratios are what teaches: arithmetic shrank with the process, wires and DRAM much less.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wallviz.engine.memory.terms import Quantity

PICO = 1e-12
#: Energy of one operation at 45 nm, joules.
OPERATION_J: Mapping[str, float] = MappingProxyType(
    {
        "int8 add": 0.03 * PICO, "int32 add": 0.1 * PICO, "fp16 add": 0.4 * PICO, "fp32 add": 0.9 * PICO,
        "int8 multiply": 0.2 * PICO, "int32 multiply": 3.1 * PICO, "fp16 multiply": 1.1 * PICO, "fp32 multiply": 3.7 * PICO,
    }
)  # fmt: skip
#: Energy of reading 64 bits at 45 nm, joules; the DRAM as its range.
READ_64_BIT_J: Mapping[str, float] = MappingProxyType(
    {"SRAM 8 KB": 10 * PICO, "SRAM 32 KB": 20 * PICO, "SRAM 1 MB": 100 * PICO, "DRAM low": 1300 * PICO, "DRAM high": 2600 * PICO}
)


def multiply_add_j_per_flop(precision: str = "fp16") -> float:
    """Joules per FLOP of a multiply and an add at 45 nm: their mean.

    >>> round(multiply_add_j_per_flop("fp16") / PICO, 2), round(multiply_add_j_per_flop("fp32") / PICO, 2)
    (0.75, 2.3)
    """
    return (OPERATION_J[f"{precision} multiply"] + OPERATION_J[f"{precision} add"]) / 2


def read_j_per_byte(level: str) -> float:
    """Joules per byte of a read at 45 nm.

    A DRAM read of 64 bits costs 130 reads of a small SRAM, and 351 multiplications in 32 bits:

    >>> round(read_j_per_byte("DRAM low") / read_j_per_byte("SRAM 8 KB")), round(1300 / 3.7)
    (130, 351)
    """
    return READ_64_BIT_J[level] / 8


def share_moved(intensity_flop_per_byte: Quantity, j_per_byte: Quantity, j_per_flop: Quantity) -> Quantity:
    """Which share of the energy moves bytes, at an arithmetic intensity: e_B / (e_B + I·e_F).

    Choi, Bedard, Fowler and Vuduc, A roofline model of energy, IPDPS 2013, equation 2, without the constant power. Decoding at one FLOP
    a byte from a DRAM of 162 pJ per byte, FP16 arithmetic at 45 nm:

    >>> round(share_moved(1.0, read_j_per_byte("DRAM low"), multiply_add_j_per_flop("fp16")), 3)
    0.995
    """
    return j_per_byte / (j_per_byte + intensity_flop_per_byte * j_per_flop)


def energy_balance_flop_per_byte(j_per_byte: Quantity, j_per_flop: Quantity) -> Quantity:
    """The intensity at which moving and computing cost the same, FLOP per byte: e_B / e_F (the same paper's energy balance).

    >>> round(energy_balance_flop_per_byte(read_j_per_byte("DRAM low"), multiply_add_j_per_flop("fp16")))
    217
    """
    return j_per_byte / j_per_flop


def whole_chip_j_per_flop(tdp_w: float, flop_per_s: float) -> float:
    """Joules per FLOP that a chip may spend on everything at its peak: power / peak. Its arithmetic alone takes less.

    >>> round(whole_chip_j_per_flop(700, 989.4e12) / PICO, 2)  # H100 SXM5, dense 16-bit
    0.71
    """
    return tdp_w / flop_per_s
