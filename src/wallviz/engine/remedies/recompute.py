"""What making activations again costs in work: a share of the step's FLOP, for a step of any model.

The backward pass does twice the arithmetic of the forward pass, so a step is 3 forward passes (arXiv 2104.04473, appendix).
"""

from __future__ import annotations

from wallviz.engine.memory.terms import Quantity


def full_factor(head_share: Quantity = 0.0) -> Quantity:
    """FLOP of a step whose layers are all computed twice, over one without: 4/3, less what the output head, never recomputed, takes of it.

    (4·(1 - head) + 3·head)/3; Narayanan et al. (arXiv 2104.04473, equation 3) count 96·B·s·L·h² for the 72 of a step that keeps everything.

    >>> round(full_factor(), 3), 96 / 72 == full_factor()
    (1.333, True)
    """
    return (4.0 - head_share) / 3.0


def selective_factor(core_share: Quantity) -> Quantity:
    """FLOP of a step that recomputes the attention core alone, over one that keeps it: 1 + core/3, one more forward pass of it.

    `core_share` is what scores and values take of the forward pass, s/(6h)/(1 + s/(6h)) in a GPT: 2.7 % in GPT-3. The paper prints the whole
    of that as the extra work (arXiv 2205.05198, section 5; `memory.korthikanti.selective_overhead`); counting one forward pass of the
    core among the three that a step is gives a third.

    >>> core = 2048 / (6 * 12288) / (1 + 2048 / (6 * 12288))
    >>> round(core, 3), round(selective_factor(core) - 1, 3)
    (0.027, 0.009)
    """
    return 1.0 + core_share / 3.0
