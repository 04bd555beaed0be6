"""The KV cache: bytes per token and in all, by kind of layer, checked against papers and the logs of engines."""

from __future__ import annotations

import re
from math import ceil

import numpy as np
import pytest

from wallviz.engine.memory import kv_cache
from wallviz.engine.memory.kv_cache import bytes_per_token, cached_tokens, concurrency, kv_cache_bytes, paged_tokens, state_bytes, terms
from wallviz.engine.transformer import Architecture, Attention, LatentAttention, Layer, Recurrent
from wallviz.errors import InputError

Mixer = Attention | LatentAttention | Recurrent | None


def stack(*mixers: Mixer, encoder: int = 0) -> Architecture:
    """A model of these mixers; the first `encoder` layers belong to an encoder."""
    layers = tuple(Layer(mixer, None, (), encoder=i < encoder) for i, mixer in enumerate(mixers))
    return Architecture("test", "llama", 4096, 32000, layers, (), tied=False)


def grouped(layers: int, g: int, d: int, *, a: int = 128, window: int | None = None) -> Architecture:
    return stack(*(Attention(max(a, g), g, d, d, window),) * layers)


V3 = LatentAttention(128, 1536, 512, 128, 64, 128)
GPT_OSS = stack(*(Attention(64, 8, 64, 64, window=128), Attention(64, 8, 64, 64)) * 18)
JAMBA = stack(*(Recurrent("mamba", 8192, 8192 * 16, 8192 * 4),) * 28, *(Attention(32, 8, 128, 128),) * 4)
MAMBA = stack(*(Recurrent("mamba", 5120, 5120 * 16, 5120 * 4),) * 64)


@pytest.mark.parametrize(
    ("arch", "published"),
    [
        (grouped(80, 8, 128), 327680),  # Qwen2.5-72B (arXiv 2505.09343, table 1)
        (grouped(126, 8, 128), 516096),  # Llama-3.1-405B (the same)
        (stack(*(V3,) * 61), 70272),  # DeepSeek-V3 (the same)
        (grouped(32, 32, 128), 524288),  # Llama-2-7B
        (grouped(32, 8, 128), 131072),  # Llama-3.1-8B, Mistral-7B
        (grouped(40, 40, 128), 819200),  # OPT-13B (arXiv 2309.06180, section 3)
        (grouped(48, 25, 64), 307200),  # GPT-2 XL
        (grouped(94, 4, 128), 192512),  # Qwen3-235B: d is 128, h/a would be 64
        (grouped(64, 8, 128), 262144),  # Qwen3-32B: h/a would be 80
        (grouped(42, 8, 256), 344064),  # Gemma-2-9B: h/a would be 224
        (grouped(40, 8, 128), 163840),  # Mistral-Nemo-12B: h/a would be 160
        (grouped(32, 1, 64), 8192),  # Falcon-7B, one head for all queries
        (GPT_OSS, 73728),  # while the window of 128 still fills
        (stack(*(LatentAttention(128, 1536, 512, 128, 64, 128),) * 60), 69120),  # DeepSeek-V2
    ],
)
def test_bytes_per_token_as_published(arch: Architecture, published: int) -> None:
    """Two vectors of g·d per layer, read from the config: not half, not for every query head, not with h/a for d."""
    assert bytes_per_token(arch) == published


@pytest.mark.parametrize(
    ("trap", "arch", "context", "wrong"),
    [
        ("without the factor 2", grouped(32, 8, 128), 1, 32 * 8 * 128 * 2),
        ("without grouped queries", grouped(32, 8, 128), 1, 2 * 32 * 32 * 128 * 2),
        ("without the layers", grouped(32, 8, 128), 1, 2 * 8 * 128 * 2),
        ("h/a for d", grouped(64, 8, 128), 1, 2 * 64 * 8 * 80 * 2),
        ("MLA as full heads", stack(*(V3,) * 61), 1, 61 * 128 * (192 + 128) * 2),
        ("MLA with a factor 2", stack(*(V3,) * 61), 1, 2 * 61 * 576 * 2),
        ("sliding layers at full length", GPT_OSS, 131072, 2 * 36 * 8 * 64 * 2 * 131072),
        ("recurrent layers at full length", JAMBA, 262144, 2 * 32 * 8 * 128 * 2 * 262144),
        ("four bits as half a byte", grouped(32, 8, 128), 1, 32 * 8 * 128),
    ],
)
def test_traps_of_other_calculators(trap: str, arch: Architecture, context: int, wrong: int) -> None:
    """What other calculators count is not what is counted here."""
    found = kv_cache_bytes(arch, context=context, format="q4_0" if trap.startswith("four bits") else "bf16")
    assert found != pytest.approx(wrong, rel=0.05), trap


def test_bytes_per_token_in_other_formats() -> None:
    """Eight bits halve the cache of Llama-3-70B to 160 KiB a token; MLA expands to every head where a reference caches it so."""
    assert bytes_per_token(grouped(80, 8, 128), format="int8") == 163840
    v3 = stack(*(V3,) * 61)
    assert bytes_per_token(v3, expanded=True) == 4997120
    assert bytes_per_token(v3, format="fp8_ds_mla") == 40016


@pytest.mark.parametrize(
    ("format", "bits"), [("fp32", 32), ("bf16", 16), ("fp16", 16), ("fp8", 8), ("int8", 8), ("q8_0", 8.5), ("q4_0", 4.5), ("nvfp4", 4.5)]
)
def test_cache_formats_include_their_scales(format: str, bits: float) -> None:
    """A cached element takes the bits of its format with the scales of its block."""
    assert 8 * bytes_per_token(grouped(1, 8, 128), format=format) == bits * 2 * 8 * 128


def test_scales_per_token_and_head() -> None:
    """Four heads of 256 in int8 with an fp32 scale each take 2,080 bytes a token and layer in vLLM, not 2,048."""
    assert bytes_per_token(grouped(1, 4, 256), format="int8-per-token-head") == 2080


@pytest.mark.parametrize(
    ("arch", "context", "published"),
    [
        (JAMBA, 262144, 4 * 2**30),  # arXiv 2403.19887, table 1, states apart
        (grouped(32, 8, 128), 262144, 32 * 2**30),  # Mixtral (the same)
        (grouped(32, 32, 128), 262144, 128 * 2**30),  # Llama-2-7B (the same)
        (grouped(40, 40, 128), 8192, 6710886400),  # Llama-2-13B (the scaling book, inference)
        (grouped(32, 32, 128), 512, 256 * 2**20),  # llama.cpp: KV self size = 256.00 MiB
        (stack(*(Attention(32, 16, 128, 128, 1024),) * 52, *(Attention(32, 16, 128, 128),) * 10), 131072, 11173625856),  # Gemma-3-27B
        (stack(*(Attention(32, 16, 128, 128, 4096), Attention(32, 16, 128, 128)) * 23), 8192, 2315255808),  # Gemma-2-27B
        (GPT_OSS, 131072, 4836556800),
        (grouped(32, 8, 128, window=4096), 32768, 536870912),  # Mistral-7B: an eighth at 32k (arXiv 2310.06825)
    ],
)
def test_totals_as_published(arch: Architecture, context: int, published: int) -> None:
    """Windowed layers stop at their window and only attention layers cache: never the full length for all."""
    states = sum(state_bytes(layer.mixer) for layer in arch.layers if isinstance(layer.mixer, Recurrent))
    assert kv_cache_bytes(arch, context=context) - states == published


@pytest.mark.parametrize(
    ("layers", "hidden", "slots", "gib"), [(40, 5120, 15700, 12), (64, 9216, 9700, 21), (96, 12288, 60100, 264)], ids=["13B", "66B", "175B"]
)
def test_slots_of_the_vllm_paper(layers: int, hidden: int, slots: int, gib: float) -> None:
    """The token slots of OPT in arXiv 2309.06180, table 1, fill the cache memory printed there, within 2 %."""
    assert kv_cache_bytes(grouped(layers, hidden // 128, 128), context=slots) / 2**30 == pytest.approx(gib, rel=0.02)


def test_states_do_not_grow() -> None:
    """Mamba-2.8B keeps 23,592,960 bytes a sequence at any length, none a token."""
    assert kv_cache_bytes(MAMBA, context=1) == kv_cache_bytes(MAMBA, context=10**6) == 23592960
    assert kv_cache_bytes(MAMBA, batch=3, context=1) == 3 * 23592960
    assert bytes_per_token(MAMBA) == 0


def test_one_head_per_rank_at_least() -> None:
    """SGLang's log of Qwen3-235B: 16.46 GiB for 367,404 tokens on each of four GPUs, one head apiece; on eight GPUs no less."""
    qwen = grouped(94, 4, 128)
    assert bytes_per_token(qwen, tensor_parallel=4) == 48128
    assert bytes_per_token(qwen, tensor_parallel=4) == pytest.approx(16.46 * 2**30 / 367404, rel=2e-3)
    assert bytes_per_token(qwen, tensor_parallel=8) == 48128


def test_latent_is_on_every_rank() -> None:
    """Tensor parallelism does not split MLA's latent; expanded to heads it does."""
    v3 = stack(*(V3,) * 61)
    assert bytes_per_token(v3, tensor_parallel=8) == bytes_per_token(v3)
    assert bytes_per_token(v3, tensor_parallel=8, expanded=True) == bytes_per_token(v3, expanded=True) / 8


def test_vllm_prints_concurrency() -> None:
    """1,381 blocks of 16 are 10.79 sequences of 2,048 tokens; 127,626 blocks hold 2,042,016 tokens."""
    assert concurrency(1381, 2048, 16) == pytest.approx(10.79, rel=1e-3)
    assert paged_tokens(127626, 16) == 2042016


def test_blocks_round_up_per_sequence() -> None:
    """Each sequence wastes the rest of its last block, and the batch does so once per sequence."""
    assert cached_tokens(1, 1, block=16) == 16
    assert cached_tokens(10, 17, block=16) == 320
    assert cached_tokens(10, 32, block=16) == 320


def test_a_shared_prefix_is_stored_once() -> None:
    """A hundred sequences share the full blocks of their prompt; the block that is not full is each one's own."""
    assert cached_tokens(100, 1024, prefix=1000, block=1) == 1000 + 100 * 24
    assert cached_tokens(100, 1024, prefix=1000, block=16) == 992 + 100 * 32
    assert cached_tokens(1, 1024, prefix=1000, block=16) == 1024
    assert cached_tokens(100, 8192, window=1024, prefix=1000) == 100 * 1024  # the window has left the prefix behind
    assert cached_tokens(100, 2048, prefix=1000, compression=2) == 500 + 100 * 524


def test_encoders_and_shared_layers_cache_nothing() -> None:
    """BERT has no cache; a layer that reads an earlier layer's has none of its own."""
    attention = Attention(12, 12, 64, 64)
    assert kv_cache_bytes(stack(*(attention,) * 12, encoder=12), context=512) == 0
    reader = Attention(8, 2, 256, 256, shares_cache=True)
    assert kv_cache_bytes(stack(Attention(8, 2, 256, 256), reader), context=512) == kv_cache_bytes(stack(Attention(8, 2, 256, 256)), context=512)


def test_cross_attention_caches_the_encoder_once() -> None:
    """Whisper's decoder caches 1,500 positions of the encoder beside its own tokens."""
    whisper = stack(*(Attention(20, 20, 64, 64, cross=True),) * 32)
    each = 32 * 2 * 20 * 64 * 2
    assert kv_cache_bytes(whisper, context=448, encoder_context=1500) == each * (448 + 1500)


def test_one_vector_for_key_and_value() -> None:
    """Where the key serves as value, one vector is cached and not two."""
    assert bytes_per_token(stack(Attention(128, 1, 512, 512, key_is_value=True))) == 1024


def test_windowed_layers_have_a_line_of_their_own() -> None:
    """The line that is named after its window counts no more tokens than that, the other all of them."""
    found = {term.name: term.bytes for term in terms(stack(Attention(8, 8, 64, 64), Attention(8, 8, 64, 64, window=128)), batch=1, context=4096)}
    assert found == {"KV cache": 2 * 8 * 64 * 2 * 4096, "KV cache of windowed layers": 2 * 8 * 64 * 2 * 128}


def test_compression_and_indexer() -> None:
    """A compressed layer stores one entry for several tokens beside its window; an indexer adds a key, 132 bytes in fp8."""
    compressed = Attention(128, 1, 512, 512, window=128, key_is_value=True, compression=4)
    assert kv_cache_bytes(stack(compressed), context=8192) == 1024 * (8192 / 4 + 128)
    indexed = LatentAttention(64, 2048, 512, 192, 64, 256, index_dim=128)
    assert bytes_per_token(stack(indexed)) == 2 * (576 + 128)
    assert bytes_per_token(stack(indexed), format="fp8_ds_mla") == 656 + 132


@pytest.mark.parametrize(
    ("mixer", "format", "formula", "values"),
    [
        (LatentAttention(64, 2048, 512, 192, 64, 256), "bf16", "L·(kv + dr)·bytes·b·s", "1·(512 + 64)·2·1·1,000"),
        (Attention(32, 8, 128, 128), "bf16", "L·g·(d + d_v)·bytes·b·s", "1·8·(128 + 128)·2·1·1,000"),
        (Attention(128, 1, 512, 512, key_is_value=True), "bf16", "L·g·d·bytes·b·s", "1·1·512·2·1·1,000"),
        (
            LatentAttention(64, 2048, 512, 192, 64, 256),
            "fp8_ds_mla",
            "L·(kv + 4·ceil(kv/128) + 2·dr)·b·s",
            "1·(512 + 4·ceil(512/128) + 2·64)·1·1,000",
        ),
    ],
)
def test_the_formula_says_what_is_cached(mixer: Attention | LatentAttention, format: str, formula: str, values: str) -> None:
    """Widths as they are cached; a cell whose bytes are more than its values says so; and the numbers multiply to the bytes."""
    (term,) = terms(stack(mixer), batch=1, context=1000, format=format)
    assert (term.formula, term.values) == (formula, values)
    assert eval(values.replace("·", "*").replace(",", ""), {"ceil": ceil}) == term.bytes


def test_arrays_are_answered_at_once() -> None:
    """A sweep over batch and context is one call with the values of single calls."""
    batches, contexts = np.array([[1], [4], [64]]), np.array([1, 127, 128, 129, 5000])
    swept = kv_cache_bytes(GPT_OSS, batch=batches, context=contexts, block=16)
    assert isinstance(swept, np.ndarray)
    assert swept.shape == (3, 5)
    for i, batch in enumerate(batches[:, 0]):
        for j, context in enumerate(contexts):
            assert swept[i, j] == kv_cache_bytes(GPT_OSS, batch=int(batch), context=int(context), block=16)


@pytest.mark.parametrize("arch", [GPT_OSS, JAMBA, MAMBA, stack(*(V3,) * 3), grouped(2, 4, 64, window=40)])
def test_bytes_never_fall(arch: Architecture) -> None:
    """More tokens, sequences or layers never take less; more ranks never take more a rank."""
    context = np.arange(1, 400)
    for prefix in (0, 1):
        assert np.all(np.diff(kv_cache_bytes(arch, batch=3, context=context, block=16, prefix=prefix)) >= 0)
    assert np.all(np.diff(kv_cache_bytes(arch, batch=np.arange(1, 50), context=300, prefix=100)) >= 0)
    assert kv_cache_bytes(stack(*(layer.mixer for layer in arch.layers), Attention(8, 8, 64, 64)), context=9) > kv_cache_bytes(arch, context=9)
    ranks = [kv_cache_bytes(arch, context=300, tensor_parallel=t) for t in (1, 2, 4, 8, 16)]
    assert ranks == sorted(ranks, reverse=True)


def test_fewer_bits_never_take_more() -> None:
    """Sorted by bits, the formats are sorted by bytes."""
    names = ("fp32", "bf16", "q8_0", "int8-per-token-head", "int8", "q4_0")
    sizes = [kv_cache_bytes(JAMBA, context=4096, format=name) for name in names]
    assert sizes == sorted(sizes, reverse=True)


def test_terms_sum_and_show_the_numbers() -> None:
    """The terms of a cache sum to its bytes, and the formula with the numbers in it comes to the same."""
    for arch in (GPT_OSS, JAMBA, stack(*(V3,) * 3)):
        lines = terms(arch, batch=2, context=4096)
        assert sum(line.bytes for line in lines) == kv_cache_bytes(arch, batch=2, context=4096)
        for line in lines:
            arithmetic = re.sub(r",(?=\d)", "", line.values).replace("·", "*")
            assert eval(arithmetic, {"__builtins__": {}, "min": min}) == line.bytes


@pytest.mark.parametrize(
    "wrong",
    [
        {"context": 0},
        {"context": -1},
        {"context": float("nan")},
        {"context": float("inf")},
        {"context": 1.5},
        {"context": "many"},
        {"context": None},
        {"context": 100, "batch": 0},
        {"context": 100, "block": 0},
        {"context": 100, "prefix": 101},
        {"context": 100, "prefix": -1},
        {"context": 100, "tensor_parallel": 0},
        {"context": np.array([])},
        {"context": 100, "format": "q2_k"},
        {"context": 100, "format": "fp8_ds_mla"},
    ],
)
def test_bad_input_is_answered_with_a_sentence(wrong: dict[str, object]) -> None:
    """What cannot be cached is refused with the value and what to give instead."""
    with pytest.raises(InputError, match=r"\w.*[.]$"):
        kv_cache_bytes(GPT_OSS, **wrong)  # type: ignore[arg-type]


def test_unknown_formats_list_the_known() -> None:
    """An unknown format is answered with those that exist."""
    with pytest.raises(InputError, match=", ".join(kv_cache.FORMATS)):
        bytes_per_token(GPT_OSS, format="bf8")
