"""Addresses are hostile until parsed: every setting of the job and of every room, as it is declared."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from importlib import import_module

import pytest

from wallviz import catalog, job, rooms, settings
from wallviz.errors import InputError
from wallviz.job import Job, changed, pack
from wallviz.rooms import job as shared
from wallviz.settings import Setting
from wallviz.ui.frame import ROOMS

HOSTILE = [
    "",
    "<script>alert(1)</script>",
    "\x00",
    "'; drop table",
    "９",
    "1e9",
    "-1",
    "NaN",
    "inf",
    "٣",
    "x" * 300,
    "2020-2003",
    "../../etc/passwd",
    "{name}",
    "own.x",
    "gguf:",
]


def views() -> Iterator[tuple[str, type]]:
    """Every room that lets a reader choose how it shows a job."""
    for found in pkgutil.iter_modules(rooms.__path__):
        module = import_module(f"wallviz.rooms.{found.name}")
        if hasattr(module, "View"):
            yield found.name, module.View


def refused(setting: Setting, text: str) -> str:
    """The sentence that a text is refused with; empty where it is read."""
    try:
        setting.parse(text)
    except InputError as error:
        return str(error)
    return ""


VIEWS = dict(views())
DECLARED: Mapping[str, Mapping[str, Setting]] = {
    "job": job.SETTINGS,
    "job of the catalogue": shared.SETTINGS,
    **{room: settings.of(view) for room, view in VIEWS.items()},
}
EVERY = [pytest.param(setting, id=f"{owner}-{name}") for owner, declared in DECLARED.items() for name, setting in declared.items()]


def test_every_room_is_looked_at() -> None:
    """Every page but the first has settings of its own, and none is left out below."""
    assert {*ROOMS} - {"start", "story"} == {*VIEWS}  # the address alone steers the story


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("setting", EVERY)
def test_a_setting_is_read_or_refused_with_a_sentence(setting: Setting, text: str) -> None:
    """Whatever an address says, a parser returns a value that it can write again, or says what is wrong."""
    said = refused(setting, text)
    if not said:
        value = setting.parse(text)
        assert setting.parse(setting.format(value)) == value
    assert not said or (10 < len(said) < 400 and "\n" not in said)


@pytest.mark.parametrize("setting", EVERY)
def test_a_sentence_names_what_is_wrong(setting: Setting) -> None:
    """A text that is refused is named by its setting, so that the reader finds it in the address."""
    said = refused(setting, "<script>")
    assert not said or setting.name in said or "<script>" in said
    assert "{" not in said


@pytest.mark.parametrize("setting", EVERY)
def test_a_default_can_be_written_and_read(setting: Setting) -> None:
    """Every default survives the round trip through an address; None stands for nothing in it."""
    assert setting.default is None or setting.parse(setting.format(setting.default)) == setting.default


@pytest.mark.parametrize("setting", EVERY)
def test_every_option_can_be_written_and_read(setting: Setting) -> None:
    """What a list offers has a text in an address and is read back as itself; numbers keep to the ends of their range."""
    assert all(setting.parse(setting.format(option)) == option for option in setting.words)
    if setting.high:
        assert (setting.parse(str(setting.low)), setting.parse(str(setting.high))) == (setting.low, setting.high)
        for beyond in (setting.low - 1, setting.high + 1):
            with pytest.raises(InputError, match="whole number"):
                setting.parse(str(beyond))


@pytest.mark.parametrize("kind", [Job, *VIEWS.values()], ids=["job", *VIEWS])
def test_fields_and_settings_agree(kind: type) -> None:
    """Every field is a setting with the same default, in the same order."""
    assert {name: setting.default for name, setting in settings.of(kind).items()} == {f.name: getattr(kind(), f.name) for f in fields(kind)}
    assert list(settings.of(kind)) == [f.name for f in fields(kind)]


def test_the_catalogue_adds_to_the_job_and_changes_nothing_else() -> None:
    """Against the catalogue the job has the same settings, and models and chips have to exist."""
    assert list(shared.SETTINGS) == list(job.SETTINGS)
    assert all(shared.SETTINGS[name].default == setting.default for name, setting in job.SETTINGS.items())
    for name, known in (("model", catalog.presets()), ("chip", catalog.chips())):
        assert all(shared.SETTINGS[name].parse(id) == id for id in known)
        with pytest.raises(InputError, match="does not exist"):
            shared.SETTINGS[name].parse("no-such-thing")


def test_every_setting_of_a_job_comes_back_from_its_text() -> None:
    """A job that differs in one setting is packed as that setting alone, and unpacked as it was."""
    for name, setting in shared.SETTINGS.items():
        other = [option for option in setting.options(Job()) if option != setting.default] or ([setting.high] if setting.high else [])
        for value in other or ([not setting.default] if isinstance(setting.default, bool) else ["packed"]):
            if name in ("model", "chip"):
                value = next(id for id in (catalog.presets() if name == "model" else catalog.chips()) if id != setting.default)
            text = pack(replace(Job(), **{name: value}))
            assert text.startswith(f"{name}=")
            assert "&" not in text
            assert shared.unpack(text) == replace(Job(), **{name: value})


def test_what_a_job_has_not_changes_nothing_in_it() -> None:
    """Changes of a page reach the job by the names of its settings, its job among them; the rest is the page's own."""
    assert changed(Job(), job="train", zero=3, show="map") == Job(job="train", zero=3)


@pytest.mark.parametrize("query", ["zero", "zero=9", "nonsense=1", "&" * 100, "model=none", "chip=own.x", "<script>", "=".join("ab" * 500)])
def test_a_hostile_job_is_one_sentence(query: str) -> None:
    """A kept configuration that `pack` did not write is refused with one sentence."""
    with pytest.raises(InputError) as error:
        shared.unpack(query)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("setting", EVERY)
def test_an_old_name_leads_to_what_exists(setting: Setting) -> None:
    """Names that addresses had before are no names of the same dataclass, and what their values are called now is read."""
    for old, values in setting.old.items():
        assert old != setting.name
        for value in (values or {}).values():
            setting.parse(value)


def test_a_value_in_words() -> None:
    """Options, switches, numbers and nothing are said as a reader says them."""
    for name, value, said in (
        ("zero", 3, "3: and weights"),
        ("dropout", True, "yes"),
        ("dropout", False, "no"),
        ("context", 131_072, "131,072"),
        ("prompt", None, "–"),
        ("format", "gguf:Q8_0", "Q8_0"),
        ("sparsity", "0.3", "30% unstructured"),
        ("utilization", 87.5, "87.5%"),
        ("stage", "7", "7"),
        ("chip", "h100-sxm5", "H100 SXM5"),
        ("model", "gpt2-xl", "GPT-2 XL"),
    ):
        assert shared.said(name, replace(Job(), **{name: value})) == said


@dataclass(frozen=True)
class Asked:
    """One setting of each kind, with ends that are known."""

    window: tuple[int, int] = settings.years(1995, 2026)
    without: tuple[str, ...] = settings.names()
    batch: int = settings.number(1, 1, 100)
    chip: str = settings.choice("chip-1", [f"chip-{i}" for i in range(200)])
    zero: int = settings.choice(0, {0: "none", 3: "all"})
    find: str = settings.text(longest=100)
    graphs: bool = settings.flag(default=True)


ASKED = settings.of(Asked)


def test_a_window_is_two_years_in_order() -> None:
    """A window is clamped to the data's years; reversed it is refused with the remedy."""
    window = ASKED["window"]
    assert window.parse("2003-2020") == (2003, 2020)
    assert window.parse("0001-9999") == (1995, 2026)
    with pytest.raises(InputError, match="swap"):
        window.parse("2020-2003")


def test_a_list_of_points_has_an_end() -> None:
    """More points than anyone unticks by hand are refused."""
    with pytest.raises(InputError, match="shorten it to 1000"):
        ASKED["without"].parse(",".join(map(str, range(1001))))
    assert ASKED["without"].parse("a, b,,a") == ("a", "b")


@pytest.mark.parametrize("text", ["--5", "-", "5-", "+5", "٥", "1" * 19])
def test_a_number_with_something_else_in_it_is_refused(text: str) -> None:
    """Nothing but digits after at most one minus is read as a number; the rest gets a sentence, never a crash."""
    with pytest.raises(InputError, match="whole number"):
        ASKED["batch"].parse(text)


@pytest.mark.parametrize("text", ["1", "03", "3.0", " 3", "all"])
def test_a_number_of_a_list_is_one_of_them(text: str) -> None:
    """Options that are numbers are read as they are spelled, and stay numbers."""
    assert ASKED["zero"].parse("3") == 3
    with pytest.raises(InputError, match="choose one of 0, 3"):
        ASKED["zero"].parse(text)


@pytest.mark.parametrize("text", ["true", "2", "", "on"])
def test_a_switch_is_0_or_1(text: str) -> None:
    """On and off have one spelling each."""
    assert (ASKED["graphs"].parse("0"), ASKED["graphs"].format(True)) == (False, "1")  # noqa: FBT003
    with pytest.raises(InputError, match="must be 0 or 1"):
        ASKED["graphs"].parse(text)


def test_a_text_has_an_end() -> None:
    """A search of more than its characters is refused."""
    assert ASKED["find"].parse("x" * 100) == "x" * 100
    with pytest.raises(InputError, match="too long"):
        ASKED["find"].parse("x" * 101)


def test_a_list_that_a_page_wrote_is_read_again() -> None:
    """Every point of the largest figure taken out still makes an address that opens."""
    every = tuple(f"epoch-notable-2026/model-{i}" for i in range(900))
    written = ASKED["without"].format(every)
    assert len(written) <= ASKED["without"].longest
    assert ASKED["without"].parse(written) == every


def test_a_long_list_of_options_is_not_recited() -> None:
    """An unknown chip is answered with the nearest ones, not with all of them."""
    with pytest.raises(InputError) as wrong:
        ASKED["chip"].parse("chip-1990")
    assert len(str(wrong.value)) < 200
    assert "chip-199" in str(wrong.value)
