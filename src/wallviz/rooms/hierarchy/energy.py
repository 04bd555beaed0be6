"""Energy: what a byte costs at each level beside what a FLOP costs, and which share of a decoding step moves bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from wallviz import catalog, units
from wallviz.engine.hardware import Accelerator, MemoryLevel
from wallviz.engine.hierarchy import energy
from wallviz.engine.hierarchy.ladder import place
from wallviz.figures.axes import Axis
from wallviz.figures.axes import said as tick
from wallviz.figures.bars import Bar, bars, value
from wallviz.i18n import N_, _, bracketed, qualified
from wallviz.job import Job
from wallviz.rooms import Answer, bound
from wallviz.rooms.hierarchy.choices import View
from wallviz.rooms.hierarchy.times import KINDS, ROLES, titles
from wallviz.rooms.job import architecture, model_name

HOROWITZ = "horowitz_2014"
#: Siblings of a level that is drawn: their figures are in the table.
LEFT_OUT = ("SRAM 32 KB", "GDDR6X", "HBM2", "NVLink-C2C")
#: What the work is called in the sentence.
WORK = {
    "prefill": N_("Reading with {model}, {batch} at once"),
    "decode": N_("Decoding {model} at batch {batch}"),
    "train": N_("Training {model} at batch {batch}"),
}


@dataclass(frozen=True, slots=True)
class OperationEnergy:
    """One operation's energy: FLOP, bytes, joules per FLOP and per byte, and where these come from."""

    flop: float
    bytes: float
    j_per_flop: float
    j_per_byte: float
    of_flop: str
    of_byte: str

    @property
    def moved(self) -> float:
        """Share of the energy that moves bytes."""
        return float(energy.share_moved(self.flop / self.bytes, self.j_per_byte, self.j_per_flop))


def budget(case: Job) -> OperationEnergy:
    """The energy of one step of the case on its chip.

    A byte costs what the vendor says of the nearest generation of the memory's family; a FLOP at most power / peak of the whole chip, which
    understates the share of movement. Where a figure is missing, the 45 nm model stands in for it.
    """
    chip = catalog.chip(case.chip)
    flop, moved = bound.flop(case), bound.moved_bytes(case)
    memory = _memory_energy(chip)
    peak = chip.peak("fp16")
    if chip.tdp_w and peak:
        per_flop, of_flop = energy.whole_chip_j_per_flop(chip.tdp_w, peak), _("{chip}: all of its power at its peak").format(chip=chip.name)
    else:
        per_flop, of_flop = energy.multiply_add_j_per_flop("fp16"), _("16-bit arithmetic at 45 nm, a model")
    if memory is not None and memory.energy_j_per_byte:
        return OperationEnergy(flop, moved, per_flop, memory.energy_j_per_byte, of_flop, bracketed(_(memory.level), _(KINDS[memory.energy_kind])))
    return OperationEnergy(flop, moved, per_flop, energy.read_j_per_byte("DRAM low"), of_flop, _("DRAM at 45 nm, a model"))


def _memory_energy(chip: Accelerator) -> MemoryLevel | None:
    """The energy of the memory family that is nearest to the chip's: its own generation, or a later one of the family, or any."""
    known = [level for level in catalog.levels().values() if level.energy_j_per_byte and level.device == "memory device"]
    family = chip.memory_type.upper().rstrip("0123456789EX ")
    mine = [level for level in known if level.level.upper() == chip.memory_type.upper()]
    return next(
        iter(mine or sorted((one for one in known if family and one.level.startswith(family)), key=lambda one: one.level, reverse=True)), None
    )


def _rows() -> list[MemoryLevel]:
    found = [level for level in catalog.levels().values() if level.energy_j_per_byte]
    return sorted(found, key=lambda level: level.energy_j_per_byte or 0.0)


def answer(case: Job, view: View) -> Answer:
    """Joules per byte at every level that has a figure, and per FLOP, with the share of movement in the case's step."""
    now = budget(case)
    phase = bound.phase(case, architecture(case))
    found = [(level.energy_j_per_byte or 0.0, _of_level(level)) for level in _rows() if level.level not in LEFT_OUT and "-2" not in level.id[-2:]]
    flops = (
        ("fp16", _("One FLOP, 16 bits"), energy.multiply_add_j_per_flop("fp16"), _("45 nm, a model")),
        ("chip", _("One FLOP, at most"), now.j_per_flop, now.of_flop),
    )
    found += [(j, value(f"flop-{id}", f"{label} · {how}", "compute", j, units.si(j, "J", digits=2), hover=(how,))) for id, label, j, how in flops]
    rows = [row for _energy, row in sorted(found, key=lambda one: one[0])]
    work = _(WORK[phase]).format(model=model_name(case), batch=f"{case.batch:,}")
    sentence = _("{work} does {intensity} FLOP a byte: about {share} of its energy moves bytes.").format(
        work=work, intensity=units.significant(now.flop / now.bytes, 2), share=_percent(now.moved)
    )
    name = _("Energy per byte, or per FLOP (log scale: each line is ×10)") if view.scale == "log" else _("Energy per byte, or per FLOP")
    used = tuple(dict.fromkeys(s for level in _rows() for s in level.source.split(";") if s))
    return Answer(
        name="hierarchy",
        sentence=sentence,
        drawing=bars(rows, Axis(name, tick("energy"), log=view.scale == "log"), revision="energy"),
        sure=_("a model: orders of magnitude"),
        trust="orange",
        caption=_("Few vendors publish energy; pale bars are the 45 nm model of 2014."),
        explain=partial(_why, now),
        doubt=partial(_how_sure, now),
        rows=_table,
        sources=tuple(dict.fromkeys([*used, *(s for s in catalog.chip(case.chip).source.split(";") if s)])),
    )


def _percent(share: float) -> str:
    return units.percent(share, 1 if 0.99 < share < 0.9995 else 0)


def _of_level(level: MemoryLevel) -> Bar:
    where = "" if level.device == "memory device" else f" · {_(level.device)}"
    said = units.si(level.energy_j_per_byte or 0.0, "J", digits=2)
    is_model = level.energy_kind == "model"
    group = {"on chip": "chip", "device memory": "memory", "host memory": "memory"}.get(level.place, place(level.level)[0])
    hover = (_(KINDS.get(level.energy_kind, "")), titles(tuple(s for s in level.source.split(";") if s)))
    return value(level.id, _(level.level) + where, ROLES[group], level.energy_j_per_byte, said, solid=not is_model, hover=hover)


def _why(now: OperationEnergy) -> str:
    balance = float(energy.energy_balance_flop_per_byte(now.j_per_byte, now.j_per_flop))
    return "\n".join(
        [
            _("**share of movement = e_B / (e_B + I·e_F)**, I FLOP per byte, e_B and e_F the energy of a byte and of a FLOP (Choi et al. 2013)."),
            "",
            "- " + _("e_B = {energy} per byte: {source}").format(energy=units.si(now.j_per_byte, "J"), source=now.of_byte),
            "- " + _("e_F ≤ {energy} per FLOP: {source}").format(energy=units.si(now.j_per_flop, "J"), source=now.of_flop),
            "- " + _("I = {flop} / {bytes} = {intensity} FLOP per byte").format(
                flop=units.si(now.flop, "FLOP"), bytes=units.si(now.bytes, "B"), intensity=units.significant(now.flop / now.bytes)
            ),
            "- " + _("share ≈ {share}; both cost the same at {balance} FLOP per byte").format(
               share=_percent(now.moved), balance=units.significant(balance)),
            "- " + _("one step: at least {energy} for its bytes").format(energy=units.si(now.bytes * now.j_per_byte, "J")),
        ]
    )  # fmt: skip


def _how_sure(now: OperationEnergy) -> str:
    return "\n".join(
        [
            _("The 45 nm figures are Horowitz's table of ISSCC 2014, a model of one process; they were read second hand. Its ratios:"),
            "",
            "- " + _("a DRAM read of 64 bits costs {n} reads of an 8 KB SRAM").format(n=f"{130}–{260}"),
            "- " + _("and {n} multiplications of 32-bit floats").format(n="351–703"),
            "",
            _("Vendor figures of memory count the access inside of the device; the way to the arithmetic adds to it: movement costs more."),
            _("A FLOP costs power over peak, of all the chip: arithmetic alone costs less. Both understate movement; newer memories cost less."),
        ]
    )


_OPERATIONS = {"add": N_("addition"), "multiply": N_("multiplication")}


def _operation(name: str) -> str:
    """An operation of `energy.OPERATION_J` in words."""
    number, _space, what = name.partition(" ")
    return qualified(_(_OPERATIONS[what]), number)


def _table() -> tuple[Mapping[str, object], ...]:
    levels: list[Mapping[str, object]] = [
        {
            _("what"): f"{_(level.level)} · {_(level.device)}",
            _("energy (J)"): level.energy_j_per_byte,
            _("per"): _("byte"),
            _("how obtained"): _(KINDS.get(level.energy_kind, "")),
            _("source"): titles(tuple(s for s in level.source.split(";") if s)),
        }
        for level in _rows()
    ]
    operations_ = [
        {
            _("what"): f"{_operation(name)} · 45 nm",
            _("energy (J)"): value,
            _("per"): _("operation"),
            _("how obtained"): _(KINDS["model"]),
            _("source"): HOROWITZ,
        }
        for name, value in energy.OPERATION_J.items()
    ]
    return (*levels, *operations_)
