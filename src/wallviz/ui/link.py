"""The address of a view: what the reader chose, readable and language-neutral, so that a shared link reopens exactly this.

Each page declares what can be chosen as data (`wallviz.settings`). A value comes, in this order, from the live widget, from what the reader
chose earlier in this session, from the address, from the default. Only what differs from the default is written to the address.
Whatever an address asks for that does not exist is answered with a sentence and the default; everything else in it is kept. A name that
addresses had before is taken for the new one, unless the new one stands in the address too, or the job has a field of that name now.

Streamlit's own ``bind="query-params"`` writes the translated label of an option into the address: a link made in Chinese would open
the default in English (docs/decisions/0005-links.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import streamlit as st

from wallviz.checks import halfwidth
from wallviz.errors import InputError
from wallviz.i18n import N_, TAGS, _, language, listing
from wallviz.rooms.job import LOCAL
from wallviz.rooms.job import SETTINGS as JOB
from wallviz.settings import Setting
from wallviz.ui import server
from wallviz.ui.component import component

#: What an address may name on any page: the language, the job that links carry along, and what mail programs, social networks and search
#: engines add to links to count visits. Streamlit itself keeps ``embed`` and ``embed_options`` out of sight.
TRACKING = r"(utm|mtm|pk|mc|hsa)_\w+|(fb|g|d|y|tw)clid|msclkid|gbraid|wbraid|igshid|igsh|_ga|_gl|ref|ref_src|spm|from"
EVERYWHERE = re.compile("|".join(["lang", "present", *JOB, *(old for setting in JOB.values() for old in setting.old), TRACKING]))

Renamed = Mapping[str, tuple[str, Mapping[str, str] | None]]
"""What addresses called settings before: the old name, the new one, and what the values are called now (None: as they were)."""


class PageLink:
    """The values of one page's settings and of the job, kept in the session and mirrored in the address.

    `steered` is the setting that links alone change: the address decides it at every run of the page, so that "back" goes back a step.
    """

    def __init__(self, page: str, own: Mapping[str, Setting], shared: Mapping[str, Setting], renamed: Renamed, *, steered: str = "") -> None:
        self.page = page
        self.own = own
        self.problems: list[str] = []
        self._settings: dict[str, Setting] = {**shared, **own}
        self._renamed = [(old, name, values) for name, setting in self._settings.items() for old, values in setting.old.items()]
        self._renamed += [(old, name, values) for old, (name, values) in renamed.items()]
        address = st.query_params.to_dict()
        if "_chosen" not in st.session_state:  # a visitor who names nothing meets what is run where the language is spoken
            bare = not any(name in self._settings or name in JOB for name in (*address, *self._named(address)[0]))
            st.session_state["_chosen"] = {"job": dict(LOCAL.get(language(), {})) if bare else {}}
        store: dict[str, dict[str, Any]] = st.session_state["_chosen"]
        self._page, self._job = store.setdefault(page, {}), store.setdefault("job", {})
        self._steered = steered
        if (steered in address and address[steered] != own[steered].format(self._page.get(steered, ""))) or st.session_state.get("_page") != page:
            self._enter(address)
        st.session_state["_page"] = page
        self.values: dict[str, Any] = {}
        self.read()

    def read(self) -> None:
        """Takes the values as they are now."""
        self.values = {name: self._read(name) for name in self._settings}

    def _chosen(self, name: str) -> dict[str, Any]:
        return self._page if name in self.own else self._job

    def _enter(self, address: Mapping[str, str]) -> None:
        """Arriving here: an address that names any of our settings is the whole view; one that names none leaves what was chosen."""
        for name in self._settings:  # widgets of an earlier visit: this page starts from what was chosen, not from what they showed
            st.session_state.pop(self.key(name), None)
        named, strangers = self._named(address)
        if self.page == "start" and (missing := address.get(server.MISSING)):
            self.problems.append(_("There is no page “{name}”: this is the start page, and the menu lists the others.").format(name=missing[:40]))
        elif unknown := [name[:40] for name in strangers if not EVERYWHERE.fullmatch(name)]:
            told = listing([*(f"“{name}”" for name in unknown[:5]), *(["…"] if len(unknown) > 5 else [])])
            self.problems.append(_("The link names {names}, which this page does not know: check the spelling; the rest is used.").format(names=told))
        for store in (self._page, self._job):
            if any(self._chosen(name) is store for name in named):
                store.clear()
        for name, text in named.items():
            setting = self._settings[name]
            try:
                if len(text) > setting.longest:
                    raise InputError(N_("The link's {name} is too long to be read: choose it again on the page."), name=name)
                self._chosen(name)[name] = setting.parse(text)
            except InputError as error:
                self.problems.append(str(error))

    def _named(self, address: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """What an address says, by today's names, and the names that are nobody's."""
        named: dict[str, str] = {}
        strangers = []
        for name, text in address.items():
            if (now := next(self._today(name, text, address), None)) is not None:
                named.setdefault(*now)
            elif name in self._settings:
                named[name] = text
            else:
                strangers.append(name)
        return named, strangers

    def _today(self, name: str, text: str, address: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The setting and the value that an old name and its text stand for; nothing where the job's field of that name is meant."""
        if name in self._settings and self._means(self._settings[name], text, address):
            return
        for old, now, values in self._renamed:
            if old != name or now in address:
                continue
            if values is not None:
                if text in values:
                    yield now, values[text]
            elif name not in self._settings or _parses(self._settings[now], text):
                yield now, text

    @staticmethod
    def _means(setting: Setting, text: str, address: Mapping[str, str]) -> bool:
        """Whether an address that we wrote would say `text` of this field: only where it is about the job, and never the default."""
        asked = address.get("job", JOB["job"].default) in setting.jobs
        return asked and _parses(setting, text) and setting.parse(text) != setting.default

    def _read(self, name: str) -> Any:
        chosen = self._chosen(name)
        if (key := self.key(name)) in st.session_state:
            value = st.session_state[key]
            chosen[name] = tuple(value) if isinstance(value, list) else halfwidth(value) if isinstance(value, str) else value
        return chosen.get(name, self._settings[name].default)

    def setting(self, name: str) -> Setting:
        """The declaration of `name`."""
        return self._settings[name]

    def key(self, name: str) -> str:
        """The widget key for setting `name`, each page's its own; call `seed` before the widget is drawn."""
        return f"{self.page}_{name}"

    def seed(self, name: str) -> str:
        """Puts the current value where the widget will find it; returns the widget's key."""
        key = self.key(name)
        if key not in st.session_state:
            value = self.values[name]
            st.session_state[key] = list(value) if isinstance(value, tuple) and self._settings[name].default == () else value
        return key

    def widget(self, name: str, label: str = "") -> dict[str, Any]:
        """What every widget for `name` is told: the setting's label, or another, its help, and its key with the current value there."""
        setting = self._settings[name]
        return {"label": label or _(setting.label), "help": _(setting.help), "key": self.seed(name)}

    def choose(self, name: str, value: Any) -> None:
        """Sets `name` from outside its widget; call it in a callback, before the page runs."""
        self._chosen(name)[name] = value
        st.session_state.pop(self.key(name), None)

    def query(self, *, job_alone: bool = False) -> dict[str, str]:
        """The address that reopens this view: every value that differs from its default and that an address can carry."""
        return {
            name: text
            for name, setting in self._settings.items()
            if not (job_alone and name in self.own) and self.values[name] is not None
            if self.values[name] != setting.default or name == self._steered
            if len(text := setting.format(self.values[name])) <= setting.longest
        }

    def publish(self, extra: Mapping[str, str]) -> None:
        """Mirrors the view in the address bar.

        In a browser our own component does it, without a step in the history: ``st.query_params`` adds one for every choice, and "back"
        would only be undone by the next run. Where that component is not served (AppTest), ``st.query_params`` it is.
        """
        query = {**extra, **self.query()}
        if server.serves_plotly():
            component("address", "<span></span>")(
                key="address", data={"path": f"/{self.page}", "home": self.page == "start", "query": query, "lang": TAGS[language()]}
            )
        elif st.query_params.to_dict() != query:
            st.query_params.from_dict(query)


def _parses(setting: Setting, text: str) -> bool:
    try:
        setting.parse(text)
    except InputError:
        return False
    return True
