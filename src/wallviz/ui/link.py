"""The address of a view: what the reader chose, readable and language-neutral, so that a shared link reopens exactly this.

Each page declares its parameters as data (`wallviz.params`). A value comes, in this order, from the live widget, from what the reader
chose earlier in this session, from the address, from the default. Only what differs from the default is written to the address.
Whatever an address asks for that does not exist is answered with a sentence and the default; everything else in it is kept.

Streamlit's own ``bind="query-params"`` writes the translated label of an option into the address: a link made in Chinese would open
the default in English (docs/decisions/0005-links.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from wallviz.errors import InputError
from wallviz.i18n import N_, TAGS, _, language
from wallviz.params import Param
from wallviz.rooms.case import PARAMS as CASE
from wallviz.ui import server
from wallviz.ui.component import component

#: What an address may name on any page: the language, the case that links carry along, and what mail programs, social networks and search
#: engines add to links to count visits. Streamlit itself keeps ``embed`` and ``embed_options`` out of sight.
TRACKING = r"(utm|mtm|pk|mc|hsa)_\w+|(fb|g|d|y|tw)clid|msclkid|gbraid|wbraid|igshid|igsh|_ga|_gl|ref|ref_src|spm|from"
EVERYWHERE = re.compile("|".join(["lang", *(param.name for param in CASE), TRACKING]))


class Link:
    """The values of one page's parameters, kept in the session under its name and mirrored in the address."""

    def __init__(self, page: str, params: Iterable[Param], shared: Iterable[Param] = ()) -> None:
        self.page = page
        self.problems: list[str] = []
        self._params: dict[str, tuple[str, Param]] = {p.name: (page, p) for p in params} | {p.name: ("case", p) for p in shared}
        store: dict[str, dict[str, Any]] = st.session_state.setdefault("_chosen", {})
        self._chosen = {owner: store.setdefault(owner, {}) for owner in (page, "case")}
        if st.session_state.get("_page") != page:
            st.session_state["_page"] = page
            self._enter(st.query_params.to_dict())
        self.values: dict[str, Any] = {}
        self.read()

    def read(self) -> None:
        """Takes the values as they are now."""
        self.values = {name: self._read(name) for name in self._params}

    def _enter(self, address: Mapping[str, str]) -> None:
        """Arriving here: an address that names any of our parameters is the whole view; one that names none leaves what was chosen."""
        if self.page == "start" and (missing := address.get(server.MISSING)):
            self.problems.append(_("There is no page “{name}”: this is the start page, and the menu lists the others.").format(name=missing[:40]))
        elif unknown := [name[:40] for name in address if name not in self._params and not EVERYWHERE.fullmatch(name)]:
            told = ", ".join(f"“{name}”" for name in unknown[:5]) + (", …" if len(unknown) > 5 else "")
            self.problems.append(_("The link names {names}, which this page does not know: check the spelling; the rest is used.").format(names=told))
        for owner in self._chosen:
            given = {n: v for n, v in address.items() if n in self._params and self._params[n][0] == owner}
            if not given:
                continue
            self._chosen[owner].clear()
            for name, text in given.items():
                st.session_state.pop(self.key(name), None)
                param = self._params[name][1]
                try:
                    if len(text) > param.longest:
                        raise InputError(N_("The link's {name} is too long to be read: choose it again on the page."), name=name)
                    self._chosen[owner][name] = param.parse(text)
                except InputError as error:
                    self.problems.append(str(error))

    def _read(self, name: str) -> Any:
        owner, param = self._params[name]
        if (key := self.key(name)) in st.session_state:
            value = st.session_state[key]
            self._chosen[owner][name] = tuple(value) if isinstance(value, list) else value
        return self._chosen[owner].get(name, param.default)

    def key(self, name: str) -> str:
        """The widget key for parameter `name`; call `seed` before the widget is drawn."""
        return f"{self._params[name][0]}_{name}"

    def seed(self, name: str) -> str:
        """Puts the current value where the widget will find it; returns the widget's key."""
        key = self.key(name)
        if key not in st.session_state:
            value = self.values[name]
            st.session_state[key] = list(value) if isinstance(value, tuple) and self._params[name][1].default == () else value
        return key

    def choose(self, name: str, value: Any) -> None:
        """Sets `name` from outside its widget; call it in a callback, before the page runs."""
        owner, _ = self._params[name]
        self._chosen[owner][name] = value
        st.session_state.pop(self.key(name), None)

    def query(self, owners: Iterable[str] | None = None) -> dict[str, str]:
        """The address that reopens this view: every value that differs from its default and that an address can carry."""
        wanted = set(owners) if owners is not None else set(self._chosen)
        return {
            name: text
            for name, (owner, param) in self._params.items()
            if owner in wanted and self.values[name] is not None and self.values[name] != param.default
            if len(text := param.format(self.values[name])) <= param.longest
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
