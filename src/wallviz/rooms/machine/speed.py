"""How fast a measured machine writes with the model of the case, and the sentence that says so."""

from __future__ import annotations

from dataclasses import replace

from wallviz import units
from wallviz.i18n import _
from wallviz.job import Job, alone
from wallviz.machine.record import Record
from wallviz.rooms.bound import moved_bytes
from wallviz.rooms.job import model_name, said


def writing(case: Job) -> Job:
    """The case's model writing on one such machine."""
    return replace(alone(case), job="infer")


def tokens_per_s(case: Job, bytes_per_s: float) -> float:
    """Upper bound of the case's sequences on a machine that moves so much: what a step must move, as on the roofline.

    >>> round(tokens_per_s(Job(), 418e9))
    26
    """
    return case.batch * bytes_per_s / moved_bytes(writing(case))


def headline_bytes_per_s(record: Record) -> float:
    """The rate that stands for the machine, bytes/s."""
    return (record.headline[1].best_bytes_per_s if record.headline else None) or 1.0


def reading_bytes_per_s(record: Record) -> float:
    """How fast weights can be read at most: the rate that stands for the machine, or that of reading alone where it is higher."""
    read = record.kernels["read"].best_bytes_per_s if "read" in record.kernels else None
    return max(headline_bytes_per_s(record), read or 0.0)


def sentence(case: Job, record: Record) -> str:
    """The record's answer, at most 25 words."""
    values = {
        "rate": units.si(headline_bytes_per_s(record), "B/s"),
        "n": units.significant(tokens_per_s(case, reading_bytes_per_s(record)), 2),
        "model": model_name(case),
        "format": said("format", case),
    }
    if record.fraction is not None and record.theoretical_bytes_per_s:
        return _("This machine moves {rate}, {share}% of {peak}: about {n} tokens/s at most with {model} ({format}), whatever its FLOP/s.").format(
            share=f"{record.fraction * 100:.0f}", peak=units.si(record.theoretical_bytes_per_s, "B/s"), **values
        )
    return _("This machine moves {rate}: about {n} tokens/s at most with {model} ({format}), whatever its FLOP/s.").format(**values)
