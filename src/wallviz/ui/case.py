"""The case bar: one model, one job, one machine, asked once and carried by every link (`wallviz.case`)."""

from __future__ import annotations

import streamlit as st

from wallviz import catalog
from wallviz.case import JOBS, MAX_BATCH, MAX_CHIPS, MAX_CONTEXT, Case
from wallviz.i18n import N_, _
from wallviz.params import choice, number
from wallviz.ui.link import Link

_DEFAULT = Case()
JOB_NAMES = {"infer": N_("serve"), "train": N_("train"), "finetune": N_("fine-tune")}
PARAMS = (
    choice("model", catalog.presets(), _DEFAULT.model),
    choice("job", JOBS, _DEFAULT.job),
    number("batch", _DEFAULT.batch, 1, MAX_BATCH),
    number("context", _DEFAULT.context, 1, MAX_CONTEXT),
    choice("chip", catalog.chips(), _DEFAULT.chip),
    number("chips", _DEFAULT.chips, 1, MAX_CHIPS),
)


def current(link: Link) -> Case:
    """The case that `link` holds."""
    return Case(**{param.name: link.values[param.name] for param in PARAMS})


def show(link: Link) -> None:
    """One line that says the case; it opens to change it."""
    case = current(link)
    models, chips = catalog.presets(), catalog.chips()
    label = _("{job} {model} · batch {batch} · context {context} · {n} × {chip}").format(
        job=_(JOB_NAMES[case.job]),
        model=models[case.model].name,
        batch=f"{case.batch:,}",
        context=f"{case.context:,}",
        n=f"{case.chips:,}",
        chip=chips[case.chip].name,
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
        st.selectbox(_("Model"), list(models), format_func=lambda m: models[m].name, key=link.seed("model"))
        st.segmented_control(_("Job"), list(JOBS), format_func=lambda j: _(JOB_NAMES[j]), key=link.seed("job"), required=True)
        left, right = st.columns(2)
        left.number_input(_("Batch"), 1, MAX_BATCH, key=link.seed("batch"))
        right.number_input(_("Context (tokens)"), 1, MAX_CONTEXT, key=link.seed("context"))
        st.selectbox(_("Chip"), list(chips), format_func=lambda c: chips[c].name, key=link.seed("chip"))
        st.number_input(_("How many chips"), 1, MAX_CHIPS, key=link.seed("chips"))
