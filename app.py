"""Digital DJ, as `streamlit run app.py` starts it: the pages and the document around them."""

import streamlit as st
from starlette.middleware import Middleware

from dj_ui.document import DarkDocument

app = st.App("home.py", middleware=[Middleware(DarkDocument)])
