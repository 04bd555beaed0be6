"""The options of a job: values and help are those of the fields of `wallviz.job.Job`, and what was given is handed on by the name of its field.

No option has a default here: what is not given is left to the function that answers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Annotated, Any, TypeAlias

import typer

from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.job import PRESET, SETTINGS
from wallviz.settings import Setting

Given: TypeAlias = dict[str, Any]
"""What the reader gave, by field."""


NUMBERS = ("N", "F", "0|1|2|3")
"""What stands for a number: whole, a fraction, a ZeRO stage."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a job: the field it sets, what stands for its value (empty: a switch) and what it means."""

    field: str
    metavar: str
    help: str
    also: tuple[str, ...] = ()
    """Further names, as they are typed."""
    default: str = ""
    """What the function that answers takes where nothing is given, for the help alone; empty: nothing to say."""

    @property
    def name(self) -> str:
        """As it is typed: ``--micro-batch``."""
        return "--" + self.field.replace("_", "-")

    @property
    def on(self) -> bool:
        """Whether it is a switch that is on where nothing is said: ``--graphs/--no-graphs``."""
        return not self.metavar and self.field in SETTINGS and SETTINGS[self.field].default is True

    def parameter(self) -> inspect.Parameter:
        """The option as a parameter of a command."""
        annotation: Any
        said: dict[str, Any] = {"help": self.help, "show_default": self.default or False}
        if self.on:
            annotation = Annotated[bool | None, typer.Option(f"{self.name}/--no-{self.name[2:]}", **said)]
        elif not self.metavar:
            annotation = Annotated[bool, typer.Option(self.name, *self.also, **said)]
        elif self.metavar in NUMBERS:
            annotation = Annotated[Any, typer.Option(self.name, *self.also, metavar=self.metavar, parser=number, **said)]
        else:
            annotation = Annotated[str | None, typer.Option(self.name, *self.also, metavar=self.metavar, **said)]
        return inspect.Parameter(
            self.field, inspect.Parameter.KEYWORD_ONLY, default=None if self.metavar or self.on else False, annotation=annotation
        )


def number(text: str) -> int | float | str:
    """The number that was typed; anything else stays text, and the function that checks it says what it should be.

    >>> number("4096"), number("0.9"), number("2e3"), number("many")
    (4096, 0.9, 2000, 'many')
    """
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return text


def _of(*fields: str) -> tuple[Option, ...]:
    """Options of the job's own settings: their values, help and default are read off the fields of `Job`."""
    return tuple(Option(field, _metavar(SETTINGS[field]), SETTINGS[field].help, default=_default(SETTINGS[field])) for field in fields)


def _default(setting: Setting) -> str:
    """A setting's default as it is typed; empty for what is off, or taken from something else."""
    if setting.name in _DEFAULTS:
        return _DEFAULTS[setting.name]
    if isinstance(setting.default, bool):
        return f"--{setting.name}" if setting.default else ""
    return "" if setting.default in (None, PRESET) else str(setting.default)


def _metavar(setting: Setting) -> str:
    """What stands for the value of a setting; empty for a switch."""
    if setting.high or setting.low:
        return "N"
    if setting.words:
        return "|".join(str(option) for option in setting.words if option != PRESET)
    return "" if isinstance(setting.default, bool) else _METAVARS[setting.name]


_DEFAULTS = {"context": "4096", "utilization": "0.9", "sparsity": ""}
"""Where the functions that answer take another default than a page, or spell it otherwise."""
_METAVARS = {"stage": "first|last|worst|N", "sparsity": "2:4|F", "utilization": "F"}

SHAPE = (
    Option("micro_batch", "N", N_("Sequences per GPU and micro-batch."), also=("--batch",), default="1"),
    Option("sequence", "N", N_("Tokens per sequence."), also=("--context",), default="4096"),
)
PARALLEL = (
    *_of("tensor_parallel", "sequence_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel"),
    Option("data_parallel", "N", N_("Copies of all this; GPUs = tensor x pipeline x context x data.")),
    *_of("stage"),
)
STATES = _of("precision", "weights", "gradients", "master", "optimizer_state", "optimizer", "galore_rank", "zero")
STEP = _of("recompute", "kernels", "loss", "loss_chunks", "dropout", "accumulation", "offload", "optimizer_step")
ADAPTERS = _of("method", "rank", "targets", "adapter_dtype")
TRAINING = (*SHAPE, *PARALLEL, *STATES, *STEP)
FINETUNING = (*ADAPTERS, *TRAINING)

REQUESTS = _of("batch", "context")
STORED = (
    Option("weights", "FORMAT", N_("Format of the weights, such as bf16, fp8, int8, awq-4, nf4, mxfp4 or gguf:Q4_K_M."), default="bf16"),
    Option("kv", "FORMAT", N_("Format of the KV cache, such as bf16, fp8, int8, q8_0 or q4_0."), default="bf16"),
    *_of("sparsity", "imatrix"),
)
ENGINE = _of("engine", "block", "prompt", "prefix", "chunk", "encoder_context", "graphs")
SPLIT = tuple(option for option in PARALLEL if option.field in ("tensor_parallel", "pipeline_parallel", "expert_parallel"))
SERVING = (*REQUESTS, *STORED, *SPLIT, *ENGINE)
POOL = (
    Option("hardware", "NAME", N_("The accelerator whose memory the engine fills.")),
    *_of("utilization"),
)
HARDWARE = (
    Option("hardware", "NAME", N_("The accelerator: a name, the beginning of one, a short name (H100), or a record's file.")),
    Option("count", "N", N_("How many there are."), also=("--chips",), default="1"),
    Option("job", "train|finetune|infer", SETTINGS["job"].help, default="train"),
)


def of_every_job() -> tuple[Option, ...]:
    """The options of all jobs, each once: weights are formats of training, or formats of serving; batch and context are said by one name alone."""
    weights = Option(
        "weights", "FORMAT", N_("Format of the weights, of training (fp32, bf16, ...) or of serving (bf16, fp8, awq-4, gguf:Q4_K_M, ...).")
    )
    every = {option.field: option for option in (*FINETUNING, *SERVING, weights)}
    return tuple(replace(option, also=()) if option.field in ("micro_batch", "sequence") else option for option in every.values())


def takes(*options: Option) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declares `options` for a command, which gets what the reader gave of them as its argument `given`."""

    def declare(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [parameter for name, parameter in signature.parameters.items() if name != "given"]
        first, last = [p for p in own if p.default is p.empty], [p for p in own if p.default is not p.empty]

        @wraps(command)
        def called(**values: Any) -> None:
            typed = {option.field: values.pop(option.field) for option in options}
            switches = {option.field for option in options if not option.metavar and not option.on}
            given = {field: value for field, value in typed.items() if value is not None and (value or field not in switches)}
            command(given=given, **values)

        keyword = inspect.Parameter.KEYWORD_ONLY
        declared = [*first, *(option.parameter() for option in options), *(p.replace(kind=keyword) for p in last)]
        called.__signature__ = signature.replace(parameters=declared)  # type: ignore[attr-defined]
        return called

    return declare


@contextmanager
def as_options(*more: Option) -> Iterator[None]:
    """Says the fields of an InputError as the options that set them: ``--micro-batch``, not micro_batch. `more` are options of one command."""
    try:
        yield
    except InputError as error:
        if "kind" in error.values:  # of a name that the reader typed
            raise
        typed = {option.field: option.name for option in (*of_every_job(), *POOL, *HARDWARE, *more)}
        values = {key: _replaced(value, typed) if key in ("name", "what", "by", "choices") else value for key, value in error.values.items()}
        in_prose = {field: name for field, name in typed.items() if "_" in field}
        raise InputError("{said}", said=_replaced(_(error.template).format(**values), in_prose)) from None


def _replaced(text: object, words: Mapping[str, str]) -> str:
    return re.sub(r"(?<![\w-])[a-z_]+(?![\w-])", lambda word: words.get(word[0], word[0]), str(text))
