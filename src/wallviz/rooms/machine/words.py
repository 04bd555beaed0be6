"""What the parts of a record are called: kernels, transfers."""

from __future__ import annotations

import re

from wallviz.i18n import N_, _

KERNELS = {"read": N_("read"), "write": N_("write"), "copy": N_("copy"), "scale": N_("scale"), "add": N_("add"), "triad": N_("triad")}

TRANSFERS = {
    "d2d": N_("copy engine"),
    "h2d_pinned": N_("host to device, pinned"),
    "d2h_pinned": N_("device to host, pinned"),
    "h2d_pageable": N_("host to device, pageable"),
    "d2h_pageable": N_("device to host, pageable"),
}


def named(what: str) -> str:
    """A kernel or a transfer in the language in use; what is not known stays as its record spells it.

    >>> named("triad"), named("h2d_pinned"), named("p2p_0_1"), named("other")
    ('triad', 'host to device, pinned', 'GPU 0 to GPU 1', 'other')
    """
    if peers := re.fullmatch(r"p2p_(\d{1,3})_(\d{1,3})", what):
        return _("GPU {a} to GPU {b}").format(a=peers[1], b=peers[2])
    known = KERNELS | TRANSFERS
    return _(known[what]) if what in known else what
