"""The bench of the machine page: measuring on a button, progress and cancel, records that were opened, telemetry; it stays in the session."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import streamlit as st

from wallviz.errors import InputError
from wallviz.i18n import N_, _, use
from wallviz.machine.probe.isolated import Measurement
from wallviz.machine.probe.run import MOST_GPUS, nothing
from wallviz.machine.reasons import NotMeasured
from wallviz.machine.record import LONGEST, Record, read
from wallviz.rooms import machine
from wallviz.rooms.machine import consent
from wallviz.rooms.machine.telemetry import telemetry as told_by_the_driver
from wallviz.ui.escape import plain
from wallviz.ui.handout import csv_text
from wallviz.ui.page import Page
from wallviz.ui.probe import browser_probe

AGAIN_S = 0.5
"""Between two looks at a measurement that runs."""
MOST_RECORDS = 2
FEW_COLUMNS = 3
"""Columns of a table that has room beside a figure."""


@dataclass(slots=True)
class Bench:
    """What this session is measuring, has measured (`mine`), and was given (`opened`); `problems` are about files that are no records,
    said where they are shown: a callback runs before the page knows its language."""

    running: Measurement | None = None
    mine: Record | None = None
    failed: Record | None = None
    opened: tuple[Record, ...] = ()
    problems: list[InputError] = field(default_factory=list)
    seen: Record | None = None
    """The browser's latest record without its time: it is sent again at every run."""

    @property
    def record(self) -> Record | None:
        """The record that the page is about: measured here, else the later one of those opened."""
        return self.mine or (machine.in_time(self.opened)[-1] if self.opened else None)

    @property
    def against(self) -> Record | None:
        """The record beside it."""
        others = [record for record in self.opened if record is not self.record]
        return others[0] if others else None

    def take(self) -> None:
        """Takes the result of a measurement that has ended."""
        if self.running is None or not self.running.done:
            return
        record = self.running.result()
        self.running = None
        self.mine, self.failed = (self.mine, record) if nothing(record) else (record, None)


def bench() -> Bench:
    """This session's bench."""
    found: Bench = st.session_state.setdefault("_machine", Bench())
    found.take()
    return found


def refused() -> str:
    """Why this server measures nothing, empty where it may."""
    return consent.refused(st.get_option("server.address"), os.environ)


def panel(page: Page) -> None:
    """What will be measured and the button; while it is measured, progress and cancel; where it may not be, why."""
    if page.bare:
        return
    here = bench()
    if why := refused():
        st.info(plain([why]), icon=":material/lock:")
        browser()  # what a visitor can measure
    elif here.running is not None:
        st.fragment(_progress, run_every=AGAIN_S)()
    else:
        _offer(here)
    if here.failed is not None and here.running is None:
        st.warning(plain(machine.failures(here.failed)), icon=":material/error:")


def _offer(here: Bench) -> None:
    paths = consent.paths()
    with st.container(horizontal=True, vertical_alignment="bottom", key="machine_bench"):
        path = "cpu"
        index = 0
        if len(paths) > 1:
            path = st.segmented_control(
                _("Measure"),
                list(paths),
                format_func=paths.__getitem__,
                default="cpu",
                required=True,
                key="machine_path",
                help=_("Which memory of this computer is measured: that of its processor, or that of a graphics card."),
            )
            if path != "cpu":
                gpu = st.number_input(
                    _("GPU number"), 0, MOST_GPUS - 1, key="machine_gpu", help=_("Which of its GPUs is measured, counted from 0."), width=140
                )
                index = int(gpu)
        said = consent.consent(path)
        st.button(
            _("Measure again") if here.mine else _("Measure this computer"),
            type="secondary" if here.mine else "primary",
            icon=":material/speed:",
            disabled=not said.ready,
            key="machine_measure",
            on_click=start,
            args=(path, index),
        )
        st.caption(said.text, width="stretch")


def start(path: str, index: int) -> None:
    """Starts a measurement, unless one of this session runs, or this server may not."""
    here = bench()
    if here.running is None and not refused():
        here.failed = None
        here.running = Measurement(path, index=index)


def _progress() -> None:
    """How far it is; run again every half second, and the whole page once it is done."""
    use(st.session_state["_language"])  # a rerun of a fragment passes by app.py
    here = bench()
    if here.running is None:
        st.rerun()
    else:
        share, part = here.running.progress
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(min(1.0, max(0.0, share)), text=consent.part(part), width="stretch")
            st.button(_("Cancel"), key="machine_cancel", on_click=here.running.cancel)


# -------------------------------------------------------------------------------------------------------- records


def _opened() -> None:
    """Reads what was uploaded, whatever it is; keeps two records at most."""
    here, found = bench(), []
    here.problems = []
    for file in st.session_state["machine_files"]:
        try:
            found.append(read(file.getvalue()[: LONGEST + 1]))
        except InputError as error:
            here.problems.append(InputError(N_("{file}: {error}"), file=file.name[:60], error=error))
    if len(found) > MOST_RECORDS:
        here.problems.append(InputError(N_("Two records are compared at a time: the first two are used.")))
    here.opened = tuple(found[:MOST_RECORDS])


def _forget() -> None:
    here = bench()
    here.mine, here.opened, here.problems, here.failed = None, (), [], None


def compare(page: Page) -> None:
    """Opens one record or two, and sets the earlier against the later one."""
    here = bench()
    st.file_uploader(
        _("Open one record or two: files that wallviz probe -o or this page wrote"),
        ["json"],
        accept_multiple_files=True,
        key="machine_files",
        on_change=_opened,
        max_upload_size=1,
    )
    if here.problems:
        st.error(plain([str(problem) for problem in here.problems]), icon=":material/error:")
    both = machine.in_time([record for record in (here.record, here.against) if record is not None])
    if len(both) == MOST_RECORDS:
        said, rows = machine.compared(*both)
        st.markdown(f"**{said}**")
        page.remarks("", [f"{letter}: {_device(record)}" for letter, record in zip("AB", both, strict=True)])
        page.table(rows)
    elif both:
        st.caption(_("With a second record, earlier and later stand side by side here."))
    if both:
        st.button(_("Forget these records"), on_click=_forget, key="machine_forget")


def _device(record: Record) -> str:
    return " · ".join(filter(None, [record.device.name or "–", record.path, record.created]))


def browser() -> None:
    """Measures the GPU of the device in front of the reader, in the browser; its record becomes the page's."""
    try:
        record = browser_probe()
    except InputError as error:
        st.error(plain([str(error)]), icon=":material/error:")
        return
    here = bench()
    if record is None or here.seen == (known := replace(record, created="")):
        return
    here.seen = known
    if not nothing(record):  # why there is none stands where the reader pressed
        here.mine, here.failed = record, None
        st.rerun()


def browser_here() -> None:
    """The same under the page's settings, where the server itself may be measured first."""
    if not refused():
        browser()


def telemetry(page: Page) -> None:
    """The GPUs of this server, once a second; nothing is asked where the server may not be measured."""
    if why := refused():
        st.markdown(plain([why]))
        return
    st.fragment(_live, run_every=1.0)(page)


def _live(page: Page) -> None:
    """This moment beside the last minutes."""
    use(st.session_state["_language"])
    try:
        told = told_by_the_driver()
    except NotMeasured as error:
        st.markdown(plain([str(error)]))
        return
    few = len(told.rows[0]) <= FEW_COLUMNS if told.rows else True
    before, now = st.columns(2, gap="medium") if few and told.answer else (st.container(), st.container())
    if told.answer:
        rows = told.answer.table
        with before:
            page.figure(told.answer)
            page.save(_("Data: CSV"), lambda: csv_text(rows), "wallviz-telemetry.csv", "text/csv")
    with now:
        _table(told.rows)
        if told.remarks:
            st.markdown(plain(told.remarks))
    st.code("\n".join(told.commands), language=None)


def _table(rows: Sequence[dict[str, str]]) -> None:
    if rows:
        st.table({name: [plain([row[name]]) for row in rows] for name in rows[0]}, hide_index=True)
