"""The footprint figures keep the chart grammar: linear stacks, a named capacity line, parts named, nothing unescaped."""

import itertools
import json
from math import log2

import pytest

from wallviz import catalog, units
from wallviz.figures import heat as heats
from wallviz.figures import style
from wallviz.job import JOBS, Job
from wallviz.rooms import footprint
from wallviz.rooms.footprint import View
from wallviz.rooms.footprint.need import estimate
from wallviz.rooms.footprint.parts import PARTS, MemoryBar, part_name, stacked

VIEWS = [(job, View(show=show, across=across)) for job in JOBS for show in ("bar", "timeline", "map") for across in ("work", "layout")]


@pytest.mark.parametrize(("job", "view"), VIEWS, ids=lambda v: v if isinstance(v, str) else f"{v.show}-{v.across}")
def test_a_figure_is_valid_and_keeps_the_grammar(job: str, view: View) -> None:
    """Every figure passes plotly's validation; no title, no legend, linear; its hover ends where ours do, and its table is not empty."""
    answer = footprint.answer(Job(job=job), view)
    assert answer.figure is not None
    spec = json.loads(answer.spec)
    assert spec["layout"]["showlegend"] is False
    assert not spec["layout"].get("title")
    assert spec["layout"]["yaxis"]["type"] == "linear"
    assert spec["layout"]["xaxis"].get("type", "linear") == "linear"
    assert {t["hovertemplate"][-15:] for t in spec["data"] if "hovertemplate" in t} == {"<extra></extra>"}
    assert answer.table
    assert set() < set(answer.sources) <= catalog.sources().keys()
    texts = " ".join(a["text"] for a in spec["layout"]["annotations"]) + str(spec["layout"]["xaxis"].get("title"))
    assert "GiB" in texts, "the unit stands in the figure"


@pytest.mark.parametrize("job", JOBS)
def test_the_first_bar_is_as_long_as_the_takeaway_says(job: str) -> None:
    """The segments of the first bar sum to what one GPU needs, in GiB."""
    now = estimate(Job(job=job))
    spec = json.loads(footprint.answer(Job(job=job), View()).spec)
    (drawn,) = [t for t in spec["data"] if t["type"] == "bar"]
    assert sum(x for x, y in zip(drawn["x"], drawn["y"], strict=True) if y == drawn["y"][0]) == pytest.approx(now.total_bytes / 2**30)


@pytest.mark.parametrize("job", JOBS)
def test_every_part_is_named_once(job: str) -> None:
    """Each part of the first bar is named beside it or in it, on a laptop and on a phone."""
    now = estimate(Job(job=job))
    layout = json.loads(footprint.answer(Job(job=job), View()).spec)["layout"]
    phone = [layout["meta"]["narrow"].get(f"annotations.{i}.text", a["text"]) for i, a in enumerate(layout["annotations"])]
    for texts in ([a["text"] for a in layout["annotations"]], phone):
        for part, size in now.parts.items():
            if size:
                named = [t for t in texts if part_name(part) in t and units.binary(size) in t]
                assert len(named) == 1, (part, texts)


def test_the_capacity_of_the_chip_is_drawn_and_named() -> None:
    """A line stands at the chip's capacity across every bar, and says the chip and its GiB."""
    layout = json.loads(footprint.answer(Job(job="train", chip="b200-sxm"), View()).spec)["layout"]
    chip = catalog.chips()["b200-sxm"]
    assert chip.memory_bytes is not None
    assert {shape["x0"] for shape in layout["shapes"]} == {chip.memory_bytes / 2**30}
    assert any(chip.name.partition(" (")[0] in a["text"] and "GiB" in a["text"] for a in layout["annotations"])


def test_a_total_does_not_cross_the_capacity_line() -> None:
    """Where a bar ends just short of the line, its total stands beyond the line; elsewhere at the bar's end."""
    for total, beyond in ((71e9, True), (30e9, False), (95e9, False)):
        layout = stacked([MemoryBar("now", {"weights": total})], name="GiB", capacity=("chip", 80e9), revision="r")[0].layout
        (end,) = [a for a in layout["annotations"] if a["text"] == units.binary(total)]
        assert end["x"] * 2**30 == pytest.approx(80e9 if beyond else total)


def test_ticks_stand_at_multiples_of_a_power_of_two() -> None:
    """A GiB axis has at most nine ticks, a power of two apart, from 0."""
    for total in (3e6, 17e9, 190e9, 12e12):
        drawing, _rows = stacked([MemoryBar("now", {"weights": total})], name="GiB", capacity=None, revision="r")
        ticks = drawing.layout["xaxis"]["tickvals"]
        steps = {b - a for a, b in itertools.pairwise(ticks)}
        assert ticks[0] == 0
        assert 2 < len(ticks) <= 9
        assert len(steps) == 1
        step = steps.pop()
        assert step == 2 ** round(log2(step))


def test_names_are_escaped() -> None:
    """Markup in the name of a model or a chip reaches the figure as text."""
    rows = [MemoryBar("<img src=x>", {"weights": 1e9}, "<b>"), MemoryBar("<u>", {"weights": 2e9})]
    spec = stacked(rows, name="GiB", capacity=("<script>", 3e9), revision="r")[0].spec
    cells = [[heats.Cell(0.3, "1", ("x", "<script>", "<s>")), heats.Cell(None, "–", ("y", "<u>"))]]
    spec += heats.heat(("<i>", "b"), ("<s>",), cells, name="GiB", across="n", revision="r", here=(0, 0)).spec
    assert not [tag for tag in ("<img", "<script", "<u>", "<i>", "<s>") if tag in spec]


def test_the_parts_are_steps_of_one_hue() -> None:
    """Parts get lighter in the order in which they are stacked, and start with the colour of memory."""
    colours = [colour for part, (_name, colour) in PARTS.items() if part != "kv_cache"]
    assert colours[0] == style.ROLES["memory"].colour
    light = [sum(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in colours]
    assert light == sorted(light)


def test_what_does_not_fit_is_uncoloured() -> None:
    """The map colours the cells that fit and writes the size of every other."""
    cells = [[heats.Cell(1.0, "0.93", ("1",)), heats.Cell(1.33, "1.9", ("2",)), heats.Cell(None, "–", ("3",))]]
    heat, text = heats.heat(("1", "2", "3"), ("a",), cells, name="GiB", across="n", revision="r", here=(0, 1)).data
    clear = next(at for at, colour in heat["colorscale"] if colour == style.CLEAR)
    assert [v is not None and v / heat["zmax"] < clear for v in heat["z"][0]] == [True, False, False]
    assert text["text"] == ["1.9", "–"]
