"""A job by its name, train, finetune or infer: the options it takes, and how it shares the GPUs that are there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from wallviz.engine.memory import serve
from wallviz.engine.memory.run import FIELDS, Run, whole
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


#: Most GPUs that anything is asked about.
MOST_GPUS = 65_536


def served_on(options: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Options of serving on `count` GPUs: what pipeline stages leave over shares each layer, where nothing else is said."""
    found = dict(options)
    if count > 1 and "tensor_parallel" not in found:
        stages = found.get("pipeline_parallel", 1)
        whole("pipeline_parallel", stages, 1, MOST_GPUS)
        found["tensor_parallel"] = count // int(stages)
    return found


def on_gpus(run: Run, count: int) -> Run:
    """The same run on `count` GPUs: what its parallelism leaves over becomes data parallel ranks."""
    for name in RANKS:
        whole(name, getattr(run, name), 1, MOST_GPUS)
    world = int(np.max(run.tensor_parallel) * np.max(run.pipeline_parallel) * np.max(run.context_parallel) * np.max(run.data_parallel))
    if count == 1 or world == count:
        return run
    if count % world:
        raise InputError(
            N_("{count} GPUs cannot be shared by {world} ranks: give a multiple of {world}, or change the parallelism."), count=count, world=world
        )
    return replace(run, data_parallel=int(np.max(run.data_parallel)) * (count // world))
