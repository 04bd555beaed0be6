"""Every dataset with its licence, its errata and what is single-source."""

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import sources

page = ui.Page("sources", sources.View)
page.show(sources.answer())
page.entries(sources.entries(page.view.find), search=("find", _("Search"), _("title, producer, licence or file")))
if single := page.drawer("single", _("What rests on a single source")):
    single.dataframe(page.columns(sources.single_source()), alt=_("Values of chips that one source alone states"))
page.next("glossary", _("what the words mean"))
