"""The published growth curves, refitted live on what the reader keeps."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import Answer, growth

page = ui.Page("growth", growth.View, job=True)


def first_view() -> Answer:
    """The answer, its figure, its controls and its claims."""
    view = page.view
    answer = growth.answer(view, chip=page.job.chip)
    page.show(answer, on_click=lambda point: page.link.choose("without", growth.toggled(page.link.values["without"], point)))
    with page.controls():
        page.pick("figure", _("Figure"), growth.words("figure"))
        if view.curved:
            page.pick("data", _("Data"), growth.words("data"))
        if view.figure == "gap":
            page.pick("hold", _("Hold fixed"), growth.words("hold"))
        elif view.curved:
            page.select("domain", _("Domain"), growth.words("domain"))
        if view.curved:
            page.pick("scale", _("Scale"), growth.words("scale"))
    page.cards(answer.cards)
    return answer


answer = page.live(first_view, whole=["figure"])
view = page.view
if why := page.drawer("why", _("Why: the formula with these numbers")):
    why.markdown(answer.why)
if sure := page.drawer("sure", _("How sure: intervals, influence, known errors")):
    sure.markdown(answer.how_sure)
if view.curved and (expert := page.drawer("expert", _("Expert: window, unit, method, single points"))):
    with expert:
        page.years("window")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if view.figure == "gap":
                page.pick("show", _("Show"), growth.words("show"))
            if view.figure in ("gap", "size"):
                page.pick("unit", _("Basis"), growth.words("unit of size" if view.figure == "size" else "unit"))
            page.pick("fit", _("Method"), growth.words("fit"))
            page.pick("band", _("Bands"), growth.words("band"))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            page.slider("extend")
            page.toggle("records", _("Record-setters only"))
            if view.data == "today" and view.figure == "gap":
                page.select("peaks", _("Number format"), growth.words("peaks"))
            elif view.data == "today":
                page.toggle("frontier", _("Frontier models only"))
        page.many("without", _("Points to take out (or click them in the figure)"), answer.options, placeholder=_("Choose points"))
page.next("sources", _("where these numbers come from"))
