"""What is compared of chips, and with what work: one field of `View` for each choice, a `ComparedChip` for each chip, a `Metric` for each line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import isfinite, nan

from wallviz import catalog, units
from wallviz.checks import halfwidth
from wallviz.engine import rating
from wallviz.engine.hardware import PRECISIONS, Accelerator
from wallviz.engine.rating import ServingBound, Work
from wallviz.engine.roofline.step import step
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_, _, listing
from wallviz.job import Job
from wallviz.machine import own as own_machine
from wallviz.rooms import Group, grouped
from wallviz.rooms.bound import bound, options, tokens_per_s
from wallviz.rooms.footprint.need import estimate
from wallviz.settings import choice, names, number, text

DEFAULT = ("h100-sxm5", "h200-sxm", "b200-sxm", "instinct-mi300x", "h20", "ascend-910c", "geforce-rtx-4090")
MOST = 12
"""Chips that can be read side by side."""
PEAKS = tuple(name for name in PRECISIONS if name != "bf16")
WEIGHTS = ("bf16", "fp8", "int8", "awq-4", "mxfp4", "gguf:Q4_K_M")
#: Lists to start from.
SHORTLISTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "data center": (N_("Data centre"), N_("What is sold in servers"), (*DEFAULT[:4], "instinct-mi355x", "gb300", "gaudi-3")),
    "export": (
        N_("Export-limited, Ascend"),
        N_("Export versions next to the originals, and Huawei's Ascend"),
        ("h100-sxm5", "h800-sxm5", "h20", "ascend-910b", "ascend-910c", "ascend-950dt"),
    ),
    "other": (
        N_("Not GPUs"),
        N_("TPUs, Trainium and other accelerators"),
        ("h100-sxm5", "tpu-v5e", "tpu-v6e-trillium", "tpu-v7x-ironwood", "trainium2", "trainium3", "gaudi-3"),
    ),
    "desk": (
        N_("On a desk"),
        N_("Cards and laptops"),
        ("geforce-rtx-4090", "geforce-rtx-5090", "rtx-pro-6000-blackwell", "gb10", "radeon-rx-7900-xtx", "apple-m4-max", "apple-m3-ultra"),
    ),
}


@dataclass(frozen=True, slots=True)
class ComparedChip:
    """One chip with everything that is compared."""

    chip: Accelerator
    served: ServingBound | None
    reason: str
    """Why the case cannot be served on it, as a sentence; empty where it can."""
    dense: rating.LargestModel | None
    price: float | None
    asked: Work
    sharing: int = 1
    """Chips of this kind that do the work together."""

    @property
    def largest(self) -> tuple[str, ServingBound] | None:
        """The largest model of the catalogue that it serves in time, worked out when it is asked for."""
        return _largest(self.chip, self.asked) if self.served else None


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the comparison: what it is, how a value is read and written, whether more is better, the attributes behind it."""

    name: str
    value: Callable[[ComparedChip, View], float | None]
    said: Callable[[float], str]
    role: str
    kind: str = "number"
    attributes: tuple[str, ...] = ()
    best: bool = True
    priced: bool = False
    at_precision: bool = False
    """It depends on the peak at the chosen number format."""


def _tokens(column: ComparedChip, _view: View) -> float | None:
    return column.served.tokens_per_s if column.served and column.served.fits is not False else None


def _peak(column: ComparedChip, view: View) -> float | None:
    return column.chip.peak(view.peaks)


def _largest_parameters(column: ComparedChip, _view: View) -> float | None:
    return float(catalog.presets()[column.largest[0]].parameters) if column.largest else None


def short(chip: Accelerator) -> str:
    """A chip's name without its remark and its vendor's line."""
    return chip.name.partition(" (")[0].removeprefix("Instinct ").removeprefix("GeForce ")


def rate(unit: str) -> Callable[[float], str]:
    """How a value in `unit` is written."""
    return lambda value: units.si(value, unit)


def _plain(value: float) -> str:
    return units.significant(value)


def _priced(name: str, value: Callable[[ComparedChip, View], float | None], thousand: float, role: str, *attributes: str) -> Metric:
    """A metric per 1,000 of the reader's money, in units of `thousand` / 1,000."""

    def of(column: ComparedChip, view: View) -> float | None:
        return rating.per(value(column, view), column.price and column.price * thousand)

    return Metric(name, of, _plain, role, attributes=attributes, priced=True)


def _of(attribute: str) -> Callable[[ComparedChip, View], float | None]:
    def value(column: ComparedChip, _view: View) -> float | None:
        found: float | None = getattr(column.chip, attribute)
        return found

    return value


def _each(column: ComparedChip, view: View) -> float | None:
    """Tokens per second and chip: what a watt and a unit of money bring."""
    return rating.per(_tokens(column, view), column.sharing)


def _per_watt(value: Callable[[ComparedChip, View], float | None]) -> Callable[[ComparedChip, View], float | None]:
    return lambda column, view: rating.per(value(column, view), column.chip.tdp_w)


MEMORY, BANDWIDTH, POWER, LINK = "memory_bytes", "memory_bytes_per_s", "tdp_w", "interconnect_bytes_per_s_bidir"
METRICS: dict[str, Metric] = {
    "tokens": Metric(N_("Tokens per second, at most"), _tokens, _plain, "bandwidth", attributes=(BANDWIDTH,)),
    "ttft": Metric(
        N_("First token after, at least"),
        lambda column, _view: column.served.ttft_s if column.served and isfinite(column.served.ttft_s) else None,
        rate("s"), "compute", "time", ("fp16_flop_per_s",), best=False,
    ),
    "joule": Metric(N_("Tokens per joule, at most"), _per_watt(_each), _plain, "bandwidth", attributes=(BANDWIDTH, POWER)),
    "largest": Metric(N_("Largest model in time, parameters"), _largest_parameters, units.count, "memory", "count", (MEMORY, BANDWIDTH)),
    "dense": Metric(
        N_("Largest dense model, cache left out"),
        lambda column, _view: float(column.dense.parameters) if column.dense else None,
        units.count, "memory", "count", (MEMORY, BANDWIDTH),
    ),
    "memory": Metric(N_("Memory"), _of(MEMORY), rate("B"), "memory", "bytes", (MEMORY,)),
    "bandwidth": Metric(N_("Memory bandwidth"), _of(BANDWIDTH), rate("B/s"), "bandwidth", "bytes_per_s", (BANDWIDTH,)),
    "peak": Metric(N_("Peak at the chosen format"), _peak, rate("FLOP/s"), "compute", "flop_per_s", at_precision=True),
    "ridge": Metric(
        N_("Ridge, FLOP per byte"), lambda column, view: column.chip.ridge(view.peaks), _plain, "compute",
        attributes=(BANDWIDTH,), best=False, at_precision=True,
    ),
    "link": Metric(N_("Links to peers, one way"), _of("interconnect_bytes_per_s"), rate("B/s"), "network", "bytes_per_s", (LINK,)),
    "power": Metric(N_("Power"), _of(POWER), lambda value: f"{value:,.0f}{units.THIN}W", "reference", attributes=(POWER,), best=False),
    "bandwidth_power": Metric(N_("Bandwidth per watt"), _per_watt(_of(BANDWIDTH)), rate("B/s/W"), "bandwidth", "bytes_per_s", (BANDWIDTH, POWER)),
    "peak_power": Metric(N_("Peak per watt"), _per_watt(_peak), rate("FLOP/s/W"), "compute", "flop_per_s", (POWER,), at_precision=True),
    "memory_price": _priced(N_("GB per 1,000 of your money"), _of(MEMORY), 1e6, "memory", MEMORY),
    "bandwidth_price": _priced(N_("GB/s per 1,000 of your money"), _of(BANDWIDTH), 1e6, "bandwidth", BANDWIDTH),
    "peak_price": _priced(N_("TFLOP/s per 1,000 of your money"), _peak, 1e9, "compute"),
    "tokens_price": _priced(N_("Tokens per second per 1,000 of your money"), _each, 1e-3, "bandwidth", BANDWIDTH),
}  # fmt: skip


def single_source(chip: Accelerator, metric: Metric, view: View) -> bool:
    """Whether a figure behind the metric has one source alone."""
    return bool({*metric.attributes, *([PRECISIONS[view.peaks]] if metric.at_precision else [])} & chip.single_source)


@dataclass(frozen=True, slots=True)
class View:
    """What the page compares."""

    compare: tuple[str, ...] = names(
        N_("Chips (a usual list where none is chosen)"), limit=MOST, help=N_("The chips that stand side by side, twelve at most.")
    )
    """Ids of chips; `DEFAULT` where none are chosen."""
    show: str = choice(
        "plane",
        {"plane": N_("Memory against bandwidth"), **{id: metric.name for id, metric in METRICS.items()}},
        N_("Compare by"),
        help=N_("What the chips are compared by: memory and bandwidth at once, or one measure, the best chip first."),
    )
    peaks: str = choice(
        "fp16",
        {name: name.upper() for name in PEAKS},
        N_("Peak at"),
        old={"precision": None},
        help=N_("The number format of the peak FLOP/s: chips differ in which formats they compute fast."),
    )
    """Number format of the peaks."""
    scale: str = choice(
        "log",
        {"log": N_("Log"), "linear": N_("Linear")},
        N_("Scale"),
        help=N_("On a log scale small chips stay readable; a linear one shows how far apart they really are."),
    )
    ttft: int = number(
        2000,
        1,
        600_000,
        N_("First token within (ms)"),
        help=N_("The longest wait for the first token that you accept, in milliseconds: it limits the largest model in time."),
    )
    """Milliseconds."""
    tpot: int = number(
        50,
        1,
        60_000,
        N_("Each token within (ms)"),
        help=N_("The longest time per further token that you accept, in milliseconds: it limits the largest model in time."),
    )
    """Milliseconds."""
    prices: str = text(
        N_("What you pay: a chip and a number each, separated by semicolons"),
        longest=600,
        help=N_("Your price of each chip, in any one currency: with it chips are compared per money too."),
    )
    """What the reader pays, as typed: ``H100 25000, H20 12000``."""


#: What older links called the format of the weights.
RENAMED = {"weights": ("format", {name: name for name in WEIGHTS})}


def chip_names() -> dict[str, str]:
    """Every chip, newest first, as the options of a control."""
    return {id: chip.name for id, chip in sorted(catalog.chips().items(), key=lambda one: one[1].release_date, reverse=True)}


def groups(view: View, *, drawn: bool = True) -> tuple[Group, ...]:
    """The expert's settings; a comparison that is not `drawn` has no scale."""
    return grouped(view, {_("Targets"): ("ttft", "tpot"), _("Figure"): ("peaks", *(("scale",) if drawn else ()))})


@cache
def _architectures() -> Mapping[str, Architecture]:
    return {id: catalog.architecture(id) for id in catalog.presets()}


def work(case: Job, view: View) -> Work:
    """What has to be served."""
    return Work(case.batch, case.context, case.format, case.kv, view.ttft / 1e3, view.tpot / 1e3)


def prices(text: str) -> tuple[dict[str, float], tuple[str, ...]]:
    """Prices by chip, as typed: a name and a number each, separated by semicolons or commas; and what could not be read.

    >>> prices("H100 25000; H20 = 12,000")[0]
    {'h100-sxm5': 25000.0, 'h20': 12000.0}
    """
    found: dict[str, float] = {}
    problems = []
    for part in re.split(r";|,(?!\d{3}(?!\d))|\n", halfwidth(text)):
        if not part.strip():
            continue
        match = re.fullmatch(r"\s*(.{1,60}?)[\s:=]+([0-9][0-9,]{0,14}(?:\.[0-9]{1,6})?)\s*", part)
        price = float(match[2].replace(",", "")) if match else 0.0
        if match is None or not (isfinite(price) and price > 0):
            problems.append(_("“{text}” is no price: write a chip and a number, such as H100 25000.").format(text=part.strip()[:40]))
            continue
        try:
            found[catalog.find(match[1].strip(), catalog.chips()).id] = price
        except InputError as error:
            problems.append(str(error))
    return found, tuple(problems)


def compared(case: Job, view: View) -> tuple[tuple[ComparedChip, ...], tuple[str, ...]]:
    """The chips of the view, the case's own first among the chosen where none are, and what could not be used."""
    chosen = view.compare or tuple(dict.fromkeys((case.chip, *DEFAULT)))
    costs, problems = prices(view.prices)
    found, strangers = [], []
    for id in chosen:
        if id in catalog.chips() or (own_machine.is_own(id) and id == case.chip):
            found.append(catalog.chip(id))
        else:
            strangers.append(id[:40])
    if strangers:
        problems = (*problems, _("The link names chips that do not exist: {names}.").format(names=listing(strangers[:5])))
    return tuple(_column(replace(case, chip=chip.id), work(case, view), costs.get(chip.id)) for chip in found), problems


def doing(case: Job) -> ServingBound:
    """The case on its chip, or on as many as it has: bytes as on the footprint page, time as on the roofline; raises InputError."""
    need, one = estimate(case), bound(case)
    first = nan
    if case.serves:
        first = float(step(need.arch, need.chip, phase="prefill", context=case.prompt or case.context, **options(case, need.arch)).time_s)
    return ServingBound(need.verdict, need.total_bytes, first, float(one.time_s) if case.serves else nan, tokens_per_s(case, one), str(one.bound))


@lru_cache(maxsize=4096)
def _column(case: Job, asked: Work, price: float | None) -> ComparedChip:
    chip = catalog.chip(case.chip)
    served, reason = None, ""
    try:
        served = doing(case)
    except InputError as error:
        reason = str(error)
    peak = chip.peak("fp16") or chip.peak("fp32")
    dense = None
    if chip.memory_bytes and chip.memory_bytes_per_s and peak:
        dense = rating.largest_dense(
            chip.memory_bytes,
            chip.memory_bytes_per_s,
            peak,
            bytes_per_weight=bytes_per_weight(asked.weights),
            context=asked.context,
            batch=asked.batch,
            ttft_s=asked.ttft_s,
            tpot_s=asked.tpot_s,
        )
    return ComparedChip(chip, served, reason, dense, price, asked, case.chips if case.serves else 1)


@lru_cache(maxsize=4096)
def _largest(chip: Accelerator, asked: Work) -> tuple[str, ServingBound] | None:
    return rating.largest_served(_architectures().items(), chip, asked)


@cache
def bytes_per_weight(format: str) -> float:
    """Bytes of a weight in `format`, scales included, as a large model has them."""
    arch = catalog.architecture("llama-3.1-70b")
    return rating.weights_bytes(arch, format) / arch.parameters
