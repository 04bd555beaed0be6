"""Every term in English and Chinese, with its unit, one line, and where it is used."""

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import glossary

page = ui.Page("glossary", glossary.View)


def body() -> None:
    """Everything under the title."""
    page.show(glossary.answer())
    page.entries(glossary.entries(page.view.find), search="find", placeholder=_("a term, a synonym, English or Chinese"))


page.live(body)
