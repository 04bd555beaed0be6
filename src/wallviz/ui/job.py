"""The case bar: one model, one job, one machine, asked once and carried by every link (`wallviz.job`)."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from wallviz.i18n import _
from wallviz.job import MAX_BATCH, MAX_CHIPS, MAX_CONTEXT, Job
from wallviz.rooms import job as words
from wallviz.rooms import own_model as packed
from wallviz.rooms.job import SETTINGS
from wallviz.ui import model as own_model
from wallviz.ui.link import PageLink


def current(link: PageLink) -> Job:
    """The job that `link` holds."""
    return Job(**{name: link.values[name] for name in SETTINGS})


def show(link: PageLink, asked: Collection[str] = ()) -> None:
    """One line that says the job, beside a button that opens it to be changed. What the page asks itself (`asked`) is not asked twice.

    The button's own words never change: Streamlit would take it for another one, and close it after the first change.
    """
    job = current(link)
    with st.container(horizontal=True, vertical_alignment="center", key="job_line"):
        bar = st.popover(
            _("Your case"),
            icon=":material/tune:",
            help=_("Shared by every page, and carried by its link"),
            on_change="rerun",
            key="job_bar",
            type="tertiary",
        )
        st.caption(words.headline(job), width="stretch")
    if not bar.open:
        return
    with bar:
        if "model" not in asked and not job.config:
            models = words.models()
            st.selectbox(options=list(models), format_func=models.__getitem__, **link.widget("model"))
        own = st.expander(_("Your own model: paste its config.json, or enter its numbers"), on_change="rerun", key="job_own")
        if own.open:
            with own:
                own_model.ask(link, "config", pack=packed.pack, pack_numbers=packed.pack_numbers, labels=packed.labels(), helps=packed.helps())
        if "job" not in asked:
            jobs = words.job_names()
            st.segmented_control(options=list(jobs), format_func=jobs.__getitem__, required=True, **link.widget("job"))
        if "batch" not in asked:
            left, right = st.columns(2)
            left.number_input(min_value=1, max_value=MAX_BATCH, **link.widget("batch"))
            right.number_input(min_value=1, max_value=MAX_CONTEXT, **link.widget("context"))
        if "chip" not in asked:
            chips = words.chips(job)
            st.selectbox(options=list(chips), format_func=chips.__getitem__, **link.widget("chip"))
        if "chips" not in asked:
            st.number_input(min_value=1, max_value=MAX_CHIPS, **link.widget("chips"))
