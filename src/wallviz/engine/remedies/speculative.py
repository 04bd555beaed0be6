"""Speculative decoding: a small model drafts g tokens, the large one checks them all in one pass (Leviathan et al., arXiv 2211.17192).

a is the acceptance rate, g the length of a draft, c the time of one draft token over that of one pass of the large model. The output is the
large model's own, so no quality is lost; the large model's weights are read once for several tokens instead of once a token.
"""

from __future__ import annotations

import numpy as np

from wallviz.engine.memory.terms import Quantity, plain


def expected_tokens(a: Quantity, g: Quantity) -> Quantity:
    """Tokens that one pass of the large model yields: (1 - a^(g+1))/(1 - a), and g + 1 where every draft is accepted (equation 1).

    >>> round(expected_tokens(0.72, 4), 2), expected_tokens(1.0, 4), expected_tokens(0.0, 4)
    (2.88, 5.0, 1.0)
    """
    a, g = np.asarray(a, float), np.asarray(g, float)
    sure = a >= 1.0
    return plain(np.where(sure, g + 1.0, (1.0 - a ** (g + 1.0)) / np.where(sure, 1.0, 1.0 - a)))


def speedup(a: Quantity, g: Quantity, c: Quantity, verify: Quantity = 1.0) -> Quantity:
    """Tokens per second over those without drafts: expected tokens/(g·c + verify) (theorem 3.8, where checking takes one pass: `verify` 1).

    `verify` is the time of a pass over g + 1 tokens over that of one: 1 while memory bounds it, more for large batches, where drafts stop paying.
    gpt-fast drafts for Llama-2-70B (25.25 tokens/s alone, 4 bits) with the 7B (196.8 tokens/s): at a = 0.72, g = 4 the model gives

    >>> round(25.25 * speedup(0.72, 4, 25.25 / 196.8), 1)
    48.1

    and the authors measured 48.4.
    """
    return plain(np.asarray(expected_tokens(a, g)) / (np.asarray(g, float) * c + verify))


def best_draft(a: float, c: float, longest: int = 16) -> int:
    """The draft length up to `longest` with the highest `speedup`; 0 where drafting never pays.

    >>> best_draft(0.72, 0.128), best_draft(0.3, 0.5)
    (4, 0)
    """
    lengths = np.arange(longest + 1, dtype=float)
    return int(np.argmax(speedup(a, lengths, c)))
