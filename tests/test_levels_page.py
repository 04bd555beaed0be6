"""The pages of memory levels and of chips: every figure with every drawer, controls that change the answer, hostile links."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import PATIENCE_S
from wallviz.rooms import chips, hierarchy
from wallviz.settings import of
from wallviz.ui.frame import ROOMS

ROOT = Path(__file__).parent.parent
FIGURES, CHIP_FIGURES = (of(room.View)["show"].words for room in (hierarchy, chips))
DRAWERS = ("why", "sure", "settings")


def open_page(room: str, *, drawers: bool = False, **query: str) -> AppTest:
    """The page as its address opens it, with all of its drawers open or closed."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.switch_page(ROOMS[room].file)
    for name, value in query.items():
        app.query_params[name] = value
    for name in DRAWERS if drawers else ():
        app.session_state[f"{room}_drawer_{name}"] = True
    return app.run()


def takeaway(app: AppTest) -> str:
    """The sentence of the page, with ordinary spaces."""
    (sentence,) = [m.value.removeprefix("#### ") for m in app.markdown if m.value.startswith("#### ")]
    return sentence.replace("\u202f", " ").replace("\\", "")


@pytest.mark.parametrize(
    ("room", "show"), [*(("hierarchy", show) for show in FIGURES), *(("chips", show) for show in ("plane", "joule", "tokens_price"))]
)
def test_every_figure_opens_with_every_drawer(room: str, show: str) -> None:
    """Each figure draws over its drawers, all open, without an exception."""
    app = open_page(room, drawers=True, show=show, prices="H100 25000")
    assert not app.exception
    assert takeaway(app)
    assert len(app.get("plotly_chart")) == 1


def test_a_size_from_the_list_and_one_that_was_typed_change_the_answer() -> None:
    """The size box takes a preset of the case and any size, and the address carries it."""
    app = open_page("hierarchy")
    assert takeaway(app).startswith("16.1 GB (one token of Llama 3.1 8B) takes 4.8 ms")
    app.selectbox(key="hierarchy_size").set_value("model").run()
    assert "the weights of Llama 3.1 8B" in takeaway(app)
    assert app.query_params["size"] in ("model", ["model"])
    assert takeaway(open_page("hierarchy", size="2 GiB")).startswith("2 GiB takes 0.64 ms")
    assert takeaway(open_page("hierarchy", machine="apple-m1-pro", size="1 GiB")).startswith("1 GiB takes 7.1 ms from L1d")


def test_the_machine_is_the_cases_own() -> None:
    """The ladder is that of the case's chip until another machine is chosen."""
    for query, said in (
        ({"chip": "b200-sxm"}, "0.13 ms from HBM3e"),
        ({"chip": "tesla-v100-sxm2-16gb"}, "1.2 ms from HBM2"),
        ({"chip": "b200-sxm", "machine": "h100"}, "0.32 ms from HBM3"),
    ):
        assert takeaway(open_page("hierarchy", size="1 GiB", **query)).startswith(f"1 GiB takes {said}")


def test_a_shortlist_button_changes_the_chips() -> None:
    """Pressing a list compares its chips, and the address names them."""
    app = open_page("chips")
    app.button(key="chips_action_1").click().run()
    assert not app.exception
    assert "H20" in takeaway(app)
    assert "ascend-910c" in str(app.query_params["compare"])


@pytest.mark.parametrize(
    ("room", "query"),
    [
        ("hierarchy", {"size": "<script>alert(1)</script>"}),
        ("hierarchy", {"size": "1 Gbit"}),
        ("hierarchy", {"size": "9" * 3000}),
        ("hierarchy", {"machine": "../../etc/passwd"}),
        ("hierarchy", {"show": "years", "families": "nope,DDR"}),
        ("hierarchy", {"show": "latency", "misses": "-1", "processor": "1e9"}),
        ("hierarchy", {"show": "years", "families": ",".join(map(str, range(100)))}),
        ("chips", {"compare": "nope"}),
        ("chips", {"compare": ",".join(f"h{i}" for i in range(50))}),
        ("chips", {"prices": "![x](http://example.org/x.png) 5", "show": "tokens_price"}),
        ("chips", {"prices": "x" * 5000}),
        ("chips", {"ttft": "0", "tpot": "abc", "weights": "fp3", "precision": "fp2"}),
        ("chips", {"model": "bert-base", "show": "tokens"}),
    ],
)
def test_a_hostile_link_gets_a_sentence(room: str, query: dict[str, str]) -> None:
    """No address makes an exception; what cannot be read is said, and the rest is answered."""
    app = open_page(room, **query)
    assert not app.exception
    assert takeaway(app)
    said = [e.value for e in (*app.warning, *app.info)]
    assert said or "model" in query or "choose" in takeaway(app)


@pytest.mark.parametrize("show", CHIP_FIGURES)
def test_every_comparison_is_a_link(show: str) -> None:
    """Each figure of the chips page opens by its address."""
    app = open_page("chips", show=show, compare="h100-sxm5,h20", prices="H20 12000")
    assert not app.exception
    assert takeaway(app)
