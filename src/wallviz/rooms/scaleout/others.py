"""The other figures: what the wires carry, compute against communication, measured collectives, published runs, the bill, rules, fewest chips."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial

import numpy as np

from wallviz import catalog, units
from wallviz.engine.memory.run import Run
from wallviz.engine.scaleout import collectives, frontier, scaling_laws
from wallviz.engine.scaleout.alpha_beta import AlphaBeta
from wallviz.engine.scaleout.fabric import PER_NODE
from wallviz.engine.scaleout.frontier import Dated
from wallviz.engine.scaleout.phrases import rate
from wallviz.engine.scaleout.step import TrainingStep, step
from wallviz.errors import InputError
from wallviz.figures import scaleout as figures
from wallviz.figures.scaleout import Axis, CrossLine, LayoutBar, Line
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.scaleout import doubt
from wallviz.rooms.scaleout.choices import WIRES, View, tokens
from wallviz.rooms.scaleout.curve import chips_said, doubtful
from wallviz.rooms.scaleout.study import Study, study
from wallviz.units import DAY_S, duration
from wallviz.validation import scaling_cases

SOURCES: Mapping[str, tuple[str, ...]] = {
    "wire": ("megatron_sc21", "zero_2020", "korthikanti_2022"),
    "frontier": ("megatron_sc21", "zero_2020"),
    "sweeps": ("nccl_tests", "ml_engineering"),
    "published": ("megatron_sc21", "llama3_2024"),
    "bill": ("megatron_sc21",),
    "rules": ("kaplan_2020", "hoffmann_2022"),
    "fewest": ("epoch_notable_models",),
}


def _answer(show: str, *, sentence: str, drawing: object, rows: Callable[[], tuple[Mapping[str, object], ...]], **more: object) -> Answer:
    return Answer("scaleout", sentence, drawing, rows=rows, sources=SOURCES[show], doubt=doubt.how_sure, **more)  # type: ignore[arg-type]


# -- what the wires carry -------------------------------------------------------------------------------------------------------------

#: Ways to split one model over eight chips, from one chip's view.
_WAYS: tuple[tuple[str, dict[str, object]], ...] = (
    (N_("Data parallel"), {"zero": 0}),
    (N_("Data parallel, weights sharded (ZeRO-3)"), {"zero": 3}),
    (N_("Tensor parallel 8"), {"tensor_parallel": 8}),
    (N_("Pipeline 8"), {"pipeline_parallel": 8}),
    (N_("Context parallel 8"), {"context_parallel": 8, "zero": 0}),
    (N_("Expert parallel 8"), {"expert_parallel": 8, "zero": 0}),
)
_ALONE = {"tensor_parallel": 1, "pipeline_parallel": 1, "virtual_stages": 1, "context_parallel": 1, "expert_parallel": 1, "sequence_parallel": False}


def one_sends_nothing() -> Answer:
    """Instead of an empty figure: there is no wire."""
    more = Action(_("{n} chips").format(n=PER_NODE), _("A node of them"), {"chips": PER_NODE})
    return Answer("scaleout", _("One chip sends nothing to anybody: choose more of them."), None, actions=(more,))


def wire(case: Job, view: View) -> Answer:
    """Bytes per chip and step as the job is split, and were it split in one other way."""
    now = study(case, view)
    if now.gpus == 1:
        return one_sends_nothing()
    found = [(_("As you split it"), now.job.step)]
    for name, sets in _WAYS:
        one = _split_like(now, sets)
        if one is not None:
            found.append((_(name), one))
    rows = [LayoutBar(name, {k: float(v) for k, v in one.bytes_on_wire.items()}, _waits(one), here=not i) for i, (name, one) in enumerate(found)]
    most = max(found, key=lambda pair: float(pair[1].step_s))
    sent = units.si(sum(map(float, now.job.step.bytes_on_wire.values())), "B")
    if len(found) == 1:
        text = _("A chip sends {sent} a step; no other single way divides over {chips}.").format(sent=sent, chips=chips_said(now.gpus))
    elif most is found[0]:
        least = min(found, key=lambda pair: float(pair[1].step_s))
        text = _("A chip sends {sent} a step; split another way (“{way}”) a step takes {times} of the time.").format(
            sent=sent, way=least[0], times=f"{float(least[1].step_s / now.job.step.step_s):.0%}"
        )
    else:
        text = _("A chip sends {sent} a step; split as “{way}” it sends {other} and a step takes {times} as long.").format(
            sent=sent,
            way=most[0],
            other=units.si(sum(map(float, most[1].bytes_on_wire.values())), "B"),
            times=units.times(float(most[1].step_s / now.job.step.step_s)),
        )
    return _answer(
        "wire",
        **doubtful(now.job.runs_out),
        sentence=text,
        drawing=figures.bars(rows, name=_("Bytes that one chip sends per step"), revision="scaleout-wire"),
        rows=partial(_wire_rows, tuple(found)),
        caption=_("{chips}, {batch} sequences of {s} tokens a step").format(
            chips=chips_said(now.gpus), batch=f"{now.job.global_batch:,}", s=f"{case.context:,}"
        ),
        explain=partial(doubt.why, now),
    )


def _split_like(now: Study, sets: Mapping[str, object]) -> TrainingStep | None:
    """The job split in one way alone; None where that does not divide."""
    job = now.job
    run: Run = replace(job.step.run, **(_ALONE | {"data_parallel": 1, "accumulation": 1, "micro_batch": now.case.batch} | dict(sets)))  # type: ignore[arg-type]
    unit = int(run.tensor_parallel * run.pipeline_parallel * run.context_parallel)
    if now.gpus % unit:
        return None
    run = replace(run, data_parallel=now.gpus // unit, sequence_parallel=run.tensor_parallel > 1)
    try:
        return step(now.arch, run, now.chip, job.fabric, global_batch=job.global_batch, **job.options)
    except InputError:
        return None


def _waits(one: TrainingStep) -> str:
    return _("{time} a step, {share} computing").format(time=duration(float(one.step_s)), share=f"{float(one.efficiency):.0%}")


def _wire_rows(found: tuple[tuple[str, TrainingStep], ...]) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("split"): name, _("what"): _(figures.KINDS[kind][0]), _("bytes"): float(sent), _("on the wire (s)"): float(one.wire_s[kind]),
            _("step (s)"): float(one.step_s),
        }
        for name, one in found
        for kind, sent in one.bytes_on_wire.items()
        if float(sent)
    )  # fmt: skip


# -- compute against communication ----------------------------------------------------------------------------------------------------


def against(case: Job, view: View) -> Answer:
    """Seconds of compute and of communication per step over chips: where the lines cross, chips stop helping."""
    now = study(case, view)
    curve = now.job.strong
    chips = curve.chips.tolist()
    compute = np.broadcast_to(curve.steps.compute_s, curve.chips.shape)
    wire_s = np.broadcast_to(curve.steps.communication_s, curve.chips.shape)
    lines = [
        Line("compute", _("compute"), chips, compute.tolist(), [duration(float(v)) for v in compute], mode="lines+markers", strong=True),
    ]
    busy = wire_s > 0
    if busy.any():
        kept = [float(v) for v in wire_s[busy]]
        lines.append(
            Line("network", _("communication"), curve.chips[busy].tolist(), kept, [duration(v) for v in kept], mode="lines+markers", strong=True)
        )
    over = np.flatnonzero(wire_s > compute)
    if len(over):
        text = _("From {n} chips on a step spends longer on the wire than computing: more chips share the work, not the gradients.").format(
            n=f"{int(curve.chips[over[0]]):,}"
        )
    else:
        last = int(curve.chips[-1])
        text = _("Up to {n} chips compute takes longer than the wire: {compute} against {wire} a step.").format(
            n=f"{last:,}", compute=duration(float(compute[-1])), wire=duration(float(wire_s[-1]))
        )
    return _answer(
        "frontier",
        **doubtful(now.job.runs_out),
        sentence=text,
        drawing=figures.plane(
            lines,
            across=Axis(_("Chips that share one batch"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Time per step (log scale)"), duration),
            marks=(CrossLine(now.gpus, _("{n} chips").format(n=f"{now.gpus:,}")),) if now.gpus in chips else (),
            revision="scaleout-frontier",
        ),
        rows=lambda: tuple(
            {_("chips"): int(n), _("compute (s)"): float(c), _("on the wire (s)"): float(w)} for n, c, w in zip(chips, compute, wire_s, strict=True)
        ),
        explain=partial(doubt.why, now),
    )


# -- measured collectives -------------------------------------------------------------------------------------------------------------


def sweeps(_case: Job, view: View) -> Answer:
    """One measured all-reduce sweep as bus bandwidth over message size, with the alpha-beta pair fitted to it and the rate of the links."""
    found = scaling_cases.sweeps().get(view.sweep)
    if found is None:
        raise InputError(N_("no sweep of {name} ships: choose another one"), name=view.sweep)
    sizes = np.asarray(found.sizes_bytes)
    measured = found.factor * sizes / np.asarray(found.measured_s)
    fine = np.geomspace(sizes[0], sizes[-1], 60)
    fitted = found.factor * fine / found.seconds(fine)
    text = _("{name}: {alpha} to start, then {beta}; the worst of {n} points is off by {worst}.").format(
        name=view.sweep,
        alpha=units.si(found.alpha_s, "s"),
        beta=units.si(found.beta_bytes_per_s, "B/s"),
        n=len(sizes),
        worst=f"{found.worst:.0%}",
    )
    wire_rate = next((rate for letter, rate in WIRES.items() if f"× {letter}" in view.sweep), None)
    hover = [
        f"{units.si(float(s), 'B')}: {units.si(float(t), 's')} = {units.si(float(m), 'B/s')}\n"
        + _("predicted {miss}").format(miss=f"{miss:+.0%}".replace("-", "−"))
        for s, t, m, miss in zip(sizes, found.measured_s, measured, found.misses, strict=True)
    ]
    return _answer(
        "sweeps",
        sentence=text,
        drawing=figures.plane(
            [
                Line("network", _("α + bytes/β"), fine.tolist(), fitted.tolist(), [units.si(float(v), "B/s") for v in fitted]),
                Line("network", _("measured"), sizes.tolist(), measured.tolist(), hover, mode="markers", named=False),
            ],
            across=Axis(_("Size of the message (log scale)"), lambda v: units.si(v, "B", digits=1)),
            up=Axis(_("Bus bandwidth of an all-reduce (log scale)"), lambda v: units.si(v, "B/s", digits=1)),
            marks=(CrossLine(wire_rate, _("the links of one chip, one direction: {rate}").format(rate=units.si(wire_rate, "B/s")), vertical=False),)
            if wire_rate
            else (),
            revision="scaleout-sweeps",
        ),
        rows=partial(_sweep_rows, found),
        caption=_("Fitted by least squares of relative misses; bus bandwidth counts what a ring would send."),
        explain=partial(_why_sweep, found),
        sure=_("mean miss {mean}").format(mean=f"{found.mean:.0%}"),
        trust="green" if found.mean < 0.1 else "orange",
    )


def _sweep_rows(found: AlphaBeta) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("bytes"): size, _("measured (s)"): seconds, _("predicted (s)"): float(found.seconds(size)),
            _("miss"): f"{miss:+.1%}".replace("-", "−"),
        }
        for size, seconds, miss in zip(found.sizes_bytes, found.measured_s, found.misses, strict=True)
    )  # fmt: skip


def _why_sweep(found: AlphaBeta) -> str:
    ratio = float(collectives.all_reduce_bytes(1.0, 8) / collectives.in_network_all_reduce_bytes(1.0, 8))
    return "\n".join(
        [
            f"t = α + 2(n−1)/n · S/β = {units.si(found.alpha_s, 's')} + {units.significant(found.factor)} · S / "
            + units.si(found.beta_bytes_per_s, "B/s"),
            "",
            _("A message of {size} takes as long to start as to travel.").format(size=units.si(found.half_bytes, "B")),
            "",
            _("With SHARP the switch adds up: a chip sends (n+1)/n · S and not 2(n−1)/n · S.")
            + " "
            + _("Benchmarks still multiply by the ring's factor, so eight full links report up to {ratio} times their rate.").format(
                ratio=units.significant(ratio)
            ),
            "",
            _("The knee is the least true part: algorithms and protocols change with size, one pair of numbers does not."),
        ]
    )


# -- published runs -------------------------------------------------------------------------------------------------------------------

_GROUPS: tuple[tuple[str, str, str], ...] = (
    ("weak", N_("Megatron,\nmodel grows"), "compute"),
    ("PTD", N_("Megatron,\nsame model"), "memory"),
    ("ZeRO-3", N_("ZeRO-3,\nsame model"), "network"),
    ("llama", N_("Llama 3 405B"), "bandwidth"),
)


def published(_case: Job, _view: View) -> Answer:
    """Share of the peak of published runs, predicted over published."""
    groups = _shares()
    lines = [
        Line(
            role,
            _(name),
            [p for p, _q, _text in points],
            [q for _p, q, _text in points],
            [text for _p, _q, text in points],
            mode="markers",
        )
        for key, name, role in _GROUPS
        if (points := groups.get(key, ()))
    ]
    misses = np.array([q / p - 1 for points in groups.values() for p, q, _text in points])
    large = np.array([q / p - 1 for key in ("weak", "PTD", "llama") for p, q, _text in groups.get(key, ())])
    text = _("{n} published runs: the model is {median} too fast at the median; ZeRO-3 across nodes is missed by up to {worst} times.").format(
        n=len(misses), median=f"{float(np.median(large)):.0%}", worst=units.significant(float(misses.max() + 1), 2)
    )
    return _answer(
        "published",
        sentence=text,
        drawing=figures.plane(
            [Line("reference", _("as published"), [0.1, 0.75], [0.1, 0.75], named=False, dash="dot"), *lines],
            across=Axis(_("Share of the peak as published"), lambda v: f"{v:.0%}", log=False, low=0.1, high=0.75),
            up=Axis(_("Share of the peak as predicted · on the dotted line: right"), lambda v: f"{v:.0%}", log=False, low=0.1, high=0.75),
            revision="scaleout-published",
        ),
        rows=doubt.table,
        caption=_("One efficiency of matrix products, 70 % of the peak, for all; recomputed work counts as the papers count it"),
        explain=_why_published,
    )


_HOW = N_(
    "Nothing of the model is fitted to these runs. All are predicted with one efficiency of matrix products, one of the bandwidth and one of links, "
    "partial overlap, "
    "micro-batches of one sequence where none is named, and adapters of 200 Gbit/s for each A100 and 400 Gbit/s for each H100, as NVIDIA's "
    "machines of the time had them."
)


def _why_published() -> str:
    return "\n".join(
        [_("Predicted share = FLOP of a chip, recomputed work included, over what its peak would do in the time of the step."), "", _(_HOW)]
    )


@cache
def _shares() -> dict[str, tuple[tuple[float, float, str], ...]]:
    """Published and predicted share of the peak and what to say, by group; a run that several rows tell of stands once."""
    found: dict[str, dict[object, tuple[float, float, str]]] = {}
    for one in scaling_cases.runs():
        i, case = one.row.inputs, one.row.case
        peak = catalog.chips()[one.row.chip].peak("bf16") if one.row.chip else None
        if case not in _PER_GPU or not peak:
            continue
        scale = 1.0 if one.row.unit == "ratio" else 1.0 / peak / (i["gpus"] if case == "weak_scaling_rate" else 1.0)
        group = "llama" if "model" in i else i.get("scheme", "weak")
        size = units.count(i["parameters"]) if "parameters" in i else i["model"]
        text = _("{size} on {n} chips").format(size=size, n=f"{i['gpus']:,}") + f"\n{one.row.expected * scale:.0%} → {one.predicted * scale:.0%}"
        key = (group, i.get("parameters"), i["gpus"], i.get("sequence_length"))
        found.setdefault(group, {}).setdefault(key, (one.row.expected * scale, one.predicted * scale, text))
    return {group: tuple(sorted(points.values())) for group, points in found.items()}


_PER_GPU = ("weak_scaling_rate_per_gpu", "weak_scaling_share_of_peak", "weak_scaling_rate", "strong_scaling_rate_per_gpu", "mfu", "rate_per_gpu")

# -- the bill -------------------------------------------------------------------------------------------------------------------------


def bill(case: Job, view: View) -> Answer:
    """Days of a training run over chips, with energy and, at the reader's price, cost."""
    now = study(case, view)
    curve = now.job.strong
    bills = now.bill(curve.tokens_per_s, curve.chips.astype(float))
    days = np.broadcast_to(np.asarray(bills.seconds) / DAY_S, curve.chips.shape)
    one = now.bill(float(now.job.step.tokens_per_s), now.gpus)
    words = {
        "tokens": units.count(one.tokens),
        "chips": chips_said(now.gpus),
        "days": duration(float(one.seconds)),
        "energy": units.si(float(one.energy_j) / 3600.0, "Wh") if one.energy_j is not None else "–",
    }
    if one.cost is not None:
        text = _("{tokens} tokens on {chips}: {days}, {energy} at most, {cost} at your price.").format(**words, cost=units.count(float(one.cost)))
    else:
        text = _("{tokens} tokens on {chips}: {days} and {energy} at most.").format(**words)
    ideal = float(days[0]) * curve.chips[0] / curve.chips
    hover = [f"{int(n):,}: {duration(float(d) * DAY_S)}" for n, d in zip(curve.chips, days, strict=True)]
    return _answer(
        "bill",
        **doubtful(now.job.runs_out),
        sentence=text,
        drawing=figures.plane(
            [
                Line("reference", _("ideal"), curve.chips.tolist(), ideal.tolist(), dash="dot", named=False),
                Line("compute", _("this job"), curve.chips.tolist(), days.tolist(), hover, mode="lines+markers", strong=True),
            ],
            across=Axis(_("Chips"), lambda n: f"{n:,.0f}", base=2),
            up=Axis(_("Days for {tokens} tokens (log scale; dotted: no chip waits)").format(tokens=words["tokens"]), lambda v: units.significant(v)),
            marks=(CrossLine(now.gpus, _("{n} chips").format(n=f"{now.gpus:,}")),) if now.gpus in curve.chips else (),
            revision="scaleout-bill",
        ),
        rows=partial(_bill_rows, now),
        caption=_("Energy: every chip at its design power times the data centre's overhead, hosts and network left out"),
        explain=partial(_why_bill, now),
    )


def _bill_rows(now: Study) -> tuple[dict[str, object], ...]:
    chips = now.job.strong.chips
    bills = now.bill(now.job.strong.tokens_per_s, chips.astype(float))
    return tuple(
        {
            _("chips"): int(n),
            _("days"): float(np.broadcast_to(bills.seconds, chips.shape)[i]) / DAY_S,
            _("chip hours"): float(np.broadcast_to(bills.chip_hours, chips.shape)[i]),
            _("energy (kWh)"): None if bills.energy_j is None else float(np.broadcast_to(bills.energy_j, chips.shape)[i]) / 3.6e6,
            _("cost (your price)"): None if bills.cost is None else float(np.broadcast_to(bills.cost, chips.shape)[i]),
        }
        for i, n in enumerate(chips)
    )


def _why_bill(now: Study) -> str:
    one = now.job.step
    tdp = "–" if now.chip.tdp_w is None else units.si(now.chip.tdp_w, "W")
    return "\n".join(
        [
            f"- {_('time')}: T / (tokens/s) = {units.count(tokens(now.case, now.view))} / {rate(float(one.tokens_per_s))}",
            f"- {_('energy')}: n · TDP · PUE · t = {now.gpus:,} · {tdp} · {now.view.pue_percent / 100:g}",
            "- " + _("cost: chip hours times your price; type it under Expert"),
        ]
    )


# -- scaling rules --------------------------------------------------------------------------------------------------------------------


def rules_of(case: Job, _view: View) -> Answer:
    """Bytes of the model that each rule chooses for a budget of training FLOP."""
    budgets = np.geomspace(1e20, 1e26, 49)
    chosen = {
        _("Kaplan 2020"): scaling_laws.kaplan(budgets),
        _("20 tokens\na parameter"): scaling_laws.chinchilla(budgets),
        _("Chinchilla's fit"): scaling_laws.chinchilla_parametric(budgets),
    }
    roles = ("network", "compute", "memory")
    chip = catalog.chip(case.chip)
    C = 3.15e23
    kaplan, chinchilla = float(scaling_laws.kaplan(C)[0]), float(scaling_laws.chinchilla(C)[0])
    text = _("With GPT-3's 3.15·10²³ FLOP Kaplan's rule asks for {a} of weights, 20 tokens a parameter for {b}: no rule counts bytes.").format(
        a=units.si(2 * kaplan, "B"), b=units.si(2 * chinchilla, "B")
    )
    lines = [
        Line(
            role,
            name,
            budgets.tolist(),
            (2.0 * N).tolist(),  # type: ignore[union-attr]
            [_("{n} parameters, {d} tokens").format(n=units.count(float(n)), d=units.count(float(d))) for n, d in zip(N, D, strict=True)],  # type: ignore[arg-type]
        )
        for role, (name, (N, D)) in zip(roles, chosen.items(), strict=True)
    ]
    held = (
        (
            CrossLine(
                chip.memory_bytes,
                _("one {chip} holds {bytes}").format(chip=chip.name.partition(" (")[0], bytes=units.si(chip.memory_bytes, "B")),
                vertical=False,
            ),
        )
        if chip.memory_bytes
        else ()
    )
    return _answer(
        "rules",
        sentence=text,
        drawing=figures.plane(
            lines,
            across=Axis(_("FLOP of the training run (log scale)"), _power),
            up=Axis(_("Weights in 16 bits (log scale)"), lambda v: units.si(v, "B", digits=1)),
            marks=held,
            revision="scaleout-rules",
        ),
        rows=_rule_rows,
        caption=_("C = 6·N·D; Kaplan et al. 2020, table 6; Hoffmann et al. 2022, table 3 and equation 10"),
        explain=_why_rules,
    )


def _power(value: float) -> str:
    return "10" + str(round(np.log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _rule_rows() -> tuple[dict[str, object], ...]:
    rows = []
    for C in (1e21, 1e22, 1e23, 1e24, 1e25, 1e26):
        for name, rule in (
            (_("Kaplan 2020"), scaling_laws.kaplan),
            (_("20 tokens a parameter"), scaling_laws.chinchilla),
            (_("Chinchilla's fit"), scaling_laws.chinchilla_parametric),
        ):
            N, D = (float(v) for v in rule(C))
            cost = scaling_laws.cost(N, D)
            rows.append(
                {
                    _("FLOP"): C, _("rule"): name, _("parameters"): N, _("tokens"): D, _("loss"): float(cost.loss),
                    _("weights (B)"): float(cost.weights_bytes), _("states while training (B)"): float(cost.states_bytes),
                    _("text read (B)"): float(cost.text_bytes), _("gradients sent per chip (B)"): float(cost.wire_bytes),
                    _("FLOP per token served"): float(cost.serving_flop_per_token),
                }
            )  # fmt: skip
    return tuple(rows)


def _why_rules() -> str:
    N, D = (float(v) for v in scaling_laws.chinchilla_parametric(1e23))
    L = float(scaling_laws.loss(N, D))
    half = N / 2
    tokens, served = float(scaling_laws.tokens_for_loss(half, L)), float(scaling_laws.pays_after_tokens(half, N, L))
    return "\n".join(
        [
            _("Why only simple rules? Loss falls as a power of parameters and of tokens over many factors of ten, so two exponents decide the rest."),
            "",
            "- Kaplan: N = 1.3·10⁹ · (C/PF-day)^0.73",
            "- " + _("Chinchilla: D = 20 N, so N = √(C/120)"),
            "- L = 1.69 + 406.4/N^0.34 + 410.7/D^0.28",
            "- " + _("Bytes: weights 2 N, while training 16 N, text 4 D, gradients sent by each chip 4 N a step; serving reads 2 N a token."),
            "",
            _("At 10²³ FLOP half the size needs {tokens} tokens for the same loss and pays once {served} tokens were served.").format(
                tokens=units.count(tokens), served=units.count(served)
            ),
            _("That is why models that are served a lot are small and trained for long."),
        ]
    )


# -- fewest chips ---------------------------------------------------------------------------------------------------------------------


@cache
def _held() -> tuple[frontier.FewestChips, ...]:
    """The largest language model of each year on NVIDIA's flagship with the most memory."""
    models = [
        Dated(model.name, model.date, model.parameters, model.source)
        for model in catalog.models("epoch_notable_2026").values()
        if model.parameters
        and model.frontier
        and "language" in model.domains
        and model.confidence in ("confident", "likely")
        and model.date >= dt.date(2017, 1, 1)
    ]
    chips = [
        Dated(chip.name, chip.release_date, chip.memory_bytes, chip.source)
        for chip in catalog.chips().values()
        if chip.flagship and chip.memory_bytes and not chip.announced
    ]
    return frontier.fewest_chips(models, chips)


def fewest(_case: Job, _view: View) -> Answer:
    """Chips that hold the largest model of each year, to serve and to train."""
    held = _held()
    first, last = held[0], held[-1]
    text = _("The largest model of {first} took {a} of its year's flagships to hold, that of {last} takes {b}; to train it {c}.").format(
        first=first.year, a=_chips(first.serving_chips), last=last.year, b=_chips(last.serving_chips), c=_chips(last.training_chips)
    )
    years = [float(one.year) for one in held]
    hover = [
        "\n".join(
            (
                f"{one.year}: {one.model.name} ({units.count(one.model.size)})",
                f"{one.chip.name}, {units.si(one.chip.size, 'B')}",
                f"{one.serving_chips:,} / {one.training_chips:,}",
            )
        )
        for one in held
    ]
    return _answer(
        "fewest",
        sentence=text,
        drawing=figures.plane(
            [
                Line("memory", _("to serve it"), years, [float(one.serving_chips) for one in held], hover, mode="lines+markers", strong=True),
                Line("compute", _("to train it"), years, [float(one.training_chips) for one in held], hover, mode="lines+markers", strong=True),
            ],
            across=Axis(_("Year"), lambda v: f"{v:.0f}", log=False, low=years[0] - 0.3, high=years[-1] + 0.1),
            up=Axis(_("Fewest flagship chips that hold the largest model (log scale)"), lambda v: f"{v:,.0f}"),
            revision="scaleout-fewest",
        ),
        rows=lambda: tuple(
            {
                _("year"): one.year, _("model"): one.model.name, _("parameters"): one.model.size, _("chip"): one.chip.name,
                _("bytes"): one.chip.size, _("chips to serve"): one.serving_chips, _("chips to train"): one.training_chips,
            }
            for one in held
        ),
        caption=_("2 bytes a parameter to serve, 16 to train; cache and activations come on top. Parameters as Epoch AI estimates them"),
        explain=lambda: _(
            "⌈bytes per parameter × parameters / memory of one chip⌉: 2 bytes in 16 bits, 16 with gradients, master copy and Adam's moments."
        ),
    )  # fmt: skip


def _chips(n: int) -> str:
    return f"{n:,}"
