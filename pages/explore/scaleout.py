"""How many chips still help: compute, communication and waiting as one job is shared by more and more of them."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import Answer, scaleout

page = ui.Page("scaleout", scaleout.View, job=True, asks=("chips",))


def first_view() -> Answer:
    """The answer, its figure, its controls and the changes to try."""
    view = page.view
    answer = scaleout.answer(page.job, view)
    page.show(answer)
    with page.controls():
        if view.show == "sweeps":
            page.ask("sweep", width=200)
        if view.show in ("curve", "wire", "frontier", "bill"):
            page.select("chips", _("Chips"), scaleout.chip_options(page.job), width=130)
            if page.job.job != "infer":
                page.select("sequences", _("Sequences a step, all chips"), scaleout.sequence_options(page.job), width=200)
            page.ask("across", width=290)
            if page.job.job == "infer":
                page.ask("format", _("Weights"), width=150)
            else:
                page.ask("overlap")
    page.actions(answer.actions)
    return answer


answer = page.live(first_view, whole=["show", "job", "chips"])
view, case = page.view, page.job
if other := page.drawer("figure", _("Other figures: the wires, measured collectives, published runs, the bill, scaling rules, chips by year")):
    with other:
        page.ask("show")
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
        page.settings(scaleout.groups(case, view))
if take := page.drawer("export", _("Export: JSON")):
    with take:
        page.save(_("Every number: JSON"), lambda: scaleout.document(case, view), "wallviz-scaleout.json", "application/json")
page.next("footprint", _("whether one copy fits"))
