"""Predicted against published: every case of ``data/scaling_cases.csv`` that a formula or the model answers for, and by how much it misses.

Nothing is fitted to these rows except the two numbers of each alpha-beta pair, whose misses are printed. Runs are predicted with one efficiency
of matrix products and one of the bandwidth (`scaleout.chip`), one of links (`fabric.LINK_EFFICIENCY`), "partial" overlap, micro-batches of one
sequence where the row names none, and adapters of 200 Gbit/s for each A100 and 400 for each H100, as in NVIDIA's machines of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from wallviz import catalog
from wallviz.catalog import HardwareCase
from wallviz.engine.memory.run import Run
from wallviz.engine.scaleout import alpha_beta, collectives, critical, scaling_laws, volumes
from wallviz.engine.scaleout.alpha_beta import AlphaBeta
from wallviz.engine.scaleout.decode import decode
from wallviz.engine.scaleout.fabric import PER_NODE, Fabric, inside_bytes_per_s
from wallviz.engine.scaleout.step import TrainingStep, step
from wallviz.engine.transformer import Architecture, architecture
from wallviz.i18n import N_
from wallviz.validation import korthikanti, megatron, zero

Inputs = Mapping[str, Any]
A100, H100 = "a100-sxm4-80gb", "h100-sxm5"
ACROSS = {A100: 25e9, H100: 50e9}

#: Table 3 of Korthikanti et al. 2022: heads, hidden size, layers, tensor and pipeline ranks, chunks, micro-batch, global batch.
KORTHIKANTI: dict[str, tuple[int, int, int, int, int, int, int, int]] = {
    "22B": (64, 6144, 48, 8, 1, 1, 4, 4),
    "175B": (96, 12288, 96, 8, 8, 3, 1, 64),
    "530B": (128, 20480, 105, 8, 35, 3, 1, 280),
    "1T": (160, 25600, 128, 8, 64, 1, 1, 512),
}
_TECHNIQUES = {
    "none": "tensor",
    "sequence parallel": "sequence",
    "selective": "selective",
    "seq+selective": "sequence+selective",
    "full": "full",
}
_STAGES = {"baseline DP": 0, "P_os": 1, "P_os+g": 2, "P_os+g+p": 3, "ZeRO-1/2": 2, "ZeRO-3": 3}


@cache
def gpt(layers: int, hidden: int, heads: int, vocab: int = 51200, sequence: int = 2048) -> Architecture:
    """A GPT of these numbers, as Megatron builds it."""
    return architecture(
        {"model_type": "gpt2", "n_layer": layers, "n_embd": hidden, "n_head": heads, "vocab_size": vocab, "n_positions": sequence},
        name="GPT",
    )


@cache
def fabric(chip: str) -> Fabric:
    """Eight GPUs of `chip` in a node, wired as NVIDIA sold them."""
    return Fabric(inside_bytes_per_s(catalog.chips()[chip]), ACROSS[chip])


def _run(arch: Architecture, chip: str, batch: int, **fields: Any) -> TrainingStep:
    return step(arch, Run(**fields), catalog.chips()[chip], fabric(chip), overlap="partial", global_batch=batch)


def _rate(found: TrainingStep) -> float:
    """FLOP/s per GPU, recomputed work included: what these papers count."""
    return float(found.flop / found.step_s)


def _weak(i: Inputs) -> TrainingStep:
    t, p = i["tensor_parallel"], i["pipeline_parallel"]
    arch = gpt(i["layers"], i["hidden_size"], i["heads"], i["vocabulary"], i["sequence_length"])
    split = {"tensor_parallel": t, "pipeline_parallel": p, "data_parallel": i["gpus"] // (t * p)}
    return _run(arch, A100, i["batch"], sequence=i["sequence_length"], recompute="full", **split)


def _strong(i: Inputs) -> TrainingStep:
    arch = gpt(96, 12288, 96) if i["parameters"] < 200e9 else gpt(105, 20480, 128)
    tensor = 8 if i["model_parallel"] > 1 else 1
    split = {"tensor_parallel": tensor, "pipeline_parallel": i["model_parallel"] // tensor, "data_parallel": i["gpus"] // i["model_parallel"]}
    zero_stage = 3 if i["scheme"] == "ZeRO-3" else 0
    return _run(arch, A100, i["batch"], sequence=2048, micro_batch=i["micro_batch"], zero=zero_stage, recompute="full", **split)


def _llama(i: Inputs) -> TrainingStep | None:
    """Llama 3 405B: the first and the last stage hold a layer less, so 128 layers are counted; one layer a chunk is assumed."""
    if i["model"] != "Llama-3-405B":
        return None
    arch, p = catalog.architecture("llama-3.1-405b"), i["pipeline_parallel"]
    arch = replace(arch, layers=(*arch.layers, *arch.layers[: -len(arch.layers) % p]))
    split = {name: i[name] for name in ("tensor_parallel", "context_parallel", "pipeline_parallel", "data_parallel")}
    chunks = len(arch.layers) // p
    batch = i["data_parallel"] * i["batch_per_replica"]
    return _run(arch, H100, batch, sequence=i["sequence_length"], sequence_parallel=True, virtual_stages=chunks, zero=1, **split)


def _iteration(i: Inputs) -> float | None:
    if i["model"] == "MT-NLG 530B":
        split = {"tensor_parallel": 8, "pipeline_parallel": 35, "data_parallel": i["gpus"] // (8 * 35)}
        return float(_run(gpt(105, 20480, 128), A100, i["batch"], sequence=2048, recompute="full", **split).step_s)
    heads, hidden, layers, t, p, v, b, batch = KORTHIKANTI[i["model"]]
    split = {"tensor_parallel": t, "pipeline_parallel": p, "virtual_stages": v}
    kept = "selective" if i["recompute"].startswith("selective") else "full"
    shared = "sequence parallel" in i["recompute"]
    found = _run(gpt(layers, hidden, heads), A100, batch, sequence=2048, micro_batch=b, recompute=kept, sequence_parallel=shared, **split)
    return float(found.step_s)


def _activation_share(i: Inputs) -> float:
    heads, hidden, _layers, t, *_rest = KORTHIKANTI[i["model"]]
    return float(korthikanti.share_of_tensor_parallel(_TECHNIQUES[i["technique"]], heads, 2048, hidden, t))


def _activations(i: Inputs) -> float:
    heads, hidden, layers, t, p, v, b, _batch = KORTHIKANTI[i["model"]]
    return float(korthikanti.stage_bytes(_TECHNIQUES[i["technique"]], layers, heads, 2048, hidden, b, t, p, v))


def _states(i: Inputs) -> float:
    _heads, hidden, layers, t, p, *_rest = KORTHIKANTI[i["model"]]
    return float(korthikanti.shard_state_bytes(layers, hidden, t, p))


#: Tokens behind the one that gpt-fast writes: a prompt of a few words and 200 tokens of answer, 100 on average.
SHORT_CONTEXT = 100


def _decode(i: Inputs) -> float:
    arch = catalog.architecture({"Llama-2-7B": "llama-2-7b", "Llama-2-70B": "llama-2-70b"}[i["model"]])
    found = decode(arch, catalog.chips()[A100], fabric(A100), tensor_parallel=i["tensor_parallel"], batch=i["batch"], context=SHORT_CONTEXT)
    return float(found.tokens_per_s)


def _all_gather(i: Inputs) -> float:
    if "system" in i:
        return float(collectives.time_s("all-gather", i["message_bytes"], i["gpus"], i["link_bytes_per_s"]))
    link = i.get("link_bytes_per_s_bidir", V5E_BYTES_PER_S_BIDIR) / 2
    return float(
        collectives.torus_all_gather_s(i["message_bytes"], i["axis_chips"], link, i.get("latency_s", 0.0), wraparound=i.get("wraparound", True))
    )


def _first_hops(i: Inputs) -> float:
    return float(collectives.torus_all_gather_s(i["message_bytes"], i["axis_chips"], V5E_BYTES_PER_S_BIDIR / 2, i["latency_s"], wraparound=False))


def _data_parallel_batch(i: Inputs) -> float:
    link = H100_INSIDE if i.get("scope") == "in node" else H100_OUTSIDE
    return float(critical.tokens_per_chip(H100_FLOP_PER_S, link, 1.0, i.get("experts", 1), i.get("experts_per_token", 1)))


def _time_of_300e9_tokens(i: Inputs) -> float | None:
    """Equation 4 at the rate that the same row of the table prints; None where the row that prints it is not there."""
    rows = catalog.scaling_cases().values()
    rate = next((row.expected for row in rows if row.case == "strong_scaling_rate_per_gpu" and dict(row.inputs) == dict(i)), None)
    return None if rate is None else float(megatron.training_s(i["parameters"], 300e9, i["gpus"], rate))


def _share(found: TrainingStep | None) -> float | None:
    return None if found is None else _rate(found) / found.peak_flop_per_s


#: Rates as The Scaling Book rounds them: a v5e link both ways; v5p per chip, per axis both ways, its pod and that pod's data-centre network; H100.
V5E_BYTES_PER_S_BIDIR = 90e9
V5P_FLOP_PER_S, V5P_AXIS_BYTES_PER_S, V5P_POD_FLOP_PER_S, V5P_POD_BYTES_PER_S = 4.59e14, 1.8e11, 3.8e18, 5e13
H100_FLOP_PER_S, H100_INSIDE, H100_OUTSIDE = 990e12, 450e9, 400e9

#: From the quantity of a case to its prediction, in base units; None where the row does not say enough.
PREDICTED: Mapping[str, Callable[[Inputs], float | None]] = {
    "busbw_factor": lambda i: float(collectives.bus_factor(i["collective"], i["gpus"])),
    # the source counts 2 S, what two binary trees send, where a ring of eight sends 1.75 S
    "allreduce_time_ddp": lambda i: float(
        collectives.time_s("double-tree", i["parameters"] * i["gradient_bytes_per_parameter"], i["gpus"], i["link_bytes_per_s"])
    ),
    "step_time": lambda i: float(megatron.training_s(i["parameters"], i["batch"] * i["sequence_length"], i["gpus"], i["mfu"] * 312e12)),
    "allgather_time": _all_gather,
    "allgather_time_latency_bound": _first_hops,
    "p2p_time": lambda i: float(collectives.torus_point_to_point_s(i["message_bytes"], i["ports"], i["hops"], V5E_BYTES_PER_S_BIDIR / 2)),
    "fsdp_critical_batch_per_chip": lambda i: float(critical.tokens_per_chip(V5P_FLOP_PER_S, V5P_AXIS_BYTES_PER_S, i["mesh_axes"])),
    "dcn_critical_batch_per_pod": lambda i: float(critical.tokens_per_chip(V5P_POD_FLOP_PER_S, V5P_POD_BYTES_PER_S)),
    "dp_critical_batch_per_gpu": _data_parallel_batch,
    "tensor_parallel_limit": lambda i: float(critical.tensor_parallel_limit(i["intermediate_size"], H100_FLOP_PER_S, H100_OUTSIDE)),
    "optimal_fsdp_ways": lambda i: float(critical.optimal_sharding(i["batch_tokens"], i["gpus"], i["intermediate_size"])),
    "parameter_count": lambda i: float(megatron.parameters(i["layers"], i["hidden_size"], i["vocabulary"], i["sequence_length"])),
    "training_time": lambda i: float(megatron.training_s(i["parameters"], i["tokens"], i["gpus"], i["flop_per_s"])),
    "time_for_300e9_tokens": _time_of_300e9_tokens,
    "zero_states_per_gpu": lambda i: float(
        zero.model_state_bytes(i["parameters"], i["data_parallel"], _STAGES[i["stage"]], i["optimizer_bytes_per_parameter"])
    ),
    "zero_communication": lambda i: float(volumes.zero_elements_per_parameter(_STAGES[i["stage"]])),
    "pipeline_bubble": lambda i: float(volumes.bubble_fraction(i["pipeline_parallel"], i["micro_batches"], i["virtual_stages"])),
    "critical_batch_exponent": lambda i: scaling_laws.KAPLAN_ALPHA_B,
    "activation_share": _activation_share,
    "activations_per_gpu": _activations,
    "states_per_gpu": _states,
    "weak_scaling_rate_per_gpu": lambda i: _rate(_weak(i)),
    "weak_scaling_share_of_peak": lambda i: _share(_weak(i)),
    "weak_scaling_rate": lambda i: _rate(_weak(i)) * i["gpus"],
    "strong_scaling_rate_per_gpu": lambda i: _rate(_strong(i)),
    "mfu": lambda i: _share(_llama(i)),
    "rate_per_gpu": lambda i: None if (found := _llama(i)) is None else _rate(found),
    "iteration_time": _iteration,
    "tensor_parallel_decode_rate": _decode,
}

#: Cases that the model of a step predicts, as against formulas, which have to agree.
MODELLED: Mapping[str, str] = {
    "weak_scaling_rate_per_gpu": N_("Megatron, model and GPUs grow"),
    "weak_scaling_share_of_peak": N_("Megatron, model and GPUs grow"),
    "weak_scaling_rate": N_("Megatron, model and GPUs grow"),
    "strong_scaling_rate_per_gpu": N_("Megatron, the same model on more GPUs"),
    "mfu": N_("Llama 3 405B"),
    "rate_per_gpu": N_("Llama 3 405B"),
    "iteration_time": N_("Time of a step"),
    "tensor_parallel_decode_rate": N_("Decoding over GPUs"),
}


@dataclass(frozen=True, slots=True)
class ScalingPrediction:
    """One published number beside its prediction."""

    row: HardwareCase
    predicted: float

    @property
    def miss(self) -> float:
        """Predicted over published, less one."""
        return self.row.error(self.predicted)


@cache
def compared() -> tuple[ScalingPrediction, ...]:
    """Every case with a prediction, in the order of the file."""
    found = []
    for row in catalog.scaling_cases().values():
        predict = PREDICTED.get(row.case)
        predicted = predict(row.inputs) if predict else None
        if predicted is not None:
            found.append(ScalingPrediction(row, predicted))
    return tuple(found)


@cache
def modelled() -> tuple[ScalingPrediction, ...]:
    """Those that the model of a step predicts."""
    return tuple(one for one in compared() if one.row.case in MODELLED)


#: Which of the numbers that tell of one run is kept: its rate per GPU, its share of the peak, its rate in all.
_PREFERRED = (
    "weak_scaling_rate_per_gpu", "strong_scaling_rate_per_gpu", "rate_per_gpu", "iteration_time", "tensor_parallel_decode_rate",
    "weak_scaling_share_of_peak", "mfu", "weak_scaling_rate",
)  # fmt: skip


@cache
def runs() -> tuple[ScalingPrediction, ...]:
    """`modelled`, one number for each run: several rows of the file may say the same run in different units."""
    kept: dict[object, ScalingPrediction] = {}
    for one in sorted(modelled(), key=lambda found: _PREFERRED.index(found.row.case)):
        kept.setdefault((MODELLED[one.row.case], *sorted((k, str(v)) for k, v in one.row.inputs.items())), one)
    return tuple(kept.values())


#: Sweeps of one machine, by what the rows call it and its GPUs: its short name.
SWEEPS: Mapping[tuple[str, int], str] = {
    ("8x A100 NVLink3", 8): "8 × A100",
    ("8x H200 NVLink4, SHARP on (NVLS >=2 MiB)", 8): "8 × H200, SHARP",
    ("4x A100 NVLink3 (NCCL)", 4): "4 × A100",
    ("DGX H100", 2): "2 × H100",
    ("DGX H100", 4): "4 × H100",
    ("DGX H100", 8): "8 × H100",
}


@cache
def sweeps() -> Mapping[str, AlphaBeta]:
    """All-reduce sweeps by machine, each with the pair fitted to it; a time counts before the bandwidth printed for the same size."""
    points: dict[tuple[str, int], dict[float, float]] = {}
    for quantity in ("allreduce_busbw", "allreduce_time"):
        for row in catalog.scaling_cases().values():
            if row.case != quantity or "message_bytes" not in row.inputs:
                continue
            machine = _machine(row.inputs)
            if machine is None:
                continue
            size = float(row.inputs["message_bytes"])
            at = row.expected if quantity == "allreduce_time" else collectives.seconds_of_bus("AllReduce", size, machine[1], row.expected)
            points.setdefault(machine, {})[size] = float(at)
    found = {}
    for machine, pairs in points.items():
        if len(pairs) >= 3:
            sizes = sorted(pairs)
            found[machine[0]] = alpha_beta.fit(sizes, [pairs[size] for size in sizes], machine[1])
    return found


def _machine(i: Inputs) -> tuple[str, int] | None:
    """Short name of a machine and its GPUs; None where the row is of no sweep."""
    if "nodes" in i:  # a sweep whose source does not name its hardware: eight GPUs in each node are assumed
        return f"{i['nodes']} × {PER_NODE} GPUs", i["nodes"] * PER_NODE
    key = (str(i.get("system", "")), int(i.get("gpus", 0)))
    return (SWEEPS[key], key[1]) if key in SWEEPS else None
