"""What a reader can choose on the remedies page, and the setup that a case and a view describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wallviz import catalog
from wallviz.case import Case
from wallviz.engine.memory import kv_cache, run
from wallviz.engine.remedies.setup import Draft, Setup
from wallviz.i18n import N_, _
from wallviz.params import Param, choice, flag, names, number
from wallviz.rooms import Group, Setting
from wallviz.rooms import footprint as shared
from wallviz.rooms.footprint.choices import FORMATS
from wallviz.rooms.footprint.estimate import serving_options, training_run

SHOW = ("memory", "time")
ORDERS = ("chosen", "largest", "cheapest")
FIGURES = ("waterfall", "plane", "quality", "line", "search", "batch", "formats")


@dataclass(frozen=True, slots=True)
class View:
    """What the reader chose beside the case: one field for each of `PARAMS`, with its default."""

    apply: tuple[str, ...] = ()
    """Remedies, in the order in which they were chosen."""
    show: str = "memory"
    order: str = "chosen"
    every: bool = False
    """Offer every remedy, not only those that matter most."""
    figure: str = "waterfall"
    # how it is run before anything is done
    precision: str = "bf16-mixed"
    kernels: str = "flash"
    method: str = "lora"
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    accumulation: int = 1
    format: str = "bf16"
    kv: str = "bf16"
    # models of single remedies
    acceptance: int = 72
    """Percent of drafted tokens that are accepted."""
    draft: int = 4
    draft_cost: int = 13
    """Percent of a pass that one drafted token takes."""
    trials: int = 81
    eta: int = 3
    median: int = -22
    """Gradients: the exponent of two of their median."""
    spread: int = 4
    scale: int = 0
    """The loss is scaled by two to this."""
    critical: int = 4000
    """Critical batch, thousands of tokens."""


_D = View()
_RANGES = {
    "tensor_parallel": (1, 65_536), "pipeline_parallel": (1, 10_000), "accumulation": (1, 1_000_000), "acceptance": (0, 100), "draft": (1, 64),
    "draft_cost": (0, 100), "trials": (1, 100_000), "eta": (2, 16), "median": (-60, 10), "spread": (1, 12), "scale": (0, 40),
    "critical": (1, 1_000_000),
}  # fmt: skip
PARAMS: tuple[Param, ...] = (
    names("apply", 12),
    choice("show", SHOW, _D.show),
    choice("order", ORDERS, _D.order),
    flag("every"),
    choice("figure", FIGURES, _D.figure),
    choice("precision", run.PRECISIONS, _D.precision),
    choice("kernels", run.KERNELS, _D.kernels),
    choice("method", run.METHODS, _D.method),
    choice("format", FORMATS, _D.format),
    choice("kv", kv_cache.FORMATS, _D.kv),
    *(number(name, getattr(_D, name), *limits) for name, limits in _RANGES.items()),
)

WORDS: dict[str, dict[Any, str]] = {
    "show": {"memory": N_("Memory"), "time": N_("Time")},
    "order": {"chosen": N_("As chosen"), "largest": N_("Largest first"), "cheapest": N_("Cheapest first")},
    "figure": {
        "waterfall": N_("Step by step"), "plane": N_("Saved against paid"), "quality": N_("Quality against bits"), "line": N_("The bandwidth line"),
        "search": N_("Fewer trials"), "batch": N_("Bytes of a whole run"), "formats": N_("Number formats"),
    },
}  # fmt: skip
LABELS: dict[str, str] = {
    "acceptance": N_("Drafts accepted, %"), "draft": N_("Draft length"), "draft_cost": N_("Cost of a drafted token, %"), "trials": N_("Trials"),
    "eta": N_("One of how many goes on"), "median": N_("Median gradient, 2^"), "spread": N_("Spread, factors of two"),
    "scale": N_("Loss scaled by 2^"), "critical": N_("Critical batch, thousand tokens"), "every": N_("Offer every remedy"),
}  # fmt: skip


def words(param: str) -> dict[Any, str]:
    """The options of choice `param`, by id, in the language in use."""
    if param in WORDS:
        return {option: _(said) for option, said in WORDS[param].items()}
    return shared.words(param)


def label(param: str) -> str:
    """What `param` is called."""
    return _(LABELS[param]) if param in LABELS else shared.label(param)


def setup(case: Case, view: View) -> Setup:
    """The job as it is run before anything is done; raises InputError for what cannot run."""
    arch, chip = catalog.architecture(case.model), catalog.chip(case.chip)
    run_as = shared.View(
        precision=view.precision,
        kernels=view.kernels,
        method=view.method,
        tensor_parallel=view.tensor_parallel,
        pipeline_parallel=view.pipeline_parallel,
        accumulation=view.accumulation,
        format=view.format,
        kv=view.kv,
    )
    if case.job == "infer":
        return Setup(arch, chip, case.job).with_options(**serving_options(case, run_as))
    return Setup(arch, chip, case.job, training_run(case, run_as))


def draft(view: View) -> Draft:
    """What speculative decoding uses; the usual cost is gpt-fast's, which the page rounds to whole percent."""
    cost = Draft().cost if view.draft_cost == _D.draft_cost else view.draft_cost / 100
    return Draft(view.acceptance / 100, view.draft, cost)


def groups(case: Case, view: View) -> tuple[Group, ...]:
    """The expert's settings: how it is run before, and the models behind single remedies."""
    before = (
        ("format", "kv", "pipeline_parallel")
        if case.job == "infer"
        else ("precision", "kernels", "tensor_parallel", "pipeline_parallel", "accumulation")
    )
    if case.job == "finetune":
        before = ("method", *before)
    found = [Group(_("As it is run now"), _settings(*before))]
    if case.job == "infer":
        found.append(Group(_("Speculative decoding"), _settings("acceptance", "draft", "draft_cost")))
    found.append(Group(_("Search and batch"), _settings("trials", "eta", "critical")))
    found.append(Group(_("Gradients and loss scaling"), _settings("median", "spread", "scale")))
    found.append(Group(_("List"), (Setting("every", label("every")),)))
    return tuple(found)


def _settings(*params: str) -> tuple[Setting, ...]:
    return tuple(Setting(n, label(n), {}, *_RANGES[n]) if n in _RANGES else Setting(n, label(n), words(n)) for n in params)
