"""What a case and its numbers are called."""

from __future__ import annotations

from wallviz import catalog, units
from wallviz.catalog import Case
from wallviz.i18n import N_, _, qualified


def printed(case: Case, value: float) -> str:
    """A value of `case` in the unit that its origin prints; many bytes that need not be exact in GiB."""
    if case.printed_unit == "bytes" and value >= units.GIB and not case.exact:
        return units.binary(value, 5)
    scaled = value * case.printed / case.expected if case.expected else value
    unit = _(UNITS.get(case.printed_unit, case.printed_unit)) if case.printed_unit else ""
    return f"{units.significant(scaled, 5)}{units.THIN}{unit}".rstrip(units.THIN)


def tolerance(case: Case) -> float:
    """The stated tolerance, relative to what was expected; 0 for an exact case, and where nothing was expected."""
    return case.relative_tolerance or (case.absolute_tolerance / abs(case.expected) if case.expected else 0.0)


def tolerance_text(case: Case) -> str:
    """The tolerance of a case, as a text."""
    if case.exact:
        return _("none: exact")
    if case.relative_tolerance:
        return f"±{100 * case.relative_tolerance:g}%"
    return f"±{printed(case, case.absolute_tolerance)}" if case.expected else f"±{units.significant(case.absolute_tolerance)}"


def origin(case: Case) -> str:
    """Where a case comes from: the titles of its sources, and the place in them."""
    names = "; ".join(catalog.sources()[source].title for source in case.source.split(";"))
    return qualified(names, case.where)


def title(case: Case) -> str:
    """A case in words a reader knows where its inputs allow it, else its id without the letter of its group."""
    i = case.inputs
    if case.quantity == "peak_allocated_bytes":
        model = _("{model}, {n} layers").format(model=_model(i["arch"]) if "arch" in i else "Llama 3 70B", n=i.get("layers", i.get("L")))
        return qualified(model, *_ranks(case))
    if case.quantity in ("peak_bytes_training_step", "activation_bytes_end_of_forward"):
        parts = [_model(i["arch"]), f"{i['batch']} × {i['seq']:,}", i["dtype"], *([_("recomputed")] if i["ckpt"] else [])]
        return qualified(*parts)
    return case.id.partition("-")[2]


def _model(id: str) -> str:
    preset = catalog.presets().get(id)
    return preset.name if preset else id


def _ranks(case: Case) -> list[str]:
    """The parallelism of a run in the usual letters, its length and its stage."""
    i = case.inputs
    degrees = " ".join(f"{name.upper()} {i[name]}" for name in ("tp", "pp", "cp", "ep") if i.get(name, 1) > 1)
    tokens = i.get("s", i.get("seq"))
    length = f"{tokens // 1024}k" if tokens > 4096 else ""
    where = {"first": _("first stage"), "last": _("last stage")}.get(i.get("stage", ""), "")
    return [text for text in (degrees, length, where) if text]


def short(case: Case) -> str:
    """The title for a phone."""
    i = case.inputs
    if case.quantity == "peak_allocated_bytes":
        return ("MoE " if "arch" in i else "70B ") + " ".join(_ranks(case)).replace("TP ", "t").replace("PP ", "p").replace("CP ", "c").replace(
            "EP ", "e"
        )
    if case.quantity == "peak_bytes_training_step":
        return f"{_model(i['arch'])} {i['batch']}×{i['seq']}"[:22]
    return case.id.partition("-")[2][:22]


def quantity(name: str) -> str:
    """A quantity of the cases in words."""
    return _(QUANTITIES[name]) if name in QUANTITIES else name


KINDS = {
    "published": N_("published"),
    "measured": N_("measured"),
    "computed": N_("counted from the model's class"),
    "derived": N_("derived by definition"),
    "published-unverified": N_("published, not read again"),
    "reference": N_("calibration"),
    "peer-output": N_("printed by another tool"),
}

#: Units that are words; the others are written alike in every language.
UNITS = {
    "bytes": N_("bytes"),
    "bytes/token": N_("bytes/token"),
    "bytes/parameter": N_("bytes/parameter"),
    "bits/parameter": N_("bits/parameter"),
    "elements/parameter": N_("elements/parameter"),
    "parameters": N_("parameters"),
    "billion parameters": N_("billion parameters"),
    "tokens": N_("tokens"),
}

#: What the cases of a letter are about.
SUBJECTS = {
    "C": N_("Communication"),
    "F": N_("Chips"),
    "G": N_("GGUF files"),
    "H": N_("Weights as they are loaded"),
    "K": N_("KV cache"),
    "L": N_("Optimizers and adapters"),
    "P": N_("Parameters"),
    "Q": N_("Quantized formats"),
    "R": N_("Activation recomputation"),
    "S": N_("Reserved over allocated, as arithmetic"),
    "V": N_("Logs of engines"),
    "Z": N_("ZeRO and ZeRO-Infinity"),
}

QUANTITIES = {
    "parameter_count": N_("Parameters"),
    "active_parameter_count": N_("Active parameters"),
    "active_parameter_count_without_input_embedding": N_("Active parameters without the input embedding"),
    "parameter_count_with_router_bias": N_("Parameters with the router's bias"),
    "lora_parameter_count": N_("LoRA adapters"),
    "kv_bytes_per_token": N_("KV cache per token"),
    "kv_cache_bytes": N_("KV cache"),
    "recurrent_state_bytes": N_("Recurrent state"),
    "kv_bytes_per_token_per_gpu": N_("KV cache per token on one GPU"),
    "max_concurrency": N_("Sequences at once"),
    "kv_tokens": N_("Tokens of a pool"),
    "model_bytes": N_("Weights"),
    "training_over_weights": N_("Training over weights"),
    "bits_per_weight": N_("Bits per weight"),
    "effective_bits_per_weight": N_("Bits per weight of a whole file"),
    "gguf_file_bytes": N_("GGUF files"),
    "gguf_tensor_bytes": N_("Tensors of GGUF files"),
    "checkpoint_bytes": N_("Files of quantized weights"),
    "loaded_bytes": N_("Weights as loaded"),
    "packed_parameter_count": N_("Packed parameters"),
    "double_quantization_saving": N_("Saving of double quantization"),
    "model_state_bytes": N_("Model states"),
    "model_state_bytes_per_gpu": N_("Model states on one GPU"),
    "largest_parameter_count": N_("Largest model that fits"),
    "model_state_working_bytes": N_("Working memory of model states"),
    "optimizer_bytes_per_parameter": N_("Optimizer per parameter"),
    "optimizer_state_bytes": N_("Optimizer of one matrix"),
    "shard_state_bytes": N_("Model states of one shard"),
    "activation_bytes": N_("Activations of a model"),
    "activation_working_bytes": N_("Working memory of activations"),
    "attention_term": N_("Attention term"),
    "activation_share": N_("Activations against tensor parallelism alone"),
    "activation_bytes_per_gpu": N_("Activations on one GPU"),
    "activation_bytes_per_layer": N_("Activations of a layer"),
    "selective_recompute_saving": N_("Saving of selective recomputation"),
    "selective_recompute_overhead": N_("Work of selective recomputation"),
    "activation_bytes_per_token_per_layer": N_("Activations per token and layer"),
    "autocast_copy_bytes_per_parameter": N_("Copies that autocast makes"),
    "logit_bytes_per_token_per_entry": N_("Logits that the loss keeps"),
    "activation_bytes_end_of_forward": N_("Activations at the end of the forward pass"),
    "saved_activation_bytes": N_("Activations of a vision network"),
    "peak_bytes_training_step": N_("Peak of a training step"),
    "peak_allocated_bytes": N_("Peak on a GPU"),
    "peak_measured_bytes": N_("Peak as printed"),
    "reserved_over_allocated": N_("Reserved over allocated"),
    "communication_elements_per_parameter": N_("Communication per parameter"),
    "ring_all_reduce_s": N_("Ring all-reduce"),
    "tensor_parallel_bytes_per_layer": N_("Traffic of tensor parallelism"),
    "data_parallel_bytes_per_gpu": N_("Traffic of data parallelism"),
    "zero3_bytes_per_gpu": N_("Traffic of ZeRO-3"),
    "pipeline_bubble_fraction": N_("Pipeline bubble"),
    "ridge_flop_per_byte": N_("Ridge point"),
    "decode_step_s": N_("A decoding step"),
    "decode_attention_intensity": N_("Arithmetic intensity of attention"),
    "training_bytes": N_("Training memory as the authors count it"),
    "nccl_buffer_bytes": N_("A communicator"),
    "eleuther_estimate": "EleutherAI, calc_transformer_mem.py",
    "deepspeed_estimate": "DeepSpeed, estimate_zero_model_states_mem_needs",
    "megatron_estimate": "Megatron-LM, theoretical_memory_usage.py",
    "accelerate_estimate": "accelerate estimate-memory",
}


def signed(share: float, decimals: int = 2) -> str:
    """A relative error in percent with its sign.

    >>> signed(0.0224).replace(units.THIN, " "), signed(-0.004, 1).replace(units.THIN, " "), signed(0.0).replace(units.THIN, " ")
    ('+2.24%', '−0.4%', '0%')
    """
    if abs(share) < 5e-13:
        return "0%"
    text = f"{100 * share:+.{decimals}f}"
    return (text if float(text) else text[1:]).replace("-", "−") + "%"
