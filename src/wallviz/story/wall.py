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


@once_a_language
def _facts() -> Mapping[str, str]:
    claims = catalog.claims()
    compute, memory, link = (trend(curve, **_GAP_2021) for curve in ("peak_compute", "memory_bandwidth", "interconnect_bandwidth"))
    peak, bandwidth, ratio = growth.fixed_precision()
    both = domain.divergence(trend("peak_compute", **_GAP_2024), trend("memory_bandwidth", **_GAP_2024), 2.0)
    return {
        "compute": units.claimed(claims["blog_hw_flops_20y"].multiplier),
        "memory": units.claimed(claims["blog_dram_bw_20y"].multiplier),
        "link": units.claimed(claims["blog_interconnect_bw_20y"].multiplier),
        "gap": units.claimed(claims["blog_hw_flops_20y"].multiplier / claims["blog_dram_bw_20y"].multiplier),
        "gap_2024": units.claimed(claims["paper_hw_flops_20y"].multiplier / claims["paper_dram_bw_20y"].multiplier),
        "compute_2024": units.claimed(claims["paper_hw_flops_20y"].multiplier),
        "memory_2024": units.claimed(claims["paper_dram_bw_20y"].multiplier),
        "link_2024": units.claimed(claims["paper_interconnect_bw_20y"].multiplier),
        "compute_fit": units.times(compute.multiplier(TWENTY)),
        "memory_fit": units.times(memory.multiplier(TWENTY)),
        "link_fit": units.times(link.multiplier(TWENTY)),
        "last": f"{compute.last.year}",
        "years": units.significant((compute.last - compute.first).days / 365.25, 2),
        "ratio_2024": units.times(both.ratio),
        "fixed_first": f"{peak.first.year}",
        "fixed_compute": units.times(peak.multiplier(2.0)),
        "fixed_memory": units.times(bandwidth.multiplier(2.0)),
        "fixed_ratio": units.times(ratio),
        "held_v100": units.ratio("byte_s_per_flop", memory_per_compute("tesla-v100-sxm2-16gb")),
        "held_b200": units.ratio("byte_s_per_flop", memory_per_compute("b200-sxm")),
    }


STEP = Step(
    id="wall",
    title=N_("The wall"),
    standfirst=N_("In twenty years arithmetic outgrew the memory that feeds it: {gap} by the numbers of 2021, {gap_2024} by those of 2024."),
    guess=Guess(
        N_("In twenty years the peak arithmetic of server chips (FLOP/s) grew {compute}. How much did the bandwidth of DRAM, their memory, grow?"),
        truth="memory",
        value=lambda: catalog.claims()["blog_dram_bw_20y"].multiplier,
        low=1.0,
        high=100_000.0,
        unit=N_("times"),
    ),
    facts=_facts,
    explain=(
        N_(
            "Here is the article's best-known picture. For twenty years the post of 2021 says {compute} for FLOP/s, {memory} for DRAM and {link}"
            " for interconnects; its own points give {compute_fit}, {memory_fit} and {link_fit}. The paper of 2024 says {compute_2024}, "
            "{memory_2024} and {link_2024}. The bracket in the figure says more than {gap} mostly because it spans {years} years, from the first"
            " points to {last}."
        ),
        N_(
            "Now compare like with like. FLOP/s change their meaning on the way, from 32 bits to matrix units with 16. At a fixed 16 bits "
            "NVIDIA's flagships since {fixed_first} gained {fixed_compute} FLOP/s and {fixed_memory} bandwidth per two years. So FLOP per byte "
            "grew {fixed_ratio}; the published pair of 2024 implies {ratio_2024}."
        ),
        N_(
            "The memory wall is real, and how steep it is depends on what you hold fixed. Hardware was built for compute first: a V100 held "
            "{held_v100}, a B200 holds {held_b200}. The article's last proposal is to give up some peak for the memory that feeds it."
        ),
    ),
    caveat=N_(
        "The lines count different things: FLOP/s of one chip, in its fastest format; DRAM of one interface in 2021, of a whole card in 2024; "
        "links by the lane, of which devices have ever more."
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
        "As published FLOP/s grew {compute} and bandwidth {memory} in twenty years; at fixed 16 bits FLOP per byte grows {fixed_ratio} "
        "every two years."
    ),
    term="memory_wall",
    claims=("gap", "hardware"),
)
