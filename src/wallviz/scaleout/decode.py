"""Writing tokens with one model split over chips: each reads its part of the weights, and all add up their results twice a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wallviz.errors import InputError
from wallviz.footprint.terms import Quantity
from wallviz.hardware import Accelerator
from wallviz.i18n import N_
from wallviz.scaleout.collectives import all_reduce_bytes
from wallviz.scaleout.fabric import Fabric
from wallviz.scaleout.work import work
from wallviz.transformer import Architecture

#: Share of the bandwidth that one A100 reaches with Llama-2-7B in 16 bits (gpt-fast: 104.9 tokens/s of 154).
BANDWIDTH_EFFICIENCY = 0.69


@dataclass(frozen=True, slots=True)
class Decode:
    """One decoding step on t chips."""

    chips: Quantity
    read_s: Quantity
    """Reading weights and KV cache (or, where longer, computing)."""
    waiting_s: Quantity
    """Adding up over the chips: nothing hides it."""
    batch: Quantity
    sent_bytes: Quantity
    """Bytes that one chip sends."""

    @property
    def step_s(self) -> Quantity:
        """Seconds per token of each sequence."""
        return self.read_s + self.waiting_s

    @property
    def tokens_per_s(self) -> Quantity:
        """All sequences together."""
        return self.batch / self.step_s

    @property
    def efficiency(self) -> Quantity:
        """The share of the step in which a chip reads."""
        return self.read_s / self.step_s


def decode(
    arch: Architecture,
    chip: Accelerator,
    fabric: Fabric,
    *,
    tensor_parallel: Quantity = 1,
    batch: Quantity = 1,
    context: Quantity = 4096,
    weight_bytes: float = 2.0,
    kv_bytes: float = 2.0,
    efficiency: float = BANDWIDTH_EFFICIENCY,
) -> Decode:
    """A decoding step of `batch` sequences with `context` tokens behind them.

    Weights and cache are split over t (keys and values over at most as many chips as there are KV heads); two all-reduces of b·h elements a
    layer are too small to use the links: their 2(t-1) starts count. Raises InputError where the chip's bandwidth is not known.
    """
    if chip.memory_bytes_per_s is None:
        raise InputError(N_("the memory bandwidth of {chip} is not known: choose another chip"), chip=chip.name)
    model = work(arch)
    t = np.asarray(tensor_parallel, float)
    b = np.asarray(batch, float)
    spans = model.kv_elements * np.asarray(context, float)
    reads = model.touched_parameters(b) * weight_bytes / t + b * spans * kv_bytes / np.minimum(t, model.kv_heads)
    computes = b * model.forward_flop(context) / t / (chip.peak("bf16") or np.inf)
    busy = np.maximum(reads / (chip.memory_bytes_per_s * efficiency), computes)
    sent = model.sums * all_reduce_bytes(b * arch.hidden_size * 2.0, t)
    members = fabric.members(t)
    waiting = fabric.ring_s(sent, t, members, 2.0 * model.sums)
    return Decode(t[()], busy, waiting, b[()], sent)
