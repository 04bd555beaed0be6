"""Every dataset with its licence, its errata and what is single-source."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import sources
from wallviz.ui import story

page = ui.Page("sources", sources.View)


def body() -> None:
    """Everything under the title."""
    page.figures("show")
    page.show(sources.answer())
    if page.view.show == "article":
        story.claims()
        return
    page.entries(sources.entries(page.view.find), search="find", placeholder=_("title, producer, licence or file"))
    if sure := page.drawer("sure"):
        with sure:
            st.markdown(f"**{_('What rests on a single source')}**")
            st.dataframe(page.columns(sources.single_source()), alt=_("Values of chips that one source alone states"))


page.live(body)
