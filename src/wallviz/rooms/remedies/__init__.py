"""The remedies page's answers: what can be done about a job that does not fit or is too slow, what it costs, who measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial, reduce
from typing import Any

from wallviz import catalog, units
from wallviz.engine.advice.record import brief, long
from wallviz.engine.remedies import published
from wallviz.engine.remedies.effect import Effect, find, waterfall
from wallviz.engine.remedies.plan import Plan, plan, way_of
from wallviz.engine.remedies.published import GRADES
from wallviz.engine.remedies.remedy import SECTIONS, Remedy
from wallviz.engine.scaleout.phrases import served_split, split
from wallviz.errors import InputError
from wallviz.figures import remedies as figures
from wallviz.i18n import _, bracketed, inside, labelled, language, listing, qualified
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.advice import changes, fixes, known, setup
from wallviz.rooms.remedies.choices import View, draft, groups

__all__ = ["RemedyCard", "View", "answer", "cards", "every", "evidence_rows", "groups", "offered", "planned"]

MOST = 6
"""Remedies that are offered at first."""
LOSSLESS = 0.0005
"""The share of quality up to which hardly any is lost: what makes a job faster at no more than that is proposed first."""
SOURCES = {
    "train": ("zero_2020", "korthikanti_2022", "chen_2016", "flash_attention_2022", "fp8_lm_2023"),
    "finetune": ("zero_2020", "korthikanti_2022", "chen_2016", "qlora_2023"),
    "infer": ("llama_cpp", "awq_2023", "sparsegpt_2023", "wanda_2023", "kivi_2024", "gear_2024", "gqa_2023", "leviathan_2022", "gpt_fast"),
}


@lru_cache(maxsize=256)
def planned(case: Job, view: View) -> Plan:
    """Everything about a case but what was chosen to be applied; raises InputError for what cannot run."""
    return plan(setup(case), published=known(), draft=draft(view), fixes=fixes(case))


def _plain(view: View) -> View:
    """Without what does not change the plan."""
    return replace(
        view, apply=(), show="memory", order="chosen", every=False, figure="waterfall", trials=81, eta=3, median=-22, spread=4, scale=0, critical=4000
    )


@dataclass(frozen=True)
class Chosen:
    """The steps that are drawn: those that were chosen, or as long as nothing was, those that are proposed."""

    steps: tuple[Effect, ...]
    proposed: bool
    problems: tuple[str, ...] = ()


def _chosen(found: Plan, view: View) -> Chosen:
    if not view.apply:
        way = found.way or (way_of(found.fixes[0]) if found.fixes else None)
        return Chosen(way.steps if way is not None else found.ranked[:1], proposed=True)
    remedies: list[Remedy] = []
    problems: list[str] = []
    for name in view.apply:
        try:
            remedy = find(name)
        except InputError as error:
            problems.append(str(error))
            continue
        if remedy.figure:
            why = _("published, not computed: its cases stand in a figure") if remedy.figure == "plane" else _("it changes the whole run, not a step")
            problems.append(labelled(_(remedy.name), why))
        else:
            for old in [one for one in remedies if one.group == remedy.group]:  # two formats of the same weights, two stages of ZeRO
                problems.append(_("{new} takes the place of {old}: both change the same thing.").format(new=_(remedy.name), old=_(old.name)))
                remedies.remove(old)
            remedies.append(remedy)
    if view.order != "chosen":
        alone = {e.remedy.id: e for e in found.every}

        def worth(remedy: Remedy) -> tuple[float, ...]:
            effect = alone.get(remedy.id)
            return () if effect is None else (-effect.saves_bytes,) if view.order == "largest" else effect.price(found.losses)

        remedies.sort(key=worth)
    done: tuple[Effect, ...] = ()
    for remedy in remedies:
        try:
            done = (*done, *waterfall(done[-1].setup if done else found.setup, [remedy], draft(view)))
        except InputError as error:
            problems.append(str(error))
    return Chosen(done, proposed=False, problems=tuple(problems))


def answer(case: Job, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, replace(view, figure="waterfall"), language())


@lru_cache(maxsize=512)
def _answer(case: Job, view: View, _language: str) -> Answer:
    try:
        found = planned(case, _plain(view))
    except InputError as error:
        return Answer("remedies", str(error), None, sure=_("cannot run"), trust="red")
    chosen = _chosen(found, view)
    last = chosen.steps[-1].after if chosen.steps and not chosen.proposed else found.now
    holds = _holds(found, chosen) if not chosen.proposed else found.capacity_bytes
    trust, verdict = (
        ("gray", _("capacity unknown"))
        if holds is None
        else ("green", _("fits"))
        if (last or found.now).bytes * (1.0 + (last or found.now).error_band) <= holds
        else ("orange", _("may not fit"))
        if (last or found.now).bytes <= holds
        else ("red", _("does not fit"))
    )
    bars = _bars(found, chosen, view)
    drawing = figures.waterfall(
        bars,
        name=_("GiB per GPU at the peak")
        if view.show == "memory"
        else (_("{unit} per token, at least") if found.setup.serves else _("{unit} per step, at least")),
        role="memory" if view.show == "memory" else "compute",
        unit="GiB" if view.show == "memory" else "s",
        limit=_limit(found, holds) if view.show == "memory" else None,
        revision=f"{view.show}-{case.job}",
    )
    return Answer(
        name="remedies",
        sentence=_sentence(found, chosen),
        drawing=drawing,
        sure=verdict,
        trust=trust,
        caption=_caption(found, chosen),
        actions=_actions(case, found, view),
        advice=found.fixes[0].changes if found.fixes else (),
        facts={"bytes": found.now.bytes, "tokens_per_s": found.now.tokens_per_s},
        explain=partial(_why, found, chosen),
        doubt=partial(_how_sure, found),
        problems=chosen.problems,
        rows=partial(_rows, found, chosen),
        sources=tuple(source for source in SOURCES[case.job] if source in catalog.sources()),
    ).with_spec()


# -- the takeaway ------------------------------------------------------------------------------------------------------------------


def _sentence(found: Plan, chosen: Chosen) -> str:
    if not chosen.steps:
        return _("Nothing in this list helps here: {reason}.").format(
            reason=_("it fits, and no remedy makes it faster") if found.fits else _("too little is saved")
        )
    what = _joined(chosen.steps)
    change = _change(chosen.steps, found)
    quality = _quality(chosen.steps, found)
    if not chosen.proposed:
        after = chosen.steps[-1].after or chosen.steps[-1].before
        holds = _holds(found, chosen)
        end = _("fits") if holds is not None and after.bytes <= holds else _("does not fit") if holds is not None else units.binary(after.bytes)
        return _("{what}: {change}: {end}; {quality}.").format(what=what, change=change, end=end, quality=quality)
    if found.way is not None and not found.setup.serves and found.setup.gpus > 1:
        return _("Cheapest way to fit at this split: {what}, {change}; {quality}.").format(what=what, change=change, quality=quality)
    if found.way is not None:
        return _("Cheapest way to fit: {what}, {change}; {quality}.").format(what=what, change=change, quality=quality)
    if found.fits or found.capacity_bytes is None:
        lost = [found.losses.get(s.remedy.id, s.remedy.toll) for s in chosen.steps]
        if max(lost) <= LOSSLESS:
            return _("It fits; faster at hardly any loss: {what}, {change}; {quality}.").format(what=what, change=change, quality=quality)
        return _("It fits; fastest: {what}, {change}; {quality}.").format(what=what, change=change, quality=quality)
    return _("No way to fit was found; the most one remedy does: {what}, {change}.").format(what=what, change=change)


def _joined(steps: Sequence[Effect]) -> str:
    if len(steps) > 2:
        said = [brief(s.remedy.id) for s in steps]
        return _("{n} remedies").format(n=len(steps)) if long(said, 5) else listing(said)
    return " + ".join(name if i == 0 else inside(name) for i, name in enumerate(_(s.remedy.name) for s in steps))


def _change(steps: Sequence[Effect], found: Plan) -> str:
    first, last = steps[0].before, steps[-1].after or steps[-1].before
    saved = first.bytes - last.bytes
    size = f"{'−' if saved >= 0 else '+'}{units.binary(abs(saved))}"
    factor = last.time_s / first.time_s
    more = steps[-1].setup.gpus / found.setup.gpus
    if abs(factor - 1.0) < 0.005:
        time = _("no more time")
    elif found.setup.serves:
        time = _("{before} → {after} tokens/s").format(before=units.significant(first.tokens_per_s), after=units.significant(last.tokens_per_s))
    else:
        time = _("{share} time").format(share=_percent(factor - 1.0))
    return qualified(size, time, _("{factor} the GPUs").format(factor=units.times(more)) if more > 1 else "")


def _percent(share: float) -> str:
    return f"{'+' if share >= 0 else '−'}{units.significant(abs(share) * 100, 2)}{units.THIN}%"


def _quality(steps: Sequence[Effect], found: Plan) -> str:
    """The worst of what the steps lose: as published where it was, else as judged."""
    published = max((found.losses[s.remedy.id] for s in steps if s.remedy.id in found.losses), default=0.0)
    judged = max((s.remedy.toll for s in steps if s.remedy.id not in found.losses), default=0.0)
    if judged > max(published, LOSSLESS):
        return _("quality loss judged: {share}").format(share=f"{units.significant(judged * 100, 2)}{units.THIN}%")
    return _quality_lost(published) if published else _("no quality cost reported")


def _quality_lost(share: float) -> str:
    return _("published quality loss {share}, on other models").format(share=f"{units.significant(share * 100, 2)}{units.THIN}%")


def _caption(found: Plan, chosen: Chosen) -> str:
    line = found.setup.chip.memory_bytes_per_s or 0.0
    last = chosen.steps[-1] if chosen.steps else None
    moved = (last.after or last.before).moved_bytes if last else found.now.moved_bytes
    said = [
        _("moved each step: {before} → {after}").format(before=units.si(found.now.moved_bytes, "B"), after=units.si(moved, "B")),
        _("the bandwidth line stays at {rate}").format(rate=units.si(line, "B/s"))
        if last is None or last.setup.chip is found.setup.chip
        else _("the bandwidth line moves to {rate}: hardware").format(rate=units.si(last.setup.chip.memory_bytes_per_s or 0.0, "B/s")),
        _("times as expected at the shares that kernels reach, with waiting for links and slot"),
    ]
    said.insert(0, labelled(_("split as it is"), _split(found)))
    if not found.setup.serves and found.setup.gpus > 1:
        said.append(_("tensor and pipeline splits are on the scale-out page, and may cost less"))
    if chosen.proposed:
        said.insert(0, _("proposed, nothing applied yet"))
    return " · ".join(said)


def _split(found: Plan) -> str:
    """How the job is split over its GPUs before anything is done, as the footprint page splits it."""
    now = found.setup
    if not now.serves:
        return split(now.run)
    names = ("tensor_parallel", "pipeline_parallel", "expert_parallel")
    return served_split({name: int(now.option(name, 1)) for name in names} | {"replicas": 1})


# -- the waterfall -----------------------------------------------------------------------------------------------------------------


def _holds(found: Plan, chosen: Chosen) -> float | None:
    return chosen.steps[-1].setup.chip.memory_bytes if chosen.steps else found.capacity_bytes


def _limit(found: Plan, holds: float | None) -> tuple[str, float] | None:
    return None if holds is None else (f"{found.setup.chip.name.partition(' (')[0]}: {units.binary(holds)}", holds)


def _bars(found: Plan, chosen: Chosen, view: View) -> list[figures.WaterfallBar]:
    memory = view.show == "memory"

    def said(value: float) -> str:
        return units.binary(value) if memory else units.duration(value)

    now = found.now.bytes if memory else found.now.time_s
    bars = [figures.WaterfallBar(_("As it is"), 0.0, now, said(now))]
    for step in chosen.steps:
        after = step.after or step.before
        start, end = (step.before.bytes, after.bytes) if memory else (step.before.time_s, after.time_s)
        sign = "−" if end <= start else "+"
        bars.append(
            figures.WaterfallBar(_(step.remedy.name), start, end, f"{sign}{said(abs(end - start))} · {_(step.remedy.costs)}", _(step.remedy.formula))
        )
    if chosen.steps:
        last = chosen.steps[-1].after or chosen.steps[-1].before
        end = last.bytes if memory else last.time_s
        bars.append(figures.WaterfallBar(_("Then"), 0.0, end, said(end)))
    return bars


def _rows(found: Plan, chosen: Chosen) -> tuple[Mapping[str, object], ...]:
    def row(name: str, o: Any, saved: float, saved_s: float) -> dict[str, object]:
        return {
            _("remedy"): name, "GiB": o.bytes / units.GIB, _("saves, GiB"): saved / units.GIB, _("seconds"): o.time_s, _("saves, seconds"): saved_s,
            _("moved, bytes"): o.moved_bytes, _("sent over links, bytes"): o.sent_bytes, _("over PCI Express, bytes"): o.slot_bytes,
            _("tokens/s"): o.tokens_per_s,
        }  # fmt: skip

    steps = [row(_(s.remedy.name), s.after or s.before, s.saves_bytes, s.saves_s) for s in chosen.steps]
    return (row(_("As it is"), found.now, 0.0, 0.0), *steps)


def _actions(case: Job, found: Plan, view: View) -> tuple[Action, ...]:
    made = []
    if found.way is not None:
        ids = tuple(step.remedy.id for step in found.way.steps)
        if ids != view.apply:
            made.append(
                Action(
                    labelled(_("Apply the cheapest way"), _joined(found.way.steps)),
                    _("Chooses these remedies"),
                    {"apply": ids, "order": "chosen"},
                    enough=True,
                )
            )
        if (sets := changes(case, found.way.fix)) is not None:
            made.append(Action(_("Run it so"), _("Changes your case: every page follows"), {**sets, "apply": ()}))
    for remedy in _with_figures(view):
        made.append(Action(labelled(_("Its figure"), _(remedy.name)), _(remedy.formula), {"figure": remedy.figure}))
    if view.apply:
        made.append(Action(_("Start again"), _("Takes every remedy off"), {"apply": ()}))
        if len(view.apply) > 1 and view.order == "chosen":
            moved = (*view.apply[1:], view.apply[0])
            made.append(Action(_("Move the first to the end"), _("The order matters: savings do not add"), {"apply": moved}))
    return tuple(made)


def _with_figures(view: View) -> list[Remedy]:
    """The chosen remedies that change no step, but the whole run: a figure shows them."""
    found = []
    for name in view.apply:
        try:
            remedy = find(name)
        except InputError:
            continue
        found += [remedy] if remedy.figure else []
    return found


# -- what is offered ---------------------------------------------------------------------------------------------------------------


def offered(case: Job, view: View) -> dict[str, str]:
    """The remedies that can be switched on, by id: those that matter most, and what is switched on; all of the job where every one is asked for."""
    try:
        found = planned(case, _plain(view))
    except InputError:
        return {}
    most = [e for e in found.every if e.after is not None or e.remedy.figure] if view.every else list(found.ranked[:MOST])
    chosen = []
    for name in view.apply:
        try:
            chosen.append(find(name).id)
        except InputError:
            continue
    ids = dict.fromkeys([*(e.remedy.id for e in most), *chosen])
    return {id: _(find(id).name) for id in ids}


@dataclass(frozen=True, slots=True)
class RemedyCard:
    """One remedy of the list: what it buys, what it costs, when it fails, who measured it. Texts in the language in use."""

    name: str
    buys: str
    costs: str
    fails: str
    measured: str
    on: bool = False


def cards(case: Job, view: View) -> tuple[RemedyCard, ...]:
    """The remedies that matter most to the case, at most six."""
    try:
        found = planned(case, _plain(view))
    except InputError:
        return ()
    return tuple(_card(e, found, on=e.remedy.id in view.apply) for e in found.ranked[:MOST])


def _card(e: Effect, found: Plan, *, on: bool) -> RemedyCard:
    size = f"{'−' if e.saves_bytes >= 0 else '+'}{units.binary(abs(e.saves_bytes))}"
    moved = "" if abs(e.moved_factor - 1.0) < 0.005 else _("{share} bytes moved").format(share=_percent(e.moved_factor - 1.0))
    slower = e.time_factor - 1.0
    time = "" if abs(slower) < 0.005 else _("{share} time").format(share=_percent(slower))
    lost = found.losses.get(e.remedy.id)
    gains = [(size, e.saves_bytes > 0), (time, slower < 0), (moved, e.moved_factor < 1.0)]
    prices = [(size, e.saves_bytes < 0), (time, slower >= 0), (moved, e.moved_factor >= 1.0)]
    buys = qualified(*(said for said, counts in gains if counts)) or _("nothing here")
    more = [*(said for said, counts in prices if counts and said), _(e.remedy.costs), *([_quality_lost(lost)] if lost else [])]
    costs = reduce(lambda text, next_: _("{text}; {more}").format(text=text, more=next_), more)
    cases = found.evidence.get(e.remedy.id, ())
    measured = labelled(_(GRADES[cases[0].grade]), _(cases[0].setting)) if cases else _alone(e.remedy.id)
    if e.remedy.default_on:
        measured += f" · {_(e.remedy.default_on)}"
    return RemedyCard(_(e.remedy.name), buys, costs, _(e.remedy.fails), measured, on)


def _alone(id: str) -> str:
    """What was published of a remedy without a case of its own, in words: its metric before and after, and where."""
    rows = published.alone(id, catalog.evidence().values())
    if not rows:
        return _("nothing published in our table: computed")
    row = rows[0]
    values = " → ".join(_quantity(value, row.unit) for value in (row.baseline, row.value) if value is not None)
    said = f"{_(row.metric)} {values}"
    return labelled(_(GRADES[published.grade(row)]), bracketed(said, _(row.setting)) if row.setting else said)


#: How the units of the table are written; a ratio has none.
_UNITS = {"bytes/s": "B/s", "bytes": "B", "ratio": ""}


def _quantity(value: float, unit: str) -> str:
    if unit == "parameters":
        return units.count(value)
    return units.significant(value) if unit in ("ratio", "chips", "tokens/GPU") else units.si(value, _UNITS.get(unit, unit))


# -- the drawers -------------------------------------------------------------------------------------------------------------------


def _why(found: Plan, chosen: Chosen) -> str:
    lines = [
        _("Every step is computed anew by the same calculators as the footprint and roofline pages, in this order: savings do not add."),
        "",
        *(
            _("- **{remedy}**: {formula}. {before} → {after} per GPU; {t0} → {t1}; moved {m0} → {m1}.").format(
                remedy=_(s.remedy.name),
                formula=_(s.remedy.formula),
                before=units.binary(s.before.bytes),
                after=units.binary((s.after or s.before).bytes),
                t0=units.duration(s.before.time_s),
                t1=units.duration((s.after or s.before).time_s),
                m0=units.si(s.before.moved_bytes, "B"),
                m1=units.si((s.after or s.before).moved_bytes, "B"),
            )
            for s in chosen.steps
        ),
        "",
        _(
            "**None of these moves the bandwidth line itself.** {chip} moves {rate}, before and after; a remedy only moves fewer bytes, or the same "
            "ones less often. Only hardware moves the line."
        ).format(chip=found.setup.chip.name, rate=units.si(found.setup.chip.memory_bytes_per_s or 0.0, "B/s")),
        "",
        _(
            "time = chip + links + slot: the roofline's Σ max(FLOP/peak, bytes/bandwidth) and the optimizer's update; rings over the links; PCI "
            "Express. Nothing hides behind anything: an upper bound of the waiting, a lower one of the work."
        ),
    ]
    places = {"chip": _("chip"), "links": _("links"), "slot": _("PCI Express"), "bubble": _("pipeline bubble")}
    lines += ["", labelled(_("Now"), listing(f"{places[name]} {units.duration(s)}" for name, s in found.now.seconds.items() if s))]
    return "\n".join(lines)


def _how_sure(found: Plan) -> str:
    band = found.now.error_band
    count = sum(len(found.evidence.get(e.remedy.id, ())) for e in found.every)
    failed = sum(case.failed for e in found.every for case in found.evidence.get(e.remedy.id, ()))
    return "\n\n".join(
        (
            _(
                "Bytes: within {band} of measured runs (accuracy page). Times: bounds of the hardware, not predictions; compare them with each other."
            ).format(band=f"{band:.0%}"),
            _(
                "{n} published cases stand behind the remedies of this job, {failed} of them failures (quality down by a fifth or more: our line). "
                "Medians of them are the quality that is said."
            ).format(n=count, failed=failed),
        )
    )


def evidence_rows(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """Each published point of the job's remedies: what was tested, what it saved and cost, who measured it."""
    try:
        found = planned(case, _plain(view))
    except InputError:
        return ()
    return tuple(
        {
            _("remedy"): _(e.remedy.name),
            _("tested on"): _(point.setting),
            _("saved"): _share(point.saved) if point.how_saved == "published" else bracketed(_share(point.saved), _("counted")),
            _("time"): _signed(point.time),
            _("quality lost"): bracketed(_signed(point.quality), _(point.metric)) if point.metric else _signed(point.quality),
            _("traffic"): _signed(point.traffic),
            _("failed"): _("yes") if point.failed else "",
            _("who"): _(GRADES[point.grade]),
            _("source"): ", ".join(catalog.sources()[s].title for s in point.source.split(";") if s in catalog.sources()),
        }
        for e in found.every
        for point in found.evidence.get(e.remedy.id, ())
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.1%}".replace("-", "−")


def every(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """Every remedy of the job, grouped: what it does here, its price as a formula, where it is on by default, or why it is not for this case."""
    try:
        found = planned(case, _plain(view))
    except InputError:
        return ()
    order = list(SECTIONS)
    return tuple(
        {
            _("group"): _(SECTIONS[e.remedy.section]),
            _("remedy"): _(e.remedy.name),
            _("saves"): units.binary(e.saves_bytes) if e.after is not None else "–",
            _("time"): _percent(e.time_factor - 1.0) if e.after is not None else "–",
            _("moved"): _percent(e.moved_factor - 1.0) if e.after is not None else "–",
            _("price"): _(e.remedy.formula),
            _("fails when"): _(e.remedy.fails),
            _("by default"): _(e.remedy.default_on),
            _("not here"): e.reason,
        }
        for e in sorted(found.every, key=lambda e: order.index(e.remedy.section))
    )
