"""Quality against bits: published perplexities of quantized weights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from wallviz import catalog, units
from wallviz.engine.remedies import published
from wallviz.engine.remedies.published import Quantized
from wallviz.figures.axes import Axis, said
from wallviz.figures.plane import Dot, Line, plane
from wallviz.i18n import _, labelled, qualified
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.remedies.choices import View
from wallviz.rooms.remedies.cited import cited

#: Models of the scoreboard that are drawn as lines, with the role whose colour they have; Llama-2 and Llama-3 of like size side by side.
BOARDS = {"Llama-3-8B": ("compute", "solid"), "Llama-3-70B": ("compute", "dot"), "Llama-2-70B": ("memory", "dot"), "Llama-2-7B": ("memory", "solid")}


@cache
def scoreboard() -> tuple[Quantized, ...]:
    """Every published perplexity of quantized weights."""
    return published.scoreboard(catalog.evidence().values())


def answer(case: Job, view: View) -> Answer:
    """Perplexity lost over bits per weight, a line for each model."""
    board = scoreboard()
    lines: list[Line] = []
    groups: list[list[Dot]] = []
    for model, (role, dash) in BOARDS.items():
        mine = [q for q in board if q.model == model and q.method == "GGUF" and not q.imatrix and q.bits < 15]
        best = [q for i, q in enumerate(mine) if i == 0 or q.bits < mine[i - 1].bits]
        lines.append(Line(role, model, [q.bits for q in best], [q.ratio for q in best], dash=dash))
        groups.append([_dot(q, model, role) for q in best])
    with_matrix = [q for q in board if q.imatrix]
    others = [q for q in board if q.method in ("AWQ", "GPTQ", "RTN")]
    groups.append([replace(_dot(q, _("importance matrix"), "compute"), open=True) for q in with_matrix])
    groups.append([_dot(q, "AWQ, GPTQ, RTN", "bandwidth") for q in others])
    three, two = (
        next(q.ratio for q in board if q.model == m and q.format.casefold() == "q2_k" and not q.imatrix) for m in ("Llama-3-8B", "Llama-2-7B")
    )
    sentence = _("Two bits cost Llama-3-8B {three} its perplexity and Llama-2-7B {two}: what a remedy costs depends on the model.").format(
        three=f"{units.TIMES}{three:.2f}", two=f"{units.TIMES}{two:.2f}"
    )
    bits = Axis(_("Bits a weight, scales included: fewer to the right"), "{:g}".format, lines=(2, 3, 4, 5, 6, 8), room=0.02, backwards=True)
    up = Axis(_("Perplexity over that of 16 bits (log scale; ○ with importance matrix, ◆ AWQ, GPTQ, RTN)"), said("times"), low=1.0, high=4.2)
    drawing = plane(lines, groups, across=bits, up=up, revision="quality")
    rows = tuple(
        {
            _("model"): q.model, _("format"): q.format, _("method"): q.method, _("bits a weight"): q.bits, _("perplexity ratio"): q.ratio,
            _("importance matrix"): q.imatrix, _("source"): catalog.titles(q.source),
        }
        for q in board
    )  # fmt: skip
    return Answer("remedies-figure", sentence, drawing, rows=lambda: rows, sources=cited("llama_cpp", "gpu_benchmarks_llm", "awq_2023"))


def _dot(q: Quantized, name: str, role: str) -> Dot:
    text = labelled(f"{q.model} {q.format} {q.method}", qualified(_("{n} bits").format(n=f"{q.bits:.2f}"), f"{units.TIMES}{q.ratio:.3f}"))
    return Dot(q.bits, q.ratio, role, ("", name, text), size=8)
