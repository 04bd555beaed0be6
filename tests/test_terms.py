"""Terms: a formula evaluates to its bytes, its symbols are the model's and the run's, and the terms sum to the phase and to the peak."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from wallviz import catalog
from wallviz.engine.memory import quantization
from wallviz.engine.memory.kv_cache import FORMATS, PART
from wallviz.engine.memory.lora import adapted
from wallviz.engine.memory.peak import PARTS, PHASES, Training, train
from wallviz.engine.memory.run import Run
from wallviz.engine.memory.serve import Serving, infer, layer_elements, share
from wallviz.engine.memory.terms import Term, evaluate, symbols_of
from wallviz.engine.transformer import Architecture, Attention, Experts, LatentAttention, Layer, Recurrent, Tensor
from wallviz.errors import InputError

MODELS = (
    "llama-3.1-8b", "gemma-2-2b", "qwen3-0.6b", "phi-3-mini", "mixtral-8x7b", "deepseek-v3.2", "deepseek-v4-pro", "nemotron-3-ultra-550b-a55b",
    "gpt2", "mamba-130m", "jamba-v0.1", "t5-base", "whisper-small", "vit-base",
)  # fmt: skip
TRAINED: dict[str, dict[str, Any]] = {
    "mixed": {},
    "pure, sgd": {"precision": "bf16-pure", "optimizer": "sgd"},
    "fp32, momentum, eager": {"precision": "fp32", "optimizer": "momentum", "kernels": "eager"},
    "autocast, lion, foreach": {"precision": "amp", "optimizer": "lion", "optimizer_step": "foreach"},
    "eight bits": {"optimizer": "adamw-8bit", "loss": "fused"},
    "adafactor, ZeRO 1": {"optimizer": "adafactor", "zero": 1, "data_parallel": 4, "optimizer_step": "foreach"},
    "muon, ZeRO 2": {"optimizer": "muon", "zero": 2, "data_parallel": 4},
    "galore": {"optimizer": "galore", "galore_rank": 64, "accumulation": 2},
    "ZeRO 3, all recomputed": {"zero": 3, "data_parallel": 8, "recompute": "full", "loss": "chunked", "loss_chunks": 7},
    "tensor parallel": {"tensor_parallel": 2, "loss": "chunked", "kernels": "fused", "precision": "bf16-fp32grad"},
    "more ranks than key-value heads": {"tensor_parallel": 16, "data_parallel": 2, "zero": 1},
    "sequence parallel, dropout": {"tensor_parallel": 4, "sequence_parallel": True, "dropout": True, "kernels": "eager", "recompute": "selective"},
    "pipeline, first": {"pipeline_parallel": 2, "accumulation": 4, "stage": "first", "recompute": "full"},
    "interleaved, last": {"pipeline_parallel": 2, "virtual_stages": 2, "accumulation": 8, "stage": "last", "zero": 1, "data_parallel": 2},
    "context and experts": {"context_parallel": 2, "expert_parallel": 4, "data_parallel": 4, "zero": 3},
    "experts, not shared": {"expert_parallel": 2, "data_parallel": 2, "accumulation": 2, "optimizer": "muon"},
    "experts, shared optimizer": {"expert_parallel": 2, "data_parallel": 4, "zero": 2, "optimizer": "galore"},
    "Megatron": {"kernels": "transformer-engine", "tensor_parallel": 2, "sequence_parallel": True, "zero": 1, "data_parallel": 2},
    "offloaded": {"offload": "optimizer", "zero": 2, "data_parallel": 4, "recompute": "full"},
    "all offloaded": {"offload": "parameters", "zero": 1, "data_parallel": 2},
    "LoRA": {"method": "lora", "kernels": "eager"},
    "LoRA, offloaded": {"method": "lora", "zero": 2, "data_parallel": 4, "offload": "optimizer", "optimizer": "adafactor", "recompute": "full"},
    "LoRA of queries": {"method": "lora", "targets": "qv", "adapter_dtype": "bf16", "optimizer": "lion", "tensor_parallel": 2},
    "QLoRA": {"method": "qlora", "optimizer": "adamw-8bit", "recompute": "full"},
    "QLoRA, ZeRO 3": {"method": "qlora", "zero": 3, "data_parallel": 2, "tensor_parallel": 2, "optimizer_step": "foreach", "targets": "attention"},
}
SERVED: dict[str, dict[str, Any]] = {
    "paged": {},
    "transformers": {"engine": "hf", "prompt": 300},
    "fp8": {"weights": "fp8", "kv": "fp8"},
    "four bits": {"weights": "awq-4", "kv": "q4_0", "tensor_parallel": 2},
    "scaled": {"weights": "nf4-dq", "kv": "int8-per-token-head"},
    "int8": {"weights": "int8", "kv": "q8_0", "block": 1, "graphs": False},
    "a file of llama.cpp": {"weights": "gguf:Q4_K_M", "pipeline_parallel": 2},
    "sparse": {"weights": "bf16", "sparsity": "2:4"},
    "shared prefix": {"prefix": 100, "tensor_parallel": 4, "encoder_context": 1500},
    "fp32": {"weights": "fp32", "kv": "fp32"},
    "wide": {"tensor_parallel": 16},
}


def pairs(options: dict[str, dict[str, Any]]) -> list[Any]:
    """Every option with the first model, and with every third of the others."""
    chosen = [(i, j) for i in range(len(MODELS)) for j in range(len(options)) if i == 0 or (i + j) % 3 == 0]
    return [pytest.param(MODELS[i], list(options.values())[j], id=f"{MODELS[i]}-{list(options)[j]}") for i, j in chosen]


def close(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-6)


def by_hand(term: Term) -> float:
    """What a reader's calculator says to the formula with the numbers in it; Python's arithmetic, not this project's."""
    text = re.sub(r",(?=\d{3})", "", term.values).replace("·", "*").replace("−", "-")
    return float(eval(text, {"__builtins__": {}, "min": min, "max": max, "ceil": math.ceil, "floor": math.floor}))


def asked(model: str, options: dict[str, Any]) -> Training:
    try:
        return train(catalog.architecture(model), **{"sequence": 512, **options})
    except InputError:
        pytest.skip("this model cannot run so")


def served(model: str, options: dict[str, Any]) -> Serving:
    try:
        return infer(catalog.architecture(model), batch=3, context=5000, **options)
    except InputError:
        pytest.skip("this model cannot run so")


# ---------------------------------------------------------------- formulas


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("2 + 3·4", 14), ("(2 + 3)·4", 20), ("12/4/3", 1), ("7 − 2 − 1", 4), ("8,192·2", 16384), ("min(1,000, 3)", 3), ("max(1, 2, 3)", 3),
        ("ceil(7/2) + floor(7/2)", 7), ("0.5·x", 2), ("Σ(r·m)·x", 40), ("largest unit − x", 1), ("N_d/x", 2), ("", 0),
    ],
)  # fmt: skip
def test_formulas_are_arithmetic(formula: str, value: float) -> None:
    """Products before sums, from left to right, thousands grouped, sums over tensors and words with spaces as symbols."""
    assert evaluate(formula, {"x": 4.0, "Σ(r·m)": 10.0, "largest unit": 5.0, "N_d": 8.0}) == value


@pytest.mark.parametrize("wrong", ["2·", "(2", "2)", "·2", "2 2", "2 ^ 3", "min 2", "min(2", "2·(3,4)", "a-b"])
def test_what_is_no_formula_is_no_term(wrong: str) -> None:
    """A formula that cannot be evaluated cannot be shown."""
    with pytest.raises(ValueError, match=re.escape(wrong)):
        Term("name", "part", wrong, {"a": 1.0, "b": 1.0}, "source")


def test_a_term_has_no_bytes_but_its_formula_s() -> None:
    """Bytes are not given, symbols that the formula does not have are dropped, one that it has and nobody gave is an error."""
    term = Term("name", "part", "2·P/N_d", {"P": 12.0, "N_d": 8.0, "c": 1.0}, "source")
    assert (term.bytes, dict(term.symbols), term.values) == (3.0, {"P": 12.0, "N_d": 8.0}, "2·12/8")
    with pytest.raises(KeyError, match="P"):
        Term("name", "part", "2·P", {}, "source")


# ---------------------------------------------------------------- sums


@pytest.mark.parametrize(("model", "options"), pairs(TRAINED))
def test_the_terms_of_training_sum_to_every_phase_and_to_the_peak(model: str, options: dict[str, Any]) -> None:
    """Each term is what its formula and its numbers come to; those of a phase sum to its parts and bytes, those of the peak to the peak."""
    step = asked(model, options)
    for phase in PHASES:
        assert close(sum(term.bytes for term in step.alive[phase]), float(step.phases[phase]))
        for part in PARTS:
            assert close(sum(term.bytes for term in step.alive[phase] if term.part == part), float(step.phase_parts[phase][part]))
        for term in step.alive[phase]:
            assert close(by_hand(term), float(term.bytes)), term
    assert all(by_hand(term) == pytest.approx(term.bytes, rel=1e-9) and term.bytes > 0 for term in step.terms)
    assert math.isclose(sum(term.bytes for term in step.terms), float(step.peak_total_bytes), rel_tol=1e-12)


@pytest.mark.parametrize(("model", "options"), pairs(SERVED))
def test_the_terms_of_serving_sum_to_every_part_and_to_the_peak(model: str, options: dict[str, Any]) -> None:
    """The same for serving: weights, cache, forward pass, overheads."""
    found = served(model, options)
    parts = {"weights": found.weights_bytes, PART: found.kv_cache_bytes, "activations": found.activation_bytes, **found.overheads}
    assert {term.part for term in found.terms} <= set(parts)
    for part, whole in parts.items():
        assert close(sum(term.bytes for term in found.terms if term.part == part), float(whole)), part
    assert all(close(by_hand(term), float(term.bytes)) for term in found.terms)
    assert math.isclose(sum(term.bytes for term in found.terms), float(found.peak_total_bytes), rel_tol=1e-12)


SWEPT = {
    "micro_batch": np.arange(1, 9), "zero": np.array([0, 1, 2, 3, 0, 1, 2, 3]), "data_parallel": np.array([1, 2, 4, 8, 8, 4, 2, 1]),
    "accumulation": np.array([1, 1, 2, 1, 2, 1, 1, 1]), "sequence": np.array([64, 8192, 64, 8192, 512, 512, 64, 64]),
}  # fmt: skip


@pytest.mark.parametrize("model", ["llama-3.1-8b", "gemma-2-2b", "deepseek-v3", "jamba-v0.1"])
@pytest.mark.parametrize("options", [{}, {"recompute": "full"}, {"offload": "optimizer", "recompute": "full"}, {"offload": "parameters"}], ids=str)
def test_a_sweep_has_the_terms_of_its_runs(model: str, options: dict[str, Any]) -> None:
    """The terms of a sweep sum, run by run, to the bytes of that run; its own terms are asked one run at a time."""
    arch = catalog.architecture(model)
    swept = train(arch, **SWEPT, **options)
    for i in range(8):
        one = train(arch, **{name: int(values[i]) for name, values in SWEPT.items()}, **options)
        for phase in PHASES:
            summed = sum(np.broadcast_to(term.bytes, 8)[i] for term in swept.alive[phase])
            assert close(summed, float(one.phases[phase]))
            assert all(np.array_equal(evaluate(term.formula, term.symbols), term.bytes) for term in swept.alive[phase])
    with pytest.raises(InputError, match="one of them"):
        _ = swept.terms


# ---------------------------------------------------------------- formulas as the papers have them

LAYER = "L·T·(16·h + 8 + 4·a·d + 4·g·d + 4·a + 8·f)"
PLAIN = {
    "activations outside the layers": "8·T + T·(8·h + 4) + 4·d·s",
    "logits and loss": "6·V·T",
    "gradients of the logits": "8·V·T",
    "logits": "2·V·T",
}
PAPERS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("llama-3.1-8b", {}, PLAIN | {  # 16 bytes a parameter (arXiv 1910.02054, section 3.1); 16h + 4ad + 4gd + 8f + 4a + 8, measured
        "weights": "2·P", "gradients": "2·P", "master weights": "4·P", "optimizer state": "2·4·P", "gradient of the embedding's output": "2·h·T",
        "activations: attention + feed-forward": LAYER,
    }),
    ("llama-3.1-8b", {"zero": 3, "data_parallel": 8, "context_parallel": 2, "recompute": "full", "sequence": 131072, "optimizer": "muon"}, PLAIN | {
        "weights": "2·P/(N_d·c)", "master weights": "4·P/(N_d·c)", "optimizer state": "(4·P_hidden + 2·4·P_rest)/(N_d·c)",
        "gathered weights": "min(2·largest unit, W − W/(N_d·c))", "activations: attention + feed-forward": "L·T·2·h",
        "activations outside the layers": "8·T + T·(8·h + 4) + 4·d·s/c", "one recomputed layer": LAYER.removeprefix("L·"),
        "gradients in one feed-forward layer": "T·6·f", "gradients": "2·(P − P_late)/(N_d·c); 2·P/(N_d·c)",
    }),
    ("llama-3.1-8b", {
        "precision": "amp", "optimizer": "adamw-8bit", "optimizer_step": "foreach", "kernels": "eager", "data_parallel": 2, "zero": 1,
    }, {
        "weights": "4·P", "gradients": "4·P", "optimizer state": "2·1.015625·P/N_d", "copies of what is updated": "4·P/N_d",
        "casts of the weights": "2·P_linear", "activations: attention + feed-forward": "L·T·(26·h + 8 + 8·a·d + 6·a·s + 8·f)",
        "activations outside the layers": "8·T + T·(10·h + 4) + 4·d·s", "gradient of the embedding's output": "4·h·T",
        "logits and loss": "6·V·T", "gradients of the logits": "8·V·T", "logits": "2·V·T",
    }),
    ("llama-3.1-8b", {
        "precision": "bf16-fp32grad", "kernels": "transformer-engine", "tensor_parallel": 16, "sequence_parallel": True, "optimizer": "lion",
        "loss": "fused",
    }, {
        "weights": "2·P", "gradients": "4·P", "master weights": "4·P", "optimizer state": "4·P",
        "activations: attention + feed-forward": "L·T·(8·h + 4·a·d + 4·max(g, min(t, a))·d + 4·a + 6·f)/t", "logits and loss": "6·V·T/t",
        "activations outside the layers": "8·T + T·4·h/t + 4·d·s", "buffers of weight gradients": "2·distinct linear weights/t",
        "gradient of the embedding's output": "2·h·T",
    }),
    ("llama-3.1-8b", {"method": "qlora", "optimizer": "adafactor", "loss": "chunked", "zero": 2, "data_parallel": 4}, {
        "quantized weights": "bits/8·P_linear", "weights": "2·P_rest", "adapters": "4·P_adapter", "gradients": "4·P_adapter/N_d",
        "optimizer state": "4·(Σ(d_in + d_out) + 2·n·r)/N_d", "logits and loss": "2·V/n·T", "dequantized weight": "2·largest linear weight",
        "activations: attention + feed-forward": "L·T·(8·h + 8 + 4·a·d + 4·g·d + 4·a + 6·f + 4·Σ(d_in) + 28·r)",
        "activations outside the layers": "8·T + T·(4·h + 4) + 4·d·s", "gradient of the embedding's output": "2·h·T",
    }),
    ("mixtral-8x7b", {"zero": 3, "data_parallel": 8, "expert_parallel": 4, "optimizer": "galore", "offload": "none"}, PLAIN | {
        "weights": "2·P_all/N_d", "gradients": "2·P_all/N_d", "master weights": "4·P_all/N_d",
        "optimizer state": "(4·(Σ(r·m) + 2·Σ(r·n)) + 2·4·P_rest)/N_d", "gathered weights": "min(2·largest unit, W − W/N_d)",
        "gathered experts": "min(2·largest experts, W_experts − W_experts·e/N_d)", "gradient of the embedding's output": "2·h·T",
        "activations: attention + experts": "L·T·(16·h + 8 + 4·a·d + 4·g·d + 4·a + 8·k·f + 4·k·h + 8·E)",
    }),
    ("deepseek-v3", {"offload": "parameters", "optimizer": "adafactor", "precision": "bf16-pure"}, PLAIN | {
        "gradients": "2·P", "gathered weights": "min(2·largest unit, W)", "gradient of the embedding's output": "2·h·T",
        "activations: latent attention + feed-forward":
            "L·T·(16·h + 16 + 8·kv + 2·dr + 8·q + 4·a·(dn + dr) + 4·a·d_v + 4·a + 8·f)",
        "activations: latent attention + experts":
            "L·T·(16·h + 16 + 8·kv + 2·dr + 8·q + 4·a·(dn + dr) + 4·a·d_v + 4·a + 8·k·f + 4·k·h + 8·E + 8·f_s)",
    }),
    ("gpt2", {"method": "lora", "targets": "qv", "rank": 8, "optimizer": "adamw-8bit", "adapter_dtype": "bf16"}, {
        "weights": "2·P", "adapters": "2·P_adapter", "gradients": "2·P_adapter", "optimizer state": "2·1.015625·P_adapter",
        "activations: attention + feed-forward": "L·T·(4·h + 8 + 4·a·d + 4·g·d + 4·a + 8·f + 2·Σ(d_in) + 2·r)",
        "activations outside the layers": "8·T + T·(2·h + 4)", "logits and loss": "6·V·T",
        "gradients of the logits": "8·V·T", "logits": "2·V·T", "gradient of the embedding's output": "2·h·T",
    }),
]  # fmt: skip


@pytest.mark.parametrize(("model", "options", "formulas"), PAPERS, ids=[f"{model} {options}" for model, options, _formulas in PAPERS])
def test_the_formulas_are_the_known_ones(model: str, options: dict[str, Any], formulas: dict[str, str]) -> None:
    """Every term that is alive at any time, as papers and counts have it; no term is missing, none is more."""
    step = train(catalog.architecture(model), **{"sequence": 4096, **options})
    found: dict[str, list[str]] = {}
    for term in (term for phase in PHASES for term in step.alive[phase]):
        found.setdefault(term.name, []).append(term.formula)
    assert {name: "; ".join(dict.fromkeys(written)) for name, written in found.items()} == formulas
    assert [term.formula for term in step.overhead_terms] == ["constant", "n·communicator", "(1.058 − 1)·allocated"]


@pytest.mark.parametrize(
    ("optimizer", "formula"),
    [
        ("sgd", None),
        ("momentum", "4·P_adapter"),
        ("lion", "4·P_adapter"),
        ("muon", "4·P_adapter"),
        ("adamw", "2·4·P_adapter"),
        ("galore", "2·4·P_adapter"),
    ],
)
def test_adapters_have_the_moments_of_their_optimizer(optimizer: str, formula: str | None) -> None:
    """None, one or two values for each parameter of an adapter, in its format: a matrix of rank r has nothing to project."""
    step = train(catalog.architecture("llama-3.1-8b"), method="lora", optimizer=optimizer)
    assert [term.formula for term in step.terms if term.part == "optimizer"] == ([formula] if formula else [])


SERVINGS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("llama-3.1-8b", {}, ["bits/8·P", "L·g·(d + d_v)·bytes·b·ceil(s/block)·block"]),
    ("llama-3.1-8b", {"tensor_parallel": 16, "weights": "awq-4", "kv": "int8-per-token-head", "prefix": 50}, [
        "bits/8·P_awq_4 + scales", "bits/8·P_16_bit",
        "L·ceil(g/t)·((d + d_v)·bytes + 2·scale)·(floor(shared/block)·block + b·ceil((s − floor(shared/block)·block)/block)·block)",
    ]),
    ("deepseek-v3.2", {"kv": "fp8_ds_mla", "engine": "hf"}, ["bits/8·P", "4·P_bias", "L·(kv + 4·ceil(kv/128) + 2·dr + d_i + 4·ceil(d_i/128))·b·s"]),
    ("deepseek-v3.2", {}, ["bits/8·P", "4·P_bias", "L·((kv + dr)·bytes + d_i·bytes)·b·ceil(s/block)·block"]),
    ("gemma-2-2b", {"block": 1, "prefix": 9}, [
        "bits/8·P", "L·g·(d + d_v)·bytes·(max(shared − s + min(s, w), 0) + b·(min(s, w) − max(shared − s + min(s, w), 0)))",
        "L·g·(d + d_v)·bytes·(shared + b·(s − shared))",
    ]),
    ("deepseek-v4-pro", {}, [
        "bits/8·P", "4·P_bias",
        "L·g·d·bytes·(b·ceil(floor(s/compression)/block)·block + b·ceil(min(s, w)/block)·block)",
        "L·(g·d·bytes + d_i·bytes)·(b·ceil(floor(s/compression)/block)·block + b·ceil(min(s, w)/block)·block)",
    ]),
    ("jamba-v0.1", {"tensor_parallel": 2}, ["bits/8·P", "L·(4·state + 2·convolution)·b/t", "L·ceil(g/t)·(d + d_v)·bytes·b·ceil(s/block)·block"]),
    ("whisper-small", {"weights": "gguf:Q4_K_M"}, [
        "bits/8·P_Q4_K", "bits/8·P_F32", "bits/8·P_Q6_K", *["L·g·(d + d_v)·bytes·b·ceil(s/block)·block"] * 2,
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("model", "options", "formulas"), SERVINGS, ids=[f"{model} {options}" for model, options, _formulas in SERVINGS])
def test_the_formulas_of_weights_and_cache_are_the_known_ones(model: str, options: dict[str, Any], formulas: list[str]) -> None:
    """Serving likewise; the forward pass and the overheads follow."""
    found = infer(catalog.architecture(model), context=5000, **options)
    paged = options.get("engine") != "hf"
    forward = ["min(b·s, chunk)·elements·bytes", "(bytes + 4)·V·b"] if paged else ["b·s·elements·bytes", "(bytes + 4)·V·b·s", "KV/(2·L)"]
    above = ["constant", "constant", "workspace + n·communicator"] if paged else ["constant", "workspace + n·communicator"]
    assert [term.formula for term in found.terms] == [*formulas, *forward, *above]


# ---------------------------------------------------------------- what is not alive at the peak


def test_foreach_copies_what_it_updates() -> None:
    """Where adapters alone are trained, torch's foreach step holds a copy of a rank's share of them, and the fused one holds none."""
    llama = catalog.architecture("llama-3.1-8b")
    for step, formulas in (("foreach", ["4·P_adapter/N_d"]), ("fused", [])):
        found = train(llama, method="lora", optimizer_step=step, zero=1, data_parallel=4)
        assert [term.formula for term in found.alive["optimizer_step"] if term.name == "copies of what is updated"] == formulas


def test_gradients_that_come_later_are_said_to() -> None:
    """At the loss's backward there is no gradient yet: all of them come at the end of the backward pass."""
    llama = catalog.architecture("llama-3.1-8b")
    assert train(llama).elsewhere == {"gradients": ("end_of_backward", 2.0 * llama.parameters)}
    assert train(llama, accumulation=2).elsewhere == {}


def test_what_is_offloaded_is_said_to_be_on_the_host() -> None:
    """An optimizer in host memory is never on the GPU; with the parameters there, weights are not either."""
    llama = catalog.architecture("llama-3.1-8b")
    states = train(llama, offload="optimizer", accumulation=2)
    assert states.elsewhere == {"optimizer": ("host", 12.0 * llama.parameters)}
    every = train(llama, offload="parameters", accumulation=2)
    assert every.elsewhere == {"weights": ("host", 2.0 * llama.parameters), "optimizer": ("host", 12.0 * llama.parameters)}
    assert float(every.host_bytes) == sum(amount for _place, amount in every.elsewhere.values())


def test_what_does_not_exist_is_nowhere() -> None:
    """Plain SGD without a master copy has no optimizer state, and at the optimizer step activations and workspace stand where they were most."""
    llama = catalog.architecture("llama-3.1-8b")
    assert "optimizer" not in train(llama, precision="bf16-pure", optimizer="sgd").elsewhere
    step = train(llama, precision="bf16-pure", recompute="full", optimizer_step="foreach", sequence=2048)
    assert step.peak_phase == "optimizer_step"
    assert step.elsewhere["activations"] == ("loss_backward", max(float(step.phase_parts[phase]["activations"]) for phase in PHASES))


def test_offloaded_gradients_are_shared_once() -> None:
    """From ZeRO stage 2 on gradients go to the host as they come (arXiv 2101.06840, section 4): the first layer's and the embedding's stay."""
    llama = catalog.architecture("llama-3.1-8b")
    late = llama.layers[0].parameters + llama.vocab * llama.hidden_size
    step = train(llama, offload="optimizer", zero=2, data_parallel=4)
    assert float(step.phase_parts["end_of_backward"]["gradients"]) == 2 * late / 4
    assert float(step.host_parts["gradients"]) == 2 * llama.parameters / 4
    assert float(train(llama, offload="optimizer", zero=1, data_parallel=4).host_parts["gradients"]) == 0


@pytest.mark.parametrize("optimizer", ["muon", "galore"])
def test_muon_and_galore_leave_the_head_to_adam(optimizer: str) -> None:
    """An untied head takes two moments, as embeddings and norms do (Jordan 2024; torchrun_main.py of GaLore takes the modules attn and mlp)."""
    llama = catalog.architecture("llama-3.1-8b")
    state = next(term for term in train(llama, optimizer=optimizer).terms if term.name == "optimizer state")
    assert state.symbols["P_rest"] == 2 * llama.vocab * llama.hidden_size + 65 * llama.hidden_size


def test_ranks_may_be_swept() -> None:
    """A sweep over the ranks of GaLore or LoRA has the state and the checkpoint of each rank, not of the largest."""
    llama = catalog.architecture("llama-3.1-8b")
    for options, name in (({"optimizer": "galore"}, "galore_rank"), ({"method": "lora"}, "rank")):
        swept, *each = (train(llama, **options, **{name: rank}) for rank in (np.array([16, 128]), 16, 128))
        assert list(swept.phase_parts["optimizer_step"]["optimizer"]) == [one.phase_parts["optimizer_step"]["optimizer"] for one in each]
        assert list(swept.checkpoint_bytes) == [one.checkpoint_bytes for one in each]


# ---------------------------------------------------------------- symbols, counted again


@dataclass(frozen=True)
class Count:
    """What one rank of a run holds, counted tensor by tensor and layer by layer."""

    arch: Architecture
    run: Run
    stage: int

    @cached_property
    def layers(self) -> list[Layer]:
        """The stage's layers, every p-th chunk of them."""
        p, v = self.run.pipeline_parallel, self.run.virtual_stages
        each = len(self.arch.layers) // (p * v)
        return [layer for i, layer in enumerate(self.arch.layers) if i // each % p == self.stage]

    @cached_property
    def outer(self) -> list[Tensor]:
        """The stage's tensors outside the layers: the embeddings on the first, norm and head on the last, a tied embedding on both."""
        found = []
        for t in self.arch.outer:
            end = t.component in ("norm", "lm_head")
            copy = self.arch.tied and t.component == "embedding" and t.shape[0] == self.arch.vocab
            if (self.stage == 0 and not end) or (self.stage == self.run.pipeline_parallel - 1 and (end or copy)):
                found.append(t)
        return found

    def held(self, tensor: Tensor, layer: Layer | None) -> float:
        """Elements of a tensor on the rank: matrices over t, at least one key-value head, experts over e too; the rest whole."""
        t = self.run.tensor_parallel
        if tensor.component == "routed_experts":
            return tensor.size / t / self.run.expert_parallel
        if tensor.component == "router":
            return tensor.size
        if tensor.linear:
            mixer = layer.mixer if layer else None
            if isinstance(mixer, Attention) and tensor.name in ("k_proj", "v_proj") and mixer.kv_heads < t:
                return tensor.size / mixer.kv_heads * min(t, mixer.heads) / t
            return tensor.size / t
        table = tensor.component in ("embedding", "lm_head", "state_space") and len(tensor.shape) > 1
        return tensor.size / t if table else tensor.size

    @cached_property
    def tensors(self) -> list[tuple[Tensor, Layer | None, float]]:
        """Every tensor of the rank, its layer and its elements there."""
        inside = [(t, layer, self.held(t, layer)) for layer in self.layers for t in layer.tensors]
        return inside + [(t, None, self.held(t, None)) for t in self.outer]

    def sum(self, chosen: Any = lambda t, layer: True, *, shared: bool = False) -> float:
        """Elements of the chosen tensors; where they are `shared` by all data parallel ranks, experts are those of all of them."""
        e = self.run.expert_parallel if shared else 1
        return sum(n * (e if t.component == "routed_experts" else 1) for t, layer, n in self.tensors if chosen(t, layer))

    def of_optimizer(self, count: Any, *, shared: bool) -> float:
        """A count of whole tensors, scaled as the elements of their layer's dense part or experts are split."""
        found = 0.0
        for layer in [*self.layers, None]:
            tensors = layer.tensors if layer else self.outer
            for routed in (False, True):
                group = [t for t in tensors if (t.component == "routed_experts") == routed]
                if size := sum(t.size for t in group):
                    scale = sum(self.held(t, layer) for t in group) / size
                    found += sum(count(t) for t in group) * scale * (self.run.expert_parallel if shared and routed else 1)
        return found

    @property
    def targets(self) -> list[Tensor]:
        return [t for layer in self.layers for t in adapted(layer, self.run.targets)]

    def base_bytes(self, chosen: Any) -> float:
        """Bytes of base weights: their format, or NF4 with double quantization for the linear ones of layers."""
        w = {"fp32": 4, "amp": 4}.get(self.run.precision, 2)
        nf4 = (4 + 8 / 64 + 32 / 64 / 256) / 8
        return sum(n * (nf4 if self.run.method == "qlora" and layer and in_linear(t) else w) for t, layer, n in self.tensors if chosen(t, layer))

    def units(self, *, experts: bool) -> float:
        """Bytes of the largest layer, dense or its experts, and of the largest table outside."""
        w = {"fp32": 4, "amp": 4}.get(self.run.precision, 2)
        alike = (self.base_bytes(lambda t, at, one=one: at is one and (t.component == "routed_experts") == experts) for one in set(self.layers))
        counts = {layer: sum(other is layer for other in self.layers) for layer in set(self.layers)}
        sizes = [size / counts[layer] for size, layer in zip(alike, set(self.layers), strict=True)]
        return max([*sizes, *([] if experts else [w * t.size / self.run.tensor_parallel for t in self.outer])], default=0.0)


def in_linear(t: Tensor) -> bool:
    return t.component == "routed_experts" or (t.linear and t.component != "router")


def hidden(t: Tensor) -> bool:
    return t.linear and len(t.shape) > 1 and t.component != "lm_head"


def states_of(count: Count, term: Term) -> dict[str, float]:
    """The symbols of a term of model states, workspace, loss or overheads."""
    run, arch = count.run, count.arch
    shared = "N_d" in term.symbols
    r, rank = run.rank, run.galore_rank
    experts = lambda t, layer: t.component == "routed_experts"  # noqa: E731
    dense = lambda t, layer: t.component != "routed_experts"  # noqa: E731
    first = count.layers[0]
    untied = count.stage == 0 and not arch.tied
    late = sum(count.held(t, first) for t in first.tensors if t.component != "routed_experts")
    late += sum(t.size for t in count.outer if t.component == "embedding") / run.tensor_parallel if untied else 0
    lora = run.method != "full"
    widths = sum(sum(t.shape) for t in count.targets)
    degrees = (run.data_parallel, run.tensor_parallel, run.pipeline_parallel, run.context_parallel, run.expert_parallel)
    n = {"loss": run.loss_chunks, "optimizer": len(count.targets), "communicators": sum(d > 1 for d in degrees)}
    short = [(t, *sorted(t.shape[-2:])) for t in count.outer + [t for layer in count.layers for t in layer.tensors] if hidden(t)]
    by_shape = {t.shape: (math.prod(t.shape[:-2]), low, high) for t, low, high in short}
    galore = lambda t, side: by_shape[t.shape][0] * min(rank, by_shape[t.shape][1]) * by_shape[t.shape][side] if hidden(t) else 0  # noqa: E731
    return {
        "P": count.sum(shared=shared),
        "P_all": count.sum(shared=True),
        "P_late": r * sum(sum(t.shape) for t in adapted(first, run.targets)) / run.tensor_parallel if lora else late,
        "P_linear": count.sum(lambda t, layer: layer is not None and in_linear(t), shared=shared),
        "P_rest": count.of_optimizer(lambda t: 0 if hidden(t) else t.size, shared=shared)
        if term.part == "optimizer"
        else count.sum(lambda t, layer: layer is None or not in_linear(t)),
        "P_adapter": r * widths / run.tensor_parallel,
        "P_hidden": count.of_optimizer(lambda t: t.size if hidden(t) else 0, shared=shared),
        "P_vectors": count.of_optimizer(lambda t: 0 if len(t.shape) > 1 else t.size, shared=shared),
        "Σ(rows + columns)": count.of_optimizer(
            lambda t: math.prod(t.shape[:-2]) * (t.shape[-2] + t.shape[-1]) if len(t.shape) > 1 else 0, shared=shared
        ),
        "Σ(r·m)": count.of_optimizer(lambda t: galore(t, 1), shared=shared),
        "Σ(r·n)": count.of_optimizer(lambda t: galore(t, 2), shared=shared),
        "Σ(d_in + d_out)": widths,
        "n": n.get(term.part, 0),
        "r": r,
        "t": run.tensor_parallel,
        "N_d": run.data_parallel,
        "c": run.context_parallel,
        "e": run.expert_parallel,
        "bits": 4 + 8 / 64 + 32 / 64 / 256,
        "largest unit": count.units(experts=False),
        "largest experts": count.units(experts=True),
        "W": count.base_bytes(dense if shared else lambda t, layer: True),
        "W_experts": count.base_bytes(experts),
        "largest linear weight": max((t.size for layer in count.layers for t in layer.tensors if t.linear), default=0),
        "distinct linear weights": distinct(count.layers),
        "V": arch.vocab,
        "T": run.micro_batch * run.sequence / run.context_parallel,
        "constant": 0.3e9,
        "communicator": 0.6e9,
    }


def distinct(layers: list[Layer]) -> int:
    """Elements of one of each shape of matrix: queries, keys and values are one, gate and up are one."""
    found = set()
    for layer in layers:
        merged: dict[str, int] = {}
        for t in layer.tensors:
            if t.linear and t.component in ("attention", "mlp"):
                name = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "fc1", "up_proj": "fc1"}.get(t.name, t.name)
                merged[name] = merged.get(name, 0) + t.size
        found |= set(merged.values())
    return sum(found)


def layer_symbols(count: Count, layer: Layer) -> dict[str, float]:
    """The symbols of one kind of layer."""
    run, arch, mixer, mlp = count.run, count.arch, layer.mixer, layer.mlp
    p, v, i, micro = run.pipeline_parallel, run.virtual_stages, count.stage, run.accumulation
    flight = min(micro, p - i) if v == 1 else min(micro * v, 2 * (p - i - 1) + (v - 1) * p + 1) / v
    targets = adapted(layer, run.targets)
    outputs = ("o_proj", "out_proj", "dense", "c_proj", "wo", "o", "output")
    inputs = {(t.component, t.shape[1]) for t in targets if not (t.component == "attention" and t.name in outputs)}
    into = sum(t.shape[1] for t in targets) if run.adapter_dtype == "fp32" else sum(width for _c, width in inputs)
    found = {
        "T": run.micro_batch * run.sequence / run.context_parallel, "s": run.sequence, "c": run.context_parallel, "t": run.tensor_parallel,
        "h": arch.hidden_size, "m": flight, "L": sum(other == layer for other in count.layers), "Σ(d_in)": into, "r": run.rank,
    }  # fmt: skip
    if isinstance(mixer, Attention):
        found |= {"a": mixer.heads, "g": mixer.kv_heads, "d": mixer.head_dim, "d_v": mixer.value_dim}
    if isinstance(mixer, LatentAttention):
        found |= {"a": mixer.heads, "q": mixer.q_rank or 0, "kv": mixer.kv_rank, "dn": mixer.nope_dim, "dr": mixer.rope_dim, "d_v": mixer.value_dim}
    if isinstance(mixer, Recurrent):
        found |= {"n": mixer.inner}
    if isinstance(mlp, Experts):
        found |= {"k": mlp.top_k, "f": mlp.width, "E": mlp.count, "f_s": mlp.shared_width, "h_in": mlp.input_width}
    elif mlp is not None:
        found |= {"f": mlp.width}
    return found


def rotary(arch: Architecture) -> float:
    """Width of the rotary tables: a head's, or the part of it that MLA rotates."""
    mixer = next(layer.mixer for layer in arch.layers if isinstance(layer.mixer, Attention | LatentAttention))
    return mixer.rope_dim if isinstance(mixer, LatentAttention) else mixer.head_dim


@pytest.mark.parametrize(("model", "options"), pairs(TRAINED))
def test_the_formulas_of_training_hold_for_numbers_counted_again(model: str, options: dict[str, Any]) -> None:
    """Every formula, evaluated with what plain loops over the model's layers and tensors count, comes to the bytes of its term."""
    step = asked(model, options)
    count = Count(step.arch, step.run, int(step.stage))
    kinds = list(dict.fromkeys(count.layers))
    for phase in PHASES:
        by_kind = iter(kinds)
        for term in step.alive[phase]:
            if term.part != "activations":
                candidates = [states_of(count, term)]
            elif term.name.startswith("activations: "):
                candidates = [layer_symbols(count, next(by_kind))]
            elif term.name == "activations outside the layers":
                candidates = [layer_symbols(count, kinds[0]) | ({"d": rotary(step.arch)} if "d" in term.symbols else {})]
            else:  # a layer made again, which is one of them
                candidates = [layer_symbols(count, kind) for kind in kinds]
            uncounted = set(symbols_of(term.formula)) - set().union(*candidates)
            assert not uncounted, f"{term.name}: count {uncounted} in states_of or layer_symbols"
            got = [evaluate(term.formula, each) for each in candidates if set(symbols_of(term.formula)) <= set(each)]
            assert any(close(float(each), float(term.bytes)) for each in got), (phase, term, got)
    for term in step.overhead_terms:
        assert close(evaluate(term.formula, states_of(count, term) | {"allocated": max(map(float, step.phases.values()))}), float(term.bytes))


def serving_symbols(arch: Architecture, options: dict[str, Any], found: Serving) -> dict[str, float]:
    """The symbols of serving that all its terms share."""
    t, p, hf = options.get("tensor_parallel", 1), options.get("pipeline_parallel", 1), options.get("engine") == "hf"
    widest = max(layer_elements(layer, arch.hidden_size, t, options.get("engine", "vllm")) for layer in arch.layers)
    return {
        "b": 3, "t": t, "chunk": 8192, "elements": widest, "V": arch.vocab, "KV": float(found.kv_cache_bytes), "block": 1 if hf else 16,
        "workspace": 32 * 2**20, "communicator": 0.6e9, "n": (t > 1) + (p > 1), "shared": 0 if hf else options.get("prefix", 0),
    }  # fmt: skip


@pytest.mark.parametrize(("model", "options"), pairs({name: options for name, options in SERVED.items() if "pipeline_parallel" not in options}))
def test_the_formulas_of_serving_hold_for_numbers_counted_again(model: str, options: dict[str, Any]) -> None:
    """The same for serving: what a format stores by kind of tensor, heads, windows and states by kind of layer."""
    found, arch = served(model, options), catalog.architecture(model)
    symbols = serving_symbols(arch, options, found)
    t, weights, kv = options.get("tensor_parallel", 1), options.get("weights", "bf16"), FORMATS[options.get("kv", "bf16")]
    if "block" in options:
        symbols["block"] = options["block"]
    kept = [one for layer in arch.layers for one in (layer,) if not layer.encoder]
    mixers = list(dict.fromkeys(m for m in (layer.mixer for layer in kept) if m and not (isinstance(m, Attention) and m.shares_cache)))
    caches = [(mixer, cross) for mixer in mixers for cross in ((False, True) if isinstance(mixer, Attention) and mixer.cross else (False,))]
    lines = iter(caches)
    for term in found.terms:
        own = dict(symbols)
        if term.part == "weights":
            own |= stored(arch, weights, options.get("sparsity"), t)
            own["bits"] = own["rest"] if any(name.endswith("_bit") for name in term.symbols) else own["bits"]
        elif term.part == PART:
            mixer, cross = next(lines)
            own |= {"L": sum(layer.mixer == mixer for layer in kept), "s": 5000, "bytes": kv.element_bytes, "scale": kv.head_bytes}
            own |= {"s": options.get("encoder_context", 5000)} if cross else {}
            if isinstance(mixer, Attention):
                own |= {"g": mixer.kv_heads, "d": mixer.head_dim, "d_v": mixer.value_dim, "w": mixer.window or 0, "d_i": mixer.index_dim}
                own |= {"compression": mixer.compression}
            elif isinstance(mixer, LatentAttention):
                own |= {"kv": mixer.kv_rank, "dr": mixer.rope_dim, "d_i": mixer.index_dim}
            else:
                own |= {"state": mixer.state_elements, "convolution": mixer.conv_elements}
        else:
            own |= {"s": options.get("prompt", 5000), "bytes": 4 if weights == "fp32" else 2, "L": len(arch.layers)}
            own |= {"constant": {"context": 0.3e9, "graphs": 2**29}.get(term.part, 0)}
        assert close(evaluate(term.formula, own), float(term.bytes)), (term, own)
    assert next(lines, None) is None


def stored(arch: Architecture, format: str, sparsity: str | None, t: int) -> dict[str, float]:
    """Elements by kind of storage, their bits, and the bytes of the scales of the quantized ones."""
    bits = {"bf16": 16, "fp32": 32, "fp8": 8, "int8": 8, "awq-4": 4, "nf4-dq": 4}[format]
    scales = {
        "fp8": lambda rows, columns: 4 * math.ceil(rows / 128) * math.ceil(columns / 128),
        "int8": lambda rows, columns: 2 * rows,
        "awq-4": lambda rows, columns: 20 / 8 * rows * math.ceil(columns / 128),
        "nf4-dq": lambda rows, columns: math.ceil(rows * columns / 64) + 4 * math.ceil(math.ceil(rows * columns / 64) / 256),
    }.get(format, lambda rows, columns: 0)
    whole = 32 if format == "fp32" else 16
    names = {True: "P", False: "P"} if bits == whole and not sparsity else {True: f"P_{format}".replace("-", "_"), False: f"P_{whole}_bit"}
    found = {"scales": 0.0, "P_bias": float(arch.router_bias), **dict.fromkeys(names.values(), 0.0)}
    for layer in (*arch.layers, None):
        for tensor in layer.tensors if layer else arch.outer:
            quantized = quantization.quantized(tensor, quantization.FORMATS[format])
            mine = share(tensor, layer, t)
            found[names[quantized]] += tensor.size * mine
            if quantized:
                rows, columns = tensor.shape[-2:]
                found["scales"] += math.prod(tensor.shape[:-2]) * scales(rows, columns) * mine
    return found | {"bits": 9 if sparsity == "2:4" else bits, "rest": whole}
