"""The published growth curves, refitted live on what the reader keeps."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import growth

page = ui.Page("growth", growth.View, job=True)


def body() -> None:
    """Everything under the title."""
    page.case()
    page.figures("figure")
    view = page.view
    answer = growth.answer(view, chip=page.job.chip)
    page.show(answer, on_click=lambda point: page.link.choose("without", growth.toggled(page.link.values["without"], point)))
    with page.controls():
        if view.curved and not view.divides:
            page.ask("data")
        if view.gap:
            page.ask("hold")
        elif view.curved:
            page.ask("domain")
        if view.curved:
            page.ask("scale")
    if why := page.drawer("why"):
        with why:
            ui.prose(answer.why)
    if sure := page.drawer("sure"):
        with sure:
            page.cards(answer.cards)
            ui.prose(answer.how_sure)
    if view.curved and (settings := page.drawer("settings")):
        with settings:
            page.years("window")
            with st.container(horizontal=True, vertical_alignment="bottom"):
                if view.figure in ("gap", "size"):
                    page.ask("unit")
                page.ask("fit")
                page.ask("band")
            with st.container(horizontal=True, vertical_alignment="bottom"):
                page.slider("extend")
                page.ask("records")
                if view.data == "today" and view.gap:
                    page.ask("peaks")
                elif view.data == "today":
                    page.ask("frontier")
            page.many("without", answer.options, placeholder=_("Choose points"))


page.live(body)
