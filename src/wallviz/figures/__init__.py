"""Finished values in, a `style.Drawing` out, the plain data that plotly.js draws: no files, no Streamlit, no state, no randomness."""
