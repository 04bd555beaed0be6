"""How wrong we are: every case predicted and measured, why tools disagree, what was chosen after seeing residuals."""

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import Answer, accuracy

page = ui.Page("accuracy", accuracy.View)


def first_view() -> Answer:
    """The answer, its figure and its controls."""
    answer = accuracy.answer(page.view)
    page.show(answer)
    with page.controls():
        page.select("group", _("Which cases"), accuracy.words("group"))
        page.pick("show", _("Show"), accuracy.words("show"))
    return answer


page.live(first_view)
view = page.view
if cases := page.drawer("cases", _("Every case: inputs, expected, predicted, source")):
    cases.dataframe(page.columns(accuracy.table(view.group)), alt=accuracy.described(view.group))
if disagree := page.drawer("disagree", _("Why tools disagree: one run, every calculator")):
    with disagree:
        page.select("run", _("Measured run"), accuracy.runs())
        page.figure(accuracy.disagree(view.run))
        disagree.markdown(accuracy.tools(view.run))
if chosen := page.drawer("chosen", _("How sure: what was chosen after seeing residuals")):
    chosen.markdown(accuracy.chosen())
page.next("sources", _("where these numbers come from"))
