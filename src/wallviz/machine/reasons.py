"""Why something was not measured, and what makes a figure doubtful: one list each, a sentence and a next step for every entry."""

from __future__ import annotations

from enum import StrEnum

from wallviz.errors import WallvizError
from wallviz.i18n import N_, _, followed


class Reason(StrEnum):
    """Why a path, or a part of it, gave no figure. The values stand in records."""

    UNSUPPORTED = "unsupported"
    INSECURE = "insecure"
    NO_ADAPTER = "no_adapter"
    SOFTWARE = "software"
    NO_PACKAGE = "no_package"
    NO_DRIVER = "no_driver"
    NO_DEVICE = "no_device"
    DRIVER_TOO_OLD = "driver_too_old"
    MEMORY = "memory"
    CANCELLED = "cancelled"
    HIDDEN = "hidden"
    LOST = "lost"
    TIMEOUT = "timeout"
    INVALID = "invalid"
    BUSY = "busy"

    @property
    def sentence(self) -> str:
        """What happened, in English: marked for translation, looked up where it is shown."""
        return _SAID[self][0]

    @property
    def next_step(self) -> str:
        """What to do about it, in English; may hold ``{extra}``, the extra of wallviz that brings the missing package."""
        return _SAID[self][1]


_SAID: dict[Reason, tuple[str, str]] = {
    Reason.UNSUPPORTED: (
        N_("This path does not work on this system."),
        N_("Measure another path: the CPU path works everywhere."),
    ),
    Reason.INSECURE: (
        N_("The browser offers its GPU to secure pages only."),
        N_("Open this page over https, or as http://localhost."),
    ),
    Reason.NO_ADAPTER: (
        N_("No GPU is offered to this program."),
        N_("Update the graphics driver, switch hardware acceleration on, or leave the remote desktop."),
    ),
    Reason.SOFTWARE: (
        N_("The only adapter is a program that imitates a GPU on the CPU."),
        N_("Install the maker's graphics driver, or measure the CPU instead."),
    ),
    Reason.NO_PACKAGE: (
        N_("A package that this path needs is not installed."),
        N_('Install it: pip install "wallviz[{extra}]".'),
    ),
    Reason.NO_DRIVER: (
        N_("The GPU's driver is not installed, or this program cannot load it."),
        N_("Install the maker's driver; in a container, pass the GPU through (docker run --gpus all)."),
    ),
    Reason.NO_DEVICE: (
        N_("The driver answers, but no such device is visible."),
        N_("Choose another device, or check CUDA_VISIBLE_DEVICES."),
    ),
    Reason.DRIVER_TOO_OLD: (
        N_("The driver is older than this measurement needs."),
        N_("Update the driver."),
    ),
    Reason.MEMORY: (
        N_("There is not enough free memory for the smallest test."),
        N_("Close what holds memory, or raise the limit of the container, and measure again."),
    ),
    Reason.CANCELLED: (
        N_("The measurement was cancelled."),
        N_("Start it again whenever you like."),
    ),
    Reason.HIDDEN: (
        N_("The tab went to the background, where browsers slow everything down."),
        N_("Keep the tab in front while it measures."),
    ),
    Reason.LOST: (
        N_("The device, or the process that measured it, went away."),
        N_("Measure again; if it happens each time, look into the system's log."),
    ),
    Reason.TIMEOUT: (
        N_("The measurement took longer than its time limit and was stopped."),
        N_("Measure again with --quick, or when the machine is less busy."),
    ),
    Reason.INVALID: (
        N_("The result failed its check, so there is no figure."),
        N_("Measure again; if it stays, distrust the device, its memory or its driver."),
    ),
    Reason.BUSY: (
        N_("Another measurement is running on this machine."),
        N_("Wait until it is done: two at once would measure each other."),
    ),
}


class NotMeasured(WallvizError):  # noqa: N818 - an outcome that every path may have, not a fault
    """A path, or a part of it, has no figure: `reason` says why, `detail` what the system said (never translated), `extra` what to install."""

    def __init__(self, reason: Reason, detail: str = "", *, extra: str = "all") -> None:
        super().__init__(reason.sentence)
        self.reason = reason
        self.detail = detail
        self.extra = extra

    def __reduce__(self) -> tuple[object, ...]:
        return (_again, (self.reason, self.detail, self.extra))

    def __str__(self) -> str:
        return explained(self.reason, extra=self.extra)


def _again(reason: Reason, detail: str, extra: str) -> NotMeasured:
    return NotMeasured(reason, detail, extra=extra)


def explained(reason: Reason, *, extra: str = "all") -> str:
    """The sentence and the next step, in the language in use.

    >>> explained(Reason.NO_PACKAGE, extra="gpu")
    'A package that this path needs is not installed. Install it: pip install "wallviz[gpu]".'
    """
    return followed(_(reason.sentence), _(reason.next_step).format(extra=extra))


class Flag(StrEnum):
    """What makes the figures of a record doubtful. The values stand in records."""

    ABOVE_THEORETICAL = "above_theoretical"
    FAR_BELOW = "far_below"
    OTHERS_BUSY = "others_busy"
    BIMODAL = "bimodal"
    HALVED = "halved"
    SOFTWARE = "software"
    THROTTLED = "throttled"
    TIMER = "timer"
    NUMPY_ONLY = "numpy_only"
    CUT_SHORT = "cut_short"

    @property
    def sentence(self) -> str:
        """What it means for the reader, in English: marked for translation, looked up where it is shown."""
        return _DOUBTS[self]


_DOUBTS: dict[Flag, str] = {
    Flag.ABOVE_THEORETICAL: N_("More than 105% of what the memory can carry: the data came from a cache or were compressed on the way."),
    Flag.FAR_BELOW: N_("Less than 20% of what the memory can carry: the wrong adapter, power saving, or software."),
    Flag.OTHERS_BUSY: N_("Other programs used more than 5% of the processors meanwhile: the figures are too low."),
    Flag.BIMODAL: N_("The rate sat in two modes, as on shared hosts: the best is what the machine can do, the median what it did."),
    Flag.HALVED: N_("The arrays were made smaller to fit the memory: caches may help the figures."),
    Flag.SOFTWARE: N_("A program imitated this GPU on the CPU: this is not a GPU's figure."),
    Flag.THROTTLED: N_("The device held its clocks back meanwhile, for heat or power."),
    Flag.TIMER: N_("The device's timer and the wall clock disagree: the wall clock was used."),
    Flag.NUMPY_ONLY: N_(
        "Measured with numpy alone: each call costs about half a microsecond, which hides the first-level cache, there is no triad in one pass, "
        'and no latency. pip install "wallviz[fast]" adds them.'
    ),
    Flag.CUT_SHORT: N_("The time ran out before every part was measured."),
}
