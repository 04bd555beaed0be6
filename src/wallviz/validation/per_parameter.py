"""Training memory as so many bytes for each parameter: what the Ultra-Scale Playbook and GaLore count, in their symbols."""

from __future__ import annotations

from wallviz.engine.memory.terms import Quantity

ULTRASCALE_BYTES = 16.0
"""16-bit weights and gradients, 32-bit copy and two moments: 2 + 2 + 4 + 8 bytes a parameter (The Ultra-Scale Playbook)."""
ULTRASCALE_FP32_GRADIENT_BYTES = 20.0
"""The same with gradients in 32 bits beside those in 16."""
GALORE_BF16_BYTES = 8.0
"""All in 16 bits: weights 2, gradients 2, two moments 4 (arXiv 2403.03507, section 1)."""


def training_state_bytes(P: Quantity, bytes_per_parameter: Quantity = ULTRASCALE_BYTES) -> Quantity:
    """Weights, gradients and optimizer of P parameters, bytes (The Ultra-Scale Playbook; GaLore's 7B is 14 + 14 + 28 GB).

    >>> training_state_bytes(70e9) / 1e9, training_state_bytes(70e9, ULTRASCALE_FP32_GRADIENT_BYTES) / 1e9
    (1120.0, 1400.0)
    >>> training_state_bytes(7e9, GALORE_BF16_BYTES) / 1e9
    56.0
    """
    return P * bytes_per_parameter
