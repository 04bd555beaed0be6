"""A training step on so many chips, asked whole: how it scales, whether it fits, from which batch on chips pay, what a run costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wallviz.engine.advice.splits import Search, search
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import peak
from wallviz.engine.memory.capacity import Verdict, verdict
from wallviz.engine.memory.run import Run, whole
from wallviz.engine.scaleout import critical, scaling
from wallviz.engine.scaleout.budget import PUE, Budget, bill
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.scaling import MOST_GPUS, ScalingCurve
from wallviz.engine.scaleout.step import TrainingStep, step
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

#: What the model of a step leaves out; marked for translation.
NOT_MODELLED = (
    N_("stragglers, failures and restarts"),
    N_("the input pipeline and checkpoints"),
    N_("the optimizer's own update"),
    N_("launches of kernels"),
    N_("congestion by other traffic"),
)


@dataclass(frozen=True)
class TrainingOnChips:
    """A training step on so many chips, and what follows from it."""

    arch: Architecture
    chip: Accelerator
    fabric: Fabric
    overlap: str
    efficiency: float
    """Share of the peak that arithmetic reaches."""
    bandwidth_efficiency: float
    """Share of the bandwidth that reading and writing reach."""
    half_square: bool
    """Attention counts what a causal mask keeps, and not the whole square."""
    step: TrainingStep
    """Of one run: its values are single numbers."""
    strong: ScalingCurve
    """The same batch on one copy of the model up to four times the chips, as far as it can be shared."""
    weak: ScalingCurve
    """The same batch per copy on one copy of the model up to four times the chips."""
    reach: ScalingCurve
    """As `strong`, on up to one data parallel rank for each sequence."""
    peak_bytes: float
    """Memory of one GPU at its peak (`memory.peak`)."""
    error_band: float
    """Relative error of that."""
    budget: Budget | None

    @property
    def global_batch(self) -> int:
        """Sequences of a step."""
        return round(float(self.step.tokens) / int(self.step.run.sequence))

    @property
    def fits(self) -> bool | None:
        """Whether the chip's memory surely holds it (`memory.capacity.holds`); None where its size is not known."""
        return self.runs_out.fits

    @property
    def runs_out(self) -> Verdict:
        """Whether it runs out of memory."""
        return verdict(self.peak_bytes, self.error_band, self.chip.memory_bytes)

    @property
    def tokens_per_gpu(self) -> float:
        """Tokens of a step over GPUs."""
        return float(self.step.tokens / self.step.gpus)

    @property
    def ring_bytes_per_s(self) -> float:
        """What a ring over all GPUs moves, each of them in one direction, the efficiency of the links included."""
        gpus = float(self.step.gpus)
        return float(self.fabric.bytes_per_s(gpus, self.fabric.members(gpus)))

    @property
    def flop_per_byte_to_hide(self) -> float:
        """FLOP that a chip does while its link sends one byte."""
        return float(self.step.peak_flop_per_s * self.efficiency / self.ring_bytes_per_s)

    @property
    def critical_tokens_per_gpu(self) -> float:
        """Tokens per GPU above which data parallelism over these links hides behind compute (`critical.tokens_per_chip`)."""
        sparse = self.arch.language_model_parameters / self.arch.active_parameters
        return float(critical.tokens_per_chip(self.step.peak_flop_per_s * self.efficiency, self.ring_bytes_per_s, experts=sparse))

    @property
    def stops_paying(self) -> int | None:
        """The number of chips from which on doubling brings less than 1.5 times the speed; None where it brings more up to a rank a sequence."""
        return scaling.stops_paying(self.reach)

    @property
    def pays_up_to(self) -> int:
        """The number of chips up to which every doubling pays: where it stops, or the last over which the batch can be shared."""
        return self.stops_paying or int(self.reach.chips[-1])

    @property
    def options(self) -> dict[str, Any]:
        """How its steps are counted: arguments of `step.step`."""
        return {name: getattr(self, name) for name in ("overlap", "efficiency", "bandwidth_efficiency", "half_square")}

    def search(self, most: int = 5) -> Search:
        """The fastest layouts of this job on as many chips that fit."""
        run = replace(self.step.run, micro_batch=1, accumulation=1)
        return search(self.arch, run, self.chip, self.fabric, int(self.step.gpus), self.global_batch, most=most, **self.options)


def training(
    arch: Architecture,
    chip: Accelerator,
    fabric: Fabric,
    run: Run,
    *,
    overlap: str = "none",
    efficiency: float = EFFICIENCY,
    bandwidth_efficiency: float = BANDWIDTH_EFFICIENCY,
    half_square: bool = False,
    global_batch: int | None = None,
    tokens: float | None = None,
    price_per_hour: float | None = None,
    pue: float = PUE,
) -> TrainingOnChips:
    """`run` on as many chips as its ranks take, and its batch on fewer and more."""
    options: dict[str, Any] = {"overlap": overlap, "efficiency": efficiency, "bandwidth_efficiency": bandwidth_efficiency, "half_square": half_square}
    one = step(arch, run, chip, fabric, global_batch=global_batch, **options)
    gpus, batch = int(one.gpus), round(float(one.tokens) / float(run.sequence))
    each = scaling.unit(run)
    chips = scaling.counts(run, min(max(4 * gpus, 16 * each), MOST_GPUS), gpus)
    shared = scaling.counts(run, min(batch * each, MOST_GPUS), gpus)
    needs = peak.train(arch, one.run)
    return TrainingOnChips(
        arch,
        chip,
        fabric,
        overlap,
        efficiency,
        bandwidth_efficiency,
        half_square,
        one,
        scaling.strong(arch, run, chip, fabric, chips, batch, **options),
        scaling.weak(arch, one.run, chip, fabric, chips, **options),
        scaling.strong(arch, run, chip, fabric, shared, batch, **options),
        float(needs.peak_total_bytes),
        needs.error_band,
        bill(chip, float(one.tokens_per_s), gpus, tokens, price_per_hour, pue),
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


def layout(run: Run) -> Mapping[str, int]:
    """How a run is split, by field."""
    names = ("tensor_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel", "data_parallel", "zero")
    return {name: int(getattr(run, name)) for name in names}
