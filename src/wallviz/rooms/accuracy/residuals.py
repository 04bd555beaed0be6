"""What was decided with the residuals in sight."""

from __future__ import annotations

from collections.abc import Sequence

from wallviz.engine.memory import overheads
from wallviz.i18n import _, listing
from wallviz.rooms.accuracy.choices import RUNS
from wallviz.rooms.accuracy.labels import signed
from wallviz.validation import cases
from wallviz.validation.cases import Prediction


def chosen() -> str:
    """What a reader has to know before believing the errors: what was decided with the residuals in sight, as Markdown."""
    found = [cases.predictions()[id] for id in RUNS]
    dense = [p for p in found if "arch" not in p.case.inputs]
    routed = [p for p in found if "arch" in p.case.inputs]
    ratios = [p.case for p in cases.predictions().values() if p.case.quantity == "reserved_over_allocated"]
    return "\n".join(
        [
            _(
                "- **The measured models are cut.** The runs on B200 are of 12 layers of a 70B shape and of four layers of "
                "DeepSeek-V2, on eight GPUs."
            ),
            _(
                "- **Two terms were included after the residuals had been seen**: the dummy gradient buffers of Transformer Engine, "
                "and the buffer of the "
                "loss. Without the first, the dense errors would run from {low} to {high} instead of {from_low} to {from_high}; without the second, "
                "runs that hold the loss would be off by {loss_low} to {loss_high}."
            ).format(**_without(dense)),
            _(
                "- **The buffer term is left out for mixtures of experts**, whose grouped matrix products keep no such buffer. "
                "With it the two runs would be at {errors}; without it they are at {now}."
            ).format(
                errors=_("{a} and {b}").format(a=signed(cases.error_with_buffers(routed[0]), 1), b=signed(cases.error_with_buffers(routed[1]), 1)),
                now=_("{a} and {b}").format(a=signed(routed[0].error or 0.0, 1), b=signed(routed[1].error or 0.0, 1)),
            ),
            _(
                "- **Recomputing every layer, two moments compete** at the end of the backward pass: that of the embedding and that "
                "of the last layer. "
                "The second was added after the residuals of such runs had been seen."
            ),
            _(
                "- **Reserved over allocated is one constant**, {ratio}, the mean of three published pairs: against each of them it "
                "misses by {misses}."
            ).format(
                ratio=f"{overheads.RESERVED_RATIO:g}",
                misses=listing(signed(overheads.RESERVED_RATIO / case.expected - 1, 1) for case in ratios),
            ),
            _(
                "- **EleutherAI's calculator has no option for flash attention.** Asked without recomputation it would count the "
                "attention matrix in full and "
                "miss by far more."
            ),
            _(
                "- **PyTorch's counts are no GPU.** Eight peaks come from its memory tracker on shapes alone: tensors are exact, "
                "the allocator's blocks, "
                "the CUDA context and communicators are not in them."
            ),
        ]
    )


def _without(dense: Sequence[Prediction]) -> dict[str, str]:
    """The dense errors as they are, without Transformer Engine's buffers, and without the loss where it is alive at the peak."""
    now = [p.error or 0.0 for p in dense]
    buffers, loss = ([error for p in dense if (error := cases.error_without(p, part)) is not None] for part in ("workspace", "loss"))
    return {
        "low": signed(min(buffers), 1),
        "high": signed(max(buffers), 1),
        "from_low": signed(min(now), 1),
        "from_high": signed(max(now), 1),
        "loss_low": signed(min(loss), 1),
        "loss_high": signed(max(loss), 1),
    }
