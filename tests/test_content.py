"""Both languages are complete: every text has its translation, every term its two names."""

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import wallviz
from wallviz import catalog, glossary, i18n, units
from wallviz.checks import halfwidth
from wallviz.engine.hierarchy.size import written
from wallviz.engine.memory import quantization
from wallviz.engine.memory.peak import Training
from wallviz.engine.memory.terms import Term, worded
from wallviz.errors import InputError
from wallviz.i18n import N_, _, closed, listing, qualified, spoken
from wallviz.job import SETTINGS
from wallviz.rooms.chips.metrics import prices
from wallviz.rooms.glossary import entries
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


#: What a reader may type into the glossary's search, and the entry that must be among what is found.
LOOKED_UP = {
    "内存墙": "memory_wall", "存储墙": "memory_wall", "放大规则": "scaling_law", "缩放定律": "scaling_law", "scaling law": "scaling_law",
    "混合精度": "mixed_precision", "主权重": "master_weights", "局部性": "locality", "locality": "locality", "带宽瓶颈": "bandwidth_bound",
    "bandwidth-bound": "bandwidth_bound", "memory-bound": "bandwidth_bound", "算子": "kernel", "fused kernels": "kernel",
    "GQA": "grouped_query_attention", "张量核": "tensor_core", "tensor core": "tensor_core", "延时": "latency", "延迟": "latency",
    "昇腾": "ascend", "token": "token", "Transformer": "transformer", "loss": "loss", "损失": "loss", "TP8": "split_notation",
    "DP": "split_notation", "MoE": "mixture_of_experts", "梯度累积": "gradient_accumulation", "爆显存": "out_of_memory", "屋顶线": "roofline",
    "全归约": "all_reduce", "首 token 时延": "prefill", "ＭｏＥ": "mixture_of_experts",
}  # fmt: skip


@pytest.mark.parametrize(("typed", "id"), LOOKED_UP.items(), ids=LOOKED_UP)
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_the_glossary_knows_the_words_that_are_looked_up(language: str, typed: str, id: str) -> None:
    """A word that an engineer types finds its entry, in either language of the page."""
    i18n.use(language)
    try:
        assert id in {entry.id for entry in entries(typed)}
    finally:
        i18n.use("en")


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_term_is_headed_by_the_language_of_the_page(language: str) -> None:
    """The heading of an entry is its name in the language in use; the other name stands first among the related words."""
    i18n.use(language)
    try:
        shown = {entry.id: entry for entry in entries()}
        assert shown["memory_wall"].title == {"en": "memory wall", "zh": "内存墙"}[language]
        assert {"en": "**Related**: 内存墙, ", "zh": "**相关词**：memory wall、"}[language] in "\n".join(shown["memory_wall"].lines)
    finally:
        i18n.use("en")


def test_each_line_of_a_term_is_in_its_own_language() -> None:
    """An English line holds no 汉字, and a Chinese line no English words in a row."""
    assert [t.id for t in glossary.terms().values() if re.search(r"[一-鿿]", t.line_en)] == []
    assert [t.id for t in glossary.terms().values() if LATIN_ALONE.search(t.line_zh)] == []


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_share_has_one_form(language: str) -> None:
    """A percentage has no space before its sign and a real minus, in either language."""
    i18n.use(language)
    try:
        assert [units.percent(0.69), units.percent(0.0042, 2), units.percent(-0.5, signed=True)] == ["69%", "0.42%", "−50%"]
    finally:
        i18n.use("en")


def test_no_text_puts_a_space_before_a_percent_sign() -> None:
    """Neither an English text of the rooms, pages and commands nor its translation writes "69 %"."""
    spaced = re.compile(r"[\d}]\s%(?! \{)")
    ours = {text for text, places in messages.code_texts().items() if any("/figures/" not in path for path, _line in places)}
    assert [text for text, zh in translations().items() if text in ours and spaced.search(f"{text} {zh}")] == []


def test_a_chinese_name_closes_the_space_kept_for_a_latin_one() -> None:
    """Spaces between 汉字 go, spaces beside Latin letters and numbers stay."""
    assert closed("若 HBM3 传送 16 GB（权重） 用一秒，寄存器 只要 8 ms") == "若 HBM3 传送 16 GB（权重）用一秒，寄存器只要 8 ms"


def test_a_download_speaks_the_language_of_its_page() -> None:
    """What is made later in a thread without a session is in the language in which it was offered, and leaves that thread as it was."""
    i18n.use("zh")
    try:
        offered = spoken(lambda: _("memory"))
    finally:
        i18n.use("en")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(offered).result() == "显存"
        assert pool.submit(i18n.language).result() == "en"


def test_full_width_input_is_read_as_half_width() -> None:
    """Digits, letters, punctuation and spaces of a Chinese keyboard mean what their half-width kin mean."""
    assert halfwidth("Ｈ１００　２５，０００；") == "H100 25,000;"
    assert prices("Ｈ１００：２５，０００；Ｈ２０　１２０００") == ({"h100-sxm5": 25_000.0, "h20": 12_000.0}, ())
    assert SETTINGS["context"].parse("８１９２") == 8192
    assert SETTINGS["model"].parse("ｌｌａｍａ－３．１－８ｂ") == "llama-3.1-8b"
