"""What a reader is told before anything is measured: what, how long, how much memory; and why this server measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from wallviz import units
from wallviz.i18n import N_, _, labelled
from wallviz.machine.probe import cpu
from wallviz.machine.reasons import NotMeasured

VARIABLE = "WALLVIZ_LOCAL_PROBE"
LOOPBACK = {"localhost", "127.0.0.1", "::1", "[::1]"}
START_S = 2.0
"""Seconds in which the measuring process starts and fills its arrays, beside the budget."""
GPU_BUDGET_S = 8.0
_PACKAGES = {"cuda": "cuda.bindings", "wgpu": "wgpu"}
PARTS = {
    "start": N_("A process of its own starts"),
    "compile": N_("Kernels are compiled"),
    "memory": N_("Memory is set aside and filled"),
    "check": N_("The results are checked"),
    "sweep": N_("Rates by working set"),
    "latency": N_("Latency"),
    "arithmetic": N_("Matrix products"),
    "done": N_("Done"),
}


def refused(address: str | None, environment: Mapping[str, str]) -> str:
    """Why this server measures nothing, empty where it may: it would measure itself, and every visitor could make it work.

    `address` is what the server listens on, None for all addresses.
    """
    if environment.get(VARIABLE) != "1":
        return _(
            "This server's own speed is not measured from a page: it may not be the machine in front of you. On your own machine start "
            "{command}, or measure this device's GPU in the browser below, or open a record."
        ).format(command="wallviz run --host 127.0.0.1")
    if address not in LOOPBACK:
        return _(
            "{variable} is set, but this server answers other machines too, and each visitor could keep it busy: start it with "
            "--host 127.0.0.1 to measure this machine."
        ).format(variable=VARIABLE)
    return ""


def paths() -> dict[str, str]:
    """What can be measured here, by path: the CPU always, a GPU where a package for it is installed."""
    named = {"cpu": _("CPU"), "cuda": _("GPU (CUDA)"), "wgpu": _("GPU (Vulkan, Metal, DX12)")}
    return {path: name for path, name in named.items() if path == "cpu" or _installed(_PACKAGES[path])}


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a part, its whole
        return False


@dataclass(frozen=True, slots=True)
class Consent:
    """The words before the button; `ready` says whether it can be pressed."""

    text: str
    ready: bool = True


def consent(path: str) -> Consent:
    """What measuring `path` will take on this machine."""
    if path != "cpu":
        return Consent(
            _(
                "Measures this computer's GPU: bandwidth, caches, latency. About {seconds:.0f} seconds, three arrays of at most a quarter of its "
                "free memory each. Nothing leaves this computer."
            ).format(seconds=GPU_BUDGET_S + START_S)
        )
    try:
        plan = cpu.plan()
    except NotMeasured as error:
        return Consent(str(error), ready=False)
    return Consent(
        _(
            "Measures this computer's processor on {threads} threads: bandwidth, caches, latency. About {seconds:.0f} seconds, at most {memory} of "
            "memory. Nothing leaves this computer."
        ).format(threads=plan.threads, seconds=plan.budget_s + START_S, memory=units.binary(plan.ceiling_bytes))
    )


def part(name: str) -> str:
    """A part of the measurement as its progress shows it."""
    return _(PARTS[name]) if name in PARTS else labelled(_("Bandwidth"), name)
