"""The KV cache's share of what a token reads, over the context."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wallviz.figures.axes import Axis, said
from wallviz.figures.plane import Dot, Line, plane
from wallviz.figures.style import DASHES
from wallviz.i18n import _
from wallviz.rooms import Answer
from wallviz.rooms.roofline.job_on_chip import Workload, across
from wallviz.units import percent

CONTEXTS: NDArray[np.float64] = 2.0 ** np.arange(7, 21, dtype=np.float64)


def kv_share(now: Workload) -> Answer:
    """The share of a decoding step's bytes that are KV cache, over the context, for three batches."""
    if "decode" not in now.steps:
        return Answer("roofline", _("Only serving reads a KV cache: choose that job, or another figure."), None, sure=_("cannot run"), trust="red")
    batches = sorted({1, 8, 64, now.case.batch})
    lines: list[Line] = []
    groups: list[list[Dot]] = []
    rows: list[dict[str, object]] = []
    for batch in batches:
        share = np.asarray(across(now, CONTEXTS, batch).kv_share)
        dots = []
        for n, y in zip(CONTEXTS.tolist(), share.tolist(), strict=True):
            name = _("batch {batch}, {n} tokens").format(batch=f"{batch:,}", n=f"{int(n):,}")
            hover = ("", name, _("{share} of the bytes").format(share=percent(y, 1)), _("computed"))
            dots.append(Dot(n, y, "memory", hover, open=True, size=8))
        words = _("batch {batch}").format(batch=f"{batch:,}")
        lines.append(Line("memory", words, CONTEXTS.tolist(), share.tolist(), dash=DASHES[len(lines) % len(DASHES)]))
        groups.append(dots)
        rows += [{_("batch"): batch, _("context"): int(dot.x), _("KV cache's share of the bytes"): dot.y} for dot in dots]
    own = float(now.steps["decode"].kv_share)
    return Answer(
        name="roofline",
        sentence=_("At batch {batch} and {n} tokens, the KV cache is {share} of what a decoding step reads.").format(
            batch=f"{now.case.batch:,}", n=f"{now.case.context:,}", share=percent(own)
        ),
        drawing=plane(
            lines,
            groups,
            across=Axis(_("Tokens in the cache of each sequence"), said("count")),
            up=Axis(_("KV cache's share of the bytes of a decoding step"), percent, log=False, high=1.04),
            revision="kv",
        ),
        sure=_("exact but for kernels"),
        trust="green",
        caption=f"{now.arch.name} · {now.name}",
        rows=lambda: tuple(rows),
        sources=("kim_2023", "scaling_book"),
    ).with_spec()
