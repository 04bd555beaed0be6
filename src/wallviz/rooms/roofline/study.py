"""The article's own case study: BERT and GPT-2, operation by operation."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.figures.axes import Axis, said
from wallviz.figures.plane import Dot, Line, plane
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
    lines: list[Line] = []
    groups: list[list[Dot]] = []
    rows: list[dict[str, object]] = []
    for name, role in _STUDY:
        words = _(case_study.MODELS[name])
        totals = [case_study.rows(name, length)[-1] for length in _LENGTHS]
        lines.append(Line(role, words, [float(row.sequence) for row in totals], [row.intensity for row in totals]))
        hovers = [("", f"{words}, {row.sequence:,}", f"{units.significant(row.intensity)} FLOP/B", _("computed")) for row in totals]
        groups.append([Dot(float(row.sequence), row.intensity, role, hover, open=True, size=8) for row, hover in zip(totals, hovers, strict=True)])
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
            hover = ("", f"{words}, {length:,}", line, one.case.where, _("printed"))
            marks.append(Dot(float(length), one.case.expected, role, hover, size=8))
        groups.append(marks)
    encoder, decoder = case_study.rows("bert-base", 512)[-1].intensity, case_study.rows("gpt-2", 512)[-1].intensity
    drawing = plane(
        lines,
        groups,
        across=Axis(_("Tokens"), "{:,.0f}".format, base=2),
        up=Axis(_("FLOP per byte, one byte a value (log scale)"), said("flop_per_byte"), room=0.08),
        revision="study",
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
