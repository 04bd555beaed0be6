"""What would make a job fit, or faster: the one advice (`engine.advice`) of a job, and its changes as changes of the job's own fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from math import prod
from typing import Any

from wallviz import catalog
from wallviz.engine.advice.search import Advice, Fix
from wallviz.engine.remedies import published
from wallviz.engine.remedies.published import Published
from wallviz.engine.remedies.setup import Setup
from wallviz.errors import InputError
from wallviz.job import DENSE, PRESET, SETTINGS, Job, serving_options, serving_split, training_run, world
from wallviz.rooms import job as shared

FIRST = 3
"""Fixes that a page shows as buttons."""


@cache
def known() -> dict[str, tuple[Published, ...]]:
    """The published cases by remedy."""
    return published.every(catalog.evidence().values())


def setup(job: Job) -> Setup:
    """The job as it is run before anything is done; raises InputError for what cannot run."""
    arch, chip = shared.architecture(job), shared.chip(job)
    if job.serves:
        found = Setup(arch, chip, job.job, replicas=serving_split(job, arch)["replicas"])
        return found.with_options(**serving_options(job, arch))
    return Setup(arch, chip, job.job, training_run(job))


@lru_cache(maxsize=512)
def advice(job: Job) -> Advice | None:
    """What can be done about a job; None where its chip's memory is not known. Raises InputError for what cannot run."""
    found = setup(job)
    return None if found.chip.memory_bytes is None else Advice(found, published.losses(known()))


@lru_cache(maxsize=512)
def fixes(job: Job) -> tuple[Fix, ...]:
    """What makes it fit, or, where it fits, faster, the best first: those that a job can say."""
    found = advice(job)
    return () if found is None else tuple(fix for fix in found.fixes if changes(job, fix))


def changes(job: Job, fix: Fix) -> dict[str, Any] | None:
    """The fields of the job that a fix changes; None or nothing for what a job has no field for (weights in host memory, drafts)."""
    sets = fix.sets
    found = _served(job, fix) if job.serves else _trained(job, fix)
    return None if "host_weights" in sets or found is None else found


def _trained(job: Job, fix: Fix) -> dict[str, Any] | None:
    names = {"micro_batch": "batch", "sequence": "context"}
    found: dict[str, Any] = {names.get(name, name): PRESET if value is None else value for name, value in fix.sets.items() if name != "data_parallel"}
    found["chips"] = world(fix.setup.run)
    if job.sequences:  # the micro-batches of a step follow from its sequences
        found.pop("accumulation", None)
    try:
        there = training_run(replace(job, **found))
    except (InputError, TypeError):
        return None
    return _changed(job, found) if there == fix.setup.run else None


def _served(job: Job, fix: Fix) -> dict[str, Any] | None:
    names = {"weights": "format"}
    split = {name: int(fix.setup.option(name, 1)) for name in ("tensor_parallel", "pipeline_parallel")}
    found: dict[str, Any] = {names.get(name, name): value for name, value in fix.sets.items() if name not in (*split, "host_weights")}
    if "sparsity" in found:
        found["sparsity"] = DENSE if found["sparsity"] is None else str(found["sparsity"])
    found |= {"chips": fix.setup.gpus, "pipeline_parallel": split["pipeline_parallel"]}
    for ranks in (job.tensor_parallel, split["tensor_parallel"]):  # as few words as say it
        there = replace(job, **found, tensor_parallel=ranks)
        try:
            said = serving_split(there, fix.setup.arch)
        except InputError:
            continue
        if prod(said.values()) == fix.setup.gpus and all(said[name] == n for name, n in split.items()):
            return _changed(job, found | {"tensor_parallel": ranks})
    return None


def _changed(job: Job, found: Mapping[str, Any]) -> dict[str, Any] | None:
    if any(name not in SETTINGS for name in found):
        return None
    return {name: value for name, value in found.items() if getattr(job, name) != value}
