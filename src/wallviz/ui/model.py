"""The reader's own model: a pasted or uploaded config.json, or a few numbers; what is wrong is said beside it, and the page keeps the rest."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any

import streamlit as st

from wallviz.engine.transformer.config import TEXT_LIMIT
from wallviz.errors import InputError
from wallviz.i18n import N_, _
from wallviz.ui.escape import plain
from wallviz.ui.link import PageLink

ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""How a file says that it is not plain UTF-8: Windows editors save "Unicode" so."""
SIZES = {"layers": 32, "hidden_size": 4096, "heads": 32, "kv_heads": 8, "head_dim": None, "ffn": 14_336, "vocab": 128_256}
"""The numbers of a model, with Llama 3.1 8B's; None may stay empty."""


def ask(
    link: PageLink, name: str, *, pack: Callable[[str], str], pack_numbers: Callable[..., str], labels: dict[str, str], helps: dict[str, str]
) -> None:
    """Asks for a model and puts it, packed, into parameter `name` of the link; `labels` names the numbers, `helps` explains them."""
    state, problem = st.session_state, f"{name}_problem"

    def take(make: Callable[[], str]) -> None:
        try:
            link.choose(name, make())
            state.pop(problem, None)
        except InputError as error:
            state[problem] = error  # said where it is shown: a callback runs before the page knows its language

    def pasted() -> str:
        upload = state.get(f"{name}_file") if state.get(f"{name}_latest") == "file" else None
        text = _decoded(upload.getvalue()) if upload is not None else state[f"{name}_text"]
        if upload is None and not text.strip():
            raise InputError(N_("there is no config.json yet: paste its text, or choose a file that ends in .json and has at most 1 MB"))
        if len(text) > TEXT_LIMIT:
            state[f"{name}_text"] = ""  # or the browser sends it again with every choice
        return pack(text)

    def latest(which: str) -> None:
        state[f"{name}_latest"] = which

    def entered() -> str:
        numbers: dict[str, Any] = {key: None if state[f"{name}_{key}"] is None else int(state[f"{name}_{key}"]) for key in SIZES}
        return pack_numbers(**numbers, **{key: state[f"{name}_{key}"] for key in ("tied", "gated", "name")})

    if state.get(problem):
        st.warning(plain([str(state[problem])]), icon=":material/error:")
    paste, numbers = st.tabs([_("Its config.json"), _("By numbers")])
    with paste:
        st.text_area(
            _("Paste a config.json"), key=f"{name}_text", height=140, placeholder='{"model_type": "llama", …}', on_change=latest, args=("text",)
        )
        st.file_uploader(_("or choose the file"), type=["json"], key=f"{name}_file", on_change=latest, args=("file",))
        st.button(_("Use this model"), key=f"{name}_use", on_click=take, args=(pasted,))
    with numbers, st.form(f"{name}_numbers", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for key, default in SIZES.items():
                st.number_input(labels[key], 1, 10_000_000, default, key=f"{name}_{key}", help=helps[key], width=170)
            st.toggle(labels["gated"], value=True, key=f"{name}_gated", help=helps["gated"])
            st.toggle(labels["tied"], key=f"{name}_tied", help=helps["tied"])
            st.text_input(labels["name"], key=f"{name}_name", max_chars=60, help=helps["name"], width=170)
        st.form_submit_button(_("Use these numbers"), on_click=take, args=(entered,))
    if link.values[name]:
        st.button(_("Back to the listed models"), key=f"{name}_back", on_click=lambda: link.choose(name, ""))


def _decoded(file: bytes) -> str:
    """The text of a file; raises InputError where it is none."""
    encoding = next((name for mark, name in ENCODINGS.items() if file.startswith(mark)), "utf-8")
    try:
        text = file.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(N_("the file is not text: choose a config.json, not an archive or the weights"))
    return text
