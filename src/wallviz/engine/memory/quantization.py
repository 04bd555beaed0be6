"""Bytes of the weights in every format, with the scales that come with them: nothing here is "four bits, so half a byte".

A format that quantizes matrices leaves embeddings, head, norms, biases and routers in 16 bits. A GGUF file is different: llama.cpp
gives every tensor its own type by rules that depend on what the tensor does and on which layer it sits (src/llama-quant.cpp of
ggml-org/llama.cpp); those rules are restated here, so that the size of a file is known without the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, isfinite, prod

from wallviz import checks
from wallviz.engine.transformer import Architecture, Attention, Experts, Tensor
from wallviz.errors import InputError
from wallviz.i18n import N_

GGUF = "gguf:"
TWO_OF_FOUR = "2:4"
PRUNING_NOTE = N_("Pruning without a sparse format saves nothing: zeros are stored like any value.")


# ---------------------------------------------------------------- formats that treat all matrices alike


def _nothing(rows: int, columns: int) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Format:
    """How the weight of a linear layer is stored; embeddings, head, norms, biases and routers keep `rest_bits`."""

    name: str
    bits: float
    """Bits of one element, scales apart."""
    scales: Callable[[int, int], float] = _nothing
    """Bits of the scales (and zero points) of one matrix of (rows = outputs, columns = inputs)."""
    indices: Callable[[int, int], float] = _nothing
    """Bits that a checkpoint carries besides: GPTQ's g_idx, NVFP4's scale per tensor."""
    rest_bits: int = 16
    """Bits of everything that is not quantized."""
    components: frozenset[str] = frozenset({"attention", "mlp", "routed_experts", "state_space", "other", "embedding"})
    """Whose linear layers are quantized."""
    source: str = ""


def grouped(name: str, bits: int, group: int, indices: Callable[[int, int], float] = _nothing) -> Format:
    """GPTQ and AWQ: `bits` a weight, and per group of `group` inputs one fp16 scale and one zero point: 4 + 20/128 = 4.15625."""
    gptq, awq = N_("arXiv 2210.17323; AutoGPTQ's checkpoint layout"), N_("arXiv 2306.00978; AutoAWQ's checkpoint layout")
    return Format(
        name, bits, lambda rows, columns: (16 + bits) * rows * ceil(columns / group), indices, source=gptq if name.startswith("gptq") else awq
    )


def _input_index(rows: int, columns: int) -> float:
    return 32 * columns  # g_idx: to which group an input belongs, int32


def _table(*formats: Format) -> dict[str, Format]:
    return {one.name: one for one in formats}


_MX = N_("OCP Microscaling Formats (MX) v1.0, section 5: blocks of 32 with an 8-bit scale")

FORMATS: dict[str, Format] = _table(
    Format("fp32", 32, rest_bits=32, source="IEEE 754"),
    Format("bf16", 16, source=N_("IEEE 754 with 8 exponent bits")),
    Format("fp16", 16, source="IEEE 754"),
    Format(
        "fp8",
        8,
        lambda rows, columns: 32 * ceil(rows / 128) * ceil(columns / 128),
        source=N_("arXiv 2412.19437, section 3.3: fp32 scale per 128 x 128"),
    ),
    Format("fp8-tensor", 8, lambda rows, columns: 32, source=N_("arXiv 2209.05433: one fp32 scale per tensor")),
    Format("int8", 8, lambda rows, columns: 16 * rows, source=N_("arXiv 2208.07339: one 16-bit scale per output")),
    grouped("gptq-4", 4, 128, _input_index),
    grouped("awq-4", 4, 128),
    Format("nf4", 4, lambda rows, columns: 32 * ceil(rows * columns / 64), source=N_("arXiv 2305.14314, section 3: fp32 absmax per 64")),
    Format(
        "nf4-dq",
        4,
        lambda rows, columns: 8 * ceil(rows * columns / 64) + 32 * ceil(ceil(rows * columns / 64) / 256),
        source=N_("arXiv 2305.14314, section 3: 8-bit absmax per 64, fp32 per 256 of them"),
    ),
    Format("mxfp8", 8, lambda rows, columns: 8 * rows * ceil(columns / 32), source=_MX),
    Format("mxfp6", 6, lambda rows, columns: 8 * rows * ceil(columns / 32), source=_MX),
    Format("mxfp4", 4, lambda rows, columns: 8 * rows * ceil(columns / 32), source=_MX),
    Format(
        "mxfp4-moe",
        4,
        lambda rows, columns: 8 * rows * ceil(columns / 32),
        components=frozenset({"routed_experts"}),
        source=N_("gpt-oss model card (arXiv 2508.10925), section 2: the experts alone, in MXFP4"),
    ),
    Format(
        "nvfp4",
        4,
        lambda rows, columns: 8 * rows * ceil(columns / 16),
        lambda rows, columns: 32,
        source=N_("NVIDIA NVFP4: blocks of 16 with an E4M3 scale, one fp32 scale per tensor"),
    ),
)


def _format(name: str) -> Format:
    key = str(name).strip().lower()
    if key in FORMATS:
        return FORMATS[key]
    other_group = re.fullmatch(r"(gptq|awq)-([2348])(?:-g(\d{1,5}))?", key)
    if other_group and int(other_group[3] or 128) > 0:
        method, bits, group = other_group[1], int(other_group[2]), int(other_group[3] or 128)
        return grouped(key, bits, group, _input_index if method == "gptq" else _nothing)
    raise InputError(
        N_("“{format}” is no weight format: choose one of {known}, or gguf: with one of {mixes}."),
        format=checks.said(name),
        known=", ".join(FORMATS),
        mixes=", ".join(MIXES),
    )


# ---------------------------------------------------------------- ggml's block types and llama.cpp's mixes

#: Type to (weights per block, bytes per block): ggml/src/ggml-common.h.
BLOCKS: dict[str, tuple[int, int]] = {
    "F32": (1, 4),
    "F16": (1, 2),
    "BF16": (1, 2),
    "Q4_0": (32, 18),
    "Q4_1": (32, 20),
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q8_0": (32, 34),
    "Q1_0": (128, 18),
    "Q2_0": (64, 18),
    "Q2_K": (256, 84),
    "Q3_K": (256, 110),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
    "IQ1_S": (256, 50),
    "IQ1_M": (256, 56),
    "IQ2_XXS": (256, 66),
    "IQ2_XS": (256, 74),
    "IQ2_S": (256, 82),
    "IQ3_XXS": (256, 98),
    "IQ3_S": (256, 110),
    "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136),
    "TQ1_0": (256, 54),
    "TQ2_0": (256, 66),
    "MXFP4": (32, 17),
    "NVFP4": (64, 36),
}

#: Mix to the type that a tensor gets when no rule says otherwise.
MIXES: dict[str, str] = {
    **{name: name for name in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q1_0", "Q2_0")},
    "Q2_K": "Q2_K",
    "Q2_K_S": "Q2_K",
    "Q3_K_S": "Q3_K",
    "Q3_K_M": "Q3_K",
    "Q3_K_L": "Q3_K",
    "Q4_K_S": "Q4_K",
    "Q4_K_M": "Q4_K",
    "Q5_K_S": "Q5_K",
    "Q5_K_M": "Q5_K",
    "Q6_K": "Q6_K",
    "IQ1_S": "IQ1_S",
    "IQ1_M": "IQ1_M",
    "IQ2_XXS": "IQ2_XXS",
    "IQ2_XS": "IQ2_XS",
    "IQ2_S": "IQ2_XS",
    "IQ2_M": "IQ2_S",
    "IQ3_XXS": "IQ3_XXS",
    "IQ3_XS": "IQ3_S",
    "IQ3_S": "IQ3_S",
    "IQ3_M": "IQ3_S",
    "IQ4_NL": "IQ4_NL",
    "IQ4_XS": "IQ4_XS",
    "TQ1_0": "TQ1_0",
    "TQ2_0": "TQ2_0",
    "MXFP4_MOE": "MXFP4",
    "NVFP4": "NVFP4",
}

#: What a row takes whose length the block of a type does not divide.
_FALLBACK = {
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS"), "IQ4_NL"),
    **dict.fromkeys(("Q2_0", "Q2_K", "Q3_K", "TQ1_0", "TQ2_0"), "Q4_0"),
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}

_TINY_MIXES = frozenset({"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M"})
#: Mixes that llama.cpp refuses to make without an importance matrix (tensor_requires_imatrix): with these there always was one.
NEEDS_IMATRIX = _TINY_MIXES | {"IQ3_XXS", "IQ3_XS", "Q2_K_S"}
_QKV = frozenset({"c_attn", "query_key_value", "qkv_proj", "qkv", "Wqkv", "in_proj_qkv", "in_proj_qkvz", "att_proj"})
_ROLES = {
    **dict.fromkeys(("q_proj", "q", "query", "q_lin"), "attn_q"),
    **dict.fromkeys(("k_proj", "k", "key", "k_lin"), "attn_k"),
    **dict.fromkeys(("v_proj", "v", "value", "v_lin"), "attn_v"),
    **dict.fromkeys(_QKV, "attn_qkv"),
    "kv_b_proj": "attn_kv_b",
}
_DOWN = frozenset({"down_proj", "c_proj", "fc2", "fc_out", "dense_4h_to_h", "w2", "wo", "output_linear", "linear_2", "linear2"})


def _last(tensor: Tensor) -> str:
    return tensor.name.removesuffix(".weight").rsplit(".", 1)[-1]


def _role(tensor: Tensor, arch: Architecture) -> str:
    """The class of a tensor by which llama.cpp picks its type; "fixed" is never quantized."""
    name = _last(tensor)
    if tensor.component == "lm_head":
        return "output" if len(tensor.shape) > 1 else "fixed"
    if tensor.component == "embedding" and not tensor.linear:
        return "fixed" if len(tensor.shape) < 2 or re.search(r"pos|wpe|token_type", name) else "token_embd"
    # altup, laurel and per-layer projections of Gemma 3n stay as they are (tensor_allows_quantization)
    if not tensor.linear or tensor.component == "router" or re.search(r"altup|laurel|per_layer_model_proj", tensor.name):
        return "fixed"
    if tensor.component in ("mlp", "routed_experts"):
        if name in _DOWN:
            return "ffn_down"
        # BERT calls both matrices "dense": the one that writes the hidden size reads the wider one
        down = name == "dense" and tensor.shape[-2] == arch.hidden_size and tensor.shape[-1] != arch.hidden_size
        return "ffn_down" if down else "ffn_up"
    if name in _ROLES:
        return _ROLES[name]
    if tensor.component == "attention" and re.fullmatch(r"o_proj|out_proj|dense|c_proj|wo|o|out_lin|output", name):
        return "other" if arch.family in ("t5", "mt5", "umt5") else "attn_output"
    return "other"


@dataclass(slots=True)
class _Mixer:
    """The state that llama.cpp carries from tensor to tensor while it chooses types."""

    mix: str
    imatrix: bool
    arch: Architecture
    tied: bool
    gqa: int
    experts: int
    values: int
    """Layers that have a value matrix."""
    value: int = 0
    down: int = 0

    @property
    def layers(self) -> int:
        return len(self.arch.layers)

    @property
    def falcon(self) -> bool:
        return self.arch.family == "falcon"

    @property
    def seventy(self) -> bool:
        # LLM_TYPE_70B: 80 layers; among Llamas only those with grouped queries (the 65B has none)
        return self.layers == 80 and (self.arch.family in ("qwen2", "olmo") or (self.arch.family in ("llama", "mllama") and self.gqa > 1))

    def choose(self, role: str, tensor: Tensor, layer: int) -> str:
        """The type of one tensor before its shape is looked at."""
        mix, kind = self.mix, MIXES[self.mix]
        if role == "output" or (self.tied and role == "token_embd"):
            return self._output(kind, tensor)
        if mix == "MXFP4_MOE":
            return "MXFP4" if len(tensor.shape) > 2 else "Q8_0"
        if role == "token_embd":
            if mix in ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"):
                return "Q2_K"
            if mix in ("IQ2_S", "IQ2_M", "IQ3_XXS"):
                return "IQ3_S"
            return "Q4_K" if mix in ("TQ1_0", "TQ2_0", "Q2_0") else kind
        if role == "attn_v" or role == "attn_qkv" or role == "attn_kv_b":
            kind = self._value(kind)
            self.value += 1
        elif role == "attn_k":
            finer = "Q4_K" if mix in _TINY_MIXES else "Q8_0"
            kind = finer if self.experts == 8 else {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(mix, kind)
        elif role == "attn_q":
            kind = {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(mix, kind)
        elif role == "attn_output":
            kind = self._attention_output(kind)
        elif role == "ffn_down":
            kind = self._down(kind, layer)
            self.down += 1
        elif role == "ffn_up" and mix == "IQ3_XS" and self.layers // 8 <= layer < 7 * self.layers // 8:
            kind = "IQ3_XXS"
        return kind

    def _output(self, kind: str, tensor: Tensor) -> str:
        if self.mix == "MXFP4_MOE" or self.falcon or tensor.shape[-1] % BLOCKS[kind][0]:
            return "Q8_0"
        if self.mix in _TINY_MIXES or self.mix == "IQ3_XXS":
            return "Q5_K"
        return kind if kind == "Q8_0" else "Q6_K"

    def _value(self, kind: str) -> str:
        mix, grouped_queries = self.mix, self.gqa >= 4
        if mix in _TINY_MIXES:
            return "Q4_K" if grouped_queries or self.experts >= 4 else "IQ3_S" if mix in ("IQ2_S", "IQ2_M") else "Q2_K"
        if mix == "Q2_K":
            kind = "Q4_K" if grouped_queries else "Q3_K"
        elif (mix in ("Q2_K_S", "IQ3_XS", "IQ3_S") and grouped_queries) or mix == "IQ3_M":
            kind = "Q4_K"
        elif mix == "IQ3_XXS":
            kind = "Q4_K" if grouped_queries else "IQ3_XXS" if self.imatrix else "IQ3_S"
        elif mix == "Q3_K_M":
            kind = "Q5_K" if self.value < 2 else "Q4_K"
        elif mix == "Q3_K_L" or (mix in ("IQ4_NL", "IQ4_XS") and grouped_queries) or (mix == "Q4_K_S" and self.value < 4):
            kind = "Q5_K"
        elif mix in ("Q4_K_M", "Q5_K_M") and more_bits(self.value, self.values):
            kind = "Q6_K"
        if self.seventy and kind in ("Q3_K", "Q4_K"):
            kind = "Q5_K"
        return "Q8_0" if self.experts == 8 else kind

    def _down(self, kind: str, layer: int) -> str:
        mix, n = self.mix, self.layers
        if mix in _TINY_MIXES:  # counted by tensor, not by layer
            if self.down < n // 8:
                return "IQ3_S" if mix in ("IQ2_S", "IQ2_M") else "Q2_K"
            return kind
        i = layer if self.experts > 1 else self.down
        early = i < n // 8
        if mix == "Q2_K":
            return "Q3_K"
        if mix == "Q3_K_L":
            return "Q4_K" if self.falcon else "Q5_K"
        if mix == "Q3_K_M":
            return "Q5_K" if i < n // 16 else "Q4_K" if not self.falcon or more_bits(i, n) else "Q3_K"
        if mix == "IQ3_XXS" and not self.imatrix:
            return "Q4_K" if early else "Q3_K"
        if mix == "Q4_K_M" and self.falcon:
            return "Q6_K" if i < n // 16 else "Q5_K" if more_bits(i, n) else "Q4_K"
        if mix in ("Q4_K_M", "Q5_K_M"):
            return "Q6_K" if more_bits(i, n) else kind
        if (mix == "Q2_K_S" and early) or (mix == "IQ3_M" and (early or (self.experts == 8 and more_bits(i, n)))):
            return "Q4_K"
        if early and ((mix in ("IQ4_NL", "IQ4_XS") and not self.imatrix) or (mix == "Q4_K_S" and not self.falcon)):
            return "Q5_K"
        if early and mix in ("Q4_0", "Q5_0") and self.imatrix:
            return "Q4_1" if mix == "Q4_0" else "Q5_1"
        return kind

    def _attention_output(self, kind: str) -> str:
        mix = self.mix
        if mix in _TINY_MIXES:
            if self.experts == 8:
                return "Q5_K"
            return {"IQ1_S": "IQ2_XXS", "IQ1_M": "IQ2_XXS", "IQ2_S": "IQ3_S", "IQ2_M": "IQ3_S"}.get(mix, kind)
        if self.falcon:
            return "Q4_K" if mix == "Q3_K_L" else kind
        if self.experts == 8:
            raised = ("Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M", "IQ4_XS")
            return "Q5_K" if mix in raised else kind
        return {"Q2_K": "Q3_K", "IQ3_XXS": "IQ3_S", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K", "IQ3_M": "Q4_K"}.get(mix, kind)


def more_bits(layer: int, layers: int) -> bool:
    """Which layers a "medium" mix stores finer: the first and the last eighth, and every third between (use_more_bits)."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _blocks(kind: str, shape: tuple[int, ...]) -> tuple[str, float, float, int]:
    """The type after its shape is looked at, its bits, and the bytes: a row is a whole number of blocks, or another type is taken."""
    if shape[-1] % BLOCKS[kind][0]:
        kind = _FALLBACK.get(kind, "F16")
        if shape[-1] % BLOCKS[kind][0]:
            kind = "F16"
    block, size = BLOCKS[kind]
    return kind, 8 * size / block, 0.0, prod(shape) // block * size


def _as_stored(tensor: Tensor, arch: Architecture, layer: int) -> tuple[Tensor, ...]:
    """A tensor as llama.cpp's converter writes it: MLA's kv_b is split into the transposed key part and the value part, per head."""
    if _last(tensor) != "kv_b_proj" or layer < 0:
        return (tensor,)
    mixer = arch.layers[layer].mixer
    nope, value, heads = getattr(mixer, "nope_dim", 0), getattr(mixer, "value_dim", 0), getattr(mixer, "heads", 1)
    if not nope or heads * (nope + value) != tensor.shape[0]:
        return (tensor,)
    rank = tensor.shape[1]
    return replace(tensor, name="attn_k_b", shape=(heads, rank, nope)), replace(tensor, name="attn_v_b", shape=(heads, value, rank))


# ---------------------------------------------------------------- what a model takes


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor as it is stored."""

    tensor: Tensor
    layer: int | None
    """Which layer it belongs to; None outside of them."""
    kind: str
    """The format or the ggml type that it takes."""
    bits: float
    """Bits of one element, scales apart; a ggml type has its scales in them."""
    scale_bytes: float
    """Bytes of its scales, and of what rounds the tensor up to whole bytes."""
    bytes: int


def stored(arch: Architecture, format: str, *, sparsity: str | float | None = None, imatrix: bool = False) -> tuple[Stored, ...]:
    """Every tensor of `arch` with the type and the bytes that it takes in `format`.

    Raises InputError for an unknown format or sparsity, and for 2:4 sparsity in a GGUF file, which has no such type.
    """
    return _stored(arch, str(format).strip(), removed(sparsity), imatrix)


@lru_cache(maxsize=128)
def _stored(arch: Architecture, format: str, sparsity: str | float | None, imatrix: bool) -> tuple[Stored, ...]:
    if format.lower().startswith(GGUF):
        if sparsity == TWO_OF_FOUR:
            raise InputError(N_("A GGUF file has no type for 2:4 sparsity: choose fp16, bf16, fp8, int8 or a 4-bit format, or leave sparsity out."))
        return tuple(_gguf(arch, _mix(format[len(GGUF) :]), imatrix))
    chosen = _format(format)
    return tuple(Stored(tensor, layer, *_plain(tensor, chosen, sparsity)) for tensor, layer in _tensors(arch))


def _tensors(arch: Architecture) -> Iterator[tuple[Tensor, int | None]]:
    for index, layer in enumerate(arch.layers):
        for tensor in layer.tensors:
            yield tensor, index
    for tensor in arch.outer:
        yield tensor, None


def quantized(tensor: Tensor, format: Format) -> bool:
    """Whether `format` touches `tensor`: weights of linear layers, not the head, the routers, the vision tower."""
    return tensor.linear and len(tensor.shape) > 1 and tensor.component in format.components


def _plain(tensor: Tensor, format: Format, sparsity: str | float | None, *, scales: bool = True) -> tuple[str, float, float, int]:
    if not quantized(tensor, format):
        return f"{format.rest_bits}-bit", format.rest_bits, 0.0, tensor.size * format.rest_bits // 8
    rows, columns = tensor.shape[-2:]
    element = format.bits / 2 + 1 if sparsity == TWO_OF_FOUR else format.bits  # two of four values, each with a 2-bit index
    overhead = prod(tensor.shape[:-2]) * (format.scales(rows, columns) + format.indices(rows, columns)) if scales else 0.0
    whole = ceil((tensor.size * element + overhead) / 8)
    return format.name, element, whole - tensor.size * element / 8, whole


def _mix(name: str) -> str:
    key = str(name).strip().upper().removeprefix(GGUF.upper())
    if key not in MIXES:
        raise InputError(N_("“{mix}” is no GGUF mix: choose one of {known}."), mix=str(name)[:40], known=", ".join(MIXES))
    return key


def _gguf(arch: Architecture, mix: str, imatrix: bool) -> Iterator[Stored]:
    roles = [_role(tensor, arch) for tensor, layer in _tensors(arch)]
    mixers = [layer.mixer for layer in arch.layers if isinstance(layer.mixer, Attention)]
    state = _Mixer(
        mix,
        imatrix or mix in NEEDS_IMATRIX,
        arch,
        tied="output" not in roles,
        gqa=mixers[0].heads // mixers[0].kv_heads if mixers else 1,
        experts=next((layer.mlp.count for layer in arch.layers if isinstance(layer.mlp, Experts)), 1),
        values=sum(role in ("attn_v", "attn_qkv") for role in roles),
    )
    for (whole_tensor, layer), whole_role in zip(_tensors(arch), roles, strict=True):
        for tensor in _as_stored(whole_tensor, arch, -1 if layer is None else layer):
            role = whole_role if tensor is whole_tensor else "other"
            if tensor.component == "vision":  # a file of its own (mmproj), in 16 bits
                yield Stored(tensor, layer, *_blocks("F16", tensor.shape))
            elif role == "fixed":
                yield Stored(tensor, layer, *_blocks("F32", tensor.shape))
            elif MIXES[mix] in ("F32", "F16", "BF16"):
                yield Stored(tensor, layer, *_blocks(MIXES[mix], tensor.shape))
            else:
                yield Stored(tensor, layer, *_blocks(state.choose(role, tensor, -1 if layer is None else layer), tensor.shape))


def weights_bytes(arch: Architecture, format: str, sparsity: str | float | None = None, *, imatrix: bool = False, scales: bool = True) -> int:
    """Bytes of all weights of `arch` in `format` (a key of `FORMATS`, ``gptq-4-g32``, or ``gguf:`` and a key of `MIXES`).

    The sum over tensors of size x bits, each matrix with its scales. `sparsity` is ``2:4`` (half of the values and 2-bit indices: 9/16 of
    16 bits, arXiv 2104.08378, section 3) or the fraction that unstructured pruning set to zero, which saves nothing as long as the
    zeros are stored (see `pruned`). ``scales=False`` counts as ``get_memory_footprint`` of transformers does, elements alone.

    >>> from wallviz.engine.transformer import Layer
    >>> matrix = Tensor("q_proj", (4096, 4096), "attention", linear=True)
    >>> one = Architecture("one matrix", "llama", 4096, 1, (Layer(None, None, (matrix,)),), (), tied=False)
    >>> [weights_bytes(one, name) * 8 / 4096**2 for name in ("bf16", "fp8", "nf4", "nf4-dq", "gguf:Q4_K_S")]
    [16.0, 8.001953125, 4.5, 4.126953125, 4.5]
    >>> weights_bytes(one, "bf16", "2:4") / weights_bytes(one, "bf16") == 9 / 16
    True

    Raises InputError for an unknown format, a fraction outside [0, 1), or 2:4 in a GGUF file.
    """
    if not scales and not str(format).lower().startswith(GGUF):
        return sum(_plain(tensor, _format(format), removed(sparsity), scales=False)[-1] for tensor, layer in _tensors(arch))
    total = sum(one.bytes for one in stored(arch, format, sparsity=sparsity, imatrix=imatrix))
    # the routers' correction biases: buffers, fp32 in every checkpoint (DeepSeek-V3's model card)
    return total + 4 * arch.router_bias


def gguf_bytes(arch: Architecture, mix: str, imatrix: bool = False) -> int:
    """Bytes of the tensors in a GGUF file of the language model; the header with the tokenizer adds about 1 MB per 50,000 tokens.

    A vision tower is a file of its own (mmproj) and not counted here; neither are multi-token prediction layers. `imatrix`: the mix was
    chosen with an importance matrix, which changes a few of them (and which the smallest cannot do without).
    """
    return sum(one.bytes for one in stored(arch, GGUF + _mix(mix), imatrix=imatrix) if one.tensor.component != "vision") + 4 * arch.router_bias


def bits_per_weight(format: str, arch: Architecture | None = None, *, sparsity: str | float | None = None, imatrix: bool = False) -> float:
    """Bits of one weight in `format`, scales included: of a 4096 x 4096 matrix, or, with `arch`, of the whole model on average.

    >>> bits_per_weight("mxfp4"), bits_per_weight("gptq-4"), bits_per_weight("int8"), bits_per_weight("Q6_K")
    (4.25, 4.15625, 8.00390625, 6.5625)

    Also takes a ggml type (a key of `BLOCKS`). A mix has no such number before it meets a model: give `arch`.
    """
    if arch is not None:
        return 8 * weights_bytes(arch, format, sparsity, imatrix=imatrix) / max(1, arch.parameters)
    if str(format).upper() in BLOCKS and str(format).lower() not in FORMATS:
        block, size = BLOCKS[str(format).upper()]
        return 8 * size / block
    if str(format).lower().startswith(GGUF):
        raise InputError(
            N_("The mix {mix} gives each tensor its own type: bits per weight need a model (or ask for one of the types {known})."),
            mix=_mix(format),
            known=", ".join(BLOCKS),
        )
    chosen = _format(format)
    return chosen.bits + chosen.scales(4096, 4096) / 4096**2


def source(format: str) -> str:
    """Where the layout of `format` stands; InputError that lists all formats for an unknown one."""
    if str(format).lower().startswith(GGUF):
        _mix(format)
        return "ggml-org/llama.cpp: src/llama-quant.cpp, ggml/src/ggml-common.h"
    return _format(format).source


# ---------------------------------------------------------------- pruning


def removed(sparsity: str | float | None) -> str | float | None:
    """`sparsity` read: None, "2:4", or the fraction of weights set to zero.

    >>> removed("2:4"), removed("0.5"), removed(None)
    ('2:4', 0.5, None)
    """
    if sparsity is None or sparsity == TWO_OF_FOUR:
        return sparsity
    try:
        fraction = float(sparsity)
    except (TypeError, ValueError, OverflowError):
        fraction = float("nan")
    if not (isfinite(fraction) and 0 <= fraction < 1):
        raise InputError(
            N_("sparsity is “{value}”: give 2:4, or the fraction of weights that pruning removed, from 0 up to but not including 1."),
            value=checks.said(sparsity),
        )
    return fraction


@dataclass(frozen=True, slots=True)
class Pruned:
    """What unstructured pruning leaves in memory, by how the zeros are stored."""

    dense_bytes: int
    """Zeros stored like any value: what every engine does, and the size without pruning."""
    csr_bytes: int
    """Compressed rows: the values that remain, a 32-bit column index each, one 32-bit pointer per row."""
    bitmap_bytes: int
    """The values that remain and one bit per position."""


def pruned(arch: Architecture, format: str, fraction: str | float) -> Pruned:
    """Bytes of `arch` in `format` with `fraction` of each quantized matrix set to zero: dense, as CSR and as bitmap.

    At half of 16-bit weights removed, CSR takes 16 + 32 bits for each that remains, 1.5 times the dense size.
    """
    share = removed(fraction)
    if not isinstance(share, float):
        raise InputError(N_("“{value}” is no unstructured pruning: give the fraction of weights removed, such as 0.5."), value=str(fraction)[:40])
    chosen = _format(format)
    dense = csr = bitmap = 0
    for tensor, _layer in _tensors(arch):
        size = _plain(tensor, chosen, None)[-1]
        dense += size
        if not quantized(tensor, chosen):
            csr += size
            bitmap += size
            continue
        kept = tensor.size * (1 - share)
        scales = size - tensor.size * chosen.bits / 8
        csr += ceil(scales + kept * (chosen.bits + 32) / 8 + 4 * (prod(tensor.shape[:-1]) + 1))
        bitmap += ceil(scales + kept * chosen.bits / 8 + tensor.size / 8)
    buffers = 4 * arch.router_bias
    return Pruned(dense + buffers, csr + buffers, bitmap + buffers)
