"""The KV cache: what every token leaves behind for all that follow, by layer, format, window and page.

An attention layer keeps g keys of width d and g values of width d_v per token; a window keeps the last w tokens alone; multi-head latent
attention (MLA) keeps one latent and one rotary key for all heads; a state space or a linear attention keeps a state that does not grow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from wallviz.engine.memory.run import whole
from wallviz.engine.memory.terms import Quantity, Symbols, Term, Terms, evaluate, grouped, plain, total
from wallviz.engine.transformer import Architecture, Attention, LatentAttention, Recurrent
from wallviz.errors import InputError
from wallviz.i18n import N_

PART = "kv_cache"
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


def _entry(mixer: Attention | LatentAttention, format: str, tensor_parallel: int, *, expanded: bool) -> tuple[str, Symbols]:
    """Bytes of one cached entry of one layer on one rank, as a formula, and what its symbols stand for."""
    chosen, t = cache_format(format), tensor_parallel
    symbols: dict[str, Quantity] = {"bytes": chosen.element_bytes, "scale": chosen.head_bytes, "t": t, "d_i": mixer.index_dim}
    scales = "2·scale" if chosen.head_bytes else ""
    if isinstance(mixer, LatentAttention):
        symbols |= {"a": mixer.heads, "kv": mixer.kv_rank, "dn": mixer.nope_dim, "dr": mixer.rope_dim, "d_v": mixer.value_dim}
        if expanded:
            entry = _of_heads("a", "(dn + dr + d_v)·bytes", scales, t)
        elif chosen.name == "fp8_ds_mla":
            entry = "kv + 4·ceil(kv/128) + 2·dr"
        else:
            entry = "(kv + dr)·bytes" + (" + scale" if scales else "")
    elif chosen.name == "fp8_ds_mla":
        raise InputError(N_("fp8_ds_mla stores the latent of multi-head latent attention, which this model has not: choose fp8."))
    else:
        symbols |= {"g": mixer.kv_heads, "d": mixer.head_dim, "d_v": mixer.value_dim}
        width, scales = ("d", scales.removeprefix("2·")) if mixer.key_is_value else ("(d + d_v)", scales)
        entry = _of_heads("g", f"{width}·bytes", scales, t)
    if mixer.index_dim:  # the indexer's key (DeepSeek sparse attention): as the cache, or in fp8 with an fp32 scale per 128 (132 bytes for 128)
        entry += " + d_i·bytes" if chosen.element_bytes >= 2 else " + d_i + 4·ceil(d_i/128)"
    return entry, symbols


def _of_heads(heads: str, each: str, scales: str, tensor_parallel: int) -> str:
    """So many heads on one rank, at least one, each with its vectors and their scales."""
    return (f"ceil({heads}/t)" if tensor_parallel > 1 else heads) + (f"·({each} + {scales})" if scales else f"·{each}")


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
    return float(evaluate(*_entry(mixer, format, tensor_parallel, expanded=expanded)))


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
    return evaluate(*_tokens(batch, context, window=window, compression=compression, block=block, prefix=prefix))


def _tokens(
    batch: Quantity, context: Quantity, *, window: int | None = None, compression: int = 1, block: int = 1, prefix: Quantity = 0
) -> tuple[str, Symbols]:
    """The same as a formula, and what its symbols stand for."""
    symbols: dict[str, Quantity] = {"b": plain(batch), "s": plain(context), "block": block, "shared": plain(prefix)}
    if compression > 1:
        symbols |= {"compression": compression, "w": window or 0.0}
        formula = _in_blocks("floor(s/compression)", "floor(shared/compression)", block, prefix)
        return (f"({formula} + {_in_blocks('min(s, w)', _SHARED, block, prefix)})" if window else formula), symbols
    if window is None:
        return _in_blocks("s", "shared", block, prefix), symbols
    return _in_blocks("min(s, w)", _SHARED, block, prefix), symbols | {"w": window}


#: Of a shared prefix a window keeps what lies in its last w tokens.
_SHARED = "max(shared − s + min(s, w), 0)"


def _in_blocks(kept: str, shared: str, block: int, prefix: Quantity) -> str:
    """Entries of b sequences in whole blocks: the full blocks of a shared prefix once, the rest for each."""
    whole = block > 1
    if not np.any(prefix):
        return f"b·ceil({kept}/block)·block" if whole else f"b·{kept}"
    once = f"floor({shared}/block)·block" if whole else shared
    return f"({once} + b·" + (f"ceil(({kept} − {once})/block)·block)" if whole else f"({kept} − {once}))")


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
) -> Terms:
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
            window, compression = (mixer.window, mixer.compression) if isinstance(mixer, Attention) else (None, 1)
            entry = _entry(mixer, format, tensor_parallel, expanded=expanded)
            tokens = _tokens(batch, context, window=window, compression=compression, block=block, prefix=prefix)
            lines.append(_cache_term(mixer, layers, entry, tokens))
            if isinstance(mixer, Attention) and mixer.cross:
                length = context if encoder_context is None else encoder_context
                lines.append(
                    _term(N_("cross-attention cache"), layers, entry, _tokens(batch, length, block=block), N_("arXiv 1706.03762, section 3.2.3"))
                )
    return tuple(lines)


def _state_term(mixer: Recurrent, layers: int, batch: Quantity, tensor_parallel: int) -> Term:
    formula = f"L·({STATE_BYTES}·state + {WINDOW_BYTES}·convolution)·b" + ("/t" if tensor_parallel > 1 else "")
    symbols = {"L": layers, "state": mixer.state_elements, "convolution": mixer.conv_elements, "b": plain(batch), "t": tensor_parallel}
    return Term(N_("recurrent state"), PART, formula, symbols, N_("arXiv 2312.00752, section 3.3"))


def _cache_term(mixer: Attention | LatentAttention, layers: int, entry: tuple[str, Symbols], tokens: tuple[str, Symbols]) -> Term:
    if isinstance(mixer, LatentAttention):
        return _term(N_("latent KV cache"), layers, entry, tokens, N_("arXiv 2405.04434, section 2.1"))
    if mixer.window is None:
        return _term(N_("KV cache"), layers, entry, tokens, N_("arXiv 2309.06180, section 3"))
    return _term(N_("KV cache of windowed layers"), layers, entry, tokens, N_("arXiv 2310.06825, section 2"))


def _term(name: str, layers: int, entry: tuple[str, Symbols], tokens: tuple[str, Symbols], source: str) -> Term:
    """The layers, their entry, and how many entries."""
    return Term(name, PART, f"L·{grouped(entry[0])}·{tokens[0]}", {**entry[1], **tokens[1], "L": layers}, source)


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
    return plain(total(lines) + np.zeros(np.broadcast_shapes(np.shape(batch), np.shape(context), np.shape(prefix))))


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
    each = 0.0
    for layer, count in arch.groups:
        mixer = layer.mixer
        if not layer.encoder and (isinstance(mixer, LatentAttention) or (isinstance(mixer, Attention) and not mixer.shares_cache)):
            each += count * _growth(mixer, length) * entry_bytes(mixer, format, tensor_parallel, expanded=expanded)
    return each


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
