"""What a reader can choose on the footprint page: one field of `View` for each, how a link spells it, the words for its options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from wallviz.case import MAX_CONTEXT, Case
from wallviz.engine.memory import kv_cache, quantization, run
from wallviz.engine.memory.serve import CHUNK, ENGINES
from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.params import Param, choice, flag, number, text
from wallviz.rooms import Group, Setting
from wallviz.rooms import case as shared

PRESET = "preset"
"""A number format that the precision preset decides."""
FIGURES = ("bar", "timeline", "map", "article")
ACROSS = ("work", "layout")
METERS = ("allocated", "reserved", "device")
FRAGMENTS = ("deepspeed", "fsdp")
DENSE, TWO_OF_FOUR = "none", "2:4"
PERCENTS = range(1, 100)
"""Shares that can be chosen on the page; a link may give any."""


@dataclass(frozen=True, slots=True)
class View:
    """What the reader chose beside the case: one field for each of `PARAMS`, with its default."""

    show: str = "bar"
    across: str = "work"
    config: str = ""
    """The reader's own model (`own`); empty for that of the case."""
    against: str = ""
    """The configuration to compare with, as the query of its own link; empty for none."""
    reported: int | None = None
    """What the reader's run reported, MiB."""
    meter: str = "allocated"
    fragment: str = "deepspeed"
    # training, as in footprint.run.Run
    precision: str = "bf16-mixed"
    weights: str = PRESET
    gradients: str = PRESET
    master: str = PRESET
    optimizer_state: str = PRESET
    optimizer: str = "adamw"
    optimizer_step: str = "fused"
    galore_rank: int = 128
    zero: int = 0
    tensor_parallel: int = 1
    sequence_parallel: bool = False
    pipeline_parallel: int = 1
    virtual_stages: int = 1
    context_parallel: int = 1
    expert_parallel: int = 1
    stage: str = "worst"
    recompute: str = "none"
    kernels: str = "flash"
    loss: str = "plain"
    loss_chunks: int = 8
    accumulation: int = 1
    dropout: bool = False
    offload: str = "none"
    method: str = "lora"
    rank: int = 16
    targets: str = "all"
    adapter_dtype: str = "fp32"
    # serving, as in footprint.serve.infer
    format: str = "bf16"
    kv: str = "bf16"
    imatrix: bool = False
    utilization: float = 90
    """Percent of the memory that the engine may fill."""
    block: int = 16
    prompt: int | None = None
    """Tokens that are prefilled; None for all of the context."""
    prefix: int = 0
    encoder_context: int | None = None
    """Tokens of the encoder's sequence; None for as many as the context."""
    engine: str = "vllm"
    chunk: int = CHUNK
    sparsity: str = DENSE
    """Dense, 2:4, or the fraction of the weights that was removed."""
    graphs: bool = True
    replicas: int = 1
    """Copies of the engine, each with requests and GPUs of its own: chips = tensor x pipeline x replicas."""


_D = View()
#: Ranges of the numbers.
_RANGES = {
    "galore_rank": (1, 65_536), "tensor_parallel": (1, 65_536), "pipeline_parallel": (1, 10_000), "virtual_stages": (1, 10_000),
    "context_parallel": (1, 65_536), "expert_parallel": (1, 65_536), "loss_chunks": (1, 10_000), "accumulation": (1, 1_000_000),
    "rank": (1, 65_536), "block": (1, 65_536), "prefix": (0, MAX_CONTEXT), "chunk": (1, MAX_CONTEXT), "prompt": (1, MAX_CONTEXT),
    "encoder_context": (1, MAX_CONTEXT), "replicas": (1, 65_536),
}  # fmt: skip


def _stage(text: str) -> str:
    """The fullest, the first or the last pipeline stage, or one by its number; whether there are so many is for the computation to say."""
    if text in run.STAGES or (text.isascii() and text.isdigit() and len(text) < 5):
        return text
    raise InputError(N_("There is no pipeline stage {stage}: choose first, last, worst, or a number from 0 to {last}."), stage=text[:40], last=9_999)


def _decimal(text: str) -> float:
    """A plain decimal number; NaN for anything else."""
    return float(text) if re.fullmatch(r"[0-9]{0,3}\.?[0-9]{1,9}", text, re.ASCII) else float("nan")


def _sparsity(text: str) -> str:
    """Dense, 2:4, or a fraction between 0 and 1 as it is written shortest.

    >>> _sparsity("2:4"), _sparsity("0.30")
    ('2:4', '0.3')
    """
    if text in (DENSE, TWO_OF_FOUR):
        return text
    if not 0 < _decimal(text) < 1:
        raise InputError(
            N_("The link gives sparsity as “{text}”: it must be none, 2:4, or the fraction of weights that was removed, above 0 and below 1."),
            text=text[:40],
        )
    return str(_decimal(text))


def _utilization(text: str) -> float:
    """Percent above 0, at most 100."""
    if not 0 < _decimal(text) <= 100:
        raise InputError(N_("The link gives utilization as “{text}”: it must be a percentage above 0, at most 100."), text=text[:40])
    return _decimal(text)


_DTYPES = (PRESET, *run.DTYPES)
FORMATS = (*quantization.FORMATS, *(f"{quantization.GGUF}{mix}" for mix in quantization.MIXES))
PARAMS: tuple[Param, ...] = (
    choice("show", FIGURES, _D.show),
    choice("across", ACROSS, _D.across),
    text("config"),
    text("against"),
    number("reported", _D.reported, 1, 100_000_000),
    choice("meter", METERS, _D.meter),
    choice("fragment", FRAGMENTS, _D.fragment),
    choice("precision", run.PRECISIONS, _D.precision),
    choice("weights", (d for d in _DTYPES if d != "none"), _D.weights),
    choice("gradients", _DTYPES, _D.gradients),
    choice("master", _DTYPES, _D.master),
    choice("optimizer_state", _DTYPES, _D.optimizer_state),
    choice("optimizer", run.OPTIMIZERS, _D.optimizer),
    choice("optimizer_step", run.OPTIMIZER_STEPS, _D.optimizer_step),
    number("galore_rank", _D.galore_rank, *_RANGES["galore_rank"]),
    number("zero", _D.zero, 0, 3),
    number("tensor_parallel", _D.tensor_parallel, *_RANGES["tensor_parallel"]),
    flag("sequence_parallel"),
    number("pipeline_parallel", _D.pipeline_parallel, *_RANGES["pipeline_parallel"]),
    number("virtual_stages", _D.virtual_stages, *_RANGES["virtual_stages"]),
    number("context_parallel", _D.context_parallel, *_RANGES["context_parallel"]),
    number("expert_parallel", _D.expert_parallel, *_RANGES["expert_parallel"]),
    Param("stage", _D.stage, _stage),
    choice("recompute", run.RECOMPUTE, _D.recompute),
    choice("kernels", run.KERNELS, _D.kernels),
    choice("loss", run.LOSSES, _D.loss),
    number("loss_chunks", _D.loss_chunks, *_RANGES["loss_chunks"]),
    number("accumulation", _D.accumulation, *_RANGES["accumulation"]),
    flag("dropout"),
    choice("offload", run.OFFLOADS, _D.offload),
    choice("method", run.METHODS, _D.method),
    number("rank", _D.rank, *_RANGES["rank"]),
    choice("targets", run.TARGETS, _D.targets),
    choice("adapter_dtype", run.ADAPTER_DTYPES, _D.adapter_dtype),
    choice("format", FORMATS, _D.format),
    choice("kv", kv_cache.FORMATS, _D.kv),
    flag("imatrix"),
    Param("utilization", _D.utilization, _utilization, "{:.12g}".format),
    number("block", _D.block, *_RANGES["block"]),
    number("prompt", _D.prompt, *_RANGES["prompt"]),
    number("prefix", _D.prefix, *_RANGES["prefix"]),
    number("encoder_context", _D.encoder_context, *_RANGES["encoder_context"]),
    choice("engine", ENGINES, _D.engine),
    number("chunk", _D.chunk, *_RANGES["chunk"]),
    Param("sparsity", _D.sparsity, _sparsity),
    flag("graphs", default=True),
    number("replicas", _D.replicas, *_RANGES["replicas"]),
)

#: Fields that say how the page shows things, not what is computed.
SHOWN_ONLY = ("show", "across", "against", "reported", "meter", "fragment")
_EVERY: Mapping[str, Param] = {p.name: p for p in (*shared.PARAMS, *PARAMS) if p.name not in SHOWN_ONLY}


def settings(case: Case, view: View) -> dict[str, Any]:
    """Everything that decides the numbers, by name."""
    return {name: getattr(case if hasattr(case, name) else view, name) for name in _EVERY}


def pack(case: Case, view: View) -> str:
    """A configuration as the query of its link: what differs from the defaults.

    >>> pack(Case(job="train", chips=8), View(zero=3))
    'job=train&chips=8&zero=3'
    """
    chosen = settings(case, view)
    return urlencode({name: _EVERY[name].format(value) for name, value in chosen.items() if value != _EVERY[name].default}) or "job=infer"


def unpack(query: str) -> tuple[Case, View]:
    """The configuration that `pack` wrote; raises InputError, a sentence, for anything else.

    >>> unpack("job=train&chips=8&zero=3")[1].zero
    3
    """
    case, view = Case(), View()
    try:
        given = parse_qsl(query, strict_parsing=True, max_num_fields=80)
    except ValueError:
        raise InputError(N_("The link's configuration to compare with cannot be read: keep one again.")) from None
    for name, value in given:
        if name not in _EVERY:
            raise InputError(N_("The link's configuration to compare with names “{name}”, which does not exist: keep one again."), name=name[:40])
        parsed = _EVERY[name].parse(value)
        if hasattr(case, name):
            case = replace(case, **{name: parsed})
        else:
            view = replace(view, **{name: parsed})
    return case, view


WORDS: dict[str, dict[Any, str]] = {
    "show": {"bar": N_("At the peak"), "timeline": N_("Over time"), "map": N_("Map"), "article": N_("The article's table")},
    "across": {"work": N_("Batch and context"), "layout": N_("GPUs and sharding")},
    "meter": {"allocated": "max_memory_allocated", "reserved": "max_memory_reserved", "device": "nvidia-smi"},
    "fragment": {"deepspeed": "DeepSpeed", "fsdp": "Accelerate, FSDP"},
    "precision": {
        "fp32": "FP32", "amp": N_("Autocast on FP32 weights"), "bf16-mixed": N_("BF16 with FP32 master"),
        "bf16-fp32grad": N_("BF16 with FP32 master and gradients"), "bf16-pure": N_("BF16 alone"),
    },
    "dtype": {PRESET: N_("as the preset"), "fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "fp8": "FP8", "int8": "INT8", "none": N_("none")},
    "optimizer": {
        "sgd": "SGD", "momentum": N_("SGD with momentum"), "adamw": "AdamW", "adamw-8bit": N_("AdamW, 8 bits"), "adafactor": "Adafactor",
        "lion": "Lion", "muon": "Muon", "galore": "GaLore",
    },
    "optimizer_step": {"fused": N_("fused"), "foreach": N_("all at once")},
    "zero": {0: N_("none"), 1: N_("1: optimizer"), 2: N_("2: and gradients"), 3: N_("3: and weights")},
    "stage": {"worst": N_("the fullest"), "first": N_("the first"), "last": N_("the last")},
    "recompute": {"none": N_("nothing"), "selective": N_("attention core"), "full": N_("every layer")},
    "kernels": {"eager": N_("plain"), "flash": "FlashAttention", "fused": N_("fused (Liger)"), "transformer-engine": "Transformer Engine"},
    "loss": {"plain": N_("plain"), "fused": N_("fused"), "chunked": N_("in chunks")},
    "offload": {"none": N_("nothing"), "optimizer": N_("optimizer"), "parameters": N_("optimizer and weights")},
    "method": {"full": N_("all weights"), "lora": "LoRA", "qlora": "QLoRA"},
    "targets": {"all": N_("all linear layers"), "attention": N_("attention"), "qv": N_("queries and values")},
    "adapter_dtype": {"fp32": "FP32", "bf16": "BF16"},
    "engine": {"vllm": "vLLM", "hf": "transformers"},
    "sparsity": {DENSE: N_("none"), TWO_OF_FOUR: "2:4"},
}  # fmt: skip


def words(param: str) -> dict[Any, str]:
    """The options of choice `param`, by id, in the language in use; ids that need no words stand for themselves."""
    if param in ("format", "kv"):
        return {name: name.removeprefix(quantization.GGUF).upper() if name in FORMATS[:4] else name for name in _EVERY_FORMAT[param]}
    return {option: _(said) for option, said in WORDS[param].items()}


_EVERY_FORMAT: Mapping[str, tuple[str, ...]] = {"format": FORMATS, "kv": tuple(kv_cache.FORMATS)}

#: What the fields are called, for the comparison and the expert drawer.
LABELS: dict[str, str] = {
    "model": N_("Model"), "job": N_("Job"), "batch": N_("Batch"), "context": N_("Context (tokens)"), "chip": N_("Chip"),
    "chips": N_("How many chips"), "config": N_("Own model"), "precision": N_("Number formats"), "weights": N_("Weights"),
    "gradients": N_("Gradients"), "master": N_("Master copy"), "optimizer_state": N_("Optimizer state"), "optimizer": N_("Optimizer"),
    "optimizer_step": N_("Optimizer step"), "galore_rank": N_("GaLore rank"), "zero": N_("ZeRO sharding"), "tensor_parallel": N_("Tensor parallel"),
    "sequence_parallel": N_("Sequence parallel"), "pipeline_parallel": N_("Pipeline parallel"), "virtual_stages": N_("Virtual stages"),
    "context_parallel": N_("Context parallel"), "expert_parallel": N_("Expert parallel"), "stage": N_("Pipeline stage"),
    "recompute": N_("Recompute"), "kernels": N_("Kernels"), "loss": N_("Loss"), "loss_chunks": N_("Loss chunks"),
    "accumulation": N_("Gradient accumulation"), "dropout": N_("Dropout"), "offload": N_("Offload to the host"), "method": N_("Train"),
    "rank": N_("LoRA rank"), "targets": N_("LoRA on"), "adapter_dtype": N_("Adapter format"),
    "format": N_("Weight format"), "kv": N_("KV cache format"),
    "imatrix": N_("Importance matrix"),
    "utilization": N_("Share for the engine"), "block": N_("Tokens per page"), "prompt": N_("Prompt (tokens; empty: all)"),
    "prefix": N_("Shared prefix (tokens)"), "encoder_context": N_("Encoder's tokens (empty: as the context)"), "engine": N_("Engine"),
    "chunk": N_("Tokens read at once"), "sparsity": N_("Pruned"), "graphs": N_("Captured graphs"), "replicas": N_("Replicas (GPUs each)"),
}  # fmt: skip


def label(param: str) -> str:
    """What `param` is called, in the language in use."""
    return _(LABELS[param])


def said(param: str, value: object) -> str:
    """A value of `param` in words."""
    if param in ("weights", "gradients", "master", "optimizer_state"):
        return words("dtype")[value]
    if param == "job":
        return shared.jobs()[str(value)]
    if param in ("sparsity", "utilization"):
        return _shares(param, value)[value]
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if param in WORDS:
        return words(param).get(value, str(value))
    return f"{value:,}" if isinstance(value, int) else str(value)


# -- the expert's drawer -----------------------------------------------------------------------------------------------------------


def groups(case: Case, view: View) -> tuple[Group, ...]:
    """Every other setting of the case's job, grouped."""
    if case.job == "infer":
        return (
            Group(
                _("Formats"),
                (*_settings("format", "kv", *(["imatrix"] if view.format.startswith(quantization.GGUF) else [])), _share("sparsity", view.sparsity)),
            ),
            Group(_("Engine"), (*_settings("engine", "block", "chunk", "graphs"), _share("utilization", view.utilization))),
            Group(_("Requests"), _settings("prompt", "prefix", "encoder_context")),
            Group(_("Parallelism"), _settings("pipeline_parallel", "replicas")),
        )
    adapters = case.job == "finetune"
    numbered = {str(i): str(i) for i in range(view.pipeline_parallel)} if 1 < view.pipeline_parallel <= 64 else {}
    stages = words("stage") | numbered | ({} if view.stage in run.STAGES else {view.stage: view.stage})
    found = [
        Group(
            _("Precision and optimizer"),
            _settings("precision", "optimizer", "optimizer_step", *(["galore_rank"] if view.optimizer == "galore" else [])),
        ),
        Group(_("Formats one by one"), _settings("weights", "gradients", "master", "optimizer_state")),
        Group(
            _("Kernels and loss"),
            _settings("recompute", "kernels", "loss", *(["loss_chunks"] if view.loss == "chunked" else []), "dropout"),
        ),
        Group(
            _("Parallelism"),
            (
                *_settings("zero", "tensor_parallel", "sequence_parallel", "pipeline_parallel", "virtual_stages"),
                *_settings("context_parallel", "expert_parallel"),
                Setting("stage", label("stage"), stages),
            ),
        ),
        Group(_("Step and host"), _settings("accumulation", "offload")),
    ]
    if adapters:
        found.insert(0, Group(_("What is trained"), _settings("method", *(["rank", "targets", "adapter_dtype"] if view.method != "full" else []))))
    return tuple(found)


def _settings(*names: str) -> tuple[Setting, ...]:
    return tuple(_setting(name) for name in names)


def _share(name: str, chosen: Any) -> Setting:
    return Setting(name, label(name), _shares(name, chosen))


def _shares(name: str, chosen: Any) -> dict[Any, str]:
    """The options of a share: whole percents, and the one that a link gave."""
    if name == "utilization":
        return {share: f"{share:.12g} %" for share in (*PERCENTS, 100, *([] if chosen in (*PERCENTS, 100) else [chosen]))}
    fractions = [str(percent / 100) for percent in PERCENTS]
    dense = words("sparsity")
    pruned = [*fractions, *([] if chosen in (*fractions, *dense) else [chosen])]
    return dense | {fraction: _("{percent} % unstructured").format(percent=f"{float(fraction) * 100:.12g}") for fraction in pruned}


def _setting(name: str) -> Setting:
    if name in _RANGES:
        return Setting(name, label(name), {}, *_RANGES[name])
    if name in ("weights", "gradients", "master", "optimizer_state"):
        return Setting(name, label(name), {d: w for d, w in words("dtype").items() if name != "weights" or d != "none"})
    return Setting(name, label(name), words(name) if name in WORDS or name in _EVERY_FORMAT else {})
