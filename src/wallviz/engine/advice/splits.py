"""How to split one job: the fastest split of so many chips that fits them, and the fewest chips that hold it; every split asked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import peak
from wallviz.engine.memory.capacity import HOST_BYTES, holds
from wallviz.engine.memory.jobs import MOST_GPUS
from wallviz.engine.memory.run import RECOMPUTE, Run, whole
from wallviz.engine.memory.serve import Serving, infer
from wallviz.engine.remedies.setup import Setup
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY
from wallviz.engine.scaleout.fabric import PER_NODE, Fabric, inside_bytes_per_s, pcie_bytes_per_s
from wallviz.engine.scaleout.step import step
from wallviz.engine.transformer import Architecture, Attention, Experts, LatentAttention
from wallviz.errors import InputError
from wallviz.i18n import N_

FIELDS = (
    "tensor_parallel",
    "pipeline_parallel",
    "virtual_stages",
    "context_parallel",
    "expert_parallel",
    "data_parallel",
    "zero",
    "micro_batch",
    "accumulation",
)
#: Columns whose product is the number of chips.
_WORLD = [FIELDS.index(name) for name in ("tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel")]


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to split the job."""

    run: Run
    step_s: float
    efficiency: float
    peak_bytes: float


@dataclass(frozen=True, slots=True)
class Search:
    """The best layouts that fit, fastest first, the one to choose, and how many were asked."""

    best: tuple[Layout, ...]
    chosen: Layout | None
    """The simplest within `CLOSE` of the fastest: the least model parallelism, then the lowest ZeRO stage, then the least recomputed."""
    asked: int
    fit: int


#: Two layouts this close are as fast as each other: the model of a step is not that exact.
CLOSE = 0.02
#: A sequence is not split into parts shorter than this, nor over more ranks than `MOST_PARTS`; nor are experts and layers.
SHORTEST_PART, MOST_PARTS = 1024, 64
#: PCI Express generation of a chip that lists no link at all.
USUAL_SLOT = 4
MOST_TURNS = 1_000_000
"""Micro-batches of a step that a run may have (`Run.check`)."""


def links(chip: Accelerator) -> Fabric:
    """Nodes of a chip: its links to its peers, or its slot."""
    try:
        return Fabric(inside_bytes_per_s(chip))
    except InputError:
        return Fabric(pcie_bytes_per_s(USUAL_SLOT))


def search(
    arch: Architecture,
    run: Run,
    chip: Accelerator,
    fabric: Fabric,
    gpus: int,
    global_batch: int,
    *,
    overlap: str = "partial",
    efficiency: float = EFFICIENCY,
    bandwidth_efficiency: float = BANDWIDTH_EFFICIENCY,
    half_square: bool = False,
    most: int = 5,
) -> Search:
    """Every tensor (within a node), pipeline, virtual stage, context and expert split, ZeRO stage, micro-batch and recomputation of `run` on `gpus`.

    Precision, optimizer, kernels and sequence length stay as `run` says; sequence parallelism is on wherever tensor parallelism is. A layout
    fits where the upper end of the error band of its memory does. Sequences are split (context parallelism) only where nothing fits without.
    Selective recomputation is asked about with eager kernels alone: flash attention keeps no scores that it could drop (`memory.activations`).
    Raises InputError where the chip's memory is not known.
    """
    whole("gpus", gpus, 1, 1_000_000)
    whole("global_batch", global_batch, 1, 100_000_000)
    if chip.memory_bytes is None:
        raise InputError(N_("the memory of {chip} is not known: choose another chip"), chip=chip.name)
    table = _table(arch, run, fabric.per_node, gpus, global_batch)
    if not len(table):
        return Search((), None, 0, 0)
    options: dict[str, Any] = {"overlap": overlap, "efficiency": efficiency, "bandwidth_efficiency": bandwidth_efficiency, "half_square": half_square}
    ways = [way for way in RECOMPUTE if way != "selective" or run.kernels == "eager"]
    found = []
    for recompute in ways:
        one = replace(run, recompute=recompute, sequence_parallel=True, stage="worst", **_columns(table))
        steps = step(arch, one, chip, fabric, global_batch=global_batch, **options)
        one = replace(one, accumulation=steps.run.accumulation, micro_batch=steps.run.micro_batch)
        needs = peak.train(arch, one)
        fine = holds(needs.peak_total_bytes, needs.error_band, chip.memory_bytes)
        values = (steps.step_s, steps.efficiency, needs.peak_total_bytes, fine, *(getattr(one, name) for name in FIELDS))
        found.append([np.broadcast_to(value, (len(table),)) for value in values])
    time, efficiencies, need, fits, *columns = (np.concatenate(each) for each in zip(*found, strict=True))
    fields = dict(zip(FIELDS, columns, strict=True))
    again = np.repeat(np.arange(len(ways)), len(table))
    plain = fits & (fields["context_parallel"] == 1)
    kept = np.flatnonzero(plain if plain.any() else fits)
    kept = kept[np.argsort(time[kept], kind="stable")]

    def layout(i: int) -> Layout:
        chosen: dict[str, Any] = {name: int(column[i]) for name, column in fields.items()}
        chosen |= {"sequence_parallel": chosen["tensor_parallel"] > 1, "recompute": ways[again[i]], "stage": "worst"}
        return Layout(replace(run, **chosen), float(time[i]), float(efficiencies[i]), float(need[i]))

    close = kept[time[kept] <= time[kept[:1]] * (1.0 + CLOSE)]
    apart = fields["tensor_parallel"] * fields["pipeline_parallel"] * fields["context_parallel"]
    effort = (apart, fields["expert_parallel"], fields["zero"], again, fields["virtual_stages"], fields["micro_batch"], time)  # as `_effort`
    simplest = close[np.lexsort([each[close] for each in reversed(effort)])[:1]]
    return Search(tuple(layout(i) for i in kept[:most]), next(map(layout, simplest), None), len(time), int(fits.sum()))


def _columns(table: NDArray[np.int64]) -> dict[str, Any]:
    return {name: table[:, i] for i, name in enumerate(FIELDS)}


def _row(run: Run, row: int) -> Run:
    """One run out of a run of arrays."""
    chosen: dict[str, Any] = {name: int(value[row] if np.ndim(value := getattr(run, name)) else value) for name in FIELDS}
    return replace(run, sequence_parallel=chosen["tensor_parallel"] > 1, **chosen)


def _effort(run: Run) -> tuple[float, ...]:
    """What a layout asks for, least first: model parallelism, then experts and chunks, ZeRO, recomputation."""
    apart = run.tensor_parallel * run.pipeline_parallel * run.context_parallel
    return apart, run.expert_parallel, run.zero, RECOMPUTE.index(run.recompute), run.virtual_stages, run.micro_batch


def _table(arch: Architecture, run: Run, per_node: int, gpus: int, global_batch: int) -> NDArray[np.int64]:
    """Every split of `gpus` that divides what it has to, a row each, columns as `FIELDS`."""
    layers, rows = len(arch.layers), []
    for p in _depths(arch, gpus):
        for t, c in product(_tensors(arch, min(gpus, per_node)), _contexts(run, gpus)):
            ranks, rest = divmod(gpus, t * p * c)
            if rest or not ranks or ranks > global_batch:
                continue
            chunks = [v for v in (1, 2, 4) if v == 1 or (p > 1 and layers % (p * v) == 0)]
            shared = [e for e in _shared_experts(arch) if c * ranks % e == 0]
            batches = [b for b in (1, 2, 4, 8) if b * ranks <= global_batch] or [1]
            stages = (0, 1, 2, 3) if c * ranks > 1 else (0,)
            rows += [(t, p, v, c, e, ranks, z, b, 1) for v, e, z, b in product(chunks, shared, stages, batches)]
    return np.array(rows, dtype=np.int64).reshape(-1, len(FIELDS))


def _depths(arch: Architecture, most: int) -> list[int]:
    """Pipeline depths that divide the layers."""
    return [p for p in range(1, min(most, len(arch.layers), MOST_PARTS) + 1) if len(arch.layers) % p == 0]


def _tensors(arch: Architecture, most: int) -> list[int]:
    """Tensor parallel ranks that divide the heads of every layer."""
    heads = [block.mixer.heads for block, _n in arch.groups if isinstance(block.mixer, Attention | LatentAttention)]
    return [t for t in _powers(most) if all(n % t == 0 for n in heads)]


def _contexts(run: Run, most: int) -> list[int]:
    """Parts that a sequence may be split into."""
    sequence = int(run.sequence)
    return [c for c in _powers(min(most, MOST_PARTS)) if c == 1 or (sequence % c == 0 and sequence // c >= SHORTEST_PART)]


def _shared_experts(arch: Architecture) -> list[int]:
    """Ranks that may share the experts."""
    experts = min((block.mlp.count for block, _n in arch.groups if isinstance(block.mlp, Experts)), default=1)
    return [e for e in _powers(min(experts, MOST_PARTS)) if experts % e == 0]


def _powers(most: int) -> list[int]:
    return [2**i for i in range(int(most).bit_length())]


# ---------------------------------------------------------------- the fewest chips, and one count of them


#: How many of the splits of as few GPUs are asked for their price.
TRIED = 8


def on_fewest(setup: Setup, most: int = MOST_GPUS, worth: Callable[[Setup], bool] | None = None) -> Setup | None:
    """`setup` on the fewest GPUs that hold it, up to `most`, its choices as they are; None where none do, or none of the best splits of the
    fewest is `worth` it."""
    if setup.serves:
        return _served_as(setup, fewest_serving(setup.arch, setup.chip, dict(setup.options), most // setup.replicas))
    run = fewest(setup.arch, setup.run, setup.chip, most, lambda run: worth is None or worth(replace(setup, run=run)))
    return None if run is None else replace(setup, run=run)


def _served_as(setup: Setup, split: Mapping[str, int] | None) -> Setup | None:
    return None if split is None else setup.with_options(**{name: n for name, n in split.items() if setup.option(name, 1) != n})


def on_as_many(setup: Setup) -> Setup | None:
    """`setup` over as many GPUs in the best split that fits, its choices as they are; None where none does."""
    if setup.serves:
        return _served_as(setup, resplit_serving(setup.arch, setup.chip, dict(setup.options), setup.gpus // setup.replicas))
    run = resplit(setup.arch, setup.run, setup.chip, setup.gpus)
    return None if run is None else replace(setup, run=run)


def holds_on(setup: Setup, gpus: int, *, keep_batch: bool = False) -> bool:
    """Whether some split of `gpus` holds `setup`; with `keep_batch` a step has as many sequences as before."""
    if setup.serves:
        return resplit_serving(setup.arch, setup.chip, dict(setup.options), gpus // setup.replicas) is not None
    return any(_fitting(setup.arch, one, setup.chip).any() for one in _of_count(setup.arch, setup.run, gpus, keep_batch=keep_batch))


def resplit(arch: Architecture, run: Run, chip: Accelerator, gpus: int) -> Run | None:
    """The best split of `run` over `gpus` that fits, None where none does: the fastest, the simplest within `CLOSE` of it; sequences are
    split only where nothing fits without. Micro-batch and choices stay; as many sequences make a step as before, or as there are ranks for."""
    tables = [_rows(one)[_fitting(arch, one, chip)] for one in _of_count(arch, run, gpus, keep_batch=True)]
    return _best(arch, run, chip, np.concatenate(tables))


def _of_count(arch: Architecture, run: Run, gpus: int, *, keep_batch: bool) -> Iterator[Run]:
    """Every split of `run` over `gpus`, a run of arrays for each pipeline depth."""
    sequences = int(run.micro_batch) * int(run.accumulation) * int(run.data_parallel) if keep_batch else None
    for p, base in _bases(arch, run, gpus):
        apart = base[:, 0] * p * base[:, 1]
        ranks = gpus // apart
        fine = (gpus % apart == 0) & (base[:, 1] * ranks % base[:, 2] == 0) & ((base[:, 3] == 0) | (base[:, 1] * ranks > 1))
        if fine.any():
            yield _over(run, p, base[fine], ranks[fine], sequences)


def fewest(arch: Architecture, run: Run, chip: Accelerator, most: int = MOST_GPUS, worth: Callable[[Run], bool] = lambda _run: True) -> Run | None:
    """`run` on the fewest GPUs that hold it, up to `most`, with its micro-batch and its other choices as they are; None where none do.

    Tries tensor parallelism within a node, every pipeline depth that divides the layers, sequences split over powers of two, experts over as
    many ranks as divide them, and ZeRO 0 to 3 over whatever data parallel ranks are left. Need falls as ranks are added: powers of two are
    asked first, all at once, then what lies between them. Among splits of as few GPUs the fastest, the simplest within `CLOSE` of it.
    """
    best, tables = most, [np.zeros((0, len(FIELDS)), np.int64)]
    for p, base in _bases(arch, run, most):
        if p > best:
            break
        apart = base[:, 0] * p * base[:, 1]
        unit = base[:, 2] // np.gcd(base[:, 1], base[:, 2])  # ranks come in multiples: experts divide context x data
        powers = 2 ** np.arange(int(best // p).bit_length() + 1)
        ranks = np.minimum(unit[:, None] * powers, (best // apart // unit * unit)[:, None])  # the last are the most there may be
        helps = np.where(base[:, 3:4] > 0, base[:, 1:2] * ranks > 1, powers == 1)  # without ZeRO more ranks change nothing
        row, column = np.nonzero((ranks > 0) & helps)
        if not len(row):
            continue
        fine = np.zeros(ranks.shape, bool)
        fine[row, column] = _fitting(arch, _over(run, p, base[row], ranks[row, column]), chip)
        held, first = fine.any(axis=1), np.argmax(fine, axis=1)
        high = ranks[np.arange(len(base)), first]
        low = np.where(first > 0, ranks[np.arange(len(base)), np.maximum(first - 1, 0)], high - unit)
        best = min(best, int(np.min((apart * high)[held], initial=best)))
        high, low = _between(arch, run, chip, p, base, (low, high), held, best)
        best = min(best, int(np.min((apart * high)[held], initial=best)))
        tables.append(_rows(_over(run, p, base[held], high[held])))
    table = np.concatenate(tables)
    return _best(arch, run, chip, table[np.prod(table[:, _WORLD], axis=1) == best], worth)


def _between(
    arch: Architecture,
    run: Run,
    chip: Accelerator,
    p: int,
    base: NDArray[np.int64],
    bounds: tuple[NDArray[np.int64], NDArray[np.int64]],
    held: Any,
    best: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The fewest ranks of each row between what does not fit and what does, by halving; rows that cannot reach `best` are left as they are."""
    low, high = bounds
    apart, unit = base[:, 0] * p * base[:, 1], base[:, 2] // np.gcd(base[:, 1], base[:, 2])
    while len(at := np.flatnonzero(held & (high - low > unit) & (apart * (low + unit) <= best))):
        middle = low[at] + (high[at] - low[at]) // unit[at] // 2 * unit[at]
        fine = _fitting(arch, _over(run, p, base[at], middle), chip)
        high[at], low[at] = np.where(fine, middle, high[at]), np.where(fine, low[at], middle)
        best = min(best, int(np.min((apart * high)[held])))
    return high, low


def _bases(arch: Architecture, run: Run, most: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """By pipeline depth, the shallowest first: rows of tensor, context and expert parallel ranks and ZeRO stage."""
    rest = list(product(_tensors(arch, min(most, PER_NODE)), _contexts(run, most), _shared_experts(arch), range(4)))
    for p in _depths(arch, most):
        yield p, np.array([row for row in rest if row[0] * row[1] * p <= most], dtype=np.int64).reshape(-1, 4)


def _over(run: Run, p: int, base: NDArray[np.int64], ranks: NDArray[np.int64], sequences: int | None = None) -> Run:
    """`run` split as the rows of `base` say over `ranks` copies; with `sequences` a step has as many as before."""
    turns = None if sequences is None else -(-sequences // (int(run.micro_batch) * ranks))
    accumulation = run.accumulation if turns is None else np.clip(turns, 1, MOST_TURNS)  # what waits in turn takes no more memory
    return replace(
        run,
        tensor_parallel=base[:, 0],
        context_parallel=base[:, 1],
        expert_parallel=base[:, 2],
        zero=base[:, 3],
        data_parallel=ranks,
        pipeline_parallel=p,
        virtual_stages=1,
        accumulation=accumulation,
        sequence_parallel=True,
        stage="worst",
    )


def _fitting(arch: Architecture, run: Run, chip: Accelerator) -> NDArray[np.bool_]:
    """Which rows of a run of arrays fit. What does not fit the first stage of a pipeline fits on no whole pipeline."""
    count = len(run.data_parallel)
    fine = np.ones(count, bool)
    for stage in ("first", "worst") if int(run.pipeline_parallel) > 1 else ("worst",):
        if not fine.any():
            break
        needs = peak.train(arch, _only(run, fine), stage=stage)
        held = holds(needs.peak_total_bytes, needs.error_band, chip.memory_bytes or 0.0) & (needs.host_bytes <= HOST_BYTES)
        fine[fine] = np.broadcast_to(held, (int(fine.sum()),))
    return fine


def _rows(run: Run) -> NDArray[np.int64]:
    """A run of arrays as a table, columns as `FIELDS`."""
    return np.stack(np.broadcast_arrays(*(np.asarray(getattr(run, name)) for name in FIELDS)), axis=1)


def _only(run: Run, rows: NDArray[np.bool_]) -> Run:
    return replace(run, **{name: value[rows] for name in FIELDS if np.ndim(value := getattr(run, name))})


def _best(arch: Architecture, run: Run, chip: Accelerator, table: NDArray[np.int64], worth: Callable[[Run], bool] = lambda _run: True) -> Run | None:
    """The fastest row of a table, the simplest within `CLOSE` of it; the simplest where the chip's rates are not known. The first that is `worth`
    it, of `TRIED`."""
    whole = table[:, FIELDS.index("context_parallel")] == 1
    table = table[whole] if whole.any() else table
    if not len(table):
        return None
    runs = replace(run, sequence_parallel=True, stage="worst", **_columns(table))
    try:
        steps = step(arch, runs, chip, links(chip))
        time = np.broadcast_to(steps.step_s / steps.tokens, (len(table),))
    except InputError:
        time = np.zeros(len(table))
    far = np.floor(np.log(time / time.min()) / np.log(1.0 + CLOSE)) if time.all() else time
    order = sorted(np.argsort(time, kind="stable")[: 8 * TRIED], key=lambda i: (far[i], *_effort(_row(runs, int(i))), time[i]))
    for i in order[:TRIED]:
        one = _row(runs, int(i))
        one = replace(one, sequence_parallel=one.tensor_parallel > 1 or run.sequence_parallel)
        if worth(one):
            return one
    return None


# ---------------------------------------------------------------- serving


def fewest_serving(arch: Architecture, chip: Accelerator, options: Mapping[str, Any], most: int = MOST_GPUS) -> dict[str, int] | None:
    """How to split serving over the fewest GPUs that hold it, up to `most`: the fields that change; None where none do.

    Tries tensor parallelism within a node, or as asked, over pipelines of any depth; among equals the shallowest.
    """
    asked = int(options.get("tensor_parallel", 1))
    tensors = sorted({*_tensors(arch, PER_NODE), asked})
    best, found = most, dict[str, int]()
    for t in reversed(tensors):
        depth = _shallowest(arch, chip, {**options, "tensor_parallel": t}, min(len(arch.layers), best // t))
        if depth is not None and (t * depth < best or not found):
            best, found = t * depth, {"tensor_parallel": t, "pipeline_parallel": depth}
    return found or None


def resplit_serving(arch: Architecture, chip: Accelerator, options: Mapping[str, Any], gpus: int) -> dict[str, int] | None:
    """How to split serving over as many GPUs so that it fits, the shallowest pipeline first; None where nothing does."""
    for t in reversed(_tensors(arch, min(gpus, PER_NODE))):
        if gpus % t == 0 and gpus // t <= len(arch.layers):
            split = {"tensor_parallel": t, "pipeline_parallel": gpus // t}
            if _held(arch, chip, {**options, **split}):
                return split
    return None


def _shallowest(arch: Architecture, chip: Accelerator, options: Mapping[str, Any], deepest: int) -> int | None:
    """The fewest stages that fit, up to `deepest`: from what the bytes that are split take on, in growing strides, then by halving."""
    whole = _served(arch, {**options, "pipeline_parallel": 1}) if deepest else None
    if whole is None:
        return None
    capacity = (chip.memory_bytes or 0.0) / (1.0 + whole.error_band)
    if holds(np.max(whole.peak_total_bytes), whole.error_band, chip.memory_bytes or 0.0):
        return 1
    room = capacity - float(sum(np.max(each) for each in whole.overheads.values()))  # on every GPU
    if room <= 0:
        return None
    low = max(1, int(np.max(whole.weights_bytes + whole.kv_cache_bytes) // room))  # too few
    high, stride = low + 1, 1
    while high < deepest and not _held(arch, chip, {**options, "pipeline_parallel": high}):
        low, stride = high, 2 * stride
        high = min(deepest, high + stride)
    if high > deepest or not _held(arch, chip, {**options, "pipeline_parallel": high}):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _held(arch, chip, {**options, "pipeline_parallel": middle}) else (middle, high)
    return high


def _served(arch: Architecture, options: Mapping[str, Any]) -> Serving | None:
    try:
        return infer(arch, **options)
    except InputError:  # heads that do not divide
        return None


def _held(arch: Architecture, chip: Accelerator, options: Mapping[str, Any]) -> bool:
    found = _served(arch, options)
    return found is not None and bool(holds(np.max(found.peak_total_bytes), found.error_band, chip.memory_bytes or 0.0))
