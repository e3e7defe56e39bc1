"""The address `/`: sends a visitor on to Generate, the first page.

Every page is a script of its own in `pages/`, so that a link to any of them opens it directly,
also as the very first request to a server; `dj_ui.frame` gives them all the same frame.
"""

import streamlit as st

st.switch_page("pages/generate.py", query_params=st.query_params.to_dict())
