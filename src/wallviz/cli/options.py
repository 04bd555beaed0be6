"""The options of a run, declared once: `footprint` and `fit` take the same ones, and hand on those that were given by the name of their field.

No option has a default here: what is not given is left to the function that answers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, TypeAlias

import typer

from wallviz.engine.memory import run
from wallviz.errors import InputError
from wallviz.i18n import N_, _

Given: TypeAlias = dict[str, Any]
"""What the reader gave, by field."""


NUMBERS = ("N", "F", "0|1|2|3")
"""What stands for a number: whole, a fraction, a ZeRO stage."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a run: the field it sets, what stands for its value (empty: a switch) and what it means."""

    field: str
    metavar: str
    help: str

    @property
    def name(self) -> str:
        """As it is typed: ``--micro-batch``."""
        return "--" + self.field.replace("_", "-")

    def parameter(self) -> inspect.Parameter:
        """The option as a parameter of a command."""
        annotation: Any
        if not self.metavar:
            annotation = Annotated[bool, typer.Option(self.name, help=self.help)]
        elif self.metavar in NUMBERS:
            annotation = Annotated[Any, typer.Option(self.name, metavar=self.metavar, help=self.help, parser=number)]
        else:
            annotation = Annotated[str | None, typer.Option(self.name, metavar=self.metavar, help=self.help)]
        return inspect.Parameter(self.field, inspect.Parameter.KEYWORD_ONLY, default=None if self.metavar else False, annotation=annotation)


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


def _one_of(choices: tuple[str, ...] | Mapping[str, object]) -> str:
    return "|".join(choices)


_DTYPES = _one_of(run.DTYPES)

SHAPE = (
    Option("micro_batch", "N", N_("Sequences per GPU and micro-batch; 1.")),
    Option("sequence", "N", N_("Tokens per sequence; 4096.")),
)
PARALLEL = (
    Option("tensor_parallel", "N", N_("GPUs that share each layer.")),
    Option("sequence_parallel", "", N_("Share along the sequence what tensor parallelism copies.")),
    Option("pipeline_parallel", "N", N_("Stages that the layers are divided into.")),
    Option("virtual_stages", "N", N_("Slices of layers per stage (interleaved pipeline).")),
    Option("context_parallel", "N", N_("GPUs that share each sequence.")),
    Option("expert_parallel", "N", N_("GPUs that share the experts; divides context times data parallel.")),
    Option("data_parallel", "N", N_("Copies of all this; GPUs = tensor x pipeline x context x data.")),
    Option("stage", "first|last|worst|N", N_("The pipeline stage asked about; worst.")),
)
STATES = (
    Option("precision", _one_of(run.PRECISIONS), N_("Number formats of the model states; bf16-mixed. The four below override its parts.")),
    Option("weights", _DTYPES, N_("Format of the weights.")),
    Option("gradients", _DTYPES, N_("Format of the gradients.")),
    Option("master", _DTYPES, N_("Format of the master copy of the weights.")),
    Option("optimizer_state", _DTYPES, N_("Format of the optimizer's moments.")),
    Option("optimizer", _one_of(run.OPTIMIZERS), N_("The optimizer; adamw.")),
    Option("galore_rank", "N", N_("Rank of GaLore's projections; 128.")),
    Option("zero", "0|1|2|3", N_("ZeRO stage: 1 shards optimizer state, 2 gradients too, 3 weights too; 0.")),
)
STEP = (
    Option("recompute", _one_of(run.RECOMPUTE), N_("Activations made again in the backward pass; none.")),
    Option("kernels", _one_of(run.KERNELS), N_("How much the kernels keep; flash.")),
    Option("loss", _one_of(run.LOSSES), N_("How the cross-entropy is computed; plain.")),
    Option("dropout", "", N_("Dropout is on: its masks are kept.")),
    Option("accumulation", "N", N_("Micro-batches per step; 1.")),
    Option("offload", _one_of(run.OFFLOADS), N_("What lies in host memory; none.")),
    Option("optimizer_step", _one_of(run.OPTIMIZER_STEPS), N_("foreach keeps a temporary copy of what it updates; fused none (default).")),
)
ADAPTERS = (
    Option("method", _one_of(run.METHODS), N_("Train every weight, adapters, or adapters on 4-bit weights; lora.")),
    Option("rank", "N", N_("Rank of the adapters; 16.")),
    Option("targets", _one_of(run.TARGETS), N_("Linear layers that get adapters; all.")),
    Option("adapter_dtype", _one_of(run.ADAPTER_DTYPES), N_("Format of the adapters; fp32.")),
)
TRAINING = (*SHAPE, *PARALLEL, *STATES, *STEP)
FINETUNING = (*ADAPTERS, *TRAINING)

REQUESTS = (
    Option("batch", "N", N_("Sequences at once; 1.")),
    Option("context", "N", N_("Tokens per sequence, prompt and answer; 4096.")),
)
STORED = (
    Option("weights", "FORMAT", N_("Format of the weights: bf16 (default), fp8, int8, awq-4, nf4, mxfp4, gguf:Q4_K_M, ...")),
    Option("kv", "FORMAT", N_("Format of the KV cache: bf16 (default), fp8, int8, q8_0, q4_0, ...")),
    Option("sparsity", "2:4|F", N_("Pruned weights: 2:4, or the fraction that was removed.")),
    Option("imatrix", "", N_("The GGUF file was made with an importance matrix.")),
)
ENGINE = (
    Option("engine", "vllm|hf", N_("Who serves: vLLM (default) or transformers.")),
    Option("block", "N", N_("Tokens per page of the KV cache; 16.")),
    Option("prompt", "N", N_("Tokens that are prefilled; all of the context.")),
    Option("prefix", "N", N_("Tokens that all sequences share; 0.")),
    Option("chunk", "N", N_("Tokens that vLLM prefills at once; 8192.")),
    Option("encoder_context", "N", N_("Tokens of the encoder's sequence, for models that have one.")),
)
SPLIT = tuple(option for option in PARALLEL if option.field in ("tensor_parallel", "pipeline_parallel"))
SERVING = (*REQUESTS, *STORED, *SPLIT, *ENGINE)
POOL = (
    Option("hardware", "NAME", N_("The accelerator whose memory the engine fills.")),
    Option("utilization", "F", N_("Share of the memory that the engine may fill; 0.9.")),
)
HARDWARE = (
    Option("hardware", "NAME", N_("The accelerator: a name, the beginning of one, or a short name such as H100.")),
    Option("count", "N", N_("How many there are; 1.")),
    Option("job", "train|finetune|infer", N_("What should fit; train.")),
)


def of_every_job() -> tuple[Option, ...]:
    """The options of all jobs, each once: weights are formats of training, or formats of serving."""
    weights = Option(
        "weights", "FORMAT", N_("Format of the weights, of training (fp32, bf16, ...) or of serving (bf16, fp8, awq-4, gguf:Q4_K_M, ...).")
    )
    return tuple({option.field: option for option in (*FINETUNING, *SERVING, weights)}.values())


def takes(*options: Option) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declares `options` for a command, which gets what the reader gave of them as its argument `given`."""

    def declare(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [parameter for name, parameter in signature.parameters.items() if name != "given"]
        first, last = [p for p in own if p.default is p.empty], [p for p in own if p.default is not p.empty]

        @wraps(command)
        def called(**values: Any) -> None:
            typed = {option.field: values.pop(option.field) for option in options}
            given = {field: value for field, value in typed.items() if value is not None and value is not False}
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
