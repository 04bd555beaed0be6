"""The KV cache: what every token leaves behind for all that follow, by layer, format, window and page.

An attention layer keeps g keys of width d and g values of width d_v per token; a window keeps the last w tokens alone; multi-head latent
attention (MLA) keeps one latent and one rotary key for all heads; a state space or a linear attention keeps a state that does not grow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil

import numpy as np

from wallviz.engine.memory.run import whole
from wallviz.engine.memory.terms import Quantity, Term, plain, written
from wallviz.engine.transformer import Architecture, Attention, LatentAttention, Recurrent
from wallviz.errors import InputError
from wallviz.i18n import N_

LONGEST = 10**12  # tokens, sequences, ranks: larger is a typing error

#: A recurrent state is updated at every token and kept in fp32, the convolution's window in 16 bits (arXiv 2312.00752, section 3.3; mamba_ssm).
STATE_BYTES = 4
WINDOW_BYTES = 2


@dataclass(frozen=True, slots=True)
class CacheFormat:
    """How a cached element is stored."""

    name: str
    element_bytes: float
    """Bytes of an element, with scales of fixed blocks."""
    head_bytes: int = 0
    """Bytes of the scale of each cached head vector."""
    source: str = ""


FORMATS: dict[str, CacheFormat] = {
    one.name: one
    for one in (
        CacheFormat("fp32", 4, source="IEEE 754"),
        CacheFormat("bf16", 2, source="IEEE 754 with 8 exponent bits"),
        CacheFormat("fp16", 2, source="IEEE 754"),
        CacheFormat("fp8", 1, source="vLLM, kv_cache_dtype=fp8: one scale per tensor"),
        CacheFormat("int8", 1, source="one static scale per tensor, as the scaling book counts (jax-ml, applied inference)"),
        CacheFormat("fp8-per-token-head", 1, 4, source="vLLM, kv_cache_dtype=fp8_per_token_head: one fp32 scale per token and head"),
        CacheFormat("int8-per-token-head", 1, 4, source="vLLM, kv_cache_dtype=int8_per_token_head: one fp32 scale per token and head"),
        CacheFormat("q8_0", 34 / 32, source="ggml-common.h: 34 bytes per block of 32"),
        CacheFormat("q4_0", 18 / 32, source="ggml-common.h: 18 bytes per block of 32"),
        CacheFormat("nvfp4", 9 / 16, source="NVIDIA NVFP4: an E4M3 scale per 16"),
        CacheFormat("fp8_ds_mla", 1, source="vLLM, kv_cache_interface.py: fp8 latent, an fp32 scale per 128, the rotary key in bf16"),
    )
}


def cache_format(name: str) -> CacheFormat:
    """The format called `name`; InputError that lists all of them otherwise."""
    key = str(name).strip().lower()
    if key not in FORMATS:
        raise InputError(N_("“{format}” is no KV cache format: choose one of {known}."), format=str(name)[:40], known=", ".join(FORMATS))
    return FORMATS[key]


def _index_bytes(width: int, format: CacheFormat) -> float:
    """The indexer's cached key (DeepSeek sparse attention): as the cache, or in fp8 with an fp32 scale per 128 (132 bytes for 128)."""
    if not width:
        return 0.0
    return width * format.element_bytes if format.element_bytes >= 2 else width + 4 * ceil(width / 128)


def entry_bytes(mixer: Attention | LatentAttention, format: str = "bf16", tensor_parallel: int = 1, *, expanded: bool = False) -> float:
    """Bytes of one cached entry of one layer on one rank: (g·d + g·d_v)·bytes, at least one head per rank; MLA (kv + dr)·bytes, on each.

    ``expanded`` is MLA as a reference implementation caches it: keys and values of every head, a·(dn + dr + dv).

    >>> entry_bytes(Attention(heads=32, kv_heads=8, head_dim=128, value_dim=128)) * 32  # Llama-3.1-8B: 128 KiB per token
    131072.0
    >>> mla = LatentAttention(heads=128, q_rank=1536, kv_rank=512, nope_dim=128, rope_dim=64, value_dim=128)
    >>> entry_bytes(mla) * 61  # DeepSeek-V3: 70.272 KB per token (arXiv 2505.09343, table 1)
    70272.0
    >>> entry_bytes(mla, "fp8_ds_mla"), entry_bytes(mla, expanded=True) * 61
    (656.0, 4997120.0)
    """
    chosen = cache_format(format)
    if isinstance(mixer, LatentAttention):
        index = _index_bytes(mixer.index_dim, chosen)
        if expanded:
            heads = ceil(mixer.heads / tensor_parallel)
            return heads * ((mixer.nope_dim + mixer.rope_dim + mixer.value_dim) * chosen.element_bytes + 2 * chosen.head_bytes) + index
        if chosen.name == "fp8_ds_mla":
            return float(mixer.kv_rank + 4 * ceil(mixer.kv_rank / 128) + 2 * mixer.rope_dim) + index
        return (mixer.kv_rank + mixer.rope_dim) * chosen.element_bytes + chosen.head_bytes + index
    if chosen.name == "fp8_ds_mla":
        raise InputError(N_("fp8_ds_mla stores the latent of multi-head latent attention, which this model has not: choose fp8."))
    heads = ceil(mixer.kv_heads / tensor_parallel)
    width = mixer.head_dim if mixer.key_is_value else mixer.head_dim + mixer.value_dim
    vectors = 1 if mixer.key_is_value else 2
    return heads * (width * chosen.element_bytes + vectors * chosen.head_bytes) + _index_bytes(mixer.index_dim, chosen)


def state_bytes(mixer: Recurrent, tensor_parallel: int = 1) -> float:
    """Bytes of the recurrent state of one layer and sequence on one rank, whatever the length: fp32 state, 16-bit convolution window.

    >>> state_bytes(Recurrent("mamba", inner=5120, state_elements=5120 * 16, conv_elements=5120 * 4)) * 64  # Mamba-2.8B
    23592960.0
    """
    return (mixer.state_elements * STATE_BYTES + mixer.conv_elements * WINDOW_BYTES) / tensor_parallel


def cached_tokens(
    batch: Quantity, context: Quantity, *, window: int | None = None, compression: int = 1, block: int = 1, prefix: Quantity = 0
) -> Quantity:
    """Entries that a layer stores for `batch` sequences of `context` tokens: b·min(s, w), in whole blocks, a shared prefix once.

    Each sequence rounds up to blocks (arXiv 2309.06180, section 4.3: waste only in the last one); only full blocks of a prefix are
    shared. With `compression` c, s/c compressed entries and, where there is a window, its tokens uncompressed.

    >>> cached_tokens(1, 32768, window=4096), cached_tokens(4, 100, block=16), cached_tokens(4, 100, block=16, prefix=40)
    (4096.0, 448.0, 352.0)
    """
    if compression > 1:
        entries = cached_tokens(batch, context // compression, block=block, prefix=prefix // compression)
        return entries + (cached_tokens(batch, context, window=window, block=block, prefix=prefix) if window else 0.0)
    kept = np.minimum(context, np.inf if window is None else window)
    shared = np.clip(prefix - (context - kept), 0, kept) // block * block
    own = np.ceil((kept - shared) / block) * block
    return plain(shared + batch * own)


def terms(
    arch: Architecture,
    *,
    batch: Quantity,
    context: Quantity,
    format: str = "bf16",
    tensor_parallel: int = 1,
    block: int = 1,
    prefix: Quantity = 0,
    encoder_context: Quantity | None = None,
    expanded: bool = False,
) -> tuple[Term, ...]:
    """The cache of `arch` on one rank, a term for each kind of layer; `kv_cache_bytes` is their sum.

    `encoder_context` is the length of the encoder's sequence, for models that attend to one; `context` where not given.
    """
    for name, value, least in (
        ("batch", batch, 1),
        ("context", context, 1),
        ("block", block, 1),
        ("tensor_parallel", tensor_parallel, 1),
        ("prefix", prefix, 0),
        ("encoder_context", context if encoder_context is None else encoder_context, 1),
    ):
        counted(name, value, least)
    if np.any(np.asarray(prefix) > np.asarray(context)):
        raise InputError(
            N_("The shared prefix of {prefix} tokens is longer than the context of {context}: shorten it."), prefix=prefix, context=context
        )
    cache_format(format)
    lines: list[Term] = []
    for mixer, layers in Counter(layer.mixer for layer in arch.layers if not layer.encoder).items():
        if isinstance(mixer, Recurrent):
            lines.append(_state_term(mixer, layers, batch, tensor_parallel))
        elif isinstance(mixer, LatentAttention) or (isinstance(mixer, Attention) and not mixer.shares_cache):
            each = entry_bytes(mixer, format, tensor_parallel, expanded=expanded)
            window, compression = (mixer.window, mixer.compression) if isinstance(mixer, Attention) else (None, 1)
            tokens = cached_tokens(batch, context, window=window, compression=compression, block=block, prefix=prefix)
            lines.append(_cache_term(mixer, layers, each, tokens, format, tensor_parallel, expanded=expanded))
            if isinstance(mixer, Attention) and mixer.cross:
                length = context if encoder_context is None else encoder_context
                tokens = cached_tokens(batch, length, block=block)
                lines.append(
                    Term(
                        N_("cross-attention cache"),
                        "L·(g·d + g·d_v)·bytes·b·s_encoder",
                        f"{layers}·{written(each)}·{written(tokens)}",
                        layers * each * tokens,
                        N_("arXiv 1706.03762, section 3.2.3"),
                    )
                )
    return tuple(lines)


def _state_term(mixer: Recurrent, layers: int, batch: Quantity, tensor_parallel: int) -> Term:
    return Term(
        N_("recurrent state"),
        "L·(state·4 + convolution·2)·b/t",
        f"{layers}·({mixer.state_elements:,}·4 + {mixer.conv_elements:,}·2)·{written(batch)}/{tensor_parallel}",
        layers * state_bytes(mixer, tensor_parallel) * batch,
        N_("arXiv 2312.00752, section 3.3"),
    )


def _cache_term(
    mixer: Attention | LatentAttention, layers: int, each: float, tokens: Quantity, format: str, tensor_parallel: int, *, expanded: bool
) -> Term:
    chosen = cache_format(format)
    size = written(chosen.element_bytes)
    if isinstance(mixer, LatentAttention):
        name, source = N_("latent KV cache"), N_("arXiv 2405.04434, section 2.1")
        formula = "L·a/t·(dn + dr + dv)·bytes·tokens" if expanded else "L·(kv + dr)·bytes·tokens"
        heads = ceil(mixer.heads / tensor_parallel)
        width = f"{heads}·({mixer.nope_dim} + {mixer.rope_dim} + {mixer.value_dim})" if expanded else f"({mixer.kv_rank} + {mixer.rope_dim})"
        plain = float(heads * (mixer.nope_dim + mixer.rope_dim + mixer.value_dim) if expanded else mixer.kv_rank + mixer.rope_dim)
    else:
        name = N_("KV cache") if mixer.window is None else N_("KV cache of windowed layers")
        source = N_("arXiv 2309.06180, section 3") if mixer.window is None else N_("arXiv 2310.06825, section 2")
        heads = ceil(mixer.kv_heads / tensor_parallel)
        one_vector = mixer.key_is_value
        formula = "L·g·d·bytes·tokens" if one_vector else "L·g·(d + d_v)·bytes·tokens"
        width = f"{heads}·{mixer.head_dim}" if one_vector else f"{heads}·({mixer.head_dim} + {mixer.value_dim})"
        plain = float(heads * (mixer.head_dim + (0 if one_vector else mixer.value_dim)))
    if plain * chosen.element_bytes == each:
        values = f"{layers}·{width}·{size}·{written(tokens)}"
    else:  # scales of each head, an indexer's key
        formula, values = (
            formula.replace("·bytes·", "·bytes + scales + indexer)·").replace("L·", "L·(", 1),
            f"{layers}·{written(each)}·{written(tokens)}",
        )
    return Term(name, formula, values, layers * each * tokens, source)


def kv_cache_bytes(
    arch: Architecture,
    *,
    batch: Quantity = 1,
    context: Quantity,
    format: str = "bf16",
    tensor_parallel: int = 1,
    block: int = 1,
    prefix: Quantity = 0,
    encoder_context: Quantity | None = None,
    expanded: bool = False,
) -> Quantity:
    """Bytes of the cache of `batch` sequences of `context` tokens on one rank: 2·sum over layers of g·d·min(s, w)·bytes, recurrent states added.

    `tensor_parallel` t leaves max(1, g/t) heads a rank; MLA's latent is on each. `block` is the page of the engine (16 in vLLM), `prefix`
    the tokens that all sequences share and a paged cache stores once. Works on arrays. 0 for an encoder.

    >>> from wallviz.engine.transformer import Layer
    >>> full = Layer(Attention(heads=32, kv_heads=8, head_dim=128, value_dim=128), None, ())
    >>> mixtral = Architecture("Mixtral-8x7B", "mixtral", 4096, 32000, (full,) * 32, (), tied=False)
    >>> kv_cache_bytes(mixtral, context=262144) / 2**30  # "32GB" at 256K (arXiv 2403.19887, table 1)
    32.0

    Raises InputError for numbers below 1, a prefix longer than the context, an unknown format.
    """
    lines = terms(
        arch,
        batch=batch,
        context=context,
        format=format,
        tensor_parallel=tensor_parallel,
        block=block,
        prefix=prefix,
        encoder_context=encoder_context,
        expanded=expanded,
    )
    nothing = np.zeros(np.broadcast_shapes(np.shape(batch), np.shape(context), np.shape(prefix)))
    return plain(sum((line.bytes for line in lines), nothing))


def bytes_per_token(
    arch: Architecture, *, format: str = "bf16", tensor_parallel: int = 1, context: int | None = None, expanded: bool = False
) -> float:
    """Bytes that one more token of one sequence adds on one rank: as long as every window still fills, or at the length `context`.

    >>> from wallviz.engine.transformer import Layer
    >>> local, full = (Layer(Attention(64, 8, 64, 64, window=w), None, ()) for w in (128, None))
    >>> gpt_oss = Architecture("gpt-oss-120b", "gpt_oss", 2880, 201088, (local, full) * 18, (), tied=False)
    >>> bytes_per_token(gpt_oss), bytes_per_token(gpt_oss, context=4096)
    (73728.0, 36864.0)
    """
    counted("tensor_parallel", tensor_parallel)
    length = 0 if context is None else context
    total = 0.0
    for layer, count in arch.groups:
        mixer = layer.mixer
        if not layer.encoder and (isinstance(mixer, LatentAttention) or (isinstance(mixer, Attention) and not mixer.shares_cache)):
            total += count * _growth(mixer, length) * entry_bytes(mixer, format, tensor_parallel, expanded=expanded)
    return total


def _growth(mixer: Attention | LatentAttention, length: int) -> float:
    """Entries that a token adds to a sequence of `length`."""
    if isinstance(mixer, LatentAttention):
        return 1.0
    fills = 1.0 if mixer.window is None or length < mixer.window else 0.0
    if mixer.compression == 1:
        return fills
    return 1 / mixer.compression + (fills if mixer.window is not None else 0.0)


def counted(name: str, value: Quantity, least: int = 1) -> None:
    """Raises InputError unless `value`, or every entry of it, is a whole number from `least` to `LONGEST`."""
    if isinstance(value, np.ndarray) and not value.size:
        raise InputError(N_("{name} is an empty list: give at least one number."), name=name)
    whole(name, value, least, LONGEST)


def paged_tokens(blocks: Quantity, block: Quantity = 16) -> Quantity:
    """Tokens that a pool of `blocks` holds.

    >>> paged_tokens(127626, 16)  # the log of vllm-project/vllm#13596
    2042016
    """
    return blocks * block


def concurrency(blocks: Quantity, context: Quantity, block: Quantity = 16) -> Quantity:
    """Sequences of `context` tokens that a pool of `blocks` holds, as vLLM prints it: blocks over blocks of one sequence.

    >>> round(concurrency(1381, 2048), 2)  # the log of vllm-project/vllm#12569
    10.79
    """
    return plain(blocks / np.ceil(np.asarray(context) / block))
