"""Writing tokens with one model split over chips: each reads its part of the weights, and all add up their results twice a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.terms import Quantity, plain
from wallviz.engine.scaleout import volumes
from wallviz.engine.scaleout.collectives import all_reduce_bytes
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.step import EFFICIENCY
from wallviz.engine.scaleout.work import work
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

#: Share of the bandwidth that one A100 reaches with Llama-2-7B in 16 bits (gpt-fast: 104.9 tokens/s of 154).
BANDWIDTH_EFFICIENCY = 0.69
#: Bytes of one activation on the wire: 16 bits, whatever the weights are stored in.
ACTIVATION_BYTES = 2.0


@dataclass(frozen=True, slots=True)
class Decode:
    """One decoding step: a token of each sequence. step = busy + waiting + bubble, where busy is the longer of reading and computing."""

    chips: Quantity
    """t·p·e·r."""
    read_s: Quantity
    """Reading weights and KV cache."""
    compute_s: Quantity
    """Arithmetic: at the same time as reading."""
    waiting_s: Quantity
    """Adding up over the chips and passing on: nothing hides it."""
    start_s: Quantity
    """Of the waiting: messages starting, whatever their size."""
    bubble_s: Quantity
    """Stages of a pipeline without a sequence to work on."""
    batch: Quantity
    """Sequences at once, all copies together."""
    bytes_on_wire: Mapping[str, Quantity]
    """Bytes that one chip sends, by kind of parallelism."""
    flop: Quantity
    """FLOP that one chip does."""

    @property
    def sent_bytes(self) -> Quantity:
        """Bytes that one chip sends."""
        return cast("Quantity", sum(self.bytes_on_wire.values()))

    @property
    def busy_s(self) -> Quantity:
        """In which a chip works: reads, or where that takes longer computes."""
        return cast("Quantity", np.maximum(self.read_s, self.compute_s)[()])

    @property
    def step_s(self) -> Quantity:
        """Seconds per token of each sequence."""
        return self.busy_s + self.waiting_s + self.bubble_s

    @property
    def tokens_per_s(self) -> Quantity:
        """All sequences together."""
        return self.batch / self.step_s

    @property
    def tokens_per_s_and_chip(self) -> Quantity:
        """The same over the chips."""
        return self.tokens_per_s / self.chips

    @property
    def efficiency(self) -> Quantity:
        """The share of the step in which a chip works."""
        return self.busy_s / self.step_s


def decode(
    arch: Architecture,
    chip: Accelerator,
    fabric: Fabric,
    *,
    tensor_parallel: Quantity = 1,
    pipeline_parallel: Quantity = 1,
    expert_parallel: Quantity = 1,
    replicas: Quantity = 1,
    batch: Quantity = 1,
    context: Quantity = 4096,
    weight_bytes: float = 2.0,
    kv_bytes: float = 2.0,
    efficiency: Quantity = BANDWIDTH_EFFICIENCY,
    compute_efficiency: Quantity = EFFICIENCY,
) -> Decode:
    """A decoding step of `batch` sequences in each of r `replicas`, with `context` tokens behind them.

    Tensor parallel: weights and cache are split over t (keys and values over at most as many chips as there are KV heads); two all-reduces of
    b·h elements a layer are too small to use the links: their 2(t-1) starts count. Pipeline: a token passes p stages one after the other, so
    one sequence gains nothing; min(b, p) micro-batches fill the stages. Expert parallel: e groups, each with its own sequences and a copy of
    all but the experts, of which it holds E/e; every token goes to its k experts and back. Replicas share nothing. Chips are t·p·e·r. Raises
    InputError where the chip's bandwidth is not known.
    """
    if chip.memory_bytes_per_s is None:
        raise InputError(N_("the memory bandwidth of {chip} is not known: choose another chip"), chip=chip.name)
    model = work(arch)
    t, p, e, r, b = (np.asarray(n, float) for n in (tensor_parallel, pipeline_parallel, expert_parallel, replicas, batch))
    here = np.ceil(b / e)  # of the fullest group
    at_once = np.minimum(here, p)
    micro = here / at_once

    reads = (model.dense_parameters + model.touched_experts(e * micro) / e) * weight_bytes / (t * p)
    reads = reads + micro * model.cached_elements(context) * kv_bytes / np.minimum(t, model.kv_heads) / p
    flop = micro * (2.0 * model.multiplied_parameters + model.attention_flop(2.0 * np.asarray(context, float))) / (t * p)  # it sees all of them
    read_s = reads / (chip.memory_bytes_per_s * efficiency)
    compute_s = flop / ((chip.peak("bf16") or np.inf) * compute_efficiency)

    sums, calls = model.sums / p, 2.0 * model.expert_layers / p
    sent: dict[str, Quantity] = {
        "tensor_parallel": sums * all_reduce_bytes(micro * arch.hidden_size * ACTIVATION_BYTES, t),
        "expert_parallel": volumes.expert_parallel_bytes(micro, 1.0, model.routed_elements / p, 1.0, e, ACTIVATION_BYTES),
        "pipeline_parallel": np.where(p > 1, micro * arch.hidden_size * ACTIVATION_BYTES, 0.0),
    }

    def wired(over: Mapping[str, Quantity]) -> Quantity:
        return (
            fabric.ring_s(over["tensor_parallel"], t, fabric.members(t), 2.0 * sums)
            + fabric.all_to_all_s(over["expert_parallel"], e, fabric.members(e, t), calls)
            + fabric.hop_s(over["pipeline_parallel"], t * e, p)
        )

    waiting, start = wired(sent), wired(dict.fromkeys(sent, 0.0))
    stage = np.maximum(read_s, compute_s) + waiting

    return Decode(
        chips=plain(t * p * e * r),
        read_s=plain(at_once * read_s),
        compute_s=plain(at_once * compute_s),
        waiting_s=plain(at_once * waiting),
        start_s=plain(at_once * start),
        bubble_s=plain((p - at_once) * stage),
        batch=plain(r * b),
        bytes_on_wire={kind: plain(at_once * each) for kind, each in sent.items()},
        flop=plain(at_once * flop),
    )
