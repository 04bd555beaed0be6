"""How sure: what one source alone says of each chip, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence

from wallviz import units
from wallviz.engine.hardware import PRECISIONS, Accelerator
from wallviz.i18n import N_, _, labelled, listing
from wallviz.rooms.chips.metrics import ComparedChip

_FIGURES = {
    "memory_bytes": N_("amount of memory"),
    "memory_bytes_per_s": N_("bandwidth"),
    "l2_or_sram_bytes": N_("cache or SRAM on the chip"),
    "interconnect_bytes_per_s": N_("links one way"),
    "interconnect_bytes_per_s_bidir": N_("links both ways"),
    "tdp_w": N_("power"),
}


def single_sourced(chip: Accelerator) -> list[str]:
    """The figures of `chip` that one source alone says, in words."""
    peaks = {attribute: name for name, attribute in PRECISIONS.items() if name != "bf16"}
    return [
        _("peak {precision}").format(precision=peaks[name].upper()) if name in peaks else _(_FIGURES.get(name, name))
        for name in sorted(chip.single_source)
    ]


def how_sure(columns: Sequence[ComparedChip]) -> str:
    """What the figures are, and the remarks on each chip."""
    lines = [
        _("Every figure is a data sheet's, dense, and no chip reaches all of it: the accuracy page shows how near measured runs come."),
        _("One chip at a time; several share a model, and pay for it on the links. Prices are yours: none is shipped."),
        "",
    ]
    for column in columns:
        notes = [_(column.chip.notes)] if column.chip.notes else []
        if column.chip.single_source:
            notes.append(_("one source alone: {names}").format(names=listing(single_sourced(column.chip))))
        if column.reason:
            notes.append(column.reason)
        elif column.served and column.served.fits is False:
            template = (
                _("your case needs {bytes} and may not fit") if column.served.verdict == "likely" else _("your case needs {bytes} and does not fit")
            )
            notes.append(template.format(bytes=units.binary(column.served.bytes)))
        lines.append("- " + labelled(column.chip.name, " · ".join(notes) or _("several sources agree")))
    return "\n".join(lines)
