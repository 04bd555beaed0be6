"""Step 4: what training holds beside the weights."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.engine.memory.peak import Training
from wallviz.i18n import N_
from wallviz.job import Job
from wallviz.rooms.footprint.formula import states
from wallviz.rooms.footprint.need import estimate
from wallviz.rooms.growth.training import activations_over_weights
from wallviz.rooms.job import chip_name
from wallviz.rooms.remedies import batch
from wallviz.rooms.remedies import choices as remedies
from wallviz.story import Choice, Guess, Notes, Step, Try, once_a_language

JOB = Job(job="train")


def activations(job: Job) -> float:
    """Bytes of the activations when they are most."""
    result = estimate(job).result
    return max(float(parts["activations"]) for parts in result.phase_parts.values()) if isinstance(result, Training) else 0.0


@once_a_language
def _facts() -> Mapping[str, str]:
    now = estimate(JOB)
    P = float(now.arch.parameters)
    held = states(now)
    weights, gradients, master, moments = held.values()
    least, most = activations_over_weights()
    runs = batch.whole_runs(JOB, remedies.View())
    return {
        "model": now.arch.name,
        "weights": units.binary(weights),
        "weights_gb": units.si(weights, "B"),
        "twice": units.binary(weights + gradients),
        "states": units.binary(sum(held.values())),
        "states_times": units.claimed(round(sum(held.values()) / weights, 2)),
        "each_weight": units.significant(weights / P, 1),
        "each_gradient": units.significant(gradients / P, 1),
        "each_master": units.significant(master / P, 1),
        "each_moments": units.significant(moments / P, 1),
        "each_optimizer": units.significant((master + moments) / P, 2),
        "each": units.significant(sum(held.values()) / P, 2),
        "activations": units.binary(activations(JOB)),
        "context": f"{JOB.context:,}",
        "total": units.binary(now.total_bytes),
        "total_times": units.times(now.total_bytes / weights),
        "chip": chip_name(JOB).partition(" (")[0],
        "holds": units.binary(float(now.capacity_bytes or 0.0)),
        "printed_least": units.significant(least, 2),
        "printed_most": units.significant(most, 2),
        "run_tokens": units.count(float(runs.tokens[runs.best])),
        "steps": units.count(float(runs.steps[runs.best])),
        "run_moved": units.si(float(runs.moved_bytes[runs.best]), "B"),
    }


STEP = Step(
    id="training",
    title=N_("Training needs a multiple of the model"),
    standfirst=N_("Training holds the weights several times over, and what every layer computes on the way."),
    guess=Guess(
        N_(
            "The weights of {model} take {weights} in 16 bits. How much do you hold to train it with Adam, the usual optimizer, before any "
            "data comes in?"
        ),
        (
            Choice(N_("{weights}, the weights")),
            Choice(N_("{twice}, with the gradients")),
            Choice(N_("{states}, with all that Adam keeps"), right=True),
        ),
    ),
    facts=_facts,
    explain=(
        N_(
            "Serving needs the weights, {each_weight} bytes a parameter. Training also holds gradients ({each_gradient} bytes), a master copy in"
            " 32 bits ({each_master}) and two running averages that the optimizer Adam keeps ({each_moments}). That is {each} bytes a parameter,"
            " {states_times} the weights, {each_optimizer} of them for the optimizer. Mixed precision means 16 bits to compute with, 32 to add "
            "up in."
        ),
        N_(
            "Then come activations, what layers keep for the way back: {activations} for {context} tokens, more if you feed more. In the figure "
            "“loss” is a score for every possible word (logits), “overhead” what the software takes. The peak is {total}; {chip} holds {holds}. "
            "Gradients come after it: in the second bar they complete the {states}."
        ),
        N_(
            "And training is hungry for data. A whole run takes hundreds of thousands of steps and moves {run_moved} (million TB) between chip "
            "and memory. Learning as much from half the data would halve that: data efficiency is bandwidth saved."
        ),
    ),
    caveat=N_(
        "In the article activations add three to four times the parameters, in its own table {printed_least} to {printed_most} times: the "
        "batch decides. {weights} is {weights_gb}: “One token” left out the table of words. The run is our estimate: {steps} steps, "
        "{run_tokens} tokens."
    ),
    try_it=(
        Try("footprint", {"job": "train", "show": "timeline"}, N_("Change batch, context and optimizer")),
        Try("footprint", {"job": "train", "show": "article"}, N_("The article's own table")),
        Try("remedies", {"job": "train", "figure": "batch"}, N_("Bytes of a whole run by batch")),
    ),
    notes=Notes(
        N_("The class derives {each} bytes a parameter on the board, and knows what comes on top."),
        N_("Which of the {each} bytes could you do without, and what would break?"),
        N_("“If it runs, I can train it.” Before the first activation training holds {states_times} what serving does."),
    ),
    takeaway=N_(
        "Training {model} takes {total} at its worst moment, {total_times} its 16-bit weights; without activations it is {each} bytes a parameter."
    ),
    term="mixed_precision",
    claims=("training-memory", "activations", "data-hungry", "data-efficiency"),
    sources=("zero_2020",),
)
