"""One job on so many chips, asked whole: its step, how it scales, whether it fits, from which batch on chips pay, what a training run costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wallviz import checks
from wallviz.engine.advice.fits import verdict
from wallviz.engine.advice.splits import Search, search
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import peak, serve
from wallviz.engine.memory.run import FIELDS, Run, divides, whole
from wallviz.engine.scaleout import critical, scaling
from wallviz.engine.scaleout.budget import MOST_PUE, PUE, Budget, budget
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY
from wallviz.engine.scaleout.decode import Decode, decode
from wallviz.engine.scaleout.fabric import ACROSS_BYTES_PER_S, LINK_EFFICIENCY, PER_NODE, Fabric, inside_bytes_per_s
from wallviz.engine.scaleout.scaling import ScalingCurve
from wallviz.engine.scaleout.step import TrainingStep, step
from wallviz.engine.transformer import Architecture, Attention, LatentAttention
from wallviz.engine.work import KERNELS
from wallviz.errors import InputError
from wallviz.i18n import N_

MOST_GPUS = 1_000_000
JOBS = ("train", "finetune", "infer")
#: Fields of serving beside those of the chips.
SERVING = ("batch", "context", "weights", "kv", "kernels", "pipeline_parallel", "expert_parallel", "replicas")
#: What the memory of serving depends on beside these: arguments of `memory.serve.infer`.
ENGINE = ("sparsity", "imatrix", "engine", "block", "chunk", "prompt", "prefix", "encoder_context", "graphs")
#: What the model of a step leaves out; marked for translation.
NOT_MODELLED = (
    N_("stragglers, failures and restarts"),
    N_("the input pipeline and checkpoints"),
    N_("the optimizer's own update"),
    N_("launches of kernels"),
    N_("congestion by other traffic"),
)
NOT_MODELLED_SERVING = (
    N_("reading the prompt"),
    N_("requests of different lengths, and their scheduling"),
    N_("launches of kernels"),
    N_("all-reduces written for small messages"),
    N_("experts used unevenly"),
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
        """Whether the chip's memory surely holds it (`advice.fits.holds`); None where its size is not known."""
        return None if self.chip.memory_bytes is None else self.runs_out == "no"

    @property
    def runs_out(self) -> str:
        """Whether it runs out of memory (`advice.fits.verdict`)."""
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


@dataclass(frozen=True)
class ServingOnChips:
    """A decoding step split over so many chips, and over fewer and more tensor parallel ranks."""

    arch: Architecture
    chip: Accelerator
    fabric: Fabric
    batch: int
    """Sequences at once of each copy."""
    context: int
    weights: str
    kv: str
    efficiency: float
    """Share of the peak that arithmetic reaches."""
    bandwidth_efficiency: float
    """Share of the bandwidth that reading reaches."""
    layout: Mapping[str, int]
    """Tensor, pipeline and expert parallel ranks, and copies (`replicas`): their product is the number of chips."""
    step: Decode
    curve: Decode
    """Tensor parallel ranks in powers of two, the rest of the layout as it is: up to 64, or four times those of the layout."""
    peak_bytes: float
    """Memory of one chip (`memory.serve`)."""
    curve_bytes: tuple[float, ...]
    """The same on the curve."""
    error_band: float
    budget: Budget | None

    @property
    def fits(self) -> bool | None:
        """Whether the chip's memory surely holds it (`advice.fits.holds`); None where its size is not known."""
        return None if self.chip.memory_bytes is None else self.runs_out == "no"

    @property
    def runs_out(self) -> str:
        """Whether it runs out of memory (`advice.fits.verdict`)."""
        return verdict(self.peak_bytes, self.error_band, self.chip.memory_bytes)

    @property
    def holding(self) -> NDArray[np.bool_]:
        """Which chip counts of the curve hold it, the error band included; all where the chip's memory is not known."""
        return np.array([verdict(need, self.error_band, self.chip.memory_bytes) in ("no", "unknown") for need in self.curve_bytes])

    @property
    def fewest(self) -> int | None:
        """The fewest chips on the curve that hold it; None where none does."""
        at = np.flatnonzero(self.holding)
        return int(np.atleast_1d(self.curve.chips)[at[0]]) if len(at) else None

    @property
    def stops_paying(self) -> int | None:
        """The number of chips, of those that hold it, from which on doubling brings less than 1.5 times the speed; None where it never does."""
        first = int(np.flatnonzero(self.holding)[0]) if self.holding.any() else 0
        return scaling.stop(np.atleast_1d(self.curve.chips)[first:], np.atleast_1d(self.curve.tokens_per_s)[first:])

    @property
    def pays_up_to(self) -> int:
        """The number of chips up to which every doubling pays: where it stops, or the last over which the heads can be shared."""
        return self.stops_paying or int(np.atleast_1d(self.curve.chips)[-1])


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
    half_square: bool = False,
    global_batch: Any = None,
    tokens: float | None = None,
    price_per_hour: float | None = None,
    pue: float = PUE,
    **fields: Any,
) -> TrainingOnChips | ServingOnChips:
    """What `gpus` of `chip` do with `job` (``train``, ``finetune`` or ``infer``).

    `inside` and `across` are bytes per second of one direction and one GPU (the chip's own links, and an adapter of 400 Gbit/s, where not
    given); `efficiency` is the share of the chip's roof that kernels reach, arithmetic and reading alike (0.70 of the peak and 0.69 of the
    bandwidth, where not given: `scaleout.chip`); `half_square` counts the half of attention over a sequence that a causal mask keeps. `fields` are
    those of `memory.run.Run` (fine-tuning: LoRA adapters where no method is named), serving: those of `SERVING`. Raises InputError, one
    sentence, for what cannot run.
    """
    if str(job) not in JOBS:  # an array is no word
        raise InputError(N_("no job is called {job}: choose from {choices}"), job=checks.said(job), choices=", ".join(JOBS))
    served = (*SERVING, *ENGINE)
    mine, other, other_job = (served, FIELDS, "train") if job == "infer" else (FIELDS, served, "infer")
    for name, value in fields.items():
        if name in mine:
            _one(name, value)
            continue
        if name in other:
            raise InputError(
                N_("{name} is an option of {jobs}, not of {job}: leave it out, or ask about that job"), name=name, jobs=other_job, job=job
            )
        raise InputError(N_("no option is called {name}: choose from {choices}"), name=name[:40], choices=", ".join(mine))
    checks.switch("half_square", half_square)
    for name, value in (("global_batch", global_batch), ("tokens", tokens), ("price_per_hour", price_per_hour), ("pue", pue), ("overlap", overlap)):
        _one(name, value)
    if job == "infer":
        for name, given in (("overlap", overlap != "none"), ("global_batch", global_batch is not None), ("half_square", half_square)):
            if given:
                raise InputError(
                    N_("{name} is an option of {jobs}, not of {job}: leave it out, or ask about that job"), name=name, jobs=other_job, job=job
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
    bill: dict[str, Any] = {"tokens": tokens, "price_per_hour": price_per_hour, "pue": pue}
    if efficiency is not None:
        bill |= {"efficiency": efficiency, "bandwidth_efficiency": efficiency}
    if job == "infer":
        return serving(arch, chip, fabric, int(gpus), **bill, **fields)
    run = copied(Run(**({"method": "lora"} if job == "finetune" else {}) | fields), int(gpus))
    return training(arch, chip, fabric, run, overlap=overlap, half_square=half_square, global_batch=global_batch, **bill)


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
        _budget(chip, float(one.tokens_per_s), gpus, tokens, price_per_hour, pue),
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


def serving(
    arch: Architecture,
    chip: Accelerator,
    fabric: Fabric,
    gpus: int,
    *,
    batch: Any = 1,
    context: Any = 4096,
    weights: str = "bf16",
    kv: str = "bf16",
    pipeline_parallel: Any = 1,
    expert_parallel: Any = 1,
    replicas: Any = None,
    kernels: str = "flash",
    efficiency: float = EFFICIENCY,
    bandwidth_efficiency: float = BANDWIDTH_EFFICIENCY,
    tokens: float | None = None,
    price_per_hour: float | None = None,
    pue: float = PUE,
    beyond: bool = True,
    **engine: Any,
) -> ServingOnChips:
    """Decoding on `gpus` chips: what pipeline, experts and copies leave over are tensor parallel ranks, as on the footprint page.

    Where no `replicas` are named there is one copy, or the fewest that leave ranks which can share the heads. Each copy serves `batch`
    sequences of its own. Without `beyond` the curve is that one number of chips. `engine` are those of `ENGINE`.
    """
    if arch.layers and all(layer.encoder for layer in arch.layers):
        raise InputError(
            N_("{model} has an encoder alone and writes no tokens: ask about training, or choose a model that has a decoder."), model=arch.name
        )
    checks.one_of("kernels", kernels, KERNELS)
    whole("batch", batch, 1, MOST_GPUS)
    whole("context", context, 1, 100_000_000)
    for name, value in (("pipeline_parallel", pipeline_parallel), ("expert_parallel", expert_parallel), ("replicas", replicas or 1)):
        whole(name, value, 1, MOST_GPUS)
    layout = split(arch, gpus, int(pipeline_parallel), int(expert_parallel), None if replicas is None else int(replicas))
    t, apart = layout["tensor_parallel"], {name: n for name, n in layout.items() if name != "tensor_parallel"}
    counts = np.array([n for n in sorted({*_POWERS, t} if beyond else {t}) if n <= max(4 * t, 64) and (n == t or _shares_heads(arch, n))])
    stored = {"weights": str(weights), "kv": str(kv)}
    options: dict[str, Any] = (
        apart
        | stored
        | {
            "batch": batch,
            "context": context,
            "kernels": kernels,
            "efficiency": efficiency,
            "bandwidth_efficiency": bandwidth_efficiency,
        }
        | {name: engine[name] for name in ("sparsity", "imatrix", "encoder_context") if name in engine}
    )
    curve = decode(arch, chip, fabric, tensor_parallel=counts, **options)
    one = curve.at(int(np.flatnonzero(counts == t)[0]))
    shared = (layout["pipeline_parallel"], layout["expert_parallel"], int(batch), int(context))
    needs = {n: _serving_bytes(arch, n, *shared, **stored, **engine) for n in counts.tolist()}
    return ServingOnChips(
        arch,
        chip,
        fabric,
        int(batch),
        int(context),
        weights,
        kv,
        efficiency,
        bandwidth_efficiency,
        layout,
        one,
        curve,
        needs[t],
        tuple(needs[n] for n in counts.tolist()),
        serve.ERROR_BAND,
        _budget(chip, float(one.tokens_per_s), gpus, tokens, price_per_hour, pue),
    )


_POWERS = tuple(2**n for n in range(17))


def _shares_heads(arch: Architecture, ranks: int) -> bool:
    """Whether so many tensor parallel ranks can share every layer's heads, and each key and value head goes to whole ranks."""
    for mixer in _attention(arch):
        cached = mixer.kv_heads if isinstance(mixer, Attention) else 0
        if mixer.heads % ranks or (cached > ranks and cached % ranks):
            return False
    return True


def _attention(arch: Architecture) -> list[Attention | LatentAttention]:
    return [layer.mixer for layer, _count in arch.groups if isinstance(layer.mixer, Attention | LatentAttention)]


def split(arch: Architecture, gpus: int, pipeline_parallel: int = 1, expert_parallel: int = 1, replicas: int | None = None) -> dict[str, int]:
    """How serving shares `gpus`: what pipeline, experts and copies leave over are tensor parallel ranks; raises InputError where it does not divide.

    >>> from wallviz.engine.transformer import architecture
    >>> gpt2 = architecture({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257})
    >>> split(gpt2, 8)
    {'tensor_parallel': 4, 'pipeline_parallel': 1, 'expert_parallel': 1, 'replicas': 2}
    """
    serve.shared_by(arch, expert_parallel)
    world = pipeline_parallel * expert_parallel * (replicas or 1)
    if gpus % world:
        raise InputError(
            N_("{count} GPUs cannot be shared by {world} ranks: give a multiple of {world}, or change the parallelism."),
            count=f"{gpus:,}",
            world=f"{world:,}",
        )
    left = gpus // world
    copies = replicas or next(n for n in range(1, left + 1) if left % n == 0 and _shares_heads(arch, left // n))
    t = left if replicas else left // copies
    for mixer in _attention(arch):
        divides("num_attention_heads", mixer.heads, "tensor_parallel", t)
    return {"tensor_parallel": t, "pipeline_parallel": pipeline_parallel, "expert_parallel": expert_parallel, "replicas": copies}


@lru_cache(maxsize=4096)
def _serving_bytes(arch: Architecture, t: int, p: int, e: int, batch: int, context: int, **options: Any) -> float:
    """Memory of one chip."""
    needs = serve.infer(arch, batch=batch, context=context, tensor_parallel=t, pipeline_parallel=p, expert_parallel=e, **options)
    return float(np.max(needs.peak_total_bytes))


def _budget(chip: Accelerator, tokens_per_s: float, gpus: int, tokens: float | None, price_per_hour: float | None, pue: float) -> Budget | None:
    """The bill of a run over `tokens`; a price without tokens is a question without its half."""
    if tokens is None:
        if price_per_hour is not None:
            raise InputError(N_("a price needs the tokens of the run: give tokens, such as 15e12"))
        return None
    return budget(tokens, tokens_per_s, float(gpus), tdp_w=chip.tdp_w, pue=pue, price_per_hour=price_per_hour)


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
