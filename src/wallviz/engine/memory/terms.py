"""One term of memory: what it is, the formula that computed it, its symbols with their values, the bytes, the source.

A term's bytes are its formula evaluated with its symbols, so that the formula shown is the one computed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wallviz.i18n import N_, _

Quantity: TypeAlias = float | NDArray[np.float64]
"""One number, or an array of them: every formula here takes and gives either."""
Symbols: TypeAlias = Mapping[str, Quantity]
"""What the symbols of a formula stand for."""


Condition: TypeAlias = bool | NDArray[np.bool_]
"""Whether something holds: of one run, or of each of a sweep."""


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a footprint, shown as it was computed."""

    name: str
    """What the bytes are, marked for translation: "weights", "KV cache"."""
    part: str
    """The part of the whole that it belongs to: ``weights``, ``kv_cache``, ``workspace``."""
    formula: str
    """In the field's notation, see `evaluate`: ``2·L·g·d·s·b·bytes``; `worded` says its words in the language in use."""
    symbols: Symbols
    """The numbers that its symbols stand for; of more that are given, those of the formula are kept."""
    source: str
    """Where the formula stands, marked for translation: ``arXiv 2309.06180, section 3``."""
    bytes: Quantity = field(init=False)
    """The formula with its symbols; an array where a symbol is one."""

    def __post_init__(self) -> None:
        compute, names = _compiled(self.formula)
        symbols = {name: self.symbols[name] for name in names}
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "bytes", _float(compute(symbols)))

    @property
    def values(self) -> str:
        """The formula with the reader's numbers: ``2·32·8·128·8,192·1·2``."""
        return _TOKEN.sub(lambda token: written(self.symbols[token[0]]) if token[0] in self.symbols else token[0], self.formula)


Terms: TypeAlias = tuple[Term, ...]


def total(terms: Iterable[Term], part: str | None = None) -> Quantity:
    """Bytes of the terms (of one `part`); 0.0 for none."""
    return sum((term.bytes for term in terms if part is None or term.part == part), 0.0)


def only(terms: Terms, condition: Condition) -> Terms:
    """The terms that are alive where `condition` holds; in a sweep in which it does not always, times 1 or 0."""
    if isinstance(condition, bool | np.bool_):
        return terms if condition else ()
    return tuple(_while(term, np.asarray(condition, float)) for term in terms)


def _while(term: Term, alive: Quantity) -> Term:
    formula = term.formula if "alive" in term.symbols else f"alive·({term.formula})"
    return Term(term.name, term.part, formula, {**term.symbols, "alive": term.symbols.get("alive", 1.0) * alive}, term.source)


# ---------------------------------------------------------------- formulas

_TOKEN = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"  # 4096, 131,072, 0.5625
    r"|Σ\([^()]*\)"  # a sum over the model's tensors, computed beforehand: one symbol
    r"|[^\W\d][\w']*(?: [^\W\d][\w']*)*"  # N_d, P_linear, largest unit
    r"|[+−·/(),]"
)
_Computed: TypeAlias = Callable[[Symbols], Quantity]


def evaluate(formula: str, symbols: Symbols) -> Quantity:
    """`formula` with numbers for its symbols: ``+ − · /``, parentheses, ``min max ceil floor``; ``Σ(…)`` is a symbol, words with spaces are one.

    An empty formula is nothing, 0.

    >>> evaluate("2·P/N_d + min(2·largest unit, 4,096)", {"P": 16.0, "N_d": 8.0, "largest unit": 3.0})
    10.0
    """
    return _float(_compiled(formula)[0](symbols)) if formula else 0.0


def grouped(formula: str) -> str:
    """`formula` as a factor of a product: in parentheses where it is a sum.

    >>> grouped("4·a + 8"), grouped("ceil(g/t)·(d + d_v)"), grouped("(4·a + 8·f)/t")
    ('(4·a + 8)', 'ceil(g/t)·(d + d_v)', '(4·a + 8·f)/t')
    """
    depth = 0
    for sign in formula:
        depth += (sign == "(") - (sign == ")")
        if not depth and sign in "+−":
            return f"({formula})"
    return formula


def symbols_of(formula: str) -> tuple[str, ...]:
    """The symbols of a formula, in the order in which they stand.

    >>> symbols_of("4·(Σ(rows + columns) + P_vectors)/N_d")
    ('Σ(rows + columns)', 'P_vectors', 'N_d')
    """
    return _compiled(formula)[1]


@lru_cache(maxsize=8192)
def _compiled(formula: str) -> tuple[_Computed, tuple[str, ...]]:
    """What computes a formula, and its symbols in the order in which they stand."""
    tokens = _TOKEN.findall(formula)
    if "".join(tokens).replace(" ", "") != formula.replace(" ", ""):
        raise ValueError(formula)
    names: dict[str, None] = {}
    tokens.reverse()

    def sum_() -> _Computed:
        left = product()
        while tokens and tokens[-1] in "+−":
            left = _BINARY[tokens.pop()](left, product())
        return left

    def product() -> _Computed:
        left = factor()
        while tokens and tokens[-1] in "·/":
            left = _BINARY[tokens.pop()](left, factor())
        return left

    def factor() -> _Computed:
        token = tokens.pop()
        if token == "(":
            inner = sum_()
            close(")")
            return inner
        if token[0].isdigit():
            number = float(token.replace(",", ""))
            return lambda _symbols: number
        if token in _FUNCTIONS:
            close("(")
            arguments = [sum_()]
            while tokens[-1] == ",":
                tokens.pop()
                arguments.append(sum_())
            close(")")
            of = _FUNCTIONS[token]
            return lambda symbols: of(*(argument(symbols) for argument in arguments))
        if not token[0].isalpha():
            raise ValueError(formula)
        names[token] = None
        return itemgetter(token)

    def close(expected: str) -> None:
        if not tokens or tokens.pop() != expected:
            raise ValueError(formula)

    try:
        computed = sum_()
    except IndexError:
        raise ValueError(formula) from None
    if tokens:
        raise ValueError(formula)
    return computed, tuple(names)


def largest(*values: Quantity) -> Quantity:
    """The largest of several, element by element."""
    return max(values) if all(isinstance(value, float) for value in values) else _fold(np.maximum, values)


def smallest(*values: Quantity) -> Quantity:
    """The smallest of several, element by element."""
    return min(values) if all(isinstance(value, float) for value in values) else _fold(np.minimum, values)


def above(value: Quantity, limit: float = 1.0) -> bool:
    """Whether it is, in any run of a sweep."""
    return value > limit if isinstance(value, float) else bool(np.any(value > limit))


def _fold(of: np.ufunc, values: tuple[Quantity, ...]) -> Quantity:
    found = values[0]
    for value in values[1:]:
        found = of(found, value)
    return found


def _float(value: Quantity) -> Quantity:
    return value if isinstance(value, np.ndarray) else float(value)


_BINARY: dict[str, Callable[[_Computed, _Computed], _Computed]] = {
    "+": lambda left, right: lambda symbols: left(symbols) + right(symbols),
    "−": lambda left, right: lambda symbols: left(symbols) - right(symbols),
    "·": lambda left, right: lambda symbols: left(symbols) * right(symbols),
    "/": lambda left, right: lambda symbols: left(symbols) / right(symbols),
}
_FUNCTIONS: dict[str, Callable[..., Quantity]] = {
    "min": smallest,
    "max": largest,
    "ceil": lambda value: np.ceil(value) if isinstance(value, np.ndarray) else float(math.ceil(value)),
    "floor": lambda value: np.floor(value) if isinstance(value, np.ndarray) else float(math.floor(value)),
}


# ---------------------------------------------------------------- words

#: The words that stand as symbols inside of formulas, for the catalogs.
SYMBOLS = (
    N_("alive"), N_("allocated"), N_("bits"), N_("block"), N_("bytes"), N_("chunk"), N_("columns"), N_("communicator"),
    N_("compression"), N_("constant"), N_("convolution"), N_("distinct linear weights"), N_("elements"), N_("largest experts"),
    N_("largest linear weight"), N_("largest unit"), N_("ranks"), N_("rows"), N_("scale"), N_("scales"), N_("shared"), N_("state"), N_("workspace"),
)  # fmt: skip
_PHRASE = re.compile(r"(?<!\w)[A-Za-z][a-z']+(?:,? [a-z']+)*")


def worded(formula: str) -> str:
    """A `Term.formula` with its words in the language in use; symbols and their indices are alike in every language.

    >>> worded("2·largest unit + 2·P_linear")
    '2·largest unit + 2·P_linear'
    """
    return _PHRASE.sub(lambda phrase: _(phrase[0]), formula)


def written(value: Quantity) -> str:
    """A number as it stands in `Term.values`: thousands grouped, no unit, nothing rounded that a reader could type; a sweep as its ends.

    >>> written(131072), written(0.5625), written(np.array([1.0, 4096.0])), written(26767537490.0625)
    ('131,072', '0.5625', '1…4,096', '26,767,537,490')
    """
    ends = sorted({float(np.min(value)), float(np.max(value))})
    return "…".join(f"{end:,.10g}" if end % 1 and end < 1e9 else f"{end:,.0f}" for end in ends)


def plain(value: ArrayLike) -> Quantity:
    """A float where there is one number, the array where there are several."""
    if type(value) in (int, float):  # nearly always, and ten times as fast
        return cast("float", value) * 1.0
    numbers = np.asarray(value, dtype=np.float64)
    return float(numbers) if numbers.ndim == 0 else numbers
