"""What one chip does between two messages: the operations of its rank, one after another under the roof, at the shares of it that kernels reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.terms import Quantity, plain
from wallviz.engine.roofline.roof import roof, time_s
from wallviz.engine.transformer import Architecture
from wallviz.engine.work import VECTORS, Operation
from wallviz.errors import InputError
from wallviz.i18n import N_

#: Share of the 16-bit peak that a layer's own matrix products reach where compute bounds them: the median of Llama-2-7B's feed-forward products
#: with 1,024 to 4,096 tokens on A100 is 0.70 (vidur's profiles); H100 reaches 0.73 to 0.86.
EFFICIENCY = 0.70
#: Share of the bandwidth that one A100 reaches with Llama-2-7B in 16 bits (gpt-fast: 104.9 tokens/s of 154).
BANDWIDTH_EFFICIENCY = 0.69


@dataclass(frozen=True, slots=True)
class Busy:
    """A rank's operations on its chip."""

    seconds: Quantity
    """Sum over operations of the longer of arithmetic and moving bytes."""
    bound_s: Quantity
    """The same at the whole peak and bandwidth: the roofline's time."""
    compute_s: Quantity
    """Arithmetic alone."""
    read_s: Quantity
    """Moving bytes alone."""
    flop: Quantity
    """Of matrix products, attention and scans; elementwise work counts by its bytes."""
    bytes: Quantity
    """Between chip and memory."""


def busy(
    arch: Architecture,
    found: tuple[Operation, ...],
    chip: Accelerator,
    efficiency: Quantity = EFFICIENCY,
    bandwidth_efficiency: Quantity = BANDWIDTH_EFFICIENCY,
) -> Busy:
    """How long `chip` takes for the operations of `arch` that a rank has, at these shares of its peak and of its bandwidth.

    Raises InputError where the chip's rates are not known, and for a model without layers.
    """
    if not found:
        raise InputError(N_("{model} has no layers: nothing is computed."), model=arch.name)
    roofs = {precision: roof(chip, precision) for precision in {op.precision for op in found}}
    flop, moved = np.array([op.flop for op in found]), np.array([op.bytes for op in found])
    over_operations = (len(found), *(1,) * (flop.ndim - 1))
    peak = np.array([roofs[op.precision].peak_flop_per_s for op in found]).reshape(over_operations)
    bandwidth = roofs[found[0].precision].bytes_per_s
    reached, read = peak * efficiency, bandwidth * np.asarray(bandwidth_efficiency)
    return Busy(
        seconds=_sum(time_s(flop, moved, reached, read)),
        bound_s=_sum(time_s(flop, moved, peak, bandwidth)),
        compute_s=_sum(flop / reached),
        read_s=_sum(moved / read),
        flop=_sum(flop[[op.id not in VECTORS for op in found]]),
        bytes=_sum(moved),
    )


def _sum(each: Quantity) -> Quantity:
    return plain(np.sum(each, axis=0))
