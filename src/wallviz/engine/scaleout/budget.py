"""What training on so many tokens takes: days, energy, money."""

from __future__ import annotations

from dataclasses import dataclass

from wallviz import checks
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.terms import Quantity
from wallviz.errors import InputError
from wallviz.i18n import N_

HOUR_S = 3600.0
#: Power usage effectiveness of an average data centre; the reader types another.
PUE = 1.2
MOST_PUE, MOST_PRICE = 1e3, 1e12
"""Beyond these, and beyond `checks.MOST` tokens, a number is a typing error."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The bill of a run over a number of tokens; None where something is not known."""

    tokens: float
    seconds: Quantity
    chip_hours: Quantity
    energy_j: Quantity | None
    """Every chip at its design power times PUE: an upper bound for the chips, without hosts and network."""
    cost: Quantity | None
    """Chip hours times the reader's price."""


def budget(
    tokens: float, tokens_per_s: Quantity, gpus: Quantity, *, tdp_w: float | None = None, pue: float = PUE, price_per_hour: float | None = None
) -> Budget:
    """Time, energy and cost of `tokens` at `tokens_per_s` on `gpus`.

    >>> found = budget(15e12, 1e7, 1024, tdp_w=700.0, pue=1.0, price_per_hour=2.0)
    >>> round(found.seconds / 86400, 1), round(found.energy_j / 3.6e12, 2), round(found.cost / 1e6, 2)
    (17.4, 0.3, 0.85)

    Energy is in joules: 3.6e12 J are one GWh.
    """
    checks.above_zero("tokens", tokens)
    checks.above_zero("pue", pue, 1.0, MOST_PUE)
    if price_per_hour is not None and not checks.is_number(price_per_hour, 0.0, 0.0):  # one's own machines may cost nothing
        checks.above_zero("price_per_hour", price_per_hour, 1e-12, MOST_PRICE)
    seconds = tokens / tokens_per_s
    hours = seconds * gpus / HOUR_S
    energy = None if tdp_w is None else tdp_w * gpus * seconds * pue
    return Budget(tokens, seconds, hours, energy, None if price_per_hour is None else hours * price_per_hour)


def bill(chip: Accelerator, tokens_per_s: float, gpus: int, tokens: float | None, price_per_hour: float | None, pue: float) -> Budget | None:
    """The bill of a run over `tokens`; a price without tokens is a question without its half."""
    if tokens is None:
        if price_per_hour is not None:
            raise InputError(N_("a price needs the tokens of the run: give tokens, such as 15e12"))
        return None
    return budget(tokens, tokens_per_s, float(gpus), tdp_w=chip.tdp_w, pue=pue, price_per_hour=price_per_hour)
