"""Digital DJ, as `streamlit run app.py` starts it: the pages and the document around them."""

import streamlit as st
from starlette.middleware import Middleware

from dj_ui.document import DarkDocument
from dj_ui.set_files import FILES_ROUTE

app = st.App("home.py", routes=[FILES_ROUTE], middleware=[Middleware(DarkDocument)])
