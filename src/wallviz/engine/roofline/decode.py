"""What bounds a workload on a chip: arithmetic or memory traffic (Williams, Waterman and Patterson 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from wallviz.engine.hardware import Accelerator
from wallviz.errors import InputError
from wallviz.i18n import N_


@dataclass(frozen=True, slots=True)
class DecodeCeiling:
    """Upper bounds of one token stream at batch 1: `memory` reads every active weight once a token, `compute` does 2 FLOP with each."""

    memory_tokens_per_s: float
    compute_tokens_per_s: float
    weights_bytes: float
    flop_per_byte: float
    ridge_flop_per_byte: float

    @property
    def tokens_per_s(self) -> float:
        """The lower of the two: what the chip cannot exceed."""
        return min(self.memory_tokens_per_s, self.compute_tokens_per_s)


def decode_ceiling(active_parameters: float, chip: Accelerator, *, bytes_per_parameter: float = 2.0, precision: str = "fp16") -> DecodeCeiling:
    """How fast `chip` can write one token after another with a model of `active_parameters`, KV cache and overheads left out.

    tokens/s <= bandwidth / (P x bytes per parameter), and <= peak / (2 P): each weight is read once and used in one multiply and one add.

    >>> from datetime import date
    >>> h100 = Accelerator("h100", "H100", "NVIDIA", "gpu", date(2022, 10, 1), fp16_flop_per_s=989.4e12, memory_bytes_per_s=3.35e12)
    >>> round(decode_ceiling(8.03e9, h100).tokens_per_s), round(decode_ceiling(8.03e9, h100).compute_tokens_per_s)
    (209, 61606)

    A chip without a listed peak at `precision` computes at its fp32 peak. Raises InputError where bandwidth or both peaks are not known.
    """
    peak = chip.peak(precision) or chip.peak("fp32")
    if not peak or not chip.memory_bytes_per_s:
        raise InputError(N_("No source gives the bandwidth and the 16-bit peak of {chip}: choose another chip."), chip=chip.name)
    weights = active_parameters * bytes_per_parameter
    flop = 2.0 * active_parameters
    return DecodeCeiling(chip.memory_bytes_per_s / weights, peak / flop, weights, flop / weights, peak / chip.memory_bytes_per_s)


def decode_step_s(weights_bytes: float, kv_bytes: float, bytes_per_s: float, *, flop: float = 0.0, flop_per_s: float = inf) -> float:
    """Shortest time of one decoding step of a batch, seconds: read the KV cache, and read the weights or compute with them, whichever is longer.

    Attention is bound by memory at every batch (each cached value serves one sequence), so its reading adds to the rest:
    T = kv / bandwidth + max(weights / bandwidth, flop / peak) (Austin et al., How to Scale Your Model, chapter "Inference"; `flop` is 2·P·B).

    Llama 2 13B at batch 8 on eight TPU v5e, 12.13 ms there:

    >>> round(decode_step_s(26e9, 8 * 6.7e9, 6.56e12) * 1e3, 2)
    12.13
    """
    return kv_bytes / bytes_per_s + max(weights_bytes / bytes_per_s, flop / flop_per_s)


def decode_attention_intensity(group_size: float, bytes_per_element: float = 2.0) -> float:
    """FLOP per byte of attention in decoding: 4·s·d FLOP per query head for 2·s·d cached elements, which `group_size` query heads share.

    >>> decode_attention_intensity(1), decode_attention_intensity(8)
    (1.0, 8.0)
    """
    return 4.0 * group_size / (2.0 * bytes_per_element)
