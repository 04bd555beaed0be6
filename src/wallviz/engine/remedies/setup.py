"""What remedies are applied to: a model, a job as it is run, the chips; and what it takes, in bytes and in seconds, by the real calculators.

Bytes are `memory.peak` and `memory.serve`. Seconds are scale-out's (`scaleout.step`, `scaleout.decode`) for the same split, links and efficiencies,
with nothing hidden behind the chip's work, and what the slot to the host carries. What scale-out leaves out is left out here: above all the
optimizer's own update (`scaleout.training_job.NOT_MODELLED`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from wallviz.engine import work
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.peak import Training, train
from wallviz.engine.memory.run import DTYPES, Run
from wallviz.engine.memory.serve import Serving, infer
from wallviz.engine.remedies import offload, speculative
from wallviz.engine.scaleout.decode import Decode, decode
from wallviz.engine.scaleout.fabric import Fabric, inside_bytes_per_s, pcie_bytes_per_s
from wallviz.engine.scaleout.step import step
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

#: PCI Express generation of a chip that names none.
USUAL_SLOT = 4
#: Options of serving that change what a decoding step reads and does.
_DECODING = ("batch", "context", "weights", "kv", "tensor_parallel", "pipeline_parallel", "expert_parallel", "sparsity", "imatrix", "encoder_context")


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
    half_square: bool = True
    """Training: attention counts the half of the square that a causal mask keeps, as fused attention computes it."""
    kernels: str = "flash"
    """Serving: one of `work.KERNELS`; training has those of its run."""
    replicas: int = 1
    """Serving: copies, each with GPUs and requests of its own."""

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
            return prod(int(self.option(f"{kind}_parallel", 1)) for kind in ("tensor", "pipeline", "expert")) * self.replicas
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
    bound_s: float
    """The roofline's time: links and slot that take none, chips that reach all of their roof."""

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
    if work.formats(run)[1] == "fp8" and chip.fp8_flop_per_s is None:
        raise InputError(N_("{chip} computes nothing in FP8: choose a chip that does"), chip=chip.name)
    needs, one = train(arch, run), step(arch, run, chip, _fabric(chip), half_square=setup.half_square)
    slot = _slot_bytes(run, float(arch.parameters) / float(run.tensor_parallel) / float(run.pipeline_parallel) if run.trains_all else 0.0)
    return Outcome(
        bytes=float(needs.peak_total_bytes),
        parts=training_parts(needs),
        seconds={
            "chip": float(one.compute_s),
            "links": float(one.waiting_s),
            "slot": slot / slot_bytes_per_s(chip),
            "bubble": float(one.bubble_s),
        },
        moved_bytes=float(one.moved_bytes),
        sent_bytes=float(sum(one.bytes_on_wire.values())),
        slot_bytes=slot,
        tokens=float(one.tokens),
        intensity=float(one.flop / one.moved_bytes),
        error_band=needs.error_band,
        bound_s=float(one.bound_s),
    )


def training_parts(needs: Training) -> dict[str, float]:
    """Bytes at the peak by part, overheads as one."""
    return {**{part: float(size) for part, size in needs.parts.items()}, "overhead": float(sum(float(v) for v in needs.overheads.values()))}


def _slot_bytes(run: Run, parameters: float) -> float:
    if run.offload == "none":
        return 0.0
    held = float(run.data_parallel) * float(run.context_parallel) if int(run.zero) >= 1 else 1.0
    f = run.formats
    moved = offload.parameter_bytes if run.offload == "parameters" else offload.optimizer_bytes
    return float(moved(parameters / held, DTYPES[f.weights], DTYPES[f.gradients]))


# ---------------------------------------------------------------- serving


def _serving(setup: Setup) -> Outcome:
    arch, chip, options = setup.arch, setup.chip, dict(setup.options)
    needs = infer(arch, **options)
    asked = {"kernels": setup.kernels, **{name: options[name] for name in _DECODING if name in options}}
    one = decode(arch, chip, _fabric(chip), **asked)
    parts = serving_parts(needs)
    slot = float(needs.weights_bytes) if setup.host_weights else 0.0
    if setup.host_weights:
        parts["weights"] = min(parts["weights"], 2.0 * parts["weights"] / max(1, len(arch.layers)))
    took = _took(one)
    if setup.draft is not None:
        a, g, c = setup.draft.acceptance, setup.draft.length, setup.draft.cost
        expected = float(speculative.expected_tokens(a, g))
        checked = _took(decode(arch, chip, _fabric(chip), at_once=g + 1, **asked))  # a pass over a draft reads weights and cache once
        took = {name: (g * c * each + checked[name]) / expected for name, each in took.items()}
        slot *= (1.0 + g * c) / expected
        parts["weights"] *= 1.0 + c
    return Outcome(
        bytes=sum(parts.values()),
        parts=parts,
        seconds={"chip": took["chip"], "links": took["links"], "slot": slot / slot_bytes_per_s(chip), "bubble": took["bubble"]},
        moved_bytes=took["moved"],
        sent_bytes=took["sent"],
        slot_bytes=slot,
        tokens=float(one.batch) * setup.replicas,
        intensity=took["flop"] / max(took["moved"], 1.0),
        error_band=needs.error_band,
        bound_s=took["bound"],
    )


def _took(one: Decode) -> dict[str, float]:
    """What a step takes of everything that a draft changes alike."""
    return {
        "chip": float(one.busy_s),
        "links": float(one.waiting_s),
        "bubble": float(one.bubble_s),
        "bound": float(one.bound_s),
        "moved": float(one.moved_bytes),
        "sent": float(one.sent_bytes),
        "flop": float(one.flop),
    }


def serving_parts(needs: Serving) -> dict[str, float]:
    """Bytes by part, overheads as one."""
    return {
        "weights": float(needs.weights_bytes),
        "kv_cache": float(np.max(needs.kv_cache_bytes)),
        "activations": float(np.max(needs.activation_bytes)),
        "overhead": float(sum(np.max(v) for v in needs.overheads.values())),
    }
