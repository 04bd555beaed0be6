"""The record of a measurement: one schema for every path, written, read back with suspicion, and compared.

Quantities are base units: bytes, bytes/s, seconds, hertz, watts. No serial numbers, no UUIDs, no process lists: a record may be passed on.
`read` takes text from anywhere: it answers with a `Record` whose every number is finite and in range and whose every text is short and plain,
or raises `InputError` with a sentence.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import types
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import isfinite
from typing import Annotated, Any, NoReturn, Union, get_args, get_origin, get_type_hints

from wallviz.__about__ import __version__
from wallviz.errors import InputError
from wallviz.i18n import N_
from wallviz.machine.reasons import Flag, NotMeasured, Reason

HEADLINE = ("triad", "add", "copy")
"""The kernel that stands for a machine: the first of these that was measured."""
SCHEMA = 1
"""Raised when a field changes its meaning or goes; a new field keeps it."""
PATHS = ("cpu", "wgpu", "cuda", "browser")
LONGEST = 1_000_000
"""Characters of a record; one that wallviz writes has about ten thousand."""
_TEXT = 300
_ITEMS = 200
_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # control and direction characters; markup is refused by its brackets


@dataclass(frozen=True, slots=True)
class Within:
    """The range of a number, both ends included; what lies outside is refused by `read`."""

    low: float
    high: float


Rate = Annotated[float, Within(1.0, 1e17)]
"""bytes/s: from a slow serial line to a hundred times the registers of a GPU."""
FlopRate = Annotated[float, Within(1.0, 1e20)]
Bytes = Annotated[int, Within(1, 1e16)]
Count = Annotated[int, Within(1, 1_000_000)]
Hertz = Annotated[float, Within(0.0, 1e12)]
Seconds = Annotated[float, Within(1e-12, 1e5)]


@dataclass(frozen=True, slots=True)
class Measured:
    """One rate: the best of `samples` without the first, beside the median and the distance of its quartiles (`iqr`), all in bytes/s.

    `valid` says whether the result stood against its closed form and the damaged value was caught (None: not checked, as for transfers);
    what is not valid has no rates. `bus_bytes_per_s` is the best rate with the lines counted that a CPU reads before it writes them.
    """

    best_bytes_per_s: Rate | None
    median_bytes_per_s: Rate | None
    iqr: Annotated[float, Within(0.0, 1e17)] | None
    samples: Annotated[int, Within(0, 1_000_000)]
    valid: bool | None
    bus_bytes_per_s: Rate | None = None

    @classmethod
    def invalid(cls) -> Measured:
        """A kernel whose result failed its check."""
        return cls(None, None, None, 0, valid=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The rate of one matrix product, FLOP/s: the best of `samples` without the first, beside the median; `valid` as in `Measured`."""

    best_flop_per_s: FlopRate | None
    median_flop_per_s: FlopRate | None
    samples: Annotated[int, Within(0, 1_000_000)]
    valid: bool | None


@dataclass(frozen=True, slots=True)
class KernelRun:
    """The kernels with one engine (``numpy``, ``numba``, ``wgsl``, ``cuda``) on so many threads (None on a GPU)."""

    engine: str
    threads: Count | None
    array_bytes: Bytes | None
    kernels: Mapping[str, Measured] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stair:
    """One step of the staircase: the rate at a working set of `bytes` (all arrays together)."""

    bytes: Bytes
    bytes_per_s: Rate


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one dependent load in a chain over `bytes`: ``random`` anywhere, or ``page`` (all of a 4 KiB page before the next, few TLB misses)."""

    bytes: Bytes
    seconds: Annotated[float, Within(1e-12, 1.0)]
    order: str = "random"


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache: `level` 1 is nearest; `bytes` of one instance, which `shared_by` logical processors share (None: not known)."""

    level: Annotated[int, Within(1, 8)]
    bytes: Bytes
    shared_by: Count | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """What was measured: `kind` is ``cpu``, ``gpu`` or ``software``; what the system does not tell is empty or None.

    `processors` counts logical processors of a CPU, or multiprocessors of a GPU. `backend` is the interface (Vulkan, Metal, WebGPU, CUDA 13.0).
    PCIe's generation and width are those of the link while bytes moved over it: it slows down when nothing does.
    """

    name: str
    kind: str = "cpu"
    vendor: str = ""
    architecture: str = ""
    driver: str = ""
    backend: str = ""
    system: str = ""
    processors: Count | None = None
    memory_bytes: Bytes | None = None
    memory_clock_hz: Hertz | None = None
    bus_bits: Count | None = None
    caches: Sequence[Cache] = ()
    pcie_generation: Annotated[int, Within(1, 100)] | None = None
    pcie_width: Annotated[int, Within(1, 1000)] | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Clocks and what holds them back, at one moment; what is not known is None."""

    memory_clock_hz: Hertz | None = None
    graphics_clock_hz: Hertz | None = None
    temperature_c: Annotated[float, Within(-100.0, 300.0)] | None = None
    power_w: Annotated[float, Within(0.0, 1e5)] | None = None
    throttle_reasons: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """What was not measured: a `Reason`, what the system said, and which part (empty: all of it)."""

    reason: str
    detail: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement of one device by one path.

    `kernels` is the headline: the best engine on `threads` threads (CPU: all that may be used). `runs` holds all of it, on a CPU by engine and at
    one thread too. `theoretical_bytes_per_s` is what the memory can carry at most, None where nobody says it; `theoretical_source` says who does.
    `sweep_threads` is how many threads walked the staircase (None: a whole GPU). `arithmetic` holds matrix products by number format (``fp32``),
    on all `threads`: with the bandwidth they make a roof. `others_busy` is the share of all processors that other
    programs used meanwhile. `memory_limit_bytes` is what the probe said it would take at most.
    """

    path: str
    device: Device
    created: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))
    schema: int = SCHEMA
    version: str = __version__
    theoretical_bytes_per_s: Rate | None = None
    theoretical_source: str = ""
    kernels: Mapping[str, Measured] = field(default_factory=dict)
    threads: Count | None = None
    runs: Sequence[KernelRun] = ()
    sweep: Sequence[Stair] = ()
    sweep_threads: Count | None = None
    latency: Sequence[Latency] = ()
    transfers: Mapping[str, Measured] = field(default_factory=dict)
    arithmetic: Mapping[str, Arithmetic] = field(default_factory=dict)
    array_bytes: Bytes | None = None
    memory_limit_bytes: Bytes | None = None
    seconds: Seconds | None = None
    timer: str = ""
    before: State | None = None
    after: State | None = None
    others_busy: Annotated[float, Within(0.0, 1.0)] | None = None
    flags: Sequence[str] = ()
    errors: Sequence[Failure] = ()

    @property
    def headline(self) -> tuple[str, Measured] | None:
        """The kernel that stands for the machine, and its rate; None where nothing was measured.

        >>> blank("cpu", Reason.TIMEOUT).headline
        """
        named = next((name for name in HEADLINE if (found := self.kernels.get(name)) and found.best_bytes_per_s), None)
        return (named, self.kernels[named]) if named else None

    @property
    def fraction(self) -> float | None:
        """The headline rate over the theoretical one."""
        best = self.headline[1].best_bytes_per_s if self.headline else None
        return best / self.theoretical_bytes_per_s if best and self.theoretical_bytes_per_s else None

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON holds it, in the order of the contract."""
        plain = dataclasses.asdict(self)
        first = ("schema", "version", "created", "path", "device")
        return {name: plain[name] for name in first} | plain

    def as_json(self) -> str:
        """The record as text that `read` takes."""
        return json.dumps(self.as_dict(), allow_nan=False, indent=2) + "\n"


def blank(path: str, reason: Reason, detail: str = "", *, device: Device | None = None) -> Record:
    """The record of a measurement that gave nothing.

    >>> blank("cuda", Reason.NO_DRIVER).errors[0].reason
    'no_driver'
    """
    return Record(path, device or Device("", kind="cpu" if path == "cpu" else "gpu"), errors=(failure(NotMeasured(reason, detail)),))


def failure(error: NotMeasured, part: str = "") -> Failure:
    """`error` as a record holds it."""
    return Failure(error.reason.value, plain_text(error.detail), part)


def plain_text(text: object, longest: int = _TEXT) -> str:
    """`text` as a record may hold it: one line, no markup, no control characters, at most `longest` characters.

    >>> plain_text("<b>GPU</b>\\n 1")
    '(b)GPU(/b) 1'
    """
    kept = "".join(" " if unicodedata.category(char) in _FORBIDDEN else char for char in str(text).translate({ord("<"): "(", ord(">"): ")"}))
    return " ".join(kept.split())[:longest]


# ---------------------------------------------------------------------------------------------------------------- reading


def read(text: str | bytes) -> Record:
    """The record in `text`, whoever wrote it. Raises `InputError` where it is not one: a sentence with what is wrong and where.

    Fields that this version does not know are left out; those that it knows must have their kind and range.
    """
    if len(text) > LONGEST:
        raise InputError(N_("the record has more than {n} characters: wallviz writes none that long"), n=f"{LONGEST:,}")
    try:
        given = json.loads(text, parse_constant=_refuse_constant)
    except InputError:
        raise
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise InputError(N_("the record is not JSON: give the file that wallviz probe -o wrote")) from None
    if not isinstance(given, dict) or "schema" not in given:
        raise InputError(N_("the file is not a wallviz record: give the file that wallviz probe -o wrote"))
    if given["schema"] != SCHEMA or isinstance(given["schema"], bool):
        raise InputError(
            N_("the record has schema {found} and this wallviz reads {known}: measure again, or use the wallviz that wrote it"),
            found=plain_text(given["schema"], 20),
            known=SCHEMA,
        )
    record: Record = _object(Record, given, "record")
    _check(record)
    return record


def _check(record: Record) -> None:
    """What types and ranges do not say."""
    if record.path not in PATHS:
        _refuse("record.path", record.path)
    if record.device.kind not in ("cpu", "gpu", "software"):
        _refuse("record.device.kind", record.device.kind)
    try:
        dt.datetime.fromisoformat(record.created)
    except ValueError:
        _refuse("record.created", record.created)
    for number, error in enumerate(record.errors):
        if error.reason not in set(Reason):
            _refuse(f"record.errors[{number}].reason", error.reason)
    for number, flag in enumerate(record.flags):
        if flag not in set(Flag):
            _refuse(f"record.flags[{number}]", flag)
    for number, latency in enumerate(record.latency):
        if latency.order not in ("random", "page"):
            _refuse(f"record.latency[{number}].order", latency.order)
    for name, product in record.arithmetic.items():
        if product.valid is False and product.best_flop_per_s is not None:
            _refuse(f"{plain_text(name, 40)}.best_flop_per_s", product.best_flop_per_s)
    for kernels in (record.kernels, record.transfers, *(run.kernels for run in record.runs)):
        for name, found in kernels.items():
            if found.valid is False and found.best_bytes_per_s is not None:
                _refuse(f"{plain_text(name, 40)}.best_bytes_per_s", found.best_bytes_per_s)
            if found.best_bytes_per_s and found.median_bytes_per_s and found.median_bytes_per_s > found.best_bytes_per_s * (1 + 1e-9):
                _refuse(f"{plain_text(name, 40)}.median_bytes_per_s", found.median_bytes_per_s)


def _refuse(where: str, value: object) -> NoReturn:
    raise InputError(
        N_("the record cannot be used: {where} is {value}; give the file that wallviz probe -o wrote"), where=where, value=plain_text(value, 40)
    )


def _refuse_constant(name: str) -> NoReturn:
    _refuse("a number", name)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _object(kind: type, given: object, where: str) -> Any:
    """`given` as the dataclass `kind`."""
    if not isinstance(given, dict):
        _refuse(where, given)
    values: dict[str, Any] = {}
    for each in dataclasses.fields(kind):
        here = f"{where}.{each.name}"
        if each.name in given:
            values[each.name] = _value(_hints(kind)[each.name], given[each.name], here)
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            _refuse(here, "missing")
    return kind(**values)


def _value(kind: Any, given: object, where: str) -> Any:
    """`given` as `kind`: a number within its range, a short plain text, or a list or mapping of such."""
    origin = get_origin(kind)
    if origin is Annotated:
        number, limits = get_args(kind)
        return _number(number, limits, given, where)
    if origin in (types.UnionType, Union):
        if given is None:
            return None
        return _value(next(each for each in get_args(kind) if each is not types.NoneType), given, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(given, dict) or len(given) > _ITEMS:
            _refuse(where, "not a short object")
        return {_text(name, where, 40): _value(get_args(kind)[1], value, f"{where}.{plain_text(name, 40)}") for name, value in given.items()}
    if origin is not None and issubclass(origin, Sequence):
        if not isinstance(given, list) or len(given) > _ITEMS:
            _refuse(where, "not a short list")
        return tuple(_value(get_args(kind)[0], value, f"{where}[{number}]") for number, value in enumerate(given))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _object(kind, given, where)
    if kind is bool:
        return given if isinstance(given, bool) else _refuse(where, given)
    if kind is str:
        return _text(given, where, _TEXT)
    return _number(kind, None, given, where)


def _number(kind: type, limits: Within | None, given: object, where: str) -> Any:
    if isinstance(given, bool) or not isinstance(given, int | float) or (kind is int and not isinstance(given, int)):
        _refuse(where, given)
    if isinstance(given, int) and given.bit_length() > 64:  # an int may have thousands of digits, which no float holds
        _refuse(where, "too large")
    if not isfinite(given) or (limits and not limits.low <= given <= limits.high):
        _refuse(where, given)
    return kind(given)


def _text(given: object, where: str, longest: int) -> str:
    if not isinstance(given, str) or len(given) > longest or {"<", ">"} & set(given) or _FORBIDDEN & {unicodedata.category(char) for char in given}:
        _refuse(where, given)
    return given


# -------------------------------------------------------------------------------------------------------------- comparing


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure of two records: `a` and `b` in its unit, and b / a; what one of them lacks is None."""

    what: str
    a: float | None
    b: float | None

    @property
    def ratio(self) -> float | None:
        """b over a."""
        return self.b / self.a if self.a and self.b else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two records side by side: kernels (bytes/s), matrix products (FLOP/s), the staircase and the latency at the sizes of both (keys: bytes)."""

    a: Record
    b: Record
    kernels: Sequence[Ratio]
    arithmetic: Sequence[Ratio]
    sweep: Mapping[int, Ratio]
    latency: Mapping[int, Ratio]

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""

        def plain(found: Ratio) -> dict[str, Any]:
            return {"a": found.a, "b": found.b, "ratio": found.ratio}

        return {
            "a": self.a.as_dict(),
            "b": self.b.as_dict(),
            "kernels": {found.what: plain(found) for found in self.kernels},
            "arithmetic": {found.what: plain(found) for found in self.arithmetic},
            "sweep": [{"bytes": size} | plain(found) for size, found in self.sweep.items()],
            "latency": [{"bytes": size} | plain(found) for size, found in self.latency.items()],
        }


def compare(a: Record, b: Record) -> Comparison:
    """`b` against `a`: two machines, or one before and after.

    >>> now = Record("cpu", Device("x"), kernels={"copy": Measured(20e9, 19e9, 1e8, 50, valid=True)})
    >>> then = Record("cpu", Device("x"), kernels={"copy": Measured(10e9, 9e9, 1e8, 50, valid=True)})
    >>> compare(then, now).kernels[0].ratio
    2.0
    """
    names = list(dict.fromkeys([*a.kernels, *b.kernels]))

    def best(record: Record, name: str) -> float | None:
        return record.kernels[name].best_bytes_per_s if name in record.kernels else None

    def product(record: Record, name: str) -> float | None:
        return record.arithmetic[name].best_flop_per_s if name in record.arithmetic else None

    rates = tuple({step.bytes: step.bytes_per_s for step in record.sweep} for record in (a, b))
    times = tuple({step.bytes: step.seconds for step in record.latency if step.order == "random"} for record in (a, b))
    return Comparison(
        a,
        b,
        tuple(Ratio(name, best(a, name), best(b, name)) for name in names),
        tuple(Ratio(name, product(a, name), product(b, name)) for name in dict.fromkeys([*a.arithmetic, *b.arithmetic])),
        {size: Ratio("sweep", rates[0][size], rates[1][size]) for size in sorted(rates[0].keys() & rates[1].keys())},
        {size: Ratio("latency", times[0][size], times[1][size]) for size in sorted(times[0].keys() & times[1].keys())},
    )
