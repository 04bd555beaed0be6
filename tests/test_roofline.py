"""Operations, time, batches: what the roofline promises about any model on any chip."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import pytest

from wallviz import catalog
from wallviz.engine import work as ops
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.kv_cache import kv_cache_bytes, state_bytes
from wallviz.engine.roofline.batch import critical_batch, critical_batch_exact
from wallviz.engine.roofline.report import record, report
from wallviz.engine.roofline.roof import own_chip, roof
from wallviz.engine.roofline.serving import largest_batch, utilization
from wallviz.engine.roofline.step import step
from wallviz.engine.transformer import custom
from wallviz.engine.work import attended, distinct_experts, matmul, operations
from wallviz.errors import InputError
from wallviz.validation.scaling_book import prefill_s, training_s

H100 = catalog.chips()["h100-sxm5"]
LLAMA = catalog.architecture("llama-3.1-8b")


def total(found, *ids):
    """FLOP and bytes of the operations called `ids`, or of all."""
    chosen = [op for op in found if not ids or op.id in ids]
    return sum(op.flop for op in chosen), sum(op.bytes for op in chosen)


def test_a_matmul_has_the_intensity_of_the_paper():
    """BERT-Base's projections over 128 tokens at one byte a value: 192.00 FLOP per byte (arXiv 2302.14017, table 3)."""
    assert matmul(128, 768, 768, a_bytes=1).intensity == pytest.approx(192.0)


def test_memory_bounds_below_240_tokens_on_a_tpu_v5e_and_arithmetic_above():
    """A large matmul is bound by compute from 240 tokens on (How to Scale Your Model, chapter "Roofline"), one by one and all at once."""
    under = roof(own_chip(197e12, 820e9))
    tokens = np.array([1.0, 128.0, 235.0, 265.0, 512.0, 8192.0])  # the activations, which the rule leaves out, move the turn to 256
    expected = ["bandwidth"] * 3 + ["compute"] * 3
    found = [matmul(n, 65_536, 65_536) for n in tokens]
    assert [under.bound(op.flop, op.bytes) for op in found] == expected
    assert list(under.bound(np.array([op.flop for op in found]), np.array([op.bytes for op in found]))) == expected
    assert under.bound(240.0 * 10, 10.0) == under.bound(0.0, 1.0) == "bandwidth"
    assert under.bound(1.0, 0.0) == "compute"


@pytest.mark.parametrize(("count", "top_k", "tokens"), [(8, 2, 1), (8, 2, 5), (64, 8, 16), (256, 8, 64)])
def test_expected_distinct_experts_agree_with_a_simulation_that_counts(count, top_k, tokens):
    """E·(1 - (1 - k/E)^B) is the mean of seeded draws of k different experts by each of B tokens, within its sampling error."""
    draw = random.Random(7)
    trials = 4000
    seen = [len({e for _token in range(tokens) for e in draw.sample(range(count), top_k)}) for _trial in range(trials)]
    error = 4 * np.std(seen) / np.sqrt(trials) + 1e-9
    assert np.mean(seen) == pytest.approx(distinct_experts(count, top_k, tokens), abs=error)


@pytest.mark.parametrize("window", [None, 3, 8, 50])
def test_half_the_square_is_what_a_causal_mask_keeps(window):
    """The closed form of attended pairs equals counting each query's keys one by one."""
    s = 20
    counted = sum(min(i, window or s) for i in range(1, s + 1))
    assert attended(s, window, half=True) == counted
    assert attended(s, window) == s * min(s, window or s)


def test_a_prompt_takes_two_flop_per_weight_and_token():
    """Prefill's matmuls are 2·T of their weights, training three forward passes, full recomputation a fourth of the layers, not of the head."""
    weights = sum(t.size for layer in LLAMA.layers for t in layer.tensors if t.linear)
    forward = operations(LLAMA, "prefill", 2, 1024)
    assert total(forward, "projections", "output_projection", "mlp")[0] == pytest.approx(2.0 * 2048 * weights)
    train, again = operations(LLAMA, "train", 2, 1024), operations(LLAMA, "train", 2, 1024, recompute="full")
    assert total(train, "mlp")[0] == pytest.approx(3 * total(forward, "mlp")[0])
    head = total(train, "lm_head")[0]
    assert total(again)[0] == pytest.approx((total(train)[0] - head) * 4 / 3 + head)


@pytest.mark.parametrize(
    ("model", "layers", "hidden", "ffn", "pooled"),
    [("bert-base", 12, 768, 3072, 1), ("gpt2", 12, 768, 3072, 0), ("gpt-neox-20b", 44, 6144, 24576, 0)],
)
def test_tensor_parallelism_splits_the_first_matrix_by_columns_and_the_second_by_rows(model, layers, hidden, ffn, pooled):
    """Each of four GPUs reads all of the input and writes a quarter, then reads that quarter and writes all of the output (Megatron, figure 3)."""
    found = operations(catalog.architecture(model), "prefill", 1, 128, tensor_parallel=4)
    weights, activations = 2 * hidden * ffn / 4, 2 * (hidden + ffn / 4)
    square, through = pooled * hidden * hidden / 4, pooled * (hidden + hidden / 4)  # what BERT makes of its first token
    flop, moved = 2 * 128 * layers * weights + 2 * square, 2 * (layers * (weights + 128 * activations) + square + through)
    assert total(found, "mlp") == (pytest.approx(flop), pytest.approx(moved))


@pytest.mark.parametrize("phase", ["prefill", "decode", "train"])
def test_a_step_is_the_sum_of_its_operations(phase):
    """Work, traffic and time of a step are those of its operations added up, and nothing beside them."""
    found = step(custom(layers=1, hidden_size=8, heads=1, kv_heads=1, ffn=8, vocab=10), own_chip(100.0, 10.0), phase=phase, context=4)
    assert found.flop == pytest.approx(sum(timed.operation.flop for timed in found.operations))
    assert found.bytes == pytest.approx(sum(timed.operation.bytes for timed in found.operations))
    assert found.time_s == pytest.approx(sum(max(timed.operation.flop / 100.0, timed.operation.bytes / 10.0) for timed in found.operations))
    assert found.overlap_time_s == pytest.approx(max(found.flop / 100.0, found.bytes / 10.0))


def test_four_norms_a_layer_move_more_than_two():
    """A token of Gemma 2 9B moves 10·h + 3·f values a layer, 2·h for each of two further norms, and 16 heads' 100 scores twice in the softmax."""
    eager, fused = (total(operations(catalog.architecture("gemma-2-9b"), "prefill", 1, 100, kernels=k), "other")[1] for k in ("eager", "fused"))
    assert eager - fused == pytest.approx(2 * 42 * 100 * ((10 + 2 * 2) * 3584 + 3 * 14336 + 2 * 16 * 100))


def test_a_split_step_says_that_its_links_are_left_out():
    """From two GPUs on, and not on one."""
    said = [any("links" in note for note in step(LLAMA, H100, tensor_parallel=n).notes) for n in (1, 2, 4)]
    assert said == [False, True, True]


def test_decoding_reads_the_weights_and_the_cache_once():
    """A decode step reads every linear weight, the head and the whole KV cache; little else moves."""
    found = operations(LLAMA, "decode", 4, 8192)
    cache = kv_cache_bytes(LLAMA, batch=4, context=8192)
    weights = 2.0 * (LLAMA.parameters - LLAMA.vocab * LLAMA.hidden_size)
    assert total(found, "attention_scores", "attention_values")[1] == pytest.approx(cache, rel=0.01)
    assert total(found)[1] == pytest.approx(weights + cache, rel=0.01)


@pytest.mark.parametrize("name", ["gemma-3-1b", "deepseek-v3", "mamba-2.8b", "kimi-linear-48b-a3b", "gpt-oss-20b"])
def test_windows_latents_and_states_read_what_the_footprint_caches(name):
    """Attention and scans read the bytes that memory.kv_cache stores: windows stop growing, a latent is read once, a state is read and written."""
    arch = catalog.architecture(name)
    cache = kv_cache_bytes(arch, batch=1, context=16384)
    found = operations(arch, "decode", 1, 16384)
    states = sum(
        count * (layer.mixer.state_elements * 4 + layer.mixer.conv_elements * 2)
        for layer, count in arch.groups
        if hasattr(layer.mixer, "state_elements")
    )
    moved = total(found, "attention_scores", "attention_values", "state_space")[1]
    assert moved == pytest.approx(cache + states, rel=0.12)


def test_a_state_is_read_and_written_for_a_token_and_written_once_for_a_prompt():
    """A scan keeps its state on the chip while it goes over a prompt (arXiv 2312.00752, section 3.3.2): input, gate and output move beside it."""
    mamba = catalog.architecture("mamba-130m")
    layers, mixer = len(mamba.layers), mamba.layers[0].mixer
    for phase, tokens, passes in (("decode", 1, 2), ("prefill", 1000, 1)):
        scan = next(op for op in operations(mamba, phase, 2, 1000) if op.id == "state_space")
        assert scan.bytes == 2 * layers * (passes * state_bytes(mixer) + tokens * 3 * mixer.inner * 2)


def test_every_preset_has_operations_in_every_phase_it_can_run():
    """Dense, grouped, latent, sparse, hybrid, recurrent, encoder and encoder-decoder models all have a step; an encoder alone writes no tokens."""
    for name in catalog.presets():
        arch = catalog.architecture(name)
        for phase in ops.PHASES:
            if phase == "decode" and all(layer.encoder for layer in arch.layers):
                with pytest.raises(InputError, match="encoder alone"):
                    step(arch, H100, phase=phase, context=128)
            else:
                found = step(arch, H100, phase=phase, batch=2, context=128)
                assert found.time_s > 0
                assert all(np.isfinite(t.time_s) for t in found.operations)


def test_experts_are_read_as_often_as_a_batch_touches_them():
    """One token reads k of E experts; a large batch reads all of them, once."""
    arch = catalog.architecture("mixtral-8x7b")
    one, many = (total(operations(arch, "decode", b, 16), "routed_experts")[1] for b in (1, 4096))
    stored = 2.0 * sum(t.size for layer in arch.layers for t in layer.tensors if t.component == "routed_experts")
    assert one == pytest.approx(stored * 2 / 8, rel=0.001)
    assert many - 4096 * (many - one) / 4095 < stored
    assert many > stored


@pytest.mark.parametrize(("weights", "share"), [("nf4", 4.5 / 16), ("gguf:Q4_K_M", 0.31), ("fp8", 0.5)])
def test_quantized_weights_move_fewer_bytes_and_compute_in_sixteen_bits(weights, share):
    """A weight format divides the bytes of the matmuls, not their FLOP, and not their peak unless activations are 8-bit too."""
    full, small = (operations(LLAMA, "decode", 1, 16, weights=w) for w in ("bf16", weights))
    assert total(small, "mlp")[1] / total(full, "mlp")[1] == pytest.approx(share, rel=0.06)
    assert total(small)[0] == total(full)[0]
    assert {op.precision for op in small if op.id == "mlp"} == {"bf16"}


def test_eight_bit_operands_use_the_eight_bit_peak_where_the_chip_has_one():
    """W8A8 runs at the FP8 peak of an H100; an A100 has none, so that its 16-bit peak stands in, and the step says so."""
    a100 = catalog.chips()["a100-sxm4-80gb"]
    fast = step(LLAMA, H100, phase="prefill", context=2048, weights="fp8", activations="fp8")
    assert fast.roof.peak_flop_per_s == H100.fp8_flop_per_s
    slow = step(LLAMA, a100, phase="prefill", context=2048, weights="fp8", activations="fp8")
    assert slow.roof.peak_flop_per_s == a100.fp16_flop_per_s
    assert any("stands in" in note for note in slow.notes)


def test_geforce_cards_count_with_32_bit_accumulation():
    """The tensor rates on GeForce sheets accumulate in 16 bits: half of them counts, unless asked otherwise."""
    card = catalog.chips()["geforce-rtx-4090"]
    assert roof(card).peak_flop_per_s == card.fp16_flop_per_s / 2
    assert roof(card, accumulate="fp16").peak_flop_per_s == card.fp16_flop_per_s
    assert roof(H100).peak_flop_per_s == H100.fp16_flop_per_s


def test_tensor_parallelism_divides_the_work_of_a_gpu():
    """On t GPUs each does 1/t of the FLOP and reads about 1/t of the weights; elementwise work on the stream is on each."""
    one, four = (operations(LLAMA, "decode", 1, 4096, tensor_parallel=t) for t in (1, 4))
    assert total(four, "mlp")[0] == pytest.approx(total(one, "mlp")[0] / 4)
    assert total(four)[1] == pytest.approx(total(one)[1] / 4, rel=0.01)
    mqa = catalog.architecture("falcon-7b")
    with pytest.raises(InputError, match="use 1, 71"):
        operations(mqa, "decode", 1, 4096, tensor_parallel=2)


def test_flash_attention_moves_no_scores():
    """Eager attention writes and reads a·s² scores and its softmax twice more; flash attention none of it, at the same FLOP."""
    flash, eager = (operations(LLAMA, "prefill", 1, 8192, kernels=k) for k in ("flash", "eager"))
    scores = 32 * 32 * 8192**2 * 2.0
    assert total(eager)[1] - total(flash)[1] == pytest.approx(4 * scores)
    assert total(eager, "attention_scores")[0] == total(flash, "attention_scores")[0]


def test_arrays_answer_as_their_entries_do():
    """A sweep over batch and context is one call and gives what single calls give."""
    batch, context = np.array([1, 8, 64])[:, None], np.array([512, 8192])
    swept = step(LLAMA, H100, batch=batch, context=context)
    assert swept.time_s.shape == (3, 2)
    for i, b in enumerate((1, 8, 64)):
        for j, c in enumerate((512, 8192)):
            one = step(LLAMA, H100, batch=b, context=c)
            assert swept.time_s[i, j] == pytest.approx(one.time_s)
            assert swept.bound[i, j] == one.bound


def test_overlap_is_the_lower_bound_of_the_sum():
    """Perfect overlap never takes longer than one operation after another, and each operation is at least its slower side."""
    for phase in ops.PHASES:
        found = step(LLAMA, H100, phase=phase, batch=4, context=2048)
        assert found.overlap_time_s <= found.time_s
        for timed in found.operations:
            assert timed.time_s >= timed.operation.bytes / H100.memory_bytes_per_s * (1 - 1e-12)


def test_the_critical_batch_is_where_a_weight_matmul_turns():
    """Peak·bytes/(2·bandwidth) for dense models, E/k times as much for experts; with activations a matmul turns later."""
    assert step(LLAMA, H100).critical_batch == pytest.approx(H100.ridge("bf16"))
    mixtral = step(catalog.architecture("mixtral-8x7b"), H100)
    assert mixtral.critical_batch == pytest.approx(4 * H100.ridge("bf16"))
    assert step(LLAMA, H100, weights="nf4").critical_batch == pytest.approx(H100.ridge("bf16") * 4.5 / 16)
    exact = critical_batch_exact(989.4e12, 3.35e12, 4096, 4096)
    turned = matmul(exact, 4096, 4096)
    assert turned.flop / 989.4e12 == pytest.approx(turned.bytes / 3.35e12)
    assert exact > critical_batch(989.4e12, 3.35e12)


def test_prefill_is_bound_by_compute_and_decode_by_bandwidth():
    """The same model on the same chip: a long prompt computes, single tokens wait for memory, and a huge batch turns the decode too."""
    assert step(LLAMA, H100, phase="prefill", context=8192).bound == "compute"
    assert step(LLAMA, H100, phase="decode", context=8192).bound == "bandwidth"
    assert step(LLAMA, H100, phase="decode", batch=1024, context=16).bound == "compute"


def test_the_largest_batch_meets_its_target_and_the_next_does_not():
    """Searching finds the last batch within the time per token, or the one that memory allows."""
    found = largest_batch(LLAMA, H100, tpot_s=0.010, context=4096)
    assert found.limit == "tpot"
    assert found.step is not None
    assert found.step.time_s <= 0.010
    assert step(LLAMA, H100, batch=found.batch + 1, context=4096).time_s > 0.010
    assert largest_batch(LLAMA, H100, tpot_s=10.0, context=131072).limit == "memory"
    assert largest_batch(LLAMA, H100, tpot_s=1e-4, context=4096).batch == 0


def test_the_search_for_a_batch_ends_where_it_says():
    """Where neither time nor memory stops a batch, 65,536 does; a chip whose memory nobody knows is held back by time alone."""
    tiny = custom(layers=1, hidden_size=64, heads=1, kv_heads=1, ffn=64, vocab=100)
    found = largest_batch(tiny, own_chip(1e18, 1e18), tpot_s=1.0, context=16)
    assert (found.batch, found.limit, found.by_time, found.by_memory) == (65_536, "search", 65_536, None)
    in_time = [step(tiny, own_chip(1e12, 1e12), batch=batch, context=16).time_s for batch in (65_535, 65_536)]
    assert largest_batch(tiny, own_chip(1e12, 1e12), tpot_s=in_time[0], context=16).batch == 65_535
    assert largest_batch(tiny, own_chip(1e12, 1e12), tpot_s=in_time[1], context=16).batch == 65_536
    for batch in range(1, 65_000, 9_999):
        tpot = step(tiny, own_chip(1e12, 1e12), batch=batch, context=16).time_s
        assert largest_batch(tiny, own_chip(1e12, 1e12), tpot_s=tpot, context=16).batch == batch


def test_unless_it_is_told_a_report_is_about_4096_tokens():
    """131,072 bytes of cache a token (8 heads of 128, keys and values, 16 bits, 32 layers) are read 4,096 times for one token of one sequence."""
    found = report(LLAMA, H100).step
    assert (found.phase, found.tokens) == ("decode", 1.0)
    assert found.attention_bytes == pytest.approx(131_072 * 4096, rel=1e-3)


def test_unless_it_is_told_a_step_is_about_4096_tokens():
    """A step has the context that a report has, in every phase."""
    for phase in ("decode", "prefill", "train"):
        assert step(LLAMA, H100, phase=phase).bytes == step(LLAMA, H100, phase=phase, context=4096).bytes


def test_the_record_holds_both_waits():
    """Whatever is asked, the first token waits for the prompt and each further one for a step of decoding; an encoder writes none."""
    prompt, token = (step(LLAMA, H100, phase=phase, context=8192).time_s for phase in ("prefill", "decode"))
    for phase in ("prefill", "decode"):
        found = record(report(LLAMA, H100, phase=phase, context=8192))
        assert (found["ttft_s"], found["tpot_s"]) == (prompt, token)
    assert record(report(catalog.architecture("bert-base"), H100, phase="prefill", context=128))["tpot_s"] is None


def test_a_measured_rate_gives_its_utilization():
    """104.9 tokens/s of Llama-2-7B on an A100-80GB (gpt-fast) are 69 % of the bandwidth within a point, and the bound is not exceeded."""
    found = step(catalog.architecture("llama-2-7b"), catalog.chips()["a100-sxm4-80gb"], context=100)
    used = utilization(found, 104.9)
    assert used.bandwidth == pytest.approx(0.685, abs=0.01)
    assert used.of_bound < 1
    assert used.mfu == pytest.approx(104.9 * found.flop / 312e12)


def test_time_from_parameters_alone_is_the_books():
    """2·P·T and 6·P·T over peak and utilization; full recomputation a third more."""
    assert prefill_s(70e9, 8192, 16 * 197e12, 0.4) == pytest.approx(0.91, rel=0.01)
    assert training_s(1e9, 1e9, 1e15, full_recompute=True) / training_s(1e9, 1e9, 1e15) == pytest.approx(4 / 3)
    assert (prefill_s(1e9, 1e9, 1e15), training_s(1e9, 1e9, 1e15)) == (2e3, 6e3)  # at all of the peak, where nothing else is said


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"phase": "sleep"}, "choose one of prefill"),
        ({"batch": 0}, "whole number"),
        ({"context": 2.5}, "whole number"),
        ({"weights": "int3.5"}, "no weight format"),
        ({"kv": "int7"}, "no KV cache format"),
        ({"activations": "fp6"}, "choose one of fp32"),
        ({"tensor_parallel": 3}, "must divide"),
        ({"batch": np.array([])}, "empty"),
    ],
)
def test_bad_input_is_one_sentence(fields, words):
    """What cannot be computed says what is wrong and what to do."""
    with pytest.raises(InputError, match=words):
        step(LLAMA, H100, **{"context": 64, **fields})


def test_a_chip_without_bandwidth_or_peak_says_so():
    """A chip whose figures nobody published has no roof; one by its numbers has."""
    bare = Accelerator("x", "Unlisted", "", "gpu", dt.date(2020, 1, 1))
    with pytest.raises(InputError, match="choose another chip"):
        roof(bare)
    assert roof(own_chip(1e14, 1e12)).ridge == 100
    with pytest.raises(InputError, match="above 0"):
        own_chip(0.0, 1e12)
