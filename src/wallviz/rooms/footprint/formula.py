"""Why a job takes so much memory: the sum in words."""

from __future__ import annotations

from wallviz.engine.memory.peak import Training
from wallviz.i18n import _, followed, labelled
from wallviz.rooms.footprint.need import Estimate
from wallviz.rooms.footprint.parts import both, part_name


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
    lines += [f"- {labelled(f'**{part_name(part)}**', pair(size))}" for part, size in now.parts.items() if size]
    lines += ["- " + labelled(f"**{_('in all')}**", pair(now.total_bytes))]
    return "\n".join(lines)


def pair(value: float) -> str:
    """Bytes in both units, as one text."""
    return " = ".join(both(value))
