"""Our own components (Streamlit's components v2): a script of this folder on a node of the page, without a frame around it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st


@cache
def component(script: str, html: str, css: str = "") -> Any:
    """The component that ``<script>.js`` makes of `html`, registered once."""
    code = (Path(__file__).parent / f"{script}.js").read_text("utf-8")
    return st.components.v2.component(f"wallviz_{script}", html=html, css=css or None, js=code, isolate_styles=False)
