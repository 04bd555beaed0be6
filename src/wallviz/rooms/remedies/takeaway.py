"""The takeaway: what the steps change and what they cost, in one sentence, and how the job is run in the caption."""

from __future__ import annotations

from collections.abc import Sequence

from wallviz import units
from wallviz.engine.advice.record import brief, long
from wallviz.engine.remedies.effect import Effect
from wallviz.engine.remedies.plan import Plan
from wallviz.engine.scaleout.phrases import served_split, split
from wallviz.i18n import _, inside, labelled, listing, qualified
from wallviz.rooms.remedies.steps import Chosen, capacity_bytes

LOSSLESS = 0.0005
"""The share of quality up to which hardly any is lost: what makes a job faster at no more than that is proposed first."""


def sentence(found: Plan, chosen: Chosen) -> str:
    """What the steps do, in one sentence."""
    if not chosen.steps:
        return _("Nothing in this list helps here: {reason}.").format(
            reason=_("it fits, and no remedy makes it faster") if found.fits else _("too little is saved")
        )
    what = joined(chosen.steps)
    change = _change(chosen.steps, found)
    quality = _quality(chosen.steps, found)
    if not chosen.proposed:
        after = chosen.steps[-1].after or chosen.steps[-1].before
        holds = capacity_bytes(found, chosen)
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


def joined(steps: Sequence[Effect]) -> str:
    """The steps' names, as many as a sentence has room for."""
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
        time = _("no extra time")
    elif found.setup.serves:
        time = _("{before} → {after} tokens/s").format(before=units.significant(first.tokens_per_s), after=units.significant(last.tokens_per_s))
    else:
        time = _("{share} time").format(share=changed(factor))
    return qualified(size, time, _("{factor} the GPUs").format(factor=units.times(more)) if more > 1 else "")


def changed(factor: float) -> str:
    """A factor as the change that it makes, in percent."""
    return units.percent(factor - 1.0, digits=2, signed=True)


def _quality(steps: Sequence[Effect], found: Plan) -> str:
    """The worst of what the steps lose: as published where it was, else as judged."""
    published = max((found.losses[s.remedy.id] for s in steps if s.remedy.id in found.losses), default=0.0)
    judged = max((s.remedy.toll for s in steps if s.remedy.id not in found.losses), default=0.0)
    if judged > max(published, LOSSLESS):
        return _("quality loss judged: {share}").format(share=units.percent(judged, digits=2))
    return quality_lost(published) if published else _("no quality cost reported")


def quality_lost(share: float) -> str:
    """A published loss of quality in words."""
    return _("published quality loss {share}, on other models").format(share=units.percent(share, digits=2))


def caption(found: Plan, chosen: Chosen) -> str:
    """How the job is run, what it moves before and after, and what the times are."""
    line = found.setup.chip.memory_bytes_per_s or 0.0
    last = chosen.steps[-1] if chosen.steps else None
    moved = (last.after or last.before).moved_bytes if last else found.now.moved_bytes
    said = [
        _("moved each step: {before} → {after}").format(before=units.si(found.now.moved_bytes, "B"), after=units.si(moved, "B")),
        _("the bandwidth line stays at {rate}").format(rate=units.si(line, "B/s"))
        if last is None or last.setup.chip is found.setup.chip
        else _("the bandwidth line moves to {rate}: hardware").format(rate=units.si(last.setup.chip.memory_bytes_per_s or 0.0, "B/s")),
        _("times as expected at the shares that kernels reach, with waiting for links and PCIe"),
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
