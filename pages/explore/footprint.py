"""Where the bytes go, whether they fit, and what would make them fit: training, fine-tuning and serving."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.job import pack
from wallviz.rooms import footprint
from wallviz.rooms.footprint import export
from wallviz.rooms.job import groups, job_names, model_name, models

page = ui.Page("footprint", footprint.View, job=True)


def body() -> None:
    """Everything under the title."""
    view, case = page.view, page.job
    moved = view.show != "article"  # which prints one table, for no job
    page.case(*(("job", "model", "batch", "context") if moved else ()))
    page.figures("show")
    answer = footprint.answer(case, view)

    def take() -> None:
        with st.container(horizontal=True):
            page.save(_("Every number: JSON"), lambda: export.document(case, view, answer.sentence), "wallviz-footprint.json", "application/json")
            page.save(_("The terms: CSV"), lambda: ui.csv_text(footprint.terms(case, view)), "wallviz-footprint-terms.csv", "text/csv")
        if case.job != "infer":
            page.ask("fragment")
        st.code(export.fragment(case, view), language=None)

    page.show(answer, on_click=(lambda cell: page.apply(footprint.pick(cell))) if view.show == "map" else None, take=take)
    with page.controls():
        if moved:
            page.pick("job", job_names())
            if case.config:
                page.button(_("Own model: {name}").format(name=model_name(case)), {"config": ""}, icon=":material/close:")
            else:
                page.select("model", models(), width=220)
            page.ask("batch", "" if case.serves else _("Batch per GPU"), width=150)
            page.ask("context", step=1024, width=150)
        if view.show == "map":
            page.ask("across")
    page.actions(answer.actions)
    if why := page.drawer("why"):
        with why:
            ui.prose(answer.why)
            page.table(footprint.terms(case, view))
            page.remarks(_("What the model's file does not say:"), footprint.assumptions(case))
            page.table(footprint.compared(case, view))
    if sure := page.drawer("sure"):
        with sure:
            ui.prose(answer.how_sure)
            if moved:
                with st.container(horizontal=True, vertical_alignment="bottom"):
                    page.ask("reported", width=220)
                    if view.reported is not None:
                        page.ask("meter")
                st.markdown(footprint.miss(case, view))
    if moved and (settings := page.drawer("settings")):
        with settings:
            with st.container(horizontal=True):
                page.button(_("Keep this one, then change something"), {"against": pack(case)}, icon=":material/keep:")
                if view.against:
                    page.button(_("Forget it"), {"against": ""}, icon=":material/keep_off:")
            page.settings(groups(case))


page.live(body)
