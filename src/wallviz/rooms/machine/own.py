"""The measured machine in the links to the other rooms."""

from __future__ import annotations

from wallviz import catalog
from wallviz.errors import InputError
from wallviz.machine.as_chip import own_machine
from wallviz.machine.record import Record

#: The rooms that show the machine, and what their addresses say to show it beside others.
ROOMS: dict[str, dict[str, str]] = {
    "roofline": {"others": "h100-sxm5"}, "hierarchy": {}, "footprint": {}, "growth": {"data": "today"}, "chips": {},
}  # fmt: skip


def chip_id(record: Record | None, chosen: str = "") -> str:
    """The machine of `record` as the chip of a link; empty where it has no bandwidth."""
    if record is None:
        return ""
    try:
        return own_machine(record, catalog.chips(), chosen).id
    except InputError:
        return ""
