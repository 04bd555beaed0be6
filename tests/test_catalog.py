"""The catalog turns files into domain objects and finds them by the names that people type."""

from __future__ import annotations

import pytest

from wallviz import catalog
from wallviz.engine.growth import fit
from wallviz.errors import InputError


def test_flagships_at_fixed_precision_grow_slower_than_the_headline() -> None:
    """NVIDIA's eight 16-bit flagships: compute 2.08, bandwidth 1.75, FLOP per byte 1.2 per two years."""
    compute = fit(catalog.chip_points("peak_compute", "fp16", where=lambda chip: chip.flagship)).multiplier(2)
    bandwidth = fit(catalog.chip_points("memory_bandwidth", where=lambda chip: chip.flagship)).multiplier(2)
    assert compute == pytest.approx(2.0752, abs=1e-4)
    assert bandwidth == pytest.approx(1.7469, abs=1e-4)
    assert compute / bandwidth == pytest.approx(1.19, abs=0.005)


def test_hbm_parts_since_2017() -> None:
    """HBM parts since 2017 with both figures, announced ones included: compute about 2.4, bandwidth about 1.8 per two years."""

    def chosen(chip: catalog.Accelerator) -> bool:
        return chip.has_hbm and chip.release_date.year >= 2017 and chip.ridge("fp16") is not None

    compute, bandwidth = catalog.chip_points("peak_compute", where=chosen), catalog.chip_points("memory_bandwidth", where=chosen)
    assert [point.id for point in compute] == [point.id for point in bandwidth]
    assert fit(compute).multiplier(2) == pytest.approx(2.41, abs=0.1)
    assert fit(bandwidth).multiplier(2) == pytest.approx(1.80, abs=0.1)


def test_links_per_device_grew_112_times() -> None:
    """PCIe 1 with 16 lanes to all links of NVLink 4, one way: 4 to 450 GB/s in 19 years."""
    links = catalog.points("hardware_scaling", "2023", "interconnect_bandwidth", "value_device")
    assert (links[0].value, links[-1].value) == (4e9, 450e9)
    assert links[-1].date.year - links[0].date.year == 19
    assert {link.unit for link in links} == {"B/s"}


def test_every_claim_has_points_or_a_reason() -> None:
    """All claims load; those without points say why, and a claim over twenty years shares the points of its sibling."""
    claims = catalog.claims()
    assert len(claims) == catalog.tables()["claims"].rows
    assert all(bool(claim.points) != bool(claim.no_points_reason) for claim in claims.values())
    assert all(claims[name].points == claims[name.removesuffix("_20y")].points for name in claims if name.endswith("_20y"))
    assert {claim.quantity for claim in claims.values()} <= set(catalog.CLAIM_QUANTITIES)


def test_points_are_unique_within_a_claim_and_in_order() -> None:
    """Point ids are unique, also where unidentified points share a name, and points come by date."""
    for claim in catalog.claims().values():
        assert len({point.id for point in claim.points}) == len(claim.points)
        assert list(claim.points) == sorted(claim.points, key=lambda point: (point.date, point.id))
    shared = [point for point in catalog.claims()["blog_hw_flops"].points if point.name.startswith("unidentified")]
    assert len(shared) == 3
    assert not any(point.identified for point in shared)


def test_points_without_a_device_value_are_empty() -> None:
    """Single memory interfaces have no value per device, which gives no points rather than an error."""
    assert catalog.points("hardware_scaling", "2021", "memory_bandwidth", "value_device") == ()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("nothing",), "nothing"),
        (("models", "gholami_1999", "", "parameters"), "gholami_1999"),
        (("models", "gholami_params_2021", "poems", "parameters"), "poems"),
        (("models", "gholami_params_2021", "", "colour"), "colour"),
    ],
)
def test_points_refuse_what_does_not_exist(arguments: tuple[str, ...], named: str) -> None:
    """An unknown table, dataset, series or column is named, with those that exist."""
    with pytest.raises(InputError, match=rf"{named}: use one of"):
        catalog.points(*arguments)


def test_models_filter_by_domain_and_frontier() -> None:
    """A domain means every model that lists it; the frontier flag is Epoch AI's: about 124 times per two years in 2018 to 2021."""
    language = {point.id for point in catalog.model_points(column="parameters", domain="language")}
    epoch = catalog.models("epoch_notable_2026").values()
    assert language == {model.id for model in epoch if model.parameters and "language" in model.domains}
    assert language > {model.id for model in epoch if model.parameters and model.domain == "language"}
    frontier = [p for p in catalog.model_points(column="parameters", frontier=True) if 2018 <= p.date.year <= 2021]
    assert fit(frontier).multiplier(2) == pytest.approx(124, rel=0.25)
    assert all(model.parameters or model.training_flop for model in catalog.models("epoch_notable_2026").values())
    with pytest.raises(InputError, match="use one of"):
        catalog.models("epoch_1999")


def test_chip_points_refuse_unknown_quantities_and_precisions() -> None:
    """An unknown quantity or precision is named, with those that exist."""
    with pytest.raises(InputError, match="memory_bandwidth"):
        catalog.chip_points("colour")
    with pytest.raises(InputError, match="fp16"):
        catalog.chip_points("peak_compute", "fp7")


def test_chip_points_leave_on_chip_sram_out() -> None:
    """SRAM on the chip is not plotted as memory."""
    assert not any(point.group == "Cerebras" for point in catalog.chip_points("memory_bandwidth"))
    assert any(point.group == "Cerebras" for point in catalog.chip_points("peak_compute"))


@pytest.mark.parametrize(
    ("typed", "id"),
    [
        ("H100", "h100-sxm5"),
        ("h100 sxm5", "h100-sxm5"),
        ("A100", "a100-sxm4-80gb"),
        ("v100", "tesla-v100-sxm2-16gb"),
        ("H200", "h200-sxm"),
        ("B200", "b200-sxm"),
        ("B300", "b300-sxm"),
        ("MI300X", "instinct-mi300x"),
        ("RTX 4090", "geforce-rtx-4090"),
        ("TPU v5p", "tpu-v5p"),
        ("M3 Max", "apple-m3-max"),
        ("  rtx   4090 ", "geforce-rtx-4090"),
    ],
)
def test_find_takes_short_names_in_any_case(typed: str, id: str) -> None:
    """An id, a name or an alias finds the chip."""
    assert catalog.find(typed, catalog.chips(), "chip").id == id


def test_find_takes_a_unique_beginning() -> None:
    """The beginning of one id or name, and of no other candidate, is enough."""
    candidates = [catalog.chips()[id] for id in ("tesla-k80", "geforce-rtx-4090", "rtx-pro-6000-blackwell")]
    assert catalog.find("tesla-k8", candidates).id == "tesla-k80"
    assert catalog.find("  rtx   pro ", candidates).id == "rtx-pro-6000-blackwell"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("RTX 30", "ambiguous: use one of .*geforce-rtx-3080"),
        ("MI300Z", "no chip is called “MI300Z”: did you mean .*instinct-mi300x"),
        ("qqqqqq", f"{len(catalog.chips())} are known, such as"),
        ("", "no chip is called “”"),
    ],
)
def test_find_says_what_to_choose_from(typed: str, expected: str) -> None:
    """Several matches, near misses and nothing near are three messages, each with candidates."""
    with pytest.raises(InputError, match=expected):
        catalog.find(typed, catalog.chips(), "chip")


def test_find_works_on_claims_and_points() -> None:
    """Claims are found by id, points of a claim by name, and a shared name is ambiguous."""
    claim = catalog.find("BLOG_PARAMS", catalog.claims(), "claim")
    assert catalog.find("gpt-3", claim.points, "point").name == "GPT-3"
    with pytest.raises(InputError, match="ambiguous"):
        catalog.find("unidentified (NVIDIA block of the series)", catalog.claims()["blog_hw_flops"].points, "point")


def test_every_named_source_has_a_citation() -> None:
    """Each id on each object leads to a source that can be cited."""
    known = catalog.sources()
    named = [*catalog.claims().values(), *catalog.chips().values(), *catalog.models().values(), *catalog.memory_breakdown().values()]
    assert all(known[id].citation for item in named for id in item.source.split(";"))
    assert not known["vendor_pages_unverified"].verified


def test_tables_list_every_schema() -> None:
    """The index lists each table with the number of its rows."""
    assert set(catalog.tables()) == set(catalog.ROWS)
    assert catalog.tables()["chips"].rows == len(catalog.chips())


def test_breakdown_shows_what_activations_cost() -> None:
    """Activations over weights in the authors' table: 1.5 to 86, not three to four."""
    ratios = [round(row.activations_per_weight, 1) for row in catalog.memory_breakdown().values()]
    assert ratios == [3.1, 8.6, 23.4, 86.3, 23.7, 11.5, 10.9, 1.5]
    slips = {row.name for row in catalog.memory_breakdown().values() if row.note}
    assert slips == {"AlexNet", "GPT-2"}


def test_presets_have_exact_counts() -> None:
    """The models that every page offers come with exact parameter counts."""
    assert catalog.presets()["llama-3.1-8b"].parameters == 8030261248
    assert all(0 < preset.active_parameters <= preset.parameters for preset in catalog.presets().values())
