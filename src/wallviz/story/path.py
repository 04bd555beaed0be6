"""The nine steps in their order."""

from __future__ import annotations

from wallviz.story import Step

STEPS: dict[str, Step] = {}
