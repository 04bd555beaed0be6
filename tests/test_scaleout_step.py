"""A step on many chips: its parts add up, arrays agree with single runs, and limits are where the formulas say."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from wallviz import catalog
from wallviz.engine import work
from wallviz.engine.advice import splits
from wallviz.engine.memory import lora
from wallviz.engine.memory.kv_cache import bytes_per_token, kv_cache_bytes
from wallviz.engine.memory.peak import train
from wallviz.engine.memory.ranks import held
from wallviz.engine.memory.run import Run
from wallviz.engine.scaleout import critical, frontier, scaling, scaling_laws, volumes
from wallviz.engine.scaleout.alpha_beta import fit
from wallviz.engine.scaleout.budget import budget
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY
from wallviz.engine.scaleout.collectives import hierarchical_all_reduce_s, ring_share
from wallviz.engine.scaleout.decode import decode
from wallviz.engine.scaleout.fabric import Fabric, inside_bytes_per_s
from wallviz.engine.scaleout.phrases import served_split
from wallviz.engine.scaleout.step import KINDS, OVERLAPS, step
from wallviz.engine.scaleout.traffic import traffic
from wallviz.engine.transformer import Architecture, Attention, Layer
from wallviz.errors import InputError

H100 = catalog.chips()["h100-sxm5"]
LLAMA = catalog.architecture("llama-3.1-8b")
FABRIC = Fabric(inside_bytes_per_s(H100))


def test_one_chip_waits_for_nobody() -> None:
    """Its step is its compute: 6 P T and attention at the rate of matrix products, and elementwise traffic at the rate of reading."""
    alone = step(LLAMA, Run(sequence=8192), H100, FABRIC)
    assert alone.step_s == alone.compute_s
    assert not any(alone.bytes_on_wire.values())
    lookup, norms = 128256 * 4096, 65 * 4096
    attention = 32 * 12 * 32 * 128 * 8192
    flop = 8192 * (6 * (LLAMA.active_parameters - lookup - norms) + attention)
    assert alone.model_flop == alone.flop == pytest.approx(flop, rel=1e-9)
    products = flop / (H100.peak("bf16") * EFFICIENCY)
    elementwise = 3 * 2 * 8192 * 32 * (10 * 4096 + 3 * 14336) / (H100.memory_bytes_per_s * BANDWIDTH_EFFICIENCY)
    assert alone.compute_s == pytest.approx(products + elementwise, rel=2e-3)
    assert alone.mfu == pytest.approx(EFFICIENCY * products / alone.compute_s)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_the_parts_of_a_step_add_up(overlap: str) -> None:
    """Step = compute + waiting + bubble; without overlap all of the communication is waited for, with all of it only what exceeds compute."""
    run = Run(sequence=4096, tensor_parallel=4, pipeline_parallel=2, context_parallel=2, data_parallel=4, accumulation=8, zero=1)
    found = step(LLAMA, run, H100, FABRIC, overlap=overlap)
    assert found.step_s == pytest.approx(found.compute_s + found.waiting_s + found.bubble_s)
    assert found.communication_s == pytest.approx(sum(found.wire_s[kind] for kind in KINDS))
    assert found.gpus == 64
    if overlap == "none":
        assert found.waiting_s == pytest.approx(found.communication_s)
        assert found.bubble_s > found.compute_s / 8
    if overlap == "full":
        assert found.waiting_s == 0
        assert found.bubble_s == pytest.approx(found.compute_s / 8)


def test_more_overlap_never_waits_longer() -> None:
    """None, partial, full: waiting falls."""
    for across, shorter in ((50e9, True), (1e9, False)):  # gradients that compute can hide, and gradients that outlast it
        run = Run(micro_batch=4, sequence=8192, tensor_parallel=8, data_parallel=32, zero=3)
        waits = [float(step(LLAMA, run, H100, Fabric(450e9, across), overlap=overlap).waiting_s) for overlap in OVERLAPS]
        assert waits[0] > waits[1] >= waits[2] - 1e-9
        assert (waits[1] > waits[2] + 1e-9) == shorter


def test_volumes_of_a_step_are_those_of_the_forms() -> None:
    """Each kind alone, per GPU and step, in 16 bits."""
    L, h, s, P = 32, 4096, 8192, LLAMA.parameters

    def sent(**fields: object) -> dict[str, float]:
        return {kind: float(value) for kind, value in step(LLAMA, Run(sequence=s, **fields), H100, FABRIC).bytes_on_wire.items() if value}  # type: ignore[arg-type]

    assert sent(data_parallel=8) == {"data_parallel": pytest.approx(volumes.data_parallel_bytes(P, 2, 8))}
    assert sent(data_parallel=8, zero=3) == {"data_parallel": pytest.approx(volumes.data_parallel_bytes(P, 2, 8, 3))}
    form = 4 * 2 * ring_share(8) * s * h * 2 * L
    assert sent(tensor_parallel=8) == {"tensor_parallel": pytest.approx(form)}
    assert sent(tensor_parallel=8, sequence_parallel=True) == {"tensor_parallel": pytest.approx(form)}
    assert sent(tensor_parallel=8, recompute="full") == {"tensor_parallel": pytest.approx(form * 1.5)}
    assert sent(pipeline_parallel=4, accumulation=8) == {"pipeline_parallel": pytest.approx(volumes.pipeline_bytes(1, s, h, 8))}
    ring = 3 * L * volumes.context_parallel_bytes(1, s, 8, 128, 4)
    assert sent(context_parallel=4) == {"context_parallel": pytest.approx(ring), "data_parallel": pytest.approx(volumes.data_parallel_bytes(P, 2, 4))}


def test_experts_send_tokens_not_weights() -> None:
    """k copies of each token there and back in every layer with experts, forward and backward, and gradients of experts among fewer ranks."""
    arch = catalog.architecture("mixtral-8x7b")
    found = step(arch, Run(sequence=4096, data_parallel=8, expert_parallel=8), H100, FABRIC)
    assert float(found.bytes_on_wire["expert_parallel"]) == pytest.approx(2 * 32 * volumes.expert_parallel_bytes(1, 4096, 4096, 2, 8))
    routed = arch.components["routed_experts"]
    assert float(found.bytes_on_wire["data_parallel"]) == pytest.approx(volumes.data_parallel_bytes(arch.parameters - routed, 2, 8))


def test_arrays_agree_with_single_runs() -> None:
    """A sweep over ranks, stages and micro-batches gives what each run gives alone."""
    d, zero = np.array([1, 4, 16, 64]), np.array([0, 1, 2, 3])
    together = step(LLAMA, Run(sequence=4096, data_parallel=d, zero=zero, tensor_parallel=2), H100, FABRIC, overlap="partial", global_batch=256)
    for i in range(4):
        one = step(
            LLAMA,
            Run(sequence=4096, data_parallel=int(d[i]), zero=int(zero[i]), tensor_parallel=2),
            H100,
            FABRIC,
            overlap="partial",
            global_batch=256,
        )
        assert one.step_s == pytest.approx(together.step_s[i])
        assert one.tokens_per_s == pytest.approx(together.tokens_per_s[i])


def test_the_links_inside_a_node_are_used_first() -> None:
    """Eight ranks in a node use the fast links; one of them in each of eight nodes an adapter alone; sixty-four all eight adapters."""
    links = Fabric(450e9, 50e9, efficiency=1.0)
    assert [float(links.bytes_per_s(n, links.members(n, stride))) for n, stride in ((8, 1), (8, 8), (64, 1), (16, 4))] == [450e9, 50e9, 400e9, 100e9]
    flat, phases = links.ring_s(2 * ring_share(64) * 1e9, 64, 8), hierarchical_all_reduce_s(1e9, 8, 8, 450e9, 50e9)
    assert flat < phases < 2 * flat  # phases one after the other against a ring that works on all links at once


def test_a_stage_passes_on_by_the_slowest_hop() -> None:
    """Large messages reach a share of the rate: four fifths of NVLink within a node, of one adapter where a hop leaves it."""
    links = Fabric(450e9, 50e9, efficiency=0.8, inside_latency_s=3e-6, across_latency_s=10e-6)
    assert float(links.hop_s(1e9, 1, 8)) == pytest.approx(1e9 / 360e9 + 3e-6)
    assert float(links.hop_s(1e9, 1, 16)) == float(links.hop_s(1e9, 8, 2)) == pytest.approx(1e9 / 40e9 + 10e-6)
    assert float(links.hop_s(1e9, 8, 2, 5.0)) == pytest.approx(1e9 / 40e9 + 50e-6)
    assert float(links.hop_s(0.0, 8, 1)) == 0.0


def test_expert_tokens_cross_nodes_by_the_adapter() -> None:
    """Of 16 ranks over two nodes 8 of 15 others are across: the slower part sets the time."""
    links = Fabric(450e9, 50e9, efficiency=1.0, inside_latency_s=0.0, across_latency_s=0.0)
    assert float(links.all_to_all_s(15e9, 16, 8)) == pytest.approx(8e9 / 50e9)


def test_strong_scaling_bends_and_weak_scaling_does_not() -> None:
    """The same batch on more chips waits more each time; a batch that grows with them does not."""
    slow = Fabric(450e9, 2e9)
    chips = scaling.counts(Run(), 256)
    strong = scaling.strong(LLAMA, Run(sequence=4096, zero=1), H100, slow, chips, 256)
    weak = scaling.weak(LLAMA, Run(sequence=4096, zero=1, accumulation=32), H100, slow, chips)
    assert np.all(np.diff(strong.efficiency) <= 1e-12)
    assert strong.efficiency[-1] < 0.6 < weak.efficiency[-1]
    assert strong.efficiency[0] == 1.0
    assert strong.speedup(64, 8) < 8
    assert scaling.stops_paying(strong) in strong.chips.tolist()


def test_chips_stop_paying_where_a_doubling_brings_less_than_half_as_much_again() -> None:
    """Doublings of 2, 1.9, 1.4: the second count is the last whose doubling pays."""
    steps = step(LLAMA, Run(sequence=1024, data_parallel=np.array([1, 2, 4, 8])), H100, FABRIC)
    speeds = np.array([1.0, 2.0, 3.8, 5.3])
    curve = scaling.ScalingCurve(np.array([1, 2, 4, 8]), replace(steps, tokens=speeds * steps.step_s))
    assert scaling.stops_paying(curve) == 4
    assert scaling.stops_paying(curve, gain=1.2) is None


def test_a_batch_that_does_not_divide_leaves_ranks_idle() -> None:
    """Nine sequences on eight ranks take as long as sixteen."""
    nine = step(LLAMA, Run(sequence=1024, data_parallel=8), H100, FABRIC, global_batch=9)
    sixteen = step(LLAMA, Run(sequence=1024, data_parallel=8), H100, FABRIC, global_batch=16)
    assert nine.step_s == pytest.approx(sixteen.step_s)
    assert nine.tokens_per_s == pytest.approx(sixteen.tokens_per_s * 9 / 16)


def test_small_batches_read_the_weights_longer_than_they_compute() -> None:
    """With 16 tokens on a chip the weights are read three times in more time than 6 P T takes; so they are in each micro-batch."""
    found, twice = (step(LLAMA, Run(sequence=16, accumulation=m), H100, FABRIC) for m in (1, 2))
    multiplied = LLAMA.parameters - 128256 * 4096
    assert found.compute_s == pytest.approx(3 * 2 * multiplied / (H100.memory_bytes_per_s * BANDWIDTH_EFFICIENCY), rel=0.02)
    assert twice.compute_s == 2 * found.compute_s


def test_the_best_layout_fits_and_is_fastest() -> None:
    """Every layout that is returned fits the memory and uses all GPUs; none that was asked for by hand beats it."""
    arch = catalog.architecture("llama-3.1-70b")
    found = splits.search(arch, Run(sequence=8192), H100, FABRIC, 64, 128)
    assert found.asked > 1000
    assert found.best
    for one in found.best:
        run = one.run
        assert run.tensor_parallel * run.pipeline_parallel * run.context_parallel * run.data_parallel == 64
        assert one.peak_bytes <= H100.memory_bytes
        assert float(train(arch, run).peak_total_bytes) == pytest.approx(one.peak_bytes)
        assert float(step(arch, run, H100, FABRIC, overlap="partial", global_batch=128).step_s) == pytest.approx(one.step_s)
    assert [one.step_s for one in found.best] == sorted(one.step_s for one in found.best)
    by_hand = Run(sequence=8192, tensor_parallel=8, sequence_parallel=True, pipeline_parallel=2, data_parallel=4, zero=1, recompute="full")
    assert float(step(arch, by_hand, H100, FABRIC, overlap="partial", global_batch=128).step_s) >= found.best[0].step_s


def test_every_split_is_asked_once() -> None:
    """135M parameters in 30 layers of 9 heads, two sequences of 1,024 tokens: what divides can be counted by hand."""
    small = catalog.architecture("smollm2-135m")
    run = Run(sequence=1024, kernels="eager")
    # Two chips: as copies with one sequence each under four stages of ZeRO, or as a pipeline that has one or both sequences in a micro-batch.
    assert splits.search(small, run, H100, FABRIC, 2, 2).asked == (4 + 2) * 3  # and each with three ways to recompute
    alone = splits.search(small, run, H100, FABRIC, 1, 2, most=10)
    assert alone.asked == len(alone.best) == 2 * 3
    assert {one.run.zero for one in alone.best} == {0}
    assert {one.run.micro_batch for one in alone.best} == {1, 2}
    assert splits.search(small, run, H100, FABRIC, 1, 1).asked == 3
    assert {one.run.zero for one in splits.search(small, run, H100, FABRIC, 2, 2, most=99).best} == {0, 1, 2, 3}
    five = splits.search(small, run, H100, FABRIC, 5, 5, most=99).best  # five stages of six layers, or of twice three; of four times none
    assert {(one.run.pipeline_parallel, one.run.virtual_stages) for one in five} == {(1, 1), (5, 1), (5, 2)}
    # Flash attention keeps no scores: selective recomputation would drop nothing, and is not asked about.
    assert splits.search(small, replace(run, kernels="flash"), H100, FABRIC, 2, 2).asked == (4 + 2) * 2


def test_nothing_fits_where_nothing_can() -> None:
    """405 billion parameters on one node: no layout, and no error."""
    found = splits.search(catalog.architecture("llama-3.1-405b"), Run(sequence=8192), H100, FABRIC, 8, 8)
    assert not found.best
    assert not found.fit


def test_decoding_waits_more_on_each_chip_added() -> None:
    """Speed per chip falls from the first doubling on, and a larger batch does not wait less per token than it reads."""
    t = np.array([1, 2, 4, 8])
    found = decode(LLAMA, H100, FABRIC, tensor_parallel=t, context=2048)
    assert np.all(np.diff(found.tokens_per_s / t) < 0)
    assert found.efficiency[0] == 1.0
    assert found.tokens_per_s[0] < 209 * 0.69 * 1.08


def test_a_layout_is_chosen_for_its_simplicity() -> None:
    """Of those within 2 % of the fastest the one with the least model parallelism, with room for the error of the estimate, no sequence split."""
    for model, chip, gpus in (("llama-3.1-70b", "h200-sxm", 64), ("llama-3.1-70b", "h100-sxm5", 64), ("llama-3.1-8b", "h100-sxm5", 8)):
        arch, on = catalog.architecture(model), catalog.chips()[chip]
        found = splits.search(arch, Run(sequence=8192), on, Fabric(inside_bytes_per_s(on)), gpus, 256, overlap="none")
        assert found.chosen is not None
        needs = train(arch, found.chosen.run)
        assert float(needs.peak_total_bytes) * (1 + needs.error_band) <= on.memory_bytes
        assert found.chosen.step_s <= found.best[0].step_s * (1 + splits.CLOSE)
        assert all(one.run.context_parallel == 1 for one in (found.chosen, *found.best))

        def apart(one: splits.Layout) -> int:
            return int(one.run.tensor_parallel * one.run.pipeline_parallel)

        close = [one for one in found.best if one.step_s <= found.best[0].step_s * (1 + splits.CLOSE)]
        assert apart(found.chosen) <= min(map(apart, close))


def test_sequences_are_split_where_nothing_fits_without() -> None:
    """A million tokens in one sequence on 64 chips: context parallelism, and then it fits."""
    found = splits.search(LLAMA, Run(sequence=2**20), H100, FABRIC, 64, 4, overlap="none")
    assert found.chosen is not None
    assert found.chosen.run.context_parallel > 1


def test_adapters_compute_two_thirds_and_send_little() -> None:
    """LoRA leaves out the gradients of frozen weights, 2 of 6 P T, and reduces those of its adapters alone; ZeRO-3 still gathers the weights."""
    run = Run(sequence=512, micro_batch=8, data_parallel=8)
    full, adapters = (step(LLAMA, replace(run, method=method), H100, FABRIC) for method in ("full", "lora"))
    multiplied, attention = LLAMA.parameters - 128256 * 4096 - 65 * 4096, 12 * 32 * 4096 * 512
    assert full.model_flop == pytest.approx(full.tokens * (6 * multiplied + attention))
    assert adapters.model_flop == pytest.approx(full.tokens * (4 * multiplied + attention + 6 * lora.trainable(LLAMA, "all", 16)))
    sent = float(adapters.bytes_on_wire["data_parallel"])
    assert sent == pytest.approx(2 * 4 * ring_share(8) * lora.trainable(LLAMA, "all", 16))
    sharded = step(LLAMA, replace(run, method="lora", zero=3), H100, FABRIC)
    assert float(sharded.bytes_on_wire["data_parallel"]) == pytest.approx(sent + 2 * 2 * ring_share(8) * LLAMA.parameters)


@pytest.mark.parametrize(("stages", "sequences"), [(1, 4), (4, 1), (4, 2), (4, 4), (4, 12)])
def test_a_pipeline_that_decodes_is_a_queue(stages: int, sequences: int) -> None:
    """Micro-batches go round the stages, one at a time in each; once it runs, a token of all of them takes what the formula says."""
    found = decode(LLAMA, H100, FABRIC, pipeline_parallel=stages, batch=sequences, context=2048)
    at_once = min(stages, sequences)
    stage_s = float(found.busy_s + found.waiting_s) / at_once
    free, ready = [0.0] * stages, [0.0] * at_once
    done = []
    for _token in range(50):
        for micro in range(at_once):
            at = ready[micro]
            for s in range(stages):
                at = free[s] = max(at, free[s]) + stage_s
            ready[micro] = at
        done.append(max(ready))
    assert done[-1] - done[-2] == pytest.approx(float(found.step_s))
    assert float(found.tokens_per_s) == pytest.approx(sequences / (done[-1] - done[-2]))


def test_one_answer_gains_nothing_from_a_pipeline() -> None:
    """It passes all stages one after the other: as slow as one chip, and slower by the hops."""
    one, four = (decode(LLAMA, H100, FABRIC, pipeline_parallel=p, batch=1, context=2048) for p in (1, 4))
    assert four.step_s >= one.step_s
    assert four.step_s == pytest.approx(one.step_s, rel=0.01)
    assert four.bubble_s == pytest.approx(0.75 * float(four.step_s))


def test_copies_share_nothing() -> None:
    """Eight copies write eight times as much and send nothing; no answer comes sooner."""
    one, eight = (decode(LLAMA, H100, FABRIC, replicas=r, batch=4, context=2048) for r in (1, 8))
    assert eight.tokens_per_s == pytest.approx(8 * float(one.tokens_per_s))
    assert eight.step_s == one.step_s
    assert eight.sent_bytes == 0


def test_latent_attention_computes_with_its_expanded_heads() -> None:
    """DeepSeek-V3 reading 1,000 tokens: 61 layers of 128 heads, keys of 128 + 64 and values of 128, two FLOP for each pair."""
    core = [op for op in work.operations(catalog.architecture("deepseek-v3"), "prefill", 1, 1000) if op.id in work.CORE]
    assert sum(float(op.flop) for op in core) == 2 * 1000 * 1000 * 61 * 128 * (128 + 64 + 128)


def test_gradients_of_experts_are_sent_too() -> None:
    """Over eight copies a model sends in proportion to all of its parameters, whether a token uses them or not."""
    mixtral = catalog.architecture("mixtral-8x7b")
    sent = [float(step(arch, Run(sequence=1024, data_parallel=8), H100, FABRIC).bytes_on_wire["data_parallel"]) for arch in (LLAMA, mixtral)]
    assert sent[1] / sent[0] == pytest.approx(mixtral.parameters / LLAMA.parameters)


def test_experts_are_shared_by_both_kinds_of_ranks() -> None:
    """Tensor ranks split each expert, expert ranks share them out: 4 x 2 ranks hold an eighth each; without such ranks one holds all."""
    mixtral = catalog.architecture("mixtral-8x7b")
    block = mixtral.layers[0]
    routed = mixtral.components["routed_experts"] / 32
    assert held(mixtral, block, block.tensors, Run()).experts == routed
    assert held(mixtral, block, block.tensors, Run(tensor_parallel=4, expert_parallel=2, data_parallel=2)).experts == routed / 8


def test_stages_share_the_work_of_a_token() -> None:
    """Two stages do half of the layers each, for both sequences."""
    one, two = (decode(LLAMA, H100, FABRIC, pipeline_parallel=p, batch=2, context=1024) for p in (1, 2))
    assert float(two.flop) == pytest.approx(float(one.flop) / 2)


def test_links_in_two_directions_allow_twice_the_ranks() -> None:
    """Over two axes of a torus tensor parallelism reaches twice as far (How to Scale Your Model, chapter "Training")."""
    assert critical.tensor_parallel_limit(28_000, 990e12, 400e9, axes=2.0) == 2 * critical.tensor_parallel_limit(28_000, 990e12, 400e9)


def test_a_copy_that_needs_more_chips_than_there_are_is_one_point() -> None:
    """Where eight chips hold one copy and at most four are asked about, the curve is at eight."""
    assert scaling.counts(Run(tensor_parallel=8), 4).tolist() == [8]
    assert scaling.counts(Run(tensor_parallel=4), 4, 12).tolist() == [4, 12]


@pytest.mark.parametrize(
    ("ranks", "said"),
    [((1, 1, 1, 1), "TP1"), ((2, 4, 8, 3), "TP2×PP4×EP8, 3 copies"), ((1, 2, 1, 1), "TP1×PP2"), ((8, 1, 1, 2), "TP8, 2 copies")],
)
def test_a_served_split_is_said_in_short(ranks: tuple[int, int, int, int], said: str) -> None:
    """What is one is left out, but for the tensor parallel ranks."""
    assert served_split(dict(zip(("tensor_parallel", "pipeline_parallel", "expert_parallel", "replicas"), ranks, strict=True))) == said


def test_attention_without_queries_of_its_own_gets_one_adapter() -> None:
    """Where a layer names neither queries and values nor a fused projection, as latent attention does, its first projection stands for them."""
    block = catalog.architecture("deepseek-v3").layers[0]
    assert [tensor.name for tensor in lora.adapted(block, "qv")] == ["q_a_proj"]


def test_experts_apart_send_tokens_and_hold_less() -> None:
    """Eight groups read an eighth of the experts and of the caches; each token goes to its experts and back."""
    arch = catalog.architecture("mixtral-8x7b")
    apart = decode(arch, H100, FABRIC, expert_parallel=8, batch=512, context=2048, kernels="fused")
    routed = arch.components["routed_experts"]
    dense = arch.parameters - routed - arch.vocab * arch.hidden_size  # the table of tokens is looked up
    held = 2 * (dense + routed / 8 * (1 - (1 - 2 / 8) ** 512))
    assert apart.moved_bytes == pytest.approx(held + kv_cache_bytes(arch, batch=64, context=2048), rel=0.03)
    assert float(apart.bytes_on_wire["expert_parallel"]) == pytest.approx(32 * volumes.expert_parallel_bytes(64, 1, 4096, 2, 8))
    assert float(apart.start_s) == pytest.approx(2 * 32 * FABRIC.inside_latency_s)
    assert apart.chips == 8


def test_windows_are_read_no_further_than_they_reach() -> None:
    """Layers with a sliding window keep so many tokens and no more: the cache that decoding reads is that of the footprint."""
    arch = catalog.architecture("gemma-2-9b")
    long, longer = (decode(arch, H100, FABRIC, context=s).moved_bytes for s in (32768, 65536))
    grown = kv_cache_bytes(arch, batch=1, context=65536) - kv_cache_bytes(arch, batch=1, context=32768)
    assert longer - long == pytest.approx(grown, rel=1e-3)


def test_the_critical_batch_is_where_compute_and_gradients_take_equally_long() -> None:
    """At C/W tokens a backward pass of 4 FLOP per parameter and token takes as long as an all-reduce of 16-bit gradients."""
    C, W, P = 990e12, 450e9, 1e9
    tokens = critical.tokens_per_chip(C, W)
    assert 4 * P * tokens / C == pytest.approx(2 * 2 * P / W)


def test_sharding_is_best_where_its_two_costs_are_equal() -> None:
    """X of the formula moves fewer bytes than neighbours of it."""
    B, N, F, D = 4.19e6, 8960, 28672, 8192
    X = critical.optimal_sharding(B, N, F)

    def moved(x: float) -> float:
        return 4 * D * F * x / (N * 2) + 4 * B * D / x

    assert moved(X) < min(moved(X * 1.1), moved(X / 1.1))


def test_a_fit_is_told_apart_from_noise() -> None:
    """Exact points give back their pair; two points give a sentence; a sweep that gains with size has no negative start."""
    sizes = np.geomspace(1e3, 1e9, 20)
    found = fit(sizes.tolist(), (20e-6 + 1.75 * sizes / 300e9).tolist(), 8)
    assert found.alpha_s == pytest.approx(20e-6)
    assert found.worst < 1e-9
    assert found.half_bytes == pytest.approx(20e-6 * 300e9 / 1.75)
    with pytest.raises(InputError, match="three points"):
        fit([1.0, 2.0], [1.0, 2.0], 8)
    assert fit([1e6, 2e6, 4e6], [1e-6, 2.2e-6, 4.9e-6], 8).alpha_s == 0.0


def test_a_fit_without_a_start_is_the_nearest_there_is() -> None:
    """Where a sweep gains with size, of all rates without a start-up time the one that is found has the least squared relative misses."""
    sizes, times = [1e6, 2e6, 4e6], [1e-6, 2.2e-6, 4.9e-6]
    found = fit(sizes, times, 8)

    def squares(rate: float) -> float:
        return sum(float(miss) ** 2 for miss in replace(found, beta_bytes_per_s=rate).misses)

    assert found.alpha_s == 0.0
    assert squares(found.beta_bytes_per_s) < min(squares(found.beta_bytes_per_s * share) for share in (0.99, 1.01))


def test_what_a_ring_passes_of_a_token_is_what_the_cache_keeps_of_it() -> None:
    """Keys and values, a latent, or one vector for both, in every layer that keeps its own: of every model whose entries are neither compressed nor
    found by an index."""
    layers = (Layer(Attention(8, 2, 64, 64, key_is_value=True), None, ()), Layer(Attention(8, 2, 64, 64, shares_cache=True), None, ()))
    one_vector = Architecture("one vector", "test", 512, 1000, layers, (), tied=False)
    plain = [
        arch
        for arch in (one_vector, *map(catalog.architecture, catalog.presets()))
        if not any(getattr(block.mixer, "index_dim", 0) or getattr(block.mixer, "compression", 1) > 1 for block, _count in arch.groups)
    ]
    assert len(plain) > 50
    for arch in plain:
        assert traffic(arch, decoding=True).kv_elements == bytes_per_token(arch) / 2, arch.name
    assert traffic(one_vector).kv_elements == 2 * 64


def test_a_bill_is_time_energy_and_money() -> None:
    """Chip hours, joules at design power, and money only where a price was typed."""
    found = budget(1e12, 1e6, 100, tdp_w=700, pue=1.2)
    assert found.seconds == 1e6
    assert found.chip_hours == pytest.approx(1e8 / 3600)
    assert found.energy_j == pytest.approx(700 * 100 * 1e6 * 1.2)
    assert found.cost is None
    assert budget(1e12, 1e6, 100, price_per_hour=2.5).cost == pytest.approx(2.5e8 / 3600)


@pytest.mark.parametrize(("name", "least", "most"), [("tokens", 1.0, 1e24), ("pue", 1.0, 1e3), ("price_per_hour", 1e-12, 1e12)])
def test_a_bill_takes_what_is_within_its_bounds_alone(name: str, least: float, most: float) -> None:
    """A PUE of 1 loses nothing on the way to the chips, and nothing is below it; the smallest and the largest are taken, and none beyond."""
    for value in (least, most):
        assert np.isfinite(budget(**{"tokens": 1e12, "tokens_per_s": 1e6, "gpus": 100, name: value}).seconds)
    for value in (np.nextafter(least, 0.0), np.nextafter(most, np.inf)):
        with pytest.raises(InputError, match=f"{name} must be from {least:g} to"):
            budget(**{"tokens": 1e12, "tokens_per_s": 1e6, "gpus": 100, name: float(value)})


def test_ones_own_machines_cost_nothing() -> None:
    """A price of nothing is a price, and one below nothing is none."""
    assert budget(1e12, 1e6, 100, price_per_hour=0.0).cost == 0.0
    with pytest.raises(InputError, match="above 0"):
        budget(1e12, 1e6, 100, price_per_hour=-1.0)


def test_the_bill_of_chinchilla() -> None:
    """70B parameters on 1.4T tokens (Hoffmann et al. 2022): 5.88e23 FLOP; 140 GB to read a token, 1.12 TB of states, 5.6 TB of token ids."""
    found = scaling_laws.cost(70e9, 1.4e12, batch_tokens=4e6)
    assert (found.parameters, found.tokens) == (70e9, 1.4e12)
    assert found.training_flop == pytest.approx(5.88e23)
    assert found.steps == pytest.approx(350_000)
    assert (found.weights_bytes, found.states_bytes, found.text_bytes) == (140e9, 1.12e12, 5.6e12)
    assert found.wire_bytes == pytest.approx(4 * 70e9 * 350_000)
    assert found.serving_flop_per_token == 140e9
    assert found.loss == pytest.approx(1.94, abs=0.01)  # equation 10: 1.69 + 406.4 / N**0.34 + 410.7 / D**0.28


def test_where_nothing_is_known_no_chip_is_the_fewest() -> None:
    """Without a model, or without a chip, there is no year to speak of; a model is held by the chips of its own year and before."""
    gpt3 = frontier.Dated("GPT-3", dt.date(2020, 6, 1), 175e9)
    a100, h100 = (frontier.Dated(name, dt.date(year, 6, 1), 80e9) for name, year in (("A100", 2021), ("H100", 2022)))
    assert frontier.fewest_chips([], [a100]) == frontier.fewest_chips([gpt3], []) == ()
    found = frontier.fewest_chips([gpt3], [h100, a100])
    assert [(held.year, held.chip.name, held.serving_chips, held.training_chips) for held in found] == [(2021, "A100", 5, 35), (2022, "H100", 5, 35)]


def test_over_trained_small_models_cost_more_to_train_and_less_to_serve() -> None:
    """The break-even is where training and serving together cost the same."""
    N, D = scaling_laws.chinchilla_parametric(1e23)
    L = scaling_laws.loss(N, D)
    small = N / 2
    longer = scaling_laws.tokens_for_loss(small, L)
    served = scaling_laws.pays_after_tokens(small, N, L)
    assert longer > D
    assert scaling_laws.training_flop(small, longer) > scaling_laws.training_flop(N, D)
    assert scaling_laws.lifetime_flop(small, longer, served) == pytest.approx(scaling_laws.lifetime_flop(N, D, served))
    assert scaling_laws.tokens_for_loss(1e6, L) == np.inf


@pytest.mark.parametrize(
    ("fields", "options", "said"),
    [
        ({"tensor_parallel": 3}, {}, "num_attention_heads"),
        ({}, {"overlap": "some"}, "overlap"),
        ({}, {"efficiency": 1.4}, "efficiency"),
        ({}, {"efficiency": float("nan")}, "efficiency"),
        ({"data_parallel": 64}, {"global_batch": 8}, "fewer GPUs"),
        ({}, {"global_batch": 0}, "global_batch"),
    ],
)
def test_what_cannot_run_is_said(fields: dict[str, int], options: dict[str, object], said: str) -> None:
    """One sentence with the value and what to do."""
    with pytest.raises(InputError, match=said):
        step(LLAMA, Run(**fields), H100, FABRIC, **options)  # type: ignore[arg-type]
