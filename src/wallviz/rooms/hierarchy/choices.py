"""What a reader can choose on the hierarchy page: one field of `View` for each, how a link spells it, the words for its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from wallviz import catalog, units
from wallviz.engine.hardware import MemoryLevel
from wallviz.engine.hierarchy import size as sizes
from wallviz.engine.hierarchy.generations import LINKS, MEMORIES
from wallviz.engine.hierarchy.ladder import Machine
from wallviz.engine.hierarchy.latency import Assumptions
from wallviz.engine.hierarchy.machines import with_chips
from wallviz.engine.memory.kv_cache import kv_cache_bytes
from wallviz.errors import InputError
from wallviz.i18n import N_, _, bracketed, labelled
from wallviz.job import Job, alone
from wallviz.machine import own as own_machine
from wallviz.rooms import Group, grouped
from wallviz.rooms.bound import moved_bytes, phase
from wallviz.rooms.job import architecture, bytes_per_weight, model_name
from wallviz.settings import Setting, choice, flag, names, number, setting, unknown

FIGURES = ("ladder", "human", "energy", "machines", "rates", "years", "latency")
SCALES = ("log", "linear")
#: Sizes that the case decides.
OF_CASE = {"token": N_("What one token reads"), "model": N_("All weights"), "kv": N_("KV cache")}
SIZES = ("64 B", "64 kB", "1 MiB", "1 GiB", "1 TB")
COMPUTE = "compute"
FAMILIES = (COMPUTE, *MEMORIES, *LINKS)
BYTES_PER_WEIGHT = 2.0
OF_THE_CASE = "case"
"""The machine that has the case's chip."""


FEW_FAMILIES = (COMPUTE, "HBM", "DDR", "NVLink", "PCIe")


def _size(text: str) -> str:
    """A size as an address gives it: checked, and kept as it was typed."""
    if text not in OF_CASE:
        sizes.parse(text)
    return text.strip()


def _machine(name: str, text: str) -> str:
    known = (OF_THE_CASE, *machines())
    if text not in known:
        raise unknown(name, text, known)
    return text


def families() -> dict[str, str]:
    """Families whose growth can be drawn, by id, in the language in use."""
    return {name: _("16-bit compute") if name == COMPUTE else _({**MEMORIES, **LINKS}[name][0]) for name in FAMILIES}


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows of a job."""

    size: str = setting(
        "token",
        _size,
        N_("Size: choose or type one"),
        longest=60,
        help=N_("How many bytes travel: those of your job, or any size that you type, such as 64 kB or 1 GiB."),
    )
    """A size as typed, or one of `OF_CASE`."""
    machine: str = field(
        default=OF_THE_CASE,
        metadata={"setting": Setting(OF_THE_CASE, _machine, N_("Machine"), help=N_("The machine whose levels are drawn, from registers to disk."))},
    )
    show: str = choice(
        "ladder",
        {
            "ladder": N_("Time"), "human": N_("Human time"), "energy": N_("Energy"), "machines": N_("Machines"),
            "rates": N_("Growth rates"), "years": N_("By year"), "latency": N_("Cache and DRAM, 1995"),
        },
        N_("Figure"),
    )  # fmt: skip
    basis: str = choice(
        "peak",
        {"peak": N_("data sheet"), "measured": N_("measured")},
        N_("Bandwidth as"),
        help=N_("Bandwidths as data sheets promise them, or as somebody measured them."),
    )
    scale: str = choice(
        "log",
        {"log": N_("Log"), "linear": N_("Linear")},
        N_("Scale"),
        help=N_("On a log scale every line can be read; a linear one shows how far apart they really are."),
    )
    more: bool = flag(
        default=False, label=N_("Show CXL"), help=N_("Draw memory that is attached over CXL, a link of some servers, as one more level.")
    )
    families: tuple[str, ...] = names(
        N_("Families (the first five where none is chosen)"), limit=20, help=N_("The memories and links whose growth over the years is drawn.")
    )
    """Lines by year; the five of `FEW_FAMILIES` where none are chosen."""
    misses: int = number(100, 0, 10_000, N_("Misses in 10,000"), help=N_("How many of 10,000 accesses to memory miss the cache and wait for DRAM."))
    processor: int = number(80, 0, 200, N_("Processors, % a year"), help=N_("How much faster processors get every year, in percent."))
    dram: int = number(7, 0, 200, N_("DRAM, % a year"), help=N_("How much faster DRAM gets every year, in percent."))
    cycles: int = number(
        4, 1, 1000, N_("Cycles of a miss in 1995"), help=N_("How many processor cycles a miss waited for DRAM in 1995, where the curve starts.")
    )
    every: int = number(
        5, 1, 100, N_("Instructions per access"), help=N_("One in how many instructions reads or writes memory: the fewer, the more a miss costs.")
    )

    @property
    def assumptions(self) -> Assumptions:
        """The latency curve's own numbers."""
        return Assumptions(self.misses / 1e4, self.processor / 100, self.dram / 100, float(self.cycles), float(self.every))


@cache
def machines() -> Mapping[str, Machine]:
    """Every machine by id."""
    return with_chips(catalog.chips())


def machine(id: str) -> Machine:
    """The machine of this id, the reader's own measured one among them."""
    return own_machine.read(id).machine if own_machine.is_own(id) else machines()[id]


def levels(id: str) -> Iterable[MemoryLevel]:
    """The levels that its ladder may have: those of the catalogue, or those that were measured on it."""
    return own_machine.read(id).memory_levels() if own_machine.is_own(id) else catalog.levels().values()


def machine_of(case: Job) -> str:
    """The id of the machine that has the case's chip."""
    return next((id for id, machine in machines().items() if machine.chip == case.chip), case.chip)


def resolved(case: Job, view: View) -> View:
    """The view with the machine by its own id."""
    return replace(view, machine=machine_of(case)) if view.machine == OF_THE_CASE else view


def machine_names(case: Job) -> dict[str, str]:
    """The machines as the options of a control: the case's own, then those drawn in full."""
    mine = machine(machine_of(case)).name
    own = mine if own_machine.is_own(case.chip) else _("{machine}, your chip").format(machine=mine)
    return {OF_THE_CASE: own} | {id: _(machine.name) for id, machine in machines().items()}


def size_options(case: Job) -> dict[str, str]:
    """Sizes to choose from, the case's own first; anything else may be typed."""
    model = model_name(case)
    return {id: labelled(_(said), model) for id, said in OF_CASE.items()} | {text: text for text in SIZES}


def size_bytes(case: Job, size: str) -> float:
    """The bytes that `size` stands for; raises InputError for what is no size."""
    if size not in OF_CASE:
        return sizes.parse(size)
    arch = architecture(case)
    if size == "kv":
        cache = float(kv_cache_bytes(arch, batch=case.batch, context=case.context, format=case.kv))
        if not cache:
            raise InputError(N_("{model} keeps no KV cache: choose another size, or another model."), model=arch.name)
        return cache
    if size == "token" and phase(case, arch) == "decode":
        return moved_bytes(replace(alone(case), batch=1))
    each = bytes_per_weight(case, arch) if case.serves else BYTES_PER_WEIGHT
    return (arch.active_parameters if size == "token" else arch.parameters) * each


def size_said(case: Job, size: str) -> str:
    """The size as a sentence says it."""
    amount = sizes.written(size_bytes(case, size))
    if size not in OF_CASE:
        return amount
    model = model_name(case)
    templates = {"token": N_("one token of {model}"), "model": N_("the weights of {model}"), "kv": N_("the KV cache of {model}")}
    if case.job != "infer":
        templates["token"] = N_("one pass over {model}")
    return bracketed(amount, _(templates[size]).format(model=model))


def durations(seconds: list[float]) -> list[str]:
    """Times in one unit, that of the longest, so that a reader compares numbers and not prefixes; beyond a factor of 100,000 each in its own.

    >>> [text.replace(units.THIN, " ") for text in durations([3.2e-4, 2.386e-3, 17.04e-3])]
    ['0.32 ms', '2.4 ms', '17 ms']
    """
    longest = max(seconds)
    if longest >= 60 or longest / min(seconds) > 1e5:
        from wallviz.figures.axes import human

        return [human(value) for value in seconds]
    unit = units.si(longest, "s", digits=2).partition(units.THIN)[2]
    scale = {"s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9, "ps": 1e12}.get(unit)
    return [f"{units.significant(value * scale, 2)}{units.THIN}{unit}" if scale else units.si(value, "s", digits=2) for value in seconds]


def groups(view: View) -> tuple[Group, ...]:
    """The expert's settings of a figure, beside what the first view asks."""
    ladder = ("basis", *(("more",) if view.show == "machines" else ())) if view.show in ("ladder", "human", "machines") else ()
    return grouped(view, {_("Ladder"): ladder, _("Latency curve"): ("cycles", "every") if view.show == "latency" else ()})
