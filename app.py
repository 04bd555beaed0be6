"""wallviz: where every byte goes, and what AI waits for.

Streamlit runs this file as ``__main__`` on every rerun: it shows the page. The server imports it once as ``app``: it finds the ASGI
application, which warms up, serves plotly.js and then runs this file (docs/decisions/0007-one-entry.md).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))  # a clone runs without being installed

import streamlit as st

from wallviz import ui
from wallviz.ui import server

if __name__ == "__main__":
    ui.navigation().run()
else:
    app = st.App(__file__, **server.settings())
