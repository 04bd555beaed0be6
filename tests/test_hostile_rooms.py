"""The rooms of the walls against bad input: names, numbers, arrays and links that nobody should send get one sentence, never a wrong number."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, fields, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer

import wallviz
from tests.test_pages import open_page
from wallviz import catalog, cli
from wallviz.engine import rating
from wallviz.engine.hardware import Accelerator
from wallviz.engine.roofline import report, roof
from wallviz.engine.roofline.step import step
from wallviz.engine.scaleout import record
from wallviz.engine.scaleout.budget import budget
from wallviz.errors import InputError
from wallviz.job import SETTINGS, WHO, Job
from wallviz.rooms import chips, hierarchy, roofline, scaleout
from wallviz.rooms import job as shared
from wallviz.settings import Setting, of

LLAMA = "llama-3.1-8b"
ROOMS: dict[str, ModuleType] = {"roofline": roofline, "hierarchy": hierarchy, "scaleout": scaleout, "chips": chips}


def call(*arguments: str) -> tuple[int, str, str]:
    """One call of the command line: exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = typer.main.get_command(cli.app).main(args=list(arguments), prog_name="wallviz", standalone_mode=False)
    return code, out.getvalue(), err.getvalue()


def strict(text: str) -> Any:
    """JSON without NaN or Infinity, which are none."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def endless(value: Any, path: str = "") -> Iterator[str]:
    """Where NaN or infinity stands in `value`."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from endless(one, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for one in value:
            yield from endless(one, f"{path}[]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield path


# ------------------------------------------------------------------------------------------------------------ command line

NO_NUMBERS = ("", "nan", "inf", "-1", "0", "1e308", "9" * 400, "空", "\x00")
NUMBERS = {
    ("roofline", LLAMA, "h100"): (
        "batch", "context", "tensor-parallel", "encoder-context", "measured", "tpot", "flop-per-s", "bytes-per-s", "memory-bytes",
    ),
    ("scaleout", LLAMA, "h100"): (
        "gpus", "gpus-per-node", "link-inside", "link-across", "link-efficiency", "efficiency", "global-batch", "tokens", "pue", "sequence",
    ),
    ("scaleout", LLAMA, "h100", "--tokens", "1e12"): ("pue",),
    ("scaleout", LLAMA, "h100", "--job", "infer"): ("batch", "context", "gpus", "efficiency", "global-batch", "tokens", "price-per-hour", "pue"),
    ("hierarchy", "h100"): ("size",),
    ("hardware", "h100"): ("batch", "context", "ttft", "tpot"),
}  # fmt: skip


@pytest.mark.parametrize(("command", "option"), [(command, option) for command, options in NUMBERS.items() for option in options])
def test_what_is_no_such_number_is_told_in_one_line(command: tuple[str, ...], option: str) -> None:
    """Nothing, NaN, infinity, zero, text and numbers that overflow end with exit code 2, one line on stderr, nothing on stdout."""
    for value in NO_NUMBERS:
        code, out, err = call(*command, f"--{option}={value}", "--json")
        assert (code, out) == (2, ""), (value, err)
        assert err.startswith("wallviz: ")
        assert err.count("\n") == 1
        assert len(err) < 400


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("roofline", "llama", "h100"), "ambiguous"),
        (("roofline", "", "h100"), "no model is called"),
        (("roofline", LLAMA, ""), "no chip is called"),
        (("roofline", LLAMA, "own"), "--flop-per-s"),
        (("roofline", LLAMA, "groqchip-1"), "choose another chip"),
        (("roofline", "bert-base", "h100"), "generates no tokens"),
        (("roofline", LLAMA, "h100", "--activations", "fp2"), "--activations"),
        (("roofline", LLAMA, "h100", "--flop-per-s", "1e30"), "from 1"),
        (("scaleout", LLAMA, "h100", "--tensor-parallel", "3"), "multiple of 3"),
        (("scaleout", LLAMA, "h100", "--price-per-hour", "nan", "--tokens", "1e12"), "--price-per-hour"),
        (("scaleout", LLAMA, "h100", "--price-per-hour", "2"), "give tokens"),
        (("scaleout", LLAMA, "geforce-256-ddr"), "GB/s"),
        (("scaleout", "bert-base", "h100", "--job", "infer"), "generates no tokens"),
        (("hierarchy", "空"), "no machine"),
        (("hierarchy", "--size", ""), "needs a machine"),
        (("hierarchy", "h100", "--size", "1 GiBB"), "no size"),
        (("hierarchy", "h100", "--basis", ""), "choose one of"),
        (("hardware", "h100", "--kv", "fp3"), "no KV cache format"),
        (("hardware", "h100", "--weights", "fp3"), "no weight format"),
        (("hardware", "h100", "--price", "H100=NaN"), "H100=25000"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_what_cannot_be_answered_is_told_in_one_line(arguments: tuple[str, ...], says: str) -> None:
    """Unknown and ambiguous names, absent figures, indivisible parallelism: exit code 2 and one line that says what to do."""
    code, out, err = call(*arguments, "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_chip_named_twice_is_compared_once() -> None:
    """Names of one chip are one column."""
    code, out, _err = call("hardware", "h100", "H100", "h100-sxm5", "--json")
    assert code == 0
    assert strict(out)["id"] == "h100-sxm5"


# -------------------------------------------------------------------------------------------------------------- Python API

ODD: tuple[Any, ...] = (
    math.nan, math.inf, -1, 0, 1e99, 10**400, "x", b"x", "", [], [1, 2], [[1], [1, 2]], {}, set(), object(), 1 + 2j,
    np.array([1.0, np.nan]), np.array([]), np.array(["a"]), np.float64(np.nan), lambda: 1,
)  # fmt: skip
WORDS = ("phase", "weights", "kv", "activations", "kernels", "recompute", "accumulate", "half_square", "vectors", "nonsense")


def _roofline(name: str) -> Callable[[Any], object]:
    return lambda value: report.record(wallviz.roofline(LLAMA, "h100", **{name: value}))


def _scaleout(name: str, **given: Any) -> Callable[[Any], object]:
    def ask(value: Any) -> object:
        found: Any = wallviz.scaleout(LLAMA, "h100", **{name: value}, **given)
        return record.serving(found) if given.get("job") == "infer" else record.training(found)

    return ask


ASKED: dict[str, Callable[[Any], object]] = {
    "chip": wallviz.chip,
    "model": wallviz.model,
    "hierarchy": wallviz.hierarchy,
    "size": lambda value: wallviz.hierarchy("h100", value),
    "basis": lambda value: wallviz.hierarchy("h100", basis=value),
    "roofline": lambda value: wallviz.roofline(value, "h100"),
    "roofline on": lambda value: wallviz.roofline(LLAMA, value),
    "scaleout": lambda value: wallviz.scaleout(value, "h100"),
    "scaleout on": lambda value: wallviz.scaleout(LLAMA, value),
    "own peak": lambda value: roof.own_chip(value, 1e12),
    "own bandwidth": lambda value: roof.own_chip(1e15, value),
    "own memory": lambda value: roof.own_chip(1e15, 1e12, value),
    "a chip by hand": lambda value: wallviz.roofline(LLAMA, replace(wallviz.chip("h100"), memory_bytes_per_s=value)),
    "precision": lambda value: roof.roof(wallviz.chip("h100"), value),
    **{f"roofline {name}": _roofline(name) for name in WORDS},
    **{
        f"roofline {name}": _roofline(name)
        for name in ("batch", "context", "tensor_parallel", "encoder_context", "bytes_per_s", "measured_tokens_per_s", "tpot_target_s")
    },
    **{
        f"scaleout {name}": _scaleout(name)
        for name in ("gpus", "job", "gpus_per_node", "overlap", "link_inside", "link_efficiency", "efficiency", "global_batch", "tokens", "pue",
                     "micro_batch", "sequence", "precision", "recompute", "tensor_parallel", "sequence_parallel", "dropout", "half_square",
                     "kernels", "nonsense")
    },
    "scaleout price": lambda value: _scaleout("price_per_hour", tokens=1e12)(-1 if isinstance(value, int) else value),
    **{
        f"serving {name}": _scaleout(name, job="infer")
        for name in ("gpus", "batch", "context", "weights", "kv", "kernels", "efficiency", "overlap", "tokens", "sequence")
    },
    **{f"work {field.name}": lambda value, name=field.name: rating.Work(**{name: value}) for field in fields(rating.Work)},
}  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_no_such_value_is_an_input_error(asked: str) -> None:
    """Whatever is handed over instead of a name, a number or a word raises InputError, one short sentence, and no other exception."""
    for value in ODD:
        with pytest.raises(InputError) as error:
            ASKED[asked](value)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 700


def test_arrays_are_answered_where_a_formula_takes_them() -> None:
    """What is refused is one NaN among numbers, never an array of numbers that all make sense."""
    chip, model = wallviz.chip("h100"), wallviz.model(LLAMA)
    assert np.shape(step(model, chip, batch=np.array([1, 2, 4])).time_s) == (3,)
    assert np.shape(budget(1e12, np.array([1e6, 2e6]), np.array([8, 16])).seconds) == (2,)
    with pytest.raises(InputError):
        step(model, chip, batch=np.array([1, np.nan]))


# ------------------------------------------------------------------------------------------------ valid extremes, answered


def test_every_corner_is_finite_or_a_sentence() -> None:
    """Any preset on any chip, any phase, batches and contexts from 1 to the largest: finite numbers in JSON, or one sentence; never a warning."""
    draw = random.Random(7)
    presets, every = list(catalog.presets()), list(catalog.chips())
    answered = 0
    for _turn in range(150):
        model, chip = draw.choice(presets), draw.choice(every)
        batch, context = draw.choice((1, 3, 65_536, 10**12)), draw.choice((1, 7, 131_072, 10**12))
        asks: tuple[Callable[[], Any], ...] = (
            lambda m=model, c=chip, b=batch, s=context: report.record(
                wallviz.roofline(m, c, phase=draw.choice(("prefill", "decode", "train")), batch=b, context=s, measured_tokens_per_s=1e9)
            ),
            lambda m=model, c=chip: record.training(
                wallviz.scaleout(m, c, gpus=draw.choice((1, 8, 10**6)), zero=draw.choice((0, 1, 2, 3)), sequence=draw.choice((1, 8192)), tokens=1e24)  # type: ignore[arg-type]
            ),
            lambda m=model, c=chip: record.serving(wallviz.scaleout(m, c, job="infer", gpus=draw.choice((1, 10**6)), batch=draw.choice((1, 10**6)))),  # type: ignore[arg-type]
            lambda c=chip: wallviz.hierarchy(c, draw.choice((1, 1e24))).as_dict(),
        )
        for ask in asks:
            try:
                found = ask()
            except InputError:
                continue
            answered += 1
            assert not list(endless(found)), (model, chip)
    assert answered > 300


# ------------------------------------------------------------------------------------------------------------------- links

HOSTILE = ("", "NaN", "-1", "1e99", "空", "x" * 10_000, "<script>alert(1)</script>", "1 GiBB", "{x}", "\x00", "a,b,c", "9" * 18)


def _told(room: str, case: Job, view: Any) -> None:
    """Asks for everything that the page shows and saves."""
    answer = ROOMS[room].answer(case, view)
    assert answer.sentence
    assert isinstance(answer.why + answer.how_sure, str)
    assert not list(endless([dict(row) for row in answer.table]))
    if answer.spec:
        strict(answer.spec)
    document = strict(ROOMS[room].document(case, view))
    assert document["case"] == asdict(case)
    assert document["view"] == json.loads(json.dumps(asdict(view)))


@pytest.mark.parametrize("room", ROOMS)
def test_every_choice_has_its_place_in_the_link(room: str) -> None:
    """What a reader can choose and what an address can say are the same."""
    assert list(of(ROOMS[room].View)) == [field.name for field in fields(ROOMS[room].View)]


@pytest.mark.parametrize(("room", "name"), [(room, name) for room, module in ROOMS.items() for name in (*shared.SETTINGS, *of(module.View))])
def test_every_parameter_survives_every_text(room: str, name: str) -> None:
    """Any text for any setting of the room or of the job is read, or refused with a sentence; what was read is answered."""
    own = of(ROOMS[room].View)
    setting = own.get(name) or shared.SETTINGS[name]
    for text in HOSTILE:
        try:
            if len(text) > setting.longest:
                continue
            value = setting.parse(text)
        except InputError as refused:
            said = str(refused)
        else:
            said = ""
            case, view = Job(), ROOMS[room].View()
            _told(room, *((case, replace(view, **{name: value})) if name in own else (replace(case, **{name: value}), view)))
        assert len(said) < 700


@pytest.mark.parametrize("room", ROOMS)
def test_choices_combine(room: str) -> None:
    """Any case with any two of its further choices and any two of those of a page has an answer, a table and a document."""
    draw = random.Random(3)
    presets, every, module = list(catalog.presets()), list(catalog.chips()), ROOMS[room]
    further = [setting for name, setting in SETTINGS.items() if name not in WHO]
    for _turn in range(4 if room == "chips" else 40):
        jobs, batches, contexts = ("infer", "train", "finetune"), (1, 65_536), (1, 8192, 16_777_216)
        case = Job(
            model=draw.choice(presets),
            job=draw.choice(jobs),
            batch=draw.choice(batches),
            context=draw.choice(contexts),
            chip=draw.choice(every),
            chips=draw.choice((1, 3, 8)),
        )
        view = replace(module.View(), **_drawn(draw, list(of(module.View).values())))
        _told(room, replace(case, **_drawn(draw, further)), view)


def _drawn(draw: random.Random, settings: list[Setting]) -> dict[str, Any]:
    """Two of the settings, each with a number that it takes or one of its words, as an address spells it."""
    found = {}
    for setting in draw.sample(settings, 2):
        texts = [*map(setting.format, setting.words)] or [text for text in ("0", "1", "2", "64") if _reads(setting, text)]
        if texts:
            found[setting.name] = value = setting.parse(draw.choice(texts))
            assert setting.parse(setting.format(value)) == value
    return found


def _reads(setting: Setting, text: str) -> bool:
    try:
        setting.parse(text)
    except InputError:
        return False
    return True


@pytest.mark.parametrize(
    ("room", "case", "view"),
    [
        ("hierarchy", Job(), hierarchy.View(size="1e24")),
        ("hierarchy", Job(model="vit-base"), hierarchy.View(size="kv")),
        ("roofline", Job(job="train", batch=65_536, context=16_777_216, kernels="eager"), roofline.View()),
        ("roofline", Job(model="bert-base"), roofline.View()),
        ("chips", Job(model="bert-base"), chips.View(compare=("nope",), prices="H100 NaN; 空 5")),
    ],
)  # fmt: skip
def test_what_is_saved_is_json(room: str, case: Job, view: Any) -> None:
    """Numbers beyond 64 bits, a cache that a model does not keep, encoders: the document is written, with the reason where a number is absent."""
    document = strict(ROOMS[room].document(case, view))
    assert document["view"] == json.loads(json.dumps(asdict(view)))
    steps = document.get("steps", {})
    assert all(one["reason"] for one in steps.values())
    assert "ladder" not in document or document["ladder"].get("size_bytes") or document["ladder"]["reason"]


def test_one_own_number_stands_in_for_the_chips() -> None:
    """A peak or a bandwidth typed alone changes the roof, and the answer names it."""
    default = strict(roofline.document(Job(), roofline.View()))["steps"]["decode"]
    slower = strict(roofline.document(Job(), roofline.View(bandwidth=1000)))["steps"]["decode"]
    assert slower["bandwidth_bytes_per_s"] == 1e12
    assert slower["peak_flop_per_s"] == default["peak_flop_per_s"]
    assert "1,000" in slower["hardware"]
    geforce = strict(roofline.document(Job(chip="geforce-rtx-4090"), roofline.View(peak=100)))["steps"]["decode"]
    assert geforce["peak_flop_per_s"] == 1e14
    code, out, _err = call("roofline", LLAMA, "geforce-rtx-4090", "--flop-per-s", "1e14", "--json")
    assert (code, strict(out)["peak_flop_per_s"]) == (0, 1e14)


def test_a_document_says_how_long_the_prompt_is() -> None:
    """The prompt of the link, not the case's context, stands beside its time."""
    steps = strict(roofline.document(Job(context=8192, prompt=512), roofline.View()))["steps"]
    assert (steps["prefill"]["context"], steps["decode"]["context"]) == (512, 8192)


@pytest.mark.parametrize(
    ("room", "query"),
    [
        ("roofline", {"peak": "-1", "bandwidth": "NaN", "others": "nope," * 50, "config": "<b>x</b>", "tpot": "0"}),
        ("roofline", {"chip": "groqchip-1", "model": "vit-base", "tensor_parallel": "3"}),
        ("scaleout", {"gpus": "1e9", "sequences": "0", "price_cents": "NaN", "tensor_parallel": "7", "show": "空"}),
        ("scaleout", {"chip": "intel-486dx2-66", "model": "bert-base", "chips": "0"}),
        ("hierarchy", {"size": "NaN", "machine": "空", "families": "a," * 60, "misses": "10001"}),
        ("chips", {"compare": "空,h20", "prices": "H20 NaN", "ttft": "-1", "batch": "1e99"}),
    ],
)
def test_a_page_survives_its_link(room: str, query: dict[str, str]) -> None:
    """A page that is asked for nonsense says so, and shows what is left."""
    app = open_page(room, **query)
    assert not app.exception
    (sentence,) = [text.value for text in app.markdown if text.value.startswith("#### ")]
    assert app.warning or app.info or "choose" in sentence


def test_a_chip_without_figures_is_still_a_chip() -> None:
    """A chip of which nothing is known is answered with sentences, not with divisions by nothing."""
    empty = Accelerator("none", "None", "", "gpu", wallviz.chip("h100").release_date)
    for ask in (lambda: wallviz.roofline(LLAMA, empty), lambda: wallviz.scaleout(LLAMA, empty), lambda: roof.roof(empty)):
        with pytest.raises(InputError):
            ask()
    assert roof.ridges(empty) == {}
