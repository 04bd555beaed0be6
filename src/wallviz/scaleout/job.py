"""One job on so many chips, asked whole: its step, how it scales, whether it fits, from which batch on chips pay, what a training run costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wallviz.errors import InputError
from wallviz.footprint import peak
from wallviz.footprint.run import FIELDS, Run, whole
from wallviz.hardware import Accelerator
from wallviz.i18n import N_
from wallviz.roofline import checks
from wallviz.scaleout import critical, scaling
from wallviz.scaleout.budget import MOST_PUE, PUE, Budget, budget
from wallviz.scaleout.decode import BANDWIDTH_EFFICIENCY, Decode, decode
from wallviz.scaleout.fabric import ACROSS_BYTES_PER_S, LINK_EFFICIENCY, PER_NODE, Fabric, inside_bytes_per_s
from wallviz.scaleout.layout import Search, search
from wallviz.scaleout.scaling import Curve
from wallviz.scaleout.step import EFFICIENCY, Step, step
from wallviz.transformer import Architecture

MOST_GPUS = 1_000_000
JOBS = ("train", "infer")
SERVING = ("batch", "context")
#: What the model of a step leaves out; marked for translation.
NOT_MODELLED = (
    N_("stragglers, failures and restarts"),
    N_("the input pipeline and checkpoints"),
    N_("the optimizer's own update"),
    N_("kernels other than matrix products and attention"),
    N_("congestion by other traffic"),
)


@dataclass(frozen=True)
class Training:
    """A training step on so many chips, and what follows from it."""

    arch: Architecture
    chip: Accelerator
    fabric: Fabric
    overlap: str
    efficiency: float
    step: Step
    """Of one run: its values are single numbers."""
    strong: Curve
    """The same batch on one copy of the model up to four times the chips, as far as it can be shared."""
    weak: Curve
    """The same batch per copy on one copy of the model up to four times the chips."""
    peak_bytes: float
    """Memory of one GPU at its peak (`footprint.peak`)."""
    budget: Budget | None

    @property
    def global_batch(self) -> int:
        """Sequences of a step."""
        return round(float(self.step.tokens) / int(self.step.run.sequence))

    @property
    def fits(self) -> bool | None:
        """Whether the chip's memory holds it; None where that is not known."""
        return None if self.chip.memory_bytes is None else self.peak_bytes <= self.chip.memory_bytes

    @property
    def tokens_per_gpu(self) -> float:
        """Tokens of a step over GPUs."""
        return float(self.step.tokens / self.step.gpus)

    @property
    def critical_tokens_per_gpu(self) -> float:
        """Tokens per GPU above which data parallelism over these links hides behind compute (`critical.tokens_per_chip`)."""
        gpus = float(self.step.gpus)
        rate = self.fabric.bytes_per_s(gpus, self.fabric.members(gpus))
        sparse = self.arch.language_model_parameters / self.arch.active_parameters
        return float(critical.tokens_per_chip(self.step.peak_flop_per_s * self.efficiency, rate, experts=sparse))

    @property
    def stops_paying(self) -> int | None:
        """The number of chips from which on doubling brings less than 1.5 times the speed; None where it always brings more."""
        return scaling.stops_paying(self.strong)

    def search(self, most: int = 5) -> Search:
        """The fastest layouts of this job on as many chips that fit."""
        run = self.step.run
        return search(
            self.arch,
            replace(run, micro_batch=1, accumulation=1),
            self.chip,
            self.fabric,
            int(self.step.gpus),
            self.global_batch,
            overlap=self.overlap,
            efficiency=self.efficiency,
            most=most,
        )


@dataclass(frozen=True)
class Serving:
    """A decoding step split over so many chips, and over one, two, four and so on up to them."""

    arch: Architecture
    chip: Accelerator
    fabric: Fabric
    step: Decode
    curve: Decode


def on_chips(
    arch: Architecture,
    chip: Accelerator,
    *,
    gpus: Any = 8,
    job: str = "train",
    gpus_per_node: Any = PER_NODE,
    overlap: str = "none",
    inside: float | None = None,
    across: float | None = None,
    link_efficiency: float = LINK_EFFICIENCY,
    efficiency: float | None = None,
    global_batch: Any = None,
    tokens: float | None = None,
    price_per_hour: float | None = None,
    pue: float = PUE,
    **fields: Any,
) -> Training | Serving:
    """What `gpus` of `chip` do with `job` (``train`` or ``infer``).

    `inside` and `across` are bytes per second of one direction and one GPU (the chip's own links, and an adapter of 400 Gbit/s, where not
    given); `efficiency` is the share of the peak that matrix products reach, serving: of the bandwidth. `fields` are those of
    `footprint.run.Run`, serving: batch and context. Raises InputError, one sentence, for what cannot run.
    """
    if str(job) not in JOBS:  # an array is no word
        raise InputError(N_("no job is called {job}: choose from {choices}"), job=checks.said(job), choices=", ".join(JOBS))
    mine, other, other_job = (SERVING, FIELDS, "train") if job == "infer" else (FIELDS, SERVING, "infer")
    for name, value in fields.items():
        if name in mine:
            _one(name, value)
            continue
        if name in other:
            raise InputError(
                N_("{name} is an option of {jobs}, not of {job}: leave it out, or ask about that job"), name=name, jobs=other_job, job=job
            )
        raise InputError(N_("no option is called {name}: choose from {choices}"), name=name[:40], choices=", ".join(mine))
    for name, value in (("global_batch", global_batch), ("tokens", tokens), ("price_per_hour", price_per_hour), ("pue", pue), ("overlap", overlap)):
        _one(name, value)
    of_training = {"overlap": overlap != "none", "global_batch": global_batch, "tokens": tokens, "price_per_hour": price_per_hour, "pue": pue != PUE}
    if job == "infer" and (strangers := [name for name, given in of_training.items() if given is not None and given is not False]):
        raise InputError(
            N_("{name} is an option of {jobs}, not of {job}: leave it out, or ask about that job"), name=strangers[0], jobs=other_job, job=job
        )
    for name, value in (("gpus", gpus), ("gpus_per_node", gpus_per_node)):
        _one(name, value)
        whole(name, value, 1, MOST_GPUS)
    rates = [_rate("link_inside", inside), _rate("link_across", across)]
    for name, value in (("link_efficiency", link_efficiency), ("efficiency", EFFICIENCY if efficiency is None else efficiency)):
        _one(name, value)
        checks.share(name, value)
    checks.above_zero("pue", pue, 1.0, MOST_PUE)
    fabric = Fabric(rates[0] or inside_bytes_per_s(chip), rates[1] or ACROSS_BYTES_PER_S, int(gpus_per_node), link_efficiency)
    if job == "infer":
        if arch.layers and all(layer.encoder for layer in arch.layers):
            raise InputError(
                N_("{model} has an encoder alone and writes no tokens: ask about training, or choose a model that has a decoder."), model=arch.name
            )
        return _serving(arch, chip, fabric, int(gpus), BANDWIDTH_EFFICIENCY if efficiency is None else efficiency, **fields)
    run = copied(Run(**fields), int(gpus))
    share = EFFICIENCY if efficiency is None else efficiency
    one = step(arch, run, chip, fabric, overlap=overlap, efficiency=share, global_batch=global_batch)
    batch = round(float(one.tokens) / float(run.sequence))
    chips = scaling.counts(run, min(4 * int(gpus), MOST_GPUS), int(gpus))
    options: dict[str, Any] = {"overlap": overlap, "efficiency": share}
    return Training(
        arch,
        chip,
        fabric,
        overlap,
        share,
        one,
        scaling.strong(arch, run, chip, fabric, chips, batch, **options),
        scaling.weak(arch, one.run, chip, fabric, chips, **options),
        float(peak.train(arch, one.run).peak_total_bytes),
        _budget(chip, one, tokens, price_per_hour, pue),
    )


def copied(run: Run, gpus: int) -> Run:
    """The run on `gpus`: what its parallelism leaves over becomes data parallel ranks.

    >>> copied(Run(tensor_parallel=4), 64).data_parallel
    16
    """
    for name in ("tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel"):
        whole(name, getattr(run, name), 1, MOST_GPUS)
    world = scaling.unit(run) * int(run.data_parallel)
    if gpus % world:
        raise InputError(
            N_("{count} GPUs cannot be shared by {world} ranks: give a multiple of {world}, or change the parallelism."),
            count=f"{gpus:,}",
            world=f"{world:,}",
        )
    return replace(run, data_parallel=int(run.data_parallel) * (gpus // world))


def _serving(arch: Architecture, chip: Accelerator, fabric: Fabric, gpus: int, efficiency: float, batch: Any = 1, context: Any = 4096) -> Serving:
    whole("batch", batch, 1, MOST_GPUS)
    whole("context", context, 1, 100_000_000)
    counts = np.unique([*(2 ** np.arange(gpus.bit_length())), gpus])
    one, curve = (
        decode(arch, chip, fabric, tensor_parallel=t, batch=batch, context=context, efficiency=efficiency) for t in (gpus, counts[counts <= gpus])
    )
    return Serving(arch, chip, fabric, one, curve)


def _budget(chip: Accelerator, one: Step, tokens: float | None, price_per_hour: float | None, pue: float) -> Budget | None:
    """The bill of a run over `tokens`; a price without tokens is a question without its half."""
    if tokens is None:
        if price_per_hour is not None:
            raise InputError(N_("a price needs the tokens of the run: give tokens, such as 15e12"))
        return None
    return budget(tokens, float(one.tokens_per_s), float(one.gpus), tdp_w=chip.tdp_w, pue=pue, price_per_hour=price_per_hour)


def _one(name: str, value: Any) -> None:
    """Raises InputError where several values are given, or a switch is neither on nor off: a job is one run."""
    checks.single(name, value)
    if name in ("sequence_parallel", "dropout"):
        checks.switch(name, value)


def _rate(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not checks.is_number(value, 1.0, checks.MOST):
        shown = value / 1e9 if isinstance(value, float) else checks.said(value)
        raise InputError(N_("{name} cannot be {value}: give GB/s of one direction, above 0."), name=name, value=shown)
    return float(value)


def layout(run: Run) -> Mapping[str, int]:
    """How a run is split, by field."""
    names = ("tensor_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel", "data_parallel", "zero")
    return {name: int(getattr(run, name)) for name in names}
