"""The figures keep the chart grammar: roles, shapes, contrast, labels apart, nothing from data unescaped."""

import datetime as dt
import itertools
import json
import math
import re
import tomllib
from pathlib import Path

import plotly.graph_objects as go
import pytest

from wallviz import catalog, curves
from wallviz.engine import growth
from wallviz.figures import axes, bars, style
from wallviz.figures.plane import CrossLine, Line, plane
from wallviz.job import Job
from wallviz.rooms import growth as answers
from wallviz.rooms import roofline, start
from wallviz.rooms.growth.drawn_curve import DrawnCurve, curves_over_time

ROOT = Path(__file__).parent.parent
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
GROUNDS = [THEME[mode][ground] for mode in ("light", "dark") for ground in ("backgroundColor", "secondaryBackgroundColor")]
VIEWS = [
    answers.View(figure=figure, data=edition, hold=hold, scale=scale)
    for figure, edition, scale in itertools.product(curves.FIGURES, curves.EDITIONS, ("log", "linear"))
    for hold in (curves.HOLDS if figure == "gap" else ("published",))
    if figure != "training" or (edition, scale) == ("2024", "log")
]


def luminance(colour: str) -> float:
    """Relative luminance of a hex colour (WCAG 2.1)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two hex colours (WCAG 2.1)."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("role", ["compute", "memory", "bandwidth", "network"])
def test_a_role_is_seen_on_every_ground(role: str) -> None:
    """Each role's colour has at least 3:1 on the four grounds of the themes."""
    assert GROUNDS == ["#FFFFFF", "#F0F2F6", "#171614", "#262730"]
    assert min(contrast(style.ROLES[role].colour, ground) for ground in GROUNDS) >= 3.0


def test_roles_differ_in_shape() -> None:
    """No two roles share a marker or a glyph, because in greyscale their colours do."""
    assert len({r.symbol for r in style.ROLES.values()}) == len({r.glyph for r in style.ROLES.values()}) == len(style.ROLES)


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: f"{v.figure}-{v.data}-{v.hold}-{v.scale}")
def test_a_figure_is_valid_and_keeps_the_grammar(view: answers.View) -> None:
    """Every figure passes plotly's validation; no title, no legend, a named quantity, the takeaway within 25 words."""
    answer = answers.answer(view)
    spec = json.loads(answer.spec)
    assert isinstance(answer.figure, go.Figure)
    layout = spec["layout"]
    assert not layout.get("title")
    assert layout["showlegend"] is False
    assert layout["margin"]["r"] <= 120
    assert layout["annotations"][0]["x"] == 0, "the y quantity stands top left"
    assert layout["yaxis"]["type"] == ("linear" if view.scale == "linear" or view.figure == "training" else "log")
    assert len(answer.sentence.split()) <= 25
    assert answer.sentence.endswith(".")
    hovers = [t["hovertemplate"] for t in spec["data"] if "hovertemplate" in t]
    assert {h[-15:] for h in hovers} == {"<extra></extra>"}
    assert answer.table
    assert set() < set(answer.sources) <= catalog.sources().keys()


@pytest.mark.parametrize("view", [v for v in VIEWS if v.figure != "training"], ids=lambda v: f"{v.figure}-{v.data}-{v.hold}-{v.scale}")
def test_nothing_in_the_hover_is_missing_from_the_table(view: answers.View) -> None:
    """Every point drawn is a row of the table, and every row in the fit is drawn."""
    answer = answers.answer(view)
    assert answer.figure is not None
    drawn = {c[0] for trace in json.loads(answer.spec)["data"] for c in trace.get("customdata", [])}
    assert drawn <= {row["id"] for row in answer.table}
    assert {row["id"] for row in answer.table if row["in the fit"] == "yes"} <= drawn


def test_a_stack_is_never_logarithmic() -> None:
    """Parts of a whole are linear and each begins where the one before ends, whatever the link asks for."""
    spec = json.loads(answers.answer(answers.View(figure="training", scale="log")).spec)
    assert spec["layout"]["xaxis"]["type"] == "linear"
    (drawn,) = [t for t in spec["data"] if t["type"] == "bar"]
    rows = itertools.groupby(zip(drawn["y"], drawn["base"], drawn["x"], strict=True), key=lambda part: part[0])
    for _y, parts in rows:
        at = 0.0
        for _same, base, size in parts:
            assert base == pytest.approx(at)
            at += size


def test_labels_at_line_ends_are_kept_apart() -> None:
    """Five lines that end at one value get five labels that do not touch."""
    axis = axes.Axis("", axes.said("times")).drawn(1.0, 1e6)
    labels = style.end_labels([style.End(100.0 + i, "compute", f"line {i}\ndoubles every\n2 years") for i in range(5)], axis)
    heights = sorted(label["y"] for label in labels)
    gap = (axis["range"][1] - axis["range"][0]) * style.LINE * 3
    assert min(b - a for a, b in itertools.pairwise(heights)) >= gap * 0.99
    assert axis["range"][0] <= heights[0] < heights[-1] <= axis["range"][1]


def test_a_log_axis_has_one_gridline_per_factor_of_ten() -> None:
    """Ticks stand at powers of ten, none skipped, and at most nine of them carry a label."""
    axis = axes.Axis("", axes.said("flop")).drawn(3e17, 4e27)
    assert [b / a for a, b in itertools.pairwise(axis["tickvals"])] == pytest.approx([10] * (len(axis["tickvals"]) - 1))
    assert 3 <= sum(bool(text) for text in axis["ticktext"]) <= 9


def hostile_series() -> DrawnCurve:
    """A series whose names came from an attacker."""
    points = tuple(
        growth.Point(f"p{i}", f"<img src=x onerror=alert({i})> & <b>", dt.date(2015 + i, 1, 1), 10.0**i, source="<script>") for i in range(4)
    )
    return DrawnCurve("compute", "<i>label</i>", "times", points, trend=growth.fit(points), rate="<u>", named=tuple(p.id for p in points))


def test_data_is_escaped() -> None:
    """Markup in a name, a label or a source reaches the figure as text."""
    spec = curves_over_time([hostile_series()], name="quantity", kind="times", log=True, revision="r").spec
    assert not re.search(r"<(img|script|i|u|b)>?[ >/]", spec.replace("<b>%{customdata[1]}</b>", ""))
    assert "\\u003cimg" in spec or "&lt;img" in spec


def test_extrapolation_is_dashed_and_bands_fade() -> None:
    """Beyond the data the line is dashed; two nested bands lie behind it without an outline."""
    answer = answers.answer(answers.View(extend=2035))
    assert answer.figure is not None
    data = json.loads(answer.spec)["data"]
    assert sum(t.get("line", {}).get("dash") == "dash" for t in data) == 3
    bands = [t for t in data if t.get("fill") == "toself"]
    assert [t["line"]["width"] for t in bands] == [0] * 6
    assert "extrapolated" in answer.caption


def test_an_unticked_point_stays_visible_and_leaves_the_fit() -> None:
    """Without GShard 240 times becomes 83; the point is still there to be put back."""
    answer = answers.answer(answers.View(figure="size", data="2021", without=("gholami-params-2021/gshard",)))
    assert "83.3×" in answer.sentence
    crosses = [t for t in json.loads(answer.spec)["data"] if "x-thin-open" in t.get("marker", {}).get("symbol", [])]
    assert [c[0] for t in crosses for c in t["customdata"]] == ["gholami-params-2021/gshard"]


def test_taking_every_point_out_is_answered_with_a_sentence() -> None:
    """Without points there is no line, no traceback, and a way back."""
    every = tuple(p.id for c in curves.curves("size", "2021") for p in c.points)
    answer = answers.answer(answers.View(figure="size", data="2021", without=every))
    assert answer.figure is not None
    assert "put some back" in answer.sentence
    assert len(answer.problems) == 2


def test_two_points_left_is_a_sentence_not_a_line() -> None:
    """Two points always lie on a line, so none is drawn, and the answer says why."""
    (transformers, *_rest) = curves.curves("size", "2021")
    answer = answers.answer(answers.View(figure="size", data="2021", without=tuple(p.id for p in transformers.points[2:])))
    assert any("at least 3" in problem for problem in answer.problems)


def test_an_empty_window_keeps_the_figure_of_the_rest() -> None:
    """A window without points answers with a sentence."""
    answer = answers.answer(answers.View(window=(1995, 1996)))
    assert "Too few points" in answer.sentence


def test_the_honest_headline() -> None:
    """At fixed 16 bits FLOP per byte grows about 1.2 times per two years; in the same window 60,000 becomes 43,114."""
    compute, bandwidth, ratio = answers.fixed_precision()
    assert (compute.n, round(compute.multiplier(), 2), round(bandwidth.multiplier(), 2)) == (8, pytest.approx(2.07, abs=0.011), 1.75)
    assert round(ratio, 1) == 1.2
    assert "43,114×" in answers.answer(answers.View(data="2024", hold="window")).sentence
    assert "68,353×" in answers.answer(answers.View(data="2021", hold="window")).sentence


def test_the_landing_figure_says_208() -> None:
    """An 8B model in 16 bits on an H100: at most 208 tokens a second, whatever its FLOP/s; the roofline page says the same."""
    answer = start.answer(Job())
    assert "208 tokens" in answer.sentence
    assert go.Figure(json.loads(answer.spec)["data"]).data[0].x[1] == pytest.approx(208.2, abs=0.05)
    assert "at most 208 tokens/s" in roofline.answer(Job(), roofline.View()).sentence


@pytest.mark.parametrize("chip", catalog.chips())
def test_every_chip_has_an_answer(chip: str) -> None:
    """Any chip of the catalogue gives a bound, or the reason why none is known."""
    answer = start.answer(Job(chip=chip))
    assert answer.sentence.endswith(".")
    assert len(answer.sentence.split()) <= 25


@pytest.mark.parametrize("view", [v for v in VIEWS if v.figure == "gap"], ids=lambda v: f"{v.data}-{v.hold}-{v.scale}")
def test_every_point_of_a_fit_is_drawn(view: answers.View) -> None:
    """As many markers as points in the fits: a chip with three quantities is drawn three times."""
    markers = sum(len(t["x"]) for t in json.loads(answers.answer(view).spec)["data"] if "markers" in t.get("mode", ""))
    fitted, _problems = answers.fits(view)
    assert markers == sum(f.trend.n for f in fitted if f.trend)


def test_a_point_in_two_fits_is_drawn_once() -> None:
    """The Transformers belong to the line of all models too, and each stands there once."""
    data = json.loads(answers.answer(answers.View(figure="compute", data="2021")).spec)["data"]
    ids = [c[0] for t in data for c in t.get("customdata", [])]
    assert len(ids) == len(set(ids)) == 21


def test_the_badge_says_whose_interval_it_is() -> None:
    """Where the takeaway ends on the ratio, the badge gives the ratio's interval; an interval around 1 has no direction."""
    assert "FLOP per byte" in answers.answer(answers.View(hold="precision")).sure
    assert "Peak compute" in answers.answer(answers.View()).sure
    capacity = answers.answer(answers.View(hold="precision", figure="capacity"))
    assert (capacity.trust, "direction uncertain" in capacity.sure) == ("red", True)


def rows(count: int) -> list[bars.Bar]:
    """Bars whose words take room, the first with its parts named."""
    parts = tuple(bars.Segment(10.0, "#0670D1", "#0670D1", ("part",), name=f"A part called {i}", said="10 GiB") for i in range(3))
    return [bars.Bar(f"row {i}", parts, said="30 GiB in all, more than it holds", tall=not i) for i in range(count)]


@pytest.mark.parametrize("count", [1, 3, 20])
def test_rows_have_one_height_in_every_figure(count: int) -> None:
    """A row takes as many pixels whether a figure has one or twenty, so that its label and the bar under it are as far apart everywhere."""
    layout = bars.bars(rows(count), axes.Axis("GiB", str, log=False), revision="r").layout
    plot = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    assert plot == pytest.approx(-layout["yaxis"]["range"][0], abs=1)
    assert layout["meta"]["least"] == 1.0, "words stand between the bars, so that they may not be pressed together"


def test_the_words_at_the_end_of_a_bar_have_room() -> None:
    """Words as long as half a plot end inside it, on a laptop and on a phone, and beyond the limit where that would cross them."""
    made = bars.bars(rows(2), axes.Axis("GiB", str, log=False), limit=bars.Limit("chip", 35.0), revision="r").layout
    for (plot, letter), (first, last) in zip(style.PLOTS, (made["xaxis"]["range"], made["meta"]["narrow"]["xaxis.range"]), strict=True):
        ends = [a for a in made["annotations"] if a["text"].startswith("30 GiB")]
        assert {a["x"] for a in ends} == {35.0}
        assert (last - 35.0) / (last - first) * plot >= min(0.6 * plot, letter * len(ends[0]["text"]))


def test_a_linear_axis_has_few_round_lines() -> None:
    """Lines of a linear axis are a round number apart (1, 2 or 5 of a power of ten; a power of two for GiB), at most nine, from where it begins."""
    for base, most in itertools.product((2, 10), (0.03, 7.0, 96.0, 1234.0, 6e14)):
        ticks = axes.Axis("", str, log=False, base=base).drawn(0.0, most)["tickvals"]
        step = ticks[1] - ticks[0]
        assert ticks[0] == 0
        assert 3 <= len(ticks) <= 9
        assert f"{step:e}"[0] in "125" if base == 10 else step == 2.0 ** round(math.log2(step))


def test_the_words_of_a_line_across_stand_where_least_is_drawn() -> None:
    """A horizontal line under a curve's left end is named at its right end."""
    years = [float(year) for year in range(1990, 2011)]
    axis = axes.Axis("", str, log=False, low=1990, high=2010)
    marks = [CrossLine(50.0, "a line with a name", vertical=False)]
    curve = Line("compute", "", years, [51.0 if year < 2000 else 20.0 for year in years])
    drawn = plane([curve], across=axis, up=axes.Axis("", str, log=False, high=100), marks=marks, revision="r").layout
    (words,) = [a for a in drawn["annotations"] if "a line" in a["text"]]
    assert (words["xanchor"], words["yanchor"]) == ("right", "bottom")


def test_the_wall_in_twenty_years_is_the_published_one_only_on_the_published_points() -> None:
    """With all its points the headline says what was published; with fewer, a narrower window or another line, what these points give."""
    whole = answers.answer(answers.View(data="2021"))
    assert whole.sentence.startswith("As published, FLOP/s grew 90,000×")
    out = next(iter(whole.options))
    for less in ({"window": (2005, 2020)}, {"without": (out,)}, {"fit": "theil-sen"}):
        assert answers.answer(answers.View(data="2021", **less)).sentence.startswith("By these points FLOP/s grew "), less
