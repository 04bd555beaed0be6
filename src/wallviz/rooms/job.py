"""The job that every room shares, against the catalogue: what may stand in each of its fields, its model, its chip, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from wallviz import catalog, job, units
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import quantization
from wallviz.engine.transformer import Architecture, Attention
from wallviz.errors import InputError
from wallviz.i18n import _, labelled
from wallviz.job import JOBS, WHO, Job
from wallviz.machine import own as own_machine
from wallviz.rooms import Group, own_model
from wallviz.settings import Setting, unknown


def _model(name: str, text: str) -> str:
    if text not in catalog.presets():
        raise unknown(name, text, tuple(catalog.presets()))
    return text


def _chip(name: str, text: str) -> str:
    """A chip of the catalogue, or a measured machine that the address holds."""
    if own_machine.is_own(text):
        return own_machine.read(text).id
    if text not in catalog.chips():
        raise unknown(name, text, tuple(catalog.chips()))
    return text


def _encodes(of: Job) -> bool:
    """Whether the model reads one sequence to write another: it has attention from the one to the other."""
    try:
        return any(isinstance(layer.mixer, Attention) and layer.mixer.cross for layer in architecture(of).layers)
    except InputError:  # an own model that cannot be read is said in the answer
        return False


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        **job.SETTINGS,
        "model": replace(job.SETTINGS["model"], read=_model),
        "chip": replace(job.SETTINGS["chip"], read=_chip),
        "encoder_context": replace(job.SETTINGS["encoder_context"], when=_encodes),
    }
)


#: What a visitor meets who has chosen nothing, by language: a model and a card that are in use where it is spoken.
LOCAL: Mapping[str, Mapping[str, Any]] = {"zh": {"model": "qwen3-8b", "chip": "h20"}}


def unpack(query: str) -> Job:
    """The job that `job.pack` wrote; raises InputError, a sentence, for anything else."""
    return job.unpack(query, SETTINGS)


# -- what it is about --------------------------------------------------------------------------------------------------------------


def architecture(of: Job) -> Architecture:
    """The job's model; raises InputError for an own model that cannot be read."""
    return own_model.read(of.config) if of.config else catalog.architecture(of.model)


def model_name(of: Job) -> str:
    """What the model is called."""
    return own_model.name(of.config) if of.config else catalog.presets()[of.model].name


def chip(of: Job) -> Accelerator:
    """The job's chip."""
    return catalog.chip(of.chip)


def chip_name(of: Job) -> str:
    """What the chip is called; the reader's own machine is called that."""
    name = chip(of).name
    return labelled(_("your machine"), name) if own_machine.is_own(of.chip) else name


def chips(of: Job) -> dict[str, str]:
    """The chips of the catalogue by id, after the reader's own machine where the job has one."""
    mine = {of.chip: chip_name(of)} if own_machine.is_own(of.chip) else {}
    return mine | {id: one.name for id, one in catalog.chips().items()}


def models() -> dict[str, str]:
    """The models of the catalogue by id."""
    return {id: one.name for id, one in catalog.presets().items()}


# -- in words ----------------------------------------------------------------------------------------------------------------------


def jobs() -> dict[str, str]:
    """The jobs by id, in the language in use."""
    return {id: _(name) for id, name in JOBS.items()}


def job_names() -> dict[str, str]:
    """The same as the options of a control: "Fine-tune"."""
    return {id: f"{name[:1].upper()}{name[1:]}" for id, name in jobs().items()}


def label(name: str) -> str:
    """What a field of the job is called, in the language in use."""
    return _(SETTINGS[name].label)


def words(name: str, of: Job | None = None) -> dict[Any, str]:
    """The options of a field by id, in the language in use."""
    return SETTINGS[name].options(of or Job())


def said(name: str, of: Job) -> str:
    """The value of a field in words."""
    if name in ("model", "config"):
        return model_name(of)
    if name == "chip":
        return chip_name(of)
    return SETTINGS[name].said(getattr(of, name), of)


def traits(of: Job) -> list[str]:
    """What a reader has to know of a job beside who does what: the method of fine-tuning, formats, the split, sharding, recomputation."""
    if of.serves:
        found = [] if of.format == "bf16" else [SETTINGS["format"].said(of.format, of)]
        found += [] if of.kv == "bf16" else [_("KV cache {format}").format(format=SETTINGS["kv"].said(of.kv, of))]
        found += [] if of.sparsity == job.DENSE else [_("pruned: {how}").format(how=SETTINGS["sparsity"].said(of.sparsity, of))]
    else:
        method = SETTINGS["method"].said(of.method, of)
        found = [] if of.job == "train" else [method if of.method == "full" else f"{method} r{units.THIN}={units.THIN}{of.rank}"]
        found += [] if of.precision == "bf16-mixed" else [SETTINGS["precision"].said(of.precision, of)]
        found += [] if of.weights == job.PRESET else [_("weights {format}").format(format=SETTINGS["weights"].said(of.weights, of))]
        found += [] if of.optimizer == "adamw" else [SETTINGS["optimizer"].said(of.optimizer, of)]
        found += [f"ZeRO-{of.zero}"] if of.zero else []
    ranks = (("TP", of.tensor_parallel), ("PP", of.pipeline_parallel), ("CP", of.context_parallel), ("EP", of.expert_parallel))
    found += [f"{name}{n}" for name, n in ranks if n > 1]
    if not of.serves:
        found += [] if of.recompute == "none" else [_("recomputes {what}").format(what=SETTINGS["recompute"].said(of.recompute, of))]
        found += [] if of.offload == "none" else [_("offloads {what}").format(what=SETTINGS["offload"].said(of.offload, of))]
    return found


def headline(of: Job) -> str:
    """A job in one line: what is done to which model, how, on what."""
    text = _("{job} {model} · batch {batch} · context {context} · {n} × {chip}").format(
        job=job_names()[of.job],
        model=model_name(of),
        batch=f"{of.batch:,}",
        context=f"{of.context:,}",
        n=f"{of.chips:,}",
        chip=chip_name(of),
    )
    return " · ".join([text, *traits(of)])


# -- the expert's drawer -----------------------------------------------------------------------------------------------------------


def groups(of: Job, *titles: str, without: tuple[str, ...] = ()) -> tuple[Group, ...]:
    """The settings that apply to a job, grouped; those of `titles` alone where there are any. What the case bar asks is not asked again."""
    found: dict[str, list[Setting]] = {}
    for name, one in SETTINGS.items():
        if one.group and name not in (*WHO, *without) and (not titles or one.group in titles) and one.applies(of.job, of):
            found.setdefault(one.group, []).append(one)
    return tuple(Group(_(title), tuple(found[title]), of) for title in found)


def bytes_per_weight(of: Job, arch: Architecture) -> float:
    """Bytes of a weight that is served, scales included, on average."""
    return quantization.bits_per_weight(of.format, arch, sparsity=None if of.sparsity == job.DENSE else of.sparsity) / 8
