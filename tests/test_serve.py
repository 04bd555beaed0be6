"""Serving: weights, cache, forward pass and overheads on one GPU, and how many sequences fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wallviz.engine.memory.kv_cache import kv_cache_bytes
from wallviz.engine.memory.quantization import weights_bytes
from wallviz.engine.memory.serve import Serving, infer, layer_elements, pool_bytes, share
from wallviz.engine.transformer import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Recurrent, Tensor
from wallviz.errors import InputError


def linear(name: str, out: int, into: int, component: str = "attention") -> Tensor:
    return Tensor(name, (out, into), component, linear=True)


def llama(L: int, h: int, f: int, a: int, g: int, V: int, *, tied: bool = False, window: int | None = None) -> Architecture:
    d = h // a
    block = Layer(
        Attention(a, g, d, d, window),
        Dense(f, gated=True),
        (
            *(linear("q_proj", a * d, h), linear("k_proj", g * d, h), linear("v_proj", g * d, h), linear("o_proj", h, a * d)),
            *(linear("gate_proj", f, h, "mlp"), linear("up_proj", f, h, "mlp"), linear("down_proj", h, f, "mlp")),
            *(Tensor("input_layernorm", (h,), "norm"), Tensor("post_attention_layernorm", (h,), "norm")),
        ),
    )
    outer = (Tensor("embed_tokens", (V, h), "embedding"), Tensor("norm", (h,), "norm"), *(() if tied else (linear("lm_head", V, h, "lm_head"),)))
    return Architecture("test", "llama", h, V, (block,) * L, outer, tied)


LLAMA_8B = llama(32, 4096, 14336, 32, 8, 128256)
LLAMA_70B = llama(80, 8192, 28672, 64, 8, 128256)
QWEN_7B, QWEN_14B, QWEN_72B = (
    llama(32, 4096, 11008, 32, 32, 151936),
    llama(40, 5120, 13696, 40, 40, 152064),
    llama(80, 8192, 24576, 64, 64, 152064),
)


def test_capacity_is_what_the_engine_leaves() -> None:
    """The pool is utilization·HBM less weights, forward pass, graphs and other; concurrency is its blocks over those of a sequence."""
    served = infer(LLAMA_8B, batch=1, context=8192, hardware_bytes=80e9)
    used = served.weights_bytes + served.activation_bytes + served.overheads["graphs"] + served.overheads["other"]
    assert served.pool_bytes == 0.9 * 80e9 - used
    assert served.max_concurrency == served.pool_bytes // (16 * 131072) / 512
    assert served.max_concurrency_reason is None


@pytest.mark.parametrize(
    ("arch", "weights", "context", "gigabytes", "within"),
    [
        (QWEN_7B, "bf16", 2048, 16.99, 0.02),
        (QWEN_7B, "gptq-8", 2048, 11.20, 0.06),
        (QWEN_14B, "bf16", 2048, 30.15, 0.02),
        (QWEN_72B, "bf16", 2048, 144.69, 0.05),
        (QWEN_72B, "gptq-4", 2048, 48.86, 0.05),
        (QWEN_7B, "bf16", 512, 15.2, 0.06),
        (QWEN_7B, "bf16", 1024, 16.3, 0.01),
        (QWEN_7B, "bf16", 4096, 19.5, 0.09),
        (QWEN_7B, "bf16", 8192, 23.2, 0.14),
    ],
)
def test_calibration_on_qwens_tables(arch: Architecture, weights: str, context: int, gigabytes: float, within: float) -> None:
    """Peaks of generating with transformers, as Qwen's README prints them: calibration, with the miss beside each row, not a target."""
    # Published growth is 1.05 GB per 1,024 tokens where the cache is 0.54 GB: the allocator's leftovers of concatenated caches are not modelled.
    served = infer(arch, batch=1, context=context, weights=weights, engine="hf", prompt=1)
    assert served.peak_total_bytes / 1e9 == pytest.approx(gigabytes, rel=within)
    assert within <= served.error_band


def test_parts_sum() -> None:
    """Weights, cache, forward pass and overheads sum to the peak, and so do the terms."""
    for options in ({}, {"weights": "gguf:Q4_K_M", "kv": "q8_0"}, {"tensor_parallel": 4, "pipeline_parallel": 2}, {"engine": "hf"}):
        served = infer(LLAMA_70B, batch=3, context=5000, **options)  # type: ignore[arg-type]
        parts = served.weights_bytes + served.kv_cache_bytes + served.activation_bytes + sum(served.overheads.values())
        assert served.peak_total_bytes == parts
        assert sum(term.bytes for term in served.terms) == pytest.approx(parts, rel=1e-12)


def test_one_gpu_holds_all() -> None:
    """Without parallelism weights and cache are those of the whole model."""
    served = infer(LLAMA_8B, batch=4, context=1000, weights="awq-4", kv="fp8")
    assert served.weights_bytes == weights_bytes(LLAMA_8B, "awq-4")
    assert served.kv_cache_bytes == kv_cache_bytes(LLAMA_8B, batch=4, context=1000, format="fp8", block=16)
    assert served.kv_bytes_per_token == 65536


def test_tensor_parallelism_splits_matrices_and_copies_norms() -> None:
    """Eight ranks hold an eighth of the matrices, embedding and head each, and all of the norms."""
    served = infer(LLAMA_70B, context=4096, tensor_parallel=8)
    norms = 2 * (2 * 80 + 1) * 8192
    assert served.weights_bytes == (weights_bytes(LLAMA_70B, "bf16") - norms) / 8 + norms
    assert served.kv_bytes_per_token == 80 * 2 * 128 * 2


def test_fewer_heads_than_ranks_are_copied() -> None:
    """Sixteen ranks and eight key-value heads: each rank holds one whole head, twice over in all."""
    layer = LLAMA_70B.layers[0]
    assert share(layer.tensors[1], layer, 16) == 1 / 8
    assert share(layer.tensors[0], layer, 16) == 1 / 16
    assert infer(LLAMA_70B, context=4096, tensor_parallel=16).kv_bytes_per_token == 80 * 2 * 128 * 2


def test_pipeline_stages_hold_their_layers() -> None:
    """The fullest of four stages holds a quarter of the layers, and an embedding or the head."""
    whole, stage = (infer(LLAMA_70B, context=4096, pipeline_parallel=p) for p in (1, 4))
    assert stage.kv_cache_bytes == whole.kv_cache_bytes / 4
    table = 2 * 128256 * 8192
    assert stage.weights_bytes == pytest.approx((whole.weights_bytes - 2 * table) / 4 + table, rel=1e-4)


@pytest.mark.parametrize("stages", range(1, 81))
def test_stages_are_as_even_as_they_go(stages: int) -> None:
    """No stage holds more layers than the next whole number of an even share, whether or not the layers divide."""
    whole, stage = (infer(LLAMA_70B, context=4096, pipeline_parallel=p) for p in (1, stages))
    assert stage.kv_cache_bytes / (whole.kv_cache_bytes / 80) == -(-80 // stages)


@pytest.mark.parametrize("parallel", ["tensor_parallel", "pipeline_parallel"])
def test_sharding_never_raises_a_part(parallel: str) -> None:
    """More GPUs never leave more weights, cache or activations on one of them."""
    for arch in (LLAMA_70B, llama(8, 2048, 5632, 32, 4, 32000, tied=True)):
        runs = [infer(arch, batch=2, context=4096, **{parallel: n}) for n in (1, 2, 4, 8)]  # type: ignore[arg-type]
        for part in ("weights_bytes", "kv_cache_bytes", "activation_bytes"):
            sizes = [getattr(run, part) for run in runs]
            assert sizes == sorted(sizes, reverse=True), part


def test_bytes_never_fall() -> None:
    """A larger batch, a longer context and more layers never take less, in either engine."""
    for engine in ("vllm", "hf"):
        batch = infer(LLAMA_8B, batch=np.arange(1, 200), context=777, engine=engine).peak_total_bytes
        context = infer(LLAMA_8B, batch=3, context=np.arange(1, 5000), engine=engine).peak_total_bytes
        assert np.all(np.diff(batch) > 0)
        assert np.all(np.diff(context) >= 0)
        depth = [infer(replace(LLAMA_8B, layers=LLAMA_8B.layers[:1] * n), context=777, engine=engine).peak_total_bytes for n in (1, 2, 30, 80)]
        assert depth == sorted(depth)


def test_arrays_are_answered_at_once() -> None:
    """A sweep is one call with the values of single calls, concurrency included."""
    contexts = np.array([100, 4096, 100_000])
    swept = infer(LLAMA_8B, batch=2, context=contexts, hardware_bytes=80e9)
    for i, context in enumerate(contexts):
        one = infer(LLAMA_8B, batch=2, context=int(context), hardware_bytes=80e9)
        assert np.broadcast_to(swept.peak_total_bytes, 3)[i] == one.peak_total_bytes
        assert np.broadcast_to(swept.max_concurrency, 3)[i] == one.max_concurrency


def test_fewer_bits_serve_more_sequences() -> None:
    """Fewer bits of weights or cache never serve fewer sequences."""
    by_weights = [infer(LLAMA_8B, context=8192, weights=name, hardware_bytes=24e9).max_concurrency for name in ("bf16", "fp8", "awq-4")]
    by_cache = [infer(LLAMA_8B, context=8192, kv=name, hardware_bytes=24e9).max_concurrency for name in ("bf16", "q8_0", "fp8", "q4_0")]
    assert by_weights == sorted(by_weights)  # type: ignore[type-var]
    assert by_cache == sorted(by_cache)  # type: ignore[type-var]


def test_no_hardware_no_concurrency() -> None:
    """Without hardware concurrency is absent, with a reason; where the weights do not fit it is 0, with another."""
    without, small = (infer(LLAMA_8B, context=8192, hardware_bytes=size) for size in (None, 16e9))
    assert (without.max_concurrency, without.pool_bytes) == (None, None)
    assert "accelerator" in str(without.max_concurrency_reason)
    assert small.max_concurrency == 0
    assert "GPUs" in str(small.max_concurrency_reason)


def test_a_shared_prefix_serves_more() -> None:
    """Sequences that share most of their prompt fit many times over; the prefix is paid once."""
    alone, shared = (infer(LLAMA_8B, batch=32, context=8192, prefix=prefix, hardware_bytes=80e9) for prefix in (0, 8000))
    assert shared.kv_cache_bytes == 131072 * (8000 + 32 * 192)
    assert shared.max_concurrency == (shared.pool_bytes // (16 * 131072) - 500) / 12  # type: ignore[operator]
    assert shared.max_concurrency > 30 * alone.max_concurrency  # type: ignore[operator]


def test_the_engine_never_takes_what_the_context_occupies() -> None:
    """At full utilization the CUDA context still has its room."""
    assert pool_bytes(80e9, 1.0, 16e9, 1e9, 0.5e9, 0.1e9, 0.3e9) == pytest.approx(62.1e9)
    assert pool_bytes(80e9, 0.9, 90e9, 0, 0, 0, 0) == 0


def test_windows_and_states_bound_a_sequence() -> None:
    """A model whose layers all slide, or all are recurrent, serves as many long sequences as medium ones."""
    sliding = llama(32, 4096, 14336, 32, 8, 32000, window=4096)
    recurrent = replace(LLAMA_8B, layers=(replace(LLAMA_8B.layers[0], mixer=Recurrent("mamba", 8192, 8192 * 16, 8192 * 4)),) * 32)
    for arch in (sliding, recurrent):
        medium, long = (infer(arch, context=context, hardware_bytes=80e9) for context in (16384, 1_000_000))
        assert medium.max_concurrency == long.max_concurrency
        assert medium.max_concurrency is not None
        assert medium.max_concurrency > 10


def test_the_forward_pass_is_bounded_by_the_chunk() -> None:
    """vLLM prefills at most a chunk at once, transformers the whole prompt with the logits of every position."""
    short, long = (infer(LLAMA_8B, context=context) for context in (8192, 131072))
    assert short.activation_bytes == long.activation_bytes
    naive = infer(LLAMA_8B, context=8192, engine="hf")
    assert naive.activation_bytes > 6 * 128256 * 8192 > short.activation_bytes


def test_experts_are_not_scaled_down_by_their_share() -> None:
    """Each token of a mixture holds k experts' rows: the forward pass is larger than that of one expert, not k/E of all."""
    mixer = Attention(32, 8, 128, 128)
    mixture, expert = Layer(mixer, Experts(8, 2, 14336), ()), Layer(mixer, Dense(14336, gated=True), ())
    assert 1.5 < layer_elements(mixture, 4096) / layer_elements(expert, 4096) < 3


def test_latent_attention_expands_in_the_forward_pass() -> None:
    """MLA caches a latent and still computes with the keys and values of all heads: its forward pass is wider than its cache."""
    layer = Layer(LatentAttention(128, 1536, 512, 128, 64, 128), Dense(1, gated=True), ())
    assert layer_elements(layer, 7168) > 2 * 7168 + 128 * (192 + 192 + 128)


def test_overheads_are_additive_terms() -> None:
    """Context, graphs and communicators are constants, never a flat 20 %: they do not grow with the model."""
    small, large = infer(LLAMA_8B, context=1024), infer(LLAMA_70B, context=1024)
    assert small.overheads == large.overheads
    assert infer(LLAMA_8B, context=1024, engine="hf").overheads["graphs"] == 0
    assert infer(LLAMA_8B, context=1024, tensor_parallel=2).overheads["other"] > small.overheads["other"]


def test_prefixes_are_shared_by_pages_alone() -> None:
    """transformers stores a shared prompt for every sequence, and the answer says so."""
    alone, shared = (infer(LLAMA_8B, batch=8, context=1024, prefix=prefix, engine="hf") for prefix in (0, 1000))
    assert shared.kv_cache_bytes == alone.kv_cache_bytes
    assert any("prefix" in note for note in shared.notes)


def test_pruning_is_noted() -> None:
    """Unstructured sparsity changes no bytes and says why; 2:4 does change them."""
    dense, half, structured = (infer(LLAMA_8B, context=1024, sparsity=sparsity) for sparsity in (None, "0.5", "2:4"))
    assert half.weights_bytes == dense.weights_bytes > structured.weights_bytes
    assert any("saves nothing" in note for note in half.notes)
    assert not any("saves nothing" in note for note in dense.notes)


def test_encoders_have_no_cache_and_no_head() -> None:
    """A model without head and decoder takes no cache and no logits."""
    encoder = replace(LLAMA_8B, layers=tuple(replace(layer, encoder=True) for layer in LLAMA_8B.layers), outer=LLAMA_8B.outer[:2])
    served = infer(encoder, context=512, hardware_bytes=80e9)
    assert served.kv_cache_bytes == served.kv_bytes_per_token == 0
    assert not any(term.name == "logits" for term in served.terms)
    assert served.max_concurrency == np.inf


def test_serving_is_frozen() -> None:
    """A result cannot be changed after the fact."""
    served = infer(LLAMA_8B, context=512)
    assert isinstance(served, Serving)
    with pytest.raises(AttributeError):
        served.weights_bytes = 0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"batch": 0}, "batch"),
        ({"context": 0}, "context"),
        ({"context": float("nan")}, "context"),
        ({"batch": 1.5}, "batch"),
        ({"utilization": 0}, "utilization"),
        ({"utilization": 1.01}, "utilization"),
        ({"utilization": float("nan")}, "utilization"),
        ({"utilization": "most"}, "utilization"),
        ({"hardware_bytes": 0}, "hardware_bytes"),
        ({"hardware_bytes": float("nan")}, "hardware_bytes"),
        ({"tensor_parallel": 3}, "use 1, 2, 4, 8"),
        ({"tensor_parallel": 0}, "tensor_parallel"),
        ({"pipeline_parallel": 33}, "pipeline_parallel"),
        ({"engine": "sglang"}, "vllm, hf"),
        ({"weights": "int3"}, "nf4-dq"),
        ({"weights": "gguf:Q5"}, "Q5_K_M"),
        ({"kv": "fp4"}, "q8_0"),
        ({"prefix": 4096}, "prefix"),
        ({"prompt": 4097}, "prompt"),
        ({"block": 0}, "block"),
        ({"chunk": 0}, "chunk"),
        ({"sparsity": "most"}, "2:4"),
        ({"batch": np.arange(1, 4), "context": np.arange(1, 6)}, "broadcast"),
        ({"context": np.array([])}, "empty"),
    ],
)
def test_bad_input_is_answered_with_a_sentence(wrong: dict[str, object], says: str) -> None:
    """What cannot be served is refused with the rule, the value and what to do."""
    with pytest.raises(InputError, match=says):
        infer(LLAMA_8B, **{"context": 4096, **wrong})  # type: ignore[arg-type]
