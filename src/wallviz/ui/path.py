"""The one path through everything: Start, the nine steps, every room in the order of the menu; its keys, its line of progress, the notes' window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import streamlit as st

from wallviz.i18n import _, labelled
from wallviz.story.path import STEPS
from wallviz.ui.component import component
from wallviz.ui.frame import ROOMS, Room, carried

_CSS = """
.wallviz-path { position: fixed; z-index: 1000000; top: 0; left: 0; width: 100%; height: 3px; background: transparent; }
.wallviz-path > span { display: block; height: 100%; background: var(--st-primary-color); }
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of the path: a room, or a step of the story (from 1; 0 elsewhere)."""

    room: Room
    step: int = 0

    @property
    def query(self) -> Mapping[str, str]:
        """What its address says of itself."""
        return {"step": str(self.step)} if self.step else {}

    @property
    def title(self) -> str:
        """What it is called on the way to it."""
        return _([*STEPS.values()][self.step - 1].title) if self.step else _(self.room.title)


@cache
def stops() -> tuple[Stop, ...]:
    """Every stop, in order."""
    steps = range(1, len(STEPS) + 1)
    return tuple(stop for room in ROOMS.values() for stop in ([Stop(room, n) for n in steps] if room.name == "story" else [Stop(room)]))


@dataclass(frozen=True, slots=True)
class SpeakerNotes:
    """What the lecturer's window shows: a title, and paragraphs with a heading each."""

    title: str = ""
    parts: Sequence[tuple[str, str]] = field(default_factory=tuple)


def show(room: str, step: int = 0, *, job: Mapping[str, str], notes: SpeakerNotes) -> None:
    """The way back and the way on (`job`: what their addresses carry of the case), and the keys that take them.

    Page Up and Page Down, the arrows and a clicker go to the neighbours; P shows the page for a projector and ends it; N opens the notes.
    """
    every = stops()
    here = next(i for i, stop in enumerate(every) if stop.room.name == room and stop.step == step)
    left = st.session_state.get("_left_story", 0)
    if step:
        st.session_state["_left_story"] = step
    stretch = [i for i, stop in enumerate(every) if bool(stop.step) == bool(step)]  # the story, and the rooms, have a line each
    with st.container(horizontal=True, horizontal_alignment="distribute", key="path"):
        for name, icon, other in (("previous", ":material/arrow_back:", here - 1), ("next", ":material/arrow_forward:", here + 1)):
            if name == "next" and left and not step:
                story = ROOMS["story"]
                said = _("The story, step {n}").format(n=left)
                st.page_link(story.file, label=said, icon=story.icon, query_params={**carried(), "step": str(left)}, help="", width="content")
            with st.container(key=f"path_{name}", width="content"):
                if 0 <= other < len(every):
                    stop = every[other]
                    st.page_link(
                        stop.room.file,
                        label=labelled(_("Next"), stop.title) if name == "next" else labelled(_("Back"), stop.title),
                        icon=icon,
                        icon_position="right" if name == "next" else "left",
                        query_params={**carried(), **job, **stop.query},
                        help="" if stop.step else _(stop.room.question),
                        width="content",
                    )
    component("path", "<div class='wallviz-path'><span></span></div>", _CSS)(
        key="path_keys",
        data={
            "share": (stretch.index(here) + 1) / len(stretch),
            "label": _("{n} of {all} on the path").format(n=stretch.index(here) + 1, all=len(stretch)),
            "notes": {"title": notes.title, "parts": [list(part) for part in notes.parts]} if notes.parts else None,
            "none": _("There are no notes for this page."),
        },
    )
