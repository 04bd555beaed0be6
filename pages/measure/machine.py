"""How fast this machine moves bytes: measured on a button, in the browser, or read from a record, beside published machines."""

from wallviz import catalog, ui
from wallviz.i18n import _
from wallviz.rooms import Answer, machine
from wallviz.ui import machine as bench

page = ui.Page("machine", machine.View, job=True)
bench.panel(page)


def first_view() -> Answer:
    """The answer, its figure, and what it is about."""
    here = bench.bench()
    answer = machine.answer(page.job, page.view, here.record, here.against, opened=here.mine is None)
    page.show(answer)
    with page.controls():
        page.select("show", _("Figure"), machine.figure_names())
        page.select("model", _("Model"), {id: preset.name for id, preset in catalog.presets().items()})
        page.many("beside", _("Beside it"), machine.beside_names(), placeholder=_("H100, A100, MI300X, EPYC"))
        if here.record is not None and here.record.theoretical_bytes_per_s is None:
            page.choose_or_type("promised", _("Promised: its modules, its card, or GB/s"), machine.promises())
    return answer


answer = page.live(first_view)
record = bench.bench().record
if chip := machine.chip_id(record, page.view.promised):
    page.on(machine.ROOMS, _("This machine in the other rooms, beside H100 and the rest: the link holds it"), chip)
if why := page.drawer("why", _("Why: the formula with these numbers")):
    why.markdown(answer.why)
if sure := page.drawer("sure", _("How sure: samples, spread, what disturbed it, and why a machine may score low")):
    with sure:
        page.remarks("", machine.failures(record))
        sure.markdown(answer.how_sure)
        page.table(machine.samples(record))
        page.table(machine.products(record))
if compare := page.drawer("compare", _("Compare: open one record or two, of any machine")):
    with compare:
        bench.compare(page)
if browser := page.drawer("browser", _("Your browser's GPU: the device in front of you")):
    with browser:
        bench.browser()
if live := page.drawer("telemetry", _("Telemetry: clocks, heat and power of NVIDIA's GPUs, once a second")):
    with live:
        bench.telemetry(page)
if take := page.drawer("take", _("Export: the record, and a command that confirms each number")):
    with take:
        page.table(machine.facts(record))
        page.table(machine.commands(record))
        if record is not None:
            page.save(_("The record: JSON"), record.as_json, "wallviz-machine.json", "application/json")
page.next("roofline", _("what this means for a model on one chip"), chip=chip)
