"""The solvers: the largest that fits, the fewest GPUs, the fixes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wallviz.engine.memory import solve
from wallviz.engine.memory.peak import train
from wallviz.engine.memory.run import Run
from wallviz.engine.memory.serve import infer
from wallviz.engine.transformer import Architecture, architecture
from wallviz.errors import InputError

GIB = 2**30
CONFIG = {
    "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256, "tie_word_embeddings": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def llama() -> Architecture:
    return architecture(CONFIG)


@pytest.mark.parametrize("gib", [24, 40, 80, 141])
@pytest.mark.parametrize("run", [Run(sequence=2048), Run(sequence=2048, recompute="full", loss="chunked"), Run(sequence=2048, method="lora")])
def test_the_largest_micro_batch_fits_and_the_next_does_not(llama: Architecture, gib: int, run: Run) -> None:
    """The answer fits and its neighbour does not."""
    fit = solve.fit_training(llama, run, gib * GIB)
    if fit.largest_micro_batch is None:
        assert float(train(llama, run, micro_batch=1).peak_total_bytes) > gib * GIB
        return
    need = train(llama, run, micro_batch=np.array([fit.largest_micro_batch, fit.largest_micro_batch + 1])).peak_total_bytes
    assert need[0] <= gib * GIB < need[1]  # type: ignore[index]


@pytest.mark.parametrize("gib", [24, 80])
def test_the_largest_context_fits_and_the_next_does_not(llama: Architecture, gib: int) -> None:
    """One more token would be too many."""
    fit = solve.fit_training(llama, Run(recompute="full", optimizer="adamw-8bit", precision="bf16-pure"), gib * GIB)
    assert fit.largest_context is not None
    run = Run(recompute="full", optimizer="adamw-8bit", precision="bf16-pure")
    need = train(llama, run, sequence=np.array([fit.largest_context, fit.largest_context + 1])).peak_total_bytes
    assert need[0] <= gib * GIB < need[1]  # type: ignore[index]


@pytest.mark.parametrize("gib", [6, 10, 16, 24, 80])
def test_the_fewest_gpus_fit_and_one_rank_less_does_not(llama: Architecture, gib: int) -> None:
    """The layout that is given fits; the same with one data parallel rank less does not."""
    run = Run(sequence=1024, loss="chunked", recompute="full")
    gpus, layout = solve.fewest(llama, run, gib * GIB)
    assert gpus is not None
    assert layout is not None
    split = {name: layout[name] for name in ("tensor_parallel", "pipeline_parallel", "data_parallel", "zero")}
    assert np.prod([layout[n] for n in ("tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel")]) == gpus
    used = replace(run, sequence_parallel=layout["tensor_parallel"] > 1)
    assert float(train(llama, used, **split).peak_total_bytes) <= gib * GIB
    if layout["data_parallel"] > 1:
        assert float(train(llama, used, **split | {"data_parallel": layout["data_parallel"] - 1}).peak_total_bytes) > gib * GIB


HYBRID = {
    "model_type": "jamba", "hidden_size": 2048, "intermediate_size": 7168, "num_hidden_layers": 8, "num_attention_heads": 16,
    "num_key_value_heads": 8, "vocab_size": 65536, "attn_layer_period": 8, "attn_layer_offset": 4, "expert_layer_period": 2,
    "expert_layer_offset": 1, "num_experts": 16, "num_experts_per_tok": 2, "mamba_d_state": 16, "mamba_d_conv": 4, "mamba_expand": 2,
    "mamba_dt_rank": 128, "tie_word_embeddings": False,
}  # fmt: skip


@pytest.mark.parametrize("gib", [8, 14, 24, 48, 90, 160])
@pytest.mark.parametrize("config", [HYBRID, CONFIG], ids=["hybrid", "llama"])
def test_no_split_that_is_tried_takes_fewer_gpus(config: dict[str, object], gib: int) -> None:
    """Every depth, tensor rank, ZeRO stage and up to 64 data parallel ranks, one by one: the same fewest GPUs, the same split."""
    arch, run = architecture(config), Run(sequence=2048, recompute="selective")
    depths, heads = solve._splits(arch)
    best: tuple[int, int, dict[str, int]] | None = None
    for price, (p, t, zero) in enumerate((p, t, z) for p in depths for t in heads for z in range(4)):
        for ranks in (1,) if zero == 0 else range(1, 65):
            split = {"tensor_parallel": t, "pipeline_parallel": p, "data_parallel": ranks, "zero": zero}
            if float(train(arch, run, **split, sequence_parallel=t > 1).peak_total_bytes) <= gib * GIB:
                if best is None or (t * p * ranks, price) < best[:2]:
                    best = (t * p * ranks, price, split | {"context_parallel": 1})
                break
    gpus, layout = solve.fewest(arch, run, gib * GIB)
    assert (gpus, layout) == ((best[0], best[2]) if best else (None, None)) or (best is None and gpus is not None and gpus > 64)


@pytest.mark.parametrize("given", [{"prompt": 512}, {"prefix": 512}, {"prompt": 300, "prefix": 1000}])
def test_a_prompt_bounds_the_context_from_below(llama: Architecture, given: dict[str, int]) -> None:
    """A prompt or a shared prefix of its own does not stop the search for the largest context."""
    fit = solve.fit_serving(llama, 80 * GIB, batch=4, context=8192, **given)
    assert fit.largest_context is not None
    need = [float(infer(llama, batch=4, context=fit.largest_context + n, **given).peak_total_bytes) for n in (0, 1)]
    assert need[0] <= 80 * GIB < need[1]


def test_fixes_that_suffice_come_first_and_say_what_they_save(llama: Architecture) -> None:
    """Each fix saves what it says and fits as it says; the first three are the ones to show."""
    run = Run(sequence=4096, micro_batch=4)
    now = float(train(llama, run).peak_total_bytes)
    fit = solve.fit_training(llama, run, 40 * GIB)
    assert not fit.fits
    assert fit.headroom_bytes == 40 * GIB - now
    assert [fix.fits for fix in fit.fixes] == sorted((fix.fits for fix in fit.fixes), reverse=True)
    for fix in fit.fixes:
        then = float(train(llama, run, **fix.sets).peak_total_bytes)
        assert now - then == pytest.approx(fix.saves_bytes)
        assert (then <= 40 * GIB) == fix.fits
        assert "{" not in solve.sentence(fix)


def test_gpus_that_are_there_become_data_parallel_ranks(llama: Architecture) -> None:
    """Eight GPUs and tensor parallelism over two leave four data parallel ranks; seven cannot be shared by two."""
    assert solve.on_gpus(Run(tensor_parallel=2), 8).data_parallel == 4
    with pytest.raises(InputError, match="7 GPUs"):
        solve.on_gpus(Run(tensor_parallel=2), 7)


@pytest.mark.parametrize("gib", [16, 80])
def test_serving_has_a_largest_batch_and_context(llama: Architecture, gib: int) -> None:
    """The same promise for serving."""
    fit = solve.fit_serving(llama, gib * GIB, batch=4, context=8192)
    assert fit.fits
    assert fit.largest_micro_batch
    assert fit.largest_context
    for name, value in (("batch", fit.largest_micro_batch), ("context", fit.largest_context)):
        options = {"batch": 4, "context": 8192}
        assert float(infer(llama, **options | {name: value}).peak_total_bytes) <= gib * GIB
        assert float(infer(llama, **options | {name: value + 1}).peak_total_bytes) > gib * GIB


def test_a_gpu_without_memory_is_refused(llama: Architecture) -> None:
    """No capacity, no answer: a sentence instead."""
    for nothing in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="memory"):
            solve.fit_training(llama, Run(), nothing)
    with pytest.raises(InputError, match="count"):
        solve.fit_training(llama, Run(), 80e9, 0)


def test_what_fits_nowhere_says_so() -> None:
    """A model that no number of GPUs holds gives None and a reason."""
    huge = architecture(CONFIG | {"num_hidden_layers": 7, "vocab_size": 9_000_000})
    fit = solve.fit_training(huge, Run(sequence=4096), 1e8)
    assert fit.fewest_gpus is None
    assert fit.layout is None
    assert fit.reason
