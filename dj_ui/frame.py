"""The table of pages, and what every page has: title, brand and navigation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_ui.deck import mount_booth
from dj_ui.visiting import check_visitor, tell_read_only
from dj_ui.words import spoken

_HERE = Path(__file__).parent
PAGES: dict[str, str] = {
    "generate": "Generate",
    "jam": "Jam",
    "listen": "Listen",
    "explore": "Explore",
    "crate": "Crate",
    "set": "Set",
    "train": "Train",
    "blind_test": "Blind test",
    "paper": "Paper",
}
"""Every page: its title by its address, which is its script's name, in the navigation's order."""
_PAGE = "dj_page"  # the page a session was last on
_BRAND = (
    '<a class="dj-brand" href="/" target="_self" aria-label="Digital DJ">'
    "<i></i><i></i><i></i><i></i><span>Digital DJ</span></a>"
)


def open_page(title: str) -> bool:
    """Start the page that `PAGES` calls `title`; every page's first call.

    True on arrival from another page.

    Streamlit runs the pages in `pages/` one by one and without a common script, so the frame is
    drawn by each of them. Its own navigation is off (`.streamlit/config.toml`).
    """
    st.set_page_config(
        page_title=f"{title} · Digital DJ",
        page_icon=str(_HERE / "icon.svg"),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    check_visitor()
    with st.container(horizontal=True, vertical_alignment="center", key="dj_header"):
        st.html(_BRAND, width="content")
        with st.container(horizontal=True, key="dj_nav", width="content", gap=None):
            for address, label in PAGES.items():
                with st.container(
                    key=f"dj_nav_{'here' if label == title else address}", width="content"
                ):
                    st.page_link(f"pages/{address}.py", label=label)
        with st.container(key="dj_mini", width="content"):
            mount_booth()
        tell_read_only()
    arrived = st.session_state.get(_PAGE) != title
    st.session_state[_PAGE] = title
    return arrived


def run_page(main: Callable[[], object]) -> None:
    """Run a page; what it could not do for want of a folder, space or a file is said on it.

    A page comes part by part, and each would push the next down. So its parts stay unseen, for a
    moment at most, until all are there: theme.css looks for the mark in `dj_drawn`.
    """
    mark = st.container(key="dj_drawn")
    try:
        main()
    except DigitalDJError as error:
        st.error(spoken(error))
    finally:
        mark.html('<i class="dj-drawn"></i>')


def palette_name() -> str:
    """'dark' or 'light': the theme the visitor looks at."""
    return st.context.theme.type or "dark"
