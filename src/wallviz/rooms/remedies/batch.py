"""The batch over a whole run: what it moves until the same loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wallviz import units
from wallviz.engine.remedies import whole_run
from wallviz.figures.axes import Axis
from wallviz.figures.axes import said as tick
from wallviz.figures.plane import Line, plane
from wallviz.i18n import _, labelled
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms import job as shared
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.steps import plain, planned

#: Tokens that a training run takes where nothing is said, a parameter (arXiv 2203.15556: about 20).
TOKENS_A_PARAMETER = 20.0


@dataclass(frozen=True, slots=True)
class WholeRuns:
    """Whole runs up to the same loss, one for each batch."""

    step_tokens: NDArray[np.float64]
    """Tokens of a step on all GPUs."""
    tokens: NDArray[np.float64]
    steps: NDArray[np.float64]
    moved_bytes: NDArray[np.float64]

    @property
    def best(self) -> int:
        """Which of them moves least."""
        return int(np.argmin(self.moved_bytes))


def whole_runs(case: Job, view: View) -> WholeRuns:
    """Whole runs of the case's model, trained, over the batch."""
    if case.job == "infer":
        case = replace(case, job="train")
    P = float(shared.architecture(case).active_parameters)
    C, D = view.critical * 1e3, TOKENS_A_PARAMETER * P
    found = planned(case, plain(view))
    tokens = found.now.tokens / found.setup.gpus
    token_bytes = max(0.0, found.now.moved_bytes - (whole_run.PASS_BYTES + whole_run.ADAM_BYTES) * P) / tokens
    B = np.geomspace(C / 1000, C * 10, 60)
    taken, steps = whole_run.tokens(B, C, D), whole_run.steps(B, C, D)
    return WholeRuns(B, np.asarray(taken), np.asarray(steps), np.asarray(whole_run.moved_bytes(B, C, D, P, token_bytes)))


def answer(case: Job, view: View) -> Answer:
    """Bytes that a whole run moves over the batch, up to the same loss."""
    runs = whole_runs(case, view)
    B, moved = runs.step_tokens, runs.moved_bytes
    sentence = _(
        "A whole run moves least, {least}, at {best} tokens a step: smaller batches reread the states, larger ones need more tokens."
    ).format(least=units.si(float(moved[runs.best]), "B"), best=units.count(float(B[runs.best])))
    text = [labelled(units.count(float(b)), units.si(float(m), "B")) for b, m in zip(B, moved, strict=True)]
    drawing = plane(
        [Line("memory", _("bytes moved"), B.tolist(), moved.tolist(), text, dash="dash")],
        across=Axis(_("Tokens a step, all GPUs (log scale)"), tick("count"), room=0.01),
        up=Axis(_("Bytes moved in a whole run = steps × bytes per step (log scale; a model of ours)"), tick("bytes")),
        revision="batch",
    )
    rows = tuple({_("tokens a step"): float(b), _("steps"): float(n), _("bytes"): float(m)} for b, n, m in zip(B, runs.steps, moved, strict=True))
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows)
