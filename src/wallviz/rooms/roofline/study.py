"""The article's own case study: BERT and GPT-2, operation by operation."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.figures import roofline as figures
from wallviz.figures.roofline import DotSeries, SeriesDot
from wallviz.i18n import _
from wallviz.rooms import Answer
from wallviz.validation import case_study
from wallviz.validation.roofline_cases import predictions

_STUDY = (("bert-base", "compute"), ("bert-large", "memory"), ("gpt-2", "bandwidth"))

_LENGTHS = (128, 256, 512, 1024, 2048, 4096)


def study() -> Answer:
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
            line = _("printed {value} FLOP/B, computed {off}% off").format(value=units.significant(one.case.expected), off=f"{miss:+.1f}")
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
        sentence=_("Over 512 tokens BERT-Base does {a} FLOP per byte; GPT-2 generates them at {b}: the same sizes, {times} apart.").format(
            a=units.significant(encoder), b=units.significant(decoder, 2), times=units.times(encoder / decoder)
        ),
        drawing=drawing,
        sure=_("within 2% of the paper"),
        trust="green",
        caption=_("lines: computed; filled: printed in arXiv 2302.14017; BERT-Large is 3 to 6% off, see How sure"),
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
