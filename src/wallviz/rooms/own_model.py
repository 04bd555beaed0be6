"""The reader's own model: a pasted ``config.json`` or a few numbers, checked, cut down to what decides the architecture, and in the link."""

from __future__ import annotations

import inspect
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from wallviz.engine.transformer import Architecture, architecture, custom
from wallviz.engine.transformer.config import parse
from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.settings import MAX_LENGTH

#: Bytes of unpacked text: more was written to exhaust memory, not to describe a model.
UNPACKED_LIMIT = 200_000
#: Keys to try without one by one; a config with more is kept as it is.
MOST_KEYS = 200
NAME_LENGTH = 60
NUMBERS = frozenset(inspect.signature(custom).parameters)
"""What describes a model that has no config.json."""


def pack(text: str, *, name: str = "") -> str:
    """A pasted ``config.json`` as it stands in a link: zlib and base64url of the keys without which another architecture would come out.

    Raises InputError, one sentence, for what is no such config.

    >>> from wallviz.engine.transformer import architecture
    >>> pasted = '{"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257, "eos_id": 50256}'
    >>> read(pack(pasted)).parameters == architecture(pasted).parameters
    True
    """
    config = dict(parse(text))
    label = name or str(config.get("_name_or_path") or config.get("model_type") or "config.json")
    return _packed({"name": label[:NAME_LENGTH], "config": _needed(config)})


def pack_numbers(**numbers: Any) -> str:
    """A model by its numbers alone (`transformer.custom`), as it stands in a link; what is None or empty is left out."""
    given: dict[str, Any] = {
        key: value[:NAME_LENGTH] if isinstance(value, str) else value for key, value in numbers.items() if value not in (None, "")
    }
    custom(**given)
    return _packed({"numbers": given})


def fits_link(packed: str) -> bool:
    """Whether a link can carry it."""
    return len(packed) <= MAX_LENGTH


@lru_cache(maxsize=256)
def read(packed: str) -> Architecture:
    """The architecture that `pack` or `pack_numbers` wrote; raises InputError, one sentence, for anything else."""
    document = _unpacked(packed)
    numbers, config, name = document.get("numbers"), document.get("config"), document.get("name", "")
    if isinstance(numbers, dict) and numbers.keys() <= NUMBERS:
        try:
            return custom(**numbers | {"name": str(numbers.get("name", ""))[:NAME_LENGTH]})
        except TypeError:
            raise InputError(N_("The link's own model lacks numbers: enter it again.")) from None
    if isinstance(config, dict):
        return architecture(config, name=str(name)[:NAME_LENGTH])
    raise InputError(N_("The link's own model cannot be read: paste its config.json again."))


def name(packed: str) -> str:
    """What the model is called; that it cannot be read, where it cannot."""
    try:
        return read(packed).name
    except InputError:
        return _("cannot be read")


def labels() -> dict[str, str]:
    """What the numbers of a model are called, in the language in use."""
    return {
        "layers": _("Layers"),
        "hidden_size": _("Hidden size"),
        "heads": _("Query heads"),
        "kv_heads": _("KV heads"),
        "head_dim": _("Head dimension (or empty)"),
        "ffn": _("Feed-forward width"),
        "vocab": _("Vocabulary"),
        "gated": _("Gated (SwiGLU)"),
        "tied": _("Head shares the embedding"),
        "name": _("Name"),
    }


def helps() -> dict[str, str]:
    """What the numbers of a model are, in the language in use."""
    return {
        "layers": _("How many layers stand one after the other."),
        "hidden_size": _("How many numbers stand for one token between two layers."),
        "heads": _("Heads of attention in each layer, which read the tokens before in different ways."),
        "kv_heads": _("Heads whose keys and values the KV cache keeps: fewer than query heads make it smaller."),
        "head_dim": _("Numbers of one head; empty: the hidden size over the query heads."),
        "ffn": _("How wide the two or three matrices are that follow attention in each layer."),
        "vocab": _("How many different tokens the model knows."),
        "gated": _("Three matrices follow attention instead of two, as in Llama."),
        "tied": _("The first and the last matrix are one, which saves its bytes, as in GPT-2."),
        "name": _("What sentences and figures call this model."),
    }


def _needed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that decide the architecture, or what is said about it."""
    whole = architecture(config, name="model")
    kept = dict(config)
    for key in list(kept) if len(kept) <= MOST_KEYS else ():
        without = {k: v for k, v in kept.items() if k != key}
        try:
            same = architecture(without, name="model")
        except InputError:
            continue
        if same == whole and same.remarks == whole.remarks:
            kept = without
    return kept


def _packed(document: Mapping[str, Any]) -> str:
    try:
        text = orjson.dumps(document)
    except orjson.JSONEncodeError:  # numbers beyond 64 bits, or hundreds of brackets deep
        text = b""
    if not 0 < len(text) <= UNPACKED_LIMIT:
        raise InputError(N_("this config.json holds far more than a model: keep the fields that its model class reads, and paste those"))
    return urlsafe_b64encode(zlib.compress(text, 9)).decode().rstrip("=")


def _unpacked(packed: str) -> Mapping[str, Any]:
    try:
        raw = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        unpack = zlib.decompressobj()
        text = unpack.decompress(raw, UNPACKED_LIMIT)
        if unpack.unconsumed_tail:
            raise ValueError
        found = orjson.loads(text)
    except (ValueError, zlib.error):
        raise InputError(N_("The link's own model cannot be read: paste its config.json again.")) from None
    if not isinstance(found, dict):
        raise InputError(N_("The link's own model cannot be read: paste its config.json again."))
    return found
