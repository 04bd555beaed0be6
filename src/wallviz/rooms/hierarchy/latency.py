"""The curve where the term began: Wulf and McKee's average access time by year, beside processors that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from wallviz import catalog, units
from wallviz.engine.hierarchy import latency
from wallviz.engine.hierarchy.ladder import Rung, ladder
from wallviz.engine.hierarchy.latency import WULF_MCKEE_1995, Assumptions
from wallviz.engine.hierarchy.machines import MACHINES
from wallviz.figures.axes import Axis, power
from wallviz.figures.plane import CrossLine, Dot, Line, plane
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.hierarchy.choices import View
from wallviz.rooms.hierarchy.times import titles

PAPER = "wulf_mckee_1995"
#: What the paper prints: cycles of an average access by year.
PRINTED = {2000: 1.52, 2005: 8.25, 2010: 98.8}
LAST = 2026
MOST_CYCLES = 1e6


def measured() -> tuple[tuple[str, int, Rung, Rung], ...]:
    """Processors whose first cache and DRAM were both timed: name, year, cache, memory."""
    found = []
    for machine in MACHINES.values():
        if machine.year is None:
            continue
        rungs = ladder(machine, 64.0, catalog.levels().values(), catalog.links().values(), catalog.chips()).rungs
        cache = next((rung for rung in rungs if rung.name.startswith("L1") and rung.latency_s), None)
        memory = next((rung for rung in rungs if rung.transfer == "memory" and rung.latency_s), None)
        if cache and memory:
            found.append((_(machine.name), machine.year, cache, memory))
    return tuple(sorted(found, key=lambda one: one[1]))


def ratio(cache: Rung, memory: Rung) -> float:
    """How many hits in the first cache one access to memory takes."""
    return (memory.latency_s or 0.0) / (cache.latency_s or 1.0)


def typical() -> tuple[str, int, Rung, Rung]:
    """The measured processor with the median ratio: one of them is a virtual machine, whose memory seems farther than it is."""
    found = sorted(measured(), key=lambda one: ratio(one[2], one[3]))
    return found[len(found) // 2]


def answer(case: Job, view: View) -> Answer:
    """Average access time by year: the paper's line, the reader's, and what was measured at the same hit rate."""
    mine = view.assumptions
    shown = [(_("Wulf and McKee"), WULF_MCKEE_1995, mine == WULF_MCKEE_1995)]
    if mine != WULF_MCKEE_1995:
        shown.append((_("Your rates"), mine, True))
    lines = [_line(name, given, strong=strong) for name, given, strong in shown]
    points = [
        _dot(name, year, float(latency.average_access(1 - mine.miss_rate, 1.0, ratio(cache, memory))), _how(cache, memory))
        for name, year, cache, memory in measured()
        if cache.latency_s and memory.latency_s
    ]
    years = [*(year for line in lines for year in line.x), *(point.x for point in points)]
    wall, log = latency.wall_year(mine), view.scale == "log"
    name = _("Cycles of an average memory access (log scale: each line is ×10)") if log else _("Cycles of an average memory access")
    words = _("The wall: {n} instructions between two accesses").format(n=f"{mine.instructions_per_access:g}")
    return Answer(
        name="hierarchy",
        sentence=_sentence(mine, wall),
        drawing=plane(
            lines,
            [points],
            across=Axis("", "{:.0f}".format, log=False, low=min(years) - 1, high=max(years) + 1),
            up=Axis(name, lambda cycles: f"{cycles:,.0f}" if cycles < 1e6 else power(cycles), log=log, low=1.0 if log else 0.0),
            marks=[CrossLine(mine.instructions_per_access, words, vertical=False, role="compute")],
            revision="latency",
        ),
        sure=_("a model of 1995; points measured"),
        trust="orange",
        caption=_("Points: measured DRAM and first-cache latencies at the same hit rate, the cache as one cycle."),
        explain=partial(_why, mine),
        doubt=_how_sure,
        rows=partial(_table, mine),
        sources=tuple(
            dict.fromkeys([*([PAPER] if PAPER in catalog.sources() else []), *(s for _n, _y, c, m in measured() for s in (*c.sources, *m.sources))])
        ),
    )


def _how(cache: Rung, memory: Rung) -> str:
    return _("cache {cache}, DRAM {memory}").format(cache=units.si(cache.latency_s or 0.0, "s"), memory=units.si(memory.latency_s or 0.0, "s"))


def _line(name: str, given: Assumptions, *, strong: bool) -> Line:
    """A model, dashed throughout, because it is no measurement."""
    every = np.arange(given.first_year, LAST + 0.01, 0.25)
    with np.errstate(over="ignore"):
        values = np.asarray(latency.average_cycles(every, given), dtype=np.float64)
    kept = values <= MOST_CYCLES
    shown = values[kept].tolist()
    hover = [f"{year:.0f}: {units.significant(value)}" for year, value in zip(every[kept], shown, strict=True)]
    return Line("compute", name, every[kept].tolist(), shown, hover, dash="dash", width=2.6, alpha=1.0 if strong else 0.45)


def _dot(name: str, year: float, value: float, how: str) -> Dot:
    return Dot(year, value, "bandwidth", ("", f"{name} ({year:.0f})", units.significant(value), how), name=name, side="bottom center", size=10)


def _sentence(mine: Assumptions, wall: float | None) -> str:
    hits = f"{(1 - mine.miss_rate) * 100:.4g}%"
    if wall is None:
        return _("With {hits} hits and these rates memory never sets the pace alone.").format(hits=hits)
    if mine == WULF_MCKEE_1995:
        _name, year, cache, memory = typical()
        return _("In 1995 the wall was due in {wall}; in {year} a DRAM access took about {ratio} cache hits, not {forecast}.").format(
            wall=int(wall),
            year=year,
            ratio=units.significant(ratio(cache, memory), 2),
            forecast=units.count(float(latency.memory_cycles(year, mine))),
        )
    return _("With {hits} hits, processors at +{cpu}% and DRAM at +{dram}% a year, memory sets the pace from {year}.").format(
        hits=hits, cpu=f"{mine.processor_growth * 100:.0f}", dram=f"{mine.dram_growth * 100:.0f}", year=int(wall)
    )


def _why(mine: Assumptions) -> str:
    year = 2005
    cycles = float(latency.memory_cycles(year, mine))
    return "\n".join(
        [
            _("**t_avg = p·t_c + (1 − p)·t_m** (Wulf and McKee 1995): a hit takes one cycle, a miss t_m."),
            "",
            "- "
            + _("t_m in {year} = {first} · ({cpu} / {dram})^{n} = {cycles} cycles").format(
                year=year,
                first=f"{mine.miss_cycles:g}",
                cpu=f"{1 + mine.processor_growth:g}",
                dram=f"{1 + mine.dram_growth:g}",
                n=f"{year - mine.first_year:g}",
                cycles=units.significant(cycles),
            ),
            "- "
            + _("t_avg = {p} · 1 + {miss} · {cycles} = {result} cycles").format(
                p=f"{1 - mine.miss_rate:g}",
                miss=f"{mine.miss_rate:g}",
                cycles=units.significant(cycles),
                result=units.significant(float(latency.average_cycles(year, mine))),
            ),
            "- "
            + _("every {n}th instruction touches memory: above {n} cycles an access, a faster processor changes nothing").format(
                n=f"{mine.instructions_per_access:g}"
            ),
        ]
    )


def _how_sure() -> str:
    lines = [f"| {_('year')} | {_('printed')} | {_('computed')} |", "|---|--:|--:|"]
    lines += [f"| {year} | {printed:g} | {latency.average_cycles(float(year)):.4g} |" for year, printed in PRINTED.items()]
    lines += [
        "",
        _("The first was cut, not rounded. What happened instead: clocks stopped rising about 2004. Measured, as growth a year since 1995:"),
        "",
    ]
    for name, year, cache, memory in measured():
        hits = ratio(cache, memory)
        lines.append(
            "- "
            + _("{name} ({year}): a DRAM access takes {ratio} cache hits, +{growth}% a year instead of +68%").format(
                name=name, year=year, ratio=units.significant(hits), growth=f"{latency.implied_growth(hits, year) * 100:.0f}"
            )
        )
    lines += ["", _("A measured first cache takes four to five cycles, and loads overlap: the points are latencies, not speeds of programs.")]
    return "\n".join(lines)


def _table(mine: Assumptions) -> tuple[Mapping[str, object], ...]:
    rows: list[Mapping[str, object]] = []
    for name, given in ((_("Wulf and McKee"), WULF_MCKEE_1995), (_("Your rates"), mine)):
        for year in range(1995, LAST + 1):
            rows.append({_("what"): name, _("year"): year, _("cycles"): float(latency.average_cycles(float(year), given)), _("source"): PAPER})
    for name, year, cache, memory in measured():
        cycles = float(latency.average_access(1 - mine.miss_rate, 1.0, ratio(cache, memory)))
        rows.append({_("what"): name, _("year"): year, _("cycles"): cycles, _("source"): titles(cache.sources)})
    return tuple(rows)
