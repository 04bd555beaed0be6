"""The memory wall in one minute: something to play with, the claims, a door to every room."""

from wallviz import catalog, ui
from wallviz.i18n import _
from wallviz.rooms import case, names, start

page = ui.Page("start", start.PARAMS, case=True, question=start.question)
answer = start.answer(page.case, page.view)
page.show(answer)

with page.controls():
    page.select("model", _("Model"), names(catalog.presets()))
    page.select("chip", _("Chip"), case.chips(page.case))
    page.pick("weights", _("Weights"), {option: _(words) for option, (words, _bytes) in start.FORMATS.items()})

if why := page.drawer("why", _("Why: the arithmetic of one token")):
    why.markdown(answer.why)
page.headlines(_("What the 2024 paper claims, and what its own points say"), start.headlines())
page.doors(_("Look around"))
page.publish()
