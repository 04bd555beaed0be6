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
        N_("{chip} does {peak}. At most how many tokens a second can it write with {model} in 16 bits, one answer at a time?"),
        (
            Choice(N_("about {tokens} tokens/s"), right=True),
            Choice(N_("about {tenfold} tokens/s")),
            Choice(N_("about {arithmetic} tokens/s")),
        ),
    ),
    facts=_facts,
    explain=(
        N_(
            "You ask a question, and the model answers one token at a time. For each of them the chip needs every weight once, and they fit nowhere "
            "but in its memory. So {moved} go past for a single token; {cache} of that are its notes on the {context} tokens so far, the KV cache."
        ),
        N_(
            "Moving them takes {moving} at {bandwidth}. Multiplying with them takes {multiplying} at {peak}, {times} less. Such work is "
            "bandwidth-bound: a chip with twice the FLOP/s and the same memory does not write one token more."
        ),
        N_(
            "That is the memory wall on one chip. It has two sides, how much memory holds and how fast it hands that over, and you meet both at "
            "every level, from the cache on the chip to the network between machines."
        ),
    ),
    caveat=N_(
        "This is a bound from the data sheet, which real engines stay below. One answer at a time is the hardest case: many answers at once share "
        "each reading of the weights, as the step about the roof shows."
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
