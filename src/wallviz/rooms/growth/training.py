"""The figure of training memory: weights, optimizer and activations as the authors count them."""

from __future__ import annotations

from wallviz import catalog, units
from wallviz.catalog.rows import MemoryBreakdown
from wallviz.figures import style
from wallviz.figures.axes import Axis
from wallviz.figures.axes import said as tick
from wallviz.figures.bars import Bar, Limit, Segment, bars
from wallviz.i18n import N_, _, followed, labelled
from wallviz.rooms import Answer

#: The parts in the order in which they are stacked.
PARTS = {"weights": N_("Weights"), "optimizer": N_("Optimizer"), "activations": N_("Activations")}


def answer() -> Answer:
    """The figure of training memory, in the language in use."""
    rows = catalog.memory_breakdown()
    last = list(rows.values())[-1]
    total = sum(_parts(last).values())
    sentence = _("By the authors' count, training {name} ({year}) takes {total} without gradients; its weights are only {share}% of that.").format(
        name=last.name, total=units.si(total, "B"), year=last.year, share=round(100 * last.weights_bytes / total)
    )
    return Answer(
        name="growth",
        sentence=sentence,
        drawing=bars(
            [_bar(row) for row in rows.values()],
            Axis(_("Training memory as the authors count it, bytes"), tick("bytes"), log=False),
            limit=Limit(_("One GPU holds")),
            swatches=[(style.PARTS[part], _(name)) for part, name in PARTS.items()],
            revision="training",
        ),
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


def _parts(row: MemoryBreakdown) -> dict[str, float]:
    """Bytes by part."""
    return {"weights": row.weights_bytes, "optimizer": row.optimizer_bytes, "activations": row.activations_bytes}


def _bar(row: MemoryBreakdown) -> Bar:
    """One model, against the largest GPU of its year."""
    name = f"{row.name} ({row.year})"
    edge = style.PARTS["weights"]
    hover = (labelled(_("Memory of one GPU"), units.si(row.gpu_memory_limit_bytes, "B")), _(row.note) if row.note else "")
    segments = tuple(
        Segment(size, style.PARTS[part], edge, (name, labelled(_(PARTS[part]), units.si(size, "B")), *hover)) for part, size in _parts(row).items()
    )
    return Bar(name, segments, said=units.si(sum(_parts(row).values()), "B"), limit=row.gpu_memory_limit_bytes)


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
