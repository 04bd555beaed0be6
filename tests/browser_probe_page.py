"""A page that holds the measurement of the visitor's GPU and nothing else; tests/test_browser_probe.py visits it. Its link says what to measure."""

from __future__ import annotations

import streamlit as st

from wallviz import i18n
from wallviz.errors import InputError
from wallviz.machine.probe.browser import BrowserPlan
from wallviz.ui.probe import browser_probe


def show() -> None:
    asked = st.query_params
    i18n.use(asked.get("lang", "en"))
    plan = BrowserPlan(
        array_bytes=int(asked.get("array", 4 * 2**20)),
        smallest_array_bytes=int(asked.get("smallest", 2**20)),
        budget_s=float(asked.get("budget", 0.2)),
        limit_s=float(asked.get("limit", 120)),
        sweep=asked.get("sweep") == "yes",
        allow_software=asked.get("software") == "yes",
    )
    st.markdown("#### GPU")
    st.button("Rerun")
    if st.button("Leave"):
        return
    try:
        record = browser_probe(plan)
    except InputError as error:
        st.error(str(error), icon=None)
    else:
        if record:
            st.code(record.as_json(), language=None)


if __name__ == "__main__":
    show()
