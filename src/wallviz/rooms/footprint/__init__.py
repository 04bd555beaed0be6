"""The footprint page's answers: what one GPU needs to train, fine-tune or serve a model, whether it fits, and what would make it fit."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from math import floor
from typing import Any

import numpy as np

from wallviz import units
from wallviz.engine.advice.record import briefly, change, price
from wallviz.engine.advice.search import Fix
from wallviz.engine.memory.peak import Training
from wallviz.engine.memory.serve import Serving
from wallviz.engine.memory.terms import worded
from wallviz.errors import InputError
from wallviz.figures.style import Drawing
from wallviz.i18n import _, inside, labelled, language
from wallviz.job import SETTINGS, Job, serving_split
from wallviz.rooms import Action, Answer, growth, own_model
from wallviz.rooms.advice import FIRST, changes, fixes
from wallviz.rooms.footprint import at_peak, certainty, formula, map_of_fits, over_time
from wallviz.rooms.footprint.choices import View
from wallviz.rooms.footprint.comparison import VERDICTS, compared
from wallviz.rooms.footprint.map_of_fits import pick
from wallviz.rooms.footprint.need import Estimate, estimate, largest_batch
from wallviz.rooms.footprint.over_time import PHASE_NAMES
from wallviz.rooms.footprint.parts import Rows, both, part_name
from wallviz.rooms.job import unpack

__all__ = ["View", "answer", "assumptions", "compared", "estimate", "miss", "pick", "terms"]

#: Where the formulas and the measured runs come from, by job.
SOURCES = {
    "infer": ("pagedattention_2023", "vllm"),
    "train": ("zero_2020", "korthikanti_2022", "measured_autograd", "simumax", "nccl_964"),
    "finetune": ("zero_2020", "korthikanti_2022", "measured_autograd", "peft", "qlora_2023"),
}


def answer(case: Job, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, _only_what_counts(view), language())


def _only_what_counts(view: View) -> View:
    """Without what the first view does not show: a report or a fragment changes nothing in it."""
    defaults = View()
    return replace(view, reported=defaults.reported, meter=defaults.meter, fragment=defaults.fragment)


@lru_cache(maxsize=512)
def _answer(case: Job, view: View, _language: str) -> Answer:
    if view.show == "article":
        back = Action(_("Back to your own case"), _("The figure of the model that is chosen below"), {"show": "bar"})
        return replace(growth.answer(growth.View(figure="training")), name="footprint", actions=(back,))
    try:
        now = estimate(case)
    except InputError as error:
        return Answer("footprint", str(error), None, sure=_("cannot run"), trust="red", actions=_ways_out(case))
    kept, problems = _other(view)
    found = fixes(case)[:FIRST]
    trust, verdict = VERDICTS[now.verdict]
    drawing, rows = _drawn(now, view, found, kept)
    return Answer(
        name="footprint",
        sentence=_sentence(now, found),
        drawing=drawing,
        sure=_(verdict),
        trust=trust,
        caption=_caption(now),
        actions=tuple(_action(fix, now) for fix in found),
        advice=found[0].changes if found else (),
        facts={"bytes": now.total_bytes},
        explain=partial(formula.why, now),
        doubt=partial(certainty.how_sure, now),
        problems=(*problems, *_problems(now)),
        rows=rows,
        sources=tuple(dict.fromkeys([*SOURCES[case.job], *(s for s in now.chip.source.split(";") if s)])),
    ).with_spec()


#: Parallelism beside the chips: what to give up first where something does not divide.
SPLITS = ("tensor_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel", "replicas")


def _ways_out(case: Job) -> tuple[Action, ...]:
    """Changes after which the case can run: fewer chips, or no parallelism of its own."""
    found = []
    for chips in (2**n for n in range(12, -1, -1) if 2**n < case.chips):
        if _runs(replace(case, chips=chips)):
            found.append(Action(_("Use {n} chips").format(n=f"{chips:,}"), _("The most below yours that share it evenly"), {"chips": chips}))
            break
    alone: dict[str, Any] = {name: SETTINGS[name].default for name in SPLITS}
    if any(getattr(case, name) != alone[name] for name in SPLITS) and _runs(replace(case, **alone)):
        found.append(Action(_("Set the parallelism back to 1"), _("Tensor, pipeline, context and expert parallelism"), alone))
    return tuple(found)


def _runs(case: Job) -> bool:
    try:
        estimate(case)
    except InputError:
        return False
    return True


def _other(view: View) -> tuple[Estimate | None, tuple[str, ...]]:
    """The configuration to compare with, and what could not be read of it."""
    if not view.against:
        return None, ()
    try:
        return estimate(unpack(view.against)), ()
    except InputError as error:
        return None, (str(error),)


def _problems(now: Estimate) -> list[str]:
    said_so = []
    if now.gpus > now.case.chips:
        said_so.append(
            _("This parallelism needs {world} GPUs, the case has {count}; figures are for {world}.").format(
                world=f"{now.gpus:,}", count=f"{now.case.chips:,}"
            )
        )
    if now.capacity_bytes is None:
        said_so.append(_("No memory of its own is listed for {chip}: choose another chip to see what fits.").format(chip=now.chip.name))
    if now.case.config and not own_model.fits_link(now.case.config):
        said_so.append(_("This model is too large for a link: it stays here until you close the page; share its config.json beside the link."))
    if isinstance(now.result, Serving) and now.result.max_concurrency_reason and now.capacity_bytes is not None:
        said_so.append(_(now.result.max_concurrency_reason))
    return said_so


# -- the takeaway ------------------------------------------------------------------------------------------------------------------


def _sentence(now: Estimate, found: tuple[Fix, ...]) -> str:
    need = {"need": units.binary(now.total_bytes), "off": _off(now), "chip": now.chip.name.partition(" (")[0]}
    if now.capacity_bytes is None:
        return _("{need} per GPU (±{off}).").format(**need)
    need["holds"] = units.binary(now.capacity_bytes)
    if now.verdict == "no":
        spare = units.binary(now.capacity_bytes - now.total_bytes)
        if isinstance(now.result, Training):
            return _("{need} per GPU (±{off}) fits {chip} ({holds}): {spare} to spare, up to batch {n}.").format(
                **need, spare=spare, n=f"{largest_batch(now):,}"
            )
        sequences = float(np.max(now.result.max_concurrency or 0.0))
        if not np.isfinite(sequences):
            return _("{need} per GPU (±{off}) fits {chip} ({holds}): {spare} to spare.").format(**need, spare=spare)
        return _("{need} per GPU (±{off}) fits {chip} ({holds}): room for {n} such sequences.").format(**need, n=f"{floor(sequences):,}")
    template = (
        _("{need} per GPU (±{off}) may not fit {chip} ({holds}).")
        if now.verdict == "likely"
        else _("{need} per GPU (±{off}) does not fit {chip} ({holds}).")
    )
    first = template.format(**need)
    if not found:
        return first
    best = found[0]
    then = units.binary(best.bytes)
    if best.fits:
        return first + _(" To fit: {fix}, {then}.").format(fix=briefly(best), then=then)
    return first + _(" The most one change does: {fix}, {then}.").format(fix=briefly(best), then=then)


def _off(now: Estimate) -> str:
    """How far the total may be off, in the unit in which it is said."""
    whole, _unit = units.binary(now.total_bytes).split(units.THIN)
    scale = float(whole.replace(",", "")) / now.total_bytes if now.total_bytes else 0.0
    return units.significant(now.total_bytes * now.band * scale, 2)


def _action(fix: Fix, now: Estimate) -> Action:
    saved = now.total_bytes - fix.bytes
    gain = f"{'−' if saved >= 0 else '+'}{units.binary(abs(saved))}"
    return Action(
        labelled(change(fix), gain),
        _("Then {then} per GPU: {verdict}. It costs: {price}.").format(
            then=units.binary(fix.bytes), verdict=_("fits") if fix.fits else _("does not fit"), price=price(fix)
        ),
        changes(now.case, fix) or {},
        enough=fix.fits and now.verdict != "no",
    )


def _caption(now: Estimate) -> str:
    total, capacity = both(now.total_bytes), now.capacity_bytes
    found = [" = ".join(total)]
    if capacity is not None:
        found.append(labelled(now.chip.name.partition(" (")[0], " = ".join(both(capacity)[::-1])))
    if isinstance(now.result, Training):
        found.append(_("checkpoint on disk {bytes}").format(bytes=units.binary(float(now.result.checkpoint_bytes))))
        host = float(now.result.host_bytes)
        found.append(_("host memory {bytes} per GPU").format(bytes=units.binary(host)) if host else _("no host memory"))
        found += [
            labelled(
                part_name(part),
                _("not alive at this peak, {bytes} at another ({phase})").format(bytes=units.binary(most), phase=inside(_(PHASE_NAMES[phase]))),
            )
            for part, (phase, most) in now.result.elsewhere.items()
            if phase in PHASE_NAMES
        ]
    else:
        found.append(_("{bytes} of KV cache per token").format(bytes=units.binary(now.result.kv_bytes_per_token)))
        if (copies := serving_split(now.case, now.arch)["replicas"]) > 1:
            split = _("{n} replicas of {gpus} GPUs, each with a batch of its own")
            found.append(split.format(n=f"{copies:,}", gpus=f"{now.gpus // copies:,}"))
    return " · ".join(found)


def _drawn(now: Estimate, view: View, found: tuple[Fix, ...], kept: Estimate | None) -> tuple[Drawing, Rows]:
    """The figure of the view, and what makes the rows of its table."""
    if view.show == "map":
        return map_of_fits.drawn(now, view)
    return over_time.drawn(now) if view.show == "timeline" else at_peak.drawn(now, found, kept)


def terms(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """The table of terms: what, the formula in the field's notation, the same with the reader's numbers, the bytes in both units, the source."""
    if view.show == "article":
        return ()
    try:
        now = estimate(case)
    except InputError:
        return ()
    return tuple(
        {
            _("what"): _(term.name),
            _("formula"): worded(term.formula),
            _("with your numbers"): term.values,
            "GiB": float(np.max(term.bytes)) / units.GIB,
            "GB": float(np.max(term.bytes)) / units.GB,
            _("source"): _(term.source),
        }
        for term in now.terms
    )


def miss(case: Job, view: View) -> str:
    """How far the prediction is from what the reader's run reported; empty where nothing was typed or nothing can run."""
    try:
        return certainty.miss(estimate(case), view)
    except InputError:
        return ""


def assumptions(case: Job) -> tuple[str, ...]:
    """What the model's file does not say and had to be assumed; a sentence may quote that file."""
    try:
        return estimate(case).arch.assumptions
    except InputError:
        return ()
