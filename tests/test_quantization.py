"""Quantization: bytes of the weights in every format, checked against checkpoints, papers and llama.cpp's own tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from wallviz import catalog
from wallviz.engine.memory import quantization
from wallviz.engine.memory.quantization import bits_per_weight, gguf_bytes, pruned, stored, weights_bytes
from wallviz.engine.transformer import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Tensor
from wallviz.errors import InputError


def linear(name: str, out: int, into: int, component: str = "attention") -> Tensor:
    return Tensor(name, (out, into), component, linear=True)


def gated(hidden: int, width: int) -> tuple[Tensor, ...]:
    return linear("gate_proj", width, hidden, "mlp"), linear("up_proj", width, hidden, "mlp"), linear("down_proj", hidden, width, "mlp")


def llama(
    L: int, h: int, f: int, a: int, g: int, V: int, *, tied: bool = False, family: str = "llama", experts: int = 0, qkv_bias: bool = False
) -> Architecture:
    d = h // a
    attention = (linear("q_proj", a * d, h), linear("k_proj", g * d, h), linear("v_proj", g * d, h), linear("o_proj", h, a * d))
    biases = tuple(Tensor(f"{name}_proj.bias", (n * d,), "attention") for name, n in (("q", a), ("k", g), ("v", g))) if qkv_bias else ()
    norms = tuple(Tensor(name, (h,), "norm") for name in ("input_layernorm", "post_attention_layernorm"))
    routed = (
        Tensor("router", (experts, h), "router", linear=True),
        Tensor("gate_up_proj", (experts, 2 * f, h), "routed_experts", linear=True),
        Tensor("down_proj", (experts, h, f), "routed_experts", linear=True),
    )
    block = Layer(
        Attention(a, g, d, d),
        Experts(experts, 2, f) if experts else Dense(f, gated=True),
        (*attention, *biases, *(routed if experts else gated(h, f)), *norms),
    )
    outer = (Tensor("embed_tokens", (V, h), "embedding"), Tensor("norm", (h,), "norm"), *(() if tied else (linear("lm_head", V, h, "lm_head"),)))
    return Architecture("test", family, h, V, (block,) * L, outer, tied)


def deepseek_v3() -> Architecture:
    """With the multi-token prediction layer, which the checkpoint holds and the model class does not."""
    h, V = 7168, 129280
    latent = (
        linear("q_a_proj", 1536, h),
        linear("q_b_proj", 128 * 192, 1536),
        linear("kv_a_proj_with_mqa", 576, h),
        linear("kv_b_proj", 128 * 256, 512),
        linear("o_proj", h, 128 * 128),
        *(Tensor(name, (n,), "norm") for name, n in (("q_a_layernorm", 1536), ("kv_a_layernorm", 512), ("input_layernorm", h), ("norm2", h))),
    )
    routed = (
        Tensor("router", (256, h), "router", linear=True),
        Tensor("gate_up_proj", (256, 4096, h), "routed_experts", linear=True),
        Tensor("down_proj", (256, h, 2048), "routed_experts", linear=True),
    )
    mixer = LatentAttention(128, 1536, 512, 128, 64, 128)
    dense = Layer(mixer, Dense(18432, gated=True), latent + gated(h, 18432))
    sparse = Layer(mixer, Experts(256, 8, 2048, 2048), latent + routed + gated(h, 2048))
    table, head = Tensor("embed_tokens", (V, h), "embedding"), linear("lm_head", V, h, "lm_head")
    prediction = (Tensor("eh_proj", (h, 2 * h), "other"), *(Tensor(name, (h,), "norm") for name in ("enorm", "hnorm", "head_norm")), table, head)
    outer = (table, head, Tensor("norm", (h,), "norm"), *prediction)
    return Architecture("DeepSeek-V3", "deepseek_v3", h, V, (dense,) * 3 + (sparse,) * 59, outer, tied=False, router_bias=59 * 256)


LLAMA_7B = llama(32, 4096, 11008, 32, 32, 32000)
LLAMA_8B = llama(32, 4096, 14336, 32, 8, 128256)
QWEN_7B = llama(28, 3584, 18944, 28, 4, 152064, family="qwen2", qkv_bias=True)


def test_double_quantization_saves_what_qlora_says() -> None:
    """QLoRA, section 3: 0.5 bits of scales become 0.127, 0.373 saved a parameter, about 3 GB of a 65B model."""
    saved = bits_per_weight("nf4") - bits_per_weight("nf4-dq")
    assert saved == 0.373046875
    assert saved * 65e9 / 8 / 1e9 == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize(
    ("format", "bits"),
    [
        ("fp32", 32.0),
        ("bf16", 16.0),
        ("fp16", 16.0),
        ("nf4", 4.5),
        ("nf4-dq", 4.126953125),
        ("mxfp4", 4.25),
        ("mxfp6", 6.25),
        ("mxfp8", 8.25),
        ("nvfp4", 4.5),
        ("fp8", 8.001953125),
        ("gptq-4", 4.15625),
        ("awq-4", 4.15625),
        ("gptq-4-g32", 4.625),
        ("int8", 8.00390625),
    ],
)
def test_bits_per_weight_include_the_scales(format: str, bits: float) -> None:
    """Each format takes exactly the bits of its specification: four bits are never half a byte."""
    assert bits_per_weight(format) == bits


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        ("F16", 16.0),
        ("BF16", 16.0),
        ("Q4_0", 4.5),
        ("Q4_1", 5.0),
        ("Q5_0", 5.5),
        ("Q5_1", 6.0),
        ("Q8_0", 8.5),
        ("Q2_K", 2.625),
        ("Q3_K", 3.4375),
        ("Q4_K", 4.5),
        ("Q5_K", 5.5),
        ("Q6_K", 6.5625),
        ("IQ4_XS", 4.25),
        ("IQ4_NL", 4.5),
        ("MXFP4", 4.25),
        ("NVFP4", 4.5),
        ("Q1_0", 1.125),
        ("Q2_0", 2.25),
        ("TQ1_0", 1.6875),
        ("TQ2_0", 2.0625),
        ("IQ1_S", 1.5625),
        ("IQ1_M", 1.75),
        ("IQ2_XXS", 2.0625),
        ("IQ2_XS", 2.3125),
        ("IQ2_S", 2.5625),
        ("IQ3_XXS", 3.0625),
        ("IQ3_S", 3.4375),
    ],
)
def test_block_types_of_ggml(kind: str, bits: float) -> None:
    """Every block type takes the bits that ggml-common.h asserts."""
    block, size = quantization.BLOCKS[kind]
    assert 8 * size / block == bits
    if kind.lower() not in quantization.FORMATS:
        assert bits_per_weight(kind) == bits


@pytest.mark.parametrize(
    ("shape", "mix", "published", "tensors"),
    [
        ((32, 4096, 11008, 32, 32, 32000), "Q4_K_M", 4081004224, 4080263168),
        ((32, 4096, 11008, 32, 32, 32000), "Q5_K_M", 4783156928, 4782415872),
        ((32, 4096, 11008, 32, 32, 32000), "Q8_0", 7161089728, 7160348672),
        ((32, 4096, 14336, 32, 8, 32000), "Q4_K_M", 4368438944, 4367704064),
        ((32, 4096, 14336, 32, 8, 32000), "Q5_K_M", 5131409056, 5130674176),
        ((32, 4096, 11008, 32, 32, 32016), "Q4_K_M", 4081095360, 4080353792),
        ((32, 4096, 11008, 32, 32, 32016), "Q5_K_M", 4783256256, 4782514688),
        ((32, 4096, 11008, 32, 32, 32016), "Q8_0", 7161229504, 7160487936),
        ((40, 5120, 13824, 40, 40, 32016), "Q4_K_M", 7866070016, 7865324160),
        ((40, 5120, 13824, 40, 40, 32016), "Q5_K_M", 9230048256, 9229302400),
        ((40, 5120, 13824, 40, 40, 32016), "Q8_0", 13831494016, 13830748160),
        ((48, 8192, 22016, 64, 8, 32000), "Q4_K_M", 20219900064, 20219150336),
        ((48, 8192, 22016, 64, 8, 32000), "Q5_K_M", 23838797984, 23838048256),
    ],
)
def test_published_gguf_files(shape: tuple[int, int, int, int, int, int], mix: str, published: int, tensors: int) -> None:
    """Files of Llama-2, Mistral and CodeLlama come out to the byte but for their header, within 0.02 %, without the files."""
    found = gguf_bytes(llama(*shape), mix)
    assert found == tensors
    assert found == pytest.approx(published, rel=2e-4)


@pytest.mark.parametrize(
    ("mix", "bits", "size_gib"),
    [
        ("IQ1_S", 2.0042, 1.87),
        ("IQ1_M", 2.1460, 2.01),
        ("IQ2_XXS", 2.3824, 2.23),
        ("IQ2_XS", 2.5882, 2.42),
        ("IQ2_S", 2.7403, 2.56),
        ("IQ2_M", 2.9294, 2.74),
        ("IQ3_XXS", 3.2548, 3.04),
        ("IQ3_XS", 3.4977, 3.27),
        ("IQ3_S", 3.6606, 3.42),
        ("IQ3_M", 3.7628, 3.52),
        ("IQ4_XS", 4.4597, 4.17),
        ("IQ4_NL", 4.6818, 4.38),
        ("Q2_K_S", 2.9697, 2.78),
        ("Q2_K", 3.1593, 2.95),
        ("Q3_K_S", 3.6429, 3.41),
        ("Q3_K_L", 4.2979, 4.02),
        ("Q4_K_S", 4.6672, 4.36),
        ("Q4_K_M", 4.8944, 4.58),
        ("Q5_K_S", 5.5704, 5.21),
        ("Q5_K_M", 5.7036, 5.33),
        ("Q6_K", 6.5633, 6.14),
        ("Q8_0", 8.5008, 7.95),
        ("F16", 16.0005, 14.96),
    ],
)
def test_llama_cpp_table(mix: str, bits: float, size_gib: float) -> None:
    """llama.cpp's table of Llama-3.1-8B (tools/quantize/README.md) is reproduced to its last digit, mix by mix."""
    assert bits_per_weight(f"gguf:{mix}", LLAMA_8B) == pytest.approx(bits, abs=5e-5)
    assert gguf_bytes(LLAMA_8B, mix) / 2**30 == pytest.approx(size_gib, abs=0.0051)


def types_of(arch: Architecture, mix: str, **options: bool) -> dict[tuple[str, int | None], str]:
    return {(one.tensor.name, one.layer): one.kind for one in stored(arch, f"gguf:{mix}", **options)}


def test_tied_head_is_stored_as_the_output() -> None:
    """A model without a head of its own stores its embedding in the type of the output, as llama.cpp does."""
    assert types_of(replace(QWEN_7B, outer=QWEN_7B.outer[:2], tied=True), "Q4_K_M")["embed_tokens", None] == "Q6_K"
    assert types_of(QWEN_7B, "Q4_K_M")["embed_tokens", None] == "Q4_K"


def test_rows_that_no_block_divides_take_another_type() -> None:
    """A row of 4,864 is 19 blocks of 256, one of 896 none: those tensors fall back to blocks of 32."""
    small = llama(24, 896, 4864, 14, 2, 151936, tied=True, family="qwen2")
    kinds = types_of(small, "Q4_K_M")
    assert kinds["q_proj", 3] == "Q5_0"
    assert kinds["embed_tokens", None] == "Q8_0"
    assert kinds["down_proj", 3] == "Q4_K"
    assert types_of(small, "IQ2_M")["q_proj", 0] == "IQ4_NL"


def test_eight_experts_keep_keys_and_values_in_eight_bits() -> None:
    """Mixtral's keys and values take Q8_0, its attention output Q5_K, its routers stay in fp32."""
    kinds = types_of(llama(32, 4096, 14336, 32, 8, 32000, family="mixtral", experts=8), "Q4_K_M")
    assert (kinds["k_proj", 9], kinds["v_proj", 9], kinds["o_proj", 9], kinds["router", 9]) == ("Q8_0", "Q8_0", "Q5_K", "F32")


def test_seventy_billion_rule() -> None:
    """The 70B's value matrices, shared by eight heads, take Q5_K where the mix says Q4_K; the 65B's do not."""
    assert types_of(llama(80, 8192, 28672, 64, 8, 128256), "Q4_K_M")["v_proj", 11] == "Q5_K"
    assert types_of(llama(80, 8192, 22016, 64, 64, 32000), "Q4_K_M")["v_proj", 11] == "Q4_K"


def test_falcon_has_its_own_rules() -> None:
    """Falcon's head takes Q8_0 and its fused queries, keys and values count as values."""
    block = Layer(Attention(64, 1, 128, 128), Dense(32768, gated=False), (linear("query_key_value", 8448, 8192), linear("dense", 8192, 8192)))
    falcon = Architecture("test", "falcon", 8192, 65024, (block,) * 32, (linear("lm_head", 65024, 8192, "lm_head"),), tied=False)
    kinds = types_of(falcon, "Q4_K_M")
    assert (kinds["lm_head", None], kinds["query_key_value", 0], kinds["query_key_value", 4]) == ("Q8_0", "Q6_K", "Q4_K")


def test_latent_attention_is_split_as_the_converter_writes_it() -> None:
    """MLA's key part has rows of 128, which no block of 256 divides: it falls back, the value part does not."""
    kinds = types_of(deepseek_v3(), "Q4_K_M")
    assert (kinds["attn_k_b", 5], kinds["attn_v_b", 5]) == ("Q5_0", "Q4_K")


def test_mxfp4_moe_quantizes_experts_alone() -> None:
    """The mix for gpt-oss puts stacked experts in MXFP4 and other matrices in Q8_0."""
    kinds = types_of(llama(32, 4096, 14336, 32, 8, 32000, family="mixtral", experts=8), "MXFP4_MOE")
    assert (kinds["down_proj", 0], kinds["q_proj", 0], kinds["lm_head", None]) == ("MXFP4", "Q8_0", "Q8_0")


def test_importance_matrix_changes_the_mix() -> None:
    """With an importance matrix IQ4_XS needs no finer down-projections, and Q4_0 takes Q4_1 in the first eighth."""
    assert gguf_bytes(LLAMA_8B, "IQ4_XS", imatrix=True) < gguf_bytes(LLAMA_8B, "IQ4_XS")
    assert types_of(LLAMA_8B, "Q4_0", imatrix=True)["down_proj", 0] == "Q4_1"


@pytest.mark.parametrize(("format", "gigabytes"), [("gptq-4-g32", 4.28), ("gptq-4-g64", 4.02), ("gptq-4", 3.90), ("awq-4", 3.89)])
def test_gptq_and_awq_checkpoints_of_llama_2_7b(format: str, gigabytes: float) -> None:
    """Checkpoints of Llama-2-7B come out within 0.3 %: 4 + 20/g bits, GPTQ's index of groups, the rest in 16 bits."""
    assert weights_bytes(LLAMA_7B, format) / 1e9 == pytest.approx(gigabytes, rel=3e-3)


def test_gptq_to_the_byte() -> None:
    """6,476,005,376 weights at 4.15625 bits, 32 bits per input row, 262,410,240 weights at 16 bits."""
    assert weights_bytes(LLAMA_7B, "gptq-4") == 3893862400
    assert weights_bytes(LLAMA_7B, "awq-4") == 3889307648


def test_deepseek_v3_checkpoint() -> None:
    """DeepSeek-V3's FP8 repository holds 688,586,727,753 bytes; all but its file headers are accounted for."""
    found = weights_bytes(deepseek_v3(), "fp8")
    assert found == 688574839360
    assert found == pytest.approx(688586727753, rel=3e-5)


def test_memory_footprint_of_transformers() -> None:
    """``get_memory_footprint`` of Qwen2.5-7B in NF4 prints 5.44 GB: elements without scales, which take 0.8 GB more."""
    assert weights_bytes(QWEN_7B, "nf4", scales=False) / 1e9 == pytest.approx(5.44, rel=1e-3)
    assert weights_bytes(QWEN_7B, "nf4") - weights_bytes(QWEN_7B, "nf4", scales=False) == 6525288448 / 64 * 4


def test_bitsandbytes_counts_two_weights_as_one() -> None:
    """PEFT prints 3,540,389,888 parameters for LLaMA-7B in 4 bits with 39,976,960 of LoRA: packed bytes, not parameters."""
    packed = sum(one.tensor.size / 2 if one.kind == "nf4" else one.tensor.size for one in stored(LLAMA_7B, "nf4"))
    assert packed + 39_976_960 == 3_540_389_888


def test_embeddings_head_norms_and_routers_stay_in_16_bits() -> None:
    """What is not the weight of a linear layer of a block keeps 16 bits in every quantized format."""
    mixtral = llama(2, 4096, 14336, 32, 8, 32000, experts=8)
    kinds = {one.tensor.name: one.kind for one in stored(mixtral, "nf4-dq")}
    assert {name for name, kind in kinds.items() if kind == "16-bit"} == {
        "embed_tokens",
        "lm_head",
        "norm",
        "input_layernorm",
        "post_attention_layernorm",
        "router",
    }


def test_tied_embeddings_are_stored_once() -> None:
    """A tied head adds nothing: neither always counted nor never."""
    tied = llama(32, 4096, 14336, 32, 8, 128256, tied=True)
    assert weights_bytes(LLAMA_8B, "bf16") - weights_bytes(tied, "bf16") == 2 * 128256 * 4096


def test_two_of_four_takes_nine_sixteenths() -> None:
    """2:4 sparsity keeps half of the values and two bits of index each: 9/16 of 16-bit matrices, not half."""
    matrices = 2 * sum(one.tensor.size for one in stored(LLAMA_8B, "bf16") if one.kind == "bf16")
    assert weights_bytes(LLAMA_8B, "bf16", "2:4") == weights_bytes(LLAMA_8B, "bf16") - matrices * 7 // 16


def test_unstructured_pruning_saves_nothing_by_itself() -> None:
    """Half of the weights set to zero are stored like any other; CSR at that density is larger than dense, a bitmap smaller."""
    dense = weights_bytes(LLAMA_8B, "bf16")
    assert weights_bytes(LLAMA_8B, "bf16", "0.5") == dense
    half = pruned(LLAMA_8B, "bf16", 0.5)
    assert half.dense_bytes == dense
    assert half.csr_bytes > dense > half.bitmap_bytes
    assert pruned(LLAMA_8B, "bf16", 0.95).csr_bytes < dense


def test_pruning_more_never_takes_more() -> None:
    """Bytes of either sparse format fall as more is removed."""
    steps = [pruned(LLAMA_7B, "fp16", fraction) for fraction in (0, 0.25, 0.5, 0.75, 0.99)]
    for sizes in ([one.csr_bytes for one in steps], [one.bitmap_bytes for one in steps]):
        assert sizes == sorted(sizes, reverse=True)


def test_fewer_bits_never_take_more_bytes() -> None:
    """Sorted by bits per weight, formats are sorted by bytes, for dense models and for experts."""
    for arch in (LLAMA_8B, llama(4, 4096, 14336, 32, 8, 32000, experts=8)):
        names = sorted((name for name in quantization.FORMATS if name != "mxfp4-moe"), key=bits_per_weight)
        sizes = [weights_bytes(arch, name, scales=True) for name in names]
        assert all(one <= other * 1.002 for one, other in pairwise(sizes))  # indices that bits do not count: 0.1 %


def test_more_layers_never_take_fewer_bytes() -> None:
    """In every format and mix, a deeper model is larger."""
    for format in (*quantization.FORMATS, *(f"gguf:{mix}" for mix in quantization.MIXES)):
        sizes = [weights_bytes(llama(L, 1024, 2816, 16, 4, 32000), format) for L in (1, 2, 8, 9, 24, 80)]
        assert sizes == sorted(sizes)


def test_parts_sum() -> None:
    """The tensors as stored sum to the bytes of the model, routers' buffers included."""
    arch = deepseek_v3()
    for format in ("bf16", "fp8", "gguf:Q4_K_M"):
        assert sum(one.bytes for one in stored(arch, format)) + 4 * arch.router_bias == weights_bytes(arch, format)


def test_a_vision_tower_is_a_file_of_its_own() -> None:
    """llama.cpp keeps a vision tower outside of the model's file, in 16 bits: it is memory, not file."""
    seeing = replace(LLAMA_8B, outer=(*LLAMA_8B.outer, linear("patch", 1024, 1024, "vision")))
    assert gguf_bytes(seeing, "Q4_K_M") == gguf_bytes(LLAMA_8B, "Q4_K_M")
    assert weights_bytes(seeing, "gguf:Q4_K_M") == weights_bytes(LLAMA_8B, "gguf:Q4_K_M") + 2 * 1024**2


@pytest.mark.parametrize("wrong", ["int5", "", "gguf:Q9_K", "gguf:", "Q4_K_M", "gptq-5", "gptq-4-g0", "nf4\n\x00"])
def test_unknown_formats_list_the_known(wrong: str) -> None:
    """An unknown format is answered with those that exist."""
    with pytest.raises(InputError, match="Q4_K_M"):
        weights_bytes(LLAMA_8B, wrong)


@pytest.mark.parametrize("wrong", ["4:8", "1", 1.0, -0.1, float("nan"), float("inf"), "half", []])
def test_impossible_sparsity_is_refused(wrong: object) -> None:
    """A sparsity that no format has is answered with what to give."""
    with pytest.raises(InputError, match="2:4"):
        weights_bytes(LLAMA_8B, "bf16", wrong)  # type: ignore[arg-type]


def test_gguf_has_no_two_of_four() -> None:
    """2:4 in a GGUF file is refused with the formats that have it."""
    with pytest.raises(InputError, match="GGUF"):
        weights_bytes(LLAMA_8B, "gguf:Q4_K_M", "2:4")


def test_a_mix_has_no_bits_without_a_model() -> None:
    """Bits per weight of a mix need a model, and the answer says so."""
    with pytest.raises(InputError, match="model"):
        bits_per_weight("gguf:Q4_K_M")


def test_unless_it_is_said_no_importance_matrix_was_used() -> None:
    """IQ4_XS of Llama 3.1 8B is a mix that an importance matrix makes smaller; without the word it is the one without."""
    llama = catalog.architecture("llama-3.1-8b")
    without, with_one = (weights_bytes(llama, "gguf:IQ4_XS", imatrix=imatrix) for imatrix in (False, True))
    assert weights_bytes(llama, "gguf:IQ4_XS") == gguf_bytes(llama, "IQ4_XS") == without > with_one


def test_a_file_holds_the_routers_biases_in_fp32() -> None:
    """DeepSeek-V3 has 256 in each of its 58 layers with experts: 4 bytes each beside the tensors."""
    arch = catalog.architecture("deepseek-v3")
    assert gguf_bytes(arch, "Q4_K_M") - sum(one.bytes for one in stored(arch, "gguf:Q4_K_M")) == 4 * 58 * 256
