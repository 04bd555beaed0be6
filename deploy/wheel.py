"""Build hook: a wheel carries the dashboard under wallviz/_app/; an editable install runs it from the checkout."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DASHBOARD = ("app.py", "pages", "data", ".streamlit/config.toml")


class Dashboard(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        missing = [name for name in DASHBOARD if not (root / name).exists()]
        if missing:
            raise FileNotFoundError(f"a wheel needs the dashboard, and {', '.join(missing)} is not in {root}; build from a whole checkout")
        build_data["force_include"].update({str(root / name): f"wallviz/_app/{name}" for name in DASHBOARD})
