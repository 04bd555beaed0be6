"""How long a size takes at every level of a machine, from registers to disk, to scale."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import Answer, hierarchy

page = ui.Page("hierarchy", hierarchy.View, job=True)


def first_view() -> Answer:
    """The answer, its figure, and the box for the size."""
    view = page.view
    answer = hierarchy.answer(page.job, view)
    page.show(answer)
    with page.controls():
        if view.show in ("ladder", "human", "machines"):
            sizes = hierarchy.size_options(page.job)
            st.selectbox(
                _("Size: choose or type one"),
                list(sizes),
                format_func=lambda size: sizes.get(size, size),
                key=page.link.seed("size"),
                accept_new_options=True,
                width=300,
            )
        if view.show in ("ladder", "human"):
            page.select("machine", _("Machine"), hierarchy.machine_names(page.job), width=240)
        if view.show == "latency":
            page.ask("misses", step=50)
            page.ask("processor", step=5, width=160)
            page.ask("dram")
        page.ask("scale")
    return answer


answer = page.live(first_view, whole=["show", "machine", "chip"])
view = page.view
if other := page.drawer("figure", _("Other figures: human time, energy, machines compared, growth of every level, the curve of 1995")):
    with other:
        page.ask("show")
        if view.show == "years":
            page.many("families", _("Families (the first five where none is chosen)"), hierarchy.families())
if why := page.drawer("why", _("Why: the formula with these numbers")):
    why.markdown(answer.why)
if sure := page.drawer("sure", _("How sure: promised against measured, and what no source says")):
    sure.markdown(answer.how_sure)
if table := page.drawer("table", _("Every number of this figure")):
    with table:
        page.table(answer.table)
        page.save(_("Every number: JSON"), lambda: hierarchy.document(page.job, view), "wallviz-hierarchy.json", "application/json")
if expert := page.drawer("expert", _("Expert: measured rates, CXL, the assumptions of 1995")):
    with expert:
        page.settings(hierarchy.groups(view))
page.next("roofline", _("what this means for a model on one chip"))
