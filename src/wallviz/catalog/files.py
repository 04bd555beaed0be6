"""Where ``data/`` lies, and its files as rows of text: the one place that opens them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

from wallviz.errors import DataError, InputError
from wallviz.i18n import N_


def locate() -> Path:
    """``data/`` inside an installed package, else of the checkout."""
    installed = Path(__file__).parents[1] / "_app" / "data"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "data"


DATA = locate()


def read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and cells of the header and each row of one table."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        return [(reader.line_num, cells) for cells in reader]


class Index(NamedTuple):
    """``sources.yml`` as it stands."""

    sources: list[dict[str, Any]]
    tables: dict[str, dict[str, Any]]


def load_index(directory: Path) -> Index:
    """Reads ``sources.yml`` of `directory`; raises DataError where it is missing or no such index."""
    import yaml  # here, because most of what reads the tables needs no source

    try:
        with (directory / "sources.yml").open(encoding="utf-8") as file:
            index = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise DataError(N_("{file} is missing: restore it from the repository"), file="data/sources.yml") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DataError(
            N_("{file}:{line}: this is not valid YAML: correct the line"), file="data/sources.yml", line=mark.line + 1 if mark else "?"
        ) from None
    if not isinstance(index, dict) or not isinstance(index.get("sources"), list) or not isinstance(index.get("tables"), dict):
        raise DataError(N_("{file} must hold a list `sources` and a mapping `tables`: see data/README.md"), file="data/sources.yml")
    return Index(index["sources"], index["tables"])


CONFIGS = "configs"
"""Folder of `DATA` with one ``config.json`` per preset."""
CONFIG_BYTES = 4_000_000
"""More than any text that `wallviz.engine.transformer` reads."""


def read_config(path: Path | str) -> str:
    """The text of a ``config.json`` anywhere, as somebody names it; raises InputError where there is none to read."""
    try:
        with Path(path).expanduser().open("rb") as file:
            found = file.read(CONFIG_BYTES + 1)
    except FileNotFoundError:
        raise InputError(N_("there is no file {path}: name a preset or the path of a config.json"), path=path) from None
    except IsADirectoryError:
        raise InputError(N_("{path} is a folder: name the config.json in it"), path=path) from None
    except (OSError, ValueError) as error:
        raise InputError(
            N_("{path} cannot be read ({problem}): check the path"), path=path, problem=getattr(error, "strerror", None) or error
        ) from None
    if len(found) > CONFIG_BYTES:
        raise InputError(N_("{path} is larger than any config.json: name the config.json, not the weights"), path=path)
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(N_("{path} is not UTF-8 text: name a config.json"), path=path) from None
