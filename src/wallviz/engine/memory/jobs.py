"""A job by its name, train, finetune or infer: the options it takes, and how it shares the GPUs that are there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from wallviz.engine.memory import serve
from wallviz.engine.memory.run import FIELDS, Run, whole
from wallviz.engine.memory.terms import Quantity
from wallviz.errors import InputError
from wallviz.i18n import N_

CONTEXT = 4096
"""Tokens of a sequence that is served, where nothing is said."""
ADAPTERS = ("method", "rank", "targets", "adapter_dtype")
RANKS = ("tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel")

OPTIONS: Mapping[str, frozenset[str]] = {
    "train": frozenset((*FIELDS, "global_batch")) - frozenset(ADAPTERS),
    "finetune": frozenset((*FIELDS, "global_batch")),
    # a share of the memory belongs to the pool of an engine; what fits is asked of all of it
    "infer": frozenset((*inspect.signature(serve.infer).parameters, "replicas")) - {"arch", "hardware_bytes", "utilization"},
}
"""The options of each job: fields of `Run` and the sequences of a step, or arguments of `serve.infer` and the copies of the model."""


#: Most GPUs that anything is asked about, and most sequences of a step.
MOST_GPUS = 65_536
MOST_SEQUENCES = 100_000_000


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


def of_step(run: Run, sequences: Quantity) -> Run:
    """The run with the micro-batches that so many sequences of one step on all GPUs take; raises InputError for fewer than data parallel ranks.

    Where a rank has fewer sequences than its micro-batch, the micro-batch shrinks to them.

    >>> found = of_step(Run(data_parallel=16), 256)
    >>> found.micro_batch, found.accumulation
    (1, 16)
    """
    whole("global_batch", sequences, 1, MOST_SEQUENCES)
    ranks = np.asarray(run.data_parallel, float)
    if np.any(np.asarray(sequences) < ranks):
        raise InputError(
            N_("{batch} sequences a step cannot be shared by {ranks} data parallel ranks: give {ranks} or more, or fewer GPUs."),
            batch=f"{int(np.min(sequences)):,}",
            ranks=f"{int(np.max(ranks)):,}",
        )
    share = np.ceil(np.asarray(sequences) / ranks)
    micro = np.minimum(run.micro_batch, share)
    return replace(run, micro_batch=_int(micro), accumulation=_int(np.ceil(share / micro)))


def _int(value: Any) -> Any:
    return int(value) if np.ndim(value) == 0 else np.asarray(value, int)
