"""The chips page's answers: a few chips side by side, which is best at what, and the largest model that each serves in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial

import orjson

from wallviz import __version__, catalog, units
from wallviz.engine.hardware import PRECISIONS, Accelerator
from wallviz.engine.rating import ServingBound
from wallviz.figures import chips as figures
from wallviz.figures import hierarchy as bar_figures
from wallviz.figures.style import Drawing
from wallviz.i18n import N_, _, bracketed, labelled, language, listing
from wallviz.job import Job
from wallviz.rooms import Action, Answer
from wallviz.rooms.chips.metrics import (
    METRICS,
    PEAKS,
    RENAMED,
    SHORTLISTS,
    ComparedChip,
    Metric,
    View,
    bytes_per_weight,
    chip_names,
    compared,
    groups,
    prices,
    rate,
    single_source,
    work,
)
from wallviz.rooms.job import model_name

__all__ = ["METRICS", "RENAMED", "View", "answer", "chip_names", "document", "groups", "prices", "rows", "side_by_side"]

#: Colour by role in bars: `figures.hierarchy` names its groups by transfer.
_GROUPS = {"memory": "chip", "bandwidth": "memory", "network": "peers", "compute": "compute", "reference": "storage"}


def answer(case: Job, view: View) -> Answer:
    """The answer for `case` as `view` says, in the language in use."""
    return _answer(case, view, language())


@lru_cache(maxsize=256)
def _answer(case: Job, view: View, _language: str) -> Answer:
    columns, problems = compared(case, view)
    if not columns:
        return Answer("chips", _("No chip is left to compare: choose some."), None, actions=shortlists(), problems=problems)
    drawing, more = _drawn(case, columns, view)
    return Answer(
        name="chips",
        sentence=_sentence(case, view, columns),
        drawing=drawing,
        sure=_("bounds from data sheets"),
        trust="orange",
        caption=_caption(view) if drawing else "",
        actions=shortlists(),
        facts=next(
            ({"bytes": c.served.bytes, "bound_tokens_per_s": c.served.tokens_per_s} for c in columns if c.chip.id == case.chip and c.served), {}
        ),
        explain=partial(_why, case, view, columns),
        doubt=partial(_how_sure, columns),
        problems=(*problems, *_of_one_chip(case), *more),
        rows=partial(rows, case, view),
        sources=tuple(dict.fromkeys(s for column in columns for s in column.chip.source.split(";") if s)),
    ).with_spec()


def _facts(served: ServingBound) -> dict[str, float]:
    return {"bytes": served.bytes, "bound_tokens_per_s": served.tokens_per_s}


def _caption(view: View) -> str:
    said = [_("Open circles and pale bars: one source alone. Dense rates only; links one way.")]
    if view.show == "plane":
        said.insert(0, _("Ringed: your chip. Grey: cannot hold the model."))
    return " ".join(said)


def shortlists() -> tuple[Action, ...]:
    """Lists to start from, as buttons."""
    return tuple(Action(_(label), _(help), {"compare": ids}) for label, help, ids in SHORTLISTS.values())


# -- words and figures -------------------------------------------------------------------------------------------------------------


def short(chip: Accelerator) -> str:
    """A chip's name without its remark and its vendor's line."""
    return chip.name.partition(" (")[0].removeprefix("Instinct ").removeprefix("GeForce ")


def _best(columns: Sequence[ComparedChip], view: View, id: str) -> tuple[ComparedChip, float] | None:
    metric = METRICS[id]
    found = [(column, value) for column in columns if (value := metric.value(column, view)) is not None]
    if not found:
        return None
    return (max if metric.best else min)(found, key=lambda one: one[1])


def _sentence(case: Job, view: View, columns: Sequence[ComparedChip]) -> str:
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
            _("{fast} writes fastest, {rate} tokens/s, and gets most from a joule, {each} tokens; {large} holds most, {bytes}.")
            if tokens[0] is joule[0]
            else _("{fast} writes fastest, {rate} tokens/s; {thrifty} gets most from a joule, {each} tokens; {large} holds most, {bytes}.")
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


#: What is said of the reader's chip where no chip holds the model, where it does not, and where it does.
_SERVES = (
    N_("{own} {cannot} hold {model}, which needs {bytes} per chip; none of these can."),
    N_("{own} {cannot} hold {model}, which needs {bytes} per chip; of these {fast} writes it fastest, {rate} tokens/s."),
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


def _of_one_chip(case: Job) -> tuple[str, ...]:
    """What is compared where the case is more than one chip."""
    if not case.serves:
        return (_("Compared is one chip of {n}, its links left out: how many still help is on the scale-out page.").format(n=f"{case.chips:,}"),)
    if case.chips > 1:
        return (_("Compared are {n} of each chip, their links left out: how many still help is on the scale-out page.").format(n=f"{case.chips:,}"),)
    return ()


def _drawn(case: Job, columns: Sequence[ComparedChip], view: View) -> tuple[Drawing | None, tuple[str, ...]]:
    if view.show == "plane":
        return _plane(case, columns, view)
    metric = METRICS[view.show]
    found = sorted(
        ((column, value) for column in columns if (value := metric.value(column, view)) is not None), key=lambda one: one[1], reverse=metric.best
    )
    lacking = [short(column.chip) for column in columns if column not in [c for c, _v in found]]
    more = (_("Without a figure: {chips}.").format(chips=", ".join(lacking)),) if lacking and found else ()
    if not found:
        return None, more
    bars = [
        bar_figures.ValueBar(
            column.chip.id,
            column.chip.name,
            _GROUPS[metric.role],
            value,
            _value(metric, column, value, view),
            strong=not single_source(column.chip, metric, view),
            how=_("one source alone") if single_source(column.chip, metric, view) else "",
        )
        for column, value in found
    ]
    return bar_figures.bars(bars, name=_(metric.name), kind=metric.kind, log=view.scale == "log", revision=f"chips-{view.show}"), more


def _value(metric: Metric, column: ComparedChip, value: float, view: View) -> str:
    if view.show == "largest" and column.largest:
        return f"{metric.said(value)} · {catalog.presets()[column.largest[0]].name}"
    if view.show == "dense" and column.dense:
        return f"{metric.said(value)} · {_(LIMITS[str(column.dense.bound)])}"
    return metric.said(value)


LIMITS = {"memory": N_("memory is full"), "tpot": N_("reading the weights"), "compute": N_("arithmetic"), "ttft": N_("reading the prompt")}


def _plane(case: Job, columns: Sequence[ComparedChip], view: View) -> tuple[Drawing | None, tuple[str, ...]]:
    spots = [
        figures.ChipSpot(
            column.chip.id,
            short(column.chip),
            column.chip.release_date.year,
            column.chip.memory_bytes,
            column.chip.memory_bytes_per_s,
            column.chip.peak(view.peaks),
            bool({"memory_bytes", "memory_bytes_per_s", PRECISIONS[view.peaks]} & column.chip.single_source),
            _("one source alone") if column.chip.single_source else _("data sheet"),
            "; ".join(catalog.sources()[s].title for s in column.chip.source.split(";")[:3] if s),
            own=column.chip.id == case.chip,
            holds=column.served is None or column.served.fits is not False,
        )
        for column in columns
        if column.chip.memory_bytes and column.chip.memory_bytes_per_s
    ]
    lacking = [short(c.chip) for c in columns if not (c.chip.memory_bytes and c.chip.memory_bytes_per_s)]
    more = (_("Without a figure: {chips}.").format(chips=", ".join(lacking)),) if lacking else ()
    if not spots:
        return None, more
    return (
        figures.plane(
            spots,
            name=_("Memory bandwidth · circles grow with peak {precision}").format(precision=view.peaks.upper()),
            across=_("Memory of one chip"),
            every=_("all of it read in {time}"),
            log=view.scale == "log",
            revision="chips",
            need=_need(case, columns),
        ),
        more,
    )


def _need(case: Job, columns: Sequence[ComparedChip]) -> tuple[str, float] | None:
    """What the case takes on one chip, in words and bytes; None where it cannot be served."""
    served = next((column.served for column in columns if column.served), None)
    if served is None:
        return None
    template = _("{model} over {n} chips: {bytes} each") if case.chips > 1 else _("{model} needs {bytes}")
    return template.format(model=model_name(case), n=f"{case.chips:,}", bytes=units.binary(served.bytes)), served.bytes


# -- tables ------------------------------------------------------------------------------------------------------------------------


def rows(case: Job, view: View) -> tuple[Mapping[str, object], ...]:
    """One row a chip, every figure in base units."""
    columns, _problems = compared(case, view)
    return tuple(
        {
            _("chip"): column.chip.name,
            _("id"): column.chip.id,
            _("year"): column.chip.release_date.year,
            _("memory type"): column.chip.memory_type,
            _("memory (B)"): column.chip.memory_bytes,
            _("bandwidth (B/s)"): column.chip.memory_bytes_per_s,
            **{f"{name} (FLOP/s)": column.chip.peak(name) for name in PEAKS},
            _("links one way (B/s)"): column.chip.interconnect_bytes_per_s,
            _("power (W)"): column.chip.tdp_w,
            **{
                _(metric.name): metric.value(column, view)
                for id, metric in METRICS.items()
                if id not in ("memory", "bandwidth", "peak", "link", "power")
            },
            _("largest model in time"): catalog.presets()[column.largest[0]].name if column.largest else None,
            _("your price"): column.price,
            _("one source alone"): listing(_single(column.chip)),
            _("source"): catalog.titles(column.chip.source),
        }
        for column in columns
    )


def side_by_side(case: Job, view: View) -> tuple[Mapping[str, object], ...]:
    """The comparison as it is read: a line for each figure, a column for each chip; a star where one source alone says it."""
    columns, _problems = compared(case, view)
    heads = [short(column.chip) for column in columns]
    names_ = [head if heads.count(head) == 1 else column.chip.name for head, column in zip(heads, columns, strict=True)]

    def line(what: str, cells: Sequence[str]) -> dict[str, object]:
        return {" ": what, **dict(zip(names_, cells, strict=True))}

    found = [
        line(_("Released"), [f"{c.chip.release_date.year}" + (" " + _("(announced)") if c.chip.announced else "") for c in columns]),
        line(_("Memory type"), [c.chip.memory_type or "–" for c in columns]),
    ]
    for id in READING_ORDER:
        metric = METRICS[id]
        if id == "peak":
            found += _peaks(columns, line)
        elif not metric.priced or view.prices:
            found.append(line(_(metric.name), [_in_table(id, column, view) for column in columns]))
    return tuple(found)


#: The lines of the table: what the data sheet says, per watt, what it serves, per unit of money.
READING_ORDER = (
    "memory", "bandwidth", "peak", "ridge", "link", "power", "bandwidth_power", "peak_power", "tokens", "joule", "ttft", "largest", "dense",
    "memory_price", "bandwidth_price", "peak_price", "tokens_price",
)  # fmt: skip


def _in_table(id: str, column: ComparedChip, view: View) -> str:
    metric = METRICS[id]
    value = metric.value(column, view)
    if id == "largest" and column.largest and value:
        return bracketed(catalog.presets()[column.largest[0]].name, units.count(value))
    return _cell(value, metric.said, single_source(column.chip, metric, view))


def _peaks(columns: Sequence[ComparedChip], line: Callable[[str, Sequence[str]], dict[str, object]]) -> list[dict[str, object]]:
    """A line for each number format that any of the chips has."""
    found = []
    for precision in PEAKS:
        said, attribute = rate("OP/s" if precision == "int8" else "FLOP/s"), PRECISIONS[precision]
        cells = [_cell(c.chip.peak(precision), said, attribute in c.chip.single_source) for c in columns]
        if any(cell != "–" for cell in cells):
            found.append(line(_("Peak {precision}").format(precision=precision.upper()), cells))
    return found


def _cell(value: float | None, said: Callable[[float], str], single: bool) -> str:
    return "–" if value is None else said(value) + (" *" if single else "")


def _why(case: Job, view: View, columns: Sequence[ComparedChip]) -> str:
    first = next((c for c in columns if c.served and c.dense and case.serves), None)
    lines = [
        _("**tokens/s** is the roofline's bound of one decoding step of your case; **tokens per joule** divides it by the data sheet's power.")
        if case.job == "infer"
        else _("**tokens/s** is the roofline's bound of one training step on one chip; **tokens per joule** divides it by the data sheet's power."),
        "",
        _("**Largest dense model**, KV cache left out: the least of M/w, B·TPOT/w, F·TPOT/(2·batch) and F·TTFT/(2·context)."),
        "",
        _("**Largest model in time**: the largest of {n} models whose weights, cache and overheads fit, with both targets met.").format(
            n=len(catalog.presets())
        ),
    ]
    if first and first.served and first.dense:
        asked = work(case, view)
        lines += [
            "",
            labelled(
                f"**{short(first.chip)}**",
                _(
                    "{model} takes {bytes}; a token {tpot} (target {tpot_target}), the first {ttft} (target {ttft_target}); {power}, {rate} tokens/s."
                ).format(
                    model=model_name(case),
                    bytes=units.binary(first.served.bytes),
                    tpot=units.si(first.served.tpot_s, "s"),
                    tpot_target=units.si(asked.tpot_s, "s"),
                    ttft=units.si(first.served.ttft_s, "s"),
                    ttft_target=units.si(asked.ttft_s, "s"),
                    power=f"{first.chip.tdp_w:,.0f} W" if first.chip.tdp_w else "–",
                    rate=units.significant(first.served.tokens_per_s),
                ),
            ),
            "",
            _("The most parameters at {weights}, {bytes} a weight: {largest}; the limit is {limit}.").format(
                weights=case.format,
                bytes=units.significant(bytes_per_weight(case.format)),
                largest=units.count(float(first.dense.parameters)),
                limit=_(LIMITS[str(first.dense.bound)]),
            ),
        ]
    return "\n".join(lines)


_FIGURES = {
    "memory_bytes": N_("amount of memory"),
    "memory_bytes_per_s": N_("bandwidth"),
    "l2_or_sram_bytes": N_("cache or SRAM on the chip"),
    "interconnect_bytes_per_s": N_("links one way"),
    "interconnect_bytes_per_s_bidir": N_("links both ways"),
    "tdp_w": N_("power"),
}


def _single(chip: Accelerator) -> list[str]:
    """The figures of `chip` that one source alone says, in words."""
    peaks = {attribute: name for name, attribute in PRECISIONS.items() if name != "bf16"}
    return [
        _("peak {precision}").format(precision=peaks[name].upper()) if name in peaks else _(_FIGURES.get(name, name))
        for name in sorted(chip.single_source)
    ]


def _how_sure(columns: Sequence[ComparedChip]) -> str:
    lines = [
        _("Every figure is a data sheet's, dense, and no chip reaches all of it: the accuracy page shows how near measured runs come."),
        _("One chip at a time; several share a model, and pay for it on the links. Prices are yours: none is shipped."),
        "",
    ]
    for column in columns:
        notes = [_(column.chip.notes)] if column.chip.notes else []
        if column.chip.single_source:
            notes.append(_("one source alone: {names}").format(names=listing(_single(column.chip))))
        if column.reason:
            notes.append(column.reason)
        elif column.served and column.served.fits is False:
            template = (
                _("your case needs {bytes} and may not fit") if column.served.verdict == "likely" else _("your case needs {bytes} and does not fit")
            )
            notes.append(template.format(bytes=units.binary(column.served.bytes)))
        lines.append("- " + labelled(column.chip.name, " · ".join(notes) or _("several sources agree")))
    return "\n".join(lines)


def document(case: Job, view: View) -> str:
    """Everything that the page shows as JSON, in base units."""
    found = answer(case, view)
    return orjson.dumps(
        {
            "wallviz": __version__,
            "case": asdict(case),
            "view": asdict(view),
            "sentence": found.sentence,
            "problems": found.problems,
            "chips": rows(case, view),
            "sources": found.sources,
        },
        option=orjson.OPT_INDENT_2,
    ).decode()
