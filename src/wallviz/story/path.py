"""The path of the story: its steps, in their order, and what a reader takes home from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wallviz.i18n import N_
from wallviz.story import Step, chips, demand, levels, one_token, remedies, roof, shelf, training, wall

STEPS: Mapping[str, Step] = MappingProxyType(
    {module.STEP.id: module.STEP for module in (one_token, demand, shelf, training, levels, roof, chips, remedies, wall)}
)
"""Every step by its id."""


@dataclass(frozen=True, slots=True)
class Closing:
    """A question that the reader can answer after the last step, with the answer in one sentence. Texts hold ``{name}`` of a fact of `step`."""

    step: str
    """The id of the step that says why."""
    question: str
    sentence: str

    @property
    def said(self) -> tuple[str, str]:
        """Question and sentence in the language in use, with their numbers."""
        return STEPS[self.step].said(self.question), STEPS[self.step].said(self.sentence)


CLOSING_TITLE = N_("What you can say now")
CLOSING: tuple[Closing, ...] = (
    Closing(
        "wall",
        N_("What is the memory wall?"),
        N_("Arithmetic outgrew the memory that feeds it, {compute} against {memory} in twenty years as published, so chips wait for data."),
    ),
    Closing(
        "one-token",
        N_("Why does a chip with {peak} generate only {tokens} tokens/s?"),
        N_("Each token needs {moved} from memory, which takes {moving}, while the arithmetic takes {multiplying}."),
    ),
    Closing(
        "roof",
        N_("Why does a batch help, and what does it cost each user?"),
        N_(
            "{batch} answers share each reading of the weights and together get {rate_many} tokens/s instead of {rate}, but each user gets "
            "{each} and waits {longer} times as long per token."
        ),
    ),
    Closing(
        "training",
        N_("Why does training need several times the model?"),
        N_(
            "Gradients, a master copy and Adam's averages turn {each_weight} bytes a parameter into {each}, and activations come on top: "
            "{model} takes {total} instead of {weights}."
        ),
    ),
    Closing(
        "remedies",
        N_("What can be done?"),
        N_(
            "Share, compute again, use fewer bits, prune or try less often, each at a price (here {before} become {after} a GPU for {slower} more "
            "time); the wall itself moves only with other hardware."
        ),
    ),
)
"""The five things to take home, in the order of the argument."""
