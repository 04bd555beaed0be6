"""One skeleton for every page: question, figures by name, answer, figure, at most four controls, why, how sure, settings, and the path
(docs/decisions/0004-page-skeleton.md).

A page file reads top-down: declare, then a body that computes an `Answer`, shows it and names the controls. Embedded (``?embed=true``) and on
a projector (``?present=true``) a page is its takeaway, figure and controls alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from wallviz import units
from wallviz.figures import style
from wallviz.i18n import N_, _, closed, spoken, use
from wallviz.job import Job
from wallviz.rooms import Action, Answer, Card, Entry, Group
from wallviz.rooms.job import SETTINGS
from wallviz.settings import of
from wallviz.ui import job as job_bar
from wallviz.ui import path
from wallviz.ui.chart import chart, save_buttons
from wallviz.ui.escape import plain
from wallviz.ui.frame import ROOMS, carried, presents
from wallviz.ui.handout import citation, csv_text, one_file, origin
from wallviz.ui.link import PageLink, Renamed
from wallviz.ui.terms import prose

_CARDS_CSS = """<style>
.wallviz-cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); gap: 1rem; }
.wallviz-cards > div { border: 1px solid rgba(128, 128, 128, 0.3); border-radius: 0.5rem; padding: 1rem; }
.wallviz-cards p { margin: 0 0 .5rem; }
.wallviz-cards p:last-child { margin: 0; }
</style>"""

#: What opens under a figure: these three and nothing else; what can be taken along is in the figure's menu.
DRAWERS = {"why": N_("Why"), "sure": N_("How sure"), "settings": N_("Settings")}
FEW, WIDE = 5, 75
"""Options that may all be visible, and their letters together, so that they stand in a row; of more, one is chosen from a list."""
DOORS_IN_A_ROW = 4
"""Rooms beside each other on the start page: four lines of text each on a laptop."""


def _nothing_more() -> None:
    """A figure's menu holds what every figure's does."""


class Page:
    """The page `name` of `frame.ROOMS`: the dataclass of its own choices, and whether it is about a `job`.

    `renamed` and `steered`: see `ui.link`.
    """

    def __init__(
        self,
        name: str,
        view: type | None = None,
        *,
        job: bool = False,
        renamed: Renamed = MappingProxyType({}),
        steered: str = "",
    ) -> None:
        self.room = ROOMS[name]
        self.embedded = bool(st.context.is_embedded)
        self.presents = presents() and not self.embedded
        self.bare = self.embedded or self.presents
        self._kind = view
        self._step, self._notes = 0, path.SpeakerNotes()
        self.link = PageLink(name, of(view) if view else {}, SETTINGS if job else {}, renamed, steered=steered)
        if not self.bare and not steered:  # where the address steers, each stop has a title of its own
            st.title(_(self.room.question), anchor=False)
        if self.link.problems:
            st.warning(plain(self.link.problems), icon=":material/link_off:")

    def _lay_out(self) -> None:
        """The places of the page, top to bottom."""
        self._answer = st.container()
        self._figure = st.container()
        self._controls = st.container(horizontal=True, vertical_alignment="bottom", key=f"{self.room.name}_controls")
        self._actions = st.container()
        self._foot = st.container()
        self._more = st.container()

    def live(self, body: Callable[[], None]) -> None:
        """Runs `body`, everything under the title, as one fragment: its controls rerun it without the frame around it
        (docs/decisions/0013-first-view-alone.md)."""

        def alone() -> None:
            use(st.session_state["_language"])  # a rerun of a fragment passes by app.py
            self.link.read()
            body()
            self._leave()

        st.fragment(alone)()

    def at(self, step: int, notes: path.SpeakerNotes) -> None:
        """Which step of the story this is, and what the lecturer's window says of it."""
        self._step, self._notes = step, notes

    def _leave(self) -> None:
        """The ways to the neighbours on the path; then the view is mirrored in the address bar."""
        if not self.embedded:
            path.show(self.room.name, self._step, job=self.link.query(job_alone=True), notes=self._notes)
        self.link.publish(carried())

    @property
    def view(self) -> Any:
        """The page's own choices, as its dataclass."""
        return self._kind(**{name: self.link.values[name] for name in self.link.own}) if self._kind else None

    @property
    def job(self) -> Job:
        """The job that every room shares."""
        return job_bar.current(self.link)

    # -- what is shown -------------------------------------------------------------------------------------------------------------

    def case(self, *asked: str) -> None:
        """The case bar, without what the page's own controls ask."""
        if not self.bare:
            job_bar.show(self.link, asked)

    def figures(self, name: str) -> None:
        """The figures of the room by name, above the picture: the setting `name`, whose words they are."""
        if not self.bare:
            options = self.link.setting(name).options(self.view)
            with st.container(key=f"{self.room.name}_figures"):
                st.segmented_control(
                    _("Figure"), list(options), format_func=options.__getitem__, key=self.link.seed(name), required=True, label_visibility="collapsed"
                )

    def show(self, answer: Answer, *, on_click: Callable[[str], None] | None = None, take: Callable[[], None] = _nothing_more) -> None:
        """The takeaway with its badge, the figure under it, and the figure's menu, in which `take` adds what else can be taken along."""
        self._lay_out()
        answer = replace(answer, sentence=units.tied(closed(answer.sentence)), caption=units.tied(closed(answer.caption)))
        if answer.drawing is not None:
            with self._figure:  # sent first: the browser draws it while the rest is on its way
                chart(answer, on_click=on_click)
        with self._answer, st.container(horizontal=True, vertical_alignment="center", key=f"{self.room.name}_answer"):
            # Without a figure the sentence is an error's, which may quote an address or a file.
            st.markdown(f"#### {answer.sentence if answer.drawing is not None else plain([answer.sentence])}", width="stretch")
            if answer.sure and not self.bare:
                st.badge(answer.sure, color=answer.trust)  # type: ignore[arg-type]  # one of Streamlit's colour names
        with self._foot:
            if answer.problems:  # under the figure: a notice never moves what one is adjusting
                st.info(plain(answer.problems), icon=":material/info:")
            if answer.drawing is not None and not self.bare:
                with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key=f"{answer.name}_foot"):
                    st.caption(answer.caption, width="stretch")
                    self._menu(answer, take)

    def _menu(self, answer: Answer, take: Callable[[], None]) -> None:
        menu = st.popover(
            _("More"), icon=":material/more_horiz:", help=_("Table, download, cite, link"), on_change="rerun", key=f"{answer.name}_menu"
        )
        if not menu.open:
            return
        with menu:
            save_buttons(
                name=answer.name,
                file=f"wallviz-{answer.name}",
                link=_("Copy link"),
                embed=_("Copy embed code"),
                done=_("Done"),
                png=_("Picture: PNG"),
                svg=_("Vector: SVG"),
            )
            with st.container(horizontal=True):
                self.save(_("Data: CSV"), lambda: csv_text(answer.table), f"wallviz-{answer.name}.csv", "text/csv")
                offline = _("One file that works offline")
                self.save(_("Offline page: HTML"), lambda: one_file(answer), f"wallviz-{answer.name}.html", "text/html", help=offline)
            take()
            st.dataframe(self.columns(answer.table), alt=answer.sentence, height=260, width=640)
            st.markdown("\n".join(f"- {origin(source)}" for source in answer.sources))
            st.code(citation(answer), language=None, wrap_lines=True)

    @staticmethod
    def columns(rows: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
        """Rows as columns, the way a table wants them."""
        return {key: [row.get(key) for row in rows] for key in rows[0]} if rows else {}

    def cards(self, cards: Sequence[Card]) -> None:
        """Claims as published beside the reader's refit: one element, because every choice sends and renders all of them again."""
        if self.bare or not cards:
            return
        with self._more:
            st.html(_CARDS_CSS + f"<div class='wallviz-cards'>{''.join(map(_card, cards))}</div>")

    def actions(self, actions: Sequence[Action]) -> None:
        """Changes as buttons, the best first: one press makes the change, and everything follows."""
        if self.bare or not actions:
            return
        with self._actions, st.container(horizontal=True, key=f"{self.room.name}_actions"):
            for i, action in enumerate(actions):
                icon = ":material/check:" if action.enough else None
                st.button(action.label, help=action.help, icon=icon, key=f"{self.room.name}_action_{i}", on_click=self.apply, args=(action.sets,))

    def apply(self, sets: Mapping[str, object]) -> None:
        """Sets several parameters from outside their widgets; call it in a callback."""
        for name, value in sets.items():
            self.link.choose(name, value)

    def button(self, label: str, sets: Callable[[], Mapping[str, object]] | Mapping[str, object], *, icon: str | None = None) -> None:
        """A button that sets parameters; `sets` may be worked out when it is pressed."""
        st.button(plain([label]), icon=icon, on_click=lambda: self.apply(sets() if callable(sets) else sets))

    def table(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Rows as a table to read, numbers rounded; what is to be worked with is downloaded."""
        if rows:
            columns = self.columns(rows)
            st.table({name: [_cell(value) for value in values] for name, values in columns.items()}, hide_index=True)

    def remarks(self, title: str, lines: Sequence[str]) -> None:
        """Sentences that may quote what the reader gave, shown as they are."""
        if lines:
            st.markdown(f"{title}\n\n{plain(lines)}")

    def settings(self, groups: Sequence[Group]) -> None:
        """Every setting of the expert, a tab for each group."""
        for tab, group in zip(st.tabs([group.title for group in groups]), groups, strict=True):
            with tab, st.container(horizontal=True, vertical_alignment="bottom"):
                for setting in group.settings:
                    self.ask(setting.name, chosen=group.chosen)

    def ask(self, name: str, label: str = "", *, chosen: Any = None, step: int = 1, width: int | None = None) -> None:
        """The widget that a setting calls for, under its own label or another; `chosen` is the dataclass on which its options depend."""
        setting = self.link.setting(name)
        options = setting.options(chosen or (self.view if name in self.link.own else self.job))
        wide: dict[str, Any] = {} if width is None else {"width": width}
        if len(options) > FEW or sum(map(len, options.values())) > WIDE:
            self.select(name, options, label, **wide)
        elif options:
            self.pick(name, options, label)
        elif setting.high:
            told = {"width": 136} | wide | self.link.widget(name, label)
            st.number_input(min_value=setting.low, max_value=setting.high, step=step, **told)
        else:
            st.toggle(**self.link.widget(name))

    @staticmethod
    def save(label: str, make: Callable[[], str], file: str, kind: str, *, help: str | None = None) -> None:
        """A button that saves a text, made when it is pressed, in the language of the page; nothing reruns."""
        st.download_button(label, spoken(make), file, kind, on_click="ignore", help=help)

    @contextmanager
    def controls(self) -> Iterator[None]:
        """The controls of the first view: at most four."""
        with self._controls:
            yield

    def drawer(self, name: str) -> DeltaGenerator | None:
        """A drawer under the figure (`DRAWERS`) for the page to fill; None while it is closed, so that nothing in it is computed."""
        if self.bare:
            return None
        with self._more:
            box = st.expander(_(DRAWERS[name]), on_change="rerun", key=f"{self.room.name}_drawer_{name}")
        return box if box.open else None

    def figure(self, answer: Answer) -> None:
        """A further figure under its takeaway, inside the drawer that is being filled."""
        st.markdown(f"**{answer.sentence}**")
        chart(answer)

    def lead(self, sentence: str) -> None:
        """What the page is about, in one sentence under its question."""
        prose(sentence) if not self.bare else None

    def open_story(self, label: str) -> None:
        """The door into the story."""
        if not self.bare:
            with self._actions, st.container(key="door"):
                st.page_link(ROOMS["story"].file, label=f"**{label}**", icon=ROOMS["story"].icon, query_params=carried(), help="")

    def headlines(self, title: str, said: str, cards: Sequence[Card]) -> None:
        """Claims as large numbers, each beside its refit."""
        if self.bare:
            return
        with self._more:
            st.markdown(f"### {title}\n\n{said}")
            columns = [*st.columns(3), *st.columns(3)]
            for column, card in zip(columns, cards, strict=True):
                with column.container(border=True, height="stretch"):
                    st.markdown(f"{style.glyph(card.role)} {card.quantity}", unsafe_allow_html=True)
                    st.markdown(f"## {card.published}")
                    st.markdown(f"{_('its own points give')} **{card.refit}**")
                    st.caption(f"{card.interval}  \n{card.note}")
                    if card.leads is not None:
                        room = ROOMS["growth"]
                        st.page_link(room.file, label=_("See its points"), icon=room.icon, query_params={**carried(), **card.leads}, help="")

    def doors(self, title: str) -> None:
        """A door to every other room, carrying the case and the language."""
        if self.bare:
            return
        with self._more:
            st.subheader(title, anchor=False)
            rooms = [room for room in ROOMS.values() if room.name != self.room.name]
            places = [column for _row in range(0, len(rooms), DOORS_IN_A_ROW) for column in st.columns(DOORS_IN_A_ROW)]
            for column, room in zip(places, rooms, strict=False):
                with column.container(border=True, height="stretch"):
                    st.page_link(
                        room.file,
                        label=f"**{_(room.title)}**",
                        icon=room.icon,
                        query_params={**carried(), **self.link.query(job_alone=True)},
                        help="",
                    )
                    st.caption(_(room.help))

    def entries(self, entries: Sequence[Entry], *, search: str, placeholder: str) -> None:
        """A list to look things up in, with a box over it for the setting `search`, which says what can be typed."""
        with self._controls:
            self.text(search, placeholder=placeholder, icon=":material/search:", width=420)
        with self._more:
            if not entries:
                st.info(_("Nothing here holds these words: try fewer, or another spelling."), icon=":material/search_off:")
            for entry in entries:
                with st.container(border=True, key=f"entry_{entry.id}"):
                    title = f"[{entry.title}]({entry.url})" if entry.url else entry.title
                    st.markdown(f"##### {title}")
                    st.markdown(units.tied("\n\n".join(entry.lines)))
                    rooms = [ROOMS[room] for room in entry.rooms if room in ROOMS and room != self.room.name]
                    if rooms:
                        with st.container(horizontal=True):
                            for room in rooms:
                                st.page_link(room.file, label=_(room.title), icon=room.icon, query_params=carried(), help="")

    def on(self, rooms: Mapping[str, Mapping[str, str]], title: str, chip: str) -> None:
        """The case with this `chip` in other `rooms`, each with what its address says beside it."""
        if self.bare:
            return
        with self._more:
            st.caption(title)
            with st.container(horizontal=True, key=f"{self.room.name}_on"):
                for room, extra in rooms.items():
                    there = ROOMS[room]
                    query = {**carried(), **self.link.query(job_alone=True), "chip": chip, **extra}
                    st.page_link(there.file, label=_(there.title), icon=there.icon, query_params=query, width="content")

    # -- what is asked -------------------------------------------------------------------------------------------------------------

    def pick(self, name: str, options: Mapping[str, str], label: str = "") -> None:
        """A few options, all visible."""
        st.segmented_control(options=list(options), format_func=options.__getitem__, required=True, **self.link.widget(name, label))

    def select(self, name: str, options: Mapping[Any, str], label: str = "", *, width: int = 260) -> None:
        """One of many options."""
        st.selectbox(options=list(options), format_func=options.__getitem__, width=width, **self.link.widget(name, label))

    def choose_or_type(self, name: str, options: Mapping[str, str], *, width: int = 300) -> None:
        """One of many options, or anything else that is typed."""
        told: dict[str, Any] = {"format_func": lambda one: options.get(one, one), **self.link.widget(name)}
        st.selectbox(options=list(options), accept_new_options=True, width=width, **told)

    def years(self, name: str) -> None:
        """A window of whole years, of all that there are by default."""
        low, high = self.link.setting(name).default
        st.slider(min_value=low, max_value=high, format="%d", width=420, **self.link.widget(name))

    def slider(self, name: str) -> None:
        """A whole number within its range."""
        one = self.link.setting(name)
        st.slider(min_value=one.low, max_value=one.high, format="%d", width=320, **self.link.widget(name))

    def doubling(self, name: str) -> None:
        """A whole number on a slider that doubles: powers of two, and the current value wherever it lies."""
        low, high, now = self.link.setting(name).low, self.link.setting(name).high, int(self.link.values[name])
        steps = sorted({now, *(2**n for n in range(low.bit_length() - 1, high.bit_length()) if low <= 2**n <= high)})
        st.select_slider(options=steps, format_func=lambda n: f"{n:,}", width=210, **self.link.widget(name))

    def many(self, name: str, options: Mapping[str, str], *, placeholder: str = "") -> None:
        """Any number of options; the box says `placeholder` while there is none."""
        known = dict(options) | {k: k for k in self.link.values[name] if k not in options}
        st.multiselect(options=list(known), format_func=known.__getitem__, placeholder=placeholder or _("Choose"), **self.link.widget(name))

    def text(self, name: str, *, placeholder: str, icon: str | None = None, width: int | Literal["stretch"] = "stretch") -> None:
        """A text of as many characters as its setting takes."""
        longest = self.link.setting(name).longest
        st.text_input(placeholder=placeholder, max_chars=longest, icon=icon, width=width, **self.link.widget(name))


def _cell(value: object) -> object:
    """A cell of a table: numbers rounded, texts as they are, whatever Markdown would make of them."""
    return units.significant(value, 4) if isinstance(value, float) else units.tied(plain([value])) if isinstance(value, str) else value


def _card(card: Card) -> str:
    published = f"{_('published')} <b>{style.text(card.published)}</b> · " if card.published else ""
    lines = [
        f"{style.glyph(card.role)} {style.text(card.quantity)}",
        f"{published}{_('your fit')} <b>{style.text(card.refit)}</b>",
        *(f"<small>{style.text(line)}</small>" for line in (card.interval, card.note) if line),
    ]
    return "<div>" + "".join(f"<p>{line}</p>" for line in lines) + "</div>"
