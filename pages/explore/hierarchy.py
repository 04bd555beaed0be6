"""How long a size takes at every level of a machine, from registers to disk, to scale."""

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import hierarchy

page = ui.Page("hierarchy", hierarchy.View, job=True)


def body() -> None:
    """Everything under the title."""
    page.case()
    page.figures("show")
    view = page.view
    answer = hierarchy.answer(page.job, view)

    def take() -> None:
        page.save(_("Every number: JSON"), lambda: hierarchy.document(page.job, view), "wallviz-hierarchy.json", "application/json")

    page.show(answer, take=take)
    with page.controls():
        if view.show in ("ladder", "human", "machines"):
            page.choose_or_type("size", hierarchy.size_options(page.job))
        if view.show in ("ladder", "human"):
            page.select("machine", hierarchy.machine_names(page.job), width=240)
        if view.show == "latency":
            page.ask("misses", step=50, width=160)
            page.ask("processor", step=5, width=180)
            page.ask("dram", width=150)
        if view.show == "years":
            page.many("families", hierarchy.families())
        page.ask("scale")
    if why := page.drawer("why"):
        with why:
            ui.prose(answer.why)
            page.table(answer.table)
    if sure := page.drawer("sure"):
        with sure:
            ui.prose(answer.how_sure)
    if (groups := hierarchy.groups(view)) and (settings := page.drawer("settings")):
        with settings:
            page.settings(groups)


page.live(body)
