"""What others measured on the chip of the case, as points under its roof."""

from __future__ import annotations

from functools import cache

from wallviz import catalog, units
from wallviz.engine.memory.kv_cache import kv_cache_bytes
from wallviz.i18n import _
from wallviz.rooms.roofline.drawn_roofs import RoofSpot
from wallviz.rooms.roofline.job_on_chip import Workload
from wallviz.validation.roofline_cases import measurements, predictions


@cache
def _measured(chip: str) -> tuple[tuple[str, str, float, float, float, str, str], ...]:
    """(case, label, intensity, FLOP/s, fraction, source, what) of matrix products and decoding that others measured on `chip`."""
    found = []
    for one in measurements():
        case = predictions()[one.case].case
        if case.chip != chip:
            continue
        if one.what == "gemm" and one.intensity and one.ridge and one.peak_flop_per_s:
            bound = min(one.peak_flop_per_s, one.peak_flop_per_s / one.ridge * one.intensity)
            found.append((one.case, one.label, one.intensity, bound * one.fraction, one.fraction, one.source, "gemm"))
        elif one.what == "decode" and case.preset and "weights_bytes" in case.inputs:
            arch = catalog.architecture(case.preset)
            cached = float(case.inputs.get("generated_tokens", 0)) / 2.0
            moved = float(case.inputs["weights_bytes"]) + (float(kv_cache_bytes(arch, context=cached)) if cached else 0.0)
            flop = 2.0 * arch.active_parameters
            found.append((one.case, one.label, flop / moved, flop * one.measured, one.fraction, one.source, "decode"))
    return tuple(found)


def measured(now: Workload) -> tuple[RoofSpot, ...]:
    """What others measured on this chip, on the same axes, each with its miss."""
    return tuple(
        RoofSpot(
            id=case,
            label=label,
            intensity=intensity,
            flop_per_s=rate,
            role="compute" if what == "gemm" and intensity > now.main.ridge else "bandwidth",
            lines=(
                _("{has} FLOP/B, {rate}").format(has=units.significant(intensity), rate=units.si(rate, "FLOP/s")),
                _("measured: {share}% of its roof, {miss}% below it").format(share=f"{100 * fraction:.0f}", miss=f"{100 * (1 - fraction):.0f}"),
                _origin(source),
            ),
            measured=True,
        )
        for case, label, intensity, rate, fraction, source, what in _measured(now.chip.id)
    )


def _origin(source: str) -> str:
    return "; ".join(catalog.sources()[one].title for one in source.split(";") if one in catalog.sources())


def fractions(chip: str) -> list[float]:
    """How much of its roof each measurement on `chip` reached."""
    return [fraction for _case, _label, _x, _y, fraction, _source, _what in _measured(chip)]
