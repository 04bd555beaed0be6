"""Growth: what a refit promises, checked against scipy, against closed forms and against simulated data."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import FrozenInstanceError, replace
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from wallviz.engine.growth import (
    Claim,
    Moments,
    Point,
    date_at,
    divergence,
    fit,
    influence,
    normalise,
    record_setters,
    refit,
    select,
    student_t,
    years,
)
from wallviz.errors import InputError

# The ten transformers of the 2021 figure: "parameters grow 240x every two years" (Gholami et al. 2021).
TRANSFORMERS = tuple(
    Point(name.lower().replace(" ", "-"), name, dt.date.fromisoformat(day), value, unit="parameters")
    for name, day, value in [
        ("Transformer", "2017-12-06", 6.5e07),
        ("GPT-1", "2018-06-11", 1.1e08),
        ("BERT Large", "2018-10-11", 3.3e08),
        ("GPT-2", "2019-02-14", 1.5e09),
        ("Megatron LM", "2019-08-17", 8.3e09),
        ("ALBERT xxl", "2019-09-26", 2.35e08),
        ("Microsoft T-NLG", "2020-02-13", 1.7e10),
        ("ELECTRA Large", "2020-03-23", 3.3e08),
        ("GPT-3", "2020-05-28", 1.75e11),
        ("GShard", "2020-06-30", 6e11),
    ]
)
BLOG_PARAMS = Claim(
    id="blog_params",
    what="Transformer parameters",
    quantity="parameters",
    edition="2021",
    producer="Gholami et al.",
    multiplier=240.0,
    period_years=2.0,
    first="2017-12-06",
    last="2020-06-30",
    status="published",
    note="",
    source="gholami-2021",
    points=TRANSFORMERS,
)


def scattered(n: int, seed: int, growth: float = 0.3, scatter: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Dates over five years and values about a known trend, with normal scatter on the log scale."""
    random = np.random.default_rng(seed)
    x = 2015 + random.uniform(0, 5, n)
    return x, 10 ** (growth * (x - 2015) + scatter * random.normal(size=n))


# The trend


def test_the_published_240_is_what_its_own_ten_points_give() -> None:
    """The 2021 claim of 240x comes back from its points, with the interval that was not printed."""
    trend = fit(TRANSFORMERS)
    low, high = trend.multiplier_interval()
    assert trend.multiplier() == pytest.approx(240.93, rel=1e-4)
    assert (low, high) == pytest.approx((5.6307, 10309), rel=1e-3)
    assert (trend.n, trend.first, trend.last) == (10, dt.date(2017, 12, 6), dt.date(2020, 6, 30))
    assert trend.r_squared == pytest.approx(0.58627, rel=1e-4)
    assert trend.doubling_years == pytest.approx(0.25277, rel=1e-4)


def test_the_authors_730_day_years_give_their_own_240() -> None:
    """Two years of 730 days give the authors' printed 240.0 from the same line."""
    assert fit(TRANSFORMERS).multiplier(730 / 365.25) == pytest.approx(240.03, abs=0.01)


@pytest.mark.parametrize("method", ["ols", "theil-sen"])
def test_an_exact_exponential_gives_its_rate_back(method: str) -> None:
    """Points on an exact exponential return its rate, its values and an interval of no width."""
    days = [dt.date(2000 + i, 1 + i % 12, 3) for i in range(12)]
    values = [7.0 * 3.0 ** ((years(day) - 2000) / 2) for day in days]
    trend = fit((days, values), method=method)
    assert trend.multiplier(2) == pytest.approx(3.0, rel=1e-9)
    assert trend.multiplier_interval(2) == pytest.approx((3.0, 3.0), rel=1e-9)
    assert trend.doubling_years == pytest.approx(2 * np.log(2) / np.log(3), rel=1e-9)
    assert trend.r_squared == pytest.approx(1.0, abs=1e-12)
    assert trend.at(days) == pytest.approx(values, rel=1e-9)


@pytest.mark.parametrize("n", [3, 6, 10, 37])
def test_least_squares_equals_scipy(n: int) -> None:
    """Slope, standard error, R squared, level and t interval are those of scipy.stats.linregress."""
    x, values = scattered(n, seed=n)
    trend, theirs = fit((x, values)), stats.linregress(x, np.log10(values))
    half = stats.t.ppf(0.975, n - 2) * theirs.stderr
    assert trend.slope_log10_per_year == pytest.approx(theirs.slope, rel=1e-9)
    assert trend.slope_se == pytest.approx(theirs.stderr, rel=1e-9)
    assert trend.r_squared == pytest.approx(theirs.rvalue**2, rel=1e-9)
    assert float(trend.at(2018.0)) == pytest.approx(10 ** (theirs.intercept + 2018 * theirs.slope), rel=1e-8)
    assert (trend.slope_low, trend.slope_high) == pytest.approx((theirs.slope - half, theirs.slope + half), abs=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("n", [5, 6, 11, 40])
def test_theil_sen_equals_scipy(n: int, confidence: float) -> None:
    """Slope, line and rank interval are those of scipy.stats.theilslopes, repeated dates and values included."""
    x, values = scattered(n, seed=n)
    if n > 10:
        x[1], x[2], values[4] = x[0], x[0], values[3]
    trend = fit((x, values), method="theil-sen", confidence=confidence)
    theirs = stats.theilslopes(np.log10(values), x, alpha=confidence, method="joint")
    assert trend.slope_log10_per_year == pytest.approx(theirs.slope, rel=1e-12)
    assert (trend.slope_low, trend.slope_high) == pytest.approx((theirs.low_slope, theirs.high_slope), rel=1e-12)
    assert float(trend.at(2018.0)) == pytest.approx(10 ** (theirs.intercept + 2018 * theirs.slope), rel=1e-8)


def test_theil_sen_takes_any_number_of_points() -> None:
    """From 171 points on the orders are more than a float can hold; slope and rank interval are still scipy's."""
    x, values = scattered(200, seed=1)
    trend = fit((x, values), method="theil-sen")
    theirs = stats.theilslopes(np.log10(values), x, method="joint")
    assert (trend.slope_log10_per_year, trend.slope_low, trend.slope_high) == pytest.approx((theirs.slope, theirs.low_slope, theirs.high_slope))


def test_theil_sen_ignores_one_wild_point_and_least_squares_does_not() -> None:
    """One value that is wrong by a factor of a million leaves the Theil-Sen rate alone."""
    days = [dt.date(2000 + i, 1, 1) for i in range(11)]
    values = [2.0**i for i in range(10)] + [2.0**10 * 1e6]
    assert fit((days, values), method="theil-sen").multiplier(1) == pytest.approx(2.0, rel=0.01)
    assert fit((days, values)).multiplier(1) > 3


def test_a_falling_trend_halves_and_a_level_one_never_doubles() -> None:
    """Doubling years are negative for a price that falls and infinite for one that stays."""
    days = [dt.date(2000 + i, 1, 1) for i in range(5)]
    assert fit((days, [16.0, 8.0, 4.0, 2.0, 1.0])).doubling_years == pytest.approx(-1.0, rel=1e-3)
    level = fit((days, [5.0] * 5), interval="bootstrap")
    assert level.doubling_years == float("inf")
    assert (level.multiplier(), level.r_squared, level.multiplier_interval()) == (1.0, 0.0, (1.0, 1.0))


def test_a_window_of_days_overflows_to_infinity_and_not_to_an_error() -> None:
    """Three models within a week have an interval too wide for a float: its ends are 0 and infinity."""
    trend = fit((["2020-01-01", "2020-01-02", "2020-01-03"], [1.0, 9.0, 2.0]))
    assert trend.multiplier_interval(20) == (0.0, float("inf"))


def test_the_order_of_the_points_does_not_matter() -> None:
    """Reversed points give the same trend."""
    there, back = fit(TRANSFORMERS), fit(TRANSFORMERS[::-1])
    assert back.slope_log10_per_year == pytest.approx(there.slope_log10_per_year, rel=1e-12)
    assert (back.first, back.last) == (there.first, there.last)


def test_domain_objects_are_frozen() -> None:
    """A trend and a point cannot be changed by accident."""
    with pytest.raises(FrozenInstanceError):
        fit(TRANSFORMERS).n = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        TRANSFORMERS[0].value = 1.0  # type: ignore[misc]


# Time and bands


def test_a_century_of_days_survives_the_round_trip() -> None:
    """Every day from 1950 to 2050 comes back from its decimal year."""
    days = [dt.date(1950, 1, 1) + dt.timedelta(days=i) for i in range(36525)]
    assert [date_at(years(day)) for day in days] == days


def test_moments_may_be_dates_strings_numbers_or_arrays() -> None:
    """One moment in each of its forms gives one value, and an array gives an array of its shape."""
    trend, day = fit(TRANSFORMERS), dt.date(2019, 3, 4)
    forms: list[Moments] = [day, "2019-03-04", years(day), np.datetime64("2019-03-04"), dt.datetime(2019, 3, 4, 15, 0, tzinfo=dt.UTC)]
    assert np.array([float(trend.at(form)) for form in forms]) == pytest.approx(float(trend.at(day)), rel=1e-12)
    assert trend.at(np.full((2, 3), 2019.0)).shape == (2, 3)
    assert trend.at([day, day]).shape == trend.at(["2019-03-04", "2019-03-04"]).shape == (2,)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_bands_equal_the_matrix_form(level: float) -> None:
    """Both bands are s * sqrt(x' (X'X)^-1 x) and s * sqrt(1 + ...), found by another road: matrices and scipy's t."""
    x, values = scattered(12, seed=3)
    trend = fit((x, values))
    design = np.column_stack([np.ones(12), x - 2018])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ np.log10(values)
    sd = np.sqrt(((np.log10(values) - design @ beta) ** 2).sum() / 10)
    where = np.array([2010.0, 2017.3, 2030.0])
    rows = np.column_stack([np.ones(3), where - 2018])
    doubt = np.einsum("ij,jk,ik->i", rows, inverse, rows)
    for band, extra in [(trend.confidence_band, 0.0), (trend.prediction_band, 1.0)]:
        half = stats.t.ppf((1 + level) / 2, 10) * sd * np.sqrt(doubt + extra)
        low, high = band(where, level)
        assert np.log10(low) == pytest.approx(rows @ beta - half, abs=1e-9)
        assert np.log10(high) == pytest.approx(rows @ beta + half, abs=1e-9)


@pytest.mark.parametrize(("method", "interval"), [("ols", "t"), ("ols", "bootstrap"), ("theil-sen", "rank")])
def test_bands_enclose_the_line_and_open_outwards(method: str, interval: str) -> None:
    """For each method the line lies in its confidence band, that in the prediction band, and both widen away from the centre."""
    trend = fit(TRANSFORMERS, method=method, interval=interval)
    where = np.array([trend.centre_year, trend.centre_year + 1, trend.centre_year + 5])
    low, high = trend.confidence_band(where)
    lower, higher = trend.prediction_band(where)
    assert ((lower < low) & (low < trend.at(where)) & (trend.at(where) < high) & (high < higher)).all()
    assert (np.diff(high / low) > 0).all()
    assert (np.diff(higher / lower) > 0).all()


def test_only_moments_outside_the_points_are_extrapolation() -> None:
    """The first and the last date belong to the fit, the days before and after do not."""
    trend = fit(TRANSFORMERS)
    asked = trend.is_extrapolation([dt.date(2017, 12, 5), dt.date(2017, 12, 6), dt.date(2020, 6, 30), dt.date(2020, 7, 1)])
    assert asked.tolist() == [True, False, False, True]


# Student's t and coverage


def test_the_t_quantile_equals_scipy() -> None:
    """Quantiles agree with scipy to 1e-9 from half a degree of freedom to ten million and deep into both tails."""
    probabilities = [1e-9, 1e-4, 0.025, 0.1, 0.4999, 0.5, 0.5001, 0.6, 0.75, 0.9, 0.95, 0.975, 0.995, 0.9999, 1 - 1e-9]
    for dof in [0.5, 1, 1.37, 2, 2.5, 3, 4, 5.5, 8, 10, 18, 30, 33.3, 100, 333.3, 999.9, 1000.1, 5000, 1e5, 1e7]:
        ours = [student_t(probability, dof) for probability in probabilities]
        assert ours == pytest.approx(stats.t.ppf(probabilities, dof).tolist(), rel=1e-9, abs=1e-12), dof


@pytest.mark.parametrize(("probability", "dof"), [(0.0, 5), (1.0, 5), (0.9, 0.0), (float("nan"), 5)])
def test_a_t_quantile_outside_its_domain_is_refused(probability: float, dof: float) -> None:
    """Probabilities must lie between 0 and 1 and degrees of freedom be positive."""
    with pytest.raises(InputError, match="t quantile needs"):
        student_t(probability, dof)


@pytest.mark.parametrize(("interval", "repeats"), [("t", 2000), ("bootstrap", 1000)])
def test_ninety_five_percent_intervals_hold_the_truth_ninety_five_times_in_a_hundred(interval: str, repeats: int) -> None:
    """Over simulated data of 20 points the interval holds the true slope in 95 +/- 2 % of cases."""
    hits = 0
    for seed in range(repeats):
        trend = fit(scattered(20, seed), interval=interval, resamples=999)
        hits += trend.slope_low <= 0.3 <= trend.slope_high
    assert hits / repeats == pytest.approx(0.95, abs=0.02)


def test_the_rank_interval_of_six_points_holds_the_truth_in_708_of_720_orders() -> None:
    """Whatever the scatter, every order of six points about the line is equally likely: count them all, 98.3 %."""
    x = np.arange(2010.0, 2016.0)
    trends = [fit((x, 10.0 ** np.array(order)), method="theil-sen") for order in permutations(range(6))]
    assert sum(trend.slope_low <= 0 <= trend.slope_high for trend in trends) == 708


def test_a_bootstrap_repeats_itself_exactly() -> None:
    """The same seed gives the same interval, another seed a slightly different one."""
    one, same, other = (fit(TRANSFORMERS, interval="bootstrap", seed=seed) for seed in (0, 0, 1))
    assert one == same
    assert one.slope_low != other.slope_low
    assert one.slope_low == pytest.approx(other.slope_low, rel=0.25)


def test_a_bootstrap_knows_points_of_full_leverage() -> None:
    """A point that alone holds one end of the line has no residual, and the interval is still finite."""
    trend = fit((["2010-01-01"] * 5 + ["2020-01-01"], [1.0, 2.0, 3.0, 4.0, 5.0, 90.0]), interval="bootstrap")
    assert np.isfinite([trend.slope_low, trend.slope_high]).all()
    assert trend.slope_low < trend.slope_log10_per_year < trend.slope_high


# Points in, points out


def test_select_leaves_out_by_id_and_by_name_in_any_case() -> None:
    """An id or a whole name leaves a point out, whatever its case."""
    kept = select(TRANSFORMERS, exclude=["albert-XXL", "electra large"])
    assert len(kept) == 8
    assert fit(kept).multiplier() == pytest.approx(1004, rel=1e-3)
    assert len(select(TRANSFORMERS, exclude="gpt-3")) == 9


def test_a_shared_name_leaves_out_all_its_points_and_an_id_only_one() -> None:
    """Of three unidentified GPUs, the name takes all and an id takes one."""
    points = tuple(Point(f"gpu-{i}", "unidentified GPU" if i < 3 else "known GPU", dt.date(2010 + i, 1, 1), 1.0 + i) for i in range(6))
    assert [point.id for point in select(points, exclude=["Unidentified GPU"])] == ["gpu-3", "gpu-4", "gpu-5"]
    assert [point.id for point in select(points, exclude=["gpu-1"])] == ["gpu-0", "gpu-2", "gpu-3", "gpu-4", "gpu-5"]


def test_an_id_wins_over_another_points_name() -> None:
    """Where one point's id is another's name, the id is meant."""
    points = (Point("b", "A", dt.date(2010, 1, 1), 1.0), Point("a", "C", dt.date(2011, 1, 1), 2.0))
    assert [point.id for point in select(points, exclude=["a"])] == ["b"]


def test_both_ends_of_the_window_are_included() -> None:
    """Since and until include their own day, as dates or as strings."""
    first, last = TRANSFORMERS[1].date, TRANSFORMERS[-2].date
    assert select(TRANSFORMERS, since=first, until=last) == select(TRANSFORMERS, since=first.isoformat(), until=last.isoformat())
    assert select(TRANSFORMERS, since=first, until=last) == TRANSFORMERS[1:-1]


def test_record_setters_exceed_everything_before_them() -> None:
    """Only models larger than every earlier one stay, by date; equal is not larger, and one day has one record."""
    points = [
        Point("d", "equal", dt.date(2013, 1, 1), 5.0),
        Point("a", "first", dt.date(2010, 1, 1), 2.0),
        Point("c", "twin, larger", dt.date(2012, 1, 1), 5.0),
        Point("b", "smaller", dt.date(2011, 1, 1), 1.0),
        Point("e", "twin, smaller", dt.date(2012, 1, 1), 4.0),
        Point("f", "last", dt.date(2014, 1, 1), 6.0),
    ]
    assert [point.id for point in record_setters(points)] == ["a", "c", "f"]
    assert record_setters([]) == ()


def test_normalise_divides_by_the_earliest_point_and_keeps_the_growth() -> None:
    """Multiples of the earliest value, or of the point asked for, and the same multiplier as before."""
    points = normalise(TRANSFORMERS[::-1])
    assert (points[-1].value, points[-1].unit) == (1.0, "")
    assert fit(points).multiplier() == pytest.approx(fit(TRANSFORMERS).multiplier(), rel=1e-9)
    assert normalise(TRANSFORMERS, to=TRANSFORMERS[3])[3].value == 1.0
    assert normalise([]) == ()
    with pytest.raises(InputError, match=r"Transformer has 0\.0"):
        normalise(TRANSFORMERS, to=replace(TRANSFORMERS[0], value=0.0))


@pytest.mark.parametrize("method", ["ols", "theil-sen"])
def test_influence_equals_refitting_without_the_point(method: str) -> None:
    """The multiplier without each point is the one that a refit without it gives."""
    whole = fit(TRANSFORMERS, method=method).multiplier(2)
    for i, effect in enumerate(influence(TRANSFORMERS, method=method)):
        without = fit(TRANSFORMERS[:i] + TRANSFORMERS[i + 1 :], method=method).multiplier(2)
        assert effect.point is TRANSFORMERS[i]
        assert effect.multiplier == pytest.approx(whole, rel=1e-12)
        assert effect.multiplier_without == pytest.approx(without, rel=1e-9)
        assert effect.change == pytest.approx(without / whole, rel=1e-9)


@pytest.mark.parametrize("method", ["ols", "theil-sen"])
def test_without_the_only_second_date_there_is_no_multiplier(method: str) -> None:
    """A point that alone holds one end of the line has no multiplier without it, and says so with None."""
    days = [dt.date(2010, 1, 1), dt.date(2010, 1, 1), dt.date(2012, 1, 1)]
    points = tuple(Point(f"p{i}", "", day, value) for i, (day, value) in enumerate(zip(days, [1.0, 2.0, 9.0], strict=True)))
    effects = influence(points, method=method)
    assert [effect.multiplier_without is None for effect in effects] == [False, False, True]
    assert effects[2].change is None
    assert effects[0].multiplier_without == pytest.approx(4.5 ** (730.5 / 730), rel=1e-9)


# Two trends


def test_divergence_of_two_exact_trends_is_the_ratio_of_their_rates() -> None:
    """3x against 1.5x per two years is 2x per two years, 32x per decade."""
    days = [dt.date(2000 + i, 1, 1) for i in range(8)]
    fast = fit((days, [3.0 ** ((years(day) - 2000) / 2) for day in days]))
    slow = fit((days, [1.5 ** ((years(day) - 2000) / 2) for day in days]))
    gap = divergence(fast, slow)
    assert gap.ratio == pytest.approx(32.0, rel=1e-9)
    assert gap.ratio_interval == pytest.approx((32.0, 32.0), rel=1e-9)
    assert gap.doubling_years == pytest.approx(2.0, rel=1e-9)
    assert divergence(slow, fast, 2.0).ratio == pytest.approx(0.5, rel=1e-9)


def test_divergence_uses_welch_and_satterthwaite() -> None:
    """The interval of the gap is scipy's t with Welch-Satterthwaite degrees of freedom, and not of either trend alone."""
    a, b = fit(scattered(8, seed=1)), fit(scattered(20, seed=2, growth=0.1, scatter=0.1))
    gap = divergence(a, b, 2.0)
    dof = (a.slope_se**2 + b.slope_se**2) ** 2 / (a.slope_se**4 / 6 + b.slope_se**4 / 18)
    half = stats.t.ppf(0.975, dof) * np.hypot(a.slope_se, b.slope_se)
    assert gap.dof == pytest.approx(dof, rel=1e-12)
    assert gap.slope_high - gap.slope_log10_per_year == pytest.approx(half, rel=1e-9)
    assert np.log10(gap.ratio_interval) / 2 == pytest.approx([gap.slope_low, gap.slope_high], rel=1e-9)


def test_a_trend_does_not_diverge_from_a_level_twin() -> None:
    """Two level lines have a gap that stays: factor 1, never doubling, no division by zero."""
    level = fit((["2000-01-01", "2001-01-01", "2002-01-01"], [2.0, 2.0, 2.0]))
    gap = divergence(level, level)
    assert (gap.ratio, gap.ratio_interval, gap.doubling_years, gap.dof) == (1.0, (1.0, 1.0), float("inf"), 2.0)


# Claims


def test_a_refit_answers_as_the_command_line_does() -> None:
    """The dictionary has exactly the keys of the contract, in plain types that survive JSON."""
    answer = refit(BLOG_PARAMS, exclude=["GShard"]).as_dict()
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert list(answer) == [
        "claim_id",
        "published_multiplier",
        "period_years",
        "refit_multiplier",
        "ci95_low",
        "ci95_high",
        "doubling_years",
        "n",
        "r_squared",
        "first",
        "last",
        "excluded",
        "method",
    ]
    assert answer["refit_multiplier"] == pytest.approx(83.269, rel=1e-4)
    assert answer["excluded"] == ["gshard"]
    assert {type(value) for value in answer.values()} == {str, float, int, list}


def test_a_refit_knows_the_reader_s_choice_and_compares_with_the_claim() -> None:
    """Window, exclusions and points are kept; the comparison uses the claim's own period."""
    whole = refit(BLOG_PARAMS)
    assert whole.published_over_refit == pytest.approx(240 / 240.93, rel=1e-4)
    assert whole.published_inside
    part = refit(BLOG_PARAMS, exclude="albert xxl", since="2018-01-01", until=dt.date(2020, 6, 1), method="theil-sen")
    assert (part.excluded, part.since, part.until) == (("albert-xxl",), dt.date(2018, 1, 1), dt.date(2020, 6, 1))
    assert [point.id for point in part.points] == [p.id for p in TRANSFORMERS if p.id not in ("transformer", "albert-xxl", "gshard")]
    assert part.trend == fit(part.points, method="theil-sen")
    decade = refit(replace(BLOG_PARAMS, period_years=10.0))
    assert decade.refit_multiplier == pytest.approx(whole.refit_multiplier**5, rel=1e-9)
    assert (decade.ci95_low, decade.ci95_high) == decade.trend.multiplier_interval(10.0)


def test_what_no_json_number_can_hold_is_null() -> None:
    """An interval end or a doubling time that is infinite becomes null."""

    def answer(values: list[float]) -> dict[str, object]:
        points = tuple(Point(str(i), "", dt.date(2020, 1, 1 + i), value) for i, value in enumerate(values))
        return refit(replace(BLOG_PARAMS, points=points, period_years=20.0)).as_dict()

    assert answer([1.0, 9.0, 2.0])["ci95_high"] is None
    assert answer([5.0, 5.0, 5.0])["doubling_years"] is None
    json.dumps([answer([1.0, 9.0, 2.0]), answer([5.0, 5.0, 5.0])], allow_nan=False)


# What is wrong, and what to do


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        ((), {}, "no point to fit: keep at least 3"),
        (TRANSFORMERS[:1], {}, "one point has no slope: keep at least 3"),
        (TRANSFORMERS[:2], {}, "two points always lie on a line: keep at least 3"),
        (TRANSFORMERS[:4], {"interval": "bootstrap"}, "a bootstrap of 4 points repeats itself: keep at least 5, or use the t interval"),
        (TRANSFORMERS[:4], {"method": "theil-sen"}, "the ranks of 4 points cannot give an interval at 0.95"),
        (tuple(replace(point, date=dt.date(2020, 1, 1)) for point in TRANSFORMERS), {}, "all 10 points lie on 2020-01-01"),
        ((*TRANSFORMERS[1:], replace(TRANSFORMERS[0], value=0.0)), {}, "Transformer has 0.0; exclude it"),
        ((*TRANSFORMERS[1:], replace(TRANSFORMERS[0], value=float("nan"))), {}, "Transformer has nan; exclude it"),
        (TRANSFORMERS, {"method": "ridge"}, "unknown method ridge: choose from ols, theil-sen"),
        (TRANSFORMERS, {"interval": "z"}, "unknown interval z: choose from t, bootstrap, rank"),
        (TRANSFORMERS, {"interval": "rank"}, "the rank interval does not go with ols: choose from t, bootstrap"),
        (TRANSFORMERS, {"interval": "t", "method": "theil-sen"}, "the t interval does not go with theil-sen: choose from rank"),
        (TRANSFORMERS, {"confidence": 95}, "confidence must lie between 0 and 1: got 95; write 95% as 0.95"),
        (TRANSFORMERS, {"interval": "bootstrap", "resamples": 10}, "resamples must be at least 40 for an interval at 0.95: got 10"),
        (([2020.0, 2021.0, 2022.0], [1.0, 2.0]), {}, "every date needs one value: got 3 dates and 2 values"),
        (([2020.0, 2021.0, 2022.0], [1.0, -2.0, 3.0]), {}, "#2 has -2.0"),
        (([2020.0, float("nan"), 2022.0], [1.0, 2.0, 3.0]), {}, "date between the years 2 and 9998: #2 has nan"),
        ((["2020-01-01", "soon", "2022-01-01"], [1.0, 2.0, 3.0]), {}, "date must be a date: soon is not; write it as YYYY-MM-DD"),
    ],
)
def test_a_fit_that_cannot_be_says_why_and_what_to_do(points: object, options: dict[str, object], message: str) -> None:
    """Each impossible fit is refused with the rule, the value and the way out."""
    with pytest.raises(InputError) as caught:
        fit(points, **options)  # type: ignore[arg-type]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude": ["GPT"]}, "no point is called GPT: did you mean GPT-1"),
        ({"exclude": ["Elektra Large"]}, "did you mean ELECTRA Large"),
        ({"exclude": ["zzzzzz"]}, "no point is called zzzzzz: choose from transformer, gpt-1"),
        ({"exclude": [""]}, "choose from transformer"),
        ({"exclude": [point.id for point in TRANSFORMERS]}, "all 10 points are excluded: keep at least 3"),
        ({"since": "2020-01-02", "until": "2020-01-01"}, "since (2020-01-02) is later than until (2020-01-01): swap them"),
        ({"since": "2024-01-01"}, "no point lies between 2024-01-01 and …: they run from 2017-12-06 to 2020-06-30"),
        ({"until": "2001-01-01"}, "no point lies between … and 2001-01-01"),
        ({"since": "yesterday"}, "since must be a date: yesterday is not; write it as YYYY-MM-DD"),
        ({"until": 2020}, "until must be a date: 2020 is not"),
    ],
)
def test_a_selection_that_cannot_be_says_why_and_what_to_do(options: dict[str, object], message: str) -> None:
    """Unknown names list candidates, reversed and empty windows say which days there are."""
    with pytest.raises(InputError) as caught:
        select(TRANSFORMERS, **options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_there_is_nothing_to_select_from_nothing() -> None:
    """No points at all are refused too."""
    with pytest.raises(InputError, match="no point to select from"):
        select([])


def test_influence_and_bands_refuse_what_a_fit_refuses() -> None:
    """Two points, an unknown method and a confidence in percent are refused here as well."""
    with pytest.raises(InputError, match="two points"):
        influence(TRANSFORMERS[:2])
    with pytest.raises(InputError, match="unknown method"):
        influence(TRANSFORMERS, method="ridge")
    with pytest.raises(InputError, match="confidence"):
        fit(TRANSFORMERS).confidence_band(2020.0, level=95)
    with pytest.raises(InputError, match="confidence"):
        divergence(fit(TRANSFORMERS), fit(TRANSFORMERS), confidence=0.0)


def test_a_claim_without_points_gives_its_reason() -> None:
    """A claim that ships no points comes back without a fit and says why in the claim's own words."""
    moore = replace(BLOG_PARAMS, id="moore", points=(), no_points_reason="a law, not a data set")
    answer = refit(moore)
    assert answer.trend is None
    assert answer.as_dict()["refit_multiplier"] is None
    assert answer.as_dict()["reason"] == "a law, not a data set"
