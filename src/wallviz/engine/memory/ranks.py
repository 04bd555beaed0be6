"""What one rank holds: the layers of its pipeline stage, and its part of every tensor under tensor and expert parallelism."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from wallviz.engine.memory.run import Run
from wallviz.engine.memory.terms import Quantity, largest, plain, smallest
from wallviz.engine.transformer import Architecture, Attention, Experts, Layer, Tensor


@dataclass(frozen=True)
class PipelineStage:
    """One pipeline stage: its layers, each kind with how often it comes, and its tensors outside the layers."""

    index: int
    of: int
    groups: tuple[tuple[Layer, int], ...]
    outer: tuple[Tensor, ...]

    @property
    def first(self) -> bool:
        """It holds the embedding."""
        return self.index == 0

    @property
    def last(self) -> bool:
        """It holds the last norm, the head and the loss."""
        return self.index == self.of - 1

    def in_flight(self, micro_batches: Quantity, chunks: int) -> Quantity:
        """Sets of the stage's activations that are alive at once.

        1F1B keeps min(M, p - i); interleaved with v chunks the warm-up is 2(p - i - 1) + (v - 1)p chunks and one more runs (arXiv
        2205.05198, section 4.2.3: L(1 + (p - 1)/(pv)) layers on the first stage).
        """
        p, i = self.of, self.index
        if chunks == 1:
            return smallest(micro_batches, float(p - i))
        return smallest(micro_batches * chunks, float(2 * (p - i - 1) + (chunks - 1) * p + 1)) / chunks


@lru_cache(maxsize=1024)
def stage(arch: Architecture, index: int, of: int, chunks: int = 1) -> PipelineStage:
    """Stage `index` of a pipeline of `of`; with `chunks` virtual stages it holds every `of`-th slice (arXiv 2104.04473, section 2.2).

    The first holds embeddings, the last the head, the last norm, and a copy of a tied embedding.
    """
    if of == 1:
        return PipelineStage(0, 1, arch.groups, arch.outer)
    each = len(arch.layers) // (of * chunks)
    mine: Counter[Layer] = Counter()
    for chunk in range(chunks):
        start = (chunk * of + index) * each
        mine.update(arch.layers[start : start + each])
    at_end = ("norm", "lm_head")
    outer = tuple(
        t
        for t in arch.outer
        if (index == 0 and t.component not in at_end)
        or (index == of - 1 and (t.component in at_end or (arch.tied and t.component == "embedding" and t.shape[:1] == (arch.vocab,))))
    )
    return PipelineStage(index, of, tuple(mine.items()), outer)


@dataclass(frozen=True, slots=True)
class RankParameters:
    """Parameters of one rank, by how they shard: dense ones over c·N_d, experts over c·N_d/e."""

    dense: Quantity
    experts: Quantity
    linear: Quantity
    """Of both, those of linear layers: what autocast copies and what quantization shrinks."""

    @property
    def all(self) -> Quantity:
        """Dense and experts together."""
        return self.dense + self.experts


def held(arch: Architecture, block: Layer | None, tensors: tuple[Tensor, ...], run: Run) -> RankParameters:
    """Parameters of `tensors` on one rank.

    Tensor parallelism splits linear layers, embedding and head; norms, biases and routers are copied; keys and values keep one head per
    rank. Experts are split over e as well.
    """
    t = run.t
    sums = _sums(tensors)
    extra: Quantity = 0.0
    if block is not None and isinstance(block.mixer, Attention) and block.mixer.heads:
        extra = sums.kv * (largest(1.0, smallest(t, float(block.mixer.heads)) / block.mixer.kv_heads) - 1.0)
    experts = sums.experts / t / plain(run.expert_parallel)
    dense_linear = (sums.linear + extra) / t
    return RankParameters(dense_linear + sums.tables / t + sums.copied, experts, dense_linear + experts)


@dataclass(frozen=True, slots=True)
class _Sums:
    linear: float
    tables: float
    copied: float
    experts: float
    kv: float


@lru_cache(maxsize=4096)
def _sums(tensors: tuple[Tensor, ...]) -> _Sums:
    linear = tables = copied = experts = kv = 0.0
    for tensor in tensors:
        if tensor.component == "routed_experts":
            experts += tensor.size
        elif tensor.component == "router":
            copied += tensor.size
        elif tensor.linear:
            linear += tensor.size
            kv += tensor.size if tensor.name in ("k_proj", "v_proj") else 0
        elif tensor.component in ("embedding", "lm_head", "state_space") and len(tensor.shape) > 1:
            tables += tensor.size
        else:
            copied += tensor.size
    return _Sums(linear, tables, copied, experts, kv)


def has_experts(arch: Architecture) -> bool:
    """Whether any layer routes to experts."""
    return any(isinstance(block.mlp, Experts) for block, _count in arch.groups)


def distinct_linear(current: PipelineStage) -> float:
    """Parameters of one of each shape of linear layer in a stage, head and experts apart."""
    shapes = {_fused(block) for block, _count in current.groups}
    return float(sum({size for group in shapes for size in group}))


def _fused(block: Layer) -> tuple[int, ...]:
    """Sizes of a layer's linear weights as Megatron builds them: queries, keys and values in one, gate and up in one."""
    sizes: Counter[str] = Counter()
    for tensor in block.tensors:
        if tensor.linear and tensor.component in ("attention", "mlp"):
            sizes[_MERGED.get(tensor.name, tensor.name)] += tensor.size
    return tuple(sizes.values())


_MERGED = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "fc1", "up_proj": "fc1"}
