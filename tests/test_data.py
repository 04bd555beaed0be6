"""The data files keep the rules of data/README.md, and the check finds what breaks them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import get_args

import pytest

from wallviz import catalog
from wallviz.catalog.cells import columns
from wallviz.catalog.read import read
from wallviz.engine.growth import fit
from wallviz.errors import DataError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of data/ to break."""
    return Path(shutil.copytree(catalog.DATA, tmp_path / "data"))


def edit(path: Path, old: str, new: str, *, everywhere: bool = False) -> None:
    """Replaces `old` by `new` in a file, once or everywhere."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, -1 if everywhere else 1), encoding="utf-8")


def test_shipped_data_are_clean() -> None:
    """Every file that ships keeps every rule of the codebook."""
    assert catalog.check() == []


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("claims.csv", "claim_id,", "claim_id,colour,", "unknown columns: colour"),
        ("claims.csv", "period_years,", "", "columns are missing: period_years"),
        ("claims.csv", ",gholami_blog_2021\n", ",\n", "source is empty"),
        ("claims.csv", ",gholami_blog_2021\n", ",nobody_2021\n", "source nobody_2021 is not in sources.yml"),
        ("claims.csv", ",240,2,", ",-240,2,", "multiplier must be above 0, not -240"),
        ("claims.csv", ",240,2,", ",0,2,", "multiplier must be above 0, not 0"),
        ("claims.csv", ",240,2,", ",many,2,", "multiplier must be a plain number, not many"),
        ("claims.csv", ",240,2,", ",nan,2,", "multiplier must be a plain number, not nan"),
        ("claims.csv", ",240,2,", ",inf,2,", "multiplier must be a plain number, not inf"),
        ("claims.csv", ",240,2,", ",null,2,", "multiplier must be a plain number, not null"),
        ("claims.csv", ",240,2,", ",1e999,2,", "multiplier must be a plain number, not 1e999"),
        ("claims.csv", "blog_params,", "Blog_params,", "claim_id must be lower case without spaces, like h100-sxm5, not Blog_params"),
        ("claims.csv", "blog_params,", "blog_moore,", "claim_id blog_moore stands in line"),
        ("claims.csv", "blog_params,parameters", "blog_params,colours", "quantity must be one of"),
        ("claims.csv", "blog_params,parameters", "blog_params, parameters", "spaces around it"),
        ("accelerator_memory.csv", "2016-06-20", "20.06.2016", "date must be a date like 2020-05-14, not 20.06.2016"),
        ("accelerator_memory.csv", "2016-06-20", "2016-06-31", "date must be a date like 2020-05-14, not 2016-06-31"),
        ("accelerator_memory.csv", "2016-06-20", "", "date is empty"),
        ("memory_breakdown.csv", ",2012,", ",2012.5,", "year must be a whole number"),
        ("chips.csv", ",high,", ",certain,", "confidence must be one of high, low"),
        ("chips.csv", ",true,", ",yes,", "must be one of true, false, not yes"),
        ("chips.csv", ",true,", ",1,", "must be one of true, false, not 1"),
        ("chips.csv", ",true,", ",True,", "must be one of true, false, not True"),
        ("chips.csv", ",https://", ",http://", "source_urls must be an address that starts with https://, not http://"),
        ("chips.csv", "h100-sxm5,H100 SXM5,", "h100-sxm5,A100 SXM4 80GB,", "name A100 SXM4 80GB stands in line"),
        ("presets.csv", ",2019-10-23,", ",October 2019,", "date must be a date like 2020-05-14, a month or a year, not October 2019"),
        ("models.csv", ",robotics,robotics,", ",robotics,;,", "domains is empty"),
        ("ml_hardware.csv", ",memory_bytes_per_s,epoch_ml_hardware\n", ",memory_bandwidth,epoch_ml_hardware\n", "masked must be one of"),
        ("models.csv", ",robotics,robotics,", ",robotics,robotics;magic,", "domains must be one of"),
        ("chips.csv", "h100-sxm5,H100 SXM5", 'h100-sxm5,"H100, SXM5",', "the row has 35 cells, the header 34"),
        ("memory_breakdown.csv", "AlexNet", "AlexNet 1", "the checksum differs from sources.yml"),
    ],
)
def test_check_names_file_line_and_remedy_for_a_broken_cell(copy: Path, file: str, old: str, new: str, expected: str) -> None:
    """A corrupted header or cell is reported as file:line: what is wrong."""
    edit(copy / file, old, new)
    problems = [problem for problem in catalog.check(copy) if expected in problem]
    assert problems
    name, line, _sentence = problems[0].split(":", 2)
    assert name == file
    assert int(line) >= 1


def test_reading_names_the_cell_that_it_cannot_use(copy: Path) -> None:
    """A row that its dataclass refuses is named as the check names it."""
    edit(copy / "claims.csv", ",240,2,", ",many,2,")
    with pytest.raises(DataError, match=r"data/claims\.csv:4: multiplier must be a plain number, not many"):
        list(read("claims", copy))


def test_the_check_names_every_cell_of_a_row(copy: Path) -> None:
    """Two wrong cells of one row are two lines, from the top of the file to its end."""
    edit(copy / "claims.csv", ",240,2,", ",many,-2,")
    edit(copy / "claims.csv", "seen,", "heard,")
    problems = [problem for problem in catalog.check(copy) if "checksum" not in problem]
    assert [problem.split(":")[1] for problem in problems] == sorted(problem.split(":")[1] for problem in problems)
    for expected in ("multiplier must be a plain number, not many", "period_years must be above 0, not -2", "status must be one of"):
        assert any(expected in problem for problem in problems)


@pytest.mark.parametrize("table", catalog.ROWS)
def test_every_table_has_ids_sources_and_numbers_above_zero(table: str) -> None:
    """In every table the id is unique, the source is never empty, and no number may be negative or infinite, inherited fields included."""
    known = columns(catalog.ROWS[table]).values()
    assert [column.required and column.unique for column in known if column.field == "id"] == [True]
    assert [column.required and column.of for column in known if column.name == "source"] == ["sources"]
    for column in known:
        assert column.base not in (int, float) or not (column.holds(["-1"]) or column.holds(["inf"])), column.name


@pytest.mark.parametrize("table", catalog.ROWS)
def test_the_codebook_explains_every_column(table: str) -> None:
    """Each field of a row's dataclass stands in the table's section of data/README.md, or in its rules, and so does every word that it allows."""
    text = (catalog.DATA / "README.md").read_text(encoding="utf-8")
    rules, *sections = re.split(r"(?m)^## (?!Rules)", text)
    section = next(section for section in sections if f"{table}.csv" in section.partition("\n")[0])
    for column in columns(catalog.ROWS[table]).values():
        assert f"`{column.name}`" in rules + section, column.name
        for word in filter(None, get_args(column.base)):
            assert re.search(rf"(?<![\w/-]){re.escape(word)}(?![\w/-])", text), (column.name, word)


def test_check_counts_rows(copy: Path) -> None:
    """A row that was added or lost without a new checksum is reported."""
    lines = (copy / "models.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (copy / "models.csv").write_text("".join(lines[:-1]), encoding="utf-8")
    rows = catalog.tables()["models"].rows
    assert any(f"the file has {rows - 1} rows, sources.yml says {rows}" in problem for problem in catalog.check(copy))


def test_check_misses_no_file(copy: Path) -> None:
    """A file that is missing, unlisted or without a schema is reported."""
    (copy / "claims.csv").unlink()
    (copy / "extra.csv").write_text("id,source\n", encoding="utf-8")
    edit(copy / "sources.yml", "  models.csv:\n", "  model.csv:\n")
    problems = catalog.check(copy)
    for expected in ("claims.csv:1: the file is missing", "extra.csv:1: the file has no schema", "models.csv:1: the file is not listed"):
        assert any(problem.startswith(expected) for problem in problems)


def test_check_refuses_text_that_is_not_utf_8(copy: Path) -> None:
    """A file saved in another encoding is reported with the byte."""
    (copy / "claims.csv").write_bytes(b"claim_id\n\xff\n")
    assert any("byte 9 is not UTF-8" in problem for problem in catalog.check(copy))


def test_check_reads_the_sources_too(copy: Path) -> None:
    """A source without a licence, twice, or with a bare address is reported, and so is broken YAML."""
    edit(copy / "sources.yml", "  licence: MIT\n", "")
    edit(copy / "sources.yml", "- id: epoch_frontier_compute\n", "- id: epoch_compute_trend\n")
    edit(copy / "sources.yml", "url: https://doi.org", "url: doi.org")
    text = "\n".join(catalog.check(copy))
    for expected in ("gholami_figures_2021 lacks licence", "epoch_compute_trend comes twice", "write it as https://"):
        assert expected in text
    (copy / "sources.yml").write_text("sources: [\n", encoding="utf-8")
    assert "not valid YAML" in catalog.check(copy)[0]
    (copy / "sources.yml").unlink()
    assert "sources.yml is missing" in catalog.check(copy)[0]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("presets.csv", ",2019-10-23,", ",2019-02-30,", "date must be a date like 2020-05-14, a month or a year, not 2019-02-30"),
        ("chips.csv", ",RTX 4080,", ",RTX 4090,", "also means"),
        ("chips.csv", ",80 GB,8e10,", ",80 GB,85899345920,", "does not match the label 80 GB"),
        ("claims.csv", ",A drawn reference line has no points.,", ",,", "names its points or says why it has none"),
        ("claims.csv", "gholami_params_2021,transformer", "gholami_params_2021,recurrent", "models.csv has no points for this claim"),
    ],
)
def test_check_reads_rows_and_files_together(copy: Path, file: str, old: str, new: str, expected: str) -> None:
    """Rules that span columns, rows or files are applied once each file is sound."""
    edit(copy / file, old, new)
    catalog.write_checksums(copy)
    assert any(expected in problem for problem in catalog.check(copy))


def test_write_checksums_touches_two_lines_of_an_entry(copy: Path) -> None:
    """After a deliberate change the checksums can be renewed, and nothing else in sources.yml moves."""
    before = (copy / "sources.yml").read_text(encoding="utf-8").splitlines()
    edit(copy / "memory_breakdown.csv", "AlexNet,", "AlexNet 1,")
    assert catalog.write_checksums(copy) == ["memory_breakdown.csv"]
    after = (copy / "sources.yml").read_text(encoding="utf-8").splitlines()
    assert [a.strip().split(":")[0] for a, b in zip(after, before, strict=True) if a != b] == ["sha256"]
    assert catalog.check(copy) == []
    (copy / "extra.csv").write_text("id\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"extra\.csv has no entry"):
        catalog.write_checksums(copy)


def test_checksums_ignore_line_ends(copy: Path) -> None:
    """A checkout with Windows line ends passes the check."""
    for path in copy.glob("*.csv"):
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert catalog.check(copy) == []


@pytest.mark.parametrize(
    ("claim", "published_fit"),
    [
        ("blog_params", 240.93),
        ("paper_params", 413.13),
        ("blog_compute_transformer", 755.04),
        ("paper_accel_memory", 1.863),
        ("blog_hw_flops", 3.1328),
        ("paper_hw_flops", 3.0257),
        ("paper_dram_bw", 1.5915),
        ("blog_interconnect_bw", 1.4270),
        ("paper_interconnect_bw", 1.4151),
        ("blog_hw_flops_20y", 91059),
        ("paper_hw_flops_20y", 64313),
        ("paper_dram_bw_20y", 104.26),
        ("rpelke_flops_fastest", 2.9059),
        ("rpelke_flops_fp32", 1.8607),
        ("rpelke_bw", 1.5843),
    ],
)
def test_claims_refit_from_shipped_points(claim: str, published_fit: float) -> None:
    """The points that ship give the refits that the authors' own figures give."""
    known = catalog.claims()[claim]
    assert fit(known.points).multiplier(known.period_years) == pytest.approx(published_fit, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "attribute", "right", "wrong"),
    [
        ("P40", "memory_bytes_per_s", 347e9, 694.3e9),
        ("MI300X", "memory_bytes_per_s", 5.3e12, 10.3e12),
        ("H100", "fp16_flop_per_s", 989.4e12, 1979e12),
        ("H200", "fp16_flop_per_s", 989.5e12, 1979e12),
        ("GH200", "fp16_flop_per_s", 989.5e12, 1979e12),
        ("H800", "fp64_flop_per_s", 1e12, 29.65e12),
        ("V100", "memory_bytes", 16e9, 32e9),
        ("P100", "memory_bytes", 16e9, 12e9),
        ("B200", "memory_bytes", 180e9, 90e9),
        ("B200", "memory_bytes_per_s", 8e12, 4.1e12),
        ("B300", "memory_bytes_per_s", 8e12, 4.1e12),
        ("TPU v7", "interconnect_bytes_per_s_bidir", 1.2e12, 2.4e12),
        ("TPU v6e", "interconnect_bytes_per_s_bidir", 896e9, 448e9),
        ("A100 40GB", "memory_bytes_per_s", 1555e9, 1940e9),
        ("MTIA v2", "memory_bytes_per_s", 204.8e9, 1e12),
        ("A10", "memory_bytes", 24e9, 28e9),
    ],
)
def test_widely_copied_slips_stay_out(name: str, attribute: str, right: float, wrong: float) -> None:
    """The wrong numbers that circulate are not in the chip catalogue."""
    value = getattr(catalog.find(name, catalog.chips()), attribute)
    assert value == right != wrong


def test_sram_is_not_memory_beside_the_chip() -> None:
    """Groq and Dojo have no device memory, and every chip whose memory is SRAM is flagged."""
    for name in ("GroqChip", "Dojo"):
        chip = catalog.find(name, catalog.chips())
        assert chip.memory_is_sram
        assert chip.memory_bytes is chip.memory_bytes_per_s is None
    assert all(chip.memory_is_sram == ("SRAM" in chip.memory_type) for chip in catalog.chips().values())


def test_epoch_rows_known_to_be_wrong_are_masked() -> None:
    """Reading other collections leaves their known slips out unless one asks for them."""
    dataset, column = "epoch_ml_hardware_2026", "memory_bytes_per_s"
    masked = {f"epoch-ml-hardware-2026/{name}" for name in ("nvidia-p40", "nvidia-a100-pcie", "amd-radeon-instinct-mi308x", "groqchip-lpu-v1")}
    clean = {point.id for point in catalog.listed_points(dataset, column)}
    everything = {point.id for point in catalog.listed_points(dataset, column, unmasked=True)}
    assert not masked & clean
    assert masked < everything
    assert "fp64_flop_per_s" not in catalog.listed_chips(dataset)["epoch-ml-hardware-2026/nvidia-h800-sxm5"].values


def test_geforce_peaks_say_how_they_accumulate() -> None:
    """Every GeForce with matrix units is flagged: its 16-bit peak halves for 32-bit accumulation."""
    chips = catalog.chips().values()
    assert {chip.name for chip in chips if chip.fp16_accumulate} == {chip.name for chip in chips if chip.name.startswith("GeForce RTX")}
    assert catalog.find("RTX 4090", catalog.chips()).fp16_flop_per_s == 330.3e12


def test_errata_of_the_authors_tables_ship() -> None:
    """The slips of the authors' own tables stand beside them."""
    errata = " ".join(text for source in catalog.sources().values() for text in source.errata)
    for slip in ("1.71", "11.62", "2014", "RoBERTa", "5.33e20", "Gradients are missing", "2.3 to 2.7", "1.5 to 86"):
        assert slip in errata


def test_texts_say_flop_per_second() -> None:
    """No file uses the plural of FLOP as a rate."""
    for path in catalog.DATA.rglob("*"):
        if path.is_file() and path.name != "ml_hardware.csv":  # one listed product carries it in its name
            assert "FLOPS" not in path.read_text(encoding="utf-8"), path.name
