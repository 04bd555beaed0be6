"""``wallviz hardware``: the chips of the catalogue, one of them, or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

import wallviz
from wallviz import catalog, units
from wallviz.cli.chip import chip as chip_of
from wallviz.cli.shell import FACTS, Debug, Json, Lang, say, say_json, table
from wallviz.engine import rating
from wallviz.engine.hardware import PRECISIONS, Accelerator
from wallviz.engine.rating import Work
from wallviz.errors import InputError
from wallviz.i18n import N_, _

PEAKS = tuple(name for name in PRECISIONS if name != "bf16")


def answer(
    chips: Annotated[list[str] | None, typer.Argument(metavar="NAME", help=N_("Chips by name, alias or beginning (default: the list)."))] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="SOURCE", help=N_("Serve this model: tokens per second and per joule."))] = None,
    batch: Annotated[int, typer.Option("--batch", help=N_("Sequences at once."))] = 1,
    context: Annotated[int, typer.Option("--context", help=N_("Tokens of each."))] = 8192,
    weights: Annotated[str, typer.Option("--weights", metavar="FORMAT", help=N_("Format of the weights."))] = "bf16",
    kv: Annotated[str, typer.Option("--kv", metavar="FORMAT", help=N_("Format of the KV cache."))] = "bf16",
    ttft: Annotated[float, typer.Option("--ttft", metavar="SECONDS", help=N_("The first token has to come within this."))] = 2.0,
    tpot: Annotated[float, typer.Option("--tpot", metavar="SECONDS", help=N_("Each further token within this."))] = 0.05,
    price: Annotated[
        list[str] | None, typer.Option("--price", metavar="NAME=MONEY", help=N_("What you pay for a chip; may be repeated. None is shipped."))
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
    debug: Debug = False,
) -> None:
    """Lists the chips, or answers for some."""
    prices = dict(_price(each) for each in price or ())
    asked = Work(_positive(batch, "--batch"), _positive(context, "--context"), weights, kv, ttft, tpot)
    if not chips:
        if model or prices:
            raise InputError(N_("say which chips: wallviz hardware NAME [NAME ...]"))
        every = list(catalog.chips().values())
        say_json([_figures(chip) for chip in every]) if as_json else say(_listing(every))
        return
    found = list({chip.id: chip for chip in map(chip_of, chips)}.values())
    if strangers := prices.keys() - {chip.id for chip in found}:
        raise InputError(N_("--price names {chip}, which is not compared: add it to the chips"), chip=", ".join(sorted(strangers)))
    records = [_record(chip, asked, model, prices.get(chip.id)) for chip in found]
    if as_json:
        say_json(records[0] if len(records) == 1 else records)
    else:
        say(_side_by_side(found, records))


def _positive(value: int, option: str) -> int:
    if value < 1:
        raise InputError(N_("{option} must be at least 1: got {value}"), option=option, value=value)
    return value


def _price(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not (equals and 0 < value < 1e12):
        raise InputError(N_("--price takes NAME=MONEY with a number above 0, such as H100=25000: got “{text}”"), text=text[:60])
    return wallviz.chip(name.strip()).id, value


def _figures(chip: Accelerator) -> dict[str, Any]:
    """What the catalogue says of a chip, in base units, dense rates; None where no source says it."""
    return {
        "id": chip.id,
        "name": chip.name,
        "aliases": list(chip.aliases),
        "vendor": chip.vendor,
        "kind": chip.kind,
        "released": chip.release_date.isoformat(),
        "announced": chip.announced,
        "memory_label": chip.memory_gb_label or None,
        "memory_bytes": None if chip.memory_bytes is None else int(chip.memory_bytes),
        "memory_type": chip.memory_type or None,
        "memory_is_sram": chip.memory_is_sram,
        "memory_bytes_per_s": chip.memory_bytes_per_s,
        **{PRECISIONS[name]: chip.peak(name) for name in PEAKS},
        "fp16_accumulate": chip.fp16_accumulate,
        "ridge_flop_per_byte": {name: chip.ridge(name) for name in PEAKS},
        "l2_or_sram_bytes": None if chip.l2_or_sram_bytes is None else int(chip.l2_or_sram_bytes),
        "interconnect": chip.interconnect_name or None,
        "interconnect_bytes_per_s": chip.interconnect_bytes_per_s,
        "interconnect_bytes_per_s_bidir": chip.interconnect_bytes_per_s_bidir,
        "pcie_gen": chip.pcie_gen,
        "tdp_w": chip.tdp_w,
        "confidence": chip.confidence,
        "single_source": sorted(chip.single_source),
        "note": _(chip.notes) or None,
        "source": [s for s in chip.source.split(";") if s],
    }


def _record(chip: Accelerator, asked: Work, model: str | None, price: float | None) -> dict[str, Any]:
    """The figures of a chip with what follows from them."""
    peak = chip.peak("fp16")
    found = _figures(chip) | {
        "bytes_per_s_per_w": rating.per(chip.memory_bytes_per_s, chip.tdp_w),
        "fp16_flop_per_s_per_w": rating.per(peak, chip.tdp_w),
        "price": price,
        "memory_bytes_per_money": rating.per(chip.memory_bytes, price),
        "bytes_per_s_per_money": rating.per(chip.memory_bytes_per_s, price),
        "fp16_flop_per_s_per_money": rating.per(peak, price),
    }
    if model is not None:
        found |= _served(chip, asked, model, price)
    largest = rating.largest_served(((id, catalog.architecture(id)) for id in catalog.presets()), chip, asked)
    found["largest_model"] = None if largest is None else {
        "id": largest[0],
        "parameters": catalog.presets()[largest[0]].parameters,
        "ttft_s": largest[1].ttft_s,
        "tpot_s": largest[1].tpot_s,
        "bytes": int(largest[1].bytes),
        "targets": {"ttft_s": asked.ttft_s, "tpot_s": asked.tpot_s, "context": asked.context, "batch": asked.batch, "weights": asked.weights},
    }  # fmt: skip
    if largest is None:
        found["largest_model_reason"] = _("no model of the catalogue fits and meets both targets, or a figure of the chip is missing")
    return found


def _served(chip: Accelerator, asked: Work, model: str, price: float | None) -> dict[str, Any]:
    arch = wallviz.model(model)
    found: dict[str, Any] = {
        "model": arch.name,
        "fits": None,
        "ttft_s": None,
        "tpot_s": None,
        "tokens_per_s": None,
        "tokens_per_joule": None,
        "bound": None,
    }
    try:
        served = rating.served(arch, chip, asked)
    except InputError as error:
        if chip.memory_bytes_per_s and (chip.peak("fp16") or chip.peak("fp32")):
            raise
        return found | {"reason": str(error)}
    rate = served.tokens_per_s if served.fits is not False else None
    found |= {
        "fits": served.fits,
        "bytes": int(served.bytes),
        "ttft_s": served.ttft_s,
        "tpot_s": served.tpot_s,
        "tokens_per_s": rate,
        "tokens_per_joule": rating.per(rate, chip.tdp_w),
        "tokens_per_s_per_money": rating.per(rate, price),
        "bound": served.bound,
    }
    return found if rate is not None else found | {"reason": _("the model does not fit one chip")}


def _listing(chips: Sequence[Accelerator]) -> str:
    columns = (
        (_("chip"), "whole"), (_("name"), "left"), (_("year"), "right"), (_("memory"), "right"), (_("bandwidth"), "right"),
        (_("16-bit peak"), "right"), (_("power"), "right"),
    )  # fmt: skip
    return table(
        columns,
        (
            (
                chip.id,
                chip.name,
                str(chip.release_date.year),
                _said(chip.memory_bytes, "B"),
                _said(chip.memory_bytes_per_s, "B/s"),
                _said(chip.peak("fp16"), "FLOP/s"),
                _said(chip.tdp_w, "W"),
            )
            for chip in chips
        ),
    )


def _said(value: float | None, unit: str) -> str:
    return "–" if value is None else units.si(value, unit)


#: Lines of the comparison: the words, the key of the record, the unit.
_LINES = (
    (N_("memory"), "memory_bytes", "B"), (N_("bandwidth"), "memory_bytes_per_s", "B/s"), (N_("links, one way"), "interconnect_bytes_per_s", "B/s"),
    *((name.upper(), PRECISIONS[name], "OP/s" if name == "int8" else "FLOP/s") for name in PEAKS),
    (N_("power"), "tdp_w", "W"), (N_("bandwidth per watt"), "bytes_per_s_per_w", "B/s/W"),
    (N_("16-bit peak per watt"), "fp16_flop_per_s_per_w", "FLOP/s/W"),
    (N_("bytes per unit of money"), "memory_bytes_per_money", "B"), (N_("bandwidth per unit of money"), "bytes_per_s_per_money", "B/s"),
    (N_("16-bit peak per unit of money"), "fp16_flop_per_s_per_money", "FLOP/s"), (N_("needs"), "bytes", "B"), (N_("first token"), "ttft_s", "s"),
    (N_("each token"), "tpot_s", "s"), (N_("tokens/s, at most"), "tokens_per_s", ""), (N_("tokens per joule, at most"), "tokens_per_joule", ""),
)  # fmt: skip


def _side_by_side(chips: Sequence[Accelerator], records: Sequence[dict[str, Any]]) -> str:
    rows = [(_("released"), *(chip.release_date.isoformat() for chip in chips)), (_("memory type"), *(chip.memory_type or "–" for chip in chips))]
    for words, key, unit in _LINES:
        cells = []
        for chip, record in zip(chips, records, strict=True):
            value = record.get(key)
            text = "–" if value is None else units.si(value, unit) if unit else units.significant(value)
            cells.append(text + (" *" if key in chip.single_source and value is not None else ""))
        if any(cell != "–" for cell in cells):
            rows.append((_(words), *cells))
    ridges = [record["ridge_flop_per_byte"]["fp16"] for record in records]
    rows.append((_("ridge, 16 bits"), *("–" if r is None else units.ratio("flop_per_byte", r) for r in ridges)))
    rows.append((_("largest model in time"), *(r["largest_model"]["id"] if r["largest_model"] else "–" for r in records)))
    columns = [("", "left"), *((chip.name, "right") for chip in chips)]
    marks = [(chip.name, _(chip.notes)) for chip in chips if chip.notes]
    notes = [*marks, ("*", _("one source alone"))] if any(chip.single_source for chip in chips) else marks
    return table(columns, rows) + (f"\n\n{table(FACTS, notes, header=False)}" if notes else "")
