"""The Streamlit side: pages, navigation, the page skeleton, charts in place. Nothing else imports streamlit but app.py and pages/."""

from wallviz.ui.frame import navigation
from wallviz.ui.handout import csv_text
from wallviz.ui.page import Page
from wallviz.ui.terms import prose

__all__ = ["Page", "csv_text", "navigation", "prose"]
