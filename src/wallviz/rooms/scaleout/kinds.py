"""The kinds of parallelism that put bytes on the wire."""

from __future__ import annotations

from wallviz.i18n import N_

#: Kinds of parallelism in what the wires carry: name, step of the network hue, dark to light.
KINDS: dict[str, tuple[str, str]] = {
    "data_parallel": (N_("Gradients and weights (data parallel)"), "#8F4271"),
    "tensor_parallel": (N_("Sums within layers (tensor parallel)"), "#C372A0"),
    "context_parallel": (N_("Keys and values (context parallel)"), "#D796BA"),
    "expert_parallel": (N_("Tokens to experts (expert parallel)"), "#E7BBD3"),
    "pipeline_parallel": (N_("Activations between stages (pipeline)"), "#F3DDE9"),
}
EDGE = "#8F4271"
"""The outline of the lighter ones."""
