"""Step 6: work per byte, and the roof above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import median

from wallviz import units
from wallviz.i18n import N_
from wallviz.job import Job
from wallviz.rooms import roofline
from wallviz.rooms.bound import bound, tokens_per_s
from wallviz.rooms.job import chip_name
from wallviz.rooms.roofline.job_on_chip import most_sequences
from wallviz.story import Choice, Guess, Notes, Step, Try, once_a_language
from wallviz.validation import case_study
from wallviz.validation.roofline_cases import measurements

JOB = Job()
BATCH = 32
#: Tokens of the article's case study.
STUDIED = 512


def reached(zone: str) -> float:
    """The share of its roof that a measured matrix product reaches, the median of those in a zone of the roof."""
    return median(one.fraction for one in measurements() if one.what == "gemm" and one.zone == zone)


@once_a_language
def _facts() -> Mapping[str, str]:
    now = roofline.workload(JOB, roofline.View())
    one, prefill = now.steps["decode"], now.steps["prefill"]
    many = replace(JOB, batch=BATCH)
    work = float(one.arithmetic_intensity)
    alone, together = tokens_per_s(JOB, one), tokens_per_s(many, bound(many))
    encoder, decoder = (case_study.rows(name, STUDIED)[-1].intensity for name in ("bert-base", "gpt-2"))
    return {
        "chip": chip_name(JOB).partition(" (")[0],
        "peak": units.si(one.roof.peak_flop_per_s, "FLOP/s"),
        "bandwidth": units.si(one.roof.bytes_per_s, "B/s"),
        "ridge": units.significant(one.ridge),
        "work": units.significant(work, 2),
        "tenfold": units.significant(10.0 * work, 2),
        "context": f"{JOB.context:,}",
        "prefill": units.significant(float(prefill.arithmetic_intensity)),
        "batch": f"{BATCH:,}",
        "rate": units.significant(alone),
        "rate_many": units.significant(together),
        "each": units.significant(together / BATCH, 2),
        "longer": units.significant(alone * BATCH / together, 2),
        "moved_one": units.si(float(one.bytes), "B"),
        "moved_many": units.si(float(bound(many).bytes), "B"),
        "most": f"{int(most_sequences(now)):,}",
        "studied": f"{STUDIED:,}",
        "encoder": units.significant(encoder),
        "decoder": units.significant(decoder, 2),
        "reached_memory": f"{reached('bandwidth'):.0%}",
        "reached_ridge": f"{reached('knee'):.0%}",
        "reached_compute": f"{reached('compute'):.0%}",
    }


STEP = Step(
    id="roof",
    title=N_("Under the roof"),
    standfirst=N_("How much arithmetic you do with each byte decides what you wait for."),
    guess=Guess(
        N_(
            "In the time in which {chip} reads one byte it can do {ridge} operations (FLOP). How many does it do for each byte when it writes "
            "one answer?"
        ),
        (Choice(N_("about {work}"), right=True), Choice(N_("about {tenfold}")), Choice(N_("about {ridge}"))),
    ),
    facts=_facts,
    explain=(
        N_(
            "Take any work and divide its arithmetic by the bytes that it moves. {chip} computes at {peak} and reads at {bandwidth}: at {ridge} "
            "FLOP per byte both take equally long. Left of this ridge point you wait for memory, right of it for arithmetic."
        ),
        N_(
            "Prefill is reading the prompt: each weight serves {context} tokens at once, {prefill} FLOP per byte, compute-bound. Decode is "
            "generating: each serves one, {work}, bandwidth-bound. A batch of {batch} answers shares one reading, but each has its own KV "
            "cache: {moved_many} a step instead of {moved_one}. In all that is {rate_many} tokens/s; each user gets {each} instead of {rate}, and "
            "waits {longer} times as long per token. At {most} answers the caches fill the memory: the two sides of the wall meet."
        ),
        N_(
            "The article's own case study compares two models of one size: over {studied} tokens BERT-Base, which reads them, does {encoder} "
            "FLOP per byte; GPT-2, which generates them, {decoder}. Equal arithmetic is not equal time. Chips do come near the roof: measured "
            "matrix products reach {reached_memory} of it on its slope, {reached_ridge} near the ridge, {reached_compute} on its flat part."
        ),
    ),
    caveat=N_(
        "A roof is a bound, never a forecast. It knows one level of memory, the chip's DRAM, and takes moving and computing as perfectly overlapped; "
        "the corner at the ridge is the least true part of it."
    ),
    try_it=(
        Try("roofline", {}, N_("Move the batch and watch the point climb")),
        Try("roofline", {"show": "measured"}, N_("Measured points against the roof")),
        Try("roofline", {"show": "study"}, N_("BERT and GPT-2, the article's case study")),
    ),
    notes=Notes(
        N_("The class puts a job of its own under the roof and says what would make it faster."),
        N_("Why does a larger batch help generating, and hardly help reading the prompt?"),
        N_("“Low utilisation means bad code.” One answer at {work} FLOP per byte cannot use more of {ridge}, however good the code is."),
    ),
    takeaway=N_(
        "Generating one answer does {work} FLOP per byte; {chip} needs {ridge} to be busy all the time: at most {rate} tokens/s, whatever its FLOP/s."
    ),
    term="ridge_point",
    claims=("compute-is-not-time",),
    sources=("kim_2023",),
)
