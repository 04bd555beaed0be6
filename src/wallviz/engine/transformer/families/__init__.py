"""One reader per family: ``model_type`` to a function from a `Config` to an `Architecture`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallviz.engine.transformer.config import Config
from wallviz.engine.transformer.families import deepseek, encoder, gemma, gpt, hybrid, llama
from wallviz.engine.transformer.parts import Architecture

READERS: Mapping[str, Callable[[Config], Architecture]] = {
    **llama.FAMILIES,
    **gemma.FAMILIES,
    **gpt.FAMILIES,
    **encoder.FAMILIES,
    **deepseek.FAMILIES,
    **hybrid.FAMILIES,
}

#: Names that mean the same layers: older ones, and those of whole models of which the language model is one part.
ALIASES: Mapping[str, str] = {
    "RefinedWeb": "falcon",
    "RefinedWebModel": "falcon",
    "stablelm_epoch": "stablelm",
    "mixformer-sequential": "phi",
    "phi-msft": "phi",
    "yi": "llama",
    "aquila": "llama",
    "kimi_k2": "deepseek_v3",
    "kimi_k25": "deepseek_v3",
    "kimi_vl": "deepseek_v3",
    "deepseek_vl_v2": "deepseek_v2",
    "minimax_text_01": "minimax",
    "minimax_m1": "minimax",
    "MiniMaxText01": "minimax",
    "MiniMaxM1": "minimax",
    "gemma3": "gemma3_text",
    "gemma3n": "gemma3n_text",
    "gemma4": "gemma4_text",
    "llama4": "llama4_text",
    "qwen2_vl": "qwen2_vl_text",
    "qwen2_5_vl": "qwen2_5_vl_text",
    "qwen2_5_omni_text": "qwen2",
    "qwen3_vl": "qwen3_vl_text",
    "qwen3_vl_moe": "qwen3_vl_moe_text",
    "qwen3_omni_moe_text": "qwen3_moe",
    "qwen3_5": "qwen3_5_text",
    "qwen3_5_moe": "qwen3_5_moe_text",
    "step3p7": "step3p5",
    "step3p5_text": "step3p5",
    "xlm-roberta": "roberta",
    "camembert": "roberta",
    "gpt_sw3": "gpt2",
}
