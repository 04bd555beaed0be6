"""Time at each level: the ladder, the same in human time, and machines side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from wallviz import catalog, units
from wallviz.engine.hierarchy.ladder import TRANSFERS, Ladder, Rung, half_performance_bytes, ladder
from wallviz.engine.hierarchy.size import written
from wallviz.figures.axes import HUMAN, Axis, human, said
from wallviz.figures.bars import Bar, Mark, bars, value
from wallviz.figures.strips import Spot, Strip, strips
from wallviz.i18n import N_, _, bracketed, closed, followed, labelled, listing
from wallviz.job import Job
from wallviz.machine import own as own_machine
from wallviz.rooms import Answer
from wallviz.rooms.hierarchy.choices import View, durations, levels, size_bytes, size_said
from wallviz.rooms.hierarchy.choices import machine as machine_called

#: The transfers as they stand beside their outline, in two lines.
TITLES = {
    "chip": N_("In the chip: logic<br>to on-chip memory"), "memory": N_("Logic to DRAM"), "peers": N_("Chip to chip:<br>socket to socket"),
    "machines": N_("Machine<br>to machine"), "storage": N_("To disk"),
}  # fmt: skip
#: Colour by transfer: on-chip memory, DRAM, links, disks.
ROLES = {"chip": "memory", "memory": "bandwidth", "peers": "network", "machines": "network", "storage": "reference"}
KINDS = {
    "vendor": N_("data sheet"), "derived": N_("derived from clock and width"), "measured": N_("measured"), "model": N_("model"),
    "theoretical": N_("theoretical"),
}  # fmt: skip
MISSING = {"capacity": N_("capacity"), "bandwidth": N_("bandwidth"), "latency": N_("latency"), "energy": N_("energy")}


def of(view: View, size: float, machine: str = "", *, more: bool | None = None) -> Ladder:
    """The ladder that the view shows."""
    id = machine or view.machine
    found = ladder(machine_called(id), size, levels(id), catalog.links().values(), catalog.chips(), basis=view.basis)
    shown = view.more if more is None else more
    return Ladder(found.machine, tuple(rung for rung in found.rungs if shown or not rung.expert), size, found.basis)


def chosen(found: Ladder) -> list[Rung]:
    """The rungs that the sentence names, nearest first: the main memory and the next link out of the chip, then the farthest before the network."""
    memory = found.main_memory
    timed = [rung for rung in found.rungs if rung.bytes_per_s]
    if memory is None:
        return timed[:3]
    beyond = [rung for rung in timed if rung.order > memory.order and rung.transfer in ("peers", "machines", "storage")]
    links = [rung for rung in beyond if rung.transfer == "peers"]
    far = [*links[:1], *links[-1:]] if len(links) > 1 else [*links, *[rung for rung in beyond if rung not in links][:1]]
    near = [rung for rung in timed if rung.order < memory.order]
    few = [*([near[-1]] if near and len(far) < 2 else []), *([near[0]] if len(near) > 1 and not far else [])]
    return sorted({rung.order: rung for rung in (memory, *far, *few)}.values(), key=lambda rung: rung.order)[:3]


def short(rung: Rung) -> str:
    """A rung's name as a sentence says it."""
    return _(rung.name).partition(" x16")[0].partition(",")[0].removesuffix(".0").partition(" (")[0].partition("（")[0]


def _piece(rung: Rung, time: str) -> str:
    if rung.transfer == "machines":
        return _("{time} over the network").format(time=time)
    return (_("{time} over {name}") if rung.is_link else _("{time} from {name}")).format(time=time, name=short(rung))


MOST_WORDS = 25
"""Of a takeaway; a long name of a model is left to the figure's axis."""
#: A link waits about a microsecond (1.04 us on InfiniBand, 1 us a hop of ICI): a tenth of what is shorter than ten is the latency's.
SHORT_S = 1e-5


def _waited(rung: Rung, size: float, text: str) -> str:
    """A time, with what is not in it: the latency that nobody published, where it would be seen."""
    return _("{time} + latency").format(time=text) if rung.latency_s is None and (rung.time_s(size) or 1.0) < SHORT_S and rung.is_link else text


def _sentence(found: Ladder, said: str, size: float) -> str:
    rungs = chosen(found)
    if not rungs:
        return _("No source gives a bandwidth of {machine}: choose another machine.").format(machine=_(found.machine.name))
    texts = durations([rung.time_s(size) or 0.0 for rung in rungs])
    parts = [_piece(rung, _waited(rung, size, text)) for rung, text in zip(rungs, texts, strict=True)]
    sentence = _("{size} takes {times}.").format(size=said, times=listing(parts))
    if len(sentence.split()) <= MOST_WORDS:
        return sentence
    return _("{size} takes {times}.").format(size=written(size), times=listing(parts))


def answer(case: Job, view: View) -> Answer:
    """The ladder of one machine with the time of the size at each rung."""
    size, told = size_bytes(case, view.size), size_said(case, view.size)
    found = of(view, size)
    home = found.nearest_home
    rows = [_bar(rung, found, home) for rung in found.rungs]
    timed = [rung for rung in found.rungs if rung.bytes_per_s]
    name = _("Time for {size} (log scale: each line is ×10)") if view.scale == "log" else _("Time for {size}")
    axis = Axis(closed(name.format(size=told)), said("time"), log=view.scale == "log")
    drawing = bars(rows, axis, revision=f"ladder-{view.machine}", groups=[(group, _(title)) for group, title in TITLES.items()])
    measured = sum(rung.kind == "measured" for rung in timed)
    missing = sum(len(rung.missing) for rung in found.rungs)
    return Answer(
        name="hierarchy",
        sentence=closed(_sentence(found, told, size)),
        drawing=drawing if timed else None,
        sure=_("{n} of {all} rates measured").format(n=measured, all=len(timed))
        if view.basis == "measured" or measured == len(timed)
        else _("data-sheet rates: a bound"),
        trust="green" if measured and (view.basis == "measured" or measured == len(timed)) else "orange",
        caption=_caption(found, home, missing),
        explain=partial(_why, found),
        doubt=partial(_how_sure, found),
        problems=(_(found.machine.note),) if found.machine.note else (),
        rows=partial(rung_table, found),
        sources=sources(found),
    )


def sources(*found: Ladder) -> tuple[str, ...]:
    """The origins of what is drawn, each once."""
    return tuple(dict.fromkeys(source for each in found for rung in each.rungs for source in rung.sources))


def _bar(rung: Rung, found: Ladder, home: Rung | None) -> Bar:
    time = rung.time_s(found.size_bytes)
    holds = rung.holds(found.size_bytes)
    label = _(rung.name) + (f" · {units.binary(rung.capacity_bytes)}" if rung.capacity_bytes else "")
    if time is None:
        end = _("not measured") if own_machine.is_own(found.machine.id) else _("no bandwidth in the sources")
    else:
        end = _waited(rung, found.size_bytes, units.si(time, "s", digits=2))
        if rung is home:
            end += " · " + _("✓ it fits here")
        elif holds is False:
            end += " · " + _("too small")
    others = {r.bytes_per_s: r for r in rung.readings[1:] if abs(r.bytes_per_s / rung.readings[0].bytes_per_s - 1) > 0.01}
    marks = tuple(
        Mark(
            found.size_bytes / rate + (rung.latency_s or 0.0),
            f"{units.si(rate, 'B/s')} · {_(KINDS.get(reading.kind, reading.kind))} · {reading.device}",
            filled=reading.kind == "measured",
        )
        for rate, reading in others.items()
    )
    how = [units.si(rung.bytes_per_s, "B/s") if rung.bytes_per_s else "", _(KINDS.get(rung.kind, rung.kind))]
    how.append(_("latency {time}").format(time=units.si(rung.latency_s, "s")) if rung.latency_s else _("latency not published"))
    hover = (" · ".join(h for h in how if h), titles(rung.sources))
    return value(rung.id, label, ROLES[rung.transfer], time, end, solid=holds is not False, marks=marks, hover=hover, group=rung.transfer)


def titles(ids: tuple[str, ...]) -> str:
    """The names of sources."""
    return "; ".join(catalog.sources()[id].title for id in ids[:3])


def _caption(found: Ladder, home: Rung | None, missing: int) -> str:
    memory = found.main_memory
    byte = (
        _("A single byte from {level} arrives after {time}.").format(level=_(memory.name), time=units.si(memory.latency_s, "s"))
        if memory is not None and memory.latency_s
        else ""
    )
    fits = closed(_("It fits first into {level}.").format(level=_(home.name))) if home else _("No level here is known to hold it.")
    pale = _("Pale: too small for it.") if any(rung.holds(found.size_bytes) is False for rung in found.rungs) else ""
    gaps = _("{n} figures are missing in the sources (see How sure).").format(n=missing) if missing else ""
    marks = _("Diamonds: what other sources say.") if any(len(rung.readings) > 1 for rung in found.rungs) else ""
    return followed(byte, fits, pale, marks, gaps, _("Links one way."))


def _why(found: Ladder) -> str:
    lines = [_("**time = latency + bytes / bandwidth**, each level by itself; a latency that nobody published counts as nothing."), ""]
    for rung in chosen(found):
        latency, rate = rung.latency_s or 0.0, rung.bytes_per_s or 1.0
        start = f"{units.si(latency, 's')} + " if latency else ""
        taken = units.si(rung.time_s(found.size_bytes) or 0.0, "s")
        lines.append("- " + labelled(f"**{_(rung.name)}**", f"{start}{found.size_bytes:,.0f} B / {units.si(rate, 'B/s')} = {taken}"))
        if latency:
            lines.append(
                "  - "
                + _("Below {size} the latency takes longer than the bytes: that much must be under way to keep it busy.").format(
                    size=units.si(float(half_performance_bytes(rate, latency)), "B")
                )
            )
    lines += ["", _("The three transfers of the source article are outlined: logic to on-chip memory, logic to DRAM, socket to socket.")]
    return "\n".join(lines)


def _how_sure(found: Ladder) -> str:
    lines = [
        _("What was measured beside what is promised:"),
        "",
        f"| {_('level')} | {_('promised')} | {_('measured')} | {_('reached')} |",
        "|---|--:|--:|--:|",
    ]
    pairs = 0
    for rung in found.rungs:
        promised = [r for r in rung.readings if r.kind != "measured"]
        seen = [r for r in rung.readings if r.kind == "measured"]
        for reading in seen:
            best = promised[0].bytes_per_s if promised else None
            reached = units.percent(reading.bytes_per_s / best) if best else "–"
            lines.append(f"| {_(rung.name)} | {units.si(best, 'B/s') if best else '–'} | {units.si(reading.bytes_per_s, 'B/s')} | {reached} |")
            pairs += 1
    if not pairs:
        lines = [_("Nobody in the sources measured this machine: every rate is a data sheet's.")]
    lines += ["", _("Not in any source, and left out:")]
    lines += [f"- {labelled(_(rung.name), listing(_(MISSING[m]) for m in rung.missing))}" for rung in found.rungs if rung.missing]
    notes = [(_(rung.name), note) for rung in found.rungs for note in rung.notes]
    lines += ["", *(f"- {labelled(name, _(note))}" for name, note in notes)]
    return "\n".join(lines)


def rung_table(found: Ladder) -> tuple[Mapping[str, object], ...]:
    """One row a rung, every number."""
    memory = found.main_memory
    base = memory.time_s(found.size_bytes) if memory else None
    rows = []
    for rung in found.rungs:
        time = rung.time_s(found.size_bytes)
        rows.append(
            {
                _("level"): _(rung.name),
                _("transfer"): _(TRANSFERS[rung.transfer]),
                _("capacity (B)"): rung.capacity_bytes,
                _("fits"): {True: _("yes"), False: _("no"), None: None}[rung.holds(found.size_bytes)],
                _("bandwidth (B/s)"): rung.bytes_per_s,
                _("how obtained"): _(KINDS.get(rung.kind, rung.kind)),
                _("promised (B/s)"): next((r.bytes_per_s for r in rung.readings if r.kind in ("vendor", "theoretical", "derived")), None),
                _("measured (B/s)"): next((r.bytes_per_s for r in rung.readings if r.kind == "measured"), None),
                _("other sources (B/s)"): listing(bracketed(f"{r.bytes_per_s:.4g}", _(KINDS.get(r.kind, r.kind))) for r in rung.readings[1:]),
                _("latency (s)"): rung.latency_s,
                _("energy (J/B)"): rung.energy_j_per_byte,
                _("time (s)"): time,
                _("times main memory"): time / base if time and base else None,
                _("source"): "; ".join(catalog.sources()[id].title for id in rung.sources),
            }
        )
    return tuple(rows)


# -- human time --------------------------------------------------------------------------------------------------------------------


def slowed(case: Job, view: View) -> Answer:
    """The ladder slowed down until the main memory takes a second."""
    size, told = size_bytes(case, view.size), size_said(case, view.size)
    found = of(view, size)
    memory = found.main_memory
    base = memory.time_s(size) if memory else None
    if memory is None or not base:
        return answer(case, view)
    access, log = memory.latency_s, view.scale == "log"
    rows = []
    for rung in found.rungs:
        time = rung.time_s(size)
        slow = time / base if time else None
        waits = rung.latency_s / access if rung.latency_s and access else None
        text = human(slow) if slow else _("no bandwidth in the sources")
        if waits:
            text += " · " + _("one access {time}").format(time=human(waits))
        marks = (Mark(waits, _("one access: {time}").format(time=human(waits)), filled=False),) if waits else ()
        hover = (titles(rung.sources),)
        rows.append(value(rung.id, _(rung.name), ROLES[rung.transfer], slow, text, marks=marks, hover=hover, group=rung.transfer))
    timed = [rung for rung in found.rungs if rung.time_s(size) and rung is not memory]
    far = max(timed, key=lambda rung: rung.time_s(size) or 0.0, default=None)
    near = min(timed, key=lambda rung: rung.time_s(size) or 0.0, default=None)
    template = _("If {size} from {memory} took one second, {far} would take {long} and {near} {brief}.")
    if far is near:
        template = _("If {size} from {memory} took one second, {far} would take {long}.")
    sentence = template.format(
        size=told,
        memory=short(memory),
        far=short(far) if far else "",
        long=human((far.time_s(size) or 0.0) / base) if far else "",
        near=short(near) if near else "",
        brief=human((near.time_s(size) or 0.0) / base) if near else "",
    )
    caption = (
        _("Bars: {size}, slowed down {times}. Open diamonds: one access, where one access to {memory} takes a second.")
        if access
        else _("Bars: {size}, slowed down {times}.")
    )
    return Answer(
        name="hierarchy",
        sentence=closed(sentence),
        drawing=bars(
            rows,
            Axis(_("If {memory} took a second").format(memory=short(memory)), said("human"), log=log, lines=HUMAN if log else ()),
            revision=f"human-{view.machine}",
            groups=[(group, _(title)) for group, title in TITLES.items()],
        ),
        sure=_("data-sheet rates: a bound") if view.basis == "peak" else _("measured where it was"),
        trust="orange",
        caption=caption.format(size=told, times=units.times(1 / base), memory=short(memory)),
        explain=partial(_why, found),
        doubt=partial(_how_sure, found),
        rows=partial(rung_table, found),
        sources=sources(found),
    )


# -- machines side by side ---------------------------------------------------------------------------------------------------------


#: One machine of each kind.
COMPARED = ("b200", "h100", "a100", "mi300x", "tpu-v5e", "wse-3", "rtx-4090", "apple-m1-pro", "xeon-8480", "epyc-zen-5")


def machines(case: Job, view: View) -> Answer:
    """The size at every level of every machine."""
    size, told = size_bytes(case, view.size), size_said(case, view.size)
    found = {id: of(view, size, id) for id in dict.fromkeys((*COMPARED, view.machine))}
    rows = [
        Strip(_(each.machine.name), tuple(_spot(id, each, rung) for rung in each.rungs if rung.bytes_per_s), strong=id == view.machine)
        for id, each in found.items()
        if any(rung.bytes_per_s for rung in each.rungs)
    ]
    memories = {id: each.main_memory for id, each in found.items() if each.main_memory and each.main_memory.transfer == "memory"}
    timed = sorted((memory.time_s(size) or 0.0, id) for id, memory in memories.items())
    (fast, quick), (slow, last) = timed[0], timed[-1]
    first, second = durations([fast, slow])
    return Answer(
        name="hierarchy",
        sentence=_("{size} takes {fast} from the memory of {quick}, {slow} from that of {last}.").format(
            size=written(size), fast=first, quick=_(found[quick].machine.name), slow=second, last=_(found[last].machine.name)
        ),
        drawing=strips(rows, Axis(closed(_("Time for {size}").format(size=told)), said("time"), log=view.scale == "log"), revision="machines"),
        sure=_("open: data sheet; filled: measured"),
        trust="orange",
        caption=" · ".join(f"{_SHAPES[group]} {_(title)}" for group, title in (*TRANSFERS.items(),) if group != "machines"),
        explain=partial(_why, found[view.machine]),
        doubt=partial(_how_sure, found[view.machine]),
        rows=partial(_machine_table, tuple(found.values())),
        sources=sources(*found.values()),
    )


_SHAPES = {"chip": "■", "memory": "◆", "peers": "▲", "storage": "–"}


def _spot(id: str, found: Ladder, rung: Rung) -> Spot:
    time = rung.time_s(found.size_bytes) or 0.0
    text = f"{bracketed(_(rung.name), units.si(rung.bytes_per_s or 0.0, 'B/s'))} · {units.si(time, 's')}"
    hover = (id, _(found.machine.name), text, _(KINDS.get(rung.kind, rung.kind)))
    return Spot(time, ROLES[rung.transfer], hover, filled=rung.kind == "measured")


def _machine_table(found: tuple[Ladder, ...]) -> tuple[Mapping[str, object], ...]:
    return tuple({_("machine"): _(each.machine.name)} | dict(row) for each in found for row in rung_table(each))
