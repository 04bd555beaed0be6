"""What stands around every page: the rooms and their order, the language switch, the embedded view and the one for a projector."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache

import streamlit as st

from wallviz import i18n
from wallviz.i18n import N_, _
from wallviz.ui import look

SIDEBAR = 232
"""Pixels of the menu when it is first seen."""


@dataclass(frozen=True, slots=True)
class Room:
    """One page: its file is ``pages/<section>/<name>.py``, its address ``/<name>``; title and help are for the navigation."""

    name: str
    section: str
    icon: str
    title: str
    question: str
    help: str

    @property
    def file(self) -> str:
        """Where the page stands, from the folder of app.py."""
        return f"pages/{self.section}/{self.name}.py"


SECTIONS = {"learn": N_("Learn"), "explore": N_("Explore"), "measure": N_("Measure"), "about": N_("About")}
#: The rooms in the order of the menu, which is that of the path.
ROOMS: dict[str, Room] = {
    room.name: room
    for room in (
        Room(
            "start", "learn", ":material/bolt:", N_("Start"), N_("What does AI wait for?"),
            N_("The memory wall in one minute: a model, a chip, and the speed that memory allows."),
        ),
        Room(
            "story", "learn", ":material/auto_stories:", N_("The story"), N_("The memory wall in nine steps"),
            N_("Guess, see, understand: the argument in nine steps of two minutes each."),
        ),
        Room(
            "growth", "explore", ":material/show_chart:", N_("Growth curves"), N_("How fast does the memory wall grow?"),
            N_("The published growth curves of compute, models and hardware, refitted as you take points out."),
        ),
        Room(
            "footprint", "explore", ":material/memory:", N_("Memory footprint"), N_("Does it fit?"),
            N_("What one GPU needs to train, fine-tune or serve a model, against what it holds, and what would make it fit."),
        ),
        Room(
            "hierarchy", "explore", ":material/stairs:", N_("Memory levels"), N_("How long does a byte take to arrive?"),
            N_("From registers to disk: time, energy and growth of every level, to scale."),
        ),
        Room(
            "roofline", "explore", ":material/roofing:", N_("Roofline"), N_("What holds this workload back?"),
            N_("Arithmetic or memory: a workload under a chip's roof, operation by operation, beside what others measured."),
        ),
        Room(
            "scaleout", "explore", ":material/hub:", N_("Scale-out"), N_("How many chips still help?"),
            N_("One job on more and more chips: what they send each other, and how long each step waits for it."),
        ),
        Room(
            "remedies", "explore", ":material/healing:", N_("Remedies"), N_("What can be done about it?"),
            N_("ZeRO, recomputation, quantization, pruning and the rest: what each buys in your case, what it costs, when it fails."),
        ),
        Room(
            "chips", "explore", ":material/table_chart:", N_("Chips side by side"), N_("Which chip for which job?"),
            N_("Capacity, bandwidth, arithmetic, watts and your own prices, and the largest model that each chip serves in time."),
        ),
        Room(
            "machine", "measure", ":material/speed:", N_("Your machine"), N_("How fast does this machine move bytes?"),
            N_("Bandwidth, caches and latency of this computer or of your browser's GPU, measured, beside H100 and others."),
        ),
        Room(
            "accuracy", "about", ":material/rule:", N_("Accuracy"), N_("How wrong are we?"),
            N_("Predicted against measured for every case, and why tools disagree."),
        ),
        Room(
            "sources", "about", ":material/library_books:", N_("Sources"), N_("Where do the numbers come from?"),
            N_("Every dataset with its licence, its known errors and how to cite it."),
        ),
        Room(
            "glossary", "about", ":material/dictionary:", N_("Glossary"), N_("What do these words mean?"),
            N_("Every term in English and Chinese, with its unit and where it is used."),
        ),
    )
}  # fmt: skip


def _speak() -> None:
    """Settles the language: the address first, then the browser's locale; after that the switch."""
    state = st.session_state
    if "_language" not in state:
        asked = st.query_params.get("lang", "")
        state["_language_chosen"] = asked in i18n.LANGUAGES
        state["_language"] = asked if asked in i18n.LANGUAGES else i18n.from_locale(st.context.locale)
    i18n.use(state["_language"])


def _switched() -> None:
    st.session_state["_language"] = st.session_state["language"]
    st.session_state["_language_chosen"] = True


def presents() -> bool:
    """Whether this session shows itself on a projector (``?present=true``): said in an address, it stays until an address ends it."""
    asked = st.query_params.get("present")
    if asked is not None:
        st.session_state["_present"] = asked == "true"
    return bool(st.session_state.get("_present", False))


def carried() -> dict[str, str]:
    """The part of an address that every page keeps: the language, unless the browser's own locale decides, and the view for a projector."""
    language = {"lang": i18n.language()} if st.session_state.get("_language_chosen") else {}
    return language | ({"present": "true"} if st.session_state.get("_present") else {})


@cache
def _icon() -> str:
    """The icon as a data URL: Streamlit drops a picture that the latest run did not name, which can be before a browser asks for it."""
    return f"data:image/png;base64,{b64encode((i18n.CONTENT / 'icon.png').read_bytes()).decode()}"


def pages() -> dict[str, st.Page]:
    """The rooms as Streamlit pages, in the language in use; the first is the default page."""
    return {
        room.name: st.Page(room.file, title=_(room.title), icon=room.icon, help=_(room.help), url_path=room.name, default=room.name == "start")
        for room in ROOMS.values()
    }


def navigation() -> st.Page:
    """Sets up everything around the page that was asked for and returns that page, ready to run."""
    _speak()
    st.set_page_config(page_title="wallviz", page_icon=_icon(), layout="wide", initial_sidebar_state=SIDEBAR)
    present = presents()
    st.html(look.PRESENT if present else look.EVERYWHERE)
    bare = st.context.is_embedded or present
    built = pages()
    sections = {_(title): [built[r.name] for r in ROOMS.values() if r.section == section] for section, title in SECTIONS.items()}
    page = st.navigation(sections, position="hidden" if bare else "sidebar", expanded=True)
    if not bare:
        st.session_state.setdefault("language", i18n.language())
        st.sidebar.segmented_control(
            "Language · 语言", list(i18n.LANGUAGES), format_func=i18n.LANGUAGES.__getitem__, key="language", required=True, on_change=_switched
        )
    return page
