"""How a time, a rate and a split are said, alike on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.engine.memory.run import Run
from wallviz.i18n import _


def rate(per_s: float) -> str:
    """Things per second, thousands separated: three digits are meant.

    >>> rate(626_234.0), rate(280.61), rate(11.42)
    ('626,000', '281', '11.4')
    """
    if per_s < 1000 or per_s == float("inf"):
        return units.significant(per_s)
    scale = 10.0 ** (len(str(int(per_s))) - 3)
    return f"{round(per_s / scale) * scale:,.0f}"


def split(run: Run) -> str:
    """How training is split: every kind of parallelism of more than one rank, the data parallel ranks, the ZeRO stage.

    >>> split(Run(tensor_parallel=8, pipeline_parallel=2, data_parallel=4, zero=1))
    'TP8×PP2×DP4, ZeRO-1'
    """
    ranks = {
        "TP": run.tensor_parallel, "PP": run.pipeline_parallel, "CP": run.context_parallel, "DP": run.data_parallel, "EP": run.expert_parallel,
    }  # fmt: skip
    shown = {name: int(n) for name, n in ranks.items() if name == "DP" or int(n) > 1}
    experts = shown.pop("EP", 0)
    parts = ["×".join(f"{name}{n:,}" for name, n in shown.items()), *([f"EP{experts:,}"] if experts else []), f"ZeRO-{int(run.zero)}"]
    return _(", ").join(parts)


def served_split(layout: Mapping[str, int]) -> str:
    """How serving is split: tensor parallel ranks, what else is more than one, and the copies.

    >>> served_split({"tensor_parallel": 4, "pipeline_parallel": 1, "expert_parallel": 1, "replicas": 2})
    'TP4, 2 copies'
    """
    names = (("TP", "tensor_parallel"), ("PP", "pipeline_parallel"), ("EP", "expert_parallel"))
    ranks = "×".join(f"{name}{layout[key]:,}" for name, key in names if name == "TP" or layout[key] > 1)
    return _(", ").join([ranks, *([_("{n} copies").format(n=f"{layout['replicas']:,}")] if layout["replicas"] > 1 else [])])
