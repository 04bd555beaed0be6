"""The peak of a training step: measured runs, the phases, sharding, bad input."""

from __future__ import annotations

import dataclasses
import itertools
import re

import numpy as np
import pytest

from wallviz import catalog
from wallviz.engine.memory import lora, ranks
from wallviz.engine.memory.peak import PARTS, PHASES, train
from wallviz.engine.memory.run import KERNELS, METHODS, OPTIMIZERS, PRECISIONS, RECOMPUTE, Run
from wallviz.engine.transformer import Architecture, architecture
from wallviz.errors import InputError
from wallviz.validation.korthikanti import first_stage_layers

LLAMA_3_8B = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False, "max_position_embeddings": 131072,
}  # fmt: skip
SMALL = LLAMA_3_8B | {
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 4096,
}


@pytest.fixture(scope="module")
def llama() -> Architecture:
    return architecture(LLAMA_3_8B)


@pytest.fixture(scope="module")
def small() -> Architecture:
    return architecture(SMALL)


def test_the_parts_of_llama_3_8b_sum_to_91_gib_but_its_peak_is_76(llama: Architecture) -> None:
    """A sum of everything that ever lives is not the peak: 91.3 GiB against 76.4 GiB (trap: sum instead of peak)."""
    run = train(llama, precision="bf16-pure", sequence=4096)
    everything = sum(max(float(parts[part]) for parts in run.phase_parts.values()) for part in PARTS)
    assert float(run.peak_allocated_bytes) / 2**30 == pytest.approx(76.4, abs=0.05)
    assert everything / 2**30 == pytest.approx(91.3, abs=0.1)


@pytest.mark.parametrize(
    ("phase", "largest"),
    [("loss_backward", {}), ("end_of_backward", {"recompute": "full"}), ("optimizer_step", {"recompute": "full", "optimizer_step": "foreach"})],
)
def test_the_peak_moves_to_another_phase(llama: Architecture, phase: str, largest: dict[str, str]) -> None:
    """Activations, gradients and the optimizer's temporaries each can be what decides."""
    assert train(llama, precision="bf16-pure", sequence=4096, **largest).peak_phase == phase


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("recompute", RECOMPUTE)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_parts_sum_to_the_phase_and_terms_to_the_peak(small: Architecture, kernels: str, recompute: str, method: str, precision: str) -> None:
    """The parts alive at the peak are the peak, and the terms shown sum to what the device shows, whatever is chosen."""
    answer = train(
        small, kernels=kernels, recompute=recompute, method=method, precision=precision, sequence=512, data_parallel=4, zero=2, tensor_parallel=2
    )
    assert sum(float(v) for v in answer.parts.values()) == pytest.approx(float(answer.peak_allocated_bytes))
    assert max(float(v) for v in answer.phases.values()) == pytest.approx(float(answer.peak_allocated_bytes))
    assert sum(float(term.bytes) for term in answer.terms) == pytest.approx(float(answer.peak_total_bytes), rel=1e-12)
    assert answer.peak_allocated_bytes < answer.peak_reserved_bytes < answer.peak_total_bytes


@pytest.mark.parametrize(
    ("name", "values"),
    [("micro_batch", (1, 2, 3, 8, 64)), ("sequence", (1, 100, 512, 4096, 131072)), ("accumulation", (1, 2, 4)), ("pipeline_parallel", (1,))],
)
@pytest.mark.parametrize("recompute", RECOMPUTE)
def test_bytes_never_fall_when_the_job_grows(small: Architecture, name: str, values: tuple[int, ...], recompute: str) -> None:
    """More sequences, longer ones, more accumulation: never fewer bytes."""
    for kernels in KERNELS:
        peaks = train(small, Run(recompute=recompute, kernels=kernels, sequence=256), **{name: np.array(values)}).peak_total_bytes
        assert np.all(np.diff(peaks) >= 0)


def test_bytes_never_fall_when_layers_are_added() -> None:
    """A deeper model never takes fewer bytes."""
    peaks = [float(train(architecture(SMALL | {"num_hidden_layers": n}), sequence=512).peak_total_bytes) for n in range(1, 12)]
    assert peaks == sorted(peaks)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_higher_zero_stage_never_raises_a_model_state(small: Architecture, optimizer: str, precision: str) -> None:
    """Each ZeRO stage shards one state more and leaves the others alone."""
    stages = [train(small, optimizer=optimizer, precision=precision, zero=zero, data_parallel=8, sequence=64) for zero in range(4)]
    for before, after in itertools.pairwise(stages):
        for part in ("weights", "gradients", "optimizer"):
            held = [float(answer.phase_parts["optimizer_step"][part]) for answer in (before, after)]
            assert held[1] <= held[0] + 1e-6


@pytest.mark.parametrize("degree", ["tensor_parallel", "data_parallel"])
def test_sharding_over_more_ranks_never_raises_a_part(small: Architecture, degree: str) -> None:
    """More ranks never hold more of anything each (tensor parallel, and ZeRO over data parallel ranks)."""
    ranks = [train(small, **{degree: n, "zero": 3, "sequence": 256, "accumulation": 2, "sequence_parallel": True}) for n in (1, 2, 4, 8)]
    for before, after in itertools.pairwise(ranks):
        for phase in PHASES:
            for part in set(PARTS) - {"workspace"}:
                assert float(after.phase_parts[phase][part]) <= float(before.phase_parts[phase][part]) * (1 + 1e-9)


def test_arrays_give_what_single_runs_give(small: Architecture) -> None:
    """A sweep is the same formulas, not an approximation of them; pipelines of several depths in one call too."""
    rng = np.random.default_rng(7)
    n = 60
    values = {
        "micro_batch": rng.integers(1, 9, n), "sequence": rng.integers(1, 64, n) * 8, "zero": rng.integers(0, 4, n),
        "data_parallel": 2 ** rng.integers(0, 5, n),
        "tensor_parallel": 2 ** rng.integers(0, 4, n), "pipeline_parallel": 2 ** rng.integers(0, 4, n), "accumulation": rng.integers(1, 9, n),
    }  # fmt: skip
    together = train(small, **values)
    for i in range(n):
        alone = train(small, **{name: int(value[i]) for name, value in values.items()})
        assert float(alone.peak_total_bytes) == pytest.approx(float(together.peak_total_bytes[i]))  # type: ignore[index]
        for part in PARTS:
            assert float(alone.parts[part]) == pytest.approx(float(together.parts[part][i]))  # type: ignore[index]


def test_the_worst_stage_is_the_largest_of_all(small: Architecture) -> None:
    """ "worst" is the maximum over the stages, and no stage is larger."""
    run = Run(pipeline_parallel=4, accumulation=8, sequence=512)
    each = [float(train(small, run, stage=str(i)).peak_total_bytes) for i in range(4)]
    assert float(train(small, run).peak_total_bytes) == max(each)
    assert each[0] == float(train(small, run, stage="first").peak_total_bytes)
    assert each[3] == float(train(small, run, stage="last").peak_total_bytes)


def test_the_interleaved_schedule_keeps_more_on_the_first_stage(small: Architecture) -> None:
    """L(1 + (p - 1)/(pv)) layers of activations on the first stage (arXiv 2205.05198, section 4.2.3)."""
    plain = train(small, pipeline_parallel=4, accumulation=32, sequence=512, stage="first")
    interleaved = train(small, pipeline_parallel=4, virtual_stages=2, accumulation=32, sequence=512, stage="first")
    outside = 8 * 512 + 4 * 64 * 512
    layers = [float(answer.phase_parts["loss_backward"]["activations"]) - outside for answer in (plain, interleaved)]
    assert layers[1] / layers[0] == pytest.approx(1 + 3 / 8)


@pytest.mark.parametrize(("p", "v"), [(8, 1), (8, 3), (4, 2), (64, 2)])
def test_the_first_stage_keeps_what_korthikanti_counts(p: int, v: int) -> None:
    """L layers' worth with 1F1B, L(1 + (p - 1)/(pv)) interleaved (arXiv 2205.05198, section 4.2.3); the last one set and those of earlier chunks."""
    L = 4 * p * v
    first, last = (ranks.PipelineStage(index, p, (), ()).in_flight(10_000, v) * L / p for index in (0, p - 1))
    assert first == pytest.approx(float(first_stage_layers(L, p, v)))
    assert last == pytest.approx(L / p if v == 1 else L / p * ((v - 1) * p + 1) / v)


def test_offloading_moves_bytes_to_the_host(small: Architecture) -> None:
    """What leaves the GPU stands in host memory; nothing vanishes."""
    stays, moves = train(small, zero=2, data_parallel=4), train(small, zero=2, data_parallel=4, offload="optimizer")
    assert float(stays.host_bytes) == 0
    assert float(moves.phase_parts["optimizer_step"]["optimizer"]) == 0
    assert float(moves.host_bytes) >= float(stays.phase_parts["optimizer_step"]["optimizer"])


def test_a_checkpoint_of_adapters_is_without_the_model(llama: Architecture) -> None:
    """Adapters in fp32 and their two moments, 12 bytes a trained parameter (PEFT saves adapters alone)."""
    assert float(train(llama, method="lora").checkpoint_bytes) == 12 * lora.trainable(llama, "all", 16)


def test_a_checkpoint_holds_weights_master_and_moments(llama: Architecture) -> None:
    """bf16 weights, fp32 master copy and two fp32 moments: 14 bytes a parameter, however many GPUs write it."""
    assert float(train(llama).checkpoint_bytes) == pytest.approx(14 * llama.parameters)
    assert float(train(llama, data_parallel=8, zero=3).checkpoint_bytes) == pytest.approx(14 * llama.parameters)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"micro_batch": 0}, "micro_batch"),
        ({"micro_batch": -3}, "micro_batch"),
        ({"micro_batch": float("nan")}, "micro_batch"),
        ({"micro_batch": "four"}, "micro_batch"),
        ({"sequence": 10**12}, "sequence"),
        ({"sequence": 2.5}, "sequence"),
        ({"sequence": True}, "sequence"),
        ({"tensor_parallel": 3}, "num_attention_heads must divide by tensor_parallel: 8 % 3 = 2; use 1, 2, 4, 8"),
        ({"pipeline_parallel": 3}, "num_layers"),
        ({"context_parallel": 3, "sequence": 512}, "sequence must divide by context_parallel"),
        ({"expert_parallel": 2, "data_parallel": 2}, "experts"),
        ({"zero": 4}, "zero"),
        ({"optimizer": "adamw2"}, "adamw-8bit"),
        ({"precision": "<script>"}, "bf16-mixed"),
        ({"weights": "none"}, "weights"),
        ({"stage": "7"}, "stage"),
        ({"stage": "x" * 1000}, "stage"),
        ({"micro_batch": np.array([1, 2]), "sequence": np.array([1, 2, 3])}, "arrays"),
    ],
)
def test_what_cannot_run_is_answered_with_a_sentence(small: Architecture, wrong: dict[str, object], says: str) -> None:
    """The message names the field, the value and what would do."""
    with pytest.raises(InputError, match=re.escape(says)):
        train(small, **wrong)


def test_a_run_is_changed_by_replacing_fields(small: Architecture) -> None:
    """ "What if" is dataclasses.replace."""
    run = Run(sequence=512, data_parallel=8)
    assert float(train(small, run, zero=3).peak_total_bytes) == float(train(small, dataclasses.replace(run, zero=3)).peak_total_bytes)


def test_every_preset_has_a_footprint() -> None:
    """No model of the catalog breaks the formulas: full training and LoRA, every kernel profile."""
    for name in catalog.presets():
        arch = catalog.architecture(name)
        for kernels in KERNELS:
            for method in METHODS:
                assert float(train(arch, kernels=kernels, method=method, sequence=128).peak_total_bytes) > 0
