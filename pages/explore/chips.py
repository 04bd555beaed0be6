"""Chips side by side: what each holds, moves, computes and draws, and the largest model that it serves in time."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import Answer, chips

page = ui.Page("chips", chips.View, job=True, renamed=chips.RENAMED)


def first_view() -> Answer:
    """The answer, its figure, the chips to compare and the table."""
    view = page.view
    answer = chips.answer(page.job, view)
    page.show(answer)
    with page.controls():
        page.ask("show", width=300)
        page.ask("format", width=150)
        page.many("compare", _("Chips (a usual list where none is chosen)"), chips.chip_names())
    page.actions(answer.actions)
    return answer


answer = page.live(first_view, whole=["compare", "format", "prices"])
view = page.view
if table := page.drawer("table", _("Side by side: every figure in one table (*: one source alone)")):
    with table:
        page.table(chips.side_by_side(page.job, view))
        page.save(_("Every number: JSON"), lambda: chips.document(page.job, view), "wallviz-chips.json", "application/json")
if price := page.drawer("price", _("Your prices and targets: per unit of money, largest model in time")):
    with price:
        st.text_input(
            _("What you pay: a chip and a number each, separated by semicolons"),
            key=page.link.seed("prices"),
            placeholder="H100 25000; H20 12000",
            max_chars=600,
        )
        page.settings(chips.groups(view))
if why := page.drawer("why", _("Why: the formulas with these numbers")):
    why.markdown(answer.why)
if sure := page.drawer("sure", _("How sure: what one source alone says, and what is missing")):
    sure.markdown(answer.how_sure)
page.next("footprint", _("whether your work fits on one of them"))
