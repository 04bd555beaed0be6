"""Why and how sure: the sum in words, reserved memory and the error band, and what the reader's own run reported."""

from __future__ import annotations

import numpy as np

from wallviz import units
from wallviz.engine.memory.peak import Training
from wallviz.engine.memory.serve import Serving
from wallviz.figures.footprint import both, part_name
from wallviz.i18n import N_, _, followed, labelled
from wallviz.rooms.footprint.choices import View
from wallviz.rooms.footprint.estimate import Estimate

MIB = 2**20
VERDICT_REASONS = {
    "no": N_("Even {high}, the upper end of the error band, fits {holds}: it will not run out of memory."),
    "likely": N_("{holds} lies within the error band, {low} to {high}: it is likely to run out of memory, now or after some steps."),
    "yes": N_("Even {low}, the lower end of the error band, is more than {holds}: it will run out of memory."),
}


def why(now: Estimate) -> str:
    """What adds up to the takeaway, as Markdown: parts in order, each in both units."""
    if isinstance(now.result, Training):
        moment = {
            "loss_backward": _("The peak is the moment at which the loss starts its backward pass: every activation is alive."),
            "end_of_backward": _("The peak is the end of the backward pass: every gradient is alive, most activations are gone."),
            "optimizer_step": _("The peak is the optimizer's step: activations are gone, every gradient and state is alive."),
        }[str(now.result.peak_phase)]
        first = followed(_("A training step needs its largest moment, not the sum of everything that ever lives."), moment)
    else:
        first = _("Serving keeps the weights, the KV cache of every sequence, and what one forward pass needs; the runtime comes on top.")
    lines = [first, ""]
    lines += [f"- {labelled(f'**{part_name(part)}**', _pair(size))}" for part, size in now.parts.items() if size]
    lines += ["- " + labelled(f"**{_('in all')}**", _pair(now.total_bytes))]
    return "\n".join(lines)


def how_sure(now: Estimate) -> str:
    """Will it run out of memory, as Markdown: allocated, reserved, on the device, the band and where it comes from."""
    lines = []
    if now.capacity_bytes is not None:
        low, high = now.total_bytes * (1 - now.band), now.total_bytes * (1 + now.band)
        lines.append(_(VERDICT_REASONS[now.verdict]).format(low=units.binary(low), high=units.binary(high), holds=_pair(now.capacity_bytes)))
        lines += ["", _("The vendor's GB are read as 10⁹ bytes: a floor, many devices hold a few percent more."), ""]
    band = round(now.band * 100)
    if isinstance(now.result, Training):
        lines += [
            f"- {labelled('`max_memory_allocated`', _pair(float(now.result.peak_allocated_bytes)))}",
            f"- {labelled('`max_memory_reserved`', _pair(float(now.result.peak_reserved_bytes)))}",
            f"- {labelled('`nvidia-smi`', _pair(now.total_bytes))}",
            "",
            _("±{band} %: what the measured runs with such layers stay within. Reserved memory runs out: about 6 % more than is in use.").format(
                band=band
            ),
        ]
    else:
        lines += [
            f"- {labelled('`nvidia-smi`', _pair(now.total_bytes))}",
            "",
            _("±{band} %: weights and KV cache are exact, the forward pass and the runtime are estimates.").format(band=band),
            *(f"- {_(note)}" for note in now.result.notes),
        ]
    return "\n".join(lines)


def _pair(value: float) -> str:
    return " = ".join(both(value))


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
        _("Predicted {predicted}, reported {reported}: off by {off} %, within the error band of ±{band} %.")
        if abs(off) <= now.band
        else _("Predicted {predicted}, reported {reported}: off by {off} %, outside the error band of ±{band} %. Compare kernels, loss and offload.")
    )
    return template.format(
        predicted=units.binary(predicted), reported=units.binary(reported), off=f"{off * 100:+.1f}".replace("-", "−"), band=round(now.band * 100)
    )
