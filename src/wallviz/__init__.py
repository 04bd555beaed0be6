"""wallviz: the memory wall of AI, in numbers that can be checked.

>>> import wallviz
>>> fit = wallviz.claim("blog_params", exclude=["ALBERT xxl", "ELECTRA Large"])
>>> round(fit.published_multiplier), round(fit.refit_multiplier)
(240, 1004)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wallviz.__about__ import __version__
from wallviz.engine.growth import Claim, Point, Refit, Trend, divergence, influence, record_setters
from wallviz.engine.growth import fit as fit_trend
from wallviz.errors import DataError, InputError, WallvizError
from wallviz.i18n import N_

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeAlias

    import plotly.graph_objects as go

    from wallviz.engine.advice.fit import Fit
    from wallviz.engine.hardware import Accelerator
    from wallviz.engine.hierarchy.ladder import Ladder
    from wallviz.engine.memory.peak import Training
    from wallviz.engine.memory.serve import Serving
    from wallviz.engine.remedies.plan import Plan
    from wallviz.engine.remedies.setup import Draft
    from wallviz.engine.roofline.report import Report
    from wallviz.engine.scaleout.serving_job import ServingOnChips
    from wallviz.engine.scaleout.training_job import TrainingOnChips
    from wallviz.engine.transformer import Architecture
    from wallviz.machine.record import Record

    Source: TypeAlias = str | os.PathLike[str] | Mapping[str, Any] | Architecture

__all__ = [
    "Claim",
    "DataError",
    "InputError",
    "Point",
    "Refit",
    "Trend",
    "WallvizError",
    "__version__",
    "chip",
    "chips",
    "claim",
    "claims",
    "divergence",
    "figure",
    "finetune",
    "fit",
    "fit_trend",
    "hierarchy",
    "infer",
    "influence",
    "model",
    "probe",
    "record_setters",
    "remedies",
    "roofline",
    "scaleout",
    "train",
]


def claims() -> Mapping[str, Claim]:
    """Every published growth claim by id, editions apart."""
    from wallviz import catalog

    return catalog.claims()


def claim(
    name: str,
    *,
    exclude: str | Iterable[str] = (),
    since: dt.date | str | None = None,
    until: dt.date | str | None = None,
    method: str = "ols",
    interval: str | None = None,
) -> Refit:
    """The claim called `name` (its id, or a unique beginning of it) beside its refit on the points you keep.

    `exclude` takes points out by id or exact name; `since` and `until` are dates, both included; `method` is ``"ols"`` or
    ``"theil-sen"``, `interval` ``"t"``, ``"bootstrap"`` or ``"rank"``. A claim without shipped points comes back without a fit, with the
    reason. Raises `InputError` for what does not exist.

    >>> round(claim("paper_hw_flops").refit_multiplier, 2)
    3.03
    """
    from wallviz import catalog
    from wallviz.engine.growth import refit

    return refit(catalog.find(name, catalog.claims(), "claim"), exclude=exclude, since=since, until=until, method=method, interval=interval)


def figure(fitted: Refit, *, log: bool = True) -> go.Figure:
    """A refit as a figure: the points kept and taken out, the line, its bands. It shows by itself in a notebook."""
    if not isinstance(fitted, Refit):
        raise InputError(N_("a figure is drawn of what wallviz.claim returns, not of {value}: pass that"), value=repr(fitted)[:40])
    from wallviz.rooms.growth import refit_figure

    return refit_figure(fitted, log=log)


def model(source: str | os.PathLike[str] | Mapping[str, Any]) -> Architecture:
    """What a model is made of: `source` is a preset's name, the path of a ``config.json``, its text, or the mapping in it.

    A name is an id or name in any case, or the beginning of exactly one. Raises `InputError` for what does not exist or is no config.

    >>> model("llama-3.1-8b").parameters
    8030261248
    >>> model({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257}).parameters
    124439808
    """
    from wallviz import catalog
    from wallviz.engine.transformer import architecture

    if not isinstance(source, str | os.PathLike):
        return architecture(source)
    text = os.fspath(source)
    if isinstance(source, str) and ("{" in text or "\n" in text or text.lstrip().startswith("[") or len(text) > 4096):
        return architecture(text)
    if isinstance(source, str) and "/" not in text and "\\" not in text and not text.lower().endswith(".json"):
        return catalog.architecture(catalog.find(text, catalog.presets(), "model").id)
    return architecture(catalog.read_config(text))


def train(source: Source, *, chips: int = 1, global_batch: Any = None, **fields: Any) -> Training:
    """Peak memory of a training step, per GPU. `source` is what `model` takes, or an Architecture; `fields` are those of `memory.run.Run`.

    What the split leaves over of so many `chips` are data parallel ranks; `global_batch` sequences of a step set the accumulation. Numbers may
    be numpy arrays, for many runs at once. Raises `InputError` for what cannot run.

    >>> found = train("llama-3.1-8b", precision="bf16-pure", sequence=4096)
    >>> round(float(found.peak_allocated_bytes) / 2**30, 1), found.peak_phase
    (76.4, 'loss_backward')
    """
    from wallviz.engine.memory import peak
    from wallviz.engine.memory.jobs import of_step, on_gpus
    from wallviz.engine.memory.run import Run

    count = _count(chips)
    run = Run(**_run(fields, "train"))
    run = on_gpus(run, count) if count > 1 else run
    return peak.train(_read(source), run if global_batch is None else of_step(run, global_batch))


def finetune(source: Source, *, method: str = "lora", **fields: Any) -> Training:
    """Peak memory of a fine-tuning step, per GPU: `method` is ``"full"``, ``"lora"`` or ``"qlora"``, `fields` are those of `train`.

    LoRA saves optimizer state and gradients, not activations:

    >>> full, lora = finetune("llama-3.1-8b", method="full"), finetune("llama-3.1-8b")
    >>> bool(lora.parts["optimizer"] < full.parts["optimizer"] / 100), bool(lora.parts["activations"] > full.parts["activations"])
    (True, True)
    """
    return train(source, method=method, **fields)


def infer(source: Source, *, context: Any = 4096, hardware: str | Accelerator | None = None, chips: int = 1, **options: Any) -> Serving:
    """Memory of serving on one GPU, and how many sequences of `context` tokens fit `hardware`; `options` are those of `memory.serve.infer`.

    So many `chips` are shared as in `fit`: each layer by all that stages, experts and `replicas` leave, unless tensor parallelism is given.

    >>> infer("llama-3.1-8b", context=8192).kv_cache_bytes / 2**30
    1.0
    """
    from wallviz.engine.memory import serve
    from wallviz.engine.scaleout.serving_job import on_gpus

    if hardware is not None:
        options["hardware_bytes"] = _memory_bytes(hardware)
    arch = _read(source)
    served, _copies = on_gpus(arch, options, _count(chips))
    return serve.infer(arch, context=context, **served)


def fit(source: Source, *, hardware: str | Accelerator, count: int = 1, job: str = "train", **options: Any) -> Fit:
    """Whether `job` (``"train"``, ``"finetune"`` or ``"infer"``) fits `count` of `hardware`, how much would, and what would make it fit.

    `options` are those of the function that the job names.

    >>> found = fit("llama-3.1-8b", hardware="H100", job="infer", context=8192)
    >>> found.fits, found.fewest_gpus
    (True, 1)
    >>> found = fit("llama-3.1-8b", hardware="RTX 4090", job="finetune", sequence=8192)
    >>> found.fits, found.fewest_gpus, found.fixes[0].changes
    (False, 1, ('full-recompute', 'chunked-loss'))
    """
    from wallviz import catalog
    from wallviz.engine.advice.fit import fit
    from wallviz.engine.remedies import plan, published

    count = options.pop("chips", count)
    setup = plan.setup_of(_read(source), _chip(hardware), job, _run(options, job), count, timed=False)
    return fit(setup, published.losses(published.every(catalog.evidence().values())))


def chips() -> Mapping[str, Accelerator]:
    """Every accelerator and processor of the catalogue by id, oldest first."""
    from wallviz import catalog

    return catalog.chips()


def chip(name: str | Record) -> Accelerator:
    """The chip called `name`: its id, name or alias in any case, or the beginning of exactly one; of a record, the machine that it measured.

    Raises `InputError` for any other, and for a record without a bandwidth.

    >>> chip("H100").memory_bytes_per_s, round(chip("H20").ridge("bf16"))
    (3350000000000.0, 37)
    """
    from wallviz import catalog
    from wallviz.machine.record import Record

    if isinstance(name, Record):
        from wallviz.machine.as_chip import own_machine

        return own_machine(name, catalog.chips()).chip
    return catalog.chip(name)


def hierarchy(machine: str | Record = "h100", size: str | float = "1 GiB", *, basis: str = "peak") -> Ladder:
    """The levels of `machine` (one of `hierarchy.machines`, any chip, or the machine of a record), and the time that `size` takes at each.

    `size` is bytes, or a text such as ``"16 GB"`` or ``"1 GiB"``; `basis` is ``"peak"`` for what data sheets promise or ``"measured"``.
    Raises `InputError` for an unknown machine and for what is no size.

    >>> times = hierarchy("H100", "1 GiB").times_s
    >>> [round(times[level] * 1e3, 2) for level in ("hbm3", "nvlink-4", "pcie-5.0-x16")]
    [0.32, 2.39, 17.04]
    """
    from wallviz import catalog
    from wallviz.engine.hierarchy import size as sizes
    from wallviz.engine.hierarchy.ladder import ladder
    from wallviz.engine.hierarchy.machines import with_chips
    from wallviz.machine.record import Record

    if isinstance(machine, Record):
        from wallviz.machine.as_chip import own_machine

        mine = own_machine(machine, catalog.chips())
        found, levels = mine.machine, mine.memory_levels()
    else:
        found, levels = catalog.find(machine, with_chips(catalog.chips()), N_("machine")), tuple(catalog.levels().values())
    return ladder(found, sizes.parse(size), levels, catalog.links().values(), catalog.chips(), basis=basis)


def roofline(source: Source, hardware: str | Accelerator, *, phase: str = "decode", **options: Any) -> Report:
    """What bounds a workload on one chip: time, tokens/s, TTFT and TPOT, what a measured rate makes of it; see `roofline.report.report`.

    `phase` is ``"prefill"``, ``"decode"`` or ``"train"``; `options` are batch, context, weights, kv, activations, tensor_parallel and those of
    `engine.work.operations`, and ``measured_tokens_per_s`` and ``tpot_target_s``.

    >>> found = roofline("llama-3.1-8b", "H100", context=8192)
    >>> found.step.bound, round(found.step.tokens_per_s), round(found.step.critical_batch)
    ('bandwidth', 208, 295)
    """
    from wallviz.engine.roofline.report import report

    chip = _chip(hardware)
    return report(_read(source), chip, phase=phase, **options)


def scaleout(
    source: Source,
    hardware: str | Accelerator,
    *,
    gpus: Any = 8,
    link_inside: float | None = None,
    link_across: float | None = None,
    **options: Any,
) -> TrainingOnChips | ServingOnChips:
    """What `gpus` of `hardware` do with a training step: compute, communication, waiting, bubble, how it scales, what a run costs.

    `link_inside` and `link_across` are GB/s of one direction and GPU; `options` are those of `scaleout.job.on_chips` (overlap, global_batch,
    tokens, price_per_hour, ...) and the fields of `memory.run.Run`. With ``job="infer"`` decoding is split over the chips.

    >>> found = scaleout("llama-3.1-8b", "H100", gpus=64, sequence=8192, zero=1, global_batch=64)
    >>> round(float(found.step.efficiency), 2), found.global_batch
    (0.88, 64)
    """
    from wallviz.engine.scaleout import job

    chip = _chip(hardware)
    links = {"inside": _giga(link_inside), "across": _giga(link_across)}
    asked = str(options.get("job", "train"))
    return job.on_chips(_read(source), chip, gpus=options.pop("chips", gpus), **links, **_run(options, asked))


def _giga(rate: Any) -> Any:
    """Bytes per second of GB/s; what is no number stays what it is, for the check to name."""
    return rate * 1e9 if isinstance(rate, int | float) and abs(rate) < 1e99 else rate


def remedies(
    source: Source,
    hardware: str | Accelerator,
    *,
    job: str = "train",
    count: int = 1,
    apply: str | list[str] | tuple[str, ...] = (),
    draft: Draft | None = None,
    **options: Any,
) -> Plan:
    """What can be done about a job that does not fit, or is too slow: each remedy with what it saves, its price and its published cases.

    `count`, `job` and `options` are those of `fit`; `apply` names remedies, which are applied one after another in that order; `draft` is what
    speculative decoding would use. Raises `InputError` for what does not exist, cannot run or does not go.

    >>> found = remedies("llama-3.1-8b", "H100", count=8, sequence=8192, apply=["zero-2", "full"])
    >>> [step.remedy.id for step in found.waterfall], found.fits, found.way is not None
    (['zero-2', 'full-recompute'], False, True)
    """
    from wallviz import catalog
    from wallviz.checks import said
    from wallviz.engine.remedies import plan, published

    chip = _chip(hardware)
    count = options.pop("chips", count)
    setup = plan.setup_of(_read(source), chip, job, _run(options, job), count)
    if not isinstance(apply, str | list | tuple):
        raise InputError(N_("apply cannot be {value}: give names of remedies, in a list or separated by commas."), value=said(apply))
    names = [name for name in apply.split(",") if name.strip()] if isinstance(apply, str) else list(apply)
    return plan.plan(setup, apply=names, published=published.every(catalog.evidence().values()), draft=draft)


def probe(path: str | None = None, **options: Any) -> Record:
    """How fast this machine moves bytes, measured in a process of its own: takes about ten seconds and never raises for what is not there.

    `path` is ``"cpu"`` (the default), ``"wgpu"`` or ``"cuda"``; `options` are those of `probe.run.measure`. A record whose `errors` are not
    empty says why nothing was measured, and what to do.
    """
    from wallviz.machine.probe.run import measure

    return measure(path, **options)


def _read(source: Source) -> Architecture:
    from wallviz.engine.transformer import Architecture

    return source if isinstance(source, Architecture) else model(source)


#: What every job calls them, and what a training run does: sequences of one micro-batch on one GPU, tokens of each.
_OF_A_RUN = {"batch": "micro_batch", "context": "sequence"}


def _run(fields: Mapping[str, Any], job: str) -> dict[str, Any]:
    """Fields of a run or of serving: of a run, batch and context are its micro-batch and sequence; a pipeline stage may be given as a number."""
    names = {} if str(job) == "infer" else _OF_A_RUN  # an array is no word
    for name, same in names.items():
        if name in fields and same in fields:
            raise InputError(N_("{name} and {same} are the same in training: give one of them."), name=name, same=same)
    return {names.get(name, name): str(value) if name == "stage" else value for name, value in fields.items()}


def _count(chips: Any) -> int:
    """A number of chips."""
    from wallviz.engine.memory.jobs import MOST_GPUS
    from wallviz.engine.memory.run import whole

    whole("count", chips, 1, MOST_GPUS)
    return int(chips)


def _chip(hardware: str | Accelerator) -> Accelerator:
    """An accelerator, named or given."""
    from wallviz import catalog
    from wallviz.engine.hardware import Accelerator

    return hardware if isinstance(hardware, Accelerator) else catalog.chip(hardware)


def _memory_bytes(hardware: str | Accelerator) -> float:
    """Memory of an accelerator, named or given."""
    chip = _chip(hardware)
    if chip.memory_bytes is None:
        raise InputError(N_("the memory of {chip} is not known: choose another chip"), chip=chip.name)
    return chip.memory_bytes
