"""Chips over time: the ridge, and memory per arithmetic."""

from __future__ import annotations

from functools import cache

from wallviz import catalog, units
from wallviz.engine.hardware import Accelerator
from wallviz.engine.roofline.roof import roof
from wallviz.figures.axes import Axis, said
from wallviz.figures.plane import Dot, Line, plane
from wallviz.i18n import N_, _, qualified
from wallviz.rooms import Answer

SINCE = 2016
"""First year of matrix units at 16 bits in the figures over time."""

#: Names that stand beside their points, oldest first.
NAMED = (
    "tesla-v100-sxm2-16gb", "a100-sxm4-80gb", "h100-sxm5", "h20", "h200-sxm", "b200-sxm", "instinct-mi300x", "tpu-v6e-trillium", "tpu-v7x-ironwood",
    "trainium3", "rubin-r200-sxm", "tesla-p100-sxm2", "ascend-910b",
)  # fmt: skip


@cache
def _chips() -> tuple[Accelerator, ...]:
    """Accelerators with DRAM and matrix units: comparable on one axis."""
    return tuple(
        chip
        for chip in catalog.chips().values()
        if chip.release_date.year >= SINCE
        and not chip.memory_is_sram
        and chip.kind in ("gpu", "tpu", "accelerator")
        and chip.fp16_flop_per_s
        and chip.memory_bytes_per_s
    )


_PRECISIONS = (("bf16", N_("16 bits"), "compute"), ("fp8", "FP8", "bandwidth"), ("fp4", "FP4", "memory"))


def _named(chip: Accelerator, own: str) -> bool:
    return chip.id in NAMED or chip.id == own


def _short(chip: Accelerator) -> str:
    return chip.name.partition(" (")[0].removeprefix("Tesla ").removeprefix("Instinct ").removesuffix(" SXM5").removesuffix(" SXM")


def _dot(chip: Accelerator, value: float, role: str, hover: tuple[str, ...], *, named: bool) -> Dot:
    name = _short(chip)
    return Dot(chip.release_date.isoformat(), value, role, ("", name, *hover), name=name if named else "", open=True, size=8)


def ridge(own: str) -> Answer:
    """The ridge of each chip by its date, a series for each precision; `own` is named."""
    groups: list[list[Dot]] = []
    rows = []
    for precision, words, role in _PRECISIONS:
        dots = []
        for chip in _chips():
            if not chip.peak(precision):
                continue
            ridge = roof(chip, precision).ridge
            line = _("{ridge} FLOP/B: {peak} over {bandwidth}").format(
                ridge=units.significant(ridge),
                peak=units.si(roof(chip, precision).peak_flop_per_s, "FLOP/s"),
                bandwidth=units.si(chip.memory_bytes_per_s or 0.0, "B/s"),
            )
            hover = (line, qualified(_("vendor's peak, dense"), _("announced") if chip.announced else ""), _(words))
            dots.append(_dot(chip, ridge, role, hover, named=precision == "bf16" and _named(chip, own)))
            rows.append({_("chip"): chip.name, _("date"): chip.release_date.isoformat(), _("precision"): _(words), "FLOP/B": ridge})
        groups.append(dots)
    # a line joins the flagships; each precision is named where its last chip stands
    fleet = [chip for chip in _chips() if chip.flagship or chip.id in ("h200-sxm", "rubin-r200-sxm")]
    fleet.sort(key=lambda chip: chip.release_date)
    days, ridges = [chip.release_date.isoformat() for chip in fleet], [roof(chip, "bf16").ridge for chip in fleet]
    lines = [Line("compute", "", days, ridges)]
    lines += [Line(role, _(words), [dots[-1].x], [dots[-1].y]) for (_p, words, role), dots in zip(_PRECISIONS, groups, strict=True)]
    by_id = {chip.id: roof(chip).ridge for chip in _chips()}
    sentence = _("The ridge rises and falls: {a} FLOP per byte for V100, {b} for H100, {c} for H200, {d} for Rubin ({e} in FP4).").format(
        a=units.significant(by_id["tesla-v100-sxm2-16gb"]),
        b=units.significant(by_id["h100-sxm5"]),
        c=units.significant(by_id["h200-sxm"]),
        d=units.significant(by_id["rubin-r200-sxm"]),
        e=units.significant(roof(catalog.chips()["rubin-r200-sxm"], "fp4").ridge),
    )
    return Answer(
        name="roofline",
        sentence=sentence,
        drawing=plane(
            lines,
            groups,
            across=_("Release"),
            up=Axis(_("Ridge: FLOP per byte that a chip needs (log scale)"), said("flop_per_byte"), room=0.08),
            revision="ridge",
        ),
        sure=_("vendors' peaks"),
        trust="gray",
        caption=_("dense rates; {n} accelerators with DRAM since {year}").format(n=len(_chips()), year=SINCE),
        rows=lambda: tuple(rows),
        sources=tuple(dict.fromkeys(source for chip in _chips() for source in chip.source.split(";") if source)),
    ).with_spec()


def memory_per_compute(chip: str) -> float:
    """Bytes that a chip holds for each FLOP/s in 16 bits."""
    known = catalog.chip(chip)
    return (known.memory_bytes or 0.0) / roof(known).peak_flop_per_s


def capacity(own: str, ratio: str) -> Answer:
    """Memory per arithmetic of each chip by its date, in the ratio that is asked for; `own` is named."""
    holds = ratio == "gb_per_tflop_per_s"
    dots, rows = [], []
    for chip in _chips():
        top = roof(chip)
        value = memory_per_compute(chip.id) if holds else top.bytes_per_s / top.peak_flop_per_s
        if not value:
            continue
        ratio_said = units.ratio("byte_s_per_flop", value) if holds else f"{units.significant(value * 1e3)}{units.THIN}B per 1,000 FLOP"
        hover = (ratio_said, _("vendor's peak, dense"), chip.memory_gb_label)
        dots.append(_dot(chip, value if holds else value * 1e3, "memory" if holds else "bandwidth", hover, named=_named(chip, own)))
        rows.append(
            {
                _("chip"): chip.name,
                _("date"): chip.release_date.isoformat(),
                _("GB per TFLOP/s") if holds else _("bytes per FLOP"): value * (1e3 if holds else 1.0),
            }
        )
    by_id = {dot.hover[1]: dot.y for dot in dots}
    first, last = by_id.get("V100 SXM2 16GB", dots[0].y), by_id.get("B200", dots[-1].y)
    scale = 1e3 if holds else 1.0
    template = (
        _("Memory per arithmetic: V100 held {a} GB per TFLOP/s in 16 bits, B200 holds {b}.")
        if holds
        else _("Bandwidth per arithmetic: V100 moved {a} bytes per 1,000 FLOP in 16 bits, B200 moves {b}.")
    )
    name = _("GB per TFLOP/s in 16 bits (log scale)") if holds else _("Bytes moved per 1,000 FLOP in 16 bits (log scale)")
    kind = "byte_s_per_flop" if holds else "flop_per_byte"
    return Answer(
        name="roofline",
        sentence=template.format(a=units.significant(first * scale), b=units.significant(last * scale)),
        drawing=plane([], [dots], across=_("Release"), up=Axis(name, said(kind), room=0.08), revision=f"capacity-{ratio}", right=24),
        sure=_("vendors' peaks"),
        trust="gray",
        caption=_("dense rates; {n} accelerators with DRAM since {year}").format(n=len(dots), year=SINCE),
        rows=lambda: tuple(rows),
        sources=tuple(dict.fromkeys(source for chip in _chips() for source in chip.source.split(";") if source)),
    ).with_spec()
