"""What wallviz predicts for every case of ``data/cases.csv``: the table from a quantity to the formula that answers for it.

Each function reads the inputs as the case states them and calls the formula that the pages call; nothing is computed here twice and nothing
is fitted. A form answers None where the origin does not say enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any

from wallviz import catalog
from wallviz.catalog import Case
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import activations, kv_cache, lora, overheads, peak, quantization, serve, states
from wallviz.engine.memory.ranks import distinct_linear, has_experts, stage
from wallviz.engine.memory.run import DTYPES, PRECISIONS, Run
from wallviz.engine.memory.terms import evaluate
from wallviz.engine.roofline.decode import decode_attention_intensity, decode_step_s
from wallviz.engine.roofline.roof import roof
from wallviz.engine.scaleout import collectives, volumes
from wallviz.engine.transformer import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Recurrent, Tensor, architecture
from wallviz.i18n import N_
from wallviz.validation import korthikanti, megatron, peers, per_parameter, zero
from wallviz.validation.peers import Peer, PeerInputs

Inputs = Mapping[str, Any]
Form = Callable[[Inputs], float | None]

VISION = N_("A convolutional network: this project models language models.")
NOT_SHIPPED = N_("The configuration of this model is not among the presets.")
INCOMPLETE = N_("The inputs are incomplete: the origin does not say all that the formula needs.")
NO_FORMULA = N_("No formula of this project answers for this quantity yet.")
CONVOLUTIONAL = ("saved_activation_bytes",)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What wallviz says about one case."""

    case: Case
    value: float | None
    """In the unit of the case; None where nothing is predicted."""
    reason: str = ""
    """Why nothing is predicted: a sentence marked for translation."""

    @property
    def error(self) -> float | None:
        """How far the value is off, relative to what was expected."""
        return None if self.value is None else self.case.error(self.value)

    @property
    def holds(self) -> bool | None:
        """Whether the value agrees within the tolerance of the case; None where nothing is predicted."""
        return None if self.value is None else self.case.holds(self.value)


@cache
def predictions() -> Mapping[str, Prediction]:
    """The prediction for every case by id, in the order of the file."""
    return MappingProxyType({id: predict(case) for id, case in catalog.cases().items()})


def predict(case: Case) -> Prediction:
    """What wallviz predicts for `case`, or why it does not."""
    model = str(case.inputs.get("arch", ""))
    if case.quantity in CONVOLUTIONAL or model.startswith("torchvision"):
        return Prediction(case, None, VISION)
    if case.quantity not in FORMS:
        return Prediction(case, None, NO_FORMULA)
    if model and model not in catalog.presets():
        return Prediction(case, None, NOT_SHIPPED)
    value = FORMS[case.quantity](case.inputs)
    return Prediction(case, None, INCOMPLETE) if value is None else Prediction(case, float(value))


# -- architectures -----------------------------------------------------------------------------------------------------------------


def _model(i: Inputs) -> Architecture:
    return catalog.architecture(i["arch"])


def _llama(L: int, h: int, f: int, a: int, kv: int, V: int, kind: str = "llama", **more: Any) -> Architecture:
    """An untied dense model in the symbols of the formulas."""
    config = {
        "model_type": kind,
        "num_hidden_layers": L,
        "hidden_size": h,
        "intermediate_size": f,
        "num_attention_heads": a,
        "num_key_value_heads": kv,
        "vocab_size": V,
        "tie_word_embeddings": False,
    }
    return architecture(config | more)


def _stack(*mixers: Attention | LatentAttention | Recurrent) -> Architecture:
    """Layers that are nothing but what they cache."""
    return Architecture("cache", "llama", 1, 1, tuple(Layer(mixer, None, ()) for mixer in mixers), (), tied=False)


#: Qwen's README prints bytes of the first Qwen generation: L, h, f, a, kv, V (modelling code of Qwen-7B, 14B and 72B).
_QWEN = {
    "qwen7b": (32, 4096, 11008, 32, 32, 151936),
    "qwen14b": (40, 5120, 13696, 40, 40, 152064),
    "qwen72b": (80, 8192, 24576, 64, 64, 152064),
}
#: What latent attention does not cache, and what its cache does not depend on: DeepSeek-V3's.
_LATENT_HEADS = {"heads": 128, "q_rank": 1536, "nope_dim": 128, "value_dim": 128}


# -- parameters --------------------------------------------------------------------------------------------------------------------


def _parameters(i: Inputs) -> float:
    return float(megatron.parameters(**i)) if "L" in i else _model(i).parameters


def _without_input_embedding(i: Inputs) -> float:
    arch = _model(i)
    return arch.active_parameters - arch.vocab * arch.hidden_size


# -- KV cache ----------------------------------------------------------------------------------------------------------------------


def _cache_format(i: Inputs) -> str:
    return {1: "int8", 2: "bf16", 4: "fp32"}[i["bytes"]]


def _kv_bytes_per_token(i: Inputs) -> float:
    L = i["layers"]
    if "kv_lora_rank" in i:
        latent = LatentAttention(kv_rank=i["kv_lora_rank"], rope_dim=i["qk_rope_head_dim"], **_LATENT_HEADS)
        # where the case gives bytes of a layer in place of an element's, vLLM's layout of the latent in 8 bits
        return kv_cache.bytes_per_token(_stack(*(latent,) * L), format="fp8_ds_mla" if "bytes_per_token_layer" in i else _cache_format(i))
    if "qk_head_dim" in i:  # keys and values of every head
        every = Attention(i["heads"], i["heads"], i["qk_head_dim"], i["v_head_dim"])
        return kv_cache.bytes_per_token(_stack(*(every,) * L), format=_cache_format(i))
    grouped = Attention(i["kv_heads"], i["kv_heads"], i["head_dim"], i["head_dim"])
    return kv_cache.bytes_per_token(_stack(*(grouped,) * L), format=_cache_format(i))


def _kv_bytes(i: Inputs) -> float:
    g, d = (i["kv_heads"], i["head_dim"]) if "kv_heads" in i else (1, i["hidden_size"])  # without grouped queries all heads are h wide
    sliding = i.get("sliding_layers", 0)
    full = i.get("attn_layers", i.get("layers", 0)) - sliding
    layers = (*(Attention(g, g, d, d, i.get("window")),) * sliding, *(Attention(g, g, d, d),) * full)
    return float(kv_cache.kv_cache_bytes(_stack(*layers), context=i.get("seq", i.get("slots")), format=_cache_format(i)))


def _recurrent_state(i: Inputs) -> float:
    state = Recurrent("mamba", i["d_inner"], i["d_inner"] * i["d_state"], i["d_inner"] * i["d_conv"])
    return float(i["layers"] * kv_cache.state_bytes(state))


def _kv_per_gpu(i: Inputs) -> float:
    heads = i["kv_heads_per_gpu"] * i["tp"]
    layer = Attention(heads, heads, i["head_dim"], i["head_dim"])
    return kv_cache.bytes_per_token(_stack(*(layer,) * i["layers"]), tensor_parallel=i["tp"])


# -- weights and files -------------------------------------------------------------------------------------------------------------

#: What a case calls a format, and what it is called here.
_FORMATS = {
    "nf4-bs64-fp32absmax": "nf4",
    "nf4-double-quant": "nf4-dq",
    "fp8-128x128": "fp8",
    "gptq-g128": "gptq-4",
    "int8-per-channel-4096": "int8",
}
_CACHE_FORMATS = {"kv-nvfp4": "nvfp4", "q8_0-kv": "q8_0", "q4_0-kv": "q4_0"}


def _bits(i: Inputs) -> float:
    name = str(i["type"] if "type" in i else i["format"])
    if name in _CACHE_FORMATS:
        return 8 * kv_cache.FORMATS[_CACHE_FORMATS[name]].element_bytes
    return quantization.bits_per_weight(_FORMATS.get(name, name))


def _gguf_model(i: Inputs) -> Architecture:
    return _llama(i["L"], i["h"], i["f"], i["nh"], i["nkv"], i["V"])


def _checkpoint(i: Inputs) -> float:
    if "fp8_block" in i:
        return quantization.weights_bytes(_with_prediction_layers(_model(i), i["mtp_layers"]), "fp8")
    method = "gptq" if i.get("g_idx_int32") else "awq"
    return quantization.weights_bytes(_model(i), f"{method}-{i['bits']}-g{i['group']}")


def _with_prediction_layers(arch: Architecture, count: int) -> Architecture:
    """DeepSeek-V3 with its layers that predict further tokens, which its files hold and its class does not build.

    Each is one more layer, a projection of two hidden sizes to one, three norms, and copies of the embedding and the head.
    """
    h = arch.hidden_size
    tables = tuple(t for t in arch.outer if t.component in ("embedding", "lm_head"))
    norms = tuple(Tensor(name, (h,), "norm") for name in ("enorm", "hnorm", "shared_head.norm"))
    more = (Tensor("eh_proj", (h, 2 * h), "other"), *norms, *tables) * count
    routers = sum(1 for layer in arch.layers if any(t.component == "router" for t in layer.tensors))
    bias = arch.router_bias + count * (arch.router_bias // max(1, routers))
    return replace(arch, layers=arch.layers + arch.layers[-1:] * count, outer=arch.outer + more, router_bias=bias)


def _loaded(i: Inputs) -> float:
    if "nf4_bytes" in i:  # get_memory_footprint leaves the scales out
        return quantization.weights_bytes(_model(i), "nf4", scales=False)
    return quantization.weights_bytes(_model(i), "nf4-dq")


def _packed(i: Inputs) -> float:
    """Parameters as bitsandbytes counts them, two of four bits as one, and the adapters."""
    base = sum(one.tensor.size / 2 if one.kind == "nf4" else one.tensor.size for one in quantization.stored(_model(i), "nf4"))
    return float(base + i["trainable"])


def _training_over_weights(i: Inputs) -> float:
    """Weights, gradients and Adam's two moments over the weights."""
    formats = PRECISIONS[{"float32": "fp32"}[i["dtype"]]]
    weight = DTYPES[formats.weights]
    return (weight + DTYPES[formats.gradients] + DTYPES[formats.master] + 2 * DTYPES[formats.optimizer_state]) / weight


# -- model states and adapters -----------------------------------------------------------------------------------------------------


def _optimizer_bytes(i: Inputs) -> float:
    """Optimizer state of a matrix inside a layer, per parameter."""
    name, _, width = i["optimizer"].replace("sgd_momentum", "momentum").partition("_")
    optimizer = {"adam": "adamw"}.get(name, name)
    dtype = {"": "fp32", "8bit": "int8"}.get(width, width)
    return states.optimizer_bytes((4096, 4096), optimizer, dtype) / 4096**2


def _state_bytes(i: Inputs) -> float:
    return float(zero.infinity_state_bytes(**i) if "L" in i else per_parameter.training_state_bytes(**i))


# -- activations -------------------------------------------------------------------------------------------------------------------

_PRECISION = {"bf16": "bf16-pure", "fp32": "fp32", "autocast": "amp"}
#: What a case calls the layers with adapters, where it is called otherwise here.
_TARGETS = {"attn": "attention", "q,v": "qv"}


def _blocks(i: Inputs, layers: int) -> Architecture:
    """So many layers of the class that was measured."""
    heads = i.get("heads", 1)
    if i["block"] == "gpt2":
        sizes = {"n_layer": layers, "n_embd": i["h"], "n_head": heads, "vocab_size": 1024, "n_positions": 1024}
        return architecture({"model_type": "gpt2", "activation_function": i["act"]} | sizes)
    sizes = {"head_dim": i["head_dim"]} if "head_dim" in i else {}
    return _llama(layers, i["h"], i.get("ffn", 4 * i["h"]), heads, i.get("kv_heads", heads), 1024, i["block"], **sizes)


def _layer_bytes(i: Inputs) -> float | None:
    """What one more layer keeps, per token."""
    if "h" not in i:
        return None
    targets = str(i.get("targets", "all"))
    run = Run(
        sequence=i.get("seq", 64),
        precision=_PRECISION[i["precision"]],
        kernels=i.get("attention", "flash"),
        recompute=i.get("recompute", "none"),
        method=i.get("method", "full"),
        rank=i.get("rank", 16),
        targets=_TARGETS.get(targets, targets),
        adapter_dtype=i.get("adapter_precision", "fp32"),
    )
    two, one = (peak.train(_blocks(i, layers), run).phase_parts["loss_backward"]["activations"] for layers in (2, 1))
    return float((two - one) / run.tokens())


def _autocast_copy(i: Inputs) -> float:
    """What autocast adds to the first moment of a step, over the weights that it casts."""
    arch = _llama(2, 512, 1536, 8, 2, 1024)
    linear = sum(t.size for layer in arch.layers for t in layer.tensors if t.linear)
    run = peak.train(arch, precision=_PRECISION[i["precision"]], sequence=64)
    return float(run.phase_parts["loss_backward"]["workspace"]) / linear


def _logit_bytes(i: Inputs) -> float:
    """What the loss keeps beside the live logits, per token and entry of the vocabulary."""
    arch = _llama(1, 512, 1536, 8, 2, 1024)
    saved, _peak, alive = activations.logits(arch, Run(precision=_PRECISION[i["precision"]], loss=i["loss"]))
    return float(evaluate(saved, {"V": 1.0}) - evaluate(alive, {"V": 1.0}))


# -- training steps ----------------------------------------------------------------------------------------------------------------


def _step(i: Inputs) -> peak.Training:
    """A step on one GPU without parallelism: the class, its plain loss, PyTorch's AdamW."""
    return peak.train(
        _model(i),
        precision=_PRECISION["autocast" if i["amp"] else i["dtype"]],
        micro_batch=i["batch"],
        sequence=i["seq"],
        recompute="full" if i["ckpt"] else "none",
        optimizer_step=i["optimizer"].removeprefix("AdamW "),
    )


def _end_of_forward(i: Inputs) -> float:
    """Activations and what the loss saves, before the loss makes gradients of its own."""
    step = _step(i)
    first = step.phase_parts["loss_backward"]
    _saved, gradients, _alive = activations.logits(step.arch, step.run)
    return float(first["activations"] + first["loss"] - evaluate(gradients, {"V": float(step.arch.vocab)}) * step.run.tokens())


def _cut(arch: Architecture, layers: int, dense: int) -> Architecture:
    """The same model with so many layers, the first of them dense."""
    plain = [layer for layer in arch.layers if isinstance(layer.mlp, Dense)]
    routed = [layer for layer in arch.layers if isinstance(layer.mlp, Experts)]
    return replace(arch, layers=(*plain[:dense], *routed[: layers - dense]))


def _allocated(i: Inputs) -> float:
    return float(parallel_step(i).peak_allocated_bytes)


def parallel_step(i: Inputs) -> peak.Training:
    """A step of the measured B200 runs, Megatron's kernels and distributed optimizer: models cut to a few layers."""
    arch = _cut(_model(i), i["layers"], i["dense_layers"]) if "arch" in i else _llama(i["L"], i["h"], i["f"], i["a"], i["kv"], i["V"])
    p = i["pp"]
    return peak.train(
        arch,
        precision=f"bf16-{i['grad']}grad",
        zero=i["zero"],
        kernels=i["kernels"],
        loss=i["loss"],
        recompute=i["recompute"],
        micro_batch=i["mbs"],
        sequence=i.get("s", i.get("seq")),
        sequence_parallel=i.get("sp", False),
        tensor_parallel=i["tp"],
        pipeline_parallel=p,
        context_parallel=i.get("cp", 1),
        data_parallel=i["dp"],
        expert_parallel=i.get("ep", 1),
        stage=i.get("stage", "worst"),
        # micro-batches in flight on this stage; the last holds one of the several that fill the pipeline
        accumulation=max(2, i.get("micro_batches_in_flight", 1)) if p > 1 else 1,
    )


# -- calibration: never a criterion ------------------------------------------------------------------------------------------------


def _measured_peak(i: Inputs) -> float | None:
    """Runs whose origins say little: FSDP with full recomputation, and generation with Qwen's first generation."""
    if {"arch", "fsdp", "local_batch", "seq"} <= set(i) and i["ac"] == "full":  # torchtitan's "selective" keeps what no setting here keeps
        # 32-bit parameters, gradients and moments, all sharded, gathered in 16 bits: the 16 bytes a parameter of bf16-mixed
        run = Run(zero=3, data_parallel=i["fsdp"], context_parallel=i.get("cp", 1), recompute="full")
        return float(peak.train(_model(i), run, micro_batch=i["local_batch"], sequence=i["seq"]).peak_reserved_bytes)
    if "gen_tokens" in i:
        size, _, bits = i["case"].partition("-")
        weights = {"bf16": "bf16", "int8": "gptq-8", "int4": "gptq-4"}[bits]
        return float(serve.infer(_llama(*_QWEN[size]), context=i["gen_tokens"], weights=weights, engine="hf", prompt=1).peak_total_bytes)
    return None


# -- a chip ------------------------------------------------------------------------------------------------------------------------


def _decode_step(i: Inputs) -> float:
    chips, batch = i.get("chips", 1), i.get("batch", 1)
    bandwidth = i["bytes_per_s"] if "bytes_per_s" in i else chips * i["chip_bytes_per_s"]
    cache = i["kv_bytes"] if "kv_bytes" in i else batch * i["kv_bytes_per_sequence"]
    if "chip_flop_per_s" not in i:
        return decode_step_s(i["weight_bytes"], cache, bandwidth)
    return decode_step_s(i["weight_bytes"], cache, bandwidth, flop=2.0 * i["parameters"] * batch, flop_per_s=chips * i["chip_flop_per_s"])


def _ridge(i: Inputs) -> float:
    chip = Accelerator("case", "case", "", "gpu", date.min, fp16_flop_per_s=i["flop_per_s"], memory_bytes_per_s=i["bytes_per_s"])
    return roof(chip).ridge


# -- other calculators -------------------------------------------------------------------------------------------------------------

_ELEUTHER = {
    "num-layers": "layers",
    "sequence-length": "sequence",
    "num-attention-heads": "heads",
    "hidden-size": "hidden_size",
    "ffn-expansion-factor": "ffn_ratio",
    "batch-size-per-gpu": "micro_batch",
    "checkpoint-activations": "checkpoint",
    "zero-stage": "zero",
    "partition-activations": "partition_activations",
    "pipeline-parallel-size": "pipeline",
    "tensor-parallel-size": "tensor",
    "num-gpus": "gpus",
}
_MEGATRON = {
    "num_layers": "layers",
    "hidden_size": "hidden_size",
    "num_attention_heads": "heads",
    "num_query_groups": "kv_heads",
    "ffn_hidden_size": "ffn",
    "moe_ffn_hidden_size": "expert_ffn",
    "num_experts": "experts",
    "padded_vocab_size": "vocab",
    "seq_length": "sequence",
    "micro_batch_size": "micro_batch",
    "tensor_model_parallel_size": "tensor",
    "pipeline_model_parallel_size": "pipeline",
    "expert_model_parallel_size": "expert",
    "data_parallel_size": "data",
    "swiglu": "gated",
    "use_distributed_optimizer": "distributed_optimizer",
}


def _eleuther(i: Inputs) -> float:
    arguments: dict[str, Any] = {}
    for word in i["argv"].split():
        option, _, value = word.removeprefix("--").partition("=")
        arguments[_ELEUTHER[option]] = (float(value) if "." in value else int(value)) if value else True
    return peers.eleuther(**arguments)[i["part"]]


def _deepspeed(i: Inputs) -> float:
    arguments = {name: i[name] for name in ("parameters", "gpus_per_node", "nodes", "offload", "buffer_factor") if name in i}
    if i["stage"] == 2:
        parts = peers.deepspeed_zero2(**arguments, documented=i.get("edition") == "documents")
    else:
        parts = peers.deepspeed_zero3(**arguments, largest_layer=i["largest_layer"], zero_init=i.get("zero_init", True))
    return parts["total" if i["device"] == "gpu" else "cpu"]


def _megatron(i: Inputs) -> float:
    arguments = {ours: i[theirs] for theirs, ours in _MEGATRON.items() if theirs in i}
    arguments.setdefault("kv_heads", arguments["heads"])
    arguments["rms_norm"] = i.get("normalization") == "RMSNorm"
    arguments["tied"] = not i.get("untie_embeddings_and_output_weights", False)
    return peers.megatron(**arguments)[i["part"]]


def _accelerate(i: Inputs) -> float:
    return peers.accelerate(parameters=_model(i).parameters, precision=i["precision"])["total"]


def peer_inputs(case: Case) -> PeerInputs:
    """A measured B200 run in the words that all calculators share; context-parallel ranks are data-parallel ones to them, with fewer tokens each."""
    job = parallel_step(case.inputs)
    arch, run = job.arch, job.run
    mixer = arch.layers[0].mixer
    dense = [layer.mlp for layer in arch.layers if isinstance(layer.mlp, Dense)]
    routed = next((layer.mlp for layer in arch.layers if isinstance(layer.mlp, Experts)), None)
    grouped = mixer if isinstance(mixer, Attention) else None
    heads = mixer.heads if isinstance(mixer, Attention | LatentAttention) else 1
    return PeerInputs(
        parameters=arch.parameters,
        layers=len(arch.layers),
        hidden_size=arch.hidden_size,
        heads=heads,
        kv_heads=grouped.kv_heads if grouped else heads,
        head_dim=grouped.head_dim if grouped else arch.hidden_size // heads,
        ffn=dense[0].width,
        vocab=arch.vocab,
        sequence=run.sequence // run.context_parallel,
        micro_batch=run.micro_batch,
        tensor=run.tensor_parallel,
        pipeline=run.pipeline_parallel,
        data=run.data_parallel * run.context_parallel,
        expert=run.expert_parallel,
        sequence_parallel=run.sequence_parallel,
        zero=run.zero,
        recompute="selective",  # what flash attention leaves is what selective recomputation leaves
        experts=routed.count if routed else 0,
        top_k=routed.top_k if routed else 0,
        expert_ffn=routed.width if routed else 0,
        shared_ffn=routed.shared_width if routed else 0,
        dense_layers=len(dense) if routed else 0,
    )


def of_peers(case: Case) -> list[tuple[Peer, Mapping[str, float]]]:
    """A measured B200 run as each other calculator that has an answer for it estimates it, part by part."""
    answers = peers.estimates(peer_inputs(case))
    return [(peer, answers[peer.id]) for peer in peers.PEERS if peer.id in answers]


# -- what was decided with the residuals in sight ----------------------------------------------------------------------------------


def error_without(found: Prediction, part: str) -> float | None:
    """The error of a measured B200 run, had a part of its peak not been counted; None where there is none of it at the peak."""
    held = float(parallel_step(found.case.inputs).parts[part])
    return ((found.value or 0.0) - held) / found.case.expected - 1 if held else None


def error_with_buffers(found: Prediction) -> float:
    """The error of a mixture of experts, had Transformer Engine kept a gradient buffer for each shape of its dense layers."""
    job = parallel_step(found.case.inputs)
    buffers = 2.0 * distinct_linear(stage(job.arch, int(job.stage), int(job.run.pipeline_parallel))) / float(job.run.t)
    return ((found.value or 0.0) + (buffers if has_experts(job.arch) else 0.0)) / found.case.expected - 1


# -- the table ---------------------------------------------------------------------------------------------------------------------

#: Quantity of a case to the formula that answers for it; published closed forms take the paper's own symbols.
FORMS: Mapping[str, Form] = {
    # parameters
    "parameter_count": _parameters,
    "active_parameter_count": lambda i: _model(i).active_parameters + _model(i).vision_parameters,  # the class counted holds the tower too
    "active_parameter_count_without_input_embedding": _without_input_embedding,
    "parameter_count_with_router_bias": lambda i: _model(i).parameters + _model(i).router_bias,
    "lora_parameter_count": lambda i: lora.trainable(_model(i), _TARGETS.get(str(i["targets"]), str(i["targets"])), i["r"]),
    # KV cache
    "kv_bytes_per_token": _kv_bytes_per_token,
    "kv_cache_bytes": _kv_bytes,
    "recurrent_state_bytes": _recurrent_state,
    "kv_bytes_per_token_per_gpu": _kv_per_gpu,
    "max_concurrency": lambda i: float(kv_cache.concurrency(i["gpu_blocks"], i["max_model_len"], i["block_size"])),
    "kv_tokens": lambda i: float(kv_cache.paged_tokens(i["gpu_blocks"], i["block_size"])),
    # weights and files
    "model_bytes": lambda i: (i["params"] if "params" in i else _model(i).parameters) * i["bytes_per_param"],
    "training_over_weights": _training_over_weights,
    "bits_per_weight": _bits,
    "effective_bits_per_weight": lambda i: quantization.bits_per_weight(f"gguf:{i['type']}", _gguf_model(i), imatrix=i["imatrix"]),
    "gguf_file_bytes": lambda i: quantization.gguf_bytes(_gguf_model(i), i["type"]),
    "gguf_tensor_bytes": lambda i: quantization.gguf_bytes(_gguf_model(i), i["type"]),
    "checkpoint_bytes": _checkpoint,
    "loaded_bytes": _loaded,
    "packed_parameter_count": _packed,
    "double_quantization_saving": lambda i: quantization.bits_per_weight("nf4") - quantization.bits_per_weight("nf4-dq"),
    # model states
    "model_state_bytes": _state_bytes,
    "model_state_bytes_per_gpu": lambda i: float(zero.model_state_bytes(**i)),
    "largest_parameter_count": lambda i: float(zero.largest_parameters(**i)),
    "model_state_working_bytes": lambda i: float(zero.infinity_state_working_bytes(**i)),
    "optimizer_bytes_per_parameter": _optimizer_bytes,
    "optimizer_state_bytes": lambda i: states.optimizer_bytes((i["m"], i["n"]), "adafactor", "fp32"),
    "shard_state_bytes": lambda i: float(korthikanti.shard_state_bytes(**i)),
    # activations
    "activation_bytes": lambda i: float(zero.activation_bytes(**i)),
    "activation_working_bytes": lambda i: float(zero.infinity_activation_working_bytes(**i)),
    "attention_term": lambda i: float(korthikanti.attention_term(**i)),
    "activation_share": lambda i: float(korthikanti.share_of_tensor_parallel(**{k: v for k, v in i.items() if k != "L"})),
    "activation_bytes_per_gpu": lambda i: float(korthikanti.stage_bytes(**i)),
    "activation_bytes_per_layer": lambda i: float(korthikanti.layer_bytes("none", **i)),
    "selective_recompute_saving": lambda i: float(korthikanti.selective_saving(**i)),
    "selective_recompute_overhead": lambda i: float(korthikanti.selective_overhead(**i)),
    "activation_bytes_per_token_per_layer": _layer_bytes,
    "autocast_copy_bytes_per_parameter": _autocast_copy,
    "logit_bytes_per_token_per_entry": _logit_bytes,
    "activation_bytes_end_of_forward": _end_of_forward,
    # training steps
    "peak_bytes_training_step": lambda i: float(_step(i).peak_allocated_bytes),
    "peak_allocated_bytes": _allocated,
    "reserved_over_allocated": lambda i: i["reserved_bytes"] / i["allocated_bytes"],
    # communication and chips
    "communication_elements_per_parameter": lambda i: float(volumes.zero_elements_per_parameter(**i)),
    "ring_all_reduce_s": lambda i: float(collectives.ring_all_reduce_s(**i)),
    "tensor_parallel_bytes_per_layer": lambda i: float(volumes.tensor_parallel_bytes(**i)),
    "data_parallel_bytes_per_gpu": lambda i: float(volumes.data_parallel_bytes(**i)),
    "zero3_bytes_per_gpu": lambda i: float(volumes.data_parallel_bytes(**i, stage=3)),
    "pipeline_bubble_fraction": lambda i: float(volumes.bubble_fraction(**i)),
    "ridge_flop_per_byte": _ridge,
    "decode_step_s": _decode_step,
    "decode_attention_intensity": lambda i: decode_attention_intensity(i["group_size"], i["bytes"]),
    # calibration
    "peak_measured_bytes": _measured_peak,
    "training_bytes": lambda i: i["weights_bytes"] + i["optimizer_bytes"] + i["activations_bytes"],
    "nccl_buffer_bytes": lambda i: overheads.COMMUNICATOR_BYTES,
    # other calculators
    "eleuther_estimate": _eleuther,
    "deepspeed_estimate": _deepspeed,
    "megatron_estimate": _megatron,
    "accelerate_estimate": _accelerate,
}
