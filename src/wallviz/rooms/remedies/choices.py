"""What a reader can choose on the remedies page beside the job, and the setup that a job describes."""

from __future__ import annotations

from dataclasses import dataclass

from wallviz.engine.remedies.setup import Draft
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms import Group, grouped
from wallviz.rooms import job as shared
from wallviz.settings import choice, flag, names, number


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows and tries on a job."""

    apply: tuple[str, ...] = names(
        N_("Remedies, in the order in which you choose them"),
        limit=12,
        help=N_("Press what you want to try: each works on what those before it left, and the figure shows what it changes."),
    )
    """Remedies, in the order in which they were chosen."""
    show: str = choice(
        "memory",
        {"memory": N_("Memory"), "time": N_("Time")},
        N_("Show"),
        help=N_("Whether the steps show the memory of the fullest chip, or the time."),
    )
    order: str = choice(
        "chosen",
        {"chosen": N_("As chosen"), "largest": N_("Largest first"), "cheapest": N_("Cheapest first")},
        N_("Order"),
        help=N_("The order in which remedies are applied: what one saves depends on those before it."),
    )
    every: bool = flag(
        default=False, label=N_("Offer every remedy"), help=N_("Offer all the remedies that there are, not only those that matter most for this job.")
    )
    """Offer every remedy, not only those that matter most."""
    figure: str = choice(
        "waterfall",
        {
            "waterfall": N_("Step by step"), "plane": N_("Saved against paid"), "quality": N_("Quality against bits"),
            "line": N_("The bandwidth line"), "search": N_("Fewer trials"), "batch": N_("Bytes of a whole run"), "formats": N_("Number formats"),
        },
        N_("Figure"),
    )  # fmt: skip
    # models of single remedies
    acceptance: int = number(
        72, 0, 100, N_("Drafts accepted, %"), help=N_("Percent of the drafted tokens that the large model accepts: the more, the faster.")
    )
    """Percent of drafted tokens that are accepted."""
    draft: int = number(4, 1, 64, N_("Draft length"), help=N_("Tokens that a small model drafts before the large one checks them all in one pass."))
    draft_cost: int = number(
        13, 0, 100, N_("Cost of a drafted token, %"), help=N_("Time of one drafted token, in percent of one pass of the large model.")
    )
    """Percent of a pass that one drafted token takes."""
    trials: int = number(81, 1, 100_000, N_("Trials"), help=N_("How many settings you try, each with a training run that begins."))
    eta: int = number(
        3, 2, 16, N_("One of how many goes on"), help=N_("After each round one of so many trials is trained longer and the others stop.")
    )
    median: int = number(
        -22, -60, 10, N_("Median gradient, 2^"), help=N_("How large a typical gradient is, as a power of two: small ones vanish in FP16.")
    )
    """Gradients: the exponent of two of their median."""
    spread: int = number(
        4, 1, 12, N_("Spread, factors of two"), help=N_("How far gradients scatter around their median, as a standard deviation in factors of two.")
    )
    scale: int = number(
        0, 0, 40, N_("Loss scaled by 2^"), help=N_("The loss is multiplied by two to this power, so that fewer gradients vanish in FP16.")
    )
    """The loss is scaled by two to this."""
    critical: int = number(
        4000,
        1,
        1_000_000,
        N_("Critical batch, thousand tokens"),
        help=N_("Thousands of tokens a step, beyond which a larger batch saves hardly any steps."),
    )
    """Critical batch, thousands of tokens."""


def draft(view: View) -> Draft:
    """What speculative decoding uses; the usual cost is gpt-fast's, which the page rounds to whole percent."""
    cost = Draft().cost if view.draft_cost == View().draft_cost else view.draft_cost / 100
    return Draft(view.acceptance / 100, view.draft, cost)


OF_THE_JOB = ("waterfall", "plane", "line", "batch")
"""Figures that the job draws; the others are the same for every job."""
IDLE = ("utilization", "optimizer_step")
"""Settings of the job that move none of them."""


def groups(case: Job, view: View) -> tuple[Group, ...]:
    """The expert's settings of a figure: how the job is run before, and the models behind single remedies."""
    idle = ("graphs",) if view.figure in ("line", "batch") else ()
    own = {
        _("Speculative decoding"): ("acceptance", "draft", "draft_cost") if case.serves and view.figure in ("waterfall", "plane", "line") else (),
        _("Search and batch"): {"search": ("trials", "eta"), "batch": ("critical",)}.get(view.figure, ()),
        _("Gradients and loss scaling"): ("median", "spread", "scale") if view.figure == "formats" else (),
        _("List"): ("every",) if view.figure == "waterfall" else (),
    }
    return (*(shared.groups(case, without=(*IDLE, *idle)) if view.figure in OF_THE_JOB else ()), *grouped(view, own))
