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
from wallviz.i18n import N_, _, listing
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
    """Further names, as they are typed: the option is given by one of them, once."""
    default: str = ""
    """What the function that answers takes where nothing is given, for the help alone; empty: nothing to say."""

    @property
    def name(self) -> str:
        """As it is typed: ``--micro-batch``."""
        return "--" + self.field.replace("_", "-")

    @property
    def names(self) -> list[str]:
        """All its names, as help shows them: that of the job's setting before older ones."""
        return sorted((self.name, *self.also), key=lambda name: name[2:].replace("-", "_") not in SETTINGS)

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
            annotation = Annotated[bool, typer.Option(self.name, **said)]
        elif self.also:
            annotation = Annotated[list[Any] | None, typer.Option(*self.names, metavar=self.metavar, parser=number, **said)]
        elif self.metavar in NUMBERS:
            annotation = Annotated[Any, typer.Option(self.name, metavar=self.metavar, parser=number, **said)]
        else:
            annotation = Annotated[str | None, typer.Option(self.name, metavar=self.metavar, **said)]
        return inspect.Parameter(
            self.field, inspect.Parameter.KEYWORD_ONLY, default=None if self.metavar or self.on else False, annotation=annotation
        )

    def given(self, value: Any) -> Any:
        """What was typed; raises InputError where an option of several names was given by more than one."""
        if not self.also:
            return value
        if value and len(value) > 1:
            raise InputError(N_("{names} are one option: give it once."), names=listing(self.names))
        return value[0] if value else None


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
COPIES = _of("replicas")
BATCH_OF_STEP = (Option("global_batch", "N", SETTINGS["sequences"].help),)
SPLIT = tuple(option for option in PARALLEL if option.field in ("tensor_parallel", "pipeline_parallel", "expert_parallel"))
SERVING = (*REQUESTS, *STORED, *SPLIT, *COPIES, *ENGINE)
NAMED = N_("The accelerator: a name, the beginning of one, a short name (H100), or a record's file.")
CHIP = (
    Option("hardware", "NAME", NAMED),
    Option("count", "N", N_("How many there are."), also=("--chips",), default="1"),
)
"""What it is held against, and over how many it is shared."""
POOL = _of("utilization")
HARDWARE = (*CHIP, Option("job", "train|finetune|infer", SETTINGS["job"].help, default="train"))
Hardware: TypeAlias = Annotated[str, typer.Argument(metavar="HARDWARE", help=NAMED)]


def of_every_job() -> tuple[Option, ...]:
    """The options of all jobs, each once: weights are formats of training, or formats of serving; batch and context have their names of a run too."""
    weights = Option(
        "weights", "FORMAT", N_("Format of the weights, of training (fp32, bf16, ...) or of serving (bf16, fp8, awq-4, gguf:Q4_K_M, ...).")
    )
    of_a_run = {shape.also[0]: shape.name for shape in SHAPE}
    asked = tuple(replace(option, also=(of_a_run[option.name],)) for option in REQUESTS)
    every = {option.field: option for option in (*ADAPTERS, *asked, *PARALLEL, *COPIES, *STATES, *STEP, *BATCH_OF_STEP, *STORED, *ENGINE, weights)}
    return tuple(every.values())


def takes(*options: Option) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declares `options` for a command, which gets what the reader gave of them as its argument `given`."""

    def declare(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [parameter for name, parameter in signature.parameters.items() if name != "given"]
        first, last = [p for p in own if p.default is p.empty], [p for p in own if p.default is not p.empty]

        @wraps(command)
        def called(**values: Any) -> None:
            typed = {option.field: option.given(values.pop(option.field)) for option in options}
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
        typed = {option.field: option.name for option in (*of_every_job(), *SHAPE, *POOL, *HARDWARE, *more)}
        values = {key: _replaced(value, typed) if key in ("name", "what", "by", "choices") else value for key, value in error.values.items()}
        in_prose = {field: name for field, name in typed.items() if "_" in field}
        raise InputError("{said}", said=_replaced(_(error.template).format(**values), in_prose)) from None


def _replaced(text: object, words: Mapping[str, str]) -> str:
    return re.sub(r"(?<![\w-])[a-z_]+(?![\w-])", lambda word: words.get(word[0], word[0]), str(text))
