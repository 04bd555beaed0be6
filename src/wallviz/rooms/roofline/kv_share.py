"""The KV cache's share of what a token reads, over the context."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wallviz.figures import roofline as figures
from wallviz.figures.roofline import DotSeries, SeriesDot
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
    series: list[DotSeries] = []
    rows: list[dict[str, object]] = []
    for batch in batches:
        share = np.asarray(across(now, CONTEXTS, batch).kv_share)
        dots = tuple(
            SeriesDot(
                float(n),
                float(y),
                _("batch {batch}, {n} tokens").format(batch=f"{batch:,}", n=f"{int(n):,}"),
                (_("{share} of the bytes").format(share=percent(float(y), 1)), _("computed"), ""),
            )
            for n, y in zip(CONTEXTS, share, strict=True)
        )
        series.append(DotSeries(_("batch {batch}").format(batch=f"{batch:,}"), "memory", dots, joined=True, dash=figures.DASHES[len(series) % 6]))
        rows += [{_("batch"): batch, _("context"): int(dot.x), _("KV cache's share of the bytes"): dot.y} for dot in dots]
    own = float(now.steps["decode"].kv_share)
    return Answer(
        name="roofline",
        sentence=_("At batch {batch} and {n} tokens, the KV cache is {share} of what a decoding step reads.").format(
            batch=f"{now.case.batch:,}", n=f"{now.case.context:,}", share=percent(own)
        ),
        drawing=figures.lines(
            series,
            name=_("KV cache's share of the bytes of a decoding step"),
            across=_("Tokens in the cache of each sequence"),
            kind="times",
            across_kind="count",
            revision="kv",
            log_x=True,
            percent=True,
        ),
        sure=_("exact but for kernels"),
        trust="green",
        caption=f"{now.arch.name} · {now.name}",
        rows=lambda: tuple(rows),
        sources=("kim_2023", "scaling_book"),
    ).with_spec()
