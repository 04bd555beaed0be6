"""What the rooms say, word for word: a change of a sentence or a badge is seen where changes are read, in tests/words.txt.

After a change that is meant: ``python tests/test_words.py --write`` writes the file anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wallviz import i18n
from wallviz.job import SETTINGS, Job
from wallviz.rooms import Answer, chips, footprint, growth, hierarchy, roofline, scaleout, start
from wallviz.rooms import remedies as remedies_room
from wallviz.rooms.remedies import further as remedies

WORDS = Path(__file__).parent / "words.txt"
LANGUAGES = ("en", "zh")

#: How a room is asked: the case, and what is chosen beside it by name.
ROOMS: dict[str, Callable[..., Answer]] = {
    "start": lambda case, **chosen: start.answer(case),
    "growth": lambda case, **chosen: growth.answer(growth.View(**chosen), chip=case.chip),
    "footprint": lambda case, **chosen: footprint.answer(case, footprint.View(**chosen)),
    "roofline": lambda case, **chosen: roofline.answer(case, roofline.View(**chosen)),
    "hierarchy": lambda case, **chosen: hierarchy.answer(case, hierarchy.View(**chosen)),
    "scaleout": lambda case, **chosen: scaleout.answer(case, scaleout.View(**chosen)),
    "remedies": lambda case, **chosen: remedies.answer(case, remedies_room.View(**chosen)),
    "chips": lambda case, **chosen: chips.answer(case, chips.View(**chosen)),
}

#: What is asked about everywhere: small and large, dense and sparse, on a large chip and a small one.
MODELS = ("llama-3.1-8b", "llama-3.1-70b", "deepseek-v3")
ODD_MODELS = ("bert-base", "mamba-2.8b", "t5-base", "qwen3-30b-a3b")
CHIPS = ("h100-sxm5", "geforce-rtx-4090")
JOBS = ("infer", "train", "finetune")


def questions() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every room, case and choice whose words are kept; what is not named is as a reader finds it."""
    for job in JOBS:
        for model in MODELS:
            for chip in CHIPS:
                case = {"job": job, "model": model, "chip": chip}
                yield "footprint", case, {}
                yield "footprint", case | {"chips": 8}, {} if job == "infer" else {"zero": 3, "recompute": "full"}
                yield "roofline", case, {}
                yield "roofline", case | {"batch": 1024, "context": 1024, "chips": 8}, {"format": "fp8"}
                yield "scaleout", case | {"chips": 64}, {}
                yield "remedies", case | {"chips": 8}, {}
                yield "chips", case | {"chips": 1 if job == "infer" else 64}, {}
        for model in ODD_MODELS:
            yield "footprint", {"job": job, "model": model}, {}
            yield "roofline", {"job": job, "model": model}, {}
            yield "scaleout", {"job": job, "model": model, "chips": 8}, {}
            yield "remedies", {"job": job, "model": model}, {}
    for job in ("infer", "train"):
        for show in ("bar", "timeline", "map", "article"):
            yield "footprint", {"job": job}, {"show": show}
        for show in ("time", "kv", "measured", "ridge", "capacity", "study"):
            yield "roofline", {"job": job}, {"show": show}
        for show in ("wire", "frontier", "sweeps", "published", "bill", "rules", "fewest"):
            yield "scaleout", {"job": job, "chips": 64}, {"show": show}
        for figure in ("plane", "quality", "line", "search", "batch", "formats"):
            yield "remedies", {"job": job}, {"figure": figure}
        for show in ("ttft", "joule", "largest", "dense", "memory", "ridge", "power", "tokens_price"):
            yield "chips", {"job": job}, {"show": show, "prices": "H100 25000; H20 12000"}
        for show in ("ladder", "human", "energy", "machines"):
            yield "hierarchy", {"job": job}, {"show": show}
    for model in (*MODELS, *ODD_MODELS):
        for chip in (*CHIPS, "h20", "groqchip-1"):
            yield "start", {"model": model, "chip": chip}, {}
    for format in ("fp8", "awq-4"):
        yield "start", {"format": format}, {}
    for case in ({"chips": 8, "batch": 16}, {"job": "train", "chips": 8}, {"job": "finetune"}):
        yield "start", case, {}
    for size in ("model", "kv", "64 B", "1 TB"):
        yield "hierarchy", {}, {"size": size}
    for show in ("rates", "years", "latency"):
        yield "hierarchy", {}, {"show": show}
    for data in ("2021", "2024", "today"):
        for figure in ("gap", "compute", "size", "training"):
            yield "growth", {}, {"figure": figure, "data": data}
        for show in ("ratio", "capacity"):
            yield "growth", {}, {"data": data, "show": show}
        for fit in ("bootstrap", "theil-sen"):
            yield "growth", {}, {"data": data, "fit": fit}


def name(room: str, case: dict[str, Any], chosen: dict[str, Any]) -> str:
    """A question on one line."""
    return " ".join([room, *(f"{key}={value}" for key, value in (case | chosen).items())])


def said(room: str, case: dict[str, Any], chosen: dict[str, Any]) -> str:
    """What is answered, in each language a line: the sentence, the badge and its colour."""
    lines = []
    for language in LANGUAGES:
        i18n.use(language)
        own = {key: value for key, value in chosen.items() if key not in SETTINGS}
        answer = ROOMS[room](Job(**case | {key: value for key, value in chosen.items() if key in SETTINGS}), **own)
        lines.append(f"  {answer.sentence}  [{answer.sure or '–'}, {answer.trust}]".replace("\u202f", " "))
    i18n.use("en")
    return "\n".join(lines)


def kept() -> dict[str, str]:
    """The file: each question with what was answered."""
    blocks = WORDS.read_text(encoding="utf-8").strip("\n").split("\n\n")
    return {question: answer for question, _, answer in (block.partition("\n") for block in blocks)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_it_said(room: str) -> None:
    """Sentences, badges and colours are those of tests/words.txt; `python tests/test_words.py --write` keeps new ones that are meant."""
    now = {name(*question): said(*question) for question in questions() if question[0] == room}
    assert now == {question: answer for question, answer in kept().items() if question.partition(" ")[0] == room}


def test_what_is_said_has_the_punctuation_of_its_language() -> None:
    """After 汉字 stands Chinese punctuation, between 汉字 no space, before a percent sign none; English sentences hold no 汉字."""
    wrong = re.compile(r"[一-鿿）][,:;?]|[一-鿿，。：；（）] [一-鿿（]|\d %")
    lines = [answer.splitlines() for answer in kept().values()]
    assert [chinese for _english, chinese in lines if wrong.search(chinese.rpartition(",")[0])] == []
    assert [english for english, _chinese in lines if re.search(r"[一-鿿]|\d %", english)] == []


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    WORDS.write_text("\n\n".join(f"{name(*question)}\n{said(*question)}" for question in questions()) + "\n", encoding="utf-8")
