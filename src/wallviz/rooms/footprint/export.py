"""What the reader takes away: every number of the page as JSON, its tables as CSV, and the start of a configuration file that runs it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from wallviz import __version__, units
from wallviz.engine.advice import record as advised
from wallviz.engine.advice.search import Fix
from wallviz.engine.memory import record
from wallviz.engine.memory.peak import Training
from wallviz.engine.memory.run import Run
from wallviz.engine.memory.serve import Serving
from wallviz.errors import InputError
from wallviz.job import Job, serving_split, world
from wallviz.rooms.advice import changes, fixes
from wallviz.rooms.footprint import certainty
from wallviz.rooms.footprint.choices import View
from wallviz.rooms.footprint.need import Estimate, Map, estimate, largest_batch, layout_map, work_map
from wallviz.rooms.job import unpack


def document(case: Job, view: View, sentence: str) -> str:
    """Everything that the page shows as JSON, bytes as numbers; an input that cannot run gives its sentence alone."""
    from wallviz.rooms.footprint import answer, compared, miss, terms

    page = answer(case, view)
    found: dict[str, Any] = {"wallviz": __version__, "case": asdict(case), "view": asdict(view), "sentence": sentence}
    found["figure"] = {"shows": view.show, "badge": page.sure, "caption": page.caption, "rows": list(page.table), "problems": list(page.problems)}
    try:
        now = estimate(case)
    except InputError as error:
        return _json(found | {"error": str(error)})
    found |= {
        "model": record.model(now.arch),
        "chip": {"id": now.chip.id, "name": now.chip.name, "memory_bytes": now.capacity_bytes},
        "gpus": now.gpus,
        "gpus_of_parallelism": world(now.result.run) if isinstance(now.result, Training) else now.gpus // serving_split(case, now.arch)["replicas"],
        "per_gpu": {
            "parts_shown_bytes": now.parts,
            "error_band": now.band,
            "runs_out_of_memory": now.verdict,
            **(record.training(now.result) if isinstance(now.result, Training) else record.serving(now.result) | _pool(now.result)),
        },
        "in_both_units": {name: _both(size) for name, size in _amounts(now).items()},
        "terms": list(terms(case, view)),
        "over_time": now.phases or {str(n): held for n, held in now.at_contexts().items()},
        "largest_batch": largest_batch(now) or None,
        "fixes": [_fix(fix, now) for fix in fixes(case)],
        "maps": [_map(work_map(now)), _map(layout_map(now))],
        "compared": list(compared(case, view)),
    }
    if found["compared"]:
        kept = estimate(unpack(view.against))
        found["kept_in_both_units"] = {name: _both(size) for name, size in _amounts(kept).items()}
    if view.reported is not None:
        predicted, reported = certainty.predicted_bytes(now, view.meter), view.reported * certainty.MIB
        found["reported"] = {
            "meter": view.meter,
            "reported_bytes": reported,
            "predicted_bytes": predicted,
            "relative_error": predicted / reported - 1,
            "sentence": miss(case, view),
        }
    return _json(found)


def _json(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False)  # not orjson: bytes may be more than 64 bits


def _amounts(now: Estimate) -> dict[str, float | None]:
    """Every amount that the page says of the case, bytes; None where it does not apply."""
    holds, needs, result = now.capacity_bytes, now.total_bytes, now.result
    found = {
        "in_all": needs,
        "give_or_take": needs * now.band,
        "at_least": needs * (1 - now.band),
        "at_most": needs * (1 + now.band),
        "chip": holds,
        "to_spare": None if holds is None else holds - needs,
    }
    if isinstance(result, Training):
        found |= {
            "max_memory_allocated": float(result.peak_allocated_bytes),
            "max_memory_reserved": float(result.peak_reserved_bytes),
            "host_memory": float(result.host_bytes),
            "checkpoint": float(result.checkpoint_bytes),
        }
    else:
        found |= {"kv_cache_per_token": result.kv_bytes_per_token, "kv_cache_pool": _pool(result)["pool_bytes"]}
    return found | {f"part {name}": size for name, size in now.parts.items()}


def _both(size: float | None) -> dict[str, float] | None:
    return None if size is None else {"bytes": size, "GiB": size / units.GIB, "GB": size / units.GB}


def _pool(result: Serving) -> dict[str, Any]:
    return {"pool_bytes": None if result.pool_bytes is None else float(np.max(result.pool_bytes))}


def _fix(fix: Fix, now: Estimate) -> dict[str, Any]:
    return advised.one(fix) | {"job": changes(now.case, fix), "parts_bytes": dict(fix.parts), "total_bytes": fix.bytes}


def _map(grid: Map) -> dict[str, Any]:
    return {
        "columns": {grid.column: list(grid.columns)},
        "rows": {grid.row: list(grid.rows)},
        "bytes": [[float(v) if np.isfinite(v) else None for v in row] for row in grid.bytes],
        "GiB": [[float(v) / units.GIB if np.isfinite(v) else None for v in row] for row in grid.bytes],
    }


# -- configuration files -----------------------------------------------------------------------------------------------------------


def fragment(case: Job, view: View) -> str:
    """The settings as a configuration file starts with them; what the file cannot say is left out."""
    try:
        now = estimate(case)
    except InputError:
        return ""
    if isinstance(now.result, Serving):
        return _vllm(now)
    run = now.result.run
    return _deepspeed(run) if view.fragment == "deepspeed" else _fsdp(run)


def _deepspeed(run: Run) -> str:
    """DeepSpeed's configuration (deepspeed.ai/docs/config-json)."""
    where = {"device": "cpu", "pin_memory": True}
    zero: dict[str, Any] = {"stage": int(run.zero)}
    if run.offload != "none":
        zero["offload_optimizer"] = where
    if run.offload == "parameters":
        zero["offload_param"] = where
    found: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": int(run.micro_batch),
        "gradient_accumulation_steps": int(run.accumulation),
        "bf16": {"enabled": run.formats.weights == "bf16" or run.formats.autocast},
        "zero_optimization": zero,
    }
    if run.recompute == "full":
        found["activation_checkpointing"] = {"partition_activations": False, "contiguous_memory_optimization": False}
    return _json(found)


def _fsdp(run: Run) -> str:
    """Accelerate's configuration file (huggingface.co/docs/accelerate): ZeRO-3 is FULL_SHARD, ZeRO-2 SHARD_GRAD_OP, less is plain data parallel."""
    shard = {3: "FULL_SHARD", 2: "SHARD_GRAD_OP"}.get(int(run.zero), "NO_SHARD")
    ranks = int(run.tensor_parallel * run.pipeline_parallel * run.context_parallel * run.data_parallel)
    lines = [
        "compute_environment: LOCAL_MACHINE",
        "distributed_type: FSDP",
        f"mixed_precision: {'bf16' if run.formats.weights == 'bf16' or run.formats.autocast else 'no'}",
        f"num_processes: {ranks}",
        f"gradient_accumulation_steps: {int(run.accumulation)}",
        "fsdp_config:",
        "  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP",
        f"  fsdp_sharding_strategy: {shard}",
        f"  fsdp_offload_params: {str(run.offload == 'parameters').lower()}",
        f"  fsdp_activation_checkpointing: {str(run.recompute == 'full').lower()}",
    ]
    return "\n".join(lines)


def _vllm(now: Estimate) -> str:
    """The vLLM command (docs.vllm.ai, engine arguments)."""
    case = now.case
    split = serving_split(case, now.arch)
    parts = [
        "vllm serve <model>",
        f"--max-model-len {case.context}",
        f"--max-num-seqs {case.batch}",
        f"--tensor-parallel-size {split['tensor_parallel']}",
        f"--gpu-memory-utilization {case.utilization / 100:g}",
        f"--max-num-batched-tokens {case.chunk}",
    ]
    if split["pipeline_parallel"] > 1:
        parts.append(f"--pipeline-parallel-size {split['pipeline_parallel']}")
    if split["replicas"] > 1:
        parts.append(f"--data-parallel-size {split['replicas']}")
    if case.block != 16:
        parts.append(f"--block-size {case.block}")
    if case.kv not in ("bf16", "fp16", "fp32"):
        parts.append(f"--kv-cache-dtype {case.kv.replace('-', '_')}")
    if not case.graphs:
        parts.append("--enforce-eager")
    name = {"fp8": "fp8", "awq-4": "awq", "gptq-4": "gptq"}.get(case.format)
    if name:
        parts.append(f"--quantization {name}")
    elif case.format in ("bf16", "fp16", "fp32"):
        parts.append(f"--dtype { {'bf16': 'bfloat16', 'fp16': 'float16', 'fp32': 'float32'}[case.format] }")
    return " \\\n  ".join(parts)
