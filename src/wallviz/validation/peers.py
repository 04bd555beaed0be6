"""What other calculators say about the same training job, each by its own published formula: why tools disagree.

None of these is a target. Each is written anew from the formulas of its origin, keeps what they leave out, and says so. Every function takes
plain numbers and returns parts in bytes on one GPU; ``total`` is what the tool prints as its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wallviz.errors import InputError
from wallviz.i18n import N_

PARTS = (
    N_("weights"),
    N_("gradients"),
    N_("optimizer"),
    N_("weights and optimizer"),
    N_("model states"),
    N_("activations"),
    N_("communication"),
    N_("miscellaneous"),
    N_("overhead"),
    N_("step"),
    N_("total"),
)
"""The names of all parts, for the text catalogs."""


@dataclass(frozen=True, slots=True)
class PeerInputs:
    """One training job in the words that all calculators share."""

    parameters: float
    """All parameters of the model."""
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    """Width of a dense feed-forward layer."""
    vocab: int
    sequence: int
    """Tokens per sequence."""
    micro_batch: int = 1
    """Sequences at once on one GPU."""
    gated: bool = True
    """Three feed-forward matrices, not two."""
    tied: bool = False
    """The output head shares the embedding's weights."""
    rms_norm: bool = True
    """One vector per norm, not two."""
    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    """Data-parallel replicas."""
    expert: int = 1
    """Expert parallelism: it divides the data-parallel ranks."""
    virtual: int = 1
    """Model chunks per pipeline stage (interleaved schedule)."""
    sequence_parallel: bool = False
    zero: int = 0
    """ZeRO stage, 0 to 3."""
    recompute: str = "none"
    """none, selective or full."""
    precision: str = "bf16"
    """bf16 (mixed, 32-bit master weights) or fp32."""
    experts: int = 0
    """Routed experts of a layer, 0 in a dense model."""
    top_k: int = 0
    """Experts per token; no calculator here asks for it."""
    expert_ffn: int = 0
    """Width of one routed expert."""
    shared_ffn: int = 0
    """Width of the shared experts of a layer, together."""
    dense_layers: int = 0
    """Layers of a mixture of experts that have a dense feed-forward layer instead."""
    largest_layer: float = 0
    """Parameters of the largest module, the embedding as a rule; 0: vocabulary times hidden size."""
    gpus_per_node: int = 8

    @property
    def gpus(self) -> int:
        """All GPUs of the job."""
        return self.tensor * self.pipeline * self.data


# --------------------------------------------------------------------------------------------------- EleutherAI cookbook


def eleuther(
    *,
    layers: int,
    hidden_size: int,
    heads: int,
    sequence: int,
    micro_batch: int = 1,
    vocab: int = 51_200,
    ffn_ratio: float = 4.0,
    mlp_matrices: int = 2,
    kv_ratio: float = 1.0,
    gpus: int = 1,
    tensor: int = 1,
    pipeline: int = 1,
    zero: int = 1,
    checkpoint: bool = False,
    partition_activations: bool = False,
    experts: int = 0,
    expert: int = 1,
    low_bytes: int = 2,
    gradient_bytes: int = 4,
    bucket: float = 5e8,
    live_parameters: float = 1e9,
) -> dict[str, float]:
    """EleutherAI/cookbook, ``calc/calc_transformer_mem.py`` at commit 827ee3b, training; it prints GiB.

    Its printed example of a 20B model on one GPU is 362.45 GiB:

    >>> round(eleuther(layers=44, hidden_size=6144, heads=64, sequence=2048, checkpoint=True)["total"] / 2**30, 2)
    362.45
    """
    embedding = 2 * vocab * hidden_size + hidden_size * sequence
    norms = 8 * hidden_size * layers + 2 * hidden_size
    attention = 2 * (1 + kv_ratio) * layers * hidden_size**2
    mlp = mlp_matrices * layers * ffn_ratio * hidden_size**2
    local = embedding + norms + attention + mlp * (experts / expert if experts else 1)  # what one expert-parallel rank holds
    several = gpus > 1
    parts = {
        "weights": local * low_bytes / (tensor * pipeline) / (gpus if zero == 3 else 1),
        "gradients": local * gradient_bytes / (gpus if zero >= 2 else 1),
        "optimizer": local * 12 / (gpus if zero >= 1 else 1),
        "activations": sequence
        * micro_batch
        * hidden_size
        * layers
        * (16 * low_bytes + 2 + (0 if checkpoint else (2 * low_bytes + 1) * heads * sequence / hidden_size))
        / (tensor if partition_activations else 1),
        "communication": low_bytes * (bucket * (several and zero >= 1) + live_parameters * (several and zero == 3)),
        "miscellaneous": 0.0,
    }
    return parts | {"total": sum(parts.values())}


# -------------------------------------------------------------------------------------------------------------- DeepSpeed


def deepspeed_zero2(
    *, parameters: float, gpus_per_node: int = 1, nodes: int = 1, offload: str = "none", buffer_factor: float = 1.5, documented: bool = False
) -> dict[str, float]:
    """DeepSpeed, ``estimate_zero2_model_states_mem_needs`` at commit edaa722; it prints GB and means 2**30 bytes.

    `documented` takes the formula before pull request 5099, 4P + 16P/N, which still stands in the documents. For 2,851 million parameters
    on eight GPUs the code says 11.28 and the documents 15.93:

    >>> [round(deepspeed_zero2(parameters=2851e6, gpus_per_node=8, documented=old)["total"] / 2**30, 2) for old in (False, True)]
    [11.28, 15.93]
    """
    gpus = gpus_per_node * nodes
    if offload == "none":
        gpu = 4 * parameters + 16 * parameters / gpus if documented else 2 * parameters + 18 * parameters / gpus
        cpu = 4 * parameters * gpus_per_node * buffer_factor
    else:
        gpu = 2 * parameters
        cpu = parameters * max(4 * gpus, 16) * buffer_factor
    return {"model states": gpu, "total": gpu, "cpu": cpu}


def deepspeed_zero3(
    *,
    parameters: float,
    largest_layer: float,
    gpus_per_node: int = 1,
    nodes: int = 1,
    offload: str = "none",
    zero_init: bool = True,
    buffer_factor: float = 1.5,
) -> dict[str, float]:
    """DeepSpeed, ``estimate_zero3_model_states_mem_needs`` at commit edaa722; it prints GB and means 2**30 bytes.

    `offload` is none, optimizer or all (parameters too). Issue 4527 prints 29.01, 3.66 and 0.49 for 6,805 million parameters on four GPUs:

    >>> offloads = ("none", "optimizer", "all")
    >>> [
    ...     round(deepspeed_zero3(parameters=6805e6, largest_layer=131072000, gpus_per_node=4, offload=o)["total"] / 2**30, 2)
    ...     for o in offloads
    ... ]
    [29.01, 3.66, 0.49]
    """
    gpu_bytes, cpu_bytes = {"none": (18, 0), "optimizer": (2, 16), "all": (0, 18)}[offload]
    gpu = 4 * largest_layer + gpu_bytes * parameters / (gpus_per_node * nodes)
    if offload == "none":
        cpu = 4 * (largest_layer if zero_init else parameters) * gpus_per_node * buffer_factor
    else:
        cpu = parameters * max(cpu_bytes / nodes, 0 if zero_init else 4 * gpus_per_node) * buffer_factor
    return {"model states": gpu, "total": gpu, "cpu": cpu}


# ------------------------------------------------------------------------------------------------------------ Megatron-LM


def megatron(
    *,
    layers: int,
    hidden_size: int,
    heads: int,
    kv_heads: int,
    ffn: int,
    vocab: int,
    sequence: int,
    micro_batch: int = 1,
    head_dim: int | None = None,
    gated: bool = False,
    rms_norm: bool = False,
    tied: bool = True,
    tensor: int = 1,
    pipeline: int = 1,
    virtual: int | None = None,
    data: int = 1,
    expert: int = 1,
    experts: int = 0,
    expert_ffn: int = 0,
    shared_ffn: int = 0,
    dense_layers: int = 0,
    distributed_optimizer: bool = False,
    sequence_parallel: bool = True,
    selective: bool = True,
) -> dict[str, float]:
    """Megatron-LM, ``theoretical_memory_usage.py`` at commit d98e8a6; it prints MB and means 2**20 bytes.

    Weights, gradients and optimizer: 18 bytes a parameter, or 6 + 12/d with the distributed optimizer. Norms and routers are kept whole on
    every tensor-parallel rank, routed experts are divided by tensor times expert parallelism and sharded over the ranks left (pull request
    4687). Activations follow table 2 of arXiv 2205.05198 with 18 + 4f/h bytes; without sequence parallelism and selective recomputation it
    takes 10 + 24/t and five percent. The 22B model of that paper, by its own report:

    >>> m = megatron(layers=48, hidden_size=6144, heads=64, kv_heads=64, ffn=24576, vocab=51200, sequence=2048, micro_batch=4, tensor=8)
    >>> [round(m[part] / 2**20) for part in ("weights and optimizer", "activations", "total")]
    [47351, 10022, 57373]
    """
    norm, matrices = (1 if rms_norm else 2), (3 if gated else 2)
    attention = 2 * hidden_size * heads * (head_dim or hidden_size / heads) * (1 + kv_heads / heads)
    moe_layers = layers - dense_layers if experts else 0
    split = layers * attention + (layers - moe_layers) * matrices * hidden_size * ffn + moe_layers * matrices * hidden_size * shared_ffn
    whole = layers * 2 * norm * hidden_size + norm * hidden_size + moe_layers * hidden_size * experts
    routed = moe_layers * experts * matrices * hidden_size * expert_ffn
    tables = vocab * hidden_size * (1 if tied or pipeline > 1 else 2)  # the fullest stage is the first
    expert_ranks = tensor * expert
    states = (split / pipeline + tables) / tensor + whole / pipeline
    replicas = data / expert  # what experts are sharded over
    bytes_dense, bytes_routed = (6 + 12 / data, 6 + 12 / replicas) if distributed_optimizer else (18, 18)
    weights = states * bytes_dense + routed / pipeline / expert_ranks * bytes_routed

    tokens = sequence * micro_batch
    embedding = 8 * tokens * pipeline + tokens * hidden_size * pipeline  # ids, dropout; one micro-batch in flight per stage
    if sequence_parallel and selective:
        activations = tokens * hidden_size * (18 + 4 * ffn / hidden_size) * layers + embedding
        head, slices, margin = 4.0 * tokens * (hidden_size + vocab), tensor, 1.0
    else:
        activations = tokens * hidden_size * (10 + 24 / tensor) * layers + embedding
        head, slices, margin = 2.0 * tokens * (hidden_size + vocab / tensor), 1, 1.05
    activations *= 1 + (pipeline - 1) / (pipeline * virtual) if virtual else 1
    activations = (activations + (head if pipeline == 1 else 0)) / slices * margin
    return {"weights and optimizer": weights, "activations": activations, "total": weights + activations}


# ------------------------------------------------------------------------------------- accelerate, a rule of thumb


def accelerate(*, parameters: float, precision: str = "float32") -> dict[str, float]:
    """Hugging Face accelerate, ``estimate_training_usage`` at commit 16cb6eb: Adam at batch 1; it prints GB and means 2**30 bytes.

    Its answer is the largest of its parts, which in 32 bits is the step (four times the weights) and in 16 bits the optimizer (twice the
    32-bit weights, 8 bytes a parameter). BERT base, 108,310,272 parameters, prints 1.61 GB and 826.36 MB:

    >>> round(accelerate(parameters=108310272)["total"] / 2**30, 2), round(accelerate(parameters=108310272, precision="float16")["total"] / 2**20)
    (1.61, 826)
    """
    whole = 4 * parameters
    mixed = precision != "float32"
    parts = {
        "weights": whole,
        "gradients": whole * (1.5 if mixed else 1),
        "optimizer": 2 * whole,
        "step": whole * (2 if mixed else 4),
    }
    return parts | {"total": max(parts.values())}


def rule_of_thumb(*, parameters: float, bytes_per_parameter: float = 16, gpus: int = 1) -> dict[str, float]:
    """Parameters times bytes and a flat twenty percent, shared evenly: Transformer Math 101 says 1.2 for inference, others say it for training.

    >>> round(rule_of_thumb(parameters=7e9)["total"] / 1e9, 1)
    134.4
    """
    states = parameters * bytes_per_parameter / gpus
    return {"model states": states, "overhead": 0.2 * states, "total": 1.2 * states}


# ------------------------------------------------------------------------------------------------------ one job, all tools


@dataclass(frozen=True, slots=True)
class Peer:
    """One other calculator."""

    id: str
    """Unique slug."""
    name: str
    """Name of the tool."""
    producer: str
    """Who made it."""
    leaves_out: str
    """What it does not count, or counts wrongly; marked for translation."""
    source: str
    """Source ids, separated by ``;``."""
    printed_unit: str
    """The unit that it prints, as it prints it."""
    unit_bytes: int
    """What one of that unit is."""
    answer: Callable[[PeerInputs], dict[str, float]]
    """Its formula on a training job."""

    def estimate(self, inputs: PeerInputs) -> Mapping[str, float]:
        """Parts in bytes on one GPU; empty where the tool has no answer for such a job."""
        if inputs.zero not in (0, 1, 2, 3):
            raise InputError(N_("there is no ZeRO stage {stage}: use 0, 1, 2 or 3"), stage=inputs.zero)
        if inputs.recompute not in ("none", "selective", "full"):
            raise InputError(N_("recomputation is none, selective or full, not {value}"), value=inputs.recompute)
        return self.answer(inputs)


def _eleuther(job: PeerInputs) -> dict[str, float]:
    return eleuther(
        layers=job.layers,
        hidden_size=job.hidden_size,
        heads=job.heads,
        sequence=job.sequence,
        micro_batch=job.micro_batch,
        vocab=job.vocab,
        ffn_ratio=(job.expert_ffn if job.experts else job.ffn) / job.hidden_size,
        mlp_matrices=3 if job.gated else 2,
        kv_ratio=job.kv_heads / job.heads,
        gpus=job.gpus,
        tensor=job.tensor,
        pipeline=job.pipeline,
        zero=job.zero,
        checkpoint=job.recompute != "none",
        partition_activations=job.sequence_parallel,
        experts=job.experts,
        expert=job.expert,
        low_bytes=2 if job.precision == "bf16" else 4,
    )


def _deepspeed(job: PeerInputs) -> dict[str, float]:
    nodes = 1 if job.gpus % job.gpus_per_node else job.gpus // job.gpus_per_node
    each = job.gpus // nodes
    if job.zero == 2:
        return deepspeed_zero2(parameters=job.parameters, gpus_per_node=each, nodes=nodes)
    if job.zero == 3:
        largest = job.largest_layer or job.vocab * job.hidden_size
        return deepspeed_zero3(parameters=job.parameters, largest_layer=largest, gpus_per_node=each, nodes=nodes)
    return {}


def _megatron(job: PeerInputs) -> dict[str, float]:
    if job.zero > 1:  # its distributed optimizer is stage 1
        return {}
    return megatron(
        layers=job.layers,
        hidden_size=job.hidden_size,
        heads=job.heads,
        kv_heads=job.kv_heads,
        head_dim=job.head_dim,
        ffn=job.ffn,
        vocab=job.vocab,
        sequence=job.sequence,
        micro_batch=job.micro_batch,
        gated=job.gated,
        rms_norm=job.rms_norm,
        tied=job.tied,
        tensor=job.tensor,
        pipeline=job.pipeline,
        virtual=job.virtual if job.virtual > 1 else None,
        data=job.data,
        expert=job.expert,
        experts=job.experts,
        expert_ffn=job.expert_ffn,
        shared_ffn=job.shared_ffn,
        dense_layers=job.dense_layers,
        distributed_optimizer=job.zero == 1,
        sequence_parallel=job.sequence_parallel,
        selective=job.recompute == "selective",
    )


PEERS: tuple[Peer, ...] = (
    Peer(
        "eleuther",
        "calc_transformer_mem.py",
        "EleutherAI",
        N_(
            "No flash attention: the attention matrix is counted in full unless checkpointing is on. "
            "Gradients are not divided by tensor or pipeline parallelism, and ZeRO divides by all GPUs."
        ),
        "eleuther_cookbook",
        "GiB",
        2**30,
        _eleuther,
    ),
    Peer(
        "deepspeed",
        "estimate_zero_model_states_mem_needs",
        "Microsoft",
        N_("Model states alone, for ZeRO 2 and 3: no activations and no buffers. All GPUs are taken for data-parallel ones."),
        "deepspeed",
        "GB",
        2**30,
        _deepspeed,
    ),
    Peer(
        "megatron",
        "theoretical_memory_usage.py",
        "NVIDIA",
        N_(
            "Activations as of a GPT with dropout: gated layers, grouped-query attention and experts do not enter them. "
            "No logits once there is a pipeline, no buffers, no ZeRO 2 and 3."
        ),
        "megatron_lm",
        "MB",
        2**20,
        _megatron,
    ),
    Peer(
        "accelerate",
        "accelerate estimate-memory",
        "Hugging Face",
        N_("No activations and no parallelism. It prints the largest of its parts, which in 16 bits is half of what Adam keeps."),
        "accelerate",
        "GB",
        2**30,
        lambda job: accelerate(parameters=job.parameters, precision="float32" if job.precision == "fp32" else "float16"),
    ),
    Peer(
        "rule-of-thumb",
        N_("16 bytes a parameter and 20%"),
        N_("many web pages"),
        N_("A flat share in place of activations: they do not follow the parameters but tokens, layers and kernels."),
        "transformer_math_2023",
        "GB",
        10**9,
        lambda job: rule_of_thumb(parameters=job.parameters, gpus=job.gpus),
    ),
)
"""All calculators shown, in the order of the page."""


def estimates(inputs: PeerInputs) -> dict[str, Mapping[str, float]]:
    """What every calculator says about one job, by its id; those without an answer are left out."""
    return {peer.id: parts for peer in PEERS if (parts := peer.estimate(inputs))}
