"""What a layer keeps for the backward pass, counted tensor by tensor from the definitions of the kernels that run it.

A row is (elements per token, bytes of each). `docs/decisions/0014-footprint.md` says how the classes of transformers were measured.
"""

from __future__ import annotations

import pytest

from wallviz import catalog
from wallviz.engine.memory import activations
from wallviz.engine.memory.peak import train
from wallviz.engine.memory.run import Run
from wallviz.engine.transformer import Architecture, architecture

V3 = {
    "model_type": "deepseek_v3", "hidden_size": 7168, "num_attention_heads": 128, "num_key_value_heads": 128, "q_lora_rank": 1536,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 96, "intermediate_size": 18432, "moe_intermediate_size": 2048,
    "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 1, "num_hidden_layers": 2, "vocab_size": 1000,
}  # fmt: skip
h, a, q, kv, dn, dr, dv, f = 7168, 128, 1536, 512, 128, 64, 96, 18432


def per_token(arch: Architecture, layer: int, **options: object) -> float:
    run = Run(precision="bf16-pure", **options)  # type: ignore[arg-type]
    return float(activations.per_rank(activations.layer(arch, arch.layers[layer], run), run))


def flash(heads: int, kv_heads: int, width: int, value: int) -> list[tuple[int, int]]:
    """FlashAttnFunc.forward (Dao-AILab/flash-attention, flash_attn_interface.py): ctx.save_for_backward(q, k, v, out, softmax_lse, rng_state).

    The output projection reads `out`, which is there already.
    """
    return [(heads * width, 2), (kv_heads * width, 2), (kv_heads * value, 2), (heads * value, 2), (heads, 4)]


def unfused_norm(width: int) -> list[tuple[int, int]]:
    """LlamaRMSNorm and DeepseekV3RMSNorm: the input in fp32 for pow and for the product, its reciprocal root, what the weight multiplies."""
    return [(width, 4), (1, 4), (width, 2)]


def swiglu(width: int) -> list[tuple[int, int]]:
    """down(silu(gate) * up): silu keeps the gate, the product silu(gate) and up, the last linear layer the product."""
    return [(width, 2)] * 4


def size(tensors: list[tuple[int, int]]) -> int:
    return sum(elements * each for elements, each in tensors)


def test_latent_attention_keeps_queries_keys_values_and_output_of_every_head() -> None:
    """A dense MLA layer (arXiv 2412.19437, equations 1 to 11) in 16 bits: the latents and their norms, and flash attention's five tensors."""
    tensors = [
        *unfused_norm(h), (h, 2),  # the input of q_a and of kv_a
        *unfused_norm(q), (q, 2),  # c_Q, the input of q_b
        *unfused_norm(kv), (kv, 2),  # c_KV, the input of kv_b
        (dr, 2),  # k_R, the part of kv_a's output that the rotation reads
        *flash(a, a, dn + dr, dv),
        *unfused_norm(h), (h, 2),  # the input of gate and up
        *swiglu(f),
    ]  # fmt: skip
    assert per_token(architecture(V3), 0) == size(tensors)


def test_latent_attention_in_fused_kernels_keeps_inputs_alone() -> None:
    """With fused norms and SwiGLU (Liger: rms_norm.py and swiglu.py save their inputs) a norm keeps its input, SwiGLU gate, up and no product."""
    tensors = [
        (h, 2), (h, 2), (q, 2), (q, 2),
        (kv + dr, 2), (kv, 2),  # kv_a's output, of which the norm's input is a view, and the input of kv_b
        *flash(a, a, dn + dr, dv),
        (h, 2), (h, 2),
        (f, 2), (f, 2), (f, 2),  # gate, up, the input of down
    ]  # fmt: skip
    assert per_token(architecture(V3), 0, kernels="fused") == size(tensors)


def test_a_layer_of_experts_keeps_rows_of_every_chosen_expert() -> None:
    """k rows into and out of the experts, each with its SwiGLU, the router's logits and probabilities in fp32, the shared expert."""
    expert, k, experts = 2048, 8, 256
    tensors = [*swiglu(expert) * k, (k * h, 2), (k * h, 2), (experts, 4), (experts, 4), *swiglu(expert)]
    dense = [*swiglu(f)]
    assert per_token(architecture(V3), 1) - per_token(architecture(V3), 0) == size(tensors) - size(dense)


@pytest.mark.parametrize(("precision", "element"), [("bf16-pure", 2), ("fp32", 4)])
def test_a_selective_scan_keeps_six_streams(precision: str, element: int) -> None:
    """Mamba keeps six tensors as wide as its inner stream (mamba_simple.py and selective_scan_interface.py of state-spaces/mamba)."""
    # causal_conv1d_fn keeps its input x; SelectiveScanFn.forward saves u (the convolution's output), delta, z and out, while what is written per
    # state is recomputed (arXiv 2312.00752, section 3.3.2); out_proj keeps the gated output.
    mamba = {"model_type": "mamba", "hidden_size": 768, "num_hidden_layers": 2, "state_size": 16, "intermediate_size": 1536, "vocab_size": 1000}
    inner = 1536
    streams = [(inner, element)] * len(("x", "u", "delta", "z", "out", "out_z"))
    norm = [(768, 4), (1, 4), (768, element), (768, element)]  # and the input of in_proj
    run = Run(precision=precision)
    arch = architecture(mamba)
    assert float(activations.per_rank(activations.layer(arch, arch.layers[0], run), run)) == size(norm + streams)


GPT = {
    "model_type": "gpt2", "n_embd": 1024, "n_layer": 2, "n_head": 16, "vocab_size": 1000, "n_positions": 4096, "activation_function": "gelu",
}  # fmt: skip


def test_dropout_keeps_what_korthikanti_counts() -> None:
    """sbh(34 + 5as/h) a layer with attention and dropout as it was in 2022 (arXiv 2205.05198, section 4.1), and a norm's mean and deviation."""
    width, heads, s = 1024, 16, 512
    attention = [
        (width, 2),  # the input of the three projections
        (width, 2), (width, 2),  # queries and keys
        (heads * s, 2), (heads * s, 1), (heads * s, 2),  # softmax, its mask, what the values are multiplied with
        (width, 2), (width, 2), (width, 1),  # values; the input of the projection; the mask after it
    ]  # fmt: skip
    feed_forward = [(width, 2), (4 * width, 2), (4 * width, 2), (width, 1)]
    norms = [(width, 2), (width, 2)]
    assert size(attention + feed_forward + norms) == 34 * width + 5 * heads * s
    statistics = [(2, 2)] * 2
    counted = per_token(architecture(GPT), 0, kernels="eager", dropout=True, sequence=s)
    assert counted == size(attention + feed_forward + norms + statistics)


@pytest.mark.parametrize(("precision", "softmax"), [("bf16-pure", 2), ("fp32", 4)])
def test_an_attention_mask_is_a_byte_and_the_masked_scores(precision: str, softmax: int) -> None:
    """torch's native_dropout saves a mask of one byte, and the product with the values saves the output: as·(1 + e) more, and sh of mask twice."""
    arch, s = architecture(GPT), 512
    runs = [Run(precision=precision, kernels="eager", sequence=s, dropout=dropout) for dropout in (True, False)]
    with_masks, without = (float(activations.per_rank(activations.layer(arch, arch.layers[0], run), run)) for run in runs)
    assert with_masks - without == size([(16 * s, 1), (16 * s, softmax), (1024, 1), (1024, 1)])


def test_the_embedding_s_dropout_keeps_its_mask() -> None:
    """One byte for each element of the embedding's output, once a step."""
    arch = architecture(GPT)
    with_mask, without = (train(arch, kernels="flash", sequence=512, dropout=dropout) for dropout in (True, False))
    more = float(with_mask.phase_parts["loss_backward"]["activations"] - without.phase_parts["loss_backward"]["activations"])
    assert more == 512 * size([(1024, 1), *[(1024, 1)] * 2 * 2])


LLAMA = {
    "model_type": "llama", "hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4,
    "vocab_size": 4096, "tie_word_embeddings": False,
}  # fmt: skip


@pytest.mark.parametrize("tied", [True, False])
def test_the_first_layer_s_backward_runs_before_its_own_gradients_and_the_embedding_s(tied: bool) -> None:
    """With full recomputation the last moment of the backward pass has every gradient but the first layer's and an untied embedding's."""
    arch = architecture(LLAMA | {"tie_word_embeddings": tied})
    layer = 2 * 512 * 512 + 2 * 256 * 512 + 3 * 1536 * 512 + 2 * 512
    outside = 4096 * 512 * (1 if tied else 2) + 512
    late = layer + (0 if tied else 4096 * 512)
    step = train(arch, precision="bf16-pure", recompute="full", sequence=65536)
    ended = step.phase_parts["end_of_backward"]
    assert float(ended["gradients"]) == 2 * (8 * layer + outside - late)
    assert float(ended["activations"]) == 65536 * (per_token(arch, 0) + 3 * 2 * 1536)
    assert float(step.phase_parts["optimizer_step"]["gradients"]) == 2 * (8 * layer + outside)


def test_adapters_of_the_first_layer_have_no_gradients_yet_either() -> None:
    """The same for LoRA: seven eighths of the adapters' gradients, the embedding having none."""
    step = train(architecture(LLAMA), method="lora", recompute="full", sequence=65536)
    every = float(step.phase_parts["optimizer_step"]["gradients"])
    assert every == 4 * 8 * 16 * (4 * 512 + 2 * 512 + 2 * 256 + 3 * (512 + 1536))
    assert float(step.phase_parts["end_of_backward"]["gradients"]) == every * 7 / 8


@pytest.mark.parametrize(
    ("model", "band"), [("llama-3.1-8b", 0.03), ("mixtral-8x7b", 0.05), ("deepseek-v3", 0.05), ("mamba-2.8b", 0.15), ("jamba-v0.1", 0.15)]
)
def test_what_was_not_measured_says_so_in_its_band(model: str, band: float) -> None:
    """Dense models stand within 3 % of measured runs, mixtures within 5 %; state spaces are an estimate and have the widest band, experts or not."""
    assert train(catalog.architecture(model)).error_band == band
