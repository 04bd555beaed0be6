"""What was claimed, refitted on the data that ship: every published number, and what becomes of it on a part of its points.

The expected figures were computed apart from this package, by scipy on the points as first read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import linregress

import wallviz
from wallviz import catalog
from wallviz.engine.growth import Point, fit, select, years

Keep = Callable[[Point], bool]

# Choices of points


def of(claim: str, where: Keep | None = None, **kept: str | list[str]) -> list[Point]:
    """The points of a claim, some of them."""
    points = select(catalog.claims()[claim].points, **kept)
    return [point for point in points if where is None or where(point)]


def group(*names: str) -> Keep:
    return lambda point: point.group in names


def others(point: Point) -> bool:
    """Not a Transformer."""
    return point.group != "transformer"


def either(*claims: str) -> list[Point]:
    """The points of several claims, each name once."""
    return list({point.name: point for claim in claims for point in of(claim)}.values())


def domain(name: str) -> Iterable[Point]:
    return catalog.model_points("gholami_compute_2021", "training_flop", domain=name)


def readme(**kept: str) -> Iterable[Point]:
    return select(catalog.points("models", "gholami_readme", "transformer", "parameters"), **kept)


def v100_at_launch() -> list[Point]:
    """The V100 came with 16 GB; the figure draws the 32 GB of the card of 2018 at its date."""
    return [replace(point, value=16e9) if "V100" in point.name else point for point in of("paper_accel_memory")]


def memory_limits() -> list[Point]:
    """The step line of the memory figure, at the dates of its eight models."""
    dates = {point.name: point.date for point in catalog.points("models", "gholami_readme", "", "inference_flop")}
    names = ["AlexNet", "VGG-19", "ResNet152", "DenseNet201", "ResNeXt101(64x4d)", "Transformer", "BERT Large", "GPT-2"]
    rows = catalog.memory_breakdown().values()
    return [Point(row.id, row.name, dates[name], row.gpu_memory_limit_bytes) for name, row in zip(names, rows, strict=True)]


def listed(column: str, vendor: str = "") -> list[Point]:
    """Epoch AI's own rows, those included that are known to be wrong."""
    points = catalog.listed_points("epoch_ml_hardware_2026", column, unmasked=True)
    return [point for point in points if vendor in ("", point.group)]


def notable(column: str, first: int, last: int, **chosen: object) -> Iterable[Point]:
    points = catalog.model_points("epoch_notable_2026", column, **chosen)
    return select(points, since=dt.date(first, 1, 1), until=dt.date(last, 12, 31))


# The claims


TWO_YEARS = sorted(claim.id for claim in catalog.claims().values() if claim.edition and claim.points and claim.period_years == 2)


def test_the_claims_of_two_years_are_these() -> None:
    """Seven claims of the 2021 edition and six of the 2024 edition are over two years and have points."""
    assert [sum(name.startswith(prefix) for name in TWO_YEARS) for prefix in ("blog_", "paper_")] == [7, 6]


@pytest.mark.parametrize("name", [name for name in TWO_YEARS if name != "paper_accel_memory"])
def test_published_values_come_back(name: str) -> None:
    """Every claim over two years, of both editions, comes back from its own points within 2 %."""
    fitted = wallviz.claim(name)
    assert fitted.refit_multiplier == pytest.approx(fitted.published_multiplier, rel=0.02)
    assert fitted.published_inside


def test_one_published_value_does_not_come_back() -> None:
    """The accelerator memory of the 2024 paper is printed as 2 times, and its seven points give 1.86."""
    fitted = wallviz.claim("paper_accel_memory")
    assert fitted.published_multiplier == 2
    assert fitted.refit_multiplier == pytest.approx(1.863, rel=0.001)


REFITS: dict[str, tuple[Callable[[], Iterable[Point]], int, str, str, float, float, float, float, float]] = {
    # points, n, first, last, per two years, its 95 % interval, R squared, years to double
    "blog_params: all ten":
        (lambda: of("blog_params"), 10, "2017-12-06", "2020-06-30", 240.93, 5.6307, 10309, 0.58627, 0.25277),
    "blog_params: without ALBERT & ELECTRA":
        (lambda: of("blog_params", exclude=["ALBERT xxl", "ELECTRA Large"]), 8, "2017-12-06", "2020-06-30", 1004, 217.18, 4641.3, 0.95314, 0.20057),
    "blog_params: without GShard":
        (lambda: of("blog_params", exclude="GShard"), 9, "2017-12-06", "2020-05-28", 83.269, 1.8271, 3794.9, 0.51717, 0.31349),
    "blog_params: without GShard & GPT-3":
        (lambda: of("blog_params", exclude=["GShard", "GPT-3"]), 8, "2017-12-06", "2020-03-23", 22.352, 0.50999, 979.63, 0.40267, 0.4462),
    "blog_params: the authors' table as printed":
        (readme, 11, "2017-12-06", "2020-06-30", 237.88, 7.2576, 7796.7, 0.58294, 0.25335),
    "blog_params: the authors' table without RoBERTa":
        (lambda: readme(exclude="RoBERTa Large"), 10, "2017-12-06", "2020-06-30", 240.93, 5.6307, 10309, 0.58627, 0.25277),
    "paper_params: all ten":
        (lambda: of("paper_params"), 10, "2017-12-06", "2021-09-11", 413.13, 96.723, 1764.6, 0.91962, 0.23014),
    "paper_params: before 2021":
        (lambda: of("paper_params", until="2020-12-31"), 8, "2017-12-06", "2020-06-30", 1004, 217.18, 4641.3, 0.95314, 0.20057),
    "paper_params: Transformer..T-NLG only":
        (lambda: of("paper_params", until="2020-02-13"), 6, "2017-12-06", "2020-02-13", 287.13, 67.897, 1214.2, 0.96741, 0.24493),
    "paper_params: both figures":
        (lambda: either("blog_params", "paper_params"), 12, "2017-12-06", "2021-09-11", 311.58, 24.606, 3945.4, 0.71745, 0.24144),
    "blog_compute_transformer: all ten":
        (lambda: of("blog_compute_transformer"), 10, "2017-12-06", "2020-05-28", 755.04, 77.889, 7319.2, 0.84979, 0.2092),
    "blog_compute_all: no transformers":
        (lambda: of("blog_compute_all", others), 11, "2012-06-01", "2020-06-20", 6.0526, 1.7787, 20.596, 0.55136, 0.76995),
    "blog_compute_all: vision":
        (lambda: domain("vision"), 8, "2012-06-01", "2019-11-13", 6.4328, 1.3411, 30.857, 0.58446, 0.74476),
    "blog_compute_all: language":
        (lambda: domain("language"), 12, "2014-09-10", "2020-05-28", 37.064, 5.1198, 268.32, 0.62311, 0.38373),
    "paper_accel_memory: all seven":
        (lambda: of("paper_accel_memory"), 7, "2016-06-20", "2022-03-22", 1.863, 1.3746, 2.525, 0.84703, 2.228),
    "paper_accel_memory: NVIDIA only":
        (lambda: of("paper_accel_memory", group("NVIDIA")), 5, "2016-06-20", "2022-03-22", 1.812, 1.1226, 2.9249, 0.83876, 2.3321),
    "paper_accel_memory: V100 with the 16 GB of its launch":
        (v100_at_launch, 7, "2016-06-20", "2022-03-22", 2.0138, 1.6106, 2.5178, 0.92848, 1.9804),
    "paper_accel_memory: limits of the memory figure":
        (memory_limits, 8, "2012-06-01", "2019-02-14", 2.0123, 1.7531, 2.3099, 0.96248, 1.9825),
    "blog_hw_flops: all":
        (lambda: of("blog_hw_flops"), 35, "1997-01-29", "2020-05-14", 3.1328, 2.6985, 3.6369, 0.88096, 1.214),
    "blog_interconnect_bw: all":
        (lambda: of("blog_interconnect_bw"), 8, "2003-01-01", "2020-06-22", 1.427, 1.3603, 1.4969, 0.98218, 3.8991),
    "paper_hw_flops: all":
        (lambda: of("paper_hw_flops"), 37, "1997-01-29", "2022-09-20", 3.0257, 2.6823, 3.4131, 0.90864, 1.2521),
    "paper_dram_bw: all":
        (lambda: of("paper_dram_bw"), 12, "2003-10-01", "2022-03-22", 1.5915, 1.4473, 1.7501, 0.92238, 2.9833),
    "paper_interconnect_bw: all":
        (lambda: of("paper_interconnect_bw"), 10, "2003-01-01", "2022-09-20", 1.4151, 1.3408, 1.4934, 0.965, 3.993),
    "blog_hw_flops: 2003 onward":
        (lambda: of("blog_hw_flops", since="2003-01-01"), 32, "2006-07-18", "2020-05-14", 3.0442, 2.4299, 3.8139, 0.77223, 1.2453),
    "blog_hw_flops: CPUs only":
        (lambda: of("blog_hw_flops", group("CPU")), 12, "1997-01-29", "2016-01-01", 2.555, 2.2758, 2.8685, 0.97025, 1.4778),
    "blog_hw_flops: GPUs+TPUs only":
        (lambda: of("blog_hw_flops", group("NVIDIA", "AMD", "TPU")), 21, "2007-04-17", "2020-05-14", 2.8566, 2.3454, 3.4793, 0.86725, 1.3207),
    "blog_hw_flops: labelled points only":
        (lambda: of("blog_hw_flops", lambda p: p.identified), 9, "1997-01-29", "2020-05-14", 3.5053, 3.0577, 4.0185, 0.98537, 1.1052),
    "paper_hw_flops: 2003 onward":
        (lambda: of("paper_hw_flops", since="2003-01-01"), 34, "2006-07-18", "2022-09-20", 2.9071, 2.4533, 3.4449, 0.83744, 1.2991),
    "paper_hw_flops: CPUs only":
        (lambda: of("paper_hw_flops", group("CPU")), 12, "1997-01-29", "2016-01-01", 2.555, 2.2758, 2.8685, 0.97025, 1.4778),
    "paper_dram_bw: HBM devices only":
        (lambda: of("paper_dram_bw", group("HBM")), 6, "2015-07-10", "2022-03-22", 1.4919, 1.3923, 1.5986, 0.98475, 3.4652),
    "paper_dram_bw: GDDR devices only":
        (lambda: of("paper_dram_bw", group("GDDR")), 6, "2003-10-01", "2020-09-01", 1.4846, 1.2818, 1.7196, 0.93305, 3.5082),
    "blog_dram_bw: 2003 onward":
        (lambda: of("blog_dram_bw", since="2003-01-01"), 9, "2003-06-01", "2020-09-01", 1.3855, 1.2314, 1.5589, 0.85938, 4.2516),
    "paper_interconnect_bw: PCIe only":
        (lambda: of("paper_interconnect_bw", group("PCIe")), 6, "2003-01-01", "2022-01-01", 1.3762, 1.2836, 1.4756, 0.97587, 4.3409),
    "paper_interconnect_bw: NVLink only":
        (lambda: of("paper_interconnect_bw", group("NVLink")), 4, "2016-04-05", "2022-09-20", 1.6425, 1.434, 1.8811, 0.99199, 2.7939),
    "rpelke_flops_fastest: all chips":
        (lambda: of("rpelke_flops_fastest"), 35, "2007-05-02", "2025-10-10", 2.9059, 2.6314, 3.209, 0.93592, 1.2995),
    "rpelke_flops_fp32: all chips":
        (lambda: of("rpelke_flops_fp32"), 29, "2007-05-02", "2025-10-10", 1.8607, 1.7758, 1.9497, 0.96527, 2.2325),
    "rpelke_bw: all chips":
        (lambda: of("rpelke_bw"), 35, "2007-05-02", "2025-10-10", 1.5843, 1.4986, 1.6749, 0.89639, 3.0128),
}  # fmt: skip
GROWING: dict[str, tuple[Callable[[], Iterable[Point]], float, float]] = {
    # points as Epoch AI lists them today, 95 % interval of the growth per two years when first read
    "Epoch AI hardware, FP32: all":
        (lambda: listed("fp32_flop_per_s"), 1.5477, 1.7608),
    "Epoch AI hardware, FP32: NVIDIA":
        (lambda: listed("fp32_flop_per_s", "NVIDIA"), 1.6163, 1.8021),
    "Epoch AI hardware, FP16 (non-tensor): all":
        (lambda: listed("fp16_flop_per_s"), 2.5557, 4.0538),
    "Epoch AI hardware, FP16 (non-tensor): NVIDIA":
        (lambda: listed("fp16_flop_per_s", "NVIDIA"), 2.401, 4.8212),
    "Epoch AI hardware, Tensor FP16/BF16: all":
        (lambda: listed("tensor_fp16_flop_per_s"), 1.5528, 2.0666),
    "Epoch AI hardware, Tensor FP16/BF16: NVIDIA":
        (lambda: listed("tensor_fp16_flop_per_s", "NVIDIA"), 1.445, 2.0992),
    "Epoch AI hardware, FP8: all":
        (lambda: listed("fp8_flop_per_s"), 1.4285, 4.891),
    "Epoch AI hardware, FP8: NVIDIA":
        (lambda: listed("fp8_flop_per_s", "NVIDIA"), 0.77798, 6.42),
    "Epoch AI hardware, memory: all":
        (lambda: listed("memory_bytes"), 1.4381, 1.7582),
    "Epoch AI hardware, memory: NVIDIA":
        (lambda: listed("memory_bytes", "NVIDIA"), 1.5217, 1.7738),
    "Epoch AI hardware, bandwidth: all":
        (lambda: listed("memory_bytes_per_s"), 1.4991, 1.7723),
    "Epoch AI hardware, bandwidth: NVIDIA":
        (lambda: listed("memory_bytes_per_s", "NVIDIA"), 1.4244, 1.6607),
    "Epoch AI hardware, intranode bw: all":
        (lambda: listed("interconnect_bytes_per_s"), 1.2986, 2.2649),
    "Epoch AI hardware, intranode bw: NVIDIA":
        (lambda: listed("interconnect_bytes_per_s", "NVIDIA"), 1.2706, 2.6193),
    "Epoch AI models, compute: all notable 2018-2021":
        (lambda: notable("training_flop", 2018, 2021), 33.606, 283.06),
    "Epoch AI models, compute: all notable 2018-2026":
        (lambda: notable("training_flop", 2018, 2026), 27.152, 55.759),
    "Epoch AI models, compute: all notable 2020-2026":
        (lambda: notable("training_flop", 2020, 2026), 19.586, 51.864),
    "Epoch AI models, compute: all notable 2022-2026":
        (lambda: notable("training_flop", 2022, 2026), 23.456, 115.95),
    "Epoch AI models, parameters: all notable 2018-2021":
        (lambda: notable("parameters", 2018, 2021), 4.3631, 16.18),
    "Epoch AI models, parameters: all notable 2018-2026":
        (lambda: notable("parameters", 2018, 2026), 6.5805, 10.098),
    "Epoch AI models, parameters: all notable 2020-2026":
        (lambda: notable("parameters", 2020, 2026), 6.6742, 12.382),
    "Epoch AI models, parameters: all notable 2022-2026":
        (lambda: notable("parameters", 2022, 2026), 5.414, 14.259),
    "Epoch AI models, compute: language 2010-2026":
        (lambda: notable("training_flop", 2010, 2026, domain="language"), 24.887, 43.384),
    "Epoch AI models, compute: language 2018-2026":
        (lambda: notable("training_flop", 2018, 2026, domain="language"), 33.413, 71.521),
    "Epoch AI models, compute: language 2022-2026":
        (lambda: notable("training_flop", 2022, 2026, domain="language"), 10.979, 51.555),
    "Epoch AI models, parameters: language 2010-2026":
        (lambda: notable("parameters", 2010, 2026, domain="language"), 4.6276, 6.2838),
    "Epoch AI models, parameters: language 2018-2026":
        (lambda: notable("parameters", 2018, 2026, domain="language"), 6.4228, 9.6738),
    "Epoch AI models, parameters: language 2022-2026":
        (lambda: notable("parameters", 2022, 2026, domain="language"), 3.8294, 8.9216),
    "Epoch AI models, compute: frontier flag 2020-2026":
        (lambda: notable("training_flop", 2020, 2026, frontier=True), 14.372, 31.391),
    "Epoch AI models, compute: frontier flag 2022-2026":
        (lambda: notable("training_flop", 2022, 2026, frontier=True), 9.004, 43.44),
    "Epoch AI models, parameters: frontier flag 2020-2026":
        (lambda: notable("parameters", 2020, 2026, frontier=True), 2.3872, 10.394),
    "Epoch AI models, parameters: frontier flag 2022-2026":
        (lambda: notable("parameters", 2022, 2026, frontier=True), 0.81767, 6.325),
}  # fmt: skip


@pytest.mark.parametrize("name", REFITS)
def test_refits_are_the_reference_ones(name: str) -> None:
    """A line through all points, or through some, has the multiplier, interval, R squared and doubling time computed apart."""
    points, n, first, last, multiplier, low, high, r_squared, doubling_years = REFITS[name]
    trend = fit(points())
    assert (trend.n, trend.first.isoformat(), trend.last.isoformat()) == (n, first, last)
    assert trend.multiplier(2) == pytest.approx(multiplier, rel=0.005)
    assert trend.multiplier_interval(2) == pytest.approx((low, high), rel=0.02)
    assert trend.r_squared == pytest.approx(r_squared, abs=0.0005)
    assert trend.doubling_years == pytest.approx(doubling_years, rel=0.005)


@pytest.mark.parametrize("name", GROWING)
def test_refits_of_growing_collections(name: str) -> None:
    """A collection that grows keeps an interval that overlaps the one when first read, and scipy draws the same line through its points."""
    points, low, high = GROWING[name]
    found = list(points())
    trend = fit(found)
    lowest, highest = trend.multiplier_interval(2)
    assert lowest <= high
    assert low <= highest
    theirs = linregress([years(point.date) for point in found], np.log10([point.value for point in found]))
    assert trend.slope_log10_per_year == pytest.approx(theirs.slope, rel=1e-6)
    assert trend.r_squared == pytest.approx(theirs.rvalue**2, rel=1e-6)


# Comparisons


@pytest.mark.parametrize(("name", "expected"), [("blog_hw_flops_20y", 68_353), ("paper_hw_flops_20y", 43_114)])
def test_twenty_years_shrink_in_the_window_of_the_others(name: str, expected: float) -> None:
    """From 2003 on, where the other two series start, compute grew 68,353 and 43,114 times in twenty years, not 90,000 and 60,000."""
    assert wallviz.claim(name, since="2003-01-01").refit_multiplier == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("claim", ["blog_compute_transformer", "paper_compute_transformer"])
def test_one_model_carries_much_of_the_compute(claim: str) -> None:
    """Without GPT-3, training compute of Transformers grew 403 times per two years instead of 755."""
    assert wallviz.claim(claim, exclude="GPT-3").refit_multiplier == pytest.approx(403, rel=0.005)


def test_flagships_at_one_precision() -> None:
    """NVIDIA's eight 16-bit flagships gained 2.08 times the compute and 1.75 times the bandwidth per two years: 1.19 FLOP per byte."""
    compute = catalog.chip_points("peak_compute", "fp16", where=lambda chip: chip.flagship)
    bandwidth = catalog.chip_points("memory_bandwidth", where=lambda chip: chip.flagship)
    assert [point.id for point in compute] == [point.id for point in bandwidth]
    assert len(compute) == 8
    faster, slower = fit(compute), fit(bandwidth)
    assert 2.07 <= faster.multiplier(2) <= 2.08
    assert slower.multiplier(2) == pytest.approx(1.75, abs=0.005)
    assert wallviz.divergence(faster, slower, 2.0).ratio == pytest.approx(1.19, abs=0.005)


def test_links_of_one_device() -> None:
    """From PCIe 1 with 16 lanes to all links of NVLink 4, one device's link grew 112 times in 19 years; one lane grew 40 times."""
    first, *_, last = catalog.points("hardware_scaling", "2023", "interconnect_bandwidth", "value_device")
    assert last.value / first.value == pytest.approx(112, abs=0.6)
    lanes = catalog.claims()["paper_interconnect_bw"].points
    assert lanes[-1].value / lanes[0].value == pytest.approx(40)
