"""What a reader can choose on the scale-out page beside the job: the figure, the links, what hides behind compute, the bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from wallviz import catalog, units
from wallviz.errors import InputError
from wallviz.i18n import N_, _, labelled
from wallviz.job import MAX_CHIPS, Job, sequences_of
from wallviz.rooms import Group, grouped
from wallviz.rooms import job as shared
from wallviz.settings import choice, number

#: Links across nodes by id of the catalog, and how many of them a node of eight has.
ACROSS = {
    "ethernet/10-gbe": 8,
    "network-of-a-node/aws-p4d-efa-v1": 1,
    "infiniband/hdr": 8,
    "infiniband/ndr": 8,
    "infiniband/xdr": 8,
}
SWEEPS = ("8 × A100", "8 × H200, SHARP", "4 × A100", "2 × H100", "4 × H100", "8 × H100", "4 × 8 GPUs")
#: Links of a machine of a sweep, one direction of one GPU: NVLink 3 and 4.
WIRES = {"A": 300e9, "H": 450e9}
#: Tokens of a run, billions, where none are given: those of Llama 3's training; a billion to fine-tune on or to write.
TOKENS_BN = {"train": 15_000, "finetune": 1, "infer": 1}


@cache
def across_links() -> dict[str, tuple[str, float]]:
    """Links across nodes: a name, and bytes per second of one direction and one GPU of eight."""
    found = {}
    for name, ports in ACROSS.items():
        link = catalog.links()[name]
        label = link.family if link.family.startswith("network") else f"{link.family} {link.generation}"
        found[name] = (label if ports > 1 else link.generation, link.bytes_per_s * ports / 8)
    return found


def _links(_view: View) -> Mapping[str, str]:
    return {name: labelled(label, units.si(rate, "B/s")) for name, (label, rate) in across_links().items()}


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows of a job, over which links, and at what price."""

    show: str = choice(
        "curve",
        {
            "curve": N_("Efficiency"), "wire": N_("What the wires carry"), "frontier": N_("Compute against communication"),
            "sweeps": N_("Measured collectives"), "published": N_("Published runs"), "bill": N_("Time, energy, cost"),
            "rules": N_("Scaling rules"), "fewest": N_("Fewest chips by year"),
        },
        N_("Figure"),
    )  # fmt: skip
    across: str = choice(
        "infiniband/ndr",
        ACROSS,
        N_("Links across nodes, per chip"),
        more=_links,
        help=N_("The links between nodes, with what each chip can send over them: the slower they are, the longer chips wait."),
    )
    overlap: str = choice(
        "none",
        {"none": N_("nothing"), "partial": N_("gradients"), "full": N_("everything")},
        N_("Compute hides"),
        help=N_("What chips send while they compute, so that nobody waits for it."),
    )
    sweep: str = choice(SWEEPS[0], SWEEPS, N_("Machine"), help=N_("The machine whose measured transfers between GPUs are drawn."))
    # links and efficiencies
    per_node: int = number(
        8, 1, 65_536, N_("GPUs per node"), help=N_("How many GPUs the fast links join; what goes beyond them takes the slower links across nodes.")
    )
    inside_gb: int = number(
        0,
        0,
        100_000,
        N_("Inside a node, GB/s (0: the chip's)"),
        help=N_("What one GPU sends to others of its node, one way, in GB/s; 0 takes the data sheet's."),
    )
    """GB/s of one direction; 0: the chip's own."""
    across_gb: int = number(
        0,
        0,
        100_000,
        N_("Across nodes, GB/s per GPU (0: as chosen)"),
        help=N_("What one GPU sends to other nodes, one way, in GB/s; 0 takes the chosen links."),
    )
    """GB/s of one direction and GPU; 0: as `across` says."""
    link_percent: int = number(80, 1, 100, N_("Links reach, %"), help=N_("How much of its rate a link reaches with large transfers, in percent."))
    gemm_percent: int = number(
        70, 1, 100, N_("Matrix products reach, %"), help=N_("How much of the chip's peak large matrix products reach, in percent.")
    )
    # the bill
    tokens_bn: int = number(
        0,
        0,
        1_000_000_000,
        N_("Tokens, billions (0: 15,000 to train, 1 to generate)"),
        help=N_("Tokens of the whole run, in billions: to train on, or to generate; time, energy and cost grow with them."),
    )
    """0: `TOKENS_BN` of the job."""
    price_cents: int = number(
        0,
        0,
        10_000_000,
        N_("Your price of a GPU hour, cents"),
        help=N_("What one chip costs you for an hour, in cents of your currency; 0 leaves the cost out."),
    )
    """Of one GPU hour, in hundredths of the reader's currency; 0: not given."""
    pue_percent: int = number(
        120,
        100,
        1_000,
        N_("Data centre over chips, %"),
        help=N_("Electricity of the data centre for each unit that chips take, in percent: 120 adds a fifth for cooling and the rest."),
    )


def chip_options(case: Job) -> dict[int, str]:
    """Powers of two for the control of the chips, with as many as there are."""
    return _doubling(case.chips, 18)


def sequence_options(case: Job) -> dict[int, str]:
    """The same for the sequences of a step; 0 is as many as the batch on every rank makes."""
    own = _own_sequences(case)
    return {0: f"{own:,}"} | {n: text for n, text in _doubling(case.sequences or own, 21).items() if n != own or case.sequences == own}


def _own_sequences(case: Job) -> int:
    try:
        return sequences_of(replace(case, sequences=0))
    except InputError:  # what cannot be shared is said in the answer
        return case.batch


def _doubling(chosen: int, powers: int) -> dict[int, str]:
    return {n: f"{n:,}" for n in sorted({*(2**i for i in range(powers)), chosen}) if n <= MAX_CHIPS}


def tokens(case: Job, view: View) -> float:
    """Tokens of the whole run: to train on, or to write."""
    return 1e9 * (view.tokens_bn or TOKENS_BN[case.job])


OF_THE_JOB = ("curve", "wire", "frontier", "bill")
"""Figures that the job draws; the others are the same for every job."""
IDLE = ("utilization", "prefix", "optimizer_step")
"""Settings of the job that move none of them."""
MEMORY = ("engine", "block", "chunk", "graphs", "prompt", "optimizer", "optimizer_state", "master", "loss", "dropout", "offload")
"""Settings of the job that decide memory and no time: they move the curve alone, which says what fits."""


def crosses(case: Job, view: View) -> bool:
    """Whether the figure has chips beyond one node."""
    return view.show == "curve" or case.chips > view.per_node


def groups(case: Job, view: View) -> tuple[Group, ...]:
    """Every other setting of a figure that the job draws: the job's, the links, the bill."""
    if view.show not in OF_THE_JOB:
        return ()
    reach = () if case.serves else ("gemm_percent",)
    own = {
        _("The links"): ("per_node", "inside_gb", *(("across_gb",) if crosses(case, view) else ()), "link_percent", *reach),
        _("The bill"): ("tokens_bn", "price_cents", "pue_percent") if view.show == "bill" else (),
    }
    return (*shared.groups(case, without=("sequences", "format", *IDLE, *(() if view.show == "curve" else MEMORY))), *grouped(view, own))
