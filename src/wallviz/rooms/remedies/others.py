"""Further figures of the remedies page: published trade-offs on one plane, and the models behind single remedies."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache

import numpy as np

from wallviz import catalog, units
from wallviz.engine.remedies import low_precision, published, search, whole_run
from wallviz.engine.remedies.published import GRADES, Published, Quantized
from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.errors import InputError
from wallviz.figures import remedies as figures
from wallviz.figures import style
from wallviz.i18n import N_, _, labelled, language, qualified
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms import job as shared
from wallviz.rooms.advice import known
from wallviz.rooms.remedies import _plain, planned
from wallviz.rooms.remedies import answer as remedies_answer
from wallviz.rooms.remedies.choices import View

#: Models of the scoreboard that are drawn as lines, with the role whose colour they have; Llama-2 and Llama-3 of like size side by side.
BOARDS = {"Llama-3-8B": ("compute", "solid"), "Llama-3-70B": ("compute", "dot"), "Llama-2-70B": ("memory", "dot"), "Llama-2-7B": ("memory", "solid")}
#: Hardware remedies that are drawn as lines of their own, in a word.
HARDWARE = {"more-bandwidth": "HBM3e (H200)", "hbm4": "HBM4 (Rubin)", "in-memory": "HBM-PIM"}
#: What a published case saved.
SAVED = {"memory": N_("memory"), "traffic": N_("memory traffic")}
#: Tokens that a training run takes where nothing is said, a parameter (arXiv 2203.15556: about 20).
TOKENS_A_PARAMETER = 20.0


def answer(case: Job, view: View) -> Answer:
    """The figure that `view` asks for, instead of the steps of the case."""
    if view.figure == "waterfall":
        return remedies_answer(case, view)
    return _answer(case, replace(_plain(view), **{n: getattr(view, n) for n in _NEEDS.get(view.figure, ())}, figure=view.figure), language())


_NEEDS = {"search": ("trials", "eta"), "batch": ("critical",), "formats": ("median", "spread", "scale")}


@lru_cache(maxsize=128)
def _answer(case: Job, view: View, _language: str) -> Answer:
    try:
        make = {"plane": _plane, "quality": _quality, "line": _line, "search": _search, "batch": _batch, "formats": _formats}[view.figure]
        return replace(make(case, view).with_spec(), actions=(_back(),))
    except InputError as error:
        return Answer("remedies-figure", str(error), None, sure=_("cannot run"), trust="red", actions=(_back(),))


def _back() -> Action:
    return Action(_("Back to your case"), _("What each remedy does to it, step by step"), {"figure": "waterfall"})


def _sources(*ids: str) -> tuple[str, ...]:
    return tuple(id for id in ids if id in catalog.sources())


# ---------------------------------------------------------------- saved against paid


def _plane(case: Job, view: View) -> Answer:
    found = planned(case, _plain(view))
    points = [point for cases in known().values() for point in cases if point.saved is not None and point.has_price]
    # of each remedy one success and one failure is named, the one that saved most, and the dearest; 8 and 5 bits stand among the 4
    by_remedy = {(p.remedy, p.failed): p for p in sorted(points, key=lambda p: p.price if p.failed else p.saved or 0.0)}
    named = [p for (id, _failed), p in by_remedy.items() if id not in ("weights-int8", "weights-q4km")]
    spots = [_spot(point, named=any(point is p for p in named)) for point in points]
    computed = [e for e in found.ranked[:6] if e.saves_bytes > 0]
    spots += [
        figures.TradeSpot(
            _(e.remedy.name),
            e.saves_bytes / e.before.bytes,
            max(0.0, e.time_factor - 1.0),
            "time",
            computed=True,
            hover=(_("computed for your case"),),
        )
        for e in computed
    ]
    failed = [point for point in points if point.failed]
    worst = max(failed, key=lambda p: p.quality or 0.0)
    sentence = _("{n} published cases: memory saved against the price paid; {failed} are failures, the worst {worst} ({metric} {lost}).").format(
        n=len(points),
        failed=len(failed),
        worst=_(worst.setting),
        metric=_(worst.metric),
        lost=f"{'+' if worst.metric in published.LOWER else '−'}{units.significant((worst.quality or 0.0) * 100, 2)}{units.THIN}%",
    )
    drawing = figures.plane(
        spots,
        name=_("Memory saved, share (open and red: quality fell by a fifth or more; grey: your case)"),
        across=_("Price paid, log scale: ● time, ■ quality, ▲ traffic"),
    )
    rows = tuple(
        {
            _("remedy"): _(REMEDIES[p.remedy].name), _("tested on"): _(p.setting), _("saved"): p.saved, _("of what"): _(SAVED[p.saved_what]),
            _("time"): p.time, _("quality lost"): p.quality, _("traffic"): p.traffic,
            _("failed"): p.failed, _("who"): _(GRADES[p.grade]), _("source"): catalog.titles(p.source),
        }
        for p in points
    )  # fmt: skip
    used = dict.fromkeys(source for p in points for source in p.source.split(";"))
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows, sources=_sources(*used))


def _spot(point: Published, *, named: bool) -> figures.TradeSpot:
    price = f"{units.significant(point.price * 100, 2)}{units.THIN}%"
    lines = (
        _(point.setting),
        _("saved {saved} of the {what}, price {price} of {kind}").format(
            saved=f"{point.saved:.0%}",
            what=_(SAVED[point.saved_what]),
            price=price,
            kind=_(figures.PRICES[point.kind][0]),
        ),
        f"{_(GRADES[point.grade])} · {catalog.titles(point.source)}",
    )
    return figures.TradeSpot(
        _(REMEDIES[point.remedy].name), point.saved or 0.0, point.price, point.kind, failed=point.failed, named=named, hover=lines
    )


# ---------------------------------------------------------------- quality against bits


@cache
def scoreboard() -> tuple[Quantized, ...]:
    """Every published perplexity of quantized weights."""
    return published.scoreboard(catalog.evidence().values())


def _quality(case: Job, view: View) -> Answer:
    board = scoreboard()
    series = []
    for model, (role, dash) in BOARDS.items():
        mine = [q for q in board if q.model == model and q.method == "GGUF" and not q.imatrix and q.bits < 15]
        best = [q for i, q in enumerate(mine) if i == 0 or q.bits < mine[i - 1].bits]
        series.append(_board(model, best, role, dash))
    with_matrix = [q for q in board if q.imatrix]
    others = [q for q in board if q.method in ("AWQ", "GPTQ", "RTN")]
    series.append(replace(_board(_("importance matrix"), with_matrix, "compute", "solid"), lines=False, symbol="circle-open"))
    series.append(replace(_board("AWQ, GPTQ, RTN", others, "bandwidth", "solid"), lines=False, symbol="diamond"))
    three, two = (
        next(q.ratio for q in board if q.model == m and q.format.casefold() == "q2_k" and not q.imatrix) for m in ("Llama-3-8B", "Llama-2-7B")
    )
    sentence = _("Two bits cost Llama-3-8B {three} its perplexity and Llama-2-7B {two}: what a remedy costs depends on the model.").format(
        three=f"{units.TIMES}{three:.2f}", two=f"{units.TIMES}{two:.2f}"
    )
    drawing = figures.lines(
        series,
        name=_("Perplexity over that of 16 bits (log scale; ○ with importance matrix, ◆ AWQ, GPTQ, RTN)"),
        across=_("Bits a weight, scales included: fewer to the right"),
        kind="times",
        ticks={2.0: "2", 3.0: "3", 4.0: "4", 5.0: "5", 6.0: "6", 8.0: "8"},
        reverse=True,
        span=(1.0, 4.2),
        revision="quality",
    )
    rows = tuple(
        {
            _("model"): q.model, _("format"): q.format, _("method"): q.method, _("bits a weight"): q.bits, _("perplexity ratio"): q.ratio,
            _("importance matrix"): q.imatrix, _("source"): catalog.titles(q.source),
        }
        for q in board
    )  # fmt: skip
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows, sources=_sources("llama_cpp", "gpu_benchmarks_llm", "awq_2023"))


def _board(label: str, points: list[Quantized], role: str, dash: str) -> figures.LabelledLine:
    hover = [
        labelled(f"{q.model} {q.format} {q.method}", qualified(_("{n} bits").format(n=f"{q.bits:.2f}"), f"{units.TIMES}{q.ratio:.3f}"))
        for q in points
    ]
    return figures.LabelledLine(label, [q.bits for q in points], [q.ratio for q in points], role, hover, dash=dash, symbol=style.ROLES[role].symbol)


# ---------------------------------------------------------------- the line that stays


def _line(case: Job, view: View) -> Answer:
    found = planned(case, _plain(view))
    chip = found.setup.chip
    peak, rate = chip.peak("bf16"), chip.memory_bytes_per_s
    if not peak or not rate:
        raise InputError(N_("No source gives the bandwidth and the 16-bit peak of {chip}: choose another chip."), chip=chip.name)
    x = np.geomspace(0.25, 16 * peak / rate, 60)
    hardware = [e for e in found.others if e.remedy.id in HARDWARE]
    series = [_roof(chip.name.partition(" (")[0], x, peak, rate, "bandwidth", "solid")]
    for e in hardware:
        changed = e.setup.chip
        series.append(_roof(_(HARDWARE[e.remedy.id]), x, changed.peak("bf16") or peak, changed.memory_bytes_per_s or rate, "reference", "dash"))
    spots = [(_("As it is"), found.now), *((_(e.remedy.name), e.after) for e in found.ranked[:6] if e.after is not None)]
    points = [(name, o.intensity, o.intensity * o.moved_bytes / o.time_s) for name, o in spots]
    series.append(
        figures.LabelledLine(
            _("your case"), [p[1] for p in points], [p[2] for p in points], "compute",
            [f"{p[0]}: {units.significant(p[1])} FLOP/B, {units.si(p[2], 'FLOP/s')}" for p in points], symbol="circle", lines=False,
        )
    )  # fmt: skip
    sentence = _("Every remedy moves the point, none the line: {chip} stays at {rate}; only other hardware (dashed) moves it.").format(
        chip=chip.name.partition(" (")[0], rate=units.si(rate, "B/s")
    )
    ticks = {10.0**n: f"{10**n:,}" if n >= 0 else f"{10.0**n:g}" for n in range(5)}
    drawing = figures.lines(
        series, name=_("FLOP/s (log scale; ● your case, now and with each remedy)"), across=_("FLOP per byte moved (log scale)"), kind="flop_per_s",
        ticks=ticks, span=(min(p[2] for p in points) / 3, peak * 3), revision="line",
    )  # fmt: skip
    rows = tuple({_("remedy"): p[0], "FLOP/B": p[1], "FLOP/s": p[2], _("bandwidth, B/s"): rate} for p in points)
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows, sources=_sources(*chip.source.split(";")))


def _roof(label: str, x: np.ndarray, peak: float, rate: float, role: str, dash: str) -> figures.LabelledLine:
    y = np.minimum(peak, x * rate)
    hover = [f"{units.significant(float(a))} FLOP/B: {units.si(float(b), 'FLOP/s')}" for a, b in zip(x, y, strict=True)]
    return figures.LabelledLine(label, x.tolist(), y.tolist(), role, hover, dash=dash)


# ---------------------------------------------------------------- models of ours


def _search(case: Job, view: View) -> Answer:
    n = np.unique(np.round(np.geomspace(1, max(1000, view.trials), 60)))
    halving = np.asarray(search.halving_runs(n, view.eta))
    cost = float(search.halving_runs(view.trials, view.eta))
    sentence = _("{n} trials cost {full} full runs, or {cost} with successive halving by {eta}: {share} of the bytes need never move.").format(
        n=f"{view.trials:,}",
        full=f"{view.trials:,}",
        cost=units.significant(cost),
        eta=view.eta,
        share=f"{float(search.saved_share(view.trials, view.eta)):.0%}",
    )
    text = [f"{int(a):,} → {units.significant(float(b))}" for a, b in zip(n, halving, strict=True)]
    series = [
        figures.LabelledLine(_("every trial to its end"), n.tolist(), n.tolist(), "reference", [f"{int(a):,}" for a in n], dash="dash"),
        figures.LabelledLine(_("successive halving"), n.tolist(), halving.tolist(), "compute", text, dash="dash"),
        figures.LabelledLine(_("your search"), [view.trials], [cost], "compute", [units.significant(cost)], symbol="circle-open", lines=False),
    ]
    drawing = figures.lines(
        series, name=_("Full runs' worth of work and of bytes moved (log scale; a model of ours)"), across=_("Trials at the start (log scale)"),
        kind="times", ticks={1.0: "1", 10.0: "10", 100.0: "100", 1000.0: "1,000"}, revision="search",
    )  # fmt: skip
    rows = tuple({_("trials"): float(a), _("all to the end"): float(a), _("halving"): float(b)} for a, b in zip(n, halving, strict=True))
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows)


def _batch(case: Job, view: View) -> Answer:
    if case.job == "infer":
        case = replace(case, job="train")
    arch = shared.architecture(case)
    P = float(arch.active_parameters)
    C, D = view.critical * 1e3, TOKENS_A_PARAMETER * P
    found = planned(case, _plain(view))
    tokens = found.now.tokens / found.setup.gpus
    token_bytes = max(0.0, found.now.moved_bytes - (whole_run.PASS_BYTES + whole_run.ADAM_BYTES) * P) / tokens
    B = np.geomspace(C / 1000, C * 10, 60)
    moved = np.asarray(whole_run.moved_bytes(B, C, D, P, token_bytes))
    best = float(B[int(np.argmin(moved))])
    sentence = _(
        "A whole run moves least, {least}, at {best} tokens a step: smaller batches reread the states, larger ones need more tokens."
    ).format(least=units.si(float(moved.min()), "B"), best=units.count(best))
    text = [f"{units.count(float(b))}: {units.si(float(m), 'B')}" for b, m in zip(B, moved, strict=True)]
    series = [figures.LabelledLine(_("bytes moved"), B.tolist(), moved.tolist(), "memory", text, dash="dash")]
    ticks = {10.0**n: units.count(10.0**n) for n in range(3, 10) if B[0] <= 10.0**n <= B[-1]}
    drawing = figures.lines(
        series, name=_("Bytes moved in a whole run = steps × bytes per step (log scale; a model of ours)"),
        across=_("Tokens a step, all GPUs (log scale)"),
        kind="bytes", ticks=ticks, revision="batch",
    )  # fmt: skip
    rows = tuple(
        {_("tokens a step"): float(b), _("steps"): float(whole_run.steps(b, C, D)), _("bytes"): float(m)} for b, m in zip(B, moved, strict=True)
    )
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows)


def _formats(case: Job, view: View) -> Answer:
    median, spread, scale = 2.0**view.median, float(view.spread), 2.0**view.scale
    made, rows = [], []
    for format in low_precision.FORMATS.values():
        under, over = (float(lost(format, median, spread, scale)) for lost in (low_precision.underflow, low_precision.overflow))
        best = low_precision.best_scale(format, median, spread)
        note = _("lost below {under}, above {over}; best scale 2^{best}").format(under=f"{under:.1%}", over=f"{over:.1%}", best=best)
        smallest, normal, largest = (float(np.log2(v)) for v in (format.smallest, format.smallest_normal, format.largest))
        made.append(figures.Range(format.name, smallest, normal, largest, note))
        rows.append(
            {
                _("format"): format.name,
                _("smallest"): format.smallest,
                _("largest"): format.largest,
                _("underflow"): under,
                _("overflow"): over,
                _("best scale, 2^"): best,
            }
        )
    fp16 = low_precision.FORMATS["fp16"]
    before, after = (float(low_precision.underflow(fp16, median, spread, s)) for s in (1.0, scale))
    best = low_precision.best_scale(fp16, median, spread)
    lost = _("FP16 loses {before} of these gradients below its smallest value").format(before=f"{before:.1%}")
    end = (
        _("scaling the loss by 2^{n} leaves {after}.").format(n=view.scale, after=f"{after:.1%}")
        if view.scale
        else _("scaling the loss by 2^{n} would leave {after}.").format(
            n=best, after=f"{float(low_precision.underflow(fp16, median, spread, 2.0**best)):.1%}"
        )
    )
    bells = {_("gradients (log-normal, a model)"): (float(view.median), spread)}
    if view.scale:
        bells[_("scaled by 2^{n}").format(n=view.scale)] = (float(view.median + view.scale), spread)
    drawing = figures.ranges(made, name=_("What each format can hold, in powers of two (light: fewer digits)"), bells=bells, revision="formats")
    return Answer("remedies-figure", _("{text}; {more}").format(text=lost, more=end), drawing, rows=lambda: tuple(rows))
