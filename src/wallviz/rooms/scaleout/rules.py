"""The simple rules that models are sized by, and what each makes of a budget."""

from __future__ import annotations

import numpy as np

from wallviz import catalog, units
from wallviz.engine.scaleout import scaling_laws
from wallviz.figures.axes import Axis, power
from wallviz.figures.plane import CrossLine, Line, plane
from wallviz.i18n import _
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.figure import answered


def answer(case: Job, _view: View) -> Answer:
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
    return answered(
        "rules",
        sentence=text,
        drawing=plane(
            lines,
            across=Axis(_("FLOP of the training run (log scale)"), power),
            up=Axis(_("Weights in 16 bits (log scale)"), lambda v: units.si(v, "B", digits=1)),
            marks=held,
            revision="scaleout-rules",
        ),
        rows=_rule_rows,
        caption=_("C = 6·N·D; Kaplan et al. 2020, table 6; Hoffmann et al. 2022, table 3 and equation 10"),
        explain=_why_rules,
    )


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
