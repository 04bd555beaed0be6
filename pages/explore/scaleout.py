"""How many chips still help: compute, communication and waiting as one job is shared by more and more of them."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import scaleout

page = ui.Page("scaleout", scaleout.View, job=True)


def body() -> None:
    """Everything under the title."""
    page.case(*(("chips",) if page.view.show in scaleout.OF_THE_JOB else ()))
    page.figures("show")
    view, case = page.view, page.job
    answer = scaleout.answer(case, view)

    def take() -> None:
        page.save(_("Every number: JSON"), lambda: scaleout.document(case, view), "wallviz-scaleout.json", "application/json")

    page.show(answer, take=take)
    with page.controls():
        if view.show == "sweeps":
            page.ask("sweep", width=200)
        if view.show in scaleout.OF_THE_JOB:
            page.select("chips", scaleout.chip_options(case), width=150)
            if case.job != "infer":
                page.select("sequences", scaleout.sequence_options(case), width=220)
            if scaleout.crosses(case, view):
                page.ask("across", width=290)
            if case.job == "infer":
                page.ask("format", width=150)
            else:
                page.ask("overlap")
    page.actions(answer.actions)
    if why := page.drawer("why"):
        with why:
            ui.prose(answer.why)
            if view.show in scaleout.OF_THE_JOB:
                st.markdown(f"**{_('Best split: the simplest of the fastest that fit')}**")
                page.table(scaleout.best_layouts(case, view))
    if sure := page.drawer("sure"):
        with sure:
            ui.prose(answer.how_sure)
            page.table(scaleout.evidence_table(formulas=False, serves=case.job == "infer"))
    if (groups := scaleout.groups(case, view)) and (settings := page.drawer("settings")):
        with settings:
            page.settings(groups)


page.live(body)
