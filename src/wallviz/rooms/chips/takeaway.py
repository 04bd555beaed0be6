"""The takeaway: which chip is best at what is shown, and what the reader's own does beside the others."""

from __future__ import annotations

from collections.abc import Sequence

from wallviz import units
from wallviz.i18n import N_, _, followed
from wallviz.job import Job
from wallviz.rooms.chips.metrics import METRICS, ComparedChip, View, short
from wallviz.rooms.job import model_name


def sentence(case: Job, view: View, columns: Sequence[ComparedChip]) -> str:
    """Who is best at what is shown, in one sentence."""
    if view.show != "plane":
        metric, best = METRICS[view.show], _best(columns, view, view.show)
        if best is None:
            if metric.priced:
                return _("Type what you pay for these chips, and they are compared per unit of your money.")
            return _("No source gives this of the chips that you chose.")
        template = _("{name}: {chip} has the most, {value}.") if metric.best else _("{name}: {chip} has the least, {value}.")
        return template.format(name=_(metric.name), chip=short(best[0].chip), value=metric.said(best[1]))
    if (mine := _mine(case, view, columns)) is not None:
        return mine
    tokens, joule, memory = (_best(columns, view, id) for id in ("tokens", "joule", "memory"))
    if tokens and joule and memory:
        template = (
            _("{fast} is fastest, {rate} tokens/s, with the most tokens per joule, {each}; {large} holds most, {bytes}.")
            if tokens[0] is joule[0]
            else _("{fast} is fastest, {rate} tokens/s; {thrifty} has the most tokens per joule, {each}; {large} holds most, {bytes}.")
        )
        return template.format(
            fast=short(tokens[0].chip),
            rate=units.significant(tokens[1]),
            thrifty=short(joule[0].chip),
            each=units.significant(joule[1], 2),
            large=short(memory[0].chip),
            bytes=units.si(memory[1], "B"),
        )
    if memory:
        return _("{large} holds most, {bytes}; none of these is known to serve {model}.").format(
            large=short(memory[0].chip), bytes=units.si(memory[1], "B"), model=model_name(case)
        )
    return _("No source gives the memory of these chips: choose others.")


def _best(columns: Sequence[ComparedChip], view: View, id: str) -> tuple[ComparedChip, float] | None:
    metric = METRICS[id]
    found = [(column, value) for column in columns if (value := metric.value(column, view)) is not None]
    if not found:
        return None
    return (max if metric.best else min)(found, key=lambda one: one[1])


#: What is said of the reader's chip where no chip holds the model, where it does not, and where it does.
_SERVES = (
    N_("{own} {cannot} hold {model}, which needs {bytes} per chip; none of these can."),
    N_("{own} {cannot} hold {model}, which needs {bytes} per chip; of these {fast} is fastest, {rate} tokens/s."),
    N_("{own}: at most {mine} tokens/s, {fast} {rate}; most per joule: {thrifty}, {each} tokens; most memory: {large}, {most}."),
)


_TRAINS = (
    N_("{own} {cannot} hold {model}: on {n} it needs {bytes} each; none of these can."),
    N_("{own} {cannot} hold {model}: on {n} it needs {bytes} each; of these {fast} trains fastest, {rate} tokens/s."),
    N_("{own} trains at most {mine} tokens/s, {fast} {rate}; most per joule: {thrifty}, {each} tokens; most memory: {large}, {most}."),
)


def _mine(case: Job, view: View, columns: Sequence[ComparedChip]) -> str | None:
    """What the reader's own chip does beside the others; None where it is not among them, or serves best itself."""
    own = next((column for column in columns if column.chip.id == case.chip), None)
    if own is None or own.served is None:
        return None
    serves = case.job == "infer"
    nobody, others, known = _SERVES if serves else _TRAINS
    each = f"{case.chips:,} × {short(own.chip)}" if serves and case.chips > 1 else short(own.chip)
    said = {"own": each, "model": model_name(case), "n": f"{case.chips:,}", "bytes": units.binary(own.served.bytes)}
    said["cannot"] = _("may not") if own.served.verdict == "likely" else _("cannot")
    fastest, joule, memory = (_best(columns, view, id) for id in ("tokens", "joule", "memory"))
    if fastest is None:
        return None if serves and own.served.fits is not False else _(nobody).format(**said)
    said |= {"fast": short(fastest[0].chip), "rate": units.significant(fastest[1])}
    if own.served.fits is False:
        return _(others).format(**said)
    if not (joule and memory) or (serves and fastest[0] is own):
        return None
    said |= {"mine": units.significant(own.served.tokens_per_s), "thrifty": short(joule[0].chip), "each": units.significant(joule[1], 2)}
    return _(known).format(**said, large=short(memory[0].chip), most=units.si(memory[1], "B"))


def of_one_chip(case: Job) -> tuple[str, ...]:
    """What is compared where the case is more than one chip."""
    if not case.serves:
        return (_("This compares single chips and ignores links; the scale-out page shows how many help."),)
    if case.chips > 1:
        return (_("This compares {n} of each chip and ignores links; the scale-out page shows how many help.").format(n=f"{case.chips:,}"),)
    return ()


def caption(view: View) -> str:
    """How to read what is drawn."""
    said = [_("Open circles and pale bars: one source alone. Dense rates only; links one way.")]
    if view.show == "plane":
        said.insert(0, _("Ringed: your chip. Grey: cannot hold the model."))
    return followed(*said)
