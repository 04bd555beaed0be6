"""Why and how sure: the sum with the reader's numbers, what others reached of such roofs, the reader's own measurement, serving targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from math import inf
from statistics import median

from wallviz import __version__, units
from wallviz.engine.roofline import report
from wallviz.engine.roofline.efficiency import by, leave_one_out
from wallviz.engine.roofline.roof import ridges
from wallviz.engine.roofline.serving import utilization
from wallviz.engine.roofline.step import StepBound
from wallviz.engine.work import ENCODER_ALONE, bytes_per_weight
from wallviz.errors import InputError
from wallviz.figures.accuracy import signed
from wallviz.i18n import N_, _, bracketed, labelled, listing
from wallviz.job import Job
from wallviz.rooms.roofline.choices import View
from wallviz.rooms.roofline.drawn import BOUNDS, PHASE_NAMES, fractions, levels
from wallviz.rooms.roofline.workload import Workload, chip_of, largest, workload
from wallviz.validation.roofline_cases import measurements, predictions

WORK_NAMES = {
    "gemm": N_("matrix products"),
    "largest gemm": N_("the best matrix product of many"),
    "decode": N_("decoding"),
    "prefill": N_("prefill"),
    "layer": N_("one layer, operation by operation"),
    "vector": N_("vector operations"),
}
ZONE_NAMES = {
    "bandwidth": N_("bandwidth-bound"),
    "knee": N_("near the ridge (×4)"),
    "compute": N_("compute-bound"),
    "short": N_("over within 50 µs"),
}
LIMITS = {"tpot": N_("time"), "memory": N_("memory"), "search": N_("the search, which ends at 65,536")}


def percent(share: float, decimals: int = 0) -> str:
    """A share in percent."""
    return f"{100 * share:.{decimals}f}{units.THIN}%"


# ---------------------------------------------------------------- why


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
                share=percent(float(step.kv_share))
            )
        )
    return "\n".join(lines)


def _counted(now: Workload) -> str:
    """Which work is counted: the least that must be done, or as papers count it."""
    if now.least:
        return _("Counted is the least: the half of attention that a causal mask keeps, and nothing elementwise through memory. "
                 "Papers count the whole square and more traffic: Expert, kernels.")  # fmt: skip
    return _("Counted as the Expert drawer says, which may be more than must be done: then the times are no strict bound.")


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


# ---------------------------------------------------------------- how sure


def how_sure(now: Workload) -> str:
    """What others measured of such roofs, as Markdown: on this chip, by kind of work, and how well that can be predicted."""
    found = measurements()
    above = max(one.fraction for one in found)
    lines = [
        _("It is a bound: none of {n} rates that others measured is above its roof (the highest reaches {most}). It is no forecast:").format(
            n=f"{len(found):,}", most=percent(above, 1)
        ),
        "",
    ]
    here = fractions(now.chip.id)
    if here:
        lines.append(
            _("- **{chip}**: {n} measurements reach {low} to {high} of their roof, {median} at the median: {miss} below it.").format(
                chip=now.name,
                n=f"{len(here):,}",
                low=percent(min(here)),
                high=percent(max(here)),
                median=percent(median(here)),
                miss=percent(1 - median(here)),
            )
        )
    else:
        lines.append(_("- **{chip}**: nobody's measurements of it are among the cases.").format(chip=now.name))
    for (what, zone), spread in by([m for m in found if m.what in ("gemm", "decode", "prefill")], lambda m: (m.what, m.zone)).items():
        lines.append(
            _("- **{work}**, {zone}: {median} at the median, {low} to {high}, {n} cases").format(
                work=_(WORK_NAMES[what]), zone=_(ZONE_NAMES[zone]), median=percent(spread.median), low=percent(spread.low), high=percent(spread.high),
                n=f"{spread.n:,}",
            )
        )  # fmt: skip
    lines += ["", *_models()]
    misses = [p for p in predictions().values() if p.case.kind != "measured" and p.value is not None and not p.case.holds(p.value)]
    published = [p for p in predictions().values() if p.case.kind != "measured" and p.value is not None]
    lines.append(
        _("Of {n} published numbers {ok} come out within their tolerance. The others, with the reason:").format(
            n=f"{len(published):,}", ok=f"{len(published) - len(misses):,}"
        )
    )
    for reason in dict.fromkeys(p.reason for p in misses):
        those = sorted(p.error or 0.0 for p in misses if p.reason == reason)
        span = signed(those[0], 1) if len(those) == 1 else _("{n} numbers, {low} to {high}").format(
            n=len(those), low=signed(those[0], 1), high=signed(those[-1], 1)
        )  # fmt: skip
        lines.append(f"- {bracketed(_(reason).rstrip('.。'), span)}")
    return "\n".join(lines)


def measured_here(case: Job, view: View) -> tuple[dict[str, object], ...]:
    """Every measurement on the chip of the case: what, what was reached, its roof, and how far below it."""
    found = [one for one in measurements() if predictions()[one.case].case.chip == chip_of(case, view).id]
    return tuple(
        {
            _("work"): _(WORK_NAMES[one.what]),
            _("what"): one.label,
            _("engine"): one.engine,
            _("where"): _(ZONE_NAMES[one.zone]),
            _("share of the roof"): percent(one.fraction, 1),
            _("miss"): signed(one.fraction - 1.0, 1),
        }
        for one in found
    )


def _models() -> list[str]:
    found = []
    for work in ("gemm", "decode"):
        checked = leave_one_out(m for m in measurements() if m.what == work)
        if checked is not None:
            found.append(
                _("Expecting of a device what others reach at such work ({work}) is off by {median} at the median, {worst} in one case of ten, "
                  "on {devices} devices left out in turn.").format(
                    work=_(WORK_NAMES[work]), median=percent(checked.median_error), worst=percent(checked.p90_error), devices=checked.devices
                )
            )  # fmt: skip
    return [*found, ""]


def measured_sources(now: Workload) -> tuple[str, ...]:
    """Where the measurements on the chip come from."""
    cases = (predictions()[m.case].case for m in measurements())
    return tuple(dict.fromkeys(source for case in cases if case.chip == now.chip.id for source in case.source.split(";")))


# ---------------------------------------------------------------- the reader's own numbers


def miss(case: Job, view: View) -> str:
    """What the reader's own rate makes of the chip, as a sentence; empty where nothing was typed."""
    if view.reported is None:
        return ""
    try:
        now = workload(case, _plain(view))
    except InputError:
        return ""
    used = utilization(now.main, float(view.reported))
    if float(used.of_bound) > 1.02:
        return _("{rate} tokens/s is {times} the bound: the model, the formats or the batch are not those of your measurement.").format(
            rate=units.significant(view.reported), times=units.times(float(used.of_bound))
        )
    return _("{rate} tokens/s is {share} of the bound: {bandwidth} of the bandwidth, {mfu} of the arithmetic (MFU).").format(
        rate=units.significant(view.reported),
        share=percent(float(used.of_bound)),
        bandwidth=percent(float(used.bandwidth), 1),
        mfu=percent(float(used.mfu), 1),
    )


def targets(case: Job, view: View) -> str:
    """The largest batch within the time per token, as a sentence."""
    try:
        now = workload(case, _plain(view))
    except InputError:
        return ""
    found = largest(Workload(now.case, view, now.arch, now.chip, now.tensor_parallel, now.steps))
    if found is None:
        return _("A time per output token is asked of serving: choose that job.")
    if not found.batch:
        if not found.by_time:
            return _("Not even one sequence comes within {n} ms a token.").format(n=f"{view.tpot:,}")
        return _("The memory holds not even one sequence of {n} tokens beside the weights.").format(n=f"{case.context:,}")
    step = found.step
    rate = float(step.tokens_per_s) if step is not None else 0.0
    fits = _("any number") if found.by_memory == inf else _("unknown") if found.by_memory is None else f"{int(found.by_memory):,}"
    return _(
        "At most {n} sequences within {ms} ms a token, {rate} tokens/s in all: {limit} is the limit (time alone {time}, memory alone {fits})."
    ).format(
        n=f"{found.batch:,}", ms=f"{view.tpot:,}", rate=units.significant(rate), limit=_(LIMITS[found.limit]), time=f"{found.by_time:,}", fits=fits
    )


def _plain(view: View) -> View:
    return replace(view, reported=None, tpot=View().tpot)


# ---------------------------------------------------------------- every number


def document(case: Job, view: View) -> str:
    """Every number of the page as JSON: the records of each phase, as the command line prints them."""
    asked: dict[str, object] = {"wallviz": __version__, "case": asdict(case), "view": asdict(view)}
    try:
        now = workload(case, _plain(view))
    except InputError as error:
        return _json(asked | {"reason": str(error)})
    prefill, decode = now.steps.get("prefill"), now.steps.get("decode")
    found = {}
    for phase, step in now.steps.items():
        used = None if view.reported is None or step is not now.main else utilization(step, float(view.reported))
        reasons = (*(() if decode else (_no_decode(now),)), *(() if used else (report.NO_RATE,)))
        context = case.prompt or case.context if phase == "prefill" else case.context
        found[phase] = report.record(report.Report(now.arch, now.chip, case.batch, context, step, prefill, decode, used, largest(now), reasons))
    return _json(
        asked
        | {"steps": found, "formats": {"weights": now.weights, "kv": case.kv, "activations": now.options()["activations"]}, "bounds": list(BOUNDS)}
    )


def _no_decode(now: Workload) -> str:
    """Why there is no time per token: an encoder writes none, training asks for none."""
    return str(InputError(ENCODER_ALONE, model=now.arch.name)) if "prefill" in now.steps else report.TRAINS


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)  # not orjson: bytes may be more than 64 bits
