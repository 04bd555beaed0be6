"""Chips side by side: bounds of serving, the largest model in time, the reader's prices, export-limited parts, and the command."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import wallviz
from wallviz import catalog
from wallviz.cli import app
from wallviz.engine import rating
from wallviz.engine.rating import Work
from wallviz.errors import InputError
from wallviz.figures.axes import Axis
from wallviz.figures.plane import Dot, plane
from wallviz.job import Job
from wallviz.rooms import chips, roofline
from wallviz.rooms.chips.metrics import DEFAULT, METRICS, SHORTLISTS, View, compared, prices
from wallviz.rooms.chips.plane import equal_times
from wallviz.rooms.chips.table import READING_ORDER
from wallviz.rooms.footprint.need import estimate

LLAMA = "llama-3.1-8b"


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one call."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("bytes_per_weight", "tpot", "billions", "bound"),
    [(2, 0.05, 40.0, "memory"), (2, 0.01, 16.75, "tpot"), (0.5, 0.05, 120.78, "ttft")],
)
def test_the_largest_dense_model_of_an_h100(bytes_per_weight: float, tpot: float, billions: float, bound: str) -> None:
    """Memory, bandwidth or the prompt's arithmetic sets the limit, each by its own formula: 80 GB, 3.35 TB/s, 989.4 TFLOP/s."""
    found = rating.largest_dense(80e9, 3.35e12, 989.4e12, bytes_per_weight=bytes_per_weight, context=8192, ttft_s=2.0, tpot_s=tpot)
    assert found.parameters == pytest.approx(billions * 1e9, rel=1e-3)
    assert found.bound == bound


def test_the_largest_dense_model_sweeps() -> None:
    """Targets may be arrays, and a longer one never shrinks the model."""
    found = rating.largest_dense(80e9, 3.35e12, 989.4e12, bytes_per_weight=2, context=8192, ttft_s=2.0, tpot_s=np.linspace(0.001, 0.1, 50))
    assert np.all(np.diff(found.parameters) >= 0)


def test_serving_agrees_with_the_roofline() -> None:
    """A decoding step of Llama 3.1 8B on an H100 at 8,192 tokens is bound by bandwidth, at most 208 tokens/s."""
    found = rating.served(catalog.architecture(LLAMA), wallviz.chip("H100"), Work())
    assert round(found.tokens_per_s) == 208
    assert found.bound == "bandwidth"
    assert found.fits


def test_the_largest_model_in_time_fits_and_meets_both_targets() -> None:
    """What is named fits and is in time, and no larger model of the catalogue is."""
    work, chip = Work(tpot_s=0.01, ttft_s=0.5), wallviz.chip("H100")
    every = [(id, catalog.architecture(id)) for id in catalog.presets()]
    found = rating.largest_served(every, chip, work)
    assert found is not None
    id, served = found
    assert served.fits
    assert served.in_time(work)
    for other, arch in every:
        if arch.parameters > catalog.presets()[id].parameters:
            try:
                larger = rating.served(arch, chip, work)
            except InputError:
                continue
            assert not (larger.fits and larger.in_time(work)), other


def test_tighter_targets_never_allow_a_larger_model() -> None:
    """The largest model shrinks or stays as the time per token falls."""
    every = [(id, catalog.architecture(id)) for id in catalog.presets()]
    sizes = []
    for tpot in (0.1, 0.02, 0.005, 0.001):
        found = rating.largest_served(every, wallviz.chip("H200"), Work(tpot_s=tpot))
        sizes.append(catalog.presets()[found[0]].parameters if found else 0)
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9, float("nan")])
def test_impossible_targets_are_refused(seconds: float) -> None:
    """A target has to be a time that somebody waits."""
    with pytest.raises(InputError, match="TPOT"):
        Work(tpot_s=seconds)


def test_per_watt_and_per_money() -> None:
    """Every ratio is the figure over watts or over the price, and missing where either is."""
    columns, problems = compared(Job(), View(prices="H100 25000"))
    assert not problems
    h100 = next(c for c in columns if c.chip.id == "h100-sxm5")
    view = View()
    assert METRICS["bandwidth_power"].value(h100, view) == pytest.approx(3.35e12 / 700)
    assert METRICS["memory_price"].value(h100, view) == pytest.approx(80 / 25)
    assert METRICS["bandwidth_price"].value(h100, view) == pytest.approx(3350 / 25)
    assert METRICS["peak_price"].value(h100, view) == pytest.approx(989.4 / 25)
    assert METRICS["joule"].value(h100, view) == pytest.approx(208 / 700, rel=2e-3)
    assert METRICS["memory_price"].value(next(c for c in columns if c.chip.id == "h20"), view) is None


def test_no_price_is_shipped() -> None:
    """Without a price of the reader's nothing is compared per unit of money, and the sentence asks for one."""
    found = chips.answer(Job(), View(show="memory_price"))
    assert found.drawing is None
    assert "pay" in found.sentence
    assert all(column.price is None for column in compared(Job(), View())[0])


@pytest.mark.parametrize("text", ["x y z", "H100", "H100 -5", "H100 0", "nope 5", "<b> 5", "H100 nan", ";;;", "1" * 500])
def test_bad_prices_get_a_sentence(text: str) -> None:
    """A price that cannot be read costs nothing else."""
    found, problems = prices(text)
    assert not found
    assert bool(problems) == (text != ";;;")
    assert chips.answer(Job(), View(prices=text)).drawing is not None


def test_prices_are_read_as_typed() -> None:
    """Separators, thousands and signs between name and number are all read."""
    assert prices("H100 = 25,000; H20: 12000.5\nB200 40000")[0] == {"h100-sxm5": 25000.0, "h20": 12000.5, "b200-sxm": 40000.0}


def test_export_limited_parts_and_ascend_are_there() -> None:
    """H20, H800 and the Ascends stand beside the H100; the H20 has the lowest ridge, the H800 half of the links."""
    ids = SHORTLISTS["export"][2]
    assert {"h20", "h800-sxm5", "ascend-910b", "ascend-910c"} <= set(ids)
    assert round(wallviz.chip("H20").ridge("bf16")) == 37  # type: ignore[arg-type]
    assert wallviz.chip("H800").interconnect_bytes_per_s == 200e9
    assert chips.answer(Job(), View(compare=ids)).figure is not None


def test_the_export_parts_of_the_a100_and_the_mi300x_are_there() -> None:
    """The A800 has two thirds of the A100's links; the MI308X has the MI300X's memory and no peak, because none is published."""
    assert wallviz.chip("A800").interconnect_bytes_per_s == 200e9
    assert wallviz.chip("A800").peak("fp16") == wallviz.chip("A100").peak("fp16")
    mi308x = wallviz.chip("MI308X")
    assert (mi308x.memory_bytes_per_s, mi308x.peak("fp16")) == (5.3e12, None)
    found = chips.answer(Job(), View(compare=("a800-sxm4-80gb", "instinct-mi308x")))
    assert found.figure is not None
    assert len(found.table) == 2


def test_the_readers_chip_that_cannot_hold_the_model_is_said_and_grey() -> None:
    """A 32B model does not fit an RTX 4090: the sentence begins with it, and its circle is grey."""
    found = chips.answer(Job(model="qwen3-32b", chip="geforce-rtx-4090"), View())
    assert found.sentence.startswith("RTX 4090 cannot hold Qwen3 32B")
    assert found.figure is not None
    (trace,) = [t for t in found.figure.data if t.mode == "markers+text"]
    colours = dict(zip([row[0] for row in trace.customdata], trace.marker.color, strict=True))
    assert colours["geforce-rtx-4090"] != colours["b200-sxm"]


def test_a_chip_that_may_not_hold_the_model_counts_as_one_that_does_not() -> None:
    """32B in 16 bits take 64 of an H100's 74.5 GiB, give or take 15 %: the sentence says so, and the chip is among no bests, as on every page."""
    case = Job(model="qwen3-32b")
    assert estimate(case).verdict == "likely"
    assert chips.answer(case, View()).sentence.startswith("H100 SXM5 may not hold Qwen3 32B")
    assert roofline.answer(case, roofline.View()).sure == "may not fit"


def test_what_all_weights_take_is_counted_once_a_layer() -> None:
    """Layers that are alike are counted once and multiplied: the sum is that over every tensor."""
    from wallviz.engine.memory import quantization

    for id in (LLAMA, "deepseek-v3", "gpt-oss-20b"):
        arch = catalog.architecture(id)
        for format in ("bf16", "mxfp4", "gguf:Q4_K_M"):
            assert rating.weights_bytes(arch, format) == sum(one.bytes for one in quantization.stored(arch, format))


def test_a_figure_of_one_source_is_drawn_open() -> None:
    """The H20, known from one source, is an open circle; the H100 is filled; the table stars the same cells."""
    figure = chips.answer(Job(), View()).figure
    assert figure is not None
    (trace,) = [t for t in figure.data if t.mode == "markers+text"]
    shapes = dict(zip([row[0] for row in trace.customdata], trace.marker.symbol, strict=True))
    assert (shapes["h100-sxm5"], shapes["h20"]) == ("circle", "circle-open")
    memory = next(row for row in chips.side_by_side(Job(), View()) if row[" "] == "Memory")
    assert (memory["H100 SXM5"], memory["H20"]) == ("80.0\u202fGB", "96.0\u202fGB *")


def test_a_model_that_does_not_fit_writes_nothing() -> None:
    """A 70B model in 16 bits does not fit an H100: it has no tokens per second there."""
    (column,) = compared(Job(model="llama-3.1-70b"), View(compare=("h100-sxm5",)))[0]
    assert column.served is not None
    assert column.served.fits is False
    assert METRICS["tokens"].value(column, View()) is None


@pytest.mark.parametrize("scale", ["log", "linear"])
@pytest.mark.parametrize("show", ["plane", *METRICS])
@pytest.mark.parametrize("shortlist", SHORTLISTS)
def test_every_comparison_answers(show: str, shortlist: str, scale: str) -> None:
    """Whatever is compared by whatever figure on either scale, there is a sentence of at most 25 words, its explanation and a full table."""
    view = View(show=show, scale=scale, compare=SHORTLISTS[shortlist][2], prices="H100 25000; RTX 4090 1600")
    found = chips.answer(Job(), view)
    assert len(found.sentence.split()) <= 25
    assert found.why
    assert found.how_sure
    assert len(found.table) == len(view.compare)
    if found.drawing is not None:
        assert found.figure is not None


@pytest.mark.parametrize(("log", "bytes_per_s"), [(True, 4.7e12), (False, 4e12)], ids=["log", "linear"])
def test_a_name_gives_way_to_a_line_of_equal_time(*, log: bool, bytes_per_s: float) -> None:
    """On either scale the name of a chip just below the line of 20 ms stands below its circle, and that of a chip alone above it."""
    dots = [
        Dot(x, y, "compute", (id, name), name=name, side="", size=34)
        for id, name, x, y in (("b", "B", 20e9, 9e12), ("a", "A name", 100e9, bytes_per_s))
    ]
    across, up = Axis("", str, log=log, room=0.14), Axis("", str, log=log, room=0.3)
    lines, _names = equal_times(across, up, [dot.x for dot in dots], [dot.y for dot in dots])
    drawn = plane(lines, [dots], across=across, up=up, revision="").data[-1]
    assert dict(zip((point[0] for point in drawn["customdata"]), drawn["textposition"], strict=True)) == {"a": "bottom center", "b": "top center"}


def test_unknown_chips_of_a_link_are_said() -> None:
    """A chip that does not exist costs nothing else."""
    found = chips.answer(Job(), View(compare=("h20", "no-such-chip")))
    assert len(found.table) == 1
    assert any("no-such-chip" in problem for problem in found.problems)
    assert chips.answer(Job(), View(compare=("no-such-chip",))).drawing is None


def test_every_id_of_the_lists_exists() -> None:
    """The lists to start from name chips of the catalogue."""
    assert not {id for _label, _help, ids in SHORTLISTS.values() for id in ids} - catalog.chips().keys()
    assert not set(DEFAULT) - catalog.chips().keys()


def test_every_metric_stands_in_the_table() -> None:
    """The table has a line for each metric, those of money once a price is typed."""
    assert set(READING_ORDER) == METRICS.keys()
    bare, priced = (len(chips.side_by_side(Job(), View(prices=text))) for text in ("", "H100 25000"))
    assert priced - bare == sum(metric.priced for metric in METRICS.values())


def test_only_dense_rates_are_compared() -> None:
    """The numbers of the sheets for sparse matrices are nowhere: an H100 has 989 and 1,979 TFLOP/s, a B200 2,250."""
    row = next(row for row in chips.rows(Job(), View()) if row["id"] == "h100-sxm5")
    assert row["fp16 (FLOP/s)"] == pytest.approx(989.4e12, rel=1e-3)
    assert row["fp8 (FLOP/s)"] == pytest.approx(1979e12, rel=1e-3)


def test_the_document_is_json() -> None:
    """The page's numbers are one JSON document in base units."""
    found = json.loads(chips.document(Job(), View()))
    assert found["chips"][0]["memory (B)"] == 80e9


# -- command line ------------------------------------------------------------------------------------------------------------------


def test_hardware_lists_shows_and_compares() -> None:
    """No name lists, one is an object, several are a list."""
    listed = json.loads(run("hardware", "--json")[1])
    assert len(listed) == len(catalog.chips())
    one = json.loads(run("hardware", "H100", "--json")[1])
    assert one["id"] == "h100-sxm5"
    assert one["memory_bytes"] == 80_000_000_000
    assert one["interconnect_bytes_per_s"] == 450e9
    assert one["largest_model"]["tpot_s"] <= 0.05
    two = json.loads(run("hardware", "H100", "H20", "--model", LLAMA, "--price", "H20=12000", "--json")[1])
    assert [chip["id"] for chip in two] == ["h100-sxm5", "h20"]
    assert two[1]["bytes_per_s_per_money"] == pytest.approx(4e12 / 12000)
    assert two[0]["bytes_per_s_per_money"] is None
    assert two[0]["tokens_per_joule"] == pytest.approx(two[0]["tokens_per_s"] / 700)
    assert "H20" in run("hardware", "H100", "H20")[1]


def test_a_chip_that_cannot_serve_gives_a_reason() -> None:
    """Where a figure is missing or the model does not fit, the rate is null with its reason."""
    found = json.loads(run("hardware", "H100", "--model", "llama-3.1-70b", "--json")[1])
    assert found["tokens_per_s"] is None
    assert found["reason"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-chip"],
        ["H100", "--price", "H100"],
        ["H100", "--price", "H100=-1"],
        ["H100", "--price", "H20=5"],
        ["H100", "--tpot", "0"],
        ["H100", "--batch", "0"],
        ["H100", "--model", "nope"],
        ["H100", "--model", LLAMA, "--weights", "fp3"],
        ["H100", "--weights", "fp3"],
        ["--model", LLAMA],
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line(arguments: list[str]) -> None:
    """What cannot be answered exits with 2 and one line."""
    code, out, err = run("hardware", *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1


def test_the_api_names_chips() -> None:
    """`wallviz.chip` finds by alias, `wallviz.chips` is the catalogue, and a work may be varied."""
    assert wallviz.chip("H100") is wallviz.chips()["h100-sxm5"]
    assert replace(Work(), batch=4).batch == 4
    with pytest.raises(InputError):
        wallviz.chip("nope")


def test_a_training_case_compares_training() -> None:
    """70B on 64 H200 is about training: tokens per second of one chip, and the states over all of them; no first token is waited for."""
    case = Job(model="llama-3.1-70b", job="train", chip="h200-sxm", chips=64, zero=3, context=2048)
    found = chips.answer(case, chips.View())
    assert found.sentence.startswith("H200 SXM trains at most")
    assert len(found.sentence.split()) <= 25
    rows = {row["id"]: row for row in chips.rows(case, chips.View())}
    ideal = 989.5e12 / (6 * catalog.presets()["llama-3.1-70b"].parameters)
    assert 0.7 * ideal < rows["h200-sxm"]["Tokens per second, at most"] < ideal
    assert rows["h200-sxm"]["First token after, at least"] is None
    assert "cannot hold" in chips.answer(Job(model="llama-3.1-70b", job="train", chip="h200-sxm"), chips.View()).sentence
