"""What a model is made of: every tensor by layer, read from a Hugging Face ``config.json``; the parameter count follows.

An `Architecture` is a list of tensors with their exact shapes, and what its layers do with them (attention, experts, state space). Every
byte of the footprint is derived from it: counts, weights in any format, KV cache, activations, LoRA adapters, optimizer state.

`config` checks what comes in, `families` knows who has which layers, `blocks` knows the tensors of each block, `parts` is what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wallviz.engine.transformer.config import HIDDEN, INNER, Config, parse, shown
from wallviz.engine.transformer.defaults import INNER_SIZES
from wallviz.engine.transformer.families import ALIASES, READERS, generic, vision
from wallviz.engine.transformer.parts import (
    COMPONENTS,
    Architecture,
    Attention,
    Dense,
    Experts,
    LatentAttention,
    Layer,
    Recurrent,
    Remark,
    Tensor,
)
from wallviz.errors import InputError
from wallviz.i18n import N_

__all__ = [
    "COMPONENTS",
    "Architecture",
    "Attention",
    "Dense",
    "Experts",
    "LatentAttention",
    "Layer",
    "Recurrent",
    "Remark",
    "Tensor",
    "architecture",
    "custom",
]


def architecture(config: Mapping[str, Any] | str, *, name: str = "") -> Architecture:
    """The exact architecture that a ``config.json`` (its text, or the mapping in it) describes.

    The counts are those of the class that ``architectures`` names, as transformers builds it. GPT-2 XL has 1,557,611,200 parameters:

    >>> gpt2_xl = {"model_type": "gpt2", "n_embd": 1600, "n_layer": 48, "n_head": 25, "n_positions": 1024, "vocab_size": 50257}
    >>> architecture(gpt2_xl).parameters
    1557611200

    Raises `InputError`, one sentence with the field, its value and the rule, for anything that is no such config.
    """
    data = parse(config) if isinstance(config, str) else config
    if not isinstance(data, Mapping):
        raise InputError(N_("a config.json is an object in braces, not {value}: paste the whole file"), value=shown(data))
    kind = Config(data, "").text("model_type")
    inner, inner_kind = _language_model(data, kind)
    known = ALIASES.get(inner_kind, inner_kind)
    c = Config(inner, known, outer=data)
    if inner is not data:
        c.defaults = {**INNER_SIZES.get(known, {}), **c.defaults}
    found = (READERS.get(known) or generic.read)(c)
    found = _with_tower(found, c, kind)
    _say_what_is_left_out(c)
    label = name or str(data.get("_name_or_path") or "")[:200]
    return replace(found, name=label or kind or "config.json", remarks=tuple(c.remarks))


def _language_model(data: Mapping[str, Any], kind: str) -> tuple[Mapping[str, Any], str]:
    """The part of a config that describes the language model, and its ``model_type``."""
    if isinstance(thinker := data.get("thinker_config"), Mapping):
        data = thinker
    for key in INNER:
        inner = data.get(key)
        if isinstance(inner, Mapping) and (inner or not any(name in data for name in HIDDEN)):
            inner_kind = inner.get("model_type")
            return inner, inner_kind if isinstance(inner_kind, str) and inner_kind else kind
    if kind == "step3p7":  # its class reads text_config alone, and fills what is not there: layers of a flat config are kept, sizes are not
        kept = {key: data[key] for key in ("layer_types", "sliding_window", "max_position_embeddings", "num_nextn_predict_layers") if key in data}
        return {**STEP, **kept}, "step3p5"
    return data, kind


#: The text model of Step 3.7 as its class fills it.
STEP: Mapping[str, Any] = {
    "vocab_size": 128815,
    "hidden_size": 4096,
    "intermediate_size": 11264,
    "num_hidden_layers": 45,
    "num_attention_heads": 64,
}


def _with_tower(found: Architecture, c: Config, kind: str) -> Architecture:
    """The architecture with its vision tower, where the class that is counted has one."""
    whole = c.outer.get("thinker_config") if isinstance(c.outer.get("thinker_config"), Mapping) else c.outer
    outer = Config(whole if isinstance(whole, Mapping) else c.outer, kind, remarks=c.remarks)
    named = outer.listing("architectures")
    text_only = bool(named) and str((named or [""])[0]).endswith("ForCausalLM")
    parts = [key for key in ("vision_config", "audio_config", "visual", "vision_tower_config") if isinstance(outer.data.get(key), Mapping)]
    tower = vision.TOWERS.get(kind)
    if tower is None or text_only or not ("vision_config" in parts or kind == "step3p7"):
        for part in parts:
            if text_only:
                c.remark(N_("{part} is not counted: the class {name} is the language model alone."), part=part, name=str((named or [""])[0])[:80])
            else:
                c.remark(N_("{part} is not counted: the layers of this tower are not known here."), part=part)
        return found
    tensors = tower(Config(outer.mapping("vision_config"), kind, outer=outer.data, remarks=c.remarks), found.hidden_size)
    for part in parts:
        if part != "vision_config":
            c.remark(N_("{part} is not counted: the layers of this tower are not known here."), part=part)
    size = sum(tensor.size for tensor in tensors)
    return replace(found, outer=(*found.outer, *tensors), vision_parameters=size)


def _say_what_is_left_out(c: Config) -> None:
    """Layers that a config names and the class does not build."""
    for key in ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules", "mtp_num_layers"):
        count = c.data.get(key)
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            c.remark(N_("{field} = {count}: layers that predict further tokens are not counted."), field=key, count=count)
    if isinstance(c.outer.get("talker_config"), Mapping):
        c.remark(N_("{part} is not counted: the layers of this tower are not known here."), part="talker_config")


def custom(
    *,
    layers: int,
    hidden_size: int,
    heads: int,
    ffn: int,
    vocab: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    tied: bool = False,
    gated: bool = True,
    name: str = "",
) -> Architecture:
    """A dense model with grouped attention by its numbers alone, without biases.

    Llama 3.1 8B:

    >>> custom(layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn=14336, vocab=128256).parameters
    8030261248
    """
    config = {
        "model_type": "llama" if gated else "arcee",
        "num_hidden_layers": layers,
        "hidden_size": hidden_size,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "intermediate_size": ffn,
        "vocab_size": vocab,
        "tie_word_embeddings": tied,
    }
    return replace(architecture(config, name=name or "custom"), family="custom")
