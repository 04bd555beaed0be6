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
    one, token, chip = train.job.step, serve.job.step, train.chip
    inside, across = float(train.job.fabric.inside_bytes_per_s), float(train.job.fabric.across_bytes_per_s)
    memory, peak = float(chip.memory_bytes_per_s or 0.0), float(chip.fp16_flop_per_s or 0.0)
    fast, slow = serve.tokens_per_s(HALF), float(token.tokens_per_s)
    return {
        "model": model_name(TRAINING),
        "chip": chip_name(TRAINING).partition(" (")[0],
        "memory": units.si(memory, "B/s"),
        "inside": units.si(inside, "B/s"),
        "inside_times": units.times(memory / inside),
        "across": units.si(across, "B/s"),
        "across_times": units.times(memory / across),
        "chips": f"{TRAINING.chips:,}",
        "sequences": f"{TRAINING.sequences:,}",
        "sent": units.si(float(sum(one.bytes_on_wire.values())), "B"),
        "step": units.duration(float(one.step_s)),
        "waiting": units.duration(float(one.waiting_s)),
        "computing": f"{float(one.efficiency):.0%}",
        "stop": f"{train.job.pays_up_to:,}",
        "small": f"{train.tokens_per_chip:,.0f}",
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
        N_("{few} chips write one answer of {model} at {fast} tokens/s. And {many} chips?"),
        (
            Choice(N_("{double} tokens/s, twice as fast")),
            Choice(N_("{fast} tokens/s, no faster")),
            Choice(N_("{slow} tokens/s, slower"), right=True),
        ),
    ),
    facts=_facts,
    explain=(
        N_(
            "If one chip's memory is too small or too slow, take many. Then they have to talk, and there the wall is higher still. {chip} reads its "
            "own memory at {memory}; to a chip in the same machine it sends {inside}, {inside_times} less, and to another machine {across}, "
            "{across_times} less."
        ),
        N_(
            "So it pays only where there is much arithmetic for little traffic. Training {sequences} long sequences on {chips} chips, each sends "
            "{sent} a step, all of it to add up gradients, an all-reduce; it waits {waiting} of {step} and is computing for {computing} of the time. "
            "Doubling pays up to {stop} chips. Give each only {small} tokens, and the curve bends early."
        ),
        N_(
            "There is a rule behind it: gradients go unnoticed from {tokens_inside} tokens a chip on inside a machine, {tokens_across} across, the "
            "chip's FLOP/s over its link's bytes. Writing one answer has one token. {many} chips spend {token_waiting} of each {token} waiting, and "
            "are slower than {few}."
        ),
    ),
    caveat=N_(
        "Links are taken at a share of their rate that large messages reach; stragglers, failures and other traffic are left out. Frameworks hide "
        "part of the gradients behind the backward pass, which moves the bend, not its cause."
    ),
    try_it=(
        Try("scaleout", dict(_TRAINING), N_("More chips, slower links, shorter sequences")),
        Try("scaleout", {"chips": "8"}, N_("Writing one answer on more chips")),
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
