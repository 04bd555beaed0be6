"""How many chips still help: compute, communication and waiting as one job is shared by more and more of them."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import Answer, scaleout

page = ui.Page("scaleout", scaleout.PARAMS, case=True)


def first_view() -> Answer:
    """The answer, its figure, its controls and the changes to try."""
    view = scaleout.View(**page.view)
    answer = scaleout.answer(page.case, view)
    page.show(answer)
    with page.controls():
        if view.show == "sweeps":
            page.select("sweep", _("Machine"), scaleout.words("sweep"), width=200)
        if view.show in ("curve", "wire", "frontier", "bill"):
            page.select("gpus", _("Chips"), scaleout.gpu_options(page.case, view), width=130)
            if page.case.job != "infer":
                page.select("sequences", _("Sequences a step, all chips"), scaleout.sequence_options(page.case, view), width=200)
            page.select("across", _("Links across nodes, per chip"), scaleout.words("across"), width=290)
            if page.case.job == "infer":
                page.select("format", _("Weights"), scaleout.words("format"), width=150)
            else:
                page.pick("overlap", _("Compute hides"), scaleout.words("overlap"))
    page.actions(answer.actions)
    return answer


answer = page.live(first_view, whole=["show", "job", "chips"])
view, case = scaleout.View(**page.view), page.case
if other := page.drawer("figure", _("Other figures: the wires, measured collectives, published runs, the bill, scaling rules, chips by year")):
    with other:
        page.pick("show", _("Figure"), scaleout.words("show"))
if why := page.drawer("why", _("Why: the time as a sum, with these numbers and rates")):
    why.markdown(answer.why)
if sure := page.drawer("sure", _("How sure: published runs against the model, each with its miss")):
    with sure:
        st.markdown(answer.how_sure)
        page.table(scaleout.evidence_table(formulas=False, serves=case.job == "infer"))
if layouts := page.drawer("layouts", _("Best split: the simplest of the fastest that fit")):
    with layouts:
        page.table(scaleout.best_layouts(case, view))
if expert := page.drawer("expert", _("Expert: parallelism, links, efficiencies, tokens and price")):
    with expert:
        page.settings(scaleout.groups(case))
if take := page.drawer("export", _("Take it with you: JSON")):
    with take:
        page.save(_("Every number: JSON"), lambda: scaleout.document(case, view), "wallviz-scaleout.json", "application/json")
page.next("footprint", _("whether one copy fits"))
