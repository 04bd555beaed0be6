"""The figure of training memory: weights, optimizer and activations as the authors count them."""

from __future__ import annotations

from wallviz import catalog, units
from wallviz.figures import growth as figures
from wallviz.i18n import _, followed
from wallviz.rooms import Answer


def answer() -> Answer:
    """The figure of training memory, in the language in use."""
    rows = catalog.memory_breakdown()
    bars = [
        figures.TrainingMemory(
            r.name, r.year, r.weights_bytes, r.optimizer_bytes, r.activations_bytes, r.gpu_memory_limit_bytes, _(r.note) if r.note else ""
        )
        for r in rows.values()
    ]
    last = bars[-1]
    total = last.weights_bytes + last.optimizer_bytes + last.activations_bytes
    sentence = _("By the authors' count, training {name} ({year}) takes {total} without gradients; its weights are only {share} % of that.").format(
        name=last.name, total=units.si(total, "B"), year=last.year, share=round(100 * last.weights_bytes / total)
    )
    return Answer(
        name="growth",
        sentence=sentence,
        drawing=figures.breakdown(bars, name=_("Training memory as the authors count it, bytes")),
        sure=_("as published, with known errors"),
        trust="orange",
        caption=_(
            "Activations are counted, not measured; gradients are missing from the published table; batches differ, so bars compare only roughly."
        ),
        explain=_why,
        doubt=_errors,
        rows=_table,
        sources=tuple(dict.fromkeys(s for r in rows.values() for s in r.source.split(";"))),
    )


def activations_over_weights() -> tuple[float, float]:
    """The least and the most that activations are, in weights, in the authors' own table."""
    found = [row.activations_bytes / row.weights_bytes for row in catalog.memory_breakdown().values()]
    return min(found), max(found)


def _why() -> str:
    least, most = (units.significant(times, 2) for times in activations_over_weights())
    return followed(
        _(
            "Weights, optimizer state and activations add up; the line is the largest GPU of the year. The batch differs from model to model: "
            "it stands in the table."
        ),
        _(
            "The blog says that activations add three to four times the parameters; in this table they are {least} to {most} times the weights."
        ).format(least=least, most=most),
    )


def _errors() -> str:
    return "\n".join(f"- {_(e)}" for s in ("gholami_memory_figure", "gholami_readme") for e in catalog.sources()[s].errata)


def _table() -> tuple[dict[str, object], ...]:
    return tuple(
        {
            _("name"): r.name,
            _("year"): r.year,
            _("input"): r.input,
            _("micro-batch"): r.micro_batch,
            _("optimizer"): r.optimizer,
            _("weights, bytes"): r.weights_bytes,
            _("optimizer, bytes"): r.optimizer_bytes,
            _("activations, bytes"): r.activations_bytes,
            _("one GPU, bytes"): r.gpu_memory_limit_bytes,
            _("note"): _(r.note) if r.note else "",
        }
        for r in catalog.memory_breakdown().values()
    )
