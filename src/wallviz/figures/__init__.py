"""Finished values in, ``plotly.graph_objects.Figure`` out: no files, no Streamlit, no state, no randomness."""
