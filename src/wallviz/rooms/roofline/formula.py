"""Why a step takes as long as it does: the sum with the reader's numbers."""

from __future__ import annotations

from wallviz import units
from wallviz.engine.roofline.roof import ridges
from wallviz.engine.roofline.step import StepBound
from wallviz.engine.work import bytes_per_weight
from wallviz.i18n import _, labelled, listing
from wallviz.rooms.roofline.job_on_chip import Workload
from wallviz.rooms.roofline.time_by_operation import PHASE_NAMES
from wallviz.rooms.roofline.under_roofs import levels


def why(now: Workload) -> str:
    """The formulas with these numbers, as Markdown."""
    roof = now.main.roof
    lines = [
        _("An operation takes at least the longer of two times: its FLOP over the peak, its bytes over the bandwidth."),
        _counted(now),
        "",
        _("- **{chip}**: {peak} over {bandwidth} is {ridge} FLOP per byte, the ridge. Work below it waits for memory.").format(
            chip=now.name,
            peak=units.si(roof.peak_flop_per_s, "FLOP/s"),
            bandwidth=units.si(roof.bytes_per_s, "B/s"),
            ridge=units.significant(roof.ridge),
        ),
    ]
    lines.append(_ridges(now))
    lines += [_of(phase, step) for phase, step in now.steps.items()]
    if "decode" in now.steps:
        step = now.steps["decode"]
        lines.append(
            _("- **Batch**: every weight is read once and used for one multiply and one add a sequence: from {n} sequences on, arithmetic takes as "
              "long as the reading ({peak} × {bytes} B / (2 × {bandwidth}){experts}).").format(
                n=units.significant(step.critical_batch),
                peak=units.si(roof.peak_flop_per_s, "FLOP/s"),
                bytes=units.significant(_bytes_per_weight(now)),
                bandwidth=units.si(roof.bytes_per_s, "B/s"),
                experts=_(", times experts over experts used") if step.critical_batch > 1.01 * roof.ridge * _bytes_per_weight(now) / 2 else "",
            )
        )  # fmt: skip
        lines.append(
            _("- **KV cache**: {share} of the bytes of a step. Each cached value serves one sequence: no batch makes that part climb.").format(
                share=units.percent(float(step.kv_share))
            )
        )
    return "\n".join(lines)


def _counted(now: Workload) -> str:
    """Which work is counted: the least that must be done, or as papers count it."""
    if now.least:
        return _("Only the minimum is counted: the half of attention that a causal mask keeps, and nothing elementwise through memory. "
                 "Papers count the whole square and more traffic: Settings, “How work is counted”.")  # fmt: skip
    return _("Counted as the settings say, which may be more than must be done: then the times are no strict bound.")


def _ridges(now: Workload) -> str:
    """The ridge by precision, and of the same arithmetic against the levels on the chip."""
    by_precision = [f"{p.upper()} {units.significant(ridge)}" for p, ridge in ridges(now.chip, accumulate=now.view.accumulate).items()]
    peak = now.main.roof.peak_flop_per_s
    by_level = [f"{_(level)} {units.significant(peak / rate)}" for level, rate in levels(now.chip.id).items()]
    text = labelled(_("- **Ridge by number format**"), listing(by_precision))
    return f"{text}\n{labelled(_('- **Ridge against memory on the chip**'), listing(by_level))}" if by_level else text


def _bytes_per_weight(now: Workload) -> float:
    return bytes_per_weight(now.arch, now.weights)


def _of(phase: str, step: StepBound) -> str:
    return _("- **{phase}**: {flop} over {bytes} is {has} FLOP per byte; {time} at least, {overlap} if every transfer hid behind arithmetic.").format(
        phase=_(PHASE_NAMES[phase]),
        flop=units.si(float(step.flop), "FLOP"),
        bytes=units.si(float(step.bytes), "B"),
        has=units.significant(float(step.arithmetic_intensity)),
        time=units.duration(float(step.time_s)),
        overlap=units.duration(float(step.overlap_time_s)),
    )
