"""A ``config.json``, from anyone: text to a mapping, and a mapping to checked numbers. Every refusal is one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from math import isfinite
from typing import Any, NoReturn, TypeVar

from wallviz.engine.transformer.defaults import CLASS_DEFAULTS
from wallviz.engine.transformer.parts import Remark
from wallviz.errors import InputError
from wallviz.i18n import N_

TEXT_LIMIT = 1_000_000
"""Characters of a config.json: the largest known one has a few thousand."""
LAYER_LIMIT = 10_000
EXPERT_LIMIT = 100_000
SIZE_LIMIT = 10_000_000
"""Of every other number: the widest published layer has a few hundred thousand."""

#: Names of the same number: that of today first, then those of older configs.
HIDDEN = ("hidden_size", "n_embd", "d_model", "dim", "model_dim")
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads")
KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "multi_query_group_num")
FFN = ("intermediate_size", "ffn_hidden_size", "ffn_dim", "n_inner", "d_ff", "hidden_dim")
POSITIONS = ("max_position_embeddings", "n_positions", "seq_length", "max_seq_len", "max_sequence_length", "model_max_length", "n_ctx")
ACTIVATION = ("hidden_act", "hidden_activation", "activation_function", "mlp_hidden_act", "activation", "dense_act_fn")
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
TOP_K = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_top_k", "moe_k", "experts_per_token", "top_k_experts")
EXPERT_WIDTH = ("moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size")
DROPOUT = (
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_pdrop",
    "hidden_dropout",
    "hidden_dropout_prob",
    "resid_pdrop",
    "residual_dropout",
    "resid_dropout",
    "dropout",
    "dropout_rate",
)
#: Where a model of several parts keeps its language model.
INNER = ("text_config", "language_config", "llm_config", "language_model_config", "text_model_config", "text_model")

T = TypeVar("T", bound=Hashable)
L = TypeVar("L")


def shown(value: object) -> str:
    """A value as an error shows it: as JSON, cut short."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = str(type(value).__name__)
    return text if len(text) <= 40 else text[:37] + "..."


def parse(text: str) -> Mapping[str, Any]:
    """The mapping in a JSON text; raises `InputError` with line and column where it is none.

    >>> parse('{"hidden_size": 4096,}')
    Traceback (most recent call last):
    wallviz.errors.InputError: this is not valid JSON in line 1, column 22: ...
    """
    if len(text) > TEXT_LIMIT:
        raise InputError(
            N_("a config.json has at most {limit} characters, this text has {size}: paste the config of one model"), limit=TEXT_LIMIT, size=len(text)
        )
    if not text.strip():
        raise InputError(N_("the text is empty: paste a config.json"))
    try:
        found = json.loads(text.lstrip("\ufeff"), parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InputError(
            N_("this is not valid JSON in line {line}, column {column}: {problem}; correct it there"),
            line=error.lineno,
            column=error.colno,
            problem=error.msg.lower(),
        ) from None
    except UnicodeEncodeError:
        raise InputError(N_("the JSON holds half a character (one of \\ud800 to \\udfff without the other half): correct it")) from None
    except RecursionError:
        raise InputError(N_("the JSON is nested too deeply to be a config.json: paste the config of one model")) from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(N_("the JSON holds a number with thousands of digits: correct it")) from None
    if not isinstance(found, dict):
        raise InputError(N_("a config.json is an object in braces, not {value}: paste the whole file"), value=shown(found))
    return found


def _no_number(constant: str) -> NoReturn:
    raise InputError(N_("{value} is no number of a config.json: write a finite number or null"), value=constant)


class Config:
    """One config with its defaults: asks for a number by its names, checks it, and remembers what it had to assume."""

    def __init__(self, data: Mapping[str, Any], kind: str, *, outer: Mapping[str, Any] | None = None, remarks: list[Remark] | None = None) -> None:
        self.data = data
        self.kind = kind
        """``model_type``, which decides the defaults."""
        self.outer: Mapping[str, Any] = data if outer is None else outer
        """The whole config, of which `data` may be the language model's part."""
        self.defaults: Mapping[str, Any] = CLASS_DEFAULTS.get(kind, {})
        self.remarks: list[Remark] = [] if remarks is None else remarks

    def inner(self, name: str, kind: str) -> Config:
        """The config that stands under `name`, as one of `kind`."""
        return Config(self.mapping(name), kind, outer=self.outer, remarks=self.remarks)

    def remark(self, template: str, **values: str | int) -> None:
        """Adds a sentence to what was assumed, once."""
        found = Remark(template, tuple(values.items()))
        if found not in self.remarks:
            self.remarks.append(found)

    # ------------------------------------------------------------------------------------------------------------- looking up

    def stated(self, *names: str) -> str | None:
        """The first of `names` that has a value."""
        return next((name for name in names if self.data.get(name) is not None), None)

    def has(self, *names: str) -> bool:
        """Whether any of `names` has a value."""
        return self.stated(*names) is not None

    def knows(self, *names: str) -> bool:
        """Whether the config or its class has a value for any of `names`."""
        return self._find(names)[1] is not None

    def _find(self, names: Sequence[str]) -> tuple[str, Any, bool]:
        """Name, value (None where there is none) and whether the config states it; a null is a statement: the class's own rule."""
        name = self.stated(*names)
        if name is not None:
            return name, self.data[name], True
        if any(name in self.data for name in names):
            return names[0], None, True
        name = next((name for name in names if name in self.defaults), None)
        return (name, self.defaults[name], False) if name is not None else (names[0], None, False)

    # ------------------------------------------------------------------------------------------------------------- checked values

    def integer(self, *names: str, default: int | None = None, least: int = 1, most: int = SIZE_LIMIT) -> int:
        """A whole number between `least` and `most`; where the config has none: the class's, then `default`, else an error."""
        name, value, stated = self._find(names)
        if value is None and default is not None:
            value, stated = default, True
        if value is None:
            missing = N_("{field} is missing: a config.json of a {family} model states it; add it")
            if not self.kind:
                missing = N_("{field} is missing: a config.json of a language model states it; add it")
            raise InputError(missing, field=" / ".join(names[:3]), family=self.kind)
        if not stated:
            self.assume(name, value)
        return self.checked(name, value, least=least, most=most)

    def optional(self, *names: str, least: int = 0, most: int = SIZE_LIMIT) -> int | None:
        """The same, but None where neither the config nor its class has a number."""
        name, value, _stated = self._find(names)
        return None if value is None else self.checked(name, value, least=least, most=most)

    def ratio(self, name: str, *, default: float, most: float) -> float:
        """A number from 0 to `most`."""
        value = self.data.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise InputError(N_("{field} must be a number from 0 to {most:g}, not {value}: correct it"), field=name, most=most, value=shown(value))
        return float(value)

    def checked(self, name: str, value: object, *, least: int = 1, most: int = SIZE_LIMIT) -> int:
        """`value` as the whole number it must be."""
        if isinstance(value, float) and isfinite(value) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(N_("{field} must be a whole number, not {value}: write digits without quotes"), field=name, value=shown(value))
        if not least <= value <= most:
            raise InputError(
                N_("{field} must lie between {least} and {most}, not {value}: correct it"), field=name, least=least, most=most, value=shown(value)
            )
        return value

    def flag(self, *names: str, default: bool = False) -> bool:
        """true or false."""
        name, value, _stated = self._find(names)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise InputError(N_("{field} must be true or false, not {value}: correct it"), field=name, value=shown(value))
        return value

    def text(self, *names: str, default: str = "") -> str:
        """A short text."""
        name, value, _stated = self._find(names)
        if value is None:
            return default
        if not isinstance(value, str) or len(value) > LAYER_LIMIT:
            raise InputError(N_("{field} must be a short text in quotes, not {value}: correct it"), field=name, value=shown(value))
        return value

    def listing(self, *names: str, most: int = LAYER_LIMIT + 100) -> Sequence[Any] | None:
        """A list, None where there is none."""
        name, value, _stated = self._find(names)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise InputError(N_("{field} must be a list in brackets, not {value}: correct it"), field=name, value=shown(value))
        if len(value) > most:
            raise InputError(N_("{field} has {count} entries, at most {most} are read: correct it"), field=name, count=len(value), most=most)
        return value

    def integers(self, *names: str) -> Sequence[int] | None:
        """A list of whole numbers from 0 on."""
        found = self.listing(*names)
        return None if found is None else [self.checked(names[0], value, least=0) for value in found]

    def mapping(self, *names: str) -> Mapping[str, Any]:
        """An object, empty where there is none."""
        name, value, _stated = self._find(names)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise InputError(N_("{field} must be an object in braces, not {value}: correct it"), field=name, value=shown(value))
        return value

    def assume(self, name: str, value: object) -> None:
        """Says that `name` took its class's value."""
        self.remark(N_("{field} is not stated; {value}, the default of the model class, is taken."), field=name, value=shown(value))

    # ------------------------------------------------------------------------------------------------------------- what every model has

    @property
    def hidden(self) -> int:
        """h, the width of the residual stream."""
        return self.integer(*HIDDEN)

    @property
    def layers(self) -> int:
        """L, the number of layers."""
        return self.integer(*LAYERS, most=LAYER_LIMIT)

    @property
    def heads(self) -> int:
        """a, the number of query heads."""
        return self.integer(*HEADS, most=EXPERT_LIMIT)

    @property
    def vocab(self) -> int:
        """V, the size of the vocabulary."""
        return self.integer("vocab_size", "padded_vocab_size", "n_vocab")

    @property
    def positions(self) -> int | None:
        """Longest sequence that the config names."""
        return self.optional(*POSITIONS, least=1, most=1_000_000_000)

    def kv_heads(self, heads: int) -> int:
        """g, the number of key and value heads: all of them unless stated otherwise."""
        found = self.integer(*KV_HEADS, default=heads, most=EXPERT_LIMIT)
        if heads % found:
            raise InputError(
                N_("num_key_value_heads {kv_heads} must divide num_attention_heads {heads}: correct one of them"), kv_heads=found, heads=heads
            )
        return found

    def head_dim(self, hidden: int, heads: int, *names: str) -> int:
        """d, read where stated, else h / a."""
        found = self.optional(*(names or ("head_dim", "attention_head_dim", "kv_channels")), least=1)
        return self.per_head(hidden, heads) if found is None else found

    def per_head(self, hidden: int, heads: int) -> int:
        """h / a, which must be whole."""
        if hidden % heads:
            raise InputError(
                N_("hidden_size {hidden} is no multiple of num_attention_heads {heads}: correct one of them or state head_dim"),
                hidden=hidden,
                heads=heads,
            )
        return hidden // heads

    @property
    def activation(self) -> str:
        """Activation function of the feed-forward layers."""
        return self.text(*ACTIVATION, default="silu")

    @property
    def dropout(self) -> float:
        """Largest dropout rate of the layers."""
        return max(self.ratio(name, default=0.0, most=1.0) for name in DROPOUT)

    @property
    def tied(self) -> bool:
        """Whether the head reads the embedding table: what the language model's part says, else the whole config, else the class."""
        if self.data.get("tie_word_embeddings") is None and self.outer.get("tie_word_embeddings") is not None:
            return Config(self.outer, self.kind).flag("tie_word_embeddings")
        return self.flag("tie_word_embeddings")

    # ------------------------------------------------------------------------------------------------------------- one entry per layer

    def per_layer(self, *names: str, layers: int, read: Callable[[str, Any], T]) -> list[T] | None:
        """A list with an entry per layer (more are cut off), each read by `read(name, entry)`; None where there is none."""
        found = self.listing(*names)
        if found is None:
            return None
        name = self.stated(*names) or names[0]
        if len(found) < layers:
            raise InputError(
                N_("{field} has {count} entries, the model {layers} layers: give one entry per layer"), field=name, count=len(found), layers=layers
            )
        return [read(name, entry) for entry in found[:layers]]

    def words(self, *names: str, layers: int) -> list[str] | None:
        """One word per layer."""

        def word(name: str, entry: object) -> str:
            if not isinstance(entry, str):
                raise InputError(N_("{field} must list words in quotes, not {value}: correct it"), field=name, value=shown(entry))
            return entry

        return self.per_layer(*names, layers=layers, read=word)

    def numbers(self, *names: str, layers: int) -> list[int] | None:
        """One whole number per layer."""
        return self.per_layer(*names, layers=layers, read=lambda name, entry: self.checked(name, entry, least=0))


def each(keys: Sequence[T], build: Callable[[T], L]) -> tuple[L, ...]:
    """`build(key)` for every key, equal keys once: a model of 10,000 layers has a handful of different ones."""
    made: dict[T, L] = {}
    for key in keys:
        if key not in made:
            made[key] = build(key)
    return tuple(made[key] for key in keys)
