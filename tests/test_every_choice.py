"""Every choice of every control draws, alone and with every other: asked of the rooms' own functions, as the pages ask them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from itertools import combinations, product
from typing import Any

import pytest

from wallviz import i18n, settings
from wallviz.job import Job
from wallviz.rooms import Answer, accuracy, growth, roofline, start
from wallviz.rooms import job as shared
from wallviz.rooms.hierarchy.choices import machines as hierarchy_machines
from wallviz.settings import Setting
from wallviz.story.address import ROOMS
from wallviz.ui import frame

#: Values of settings that take any text.
TEXTS: Mapping[str, tuple[Any, ...]] = {
    "size": ("token", "model", "kv", "1 GiB", "64 B"),
    "machine": ("case", *tuple(hierarchy_machines())[:2]),
    "compare": ((), ("h100-sxm5", "h20"), ("gb10",)),
    "others": ((), ("h20", "geforce-rtx-4090")),
    "roofs": ((), ("fp8", "fp4")),
    "families": ((), ("HBM", "NVLink")),
    "beside": ((), ("mi300x",)),
    "without": ((), ("blog/albert-xxl",)),
    "apply": ((), ("zero-2", "full-recompute"), ("weights-4bit", "kv-fp8"), ("fewer-trials",)),
    "prices": ("", "H100 25000; H20 12000"),
    "promised": ("", "2 x DDR5-5600"),
    "against": ("", "job=train&zero=1"),
    "window": ((1995, 2026), (2010, 2020)),
    "stage": ("worst", "last"),
    "sparsity": ("none", "2:4", "0.5"),
    "utilization": (90.0, 50.0),
}
#: Formats of one kind are read by one piece of code: each kind once.
FORMATS = ("bf16", "fp8", "int8", "nf4-dq", "awq-4", "mxfp4", "gguf:Q4_K_M")
JOBS = {
    "infer": Job(),
    "train": Job(job="train", chips=8),
    "finetune": Job(job="finetune", model="mixtral-8x7b", context=2048, chips=4, format="gguf:Q4_K_M"),
}


def values(setting: Setting, chosen: Any) -> tuple[Any, ...]:
    """Every option of a choice, both ways of a switch, ends and a middle of a number."""
    if setting.name in TEXTS:
        return TEXTS[setting.name]
    if setting.name in ("format", "kv"):
        return tuple(f for f in (FORMATS if setting.name == "format" else setting.words))
    if options := setting.options(chosen):
        return tuple(options)
    if setting.high or setting.low:
        return tuple(dict.fromkeys((setting.default, max(setting.low, min(2, setting.high)), min(setting.high, max(setting.low, 1000)))))
    return (False, True) if isinstance(setting.default, bool) else ()


def changes(kind: Any, chosen: Any, only: Callable[[Setting], bool] = lambda _setting: True) -> list[tuple[str, Any]]:
    """Every single change of a dataclass: a setting and a value that is not its default."""
    return [(name, value) for name, one in settings.of(kind).items() if only(one) for value in values(one, chosen) if value != one.default]


def pairs(found: list[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every change alone, and every two of different settings."""
    yield {}
    yield from ({name: value} for name, value in found)
    yield from (dict(two) for two in combinations(found, 2) if two[0][0] != two[1][0])


def draws(answer: Answer) -> bool:
    """An answer has a figure, or is a sentence that says why there is none."""
    return bool(answer.sentence) and (answer.drawing is None or bool(answer.spec or answer.drawing.spec))


def test_every_room_is_asked() -> None:
    """Every page that draws a figure of its own is asked here: all but the two lists and the story, which draws what the rooms draw."""
    assert {*ROOMS} == {*frame.ROOMS} - {"glossary", "sources", "story"}


@pytest.mark.parametrize("room", [room for room, (kind, _ask) in ROOMS.items() if kind])
def test_every_pair_of_a_rooms_own_choices_draws(room: str) -> None:
    """Whatever two controls of a page are set to, for any job, the page answers."""
    kind, ask = ROOMS[room]
    assert kind is not None
    jobs = JOBS.values() if room in ("roofline", "scaleout", "remedies", "footprint") else [JOBS["infer"]]
    asked = 0
    for job, changed in product(jobs, pairs(changes(kind, kind()))):
        assert draws(ask(job, kind(**changed))), (job.job, changed)
        asked += 1
    assert asked > len(jobs)  # more than each as a reader finds it


@pytest.mark.parametrize("kind", list(JOBS))
def test_every_choice_of_the_job_draws_in_every_room(kind: str) -> None:
    """Whatever one field of the job is set to, every room answers."""
    job = JOBS[kind]
    for name, value in changes(Job, job, lambda one: one.group != "" and (not one.jobs or kind in one.jobs)):
        for view, ask in ROOMS.values():
            assert draws(ask(replace(job, **{name: value}), view() if view else None)), (name, value)


@pytest.mark.parametrize("kind", list(JOBS))
def test_every_pair_of_choices_of_the_job_draws(kind: str) -> None:
    """Whatever two fields of the job are set to, a room answers: each pair is asked of one room after the other."""
    job = JOBS[kind]
    own = [room for room in ROOMS.values() if room[0] not in (growth.View, accuracy.View)]
    found = changes(Job, job, lambda one: one.group != "" and (not one.jobs or kind in one.jobs))
    for i, changed in enumerate(pairs(found)):
        view, ask = own[i % len(own)]
        assert draws(ask(replace(job, **changed), view() if view else None)), changed


def texts(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)


@pytest.mark.parametrize("room", ROOMS)
def test_no_space_follows_a_chinese_sentence(room: str) -> None:
    """In Chinese no room puts a space after a full stop, semicolon, comma or colon; a dot that parts remarks is no sentence."""
    kind, ask = ROOMS[room]
    i18n.use("zh")
    try:
        for job, changed in product(JOBS.values(), [{}, *({name: value} for name, value in changes(kind, kind()))] if kind else [{}]):
            answer = ask(job, kind(**changed) if kind else None)
            parts = [answer.sentence, answer.sure, answer.caption, answer.why, answer.how_sure, answer.table, answer.problems]
            said = list(texts([*parts, *map(asdict, answer.cards), *map(asdict, answer.actions)]))
            assert said
            assert [text for text in said if re.search(r"[。；，：！？、] (?!·)", text)] == [], changed
    finally:
        i18n.use("en")


def test_every_model_and_chip_draws() -> None:
    """Every model on the usual chip and the usual model on every chip: a bound, or a sentence."""
    for model in shared.models():
        assert draws(start.answer(Job(model=model)))
    for chip in shared.chips(Job()):
        assert draws(start.answer(Job(chip=chip)))
        assert draws(roofline.answer(Job(chip=chip), roofline.View()))
