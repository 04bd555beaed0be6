"""What holds a workload back on a chip: its steps and operations under the roof, with what others measured on the same axes."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import roofline
from wallviz.rooms.job import model_name, models

page = ui.Page("roofline", roofline.View, job=True)


def body() -> None:
    """Everything under the title."""
    view, case = page.view, page.job
    moved = roofline.moves(case, view)
    page.case(*(("model", "batch", "context") if moved else ()))
    page.figures("show")
    answer = roofline.answer(case, view)

    def take() -> None:
        with st.container(horizontal=True):
            page.save(_("Every number: JSON"), lambda: roofline.document(case, view), "wallviz-roofline.json", "application/json")
            csv = "wallviz-roofline-operations.csv"
            page.save(_("The operations: CSV"), lambda: ui.csv_text(roofline.operations(case, view, exact=True)), csv, "text/csv")

    page.show(answer, on_click=(lambda point: page.apply(roofline.pressed(point))) if view.show == "roofline" else None, take=take)
    with page.controls():
        if moved:
            if case.config:
                page.button(_("Own model: {name}").format(name=model_name(case)), {"config": ""}, icon=":material/close:")
            else:
                page.select("model", models(), width=190)
            page.doubling("batch")
            page.ask("context", step=1024, width=150)
            if view.show == "time" and case.job == "infer":
                page.ask("phase")
            else:
                page.ask("format" if case.serves else "precision", width=150)
        elif view.show == "measured":
            page.ask("evidence")
        elif view.show == "capacity":
            page.ask("ratio")
    page.actions(answer.actions)
    if why := page.drawer("why"):
        with why:
            ui.prose(answer.why)
            page.table(roofline.operations(case, view))
    if sure := page.drawer("sure"):
        with sure:
            if moved:
                page.ask("reported", width=220)
                st.markdown(roofline.miss(case, view))
            ui.prose(answer.how_sure)
            page.table(roofline.measured_here(case, view))
    if moved and (settings := page.drawer("settings")):
        with settings:
            if view.show == "roofline":
                with st.container(horizontal=True, vertical_alignment="bottom"):
                    page.ask("drawn")
                    page.ask("points")
                    page.ask("levels")
                page.many("others", roofline.chips())
                page.many("roofs", roofline.roofs())
            if case.job == "infer":
                page.ask("tpot", width=220)
                st.markdown(roofline.targets(case, view))
            page.settings(roofline.groups(case, view))


page.live(body)
