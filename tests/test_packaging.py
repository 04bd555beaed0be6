"""What is handed on is whole: the wheel, its dashboard, the configuration, the version."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from wallviz.__about__ import __version__

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not built.returncode, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def listed(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def shipped(folder: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_wheel_holds_the_dashboard(listed: set[str]) -> None:
    """A wheel holds app.py, its configuration, every page and every data file under wallviz/_app."""
    expected = {"app.py", ".streamlit/config.toml"} | shipped("pages") | shipped("data")
    assert {f"wallviz/_app/{name}" for name in expected} <= listed


def test_wheel_holds_the_package(listed: set[str]) -> None:
    """A wheel holds every module, every text and every script of the package, and py.typed."""
    assert {name.removeprefix("src/") for name in shipped("src/wallviz")} <= listed


def test_wheel_holds_nothing_else(listed: set[str]) -> None:
    """A wheel holds no test, no bytecode and nothing outside wallviz but its own metadata."""
    assert not [name for name in listed if not name.startswith(("wallviz/", f"wallviz-{__version__}.dist-info/"))]
    assert not [name for name in listed if name.endswith(".pyc") or "/tests/" in name]


def test_version_is_told_once(listed: set[str]) -> None:
    """The wheel and the citation carry the version of wallviz.__about__."""
    assert f"wallviz-{__version__}.dist-info/METADATA" in listed
    assert re.search(rf'^version: "?{re.escape(__version__)}"?$', (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)


def options(table: dict[str, object], prefix: str = "") -> list[str]:
    return [key for name, value in table.items() for key in (options(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name])]


def test_streamlit_knows_every_option() -> None:
    """Every key of .streamlit/config.toml is an option of the Streamlit that is installed."""
    from streamlit import config

    unknown = set(options(CONFIG)) - set(config.get_config_options(force_reparse=False))
    assert not unknown


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_grounds_are_the_ones_charts_are_drawn_for() -> None:
    """Both themes pin the grounds that the chart palette is tested on."""
    grounds = [CONFIG["theme"][theme][key] for theme in ("light", "dark") for key in ("backgroundColor", "secondaryBackgroundColor")]
    assert grounds == ["#FFFFFF", "#F0F2F6", "#171614", "#262730"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
@pytest.mark.parametrize("ink", ["primaryColor", "textColor"])
def test_text_is_legible(theme: str, ground: str, ink: str) -> None:
    """Text and accent keep 4.5 to 1 on both grounds of both themes."""
    assert contrast(CONFIG["theme"][theme][ink], CONFIG["theme"][theme][ground]) >= 4.5


def test_label_of_a_primary_button_is_legible() -> None:
    """White on the accent keeps 4.5 to 1 in the light theme and the 3 to 1 of check marks in the dark one."""
    assert contrast("#FFFFFF", CONFIG["theme"]["light"]["primaryColor"]) >= 4.5
    assert contrast("#FFFFFF", CONFIG["theme"]["dark"]["primaryColor"]) >= 3
