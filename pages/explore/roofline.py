"""What holds a workload back on a chip: its steps and operations under the roof, with what others measured on the same axes."""

import streamlit as st

from wallviz import catalog, ui
from wallviz.case import MAX_BATCH, MAX_CONTEXT
from wallviz.i18n import _
from wallviz.rooms import Answer, names, roofline
from wallviz.rooms.footprint import own

page = ui.Page("roofline", roofline.PARAMS, case=True, asks=("model", "batch", "context"))


def first_view() -> Answer:
    """The answer, its figure, its controls, and changes that move the points."""
    view = roofline.View(**page.view)
    answer = roofline.answer(page.case, view)
    page.show(answer, on_click=(lambda point: page.apply(roofline.pressed(point))) if view.show == "roofline" else None)
    with page.controls():
        if view.config:
            page.button(_("Own model: {name}").format(name=roofline.own_name(view)), {"config": ""}, icon=":material/close:")
        else:
            page.select("model", _("Model"), names(catalog.presets()), width=190)
        page.doubling("batch", _("Batch"), 1, MAX_BATCH)
        page.number("context", _("Context (tokens)"), 1, MAX_CONTEXT, step=1024)
        page.select("format", _("Weights"), roofline.words("format"), width=124)
    page.actions(answer.actions)
    return answer


answer = page.live(first_view, whole=["job", "chip", "chips", "config", "show"])
view, case = roofline.View(**page.view), page.case
if why := page.drawer("why", _("Why: the two limits, with these numbers")):
    with why:
        st.markdown(answer.why)
        page.table(roofline.operations(case, view))
if sure := page.drawer("sure", _("How sure: what others measured under such roofs, and what you measured")):
    with sure:
        page.number("reported", roofline.label("reported"), 1, 10_000_000_000, width=220)
        st.markdown(roofline.miss(case, view))
        st.markdown(answer.how_sure)
        page.table(roofline.measured_here(case, view))
if points := page.drawer("points", _("In the figure: every operation, further chips, precisions, memory levels")):
    with points:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            page.pick("drawn", _("Show"), roofline.words("drawn"))
            page.toggle("points", roofline.label("points"))
            page.toggle("levels", roofline.label("levels"))
        page.many("others", _("Further chips, the same work on each"), roofline.chips())
        page.many("roofs", _("Further precisions"), roofline.words("roofs"))
if other := page.drawer("figure", _("Other figures: time by operation, measured against the roof, the ridge over time, the article's case study")):
    with other, st.container(horizontal=True, vertical_alignment="bottom"):
        page.select("show", _("Figure"), roofline.words("show"))
        if view.show == "time" and case.job == "infer":
            page.pick("phase", _("Operations of"), roofline.words("phase"))
        elif view.show == "measured":
            page.pick("evidence", _("Measured"), roofline.words("evidence"))
        elif view.show == "capacity":
            page.pick("ratio", _("Ratio"), roofline.words("ratio"))
if case.job == "infer" and (serving := page.drawer("targets", _("Serving targets: the largest batch within a time per token"))):
    with serving:
        page.number("tpot", roofline.label("tpot"), 1, 100_000, width=220)
        st.markdown(roofline.targets(case, view))
if expert := page.drawer("expert", _("Expert: every other setting")):
    with expert:
        page.settings(roofline.groups(trains=case.job != "infer"))
if mine := page.drawer("own", _("Your own model: paste its config.json, or enter its numbers")):
    with mine:
        page.own_model("config", pack=own.pack, pack_numbers=own.pack_numbers, labels=own.labels())
if take := page.drawer("export", _("Take it with you: JSON, CSV")):
    with take, st.container(horizontal=True):
        page.save(_("Every number: JSON"), lambda: roofline.document(case, view), "wallviz-roofline.json", "application/json")
        page.save(
            _("The operations: CSV"), lambda: ui.csv_text(roofline.operations(case, view, exact=True)), "wallviz-roofline-operations.csv", "text/csv"
        )
page.next("hierarchy", _("how long a byte takes to arrive"))
