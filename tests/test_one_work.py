"""One count of a model's work: the roofline, scale-out and the remedies give one job one time, for every model of the catalogue."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import wallviz
from wallviz import catalog, cli
from wallviz.engine import work
from wallviz.engine.memory.quantization import weights_bytes
from wallviz.engine.memory.run import Run
from wallviz.engine.remedies.setup import Setup, outcome
from wallviz.engine.roofline.step import step as roofline_step
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY
from wallviz.engine.scaleout.decode import decode
from wallviz.engine.scaleout.fabric import Fabric, inside_bytes_per_s
from wallviz.engine.scaleout.step import step
from wallviz.engine.transformer import Architecture
from wallviz.engine.work import Adapters, operations, unchecked

H100 = catalog.chips()["h100-sxm5"]
FABRIC = Fabric(inside_bytes_per_s(H100))
WHOLE: dict[str, Any] = {"efficiency": 1.0, "bandwidth_efficiency": 1.0}
LLAMA, MIXTRAL = catalog.architecture("llama-3.1-8b"), catalog.architecture("mixtral-8x7b")


def writes(arch: Architecture) -> bool:
    """It has a decoder."""
    return not all(layer.encoder for layer in arch.layers)


def sums(found: tuple[work.Operation, ...], *ids: str) -> tuple[float, float]:
    """FLOP and bytes of the operations called `ids`, or of all."""
    chosen = [op for op in found if not ids or op.id in ids]
    return sum(float(op.flop) for op in chosen), sum(float(op.bytes) for op in chosen)


@pytest.mark.parametrize("name", catalog.presets())
def test_one_chip_takes_the_rooflines_time(name: str) -> None:
    """At the whole peak and bandwidth a chip alone writes, trains and fine-tunes in the time that the roofline gives, whatever the model."""
    arch = catalog.architecture(name)
    asked = [("bf16", "bf16", 1, 4096), ("bf16", "bf16", 64, 512), ("fp8", "fp8", 8, 100_000), ("gguf:Q4_K_M", "q8_0", 3, 7)] if writes(arch) else []
    for weights, kv, batch, context in asked:
        options: dict[str, Any] = {"weights": weights, "kv": kv, "batch": batch, "context": context}
        alone = decode(arch, H100, FABRIC, **options, **WHOLE)
        bound = roofline_step(arch, H100, phase="decode", **options)
        assert alone.step_s == alone.bound_s == pytest.approx(bound.time_s, rel=1e-9)
        assert alone.tokens_per_s == pytest.approx(bound.tokens_per_s, rel=1e-9)
        public = wallviz.scaleout(arch, H100, gpus=1, job="infer", efficiency=1, **options)
        assert float(public.step.step_s) == pytest.approx(float(wallviz.roofline(arch, H100, phase="decode", **options).step.time_s), rel=1e-9)
    for batch, sequence in ((1, 4096), (4, 256)):
        shape: dict[str, Any] = {"batch": batch, "context": sequence}
        trained = wallviz.scaleout(arch, H100, gpus=1, efficiency=1, sequence=sequence, micro_batch=batch, global_batch=batch)
        bound = wallviz.roofline(arch, H100, phase="train", **shape).step
        assert float(trained.step.step_s) == pytest.approx(float(bound.time_s), rel=1e-9)
        assert float(trained.step.tokens) == bound.tokens
        for method in ("lora", "qlora"):
            run = Run(method=method, micro_batch=batch, sequence=sequence)
            tuned = step(arch, run, H100, FABRIC, **WHOLE)
            stored = {"weights": "nf4-dq"} if method == "qlora" else {}
            bound = roofline_step(arch, H100, phase="train", adapters=Adapters(), **shape, **stored)
            assert tuned.step_s == tuned.bound_s == pytest.approx(bound.time_s, rel=1e-9)


@pytest.mark.parametrize("model", ["llama-3.1-8b", "mamba2-2.7b", "flan-t5-xxl", "deepseek-v3"])
def test_two_commands_say_the_same(model: str) -> None:
    """`wallviz scaleout` on one chip that reaches all of its roof and `wallviz roofline`, each with its defaults."""

    def asked(*arguments: str) -> dict[str, Any]:
        result = CliRunner().invoke(cli.app, [*arguments, "--json"], env={"LC_ALL": "", "LANG": "", "COLUMNS": "200"})
        assert (result.exit_code, result.stderr) == (0, "")
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    for job, phase in (("infer", "decode"), ("train", "train")):
        apart = asked("scaleout", model, "H100", "--gpus", "1", "--job", job, "--efficiency", "1")
        assert apart["step_s"] == pytest.approx(asked("roofline", model, "H100", "--phase", phase)["time_s"], rel=1e-9)
    half = asked("scaleout", model, "H100", "--gpus", "1", "--efficiency", "1", "--half-square")
    assert half["step_s"] == pytest.approx(asked("roofline", model, "H100", "--phase", "train", "--half-square")["time_s"], rel=1e-9)


def test_three_pages_give_one_time() -> None:
    """70B on four chips for 200 sequences, and a job in training: scale-out, the remedies and, as their bound, the roofline agree."""
    arch = catalog.architecture("llama-3.1-70b")
    options = {"batch": 200, "context": 4096, "tensor_parallel": 4}
    served, split = (
        outcome(Setup(arch, H100, "infer", options=tuple(options.items()))),
        wallviz.scaleout(arch, "H100", gpus=4, job="infer", batch=200),
    )
    assert split.layout["tensor_parallel"] == 4
    assert served.tokens_per_s == pytest.approx(float(split.step.tokens_per_s))
    assert served.bound_s == pytest.approx(float(roofline_step(arch, H100, phase="decode", **options).time_s))
    fields: dict[str, Any] = {"sequence": 8192, "zero": 3, "recompute": "full"}
    whole = Setup(LLAMA, H100, "train", Run(**fields, data_parallel=8), half_square=False)
    trained, one = outcome(whole), wallviz.scaleout(LLAMA, "H100", gpus=8, **fields).step
    assert trained.tokens_per_s == pytest.approx(float(one.tokens_per_s))
    assert trained.bound_s == pytest.approx(float(roofline_step(LLAMA, H100, phase="train", context=8192, recompute="full").time_s))
    assert trained.bound_s < trained.time_s
    fewer = outcome(Setup(LLAMA, H100, "train", Run(**fields, data_parallel=8)))
    assert fewer.tokens_per_s == pytest.approx(float(wallviz.scaleout(LLAMA, "H100", gpus=8, half_square=True, **fields).step.tokens_per_s))
    fused = outcome(Setup(arch, H100, "infer", options=tuple(options.items()), kernels="fused"))
    also = wallviz.scaleout(arch, "H100", gpus=4, job="infer", batch=200, kernels="fused").step
    assert served.tokens_per_s < fused.tokens_per_s == pytest.approx(float(also.tokens_per_s))


def test_shares_apply_to_arithmetic_and_reading() -> None:
    """Half of the peak doubles what arithmetic bounds, half of the bandwidth what reading bounds; a share that is named once is both."""
    whole, no_peak, no_bandwidth = (
        decode(LLAMA, H100, FABRIC, **WHOLE | share) for share in ({}, {"efficiency": 0.5}, {"bandwidth_efficiency": 0.5})
    )
    assert no_bandwidth.step_s == pytest.approx(2 * float(whole.step_s), rel=1e-3)
    assert no_peak.step_s == pytest.approx(float(whole.step_s), rel=1e-3)
    for job, fields in (("infer", {"batch": 8}), ("train", {"sequence": 2048})):
        half, all_ = (wallviz.scaleout(LLAMA, "H100", gpus=1, job=job, efficiency=share, **fields) for share in (0.5, 1))
        assert float(half.step.step_s) == pytest.approx(2 * float(all_.step.step_s))
        usual = wallviz.scaleout(LLAMA, "H100", gpus=1, job=job, **fields)
        assert (usual.efficiency, usual.bandwidth_efficiency) == (EFFICIENCY, BANDWIDTH_EFFICIENCY)


def test_arrays_of_ranks_answer_as_their_entries_do() -> None:
    """Tensor, context, expert and pipeline ranks and micro-batches in arrays give what each gives alone, in training and in decoding."""
    names = ("tensor_parallel", "context_parallel", "expert_parallel", "pipeline_parallel", "micro_batch")
    table = np.array(list(product((1, 8), (1, 4), (1, 2), (1, 2), (1, 3))))
    shared: dict[str, Any] = {"sequence": 4096, "data_parallel": 8, "accumulation": 4, "sequence_parallel": True}
    together = step(MIXTRAL, Run(**shared, **dict(zip(names, table.T, strict=True))), H100, FABRIC)
    written = decode(MIXTRAL, H100, FABRIC, tensor_parallel=table[:, 0], expert_parallel=table[:, 2], pipeline_parallel=table[:, 3], batch=24)
    for i, row in enumerate(table.tolist()):
        alone = step(MIXTRAL, Run(**shared, **dict(zip(names, row, strict=True))), H100, FABRIC)
        for name in ("step_s", "bound_s", "flop", "moved_bytes", "mfu"):
            assert getattr(alone, name) == pytest.approx(np.broadcast_to(getattr(together, name), len(table))[i], rel=1e-12)
        one = decode(MIXTRAL, H100, FABRIC, tensor_parallel=row[0], expert_parallel=row[2], pipeline_parallel=row[3], batch=24)
        assert one.step_s == pytest.approx(written.step_s[i], rel=1e-12)


def test_context_ranks_share_tokens_and_read_all_keys() -> None:
    """A quarter of the FLOP of each operation, and of all bytes but the weights and the keys and values of the whole sequence."""
    one, four = (unchecked(LLAMA, "train", 2, 8192, context_parallel=c) for c in (1, 4))
    for whole, part in zip(one, four, strict=True):
        assert part.flop == pytest.approx(whole.flop / 4)
    rows, keys = 2 * 8192 * 4096 * 2.0, 2 * 8192 * 1024 * 2.0  # queries or outputs; keys or values, of a layer
    assert sums(one, "attention_scores")[1] == pytest.approx(3 * 32 * (rows + keys))
    assert sums(four, "attention_scores")[1] == pytest.approx(3 * 32 * (rows / 4 + keys))
    read = 3 * weights_bytes(LLAMA, "bf16") * sum(t.size for t in LLAMA.layers[0].tensors if t.component == "mlp") * 32 / LLAMA.parameters
    assert sums(four, "mlp")[1] - read == pytest.approx((sums(one, "mlp")[1] - read) / 4)


def test_experts_apart_see_the_tokens_of_all() -> None:
    """Each of e ranks does as much for its experts as one alone, and reads an e-th of those that all tokens touch."""
    arch = catalog.architecture("deepseek-v3")
    alone, apart, together = (unchecked(arch, "decode", b, 512, expert_parallel=e) for b, e in ((8, 1), (8, 16), (128, 1)))
    assert sums(apart, "routed_experts")[0] == sums(alone, "routed_experts")[0]
    moved = {id: sums(found, "routed_experts")[1] for id, found in (("alone", alone), ("apart", apart), ("together", together))}
    values = (moved["alone"] - 2 * arch.components["routed_experts"] * (1 - (1 - 8 / 256) ** 8)) / 8  # of a token's activations
    assert moved["apart"] - 8 * values == pytest.approx((moved["together"] - 128 * values) / 16, rel=1e-6)
    assert sums(apart, "shared_expert") == sums(alone, "shared_expert")


def test_stages_share_the_work_evenly() -> None:
    """Half of everything on each of two stages."""
    one, two = (unchecked(LLAMA, "train", 1, 2048, pipeline_parallel=p) for p in (1, 2))
    assert sums(two) == pytest.approx([each / 2 for each in sums(one)])


def test_what_recomputation_repeats() -> None:
    """Selective: the attention core once more; full: every operation of the layers, the head and the look-up not."""
    none, selective, full = (operations(LLAMA, "train", 1, 4096, recompute=way, kernels="eager") for way in ("none", "selective", "full"))
    for before, core, again in zip(none, selective, full, strict=True):
        more = 4 / 3 if before.id in work.CORE else 1.0
        assert core.id == before.id
        if before.id != "other":  # the softmax is of the core, and the norms are not
            assert core.bytes == pytest.approx(more * before.bytes)
        assert again.bytes == pytest.approx(before.bytes * (1.0 if before.id in ("embedding", "lm_head") else 4 / 3))
    scores = 32 * 32 * 4096**2
    assert sums(selective, "other")[0] - sums(none, "other")[0] == pytest.approx(4 * scores)


def test_adapters_leave_out_the_gradients_of_frozen_weights() -> None:
    """Linear layers do two of three products and move two thirds, attention and norms all; the adapters' 6·A·T come on top."""
    full, tuned = (operations(LLAMA, "train", 2, 1024, adapters=adapters) for adapters in (None, Adapters(rank=16, targets="all")))
    mine = {op.id: op for op in tuned}
    for op in full:
        share = 1.0 if op.id in (*work.CORE, "other") else 1 / 3 if op.id == "embedding" else 2 / 3
        assert (mine[op.id].flop, mine[op.id].bytes) == pytest.approx((share * op.flop, share * op.bytes))
    own = 16 * sum(sum(t.shape) for layer in LLAMA.layers for t in layer.tensors if t.linear)
    assert mine["adapters"].flop == pytest.approx(6 * own * 2 * 1024)
    assert {op.id for op in tuned} - {op.id for op in full} == {"adapters"}


@pytest.mark.parametrize(
    ("fields", "weights", "precision"),
    [({"weights": "fp8"}, 1.0, "fp8"), ({"precision": "fp32"}, 4.0, "fp32"), ({"precision": "amp"}, 2.0, "bf16"), ({"method": "qlora"}, 0.5, "bf16")],
)
def test_training_formats(fields: dict[str, Any], weights: float, precision: str) -> None:
    """FP8 reads one byte and computes at the FP8 peak, fp32 four at that of fp32, autocast 16-bit copies, QLoRA half a byte in 16 bits."""
    found = {op.id: op for op in work.training(LLAMA, Run(sequence=1, **fields))}["mlp"]
    passes = 2 if "method" in fields else 3
    held = sum(t.size for layer in LLAMA.layers for t in layer.tensors if t.component == "mlp")
    assert found.bytes / passes == pytest.approx(weights * held, rel=0.06)
    assert found.precision == precision
    assert step(LLAMA, Run(**fields), H100, FABRIC).peak_flop_per_s == H100.peak(precision)


def test_a_draft_is_checked_in_one_pass() -> None:
    """Five tokens of each sequence at once: five times the FLOP, the weights and the cache read once."""
    one, five = (unchecked(LLAMA, "decode", 4, 8192, at_once=n) for n in (1, 5))
    assert sums(five)[0] == pytest.approx(5 * sums(one)[0])
    assert sums(five)[1] == pytest.approx(sums(one)[1], rel=0.01)
    step_of = decode(LLAMA, H100, FABRIC, batch=4, context=8192, at_once=5)
    assert step_of.step_s < 1.05 * float(decode(LLAMA, H100, FABRIC, batch=4, context=8192).step_s)


def test_pruned_weights_are_read_as_they_are_stored() -> None:
    """2:4 reads 9/16 of the layers' weights; pruning without a sparse format reads them all."""
    dense, half, zeros = (sums(operations(LLAMA, "decode", 1, 16, sparsity=way), "mlp")[1] for way in (None, "2:4", 0.5))
    assert half / dense == pytest.approx(9 / 16, rel=1e-3)
    assert zeros == dense


def test_ranks_in_a_table_answer_as_a_table() -> None:
    """Tensor ranks down and contexts across, in decoding: each entry is that of its row and column."""
    ranks, contexts = np.array([1, 2, 8])[:, None], np.array([512, 8192])
    found = operations(LLAMA, "decode", 4, contexts, tensor_parallel=np.broadcast_to(ranks, (3, 2)))
    for i, j in product(range(3), range(2)):
        alone = operations(LLAMA, "decode", 4, int(contexts[j]), tensor_parallel=int(ranks[i, 0]))
        assert [op.bytes[i, j] for op in found] == pytest.approx([op.bytes for op in alone])  # type: ignore[index]
