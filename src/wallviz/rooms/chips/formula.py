"""Why: the formulas with the numbers of the first chip that serves."""

from __future__ import annotations

from collections.abc import Sequence

from wallviz import catalog, units
from wallviz.i18n import _, labelled
from wallviz.job import Job
from wallviz.rooms.chips.bars import LIMITS
from wallviz.rooms.chips.metrics import ComparedChip, View, bytes_per_weight, short, work
from wallviz.rooms.job import model_name


def why(case: Job, view: View, columns: Sequence[ComparedChip]) -> str:
    """The formulas, and the first chip's numbers in them."""
    first = next((c for c in columns if c.served and c.dense and case.serves), None)
    lines = [
        _("**tokens/s** is the roofline's bound of one decoding step of your case; **tokens per joule** divides it by the data sheet's power.")
        if case.job == "infer"
        else _("**tokens/s** is the roofline's bound of one training step on one chip; **tokens per joule** divides it by the data sheet's power."),
        "",
        _("**Largest dense model**, KV cache left out: the least of M/w, B·TPOT/w, F·TPOT/(2·batch) and F·TTFT/(2·context)."),
        "",
        _("**Largest model in time**: the largest of {n} models whose weights, cache and overheads fit, with both targets met.").format(
            n=len(catalog.presets())
        ),
    ]
    if first and first.served and first.dense:
        asked = work(case, view)
        lines += [
            "",
            labelled(
                f"**{short(first.chip)}**",
                _(
                    "{model} takes {bytes}; a token {tpot} (target {tpot_target}), the first {ttft} (target {ttft_target}); {power}, {rate} tokens/s."
                ).format(
                    model=model_name(case),
                    bytes=units.binary(first.served.bytes),
                    tpot=units.si(first.served.tpot_s, "s"),
                    tpot_target=units.si(asked.tpot_s, "s"),
                    ttft=units.si(first.served.ttft_s, "s"),
                    ttft_target=units.si(asked.ttft_s, "s"),
                    power=f"{first.chip.tdp_w:,.0f} W" if first.chip.tdp_w else "–",
                    rate=units.significant(first.served.tokens_per_s),
                ),
            ),
            "",
            _("The most parameters at {weights}, {bytes} a weight: {largest}; the limit is {limit}.").format(
                weights=case.format,
                bytes=units.significant(bytes_per_weight(case.format)),
                largest=units.count(float(first.dense.parameters)),
                limit=_(LIMITS[str(first.dense.bound)]),
            ),
        ]
    return "\n".join(lines)
