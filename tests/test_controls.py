"""Every control explains itself, and none is shown that changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from tests.test_every_choice import ROOMS as ASKED
from tests.test_every_choice import values
from tests.test_pages import COLLAPSED, CONTROLS, ROOT, open_page
from wallviz import i18n, settings
from wallviz.i18n import _
from wallviz.job import Job, pack
from wallviz.rooms import Answer, footprint, remedies, roofline
from wallviz.rooms import job as shared
from wallviz.rooms.footprint import export
from wallviz.settings import Setting
from wallviz.ui.frame import ROOMS

LONGEST = 140
#: The setting that is the row of figures above the picture, which says itself what it does; the chips' measures are a list that is explained.
FIGURES = {"growth": "figure", "remedies": "figure"}
#: Settings that no widget asks: the story's step stands in its links, a job to compare with is kept by a button.
UNASKED = {("story", "step"), ("footprint", "against")}
#: What a page shows of its settings beside the answer: in words, in tables, in the menu.
BESIDE: Mapping[str, Callable[[Job, Any], object]] = {
    "footprint": lambda job, view: (footprint.miss(job, view), export.fragment(job, view)),
    "roofline": lambda job, view: (roofline.miss(job, view), roofline.targets(job, view) if job.serves else ""),
    "remedies": lambda job, view: (remedies.offered(job, view), remedies.cards(job, view), remedies.every(job, view)),
}
#: Each job with room and without: what decides memory moves a figure where it runs out.
JOBS = {
    "infer": (Job(batch=4, chips=16), Job(batch=64, context=16_384, chips=2)),
    "train": (Job(job="train", chips=16, sequences=64), Job(job="train", chips=8)),
    "finetune": (Job(job="finetune", chips=2, context=2048), Job(job="finetune", chips=16, context=2048, method="full")),
}
EVERY = [
    pytest.param(name, setting, id=f"{room}-{name}")
    for room, kind in (("job", Job), *((room, kind) for room, (kind, _ask) in ASKED.items() if kind))
    for name, setting in settings.of(kind).items()
    if (name != FIGURES.get(room, "show") or room == "chips") and (room, name) not in UNASKED
]


@pytest.mark.parametrize(("name", "setting"), EVERY)
def test_a_setting_has_a_label_and_one_sentence_of_help(name: str, setting: Setting) -> None:
    """In both languages a setting is called something, and one short sentence says what it is for."""
    for language, stop in (("en", "."), ("zh", "。")):
        i18n.use(language)
        label, help = _(setting.label), _(setting.help)
        i18n.use("en")
        assert label, name
        assert help.endswith(stop), help
        assert not re.search(r"[。!?！？]|[.!?] ", help[:-1]), help
        assert len(help) <= LONGEST, help
        assert "default" not in help.casefold()


def opened(room: str, *more: str, **query: str) -> AppTest:
    """The page with its drawers and its menu open, and the widgets of `more` keys."""
    app = open_page(room, **query)
    for name in re.findall(r'page\.drawer\("(\w+)"', (ROOT / ROOMS[room].file).read_text(encoding="utf-8")):
        app.session_state[f"{room}_drawer_{name}"] = True
    for key in (f"{room}_menu", *more):
        app.session_state[key] = True
    return app.run()


def widgets(app: AppTest) -> Iterator[Any]:
    """Every control of the page, wherever it is: not the row of figures, nor the switch of languages beside the page."""
    for kind in CONTROLS:
        yield from (e for e in app.main.get(kind) if e.proto.label_visibility.value != COLLAPSED)


@pytest.mark.parametrize("room", ROOMS)
def test_every_control_of_a_page_explains_itself(room: str) -> None:
    """What can be chosen, in the first view, the case bar, the drawers or the menu, has a label and a help beside it."""
    app = opened(room, "job_bar", "job_own", job="train")
    assert not app.exception
    found = list(widgets(app))
    assert found or room in ("growth", "story")
    assert [one.label for one in found if not (one.label and one.proto.help)] == []


@cache
def shown(room: str, figure: str, job: Job) -> tuple[str, ...]:
    """The settings that a page asks in its first view, its drawers and its menu: not those of the case bar, which every page carries."""
    named = {FIGURES.get(room, "show"): figure} if figure else {}
    keys = [str(one.key).removeprefix(f"{room}_") for one in widgets(opened(room, **named, **dict(parse_qsl(pack(job)))))]
    return tuple(key for key in keys if key in known(room))


@cache
def known(room: str) -> Mapping[str, Setting]:
    """The settings of a page by name, its own before the job's."""
    kind = ASKED[room][0]
    return {**shared.SETTINGS, **(settings.of(kind) if kind else {})}


def others(setting: Setting, chosen: Any) -> list[Any]:
    """A few values of a setting that are not the chosen one."""
    now = getattr(chosen, setting.name)
    if setting.name in ("model", "chip"):
        found = [*(shared.models() if setting.name == "model" else shared.chips(chosen))]
    elif setting.high and not setting.words:
        found = [max(setting.low, min(setting.high, n)) for n in (setting.low, 2 * (now or 1), 1024, 5 + (now or 1))]
    elif isinstance(setting.default, tuple) and setting.default:
        found = [(setting.default[0] + 1, setting.default[1]), (setting.default[0], setting.default[1] - 8)]
    else:
        found = [*values(setting, chosen)]
    found = [value for value in dict.fromkeys(found) if value != now]
    return found[:: max(1, len(found) // 4)]


def seen(room: str, job: Job, view: Any) -> Iterator[object]:
    """What a reader sees of an answer, the quickest first."""
    answer: Answer = ASKED[room][1](job, view)
    yield from (answer.sentence, answer.spec or (answer.drawing and answer.drawing.spec), answer.caption, answer.problems)
    yield answer.why
    yield answer.table
    yield BESIDE[room](job, view) if room in BESIDE else None


def moves(room: str, name: str, job: Job, view: Any) -> bool:
    """Whether some other value of a setting is seen."""
    own = hasattr(view, name)
    for value in others(known(room)[name], view if own else job):
        changed = (job, replace(view, **{name: value})) if own else (replace(job, **{name: value}), view)
        if any(one != two for one, two in zip(seen(room, job, view), seen(room, *changed), strict=True)):
            return True
    return False


def idle(room: str, figure: str, jobs: tuple[Job, ...]) -> list[str]:
    """The settings that a page asks for a figure, and that move nothing for any of the jobs for which it asks them."""
    kind = ASKED[room][0]
    view = kind(**({FIGURES.get(room, "show"): figure} if figure else {})) if kind else None
    found: dict[str, bool] = {}
    for job in jobs:
        for name in shown(room, figure, job):
            found[name] = found.get(name, False) or moves(room, name, job, view)
    return [name for name, moved in found.items() if not moved]


def figures(room: str) -> tuple[str, ...]:
    """The figures of a room, by the setting that names them."""
    kind = ASKED[room][0]
    return tuple(settings.of(kind)[FIGURES.get(room, "show")].words) if kind else ("",)


def kinds(room: str) -> tuple[str, ...]:
    """The kinds of job that a room tells apart in what it asks."""
    return ("infer",) if room in ("growth", "machine", "accuracy") else ("infer", "train") if room in ("start", "hierarchy", "chips") else tuple(JOBS)


@pytest.mark.parametrize(("room", "figure", "kind"), [(room, figure, kind) for room in ASKED for figure in figures(room) for kind in kinds(room)])
def test_no_control_is_without_effect(room: str, figure: str, kind: str) -> None:
    """Whatever a page asks for one of its figures and a job changes what is seen of it."""
    assert idle(room, figure, JOBS[kind]) == []
