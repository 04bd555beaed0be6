"""The figures around the roof: the KV cache's share, measured against bound, the ridge over time, memory per arithmetic, the case study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from wallviz import catalog, units
from wallviz.engine.hardware import Accelerator
from wallviz.engine.roofline.efficiency import MeasuredRate
from wallviz.engine.roofline.roof import roof
from wallviz.figures import roofline as figures
from wallviz.figures.roofline import DotSeries, SeriesDot, Strip
from wallviz.figures.style import Drawing
from wallviz.i18n import N_, _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.roofline.choices import View
from wallviz.rooms.roofline.doubt import WORK_NAMES, ZONE_NAMES, percent
from wallviz.rooms.roofline.workload import Workload, across
from wallviz.validation import case_study
from wallviz.validation.roofline_cases import measurements, predictions

FIGURES = ("measured", "ridge", "capacity", "study")
CONTEXTS: NDArray[np.float64] = 2.0 ** np.arange(7, 21, dtype=np.float64)
SINCE = 2016
"""First year of matrix units at 16 bits in the figures over time."""
#: Names that stand beside their points, oldest first.
NAMED = (
    "tesla-v100-sxm2-16gb", "a100-sxm4-80gb", "h100-sxm5", "h20", "h200-sxm", "b200-sxm", "instinct-mi300x", "tpu-v6e-trillium", "tpu-v7x-ironwood",
    "trainium3", "rubin-r200-sxm", "tesla-p100-sxm2", "ascend-910b",
)  # fmt: skip


def answer(case: Job, view: View) -> Answer:
    """The figure that `view` asks for; the chip of the case is named in it."""
    if view.show == "measured":
        return _matmuls() if view.evidence == "matmuls" else _strips(view.evidence)
    if view.show == "ridge":
        return _ridge(case.chip)
    if view.show == "capacity":
        return _capacity(case.chip, view.ratio)
    return _study()


# ---------------------------------------------------------------- KV share


def kv_share(now: Workload) -> Answer:
    """The share of a decoding step's bytes that are KV cache, over the context, for three batches."""
    if "decode" not in now.steps:
        return Answer("roofline", _("Only serving reads a KV cache: choose that job, or another figure."), None, sure=_("cannot run"), trust="red")
    batches = sorted({1, 8, 64, now.case.batch})
    series: list[DotSeries] = []
    rows: list[dict[str, object]] = []
    for batch in batches:
        share = np.asarray(across(now, CONTEXTS, batch).kv_share)
        dots = tuple(
            SeriesDot(
                float(n),
                float(y),
                _("batch {batch}, {n} tokens").format(batch=f"{batch:,}", n=f"{int(n):,}"),
                (_("{share} of the bytes").format(share=percent(float(y), 1)), _("computed"), ""),
            )
            for n, y in zip(CONTEXTS, share, strict=True)
        )
        series.append(DotSeries(_("batch {batch}").format(batch=f"{batch:,}"), "memory", dots, joined=True, dash=figures.DASHES[len(series) % 6]))
        rows += [{_("batch"): batch, _("context"): int(dot.x), _("KV cache's share of the bytes"): dot.y} for dot in dots]
    own = float(now.steps["decode"].kv_share)
    return Answer(
        name="roofline",
        sentence=_("At batch {batch} and {n} tokens, the KV cache is {share} of what a decoding step reads.").format(
            batch=f"{now.case.batch:,}", n=f"{now.case.context:,}", share=percent(own)
        ),
        drawing=figures.lines(
            series,
            name=_("KV cache's share of the bytes of a decoding step"),
            across=_("Tokens in the cache of each sequence"),
            kind="times",
            across_kind="count",
            revision="kv",
            log_x=True,
            percent=True,
        ),
        sure=_("exact but for kernels"),
        trust="green",
        caption=f"{now.arch.name} · {now.name}",
        rows=lambda: tuple(rows),
        sources=("kim_2023", "scaling_book"),
    ).with_spec()


# ---------------------------------------------------------------- measured against the roof


def _dot(one: MeasuredRate, x: float | str = 0.0) -> SeriesDot:
    case = predictions()[one.case].case
    source = catalog.titles(case.source)
    return SeriesDot(
        x,
        one.fraction,
        f"{one.device}: {one.label}",
        (
            _("measured: {share} of its roof, {miss} below it").format(share=percent(one.fraction, 1), miss=percent(1 - one.fraction, 1)),
            f"{one.engine} {one.precision}",
            source,
        ),
        measured=True,
    )


def _rows(found: list[MeasuredRate]) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("case"): one.case,
            _("device"): one.device,
            _("engine"): one.engine,
            _("work"): _(WORK_NAMES.get(one.what, one.what)),
            _("precision"): one.precision,
            _("what"): one.label,
            _("measured"): one.measured,
            _("bound"): one.bound,
            _("share of the roof"): one.fraction,
            _("distance from the ridge"): None if one.intensity is None or not one.ridge else one.intensity / one.ridge,
            _("where"): _(ZONE_NAMES[one.zone]),
            _("source"): one.source,
        }
        for one in found
    )


def _measured_answer(sentence: str, drawing: Drawing, found: list[MeasuredRate], caption: str) -> Answer:
    return Answer(
        name="roofline",
        sentence=sentence,
        drawing=drawing,
        sure=_("measured"),
        trust="green",
        caption=caption,
        rows=partial(_rows, found),
        sources=tuple(dict.fromkeys(source for one in found for source in one.source.split(";"))),
    ).with_spec()


def _matmuls() -> Answer:
    """Sweeps of one matrix product over the number of tokens: the corner is the least true part of the picture."""
    found = [m for m in measurements() if m.what == "gemm" and m.intensity and m.ridge]
    sweeps: dict[str, list[MeasuredRate]] = {}
    for one in found:
        sweeps.setdefault(f"{one.device}|{one.label.rpartition('× ')[2] if 'vidur' in one.source else _sweep(one)}", []).append(one)
    longest = sorted((sweep for sweep in sweeps.values() if len(sweep) > 3), key=len, reverse=True)
    best = {sweep[0].device: sweep for sweep in reversed(longest)}
    series = [
        DotSeries(device, "bandwidth", tuple(_dot(one, one.intensity / one.ridge) for one in sorted(sweep, key=_place)), joined=True, dash=dash)  # type: ignore[operator]
        for (device, sweep), dash in zip(sorted(best.items()), figures.DASHES, strict=False)
    ]
    zones = {zone: median([m.fraction for m in found if m.zone == zone]) for zone in ("bandwidth", "knee", "compute")}
    sentence = _("Measured matrix products reach {flat} of the roof where bandwidth-bound, {knee} near the ridge, {top} where compute-bound.").format(
        flat=percent(zones["bandwidth"]), knee=percent(zones["knee"]), top=percent(zones["compute"])
    )
    drawing = figures.lines(
        series,
        name=_("Share of the roof that was reached"),
        across=_("FLOP per byte over the ridge (1: both limits meet)"),
        kind="times",
        across_kind="times",
        revision="matmuls",
        log_x=True,
        percent=True,
        line_at=1.0,
    )
    return _measured_answer(sentence, drawing, found, _("one sweep for each device; every case is in the table"))


def _sweep(one: MeasuredRate) -> str:
    """Sweeps over m keep k and n, sweeps over k and n keep m."""
    return one.label.rpartition("× ")[2] if not one.label.startswith("[8,192,") else "m = 8,192"


def _place(one: MeasuredRate) -> float:
    return (one.intensity or 0.0) / (one.ridge or 1.0)


def _strips(evidence: str) -> Answer:
    if evidence == "decode":
        found = [m for m in measurements() if m.what == "decode"]
        key: Callable[[MeasuredRate], tuple[str, str]] = lambda m: (m.device, m.engine)  # noqa: E731 - one line that says what a row is
    elif evidence == "formats":
        found = [m for m in measurements() if m.precision]
        key = lambda m: (f"{_(WORK_NAMES[m.what])}, {m.precision}", "")  # noqa: E731 - the same
    else:
        found = list(measurements())
        key = lambda m: (_(WORK_NAMES[m.what]), m.engine)  # noqa: E731 - the same
    groups: dict[tuple[str, str], list[MeasuredRate]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    rows = [
        Strip(
            label,
            _("{engine}, {n} cases").format(engine=engine, n=len(group)) if engine else _("{n} cases").format(n=len(group)),
            _strip_role(group[0]),
            tuple(map(_dot, group)),
            median(m.fraction for m in group),
        )
        for (label, engine), group in groups.items()
    ]  # fmt: skip
    rows.sort(key=lambda row: -row.median)
    rows = rows[:24]
    if evidence == "decode":
        sentence = _("Decoding at batch 1 reaches {low} to {high} of the bandwidth bound, by device: {best} the most, {worst} the least.").format(
            low=percent(rows[-1].median), high=percent(rows[0].median), best=rows[0].label, worst=rows[-1].label
        )
    else:
        template = (
            _("How much of the roof is reached depends on the work and the number format: medians from {low} to {high}.")
            if evidence == "formats"
            else _("How much of the roof is reached depends on the work and the engine: medians from {low} to {high}.")
        )
        sentence = template.format(low=percent(rows[-1].median), high=percent(rows[0].median))
    drawing = figures.strips(rows, name=_("Share of the roof that was reached"), revision=f"strips-{evidence}")
    return _measured_answer(sentence, drawing, found, _("bar: median; dotted line: the roof"))


def _strip_role(one: MeasuredRate) -> str:
    return "compute" if one.zone == "compute" else "bandwidth"


# ---------------------------------------------------------------- over time


@cache
def _chips() -> tuple[Accelerator, ...]:
    """Accelerators with DRAM and matrix units: comparable on one axis."""
    return tuple(
        chip
        for chip in catalog.chips().values()
        if chip.release_date.year >= SINCE
        and not chip.memory_is_sram
        and chip.kind in ("gpu", "tpu", "accelerator")
        and chip.fp16_flop_per_s
        and chip.memory_bytes_per_s
    )


_PRECISIONS = (("bf16", N_("16 bits"), "compute"), ("fp8", "FP8", "bandwidth"), ("fp4", "FP4", "memory"))


def _named(chip: Accelerator, own: str) -> bool:
    return chip.id in NAMED or chip.id == own


def _short(chip: Accelerator) -> str:
    return chip.name.partition(" (")[0].removeprefix("Tesla ").removeprefix("Instinct ").removesuffix(" SXM5").removesuffix(" SXM")


def _ridge(own: str) -> Answer:
    series, rows = [], []
    for precision, words, role in _PRECISIONS:
        dots = []
        for chip in _chips():
            if not chip.peak(precision):
                continue
            ridge = roof(chip, precision).ridge
            line = _("{ridge} FLOP/B: {peak} over {bandwidth}").format(
                ridge=units.significant(ridge),
                peak=units.si(roof(chip, precision).peak_flop_per_s, "FLOP/s"),
                bandwidth=units.si(chip.memory_bytes_per_s or 0.0, "B/s"),
            )
            dots.append(
                SeriesDot(
                    chip.release_date.isoformat(),
                    ridge,
                    _short(chip),
                    (line, _("vendor's peak, dense") + (f", {_('announced')}" if chip.announced else ""), _(words)),
                    named=precision == "bf16" and _named(chip, own),
                )
            )
            rows.append({_("chip"): chip.name, _("date"): chip.release_date.isoformat(), _("precision"): _(words), "FLOP/B": ridge})
        series.append(DotSeries(_(words), role, tuple(dots)))
        if precision == "bf16":
            flagships = {_short(chip) for chip in _chips() if chip.flagship or chip.id in ("h200-sxm", "rubin-r200-sxm")}
            fleet = sorted((dot for dot in dots if dot.label in flagships), key=lambda dot: str(dot.x))
            series.insert(0, DotSeries("", role, tuple(fleet), joined=True))
    by_id = {chip.id: roof(chip).ridge for chip in _chips()}
    sentence = _("The ridge rises and falls: {a} FLOP per byte for V100, {b} for H100, {c} for H200, {d} for Rubin ({e} in FP4).").format(
        a=units.significant(by_id["tesla-v100-sxm2-16gb"]),
        b=units.significant(by_id["h100-sxm5"]),
        c=units.significant(by_id["h200-sxm"]),
        d=units.significant(by_id["rubin-r200-sxm"]),
        e=units.significant(roof(catalog.chips()["rubin-r200-sxm"], "fp4").ridge),
    )
    return Answer(
        name="roofline",
        sentence=sentence,
        drawing=figures.lines(
            series, name=_("Ridge: FLOP per byte that a chip needs (log scale)"), across=_("Release"), kind="flop_per_byte", revision="ridge"
        ),
        sure=_("vendors' peaks"),
        trust="gray",
        caption=_("dense rates; {n} accelerators with DRAM since {year}").format(n=len(_chips()), year=SINCE),
        rows=lambda: tuple(rows),
        sources=tuple(dict.fromkeys(source for chip in _chips() for source in chip.source.split(";") if source)),
    ).with_spec()


def _capacity(own: str, ratio: str) -> Answer:
    holds = ratio == "gb_per_tflop_per_s"
    dots, rows = [], []
    for chip in _chips():
        top = roof(chip)
        value = (chip.memory_bytes or 0.0) / top.peak_flop_per_s if holds else top.bytes_per_s / top.peak_flop_per_s
        if not value:
            continue
        said = units.ratio("byte_s_per_flop", value) if holds else f"{units.significant(value * 1e3)}{units.THIN}B per 1,000 FLOP"
        dots.append(
            SeriesDot(
                chip.release_date.isoformat(), value if holds else value * 1e3, _short(chip), (said, _("vendor's peak, dense"), chip.memory_gb_label),
                named=_named(chip, own),
            )
        )  # fmt: skip
        rows.append(
            {
                _("chip"): chip.name,
                _("date"): chip.release_date.isoformat(),
                _("GB per TFLOP/s") if holds else _("bytes per FLOP"): value * (1e3 if holds else 1.0),
            }
        )
    by_id = {dot.label: dot.y for dot in dots}
    first, last = by_id.get("V100 SXM2 16GB", dots[0].y), by_id.get("B200", dots[-1].y)
    scale = 1e3 if holds else 1.0
    template = (
        _("Memory per arithmetic: V100 held {a} GB per TFLOP/s in 16 bits, B200 holds {b}.")
        if holds
        else _("Bandwidth per arithmetic: V100 moved {a} bytes per 1,000 FLOP in 16 bits, B200 moves {b}.")
    )
    name = _("GB per TFLOP/s in 16 bits (log scale)") if holds else _("Bytes moved per 1,000 FLOP in 16 bits (log scale)")
    kind = "byte_s_per_flop" if holds else "flop_per_byte"
    return Answer(
        name="roofline",
        sentence=template.format(a=units.significant(first * scale), b=units.significant(last * scale)),
        drawing=figures.lines(
            [DotSeries("", "memory" if holds else "bandwidth", tuple(dots))], name=name, across=_("Release"), kind=kind, revision=f"capacity-{ratio}"
        ),
        sure=_("vendors' peaks"),
        trust="gray",
        caption=_("dense rates; {n} accelerators with DRAM since {year}").format(n=len(dots), year=SINCE),
        rows=lambda: tuple(rows),
        sources=tuple(dict.fromkeys(source for chip in _chips() for source in chip.source.split(";") if source)),
    ).with_spec()


# ---------------------------------------------------------------- the article's case study

_STUDY = (("bert-base", "compute"), ("bert-large", "memory"), ("gpt-2", "bandwidth"))
_LENGTHS = (128, 256, 512, 1024, 2048, 4096)


def _study() -> Answer:
    """FLOP per byte of BERT and GPT-2 over the length, computed as lines and as the paper prints it."""
    printed = [
        p for p in predictions().values() if p.case.case in ("model_arithmetic_intensity", "arithmetic_intensity") and _of_study(p.case.inputs)
    ]
    series: list[DotSeries] = []
    rows: list[dict[str, object]] = []
    for name, role in _STUDY:
        words = _(case_study.MODELS[name])
        totals = [case_study.rows(name, length)[-1] for length in _LENGTHS]
        dots = tuple(
            SeriesDot(
                float(row.sequence), row.intensity, f"{words}, {row.sequence:,}", (f"{units.significant(row.intensity)} FLOP/B", _("computed"), "")
            )
            for row in totals
        )
        series.append(DotSeries(words, role, dots, joined=True))
        rows += [
            {
                _("model"): words,
                _("tokens"): row.sequence,
                _("part"): _(case_study.NAMES[row.group]),
                "FLOP": row.flop,
                _("bytes"): row.bytes,
                "FLOP/B": row.intensity,
            }
            for length in _LENGTHS
            for row in case_study.rows(name, length)
        ]  # fmt: skip
        marks = []
        for one in printed:
            if _of_study(one.case.inputs) != name:
                continue
            miss = 100 * (one.error or 0.0)
            line = _("printed {value} FLOP/B, computed {off} % off").format(value=units.significant(one.case.expected), off=f"{miss:+.1f}")
            length = int(one.case.inputs["sequence_length"])
            marks.append(SeriesDot(float(length), one.case.expected, f"{words}, {length:,}", (line, one.case.where, _("printed")), measured=True))
        if marks:
            series.append(DotSeries("", role, tuple(marks)))
    encoder, decoder = case_study.rows("bert-base", 512)[-1].intensity, case_study.rows("gpt-2", 512)[-1].intensity
    named = [one for one in series if one.label]
    drawing = figures.lines(
        [*named, *(one for one in series if not one.label)],
        name=_("FLOP per byte, one byte a value (log scale)"),
        across=_("Tokens"),
        kind="flop_per_byte",
        across_kind="count",
        revision="study",
        log_x=True,
    )
    return Answer(
        name="roofline",
        sentence=_("Over 512 tokens BERT-Base does {a} FLOP per byte; GPT-2 writes them at {b}: the same sizes, {times} apart.").format(
            a=units.significant(encoder), b=units.significant(decoder, 2), times=units.times(encoder / decoder)
        ),
        drawing=drawing,
        sure=_("within 2 % of the paper"),
        trust="green",
        caption=_("lines: computed; filled: printed in arXiv 2302.14017; BERT-Large is 3 to 6 % off, see How sure"),
        rows=lambda: tuple(rows),
        sources=("kim_2023",),
    ).with_spec()


def _of_study(inputs: Mapping[str, object]) -> str:
    """Which model of the case study a case is about, in total; empty for none."""
    whole = inputs.get("operation", case_study.TOTAL) == case_study.TOTAL and inputs.get("heads") != 4
    if "sequence_length" not in inputs or not whole:
        return ""
    model = str(inputs.get("model", ""))
    return (
        "gpt-2"
        if model.startswith("GPT-2")
        else {"BERT-Base": "bert-base", "BERT-Base encoder": "bert-base", "BERT-Large": "bert-large"}.get(model, "")
    )
