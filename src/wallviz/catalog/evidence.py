"""What each remedy saves and what it costs, as published: one number before and one after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from wallviz.catalog.read import rows, typed


@dataclass(frozen=True, slots=True)
class Evidence:
    """One published trade-off of one remedy: a metric without it and with it."""

    id: str
    """Unique slug, ``remedy/number``."""
    remedy: str
    """Slug of the remedy: ``zero-3``, ``flash-attention``, ``weight-quantization``."""
    metric: str
    """What was counted: memory, perplexity, decode speed ..."""
    baseline: float | None
    """Without the remedy, in `unit`; None where it is not stated or a formula (`baseline_formula`)."""
    value: float | None
    """With it, in `unit`; the low end where the origin gives a range."""
    value_max: float | None
    """The high end of a range."""
    unit: str
    """A base unit, perplexity or score; empty where both are formulas."""
    printed_unit: str = ""
    """The unit as its origin prints it."""
    baseline_formula: str = ""
    """Where the origin gives an order or a formula instead of a number."""
    value_formula: str = ""
    """The same of the value."""
    setting: str = ""
    """Model, device and variant it holds for."""
    inputs: Mapping[str, Any] | None = None
    """Parts of the setting by name, in base units: ``format``, ``weights_bytes``, ``bits_per_weight``."""
    preset: str = ""
    """Id of the model among the presets; empty where it is none of them."""
    confidence: str = ""
    """high, or low: not read again at its origin."""
    where: str = ""
    """Table, section or file within the source."""
    source: str = ""
    """Source ids, separated by ``;``."""


@cache
def evidence() -> Mapping[str, Evidence]:
    """Published trade-offs by id, remedies together."""
    return MappingProxyType({row["id"]: Evidence(**typed("remedies", row)) for row in rows("remedies")})
