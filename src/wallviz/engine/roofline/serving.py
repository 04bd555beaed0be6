"""Serving under a target: how long a prompt takes (TTFT), how long each further token (TPOT), and the largest batch that both allow."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf
from typing import Any

import numpy as np

from wallviz import checks
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import serve
from wallviz.engine.memory.terms import Quantity, plain
from wallviz.engine.roofline.step import StepBound, step
from wallviz.engine.transformer import Architecture

LARGEST = 65_536
LONGEST_S = 1e6
"""A token that takes longer than eleven days is a typing error."""


@dataclass(frozen=True, slots=True)
class LargestBatch:
    """The largest batch under a target."""

    batch: int
    """0 where not even one sequence does."""
    limit: str
    """What stops a larger one: ``tpot``, ``memory``, or ``search`` at 65,536."""
    by_time: int
    """What the time alone allows."""
    by_memory: float | None
    """What the memory alone allows; infinite where nothing is cached, None where the capacity is not known."""
    step: StepBound | None
    """The decoding step at that batch; None at 0."""


def prefill(architecture: Architecture, chip: Accelerator, **options: Any) -> StepBound:
    """The pass over a prompt; its time is the time to first token, TTFT."""
    return step(architecture, chip, phase="prefill", **options)


def decode(architecture: Architecture, chip: Accelerator, **options: Any) -> StepBound:
    """One decoding step; its time is the time per output token, TPOT."""
    return step(architecture, chip, phase="decode", **options)


def largest_batch(
    architecture: Architecture,
    chip: Accelerator,
    *,
    tpot_s: float,
    context: int,
    weights: str = "bf16",
    kv: str = "bf16",
    tensor_parallel: int = 1,
    utilization: float = 0.9,
    **options: Any,
) -> LargestBatch:
    """Most sequences of `context` tokens that decode within `tpot_s` seconds a token and whose cache fits the memory (`memory.serve`).

    A step takes no less time with more sequences, so the time allows every batch up to one; memory allows what vLLM's pool holds.

    >>> from datetime import date
    >>> from wallviz.engine.transformer import custom
    >>> rates = {"fp16_flop_per_s": 989.4e12, "memory_bytes_per_s": 3.35e12, "memory_bytes": 80e9}
    >>> h100 = Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), **rates)
    >>> llama = custom(layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn=14336, vocab=128256)
    >>> found = largest_batch(llama, h100, tpot_s=0.01, context=8192)
    >>> found.batch, found.limit
    (17, 'tpot')

    Raises InputError for a target that is no positive number.
    """
    for name, value in (("tpot", tpot_s), ("context", context)):
        checks.single(name, value)
    checks.above_zero("tpot", tpot_s, 1e-12, LONGEST_S)
    chosen = {"context": context, "weights": weights, "kv": kv, "tensor_parallel": tensor_parallel, **options}
    fits = fitting(architecture, chip, context, weights, kv, tensor_parallel, utilization)
    low, high = 0, LARGEST + 1
    while high - low > 1:  # halves by 64 at a time: three vectorised steps
        tried = np.unique(np.linspace(low + 1, high - 1, num=min(64, high - low - 1)).astype(int))
        fast = np.asarray(decode(architecture, chip, batch=tried, **chosen).time_s) <= tpot_s
        low, high = (int(tried[fast][-1]) if fast.any() else low), (int(tried[~fast][0]) if not fast.all() else high)
    batch = low if fits is None else int(min(low, floor(fits) if fits != inf else low))
    limit = "memory" if batch < low else "search" if low == LARGEST else "tpot"
    return LargestBatch(batch, limit, low, fits, decode(architecture, chip, batch=batch, **chosen) if batch else None)


def fitting(
    arch: Architecture, chip: Accelerator, context: int, weights: str, kv: str, tensor_parallel: int, utilization: float = 0.9
) -> float | None:
    """Sequences of `context` tokens that vLLM's pool holds on `tensor_parallel` chips; infinite where nothing is cached, None where the memory is not
    known."""
    if chip.memory_bytes is None:
        return None
    served = serve.infer(
        arch,
        context=context,
        weights=weights,
        kv=kv,
        tensor_parallel=tensor_parallel,
        hardware_bytes=chip.memory_bytes,
        utilization=utilization,
    )
    return float(served.max_concurrency) if served.max_concurrency is not None else None


@dataclass(frozen=True, slots=True)
class Utilization:
    """What a measured rate makes of the chip."""

    mfu: Quantity
    """Model FLOP utilization: FLOP of the step at that rate over the peak (arXiv 2204.02311, appendix B)."""
    bandwidth: Quantity
    """Bytes of the step at that rate over the bandwidth (MBU)."""
    of_bound: Quantity
    """The rate over the one that the roofline allows; above 1 the inputs are not those of the measurement."""


def utilization(step: StepBound, tokens_per_s: Quantity) -> Utilization:
    """How well a measured `tokens_per_s` (all sequences of the GPU group) uses the chip.

    Llama-2-7B in 16 bits at batch 1 on an A100-80GB, 104.9 tokens/s (gpt-fast's README): 68 % of the bandwidth, 0.4 % of the arithmetic.

    >>> from datetime import date
    >>> from wallviz.engine.transformer import custom
    >>> a100 = Accelerator("a100", "A100", "NVIDIA", "gpu", date(2020, 11, 16), fp16_flop_per_s=312e12, memory_bytes_per_s=2039e9)
    >>> llama = custom(layers=32, hidden_size=4096, heads=32, ffn=11008, vocab=32000)
    >>> used = utilization(decode(llama, a100, batch=1, context=100), 104.9)
    >>> round(used.bandwidth, 2), round(used.mfu, 3)
    (0.68, 0.004)
    """
    checks.above_zero("measured", tokens_per_s, 1e-9)
    steps_per_s = np.asarray(tokens_per_s, float) / step.tokens
    return Utilization(
        mfu=plain(steps_per_s * step.flop / step.roof.peak_flop_per_s),
        bandwidth=plain(steps_per_s * step.bytes / step.roof.bytes_per_s),
        of_bound=plain(np.asarray(tokens_per_s, float) / step.tokens_per_s),
    )
