"""Why a job takes so much memory: the sum in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wallviz import units
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
    if held := states(now):
        each = " + ".join(f"{size / now.arch.parameters:.3g} ({_(name)})" for name, size in held.items())
        text = _("Before activations a parameter takes {each} = {all} bytes on this GPU; in all it is {times} the weights.")
        whole = {"all": f"{sum(held.values()) / now.arch.parameters:.3g}", "times": units.times(now.total_bytes / held[WEIGHTS])}
        lines += ["", text.format(each=each, **whole)]
    return "\n".join(lines)


WEIGHTS = "weights"
STATES = ("weights", "gradients", "optimizer")
"""Parts that a training step holds whatever is fed to it."""


def states(now: Estimate) -> Mapping[str, float]:
    """Bytes of the states of one GPU by the names of their terms, when the optimizer's step begins and all are alive; empty where the whole model
    is not trained, or its weights are not there."""
    if not isinstance(now.result, Training) or now.case.job != "train":
        return {}
    found: dict[str, float] = {}
    for term in now.result.alive["optimizer_step"]:
        if term.part in STATES:
            found[term.name] = found.get(term.name, 0.0) + float(np.max(term.bytes))
    return found if WEIGHTS in found else {}


def pair(value: float) -> str:
    """Bytes in both units, as one text."""
    return " = ".join(both(value))
