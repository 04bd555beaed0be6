"""What fits, how much of it, on how few GPUs, and what would make it fit.

Every answer is found by asking the same formulas for many values at once: the largest that fits is the last before the first that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wallviz.engine.memory.peak import train
from wallviz.engine.memory.run import Run, whole
from wallviz.engine.memory.serve import infer
from wallviz.engine.memory.terms import Quantity
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_, _

LARGEST_BATCH = 1_000_000
LARGEST_CONTEXT = 100_000_000
MOST_GPUS = 65_536
#: Tensor parallelism stays inside a node of this many GPUs.
NODE = 8


@dataclass(frozen=True)
class Fix:
    """One change that would save memory, and what it costs."""

    change: str
    """What to do, a sentence in English marked for translation."""
    sets: Mapping[str, object]
    """The fields that it changes."""
    saves_bytes: float
    price: str
    """What it costs, in words, marked for translation."""
    cost: float
    """The same as a share of the step's time (for ranking): 0.33 is a third more."""
    fits: bool
    """It fits with this change alone."""
    needs_bytes: float = 0.0
    """What it would take then."""


@dataclass(frozen=True)
class Fit:
    """Whether a job fits and what would fit."""

    fits: bool
    needs_bytes: float
    headroom_bytes: float
    """Capacity less need; negative where it does not fit."""
    largest_micro_batch: int | None
    largest_context: int | None
    fewest_gpus: int | None
    layout: Mapping[str, int] | None
    """How to split it over the fewest GPUs: fields of `Run`."""
    fixes: tuple[Fix, ...]
    """Ranked by bytes saved per price paid; those that suffice alone come first."""
    reason: str = ""
    """Why something above is None."""


def largest(need: Callable[[Any], Quantity], capacity_bytes: float, most: int, step: int = 1) -> int:
    """The largest multiple of `step`, up to `most`, whose `need` (bytes, never falling) is within the capacity; 0 where none is.

    >>> largest(lambda n: 10.0 * n, 95.0, 100)
    9
    """
    top = max(1, most // step)
    powers = np.unique(np.minimum(2 ** np.arange(top.bit_length() + 1), top))
    fine = np.broadcast_to(need(powers * step) <= capacity_bytes, powers.shape)
    if not fine[0]:
        return 0
    if fine.all():
        return top * step
    high = int(powers[np.argmin(fine)])
    low = int(powers[np.argmin(fine) - 1])
    while high - low > 1:
        between = np.unique(np.linspace(low, high, min(1025, high - low + 1)).astype(int))
        fine = np.broadcast_to(need(between * step) <= capacity_bytes, between.shape)
        at = len(fine) if fine.all() else int(np.argmin(fine))
        low, high = int(between[at - 1]), int(between[min(at, len(between) - 1)])
        if at == len(between):
            break
    return low * step


def fit_training(arch: Architecture, run: Run, capacity_bytes: float, count: int = 1, *, adapters: bool = False) -> Fit:
    """Whether `run` fits GPUs of `capacity_bytes`, `count` of which are there.

    Where the run names no parallelism, `count` GPUs share it as data parallel ranks. With `adapters` (fine-tuning) LoRA and QLoRA are offered
    among the fixes.
    """
    _capacity(capacity_bytes, count)
    run = on_gpus(run, count)
    now = float(train(arch, run).peak_total_bytes)
    split = int(np.max(run.context_parallel))
    batch = largest(lambda n: train(arch, run, micro_batch=n).peak_total_bytes, capacity_bytes, LARGEST_BATCH)
    context = largest(lambda n: train(arch, run, sequence=n).peak_total_bytes, capacity_bytes, LARGEST_CONTEXT, split)
    return _fit(now, capacity_bytes, batch, context, fewest(arch, run, capacity_bytes), fixes(arch, run, capacity_bytes, adapters=adapters))


def _fit(now: float, capacity_bytes: float, batch: int, context: int, split: tuple[int | None, dict[str, int] | None], found: tuple[Fix, ...]) -> Fit:
    """The answer from what was found: 0 means that nothing fits."""
    gpus, layout = split
    reason = _reason(batch, context, gpus)
    return Fit(now <= capacity_bytes, now, capacity_bytes - now, batch or None, context or None, gpus, layout, found, reason)


def _reason(batch: int, context: int, gpus: int | None) -> str:
    """Why something is None."""
    if gpus is None:
        return N_("No split over up to 65,536 GPUs that was tried holds it.")
    if not batch:
        return N_("Not even one sequence of this length fits on the GPUs that are there.")
    return "" if context else N_("Not even one token per sequence fits on the GPUs that are there.")


def on_gpus(run: Run, count: int) -> Run:
    """The same run on `count` GPUs: what its parallelism leaves over becomes data parallel ranks."""
    for name in ("tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel"):
        whole(name, getattr(run, name), 1, MOST_GPUS)
    world = int(np.max(run.tensor_parallel) * np.max(run.pipeline_parallel) * np.max(run.context_parallel) * np.max(run.data_parallel))
    if count == 1 or world == count:
        return run
    if count % world:
        raise InputError(
            N_("{count} GPUs cannot be shared by {world} ranks: give a multiple of {world}, or change the parallelism."), count=count, world=world
        )
    return replace(run, data_parallel=int(np.max(run.data_parallel)) * (count // world))


def _capacity(capacity_bytes: float, count: int) -> None:
    if not (np.isfinite(capacity_bytes) and capacity_bytes > 0):
        raise InputError(N_("A memory of {value} bytes holds nothing: give the GPU's memory, above 0."), value=capacity_bytes)
    if not 1 <= count <= MOST_GPUS:
        raise InputError(
            N_("{name} cannot be {value}: give a whole number from {low} to {high}."), name="count", value=count, low=1, high=f"{MOST_GPUS:,}"
        )


def fewest(arch: Architecture, run: Run, capacity_bytes: float) -> tuple[int | None, dict[str, int] | None]:
    """The fewest GPUs that hold `run` with its batch per GPU as it is, and how to split it.

    Tries tensor parallelism within a node, every pipeline depth that divides the layers, and ZeRO 0 to 3 over whatever data parallel ranks
    are left; among equals, the split that moves the fewest bytes: ZeRO before tensor, tensor before pipeline.
    """
    depths, heads = _splits(arch)
    context = int(np.max(run.context_parallel))
    best: tuple[int, dict[str, int]] | None = None
    for pipeline, tensor in product(depths, heads):
        base = replace(
            run,
            tensor_parallel=tensor,
            pipeline_parallel=pipeline,
            virtual_stages=1,
            expert_parallel=1,
            stage="worst",
            sequence_parallel=tensor > 1 or run.sequence_parallel,
        )
        apart = tensor * pipeline * context
        room = (MOST_GPUS if best is None else best[0] - 1) // apart
        found = _fewest_ranks(arch, base, capacity_bytes, room) if room else None
        if found is not None:
            ranks, zero = found
            layout = {"tensor_parallel": tensor, "pipeline_parallel": pipeline, "context_parallel": context, "data_parallel": ranks, "zero": zero}
            best = ranks * apart, layout
    return best or (None, None)


def _splits(arch: Architecture) -> tuple[list[int], list[int]]:
    """Pipeline depths that divide the layers, and tensor parallel ranks of one node that divide the heads."""
    heads = [getattr(block.mixer, "heads", 0) for block, _n in arch.groups]
    depths = [p for p in range(1, min(len(arch.layers), 64) + 1) if len(arch.layers) % p == 0]
    return depths, [t for t in (1, 2, 4, NODE) if all(n % t == 0 for n in heads)]


def _fewest_ranks(arch: Architecture, run: Run, capacity_bytes: float, room: int) -> tuple[int, int] | None:
    """The fewest data parallel ranks that fit, up to `room`, and the lowest ZeRO stage that does with so few.

    Need falls as ranks are added, but without ZeRO they change nothing. All ZeRO stages and powers of two are asked at once, first of the
    first pipeline stage alone: what does not fit there fits on no whole pipeline.
    """
    powers = np.unique(np.minimum(2 ** np.arange(room.bit_length() + 1), room))

    def fits(stages: NDArray[np.int64], ranks: NDArray[np.int64], stage: str = run.stage) -> NDArray[np.bool_]:
        need = train(arch, run, zero=stages[:, None], data_parallel=ranks, stage=stage).peak_total_bytes
        fine: NDArray[np.bool_] = (np.asarray(need) <= capacity_bytes) & ((stages[:, None] > 0) | (ranks == 1))
        return fine

    stages = np.arange(4)
    stages = stages[fits(stages, powers, "first").any(axis=1)]
    found = []
    for zero, fine in zip(stages, fits(stages, powers) if len(stages) else (), strict=True):
        if not fine.any():
            continue
        at = int(np.argmax(fine))
        low, high = int(powers[max(0, at - 1)]), int(powers[at])
        while high - low > 1:
            between = np.unique(np.linspace(low, high, min(1025, high - low + 1)).astype(int))
            at = int(np.argmax(fits(np.array([zero]), between)[0]))
            low, high = int(between[max(0, at - 1)]), int(between[at])
        found.append((high, int(zero)))
    return min(found, default=None)


#: What each change costs: a share of the step's time, and the words for it. Selective recomputation +4 % and full +33 % work (arXiv 2205.05198,
#: section 5 and table 4: 1.6-4 % and 30-40 %); ZeRO-3 moves 1.5 times the bytes (arXiv 1910.02054, section 7); 8-bit Adam keeps the loss
#: (arXiv 2110.02861); offloading reads and writes the states over PCIe (arXiv 2101.06840).
_PRICES: dict[str, tuple[float, str]] = {
    "loss": (0.005, N_("no time, another loss kernel")),
    "kernels": (0.005, N_("no time, other kernels")),
    "selective": (0.04, N_("+4 % time")),
    "full": (0.33, N_("+33 % time")),
    "zero": (0.01, N_("no more traffic")),
    "zero 3": (0.15, N_("1.5 times the traffic")),
    "batch": (0.08, N_("smaller batches use the GPU less well")),
    "8-bit": (0.02, N_("rounded moments; no loss of quality reported")),
    "pure": (0.5, N_("small updates are lost in rounding")),
    "offload": (1.0, N_("the step waits for PCIe")),
    "lora": (0.3, N_("trains an adapter, not the model")),
    "qlora": (0.7, N_("trains an adapter on a 4-bit model, about 1.5 times slower")),
    "sequence parallel": (0.01, N_("no more traffic")),
}


def fixes(arch: Architecture, run: Run, capacity_bytes: float, *, adapters: bool = False) -> tuple[Fix, ...]:
    """Changes that save memory, those that suffice alone first, then by bytes saved per price paid."""
    now = float(train(arch, run).peak_total_bytes)
    found = []
    for change, sets, key in _candidates(run, adapters=adapters):
        try:
            then = float(train(arch, run, **sets).peak_total_bytes)
        except InputError:
            continue  # this change does not go with the rest
        if then < now * 0.999:
            cost, price = _PRICES[key]
            gpus = 1.0
            if "data_parallel" in sets:
                gpus = float(sets["data_parallel"]) / float(np.max(run.data_parallel))  # type: ignore[arg-type]
            found.append(Fix(change, sets, now - then, price, cost + gpus - 1.0, then <= capacity_bytes, then))
    return _ranked(_one_count(found))


def _one_count(found: list[Fix]) -> list[Fix]:
    """Of the fixes that add GPUs the fewest that suffice, or the most that were tried."""
    more = [fix for fix in found if "data_parallel" in fix.sets]
    kept = next((fix for fix in more if fix.fits), more[-1] if more else None)
    return [fix for fix in found if fix not in more or fix is kept]


def _candidates(run: Run, *, adapters: bool) -> list[tuple[str, dict[str, object], str]]:
    ranks = int(np.max(run.data_parallel) * np.max(run.context_parallel))
    zero = int(np.max(run.zero))
    batch = int(np.max(run.micro_batch))
    found: list[tuple[str, dict[str, object], str]] = []
    if run.loss == "plain":
        found.append((N_("Fuse the loss with its logits"), {"loss": "fused"}, "loss"))
    if run.loss != "chunked":
        found.append((N_("Compute the loss in chunks"), {"loss": "chunked"}, "loss"))
    if run.kernels == "eager":
        found.append((N_("Use flash attention"), {"kernels": "flash"}, "kernels"))
    if run.kernels in ("eager", "flash"):
        found.append((N_("Use fused kernels"), {"kernels": "fused"}, "kernels"))
    if run.recompute == "none":
        found.append((N_("Recompute the attention core"), {"recompute": "selective"}, "selective"))
    if run.recompute != "full":
        found.append((N_("Recompute every layer"), {"recompute": "full"}, "full"))
    if ranks > 1:
        found += [(N_("ZeRO stage {n}"), {"zero": stage}, "zero 3" if stage == 3 else "zero") for stage in (1, 2, 3) if stage > zero]
    elif int(np.max(run.tensor_parallel) * np.max(run.pipeline_parallel)) == 1:
        found += [(N_("ZeRO stage 3 over {gpus} GPUs"), {"zero": 3, "data_parallel": gpus}, "zero 3") for gpus in (2, 4, 8, 16, 32, 64)]
    if int(np.max(run.tensor_parallel)) > 1 and not run.sequence_parallel:
        found.append((N_("Sequence parallelism"), {"sequence_parallel": True}, "sequence parallel"))
    if batch > 1:
        half = batch // 2
        found.append(
            (N_("Micro-batch {batch} and more accumulation"), {"micro_batch": half, "accumulation": int(np.max(run.accumulation)) * 2}, "batch")
        )
        if half > 1:
            found.append(
                (N_("Micro-batch {batch} and more accumulation"), {"micro_batch": 1, "accumulation": int(np.max(run.accumulation)) * batch}, "batch")
            )
    if run.optimizer == "adamw":
        found.append((N_("8-bit Adam"), {"optimizer": "adamw-8bit", "optimizer_state": None}, "8-bit"))
    if run.trains_all and run.precision != "bf16-pure":
        found.append((N_("Everything in bf16"), {"precision": "bf16-pure"}, "pure"))
    if run.offload == "none":
        found.append((N_("Keep the optimizer state in host memory"), {"offload": "optimizer"}, "offload"))
    if adapters and run.trains_all:
        found.append((N_("Train LoRA adapters"), {"method": "lora"}, "lora"))
    if adapters and run.method != "qlora":
        found.append((N_("Train QLoRA adapters on 4-bit weights"), {"method": "qlora"}, "qlora"))
    return found


def fit_serving(arch: Architecture, capacity_bytes: float, count: int = 1, **options: Any) -> Fit:
    """Whether serving fits GPUs of `capacity_bytes`; `count` of them share it as tensor parallel ranks. `options` are those of `serve.infer`."""
    _capacity(capacity_bytes, count)
    if count > 1 and "tensor_parallel" not in options:
        options["tensor_parallel"] = count
    now = _serving_bytes(arch, **options)
    batch = largest(lambda n: infer(arch, **options | {"batch": n}).peak_total_bytes, capacity_bytes, LARGEST_BATCH)
    shortest = max(int(options.get("prompt") or 1), int(options.get("prefix", 0)) + 1)  # no context is shorter than its prompt and prefix
    context = largest(lambda n: infer(arch, **options | {"context": np.maximum(n, shortest)}).peak_total_bytes, capacity_bytes, LARGEST_CONTEXT)
    return _fit(now, capacity_bytes, batch, context, _fewest_serving(arch, capacity_bytes, options), serving_fixes(arch, capacity_bytes, **options))


def _serving_bytes(arch: Architecture, **options: Any) -> float:
    return float(np.max(infer(arch, **options).peak_total_bytes))


def _fewest_serving(arch: Architecture, capacity_bytes: float, options: Mapping[str, Any]) -> tuple[int | None, dict[str, int] | None]:
    """The fewest GPUs over tensor parallelism within a node and pipeline depths that divide the layers."""
    depths, ranks = _splits(arch)
    for world, pipeline, tensor in sorted((t * p, p, t) for p in depths for t in ranks):
        if _serving_bytes(arch, **{**options, "tensor_parallel": tensor, "pipeline_parallel": pipeline}) <= capacity_bytes:
            return world, {"tensor_parallel": tensor, "pipeline_parallel": pipeline}
    return None, None


def serving_fixes(arch: Architecture, capacity_bytes: float, **options: Any) -> tuple[Fix, ...]:
    """The same for serving; `options` are those of `serve.infer`."""
    now = _serving_bytes(arch, **options)
    tensor, batch, context = int(options.get("tensor_parallel", 1)), int(np.max(options.get("batch", 1))), int(np.max(options["context"]))
    asked: list[tuple[str, dict[str, object], float, str]] = [
        (N_("KV cache in FP8"), {"kv": "fp8"}, 0.02, N_("quality close to 16 bits")),
        (N_("Weights in FP8"), {"weights": "fp8"}, 0.02, N_("quality close to 16 bits, and faster")),
        (N_("Weights in 4 bits (AWQ)"), {"weights": "awq-4"}, 0.1, N_("a small loss of quality")),
    ]
    for n in (2, 4, 8):
        if n > tensor and n % tensor == 0:
            asked.append((N_("Split over {gpus} GPUs"), {"tensor_parallel": n}, n / tensor - 1.0, N_("more GPUs, and traffic between them")))
    if batch > 1:
        asked.append((N_("Batch {batch}"), {"batch": batch // 2}, 0.5, N_("fewer requests at once")))
    if context > 1:
        asked.append((N_("Context {context}"), {"context": context // 2}, 1.0, N_("shorter documents")))
    found = []
    for change, sets, cost, price in asked:
        try:
            then = _serving_bytes(arch, **{**options, **sets})
        except InputError:
            continue
        if then < now * 0.999:
            found.append(Fix(change, sets, now - then, price, cost, then <= capacity_bytes, then))
    return _ranked(found)


def _ranked(found: list[Fix], most: int = 12) -> tuple[Fix, ...]:
    """Those that suffice alone first, the cheapest of them first; then by bytes saved per price paid."""
    return tuple(sorted(found, key=lambda fix: (not fix.fits, fix.cost if fix.fits else -fix.saves_bytes / (fix.cost + 0.01)))[:most])


def sentence(fix: Fix) -> str:
    """The change of `fix` as a sentence in the language in use."""
    sets = fix.sets
    return _(fix.change).format(
        n=sets.get("zero", ""),
        gpus=sets.get("data_parallel", sets.get("tensor_parallel", "")),
        batch=sets.get("micro_batch", sets.get("batch", "")),
        context=sets.get("context", ""),
    )
