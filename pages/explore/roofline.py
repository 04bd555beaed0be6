"""What holds a workload back on a chip: its steps and operations under the roof, with what others measured on the same axes."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.job import MAX_BATCH, MAX_CONTEXT
from wallviz.rooms import Answer, own_model, roofline
from wallviz.rooms.job import groups, model_name, models

page = ui.Page("roofline", roofline.View, job=True, asks=("model", "batch", "context"))


def first_view() -> Answer:
    """The answer, its figure, its controls, and changes that move the points."""
    view = page.view
    answer = roofline.answer(page.job, view)
    page.show(answer, on_click=(lambda point: page.apply(roofline.pressed(point))) if view.show == "roofline" else None)
    with page.controls():
        if page.job.config:
            page.button(_("Own model: {name}").format(name=model_name(page.job)), {"config": ""}, icon=":material/close:")
        else:
            page.select("model", _("Model"), models(), width=190)
        page.doubling("batch", _("Batch"), 1, MAX_BATCH)
        page.number("context", _("Context (tokens)"), 1, MAX_CONTEXT, step=1024)
        page.ask("format" if page.job.serves else "precision", _("Weights") if page.job.serves else "", width=124)
    page.actions(answer.actions)
    return answer


answer = page.live(first_view, whole=["job", "chip", "chips", "config", "show"])
view, case = page.view, page.job
if why := page.drawer("why", _("Why: the two limits, with these numbers")):
    with why:
        st.markdown(answer.why)
        page.table(roofline.operations(case, view))
if sure := page.drawer("sure", _("How sure: what others measured under such roofs, and what you measured")):
    with sure:
        page.number("reported", _("You measured (tokens/s)"), 1, 10_000_000_000, width=220)
        st.markdown(roofline.miss(case, view))
        st.markdown(answer.how_sure)
        page.table(roofline.measured_here(case, view))
if points := page.drawer("points", _("In the figure: every operation, further chips, precisions, memory levels")):
    with points:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            page.ask("drawn")
            page.ask("points")
            page.ask("levels")
        page.many("others", _("Further chips, the same work on each"), roofline.chips())
        page.many("roofs", _("Further precisions"), roofline.roofs())
if other := page.drawer("figure", _("Other figures: time by operation, measured against the roof, the ridge over time, the article's case study")):
    with other, st.container(horizontal=True, vertical_alignment="bottom"):
        page.ask("show")
        if view.show == "time" and case.job == "infer":
            page.ask("phase")
        elif view.show == "measured":
            page.ask("evidence")
        elif view.show == "capacity":
            page.ask("ratio")
if case.job == "infer" and (serving := page.drawer("targets", _("Serving targets: the largest batch within a time per token"))):
    with serving:
        page.ask("tpot", width=220)
        st.markdown(roofline.targets(case, view))
if expert := page.drawer("expert", _("Expert: every other setting")):
    with expert:
        asked = "format" if case.serves else "precision"
        page.settings((*groups(case, without=(asked,)), *roofline.counted(view, trains=not case.serves)))
if mine := page.drawer("own", _("Your own model: paste its config.json, or enter its numbers")):
    with mine:
        page.own_model("config", pack=own_model.pack, pack_numbers=own_model.pack_numbers, labels=own_model.labels())
if take := page.drawer("export", _("Export: JSON, CSV")):
    with take, st.container(horizontal=True):
        page.save(_("Every number: JSON"), lambda: roofline.document(case, view), "wallviz-roofline.json", "application/json")
        page.save(
            _("The operations: CSV"), lambda: ui.csv_text(roofline.operations(case, view, exact=True)), "wallviz-roofline-operations.csv", "text/csv"
        )
page.next("hierarchy", _("how long a byte takes to arrive"))
