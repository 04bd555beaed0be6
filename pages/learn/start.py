"""The memory wall in one minute: the question, the wall in one sentence, a chip to try it on, and the way into the story."""

from wallviz import ui
from wallviz.i18n import _
from wallviz.rooms import start
from wallviz.rooms.job import chips, models

page = ui.Page("start", job=True, renamed=start.RENAMED)


def body() -> None:
    """Everything under the title."""
    page.lead(start.wall())
    answer = start.answer(page.job)
    page.show(answer)
    with page.controls():
        page.select("model", models())
        page.select("chip", chips(page.job))
        if page.job.serves:
            page.pick("format", start.formats(page.job))
    page.open_story(_("See why, in nine steps"))
    if why := page.drawer("why"):
        with why:
            ui.prose(answer.why)
    page.headlines(_("What they claimed, and what their own points say"), start.article(), start.headlines())
    page.doors(_("Look around"))


page.live(body)
