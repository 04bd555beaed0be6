"""What can be done about a job that does not fit or is too slow: what each remedy buys, what it costs, when it fails."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import Answer, remedies
from wallviz.rooms.remedies import further
from wallviz.ui import cards

page = ui.Page("remedies", remedies.View, job=True)


def first_view() -> Answer:
    """The answer, its waterfall, the remedies as pills, and the cards of those that matter most."""
    view = page.view
    answer = further.answer(page.job, view)
    page.show(answer)
    if view.figure != "waterfall":
        page.actions(answer.actions)
        return answer
    with page.controls():
        offered = remedies.offered(page.job, view)
        st.pills(
            _("Remedies, in the order in which you choose them"),
            list(offered),
            selection_mode="multi",
            format_func=offered.get,
            key=page.link.seed("apply"),
        )
        page.ask("show")
        page.ask("order")
    page.actions(answer.actions)
    cards.show(() if page.embedded else remedies.cards(page.job, view))
    return answer


answer = page.live(first_view, whole=["job", "chips", "figure"])
view, case = page.view, page.job
if why := page.drawer("why", _("Why: every step with these numbers")):
    why.markdown(answer.why)
if figure := page.drawer("figure", _("Other figures: saved against paid, quality against bits, the line that stays, fewer trials, number formats")):
    with figure:
        page.ask("figure")
if sure := page.drawer("sure", _("How sure: every published point and who measured it")):
    with sure:
        st.markdown(answer.how_sure)
        page.table(remedies.evidence_rows(case, view))
if expert := page.drawer("expert", _("Expert: how it is run now, every remedy, the models behind them")):
    with expert:
        page.settings(remedies.groups(case, view))
        page.table(remedies.every(case, view))
page.next("footprint", _("where the bytes go"))
