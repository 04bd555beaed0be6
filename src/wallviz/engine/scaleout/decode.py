"""Writing tokens with one model split over chips: each reads its part of the weights, and all add up their results twice a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np

from wallviz.engine import work
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.terms import Quantity, plain
from wallviz.engine.scaleout import volumes
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY, busy
from wallviz.engine.scaleout.collectives import all_reduce_bytes
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.traffic import traffic
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError

#: Bytes of one activation on the wire: 16 bits, whatever the weights are stored in.
ACTIVATION_BYTES = 2.0


@dataclass(frozen=True, slots=True)
class Decode:
    """One decoding step: a token of each sequence. step = busy + waiting + bubble."""

    chips: Quantity
    """t·p·e·r."""
    busy_s: Quantity
    """In which a chip works: operation by operation the longer of moving bytes and arithmetic (`engine.work` under the chip's roof)."""
    read_s: Quantity
    """Moving the bytes alone: weights, KV cache, states, activations."""
    compute_s: Quantity
    """Arithmetic alone."""
    waiting_s: Quantity
    """Adding up over the chips and passing on: nothing hides it."""
    start_s: Quantity
    """Of the waiting: messages starting, whatever their size."""
    bubble_s: Quantity
    """Stages of a pipeline without a sequence to work on."""
    bound_s: Quantity
    """The step on links that take no time and chips that reach all of their roof: no such split is faster."""
    batch: Quantity
    """Sequences at once, all copies together."""
    bytes_on_wire: Mapping[str, Quantity]
    """Bytes that one chip sends, by kind of parallelism."""
    flop: Quantity
    """FLOP that one chip does: matrix products, attention and scans."""
    moved_bytes: Quantity
    """Bytes between one chip and its memory."""

    def at(self, i: int) -> Decode:
        """Entry `i` of arrays, alone."""

        def entry(value: Quantity) -> float:
            return float(value[i]) if isinstance(value, np.ndarray) else value

        values = {field.name: entry(getattr(self, field.name)) for field in fields(self) if field.name != "bytes_on_wire"}
        return Decode(bytes_on_wire={kind: entry(sent) for kind, sent in self.bytes_on_wire.items()}, **values)

    @property
    def sent_bytes(self) -> Quantity:
        """Bytes that one chip sends."""
        return cast("Quantity", sum(self.bytes_on_wire.values()))

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
    weights: str = "bf16",
    kv: str = "bf16",
    at_once: int = 1,
    efficiency: Quantity = EFFICIENCY,
    bandwidth_efficiency: Quantity = BANDWIDTH_EFFICIENCY,
    **options: Any,
) -> Decode:
    """A decoding step of `batch` sequences in each of r `replicas`, with `context` tokens behind them.

    Tensor parallel: weights and cache are split over t (keys and values over at most as many chips as there are KV heads); two all-reduces of
    b·h elements a layer are too small to use the links: their 2(t-1) starts count. Pipeline: a token passes p stages one after the other, so
    one sequence gains nothing; min(b, p) micro-batches fill the stages. Expert parallel: e groups, each with its own sequences and a copy of
    all but the experts, of which it holds E/e; every token goes to its k experts and back. Replicas share nothing. Chips are t·p·e·r.

    What a chip does is `engine.work`'s, at `efficiency` of its peak and `bandwidth_efficiency` of its bandwidth; `at_once` tokens of each
    sequence in one pass (drafts that are checked) and `options` are those of `work.unchecked`. Raises InputError where the chip's rates are
    not known, and for an encoder alone.
    """
    if arch.layers and all(layer.encoder for layer in arch.layers):
        raise InputError(work.ENCODER_ALONE, model=arch.name)
    model = traffic(arch, decoding=True)
    t, p, e, r, b = (np.asarray(n, float) for n in (tensor_parallel, pipeline_parallel, expert_parallel, replicas, batch))
    here = np.ceil(b / e)  # of the fullest group
    filled = np.minimum(here, p)
    micro = here / filled
    found = work.unchecked(
        arch, "decode", plain(micro), context, weights=weights, kv=kv, at_once=at_once, tensor_parallel=tensor_parallel,
        expert_parallel=expert_parallel, pipeline_parallel=pipeline_parallel, **options,
    )  # fmt: skip
    stage = busy(arch, found, chip, efficiency, bandwidth_efficiency)

    sums, calls, tokens = model.sums / p, 2.0 * model.expert_layers / p, micro * at_once
    sent: dict[str, Quantity] = {
        "tensor_parallel": sums * all_reduce_bytes(tokens * arch.hidden_size * ACTIVATION_BYTES, t),
        "expert_parallel": volumes.expert_parallel_bytes(tokens, 1.0, model.routed_elements / p, 1.0, e, ACTIVATION_BYTES),
        "pipeline_parallel": np.where(p > 1, tokens * arch.hidden_size * ACTIVATION_BYTES, 0.0),
    }

    def wired(over: Mapping[str, Quantity]) -> Quantity:
        return (
            fabric.ring_s(over["tensor_parallel"], t, fabric.members(t), 2.0 * sums)
            + fabric.all_to_all_s(over["expert_parallel"], e, fabric.members(e, t), calls)
            + fabric.hop_s(over["pipeline_parallel"], t * e, p)
        )

    waiting, start = wired(sent), wired(dict.fromkeys(sent, 0.0))
    return Decode(
        chips=plain(t * p * e * r),
        busy_s=plain(filled * stage.seconds),
        read_s=plain(filled * stage.read_s),
        compute_s=plain(filled * stage.compute_s),
        waiting_s=plain(filled * waiting),
        start_s=plain(filled * start),
        bubble_s=plain((p - filled) * (stage.seconds + waiting)),
        bound_s=plain(p * stage.bound_s),
        batch=plain(r * b),
        bytes_on_wire={kind: plain(filled * each) for kind, each in sent.items()},
        flop=plain(filled * stage.flop),
        moved_bytes=plain(filled * stage.bytes),
    )
