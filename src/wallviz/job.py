"""One description of a job: which model does what, at which batch and context, on how many of which chip, in which formats, split how.

Every room, link, command and function describes the job with the fields of `Job` and no others. What an engine needs of it is a projection:
`training_run` for memory and time of training, `serving_options` for those of serving.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode

from wallviz import settings
from wallviz.engine.memory import kv_cache, quantization, run, serve
from wallviz.engine.memory.jobs import of_step, on_gpus
from wallviz.engine.memory.run import FIELDS, Run
from wallviz.engine.scaleout.serving_job import shared
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.settings import choice, flag, number, setting, text

JOBS: Mapping[str, str] = MappingProxyType({"infer": N_("serve"), "train": N_("train"), "finetune": N_("fine-tune")})
TRAINING, SERVING = ("train", "finetune"), ("infer",)
MAX_BATCH = 65_536
MAX_CONTEXT = 16_777_216
MAX_CHIPS = 1_000_000
PRESET = "preset"
"""A number format that the precision preset decides."""
DENSE, TWO_OF_FOUR = "none", "2:4"
PERCENTS = range(1, 100)
"""Shares that can be chosen on a page; a link may give any."""
USUAL_FORMATS = ("bf16", "fp8", "nf4", "gguf:Q4_K_M")
"""Formats that a list offers before all others."""

_MATRIX_DECIDES = frozenset(f"{quantization.GGUF}{mix}" for mix in ("Q4_0", "Q5_0", "IQ4_NL", "IQ4_XS"))
"""Mixes that llama.cpp makes otherwise with an importance matrix; of the rest each always has one, or is the same with and without."""
_DTYPE_WORDS = {
    PRESET: N_("as the preset"), "fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "fp8": "FP8", "int8": "INT8", "none": N_("none"),
}  # fmt: skip


def _format_words() -> dict[str, str]:
    """Formats of weights without their prefix, unless another one is called that: a list tells options apart by their names."""
    every = (
        *USUAL_FORMATS,
        *(f for f in quantization.FORMATS if f not in USUAL_FORMATS),
        *(f"{quantization.GGUF}{mix}" for mix in quantization.MIXES),
    )
    plain = {name.upper() for name in every if not name.startswith(quantization.GGUF)}
    bare = {name: name.removeprefix(quantization.GGUF) for name in dict.fromkeys(every)}
    return {
        name: (f"GGUF {mix}" if mix.upper() in plain else mix) if name.startswith(quantization.GGUF) else name.upper() for name, mix in bare.items()
    }


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


def _stages(job: Job) -> dict[str, str]:
    """The stages of the job's pipeline, and the one that a link gave."""
    said = {"worst": _("the fullest"), "first": _("the first"), "last": _("the last")}
    numbered = {str(i): str(i) for i in range(job.pipeline_parallel)} if 1 < job.pipeline_parallel <= 64 else {}
    return said | numbered | ({} if job.stage in said else {job.stage: job.stage})


def _shares(job: Job) -> dict[Any, str]:
    chosen = job.utilization
    return {share: f"{share:.12g}%" for share in (*PERCENTS, 100, *([] if chosen in (*PERCENTS, 100) else [chosen]))}


def _pruned(job: Job) -> dict[Any, str]:
    fractions = [str(percent / 100) for percent in PERCENTS]
    known = {DENSE: _("none"), TWO_OF_FOUR: "2:4"}
    shown = [*fractions, *([] if job.sparsity in (*fractions, *known) else [job.sparsity])]
    return known | {fraction: _("{percent}% unstructured").format(percent=f"{float(fraction) * 100:.12g}") for fraction in shown}


_SPLIT, _FORMATS, _ONE_BY_ONE = N_("Parallelism"), N_("Formats"), N_("Formats one by one")
_STATES, _STEP, _HOST, _TRAINED = N_("Precision and optimizer"), N_("Kernels and loss"), N_("Step and host"), N_("What is trained")
_ENGINE, _REQUESTS = N_("Engine"), N_("Requests")


@dataclass(frozen=True, slots=True)
class Job:
    """What a reader asks about. `model` and `chip` are ids of the catalogue; each further field says what it is and for which job."""

    model: str = text(
        N_("Model"),
        default="llama-3.1-8b",
        help=N_("The model that the job is about: its size and its layers decide how many bytes and how much arithmetic it takes."),
    )
    config: str = text(N_("Own model"), help=N_("A model of your own, in place of one from the list."))
    """The reader's own model (`transformer.packed`); empty for `model`."""
    job: str = choice(
        "infer",
        JOBS,
        N_("Job"),
        help=N_("Whether you use a finished model to answer, train one from nothing, or train a finished one a little more."),
    )
    batch: int = number(
        1,
        1,
        MAX_BATCH,
        N_("Batch"),
        help=N_("Sequences at once, in training those of one GPU: more of them share each reading of the weights and take more memory."),
    )
    """Sequences at once: of each copy of the model in serving, of one micro-batch on one GPU in training."""
    context: int = number(
        8192,
        1,
        MAX_CONTEXT,
        N_("Context (tokens)"),
        help=N_("Tokens of each sequence, in serving prompt and answer together: longer ones take more memory."),
    )
    """Tokens of a sequence: prompt and answer in serving, what is trained on in training."""
    chip: str = text(
        N_("Chip"),
        default="h100-sxm5",
        help=N_("The chip that does the work: its memory, bandwidth and peak FLOP/s decide what fits and how fast it runs."),
    )
    chips: int = number(
        1,
        1,
        MAX_CHIPS,
        N_("How many chips"),
        old={"gpus": None},
        help=N_("Chips that share the job: together they hold and compute more, and wait for each other."),
    )
    """How many of them share the work."""

    format: str = choice(
        "bf16",
        _format_words(),
        N_("Weight format"),
        group=_FORMATS,
        jobs=SERVING,
        help=N_("How many bits each weight takes: fewer are read faster and leave more memory free, at some cost in quality."),
    )
    """Of the weights that are served."""
    kv: str = choice(
        "bf16",
        {name: name.upper() for name in kv_cache.FORMATS},
        N_("KV cache format"),
        group=_FORMATS,
        jobs=SERVING,
        help=N_("How many bits each number of the KV cache takes: fewer make room for more or longer sequences."),
    )
    imatrix: bool = flag(
        default=False,
        label=N_("Importance matrix"),
        group=_FORMATS,
        jobs=SERVING,
        when=lambda job: job.format in _MATRIX_DECIDES,
        help=N_("The GGUF file was made with an importance matrix, which mixes its formats in other shares."),
    )
    sparsity: str = setting(
        DENSE,
        _sparsity,
        N_("Pruned"),
        more=_pruned,
        group=_FORMATS,
        jobs=SERVING,
        help=N_("Which weights were removed: two of every four, which some GPUs skip, or a share of them anywhere."),
    )
    """Dense, 2:4, or the fraction of the weights that was removed."""
    engine: str = choice(
        "vllm",
        {"vllm": "vLLM", "hf": "transformers"},
        N_("Engine"),
        group=_ENGINE,
        jobs=SERVING,
        help=N_("The program that serves: vLLM keeps the KV cache in pages and plans its memory, transformers takes what it needs."),
    )
    block: int = number(
        16,
        1,
        65_536,
        N_("Tokens per page"),
        group=_ENGINE,
        jobs=SERVING,
        help=N_("Tokens per page of the KV cache, which is handed out in whole pages: larger ones leave more of it unused."),
    )
    chunk: int = number(
        serve.CHUNK,
        1,
        MAX_CONTEXT,
        N_("Tokens read at once"),
        group=_ENGINE,
        jobs=SERVING,
        help=N_("Tokens of the prompt that vLLM reads at once: fewer need less memory for activations."),
    )
    graphs: bool = flag(
        default=True,
        label=N_("Captured graphs"),
        help=N_("Recordings of the decoding step that the engine makes when it starts: they save time and take some memory."),
        group=_ENGINE,
        jobs=SERVING,
    )
    utilization: float = setting(
        90.0,
        _utilization,
        N_("Share for the engine"),
        more=_shares,
        format="{:.12g}".format,
        group=_ENGINE,
        jobs=SERVING,
        help=N_("Share of the chip's memory that the engine may fill: what is left over stays free for everything else."),
    )
    """Percent of the memory that the engine may fill."""
    prompt: int | None = number(
        None,
        1,
        MAX_CONTEXT,
        N_("Prompt (tokens; empty: all)"),
        group=_REQUESTS,
        jobs=SERVING,
        help=N_("Tokens of the context that the model reads at once, before it generates the rest."),
    )
    """Tokens that are prefilled; None for all of the context."""
    prefix: int = number(
        0,
        0,
        MAX_CONTEXT,
        N_("Shared prefix (tokens)"),
        group=_REQUESTS,
        jobs=SERVING,
        when=lambda job: job.batch > 1,
        help=N_("Tokens that all sequences begin with, such as instructions: their KV cache is kept once."),
    )
    encoder_context: int | None = number(
        None,
        1,
        MAX_CONTEXT,
        N_("Encoder's tokens (empty: as the context)"),
        group=_REQUESTS,
        jobs=SERVING,
        help=N_("Tokens that the encoder reads, for models that have one."),
    )
    """Tokens of the encoder's sequence; None for as many as the context."""
    replicas: int = number(
        0,
        0,
        65_536,
        N_("Copies (0: as few as can be)"),
        group=_SPLIT,
        jobs=SERVING,
        help=N_("Copies of the model, each on chips and with requests of its own: they never wait for each other, but each holds all weights."),
    )
    """Copies of the engine, each with requests of its own; 0: the fewest that leave ranks which can share the heads."""

    method: str = choice(
        "lora",
        {"full": N_("all weights"), "lora": "LoRA", "qlora": "QLoRA"},
        N_("Train"),
        group=_TRAINED,
        jobs=("finetune",),
        help=N_("What fine-tuning changes: all weights, small matrices beside them (LoRA), or those beside weights of 4 bits (QLoRA)."),
    )
    """Of fine-tuning."""
    rank: int = number(
        16,
        1,
        65_536,
        N_("LoRA rank"),
        group=_TRAINED,
        jobs=("finetune",),
        when=lambda job: job.method != "full",
        help=N_("How wide LoRA's matrices are: a higher rank can learn more and takes more memory."),
    )
    targets: str = choice(
        "all",
        {"all": N_("all linear layers"), "attention": N_("attention"), "qv": N_("queries and values")},
        N_("LoRA on"),
        group=_TRAINED,
        jobs=("finetune",),
        when=lambda job: job.method != "full",
        help=N_("The layers beside which LoRA puts its matrices: more of them can learn more and take more memory."),
    )
    adapter_dtype: str = choice(
        "fp32",
        {"fp32": "FP32", "bf16": "BF16"},
        N_("Adapter format"),
        group=_TRAINED,
        jobs=("finetune",),
        when=lambda job: job.method != "full",
        help=N_("The number format of LoRA's matrices: BF16 takes half the memory, FP32 is more exact."),
    )

    precision: str = choice(
        "bf16-mixed",
        {
            "fp32": "FP32",
            "amp": N_("Autocast on FP32 weights"),
            "bf16-mixed": N_("BF16 with FP32 master"),
            "bf16-fp32grad": N_("BF16 with FP32 master and gradients"),
            "bf16-pure": N_("BF16 alone"),
        },
        N_("Number formats"),
        group=_STATES,
        jobs=TRAINING,
        help=N_("The number formats of weights, gradients and optimizer state; where one is given by itself, that one counts."),
    )
    optimizer: str = choice(
        "adamw",
        {
            "sgd": "SGD",
            "momentum": N_("SGD with momentum"),
            "adamw": "AdamW",
            "adamw-8bit": N_("AdamW, 8 bits"),
            "adafactor": "Adafactor",
            "lion": "Lion",
            "muon": "Muon",
            "galore": "GaLore",
        },
        N_("Optimizer"),
        group=_STATES,
        jobs=TRAINING,
        help=N_("The rule that updates the weights: it decides how much is remembered about each of them."),
    )
    optimizer_step: str = choice(
        "fused",
        {"fused": N_("fused"), "foreach": N_("all at once")},
        N_("Optimizer step"),
        group=_STATES,
        jobs=TRAINING,
        help=N_("One fused kernel updates the weights without copies; foreach updates all tensors at once and needs a copy meanwhile."),
    )
    galore_rank: int = number(
        128,
        1,
        65_536,
        N_("GaLore rank"),
        group=_STATES,
        jobs=TRAINING,
        when=lambda job: job.optimizer == "galore",
        help=N_("How far GaLore narrows the gradients: a lower rank keeps less optimizer state."),
    )
    weights: str = choice(
        PRESET,
        {name: said for name, said in _DTYPE_WORDS.items() if name != "none"},
        N_("Weights"),
        group=_ONE_BY_ONE,
        jobs=TRAINING,
        help=N_("The number format of the weights that are trained, whatever the preset says."),
    )
    """Of the weights that are trained."""
    gradients: str = choice(
        PRESET,
        _DTYPE_WORDS,
        N_("Gradients"),
        group=_ONE_BY_ONE,
        jobs=TRAINING,
        when=lambda job: job.job == "train" or job.method == "full",
        help=N_("The number format of the gradients, whatever the preset says."),
    )
    master: str = choice(
        PRESET,
        _DTYPE_WORDS,
        N_("Master copy"),
        group=_ONE_BY_ONE,
        jobs=TRAINING,
        when=lambda job: job.job == "train" or job.method == "full",
        help=N_("The number format of the exact copy of the weights that the optimizer updates, whatever the preset says."),
    )
    optimizer_state: str = choice(
        PRESET,
        _DTYPE_WORDS,
        N_("Optimizer state"),
        group=_ONE_BY_ONE,
        jobs=TRAINING,
        help=N_("The number format of what the optimizer remembers about each weight, whatever the preset says."),
    )
    recompute: str = choice(
        "none",
        {"none": N_("nothing"), "selective": N_("attention core"), "full": N_("every layer")},
        N_("Recompute"),
        group=_STEP,
        jobs=TRAINING,
        help=N_("Activations that are dropped and computed again in the backward pass: less memory for more time."),
    )
    kernels: str = choice(
        "flash",
        {"eager": N_("plain"), "flash": "FlashAttention", "fused": N_("fused (Liger)"), "transformer-engine": "Transformer Engine"},
        N_("Kernels"),
        group=_STEP,
        jobs=TRAINING,
        help=N_("The GPU programs that run the layers: FlashAttention and fused ones keep fewer activations than plain ones."),
    )
    loss: str = choice(
        "plain",
        {"plain": N_("plain"), "fused": N_("fused"), "chunked": N_("in chunks")},
        N_("Loss"),
        group=_STEP,
        jobs=TRAINING,
        help=N_("How the loss is computed: fused or in chunks it never holds a score for every token of the vocabulary at once."),
    )
    loss_chunks: int = number(
        8,
        1,
        10_000,
        N_("Loss chunks"),
        group=_STEP,
        jobs=TRAINING,
        when=lambda job: job.loss == "chunked",
        help=N_("How many chunks the loss is computed in: more of them need less memory at a time."),
    )
    dropout: bool = flag(
        default=False,
        label=N_("Dropout"),
        group=_STEP,
        jobs=TRAINING,
        help=N_("Activations are dropped at random while training; which ones is kept in memory until the backward pass."),
    )
    zero: int = choice(
        0,
        {0: N_("none"), 1: N_("1: optimizer"), 2: N_("2: and gradients"), 3: N_("3: and weights")},
        N_("ZeRO sharding"),
        group=_SPLIT,
        jobs=TRAINING,
        help=N_("What data-parallel chips share instead of each keeping it: 1 the optimizer state, 2 gradients too, 3 weights too."),
    )
    tensor_parallel: int = number(
        1,
        1,
        65_536,
        N_("Tensor parallel"),
        group=_SPLIT,
        help=N_("Chips that share every matrix and wait for each other in every layer; in serving 1 takes as many as can share."),
    )
    """GPUs that share each layer; in serving 1 means all that can share the heads."""
    sequence_parallel: bool = flag(
        default=False,
        label=N_("Sequence parallel"),
        group=_SPLIT,
        jobs=TRAINING,
        when=lambda job: job.tensor_parallel > 1,
        help=N_("Share along the sequence those activations of which tensor parallelism gives every chip a copy."),
    )
    pipeline_parallel: int = number(
        1,
        1,
        10_000,
        N_("Pipeline parallel"),
        group=_SPLIT,
        help=N_("Stages that the layers are divided into, each on chips of its own: less memory for each, but they wait for each other."),
    )
    virtual_stages: int = number(
        1,
        1,
        10_000,
        N_("Virtual stages"),
        group=_SPLIT,
        jobs=TRAINING,
        help=N_("Slices of layers that each pipeline stage holds: with more of them stages wait less and send more."),
    )
    context_parallel: int = number(
        1,
        1,
        65_536,
        N_("Context parallel"),
        group=_SPLIT,
        jobs=TRAINING,
        help=N_("Chips that share each sequence, for contexts that are too long for one."),
    )
    expert_parallel: int = number(
        1,
        1,
        65_536,
        N_("Expert parallel"),
        group=_SPLIT,
        help=N_("Chips that share the experts; in training their number divides context x data parallel."),
    )
    stage: str = setting(
        "worst",
        _stage,
        N_("Pipeline stage"),
        more=_stages,
        group=_SPLIT,
        jobs=TRAINING,
        when=lambda job: job.pipeline_parallel > 1,
        help=N_("The pipeline stage whose memory you ask about: the first keeps the most activations, the last computes the loss."),
    )
    """Whose memory is asked about."""
    accumulation: int = number(
        1,
        1,
        1_000_000,
        N_("Gradient accumulation"),
        group=_HOST,
        jobs=TRAINING,
        when=lambda job: not job.sequences,
        help=N_("Micro-batches whose gradients are added up before each step: a larger step with no more activations."),
    )
    """Micro-batches of a step, where `sequences` does not say."""
    sequences: int = number(
        0,
        0,
        MAX_CHIPS,
        N_("Sequences a step, all chips"),
        group=_HOST,
        jobs=TRAINING,
        help=N_("Sequences of one training step on all chips together, shared by them as micro-batches; 0 goes by the accumulation."),
    )
    """Of one step on all chips together: micro-batches follow from it; 0: as `accumulation` says."""
    offload: str = choice(
        "none",
        {"none": N_("nothing"), "optimizer": N_("optimizer"), "parameters": N_("optimizer and weights")},
        N_("Offload to the host"),
        group=_HOST,
        jobs=TRAINING,
        help=N_("What is kept in the host's memory instead of the chip's: it frees memory, and crosses PCIe in every step."),
    )

    @property
    def serves(self) -> bool:
        """It writes tokens; otherwise it trains."""
        return self.job == "infer"


SETTINGS = settings.of(Job)
WHO = ("model", "config", "job", "batch", "context", "chip", "chips")
"""What every room asks about in the case bar, or itself."""


def changed(job: Job, /, **changes: Any) -> Job:
    """The job with other values; names that it has not are left out."""
    return replace(job, **{name: value for name, value in changes.items() if name in SETTINGS})


def alone(job: Job) -> Job:
    """The same job on one chip, shared with no other."""
    return replace(job, chips=1, tensor_parallel=1, pipeline_parallel=1, context_parallel=1, expert_parallel=1, replicas=0)


# ---------------------------------------------------------------- as text


def pack(job: Job) -> str:
    """A job as the query of its link: what differs from the defaults.

    >>> pack(Job(job="train", chips=8, zero=3))
    'job=train&chips=8&zero=3'
    """
    chosen = {name: one.format(value) for name, one in SETTINGS.items() if (value := getattr(job, name)) != one.default}
    return urlencode(chosen) or "job=infer"


def unpack(query: str, known: Mapping[str, settings.Setting] = SETTINGS) -> Job:
    """The job that `pack` wrote, read by `known` settings; raises InputError, a sentence, for anything else.

    >>> unpack("job=train&chips=8&zero=3").zero
    3
    """
    try:
        given = parse_qsl(query, strict_parsing=True, max_num_fields=80)
    except ValueError:
        raise InputError(N_("The link's configuration to compare with cannot be read: keep one again.")) from None
    found: dict[str, Any] = {}
    for name, value in given:
        if name not in known:
            raise InputError(N_("The link's configuration to compare with names “{name}”, which does not exist: keep one again."), name=name[:40])
        found[name] = known[name].parse(value)
    return Job(**found)


# ---------------------------------------------------------------- training


def world(of: Run) -> int:
    """How many GPUs a run takes: t·p·c·N_d."""
    return int(of.tensor_parallel * of.pipeline_parallel * of.context_parallel * of.data_parallel)


def training_run(job: Job) -> Run:
    """The run that a job describes: chips beyond its parallelism are data parallel ranks, `sequences` become micro-batches.

    >>> training_run(Job(job="train", chips=64, tensor_parallel=4, sequences=256)).accumulation
    16
    """
    names = [name for name in FIELDS if name in SETTINGS]
    chosen: dict[str, Any] = {name: None if (value := getattr(job, name)) == PRESET else value for name in names}
    chosen["method"] = job.method if job.job == "finetune" else "full"
    found = Run(micro_batch=job.batch, sequence=job.context, **chosen)
    if job.chips > world(found):
        found = on_gpus(found, job.chips)
    return of_step(found, job.sequences) if job.sequences else found


def sequences_of(job: Job) -> int:
    """Sequences of one training step on all chips."""
    found = training_run(job)
    return job.sequences or int(found.micro_batch * found.accumulation * found.data_parallel)


# ---------------------------------------------------------------- serving


def serving_options(job: Job, arch: Architecture) -> dict[str, Any]:
    """The job as arguments of `engine.memory.serve.infer`, split as `serving_split` says."""
    ranks = serving_split(job, arch)
    return {
        "batch": job.batch,
        "context": job.context,
        "weights": job.format,
        "kv": job.kv,
        "tensor_parallel": ranks["tensor_parallel"],
        "pipeline_parallel": ranks["pipeline_parallel"],
        "expert_parallel": ranks["expert_parallel"],
        "utilization": job.utilization / 100,
        "block": job.block,
        "prompt": job.prompt,
        "prefix": job.prefix,
        "encoder_context": job.encoder_context,
        "engine": job.engine,
        "chunk": job.chunk,
        "sparsity": None if job.sparsity == DENSE else job.sparsity,
        "graphs": job.graphs,
        "imatrix": job.imatrix and job.format.startswith(quantization.GGUF),
    }


def serving_split(job: Job, arch: Architecture) -> dict[str, int]:
    """How serving shares the job's chips (`serving_job.shared`): tensor, pipeline and expert ranks, and copies."""
    return shared(arch, job.chips, job.tensor_parallel, job.pipeline_parallel, job.expert_parallel, job.replicas)
