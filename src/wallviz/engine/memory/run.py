"""One training or fine-tuning run: everything that decides its bytes, checked at the door.

Numbers may be numpy arrays of one shape (or broadcastable): the same formulas then answer for every configuration at once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wallviz import checks
from wallviz.engine.memory.terms import Quantity, above, plain
from wallviz.engine.transformer import Architecture, Attention, Experts, LatentAttention
from wallviz.errors import InputError
from wallviz.i18n import N_

#: Bytes of one element by number format.
DTYPES: dict[str, float] = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "none": 0.0}


@dataclass(frozen=True, slots=True)
class Precision:
    """Number formats of the four model states; ``autocast`` computes in bf16 on fp32 weights."""

    weights: str
    gradients: str
    master: str
    optimizer_state: str
    autocast: bool = False


#: The usual presets. Bytes per parameter with Adam: 16, 16 (and 2 for cached casts), 16, 18, 8.
PRECISIONS: dict[str, Precision] = {
    "fp32": Precision("fp32", "fp32", "none", "fp32"),
    "amp": Precision("fp32", "fp32", "none", "fp32", autocast=True),
    "bf16-mixed": Precision("bf16", "bf16", "fp32", "fp32"),
    "bf16-fp32grad": Precision("bf16", "fp32", "fp32", "fp32"),
    "bf16-pure": Precision("bf16", "bf16", "none", "bf16"),
}
OPTIMIZERS = ("sgd", "momentum", "adamw", "adamw-8bit", "adafactor", "lion", "muon", "galore")
RECOMPUTE = ("none", "selective", "full")
KERNELS = ("eager", "flash", "fused", "transformer-engine")
LOSSES = ("plain", "fused", "chunked")
OFFLOADS = ("none", "optimizer", "parameters")
OPTIMIZER_STEPS = ("fused", "foreach")
METHODS = ("full", "lora", "qlora")
TARGETS = ("all", "attention", "qv")
ADAPTER_DTYPES = ("fp32", "bf16")
STAGES = ("worst", "first", "last")

_CHOICES: dict[str, tuple[str, ...]] = {
    "precision": tuple(PRECISIONS),
    "optimizer": OPTIMIZERS,
    "recompute": RECOMPUTE,
    "kernels": KERNELS,
    "loss": LOSSES,
    "offload": OFFLOADS,
    "optimizer_step": OPTIMIZER_STEPS,
    "method": METHODS,
    "targets": TARGETS,
    "adapter_dtype": ADAPTER_DTYPES,
}
_LIMITS: dict[str, tuple[int, int]] = {
    "micro_batch": (1, 1_000_000),
    "sequence": (1, 100_000_000),
    "tensor_parallel": (1, 65_536),
    "pipeline_parallel": (1, 10_000),
    "virtual_stages": (1, 10_000),
    "context_parallel": (1, 65_536),
    "expert_parallel": (1, 65_536),
    "data_parallel": (1, 1_000_000),
    "zero": (0, 3),
    "accumulation": (1, 1_000_000),
    "rank": (1, 65_536),
    "galore_rank": (1, 65_536),
    "loss_chunks": (1, 65_536),
}


@dataclass(frozen=True)
class Run:
    """A training run on one model. ``dataclasses.replace(run, zero=3)`` asks "what if".

    Symbols of the formulas: b `micro_batch`, s `sequence`, t `tensor_parallel`, p `pipeline_parallel`, v `virtual_stages`, c
    `context_parallel`, e `expert_parallel`, N_d `data_parallel`, M `accumulation`, r `rank`. World size is t·p·c·N_d; e divides c·N_d.
    """

    micro_batch: Any = 1
    """Sequences per rank and micro-batch."""
    sequence: Any = 4096
    """Tokens per sequence."""
    precision: str = "bf16-mixed"
    """One of `PRECISIONS`; the four below override its parts."""
    weights: str | None = None
    gradients: str | None = None
    master: str | None = None
    optimizer_state: str | None = None
    optimizer: str = "adamw"
    zero: Any = 0
    """ZeRO stage: 1 shards optimizer state, 2 gradients too, 3 weights too (FSDP)."""
    recompute: str = "none"
    """none, selective (the attention core, arXiv 2205.05198 section 5) or full (each layer keeps its input alone)."""
    kernels: str = "flash"
    """eager, flash attention, fused (flash, norms and SwiGLU in one kernel: Liger), transformer-engine (fused, in Megatron)."""
    loss: str = "plain"
    """plain cross-entropy in fp32, fused with the logits' backward, or chunked."""
    loss_chunks: int = 8
    accumulation: Any = 1
    """Micro-batches per step."""
    offload: str = "none"
    optimizer_step: str = "fused"
    """foreach keeps one temporary copy of what it updates; fused none."""
    tensor_parallel: Any = 1
    sequence_parallel: bool = False
    pipeline_parallel: Any = 1
    virtual_stages: Any = 1
    context_parallel: Any = 1
    expert_parallel: Any = 1
    data_parallel: Any = 1
    stage: str = "worst"
    """Pipeline stage that is asked about: first, last, worst, or its number from 0."""
    method: str = "full"
    """full, lora or qlora (base weights in NF4)."""
    rank: Any = 16
    targets: str = "all"
    adapter_dtype: str = "fp32"
    dropout: bool = False
    """Dropout in attention and residual branches (its masks are kept)."""
    galore_rank: Any = 128

    @cached_property
    def formats(self) -> Precision:
        """The preset with what overrides it."""
        base = PRECISIONS[self.precision]
        return Precision(
            self.weights or base.weights,
            self.gradients or base.gradients,
            self.master or base.master,
            self.optimizer_state or ("int8" if self.optimizer == "adamw-8bit" else base.optimizer_state),
            base.autocast,
        )

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Common shape of the numbers that are arrays; ``()`` for one run."""
        return np.broadcast_shapes(*(np.shape(getattr(self, name)) for name in _LIMITS))

    @cached_property
    def t(self) -> Quantity:
        """Tensor parallel ranks, as numbers."""
        return plain(self.tensor_parallel)

    @property
    def over_t(self) -> str:
        """What a formula is divided by where tensor parallelism splits its bytes."""
        return "/t" if above(self.t) else ""

    def tokens(self) -> Quantity:
        """T = b·s/c, tokens of one micro-batch on one rank."""
        return plain(self.micro_batch) * plain(self.sequence) / plain(self.context_parallel)

    @property
    def trains_all(self) -> bool:
        """Every weight is trained: no adapters."""
        return self.method == "full"

    def check(self, arch: Architecture) -> None:
        """Raises InputError for what cannot run; says the rule, the value and what to do."""
        for name, allowed in _CHOICES.items():
            checks.one_of(name, getattr(self, name), allowed)
        for name in ("weights", "gradients", "master", "optimizer_state"):
            if getattr(self, name) is not None:
                checks.one_of(name, getattr(self, name), [dtype for dtype in DTYPES if name != "weights" or dtype != "none"])
        for name in ("sequence_parallel", "dropout"):
            checks.switch(name, getattr(self, name))
        checks.single("stage", self.stage)
        for name, (low, high) in _LIMITS.items():
            whole(name, getattr(self, name), low, high)
        try:
            self.shape  # noqa: B018 - raises where arrays do not fit together
        except ValueError:
            raise InputError(N_("These arrays do not fit together: give them one shape, or shapes that broadcast.")) from None
        heads, experts = _most_heads(arch), _experts(arch)
        divides("num_attention_heads", heads, "tensor_parallel", self.tensor_parallel)
        if experts:
            divides("num_experts", experts, "expert_parallel", self.expert_parallel)
        elif np.any(np.asarray(self.expert_parallel) > 1):
            raise InputError(N_("This model has no experts to share: set expert_parallel to 1."))
        ranks = np.asarray(self.context_parallel) * np.asarray(self.data_parallel)
        divides("context_parallel × data_parallel", ranks, "expert_parallel", self.expert_parallel)
        divides(
            "num_layers", len(arch.layers), "pipeline_parallel × virtual_stages", np.asarray(self.pipeline_parallel) * np.asarray(self.virtual_stages)
        )
        divides("sequence", self.sequence, "context_parallel", self.context_parallel)
        if (stage := str(self.stage)) not in STAGES:
            first = int(np.min(self.pipeline_parallel))
            if not (stage.isascii() and stage.isdigit() and len(stage) < 6 and int(stage) < first):
                raise InputError(
                    N_("There is no pipeline stage {stage}: choose first, last, worst, or a number from 0 to {last}."),
                    stage=checks.said(stage),
                    last=first - 1,
                )


def whole(name: str, value: ArrayLike, low: int, high: int) -> None:
    """Raises InputError unless `value` (or all of it) is a whole number from `low` to `high`."""
    try:
        numbers = np.asarray(value)
        several = isinstance(value, list | tuple) or not numbers.size  # arrays broadcast, lists do not
        fine = (
            not several
            and numbers.dtype.kind in "iuf"
            and bool(np.all(np.isfinite(numbers) & (numbers == np.floor(numbers)) & (numbers >= low) & (numbers <= high)))
        )
    except (TypeError, ValueError):
        fine = False
    if not fine:
        shown = "an array" if isinstance(value, list | tuple | np.ndarray) else checks.said(value)
        raise InputError(N_("{name} cannot be {value}: give a whole number from {low} to {high}."), name=name, value=shown, low=low, high=f"{high:,}")


def divides(what: str, number: ArrayLike, by: str, parts: ArrayLike) -> None:
    """Raises InputError unless `parts` divides `number`; names the nearest values that do."""
    numbers, splits = np.broadcast_arrays(np.asarray(number), np.asarray(parts))
    wrong = np.flatnonzero(numbers.ravel() % splits.ravel())
    if not len(wrong):
        return
    n, k = int(numbers.ravel()[wrong[0]]), int(splits.ravel()[wrong[0]])
    use = [str(i) for i in range(1, min(n, 1024) + 1) if n % i == 0][:12]
    raise InputError(N_("{what} must divide by {by}: {n} % {k} = {rest}; use {use}."), what=what, by=by, n=n, k=k, rest=n % k, use=", ".join(use))


def _most_heads(arch: Architecture) -> int:
    """Heads that tensor parallelism has to divide: the smallest number that any attention layer has."""
    heads = [layer.mixer.heads for layer, _count in arch.groups if isinstance(layer.mixer, Attention | LatentAttention)]
    return min(heads, default=0)


def _experts(arch: Architecture) -> int:
    return min((layer.mlp.count for layer, _count in arch.groups if isinstance(layer.mlp, Experts)), default=0)


NUMBERS = tuple(_LIMITS)
FIELDS = tuple(field.name for field in fields(Run))
