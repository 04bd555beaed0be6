"""The reader's own model: a pasted or uploaded config.json, or a few numbers; what is wrong is said beside it, and the page keeps the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from wallviz.errors import InputError
from wallviz.i18n import _
from wallviz.ui.link import Link

#: Characters that the text box takes; what is longer says so itself.
MOST_CHARACTERS = 200_000
SIZES = {"layers": 32, "hidden_size": 4096, "heads": 32, "kv_heads": 8, "ffn": 14_336, "vocab": 128_256}


def ask(link: Link, name: str, *, pack: Callable[[str], str], pack_numbers: Callable[..., str], labels: dict[str, str]) -> None:
    """Asks for a model and puts it, packed, into parameter `name` of the link; `labels` names the numbers."""
    state, problem = st.session_state, f"{name}_problem"

    def take(make: Callable[[], str]) -> None:
        try:
            link.choose(name, make())
            state.pop(problem, None)
        except InputError as error:
            state[problem] = str(error)

    def pasted() -> str:
        upload = state.get(f"{name}_file")
        return pack(upload.getvalue().decode("utf-8", "replace") if upload else state[f"{name}_text"])

    def entered() -> str:
        numbers: dict[str, Any] = {key: int(state[f"{name}_{key}"]) for key in SIZES}
        return pack_numbers(**numbers, tied=state[f"{name}_tied"], gated=state[f"{name}_gated"])

    if state.get(problem):
        from wallviz.ui.page import plain

        st.warning(plain([state[problem]]), icon=":material/error:")
    paste, numbers = st.tabs([_("Its config.json"), _("By numbers")])
    with paste:
        st.text_area(_("Paste a config.json"), key=f"{name}_text", height=140, max_chars=MOST_CHARACTERS, placeholder='{"model_type": "llama", …}')
        st.file_uploader(_("or choose the file"), type=["json"], key=f"{name}_file")
        st.button(_("Use this model"), key=f"{name}_use", on_click=take, args=(pasted,))
    with numbers, st.form(f"{name}_numbers", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for key, default in SIZES.items():
                st.number_input(labels[key], 1, 10_000_000, default, key=f"{name}_{key}", width=150)
            st.toggle(labels["gated"], value=True, key=f"{name}_gated")
            st.toggle(labels["tied"], key=f"{name}_tied")
        st.form_submit_button(_("Use these numbers"), on_click=take, args=(entered,))
    if link.values[name]:
        st.button(_("Back to the listed models"), key=f"{name}_back", on_click=lambda: link.choose(name, ""))
