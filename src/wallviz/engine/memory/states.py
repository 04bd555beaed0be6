"""Model states of one rank, term by term: weights, gradients, optimizer state, what ZeRO leaves of them, and what they need to work.

Optimizer state is a formula in counts of the tensors (`optimizer_formula`, `optimizer_counts`); P is the parameters that tensor, pipeline and
expert parallelism leave on a rank, P_all counts every expert that the sharing ranks hold together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from wallviz.engine.memory import lora
from wallviz.engine.memory.quantization import bits_per_weight
from wallviz.engine.memory.ranks import PipelineStage, RankParameters, distinct_linear, has_experts, held
from wallviz.engine.memory.run import DTYPES, Run
from wallviz.engine.memory.terms import (
    Condition,
    Quantity,
    Symbols,
    Term,
    Terms,
    above,
    evaluate,
    grouped,
    largest,
    only,
    plain,
    smallest,
    symbols_of,
    total,
)
from wallviz.engine.transformer import Architecture, Tensor
from wallviz.i18n import N_

_ZERO = N_("arXiv 1910.02054, section 5")
_MOMENTS = N_("arXiv 1412.6980; arXiv 1910.02054, section 3.1")
_OPTIMIZERS = {
    "momentum": N_("PyTorch: one buffer a weight"),
    "lion": N_("arXiv 2302.06675: one moment a weight"),
    "adamw-8bit": N_("arXiv 2110.02861, section 2"),
    "adafactor": N_("arXiv 1804.04235, section 3"),
    "muon": N_("Jordan 2024: one moment a weight of hidden matrices, Adam for the rest"),
    "galore": N_("arXiv 2403.03507, table 1"),
}
_LORA = N_("arXiv 2106.09685, section 4")
_NF4 = N_("arXiv 2305.14314, section 3: 8-bit absmax per 64, fp32 per 256 of them")
_FOREACH = N_("PyTorch: the optimizer's foreach implementation")
_AHEAD = N_("arXiv 1910.02054, section 5.3, and one unit ahead")
_GATHERED = N_("gathered weights")
_COPIES = N_("copies of what is updated")

#: bitsandbytes keeps one fp32 scale per block of 256 eight-bit values (arXiv 2110.02861, section 2).
INT8_STATE_BYTES = 1 + 4 / 256
#: Bytes of state by optimizer, master copy not included: `k` bytes a value, `P` the parameters. Muon keeps one moment of the matrices of hidden
#: layers and Adam's two of the rest, the head among them (Jordan 2024); Adafactor a row and a column sum of 4 bytes per matrix (arXiv 1804.04235,
#: section 3); GaLore the projection r·m and two moments r·n of a hidden matrix m x n, m the shorter side (arXiv 2403.03507, table 1; its
#: torchrun_main.py takes the modules attn and mlp).
_FORMULAS = {
    "sgd": "",
    "momentum": "{k}·{P}",
    "lion": "{k}·{P}",
    "adamw": "2·{k}·{P}",
    "adamw-8bit": "2·{k}·{P}",
    "adafactor": "4·(Σ(rows + columns) + P_vectors)",
    "muon": "{k}·P_hidden + 2·{k}·P_rest",
    "galore": "{k}·(Σ(r·m) + 2·Σ(r·n)) + 2·{k}·P_rest",
}


def state_bytes_per_element(dtype: str) -> float:
    """Bytes of one element of optimizer state, its block scale included.

    >>> 2 * state_bytes_per_element("int8"), 2 * state_bytes_per_element("fp32")
    (2.03125, 8.0)
    """
    return INT8_STATE_BYTES if dtype == "int8" else DTYPES[dtype]


def optimizer_formula(optimizer: str, dtype: str, parameters: str = "P") -> str:
    """Bytes of state in the counts of `optimizer_counts`; empty where there is none.

    >>> optimizer_formula("adamw", "fp32"), optimizer_formula("lion", "int8")
    ('2·4·P', '1.015625·P')
    """
    return _FORMULAS[optimizer].format(k=f"{state_bytes_per_element(dtype):.12g}", P=parameters)


def optimizer_counts(tensor: Tensor, optimizer: str, galore_rank: Quantity) -> Mapping[str, Quantity]:
    """What the formula of `optimizer` counts of one tensor. A stack of experts is one matrix per expert."""
    size, matrix = float(tensor.size), len(tensor.shape) >= 2
    if optimizer == "adafactor":
        return {"Σ(rows + columns)": float(prod(tensor.shape[:-2])) * sum(tensor.shape[-2:])} if matrix else {"P_vectors": size}
    if optimizer not in ("muon", "galore"):
        return {"P": size}
    if not (matrix and tensor.linear) or tensor.component == "lm_head":
        return {"P_rest": size}
    if optimizer == "muon":
        return {"P_hidden": size}
    short, long = sorted(map(float, tensor.shape[-2:]))
    values = prod(tensor.shape[:-2]) * smallest(galore_rank, short)
    return {"Σ(r·m)": values * short, "Σ(r·n)": values * long}


def optimizer_bytes(shape: tuple[int, ...], optimizer: str, dtype: str, *, linear: bool = True, galore_rank: float = 128.0) -> float:
    """Optimizer state of one tensor, master copy not included, bytes.

    >>> optimizer_bytes((4096, 11008), "adafactor", "fp32")
    60416.0
    >>> optimizer_bytes((100, 100), "adamw", "bf16")
    40000.0
    """
    return float(optimizer_state((Tensor("", shape, "attention", linear=linear),), optimizer, dtype, galore_rank))


def optimizer_state(tensors: tuple[Tensor, ...], optimizer: str, dtype: str, galore_rank: Quantity) -> Quantity:
    """Optimizer state of several tensors, bytes."""
    return evaluate(optimizer_formula(optimizer, dtype), Counter(optimizer_totals(tensors, optimizer, galore_rank)))


def optimizer_totals(tensors: tuple[Tensor, ...], optimizer: str, galore_rank: Quantity) -> Mapping[str, Quantity]:
    """`optimizer_counts` of several tensors together."""
    return _totals(tensors, optimizer, galore_rank) if isinstance(galore_rank, float) else _summed(tensors, optimizer, galore_rank)


def _summed(tensors: tuple[Tensor, ...], optimizer: str, galore_rank: Quantity) -> Mapping[str, Quantity]:
    found: dict[str, Quantity] = {}
    for tensor in tensors:
        for symbol, count in optimizer_counts(tensor, optimizer, galore_rank).items():
            found[symbol] = found.get(symbol, 0.0) + count
    return found


_totals = lru_cache(maxsize=4096)(_summed)


# ---------------------------------------------------------------- one rank


@dataclass(frozen=True, slots=True)
class States:
    """The terms of one rank: what stays, and what a phase adds."""

    weights: Terms
    gradients: Terms
    early_gradients: Terms
    """Those that exist while the backward pass is in the first layer: without the embedding's and that layer's own."""
    static: Condition
    """Gradients stay from step to step."""
    optimizer: Terms
    buffers: Terms
    """What the kernels keep beside the weights."""
    gathered: Terms
    """Weights that are made whole, or 16 bits wide, while a layer computes."""
    casts: Terms
    """Copies of the weights that autocast keeps until the backward pass begins."""
    updated: Terms
    """What the optimizer step keeps beside what it writes."""
    host: Terms
    """What offloading keeps in host memory."""


def of_rank(arch: Architecture, run: Run, current: PipelineStage) -> States:
    """The model states of one rank of a stage."""
    rank, zero = _Rank.of(arch, run, current), plain(run.zero)
    weights, optimizer, updated = (rank.weights(), rank.optimizer(), rank.updated()) if run.trains_all else rank.adapted()
    gradients, early, late = rank.gradients()
    gathered = rank.gathered()
    host: Terms = ()
    if run.offload != "none":  # ZeRO-Offload sends gradients away as they come, from stage 2 on (arXiv 2101.06840, section 4)
        host, optimizer = (*optimizer, *only(gradients, zero >= 2)), ()
        gradients, early = (*only(gradients, zero < 2), *only(late, zero >= 2)), only(early, zero < 2)
    if run.offload == "parameters":
        fetched = {"largest unit": rank.unit(), "W": total(weights)}
        gathered += only((Term(_GATHERED, "workspace", "min(2·largest unit, W)", fetched, _AHEAD),), zero < 3)
        host, weights = (*host, *weights), ()
    several = plain(run.context_parallel) * plain(run.data_parallel) > 1
    static = (plain(run.accumulation) > 1) | (run.kernels == "transformer-engine") | (several & (zero <= 2))
    gathered += rank.dequantized()
    return States(weights, gradients, early, static, optimizer, rank.buffers(), gathered, rank.casts(), updated, host)


@dataclass(frozen=True, slots=True)
class _Share:
    """What one rank keeps of a state that ZeRO shares from some stage on, over c·N_d ranks (arXiv 1910.02054, section 5)."""

    over: str
    """What a formula is divided by: ``/N_d``, or nothing."""
    symbols: Symbols
    experts: Quantity
    """Experts are split over e ranks before c·N_d/e share them: times e they are those that all c·N_d ranks share."""

    @classmethod
    def of(cls, run: Run, from_stage: int) -> _Share:
        """ZeRO stage `from_stage` and above share the state."""
        zero, n, c, e = (plain(number) for number in (run.zero, run.data_parallel, run.context_parallel, run.expert_parallel))
        if not isinstance(zero, float):
            applies = zero >= from_stage
            return cls("/ranks", {"ranks": np.where(applies, n * c, 1.0)}, np.where(applies, e, 1.0))
        if zero < from_stage or not above(n * c):
            return cls("", {}, 1.0)
        return cls("/(N_d·c)", {"N_d": n, "c": c}, e) if above(c) else cls("/N_d", {"N_d": n}, e)

    def parameters(self, of: RankParameters) -> tuple[str, Symbols]:
        """The symbol of all parameters, and what stands for it and for the ranks."""
        symbol = "P_all" if above(self.experts) and above(of.experts, 0.0) else "P"
        return symbol, {symbol: of.dense + of.experts * self.experts, **self.symbols}


@dataclass(frozen=True, slots=True)
class _Rank:
    """One rank of a stage: what it holds, and the terms that follow."""

    arch: Architecture
    run: Run
    stage: PipelineStage
    blocks: tuple[tuple[RankParameters, int], ...]
    """Each kind of layer with how often it comes."""
    outside: RankParameters
    all: RankParameters

    @classmethod
    def of(cls, arch: Architecture, run: Run, current: PipelineStage) -> _Rank:
        """What it holds of the layers and outside of them."""
        blocks = tuple((held(arch, block, block.tensors, run), count) for block, count in current.groups)
        outside = held(arch, None, current.outer, run)
        dense, experts, linear = (sum((getattr(part, name) * count for part, count in blocks), 0.0) for name in ("dense", "experts", "linear"))
        return cls(arch, run, current, blocks, outside, RankParameters(outside.dense + dense, experts, linear))

    def each(self, name: str, part: str, dtype: str, from_stage: int, source: str) -> Terms:
        """So many bytes for each parameter, shared from a ZeRO stage on; nothing where there is no such format."""
        if not DTYPES[dtype]:
            return ()
        share = _Share.of(self.run, from_stage)
        symbol, symbols = share.parameters(self.all)
        return (Term(name, part, f"{DTYPES[dtype]:g}·{symbol}{share.over}", symbols, source),)

    def weights(self) -> Terms:
        """Weights in their format; under QLoRA the linear ones of layers in NF4 with double quantization."""
        w, share = self.run.formats.weights, _Share.of(self.run, 3)
        if self.run.method != "qlora":
            return self.each(N_("weights"), "weights", w, 3, _ZERO)
        linear = share.parameters(RankParameters(self.all.linear - self.all.experts, self.all.experts, 0.0))[1]
        quantized = {"bits": bits_per_weight("nf4-dq"), "P_linear": next(iter(linear.values())), **share.symbols}
        rest = {"P_rest": self.all.all - self.all.linear, **share.symbols}
        return (
            Term(N_("quantized weights"), "weights", f"bits/8·P_linear{share.over}", quantized, _NF4),
            Term(N_("weights"), "weights", f"{DTYPES[w]:g}·P_rest{share.over}", rest, _ZERO),
        )

    def optimizer(self) -> Terms:
        """The master copy, and the state of the tensors, split as their parameters are."""
        run, share = self.run, _Share.of(self.run, 1)
        master = self.each(N_("master weights"), "optimizer", run.formats.master, 1, _ZERO)
        symbol, symbols = share.parameters(self.all)
        formula = optimizer_formula(run.optimizer, run.formats.optimizer_state, symbol)
        if not formula:
            return master
        if symbol not in symbols_of(formula):
            symbols = {**self._counted(symbols_of(formula), share), **share.symbols}
        return (*master, Term(N_("optimizer state"), "optimizer", grouped(formula) + share.over, symbols, _OPTIMIZERS.get(run.optimizer, _MOMENTS)))

    def _counted(self, symbols: tuple[str, ...], share: _Share) -> dict[str, Quantity]:
        """Counts of all tensors for an optimizer that does not treat them alike."""
        found: dict[str, Quantity] = dict.fromkeys(symbols, 0.0)
        layers = [(block.tensors, part, count) for (block, count), (part, _n) in zip(self.stage.groups, self.blocks, strict=True)]
        for tensors, part, count in [*layers, (self.stage.outer, self.outside, 1)]:
            routed = tuple(t for t in tensors if t.component == "routed_experts")
            others = tuple(t for t in tensors if t.component != "routed_experts")
            for group, mine in ((others, part.dense), (routed, part.experts * share.experts)):
                size = float(sum(t.size for t in group))
                for name, number in optimizer_totals(group, self.run.optimizer, plain(self.run.galore_rank)).items():
                    found[name] = found[name] + number * count * mine / size
        return found

    def updated(self) -> Terms:
        """What foreach's optimizer step keeps beside what it writes, in the format of the master copy."""
        formats = self.run.formats
        if self.run.optimizer_step != "foreach":
            return ()
        written_to = formats.master if DTYPES[formats.master] else formats.weights
        return self.each(_COPIES, "workspace", written_to, 1, _FOREACH)

    def adapted(self) -> tuple[Terms, Terms, Terms]:
        """Under LoRA: weights and adapters, the adapters' optimizer state, and copies of what is updated."""
        run, found, a = self.run, adapters(self.run, self.stage), DTYPES[self.run.adapter_dtype]
        states, weights = _Share.of(run, 1), _Share.of(run, 3)
        own = {**found, **states.symbols}
        kept = Term(N_("adapters"), "weights", f"{a:g}·P_adapter{weights.over}", {**found, **weights.symbols}, _LORA)
        copies = (Term(_COPIES, "workspace", f"{a:g}·P_adapter{states.over}", own, _FOREACH),) if run.optimizer_step == "foreach" else ()
        return (*self.weights(), kept), adapter_optimizer(run, own, states.over), copies

    def gradients(self) -> tuple[Terms, Terms, Terms]:
        """All of them; those that exist before the first layer's own; and those that complete last, with an untied embedding's."""
        run, share = self.run, _Share.of(self.run, 2)
        if run.trains_all:
            dtype, source = run.formats.gradients, _ZERO
            symbol, symbols = share.parameters(self.all)
            symbols = {**symbols, "P_late": self._late()}
        else:
            dtype, source = run.adapter_dtype, _LORA
            symbol, symbols = "P_adapter", {**adapters(run, self.stage), **share.symbols}
        every, early, late = (
            (Term(N_("gradients"), "gradients", f"{DTYPES[dtype]:g}·{count}{share.over}", symbols, source),) if DTYPES[dtype] else ()
            for count in (symbol, f"({symbol} − P_late)", "P_late")
        )
        return every, early, late

    def _late(self) -> Quantity:
        """Parameters whose gradients complete last: an untied embedding and the first layer."""
        untied = self.stage.first and not self.arch.tied
        embedding = float(sum(t.size for t in self.stage.outer if t.component == "embedding")) if untied else 0.0
        return embedding / self.run.t + (self.blocks[0][0].dense if self.blocks else 0.0)

    def _base_bytes(self, dense: Quantity, linear: Quantity) -> Quantity:
        """Bytes of base weights, of which `linear` are quantized under QLoRA."""
        w = DTYPES[self.run.formats.weights]
        return w * (dense - linear) + bits_per_weight("nf4-dq") / 8 * linear if self.run.method == "qlora" else w * dense

    def unit(self) -> Quantity:
        """Bytes of the largest unit that is gathered at once: a layer without its routed experts, or a table outside the layers."""
        table = DTYPES[self.run.formats.weights] * max((t.size for t in self.stage.outer), default=0) / self.run.t
        return largest(table, *(self._base_bytes(part.dense, part.linear - part.experts) for part, _n in self.blocks))

    def gathered(self) -> Terms:
        """ZeRO-3's working set: the largest unit gathered twice (one prefetched), never more than what the shard lacks of the whole."""
        share, experts = _Share.of(self.run, 3), self.all.experts
        if not share.over:
            return ()
        unit = {"largest unit": self.unit(), "W": self._base_bytes(self.all.dense, self.all.linear - experts), **share.symbols}
        found = (Term(_GATHERED, "workspace", f"min(2·largest unit, W − W{share.over})", unit, _AHEAD),)
        if not above(experts, 0.0):
            return found
        most = largest(0.0, *(self._base_bytes(part.experts, part.experts) for part, _n in self.blocks))
        routed = {"largest experts": most, "W_experts": self._base_bytes(experts, experts), "e": share.experts, **share.symbols}
        formula = f"min(2·largest experts, W_experts − W_experts·e{share.over})"
        return (*found, Term(N_("gathered experts"), "workspace", formula, routed, _AHEAD))

    def dequantized(self) -> Terms:
        """QLoRA computes with one weight at a time in 16 bits."""
        if self.run.method != "qlora":
            return ()
        weight = float(max((t.size for block, _n in self.stage.groups for t in block.tensors if t.linear), default=0))
        symbols = {"largest linear weight": weight, "t": self.run.t}
        return (Term(N_("dequantized weight"), "workspace", f"2·largest linear weight{self.run.over_t}", symbols, _NF4),)

    def buffers(self) -> Terms:
        """Transformer Engine keeps a 16-bit gradient for each shape of a dense model's linear weights."""
        if self.run.kernels != "transformer-engine" or has_experts(self.arch):
            return ()
        symbols = {"distinct linear weights": distinct_linear(self.stage), "t": self.run.t}
        source = N_("Transformer Engine: one dummy gradient for each shape of weight")
        return (Term(N_("buffers of weight gradients"), "workspace", f"2·distinct linear weights{self.run.over_t}", symbols, source),)

    def casts(self) -> Terms:
        """Autocast keeps the 16-bit copies of the weights that it has made."""
        if not (self.run.formats.autocast and self.run.trains_all):
            return ()
        linear = {"P_linear": self.all.linear}
        return (Term(N_("casts of the weights"), "workspace", "2·P_linear", linear, N_("PyTorch: the weight cache of autocast")),)


def adapters(run: Run, current: PipelineStage) -> dict[str, Quantity]:
    """Adapters of a stage on one rank, which tensor parallelism splits with the layers that they adapt; `P_late` those of the first layer."""
    targets = [(count, tensor) for block, count in current.groups for tensor in lora.adapted(block, run.targets)]
    first = lora.adapted(current.groups[0][0], run.targets) if current.groups else ()
    widths, r = float(sum(count * sum(tensor.shape) for count, tensor in targets)), plain(run.rank)
    return {
        "P_adapter": r * widths / run.t,
        "P_late": r * float(sum(sum(tensor.shape) for tensor in first)) / run.t,
        "Σ(d_in + d_out)": widths,
        "n": float(sum(count for count, _tensor in targets)),
        "r": r,
        "t": run.t,
    }


def adapter_optimizer(run: Run, symbols: Symbols, over: str = "") -> Terms:
    """Optimizer state of the adapters: PyTorch keeps it in the adapters' own format."""
    if run.optimizer == "adafactor":  # a row and a column sum for each of two matrices
        formula = f"4·(Σ(d_in + d_out) + 2·n·r){run.over_t}"
    else:
        moments = {"sgd": 0, "momentum": 1, "lion": 1, "muon": 1}.get(run.optimizer, 2)
        each = state_bytes_per_element("int8" if run.formats.optimizer_state == "int8" else run.adapter_dtype)
        formula = ("2·" if moments == 2 else "") + f"{each:.12g}·P_adapter" if moments else ""
    return (Term(N_("optimizer state"), "optimizer", formula + over, symbols, _OPTIMIZERS.get(run.optimizer, _MOMENTS)),) if formula else ()
