"""What can be done about a job that does not fit or is too slow: what each remedy buys, what it costs, when it fails."""

import streamlit as st

from wallviz import ui
from wallviz.rooms import remedies
from wallviz.rooms.remedies import further
from wallviz.ui import cards

page = ui.Page("remedies", remedies.View, job=True)


def body() -> None:
    """Everything under the title."""
    page.case()
    page.figures("figure")
    view, case = page.view, page.job
    answer = further.answer(case, view)
    page.show(answer)
    if view.figure == "waterfall":
        with page.controls():
            offered = remedies.offered(case, view)
            st.pills(options=list(offered), selection_mode="multi", format_func=offered.get, **page.link.widget("apply"))
            page.ask("show")
            if len(view.apply) > 1:
                page.ask("order")
    page.actions(answer.actions)
    if why := page.drawer("why"):
        with why:
            if view.figure == "waterfall":
                cards.show(remedies.cards(case, view))
            ui.prose(answer.why)
    if sure := page.drawer("sure"):
        with sure:
            ui.prose(answer.how_sure)
            page.table(remedies.evidence_rows(case, view))
    if (groups := remedies.groups(case, view)) and (settings := page.drawer("settings")):
        with settings:
            page.settings(groups)
            if view.figure in remedies.OF_THE_JOB:
                page.table(remedies.every(case, view))


page.live(body)
