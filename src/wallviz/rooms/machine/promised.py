"""What the maker promises of a memory, as the page offers it and as it says it."""

from __future__ import annotations

from wallviz import catalog, units
from wallviz.i18n import _
from wallviz.machine.promised import MODULES

EXAMPLES = ("1 x DDR4-3200", "2 x DDR4-3200", "1 x DDR5-5600", "2 x DDR5-5600", "2 x DDR5-6400", "12 x DDR5-6000")


def options() -> dict[str, str]:
    """What may be chosen: modules, then every chip whose bandwidth is known."""
    return (
        {"": _("not stated")} | {text: text for text in EXAMPLES} | {id: chip.name for id, chip in catalog.chips().items() if chip.memory_bytes_per_s}
    )


def said(text: str, rate: float) -> str:
    """How the promised rate comes about, in words."""
    shown = units.si(rate, "B/s")
    if modules := MODULES.fullmatch(text.strip()):
        return _("promised: {n} channels × {transfers} MT/s × 8 bytes = {rate}").format(n=modules[1], transfers=modules[2], rate=shown)
    if text in catalog.chips():
        return _("promised: the data sheet of {chip} says {rate}").format(chip=catalog.chips()[text].name, rate=shown)
    return _("promised: {rate}, as you typed it").format(rate=shown)
