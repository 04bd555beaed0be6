"""Two curves as one, chip by chip: FLOP per byte of bandwidth, or memory per peak compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wallviz import catalog
from wallviz.curves import Curve
from wallviz.engine import growth as domain
from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.rooms.growth.choices import METHODS, View
from wallviz.rooms.growth.fitted import Fitted


def chip_by_chip(fitted: Sequence[Fitted], view: View) -> tuple[tuple[Fitted, ...], tuple[str, ...]]:
    """Per chip, where both are known of the same device: FLOP per byte of bandwidth, or bytes of memory per FLOP/s."""
    by_id = {f.curve.id: f for f in fitted}
    compute, bandwidth = by_id.get("peak_compute"), by_id.get("memory_bandwidth")
    if not compute or not bandwidth:
        return (), ()
    if view.figure == "ratio":
        moved = {p.id: p.value for p in (*bandwidth.kept, *bandwidth.left_out)}
        every = {p.id: replace(p, value=p.value / moved[p.id]) for p in (*compute.kept, *compute.left_out) if p.id in moved}
        points = tuple(every.values())
        curve = Curve("ridge", "compute", N_("FLOP per byte"), "flop_per_byte", points, vendor=True, named=tuple(p.id for p in reversed(points)))
    else:
        held = {chip.id: chip.memory_bytes for chip in catalog.chips().values() if chip.memory_bytes}
        every = {p.id: replace(p, value=held[p.id] / p.value) for p in (*compute.kept, *compute.left_out) if p.id in held}
        points = tuple(every.values())
        curve = Curve("capacity", "memory", N_("GB per TFLOP/s"), "byte_s_per_flop", points, vendor=True, named=tuple(p.id for p in reversed(points)))
    if not points:
        return (), (_("Too few points are left for a line: put some back, or widen the window."),)
    kept = tuple(every[p.id] for p in compute.kept if p.id in every)
    left_out = tuple(every[p.id] for p in compute.left_out if p.id in every)
    method, interval = METHODS[view.fit]
    try:
        return (Fitted(curve, kept, left_out, domain.fit(kept, method=method, interval=interval)),), ()
    except InputError as error:
        return (Fitted(curve, kept, left_out, None),), (str(error),)
