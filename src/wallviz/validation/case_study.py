"""The article's own case study: BERT and GPT-2, operation by operation, at one byte a value (Kim et al. 2023, arXiv 2302.14017, section 2.3).

Table 3 is BERT-Base over a sequence, table 10 the same with 4 wider heads, table 11 GPT-2 writing one token after another; figures 4 to 6
have BERT-Large too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from wallviz.engine.transformer import Architecture, architecture
from wallviz.engine.work import Operation, operations
from wallviz.i18n import N_

#: How the paper groups operations.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "MHA projections": ("projections", "output_projection"),
    "MHA act-to-act": ("attention_scores", "attention_values"),
    "FFN projections": ("mlp",),
    "Other": ("other",),
}
TOTAL = "Total"
NAMES: Mapping[str, str] = {
    "MHA projections": N_("Attention projections"),
    "MHA act-to-act": N_("Attention scores and values"),
    "FFN projections": N_("Feed-forward"),
    "Other": N_("Norms and other elementwise"),
    TOTAL: N_("In all"),
}
MODELS: Mapping[str, str] = {
    "bert-base": "BERT-Base",
    "bert-base-4-heads": N_("BERT-Base with 4 heads"),
    "bert-large": "BERT-Large",
    "gpt-2": "GPT-2",
}


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One line of the paper's tables, recomputed."""

    model: str
    sequence: int
    group: str
    """A key of `NAMES`."""
    flop: float
    bytes: float

    @property
    def intensity(self) -> float:
        """FLOP per byte."""
        return self.flop / self.bytes


@lru_cache(maxsize=8)
def model(name: str) -> Architecture:
    """The layers of one of `MODELS`, nothing around them; GPT-2 with BERT-Base's sizes (arXiv 2302.14017, table 2)."""
    layers, hidden, heads = (24, 1024, 16) if name == "bert-large" else (12, 768, 4 if name == "bert-base-4-heads" else 12)
    if name == "gpt-2":
        return _layers({"model_type": "gpt2", "n_embd": hidden, "n_layer": layers, "n_head": heads, "n_positions": 4096, "vocab_size": 50257})
    sizes = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4 * hidden}
    return _layers({"model_type": "bert", **sizes, "vocab_size": 30522, "max_position_embeddings": 4096, "type_vocab_size": 2})


def _layers(config: Mapping[str, object]) -> Architecture:
    return replace(architecture(config), outer=())


@lru_cache(maxsize=256)
def rows(name: str, sequence: int) -> tuple[StudyRow, ...]:
    """The five lines of `name` (a key of `MODELS`) at `sequence` tokens: the encoder reads them, GPT-2 writes them one by one.

    Every value takes one byte and eager kernels write the scores. At position i GPT-2 reads i cached keys and values:

    >>> [round(row.intensity, 2) for row in rows("bert-base", 512)]
    [438.86, 102.4, 558.54, 2.74, 228.59]
    >>> [round(row.intensity, 1) for row in rows("gpt-2", 512)][-1]
    2.0
    """
    writes = name == "gpt-2"
    contexts = np.arange(1.0, sequence + 1.0) if writes else float(sequence)
    found = operations(
        model(name),
        "decode" if writes else "prefill",
        1,
        contexts,
        weights="fp8-tensor",
        kv="fp8",
        activations="fp8",
        kernels="eager",
        vectors=False,
    )
    by_id = {op.id: op for op in found}
    lines = [StudyRow(name, sequence, group, *_sum([by_id[id] for id in ids])) for group, ids in GROUPS.items()]
    return (*lines, StudyRow(name, sequence, TOTAL, sum(line.flop for line in lines), sum(line.bytes for line in lines)))


def _sum(found: list[Operation]) -> tuple[float, float]:
    return sum(float(np.sum(op.flop)) for op in found), sum(float(np.sum(op.bytes)) for op in found)
