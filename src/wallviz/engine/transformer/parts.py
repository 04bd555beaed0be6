"""The parts of a model: tensors, what a layer mixes tokens with, layers, and the architecture that holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from wallviz.i18n import _

COMPONENTS = ("embedding", "attention", "mlp", "routed_experts", "router", "norm", "state_space", "lm_head", "vision", "other")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One parameter tensor, or a stack of equal ones (experts)."""

    name: str
    """Last part of its name: ``q_proj``, ``down_proj``, ``embed_tokens``."""
    shape: tuple[int, ...]
    """(out, in) for the weight of a linear layer, (experts, out, in) for stacked experts."""
    component: str
    """One of `COMPONENTS`."""
    linear: bool = False
    """The weight of a linear layer (quantized, adapted by LoRA, split by tensor parallelism); not a table, bias, norm or kernel."""
    _hash: int = field(init=False, repr=False, compare=False, default=0)  # worked out once: tensors are keys of many caches

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.name, self.shape, self.component, self.linear)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def size(self) -> int:
        """How many parameters."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Attention:
    """Softmax attention: MHA, GQA, MQA, with or without a window."""

    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int
    """Width of one value head; `head_dim` nearly always."""
    window: int | None = None
    """Tokens that a sliding window (or a chunk) keeps; None keeps all."""
    qk_norm: bool = False
    shares_cache: bool = False
    """Reads the cache of an earlier layer and has none of its own (Gemma 3n, Gemma 4)."""
    key_is_value: bool = False
    """One cached vector serves as key and value."""
    compression: int = 1
    """Tokens per cached entry (DeepSeek V4)."""
    index_dim: int = 0
    """Width of the cached key of a sparse-attention indexer."""
    cross: bool = False
    """Also attends to the encoder's output: a second cache, as long as the encoder's sequence."""


@dataclass(frozen=True, slots=True)
class LatentAttention:
    """Multi-head latent attention (MLA, DeepSeek-V2, arXiv 2405.04434): one latent and one shared rotary key are cached per token."""

    heads: int
    q_rank: int | None
    kv_rank: int
    nope_dim: int
    rope_dim: int
    value_dim: int
    index_dim: int = 0
    """Width of the cached key of a sparse-attention indexer (DSA), 0 without."""


@dataclass(frozen=True, slots=True)
class Recurrent:
    """Mamba, Mamba-2, gated delta rule, linear attention: a state of constant size per sequence."""

    kind: str
    """mamba, mamba2, delta or linear."""
    inner: int
    """Width of the mixer's inner stream."""
    state_elements: int
    """Elements of the recurrent state per sequence."""
    conv_elements: int
    """Elements of the convolution's window per sequence."""


@dataclass(frozen=True, slots=True)
class Dense:
    """Feed-forward layer of width `width`; gated ones (SwiGLU, GeGLU) have three matrices, others two."""

    width: int
    gated: bool


@dataclass(frozen=True, slots=True)
class Experts:
    """Mixture of experts: `top_k` of `count` experts of width `width` per token, and shared experts of `shared_width` in all."""

    count: int
    top_k: int
    width: int
    shared_width: int = 0
    gated: bool = True
    input_width: int = 0
    """Width of an expert's input where it is not the hidden size (latent experts); 0 = hidden size."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One block: what mixes tokens, what follows, and its tensors."""

    mixer: Attention | LatentAttention | Recurrent | None
    mlp: Dense | Experts | None
    tensors: tuple[Tensor, ...]
    encoder: bool = False
    """Part of an encoder stack (T5, Whisper, BERT, ViT): no KV cache."""
    _hash: int = field(init=False, repr=False, compare=False, default=0)  # worked out once: layers are keys of many caches

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.mixer, self.mlp, self.tensors, self.encoder)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def parameters(self) -> int:
        """How many parameters."""
        return sum(tensor.size for tensor in self.tensors)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the config did not say: a sentence marked with ``N_``, and what fills its ``{names}``."""

    template: str
    values: tuple[tuple[str, str | int], ...] = ()

    def __str__(self) -> str:
        return _(self.template).format(**dict(self.values))


@dataclass(frozen=True)
class Architecture:
    """A model: its layers, the tensors outside of them, and what had to be assumed to read it."""

    name: str
    family: str
    """``model_type`` of the language model."""
    hidden_size: int
    vocab: int
    layers: tuple[Layer, ...]
    outer: tuple[Tensor, ...]
    """Tensors outside the layers: embeddings, head, final norms, vision tower."""
    tied: bool
    """The head reads the embedding table and has no tensor of its own."""
    norm: str = "rms"
    """rms or layer."""
    activation: str = "silu"
    """Activation function of the feed-forward layers."""
    dropout: float = 0.0
    """Largest dropout rate in the layers, as configured."""
    max_positions: int | None = None
    router_bias: int = 0
    """Elements of the routers' correction biases: buffers, not counted as parameters."""
    vision_parameters: int = 0
    """Parameters that are not the language model's."""
    remarks: tuple[Remark, ...] = field(default=(), compare=False)
    """What the config did not say; `assumptions` has the sentences."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the config did not say, as sentences in the language in use."""
        return tuple(str(remark) for remark in self.remarks)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.family, self.hidden_size, self.vocab, self.layers, self.outer, self.tied))

    @cached_property
    def groups(self) -> tuple[tuple[Layer, int], ...]:
        """Equal layers once, each with how often it comes: what the formulas run over."""
        times = Counter(map(id, self.layers))  # readers share equal layers, and an identity is cheaper to compare than thirty tensors
        once = {id(layer): layer for layer in self.layers}
        total: Counter[Layer] = Counter()
        for key, count in times.items():
            total[once[key]] += count
        return tuple(total.items())

    @cached_property
    def components(self) -> Mapping[str, int]:
        """Parameters by component; they sum to `parameters`."""
        total: Counter[str] = Counter(dict.fromkeys(COMPONENTS, 0))
        for layer, count in self.groups:
            for tensor in layer.tensors:
                total[tensor.component] += tensor.size * count
        for tensor in self.outer:
            total[tensor.component] += tensor.size
        return dict(total)

    @cached_property
    def parameters(self) -> int:
        """All parameters, tied ones once."""
        return sum(self.components.values())

    @property
    def language_model_parameters(self) -> int:
        """Parameters of the language model alone."""
        return self.parameters - self.vision_parameters

    @cached_property
    def active_parameters(self) -> int:
        """Parameters of the language model that one token uses, embeddings included: total - routed x (1 - k/E)."""
        idle = 0
        for layer, count in self.groups:
            if isinstance(layer.mlp, Experts):
                routed = sum(tensor.size for tensor in layer.tensors if tensor.component == "routed_experts")
                idle += count * (routed - routed * layer.mlp.top_k // layer.mlp.count)
        return self.language_model_parameters - idle
