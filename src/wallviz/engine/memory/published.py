"""Closed forms that papers print beside their tables, in their symbols: parameters of a GPT, bytes of training by preset.

They know no architecture; what this project computes from one stands in the other modules. ZeRO's forms are in `zero`, those of activation
recomputation in `korthikanti`, volumes and bubbles in `scaleout.volumes`.
"""

from __future__ import annotations

from wallviz.engine.memory.terms import Quantity

ULTRASCALE_BYTES = 16.0
"""16-bit weights and gradients, 32-bit copy and two moments: 2 + 2 + 4 + 8 bytes a parameter (The Ultra-Scale Playbook)."""
ULTRASCALE_FP32_GRADIENT_BYTES = 20.0
"""The same with gradients in 32 bits beside those in 16."""
GALORE_BF16_BYTES = 8.0
"""All in 16 bits: weights 2, gradients 2, two moments 4 (arXiv 2403.03507, section 1)."""


def gpt_parameters(L: Quantity, h: Quantity, V: Quantity, s: Quantity) -> Quantity:
    """Parameters of a GPT with biases, tied embedding and learned positions (Narayanan et al., arXiv 2104.04473, equation 2).

    12·L·h²(1 + 13/(12·h) + (V + s)/(12·L·h)); the trillion-parameter row of its table 1:

    >>> round(gpt_parameters(128, 25600, 51200, 2048) / 1e9, 1)
    1008.0
    """
    return 12.0 * L * h**2 * (1.0 + 13.0 / (12.0 * h) + (V + s) / (12.0 * L * h))


def training_state_bytes(P: Quantity, bytes_per_parameter: Quantity = ULTRASCALE_BYTES) -> Quantity:
    """Weights, gradients and optimizer of P parameters, bytes (The Ultra-Scale Playbook; GaLore's 7B is 14 + 14 + 28 GB).

    >>> training_state_bytes(70e9) / 1e9, training_state_bytes(70e9, ULTRASCALE_FP32_GRADIENT_BYTES) / 1e9
    (1120.0, 1400.0)
    >>> training_state_bytes(7e9, GALORE_BF16_BYTES) / 1e9
    56.0
    """
    return P * bytes_per_parameter
