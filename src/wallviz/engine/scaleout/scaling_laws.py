"""The simple scaling rules that models are designed by, and what each costs: bytes to hold, bytes to move, FLOP to train and to serve.

N parameters, D training tokens, C FLOP of training. None of the rules knows of memory: it follows from the N that they choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from wallviz.engine.memory.terms import Quantity

#: Hoffmann et al. 2022 (arXiv 2203.15556), equation 10: L = E + A/N^alpha + B/D^beta.
E, A, B, ALPHA, BETA = 1.69, 406.4, 410.7, 0.34, 0.28
#: Their rule of thumb (table 3): about 20 tokens per parameter.
TOKENS_PER_PARAMETER = 20.0
#: Kaplan et al. 2020 (arXiv 2001.08361), table 6: N = 1.3e9 C^0.73 with C in PF-days; loss (8.8e13/N)^0.076 and (5.4e13/D)^0.095;
#: critical batch 2.1e8 tokens / L^(1/0.21).
KAPLAN_N, KAPLAN_POWER = 1.3e9, 0.73
KAPLAN_NC, KAPLAN_ALPHA_N, KAPLAN_DC, KAPLAN_ALPHA_D = 8.8e13, 0.076, 5.4e13, 0.095
KAPLAN_BATCH, KAPLAN_ALPHA_B = 2.1e8, 0.21
PF_DAY = 1e15 * 86_400.0


def training_flop(N: Quantity, D: Quantity) -> Quantity:
    """C = 6 N D: 2 FLOP per parameter and token forward, 4 backward (arXiv 2001.08361, section 2.1). GPT-3: 3.15e23.

    >>> training_flop(175e9, 300e9)
    3.15e+23
    """
    return 6.0 * N * D


def kaplan(C: Quantity) -> tuple[Quantity, Quantity]:
    """N and D of Kaplan et al.: most of a larger budget goes into a larger model, N ~ C^0.73; D is what 6ND leaves.

    >>> N, D = kaplan(3.15e23)
    >>> round(N / 1e9), round(D / 1e9)
    (518, 101)
    """
    N = KAPLAN_N * (C / PF_DAY) ** KAPLAN_POWER
    return N, C / (6.0 * N)


def chinchilla(C: Quantity) -> tuple[Quantity, Quantity]:
    """N and D of 20 tokens per parameter: N = sqrt(C/120).

    >>> N, D = chinchilla(5.76e23)
    >>> round(N / 1e9), round(float(D) / 1e12, 2)
    (69, 1.39)
    """
    N = np.sqrt(C / (6.0 * TOKENS_PER_PARAMETER))
    return cast("Quantity", N), cast("Quantity", TOKENS_PER_PARAMETER * N)


def chinchilla_parametric(C: Quantity) -> tuple[Quantity, Quantity]:
    """N and D of the fitted loss: N = G (C/6)^a, D = (C/6)^b / G, a = beta/(alpha+beta), G = (alpha A/(beta B))^(1/(alpha+beta)) (equation 4).

    With the printed coefficients a Gopher budget wants 32 billion parameters, less than half of the rule of thumb: the printed ones are rounded
    (Besiroglu et al. 2024, arXiv 2404.10102).

    >>> N, D = chinchilla_parametric(5.76e23)
    >>> round(N / 1e9), round(D / 1e12, 1)
    (32, 3.0)
    """
    G = (ALPHA * A / (BETA * B)) ** (1.0 / (ALPHA + BETA))
    half = C / 6.0
    return G * half ** (BETA / (ALPHA + BETA)), half ** (ALPHA / (ALPHA + BETA)) / G


def loss(N: Quantity, D: Quantity) -> Quantity:
    """Loss per token that Hoffmann et al. fitted, nats.

    >>> round(loss(70e9, 1.4e12), 2)
    1.94
    """
    return E + A / N**ALPHA + B / D**BETA


def kaplan_loss_of_size(N: Quantity) -> Quantity:
    """Loss of N parameters trained on endless text (equation 1.1): (8.8e13/N)^0.076."""
    return (KAPLAN_NC / N) ** KAPLAN_ALPHA_N


def kaplan_critical_batch(L: Quantity) -> Quantity:
    """Tokens of the batch at which a step is half as useful as in small batches, at loss L: 2.1e8/L^(1/0.21) (equation 1.4).

    >>> round(kaplan_critical_batch(3.0) / 1e6, 1)
    1.1
    """
    return KAPLAN_BATCH / L ** (1.0 / KAPLAN_ALPHA_B)


def tokens_for_loss(N: Quantity, L: Quantity) -> Quantity:
    """Tokens that N parameters need for loss L; infinity where they never reach it.

    >>> round(float(tokens_for_loss(70e9, loss(70e9, 1.4e12))) / 1e12, 2)
    1.4
    """
    rest = np.asarray(L - E - A / N**ALPHA, float)
    return cast("Quantity", np.where(rest > 0, (B / np.where(rest > 0, rest, 1.0)) ** (1.0 / BETA), np.inf)[()])


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model of N parameters, trained on D tokens, costs."""

    parameters: Quantity
    tokens: Quantity
    training_flop: Quantity
    loss: Quantity
    weights_bytes: Quantity
    """In 16 bits: what a chip reads for every token that it writes alone."""
    states_bytes: Quantity
    """16 bytes a parameter while it trains, activations left out."""
    text_bytes: Quantity
    """Token ids of 4 bytes, read once."""
    wire_bytes: Quantity
    """Gradients that each GPU of data parallelism sends over the whole run: 4 bytes a parameter and step."""
    steps: Quantity
    serving_flop_per_token: Quantity


def cost(N: Quantity, D: Quantity, batch_tokens: Quantity = 4e6) -> Cost:
    """Bytes and FLOP of one choice of N and D, in steps of `batch_tokens`."""
    steps = D / batch_tokens
    return Cost(N, D, training_flop(N, D), loss(N, D), 2.0 * N, 16.0 * N, 4.0 * D, 4.0 * N * steps, steps, 2.0 * N)


def lifetime_flop(N: Quantity, D: Quantity, served_tokens: Quantity) -> Quantity:
    """FLOP of training and serving together: 6 N D + 2 N per token served (Sardana et al. 2024, arXiv 2401.00448, equation 2)."""
    return training_flop(N, D) + 2.0 * N * served_tokens


def pays_after_tokens(N_small: Quantity, N_large: Quantity, L: Quantity) -> Quantity:
    """Tokens served after which the smaller of two models of loss L has cost less: its longer training over what each token saves.

    Half the size of the best model for 1e23 FLOP, trained until it is as good: it pays after about as many tokens as it was trained on.

    >>> N, D = chinchilla_parametric(1e23)
    >>> 0.2 < float(pays_after_tokens(N / 2, N, loss(N, D)) / D) < 5
    True
    """
    extra = training_flop(N_small, tokens_for_loss(N_small, L)) - training_flop(N_large, tokens_for_loss(N_large, L))
    return extra / (2.0 * (N_large - N_small))
