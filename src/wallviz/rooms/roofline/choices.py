"""What a reader can choose on the roofline page: one field of `View` for each, how a link spells it, the words for its options."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wallviz import catalog
from wallviz.case import MAX_CONTEXT
from wallviz.engine.memory import kv_cache, quantization
from wallviz.engine.memory.run import RECOMPUTE
from wallviz.engine.roofline.roof import ACCUMULATE
from wallviz.engine.work import ACTIVATIONS, KERNELS
from wallviz.i18n import N_, _
from wallviz.params import Param, choice, flag, names, number, text
from wallviz.rooms import Group, Setting

FIGURES = ("roofline", "time", "kv", "measured", "ridge", "capacity", "study")
DRAWN = ("steps", "operations")
PHASES = ("decode", "prefill")
EVIDENCE = ("matmuls", "decode", "engines", "formats")
RATIOS = ("gb_per_tflop_per_s", "bytes_per_flop")
#: Formats that the first view offers before all others.
USUAL = ("bf16", "fp8", "nf4", "gguf:Q4_K_M")
FORMATS = (*USUAL, *(name for name in quantization.FORMATS if name not in USUAL), *(f"gguf:{mix}" for mix in quantization.MIXES if mix != "Q4_K_M"))


@dataclass(frozen=True, slots=True)
class View:
    """What the reader chose beside the case: one field for each of `PARAMS`, with its default."""

    show: str = "roofline"
    drawn: str = "steps"
    """Under the roof: whole steps, or every operation."""
    phase: str = "decode"
    """Whose operations the bars show."""
    evidence: str = "matmuls"
    ratio: str = "gb_per_tflop_per_s"
    points: bool = True
    """Measured points on the chip's roof."""
    others: tuple[str, ...] = ()
    """Further chips under whose roofs the same work is drawn."""
    roofs: tuple[str, ...] = ()
    """Further precisions of the chip."""
    levels: bool = False
    """The roofs of the chip's on-chip memory levels."""
    config: str = ""
    """The reader's own model; empty for that of the case."""
    format: str = "bf16"
    kv: str = "bf16"
    activations: str = "bf16"
    tensor_parallel: int | None = None
    """GPUs that share each layer; None for all chips of the case that can."""
    kernels: str = "fused"
    """Nothing elementwise goes through memory: with the half below the least that a chip must do, so that the time is a bound."""
    half_square: bool = True
    """Only the pairs that a causal mask keeps; papers count the whole square."""
    recompute: str = "none"
    accumulate: str = "fp32"
    prompt: int | None = None
    """Tokens of the prompt; None for the case's context."""
    tpot: int = 50
    """Milliseconds per output token that must be met."""
    reported: int | None = None
    """Tokens per second that the reader measured."""
    peak: int | None = None
    """TFLOP/s of an own chip."""
    bandwidth: int | None = None
    """GB/s of an own chip."""
    memory: int | None = None
    """GB of an own chip."""


_D = View()
_RANGES: Mapping[str, tuple[int, int]] = {
    "tensor_parallel": (1, 65_536), "prompt": (1, MAX_CONTEXT), "tpot": (1, 100_000), "reported": (1, 10_000_000_000),
    "peak": (1, 1_000_000), "bandwidth": (1, 10_000_000), "memory": (1, 1_000_000),
}  # fmt: skip
PARAMS: tuple[Param, ...] = (
    choice("show", FIGURES, _D.show),
    choice("drawn", DRAWN, _D.drawn),
    choice("phase", PHASES, _D.phase),
    choice("evidence", EVIDENCE, _D.evidence),
    choice("ratio", RATIOS, _D.ratio),
    flag("points", default=True),
    names("others", limit=4),
    names("roofs", limit=4),
    flag("levels"),
    text("config"),
    choice("format", FORMATS, _D.format),
    choice("kv", kv_cache.FORMATS, _D.kv),
    choice("activations", ACTIVATIONS, _D.activations),
    choice("kernels", KERNELS, _D.kernels),
    flag("half_square", default=True),
    choice("recompute", RECOMPUTE, _D.recompute),
    choice("accumulate", ACCUMULATE, _D.accumulate),
    *(number(name, getattr(_D, name), *limits) for name, limits in _RANGES.items()),
)

WORDS: Mapping[str, Mapping[str, str]] = {
    "show": {
        "roofline": N_("The roof"), "time": N_("Time by operation"), "kv": N_("KV cache's share"), "measured": N_("Measured against the roof"),
        "ridge": N_("Ridge over time"), "capacity": N_("Memory per arithmetic"), "study": N_("The article's case study"),
    },
    "drawn": {"steps": N_("Whole steps"), "operations": N_("Every operation")},
    "phase": {"decode": N_("Decode"), "prefill": N_("Prefill")},
    "evidence": {"matmuls": N_("Matrix products"), "decode": N_("Decoding by device"), "engines": N_("By engine and kind of work"),
                 "formats": N_("By number format")},
    "ratio": {"gb_per_tflop_per_s": N_("GB per TFLOP/s"), "bytes_per_flop": N_("Bytes moved per FLOP")},
    "kernels": {"flash": "FlashAttention", "eager": N_("plain"), "fused": N_("all fused")},
    "recompute": {"none": N_("nothing"), "selective": N_("attention core"), "full": N_("every layer")},
    "accumulate": {"fp32": N_("in 32 bits"), "fp16": N_("in 16 bits")},
    "activations": {"bf16": "BF16", "fp16": "FP16", "fp8": "FP8", "int8": "INT8", "fp32": "FP32"},
    "roofs": {"fp32": "FP32", "tf32": "TF32", "fp8": "FP8", "fp4": "FP4", "int8": "INT8"},
}  # fmt: skip
LABELS: Mapping[str, str] = {
    "format": N_("Weight format"), "kv": N_("KV cache format"), "activations": N_("Activations"), "tensor_parallel": N_("Tensor parallel"),
    "kernels": N_("Kernels"), "half_square": N_("Half of causal attention"), "recompute": N_("Recompute"),
    "accumulate": N_("Matrix units add"), "prompt": N_("Prompt (tokens)"), "peak": N_("Own chip: TFLOP/s"),
    "bandwidth": N_("Own chip: GB/s"), "memory": N_("Own chip: GB"), "points": N_("Measured points"), "levels": N_("On-chip memory levels"),
    "tpot": N_("At most ms per token"), "reported": N_("You measured (tokens/s)"),
}  # fmt: skip


def words(param: str) -> dict[str, str]:
    """The options of choice `param`, by id, in the language in use."""
    if param in ("format", "kv"):
        options = FORMATS if param == "format" else tuple(kv_cache.FORMATS)
        return {name: _format(name, options) for name in options}
    return {option: _(said) for option, said in WORDS[param].items()}


def _format(name: str, options: Collection[str]) -> str:
    """A format's name without its prefix, unless another one is called that: a list tells options apart by their names."""
    mix = name.removeprefix(quantization.GGUF)
    return f"GGUF {mix}" if mix != name and mix.lower() in options else mix if mix != name else name.upper()


def label(param: str) -> str:
    """What `param` is called, in the language in use."""
    return _(LABELS[param])


def chips() -> dict[str, str]:
    """Chips that have a roof, by id."""
    return {id: chip.name for id, chip in catalog.chips().items() if (chip.fp16_flop_per_s or chip.fp32_flop_per_s) and chip.memory_bytes_per_s}


def groups(*, trains: bool) -> tuple[Group, ...]:
    """Every other setting, grouped."""
    phase = ("kernels", "half_square", *(("recompute",) if trains else ()))
    return (
        Group(_("Formats"), _settings("kv", "activations")),
        Group(_("Work"), _settings(*phase, *(() if trains else ("prompt",)))),
        Group(_("GPUs"), _settings("tensor_parallel", "accumulate")),
        Group(_("A chip by its numbers"), _settings("peak", "bandwidth", "memory")),
    )


def _settings(*names: str) -> tuple[Setting, ...]:
    return tuple(_setting(name) for name in names)


def _setting(name: str) -> Setting:
    if name in _RANGES:
        return Setting(name, label(name), {}, *_RANGES[name])
    options: Mapping[Any, str] = words(name) if name in WORDS or name in ("format", "kv") else {}
    return Setting(name, label(name), options)
