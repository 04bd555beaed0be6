"""Every number of the page as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from wallviz import __version__
from wallviz.engine.roofline import report
from wallviz.engine.roofline.serving import utilization
from wallviz.engine.work import ENCODER_ALONE
from wallviz.errors import InputError
from wallviz.job import Job
from wallviz.rooms.roofline.choices import View
from wallviz.rooms.roofline.job_on_chip import Workload, largest, workload
from wallviz.rooms.roofline.own_numbers import plain
from wallviz.rooms.roofline.time_by_operation import BOUNDS


def document(case: Job, view: View) -> str:
    """Every number of the page as JSON: the records of each phase, as the command line prints them."""
    asked: dict[str, object] = {"wallviz": __version__, "case": asdict(case), "view": asdict(view)}
    try:
        now = workload(case, plain(view))
    except InputError as error:
        return _json(asked | {"reason": str(error)})
    prefill, decode = now.steps.get("prefill"), now.steps.get("decode")
    found = {}
    for phase, step in now.steps.items():
        used = None if view.reported is None or step is not now.main else utilization(step, float(view.reported))
        reasons = (*(() if decode else (_no_decode(now),)), *(() if used else (report.NO_RATE,)))
        context = case.prompt or case.context if phase == "prefill" else case.context
        found[phase] = report.record(report.Report(now.arch, now.chip, case.batch, context, step, prefill, decode, used, largest(now), reasons))
    return _json(
        asked
        | {"steps": found, "formats": {"weights": now.weights, "kv": case.kv, "activations": now.options()["activations"]}, "bounds": list(BOUNDS)}
    )


def _no_decode(now: Workload) -> str:
    """Why there is no time per token: an encoder writes none, training asks for none."""
    return str(InputError(ENCODER_ALONE, model=now.arch.name)) if "prefill" in now.steps else report.TRAINS


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)  # not orjson: bytes may be more than 64 bits
