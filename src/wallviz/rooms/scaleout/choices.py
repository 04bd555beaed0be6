"""What a reader can choose on the scale-out page: one field of `View` for each, how a link spells it, the words for its options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from wallviz import catalog, units
from wallviz.case import Case
from wallviz.engine.memory import kv_cache, run
from wallviz.engine.scaleout.step import OVERLAPS
from wallviz.i18n import N_, _, labelled
from wallviz.params import Param, choice, flag, number
from wallviz.rooms import Group, Setting
from wallviz.rooms.footprint.choices import FORMATS
from wallviz.rooms.footprint.choices import LABELS as FOOTPRINT_LABELS
from wallviz.rooms.footprint.choices import WORDS as FOOTPRINT_WORDS
from wallviz.rooms.footprint.choices import words as footprint_words

FIGURES = ("curve", "wire", "frontier", "sweeps", "published", "bill", "rules", "fewest")
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


@dataclass(frozen=True, slots=True)
class View:
    """What the reader chose beside the case: one field for each of `PARAMS`, with its default."""

    show: str = "curve"
    gpus: int = 0
    """0: as many as the case has; where it has one, 64 to train and a node to serve."""
    across: str = "infiniband/ndr"
    overlap: str = "none"
    sequences: int = 0
    """Of one training step, all GPUs; 0: 256, or the case's batch on each GPU where that is more."""
    sweep: str = SWEEPS[0]
    # layout, as in footprint.run.Run and with its defaults
    zero: int = 0
    tensor_parallel: int = 1
    sequence_parallel: bool = False
    pipeline_parallel: int = 1
    virtual_stages: int = 1
    context_parallel: int = 1
    expert_parallel: int = 1
    recompute: str = "none"
    precision: str = "bf16-mixed"
    method: str = "lora"
    """Of fine-tuning."""
    # serving
    format: str = "bf16"
    kv: str = "bf16"
    replicas: int = 0
    """Copies, each with requests of its own; 0: the fewest that leave ranks which can share the heads."""
    # links and efficiencies
    per_node: int = 8
    inside_gb: int = 0
    """GB/s of one direction; 0: the chip's own."""
    across_gb: int = 0
    """GB/s of one direction and GPU; 0: as `across` says."""
    link_percent: int = 80
    gemm_percent: int = 70
    # the bill
    tokens_bn: int = 0
    """0: `TOKENS_BN` of the job."""
    price_cents: int = 0
    """Of one GPU hour, in hundredths of the reader's currency; 0: not given."""
    pue_percent: int = 120


#: Tokens of a run, billions, where none are given: those of Llama 3's training; a billion to fine-tune on or to write.
TOKENS_BN = {"train": 15_000, "finetune": 1, "infer": 1}

_D = View()
_RANGES = {
    "tensor_parallel": (1, 65_536), "pipeline_parallel": (1, 10_000), "virtual_stages": (1, 10_000), "context_parallel": (1, 65_536),
    "expert_parallel": (1, 65_536), "per_node": (1, 65_536), "inside_gb": (0, 100_000), "across_gb": (0, 100_000), "link_percent": (1, 100),
    "gemm_percent": (1, 100), "replicas": (0, 65_536), "tokens_bn": (0, 1_000_000_000), "price_cents": (0, 10_000_000), "pue_percent": (100, 1_000),
}  # fmt: skip
MOST_GPUS = 262_144
MOST_SEQUENCES = 1_000_000
PARAMS: tuple[Param, ...] = (
    choice("show", FIGURES, _D.show),
    number("gpus", _D.gpus, 0, MOST_GPUS),
    choice("across", ACROSS, _D.across),
    choice("overlap", OVERLAPS, _D.overlap),
    number("sequences", _D.sequences, 0, MOST_SEQUENCES),
    choice("sweep", SWEEPS, _D.sweep),
    number("zero", _D.zero, 0, 3),
    flag("sequence_parallel"),
    choice("recompute", run.RECOMPUTE, _D.recompute),
    choice("precision", run.PRECISIONS, _D.precision),
    choice("method", run.METHODS, _D.method),
    choice("format", FORMATS, _D.format),
    choice("kv", kv_cache.FORMATS, _D.kv),
    *(number(name, getattr(_D, name), *ends) for name, ends in _RANGES.items()),
)

WORDS: dict[str, dict[Any, str]] = {
    "show": {
        "curve": N_("Efficiency"),
        "wire": N_("What the wires carry"),
        "frontier": N_("Compute against communication"),
        "sweeps": N_("Measured collectives"),
        "published": N_("Published runs"),
        "bill": N_("Time, energy, cost"),
        "rules": N_("Scaling rules"),
        "fewest": N_("Fewest chips by year"),
    },
    "overlap": {"none": N_("nothing"), "partial": N_("gradients"), "full": N_("everything")},
    "zero": FOOTPRINT_WORDS["zero"],
    "recompute": FOOTPRINT_WORDS["recompute"],
    "precision": FOOTPRINT_WORDS["precision"],
    "method": FOOTPRINT_WORDS["method"],
}
LABELS: dict[str, str] = {
    **{name: FOOTPRINT_LABELS[name] for name in (
        "zero", "tensor_parallel", "sequence_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel",
        "recompute", "precision", "method", "format", "kv",
    )},
    "replicas": N_("Copies (0: as few as can be)"),
    "per_node": N_("GPUs per node"),
    "inside_gb": N_("Inside a node, GB/s (0: the chip's)"),
    "across_gb": N_("Across nodes, GB/s per GPU (0: as chosen)"),
    "link_percent": N_("Links reach, %"),
    "gemm_percent": N_("Matrix products reach, %"),
    "tokens_bn": N_("Tokens, billions (0: 15,000 to train, 1 to write)"),
    "price_cents": N_("Your price of a GPU hour, cents"),
    "pue_percent": N_("Data centre over chips, %"),
}  # fmt: skip


def words(param: str) -> dict[Any, str]:
    """The options of choice `param`, by id, in the language in use."""
    if param == "across":
        return {name: labelled(label, units.si(rate, "B/s")) for name, (label, rate) in across_links().items()}
    if param in ("format", "kv"):
        return footprint_words(param)
    if param == "sweep":
        return {name: name for name in SWEEPS}
    return {option: _(said) for option, said in WORDS[param].items()}


@cache
def across_links() -> dict[str, tuple[str, float]]:
    """Links across nodes: a name, and bytes per second of one direction and one GPU of eight."""
    found = {}
    for name, ports in ACROSS.items():
        link = catalog.links()[name]
        label = link.family if link.family.startswith("network") else f"{link.family} {link.generation}"
        found[name] = (label if ports > 1 else link.generation, link.bytes_per_s * ports / 8)
    return found


def gpu_options(case: Case, view: View) -> dict[int, str]:
    """Powers of two for the control of the GPUs, with what the case and the link ask for; 0 is the case's own number."""
    return _doubling(chips(case, View()), view.gpus, 18)


def sequence_options(case: Case, view: View) -> dict[int, str]:
    """The same for the sequences of a step; 0 is what `sequences` makes of it."""
    return _doubling(sequences(case, replace(view, sequences=0)), view.sequences, 21)


def _doubling(own: int, chosen: int, powers: int) -> dict[int, str]:
    found = {0: f"{own:,}"} | {n: f"{n:,}" for n in sorted({*(2**i for i in range(powers)), chosen or 1}) if n != own}
    return dict(sorted(found.items(), key=lambda pair: pair[0] or own))


def chips(case: Case, view: View) -> int:
    """How many GPUs: those of the view, else of the case; where it has one, a node to serve and 64 to train: one chip waits for nobody."""
    return view.gpus or (case.chips if case.chips > 1 else 8 if case.job == "infer" else 64)


def sequences(case: Case, view: View) -> int:
    """Sequences of a training step, all GPUs: those of the view, else 256 or as many as the case's batch on every data parallel rank."""
    ranks = chips(case, view) // (view.tensor_parallel * view.pipeline_parallel * view.context_parallel)
    return view.sequences or min(max(256, case.batch * ranks), MOST_SEQUENCES)


def tokens(case: Case, view: View) -> float:
    """Tokens of the whole run: to train on, or to write."""
    return 1e9 * (view.tokens_bn or TOKENS_BN[case.job])


def label(param: str) -> str:
    """What `param` is called, in the language in use."""
    return _(LABELS[param])


def groups(case: Case) -> tuple[Group, ...]:
    """Every other setting of the case's job, grouped."""
    links = Group(_("The links"), _settings("per_node", "inside_gb", "across_gb", "link_percent"))
    bill = Group(_("The bill"), _settings("tokens_bn", "price_cents", "pue_percent"))
    if case.job == "infer":
        split = Group(_("How the job is split"), _settings("pipeline_parallel", "expert_parallel", "replicas"))
        return split, Group(_("Formats"), _settings("kv")), links, bill
    split = Group(_("How the job is split"), _settings("zero", "tensor_parallel", "sequence_parallel", "pipeline_parallel", "virtual_stages",
                                                       "context_parallel", "expert_parallel"))  # fmt: skip
    adapters = ("method",) if case.job == "finetune" else ()
    return split, Group(_("The step"), _settings(*adapters, "recompute", "precision", "gemm_percent")), links, bill


def _settings(*names: str) -> tuple[Setting, ...]:
    return tuple(Setting(name, label(name), {}, *_RANGES[name]) if name in _RANGES else _one(name) for name in names)


def _one(name: str) -> Setting:
    return Setting(name, label(name), words(name)) if name in WORDS or name == "kv" else Setting(name, label(name))
