"""Compare with the classes of transformers, offline: not part of any test, needs ``pip install torch transformers``.

python tools/judge.py counts [config.json ...]     parameters of the class on torch's meta device (every preset by default)
python tools/judge.py saved [MODEL_TYPE ...]       bytes that autograd saves per token and layer, for small models on a CPU
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

TOKENS = 128
SMALL: dict[str, Any] = {
    "hidden_size": 512,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "intermediate_size": 1536,
    "vocab_size": 1000,
    "max_position_embeddings": 4096,
    "pad_token_id": 0,
}
KINDS = ("llama", "qwen2", "qwen3", "mistral", "gemma", "gemma3_text", "phi3", "olmo2", "starcoder2", "granite", "stablelm")


def built(config: dict[str, Any]) -> Any:
    """The class that a config names, without any memory."""
    import torch
    import transformers
    from transformers.models.auto import modeling_auto

    read = transformers.CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
    named = (config.get("architectures") or [modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config["model_type"])])[0]
    cls = getattr(transformers, named)
    if cls.config_class is not None and not isinstance(read, cls.config_class):
        read = read.get_text_config()
    with torch.device("meta"):
        return cls(read)


def counts(paths: list[str]) -> None:
    """Parameters, theirs and ours."""
    from wallviz.engine.transformer import architecture

    for path in paths or sorted(map(str, (ROOT / "data" / "configs").glob("*.json"))):
        config = json.loads(Path(path).read_text("utf-8"))
        try:
            theirs: object = sum(parameter.numel() for parameter in built(config).parameters())
        except Exception as error:  # a class that this version of transformers lacks
            theirs = f"{type(error).__name__}: {error}"[:60]
        ours = architecture(config).parameters
        print(f"{'=' if theirs == ours else '!'} {Path(path).stem:32} {ours:>18,} {theirs if isinstance(theirs, str) else f'{theirs:,}':>18}")


def saved(kinds: list[str]) -> None:
    """Bytes per token that one more layer saves in bf16 with flash attention, theirs and ours."""
    from wallviz.engine.memory import activations
    from wallviz.engine.memory.run import Run
    from wallviz.engine.transformer import architecture

    for kind in kinds or KINDS:
        measured = (_saved(kind, 2) - _saved(kind, 1)) / TOKENS
        arch = architecture({**SMALL, "model_type": kind, "num_hidden_layers": 2})
        run = Run(precision="bf16-pure", sequence=TOKENS)
        ours = float(activations.per_rank(activations.layer(arch, arch.layers[-1], run), run))
        print(f"{kind:16} {ours:>10,.0f} {measured:>10,.0f} {ours / measured - 1:>+8.2%}")


def _saved(kind: str, layers: int) -> int:
    import torch
    import transformers

    config = transformers.AutoConfig.for_model(kind, **SMALL, num_hidden_layers=layers, use_cache=False)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").to(torch.bfloat16).train()
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, Any] = {}  # the tensors themselves too, so that no address is used twice

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(input_ids=torch.randint(0, 1000, (1, TOKENS)))
    return sum(size for size, _tensor in kept.values())


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    if chosen not in ("counts", "saved"):
        sys.exit(__doc__)
    (counts if chosen == "counts" else saved)(sys.argv[2:])
