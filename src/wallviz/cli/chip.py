"""The accelerator that a command is asked about: a name of the catalogue, or the record of a measured machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import wallviz
from wallviz.engine.hardware import Accelerator

if TYPE_CHECKING:
    from wallviz.machine.record import Record


def chip(name: str) -> Accelerator:
    """The accelerator called `name`, or the machine whose record the file ``NAME.json`` holds.

    >>> chip("H100").id
    'h100-sxm5'
    """
    return wallviz.chip(named(name))


def named(name: str) -> str | Record:
    """A name as it is, of a file ``NAME.json`` the record in it."""
    if not name.casefold().endswith(".json"):
        return name
    from wallviz.cli.probe import read_record

    return read_record(Path(name))
