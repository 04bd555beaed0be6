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
        if view.curved:
            page.pick("data", _("Data"), growth.words("data"))
        if view.gap:
            page.pick("hold", _("Hold fixed"), growth.words("hold"))
        elif view.curved:
            page.select("domain", _("Domain"), growth.words("domain"))
        if view.curved:
            page.pick("scale", _("Scale"), growth.words("scale"))
    if why := page.drawer("why"):
        why.markdown(ui.linked(answer.why))
    if sure := page.drawer("sure"):
        with sure:
            page.cards(answer.cards)
            ui.prose(answer.how_sure)
    if view.curved and (settings := page.drawer("settings")):
        with settings:
            page.years("window")
            with st.container(horizontal=True, vertical_alignment="bottom"):
                if view.figure in ("gap", "size"):
                    page.pick("unit", _("Basis"), growth.words("unit of size" if view.figure == "size" else "unit"))
                page.pick("fit", _("Method"), growth.words("fit"))
                page.pick("band", _("Bands"), growth.words("band"))
            with st.container(horizontal=True, vertical_alignment="bottom"):
                page.slider("extend")
                page.toggle("records", _("Record-setters only"))
                if view.data == "today" and view.gap:
                    page.select("peaks", _("Number format"), growth.words("peaks"))
                elif view.data == "today":
                    page.toggle("frontier", _("Frontier models only"))
            page.many("without", _("Points to take out (or click them in the figure)"), answer.options, placeholder=_("Choose points"))


page.live(body)
