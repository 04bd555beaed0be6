"""``wallviz scaleout``: how many chips still help, what they send each other, and who waits for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wallviz
from wallviz import units
from wallviz.cli import options
from wallviz.cli.chip import chip as chip_of
from wallviz.cli.footprint import amount
from wallviz.cli.model import Source, read, title
from wallviz.cli.options import Given, Hardware, Option, as_options, takes
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.engine.scaleout import phrases
from wallviz.i18n import N_, _

if TYPE_CHECKING:
    from wallviz.engine.advice.splits import Search
    from wallviz.engine.scaleout.budget import Budget
    from wallviz.engine.scaleout.serving_job import ServingOnChips
    from wallviz.engine.scaleout.training_job import TrainingOnChips


CHIPS = (
    Option("gpus", "N", N_("How many there are (default: 8)."), also=("--chips",)),
    Option("job", "train|finetune|infer", N_("What they do (default: train). Serving is split over all of them.")),
    Option("gpus_per_node", "N", N_("GPUs that the links inside a node join (default: 8).")),
    Option("link_inside", "F", N_("GB/s of one direction and GPU inside a node (default: the chip's own links).")),
    Option("link_across", "F", N_("GB/s of one direction and GPU across nodes (default: 50, an adapter of 400 Gbit/s for each).")),
    Option("link_efficiency", "F", N_("Share of these rates that large messages reach (default: 0.8).")),
    Option("overlap", "none|partial|full", N_("How much of the communication compute hides (default: none).")),
    Option("efficiency", "F", N_("Share of the chip's peak and bandwidth that is reached (default: 0.7 of the peak, 0.69 of the bandwidth).")),
    Option("half_square", "", N_("Count the half of causal attention that a mask keeps; papers count the whole square.")),
    Option("tokens", "F", N_("Tokens of the whole run, for its time, energy and cost.")),
    Option("price_per_hour", "F", N_("Your price of one GPU for one hour.")),
    Option("pue", "F", N_("Power of the data centre over that of its chips (default: 1.2).")),
    Option("search", "", N_("Search for the fastest layout that fits.")),
)
REST = tuple(option for option in options.of_every_job() if option.field != "stage")  # the memory of one stage is the business of `footprint`

KINDS = {
    "tensor_parallel": N_("tensor parallel"),
    "context_parallel": N_("context parallel"),
    "expert_parallel": N_("expert parallel"),
    "pipeline_parallel": N_("pipeline parallel"),
    "data_parallel": N_("data parallel"),
}


@takes(*CHIPS, *REST)
def answer(source: Source, hardware: Hardware, given: Given, *, as_json: Json = False, lang: Lang = None, debug: Debug = False) -> None:
    """Says what many chips do with a job."""
    arch = read(source)
    chip = chip_of(hardware)
    asked = given.pop("search", False)
    with as_options(*CHIPS):
        found = wallviz.scaleout(arch, chip, **given)
        best = found.search() if asked and not _is_serving(found) else None  # type: ignore[union-attr]
    from wallviz.engine.scaleout import record

    if _is_serving(found):
        say_json(record.serving(found)) if as_json else say(_served(found))  # type: ignore[arg-type]
    else:
        say_json(record.training(found, best)) if as_json else say(_trained(found, best))  # type: ignore[arg-type]


def _is_serving(found: Any) -> bool:
    from wallviz.engine.scaleout.serving_job import ServingOnChips

    return isinstance(found, ServingOnChips)


def _trained(found: TrainingOnChips, best: Search | None) -> str:
    one = found.step
    facts = [
        (_("model"), title(found.arch)),
        (_("hardware"), f"{int(one.gpus):,} × {found.chip.name}"),
        (_("split"), phrases.split(one.run)),
        (_("time of the step"), units.duration(float(one.step_s))),
        (_("compute"), units.duration(float(one.compute_s))),
        (_("on the wire"), units.duration(float(one.communication_s))),
        (_("waiting"), units.duration(float(one.waiting_s))),
        (_("bubble"), units.duration(float(one.bubble_s))),
        (_("efficiency"), units.percent(float(one.efficiency), 1)),
        ("MFU", units.percent(float(one.mfu), 1)),
        (_("tokens/s"), phrases.rate(float(one.tokens_per_s))),
        (_("batch"), _("{n} sequences a step").format(n=f"{found.global_batch:,}")),
        (_("memory"), f"{amount(found.peak_bytes)}, {_held(found)}"),
        (_("doubling pays up to"), _("{n} GPUs").format(n=f"{found.pays_up_to:,}")),
        (_("tokens per GPU"), _("{n} a step; {least} would hide the gradients").format(
            n=f"{found.tokens_per_gpu:,.0f}", least=f"{found.critical_tokens_per_gpu:,.0f}"
        )),
    ]  # fmt: skip
    facts += _bill(found.budget)
    wire = ((_("by"), "whole"), (_("sent per GPU"), "right"), (_("time"), "right"))
    rows = [(_(KINDS[k]), units.si(float(one.bytes_on_wire[k]), "B"), units.duration(float(one.wire_s[k]))) for k in KINDS if one.bytes_on_wire[k]]
    curve = ((_("GPUs"), "right"), (_("tokens/s"), "right"), (_("efficiency"), "right"))
    counts = [
        (f"{int(n):,}", phrases.rate(float(rate)), units.percent(float(share), 1))
        for n, rate, share in zip(found.strong.chips, found.strong.tokens_per_s, found.strong.efficiency, strict=True)
    ]
    parts = [table(FACTS, facts, header=False), *([table(wire, rows)] if rows else []), table(curve, counts)]
    if best is not None:
        parts.append(_layouts(best))
    return "\n\n".join(parts)


def _held(found: TrainingOnChips | ServingOnChips) -> str:
    """Whether the chip's memory holds it, in words."""
    words = {"no": N_("fits"), "likely": N_("may not fit"), "yes": N_("does not fit"), "unknown": N_("memory of the chip not known")}
    return _(words[found.runs_out])


def _layouts(best: Search) -> str:
    """The layout to choose and the fastest, or that none fits."""
    if best.chosen is None:
        return _("None of {n} layouts fits.").format(n=f"{best.asked:,}")
    columns = (
        (_("best of {n}").format(n=f"{best.asked:,}"), "left"),
        (_("time of the step"), "right"),
        (_("efficiency"), "right"),
        (_("memory"), "right"),
    )
    rows = [
        (
            f"{phrases.split(one.run)} · v{one.run.virtual_stages} · b{one.run.micro_batch}×{one.run.accumulation} · {one.run.recompute}",
            units.duration(one.step_s),
            units.percent(one.efficiency, 1),
            units.binary(one.peak_bytes),
        )
        for one in (best.chosen, *(other for other in best.best if other != best.chosen))
    ]
    return table(columns, rows) + "\n" + _("The first is the simplest of those within 2% of the fastest.")


def _served(found: ServingOnChips) -> str:
    one, curve = found.step, found.curve
    facts = [
        (_("model"), title(found.arch)),
        (_("hardware"), f"{int(one.chips):,} × {found.chip.name}"),
        (_("split"), phrases.served_split(found.layout)),
        (_("time of the step"), units.duration(float(one.step_s))),
        (_("reading"), units.duration(float(one.read_s))),
        (_("arithmetic"), units.duration(float(one.compute_s))),
        (_("waiting"), units.duration(float(one.waiting_s))),
        (_("bubble"), units.duration(float(one.bubble_s))),
        (_("tokens/s"), phrases.rate(float(one.tokens_per_s))),
        (_("tokens/s per chip"), phrases.rate(float(one.tokens_per_s_and_chip))),
        (_("memory"), f"{amount(found.peak_bytes)}, {_held(found)}"),
        (_("doubling pays up to"), _("{n} GPUs").format(n=f"{found.pays_up_to:,}")),
        *_bill(found.budget),
    ]
    columns = ((_("GPUs"), "right"), (_("tokens/s"), "right"), (_("share in which a chip works"), "right"), (_("memory"), "right"))
    rows = [
        (f"{int(n):,}", phrases.rate(float(rate)), units.percent(float(share), 1), units.binary(need))
        for n, rate, share, need in zip(curve.chips, curve.tokens_per_s, curve.efficiency, found.curve_bytes, strict=True)  # type: ignore[arg-type]
    ]
    return f"{table(FACTS, facts, header=False)}\n\n{table(columns, rows)}"


def _bill(bill: Budget | None) -> list[tuple[str, str]]:
    """What a run takes, as far as it is known."""
    if bill is None:
        return []
    days = units.significant(float(bill.seconds) / 86_400)
    facts = [(_("run"), _("{days} days, {hours} GPU hours").format(days=days, hours=f"{float(bill.chip_hours):,.0f}"))]
    if bill.energy_j is not None:
        facts.append((_("energy"), _("{mwh} MWh at most").format(mwh=units.significant(float(bill.energy_j) / 3.6e9))))
    if bill.cost is not None:
        facts.append((_("cost"), units.significant(float(bill.cost))))
    return facts
