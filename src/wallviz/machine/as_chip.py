"""A record as a chip (`wallviz.machine.own`): its measured rates as the levels and the roof of the reader's own machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from math import ceil
from statistics import median

from wallviz.engine.hardware import Accelerator
from wallviz.errors import InputError
from wallviz.i18n import N_
from wallviz.machine import driver_names
from wallviz.machine.own import NAME_LENGTH, OwnLevel, OwnMachine
from wallviz.machine.reasons import Flag
from wallviz.machine.record import Cache, Record

_WITHIN = 0.8
"""Share of a cache that a working set may fill to be in it: the rest belongs to everything else."""
_SEEN_BYTES = 2 * 2**20
"""Below it numpy's calls, and not the cache, set the rate (benchmarks/README.md: 0.82 of C from 1 MiB on)."""
_BEYOND = 2.0
"""A working set of so many last-level caches is in memory."""


def reach_bytes(cache: Cache, threads: int | None) -> float:
    """What `threads` processors hold together in a cache of which each has, or shares, an instance.

    >>> reach_bytes(Cache(2, 2**20, 2), 4) / 2**20, reach_bytes(Cache(3, 2**25), 4) / 2**20
    (2.0, 32.0)
    """
    return float(cache.bytes * (ceil(threads / cache.shared_by) if threads and cache.shared_by else 1))


def own_machine(record: Record, chips: Mapping[str, Accelerator], chosen: str = "") -> OwnMachine:
    """The machine that `record` measured; a GPU has the arithmetic of its data sheet among `chips`, found by name or `chosen` by the reader (an id).

    Raises InputError where the record has no bandwidth.
    """
    rate = record.headline[1].best_bytes_per_s if record.headline else None
    if rate is None or record.device.kind == "software":
        raise InputError(N_("This record has no bandwidth of a machine: measure again, or open another record."))
    sheet = (chips.get(chosen) or driver_names.sheet(record.device.name, chips)) if record.device.kind == "gpu" else None
    read = record.kernels["read"].best_bytes_per_s if "read" in record.kernels else None
    fp32 = record.arithmetic["fp32"].best_flop_per_s if "fp32" in record.arithmetic else None
    return OwnMachine(
        _plain(record.device.name) or record.path.upper(),
        "cpu" if record.device.kind == "cpu" else "gpu",
        dt.datetime.fromisoformat(record.created).date(),
        max(rate, read or 0.0),
        float(record.device.memory_bytes) if record.device.memory_bytes else (sheet.memory_bytes if sheet else None),
        fp32 or (sheet.peak("fp32") if sheet else None),
        sheet.peak("fp16") if sheet else None,
        _levels(record, max(rate, read or 0.0)),
    )


def _plain(name: str) -> str:
    return "".join(char for char in name if char not in "`$[]|\\<>").strip()[:NAME_LENGTH]


def _levels(record: Record, memory_bytes_per_s: float) -> tuple[OwnLevel, ...]:
    """Each cache with the best rate and the median latency of the working sets that fit it and not the one before, then the memory.

    With numpy alone a call costs half a microsecond, which hides a cache below two MiB: it has no rate.
    """
    found: list[OwnLevel] = []
    before = 0.0
    for cache in sorted(record.device.caches, key=lambda one: one.level):
        held = reach_bytes(cache, record.sweep_threads)
        hidden = held < _SEEN_BYTES and Flag.NUMPY_ONLY.value in record.flags
        rates = [] if hidden else [step.bytes_per_s for step in record.sweep if before < step.bytes <= _WITHIN * held]
        waits = [one.seconds for one in record.latency if one.order == "random" and before < one.bytes <= _WITHIN * held]
        found.append(OwnLevel(f"L{cache.level}", held, max(rates, default=None), _median(waits)))
        before = held
    waits = [one.seconds for one in record.latency if one.order == "random" and one.bytes >= _BEYOND * before] if before else []
    return (*found, OwnLevel("DRAM", None, memory_bytes_per_s, _median(waits)))


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
