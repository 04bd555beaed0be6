"""Where the bytes go, whether they fit, and what would make them fit: training, fine-tuning and serving."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.job import MAX_BATCH, MAX_CONTEXT, pack
from wallviz.rooms import Answer, footprint, own_model
from wallviz.rooms.footprint import export
from wallviz.rooms.job import groups, job_names, model_name, models

page = ui.Page("footprint", footprint.View, job=True, asks=("job", "model", "batch", "context"))


def first_view() -> Answer:
    """The answer, its figure, its controls and the changes that help most."""
    view = page.view
    answer = footprint.answer(page.job, view)
    page.show(answer, on_click=(lambda cell: page.apply(footprint.pick(cell))) if view.show == "map" else None)
    with page.controls():
        page.pick("job", _("Job"), job_names())
        if page.job.config:
            page.button(_("Own model: {name}").format(name=model_name(page.job)), {"config": ""}, icon=":material/close:")
        else:
            page.select("model", _("Model"), models(), width=220)
        page.number("batch", _("Batch per GPU") if page.job.job != "infer" else _("Batch"), 1, MAX_BATCH)
        page.number("context", _("Context (tokens)"), 1, MAX_CONTEXT, step=1024)
    page.actions(answer.actions)
    return answer


answer = page.live(first_view, whole=["job", "chips", "config", "show"])
view, case = page.view, page.job
trains = case.job != "infer"
if why := page.drawer("why", _("Why: every term, with these numbers")):
    with why:
        st.markdown(answer.why)
        page.table(footprint.terms(case, view))
        page.remarks(_("What the model's file does not say:"), footprint.assumptions(case))
if sure := page.drawer("sure", _("How sure: will it run out of memory, and what did your run report")):
    with sure:
        st.markdown(answer.how_sure)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            page.number("reported", _("Your run reported (MiB)"), 1, 100_000_000, width=220)
            page.ask("meter")
        st.markdown(footprint.miss(case, view))
if other := page.drawer("figure", _("Other figures: over time, a map of what fits, the article's own table")):
    with other, st.container(horizontal=True, vertical_alignment="bottom"):
        page.ask("show")
        if view.show == "map":
            page.ask("across")
if comparing := page.drawer("compare", _("Compare: two configurations side by side")):
    with comparing:
        with st.container(horizontal=True):
            page.button(_("Keep this one, then change something"), {"against": pack(case)}, icon=":material/keep:")
            if view.against:
                page.button(_("Forget it"), {"against": ""}, icon=":material/keep_off:")
        page.table(footprint.compared(case, view))
if expert := page.drawer("expert", _("Expert: every other setting")):
    with expert:
        page.settings(groups(case))
if mine := page.drawer("own", _("Your own model: paste its config.json, or enter its numbers")):
    with mine:
        page.own_model("config", pack=own_model.pack, pack_numbers=own_model.pack_numbers, labels=own_model.labels())
if take := page.drawer("export", _("Export: JSON, CSV, a configuration file")):
    with take:
        with st.container(horizontal=True):
            page.save(_("Every number: JSON"), lambda: export.document(case, view, answer.sentence), "wallviz-footprint.json", "application/json")
            page.save(_("The terms: CSV"), lambda: ui.csv_text(footprint.terms(case, view)), "wallviz-footprint-terms.csv", "text/csv")
        if trains:
            page.ask("fragment")
        st.code(export.fragment(case, view), language=None)
page.next("growth", _("how fast memory falls behind"))
