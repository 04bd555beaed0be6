"""Step 9: the wall in twenty years, and what its slope depends on."""

from __future__ import annotations

from collections.abc import Mapping

from wallviz import catalog, units
from wallviz.engine import growth as domain
from wallviz.i18n import N_
from wallviz.rooms import growth
from wallviz.rooms.roofline.chips_over_time import memory_per_compute
from wallviz.story import Guess, Notes, Step, Try, once_a_language
from wallviz.story.demand import trend

_GAP_2021 = {"figure": "gap", "data": "2021"}
_GAP_2024 = {"figure": "gap", "data": "2024"}
TWENTY = 20.0


def _over_twenty(view: Mapping[str, str], hold: str = "published") -> tuple[str, str, str]:
    """Peak, DRAM and interconnect over twenty years by the lines through the points."""
    fitted = (trend(curve, **view, hold=hold) for curve in ("peak_compute", "memory_bandwidth", "interconnect_bandwidth"))
    compute, memory, link = (units.times(line.multiplier(TWENTY)) for line in fitted)
    return compute, memory, link


@once_a_language
def _facts() -> Mapping[str, str]:
    claims = catalog.claims()
    compute, memory, link = _over_twenty(_GAP_2021)
    compute_2024, memory_2024, link_2024 = _over_twenty(_GAP_2024)
    peak, bandwidth, ratio = growth.fixed_precision()
    both = domain.divergence(trend("peak_compute", **_GAP_2024), trend("memory_bandwidth", **_GAP_2024), 2.0)
    today = [trend(curve, figure="gap", data="today") for curve in ("peak_compute", "memory_bandwidth")]
    return {
        "compute": units.claimed(claims["blog_hw_flops_20y"].multiplier),
        "memory": units.claimed(claims["blog_dram_bw_20y"].multiplier),
        "link": units.claimed(claims["blog_interconnect_bw_20y"].multiplier),
        "gap": units.claimed(claims["blog_hw_flops_20y"].multiplier / claims["blog_dram_bw_20y"].multiplier),
        "gap_2024": units.claimed(claims["paper_hw_flops_20y"].multiplier / claims["paper_dram_bw_20y"].multiplier),
        "compute_2024": units.claimed(claims["paper_hw_flops_20y"].multiplier),
        "memory_2024": units.claimed(claims["paper_dram_bw_20y"].multiplier),
        "link_2024": units.claimed(claims["paper_interconnect_bw_20y"].multiplier),
        "compute_fit": compute,
        "memory_fit": memory,
        "link_fit": link,
        "compute_fit_2024": compute_2024,
        "memory_fit_2024": memory_2024,
        "link_fit_2024": link_2024,
        "compute_first": f"{trend('peak_compute', **_GAP_2021).first.year}",
        "memory_first": f"{trend('memory_bandwidth', **_GAP_2021).first.year}",
        "link_first": f"{trend('interconnect_bandwidth', **_GAP_2021).first.year}",
        "compute_window": _over_twenty(_GAP_2021, "window")[0],
        "compute_window_2024": _over_twenty(_GAP_2024, "window")[0],
        "ratio_2024": units.times(both.ratio),
        "fixed_first": f"{peak.first.year}",
        "fixed_compute": units.times(peak.multiplier(2.0)),
        "fixed_memory": units.times(bandwidth.multiplier(2.0)),
        "fixed_ratio": units.times(ratio),
        "today_compute": units.times(today[0].multiplier(2.0)),
        "today_memory": units.times(today[1].multiplier(2.0)),
        "held_v100": units.ratio("byte_s_per_flop", memory_per_compute("tesla-v100-sxm2-16gb")),
        "held_b200": units.ratio("byte_s_per_flop", memory_per_compute("b200-sxm")),
    }


STEP = Step(
    id="wall",
    title=N_("The wall"),
    standfirst=N_("In twenty years arithmetic outgrew the memory that feeds it: {gap} by the numbers of 2021, {gap_2024} by those of 2024."),
    guess=Guess(
        N_("In twenty years peak FLOP/s of server hardware grew {compute}. How much did the bandwidth of DRAM grow?"),
        truth="memory",
        value=lambda: catalog.claims()["blog_dram_bw_20y"].multiplier,
        low=1.0,
        high=100_000.0,
        unit=N_("times"),
    ),
    facts=_facts,
    explain=(
        N_(
            "Here is the article's best-known picture. The 2021 blog: {compute} for FLOP/s, {memory} for DRAM and {link} for interconnects in twenty "
            "years. The 2024 paper: {compute_2024}, {memory_2024}, {link_2024}. Their points say {compute_fit}, {memory_fit} and {link_fit}, then "
            "{compute_fit_2024}, {memory_fit_2024} and {link_fit_2024}. The claims hold."
        ),
        N_(
            "Now hold something still. The lines start in {compute_first}, {memory_first} and {link_first}; over one window FLOP/s grew "
            "{compute_window}, or {compute_window_2024}. And the FLOP/s change their meaning on the way, from 32 bits to matrix units with 16. At a "
            "fixed 16 bits NVIDIA's flagships since {fixed_first} gained {fixed_compute} FLOP/s and {fixed_memory} bandwidth per two years, so FLOP "
            "per byte grew {fixed_ratio}; the published pair implies {ratio_2024}. All accelerators with HBM gained {today_compute} and "
            "{today_memory}."
        ),
        N_(
            "The memory wall is real, and its slope depends on what you hold fixed. Hardware was built for compute first: a V100 held {held_v100}, a "
            "B200 holds {held_b200}. To build it the other way round, giving up peak for what feeds it, is the article's last proposal."
        ),
    ),
    caveat=N_(
        "The three lines are not the same kind of thing. FLOP/s are of one chip, in whichever format was fastest. DRAM is one memory interface in "
        "2021 and one whole card in 2024, so {memory} and {memory_2024} count different things. Links are counted per lane, and devices have ever "
        "more of them."
    ),
    try_it=(
        Try("growth", dict(_GAP_2021), N_("Take points out, hold the window or the precision")),
        Try("growth", _GAP_2021 | {"hold": "precision"}, N_("At a fixed 16 bits")),
        Try("growth", dict(_GAP_2024), N_("The points of the 2024 paper")),
        Try("growth", {"data": "today"}, N_("All accelerators with HBM since 2017")),
        Try("roofline", {"show": "capacity"}, N_("Memory per arithmetic, chip by chip")),
        Try("machine", {}, N_("Measure your own machine and put it under the roof")),
    ),
    notes=Notes(
        N_("The class can say the headline, its refit, and three things that it does not hold fixed."),
        N_("If you were to draw the wall, what would you hold fixed, and why?"),
        N_("“FLOP per byte explodes.” At equal precision it grows {fixed_ratio} per two years: the wall rises steadily, not suddenly."),
    ),
    takeaway=N_(
        "As published FLOP/s grew {compute} and bandwidth {memory} in twenty years; at fixed 16 bits FLOP per byte grows {fixed_ratio} every two."
    ),
    term="memory_wall",
    claims=("gap", "hardware"),
)
