"""The memory wall in one minute: something to play with, the claims, a door to every room."""

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import start
from wallviz.rooms.job import chips, models

page = ui.Page("start", job=True, question=start.question, renamed=start.RENAMED)
answer = start.answer(page.job)
page.show(answer)

with page.controls():
    page.select("model", _("Model"), models())
    page.select("chip", _("Chip"), chips(page.job))
    if page.job.serves:
        page.pick("format", _("Weights"), start.formats(page.job))

if why := page.drawer("why", _("Why: the arithmetic of one token")):
    why.markdown(answer.why)
page.headlines(_("What the 2024 paper claims, and what its own points say"), start.headlines())
page.doors(_("Look around"))
page.publish()
