"""Answers as plain dictionaries, the JSON of the command line: bytes as whole numbers whose sums hold, None with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, isfinite
from typing import Any

from wallviz.engine.memory.capacity import headroom_bytes, verdict
from wallviz.engine.memory.peak import Training
from wallviz.engine.memory.serve import Serving
from wallviz.engine.memory.terms import Term
from wallviz.engine.transformer import Architecture, Attention, LatentAttention
from wallviz.i18n import N_, _

#: Why there is no largest number of sequences.
UNLIMITED = N_("Nothing is cached: memory does not limit how many sequences run.")


def model(arch: Architecture) -> dict[str, Any]:
    """What a model is made of. Heads are those of the attention that most layers have; MLA's heads are as wide as their queries."""
    attention = [(count, layer.mixer) for layer, count in arch.groups if isinstance(layer.mixer, Attention | LatentAttention)]
    mixer = max(attention, key=lambda each: each[0])[1] if attention else None
    heads = kv_heads = head_dim = None
    if isinstance(mixer, Attention):
        heads, kv_heads, head_dim = mixer.heads, mixer.kv_heads, mixer.head_dim
    elif isinstance(mixer, LatentAttention):
        heads, kv_heads, head_dim = mixer.heads, mixer.heads, mixer.nope_dim + mixer.rope_dim
    found = {
        "name": arch.name,
        "family": arch.family,
        "parameters": arch.parameters,
        "language_model_parameters": arch.language_model_parameters,
        "active_parameters": arch.active_parameters,
        "router_bias": arch.router_bias,
        "components": dict(arch.components),
        "layers": len(arch.layers),
        "hidden_size": arch.hidden_size,
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": head_dim,
        "vocab": arch.vocab,
        "assumptions": list(arch.assumptions),
    }
    return found if mixer else found | {"reason": _(N_("No layer has attention heads."))}


def training(answer: Training, capacity_bytes: float | None = None) -> dict[str, Any]:
    """One training or fine-tuning run, per GPU: `parts` sum to the allocated peak, which with fragmentation is reserved, with the rest total.

    With the capacity of a GPU also whether it holds the run, the error band included.
    """
    allocated = round(float(answer.peak_allocated_bytes))
    parts, overheads = shares(answer.parts, allocated), _rounded(answer.overheads)
    reserved = allocated + overheads["fragmentation"]
    found: dict[str, Any] = {
        "peak_allocated_bytes": allocated,
        "peak_reserved_bytes": reserved,
        "peak_total_bytes": allocated + sum(overheads.values()),
        "peak_phase": answer.peak_phase,
        "phases": _rounded(answer.phases),
        "parts": parts,
        "overheads": overheads,
        "host_bytes": round(float(answer.host_bytes)),
        "checkpoint_bytes": round(float(answer.checkpoint_bytes)),
        "stage": int(answer.stage),
        "error_band": answer.error_band,
        "terms": _terms(answer.terms, parts | overheads),
    }
    if capacity_bytes is None:
        return found
    asked = float(answer.peak_total_bytes), answer.error_band, capacity_bytes
    runs_out = verdict(*asked)
    return found | {"fits": runs_out.fits, "headroom_bytes": floor(headroom_bytes(*asked)), "runs_out_of_memory": runs_out}


def serving(answer: Serving) -> dict[str, Any]:
    """Serving on one GPU: weights, cache, forward pass and overheads sum to the peak."""
    parts = _rounded({"weights": answer.weights_bytes, "kv_cache": answer.kv_cache_bytes, "activations": answer.activation_bytes})
    held = {
        "weights_bytes": parts["weights"],
        "kv_cache_bytes": parts["kv_cache"],
        "kv_bytes_per_token": round(float(answer.kv_bytes_per_token)),
        "activation_bytes": parts["activations"],
    }
    overheads = _rounded(answer.overheads)
    concurrency = None if answer.max_concurrency is None else float(answer.max_concurrency)
    reason = answer.max_concurrency_reason
    if concurrency is not None and not isfinite(concurrency):
        concurrency, reason = None, UNLIMITED
    found = held | {
        "overheads": overheads,
        "peak_total_bytes": sum(parts.values()) + sum(overheads.values()),
        "max_concurrency": concurrency,
        "terms": _terms(answer.terms, parts | overheads),
    }
    return found if concurrency is not None else found | {"reason": _(reason or "")}


def _terms(terms: Sequence[Term], parts: Mapping[str, int]) -> list[dict[str, Any]]:
    """The lines of a footprint; those of a part sum to that part."""
    whole = {part: shares({str(i): term.bytes for i, term in enumerate(terms) if term.part == part}, size) for part, size in parts.items()}
    return [_term(term, whole[term.part][str(i)]) for i, term in enumerate(terms)]


def _term(line: Term, size: int) -> dict[str, Any]:
    """One line of a footprint, words in the language in use."""
    return {
        "name": _(line.name),
        "formula": line.formula,
        "values": line.values,
        "symbols": {name: float(value) for name, value in line.symbols.items()},
        "bytes": size,
        "source": _(line.source),
    }


def shares(parts: Mapping[str, Any], total: int) -> dict[str, int]:
    """`parts` as whole numbers that sum to `total`: rounded down, and the bytes left over go to the largest remainders.

    >>> shares({"weights": 1.4, "gradients": 1.4, "loss": 0.2}, 3)
    {'weights': 2, 'gradients': 1, 'loss': 0}
    """
    found = {name: floor(float(value)) for name, value in parts.items()}
    by_remainder = sorted(found, key=lambda name: found[name] - float(parts[name]))
    for name in by_remainder[: total - sum(found.values())]:
        found[name] += 1
    return found


def _rounded(parts: Mapping[str, Any]) -> dict[str, int]:
    return {name: round(float(value)) for name, value in parts.items()}
