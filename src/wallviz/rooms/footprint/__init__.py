"""The footprint page's answers: what one GPU needs to train, fine-tune or serve a model, whether it fits, and what would make it fit."""

from __future__ import annotations

from collections.abc import Mapping
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
from wallviz.figures import footprint as figures
from wallviz.i18n import N_, _, inside, labelled, language
from wallviz.job import SETTINGS, Job, serving_split
from wallviz.rooms import Action, Answer, growth, own_model
from wallviz.rooms.advice import FIRST, changes, fixes
from wallviz.rooms.footprint import certainty, formula
from wallviz.rooms.footprint.choices import View
from wallviz.rooms.footprint.need import Estimate, Map, estimate, largest_batch, layout_map, work_map
from wallviz.rooms.job import job_names, label, said, unpack

__all__ = ["View", "answer", "assumptions", "compared", "estimate", "miss", "pick", "terms"]

#: Where the formulas and the measured runs come from, by job.
SOURCES = {
    "infer": ("pagedattention_2023", "vllm"),
    "train": ("zero_2020", "korthikanti_2022", "measured_autograd", "simumax", "nccl_964"),
    "finetune": ("zero_2020", "korthikanti_2022", "measured_autograd", "peft", "qlora_2023"),
}
#: Will it run out of memory: the badge and its colour.
VERDICTS = {
    "yes": ("red", N_("out of memory: yes")),
    "likely": ("orange", N_("out of memory: likely")),
    "no": ("green", N_("out of memory: no")),
    "unknown": ("gray", N_("capacity unknown")),
}
PHASE_NAMES = {
    "loss_backward": N_("Backward pass, at its start"),
    "end_of_backward": N_("Backward pass, at its end"),
    "optimizer_step": N_("Optimizer step"),
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
    total, capacity = figures.both(now.total_bytes), now.capacity_bytes
    found = [" = ".join(total)]
    if capacity is not None:
        found.append(labelled(now.chip.name.partition(" (")[0], " = ".join(figures.both(capacity)[::-1])))
    if isinstance(now.result, Training):
        found.append(_("checkpoint on disk {bytes}").format(bytes=units.binary(float(now.result.checkpoint_bytes))))
        host = float(now.result.host_bytes)
        found.append(_("host memory {bytes} per GPU").format(bytes=units.binary(host)) if host else _("no host memory"))
        found += [
            labelled(
                figures.part_name(part),
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


# -- the figures -------------------------------------------------------------------------------------------------------------------


def _drawn(now: Estimate, view: View, found: tuple[Fix, ...], kept: Estimate | None) -> tuple[Any, Any]:
    """The figure of the view, and what makes the rows of its table."""
    if view.show == "map":
        grid = work_map(now) if view.across == "work" else layout_map(now)
        return _heat(now, view, grid), partial(_map_table, grid)
    rows = _phases(now) if view.show == "timeline" else _bars(now, found, kept)
    name = _("GiB per GPU at each moment") if view.show == "timeline" else _("GiB per GPU at the peak")
    drawing = figures.stack(rows, name=name, capacity=_line(now), revision=f"{view.show}-{now.case.job}")
    return drawing, partial(_table, tuple(rows))


def _line(now: Estimate) -> tuple[str, float] | None:
    if now.capacity_bytes is None:
        return None
    return labelled(now.chip.name.partition(" (")[0], units.binary(now.capacity_bytes)), now.capacity_bytes


def title(case: Job, name: str) -> str:
    """A case in a few words."""
    return _("{job} {model}, batch {batch} × {context} tokens").format(
        job=job_names()[case.job], model=name, batch=f"{case.batch:,}", context=f"{case.context:,}"
    )


def _bars(now: Estimate, found: tuple[Fix, ...], kept: Estimate | None) -> list[figures.MemoryBar]:
    gpus = _("{n} GPUs").format(n=f"{now.gpus:,}") if now.gpus > 1 else ""
    rows = [figures.MemoryBar(title(now.case, now.arch.name), now.parts, gpus, now.total_bytes * now.band)]
    if kept is not None:
        rows.append(figures.MemoryBar(title(kept.case, kept.arch.name), kept.parts, _("kept to compare")))
    rows += [figures.MemoryBar(change(fix), fix.parts, _("fits") if fix.fits else "") for fix in found]
    return rows


def _phases(now: Estimate) -> list[figures.MemoryBar]:
    if isinstance(now.result, Training):
        peak = now.result.peak_phase
        return [
            figures.MemoryBar(_(PHASE_NAMES[phase]), _with_order(held), _("the peak") if phase == peak else "", 0.0)
            for phase, held in now.phases.items()
        ]
    return [figures.MemoryBar(_("{n} tokens").format(n=f"{n:,}"), held) for n, held in now.at_contexts().items()]


def _with_order(held: Mapping[str, float]) -> dict[str, float]:
    return {part: held.get(part, 0.0) for part in figures.PARTS}


def _heat(now: Estimate, view: View, grid: Map) -> Any:
    where = {name: getattr(now.case, name) for name in (grid.row, grid.column)}
    where["chips"] = now.gpus
    here = (grid.rows.index(where[grid.row]), grid.columns.index(where[grid.column])) if _inside(grid, where) else None
    columns = tuple(_tick(grid.column, value) for value in grid.columns)
    rows = tuple(_tick(grid.row, value) for value in grid.rows)
    cells = tuple(tuple(float(v) if np.isfinite(v) else None for v in line) for line in grid.bytes)
    ids = tuple(tuple(f"{grid.column}={column}&{grid.row}={row}" for column in grid.columns) for row in grid.rows)
    name = _("{row} · in each cell GiB per GPU; uncoloured: does not fit").format(row=label(grid.row))
    return figures.heat(
        figures.Grid(columns, rows, cells, ids, here),
        name=name,
        across=label(grid.column),
        capacity=_line(now),
        revision=f"map-{view.across}-{now.case.job}",
    )


def _inside(grid: Map, where: Mapping[str, Any]) -> bool:
    return where[grid.row] in grid.rows and where[grid.column] in grid.columns


def _tick(name: str, value: Any) -> str:
    if name in ("zero", "format"):
        return f"ZeRO {value}" if name == "zero" else str(value)
    return f"{value // 1024:,}k" if name == "context" and value % 1024 == 0 else f"{value:,}"


def pick(cell: str) -> dict[str, Any]:
    """A cell of the map as the parameters that it stands for.

    >>> pick("batch=4&context=8192")
    {'batch': 4, 'context': 8192}
    """
    pairs = (part.partition("=") for part in cell.split("&"))
    return {name: int(value) if value.isdigit() else value for name, _is, value in pairs if name in ("batch", "context", "chips", "zero", "format")}


# -- tables ------------------------------------------------------------------------------------------------------------------------


def _table(rows: tuple[figures.MemoryBar, ...]) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("configuration"): row.label,
            _("part"): figures.part_name(part),
            "GiB": size / units.GIB,
            "GB": size / units.GB,
            _("bytes"): size,
        }
        for row in rows
        for part, size in row.parts.items()
        if size
    )


def _map_table(grid: Map) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            label(grid.row): row,
            label(grid.column): column,
            "GiB": float(grid.bytes[i][j]) / units.GIB,
            "GB": float(grid.bytes[i][j]) / units.GB,
            _("bytes"): float(grid.bytes[i][j]),
            "id": f"{grid.column}={column}&{grid.row}={row}",
        }
        for i, row in enumerate(grid.rows)
        for j, column in enumerate(grid.columns)
    )


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


def compared(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """The kept configuration and this one side by side: the settings that differ, then the bytes of each part; empty where none is kept."""
    if not view.against:
        return ()
    try:
        other = unpack(view.against)
        now, kept = estimate(case), estimate(other)
    except InputError:
        return ()
    first, second, what = _("kept"), _("now"), _("what")
    rows: list[dict[str, object]] = [
        {what: label(name), first: said(name, other), second: said(name, case)} for name in SETTINGS if getattr(case, name) != getattr(other, name)
    ]
    every = [part for part in figures.PARTS if now.parts.get(part) or kept.parts.get(part)]
    rows += [{what: figures.part_name(p), first: units.binary(kept.parts.get(p, 0.0)), second: units.binary(now.parts.get(p, 0.0))} for p in every]
    rows.append({what: _("in all, per GPU"), first: " = ".join(figures.both(kept.total_bytes)), second: " = ".join(figures.both(now.total_bytes))})
    rows.append({what: _("runs out of memory"), first: _(VERDICTS[kept.verdict][1]), second: _(VERDICTS[now.verdict][1])})
    return tuple(rows)
