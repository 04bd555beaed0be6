"""The hierarchy: times at each level, what fits, energy, growth by generation, and the curve of 1995."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

import wallviz
from wallviz import catalog
from wallviz.cli import app
from wallviz.engine import growth
from wallviz.engine.hardware import Link, MemoryLevel
from wallviz.engine.hierarchy import energy, latency, size
from wallviz.engine.hierarchy.ladder import Machine, half_performance_bytes, ladder, move_s, place
from wallviz.engine.hierarchy.latency import WULF_MCKEE_1995
from wallviz.engine.hierarchy.machines import MACHINES, with_chips
from wallviz.errors import InputError
from wallviz.job import Job
from wallviz.rooms import hierarchy as answers
from wallviz.rooms.hierarchy import View, choices, generations, times
from wallviz.rooms.hierarchy import energy as energy_answers

GIB = 2.0**30


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one call."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


# -- time --------------------------------------------------------------------------------------------------------------------------


def test_the_pages_own_sentence_holds() -> None:
    """1 GiB takes 0.32 ms from HBM3, 2.4 ms over NVLink, 17 ms over PCIe 5."""
    found = answers.answer(Job(), View(size="1 GiB"))
    assert found.sentence.replace("\u202f", " ") == "1 GiB takes 0.32 ms from HBM3, 2.4 ms over NVLink 4, 17 ms over PCIe 5."


def test_the_first_size_is_the_cases_own() -> None:
    """What is asked about is what one token of the case reads, so that the levels answer for the reader's own model."""
    said = answers.answer(Job(), View()).sentence.replace("\u202f", " ")
    assert said == "16.1 GB (one token of Llama 3.1 8B) takes 4.8 ms from HBM3, 36 ms over NVLink 4, 255 ms over PCIe 5."
    assert "one pass over" in answers.answer(Job(job="train"), View()).sentence


@pytest.mark.parametrize("size", ["token", "model", "kv"])
def test_no_name_makes_the_sentence_too_long(size: str) -> None:
    """The model with the longest name on every machine: at most 25 words."""
    longest = max(catalog.presets(), key=lambda id: len(catalog.presets()[id].name.split()))
    for machine in MACHINES:
        assert len(answers.answer(Job(model=longest), View(machine=machine, size=size)).sentence.split()) <= 25


def test_a_token_reads_weights_and_cache() -> None:
    """What one token reads is what the roofline's decoding step moves: weights, and a KV cache that grows with the context."""
    short, long = (choices.size_bytes(Job(context=context), "token") for context in (8192, 131_072))
    assert 15e9 < short < 17e9
    assert long - short == pytest.approx((131_072 - 8192) * 131_072, rel=0.01)


def test_the_highest_rate_of_one_kind_comes_first() -> None:
    """Of two tools that read one cache the faster one counts, and the other stands beside it."""
    (level,) = [rung for rung in wallviz.hierarchy("H100", basis="measured").rungs if rung.name == "L2"]
    assert [reading.bytes_per_s for reading in level.readings] == [5.5e12, 4.863e12]
    assert level.measured_bytes_per_s == 5.5e12


def test_a_b200_shows_what_was_announced_and_what_its_data_sheet_says() -> None:
    """8 TB/s and 7.7 TB/s stand beside each other, with the reason."""
    (memory,) = [rung for rung in wallviz.hierarchy("B200").rungs if rung.transfer == "memory"]
    assert memory.bytes_per_s == 8e12
    assert 7.7e12 in {reading.bytes_per_s for reading in memory.readings}
    assert any("7.7 TB/s" in note for note in memory.notes)


def test_promised_and_measured_stand_in_columns() -> None:
    """What a link promises and what somebody measured of it stand beside each other in the table, not in prose."""
    rows = {row["level"]: row for row in times.rung_table(wallviz.hierarchy("H100"))}
    assert (rows["NVLink 4"]["promised (B/s)"], rows["NVLink 4"]["measured (B/s)"]) == (450e9, 376e9)


def test_an_h200_has_the_levels_of_its_die() -> None:
    """Registers, shared memory and L1 of the H200 are those of the H100, whose die it has, and are said to be derived."""
    kinds = {rung.name: rung.kind for rung in wallviz.hierarchy("H200").rungs}
    assert {kinds[name] for name in ("registers", "shared memory", "L1")} == {"derived"}


@pytest.mark.parametrize(
    ("machine", "rung", "milliseconds"),
    [
        ("H100", "hbm3", 0.3210),
        ("H100", "nvlink-4", 2.386),
        ("H100", "pcie-5.0-x16", 17.04),
        ("B200", "nvlink-5", 1.193),
        ("A100", "pcie-4.0-x16", 34.09),
    ],
)
def test_a_gigabyte_at_each_level(machine: str, rung: str, milliseconds: float) -> None:
    """The time of one GiB is its latency and its bytes over the level's bandwidth."""
    time = wallviz.hierarchy(machine, "1 GiB").times_s[rung]
    assert time is not None
    assert time * 1e3 == pytest.approx(milliseconds, rel=1e-3)


def test_time_works_on_arrays() -> None:
    """A sweep of sizes is one call."""
    sizes = np.array([64.0, 2.0**20, GIB])
    assert np.allclose(move_s(sizes, 3.35e12, 436.4e-9), [436.4e-9 + s / 3.35e12 for s in sizes])


def test_half_of_the_bandwidth_is_reached_where_latency_equals_transfer() -> None:
    """At latency x bandwidth bytes, half of the time is latency."""
    half = half_performance_bytes(3.35e12, 436.4e-9)
    assert move_s(half, 3.35e12, 436.4e-9) == pytest.approx(2 * 436.4e-9)


@pytest.mark.parametrize("machine", MACHINES)
def test_rungs_stand_in_order_and_say_what_is_missing(machine: str) -> None:
    """Every machine's rungs go outwards, time what has a bandwidth, and name what no source says."""
    found = wallviz.hierarchy(machine)
    assert found.rungs
    assert all(a.order < b.order for a, b in pairwise(found.rungs))
    for rung in found.rungs:
        assert (rung.time_s(GIB) is None) == ("bandwidth" in rung.missing)
        assert ("latency" in rung.missing) == (rung.latency_s is None)


def test_every_chip_has_a_ladder() -> None:
    """A chip outside of the drawn machines gets what its data sheet says."""
    for id in with_chips(catalog.chips()):
        assert wallviz.hierarchy(id).as_dict()["machine"] == id


def test_what_fits_is_a_matter_of_capacity() -> None:
    """A size fits first into the nearest level that holds it; links hold nothing."""
    assert wallviz.hierarchy("H100", "1 GiB").nearest_home.name == "HBM3"  # type: ignore[union-attr]
    assert wallviz.hierarchy("H100", "40 MB").nearest_home.name == "L2"  # type: ignore[union-attr]
    assert wallviz.hierarchy("H100", "1 PB").nearest_home is None
    nvlink = next(r for r in wallviz.hierarchy("H100").rungs if r.name.startswith("NVLink"))
    assert nvlink.holds(1) is None


def test_sources_that_disagree_are_both_kept() -> None:
    """Two measurements of the H100's L2 stand beside each other."""
    rates = [r.bytes_per_s for rung in wallviz.hierarchy("H100").rungs if rung.name == "L2" for r in rung.readings]
    assert {4.863e12, 5.5e12} <= set(rates)


def test_measured_rates_count_where_they_are_asked_for() -> None:
    """An H200's memory is promised 4.8 TB/s and was measured at 3.534."""
    peak, seen = (next(r for r in wallviz.hierarchy("H200", basis=b).rungs if r.transfer == "memory") for b in ("peak", "measured"))
    assert (peak.bytes_per_s, seen.bytes_per_s) == (4.8e12, 3.534e12)
    assert (peak.kind, seen.kind) == ("vendor", "measured")


def test_a_measured_rate_is_never_above_what_is_promised() -> None:
    """No measured memory bandwidth exceeds its data sheet by more than rounding."""
    for machine in MACHINES:
        for rung in wallviz.hierarchy(machine).rungs:
            promised = [r.bytes_per_s for r in rung.readings if r.kind == "vendor"]
            seen = [r.bytes_per_s for r in rung.readings if r.kind == "measured"]
            if promised and seen and rung.transfer == "memory":
                assert max(seen) <= max(promised) * 1.01, (machine, rung.name)


def test_rows_of_one_rung_merge() -> None:
    """Latency of one row, bandwidth of another and the name of the data sheet become one rung."""
    rows = [
        MemoryLevel("a", "dev", "L2", "on chip", latency_s=1e-7, kind="measured", source="x"),
        MemoryLevel("b", "dev", "L2", "on chip", bytes_per_s=5e12, kind="measured", source="y"),
        MemoryLevel("c", "other", "L2", "on chip", bytes_per_s=1e12, kind="measured", source="z"),
    ]
    link = Link("l", "NVLink", "4", 2022, 450e9, 900e9, "GPU", source="w")
    found = ladder(Machine("m", "M", ("dev",), links=(("NVLink", "4"),)), GIB, rows, [link], {})
    assert [(r.name, r.latency_s, r.bytes_per_s, r.sources) for r in found.rungs] == [
        ("L2", 1e-7, 5e12, ("x", "y")),
        ("NVLink 4", None, 450e9, ("w",)),
    ]


def test_levels_have_their_transfer() -> None:
    """The three transfers of the source article are told apart: on-chip memory, DRAM, sockets."""
    assert [place(name)[0] for name in ("registers", "L2", "HBM3e", "UPI 16", "NVLink 5", "PCIe 5.0", "InfiniBand", "NVMe SSD")] == [
        "chip", "chip", "memory", "peers", "peers", "peers", "machines", "storage",
    ]  # fmt: skip
    shown = {rung.transfer for rung in wallviz.hierarchy("H100").rungs}
    assert {"chip", "memory", "peers", "machines", "storage"} == shown


def test_links_are_one_way() -> None:
    """NVLink 4 counts as 450 GB/s, not as 900."""
    assert next(r for r in wallviz.hierarchy("H100").rungs if r.name == "NVLink 4").bytes_per_s == 450e9


# -- sizes -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("1", 1),
        ("64 B", 64),
        ("1kB", 1e3),
        ("1 KiB", 1024),
        ("1GiB", 2**30),
        ("1 gb", 1e9),
        ("2e9", 2e9),
        ("1.5 TB", 1.5e12),
        ("1,048,576", 2**20),
        ("６４　ｋＢ", 64e3),
    ],
)
def test_sizes_are_read_as_typed(text: str, bytes_: float) -> None:
    """Binary and decimal prefixes are told apart; case, spaces and width do not matter."""
    assert size.parse(text) == bytes_


@pytest.mark.parametrize(
    "text", ["", "GiB", "1 Gb", "1 Gbit", "-1 GB", "0", "0.5", "nan", "inf", "1e99", "1 GB GB", "١ GB", "9" * 99, "<b>1</b>", "1;drop"]
)
def test_what_is_no_size_gets_a_sentence(text: str) -> None:
    """Bits, nothing, nonsense and too much are refused with a sentence that says what to write."""
    with pytest.raises(InputError):
        size.parse(text)
    found = answers.answer(Job(), View(size=text))
    assert found.drawing is None
    assert found.sentence


@pytest.mark.parametrize("value", [1.0, 1e3, 2.0**20, 2.0**30, 16e9, 16_060_522_496.0, 1e15])
def test_a_written_size_reads_back(value: float) -> None:
    """What is written is within a rounding of what was meant."""
    assert size.parse(size.written(value).replace("\u202f", " ")) == pytest.approx(value, rel=5e-3)


def test_the_cases_own_sizes() -> None:
    """The weights of an 8B model in 16 bits are 16.06 GB, its cache of 8,192 tokens one GiB."""
    assert choices.size_bytes(Job(), "model") == pytest.approx(16.06e9, rel=1e-3)
    assert choices.size_bytes(Job(), "kv") == GIB


# -- energy ------------------------------------------------------------------------------------------------------------------------


def test_horowitz_ratios() -> None:
    """A DRAM read of 64 bits costs 130 to 260 small SRAM reads and 351 to 703 multiplications of 32-bit floats."""
    low, high = energy.READ_64_BIT_J["DRAM low"], energy.READ_64_BIT_J["DRAM high"]
    assert (low / energy.READ_64_BIT_J["SRAM 8 KB"], high / energy.READ_64_BIT_J["SRAM 8 KB"]) == pytest.approx((130, 260))
    assert [round(v / energy.OPERATION_J["fp32 multiply"]) for v in (low, high)] == [351, 703]


def test_the_model_agrees_with_the_table_of_levels() -> None:
    """The catalogue's 45 nm rows are the model's own numbers, per byte."""
    rows = {level.level: level for level in catalog.levels().values() if level.device == "45 nm, 0.9 V"}
    for name in ("SRAM 8 KB", "SRAM 32 KB", "SRAM 1 MB"):
        assert rows[name].energy_j_per_byte == pytest.approx(energy.read_j_per_byte(name))
    assert rows["32-bit add"].energy_j_per_operation == energy.OPERATION_J["fp32 add"]
    assert rows["32-bit multiply"].energy_j_per_operation == energy.OPERATION_J["fp32 multiply"]


def test_the_share_of_movement() -> None:
    """It is all at intensity zero, half at the energy balance, and falls with intensity."""
    balance = energy.energy_balance_flop_per_byte(48e-12, 0.71e-12)
    assert energy.share_moved(0.0, 48e-12, 0.71e-12) == 1
    assert energy.share_moved(balance, 48e-12, 0.71e-12) == pytest.approx(0.5)
    shares = energy.share_moved(np.array([1.0, 10.0, 100.0]), 48e-12, 0.71e-12)
    assert list(shares) == sorted(shares, reverse=True)


def test_decoding_moves_and_training_computes() -> None:
    """Decoding at batch 1 spends nearly all of its energy on bytes; a large batch and training spend less."""
    one, many, train = (energy_answers.budget(case).moved for case in (Job(), Job(batch=256, context=1024), Job(job="train", batch=4)))
    assert one > 0.97
    assert train < many < one


# -- growth by generation ----------------------------------------------------------------------------------------------------------


def test_every_family_is_fitted_with_the_growth_pages_own_fit() -> None:
    """PCIe doubled about every four years from 2003, as its generations say, and every family grew slower than compute."""
    found = {family.id: fitted for family, fitted in generations._ordered()}
    pcie = generations.every()["PCIe"]
    assert found["PCIe"] == growth.fit(pcie.points)
    assert 3.4 < found["PCIe"].doubling_years < 4.3
    assert all(fitted.multiplier(2) < found["compute"].multiplier(2) for id, fitted in found.items() if id != "compute")
    assert {"DDR", "GDDR", "HBM", "PCIe", "NVLink", "InfiniBand", "Ethernet", "QPI and UPI"} <= found.keys()


def test_announced_generations_are_not_fitted() -> None:
    """PCIe 8.0 is drawn from no fit: its points end before it."""
    pcie = generations.every()["PCIe"]
    assert any(point.name == "PCIe 8.0" for point in pcie.announced)
    assert all(point.date.year <= 2026 for family in generations.every().values() for point in family.points)


# -- the curve of 1995 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "printed", "off"), [(2000, 1.52, 0.01), (2005, 8.25, 0.005), (2010, 98.8, 0.05)])
def test_wulf_and_mckees_numbers(year: int, printed: float, off: float) -> None:
    """The paper's average access times follow from its formula and its rates (its first number is cut, not rounded)."""
    assert abs(latency.average_cycles(float(year)) - printed) <= off


def test_the_wall_comes_within_a_decade() -> None:
    """With the paper's rates an average access costs five instructions before 2005."""
    wall = latency.wall_year()
    assert wall is not None
    assert 1995 < wall < 2005
    assert latency.average_cycles(wall) == pytest.approx(5.0)


def test_the_readers_rates_move_the_wall() -> None:
    """More misses or faster processors bring it nearer; equal growth or a perfect cache never reach it."""
    first = latency.wall_year() or 0.0
    assert (latency.wall_year(replace(WULF_MCKEE_1995, miss_rate=0.02)) or 0) < first
    assert (latency.wall_year(replace(WULF_MCKEE_1995, processor_growth=0.5)) or 0) > first
    assert latency.wall_year(replace(WULF_MCKEE_1995, processor_growth=0.07)) is None
    assert latency.wall_year(replace(WULF_MCKEE_1995, miss_rate=0.0)) is None
    assert latency.wall_year(replace(WULF_MCKEE_1995, miss_rate=1.0, miss_cycles=4.0, instructions_per_access=4.0)) == 1995


def test_impossible_assumptions_are_refused() -> None:
    """A miss rate above one is a sentence, not a number."""
    with pytest.raises(InputError, match="miss rate"):
        replace(WULF_MCKEE_1995, miss_rate=1.5)


def test_measured_processors_stand_beside_the_curve() -> None:
    """A DRAM access costs about a hundred hits in the first cache on every processor that was timed, not millions."""
    from wallviz.rooms.hierarchy.latency import measured

    ratios = [memory.latency_s / cache.latency_s for _name, _year, cache, memory in measured()]  # type: ignore[operator]
    assert len(ratios) >= 3
    assert all(80 < ratio < 130 for ratio in ratios)


# -- answers and command line ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", choices.FIGURES)
@pytest.mark.parametrize("scale", choices.SCALES)
def test_every_figure_draws(show: str, scale: str) -> None:
    """Each figure is one that plotly accepts, with its sentence in 25 words, its explanation, its rows and its sources."""
    found = answers.answer(Job(), View(show=show, scale=scale))
    assert found.figure is not None
    assert len(found.sentence.split()) <= 25
    assert found.why
    assert found.how_sure
    assert found.table
    assert found.sources
    assert all(source in catalog.sources() for source in found.sources)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("show", ["ladder", "human", "machines"])
def test_every_machine_answers(machine: str, show: str) -> None:
    """Whatever the machine and a size from a byte to a petabyte, there is a sentence and a figure."""
    for text in ("1 B", "1 GiB", "1 PB"):
        found = answers.answer(Job(), View(machine=machine, show=show, size=text))
        assert found.figure is not None
        assert len(found.sentence.split()) <= 25


#: The plot in pixels and a letter in it, on a laptop and on a phone.
PLOTS = {"laptop": (640, 7.6), "phone": (322, 6.3)}


@pytest.mark.parametrize("width", PLOTS)
@pytest.mark.parametrize("scale", choices.SCALES)
@pytest.mark.parametrize("show", ["ladder", "human", "energy"])
@pytest.mark.parametrize("machine", ["h100", "h200"])
def test_the_words_at_a_bars_end_have_room(machine: str, show: str, scale: str, width: str) -> None:
    """Behind the end of every bar the axis goes on for as long as its words are, to three fifths of the plot, and no further than one needs."""
    found = answers.answer(Job(), View(machine=machine, show=show, scale=scale)).figure
    assert found is not None
    axis, narrow = found.layout.xaxis, found.layout.meta["narrow"]
    start, end = axis.range if width == "laptop" else narrow["xaxis.range"]
    plot, letter = PLOTS[width]
    words = {note.y: note for note in found.layout.annotations if note.xref == "x" and note.xanchor == "left"}
    furthest = {y: max(x for trace in found.data for x, at in zip(trace.x, trace.y, strict=True) if at == y and x is not None) for y in words}
    assert len(words) > 5
    assert {y: note.x for y, note in words.items()} == pytest.approx({y: np.log10(x) if scale == "log" else x for y, x in furthest.items()})
    spare = [(end - note.x) / (end - start) - min(0.6, (note.xshift + len(note.text) * letter) / plot) for note in words.values()]
    assert 0 <= min(spare) < 0.05


def test_a_time_without_its_latency_says_so() -> None:
    """Where nobody published a link's latency, a short transfer is never shown as if it took no time."""
    assert "+ latency over NVLink" in answers.answer(Job(), View(size="64 B")).sentence


def test_the_table_has_what_no_source_says_as_empty_cells() -> None:
    """A missing cell is missing, never zero."""
    rows = times.rung_table(wallviz.hierarchy("B200"))
    level = next(row for row in rows if row["level"] == "L2")
    assert level["bandwidth (B/s)"] is None
    assert level["time (s)"] is None


def test_the_command_line_gives_every_number() -> None:
    """``hierarchy MACHINE --size --json`` is one object in base units, with a reason where a number is missing."""
    code, out, _err = run("hierarchy", "H100", "--size", "1GiB", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["size_bytes"] == 2**30
    rungs = {rung["level"]: rung for rung in found["rungs"]}
    assert rungs["HBM3"]["fits"] is True
    assert rungs["L2"]["fits"] is False
    assert rungs["NVLink 4"]["latency_s"] is None
    assert "latency" in rungs["NVLink 4"]["reason"]
    assert run("hierarchy")[0] == 0
    assert "HBM3" in run("hierarchy", "H100")[1]


@pytest.mark.parametrize(
    "arguments", [["nope"], ["H100", "--size", "1 Gbit"], ["H100", "--basis", "guess"], ["--size", "1 GB"], ["H100", "--size", "-1"]], ids=" ".join
)
def test_bad_input_is_one_line(arguments: list[str]) -> None:
    """What cannot be answered exits with 2 and one line."""
    code, out, err = run("hierarchy", *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
