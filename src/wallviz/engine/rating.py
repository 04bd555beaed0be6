"""Chips side by side: what each holds, moves and computes, per watt and per unit of the reader's money, and the largest model that it serves in time.

Everything here is a bound: weights and caches are counted, time is the roofline's (Williams et al. 2009), power is the data sheet's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from wallviz import checks
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import kv_cache, quantization, serve
from wallviz.engine.memory.capacity import Verdict, holds, verdict
from wallviz.engine.memory.terms import Quantity, plain
from wallviz.engine.roofline.step import StepBound, step
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

LONGEST_S = 3600.0
"""A target longer than an hour is a typing error."""
SHORTEST_S = 1e-12
"""So is one that light would not cross a chip in."""


LEAST: dict[str, Any] = {"kernels": "fused", "half_square": True}
"""How the work is counted: the least that must be done, so that the times are bounds (decision 16)."""


@dataclass(frozen=True, slots=True)
class Work:
    """What has to be served: `batch` sequences of `context` tokens, in which formats, and how soon.

    `ttft_s` is the time to the first token of a prompt of `context` tokens read alone, `tpot_s` the time per token of each sequence.
    """

    batch: int = 1
    context: int = 8192
    weights: str = "bf16"
    kv: str = "bf16"
    ttft_s: float = 2.0
    tpot_s: float = 0.05

    def __post_init__(self) -> None:
        for name, count in (("batch", self.batch), ("context", self.context)):
            checks.single(name, count)
            kv_cache.counted(name, count)
        quantization.source(self.weights)
        kv_cache.cache_format(self.kv)
        for name, value in (("TTFT", self.ttft_s), ("TPOT", self.tpot_s)):
            if not checks.is_number(value, SHORTEST_S, LONGEST_S):
                raise InputError(
                    N_("{name} must be more than 0 and at most {most} seconds: got {value}."), name=name, most=LONGEST_S, value=checks.said(value)
                )


@dataclass(frozen=True, slots=True)
class ServingBound:
    """How one chip serves one model, as a bound."""

    verdict: Verdict
    """Whether weights, cache and overheads run out of memory."""
    bytes: float
    """What serving takes."""
    ttft_s: float
    tpot_s: float
    tokens_per_s: float
    """Of all sequences."""
    bound: str
    """What bounds a decoding step."""

    @property
    def fits(self) -> bool | None:
        """Whether they surely fit; None where the chip's memory is unknown."""
        return self.verdict.fits

    def in_time(self, work: Work) -> bool:
        """Whether both targets are met."""
        return self.ttft_s <= work.ttft_s and self.tpot_s <= work.tpot_s


def served(arch: Architecture, chip: Accelerator, work: Work) -> ServingBound:
    """How `chip` serves `arch`; raises InputError where its bandwidth or its peak is not known, or the model does not write."""
    decode = step(arch, chip, phase="decode", batch=work.batch, context=work.context, weights=work.weights, kv=work.kv, **LEAST)
    return _served(arch, chip, work, decode)


def _served(arch: Architecture, chip: Accelerator, work: Work, decode: StepBound) -> ServingBound:
    prefill = step(arch, chip, phase="prefill", batch=1, context=work.context, weights=work.weights, kv=work.kv, **LEAST)
    need, band = needed(arch, work)
    runs_out = verdict(need, band, chip.memory_bytes)
    return ServingBound(runs_out, need, float(prefill.time_s), float(decode.time_s), float(decode.tokens_per_s), str(decode.bound))


@lru_cache(maxsize=4096)
def needed(arch: Architecture, work: Work) -> tuple[float, float]:
    """Bytes that serving takes on whichever chip (weights, cache, the forward pass and what the runtime keeps), and their relative error."""
    found = serve.infer(arch, batch=work.batch, context=work.context, weights=work.weights, kv=work.kv)
    return float(np.max(found.peak_total_bytes)), found.error_band


@lru_cache(maxsize=4096)
def weights_bytes(arch: Architecture, format: str) -> float:
    """Bytes of all weights in `format`."""
    if format.lower().startswith(quantization.GGUF):  # its types depend on which layer a tensor belongs to
        return float(sum(one.bytes for one in quantization.stored(arch, format)))
    times = [times for _layer, times in arch.groups]
    alike = replace(arch, layers=tuple(layer for layer, _times in arch.groups))
    return float(sum(one.bytes * (1 if one.layer is None else times[one.layer]) for one in quantization.stored(alike, format)))


def largest_served(candidates: Iterable[tuple[str, Architecture]], chip: Accelerator, work: Work) -> tuple[str, ServingBound] | None:
    """The largest of the `candidates` (id and architecture, by parameters) that fits one `chip` and meets both targets; None if none does.

    What rules a model out is asked in the order of what it costs: its weights, all that it takes, a token's time, the prompt's.
    """
    if chip.memory_bytes is None:
        return None
    for id, arch in sorted(candidates, key=lambda one: -one[1].parameters):
        if weights_bytes(arch, work.weights) > chip.memory_bytes:
            continue
        try:
            if not holds(*needed(arch, work), chip.memory_bytes):
                continue
            decode = step(arch, chip, phase="decode", batch=work.batch, context=work.context, weights=work.weights, kv=work.kv, **LEAST)
            if float(decode.time_s) > work.tpot_s:
                continue
            found = _served(arch, chip, work, decode)
        except InputError:
            continue
        if found.in_time(work):
            return id, found
    return None


@dataclass(frozen=True, slots=True)
class LargestModel:
    """Parameters of the largest dense model, and what sets the limit."""

    parameters: Quantity
    bound: Quantity | str
    """``memory``, ``tpot`` (reading the weights), ``compute`` (their arithmetic) or ``ttft`` (reading the prompt)."""


def largest_dense(
    memory_bytes: Quantity,
    bytes_per_s: Quantity,
    flop_per_s: Quantity,
    *,
    bytes_per_weight: float,
    context: Quantity,
    batch: Quantity = 1,
    ttft_s: Quantity,
    tpot_s: Quantity,
) -> LargestModel:
    """The most parameters of a dense model, KV cache and attention left out; numbers may be arrays.

    Each of four limits caps P: weights in memory, P·w <= M; reading them for a token, P·w / B <= TPOT; the arithmetic of a token for each
    sequence, 2·P·batch / F <= TPOT; and of a prompt, 2·P·context / F <= TTFT (2 FLOP a parameter and token, Kaplan et al. 2020, section 2.1).

    An H100 with 16-bit weights, 10 ms a token: memory would hold 40 bn, bandwidth lets 16.75 bn through.

    >>> found = largest_dense(80e9, 3.35e12, 989.4e12, bytes_per_weight=2, context=8192, ttft_s=2.0, tpot_s=0.01)
    >>> found.parameters / 1e9, found.bound
    (16.75, 'tpot')
    """
    limits = np.broadcast_arrays(
        np.asarray(memory_bytes, float) / bytes_per_weight,
        np.asarray(bytes_per_s, float) * tpot_s / bytes_per_weight,
        np.asarray(flop_per_s, float) * tpot_s / (2.0 * np.asarray(batch, float)),
        np.asarray(flop_per_s, float) * ttft_s / (2.0 * np.asarray(context, float)),
    )
    stacked = np.stack(limits)
    names = np.asarray(("memory", "tpot", "compute", "ttft"))[np.argmin(stacked, axis=0)]
    return LargestModel(plain(np.min(stacked, axis=0)), str(names) if np.ndim(names) == 0 else names)


def per(value: float | None, unit: float | None) -> float | None:
    """`value` for each of `unit` (watts, money); None where either is missing.

    >>> per(3.35e12, 700.0), per(None, 700.0), per(80e9, None)
    (4785714285.714286, None, None)
    """
    return None if value is None or not unit else value / unit
