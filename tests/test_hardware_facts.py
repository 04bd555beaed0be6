"""Facts of chips, levels, links, cases and remedies: what circulates wrongly stays out, what ships says where it is from."""

from __future__ import annotations

import shutil
from math import isclose
from pathlib import Path

import pytest

from wallviz import catalog
from wallviz.catalog import HardwareCase
from wallviz.engine.hardware import Accelerator


def chip(name: str) -> Accelerator:
    """One chip by the name that people type."""
    return catalog.find(name, catalog.chips())


# ------------------------------------------------------------------------------------ wrong numbers in widely copied tables


@pytest.mark.parametrize(
    ("name", "precision", "dense"),
    [
        ("A100", "fp16", 312e12),
        ("H100", "fp16", 989.4e12),
        ("H100", "fp8", 1978.9e12),
        ("B200", "fp16", 2250e12),
        ("B200", "fp8", 4500e12),
        ("L40S", "fp16", 362e12),
        ("MI300X", "fp16", 1307.4e12),
    ],
)
def test_rates_are_dense(name: str, precision: str, dense: float) -> None:
    """NVIDIA's sheets print sparse rates first; the catalog holds the dense ones, half of them."""
    assert chip(name).peak(precision) == pytest.approx(dense, rel=2e-3)


def test_fp8_is_twice_fp16_on_dense_parts() -> None:
    """A dense FP8 rate is about twice the dense 16-bit one on every NVIDIA chip on sale: a sparse one would be four times."""
    sold = [item for item in catalog.chips().values() if item.vendor == "NVIDIA" and not item.announced]
    ratios = {item.id: item.fp8_flop_per_s / item.fp16_flop_per_s for item in sold if item.fp8_flop_per_s and item.fp16_flop_per_s}
    assert len(ratios) >= 10
    assert all(1.8 <= ratio <= 2.2 for ratio in ratios.values()), ratios


def test_links_say_one_way_or_both_ways() -> None:
    """Every link has both figures: both ways are twice one way, except where PCI and AGP share the wires."""
    for link in catalog.links().values():
        shared = link.family in ("PCI", "AGP")
        assert link.bytes_per_s_bidir == pytest.approx(link.bytes_per_s * (1 if shared else 2)), link.id


def test_mi300x_has_five_terabytes_a_second() -> None:
    """5.3 TB/s, not the 10.3 TB/s of a copied table."""
    assert chip("MI300X").memory_bytes_per_s == 5.3e12


@pytest.mark.parametrize("name", ["B200", "B300", "GB200", "GB300"])
def test_blackwell_is_the_whole_package(name: str) -> None:
    """Capacity, bandwidth and rates are those of both dies together."""
    part = chip(name)
    assert part.memory_bytes is not None
    assert part.memory_bytes >= 180e9
    assert part.memory_bytes_per_s == 8e12
    assert part.fp16_flop_per_s is not None
    assert part.fp16_flop_per_s >= 2.25e15


def test_half_rate_of_the_vector_units_is_not_taken_for_the_matrix_rate() -> None:
    """The 16-bit peak of V100, A100 and H100 is that of their matrix units, several times the 32-bit vector rate."""
    for name in ("V100", "A100", "H100", "MI300X"):
        part = chip(name)
        assert part.fp16_flop_per_s is not None
        assert part.fp32_flop_per_s is not None
        assert part.fp16_flop_per_s > 4 * part.fp32_flop_per_s


def test_p40_has_its_own_bandwidth() -> None:
    """347 GB/s, not twice as much."""
    assert chip("P40").memory_bytes_per_s == 347e9


def test_h800_has_its_double_precision_cut() -> None:
    """1 TFLOP/s in FP64 where the H100 has 34; other rates are kept."""
    assert chip("H800").fp64_flop_per_s == 1e12
    assert chip("H800").fp16_flop_per_s == pytest.approx(chip("H100").fp16_flop_per_s, rel=1e-3)


def test_a100_40gb_has_its_own_bandwidth() -> None:
    """1555 GB/s, not the 1935 of the 80 GB card; Epoch's PCIe row, which has the latter, is masked."""
    assert chip("A100 40GB").memory_bytes_per_s == 1555e9
    assert chip("A100 PCIe").memory_bytes_per_s == 1935e9
    assert "memory_bytes_per_s" not in catalog.listed_chips("epoch_ml_hardware_2026")["epoch-ml-hardware-2026/nvidia-a100-pcie"].values


def test_mi308x_is_masked() -> None:
    """The 10.3 TB/s that Epoch lists for the MI308X reach no figure, and no chip of ours has them."""
    assert "memory_bytes_per_s" not in catalog.listed_chips("epoch_ml_hardware_2026")["epoch-ml-hardware-2026/amd-radeon-instinct-mi308x"].values
    assert all(item.memory_bytes_per_s != 10.3e12 for item in catalog.chips().values())


@pytest.mark.parametrize("name", ["Dojo", "GroqChip"])
def test_sram_is_flagged_as_sram(name: str) -> None:
    """Dojo and Groq have SRAM on the chip and no memory beside it."""
    part = chip(name)
    assert part.memory_is_sram
    assert part.memory_bytes is None
    assert part.memory_bytes_per_s is None
    assert part.l2_or_sram_bytes


def test_gh200_is_dense() -> None:
    """989 TFLOP/s in 16 bits: the 1979 of a copied table are sparse, or FP8."""
    assert chip("GH200").fp16_flop_per_s == pytest.approx(989.5e12, rel=1e-3)


def test_geforce_rates_accumulate_in_16_bits() -> None:
    """Every GeForce with matrix units, and no workstation card, is flagged: its 16-bit and FP8 peaks are half of the printed ones, FP4's is not."""
    flagged = {item.name for item in catalog.chips().values() if item.fp16_accumulate}
    assert flagged == {item.name for item in catalog.chips().values() if item.name.startswith("GeForce RTX")}
    assert chip("RTX 4090").fp16_flop_per_s == 330.3e12
    assert chip("RTX 4090").peak("bf16") == chip("RTX 4090").peak("fp16") == 165.15e12
    assert chip("RTX 4090").peak("fp8") == 330.3e12
    assert chip("RTX 4090").peak("fp16", accumulate="fp16") == 330.3e12
    assert chip("RTX 5090").peak("fp4") == 1.676e15
    assert not chip("RTX 6000 Ada").fp16_accumulate


@pytest.mark.parametrize(
    ("name", "both_ways", "word"),
    [
        ("TPU v4", 600e9, "one direction"),
        ("TPU v5e", 400e9, "one direction"),
        ("TPU v5p", 1200e9, "one direction"),
        ("TPU v6e", 896e9, "one direction"),
        ("TPU v7", 1200e9, "both directions"),
    ],
)
def test_tpu_links_are_doubled_where_the_pages_give_one_way(name: str, both_ways: float, word: str) -> None:
    """Google's pages give one way up to v6e and both ways for v7: ours are both ways, and the note says what the page says."""
    assert chip(name).interconnect_bytes_per_s_bidir == both_ways
    assert word in chip(name).notes


def test_tpu_v6e_shows_both_origins() -> None:
    """The scaling book and Google's pages disagree on v6e: 360 and 448 GB/s one way, and both stand."""
    assert sorted(link.bytes_per_s for link in catalog.links().values() if link.generation == "TPU v6e") == [360e9, 448e9]


def test_p100_exists_with_two_capacities() -> None:
    """The SXM card has 16 GB, and the row says that a card with 12 GB exists."""
    assert chip("P100").memory_bytes == 16e9
    assert "12 GB" in chip("P100").notes


def test_v100_had_16_gb_at_launch() -> None:
    """The V100 of 2017 has 16 GB; 32 GB came on 27 March 2018."""
    assert (chip("V100").memory_bytes, chip("V100").release_date.year) == (16e9, 2017)
    assert (chip("V100 32GB").memory_bytes, chip("V100 32GB").release_date.isoformat()) == (32e9, "2018-03-27")


def test_b200_says_180_and_192() -> None:
    """B200 is listed at 180 and at 192 GB; the row has one and names both."""
    assert chip("B200").memory_bytes == 180e9
    assert "192 GB" in chip("B200").notes
    assert "180 GB" in chip("B200").notes


# -------------------------------------------------------------------------------------------------------------- ridges


@pytest.mark.parametrize(
    ("name", "precision", "ridge"),
    [
        ("V100", "fp16", 139),
        ("A100-80", "fp16", 153),
        ("H100", "fp16", 295),
        ("H200", "fp16", 206),
        ("B200", "fp16", 281),
        ("MI300X", "fp16", 247),
        ("TPU v6e", "fp16", 560),
        ("TPU v7", "fp16", 313),
        ("Trainium3", "fp16", 137),
        ("H20", "fp16", 37),
        ("Rubin", "fp16", 182),
        ("Rubin", "fp4", 1591),
    ],
)
def test_ridges(name: str, precision: str, ridge: float) -> None:
    """FLOP per byte at which compute and bandwidth balance, dense, to the digits that are quoted."""
    assert chip(name).ridge(precision) == pytest.approx(ridge, abs=0.51)


def test_ridge_falls_at_times() -> None:
    """It does not rise with every generation: H20, H200, B200 and Rubin lie below the H100."""
    h100 = chip("H100").ridge("fp16")
    assert h100 is not None
    assert all((chip(name).ridge("fp16") or h100) < h100 for name in ("H20", "H200", "B200", "Rubin"))


# ------------------------------------------------------------------------------------------------- levels, links, memories


def test_levels_say_where_they_come_from() -> None:
    """Every figure of every level is measured, derived, the vendor's or of a model, and disagreeing origins are two rows."""
    levels = catalog.levels()
    assert len(levels) == catalog.tables()["levels"].rows
    assert {level.kind for level in levels.values()} == set(catalog.LEVEL_KINDS)
    assert all(bool(level.latency_kind) == (level.latency_s is not None) for level in levels.values())
    assert {4.863e12, 5.5e12} <= {level.bytes_per_s for level in levels.values() if level.chip == "h100-sxm5" and level.level == "L2"}


def test_a_ladder_of_the_h100() -> None:
    """Bandwidth falls from the registers of an H100 to its network, and latency rises from shared memory to HBM."""
    ladder = [catalog.levels()[f"h100-sxm5-80gb/{name}"] for name in ("registers", "shared-memory", "l2", "hbm", "nvlink-4", "pcie-5.0-x16")]
    rates = [level.bytes_per_s or 0.0 for level in ladder]
    assert rates == sorted(rates, reverse=True)
    latencies = [level.latency_s or 0.0 for level in ladder[1:4]]
    assert latencies == sorted(latencies)


def test_energies_are_joule_per_byte() -> None:
    """6.0 pJ a bit are 48 pJ a byte, and a 64-bit read of 1 MB of SRAM at 45 nm costs 100 pJ."""
    levels = catalog.levels()
    assert levels["memory-device/hbm2e"].energy_j_per_byte == pytest.approx(48e-12)
    assert (levels["45-nm-0.9-v/sram-1-mb"].energy_j_per_byte or 0.0) * 8 == pytest.approx(100e-12)


def test_the_three_transfers_of_the_article_are_rows() -> None:
    """Logic to on-chip memory, logic to DRAM, and socket to socket: each has rows."""
    places = {level.place for level in catalog.levels().values()}
    assert {"on chip", "device memory"} <= places
    assert {12.8e9, 19.2e9, 20.8e9, 32e9, 48e9} <= {link.bytes_per_s for link in catalog.links().values() if link.family == "QPI and UPI"}


@pytest.mark.parametrize(
    ("link", "one_way"),
    [("pcie/1.0", 4e9), ("pcie/5.0", 63e9), ("nvlink/4", 450e9), ("infiniband/ndr", 50e9), ("network-of-a-node/dgx-h100-8x400g", 400e9)],
)
def test_links_one_way(link: str, one_way: float) -> None:
    """Links are quoted one way: an x16 slot, all links of a GPU, a port, a node."""
    assert catalog.links()[link].bytes_per_s == one_way


def test_memory_technologies_multiply_out() -> None:
    """Pins times their rate give the bandwidth of a stack or device, within the rounding of the tables."""
    for item in catalog.memory_technologies().values():
        if item.family in ("DDR", "GDDR", "HBM") and item.bits_per_s_per_pin_max and item.width_bits and item.id != "mrdimm-8800":
            assert item.bytes_per_s == pytest.approx(item.bits_per_s_per_pin_max * item.width_bits / 8, rel=0.01), item.id


# --------------------------------------------------------------------------------------------------------------- cases


def of(table: dict[str, HardwareCase], case: str) -> list[HardwareCase]:
    """The cases of one name."""
    return [item for item in table.values() if item.case == case]


def test_cases_are_all_there() -> None:
    """Every row of the roofline, of scale-out and of the remedies is a case of its own."""
    for name, found in (("roofline_cases", catalog.roofline_cases()), ("scaling_cases", catalog.scaling_cases()), ("remedies", catalog.evidence())):
        assert len(found) == catalog.tables()[name].rows


def test_cases_without_a_tolerance_pass_nothing_on() -> None:
    """A case without a criterion says so; one with a criterion accepts its own number and refuses twice of it."""
    for item in (*catalog.roofline_cases().values(), *catalog.scaling_cases().values()):
        assert item.holds(item.expected)
        assert item.holds(2 * item.expected) == (not item.has_criterion), item.id


def test_share_of_the_bound_is_consistent() -> None:
    """The fraction of the bound follows from the number and its bound: bound over time, rate over bound."""
    for item in catalog.roofline_cases().values():
        if item.bound and item.fraction_of_bound:
            reached = item.bound / item.expected if item.unit == "s" else item.expected / item.bound
            assert reached == pytest.approx(item.fraction_of_bound, abs=6e-3), item.id


def test_bounds_of_the_matrix_products_follow_from_the_chip() -> None:
    """The roof of each measured product of Llama-2-7B is the larger of FLOP over peak and bytes over bandwidth of the named chip."""
    checked = 0
    for item in of(dict(catalog.roofline_cases()), "gemm_time"):
        tokens, k, n = (item.inputs[name] for name in ("tokens", "k", "n"))
        part = catalog.chips()[item.chip]
        assert part.fp16_flop_per_s is not None
        assert part.memory_bytes_per_s is not None
        moved = 2 * (tokens * k + k * n + tokens * n)
        roof = max(2 * tokens * k * n / part.fp16_flop_per_s, moved / part.memory_bytes_per_s)
        assert item.bound == pytest.approx(roof, rel=0.01), item.id
        checked += 1
    assert checked >= 84


def test_intensities_of_the_case_study_follow_from_their_inputs() -> None:
    """The projections of BERT in the authors' case study: 2mnk over mk + kn + mn at one byte a value."""
    for item in of(dict(catalog.roofline_cases()), "arithmetic_intensity"):
        if item.note.startswith("Exact by") and item.inputs["operation"] in ("MHA projections", "FFN projections"):
            m, d = item.inputs["sequence_length"], item.inputs["hidden_size"]
            n = d if item.inputs["operation"].startswith("MHA") else item.inputs["intermediate_size"]
            assert item.holds(2 * m * d * n / (m * d + d * n + m * n)), item.id


def test_percentages_are_ratios_and_times_are_seconds() -> None:
    """Numbers are in base units beside the printed one: 43 % is 0.43, 90 days are 7,776,000 s."""
    mfu, days = of(dict(catalog.scaling_cases()), "mfu")[0], of(dict(catalog.scaling_cases()), "time_for_300e9_tokens")[0]
    assert (mfu.expected, mfu.printed, mfu.printed_unit, mfu.absolute_tolerance) == (0.43, 43, "%", 0.005)
    assert (days.expected, days.printed, days.printed_unit) == (90 * 86400, 90, "days")


def test_unverified_facts_are_of_low_confidence() -> None:
    """What rests on sources that were not read again alone is marked, so that it can be drawn open."""
    partly_read = {"megatron_sc21"}  # the rows of its tables 1 and 2 that were not read again are marked one by one
    sources = catalog.sources()
    for item in (*catalog.roofline_cases().values(), *catalog.scaling_cases().values(), *catalog.evidence().values()):
        if not any(sources[id].verified or id in partly_read for id in item.source.split(";")):
            assert item.confidence == "low", item.id


def test_every_hardware_fact_leads_to_a_source() -> None:
    """Each id on each row can be cited."""
    known = catalog.sources()
    tables = (catalog.levels, catalog.links, catalog.memory_technologies, catalog.roofline_cases, catalog.scaling_cases, catalog.evidence)
    for table in tables:
        for item in table().values():
            assert all(known[id].citation for id in item.source.split(";")), item.id


@pytest.mark.parametrize(
    ("remedy", "metric", "baseline", "value"),
    [
        ("zero-3", "model-state memory per GPU", 120e9, 1.9e9),
        ("rematerialization", "memory", 48e9, 7e9),
        ("flash-attention", "HBM traffic", 40.3e9, 4.4e9),
        ("grouped-query-attention", "inference time", 1.51, 0.28),
        ("kv-quantization", "GSM8K-CoT 8-shot", 54.21, 30.17),
        ("speculative-decoding", "decode speed", 25.25, 48.4),
    ],
)
def test_evidence_in_base_units(remedy: str, metric: str, baseline: float, value: float) -> None:
    """Published trade-offs, failures included, stand with the number before and the number after."""
    found = [item for item in catalog.evidence().values() if item.remedy == remedy and item.metric == metric]
    assert any(item.baseline is not None and isclose(item.baseline, baseline) and item.value == pytest.approx(value) for item in found)


def test_ranges_and_formulas_are_kept() -> None:
    """A range has two ends and an order of growth stays text."""
    throughput = next(item for item in catalog.evidence().values() if item.remedy == "kv-quantization" and item.metric == "throughput")
    assert (throughput.value, throughput.value_max) == (2.35, 3.47)
    order = next(item for item in catalog.evidence().values() if item.metric == "memory order")
    assert (order.value, order.value_formula) == (None, "O(sqrt n)")


# --------------------------------------------------------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("links.csv", ",4.5e11,9e11,", ",4.5e11,8e11,", "write twice that of one way"),
        ("levels.csv", ",h100-sxm5,registers,", ",h100-sxm9,registers,", "chip h100-sxm9 is not in chips.csv"),
        ("levels.csv", ",derived,measured,,", ",derived,,,", "latency_kind goes with its figure"),
        ("roofline_cases.csv", ",llama-2-7b,", ",llama-9-7b,", "preset llama-9-7b is not in presets.csv"),
        ("scaling_cases.csv", ",0.43,ratio,43,", ",0.44,ratio,43,", "is not the printed"),
        ("remedies.csv", ",llama-3-8b,", ",llama-9-8b,", "preset llama-9-8b is not in presets.csv"),
    ],
)
def test_check_finds_what_breaks_the_hardware_tables(tmp_path: Path, file: str, old: str, new: str, expected: str) -> None:
    """A link with odd directions, an unknown chip or model, an unexplained latency and a wrong conversion are found."""
    copy = Path(shutil.copytree(catalog.DATA, tmp_path / "data"))
    path = copy / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    catalog.write_checksums(copy)
    assert any(expected in problem for problem in catalog.check(copy))
