"""One job, one work, one advice: what one room says of a job, every other room, the command line and the functions say too."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest
from typer.testing import CliRunner

from wallviz import units
from wallviz.cli import app
from wallviz.errors import InputError
from wallviz.job import Job
from wallviz.rooms import Answer, chips, footprint, remedies, roofline, scaleout, start
from wallviz.rooms.advice import advice

#: Training, LoRA, QLoRA, serving; dense, experts, latent attention, hybrid, recurrent, encoder-decoder; one to 512 chips.
JOBS = {
    "serve 8B": Job(),
    "serve 8B, FP8, 64 at once": Job(format="fp8", kv="fp8", batch=64),
    "serve 8B in 4 bits on a 4090": Job(format="awq-4", chip="geforce-rtx-4090", context=4096),
    "serve 8B over 8": Job(chips=8, batch=16),
    "serve 70B over 4": Job(model="llama-3.1-70b", chips=4, batch=8),
    "serve 70B over 4, 200 at once": Job(model="llama-3.1-70b", chips=4, batch=200),
    "serve 70B on one": Job(model="llama-3.1-70b"),
    "serve 70B, two stages": Job(model="llama-3.1-70b", chips=8, pipeline_parallel=2, batch=32),
    "serve 70B, two copies": Job(model="llama-3.1-70b", chips=8, replicas=2, batch=32),
    "serve Mixtral": Job(model="mixtral-8x7b", chips=2, batch=32),
    "serve DeepSeek V3": Job(model="deepseek-v3", chips=16, chip="h200-sxm", batch=64),
    "serve Mixtral over experts": Job(model="mixtral-8x7b", chips=4, expert_parallel=4, batch=32),
    "serve 8B with transformers": Job(chips=2, engine="hf", prompt=512, batch=4),
    "serve 8B, 2:4": Job(sparsity="2:4"),
    "serve Qwen 3 MoE": Job(model="qwen3-30b-a3b", batch=4),
    "serve Mamba 2": Job(model="mamba2-2.7b", batch=64),
    "serve Gemma 3": Job(model="gemma-3-27b", context=32_768),
    "serve Flan-T5": Job(model="flan-t5-xxl", context=512, batch=8),
    "serve GPT-2 over 8": Job(model="gpt2", chips=8, context=1024),
    "train 8B on one": Job(job="train"),
    "train 8B on 8, ZeRO-3": Job(job="train", chips=8, zero=3),
    "train 8B on 64": Job(job="train", chips=64, zero=1, recompute="full", sequences=256),
    "train 8B, small batches": Job(job="train", chips=8, zero=2, batch=4, context=2048, accumulation=4),
    "train 70B on 64": Job(job="train", model="llama-3.1-70b", chips=64, chip="h200-sxm", zero=3, recompute="full"),
    "train 70B on 512": Job(job="train", model="llama-3.1-70b", chips=512, tensor_parallel=8, pipeline_parallel=4, zero=1, sequences=1024),
    "train Mixtral on 32": Job(job="train", model="mixtral-8x7b", chips=32, context=4096, zero=3, expert_parallel=8),
    "train DeepSeek V3 on 512": Job(job="train", model="deepseek-v3", chips=512, context=4096, zero=3, expert_parallel=32),
    "train Mamba 2": Job(job="train", model="mamba2-2.7b", context=2048, chips=4),
    "train T5": Job(job="train", model="t5-large", context=512, batch=8),
    "train BERT": Job(job="train", model="bert-large", context=512, batch=32),
    "train GPT-2 in fp32": Job(job="train", model="gpt2", context=1024, precision="fp32"),
    "LoRA 8B on a 4090": Job(job="finetune", chip="geforce-rtx-4090"),
    "QLoRA 8B on a 4090": Job(job="finetune", chip="geforce-rtx-4090", method="qlora"),
    "LoRA 70B on 8": Job(job="finetune", model="llama-3.1-70b", chips=8, zero=3, rank=64, context=4096),
    "QLoRA Mixtral": Job(job="finetune", model="mixtral-8x7b", method="qlora", context=2048),
    "serve as many as may fit": Job(batch=49),
    "serve more than surely fits": Job(batch=60),
    "serve 32B on one": Job(model="qwen3-32b"),
    "full fine-tuning of 8B": Job(job="finetune", method="full", chips=8, zero=3, recompute="full"),
}
ROOMS = {
    "start": start.answer,
    "footprint": lambda job: footprint.answer(job, footprint.View()),
    "roofline": lambda job: roofline.answer(job, roofline.View()),
    "scaleout": lambda job: scaleout.answer(job, scaleout.View()),
    "remedies": lambda job: remedies.answer(job, remedies.View()),
    "chips": lambda job: chips.answer(job, chips.View()),
}
#: Which rooms say which number, and how a sentence writes it.
SAID = {
    "bytes": ("start", "footprint", "scaleout", "remedies", "chips"),
    "bound_tokens_per_s": ("start", "roofline", "chips"),
    "tokens_per_s": ("scaleout", "remedies"),
}


@cache
def answers(name: str) -> dict[str, Answer]:
    return answers_of(JOBS[name])


def answers_of(job: Job) -> dict[str, Answer]:
    return {room: ask(job) for room, ask in ROOMS.items()}


def writes(job: Job) -> bool:
    return job.model not in ("bert-large",) or not job.serves


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("fact", SAID)
def test_every_room_says_the_same_number(name: str, fact: str) -> None:
    """The same job takes the same bytes and the same time in every room."""
    found = {room: answers(name)[room].facts.get(fact) for room in SAID[fact]}
    assert None not in found.values(), found
    first = found[SAID[fact][0]]
    assert first is not None
    assert all(value == pytest.approx(first, rel=1e-9) for value in found.values()), found


@pytest.mark.parametrize("name", JOBS)
def test_what_is_expected_is_no_faster_than_the_bound(name: str) -> None:
    """With links and what kernels reach a job is slower than its bound: the two numbers are never confused."""
    bound, about = answers(name)["roofline"].facts["bound_tokens_per_s"], answers(name)["scaleout"].facts["tokens_per_s"]
    chips = 1 if JOBS[name].serves else JOBS[name].chips  # training's bound is of one chip
    assert about < bound * chips


@pytest.mark.parametrize("name", JOBS)
def test_every_room_says_the_same_first_advice(name: str) -> None:
    """Where it does not fit, footprint, remedies and scale-out offer the same change first; where it does, none says that it does not."""
    found = answers(name)
    asked = advice(JOBS[name])
    needs_help = asked is not None and not asked.fits
    if not needs_help:
        assert found["footprint"].trust == "green"
        assert not any("fit" in found[room].sure and "not" in found[room].sure for room in ("remedies", "scaleout"))
        return
    first = {room: found[room].advice for room in ("footprint", "remedies", "scaleout")}
    assert len(set(first.values())) == 1, first
    sets = {room: [action.sets for action in found[room].actions if action.enough] for room in ("footprint", "scaleout")}
    assert sets["footprint"][:1] == sets["scaleout"][:1]


#: Words of a badge or a sentence that say that a job does not fit, by room.
UNHELD = {
    "start": lambda found: found.sentence.startswith("If "),
    "footprint": lambda found: found.trust in ("red", "orange"),
    "roofline": lambda found: found.sure in ("does not fit", "may not fit"),
    "scaleout": lambda found: found.sure in ("does not fit memory", "may not fit memory"),
    "remedies": lambda found: found.sure in ("does not fit", "may not fit"),
    "chips": lambda found: " hold " in found.sentence and ("cannot hold" in found.sentence or "may not hold" in found.sentence),
}


@pytest.mark.parametrize("name", JOBS)
def test_every_room_says_alike_whether_it_fits(name: str) -> None:
    """One definition of what fits, the error of the estimate included: no room shows as possible what another says may run out of memory."""
    found = {room: says(answers(name)[room]) for room, says in UNHELD.items()}
    assert len(set(found.values())) == 1, found


@pytest.mark.parametrize("name", JOBS)
def test_the_sentences_hold_the_numbers(name: str) -> None:
    """The bytes of the footprint and the bound of start and roofline stand in their sentences as they were computed."""
    found = answers(name)
    assert units.binary(found["footprint"].facts["bytes"]) in found["footprint"].sentence
    for room in ("start", "roofline"):
        assert units.significant(found[room].facts["bound_tokens_per_s"]) in found[room].sentence


def test_the_command_line_gives_the_same_advice_at_the_same_price() -> None:
    """`fit` is the footprint page's advice: the same bytes, changes, time and quality, in the same order."""
    typed = [
        ["--job", "train", "--context", "8192"],
        ["--job", "finetune", "--method", "lora", "--context", "8192"],
        ["--job", "infer", "--context", "8192"],
    ]
    for options, job in zip(typed, (Job(job="train"), Job(job="finetune"), Job(model="llama-3.1-70b")), strict=True):
        written = CliRunner().invoke(app, ["fit", job.model, "--hardware", "H100", *options, "--json"])
        document = json.loads(written.stdout)
        asked = advice(job)
        assert asked is not None
        assert document["needs_bytes"] == round(answers_of(job)["footprint"].facts["bytes"])
        said = [(fix["remedies"], fix["gpus"], fix["time"], fix["quality"]) for fix in document["fixes"]]
        assert said == [(list(fix.changes), fix.gpus, fix.time and round(fix.time, 3), round(fix.quality, 6)) for fix in asked.fixes]


def test_a_format_that_is_chosen_in_one_room_is_the_format_of_every_room() -> None:
    """FP8 is FP8 everywhere: each room's numbers change with it."""
    plain, eight = Job(batch=8), Job(batch=8, format="fp8")
    for room, ask in ROOMS.items():
        assert ask(plain).facts != ask(eight).facts, room


def test_what_cannot_run_is_said_by_every_room_in_one_sentence() -> None:
    """A split that does not divide is refused alike, and by no exception."""
    odd = replace(JOBS["serve 70B over 4"], chips=3, tensor_parallel=3)
    said = {room: ask(odd).sentence for room, ask in ROOMS.items() if room != "chips"}
    assert len(set(said.values())) == 1, said
    with pytest.raises(InputError):
        footprint.estimate(odd)
