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

    apply: tuple[str, ...] = names(limit=12)
    """Remedies, in the order in which they were chosen."""
    show: str = choice("memory", {"memory": N_("Memory"), "time": N_("Time")}, N_("Show"))
    order: str = choice("chosen", {"chosen": N_("As chosen"), "largest": N_("Largest first"), "cheapest": N_("Cheapest first")}, N_("Order"))
    every: bool = flag(default=False, label=N_("Offer every remedy"))
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
    acceptance: int = number(72, 0, 100, N_("Drafts accepted, %"))
    """Percent of drafted tokens that are accepted."""
    draft: int = number(4, 1, 64, N_("Draft length"))
    draft_cost: int = number(13, 0, 100, N_("Cost of a drafted token, %"))
    """Percent of a pass that one drafted token takes."""
    trials: int = number(81, 1, 100_000, N_("Trials"))
    eta: int = number(3, 2, 16, N_("One of how many goes on"))
    median: int = number(-22, -60, 10, N_("Median gradient, 2^"))
    """Gradients: the exponent of two of their median."""
    spread: int = number(4, 1, 12, N_("Spread, factors of two"))
    scale: int = number(0, 0, 40, N_("Loss scaled by 2^"))
    """The loss is scaled by two to this."""
    critical: int = number(4000, 1, 1_000_000, N_("Critical batch, thousand tokens"))
    """Critical batch, thousands of tokens."""


def draft(view: View) -> Draft:
    """What speculative decoding uses; the usual cost is gpt-fast's, which the page rounds to whole percent."""
    cost = Draft().cost if view.draft_cost == View().draft_cost else view.draft_cost / 100
    return Draft(view.acceptance / 100, view.draft, cost)


def groups(case: Job, view: View) -> tuple[Group, ...]:
    """The expert's settings: how the job is run before, and the models behind single remedies."""
    own = grouped(
        view,
        {
            _("Speculative decoding"): ("acceptance", "draft", "draft_cost") if case.serves else (),
            _("Search and batch"): ("trials", "eta", "critical"),
            _("Gradients and loss scaling"): ("median", "spread", "scale"),
            _("List"): ("every",),
        },
    )
    return (*shared.groups(case), *own)
