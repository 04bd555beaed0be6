"""A job by its name, train, finetune or infer: the options it takes, and whether it fits."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from wallviz import checks
from wallviz.engine.memory import serve, solve
from wallviz.engine.memory.run import FIELDS, Run, whole
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

CONTEXT = 4096
"""Tokens of a sequence that is served, where nothing is said."""
ADAPTERS = ("method", "rank", "targets", "adapter_dtype")
RANKS = ("tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel")

OPTIONS: Mapping[str, frozenset[str]] = {
    "train": frozenset(FIELDS) - frozenset(ADAPTERS),
    "finetune": frozenset(FIELDS),
    # a share of the memory belongs to the pool of an engine; what fits is asked of all of it
    "infer": frozenset(inspect.signature(serve.infer).parameters) - {"arch", "hardware_bytes", "utilization"},
}
"""The options of each job: fields of `Run`, or arguments of `serve.infer`."""


def fit(arch: Architecture, job: str, options: Mapping[str, Any], capacity_bytes: float, count: int = 1) -> solve.Fit:
    """Whether a job fits `count` GPUs of `capacity_bytes`. Raises InputError for an unknown job and for an option of another one."""
    checks.single("job", job)
    if (job := str(job)) not in OPTIONS:  # the word of an array without dimensions
        raise InputError(N_("no job is called {job}: choose from {choices}"), job=checks.said(job), choices=", ".join(OPTIONS))
    for name in options:
        if name not in OPTIONS[job]:
            jobs = ", ".join(each for each, names in OPTIONS.items() if name in names)
            if jobs:
                raise InputError(
                    N_("{name} is an option of {jobs}, not of {job}: leave it out, or ask about that job"), name=name, jobs=jobs, job=job
                )
            raise InputError(N_("no option is called {name}: choose from {choices}"), name=name, choices=", ".join(sorted(OPTIONS[job])))
    for name, value in (("count", count), *options.items()):
        checks.single(name, value)
    whole("count", count, 1, solve.MOST_GPUS)
    if job == "infer":
        return solve.fit_serving(arch, capacity_bytes, int(count), **{"context": CONTEXT} | dict(options))
    method = {"method": "lora"} if job == "finetune" else {}
    run = Run(**method | dict(options))
    for name in RANKS:  # they are multiplied before the run is checked, to see how many GPUs are left over
        whole(name, getattr(run, name), 1, solve.MOST_GPUS)
    return solve.fit_training(arch, run, capacity_bytes, int(count), adapters=job == "finetune")
