"""What one GPU holds at each moment of a training step, or as the context of a served model grows."""

from __future__ import annotations

from wallviz.engine.memory.peak import Training
from wallviz.figures.style import Drawing
from wallviz.i18n import N_, _
from wallviz.rooms.footprint.need import Estimate
from wallviz.rooms.footprint.parts import MemoryBar, Rows, holds, stacked

PHASE_NAMES = {
    "loss_backward": N_("Backward pass, at its start"),
    "end_of_backward": N_("Backward pass, at its end"),
    "optimizer_step": N_("Optimizer step"),
}


def drawn(now: Estimate) -> tuple[Drawing, Rows]:
    """The bars of the moments, and the rows of their table."""
    if isinstance(now.result, Training):
        peak = now.result.peak_phase
        rows = [MemoryBar(_(PHASE_NAMES[phase]), held, _("the peak") if phase == peak else "") for phase, held in now.phases.items()]
    else:
        rows = [MemoryBar(_("{n} tokens").format(n=f"{n:,}"), held) for n, held in now.at_contexts().items()]
    return stacked(rows, name=_("GiB per GPU at each moment"), capacity=holds(now), revision=f"timeline-{now.case.job}")
