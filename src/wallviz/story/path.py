"""The path of the story: its steps, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wallviz.story import Step, chips, demand, levels, one_token, remedies, roof, shelf, training, wall

STEPS: Mapping[str, Step] = MappingProxyType(
    {module.STEP.id: module.STEP for module in (one_token, demand, shelf, training, levels, roof, chips, remedies, wall)}
)
"""Every step by its id."""
