"""How sure: reserved memory and the error band, and what the reader's own run reported."""

from __future__ import annotations

import numpy as np

from wallviz import units
from wallviz.engine.memory.peak import Training
from wallviz.engine.memory.serve import Serving
from wallviz.i18n import N_, _, labelled
from wallviz.rooms.footprint.choices import View
from wallviz.rooms.footprint.formula import pair
from wallviz.rooms.footprint.need import Estimate

MIB = 2**20

VERDICT_REASONS = {
    "no": N_("Even {high}, the upper end of the error band, fits {holds}: it will not run out of memory."),
    "likely": N_("{holds} lies within the error band, {low} to {high}: it is likely to run out of memory, now or after some steps."),
    "yes": N_("Even {low}, the lower end of the error band, is more than {holds}: it will run out of memory."),
}


def how_sure(now: Estimate) -> str:
    """Will it run out of memory, as Markdown: allocated, reserved, on the device, the band and where it comes from."""
    lines = []
    if now.capacity_bytes is not None:
        low, high = now.total_bytes * (1 - now.band), now.total_bytes * (1 + now.band)
        lines.append(_(VERDICT_REASONS[now.verdict]).format(low=units.binary(low), high=units.binary(high), holds=pair(now.capacity_bytes)))
        lines += ["", _("The vendor's GB are read as 10⁹ bytes: a floor, many devices hold a few percent more."), ""]
    band = round(now.band * 100)
    if isinstance(now.result, Training):
        lines += [
            f"- {labelled('`max_memory_allocated`', pair(float(now.result.peak_allocated_bytes)))}",
            f"- {labelled('`max_memory_reserved`', pair(float(now.result.peak_reserved_bytes)))}",
            f"- {labelled('`nvidia-smi`', pair(now.total_bytes))}",
            "",
            _("±{band}%: what the measured runs with such layers stay within. Reserved memory runs out: about 6% more than is in use.").format(
                band=band
            ),
        ]
    else:
        lines += [
            f"- {labelled('`nvidia-smi`', pair(now.total_bytes))}",
            "",
            _("±{band}%: weights and KV cache are exact, the forward pass and the runtime are estimates.").format(band=band),
            *(f"- {_(note)}" for note in now.result.notes),
        ]
    return "\n".join(lines)


def predicted_bytes(now: Estimate, meter: str) -> float:
    """What `meter` should read."""
    if isinstance(now.result, Serving):
        context = float(np.max(now.result.overheads["context"]))
        return now.total_bytes if meter == "device" else now.total_bytes - context
    return {
        "allocated": float(now.result.peak_allocated_bytes),
        "reserved": float(now.result.peak_reserved_bytes),
        "device": now.total_bytes,
    }[meter]


def miss(now: Estimate, view: View) -> str:
    """How far the prediction is from what the reader's run reported, as a sentence; empty where nothing was typed."""
    if view.reported is None:
        return ""
    predicted, reported = predicted_bytes(now, view.meter), float(view.reported * MIB)
    off = predicted / reported - 1.0
    template = (
        _("Predicted {predicted}, reported {reported}: off by {off}%, within the error band of ±{band}%.")
        if abs(off) <= now.band
        else _("Predicted {predicted}, reported {reported}: off by {off}%, outside the error band of ±{band}%. Compare kernels, loss and offload.")
    )
    return template.format(
        predicted=units.binary(predicted), reported=units.binary(reported), off=f"{off * 100:+.1f}".replace("-", "−"), band=round(now.band * 100)
    )
