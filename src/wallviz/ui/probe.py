"""The measurement of the visitor's own GPU on a page: a button, progress and cancel, in the browser alone; the record comes back in the end."""

from __future__ import annotations

from wallviz.i18n import _, labelled
from wallviz.machine.probe.browser import PARTS, REASONS, BrowserPlan, from_browser, request
from wallviz.machine.reasons import explained
from wallviz.machine.record import Record
from wallviz.ui.component import component
from wallviz.units import binary

_CSS = """
.wallviz-probe { min-height: 6.5rem; }
.wallviz-probe p { margin: 0 0 .5rem; }
.wallviz-probe-running { display: flex; align-items: center; gap: .75rem; margin-bottom: .5rem; }
.wallviz-probe progress { flex: 1; min-width: 6rem; accent-color: var(--st-primary-color); }
.wallviz-probe button { font: inherit; color: var(--st-text-color); background: transparent; cursor: pointer; margin-bottom: .5rem;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: .3rem .8rem; }
.wallviz-probe button:hover, .wallviz-probe button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
"""


def _nothing() -> None:
    """Streamlit returns a component's state only for names that have a callback."""


def browser_probe(plan: BrowserPlan | None = None, *, key: str = "probe") -> Record | None:
    """The record of the visitor's GPU, None until there is one. Raises `InputError` where the browser sent something else.

    The measurement belongs to the browser: it runs on while the page reruns, and ends when the reader leaves the page.
    """
    plan = plan or BrowserPlan()
    made = component("probe", "<div class='wallviz-probe'></div>", _CSS)(
        key=key, data=request(plan) | {"texts": _texts(plan)}, on_record_change=_nothing
    )
    payload = getattr(made, "record", None)
    return None if payload is None else from_browser(payload)


def _texts(plan: BrowserPlan) -> dict[str, object]:
    """What the script shows, in the language in use."""
    parts = {
        "memory": _("Memory is set aside and filled"),
        "check": _("The results are checked"),
        "sweep": _("Rates by working set"),
        "latency": _("Latency"),
    }
    consent = _(
        "Measures the GPU of the device in front of you, in this browser: about {seconds:.0f} seconds, at most {memory} of its memory. "
        "Nothing leaves the device but the figures, and they go to this page alone."
    )
    return {
        "consent": consent.format(seconds=plan.budget_s, memory=binary(plan.most_bytes)),
        "start": _("Measure this device's GPU"),
        "again": _("Measure again"),
        "cancel": _("Cancel"),
        "progress": _("Progress of the measurement"),
        "done": _("Measured."),
        "parts": {name: parts.get(name) or labelled(_("Bandwidth"), name) for name in PARTS},
        "reasons": {reason.value: explained(reason, extra="gpu") for reason in REASONS},
    }
