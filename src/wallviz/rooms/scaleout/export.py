"""Every number of the page as JSON: the record that the command line prints, beside what the page draws and says."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from wallviz import __version__
from wallviz.engine.scaleout import record
from wallviz.errors import InputError
from wallviz.job import Job
from wallviz.rooms import Answer
from wallviz.rooms.scaleout.choices import View
from wallviz.rooms.scaleout.over_chips import best, served, study, ways
from wallviz.validation import scaling_cases


def document(case: Job, view: View, page: Answer) -> str:
    """All that the page shows, numbers in base units; what cannot run gives its reason alone.

    ``record`` is the document of ``wallviz scaleout --json`` for the same job.
    """
    found: dict[str, Any] = {
        "wallviz": __version__,
        "case": asdict(case),
        "view": asdict(view),
        "sentence": page.sentence,
        "figure": {"shows": view.show, "badge": page.sure, "caption": page.caption, "rows": [dict(row) for row in page.table]},
        "evidence": [
            {"case": one.row.case, "inputs": dict(one.row.inputs), "published": one.row.expected, "predicted": one.predicted, "unit": one.row.unit,
             "miss": one.miss, "source": one.row.source}
            for one in scaling_cases.runs()
        ],
        "sweeps": [
            {"machine": name, "alpha_s": pair.alpha_s, "beta_bytes_per_s": pair.beta_bytes_per_s, "mean_miss": pair.mean, "worst_miss": pair.worst}
            for name, pair in scaling_cases.sweeps().items()
        ],
    }  # fmt: skip
    try:
        found["record"] = _serving(case, view) if case.job == "infer" else _training(case, view)
    except InputError as error:
        found |= {"record": None, "reason": str(error)}
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False)


def _training(case: Job, view: View) -> dict[str, Any]:
    now = study(case, view)
    layouts = best(case, view) if now.chip.memory_bytes is not None else None
    others = {
        "tokens_per_gpu": now.tokens_per_chip,
        "flop_per_byte_sent": now.small_flop_per_byte,
    }
    return record.training(now.job, layouts) | {"flop_per_byte_sent": now.flop_per_byte, "small_job": others}


def _serving(case: Job, view: View) -> dict[str, Any]:
    now = served(case, view)
    return record.serving(now.job) | {
        "ways": [
            {
                "layout": dict(way.job.layout),
                "sequences": round(float(way.job.step.batch)),
                "tokens_per_s": float(way.job.step.tokens_per_s),
                "step_s": float(way.job.step.step_s),
                "peak_total_bytes": round(way.job.peak_bytes),
                "holds": way.holds,
            }
            for way in ways(case, view)
        ]
    }
