"""Both languages are complete: every text has its translation, every term its two names."""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import wallviz
from wallviz import catalog, glossary, i18n, units
from wallviz.engine.hierarchy.size import written
from wallviz.engine.memory import quantization
from wallviz.engine.memory.peak import Training
from wallviz.engine.memory.terms import Term, worded
from wallviz.errors import InputError
from wallviz.i18n import N_, _, listing, qualified
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import messages  # noqa: E402 - a tool, not part of the package

PLACEHOLDER = re.compile(r"\{[a-z_0-9]*\}")
LATIN_ALONE = re.compile(r"[A-Za-z]{4,} [a-z]{3,} [a-z]{2,}")
#: Names that Chinese writes in Latin letters too, in the terms of a footprint.
NAMES = {
    "Adam", "AutoAWQ", "AutoGPTQ", "Cache", "CUDA", "DeepSeek", "Engine", "Formats", "Graph", "Jordan", "Microscaling", "PyTorch", "SimuMax",
    "Transformer", "absmax", "autocast", "ceil", "floor", "foreach", "gpt", "logits", "max", "min", "oss", "token", "transformers",
}  # fmt: skip
SHAPES = (
    "llama-3.1-8b",
    "gemma-2-2b",
    "mixtral-8x7b",
    "deepseek-v3",
    "deepseek-v3.2",
    "gpt2",
    "mamba-2.8b",
    "jamba-v0.1",
    "t5-base",
    "whisper-small",
    "vit-base",
)
TRAINED: dict[str, dict[str, object]] = {
    "mixed": {},
    "sharded": {"zero": 3, "data_parallel": 4, "kernels": "transformer-engine", "recompute": "full"},
    "split": {"tensor_parallel": 2, "pipeline_parallel": 2, "accumulation": 4, "loss": "chunked"},
    "autocast": {"precision": "amp", "optimizer_step": "foreach", "kernels": "eager", "recompute": "selective", "dropout": True},
    "lora": {"method": "lora"},
    "qlora": {"method": "qlora", "zero": 3, "data_parallel": 2},
}
SERVED: dict[str, dict[str, object]] = {"paged": {}, "contiguous": {"engine": "hf"}, "scaled": {"kv": "int8-per-token-head", "weights": "nf4"}}


@pytest.fixture
def chinese() -> Iterator[None]:
    """Speaks Chinese for one test."""
    i18n.use("zh")
    yield
    i18n.use("en")


def english(text: str) -> list[str]:
    """The English words of `text`: neither names, nor symbols and their indices, nor identifiers and paths."""
    text = re.sub(r"[\w-]+(?:[./][\w-]+)+|\w*_\w+", " ", text)
    return [word for word in re.findall(r"[A-Za-z']+", text) if re.search(r"[a-z]{3}", word) and word not in NAMES]


def shown(terms: tuple[Term, ...]) -> str:
    """What a table of `terms` says, in the language in use."""
    return "\n".join(f"{_(term.name)} | {worded(term.formula)} | {term.values} | {_(term.source)}" for term in terms)


def translations() -> dict[str, str]:
    """The shipped Chinese catalog."""
    return {str(m.id): str(m.string) for m in read_po(BytesIO(messages.PO.read_bytes()), locale="zh_CN") if m.id}


def test_no_translation_is_missing_or_stale() -> None:
    """The catalog holds exactly the texts of the code and the data, each translated: run `make messages` and fill in what is new."""
    wanted = {str(m.id) for m in messages.template() if m.id}
    have = translations()
    assert sorted(wanted - have.keys()) == []
    assert sorted(have.keys() - wanted) == []
    assert [text for text, chinese in have.items() if not chinese] == []


def test_nothing_is_marked_as_unsure() -> None:
    """No translation carries the mark of a guess."""
    assert [m.id for m in read_po(BytesIO(messages.PO.read_bytes())) if m.id and m.fuzzy] == []


def test_placeholders_survive_translation() -> None:
    """A translation fills the same places as its original."""
    assert [t for t, zh in translations().items() if sorted(PLACEHOLDER.findall(t)) != sorted(PLACEHOLDER.findall(zh))] == []


def test_sentences_are_really_translated() -> None:
    """A translation of a sentence holds Chinese, not the English over again."""
    assert [t for t, zh in translations().items() if LATIN_ALONE.search(t) and not re.search(r"[一-鿿]", zh)] == []


def test_chinese_spacing_and_punctuation() -> None:
    """A space stands between 汉字 and Latin letters, and sentences end in Chinese punctuation."""
    tight = re.compile(r"[一-鿿][A-Za-z]{2,}|[A-Za-z]{2,}[一-鿿]")
    assert [zh for zh in translations().values() if tight.search(re.sub(r"\{[^}]*\}", "", zh))] == []
    assert [zh for zh in translations().values() if re.search(r"[一-鿿][,;?]|[一-鿿]\.$", zh)] == []


@pytest.mark.parametrize("term", glossary.terms().values(), ids=lambda term: term.id)
def test_a_term_is_complete(term: glossary.GlossaryTerm) -> None:
    """A term has both names, one line in each language, and pages that exist."""
    assert all((term.en, term.zh, term.used))
    assert (term.line_en[-1], term.line_zh[-1]) == (".", "。")
    assert len(term.line_en.split()) <= 30
    assert len(term.line_zh) <= 60
    assert set(term.used) <= ROOMS.keys()


def test_terms_have_names_of_their_own() -> None:
    """No two terms share an id or a name."""
    terms = glossary.terms().values()
    assert len({t.en.casefold() for t in terms}) == len({t.zh for t in terms}) == len(terms)


def test_the_locale_decides_and_an_unknown_language_is_english() -> None:
    """Chinese of any region reads Chinese, everything else English."""
    assert [i18n.from_locale(tag) for tag in ("zh-CN", "zh_TW", "zh", "en-GB", "fr", "", None)] == ["zh", "zh", "zh", "en", "en", "en", "en"]
    i18n.use("xx")
    assert i18n.language() == "en"


def test_an_error_speaks_the_language_in_use() -> None:
    """The same error reads in Chinese where Chinese is spoken."""
    error = InputError(N_("The link's {name} is too long to be read: choose it again on the page."), name="without")
    i18n.use("zh")
    try:
        assert "without" in str(error)
        assert re.search(r"[一-鿿]", str(error))
    finally:
        i18n.use("en")
    assert str(error) == "The link's without is too long to be read: choose it again on the page."


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("options", TRAINED.values(), ids=TRAINED)
@pytest.mark.parametrize("model", SHAPES)
def test_the_terms_of_training_are_chinese(model: str, options: dict[str, object]) -> None:
    """Names, formulas and sources of a training run's terms hold no English word in Chinese, whatever the model and the options."""
    run = wallviz.finetune if "method" in options else wallviz.train
    try:
        found = run(catalog.architecture(model), sequence=128, **options)
    except InputError:
        pytest.skip("this model cannot run so")
    assert isinstance(found, Training)
    assert english(shown(found.terms)) == []


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("options", SERVED.values(), ids=SERVED)
@pytest.mark.parametrize("model", SHAPES)
def test_the_terms_of_serving_are_chinese(model: str, options: dict[str, object]) -> None:
    """The same for serving, and for its notes."""
    found = wallviz.infer(catalog.architecture(model), context=400, **options)
    assert english("\n".join([shown(found.terms), *map(_, found.notes)])) == []


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("format", quantization.FORMATS)
def test_the_source_of_a_format_is_chinese(format: str) -> None:
    """What is said of where a weight format stands is Chinese but for the citation."""
    assert english(_(quantization.source(format))) == []


@pytest.mark.parametrize(
    ("language", "listed", "said"), [("en", "weights, gradients", "120 GiB, at the end"), ("zh", "weights、gradients", "120 GiB，at the end")]
)
def test_lists_and_remarks_take_the_commas_of_the_language(language: str, listed: str, said: str) -> None:
    """A list and a remark are parted as the language in use parts them; what is empty leaves no comma."""
    i18n.use(language)
    try:
        assert listing(["weights", "gradients"]) == listed
        assert qualified("", "120 GiB", "", "at the end") == said
        assert (listing([]), qualified("", "")) == ("", "")
    finally:
        i18n.use("en")


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_number_and_its_unit_stay_on_one_line(language: str) -> None:
    """Between a number and its unit stands the narrow space at which no line breaks, in both languages."""
    i18n.use(language)
    try:
        said = [units.si(3.35e12, "B/s"), units.binary(80 * 2**30), units.count(1.5e9), units.duration(29.2), units.duration(7200.0)]
        said += [units.ratio("flop_per_byte", 295.3), written(2**30)]
        assert all(re.fullmatch(r"[\d.]+\u202f\S+", text) for text in said), said
    finally:
        i18n.use("en")
