"""What the machine page lets a reader choose: the figure, and the machines that stand beside the measured one."""

from __future__ import annotations

from dataclasses import dataclass

from wallviz import catalog
from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.machine.promised import bytes_per_s
from wallviz.rooms.machine.published import published_machines
from wallviz.settings import choice, names, setting

FIGURES = {
    "staircase": N_("Bandwidth by working set"),
    "kernels": N_("Bandwidth by kernel"),
    "share": N_("Share of what is promised"),
    "latency": N_("Latency by working set"),
}
BESIDE = ("h100-sxm5-80gb", "a100-80gb", "mi300x", "amd-epyc-zen-5-2-vcpus")
"""Machines that stand beside the reader's until others are chosen."""
MOST_BESIDE = 8


def _promise(text: str) -> str:
    """A promise as an address gives it: checked, and kept as it was typed."""
    bytes_per_s(text, catalog.chips())
    return text.strip()


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows of a measured machine."""

    show: str = choice("staircase", FIGURES, N_("Figure"))
    beside: tuple[str, ...] = names(
        N_("Beside it"), help=N_("Published machines to draw beside yours, eight at most; a usual four where none is chosen.")
    )
    """Ids of `published_machines`; `BESIDE` where none are chosen."""
    promised: str = setting(
        "",
        _promise,
        N_("Promised: its modules, its card, or GB/s"),
        longest=60,
        help=N_("What the maker promises of this memory, which no driver tells: modules such as 2 x DDR5-5600, a card's name, or GB/s."),
    )
    """What the reader says of a memory whose rate no driver states."""


def figure_names() -> dict[str, str]:
    """The figures by id, in the language in use."""
    return {id: _(name) for id, name in FIGURES.items()}


def beside(view: View) -> tuple[str, ...]:
    """The machines that stand beside the reader's. Raises `InputError` for one that does not exist, or for too many."""
    if unknown := [id for id in view.beside if id not in published_machines()]:
        raise InputError(N_("no published machine is called {name}: choose from the list"), name=unknown[0][:40])
    if len(view.beside) > MOST_BESIDE:
        raise InputError(N_("{n} machines are too many for one figure: choose {limit} at most"), n=len(view.beside), limit=MOST_BESIDE)
    return view.beside or BESIDE
