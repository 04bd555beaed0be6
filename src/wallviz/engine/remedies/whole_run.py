"""Bytes that a whole training run moves between chip and memory: steps times bytes per step.

B tokens a step, C the critical batch (McCandlish et al., arXiv 1812.06162), D the tokens that a run of small batches needs, P parameters.
"""

from __future__ import annotations

from wallviz.engine.memory.terms import Quantity

#: Bytes that AdamW moves for each parameter in a step, mixed precision: the gradient read (2), master copy and both moments read and written (24),
#: the weight written (2).
ADAM_BYTES = 28.0
#: Weights read forward and backward, gradients written: 3 times 2 bytes, each micro-batch.
PASS_BYTES = 6.0


def tokens(B: Quantity, C: Quantity, D: Quantity) -> Quantity:
    """Tokens until the same loss: D·(1 + B/C) (arXiv 1812.06162, equation 2.11): at the critical batch twice as many in twice the fewest steps.

    >>> tokens(4e6, 4e6, 1e12) / 1e12
    2.0
    """
    return D * (1.0 + B / C)


def steps(B: Quantity, C: Quantity, D: Quantity) -> Quantity:
    """Steps until then: D/B·(1 + B/C) = D/C·(1 + C/B).

    >>> steps(4e6, 4e6, 1e12)
    500000.0
    """
    return tokens(B, C, D) / B


def moved_bytes(
    B: Quantity,
    C: Quantity,
    D: Quantity,
    P: Quantity,
    token_bytes: Quantity,
    *,
    micro_batches: Quantity = 1.0,
) -> Quantity:
    """Bytes of the whole run: steps times what each moves whatever its batch, and tokens times what each moves (`token_bytes`: activations).

    A step reads the weights twice and writes the gradients once a micro-batch (`PASS_BYTES`), and updates the states (`ADAM_BYTES`). Larger
    batches spread that over more tokens, but past the critical batch the tokens grow as fast: the least is at B² = C·fixed/token_bytes.

    >>> one, four = (moved_bytes(B, 4e6, 1e12, 8e9, 1e6) for B in (1e5, 4e5))
    >>> bool(four < one)
    True
    """
    fixed = P * (PASS_BYTES * micro_batches + ADAM_BYTES)
    return steps(B, C, D) * fixed + tokens(B, C, D) * token_bytes
