"""How sure: the method, what disturbed a record, and what was not measured."""

from __future__ import annotations

from wallviz.i18n import _, bracketed, labelled
from wallviz.machine.reasons import Flag, Reason, explained
from wallviz.machine.record import Record


def how_sure(record: Record | None) -> str:
    """The method, what disturbed this record, and why a machine may lie low, as Markdown."""
    lines = []
    if record is not None:
        lines += [f"- {_(Flag(flag).sentence)}" for flag in record.flags]
        if record.others_busy is not None:
            lines.append("- " + _("other programs used {share}% of the processors meanwhile").format(share=f"{record.others_busy * 100:.1f}"))
        if record.seconds:
            lines.append("- " + _("it took {n} s").format(n=f"{record.seconds:.1f}"))
        lines.append("")
    lines += [
        _(
            "Every figure is the best run without the first, beside the median and the distance of the quartiles: the best is what the machine can "
            "do, the median what it did. Each kernel's result is held against its closed form, and a damaged value must be caught: what fails has no "
            "figure."
        ),
        "",
        _("**Why a machine may score low**"),
        "",
        "- " + _("a CPU with one memory module on a board for two or more has half of its channels, or fewer, and as much less bandwidth"),
        "- " + _("a laptop on battery, a hot chip or a power limit lowers the clocks: see the telemetry"),
        "- " + _("an integrated GPU shares the processor's memory, and its bandwidth"),
        "- " + _("a virtual machine has a part of its host: others there take from the same memory"),
    ]
    return "\n".join(lines)


def failures(record: Record | None) -> tuple[str, ...]:
    """What was not measured and why; a record's own words are among it: show them as they are."""
    if record is None:
        return ()
    said = []
    for error in record.errors:
        text = explained(Reason(error.reason))
        text = bracketed(text, error.detail) if error.detail else text
        said.append(labelled(error.part, text) if error.part else text)
    return tuple(said)
