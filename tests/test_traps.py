"""The mistakes that footprint calculators make, one test each: the name says the mistake that is not made here."""

from __future__ import annotations

import pytest

from wallviz import units
from wallviz.engine.memory import activations
from wallviz.engine.memory.kv_cache import bytes_per_token, kv_cache_bytes
from wallviz.engine.memory.overheads import CONTEXT_BYTES, RESERVED_RATIO
from wallviz.engine.memory.peak import PARTS, train
from wallviz.engine.memory.quantization import bits_per_weight
from wallviz.engine.memory.run import Run
from wallviz.engine.transformer import Architecture, architecture

GQA = {
    "model_type": "llama", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 8, "num_attention_heads": 16,
    "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 32000, "tie_word_embeddings": False,
}  # fmt: skip
MOE = {
    "model_type": "mixtral", "hidden_size": 1024, "intermediate_size": 2048, "num_hidden_layers": 4, "num_attention_heads": 16,
    "num_key_value_heads": 4, "vocab_size": 32000, "num_local_experts": 16, "num_experts_per_tok": 2, "tie_word_embeddings": False,
}  # fmt: skip
MLA = {
    "model_type": "deepseek_v2", "hidden_size": 1024, "intermediate_size": 2048, "moe_intermediate_size": 512, "num_hidden_layers": 4,
    "num_attention_heads": 16, "num_key_value_heads": 16, "q_lora_rank": 256, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1, "vocab_size": 32000,
}  # fmt: skip
WINDOWS = {
    "model_type": "gemma3_text", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 6, "num_attention_heads": 8,
    "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 32000, "sliding_window": 512,
    "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
}  # fmt: skip


@pytest.fixture(scope="module")
def gqa() -> Architecture:
    return architecture(GQA)


@pytest.fixture(scope="module")
def moe() -> Architecture:
    return architecture(MOE)


def test_trap_kv_cache_without_the_factor_two_without_gqa_or_with_h_over_a(gqa: Architecture) -> None:
    """Keys and values, of the KV heads, of the head dimension that the config names: 2·L·g·d·bytes."""
    assert bytes_per_token(gqa) == 2 * 8 * 4 * 128 * 2


def test_trap_mla_cached_as_full_heads() -> None:
    """MLA caches one latent and one rotary key per layer: L(kv + dr)·bytes."""
    assert bytes_per_token(architecture(MLA)) == 4 * (512 + 64) * 2


def test_trap_sliding_layers_cached_at_full_length() -> None:
    """A window keeps its own length: five layers of 512 tokens and one of 8,192."""
    assert kv_cache_bytes(architecture(WINDOWS), batch=1, context=8192, block=1) == 2 * 4 * 128 * 2 * (5 * 512 + 8192)


def test_trap_zero_divided_by_the_world_size_after_tensor_and_pipeline(gqa: Architecture) -> None:
    """ZeRO shards over data parallel ranks what tensor and pipeline parallelism have already split, not over all GPUs again."""
    answer = train(gqa, tensor_parallel=2, pipeline_parallel=2, data_parallel=4, zero=1, accumulation=4, stage="first")
    whole = train(gqa, tensor_parallel=2, pipeline_parallel=2, data_parallel=1, zero=0, accumulation=4, stage="first")
    states = [float(a.phase_parts["optimizer_step"]["optimizer"]) for a in (answer, whole)]
    assert states[0] == pytest.approx(states[1] / 4)


def test_trap_34_sbh_for_swiglu_and_flash(gqa: Architecture) -> None:
    """34h + 5as is a GPT with dropout and eager attention; a Llama layer with flash attention is 16h + 4ad + 4gd + 8f + 4a + 8."""
    run = Run(precision="bf16-pure", sequence=4096)
    per_token = float(activations.per_rank(activations.layer(gqa, gqa.layers[0], run), run))
    assert per_token == 16 * 1024 + 4 * 16 * 128 + 4 * 4 * 128 + 8 * 4096 + 4 * 16 + 8
    assert per_token != pytest.approx(34 * 1024, rel=0.3)


def test_trap_full_recomputation_sold_as_34_sbh() -> None:
    """Full recomputation keeps 2h a layer and token, and makes one layer's full set again on the way back."""

    def activations_of(layers: int, recompute: str, phase: str) -> float:
        answer = train(architecture(GQA | {"num_hidden_layers": layers}), precision="bf16-pure", recompute=recompute, sequence=4096, micro_batch=8)
        return float(answer.phase_parts[phase]["activations"])

    tokens = 8 * 4096
    assert activations_of(9, "full", "loss_backward") - activations_of(8, "full", "loss_backward") == 2 * 1024 * tokens
    one_layer = activations_of(9, "none", "loss_backward") - activations_of(8, "none", "loss_backward")
    assert activations_of(8, "full", "end_of_backward") >= one_layer


def test_trap_activations_of_experts_scaled_down_by_k_over_e(moe: Architecture) -> None:
    """A token goes through k experts however many there are: more experts do not make activations smaller."""
    run = Run(precision="bf16-pure")
    more = architecture(MOE | {"num_local_experts": 64})
    each = [float(activations.per_rank(activations.layer(a, a.layers[0], run), run)) for a in (moe, more)]
    assert each[1] - each[0] == 8 * (64 - 16)  # the router's logits alone


def test_trap_one_layer_counted_as_the_model() -> None:
    """Activations are those of every layer."""
    deep = [
        float(train(architecture(GQA | {"num_hidden_layers": n}), sequence=1024).phase_parts["loss_backward"]["activations"]) for n in (8, 16, 24)
    ]
    assert deep[2] - deep[1] == pytest.approx(deep[1] - deep[0])
    assert deep[1] > 1.9 * deep[0]


def test_trap_kv_cache_added_to_training(gqa: Architecture) -> None:
    """Training keeps no KV cache: no part is called so, and nothing beyond the saved tensors grows with the context."""
    assert "kv_cache" not in PARTS
    one, two = (float(train(gqa, recompute="full", loss="chunked", sequence=s).phase_parts["loss_backward"]["activations"]) for s in (4096, 8192))
    assert two == pytest.approx(2 * one)


@pytest.mark.parametrize("tied", [True, False])
def test_trap_tied_embeddings_always_or_never(tied: bool) -> None:
    """The head is a tensor of its own exactly where the config says so."""
    arch = architecture(GQA | {"tie_word_embeddings": tied})
    assert arch.tied == tied
    assert arch.components["lm_head"] == (0 if tied else 32000 * 1024)


def test_trap_four_bits_taken_as_half_a_byte() -> None:
    """Scales take room too: no 4-bit format has 4 bits a weight."""
    assert all(bits_per_weight(name) > 4.1 for name in ("nf4", "nf4-dq", "gptq-4", "awq-4", "mxfp4", "nvfp4"))


def test_trap_lora_taken_to_save_activations() -> None:
    """With adapters on all linear layers of Llama 3 8B activations grow by about half; on queries and values they shrink a little."""
    llama = architecture(GQA | {"hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8})

    def per_token(**changes: object) -> float:
        run = Run(precision="bf16-pure", **changes)  # type: ignore[arg-type]
        return float(activations.per_rank(activations.layer(llama, llama.layers[0], run), run))

    full = per_token()
    change = {targets: per_token(method="lora", targets=targets, rank=16) / full - 1 for targets in ("all", "attention", "qv")}
    assert change == pytest.approx({"all": 0.47, "attention": 0.02, "qv": -0.14}, abs=0.005)


def test_trap_gb_printed_for_gib() -> None:
    """82.0 GiB are 88.0 GB: each is printed under its own name."""
    assert units.binary(82 * 2**30) == f"82.0{units.THIN}GiB"
    assert units.si(82 * 2**30, "B") == f"88.0{units.THIN}GB"


def test_trap_experts_sharing_the_data_parallel_degree_of_the_rest(moe: Architecture) -> None:
    """Experts that are split over e ranks are sharded over N_d/e of them, so e cancels: E/e/(N_d/e)."""
    one, eight = (train(moe, data_parallel=8, zero=1, expert_parallel=e, sequence=64) for e in (1, 8))
    parts = [float(a.phase_parts["optimizer_step"]["optimizer"]) for a in (one, eight)]
    assert parts[0] == pytest.approx(parts[1])
    weights = [float(a.phase_parts["optimizer_step"]["weights"]) for a in (one, eight)]
    routed = 2 * moe.components["routed_experts"]
    assert weights[0] - weights[1] == pytest.approx(routed * 7 / 8)


def test_trap_a_flat_twenty_percent(gqa: Architecture) -> None:
    """Overheads are terms of their own: the context does not grow with the model, and each communicator is counted."""
    alone, eight = train(gqa), train(gqa, data_parallel=8, zero=3)
    assert float(alone.overheads["context"]) == float(eight.overheads["context"]) == CONTEXT_BYTES
    assert float(alone.overheads["communicators"]) == 0 < float(eight.overheads["communicators"])
    assert float(alone.overheads["fragmentation"]) == pytest.approx((RESERVED_RATIO - 1) * float(alone.peak_allocated_bytes))
