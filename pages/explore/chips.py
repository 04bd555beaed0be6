"""Chips side by side: what each holds, moves, computes and draws, and the largest model that it serves in time."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import chips

page = ui.Page("chips", chips.View, job=True, renamed=chips.RENAMED)


def body() -> None:
    """Everything under the title."""
    page.case()
    view = page.view
    answer = chips.answer(page.job, view)

    def take() -> None:
        page.save(_("Every number: JSON"), lambda: chips.document(page.job, view), "wallviz-chips.json", "application/json")

    page.show(answer, take=take)
    with page.controls():
        page.ask("show", width=300)
        page.ask("format", width=150)
        page.many("compare", chips.chip_names())
    page.actions(answer.actions)
    if why := page.drawer("why"):
        with why:
            page.table(chips.side_by_side(page.job, view))
            st.caption(_("*: one source alone"))
            ui.prose(answer.why)
    if sure := page.drawer("sure"):
        with sure:
            ui.prose(answer.how_sure)
    if settings := page.drawer("settings"):
        with settings:
            page.text("prices", placeholder="H100 25000; H20 12000")
            page.settings(chips.groups(view, drawn=answer.drawing is not None))


page.live(body)
