"""Step 8: what can be done, what it buys and when it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from wallviz import catalog, units
from wallviz.engine.remedies import low_precision, published, search
from wallviz.i18n import N_
from wallviz.job import Job
from wallviz.rooms.bound import bound, tokens_per_s
from wallviz.rooms.footprint.formula import states
from wallviz.rooms.footprint.need import estimate
from wallviz.rooms.job import model_name
from wallviz.rooms.remedies import choices
from wallviz.rooms.remedies.steps import chosen_steps, planned
from wallviz.story import Choice, Guess, Notes, Step, Try, once_a_language
from wallviz.story.training import activations

JOB = Job(job="train", chips=64)
APPLIED = ("zero-1", "full-recompute")
"""The remedies of the figure."""
FOUR = Job(format="awq-4")
TRIALS = 243
"""Of a search for good settings: hundreds, as the article says, and a power of how many of them go on."""
MANY = 1_000_000
"""So many GPUs that what each holds of a shard is nothing."""


def times_smaller(stage: int, gpus: int) -> float:
    """By how much ZeRO of a stage makes the states of one GPU smaller."""
    whole, shared = (sum(states(estimate(job)).values()) for job in (replace(JOB, chips=1), replace(JOB, chips=gpus, zero=stage)))
    return whole / shared


def _power_of_two(value: float) -> str:
    return "2" + f"{round(np.log2(value))}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _percent(share: float | None) -> str:
    return f"{units.significant(100.0 * (share or 0.0), 2)}%"


@once_a_language
def _facts() -> Mapping[str, str]:
    view = choices.View(apply=APPLIED)
    found = planned(JOB, choices.View())
    steps = chosen_steps(found, view).steps
    last = steps[-1].after or steps[-1].before
    gradients = (2.0**view.median, float(view.spread))
    fp16, e4m3, e5m2 = (low_precision.FORMATS[name] for name in ("fp16", "e4m3", "e5m2"))
    scale = low_precision.best_scale(fp16, *gradients)
    board = published.scoreboard(catalog.evidence().values())
    new, old = (
        next(q.ratio for q in board if q.model == model and q.format.casefold() == "q2_k" and not q.imatrix) for model in ("Llama-3-8B", "Llama-2-7B")
    )
    pruned = {row.setting: row for row in catalog.evidence().values() if row.remedy == "pruning" and row.metric == "perplexity"}
    alone = estimate(replace(JOB, chips=1))
    held = [part / float(alone.arch.parameters) for part in states(alone).values()]
    each, optimizer = sum(held), sum(held[2:])
    magnitude, wanda = (pruned[f"LLaMA-7B 50% {how}"] for how in ("magnitude", "Wanda"))
    return {
        "model": model_name(JOB),
        "rate": units.significant(tokens_per_s(Job(), bound(Job()))),
        "rate_four": units.significant(tokens_per_s(FOUR, bound(FOUR))),
        "gpus": f"{JOB.chips:,}",
        "one_limit": units.significant(times_smaller(1, MANY), 1),
        "two_limit": units.significant(times_smaller(2, MANY), 1),
        "one": units.significant(times_smaller(1, JOB.chips)),
        "each": units.significant(each, 2),
        "optimizer": units.significant(optimizer, 2),
        "each_one": units.significant(each / times_smaller(1, JOB.chips), 2),
        "alone": units.binary(alone.total_bytes),
        "two": units.significant(times_smaller(2, JOB.chips)),
        "before": units.binary(found.now.bytes),
        "after": units.binary(last.bytes),
        "slower": f"{last.time_s / found.now.time_s - 1.0:.0%}",
        "activations": units.binary(activations(JOB)),
        "activations_again": units.binary(activations(replace(JOB, recompute="full"))),
        "lost": f"{float(low_precision.underflow(fp16, *gradients)):.1%}",
        "scale": _power_of_two(2.0**scale),
        "lost_scaled": f"{float(low_precision.underflow(fp16, *gradients, 2.0**scale)):.1%}",
        "largest": units.significant(e4m3.largest),
        "smallest": _power_of_two(e5m2.smallest),
        "two_bits_new": units.times(new),
        "two_bits_old": units.times(old),
        "magnitude": _percent(published.loss(magnitude)),
        "wanda": _percent(published.loss(wanda)),
        "trials": f"{TRIALS:,}",
        "runs": units.significant(float(search.halving_runs(TRIALS, view.eta)), 2),
        "bandwidth": units.si(found.setup.chip.memory_bytes_per_s or 0.0, "B/s"),
    }


STEP = Step(
    id="remedies",
    title=N_("The remedies"),
    standfirst=N_("Every remedy saves bytes and pays for them: with traffic, arithmetic, digits or certainty."),
    guess=Guess(
        N_(
            "Of the {each} bytes a parameter in training {optimizer} are the optimizer's. ZeRO's first stage shares those over {gpus} GPUs. How "
            "many times less does each hold?"
        ),
        (Choice(N_("{gpus} times, one share each")), Choice(N_("{two} times")), Choice(N_("{one} times"), right=True)),
    ),
    facts=_facts,
    explain=(
        N_(
            "First, what saves room. ZeRO's first stage makes it {one_limit} times less at most; with gradients shared too it is {two} times on "
            "{gpus} GPUs, and {two_limit} at most. Recomputation keeps {activations_again} of {activations} of activations and makes the rest "
            "again where it is used: that is locality. Both cost {model} {slower} more time. (A GPU alone needs {alone}; one of many keeps its "
            "gradients for sending, and needs {before}.)"
        ),
        N_(
            "Second, what saves room and reading time: fewer bits. FP16 is robust if the loss is multiplied by {scale} first: then {lost_scaled}"
            " of our gradients are lost as too small, instead of {lost}. FP8 ends at {largest} (E4M3) or starts at {smallest} (E5M2), so each "
            "tensor needs a scale of its own."
        ),
        N_(
            "Serving goes further. Quantized to 4 bits, the model of the first step writes {rate_four} tokens/s instead of {rate}. At two bits "
            "Llama-3-8B has {two_bits_new} its perplexity, a measure of error, and Llama-2-7B "
            "{two_bits_old}. With half of its weights pruned, LLaMA-7B's rises by {magnitude}, or by {wanda} if they are chosen better (Wanda); "
            "only a sparse format then saves bytes. And try less: {trials} trials of settings cost {runs} full runs if the worst stop early."
        ),
    ),
    caveat=N_(
        "None of these moves the wall: the chip stays at {bandwidth}, and only other hardware moves that. Losses of quality hold for the models "
        "named; the gradients are a model of ours."
    ),
    try_it=(
        Try("remedies", {"job": "train", "chips": "64", "apply": ",".join(APPLIED)}, N_("Add a remedy, or take one away")),
        Try("remedies", {"job": "train", "figure": "formats"}, N_("Loss scaling and where FP8 fails")),
        Try("remedies", {"figure": "quality"}, N_("What fewer bits cost")),
        Try("remedies", {"figure": "plane"}, N_("Published successes and failures, pruning among them")),
        Try("remedies", {"figure": "search", "trials": f"{TRIALS}"}, N_("Fewer trials")),
    ),
    notes=Notes(
        N_("The class names for each remedy what it buys, what it costs and when it fails."),
        N_("Your model does not fit by a factor of two. Which remedy do you try first, and what do you pay?"),
        N_(
            "“Over {gpus} GPUs ZeRO makes the model {gpus} times smaller.” Only what is shared shrinks: {one} times with the optimizer's state, "
            "{two} with gradients."
        ),
    ),
    takeaway=N_(
        "ZeRO's first stage turns {each} bytes a parameter into {each_one}, {one} times less; with recomputation {before} become {after} a GPU."
    ),
    term="locality",
    claims=("zero", "locality", "low-precision", "quantization", "pruning", "trials"),
    sources=("zero_2020", "llama_cpp", "wanda_2023", "fp8_lm_2023"),
)
