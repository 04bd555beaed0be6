"""What a notebook gets: frozen answers, figures that show by themselves, and an import that costs little."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import date

import plotly.graph_objects as go
import pytest

import wallviz


def test_a_claim_comes_with_its_refit() -> None:
    """The claim of 240 times per two years comes back beside the 241 that its ten points give, and the 1,004 without two of them."""
    fitted = wallviz.claim("blog_params")
    assert (fitted.published_multiplier, fitted.period_years, fitted.n) == (240, 2, 10)
    assert fitted.refit_multiplier == pytest.approx(240.93, rel=1e-4)
    without = wallviz.claim("Blog_Params", exclude=["albert xxl", "ELECTRA Large"])
    assert without.refit_multiplier == pytest.approx(1004, rel=1e-3)
    assert without.excluded == ("gholami-params-2021/albert-xxl", "gholami-params-2021/electra-large")


def test_an_answer_cannot_be_changed() -> None:
    """A refit, its claim, its trend and its points are frozen."""
    fitted = wallviz.claim("blog_params")
    for answer, attribute in ((fitted, "claim"), (fitted.claim, "multiplier"), (fitted.trend, "n"), (fitted.points[0], "value")):
        with pytest.raises(FrozenInstanceError):
            setattr(answer, attribute, 1)


@pytest.mark.parametrize("name", ["blog_params", "paper_dram_bw_20y", "blog_moore"])
def test_attributes_are_the_keys_of_the_json(name: str) -> None:
    """Every key of as_dict is an attribute of the same value, with dates as text and tuples as lists."""
    fitted = wallviz.claim(name)
    for key, value in fitted.as_dict().items():
        attribute = getattr(fitted, key)
        plain = attribute.isoformat() if isinstance(attribute, date) else list(attribute) if isinstance(attribute, tuple) else attribute
        assert plain == value, key


def test_dates_and_text_mean_the_same() -> None:
    """A window is given as dates or as ISO text."""
    as_dates = wallviz.claim("blog_hw_flops", since=date(2003, 1, 1), until=date(2016, 1, 1))
    assert as_dates == wallviz.claim("blog_hw_flops", since="2003-01-01", until="2016-01-01")


def test_claims_are_listed_and_cannot_be_changed() -> None:
    """All claims are there by id, read only, and every one can be refitted or says why not."""
    claims = wallviz.claims()
    with pytest.raises(TypeError):
        claims["blog_params"] = claims["paper_params"]
    for name in claims:
        fitted = wallviz.claim(name)
        assert fitted.claim_id == name
        assert (fitted.refit_multiplier is None) == bool(fitted.reason)


def test_what_does_not_exist_is_an_input_error() -> None:
    """An unknown claim is an InputError, which is a WallvizError and a ValueError."""
    with pytest.raises(wallviz.InputError, match="no claim is called “nothing”") as raised:
        wallviz.claim("nothing")
    assert isinstance(raised.value, wallviz.WallvizError)
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("wrong", [None, 5, 3.5, True, b"x", ["a"], {"a": 1}, object()], ids=repr)
@pytest.mark.parametrize(
    "ask",
    [
        wallviz.claim,
        wallviz.model,
        wallviz.train,
        wallviz.finetune,
        wallviz.infer,
        wallviz.figure,
        lambda wrong: wallviz.fit(wrong, hardware="H100"),
        lambda wrong: wallviz.fit("gpt2", hardware=wrong),
        lambda wrong: wallviz.fit("gpt2", hardware="H100", job=wrong),
        lambda wrong: wallviz.infer("gpt2", hardware=wrong or 0),
        lambda wrong: wallviz.claim("blog_params", exclude=[wrong]),
        lambda wrong: wallviz.claim("blog_params", exclude=5 if isinstance(wrong, list | dict) else wrong),
        lambda wrong: wallviz.claim("blog_params", method=wrong),
        lambda wrong: wallviz.claim("blog_params", interval=wrong or 0),
        lambda wrong: wallviz.claim("blog_params", since=wrong or 0),
    ],
    ids=lambda ask: getattr(ask, "__name__", ""),
)
def test_what_is_no_name_is_an_input_error(ask: Callable[[object], object], wrong: object) -> None:
    """Whatever is given in place of a name, the answer is an InputError of one sentence."""
    with pytest.raises(wallviz.InputError) as raised:
        ask(wrong)
    assert 10 < len(str(raised.value)) < 400


def test_a_figure_shows_points_and_line() -> None:
    """A refit becomes a Plotly figure with every point that was kept, those taken out, and the line."""
    fitted = wallviz.claim("blog_params", exclude="GShard")
    figure = wallviz.figure(fitted)
    assert isinstance(figure, go.Figure)
    drawn = [trace for trace in figure.data if trace.mode and "markers" in trace.mode]
    dates = {str(x)[:10] for trace in drawn for x in trace.x if x is not None}
    assert {point.date.isoformat() for point in fitted.claim.points} <= dates
    assert any(trace.mode == "lines" and len(trace.x) > 1 for trace in figure.data)
    assert figure.layout.yaxis.type == "log"
    assert wallviz.figure(fitted, log=False).layout.yaxis.type == "linear"


def test_a_figure_needs_points() -> None:
    """A claim without points has no figure, and the error says why."""
    with pytest.raises(wallviz.InputError, match="blog_moore has no points to draw: A drawn reference line"):
        wallviz.figure(wallviz.claim("blog_moore"))


@pytest.mark.parametrize("statement", ["import wallviz", "import wallviz.cli", "import wallviz; wallviz.claim('blog_params')"])
def test_importing_costs_little(statement: str) -> None:
    """Importing wallviz or its command line, or asking for a claim, imports neither streamlit nor plotly nor pandas."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    code = f"import sys; {statement}; print(sorted({{'streamlit', 'plotly', 'pandas', 'scipy'}} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path})
    assert ran.stdout.strip() == "[]"


def test_every_public_name_exists() -> None:
    """Every name that wallviz says it has is there, with a docstring or a value."""
    for name in wallviz.__all__:
        assert getattr(wallviz, name).__doc__
