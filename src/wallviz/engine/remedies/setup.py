"""What remedies are applied to: a model, a job as it is run, the chips; and what it takes, in bytes and in seconds, by the real calculators.

Bytes are `memory.peak` and `memory.serve`. Seconds are a floor: what the roofline allows on the chip, and with nothing hidden behind it
what the links between GPUs (`scaleout`) and the slot to the host carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import quantization
from wallviz.engine.memory.peak import Training, train
from wallviz.engine.memory.run import DTYPES, Run
from wallviz.engine.memory.serve import Serving, infer
from wallviz.engine.remedies import offload, recompute, speculative
from wallviz.engine.roofline.step import Step, step
from wallviz.engine.scaleout.decode import decode
from wallviz.engine.scaleout.fabric import Fabric, inside_bytes_per_s, pcie_bytes_per_s
from wallviz.engine.scaleout.step import step as scaled_step
from wallviz.engine.scaleout.volumes import bubble_fraction
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

#: PCI Express generation of a chip that names none.
USUAL_SLOT = 4
#: Attention, in the operations of the roofline.
CORE = ("attention_scores", "attention_values")
_KERNELS = {"eager": "eager", "flash": "flash", "fused": "fused", "transformer-engine": "fused"}
#: Moments that an optimizer keeps of each parameter.
_MOMENTS = {"adamw": 2, "adamw-8bit": 2, "momentum": 1, "lion": 1, "muon": 1}


@dataclass(frozen=True, slots=True)
class Draft:
    """Speculative decoding: acceptance a, draft length g, cost c of one draft token over one pass (gpt-fast's 7B beside its 70B: 0.128)."""

    acceptance: float = 0.72
    length: int = 4
    cost: float = 0.128


@dataclass(frozen=True)
class Setup:
    """One job on one kind of chip. `dataclasses.replace` asks "what if"."""

    arch: Architecture
    chip: Accelerator
    job: str
    """train, finetune or infer."""
    run: Run = Run()  # noqa: RUF009 - frozen
    """Training and fine-tuning."""
    options: tuple[tuple[str, Any], ...] = ()
    """Serving: arguments of `memory.serve.infer`."""
    draft: Draft | None = None
    host_weights: bool = False
    """Serving: weights stay in host memory and are streamed through the chip layer by layer (arXiv 2303.06865)."""

    @property
    def serves(self) -> bool:
        """It writes tokens; otherwise it trains."""
        return self.job == "infer"

    def option(self, name: str, default: Any = None) -> Any:
        """An argument of serving."""
        return dict(self.options).get(name, default)

    def with_options(self, **changes: Any) -> Setup:
        """Serving with other arguments."""
        return replace(self, options=tuple(sorted((dict(self.options) | changes).items())))

    @property
    def gpus(self) -> int:
        """How many GPUs share it."""
        if self.serves:
            return int(self.option("tensor_parallel", 1)) * int(self.option("pipeline_parallel", 1))
        run = self.run
        return int(run.tensor_parallel * run.pipeline_parallel * run.context_parallel * run.data_parallel)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a setup takes, per GPU; a step is one of training, or one token of each sequence."""

    bytes: float
    """Memory at the peak."""
    parts: Mapping[str, float]
    """The same by part."""
    seconds: Mapping[str, float]
    """By place: ``chip``, ``links``, ``slot`` (PCI Express), ``bubble`` (of a pipeline)."""
    moved_bytes: float
    """Between chip and memory, each step."""
    sent_bytes: float
    """Over the links, each step."""
    slot_bytes: float
    """Over the slot, each step."""
    tokens: float
    """Of all GPUs, each step."""
    intensity: float
    """FLOP per byte between chip and memory."""
    error_band: float
    """Relative error to expect of `bytes`."""

    @property
    def time_s(self) -> float:
        """Seconds of the step."""
        return sum(self.seconds.values())

    @property
    def tokens_per_s(self) -> float:
        """Tokens per second of all GPUs."""
        return self.tokens / self.time_s


@lru_cache(maxsize=2048)
def outcome(setup: Setup) -> Outcome:
    """What `setup` takes. Raises InputError for what cannot run, and for a chip whose rates are not known."""
    if not setup.chip.memory_bytes_per_s:
        raise InputError(N_("the memory bandwidth of {chip} is not known: choose another chip"), chip=setup.chip.name)
    return _serving(setup) if setup.serves else _training(setup)


def slot_bytes_per_s(chip: Accelerator) -> float:
    """One way over the sixteen lanes of a chip's slot."""
    return pcie_bytes_per_s(chip.pcie_gen or USUAL_SLOT)


def _fabric(chip: Accelerator) -> Fabric:
    try:
        return Fabric(inside_bytes_per_s(chip))
    except InputError:
        return Fabric(slot_bytes_per_s(chip))


# ---------------------------------------------------------------- training


def _training(setup: Setup) -> Outcome:
    run, arch, chip = setup.run, setup.arch, setup.chip
    needs = train(arch, run)
    passes = float(run.accumulation) / float(run.pipeline_parallel) / float(run.context_parallel)
    on_chip = _train_step(setup)
    core_s = sum(float(timed.time_s) for timed in on_chip.operations if timed.operation.id in CORE)
    whole_s = float(on_chip.time_s)
    if run.recompute == "selective" and run.kernels == "eager":
        whole_s *= float(recompute.selective_factor(core_s / whole_s))
    # Adapters: the backward pass needs the gradients of activations, not those of the weights, 4 of 6 FLOP (arXiv 2106.09685, section 4.2).
    work_share = 1.0 if run.trains_all else 2.0 / 3.0
    parameters = float(arch.parameters) / float(run.tensor_parallel) / float(run.pipeline_parallel) if run.trains_all else 0.0
    updated = _updated_bytes(run, parameters)
    in_host = run.offload != "none"
    chip_s = whole_s * work_share * passes + (0.0 if in_host else updated / float(chip.memory_bytes_per_s or np.inf))
    scaled = scaled_step(arch, run, chip, _fabric(chip))
    gathers = run.trains_all or int(run.zero) == 3
    wires = {kind: float(s) for kind, s in scaled.wire_s.items() if gathers or kind != "data_parallel"}
    sent = sum(float(b) for kind, b in scaled.bytes_on_wire.items() if gathers or kind != "data_parallel")
    slot = _slot_bytes(run, parameters)
    bubble = float(bubble_fraction(float(run.pipeline_parallel), float(run.accumulation), float(run.virtual_stages)))
    return Outcome(
        bytes=float(needs.peak_total_bytes),
        parts=training_parts(needs),
        seconds={"chip": chip_s, "links": sum(wires.values()), "slot": slot / slot_bytes_per_s(chip), "bubble": bubble * chip_s},
        moved_bytes=float(on_chip.bytes) * work_share * passes + (0.0 if in_host else updated),
        sent_bytes=sent,
        slot_bytes=slot,
        tokens=float(run.micro_batch) * float(run.sequence) * float(run.accumulation) * float(run.data_parallel),
        intensity=float(on_chip.arithmetic_intensity),
        error_band=needs.error_band,
    )


def training_parts(needs: Training) -> dict[str, float]:
    """Bytes at the peak by part, overheads as one."""
    return {**{part: float(size) for part, size in needs.parts.items()}, "overhead": float(sum(float(v) for v in needs.overheads.values()))}


def _train_step(setup: Setup) -> Step:
    run = setup.run
    formats = run.formats
    eight = formats.weights == "fp8"
    activations = "fp32" if run.precision == "fp32" and formats.weights == "fp32" else "fp8" if eight else "bf16"
    if eight and setup.chip.fp8_flop_per_s is None:
        raise InputError(N_("{chip} computes nothing in FP8: choose a chip that does"), chip=setup.chip.name)
    return step(
        setup.arch,
        setup.chip,
        phase="train",
        batch=run.micro_batch,
        context=run.sequence,
        weights="nf4-dq" if run.method == "qlora" else "fp8" if eight else "fp32" if formats.weights == "fp32" else "bf16",
        activations=activations,
        tensor_parallel=int(run.tensor_parallel),
        kernels=_KERNELS[run.kernels],
        recompute="full" if run.recompute == "full" else "none",
    )


def _updated_bytes(run: Run, parameters: float) -> float:
    """Bytes that the optimizer's step reads and writes on one GPU: gradient, master copy and moments both ways, the weight."""
    f = run.formats
    held = float(run.data_parallel) * float(run.context_parallel) if int(run.zero) >= 1 else 1.0
    copy = DTYPES[f.master] or DTYPES[f.weights]
    each = DTYPES[f.gradients] + 2.0 * copy + 2.0 * _MOMENTS.get(run.optimizer, 0) * DTYPES[f.optimizer_state] + DTYPES[f.weights]
    return parameters / held * each


def _slot_bytes(run: Run, parameters: float) -> float:
    if run.offload == "none":
        return 0.0
    held = float(run.data_parallel) * float(run.context_parallel) if int(run.zero) >= 1 else 1.0
    f = run.formats
    moved = offload.parameter_bytes if run.offload == "parameters" else offload.optimizer_bytes
    return float(moved(parameters / held, DTYPES[f.weights], DTYPES[f.gradients]))


# ---------------------------------------------------------------- serving


def _serving(setup: Setup) -> Outcome:
    arch, chip = setup.arch, setup.chip
    options = dict(setup.options)
    needs = infer(arch, **options)
    tensor = int(options.get("tensor_parallel", 1))
    batch, context = float(options.get("batch", 1)), options["context"]
    one = _decode_step(setup, 1)
    chip_s, moved = float(one.time_s), float(one.bytes)
    dropped = _dropped_bytes(setup, needs)
    if one.bound == "bandwidth":
        chip_s = max(chip_s - dropped / float(chip.memory_bytes_per_s or np.inf), 0.05 * chip_s)
    moved -= dropped
    links_s, sent = 0.0, 0.0
    if tensor > 1:
        split = decode(arch, chip, _fabric(chip), tensor_parallel=tensor, batch=batch, context=context)
        links_s = float(split.waiting_s)
        sent = 4.0 * len(arch.layers) * (tensor - 1) / tensor * batch * arch.hidden_size * 2.0  # two all-reduces a layer, 2(n-1)/n each
    slot = _streamed_bytes(setup, needs)
    parts = serving_parts(needs)
    if setup.host_weights:
        parts["weights"] = min(parts["weights"], 2.0 * parts["weights"] / max(1, len(arch.layers)))
    tokens = batch
    if setup.draft is not None:
        a, g, c = setup.draft.acceptance, setup.draft.length, setup.draft.cost
        expected = float(speculative.expected_tokens(a, g))
        checked = _checking_s(setup, one, g)
        chip_s = (g * c * chip_s + checked) / expected
        moved, links_s, sent, slot = (each * (1.0 + g * c) / expected for each in (moved, links_s, sent, slot))
        parts["weights"] *= 1.0 + c
    total = sum(parts.values())
    return Outcome(
        bytes=total,
        parts=parts,
        seconds={"chip": chip_s, "links": links_s, "slot": slot / slot_bytes_per_s(chip), "bubble": 0.0},
        moved_bytes=moved,
        sent_bytes=sent,
        slot_bytes=slot,
        tokens=tokens,
        intensity=float(one.flop) / max(moved, 1.0),
        error_band=needs.error_band,
    )


def serving_parts(needs: Serving) -> dict[str, float]:
    """Bytes by part, overheads as one."""
    return {
        "weights": float(needs.weights_bytes),
        "kv_cache": float(np.max(needs.kv_cache_bytes)),
        "activations": float(np.max(needs.activation_bytes)),
        "overhead": float(sum(np.max(v) for v in needs.overheads.values())),
    }


def _decode_step(setup: Setup, tokens: int) -> Step:
    """A decoding step of `tokens` tokens of each sequence at once."""
    options = dict(setup.options)
    return step(
        setup.arch,
        setup.chip,
        phase="decode",
        batch=float(options.get("batch", 1)) * tokens,
        context=options["context"],
        weights=str(options.get("weights", "bf16")),
        kv=str(options.get("kv", "bf16")),
        tensor_parallel=int(options.get("tensor_parallel", 1)),
    )


def _checking_s(setup: Setup, one: Step, g: int) -> float:
    """A pass over g + 1 tokens of each sequence: the weights are read once, each cached value too, the arithmetic is g + 1 times as much."""
    wide = _decode_step(setup, g + 1)
    total = sum(float(timed.time_s) for timed in wide.operations if timed.operation.id not in CORE)
    for timed in one.operations:
        if timed.operation.id in CORE:
            total += float(timed.roof.time_s((g + 1) * np.asarray(timed.operation.flop, float), timed.operation.bytes))
    return total


def _dropped_bytes(setup: Setup, needs: Serving) -> float:
    """Weights that a sparse format leaves out of what a step reads."""
    sparsity = setup.option("sparsity")
    if sparsity is None or quantization.removed(sparsity) is None:
        return 0.0
    dense = infer(setup.arch, **dict(setup.options) | {"sparsity": None})
    return float(dense.weights_bytes) - float(needs.weights_bytes)


def _streamed_bytes(setup: Setup, needs: Serving) -> float:
    return float(needs.weights_bytes) if setup.host_weights else 0.0
