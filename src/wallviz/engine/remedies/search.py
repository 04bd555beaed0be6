"""What finding good settings costs, in full training runs: every trial to its end, or successive halving. A model of ours.

n trials start; of each round the best 1/η go on with η times the budget (Jamieson and Talwalkar, arXiv 1502.07943; Hyperband, 1603.06560).
"""

from __future__ import annotations

import numpy as np

from wallviz.engine.memory.terms import Quantity, plain


def rounds(n: Quantity, eta: Quantity = 3.0) -> Quantity:
    """Halvings until one of n trials is left: log_η n, a whole number where n is a power of η.

    >>> round(rounds(81), 6), rounds(1)
    (4.0, 0.0)
    """
    return plain(np.log(np.asarray(n, float)) / np.log(np.asarray(eta, float)))


def halving_runs(n: Quantity, eta: Quantity = 3.0) -> Quantity:
    """Full runs' worth of work of successive halving: n·r·(1 + log_η n) = 1 + log_η n, the smallest budget r being 1/n of a full run.

    Each round runs a share of 1/η of the trials at η times the budget, so all cost the same, n·r, and there is one more round than halvings.
    81 trials cost 5 full runs instead of 81:

    >>> round(halving_runs(81), 6), halving_runs(1)
    (5.0, 1.0)
    """
    return plain(1.0 + np.asarray(rounds(n, eta)))


def saved_share(n: Quantity, eta: Quantity = 3.0) -> Quantity:
    """The share of a full search's work, and of the bytes that it moves, which halving saves.

    >>> round(saved_share(81), 3)
    0.938
    """
    return plain(1.0 - np.asarray(halving_runs(n, eta)) / np.asarray(n, float))
