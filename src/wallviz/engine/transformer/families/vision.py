"""Vision towers: how many parameters they have, as tensors of one component. A tower whose keys are not known is not counted, and that is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wallviz.engine.transformer import blocks
from wallviz.engine.transformer.blocks import Tensors
from wallviz.engine.transformer.config import LAYER_LIMIT, Config
from wallviz.engine.transformer.parts import Tensor

VISION = "vision"


def _linear(name: str, out: int, into: int, *, bias: bool = True) -> Tensors:
    return blocks.linear(name, out, into, VISION, bias=bias)


def _norm(name: str, width: int, *, bias: bool = True) -> Tensors:
    return blocks.norm(name, width, bias=bias, component=VISION)


def _block(width: int, inner: int, *, scales: bool = False) -> Tensors:
    """One layer of a plain ViT: two norms, four projections, two feed-forward matrices, all with biases."""
    found = _norm("norm1", width) + _norm("norm2", width)
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        found += _linear(name, width, width)
    if scales:
        found += _norm("lambda_1", width, bias=False) + _norm("lambda_2", width, bias=False)
    return found + _linear("fc1", inner, width) + _linear("fc2", width, inner)


def _stack(depth: int, layer: Tensors) -> Tensors:
    """`depth` layers as one stack of each tensor."""
    return [Tensor(tensor.name, (depth, *tensor.shape), VISION, tensor.linear) for tensor in layer]


def qwen3_vl(v: Config, hidden: int) -> Tensors:
    """Qwen3-VL and Qwen3.5: 3-D patches, learned positions, a merger of 2 x 2 patches, one more per deepstack layer."""
    width, inner = v.integer("hidden_size", default=1152), v.integer("intermediate_size", default=4304)
    patch, frames = v.integer("patch_size", default=16, most=LAYER_LIMIT), v.integer("temporal_patch_size", default=2, most=LAYER_LIMIT)
    found = [Tensor("patch_embed", (width, v.integer("in_channels", default=3), frames, patch, patch), VISION)]
    found += [Tensor("patch_embed.bias", (width,), VISION), Tensor("pos_embed", (v.integer("num_position_embeddings", default=2304), width), VISION)]
    found += _stack(v.integer("depth", default=27, most=LAYER_LIMIT), _block(width, inner))
    merged = width * v.integer("spatial_merge_size", default=2, most=64) ** 2
    out = v.integer("out_hidden_size", default=hidden)
    deep = v.integers("deepstack_visual_indexes")
    for i in range(1 + len(deep if deep is not None else [8, 16, 24] if "3_5" not in v.kind else [])):
        found += _norm(f"merger.{i}.norm", merged if i else width)
        found += _linear(f"merger.{i}.linear_fc1", merged, merged) + _linear(f"merger.{i}.linear_fc2", out, merged)
    return found


def qwen2_vl(v: Config, hidden: int) -> Tensors:
    """Qwen2-VL: LayerNorm, plain feed-forward layers, a merger without positions."""
    width, ratio = v.integer("embed_dim", default=1280), v.integer("mlp_ratio", default=4, most=64)
    patch = v.integer("patch_size", default=14, most=LAYER_LIMIT)
    found = [Tensor("patch_embed", (width, v.integer("in_channels", "in_chans", default=3), 2, patch, patch), VISION)]
    found += _stack(v.integer("depth", default=32, most=LAYER_LIMIT), _block(width, width * ratio))
    merged = width * v.integer("spatial_merge_size", default=2, most=64) ** 2
    return (
        found
        + _norm("merger.ln_q", width)
        + _linear("merger.0", merged, merged)
        + _linear("merger.2", v.integer("hidden_size", default=hidden), merged)
    )


def qwen2_5_vl(v: Config, hidden: int) -> Tensors:
    """Qwen2.5-VL: RMSNorm and gated feed-forward layers with biases."""
    width, inner = v.integer("hidden_size", default=3584), v.integer("intermediate_size", default=3420)
    patch = v.integer("patch_size", default=14, most=LAYER_LIMIT)
    found = [Tensor("patch_embed", (width, v.integer("in_channels", "in_chans", default=3), 2, patch, patch), VISION)]
    layer = _norm("norm1", width, bias=False) + _norm("norm2", width, bias=False)
    layer += _linear("qkv", 3 * width, width) + _linear("proj", width, width)
    layer += _linear("gate_proj", inner, width) + _linear("up_proj", inner, width) + _linear("down_proj", width, inner)
    merged = width * v.integer("spatial_merge_size", default=2, most=64) ** 2
    found += _stack(v.integer("depth", default=32, most=LAYER_LIMIT), layer) + _norm("merger.ln_q", width, bias=False)
    return found + _linear("merger.0", merged, merged) + _linear("merger.2", v.integer("out_hidden_size", default=hidden), merged)


def kimi(v: Config, hidden: int) -> Tensors:
    """Kimi K2.5's MoonViT: a grid of learned positions, a projector of 2 x 2 patches."""
    width = v.integer("vt_hidden_size", "hidden_size", default=1152)
    inner = v.integer("vt_intermediate_size", "intermediate_size", default=4304)
    patch = v.integer("patch_size", default=14, most=LAYER_LIMIT)
    grid = v.integer("init_pos_emb_height", "pos_emb_height", default=64) * v.integer("init_pos_emb_width", "pos_emb_width", default=64)
    found = [Tensor("patch_embed", (width, 3, patch, patch), VISION), Tensor("patch_embed.bias", (width,), VISION)]
    found += [Tensor("pos_emb", (grid, width), VISION), *_norm("final_layernorm", width)]
    found += _stack(v.integer("vt_num_hidden_layers", "num_hidden_layers", default=27, most=LAYER_LIMIT), _block(width, inner))
    kernel = v.integers("merge_kernel_size") or [2, 2]
    merged = width
    for side in kernel[:2]:
        merged *= max(side, 1)
    before = Config(v.outer, "").integer("projection_hidden_size", default=v.integer("mm_hidden_size", default=width))
    return found + _norm("pre_norm", before) + _linear("in_proj", merged, merged) + _linear("out_proj", hidden, merged)


def step(v: Config, hidden: int) -> Tensors:
    """Step 3.7: a wide ViT with layer scales, two strided convolutions, a projector without bias."""
    width = v.integer("hidden_size", "width", default=1536)
    inner = round(width * v.ratio("mlp_ratio", default=8960 / 1536, most=64.0))
    patch, side = v.integer("patch_size", default=14, most=LAYER_LIMIT), v.integer("image_size", default=728, most=LAYER_LIMIT)
    found = [Tensor("patch_embedding", (width, 3, patch, patch), VISION), Tensor("position_embedding", ((side // patch) ** 2, width), VISION)]
    found += _norm("pre_layernorm", width)
    for name, into in (("downsampler1", width), ("downsampler2", 2 * width)):
        found += [Tensor(name, (2 * into, into, 3, 3), VISION), Tensor(f"{name}.bias", (2 * into,), VISION)]
    found += _stack(v.integer("num_hidden_layers", "layers", default=47, most=LAYER_LIMIT), _block(width, inner, scales=True))
    return found + _linear("multi_modal_projector", hidden, 4 * width, bias=False)


def siglip(v: Config, hidden: int) -> Tensors:
    """SigLIP of Gemma 3: biased layers, learned positions, a pooling head where it is used, a projection without bias."""
    width, inner = v.integer("hidden_size", default=768), v.integer("intermediate_size", default=3072)
    patch, side = v.integer("patch_size", default=16, most=LAYER_LIMIT), v.integer("image_size", default=224, most=LAYER_LIMIT)
    found = [Tensor("patch_embedding", (width, v.integer("num_channels", default=3), patch, patch), VISION)]
    found += [Tensor("patch_embedding.bias", (width,), VISION), Tensor("position_embedding", ((side // patch) ** 2, width), VISION)]
    found += _stack(v.integer("num_hidden_layers", default=12, most=LAYER_LIMIT), _block(width, inner)) + _norm("post_layernorm", width)
    if v.flag("vision_use_head", default=True):
        found += [Tensor("head.probe", (width,), VISION), *_linear("head.in_proj", 3 * width, width), *_linear("head.out_proj", width, width)]
        found += _norm("head.layernorm", width) + _linear("head.fc1", inner, width) + _linear("head.fc2", width, inner)
    return [*found, *_linear("mm_input_projection", hidden, width, bias=False), *_norm("mm_soft_emb_norm", width, bias=False)]


def pixtral(v: Config, hidden: int) -> Tensors:
    """Pixtral of Mistral Small 3.1: RMSNorm, gated layers, no biases, a merger of patches and a projector of two layers."""
    width, inner = v.integer("hidden_size", default=1024), v.integer("intermediate_size", default=4096)
    patch = v.integer("patch_size", default=16, most=LAYER_LIMIT)
    layer = _norm("attention_norm", width, bias=False) + _norm("ffn_norm", width, bias=False)
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        layer += _linear(name, width, width, bias=False)
    for name in ("gate_proj", "up_proj"):
        layer += _linear(name, inner, width, bias=False)
    layer += _linear("down_proj", width, inner, bias=False)
    found = [Tensor("patch_conv", (width, v.integer("num_channels", default=3), patch, patch), VISION), *_norm("ln_pre", width, bias=False)]
    found += _stack(v.integer("num_hidden_layers", default=24, most=LAYER_LIMIT), layer)
    whole = Config(v.outer, "")
    merged = width * whole.integer("spatial_merge_size", default=2, most=64) ** 2
    bias = whole.flag("multimodal_projector_bias")
    found += _norm("projector.norm", width, bias=False) + _linear("merging_layer", width, merged, bias=False)
    return found + _linear("linear_1", hidden, width, bias=bias) + _linear("linear_2", hidden, hidden, bias=bias)


def llama4(v: Config, hidden: int) -> Tensors:
    """Llama 4: a class token, patches as one linear layer, an adapter behind the pixel shuffle, a projection."""
    width, inner = v.integer("hidden_size", default=768), v.integer("intermediate_size", default=5632)
    patch, side = v.integer("patch_size", default=14, most=LAYER_LIMIT), v.integer("image_size", default=448, most=LAYER_LIMIT)
    found = [Tensor("class_embedding", (width,), VISION), Tensor("positional_embedding_vlm", ((side // patch) ** 2 + 1, width), VISION)]
    found += _linear("patch_embedding", width, v.integer("num_channels", default=3) * patch**2, bias=False)
    found += _norm("layernorm_pre", width) + _norm("layernorm_post", width)
    found += _stack(v.integer("num_hidden_layers", default=34, most=LAYER_LIMIT), _block(width, inner))
    into, out = v.integer("projector_input_dim", default=4096), v.integer("projector_output_dim", default=4096)
    found += _linear("adapter.fc1", into, inner, bias=False) + _linear("adapter.fc2", out, into, bias=False)
    return found + _linear("multi_modal_projector", hidden, v.integer("vision_output_dim", default=7680), bias=False)


TOWERS: Mapping[str, Callable[[Config, int], Tensors]] = {
    "qwen3_vl": qwen3_vl,
    "qwen3_vl_moe": qwen3_vl,
    "qwen3_5": qwen3_vl,
    "qwen3_5_moe": qwen3_vl,
    "qwen2_vl": qwen2_vl,
    "qwen2_5_vl": qwen2_5_vl,
    "kimi_k25": kimi,
    "step3p7": step,
    "gemma3": siglip,
    "mistral3": pixtral,
    "llama4": llama4,
}
"""``model_type`` of the whole model to the tensors of its tower, from its ``vision_config`` and the language model's hidden size."""
