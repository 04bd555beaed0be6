"""How fast this machine moves bytes: measured on a button, in the browser, or read from a record, beside published machines."""

import streamlit as st

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import machine
from wallviz.rooms.job import models
from wallviz.ui import machine as bench

page = ui.Page("machine", machine.View, job=True)
bench.panel(page)


def body() -> None:
    """Everything under the title."""
    page.figures("show")
    view = page.view
    here = bench.bench()
    answer = machine.answer(page.job, view, here.record, here.against, opened=here.mine is None)
    record = here.record

    def take() -> None:
        page.table(machine.facts(record))
        page.table(machine.commands(record))
        if record is not None:
            page.save(_("The record: JSON"), record.as_json, "wallviz-machine.json", "application/json")

    page.show(answer, take=take)
    with page.controls():
        page.select("model", models())
        if view.show != "share":
            page.many("beside", machine.beside_names(), placeholder=_("H100, A100, MI300X, EPYC"))
        if record is not None and record.theoretical_bytes_per_s is None:
            page.choose_or_type("promised", machine.promises())
    if chip := machine.chip_id(record, page.view.promised):
        page.on(machine.ROOMS, _("This machine in the other rooms, beside H100 and the rest: the link holds it"), chip)
    if why := page.drawer("why"):
        with why:
            ui.prose(answer.why)
    if sure := page.drawer("sure"):
        with sure:
            page.remarks("", machine.failures(record))
            ui.prose(answer.how_sure)
            page.table(machine.samples(record))
            page.table(machine.products(record))
    if settings := page.drawer("settings"):
        with settings:
            compare, browser, live = st.tabs([_("Compare records"), _("Your browser's GPU"), _("Telemetry")])
            with compare:
                bench.compare(page)
            with browser:
                bench.browser_here()
            with live:
                bench.telemetry(page)


page.live(body)
