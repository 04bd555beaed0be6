"""What the roofline says about every case of ``data/roofline_cases.csv``: the table from a quantity to the formula that answers for it.

Each form reads the inputs of a case and calls the formula that the page calls. For measured cases the answer is the bound; measured over
bound is the efficiency, which is data here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import numpy as np

from wallviz import catalog
from wallviz.catalog import HardwareCase
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import kv_cache, quantization
from wallviz.engine.memory.peak import train
from wallviz.engine.roofline.batch import critical_batch, critical_batch_exact
from wallviz.engine.roofline.decode import decode_step_s
from wallviz.engine.roofline.efficiency import MeasuredRate
from wallviz.engine.roofline.roof import Roof, own_chip, roof
from wallviz.engine.roofline.step import step
from wallviz.engine.transformer import Architecture, custom
from wallviz.engine.work import ACTIVATIONS, Operation, matmul
from wallviz.errors import InputError
from wallviz.i18n import N_
from wallviz.validation import case_study, scaling_book

Form = Callable[[HardwareCase], float | None]

OTHER_MACHINE = N_("Another machine or kind of network: shown, not a target.")
NO_DEVICE = N_("The origin does not name the device, or not its bandwidth: there is no roof to draw.")
INCOMPLETE = N_("The origin does not say all that the formula needs.")
REASONS: Mapping[str, str] = {
    "tiled_arithmetic_intensity": OTHER_MACHINE,
    "relative_latency": OTHER_MACHINE,
    "operational_intensity": OTHER_MACHINE,
    "decode_rate_by_format": NO_DEVICE,
    "prefill_rate_by_format": NO_DEVICE,
    "speculative_decode_rate": INCOMPLETE,
    "attention_flop": INCOMPLETE,
    "attention_time": INCOMPLETE,
    "attention_bytes": INCOMPLETE,
    "chip_bandwidth": N_("What the paper counts with; the catalog holds the figure of another origin, and both are shown."),
}
#: Ridge points of 2009 are peaks in 64 bits over what STREAM measured, not over the printed bandwidth: their inputs are not given.
MEASURED_BANDWIDTH = N_("Against the bandwidth that its authors measured, which the case does not state.")
#: Cases off by more than their tolerance, with the reason. Nothing is left out of the tests in silence.
KNOWN_MISSES: Mapping[str, str] = {
    "two digits": N_("Printed with one or two digits: 0.006 GB stands for 0.0094 and 0.01 for 0.0063, by the paper's own FLOP over FLOP per byte."),
    "271": N_("The book rounds 2·k·n = 1.34e8 to 1.3e8 on the way to 271; unrounded it is 263."),
    "gpt-2 other": N_("The paper's GPT-2 does about 58 elementwise FLOP per value of the stream where its BERT does 61: 5% of 0.3% of the work."),
    "bert-large": N_("The figures' BERT-Large fits a feed-forward of 3.5 times the hidden size; the model has 4 times: 3 to 8% apart."),
    "rounded to 2": N_("Printed as 2.0: with scores written and read it is 1.96."),
}
ENGINES: Mapping[str, str] = {
    "llmcompass_2024": "cuBLAS, rocBLAS (LLMCompass)",
    "vidur_2024": "PyTorch (Vidur)",
    "gpt_fast": "gpt-fast",
    "gpu_benchmarks_llm": "llama.cpp",
    "llama_cpp_4167": "llama.cpp",
    "llama_cpp_reports": "llama.cpp",
    "m5_max_bench": "MLX",
    "ml_engineering": N_("best of many shapes"),
    "scaling_book": "JAX",
    "llm_inference_arithmetic;llm_analysis": "FasterTransformer",
}
#: Which work a quantity measures.
WORK: Mapping[str, str] = {
    "gemm_throughput": "gemm",
    "gemm_time": "gemm",
    "matmul_throughput": "largest gemm",
    "decode_rate": "decode",
    "decode_time": "decode",
    "prefill_rate": "prefill",
    "prefill_latency": "prefill",
    "layer_operation_time": "layer",
    "vector_add_time": "vector",
    "achieved_bandwidth": "vector",
}
_BOOK = {"int8": 1.0, "fp8": 1.0, "bf16": 2.0, "fp16": 2.0}


@dataclass(frozen=True, slots=True)
class RooflinePrediction:
    """What the roofline says about one case."""

    case: HardwareCase
    value: float | None
    """In the unit of the case: the answer, or for measured cases the bound; None where nothing is predicted."""
    reason: str = ""
    """Why nothing is predicted, or why the miss is known: a sentence marked for translation."""

    @property
    def error(self) -> float | None:
        """Predicted over printed, minus 1."""
        return None if self.value is None else self.case.error(self.value)

    @property
    def fraction(self) -> float | None:
        """Measured over bound: how much of the roof was reached; None for cases that are no measurement."""
        if self.value is None or self.case.kind != "measured" or self.case.case not in WORK:
            return None
        return self.value / self.case.expected if self.case.unit == "s" else self.case.expected / self.value


@cache
def predictions() -> Mapping[str, RooflinePrediction]:
    """Every case by id, predicted."""
    return MappingProxyType({id: predict(case) for id, case in catalog.roofline_cases().items()})


def predict(case: HardwareCase) -> RooflinePrediction:
    """The prediction for one case."""
    form = FORMS.get(case.case)
    if case.case in REASONS or form is None:
        return RooflinePrediction(case, None, REASONS.get(case.case, INCOMPLETE))
    try:
        value = form(case)
    except InputError as error:
        return RooflinePrediction(case, None, str(error))
    if value is None:
        reason = NO_DEVICE if case.kind == "measured" else MEASURED_BANDWIDTH if case.case == "ridge_point" else OTHER_MACHINE
        return RooflinePrediction(case, None, reason)
    return RooflinePrediction(case, value, "" if case.holds(value) or case.kind == "measured" else _known(case))


def _known(case: HardwareCase) -> str:
    model, operation = str(case.inputs.get("model", "")), str(case.inputs.get("operation", ""))
    if case.case == "critical_batch_matmul_exact":
        return KNOWN_MISSES["271"]
    if model == "BERT-Large":
        return KNOWN_MISSES["bert-large"]
    if case.case == "bytes":
        return KNOWN_MISSES["two digits"]
    if model.startswith("GPT-2") and operation == "Other":
        return KNOWN_MISSES["gpt-2 other"]
    if model.startswith("GPT-2") and operation == "MHA act-to-act":
        return KNOWN_MISSES["rounded to 2"]
    return ""


# ---------------------------------------------------------------- the paper's case study


def _study(case: HardwareCase) -> case_study.StudyRow | None:
    model = str(case.inputs["model"])
    name = {"BERT-Base encoder": "bert-base", "BERT-Base": "bert-base", "BERT-Large": "bert-large"}.get(model)
    if model.startswith("GPT-2"):
        name = "gpt-2"
    if case.inputs.get("heads") == 4:
        name = "bert-base-4-heads"
    if name is None:
        return None
    rows = {row.group: row for row in case_study.rows(name, int(case.inputs["sequence_length"]))}
    return rows.get(str(case.inputs.get("operation", case_study.TOTAL)))


def _intensity(case: HardwareCase) -> float | None:
    text = str(case.inputs.get("operation", ""))
    if text.startswith("bf16 dot product"):  # N to infinity: far enough
        return float(matmul(1, 2**40, 1).intensity)
    if text.startswith("per-example int8"):  # [B, D] x [B, D, F]: each example has a matrix of its own
        return float(matmul(1, 2**20, 2**20, a_bytes=1).intensity)
    row = _study(case) if "sequence_length" in case.inputs else None
    return None if row is None else row.intensity


def _flop(case: HardwareCase) -> float | None:
    row = _study(case) if "sequence_length" in case.inputs else None
    return None if row is None else row.flop


def _bytes(case: HardwareCase) -> float | None:
    row = _study(case) if "sequence_length" in case.inputs else None
    return None if row is None else row.bytes


# ---------------------------------------------------------------- worked answers of the scaling book


def _chip(case: HardwareCase) -> Accelerator | None:
    """The chip as the case gives it: by its numbers where it states them, else from the catalog."""
    known = catalog.chips().get(case.chip)
    peak, bandwidth = case.inputs.get("flop_per_s") or case.inputs.get("op_per_s"), case.inputs.get("bytes_per_s")
    if known is None:
        return own_chip(float(peak), float(bandwidth)) if peak and bandwidth else None
    return replace(
        known,
        fp16_flop_per_s=float(peak) if peak else known.fp16_flop_per_s,
        memory_bytes_per_s=float(bandwidth) if bandwidth else known.memory_bytes_per_s,
    )


def _ridge(case: HardwareCase) -> float | None:
    chip = _chip(case)
    return None if chip is None or case.kind != "worked" else roof(chip).ridge


def _critical(case: HardwareCase) -> float:
    peak = case.inputs.get("op_per_s") or case.inputs["flop_per_s"]
    return float(critical_batch(float(peak), float(case.inputs["bytes_per_s"]), _BOOK[str(case.inputs.get("weights", "bf16"))]))


def _critical_exact(case: HardwareCase) -> float:
    i = case.inputs
    sizes = {"bytes_per_weight": _BOOK[str(i["weights"])], "bytes_per_activation": _BOOK[str(i["activations"])]}
    return float(critical_batch_exact(float(i["op_per_s"]), float(i["bytes_per_s"]), i["k"], i["n"], **sizes))


def _critical_vmem(case: HardwareCase) -> float:
    """int8 weights out of the vector memory, so many times as fast as HBM."""
    chip = catalog.chips()[case.chip]
    return float(critical_batch(float(case.inputs["op_per_s"]), float(chip.memory_bytes_per_s or 0.0) * float(case.inputs["vmem_over_hbm"]), 1.0))


def _decode_step(case: HardwareCase) -> float:
    """The stated model, or Llama 3 70B with int8 weights and cache, on so many chips."""
    i, chip = case.inputs, catalog.chips().get(case.chip)
    gpus = float(i["gpus"])
    bandwidth = float(i.get("bytes_per_s") or (chip.memory_bytes_per_s if chip else 0.0) or 0.0)
    peak = float(i.get("flop_per_s") or (chip.peak("bf16") if chip else 0.0) or np.inf)
    batch = int(i["batch"])
    if "parameters" in i:
        parameters = float(i["parameters"])
        kv = batch * int(i["context"]) * float(i["kv_bytes_per_token"])
    else:
        parameters = float(catalog.architecture(case.preset).parameters)
        kv = _cache_bytes(case)
    weights = parameters * _BOOK[str(i["weights"])]
    return decode_step_s(weights, kv, gpus * bandwidth, flop=2.0 * parameters * batch, flop_per_s=gpus * peak)


def _cache_bytes(case: HardwareCase) -> float:
    """Of the model's own heads, or what the origin says that a token takes."""
    i = case.inputs
    if "kv_bytes_per_token" in i:
        return float(i["batch"] * i["context"] * i["kv_bytes_per_token"])
    return float(kv_cache.kv_cache_bytes(catalog.architecture(case.preset), batch=i["batch"], context=i["context"], format="int8"))


def _decode_rate_per_chip(case: HardwareCase) -> float:
    return float(case.inputs["batch"]) / _decode_step(case) / float(case.inputs["gpus"])


def _prefill_time(case: HardwareCase) -> float | None:
    i = case.inputs
    if case.kind != "worked":
        return _step_time(case, "prefill")
    arch, chip = catalog.architecture(case.preset), catalog.chips()[case.chip]
    return float(scaling_book.prefill_s(arch.parameters, i["tokens"], i["gpus"] * roof(chip).peak_flop_per_s, i["mfu"]))


def _training_time(case: HardwareCase) -> float:
    i, arch, chip = case.inputs, catalog.architecture(case.preset), catalog.chips()[case.chip]
    return float(scaling_book.training_s(arch.parameters, i["tokens"], i["gpus"] * roof(chip).peak_flop_per_s, i["mfu"]))


def _serving_memory(case: HardwareCase) -> float:
    """Every parameter in the format, embeddings too, as the book counts."""
    return catalog.architecture(case.preset).parameters * _BOOK[str(case.inputs["weights"])] + _cache_bytes(case)


def _training_memory(case: HardwareCase) -> float:
    """bf16 parameters and two fp32 moments: no gradients, no master copy."""
    found = train(catalog.architecture(case.preset), precision="bf16-mixed", master="none", sequence=1)
    return float(found.parts["weights"]) + float(found.parts["optimizer"])


def _layer_floor(case: HardwareCase) -> float:
    chip = catalog.chips()[case.chip]
    return decode_step_s(float(case.inputs["parameters"]) * 2.0, 0.0, float(case.inputs["shards"]) * float(chip.memory_bytes_per_s or 0.0))


def _cache(case: HardwareCase) -> float:
    i = case.inputs
    arch = custom(layers=i["layers"], hidden_size=5120, heads=40, kv_heads=i["kv_heads"], head_dim=i["head_dim"], ffn=13824, vocab=32000)
    return float(kv_cache.kv_cache_bytes(arch, context=i["context"]))


def _vector_add(case: HardwareCase) -> float | None:
    chip = _chip(case)
    op = scaling_book.elementwise(float(case.inputs["elements"]))
    return None if chip is None else float(roof(chip, "fp32").time_s(op.flop, op.bytes))


# ---------------------------------------------------------------- measured: the bound


def _gemm(case: HardwareCase) -> tuple[Operation, Roof] | None:
    i, chip = case.inputs, _chip(case)
    if chip is None:
        return None
    size = ACTIVATIONS[str(i["precision"])]
    return matmul(i.get("m", i.get("tokens")), i["k"], i["n"], a_bytes=size), roof(chip, str(i["precision"]))


def _gemm_time(case: HardwareCase) -> float | None:
    found = _gemm(case)
    return None if found is None else float(found[1].time_s(found[0].flop, found[0].bytes))


def _gemm_rate(case: HardwareCase) -> float | None:
    found = _gemm(case)
    return None if found is None else float(found[1].attainable(found[0].intensity))


def _peak(case: HardwareCase) -> float | None:
    chip = _chip(case)
    return None if chip is None else roof(chip, str(case.inputs["precision"])).peak_flop_per_s


def _decode_rate(case: HardwareCase) -> float | None:
    """One token stream: bandwidth over the weights and the mean cache of the run; layers split over GPUs add capacity and no speed."""
    i, chip = case.inputs, catalog.chips().get(case.chip)
    bandwidth = i.get("bytes_per_s") or (chip.memory_bytes_per_s if chip else None)
    if "achieved_bytes_per_s" in i and "batch" in i:  # bytes of a token as the origin's own figures imply them
        return None if chip is None or not bandwidth else case.expected * float(bandwidth) / float(i["achieved_bytes_per_s"])
    if not bandwidth or "weights_bytes" not in i:
        return None
    cached = float(i.get("generated_tokens", 0)) / 2.0
    arch = catalog.architecture(case.preset) if case.preset else None
    kv = float(kv_cache.kv_cache_bytes(arch, context=cached)) if arch is not None and cached else 0.0
    return 1.0 / decode_step_s(float(i["weights_bytes"]), kv, float(bandwidth))


def _model(case: HardwareCase) -> Architecture | None:
    return catalog.architecture(case.preset) if case.preset else None


def _format(case: HardwareCase) -> str:
    text = str(case.inputs.get("weights", "fp16"))
    return text if text.lower() in quantization.FORMATS else f"gguf:{text}"


def _step_time(case: HardwareCase, phase: str) -> float | None:
    i, chip, arch = case.inputs, _chip(case), _model(case)
    if chip is None or arch is None:
        return None
    tokens = int(i.get("prompt_tokens") or i.get("sequence_length") or 1)
    found = step(
        arch, chip, phase=phase, batch=int(i.get("batch", 1)), context=tokens, weights=_format(case), accumulate="fp16",
        tensor_parallel=int(i.get("tensor_parallel", 1)), half_square=True, kernels="fused",
    )  # fmt: skip
    return float(found.overlap_time_s)


def _prefill_rate(case: HardwareCase) -> float | None:
    if "prompt_tokens" not in case.inputs:
        return None
    time_s = _step_time(case, "prefill")
    # llama.cpp splits layers over the GPUs and passes parts of the prompt through them at the same time: each adds its peak
    return None if time_s is None else float(case.inputs.get("gpus", 1)) * float(case.inputs["prompt_tokens"]) / time_s


def _layer_operation(case: HardwareCase) -> float | None:
    """One GPT-3 layer on four GPUs: the work of one of them."""
    i, chip = case.inputs, _chip(case)
    name, t, h, B = str(i["operation"]), int(i["tensor_parallel"]), float(i["hidden_size"]), float(i["batch"])
    if chip is None or name.startswith("AllReduce"):
        return None
    decode = i["phase"] == "decode"
    queries, keys = (1.0, float(i["context"])) if decode else (float(i["sequence_length"]),) * 2
    m, heads, d = B * queries, float(i["heads"]) / t, h / float(i["heads"])
    top = roof(chip, str(i["precision"]))
    shapes = {"Q_K_V": (m, h, 3 * h / t), "Wo_proj": (m, h / t, h), "W1_proj": (m, h, 4 * h / t), "W2_proj": (m, 4 * h / t, h)}
    values = {"Softmax": 2.0 * B * heads * queries * keys, "LayerNorm_MHA": 2.0 * m * h, "LayerNorm_FFN": 2.0 * m * h, "GeLU": 2.0 * m * 4 * h / t}
    if name in shapes:
        op, times = matmul(*shapes[name]), 1.0
    elif name in ("Q_mul_K", "A_mul_V"):
        op, times = matmul(queries, d, keys) if name == "Q_mul_K" else matmul(queries, keys, d), B * heads
    elif name in values:
        op, times = scaling_book.elementwise(values[name], reads=1, writes=0, bytes_per_value=2.0, flop_per_value=0.0), 1.0
    else:
        return None
    return float(top.time_s(times * op.flop, times * op.bytes))


def _achieved_bandwidth(case: HardwareCase) -> float | None:
    chip = catalog.chips().get(case.chip)
    return chip.memory_bytes_per_s if chip else None


FORMS: Mapping[str, Form] = {
    "arithmetic_intensity": _intensity,
    "flop": _flop,
    "bytes": _bytes,
    "model_arithmetic_intensity": _intensity,
    "model_flop": _flop,
    "model_bytes": _bytes,
    "ridge_point": _ridge,
    "critical_batch_matmul": _critical,
    "critical_batch_matmul_exact": _critical_exact,
    "critical_batch_matmul_from_vmem": _critical_vmem,
    "critical_batch_over_pcie": lambda c: float(critical_batch(c.inputs["flop_per_s"], c.inputs["link_bytes_per_s"])),
    "critical_dimension_two_chips": lambda c: float(scaling_book.critical_inner_dimension(c.inputs["flop_per_s"], c.inputs["link_bytes_per_s"])),
    "decode_time_bound": lambda c: decode_step_s(
        c.inputs["parameters"] * c.inputs["bytes_per_parameter"], 0.0, c.inputs["gpus"] * c.inputs["bytes_per_s"]
    ),
    "decode_step_time": _decode_step,
    "decode_rate_per_chip": _decode_rate_per_chip,
    "decode_step_full_hbm": lambda c: decode_step_s(c.inputs["memory_bytes"], 0.0, c.inputs["bytes_per_s"]),
    "kv_cache_bytes": _cache,
    "parameter_count": lambda c: float(catalog.architecture(c.preset).parameters),
    "serving_memory": _serving_memory,
    "training_memory": _training_memory,
    "prefill_latency": _prefill_time,
    "training_time": _training_time,
    "layer_latency_floor": _layer_floor,
    "matmul_time": _gemm_time,
    "vector_add_time": _vector_add,
    "gemm_time": _gemm_time,
    "gemm_throughput": _gemm_rate,
    "matmul_throughput": _peak,
    "decode_rate": _decode_rate,
    "prefill_rate": _prefill_rate,
    "layer_operation_time": _layer_operation,
    "achieved_bandwidth": _achieved_bandwidth,
}


# ---------------------------------------------------------------- efficiency as data


@cache
def measurements() -> tuple[MeasuredRate, ...]:
    """Every measured case that has a bound, ours or the one that comes with it."""
    found = []
    for id, one in predictions().items():
        case, work = one.case, WORK.get(one.case.case)
        bound = one.value if one.value is not None else case.bound
        if case.kind != "measured" or work is None or bound is None:
            continue
        time = case.unit == "s"
        gemm = _gemm(case) if case.case in ("gemm_time", "gemm_throughput") else None
        found.append(
            MeasuredRate(
                case=id,
                device=_device(case),
                engine=ENGINES.get(case.source, case.source),
                what=work,
                precision=str(case.inputs.get("weights") or case.inputs.get("precision") or "").upper(),
                measured=1.0 / case.expected if time else case.expected,
                bound=1.0 / bound if time else bound,
                intensity=None if gemm is None else float(gemm[0].intensity),
                ridge=None if gemm is None else gemm[1].ridge,
                peak_flop_per_s=None if gemm is None else gemm[1].peak_flop_per_s,
                time_s=None if gemm is None else float(gemm[1].time_s(gemm[0].flop, gemm[0].bytes)),
                memory=_memory(case),
                label=_label(case),
                source=case.source,
            )
        )
    return tuple(found)


def _device(case: HardwareCase) -> str:
    chip = catalog.chips().get(case.chip)
    return chip.name.partition(" (")[0] if chip else str(case.inputs.get("device", ""))


def _memory(case: HardwareCase) -> str:
    chip = catalog.chips().get(case.chip)
    return "" if chip is None else next((kind for kind in ("HBM", "GDDR", "LPDDR", "DDR", "SRAM") if kind in chip.memory_type), "")


def _label(case: HardwareCase) -> str:
    i = case.inputs
    if "k" in i and "n" in i:
        return f"[{i.get('m', i.get('tokens')):,}, {i['k']:,}] × [{i['k']:,}, {i['n']:,}]"
    return " ".join(str(i[key]) for key in ("model", "operation", "weights", "precision") if key in i)
