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
from wallviz.errors import DataError, InputError, WallvizError
from wallviz.growth import Claim, Point, Refit, Trend, divergence, influence, record_setters
from wallviz.growth import fit as fit_trend
from wallviz.i18n import N_

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeAlias

    import plotly.graph_objects as go

    from wallviz.footprint.peak import Training
    from wallviz.footprint.serve import Serving
    from wallviz.footprint.solve import Fit
    from wallviz.hardware import Accelerator
    from wallviz.transformer import Architecture

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
    "claim",
    "claims",
    "divergence",
    "figure",
    "finetune",
    "fit",
    "fit_trend",
    "infer",
    "influence",
    "model",
    "record_setters",
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
    from wallviz.growth import refit

    return refit(catalog.find(name, catalog.claims(), "claim"), exclude=exclude, since=since, until=until, method=method, interval=interval)


def figure(fitted: Refit, *, log: bool = True) -> go.Figure:
    """A refit as a figure: the points kept and taken out, the line, its bands. It shows by itself in a notebook."""
    from wallviz.answers.growth import refit_figure

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
    from wallviz.transformer import architecture

    if not isinstance(source, str | os.PathLike):
        return architecture(source)
    text = os.fspath(source)
    if isinstance(source, str) and ("{" in text or "\n" in text or text.lstrip().startswith("[") or len(text) > 4096):
        return architecture(text)
    if isinstance(source, str) and "/" not in text and "\\" not in text and not text.lower().endswith(".json"):
        return catalog.architecture(catalog.find(text, catalog.presets(), "model").id)
    return architecture(catalog.read_config(text))


def train(source: Source, **fields: Any) -> Training:
    """Peak memory of a training step, per GPU. `source` is what `model` takes, or an Architecture; `fields` are those of `footprint.run.Run`.

    Numbers may be numpy arrays, for many runs at once. Raises `InputError` for what cannot run.

    >>> found = train("llama-3.1-8b", precision="bf16-pure", sequence=4096)
    >>> round(float(found.peak_allocated_bytes) / 2**30, 1), found.peak_phase
    (76.4, 'loss_backward')
    """
    from wallviz.footprint import peak

    return peak.train(_read(source), **_run(fields))


def finetune(source: Source, *, method: str = "lora", **fields: Any) -> Training:
    """Peak memory of a fine-tuning step, per GPU: `method` is ``"full"``, ``"lora"`` or ``"qlora"``, `fields` are those of `train`.

    LoRA saves optimizer state and gradients, not activations:

    >>> full, lora = finetune("llama-3.1-8b", method="full"), finetune("llama-3.1-8b")
    >>> bool(lora.parts["optimizer"] < full.parts["optimizer"] / 100), bool(lora.parts["activations"] > full.parts["activations"])
    (True, True)
    """
    return train(source, method=method, **fields)


def infer(source: Source, *, context: Any = 4096, hardware: str | Accelerator | None = None, **options: Any) -> Serving:
    """Memory of serving on one GPU, and how many sequences of `context` tokens fit `hardware`; `options` are those of `footprint.serve.infer`.

    >>> infer("llama-3.1-8b", context=8192).kv_cache_bytes / 2**30
    1.0
    """
    from wallviz.footprint import serve

    if hardware is not None:
        options["hardware_bytes"] = _memory_bytes(hardware)
    return serve.infer(_read(source), context=context, **options)


def fit(source: Source, *, hardware: str | Accelerator, count: int = 1, job: str = "train", **options: Any) -> Fit:
    """Whether `job` (``"train"``, ``"finetune"`` or ``"infer"``) fits `count` of `hardware`, how much would, and what would make it fit.

    `options` are those of the function that the job names.

    >>> found = fit("llama-3.1-8b", hardware="H100", job="infer", context=8192)
    >>> found.fits, found.fewest_gpus
    (True, 1)
    """
    from wallviz.footprint import jobs

    return jobs.fit(_read(source), job, _run(options), _memory_bytes(hardware), count)


def _read(source: Source) -> Architecture:
    from wallviz.transformer import Architecture

    return source if isinstance(source, Architecture) else model(source)


def _run(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a run; a pipeline stage may be given as a number."""
    return {name: str(value) if name == "stage" else value for name, value in fields.items()}


def _memory_bytes(hardware: str | Accelerator) -> float:
    """Memory of an accelerator, named or given."""
    from wallviz import catalog

    chip = catalog.find(hardware, catalog.chips(), "chip") if isinstance(hardware, str) else hardware
    if chip.memory_bytes is None:
        raise InputError(N_("the memory of {chip} is not known: choose another chip"), chip=chip.name)
    return chip.memory_bytes
