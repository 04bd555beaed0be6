"""What others measured of a remedy, as points: memory (or traffic) saved against the price that was paid, each with who measured it.

Rows of the table of evidence say one metric each, without and with the remedy, in one setting. Here the rows of one setting are put together:
how much it saved, what it cost, and whether that is a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.i18n import N_

#: From this loss of quality on a published case is called a failure: a fifth, judged by us.
FAILURE = 0.2
MEMORY = frozenset({"memory", "model size", "activation memory", "model-state memory per GPU", "peak memory incl. weights", "KV cache"})
TRAFFIC = frozenset({"HBM traffic"})
#: Metrics that are better when lower, by kind of price; of those in `RATES` and `SCORES` higher is better.
TIMES = frozenset({"iteration time", "inference time", "runtime"})
RATES = frozenset({"speed", "decode speed", "max generation throughput", "throughput"})
LOWER = frozenset({"perplexity", "perplexity ratio to f16"})
SCORES = frozenset({"zero-shot average", "average quality", "CoQA", "GSM8K", "GSM8K-CoT 8-shot"})
WIRES = frozenset({"communication volume"})

GRADES = {
    "authors": N_("measured by its authors"),
    "independent": N_("measured by others"),
    "abstract": N_("from the abstract alone"),
    "second-hand": N_("second-hand: not read at its origin"),
}
#: Sources that measure what others made.
OTHERS = frozenset({"llama_cpp", "gpu_benchmarks_llm", "gpt_fast", "ml_engineering", "scaling_book"})


class EvidenceRow(Protocol):
    """One row of the table of evidence, as the catalog gives it."""

    @property
    def remedy(self) -> str:
        """Slug of what was done."""

    @property
    def metric(self) -> str:
        """What was counted."""

    @property
    def baseline(self) -> float | None:
        """Without the remedy; None for a formula."""

    @property
    def value(self) -> float | None:
        """With it."""

    @property
    def unit(self) -> str:
        """Of both: parameters, bytes, bytes/s, ratio ..."""

    @property
    def setting(self) -> str:
        """Model, device, variant."""

    @property
    def inputs(self) -> Mapping[str, Any] | None:
        """Parts of the setting by name."""

    @property
    def where(self) -> str:
        """Table or section of the source."""

    @property
    def source(self) -> str:
        """Source ids."""

    @property
    def confidence(self) -> str:
        """high or low."""


@dataclass(frozen=True, slots=True)
class Published:
    """One published case of a remedy. Shares are of what was there without it; None: not published."""

    remedy: str
    """Id of the remedy."""
    setting: str
    """Model, size and format that were tested."""
    saved: float | None = None
    """Share of the memory saved."""
    saved_what: str = "memory"
    """memory, or traffic between chip and memory."""
    how_saved: str = "published"
    """published, or counted (from bits a weight, where the case itself prints no bytes)."""
    time: float | None = None
    """Share by which the time grew; negative: faster."""
    quality: float | None = None
    """Share by which quality fell: perplexity that rose, a score that fell."""
    traffic: float | None = None
    """Share by which traffic between GPUs grew."""
    metric: str = ""
    """What the quality was measured with."""
    grade: str = "authors"
    """A key of `GRADES`."""
    source: str = ""
    """Source ids."""

    @property
    def has_price(self) -> bool:
        """A price was published: time, quality or traffic, none of which need be above 0."""
        return any(price is not None for price in (self.time, self.quality, self.traffic))

    @property
    def price(self) -> float:
        """The dearest of its prices; 0 where none was found, or all are gains."""
        return max(0.0, *(p for p in (self.time, self.quality, self.traffic) if p is not None), 0.0)

    @property
    def kind(self) -> str:
        """What the price is paid in: ``quality``, ``time`` or ``traffic``."""
        known = {"quality": self.quality, "time": self.time, "traffic": self.traffic}
        given = {name: value for name, value in known.items() if value is not None}
        return max(given, key=lambda name: given[name]) if given else "time"

    @property
    def failed(self) -> bool:
        """Quality fell by a fifth or more."""
        return self.quality is not None and self.quality >= FAILURE


def of(id: str, rows: Iterable[EvidenceRow]) -> tuple[EvidenceRow, ...]:
    """The rows of evidence about a remedy."""
    keys = [key.partition("|")[::2] for key in REMEDIES[id].evidence]
    return tuple(row for row in rows if any(row.remedy == name and _tells(row, word) for name, word in keys))


def _tells(row: EvidenceRow, word: str) -> bool:
    """Whether the row is about `word`: its method and bits (AWQ4), its format in any case, or a word of its setting."""
    if not word:
        return True
    inputs = row.inputs or {}
    format, method = str(inputs.get("format", "")), str(inputs.get("method", ""))
    if method:
        return word == f"{method}{format.removeprefix('int')}"
    return format.casefold() == word.casefold() or word in row.setting.split(",")[0].split()


def grade(row: EvidenceRow) -> str:
    """How good a piece of evidence is: a key of `GRADES`."""
    if row.confidence == "low":
        return "second-hand"
    if row.where == "abstract":
        return "abstract"
    return "independent" if OTHERS & set(row.source.split(";")) else "authors"


def loss(row: EvidenceRow) -> float | None:
    """The share of quality that one row loses; None where it measures something else."""
    if not row.baseline or row.value is None:
        return None
    if row.metric in LOWER:
        return row.value / row.baseline - 1.0
    return (row.baseline - row.value) / row.baseline if row.metric in SCORES else None


def cases(id: str, rows: Iterable[EvidenceRow]) -> tuple[Published, ...]:
    """The published cases of a remedy: rows that share setting and source are one.

    Where a source prints what was saved in one setting and the price in one other, the two are one case. Where a case prints a price alone,
    what was saved is what the other cases of the remedy saved.
    """
    kept = tuple(rows)
    whole = _whole_bytes(kept)
    grouped: dict[tuple[str, str, str], list[EvidenceRow]] = {}
    for row in of(id, kept):
        # a price against something else than the plain run is a case of its own
        setting = row.setting if ", against" in row.setting else row.setting.partition(",")[0]
        grouped.setdefault((row.source, row.remedy, setting), []).append(row)
    found = _joined([case for group in grouped.values() if (case := _case(id, group, whole)) is not None])
    saved = sorted(case.saved for case in found if case.saved is not None)
    usual = saved[len(saved) // 2] if saved else None
    return tuple(
        replace(c, saved=usual, how_saved="counted") if c.saved is None and c.quality is not None and usual is not None else c for c in found
    )


def _joined(found: list[Published]) -> list[Published]:
    """Halves of one source put together: savings without a price, and a price without savings."""
    for source in dict.fromkeys(case.source for case in found):
        ours = [case for case in found if case.source == source]
        halves = [case for case in ours if case.saved is not None and not case.has_price]
        others = [case for case in ours if case.saved is None]
        if len(halves) == len(others) == 1:
            whole = replace(others[0], saved=halves[0].saved, setting=halves[0].setting, saved_what=halves[0].saved_what)
            found = [whole if case is halves[0] else case for case in found if case is not others[0]]
    return found


#: Heads that a paper's model has, where a case says the attention and not the bytes: T5 XXL has 64 (arXiv 1910.10683, section 3.7).
_COUNTED = {"T5 GQA-8-XXL": 1.0 - 8 / 64, "T5 MQA-XXL": 1.0 - 1 / 64}


def _case(id: str, group: list[EvidenceRow], whole: Mapping[str, float]) -> Published | None:
    values: dict[str, Any] = {}
    for row in group:
        before, after = row.baseline, row.value
        if before is None or after is None:
            continue
        if row.metric in MEMORY and before:
            values.setdefault("saved", 1.0 - after / before)
        elif row.metric in TRAFFIC and before and "saved" not in values:
            values["saved"], values["saved_what"] = 1.0 - after / before, "traffic"
        elif row.metric == "extra time":
            values["time"] = after
        elif row.metric in TIMES and before:
            values.setdefault("time", after / before - 1.0)
        elif row.metric in RATES and after:
            values.setdefault("time", before / after - 1.0)
        elif row.metric in WIRES and before:
            values["traffic"] = after / before - 1.0
        elif (fell := loss(row)) is not None and fell >= values.get("quality", -1.0):
            values["quality"], values["metric"] = fell, row.metric
    if not values:
        return None
    longest = max(group, key=lambda row: len(row.setting))
    if "saved" not in values and (saved := _counted(longest, whole)) is not None:
        values["saved"], values["how_saved"] = saved, "counted"
    slug = REMEDIES[id].evidence[0].partition("|")[0]
    setting = longest.setting if longest.remedy == slug else f"{longest.remedy.replace('-', ' ')}: {longest.setting}"
    return Published(id, setting, grade=grade(longest), source=longest.source, **values)


def _counted(row: EvidenceRow, whole: Mapping[str, float]) -> float | None:
    if row.setting in _COUNTED:
        return _COUNTED[row.setting]
    bits = bits_of(row, whole)
    return None if bits is None else 1.0 - bits / 16.0


def _whole_bytes(rows: Iterable[EvidenceRow]) -> dict[str, float]:
    """The size of each model in 16 bits: the largest that any row gives for it."""
    found: dict[str, float] = {}
    for row in rows:
        inputs = row.inputs or {}
        if size := float(inputs.get("weights_bytes") or 0.0):
            baseline = row.baseline if row.metric == "model size" and row.baseline else 0.0
            found[str(inputs["model"])] = max(found.get(str(inputs["model"]), 0.0), size, baseline)
    return found


def bits_of(row: EvidenceRow, whole: Mapping[str, float] | None = None) -> float | None:
    """Bits a weight, scales included, of a row's format; None where the row says nothing of it.

    Printed ones first; then the file's size over that in 16 bits (`whole`, by model); then what the format is: integers in groups with a
    16-bit scale and a zero point, 2 of 4 values with 2 bits of position each, and zeros that are stored like any value.
    """
    inputs, setting = row.inputs or {}, row.setting
    if printed := inputs.get("bits_per_weight"):
        return float(printed)
    size, full = float(inputs.get("weights_bytes") or 0.0), (whole or {}).get(str(inputs.get("model", "")))
    if size and full and full >= size:
        return 16.0 * size / full
    format = str(inputs.get("format", "")).casefold()
    if inputs.get("group_size") and format.startswith("int"):
        bits = int(format[3:])
        return bits + (16 + bits) / int(inputs["group_size"])
    if "2:4" in setting or "4:8" in setting:
        return 9.0 if "2:4" in setting else 10.0
    return 16.0 if format in ("f16", "fp16") or "50%" in setting else None


def alone(id: str, rows: Iterable[EvidenceRow]) -> tuple[EvidenceRow, ...]:
    """What was published of a remedy that has no case with a saving or a price: its rows with a value, those with a baseline first."""
    return tuple(sorted((row for row in of(id, rows) if row.value is not None), key=lambda row: row.baseline is None))


def every(rows: Iterable[EvidenceRow]) -> dict[str, tuple[Published, ...]]:
    """The published cases of every remedy, by its id."""
    kept = tuple(rows)
    return {id: cases(id, kept) for id in REMEDIES}


def losses(published: Mapping[str, tuple[Published, ...]]) -> dict[str, float]:
    """The published loss of quality by remedy: the median of its cases. Remedies without one are left out."""
    found = {}
    for id, known in published.items():
        lost = sorted(case.quality for case in known if case.quality is not None)
        if lost:
            found[id] = max(0.0, lost[len(lost) // 2])
    return found


@dataclass(frozen=True, slots=True)
class Quantized:
    """One format on the scoreboard of one model: bits a weight, and perplexity over that of 16 bits."""

    model: str
    format: str
    method: str
    """Who rounded: GGUF, or AWQ, GPTQ, RTN (to the nearest)."""
    bits: float
    ratio: float
    imatrix: bool
    """Made with an importance matrix."""
    source: str


def scoreboard(rows: Iterable[EvidenceRow]) -> tuple[Quantized, ...]:
    """Quality against bits: every published perplexity of quantized weights whose bits are known, by model, most bits first."""
    kept = [row for row in rows if row.remedy == "weight-quantization" and row.metric in LOWER and row.baseline and row.value and row.inputs]
    whole = _whole_bytes(kept)
    known = {str(row.inputs["format"]).casefold(): bits for row in reversed(kept) if row.inputs and (bits := bits_of(row, whole)) is not None}
    found: dict[tuple[str, str, str, bool], Quantized] = {}
    for row in kept:
        inputs = row.inputs or {}
        model, format, imatrix = str(inputs["model"]), str(inputs["format"]), bool(inputs.get("importance_matrix"))
        bits = bits_of(row, whole) or known.get(format.casefold())  # the same mix has nearly the same bits in another model of its size
        if bits is not None and row.baseline and row.value:
            method = str(inputs.get("method", "GGUF"))
            key = (model, format.casefold(), method, imatrix)
            found.setdefault(key, Quantized(model, format, method, bits, row.value / row.baseline, imatrix, row.source))
    return tuple(sorted(found.values(), key=lambda q: (q.model, -q.bits)))
