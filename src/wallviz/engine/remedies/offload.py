"""What keeping states in host memory costs: their bytes over the slot, each step."""

from __future__ import annotations

from wallviz.engine.memory.terms import Quantity


def optimizer_bytes(P: Quantity, weight_bytes: Quantity = 2.0, gradient_bytes: Quantity = 2.0) -> Quantity:
    """Bytes over the slot in a step with optimizer state in host memory: gradients out, updated weights back (arXiv 2101.06840, section 4.1: 4M).

    >>> optimizer_bytes(1e9) / 1e9
    4.0
    """
    return P * (weight_bytes + gradient_bytes)


def parameter_bytes(P: Quantity, weight_bytes: Quantity = 2.0, gradient_bytes: Quantity = 2.0) -> Quantity:
    """The same with the weights there too: they are read for the forward and for the backward pass (arXiv 2104.07857, section 4.1).

    >>> parameter_bytes(1e9) / 1e9
    6.0
    """
    return P * (2.0 * weight_bytes + gradient_bytes)
