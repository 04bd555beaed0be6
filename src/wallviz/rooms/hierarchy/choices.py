"""What a reader can choose on the hierarchy page: one field of `View` for each, how a link spells it, the words for its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from wallviz import catalog, units
from wallviz.case import Case
from wallviz.engine.hardware import MemoryLevel
from wallviz.engine.hierarchy import size as sizes
from wallviz.engine.hierarchy.generations import LINKS, MEMORIES
from wallviz.engine.hierarchy.ladder import BASES, Machine
from wallviz.engine.hierarchy.latency import Assumptions
from wallviz.engine.hierarchy.machines import ONE_THREAD, with_chips
from wallviz.engine.memory.kv_cache import kv_cache_bytes
from wallviz.engine.work import operations
from wallviz.errors import InputError
from wallviz.i18n import N_, _, bracketed, labelled
from wallviz.machine import own as own_machine
from wallviz.params import Param, choice, flag, names, number
from wallviz.rooms import Group, Setting

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


@dataclass(frozen=True, slots=True)
class View:
    """What the reader chose beside the case."""

    size: str = "token"
    """A size as typed, or one of `OF_CASE`."""
    machine: str = OF_THE_CASE
    show: str = "ladder"
    basis: str = "peak"
    scale: str = "log"
    more: bool = False
    families: tuple[str, ...] = ()
    """Lines by year; the five of `FEW_FAMILIES` where none are chosen."""
    misses: int = 100
    """Misses in 10,000 accesses."""
    processor: int = 80
    dram: int = 7
    cycles: int = 4
    every: int = 5

    @property
    def assumptions(self) -> Assumptions:
        """The latency curve's own numbers."""
        return Assumptions(self.misses / 1e4, self.processor / 100, self.dram / 100, float(self.cycles), float(self.every))


FEW_FAMILIES = (COMPUTE, "HBM", "DDR", "NVLink", "PCIe")
_D = View()
_RANGES = {"misses": (0, 10_000), "processor": (0, 200), "dram": (0, 200), "cycles": (1, 1000), "every": (1, 100)}


def _size(text: str) -> str:
    """A size as an address gives it: checked, and kept as it was typed."""
    if text not in OF_CASE:
        sizes.parse(text)
    return text.strip()


PARAMS: tuple[Param, ...] = (
    Param("size", _D.size, _size, longest=60),
    choice("machine", (OF_THE_CASE, *with_chips(catalog.chips())), _D.machine),
    choice("show", FIGURES, _D.show),
    choice("basis", BASES, _D.basis),
    choice("scale", SCALES, _D.scale),
    flag("more"),
    names("families", limit=20),
    *(number(name, getattr(_D, name), low, high) for name, (low, high) in _RANGES.items()),
)

WORDS: dict[str, dict[Any, str]] = {
    "show": {
        "ladder": N_("Time"), "human": N_("Human time"), "energy": N_("Energy"), "machines": N_("Machines"),
        "rates": N_("Growth rates"), "years": N_("By year"), "latency": N_("Cache and DRAM, 1995"),
    },
    "basis": {"peak": N_("data sheet"), "measured": N_("measured")},
    "scale": {"log": N_("Log"), "linear": N_("Linear")},
}  # fmt: skip
LABELS = {
    "basis": N_("Bandwidth as"), "more": N_("Show CXL"), "misses": N_("Misses in 10,000 accesses"),
    "processor": N_("Processor faster a year, %"), "dram": N_("DRAM faster a year, %"), "cycles": N_("Cycles of a miss in 1995"),
    "every": N_("Instructions per access"),
}  # fmt: skip


def words(param: str) -> dict[Any, str]:
    """The options of choice `param`, by id, in the language in use."""
    if param == "families":
        return {name: _("16-bit compute") if name == COMPUTE else _({**MEMORIES, **LINKS}[name][0]) for name in FAMILIES}
    return {option: _(said) for option, said in WORDS[param].items()}


@cache
def machines() -> Mapping[str, Machine]:
    """Every machine by id."""
    return with_chips(catalog.chips())


def machine(id: str) -> Machine:
    """The machine of this id, the reader's own measured one among them."""
    if own_machine.is_own(id):
        mine = own_machine.read(id)
        return Machine(id, labelled(_("your machine"), mine.name), (mine.name,), note=ONE_THREAD if mine.kind == "cpu" else "")
    return machines()[id]


def levels(id: str) -> Iterable[MemoryLevel]:
    """The levels that its ladder may have: those of the catalogue, or those that were measured on it."""
    return own_machine.read(id).memory_levels() if own_machine.is_own(id) else catalog.levels().values()


def machine_of(case: Case) -> str:
    """The id of the machine that has the case's chip."""
    return next((id for id, machine in machines().items() if machine.chip == case.chip), case.chip)


def resolved(case: Case, view: View) -> View:
    """The view with the machine by its own id."""
    return replace(view, machine=machine_of(case)) if view.machine == OF_THE_CASE else view


def machine_names(case: Case) -> dict[str, str]:
    """The machines as the options of a control: the case's own, then those drawn in full."""
    mine = machine(machine_of(case)).name
    own = mine if own_machine.is_own(case.chip) else _("{machine}, your chip").format(machine=mine)
    return {OF_THE_CASE: own} | {id: _(machine.name) for id, machine in machines().items()}


def size_options(case: Case) -> dict[str, str]:
    """Sizes to choose from, the case's own first; anything else may be typed."""
    model = catalog.presets()[case.model].name
    return {id: labelled(_(said), model) for id, said in OF_CASE.items()} | {text: text for text in SIZES}


def size_bytes(case: Case, size: str) -> float:
    """The bytes that `size` stands for; raises InputError for what is no size."""
    if size not in OF_CASE:
        return sizes.parse(size)
    model = catalog.presets()[case.model]
    if size == "kv":
        cache = float(kv_cache_bytes(catalog.architecture(case.model), batch=case.batch, context=case.context))
        if not cache:
            raise InputError(N_("{model} keeps no KV cache: choose another size, or another model."), model=model.name)
        return cache
    if size == "token" and case.job == "infer":
        with suppress(InputError):  # a model that does not write token by token has its weights read alone
            return float(sum(np.sum(op.bytes) for op in operations(catalog.architecture(case.model), "decode", 1, case.context)))
    return (model.active_parameters if size == "token" else model.parameters) * BYTES_PER_WEIGHT


def size_said(case: Case, size: str) -> str:
    """The size as a sentence says it."""
    amount = sizes.written(size_bytes(case, size))
    if size not in OF_CASE:
        return amount
    model = catalog.presets()[case.model].name
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
        from wallviz.figures.hierarchy import human

        return [human(value) for value in seconds]
    unit = units.si(longest, "s", digits=2).partition(units.THIN)[2]
    scale = {"s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9, "ps": 1e12}.get(unit)
    return [f"{units.significant(value * scale, 2)}{units.THIN}{unit}" if scale else units.si(value, "s", digits=2) for value in seconds]


def groups(view: View) -> tuple[Group, ...]:
    """The expert's settings."""

    def setting(name: str) -> Setting:
        return Setting(name, _(LABELS[name]), words(name) if name in WORDS else {}, *_RANGES.get(name, (0, 0)))

    # What the first view asks is not asked twice.
    asked = ("misses", "processor", "dram") if view.show == "latency" else ()
    return (
        Group(_("Ladder"), tuple(setting(name) for name in ("basis", "more"))),
        Group(_("Latency curve"), tuple(setting(name) for name in _RANGES if name not in asked)),
    )
