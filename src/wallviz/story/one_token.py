"""Step 1: one token, and what a chip waits for while it writes it."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import units
from wallviz.engine.memory.kv_cache import kv_cache_bytes
from wallviz.i18n import N_
from wallviz.job import Job
from wallviz.rooms import start
from wallviz.rooms.bound import bound, tokens_per_s
from wallviz.rooms.job import architecture, chip_name
from wallviz.story import Choice, Guess, Notes, Step, Try, once_a_language

JOB = Job()


@once_a_language
def _facts() -> Mapping[str, str]:
    one, arch = bound(JOB), architecture(JOB)
    limits, tokens = start.ceilings(one), tokens_per_s(JOB, one)
    cache = float(kv_cache_bytes(arch, batch=JOB.batch, context=JOB.context, format=JOB.kv))
    return {
        "model": arch.name,
        "chip": chip_name(JOB).partition(" (")[0],
        "context": f"{JOB.context:,}",
        "moved": units.si(float(one.bytes), "B"),
        "weights": units.si(float(one.bytes) - cache, "B"),
        "cache": units.si(cache, "B"),
        "bandwidth": units.si(one.roof.bytes_per_s, "B/s"),
        "peak": units.si(one.roof.peak_flop_per_s, "FLOP/s"),
        "moving": units.duration(1.0 / limits["bandwidth"]),
        "multiplying": units.duration(1.0 / limits["compute"]),
        "tokens": units.significant(tokens),
        "tenfold": units.significant(10.0 * tokens),
        "arithmetic": units.significant(limits["compute"]),
        "times": units.times(limits["compute"] / limits["bandwidth"]),
    }


STEP = Step(
    id="one-token",
    title=N_("One token"),
    standfirst=N_("To write one token a chip reads the whole model: memory sets the pace, not arithmetic."),
    guess=Guess(
        N_("The chip {chip} computes at {peak}. How many tokens a second can it generate at most with {model} in 16 bits, one answer at a time?"),
        (
            Choice(N_("about {tokens} tokens/s"), right=True),
            Choice(N_("about {tenfold} tokens/s")),
            Choice(N_("about {arithmetic} tokens/s")),
        ),
    ),
    facts=_facts,
    explain=(
        N_(
            "You ask a question, and the model answers one token at a time. For each token the chip reads {weights} of weights from its memory: "
            "all but the table of words, where it only looks one up. With its notes on the {context} tokens so far, the KV cache of {cache}, "
            "that is {moved}."
        ),
        N_(
            "Reading {moved} takes {moving} at {bandwidth}. Multiplying takes {multiplying} at {peak}: the reading takes {times} as long. Such "
            "work is bandwidth-bound: a chip with twice the FLOP/s and the same memory is no faster."
        ),
        N_(
            "That is the memory wall on one chip. It has two sides: how much memory holds, and how fast it hands that over. You meet both at "
            "every level, from the cache on the chip to the network between machines."
        ),
    ),
    caveat=N_(
        "This is a bound from the data sheet, and real engines stay below it. One answer at a time is the hardest case: many at once share each "
        "reading of the weights, as the step “Under the roof” shows."
    ),
    try_it=(
        Try("start", {}, N_("Another model, another chip")),
        Try("start", {"format": "awq-4"}, N_("The same with weights in 4 bits")),
        Try("roofline", {"show": "time"}, N_("Where the time of one token goes")),
    ),
    notes=Notes(
        N_("Everyone can divide bytes by bandwidth and knows why the answer does not hold FLOP/s."),
        N_("You may double one thing: FLOP/s, bandwidth or capacity. Which makes one answer faster?"),
        N_("“A faster chip writes faster.” Only if its memory is faster: of every {moving}, the arithmetic is busy for {multiplying}."),
    ),
    term="bandwidth_bound",
    claims=("bandwidth-wall",),
)
