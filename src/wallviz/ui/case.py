"""The case bar: one model, one job, one machine, asked once and carried by every link (`wallviz.case`)."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from wallviz import catalog
from wallviz.case import MAX_BATCH, MAX_CHIPS, MAX_CONTEXT, Case
from wallviz.i18n import _
from wallviz.rooms.case import PARAMS, chips, jobs
from wallviz.ui.link import Link

__all__ = ["PARAMS", "current", "show"]


def current(link: Link) -> Case:
    """The case that `link` holds."""
    return Case(**{param.name: link.values[param.name] for param in PARAMS})


def show(link: Link, asked: Collection[str] = ()) -> None:
    """One line that says the case; it opens to change it. What the page asks itself (`asked`) is not asked twice."""
    case = current(link)
    models, machines = catalog.presets(), chips(case)
    whole = _("{job} {model} · batch {batch} · context {context} · {n} × {chip}")
    label = (whole if not asked else _("{n} × {chip}")).format(
        job=jobs()[case.job],
        model=models[case.model].name,
        batch=f"{case.batch:,}",
        context=f"{case.context:,}",
        n=f"{case.chips:,}",
        chip=machines[case.chip],
    )
    bar = st.popover(
        label,
        icon=":material/tune:",
        help=_("Your case, shared by the explore pages; here its chip is named where it is shown"),
        on_change="rerun",
        key="case_bar",
        type="tertiary",
    )
    if not bar.open:
        return
    with bar:
        if "model" not in asked:
            st.selectbox(_("Model"), list(models), format_func=lambda m: models[m].name, key=link.seed("model"))
        if "job" not in asked:
            st.segmented_control(_("Job"), list(jobs()), format_func=jobs().__getitem__, key=link.seed("job"), required=True)
        if "batch" not in asked:
            left, right = st.columns(2)
            left.number_input(_("Batch"), 1, MAX_BATCH, key=link.seed("batch"))
            right.number_input(_("Context (tokens)"), 1, MAX_CONTEXT, key=link.seed("context"))
        st.selectbox(_("Chip"), list(machines), format_func=machines.__getitem__, key=link.seed("chip"))
        st.number_input(_("How many chips"), 1, MAX_CHIPS, key=link.seed("chips"))
