"""Step 5: the ladder from register to disk."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.engine.hierarchy.ladder import Rung
from wallviz.i18n import N_
from wallviz.job import Job
from wallviz.rooms import hierarchy
from wallviz.rooms.hierarchy import choices, generations, times
from wallviz.story import Choice, Guess, Notes, Step, Try, once_a_language

JOB = Job()


def rungs() -> Mapping[str, Rung]:
    """The levels of the machine around the chip, by id."""
    found = times.of(choices.resolved(JOB, hierarchy.View()), size_bytes())
    return {rung.id: rung for rung in found.rungs}


def size_bytes() -> float:
    """What one token reads."""
    return choices.size_bytes(JOB, "token")


def _growth(family: str) -> str:
    fitted = generations.trend(family)
    return units.times(fitted.multiplier(2.0)) if fitted else "–"


@once_a_language
def _facts() -> Mapping[str, str]:
    size, found = size_bytes(), rungs()
    took = {id: rung.time_s(size) or 0.0 for id, rung in found.items()}
    hbm, slot, wire = took["hbm3"], took["pcie-5.0-x16"], took["network-share-of-one-gpu"]
    disk = took["nvme-ssd-pcie-5.0-x4"]
    return {
        "size": units.si(size, "B"),
        "hbm": units.duration(hbm),
        "nvlink": units.duration(took["nvlink-4"]),
        "slot": units.duration(slot),
        "slot_times": units.times(slot / hbm),
        "twice": units.duration(2.0 * hbm),
        "tenfold": units.duration(10.0 * hbm),
        "network": units.duration(wire),
        "disk": units.duration(disk),
        "disk_slow": units.duration(disk / hbm),
        "compute_growth": _growth(choices.COMPUTE),
        "hbm_growth": _growth("HBM"),
        "ddr_growth": _growth("DDR"),
        "pcie_growth": _growth("PCIe"),
    }


STEP = Step(
    id="levels",
    title=N_("Memory is not one thing"),
    standfirst=N_("The same bytes take hundreds of times longer from a disk than from the chip's own memory."),
    guess=Guess(
        N_(
            "The {size} of one token take {hbm} from the chip's own memory. How long do they take from the memory of the computer around it, "
            "over PCIe?"
        ),
        (Choice(N_("{twice}, about twice as long")), Choice(N_("{tenfold}, about ten times")), Choice(N_("{slot}, longer still"), right=True)),
    ),
    facts=_facts,
    explain=(
        N_(
            "The article names three kinds of transfer: inside a chip, from its logic to on-chip memory; from the logic to DRAM; and from socket"
            " to socket. In the figure the first two have a box each, the third has two (chip to chip, machine to machine), and we add the disk."
        ),
        N_(
            "Put {size} on every level. HBM, the DRAM beside the chip, takes {hbm}; NVLink {nvlink}, PCIe {slot}, the network {network} and the disk "
            "{disk}. Slow it all down until HBM takes one second, and the disk takes {disk_slow}. That is the memory hierarchy: farther levels hold "
            "more and hand it over more slowly."
        ),
        N_(
            "The levels do not grow alike either; that is another figure, “How fast each level grows”. Per two years 16-bit compute grew "
            "{compute_growth}, a stack of HBM {hbm_growth}, a lane of PCIe {pcie_growth} and a channel of DDR {ddr_growth}. Wulf and McKee saw "
            "processor and DRAM drift apart in 1995, and called it the memory wall."
        ),
    ),
    caveat=N_(
        "These are rates of data sheets, of one direction where a link has two. Small pieces wait for their first byte instead: there latency "
        "counts, not bandwidth. Nothing so large fits on the chip (“too small”): those times say how fast its levels are, not where a model lies."
    ),
    try_it=(
        Try("hierarchy", {}, N_("Another size, another machine")),
        Try("hierarchy", {"show": "human"}, N_("The same in human time")),
        Try("hierarchy", {"show": "rates"}, N_("How fast each level grows")),
        Try("hierarchy", {"show": "latency"}, N_("Where the wall got its name, in 1995")),
    ),
    notes=Notes(
        N_("The class places any piece of data on its level and estimates how long it takes to arrive."),
        N_("Where do the weights of a model that does not fit into HBM go, and what does that cost for each token?"),
        N_("“More memory is more memory.” A gigabyte behind PCIe hands itself over {slot_times} more slowly than one in HBM."),
    ),
    term="memory_hierarchy",
    claims=("three-transfers",),
    sources=("wulf_mckee_1995",),
)
