"""Step 7: many chips, and what they wait for."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.engine.scaleout.critical import tokens_per_chip
from wallviz.engine.scaleout.phrases import rate
from wallviz.i18n import N_
from wallviz.job import Job
from wallviz.rooms import scaleout
from wallviz.rooms.job import chip_name, model_name
from wallviz.rooms.scaleout.over_chips import served, study
from wallviz.story import Choice, Guess, Notes, Step, Try, once_a_language

_TRAINING = {"job": "train", "chips": "64", "context": "4096", "sequences": "256", "zero": "1", "recompute": "full"}
TRAINING = Job(job="train", chips=64, context=4096, sequences=256, zero=1, recompute="full")
SERVING = Job(chips=8)
HALF = SERVING.chips // 2


@once_a_language
def _facts() -> Mapping[str, str]:
    train, serve = study(TRAINING, scaleout.View()), served(SERVING, scaleout.View())
    token, chip = serve.job.step, train.chip
    inside, across = float(train.job.fabric.inside_bytes_per_s), float(train.job.fabric.across_bytes_per_s)
    memory, peak = float(chip.memory_bytes_per_s or 0.0), float(chip.fp16_flop_per_s or 0.0)
    fast, slow = serve.tokens_per_s(HALF), float(token.tokens_per_s)
    return {
        "model": model_name(SERVING),
        "chip": chip_name(SERVING).partition(" (")[0],
        "memory": units.si(memory, "B/s"),
        "inside": units.si(inside, "B/s"),
        "inside_times": units.times(memory / inside),
        "across": units.si(across, "B/s"),
        "across_times": units.times(memory / across),
        "chips": f"{TRAINING.chips:,}",
        "computing": f"{float(train.job.step.efficiency):.0%}",
        "tokens_inside": f"{float(tokens_per_chip(peak, inside)):,.0f}",
        "tokens_across": f"{float(tokens_per_chip(peak, across)):,.0f}",
        "few": f"{HALF:,}",
        "many": f"{SERVING.chips:,}",
        "fast": rate(fast),
        "slow": rate(slow),
        "double": rate(2.0 * fast),
        "token": units.duration(float(token.step_s)),
        "token_waiting": units.duration(float(token.waiting_s + token.bubble_s)),
    }


STEP = Step(
    id="chips",
    title=N_("Many chips, one conversation"),
    standfirst=N_("More chips help as long as each computes for longer than it waits for the others."),
    guess=Guess(
        N_("Spread over {few} chips, {model} writes one answer at {fast} tokens/s. And over {many} chips?"),
        (
            Choice(N_("{double} tokens/s, twice as fast")),
            Choice(N_("{fast} tokens/s, no faster")),
            Choice(N_("{slow} tokens/s, slower"), right=True),
        ),
    ),
    facts=_facts,
    explain=(
        N_(
            "When one chip is too small or too slow, you take many. Then they have to talk, and there the wall is higher still. {chip} reads its own "
            "memory at {memory}. To a chip in the same machine it sends {inside}, {inside_times} slower; to another machine {across}, {across_times} "
            "slower."
        ),
        N_(
            "For one answer every chip reads only its part of the weights. But in every layer all of them add up their results, an all-reduce: "
            "{many} chips spend {token_waiting} of each {token} waiting, and are slower than {few}. More chips pay where there is much "
            "arithmetic for little traffic, as in the upper curves: in training, {chips} chips are computing {computing} of the time."
        ),
        N_(
            "For training there is a rule: with at least {tokens_inside} tokens a chip, sending the gradients takes no longer than computing; "
            "between machines it takes {tokens_across}."
        ),
    ),
    caveat=N_("These speeds are what chips and links reach, not the bounds of earlier steps. Slow chips, failures and other traffic are left out."),
    try_it=(
        Try("scaleout", {"chips": "8"}, N_("Fewer chips, slower links, more answers at once")),
        Try("scaleout", dict(_TRAINING), N_("Training on many chips")),
        Try("scaleout", _TRAINING | {"show": "frontier"}, N_("Compute against communication")),
        Try("scaleout", _TRAINING | {"show": "wire"}, N_("What the wires carry")),
    ),
    notes=Notes(
        N_("The class estimates from FLOP/s, link rate and tokens a chip whether more chips help."),
        N_("You have twice the chips. Do you make the batch larger, or the same batch faster?"),
        N_("“Twice the chips, half the time.” For one answer {many} chips take longer than {few}: {token_waiting} of {token} is waiting."),
    ),
    term="all_reduce",
    claims=("communication-bottleneck", "scale-out"),
)
