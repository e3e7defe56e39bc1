"""Digital DJ, as `streamlit run app.py` starts it: the pages and the document around them."""

import os
import sys

import streamlit as st
import uvicorn.config
from starlette.middleware import Middleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from dj_core.host import limits, read_only
from dj_core.library.library import Library
from dj_ui.ahead import AHEAD_ROUTE
from dj_ui.document import DarkDocument
from dj_ui.drag_files import HAND_OUT_ROUTE
from dj_ui.gate import Gate
from dj_ui.kit_sounds import KIT_SOUNDS_ROUTE
from dj_ui.link import LINK_ROUTE
from dj_ui.live_jams import JAM_ROUTE
from dj_ui.pacing import Pacing
from dj_ui.program_files import ProgramFiles
from dj_ui.set_files import FILES_ROUTE
from dj_ui.uploads import Uploads
from dj_ui.warming import ready_to_play

PROXIES, PROBLEMS = read_only.trusted_proxies(os.environ)
# uvicorn, which imports this file and then wraps the app in this class, would believe whatever
# comes from this machine itself
uvicorn.config.ProxyHeadersMiddleware = lambda app, trusted_hosts: ProxyHeadersMiddleware(
    app, trusted_hosts=PROXIES
)
for problem in (*limits.PROBLEMS, *PROBLEMS):
    print(f"digital-dj: {problem}", file=sys.stderr)
Library.open().tidy()

app = st.App(
    "home.py",
    lifespan=ready_to_play,
    routes=[FILES_ROUTE, AHEAD_ROUTE, LINK_ROUTE, JAM_ROUTE, KIT_SOUNDS_ROUTE, HAND_OUT_ROUTE],
    middleware=[
        Middleware(Gate),
        Middleware(Pacing),
        Middleware(Uploads),
        Middleware(ProgramFiles),
        Middleware(DarkDocument),
    ],
)
