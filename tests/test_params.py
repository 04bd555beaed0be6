"""Addresses are hostile until parsed."""

import pytest

from wallviz import params
from wallviz.errors import InputError
from wallviz.rooms import growth

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
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("param", growth.PARAMS, ids=lambda p: p.name)
def test_a_parameter_is_read_or_refused_with_a_sentence(param: params.Param, text: str) -> None:
    """Whatever an address says, a parser returns a value that it can write again, or says what is wrong."""
    said = ""
    try:
        value = param.parse(text)
    except InputError as error:
        said = str(error)
    assert (param.name in said and len(said) < 400) if said else param.parse(param.format(value)) == value


@pytest.mark.parametrize("param", growth.PARAMS, ids=lambda p: p.name)
def test_a_default_can_be_written_and_read(param: params.Param) -> None:
    """Every default survives the round trip through an address."""
    assert param.parse(param.format(param.default)) == param.default


def test_view_and_parameters_agree() -> None:
    """The view has one field for each parameter, with the same default."""
    assert {p.name: p.default for p in growth.PARAMS} == {name: getattr(growth.View(), name) for name in growth.View.__slots__}


def test_a_window_is_two_years_in_order() -> None:
    """A window is clamped to the data's years; reversed it is refused with the remedy."""
    window = params.years("window", 1995, 2026)
    assert window.parse("2003-2020") == (2003, 2020)
    assert window.parse("0001-9999") == (1995, 2026)
    with pytest.raises(InputError, match="swap"):
        window.parse("2020-2003")


def test_a_list_of_points_has_an_end() -> None:
    """More points than anyone unticks by hand are refused."""
    with pytest.raises(InputError, match="shorten it to 1000"):
        params.names("without").parse(",".join(map(str, range(1001))))
    assert params.names("without").parse("a, b,,a") == ("a", "b")


@pytest.mark.parametrize("text", ["--5", "-", "5-", "+5", "５", "1" * 19])
def test_a_number_with_something_else_in_it_is_refused(text: str) -> None:
    """Nothing but digits after at most one minus is read as a number; the rest gets a sentence, never a crash."""
    with pytest.raises(InputError, match="whole number"):
        params.number("batch", 1, 1, 100).parse(text)


def test_a_list_that_a_page_wrote_is_read_again() -> None:
    """Every point of the largest figure taken out still makes an address that opens."""
    every = tuple(f"epoch-notable-2026/model-{i}" for i in range(900))
    param = params.names("without")
    written = param.format(every)
    assert len(written) <= param.longest
    assert param.parse(written) == every


def test_a_long_list_of_options_is_not_recited() -> None:
    """An unknown chip is answered with the nearest ones, not with all of them."""
    with pytest.raises(InputError) as wrong:
        params.choice("chip", [f"chip-{i}" for i in range(200)], "chip-1").parse("chip-1990")
    assert len(str(wrong.value)) < 200
    assert "chip-199" in str(wrong.value)
