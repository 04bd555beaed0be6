"""The visitor's own GPU, through WebGPU: what the page's script is told to do, and what it answers, which nobody vouches for.

The script is ``ui/probe.js``; it runs the same text (`wgsl`) by the same protocol as the local path (`wgpu`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

from wallviz.__about__ import __version__
from wallviz.errors import InputError
from wallviz.i18n import N_
from wallviz.machine.probe import wgsl
from wallviz.machine.probe.kernels import KERNELS
from wallviz.machine.probe.wgpu import (
    ARRAY_BYTES,
    BUDGET_S,
    CROWD_S,
    DISPATCH_S,
    LEAST_ROUNDS,
    LONGEST_CHASE,
    MIB,
    QUICK_BUDGET_S,
    SHORTEST_LOAD_S,
    SMALLEST_ARRAY_BYTES,
    TIMERS_AGREE,
    WARM_UP_S,
)
from wallviz.machine.reasons import Reason
from wallviz.machine.record import SCHEMA, Record, read

SAMPLE_S = 0.04
"""Twice that of a local path: a browser's clock steps by 0.1 ms."""
LARGEST_CHAIN_BYTES = 64 * MIB
"""The script makes its chains itself, while the page waits."""
REASONS = (
    Reason.INSECURE,
    Reason.UNSUPPORTED,
    Reason.NO_ADAPTER,
    Reason.SOFTWARE,
    Reason.MEMORY,
    Reason.CANCELLED,
    Reason.HIDDEN,
    Reason.LOST,
    Reason.TIMEOUT,
    Reason.INVALID,
)
"""Why a browser may give no figure."""
PARTS = ("memory", *KERNELS, "check", "sweep", "latency")
"""Parts of the measurement, as its progress names them."""


@dataclasses.dataclass(frozen=True, slots=True)
class BrowserPlan:
    """What the visitor agrees to: three arrays of at most `array_bytes`, about `budget_s` seconds, never more than `limit_s`.

    `sweep`: the staircase and the latency too. `allow_software` lets a program on the CPU stand in for a GPU, and the record says so.
    """

    array_bytes: int = ARRAY_BYTES
    smallest_array_bytes: int = SMALLEST_ARRAY_BYTES
    budget_s: float = BUDGET_S
    limit_s: float = 4 * BUDGET_S
    sweep: bool = True
    allow_software: bool = False

    @property
    def most_bytes(self) -> int:
        """Memory that the arrays take at most."""
        return 3 * self.array_bytes


QUICK = BrowserPlan(budget_s=QUICK_BUDGET_S, limit_s=4 * QUICK_BUDGET_S)


def request(plan: BrowserPlan) -> dict[str, Any]:
    """All that the script needs, as JSON holds it: the WGSL text, the protocol's numbers, and the schema of the answer."""
    options = dataclasses.asdict(plan) | {
        "dispatch_s": DISPATCH_S,
        "sample_s": SAMPLE_S,
        "warm_up_s": WARM_UP_S,
        "least_rounds": LEAST_ROUNDS,
        "timers_agree": list(TIMERS_AGREE),
        "crowd_s": CROWD_S,
        "smallest_step_bytes": 16 * 1024,
        "largest_chain_bytes": LARGEST_CHAIN_BYTES,
        "longest_chase": LONGEST_CHASE,
        "shortest_load_s": SHORTEST_LOAD_S,
    }
    return {"module": wgsl.module(), "options": options, "schema": SCHEMA}


def from_browser(payload: object) -> Record:
    """The record in what the browser sent, whatever that is. Raises `InputError` with a sentence where it is none of a browser's.

    When it was made, by which version, and what the memory could carry are not the browser's to say.
    """
    try:
        text = json.dumps(payload)
    except (TypeError, ValueError, RecursionError):
        raise InputError(N_("what the browser sent is not a record: measure again")) from None
    record = read(text)
    names = {*record.kernels, *(name for run in record.runs for name in run.kernels)}
    if record.path != "browser" or record.device.kind == "cpu" or not names <= set(KERNELS):
        raise InputError(N_("the record is not one that a browser makes: measure again"))
    return dataclasses.replace(
        record,
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        version=__version__,
        theoretical_bytes_per_s=None,
        theoretical_source="",
    )
