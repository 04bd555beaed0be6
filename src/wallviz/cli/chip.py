"""The accelerator that a command is asked about: a name of the catalogue, or the record of a measured machine."""

from __future__ import annotations

from pathlib import Path

import wallviz
from wallviz.engine.hardware import Accelerator


def chip(name: str) -> Accelerator:
    """The accelerator called `name`, or the machine whose record the file ``NAME.json`` holds.

    >>> chip("H100").id
    'h100-sxm5'
    """
    if name.casefold().endswith(".json"):
        from wallviz.cli.probe import read_record

        return wallviz.chip(read_record(Path(name)))
    return wallviz.chip(name)
