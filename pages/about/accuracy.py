"""How wrong we are: every case predicted and measured, why tools disagree, what was chosen after seeing residuals."""

import streamlit as st

from wallviz import ui
from wallviz.rooms import accuracy

page = ui.Page("accuracy", accuracy.View)


def body() -> None:
    """Everything under the title."""
    page.figures("show")
    view = page.view
    answer = accuracy.answer(view)
    page.show(answer)
    with page.controls():
        if view.show == "tools":
            page.select("run", accuracy.runs())
        else:
            page.ask("group")
    if why := page.drawer("why"):
        with why:
            st.markdown(accuracy.tools(view.run) if view.show == "tools" else accuracy.described(view.group))
            st.dataframe(page.columns(accuracy.table(view.group)), alt=accuracy.described(view.group))
    if sure := page.drawer("sure"):
        with sure:
            ui.prose(accuracy.chosen())


page.live(body)
